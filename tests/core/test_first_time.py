"""What a pass at which nobody looks on leaves to a person: a zone's first records, and a domain's first SPF and DMARC."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dnssync.core.decide import Decision, decide
from dnssync.core.model import KeyPair, Limits, Owner
from dnssync.core.observed import Observed, ZoneView
from dnssync.core.ownership import Applied
from dnssync.core.policy import MailPolicy
from tests.zonetext import host, told, zone

NOW = 1_795_507_200
SPF, DMARC = "v=spf1 ip4:192.0.2.1 -all", "v=DMARC1; p=none"
APPLIED = {
    ("", "TXT", Owner.SPF): Applied(SPF, "example.org", "ip4:192.0.2.1 -all"),
    ("", "SPF", Owner.SPF): Applied(SPF, "example.org", "ip4:192.0.2.1 -all"),
    ("_dmarc", "TXT", Owner.DMARC): Applied(DMARC, "example.org", DMARC),
}
RECORDS = f'@ IN TXT "{SPF}"\n@ IN SPF "{SPF}"\n_dmarc IN TXT "{DMARC}"\n'


def looked(
    records: str = "", *names: str, attended: bool = False, keys: tuple[KeyPair, ...] = (), **fields: object
) -> Observed:
    """The zone example.org with the domains of that name (the apex where none is given), as a pass sees it."""
    names = names or ("example.org",)
    policy = replace(MailPolicy(), spf=replace(MailPolicy().spf, mechanisms=("addresses",)))
    policy = replace(policy, dmarc=replace(policy.dmarc, rua=()))
    view = ZoneView("example.org", policy, names, Limits(), {"bind": zone(records)}, **fields)  # type: ignore[arg-type]  # whatever a test gives
    return Observed(
        now=NOW,
        host=host(*names),
        zones=(view,),
        keys=keys,
        sights={},
        readable=frozenset(),
        map={},
        beyond=told({}),
        attended=attended,
    )


def written(got: Decision) -> set[tuple[str, str]]:
    """Names and types of the SPF and DMARC records that would be written."""
    return {
        (c.name, c.type) for plan in got.zones if not plan.refusals for c in plan.plan.changes if "<new" not in c.name
    }


def words(got: Decision) -> tuple[set[str], set[str]]:
    """The refusals and the notices."""
    return {r.reason for p in got.zones for r in p.refusals}, {n.reason for p in got.zones for n in p.notices}


def test_a_zone_in_which_nobody_applied_gets_nothing() -> None:
    """Alone, dnssync writes nothing to a zone that it never wrote to, not even a key; a person's `apply` does."""
    assert written(decide(looked(attended=True))) == {("", "TXT"), ("", "SPF"), ("_dmarc", "TXT")}
    got = decide(looked())
    assert words(got)[0] == {"first_apply"} and "dnssync apply example.org" in got.zones[0].refusals[0].sentence


def test_a_hand_made_key_is_no_word_of_a_person() -> None:
    """A key of the administrator's, found in exim's configuration, does not make a zone one that somebody applied in."""
    key = KeyPair("example.org", "s1", "rsa2048", "AAAA", 1, 1, 1, 1, adopted=True)
    assert words(decide(looked(keys=(key,))))[0] == {"first_apply"}
    made = replace(key, adopted=False)
    assert words(decide(looked(keys=(made,))))[0] == set()


def test_records_that_are_right_stay_known() -> None:
    """Where the state was lost and the keys are known again, what DNS shows as it should be is taken on without a person."""
    key = KeyPair("example.org", "r1", "rsa2048", "AAAA", 1, 1, 1, 1)
    got = decide(looked(RECORDS, keys=(key,)))
    assert words(got)[0] == set() and {claim.owner for claim in got.zones[0].unrecorded} >= {Owner.SPF, Owner.DMARC}
    assert "first_record" not in words(got)[1]


def test_what_was_written_before_is_kept_right() -> None:
    """SPF and DMARC of a domain that a person applied once follow exim by themselves."""
    old = RECORDS.replace("192.0.2.1", "192.0.2.9")
    ledger = {
        key: replace(a, value=a.value.replace("2.1", "2.9"), added=a.added.replace("2.1", "2.9"))
        for key, a in APPLIED.items()
    }
    got = decide(looked(old, ledger={"bind": ledger}))
    assert written(got) == {("", "TXT"), ("", "SPF")} and words(got) == (set(), set())


def test_a_new_domain_gets_keys_and_waits_with_the_rest() -> None:
    """A domain that came to exim since gets its keys; its first SPF and DMARC wait for a person, and the zone goes on."""
    names = ("example.org", "new.example.org")
    got = decide(looked(RECORDS, *names, ledger={"bind": APPLIED}))
    assert words(got) == (set(), {"first_record"}) and written(got) == set()
    [notice] = got.zones[0].notices
    assert notice.sentence.startswith("new.example.org: ") and "dnssync apply example.org" in notice.sentence
    assert {intent.domain for intent in got.zones[0].plan.intents} == {*names}
    attended = decide(looked(RECORDS, *names, ledger={"bind": APPLIED}, attended=True))
    assert written(attended) == {("new", "TXT"), ("new", "SPF"), ("_dmarc.new", "TXT")}


@pytest.mark.parametrize("adopt", [False, True])
def test_nothing_is_taken_over(adopt: bool) -> None:
    """Another's SPF record stays as it is, whatever the configuration says of adopting, and does not hold the zone up."""
    records = RECORDS + 'new IN TXT "v=spf1 include:other.example -all"\n'
    got = decide(looked(records, "example.org", "new.example.org", ledger={"bind": APPLIED}, adopt=adopt))
    assert words(got) == (set(), {"first_record"}) and written(got) == set()


def test_the_type_that_comes_later_is_no_first_record() -> None:
    """Where the provider learns type SPF, the record that stands as TXT is written as that too."""
    ledger = {key: value for key, value in APPLIED.items() if key[1] != "SPF"}
    got = decide(looked(RECORDS.replace(f'@ IN SPF "{SPF}"\n', ""), ledger={"bind": ledger}))
    assert written(got) == {("", "SPF")}


def test_what_was_given_to_a_person_counts() -> None:
    """Records that an `apply` told a person to enter are still asked for, and are no first ones."""
    agreed = frozenset((*key, applied.value) for key, applied in APPLIED.items())
    got = decide(looked("", agreed={"bind": agreed}))
    assert words(got) == (set(), set()) and written(got) == {("", "TXT"), ("", "SPF"), ("_dmarc", "TXT")}


def test_a_provider_that_joins_a_zone() -> None:
    """Alone, dnssync writes no first SPF or DMARC at a provider that is new to a zone, however long it has kept it at another one."""
    seen = looked(RECORDS, attended=False)
    [view] = seen.zones
    both = replace(view, found={"bind": zone(RECORDS), "other": zone("")}, ledger={"bind": APPLIED, "other": {}})
    got = decide(replace(seen, zones=(both,)))
    assert not any(plan.refusals for plan in got.zones)
    at = {
        plan.plan.provider: {(c.name, c.type) for c in plan.plan.changes if "<new" not in c.name} for plan in got.zones
    }
    assert at == {"bind": set(), "other": set()} and "first_record" in words(got)[1]
    attended = decide(replace(seen, zones=(both,), attended=True))
    [other] = [plan for plan in attended.zones if plan.plan.provider == "other"]
    assert {(c.name, c.type) for c in other.plan.changes} >= {("", "TXT"), ("_dmarc", "TXT")}
