"""What the state has of the zones of a pass, asked for once: ten thousand zones are not ten thousand questions to a database."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from dnssync.state import LedgerEntry, State, ZoneRecord


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
        """All that the state has of these zones."""
        return cls(
            state.zones(zones),
            _by_zone(state.ledger_of(zones)),
            _by_zone(state.handed_over(zones)),
            _by_zone(state.unfinished(zones)),
        )


def _by_zone(rows: Iterable[LedgerEntry]) -> dict[str, tuple[LedgerEntry, ...]]:
    found: dict[str, list[LedgerEntry]] = {}
    for row in rows:
        found.setdefault(row.zone, []).append(row)
    return {zone: tuple(held) for zone, held in found.items()}
