"""Zones whose providers need not be asked: nothing is pending there, and the name servers show what was written.

DNS is the cheap truth. A zone that was in order is taken for what the ledger says of it; where all that is wanted is in the ledger, and
the authoritative servers show that, the pass is done with it. Everything else is read at the provider: what is pending, what
differs, what a person said something about, and once in `schedule.deep` every zone, since strangers' records, and ours beside
them, are only seen there. Name servers that do not answer make no zone less quiet; those that do are believed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING

from dnssync.beyond import Once
from dnssync.config import ZoneConfig
from dnssync.config_check import Schedule
from dnssync.core.attention import LOOKED_UP, NOTICE, UNREAD, about, needs_person
from dnssync.core.decide import Decision
from dnssync.core.durations import spread
from dnssync.core.homes import key_zone
from dnssync.core.key_sets import policy_of
from dnssync.core.model import Limits, Owner, RRset, Value, absolute
from dnssync.core.observed import Observed, ZoneView
from dnssync.core.ownership import Applied, sight_of
from dnssync.core.rotation import BY_READING, phase
from dnssync.core.sighting import Answer, Question, Sight
from dnssync.noted import Noted
from dnssync.resolver import Resolver
from dnssync.state import LedgerEntry, State, ZoneRecord

if TYPE_CHECKING:
    from dnssync.reconcile import Line

Told = tuple[str, str, str]  # a zone, the reason of a notice, and the name that it is about
SOME = 20  # zones that are read in one pass for being due, however few there are


def deep_due(record: ZoneRecord, deep: int) -> int:
    """When a zone is to be read at its provider though all is quiet, in seconds since 1970: between half of `deep` and the whole of it
    after the last reading, whoever made it, by a hash of its name, so that ten thousand zones do not fall due together."""
    return record.last_read + spread(record.zone, deep)


def patient(records: Mapping[str, ZoneRecord], zones: Collection[str], schedule: Schedule, now: int) -> frozenset[str]:
    """The zones that are due to be read at their providers, and wait for a later pass: twice as many as fall due in a pass when all goes its way are
    read in one, those first that have been due for longest. So a host that was off for days does not ask for ten thousand zones at once."""
    due = sorted(
        (at, zone)
        for zone in zones
        if (record := records.get(zone)) is not None and record.result == "ok"  # others are read whatever is due
        if (at := deep_due(record, schedule.deep)) <= now or record.last_read > now
    )
    even = len(zones) * schedule.interval / max(1, schedule.deep // 2)
    return frozenset(zone for _, zone in due[max(SOME, ceil(2 * even)) :])


def calm(
    line: Line,
    chosen: Iterable[ZoneConfig],
    now: int,
    confirmed: frozenset[tuple[str, str]],
    kept: Noted,
    patient: Collection[str] = (),
    *,
    decided: bool = True,
) -> frozenset[str]:
    """The zones that may be taken for what the ledger says of them, until DNS or the decision says otherwise. `patient`: those that
    are not read for being due. `decided`: they are decided about, so that what is found by look-ups may be found to be over without a reading."""
    chosen = tuple(chosen)
    troubles = line.state.troubles([zone.name for zone in chosen])
    apart = UNREAD if decided else UNREAD - LOOKED_UP
    troubled = {
        row.zone
        for row in troubles
        if row.ended is None and needs_person(row.kind, row.reason) and not (row.kind == NOTICE and row.reason in apart)
    }
    deep = line.config.schedule.deep

    def good(zone: ZoneConfig) -> bool:
        record = kept.records.get(zone.name)
        if record is None or record.result != "ok" or zone.name in troubled or ("servers", zone.name) in confirmed:
            return False
        due = now >= deep_due(record, deep) or record.last_read > now  # by a clock that has gone back since
        if (due and zone.name not in patient) or not line.zones.limits(zone.name).reads:
            return False
        held = {entry.provider for entry in kept.ledger.get(zone.name, ())}
        return held == {*zone.providers} and not kept.unfinished.get(zone.name)

    return frozenset(zone.name for zone in chosen if good(zone))


def as_read(limits: Limits, record: ZoneRecord | None) -> Limits:
    """The limits of a zone's providers, with the TTL bounds that its last whole reading told."""
    if record is None or record.min_ttl is None or record.max_ttl is None:
        return limits
    return replace(limits, min_ttl=record.min_ttl, max_ttl=record.max_ttl)


