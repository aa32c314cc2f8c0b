"""Keys that are made together: whatever chance does, each has a name that tells it from the others of the pass."""

from __future__ import annotations

import itertools
from pathlib import Path

from dnssync.carry_out import carry_out
from tests.e2e.test_crash import open_folder
from tests.soak_zones import Year

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
