"""How the stand-in for Cloudflare keeps records, which it refuses, and how it shows them."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.by_id import quoted
from tests.http_faults import Answer

# Of those that the API lists; SPF is not taken any more, and what stands there from old times stays.
TYPES = frozenset(
    [
        "A",
        "AAAA",
        "CAA",
        "CERT",
        "CNAME",
        "DNSKEY",
        "DS",
        "HTTPS",
        "LOC",
        "MX",
        "NAPTR",
        "NS",
        "OPENPGPKEY",
        "PTR",
        "SMIMEA",
        "SPF",
        "SRV",
        "SSHFP",
        "SVCB",
        "TLSA",
        "TXT",
        "URI",
    ]
)
TEXTS = ("TXT", "SPF")
WIRE, CONTENT = 4096, 8192
GIVEN = {"name", "type", "content", "ttl", "proxied", "comment", "tags", "priority", "data", "settings"}


class Refused(Exception):
    """What is not taken: a status, a code, words, and the error behind it."""

    def __init__(self, status: int, code: int, words: str, chain: tuple[int, str] | None = None) -> None:
        super().__init__(words)
        self.status, self.code, self.words, self.chain = status, code, words, chain

    @property
    def answer(self) -> Answer:
        """As it is answered."""
        error: dict[str, Any] = {"code": self.code, "message": self.words}
        if self.chain:
            error["error_chain"] = [{"code": self.chain[0], "message": self.chain[1]}]
        return Answer(self.status, {"result": None, "success": False, "errors": [error], "messages": []})


def invalid(code: int, words: str) -> Refused:
    """A validation error."""
    return Refused(400, 1004, "DNS Validation Error", (code, words))


@dataclass(frozen=True)
class Entry:
    """A record. `name` is whole, without the final dot; `ttl` 1 is "automatic"."""

    id: str
    name: str
    type: str
    ttl: int
    content: str
    proxied: bool = False
    comment: str | None = None
    tags: tuple[str, ...] = ()
    priority: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def octets(self) -> bytes:
        """What is served: a text's octets, the words of anything else."""
        if self.type in TEXTS:
            return b"".join(strings(self.content))
        return f"{'' if self.priority is None else self.priority} {self.content}".strip().encode()


def strings(content: str) -> list[bytes]:
    """The strings of a text; bare content is taken as it stands. Raises `Refused` where quotes or lengths are not right (the real API
    splits what is longer than 255)."""
    if not content.startswith('"'):
        return [content.encode()]
    if (found := quoted(content)) is None:
        raise invalid(9207, "Content for TXT record is invalid: quoted strings with a blank between them are needed.")
    if any(len(string) > 255 for string in found):
        raise invalid(9207, "Content for TXT record is invalid: a string has 255 bytes at most.")
    return found


def in_zone_file(id: str, name: str, kind: str, ttl: int, value: str) -> Entry:
    """A record from a value in zone-file form, its target absolute."""
    if kind in TEXTS:
        return Entry(id, name, kind, ttl, value)
    entry = Entry(id, name, kind, ttl, value.removesuffix(".") or ".")
    if kind in ("MX", "SRV", "URI"):
        priority, _, rest = entry.content.partition(" ")
        data = {}
        if kind == "SRV":
            weight, port, target = rest.split()
            data = {"priority": int(priority), "weight": int(weight), "port": int(port), "target": target}
        entry = replace(entry, content=rest.removesuffix("."), priority=int(priority), data=data)
    return entry


def made(id: str, given: Any, zone: str, before: Entry | None = None) -> Entry:
    """A record as it is asked for, over what stood there; raises `Refused`."""
    if not isinstance(given, dict) or set(given) - GIVEN:
        raise invalid(9000, f"unknown fields: {sorted(set(given) - GIVEN) if isinstance(given, dict) else given}")
    old = {} if before is None else {k: getattr(before, k) for k in ("name", "type", "ttl", "content", "priority")}
    name, kind, ttl, content, priority = (
        {"ttl": 1, **old, **given}.get(k) for k in ("name", "type", "ttl", "content", "priority")
    )
    if kind not in TYPES - {"SPF"}:
        raise invalid(9004, f"Type must be one of the types of records, not {kind!r}.")
    if before is not None and kind != before.type:
        raise invalid(9004, "The type of a record cannot be changed.")
    if not isinstance(name, str) or name.endswith(".") or not f".{name}".lower().endswith(f".{zone}"):
        raise invalid(9000, f"DNS name {name!r} is invalid: it is not within the zone.")
    if type(ttl) is not int or (ttl != 1 and not 60 <= ttl <= 86400):
        raise invalid(9021, "TTL must be between 60 and 86400 seconds, or 1 for Automatic.")
    if not isinstance(content, str) or not content:
        raise invalid(9101, f"Content for {kind} record must not be empty.")
    if kind in ("A", "AAAA"):
        try:
            (ipaddress.IPv4Address if kind == "A" else ipaddress.IPv6Address)(content)
        except ValueError:
            raise invalid(9005, f"Content for {kind} record must be a valid IP address.") from None
    if kind == "TXT" and sum(len(s) + math.ceil(len(s) / 255 or 1) for s in strings(content)) > WIRE:
        raise invalid(9207, "Content for TXT record exceeds the allowed size.")
    more = {key: given[key] for key in ("proxied", "comment") if key in given}
    tags = {"tags": tuple(given["tags"])} if "tags" in given else {}
    fresh = replace(before or Entry(id, name, kind, ttl, content), **more, **tags)
    return replace(fresh, name=name.lower(), ttl=ttl, content=content, priority=priority)


def beside(entry: Entry, others: Mapping[str, Entry]) -> None:
    """Raises `Refused` where a record may not stand beside those that are there."""
    here = [other for other in others.values() if other.id != entry.id and other.name == entry.name]
    if any(
        (other.type, other.content, other.priority) == (entry.type, entry.content, entry.priority) for other in here
    ):
        raise Refused(400, 81058, "An identical record already exists.")
    if entry.type == "CNAME" and here:
        raise Refused(400, 81053, "An A, AAAA, or CNAME record with that host already exists.")
    if any(other.type == "CNAME" for other in here):
        raise Refused(400, 81054, "A CNAME record with that host already exists.")
    if sum(len(other.content) for other in [*here, entry] if other.type == entry.type) > CONTENT:
        raise invalid(9207, "The combined content of records with this name and type exceeds the allowed size.")


def shown(entry: Entry) -> dict[str, Any]:
    """A record as it is answered."""
    told = {
        "id": entry.id,
        "name": entry.name,
        "type": entry.type,
        "content": entry.content,
        "proxiable": entry.type in ("A", "AAAA", "CNAME"),
        "proxied": entry.proxied,
        "ttl": entry.ttl,
        "settings": {},
        "meta": {},
        "comment": entry.comment,
        "tags": list(entry.tags),
        "created_on": "2026-01-01T00:00:00.000000Z",
        "modified_on": "2026-01-01T00:00:00.000000Z",
    }
    return (
        told
        | ({"priority": entry.priority} if entry.priority is not None else {})
        | ({"data": dict(entry.data)} if entry.data else {})
    )
