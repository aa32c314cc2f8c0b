"""`dnssync rotate`: a person's words about keys, on a real zone file and name server; exim is the recorded sample's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dnssync.carry_out import carry_out
from dnssync.config import load
from dnssync.core.durations import DAY, HOUR
from dnssync.lock import hold
from tests.ripe import DOMAIN, REVOKED, Ripe, grown, open_folder, scene
from tests.test_cli_commands import data, told

__all__ = ["grown", "open_folder", "scene"]


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

    @pytest.mark.parametrize("args", [(), ("--emergency", "--yes")])
    def test_exim_cannot_be_asked(self, scene: Ripe, args: tuple[str, ...]) -> None:
        """What was said is kept, and that is told; the next pass honours it."""
        old, heirs = scene.of("active"), scene.of("ready")
        scene.mute = True
        assert scene.run("rotate", *args) == 1
        assert "exim cannot be asked" in told(scene) and "is noted, and the next pass honours it" in told(scene)
        assert scene.signing() == old
        scene.mute = False
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


class TestBesideAnother:
    @pytest.mark.parametrize("args", [(), ("--emergency", "--yes")])
    def test_at_work(self, scene: Ripe, args: tuple[str, ...]) -> None:
        """Whoever holds the lock hinders no word: it is kept, that is said, and the next pass honours it."""
        old, heirs = scene.of("active"), scene.of("ready")
        scene.patience = 0
        with hold(scene.stage.folder / "state" / "lock", who="dnssync somebody", now=lambda: scene.now):
            assert scene.run("rotate", *args) == 1
            assert "is noted, and the next pass honours it" in told(scene) and "`dnssync somebody`" in told(scene)
            assert data(scene, "rotate", *args)["exit"] == 1
        assert scene.signing() == old and all(scene.keys()[name].called == int(scene.now) for name in old)
        scene.passes(3, 120)
        assert scene.signing() == heirs == scene.of("active")
        assert (scene.of("revoked") == old) is bool(args)

    def test_in_the_middle_of_a_pass(self, scene: Ripe) -> None:
        """A pass that read the keys before the word came, and notes what it saw of them after it, leaves the word as it is."""
        [name] = [key for key in scene.of("active") if key[8] == "r"]
        line = scene.line(load(scene.stage.config), read_only=False, environ={}, now=lambda: scene.now)
        seen, got = line.plan()
        scene.now += 60
        scene.patience = 0
        with hold(scene.stage.folder / "state" / "lock", who="dnssync run", now=lambda: scene.now):
            assert scene.run("rotate", "--emergency", "--key", name, "--yes") == 1
            moved = tuple(replace(key, overlap=key.overlap + 1) for key in got.keys)
            carry_out(line, seen, replace(got, keys=moved))
        assert scene.keys()[name].compromised == int(scene.now)
        scene.passes(3, 120)
        assert name in scene.of("revoked")


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

    def test_a_web_form(self, scene: Ripe) -> None:
        """Where a person has to enter it, the key is not revoked yet, and that is said."""
        file = f"class: zonefile\n    directory: {scene.stage.zone_file.parent}\n    file_extension: .zone"
        scene.stage.config.write_text(scene.stage.config.read_text().replace(file, "class: manual"))
        old, heirs = scene.of("active"), scene.of("ready")
        assert scene.run("rotate", "--emergency", "--yes") == 1, told(scene)
        assert scene.signing() == heirs and f"{old[0]} is valid until its record is changed by hand" in told(scene)
        assert f'by hand: add: {old[0]}._domainkey.{DOMAIN}. 3600 IN TXT "v=DKIM1; p="' in told(scene)

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
        scene.run("history", "-n", "40")
        assert f"a person said: {old[0]} of {DOMAIN} is to stay" in told(scene)
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


def test_rows_keep_what_was_said(scene: Ripe) -> None:
    """A person's word is on disk before anything follows from it, and an interrupted command loses nothing."""
    [name] = [key for key in scene.of("active") if key[8] == "r"]
    row = scene.keys()[name]
    assert row == replace(row, called=None, compromised=None)
    scene.run("rotate")
    assert scene.keys()[name].called == int(scene.now)


