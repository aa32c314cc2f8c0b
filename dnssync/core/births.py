"""Whose turn it is to get a new key: ten thousand are born over days, not at once (a key of RSA takes 30 ms and more to make).

A key that somebody waits for is made at once: what a person asked for, and what replaces a key that is lost or compromised. The others wait
for their turn, domains without any key before standbys, each in the order of a hash of the domain's name, so that all passes agree.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from dnssync.core import rotation
from dnssync.core.durations import moment
from dnssync.core.key_sets import steps_of
from dnssync.core.model import KeyPair, Notice, Phase, Step

if TYPE_CHECKING:
    from dnssync.core.observed import Observed

BIRTHS = 100  # keys that a pass makes of those that nobody waits for: 3 s of RSA, and 9,600 a day at every 15 minutes
_POLICY = rotation.Policy()
Set = tuple[str, str]  # a key set: its domain and kind


def patient(seen: Observed, steps: Mapping[Set, Step]) -> tuple[Set, ...]:
    """The key sets that want a new key and can wait for it, those whose turn comes first at the head."""
    wanting = [at for at, step in steps.items() if step.generate]
    if not wanting:
        return ()
    domains = {domain for domain, _ in wanting}
    keys: dict[str, list[KeyPair]] = {}
    for key in seen.keys:
        if key.domain in domains:
            keys.setdefault(key.domain, []).append(key)

    def order(at: Set) -> tuple[bool, bytes, bool]:
        domain, kind = at
        living = any(rotation.phase(key, _POLICY, seen.now) in rotation.SERVING for key in keys.get(domain, ()))
        return living, hashlib.sha256(domain.encode()).digest(), kind != "rsa"

    return tuple(sorted((at for at in wanting if not _urgent(seen, at, keys.get(at[0], ()))), key=order))


def _urgent(seen: Observed, at: Set, keys: Sequence[KeyPair]) -> bool:
    """Whether somebody waits for the new key: a person, or the mail that is signed by what it replaces."""
    domain, kind = at
    mine = [key for key in keys if key.kind == kind]
    for key in mine:
        where = rotation.phase(key, _POLICY, seen.now)
        replaced = any(other.generated >= key.compromised for other in mine) if key.compromised is not None else True
        lost = where in rotation.SERVING and (domain, key.selector) not in seen.readable
        gone = where is Phase.ACTIVE and rotation.denied(seen.sights.get((domain, key.selector)))
        if not replaced or lost or gone or (where is Phase.ACTIVE and key.called is not None):
            return True
    return False


def in_turn(
    seen: Observed, steps: Mapping[Set, Step], refused: Callable[[str], bool]
) -> tuple[Mapping[Set, Step], frozenset[Set] | None, int]:
    """The steps, with new keys for those alone whose turn it is; whose that is (None: all get theirs), and how many keys wait.

    `refused`: whether the zone that holds a domain's keys gets nothing. No key is made there, so it takes no other's place; but it stays in
    the plan, since the key may be what the zone is refused for.
    """
    if seen.births is None:
        return steps, None, 0
    wanting = patient(seen, steps)
    turn = seen.turn if seen.turn is not None else _turn(wanting, seen.births, refused)
    waiting = [at for at in wanting if at not in turn]
    return {**steps, **steps_of(seen, waiting)}, turn, len(waiting)


def _turn(wanting: Sequence[Set], births: int, refused: Callable[[str], bool]) -> frozenset[Set]:
    if len(wanting) <= births:
        return frozenset(wanting)
    now, left = set(), births
    for at in wanting:
        if left <= 0:
            break
        now.add(at)
        left -= not refused(at[0])
    return frozenset(now)


def told(waiting: int, births: int, now: int) -> list[Notice]:
    """What to tell of keys that wait for their turn; `births`: how many a pass makes, `now` in seconds since 1970."""
    if not waiting:
        return []
    at = moment(now + -(-waiting // (births or BIRTHS)) * _POLICY.retry)
    one = waiting == 1
    keys, made = ("1 new key waits for its", "it") if one else (f"{waiting:,} new keys wait for their", "the last one")
    return [
        Notice(
            "births",
            f"{keys} turn, since a pass makes {births or BIRTHS} of those that nobody waits for; {made} is made at about {at}. "
            "`dnssync apply DOMAIN` makes those of a domain at once.",
        )
    ]
