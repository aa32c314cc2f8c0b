"""What is told to a person who does not look: which troubles are due, and the words of the message. Pure; `dnssync.alerts` sends it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from dnssync.core.attention import BY_HAND, FAILED, NOTICE, REFUSED, SETTLED, needs_person, worded
from dnssync.core.durations import moment
from dnssync.core.together import Line, Said, lines, some

LISTED = 50  # things that a message spells out; of the others it has the number
KINDS = {FAILED: "failed: ", REFUSED: "refused: ", BY_HAND: "by hand: ", NOTICE: "note: "}


Row = TypeVar("Row", bound=Said)


@dataclass(frozen=True, slots=True)
class Message:
    """A subject, and a text whose lines are as long as their sentences."""

    subject: str
    text: str


def due(rows: Iterable[Row], after: int, now: int) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """What has needed a person for `after` seconds, and what was told by some way and has been over for a while."""
    every = tuple(rows)
    begun = tuple(
        row for row in every
        if row.ended is None and needs_person(row.kind, row.reason) and now - row.since >= after
    )  # fmt: skip
    return begun, tuple(r for r in every if r.ended is not None and r.told and now - r.ended >= min(after, SETTLED))


def message(host: str, begun: Sequence[Said], over: Sequence[Said]) -> Message:
    """The message about what needs a person now, and what is well again."""
    parts, subjects = [], []
    needed, well = lines(begun), lines(over)
    if needed:
        subjects.append(f"{_count(needed)} a person: {_where(needed)}")
        parts += [
            f"On {host} dnssync has met what needs a person:",
            *_listed(needed),
        ]
    if well:
        subjects.append(f"well again: {_where(well)}")
        parts += ["This is well again:" if needed else f"On {host} this is well again:", *_listed(well)]
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
    wait = lines(row for row in rows if row.ended is None and needs_person(row.kind, row.reason))
    parts = [f"{zones} {'zone is' if zones == 1 else 'zones are'} looked after."]
    parts += ["This needs a person:", *_listed(wait)] if wait else ["Nothing needs a person."]
    if next_step is not None:
        parts.append(f"Next: {moment(next_step[0])}, {next_step[1]}.")
    done = [f"{moment(at)}  {where}  {what}" for at, where, what in changes[:LISTED]]
    parts.append("\n".join(["What was changed in these seven days:", *done, *_more(len(changes))]) if changes else "Nothing was changed in these seven days.")  # fmt: skip
    return Message(f"[dnssync {host}] the week: {f'{_count(wait)} a person' if wait else 'all is well'}", "\n\n".join(parts) + "\n")  # fmt: skip


def spelled(line: Line) -> str:
    """One thing in full, the same in an alert and in `status`: its kind, where, the sentence with its remedy, since when (both its times where
    it is over), and its word."""
    until = "" if line.ended is None else f" until {moment(line.ended)}"
    named = line.zone in line.sentence if line.zone else line.about
    where = "" if named else f"{line.zone or 'this host'}: "
    return f"{KINDS.get(line.kind, '')}{where}{worded(line.sentence, line.since, line.at_once)}{until} [{line.reason}]"


def _listed(found: Sequence[Line]) -> list[str]:
    return [spelled(line) for line in found[:LISTED]] + _more(len(found))


def _more(count: int) -> list[str]:
    return [f"… and {count - LISTED} more: see `dnssync status`."] if count > LISTED else []


def _count(found: Sequence[Line]) -> str:
    return "1 thing needs" if len(found) == 1 else f"{len(found)} things need"


def _where(found: Sequence[Line]) -> str:
    """The zones, a few of them by name."""
    return some(list(dict.fromkeys(line.zone or "this host" for line in found)))
