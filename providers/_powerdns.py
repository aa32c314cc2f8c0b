"""The words of PowerDNS' HTTP API: zone ids, record sets, and what a PATCH says of a change. Nothing here asks anybody anything."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dnssync.core.model import Change, RRset, Value, absolute, relative

from . import _text

Key = tuple[str, str]


@dataclass(frozen=True)
class Reading:
    """A zone as it was read: what is served of it, and what stands there disabled."""

    rrsets: Mapping[Key, RRset]
    disabled: Mapping[Key, tuple[Value, ...]]


def zone_id(zone: str) -> str:
    """A zone's name as a part of a path, which the server spells with `=XX` in place of `%XX`."""
    return re.sub(r"[^A-Za-z0-9.-]", lambda found: f"={ord(found[0]):02X}", zone) + "."


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
        key, on, off = _told(entry, zone)
        if key in rrsets or key in disabled:
            raise ValueError
        if on:
            rrsets[key] = RRset(*key, entry["ttl"], on)
        if off:
            disabled[key] = off
    return str(data["kind"]), Reading(rrsets, disabled)


def _told(entry: Any, zone: str) -> tuple[Key, tuple[Value, ...], tuple[Value, ...]]:
    """An RRset of an answer: what identifies it, its values, and its disabled ones. Raises where it is none."""
    name, kind = relative(entry["name"].lower().removesuffix("."), zone), entry["type"].upper()
    if (
        name is None
        or type(entry["ttl"]) is not int
        or not all(isinstance(r["content"], str) for r in entry["records"])
    ):
        raise ValueError
    on, off = (
        tuple(_text.told(r["content"]) if kind in _text.TYPES else Value(r["content"], r["content"])
              for r in entry["records"] if bool(r.get("disabled")) is which)
        for which in (False, True)
    )  # fmt: skip
    return (name, kind), on, off


def parts(zone: str, change: Change, known: Reading, single: bool) -> Iterator[dict[str, Any]]:
    """What a PATCH says of a change: by value where the server knows of `single` ones and nothing else of the record set could be lost
    by it, else whole."""
    before, after = (rrset.values if rrset else () for rrset in (change.old, change.new))
    going = [value for value in before if value.text not in {v.text for v in after}]
    coming = [value for value in after if value.text not in {v.text for v in before}]
    off = known.disabled.get((change.name, change.type), ())
    ttl = (change.new or change.old or RRset("", "", 0, ())).ttl
    # A new name is written whole, since EXTEND would put it beside a CNAME that came meanwhile; at the apex there is none.
    joins = change.old.ttl == ttl if change.old else not change.name
    head = {"name": f"{absolute(change.name, zone)}.", "type": change.type, "ttl": ttl}
    if single and joins and not off and all(map(_as_written, going)):
        # What comes, first: a record set that goes on is never without a value, nor loses its comments.
        for value in coming:
            yield {**head, "changetype": "EXTEND", "records": [_record(value)]}
        for value in going:
            yield {**head, "changetype": "PRUNE", "records": [_record(value)]}
    elif after or off:
        records = [*map(_record, after), *(_record(value, True) for value in off)]
        yield {**head, "changetype": "REPLACE", "records": records}
    else:
        yield {**head, "changetype": "DELETE", "records": []}


def _record(value: Value, disabled: bool = False) -> dict[str, Any]:
    return {"content": _text.spelled(value), "disabled": disabled}


def _as_written(value: Value) -> bool:
    """Whether a value is spelled as this provider spells them: by another spelling, PRUNE may not find it."""
    try:
        strings = _text.unquoted(value.raw)
    except ValueError:
        return False
    return value.raw == _text.quoted(strings) and all(len(string) <= _text.MAX_STRING for string in strings)
