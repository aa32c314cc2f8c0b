"""Three complete set-ups, checked from end to end by the command: a Debian host on the Internet, a satellite behind a smarthost, a host of several
domains behind NAT. Real exim (sending and listening, with a certificate), real BIND for zones, reverse names and the relay's; nothing else is reached.

Each is well as it stands; then one thing is broken, and what is said is that thing alone.
"""

from __future__ import annotations

import errno
import json
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import dns.query
import dns.tsigkeyring
import dns.update
import pytest

from dnssync import assemble
from dnssync.check import gather
from dnssync.check.gather import Sources
from dnssync.config import Config
from dnssync.core.model import zone_of
from dnssync.exim import macros
from dnssync.exim.ask import Exim
from dnssync.exim.observe import observe
from dnssync.reconcile import Line
from dnssync.resolver import Resolver
from tests.bind import Bind
from tests.check.certificates import Ca
from tests.exim_host import EximHost
from tests.site_under_test import Site, own_state

pytestmark = [pytest.mark.exim, pytest.mark.bind]
HEAD = """$TTL 3600
@ IN SOA ns1 hostmaster 1 3600 600 604800 300
@ IN NS ns1
@ IN NS ns2
ns1 IN A 127.0.0.1
ns2 IN A 192.0.2.53
@ IN CAA 0 issue "ca.example.net"
"""
# What this machine, and not the set-up, decides: its resolver is the zones' server, which knows no root.
MACHINE = {("unknown", "DNSSEC-03")}


class Setup(Site):
    """A host with its zones; `address` is the public one, `source` the one that the kernel would send from."""

    def __init__(
        self, folder: Path, exim: EximHost, bind: Bind, config: Mapping[str, Any], *, address: str, source: str = "", exchanger: int = 0,
        ca: Ca | None = None,
    ) -> None:  # fmt: skip
        self.folder, self.exim, self.bind, self.address, self.source = folder, exim, bind, address, source or address
        self.exchanger, self.ca = exchanger, ca
        self.now = time.time()  # certificates are of today
        self.config = folder / "dnssync.yaml"
        own_state(folder)
        text = {
            "providers": {"bind": {**bind.options(), "class": "rfc2136"}},
            "exim": {"command": list(exim.command), "map": str(exim.map)},
            "schedule": {"check": "never"}, "alerts": {"mail": []},
            "keys": str(exim.keys), "state": f"sqlite:///{folder}/state/state.db",
            **config,
        }  # fmt: skip
        for zone in text["zones"].values():
            zone |= {"provider": "bind", "nameservers": [bind.server]}
        self.config.write_text(json.dumps(text))

    def apply(self) -> None:
        """What a person does once: records and keys; the keys sign then."""
        code, out = self.run("apply", "--yes", "--wait", make_line=self.line)
        assert code == 0, out

    def bad(self, *args: str) -> dict[tuple[str, str], list[str]]:
        """All that is not well: (severity, id) → subjects with what was said."""
        _, out = self.run("check", "--json", *args, make_line=self.line, make_sources=self.sources)
        found: dict[tuple[str, str], list[str]] = {}
        for f in json.loads(out[out.index("{") :])["findings"]:
            if f["severity"] not in ("ok", "info"):
                found.setdefault((f["severity"], f["id"]), []).append(f"{f['subject']}: {f['message']} → {f['remedy']}")
        return found

    def line(self, config: Config, **options: Any) -> Line:
        """The parts of a pass, with the kernel's choice of a source address, and names asked of the test's own server."""
        line = assemble.line(config, **{"environ": {}, "now": lambda: self.now, **options})
        line.resolver = Resolver(dict.fromkeys(config.zones, (self.bind.server,)), system=[self.bind.server], timeout=2)
        line.observe_host = partial(self._observe, config, line)  # type: ignore[assignment]
        return line

    def _observe(self, config: Config, line: Line, names: Sequence[str], recipients: Sequence[str]) -> Any:
        def lookup(name: str, kind: str) -> tuple[str, ...] | None:
            return line.resolver.texts(name, kind, zone_of(name, config.zones) or "")

        return observe(
            Exim(config.exim.command), names, lookup=lookup, lists=config.exim.lists, addresses=config.addresses, map_path=config.exim.map,
            recipients=recipients, source_address=lambda family: self.source if family == 4 else None, passing_addresses=frozenset,
        )  # fmt: skip

    def sources(self, line: Line) -> Sources:
        """Only our own port 25 can be reached; this host's clock is kept right; its interfaces have the source address."""

        def connect(address: str, port: int, timeout: float) -> socket.socket:
            if (address, port) in ((self.source, 25), ("127.0.0.1", 25)) and self.exchanger:
                return socket.create_connection(("127.0.0.1", self.exchanger), timeout=timeout)
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")

        empty = self.folder / "hosts"
        empty.write_text("127.0.0.1 localhost\n")
        return replace(
            gather.sources(line), connect=connect, disciplined=lambda: True, here=lambda address: address == self.source, hosts=empty,
            trust={"cafile": str(self.ca.cafile)} if self.ca else {}, confdir=self.exim.confdir,
        )  # fmt: skip

    def put(self, name: str, kind: str, *texts: str) -> None:
        """Somebody else's hand in a zone: these values in place of what stood at the name, none = nothing."""
        zone = zone_of(name, self.bind.zones) or ""
        update = dns.update.UpdateMessage(zone, keyring=dns.tsigkeyring.from_text({Bind.key_name: Bind.secret}))
        update.delete(name + ".", kind)
        for text in texts:
            update.add(name + ".", 3600, kind, text)
        assert dns.query.tcp(update, "127.0.0.1", port=self.bind.port, timeout=5).rcode() == 0


