"""A key's life to its end, and a person's words about it, on a real zone file and name server; exim is the recorded sample's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dnssync import signing_map
from dnssync.core import selectors
from dnssync.core.durations import DAY, HOUR
from dnssync.core.model import KeyPair
from dnssync.demo import stage
from dnssync.state import State
from tests.e2e.test_crash import Scene, open_folder
from tests.test_cli_commands import data, told

__all__ = ["open_folder"]
DOMAIN = stage.DOMAIN
REVOKED = "v=DKIM1; p="


class Ripe(Scene):
    """The scene, with the way to a moment in the life of its keys."""

    uptime = None  # a second clock, where a test has one

    def line(self, config: object, **options: object) -> object:
        """The parts, with the second clock."""
        line = super().line(config, **options)
        line.uptime = self.uptime
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
        import platform

        state = State.open(f"sqlite:///{self.stage.state}/state.db", host=platform.node(), read_only=True)
        return {key.selector: key for key in state.keys()}

    def signing(self) -> list[str]:
        """What exim's map names."""
        return sorted(signing_map.read(self.stage.map).get(DOMAIN, ()))

    def pems(self) -> set[str]:
        """The private halves that are there."""
        return {path.stem for path in self.stage.keys.rglob("*.pem")}


@pytest.fixture
def scene(open_folder: Path) -> Iterator[Ripe]:
    """A domain whose keys sign, each with a standby that is ready."""
    made = Ripe(open_folder / "scene")
    with made.served():
        made.passes(8, 5000)
        assert sorted(made.phases().values()) == ["active", "active", "ready", "ready"]
        yield made


def test_to_the_end(scene: Ripe) -> None:
    """After its time the standby signs; the old key's record stands for its overlap, says p= for a week, goes, and then its private
    half does. What others wrote stays all the while, and at the end there is one key that signs and one that stands by."""
    old, heirs = scene.of("active"), scene.of("ready")
    scene.now += 90 * DAY
    scene.passes(2, 120)
    assert scene.of("active") == heirs == scene.signing() and scene.of("retired") == old
    row = scene.keys()[old[0]]
    assert row.overlap == 8 * DAY and "the x= of its signatures" in row.overlap_because and "hour" in row.season_because
    scene.run("status")
    assert "its record stays until" in told(scene) and "the x= of its signatures" in told(scene)
    scene.now = (row.retired or 0) + row.overlap - 1
    scene.passes(1, 0)
    assert REVOKED not in scene.published().values() and scene.of("retired") == old
    scene.now += 1
    scene.passes(2, 120)
    assert scene.of("revoked") == old and [scene.published()[name] for name in old] == [REVOKED] * 2
    scene.now += 7 * DAY
    scene.passes(1, 120)
    assert not {*old} & {*scene.published()} and {*old} <= scene.pems()
    scene.passes(1, 120)
    assert scene.of("removed") == old and not {*old} & scene.pems()
    assert sorted(at for at in scene.phases().values() if at != "removed") == ["active", "active", "ready", "ready"]
    scene.check_others()
    assert scene.run("plan") == 0
    scene.run("history")
    for word in ("retired", "revoked", "removed", "deleted the private half"):
        assert f"{old[0]} {word}" in told(scene) or f"{word} of {old[0]}" in told(scene), word
    scene.now += 40 * DAY
    scene.run("status")
    assert old[0] not in told(scene) and "2 keys more, gone for over a month" in told(scene)


def test_disclosed(scene: Ripe, open_folder: Path) -> None:
    """Where a folder is named for them, private halves are put there for all to read, before they are deleted here."""
    folder = open_folder / "web"
    scene.stage.config.write_text(scene.stage.config.read_text() + f"disclose: {folder}\n")
    old = scene.of("active")
    texts = {name: (scene.stage.keys / DOMAIN / f"{name}.pem").read_bytes() for name in old}
    assert scene.run("rotate") == 0
    for pause in (9 * DAY, 120, 8 * DAY, 120):
        scene.now += pause
        scene.passes(1, 120)
    assert scene.of("removed") == old and not {*old} & scene.pems()
    shown = {path.stem: path for path in folder.rglob("*.pem")}
    assert {name: path.read_bytes() for name, path in shown.items()} == texts
    assert {path.stat().st_mode & 0o777 for path in shown.values()} == {0o644}
    assert shown[old[0]].parent == folder / DOMAIN


