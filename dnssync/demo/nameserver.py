"""A small authoritative name server that serves master files on loopback, for `dnssync demo` and for the tests.

It answers as RFC 1034 §4.3.2 says: delegations, CNAME chains, wildcards, empty non-terminals, a SOA with every
negative answer (RFC 2308 §3), truncation with TCP behind it (RFC 7766), EDNS (RFC 6891). It transfers no zone, takes
no update, signs nothing and answers nobody but this machine. A file that changes is read again before the next answer.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import socketserver
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.node
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.rrset
import dns.zone

log = logging.getLogger("dnssync.demo")
PAYLOAD = 1232  # the largest UDP answer, in octets: fits every path without fragments
CHAIN = 8  # CNAMEs followed in one answer
IDLE = 5.0  # seconds that an open TCP connection may stay silent


class ServedZone:
    """One zone and the master file that it is read from, again whenever the file changes."""

    def __init__(self, origin: str, path: Path) -> None:
        self.origin = dns.name.from_text(origin)
        self.path = path
        self._lock = threading.Lock()
        self._mark: tuple[int, ...] = ()
        self._zone: dns.zone.Zone | None = None
        self._names: frozenset[dns.name.Name] = frozenset()

    def current(self) -> tuple[dns.zone.Zone, frozenset[dns.name.Name]] | None:
        """The zone as its file says now and every name in it, empty non-terminals too (RFC 4592 §2.2.2).

        A file that cannot be read leaves the last good zone in place, as a name server's reload does; None where
        there never was one.
        """
        with self._lock:
            try:
                status = self.path.stat()
                mark = (status.st_mtime_ns, status.st_size, status.st_ino)
                if mark != self._mark:
                    zone = dns.zone.from_file(str(self.path), self.origin, relativize=False)
                    self._zone, self._names, self._mark = zone, frozenset(self._all_names(zone)), mark
            except (OSError, dns.exception.DNSException, ValueError) as error:
                log.error("zone=%s because=its file %s cannot be read: %s", self.origin, self.path, error)
            return None if self._zone is None else (self._zone, self._names)

    def _all_names(self, zone: dns.zone.Zone) -> Iterator[dns.name.Name]:
        for name in zone.nodes:
            while name != self.origin:
                yield name
                name = name.parent()
        yield self.origin


class NameServer:
    """The server as a context manager: `with NameServer({"example.org": path}) as server: server.port`.

    `zones` are zone names and their master files. `address` must be a loopback address; `port` 0 takes a free one, the
    same for UDP and TCP. Names in none of the zones are REFUSED.
    """

    def __init__(self, zones: Mapping[str, Path], *, address: str = "127.0.0.1", port: int = 0) -> None:
        if not ipaddress.ip_address(address).is_loopback:
            raise ValueError(f"{address} is no loopback address, and this server is for this machine only")
        self.zones = [ServedZone(origin, path) for origin, path in zones.items()]
        self.address, self.port = address, port
        self._servers: list[Any] = []
        self._threads: list[threading.Thread] = []

    @property
    def where(self) -> str:
        """`address:port`, as `nameservers:` in the configuration takes it."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    def __enter__(self) -> NameServer:
        self._servers = self._bind()
        self.port = self._servers[0].server_address[1]
        for server in self._servers:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *exc: object) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join()
        self._servers, self._threads = [], []

    def _bind(self) -> list[Any]:
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        for attempt in range(20):
            tcp = _listener(socketserver.ThreadingTCPServer, (self.address, self.port), _Stream, family, self)
            try:
                port = tcp.server_address[1]
                udp = _listener(socketserver.ThreadingUDPServer, (self.address, port), _Datagram, family, self)
            except OSError:  # the free TCP port was not free for UDP: take another
                tcp.server_close()
                if self.port or attempt == 19:
                    raise
            else:
                return [tcp, udp]
        raise AssertionError("the last attempt raises")

    def respond(self, query: dns.message.Message, tcp: bool) -> dns.message.Message | None:
        """The answer to one query, None = none at all."""
        response = dns.message.make_response(query, our_payload=PAYLOAD)
        if query.opcode() != dns.opcode.QUERY or len(query.question) != 1:
            response.set_rcode(dns.rcode.NOTIMP)
        elif query.edns > 0:
            response.set_rcode(dns.rcode.BADVERS)
        elif query.question[0].rdclass != dns.rdataclass.IN or dns.rdatatype.is_metatype(query.question[0].rdtype):
            response.set_rcode(dns.rcode.REFUSED)
        else:
            self._fill(response, query.question[0].name, query.question[0].rdtype)
        return response

    def _fill(self, response: dns.message.Message, name: dns.name.Name, rdtype: dns.rdatatype.RdataType) -> None:
        for _ in range(CHAIN):
            holding = [zone for zone in self.zones if name.is_subdomain(zone.origin)]
            if not holding:  # fine as a CNAME's target, which the asker looks up elsewhere
                response.set_rcode(dns.rcode.NOERROR if response.answer else dns.rcode.REFUSED)
                return
            served = max(holding, key=lambda zone: len(zone.origin)).current()
            if served is None:
                response.set_rcode(dns.rcode.SERVFAIL)
                return
            target = _look_in(*served, response, name, rdtype)
            if target is None:
                return
            name = target


