"""What has changed since another check: what is new, and what is over. What cannot be found out today is neither: it stands as it was."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dnssync.check.finding import Finding, Severity

BAD = frozenset({Severity.ERROR, Severity.WARNING, Severity.INFO})
# Numbers that grow by themselves from day to day are no news.
_PASSING = re.compile(
    r"\b\d+(?= (?:second|minute|hour|day|week|month|message)s?\b)|\b\d{4}-\d\d-\d\d(?:[T ][\d:]+(?:Z|\+00:00| UTC)?)?"
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


def standing(before: Sequence[Finding], now: Sequence[Finding]) -> tuple[Finding, ...]:
    """What is to be compared with next time: what is bad now, and what was bad before of a question that has no answer now."""
    unknown = {(f.id, f.subject) for f in now if f.severity is Severity.UNKNOWN}
    bad = [f for f in now if f.severity in BAD]
    held = {_same(f) for f in bad}
    carried = [f for f in before if (f.id, f.subject) in unknown and _same(f) not in held]
    return tuple(dict.fromkeys([*bad, *carried]))


def changes(before: Iterable[Finding], now: Sequence[Finding]) -> Changes:
    """`before` is what `standing` gave then, `now` what is found today."""
    known = tuple(before)
    stands = standing(known, now)
    had, has = {_same(f) for f in known}, {_same(f) for f in stands}
    return Changes(tuple(f for f in stands if _same(f) not in had), tuple(f for f in known if _same(f) not in has))
