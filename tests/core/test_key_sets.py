"""What each key set is told of the host and the zone when it is moved on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dnssync.core.clock import Reading, Verdict, newer
from dnssync.core.decide import decide
from dnssync.core.durations import DAY, HOUR, MARGIN
from dnssync.core.host import MailDomain, Signer, Transport
from dnssync.core.key_sets import signing
from dnssync.core.model import KeyPair
from dnssync.core.sighting import Sight
from tests.core.test_decide import ED, NOW, RSA, seen

D = "example.org"


def key(got, selector: str) -> KeyPair:
    """A key after the pass."""
    return next(key for key in got.keys if key.selector == selector)


@pytest.mark.parametrize("trusted", [True, False])
def test_the_clocks_verdict_reaches_the_keys(trusted):
    """What is due is revoked by a clock that is trusted alone."""
    due = replace(RSA, activated=2, retired=3, overlap=1)
    clock = Verdict(Reading(NOW, 1.0, "b"), trusted)
    got = decide(seen(keys=(due, ED), map={D: ("e1",)}, clock=clock))
    assert (key(got, "r1").revoked is not None) is trusted


def test_the_season_is_the_zones():
    """A key waits for as long as the zone's own negative answers may be held."""
    got = seen()
    view = replace(got.zones[0], negative_ttl=6 * HOUR)
    fresh = replace(RSA, seen=None, published=None, season=0)
    assert key(decide(replace(got, keys=(fresh, ED), zones=(view,))), "r1").season == 6 * HOUR + MARGIN


def test_a_season_that_nobody_knows_does_not_begin():
    """Where the zone does not tell for how long resolvers hold that there is nothing, a look counts for no key that is new."""
    fresh = replace(RSA, seen=NOW - HOUR, published=None, season=0)
    got = seen(keys=(fresh, ED))
    known = replace(got, zones=(replace(got.zones[0], negative_ttl=60),))
    assert key(decide(known), "r1").published == NOW
    assert key(decide(got), "r1") == replace(fresh, season=key(decide(got), "r1").season, season_because=key(decide(got), "r1").season_because,
                                             overlap=key(decide(got), "r1").overlap, overlap_because=key(decide(got), "r1").overlap_because)  # fmt: skip


def test_a_held_zone_is_not_looked_at_every_minute():
    """What would be done next minute in a zone that gets nothing waits a quarter of an hour; elsewhere it does not."""
    got = seen(keys=())
    assert decide(got).wake == NOW + 60
    held = replace(
        got,
        zones=(replace(got.zones[0], found={}, problem="out of order"),),
        keys=(replace(RSA, generated=NOW, seen=None, published=None),),
    )
    assert decide(held).wake == NOW + 15 * 60


def test_the_overlap_is_the_hosts():
    """A key's record stays for as long as exim itself may go on trying."""
    got = seen()
    mail = replace(got.host.domains[0], retry_cutoff=20 * DAY)
    other = replace(got, host=replace(got.host, domains=(mail,)))
    assert key(decide(other), "r1").overlap == 21 * DAY


def test_where_exim_cannot_open_keys_none_is_made():
    """A domain whose last key exim could not open gets no further one."""
    got = seen(keys=(), sights={}, readable=frozenset(), map={})
    assert decide(got).zones[0].plan.intents
    assert not decide(replace(got, closed={D: "the folder is closed to exim"})).zones[0].plan.intents


def test_a_transport_that_could_not_be_asked_proves_nothing():
    """One that the probe could not see makes what signs unknown, not nothing."""
    good = Transport("a", signers=(Signer(D, "s1", "/k.pem", "rsa2048", "AAAA"),))
    assert signing(MailDomain(D, transports=(good,))) == {"s1"}
    assert signing(MailDomain(D, transports=(good, Transport("b", problem="no answer")))) is None


def test_a_lost_map_names_what_signed():
    """Where the map is gone and the zone is held, what exim signed with goes on."""
    keys = (replace(RSA, activated=NOW - DAY), replace(ED, activated=NOW - DAY))
    got = seen(keys=keys, map={})
    held = replace(got, zones=(replace(got.zones[0], problem="out of order"),))
    assert decide(held).map_after == {D: ("r1", "e1")}


def test_a_selector_that_nobody_knows():
    """In a frozen domain's line it stays, unless exim cannot open its key: then it would cost the signatures of all."""
    got = seen(map={D: ("r1", "theirs")}, frozen=frozenset({D}))
    assert decide(got).map_after == {D: ("r1", "theirs")}
    transport = Transport("a", uses_map=True, signers=(Signer(D, "theirs", "/k.pem", problem="there is no such file"),))
    mail = replace(got.host.domains[0], transports=(transport,))
    broken = replace(got, host=replace(got.host, domains=(mail,)))
    assert decide(broken).map_after == {D: ("r1",)}


