"""What has changed since another check: what is new, and what is over. What cannot be found out today is neither: it stands as it was."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from dnssync.check.finding import Finding, Severity

BAD = frozenset({Severity.ERROR, Severity.WARNING, Severity.INFO})
# Numbers that grow by themselves from day to day are no news.
_PASSING = re.compile(
    r"\b\d+ (?:hour|day)s?\b|\b\d+(?= (?:(?:second|minute|week|month|message)s?|have failed)\b)|\b\d{4}-\d\d-\d\d(?:[T ][\d:]+(?:Z|\+00:00| UTC)?)?"
)


@dataclass(frozen=True, slots=True)
class Changes:
    """`begun`: what was not found before; `over`: what was found before and is not any more."""

    begun: tuple[Finding, ...] = ()
    over: tuple[Finding, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.begun or self.over)


def _same(finding: Finding) -> tuple[str, ...]:
    """What makes two findings the same one."""
    return (finding.id, finding.subject, finding.severity, _PASSING.sub("…", finding.message))


def standing(
    before: Sequence[Finding],
    now: Sequence[Finding],
    unsure: Collection[tuple[str, str]] = frozenset(),
    whole: bool = True,
) -> tuple[Finding, ...]:
    """What is to be compared with next time: what is bad now, and what was bad before of a question that has no answer now: it is unknown,
    or nothing is found of it where something was `unsure` (as in `Judged`), or where exim could not be asked (not `whole`)."""
    unknown = {(f.id, f.subject) for f in now if f.severity is Severity.UNKNOWN}
    answered = {(f.id, f.subject) for f in now} - unknown
    bad = [f for f in now if f.severity in BAD]
    held = {_same(f) for f in bad}

    def open_(f: Finding) -> bool:
        place = (f.id, f.subject)
        nothing_known = place not in answered and (not whole or place in unsure or (f.id, "") in unsure)
        return place in unknown or nothing_known

    carried = [f for f in before if open_(f) and _same(f) not in held]
    return tuple(dict.fromkeys([*bad, *carried]))


def changes(
    before: Iterable[Finding],
    now: Sequence[Finding],
    unsure: Collection[tuple[str, str]] = frozenset(),
    whole: bool = True,
) -> Changes:
    """`before` is what `standing` gave then, `now` what is found today, `unsure` and `whole` as there."""
    known = tuple(before)
    stands = standing(known, now, unsure, whole)
    had, has = {_same(f) for f in known}, {_same(f) for f in stands}
    return Changes(tuple(f for f in stands if _same(f) not in had), tuple(f for f in known if _same(f) not in has))
