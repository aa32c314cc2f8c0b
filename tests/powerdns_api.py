"""A stand-in for the HTTP API of a PowerDNS that knows of single values (4.9.12 and later), or of an older one.

    with PowerDnsApi({"example.org": [("@", "TXT", 3600, ['"x"'])]}) as pdns:
        Provider("theirs", endpoint=pdns.endpoint, api_key=pdns.secret)

What it answers is what the real ones do: `test_powerdns_stand_in.py` asks it and a real server the same questions. Debian 12 has an
older server, so that EXTEND and PRUNE are written to this one there.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.described import powerdns
from tests.gaps import By
from tests.http_faults import Answer
from tests.stand_in import Request, StandIn, Values

Rows = Iterable[tuple[str, str, int, list[str]]]
NAME = re.compile(r"(\*\.)?[a-z0-9*_./-]+\.")  # what the server takes for a name, in any case
CONTENT = re.compile(r'"((?:[^"\\]|\\\d{3}|\\.)*)"(?: |$)')


@dataclass
class Entry:
    """An RRset: its TTL, its values with whether they are disabled, and its comments."""

    ttl: int = 0
    records: list[tuple[str, bool]] = field(default_factory=list)
    comments: list[dict[str, Any]] = field(default_factory=list)


class Refused(Exception):
    """The words of a 422."""


class PowerDnsApi(StandIn):
    """The server, as a context. `zones` by name: absolute names with their final dot and types → `Entry`."""

    secret, about_zones = "the key of the stand-in", "/zones/"
    base = "/api/v1"
    described = powerdns.DESCRIBED

    def __init__(self, zones: dict[str, Rows], *, single: bool = True, kind: str = "Native", **how: Any) -> None:
        super().__init__(zones, **how)
        self.single, self.kind = single, kind
        self.zones: dict[str, dict[tuple[str, str], Entry]] = {zone: {} for zone in zones}
        for zone, rows in zones.items():
            for name, type_, ttl, contents in rows:
                self.zones[zone][_full(name, zone), type_] = Entry(ttl, [(content, False) for content in contents])

    def entry(self, zone: str, name: str, kind: str) -> Entry:
        """An RRset by its relative name, for a test to look at or to change."""
        return self.zones[zone].setdefault((_full(name, zone), kind), Entry(300))

    def values(self, zone: str) -> Values:
        """What is served."""
        found = {}
        for (name, kind), entry in self.zones[zone].items():
            served = frozenset(_octets(kind, content) for content, disabled in entry.records if not disabled)
            if served:
                found[name.removesuffix(f"{zone}.").removesuffix(".") or "@", kind] = (entry.ttl, served)
        return found

    def add(self, zone: str, name: str, kind: str, ttl: int, value: str) -> None:
        """See `StandIn`."""
        with self.lock:
            entry = self.entry(zone, name, kind)
            entry.ttl = entry.ttl if any(not off for _, off in entry.records) else ttl
            entry.records.append((value, False))
            self.note(By.SOMEBODY)

    def drop(self, zone: str, name: str, kind: str) -> None:
        """See `StandIn`."""
        with self.lock:
            entry = self.entry(zone, name, kind)
            entry.records = [record for record in entry.records if record[1]]
            self.note(By.SOMEBODY)

    def unauthorized(self, words: str) -> Answer:
        """A key that is not taken; the real server says no more than that."""
        return Answer(401, words)

    def no_zone(self) -> Answer:
        """A zone that is not there."""
        return Answer(404, "Not Found")

    def erred(self) -> Answer:
        """An error of the server's own."""
        return Answer(500, {"error": "Could not start a transaction: database is locked"})

    def reply(self, request: Request) -> Answer:
        """See `StandIn`."""
        if request.headers.get("X-API-Key") != self.secret or self.expired:
            return self.unauthorized("Unauthorized")
        found = re.fullmatch(r"/servers/localhost/zones/([^/]+)", request.path)
        zone = re.sub("=([0-9A-F]{2})", lambda code: chr(int(code[1], 16)), found[1] if found else "").removesuffix(".")
        if zone not in self.zones:
            return self.no_zone()
        if request.method == "GET":
            return Answer(200, self._shown(zone))
        if request.method != "PATCH":
            return Answer(405, "Method Not Allowed")
        if not request.raw:
            return Answer(400, "Bad Request")
        if not isinstance(request.body, dict) or not isinstance(request.body.get("rrsets"), list):
            return Answer(422, {"error": "No rrsets given in update request"})
        after = copy.deepcopy(self.zones[zone])
        try:
            for part in request.body["rrsets"]:
                self._change(after, part)
        except Refused as error:
            return Answer(422, {"error": str(error)})
        self.zones[zone] = after
        return Answer(204)

    def _shown(self, zone: str) -> dict[str, Any]:
        rrsets = [
            {"name": name, "type": kind, "ttl": entry.ttl if entry.records else 0, "comments": entry.comments,
             "records": [{"content": content, "disabled": disabled} for content, disabled in entry.records]}
            for (name, kind), entry in self.zones[zone].items() if entry.records or entry.comments
        ]  # fmt: skip
        return {"id": f"{zone}.", "name": f"{zone}.", "kind": self.kind, "rrsets": rrsets}

    def _change(self, zone: dict[tuple[str, str], Entry], part: dict[str, Any]) -> None:
        """One part of a PATCH."""
        name, kind, how = part["name"].lower(), part["type"], part["changetype"]
        if not name.endswith("."):
            raise Refused(f"DNS Name '{name}' is not canonical")
        if how not in ("REPLACE", "DELETE", *(("EXTEND", "PRUNE") if self.single else ())):
            raise Refused(f"Changetype '{how}' is not a valid value" if self.single else "Changetype not understood")
        if how == "DELETE":
            zone.pop((name, kind), None)
            return
        if not NAME.fullmatch(name):
            raise Refused(f"Name '{name}' contains unsupported characters")
        ttl, records = part.get("ttl"), [(r["content"], bool(r.get("disabled"))) for r in part.get("records", ())]
        if type(ttl) is not int or (self.single and not 0 <= ttl < 2**31):
            words = "Key 'ttl' not an Integer or not present"
            raise Refused(f"New RRsets are invalid: {words}" if self.single else words)
        for content, _ in records:
            _looked_at(name, kind, content)
        entry = zone.setdefault((name, kind), Entry())
        if how == "REPLACE":
            contents = [content for content, _ in records]
            twice = next((content for content in contents if contents.count(content) > 1), None)
            if twice is not None:
                raise Refused(f'Duplicate record in RRset {name} IN {kind} with content "{twice}"')
            self._alone(zone, name, kind, records)
            entry.ttl, entry.records = ttl, records
            entry.comments = part.get("comments", entry.comments)
        else:
            if len(records) != 1:
                raise Refused("Exactly one record should be provided for PRUNE or EXTEND operation")
            entry.records = [record for record in entry.records if not record[1]]  # the disabled ones are lost
            if how == "PRUNE":
                entry.records = [record for record in entry.records if record != records[0]]
            elif records[0] not in entry.records:  # and no look for a CNAME
                entry.ttl = entry.ttl if entry.records else ttl
                entry.records.append(records[0])
        if not entry.records:
            del zone[name, kind]

    def _alone(self, zone: dict[tuple[str, str], Entry], name: str, kind: str, records: list[tuple[str, bool]]) -> None:
        """Nothing that is served stands beside a CNAME."""
        if not any(not disabled for _, disabled in records):
            return
        for (other, type_), entry in zone.items():
            if other == name and type_ != kind and any(not disabled for _, disabled in entry.records) and "CNAME" in (kind, type_):  # fmt: skip
                raise Refused(f"RRset {name} IN {kind}: Conflicts with pre-existing RRset")


def _full(name: str, zone: str) -> str:
    return f"{zone}." if name in ("@", "") else f"{name.lower()}.{zone}."


def _looked_at(name: str, kind: str, content: str) -> None:
    """Refuse a text that is not in quotes, or ends within them."""
    if kind in ("TXT", "SPF") and (not content or "".join(m[0] for m in CONTENT.finditer(content)) != content):
        raise Refused(f"Record {name}/{kind} '{content}': Parsing record content (try 'pdnsutil check-zone'): Data field in DNS should "
                      f"start with quote (\") at position 0 of '{content}'")  # fmt: skip


def _octets(kind: str, content: str) -> bytes:
    """A text's joined octets; the words of anything else."""
    if kind not in ("TXT", "SPF"):
        return content.encode()
    joined = "".join(match[1] for match in CONTENT.finditer(content)).encode("utf-8", "surrogateescape")
    return re.sub(
        rb"\\(\d{3}|.)", lambda code: bytes([int(code[1])]) if len(code[1]) == 3 else code[1], joined, flags=re.DOTALL
    )
