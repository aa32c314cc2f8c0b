"""The life of a DKIM key: stamps in, one step out. `advance` is the only place that moves a key on.

         seen twice on all servers   season over      nothing else signs, or it is due; VISIBLE now
  GENERATED ────────────────────▶ PUBLISHED ─▶ READY ──────────────────────▶ ACTIVE ──────────────┐
      ▲                               │          │ standby        the probe saw exim use it       │ the probe saw
      └───────────────────────────────┴──────────┘ missing anywhere                               ▼ its successor alone
  REMOVED ◀─ gone everywhere ─ ENDED ◀─ 7 d ─ REVOKED ◀─ p= seen everywhere ─ DUE ◀─ overlap over ─ RETIRED

A phase is computed from the stamps and the moment, never stored. A stamp is written after its effect was seen; a late
one only makes us more patient. PARTIAL, OTHER or ABSENT takes `seen` and `published` back, never the record; UNKNOWN
changes nothing. Each (domain, kind) is a key set of its own: a stuck Ed25519 key never holds RSA up. Each set has one key that
is coming, so that it is READY when it is needed. A person's word is a stamp too: `called` is a lifetime that is over at once,
`compromised` one without an overlap, `recalled` the way back to a key that has retired.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from dnssync.core import dkim
from dnssync.core import waits as waits_of
from dnssync.core.durations import DAY, FOREIGN_QUEUES, HOUR, MARGIN, MINUTE, moment, share
from dnssync.core.model import KeyPair, Phase, Step
from dnssync.core.sighting import Sight

JITTER = 0.2
COMING = frozenset({Phase.GENERATED, Phase.PUBLISHED, Phase.READY})
GIVEN_UP = 7 * DAY  # private halves that are missing for so long are purged: an old state was restored
SERVING = COMING | {Phase.ACTIVE}  # whose private half is missed where it is lost: it signs, or will
PAST = frozenset({Phase.DUE, Phase.REVOKED, Phase.ENDED, Phase.REMOVED})  # whose signatures nobody verifies any more


@dataclass(frozen=True, slots=True)
class Policy:
    """Durations in seconds: `lifetime` from activation, `revoke` for which the empty p= stands, `gap` between the two looks
    that make a sighting, `retry` after which something that is stuck is looked at again."""

    lifetime: int = 90 * DAY
    revoke: int = 7 * DAY
    gap: int = MINUTE
    retry: int = 15 * MINUTE


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen of one key set. `signing`: the selectors that the probe saw exim use, None = it could not tell.
    `sights`: how DNS looks beside what it should hold (`text`). `readable`: selectors whose private half exim can read and
    that matches. `season`, `overlap`: seconds, as derived now, and why; a key keeps the longest it ever had. `trusted`: whether the
    clock is; without that nothing ends. `left`: no key of this set is wanted any more, and exim's map names none. `named`: the selectors
    in the map as it was found: whether mail left with them, only the probe can tell."""

    sights: Mapping[str, Sight] = field(default_factory=dict)
    signing: frozenset[str] | None = None
    readable: frozenset[str] = frozenset()
    season: int = HOUR + MARGIN
    overlap: int = FOREIGN_QUEUES + DAY
    season_because: str = ""
    overlap_because: str = ""
    trusted: bool = True
    left: bool = False
    named: frozenset[str] = frozenset()


# A sighting of these takes the providers' own readings: what a name server shows may be about to go, or not be everywhere yet.
BY_READING = frozenset({Phase.GENERATED, Phase.PUBLISHED, Phase.DUE, Phase.ENDED})


def phase(key: KeyPair, policy: Policy, now: int) -> Phase:
    """Where a key stands at a moment."""
    if key.removed is not None:
        return Phase.REMOVED
    if key.revoked is not None:
        return Phase.ENDED if now >= key.revoked + policy.revoke else Phase.REVOKED
    if key.retired is not None:
        over = key.compromised is not None or now >= key.retired + key.overlap
        return Phase.DUE if over else Phase.RETIRED
    if key.activated is not None:
        return Phase.ACTIVE
    if key.published is not None:
        return Phase.READY if now >= key.published + key.season else Phase.PUBLISHED
    return Phase.GENERATED


def text(key: KeyPair, at: Phase) -> str | None:
    """What a key's record says in a phase: the key, or the empty p= of a revoked one (RFC 6376 §3.6.1); None: no record."""
    if at in (Phase.ENDED, Phase.REMOVED):
        return None
    return dkim.REVOKED if at in PAST else dkim.record_for(key)


