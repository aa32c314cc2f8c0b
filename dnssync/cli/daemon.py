"""`dnssync run`: the daemon, in the foreground; with `--once` one pass of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dnssync import identity, logs
from dnssync.cli.context import Context, error_data, json_option
from dnssync.config import Config, find, load, secret
from dnssync.errors import ConfigError, DnssyncError
from dnssync.one_pass import After, PassResult
from dnssync.reconcile import Line
from dnssync.state import State

if TYPE_CHECKING:
    from dnssync.daemon import Daemon

log = logging.getLogger("dnssync")


@click.command(name="run")
@click.option("--once", is_flag=True, help="One pass, and the end: for cron.")
@click.option("--log-json", is_flag=True, help="Log one JSON object a line.")
@click.option("-v", "--verbose", is_flag=True, help="Log every step.")
@click.option("-q", "--quiet", is_flag=True, help="Log warnings and errors alone.")
@json_option
@click.pass_obj
def command(context: Context, once: bool, log_json: bool, verbose: bool, quiet: bool) -> int:
    """Keep DNS and exim right by itself: a pass at every interval of the configuration, whenever a key can go on, and at once where
    a person said something (`rotate`, `confirm`, `freeze`).

    It stays in the foreground and tells each event on standard error. SIGHUP reads the configuration again; SIGTERM ends it
    after the step at hand. It never writes a zone's or a domain's first records and takes nothing over: `dnssync apply` does.

    Exit codes: 0 ended by SIGTERM. With --once: 0 all is well, 1 something failed, 3 a zone was refused.
    """
    machine = logs.begin(as_json=log_json, verbose=verbose or context.debug, quiet=quiet, environ=context.environ,
                         stream=context.stderr)  # fmt: skip
    if once:
        return _once(context)
    daemon = made(context)
    try:
        code = daemon.run()
    except DnssyncError as error:
        if not machine or context.json or context.debug:
            raise
        log.critical("%s", error)  # what the journal shows of a start that failed has its priority, too
        if isinstance(error, ConfigError) and "NOTIFY_SOCKET" in context.environ:
            from dnssync.alerts import Alerts
            from dnssync.config_service import AlertConfig

            # A service manager does not start it again for this, and nobody reads the journal of what has run for years.
            loaded = getattr(daemon, "config", None)  # good in itself, where it is a secret that is missing
            known = error.alerts or (loaded.alerts if loaded is not None else None)
            wanted = known if isinstance(known, AlertConfig) else AlertConfig()
            Alerts(hinted=context.hinted, folder=_folder(context)).cannot_begin(error, wanted, int(context.now()))
        return error.exit_code
    if context.json:
        context.emit({"exit": code})
    return code


def made(context: Context) -> Daemon:
    """The daemon, with everything that it tells of a pass, and its daily check."""
    from dnssync.daemon import Daemon
    from dnssync.notify import Notifier

    return Daemon(
        lambda: load(find(context.config_option, context.environ)),
        _opener(context),
        lambda config: State.open(config.state, host=identity.rows(config.keys), read_only=True),
        Notifier(context.environ),
        after=_after(context),
        beside=_daily(context),
        now=context.now,
    )


def _once(context: Context) -> int:
    """One pass; waits for whoever holds the lock as long as any command."""
    from dnssync.lock import WAIT
    from dnssync.one_pass import one_pass, tell

    opened = _opener(context)
    result = one_pass(
        context.config,
        lambda config: opened(config, read_only=False, progress=context.progress),
        now=context.now,
        wait=WAIT,
    )
    context.progress("")
    tell(_after(context), result)
    code = 1 if result.failed else 3 if result.refused else 0
    if result.error is None:
        _say(context, result, code)
        return code
    if result.so_far is not None and not context.debug:
        # What stands in the state and in DNS is told, though the rest of the pass came to nothing.
        _say(context, replace(result, report=result.so_far), result.error.exit_code)
        if context.json:
            return result.error.exit_code
        context.say("The pass ended there; `dnssync history` tells what else was done.")
    raise result.error


def _say(context: Context, result: PassResult, code: int) -> None:
    """What a person or a machine gets to read of one pass."""
    from dnssync.cli.apply import as_data
    from dnssync.cli.apply import tell as told
    from dnssync.core.durations import moment

    if context.json:
        data = as_data(result.report) if result.report is not None else {}
        if result.error is not None:
            data |= error_data(result.error)
        context.emit({**data, "left_out": dict(result.left_out), "exit": code})
        return
    if result.report is not None:
        told(context, result.report)
        for zone, problem in result.report.decision.unread.items():
            context.say(f"failed: {zone}: {problem}", "red")
        for plan in result.report.decision.zones:
            for refusal in plan.refusals:
                context.say(f"refused: {refusal.sentence}", "red")
    for zone, until in result.left_out.items():
        context.say(
            f"{zone} failed before and is left alone until {moment(until)}; `dnssync apply {zone}` does not wait.",
            "yellow",
        )


def _after(context: Context) -> list[After]:
    """What is told of every pass."""
    from dnssync.alerts import Alerts
    from dnssync.metrics import Metrics

    return [Metrics().after, Alerts(hinted=context.hinted, folder=_folder(context)).after]


def _daily(context: Context) -> Callable[..., None]:
    """The daily check of the whole set-up."""
    from dnssync.alerts import Alerts, full_name
    from dnssync.check.gather import sources
    from dnssync.daily import Daily

    where = context.make_sources or sources
    return Daily(_opener(context), Alerts(), now=context.now, host=full_name, sources=where, hinted=context.hinted)


def _folder(context: Context) -> Path | None:
    """The service's own folder, as systemd names it (StateDirectory=)."""
    given = context.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    return Path(given) if given else None


def _opener(context: Context) -> Callable[..., Line]:
    """What assembles the parts of a pass, again and again. A secret that only root may read is read once, before this process becomes
    the state's owner; one that can still be read is read anew, since it may have been replaced."""
    from dnssync import assemble

    known: dict[str, str] = {}

    def resolve(text: str) -> str:
        try:
            known[text] = secret(text, context.environ)
        except ConfigError:
            if text not in known:
                raise
        return known[text]

    def opened(config: Config, *, read_only: bool, progress: Callable[[str], None]) -> Line:
        make = context.make_line or assemble.line
        return make(
            config, read_only=read_only, environ=context.environ, now=context.now, progress=progress, resolve=resolve
        )

    return opened
