"""Rotation: how one key follows another, what a lost one costs, and when to look again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dnssync.core import rotation
from dnssync.core.model import KeyPair, Step
from dnssync.core.rotation import Observation, advance
from dnssync.core.sighting import Sight
from tests.core.test_rotation import KEY, NOW, POLICY, SEASON, look, step


class TestSuccession:
    first = replace(KEY, seen=NOW, published=NOW, activated=NOW, season=SEASON, overlap=6 * 86400)
    heir = KeyPair("example.org", "s2", "rsa2048", "BBBB", NOW, NOW, NOW, season=SEASON)
    late = NOW + POLICY.lifetime

    def seen(self, *signing: str, readable: str = "s1 s2", **sights: Sight) -> Observation:
        """Everything VISIBLE but what is named otherwise."""
        return Observation(
            {"s1": Sight.VISIBLE, "s2": Sight.VISIBLE, **sights},
            frozenset(signing),
            frozenset(readable.split()),
            SEASON,
            0,
        )

    def test_standby_waits_until_the_active_key_is_due(self) -> None:
        """A ready key changes nothing before that; the next look is at that moment."""
        due = rotation.due(self.first, POLICY)
        assert due is not None
        got = step((self.first, self.heir), due - 1, self.seen("s1"))
        assert (got.sign, got.wake, got.generate) == (("s1",), due, ())
        assert step((self.first, self.heir), due, self.seen("s1")).sign == ("s2",)

    @pytest.mark.parametrize("sight", [Sight.UNKNOWN, Sight.PARTIAL, Sight.ABSENT, Sight.OTHER])
    def test_no_switch_without_a_fresh_sighting(self, sight: Sight) -> None:
        """A successor that is not seen at this very moment has to wait, and the active key signs on."""
        assert step((self.first, self.heir), self.late, self.seen("s1", s2=sight)).sign == ("s1",)

    def test_overdue_without_successor_signs_on(self) -> None:
        """However old it is: the only key signs, and one that can take over is made."""
        got = step((self.first,), self.late, self.seen("s1"))
        assert (got.sign, got.generate, got.wake) == (("s1",), ("rsa2048",), self.late + 60)
        assert "its time is over" in got.because

    def test_proof_stamps_both(self) -> None:
        """The moment in which exim is seen to sign with the successor alone activates one and retires the other."""
        got = step((self.first, self.heir), self.late, self.seen("s2"))
        assert [key.activated for key in got.keys] == [NOW, self.late]
        assert [key.retired for key in got.keys] == [self.late, None]
        assert got.sign == ("s2",)

    @pytest.mark.parametrize("sight", list(Sight))
    def test_proof_counts_whatever_dns_shows(self, sight: Sight) -> None:
        """A ready key that signs is active, even if name servers are silent or have lost it in that moment."""
        got = step((self.heir,), self.late, self.seen("s2", s2=sight))
        known = None if sight in (Sight.OTHER, Sight.ABSENT) else NOW
        assert got.keys[0].activated == self.late and got.keys[0].published == known and got.sign == ("s2",)

    @pytest.mark.parametrize("signing", [{"s1"}, {"s1", "s2"}, set(), None])
    def test_nothing_is_retired_without_proof(self, signing: set[str] | None) -> None:
        """A probe that shows the old key, both, none, or nothing at all retires no key."""
        new = replace(self.heir, activated=NOW + 9)
        observation = replace(self.seen(), signing=None if signing is None else frozenset(signing))
        assert [k.retired for k in step((self.first, new), self.late, observation).keys] == [None, None]

    def test_two_hand_made_keys_of_one_moment(self) -> None:
        """Two keys that were taken on together go on together, whether one transport signs with both or each with one;
        neither retires the other, and one that cannot be used is left out."""
        other = replace(self.first, selector="s2", adopted=True)
        for signing, sign in ((("s1", "s2"), ("s1", "s2")), (("s1",), ("s1", "s2")), (("s2",), ("s2",))):
            got = step((self.first, other), NOW + 9000, self.seen(*signing))
            assert [key.retired for key in got.keys] == [None, None] and got.sign == sign
            assert f"exim signs with {' and '.join(sign)} since" in got.because
        blind = replace(self.seen(), signing=None)
        assert step((self.first, other), NOW + 9000, blind).sign == ("s1", "s2")
        assert step((self.first, other), NOW + 9000, self.seen("s1", "s2", readable="s2")).sign == ("s2",)

    def test_two_hand_made_keys_and_their_successor(self) -> None:
        """The successor takes over from both, and both retire once exim was seen to sign with it alone."""
        two = (self.first, replace(self.first, selector="s3", adopted=True))
        observation = self.seen("s1", "s3", readable="s1 s2 s3", s3=Sight.VISIBLE)
        assert step((*two, self.heir), self.late, observation).sign == ("s2",)
        got = step((*two, self.heir), self.late, self.seen("s2", readable="s1 s2 s3", s3=Sight.VISIBLE))
        assert [key.retired for key in got.keys] == [self.late, self.late, None] and got.sign == ("s2",)

    def test_too_early_a_key_is_not_made_active(self) -> None:
        """A key that somebody put into exim before its season is over earns no stamp by it."""
        got = step((self.heir,), NOW + SEASON - 1, self.seen("s2"))
        assert got.keys[0].activated is None and got.sign == ()

    def test_retired_key_that_signs_again(self) -> None:
        """What exim signs with is not retired, so that its record cannot fall due."""
        old = replace(self.first, retired=NOW + 9)
        assert step((old,), self.late, self.seen("s1")).keys[0].retired is None
        assert step((replace(old, revoked=NOW + 10),), self.late, self.seen("s1")).keys[0].retired == NOW + 9

    def test_lost_key_gives_way_to_the_one_before_it(self) -> None:
        """With no successor in sight, the key that signed before signs again, and a new one is made."""
        old, new = replace(self.first, retired=NOW + 9), replace(self.heir, activated=NOW + 9)
        got = step((old, new), NOW + 9000, self.seen("s2", readable="s1"))
        assert got.sign == ("s1",) and got.generate == ("rsa2048",) and "s1 signs in its place" in got.because
        for sight in (Sight.ABSENT, Sight.UNKNOWN, Sight.OTHER, Sight.PARTIAL):
            assert step((old, new), NOW + 9000, self.seen("s2", readable="s1", s1=sight)).sign == ()
        assert step((old, new), self.late, self.seen("s2", readable="s1")).sign == ()  # its record may go any moment

    def test_lost_key_gives_way_to_its_heir_before_time(self) -> None:
        """A standby takes over from a key that is lost, though that is not due."""
        assert step((self.first, self.heir), NOW + 9000, self.seen("s1", readable="s2")).sign == ("s2",)

    def test_what_nobody_can_sign_with_is_given_up(self) -> None:
        """Two that wait for their private halves block a set for a week, then make way for a new key; one that is younger, or can be
        read, or a rotation that makes no keys, keeps them."""
        one, two = replace(self.heir, selector="s3"), replace(self.heir, generated=NOW + 9)
        week = two.generated + rotation.GIVEN_UP

        def left(now: int, readable: str, algorithm: str = "rsa2048") -> set[str]:
            seen = self.seen("s1", readable=readable, s3=Sight.VISIBLE)
            got = advance((self.first, one, two), POLICY, now, seen, algorithm=algorithm)
            return {key.selector for key in got.keys if key.retired is None}

        assert left(week - 1, "s1") == left(week, "s1", "") == {"s1", "s2", "s3"}
        assert left(week, "s1 s2") == {"s1", "s2"}  # the standby stays
        assert left(week, "s1") == {"s1"}
        got = step((self.first, replace(one, retired=week), replace(two, retired=week)), week + 60, self.seen("s1"))
        assert got.generate == ("rsa2048",)

    @pytest.mark.parametrize("stamps", [{}, {"revoked": NOW + 9}, {"revoked": NOW + 9, "removed": NOW + 9}])
    def test_past_keys_alone(self, stamps: dict) -> None:
        """Keys whose time is over neither sign nor stand in the way of a new one."""
        for now in (NOW + 9000, self.late):
            got = step((replace(self.first, retired=NOW + 9, **stamps),), now, self.seen())
            back = not stamps and now < NOW + 9 + self.first.overlap  # its record stands: the only way to sign at all
            assert got.sign == (("s1",) if back else ()) and got.generate == ("rsa2048",)

    def test_removed_key_is_history(self) -> None:
        """Nothing touches the stamps of a removed key."""
        gone = replace(self.first, retired=NOW + 9, revoked=NOW + 9, removed=NOW + 9, overlap=1)
        assert step((gone,), self.late, self.seen("s1")).keys == (gone,)


class TestLostBeforeItSigned:
    def test_replaced_once(self) -> None:
        """One new key for one that lost its private half; none for two, where the disk itself must be at fault."""
        two = replace(KEY, selector="s2")
        assert step((KEY,), NOW + 60, look(readable=False)).generate == ("rsa2048",)
        assert step((KEY, two), NOW + 60, look(readable=False)).generate == ()

    def test_beside_a_sound_active_key(self) -> None:
        """While another key signs, a standby that is lost is replaced too: the next rotation, or an emergency, needs it."""
        active = replace(KEY, selector="s2", seen=NOW, published=NOW, activated=NOW)
        seen = Observation({}, None, frozenset({"s2"}))
        assert step((active, KEY), NOW + 60, seen).generate == ("rsa2048",)

    def test_no_algorithm_no_key(self) -> None:
        """A set that is not wanted any more makes no key, and has nothing to wait for."""
        got = advance((), POLICY, NOW, look(), algorithm="")
        assert (got.generate, got.sign, got.wake) == ((), (), None)


class TestWake:
    @pytest.mark.parametrize(("age", "pause"), [(0, 60), (600, 60), (3600, 360), (86400, 900), (-5000, 60)])
    @pytest.mark.parametrize("stamps", [{}, {"seen": NOW - 10**6}])
    def test_looks_grow_rarer(self, age: int, pause: int, stamps: dict) -> None:
        """A key that nobody can see is looked at every minute first, then ever less, at last every 15 minutes."""
        key = replace(KEY, generated=NOW - age, **stamps)
        assert step((key,), NOW, look(Sight.UNKNOWN)).wake == NOW + pause

    def test_earliest_of_all(self) -> None:
        """With an active key and one on its way, the sooner of both asks for the next look."""
        active = replace(KEY, selector="s2", seen=NOW, published=NOW, activated=NOW)
        seen = Observation({"s1": Sight.VISIBLE}, frozenset({"s2"}), frozenset({"s1", "s2"}))
        assert step((active, KEY), NOW, seen).wake == NOW + 60

    @pytest.mark.parametrize(
        ("stamps", "seen", "want"),
        [
            ({}, look(Sight.ABSENT), "no name server shows it"),
            ({}, look(Sight.PARTIAL), "some name servers do not show it"),
            ({}, look(Sight.OTHER), "name servers show another text there"),
            ({}, look(Sight.UNKNOWN), "not all name servers have answered"),
            ({}, look(), "s1 was seen once on all name servers; a second look confirms it"),
            ({"seen": NOW - 60}, look(), "waits until 2026-11-18 12:16 UTC"),
            ({"seen": NOW, "published": NOW - 9000}, look(Sight.UNKNOWN), "s1 is ready, but not all name servers"),
            ({"seen": NOW, "published": NOW - 9000}, look(readable=False), "its private key is missing, unreadable"),
            ({"seen": NOW, "published": NOW - 9000}, look(), "s1 is ready: exim's map names it"),
            ({"activated": NOW - 9000}, look(), "exim signs with s1 since 2026-11-18 08:36 UTC"),
            ({"activated": NOW - 9000}, look(readable=False), "no other key can sign yet; a new rsa2048 key is made"),
        ],
    )
    def test_says_why(self, stamps: dict, seen: Observation, want: str) -> None:
        """Whoever reads `status` at night learns what each key waits for."""
        assert want in step((replace(KEY, **stamps),), NOW, seen).because


class TestAnotherAlgorithm:
    long = replace(KEY, selector="s3", algorithm="rsa4096")
    first = replace(KEY, seen=NOW, published=NOW, activated=NOW)
    ready = replace(KEY, selector="s2", seen=NOW, published=NOW, season=SEASON)

    def got(self, *keys: KeyPair, later: int = 9000) -> Step:
        names = frozenset({key.selector for key in keys})
        seen = Observation(dict.fromkeys(names, Sight.VISIBLE), frozenset({"s1"}), names, season=SEASON)
        return advance(keys, POLICY, NOW + later, seen, algorithm="rsa4096")

    def test_a_standby_of_the_wrong_kind(self) -> None:
        """One of the wanted kind is made, once; until that is ready the other one stands by, and then it goes."""
        assert self.got(self.first, self.ready).generate == ("rsa4096",)
        got = self.got(self.first, self.ready, self.long)
        assert got.generate == () and [key.retired for key in got.keys] == [None, None, None]
        seasoned = replace(self.long, seen=NOW, published=NOW, season=SEASON)
        got = self.got(self.first, self.ready, seasoned)
        assert [key.retired for key in got.keys] == [None, NOW + 9000, None] and got.generate == ()

    def test_it_takes_over_all_the_same(self) -> None:
        """A key whose time is over gives way to whichever is ready, the wanted kind before the other."""
        assert self.got(self.first, self.ready, later=91 * 86400).sign == ("s2",)
        seasoned = replace(self.long, seen=NOW, published=NOW, season=SEASON)
        assert self.got(self.first, self.ready, seasoned, later=91 * 86400).sign == ("s3",)

    def test_nothing_wanted(self) -> None:
        """Keys of a kind that is wanted no more are retired once exim's map does not name them and exim does not sign with them."""
        names = frozenset({"s1", "s2"})
        for signing, retired in (
            (frozenset({"s1"}), [None, NOW + 9000]),
            (frozenset(), [NOW + 9000] * 2),
            (None, [None, None]),
        ):
            seen = Observation(dict.fromkeys(names, Sight.VISIBLE), signing, names, left=True)
            got = advance((self.first, self.ready), POLICY, NOW + 9000, seen, algorithm="rsa2048")
            assert [key.retired for key in got.keys] == retired and got.generate == ()