def due(key: KeyPair, policy: Policy) -> int | None:
    """When an active key has served its time; shortened by up to a fifth by a hash of its name, so that ten thousand
    keys born on one day do not fall due on one day; or when a person said so. None where it does not sign yet."""
    if key.activated is None:
        return None
    sooner = share(f"{key.selector}.{key.domain}") * JITTER
    served = max(key.activated, key.recalled or 0) + int(policy.lifetime * (1 - sooner))
    return min(at for at in (served, key.called, key.compromised) if at is not None)


def claimed_keys(
    keys: tuple[KeyPair, ...],
    policy: Policy,
    now: int,
    trusted: bool = True,
    named: Callable[[KeyPair], bool] = lambda key: False,
) -> tuple[KeyPair, ...]:
    """The keys whose records are ours to keep: from the moment they exist until they were seen gone. While the clock is not
    trusted, what it says has come to its end is left as it is; and so is, in any case, what exim's map names (`named`)."""
    kept = []
    for key in keys:
        at = phase(key, policy, now)
        ending = at in (Phase.DUE, Phase.ENDED)
        held = named(key) or (not trusted and key.compromised is None)
        if at is not Phase.REMOVED and not (ending and held):
            kept.append(key)
    return tuple(kept)


def rebased(
    keys: tuple[KeyPair, ...], policy: Policy, before: int, now: int, *, restarted: bool = False
) -> tuple[KeyPair, ...]:
    """The keys after the clock jumped, from `before` to `now`: every wait that was running begins anew, since how much of it is
    over is not known, what was ready stays so, and no stamp lies in the future. After a mere restart only seasons begin anew: they
    have no margin for hours that nobody counted."""
    waits = {
        Phase.PUBLISHED: "published",
        **({} if restarted else {Phase.RETIRED: "retired", Phase.REVOKED: "revoked"}),
    }
    fresh = []
    for key in keys:
        stamps = {
            name: min(at, now)
            for name in ("generated", "seen", "published", "activated", "retired", "revoked", "removed")
            if (at := getattr(key, name)) is not None
        }
        at = phase(key, policy, before)
        if waiting := waits.get(at):
            stamps[waiting] = now
        elif at is Phase.GENERATED:  # how long ago the first look was, nobody knows: it does not count
            key = replace(key, seen=None)
            stamps.pop("seen", None)
        elif at is Phase.READY and phase(replace(key, **stamps), policy, now) is not Phase.READY:
            stamps["seen"] = stamps["published"] = now - key.season
        signs = at in (Phase.ACTIVE, Phase.RETIRED) and key.published is not None
        if signs and before >= (key.published or 0) + key.season:  # its record had stood long enough, and that stays so
            stamps["published"] = min(stamps["published"], now - key.season)
        fresh.append(replace(key, **stamps))
    return tuple(fresh)