def _look_in(
    zone: dns.zone.Zone,
    names: frozenset[dns.name.Name],
    response: dns.message.Message,
    name: dns.name.Name,
    rdtype: dns.rdatatype.RdataType,
) -> dns.name.Name | None:
    """Put what the zone says about one name into the response; the target where it ends at a CNAME."""
    assert zone.origin is not None
    for depth in range(len(zone.origin) + 1, len(name) + 1):
        cut = name.split(depth)[1]
        delegation = zone.get_rdataset(cut, dns.rdatatype.NS)
        if delegation is not None:
            # A referral (RFC 1034 §4.3.2 step 3b): the NS set, without authority.
            response.authority.append(dns.rrset.from_rdata_list(cut, delegation.ttl, list(delegation)))
            _add_addresses(zone, response, delegation)
            return None
    if not response.answer:
        response.flags |= dns.flags.AA  # speaks of the first owner name (RFC 1035 §4.1.1)
    node = zone.get_node(name)
    if node is None and name not in names:
        closest = name.parent()
        while closest not in names:
            closest = closest.parent()
        node = zone.get_node(dns.name.Name((b"*", *closest.labels)))
        if node is None:
            response.set_rcode(dns.rcode.NXDOMAIN)
    alias = node.get_rdataset(dns.rdataclass.IN, dns.rdatatype.CNAME) if node else None
    if alias is not None and rdtype != dns.rdatatype.CNAME:
        response.answer.append(dns.rrset.from_rdata_list(name, alias.ttl, list(alias)))
        target: dns.name.Name = alias[0].target
        return target
    found = node.get_rdataset(dns.rdataclass.IN, rdtype) if node else None
    if found is not None:
        response.answer.append(dns.rrset.from_rdata_list(name, found.ttl, list(found)))
        if rdtype == dns.rdatatype.NS:
            _add_addresses(zone, response, found)
        return None
    soa = zone.get_rdataset(zone.origin, dns.rdatatype.SOA)
    if soa is not None:
        ttl = min(soa.ttl, soa[0].minimum)
        response.authority.append(dns.rrset.from_rdata_list(zone.origin, ttl, list(soa)))
    return None


def _add_addresses(zone: dns.zone.Zone, response: dns.message.Message, servers: dns.rdataset.Rdataset) -> None:
    """The addresses of name servers that the zone holds, glue or its own."""
    for server in servers:
        for kind in (dns.rdatatype.A, dns.rdatatype.AAAA):
            target = server.target
            glue = zone.get_rdataset(target, kind) if target.is_subdomain(zone.origin) else None
            if glue is not None:
                response.additional.append(dns.rrset.from_rdata_list(target, glue.ttl, list(glue)))


def _encode(query: dns.message.Message, response: dns.message.Message, tcp: bool) -> bytes:
    limit = 65535 if tcp else max(512, min(query.payload, PAYLOAD)) if query.edns >= 0 else 512
    try:
        return response.to_wire(max_size=limit)
    except dns.exception.TooBig:
        cut = dns.message.make_response(query, our_payload=PAYLOAD)
        cut.flags |= dns.flags.TC | (response.flags & dns.flags.AA)
        return cut.to_wire()


def _parse(wire: bytes) -> dns.message.Message | None:
    try:
        query = dns.message.from_wire(wire)
    except (dns.exception.DNSException, ValueError):  # not a message of DNS: no answer, as to noise
        return None
    return None if query.flags & dns.flags.QR else query


def _listener(
    kind: type[socketserver.TCPServer],
    where: tuple[str, int],
    handler: type[socketserver.BaseRequestHandler],
    family: int,
    answering: NameServer,
) -> Any:
    """A bound socket server; `address_family` is a class attribute there, hence a class of its own each time."""
    options = {
        "address_family": family,
        "allow_reuse_address": kind is socketserver.ThreadingTCPServer,
        "daemon_threads": True,
        "block_on_close": False,
        "answering": answering,
        "request_queue_size": 128,
        "max_packet_size": 65535,
    }
    return type("Listener", (kind,), options)(where, handler)


class _Datagram(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        wire, sock = self.request
        query = _parse(wire)
        response = self.server.answering.respond(query, False) if query else None  # type: ignore[attr-defined]  # our own server class
        if query and response:
            with suppress(OSError):  # the asker is gone, or the server is closing
                sock.sendto(_encode(query, response, False), self.client_address)


class _Stream(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.settimeout(IDLE)
        with suppress(OSError):
            while head := self._exactly(2):
                query = _parse(self._exactly(struct.unpack("!H", head)[0]))
                response = self.server.answering.respond(query, True) if query else None  # type: ignore[attr-defined]  # our own server class
                if not query or not response:
                    return
                wire = _encode(query, response, True)
                self.request.sendall(struct.pack("!H", len(wire)) + wire)

    def _exactly(self, count: int) -> bytes:
        got = b""
        while len(got) < count and (more := self.request.recv(count - len(got))):
            got += more
        return got if len(got) == count else b""
