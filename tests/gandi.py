"""A stand-in for Gandi LiveDNS over real HTTP: stateful, and as strict as the real API is known to be.

    with Gandi({"example.org": [("@", "TXT", 3600, ['"x"'])]}) as gandi:
        Provider("gandi", token=gandi.token, endpoint=gandi.endpoint)

Every request is logged, and after each one it is noted which RRsets and values stand in each zone. What a client took away and
brought back again was missing in between: the context ends with an AssertionError for it, unless `gapless` is False, and `gaps`
tells it. Where the real API's behaviour is not known, `Switches` has both ways. Faults are in tests/gandi_faults.py. `served` is a
folder that gets each zone as a master file whenever it changes.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests import gaps
from tests.gandi_faults import FORBIDDEN, NOT_FOUND, TOO_MANY, UNAUTHORIZED, Answer, Fault, invalid
from tests.gandi_records import Entry, Key, Records, Switches, Zone, answered, of_text
from tests.gandi_snapshots import Snapshots
from tests.gandi_values import TYPES, canonical
from tests.gaps import By, Item, Moment


@dataclass
class Request:
    """A request as it came in; the token is not kept."""

    method: str
    path: str
    body: Any
    at: float
    status: int = 0


class Gandi:
    """The server, as a context. `token` sees every domain of its organisation, `stranger` none."""

    token, apikey, stranger = "pat_0123456789abcdef0123456789abcdef01234567", "k" * 24, "pat_stranger"
    organisation = "0b5a6d9e-9d3c-11ee-8c90-0242ac120002"

    def __init__(
        self,
        zones: dict[str, Iterable[tuple[str, str, int, list[str]]]],
        switches: Switches | None = None,
        served: Path | None = None,
        gapless: bool = True,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.switches = switches or Switches()
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.expired = False
        self.lock = threading.RLock()
        self.served, self.gapless, self._now = served, gapless, now
        self._taken: list[float] = []  # when, of the requests that count for the limiter
        self.history: dict[str, list[Moment]] = {zone: [] for zone in zones}
        self.zones = {zone: Zone() for zone in zones}
        for zone, rows in zones.items():
            for name, kind, ttl, values in rows:
                self.put(zone, name, kind, ttl, values)
        self._note(By.SOMEBODY)

    def put(self, zone: str, name: str, kind: str, ttl: int, values: list[str]) -> None:
        """What somebody else does by another way, such as the web form; no values: takes the RRset away."""
        with self.lock:
            key = (name.lower(), kind)
            self.zones[zone].entries.pop(key, None)
            if values:
                self.zones[zone].entries[key] = Entry(name, kind, ttl, [canonical(kind, value) for value in values])
            if self.history[zone]:
                self._note(By.SOMEBODY)

    def __enter__(self) -> Gandi:
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *args: object) -> None:
                """Nothing on standard error."""

            def handle_one(self) -> None:
                stand_in._serve(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_one

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for fault in self.faults:
            fault.release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        if self.gapless and error is None:
            missing = {zone: found for zone in self.zones if (found := self.gaps(zone))}
            assert missing == {}, f"there before and after, and missing in between: {missing}"

    @property
    def endpoint(self) -> str:
        """What to give to a client."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v5"

    # --- what tests look at -------------------------------------------------------------------------------------------

    def values(self, zone: str) -> dict[Key, tuple[int, frozenset[bytes]]]:
        """The zone as it is kept: name in lower case and type → TTL, values."""
        with self.lock:
            return {key: (entry.ttl, frozenset(entry.values)) for key, entry in self.zones[zone].entries.items()}

    def gaps(self, zone: str) -> dict[Item, float]:
        """The RRsets and values that the client took away and brought back: seconds."""
        return gaps.gaps(self.history[zone])

    def settled(self) -> None:
        """Say that all is done that was to be done: what a later request brings back is another intent, and no gap."""
        self._note(By.SETTLED)

    def calls(self) -> list[str]:
        """The requests so far, as `METHOD path`."""
        return [f"{each.method} {each.path}" for each in self.requests]

    def _note(self, by: By) -> None:
        with self.lock:
            for name, zone in self.zones.items():
                now = gaps.items({(e.name.lower(), e.type): e.values for e in zone.entries.values()})
                past = self.history[name]
                if self.served and (not past or past[-1].items != now):
                    self._publish(name, self.served / f"{name}.zone")
                past.append(Moment(time.monotonic(), now, by))

    def _publish(self, zone: str, file: Path) -> None:
        """The zone as a master file, for a name server that stands for Gandi's."""
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

    def _serve(self, http: BaseHTTPRequestHandler) -> None:
        url = urlsplit(http.path)
        raw = http.rfile.read(int(http.headers.get("Content-Length") or 0))
        path = url.path.removeprefix("/v5/livedns")
        with self.lock:
            request = Request(http.command, path, _json(raw), time.monotonic())
            self.requests.append(request)
            fault = next((f for f in self.faults if f.strikes(request.method, path)), None)
            late = self._too_many()
        if late is not None:
            request.status = late.status
            late.send(http)
            return
        if fault and fault.before(http, self):
            return
        answer = fault.answer if fault else None
        if answer is None or (fault and fault.commits):
            with self.lock:
                done = (
                    self._answer(http, request, path, raw, parse_qs(url.query))
                    if url.path != path
                    else Answer(404, NOT_FOUND)
                )
                self._note(By.CLIENT)
            answer = answer or done
        request.status = answer.status
        if fault and fault.after(http, self, answer):
            return
        answer.send(http)

    def _too_many(self) -> Answer | None:
        """The answer to one request too many within a minute."""
        now, most = self._now(), self.switches.a_minute
        self._taken = [at for at in self._taken if at > now - 60]
        if most is None or len(self._taken) < most:
            self._taken.append(now)
            return None
        until = self._taken[0] + 60
        told = {"seconds": str(max(1, round(until - now))), "date": formatdate(until + 1, usegmt=True)}
        after = {"Retry-After": told[self.switches.retry_after]} if self.switches.retry_after else {}
        return Answer(429, TOO_MANY, after)

    def _answer(
        self, http: BaseHTTPRequestHandler, request: Request, path: str, raw: bytes, query: dict[str, list[str]]
    ) -> Answer:
        if path.startswith("/nameservers/"):
            return Answer(200, ["ns-1-a.gandi.net", "ns-2-b.gandi.net", "ns-3-c.gandi.net"])
        scheme, _, secret = http.headers.get("Authorization", "").partition(" ")
        known = {("Bearer", self.token), ("Bearer", self.stranger), ("Apikey", self.apikey)}
        if (scheme, secret) not in known or self.expired:
            return Answer(401, UNAUTHORIZED)
        accept, given = http.headers.get("Accept", ""), http.headers.get("Content-Type", "")
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


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return None
