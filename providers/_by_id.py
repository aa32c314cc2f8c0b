"""What providers share whose API knows single records, each by its id: records ↔ RRsets, what a change means for each record, and
what a write starts from.

A record that goes on keeps its id, and with it whatever else is kept there: a comment, tags, a flag.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from dnssync.core.model import Change, Limits, ProviderError, RRset, Value

from ._http import Api
from ._takes import takes
from ._text import TYPES
from ._unmoved import TRUST, ordered, unmoved, writing


@dataclass(frozen=True, slots=True)
class Record:
    """One record: `name` relative to the zone and in lower case, `ttl` in seconds as it is served. `told` is what the API said
    of it, where a write needs that."""

    id: str
    name: str
    type: str
    ttl: int
    value: Value
    told: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Steps:
    """What a change means for single records: `turn` are records that get another value, `come` values that get a record, `go`
    records that go, `retime` records that get the new TTL and nothing else. `ttl` is that TTL, None where it stays."""

    turn: tuple[tuple[Record, Value], ...]
    come: tuple[Value, ...]
    go: tuple[Record, ...]
    retime: tuple[Record, ...]
    ttl: int | None

    @property
    def any(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.turn or self.come or self.go or self.retime)


def steps(change: Change, records: Iterable[Record]) -> Steps:
    """What a change means for the records that stand there. A value that was read stays where it stands, and so does one of ours
    whose text stands there already; no text comes twice."""
    rest = [record for record in records if (record.name, record.type) == (change.name, change.type)]
    stay: list[tuple[Record, Value]] = []
    come: list[Value] = []
    for value in sorted(change.new.values if change.new else (), key=lambda value: not value.raw):
        same = [record for record in rest if record.value.text == value.text]
        same = [record for record in same if record.value.raw == value.raw] or same
        if same:
            rest.remove(same[0])
            stay.append((same[0], value))
        elif value.text not in {other.text for _, other in stay}:
            come.append(value)
    ttl = change.new.ttl if change.old and change.new and change.old.ttl != change.new.ttl else None
    ours = [record for record, value in stay if not value.raw]
    if not ours and not come:  # all was read, and is ours whole: a TTL is asked for nowhere else
        ours = [record for record, _ in stay]
    both = min(len(rest), len(come))
    return Steps(
        tuple(zip(rest[:both], come[:both], strict=True)),
        tuple(come[both:]),
        tuple(rest[both:]),
        tuple(record for record in ours if ttl is not None and record.ttl != ttl),
        ttl,
    )


@dataclass(frozen=True)
class Reading:
    """A zone as it was read: since when that is known, its records by id, and the zone's own id where it has one."""

    at: float
    records: Mapping[str, Record]
    id: str = ""

    @cached_property
    def rrsets(self) -> Mapping[tuple[str, str], RRset]:
        """What the records come to. Where their TTLs differ (RFC 2181 §5.2 says they must not), the longest counts: what waits for others
        to forget a record must not wait too short."""
        found: dict[tuple[str, str], list[Record]] = {}
        for record in self.records.values():
            found.setdefault((record.name, record.type), []).append(record)
        return {
            key: RRset(*key, max(record.ttl for record in here), tuple(record.value for record in here))
            for key, here in found.items()
        }


class ById:
    """A provider of that kind; `who` names it in sentences. What its write starts from is what it read last, looked at anew where it
    is older than `TRUST` seconds by the clock `now`."""

    limits: Limits

    def __init__(self, id: str, service: str, api: Api, now: Callable[[], float]) -> None:
        self.id, self.who, self.requests = id, f"{service} (provider {id})", api.counts
        self._api, self._now = api, now
        self._read: dict[str, Reading] = {}

    def read(self, zone: str) -> tuple[RRset, ...]:
        """Every RRset of the zone but those that the API does not list."""
        self._read.pop(zone, None)
        self._read[zone] = self._look(zone)
        return tuple(self._read[zone].rrsets.values())

    @abstractmethod
    def _look(self, zone: str, known: Reading | None = None, names: Collection[str] = ()) -> Reading:
        """The whole zone, or, after a reading, at least what stands at these names now."""

    def _todo(self, zone: str, changes: Sequence[Change]) -> tuple[Reading, list[tuple[Change, Steps]]]:
        """The zone as it stands, if the changes start from that, and what each of them means, in the order in which they are
        written. Raises `StaleZone` where they do not, and `ProviderError` where a change cannot be done here."""
        for change in changes:
            if change.type not in TYPES:  # the other types' data lies in fields of its own
                raise ProviderError(
                    f"{writing(zone, change)}: only TXT records are written at {self.who}; nothing was written."
                )
        takes(self.who, zone, changes, self.limits)
        known = self._read.pop(zone, None)  # whatever happens now, it is not what was read any more
        if known is None or self._now() - known.at > TRUST:
            known = self._look(zone, known, {change.name for change in changes})
        unmoved(self.id, zone, changes, known.rrsets)
        return known, [(change, steps(change, known.records.values())) for change in ordered(changes)[1]]

    def _nonsense(self, doing: str, what: str) -> ProviderError:
        """An answer that is none of that kind."""
        return ProviderError(
            f"{doing}: {self.who} answered with something that is no {what}. Nothing is taken from it."
        )

    def _otherwise(self, doing: str) -> ProviderError:
        """An answer that shows another record than was sent."""
        return ProviderError(f"{doing}: {self.who} took the change and shows something else than was asked for. Look at the records "
                             "there; a later pass reads them again.")  # fmt: skip
