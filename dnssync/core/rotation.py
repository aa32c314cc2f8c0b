"""The life of a DKIM key: stamps in, one step out. `advance` is the only place that moves a key on.

         seen twice on all servers   season over       no other key is active, this one VISIBLE now
  GENERATED ────────────────────▶ PUBLISHED ─▶ READY ──────────────────────▶ ACTIVE

A phase is computed from the stamps and the moment, never stored. A stamp is written after its effect was seen; a late
one only makes us more patient. PARTIAL, OTHER or ABSENT takes `seen` and `published` back, never the record; UNKNOWN
changes nothing. Each (domain, kind) is a key set of its own: a stuck Ed25519 key never holds RSA up.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from dnssync.core.model import KeyPair, Phase, Step
from dnssync.core.sighting import Sight

MINUTE, HOUR, DAY = 60, 3600, 86400
MARGIN = 10 * MINUTE
FOREIGN_QUEUES = 5 * DAY  # RFC 5321 §4.5.4.1: give-up time is at least 4–5 days
JITTER = 0.2


@dataclass(frozen=True, slots=True)
class Policy:
    """Durations in seconds: `lifetime` from activation, `gap` between the two looks that make a sighting, `revoke` how long
    an empty p= stands before the record goes, `retry` after which something that is pending is looked at again."""

    lifetime: int = 90 * DAY
    gap: int = MINUTE
    revoke: int = 7 * DAY
    retry: int = 15 * MINUTE


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen of one key set. `signing`: the selectors that the probe saw exim use, None = it could not tell.
    `readable`: selectors whose private half exim can read and that matches. `season`, `overlap`: seconds, as derived
    now; a key keeps the longest it ever had."""

    sights: Mapping[str, Sight] = field(default_factory=dict)
    signing: frozenset[str] | None = None
    readable: frozenset[str] = frozenset()
    season: int = HOUR + MARGIN
    overlap: int = FOREIGN_QUEUES + DAY


def phase(key: KeyPair, policy: Policy, now: int) -> Phase:
    """Where a key stands at a moment."""
    if key.removed is not None:
        return Phase.REMOVED
    if key.revoked is not None:
        return Phase.REVOKED
    if key.retired is not None:
        return Phase.DUE if now >= key.retired + key.overlap else Phase.RETIRED
    if key.activated is not None:
        return Phase.ACTIVE
    if key.published is not None:
        return Phase.READY if now >= key.published + key.season else Phase.PUBLISHED
    return Phase.GENERATED


def season(negative_ttl: int | None, previous_ttl: int | None) -> tuple[int, str]:
    """How long a new record must have stood before exim may sign with it, in seconds, and why.

    Resolvers may hold the answer "there is none" for the zone's negative TTL (RFC 2308 §5), or what stood there before.
    """
    negative = min(negative_ttl, DAY) if negative_ttl is not None else HOUR
    longest = max(negative, previous_ttl or 0, HOUR)
    source = "the zone's negative TTL" if longest == negative and negative > HOUR else "one hour at least"
    if previous_ttl and longest == previous_ttl:
        source = "the TTL of what stood there"
    return longest + MARGIN, f"{duration(longest)} ({source}) and {duration(MARGIN)} of margin"


def overlap(expires: int | None, retry_cutoff: int, ttl: int) -> tuple[int, str]:
    """How long a retired key's record stays, in seconds, and why: every message it signed must have arrived."""
    rows = [
        (expires or 0, "the x= of its signatures"),
        (FOREIGN_QUEUES, "the queues of other servers"),
        (retry_cutoff, "exim's longest retry"),
        (ttl, "the record's TTL"),
    ]
    longest, source = max(rows)
    return longest + DAY, f"{duration(longest)} ({source}) and {duration(DAY)} of margin"


def due(key: KeyPair, policy: Policy) -> int | None:
    """When an active key has served its time; shortened by up to a fifth by a hash of its name, so that ten thousand
    keys born on one day do not fall due on one day. None where it does not sign yet."""
    if key.activated is None:
        return None
    digest = hashlib.sha256(f"{key.selector}.{key.domain}".encode()).digest()
    share = int.from_bytes(digest[:4], "big") / 2**32 * JITTER
    return key.activated + int(policy.lifetime * (1 - share))


def published_keys(keys: tuple[KeyPair, ...], policy: Policy, now: int) -> tuple[KeyPair, ...]:
    """The keys whose records DNS must hold: from the moment they exist until they were seen gone."""
    return tuple(key for key in keys if phase(key, policy, now) is not Phase.REMOVED)


