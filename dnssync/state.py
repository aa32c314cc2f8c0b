"""What dnssync remembers: keys' stamps, the ledger of what it wrote, events, requests of people, intents.

SQLAlchemy Core over one URL; SQLite with a rollback journal and full syncing by default. SQLAlchemy is imported only when
a state is opened. Times are whole seconds since 1970 (UTC).
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

from dnssync.core.model import KeyPair, Owner
from dnssync.errors import StateError
from dnssync.state_engine import alone, engine_for, overwriting, rows_query, sentence
from dnssync.state_looks import SOME, Looks
from dnssync.state_rows import Event, LedgerEntry, Request, SeenAddress, ZoneRecord, made_of, storable

if TYPE_CHECKING:
    import sqlalchemy as sa

T = TypeVar("T")
SPOKEN = ("called", "compromised", "recalled")  # what a person says of a key, at any moment


class State(Looks):
    """An open state; `State.open` makes one. `host` tells this host's rows from others' in a shared database."""

    def __init__(self, engine: sa.Engine | None, host: str, where: str) -> None:
        self._engine = engine  # None: there is no state yet, and reading must not make one
        self._host = host
        self._where = where
        self._open: sa.Connection | None = None
        self._own = set()
        self._older: dict[str, set[str]] | None = None  # what an older state has that is only read: table → columns
        if engine is not None:
            weakref.finalize(self, engine.dispose)

    @property
    def host(self) -> str:
        """The name of this host's rows."""
        return self._host

    @classmethod
    def open(cls, url: str, *, host: str = "localhost", read_only: bool = False) -> State:
        """Open the state, making or migrating its tables; `read_only` makes and changes nothing (then a state that does
        not exist reads as empty). Raises `StateError`."""
        engine, where = engine_for(url, read_only)
        if engine is None:
            return cls(None, host, where)
        state = cls(engine, host, where)
        with state._told():
            state._prepare(read_only)
        return state

    def _prepare(self, read_only: bool) -> None:
        import sqlalchemy as sa

        from dnssync import state_schema as schema

        assert self._engine is not None  # `open` calls this only with one
        with self._engine.begin() as connection:
            if not read_only:
                alone(connection)
            if not sa.inspect(connection).has_table("meta"):
                if read_only:
                    self._engine = None
                    return
                schema.META.create_all(connection)
                connection.execute(schema.meta.insert().values(name="schema", value=str(schema.VERSION)))
                return
            told = connection.execute(sa.select(schema.meta.c.value).where(schema.meta.c.name == "schema")).scalar()
            if told is None or not str(told).isdecimal():
                raise StateError(sentence(self._where, "malformed: it does not say which schema it has"))
            version = int(told)
            if version > schema.VERSION:
                raise StateError(f"The state {self._where} was written by a newer dnssync (schema {version}, this one knows "
                                 f"{schema.VERSION}). Install that version again, or restore a state from before the upgrade.")  # fmt: skip
            if read_only and version < schema.VERSION:
                tables = sa.inspect(connection)
                self._older = {name: {c["name"] for c in tables.get_columns(name)} for name in tables.get_table_names()}
            for step in range(version, schema.VERSION if not read_only else version):
                schema.MIGRATIONS[step](connection)
                connection.execute(
                    schema.meta.update().where(schema.meta.c.name == "schema").values(value=str(step + 1))
                )

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Database errors as sentences."""
        import sqlalchemy as sa

        try:
            yield
        except sa.exc.SQLAlchemyError as error:
            raise StateError(sentence(self._where, str(getattr(error, "orig", None) or error))) from None

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is kept together or not at all; nested ones join the outer."""
        if self._open is not None:
            yield
            return
        if self._engine is None:
            raise StateError(f"The state {self._where} is open for reading only.")
        with self._told(), self._engine.begin() as connection:
            self._open = connection
            try:
                yield
            finally:
                self._open = None

    def _select(
        self, table: sa.Table, make: Callable[[Any], T], *where: Any, order: Any = None, **equal: Any
    ) -> tuple[T, ...]:
        """This host's rows, each as `make` makes it. `equal`: values of columns; with those alone a statement is built only once."""
        if self._engine is None or (self._older is not None and table.name not in self._older):
            return ()
        there = None if self._older is None else frozenset(self._older[table.name])
        query = rows_query(table, there, tuple(equal), None if where else order)
        if where:
            query = query.where(*where).order_by(order)
        return tuple(map(make, self._rows(query, {"host": self._host, **equal})))

    def _rows(self, query: Any, given: Mapping[str, Any]) -> Sequence[Any]:
        """What a query finds; nothing where there is no state yet."""
        if self._engine is None:
            return ()
        with self._told():
            if self._open is not None:
                return self._open.execute(query, given).all()
            with self._engine.connect() as connection:
                return connection.execute(query, given).all()

    def _some(
        self, table: sa.Table, make: Callable[[Any], T], column: sa.Column[Any], names: Collection[str], *where: Any
    ) -> list[T]:
        """This host's rows in which a column has one of these values, asked for by so many at a time."""
        every = sorted(names)
        return [
            row
            for start in range(0, len(every), SOME)
            for row in self._select(table, make, column.in_(every[start : start + SOME]), *where)
        ]

    def _execute(self, statement: Any, rows: Sequence[dict[str, Any]] | None = None) -> Any:
        with self.transaction():
            assert self._open is not None  # just opened
            return self._open.execute(statement, rows) if rows is not None else self._open.execute(statement)

    def _replace(self, table: sa.Table, rows: Iterable[dict[str, Any]]) -> None:
        """Insert or overwrite rows by primary key; portable, and each row is its own small truth."""
        update = overwriting(table)
        with self.transaction():
            assert self._open is not None  # just opened
            for row in rows:
                full = {"host": self._host, **{name: storable(value) for name, value in row.items()}}
                same = {f"same_{column.name}": full[column.name] for column in table.primary_key}
                if not self._open.execute(update, {**full, **same}).rowcount:
                    self._open.execute(table.insert(), full)

    # --- keys -------------------------------------------------------------------------------------------------------

    def keys(self) -> tuple[KeyPair, ...]:
        """Every key, in order of birth."""
        from dnssync.state_schema import keys as table

        return self._select(table, made_of(KeyPair), order=table.c.generated)

    def living(self, domains: Collection[str] | None = None) -> tuple[KeyPair, ...]:
        """The keys that a pass has anything to do with, in order of birth: all but those whose private half is gone, of which there are
        more with every year. Hand-made ones stay: exim may be told to sign with one again. `domains`: those of these alone."""
        from dnssync.state_schema import keys as table

        if domains is None:
            return self._select(table, made_of(KeyPair), self._alive(), order=table.c.generated)
        found = self._some(table, made_of(KeyPair), table.c.domain, domains, self._alive())
        return tuple(sorted(found, key=lambda key: key.generated))

    def _alive(self) -> sa.ColumnElement[bool]:
        """Of keys, those that a pass has anything to do with; all of them in an older state, which does not tell."""
        import sqlalchemy as sa

        from dnssync.state_schema import keys as table

        if self._older is not None and "purged" not in self._older[table.name]:
            return sa.true()
        return (table.c.purged.is_(None)) | table.c.adopted

    def mail_domains(self) -> frozenset[str]:
        """The domains that a pass has to know of: of living keys, and of what was written."""
        import sqlalchemy as sa

        from dnssync.state_schema import keys, ledger

        asked = [sa.select(keys.c.domain).where(keys.c.host == self._host, self._alive()),
                 sa.select(ledger.c.domain).where(ledger.c.host == self._host)]  # fmt: skip
        return frozenset(row[0] for query in asked for row in self._rows(query.distinct(), {}))

    def keyed(self) -> frozenset[str]:
        """The domains that have a key which has not come to its end."""
        import sqlalchemy as sa

        from dnssync.state_schema import keys as table

        query = sa.select(table.c.domain).where(table.c.host == self._host, table.c.retired.is_(None)).distinct()
        return frozenset(row[0] for row in self._rows(query, {}))

    def longest_season(self) -> int:
        """The longest season of a key that is still there, in seconds; 0 without keys."""
        import sqlalchemy as sa

        from dnssync.state_schema import keys as table

        query = sa.select(sa.func.max(table.c.season)).where(table.c.host == self._host, self._alive())
        return max((row[0] or 0 for row in self._rows(query, {})), default=0)

    def shared(self, key: KeyPair) -> bool:
        """Whether a key that is not at its end has the same public half."""
        from dnssync.state_schema import keys as table

        rows = self._select(table, made_of(KeyPair), table.c.removed.is_(None), public_key=key.public_key)
        return any((row.domain, row.selector) != (key.domain, key.selector) for row in rows)

    def knew(self, domain: str, selector: str) -> bool:
        """Whether there ever was a key of that name here."""
        from dnssync.state_schema import keys as table

        return bool(self._select(table, made_of(KeyPair), domain=domain, selector=selector))

    def save_keys(self, keys: Iterable[KeyPair]) -> None:
        """Insert keys or overwrite their stamps."""
        from dnssync.state_schema import keys as table

        self._replace(table, (asdict(key) for key in keys))

    def mark_keys(self, keys: Iterable[KeyPair]) -> None:
        """Note a person's words (`called`, `compromised`, `recalled`) with keys; whatever else a pass notes of them meanwhile stays."""
        from dnssync.state_schema import keys as table

        for key in keys:
            told = {word: getattr(key, word) for word in SPOKEN}
            self._execute(table.update().where(*self._of(key)).values(**told))

    def save_stamps(self, keys: Iterable[tuple[KeyPair, KeyPair]]) -> None:
        """Overwrite the stamps of keys, each with the key as the pass found it: a person's word that came since stays as it is."""
        from dnssync.state_schema import keys as table

        for before, key in keys:
            stamps = {name: value for name, value in asdict(key).items() if name not in SPOKEN}
            self._execute(table.update().where(*self._of(key)).values(**stamps))
            for word in SPOKEN:
                old, new = getattr(before, word), getattr(key, word)
                if old != new:
                    unmoved = table.c[word].is_not_distinct_from(old)
                    self._execute(table.update().where(*self._of(key), unmoved).values({word: new}))

    def _of(self, key: KeyPair) -> tuple[sa.ColumnElement[bool], ...]:
        from dnssync.state_schema import keys as table

        return (table.c.host == self._host, table.c.domain == key.domain, table.c.selector == key.selector)

    def forget_keys(self, domains: Iterable[str]) -> None:
        """Forget the keys of domains whose zone is released; their files, their records and exim's map stay."""
        from dnssync.state_schema import keys as table

        for domain in domains:
            self._execute(table.delete().where(table.c.host == self._host, table.c.domain == domain))

    # --- ledger -----------------------------------------------------------------------------------------------------

    def ledger(self, zone: str | None = None) -> tuple[LedgerEntry, ...]:
        """What we wrote, of one zone or of all; with what an interrupted pass meant to write where DNS shows it."""
        from dnssync.state_schema import ledger as table

        return self._select(table, LedgerEntry.of, **({} if zone is None else {"zone": zone}))

    def ledger_of(self, zones: Collection[str]) -> list[LedgerEntry]:
        """What we wrote in these zones."""
        from dnssync.state_schema import ledger as table

        return self._some(table, LedgerEntry.of, table.c.zone, zones)

    def record_applied(self, entries: Iterable[LedgerEntry]) -> None:
        """Note what stands in DNS for us now; entries that are known already are not touched."""
        from dnssync.state_schema import ledger as table

        entries = list(entries)
        zones = {entry.zone for entry in entries}
        old = {entry.place: entry for entry in self.ledger_of(zones)}
        rows = []
        for entry in entries:
            before = old.get(entry.place)
            if before is None or (before.value, before.ttl, before.added, before.domain) != (
                entry.value, entry.ttl, entry.added, entry.domain,
            ):  # fmt: skip
                rows.append(asdict(entry))
        if rows:
            self._replace(table, rows)

    def drop_applied(self, zone: str, provider: str, gone: Iterable[tuple[str, str, Owner]]) -> None:
        """Forget values that were taken out of DNS."""
        from dnssync.state_schema import ledger as t

        for name, kind, owner in gone:
            self._execute(t.delete().where(t.c.host == self._host, t.c.zone == zone, t.c.provider == provider,
                                           t.c.name == name, t.c.type == kind, t.c.owner == owner))  # fmt: skip

    def forget(self, zone: str) -> int:
        """Forget everything of a zone that is released: its records stay in DNS. Returns how many entries went."""
        from dnssync.state_schema import ledger as table
        from dnssync.state_schema import tries, troubles, zones

        for kept in (zones, troubles, tries):
            self._execute(kept.delete().where(kept.c.host == self._host, kept.c.zone == zone))
        self.drop_intents(zone)
        return int(self._execute(table.delete().where(table.c.host == self._host, table.c.zone == zone)).rowcount)


__all__ = ["Event", "LedgerEntry", "Request", "SeenAddress", "State", "ZoneRecord"]
