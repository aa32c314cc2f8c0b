"""What was changed, when and why, for `history`; the number of the newest tells whoever waits that something happened."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from dnssync.state_rows import Event, made_of, storable
from dnssync.state_troubles import Troubles

if TYPE_CHECKING:
    import sqlalchemy as sa


SAID = ("confirm", "freeze", "release", "rotate")  # the kinds of what persons say; all others are what dnssync did


class Events(Troubles):
    """The part of the state that holds events."""

    _engine: sa.Engine | None
    _own: set[int]  # the numbers of the events that came from here

    @abstractmethod
    def _told(self) -> AbstractContextManager[None]: ...

    def add_event(
        self,
        at: int,
        kind: str,
        *,
        zone: str = "",
        domain: str = "",
        selector: str = "",
        sentence: str,
        because: str = "",
    ) -> None:
        """Note something that was changed, for `history`."""
        from dnssync.state_schema import events as table

        done = self._execute(table.insert().values(host=self._host, at=at, kind=kind, zone=zone, domain=domain,
                                                   selector=selector, sentence=storable(sentence), because=storable(because)))  # fmt: skip
        self._own.add(done.inserted_primary_key[0])

    def events(self, limit: int | None = None) -> tuple[Event, ...]:
        """What was changed, the newest first."""
        from dnssync.state_schema import events as table

        older = 0 if limit is None else self._one_too_many(limit)
        return self._select(table, made_of(Event), table.c.id > older, order=table.c.id.desc())

    def said(self, since: int) -> tuple[Event, ...]:
        """What persons said at `since` (seconds since 1970) or later, what they took back among it; without domain and zone where it is of
        the whole host."""
        from dnssync.state_schema import events as table

        return self._select(table, made_of(Event), table.c.at >= since, table.c.kind.in_(SAID), order=table.c.id)

    def _one_too_many(self, limit: int) -> int:
        """The id of the newest event that a limit leaves out, 0 where it leaves none out."""
        import sqlalchemy as sa

        from dnssync.state_schema import events as table

        if self._engine is None:
            return 0
        query = (
            sa.select(table.c.id).where(table.c.host == self._host).order_by(table.c.id.desc()).offset(limit).limit(1)
        )
        with self._told(), self._engine.connect() as connection:
            return int(connection.execute(query).scalar() or 0)

    def last_event(self) -> int:
        """The number of the newest event, 0 where there is none: it grows with everything that anybody changes or says."""
        import sqlalchemy as sa

        from dnssync.state_schema import events as table

        if self._engine is None:
            return 0
        query = sa.select(sa.func.max(table.c.id)).where(table.c.host == self._host)
        with self._told(), self._engine.connect() as connection:
            return int(connection.execute(query).scalar() or 0)

    def heard(self, after: int) -> int:
        """The newest event up to which, from the one numbered `after` on, all came from here: what others left later, a pass that began
        with `after` may not have known of."""
        import sqlalchemy as sa

        from dnssync.state_schema import events as table

        if self._engine is None:
            return after
        query = sa.select(table.c.id).where(table.c.host == self._host, table.c.id > after).order_by(table.c.id)
        with self._told(), self._engine.connect() as connection:
            for number in connection.execute(query).scalars():
                if number not in self._own:
                    break
                after = number
        return after
