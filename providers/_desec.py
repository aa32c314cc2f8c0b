"""The words of deSEC: its pages, its RRsets and the shapes of its errors. Nothing here asks anybody anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, quote

from requests.utils import parse_header_links

from dnssync.core.model import Change, RRset, TypeRefused, Value, absolute

from . import _text
from ._http import Reply
from ._pages import Pages
from ._unmoved import alike


def path(zone: str, of: str = "rrsets/") -> str:
    """The path of something `of` a domain."""
    return f"/domains/{quote(zone, safe='')}/{of}"


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
    if change.old is None or not _beside(change) or change.new.ttl != change.old.ttl:
        body["ttl"] = change.new.ttl
    return body


def _beside(change: Change) -> bool:
    """Whether values of others are written with ours: what somebody wrote is as they spelled it."""
    return change.new is not None and any(value.raw for value in change.new.values)


def onto(pages: Pages, reply: Reply) -> None:
    """The RRsets of an answer onto a zone's pages. Raises `ProviderError` where it is no list of them."""
    for entry in reply.data if isinstance(reply.data, list) else [None]:
        pages.add(told(entry))


def shared(change: Change) -> bool:
    """Whether what is written replaces what others may write: at every name but those of DKIM keys, and there where others have values."""
    return _beside(change) or "_domainkey" not in change.name.split(".")


def otherwise(reply: Reply, changes: Sequence[Change]) -> Iterator[tuple[Change, str]]:
    """The changes of which the answer, which shows what stands there now, shows something else than was asked for, and what."""
    shown = {rrset.key: rrset for entry in reply.data or () if (rrset := told(entry))}
    for change in changes:
        now = shown.get((change.name, change.type))
        sent = item(change).get("ttl", now.ttl if now else 0)
        wanted = change.new and replace(change.new, ttl=sent)
        if alike(now, wanted):
            continue
        other = now and wanted and alike(now, replace(wanted, ttl=now.ttl))
        yield change, f"a TTL of {now.ttl} instead of {sent}" if now and other else "something else than was asked for"


def wait(reply: Reply) -> int:
    """How many seconds a refusal says to wait; 0: it does not say."""
    after = reply.headers.get("Retry-After", "")
    return int(after[:9]) if after.isascii() and after.isdecimal() else 0


def too_soon(seconds: int) -> str:
    """What is told where so many seconds would have to be waited."""
    when = f"for {seconds} seconds" if seconds else "for a while"
    return (f"takes no more changes of this zone {when}: it takes 2 a second, 15 a minute, 100 an hour and 300 a day. Nothing was done; a "
            "later pass does it")  # fmt: skip


def left_out(who: str, zone: str, change: Change) -> TypeRefused:
    """What to raise where all is written but a record of type SPF."""
    return TypeRefused(f"{zone}: writing {absolute(change.name, zone)} SPF: {who} takes no record of that type. All else is written, and "
                       "receivers read the TXT record (RFC 7208 §3.1). If it stays so, set `spf: {type99: never}` for the zone.")  # fmt: skip


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
