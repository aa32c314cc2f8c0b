"""How findings look: a block a domain, the worst first, each in one line with its remedy under it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from dnssync.check.changes import Changes
from dnssync.check.facts import Facts
from dnssync.check.finding import Finding, Severity, ranked
from dnssync.check.words import tally
from dnssync.cli.render import Line, count
from dnssync.core.durations import moment
from dnssync.core.together import some

STYLES = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.UNKNOWN: "magenta", Severity.INFO: "cyan", Severity.OK: "green"}  # fmt: skip
MANY = 5  # domains of which the same is found are told together beyond that
_WORD = max(len(severity) for severity in Severity)


def found(
    facts: Facts, findings: Sequence[Finding], width: int, hinted: Callable[[str], str] = str, *, whole: bool = False
) -> list[Line]:
    """Every block: this host first, then the mail domains; what is well only where it is asked for (`whole`)."""
    shown = [f for f in findings if whole or f.severity is not Severity.OK]
    shared, rest = _shared(facts, shown)
    wide = max((len(f.id) for f in shown), default=0)
    lines: list[Line] = []
    for owner, rows in _blocks(facts, rest).items():
        lines.append((f"This host, {owner}" if owner == facts.hostname else owner, "bold"))
        for finding in ranked(_folded(rows)):
            where = "" if owner == finding.subject else finding.subject
            lines.extend(_row(finding, wide, where, width, hinted))
        lines.append(("", ""))
    if shared:
        lines.append(("Of many domains alike", "bold"))
        for finding, names in shared:
            lines.extend(_row(finding, wide, some(names), width, hinted))
        lines.append(("", ""))
    return lines


def changed(changes: Changes, since: int, width: int, hinted: Callable[[str], str] = str) -> list[Line]:
    """What is new, and what is over."""
    wide = max((len(f.id) for f in (*changes.begun, *changes.over)), default=0)
    lines: list[Line] = []
    when = f"since {moment(since)}" if since else "(there is no earlier check to compare with)"
    for title, rows, remedy in ((f"New {when}", changes.begun, True), (f"Over {when}", changes.over, False)):
        if rows:
            lines.append((title, "bold"))
            for finding in ranked(rows):
                lines.extend(_row(finding, wide, finding.subject, width, hinted, remedy=remedy))
            lines.append(("", ""))
    return lines or [(f"Nothing has changed {when}.", "")]


def summary(facts: Facts, findings: Sequence[Finding]) -> str:
    """One line that says how it stands."""
    well = sum(f.severity is Severity.OK for f in findings)
    looked = f"{count(len(facts.domains), 'domain')}, {count(len(findings), 'check')}"
    told = tally(findings)
    return f"{told[:1].upper()}{told[1:]}; {well} are well ({looked})." if told else f"All is well ({looked})."


def _blocks(facts: Facts, findings: Iterable[Finding]) -> Mapping[str, list[Finding]]:
    """The findings by whom they concern: this host (by its name) first, then each mail domain and zone."""
    own = {*(domain.name for domain in facts.domains), *facts.zones}
    blocks: dict[str, list[Finding]] = {
        name: [] for name in (facts.hostname, *(domain.name for domain in facts.domains))
    }
    for finding in findings:
        blocks.setdefault(finding.subject if finding.subject in own else facts.hostname, []).append(finding)
    return {owner: rows for owner, rows in blocks.items() if rows}


def _folded(findings: Sequence[Finding]) -> list[Finding]:
    """What several checks say of one subject in the same words (that its server is silent), once."""
    alike: dict[tuple[str, ...], list[Finding]] = {}
    for finding in findings:
        alike.setdefault((finding.severity, finding.subject, finding.message, finding.remedy), []).append(finding)
    told = []
    for rows in alike.values():
        others = ", ".join(dict.fromkeys(f.id for f in rows[1:] if f.id != rows[0].id))
        told.append(replace(rows[0], message=f"{rows[0].message} (So also {others}.)") if others else rows[0])
    return told


def _shared(facts: Facts, findings: Sequence[Finding]) -> tuple[list[tuple[Finding, list[str]]], list[Finding]]:
    """What is found of many subjects in the same words but for their names, once each, and all the rest."""
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for f in findings:
        alike = (f.id, f.severity, f.message.replace(f.subject, "…"), f.remedy.replace(f.subject, "…"), str(f.fixable))
        groups.setdefault(alike, []).append(f)
    many = {id(f) for rows in groups.values() if len({f.subject for f in rows}) > MANY for f in rows}
    shared = [(rows[0], [f.subject for f in rows]) for rows in groups.values() if id(rows[0]) in many]
    return sorted(shared, key=lambda pair: pair[0].severity.rank), [f for f in findings if id(f) not in many]


def _row(
    finding: Finding, wide: int, where: str, width: int, hinted: Callable[[str], str], *, remedy: bool = True
) -> list[Line]:
    """One finding; a record or command that people copy is never broken."""
    head = f"  {finding.severity:<{_WORD}}  {finding.id:<{wide}}  "
    text = hinted(f"{where}: {finding.message}" if where and where not in finding.message else finding.message)
    body = textwrap.wrap(text, max(width, 60), initial_indent=head, subsequent_indent=" " * len(head),
                         break_long_words=False, break_on_hyphens=False)  # fmt: skip
    lines = [(row, STYLES[finding.severity]) for row in body or [head]]
    if remedy and finding.remedy:
        indent = " " * len(head)
        first, *more = hinted(finding.remedy).split("\n")
        lines.append((f"{indent}→ {first}", ""))
        lines.extend((f"{indent}  {part}", "") for part in more)
    return lines
