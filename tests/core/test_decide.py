"""One pass decided: what the zones, the keys and exim's map get together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dnssync.core.decide import decide
from dnssync.core.hand_made import adopted
from dnssync.core.host import MailDomain, Signer, Transport
from dnssync.core.model import KeyPair, Limits
from dnssync.core.observed import Observed, ZoneView
from dnssync.core.policy import MailPolicy
from dnssync.core.sighting import Sight
from dnssync.core.taken_on import mapped
from tests.zonetext import host, told, zone

NOW = 1_795_507_200
RSA = KeyPair("example.org", "r1", "rsa2048", "AAAA", 1, 1, 1, season=10)
ED = KeyPair("example.org", "e1", "ed25519", "BBBB", 1, 1, 1, season=10)


def seen(**fields: object) -> Observed:
    """example.org with two READY keys that the map names; exim has not been seen to sign yet."""
    found = zone('r1._domainkey IN TXT "v=DKIM1; k=rsa; p=AAAA"\ne1._domainkey IN TXT "v=DKIM1; k=ed25519; p=BBBB"')
    view = ZoneView("example.org", MailPolicy(), ("example.org",), Limits(), {"bind": found})
    both = {("example.org", "r1"), ("example.org", "e1")}
    given: dict = {
        "now": NOW,
        "host": host("example.org"),
        "zones": (view,),
        "keys": (RSA, ED),
        "sights": dict.fromkeys(both, Sight.VISIBLE),
        "readable": frozenset(both),
        "map": {"example.org": ("r1", "e1")},
        "beyond": told({}),
        **fields,
    }
    return Observed(**given)


def line(**fields: object) -> tuple[str, ...]:
    """What exim's map holds for example.org afterwards."""
    return decide(seen(**fields)).map_after["example.org"]


class TestMapLine:
    def test_both(self) -> None:
        """Two READY keys that are seen stay in the line."""
        assert line() == ("r1", "e1")

    def test_silence_takes_none_out(self) -> None:
        """Where the servers are silent about one key, its selector stays: it was seasoned."""
        sights = {("example.org", "r1"): Sight.VISIBLE, ("example.org", "e1"): Sight.UNKNOWN}
        assert line(sights=sights) == ("r1", "e1")

    def test_a_record_that_is_gone_takes_it_out(self) -> None:
        """Where they say that it is not there, it goes: receivers could not verify it."""
        sights = {("example.org", "r1"): Sight.VISIBLE, ("example.org", "e1"): Sight.ABSENT}
        assert line(sights=sights) == ("r1",)

    def test_a_lost_private_half_takes_it_out(self) -> None:
        """One missing key costs both signatures, so its selector goes rather than both."""
        keys = (replace(RSA, activated=2), replace(ED, activated=2))
        assert line(keys=keys, readable=frozenset({("example.org", "r1")})) == ("r1",)

    def test_both_lost_keeps_the_line(self) -> None:
        """Where nothing else could sign, the line stays: with DKIM_STRICT the mail waits, it does not leave unsigned."""
        keys = (replace(RSA, activated=2), replace(ED, activated=2))
        assert line(keys=keys, readable=frozenset()) == ("r1", "e1")

    @pytest.mark.parametrize("problem", ["", "out of order"])
    def test_a_zone_that_cannot_be_read_keeps_its_line(self, problem: str) -> None:
        """A zone that failed keeps what the map says of it."""
        got = seen(map={"example.org": ("old",)})
        view = replace(got.zones[0], problem=problem)
        after = decide(replace(got, zones=(view,))).map_after["example.org"]
        assert after == (("old",) if problem else ("r1", "e1"))


