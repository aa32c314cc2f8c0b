"""Years in the life of keys, simulated: everything around them fails, and no rule of rotation is ever broken.

The world has its own truth (`life.world`): what each name server shows and since when, and what exim signs with. The rules are
judged by that, not by the stamps that rotation wrote. `make soak` does the same hour by hour, for ten times as many lives.
"""

from __future__ import annotations

import pytest

from tests.life import core_pass, lives
from tests.life.world import DAY, HOUR, START, YEAR

BATCHES, LIVES = 20, 10


@pytest.mark.parametrize("batch", range(BATCHES))
def test_years_of_bad_luck(batch: int) -> None:
    """Under every failure the rules hold, and when the failures end, one key of each kind signs and one stands by."""
    for seed in range(batch * LIVES, (batch + 1) * LIVES):
        lives.life(seed)


def test_calm_years() -> None:
    """Where nothing fails, keys follow each other all by the times that they ask for, and hardly a pass has nothing to do."""
    world = lives.world_of(1, luck=0.0, lifetime=90 * DAY)
    passes = lives.live(world, world.time + 3 * YEAR, longest=YEAR)
    lives.settled(world)
    first = {kind: world.told[f"first signature of {kind} by mx1"] for kind in "re"}
    assert first["r"] >= 12 and first["e"] >= 12
    assert passes < 25 * (first["r"] + first["e"])


def test_one_kind_that_is_stuck() -> None:
    """Where Ed25519 keys never reach one of the name servers, RSA keys follow each other all the same, and mail is signed with them."""
    world = lives.world_of(2, luck=0.0, lifetime=90 * DAY)
    world.servers[0].deaf = frozenset("e")
    lives.live(world, world.time + 3 * YEAR, shortest=8 * HOUR)
    assert world.told["first signature of r by mx1"] >= 12
    assert world.machines[0].kinds() == {"r"} and not world.told["first signature of e by mx1"]


def test_first_key_without_trouble() -> None:
    """Each pass at the moment that the one before asked for: from nothing to keys that sign in an hour, a season and two minutes."""
    world = lives.world_of(3, luck=0.0)
    [machine] = world.machines
    asked = []
    while not machine.signers():
        asked.append(world.time - START)
        wake = core_pass.run(machine)
        assert wake is not None
        world.go_on(wake)
    assert asked == [0, 60, 120, 120 + world.season]