class TestRotate:
    def test_now(self, scene: Ripe) -> None:
        """The standby takes over as if the time of the key were over, and a new one is made; the old record stays."""
        old, heirs = scene.of("active"), scene.of("ready")
        assert scene.run("rotate", DOMAIN) == 0, told(scene)
        assert scene.signing() == heirs == scene.of("active") and scene.of("retired") == old
        assert len(scene.of("generated")) == 2 and {*old, *heirs} <= {*scene.published()}
        assert REVOKED not in scene.published().values()
        scene.check_others()

    def test_a_frozen_domain(self, scene: Ripe) -> None:
        """It is noted, and what is in the way is said; thawed, the rotation happens."""
        old, heirs = scene.of("active"), scene.of("ready")
        scene.run("freeze", DOMAIN)
        assert scene.run("rotate") == 0 and f"dnssync -c {scene.stage.config} freeze --off {DOMAIN}" in told(scene)
        assert scene.signing() == old
        scene.run("freeze", "--off", DOMAIN)
        scene.passes(2, 120)
        assert scene.signing() == heirs

    def test_without_a_standby(self, scene: Ripe) -> None:
        """Where none is ready the key signs on; once one is, the rotation happens without another word."""
        scene.run("rotate")
        old = scene.of("active")
        assert scene.run("rotate") == 0 and "signs on" in told(scene)
        assert scene.signing() == old
        scene.passes(5, 5000)
        assert {*old} <= {*scene.of("retired")}

    @pytest.mark.parametrize("args", [("--emergency", "--abort"), ("elsewhere.test",)])
    def test_what_makes_no_sense(self, scene: Ripe, args: tuple[str, ...]) -> None:
        """It is refused, and nothing is noted."""
        before = scene.keys()
        assert scene.run("rotate", *args) in (1, 64)
        assert scene.keys() == before

    def test_no_keys(self, open_folder: Path) -> None:
        """Before the first key there is nothing to rotate, and that is said."""
        made = Ripe(open_folder / "scene")
        with made.served():
            assert made.run("rotate") == 1 and "no key that exim signs with" in told(made)


class TestEmergency:
    def test_at_once(self, scene: Ripe) -> None:
        """One command: exim signs with the standby, and the key that is known to others is revoked, without an overlap."""
        old, heirs = scene.of("active"), scene.of("ready")
        assert scene.run("rotate", "--emergency", "--yes") == 0, told(scene)
        assert "will not verify any more" in told(scene)
        assert scene.signing() == heirs == scene.of("active")
        assert [scene.published()[name] for name in old] == [REVOKED] * 2 and len(scene.of("generated")) == 2
        scene.passes(1, 120)
        assert scene.of("revoked") == old
        scene.check_others()

    def test_only_on_a_persons_word(self, scene: Ripe) -> None:
        """Without --yes and without a terminal nothing is changed."""
        before, published = scene.keys(), scene.published()
        assert scene.run("rotate", "--emergency") == 3 and "Say --yes" in told(scene)
        assert data(scene, "rotate", "--emergency")["exit"] == 3
        assert scene.keys() == before and scene.published() == published

    def test_never_with_a_key_that_nobody_can_see(self, scene: Ripe) -> None:
        """Without a standby the key signs on, unrevoked, and that is said in red; once one is ready, it goes."""
        scene.run("rotate")
        old = scene.of("active")
        assert scene.run("rotate", "--emergency", "--yes") == 1
        assert "No standby is ready" in told(scene) and f"{old[0]} signs on" in told(scene)
        assert scene.signing() == old and REVOKED not in [scene.published()[name] for name in old]
        assert scene.run("status") == 1 and "in wrong hands since" in told(scene)
        assert "key_compromised" in {notice["reason"] for notice in data(scene, "plan")["notices"]}
        scene.passes(6, 5000)
        assert {*old} <= {*scene.of("revoked")} and not {*old} & {*scene.signing()}

    def test_a_zone_that_is_held(self, scene: Ripe) -> None:
        """exim is switched whatever the guard holds against the zone; what must be revoked by hand is said in full."""
        old, heirs = scene.of("active"), scene.of("ready")
        file = scene.stage.zone_file
        file.write_text(file.read_text() + f'{DOMAIN}. IN TXT "v=spf1 -all"\n')
        assert scene.run("rotate", "--emergency", "--yes") == 3
        assert scene.signing() == heirs and REVOKED not in scene.published().values()
        assert f'{old[0]}._domainkey.{DOMAIN}. TXT "v=DKIM1; p="' in told(scene)

    def test_a_frozen_domain(self, scene: Ripe) -> None:
        """The same for a domain that a person froze."""
        old, heirs = scene.of("active"), scene.of("ready")
        assert scene.run("freeze", DOMAIN) == 0
        assert scene.run("rotate", "--emergency", "--yes") == 1
        assert scene.signing() == heirs and REVOKED not in scene.published().values()
        assert f"{DOMAIN} is frozen" in told(scene) and f'{old[0]}._domainkey.{DOMAIN}. TXT "v=DKIM1; p="' in told(
            scene
        )


