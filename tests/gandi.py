"""A stand-in for Gandi LiveDNS over real HTTP: stateful, and as strict as the real API is known to be.

    with Gandi({"example.org": [("@", "TXT", 3600, ['"x"'])]}) as gandi:
        Provider("gandi", token=gandi.token, endpoint=gandi.endpoint)

Every request is logged, and after each one it is noted which values stand in each zone: `gaps` tells what was missing in between
though it was there before and after. Where the real API's behaviour is not known, `Switches` has both ways. Faults are in
tests/gandi_faults.py. `served` is a folder that gets each zone as a master file whenever it changes.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.gandi_faults import DNS_RECORD, FORBIDDEN, NOT_FOUND, UNAUTHORIZED, Answer, Fault, invalid
from tests.gandi_values import TYPES, canonical, shown

Key = tuple[str, str]
CREATED = {"message": "DNS Record Created"}


@dataclass
class Switches:
    """What is not known of the real API, both ways, and what it may be set to."""

    spf_listed: bool = True
    spf_taken: bool = True
    delete_missing: int = 404  # or 204
    patch_strict: bool = True  # removing a value that is not there: 400, or nothing
    patch_creates: bool = False  # PATCH on a missing RRset: 404, or it makes one
    quoted: bool = True  # texts are answered quoted
    cut: int = 255  # where long texts are cut in answers
    sharing_required: bool = False
    total: int | None = 0  # added to Total-Count; None: the header is missing


@dataclass
class Entry:
    """One RRset as it is kept: the name in its case, and values as `gandi_values.canonical` has them."""

    name: str
    type: str
    ttl: int
    values: list[bytes]


@dataclass
class Request:
    """A request as it came in; the token is not kept."""

    method: str
    path: str
    body: Any
    at: float
    status: int = 0


@dataclass
class Zone:
    """A domain and its snapshots."""

    entries: dict[Key, Entry] = field(default_factory=dict)
    snapshots: dict[str, dict[str, Any]] = field(default_factory=dict)
    made: int = 0


class Gandi:
    """The server, as a context. `token` sees every domain of its organisation, `stranger` none."""

    token, apikey, stranger = "pat_0123456789abcdef0123456789abcdef01234567", "k" * 24, "pat_stranger"
    organisation = "0b5a6d9e-9d3c-11ee-8c90-0242ac120002"

    def __init__(
        self,
        zones: dict[str, Iterable[tuple[str, str, int, list[str]]]],
        switches: Switches | None = None,
        served: Path | None = None,
    ) -> None:
        self.switches = switches or Switches()
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.expired = False
        self.lock = threading.RLock()
        self.served = served
        self.zones = {zone: Zone() for zone in zones}
        for zone, rows in zones.items():
            for name, kind, ttl, values in rows:
                self.put(zone, name, kind, ttl, values)
        self.history: list[tuple[float, dict[str, frozenset[tuple[str, str, bytes]]]]] = []
        self._note()

    def put(self, zone: str, name: str, kind: str, ttl: int, values: list[str]) -> None:
        """What somebody else does by another way, such as the web form; no values: takes the RRset away."""
        with self.lock:
            key = (name.lower(), kind)
            self.zones[zone].entries.pop(key, None)
            if values:
                self.zones[zone].entries[key] = Entry(name, kind, ttl, [canonical(kind, value) for value in values])

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

    def __exit__(self, *_: object) -> None:
        for fault in self.faults:
            fault.release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def endpoint(self) -> str:
        """What to give to a client."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v5"

    # --- what tests look at -------------------------------------------------------------------------------------------

    def values(self, zone: str) -> dict[Key, tuple[int, frozenset[bytes]]]:
        """The zone as it is kept: name in lower case and type → TTL, values."""
        with self.lock:
            return {key: (entry.ttl, frozenset(entry.values)) for key, entry in self.zones[zone].entries.items()}

    def gaps(self, zone: str, since: int = 0) -> dict[tuple[str, str, bytes], float]:
        """Values that stood there at `since` in the history and stand there now, and were missing in between: seconds."""
        past = self.history[since:]
        both = past[0][1][zone] & past[-1][1][zone]
        lost: dict[tuple[str, str, bytes], float] = {}
        for (at, seen), (until, _) in itertools.pairwise(past):
            for value in both - seen[zone]:
                lost[value] = lost.get(value, 0.0) + until - at
        return lost

    def calls(self) -> list[str]:
        """The requests so far, as `METHOD path`."""
        return [f"{each.method} {each.path}" for each in self.requests]

    def _note(self) -> None:
        state = {
            name: frozenset((e.name.lower(), e.type, value) for e in zone.entries.values() for value in e.values)
            for name, zone in self.zones.items()
        }
        if self.served and (not self.history or self.history[-1][1] != state):
            for name in self.zones:
                self._publish(name, self.served / f"{name}.zone")
        self.history.append((time.monotonic(), state))

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
                self._note()
            answer = answer or done
        request.status = answer.status
        if fault and fault.after(http, self, answer):
            return
        answer.send(http)

    def _answer(
        self, http: BaseHTTPRequestHandler, request: Request, path: str, raw: bytes, query: dict[str, list[str]]
    ) -> Answer:
        if path.startswith("/nameservers/"):
            return Answer(200, ["ns-1-a.gandi.net", "ns-2-b.gandi.net", "ns-3-c.gandi.net"])
        scheme, _, secret = http.headers.get("Authorization", "").partition(" ")
        known = {("Bearer", self.token), ("Bearer", self.stranger), ("Apikey", self.apikey)}
        if (scheme, secret) not in known or self.expired:
            return Answer(401, UNAUTHORIZED)
        if raw and not http.headers.get("Content-Type", "").startswith("application/json"):
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
            return Answer(200, _domain(parts[1]) | {"automatic_snapshots": True})
        if rest[:1] == ["records"] and len(rest) <= 3:
            return Records(self, parts[1], zone).answer(request, rest[1:], query, http.headers.get("Accept", ""))
        if rest[:1] == ["snapshots"] and len(rest) <= 2:
            return self._snapshots(zone, request, rest[1:])
        if rest == ["nameservers"]:
            return Answer(200, ["ns-1-a.gandi.net"])
        return Answer(404, NOT_FOUND)

    def _snapshots(self, zone: Zone, request: Request, rest: list[str]) -> Answer:
        if not rest and request.method == "GET":
            return Answer(
                200, [{k: v for k, v in each.items() if k != "zone_data"} for each in zone.snapshots.values()]
            )
        if not rest and request.method == "POST":
            zone.made += 1
            number = f"{zone.made:08d}-snap"
            name = (request.body or {}).get("name") or f"snapshot {number}"
            rows = [self.shown("", entry) for entry in zone.entries.values()]
            zone.snapshots[number] = {"id": number, "name": name, "created_at": f"2026-11-24T00:00:{zone.made:02d}Z",
                                      "automatic": False, "zone_data": rows}  # fmt: skip
            return Answer(201, {"id": number, "message": "Snapshot Created"})
        if rest and rest[0] in zone.snapshots:
            if request.method == "GET":
                return Answer(200, zone.snapshots[rest[0]])
            if request.method == "DELETE":
                del zone.snapshots[rest[0]]
                return Answer(204)
        return Answer(404, NOT_FOUND)

    def shown(self, zone: str, entry: Entry) -> dict[str, Any]:
        """An RRset as the API answers it."""
        values = [shown(entry.type, value, self.switches.cut, self.switches.quoted) for value in entry.values]
        href = f"https://api.gandi.net/v5/livedns/domains/{zone}/records/{entry.name.replace('@', '%40')}/{entry.type}"
        return {
            "rrset_type": entry.type,
            "rrset_ttl": entry.ttl,
            "rrset_name": entry.name,
            "rrset_href": href,
            "rrset_values": values,
        }


