"""How a decision and a report look: one block a zone, records as a zone file has them, remedies under what is refused.

Everything returns lines of (text, style); `show` prints them. Plain text where nobody looks on from a terminal.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence

from dnssync.cli.context import Context
from dnssync.core.decide import Decision, ZonePlan
from dnssync.core.model import Change, Kind, Owner, RRset, Value, absolute
from dnssync.core.ownership import owns
from dnssync.core.together import together

Line = tuple[str, str]
SIGNS = {Kind.CREATE: "+", Kind.UPDATE: "~", Kind.DELETE: "−"}
STYLES = {"+": "green", "−": "red", "~": "yellow", "=": "dim"}
LONG = 40  # characters of base64 from which a key is shortened


def show(context: Context, lines: Iterable[Line]) -> None:
    """Print lines as they are laid out here, records whole however long; nothing with `--json`."""
    for text, style in lines:
        context.say(text, style, whole=True)


def decision(
    got: Decision,
    width: int = 100,
    *,
    hand: Mapping[tuple[str, str], tuple[str, ...]] | None = None,
    hinted: Callable[[str], str] = str,
) -> list[Line]:
    """Everything that a pass would do, zone by zone; zones with nothing to say share one line. `hand`: what a person has
    to enter, by (zone, provider). `hinted`: how sentences with commands in them are told."""
    lines: list[Line] = []
    loud = {p.plan.zone for p in got.zones if not p.plan.empty or p.plan.map_lines or p.notices or p.refusals}
    quiet = len({plan.plan.zone for plan in got.zones} - loud)
    for plan in got.zones:
        if plan.plan.zone not in loud:
            continue
        lines.extend(zone_block(plan, width, hinted))
        lines.extend(by_hand((hand or {}).get((plan.plan.zone, plan.plan.provider), ())))
        lines.append(("", ""))
    for zone, problem in got.unread.items():
        lines.append((f"{zone}", "bold"))
        lines.extend(wrapped("failed: ", hinted(problem), "red", width))
        lines.append(("", ""))
    for sentence in together(notice.sentence for notice in got.notices):
        lines.extend(wrapped("note: ", hinted(sentence), "cyan", width))
    if got.notices:
        lines.append(("", ""))
    if quiet:
        lines.append((f"{count(quiet, 'zone')}: nothing to do.", ""))
    lines.append((summary(got), "bold"))
    return lines


def summary(got: Decision) -> str:
    """One line that says how it stands."""
    open_zones = [plan for plan in got.zones if not plan.refusals]
    changes = sum(len(plan.plan.changes) for plan in open_zones)
    keys = len({intent for plan in open_zones for intent in plan.plan.intents})
    lines = sum(got.map_before.get(domain) != selectors for domain, selectors in got.map_after.items())
    parts = [count(changes, "record set") + " to change" if changes else "", count(keys, "key") + " to make" if keys else "",
             count(lines, "line") + " of exim's map to write" if lines else ""]  # fmt: skip
    refused, failed = len({plan.plan.zone for plan in got.zones if plan.refusals}), len(got.unread)
    parts += [
        count(refused, "zone") + " refused" if refused else "",
        count(failed, "zone") + " failed" if failed else "",
    ]
    told = ", ".join(part for part in parts if part)
    if not told and any(notice.reason == "servers_silent" for notice in got.notices):
        return "Nothing to do now: the zones hold what they should, but not all of their name servers answer."
    return f"{told[:1].upper()}{told[1:]}." if told else "Nothing to do: DNS holds what it should."


def zone_block(plan: ZonePlan, width: int = 100, hinted: Callable[[str], str] = str) -> list[Line]:
    """One zone at one provider."""
    zone = plan.plan.zone
    lines: list[Line] = [
        (f"{zone} at {plan.plan.provider}" + ("  REFUSED, nothing is written" if plan.refusals else ""), "bold")
    ]
    owners = {claim.key: claim.owner for claim in plan.claims}
    for change in plan.plan.changes:
        lines.extend(change_lines(change, zone, owners.get((change.name, change.type), Owner.DKIM)))
    lines.extend(
        (f"  + exim's map   {domain}: {' : '.join(selectors)}", "green") for domain, selectors in plan.plan.map_lines
    )
    if plan.plan.empty and not plan.plan.map_lines and not plan.refusals:
        lines.append(("  nothing to do", ""))
    for sentence in together(notice.sentence for notice in plan.notices):
        lines.extend(wrapped("  note: ", hinted(sentence), "cyan", width))
    for refusal in plan.refusals:
        lines.extend(wrapped("  refused: ", hinted(refusal.sentence), "red", width))
    return lines


def by_hand(instructions: Iterable[str]) -> list[Line]:
    """What a person has to enter or to delete, whole: it is copied from here."""
    return [(f"  by hand: {text}", "yellow") for text in instructions]


def change_lines(change: Change, zone: str, owner: Owner) -> list[Line]:
    """One RRset: what comes, what goes, and which of its values are a stranger's and stay."""
    name = absolute(change.name, zone) + "."
    old = change.old.values if change.old else ()
    new = change.new.values if change.new else ()
    stays = [value for value in new if value in old]
    if change.kind is not Kind.UPDATE and not stays:
        rrset, values = (change.new, new) if change.new else (change.old, old)
        return [
            _styled(f"  {SIGNS[change.kind]} {_head(name, rrset, change.type)} {_text(change.type, v)}") for v in values
        ]
    lines = [_styled(f"  ~ {_head(name, change.new or change.old, change.type)}")]
    lines += [_styled(f"      − {_text(change.type, value)}") for value in old if value not in new]
    lines += [_styled(f"      + {_text(change.type, value)}") for value in new if value not in old]
    for value in stays:
        whose = "already right" if owns(owner, value.text) else "not ours, left alone"
        lines.append(_styled(f"      = {_text(change.type, value)}   {whose}"))
    if change.old and change.new and change.old.ttl != change.new.ttl:
        lines.append((f"        TTL {change.old.ttl} → {change.new.ttl}", "yellow"))
    return lines


