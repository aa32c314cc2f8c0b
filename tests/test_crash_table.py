"""What may go wrong in the life of a key, case by case: the test that answers for each, and here those that no other file has."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from dnssync.core.durations import DAY
from tests.e2e.test_crash import Mortal
from tests.ripe import DOMAIN, Ripe, grown, open_folder, scene
from tests.test_cli_commands import told

__all__ = ["grown", "open_folder", "scene"]

ROOT = Path(__file__).parents[1]
KILLED = "tests/e2e/test_killed.py::test_killed_at_every_side_effect"
ROTATION, ROTATE, FAULTS = "tests/e2e/test_rotation.py::", "tests/test_rotate.py::", "tests/e2e/test_faults.py::"
CORE, HEIRS = "tests/core/test_rotation.py::", "tests/core/test_rotation_succession.py::"
ENDS, HERE = "tests/test_key_ends.py::", "tests/test_crash_table.py::"
ROWS: dict[str, tuple[str, ...]] = {
    "a key is made, its row is not kept": (KILLED, "tests/e2e/test_crash.py::test_death_at_every_step", HERE + "test_a_file_of_nobody"),
    "the provider wrote, nothing was noted": (KILLED, FAULTS + "TestSomebodyElse::test_connection_lost_after_the_write"),
    "DNS is written, exim's map is not": (KILLED, "tests/e2e/test_crash.py::test_a_failed_zone_keeps_its_map_line"),
    "the provider said yes, and the record is not there": (HERE + "test_a_yes_that_is_not_meant",),
    "the provider is down in the middle": (
        ROTATION + "test_the_provider_is_down_in_the_middle",
        "tests/e2e/test_gandi.py::test_a_token_that_ends_in_the_middle",
        "tests/providers/test_http.py::TestPatience::test_as_long_as_is_asked_for",
    ),
    "a name server lags, is lame, is silent": (
        ROTATION + "test_two_rotations_in_a_row",
        CORE + "TestFirstKey::test_missing_anywhere_takes_the_stamps_back",
        CORE + "TestFirstKey::test_unknown_changes_nothing",
        "tests/test_resolver.py::test_no_answer_is_unknown",
    ),
    "exim's map is written, nothing was noted": (KILLED,),
    "exim does not read our map": (FAULTS + "TestExim::test_not_switched", HEIRS + "TestSuccession::test_nothing_is_retired_without_proof"),
    "the key that signs is lost or closed": (
        HEIRS + "TestSuccession::test_lost_key_gives_way_to_its_heir_before_time",
        HEIRS + "TestSuccession::test_lost_key_gives_way_to_the_one_before_it",
        CORE + "TestActive::test_lost_private_half",
        "tests/test_keystore.py::TestProblem::test_closed_to_exim",
    ),
    "one of both kinds is lost": ("tests/core/test_decide.py::TestMapLine::test_a_lost_private_half_takes_it_out",),
    "the clock jumps forward": (ENDS + "TestClock::test_a_jump", "tests/core/test_clock.py::test_within_one_boot"),
    "the clock jumps back": (
        CORE + "TestFirstKey::test_clock_going_back",
        "tests/core/test_clock.py::test_waits_begin_anew",
        ENDS + "TestClock::test_who_signs_is_who_signed",
    ),
    "two hosts, one domain": (ENDS + "TestHost::test_another_host_was_here_first",),
    "two processes, one host": (FAULTS + "TestOneAtATime::test_two_applies", "tests/test_lock.py::test_the_loser_says_who"),
    "a state from before, a copied machine": (
        ENDS + "TestHost::test_keys_of_nobody",
        "tests/test_copies.py::test_an_older_state",
        "tests/test_copies.py::test_two_rotations",
        "tests/test_identity.py::TestCopy::test_stops",
    ),
    "the state is lost": ("tests/e2e/test_state_lost.py::test_keys_are_taken_on_again",),
    "a person takes a rotation back": (ROTATION + "test_a_person_changes_his_mind", ROTATE + "TestAbort::test_back"),
    "a key in wrong hands": (ROTATION + "test_emergency", ROTATE + "TestEmergency::test_at_once"),
    "a key in wrong hands, and no standby": (ROTATE + "TestEmergency::test_never_with_a_key_that_nobody_can_see",),
    "the first key of a domain": ("tests/e2e/test_straight_line.py::test_the_article", CORE + "TestFirstKey::test_the_whole_way"),
    "a domain leaves exim": (ENDS + "test_gone_for_good",),
    "somebody edits our record": (HERE + "test_somebody_edits_a_record", FAULTS + "TestSomebodyElse::test_our_record_edited_between"),
    "somebody deletes our record": (HERE + "test_somebody_deletes_records", ENDS + "test_revoked_by_somebody_else"),
    "the disk is full": ("tests/e2e/test_crash.py::test_full_disk",),
    "a wildcard answers for every name": ("tests/test_resolver.py::test_other_by_wildcard",),
    "the guard holds the zone": (HERE + "test_a_held_zone_does_not_go_unseen", ROTATE + "TestEmergency::test_a_zone_that_is_held"),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS)
def test_somebody_answers_for_it(row: str) -> None:
    """Each case names tests that there are."""
    for node in ROWS[row]:
        file, *names = node.split("::")
        body: list[ast.stmt] = ast.parse((ROOT / file).read_text()).body
        for name in names:
            [found] = [each for each in body if isinstance(each, ast.FunctionDef | ast.ClassDef) and each.name == name]
            body = found.body


def test_a_file_of_nobody(scene: Ripe) -> None:
    """A private key that neither the state nor DNS knows is no key of ours, and stays where it is."""
    pem = next(scene.stage.keys.rglob("*.pem"))
    stray = pem.with_name("20200101r-mx-zzzz.pem")
    stray.write_bytes(pem.read_bytes())
    before = scene.phases()
    scene.passes(3, 5000)
    assert stray.exists() and scene.phases() == before and stray.stem not in scene.published()


def test_a_yes_that_is_not_meant(open_folder: Path) -> None:
    """A provider that takes a write and forgets it: no key gets on, exim is told of none, and it is written again each time."""
    made = Ripe(open_folder / "scene")
    real = made.line

    class Forgetful:
        def __init__(self, zones: object) -> None:
            self.zones = zones

        def __getattr__(self, name: str) -> object:
            return getattr(self.zones, name)

        def provider(self, name: str) -> object:
            one = self.zones.provider(name)  # type: ignore[attr-defined]

            class Provider(Mortal):
                @staticmethod
                def write(zone: str, changes: object) -> tuple[str, ...]:
                    return ()

            return Provider(one, (), made.fate)

    def line(config: object, **options: object) -> object:
        parts = real(config, **options)
        parts.zones = Forgetful(parts.zones)
        return parts

    with made.served():
        made.line = line  # type: ignore[method-assign]
        for _ in range(4):
            assert made.run("apply", "--yes") == 0
            made.now += 5000
        assert made.published() == {} and made.signing() == []
        assert {*made.phases().values()} == {"generated"} and len(made.pems()) == 2
        assert made.run("plan") == 2
        made.line = real  # type: ignore[method-assign]
        made.passes(5, 5000)
        assert len(made.of("active")) == 2


def test_somebody_deletes_records(scene: Ripe) -> None:
    """Every key's record taken out: all come back in the next pass; the active keys sign on, the standbys wait a whole season anew."""
    active, ready = scene.of("active"), scene.of("ready")
    file = scene.stage.zone_file
    file.write_text(re.sub(r"(?m)^\S+\._domainkey[^(\n]*(\([^)]*\))?.*\n", "", file.read_text()))
    assert scene.published() == {}
    assert scene.run("apply", "--yes") == 0, scene.told.getvalue()
    assert {*scene.published()} == {*active, *ready} and scene.signing() == active
    assert scene.of("active") == active and scene.of("generated") == ready
    scene.passes(1, 60)
    scene.now += 60
    scene.passes(1, 0)
    assert scene.of("published") == ready
    scene.now += 4200
    assert scene.of("ready") == ready


