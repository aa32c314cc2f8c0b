"""The last stretch of a key's life: what keeps its record, and what has to be seen before it is revoked and goes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dnssync.core import dkim
from dnssync.core.durations import DAY
from dnssync.core.model import KeyPair, Phase
from dnssync.core.rotation import Observation, Policy, advance, claimed_keys, due, phase, text
from dnssync.core.sighting import Sight

NOW = 1_795_507_200
POLICY = Policy()
OLD = KeyPair(
    "example.org",
    "old",
    "rsa2048",
    "AAAA",
    NOW - 200 * DAY,
    seen=NOW - 199 * DAY,
    published=NOW - 199 * DAY,
    overlap=8 * DAY,
)
ACTIVE = replace(OLD, activated=NOW - 100 * DAY)
RETIRED = replace(ACTIVE, retired=NOW - 7 * DAY)
DUE = replace(ACTIVE, retired=NOW - 8 * DAY)
REVOKED = replace(DUE, retired=NOW - 20 * DAY, revoked=NOW - 6 * DAY)
ENDED = replace(REVOKED, revoked=NOW - 7 * DAY)
REMOVED = replace(ENDED, removed=NOW)
LIVES = {
    Phase.ACTIVE: ACTIVE,
    Phase.RETIRED: RETIRED,
    Phase.DUE: DUE,
    Phase.REVOKED: REVOKED,
    Phase.ENDED: ENDED,
    Phase.REMOVED: REMOVED,
}
HEIR = replace(OLD, selector="new", activated=NOW - 50 * DAY)


def after(key: KeyPair, look: Sight, *, trusted: bool = True, signing: str = "new") -> KeyPair:
    """The key after a pass that saw it so, beside an heir that stands and can be read."""
    sights = {"old": look, "new": Sight.VISIBLE}
    seen = Observation(
        sights=sights,
        signing=frozenset({signing}),
        readable=frozenset({"old", "new"}),
        trusted=trusted,
        season=0,
        overlap=0,
    )
    return advance((key, HEIR), POLICY, NOW, seen, algorithm="rsa2048").keys[0]


@pytest.mark.parametrize("at", LIVES)
def test_the_record_is_claimed_until_it_is_gone(at):
    """Every key but a removed one keeps its claim: a record that is claimed no more is deleted, or left for ever."""
    assert phase(LIVES[at], POLICY, NOW) is at
    assert bool(claimed_keys((LIVES[at],), POLICY, NOW)) is (at is not Phase.REMOVED)


@pytest.mark.parametrize("at", LIVES)
def test_nothing_ends_in_dns_while_the_map_names_it_or_the_clock_is_in_doubt(at):
    """What has come to its end is left as it is in either case; a key in wrong hands waits for the map alone."""
    held = at in (Phase.DUE, Phase.ENDED, Phase.REMOVED)
    assert bool(claimed_keys((LIVES[at],), POLICY, NOW, True, lambda key: True)) is not held
    assert bool(claimed_keys((LIVES[at],), POLICY, NOW, False)) is not held
    leaked = replace(LIVES[at], compromised=NOW)
    assert bool(claimed_keys((leaked,), POLICY, NOW, False)) is (at is not Phase.REMOVED)


@pytest.mark.parametrize(
    ("at", "says"),
    [
        (Phase.RETIRED, "v=DKIM1; k=rsa; p=AAAA"),
        (Phase.DUE, dkim.REVOKED),
        (Phase.REVOKED, dkim.REVOKED),
        (Phase.ENDED, None),
    ],
)
def test_what_the_record_says_at_the_end(at, says):
    """The key while mail may be under way, then the empty p=, then nothing."""
    assert text(LIVES[at], at) == says


@pytest.mark.parametrize("look", Sight)
def test_revoked_and_removed_are_what_was_seen(look):
    """A key is revoked once all servers show the empty p=, and removed once none shows anything; neither before."""
    assert (after(DUE, look).revoked is not None) is (look is Sight.VISIBLE)
    assert (after(ENDED, look).removed is not None) is (look is Sight.ABSENT)


def test_a_clock_in_doubt_ends_nothing():
    """Without trust in the clock nothing retires, is revoked or removed, but a key in wrong hands."""
    assert after(ACTIVE, Sight.VISIBLE).retired == NOW
    assert after(ACTIVE, Sight.VISIBLE, trusted=False).retired is None
    assert after(DUE, Sight.VISIBLE, trusted=False).revoked is None
    assert after(ENDED, Sight.ABSENT, trusted=False).removed is None
    leaked = replace(ACTIVE, compromised=NOW)
    assert after(leaked, Sight.VISIBLE, trusted=False).retired == NOW
    assert after(replace(leaked, retired=NOW), Sight.VISIBLE, trusted=False).revoked == NOW


def test_what_is_in_wrong_hands_serves_no_more():
    """A retired key that exim signs with again is taken back, but not one that somebody else has, and none whose p= is empty."""
    assert after(RETIRED, Sight.VISIBLE, signing="old").retired is None
    leaked = after(replace(RETIRED, compromised=NOW), Sight.VISIBLE, signing="old")
    assert leaked.retired is not None and leaked.revoked == NOW
    assert after(REVOKED, Sight.VISIBLE, signing="old").retired is not None


def test_a_persons_word_is_over_at_once():
    """A lifetime that a person cut short is over then; a key that was called back serves anew from the moment exim signs with it."""
    assert due(replace(ACTIVE, called=NOW - 60 * DAY), POLICY) == NOW - 60 * DAY
    assert due(replace(ACTIVE, compromised=NOW - 60 * DAY), POLICY) == NOW - 60 * DAY
    back = after(replace(RETIRED, recalled=NOW - 60), Sight.VISIBLE, signing="old")
    assert (back.activated, back.retired, back.recalled) == (NOW, None, None)
    assert after(RETIRED, Sight.VISIBLE, signing="old").activated == ACTIVE.activated