class TestTheWayBack:
    old = replace(KEY, seen=NOW, published=NOW, activated=NOW, retired=NOW + 9000, overlap=6 * 86400)
    heir = replace(KEY, selector="s2", seen=NOW, published=NOW, season=SEASON, activated=NOW + 9000)

    def test_within_one_second(self) -> None:
        """A key that is called back counts as activated after the one that had taken over, however fast it goes; that one retires."""
        back = replace(self.old, recalled=NOW + 9000)
        seen = Observation(dict.fromkeys(("s1", "s2"), Sight.VISIBLE), frozenset({"s1"}), frozenset({"s1", "s2"}))
        got = step((back, self.heir), NOW + 9000, seen)
        one, two = got.keys
        assert (one.activated or 0) > (two.activated or 0) and (one.retired, two.retired) == (None, NOW + 9000)
        assert got.sign == ("s1",)

    def test_only_where_a_key_is_wanted(self) -> None:
        """A retired key signs again where nothing else does, but not where no key is wanted any more."""
        seen = Observation({"s1": Sight.VISIBLE}, frozenset(), frozenset({"s1"}))
        assert advance((self.old,), POLICY, NOW + 9100, seen, algorithm="rsa2048").sign == ("s1",)
        assert advance((self.old,), POLICY, NOW + 9100, seen, algorithm="").sign == ()
