"""The name exim greets with: its SPF record is looked after, and never at the cost of a mail domain of that name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dnssync.core.decide import decide
from dnssync.core.host import Address, Host
from dnssync.core.model import Limits, Owner
from dnssync.core.ownership import Applied, Ledger
from dnssync.core.policy import DmarcPolicy, MailPolicy
from tests.core.test_decide import seen
from tests.core.test_desire import OURS, text, wish, words
from tests.zonetext import host, zone

WIDE = "v=spf1 mx a ip4:192.0.2.1 -all"
HELD: Ledger = {
    ("", "TXT", Owner.SPF): Applied(WIDE, "example.org", "mx a ip4:192.0.2.1 -all"),
    ("", "SPF", Owner.SPF): Applied(WIDE, "example.org", "mx a ip4:192.0.2.1 -all"),
    ("_dmarc", "TXT", Owner.DMARC): Applied("v=DMARC1; p=none", "example.org", "v=DMARC1; p=none"),
}
THERE = OURS + f'@ IN TXT "{WIDE}"'


def greeting(*names: str, hostname: str = "example.org") -> Host:
    """A host that greets with this name and has the named mail domains."""
    return host(*names, hostname=hostname)


def at_apex(
    domains: tuple[str, ...], told: Host, ledger: Ledger = HELD, **fields: object
) -> set[tuple[str, str | None]]:
    """What is claimed at the apex, each type with its text."""
    got = wish(THERE, host=told, ledger=ledger, **{"domains": domains, **fields})
    return {(claim.type, claim.value) for claim in got.claims if claim.name == ""}


class TestMailDomain:
    def test_served(self) -> None:
        """A mail domain that exim greets with has its own record, once."""
        assert at_apex(("example.org",), greeting("example.org")) == {("TXT", WIDE), ("SPF", WIDE)}

    def test_frozen(self) -> None:
        """Once it is frozen nothing is claimed for it, whether the ledger knows it or not."""
        for ledger in (HELD, {}):
            assert at_apex((), greeting("example.org"), ledger, frozen=frozenset({"example.org"})) == set()

    @pytest.mark.parametrize("ledger", [HELD, {}], ids=["ours", "not ours"])
    def test_left_out_by_the_zone(self, ledger: Ledger) -> None:
        """`domains: []` leaves the record of a mail domain that exim has as it is."""
        assert at_apex((), greeting("example.org"), ledger) == set()

    def test_left_out_and_unknown_to_exim(self) -> None:
        """So does the ledger's note of a mail domain that exim does not name any more."""
        other = {key: applied for key, applied in HELD.items() if key[2] is Owner.SPF}
        assert at_apex((), greeting("example.com"), HELD) == set()
        assert at_apex((), greeting("example.com"), other) == {("TXT", "v=spf1 a -all"), ("SPF", "v=spf1 a -all")}

    def test_below_a_parked_zone(self) -> None:
        """A mail domain below a parked zone keeps its record, though the zone serves its apex alone."""
        ledger = {("mx", "TXT", Owner.SPF): Applied(WIDE, "mx.example.org", "mx a ip4:192.0.2.1 -all")}
        told = greeting("mx.example.org", hostname="mx.example.org")
        got = wish(OURS + f'mx IN TXT "{WIDE}"', host=told, ledger=ledger, policy=MailPolicy(parked=True))
        assert text(got) == "v=spf1 -all" and text(got, "mx") is None

    def test_parked(self) -> None:
        """A parked name that exim greets with goes on to pass this host, and says why; a -all would cost all its mail."""
        told = greeting("example.org")
        got = wish(THERE, host=told, ledger=HELD, policy=MailPolicy(parked=True))
        assert text(got) == "v=spf1 a -all" and "parked_greets" in words(got)
        assert got.senders == {"example.org": ("192.0.2.1",)}
        assert text(got, "_dmarc") == "v=DMARC1; p=reject; sp=reject; np=reject"
        got = wish(THERE, host=replace(told, helo=()), ledger=HELD, policy=MailPolicy(parked=True))
        assert text(got) == "v=spf1 -all" and "parked_greets" not in words(got)


