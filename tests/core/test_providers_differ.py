"""One zone at several providers: each gets the same SPF and DMARC, and where others keep them apart, a person hears it."""

from __future__ import annotations

from dataclasses import replace

from dnssync.core.decide import Decision, decide
from dnssync.core.model import Owner
from dnssync.core.ownership import Applied
from tests.core.test_first_time import APPLIED, RECORDS, looked
from tests.zonetext import zone

THEIRS = "v=spf1 ip4:198.51.100.9 ip4:192.0.2.1 ~all"
POLICY = "v=DMARC1; p=reject; rua=mailto:his@example.net"
MERGED = {
    ("", "TXT", Owner.SPF): Applied(THEIRS, "example.org", "ip4:192.0.2.1"),
    ("", "SPF", Owner.SPF): Applied(THEIRS, "example.org", "ip4:192.0.2.1"),
    ("_dmarc", "TXT", Owner.DMARC): Applied(POLICY, "example.org", ""),
}
SHARED = f'@ IN TXT "{THEIRS}"\n@ IN SPF "{THEIRS}"\n_dmarc IN TXT "{POLICY}"\n'


def both(one: str, other: str, ledger: dict = MERGED, other_ledger: dict = {}) -> Decision:  # noqa: B006  # only read
    """The zone as two providers show it, decided while a person looks on."""
    seen = looked(one, attended=True)
    [view] = seen.zones
    found, ledgers = {"one": zone(one), "other": zone(other)}, {"one": ledger, "other": other_ledger}
    return decide(replace(seen, zones=(replace(view, found=found, ledger=ledgers),)))


def wanted(got: Decision, provider: str) -> dict[tuple[str, str], str | None]:
    """The texts of SPF and DMARC that a provider is to have, by name and type."""
    [plan] = [plan for plan in got.zones if plan.plan.provider == provider]
    assert not plan.refusals, plan.refusals
    return {claim.key: claim.value for claim in plan.claims if claim.owner in (Owner.SPF, Owner.DMARC)}


def added(got: Decision, provider: str) -> dict[tuple[str, str], str]:
    """What of these is ours at a provider."""
    [plan] = [plan for plan in got.zones if plan.plan.provider == provider]
    return dict(plan.added)


def differ(got: Decision) -> list[str]:
    """The sentences about records that differ."""
    return [notice.sentence for notice in got.notices if notice.reason == "providers_differ"]


def test_who_has_none_gets_what_the_other_has() -> None:
    """A provider that joins gets the whole record, what others wrote in it and its ending included; theirs do not become ours there."""
    got = both(SHARED, "")
    assert (
        wanted(got, "other")
        == wanted(got, "one")
        == {("", "TXT"): THEIRS, ("", "SPF"): THEIRS, ("_dmarc", "TXT"): POLICY}
    )
    assert added(got, "other") == added(got, "one") and added(got, "one")[("", "TXT")] == "ip4:192.0.2.1"
    assert differ(got) == []


def test_the_first_one_has_none() -> None:
    """Nor does it matter which of them is named first: who lost its record gets it back from the other."""
    got = both("", SHARED, {}, MERGED)
    assert wanted(got, "one") == wanted(got, "other") and differ(got) == []
    got = both("", SHARED, MERGED, MERGED)
    assert wanted(got, "one") == wanted(got, "other") and added(got, "one") == added(got, "other")


def test_what_others_wrote_apart_stays_and_is_told() -> None:
    """Each keeps what others wrote there; one notice has both texts, and says whose they are."""
    got = both(SHARED, RECORDS, MERGED, APPLIED)
    assert (
        wanted(got, "one")[("", "TXT")] == THEIRS and wanted(got, "other")[("", "TXT")] == "v=spf1 ip4:192.0.2.1 -all"
    )
    spf, dmarc = sorted(differ(got), key=lambda told: told.startswith("_dmarc"))
    assert spf.startswith("example.org: its SPF record is not the same") and f'"{THEIRS}" at one; "v=spf1 ip4' in spf
    assert dmarc.startswith("_dmarc.example.org: its DMARC record") and '" at other' in dmarc


def test_another_spelling_is_no_difference() -> None:
    """What means the same to a receiver is no trouble."""
    other = SHARED.replace("ip4:192.0.2.1 ", "ip4:192.0.2.1/32 ")
    assert differ(both(SHARED, other, MERGED, MERGED)) == []


def test_unparked_where_one_has_none() -> None:
    """A policy from the time that the domain was parked is no policy of others at the provider that lacks it, either."""
    spf, dmarc = "v=spf1 -all", "v=DMARC1; p=reject; sp=reject; np=reject"
    ledger = {
        ("", "TXT", Owner.SPF): Applied(spf, "example.org", "-all"),
        ("_dmarc", "TXT", Owner.DMARC): Applied(dmarc, "example.org", dmarc),
    }
    got = both(f'@ IN TXT "{spf}"\n_dmarc IN TXT "{dmarc}"\n', "", ledger)
    assert wanted(got, "one")[("_dmarc", "TXT")] == wanted(got, "other")[("_dmarc", "TXT")] == "v=DMARC1; p=none"


def test_who_lost_it_gets_back_what_was_written_last() -> None:
    """Where no provider shows it, or who shows it cannot be read, the ledger still knows the whole of it: nobody's host is left out, and
    no policy gets weaker."""
    got = both("", "", MERGED, MERGED)
    assert (
        wanted(got, "one")
        == wanted(got, "other")
        == {("", "TXT"): THEIRS, ("", "SPF"): THEIRS, ("_dmarc", "TXT"): POLICY}
    )
    assert added(got, "one")[("", "TXT")] == "ip4:192.0.2.1"
    seen = looked("", attended=True)
    view = replace(
        seen.zones[0], found={"one": {}}, ledger={"one": {}, "other": MERGED}, unread={"other": "it is gone"}
    )
    got = decide(replace(seen, zones=(view,)))
    assert wanted(got, "one")[("", "TXT")] == THEIRS and wanted(got, "one")[("_dmarc", "TXT")] == POLICY
