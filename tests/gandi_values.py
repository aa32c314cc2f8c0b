"""How the stand-in for Gandi keeps and shows values: texts as octets, everything else as it was given."""

from __future__ import annotations

import ipaddress
import re

TYPES = frozenset(
    [
        "A",
        "AAAA",
        "ALIAS",
        "CAA",
        "CDS",
        "CNAME",
        "DNAME",
        "DS",
        "HTTPS",
        "KEY",
        "LOC",
        "MX",
        "NAPTR",
        "NS",
        "OPENPGPKEY",
        "PTR",
        "RP",
        "SOA",
        "SPF",
        "SRV",
        "SSHFP",
        "SVCB",
        "TLSA",
        "TXT",
        "WKS",
    ]
)
TEXTS = ("TXT", "SPF")
LONGEST = 16384
_STRING = re.compile(r'"((?:[^"\\]|\\[0-9]{3}|\\[^0-9])*)"')
_ESCAPE = re.compile(r"\\([0-9]{3}|[^0-9])")


def canonical(kind: str, value: str) -> bytes:
    """What is kept of a value; raises ValueError, in words, where it is not taken."""
    if not value or len(value) > LONGEST or not re.fullmatch(r"[\x20-\x7e]+", value):
        raise ValueError(f"{value[:20]!a}: must be printable ASCII, of {LONGEST} characters at most")
    if kind in ("A", "AAAA"):
        try:
            (ipaddress.IPv4Address if kind == "A" else ipaddress.IPv6Address)(value)
        except ValueError:
            raise ValueError(f"{value!r}: must be an IP address (param: {{'value': {value!r}}})") from None
    if kind not in TEXTS:
        return value.encode()
    if not value.startswith('"'):
        return value.encode()
    strings, at = [], 0
    while at < len(value):
        match = _STRING.match(value, at)
        if match is None:
            raise ValueError(f"{value[:20]!a}: must be quoted strings with a blank between them")
        strings.append(_ESCAPE.sub(lambda m: chr(int(m[1])) if m[1].isdigit() else m[1], match[1]).encode("latin-1"))
        at = match.end()
        if at < len(value):
            if value[at] != " ":
                raise ValueError(f"{value[:20]!a}: must be quoted strings with a blank between them")
            at += 1
    if any(len(string) > 255 for string in strings):
        raise ValueError("a string of a text has 255 octets at most")
    return b"".join(strings)


def shown(kind: str, kept: bytes, cut: int, quoted: bool) -> str:
    """A value as an answer has it: a text in quotes, long ones cut at `cut` octets."""
    if kind not in TEXTS or not quoted:
        return kept.decode("latin-1")
    pieces = [kept[at : at + cut] for at in range(0, len(kept), cut)] or [b""]
    return " ".join('"' + "".join(_escaped(octet) for octet in piece) + '"' for piece in pieces)


def _escaped(octet: int) -> str:
    if octet in b'"\\':
        return "\\" + chr(octet)
    return chr(octet) if 0x20 <= octet < 0x7F else f"\\{octet:03d}"
