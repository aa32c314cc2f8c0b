"""One pass of the daemon: what `apply` does, with nobody to ask, for the zones that are due."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from dnssync import identity
from dnssync.config import Config
from dnssync.core.attention import FAILED
from dnssync.core.backoff import due_zones
from dnssync.core.homes import zones_of
from dnssync.core.model import zone_of
from dnssync.errors import DnssyncError, LockedError, StateError, understood
from dnssync.kept import Kept
from dnssync.lock import hold
from dnssync.merged import merged
from dnssync.new_keys import make_map, recover
from dnssync.not_taken import CONFIGURATION
from dnssync.reconcile import Line
from dnssync.report import Report, said
from dnssync.settled import Settled
from dnssync.state import State
from dnssync.state_rows import ProviderTry, Trouble, ZoneRecord, by_place
from dnssync.under_lock import Passed, passed

log = logging.getLogger("dnssync")
PASS = ("", FAILED, "pass")  # the place of a trouble: the host's own, a pass that came to nothing


class Stopped(Exception):
    """Somebody wants the daemon to end; raised between two steps of a pass, where nothing is half done."""


@dataclass(frozen=True, slots=True)
class PassResult:
    """How a pass went. Without a `report` it came to none, and `error` says why, or no zone was due. `state` is None where it could
    not be opened. `left_out`: zones that failed before and are not due, each with the moment of its next try. `started` and `ended` in
    seconds since 1970. `mark`: the newest event that the pass knew of, or that came of it; a later one is somebody else's. `requests`: what the
    APIs of providers answered, as `Zones.requests` counts it. `settled`: the zones that were found to be as they were left, and of which nothing else was
    looked at; `goes_on`: what was said of them before. `so_far`: where there is an `error`, what was done of the pass before that; None: nothing."""

    config: Config
    state: State | None
    started: int
    ended: int
    report: Report | None = None
    error: DnssyncError | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)
    mark: int | None = None
    requests: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    settled: Mapping[str, Settled] = field(default_factory=dict)
    goes_on: tuple[Trouble, ...] = ()
    so_far: Report | None = None

    @property
    def failed(self) -> bool:
        """Whether the pass, or a zone in it, failed, or a zone that failed before is not due yet."""
        return self.error is not None or bool(self.left_out) or (self.report is not None and self.report.failed)

    @property
    def refused(self) -> bool:
        """Whether the guard held a zone back."""
        return self.report is not None and self.report.refused


After = Callable[[PassResult], None]


def one_pass(
    config: Config,
    open_line: Callable[[Config], Line],
    *,
    now: Callable[[], float],
    wait: float = 0.0,
    at_once: bool = False,
    looking: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
    sleep: Callable[[float], None] = time.sleep,
    kept: Kept | None = None,
) -> PassResult:
    """One pass under the lock. What fails is in the result, and in the state for `status` and alerts.

    `wait`: seconds for whoever holds the lock; raises `LockedError` after that, and where another one keeps it that took it in a pause of this one.
    `at_once`: no zone and no provider is left out for having failed before. `looking` surrounds the part in which nothing is written; `sleep`: what the
    lock is waited for with; `kept`: what earlier passes of this process found, and what this one adds to it. Whatever `Line.progress` raises that is `Stopped` comes through.
    """
    started, state, error = int(now()), None, None
    done = Passed(None)
    parts: list[Report] = []
    left: dict[str, int] = {}
    mark = line = None
    before = 0
    try:
        line = open_line(config)
        state = line.state
        if kept is not None:
            kept.begin(line)
        with hold(config.state_directory / "lock", who="dnssync run", wait=wait, now=now, sleep=sleep) as lock:
            try:
                before = state.last_event()
                left = {} if at_once else _left_out(line)
                recover(line)
                make_map(line)
                done = passed(line, left, looking, lock, kept, parts=parts)
            finally:
                with contextlib.suppress(StateError):
                    mark = state.heard(before)
    except (LockedError, Stopped):
        raise
    except Exception as trouble:
        if not isinstance(trouble, DnssyncError):
            log.debug("what went wrong in a pass", exc_info=True)
        error = understood(trouble)
    if state is not None:
        _note(state, error, int(now()))
    asked = line.zones.requests() if line is not None else {}
    on = _going_on(state, done, config) if state is not None and error is None else ()
    so_far = merged(parts, {}) if error is not None and parts else None
    return PassResult(
        config, state, started, int(now()), done.report, error, left, mark, asked, done.settled, on, so_far
    )


def _going_on(state: State, done: Passed, config: Config) -> tuple[Trouble, ...]:
    """What was said of the zones that are settled, and goes on; where nothing else was looked at, what was said of the host, too."""
    report = done.report
    if report is None or not done.settled:
        return ()
    with contextlib.suppress(StateError):
        rows = [row for row in state.troubles() if row.ended is None and row.place[:3] not in (PASS, CONFIGURATION)]
        told = by_place(said(report))
        return tuple(
            row
            for row in rows
            if row.place not in told
            and (
                row.zone in done.settled
                or (not row.zone and (not report.decision.zones or zone_of(row.subject, config.zones) in done.settled))
            )
        )
    return ()


def _left_out(line: Line) -> dict[str, int]:
    """The zones that failed, are not due yet, and of which no person has said anything since they were looked at. Where that is so of some
    of a zone's providers only, those are `Line.resting`."""
    records, apart = line.state.zones(), line.state.tries()
    tries = {zone: record.next_try for zone, record in records.items()}
    failed = {zone: records[zone].last_pass for zone, at in tries.items() if at}
    failed.update({row.zone: records[row.zone].last_pass for row in apart if row.zone in records})
    heard = set()
    words = line.state.said(min(failed.values())) if failed else ()
    for word in words:
        name = word.domain or word.zone  # neither: it is of the whole host
        about = zones_of(name, line.config.zones)
        for zone, last in failed.items():
            if word.at >= last and (not name or zone in about):
                tries[zone] = None
                heard.add(zone)
    now = int(line.now())
    waits = {(row.zone, row.provider): row for row in apart if row.zone not in heard}
    soon = {*due_zones(waits, {place: row.next_try for place, row in waits.items()}, now)}
    line.resting = {place: row.sentence for place, row in waits.items() if place not in soon}
    due = {*due_zones(line.config.zones, tries, now)}
    return {zone: tries[zone] or 0 for zone in line.config.zones if zone not in due}


