"""The same lives with all of dnssync but its edges: observed, decided and carried out with a real state and a real map.

Rules and world are those of `test_life`; here the process may also end at every call of the provider, the resolver, the keystore and
before and after every transaction of the state.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.life import lives, whole_pass
from tests.life.world import START

FAST = Path("/dev/shm")  # the state is synced to disk all the time
LIVES = 10


@pytest.mark.parametrize("seed", range(LIVES))
def test_months_of_bad_luck(seed: int) -> None:
    """A storm in which everything fails, calm months, and keys that have settled: no rule is broken, and no pass gives up for good."""
    with tempfile.TemporaryDirectory(prefix="dnssync-life-", dir=FAST if FAST.is_dir() else None) as folder:
        world = lives.life(
            seed,
            years=0.25,
            run=whole_pass.run,
            made=lambda world, name, policy: whole_pass.Office(world, name, policy, Path(folder)),
        )
    assert world.time > START
    assert world.told["first signature of r by mx1"] and world.told["first signature of e by mx1"]
