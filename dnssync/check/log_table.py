"""The report over the log as lines of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dnssync.check.from_log import LogReport, Row

HEAD = ("domain", "messages", "through", "from", "signed", "zone")
SHOWN = 3
UNADDRESSED = "Which address it left from is in the log only with `log_selector = +incoming_interface` (Debian: MAIN_LOG_SELECTOR)."


def lines(told: LogReport) -> tuple[str, ...]:
    """A table, a line a domain, and under it what it rests on. As JSON: `core.model.to_json(report)`."""
    table = [HEAD, *(_cells(row) for row in told.rows)]
    widths = [max(len(cells[at]) for cells in table) for at in range(len(HEAD))]
    rows = tuple(
        "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip() for cells in table
    )
    period = f"from {told.oldest} to {told.newest}" if told.oldest else f"since {told.since}"
    return (
        f"{_messages(told.messages)} left this host {period}, by the envelope sender (exim's log has no From:).",
        *(rows if told.rows else ()),
        *_beside(told),
        *(() if not told.rows or any(row.addresses for row in told.rows) else (UNADDRESSED,)),
        *told.notes,
    )


def _cells(row: Row) -> tuple[str, ...]:
    return (
        _plain(row.domain),
        str(row.messages),
        _counts(row.transports),
        _counts(row.addresses) or "not told",
        f"{row.signed}: {_plain(row.why)}",
        row.zone or "none",
    )


def _counts(counts: Mapping[str, int]) -> str:
    """`remote_smtp`, or with numbers where there are several; the most first."""
    names: Sequence[str] = sorted(counts, key=lambda name: (-counts[name], name))
    if len(names) <= 1:
        return "".join(map(_plain, names))
    shown = ", ".join(f"{_plain(name)} ({counts[name]})" for name in names[:SHOWN])
    return shown + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def _beside(told: LogReport) -> tuple[str, ...]:
    beside = (
        (told.passed, "only passed through here (forwarded, from domains that are not ours)"),
        (told.bounces, "had no sender (bounces): receivers look at the greeting's name instead"),
        (told.untold, "came in before the log begins, so that their sender is not told"),
    )
    return tuple(f"{_messages(number)} {what}." for number, what in beside if number)


def _messages(number: int) -> str:
    return "1 message" if number == 1 else f"{number} messages"


def _plain(text: str) -> str:
    """What a stranger may have written into the log, without what a terminal would obey."""
    return "".join(letter if letter.isprintable() else "?" for letter in text.encode("utf-8", "replace").decode())
