"""TXT and SPF values: octets ↔ `Value`. Strings are octets, joined without anything between (RFC 7208 §3.3).

`text` is what is compared (UTF-8, other octets as surrogate escapes), `raw` the quoted zone-file form with its strings
as they were, so that a foreign value goes back octet for octet.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from dnssync.core.model import Value

MAX_STRING = 255  # octets of one character-string (RFC 1035 §3.3)
TYPES = frozenset({"TXT", "SPF"})
TARGETS = frozenset({"ALIAS", "CNAME", "DNAME", "MX", "NS", "PTR", "SRV"})  # whose last word is a name
_TOKEN = re.compile(rb'"((?:[^"\\]|\\.)*)"|((?:[^\s"\\]|\\.)+)|(\s+)', re.DOTALL)
_ESCAPE = re.compile(rb"\\(\d{3}|.)", re.DOTALL)


def value(strings: Sequence[bytes]) -> Value:
    """The value of these character-strings."""
    return Value(b"".join(strings).decode("utf-8", "surrogateescape"), quoted(strings))


def told(raw: str) -> Value:
    """A value as an API told it, quoted or bare: the strings joined, wherever they were cut; what is not understood is bare."""
    if not raw.startswith('"'):
        return Value(raw, raw)
    try:
        return Value(b"".join(unquoted(raw)).decode("utf-8", "surrogateescape"), raw)
    except ValueError:
        return Value(raw, raw)


def in_zone(kind: str, raw: str, zone: str) -> Value:
    """A value as an API with zone-file forms told it: a text as by `told`, and a relative target made absolute."""
    if kind in TARGETS and raw and not raw.endswith("."):
        before, _, target = raw.rpartition(" ")
        return Value(f"{before} {'' if target == '@' else target + '.'}{zone}.".strip(), raw)
    return told(raw) if kind in TYPES else Value(raw, raw)


def version(text: str) -> str:
    """What says which kind of record a text is: `v=spf1`, `v=dmarc1`, …"""
    return re.split(r"[\s;]", text.strip(), maxsplit=1)[0].lower()


def quoted(strings: Sequence[bytes]) -> str:
    """The zone-file form: each string in quotes, `"` and `\\` escaped, other than printable ASCII as `\\DDD`."""
    return " ".join('"' + "".join(map(_escaped, string)) + '"' for string in strings)


def _escaped(octet: int) -> str:
    if octet in b'"\\':
        return "\\" + chr(octet)
    return chr(octet) if 0x20 <= octet < 0x7F else f"\\{octet:03d}"


def strings(value: Value) -> tuple[bytes, ...]:
    """The character-strings to write: those of `raw` for a value that was read, else `text` cut at 255 octets."""
    if value.raw:
        return unquoted(value.raw)
    octets = value.text.encode("utf-8", "surrogateescape")
    return tuple(octets[at : at + MAX_STRING] for at in range(0, len(octets), MAX_STRING)) or (b"",)


def spelled(value: Value) -> str:
    """The zone-file form of a value, as it was read or, for one of ours, as it is to be written."""
    return value.raw or quoted(strings(value))


def unquoted(raw: str) -> tuple[bytes, ...]:
    """The character-strings of a zone-file form; raises ValueError where it is none."""
    found, octets, at = [], raw.encode("utf-8", "surrogateescape"), 0
    for match in _TOKEN.finditer(octets):
        if match.start() != at:
            break
        at = match.end()
        if match[3] is None:
            found.append(_ESCAPE.sub(_octet, match[1] if match[1] is not None else match[2]))
    if at != len(octets) or not found:
        raise ValueError(f"not a list of character-strings: {raw!a}")
    return tuple(found)


def _octet(match: re.Match[bytes]) -> bytes:
    number = match[1]
    return bytes([int(number)]) if len(number) == 3 else number
