"""Zones of their own for a domain's keys and its DMARC record: each record goes to the zone that holds it, and to no other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dnssync.core import dkim
from dnssync.core.decide import Decision, decide
from dnssync.core.homes import guests, home, homes_of, key_zone, zones_above
from dnssync.core.model import KeyPair, Limits
from dnssync.core.observed import Observed, ZoneView
from dnssync.core.ownership import Applied, Owner
from dnssync.core.policy import MailPolicy
from dnssync.core.sighting import Sight
from tests.zonetext import host, told, zone

NOW = 1_795_507_200
APART, POLICY = "_domainkey.example.org", "_dmarc.example.org"
ZONES = ("example.org", APART, POLICY)
LEDGER = {("x", "TXT", Owner.DKIM): Applied("v=DKIM1; p=CCCC", "example.org")}
KEY = KeyPair("example.org", "s1", "rsa2048", "AAAA", 1, 1, 1, season=10)


def plain(**fields: object) -> MailPolicy:
    """A policy without report addresses and with one SPF mechanism."""
    policy = replace(MailPolicy(), spf=replace(MailPolicy().spf, mechanisms=("addresses",)))
    return replace(policy, **{"dmarc": replace(policy.dmarc, rua=()), **fields})


def looked(*records: str, **fields: object) -> Observed:
    """example.org, its zone of keys and its zone for DMARC (as many as there are texts), as a pass sees them."""
    names = ZONES[: max(len(records), 1)]
    views = tuple(
        ZoneView(name, plain(), ("example.org",) if name == "example.org" else (), Limits(),
                 {"theirs": zone(text, name)}, negative_ttl=300)
        for name, text in zip(names, records or ("",), strict=True)
    )  # fmt: skip
    given: dict = {
        "now": NOW, "host": host("example.org"), "zones": views, "keys": (), "sights": {}, "readable": frozenset(), "map": {},
        "beyond": told({}), "configured": frozenset(names), "policies": {"example.org": plain()}, **fields,
    }  # fmt: skip
    return Observed(**given)


def changed(got: Decision) -> dict[str, set[tuple[str, str]]]:
    """By zone, the names and types that would be written; a key that is not made yet as `new`."""
    return {
        plan.plan.zone: {("new" if "<new" in c.name else c.name, c.type) for c in plan.plan.changes}
        for plan in got.zones
    }


@pytest.mark.parametrize(
    ("zones", "want"),
    [
        (("example.org",), "example.org"),
        (("example.org", APART), APART),
        (("example.org", "org"), "example.org"),
        ((APART,), APART),
        (("example.net",), None),
    ],
)
def test_longest_name(zones: tuple[str, ...], want: str | None) -> None:
    """The longest configured name counts, for the keys that a domain gets and for each that it has."""
    assert home("Example.org", "_domainkey", zones) == want
    assert key_zone(KEY, zones) == want


def test_guests() -> None:
    """A zone has the domains of another one as guests where it holds one of their records, each once."""
    served = {"example.org": ("example.org", "sub.example.org"), APART: (), POLICY: ()}
    assert guests(served, served) == {APART: ("example.org",), POLICY: ("example.org",)}


def test_each_record_in_its_zone() -> None:
    """SPF stays in the domain's zone, keys and DMARC go to theirs, under names that are relative there."""
    got = decide(looked("", "", ""))
    assert changed(got) == {
        "example.org": {("", "TXT"), ("", "SPF")},
        APART: {("new", "TXT")},
        POLICY: {("", "TXT")},
    }
    [apart] = [plan for plan in got.zones if plan.plan.zone == APART]
    assert {intent.domain for intent in apart.plan.intents} == {"example.org"}
    assert [p.plan.intents for p in got.zones if p.plan.zone != APART] == [(), ()]


def test_without_such_zones_all_is_as_before() -> None:
    """Where only the domain's own zone is configured, it holds everything."""
    assert changed(decide(looked(""))) == {"example.org": {("", "TXT"), ("", "SPF"), ("new", "TXT"), ("_dmarc", "TXT")}}


