"""The words of PowerDNS' HTTP API: zones, record sets, and what a PATCH says of a change. Nothing here asks anybody anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dnssync.core.model import Change, RRset, Value, absolute, relative

from . import _text
from ._by_value import apart

Key = tuple[str, str]


@dataclass(frozen=True)
class Reading:
    """A zone as it was read: what is served of it, and what stands there disabled."""

    rrsets: Mapping[Key, RRset]
    disabled: Mapping[Key, tuple[Value, ...]]


def explain(data: Any) -> str:
    """The server's words in an error's JSON."""
    return str(data.get("error", "")) if isinstance(data, dict) else ""


def reading(data: Any, zone: str) -> tuple[str, Reading]:
    """The kind of a zone and what stands in it, from an answer; raises AttributeError, KeyError, TypeError or ValueError where
    it is not that zone."""
    if data["name"].lower() != f"{zone}.":
        raise ValueError
    rrsets: dict[Key, RRset] = {}
    disabled: dict[Key, tuple[Value, ...]] = {}
    for entry in data["rrsets"]:
        name, kind, ttl = relative(entry["name"].lower().removesuffix("."), zone), entry["type"].upper(), entry["ttl"]
        if name is None or type(ttl) is not int or (name, kind) in rrsets or (name, kind) in disabled:
            raise ValueError
        told = _text.told if kind in _text.TYPES else lambda raw: Value(raw, raw)
        for record in entry["records"]:
            if not isinstance(record["content"], str):
                raise ValueError
        on, off = (
            tuple(told(record["content"]) for record in entry["records"] if bool(record.get("disabled")) is which)
            for which in (False, True)
        )
        if on:
            rrsets[name, kind] = RRset(name, kind, ttl, on)
        if off:
            disabled[name, kind] = off
    return str(data["kind"]), Reading(rrsets, disabled)


def parts(zone: str, change: Change, known: Reading, single: bool) -> Iterator[dict[str, Any]]:
    """What a PATCH says of a change: by value where that can be, else whole."""
    ttl = (change.new or change.old or RRset("", "", 0, ())).ttl
    after = change.new.values if change.new else ()
    off = known.disabled.get((change.name, change.type), ())
    if by_value(change, known, single):
        # What comes, first: a record set that goes on is never without a value, nor loses its comments.
        gone, come = apart(change)
        yield from (_part(zone, change, "EXTEND", ttl, [_record(value)]) for value in come)
        yield from (_part(zone, change, "PRUNE", ttl, [_record(value)]) for value in gone)
    elif after or off:
        yield _part(zone, change, "REPLACE", ttl, [*map(_record, after), *(_record(value, True) for value in off)])
    else:
        yield _part(zone, change, "DELETE", ttl, [])


def by_value(change: Change, known: Reading, single: bool) -> bool:
    """Whether a change is written by value: where the server knows of `single` ones, and nothing else of the record set could be lost
    by it. A new name is written whole, since EXTEND would put it beside a CNAME that came meanwhile; at the apex there is none."""
    joins = (not change.new or change.old.ttl == change.new.ttl) if change.old else not change.name
    off = known.disabled.get((change.name, change.type))
    return single and joins and not off and all(map(_as_written, apart(change)[0]))


def prune(zone: str, now: RRset, value: Value) -> dict[str, Any]:
    """What a PATCH says to take one value out, as it was read."""
    return _part(zone, now, "PRUNE", now.ttl, [_record(value)])


def _part(zone: str, of: Change | RRset, how: str, ttl: int, records: list[dict[str, Any]]) -> dict[str, Any]:
    return {"name": f"{absolute(of.name, zone)}.", "type": of.type, "ttl": ttl, "changetype": how, "records": records}


def _record(value: Value, disabled: bool = False) -> dict[str, Any]:
    return {"content": _text.spelled(value), "disabled": disabled}


def _as_written(value: Value) -> bool:
    """Whether a value is spelled as this provider spells them: by another spelling, PRUNE may not find it."""
    try:
        strings = _text.unquoted(value.raw)
    except ValueError:
        return False
    return value.raw == _text.quoted(strings) and all(len(string) <= _text.MAX_STRING for string in strings)
