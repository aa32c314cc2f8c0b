"""The life of a DKIM key: stamps in, one step out. `advance` is the only place that moves a key on.

         seen twice on all servers   season over      nothing else signs, or it is due; VISIBLE now
  GENERATED ────────────────────▶ PUBLISHED ─▶ READY ──────────────────────▶ ACTIVE ─────▶ RETIRED
                                                     the probe saw exim use it  the probe saw its successor alone

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
COMING = frozenset({Phase.GENERATED, Phase.PUBLISHED, Phase.READY})
SERVING = COMING | {Phase.ACTIVE}  # whose private half is missed where it is lost: it signs, or will


@dataclass(frozen=True, slots=True)
class Policy:
    """Durations in seconds: `lifetime` from activation, `gap` between the two looks that make a sighting, `retry` after
    which something that is stuck is looked at again."""

    lifetime: int = 90 * DAY
    gap: int = MINUTE
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

    Resolvers may hold the answer "there is none" for the zone's negative TTL (RFC 2308 §5; more than a day is more than
    any of them keeps), or what stood there before for its TTL.
    """
    rows = [
        (HOUR, "an hour at least"),
        (min(negative_ttl or 0, DAY), "the zone's negative TTL"),
        (previous_ttl or 0, "the TTL of what stood there"),
    ]
    longest, source = max(rows, key=lambda row: row[0])
    return longest + MARGIN, f"{duration(longest)} ({source}) and {duration(MARGIN)} of margin"