class TestFrozen:
    @pytest.mark.parametrize("name", ["example.org", "mx.example.org"])
    def test_nothing_is_planned(self, name: str) -> None:
        """A frozen name that exim greets with is left as it is, be it a mail domain or not."""
        told = replace(greeting("example.org", hostname=name), hostname=name)
        found = zone(OURS + f'@ IN TXT "{WIDE}"\nmx IN TXT "v=spf1 ?all"')
        view = replace(seen().zones[0], found={"bind": found}, ledger={"bind": HELD})
        [plan] = decide(seen(host=told, zones=(view,), keys=(), map={}, frozen=frozenset({name}))).zones
        at = name.removesuffix("example.org").rstrip(".")
        assert not [change for change in plan.plan.changes if change.name == at]
        [plan] = decide(seen(host=told, zones=(view,), keys=(), map={})).zones
        assert [change for change in plan.plan.changes if change.name == at]

    def test_report_records(self) -> None:
        """Nor is the record that a frozen domain's reports need in this zone."""
        policies = {"example.com": MailPolicy(dmarc=DmarcPolicy(rua=("mailto:dmarc@example.org",)))}
        assert text(wish(policies=policies), "example.com._report._dmarc") == "v=DMARC1;"
        assert text(wish(policies=policies, frozen=frozenset(policies)), "example.com._report._dmarc") is None

    def test_gone_and_frozen(self) -> None:
        """A domain that exim has no more keeps its records while it is frozen, whatever was confirmed."""
        ledger = {("old", "TXT", Owner.SPF): Applied("v=spf1 a -all", "old.example.org", "a -all")}
        fields = {"ledger": ledger, "confirmed": frozenset({("gone", "old.example.org")})}
        there = OURS + 'old IN TXT "v=spf1 a -all"'
        assert [claim.value for claim in wish(there, **fields).claims if claim.name == "old"] == [None]
        assert text(wish(there, **fields, frozen=frozenset({"old.example.org"})), "old") is None
        got = wish(there, ledger=ledger, frozen=frozenset({"old.example.org"}))
        assert "domain_gone" not in words(got)


def test_the_guard_judges_it() -> None:
    """A greeting's record that would not pass the addresses that mail leaves from is refused."""
    told = greeting("example.org", hostname="mx.example.org")
    assert wish(host=told).senders["mx.example.org"] == ("192.0.2.1",)
    found = zone(OURS + 'mx IN TXT "v=spf1 -ip4:192.0.2.0/24 ~all"')
    view = replace(seen().zones[0], found={"bind": found}, adopt=True, limits=Limits())
    [plan] = decide(seen(host=told, zones=(view,), keys=(), map={})).zones
    [refusal] = plan.refusals
    assert refusal.reason == "spf_not_passing" and refusal.sentence.startswith("mx.example.org")


def test_all_addresses_of_the_host() -> None:
    """The greeting's record passes every address that mail of any domain leaves from."""
    told = greeting("example.org", "example.com", hostname="mx.example.org")
    far = replace(told.domains[1], addresses=(Address("198.51.100.5", "x"),))
    got = wish(host=replace(told, domains=(told.domains[0], far)))
    assert got.senders["mx.example.org"] == ("192.0.2.1", "198.51.100.5")
    assert text(got, "mx") == "v=spf1 ip4:192.0.2.1 ip4:198.51.100.5 -all"


@pytest.mark.parametrize("more", ["mail IN CNAME mx.example.org.", "mail IN NS ns.example.net.", "mail IN A 192.0.2.1"])
def test_a_greeting_that_is_an_alias_or_elsewhere(more: str) -> None:
    """It costs a notice and no claim, never the zone: its mail domains go on."""
    got = wish(
        THERE + "\n" + more,
        host=greeting("example.org", hostname="mail.example.org"),
        ledger=HELD,
        domains=("example.org",),
    )
    named = {claim.name for claim in got.claims}
    here = " A " in more
    assert ("mail" in named) is here and "" in named
    assert ("helo_elsewhere" in {notice.reason for notice in got.notices}) is not here
