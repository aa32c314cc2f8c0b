"""Keys that cannot be used: which of them need a person, and which another one stands in for."""

from __future__ import annotations

from dataclasses import replace

from dnssync.core.key_sets import replaced
from dnssync.core.model import KeyPair

COMING = KeyPair("example.org", "a", "rsa2048", "AAAA", 1)
OTHER = replace(COMING, selector="b", public_key="BBBB")
SIGNS = replace(COMING, selector="s", seen=1, published=1, activated=2)


def test_only_what_was_to_stand_by() -> None:
    """A standby in whose place another one of its domain and kind comes needs nobody; a key that signs does, whatever stands by."""
    assert replaced([COMING], [COMING, OTHER, SIGNS], 5) == {COMING}
    assert replaced([COMING, SIGNS], [COMING, OTHER, SIGNS], 5) == {COMING}
    assert replaced([COMING, OTHER], [COMING, OTHER, SIGNS], 5) == frozenset()
    assert (
        replaced([COMING], [COMING, replace(OTHER, domain="example.net"), replace(OTHER, algorithm="ed25519")], 5)
        == frozenset()
    )
