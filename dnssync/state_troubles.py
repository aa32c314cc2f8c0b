"""What the last pass had to say, kept until it is over: for `status`, and for alerts, which tell each thing once."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from dnssync.state_intents import Intents
from dnssync.state_rows import Trouble, by_place, made_of

if TYPE_CHECKING:
    import sqlalchemy as sa


class Troubles(Intents):
    """The part of the state that speaks of troubles."""

    @abstractmethod
    def _replace(self, table: sa.Table, rows: Iterable[dict[str, Any]]) -> None: ...

    def troubles(self) -> tuple[Trouble, ...]:
        """What the last passes said of each zone and of the host, and what is over and was not yet told to be; in order of zones,
        the host's own first."""
        from dnssync.state_schema import troubles as table

        return tuple(sorted(self._select(table, made_of(Trouble)), key=lambda row: row.place))

    def save_troubles(self, zones: Collection[str], said: Iterable[Trouble], now: int) -> None:
        """Note what a pass said of the zones that it looked at ("" = the host as a whole). What goes on keeps its beginning; what
        was said of these zones before, and is said no more, is over."""
        before = {row.place: row for row in self.troubles()}
        fresh = by_place(said)
        for place, trouble in fresh.items():
            if (old := before.get(place)) is not None:
                fresh[place] = replace(trouble, since=old.since, told=old.told)
        over = [row for place, row in before.items() if place[0] in zones and place not in fresh and row.ended is None]
        changed = [row for place, row in fresh.items() if before.get(place) != row]
        if not changed and not over:
            return
        with self.transaction():
            self._keep(changed)
            self._keep(replace(row, ended=now) for row in over if row.told is not None)
            self.forget_troubles(row for row in over if row.told is None)

    def over(self, place: tuple[str, ...], now: int) -> None:
        """What was said there (zone, kind, reason, and perhaps of whom) is over, whatever else goes on."""
        rows = [row for row in self.troubles() if row.place[: len(place)] == place and row.ended is None]
        self._keep(replace(row, ended=now) for row in rows if row.told is not None)
        self.forget_troubles(row for row in rows if row.told is None)

    def told(self, rows: Iterable[Trouble], now: int) -> None:
        """An alert about these went out."""
        self._keep(replace(row, told=now) for row in rows)

    def forget_troubles(self, rows: Iterable[Trouble]) -> None:
        """These are over, and whoever knew of them knows that too."""
        from dnssync.state_schema import troubles as t

        gone = list(rows)
        if not gone:
            return
        with self.transaction():  # one for all of them: there may be thousands
            for row in gone:
                self._execute(t.delete().where(t.c.host == self._host, t.c.zone == row.zone, t.c.kind == row.kind,
                                               t.c.reason == row.reason, t.c.subject == row.subject))  # fmt: skip

    def _keep(self, rows: Iterable[Trouble]) -> None:
        from dnssync.state_schema import troubles as table

        kept: list[dict[str, Any]] = [asdict(row) for row in rows]
        if kept:
            self._replace(table, kept)