def test_policy_is_the_domains() -> None:
    """DMARC in a zone of its own says what the domain's policy says; so does parking, which publishes no key."""
    strict = plain(dmarc=replace(plain().dmarc, p="reject", explicit=frozenset({"p"})))
    got = decide(looked("", "", "", policies={"example.org": strict}))
    [plan] = [plan for plan in got.zones if plan.plan.zone == POLICY]
    assert plan.plan.changes[0].new is not None and plan.plan.changes[0].new.values[0].text == "v=DMARC1; p=reject"
    seen = looked("", "", "", policies={"example.org": plain(parked=True)}, keys=(KEY,))
    parked = tuple(replace(view, policy=plain(parked=True)) if view.domains else view for view in seen.zones)
    got = decide(replace(seen, zones=parked))
    assert changed(got)[APART] == set()
    [plan] = [plan for plan in got.zones if plan.plan.zone == POLICY]
    assert plan.plan.changes[0].new is not None and "p=reject; sp=reject" in plan.plan.changes[0].new.values[0].text


def ready(text: str = dkim.record_for(KEY), **fields: object) -> Observed:
    """A key in its own zone that is ready to sign, and is named in the map."""
    rows = {
        "keys": (KEY,),
        "sights": {("example.org", "s1"): Sight.VISIBLE},
        "readable": frozenset({("example.org", "s1")}),
    }
    seen = looked("", f's1 IN TXT "{text}"', "", **{**rows, "map": {"example.org": ("s1",)}, **fields})
    only = tuple(replace(v, policy=plain(dkim=replace(plain().dkim, algorithms=("rsa2048",)))) for v in seen.zones)
    return replace(seen, zones=only)


def test_the_map_belongs_to_the_zone_of_the_keys() -> None:
    """A new line in exim's map is shown, and judged, where the keys are."""
    got = decide(ready(map={}))
    assert {plan.plan.zone: plan.plan.map_lines for plan in got.zones} == {
        "example.org": (), APART: (("example.org", ("s1",)),), POLICY: (),
    }  # fmt: skip
    assert not any(plan.refusals for plan in got.zones) and got.map_after == {"example.org": ("s1",)}


@pytest.mark.parametrize("zones", [APART, "example.org"])
def test_a_zone_that_cannot_be_read_holds_the_line(zones: str) -> None:
    """Whichever of the domain's zones is silent, exim signs on as it does, and no key is made; the others get their records."""
    seen = ready(map={"example.org": ("old",)})
    views = tuple(
        replace(v, problem="it is gone", found={}, negative_ttl=None) if v.zone == zones else v for v in seen.zones
    )
    got = decide(replace(seen, zones=views))
    assert got.map_after == {"example.org": ("old",)} and "example.org" in got.held
    assert not any(plan.plan.intents for plan in got.zones) and not any(step.generate for step in got.steps.values())
    assert changed(got)[POLICY] == {("", "TXT")}


def test_a_zone_that_was_left_out_holds_the_line() -> None:
    """A configured zone of keys that this pass did not look at (it failed before) is not taken for one without keys, and nothing is switched."""
    seen = ready(map={"example.org": ("old",)})
    assert decide(seen).map_after == {"example.org": ("s1",)}
    got = decide(replace(seen, zones=tuple(view for view in seen.zones if view.zone != APART)))
    assert got.map_after == {"example.org": ("old",)} and not any(plan.plan.intents for plan in got.zones)
    assert "was not looked at" in homes_of(replace(seen, zones=seen.zones[:1])).keyed["example.org"].problem


@pytest.mark.parametrize("refused", [APART, "example.org"])
def test_a_zone_that_is_refused_holds_the_line(refused: str) -> None:
    """Whichever of the domain's zones the guard holds back, nothing is switched."""
    seen = ready(map={"example.org": ("old",)})
    views = tuple(replace(view, found={"theirs": {}}, known_before=9, ledger={"theirs": dict(LEDGER)}) if view.zone == refused else view
                  for view in seen.zones)  # fmt: skip
    got = decide(replace(seen, zones=views))
    assert [plan.plan.zone for plan in got.zones if plan.refusals] == [refused]
    assert got.map_after == {"example.org": ("old",)}


