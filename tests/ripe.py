"""A domain whose keys sign, each with a standby, on a real zone file and name server; exim is the recorded sample's."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dnssync import identity, signing_map
from dnssync.config import load
from dnssync.core.model import KeyPair
from dnssync.demo import stage
from dnssync.errors import EximError
from dnssync.state import State
from tests.e2e.test_crash import Scene, open_folder
from tests.test_cli_commands import data

DOMAIN = stage.DOMAIN
REVOKED = "v=DKIM1; p="
__all__ = ["grown", "open_folder", "scene"]


class Ripe(Scene):
    """The scene, with the way to a moment in the life of its keys."""

    uptime = None  # a second clock, where a test has one
    machine = staticmethod(lambda: "one machine")
    hostname = "mx.elsewhere.example"
    mute = False  # whether exim answers nobody

    def line(self, config: object, **options: object) -> object:
        """The parts, with the second clock."""
        line = super().line(config, **options)
        line.uptime, line.machine = self.uptime, self.machine
        ask = line.observe_host

        def observe(*names: object) -> object:
            if self.mute:
                raise EximError("exim cannot be asked: it is being upgraded. Try again.")
            return replace(ask(*names), hostname=self.hostname)

        line.observe_host = observe
        return line

    def passes(self, number: int, pause: float) -> None:
        """So many passes, so many seconds apart."""
        for _ in range(number):
            assert self.run("apply", "--yes") in (0, 3), self.told.getvalue()
            self.now += pause

    def phases(self) -> dict[str, str]:
        """What stands in status: selector → phase."""
        return {row["key"]["selector"]: row["phase"] for row in data(self, "status")["keys"]}

    def of(self, phase: str) -> list[str]:
        """The selectors in a phase, Ed25519 first."""
        return sorted(name for name, at in self.phases().items() if at == phase)

    def keys(self) -> dict[str, KeyPair]:
        """The rows of the state."""
        state = State.open(load(self.stage.config).state, host=identity.rows(self.stage.keys), read_only=True)
        return {key.selector: key for key in state.keys()}

    def signing(self) -> list[str]:
        """What exim's map names."""
        return sorted(signing_map.read(self.stage.map).get(DOMAIN, ()))

    def pems(self) -> set[str]:
        """The private halves that are there."""
        return {path.stem for path in self.stage.keys.rglob("*.pem")}


@pytest.fixture(scope="module")
def grown() -> Iterator[Ripe]:
    """A domain whose keys sign, each with a standby that is ready; to be copied."""
    with tempfile.TemporaryDirectory(prefix="dnssync-ripe-") as folder:
        Path(folder).chmod(0o755)  # exim has to get through
        made = Ripe(Path(folder) / "scene")
        with made.served():
            made.passes(8, 5000)
            assert sorted(made.phases().values()) == ["active", "active", "ready", "ready"]
        yield made


@pytest.fixture
def scene(open_folder: Path, grown: Ripe) -> Iterator[Ripe]:
    """The same, for one test."""
    made = Ripe(open_folder / "scene")
    shutil.rmtree(made.stage.folder)
    subprocess.run(["cp", "-a", grown.stage.folder, made.stage.folder], check=True)  # owners and modes too
    made.now = grown.now
    with made.served():
        yield made
