"""A mail host and its name server, driven through the command line: real exim, real BIND, a clock of the test."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dnssync.cli import run
from dnssync.cli.context import Context
from tests.bind import Bind
from tests.exim_host import EximHost

DOMAIN = "esferas.example"
IP = "46.101.91.82"
ZONE = f"""
@ 300 IN MX 10 mx
@ 300 IN A {IP}
@ 300 IN TXT "site-verification=abc" "def"
@ 300 IN TXT "v=spf10 is not SPF"
mx 300 IN A {IP}
www 300 IN CNAME @
_dmarc.other 300 IN TXT "v=DMARC1; p=reject"
"""


def own_state(folder: Path) -> None:
    """A folder for the state that belongs to whoever runs the tests: root, on a host where dnssync is installed, would give a
    new one to the user `dnssync` and become it."""
    (folder / "state").mkdir(exist_ok=True)


class Site:
    """A mail host and its name server, driven through the command line with a clock of the test."""

    patience = 60.0  # of a command with another one that is at work

    def __init__(self, folder: Path, exim: EximHost, bind: Bind) -> None:
        self.folder, self.exim, self.bind = folder, exim, bind
        self.now = 1_795_507_200.0
        self.config = folder / "dnssync.yaml"
        own_state(folder)
        self.write()

    def write(self, zone: str = "") -> None:
        """The configuration; `zone` adds lines to the zone's entry."""
        options = {**self.bind.options(), "class": "rfc2136"}
        text = {
            "providers": {"bind": options},
            "zones": {DOMAIN: {"provider": "bind", "nameservers": [self.bind.server], **json.loads(zone or "{}")}},
            "exim": {"command": list(self.exim.command), "map": str(self.exim.map)},
            "addresses": [IP],
            "schedule": {"check": "never"},  # tests of the daily check have their own
            "alerts": {"mail": []},  # the mail server of whoever runs the tests has nothing to do with them
            "keys": str(self.exim.keys),
            "state": f"sqlite:///{self.folder}/state/state.db",
        }
        self.config.write_text(json.dumps(text))

    def run(self, *args: str, **parts: Callable[..., Any]) -> tuple[int, str]:
        """A command's exit code and everything it printed; `make_line`, `make_sources` assemble other parts."""
        out = io.StringIO()
        context = Context(
            **parts,  # type: ignore[arg-type]
            now=lambda: self.now,
            sleep=self._sleep,
            environ={},
            stdin=io.StringIO(),
            stdout=out,
            stderr=out,
            patience=self.patience,
        )
        code = run(["-c", str(self.config), *args], context)
        return code, out.getvalue()

    def _sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Everything running, exim told of dnssync's macros."""
    with EximHost(hostnames=(DOMAIN,)) as exim, Bind(tmp_path / "bind", {DOMAIN: ZONE}) as bind:
        exim.switched()
        yield Site(tmp_path, exim, bind)
