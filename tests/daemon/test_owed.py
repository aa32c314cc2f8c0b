"""What OVHcloud was not told to serve: a write that ended before its refresh is ended by a later pass, whatever OVHcloud says of the zone."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from dnssync.core.durations import DAY
from dnssync.demo.nameserver import NameServer
from tests.daemon.gandi_site import EXTRA, ONE, ROWS, GandiSite
from tests.daemon.test_once import passed
from tests.daemon_process import DaemonProcess, until
from tests.exim_host import EximHost
from tests.http_faults import Answer, Fault
from tests.ovh import Ovh
from tests.stand_in import Request

pytestmark = [pytest.mark.exim]


class Serving(Ovh):
    """The stand-in, with a master file of what it serves, for a name server that stands for OVHcloud's. `broken`: the zone has an error."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.broken = False
        super().__init__({ONE: ROWS}, gapless=False)

    def reply(self, request: Request) -> Answer:
        """See `Ovh`. While the zone has an error, a refresh publishes nothing."""
        zone = self.zones[ONE]
        served, zone.errors = zone.served, ["www: bad name"] if self.broken else None
        answer = super().reply(request)
        if self.broken:
            zone.served = served
        self.serve()
        return answer

    def serve(self) -> None:
        """Write the file."""
        head = "$TTL 300\n@ IN SOA ns1.ovh.net. hostmaster.ovh.net. 1 10800 3600 604800 300\n@ IN NS ns1.ovh.net.\n"
        rows = [f"{e.key[0]} {e.ttl or 3600} IN {e.key[1]} {e.target}\n" for e in self.zones[ONE].served.values()]
        fresh = self.file.with_suffix(".new")
        fresh.write_text(head + "".join(rows))
        fresh.replace(self.file)


class OvhSite(GandiSite):
    """The host; its zone is at OVHcloud, which says of it, from `lies` on, that it is served as it is written."""

    def __init__(self, folder: Path, exim: EximHost, ovh: Serving, server: str) -> None:
        self.ovh = ovh
        super().__init__(folder, exim, ovh, server)  # type: ignore[arg-type]

    def configure(self, **more: Any) -> None:
        """See `GandiSite`."""
        super().configure(**more)
        text = json.loads(self.config.read_text())
        text["providers"] = {"ovh": {"class": "ovh", "endpoint": self.ovh.endpoint, **self.ovh.keys}}
        text["zones"] = {ONE: {**text["zones"][ONE], "provider": "ovh"}}
        self.config.write_text(json.dumps(text))

    def lies(self, *faults: Fault) -> None:
        """From now on; and what else goes wrong."""
        deployed = Answer(200, {"isDeployed": True, "errors": None, "warnings": None})
        self.ovh.faults = [*faults, Fault("GET", "status$", answer=deployed, times=10**6)]

    def refreshed(self) -> int:
        """How often the zone was to be served."""
        return self.ovh.calls().count(f"POST /domain/zone/{ONE}/refresh")

    @property
    def stands(self) -> tuple[bool, bool]:
        """Whether the new term is written, and served."""
        values = (self.ovh.values(ONE), self.ovh.served(ONE))
        return (
            EXTRA.encode() in b" ".join(values[0]["@", "TXT"][1]),
            EXTRA.encode() in b" ".join(values[1]["@", "TXT"][1]),
        )


@pytest.fixture
def site(tmp_path: Path) -> Iterator[OvhSite]:
    """A zone that a person has applied."""
    with ExitStack() as open_:
        exim = open_.enter_context(EximHost(hostnames=(ONE,)))
        ovh = open_.enter_context(Serving(tmp_path / "served"))
        ovh.serve()
        exim.switched()
        server = open_.enter_context(NameServer({ONE: ovh.file}))
        made = OvhSite(tmp_path, exim, ovh, server.where)
        made.apply()
        yield made


