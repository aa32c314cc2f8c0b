"""Keys that have retired and sign again, or may have: on a person's word, in place of a lost one, or by an older map."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dnssync.core.durations import DAY
from dnssync.core.model import KeyPair, Phase
from dnssync.core.rotation import Observation, advance, phase
from dnssync.core.sighting import Sight
from tests.core.test_rotation import KEY, NOW, POLICY, SEASON

OVERLAP = 6 * DAY
ACTIVE = replace(KEY, selector="s2", seen=NOW, published=NOW, activated=NOW, season=SEASON, overlap=OVERLAP)
LONG_AGO = NOW - 90 * DAY
RETIRED = replace(
    KEY, seen=LONG_AGO, published=LONG_AGO, activated=LONG_AGO, retired=NOW, season=SEASON, overlap=OVERLAP
)


def observed(named: str, *, signing: str | None = None, readable: str = "s1 s2") -> Observation:
    """Both records stand everywhere; the map names these; the probe saw those sign, or nothing."""
    return Observation(
        {"s1": Sight.VISIBLE, "s2": Sight.VISIBLE, "s3": Sight.VISIBLE},
        None if signing is None else frozenset(signing.split()),
        frozenset(readable.split()),
        SEASON,
        OVERLAP,
        named=frozenset(named.split()),
    )


def step(keys: tuple[KeyPair, ...], now: int, seen: Observation):
    return advance(keys, POLICY, now, seen, algorithm="")


@pytest.mark.parametrize("signing", [None, "s2", ""])
def test_named_by_the_map_it_may_have_signed(signing: str | None) -> None:
    """The overlap of a retired key runs from the last pass that found it in the map, whatever the probe could tell just then."""
    for later in (DAY, OVERLAP, OVERLAP + DAY):
        got = step((RETIRED, ACTIVE), NOW + later, observed("s1", signing=signing)).keys[0]
        assert got.retired == NOW + later and phase(got, POLICY, NOW + later) is Phase.RETIRED
    assert step((RETIRED, ACTIVE), NOW + DAY, observed("s2", signing=signing)).keys[0].retired == NOW


def test_in_wrong_hands_it_is_revoked_all_the_same() -> None:
    """A key that a person called compromised ends, whatever map somebody brings back."""
    bad = replace(RETIRED, compromised=NOW)
    assert step((bad, ACTIVE), NOW + DAY, observed("s1")).keys[0].revoked == NOW + DAY


def test_one_that_never_signed_signs_in_nobodys_place() -> None:
    """A key that retired unused may never have had its season: a lost key is not replaced by it."""
    unused = replace(RETIRED, activated=None)
    lost = observed("s2", signing="", readable="s1")
    assert step((unused, ACTIVE), NOW + DAY, lost).sign == ()
    assert step((RETIRED, ACTIVE), NOW + DAY, lost).sign == ("s1",)


def test_looks_for_proof_grow_rarer() -> None:
    """A map that has just been written is looked at in a minute; one that exim does not read, at the pace of everything stuck."""
    ready = replace(KEY, selector="s3", seen=NOW, published=NOW, season=SEASON)
    now = NOW + DAY
    assert step((ready,), now, observed("", signing="", readable="s3")).wake == now + POLICY.gap
    assert step((ready,), now, observed("s3", signing="", readable="s3")).wake == now + POLICY.retry
    back = replace(RETIRED, recalled=now)
    assert step((back, ACTIVE), now, observed("s2", signing="s2")).wake == now + POLICY.gap
    assert step((back, ACTIVE), now, observed("s1", signing="s2")).wake == now + POLICY.retry


class TestARecordThatIsGone:
    """An ACTIVE key whose record everybody sees gone, or revoked by somebody else: its mail fails until another one signs."""

    READY = replace(KEY, selector="s3", seen=NOW, published=NOW, season=SEASON)

    def seen(self, gone: Sight, *, named: str = "s2", signing: str = "s2", **others: Sight) -> Observation:
        """What DNS shows of s2, and of the others."""
        got = observed(named, signing=signing, readable="s1 s2 s3")
        return replace(got, sights={**got.sights, "s2": gone, **others})

    @pytest.mark.parametrize("gone", [Sight.OTHER, Sight.ABSENT])
    def test_the_standby_takes_over(self, gone: Sight) -> None:
        """At once, long before its time."""
        keys = (ACTIVE, self.READY)
        got = step(keys, NOW + DAY, self.seen(gone))
        assert got.sign == ("s3",)
        after = step(keys, NOW + DAY + 60, self.seen(gone, named="s3", signing="s3"))
        assert [phase(key, POLICY, NOW + DAY + 60) for key in after.keys] == [Phase.RETIRED, Phase.ACTIVE]

    @pytest.mark.parametrize("look", [Sight.UNKNOWN, Sight.PARTIAL, Sight.VISIBLE])
    def test_only_where_all_servers_say_so(self, look: Sight) -> None:
        """Silence, and one server that shows it, change nothing."""
        assert step((ACTIVE, self.READY), NOW + DAY, self.seen(look)).sign == ("s2",)

    def test_the_retired_one_comes_back(self) -> None:
        """Where no standby is ready, the key before signs, as long as its record stands; and once it does, it goes on."""
        got = step((RETIRED, ACTIVE), NOW + DAY, self.seen(Sight.OTHER))
        assert (
            got.sign == ("s1",)
            and "the record of s2 is not in DNS, or was not until lately; s1 signs in its place" in got.because
        )
        keys = step((RETIRED, ACTIVE), NOW + DAY, self.seen(Sight.OTHER, named="s1", signing="s1")).keys
        assert [phase(key, POLICY, NOW + DAY) for key in keys] == [Phase.ACTIVE, Phase.ACTIVE]
        again = step(keys, NOW + 2 * DAY, self.seen(Sight.OTHER, named="s1", signing="s1"))
        assert again.sign == ("s1",) and again.keys == keys
        at, back = NOW + 2 * DAY, self.seen(Sight.VISIBLE, named="s1", signing="s1")
        for later, signs in ((0, "s1"), (60, "s1"), (60 + SEASON - 1, "s1"), (60 + SEASON, "s2")):
            got = step(again.keys if later == 0 else got.keys, at + later, back)
            assert got.sign == (signs,), f"its record is back for {later} s"
        gone = step(got.keys, at + 2 * SEASON, self.seen(Sight.ABSENT, named="s2", signing="s2"))
        assert gone.sign == ("s1",) and gone.keys[1].published is None

    def test_silence_leaves_it_sound(self) -> None:
        """Name servers that do not answer, or not all of them, cost a key that signs nothing."""
        for look in (Sight.UNKNOWN, Sight.PARTIAL):
            got = step((RETIRED, ACTIVE), NOW + DAY, self.seen(look))
            assert got.keys[1] == ACTIVE and got.sign == ("s2",)

    def test_a_retired_one_that_was_gone(self) -> None:
        """It comes back as little as one that is gone, until its record has stood for a season."""
        gone = replace(self.seen(Sight.OTHER, s1=Sight.ABSENT))
        first = step((RETIRED, ACTIVE), NOW + DAY, gone)
        assert first.sign == ("s2",)
        then = step(first.keys, NOW + DAY + 60, self.seen(Sight.OTHER))
        assert then.sign == ("s2",)
        for later, signs in ((120, "s2"), (180, "s2"), (180 + SEASON, "s1")):
            then = step(then.keys, NOW + DAY + later, self.seen(Sight.OTHER))
            assert then.sign == (signs,)

    def test_one_that_signs_is_better_than_one_that_did(self) -> None:
        """Of an older key that is ACTIVE too and one that is RETIRED, the ACTIVE one signs."""
        old = replace(ACTIVE, selector="s3", activated=NOW - DAY)
        assert step((RETIRED, old, ACTIVE), NOW + DAY, self.seen(Sight.OTHER, signing="s2 s3")).sign == ("s3",)

    def test_of_two_taken_on_together(self) -> None:
        """The one whose record is gone signs no more beside the other."""
        other = replace(ACTIVE, selector="s1")
        for gone in ("s1", "s2"):
            looks = {"s1": Sight.VISIBLE, "s2": Sight.VISIBLE, gone: Sight.ABSENT}
            seen = replace(observed("s1 s2", signing="s1 s2"), sights=looks)
            assert step((other, ACTIVE), NOW + DAY, seen).sign == ({"s1": "s2", "s2": "s1"}[gone],)

    @pytest.mark.parametrize("look", [Sight.UNKNOWN, Sight.OTHER, Sight.PARTIAL])
    def test_nothing_better(self, look: Sight) -> None:
        """Where no other one can be verified either, it signs on."""
        got = step((RETIRED, ACTIVE, self.READY), NOW + DAY, self.seen(Sight.OTHER, s1=look, s3=look))
        assert got.sign == ("s2",) and "no other key can sign yet" in got.because
