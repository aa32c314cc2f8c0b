"""Rotation: the life of a first key, and the rules that no observation may break."""

from __future__ import annotations

import random
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnssync.core import durations, rotation, selectors
from dnssync.core.model import KeyPair, Phase
from dnssync.core.rotation import Observation, Policy, advance, phase
from dnssync.core.sighting import Sight

NOW = 1_795_000_000
POLICY = Policy()
KEY = KeyPair("example.org", "s1", "rsa2048", "AAAA", NOW)
SEASON = 3600 + 600


def look(
    sight: Sight = Sight.VISIBLE, *, signing: frozenset[str] | None = frozenset(), readable: bool = True
) -> Observation:
    names = frozenset({"s1"}) if readable else frozenset()
    return Observation({"s1": sight}, signing, names, season=SEASON, overlap=6 * 86400)


def step(keys: tuple[KeyPair, ...], now: int, seen: Observation | None = None):
    return advance(keys, POLICY, now, seen or look(), algorithm="rsa2048")


class TestFirstKey:
    def test_the_whole_way(self) -> None:
        """Made, seen twice, seasoned, named to exim, seen to sign: one pass each, and never earlier."""
        first = step((), NOW)
        assert first.generate == ("rsa2048",) and first.sign == ()
        one = step((KEY,), NOW)
        assert one.keys[0].seen == NOW and one.keys[0].published is None
        assert one.wake == NOW + 60
        two = step(one.keys, NOW + 60)
        assert two.keys[0].published == NOW + 60
        assert two.sign == () and two.wake == NOW + 60 + SEASON
        early = step(two.keys, NOW + 59 + SEASON)
        assert early.sign == ()
        ready = step(two.keys, NOW + 60 + SEASON)
        assert ready.sign == ("s1",) and ready.keys[0].activated is None
        done = step(ready.keys, NOW + 120 + SEASON, look(signing=frozenset({"s1"})))
        assert done.keys[0].activated == NOW + 120 + SEASON and done.sign == ("s1",)

    def test_two_looks_need_a_minute_between(self) -> None:
        """A second look 59 seconds later proves nothing."""
        keys = step((KEY,), NOW).keys
        assert step(keys, NOW + 59).keys[0].published is None

    @pytest.mark.parametrize("sight", [Sight.PARTIAL, Sight.ABSENT, Sight.OTHER])
    @pytest.mark.parametrize("stamps", [{"seen": NOW}, {"seen": NOW, "published": NOW + 60, "season": SEASON}])
    def test_missing_anywhere_takes_the_stamps_back(self, sight: Sight, stamps: dict) -> None:
        """A record that is not everywhere starts anew, and exim is not told of it."""
        got = step((replace(KEY, **stamps),), NOW + 9000, look(sight))
        assert (got.keys[0].seen, got.keys[0].published, got.sign) == (None, None, ())

    def test_unknown_changes_nothing(self) -> None:
        """Silence neither confirms nor takes back, and does not let exim switch."""
        key = replace(KEY, seen=NOW, published=NOW + 60, season=SEASON)
        got = step((key,), NOW + 9000, look(Sight.UNKNOWN))
        assert got.keys[0].published == NOW + 60 and got.sign == ()

    def test_unreadable_private_half_is_not_named_to_exim(self) -> None:
        """A key that exim could not open is no key to sign with."""
        key = replace(KEY, seen=NOW, published=NOW + 60, season=SEASON)
        assert step((key,), NOW + 9000, look(readable=False)).sign == ()

    def test_active_only_once_the_probe_saw_it(self) -> None:
        """`activated` is stamped from what exim does, not from what it was told."""
        key = replace(KEY, seen=NOW, published=NOW + 60, season=SEASON)
        for signing in (frozenset(), frozenset({"other"}), None):
            assert step((key,), NOW + 9000, look(signing=signing)).keys[0].activated is None

    def test_no_second_successor(self) -> None:
        """While one key is on its way, none is made beside it."""
        for stamps in ({}, {"seen": NOW}, {"seen": NOW, "published": NOW}):
            assert step((replace(KEY, **stamps),), NOW + 60, look(Sight.ABSENT)).generate == ()

    def test_clock_going_back(self) -> None:
        """A clock that jumps back makes us wait anew, never sign earlier."""
        key = replace(KEY, seen=NOW + 5000)
        got = step((key,), NOW)
        assert got.keys[0].seen == NOW and got.keys[0].published is None
        key = replace(KEY, seen=NOW - 60, published=NOW + 5000, season=SEASON)
        got = step((key,), NOW)
        assert got.keys[0].seen == NOW and got.keys[0].published is None

    def test_durations_only_grow(self) -> None:
        """A season or an overlap that is shorter today does not shorten the key's."""
        key = replace(KEY, season=9999, overlap=10**7)
        got = step((key,), NOW).keys[0]
        assert (got.season, got.overlap) == (9999, 10**7)
        longer = Observation({"s1": Sight.VISIBLE}, None, frozenset({"s1"}), season=20000, overlap=2 * 10**7)
        got = step((key,), NOW, longer).keys[0]
        assert (got.season, got.overlap) == (20000, 2 * 10**7)


