"""A host and its copy on one zone: neither ends, or is denied, what the other signs with; and what is said of zones that are gone is over."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import dns.zone
import pytest

from dnssync import identity
from dnssync.config import load
from dnssync.core.durations import DAY
from dnssync.state import State
from dnssync.state_rows import Trouble
from tests.ripe import DOMAIN, Ripe, grown, open_folder, scene
from tests.test_cli_commands import data, told

__all__ = ["grown", "open_folder", "scene"]


class Pair:
    """Two hosts that share a zone and a moment; each has a state, keys and a map of its own."""

    def __init__(self, scene: Ripe, folder: Path) -> None:
        self.scene, self.folder, self.here = scene, folder, "original"
        self.parts = (scene.stage.state, scene.stage.keys, scene.stage.map.parent)
        for name in ("original", "copy"):
            self._keep(name)

    def _keep(self, name: str) -> None:
        shutil.rmtree(self.folder / name, ignore_errors=True)
        (self.folder / name).mkdir(parents=True)
        for part in self.parts:
            subprocess.run(["cp", "-a", part, self.folder / name / part.name], check=True)

    def at(self, name: str) -> Ripe:
        """The scene, as that host has it."""
        if name != self.here:
            self._keep(self.here)
            for part in self.parts:
                shutil.rmtree(part)
                subprocess.run(["cp", "-a", self.folder / name / part.name, part], check=True)
            self.here = name
        self.scene.machine = lambda: f"the machine of the {name}"
        return self.scene

    def passes(self, codes: Sequence[int] = (0,)) -> None:
        """One pass of each. Rule: whatever exim signs with, before and after, every name server shows."""
        for name in ("original", "copy"):
            host = self.at(name)
            for _ in range(2):
                assert host.run("apply", "--yes") in codes, f"{name}: {told(host)}"
                published = host.published()
                bad = [
                    key
                    for key in host.signing()
                    if not published.get(key, "p=").rstrip().endswith(("=", "B")) or published[key].endswith("p=")
                ]
                assert not bad, f"{name} signs with {bad}"
                host.now += 120


@pytest.fixture
def pair(scene: Ripe, open_folder: Path) -> Pair:
    """A host in order, and its copy, which knows that it is one."""
    scene.machine = lambda: "the machine of the original"
    assert scene.run("confirm", "machine") == 0
    made = Pair(scene, open_folder / "pair")
    assert made.at("copy").run("apply", "--yes") == 3, "it has to ask"
    assert scene.run("confirm", "host") == 0 and "--emergency" in told(scene)
    return made


@pytest.mark.parametrize("rotates", ["original", "copy", "neither"])
def test_two_rotations(pair: Pair, rotates: str) -> None:
    """Whichever of them rotates first, right after, each goes its own way from the next pass on."""
    ours = {*pair.at("original").signing(), *pair.at("original").of("ready")}
    if rotates != "neither":
        assert pair.at(rotates).run("rotate") == 0
    for _ in range(45):
        pair.passes()
        pair.scene.now += 5 * DAY if pair.scene.now % 2 else 4000
        pair.scene.now += 1
    mine, theirs = pair.at("original").signing(), pair.at("copy").signing()
    assert len(mine) == len(theirs) == 2 and not {*mine} & {*theirs} and not ours & {*theirs}
    assert pair.at("original").run("status") == pair.at("copy").run("status") == 0


@pytest.mark.parametrize("with_map", [False, True])
@pytest.mark.parametrize("words", [("rotate",), ("rotate", "--emergency", "--yes")])
def test_an_older_state(scene: Ripe, words: tuple[str, ...], with_map: bool) -> None:
    """A state from before a rotation, restored when the keys of then are gone from DNS and disk, brings none of them back."""
    old = scene.of("active")
    before = {path: path.read_bytes() for path in scene.stage.state.iterdir() if path.is_file()}
    if with_map:
        before[scene.stage.map] = scene.stage.map.read_bytes()
    assert scene.run(*words) == 0
    for pause in (9 * DAY, 120, 8 * DAY, 120, 120, 5000, 5000):
        scene.now += pause
        scene.passes(1, 0)
    assert scene.of("removed") == old and not {*old} & scene.pems()
    signing = scene.signing()
    for path, content in before.items():
        path.write_bytes(content)
    for _ in range(3):
        scene.passes(1, 5000)
        assert not {*old} & {*scene.published()} and scene.signing() == signing
    assert {*old} <= {*scene.of("removed")} and {*signing} == {*scene.of("active")}


@pytest.mark.parametrize("lost", [1, 2])
def test_a_copied_standby_is_better_than_none(scene: Ripe, lost: int) -> None:
    """Until a copy has keys of its own, its last resort are the copied standbys; what it is told of them is true."""
    active, ready = scene.of("active"), scene.of("ready")
    assert scene.run("confirm", "host") == 0
    for name in active[:lost]:
        (scene.stage.keys / DOMAIN / f"{name}.pem").unlink()
    scene.passes(2, 120)
    assert scene.signing() == sorted([*ready[:lost], *active[lost:]])
    for _ in range(8):
        scene.passes(1, 5000)
    own = {*scene.signing()}
    assert len(own) == 2 and not own & {*active, *ready}
    scene.run("status")
    assert "made under another name of this host" in told(scene)


def test_a_copied_key_without_its_record(scene: Ripe) -> None:
    """Where what the copy signs with is gone from DNS, the copied standbys sign, as long as there is nothing of its own; and its own keys go
    on to be made, once."""
    active, ready = scene.of("active"), scene.of("ready")
    assert scene.run("confirm", "host") == 0
    scene.passes(1, 120)
    zone = dns.zone.from_file(str(scene.stage.zone_file), origin=DOMAIN, check_origin=False)
    for name in active:
        zone.delete_node(f"{name}._domainkey")
    scene.stage.zone_file.write_text(f"$ORIGIN {DOMAIN}.\n{zone.to_text()}\n")
    scene.passes(2, 120)
    assert scene.signing() == ready
    scene.passes(8, 5000)
    assert len(scene.signing()) == 2 and not {*scene.signing()} & {*active, *ready}
    assert len(scene.pems()) == 4 + 4, "a pair that signs, and a pair that stands by"


def test_what_is_said_of_others_goes_on(scene: Ripe) -> None:
    """A pass over one zone ends what the host had to say of itself and of that zone, not what it said of a zone that was left out."""
    scene.stage.config.write_text(
        scene.stage.config.read_text().replace("zones:\n", "zones:\n  other.example: {provider: file}\n", 1)
    )
    state = State.open(load(scene.stage.config).state, host=identity.rows(scene.stage.keys))
    rows = [
        Trouble("", "notice", "servers_silent", f"{about or 'x'}: said", 1, subject=about)
        for about in (DOMAIN, "other.example", "")
    ]
    state.save_troubles((), [*rows, Trouble("other.example", "refused", "cname", "said", 1)], 1)
    assert scene.run("apply", "--yes", DOMAIN) == 0
    assert {(row.zone, row.subject) for row in state.troubles() if row.ended is None} == {
        ("", "other.example"),
        ("other.example", ""),
    }


def test_a_zone_that_is_no_more_configured(scene: Ripe) -> None:
    """What was said of it is over with the next pass over all zones."""
    config = scene.stage.config
    before = config.read_text()
    config.write_text(before.replace("zones:\n", "zones:\n  other.example: {provider: file}\n", 1))
    assert scene.run("apply", "--yes") == 1
    assert {row["zone"] for row in data(scene, "status")["troubles"]} >= {"other.example"}
    config.write_text(before)
    assert scene.run("apply", "--yes") == 0
    config.write_text(before.replace("zones:\n", "zones:\n  other.example: {provider: file}\n", 1))
    assert "other.example" not in {row["zone"] for row in data(scene, "status")["troubles"]}