def overlap(expires: int | None, retry_cutoff: int, ttl: int) -> tuple[int, str]:
    """How long a retired key's record stays, in seconds, and why: every message it signed must have arrived."""
    rows = [
        (FOREIGN_QUEUES, "the queues of other servers"),
        (expires or 0, "the x= of its signatures"),
        (retry_cutoff, "exim's longest retry"),
        (ttl, "the record's TTL"),
    ]
    longest, source = max(rows, key=lambda row: row[0])
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

    Returns the keys with new stamps, the algorithms of keys to make, the selectors exim shall sign with (none = what is
    there stays), when to look again, and one sentence why. `algorithm` "" makes no key.
    """
    keys = _retire(tuple(_stamp(key, policy, now, seen) for key in keys), now, seen)
    phases = {key.selector: phase(key, policy, now) for key in keys}
    coming = [key for key in keys if phases[key.selector] in COMING]
    active = sorted(
        (k for k in keys if phases[k.selector] is Phase.ACTIVE), key=lambda k: (k.activated or 0, k.selector)
    )
    usable = {k.selector for k in keys if k.selector in seen.readable and seen.sights.get(k.selector) is Sight.VISIBLE}
    ready = [key for key in coming if phases[key.selector] is Phase.READY and key.selector in usable]
    current = next((key for key in reversed(active) if key.selector in seen.readable), None)
    # Keys that were taken on together, since exim signed with all of them, go on together until their successor signs.
    beside = [k for k in active if current and k.activated == current.activated and _signs_too(k, current, seen)]
    lost = bool(active) and active[-1] is not current
    until = due(current, policy) if current else None
    # A key that lost its private half before it ever signed is replaced, once: where two cannot be read, the fault is
    # the disk's or the modes', and making ever more keys no remedy.
    hopeful = len(coming) > 1 or any(key.selector in seen.readable for key in coming)
    make = (algorithm,) if algorithm and not hopeful and (lost or not active) else ()

    if ready and (lost or until is None or until <= now):
        name = ready[0].selector
        why = f"{name} is ready: exim's map names it, and the next pass looks whether exim signs with it"
        return Step(keys, (), (name,), now + policy.gap, why)
    waits = [_wait(key, phases[key.selector], policy, now, seen) for key in coming if key not in ready]
    if make:
        waits.append((now + policy.gap, f"a new {algorithm} key is made"))
    if until is not None and until > now:
        waits.append((until, ""))
    words = [why for _, why in sorted(waits) if why]
    if current:
        names = " and ".join(key.selector for key in (*beside, current))
        words.insert(0, f"exim signs with {names} since {moment(current.activated or 0)}")
    spare = current or (_retired(keys, phases, usable) if lost else None)
    if lost:
        sentence = f"the private key of {active[-1].selector} is missing, unreadable for exim or does not match"
        words = [sentence, f"{spare.selector} signs in its place" if spare else "no other key can sign yet", *words]
        waits.append((now + policy.retry, ""))
    wake = min((at for at, _ in waits), default=None)
    sign = tuple(key.selector for key in (*beside, *([spare] if spare else [])))
    return Step(keys, make, sign, wake, "; ".join(words) or "nothing is to be done")


def _signs_too(key: KeyPair, current: KeyPair, seen: Observation) -> bool:
    """Whether exim signs with this key beside the current one, and can go on doing so."""
    signing = seen.signing is None or key.selector in seen.signing
    return key is not current and signing and key.selector in seen.readable


def _stamp(key: KeyPair, policy: Policy, now: int, seen: Observation) -> KeyPair:
    """The stamps that this look at one key earns or costs it, and its durations, which only grow."""
    if key.removed is not None:
        return key
    signs = seen.signing is not None and key.selector in seen.signing
    grown = replace(key, overlap=max(key.overlap, seen.overlap))
    if key.activated is not None:
        # A retired key that exim signs with again is not retired, whatever brought it back.
        return replace(grown, retired=None) if signs and key.revoked is None else grown
    if signs and phase(key, policy, now) is Phase.READY:
        return replace(grown, activated=now)
    grown = replace(grown, season=max(key.season, seen.season))
    look = seen.sights.get(key.selector, Sight.UNKNOWN)
    if look is Sight.UNKNOWN:
        return grown
    if look is not Sight.VISIBLE:
        return replace(grown, seen=None, published=None)
    if key.seen is None or max(key.seen, key.published or 0) > now:  # in the future: the clock went back
        return replace(grown, seen=now, published=None)
    if key.published is None and now >= key.seen + policy.gap:
        return replace(grown, published=now)
    return grown


def _retire(keys: tuple[KeyPair, ...], now: int, seen: Observation) -> tuple[KeyPair, ...]:
    """Retire what exim signs with no more, once it was seen to sign with a key that was activated later."""
    signing = seen.signing or frozenset()
    proven = max((key.activated or 0 for key in keys if key.selector in signing), default=0)
    return tuple(
        replace(key, retired=now)
        if key.retired is None and key.selector not in signing and 0 < (key.activated or 0) < proven
        else key
        for key in keys
    )


def _retired(keys: tuple[KeyPair, ...], phases: Mapping[str, Phase], usable: set[str]) -> KeyPair | None:
    """The key that signed last and whose record receivers can still find."""
    past = [k for k in keys if phases[k.selector] is Phase.RETIRED and k.selector in usable]
    return max(past, key=lambda key: (key.retired or 0, key.selector), default=None)


def _wait(key: KeyPair, at: Phase, policy: Policy, now: int, seen: Observation) -> tuple[int, str]:
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


# --- names and words ----------------------------------------------------------------------------------------------


def host_id(hostname: str) -> str:
    """The part of a selector that tells hosts apart: the first label of the host's name, LDH, at most 20 octets."""
    label = re.sub(r"[^a-z0-9]+", "-", hostname.lower().partition(".")[0]).strip("-")[:20].strip("-")
    return label or "host"


def selector(now: int, kind: str, host: str, token: str) -> str:
    """A name that is never used twice: `20261124r-mx1-7f3a`. `host` as `host_id` gives it, `token` a few random LDH
    characters; together at most 63 octets (RFC 1035 §2.3.4)."""
    day = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d")
    return f"{day}{'e' if kind == 'ed25519' else 'r'}-{host}-{token}"


def moment(seconds: int) -> str:
    """A time for people: `2026-11-24 08:20 UTC`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def duration(seconds: int) -> str:
    """A duration for people, in its largest even unit: `90 d`, `36 h`, `10 min`, `45 s`."""
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s" if seconds < HOUR else f"{round(seconds / HOUR, 1):g} h"
