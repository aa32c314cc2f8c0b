"""What a pass did, and what the authoritative servers show then: for people, nothing is stamped from it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from dnssync.core import attention, rotation
from dnssync.core.decide import Decision, ZonePlan
from dnssync.core.model import Change, KeyPair, Notice, Phase, Refusal, absolute, zone_of
from dnssync.core.ownership import sight_of
from dnssync.core.plan import unmade
from dnssync.core.sighting import Question, Sight
from dnssync.not_taken import CONFIGURATION
from dnssync.reconcile import Line
from dnssync.state_rows import Trouble


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened to one zone at one provider. `instructions`: what a person has to do by hand there; `made_good`: what
    an earlier pass had left undone there; `left_out`: why the records of type SPF were not written."""

    zone: str
    provider: str
    changes: tuple[Change, ...] = ()
    instructions: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    error: str = ""
    made_good: tuple[str, ...] = ()
    left_out: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the authoritative servers say of one record that was just written."""

    name: str
    type: str
    sight: Sight
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What a pass did. `decision` is the one that was carried out, `looks` what DNS shows now."""

    decision: Decision
    outcomes: tuple[Outcome, ...]
    made: tuple[KeyPair, ...]
    map_lines: tuple[tuple[str, tuple[str, ...]], ...]
    looks: tuple[Seen, ...] = ()
    notices: tuple[Notice, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether a zone could not be read or written."""
        return bool(self.decision.unread) or any(outcome.error for outcome in self.outcomes)

    @property
    def refused(self) -> bool:
        """Whether the guard held a zone back."""
        return any(outcome.refusals for outcome in self.outcomes)


def named(zone: str, changes: Iterable[Change]) -> str:
    """The record sets that these are changes of, for a sentence."""
    return ", ".join(f"{absolute(change.name, zone)} {change.type}" for change in changes)


def said(report: Report) -> list[Trouble]:
    """All that a pass has to say beside what it did, for the state."""
    now, told = report.decision.now, []

    def say(zone: str, kind: str, reason: str, sentence: str) -> None:
        told.append(Trouble(zone, kind, reason, sentence, now, subject=attention.about(sentence)))

    for zone, problem in report.decision.unread.items():
        say(zone, attention.FAILED, "unread", problem)
    for outcome in report.outcomes:
        if outcome.error:
            say(outcome.zone, attention.FAILED, "unwritten", outcome.error)
        for refusal in outcome.refusals:
            say(outcome.zone, attention.REFUSED, refusal.reason, refusal.sentence)
        if outcome.instructions:
            names = named(outcome.zone, outcome.changes)
            say(outcome.zone, attention.BY_HAND, outcome.provider, f"{outcome.zone}: {names} is to be changed by hand at {outcome.provider}; `dnssync plan` tells what.")  # fmt: skip
    for plan in report.decision.zones:
        for notice in plan.notices:
            say(plan.plan.zone, attention.NOTICE, notice.reason, notice.sentence)
    for notice in report.notices:
        say("", attention.NOTICE, notice.reason, notice.sentence)
    return told


def keep_said(
    line: Line, looked: Collection[str], noted: Collection[str], report: Report, *, part: bool = False
) -> None:
    """Keep what the pass had to say. What was said before is over where this pass looked and says it no more, and for zones that are not
    configured any longer; of zones that were not read, or left out of this pass, it goes on. `noted`: zones of which it goes on though they were `looked` at.
    `part`: of the host as a whole, and of zones that are not configured, nothing is over yet, since other batches may say it."""
    zones = set(line.config.zones)
    if part:
        covered = {*looked} - {*noted}
        standing = line.state.troubles(covered)
    else:
        standing = line.state.troubles()
        covered = {"", *looked, *({row.zone for row in standing} - zones)} - {*noted}
    fresh = [row for row in said(report) if row.zone in covered]
    places = {row.place for row in fresh}
    unseen = zones - {*looked}
    elsewhere = [r for r in standing if not r.zone and r.ended is None and zone_of(r.subject, zones) in unseen]
    # What was said of a zone that could not be read now is not known to be over.
    blind = [r for r in standing if r.zone in report.decision.unread and r.ended is None and r.kind != attention.FAILED]
    fresh += [row for row in (*elsewhere, *blind) if row.place not in places]
    # What the daemon says of its configuration is over when it says so.
    fresh += [row for row in standing if row.place[:3] == CONFIGURATION and row.ended is None]
    line.state.save_troubles(covered, fresh, report.decision.now, alone=part)


def by_hand(line: Line, decision: Decision) -> dict[tuple[str, str], tuple[str, ...]]:
    """What is still to be entered and deleted by a person, by (zone, provider), in full; keys that are still to be made
    have no text yet and are left out, and so are zones that were refused."""
    lines = {}
    for plan in decision.zones:
        provider = line.zones.provider(plan.plan.provider)
        changes = [change for change in plan.plan.changes if not unmade(change.name)]
        if provider.limits.by_hand and changes and not plan.refusals:
            lines[(plan.plan.zone, plan.plan.provider)] = provider.write(plan.plan.zone, changes)
    return lines


def look_again(line: Line, plans: Sequence[ZonePlan]) -> tuple[Seen, ...]:
    """What the authoritative servers show of every claim now; for the report only, nothing is stamped from it."""
    asked = {}
    for plan in plans:
        for claim in plan.claims:
            if claim.value is not None and not unmade(claim.name):
                asked[Question(absolute(claim.name, plan.plan.zone), claim.type, plan.plan.zone)] = claim
    rows = []
    for question, answer in line.resolver.look(list(asked)).items():
        claim = asked[question]
        assert claim.value is not None  # chosen above
        look = sight_of(claim.owner, answer, claim.value, claim.domain)
        detail = answer.problem or ", ".join(f"{r.server} {r.rcode}" for r in answer.replies if not r.answered)
        rows.append(Seen(question.name, question.type, look, detail))
    return tuple(rows)


def waiting(decision: Decision) -> list[tuple[KeyPair, Phase, int | None, str]]:
    """The keys that do not sign yet: phase, when to look again, and why."""
    rows: list[tuple[KeyPair, Phase, int | None, str]] = []
    for (domain, kind), step in sorted(decision.steps.items()):
        for key in step.keys:
            at = rotation.phase(key, rotation.Policy(), decision.now)
            if at in rotation.COMING and (key.domain, key.kind) == (domain, kind):
                rows.append((key, at, step.wake, step.because))
    return rows
