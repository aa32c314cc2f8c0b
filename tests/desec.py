"""A stand-in for deSEC over real HTTP: stateful, and as strict as the real API, whose source is public (desec-io/desec-stack).

    with Desec({"example.org": [("@", "TXT", 3600, ['"x"'])]}) as desec:
        Provider("desec", token=desec.token, endpoint=desec.endpoint)

Each domain has a smallest TTL, and is made with an NS record set at its apex, which its owner may delete. Limits on the number of requests are there where `Switches.limited` says so, by the clock `now`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from tests.desec_values import AUTOMATIC, TYPES, canonical, octets
from tests.gaps import By
from tests.http_faults import Answer
from tests.stand_in import Limiter, Request, StandIn, Values

MAXIMUM_TTL = 86400
LIST = {"subname", "type", "records", "ttl"}
READS = [(10, 1.0), (50, 60.0)]
WRITES = [(2, 1.0), (15, 60.0), (100, 3600.0), (300, 86400.0)]
_SUBNAME = re.compile(r"[*]|([*][.])?([a-z0-9_-]{1,63}[.])*[a-z0-9_-]{1,63}")
Key = tuple[str, str]
Errors = dict[str, Any]


@dataclass
class Switches:
    """What may be set."""

    spf_taken: bool = True
    limited: bool = False
    page: int = 500
    sees_domain: bool = True  # whether the token may look at the domain itself
    untaken: str = ""  # a name whose records are refused
    counts: int = 0  # added to the total that is told


@dataclass
class Entry:
    """One RRset as it is kept; `made` counts up."""

    ttl: int
    records: list[str]
    made: int


@dataclass
class Domain:
    """A domain."""

    minimum_ttl: int = 60
    entries: dict[Key, Entry] = field(default_factory=dict)
    made: int = 0


class Desec(StandIn):
    """The server, as a context. `token` sees the domains of its account, `stranger` none."""

    token, stranger = "i-T3b1h_OI-H9ab8tRS98stGtURe", "x-T3b1h_OI-H9ab8tRS98stGtURe"
    base, secret, about_zones = "/api/v1", token, "domains/.*/rrsets/"

    def __init__(
        self,
        zones: dict[str, Iterable[tuple[str, str, int, list[str]]]],
        switches: Switches | None = None,
        minimum_ttl: int = 60,
        gapless: bool = True,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(zones, gapless=gapless, now=now)
        self.switches = switches or Switches()
        self.limiters: dict[str, Limiter] = {}
        self.zones: dict[str, Domain] = {zone: Domain(minimum_ttl) for zone in zones}
        for zone, rows in zones.items():
            for name, kind, ttl, values in [("@", "NS", 3600, ["ns1.desec.io.", "ns2.desec.org."]), *rows]:
                self.put(zone, name, kind, ttl, values)

    def put(self, zone: str, name: str, kind: str, ttl: int, values: list[str]) -> None:
        """What somebody else does by another way; no values: takes the RRset away."""
        with self.lock:
            domain, key = self.zones[zone], ("" if name == "@" else name.lower(), kind)
            if values:
                self._keep(domain, key, ttl, [canonical(kind, value) for value in values])
            else:
                domain.entries.pop(key, None)
            if self.history[zone]:
                self.note(By.SOMEBODY)

    def add(self, zone: str, name: str, kind: str, ttl: int, value: str) -> None:
        """See `StandIn`."""
        before = self.zones[zone].entries.get(("" if name == "@" else name.lower(), kind))
        self.put(zone, name, kind, before.ttl if before else ttl, [*(before.records if before else []), value])

    def drop(self, zone: str, name: str, kind: str) -> None:
        """See `StandIn`."""
        self.put(zone, name, kind, 0, [])

    def values(self, zone: str) -> Values:
        """See `StandIn`."""
        with self.lock:
            entries = self.zones[zone].entries if zone in self.zones else {}
            return {
                (name or "@", kind): (entry.ttl, frozenset(octets(kind, value) for value in entry.records))
                for (name, kind), entry in entries.items()
            }

    def _keep(self, domain: Domain, key: Key, ttl: int, records: list[str]) -> None:
        before = domain.entries.get(key)
        domain.made += 1
        domain.entries[key] = Entry(ttl, records, before.made if before else domain.made)

    # --- HTTP ---------------------------------------------------------------------------------------------------------

    def unauthorized(self, words: str) -> Answer:
        """See `StandIn`."""
        return Answer(401, {"detail": words}, {"WWW-Authenticate": "Token"})

    def no_zone(self) -> Answer:
        """See `StandIn`."""
        return Answer(404, {"detail": "No Domain matches the given query."})

    def erred(self) -> Answer:
        """See `StandIn`."""
        return Answer(500, "<!doctype html><html><body><h1>Server Error (500)</h1></body></html>")

    def before(self, request: Request) -> Answer | None:
        """One request too many."""
        if not self.switches.limited:
            return None
        reads = request.method == "GET"
        scope = "" if reads else request.path.split("/")[2]
        limiter = self.limiters.setdefault(scope, Limiter(READS if reads else WRITES, self.now))
        late = limiter.late()
        if not late:
            return None
        seconds = -int(-late // 1)
        told = f"Request was throttled. Expected available in {seconds} second{'s' * (seconds != 1)}."
        return Answer(429, {"detail": told}, {"Retry-After": str(seconds)})

    def reply(self, request: Request) -> Answer:
        """See `StandIn`."""
        if request.raw and request.headers.get("Content-Type") != "application/json":
            return Answer(
                415, {"detail": f'Unsupported media type "{request.headers.get("Content-Type")}" in request.'}
            )
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if not secret:
            return self.unauthorized("Authentication credentials were not provided.")
        if scheme != "Token" or secret not in (self.token, self.stranger) or self.expired:
            return self.unauthorized("Invalid token.")
        if request.raw and request.body is None:
            return Answer(400, {"detail": "JSON parse error - Expecting value: line 1 column 1 (char 0)"})
        parts = [unquote(part) for part in request.path.split("/")[1:]]
        if parts[0] != "domains" or parts[-1] != "" or len(parts) not in (3, 4):
            return Answer(404, {"detail": "Not found."})
        domain = self.zones.get(parts[1])
        if domain is None or secret == self.stranger:
            return self.no_zone()
        if len(parts) == 3:
            return self._domain(parts[1], domain, request)
        if parts[2] != "rrsets":
            return Answer(404, {"detail": "Not found."})
        if request.method == "GET":
            return self._list(parts[1], domain, request)
        if request.method in ("PATCH", "PUT", "POST"):
            return self._bulk(parts[1], domain, request)
        return Answer(405, {"detail": f'Method "{request.method}" not allowed.'})

    def _domain(self, name: str, domain: Domain, request: Request) -> Answer:
        if request.method != "GET":
            return Answer(405, {"detail": f'Method "{request.method}" not allowed.'})
        if not self.switches.sees_domain:
            return Answer(403, {"detail": "You do not have permission to perform this action."})
        when = "2026-11-29T12:00:00.000000Z"
        return Answer(200, {"created": when, "published": when, "touched": when, "name": name, "minimum_ttl": domain.minimum_ttl,
                            "keys": [], "zonefile": ""})  # fmt: skip

    def _list(self, name: str, domain: Domain, request: Request) -> Answer:
        size, query = self.switches.page, request.query
        newest = sorted(domain.entries.items(), key=lambda both: -both[1].made)
        for place, part in enumerate(("subname", "type")):  # views: each filter is an exact one
            if part in query:
                newest = [both for both in newest if both[0][place] == query[part][0]]
        url = f"http://{request.headers['Host']}{self.base}{request.path}"
        links = [f'<{url}?cursor=>; rel="first"']
        if len(newest) > size and "cursor" not in query:
            told = f"Pagination required. You can query up to {size} items at a time ({len(newest) + self.switches.counts} total)."
            return Answer(
                400, {"detail": f"{told} Please use the `first` page link (see Link header)."}, {"Link": links[0]}
            )
        [cursor] = query.get("cursor", [""])
        if cursor and not re.fullmatch(r"c[0-9]+=", cursor):
            return Answer(404, {"detail": "Invalid cursor"})
        rest = [both for both in newest if not cursor or both[1].made < int(cursor[1:-1])]
        page = rest[:size]
        if len(rest) > size:
            links.append(f'<{url}?cursor=c{page[-1][1].made}%3D>; rel="next"')
        headers = {"Link": ", ".join(links)} if len(newest) > size else {}
        return Answer(200, [self._shown(name, *both) for both in page], headers)

    def _shown(self, domain: str, key: Key, entry: Entry) -> dict[str, Any]:
        when = "2026-11-29T12:00:00.000000Z"
        name = f"{key[0]}.{domain}." if key[0] else f"{domain}."
        return {"created": when, "domain": domain, "subname": key[0], "name": name, "records": list(entry.records), "ttl": entry.ttl,
                "type": key[1], "touched": when}  # fmt: skip

    # --- a list of changes, done whole or not at all -------------------------------------------------------------------

    def _bulk(self, name: str, domain: Domain, request: Request) -> Answer:
        items = request.body
        if not isinstance(items, list):
            return Answer(400, {"non_field_errors": [f"Expected a list of items but got {_kind(items)}."]})
        errors = [self._errors(domain, item, items, request.method) for item in items]
        if any(errors):
            return Answer(400, errors)
        done = []
        for item in items:
            key = (item["subname"], item["type"])
            if item.get("records") == []:
                domain.entries.pop(key, None)
        for item in items:
            key, before = (item["subname"], item["type"]), domain.entries.get((item["subname"], item["type"]))
            if item.get("records") == []:
                continue
            records = [canonical(key[1], value) for value in item["records"]] if "records" in item else None
            ttl = item.get("ttl", before.ttl if before else None)
            self._keep(domain, key, ttl, records if records is not None else before.records if before else [])
            done.append(self._shown(name, key, domain.entries[key]))
        return Answer(201 if request.method == "POST" else 200, done)

    def _errors(self, domain: Domain, item: Any, items: list[Any], method: str) -> Errors:
        """What is wrong with one of them, as the first stage tells it."""
        if not isinstance(item, dict):
            return {"non_field_errors": f"Expected a dictionary, but got {_kind(item)}."}
        for part in ("subname", "type"):
            if part not in item:
                return {part: ["This field is required."]}
            if not isinstance(item[part], str):
                return {part: f"Expected a string, but got {_kind(item[part])}."}
        key, known = (item["subname"], item["type"]), (item["subname"], item["type"]) in domain.entries
        same = [
            number
            for number, each in enumerate(items)
            if isinstance(each, dict) and (each.get("subname"), each.get("type")) == key
        ]
        if len(same) > 1:
            return {"non_field_errors": [f"Same subname and type as in position(s) {same[1]}, but must be unique."]}
        if item.get("records") != []:
            goes = {
                (each.get("subname"), each.get("type"))
                for each in items
                if isinstance(each, dict) and each.get("records") == []
            }
            comes = {
                (each.get("subname"), each.get("type"))
                for each in items
                if isinstance(each, dict) and each.get("records") != []
            }
            beside = {kind for other, kind in (set(domain.entries) - goes) | comes if other == key[0]}
            conflicts = sorted(str(kind) for kind in beside if (kind == "CNAME") != (key[1] == "CNAME"))
            if conflicts:
                return {"non_field_errors": [f"RRset with conflicting type present: database ({', '.join(conflicts)}). (No other RRsets are "
                                             "allowed alongside CNAME.)"]}  # fmt: skip
        if method == "POST" and known:
            return {
                "non_field_errors": [
                    "Another RRset with the same subdomain and type exists for this domain. (Try modifying it.)"
                ]
            }
        return self._fields(domain, item, partial=method == "PATCH" and (known or item.get("records") == []))

    def _fields(self, domain: Domain, item: dict[str, Any], partial: bool) -> Errors:
        errors: Errors = {}
        name, kind = item["subname"], item["type"]
        for part in ("records", "ttl"):
            if part not in item and not partial:
                errors[part] = ["This field is required."]
        if name and (not _SUBNAME.fullmatch(name) or len(name) > 178):
            errors["subname"] = ["Subname can only use (lowercase) a-z, 0-9, ., -, and _, may start with a '*.', or just be '*'. "
                                 "Components may not exceed 63 characters."]  # fmt: skip
        if kind in AUTOMATIC:
            errors["type"] = [f"You cannot tinker with the {kind} RR set. It is managed automatically."]
        elif kind.startswith("TYPE"):
            errors["type"] = ["Generic type format is not supported."]
        elif kind not in TYPES or (kind == "SPF" and not self.switches.spf_taken):
            errors["type"] = [f"The {kind} RR set type is currently unsupported."]
        ttl = item.get("ttl", domain.minimum_ttl)
        if isinstance(ttl, str) and re.fullmatch(r"-?[0-9]{1,10}", ttl):  # its framework takes digits for a number
            ttl = item["ttl"] = int(ttl)
        if type(ttl) is not int:
            errors["ttl"] = ["A valid integer is required."]
        elif ttl < domain.minimum_ttl:
            errors["ttl"] = [f"Ensure this value is greater than or equal to {domain.minimum_ttl}."]
        elif ttl > MAXIMUM_TTL:
            errors["ttl"] = [f"Ensure this value is less than or equal to {MAXIMUM_TTL}."]
        records = item.get("records", [])
        if not isinstance(records, list):
            errors["records"] = {"non_field_errors": [f'Expected a list of items but got type "{_kind(records)}".']}
        elif not all(isinstance(value, str) for value in records):
            errors["records"] = [["Must be a string."] if not isinstance(value, str) else {} for value in records]
        elif any("\0" in value for value in records):
            errors["records"] = [{"content": ["Null characters are not allowed."]}]
        elif not errors:
            errors |= self._contents(name, kind, records)
        return errors

    def _contents(self, name: str, kind: str, records: list[str]) -> Errors:
        try:
            kept = [canonical(kind, value) for value in records]
        except ValueError as error:
            return {"non_field_errors": [str(error)]}
        if len(set(kept)) != len(kept):
            return {"non_field_errors": ["Duplicate: records must be semantically unique"]}
        excess = 320 + len(name) + sum(12 + len(value) for value in kept) - 65535
        if excess > 0:
            return {"non_field_errors": [f"Total length of RRset exceeds limit by {excess} bytes."]}
        if kind == "CNAME" and (not name or len(kept) > 1):
            return {"non_field_errors": ["CNAME RRset cannot have empty subname, or multiple records."]}
        if name and name == self.switches.untaken:
            return {"non_field_errors": ["This is not taken today."]}
        return {}


def _kind(thing: Any) -> str:
    return type(thing).__name__