def with_tls(exim: EximHost, name: str) -> Ca:
    """A certificate of a CA of its own, as Debian's macros take it, TLS as TLS-02 advises, and SPF looked at for incoming mail."""
    ca = Ca(exim.folder / "ca")
    certificate, key = ca.issue(name)
    (exim.confdir / "conf.d/main/001_tls").write_text(
        f"MAIN_TLS_ENABLE = yes\nMAIN_TLS_CERTIFICATE = {certificate}\nMAIN_TLS_PRIVATEKEY = {key}\nCHECK_RCPT_SPF = true\n"
        "tls_require_ciphers = NORMAL:-VERS-TLS1.0:-VERS-TLS1.1\n"
    )
    exim.switched()
    return ca


@contextmanager
def internet(folder: Path) -> Iterator[Setup]:
    """A host of one domain that sends by itself and receives with a certificate of its CA."""
    name, address = "mail.uno.example", "192.0.2.25"
    zone = HEAD + f"@ IN MX 10 {name}.\n@ IN A {address}\nmail IN A {address}\n"
    zones = {"uno.example": zone, "example": HEAD, "2.0.192.in-addr.arpa": f"25 PTR {name}.\n"}
    with ExitStack() as open_:
        exim = open_.enter_context(EximHost(hostname=name, hostnames=("uno.example",)))
        ca = with_tls(exim, name)
        bind = open_.enter_context(Bind(folder / "bind", zones))
        port = open_.enter_context(exim.listening())
        config = {"zones": {"uno.example": {"dmarc": {"p": "quarantine"}}}}
        made = Setup(folder, exim, bind, config, address=address, exchanger=port, ca=ca)
        made.apply()
        yield made


@contextmanager
def satellite(folder: Path) -> Iterator[Setup]:
    """A host inside, whose mail leaves by a smarthost under the name of a domain that is received elsewhere."""
    zone = HEAD + "@ IN MX 10 mx.relay.example.\nsat IN A 192.0.2.77\n"
    relay = HEAD + '@ IN TXT "v=spf1 ip4:198.51.100.9 -all"\nmx IN A 198.51.100.9\n'
    zones = {
        "dos.example": zone,
        "relay.example": relay,
        "example": HEAD,
        "2.0.192.in-addr.arpa": "77 PTR sat.dos.example.\n",
    }
    config = {
        "zones": {
            "dos.example": {
                "domains": ["dos.example"],
                "dmarc": {"p": "quarantine", "rua": ["mailto:dmarc@dos.example"]},
                "spf": {"extra": ["include:relay.example"]},
            }
        }
    }
    with ExitStack() as open_:
        exim = open_.enter_context(
            EximHost(
                configtype="satellite",
                hostname="sat.dos.example",
                hostnames=(),
                readhost="dos.example",
                hide=True,
                smarthost="mx.relay.example::587",
            )
        )
        exim.macros(macros.render(exim.map, exim.keys))
        exim.map.write_text("")
        exim.edit("remote_smtp_smarthost", macros.transport_lines())
        exim.render()
        bind = open_.enter_context(Bind(folder / "bind", zones))
        made = Setup(folder, exim, bind, config, address="192.0.2.77")
        made.apply()
        yield made


