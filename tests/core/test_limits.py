"""What the providers of a zone cannot hold is left out, or made to fit, and told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dnssync.core import dkim
from dnssync.core.decide import Decision, decide
from dnssync.core.key_sets import RSA_TEXTS, algorithms
from dnssync.core.model import KeyPair, Limits, Owner
from dnssync.core.observed import Observed, ZoneView
from dnssync.core.ownership import Applied
from dnssync.core.policy import DkimPolicy, MailPolicy
from dnssync.core.sighting import Sight
from tests.zonetext import host, told, zone

TEXT_ALONE = frozenset({"TXT"})


def looked(limits: Limits, records: str = "", ledger: dict | None = None, **policy: object) -> Observed:
    """example.org at a provider with these limits."""
    view = ZoneView("example.org", replace(MailPolicy(), **policy), ("example.org",), limits, {"theirs": zone(records)},
                    ledger={"theirs": ledger or {}}, negative_ttl=300)  # fmt: skip
    return Observed(1_795_507_200, host("example.org"), (view,), (), {}, frozenset(), {}, told({}))


def words(got: Decision) -> dict[str, str]:
    """The notices of the zone's plan."""
    return {notice.reason: notice.sentence for plan in got.zones for notice in plan.notices}


@pytest.mark.parametrize(
    ("configured", "limits", "used"),
    [(60, Limits(min_ttl=300), 300), (604800, Limits(max_ttl=86400), 86400), (3600, Limits(min_ttl=300, max_ttl=86400), None)],
)  # fmt: skip
def test_ttl(configured: int, limits: Limits, used: int | None) -> None:
    """A TTL outside of what the provider takes becomes the nearest that it does, and that is told, once."""
    got = decide(looked(limits, ttl=configured))
    assert {c.new.ttl for plan in got.zones for c in plan.plan.changes if c.new} == {used or configured}
    assert ("ttl_clamped" in words(got)) is (used is not None)
    if used:
        assert f" {configured} seconds" in words(got)["ttl_clamped"] and f"{used} is used" in words(got)["ttl_clamped"]


def test_ttl_of_nothing() -> None:
    """Where nothing is published, no TTL is told of."""
    view = replace(looked(Limits(min_ttl=300), ttl=60).zones[0], domains=())
    assert "ttl_clamped" not in words(decide(replace(looked(Limits(min_ttl=300)), zones=(view,))))


@pytest.mark.parametrize(
    ("txt", "wanted", "got"),
    [
        (65000, "rsa4096", "rsa4096"),
        (65000, "rsa2048", "rsa2048"),
        (RSA_TEXTS[4096], "rsa4096", "rsa4096"),
        (RSA_TEXTS[4096] - 1, "rsa4096", "rsa3072"),
        (RSA_TEXTS[3072] - 1, "rsa4096", "rsa2048"),
        (RSA_TEXTS[2048], "rsa2048", "rsa2048"),
        (RSA_TEXTS[2048] - 1, "rsa2048", "rsa1024"),
        (255, "rsa3072", "rsa1024"),
        (255, "rsa1024", "rsa1024"),
        (255, "ed25519", "ed25519"),
    ],
)
def test_length_of_a_key(txt: int, wanted: str, got: str) -> None:
    """RSA gets as long as its record may be, and no longer than the policy says."""
    seen = looked(Limits(txt=txt), dkim=DkimPolicy(algorithms=(wanted,)))
    assert algorithms(seen.zones[0]) == (got,)
    assert ("shorter_key" in words(decide(seen))) is (wanted != got)


def test_ed25519_alone() -> None:
    """Where the configuration names Ed25519 alone, a short limit costs nothing and is not told of."""
    got = decide(looked(Limits(txt=255), dkim=DkimPolicy(algorithms=("ed25519",))))
    assert {intent.algorithm for plan in got.zones for intent in plan.plan.intents} == {"ed25519"}
    assert "shorter_key" not in words(got)


