"""What is said of many names alike, told to people once: `a.example, b.example, c.example and 9997 more: …`.

What is kept, and what is told anew, goes name by name; this is how it looks. A host may have ten thousand domains.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from dnssync.core.attention import about


def some(names: Sequence[str], most: int = 3) -> str:
    """The first of many names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def together(sentences: Iterable[str]) -> list[str]:
    """Sentences, each once; those that begin with a name and go on alike are one."""
    told: dict[str, dict[str, None]] = {}
    for sentence in sentences:
        name = about(sentence)
        told.setdefault(sentence[len(name) :], {})[name] = None
    return [some(list(names)) + rest for rest, names in told.items()]


class Said(Protocol):
    """What the state keeps of a trouble (`state_rows.Trouble`); times in seconds since 1970."""

    @property
    def zone(self) -> str:
        """The zone, "" for the host."""

    @property
    def kind(self) -> str:
        """failed, refused, by_hand or notice."""

    @property
    def reason(self) -> str:
        """The stable word."""

    @property
    def subject(self) -> str:
        """The name that it is about, "" for no single one."""

    @property
    def sentences(self) -> tuple[str, ...]:
        """What is said, remedies included."""

    @property
    def since(self) -> int:
        """The first pass of those in a row that said so."""

    @property
    def told(self) -> str:
        """The ways by which a message about it went out."""

    @property
    def ended(self) -> int | None:
        """When it was over."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that is said, of one name or of many. `about`: those names, a few of them, or ""; `since`: when the first of them began,
    `at_once`: and so did the others; `ended`: when the last of them was over, None while one goes on."""

    zone: str
    kind: str
    reason: str
    about: str
    sentence: str
    since: int
    at_once: bool
    ended: int | None


def lines(rows: Iterable[Said]) -> list[Line]:
    """A line for each sentence; of one zone and word, those that begin with their subject and go on alike share one."""
    groups: dict[tuple[str, str, str, str], list[Said]] = {}
    for row in rows:
        for sentence in row.sentences:
            groups.setdefault((row.zone, row.kind, row.reason, sentence.removeprefix(row.subject)), []).append(row)
    return [_line(*key, group) for key, group in groups.items()]


def _line(zone: str, kind: str, reason: str, rest: str, group: Sequence[Said]) -> Line:
    names = dict.fromkeys(row.subject for row in group if row.subject + rest in row.sentences)
    head = some([name for name in names if name])
    begun, ends = {row.since for row in group}, [row.ended for row in group if row.ended is not None]
    ended = max(ends) if len(ends) == len(group) else None
    return Line(zone, kind, reason, head, head + rest, min(begun), len(begun) == 1, ended)
