"""Rules of desire and plan that the mutants asked for: silence drops nothing, a revoked key says so, an intent counts."""

from __future__ import annotations

from dataclasses import replace

from dnssync.core import dkim
from dnssync.core.desire import desire
from dnssync.core.model import KeyPair, Limits, Phase
from dnssync.core.plan import Intent, Plan, digest
from dnssync.core.policy import MailPolicy
from dnssync.core.wish import Wish
from tests.zonetext import host, silent, zone

KEY = KeyPair("example.org", "s1", "rsa2048", "AAAA", 1, 1, 1, 1, retired=2)


def claimed(*published: KeyPair, at: Phase = Phase.ACTIVE) -> dict[tuple[str, str], str | None]:
    """What example.org claims in an empty zone while nobody answers any look-up."""
    got = desire(
        Wish(
            zone="example.org",
            policy=MailPolicy(),
            domains=("example.org",),
            host=host("example.org"),
            found=zone(""),
            keys=published,
            phases={(key.domain, key.selector): at for key in published},
            ledger={},
            limits=Limits(),
            dns=silent,
            host_id="mx1",
        )
    )
    return {claim.key: claim.value for claim in got.claims}


def test_silence_about_the_domain_drops_no_term() -> None:
    """Where nobody answers for the domain itself, neither `mx` nor `a` is left out."""
    assert claimed()[("", "TXT")] == "v=spf1 mx a ip4:192.0.2.1 -all"


def test_a_revoked_key_is_published_as_such() -> None:
    """Once its overlap is over the record of a key has an empty p=, and its public half before (RFC 6376 §3.6.1); then it goes."""
    at = ("s1._domainkey", "TXT")
    for phase in Phase:
        texts = claimed(KEY, at=phase)
        if phase in (Phase.ENDED, Phase.REMOVED):
            assert texts.get(at) is None
        else:
            assert dkim.parse(texts[at] or "").p == ("" if phase in (Phase.DUE, Phase.REVOKED) else "AAAA")


def test_a_key_to_make_is_part_of_the_digest() -> None:
    """A plan that would make a key, or a key of another algorithm, is not the plan that was shown."""
    plans = [Plan("example.org", "bind", (), (), (Intent("example.org", name),)) for name in ("rsa2048", "rsa4096")]
    assert len({digest([plan]) for plan in (Plan("example.org", "bind"), *plans)}) == 3


def test_a_key_of_another_host_is_left_alone() -> None:
    """Whether another host still signs with a key of its name is not known here: its record is neither revoked nor taken out, nor put back."""
    name, place = "20260101r-mx9-7f3a", ("20260101r-mx9-7f3a._domainkey", "TXT")
    assert place not in claimed(replace(KEY, selector=name), at=Phase.DUE)
    assert place not in claimed(replace(KEY, selector=name), at=Phase.RETIRED)
    assert place not in claimed(replace(KEY, selector=name), at=Phase.ACTIVE)
    assert place in claimed(replace(KEY, selector=name, compromised=2), at=Phase.DUE)
