"""What happens next, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dnssync.core.ahead import ahead
from dnssync.core.durations import DAY, HOUR
from dnssync.core.model import KeyPair, Step

NOW = 1_795_507_200
KEY = KeyPair("example.org", "s1", "rsa2048", "AAAA", NOW - HOUR, season=HOUR, overlap=6 * DAY)
ACTIVE = replace(KEY, selector="s0", activated=NOW - DAY)


@pytest.mark.parametrize(
    ("keys", "make", "wake", "words"),
    [
        ((replace(KEY, seen=NOW, published=NOW),), (), NOW + HOUR, "a new key for example.org is ready"),
        ((replace(ACTIVE, retired=NOW),), (), NOW + 6 * DAY, "an old key of example.org is revoked"),
        ((replace(ACTIVE, retired=1, revoked=NOW),), (), NOW + 7 * DAY, "a revoked key of example.org leaves DNS"),
        ((KEY,), (), NOW + 60, "DNS is asked for the new key of example.org"),
        ((), ("rsa2048",), NOW + 60, "DNS is asked for the new key of example.org"),
        ((ACTIVE, replace(KEY, published=1)), (), NOW + 60 * DAY, "another key of example.org takes over"),
        ((ACTIVE, replace(KEY, published=1)), (), NOW + 60, "exim is asked whether it signs example.org with the new key"),
        ((replace(ACTIVE, retired=1),), (), NOW + 900, "the keys of example.org are looked at"),
    ],
)  # fmt: skip
def test_what(keys: tuple[KeyPair, ...], make: tuple[str, ...], wake: int, words: str) -> None:
    """Each wait of a key set has its words."""
    steps = {("example.org", "rsa"): Step(keys, make, (), wake, "")}
    assert ahead(steps, {"example.org"}, {"example.org"}, NOW) == (wake, words)


def test_the_earliest_of_the_zones_that_are_well() -> None:
    """Zones that are held, and sets without a wait, are left out; a name counts to the deepest zone that holds it."""
    step = Step((KEY,), (), (), NOW + 60, "")
    steps = {
        ("example.org", "rsa"): step,
        ("b.example.org", "rsa"): replace(step, wake=NOW + 10),
        ("example.com", "rsa"): replace(step, wake=NOW + 30),
        ("example.com", "ed25519"): replace(step, wake=None),
    }
    zones = {"example.org", "b.example.org", "example.com"}
    assert ahead(steps, {"example.org", "example.com"}, zones, NOW) == (
        NOW + 30,
        "DNS is asked for the new key of example.com",
    )
    assert ahead(steps, set(), zones, NOW) is None
