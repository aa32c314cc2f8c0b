"""A mail host with two domains whose zones are kept at the stand-in for Gandi, driven by the daemon and by commands."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dnssync import identity
from dnssync.demo.nameserver import NameServer
from dnssync.state import State
from tests.daemon_process import LIMIT
from tests.exim_host import EximHost
from tests.gandi import Gandi
from tests.http_faults import Fault
from tests.site_under_test import IP, Site, own_state
from tests.stand_in import StandIn

ONE, TWO = "esferas.example", "otra.example"
ONE_BY_ONE = "tests.daemon.one_by_one.Provider"
EXTRA = "ip4:198.51.100.7"  # a term that a test puts into both zones
ROWS = [("@", "MX", 3600, ["10 mx"]), ("@", "A", 3600, [IP]), ("@", "TXT", 3600, ['"site-verification=abc"']), ("mx", "A", 3600, [IP])]  # fmt: skip


class GandiSite(Site):
    """The host; `now` is the clock of the commands that the test runs."""

    def __init__(self, folder: Path, exim: EximHost, gandi: StandIn, server: str) -> None:
        self.folder, self.exim, self._server = folder, exim, server
        self.gandi: Any = gandi  # or another one, in the sites made of this
        self.now = time.time() - 3 * 3600
        self.config = folder / "dnssync.yaml"
        (folder / "token").write_text(gandi.secret + "\n")
        own_state(folder)
        self.configure()

    def configure(
        self, *, interval: str = "15m", extra: tuple[str, ...] = (), one_by_one: bool = False, **more: Any
    ) -> None:
        """The configuration; `extra` are more SPF terms of both zones. `one_by_one`: no two of them are read or written at once."""
        spf = {"spf": {"extra": list(extra)}} if extra else {}
        zone = {"provider": "gandi", "nameservers": [self._server], **spf}
        text = {
            "providers": {
                "gandi": {
                    "class": ONE_BY_ONE if one_by_one else "gandi",
                    "token": f"file/{self.folder}/token",
                    "endpoint": self.gandi.endpoint,
                }
            },
            "zones": {ONE: zone, TWO: zone},
            "defaults": {"dkim": {"algorithms": ["rsa1024", "ed25519"]}},
            "exim": {"command": list(self.exim.command), "map": str(self.exim.map)},
            "addresses": [IP],
            "alerts": {"mail": []},
            "keys": str(self.exim.keys),
            "state": f"sqlite:///{self.folder}/state/state.db",
            "schedule": {"interval": interval, "check": "never"},  # tests of the daily check have their own
            **more,
        }
        self.config.write_text(json.dumps(text))

    def apply(self) -> None:
        """What a person does once: the records and keys of both zones; the keys sign then."""
        code, out = self.run("apply", "--yes", "--wait")
        assert code == 0, out
        self.gandi.settled()

    def hold(self, method: str, zone: str, *, lost: bool = False, **more: Any) -> Fault:
        """Hold the next such request until `release` is set; it is answered then, unless the answer is to be lost."""
        fault = Fault(method, f"^/domains/{zone}/", hang=lost, **more)
        if not lost:
            fault.stranger = partial(_wait, fault)
        self.gandi.faults.append(fault)
        return fault

    @property
    def state(self) -> State:
        """The state, for reading."""
        return State.open(f"sqlite:///{self.folder}/state/state.db", host=identity.rows(self.exim.keys), read_only=True)

    def spf(self, zone: str) -> set[str]:
        """The SPF texts of a zone at Gandi, as TXT and as SPF."""
        stands = self.gandi.values(zone)
        values = [v for kind in ("TXT", "SPF") if ("@", kind) in stands for v in stands["@", kind][1]]
        return {value.decode() for value in values if value.startswith(b"v=spf1 ")}


def _wait(fault: Fault) -> None:
    fault.release.wait(LIMIT)


@contextmanager
def gandi_site(folder: Path) -> Iterator[GandiSite]:
    """Everything running, exim told of dnssync's macros."""
    served = folder / "served"
    served.mkdir()
    with ExitStack() as open_:
        exim = open_.enter_context(EximHost(hostnames=(ONE, TWO)))
        gandi = open_.enter_context(Gandi({ONE: ROWS, TWO: ROWS}, served=served, gapless=False))
        exim.switched()
        server = open_.enter_context(NameServer({zone: served / f"{zone}.zone" for zone in (ONE, TWO)}))
        yield GandiSite(folder, exim, gandi, server.where)


@pytest.fixture
def unapplied(tmp_path: Path) -> Iterator[GandiSite]:
    """Two zones in which dnssync never wrote."""
    with gandi_site(tmp_path) as made:
        yield made


@pytest.fixture
def site(unapplied: GandiSite) -> GandiSite:
    """Two zones that a person has applied; their keys sign."""
    unapplied.apply()
    return unapplied