def advance(keys: tuple[KeyPair, ...], policy: Policy, now: int, seen: Observation, *, algorithm: str) -> Step:
    """One step of one key set (one domain, one kind); pure.

    Returns the keys with new stamps, the algorithms of keys to make, the selectors exim shall sign with, when to look
    again, and one sentence why.
    """
    stamped = tuple(_stamp(key, policy, now, seen) for key in keys)
    phases = {key.selector: phase(key, policy, now) for key in stamped}
    active = [key for key in stamped if phases[key.selector] is Phase.ACTIVE]
    coming = [k for k in stamped if phases[k.selector] in (Phase.GENERATED, Phase.PUBLISHED, Phase.READY)]
    usable = [
        key
        for key in coming
        if phases[key.selector] is Phase.READY
        and seen.sights.get(key.selector) is Sight.VISIBLE
        and key.selector in seen.readable
    ]
    healthy = [key for key in active if key.selector in seen.readable]
    if healthy:
        sign = (healthy[-1].selector,)
        return Step(stamped, (), sign, _later(due(healthy[-1], policy), policy, now), _since(healthy[-1]))
    if active:
        return _lost(stamped, active[-1], usable, phases, policy, now, seen, algorithm)
    if usable:
        sign = (usable[0].selector,)
        if seen.signing is not None and usable[0].selector in seen.signing:
            stamped = tuple(replace(k, activated=now) if k is usable[0] else k for k in stamped)
            return Step(stamped, (), sign, now + policy.lifetime, f"exim signs with {sign[0]}")
        return Step(stamped, (), sign, now + policy.gap, f"{sign[0]} is ready: exim's map names it, the next pass looks "
                    "whether exim signs with it")  # fmt: skip
    if coming:
        return _waiting(stamped, coming[0], phases[coming[0].selector], policy, now, seen)
    return Step(stamped, (algorithm,), (), now + policy.gap, f"there is no {algorithm} key yet")


def _stamp(key: KeyPair, policy: Policy, now: int, seen: Observation) -> KeyPair:
    """The sighting stamps of one key, and its durations, which only grow."""
    grown = replace(key, season=max(key.season, 0 if key.adopted else seen.season), overlap=max(key.overlap, seen.overlap))
    if key.activated is not None:
        return grown
    look = seen.sights.get(key.selector, Sight.UNKNOWN)
    if look is Sight.UNKNOWN:
        return grown
    if look is not Sight.VISIBLE:
        return replace(grown, seen=None, published=None)
    if grown.seen is None or grown.seen > now:
        return replace(grown, seen=now, published=None)
    if grown.published is None and now >= grown.seen + policy.gap:
        return replace(grown, published=now)
    return grown


def _lost(
    keys: tuple[KeyPair, ...],
    active: KeyPair,
    usable: list[KeyPair],
    phases: Mapping[str, Phase],
    policy: Policy,
    now: int,
    seen: Observation,
    algorithm: str,
) -> Step:
    """The private half of the active key cannot be used: sign with another that receivers can see, and make a new one."""
    retired = [
        key
        for key in keys
        if phases[key.selector] is Phase.RETIRED
        and seen.sights.get(key.selector) is Sight.VISIBLE
        and key.selector in seen.readable
    ]
    what = f"the private key of {active.selector} cannot be read or does not match"
    for spare in (*usable, *retired):
        return Step(keys, (), (spare.selector,), now + policy.gap, f"{what}; {spare.selector} takes over")
    fresh = any(phases[key.selector] in (Phase.GENERATED, Phase.PUBLISHED, Phase.READY) for key in keys)
    made = () if fresh or not algorithm else (algorithm,)
    return Step(keys, made, (), now + policy.retry, f"{what} and no other key can sign yet; a new one is on its way")


def _waiting(
    keys: tuple[KeyPair, ...], key: KeyPair, at: Phase, policy: Policy, now: int, seen: Observation
) -> Step:
    look = seen.sights.get(key.selector, Sight.UNKNOWN)
    name = key.selector
    if at is Phase.PUBLISHED:
        ready = (key.published or now) + key.season
        why = f"{name} stands on all name servers; resolvers may still believe that it does not, until {moment(ready)}"
        return Step(keys, (), (), max(ready, now + 1), why)
    if at is Phase.READY:
        why = f"{name} is ready, but " + (
            "not all name servers show its record now" if key.selector in seen.readable else "its private key cannot be read"
        )
        return Step(keys, (), (), now + policy.retry, why)
    if key.seen is not None:
        return Step(keys, (), (), max(key.seen + policy.gap, now + 1), f"{name} was seen once; a second look confirms it")
    words = {
        Sight.UNKNOWN: "not all name servers have answered for it yet",
        Sight.ABSENT: "no name server shows it yet",
        Sight.PARTIAL: "some name servers do not show it yet",
        Sight.OTHER: "name servers show another text there",
        Sight.VISIBLE: "it stands on all name servers",
    }
    return Step(keys, (), (), now + policy.gap, f"{name} is made and claimed in DNS; {words[look]}")


def _later(moment_: int | None, policy: Policy, now: int) -> int | None:
    return None if moment_ is None else max(moment_, now + policy.retry)


def _since(key: KeyPair) -> str:
    return f"exim signs with {key.selector} since {moment(key.activated or 0)}"


# --- names and words ----------------------------------------------------------------------------------------------


def host_id(hostname: str) -> str:
    """The part of a selector that tells hosts apart: the first label of the host's name, LDH, at most 20 octets."""
    label = re.sub(r"[^a-z0-9]+", "-", hostname.lower().partition(".")[0]).strip("-")[:20].strip("-")
    return label or "host"


def selector(now: int, kind: str, host: str, token: str) -> str:
    """A name that is never used twice: `20261124r-mx1-7f3a`. `host` as `host_id` gives it, `token` random LDH."""
    day = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d")
    return f"{day}{'e' if kind == 'ed25519' else 'r'}-{host}-{token}"[:63]


def moment(seconds: int) -> str:
    """A time for people: `2026-11-24 08:20 UTC`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def duration(seconds: int) -> str:
    """A duration for people, in its largest even unit: `90 d`, `36 h`, `10 min`, `45 s`."""
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s" if seconds < HOUR else f"{round(seconds / HOUR, 1):g} h"
