"""How things stand after a pass: one line for the supervisor's status, and what to log of it once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from dnssync.core.ahead import ahead
from dnssync.core.attention import NOTICE, needs_person
from dnssync.core.durations import moment
from dnssync.core.model import Owner, zone_of
from dnssync.core.together import Line, lines, some
from dnssync.one_pass import PassResult, tries
from dnssync.report import Report, said
from dnssync.state_rows import Trouble, by_place


def well(result: PassResult) -> frozenset[str]:
    """The zones in which the pass did what it wanted to."""
    report = result.report
    if report is None:
        return frozenset()
    bad = {o.zone for o in report.outcomes if o.error or o.refusals} | set(report.decision.unread)
    return (frozenset(plan.plan.zone for plan in report.decision.zones) - bad) | {*result.settled}


def next_event(result: PassResult) -> tuple[int, str] | None:
    """What happens by itself next, and when, in zones that are well; where others stand still, only a person or time helps."""
    if result.report is None:
        return None
    decision = result.report.decision
    found = [ahead(decision.steps, well(result), result.config.zones, decision.now)]
    return min((event for event in (*found, *(zone.event for zone in result.settled.values())) if event), default=None)


def standing(result: PassResult, again: int) -> str:
    """One line that a person understands. `again`: when the next pass is, in seconds since 1970."""
    if result.error is not None:
        return f"the last pass failed: {_first_line(str(result.error))} Next try: {moment(again)}"
    report = result.report
    told: list[str] = []
    if report is not None:
        count = len(_domains(report, well(result), result.config.zones))
        count += sum(zone.domains for zone in result.settled.values())
        told.append(f"{count} domain{'s' * (count != 1)} in order")
        failed = {*report.decision.unread, *(o.zone for o in report.outcomes if o.error)}
        refused = {o.zone for o in report.outcomes if o.refusals} - failed
        by_hand = {o.zone for o in report.outcomes if o.instructions}
        told += _named("failed", failed) + _named("refused", refused) + _named("waiting for a person's hand", by_hand)
    told += _named("left alone after a failure", result.left_out)
    if waits := tries(result):
        zone = next(iter(waits)) if len(waits) == 1 else "ZONE"
        told.append(f"tried again from {moment(min(waits.values()))} on, by dnssync apply {zone} at once")
    notices = [t for t in _said(result) if t.kind == NOTICE and needs_person(t.kind, t.reason)]
    if notices:
        count = len(lines(notices))
        told.append(f"{count} notice{'s' * (count != 1)} for a person")
    if len(told) > 1 or report is None:
        told.append("see dnssync status")
    event = next_event(result)
    told.append(f"next: {moment(event[0])}, {event[1]}" if event else f"next look: {moment(again)}")
    return "; ".join(told)


Place = tuple[str, str, str, str]  # of a trouble


@dataclass(frozen=True, slots=True)
class News:
    """What is to be told, and its places: what is new since the last pass, and what was told long ago; what is over, each with the names that it is
    over for or ""; and what to compare the next pass with."""

    begun: tuple[Line, ...] = ()
    places: frozenset[Place] = frozenset()
    over: tuple[tuple[str, str, str, str], ...] = ()
    said: Mapping[Place, str] = field(default_factory=dict)


def news(result: PassResult, before: Mapping[Place, str], long_ago: Collection[Place] = ()) -> News:
    """What to log of a pass that came to its end, of all that somebody has to do something about; what is said of many names alike, once.
    `before`: the sentences of the last pass, by place; `long_ago`: those that are to be told again where they go on. Of what nobody looked at
    nothing is over."""
    fresh = by_place(t for t in _said(result) if needs_person(t.kind, t.reason))
    unseen = {*result.left_out, *([""] if result.left_out or result.report is None else [])}
    new = [
        trouble for place, trouble in fresh.items()
        if place not in before or place in long_ago or (trouble.kind != NOTICE and before[place] != trouble.sentence)  # notices tell moments that move
    ]  # fmt: skip
    gone: dict[tuple[str, str, str], list[str]] = {}
    for zone, kind, reason, subject in before:
        if (zone, kind, reason, subject) not in fresh and zone not in unseen:
            gone.setdefault((zone, kind, reason), []).extend([subject] if subject not in ("", zone) else [])
    goes_on = {place: sentence for place, sentence in before.items() if place[0] in unseen}
    return News(
        tuple(lines(new)),
        frozenset(trouble.place for trouble in new),
        tuple((*what, some(names)) for what, names in gone.items()),
        {**goes_on, **{place: trouble.sentence for place, trouble in fresh.items()}},
    )


def _said(result: PassResult) -> list[Trouble]:
    """What the pass had to say, and what goes on of zones that were settled."""
    return [] if result.report is None else [*said(result.report), *result.goes_on]


def _domains(report: Report, zones: Collection[str], configured: Collection[str]) -> set[str]:
    """The mail domains of these zones: those with a policy, and those with keys."""
    told = {c.domain for p in report.decision.zones if p.plan.zone in zones for c in p.claims if c.owner is Owner.DMARC}
    return told | {domain for domain, _ in report.decision.steps if zone_of(domain, configured) in zones}


def _named(what: str, zones: Collection[str]) -> list[str]:
    return [f"{what}: {some(sorted(zones))}"] if zones else []


def _first_line(text: str) -> str:
    return text.strip().split("\n")[0]