class TestAbort:
    def test_back(self, scene: Ripe) -> None:
        """The key before signs again, and the one that had taken over is the retired one now; it does not come back by itself."""
        old, heirs = scene.of("active"), scene.of("ready")
        scene.run("rotate")
        scene.now += HOUR
        assert scene.run("rotate", "--abort") == 0, told(scene)
        assert scene.signing() == old == scene.of("active") and {*heirs} <= {*scene.of("retired")}
        scene.passes(5, 5000)
        assert scene.signing() == old

    def test_of_a_rotation_that_has_not_happened(self, scene: Ripe) -> None:
        """Where the key still signs, it goes on, and is not replaced any more."""
        scene.run("rotate")
        old = scene.of("active")
        scene.run("rotate")
        assert scene.run("rotate", "--abort") == 0
        scene.passes(5, 5000)
        assert scene.signing() == old

    def test_too_late(self, scene: Ripe) -> None:
        """Once the record of the key before is revoked, there is no way back, and that is said."""
        scene.run("rotate")
        scene.now += 9 * DAY
        scene.passes(2, 120)
        signing = scene.signing()
        assert scene.run("rotate", "--abort") == 1 and "no key that signed before" in told(scene)
        assert scene.signing() == signing

    def test_never_to_what_is_in_wrong_hands(self, scene: Ripe) -> None:
        """A key that was revoked in an emergency does not come back."""
        scene.run("rotate", "--emergency", "--yes")
        assert scene.run("rotate", "--abort") == 1


class TestClock:
    def test_a_jump(self, scene: Ripe) -> None:
        """After a jump nothing ends, mail is signed as before, and the overlap is waited for anew; a person may settle it."""
        up = [1000.0]
        scene.uptime = lambda: (up[0], "one boot")
        scene.run("rotate")
        old = scene.of("retired")
        signing = scene.signing()
        scene.now, up[0] = scene.now + 400 * DAY, up[0] + 60
        assert (scene.run("plan") in (0, 2) and "clock jumped forward by 399 d" in told(scene)) or "400 d" in told(
            scene
        )
        scene.passes(1, 0)
        assert scene.signing() == signing and scene.of("retired") == old and REVOKED not in scene.published().values()
        assert scene.run("status") == 1 and "confirm clock" in told(scene)
        assert scene.run("confirm", "clock") == 0
        scene.now, up[0] = scene.now + 60, up[0] + 60
        scene.passes(1, 0)
        assert scene.run("status") == 0
        for days in range(1, 8):
            scene.now, up[0] = scene.now + DAY, up[0] + DAY
            scene.passes(1, 0)
            assert {*old} <= {*scene.of("retired")}, days
        scene.now, up[0] = scene.now + 2 * DAY, up[0] + 2 * DAY
        scene.passes(1, 0)
        assert {*old} <= {*scene.of("due")}


