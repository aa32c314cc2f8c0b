"""A stand-in for Cloudflare's DNS over real HTTP: stateful, and as strict as the real API is known to be.

    with Cloudflare({"example.org": [("@", "TXT", 3600, ['"x"'])]}) as cloudflare:
        Provider("cloudflare", token=cloudflare.token, endpoint=cloudflare.endpoint)

A record is kept by its id, with a TTL, a comment and tags of its own. A batch is done whole or not at all.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.by_id import ById
from tests.cloudflare_records import Entry, Refused, beside, in_zone_file, invalid, made, shown
from tests.described import cloudflare as description
from tests.http_faults import Answer
from tests.stand_in import Key, Request

LISTS = ("deletes", "patches", "puts", "posts")


@dataclass
class Zone:
    """A zone of an account: its records by id."""

    id: str
    account: str = "a" * 32
    entries: dict[str, Entry] = field(default_factory=dict)


class Cloudflare(ById):
    """The server, as a context. `token` sees every zone, `stranger` none; `email` and `key` are the old way. `most` is how many
    records a page may have, `lies` what is added to every total, `batch` how many records a batch may have. `twins` are further
    zones by id."""

    token, stranger = "cf_0123456789abcdef0123456789abcdef0123", "cf_stranger"
    email, key = "somebody@example.net", "0123456789abcdef0123456789abcdef01234"
    base, secret, about_zones, means = "/client/v4", token, "^/zones", {1: 300}
    described = description.DESCRIBED

    def __init__(
        self,
        zones: dict[str, Iterable[tuple[str, str, int, list[str]]]],
        gapless: bool = True,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(zones, gapless=gapless, now=now)
        self.most, self.lies, self.batch = 5000000, 0, 200
        self.twins: list[tuple[str, Zone]] = []
        self._ids = itertools.count(1)
        self.zones: dict[str, Zone] = {zone: Zone(self.fresh()) for zone in zones}
        for zone, rows in zones.items():
            for name, kind, ttl, values in rows:
                for value in values:
                    self.keep(zone, name, kind, ttl, value)

    def fresh(self) -> str:
        """An id that nothing has yet."""
        return f"{next(self._ids) * 0x9E3779B97F4A7C15 % 2**64:032x}"

    def keep(self, zone: str, name: str, kind: str, ttl: int, value: str) -> None:
        """See `ById`."""
        whole = (zone if name == "@" else f"{name}.{zone}").lower()
        entry = in_zone_file(self.fresh(), whole, kind, ttl, value)
        self.zones[zone].entries[entry.id] = entry

    def place(self, zone: str, entry: Entry) -> Key:
        """See `ById`."""
        return entry.name.removesuffix(zone).removesuffix(".") or "@", entry.type

    # --- what tests look at -------------------------------------------------------------------------------------------

    def records(self, zone: str, name: str, kind: str) -> list[Entry]:
        """The records at a name ("@" = apex) and type, as they are kept."""
        whole = zone if name == "@" else f"{name}.{zone}"
        return [e for e in self.zones[zone].entries.values() if (e.name, e.type) == (whole, kind)]

    # --- HTTP ---------------------------------------------------------------------------------------------------------

    def unauthorized(self, words: str) -> Answer:
        """A token that is not taken."""
        return Refused(403, 9109, words).answer

    def no_zone(self) -> Answer:
        """A zone's id that leads nowhere."""
        return Refused(404, 7003, "Could not route to that zone, perhaps your object identifier is invalid?").answer

    def erred(self) -> Answer:
        """An error of the API's own."""
        return Refused(500, 10013, "An unknown error occurred.").answer

    def reply(self, request: Request) -> Answer:
        """See `StandIn`."""
        try:
            sees = self._may(request)
            if request.raw and (
                request.body is None or not request.headers.get("Content-Type", "").startswith("application/json")
            ):
                raise Refused(400, 9207, "Request body is invalid.")
            if request.path == "/zones" and request.method == "GET":
                return self._listed(request) if sees else done([], total=0, page=1, size=20)
            match = re.fullmatch(r"/zones/([0-9a-f]{32})/dns_records(?:/(\w+))?", request.path)
            zones = {zone.id: (name, zone) for name, zone in [*self.zones.items(), *self.twins]}
            if match is None or not sees or match[1] not in zones:
                return self.no_zone()
            return self._about(request, *zones[match[1]], match[2])
        except Refused as refused:
            return refused.answer

    def _may(self, request: Request) -> bool:
        """Whether the secret sees zones; raises `Refused` where it is none."""
        given = request.headers.get("Authorization", "")
        old = (request.headers.get("X-Auth-Email"), request.headers.get("X-Auth-Key"))
        if old != (None, None) and not given:
            if old == (self.email, self.key) and not self.expired:
                return True
            raise Refused(403, 9103, "Unknown X-Auth-Key or X-Auth-Email")
        if not given:
            raise Refused(400, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers")
        if not re.fullmatch(r"Bearer [\x21-\x7e]{10,}", given):
            raise Refused(400, 6003, "Invalid request headers", (6111, "Invalid format for Authorization header"))
        if given not in (f"Bearer {self.token}", f"Bearer {self.stranger}") or self.expired:
            raise Refused(403, 9109, "Invalid access token")
        return given == f"Bearer {self.token}"

    def _listed(self, request: Request) -> Answer:
        name, account = (request.query.get(part, [""])[0] for part in ("name", "account.id"))
        found = [
            {"id": zone.id, "name": each, "status": "active", "paused": False, "type": "full", "account": {"id": zone.account, "name": "x"},
             "activated_on": None, "created_on": "2026-01-01T00:00:00Z", "modified_on": "2026-01-01T00:00:00Z", "development_mode": 0,
             "meta": {}, "name_servers": [], "original_dnshost": None, "original_name_servers": None, "original_registrar": None,
             "owner": {}, "plan": {"id": "free"}}
            for each, zone in [*self.zones.items(), *self.twins]
            if name in ("", each) and account in ("", zone.account)
        ]  # fmt: skip
        page = int(request.query.get("page", ["1"])[0])
        return done(found[(page - 1) * 20 : page * 20], total=len(found), page=page, size=20)

    def _about(self, request: Request, name: str, zone: Zone, id: str | None) -> Answer:
        """A request about a zone's records."""
        if request.method == "GET" and id is None:
            return self._page(request, zone)
        if request.method == "POST" and id == "batch":
            return self._batch(request.body, name, zone)
        if request.method == "POST" and id is None:
            return done(self._do("posts", request.body, name, zone.entries))
        if id not in zone.entries:
            raise Refused(404, 81044, "Record does not exist.")
        if request.method == "GET":
            return done(shown(zone.entries[id]))
        which = {"DELETE": "deletes", "PATCH": "patches", "PUT": "puts"}[request.method]
        answer = self._do(which, {"id": id, **(request.body or {})}, name, zone.entries)
        return done({"id": id} if which == "deletes" else answer)

    def _page(self, request: Request, zone: Zone) -> Answer:
        query = {key: values[0] for key, values in request.query.items()}
        page, size = int(query.get("page", "1")), int(query.get("per_page", "100"))
        if (
            page < 1
            or not 1 <= size <= 5000000
            or query.get("order", "name") not in ("type", "name", "content", "ttl", "proxied")
        ):
            raise Refused(400, 9999, "Invalid pagination or order.")
        size = min(size, self.most)
        rows = [
            shown(entry)
            for entry in sorted(zone.entries.values(), key=lambda entry: (entry.name, entry.id))
            if query.get("name", entry.name) == entry.name and query.get("type", entry.type) == entry.type
        ]
        return done(rows[(page - 1) * size : page * size], total=len(rows) + self.lies, page=page, size=size)

    def _batch(self, body: Any, name: str, zone: Zone) -> Answer:
        """All of it, in the order of the lists, or nothing."""
        if (
            not isinstance(body, dict)
            or set(body) - set(LISTS)
            or not all(isinstance(part, list) for part in body.values())
        ):
            raise Refused(400, 9207, "Request body is invalid.")
        if not 0 < sum(map(len, body.values())) <= self.batch:
            raise invalid(9999, f"A batch has one record or more, and {self.batch} at most.")
        after = dict(zone.entries)
        told = {part: [self._do(part, each, name, after) for each in body.get(part, [])] for part in LISTS}
        zone.entries = after
        return done(told)

    def _do(self, part: str, given: Any, zone: str, entries: dict[str, Entry]) -> dict[str, Any]:
        """One action; raises `Refused`."""
        if not isinstance(given, dict):
            raise Refused(400, 9207, "Request body is invalid.")
        if part == "posts":
            if not {"name", "type", "content"} <= set(given):
                raise invalid(9000, "name, type and content are required.")
            entry = made(self.fresh(), given, zone)
        else:
            before = entries.get(str(given.get("id")))
            if before is None:
                raise Refused(400, 81044, "Record does not exist.")
            if part == "deletes":
                return shown(entries.pop(before.id))
            fields = {key: value for key, value in given.items() if key != "id"}
            if part == "puts" and not {"name", "type", "content"} <= set(fields):
                raise invalid(9000, "name, type and content are required.")
            entry = made(before.id, fields, zone, before if part == "patches" else None)
        beside(entry, entries)
        entries[entry.id] = entry
        return shown(entry)


def done(result: Any, **paging: int) -> Answer:
    """A success, with the figures of a page where there is one."""
    body: dict[str, Any] = {"result": result, "success": True, "errors": [], "messages": []}
    if paging:
        total, page, size = paging["total"], paging["page"], paging["size"]
        body["result_info"] = {
            "page": page,
            "per_page": size,
            "count": len(result),
            "total_count": total,
            "total_pages": -(-total // size),
        }
    return Answer(200, body)
