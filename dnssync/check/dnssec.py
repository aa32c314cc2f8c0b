"""DNSSEC (RFC 4033): whether the zones are signed, and whether the signatures hold."""

from __future__ import annotations

from dataclasses import dataclass

from dnssync.check.facts import Wish
from dnssync.check.judging import Check


@dataclass(frozen=True, slots=True)
class Validation:
    """What validation came to: `secure`, `bogus`, or neither (insecure)."""

    secure: bool
    bogus: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class Validated(Wish[Validation]):
    """Whether an RRset is secure (RFC 4033 §5)."""

    name: str
    type: str


CHECKS: tuple[Check, ...] = ()
