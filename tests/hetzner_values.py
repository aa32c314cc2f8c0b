"""How Hetzner Cloud takes values: as they are given, if they are in zone-file form."""

from __future__ import annotations

import dns.exception
import dns.name
import dns.rdata

from tests.desec_values import strings

TYPES = frozenset(["A", "AAAA", "CAA", "CNAME", "DS", "HINFO", "HTTPS", "MX", "NS", "PTR", "RP", "SOA", "SRV", "SVCB", "TLSA", "TXT"])  # fmt: skip


def check(kind: str, value: str) -> None:
    """Raise ValueError, in words, where a value is not taken."""
    try:
        if kind != "TXT":
            dns.rdata.from_text("IN", kind, value, origin=dns.name.from_text("example.org"))
        elif not value.isascii() or not value.isprintable():
            raise ValueError("a TXT record must be printable ASCII")
        elif any(len(string) > 255 for string in strings(value)) or not strings(value):
            raise ValueError("a TXT string exceeds 255 characters")
    except dns.exception.DNSException as error:
        raise ValueError(f"invalid {kind} record: {error}") from None


def octets(kind: str, kept: str) -> bytes:
    """A value as it is compared: a text's strings joined."""
    return b"".join(strings(kept)) if kind == "TXT" else kept.encode()
