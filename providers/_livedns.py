"""The words of Gandi LiveDNS: its paths, its record sets and the shapes of its errors. Nothing here asks anybody anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from dnssync.core.model import RRset

from . import _text
from ._http import Reply


@dataclass(frozen=True)
class Reading:
    """A zone as it was read: since when that is known, each RRset, and its name as Gandi spells it ("" where two spellings stand
    side by side)."""

    at: float
    rrsets: dict[tuple[str, str], RRset]
    spelled: dict[tuple[str, str], str]
    pages: int

    def spelling(self, name: str, kind: str) -> str:
        """A name as Gandi writes it, for this type or else whichever it has there."""
        known = (spelled for (other, _), spelled in self.spelled.items() if other == name and spelled)
        return self.spelled.get((name, kind)) or next(known, name or "@")


def collected(at: float, found: Mapping[tuple[str, str], RRset], pages: int) -> Reading:
    """The RRsets of all pages, by the name as it is spelled, as one reading; one without values is none."""
    rrsets: dict[tuple[str, str], RRset] = {}
    spelled: dict[tuple[str, str], str] = {}
    for (name, _), rrset in found.items():
        before = rrsets.get(rrset.key)
        if before is not None:  # names that differ in case alone are one name to DNS
            rrset, name = replace(before, values=(*before.values, *rrset.values)), ""
        spelled[rrset.key] = name
        if rrset.values:
            rrsets[rrset.key] = rrset
    return Reading(at, rrsets, spelled, pages)


def explain(data: Any) -> str:
    """The vendor's words in an error's JSON, in each of its shapes."""
    if not isinstance(data, dict):
        return ""
    errors = data.get("errors")
    told = [str(e.get("description", "")) for e in errors if isinstance(e, dict)] if isinstance(errors, list) else []
    words = [str(data.get("message") or ""), *told]
    return "; ".join(dict.fromkeys(word.strip().rstrip(".") for word in words if word.strip()))


def missing(reply: Reply) -> bool:
    """Whether a 404 speaks of a record that is not there, rather than of the zone."""
    return isinstance(reply.data, dict) and reply.data.get("object") == "dns-record"


def domain(zone: str) -> str:
    """The path of a zone."""
    return f"/domains/{quote(zone, safe='')}"


def path(zone: str, name: str, kind: str) -> str:
    """The path of an RRset; `name` as Gandi spells it."""
    return f"{domain(zone)}/records/{quote(name, safe='@*')}/{kind}"


def body(rrset: RRset) -> dict[str, Any]:
    """An RRset whole, its TTL always with it: left out, it becomes 10800."""
    return {"rrset_values": [_text.spelled(value) for value in rrset.values], "rrset_ttl": rrset.ttl}


def told(entry: Any, zone: str) -> RRset | None:
    """An RRset of an answer, its name relative and in lower case; None where it is none."""
    if not isinstance(entry, dict):
        return None
    name, kind, ttl, values = (entry.get(f"rrset_{part}") for part in ("name", "type", "ttl", "values"))
    if not (isinstance(name, str) and isinstance(kind, str) and type(ttl) is int and isinstance(values, list)):
        return None
    if not all(isinstance(value, str) for value in values):
        return None
    name, kind = name.lower(), kind.upper()
    return RRset("" if name == "@" else name, kind, ttl, tuple(_text.in_zone(kind, raw, zone) for raw in values))
