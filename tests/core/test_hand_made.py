"""A hand-made key whose record somebody else keeps, behind a CNAME: it signs on, and that record is left alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dnssync.core.decide import ZonePlan, decide
from dnssync.core.model import KeyPair
from tests.core.test_decide import NOW, seen
from tests.zonetext import silent, told, zone

KEY = KeyPair("example.org", "one", "rsa2048", "AAAA", NOW, NOW, NOW, NOW, adopted=True)
BEHIND = ("one.keys.vendor.test", "TXT")


def planned(text: str, key: KeyPair = KEY, beyond=silent) -> ZonePlan:
    """The plan of a zone with this text, where exim signs with the key."""
    view = replace(seen().zones[0], found={"bind": zone(text)})
    [plan] = decide(seen(zones=(view,), keys=(key,), map={"example.org": ("one",)}, beyond=beyond)).zones
    return plan


def touched(plan: ZonePlan) -> bool:
    """Whether anything at the key's name is claimed."""
    return any(claim.name == "one._domainkey" for claim in plan.claims)


ALIAS = "one._domainkey IN CNAME one.keys.vendor.test."


@pytest.mark.parametrize("text", ["v=DKIM1; k=rsa; p=AAAA", "k=rsa; t=s; p=AA AA"])
def test_left_alone(text: str) -> None:
    """Where the CNAME leads to the right key, in whatever words, the zone is not refused and nothing is claimed there."""
    plan = planned(ALIAS, beyond=told({BEHIND: (text,)}))
    assert not touched(plan) and not plan.refusals
    inside = planned(f'one._domainkey IN CNAME keys\nkeys IN TXT "{text}"', beyond=told({}))
    assert not touched(inside) and not inside.refusals


def test_silence_is_no_loss() -> None:
    """Where nobody answers for the vendor's name, the record is not taken for lost."""
    plan = planned(ALIAS, beyond=lambda name, kind: None if (name, kind) == BEHIND else ())
    assert not touched(plan) and not plan.refusals


@pytest.mark.parametrize("texts", [(), ("v=DKIM1; k=rsa; p=ZZZZ",), ("no key at all",)])
def test_another_key_behind_it(texts: tuple[str, ...]) -> None:
    """Where it leads to another key, or to none, receivers refuse that mail today, and that is refused with a remedy."""
    plan = planned(ALIAS, beyond=told({BEHIND: texts}))
    assert [refusal.reason for refusal in plan.refusals] == ["cname"]


def test_a_key_of_ours() -> None:
    """At a selector that dnssync made a CNAME is in the way, wherever it leads."""
    plan = planned(ALIAS, replace(KEY, adopted=False), told({BEHIND: ("v=DKIM1; k=rsa; p=AAAA",)}))
    assert [refusal.reason for refusal in plan.refusals] == ["cname"]


def test_without_an_alias() -> None:
    """Without a CNAME the record of a hand-made key is claimed as ever."""
    assert touched(planned('one._domainkey IN TXT "v=DKIM1; k=rsa; p=AAAA"', beyond=told({})))


@pytest.mark.parametrize("text", ["v=DKIM1; k=rsa; p=AAAA", "v=DKIM1; k=rsa; p=ZZZZ"])
def test_a_past_key_behind_a_cname(text: str) -> None:
    """Once nothing is signed with it, what stands behind the CNAME is nobody's trouble, and the zone is not refused for it."""
    past = replace(KEY, activated=2, retired=3, overlap=1)
    view = replace(seen().zones[0], found={"bind": zone(ALIAS)})
    [plan] = decide(seen(zones=(view,), keys=(past,), map={}, beyond=told({BEHIND: (text,)}))).zones
    assert not touched(plan) and not plan.refusals