def test_limits_are_those_of_the_zone_of_the_keys() -> None:
    """How long a key can be, and how long a new one waits, its own zone says."""
    seen = looked("", "", "")
    views = tuple(replace(v, limits=Limits(txt=255), negative_ttl=86400) if v.zone == APART else v for v in seen.zones)
    got = decide(replace(seen, zones=views))
    assert {i.algorithm for plan in got.zones for i in plan.plan.intents} == {"rsa1024", "ed25519"}
    [notice] = [n for plan in got.zones for n in plan.notices if n.reason == "shorter_key"]
    assert notice.sentence.startswith(f"{APART}: ") and "1024" in notice.sentence


def test_a_new_key_waits_by_the_zone_that_holds_it() -> None:
    """How long resolvers may believe that a key is not there, the zone of the keys says."""
    fresh = replace(KEY, seen=None, published=None, season=0)
    seen = ready(keys=(fresh,), map={}, readable=frozenset({("example.org", "s1")}))
    views = tuple(replace(v, negative_ttl=86400) if v.zone == APART else v for v in seen.zones)
    [key] = [k for k in decide(replace(seen, zones=views)).keys if k.selector == "s1"]
    assert key.season == 86400 + 600


def test_a_key_of_somebody_else_in_that_zone() -> None:
    """A selector of somebody else in the zone of keys is neither touched nor counted."""
    got = decide(looked("", 'other IN TXT "v=DKIM1; p=BBBB"', ""))
    assert changed(got)[APART] == {("new", "TXT")} and not any(plan.refusals for plan in got.zones)


def test_an_old_key_ends_in_its_zone() -> None:
    """What the ledger has there is revoked there."""
    due = replace(KEY, activated=2, retired=3, overlap=10)
    seen = ready(keys=(due,), map={})
    views = tuple(
        replace(v, ledger={"theirs": {("s1", "TXT", Owner.DKIM): Applied(dkim.record_for(KEY), "example.org")}}) if v.zone == APART else v
        for v in seen.zones
    )  # fmt: skip
    got = decide(replace(seen, zones=views))
    [change] = [c for plan in got.zones if plan.plan.zone == APART for c in plan.plan.changes if c.name == "s1"]
    assert change.new is not None and change.new.values[0].text == "v=DKIM1; p="


OLD = ("s1._domainkey", "TXT", Owner.DKIM)
PARENT = f's1._domainkey IN TXT "{dkim.record_for(KEY)}"\n_domainkey IN NS ns1.elsewhere.test.\n'


def moved(key: KeyPair, parent: str = PARENT, ledger: dict | None = None) -> dict[str, list[tuple[str, str | None]]]:
    """By zone, the names of the keys that are written, with their texts: the keys had their records in the domain's zone before."""
    seen = looked(
        parent, f's1 IN TXT "{dkim.record_for(KEY)}"', "", keys=(key,), readable=frozenset({("example.org", "s1")})
    )
    known = {OLD: Applied(dkim.record_for(KEY), "example.org")} if ledger is None else ledger
    here = {("s1", "TXT", Owner.DKIM): Applied(dkim.record_for(KEY), "example.org")}
    ledgers = {"example.org": known, APART: here, POLICY: {}}
    got = decide(replace(seen, zones=tuple(replace(v, ledger={"theirs": ledgers[v.zone]}) for v in seen.zones)))
    assert not any(plan.refusals for plan in got.zones), [plan.refusals for plan in got.zones]
    return {
        plan.plan.zone: [(c.name, c.new.values[0].text if c.new else None) for c in plan.plan.changes if c.name.startswith("s1")]
        for plan in got.zones
    }  # fmt: skip


def test_what_a_key_leaves_behind_where_its_domain_had_them_before() -> None:
    """A key that is valid keeps its former record, though nobody sees it below the cut; one that is not is revoked there, too, and goes."""
    assert moved(KEY) == {"example.org": [], APART: [], POLICY: []}
    over = replace(KEY, activated=2, retired=3, overlap=10)
    revoked = [("s1._domainkey", "v=DKIM1; p=")]
    assert moved(over) == {"example.org": revoked, APART: [("s1", "v=DKIM1; p=")], POLICY: []}
    assert moved(replace(over, compromised=4))["example.org"] == revoked
    parent = PARENT.replace(dkim.record_for(KEY), "v=DKIM1; p=")
    ended = moved(replace(over, revoked=4), parent, {OLD: Applied("v=DKIM1; p=", "example.org")})
    assert ended["example.org"] == [("s1._domainkey", None)]