def as_noted(view: ZoneView, entries: Iterable[LedgerEntry], record: ZoneRecord | None = None) -> ZoneView:
    """The zone as the ledger has it: ours alone is there, and of everything else nothing is known. `record`: its last reading, from which
    the providers' TTL bounds are, since some tell theirs of each zone when that is read."""
    found: dict[str, dict[tuple[str, str], RRset]] = {}
    for e in entries:
        there = found.setdefault(e.provider, {})
        ttl = e.ttl if e.ttl >= 0 else view.policy.ttl
        held = there.get((e.name, e.type))
        value = Value(e.value, e.value)
        there[(e.name, e.type)] = (
            replace(held, values=(*held.values, value)) if held else RRset(e.name, e.type, ttl, (value,))
        )
    ledger = {
        provider: {(e.name, e.type, e.owner): e.applied for e in entries if e.provider == provider}
        for provider in found
    }
    limits = as_read(replace(view.limits, complete=False), record)
    return replace(view, found=found, ledger=ledger, limits=limits)


def unread(state: State, zones: Collection[str]) -> frozenset[Told]:
    """What needs a person in these zones, goes on, and is found without a reading."""
    rows = state.troubles(zones) if zones else ()
    return frozenset(
        (row.zone, row.reason, row.subject)
        for row in rows
        if row.ended is None and row.kind == NOTICE and row.reason in UNREAD
    )


def loud(
    seen: Observed, got: Decision, resolver: Resolver | Once, goes_on: frozenset[Told] = frozenset()
) -> frozenset[str]:
    """Of the zones that were taken as noted, those that have to be read at their providers after all. `goes_on`: as `unread` says."""
    views = {view.zone: view for view in seen.zones if view.zone in seen.noted}
    found = {
        plan.plan.zone
        for plan in got.zones
        if plan.plan.zone in views and (plan.refusals or not plan.plan.empty or plan.plan.map_lines or plan.unrecorded)
    }
    # What a person is told of a zone rests on what stands there, and begins, and is over, with the pass that finds it.
    told = {
        (plan.plan.zone, notice.reason, about(notice.sentence))
        for plan in got.zones
        for notice in plan.notices
        if plan.plan.zone in views and needs_person(NOTICE, notice.reason)
    }
    found |= {zone for zone, _, _ in told ^ goes_on}
    before = {(key.domain, key.selector): key for key in seen.keys}
    for key in got.keys:
        view = views.get(key_zone(key, seen.configured) or "")
        moved = before.get((key.domain, key.selector)) != key
        if view is not None and (moved or phase(key, policy_of(view), seen.now) in BY_READING):
            found.add(view.zone)
    return frozenset(found | _unlike(views, set(views) - found, resolver))


def _unlike(views: Mapping[str, ZoneView], zones: Iterable[str], resolver: Resolver | Once) -> set[str]:
    """The zones in which some name server shows something else than the ledger has."""
    asked: dict[Question, tuple[Owner, Applied]] = {}
    for zone in zones:
        for ledger in views[zone].ledger.values():
            for (name, kind, owner), noted in ledger.items():
                asked[Question(absolute(name, zone), kind, zone)] = (owner, noted)
    found = set()
    for question, answer in resolver.look(list(asked)).items():
        # One server that is silent for months must not hide what all the others show.
        told = replace(answer, replies=tuple(reply for reply in answer.replies if reply.answered))
        if told.replies and not stands(*asked[question], told):
            found.add(question.zone)
    return found


def stands(owner: Owner, noted: Applied, answer: Answer) -> bool:
    """Whether name servers show what was written, and that alone of its kind: not behind a CNAME, where nothing may stand beside it."""
    return not answer.aliases and sight_of(owner, answer, noted.value, noted.domain) is Sight.VISIBLE
