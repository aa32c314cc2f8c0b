"""A stand-in for the DNS of Hetzner Cloud over real HTTP: stateful, and as strict as the real API is known to be.

    with Hetzner({"example.org": [("@", "TXT", 3600, ['"x"'])]}) as hetzner:
        Provider("hetzner", token=hetzner.token, endpoint=hetzner.endpoint)

A write begins an action. What it does is done at once, and the action says so at a later look: `Switches.looks`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from tests.described import hetzner as description
from tests.gaps import By
from tests.hetzner_records import Answered, Entry, Zone, problem
from tests.hetzner_values import check, octets
from tests.http_faults import Answer
from tests.stand_in import Request, StandIn, Values

WHEN = "2026-11-29T12:00:00Z"
ACTIONS = {
    "set_records": "set_rrset_records",
    "add_records": "add_rrset_records",
    "remove_records": "remove_rrset_records",
    "change_ttl": "change_rrset_ttl",
}


@dataclass
class Switches:
    """What may be set."""

    looks: int = 1  # at an action, before it has ended
    fails: str = ""  # the command of actions that end in an error
    busy: int = 0  # so many writes find the zone locked
    total: int | None = 0  # added to the total that is told; None: none is told
    mode: str = "primary"
    an_hour: int = 3600  # requests; each second gives its share back


@dataclass
class Account:
    """What the token of a project sees."""

    actions: dict[int, dict[str, Any]] = field(default_factory=dict)
    looked: dict[int, int] = field(default_factory=dict)
    used: float = 0.0  # requests, less what time gave back
    at: float = 0.0


class Hetzner(StandIn):
    """The server, as a context. `token` may write, `reader` only read; `stranger` is another project's."""

    token, reader, stranger = "h" * 64, "r" * 64, "s" * 64
    base, secret, about_zones = "/v1", token, "zones/"
    described = description.DESCRIBED

    def __init__(
        self,
        zones: dict[str, Iterable[tuple[str, str, int | None, list[str]]]],
        switches: Switches | None = None,
        gapless: bool = True,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(zones, gapless=gapless, now=now)
        self.switches, self.account = switches or Switches(), Account()
        self.zones: dict[str, Zone] = {zone: Zone(number, zone) for number, zone in enumerate(zones, 42)}
        for zone, rows in zones.items():
            for name, kind, ttl, values in rows:
                self.put(zone, name, kind, ttl, values)

    def put(self, zone: str, name: str, kind: str, ttl: int | None, values: list[str]) -> None:
        """What somebody else does by another way, such as the Console; no values: takes the RRset away."""
        with self.lock:
            entries, key = self.zones[zone].entries, (name.lower(), kind)
            if values:
                for value in values:
                    check(kind, value)
                before = entries.get(key, Entry(ttl))
                entries[key] = Entry(
                    ttl, {value: before.records.get(value) for value in values}, before.labels, before.protected
                )
            else:
                entries.pop(key, None)
            if self.history[zone]:
                self.note(By.SOMEBODY)

    def add(self, zone: str, name: str, kind: str, ttl: int, value: str) -> None:
        """See `StandIn`."""
        before = self.zones[zone].entries.get((name.lower(), kind))
        self.put(zone, name, kind, before.ttl if before else ttl, [*(before.records if before else []), value])

    def drop(self, zone: str, name: str, kind: str) -> None:
        """See `StandIn`."""
        self.put(zone, name, kind, None, [])

    def values(self, zone: str) -> Values:
        """See `StandIn`; an RRset without a TTL has the zone's."""
        with self.lock:
            if zone not in self.zones:
                return {}
            return {
                key: (self.zones[zone].ttl if entry.ttl is None else entry.ttl, frozenset(octets(key[1], value) for value in entry.records))
                for key, entry in self.zones[zone].entries.items()
            }  # fmt: skip

    # --- HTTP ---------------------------------------------------------------------------------------------------------

    def unauthorized(self, words: str) -> Answer:
        """See `StandIn`."""
        return problem(401, "unauthorized", words)

    def no_zone(self) -> Answer:
        """See `StandIn`."""
        return problem(404, "not_found", "Zone not found")

    def erred(self) -> Answer:
        """See `StandIn`."""
        return problem(500, "server_error", "an internal error occurred")

    def before(self, request: Request) -> Answer | None:
        """One request too many, where time is injected."""
        account, now = self.account, self.now()
        account.used = max(0.0, account.used - (now - account.at) * self.switches.an_hour / 3600)
        account.at = now
        if account.used + 1 > self.switches.an_hour:
            return self._counted(problem(429, "rate_limit_exceeded", "limit of requests per hour reached"))
        account.used += 1
        return None

    def _counted(self, answer: Answer) -> Answer:
        """With how many requests are left, and when all of them are."""
        left, full = self.switches.an_hour - self.account.used, self.account.used * 3600 / self.switches.an_hour
        answer.headers |= {
            "RateLimit-Limit": str(self.switches.an_hour),
            "RateLimit-Remaining": str(int(left)),
            "RateLimit-Reset": str(int(self.account.at + full)),
        }
        return answer

    def reply(self, request: Request) -> Answer:
        """See `StandIn`."""
        return self._counted(self._answered(request))

    def _answered(self, request: Request) -> Answer:
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or secret not in (self.token, self.reader, self.stranger) or self.expired:
            return self.unauthorized("unable to authenticate")
        if request.method != "GET" and secret == self.reader:
            return problem(403, "token_readonly", "token is only allowed to perform GET requests")
        if request.method in ("POST", "PUT") and not isinstance(request.body, dict):
            return problem(400, "json_error", "invalid input in field 'body'")
        parts = [unquote(part) for part in request.path.split("/")[1:]]
        if parts[0] == "actions" or parts[:2] == ["zones", "actions"]:
            return self._action(parts[-1], request.method)
        if parts == ["zones"] and request.method == "GET":
            wanted = request.query.get("name", list(self.zones))
            shown = [
                self._zone(zone) for name, zone in self.zones.items() if name in wanted and secret != self.stranger
            ]
            return Answer(200, {"zones": shown, "meta": {"pagination": _pages(1, 25, len(shown))}})
        zone = next((z for z in self.zones.values() if len(parts) > 1 and parts[1] in (z.name, str(z.number))), None)
        if parts[0] != "zones" or zone is None or secret == self.stranger:
            return self.no_zone()
        if len(parts) == 2:
            return Answer(200, {"zone": self._zone(zone)}) if request.method == "GET" else _not_allowed()
        if parts[2] != "rrsets" or len(parts) not in (3, 5, 7):
            return problem(404, "not_found", "route not found")
        if self.switches.mode != "primary":
            return problem(422, "incorrect_zone_mode", "operation is not supported for this zone mode")
        return self._rrsets(zone, request, parts[3:])

    def _rrsets(self, zone: Zone, request: Request, rest: list[str]) -> Answer:
        what = Answered(zone)
        if request.method == "GET":
            if len(rest) == 2:
                key = (rest[0], rest[1])
                return Answer(200, {"rrset": what.shown(key)}) if key in zone.entries else what.lacks()
            return what.list(request.query, self.switches.total) if not rest else _not_allowed()
        if self.switches.busy:
            self.switches.busy -= 1
            return problem(423, "locked", "the zone is locked, another action is running")
        before = {key: entry.copy() for key, entry in zone.entries.items()}
        shown: dict[str, Any] = {}
        if not rest and request.method == "POST":
            command, answer = "create_rrset", what.create(request.body)
            shown = {"rrset": answer.body} if answer.status < 300 else {}
        elif len(rest) == 2 and request.method == "DELETE":
            command, answer = "delete_rrset", what.delete((rest[0], rest[1]))
        elif len(rest) == 4 and request.method == "POST" and rest[2] == "actions" and rest[3] in ACTIONS:
            command, answer = ACTIONS[rest[3]], what.act((rest[0], rest[1]), rest[3], request.body)
        else:
            return _not_allowed()
        if answer.status >= 300:
            return answer
        if command == self.switches.fails:
            zone.entries = before
        return Answer(201, {**shown, "action": self._begun(zone, command)})

    def _begun(self, zone: Zone, command: str) -> dict[str, Any]:
        number = 1000 + len(self.account.actions)
        self.account.actions[number] = {
            "id": number, "command": command, "status": "running", "progress": 0, "started": WHEN, "finished": None,
            "resources": [{"id": zone.number, "type": "zone"}], "error": None,
        }  # fmt: skip
        self.account.looked[number] = 0
        return self._look(number)

    def _look(self, number: int) -> dict[str, Any]:
        action = self.account.actions[number]
        if self.account.looked[number] >= self.switches.looks:
            failed = action["command"] == self.switches.fails
            error = {"code": "action_failed", "message": "Action failed"} if failed else None
            action |= {"status": "error" if failed else "success", "progress": 100, "finished": WHEN, "error": error}
        self.account.looked[number] += 1
        return dict(action)

    def _action(self, number: str, method: str) -> Answer:
        if method != "GET":
            return _not_allowed()
        if not number.isdecimal() or int(number) not in self.account.actions:
            return problem(404, "not_found", "action not found")
        return Answer(200, {"action": self._look(int(number))})

    def _zone(self, zone: Zone) -> dict[str, Any]:
        names = {
            "assigned": ["hydrogen.ns.hetzner.com."],
            "delegated": [],
            "delegation_last_check": None,
            "delegation_status": "valid",
        }
        return {"id": zone.number, "name": zone.name, "ttl": zone.ttl, "mode": self.switches.mode, "status": "ok", "created": WHEN,
                "labels": {}, "protection": {"delete": False}, "record_count": sum(len(e.records) for e in zone.entries.values()),
                "registrar": "other", "primary_nameservers": [], "authoritative_nameservers": names}  # fmt: skip


def _pages(page: int, size: int, total: int) -> dict[str, Any]:
    last = max(1, -(-total // size))
    return {"page": page, "per_page": size, "previous_page": page - 1 or None, "next_page": page + 1 if page < last else None,
            "last_page": last, "total_entries": total}  # fmt: skip


def _not_allowed() -> Answer:
    return problem(405, "method_not_allowed", "method not allowed")
