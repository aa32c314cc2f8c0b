"""A real PowerDNS on loopback in a folder of the test, with its HTTP API: `with PowerDns(folder, {"example.org": text}) as pdns: …`"""

from __future__ import annotations

import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import dns.query
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.zone
import requests

from tests.bind import HEAD, free_port
from tests.installed import ROOT, program

SERVER = "/usr/sbin/pdns_server"
SCHEMA = ROOT / "usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql"
KEY = "a key that the tests share"


class PowerDns:
    """pdns_server with a database of SQLite's or, with the backend `lmdb`, of LMDB's. `zones` maps names to master text, to which SOA
    and NS are added where it has none; anybody on loopback may transfer a zone."""

    api_key = KEY

    def __init__(self, folder: Path, zones: Mapping[str, str], backend: str = "gsqlite3") -> None:
        self.folder = folder
        self.zones = {
            zone: text if re.search(r"\bSOA\s", text) else HEAD.format(zone=zone) + text for zone, text in zones.items()
        }
        self.backend = backend
        self.port, self.api_port = free_port(), free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def api(self) -> str:
        """The address of the API."""
        return f"http://127.0.0.1:{self.api_port}/api/v1/servers/localhost"

    @property
    def server(self) -> str:
        """`address:port`, as `nameservers:` takes it."""
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> PowerDns:
        self.folder.mkdir(parents=True, exist_ok=True)
        modules = next(ROOT.glob("usr/lib/*/pdns"))
        (self.folder / "pdns.conf").write_text(
            f"launch={self.backend}\nmodule-dir={modules}\nlocal-address=127.0.0.1\nlocal-port={self.port}\n"
            f"socket-dir={self.folder}\nwebserver=yes\nwebserver-address=127.0.0.1\nwebserver-port={self.api_port}\n"
            f"api=yes\napi-key={KEY}\nallow-axfr-ips=127.0.0.1\nsecurity-poll-suffix=\ncache-ttl=0\nquery-cache-ttl=0\n"
            f"negquery-cache-ttl=0\nzone-cache-refresh-interval=0\n{self._database()}\n"
        )
        with (self.folder / "pdns.log").open("wb") as log:
            argv = [*program(SERVER), f"--config-dir={self.folder}", "--daemon=no", "--guardian=no", "--write-pid=no"]
            self.process = subprocess.Popen(argv, stdout=log, stderr=log)
        for _ in range(200):
            if self.process.poll() is not None:
                break
            try:
                requests.get(self.api, headers={"X-API-Key": KEY}, timeout=1)
                dns.query.udp(dns.message.make_query("version.bind", "TXT", "CH"), "127.0.0.1", 0.2, self.port)
                if self.backend == "lmdb":
                    for zone, text in self.zones.items():
                        self._make(zone, text)
                return self
            except (OSError, dns.exception.Timeout):
                time.sleep(0.05)
        self.__exit__()
        raise RuntimeError("pdns_server did not start:\n" + (self.folder / "pdns.log").read_text())

    def _database(self) -> str:
        """The backend's settings; SQLite's is filled, LMDB's can only be by the server itself."""
        if self.backend == "lmdb":
            return f"lmdb-filename={self.folder}/pdns.lmdb"
        database = self.folder / "pdns.db"
        with sqlite3.connect(database) as connection:
            connection.executescript(SCHEMA.read_text())
            for zone, text in self.zones.items():
                self._fill(connection, zone, text)
        connection.close()
        return f"gsqlite3-database={database}"

    def _make(self, zone: str, text: str) -> None:
        """A zone by way of the API."""
        parsed = dns.zone.from_text(text, origin=zone, relativize=False)
        rrsets = [
            {"name": name.to_text().lower(), "type": dns.rdatatype.to_text(found.rdtype), "ttl": found.ttl,
             "records": [{"content": _text(rdata), "disabled": False} for rdata in found]}
            for name, found in parsed.iterate_rdatasets()
        ]  # fmt: skip
        self.ask("POST", "/zones", {"name": f"{zone}.", "kind": "Native", "nameservers": [], "rrsets": rrsets})

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """A request of somebody else's to the API; its answer, where it is JSON."""
        reply = self.tried(method, path, body)
        assert reply.ok, reply.text
        return reply.json() if reply.content else None

    def tried(self, method: str, path: str, body: object = None) -> requests.Response:
        """The same, whatever the answer is."""
        return requests.request(method, f"{self.api}{path}", json=body, headers={"X-API-Key": KEY}, timeout=30)

    def rrsets(self, zone: str) -> dict[tuple[str, str], dict[str, Any]]:
        """A zone as the API shows it, disabled values and comments included: (absolute name, type) → RRset."""
        return {(entry["name"], entry["type"]): entry for entry in self.ask("GET", f"/zones/{zone}.")["rrsets"]}

    def rrset(self, zone: str, name: str, kind: str) -> dict[str, Any]:
        """One RRset of it, without values where there is none; `@` = apex."""
        none = {"ttl": 300, "records": [], "comments": []}
        return self.rrsets(zone).get((f"{name}.{zone}.".removeprefix("@."), kind), none)

    def replace(self, zone: str, name: str, kind: str, ttl: int, records: list[dict[str, Any]], **more: Any) -> None:
        """What somebody else does: the RRset becomes these records; none: it goes."""
        change = {
            "name": f"{name}.{zone}.".removeprefix("@."), "type": kind, "ttl": ttl, "changetype": "REPLACE" if records else "DELETE",
            "records": [{"content": record["content"], "disabled": record["disabled"]} for record in records], **more,
        }  # fmt: skip
        self.ask("PATCH", f"/zones/{zone}.", {"rrsets": [change]})

    def _fill(self, connection: sqlite3.Connection, zone: str, text: str) -> None:
        rows = connection.execute("insert into domains (name, type) values (?, 'NATIVE')", (zone,))
        parsed = dns.zone.from_text(text, origin=zone, relativize=False)
        for name, rdataset in parsed.iterate_rdatasets():
            for rdata in rdataset:
                kind, content = dns.rdatatype.to_text(rdataset.rdtype), _text(rdata).removesuffix(".")
                priority = None
                if kind in ("MX", "SRV"):
                    first, _, content = content.partition(" ")
                    priority = int(first)
                connection.execute(
                    "insert into records (domain_id, name, type, content, ttl, prio, disabled, auth) values (?,?,?,?,?,?,0,1)",
                    (rows.lastrowid, name.to_text(omit_final_dot=True).lower(), kind, content, rdataset.ttl, priority),
                )

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=20)

    def patch(self, zone: str, name: str, kind: str, ttl: int, values: list[tuple[str, bool]]) -> None:
        """The same, of (content, disabled) values."""
        records = [{"content": content, "disabled": disabled} for content, disabled in values]
        self.replace(zone, name, kind, ttl, records)

    def transfer(self, zone: str) -> dict[tuple[str, str], tuple[int, frozenset[bytes]]]:
        """The whole zone by AXFR: (name, type) → (TTL, wire forms); SOA left out, since its serial moves."""
        messages = dns.query.xfr("127.0.0.1", zone, port=self.port, relativize=False, lifetime=30)
        parsed = dns.zone.from_xfr(messages, relativize=False, check_origin=False)
        return {
            (name.to_text(), dns.rdatatype.to_text(rdataset.rdtype)): (
                rdataset.ttl, frozenset(rdata.to_wire() or b"" for rdata in rdataset))
            for name, rdataset in parsed.iterate_rdatasets() if rdataset.rdtype != dns.rdatatype.SOA
        }  # fmt: skip

    def options(self) -> dict[str, object]:
        """The options of octodns' plug-in for this server."""
        return {"host": "127.0.0.1", "port": self.api_port, "api_key": KEY}


def _text(rdata: dns.rdata.Rdata) -> str:
    """A value as PowerDNS spells it: base64 in one piece."""
    return rdata.to_text(chunksize=0) if rdata.rdtype not in (dns.rdatatype.TXT, dns.rdatatype.SPF) else rdata.to_text()