class TestAdopted:
    def take(self, *signers: Signer) -> tuple[KeyPair, ...]:
        """What is taken on of a domain that these sign."""
        mail = MailDomain("example.org", transports=(Transport("remote_smtp", signers=signers),))
        text = {"s1": "k=rsa; p=AAAA", "s2": "v=DKIM1; p=ZZZZ"}
        return adopted(replace(host(), domains=(mail,)), (), NOW, lambda domain, selector: text.get(selector, ""))

    def test_with_its_record(self) -> None:
        """A key of a file is taken on with the text that stands in DNS for it, and is active at once."""
        [key] = self.take(Signer("example.org", "s1", "/k.pem", "rsa2048", "AAAA"))
        assert (key.record, key.adopted, key.activated) == ("k=rsa; p=AAAA", True, NOW)

    def test_another_key_in_dns_is_not_its_record(self) -> None:
        """A text with another key is not taken for its record."""
        [key] = self.take(Signer("example.org", "s2", "/k.pem", "rsa2048", "AAAA"))
        assert key.record == ""

    @pytest.mark.parametrize(
        "signer",
        [
            Signer("example.org", "s1", "/k.pem", problem="cannot be read"),
            Signer("example.org", "s1", "(in exim's configuration)", "rsa2048", "AAAA"),
            Signer("other.example", "s1", "/k.pem", "rsa2048", "AAAA"),
        ],
        ids=["unusable", "inline", "another domain's"],
    )
    def test_not_taken_on(self, signer: Signer) -> None:
        """A key that exim cannot use, that is in no file, or that is another domain's is not taken on."""
        assert self.take(signer) == ()


@pytest.mark.parametrize(
    ("selector", "text", "by_hand"),
    [
        ("20261124r-mx-aaaa", "v=DKIM1; k=rsa; p=AAAA", False),
        ("20261124r-mx-aaaa", "v=DKIM1; k=rsa; t=s; p=AAAA", True),
        ("mail", "v=DKIM1; k=rsa; p=AAAA", True),
    ],
)
def test_taken_on_from_the_map(selector: str, text: str, by_hand: bool) -> None:
    """A key that only exim's map knows is active at once; one that was hand-made by its name or text is kept as such."""
    at = ("example.org", selector)
    [key] = mapped({at[0]: (selector,)}, (), NOW, lambda *at: ("rsa2048", "AAAA"), lambda *at: text)
    assert (key.activated, key.adopted, key.record) == (NOW, by_hand, text if by_hand else "")
    assert mapped({at[0]: (selector,)}, (key,), NOW, lambda *at: ("rsa2048", "AAAA"), lambda *at: text) == ()


def test_unusable_keys_are_told() -> None:
    """A key that exim is told to sign with and cannot, and one that is in no file, are notices."""
    signers = (
        Signer("example.org", "s1", "/k.pem", problem="/k.pem is not there."),
        Signer("example.org", "s2", "(inline)", "rsa2048", "A"),
        Signer("example.org", "s3", "/n.pem", problem="there is no such file"),
    )
    mail = replace(
        host("example.org").domains[0], transports=(Transport("remote_smtp", takes_macros=True, signers=signers),)
    )
    got = decide(seen(host=replace(host(), domains=(mail,))))
    words = [notice.sentence for notice in got.notices if notice.reason == "signing_key_unusable"]
    assert len(words) == 3 and "/k.pem is not there. Such mail" in words[0] and "write it to a file" in words[1]
    assert "no such file. Such mail" in words[2]


@pytest.mark.parametrize(
    ("records", "season"),
    [
        ("", 4200), ('* 86400 IN TXT "x"', 87000), ('*._domainkey 7200 IN CNAME a.test.', 7800), ("* 86400 IN A 192.0.2.1", 4200),
        ('x 86400 IN TXT "x"', 4200),
    ],
)  # fmt: skip
def test_a_wildcard_lengthens_the_season(records: str, season: int) -> None:
    """Resolvers may hold what a wildcard answered for a new selector's name, as long as its TTL says."""
    view = ZoneView("example.org", MailPolicy(), ("example.org",), Limits(), {"bind": zone(records)})
    young = replace(RSA, published=NOW - 60, seen=NOW - 60)
    got = decide(seen(zones=(view,), keys=(young, ED)))
    assert {key.season for key in got.keys if key.selector == "r1"} == {season}
