"""A mail host whose whole set-up is checked: a real exim, its zone and its address's reverse zone on a real BIND, a clock of the test."""

from __future__ import annotations

import errno
import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dnssync import assemble
from dnssync.check import gather
from dnssync.check.gather import Sources
from dnssync.config import Config, load
from dnssync.reconcile import Line
from dnssync.resolver import Resolver
from tests.bind import Bind
from tests.exim_host import EximHost
from tests.site_under_test import DOMAIN, IP, ZONE, Site

HOST = f"mx.{DOMAIN}"  # exim has it as a mail domain, too


class CheckSite(Site):
    """The host; foreign names are asked of its own BIND too, so that nothing leaves this machine."""

    exchanger: tuple[str, int] | None = None

    def check(self, *args: str) -> tuple[int, str]:
        """`dnssync check`, its exit code and what it printed."""
        return self.run("check", *args, make_line=self.line, make_sources=self.sources)

    def found(self, *args: str) -> dict[str, Any]:
        """The JSON document of `dnssync check --json`."""
        _, out = self.check("--json", *args)
        data: dict[str, Any] = json.loads(out[out.index("{") :])
        return data

    def sources(self, line: Line) -> Sources:
        """Where a check looks: no other machine is there to talk to, and a talk with the mail exchanger is one with `exchanger` (host, port)."""

        def connect(address: str, port: int, timeout: float) -> socket.socket:
            if self.exchanger is None or (address, port) != (IP, 25):
                raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
            return socket.create_connection(self.exchanger, timeout=timeout)

        return replace(gather.sources(line), connect=connect)

    def line(self, config: Config, **options: Any) -> Line:
        """The parts of a pass."""
        line = assemble.line(config, **{"environ": {}, "now": lambda: self.now, **options})
        zones = dict.fromkeys(config.zones, (self.bind.server,))
        line.resolver = Resolver(zones, system=[self.bind.server], timeout=2)
        return line

    def loaded(self) -> Config:
        """Its configuration, as the daemon reads it."""
        return load(self.config)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[CheckSite]:
    """Everything running, exim told of dnssync's macros."""
    zones = {DOMAIN: ZONE, "example": "@ A 192.0.2.1\n", "91.101.46.in-addr.arpa": f"82 PTR {HOST}.\n"}
    with EximHost(hostname=HOST, hostnames=(DOMAIN,)) as exim, Bind(tmp_path / "bind", zones) as bind:
        exim.switched()
        yield CheckSite(tmp_path, exim, bind)