def advance(
    keys: tuple[KeyPair, ...], policy: Policy, now: int, seen: Observation, *, algorithm: str, patient: bool = False
) -> Step:
    """One step of one key set (one domain, one kind); pure.

    Returns the keys with new stamps, the algorithms of keys to make, the selectors exim shall sign with (none = what is
    there stays), when to look again, and one sentence why. `algorithm` "" makes no key; where the set is `patient`, it waits for one.
    """
    latest = max((key.activated or 0 for key in keys), default=0)
    keys = _retire(tuple(_stamp(key, policy, now, seen, latest) for key in keys), policy, now, seen, algorithm)
    phases = {key.selector: phase(key, policy, now) for key in keys}
    coming = [key for key in keys if phases[key.selector] in COMING]
    active = sorted(
        (k for k in keys if phases[k.selector] is Phase.ACTIVE), key=lambda k: (k.activated or 0, k.selector)
    )
    usable = {k.selector for k in keys if k.selector in seen.readable and seen.sights.get(k.selector) is Sight.VISIBLE}
    ready = [key for key in coming if phases[key.selector] is Phase.READY and key.selector in usable]
    ready.sort(key=lambda key: key.algorithm != algorithm)
    able = [key for key in reversed(active) if key.selector in seen.readable]
    current = able[0] if able else None
    if current and not _sound(current, now, seen):
        current = next((key for key in able if key.selector in usable and _sound(key, now, seen)), current)
    # Keys that were taken on together, since exim signed with all of them, go on together until their successor signs.
    beside = [k for k in active if current and k.activated == current.activated and _signs_too(k, current, now, seen)]
    lost = bool(active) and not (active[-1] is current and _sound(current, now, seen))
    until = due(current, policy) if current else None
    # A key that lost its private half before it ever signed is replaced, and so is one of another kind than is wanted now; once:
    # where two cannot be read, the fault is the disk's or the modes', and making ever more keys no remedy.
    hopeful = len(coming) > 1 or any(k.selector in seen.readable and k.algorithm == algorithm for k in coming)
    make = (algorithm,) if algorithm and not hopeful and not seen.left else ()
    make, later = ((), make) if patient else (make, ())

    fit = [key for key in keys if _can_sign(key, phases, usable) and _sound(key, now, seen)]
    back = _retired(key for key in fit if key.recalled is not None)
    if back is not None:
        why = f"a person called {back.selector} back: exim's map names it, and the next pass looks whether exim signs with it"
        return Step(keys, make, (back.selector,), waits_of.proof(back, policy, now, seen), why)
    if ready and (lost or until is None or until <= now):
        name = ready[0].selector
        why = f"{name} is ready: exim's map names it, and the next pass looks whether exim signs with it"
        return Step(keys, (), (name,), waits_of.proof(ready[0], policy, now, seen), why)
    waits = [waits_of.wait(key, phases[key.selector], policy, now, seen) for key in coming if key not in ready]
    if make:
        waits.append((now + policy.gap, f"a new {algorithm} key is made"))
    elif later:
        waits.append((now + policy.retry, f"a new {algorithm} key is to be made, and waits for its turn"))
    if until is not None and until > now:
        waits.append((until, ""))
    waits += [(at, "") for key in keys if (at := waits_of.end(key, phases[key.selector], policy, now)) is not None]
    words = [why for _, why in sorted(waits) if why]
    if current:
        names = " and ".join(key.selector for key in (*beside, current))
        words.insert(0, f"exim signs with {names} since {moment(current.activated or 0)}")
        if until is not None and until <= now:
            words.append(f"its time is over since {moment(until)}, and no other key can sign yet")
    alone = not active and bool(algorithm) and not seen.left  # nothing signs, and something did: the way back to it
    again = _retired(fit) if lost or alone else None
    spare = current if current and _sound(current, now, seen) else again or current
    if lost:
        gone = active[-1]
        sentence = f"the private key of {gone.selector} is missing, unreadable for exim or does not match"
        if gone.selector in seen.readable:
            sentence = f"the record of {gone.selector} is not in DNS, or was not until lately"
        instead = f"{spare.selector} signs in its place" if spare and spare is not gone else "no other key can sign yet"
        words = [sentence, instead, *words]
        waits.append((now + policy.retry, ""))
    wake = min((at for at, _ in waits), default=None)
    sign = tuple(key.selector for key in (*beside, *([spare] if spare else [])))
    return Step(keys, make, sign, wake, "; ".join(words) or "nothing is to be done")


def denied(look: Sight | None) -> bool:
    """Whether receivers cannot verify what a key signs, since nothing stands in the place of its record, or something else."""
    return look in (Sight.OTHER, Sight.ABSENT)


def _sound(key: KeyPair, now: int, seen: Observation) -> bool:
    """Whether receivers can verify what a key signs that has signed: its record was not gone within its season."""
    stood = key.published is not None and now >= key.published + key.season
    return stood and not denied(seen.sights.get(key.selector))


def _signs_too(key: KeyPair, current: KeyPair, now: int, seen: Observation) -> bool:
    """Whether exim signs with this key beside the current one, and can go on doing so."""
    signing = seen.signing is None or key.selector in seen.signing
    return key is not current and signing and key.selector in seen.readable and _sound(key, now, seen)


def _stamp(key: KeyPair, policy: Policy, now: int, seen: Observation, latest: int) -> KeyPair:
    """The stamps that this look at one key earns or costs it, and its durations, which only grow. `latest`: the last activation in
    the set, which one that comes back has to follow."""
    if key.removed is not None:
        return key
    signs = seen.signing is not None and key.selector in seen.signing
    grown = key
    if seen.overlap > key.overlap:
        grown = replace(key, overlap=seen.overlap, overlap_because=seen.overlap_because)
    look = seen.sights.get(key.selector, Sight.UNKNOWN)
    if key.activated is not None or key.retired is not None:
        return _stamp_end(_seen_again(grown, policy, now, look, seen), policy, now, look, signs, seen, latest)
    if signs and phase(key, policy, now) is Phase.READY:
        return _seen_again(replace(grown, activated=now), policy, now, look, seen)
    if seen.season > key.season:
        grown = replace(grown, season=seen.season, season_because=seen.season_because)
    return _sighted(grown, policy, now, look)


