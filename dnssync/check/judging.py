"""Running checks: each over its subjects, again and again until nothing that they ask for is left to be looked into."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from dnssync.check.facts import Facts, Failed, Unanswered
from dnssync.check.finding import MOOT, Finding, Severity, Verdict, unknown
from dnssync.core.sighting import Answer

log = logging.getLogger("dnssync")
ROUNDS = 40  # an SPF tree of ten includes, each with an mx, needs some twenty
ENDLESS = Failed("it was not looked into")
T = TypeVar("T")
Fetch = Callable[[Sequence[Any]], Mapping[Any, Any]]


@dataclass(frozen=True, slots=True)
class Check:
    """One check. `over(facts)`: its subjects; `judge(facts, subject)`: what is wrong with one, nothing where all is well (`MOOT`: the
    question does not arise). `well`: what is said where all is well. `asked`: only run where a person asks for it."""

    id: str
    well: str
    over: Callable[[Facts], Iterable[str]]
    judge: Callable[[Facts, str], Iterable[Verdict]]
    asked: bool = False


@dataclass(slots=True)
class _Notes:
    """What is known of wishes, and which were asked for that are not."""

    known: dict[Any, Any] = field(default_factory=dict)
    lacking: dict[Any, None] = field(default_factory=dict)
    closed: bool = False  # nothing more is looked into
    failed: bool = False  # something that was asked for came to nothing

    def have(self, wish: Any) -> Any:
        found = ENDLESS if self.closed and wish not in self.known else self.known.get(wish)
        if found is None:
            self.lacking[wish] = None
        elif isinstance(found, Failed) or (isinstance(found, Answer) and not found.known):
            self.failed = True
        return found


@dataclass(frozen=True, slots=True)
class Judged:
    """`findings`, check by check in their order, and `facts` that know all that was looked into on the way, and look into nothing more.
    `unsure`: (id, subject) of which a look-up failed, ("ID", "") where one failed on the way to a check's subjects: that nothing is found
    there says nothing."""

    findings: tuple[Finding, ...]
    facts: Facts
    unsure: frozenset[tuple[str, str]] = frozenset()


def judge(
    base: Facts, checks: Sequence[Check], fetch: Fetch, progress: Callable[[int, int], None] = lambda done, all_: None
) -> Judged:
    """Run the checks. `fetch(wishes)` looks into many wishes at once and gives what came of each (`Failed` where nothing did; one left out
    counts as that). `progress(done, all)` counts judgements."""
    notes = _Notes()
    facts = replace(base, have=notes.have)
    subjects: list[Sequence[str] | None] = [None] * len(checks)
    done: dict[tuple[int, str], tuple[Finding, ...]] = {}
    unsure: set[tuple[str, str]] = set()
    for turn in range(ROUNDS + 1):
        notes.closed = turn == ROUNDS
        for at, check in enumerate(checks):
            if subjects[at] is None:
                subjects[at] = _complete(notes, partial(_subjects, facts, check))
                if notes.failed and subjects[at] is not None:
                    unsure.add((check.id, ""))
            for subject in subjects[at] or ():
                if (at, subject) not in done:
                    findings = _complete(notes, partial(_one, facts, check, subject))
                    if findings is not None:
                        done[(at, subject)] = findings
                        if notes.failed:
                            unsure.add((check.id, subject))
        progress(len(done), sum(len(names or ()) for names in subjects))
        if not notes.lacking:
            break
        wishes = tuple(notes.lacking)
        came = fetch(wishes)
        notes.known.update({wish: came.get(wish, ENDLESS) for wish in wishes})
        notes.lacking.clear()
    notes.closed = True
    found = (f for at, names in enumerate(subjects) for name in names or () for f in done.get((at, name), ()))
    return Judged(tuple(found), facts, frozenset(unsure))


def _complete(notes: _Notes, what: Callable[[], T]) -> T | None:
    """What comes of it, None where it asked for something that is not looked into yet."""
    before, notes.lacking, notes.failed = notes.lacking, {}, False
    came = what()
    lacked = bool(notes.lacking)
    before.update(notes.lacking)
    notes.lacking = before
    return None if lacked else came


def _subjects(facts: Facts, check: Check) -> tuple[str, ...]:
    """Whom a check goes over; nobody where that could not be found out (who looks into the subjects themselves says so)."""
    try:
        return tuple(dict.fromkeys(check.over(facts)))
    except Unanswered:
        return ()


def _one(facts: Facts, check: Check, subject: str) -> tuple[Finding, ...]:
    """What one check says of one subject."""
    verdicts: list[Verdict] = []
    try:
        for verdict in check.judge(facts, subject):
            verdicts.append(verdict)
    except Unanswered as trouble:
        verdicts.append(unknown(f"{trouble}."))
    except Exception as fault:  # one check that falls over takes no other with it
        log.debug("%s of %s", check.id, subject, exc_info=True)
        verdicts.append(
            unknown(f"This check came to no end, by a fault of dnssync ({type(fault).__name__}): please report it.")
        )
    if not verdicts:
        verdicts = [Verdict(Severity.OK, check.well)]
    return tuple(
        Finding(check.id, v.severity, subject, _shown(v.message), _shown(v.remedy, "\n"), v.fixable)
        for v in dict.fromkeys(verdicts)
        if v is not MOOT
    )


def _shown(text: str, kept: str = "") -> str:
    """The text without what would move a terminal's cursor or cannot be written: what DNS holds is anybody's, and is quoted in findings."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in kept else ascii(c)[1:-1] for c in text)
