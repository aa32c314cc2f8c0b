"""What was about to be written, or was given to a person to enter: notes that outlive a pass that died or had to wait."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, TypeVar

from dnssync.core.model import Owner
from dnssync.state_rows import LedgerEntry

if TYPE_CHECKING:
    import sqlalchemy as sa

T = TypeVar("T")
WRITE, HAND, KEY = "write", "hand", "key"  # kinds: at a provider, by a person's hand, of a private key


class Intents:
    """The part of the state that holds intents. Times are whole seconds since 1970 (UTC)."""

    _host: str

    @abstractmethod
    def _select(
        self, table: sa.Table, make: Callable[[Any], T], *where: Any, order: Any = None, **equal: Any
    ) -> tuple[T, ...]: ...

    @abstractmethod
    def _some(
        self, table: sa.Table, make: Callable[[Any], T], column: sa.Column[Any], names: Collection[str], *where: Any
    ) -> list[T]: ...

    @abstractmethod
    def transaction(self) -> AbstractContextManager[None]:
        """Everything inside is kept together or not at all."""

    @abstractmethod
    def _execute(self, statement: Any, rows: Sequence[dict[str, Any]] | None = None) -> Any: ...

    def begin(self, zone: str, provider: str, entries: Iterable[LedgerEntry], at: int) -> int:
        """Note what is about to be written; `finish` closes it. What a crash leaves open is found by `unfinished`; the same,
        meant again, takes the place of the older note, so that a write that goes on failing leaves one."""
        from dnssync.state_schema import intents as table

        entries = tuple(entries)
        rows = self._select(table, lambda row: (row.id, _entries(row.data)), zone=zone, provider=provider, kind=WRITE)
        with self.transaction():
            for number, older in rows:
                if _undated(older) == _undated(entries):
                    self._execute(table.delete().where(table.c.id == number))
            return self._intend(WRITE, zone, provider, json.dumps([asdict(entry) for entry in entries]), at)

    def intend_key(self, domain: str, selector: str, algorithm: str, at: int) -> int:
        """Note a key that is about to be made, before its file exists."""
        return self._intend(KEY, domain, "", json.dumps({"selector": selector, "algorithm": algorithm}), at)

    def _intend(self, kind: str, zone: str, provider: str, data: str, at: int) -> int:
        from dnssync.state_schema import intents as table

        row = {
            "host": self._host,
            "at": at,
            "kind": kind,
            "zone": zone,
            "provider": provider,
            "data": data,
            "done": False,
        }
        return int(self._execute(table.insert().values(**row)).inserted_primary_key[0])

    def finish(self, intent: int) -> None:
        """The write of an intent happened and is in the ledger: nothing of it needs to be remembered."""
        from dnssync.state_schema import intents as table

        self._execute(table.delete().where(table.c.id == intent))

    def hand_over(self, intent: int, zone: str, provider: str) -> bool:
        """What an intent of `begin` means to write was given to a person to enter: it stays open until DNS shows it.
        False where the same was given before: then this note takes the place of that one, so that the last one is what counts."""
        from dnssync.state_schema import intents as table

        rows = self._select(table, lambda row: (row.id, row.kind, _entries(row.data)), table.c.zone == zone,
                            table.c.provider == provider, table.c.kind.in_((WRITE, HAND)))  # fmt: skip
        [new] = [_undated(entries) for number, _, entries in rows if number == intent]
        same = [number for number, kind, entries in rows if kind == HAND and _undated(entries) == new]
        with self.transaction():
            for number in same:
                self.finish(number)
            self._execute(table.update().where(table.c.id == intent).values(kind=HAND))
        return not same

    def handed_over(self, zones: str | Collection[str]) -> tuple[LedgerEntry, ...]:
        """What persons were given to enter in a zone, or in several, each by their own word, and DNS did not show yet."""
        return self._entries_of(zones, (HAND,))

    def unfinished(self, zones: str | Collection[str] | None) -> tuple[LedgerEntry, ...]:
        """What interrupted passes, and persons, meant to write to a zone, to several, or (None) to all; true only where DNS shows it."""
        return self._entries_of(zones, (WRITE, HAND))

    def _entries_of(self, zones: str | Collection[str] | None, kinds: tuple[str, ...]) -> tuple[LedgerEntry, ...]:
        from dnssync.state_schema import intents as table

        def row(told: Any) -> tuple[int, str, str]:
            return (told.id, told.kind, told.data)

        of = table.c.kind.in_(kinds)
        names = [zones] if isinstance(zones, str) else zones
        found = self._select(table, row, of) if names is None else self._some(table, row, table.c.zone, names, of)
        return tuple(entry for _, _, data in sorted(found) for entry in _entries(data))

    def settle(self, zone: str, provider: str) -> None:
        """Drop the open intents for a zone at a provider, once what they may have done is in the ledger."""
        if self.interrupted(zone, provider):
            self.drop_intents(zone, provider)

    def interrupted(self, zone: str, provider: str) -> bool:
        """Whether a write to a zone at a provider was begun that has not come to its end, be it one that only takes records away."""
        from dnssync.state_schema import intents as table

        kinds = self._select(table, lambda row: row.kind, zone=zone, provider=provider)
        return WRITE in kinds or HAND in kinds

    def drop_intents(self, zone: str, provider: str | None = None) -> None:
        """Forget what was meant to be written to a zone, at one provider or at all."""
        from dnssync.state_schema import intents as table

        t = table.c
        where = [t.host == self._host, t.kind.in_((WRITE, HAND)), t.zone == zone]
        self._execute(table.delete().where(*where, *([t.provider == provider] if provider is not None else [])))

    def unfinished_keys(self) -> tuple[tuple[int, str, str, int], ...]:
        """Keys that an interrupted pass was making: (intent, domain, selector, at)."""
        from dnssync.state_schema import intents as table

        return self._select(table, lambda row: (row.id, row.zone, json.loads(row.data)["selector"], row.at), kind=KEY)


def _entries(data: str) -> tuple[LedgerEntry, ...]:
    return tuple(LedgerEntry(**{**entry, "owner": Owner(entry["owner"])}) for entry in json.loads(data))


def _undated(entries: tuple[LedgerEntry, ...]) -> frozenset[LedgerEntry]:
    """The same, whenever and in whatever order it was meant."""
    return frozenset(replace(entry, applied_at=0) for entry in entries)
