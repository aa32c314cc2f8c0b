"""How deSEC takes and shows values: in canonical form, by way of the wire, as its models/records.py has it."""

from __future__ import annotations

import dns.exception
import dns.name
import dns.rdata
import dns.tokenizer
from dns.rdtypes.ANY.TXT import TXT

TEXTS = ("TXT", "SPF")
AUTOMATIC = frozenset({"KEY", "NSEC", "NSEC3", "NSEC3PARAM", "OPT", "RRSIG", "SOA"})
_TYPES = """A AAAA AFSDB APL CAA CDNSKEY CDS CERT CNAME CSYNC DHCID DLV DNSKEY DS EUI48 EUI64 HINFO HTTPS KX L32 L64 LOC LP MX NAPTR
NID NS OPENPGPKEY PTR RP SMIMEA SPF SRV SSHFP SVCB TLSA TXT URI"""
TYPES = frozenset(_TYPES.split())


def canonical(kind: str, value: str) -> str:
    """What is kept and shown of a value; raises ValueError, in deSEC's words, where it is not taken."""
    try:
        if kind in TEXTS:
            return _text(kind, value)
        rdata = dns.rdata.from_text("IN", kind, value, relativize=False)
        wire = rdata.to_wire() or b""
        return dns.rdata.from_wire("IN", kind, wire, 0, len(wire)).to_text()
    except dns.name.NeedAbsoluteNameOrOrigin:
        raise ValueError('Hostname must be fully qualified (i.e., end in a dot: "example.com.")') from None
    except dns.exception.DNSException as error:
        raise ValueError(f"Record content for type {kind} malformed: {error}") from None


def octets(kind: str, kept: str) -> bytes:
    """A value as it is compared: a text's strings joined."""
    return b"".join(strings(kept)) if kind in TEXTS else kept.encode()


def _text(kind: str, value: str) -> str:
    pieces = []
    for string in strings(value):
        pieces += [string[at : at + 255] for at in range(0, max(len(string), 1), 255)]
    if not pieces:
        raise ValueError(f"Record content for type {kind} malformed: Text input is malformed.")
    return TXT("IN", "TXT", pieces).to_text()


def strings(value: str) -> list[bytes]:
    """The strings of a text; raises where one of them is not quoted."""
    found = []
    for token in dns.tokenizer.Tokenizer(value).get_remaining():
        if not token.is_quoted_string():
            raise ValueError("Data for TXT records must be given using quotation marks.")
        inner = token.unescape_to_bytes().value
        found.append(inner if isinstance(inner, bytes) else str(inner).encode())
    return found
