"""When the daemon's next pass is: real passes in this process, with the clock of the test and a scheduler that keeps what is planned."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dnssync import identity
from dnssync.cli.context import Context
from dnssync.cli.daemon import _opener
from dnssync.config import Config, load
from dnssync.daemon import Daemon
from dnssync.lock import hold
from dnssync.notify import Notifier
from dnssync.one_pass import After, PassResult
from dnssync.reconcile import Line
from dnssync.state import State
from tests.daemon.gandi_site import ONE, TWO, GandiSite, unapplied
from tests.daemon.test_once import down

pytestmark = [pytest.mark.exim]
__all__ = ["unapplied"]
MINUTE = 60
NOW = 1_795_478_400.0  # a midnight


class Planned:
    """The daemon of a site. `now` is its clock; `meanwhile` is called when a pass has begun."""

    def __init__(self, site: GandiSite, supervisor: socket.socket, environ: dict[str, str]) -> None:
        self.now, self.meanwhile, self.watching = NOW, lambda: None, lambda: None
        self.ahead = 0.0  # seconds by which the wall clock is ahead of the one that nobody sets
        self._supervisor = supervisor
        opened = _opener(Context(now=self._clock))

        def line(config: Config, **options: Any) -> Line:
            self.meanwhile()
            return opened(config, **options)

        def watch(config: Config) -> State:
            self.watching()
            return State.open(config.state, host=identity.rows(config.keys), read_only=True)

        notifier = Notifier({"NOTIFY_SOCKET": supervisor.getsockname(), **environ})
        self.after: list[After] = []
        self.daemon = Daemon(lambda: load(site.config), line, watch, notifier, after=self.after, now=self._clock, monotonic=lambda: self.now - self.ahead)  # fmt: skip
        self.daemon.config = load(site.config)
        self.daemon._scheduler.start(paused=True)

    def _clock(self) -> float:
        return self.now

    def run(self, after: int = 0) -> str:
        """One pass; what the supervisor is told of it, when it was told `after` times of something else."""
        self.daemon._pass_now()
        for _ in range(after):
            self._supervisor.recv(65536)
        return self._supervisor.recv(65536).decode()

    @property
    def dated(self) -> datetime:
        """The moment of the pass that is planned beside the rhythm."""
        moment: datetime = self.daemon._scheduler.get_job("dated").next_run_time
        return moment

    def at(self, wait: float) -> str:
        """The moment after so many seconds, as the status says it."""
        return datetime.fromtimestamp(self.now + wait, UTC).strftime("%Y-%m-%d %H:%M UTC")


@contextmanager
def planning(site: GandiSite, folder: Path, **environ: str) -> Iterator[Planned]:
    """The daemon, and a supervisor that hears it."""
    scheduler = logging.getLogger("apscheduler")
    level = scheduler.level  # the daemon sets it, in a process that has other tests, too
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(folder / "notify"))
        made = Planned(site, supervisor, environ)
        try:
            yield made
        finally:
            made.daemon._scheduler.shutdown(wait=False)
            scheduler.setLevel(level)


def test_passes_that_fail_as_a_whole(unapplied: GandiSite, tmp_path: Path) -> None:
    """They are tried again after a minute, two, four, …, at most after the interval; after one that works it begins anew."""
    away = unapplied.exim.config.with_suffix(".away")
    with planning(unapplied, tmp_path) as planned:
        for waits in ((1, 2, 4, 8, 15, 15), (1, 2)):
            unapplied.exim.config.rename(away)
            for minutes in waits:
                wait, before = minutes * MINUTE, datetime.now(UTC)
                assert f"Next try: {planned.at(wait)}" in planned.run()
                assert before <= planned.dated - timedelta(seconds=wait) <= datetime.now(UTC)
                planned.now += wait
            away.rename(unapplied.exim.config)
            assert "failed" not in planned.run()
            planned.now += 15 * MINUTE


@pytest.mark.parametrize(("interval", "minutes"), [("1h", 15), ("5m", 5)])
def test_a_zone_that_failed_makes_no_more_passes(
    unapplied: GandiSite, tmp_path: Path, interval: str, minutes: int
) -> None:
    """Its next try waits for the rhythm, however near it is; where the rhythm is slow, for a quarter of an hour."""
    unapplied.configure(interval=interval)
    unapplied.gandi.faults = [down(ONE), down(TWO)]
    with planning(unapplied, tmp_path) as planned:
        assert f"failed: {ONE}, {TWO}" in planned.run()
        tries = [record.next_try for record in unapplied.state.zones().values()]
        assert len(tries) == 2 and None not in tries
        planned.now = min(at for at in tries if at is not None) - MINUTE
        told = planned.run()
        assert "left alone after a failure" in told and f"next look: {planned.at(minutes * MINUTE)}" in told


def test_a_pass_is_asked_for_while_one_is_under_way(unapplied: GandiSite, tmp_path: Path) -> None:
    """It comes at once, though the one under way has planned another moment at its end; nobody asks, and that moment stands."""
    unapplied.exim.config.rename(unapplied.exim.config.with_suffix(".away"))
    with planning(unapplied, tmp_path) as planned:
        planned.meanwhile = planned.daemon._now_then
        planned.run()
        assert planned.dated <= datetime.now(UTC)
        planned.meanwhile = lambda: None
        before = datetime.now(UTC)
        planned.run()
        assert planned.dated >= before + timedelta(seconds=2 * MINUTE)


def test_when_a_key_can_go_on(unapplied: GandiSite, tmp_path: Path) -> None:
    """The daemon comes at the very moment at which a key is to be looked at next, however slow the rhythm is; and where that is now,
    not without a pause. However late the worker is free, that pass is not left out."""
    unapplied.configure(interval="1d")
    unapplied.now = NOW
    code, out = unapplied.run("apply", "--yes")
    assert code == 0, out
    with planning(unapplied, tmp_path) as planned:
        planned.now = NOW + 10
        before = datetime.now(UTC)
        planned.run()
        wait = (planned.dated - before).total_seconds()
        assert 30 < wait < 3 * MINUTE, "the second look at new keys"
        assert planned.daemon._scheduler.get_job("dated").misfire_grace_time is None
        planned.now += int(wait) - 3
        before = datetime.now(UTC)
        planned.run()
        assert planned.dated - before >= timedelta(seconds=9)


def test_one_pass_for_two_jobs(unapplied: GandiSite, tmp_path: Path) -> None:
    """The other job that came while a pass was under way makes no second one, unless somebody asked; a moment later it does."""
    results: list[PassResult] = []
    with planning(unapplied, tmp_path) as planned:
        planned.after.append(results.append)
        for seconds, ask, count in (
            (0, False, 1),
            (0, False, 1),
            (4, False, 1),
            (0, True, 2),
            (0, False, 2),
            (6, False, 3),
        ):
            planned.now += seconds
            if ask:
                planned.daemon._now_then()
            planned.daemon._pass_now()
            assert len(results) == count, (seconds, ask)


def test_another_keeps_the_lock(unapplied: GandiSite, tmp_path: Path) -> None:
    """Once in the interval that is a pass that came to nothing, however often it is tried."""
    results: list[PassResult] = []
    with planning(unapplied, tmp_path) as planned:
        planned.after.append(results.append)
        with hold(tmp_path / "state" / "lock", who="dnssync somebody"):
            for seconds, count in ((5, 0), (15 * MINUTE, 1), (5, 1), (14 * MINUTE, 1), (MINUTE, 2), (5, 2)):
                planned.now += seconds
                planned.daemon._pass_now()
                assert len(results) == count, seconds
        assert all("`dnssync somebody`" in str(result.error) for result in results)
        planned.now += 5
        assert "the last pass failed" not in planned.run(after=2)


def test_a_clock_that_jumped_back(unapplied: GandiSite, tmp_path: Path) -> None:
    """The small job that looks for words and feeds the watchdog, which was planned by the clock as it was, comes as soon as ever, and so
    does a pass; where no clock jumped they are left as they are."""
    with planning(unapplied, tmp_path) as planned:
        daemon = planned.daemon
        late = datetime.now(UTC) + timedelta(days=365)
        for name, job in (("interval", daemon._pass), ("tick", daemon._tick)):
            daemon._scheduler.add_job(job, "interval", id=name, seconds=900, next_run_time=late)
        daemon._look_at_clock()
        assert daemon._scheduler.get_job("tick").next_run_time == late
        planned.ahead -= 365 * 86400
        daemon._look_at_clock()
        soon = datetime.now(UTC)
        assert daemon._scheduler.get_job("tick").next_run_time <= soon + timedelta(seconds=5)
        assert daemon._scheduler.get_job("interval").next_run_time <= soon + timedelta(minutes=15)
        assert planned.dated <= soon


def test_the_rhythm_is_read_again(unapplied: GandiSite, tmp_path: Path) -> None:
    """A new interval holds from the reload on; a configuration that breaks a plug-in is not taken, whatever that raises."""

    def broken() -> None:
        raise RuntimeError("a plug-in's own fault")

    with planning(unapplied, tmp_path) as planned:
        daemon = planned.daemon
        daemon._scheduler.add_job(daemon._pass, "interval", id="interval", seconds=900)
        unapplied.configure(interval="5m")
        daemon._reload()
        assert daemon._scheduler.get_job("interval").trigger.interval == timedelta(minutes=5)
        unapplied.configure(interval="7m")
        planned.meanwhile = broken
        daemon._reload()
        assert daemon.config.schedule.interval == 5 * MINUTE
        assert daemon._scheduler.get_job("interval").trigger.interval == timedelta(minutes=5)


def test_whatever_goes_wrong_the_daemon_goes_on(unapplied: GandiSite, tmp_path: Path) -> None:
    """A fault of its own is told, and another pass comes after a minute."""

    def broken() -> None:
        raise RuntimeError("a fault")

    with planning(unapplied, tmp_path) as planned:
        planned.watching = broken
        before = datetime.now(UTC)
        planned.daemon._pass_now()
        assert timedelta(seconds=MINUTE - 1) <= planned.dated - before <= timedelta(seconds=2 * MINUTE)


def test_who_is_told_feeds_the_watchdog(unapplied: GandiSite, tmp_path: Path) -> None:
    """A mail server that takes its minute is progress, too: before each that is told of a pass the supervisor hears that it moves."""
    heard: list[bytes] = []
    with planning(unapplied, tmp_path, WATCHDOG_USEC="60000000") as planned:
        supervisor = planned._supervisor
        supervisor.setblocking(False)

        def drained(result: PassResult) -> None:
            heard.clear()
            with suppress(BlockingIOError):
                while True:
                    heard.append(supervisor.recv(65536))

        planned.after += [drained, drained]
        planned.daemon._pass_now()
    assert heard == [b"WATCHDOG=1"]
