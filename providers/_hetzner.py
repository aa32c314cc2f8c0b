"""The words of Hetzner Cloud's DNS: its paths, its RRsets and the shapes of its errors. Nothing here asks anybody anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from dnssync.core.model import RRset, Value

from . import _text
from ._http import Reply

Key = tuple[str, str]


@dataclass(frozen=True)
class Reading:
    """A zone as it was read: since when that is known, each RRset, which of them are protected, the comments by value (`raw`), the
    TTL of RRsets that have none of their own, and how many requests it took."""

    at: float
    rrsets: dict[Key, RRset]
    protected: frozenset[Key]
    comments: dict[Key, dict[str, str]]
    ttl: int
    pages: int


def path(zone: str, *more: str) -> str:
    """The path of a zone, or of what is in it."""
    return "/".join(["", "zones", *(quote(part, safe="@*") for part in (zone, *more))])


def spelled(name: str) -> str:
    """A name as the API writes it."""
    return name or "@"


def told(entry: Any, zone: str, ttl: int) -> RRset | None:
    """An RRset of an answer, with `ttl` where it has none of its own; None where it is none."""
    if not isinstance(entry, dict):
        return None
    name, kind, own, records = (entry.get(part) for part in ("name", "type", "ttl", "records"))
    if not (isinstance(name, str) and isinstance(kind, str) and isinstance(records, list) and records):
        return None
    values = [record.get("value") if isinstance(record, dict) else None for record in records]
    if not all(isinstance(value, str) for value in values) or not (own is None or type(own) is int):
        return None
    told_ttl = ttl if own is None else own
    read = tuple(_text.in_zone(kind, str(value), zone) for value in values)
    return RRset("" if name == "@" else name.lower(), kind, told_ttl, read)


def comments(entry: Any) -> dict[str, str]:
    """The comments of an RRset, by value."""
    return {each["value"]: each["comment"] for each in entry["records"] if each.get("comment")}


def protected(entry: Any) -> bool:
    """Whether an RRset may not be changed."""
    protection = entry.get("protection")
    return isinstance(protection, dict) and bool(protection.get("change"))


def records(values: Iterable[Value], kept: Mapping[str, str] = MappingProxyType({})) -> list[dict[str, str]]:
    """Values as they are sent, each with the comment that it has."""
    sent = [_text.spelled(value) for value in values]
    return [{"value": raw, "comment": kept[raw]} if raw in kept else {"value": raw} for raw in sent]


def total(reply: Reply) -> tuple[int | None, int | None] | None:
    """How many entries there are in all pages, and the next page; each None where the API says so: "can be null if unknown", and for the
    last page. None where a list's answer does not speak of that at all."""
    meta = reply.data.get("meta") if isinstance(reply.data, dict) else None
    told = meta.get("pagination") if isinstance(meta, dict) else None
    if not isinstance(told, dict) or not {"total_entries", "next_page"} <= set(told):
        return None
    entries, following = told["total_entries"], told["next_page"]
    return (entries, following) if {type(entries), type(following)} <= {int, type(None)} else None


def code(reply: Reply) -> str:
    """The vendor's word for an error."""
    error = reply.data.get("error") if isinstance(reply.data, dict) else None
    return str(error.get("code", "")) if isinstance(error, dict) else ""


def explain(data: Any) -> str:
    """The vendor's words in an error's JSON, or in that of an action that failed."""
    error = data.get("error") if isinstance(data, dict) else None
    if not isinstance(error, dict):
        return ""
    message, word, details = (error.get(part) for part in ("message", "code", "details"))
    fields = details.get("fields") if isinstance(details, dict) else None
    more = [
        f"{field.get('name')}: {'; '.join(map(str, field.get('messages') or []))}"
        for field in (fields if isinstance(fields, list) else [])
        if isinstance(field, dict)
    ]
    return ", ".join([f"{message or ''} ({word})", *more])