def test_somebody_edits_a_record(scene: Ripe) -> None:
    """Another text at a selector of ours: it is told with both texts, and however often a pass runs, exim signs, with the standby,
    since nobody can verify what the edited one signs."""
    [selector, other], [heir, _] = scene.of("active"), scene.of("ready")
    file = scene.stage.zone_file
    text = file.read_text()
    there = next(row for row in text.splitlines() if row.startswith(f"{selector}._domainkey"))
    file.write_text(text.replace(there, f'{selector}._domainkey 3600 IN TXT "v=DKIM1; k=ed25519; p=AAAA"'))
    assert scene.run("plan") in (2, 3)
    assert selector in told(scene) and "p=AAAA" in told(scene)
    scene.passes(2, 5000)
    assert scene.signing() == sorted([heir, other]) and {heir, other} == {*scene.of("active")}
    scene.check_others()


def test_a_held_zone_does_not_go_unseen(scene: Ripe) -> None:
    """What the guard refuses keeps the keys as they are, past their time too; every pass and `status` say so by their exit codes."""
    active, ready = scene.of("active"), scene.of("ready")
    file = scene.stage.zone_file
    text = file.read_text()
    file.write_text(text + f'{DOMAIN}. IN TXT "v=spf1 -all"\n')
    for _ in range(3):
        scene.now += 40 * DAY
        assert scene.run("apply", "--yes") == 3
        assert scene.run("status") == 1 and "refused" in told(scene)
        assert scene.signing() in (active, ready)
        scene.check()
    file.write_text(text)
    scene.passes(4, 5000)
    assert scene.of("active") == ready
