"""A zone in memory: for trials and tests. As strict as a real server, and it forgets everything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from dnssync.core.model import Change, Kind, Limits, ProviderError, RRset, StaleZone, Value

from . import _text


class Provider:
    """`zones` maps zone names to their RRsets or to the text of a master file. Every change is checked against what stands
    there (compare-and-swap)."""

    limits = Limits()

    def __init__(self, id: str, zones: Mapping[str, str | Iterable[RRset]] | None = None) -> None:
        self.id = id
        self.zones = {
            name: {rrset.key: rrset for rrset in (_parsed(name, known) if isinstance(known, str) else known)}
            for name, known in (zones or {}).items()
        }

    def read(self, zone: str) -> tuple[RRset, ...]:
        """Every RRset of the zone."""
        return tuple(self._zone(zone).values())

    def write(self, zone: str, changes: Sequence[Change]) -> tuple[str, ...]:
        """All changes or none."""
        after = dict(self._zone(zone))
        for change in changes:
            if after.get((change.name, change.type)) != change.old:
                raise StaleZone(
                    f"{zone} at {self.id}: {change.name or '@'} {change.type} is not what was read any more."
                )
            if change.old is None and (change.name, "CNAME") in after:
                raise ProviderError(
                    f"{zone} at {self.id}: {change.name or '@'} is a CNAME, and nothing may stand beside one."
                )
            if change.kind is Kind.DELETE:
                del after[(change.name, change.type)]
            elif change.new is not None:
                values = tuple(
                    Value(v.text, _text.spelled(v) if change.type in _text.TYPES else v.raw or v.text)
                    for v in change.new.values
                )
                after[(change.name, change.type)] = RRset(change.name, change.type, change.new.ttl, values)
        self.zones[zone] = after
        return ()

    def _zone(self, zone: str) -> dict[tuple[str, str], RRset]:
        try:
            return self.zones[zone]
        except KeyError:
            raise ProviderError(f"{zone}: {self.id} has no such zone, and none is ever created.") from None


def _parsed(zone: str, text: str) -> Iterable[RRset]:
    from ._records import Unreadable, read, rrsets

    def load(name: str) -> tuple[str, str]:
        raise ValueError(f"$INCLUDE {name}: a zone in memory has no files")

    try:
        return rrsets(read(zone, f"the text of {zone}", text, load)).values()
    except Unreadable as error:
        raise ProviderError(f"{error}.") from None