class Records:
    """The endpoints under /domains/{fqdn}/records."""

    def __init__(self, gandi: Gandi, name: str, zone: Zone) -> None:
        self._gandi, self._zone, self._entries = gandi, name, zone.entries
        self._switches = gandi.switches

    def answer(self, request: Request, rest: list[str], query: dict[str, list[str]], accept: str) -> Answer:
        """One request; `rest` is the name and the type, as far as they are there."""
        body = request.body if request.body is not None else {}
        if not isinstance(body, dict):
            return invalid("the body is no object")
        method = request.method
        name = (rest[0] if rest else body.get("rrset_name", "")) if method != "PUT" or rest else ""
        if name.endswith("."):
            if not name.lower().endswith(f".{self._zone}."):
                return invalid(f"Absolute rrset_name must end with {self._zone}. ({name})", message=True)
            name = name[: -len(self._zone) - 2]
        if not rest:
            return {"GET": lambda: self._list(query, accept), "POST": lambda: self._post(name, body.get("rrset_type"), body),
                    "PUT": lambda: self._whole(None, body), "DELETE": lambda: self._clear(None)}.get(method, _nothing)()  # fmt: skip
        if len(rest) == 1:
            return {"GET": lambda: self._named(name), "POST": lambda: self._post(name, body.get("rrset_type"), body),
                    "PUT": lambda: self._whole(name, body), "DELETE": lambda: self._clear(name)}.get(method, _nothing)()  # fmt: skip
        kind = rest[1].upper()
        return {"GET": lambda: self._one(name, kind), "POST": lambda: self._post(name, kind, body), "PUT": lambda: self._put(name, kind, body),
                "PATCH": lambda: self._patch(name, kind, body), "DELETE": lambda: self._delete(name, kind)}.get(method, _nothing)()  # fmt: skip

    def _list(self, query: dict[str, list[str]], accept: str) -> Answer:
        rows = sorted(self._entries.values(), key=lambda entry: (entry.name.upper(), entry.type))
        rows = [row for row in rows if row.type in query.get("rrset_type", [row.type])]
        if accept.startswith("text/plain"):
            lines = ["@ 10800 IN SOA ns1.gandi.net. hostmaster.gandi.net. 1 10800 3600 604800 10800"]
            lines += [
                f"{row.name} {row.ttl} IN {row.type} {value}"
                for row in rows
                for value in self._gandi.shown("", row)["rrset_values"]
            ]
            return Answer(200, "\n".join(lines) + "\n")
        page, size = int(query.get("page", ["1"])[0]), int(query.get("per_page", ["500"])[0])
        if page < 1 or size < 1:
            return invalid("page and per_page begin with 1")
        part = [self._gandi.shown(self._zone, row) for row in rows[(page - 1) * size : page * size]]
        text = json.dumps(part)
        headers = {
            "ETag": f'W/"{len(text):x}-{zlib.crc32(text.encode()):x}"',
            "Cache-Control": "max-age=0, must-revalidate, no-cache, no-store",
        }
        if self._switches.total is not None:
            headers |= {"Total-Count": str(len(rows) + self._switches.total), "Filtered-Count": str(len(rows))}
        if len(rows) > size:
            last = -(-len(rows) // size)
            headers["Link"] = (
                f'<?page={min(page + 1, last)}&per_page={size}>; rel="next", <?page={last}&per_page={size}>; rel="last"'
            )
        return Answer(200, part, headers)

    def _named(self, name: str) -> Answer:
        rows = [self._gandi.shown(self._zone, entry) for entry in self._entries.values() if entry.name == name]
        return Answer(200, rows) if rows else self._lacks(name, "")

    def _one(self, name: str, kind: str) -> Answer:
        entry = self._entries.get((name.lower(), kind))
        if entry is None or entry.name != name:
            return self._lacks(name, kind)
        return Answer(200, self._gandi.shown(self._zone, entry))

    def _lacks(self, name: str, kind: str) -> Answer:
        return Answer(404, {**DNS_RECORD, "message": f"Can't find the DNS record {name}/{kind} in the zone"})

    def _checked(self, name: str, kind: Any, body: dict[str, Any], values: Any) -> Entry | Answer:
        """What is to stand there, if the API takes it."""
        if kind not in TYPES or (kind == "SPF" and not self._switches.spf_taken):
            return invalid(f"'{kind}': unknown record type")
        if not isinstance(values, list) or not values or not all(isinstance(value, str) for value in values):
            return invalid("rrset_values: must be a list of one value or more")
        ttl = body.get("rrset_ttl", 10800)
        if type(ttl) is not int or not 300 <= ttl <= 2592000:
            return invalid(f"rrset_ttl: {ttl!r} is not between 300 and 2592000")
        try:
            kept = [canonical(kind, value) for value in values]
        except ValueError as error:
            return invalid(str(error))
        beside = {
            entry.type for (other, _), entry in self._entries.items() if other == name.lower() and entry.type != kind
        }
        if (kind == "CNAME" and beside) or "CNAME" in beside:
            return invalid(f"{name}: a CNAME stands alone")
        if any(entry.name != name for entry in self._entries.values() if entry.name.lower() == name.lower()):
            message = "The server has either erred or is incapable of performing the requested operation."
            return Answer(
                500,
                {
                    "code": 500,
                    "message": message,
                    "object": "HTTPInternalServerError",
                    "cause": "Internal Server Error",
                },
            )
        return Entry(name, kind, ttl, kept)

    def _post(self, name: str, kind: Any, body: dict[str, Any]) -> Answer:
        entry = self._checked(name, kind, body, body.get("rrset_values"))
        if isinstance(entry, Answer):
            return entry
        before = self._entries.get((name.lower(), kind))
        if before is not None:
            if sorted(before.values) == sorted(entry.values) and before.ttl == entry.ttl:
                return Answer(200, {"message": "A DNS Record already exists with same value"})
            return Answer(
                409,
                {
                    "code": 409,
                    "message": "This record already exists",
                    "object": "HTTPConflict",
                    "cause": "Duplicate Entry",
                },
            )
        return self._keep(entry)

    def _put(self, name: str, kind: str, body: dict[str, Any]) -> Answer:
        entry = self._checked(name, kind, body, body.get("rrset_values"))
        return entry if isinstance(entry, Answer) else self._keep(entry)

    def _keep(self, entry: Entry) -> Answer:
        self._entries[(entry.name.lower(), entry.type)] = entry
        return Answer(
            201,
            CREATED,
            {"Location": f"https://api.gandi.net/v5/livedns/domains/{self._zone}/records/{entry.name}/{entry.type}"},
        )

    def _patch(self, name: str, kind: str, body: dict[str, Any]) -> Answer:
        before = self._entries.get((name.lower(), kind))
        if (before is None or before.name != name) and not self._switches.patch_creates:
            return self._lacks(name, kind)
        add, remove = body.get("add_rrset_values", []), body.get("remove_rrset_values", [])
        have = list(before.values) if before else []
        for value in remove:
            if canonical(kind, value) in have:
                have.remove(canonical(kind, value))
            elif self._switches.patch_strict:
                return invalid(f"{value}: is not in the record")
        have += [canonical(kind, value) for value in add if canonical(kind, value) not in have]
        texts = [shown(kind, value, 255, True) for value in have]
        entry = self._checked(name, kind, {"rrset_ttl": before.ttl if before else 10800, **body}, texts)
        if isinstance(entry, Answer):
            return entry
        self._keep(entry)
        return Answer(200, self._gandi.shown(self._zone, entry))

    def _delete(self, name: str, kind: str) -> Answer:
        entry = self._entries.get((name.lower(), kind))
        if entry is None or entry.name != name:
            return self._lacks(name, kind) if self._switches.delete_missing == 404 else Answer(204)
        del self._entries[(name.lower(), kind)]
        return Answer(204)

    def _whole(self, name: str | None, body: dict[str, Any]) -> Answer:
        """PUT on a name or on the zone: whatever is not named is gone."""
        new = []
        for item in body.get("items", []):
            entry = self._checked(
                name if name is not None else item.get("rrset_name", ""),
                item.get("rrset_type"),
                item,
                item.get("rrset_values"),
            )
            if isinstance(entry, Answer):
                return entry
            new.append(entry)
        self._clear(name)
        for entry in new:
            self._keep(entry)
        return Answer(201, CREATED)

    def _clear(self, name: str | None) -> Answer:
        for key in [key for key, entry in self._entries.items() if name is None or entry.name == name]:
            del self._entries[key]
        return Answer(204)


def _domain(name: str) -> dict[str, Any]:
    base = f"https://api.gandi.net/v5/livedns/domains/{name}"
    return {
        "fqdn": name,
        "domain_href": base,
        "domain_records_href": f"{base}/records",
        "domain_keys_href": f"{base}/keys",
    }


def _nothing() -> Answer:
    return Answer(
        405,
        {
            "code": 405,
            "message": "The method is not allowed for this resource.",
            "object": "HTTPMethodNotAllowed",
            "cause": "Method Not Allowed",
        },
    )


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return None
