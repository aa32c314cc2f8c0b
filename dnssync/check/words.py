"""Findings as text for whoever does not look at the table: a mail about what has changed, and one line for a monitoring system."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dnssync.check.changes import Changes
from dnssync.check.finding import Finding, Severity, counted, ranked
from dnssync.core.alerts import Message
from dnssync.core.together import some

LISTED = 60  # findings that a message spells out; of the others it has the number
# How a monitoring system counts (the convention of Nagios' plug-ins): its exit code, and its word.
STATES = {0: "OK", 1: "WARNING", 2: "CRITICAL", 3: "UNKNOWN"}
LONGEST = 400  # characters of the one line, before its numbers
MAILED = frozenset({Severity.ERROR, Severity.WARNING})


def message(host: str, found: Changes) -> Message | None:
    """The mail about errors and warnings that are new, and those that are over; None where there is nothing of the kind."""
    begun = ranked(f for f in found.begun if f.severity in MAILED)
    other = {(f.id, f.subject) for f in begun}  # what is told in other words now is not well again
    over = ranked(f for f in found.over if f.severity in MAILED and (f.id, f.subject) not in other)
    if not begun and not over:
        return None
    subjects, parts = [], []
    if begun:
        subjects.append(f"{tally(begun)}: {some(list(dict.fromkeys(f.subject for f in begun)))}")
        parts += [f"On {host} `dnssync check` finds what it did not find before:", *_listed(begun)]
    if over:
        subjects.append(f"well again: {some(list(dict.fromkeys(f.subject for f in over)))}")
        parts += ["This is well again:" if begun else f"On {host} this is well again:", *_listed(over, remedies=False)]
    parts.append("This tells what has changed since the last message. `dnssync check` shows all that it finds now, and docs/checks.md "
                 "explains each id.")  # fmt: skip
    return Message(f"[dnssync {host}] check: {'; '.join(subjects)}", "\n\n".join(parts) + "\n")


def _listed(found: Sequence[Finding], *, remedies: bool = True) -> list[str]:
    lines = [
        f"{f.severity} {f.id} {f.subject}: {f.message}" + (f"\n    {f.remedy}" if f.remedy and remedies else "")
        for f in found[:LISTED]
    ]
    return lines + ([f"… and {len(found) - LISTED} more."] if len(found) > LISTED else [])


def tally(findings: Iterable[Finding]) -> str:
    """`2 errors, 1 warning`: what is not well, in words; "" where all is."""
    found = counted(findings)
    names = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.UNKNOWN: "unknown", Severity.INFO: "note"}
    return ", ".join(
        f"{found[s]} {word}{'s' if found[s] != 1 and s is not Severity.UNKNOWN else ''}"
        for s, word in names.items()
        if found[s]
    )


def state(findings: Iterable[Finding], *, strict: bool = False) -> int:
    """0 = ok, 1 = warning, 2 = critical, 3 = unknown: the worst that is known, and unknown only where nothing known is bad. `strict`: a warning
    is critical."""
    found = counted(findings)
    codes = ((Severity.ERROR, 2), (Severity.WARNING, 2 if strict else 1), (Severity.UNKNOWN, 3))
    return next((code for severity, code in codes if found[severity]), 0)


def monitored(findings: Sequence[Finding], *, strict: bool = False) -> tuple[str, int]:
    """One line and its exit code: the word, what is worst, and the numbers behind a `|`."""
    code, found = state(findings, strict=strict), counted(findings)
    worst = [f"{f.id} {f.subject}: {f.message}" for f in ranked(findings) if f.severity in (*MAILED, Severity.UNKNOWN)]
    told = tally(f for f in findings if f.severity is not Severity.INFO) or "all checks are well"
    text = " ".join(f"{told}{'; ' if worst else ''}{'; '.join(worst)}".replace("|", "/").split())
    text = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    numbers = " ".join(f"{severity}={found[severity]}" for severity in Severity)
    return f"DNSSYNC {STATES[code]} - {text} | {numbers}", code


def cannot_tell(reason: str) -> str:
    """The one line where no check could be made at all (exit code 3)."""
    text = " ".join(reason.replace("|", "/").split())
    return f"DNSSYNC {STATES[3]} - {text if len(text) <= LONGEST else text[: LONGEST - 1] + '…'}"