class TestActive:
    active = replace(KEY, seen=NOW, published=NOW, activated=NOW, season=SEASON)

    @pytest.mark.parametrize("sight", list(Sight))
    def test_signs_whatever_dns_shows(self, sight: Sight) -> None:
        """No sight of DNS stops the active key from signing where there is no other; its sightings begin anew where it is gone."""
        got = step((self.active,), NOW + 9000, look(sight))
        assert got.sign == ("s1",)
        known = None if sight in (Sight.OTHER, Sight.ABSENT) else NOW
        assert (got.keys[0].seen, got.keys[0].published, got.keys[0].activated) == (known, known, NOW)

    def test_adopted_signs_at_once(self) -> None:
        """A hand-made key that exim signs with today goes on from its first moment."""
        got = step((replace(self.active, adopted=True, season=0),), NOW)
        assert got.sign == ("s1",) and got.keys[0].season == 0

    def test_lost_private_half(self) -> None:
        """Its loss makes a new key, once; until that is ready the map keeps what it has."""
        got = step((self.active,), NOW + 9000, look(readable=False))
        assert got.generate == ("rsa2048",) and got.sign == ()
        fresh = KeyPair("example.org", "s2", "rsa2048", "BBBB", NOW + 9000)
        seen = Observation({}, None, frozenset({"s2"}))
        assert step((self.active, fresh), NOW + 9060, seen).generate == ()

    def test_lost_private_half_with_a_standby(self) -> None:
        """A standby that is ready and visible takes over at once."""
        spare = replace(KEY, selector="s2", seen=NOW, published=NOW, season=SEASON)
        seen = Observation({"s1": Sight.VISIBLE, "s2": Sight.VISIBLE}, None, frozenset({"s2"}), SEASON, 0)
        assert step((self.active, spare), NOW + 9000, seen).sign == ("s2",)


class TestPhase:
    @pytest.mark.parametrize(
        ("stamps", "later", "want"),
        [
            ({}, 0, Phase.GENERATED),
            ({"seen": NOW}, 9, Phase.GENERATED),
            ({"published": NOW, "season": 10}, 9, Phase.PUBLISHED),
            ({"published": NOW, "season": 10}, 10, Phase.READY),
            ({"activated": NOW}, 9, Phase.ACTIVE),
            ({"activated": NOW, "retired": NOW, "overlap": 10}, 9, Phase.RETIRED),
            ({"activated": NOW, "retired": NOW, "overlap": 10}, 10, Phase.DUE),
            ({"retired": NOW, "revoked": NOW}, 9, Phase.REVOKED),
            ({"revoked": NOW, "removed": NOW}, 9, Phase.REMOVED),
        ],
    )
    def test_from_stamps(self, stamps: dict, later: int, want: Phase) -> None:
        """Each phase follows from the stamps and the moment."""
        assert phase(replace(KEY, **stamps), POLICY, NOW + later) is want

    def test_published(self) -> None:
        """DNS holds every key until it was seen gone."""
        gone = replace(KEY, selector="s0", removed=NOW)
        assert rotation.claimed_keys((gone, KEY), POLICY, NOW) == (KEY,)


class TestDurations:
    @pytest.mark.parametrize(
        ("negative", "previous", "want"),
        [(300, None, 3600), (7200, None, 7200), (10**6, None, 86400), (None, None, 3600), (300, 9000, 9000)],
    )
    def test_season(self, negative: int | None, previous: int | None, want: int) -> None:
        """The longest of negative TTL (a day at most), earlier TTL and an hour, and ten minutes."""
        assert durations.season(negative, previous)[0] == want + 600

    @pytest.mark.parametrize(
        ("got", "want"),
        [
            (durations.season(300, None), "1 h (an hour at least) and 10 min of margin"),
            (durations.season(7200, None), "2 h (the zone's negative TTL) and 10 min of margin"),
            (durations.season(300, 86400), "1 d (the TTL of what stood there) and 10 min of margin"),
            (durations.overlap(604800, 0, 3600), "7 d (the x= of its signatures) and 1 d of margin"),
            (durations.overlap(None, 0, 3600), "5 d (the queues of other servers) and 1 d of margin"),
            (durations.overlap(None, 10 * 86400, 3600), "10 d (exim's longest retry) and 1 d of margin"),
            (durations.overlap(None, 0, 10**6), "277.8 h (the record's TTL) and 1 d of margin"),
        ],
    )
    def test_reasons(self, got: tuple[int, str], want: str) -> None:
        """Each duration says what made it so long."""
        assert got[1] == want

    @pytest.mark.parametrize(
        ("expires", "cutoff", "want"), [(604800, 345600, 8), (None, 345600, 6), (None, 10 * 86400, 11)]
    )
    def test_overlap(self, expires: int | None, cutoff: int, want: int) -> None:
        """The longest of x=, five days, retry cutoff and TTL, and a day."""
        assert durations.overlap(expires, cutoff, 3600)[0] == want * 86400

    def test_due_is_spread(self) -> None:
        """Keys born together fall due up to a fifth of their life apart, each always at the same time."""
        keys = [replace(KEY, selector=f"s{n}", activated=NOW) for n in range(200)]
        times = [rotation.due(key, POLICY) for key in keys]
        assert times == [rotation.due(key, POLICY) for key in keys]
        assert all(NOW + 0.8 * POLICY.lifetime <= (time or 0) <= NOW + POLICY.lifetime for time in times)
        assert len(set(times)) > 190
        assert rotation.due(KEY, POLICY) is None


