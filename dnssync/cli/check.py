"""`dnssync check`: the whole set-up as receivers see it, each finding with its remedy."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from dnssync.cli import render
from dnssync.cli.context import Context, chosen, json_option
from dnssync.errors import DnssyncError, understood

if TYPE_CHECKING:
    from dnssync.check.finding import Finding
    from dnssync.check.from_log import LogReport
    from dnssync.check.gather import Looked
    from dnssync.checked import Checked
    from dnssync.reconcile import Line

BAD, UNKNOWN = 1, 3
FROM_LOG = ("LOG-01", "LOG-02", "LOG-03")


@click.command(name="check")
@click.argument("domains", nargs=-1)
@click.option("--strict", is_flag=True, help="Warnings count as errors: exit code 1, and critical with --monitoring.")
@click.option(
    "--since",
    is_flag=True,
    help="Only what has changed since the last `check --since`, or else the daemon's last check.",
)
@click.option("--all", "-a", "whole", is_flag=True, help="Show what is well, too.")
@click.option(
    "--from-log", is_flag=True, help="Also read exim's log of the last week: what left, from where, signed or not."
)
@click.option("--blocklists", is_flag=True, help="Also ask block lists about the addresses and domains.")
@click.option("--port-25", is_flag=True, help="Also try whether mail servers elsewhere can be reached.")
@click.option("--monitoring", is_flag=True, help="One line, and exit codes 0 ok, 1 warning, 2 critical, 3 unknown.")
@json_option
@click.pass_obj
def command(
    context: Context,
    domains: tuple[str, ...],
    strict: bool,
    since: bool,
    whole: bool,
    from_log: bool,
    blocklists: bool,
    port_25: bool,
    monitoring: bool,
) -> int:
    """Look at the whole set-up as receivers see it, for all domains or those named, and say what is wrong and what to do: MX, addresses,
    reverse DNS, SPF, DKIM, DMARC, MTA-STS, TLS, DANE, DNSSEC, name servers, and exim itself.

    It changes nothing: exim signs messages that never leave this host. docs/checks.md explains each id.

    Exit codes: 0 no error found, 1 an error (with --strict: or a warning). With --monitoring: 0 ok, 1 warning, 2 critical, 3 unknown.
    """
    asked = frozenset(
        [*(FROM_LOG if from_log else ()), *(["BL-01"] if blocklists else ()), *(["PORT-01"] if port_25 else ())]
    )
    if monitoring:
        if context.json or since or whole:
            raise click.UsageError("--monitoring prints one line; --json, --since and --all do not go with it.")
        return _monitor(context, domains, asked, strict)
    looked, kept = _look(context, domains, asked)
    before = _before(kept, looked, domains) if since else None
    code = exit_code(looked.findings, strict)
    if context.json:
        _emit(context, looked, before, code)
    else:
        _show(context, looked, before, whole)
    if before is not None and not domains:
        _keep(context, looked, before)
    return code


def exit_code(found: Sequence[Finding], strict: bool) -> int:
    """1 where there is an error, or with `strict` a warning; else 0."""
    from dnssync.check.finding import Severity

    bad = {Severity.ERROR, *([Severity.WARNING] if strict else [])}
    return BAD if any(finding.severity in bad for finding in found) else 0


def _look(context: Context, domains: tuple[str, ...], asked: frozenset[str]) -> tuple[Looked, Checked]:
    """The check, and what was kept of an earlier one."""
    from dnssync.check import gather

    only = chosen(context, domains)
    line, closed = _line(context)
    kept = _kept(context)
    with _ended():
        looked = gather.look(line, (context.make_sources or gather.sources)(line), only, asked, kept.remembered, closed)
    context.progress("")
    return looked, kept


def _line(context: Context) -> tuple[Line, str]:
    """The parts of a pass, and why some of them are closed to this user ("" = none is): what DNS shows can be checked by anybody."""
    from dnssync.errors import ConfigError, KeyFileError, StateError

    context.config  # noqa: B018 - one that cannot be used raises here
    try:
        return context.line(read_only=True), ""
    except (KeyFileError, StateError) as error:
        closed = str(error)
    except ConfigError as error:
        if os.geteuid() == 0:
            raise  # nothing is closed to root: the secret is missing, or the provider is described wrongly
        closed = f"{error}. Run `dnssync check` as root to have this looked at, too"
    return context.line(read_only=True, closed=True), closed


@contextlib.contextmanager
def _ended() -> Iterator[None]:
    """SIGTERM and SIGHUP end the check as Ctrl-C does, so that nothing of its test messages stays: a monitoring that has waited long enough sends them."""

    def end(number: int, _: object) -> None:
        sys.exit(128 + number)

    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {
            number: signal.signal(number, end)
            for number in (signal.SIGTERM, signal.SIGHUP)
            if signal.getsignal(number) is signal.SIG_DFL
        }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _monitor(context: Context, domains: tuple[str, ...], asked: frozenset[str], strict: bool) -> int:
    """One line on standard output, whatever happens: nobody reads anything else."""
    from dnssync.check import words

    try:
        text, code = words.monitored(_look(context, domains, asked)[0].findings, strict=strict)
    except Exception as error:  # an exit code of 1 would be taken for a warning
        if context.debug:
            raise
        text, code = words.cannot_tell(str(understood(error))), UNKNOWN
    context.progress("")
    context.say(text, whole=True)
    return code


def _before(kept: Checked, looked: Looked, domains: tuple[str, ...]) -> Checked:
    """What stood at the last check that is compared with; of the subjects that were looked at now, where not all were."""
    from dnssync import checked

    subjects = {finding.subject for finding in looked.findings}
    return checked.Checked(kept.at, tuple(f for f in kept.found if not domains or f.subject in subjects))


def _kept(context: Context) -> Checked:
    from dnssync import checked

    folder = context.config.state_directory
    return checked.read(folder, checked.BY_HAND) or checked.read(folder, checked.DAILY) or checked.Checked()


def _keep(context: Context, looked: Looked, before: Checked) -> None:
    from dnssync import checked

    stands = looked.standing(before.found)
    try:
        checked.write(
            context.config.state_directory,
            checked.BY_HAND,
            checked.Checked(looked.facts.now, stands, remembered=looked.remembered),
        )
    except DnssyncError as error:
        context.warn(f"dnssync: the next `check --since` compares with an older one: {error}")


def _emit(context: Context, looked: Looked, before: Checked | None, code: int) -> None:
    from dnssync.check.finding import counted

    data: dict[str, object] = {"host": looked.facts.hostname, "at": looked.facts.now, "findings": looked.findings}
    if before is not None:
        changed = looked.changes(before.found)
        data.update(findings=changed.begun, over=changed.over, since=before.at or None)
    log = _log(looked)
    if log is not None:
        data["log"] = log
    data.update(domains=[domain.name for domain in looked.facts.domains], counts=counted(looked.findings), exit=code)
    context.emit(data)


def _log(looked: Looked) -> LogReport | None:
    """What exim's log tells, where it was asked for and could be read; why it could not be stands among the findings."""
    from dnssync.check.facts import Unanswered
    from dnssync.check.from_log import report
    from dnssync.check.log_lines import Log

    if not any(finding.id in FROM_LOG for finding in looked.findings):
        return None
    try:
        return report(looked.facts, looked.facts.find(Log()))
    except Unanswered:
        return None


def _show(context: Context, looked: Looked, before: Checked | None, whole: bool) -> None:
    from dnssync.check import log_table
    from dnssync.cli import check_table

    width = render.width(context)
    if before is None:
        lines = check_table.found(looked.facts, looked.findings, width, context.hinted, whole=whole)
    else:
        lines = check_table.changed(looked.changes(before.found), before.at, width, context.hinted)
    log = _log(looked)
    if log is not None:
        lines = [*lines, ("exim's log", "bold"), *((f"  {row}", "") for row in log_table.lines(log)), ("", "")]
    render.show(context, [*lines, (check_table.summary(looked.facts, looked.findings), "bold")])
