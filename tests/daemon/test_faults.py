"""What goes wrong around a daemon that runs for years: each time it goes on, tells it, and is right again once it is over."""

from __future__ import annotations

import contextlib
import resource
import signal
import sqlite3
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from dnssync.core.durations import DAY
from dnssync.lock import hold
from tests.daemon import shifted
from tests.daemon.gandi_site import EXTRA, ONE, TWO, GandiSite, site, unapplied
from tests.daemon_process import DaemonProcess, until
from tests.gandi_faults import ERRED
from tests.http_faults import Answer, Fault
from tests.test_state import V1_KEYS, V2_ZONES

pytestmark = [pytest.mark.exim]
__all__ = ["site", "unapplied"]


def _told_of(site: GandiSite, jump: float) -> bool:
    """Whether a pass has noted a clock that is off by so much."""
    kept = site.state.clock()
    return kept is not None and abs(kept.wall - time.time() - jump) < DAY


def of_version_1(file: Path) -> None:
    """Make a state of today one as the first version left it; what that did not know of is gone."""
    with contextlib.closing(sqlite3.connect(file)) as database:
        for table, made in (("keys", V1_KEYS), ("zones", V2_ZONES)):
            database.execute(f"alter table {table} rename to today")
            database.execute(made)
            names = ", ".join(row[1] for row in database.execute(f"pragma table_info({table})"))
            database.execute(f"insert into {table} select {names} from today")
            database.execute("drop table today")
        for table in ("clocks", "troubles", "tries"):
            database.execute(f"drop table {table}")
        database.execute("update meta set value = '1' where name = 'schema'")
        database.commit()


class TestPersons:
    def test_first_records_are_theirs(self, unapplied: GandiSite) -> None:
        """A zone in which nobody applied stays as it is, and is told of with the remedy; after an `apply` the daemon goes on."""
        before = {zone: unapplied.gandi.values(zone) for zone in (ONE, TWO)}
        with DaemonProcess(unapplied.config) as daemon:
            assert "0 domains in order; refused: esferas.example, otra.example" in daemon.status("refused")
            daemon.logged(f"dnssync apply {ONE}")
            assert {zone: unapplied.gandi.values(zone) for zone in (ONE, TWO)} == before
            code, out = unapplied.run("status")
            assert code == 1 and f"dnssync apply {ONE}" in " ".join(out.split()).replace(
                f"-c {unapplied.config} ", ""
            ), out
            at = len(daemon.messages)
            unapplied.now = time.time()
            code, out = unapplied.run("apply", "--yes")
            assert code == 0, out
            assert "refused" not in daemon.status("2 domains in order", at)

    def test_a_word_is_honoured_at_once(self, site: GandiSite) -> None:
        """While a domain is frozen its records stay as somebody else left them; thawed, they are put right at once."""
        with DaemonProcess(site.config) as daemon:
            daemon.status("2 domains in order")
            site.now = time.time()
            assert site.run("freeze", ONE)[0] == 0
            daemon.logged("a pass follows")
            at = len(daemon.messages)
            site.gandi.put(ONE, "_dmarc", "TXT", 3600, [])
            assert site.run("confirm", "narrow", ONE)[0] == 0
            daemon.status("in order", at)
            assert ("_dmarc", "TXT") not in site.gandi.values(ONE)
            assert site.run("freeze", "--off", ONE)[0] == 0
            until(lambda: ("_dmarc", "TXT") in site.gandi.values(ONE), daemon.log)

    def test_a_word_in_the_middle_of_a_pass(self, site: GandiSite) -> None:
        """What is said while a pass is stuck is kept at once and waits for nobody; that pass knew nothing of it, and another follows."""
        held, site.patience = site.hold("GET", ONE), 0
        with DaemonProcess(site.config) as daemon:
            until(lambda: held.struck)
            site.now = time.time()
            code, out = site.run("rotate", "--emergency", "--yes", ONE)
            assert code == 1 and "is noted" in out and "`dnssync run`" in " ".join(out.split()), out
            assert site.run("freeze", TWO)[0] == 0
            assert not held.release.is_set()
            site.gandi.faults = []
            held.release.set()
            daemon.logged("a pass follows")
            daemon.logged(f"notice=key_compromised {ONE}: ")
            until(lambda: any(row.reason == "frozen" for row in site.state.troubles()))
            assert {key.domain for key in site.state.keys() if key.compromised is not None} == {ONE}

    def test_the_brake_works_at_once(self, site: GandiSite) -> None:
        """What is frozen while a pass writes elsewhere is not written by that pass any more, nor by the next, which follows at once."""
        site.configure(extra=(EXTRA,), one_by_one=True)  # of two that are written at once, neither is elsewhere
        held = site.hold("POST|PUT|PATCH|DELETE", "[^/]*")
        with DaemonProcess(site.config) as daemon:
            until(lambda: held.struck)
            site.now = time.time()
            first, second = (ONE, TWO) if f"/{ONE}/" in site.gandi.requests[-1].path else (TWO, ONE)
            assert site.run("freeze", second)[0] == 0
            site.gandi.faults = []
            held.release.set()
            daemon.logged("refused=frozen_meanwhile")
            daemon.logged("a pass follows")
            daemon.logged("refused=frozen_meanwhile is over")
            assert any(EXTRA in text for text in site.spf(first)) and not any(
                EXTRA in text for text in site.spf(second)
            )
            at = len(daemon.messages)
            assert site.run("freeze", "--off", second)[0] == 0
            daemon.status("2 domains in order", at)
            until(lambda: all(any(EXTRA in text for text in site.spf(zone)) for zone in (ONE, TWO)), daemon.log)

    def test_status_and_plan_wait_for_nobody(self, site: GandiSite) -> None:
        """While a pass is under way, `status` and `plan` answer all the same."""
        held = site.hold("GET", ONE)
        with DaemonProcess(site.config) as daemon:
            until(lambda: held.struck)
            site.now = time.time()
            assert site.run("status")[0] == 0
            assert site.run("plan")[0] in (0, 2)
            with contextlib.closing(
                sqlite3.connect(site.folder / "state" / "state.db", isolation_level=None)
            ) as writer:
                writer.execute("begin immediate")
                writer.execute("update zones set last_pass = last_pass + 1")
                assert site.run("status")[0] == 0
                writer.execute("rollback")
            assert not held.release.is_set() and daemon.process.poll() is None
            held.release.set()
            daemon.status("2 domains in order")

    def test_another_holds_the_lock(self, site: GandiSite) -> None:
        """A pass waits for no lock: who holds it is told, and it is tried again soon."""
        with ExitStack() as locked:
            locked.enter_context(hold(site.folder / "state" / "lock", who="dnssync somebody"))
            with DaemonProcess(site.config) as daemon:
                daemon.wait("READY=1")
                daemon.logged("`dnssync somebody`")
                locked.close()
                daemon.status("2 domains in order")

    def test_another_holds_the_lock_for_long(self, site: GandiSite) -> None:
        """Once that lasts longer than the rhythm, it is a pass that came to nothing, for the supervisor, `status` and alerts."""
        site.configure(interval="6s")
        with ExitStack() as locked:
            locked.enter_context(hold(site.folder / "state" / "lock", who="dnssync somebody"))
            with DaemonProcess(site.config) as daemon:
                assert "`dnssync somebody`" in daemon.status("the last pass failed: ")
                until(lambda: any(row.reason == "pass" and row.ended is None for row in site.state.troubles()))
                at = len(daemon.messages)
                locked.close()
                daemon.status("2 domains in order", at)
                assert not [row for row in site.state.troubles() if row.reason == "pass" and row.ended is None]


