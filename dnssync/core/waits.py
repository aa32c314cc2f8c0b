"""When a key that signs not yet, or no more, is to be looked at again, and one sentence why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnssync.core.durations import moment
from dnssync.core.model import KeyPair, Phase
from dnssync.core.sighting import Sight

if TYPE_CHECKING:
    from dnssync.core.rotation import Observation, Policy


def proof(key: KeyPair, policy: Policy, now: int, seen: Observation) -> int:
    """When to look whether exim signs with a key: soon after the map names it; where it does already, and exim did not, that may
    take weeks."""
    return now + (policy.retry if key.selector in seen.named else policy.gap)


def end(key: KeyPair, at: Phase, policy: Policy, now: int) -> int | None:
    """When a key that signs no more is to be looked at again."""
    if at is Phase.RETIRED:
        return max((key.retired or 0) + key.overlap, now + policy.gap)
    if at is Phase.REVOKED:
        return max((key.revoked or 0) + policy.revoke, now + policy.gap)
    return now + policy.retry if at in (Phase.DUE, Phase.ENDED) else None


def wait(key: KeyPair, at: Phase, policy: Policy, now: int, seen: Observation) -> tuple[int, str]:
    """What a key that cannot sign yet waits for: when to look again, and one sentence."""
    look = seen.sights.get(key.selector)
    name = key.selector
    # The longer it has been waiting, the rarer the looks: a tenth of its age.
    later = now + min(max(policy.gap, (now - key.generated) // 10), policy.retry)
    if at is Phase.PUBLISHED and key.published is not None:
        ready = key.published + key.season
        return ready, (
            f"{name} stands on all name servers and waits until {moment(ready)}: until then resolvers may still hold "
            "the answer that it does not exist"
        )
    if key.selector not in seen.readable:
        return later, f"{name} cannot sign: its private key is missing, unreadable for exim or does not match"
    if at is Phase.READY:
        return later, f"{name} is ready, but not all name servers have answered for it just now"
    if key.seen is not None:
        second = key.seen + policy.gap
        return second if second > now else later, f"{name} was seen once on all name servers; a second look confirms it"
    words: dict[Sight | None, str] = {
        Sight.UNKNOWN: "not all name servers have answered for it yet",
        Sight.ABSENT: "no name server shows it",
        Sight.PARTIAL: "some name servers do not show it",
        Sight.OTHER: "name servers show another text there",
    }
    told = words.get(look, "the next pass looks whether all name servers show it")
    return later, f"{name} is made and claimed in DNS; {told}"
