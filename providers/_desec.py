"""The words of deSEC: its pages, its RRsets and the shapes of its errors. Nothing here asks anybody anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import parse_qs

from requests.utils import parse_header_links

from dnssync.core.model import Change, RRset, Value

from . import _text
from ._http import Reply


def told(entry: Any) -> RRset | None:
    """An RRset of an answer; None where it is none."""
    if not isinstance(entry, dict):
        return None
    name, kind, ttl, values = (entry.get(part) for part in ("subname", "type", "ttl", "records"))
    if not (isinstance(name, str) and isinstance(kind, str) and type(ttl) is int and isinstance(values, list)):
        return None
    if not values or not all(isinstance(value, str) for value in values):
        return None
    read = _text.told if kind in _text.TYPES else lambda raw: Value(raw, raw)
    return RRset(name.lower(), kind, ttl, tuple(map(read, values)))


def item(change: Change) -> dict[str, Any]:
    """A change as part of the list. No values: the RRset goes. Without a TTL, it keeps the one that it has."""
    body: dict[str, Any] = {"subname": change.name, "type": change.type, "records": []}
    if change.new is None:
        return body
    body["records"] = [_text.spelled(value) for value in change.new.values]
    theirs = any(value.raw for value in change.new.values)
    if change.old is None or not theirs or change.new.ttl != change.old.ttl:
        body["ttl"] = change.new.ttl
    return body


def following(reply: Reply, page: str) -> str | None:
    """The cursor of the page that comes next (RFC 8288), None where this is the last one, "" where it is at another address than `page`."""
    links = parse_header_links(reply.headers.get("Link", "") or "")
    url = next((str(link["url"]) for link in links if link.get("rel") == "next"), None)
    where, _, query = (url or "").partition("?")
    return None if url is None else parse_qs(query).get("cursor", [""])[0] if where.lower() == page.lower() else ""


def explain(data: Any) -> str:
    """The vendor's words in an error's JSON, in each of its shapes."""
    return "; ".join(dict.fromkeys(words.strip().rstrip(".") for words in _words(data, "")))


def by_item(reply: Reply, changes: Sequence[Change]) -> list[tuple[Change, dict[str, Any]]]:
    """The errors of a list by the change that each is about; none where the answer does not say that."""
    data = reply.data
    if not isinstance(data, list) or len(data) != len(changes) or not all(isinstance(e, dict) for e in data):
        return []
    return [(change, error) for change, error in zip(changes, data, strict=True) if error]


def _words(data: Any, field: str) -> Iterator[str]:
    if isinstance(data, dict):
        for key, inner in data.items():
            yield from _words(inner, "" if key in ("detail", "non_field_errors") else str(key))
    elif isinstance(data, list):
        for inner in data:
            yield from _words(inner, field)
    elif isinstance(data, str) and data.strip():
        yield f"{field}: {data}" if field else data