def _sighted(key: KeyPair, policy: Policy, now: int, look: Sight) -> KeyPair:
    """The stamps of a key's sightings after this look."""
    if look is Sight.UNKNOWN:
        return key
    if look is not Sight.VISIBLE:
        return replace(key, seen=None, published=None)
    if key.seen is None or max(key.seen, key.published or 0) > now:  # in the future: the clock went back
        return replace(key, seen=now, published=None)
    if key.published is None and now >= key.seen + policy.gap:
        return replace(key, published=now)
    return key


def _seen_again(key: KeyPair, policy: Policy, now: int, look: Sight, seen: Observation) -> KeyPair:
    """The same for a key that has signed. Its record was known once; where it was gone, or another one, it is as a new one again: for a
    season resolvers may hold what they found."""
    if phase(key, policy, now) not in (Phase.ACTIVE, Phase.RETIRED):
        return key
    if denied(look):
        longer = seen.season > key.season
        key = replace(key, season=seen.season, season_because=seen.season_because) if longer else key
        return replace(key, seen=None, published=None)
    return _sighted(key, policy, now, look) if key.published is None and look is Sight.VISIBLE else key


def _stamp_end(
    key: KeyPair, policy: Policy, now: int, look: Sight, signs: bool, seen: Observation, latest: int
) -> KeyPair:
    """The stamps of a key that signs, or has signed."""
    if signs and key.revoked is None and key.compromised is None and key.retired is not None:
        # A retired key that exim signs with again is not retired, whatever brought it back; by a person's word, it serves anew.
        activated = max(now, latest + 1) if key.recalled is not None else key.activated
        return replace(key, retired=None, recalled=None, called=None, activated=activated)
    if key.selector in seen.named and key.revoked is None and key.compromised is None and key.retired is not None:
        # Somebody brought an older map back, and nobody saw exim read it: it may have signed until now.
        return replace(key, retired=now)
    at = phase(key, policy, now)
    if not seen.trusted and key.compromised is None:
        return key
    if at is Phase.DUE and look is Sight.VISIBLE:
        return replace(key, revoked=now, recalled=None)
    return replace(key, removed=now) if at is Phase.ENDED and look is Sight.ABSENT else key


def _retire(
    keys: tuple[KeyPair, ...], policy: Policy, now: int, seen: Observation, algorithm: str
) -> tuple[KeyPair, ...]:
    """Retire what exim signs with no more, once it was seen to sign with a key that was activated later; and keys that were
    coming and are not needed, since another one has come."""
    signing = seen.signing or frozenset()
    proven = max((key.activated or 0 for key in keys if key.selector in signing), default=0)
    sound = [key for key in keys if key.selector in seen.readable and key.compromised is None]
    ready = [k for k in sound if seen.sights.get(k.selector) is Sight.VISIBLE and phase(k, policy, now) is Phase.READY]
    standby = min(ready, key=lambda key: key.algorithm != algorithm, default=None)
    coming = [key for key in keys if phase(key, policy, now) in COMING]
    lost = len(coming) > 1 and all(key not in sound and now >= key.generated + GIVEN_UP for key in coming)

    def over(key: KeyPair) -> bool:
        if key.retired is not None or key.selector in signing or not (seen.trusted or key.compromised is not None):
            return False
        if seen.left:
            return seen.signing is not None
        if key.activated is not None:
            return 0 < key.activated < proven
        if key.compromised is not None:
            return True
        better = standby is not None and key.algorithm == algorithm != standby.algorithm
        return bool(algorithm) and (lost or (standby is not None and key is not standby and not better))

    return tuple(replace(key, retired=now) if over(key) else key for key in keys)


def _can_sign(key: KeyPair, phases: Mapping[str, Phase], usable: set[str]) -> bool:
    """Whether a retired key could sign again: it did before, and receivers can still find its record. One that never signed may be
    one that was never seasoned."""
    signed = key.activated is not None and key.compromised is None
    return signed and phases[key.selector] is Phase.RETIRED and key.selector in usable


def _retired(past: Iterable[KeyPair]) -> KeyPair | None:
    """The key that signed last."""
    return max(past, key=lambda key: (key.retired or 0, key.selector), default=None)
