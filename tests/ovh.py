"""A stand-in for OVHcloud's DNS zones over real HTTP: stateful, and as strict as the real API is known to be.

    with Ovh({"example.org": [("@", "TXT", 3600, ['"x"'])]}) as ovh:
        Provider("ovh", endpoint=ovh.endpoint, **ovh.keys)

Requests are signed, by a clock that goes `ahead`. What is written is served after a refresh, and then `late` more questions later.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from tests.by_id import ById
from tests.described import ovh as description
from tests.http_faults import Answer
from tests.ovh_records import Entry, Refused, beside, made, shown, strings
from tests.stand_in import Key, Request, Values

SPAN = 60  # seconds for which a signature is good


@dataclass
class Zone:
    """A zone: its records by id as they are written, and as they are served."""

    entries: dict[int, Entry] = field(default_factory=dict)
    served: dict[int, Entry] = field(default_factory=dict)
    errors: list[str] | None = None
    warnings: list[str] | None = None
    waits: int = 0


class Ovh(ById):
    """The server, as a context. `denied`: what the consumer key may not do, as `METHOD path` behind the zone's. `joins`: how a text of
    several strings is kept, "" as it was sent. `bodiless`: a refresh is answered with no body. `no_txt`: a name where no TXT is taken, but a type of its own."""

    application, secret, consumer = (
        "ak0123456789abcdef",
        "as0123456789abcdef0123456789abcd",
        "ck0123456789abcdef0123456789abcd",
    )
    base, about_zones, means = "/1.0", "^/domain/zone/", {0: 3600}
    described = description.DESCRIBED

    def __init__(
        self,
        zones: dict[str, Iterable[tuple[str, str, int, list[str]]]],
        gapless: bool = True,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(zones, gapless=gapless, now=now)
        self.ahead, self.late, self.joins, self.no_txt, self.bodiless = 4711.0, 0, "", "", False
        self.denied: set[str] = set()
        self._ids = itertools.count(5000000001, 7)
        self.zones: dict[str, Zone] = {zone: Zone() for zone in zones}
        for zone, rows in zones.items():
            for name, kind, ttl, values in rows:
                for value in values:
                    self.keep(zone, name, kind, ttl, value)

    @property
    def keys(self) -> dict[str, str]:
        """What a client is given."""
        return {"application_key": self.application, "application_secret": self.secret, "consumer_key": self.consumer}

    def keep(self, zone: str, name: str, kind: str, ttl: int, value: str) -> None:
        """See `ById`."""
        entry = Entry(next(self._ids), "" if name == "@" else name, kind, ttl, value)
        self.zones[zone].entries[entry.id] = entry
        self.zones[zone].served = dict(self.zones[zone].entries)

    def place(self, zone: str, entry: Entry) -> Key:
        """See `ById`."""
        return entry.key

    def edited(self, zone: str) -> None:
        """The web form has the zone served."""
        self.zones[zone].served = dict(self.zones[zone].entries)
        super().edited(zone)

    # --- what tests look at -------------------------------------------------------------------------------------------

    def records(self, zone: str, name: str) -> list[Entry]:
        """The records at a name ("@" = apex), as they are written."""
        return [entry for entry in self.zones[zone].entries.values() if entry.key[0] == name]

    def served(self, zone: str) -> Values:
        """The zone as it is served."""
        return self.counted(zone, self.zones[zone].served if zone in self.zones else {})

    # --- HTTP ---------------------------------------------------------------------------------------------------------

    def unauthorized(self, words: str) -> Answer:
        """A consumer key that is not taken."""
        return Refused(403, words, "INVALID_CREDENTIAL").answer

    def no_zone(self) -> Answer:
        """A zone that is not there."""
        return Refused(404, "This service does not exist").answer

    def erred(self) -> Answer:
        """An error of the API's own."""
        return Refused(500, "Internal Server Error").answer

    def reply(self, request: Request) -> Answer:
        """See `StandIn`."""
        if (request.method, request.path) == ("GET", "/auth/time"):
            return Answer(200, int(self.now() + self.ahead))
        try:
            self._may(request)
            if request.path == "/domain/zone" and request.method == "GET":
                return Answer(200, sorted(self.zones))
            match = re.fullmatch(r"/domain/zone/([^/]+)/(record|refresh|status)(?:/(\d+))?", request.path)
            if match is None or match[1] not in self.zones:
                return self.no_zone()
            if f"{request.method} {match[2]}" in self.denied:
                raise Refused(403, "This call has not been granted", "NOT_GRANTED_CALL")
            zone = self.zones[match[1]]
            if match[2] == "refresh":
                if request.method != "POST" or request.raw:
                    raise Refused(400, "Invalid request")
                zone.served, zone.waits = dict(zone.entries), self.late
                return Answer(204) if self.bodiless else Answer(200, "null")
            if match[2] == "status":
                zone.waits -= 1
                fresh = zone.served == zone.entries and zone.waits < 0 and not zone.errors and not zone.warnings
                return Answer(200, {"isDeployed": fresh, "errors": zone.errors, "warnings": zone.warnings})
            return self._records(request, match[1], zone, int(match[3]) if match[3] else None)
        except Refused as refused:
            return refused.answer

    def _may(self, request: Request) -> None:
        """Raises `Refused` where a request is not signed as it must be."""
        sent = {
            part: request.headers.get(f"X-Ovh-{part}") for part in ("Application", "Consumer", "Timestamp", "Signature")
        }
        if None in sent.values():
            raise Refused(403, "You must login first", "NOT_CREDENTIAL")
        if sent["Application"] != self.application:
            raise Refused(403, "This application key is invalid", "INVALID_KEY")
        if sent["Consumer"] != self.consumer or self.expired:
            raise Refused(403, "This credential is not valid", "INVALID_CREDENTIAL")
        if abs(int(sent["Timestamp"] or "0") - self.now() - self.ahead) > SPAN:
            raise Refused(403, "Query out of time", "QUERY_TIME_OUT")
        url = f"http://{request.headers.get('Host')}{request.url}"
        parts = [self.secret, self.consumer, request.method, url, request.raw.decode(), str(sent["Timestamp"])]
        if sent["Signature"] != "$1$" + hashlib.sha1("+".join(parts).encode()).hexdigest():
            raise Refused(400, "Invalid signature")
        if request.raw and (
            request.body is None or not request.headers.get("Content-Type", "").startswith("application/json")
        ):
            raise Refused(400, "Invalid JSON received")

    def _records(self, request: Request, name: str, zone: Zone, id: int | None) -> Answer:
        """A request about records."""
        if id is None and request.method == "GET":
            wanted = {part: values[0] for part, values in request.query.items()}
            rows = zone.entries.values()
            return Answer(200, [
                e.id for e in rows if wanted.get("fieldType", e.type) == e.type and wanted.get("subDomain", e.name) == e.name
            ])  # fmt: skip
        if id is None and request.method == "POST":
            if isinstance(request.body, dict) and self.no_txt == request.body.get("subDomain", "") != "":
                self._no_txt(request.body)
            entry = self._joined(made(next(self._ids), request.body))
        elif id not in zone.entries:
            raise Refused(404, f"The requested object (id = {id}) does not exist")
        elif request.method == "GET":
            return Answer(200, shown(name, zone.entries[id]))
        elif request.method == "DELETE":
            del zone.entries[id]
            return Answer(200, "null")
        else:
            entry = self._joined(made(id, request.body, zone.entries[id]))
        beside(entry, zone.entries)
        zone.entries[entry.id] = entry
        return Answer(200, shown(name, entry)) if id is None else Answer(200, "null")

    def _no_txt(self, given: dict[str, Any]) -> None:
        if given.get("fieldType") == "TXT":
            raise Refused(400, "This is no TXT record")

    def _joined(self, entry: Entry) -> Entry:
        if not self.joins or entry.type != "TXT" or '" "' not in entry.target:
            return entry
        text = strings(entry.target).decode()
        return replace(entry, target=text if self.joins == "bare" else f'"{text}"')
