"""The pure middle of the straight line: advance → desire → plan → guard, for all zones of one pass.

What was observed comes in as one frozen value, what is to be done goes out as another; `reconcile` gathers the first
and carries out the second. Called twice with the same input it decides the same: `apply` relies on that when it
decides again after new keys have been made.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

from dnssync.core import births, rotation
from dnssync.core.carried import not_carried
from dnssync.core.desire import desire, reports_of
from dnssync.core.desire_dmarc import parked_before
from dnssync.core.first_time import kept
from dnssync.core.guard import Case, judge, notices, refusals
from dnssync.core.homes import Homes, homes_of, key_zone, zones_above
from dnssync.core.key_sets import fallen_back, left, lines_of, placeholder, policy_of, steps_of
from dnssync.core.model import Claim, KeyPair, Notice, Refusal, RRset, Step, kind_of
from dnssync.core.observed import Observed, ZoneView
from dnssync.core.ownership import Ledger
from dnssync.core.pass_notices import (
    compromised,
    differing,
    frozen,
    living,
    not_delegated,
    other_machine,
    short_keys,
    shut,
    switched,
    unknown_keys,
    unusable,
)
from dnssync.core.plan import Intent, Plan, diff, overlay
from dnssync.core.wish import ReportsElsewhere, Wish
from dnssync.core.zone_view import Zone, dns_of


@dataclass(frozen=True, slots=True)
class ZonePlan:
    """One zone at one provider: the plan, what it rests on, and what the guard says of it."""

    plan: Plan
    claims: tuple[Claim, ...]
    added: Mapping[tuple[str, str], str]
    found: Zone
    wanted: tuple[RRset, ...]
    ledger: Ledger
    notices: tuple[Notice, ...]
    refusals: tuple[Refusal, ...]

    @property
    def unrecorded(self) -> tuple[Claim, ...]:
        """Claims that DNS fulfils already, but the ledger does not know yet: a stamp to write, no change."""
        return tuple(
            claim
            for claim in self.claims
            if claim.value is not None and (claim.name, claim.type, claim.owner) not in self.ledger
        )


@dataclass(frozen=True, slots=True)
class Decision:
    """What this pass does. `keys` carry their new stamps; `map_after` is the whole signing map, `map_held` what it says of a
    domain whose zone gets nothing (`held`, by domain); `failed` the zones that could not be read, with a sentence each, `partly` those that could be at some of their
    providers only; `steps` by (domain, kind). `turn`: the key sets whose turn it is to get a key that nobody waits for, None where all get theirs;
    `waiting`: how many keys are to be made later."""

    now: int
    zones: tuple[ZonePlan, ...]
    failed: Mapping[str, str]
    keys: tuple[KeyPair, ...]
    steps: Mapping[tuple[str, str], Step]
    map_before: Mapping[str, tuple[str, ...]]
    map_after: Mapping[str, tuple[str, ...]]
    notices: tuple[Notice, ...]
    partly: Mapping[str, str] = field(default_factory=dict)
    map_held: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    held: frozenset[str] = frozenset()
    turn: frozenset[tuple[str, str]] | None = None
    waiting: int = 0

    @property
    def changes(self) -> bool:
        """Whether anything at all would be written for zones that are not refused."""
        return self.map_before != self.map_after or any(not z.plan.empty for z in self.zones if not z.refusals)

    @property
    def unread(self) -> dict[str, str]:
        """What could not be read: all of `failed` and `partly`."""
        return {**self.failed, **self.partly}

    @property
    def refused(self) -> bool:
        """Whether the guard said no to any zone."""
        return any(z.refusals for z in self.zones)

    @property
    def born(self) -> int:
        """How many keys this pass makes of those that nobody waits for."""
        held = {plan.plan.zone for plan in self.zones if plan.refusals}
        intents = {intent for plan in self.zones if plan.plan.zone not in held for intent in plan.plan.intents}
        return len({(intent.domain, kind_of(intent.algorithm)) for intent in intents} & (self.turn or frozenset()))

    @property
    def wake(self) -> int | None:
        """When the next thing can happen by itself, None where nothing is pending."""
        later = self.now + rotation.Policy().retry  # where a zone gets nothing, nothing is done in a minute either
        wakes = [(step.wake, domain in self.held) for (domain, _), step in self.steps.items() if step.wake is not None]
        return min((max(wake, later) if held else wake for wake, held in wakes), default=None)


def decide(seen: Observed) -> Decision:
    """One pass, decided. Refused and failed zones keep their lines in exim's map, frozen domains what still signs of theirs."""
    homes = homes_of(seen)
    wanted = steps_of(seen)
    steps, turn, waiting = births.in_turn(seen, wanted, _refusing(seen, homes, wanted))
    keys, lines, whole = _basis(seen, homes, steps)
    plans = [plan for view in seen.zones if not view.problem for plan in _zone(seen, view, whole)]
    held = {p.plan.zone for p in plans if p.refusals} | {
        view.zone for view in seen.zones if view.problem or view.unread
    }
    stopped = homes.stopped(held)
    gone = left(seen)
    standing = {domain: selectors for domain, selectors in seen.map.items() if domain not in gone}
    named = ({*homes.views, *(domain for domain, _ in steps)} & {*standing, *lines}) - gone  # of others nothing is said
    fallback = {domain: fallen_back(seen, domain, steps) or standing.get(domain, ()) for domain in named}
    fallback = {domain: selectors for domain, selectors in fallback.items() if selectors}
    after = dict(standing)
    for domain, selectors in lines.items():
        if domain in stopped:
            selectors = fallback.get(domain, ())
        if selectors and domain not in gone:
            after[domain] = selectors
    return Decision(
        now=seen.now,
        zones=tuple(plans),
        failed={view.zone: view.problem for view in seen.zones if view.problem},
        partly={v.zone: " ".join(v.unread.values()) for v in seen.zones if v.unread and not v.problem},
        keys=keys,
        steps=steps,
        map_before=dict(seen.map),
        map_after=after,
        map_held=fallback,
        held=stopped,
        turn=turn,
        waiting=waiting,
        notices=(
            *seen.notices,
            *seen.clock.notices,
            *unusable(seen),
            *compromised(seen, steps),
            *switched(seen, lines),
            *frozen(seen),
            *shut(seen),
            *living(seen),
            *births.told(waiting + seen.earlier[1], (seen.births or 0) + seen.earlier[0], seen.now),
            *differing([(plan.plan.zone, plan.plan.provider, plan.claims) for plan in plans]),
        ),
    )