class TestProviders:
    def test_one_that_wants_a_pause(self, site: GandiSite) -> None:
        """While a provider that has too many requests is waited for, nobody waits for the daemon; it looks anew at what was changed then."""
        site.patience, site.now = 0, time.time()
        site.configure(extra=(EXTRA,))
        busy = Fault("GET", f"^/domains/{TWO}/", Answer(429, ERRED, headers={"Retry-After": "8"}), times=1)
        site.gandi.faults.append(busy)
        with DaemonProcess(site.config) as daemon:
            until(lambda: busy.struck)
            code, out = site.run("apply", "--yes", ONE)  # which the daemon had read already
            assert code == 0 and any(EXTRA in text for text in site.spf(ONE)), out
            assert not any(EXTRA in text for text in site.spf(TWO)), "the daemon did not wait"
            daemon.status("2 domains in order")
            assert any(EXTRA in text for text in site.spf(TWO))
            assert "failed" not in daemon.log() and "refused" not in daemon.log()

    def test_one_zone_fails_and_the_other_goes_on(self, site: GandiSite) -> None:
        """A zone whose provider is down is left alone for a while, the other is kept right; `apply` does not wait for that while."""
        site.configure(extra=(EXTRA,))
        fault = Fault(path=f"^/domains/{ONE}/", answer=Answer(500, ERRED), times=10**6)
        site.gandi.faults = [fault]
        with DaemonProcess(site.config) as daemon:
            assert "1 domain in order; failed: esferas.example" in daemon.status("failed")
            assert any(EXTRA in text for text in site.spf(TWO)) and not any(EXTRA in text for text in site.spf(ONE))
            record = site.state.zones()[ONE]
            assert record.failures == 1 and record.next_try is not None and record.next_try > record.last_pass
            asked = fault.struck
            at = len(daemon.messages)
            site.now = time.time()
            assert site.run("confirm", "narrow", TWO)[0] == 0
            assert "left alone after a failure: esferas.example" in daemon.status("1 domain in order", at)
            assert f"zone={ONE} failed=" in daemon.log() and "is over" not in daemon.log()
            assert fault.struck == asked
            site.gandi.faults = []
            at = len(daemon.messages)
            code, out = site.run("apply", "--yes", ONE)
            assert code == 0, out
            assert any(EXTRA in text for text in site.spf(ONE)) and site.state.zones()[ONE].failures == 0
            assert "left alone" not in daemon.status("2 domains in order", at)
            daemon.logged("is over", 1)

    def test_a_provider_that_hangs_starves_the_watchdog(self, site: GandiSite) -> None:
        """The watchdog is fed by each step of a pass, and by a worker that is free; by nothing while a provider does not answer."""
        first, second = site.hold("GET", ONE), site.hold("GET", TWO)
        with DaemonProcess(site.config, watchdog=0.8) as daemon:
            fed = lambda: sum("WATCHDOG" in message for message in daemon.messages)  # noqa: E731
            until(lambda: first.struck)
            time.sleep(0.5)  # what was sent before it hung has come
            before = fed()
            time.sleep(2)
            assert fed() == before, "fed while the provider hangs"
            first.release.set()
            until(lambda: second.struck)
            until(lambda: fed() > before, limit=30)  # by the steps between the two; in a minute dnssync would give up
            second.release.set()
            daemon.status("2 domains in order")
            idle = fed()
            until(lambda: fed() > idle + 3, limit=40)  # after a minute another pass would do so


