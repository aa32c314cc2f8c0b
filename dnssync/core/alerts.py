"""What is told to a person who does not look: which troubles are due, and the words of the message. Pure; `dnssync.alerts` sends it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from dnssync.core.attention import BY_HAND, FAILED, NOTICE, REFUSED, needs_person, worded
from dnssync.core.durations import moment

LISTED = 50  # troubles that a message spells out; of the others it has the number
KINDS = {FAILED: "failed: ", REFUSED: "refused: ", BY_HAND: "by hand: ", NOTICE: "note: "}


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
    def sentences(self) -> tuple[str, ...]:
        """What is said, remedies included."""

    @property
    def since(self) -> int:
        """The first pass of those in a row that said so."""

    @property
    def told(self) -> int | None:
        """When a message about it went out."""

    @property
    def ended(self) -> int | None:
        """When it was over."""


Row = TypeVar("Row", bound=Said)


@dataclass(frozen=True, slots=True)
class Message:
    """A subject, and a text whose lines are as long as their sentences."""

    subject: str
    text: str


def due(rows: Iterable[Row], after: int, now: int) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """What has needed a person for `after` seconds and was not told, and what was told and is over."""
    every = tuple(rows)
    begun = tuple(
        row for row in every
        if row.ended is None and row.told is None and needs_person(row.kind, row.reason) and now - row.since >= after
    )  # fmt: skip
    return begun, tuple(row for row in every if row.ended is not None)


def message(host: str, begun: Sequence[Said], over: Sequence[Said]) -> Message:
    """The message about what needs a person now, and what is well again."""
    parts, subjects = [], []
    if begun:
        subjects.append(f"{_count(begun)} a person: {_where(begun)}")
        parts += [
            f"On {host} dnssync has met what needs a person:",
            *_listed(begun),
        ]
    if over:
        subjects.append(f"well again: {_where(over)}")
        parts += ["This is well again:" if begun else f"On {host} this is well again:", *_listed(over)]
    parts.append("Each of these is told once, and once more when it is over. `dnssync status` tells how things stand now, and "
                 "docs/operations.md explains the words in brackets.")  # fmt: skip
    return Message(f"[dnssync {host}] {'; '.join(subjects)}", "\n\n".join(parts) + "\n")


def cannot_begin(host: str, error: str) -> Message:
    """The message about a daemon that does not even start."""
    text = (
        f"On {host} dnssync could not start:\n\n{error}\n\nUntil it runs, no key is rotated and nothing is put right in DNS; exim signs on with the "
        "keys that it has. Mend what is said above; `dnssync plan` tells whether it is; then: systemctl start dnssync\n"
    )
    return Message(f"[dnssync {host}] dnssync does not run", text)


def digest(
    host: str,
    zones: int,
    rows: Iterable[Said],
    next_step: tuple[int, str] | None,
    changes: Sequence[tuple[int, str, str]],
) -> Message:
    """The week in one message: `next_step` (when, what), `changes` of the week (when, where, what), the newest first."""
    wait = [row for row in rows if row.ended is None and needs_person(row.kind, row.reason)]
    parts = [f"{zones} {'zone is' if zones == 1 else 'zones are'} looked after."]
    parts += ["This needs a person:", *_listed(wait)] if wait else ["Nothing needs a person."]
    if next_step is not None:
        parts.append(f"Next: {moment(next_step[0])}, {next_step[1]}.")
    lines = [f"{moment(at)}  {where}  {what}" for at, where, what in changes[:LISTED]]
    parts.append("\n".join(["What was changed in these seven days:", *lines, *_more(len(changes))]) if changes else "Nothing was changed in these seven days.")  # fmt: skip
    return Message(f"[dnssync {host}] the week: {f'{_count(wait)} a person' if wait else 'all is well'}", "\n\n".join(parts) + "\n")  # fmt: skip


def _listed(rows: Sequence[Said]) -> list[str]:
    """A paragraph each; what is over has both its times."""
    told = []
    for row in rows[:LISTED]:
        for sentence in row.sentences:
            until = "" if row.ended is None else f" until {moment(row.ended)}"
            about = "" if row.zone and row.zone in sentence else f"{row.zone or 'this host'}: "
            told.append(f"{KINDS.get(row.kind, '')}{about}{worded(sentence, row.since)}{until} [{row.reason}]")
    return told + _more(len(rows))


def _more(count: int) -> list[str]:
    return [f"… and {count - LISTED} more: see `dnssync status`."] if count > LISTED else []


def _count(rows: Sequence[Said]) -> str:
    return "1 thing needs" if len(rows) == 1 else f"{len(rows)} things need"


def _where(rows: Sequence[Said]) -> str:
    """The zones, a few of them by name."""
    names = list(dict.fromkeys(row.zone or "this host" for row in rows))
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