# --- zones ------------------------------------------------------------------------------------------------------


def _basis(
    seen: Observed, homes: Homes, steps: Mapping[tuple[str, str], Step]
) -> tuple[tuple[KeyPair, ...], dict[str, tuple[str, ...]], _Whole]:
    """What follows from the steps: the keys with their new stamps, the lines in exim's map, and what the plans of all zones rest on."""
    stepped = {(key.domain, key.selector): key for key in seen.keys}
    intents: dict[str, tuple[Intent, ...]] = {}
    for (domain, _), step in steps.items():
        stepped.update({(key.domain, key.selector): key for key in step.keys})
        intents[domain] = (*intents.get(domain, ()), *(Intent(domain, algorithm) for algorithm in step.generate))
    keys, lines = tuple(stepped.values()), lines_of(seen, steps)
    return keys, lines, _whole(seen, homes, keys, intents, lines)


def _refusing(seen: Observed, homes: Homes, steps: Mapping[tuple[str, str], Step]) -> Callable[[str], bool]:
    """Whether the zone that holds a domain's keys gets nothing, were all keys made that these steps want."""
    zones = {view.zone: view for view in seen.zones}
    whole = cache(lambda: _basis(seen, homes, steps)[2])
    refused = cache(lambda zone: any(plan.refusals for plan in _zone(seen, zones[zone], whole())))
    return lambda domain: refused(homes.keyed[domain].zone)


@dataclass(frozen=True, slots=True)
class _Whole:
    """What the plans of all zones rest on: which zone holds whose records, each zone's keys, new keys by domain, lines in exim's map, domains none of whose keys will
    sign again, one reading of each zone, the zones that no reading shows whole, the DMARC reports that leave their domains, and the domains that were parked when their SPF was written."""

    homes: Homes
    keys: Mapping[str, tuple[KeyPair, ...]]
    intents: Mapping[str, tuple[Intent, ...]]
    lines: Mapping[str, tuple[str, ...]]
    leaving: frozenset[str]
    found: dict[str, Zone]
    partial: frozenset[str]
    reports: tuple[ReportsElsewhere, ...]
    unparked: frozenset[str]


def _whole(
    seen: Observed,
    homes: Homes,
    keys: tuple[KeyPair, ...],
    intents: Mapping[str, tuple[Intent, ...]],
    lines: Mapping[str, tuple[str, ...]],
) -> _Whole:
    names = seen.configured or {view.zone for view in seen.zones}
    mine: dict[str, list[KeyPair]] = {}
    for key in keys:
        # Of a domain that is no mail domain any more, the record of an old key is revoked, and goes, all the same.
        past = rotation.phase(key, rotation.Policy(), seen.now) in rotation.PAST
        zone = key_zone(key, names)
        if zone is not None and (past or key.domain in homes.views):
            mine.setdefault(zone, []).append(key)
            # Nor does its former record stay valid, in a zone that held the domain's keys before they got one of their own.
            for above in zones_above(zone, names) if past else ():
                mine.setdefault(above, []).append(key)
    return _Whole(
        homes=homes,
        keys={zone: tuple(held) for zone, held in mine.items()},
        intents=intents,
        lines=lines,
        leaving=frozenset(k.domain for k in keys) - {k.domain for k in keys if k.retired is None},
        found={view.zone: found for view in seen.zones for found in list(view.found.values())[:1]},
        partial=frozenset(view.zone for view in seen.zones if not (view.limits.reads and view.limits.complete)),
        reports=reports_of(seen.policies, seen.frozen) if seen.reports is None else seen.reports,
        unparked=frozenset(
            domain for domain, view in homes.views.items() if parked_before(domain, view.zone, view.ledger.values())
        ),
    )


