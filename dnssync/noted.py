"""What the state has of the zones of a pass, asked for once: ten thousand zones are not ten thousand questions to a database."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from dnssync.state import LedgerEntry, State, ZoneRecord

T = TypeVar("T")
FEW = 8  # zones that are asked for one by one: a command for one of ten thousand need not read the rows of all


@dataclass(frozen=True, slots=True)
class Noted:
    """By zone: its last reading, what was written there, what persons were given to enter there (`handed`), and what they and
    interrupted passes meant to write (`unfinished`). A zone of which there is nothing is missing."""

    records: Mapping[str, ZoneRecord]
    ledger: Mapping[str, tuple[LedgerEntry, ...]]
    handed: Mapping[str, tuple[LedgerEntry, ...]]
    unfinished: Mapping[str, tuple[LedgerEntry, ...]]

    @classmethod
    def of(cls, state: State, zones: Collection[str]) -> Noted:
        """All that the state has of these zones (or of more)."""

        def rows(ask: Callable[[str | None], Iterable[T]]) -> Iterable[T]:
            return (row for zone in zones for row in ask(zone)) if len(zones) <= FEW else ask(None)

        records = (
            {zone: record for zone in zones if (record := state.zone(zone))} if len(zones) <= FEW else state.zones()
        )
        ledger, handed, unfinished = rows(state.ledger), rows(state.handed_over), rows(state.unfinished)
        return cls(records, _by_zone(ledger), _by_zone(handed), _by_zone(unfinished))


def _by_zone(rows: Iterable[LedgerEntry]) -> dict[str, tuple[LedgerEntry, ...]]:
    found: dict[str, list[LedgerEntry]] = {}
    for row in rows:
        found.setdefault(row.zone, []).append(row)
    return {zone: tuple(held) for zone, held in found.items()}
