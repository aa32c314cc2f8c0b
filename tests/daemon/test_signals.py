"""Signals at the worst moments: while a provider holds an answer, in the middle of a write, with a configuration that is wrong."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from dnssync.not_taken import CONFIGURATION
from dnssync.state_rows import Trouble
from tests.daemon import hooked
from tests.daemon.gandi_site import EXTRA, ONE, TWO, GandiSite, site, unapplied
from tests.daemon_process import DaemonProcess, until

pytestmark = [pytest.mark.exim]
__all__ = ["site", "unapplied"]


def written(site: GandiSite) -> set[str]:
    """The zones in whose SPF the new term stands."""
    return {zone for zone in (ONE, TWO) if any(EXTRA in text for text in site.spf(zone))}


def noted(site: GandiSite) -> set[str]:
    """The zones in whose ledger it stands."""
    return {entry.zone for entry in site.state.ledger() if EXTRA in entry.value}


def refused(site: GandiSite) -> Trouble | None:
    """What the state holds of a configuration that was not taken."""
    return next((row for row in site.state.troubles() if row.place[:3] == CONFIGURATION and row.ended is None), None)


def right(site: GandiSite) -> None:
    """All is as it should be, and nobody has anything left to do."""
    until(lambda: {len(site.spf(zone)) for zone in (ONE, TWO)} == {1})
    assert written(site) == noted(site) == {ONE, TWO}
    assert not site.state.unfinished(ONE) and not site.state.unfinished(TWO)
    _, out = site.run("plan", "--json")
    changes = [c for zone in json.loads(out)["zones"] for c in zone["changes"]]
    assert not [c for c in changes if c["type"] == "SPF" or c["name"] in ("", "_dmarc")], out
    assert "site-verification=abc" in str(site.gandi.values(ONE)["@", "TXT"])


def test_sigterm_in_the_middle_of_a_write(site: GandiSite) -> None:
    """The zone at hand is written to its end and noted, the next is not begun; the next run does the rest."""
    site.configure(extra=(EXTRA,), one_by_one=True)
    held = site.hold("POST|PUT|PATCH|DELETE", "[^/]*")
    with DaemonProcess(site.config) as daemon:
        until(lambda: held.struck)
        at = daemon.send(signal.SIGTERM)
        daemon.wait("STOPPING=1", at)
        assert daemon.process.poll() is None, "it ended with a write under way"
        site.gandi.faults = []
        held.release.set()
        assert daemon.process.wait(60) == 0
        assert len(written(site)) == 1 and written(site) == noted(site), daemon.log()
        daemon.start()
        daemon.status("2 domains in order", len(daemon.messages))
        right(site)
        assert daemon.end() == 0


def test_sigterm_while_it_only_looks(site: GandiSite) -> None:
    """Where nothing is being written, nobody waits for a provider that does not answer."""
    held = site.hold("GET", ONE)
    with DaemonProcess(site.config) as daemon:
        until(lambda: held.struck)
        assert daemon.end() == 0
        assert not held.release.is_set() and "between two steps" not in daemon.log()
        site.gandi.faults = []
        held.release.set()
        daemon.start()
        daemon.status("2 domains in order", len(daemon.messages))


@pytest.mark.parametrize("commits", [True, False])
def test_sigkill_in_the_middle_of_a_write(site: GandiSite, commits: bool) -> None:
    """Killed while Gandi had done, or had not done, what was asked: the next run ends right."""
    site.configure(extra=(EXTRA,), one_by_one=True)
    held = site.hold("POST|PUT|PATCH|DELETE", "[^/]*", lost=True, commits=commits)
    with DaemonProcess(site.config) as daemon:
        until(lambda: held.struck)
        daemon.process.kill()
        assert daemon.process.wait(60) == -signal.SIGKILL
        site.gandi.faults = []
        held.release.set()
        assert noted(site) == set()
        daemon.start()
        daemon.status("2 domains in order", len(daemon.messages))
        right(site)


def test_sighup_with_a_good_configuration(site: GandiSite) -> None:
    """What was edited takes effect at once, and the supervisor is told of the reload as it asks for."""
    with DaemonProcess(site.config) as daemon:
        daemon.status("2 domains in order")
        site.configure(extra=(EXTRA,))
        at = daemon.send(signal.SIGHUP)
        assert daemon.wait("RELOADING=1", at)["MONOTONIC_USEC"].isdecimal()
        daemon.wait("READY=1", at)
        until(lambda: written(site) == noted(site) == {ONE, TWO}, daemon.log)
        assert daemon.end() == 0
        right(site)


@pytest.mark.parametrize("text", ["zones: [", "zones: {esferas.example: {provider: nobody}}", None])
def test_sighup_with_a_bad_configuration(site: GandiSite, text: str | None) -> None:
    """One that is wrong, or not there, is told of, on the status line too, and the one before it stays in force."""
    with DaemonProcess(site.config) as daemon:
        daemon.status("2 domains in order")
        site.config.unlink()
        if text is not None:
            site.config.write_text(text)
        at = daemon.send(signal.SIGHUP)
        assert "the new configuration is not taken" in daemon.wait("READY=1", at)["STATUS"]
        daemon.logged("the one before it stays in force")
        until(lambda: refused(site))
        since = refused(site)
        assert since is not None and "`systemctl reload dnssync`" in since.sentence
        site.configure()
        site.gandi.put(ONE, "@", "SPF", 3600, [])
        assert site.run("confirm", "narrow", ONE)[0] == 0
        assert daemon.status("2 domains in order", at).startswith("the new configuration is not taken")
        until(lambda: ("@", "SPF") in site.gandi.values(ONE))
        site.now = time.time()
        assert site.run("run", "--once")[0] == 0  # a pass that knows nothing of it, and waits for the daemon's to end
        assert refused(site) == since
        at = daemon.send(signal.SIGHUP)
        assert daemon.wait("READY=1", at)["STATUS"].startswith("2 domains in order")
        until(lambda: refused(site) is None, limit=60)


def test_a_start_ends_what_was_not_taken(site: GandiSite) -> None:
    """Whoever begins has a good configuration: what another process refused before is over."""
    good = site.config.read_text()
    with DaemonProcess(site.config) as daemon:
        daemon.status("2 domains in order")
        site.config.write_text("zones: [")
        daemon.send(signal.SIGHUP)
        until(lambda: refused(site))
        site.config.write_text(good)
        assert daemon.end() == 0
        assert refused(site)
        at = len(daemon.messages)
        daemon.start()
        daemon.status("2 domains in order", at)
        until(lambda: refused(site) is None, limit=60)


def test_sighup_while_a_pass_is_under_way(site: GandiSite) -> None:
    """The pass goes on with what it began with, and another follows with the new configuration."""
    held = site.hold("GET", ONE)
    with DaemonProcess(site.config) as daemon:
        until(lambda: held.struck)
        site.configure(extra=(EXTRA,))
        at = daemon.send(signal.SIGHUP)
        daemon.wait("READY=1", at)
        site.gandi.faults = []
        held.release.set()
        until(lambda: written(site) == noted(site) == {ONE, TWO}, daemon.log)


def test_sigterm_between_a_pass_and_the_next(site: GandiSite, tmp_path: Path) -> None:
    """What is told after a pass comes to its end, whatever one listener raises, and nothing waits for itself while the next pass is planned."""
    with DaemonProcess(site.config, environ={hooked.FOLDER: str(tmp_path)}, main=hooked.MAIN) as daemon:
        until((tmp_path / "began").exists)
        daemon.logged("ZeroDivisionError")
        at = daemon.send(signal.SIGTERM)
        daemon.wait("STOPPING=1", at)
        (tmp_path / "go on").touch()
        assert daemon.process.wait(60) == 0
        assert (tmp_path / "began").read_text() == "2 zones of 2"
