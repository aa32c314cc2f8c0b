"""Ctrl-C and death at every step of a pass: nothing half-written, and the next run ends where an undisturbed one does.

The parts are real (zone file, name server, SQLite, PEM files, map) but for exim, whose answers are the recorded sample's.
"""

from __future__ import annotations

import contextlib
import io
import os
import platform
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import dns.zone
import pytest

from dnssync import assemble, signing_map
from dnssync.carry_out import carry_out
from dnssync.cli import run
from dnssync.cli.context import Context
from dnssync.config import load
from dnssync.core.model import ProviderError
from dnssync.demo import sample, stage
from dnssync.demo.nameserver import NameServer
from dnssync.keystore import read_public
from dnssync.state import State

START = 1_795_507_200.0
WRITES = {
    "state": ("save_keys", "add_event", "begin", "finish", "intend_key", "record_applied", "settle", "save_zone", "save_addresses"),
    "keystore": ("generate",),
    "zones": ("write",),
}  # fmt: skip


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may look into, as exim has to: pytest's own are closed."""
    with tempfile.TemporaryDirectory(prefix="dnssync-crash-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


class Died(KeyboardInterrupt):
    """Where Ctrl-C, or death, struck."""


class Mortal:
    """Something whose named methods count, and die at the n-th call: before it (even n) or just after it (odd n)."""

    def __init__(self, real: Any, names: Sequence[str], clock: Fate) -> None:
        self._real, self._names, self._clock = real, names, clock

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._real, name)
        if name == "provider":
            return lambda which: Mortal(real(which), ("write",), self._clock)
        if name not in self._names:
            return real

        def act(*args: Any, **options: Any) -> Any:
            self._clock.tick(name)
            result = real(*args, **options)
            self._clock.tick(name)
            return result

        return act


class Fate:
    """Counts steps and strikes at one of them; None = never."""

    def __init__(self, at: int | None) -> None:
        self.at, self.steps = at, 0

    def tick(self, what: str) -> None:
        """One step."""
        if self.steps == self.at:
            self.at = None
            raise Died(what)
        self.steps += 1


class Scene:
    """A made-up zone and its host; `run` is the command line with a clock of its own."""

    gone = False  # whether the domain has left exim
    patience = 60.0  # of a command with another one that is at work

    def __init__(self, folder: Path) -> None:
        self.now = START
        self.fate = Fate(None)
        self.stage = stage.Stage(folder, None, "")
        for path in (self.stage.zone_file.parent, self.stage.map.parent, self.stage.keys, self.stage.state):
            path.mkdir(parents=True)
        self.stage.zone_file.write_text(stage.ZONE)

    @contextmanager
    def served(self) -> Iterator[None]:
        """The zone on a name server."""
        with NameServer({stage.DOMAIN: self.stage.zone_file}) as server:
            stage.write_config(self.stage, server.where)
            yield

    def run(self, *args: str) -> int:
        """A command's exit code."""
        out = io.StringIO()
        context = Context(
            now=lambda: self.now,
            environ={},
            stdin=io.StringIO(),
            stdout=out,
            stderr=out,
            make_line=self.line,
            disciplined=lambda: None,
            patience=self.patience,
        )
        self.told = out
        return run(["-c", str(self.stage.config), *args], context)

    def line(self, config: Any, **options: Any) -> Any:
        """The parts, mortal."""
        line = assemble.line(config, **options)
        keys = line.keystore

        def observe(names: Sequence[str], recipients: Sequence[str]) -> Any:
            host = sample.observe(stage.DOMAIN, "mx.elsewhere.example", stage.IP, config.exim.map, keys, recipients)
            return replace(host, domains=()) if self.gone else host

        line.observe_host = observe
        for part, names in WRITES.items():
            setattr(line, part, Mortal(getattr(line, part), names, self.fate))
        return line

    def check(self) -> None:
        """What holds after any death: strangers kept, every published or mapped key has its private half."""
        self.check_others()
        published = self.published()
        for selector, record in published.items():
            _, public = read_public(self.stage.keys / stage.DOMAIN / f"{selector}.pem")
            assert public in record
        for selectors in signing_map.read(self.stage.map).values():
            assert set(selectors) <= set(published)
        assert not [path for path in self.stage.folder.rglob(".*") if path.is_file()]

    def check_others(self) -> None:
        """Every line that somebody else wrote stands in the zone file, to the octet."""
        lines = self.stage.zone_file.read_text().splitlines()
        assert [line for line in stage.ZONE.splitlines() if "SOA" not in line and line not in lines] == []

    def published(self) -> dict[str, str]:
        """The selectors in the zone, and their texts."""
        zone = dns.zone.from_file(str(self.stage.zone_file), origin=stage.DOMAIN, check_origin=False)
        found = {}
        for name, rdataset in zone.iterate_rdatasets("TXT"):
            if "_domainkey" in name.to_text():
                found[name.to_text().split(".")[0]] = b"".join(rdataset[0].strings).decode()
        return found