class TestOnlyKeys:
    def test_nothing_else_is_written(self, scene: Ripe) -> None:
        """A rotation writes the records of keys alone: what else is to be done was shown to nobody."""
        text = scene.stage.config.read_text()
        scene.stage.config.write_text(
            text.replace("    provider: file\n", "    provider: file\n    dmarc: {p: reject}\n")
        )
        heirs = scene.of("ready")
        assert scene.run("rotate", "--emergency", "--yes") == 0
        assert scene.signing() == heirs and REVOKED in scene.published().values()
        assert "p=none" in scene.stage.zone_file.read_text() and "p=reject" not in scene.stage.zone_file.read_text()
        assert scene.run("plan") == 2 and "p=reject" in told(scene)
        scene.passes(1, 60)
        assert "p=reject" in scene.stage.zone_file.read_text()

    def test_what_holds_the_zone_is_said(self, scene: Ripe) -> None:
        """Not only that it is held, but by what."""
        file = scene.stage.zone_file
        file.write_text(file.read_text() + f'{DOMAIN}. IN TXT "v=spf1 -all"\n')
        assert scene.run("rotate") == 3
        assert (
            "refused: " in told(scene)
            and "2 SPF records" in told(scene)
            and "is held at file, see above" in told(scene)
        )

    def test_a_zone_that_cannot_be_read(self, scene: Ripe) -> None:
        """In an emergency exim is switched all the same, and what could not be revoked is said in full."""
        old, heirs = scene.of("active"), scene.of("ready")
        kept = scene.stage.config.read_text()
        scene.stage.config.write_text(
            kept.replace(f"directory: {scene.stage.zone_file.parent}", "directory: /nonexistent")
        )
        assert scene.run("rotate", "--emergency", "--yes") == 1
        assert f'{old[0]}._domainkey.{DOMAIN}. TXT "v=DKIM1; p="' in told(scene) and "failed: " in told(scene)
        assert scene.signing() == heirs
        scene.stage.config.write_text(kept)
        scene.passes(1, 60)
        assert [scene.published()[name] for name in old] == [REVOKED] * 2


class TestOneMoment:
    def test_both_passes_in_one_second(self, scene: Ripe) -> None:
        """However fast it goes, one key of each kind signs afterwards, and the one that had taken over has retired."""
        old, heirs = scene.of("active"), scene.of("ready")
        scene.run("rotate")
        assert scene.run("rotate", "--abort") == 0, told(scene)
        assert scene.of("active") == old == scene.signing() and {*heirs} <= {*scene.of("retired")}
        scene.passes(3, 5000)
        assert scene.signing() == old

    def test_an_automatic_rotation_that_nobody_saw_end(self, scene: Ripe) -> None:
        """Called off between the switch of exim's map and the next look, the key that is there stays, not the one before it."""
        first = scene.of("active")
        scene.run("rotate")
        scene.passes(6, 5000)
        second = scene.of("active")
        scene.now += 91 * DAY - 6 * 5000
        scene.passes(1, 0)
        assert not {*second} & {*scene.signing()} and scene.of("active") == second
        assert scene.run("rotate", "--abort") == 0, told(scene)
        assert scene.signing() == second and not {*first} & {*scene.signing()}
        scene.passes(3, 5000)
        assert scene.signing() == second


class TestWhichKey:
    def test_one_that_has_retired(self, scene: Ripe) -> None:
        """A key that leaked and signs no more is revoked by its name, at once, and nothing else changes."""
        old = scene.of("active")
        scene.run("rotate")
        signing = scene.signing()
        assert scene.run("rotate", "--emergency", "--yes", "--key", old[0]) == 0
        assert scene.published()[old[0]] == REVOKED != scene.published()[old[1]] and scene.signing() == signing

    def test_one_that_stands_by(self, scene: Ripe) -> None:
        """A standby that leaked never signs."""
        [name] = [key for key in scene.of("ready") if key[8] == "r"]
        assert scene.run("rotate", "--emergency", "--yes", "--key", name) == 0
        assert scene.published()[name] == REVOKED
        scene.now += 90 * DAY
        scene.passes(8, 5000)
        assert name not in scene.signing() and name in scene.of("revoked") + scene.of("removed")

    def test_all_that_are_valid(self, scene: Ripe) -> None:
        """Without a name every key that signed and that receivers take for valid is revoked."""
        old = scene.of("active")
        scene.run("rotate")
        scene.passes(5, 5000)
        now = scene.of("active")
        assert scene.run("rotate", "--emergency", "--yes") == 0
        assert {scene.published()[name] for name in (*old, *now)} == {REVOKED}

    @pytest.mark.parametrize("args", [("--key", "s1"), ("--emergency", "--yes", "--key", "unknown")])
    def test_no_such_key(self, scene: Ripe, args: tuple[str, ...]) -> None:
        """A name that is none, or belongs to nothing, is refused."""
        before = scene.keys()
        assert scene.run("rotate", *args) in (1, 64) and scene.keys() == before
