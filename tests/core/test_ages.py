"""How old keys are: since when in their phase, how much of their time is over, which rotation is late."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dnssync.core.ages import FIRST, OVER, SECOND, age, entered, overdue
from dnssync.core.durations import DAY
from dnssync.core.model import KeyPair, Phase
from dnssync.core.rotation import Policy, due, phase

NOW = 1_795_000_000
POLICY = Policy()
MADE = KeyPair("example.org", "s1", "rsa2048", "AAAA", NOW - 99 * DAY, season=4200, overlap=6 * DAY)
SEEN = replace(MADE, seen=NOW - 50 * DAY)
PUBLISHED = replace(SEEN, published=NOW - 4000)
READY = replace(SEEN, published=NOW - 9 * DAY)
ACTIVE = replace(READY, activated=NOW - 8 * DAY)
RETIRED = replace(ACTIVE, retired=NOW - 5 * DAY)
DUE = replace(ACTIVE, retired=NOW - 7 * DAY)
REVOKED = replace(DUE, revoked=NOW - DAY)
ENDED = replace(DUE, revoked=NOW - 8 * DAY)
REMOVED = replace(ENDED, removed=NOW - 60)


@pytest.mark.parametrize(
    ("key", "at", "since"),
    [
        (MADE, Phase.GENERATED, NOW - 99 * DAY),
        (SEEN, Phase.GENERATED, NOW - 99 * DAY),
        (PUBLISHED, Phase.PUBLISHED, NOW - 4000),
        (READY, Phase.READY, NOW - 9 * DAY + 4200),
        (ACTIVE, Phase.ACTIVE, NOW - 8 * DAY),
        (RETIRED, Phase.RETIRED, NOW - 5 * DAY),
        (DUE, Phase.DUE, NOW - DAY),
        (replace(RETIRED, compromised=NOW - 6 * DAY), Phase.DUE, NOW - 5 * DAY),
        (replace(RETIRED, compromised=NOW - 2 * DAY), Phase.DUE, NOW - 2 * DAY),
        (replace(DUE, compromised=NOW - 60), Phase.DUE, NOW - DAY),
        (REVOKED, Phase.REVOKED, NOW - DAY),
        (ENDED, Phase.ENDED, NOW - DAY),
        (REMOVED, Phase.REMOVED, NOW - 60),
    ],
)
def test_since_when(key: KeyPair, at: Phase, since: int) -> None:
    """The moment at which the phase began, and from which it is told: a second before, it was another one."""
    assert phase(key, POLICY, NOW) is at and entered(key, POLICY, NOW) == since


@pytest.mark.parametrize("key", [READY, DUE, ENDED])
def test_it_agrees_with_the_phases(key: KeyPair) -> None:
    """Where the clock alone takes a key on, it is in another phase a second before."""
    since = entered(key, POLICY, NOW)
    assert phase(key, POLICY, since) is phase(key, POLICY, NOW) is not phase(key, POLICY, since - 1)


def test_how_much_is_over() -> None:
    """Up to half of its time, more, or all of it; by its own moment, or a person's word. What does not sign has none."""
    until = due(ACTIVE, POLICY)
    assert until is not None and ACTIVE.activated is not None
    half = ACTIVE.activated + (until - ACTIVE.activated) / 2
    told = [age(ACTIVE, POLICY, at) for at in (ACTIVE.activated, int(half) - 1, int(half) + 1, until - 1, until)]
    assert told == [FIRST, FIRST, SECOND, SECOND, OVER]
    assert age(replace(ACTIVE, called=NOW), POLICY, NOW) == age(replace(ACTIVE, compromised=NOW), POLICY, NOW) == OVER
    assert {age(key, POLICY, NOW) for key in (MADE, PUBLISHED, READY, RETIRED, DUE, REVOKED, ENDED, REMOVED)} == {None}


def test_a_late_rotation() -> None:
    """The longest that any set is late, by the key of it that began last: not by one that goes with it, nor by one that gave way."""
    late = replace(ACTIVE, called=NOW - 3 * DAY)
    beside = replace(late, selector="s0", called=NOW - 7 * DAY)
    younger = replace(ACTIVE, selector="s0", activated=NOW - DAY)
    other = replace(ACTIVE, domain="example.net", called=NOW - DAY)

    def told(*keys: KeyPair) -> int | None:
        return overdue(keys, lambda key: POLICY, NOW)

    assert told() is told(ACTIVE, READY) is None
    assert told(late) == told(late, other) == told(other, late) == told(late, beside) == NOW - 3 * DAY
    assert told(late, younger) is told(younger, late) is told(replace(late, retired=NOW)) is None
    assert told(late, replace(younger, algorithm="rsa4096")) is None  # of one kind, thus of one set
    assert told(late, replace(younger, algorithm="ed25519")) == NOW - 3 * DAY
    assert told(replace(late, called=NOW)) == NOW and told(replace(late, called=NOW + 1)) is None