def deaths(folder: Path, before: int) -> Iterator[tuple[Scene, int]]:
    """Scenes that went through `before` undisturbed passes and died at step 0, 1, 2, … of the next; ends when none dies."""
    for number in range(500):
        scene = Scene(folder / str(number))
        with scene.served():
            for _ in range(before):
                assert scene.run("apply", "--yes") == 0, scene.told.getvalue()
                scene.now += 5000
            scene.fate = Fate(number)
            code = scene.run("apply", "--yes")
            scene.fate = Fate(None)
            yield scene, code
            if code == 0:
                return
    raise AssertionError("it dies for ever")


@pytest.mark.parametrize("before", [0, 1, 3], ids=["first pass", "sighting", "switch"])
def test_death_at_every_step(open_folder: Path, before: int) -> None:
    """After a death at any step, a few more runs leave DNS right, no key too many, and nothing to do."""
    steps = 0
    for scene, code in deaths(open_folder, before):
        steps += 1
        assert code in (0, 130), scene.told.getvalue()
        scene.check()
        for _ in range(3):
            assert scene.run("apply", "--yes") == 0, scene.told.getvalue()
            scene.check()
        assert scene.run("plan") == 0, scene.told.getvalue()
        many = 4 if before == 3 else 2  # once a key signs, another one stands by
        assert len(scene.published()) == many
        assert len(list(scene.stage.keys.rglob("*.pem"))) == many
        state = State.open(f"sqlite:///{scene.stage.folder}/state/state.db", host=platform.node(), read_only=True)
        assert len(state.keys()) == many and len(state.ledger()) == 3 + many and not state.unfinished(stage.DOMAIN)
    assert steps > (40 if before == 0 else 5)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
@pytest.mark.parametrize("before", [0, 3], ids=["first pass", "switch"])
@pytest.mark.parametrize("where", ["state", "keys", "exim-map", "zones"])
def test_full_disk(open_folder: Path, where: str, before: int) -> None:
    """A disk with no room for state, key, map or zone file: a sentence that says so, nothing lost, and it heals with room."""
    scene = Scene(open_folder / "scene")
    full = scene.stage.folder / where
    full.mkdir(exist_ok=True)
    held = {path.name: path.read_bytes() for path in full.iterdir()}
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(full)], check=True)
    try:
        for name, content in held.items():
            (full / name).write_bytes(content)
        with scene.served():
            for _ in range(before):
                assert scene.run("apply", "--yes") == 0, scene.told.getvalue()
                scene.now += 5000
            filler = full / "filler"
            with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                while True:
                    file.write(b"x" * 512)
            code, told = scene.run("apply", "--yes"), scene.told.getvalue()
            # the first pass makes the map, the third switches by it; keys and zone are written by the first alone
            busy = where in ("state", "exim-map") or before == 0
            assert code == (1 if busy else 0), told
            assert "Traceback" not in told and "fault of dnssync" not in told
            assert not busy or str(full) in told or "room" in told
            scene.check()
            filler.unlink()
            for _ in range(3):
                assert scene.run("apply", "--yes") == 0, scene.told.getvalue()
                scene.check()
            assert scene.run("plan") == 0, scene.told.getvalue()
            assert len(scene.published()) == (4 if before else 2)
    finally:
        subprocess.run(["umount", str(full)], check=True)


