"""What a provider cannot carry through a write: refused before anything is written, rather than met half-way."""

from __future__ import annotations

from collections.abc import Collection

from dnssync.core.model import Claim, Foreign, Limits, Refusal, absolute
from dnssync.core.ownership import foreign
from dnssync.core.plan import Plan


def not_carried(limits: Limits, plan: Plan, claims: Collection[Claim]) -> list[Refusal]:
    """Changes of RRsets that hold values of others which this provider might lose or alter, and texts that it cannot hold."""
    owners = {claim.key: claim.owner for claim in claims}
    told = []
    for change in plan.changes if limits.foreign is not Foreign.ANY else ():
        owner = owners.get((change.name, change.type))
        others = foreign(change.old, owner) if owner is not None and change.new is not None else ()
        where, keeper = (
            f"{absolute(change.name, plan.zone)} {change.type}",
            f"{plan.provider} (or another provider of the zone)",
        )
        if others and limits.foreign is Foreign.NONE:
            told.append(Refusal("shared_rrset", f"{where}: holds values of others, and {keeper} may lose them: it takes the whole "
                                "record out and puts it in again, and where the second step fails, all of it is gone. Use a provider of "
                                "dnssync's own for the zone, or set `unsafe_updates: true` for this one."))  # fmt: skip
        hard = [value.text for value in others if not value.plain]
        if hard and limits.foreign is Foreign.PLAIN:
            told.append(Refusal("foreign_not_plain", f"{where}: holds {hard[0][:60]!a}, which {keeper} may alter when it writes the "
                                "record: quotes, backslashes, other than ASCII or more than one string get lost between octodns' plug-ins "
                                "and an API. Use a provider of dnssync's own for the zone, or change this record by hand."))  # fmt: skip
    for claim in claims:
        octets = len((claim.value or "").encode("utf-8", "surrogateescape"))
        if octets > limits.txt and any((change.name, change.type) == claim.key for change in plan.changes):
            told.append(Refusal("too_long", f"{absolute(claim.name, plan.zone)} {claim.type}: the text has {octets} octets, and {plan.provider} (or another "
                                f"provider of the zone) holds {limits.txt}. Make it shorter, or take that provider out."))  # fmt: skip
    return told
