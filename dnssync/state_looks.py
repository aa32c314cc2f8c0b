"""What passes found: which words of persons hold, where mail leaves from, how each zone was read last, and the clocks."""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from dnssync.core.clock import Reading
from dnssync.core.host import Address
from dnssync.state_events import Events
from dnssync.state_rows import Request, SeenAddress, ZoneRecord, made_of

T = TypeVar("T")
SOME = 500  # names in one statement: SQLite takes no more than 999 parameters in older versions


class Looks(Events):
    """The part of the state that holds what was seen."""

    _host: str

    @abstractmethod
    def _rows(self, query: Any, given: Mapping[str, Any]) -> Sequence[Any]: ...

    def requests(self, now: int) -> tuple[Request, ...]:
        """The words of people that hold now."""
        from dnssync.state_schema import requests as table

        rows = self._select(table, made_of(Request))
        return tuple(request for request in rows if request.until is None or request.until > now)

    def add_request(self, kind: str, subject: str, at: int, until: int | None) -> None:
        """Note a person's word; the same word again replaces the old one."""
        from dnssync.state_schema import requests as table

        self._replace(table, [{"kind": kind, "subject": subject, "made_at": at, "until": until}])

    def drop_request(self, kind: str, subject: str) -> bool:
        """Take a word back; False where there was none."""
        from dnssync.state_schema import requests as t

        where = (t.c.host == self._host, t.c.kind == kind, t.c.subject == subject)
        return bool(self._execute(t.delete().where(*where)).rowcount)

    def addresses(self, domains: Collection[str] | None = None) -> Sequence[SeenAddress]:
        """Every address that mail was seen to leave from; `domains`: mail of these alone."""
        from dnssync.state_schema import addresses as table

        if domains is None:
            return self._select(table, made_of(SeenAddress))
        return self._some(table, made_of(SeenAddress), table.c.domain, domains)

    def outbound(self) -> list[tuple[str, str]]:
        """The addresses that any mail was seen to leave from, each with the name that it is published by ("" = none)."""
        import sqlalchemy as sa

        from dnssync.state_schema import addresses as t

        rows = self._rows(sa.select(t.c.ip, t.c.host_name).where(t.c.host == self._host).distinct(), {})
        return sorted((row[0], row[1]) for row in rows)

    def save_addresses(self, seen: Iterable[tuple[str, Address]], at: int, *, coarse: int = 3600) -> None:
        """Note (domain, address) pairs as seen now; a sighting within `coarse` seconds of the last is not written again."""
        from dnssync.state_schema import addresses as table

        seen = list(seen)
        old = {(row.domain, row.ip): row for row in self.addresses({domain for domain, _ in seen})}
        rows = []
        for domain, address in seen:
            before = old.get((domain, address.ip))
            if before is not None and 0 <= at - before.last_seen < coarse:
                continue
            first = before.first_seen if before is not None else at
            rows.append({"domain": domain, "ip": address.ip, "host_name": address.host, "source": address.source,
                         "first_seen": first, "last_seen": at})  # fmt: skip
        if rows:
            self._replace(table, rows)

    def zone(self, name: str) -> ZoneRecord | None:
        """The last reading of a zone, None where there was none."""
        from dnssync.state_schema import zones as table

        rows = self._select(table, made_of(ZoneRecord), zone=name)
        return rows[0] if rows else None

    def zones(self, names: Collection[str] | None = None) -> dict[str, ZoneRecord]:
        """The last reading of every zone, by its name; or of these."""
        from dnssync.state_schema import zones as table

        make = made_of(ZoneRecord)
        rows = self._select(table, make) if names is None else self._some(table, make, table.c.zone, names)
        return {record.zone: record for record in rows}

    def touch(self, names: Iterable[str], at: int) -> None:
        """Note a pass over zones that were in order and still are, and were not read."""
        from dnssync.state_schema import zones as t

        every = sorted(names)
        with self.transaction() if every else contextlib.nullcontext():
            for start in range(0, len(every), SOME):
                these = t.c.zone.in_(every[start : start + SOME])
                self._execute(t.update().where(t.c.host == self._host, these).values(last_pass=at))

    def clock(self) -> Reading | None:
        """The clocks as the last pass that wrote anything read them, None before the first."""
        from dnssync.state_schema import clocks as table

        rows = self._select(table, made_of(Reading))
        return rows[0] if rows else None

    def save_clock(self, reading: Reading) -> None:
        """Note the clocks of a pass."""
        from dnssync.state_schema import clocks as table

        self._replace(table, [asdict(reading)])

    def save_zone(self, record: ZoneRecord) -> None:
        """Note a reading."""
        from dnssync.state_schema import zones as table

        self._replace(table, [asdict(record)])
