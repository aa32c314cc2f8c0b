"""A question as octets, and the octets of an answer as plain values. dnspython's door; how they travel: `datagrams`.

Names are absolute, in lower case and without the final dot (`""` is the root). Nothing here raises for DNS trouble:
an exchange that failed is a `Message` with the `Rcode` that says how.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset

from dnssync import sections
from dnssync.core.sighting import Rcode

PAYLOAD = 1232  # octets of UDP that we accept: below every path's fragmentation, so that no firewall eats the rest
NO_QUESTION = (dns.exception.DNSException, ValueError)  # what `query` raises for what can be no question
_WITHOUT_EDNS = {int(dns.rcode.FORMERR), int(dns.rcode.NOTIMP)}
_BARE = {*_WITHOUT_EDNS, int(dns.rcode.SERVFAIL), int(dns.rcode.REFUSED)}  # with these, some leave it out


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
    except NO_QUESTION as error:
        return f"{name} {kind} cannot be looked up: {error}"
    return ""


@dataclass(frozen=True, slots=True)
class Query:
    """A question's message without its id: `octets`, in which the header's other fields and the question section end at `end`."""

    octets: bytes
    end: int

    @property
    def edns(self) -> bool:
        """Whether it has an OPT record (RFC 6891)."""
        return len(self.octets) > self.end

    def plain(self) -> Query:
        """The same question without EDNS."""
        return Query(self.octets[:8] + b"\0\0" + self.octets[10 : self.end], self.end)

    def answered(self, octets: bytes) -> bool:
        """Whether a message with this query's id is a response to it: by QR, opcode and question section.

        A truncated one may end anywhere, and one with an error may have no question at all.
        """
        if len(octets) < 12 or octets[2] & 0xF8 != 0x80:
            return False
        asked, told = self.octets[10 : self.end], octets[12 : self.end + 2]
        if octets[2] & 2 and len(told) < len(asked):
            return asked.startswith(told)
        if octets[4:6] == b"\0\0":
            return octets[3] & 15 in _BARE
        # No length of a label is a letter's code, so that names compare in lower case (RFC 4343) octet by octet.
        alike = told == asked or (told[-4:] == asked[-4:] and told[:-4].lower() == asked[:-4].lower())
        return alike and octets[4:6] == b"\0\1"

    def unknown_edns(self, octets: bytes) -> bool:
        """Whether a response says that its server does not know EDNS, or this version of it (RFC 6891 §6.1.3, §7)."""
        if octets[3] & 15 in _WITHOUT_EDNS:
            return self.edns
        opt = self.end + 2  # where nothing but an OPT record follows the question, its upper bits of the rcode are told
        bare = octets[6:10] == b"\0\0\0\0" and octets[opt : opt + 3] == b"\0\0\x29"
        return self.edns and bare and octets[3] & 15 == 0 and octets[opt + 5 : opt + 6] == b"\1"


def query(name: str, kind: str, *, recurse: bool = False, dnssec: bool = False, checked: bool = True) -> Query:
    """The question for a name's RRset of a type, with EDNS.

    Raises `NO_QUESTION` for what is no name or no type. `recurse` sets RD: for a resolver, never for an authoritative server. `dnssec` asks for signatures (DO) and whether they were
    validated (AD), and why not (RFC 8914) in the `note`; without `checked` a resolver is to give out what does not validate too (CD).
    """
    head, tail = _around(kind, recurse, dnssec, checked)
    owner = dns.name.from_text(name or ".").to_wire()
    assert owner is not None
    return Query(head + owner + tail, 10 + len(owner) + 4)


@cache  # what stands before and after the name is the same for ten thousand of them, and slow to build
def _around(kind: str, recurse: bool, dnssec: bool, checked: bool) -> tuple[bytes, bytes]:
    """The octets of a query between its id and the name, and those after the name."""
    query = dns.message.make_query(".", kind, use_edns=0, payload=PAYLOAD, want_dnssec=dnssec)
    if not recurse:
        query.flags &= ~dns.flags.RD
    if dnssec:
        query.flags |= dns.flags.AD
    if not checked:
        query.flags |= dns.flags.CD
    octets = query.to_wire()
    return octets[2:12], octets[13:]


def heard(octets: bytes, dnssec: bool = False) -> Message:
    """What a response says; ERROR where it cannot be read, since it is an answer all the same, and no silence."""
    try:
        response = _read(octets)
        trouble = response.errors[0].exception if response.errors else None
    except (dns.exception.DNSException, ValueError, struct.error) as error:
        trouble = error
    if trouble is not None:
        return Message(Rcode.ERROR, note=f"the answer cannot be read: {reason(trouble)}")
    message = _plain(response)
    return replace(message, note=_why(response) or message.note) if dnssec else message


def told(octets: bytes, name: str, kind: str) -> Message:
    """What an authoritative server's response says of an RRset, as `heard`. Where it gives the RRset itself, the sections behind, with the zone's name
    servers and their addresses, are not read: that takes longer than all the rest, and they are of no account."""
    alone = sections.records_alone(octets)
    message = heard(alone) if alone is not None else None
    return message if message is not None and message.found(name, kind) is not None else heard(octets)


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


def reason(error: Exception) -> str:
    """Why something failed, in few words."""
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