def _styled(text: str) -> Line:
    return (text, STYLES.get(text.strip()[:1], ""))


def _head(name: str, rrset: RRset | None, kind: str) -> str:
    return f"{name} {rrset.ttl if rrset else 0} IN {kind}"


def _text(kind: str, value: Value) -> str:
    """A value as a zone file has it, long keys shortened."""
    if kind not in ("TXT", "SPF"):
        return value.raw
    shown = value.raw or '"' + value.text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    shown = shown.encode("ascii", "backslashreplace").decode("ascii") if not shown.isascii() else shown
    joined = re.sub(r'" "', "", shown) if "p=" in shown else shown
    return re.sub(rf"(p=[A-Za-z0-9+/]{{12}})[A-Za-z0-9+/]{{{LONG},}}([A-Za-z0-9+/]{{8}}=*)", r"\1…\2", joined)


def wrapped(head: str, sentence: str, style: str, width: int) -> list[Line]:
    """A sentence under its head, broken at words; lines that are meant as such stay."""
    indent = " " * len(head)
    rows: list[Line] = []
    for number, part in enumerate(sentence.split("\n")):
        first = head if number == 0 else indent
        broken = textwrap.wrap(part, max(width, 50), initial_indent=first, subsequent_indent=indent,
                                break_long_words=False, break_on_hyphens=False)  # fmt: skip
        rows.extend((row, style) for row in broken or [first])
    return rows


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[Line]:
    """Columns under their names; nothing where there is no row."""
    if not rows:
        return []
    (first, _), *others = columns([head, *rows])
    return [(first, "bold"), *others]


def columns(rows: Sequence[Sequence[str]]) -> list[Line]:
    """Aligned columns, two spaces between; the last one runs free."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [("  ".join(map(str.ljust, row, widths)).rstrip(), "") for row in rows]


def width(context: Context) -> int:
    """How many characters a line may have: those of the terminal, else 100."""
    return context.console.width if context.terminal else 100


def count(number: int, what: str) -> str:
    """`1 zone`, `2 zones`."""
    return f"{number} {what}{'' if number == 1 else 's'}"
