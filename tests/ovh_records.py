"""How the stand-in for OVHcloud keeps records, which it refuses, and how it shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.by_id import quoted
from tests.http_faults import Answer

OWN = ("SPF", "DKIM", "DMARC")  # made by the web form and served as TXT
TYPES = frozenset(
    ["A", "AAAA", "CAA", "CNAME", "DNAME", "HTTPS", "LOC", "MX", "NAPTR", "NS", "PTR", "RP", "SRV", "SSHFP", "SVCB", "TLSA", "TXT", *OWN]
)  # fmt: skip


class Refused(Exception):
    """What is not taken: a status, words, and a code where there is one."""

    def __init__(self, status: int, words: str, code: str = "") -> None:
        super().__init__(words)
        self.status, self.words, self.code = status, words, code

    @property
    def answer(self) -> Answer:
        """As it is answered."""
        return Answer(self.status, {"message": self.words} | ({"errorCode": self.code} if self.code else {}))


@dataclass(frozen=True)
class Entry:
    """A record. `name` "" is the apex, `ttl` 0 the zone's own."""

    id: int
    name: str
    type: str
    ttl: int
    target: str

    @property
    def key(self) -> tuple[str, str]:
        """Where it is served: name ("@" = apex, in lower case) and type."""
        return self.name.lower() or "@", "TXT" if self.type in OWN else self.type

    @property
    def octets(self) -> bytes:
        """What is served: a text's octets, the words of anything else."""
        return strings(self.target) if self.key[1] == "TXT" else self.target.encode()


def strings(target: str) -> bytes:
    """A text's octets; bare, it is taken as it stands. Raises `Refused` where its quotes are not right."""
    if not target.startswith('"'):
        return target.encode()
    if (found := quoted(target)) is None:
        raise Refused(400, f"Invalid target: {target[:20]!a}")
    return b"".join(found)


def made(id: int, given: Any, before: Entry | None = None) -> Entry:
    """A record as it is asked for, over what stood there; raises `Refused`."""
    if not isinstance(given, dict):
        raise Refused(400, "Invalid body")
    if before is not None and "fieldType" in given:
        raise Refused(400, "Try to alter read-only properties: fieldType")
    if set(given) - {"fieldType", "subDomain", "target", "ttl"}:
        raise Refused(400, f"Unknown parameters: {sorted(given)}")
    old = (
        {}
        if before is None
        else {"fieldType": before.type, "subDomain": before.name, "target": before.target, "ttl": before.ttl}
    )
    whole = {"subDomain": "", "ttl": 0, **old, **given}
    kind, name, target, ttl = (whole.get(part) for part in ("fieldType", "subDomain", "target", "ttl"))
    if kind not in TYPES:
        raise Refused(
            400, f"[fieldType] Given data ({kind}) does not belong to the NamedResolutionFieldTypeEnum enumeration"
        )
    if not isinstance(name, str) or name.endswith(".") or name == "@":
        raise Refused(400, "Invalid subDomain")
    if type(ttl) is not int or (ttl and not 60 <= ttl < 2**31):
        raise Refused(400, "Invalid ttl: 60 at least")
    if not isinstance(target, str) or not target:
        raise Refused(400, "[target] Missing parameter")
    if kind in ("DKIM", "DMARC") and not target.startswith(f"v={kind}1"):
        raise Refused(400, f"Invalid subfield found in {kind} : {target.partition(';')[0]}")
    if kind == "DMARC" and name.partition(".")[0] != "_dmarc":
        raise Refused(400, "DMARC records stand at _dmarc")
    entry = Entry(id, name, kind, ttl, target)
    _ = entry.octets
    return entry


def beside(entry: Entry, entries: dict[int, Entry]) -> None:
    """Raises `Refused` where a record may not stand beside those that are there."""
    here = [other for other in entries.values() if other.id != entry.id and other.key[0] == entry.key[0]]
    if any(other.type == "CNAME" for other in here) or (here and entry.type == "CNAME"):
        raise Refused(400, "A CNAME record stands alone")
    if any((other.key, other.target) == (entry.key, entry.target) for other in here):
        raise Refused(409, "This record already exists")


def shown(zone: str, entry: Entry) -> dict[str, Any]:
    """A record as it is answered."""
    return {
        "id": entry.id,
        "zone": zone,
        "fieldType": entry.type,
        "subDomain": entry.name,
        "ttl": entry.ttl,
        "target": entry.target,
    }
