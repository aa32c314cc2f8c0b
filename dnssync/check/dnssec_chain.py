"""DNSKEY and DS records, and which belong together (RFC 4034 §2, §5 and appendix B)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

DIGESTS = {1: "sha1", 2: "sha256", 4: "sha384"}
_FORM = "%Y%m%d%H%M%S"


@dataclass(frozen=True, slots=True)
class Key:
    """A DNSKEY: its algorithm, and the octets of its RDATA."""

    algorithm: int
    octets: bytes

    @classmethod
    def parse(cls, text: str) -> Key | None:
        """From its presentation form, None where it is none."""
        try:
            flags, protocol, algorithm, *key = text.split()
            octets = base64.b64decode("".join(key), validate=True)
            head = bytes([*int(flags).to_bytes(2, "big"), int(protocol), int(algorithm)])
        except (ValueError, OverflowError, binascii.Error):
            return None
        return cls(int(algorithm), head + octets)

    @property
    def tag(self) -> int:
        """The key tag (RFC 4034 appendix B; algorithm 1 is not used any more)."""
        total = sum(octet if at & 1 else octet << 8 for at, octet in enumerate(self.octets))
        return (total + (total >> 16)) & 0xFFFF


def fits(ds: str, key: Key, zone: str) -> bool:
    """Whether a DS, in presentation form, is of this key. True too where it uses a digest that is not known here: who cannot tell
    does not say that it is wrong."""
    try:
        tag, algorithm, digest, *rest = ds.split()
        named = (int(tag), int(algorithm))
        kind = DIGESTS.get(int(digest))
    except ValueError:
        return True
    if named != (key.tag, key.algorithm):
        return False
    if kind is None:
        return True
    whole = hashlib.new(kind, _wire(zone) + key.octets, usedforsecurity=False).hexdigest()
    return whole == "".join(rest).lower()


def _wire(name: str) -> bytes:
    labels = [label.encode("ascii", "replace") for label in name.lower().split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def span(signature: str) -> tuple[str, int, int] | None:
    """Of an RRSIG in presentation form, the type that it covers, and its beginning and end in seconds since 1970; None where it is none."""
    words = signature.split()
    try:
        ends, begins = (int(datetime.strptime(word, _FORM).replace(tzinfo=UTC).timestamp()) for word in words[4:6])
    except ValueError:
        return None
    return words[0], begins, ends


def moment(time: int) -> str:
    """A time for people."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M UTC")