class TestHost:
    def test_keys_of_nobody(self, scene: Ripe) -> None:
        """A key in the zone that carries this host's name and is known to nobody here stops the zone, with both remedies; with
        another name this host goes on, and that key stays, as does every one under the old name."""
        host = (scene.stage.keys / "host-id").read_text().strip()
        strange = selectors.selector(int(scene.now), "rsa", host, "zzzz")
        file = scene.stage.zone_file
        file.write_text(file.read_text() + f'{strange}._domainkey.{DOMAIN}. IN TXT "v=DKIM1; k=rsa; p=AAAA"\n')
        assert scene.run("plan") == 3
        assert "unknown_keys" in {r["reason"] for z in data(scene, "plan")["zones"] for r in z["refusals"]}
        signing = scene.signing()
        scene.now += 100 * DAY
        scene.passes(2, 120)
        assert scene.signing() == signing
        assert scene.run("confirm", "host") == 0
        assert (scene.stage.keys / "host-id").read_text().startswith(f"{host}-")
        for _ in range(8):
            scene.passes(1, 3 * DAY)
        assert not {*signing} & {*scene.signing()} and {*signing, strange} <= {*scene.published()}
        assert REVOKED not in scene.published().values() and {*signing} <= scene.pems()
        scene.run("status")
        assert "made under another name of this host" in told(scene) and "to be revoked" not in told(scene)

    def test_another_host_was_here_first(self, open_folder: Path) -> None:
        """A host whose name another one already has in this zone takes a name of its own."""
        made = Ripe(open_folder / "scene")
        with made.served():
            file = made.stage.zone_file
            file.write_text(
                file.read_text() + f'20260101r-mx-abcd._domainkey.{DOMAIN}. IN TXT "v=DKIM1; k=rsa; p=AAAA"\n'
            )
            assert made.run("apply", "--yes") == 0
            names = [name for name in made.published() if name != "20260101r-mx-abcd"]
            assert all(name[10:].count("-") == 2 for name in names), names
            assert made.run("plan") == 0


def test_gone_for_good(scene: Ripe) -> None:
    """A domain that left exim: on a person's word its line in exim's map goes at once, its keys after their overlap."""
    names = {*scene.of("active"), *scene.of("ready")}
    scene.gone = True
    other = "still.here.example"
    assert scene.run("plan") in (0, 2) and "exim has it no more" in told(scene), other
    scene.passes(1, 60)
    assert scene.signing() != []
    assert scene.run("confirm", "gone", DOMAIN) == 0
    scene.passes(2, 60)
    assert scene.signing() == [] and {*scene.of("retired")} == names
    assert names <= {*scene.published()}
    for pause in (9 * DAY, 120, 8 * DAY, 120):
        scene.now += pause
        scene.passes(1, 120)
    assert {*scene.of("removed")} == names and not names & scene.pems() and not names & {*scene.published()}


def test_rows_keep_what_was_said(scene: Ripe) -> None:
    """A person's word is on disk before anything follows from it, and an interrupted command loses nothing."""
    [name] = [key for key in scene.of("active") if key[8] == "r"]
    row = scene.keys()[name]
    assert row == replace(row, called=None, compromised=None)
    scene.run("rotate")
    assert scene.keys()[name].called == int(scene.now)


class TestAnotherPolicy:
    def allow(self, scene: Ripe, algorithms: str) -> None:
        """The configuration with these algorithms."""
        text = scene.stage.config.read_text().replace(
            "    provider: file\n", f"    provider: file\n    dkim: {{algorithms: [{algorithms}]}}\n"
        )
        scene.stage.config.write_text(text)

    def test_a_kind_that_is_not_wanted_any_more(self, scene: Ripe) -> None:
        """exim signs without it from then on, and its keys end as any others do; the other kind goes on as it is."""
        self.allow(scene, "rsa2048")
        kept = [name for name in scene.signing() if name[8] == "r"]
        scene.passes(2, 120)
        assert scene.signing() == kept
        assert {name[8] for name in scene.of("retired")} == {"e"} and len(scene.of("retired")) == 2
        assert {name[8] for name in scene.of("active") + scene.of("ready")} == {"r"}
        for pause in (9 * DAY, 120, 8 * DAY, 120):
            scene.now += pause
            scene.passes(1, 120)
        assert {name[8] for name in scene.published()} == {"r"} and scene.signing() == kept

    def test_longer_keys(self, scene: Ripe) -> None:
        """A standby of another length than is wanted now is replaced by one that has it; what signs goes on till its time."""
        self.allow(scene, "rsa3072, ed25519")
        signing = scene.signing()
        scene.passes(6, 5000)
        by = {name: scene.keys()[name].algorithm for name in scene.of("ready")}
        assert sorted(by.values()) == ["ed25519", "rsa3072"] and scene.signing() == signing
        assert scene.run("rotate") == 0
        assert {scene.keys()[name].algorithm for name in scene.signing()} == {"ed25519", "rsa3072"}
