"""Ten thousand keys are born over days: who waits, who never does, and whose turn it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnssync.core.births import BIRTHS
from dnssync.core.decide import Decision, decide
from dnssync.core.model import KeyPair, Limits, Owner, kind_of
from dnssync.core.observed import Observed, ZoneView
from dnssync.core.ownership import Applied
from dnssync.core.plan import Intent, digest
from dnssync.core.policy import MailPolicy
from dnssync.core.sighting import Sight
from dnssync.reconcile import again
from tests.zonetext import host, told, zone

NOW = 1_795_507_200
DAY = 86_400
BOTH = ("rsa2048", "ed25519")


def domains(number: int) -> list[str]:
    """So many domains."""
    return [f"d{n}.example" for n in range(number)]


def seen(names: Collection[str], keys: tuple[KeyPair, ...] = (), **fields: object) -> Observed:
    """A zone for each name, in which a person once applied something; nobody looks on. The keys stand in DNS and can be read."""
    spf = {("", "TXT", Owner.SPF): Applied("v=spf1 mx a ip4:192.0.2.1 -all", "")}
    views = tuple(
        ZoneView(n, MailPolicy(), (n,), Limits(), {"bind": zone("", n)}, {"bind": spf}, negative_ttl=60) for n in names
    )
    at = [(key.domain, key.selector) for key in keys]
    given: dict = {
        "now": NOW,
        "host": host(*names),
        "zones": views,
        "keys": keys,
        "sights": dict.fromkeys(at, Sight.VISIBLE),
        "readable": frozenset(at),
        "map": {},
        "beyond": told({}),
        "attended": False,
        "births": 3,
        **fields,
    }
    return Observed(**given)


def wanted(got: Decision) -> list[Intent]:
    """The keys that would be made, where nothing is refused."""
    return [intent for plan in got.zones if not plan.refusals for intent in plan.plan.intents]


def key(domain: str, algorithm: str, **stamps: int | None) -> KeyPair:
    """An active key, season and all over."""
    fields: dict = {"seen": 1, "published": 1, "activated": NOW - DAY, "season": 10, **stamps}
    return KeyPair(domain, f"{kind_of(algorithm)[0]}1", algorithm, "AAAA", 1, **fields)


def born(intents: Collection[Intent], now: int) -> tuple[KeyPair, ...]:
    """The keys of these intents."""
    return tuple(KeyPair(i.domain, f"{i.algorithm[0]}-{i.domain[:-8]}", i.algorithm, "AAAA", now) for i in intents)


@settings(max_examples=25)
@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 3))
def test_all_are_born(number: int, births: int, lost: int) -> None:
    """A pass makes as many as it may, or all that are left; each set gets one key, whatever could not be made meanwhile, and the last one
    comes when there have been passes enough."""
    names, keys, passes = domains(number), (), 0
    while intents := wanted(got := decide(seen(names, keys, births=births))):
        assert len(intents) == got.born == min(births, 2 * number - len(keys))
        assert got.waiting == 2 * number - len(keys) - len(intents)
        fails = passes < lost  # the disk refuses the last of them
        keys += born(intents[:-1] if fails else intents, NOW)
        passes += 1
    assert Counter((k.domain, k.kind) for k in keys) == {(n, kind): 1 for n in names for kind in ("rsa", "ed25519")}
    assert passes <= -(-(2 * number + lost) // births) + lost


def test_the_order_is_the_names() -> None:
    """Whose turn it is does not hang on which other domains there are, nor on the order in which they are told; a domain's two keys come together."""
    names = domains(20)
    first = {intent.domain for intent in wanted(decide(seen(names, births=10)))}
    assert len(first) == 5
    assert {intent.domain for intent in wanted(decide(seen(names[::-1], births=10)))} == first
    assert {intent.domain for intent in wanted(decide(seen(sorted(first), births=8)))} < first


def test_who_has_none_comes_first() -> None:
    """Domains without any key come before standbys."""
    names = domains(8)
    keys = tuple(key(name, algorithm) for name in names[:4] for algorithm in BOTH)
    assert {intent.domain for intent in wanted(decide(seen(names, keys, births=8)))} == set(names[4:])
    assert {intent.domain for intent in wanted(decide(seen(names, keys, births=16)))} == set(names)


URGENT: list[tuple[str, Callable[[KeyPair], KeyPair], dict]] = [
    ("called", lambda k: replace(k, called=NOW - 1), {}),
    ("compromised", lambda k: replace(k, compromised=NOW - 1), {}),
    ("compromised before it signed", lambda k: replace(k, activated=None, compromised=NOW - 1, retired=NOW - 1), {}),
    ("its file is lost", lambda k: k, {"readable": frozenset()}),
    ("its standby's file is lost", lambda k: replace(k, activated=None), {"readable": frozenset()}),
    ("its record is gone", lambda k: k, {"sights": {("d0.example", "r1"): Sight.ABSENT}}),
]


