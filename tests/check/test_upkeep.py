"""dnssync's own work: each check in a world where it fires, and in the nearest where it does not."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dnssync.check.facts import ZonePass
from dnssync.core.clock import Reading, judge
from dnssync.core.host import Host, MailDomain
from tests.check.world import NOW, World
from tests.zonetext import host as told_host

DAY = 86400
SPF = '@ TXT "v=spf1 ip4:192.0.2.1 -all"\n@ SPF "v=spf1 ip4:192.0.2.1 -all"\n'
DMARC = '_dmarc TXT "v=DMARC1; p=none; rua=mailto:postmaster@right.test"\n'
ZONES = {"right.test": "mx A 192.0.2.1\n", "wrong.test": "mx A 192.0.2.1\n"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for the worlds of this module that start no name server."""
    return tmp_path_factory.mktemp("worlds")


def still(folder: Path, **more: object) -> World:
    """A world of which nothing is asked over DNS."""
    return World(folder, ZONES, **more)  # type: ignore[arg-type]


def jumped(by: int) -> dict[str, object]:
    """What a pass saw of a clock that was moved by so many seconds since the last one, ten minutes ago."""
    last = Reading(NOW - 600, 1000.0, "one")
    return {"clock": judge(last, Reading(NOW + by, 1600.0, "one"), 3900)}


@pytest.mark.parametrize(("disciplined", "severity"), [(True, "ok"), (False, "warning"), (None, "unknown")])
def test_a_clock_that_nobody_keeps_right(folder: Path, disciplined: bool | None, severity: str) -> None:
    """CLOCK-01: NTP or none; where the kernel does not tell, nobody knows."""
    sources = {"disciplined": lambda: disciplined, "run": no_systemd}
    assert still(folder, sources=sources).severities("CLOCK-01") == [severity]


def no_systemd(argv: list[str], **_: object) -> None:
    """A host without timedatectl."""
    raise FileNotFoundError(2, "No such file or directory", argv[0])


@pytest.mark.parametrize(
    ("code", "text", "severity"),
    [(0, "yes\n", "ok"), (0, "no\n", "warning"), (1, "yes\n", "unknown"), (0, "n/a\n", "unknown")],
)
def test_a_clock_that_the_daemon_may_not_ask_for(folder: Path, code: int, text: str, severity: str) -> None:
    """CLOCK-01: where the kernel may not be asked, as under the unit's ProtectClock=, systemd is."""

    def run(argv: list[str], **_: object) -> object:
        return subprocess.CompletedProcess(argv, code, text, "")

    sources = {"disciplined": lambda: None, "run": run}
    assert still(folder, sources=sources).severities("CLOCK-01") == [severity]


def test_a_clock_that_jumped(folder: Path) -> None:
    """CLOCK-01: a day is an error, with what is held back for it; a second is none."""
    calm = still(folder, sources={"disciplined": lambda: True}, observed=jumped(1))
    wild = still(folder, sources={"disciplined": lambda: True}, observed=jumped(DAY))
    assert calm.severities("CLOCK-01") == ["ok"]
    [found] = wild.findings("CLOCK-01")
    assert str(found.severity) == "error"
    assert found.message.startswith("This host's clock jumped forward by 1 d") and "confirm clock" in found.remedy


def test_a_clock_that_jumped_and_that_nobody_keeps_right(folder: Path) -> None:
    """CLOCK-01: what the pass saw is told, also where the kernel does not tell the rest."""
    world = still(folder, sources={"disciplined": lambda: None, "run": no_systemd}, observed=jumped(-DAY))
    assert world.severities("CLOCK-01") == ["error", "unknown"]


def test_keys_that_nobody_here_made(folder: Path) -> None:
    """STATE-01: the zone that holds them, and no other."""
    world = still(folder, observed={"unknown": {"wrong.test": ("20260101r-mx1-7f3a._domainkey",)}})
    found = {finding.subject: finding for finding in world.findings("STATE-01")}
    assert {name: str(one.severity) for name, one in found.items()} == {"right.test": "ok", "wrong.test": "error"}
    assert "20260101r-mx1-7f3a._domainkey" in found["wrong.test"].message and "mx1" in found["wrong.test"].message
    assert "dnssync confirm unknown wrong.test" in found["wrong.test"].remedy


