"""One question to one name server over UDP or TCP, and its answer as plain values. dnspython's door.

Names are absolute, in lower case and without the final dot (`""` is the root). Nothing here raises for DNS trouble:
an exchange that failed is a `Message` with the `Rcode` that says how.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset

from dnssync.core.sighting import Rcode

PAYLOAD = 1232  # octets of UDP that we accept: below every path's fragmentation, so that no firewall eats the rest
_WITHOUT_EDNS = {dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.BADVERS}


@dataclass(frozen=True, slots=True)
class Server:
    """An IP address and port where a name server listens."""

    address: str
    port: int = 53

    def __str__(self) -> str:
        if self.port == 53:
            return self.address
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


def split(text: str, port: int) -> tuple[str, int]:
    """`192.0.2.53`, `127.0.0.1:5353`, `[2001:db8::1]:53`, `2001:db8::1`, `ns1.example.net:53` as host and port."""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, int(rest.removeprefix(":")) if rest else port
    if text.count(":") == 1:
        host, _, rest = text.partition(":")
        return host, int(rest)
    return text, port


@dataclass(frozen=True, slots=True)
class Records:
    """An RRset as a message held it: `texts` as in `core.sighting.Reply`, `ttl` in seconds."""

    name: str
    type: str
    ttl: int
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Message:
    """What came back. `rcode` is DATA where the server said NOERROR with an answer section, NODATA without one.

    `negative_ttl` = min(SOA.minimum, SOA's TTL) of a SOA in the authority or answer section (RFC 2308 §5). `authentic`: a resolver
    says that it validated it (AD, RFC 4035 §3.2.3).
    """

    rcode: Rcode
    authoritative: bool = False
    answer: tuple[Records, ...] = ()
    authority: tuple[Records, ...] = ()
    additional: tuple[Records, ...] = ()
    negative_ttl: int | None = None
    note: str = ""
    authentic: bool = False

    def found(self, name: str, kind: str) -> Records | None:
        """The RRset of the answer section with this owner name and type."""
        return next((records for records in self.answer if (records.name, records.type) == (name, kind)), None)


def text_of(strings: Sequence[bytes]) -> str:
    """The character-strings of a TXT or SPF record joined without a gap (RFC 7208 §3.3, RFC 6376 §3.6.2.2) and decoded
    as UTF-8, other octets as surrogate escapes."""
    return b"".join(strings).decode("utf-8", "surrogateescape")


def wrong(name: str, kind: str) -> str:
    """Why this can be no question, as a sentence; "" where it can."""
    try:
        dns.name.from_text(name or ".")
        dns.rdatatype.from_text(kind)
    except (dns.exception.DNSException, ValueError) as error:
        return f"{name} {kind} cannot be looked up: {error}"
    return ""


def ask(
    server: Server,
    name: str,
    kind: str,
    *,
    recurse: bool = False,
    timeout: float = 3.0,
    dnssec: bool = False,
    checked: bool = True,
) -> Message:
    """Ask once: UDP with EDNS, TCP where the answer is truncated, without EDNS where the server does not know it.

    `timeout` in seconds, for each exchange. `recurse` sets RD: for a resolver, never for an authoritative server. `dnssec` asks for
    signatures (DO) and whether they were validated (AD), and why not (RFC 8914) in the `note`; without `checked` a resolver is to give
    out what does not validate too (CD).
    """
    query = dns.message.make_query(name or ".", kind, use_edns=0, payload=PAYLOAD, want_dnssec=dnssec)
    if not recurse:
        query.flags &= ~dns.flags.RD
    if dnssec:
        query.flags |= dns.flags.AD
    if not checked:
        query.flags |= dns.flags.CD
    try:
        response = _exchange(query, server, timeout)
        if response.rcode() in _WITHOUT_EDNS:  # RFC 6891 §7
            query.use_edns(False)
            response = _exchange(query, server, timeout)
    except _Failed as failed:
        return Message(failed.rcode, note=failed.note)
    message = _plain(response)
    return replace(message, note=_why(response) or message.note) if dnssec else message


class _Failed(Exception):
    def __init__(self, rcode: Rcode, note: str) -> None:
        super().__init__(note)
        self.rcode, self.note = rcode, note


def _exchange(query: dns.message.Message, server: Server, timeout: float) -> dns.message.Message:
    try:
        response = _udp(query, server, timeout)
    except TimeoutError:
        raise _Failed(Rcode.TIMEOUT, "no answer over UDP") from None
    except OSError as error:
        raise _Failed(Rcode.UNREACHABLE, _reason(error)) from None
    if response is not None:
        return response
    try:
        return dns.query.tcp(query, server.address, timeout=timeout, port=server.port)
    except (dns.exception.Timeout, TimeoutError):
        raise _Failed(Rcode.TIMEOUT, "truncated over UDP, then no answer over TCP") from None
    except (OSError, EOFError) as error:
        raise _Failed(Rcode.UNREACHABLE, f"truncated over UDP, then TCP failed: {_reason(error)}") from None
    except (dns.exception.DNSException, ValueError) as error:
        raise _Failed(Rcode.ERROR, f"truncated over UDP, then over TCP: {_reason(error)}") from None


def _udp(query: dns.message.Message, server: Server, timeout: float) -> dns.message.Message | None:
    """The response, None where it is truncated.

    A new socket each time has a new random port. It is connected, so that the kernel drops what others send, and tells
    at once where nobody listens. What is no response to this very query is passed over until the time is up; one that
    cannot be read is an answer all the same, and no silence.
    """
    family = socket.AF_INET6 if ":" in server.address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.connect((server.address, server.port))
        sock.send(query.to_wire())
        end = time.monotonic() + timeout
        while True:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError
            sock.settimeout(left)
            wire = sock.recv(65535)
            if len(wire) >= 12 and wire[:2] == query.id.to_bytes(2, "big") and wire[2] & 0x82 == 0x82:
                return None  # QR and TC: what follows may be cut anywhere
            try:
                response = _read(wire)
            except (dns.exception.DNSException, ValueError, struct.error):
                continue
            if query.is_response(response):
                if response.errors:
                    raise _Failed(Rcode.ERROR, f"the answer cannot be read: {_reason(response.errors[0].exception)}")
                return response


def _read(wire: bytes) -> dns.message.Message:
    """The message, its `errors` where some of it cannot be read. A TLSA record whose data is too short or too long for its matching type is none to
    dnspython; it is there all the same, and is kept in the generic form (RFC 3597 §5)."""
    response = dns.message.from_wire(wire, continue_on_error=True)
    if not response.errors:
        return response
    at = 12
    for _ in response.question:
        at += dns.name.from_wire(wire, at)[1] + 4
    kept = 0
    for _ in range(int.from_bytes(wire[6:8])):
        name, used = dns.name.from_wire(wire, at)
        kind, rdclass, ttl, length = struct.unpack_from("!HHIH", wire, at + used)
        begin = at + used + 10
        at = begin + length
        if kind != dns.rdatatype.TLSA:
            continue
        try:
            dns.rdata.from_wire(rdclass, kind, wire, begin, length)
        except dns.exception.DNSException:
            rrset = response.find_rrset(response.answer, name, rdclass, kind, create=True)
            rrset.add(dns.rdata.GenericRdata(rdclass, kind, wire[begin:at]), ttl)
            kept += 1
    if kept == len(response.errors):
        response.errors = []
    return response


def _plain(response: dns.message.Message) -> Message:
    answer = tuple(map(_records, response.answer))
    rcode = response.rcode()
    kinds = {
        dns.rcode.NOERROR: Rcode.DATA if answer else Rcode.NODATA,
        dns.rcode.NXDOMAIN: Rcode.NXDOMAIN,
        dns.rcode.SERVFAIL: Rcode.SERVFAIL,
        dns.rcode.REFUSED: Rcode.REFUSED,
    }
    return Message(
        rcode=kinds.get(rcode, Rcode.ERROR),
        authoritative=bool(response.flags & dns.flags.AA),
        authentic=bool(response.flags & dns.flags.AD),
        answer=answer,
        authority=tuple(map(_records, response.authority)),
        additional=tuple(map(_records, response.additional)),
        negative_ttl=_negative_ttl([*response.authority, *response.answer]),
        note="" if rcode in kinds else dns.rcode.to_text(rcode),
    )


def _why(response: dns.message.Message) -> str:
    """The extended errors (RFC 8914) of a response, "" without."""
    told = [option for option in response.options if isinstance(option, dns.edns.EDEOption)]
    return "; ".join(f"extended error {int(option.code)}{f': {option.text}' if option.text else ''}" for option in told)


def _records(rrset: dns.rrset.RRset) -> Records:
    texts = []
    for rdata in rrset:
        strings = getattr(rdata, "strings", None)
        texts.append(rdata.to_text() if strings is None else text_of(strings))
    return Records(_name(rrset.name), dns.rdatatype.to_text(rrset.rdtype), rrset.ttl, tuple(texts))


def _name(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower() if name != dns.name.root else ""


def _negative_ttl(rrsets: Sequence[dns.rrset.RRset]) -> int | None:
    ttls = [min(rrset.ttl, rrset[0].minimum) for rrset in rrsets if rrset.rdtype == dns.rdatatype.SOA]
    return ttls[0] if ttls else None


def _reason(error: Exception) -> str:
    if isinstance(error, EOFError):
        return "the connection was closed"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def routed(address: str, *, open_socket: Callable[..., socket.socket] = socket.socket) -> bool:
    """Whether this host has a route to the address; no packet leaves.

    A private IPv6 source (unique local or link-local) does not count as one to a public address: such a host has no
    IPv6 to the world, whatever its default route says.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with open_socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((address, 53))
            source = ipaddress.ip_address(sock.getsockname()[0].partition("%")[0])
    except OSError:
        return False
    target = ipaddress.ip_address(address.partition("%")[0])
    return target.version == 4 or not target.is_global or source.is_global