class TestNames:
    def test_selector(self) -> None:
        """The date, the kind, the host and a token: never the same twice."""
        assert selectors.selector(1795507200, "rsa", "mx1", "7f3a") == "20261124r-mx1-7f3a"
        assert selectors.selector(1795507200, "ed25519", "mx1", "7f3a") == "20261124e-mx1-7f3a"

    @pytest.mark.parametrize(
        ("name", "want"),
        [("mx1.example.org", "mx1"), ("Mail_Out.example.org", "mail-out"), ("-.x", "host"), ("a" * 70, "a" * 20)],
    )
    def test_host_id(self, name: str, want: str) -> None:
        """A host's part of the selector is LDH and short, whatever its name."""
        assert selectors.host_id(name) == want

    @given(st.text(max_size=300), st.integers(0, 4_000_000_000))
    def test_selector_is_a_label(self, hostname: str, now: int) -> None:
        """Whatever the host is called, the name is LDH, neither begins nor ends with a hyphen, and fits a label."""
        name = selectors.selector(now, "rsa", selectors.host_id(hostname), "7f3a")
        assert re.fullmatch(r"[0-9]{8}r-[a-z0-9](?:[a-z0-9-]*[a-z0-9])?-7f3a", name, re.ASCII) and len(name) <= 63

    @pytest.mark.parametrize(
        ("seconds", "want"),
        [(90 * 86400, "90 d"), (36 * 3600, "36 h"), (600, "10 min"), (45, "45 s"), (5400, "90 min")],
    )
    def test_duration(self, seconds: int, want: str) -> None:
        """Durations read as people say them."""
        assert durations.duration(seconds) == want


@given(
    st.lists(st.tuples(st.sampled_from(list(Sight)), st.integers(1, 5000), st.booleans()), min_size=1, max_size=60),
)
def test_pure_and_patient(looks: list[tuple[Sight, int, bool]]) -> None:
    """Whatever is seen, exim is only ever told of a key that stood everywhere for its season without a gap."""
    now, keys = NOW, (KEY,)
    unbroken: int | None = None
    for sight, later, readable in looks:
        now += later
        observation = look(sight, readable=readable)
        got = step(keys, now, observation)
        assert got == step(keys, now, observation)
        assert got.wake is None or got.wake > now
        if sight is Sight.VISIBLE:
            unbroken = now if unbroken is None else unbroken
        elif sight is not Sight.UNKNOWN:
            unbroken = None
        if got.sign:
            assert sight is Sight.VISIBLE and readable
            assert unbroken is not None and now - unbroken >= SEASON + POLICY.gap
        keys = got.keys


def test_three_years_of_weather() -> None:
    """A key set under failing look-ups: at most one key signs, none unseasoned, and every set gets there in the end."""
    for seed in range(20):
        chance = random.Random(seed)
        now, keys, told = NOW, (), ()
        for _ in range(400):
            now += chance.choice((60, 900, 3600))
            sights = {k.selector: Sight.UNKNOWN if chance.random() < 0.3 else Sight.VISIBLE for k in keys}
            probe = None if chance.random() < 0.2 else frozenset(told)
            got = advance(
                keys, POLICY, now, Observation(sights, probe, frozenset(sights), SEASON, 0), algorithm="rsa2048"
            )
            assert len(got.sign) <= 1
            assert len([k for k in got.keys if k.activated is None and k.retired is None]) + len(got.generate) <= 1
            made = tuple(KeyPair("example.org", f"s{now}", a, "AAAA", now) for a in got.generate)
            keys, told = (*got.keys, *made), got.sign or told
        assert keys[0].activated is not None
