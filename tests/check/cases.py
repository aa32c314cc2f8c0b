"""Many small worlds on one name server: each case is a zone of its own, and what a check has to say of it.

    CASES = [Case("SPF-01", "none", ("error", "has no SPF record"), ""), Case("SPF-01", "one", None, '@ TXT "v=spf1 -all"\\n')]

`wanted`: (severity, words of its message or remedy), several of them, or None: nothing but ok is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dnssync.check.finding import Finding, Severity

Wanted = tuple[str, str]


@dataclass(frozen=True)
class Case:
    """A check, the name of a zone below `.test`, what is said, and the zone's text; `{zone}` stands for its name. `at`: the subject, if it
    is another name than the zone's; "" stands for the zone."""

    id: str
    label: str
    wanted: Wanted | Sequence[Wanted] | None
    text: str
    at: str = ""

    @property
    def zone(self) -> str:
        """The name of the zone."""
        return f"{self.id.lower()}-{self.label}.test"

    @property
    def subject(self) -> str:
        """Whom the findings are about."""
        return f"{self.at}.{self.zone}" if self.at else self.zone

    def __str__(self) -> str:
        return f"{self.id}-{self.label}"


def zones(cases: Sequence[Case]) -> dict[str, str]:
    """The zones of all cases."""
    found = {case.zone: case.text.replace("{zone}", case.zone) for case in cases}
    assert len(found) == len(cases), "two cases with one label"
    return found


def hold(case: Case, findings: Sequence[Finding]) -> None:
    """Assert that what was said of the case's subject is what it wants, no more and no less."""
    said = [f for f in findings if (f.id, f.subject) == (case.id, case.subject) and f.severity is not Severity.OK]
    wanted = [] if case.wanted is None else [case.wanted] if isinstance(case.wanted[0], str) else list(case.wanted)
    shown = "\n".join(f"{f.severity}: {f.message}\n    {f.remedy}" for f in said)
    assert sorted(str(f.severity) for f in said) == sorted(severity for severity, _ in wanted), shown  # type: ignore[misc]
    for severity, words in wanted:  # type: ignore[misc]
        text = words.replace("{zone}", case.zone)
        assert any(str(f.severity) == severity and text in f"{f.message}\n{f.remedy}" for f in said), (
            f"{text!r} not in\n{shown}"
        )
