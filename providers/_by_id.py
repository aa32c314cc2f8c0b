"""What providers share whose API knows single records, each by its id: records ↔ RRsets, and what a change means for each record.

A record that goes on keeps its id, and with it whatever else is kept there: a comment, tags, a flag. Nothing here asks anybody
anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dnssync.core.model import Change, ProviderError, RRset, Value, absolute

from ._text import TYPES


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


def rrsets(records: Iterable[Record]) -> dict[tuple[str, str], RRset]:
    """The RRsets of records. Where their TTLs differ (RFC 2181 §5.2 says they must not), the longest counts: what waits for others to
    forget a record must not wait too short."""
    found: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        found.setdefault((record.name, record.type), []).append(record)
    return {
        key: RRset(*key, max(record.ttl for record in here), tuple(record.value for record in here))
        for key, here in found.items()
    }


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


def texts_alone(who: str, zone: str, changes: Sequence[Change]) -> None:
    """Raise `ProviderError` where a change is of another type: the other types' data lies in fields of its own. `who` names the provider."""
    for change in changes:
        if change.type not in TYPES:
            where = f"{zone}: writing {absolute(change.name, zone)} {change.type}"
            raise ProviderError(f"{where}: only TXT records are written at {who}; nothing was written.")