@pytest.mark.parametrize("bits", RSA_TEXTS)
def test_lengths_are_those_of_real_keys(bits: int) -> None:
    """What is taken for the length of a record is that of a real key's."""
    import base64

    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = rsa.generate_private_key(65537, bits).public_key()
    p = base64.b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
    assert len(f"v=DKIM1; k=rsa; p={p}") == RSA_TEXTS[bits]


class TestType99:
    def spf(self, got: Decision) -> list[str]:
        """What is done with records of type SPF."""
        return [str(change.kind) for plan in got.zones for change in plan.plan.changes if change.type == "SPF"]

    def test_not_held(self) -> None:
        """It is left out with one notice, however many names there are."""
        seen = looked(Limits(types=TEXT_ALONE, type99=False))
        view = replace(seen.zones[0], domains=("example.org", "sub.example.org"))
        got = decide(replace(seen, zones=(view,), host=host("example.org", "sub.example.org")))
        assert self.spf(got) == []
        assert [n.reason for plan in got.zones for n in plan.notices].count("type99_not_held") == 1

    def test_not_held_any_more(self) -> None:
        """One that we wrote goes, so that it does not go on saying what the TXT record says no more; one of somebody else stays."""
        text = "v=spf1 mx a ip4:192.0.2.9 -all"
        ours = {("", "SPF", Owner.SPF): Applied(text, "example.org", text)}
        limits = Limits(types=TEXT_ALONE, type99=False)
        assert self.spf(decide(looked(limits, f'@ IN SPF "{text}"', ours))) == ["delete"]
        assert self.spf(decide(looked(limits, f'@ IN SPF "{text}"'))) == []

    def test_not_told(self) -> None:
        """Where the provider only did not say today that it takes them, what stands there stays."""
        text = "v=spf1 mx a ip4:192.0.2.9 -all"
        ours = {("", "SPF", Owner.SPF): Applied(text, "example.org", text)}
        assert self.spf(decide(looked(Limits(type99=False), f'@ IN SPF "{text}"', ours))) == []


LONG = KeyPair("example.org", "s1", "rsa2048", "A" * 392, 1, 1, 1, activated=1, season=10)


def test_a_key_that_a_provider_which_joins_cannot_hold() -> None:
    """It is not sent there, so that all else is written; a shorter one is made, and it gives way to that; what stands stays."""
    text = dkim.record_for(LONG)
    seen = replace(looked(Limits(txt=255), f's1._domainkey IN TXT "{text[:200]}" "{text[200:]}"'), keys=(LONG,), map={"example.org": ("s1",)},
                   sights={("example.org", "s1"): Sight.PARTIAL}, readable=frozenset({("example.org", "s1")}))  # fmt: skip
    view = replace(seen.zones[0], found={**seen.zones[0].found, "new": zone("")}, ledger={"theirs": {}, "new": {}})
    got = decide(replace(seen, zones=(view,)))
    assert not any(plan.refusals for plan in got.zones), [plan.refusals for plan in got.zones]
    names = {plan.plan.provider: {c.name for c in plan.plan.changes} for plan in got.zones}
    assert "s1._domainkey" not in names["new"] | names["theirs"] and {"", "_dmarc"} <= names["new"]
    assert {i.algorithm for plan in got.zones for i in plan.plan.intents} == {"rsa1024", "ed25519"}
    [key] = [key for key in got.keys if key.selector == "s1"]
    assert key.called == seen.now and "255" in words(got)["key_not_held"]


def test_a_text_that_is_too_long() -> None:
    """Whatever else a provider cannot hold is said by the plan, and nothing is begun."""
    extra = tuple(f"ip4:192.0.2.{n}" for n in range(30, 60))
    seen = looked(Limits(txt=255), spf=replace(MailPolicy().spf, extra=extra), dkim=DkimPolicy(algorithms=("ed25519",)))
    [plan] = decide(seen).zones
    assert {refusal.reason for refusal in plan.refusals} == {"too_long"}
