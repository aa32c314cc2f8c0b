"""Keys that are made together: whatever chance does, each has a name that tells it from the others of the pass, and one that cannot be
made is its own zone's trouble."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from dnssync.carry_out import carry_out
from dnssync.errors import DnssyncError
from dnssync.new_keys import note_machine
from tests.e2e.test_crash import open_folder
from tests.faults import full_disk
from tests.soak_zones import Exim, Year

__all__ = ["open_folder"]


def test_names_that_meet_by_chance(open_folder: Path) -> None:
    """Of three domains whose keys would get one name, each gets a name of its own, and what was shown is what is written."""
    year = Year(open_folder, 3)
    line = year.line(year.config)
    seen, shown = line.plan()
    tokens = itertools.chain(["aaaa"] * 6, ("aaab", "aaac", "aaad", "aaae", "aaaf"), itertools.repeat("zzzz"))
    report = carry_out(line, seen, shown, token=lambda: next(tokens))
    assert not report.failed and not report.refused
    assert len({key.selector for key in report.made}) == len(report.made) == 6


def test_one_that_cannot_be_made_after_another_of_its_zone(open_folder: Path) -> None:
    """Where the second domain of a zone can have no key, what was made for the first stays for the next pass; the zone fails once, the
    other zone is written, and what was shown of it is what is written."""
    year = Year(open_folder, 2)
    year.exim = Exim(["zone0.test", "zone1.test", "sub.zone0.test"], year.config.exim.map, year.keystore)
    line = year.line(year.config)
    seen, shown = line.plan()
    (open_folder / "keys").mkdir()
    (open_folder / "keys" / "sub.zone0.test").write_text("no folder\n")
    report = carry_out(line, seen, shown)
    [told] = [outcome for outcome in report.outcomes if outcome.error]
    assert told.zone == "zone0.test" and "no new key can be made for sub.zone0.test" in told.error
    made = {key.domain for key in report.made}
    assert made == {"zone0.test", "zone1.test"} and [o.zone for o in report.outcomes if o.changes] == ["zone1.test"]
    assert line.state.unfinished_keys() == ()
    before = {key.selector for key in line.state.keys()}
    (open_folder / "keys" / "sub.zone0.test").unlink()
    year.now += 60
    report = carry_out(line, *line.plan())
    assert not report.failed and {key.domain for key in report.made} == {"sub.zone0.test"}
    assert before < {key.selector for key in line.state.keys()}


def test_no_room_for_any(open_folder: Path) -> None:
    """A full disk is no single domain's trouble: the pass ends there, and nothing was written in DNS."""
    year = Year(open_folder, 2)
    keys = open_folder / "keys"
    keys.mkdir()
    before = {name: dict(year.dns._zones[name]) for name in ("zone0.test", "zone1.test")}
    with full_disk(keys) as fill:
        year.keystore.name_host("mx")
        line = year.line(year.config)
        seen, shown = line.plan()
        note_machine(line, seen.host.hostname)
        fill()
        with pytest.raises(DnssyncError, match=r"Make room|ulimit -f"):
            carry_out(line, seen, shown)
        assert {name: dict(year.dns._zones[name]) for name in before} == before
