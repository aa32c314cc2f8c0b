"""What a check says: how bad it is, about whom, what was found, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad it is. `UNKNOWN`: it could not be found out, which is neither good nor bad."""

    ERROR = "error"
    WARNING = "warning"
    UNKNOWN = "unknown"
    INFO = "info"
    OK = "ok"

    @property
    def rank(self) -> int:
        """The worst first, from 0."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One thing that a check found about its subject; the runner adds id and subject. `remedy`: the exact record or command, "" where
    nothing is to be done. `fixable`: `dnssync apply` does it."""

    severity: Severity
    message: str
    remedy: str = ""
    fixable: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """`subject`: the mail domain, zone, host name or address that it is about. The rest as in `Verdict`."""

    id: str
    severity: Severity
    subject: str
    message: str
    remedy: str = ""
    fixable: bool = False


MOOT = Verdict(Severity.OK, "")  # the question does not arise for this subject: nothing is said at all


def error(message: str, remedy: str = "", *, fixable: bool = False) -> Verdict:
    """Mail suffers: it is rejected, unsigned, unprotected or lost."""
    return Verdict(Severity.ERROR, message, remedy, fixable)


def warning(message: str, remedy: str = "", *, fixable: bool = False) -> Verdict:
    """Some receivers mind, or it will hurt one day."""
    return Verdict(Severity.WARNING, message, remedy, fixable)


def info(message: str, remedy: str = "", *, fixable: bool = False) -> Verdict:
    """Worth knowing; nothing has to be done."""
    return Verdict(Severity.INFO, message, remedy, fixable)


def unknown(message: str, remedy: str = "") -> Verdict:
    """It could not be found out."""
    return Verdict(Severity.UNKNOWN, message, remedy)


def ranked(findings: Iterable[Finding]) -> list[Finding]:
    """The worst first; else as they came."""
    return sorted(findings, key=lambda finding: finding.severity.rank)


def counted(findings: Iterable[Finding]) -> dict[Severity, int]:
    """How many there are of each severity, all of them named."""
    found = dict.fromkeys(Severity, 0)
    for finding in findings:
        found[finding.severity] += 1
    return found