def test_what_stands_above_and_is_not_ours() -> None:
    """In the zone above, only what stands there is revoked, and is ours: by the ledger, or, where that was lost, by the key."""
    over = replace(KEY, activated=2, retired=3, overlap=10)
    assert moved(over, "")["example.org"] == []
    assert moved(over, ledger={})["example.org"] == [("s1._domainkey", "v=DKIM1; p=")]
    assert moved(over, PARENT.replace("AAAA", "BBBB"), {})["example.org"] == []


def test_zones_above() -> None:
    """Every configured zone above one, the nearest first."""
    assert [*zones_above(APART, ("example.org", "org", APART, "example.net"))] == ["example.org", "org"]


@pytest.mark.parametrize(
    ("names", "want"),
    [((APART,), f"no configured zone holds it, while {APART}"), ((APART, "example.org"), "zones.example.org.domains")],
)
def test_a_domain_that_the_configuration_leaves_out(names: tuple[str, ...], want: str) -> None:
    """What was published for a domain that exim still has is not told as gone, and no remedy asks for what cannot be done."""
    here = {("s1", "TXT", Owner.DKIM): Applied(dkim.record_for(KEY), "example.org")}
    views = tuple(
        ZoneView(name, plain(), (), Limits(), {"theirs": zone('s1 IN TXT "v=DKIM1; p=AAAA"' if name == APART else "", name)},
                 {"theirs": here if name == APART else {}}) for name in names
    )  # fmt: skip
    seen = replace(looked(""), zones=views, configured=frozenset(names), policies={})
    [notice] = [n for plan in decide(seen).zones for n in plan.notices]
    assert (
        notice.reason == "domain_left_out"
        and notice.sentence.startswith("example.org: exim has it")
        and want in notice.sentence
    )
    gone = tuple(replace(view, found={"theirs": {}}) for view in views)
    assert not [n for plan in decide(replace(seen, zones=gone)).zones for n in plan.notices]


def test_a_zone_that_nobody_delegates() -> None:
    """Nothing is written in it, no key is made for it, and exim signs on as it does; the domain's own zone goes on."""
    seen = ready(map={"example.org": ("old",)})
    views = tuple(replace(v, undelegated="example.org") if v.zone == APART else v for v in seen.zones)
    got = decide(replace(seen, zones=views))
    refused = {plan.plan.zone: [refusal.reason for refusal in plan.refusals] for plan in got.zones}
    assert refused == {"example.org": [], APART: ["not_delegated"], POLICY: []}
    assert got.map_after == {"example.org": ("old",)}


@pytest.mark.parametrize(
    ("spf", "want"), [("v=spf1 -all", "v=DMARC1; p=none"), ("v=spf1 ip4:192.0.2.1 -all", "v=DMARC1; p=reject")]
)
def test_parked_no_more(spf: str, want: str) -> None:
    """Whether a domain was parked, the ledger of its own zone tells, where its DMARC record lies in another one, too."""
    reject = "v=DMARC1; p=reject; sp=reject; np=reject"
    seen = looked(f'@ IN TXT "{spf}"', "", f'@ IN TXT "{reject}"')
    ledgers = {
        "example.org": {("", "TXT", Owner.SPF): Applied(spf, "example.org", spf.removeprefix("v=spf1 "))},
        APART: {},
        POLICY: {("", "TXT", Owner.DMARC): Applied(reject, "example.org", reject)},
    }
    got = decide(replace(seen, zones=tuple(replace(v, ledger={"theirs": ledgers[v.zone]}) for v in seen.zones)))
    [plan] = [plan for plan in got.zones if plan.plan.zone == POLICY]
    assert [c.new.values[0].text for c in plan.plan.changes if c.new] == [want]