def test_a_kind_that_is_left_out_signs_until_the_other_does():
    """It goes out of the line once exim was seen to sign with the other kind, not before."""
    for activated, line in ((None, ("r1", "e1")), (NOW - DAY, ("r1",))):
        got = seen(keys=(replace(RSA, activated=activated), replace(ED, activated=NOW - DAY)))
        view = got.zones[0]
        policy = replace(view.policy, dkim=replace(view.policy.dkim, algorithms=("rsa2048",)))
        assert decide(replace(got, zones=(replace(view, policy=policy),))).map_after == {D: line}


def test_past_keys_of_another_name_of_the_host_do_not_move():
    """What was made under another name of this host, and is over, is left as it is."""
    old = replace(RSA, selector="20260101r-mx1-7f3a", activated=2, retired=3, overlap=1)
    sights = {(D, old.selector): Sight.VISIBLE}
    for host_id, moves in (("mx1", True), ("mx2", False)):
        got = decide(seen(keys=(old, ED), sights=sights, map={D: ("e1",)}, host_id=host_id))
        assert (key(got, old.selector).revoked is not None) is moves


def test_a_doubt_about_the_clock_is_kept():
    """A reading with another doubt is always worth keeping."""
    last = Reading(NOW, 1.0, "b")
    assert newer(last, replace(last, doubted=NOW)) and newer(replace(last, doubted=NOW), last)
    assert not newer(last, replace(last, wall=NOW + 60))


@pytest.mark.parametrize("look", [Sight.VISIBLE, Sight.UNKNOWN])
def test_a_refused_zone_leaves_a_key_that_others_revoked(look):
    """Where somebody else revoked the key that signs, the standby signs, refused or not; as long as receivers can verify that."""
    keys = (
        replace(RSA, activated=NOW - DAY),
        replace(RSA, selector="r2", public_key="BBBB"),
        replace(ED, activated=NOW - DAY),
    )
    sights = {(D, "r1"): Sight.OTHER, (D, "r2"): look, (D, "e1"): Sight.VISIBLE}
    readable = frozenset((D, name) for name in ("r1", "r2", "e1"))
    got = seen(keys=keys, sights=sights, readable=readable, map={D: ("r1", "e1")})
    held = replace(got, zones=(replace(got.zones[0], problem="out of order"),))
    assert decide(held).map_after == {D: ("r2" if look is Sight.VISIBLE else "r1", "e1")}


class TestHeldBesideRevoked:
    """Where the zone gets nothing, and somebody else revoked the key that signs, while its set goes on with one that is active too: its
    record was gone once, and is back for less than a season."""

    BACK = replace(ED, selector="e2", published=NOW - HOUR, activated=NOW - DAY, season=2 * HOUR)
    KEYS = (replace(RSA, activated=NOW - DAY), replace(ED, activated=NOW - 9 * DAY), BACK)

    def line(self, *keys: KeyPair, problem: str = "out of order", lost: str = "", **sights: Sight) -> tuple[str, ...]:
        """What exim's map holds after a pass that saw this of the records."""
        names = [key.selector for key in keys]
        got = seen(
            keys=keys,
            sights={(D, name): sights.get(name, Sight.VISIBLE) for name in names},
            readable=frozenset((D, name) for name in names if name != lost),
            map={D: ("r1", "e1")},
            frozen=frozenset() if problem else frozenset({D}),
        )
        assert decide(got).steps[(D, "ed25519")].sign == ("e2",)
        return decide(replace(got, zones=(replace(got.zones[0], problem=problem),))).map_after[D]

    @pytest.mark.parametrize("problem", ["out of order", ""], ids=["held", "frozen"])
    @pytest.mark.parametrize("look", Sight)
    def test_no_kind_falls_out_of_the_line(self, look: Sight, problem: str) -> None:
        """A key gives way to one that stands, by this look or, where that was silent, by those before; to none it does not, and the
        mail goes on with both kinds of signature."""
        comes = "e2" if look in (Sight.VISIBLE, Sight.UNKNOWN) else "e1"
        assert self.line(*self.KEYS, problem=problem, e1=Sight.OTHER, e2=look) == ("r1", comes)

    def test_silence_proves_nothing_back(self) -> None:
        """Of one that was gone, and of which nothing was heard since, nobody knows that it is back."""
        gone = replace(self.BACK, seen=None, published=None)
        assert self.line(*self.KEYS[:2], gone, e1=Sight.OTHER, e2=Sight.UNKNOWN) == ("r1", "e1")

    def test_silence_about_the_one_that_is_left(self) -> None:
        """Where the key that signs is lost, the other one signs, though a look at it had no answer; if it was known to stand before."""
        gone = replace(self.BACK, seen=None, published=None)
        for last, line in ((self.BACK, ("r1", "e2")), (gone, ("r1",))):
            assert self.line(*self.KEYS[:2], last, lost="e1", e2=Sight.UNKNOWN) == line
