"""What a pass at which nobody looks on leaves to a person: a zone's first records, and a domain's first SPF and DMARC (design §4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnssync.core.model import Claim, Notice, Owner, Refusal
from dnssync.core.ownership import Ledger, claim_key, owned, same
from dnssync.core.plan import Intent
from dnssync.core.zone_view import Zone

if TYPE_CHECKING:
    from dnssync.core.observed import Observed, ZoneView


@dataclass(frozen=True, slots=True)
class Kept:
    """The claims that a pass goes on with, and what it has to tell of those that it leaves to a person."""

    claims: tuple[Claim, ...]
    notices: tuple[Notice, ...] = ()
    refusals: tuple[Refusal, ...] = ()


def kept(
    seen: Observed, view: ZoneView, claims: tuple[Claim, ...], found: Zone, ledger: Ledger, new: Sequence[Intent]
) -> Kept:
    """All claims where a person looks on. Where nobody does: of a zone in which no person ever applied anything, none, and it is
    refused; else all but those of a domain that had no SPF (or DMARC) of ours at that provider before, unless it shows them as they should be:
    one that joins a zone may hold another record than the others, and what is merged with it is another one.

    `new`: the keys that would be made. A person has applied where the ledger holds something of the zone, where values were given
    to somebody to enter, or where there is a key that dnssync made.
    """
    if seen.attended:
        return Kept(claims)
    had = {(applied.domain, owner) for (_, _, owner), applied in ledger.items()}
    agreed = {value for values in view.agreed.values() for value in values}
    if not (
        any(view.ledger.values()) or agreed or any(not key.adopted and key.domain in view.domains for key in seen.keys)
    ):
        told = (
            f"{view.zone}: dnssync has published nothing there yet, and a zone's first records are for a person to look at. Run: "
            f"dnssync apply {view.zone}"
        )
        return Kept(claims, (), (Refusal("first_apply", told),) if claims or new else ())

    def first(claim: Claim) -> bool:
        if claim.owner not in (Owner.SPF, Owner.DMARC) or claim.value is None or (claim.domain, claim.owner) in had:
            return False
        if (*claim_key(claim), claim.value) in agreed:
            return False
        stands = owned(found.get(claim.key), claim.owner)
        return not any(same(claim.owner, value.text, claim.value, claim.domain) for value in stands)

    left = tuple(filter(first, claims))
    if not left:
        return Kept(claims)
    told = f"the first SPF or DMARC record of a domain is for a person to look at, so it is not written. Run: dnssync apply {view.zone}"
    names = dict.fromkeys(claim.domain for claim in left)
    return Kept(
        tuple(claim for claim in claims if claim not in left),
        tuple(Notice("first_record", f"{name}: {told}") for name in names),
    )
