"""One pass of a host on the pure core alone: observed from the world, decided by the key sets, carried out with every failure."""

from __future__ import annotations

from dataclasses import replace

from dnssync.core import durations
from dnssync.core.clock import Reading, judge
from dnssync.core.guard import SIGNING
from dnssync.core.key_sets import Steps, fallen_back, lines_of, steps_of
from dnssync.core.model import KeyPair, Limits, Phase, RRset, Step, Value
from dnssync.core.observed import Observed, ZoneView
from dnssync.core.policy import DkimPolicy, MailPolicy
from dnssync.core.rotation import COMING, PAST, claimed_keys, phase, rebased, text
from dnssync.core.selectors import made_by
from dnssync.core.sighting import Sight
from dnssync.core.taken_on import made_here, mapped, strays
from tests.life.machine import Machine
from tests.life.world import DOMAIN, HOUR, REVOKED, Died

MARGIN = durations.MARGIN


def run(machine: Machine) -> int | None:
    """One pass. When the next is asked for, in seconds from now; None where nothing is pending."""
    world, now = machine.world, machine.now
    seen, read = observe(machine)
    steps = steps_of(seen)
    lines, fallback = lines_of(seen, steps).get(DOMAIN, ()), fallen_back(seen, DOMAIN, steps) or machine.map
    if world.chance.random() < 0.05:
        pure(machine, seen, steps)
    for step in steps.values():
        judged(machine, seen, step)
    fine = {key.selector for key in seen.keys if phase(key, machine.policy, now) in SIGNING and key.compromised is None}
    signed = {name[8] for name in machine.signers() if name in fine}
    held = not read or world.fails(0.03)  # refused by the guard, for whatever reason
    written = False
    try:
        written = carry_out(machine, seen, steps, held, lines, fallback)
    except Died:
        world.told["died"] += 1
    after_pass(machine, signed, written)
    wakes = [step.wake for step in steps.values() if step.wake is not None]
    return min(wakes) - now if wakes else None


def observe(machine: Machine) -> tuple[Observed, bool]:
    """Everything that the pass sees, and whether the provider's reading of the zone is whole and holds no strange keys."""
    world, now = machine.world, machine.now
    machine.keys = (*machine.keys, *(key for key in machine.intents if key.selector in machine.disk))
    machine.intents.clear()
    season = max((key.season for key in machine.keys), default=0)
    verdict = judge(machine.clock, Reading(now, *machine.uptime()), max(season, HOUR + MARGIN), machine.confirmed)
    keys = machine.keys
    if verdict.jumped is not None:
        keys = rebased(keys, machine.policy, verdict.jumped, now)
    elif verdict.restarted is not None or verdict.restarted is not None:
        keys = rebased(keys, machine.policy, verdict.restarted, now, restarted=True)
    read, limits = not world.fails(0.15), Limits()
    policy = MailPolicy(dkim=DkimPolicy(lifetime=machine.policy.lifetime))
    view = ZoneView(DOMAIN, policy, (DOMAIN,), limits, negative_ttl=world.negative, problem="" if read else "no answer")
    known = {key.selector for key in keys}
    strange = [name for name in world.zone if name not in known and made_by(name, machine.name)]
    if read and (strange or not known.issuperset(machine.map)):
        found = {
            (f"{name}._domainkey", "TXT"): RRset(f"{name}._domainkey", "TXT", HOUR, (Value(record, ""),))
            for name, record in world.zone.items()
        }
        view = replace(view, found={"p": found})
        half, standing = (lambda _, name: machine.disk.get(name)), (lambda _, name: world.zone.get(name, ""))
        keys = (*keys, *mapped({DOMAIN: machine.map}, keys, now, half, standing))
        keys = (*keys, *strays(made_here([view], machine.name), keys, now, half, standing))
        read = not any(name not in machine.disk and name not in {key.selector for key in keys} for name in strange)
    silent = world.fails(0.1)
    sights = {}
    for key in keys:
        if key.removed is None:
            at = phase(key, machine.policy, now)
            wanted = text(key, at) or REVOKED
            sights[(DOMAIN, key.selector)] = world.sight(key.selector, wanted, read, at is Phase.ENDED, silent)
    seen = Observed(
        now=now,
        host=machine.host(),
        zones=(view,),
        keys=keys,
        sights=sights,
        readable=frozenset((DOMAIN, key.selector) for key in keys if machine.openable(key.selector)),
        map={DOMAIN: machine.map} if machine.map else {},
        beyond=lambda name, kind: None,
        clock=verdict,
        host_id=machine.name,
    )
    return seen, read


