"""`dnssync exim`: the macros that make exim sign with dnssync's keys: shown, put in, taken out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from dnssync.cli.context import Context, json_option
from dnssync.config import EximConfig
from dnssync.errors import ConfigError
from dnssync.exim import install as installation
from dnssync.exim import macros
from dnssync.exim.ask import Exim


@click.command(name="exim")
@click.option("--print", "show", is_flag=True, help="Print the macros: exactly what --install writes (the default).")
@click.option("--install", is_flag=True, help="Try them on a copy of exim's configuration, then put them in.")
@click.option("--uninstall", is_flag=True, help="Take them out again.")
@click.option(
    "--sign",
    type=click.Choice(["ours", "all"]),
    default="ours",
    show_default=True,
    help="Which mail is signed: of this host, its relay_from_hosts and authenticated users, or all that passes.",
)
@click.option(
    "--strict/--no-strict",
    default=True,
    show_default=True,
    help="A message whose key cannot be used waits (strict), or leaves unsigned.",
)
@click.option(
    "--timestamps",
    type=click.IntRange(0),
    default=604800,
    show_default=True,
    help="Seconds that a signature is valid (x=); 0: for ever.",
)
@click.option(
    "--confdir",
    default=str(installation.CONFDIR),
    show_default=True,
    metavar="DIR",
    help="exim's configuration; another one than this is not rendered at the end, but how is told.",
)
@json_option
@click.pass_obj
def command(
    context: Context, show: bool, install: bool, uninstall: bool, sign: str, strict: bool, timestamps: int, confdir: str
) -> int:
    """Show, install or uninstall the macros that make exim sign with dnssync's keys.

    Debian's transport remote_smtp takes them by itself; what to add to other transports is told. Exit codes: 0 done, 1 failed,
    3 refused: a domain that is signed today would not be, or exim would not take them.
    """
    if show + install + uninstall > 1:
        raise click.UsageError("--print, --install and --uninstall exclude each other.")
    exim = Exim(_command(context, lenient=uninstall))
    if install or uninstall:
        exim.version()  # is it exim at all?
    if uninstall:
        return _tell(context, installation.uninstall(exim, confdir=Path(confdir), activate=_live(confdir)))
    config = context.config
    try:
        text = macros.render(config.exim.map, config.keys, strict=strict, sign=sign, timestamps=timestamps or None)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if not install:
        piece, where = installation.shown(Path(confdir), text)
        if context.json:
            context.emit({"macros": piece, "where": where, "transport": macros.transport_lines(), "exit": 0})
        else:
            context.stdout.write(piece)
            context.warn(f"\n# {where}")
            context.warn("# For an smtp transport that has no DKIM options, such as Debian's remote_smtp_smarthost, add to it:\n"
                         + "\n".join("#   " + line for line in macros.transport_lines().splitlines()))  # fmt: skip
        return 0
    names = [*config.zones, *(domain for zone in config.zones.values() for domain in zone.domains or ())]
    outcome = installation.install(
        exim, text, map_path=config.exim.map, domains=names, confdir=Path(confdir), lists=config.exim.lists,
        activate=_live(confdir),
    )  # fmt: skip
    return _tell(context, outcome)


def _command(context: Context, *, lenient: bool) -> Sequence[str]:
    """How exim is started; `lenient`: as Debian does it, where there is no configuration (any more) to say so."""
    try:
        return context.config.exim.command
    except ConfigError:
        if not lenient:
            raise
        return EximConfig().command


def _live(confdir: str) -> bool:
    return Path(confdir) == installation.CONFDIR


def _tell(context: Context, outcome: installation.Outcome) -> int:
    if context.json:
        told = {"file": str(outcome.file), "changed": outcome.changed, "sentences": outcome.sentences}
        context.emit({**told, "exit": 0})
    for sentence in outcome.sentences:
        context.say(sentence[:1].upper() + sentence[1:])
    return 0
