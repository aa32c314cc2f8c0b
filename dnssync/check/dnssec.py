"""Whether answers about a name are protected by DNSSEC (RFC 4033 to 4035), and whether receivers that validate can use them."""

from __future__ import annotations

from dataclasses import dataclass

from dnssync.check.facts import Wish
from dnssync.check.judging import Check


@dataclass(frozen=True, slots=True)
class Validation:
    """What the system's resolver makes of an answer. `secure`: it says that it validated it (AD); `bogus`: it refuses what it gives out
    when asked not to check (CD). Neither: not signed, or the resolver does not validate. `note`: why it is bogus, as the resolver tells."""

    secure: bool
    bogus: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class Validated(Wish[Validation]):
    """Does the system's resolver validate what stands at an absolute name? That there is nothing can be validated too."""

    name: str
    type: str


CHECKS: tuple[Check, ...] = ()