def test_a_failed_zone_keeps_its_map_line(open_folder: Path) -> None:
    """Where the write fails in the very pass that would switch, exim's map stays; the next good pass switches."""
    scene = Scene(open_folder / "scene")
    with scene.served():
        for _ in range(3):
            assert scene.run("apply", "--yes") == 0, scene.told.getvalue()
            scene.now += 5000
        text = scene.stage.zone_file.read_text()
        scene.stage.zone_file.write_text("".join(row for row in text.splitlines(True) if not row.startswith("_dmarc")))
        broken = scene.line

        def failing(config: Any, **options: Any) -> Any:
            line = broken(config, **options)
            real = line.zones

            class Zones:
                limits = staticmethod(real.limits)

                @staticmethod
                def provider(name: str) -> Any:
                    one = real.provider(name)

                    class Provider:
                        limits, read = one.limits, staticmethod(one.read)

                        @staticmethod
                        def write(zone: str, changes: Any) -> tuple[str, ...]:
                            raise ProviderError(f"{zone}: out of order", transient=True)

                    return Provider()

            line.zones = Zones()
            return line

        scene.line = failing  # type: ignore[method-assign]
        assert scene.run("apply", "--yes") == 1 and "out of order" in scene.told.getvalue()
        assert signing_map.read(scene.stage.map) == {}
        scene.line = broken  # type: ignore[method-assign]
        assert scene.run("apply", "--yes") == 0
        assert len(signing_map.read(scene.stage.map)[stage.DOMAIN]) == 2


def test_a_reload_that_failed(open_folder: Path) -> None:
    """A name server that was not told of the written file is told by the next apply, which has nothing else to do."""
    scene = Scene(open_folder / "scene")
    with scene.served():
        text = scene.stage.config.read_text()
        flag = open_folder / "runs"
        command = f"test -e {flag} && echo $0 >> {flag}"
        scene.stage.config.write_text(
            text.replace(
                "    class: zonefile\n", f"    class: zonefile\n    reload: [sh, -c, '{command}', '{{zone}}']\n"
            )
        )
        assert scene.run("apply", "--yes") == 1 and "runs it again" in scene.told.getvalue()
        written = scene.stage.zone_file.read_text()
        assert scene.run("apply", "--yes") == 1 and "the name server was not told" in scene.told.getvalue()
        flag.touch()
        assert scene.run("apply", "--yes") == 0 and "was told to load serial" in scene.told.getvalue()
        assert scene.run("apply", "--yes") == 0 and "was told to load" not in scene.told.getvalue()
        assert flag.read_text() == f"{stage.DOMAIN}\n"
        assert scene.stage.zone_file.read_text() == written
        assert scene.run("history") == 0
        assert scene.told.getvalue().count("was told to load serial") == 1


def test_a_selector_that_is_taken(open_folder: Path) -> None:
    """Where the new key's name turns out to be somebody else's, nothing is written that was not shown."""
    scene = Scene(open_folder / "scene")
    (scene.stage.keys / "host-id").write_text("mx\n")
    with scene.served():
        assert scene.run("plan") == 2
        line = scene.line(load(scene.stage.config), read_only=False, environ={}, now=lambda: scene.now)
        seen, shown = line.plan()
        taken = stage.ZONE + '20261124r-mx-aaaa._domainkey IN TXT "v=DKIM1; p=ZZZZ"\n'
        scene.stage.zone_file.write_text(taken)
        report = carry_out(line, seen, shown, token=lambda: "aaaa")
        assert {refusal.reason for outcome in report.outcomes for refusal in outcome.refusals} == {"selector_taken"}
        assert scene.stage.zone_file.read_text() == taken
        assert scene.run("apply", "--yes") == 3 and "did not write" in scene.told.getvalue()
        assert scene.stage.zone_file.read_text() == taken
