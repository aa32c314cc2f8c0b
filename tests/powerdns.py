"""A real PowerDNS on loopback in a folder of the test, with its HTTP API: `with PowerDns(folder, {"example.org": text}) as pdns: …`"""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rdataclass
import dns.rdatatype
import dns.zone
import requests

from tests.bind import HEAD, free_port

SERVER = "/usr/sbin/pdns_server"
SCHEMA = Path("/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql")
KEY = "a key that the tests share"


class PowerDns:
    """pdns_server with an SQLite database. `zones` maps names to master text without SOA and NS; texts of TXT and SPF are
    kept as they stand there, and anybody on loopback may transfer a zone."""

    api_key = KEY

    def __init__(self, folder: Path, zones: Mapping[str, str]) -> None:
        self.folder = folder
        self.zones = zones
        self.port, self.api_port = free_port(), free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def api(self) -> str:
        """The address of the API."""
        return f"http://127.0.0.1:{self.api_port}/api/v1/servers/localhost"

    def __enter__(self) -> PowerDns:
        self.folder.mkdir(parents=True, exist_ok=True)
        database = self.folder / "pdns.db"
        with sqlite3.connect(database) as connection:
            connection.executescript(SCHEMA.read_text())
            for zone, text in self.zones.items():
                self._fill(connection, zone, HEAD.format(zone=zone) + text)
        connection.close()
        (self.folder / "pdns.conf").write_text(
            f"launch=gsqlite3\ngsqlite3-database={database}\nlocal-address=127.0.0.1\nlocal-port={self.port}\n"
            f"socket-dir={self.folder}\nwebserver=yes\nwebserver-address=127.0.0.1\nwebserver-port={self.api_port}\n"
            f"api=yes\napi-key={KEY}\nallow-axfr-ips=127.0.0.1\nsecurity-poll-suffix=\ncache-ttl=0\nquery-cache-ttl=0\n"
            "negquery-cache-ttl=0\nzone-cache-refresh-interval=0\n"
        )
        with (self.folder / "pdns.log").open("wb") as log:
            argv = [SERVER, f"--config-dir={self.folder}", "--daemon=no", "--guardian=no", "--write-pid=no"]
            self.process = subprocess.Popen(argv, stdout=log, stderr=log)
        for _ in range(200):
            if self.process.poll() is not None:
                break
            try:
                requests.get(self.api, headers={"X-API-Key": KEY}, timeout=1)
                dns.query.udp(dns.message.make_query("version.bind", "TXT", "CH"), "127.0.0.1", 0.2, self.port)
                return self
            except (OSError, dns.exception.Timeout):
                time.sleep(0.05)
        self.__exit__()
        raise RuntimeError("pdns_server did not start:\n" + (self.folder / "pdns.log").read_text())

    def _fill(self, connection: sqlite3.Connection, zone: str, text: str) -> None:
        rows = connection.execute("insert into domains (name, type) values (?, 'NATIVE')", (zone,))
        parsed = dns.zone.from_text(text, origin=zone, relativize=False)
        for name, rdataset in parsed.iterate_rdatasets():
            for rdata in rdataset:
                kind, content = dns.rdatatype.to_text(rdataset.rdtype), rdata.to_text().removesuffix(".")
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
        """What somebody else does through the API: the RRset becomes these (content, disabled) values; none: it goes."""
        change = {
            "name": f"{name}.{zone}.".removeprefix("@."), "type": kind, "ttl": ttl, "changetype": "REPLACE" if values else "DELETE",
            "records": [{"content": content, "disabled": disabled} for content, disabled in values],
        }  # fmt: skip
        reply = requests.patch(
            f"{self.api}/zones/{zone}.", json={"rrsets": [change]}, headers={"X-API-Key": KEY}, timeout=5
        )
        assert reply.status_code == 204, reply.text

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
