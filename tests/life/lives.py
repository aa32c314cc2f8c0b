"""The lives that are tried: drawn from a seed, with storms in which everything fails and calm weeks between them, and how they end."""

from __future__ import annotations

import random
from collections.abc import Callable

from dnssync.core.rotation import Policy
from tests.life import core_pass
from tests.life.machine import Machine
from tests.life.world import DAY, HOUR, YEAR, World

Run = Callable[[Machine], int | None]
RETRY = Policy().retry
PATIENCE = 4  # passes of which each may change something


def world_of(
    seed: int,
    luck: float = 1.0,
    *,
    lifetime: int | None = None,
    names: tuple[str, ...] = ("mx1",),
    made: Callable[[World, str, Policy], Machine] = Machine,
) -> World:
    """A world drawn from a seed."""
    chance = random.Random(seed)
    world = World(chance, luck, chance.choice((300, HOUR, 3 * HOUR, DAY)), chance.choice((None, 7 * DAY)))
    policy = Policy(lifetime=lifetime or chance.choice((20, 90, 90, 90)) * DAY)
    world.machines = [made(world, name, policy) for name in names]
    return world


def live(
    world: World,
    until: int,
    *,
    shortest: int = 1,
    longest: int = 5 * DAY,
    often: bool = False,
    patient: bool = False,
    run: Run = core_pass.run,
) -> int:
    """Passes of all hosts until that time, each when the one before asked for it, or earlier, or later. How many there were.
    `patient`: where one pass after the other asks for the next within minutes, they come ever more rarely."""
    passes = 0
    due = {machine.name: world.time for machine in world.machines}
    stuck = dict.fromkeys(due, 0)
    while world.time < until:
        machine = min(world.machines, key=lambda m: due[m.name])
        world.go_on(max(due[machine.name] - world.time, 0))
        machine.trouble()
        wake = run(machine)
        passes += 1
        pause = min(wake if wake is not None else longest, longest)
        if world.fails(0.1):
            pause = max(1, int(pause * world.chance.choice((0.01, 0.3, 1.5, 3))))
        elif not often and pause < HOUR and world.fails(0.8):
            pause *= world.chance.choice((4, 16, 48))  # the machine is busy, or asleep
        stuck[machine.name] = stuck[machine.name] + 1 if wake is not None and wake <= RETRY else 0
        if patient and stuck[machine.name] > PATIENCE:
            pause = max(pause, min(RETRY * 2 ** (stuck[machine.name] - PATIENCE), 2 * DAY))
        pause = max(pause, shortest)
        if not often and machine.override is not None:
            pause = max(pause, 2 * DAY if patient else 6 * HOUR)  # that goes on for weeks
        due[machine.name] = world.time + pause
    return passes


def life(
    seed: int,
    *,
    years: float = 3,
    hourly: bool = False,
    sparing: bool = False,
    run: Run = core_pass.run,
    made: Callable[[World, str, Policy], Machine] = Machine,
) -> World:
    """A whole life; raises AssertionError, with the seed, where a rule is broken. `hourly`: a pass every hour at least; `sparing`:
    with as few passes as show the same, since each is dear."""
    if sparing:
        names, lifetime = ("mx1", "mx2") if seed % 10 == 0 else ("mx1",), 20 * DAY if seed % 16 == 3 else 90 * DAY
        world = world_of(seed, lifetime=lifetime, names=names, made=made)
    else:
        world = world_of(seed, names=("mx1", "mx2") if seed % 5 == 0 else ("mx1",), made=made)
    end = world.time + int(years * YEAR)
    try:
        while world.time < end:
            storm = world.time + world.chance.randint(2, 10) * DAY
            live(world, storm, longest=HOUR if hourly else 2 * DAY, often=hourly, patient=sparing, run=run)
            world.luck = 0.0
            for machine in world.machines:
                if machine.noticed and world.chance.random() < 0.6:
                    machine.read_map()
            calm = world.time + world.chance.randint(20, 90) * DAY
            rest = world.chance.choice((1, DAY, 4 * DAY)) if sparing else 1  # a daemon, or a job of every day or week
            longest = HOUR if hourly else 30 * DAY
            live(world, calm, shortest=rest, longest=longest, often=hourly, patient=sparing, run=run)
            world.luck = 1.0
        calm_down(world, run)
        settled(world, run)
    except Exception as error:
        told = str(error) if isinstance(error, AssertionError) else f"{error!r}"
        raise AssertionError(f"seed {seed}: {told}") from error
    return world


def calm_down(world: World, run: Run = core_pass.run) -> None:
    """Failures end, and people have put right what only they can: files are back, exim reads the map, and all goes by wake alone."""
    world.luck = 0.0
    for machine in world.machines:
        machine.confirmed = False
        run(machine)
        machine.bring_back()
        machine.read_map()
    for server in world.servers:
        server.follows = min(server.follows, world.time)
    passes = live(world, world.time + 40 * DAY, longest=20 * DAY, run=run)
    assert passes < 150 * len(world.machines), f"{passes} passes in a month without any trouble"


def settled(world: World, run: Run = core_pass.run) -> None:
    """Every host has settled, or does so within a few passes where a rotation was just under way."""
    for _ in range(20 * len(world.machines)):
        try:
            for machine in world.machines:
                machine.settled()
            return
        except AssertionError:
            live(world, world.time + 1, longest=20 * DAY, run=run)
    for machine in world.machines:
        machine.settled()
