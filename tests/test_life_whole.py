"""The same lives with all of dnssync but its edges: observed, decided and carried out with a real state, in memory, and a real map.

Rules and world are those of `test_life`; here the process may also end at every call of the provider, the resolver, the keystore and
before and after every transaction of the state. After a storm, passes come as they are asked for (as those of a daemon), or once a
day or every four days (as those of a job); `make soak` has one every hour.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.life import whole_pass

BATCHES, LIVES = 20, 10


def tried(seed: int) -> int:
    """One life; how many keys of the first host signed in it."""
    logging.disable()  # thousands of lines about failures that are meant
    told = whole_pass.life(seed)
    return sum(told[f"first signature of {kind} by mx1"] for kind in "re")


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    """All cores."""
    with ProcessPoolExecutor() as pool:
        yield pool


@pytest.mark.parametrize("batch", range(BATCHES))
def test_years_of_bad_luck(pool: ProcessPoolExecutor, batch: int) -> None:
    """Storms in which everything fails, calm months, and keys that have settled: no rule is broken, and no pass gives up for good."""
    for signed in pool.map(tried, range(batch * LIVES, (batch + 1) * LIVES)):
        assert signed >= 20