@pytest.mark.parametrize(("change", "fields"), [row[1:] for row in URGENT], ids=[row[0] for row in URGENT])
@pytest.mark.parametrize("births", [0, 1])
def test_what_somebody_waits_for_is_made_at_once(
    births: int, change: Callable[[KeyPair], KeyPair], fields: dict
) -> None:
    """A person's word, and a key that is lost or compromised: its successor takes nobody's turn, and waits for none."""
    mine = (change(key("d0.example", "rsa2048")),)
    got = decide(seen(domains(5), mine, births=births, **fields))
    assert Intent("d0.example", "rsa2048") in wanted(got) and len(wanted(got)) == births + 1 == got.born + 1


def test_a_word_that_was_honoured_is_no_hurry() -> None:
    """Once another key has come for one that was compromised, or signs in place of one that was called, the next standby waits like any."""
    old = key("d0.example", "rsa2048", compromised=NOW - DAY, retired=NOW - DAY)
    fresh = replace(key("d0.example", "rsa2048"), selector="r2", generated=NOW - DAY)
    for past in (old, replace(old, compromised=None, called=NOW - DAY)):
        assert wanted(decide(seen(["d0.example"], (past, fresh), births=0))) == []


def test_a_person_who_looks_on_waits_for_none() -> None:
    """By hand all keys are made at once."""
    got = decide(seen(domains(5), births=None, attended=True))
    assert len(wanted(got)) == 10 and got.waiting == 0 and got.turn is None
    assert not [notice for notice in got.notices if notice.reason == "births"]


def test_what_waits_is_looked_at_in_the_next_pass() -> None:
    """Its step says that it waits, and for no longer than a quarter of an hour; what else the set waits for comes at its own time."""
    got = decide(seen(["d0.example"], births=0))
    for step in got.steps.values():
        assert step.generate == () and NOW < (step.wake or 0) <= NOW + 900 and "waits for its turn" in step.because
    fresh = replace(key("d0.example", "rsa2048"), selector="r2")
    overlap = decide(seen(["d0.example"], (fresh,))).steps["d0.example", "rsa"].keys[0].overlap
    soon = key("d0.example", "rsa2048", retired=NOW + 200 - overlap, activated=2)
    step = decide(seen(["d0.example"], (soon, fresh), births=0)).steps["d0.example", "rsa"]
    assert step.sign == ("r2",) and step.wake == NOW + 200


@settings(max_examples=40)
@given(st.integers(1, 6), st.integers(0, 5), st.sets(st.integers(0, 11)))
def test_deciding_again_hands_no_turn_on(number: int, births: int, broken: set[int]) -> None:
    """With the keys in hand that were made, the plan of their zones is the one that was shown, and whatever could not be made, no other
    domain gets its turn."""
    before = seen(domains(number), births=births)
    shown = decide(before)
    made = [intent for at, intent in enumerate(wanted(shown)) if at not in broken]
    failed = {intent.domain for intent in wanted(shown)} - {intent.domain for intent in made}
    failed |= {intent.domain for at, intent in enumerate(wanted(shown)) if at in broken}
    keys = born(made, NOW)
    final = decide(again(replace(before, turn=shown.turn), keys))
    assert {intent.domain for intent in wanted(final)} <= failed
    names = {k.selector: intent for k, intent in zip(keys, made, strict=True) if intent.domain not in failed}
    was = [plan.plan for plan in shown.zones if plan.plan.zone not in failed]
    now = [replace(plan.plan, intents=()) for plan in final.zones if plan.plan.zone not in failed]
    assert digest(was) == digest(now, made=names)
    assert final.waiting == shown.waiting


def test_a_refused_zone_takes_no_turn() -> None:
    """Where a zone gets nothing no key is made, so that the turn is another's; what is refused stays in the plan."""
    got = seen(domains(6), births=4)
    order = list(dict.fromkeys(domain for domain, _ in sorted(decide(got).turn or ())))
    first = order[0]
    views = tuple(replace(v, undelegated="example", agreed={}) if v.zone == first else v for v in got.zones)
    after = decide(replace(got, zones=views))
    assert [plan.refusals[0].reason for plan in after.zones if plan.plan.zone == first] == ["not_delegated"]
    assert next(plan.plan.intents for plan in after.zones if plan.plan.zone == first)
    assert len(wanted(after)) == after.born == 4 and first not in {intent.domain for intent in wanted(after)}
    assert after.waiting == 6


def test_how_long_it_takes_is_told() -> None:
    """One notice for the host: how many wait, and when about the last one is made."""
    got = decide(seen(domains(5), births=4))
    [notice] = [notice for notice in got.notices if notice.reason == "births"]
    assert notice.sentence.startswith("6 new keys wait for their turn") and "a pass makes 4 " in notice.sentence
    assert "2026-11-24 08:30" in notice.sentence
    [notice] = [n for n in decide(seen(domains(5), births=9)).notices if n.reason == "births"]
    assert notice.sentence.startswith("1 new key waits for its turn") and "; it is made at about " in notice.sentence
    [notice] = [n for n in decide(seen(domains(5), births=0)).notices if n.reason == "births"]
    assert f"a pass makes {BIRTHS} " in notice.sentence
