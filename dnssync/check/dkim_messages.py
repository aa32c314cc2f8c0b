"""Test messages that exim signed, read as a receiver reads them: which signatures they carry, whether each verifies, what is aligned."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import getaddresses
from enum import StrEnum

from dnssync.check.facts import Unanswered, Wish
from dnssync.core.dkim import record_name
from dnssync.core.model import zone_of

_SILENT = logging.Logger(
    "dkimpy", logging.CRITICAL + 1
)  # dkimpy tells a log of its own about each key that it cannot read


class Shape(StrEnum):
    """What kind of message it is; each is known to be lost by some way of writing dkim_domain."""

    PLAIN = "plain"
    ENCODED = "encoded"  # From: has an encoded name that decodes to a comma
    BELOW = "sub-domain"  # From: a sub-domain
    LIST = "list post"  # From: the domain, the envelope sender is that of a list elsewhere
    BOUNCE = "bounce"  # no envelope sender


@dataclass(frozen=True, slots=True)
class Made:
    """One test message. `data`: as it left, None = it did not; `log`: what exim logged of it; `waits`: exim took it, and could not
    send it."""

    shape: Shape
    transport: str
    data: bytes | None = None
    log: tuple[str, ...] = ()
    waits: bool = False


@dataclass(frozen=True, slots=True)
class SignedMail:
    """What exim made for a domain. `own_user`: exim ran as its own user, as ever, so that a key which it cannot open is one that it can never open.
    `left_out`: what could not be carried over, `transport: option`; `plain_only`: there are too many domains for all shapes."""

    messages: tuple[Made, ...]
    own_user: bool = True
    left_out: tuple[str, ...] = ()
    plain_only: bool = False


@dataclass(frozen=True, slots=True)
class Signed(Wish[SignedMail]):
    """Have exim make and sign test messages for a domain, on each of its smtp `transports`; none leaves the host."""

    domain: str
    transports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Signature:
    """A DKIM-Signature field (RFC 6376 §3.5): its place among them, from 0, and its tags."""

    index: int
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def domain(self) -> str:
        """d=, in lower case."""
        return self.tags.get("d", "").lower().rstrip(".")

    @property
    def selector(self) -> str:
        """s=."""
        return self.tags.get("s", "")

    @property
    def record(self) -> str:
        """The name of its key record."""
        return record_name(self.selector, self.domain)

    @property
    def identity(self) -> str:
        """The domain of i=, which is d= where it is not there."""
        return self.tags.get("i", "").rpartition("@")[2].lower().rstrip(".") or self.domain


def _headers(data: bytes) -> list[tuple[str, str]]:
    """The header fields, names in lower case, unfolded."""
    head = data.split(b"\r\n\r\n", 1)[0].decode("utf-8", "replace")
    fields = re.sub(r"\r\n(?=[ \t])", "", head).split("\r\n")
    return [(name.strip().lower(), value.strip()) for name, _, value in (text.partition(":") for text in fields)]


def signatures(data: bytes) -> tuple[Signature, ...]:
    """The signatures of a message, in order."""
    found = [value for name, value in _headers(data) if name == "dkim-signature"]
    return tuple(Signature(number, _tags(value)) for number, value in enumerate(found))


def _tags(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip(): re.sub(r"\s+", "", value) for name, equals, value in pairs if equals}


def author(data: bytes) -> str:
    """The domain of From: as it left, "" where there is none."""
    texts = [value for name, value in _headers(data) if name == "from"]
    return next((address.rpartition("@")[2].lower() for _, address in getaddresses(texts) if "@" in address), "")


def aligned(signing: str, author: str, zones: frozenset[str]) -> bool:
    """Whether d= and the domain of From: are one, or one below the other, or lie in one of our zones: relaxed alignment, as far as it can be said
    without asking for the organizational domain."""
    same = zone_of(signing, zones)
    related = signing == author or signing.endswith("." + author) or author.endswith("." + signing)
    return related or (same is not None and same == zone_of(author, zones))


def fault(data: bytes, signature: Signature, record: str) -> str:
    """Why a verifier refuses the signature with this key record, "" where it does not. Raises `Unanswered` where it cannot say."""
    import dkim

    def text(name: bytes, timeout: int = 5) -> bytes:
        return record.encode("utf-8", "surrogateescape")

    try:
        verified = dkim.DKIM(data, minkey=1024, logger=_SILENT).verify(idx=signature.index, dnsfunc=text)
    except dkim.NaClNotFoundError:
        raise Unanswered("An Ed25519 signature cannot be verified here: PyNaCl is not installed") from None
    except dkim.DKIMException as error:
        return str(error) or type(error).__name__
    except Exception as error:  # a verifier that other people wrote, and an odd record: no proof of anything
        raise Unanswered(
            f"The signature with {signature.record} could not be verified ({type(error).__name__})"
        ) from None
    return "" if verified else "the signature does not match the message under this key"