class TestHost:
    def test_exim_gone_and_back(self, site: GandiSite) -> None:
        """Without exim no pass comes to anything: told in the status line and by `status`; nothing in DNS or in the map moves."""
        site.configure(interval="1s", extra=(EXTRA,))
        lines = site.exim.map.read_text()
        away = site.exim.config.with_suffix(".away")
        site.exim.config.rename(away)
        with DaemonProcess(site.config) as daemon:
            daemon.status("the last pass failed: ")
            site.now = time.time()
            code, out = site.run("status")
            assert code == 1 and "exim" in out, out
            assert not any(EXTRA in text for text in site.spf(ONE)) and site.exim.map.read_text() == lines
            away.rename(site.exim.config)
            daemon.status("2 domains in order")
            daemon.logged("passes work again")
            assert any(EXTRA in text for text in site.spf(ONE)) and site.exim.map.read_text() == lines
            assert site.run("status")[0] == 0

    def test_disk_full(self, site: GandiSite) -> None:
        """Where nothing can be written, the daemon says so and goes on; with room again all is as it should be."""
        with DaemonProcess(site.config) as daemon:
            daemon.status("2 domains in order")
            site.configure(interval="1s", extra=(EXTRA,))
            hard = resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE)[1]
            resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (0, hard))
            at = daemon.send(signal.SIGHUP)
            told = daemon.status("the last pass failed: ", at)
            assert "fault of dnssync" not in told and not any(EXTRA in text for text in site.spf(ONE)), told
            resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
            at = len(daemon.messages)
            daemon.status("2 domains in order", at)
            until(lambda: any(EXTRA in text for text in site.spf(ONE)))
            assert daemon.end() == 0
            assert not site.state.unfinished(ONE)

    def test_a_state_that_cannot_be_opened(self, site: GandiSite) -> None:
        """It starts even so and says what is wrong, so that somebody is told in time; with the state back, passes work again."""
        site.configure(interval="1s")
        file = site.folder / "state" / "state.db"
        away = file.with_suffix(".away")
        file.rename(away)
        file.write_bytes(b"this is no database" * 100)
        with DaemonProcess(site.config) as daemon:
            daemon.wait("READY=1")
            assert "state" in daemon.status("the last pass failed: ")
            away.replace(file)
            daemon.status("2 domains in order")

    def test_a_state_of_an_older_version(self, site: GandiSite) -> None:
        """The first pass brings it up to date, and the keys in it sign on."""
        before = {key.selector for key in site.state.keys()}
        of_version_1(site.folder / "state" / "state.db")
        with DaemonProcess(site.config) as daemon:
            daemon.status("2 domains in order")
            assert {key.selector for key in site.state.keys()} == before and site.state.clock() is not None
            assert site.state.zones()[ONE].result == "ok" and site.state.zones()[ONE].failures == 0

    def test_the_clock_jumps(self, site: GandiSite, tmp_path: Path) -> None:
        """A clock that goes back by a year, and on again, stops no pass, though a job that lies a year ahead would never come; it ends no key."""
        clock = tmp_path / "clock"
        shifted.shift(clock, 0)
        with DaemonProcess(site.config, environ={shifted.FILE: str(clock)}, main=shifted.MAIN) as daemon:
            daemon.status("2 domains in order")
            for number, jump in enumerate((-365 * DAY, 0, 365 * DAY), 1):
                shifted.shift(clock, jump)
                daemon.logged("clock has jumped", number)
                until(partial(_told_of, site, jump), daemon.log)
                daemon.status("2 domains in order; 1 notice for a person", len(daemon.messages) - 1)
                daemon.logged("notice=clock")
            assert ONE in site.exim.map.read_text() and TWO in site.exim.map.read_text()
            assert not [key for key in site.state.keys() if key.retired is not None]
            at, site.now = len(daemon.messages), time.time() + 365 * DAY
            assert site.run("confirm", "clock")[0] == 0
            daemon.status("2 domains in order", at)
            daemon.logged("notice=clock is over")
