"""Several zones at two providers, written at once by a pass that may end at any moment: the next one puts all right.

No record is written that the state's file does not know to be meant, none stands there that neither ledger nor intent knows, no intent
is lost, and every domain is signed for with keys that stand at each of its providers.
"""

from __future__ import annotations

import logging
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from tests.life.whole_pass import FAST
from tests.life.zones_pass import Town, life

MOST = 400  # moments of a pass


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    """All cores."""
    with ProcessPoolExecutor() as pool:
        yield pool


def folder() -> tempfile.TemporaryDirectory[str]:
    """One in memory, where there is such a thing."""
    return tempfile.TemporaryDirectory(prefix="dnssync-zones-", dir=FAST if FAST.is_dir() else None)


def deaths(kind: str, part: int, parts: int) -> Counter[str]:
    """The first pass that changes records of several zones in this way, ended at each of its moments, and put right by the next."""
    logging.disable()  # thousands of lines about failures that are meant
    with folder() as path:
        town, before, whole = Town(Path(path)), None, None
        for number in range(40):
            before = town.keep(Path(path, f"before {number}"))
            report = town.one()
            assert report is not None
            zones = {o.zone for o in report.outcomes for change in o.changes if change.kind == kind}
            if len(zones) > 2 and (number or kind == "create"):
                break
            town.check()
            if number == 8:
                town.rotate()
            town.now = max(town.wake or 0, town.now + 1)
        else:
            raise AssertionError(f"nothing to {kind}")
        whole = town.healed()
        town.told.clear()
        for moment in range(part, MOST, parts):
            town.put_back(before)
            if town.one(moment) is not None:
                break
            town.check()
            assert town.healed() == whole, f"after a death at moment {moment}"
        else:
            raise AssertionError("it never lived")
        return town.told


@pytest.mark.parametrize("kind", ["create", "update", "delete"])
def test_death_at_every_moment(pool: ProcessPoolExecutor, kind: str) -> None:
    """Before and after every transaction and every request: records that are made, revoked, taken away."""
    told = sum(pool.map(deaths, [kind] * 4, range(4), [4] * 4), Counter[str]())
    assert told["Died"] >= 40 and told["begun together"] and told["ended together"], told


def lived(seed: int) -> Counter[str]:
    """One life."""
    logging.disable()
    with folder() as path:
        return life(Path(path), seed)


def test_lives(pool: ProcessPoolExecutor) -> None:
    """Providers that fail, before or after they did what they were asked, are changed by others, are slow; a daemon that is ended, or dies."""
    told = sum(pool.map(lived, range(6)), Counter[str]())
    assert told["Died"] >= 30 and told["Stopped"] and told["begun together"] and told["ended together"], told