def _note(state: State, error: DnssyncError | None, now: int) -> None:
    """Keep for `status` and alerts that the pass came to nothing, or that this is over; on a full disk the log has to do."""
    with contextlib.suppress(StateError):
        if error is None:
            state.over(PASS, now)
        else:
            state.save_troubles((), [Trouble(*PASS, sentence=str(error), since=now)], now)


def tries(result: PassResult) -> dict[str, int]:
    """When zones that failed are tried again, or one of their providers; the soonest first."""
    rows: list[ZoneRecord | ProviderTry] = []
    with contextlib.suppress(StateError):  # the next pass tells
        if result.state is not None and result.failed:
            rows = [*result.state.zones().values(), *result.state.tries()]
    found: dict[str, int] = {}
    for at, zone in sorted((row.next_try, row.zone) for row in rows if row.next_try):
        if zone in result.config.zones:
            found.setdefault(zone, at)
    return found


def shut_out(config: Config, error: LockedError, now: int) -> PassResult:
    """A pass that could not even begin, since another process has held the lock for long: noted like any that comes to nothing."""
    try:
        state = State.open(config.state, host=identity.rows(config.keys))
    except DnssyncError:
        return PassResult(config, None, now, now, error=error)
    _note(state, error, now)
    return PassResult(config, state, now, now, error=error)


def tell(after: list[After], result: PassResult, progress: Callable[[], None] = lambda: None) -> None:
    """Give the result to whoever wants it; what one of them raises is no trouble of the others."""
    for listener in after:
        progress()
        try:
            listener(result)
        except Exception as error:
            log.error(
                "what is told after a pass (%s) failed: %s", getattr(listener, "__name__", listener), understood(error)
            )
