"""A frozen domain: nothing of it is changed in DNS and no rotation begins; only a lost key gives way to another one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dnssync.core.decide import Decision, decide
from dnssync.core.model import KeyPair
from dnssync.core.observed import Observed
from dnssync.core.sighting import Sight
from tests.core.test_decide import NOW
from tests.core.test_decide import seen as observed
from tests.zonetext import zone

D = "example.org"
DAY = 86400
NEW = KeyPair(D, "new", "rsa2048", "CCCC", 1, 1, 1, NOW - DAY, season=10)
OLD = KeyPair(D, "old", "rsa2048", "AAAA", 1, 1, 1, NOW - 9 * DAY, retired=NOW - DAY, season=10, overlap=6 * DAY)
READY = KeyPair(D, "next", "rsa2048", "DDDD", NOW - DAY, NOW - DAY, NOW - DAY, season=10)
ED = KeyPair(D, "ed", "ed25519", "BBBB", 1, 1, 1, NOW - DAY, season=10)


def seen(*keys: KeyPair, line: tuple[str, ...], lost: str = "new", **sights: Sight) -> Observed:
    """A frozen example.org whose map line is this, with the private half of one key lost; all records stand."""
    records = "\n".join(f'{k.selector}._domainkey IN TXT "v=DKIM1; k={k.kind}; p={k.public_key}"' for k in keys)
    got = observed(
        keys=keys,
        sights={(D, key.selector): sights.get(key.selector, Sight.VISIBLE) for key in keys},
        readable=frozenset((D, key.selector) for key in keys if key.selector != lost),
        map={D: line},
        frozen=frozenset({D}),
    )
    return replace(got, zones=(replace(got.zones[0], found={"bind": zone(records)}),))


def untouched(got: Decision) -> None:
    """Nothing but the map is changed, and nobody refuses that."""
    [plan] = got.zones
    assert not plan.refusals and not plan.plan.changes and not plan.plan.intents


class TestFallBack:
    @pytest.mark.parametrize("spare", [OLD, READY], ids=["retired", "ready"])
    def test_to_a_published_key(self, spare: KeyPair) -> None:
        """A lost key gives way to one that is seasoned and can be verified; the plan shows it, nothing else is changed."""
        got = decide(seen(spare, NEW, line=("new",)))
        assert got.map_after == {D: (spare.selector,)} and got.changes
        assert got.zones[0].plan.map_lines == ((D, (spare.selector,)),)
        untouched(got)

    @pytest.mark.parametrize("spare", [OLD, READY], ids=["retired", "ready"])
    @pytest.mark.parametrize("sight", [Sight.UNKNOWN, Sight.ABSENT, Sight.PARTIAL, Sight.OTHER])
    def test_only_to_one_that_is_seen(self, spare: KeyPair, sight: Sight) -> None:
        """Not to one whose record is not known to stand everywhere: the line stays, and mail waits rather than fails."""
        got = decide(seen(spare, NEW, line=("new",), **{spare.selector: sight}))
        assert got.map_after == {D: ("new",)} and not got.changes

    def test_not_to_an_active_one_without_its_record(self) -> None:
        """An older key that is still active is none to fall back to, once its record is gone."""
        older = replace(OLD, retired=None)
        assert decide(seen(older, NEW, line=("new",))).map_after == {D: ("old",)}
        assert decide(seen(older, NEW, line=("new",), old=Sight.ABSENT)).map_after == {D: ("new",)}

    @pytest.mark.parametrize(
        "other",
        [replace(READY, published=None), replace(READY, season=2 * DAY), replace(OLD, retired=NOW - 30 * DAY)],
        ids=["seen once", "not seasoned", "due"],
    )
    def test_not_to_a_key_of_another_phase(self, other: KeyPair) -> None:
        """Nor to one that is not seasoned, or has served its time."""
        assert decide(seen(other, NEW, line=("new",))).map_after == {D: ("new",)}

    def test_no_key_is_made(self) -> None:
        """Where none is left the line stays, no new key is made, and none is spoken of."""
        got = decide(seen(NEW, line=("new",)))
        assert got.map_after == {D: ("new",)} and not got.changes
        assert "is made" not in got.steps[(D, "rsa")].because
        untouched(got)

    def test_the_other_kind_signs_on(self) -> None:
        """One lost key costs both signatures, so its selector goes where the other kind's key signs on."""
        got = decide(seen(NEW, ED, line=("new", "ed")))
        assert got.map_after == {D: ("ed",)}
        untouched(got)
        assert decide(seen(OLD, NEW, ED, line=("new", "ed"))).map_after == {D: ("old", "ed")}


class TestNothingElse:
    def test_no_rotation_begins(self) -> None:
        """A key that has served its time signs on, though its successor is ready."""
        due = replace(NEW, activated=NOW - 200 * DAY)
        got = seen(due, READY, line=("new",), lost="")
        assert decide(got).map_after == {D: ("new",)}
        assert decide(replace(got, frozen=frozenset())).map_after == {D: ("next",)}

    def test_no_first_line(self) -> None:
        """Keys that become ready while the domain is frozen are not named to exim."""
        got = replace(seen(READY, line=(), lost=""), map={})
        assert decide(got).map_after == {}
        assert decide(replace(got, frozen=frozenset())).map_after == {D: ("next",)}

    def test_a_stranger_in_the_line_stays(self) -> None:
        """A selector that is not dnssync's, and the order, stay as they are."""
        assert decide(seen(OLD, NEW, ED, line=("theirs", "ed", "new"))).map_after == {D: ("theirs", "ed", "old")}

    def test_a_zone_that_cannot_be_read(self) -> None:
        """A zone that failed keeps its line, frozen or not, but for a key that is lost."""
        for readable, line in (((OLD, NEW), ("new",)), ((OLD,), ("old",))):
            got = seen(OLD, NEW, line=("new",))
            names = frozenset((key.domain, key.selector) for key in readable)
            got = replace(got, zones=(replace(got.zones[0], problem="out of order"),), readable=names)
            assert decide(got).map_after == decide(replace(got, frozen=frozenset())).map_after == {D: line}
