"""The command line: `dnssync [-c FILE] COMMAND [DOMAIN…]`. Each command is a module that is loaded when it is called.

Nothing heavy is imported here: `dnssync --version` and `--help` answer at once.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any

import click

from dnssync import __version__
from dnssync.cli import streams
from dnssync.cli.context import Context
from dnssync.errors import DnssyncError, understood

USAGE, FAILED, INTERRUPTED = 64, 1, 130
COMMANDS = {
    "plan": "show what would change in DNS; changes nothing",
    "apply": "show it, ask, and put DNS right",
    "check": "look at the whole set-up as receivers see it; what is wrong, and what to do",
    "status": "the keys, what each waits for, and the last pass of each zone",
    "rotate": "let another key take over now; in an emergency, at any price",
    "history": "what was changed, when, and why",
    "confirm": "settle a doubt that a notice named",
    "freeze": "let a domain's records be as they are for a while",
    "release": "let go of a zone: its records stay, dnssync forgets them",
    "exim": "the macros that make exim sign with dnssync's keys",
    "init": "write a first configuration from what exim and DNS say",
    "run": "the daemon: goes on by itself, in the foreground",
    "demo": "the whole line on this machine alone, nothing configured",
}


# `dnssync.cli.run` is the function below: a module of that name would take its place once it is loaded.
MODULES = {"run": "daemon"}


class Commands(click.Group):
    """The commands above, each `dnssync.cli.NAME`'s `command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"dnssync.cli.{MODULES.get(cmd_name, cmd_name)}").command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in COMMANDS:
            import difflib

            close = difflib.get_close_matches(args[0], COMMANDS, 1, 0.75)
            ctx.fail(
                f"there is no command {args[0]!r}"
                + (f"; did you mean {close[0]}?" if close else "; see dnssync --help")
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-c", "--config", metavar="FILE", help="The configuration (else $DNSSYNC_CONFIG, else /etc/dnssync/dnssync.yaml)."
)
@click.option("--debug", is_flag=True, help="Show where an error happened.")
@click.version_option(__version__, message="dnssync %(version)s")
@click.pass_context
def group(ctx: click.Context, config: str | None, debug: bool) -> None:
    """Keeps SPF, DKIM and DMARC in DNS true to what exim does.

    Exit codes: 0 done, 1 failed, 2 changes (plan), 3 refused, 64 usage, 78 configuration, 130 interrupted.
    """
    context: Context = ctx.obj
    context.config_option = config
    context.debug = debug


def run(args: Sequence[str], context: Context | None = None) -> int:
    """Run one command line; returns its exit code and lets nothing but `--debug` errors through."""
    context = context or Context()
    try:
        code = _run(args, context)
        context.stdout.flush()
        return code
    except BrokenPipeError:  # the reader has seen enough: `dnssync history | head`
        streams.give_up(context.stdout)
    except streams.OutputLostError as error:
        streams.give_up(context.stdout)
        context.warn(f"dnssync: what it has to tell could not be written to standard output: {error.strerror}. "
                     "What was done before that is done; `dnssync history` tells it.")  # fmt: skip
    return FAILED


def _run(args: Sequence[str], context: Context) -> int:
    """The same; raises BrokenPipeError and OutputLostError of standard output."""
    try:
        result = group.main(list(args), prog_name="dnssync", obj=context, standalone_mode=False)
    except click.UsageError as error:
        words = list(args)
        if (
            "--json" in words[: words.index("--") if "--" in words else None]
        ):  # it may stand after what was not understood
            context.emit({"error": error.format_message(), "mistakes": [], "exit": USAGE})
        else:
            error.show(context.stderr)
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        if context.debug:
            raise
        context.warn("Interrupted; nothing is left half-written, and the next run goes on from here.")
        return INTERRUPTED
    except DnssyncError as error:
        if context.debug:
            raise
        context.fail(error)
        return error.exit_code
    except (BrokenPipeError, streams.OutputLostError):
        raise
    except Exception as error:
        if context.debug:
            raise
        context.fail(understood(error))
        return FAILED
    return result if isinstance(result, int) else 0


def main() -> None:
    """The `dnssync` command."""
    streams.prepare()
    sys.exit(run(sys.argv[1:]))
