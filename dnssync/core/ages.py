"""How old keys are, as numbers: when one came into its phase, how much of its time is over, and which rotation is late."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from dnssync.core.model import KeyPair, Phase
from dnssync.core.rotation import Policy, due, phase

FIRST, SECOND, OVER = AGES = ("first_half", "second_half", "over")


def entered(key: KeyPair, policy: Policy, now: int) -> int:
    """When a key came into the phase in which it is now, in seconds since 1970. One that was taken back to the beginning, since its
    record was missing, has been there since it was made."""
    at = phase(key, policy, now)
    if at is Phase.READY and key.published is not None:
        return key.published + key.season
    if at is Phase.DUE and key.retired is not None:
        over = key.retired + key.overlap
        return over if key.compromised is None else min(over, max(key.retired, key.compromised))
    if at is Phase.ENDED and key.revoked is not None:
        return key.revoked + policy.revoke
    stamps = (key.removed, key.revoked, key.retired, key.activated, key.published)
    return next((stamp for stamp in stamps if stamp is not None), key.generated)


def age(key: KeyPair, policy: Policy, now: int) -> str | None:
    """How much of its time is over, of a key that signs: one of `AGES`; None for any other. `OVER`: another one is to take its place."""
    until = due(key, policy)
    if until is None or key.activated is None or phase(key, policy, now) is not Phase.ACTIVE:
        return None
    return OVER if now >= until else FIRST if now - key.activated < (until - key.activated) / 2 else SECOND


def overdue(keys: Iterable[KeyPair], policy_of: Callable[[KeyPair], Policy], now: int) -> int | None:
    """When that key's time was over which signs on though its time has been over for longest; None where there is none.

    Of the keys of one set that sign, the one that began last counts: the others go when its successor comes.
    """
    newest: dict[tuple[str, str], KeyPair] = {}
    for key in sorted(keys, key=lambda key: (key.activated or 0, key.selector)):
        if phase(key, policy_of(key), now) is Phase.ACTIVE:
            newest[key.domain, key.kind] = key
    ends = (due(key, policy_of(key)) for key in newest.values())
    return min((end for end in ends if end is not None and end <= now), default=None)