def ends_well(site: OvhSite) -> None:
    """The write is noted as begun; the next pass that looks at the zone has it served though it is told that it is, and the passes
    after it, quiet ones and one that reads everything, ask for nothing more."""
    assert site.stands == (True, False) and site.state.interrupted(ONE, "ovh")
    before = site.refreshed()
    site.now += DAY
    assert not passed(site).failed
    assert site.stands == (True, True) and not site.state.interrupted(ONE, "ovh")
    assert site.refreshed() == before + 1
    [event] = [event for event in site.state.events() if event.kind == "made_good"]
    assert "OVHcloud (provider ovh) was asked once more to serve" in event.sentence
    for pause in (900, 900, 2 * DAY):
        site.now += pause
        assert not passed(site).failed
    assert site.refreshed() == before + 1


def test_a_refresh_that_fails(site: OvhSite) -> None:
    """The state knows of it, and so does whatever pass comes next."""
    site.configure(extra=(EXTRA,))
    site.lies(Fault("POST", "refresh$", answer=site.ovh.erred()))
    assert passed(site).failed
    ends_well(site)


def test_being_killed_before_the_refresh(site: OvhSite) -> None:
    """A process that dies between its last record and the refresh leaves the same behind."""
    site.configure(extra=(EXTRA,))
    held = Fault("POST", "refresh$", hang=True)
    site.lies(held)
    with DaemonProcess(site.config) as daemon:
        until(lambda: held.struck, daemon.log)
        daemon.send(signal.SIGKILL)
        daemon.process.wait(60)
    held.release.set()
    ends_well(site)


def kinds(site: OvhSite) -> list[str]:
    """What the history has of writes of records and of zones, not of keys."""
    return [event.kind for event in site.state.events() if event.kind in ("by_hand", "create", "made_good", "update")]


def test_a_zone_that_is_not_served(site: OvhSite) -> None:
    """What OVHcloud says it does not serve is no success: the zone has failed in every pass, a person is told OVHcloud's words, the
    ledger does not have it and the history does not grow; once it serves the zone, all is well."""
    site.configure(extra=(EXTRA,))
    site.ovh.broken = True
    events = kinds(site)
    for pause in (900, DAY, DAY):
        site.now += pause
        assert passed(site).failed
        assert site.stands == (True, False) and site.state.interrupted(ONE, "ovh")
        zone = site.state.zone(ONE)
        assert (
            zone is not None
            and "failed" in zone.result
            and "does not serve it as it is written: www: bad name" in zone.result
        )
        assert not [entry for entry in site.state.ledger(ONE) if EXTRA in str(entry.value)]
        assert kinds(site) == events
    assert [
        trouble for trouble in site.state.troubles() if "www: bad name" in trouble.sentence and trouble.ended is None
    ]
    code, out = site.run("status")
    assert code == 1 and "www: bad name" in out
    site.ovh.broken = False
    site.now += DAY
    assert not passed(site).failed
    assert site.stands == (True, True) and not site.state.interrupted(ONE, "ovh")
    assert [entry for entry in site.state.ledger(ONE) if EXTRA in str(entry.value)]
    site.now += 900
    assert not passed(site).failed and kinds(site).count("made_good") == 1


def test_somebody_elses_in_the_same_moment(site: OvhSite) -> None:
    """Where somebody adds an SPF record while ours is replaced, one alone is served when the pass has ended, and at last one with the
    terms of both."""
    theirs = "v=spf1 ip4:203.0.113.9 ~all"
    site.configure(extra=(EXTRA,))
    stranger = Fault("PUT", "record", stranger=lambda: site.ovh.add(ONE, "@", "TXT", 300, f'"{theirs}"'))
    site.ovh.faults = [stranger]
    for pause in (900, DAY, DAY):
        site.now += pause
        passed(site)
        texts = [value.decode() for value in site.ovh.served(ONE)["@", "TXT"][1] if value.startswith(b"v=spf1")]
        assert len(texts) == 1 and stranger.struck == 1 and "ip4:203.0.113.9" in texts[0]
    assert EXTRA in texts[0] and not site.state.interrupted(ONE, "ovh")
