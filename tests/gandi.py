"""A stand-in for Gandi LiveDNS over real HTTP: stateful, and as strict as the real API is known to be.

    with Gandi({"example.org": [("@", "TXT", 3600, ['"x"'])]}) as gandi:
        Provider("gandi", token=gandi.token, endpoint=gandi.endpoint)

Where the real API's behaviour is not known, `Switches` has both ways. `served` is a folder that gets each zone as a master file
whenever it changes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tests.gandi_faults import ERRED, FORBIDDEN, NOT_FOUND, TOO_MANY, UNAUTHORIZED, invalid
from tests.gandi_records import Entry, Records, Switches, Zone, answered, of_text
from tests.gandi_snapshots import Snapshots
from tests.gandi_values import TYPES, canonical, shown
from tests.gaps import By
from tests.http_faults import Answer
from tests.stand_in import Limiter, Request, StandIn, Values


class Gandi(StandIn):
    """The server, as a context. `token` sees every domain of its organisation, `stranger` none."""

    token, apikey, stranger = "pat_0123456789abcdef0123456789abcdef01234567", "k" * 24, "pat_stranger"
    organisation = "0b5a6d9e-9d3c-11ee-8c90-0242ac120002"
    base, secret, about_zones = "/v5/livedns", token, "domains/"

    def __init__(
        self,
        zones: dict[str, Iterable[tuple[str, str, int, list[str]]]],
        switches: Switches | None = None,
        served: Path | None = None,
        gapless: bool = True,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(zones, gapless=gapless, now=now)
        self.switches, self.served = switches or Switches(), served
        self._limiter: Limiter | None = None
        self.zones: dict[str, Zone] = {zone: Zone() for zone in zones}
        for zone, rows in zones.items():
            for name, kind, ttl, values in rows:
                self.put(zone, name, kind, ttl, values)

    def put(self, zone: str, name: str, kind: str, ttl: int, values: list[str]) -> None:
        """What somebody else does by another way, such as the web form; no values: takes the RRset away."""
        with self.lock:
            key = (name.lower(), kind)
            self.zones[zone].entries.pop(key, None)
            if values:
                self.zones[zone].entries[key] = Entry(name, kind, ttl, [canonical(kind, value) for value in values])
            if self.history[zone]:
                self.note(By.SOMEBODY)

    def add(self, zone: str, name: str, kind: str, ttl: int, value: str) -> None:
        """See `StandIn`."""
        ttl, values = self.values(zone).get((name, kind), (ttl, frozenset()))
        self.put(zone, name, kind, ttl, [*(shown(kind, kept, 255, True) for kept in sorted(values)), value])

    def drop(self, zone: str, name: str, kind: str) -> None:
        """See `StandIn`."""
        self.put(zone, name, kind, 300, [])

    @property
    def endpoint(self) -> str:
        """What to give to a client."""
        return super().endpoint.removesuffix("/livedns")

    # --- what tests look at -------------------------------------------------------------------------------------------

    def values(self, zone: str) -> Values:
        """The zone as it is kept: name in lower case and type → TTL, values."""
        with self.lock:
            entries = self.zones[zone].entries if zone in self.zones else {}
            return {key: (entry.ttl, frozenset(entry.values)) for key, entry in entries.items()}

    def noted(self, zone: str) -> None:
        """The zone as a master file, for a name server that stands for Gandi's."""
        if not self.served or zone not in self.zones:
            return
        file = self.served / f"{zone}.zone"
        lines = [
            "$TTL 300",
            "@ IN SOA ns1.gandi.net. hostmaster.gandi.net. 1 10800 3600 604800 300",
            "@ IN NS ns1.gandi.net.",
        ]
        for entry in self.zones[zone].entries.values():
            lines += [
                f"{entry.name} {entry.ttl} IN {entry.type} {value}" for value in self.shown(zone, entry)["rrset_values"]
            ]
        fresh = file.with_suffix(".new")
        fresh.write_text("\n".join(lines) + "\n")
        fresh.replace(file)

    # --- HTTP ---------------------------------------------------------------------------------------------------------

    def unauthorized(self, words: str) -> Answer:
        """A token that is not taken."""
        return Answer(401, {**UNAUTHORIZED, "message": words})

    def no_zone(self) -> Answer:
        """A domain that is not there."""
        return Answer(404, NOT_FOUND)

    def erred(self) -> Answer:
        """An error of the API's own."""
        return Answer(500, ERRED)

    def before(self, request: Request) -> Answer | None:
        """The answer to one request too many within a minute."""
        if self.switches.a_minute is None:
            return None
        self._limiter = self._limiter or Limiter([(self.switches.a_minute, 60.0)], self.now)
        late = self._limiter.late()
        if not late:
            return None
        told = {"seconds": str(max(1, round(late))), "date": formatdate(self.now() + late + 1, usegmt=True)}
        after = {"Retry-After": told[self.switches.retry_after]} if self.switches.retry_after else {}
        return Answer(429, TOO_MANY, after)

    def reply(self, request: Request) -> Answer:
        """See `StandIn`."""
        path, raw, query = request.path, request.raw, request.query
        if path.startswith("/nameservers/"):
            return Answer(200, ["ns-1-a.gandi.net", "ns-2-b.gandi.net", "ns-3-c.gandi.net"])
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        known = {("Bearer", self.token), ("Bearer", self.stranger), ("Apikey", self.apikey)}
        if (scheme, secret) not in known or self.expired:
            return Answer(401, UNAUTHORIZED)
        accept, given = request.headers.get("Accept", ""), request.headers.get("Content-Type", "")
        if given.startswith("text/plain") and request.method == "PUT" and path.endswith("/records"):
            try:
                request.body = {"items": of_text(raw.decode())}
            except ValueError as error:
                return invalid(str(error))
        elif raw and not given.startswith("application/json") and (given or self.switches.typed):
            return invalid("the body has no content type that is known")
        if raw and request.body is None:
            return invalid("the body is not JSON")
        if path == "/dns/rrtypes":
            return Answer(200, sorted(kind for kind in TYPES if kind != "SPF" or self.switches.spf_listed))
        parts = [unquote(part) for part in path.split("/")[1:]]
        if parts == ["domains"] and request.method == "GET":
            mine = query.get("sharing_id") == [self.organisation] or not self.switches.sharing_required
            return Answer(200, [_domain(name) for name in self.zones] if mine and secret != self.stranger else [])
        if len(parts) < 2 or parts[0] != "domains":
            return Answer(404, NOT_FOUND)
        zone = self.zones.get(parts[1].lower())
        if zone is None:
            return Answer(404, NOT_FOUND)
        if secret == self.stranger:
            return Answer(403, FORBIDDEN)
        if self.switches.sharing_required and query.get("sharing_id") != [self.organisation]:
            return Answer(404, {"code": 404, "cause": "Unknown", "message": "The resource does not exist"})
        rest = parts[2:]
        if not rest and request.method == "GET":
            return Answer(200, _domain(parts[1]) | {"automatic_snapshots": zone.automatic_snapshots})
        if not rest and request.method == "PATCH":
            wanted = request.body.get("automatic_snapshots") if isinstance(request.body, dict) else None
            if not isinstance(wanted, bool):
                return invalid("automatic_snapshots: must be true or false")
            zone.automatic_snapshots = wanted
            return Answer(200, {"message": "Domain Updated"})
        snapshots = Snapshots(self.switches, parts[1], zone)
        if rest[:1] == ["records"] and len(rest) <= 3:
            answer = Records(self.switches, parts[1], zone).answer(request, rest[1:], query, accept)
            if request.method != "GET" and answer.status < 300 and zone.automatic_snapshots:
                snapshots.keep("", automatic=True)
            return answer
        if rest[:1] == ["snapshots"] and len(rest) <= 2:
            return snapshots.answer(request, rest[1:], query, accept)
        if rest == ["nameservers"]:
            return Answer(200, ["ns-1-a.gandi.net"])
        return Answer(404, NOT_FOUND)

    def shown(self, zone: str, entry: Entry) -> dict[str, Any]:
        """An RRset as the API answers it."""
        return answered(zone, entry, self.switches)


def _domain(name: str) -> dict[str, Any]:
    base = f"https://api.gandi.net/v5/livedns/domains/{name}"
    return {
        "fqdn": name,
        "domain_href": base,
        "domain_records_href": f"{base}/records",
        "domain_keys_href": f"{base}/keys",
    }
