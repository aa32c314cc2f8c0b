"""How keys come to their end, and what may stand in its way; on a real zone file and name server, exim is the recorded sample's."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from dnssync import identity
from dnssync.config import load
from dnssync.core import selectors
from dnssync.core.durations import DAY
from dnssync.core.sighting import Answer, Question, Rcode, Reply
from dnssync.state import State
from tests.ripe import DOMAIN, REVOKED, Ripe, grown, open_folder, scene
from tests.test_cli_commands import data, told

__all__ = ["grown", "open_folder", "scene"]


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

    @pytest.mark.parametrize("days", [-10, -400, 40])
    def test_who_signs_is_who_signed(self, scene: Ripe, days: int) -> None:
        """Whichever way the clock jumps, the same keys sign, with the same standbys, and no key is made for it."""
        up = [1000.0]
        scene.uptime = lambda: (up[0], "one boot")
        scene.passes(1, 60)
        up[0] += 60
        signing, ready, pems = scene.signing(), scene.of("ready"), scene.pems()
        scene.now += days * DAY
        for _ in range(4):
            scene.passes(1, 900)
            up[0] += 900
            assert scene.signing() == signing and scene.pems() == pems, days
            assert REVOKED not in scene.published().values() and {*ready} <= {*scene.published()}

    def test_no_private_half_goes(self, scene: Ripe) -> None:
        """A private half that could not be deleted when its record was gone stays as long as the clock is doubted."""
        up = [1000.0]
        scene.uptime = lambda: (up[0], "one boot")
        old = scene.of("active")
        files = {name: scene.stage.keys / DOMAIN / f"{name}.pem" for name in old}
        pems = {file: file.read_bytes() for file in files.values()}
        scene.run("rotate")
        for pause in (9 * DAY, 120, 8 * DAY, 120):
            scene.now, up[0] = scene.now + pause, up[0] + pause
            scene.passes(1, 0)
        rows = [key for name, key in scene.keys().items() if name in old]
        assert all(key.purged is not None for key in rows) and not any(file.exists() for file in pems)
        for file, pem in pems.items():
            file.write_bytes(pem)
        State.open(load(scene.stage.config).state, host=identity.rows(scene.stage.keys)).save_keys(
            [replace(key, purged=None) for key in rows]
        )
        scene.now += 40 * DAY
        scene.passes(1, 60)
        assert {*old} <= scene.pems()
        assert scene.run("confirm", "clock") == 0
        up[0] += 60
        scene.passes(1, 0)
        assert not {*old} & scene.pems()


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


def test_revoked_by_somebody_else(scene: Ripe) -> None:
    """Two hosts took the same hand-made key on, and the other one ended it: the zone is refused until a person says what that means,
    and the standby signs from the next pass on."""
    old, heirs = scene.of("active"), scene.of("ready")
    file = scene.stage.zone_file
    entry = re.compile(rf"^({old[1]}\._domainkey\S*[^(\"]*)(\(.*?\)|\"[^\n]*)$", re.DOTALL | re.MULTILINE)
    text, count = entry.subn(r'\1"v=DKIM1; p="', file.read_text())
    assert count == 1
    file.write_text(text)
    before = scene.published()
    assert scene.run("apply", "--yes") == 3 and "revoked_by_others" not in told(scene) and "is revoked" in told(scene)
    assert scene.signing() == sorted([old[0], heirs[1]]) and scene.published() == before
    scene.now += 120
    assert scene.run("apply", "--yes") == 3 and scene.phases()[heirs[1]] == "active"


@pytest.mark.parametrize("late", [0, 100])
@pytest.mark.parametrize("held", ["frozen", "refused"])
def test_a_lost_map(scene: Ripe, held: str, late: int) -> None:
    """Where nothing is begun, a map that is lost is written again even so: with what signs, or with what its set goes on with by now."""
    signing, ready = scene.signing(), scene.of("ready")
    if held == "frozen":
        assert scene.run("freeze", DOMAIN) == 0
    else:
        file = scene.stage.zone_file
        file.write_text(file.read_text() + f'{DOMAIN}. IN TXT "v=spf1 -all"\n')
    scene.now += late * DAY
    scene.stage.map.unlink()
    scene.passes(2, 120)
    assert scene.signing() == (ready if late else signing)


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


class TestTheMapIsLost:
    @pytest.mark.parametrize("held", ["refused", "frozen", "free"])
    def test_it_is_written_again(self, scene: Ripe, held: str) -> None:
        """Whatever signed goes on, also where the zone gets nothing: an empty map would let mail leave unsigned."""
        signing = scene.signing()
        if held == "refused":
            file = scene.stage.zone_file
            file.write_text(file.read_text() + f'{DOMAIN}. IN TXT "v=spf1 -all"\n')
        elif held == "frozen":
            scene.run("freeze", DOMAIN)
        scene.stage.map.unlink()
        assert scene.run("apply", "--yes") == (3 if held == "refused" else 0)
        assert scene.signing() == signing

    def test_a_line_that_is_lost(self, scene: Ripe) -> None:
        """A line that a hand took out comes back."""
        signing = scene.signing()
        scene.run("freeze", DOMAIN)
        scene.stage.map.write_text("# nothing\n")
        assert scene.run("apply", "--yes") == 0 and scene.signing() == signing

    def test_with_everything_else(self, scene: Ripe) -> None:
        """Where no key can sign, no empty map is put in its place: mail waits, and does not leave unsigned."""
        scene.run("freeze", DOMAIN)
        scene.stage.map.unlink()
        for path in scene.stage.keys.rglob("*.pem"):
            path.unlink()
        scene.run("apply", "--yes")
        assert not scene.stage.map.exists()


def test_parked(scene: Ripe) -> None:
    """A domain that is parked and has left exim: its keys come to their end as any others do."""
    names = {*scene.of("active"), *scene.of("ready")}
    text = scene.stage.config.read_text()
    scene.stage.config.write_text(text.replace("    provider: file\n", "    provider: file\n    parked: true\n"))
    scene.gone = True
    assert scene.run("confirm", "gone", DOMAIN) == 0
    for pause in (60, 60, 9 * DAY, 120, 8 * DAY, 120):
        scene.now += pause
        scene.passes(1, 120)
    assert {*scene.of("removed")} == names and not names & {*scene.published()} and not names & scene.pems()


def test_what_is_over_wakes_nobody(scene: Ripe) -> None:
    """Once all keys of a domain that left are gone, nothing is pending any more."""
    scene.gone = True
    scene.run("confirm", "gone", DOMAIN)
    for pause in (60, 60, 9 * DAY, 120, 8 * DAY, 120, 30 * DAY):
        scene.now += pause
        scene.passes(1, 120)
    line = scene.line(load(scene.stage.config), read_only=True, environ={}, now=lambda: scene.now)
    _, got = line.plan()
    assert got.wake is None and set(scene.phases().values()) == {"removed"}


def test_a_key_that_exim_signs_with_past_its_time(scene: Ripe) -> None:
    """Where exim does not read the map, status says so once a day is over, with a command that works as it stands, and exit code 1."""
    old = scene.of("active")
    scene.now += 92 * DAY
    scene.passes(1, 0)
    assert not {*old} & {*scene.signing()}
    assert scene.run("status") == 1
    assert f"exim was not seen to use it. If that stays so: dnssync -c {scene.stage.config} exim --install" in told(
        scene
    )


def test_one_answer_a_pass(scene: Ripe) -> None:
    """What lies outside the zones is asked once a pass: deciding again, with new keys in hand, must rest on the same answers."""
    line = scene.line(load(scene.stage.config), read_only=True, environ={}, now=lambda: scene.now)
    replies = iter(((), (Reply("192.0.2.53", Rcode.DATA, ("v=spf1 -all",)),)))
    real = line.resolver.look

    def look(questions: Iterable[Question]) -> dict[Question, Answer]:
        there = [question for question in questions if question.name != "elsewhere.test"]
        return real(there) if there else {question: Answer(question, next(replies)) for question in questions}

    line.resolver.look = look  # type: ignore[method-assign]
    seen = line.observe()
    assert [seen.beyond("elsewhere.test", "TXT") for _ in range(2)] == [None, None]
    assert line.observe().beyond("elsewhere.test", "TXT") == ("v=spf1 -all",)
