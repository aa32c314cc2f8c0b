"""What the last pass had to say, kept until it is over: for `status`, and for alerts, which tell each thing once."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from dnssync.core.attention import FAILED
from dnssync.state_intents import Intents
from dnssync.state_rows import ProviderTry, Trouble, by_place, made_of

if TYPE_CHECKING:
    import sqlalchemy as sa


class Troubles(Intents):
    """The part of the state that speaks of troubles."""

    @abstractmethod
    def _replace(self, table: sa.Table, rows: Iterable[dict[str, Any]]) -> None: ...

    def troubles(self, zones: Collection[str] | None = None) -> tuple[Trouble, ...]:
        """What the last passes said of each zone and of the host, and what is over and was not yet told to be; in order of zones,
        the host's own first. `zones`: of these alone, "" = the host."""
        from dnssync.state_schema import troubles as table

        make = made_of(Trouble)
        rows = self._select(table, make) if zones is None else self._some(table, make, table.c.zone, zones)
        return tuple(sorted(rows, key=lambda row: row.place))

    def save_troubles(self, zones: Collection[str], said: Iterable[Trouble], now: int, *, alone: bool = False) -> None:
        """Note what a pass said of the zones that it looked at ("" = the host as a whole). What goes on keeps its beginning, and so does
        what comes back before it has been over for a while; what was said of these zones before, and is said no more, is over. A
        zone that fails goes on failing, wherever in it it does. `alone`: all that was said is of these zones, and of others nothing is looked at."""
        before = {row.place: row for row in self.troubles(zones if alone else None)}
        fresh = by_place(said)
        over = [row for place, row in before.items() if place[0] in zones and place not in fresh and row.ended is None]
        failing = {trouble.zone for trouble in fresh.values() if trouble.kind == FAILED} - {""}
        turned = [row for row in over if row.kind == FAILED and row.zone in failing]
        for place, trouble in fresh.items():
            old = [row for row in [before.get(place)] if row is not None and not row.past(now)]
            old += [row for row in turned if (row.zone, row.kind) == (trouble.zone, trouble.kind)]
            if old:  # a clock that was wrong meanwhile may have noted a beginning that is still to come
                begun = replace(trouble, since=min(now, *(row.since for row in old)))
                fresh[place] = begun.told_by(frozenset().union(*(row.ways for row in old)))
        changed = [row for place, row in fresh.items() if before.get(place) != row]
        changed += [replace(row, ended=now) for row in over if row not in turned]
        ended = [row for row in before.values() if row.ended is not None and row.place not in fresh]
        changed += [replace(row, ended=now) for row in ended if row.ended is not None and row.ended > now]
        gone = [*turned, *(row for row in ended if row.past(now))]
        if changed or gone:
            with self.transaction():
                self._keep(changed)
                self.forget_troubles(gone)

    def over(self, place: tuple[str, ...], now: int) -> None:
        """What was said there (zone, kind, reason, and perhaps of whom) is over, whatever else goes on."""
        rows = [row for row in self.troubles() if row.place[: len(place)] == place and row.ended is None]
        self._keep(replace(row, ended=now) for row in rows)

    def told(self, rows: Iterable[Trouble]) -> None:
        """Note of these the ways that told of them, and of nothing else anything."""
        self._each(rows, lambda t, row: t.update().values(told=row.told))

    def forget_troubles(self, rows: Iterable[Trouble]) -> None:
        """These are over, and whoever knew of them knows that too."""
        self._each(rows, lambda t, row: t.delete())

    def tries(self) -> tuple[ProviderTry, ...]:
        """The providers that failed while another one of the same zone did not."""
        from dnssync.state_schema import tries as table

        return self._select(table, made_of(ProviderTry))

    def save_tries(self, zones: Collection[str], failed: Iterable[ProviderTry]) -> None:
        """Note which providers of these zones failed in this pass, and forget those that did not."""
        from dnssync.state_schema import tries as t

        rows = {(row.zone, row.provider): row for row in failed}
        kept = {(row.zone, row.provider): row for row in self.tries() if row.zone in zones}
        gone = [place for place in kept if place not in rows]
        fresh: list[dict[str, Any]] = [asdict(row) for place, row in rows.items() if kept.get(place) != row]
        if not gone and not fresh:
            return
        with self.transaction():
            for zone, provider in gone:
                self._execute(t.delete().where(t.c.host == self._host, t.c.zone == zone, t.c.provider == provider))
            if fresh:
                self._replace(t, fresh)

    def _each(self, rows: Iterable[Trouble], change: Callable[[sa.Table, Trouble], Any]) -> None:
        from dnssync.state_schema import troubles as t

        every = list(rows)
        if not every:
            return
        with self.transaction():  # one for all of them: there may be thousands
            for row in every:
                self._execute(change(t, row).where(t.c.host == self._host, t.c.zone == row.zone, t.c.kind == row.kind,
                                                   t.c.reason == row.reason, t.c.subject == row.subject))  # fmt: skip

    def _keep(self, rows: Iterable[Trouble]) -> None:
        from dnssync.state_schema import troubles as table

        kept: list[dict[str, Any]] = [asdict(row) for row in rows]
        if kept:
            self._replace(table, kept)
