"""Certificates as data, from what a TLS session showed. With keystore.py the door to `cryptography`."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from dnssync.check.talking import Certificate

MOST = 20  # certificates of a chain that are looked at; a real one has two to four


def shown(session: ssl.SSLSocket) -> tuple[bytes, ...]:
    """What the server showed, its own certificate first."""
    return tuple(dict.fromkeys(der for der in (session.getpeercert(binary_form=True), *_behind(session)) if der))


def plain(chain: Sequence[bytes]) -> tuple[Certificate, ...]:
    """A server's own certificate, and behind it those that issued each other, in whatever order it sends them (RFC 8446 §4.4.2); () where
    its own cannot be read."""
    read = []
    for at, der in enumerate(chain[:MOST]):
        try:
            read.append(x509.load_der_x509_certificate(der))
        except ValueError:
            if at == 0:
                return ()
    found, left = read[:1], read[1:]
    while above := next((one for one in left if _issued(found[-1], one)), None):
        found.append(above)
        left.remove(above)
    try:
        return tuple(map(_data, found))
    except (ValueError, UnsupportedAlgorithm):
        return ()


def _behind(session: ssl.SSLSocket) -> Sequence[bytes]:
    """All that the server sent; Python 3.13 tells it, before that the object beneath does."""
    if hasattr(session, "get_unverified_chain"):
        return [bytes(der) for der in session.get_unverified_chain()]
    beneath: Any = getattr(session, "_sslobj", None)
    tell = getattr(beneath, "get_unverified_chain", None)
    if tell is None:
        return []
    return [ssl.PEM_cert_to_DER_cert(certificate.public_bytes()) for certificate in tell() or ()]


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    if certificate.issuer != issuer.subject or not hasattr(certificate, "verify_directly_issued_by"):
        return certificate.issuer == issuer.subject  # before cryptography 40 the names have to do
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    except UnsupportedAlgorithm:
        return True  # too old to be computed here; the names have to do
    return True


def _data(certificate: x509.Certificate) -> Certificate:
    key: Any = certificate.public_key()
    kind = type(key).__name__.removeprefix("_").removesuffix("PublicKey")
    try:
        digest = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        digest = None
    return Certificate(
        subject=_text(certificate.subject, NameOID.COMMON_NAME),
        issuer=_text(certificate.issuer, NameOID.ORGANIZATION_NAME) or _text(certificate.issuer, NameOID.COMMON_NAME),
        names=_names(certificate),
        not_before=_seconds(certificate, "not_valid_before"),
        not_after=_seconds(certificate, "not_valid_after"),
        self_signed=certificate.issuer == certificate.subject and _issued(certificate, certificate),
        key={"EllipticCurve": "EC"}.get(kind, kind),
        bits=int(getattr(key, "key_size", 0) or 0),
        hash=digest.name if digest is not None else "",
        der=certificate.public_bytes(Encoding.DER),
        spki=key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    )


def _seconds(certificate: x509.Certificate, which: str) -> int:
    """A time in seconds since 1970; before cryptography 42 it comes without its zone, which is UTC."""
    aware: datetime | None = getattr(certificate, f"{which}_utc", None)
    return int((aware or getattr(certificate, which).replace(tzinfo=UTC)).timestamp())


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        told = names.get_values_for_type(x509.DNSName)
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        told = []
    common = _text(certificate.subject, NameOID.COMMON_NAME)
    return tuple(dict.fromkeys(name.lower().rstrip(".") for name in told or ([common] if common else [])))


def _text(name: x509.Name, oid: x509.ObjectIdentifier) -> str:
    found = name.get_attributes_for_oid(oid)
    return str(found[0].value) if found else ""
