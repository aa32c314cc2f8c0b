"""One report of a pass that took its zones in batches: the same as if it had taken all of them at once, as far as anybody is told of it.

What was read, and what stands in DNS, is let go with each batch: of ten thousand zones nobody could hold it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from dnssync.core.decide import Decision
from dnssync.core.model import Owner, Phase, Step, zone_of
from dnssync.core.rotation import COMING, Policy, phase
from dnssync.report import Report

_NOTHING = Step((), (), (), None, "")


def slim(report: Report, configured: Mapping[str, object], *, standbys: bool) -> Report:
    """What is told of a batch when it is over: outcomes, notices, which domains there are, which keys wait, and what happens next. `standbys`: those
    that are ready and stand by, too, of which each domain has some and of which only `run --once` tells."""
    got = report.decision
    plans = tuple(
        replace(
            plan,
            claims=tuple(c for c in plan.claims if c.owner is Owner.DMARC),
            found={},
            wanted=(),
            ledger={},
            added={},
        )
        for plan in got.zones
    )
    bad = {o.zone for o in report.outcomes if o.error or o.refusals} | {*got.unread}
    steps = _telling(got, COMING if standbys else COMING - {Phase.READY}, bad, configured)
    before, after = got.map_before, got.map_after  # of ten thousand lines each; only what is another one is kept
    moved = {domain for domain in {*before, *after} if before.get(domain) != after.get(domain)}
    decision = replace(
        got,
        zones=plans,
        keys=(),
        steps=steps,
        map_before={domain: before[domain] for domain in moved if domain in before},
        map_after={domain: after[domain] for domain in moved if domain in after},
        map_held={},
    )
    return replace(report, decision=decision)


def merged(parts: Sequence[Report], lines: Mapping[str, tuple[str, ...]]) -> Report:
    """One report of several, at least one, each of them slim where there are more. `lines`: exim's map as it was before."""
    if len(parts) == 1:
        return parts[0]
    decisions = [part.decision for part in parts]
    last, after = decisions[-1], dict(lines)
    for got in decisions:
        for domain in got.map_before:
            after.pop(domain, None)
        after.update(got.map_after)
    # How many keys wait for their turn is known once the last batch is decided.
    told = [n for got in decisions for n in got.notices if n.reason != "births" or got is last]
    decision = Decision(
        now=last.now,
        zones=tuple(plan for got in decisions for plan in got.zones),
        failed={zone: why for got in decisions for zone, why in got.failed.items()},
        keys=(),
        steps={at: step for got in decisions for at, step in got.steps.items()},
        map_before=lines,
        map_after=after,
        notices=tuple(dict.fromkeys(told)),
        partly={zone: why for got in decisions for zone, why in got.partly.items()},
        held=frozenset().union(*(got.held for got in decisions)),
    )
    return Report(
        decision,
        tuple(outcome for part in parts for outcome in part.outcomes),
        tuple(key for part in parts for key in part.made),
        tuple(sorted(each for part in parts for each in part.map_lines)),
        tuple(look for part in parts for look in part.looks),
        decision.notices,
    )


def nothing(now: int, lines: Mapping[str, tuple[str, ...]]) -> Report:
    """The report of a pass in which nothing was decided. `lines`: exim's map as it is."""
    return Report(Decision(now, (), {}, (), {}, lines, lines, ()), (), (), ())


def _telling(
    got: Decision, phases: Collection[Phase], bad: set[str], configured: Mapping[str, object]
) -> dict[tuple[str, str], Step]:
    """The steps of a batch, those in full that somebody is told of: of keys in these phases, and the next one, in zones that are well (not `bad`) and
    in any. Of the others only the domain counts."""

    def waits(step: Step) -> bool:
        return bool(step.generate) or any(phase(key, Policy(), got.now) in phases for key in step.keys)

    waking = [(step.wake, at) for at, step in got.steps.items() if step.wake is not None]
    well = [(wake, at) for wake, at in waking if zone_of(at[0], configured) not in bad]
    next_ones = {min(rows)[1] for rows in (waking, well) if rows}
    return {at: step if at in next_ones or waits(step) else _NOTHING for at, step in got.steps.items()}