def _zone(seen: Observed, view: ZoneView, whole: _Whole) -> list[ZonePlan]:
    """The plan of one zone at each of its providers."""
    domains, signing, reporting = (
        tuple(domain for domain in names if domain not in seen.frozen)
        for names in (view.domains, whole.homes.keys.get(view.zone, ()), whole.homes.dmarc.get(view.zone, ()))
    )
    named_here = whole.homes.keys.get(view.zone, ())  # in exim's map
    policy, lines = policy_of(view), whole.lines
    held = whole.keys.get(view.zone, ())
    mine = tuple(key for key in held if key.domain not in seen.frozen)
    new = tuple(intent for domain in signing for intent in whole.intents.get(domain, ()))

    def named(key: KeyPair) -> bool:
        return key.selector in (*seen.map.get(key.domain, ()), *lines.get(key.domain, ()))

    claimed = rotation.claimed_keys(mine, policy, seen.now, seen.clock.trusted, named)
    phases = {(key.domain, key.selector): rotation.phase(key, policy, seen.now) for key in held}
    plans = []
    for provider, found in view.found.items():
        ledger = view.ledger.get(provider, {})
        wanted_now = desire(
            Wish(
                zone=view.zone,
                policy=view.policy,
                domains=domains,
                host=seen.host,
                found=found,
                keys=(*claimed, *(placeholder(intent, seen.now) for intent in new)),
                phases=phases,
                ledger=ledger,
                limits=view.limits,
                dns=dns_of(ChainMap({view.zone: found}, whole.found), seen.beyond, whole.partial),
                policies=seen.policies,
                reports=whole.reports,
                remembered=seen.remembered,
                confirmed=seen.confirmed,
                frozen=seen.frozen,
                host_id=seen.host_id,
                leaving=whole.leaving,
                signing=signing,
                reporting=reporting,
                configured=seen.configured,
                elsewhere=tuple(
                    (view.found.get(other, {}), view.ledger.get(other, {}))
                    for other in {**view.found, **view.ledger}  # of one that cannot be read, what was written last
                    if other != provider
                ),
                unparked=whole.unparked,
            )
        )
        first = kept(seen, view, wanted_now.claims, found, ledger, new)
        wanted = overlay(found.values(), first.claims, ledger)
        changes = diff(found.values(), wanted)
        map_lines = tuple(sorted((d, lines[d]) for d in named_here if lines.get(d) and seen.map.get(d) != lines[d]))
        plan = Plan(view.zone, provider, changes, map_lines, new)
        unsafe = not_carried(view.limits, plan, first.claims)
        after = {rrset.key: rrset for rrset in wanted}
        findings = judge(
            Case(
                plan=plan,
                found=found,
                claims=first.claims,
                ledger=ledger,
                keys=mine,
                phases=phases,
                map_before={domain: seen.map[domain] for domain in named_here if domain in seen.map},
                map_after={domain: lines.get(domain) or seen.map.get(domain, ()) for domain in named_here},
                senders=wanted_now.senders,
                dns=dns_of(ChainMap({view.zone: after}, whole.found), seen.beyond, whole.partial),
                adopt=view.adopt and seen.attended,
                agreed=view.agreed.get(provider, frozenset()),
                known_before=view.known_before if ledger else 0,
            )
        )
        plans.append(
            ZonePlan(
                plan=plan,
                claims=first.claims,
                added=wanted_now.added,
                found=found,
                wanted=wanted,
                ledger=ledger,
                notices=tuple(
                    dict.fromkeys(
                        (
                            *view.limits.notices,
                            *first.notices,
                            *wanted_now.notices,
                            *short_keys(view, new, seen.policies),
                            *notices(findings),
                        )
                    )
                ),
                refusals=tuple(
                    dict.fromkeys(
                        (
                            *other_machine(seen, view),
                            *unknown_keys(seen, view),
                            *not_delegated(view),
                            *first.refusals,
                            *wanted_now.refusals,
                            *unsafe,
                            *refusals(findings),
                        )
                    )
                ),
            )
        )
    return plans
