"""What stands in p= of a key record (RFC 6376 §3.6.1, RFC 8463 §4), read without a library: how long an RSA key is, what an Ed25519 one looks like."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

ED25519 = 32  # octets of a raw key
_ED25519_SPKI = bytes.fromhex("302a300506032b6570032100")  # what stands before it in a SubjectPublicKeyInfo (RFC 8410)
_SEQUENCE, _INTEGER, _BITS = 0x30, 0x02, 0x03


@dataclass(frozen=True, slots=True)
class _Element:
    """A DER element: its tag, what is in it, and what follows."""

    tag: int
    content: bytes
    rest: bytes


def _element(data: bytes) -> _Element | None:
    if len(data) < 2:
        return None
    length, at = data[1], 2
    if length & 0x80:
        count = length & 0x7F
        if not 1 <= count <= 4 or len(data) < 2 + count:
            return None
        length, at = int.from_bytes(data[2 : 2 + count]), 2 + count
    return _Element(data[0], data[at : at + length], data[at + length :]) if len(data) >= at + length else None


def octets(p: str) -> bytes | None:
    """p= decoded, None where it is not base64."""
    try:
        return base64.b64decode(p, validate=True)
    except (binascii.Error, ValueError):
        return None


def rsa_key(p: str) -> tuple[int, int] | None:
    """Modulus and exponent of an RSA key, as SubjectPublicKeyInfo or as RSAPublicKey (RFC 8017 A.1.1): verifiers take both. None where it is
    neither."""
    outer = _element(octets(p) or b"")
    if outer is None or outer.tag != _SEQUENCE:
        return None
    first = _element(outer.content)
    if first is not None and first.tag == _SEQUENCE:  # the algorithm, and then the key in a bit string
        bits = _element(first.rest)
        inner = _element(bits.content[1:]) if bits is not None and bits.tag == _BITS else None
        if inner is None or inner.tag != _SEQUENCE:
            return None
        first = _element(inner.content)
    if first is None or first.tag != _INTEGER or not first.content:
        return None
    exponent = _element(first.rest)
    if exponent is None or exponent.tag != _INTEGER:
        return None
    return int.from_bytes(first.content), int.from_bytes(exponent.content)


def rsa_bits(p: str) -> int | None:
    """The length of the modulus of an RSA key; None where p= holds none."""
    key = rsa_key(p)
    return key[0].bit_length() if key is not None else None


def same_key(one: str, other: str) -> bool:
    """Whether two p= hold one key, however it is written down."""
    if one == other:
        return True
    key = rsa_key(one)
    return (key is not None and key == rsa_key(other)) or raw_ed25519(one) == raw_ed25519(other)


def ed25519_fault(p: str) -> str:
    """What is wrong with an Ed25519 key, "" where nothing is."""
    raw = octets(p)
    if raw is not None and len(raw) == ED25519:
        return ""
    if raw is not None and raw.startswith(_ED25519_SPKI):
        return "a SubjectPublicKeyInfo, where the 32 octets of the key alone have to stand (RFC 8463)"
    return "no Ed25519 key of 32 octets"


def raw_ed25519(p: str) -> str:
    """The same key as RFC 8463 wants it, where it stands in a SubjectPublicKeyInfo; else as it is."""
    raw = octets(p) or b""
    return base64.b64encode(raw[len(_ED25519_SPKI) :]).decode("ascii") if raw.startswith(_ED25519_SPKI) else p
