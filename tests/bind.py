"""A real named on loopback in a folder of the test: `with Bind(folder, {"example.org": text}) as bind: …`"""

from __future__ import annotations

import base64
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import dns.flags
import dns.message
import dns.opcode
import dns.query
import dns.rdatatype
import dns.tsig
import dns.tsigkeyring
import dns.zone
import pytest

from tests.installed import program

NAMED = "/usr/sbin/named"
SECRET = base64.b64encode(b"a secret that the tests share").decode()
HEAD = """$TTL 3600
@ IN SOA ns1.{zone}. hostmaster.{zone}. 1 3600 600 604800 300
@ IN NS ns1.{zone}.
ns1 IN A 127.0.0.1
"""


def free_port() -> int:
    """A port of 127.0.0.1 that is free for UDP and TCP now."""
    for _ in range(50):
        with (
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        ):
            tcp.bind(("127.0.0.1", 0))
            port = tcp.getsockname()[1]
            try:
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no port is free")


class Bind:
    """named with zones that a TSIG key may transfer and update.

    `zones` maps names to master text without SOA and NS (a text with `SOA` in it is taken as it is). `extra` is appended
    to the configuration. `policy` replaces the update-policy of every zone. `stop` and `start` take it away in between.
    """

    key_name = "dnssync"
    secret = SECRET

    def __init__(
        self, folder: Path, zones: Mapping[str, str], *, policy: str = "grant dnssync zonesub ANY;",
        transfer: str = "key dnssync;", extra: str = "", secret: str = SECRET,
    ) -> None:  # fmt: skip
        self.folder = folder
        self.port = free_port()
        self.zones = zones
        self._policy, self._transfer, self._extra = policy, transfer, extra
        self.secret = secret
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def server(self) -> str:
        """`address:port`, as `nameservers:` takes it."""
        return f"127.0.0.1:{self.port}"

    def zone_file(self, zone: str) -> Path:
        """The master file of a zone (named writes changes to its journal first)."""
        return self.folder / f"{zone}.zone"

    def __enter__(self) -> Bind:
        self.folder.mkdir(parents=True, exist_ok=True)
        for zone, text in self.zones.items():
            whole = text if re.search(r"\bSOA\s", text) else HEAD.format(zone=zone) + text
            self.zone_file(zone).write_text(whole if whole.endswith("\n") else whole + "\n", encoding="utf-8")
        self.start()
        return self

    def _block(self, zone: str) -> str:
        # One that may be updated would have its signatures made anew, or taken away.
        policy = "" if "RRSIG" in self.zones[zone] else f"update-policy {{ {self._policy} }}; "
        return f'zone "{zone}" {{ type primary; file "{self.zone_file(zone)}"; check-names ignore; {policy}}};'

    def _configured(self) -> list[str]:
        """Write the configuration; how the server is started with it."""
        blocks = [self._block(zone) for zone in self.zones]
        conf = self.folder / "named.conf"
        conf.write_text(
            f'key "{self.key_name}" {{ algorithm hmac-sha256; secret "{self.secret}"; }};\n'
            f'options {{ directory "{self.folder}"; listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; '
            f'pid-file "{self.folder}/pid"; session-keyfile none; recursion no; dnssec-validation no; notify no; '
            f"check-spf ignore; allow-transfer {{ {self._transfer} }}; }};\n"
            "controls { };\n" + self._extra + "\n".join(blocks) + "\n"
        )
        return [*program(NAMED), "-g", "-c", str(conf), "-n", "1"]

    def start(self, policy: str = "") -> None:
        """Run named on the zone files as they are, with another update-policy where one is given."""
        self._policy = policy or self._policy
        argv = self._configured()
        for path in (self.folder, *self.folder.iterdir()):
            path.chmod(0o777 if path.is_dir() else 0o644)
        with (self.folder / "named.log").open("wb") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log)
        for _ in range(200):
            if self.process.poll() is not None:
                break
            try:
                query = dns.message.make_query("version.bind", "TXT", "CH")
                dns.query.udp(query, "127.0.0.1", port=self.port, timeout=0.2)
                return
            except (OSError, dns.exception.Timeout):
                time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"{argv[0]} did not start:\n" + (self.folder / "named.log").read_text())

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether it answers."""
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        """End it; what was updated is in its journal."""
        if self.process is not None and self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGTERM)
            self.process.wait(timeout=20)

    def serial(self, zone: str) -> int:
        """The serial of a zone as it is served now."""
        return int(self.ask(zone, "SOA")[0].split()[2])

    def ask(self, name: str, kind: str) -> list[str]:
        """The values of an RRset over TCP, in zone-file form, sorted."""
        answer = dns.query.tcp(dns.message.make_query(name, kind), "127.0.0.1", port=self.port, timeout=5)
        return sorted(rdata.to_text() for rrset in answer.answer for rdata in rrset)

    def texts(self, name: str, kind: str = "TXT") -> list[str]:
        """The joined texts of TXT or SPF values, sorted."""
        answer = dns.query.tcp(dns.message.make_query(name, kind), "127.0.0.1", port=self.port, timeout=5)
        return sorted(b"".join(rdata.strings).decode() for rrset in answer.answer for rdata in rrset)

    def transfer(self, zone: str) -> dict[tuple[str, str], tuple[int, frozenset[bytes]]]:
        """The whole zone by AXFR: (name, type) → (TTL, wire forms); SOA left out, since its serial moves."""
        keyring = dns.tsigkeyring.from_text({self.key_name: self.secret})
        messages = dns.query.xfr("127.0.0.1", zone, port=self.port, keyring=keyring, keyalgorithm=dns.tsig.HMAC_SHA256,
                                 relativize=False, lifetime=30)  # fmt: skip
        parsed = dns.zone.from_xfr(messages, relativize=False, check_origin=False)
        return {
            (name.to_text(), dns.rdatatype.to_text(rdataset.rdtype)): (
                rdataset.ttl, frozenset(rdata.to_wire() or b"" for rdata in rdataset))
            for name, rdataset in parsed.iterate_rdatasets() if rdataset.rdtype != dns.rdatatype.SOA
        }  # fmt: skip

    def selectors(self, zone: str) -> dict[str, str]:
        """The DKIM records of a zone: selector → text."""
        return {
            name.split("._domainkey.")[0]: b"".join(strings(wire)).decode()
            for (name, kind), (_, wires) in self.transfer(zone).items()
            if kind == "TXT" and "._domainkey." in name
            for wire in wires
        }

    def options(self) -> dict[str, object]:
        """The options of a provider of class rfc2136 for this server."""
        return {"host": "127.0.0.1", "port": self.port, "key_name": self.key_name, "key_secret": self.secret,
                "key_algorithm": "hmac-sha256"}  # fmt: skip


class Secondary(Bind):
    """A second named with the zones of a first one, which it takes over when `follow` says so, and not before."""

    def __init__(self, folder: Path, primary: Bind) -> None:
        super().__init__(folder, dict.fromkeys(primary.zones, "; SOA "), secret=primary.secret)
        self.primary = primary

    def __enter__(self) -> Secondary:
        super().__enter__()
        for zone in self.zones:
            self.follow(zone)
        return self

    def _block(self, zone: str) -> str:
        file = self.folder / f"{zone}.copy"
        return (f'zone "{zone}" {{ type secondary; file "{file}"; notify no; '
                f"primaries {{ 127.0.0.1 port {self.primary.port} key {self.key_name}; }}; }};")  # fmt: skip

    def follow(self, zone: str) -> None:
        """Tell it that there is something new, and wait until it serves what the primary does."""
        notify = dns.message.make_query(zone, "SOA", flags=dns.flags.AA)
        notify.set_opcode(dns.opcode.NOTIFY)
        wanted = self.primary.serial(zone)
        for tries in range(400):
            if tries % 20 == 0:
                dns.query.udp(notify, "127.0.0.1", port=self.port, timeout=5)
            if self.ask(zone, "SOA") and self.serial(zone) == wanted:
                return
            time.sleep(0.05)
        raise RuntimeError("the secondary does not follow:\n" + (self.folder / "named.log").read_text())


def strings(wire: bytes) -> Iterator[bytes]:
    """The character strings of a TXT record's data."""
    while wire:
        yield wire[1 : 1 + wire[0]]
        wire = wire[1 + wire[0] :]


@pytest.fixture
def bind(tmp_path: Path) -> Iterator[Bind]:
    """An empty example.org on a real named."""
    with Bind(tmp_path / "bind", {"example.org": ""}) as running:
        yield running