def test_without_exim_nothing_is_known_of_keys(folder: Path) -> None:
    """STATE-01 and SYNC-01 are unknown where exim cannot be asked, with the reason; SYNC-02 needs no exim."""
    passes = {zone: ZonePass(NOW - 60) for zone in ZONES}
    world = still(folder, facts={"seen": None, "decision": None, "trouble": "exim is not here"}, passes=passes)
    for check in ("STATE-01", "SYNC-01"):
        assert [str(severity) for severity, _ in world.said(check)] == ["unknown", "unknown"]
        assert all("exim is not here" in message for _, message in world.said(check))
    assert world.severities("SYNC-02") == ["ok", "ok"]


@pytest.fixture
def settled(folder: Path) -> Iterator[dict[str, str]]:
    """Zones that hold what dnssync wants of domains without keys: the second one lacks its DMARC record."""
    spf = SPF
    yield {"right.test": f"{spf}{DMARC}mx A 192.0.2.1\n", "wrong.test": f"{spf}mx A 192.0.2.1\n"}


def unsigned(*names: str) -> Host:
    """A host whose mail nothing signs, so that no key is wanted."""
    told = told_host(*names)
    return Host(
        "mx.elsewhere.test", told.version, told.config_file, (),
        tuple(MailDomain(m.name, addresses=m.addresses, accepts=m.accepts) for m in told.domains),
    )  # fmt: skip


def test_what_apply_would_do(folder: Path, settled: dict[str, str]) -> None:
    """SYNC-01: a record that is wanted and not there, by name; where all is there, nothing."""
    world = World(folder, settled, host=unsigned(*settled))
    found = {finding.subject: finding for finding in world.findings("SYNC-01")}
    assert str(found["right.test"].severity) == "ok", found["right.test"].message
    assert str(found["wrong.test"].severity) == "warning"
    assert "_dmarc.wrong.test TXT" in found["wrong.test"].message and found["wrong.test"].fixable
    assert "dnssync apply" in found["wrong.test"].remedy


def test_a_zone_that_could_not_be_read(folder: Path, settled: dict[str, str]) -> None:
    """SYNC-01 is unknown for a zone whose provider did not answer, with what was said."""
    world = World(folder, settled, host=unsigned(*settled))
    seen = world.facts().seen
    assert seen is not None
    views = tuple(
        replace(v, problem="none: nobody answers.", found={}) if v.zone == "right.test" else v for v in seen.zones
    )
    again = World(folder, settled, host=unsigned(*settled), observed={"zones": views})
    [(severity, message)] = again.said("SYNC-01", "right.test")
    assert str(severity) == "unknown" and "nobody answers" in message


@pytest.mark.parametrize(
    ("record", "severity", "word"),
    [
        (ZonePass(NOW - 2 * 900 - 3600), "ok", "recent"),
        (ZonePass(NOW - 2 * 900 - 3601), "warning", "1 hour"),
        (ZonePass(NOW - 3 * DAY), "warning", "3 days"),
        (ZonePass(NOW - 3 * DAY, failures=4), "warning", "4 have failed"),
        (ZonePass(), "warning", "No pass has looked"),
        (ZonePass(NOW + 50), "ok", "recent"),
    ],
)
def test_a_pass_that_is_late(folder: Path, record: ZonePass, severity: str, word: str) -> None:
    """SYNC-02: two intervals and an hour are waited; what was never looked at is told in its own words."""
    world = still(folder, passes={"right.test": ZonePass(NOW - 60), "wrong.test": record})
    assert world.severities("SYNC-02", "right.test") == ["ok"]
    [(found, message)] = world.said("SYNC-02", "wrong.test")
    assert (str(found), word in message) == (severity, True), message