@contextmanager
def behind_nat(folder: Path) -> Iterator[Setup]:
    """A host of three domains and a parked one on a private network; the router hands port 25 to it."""
    name, address = "mail.tres.example", "192.0.2.33"
    mail = HEAD + f"@ IN MX 10 {name}.\n@ IN A {address}\n"
    zones = {
        "tres.example": mail + f"mail IN A {address}\n", "cuatro.example": mail, "cinco.example": mail,
        "nada.example": HEAD + "@ IN MX 0 .\n", "example": HEAD, "2.0.192.in-addr.arpa": f"33 PTR {name}.\n",
    }  # fmt: skip
    config = {
        "zones": {"tres.example": {}, "cuatro.example": {}, "cinco.example": {}, "nada.example": {"parked": True}},
        "defaults": {"dmarc": {"p": "quarantine"}},
    }
    with ExitStack() as open_:
        exim = open_.enter_context(
            EximHost(hostname=name, hostnames=("tres.example", "cuatro.example", "cinco.example"))
        )
        ca = with_tls(exim, name)
        bind = open_.enter_context(Bind(folder / "bind", zones))
        port = open_.enter_context(exim.listening())
        made = Setup(folder, exim, bind, config, address=address, source="192.168.1.5", exchanger=port, ca=ca)
        made.apply()
        yield made


def test_an_internet_host(tmp_path: Path) -> None:
    """All is well there; then a selector's record, an address in SPF and the reverse name are broken by hand, and each is found, with its remedy."""
    with internet(tmp_path) as host:
        assert set(host.bad()) == MACHINE, host.bad()
        signing = host.exim.map.read_text().partition("uno.example:")[2].split()
        [selector, *_] = [
            name for name, text in host.bind.selectors("uno.example").items() if "k=rsa" in text and name in signing
        ]
        host.put(f"{selector}._domainkey.uno.example", "TXT")
        bad = host.bad()
        assert {("error", id) for id in ("DKIM-02", "DKIM-07", "EXIM-06", "SYNC-01")} & set(bad) >= {
            ("error", "DKIM-07")
        }, bad
        assert selector in str(bad[("error", "DKIM-07")])
        host.apply()  # the record is back
        assert set(host.bad()) == MACHINE, host.bad()
        host.put("25.2.0.192.in-addr.arpa", "PTR", "customer-25.isp.example.")
        host.put("uno.example", "TXT", '"v=spf1 mx -all"', '"v=spf1 -all"')
        host.put("_dmarc.uno.example", "TXT", '"v=DMARC1; p=quarantine; rua=mailto:a@b"', '"v=DMARC1; p=none"')
        bad = host.bad()
        assert {("error", "PTR-02"), ("error", "SPF-01"), ("error", "DMARC-01")} <= set(bad), bad
        assert "mail.uno.example" in str(bad[("error", "PTR-02")]) and "192.0.2.25" in str(bad[("error", "PTR-02")])


def test_a_satellite(tmp_path: Path) -> None:
    """Nobody expects this host to receive mail. Whether the relay's zone is signed, a resolver that does not validate cannot say. Where the relay
    is no more in SPF, or its transport signs nothing, that is found."""
    with satellite(tmp_path) as host:
        well = MACHINE | {("unknown", "DNSSEC-02")}
        assert set(host.bad()) == well, host.bad()
        host.put("relay.example", "TXT", '"v=spf1 ip4:198.51.100.10 -all"')
        bad = host.bad()
        assert set(bad) == well | {("unknown", "SPF-03")}, (
            bad
        )  # a relay may send from other addresses than it takes mail at
        assert "198.51.100.9" in str(bad[("unknown", "SPF-03")])
        host.put("relay.example", "TXT", '"v=spf1 ip4:198.51.100.9 -all"')
        for file in (host.exim.confdir / "conf.d/transport").iterdir():
            file.write_text(file.read_text().replace(macros.transport_lines(), ""))
        host.exim.render()
        bad = host.bad()
        assert ("error", "DKIM-01") in bad and not {("unknown", "SPF-03"), ("error", "DKIM-07")} & set(bad), (
            bad
        )  # what signs nothing at all is told once


def test_a_host_behind_nat(tmp_path: Path) -> None:
    """Its public address is that of its name. Where the router has another one since, one domain points elsewhere, and a parked one sends, each is found."""
    with behind_nat(tmp_path) as host:
        assert set(host.bad()) == MACHINE, host.bad()
        host.put("cinco.example", "MX", "10 mail.otros.example.")
        host.put("nada.example", "TXT", '"v=spf1 a -all"')
        bad = host.bad()
        assert any(id == "MX-01" or id == "MX-05" for _, id in bad), bad
        assert "cinco.example" in str(bad) and not any(
            "cuatro.example" in text for texts in bad.values() for text in texts
        ), bad
        assert ("warning", "PARK-01") in bad and "v=spf1 a -all" in str(bad[("warning", "PARK-01")])