def carry_out(
    machine: Machine, seen: Observed, steps: Steps, held: bool, lines: tuple[str, ...], fallback: tuple[str, ...]
) -> bool:
    """Keys, DNS, stamps, purge, map, in that order; each may fail or be the last thing done. Whether the map is as decided."""
    world, now, policy = machine.world, seen.now, machine.policy
    old = {key.selector for key in machine.keys}
    machine.keys = (*machine.keys, *(key for key in seen.keys if key.selector not in old))
    machine.may_die()
    made: list[KeyPair] = []
    if not held:
        made = [machine.new_key(algorithm) for step in steps.values() for algorithm in step.generate]
    keys = (*(key for step in steps.values() for key in step.keys), *made)
    if not held:
        named = {*machine.map, *lines}
        claimed = claimed_keys(keys, policy, now, seen.clock.trusted, lambda key: key.selector in named)
        wanted = {key.selector: text(key, phase(key, policy, now)) for key in claimed}
        held = world.fails(0.1)  # an error, with or without effect
        if not held or world.chance.random() < 0.3:
            world.write(machine, wanted)
        machine.may_die()
    machine.save(keys)
    machine.clock, machine.unsettled = seen.clock.kept, False
    machine.noticed = machine.noticed or not any(t.problem for mail in seen.host.domains for t in mail.transports)
    machine.may_die()
    for key in keys if seen.clock.trusted else ():
        if key.removed is not None and key.purged is None:
            machine.disk.pop(key.selector, None)
            machine.lost.pop(key.selector, None)
            machine.may_die()
            machine.keys = tuple(row for row in machine.keys if row.selector != key.selector)  # of no further interest
    if world.fails(0.15):
        return False
    line = fallback if held else lines
    if line and line != machine.map:
        machine.map = line
        machine.maps.append(line)
    return not held


def after_pass(machine: Machine, signed: set[str], written: bool) -> None:
    """The rules that hold after every pass, however it went."""
    world, now = machine.world, machine.now
    if machine.override is None:
        for name in machine.signers():
            if name not in world.by_hand or name not in world.last_signed:
                world.starts(name)
        assert signed <= machine.kinds(), f"mail left with {signed}, and now with {machine.kinds()}"
    if not written:
        return
    rows = {key.selector: phase(key, machine.policy, now) for key in machine.rows()}
    for name in (name for name, at in rows.items() if at is Phase.RETIRED):
        assert world.zone.get(name) == world.keys[name], f"the record of {name} was not put back"
    good = {name for name, at in rows.items() if at is Phase.ACTIVE and machine.openable(name)}
    for kind in {name[8] for name in good}:
        named = [name for name in machine.map if name[8] == kind]
        assert named and all(map(machine.openable, named)), f"{named} in place of {good}"
        assert not any(rows.get(name, Phase.REMOVED) in PAST for name in named), f"{named} is past, and there is {good}"


def pure(machine: Machine, seen: Observed, steps: Steps) -> None:
    """The same input gives the same step, and the same look moves no key twice."""
    assert steps == steps_of(seen)
    stepped = {key.selector: key for step in steps.values() for key in step.keys}
    if any(key.compromised is not None for key in seen.keys):
        return  # such a key changes its record as it retires: what was seen of it is about another text
    again = steps_of(replace(seen, keys=tuple(stepped[key.selector] for key in seen.keys)))
    assert {key.selector: key for step in again.values() for key in step.keys} == stepped


def judged(machine: Machine, seen: Observed, step: Step) -> None:
    """The rules that every single step must keep."""
    now = seen.now
    before = {key.selector: key for key in seen.keys}
    readable = {selector for _, selector in seen.readable}
    assert step.wake is None or step.wake > now
    assert step.because and "None" not in step.because
    assert set(step.sign) <= readable
    phases = {key.selector: phase(key, machine.policy, now) for key in step.keys}
    if step.generate:
        coming = [name for name, at in phases.items() if at in COMING]
        assert len(coming) <= 1 and not set(coming) & readable, "a second one is on its way"
    for new in step.keys:
        old = before[new.selector]
        if old == new:
            continue
        look = seen.sights.get((DOMAIN, old.selector), Sight.UNKNOWN)
        assert new.season >= old.season and new.overlap >= old.overlap
        if look is Sight.UNKNOWN and new.activated == old.activated:
            assert (new.seen, new.published) == (old.seen, old.published), "silence moved a stamp"
        if not seen.clock.trusted and old.compromised is None:
            assert (new.revoked, new.removed) == (old.revoked, old.removed), "it ended by a clock that nobody can trust"
            assert old.retired is not None or new.retired is None
        if new.removed is not None and old.removed is None:
            assert look is Sight.ABSENT
    for name in step.sign:
        if phases[name] is Phase.READY:
            assert seen.sights[(DOMAIN, name)] is Sight.VISIBLE, "switched without a fresh sighting"
        assert phases[name] in (Phase.READY, Phase.ACTIVE, Phase.RETIRED)
