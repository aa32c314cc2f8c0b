"""What a provider cannot carry unharmed is refused in the plan; what it shows is known for what it was meant to be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dnssync.core.decide import Decision, decide
from dnssync.core.model import Claim, Foreign, Limits, Notice, Owner, Value
from dnssync.core.observed import ZoneView
from dnssync.core.ownership import Applied, forgotten, shows
from dnssync.core.policy import MailPolicy
from tests.core.test_decide import seen
from tests.zonetext import told, zone

KEYS = 'r1._domainkey IN TXT "v=DKIM1; k=rsa; p=AAAA"\ne1._domainkey IN TXT "v=DKIM1; k=ed25519; p=BBBB"\n'


def decided(text: str, limits: Limits, **fields: object) -> Decision:
    """example.org with these records, at a provider with these limits."""
    view = ZoneView("example.org", MailPolicy(), ("example.org",), limits, {"theirs": zone(KEYS + text)})
    return decide(seen(zones=(view,), **fields))


def reasons(text: str, limits: Limits) -> list[str]:
    """Why the zone is refused."""
    return [refusal.reason for plan in decided(text, limits).zones for refusal in plan.refusals]


PLAIN, HARD = '@ IN TXT "plain; text"\n', '@ IN TXT "two" "strings"\n'


@pytest.mark.parametrize(
    ("text", "foreign", "told_so"),
    [
        (PLAIN, Foreign.ANY, []),
        (HARD, Foreign.ANY, []),
        (PLAIN, Foreign.PLAIN, []),
        (HARD, Foreign.PLAIN, ["foreign_not_plain"]),
        (PLAIN, Foreign.NONE, ["shared_rrset"]),
        (HARD, Foreign.NONE, ["shared_rrset"]),
        ('x IN TXT "two" "strings"\n', Foreign.NONE, []),
        ("", Foreign.NONE, []),
    ],
)
def test_values_of_others(text: str, foreign: Foreign, told_so: list[str]) -> None:
    """A change of a record that others share is refused where their values might not survive it, and no other change."""
    assert reasons(text, Limits(foreign=foreign, type99=False)) == told_so


def test_a_sentence_names_record_provider_and_remedy() -> None:
    """Both refusals tell what to do."""
    for text, foreign, words in ((PLAIN, Foreign.NONE, "unsafe_updates: true"), (HARD, Foreign.PLAIN, "by hand")):
        [plan] = decided(text, Limits(foreign=foreign, type99=False)).zones
        [refusal] = plan.refusals
        assert refusal.sentence.startswith("example.org TXT: holds ") and "theirs" in refusal.sentence
        assert words in refusal.sentence


def test_a_provider_s_notices_are_in_every_plan() -> None:
    """What a provider has to say comes first."""
    notice = Notice("octodns_no_swap", "it cannot")
    [plan] = decided("", Limits(notices=(notice,))).zones
    assert plan.notices[0] == notice


def test_what_an_incomplete_reading_does_not_show_is_asked() -> None:
    """A zone of which some types are not read: DNS is asked for an MX record, which is not absent for that."""
    dns = told(
        {
            ("example.org", "MX"): ("10 mx.example.org",),
            ("example.org", "A"): ("192.0.2.1",),
            ("mx.example.org", "A"): ("192.0.2.1",),
        }
    )
    for complete, spf in ((True, "v=spf1 ip4:192.0.2.1 -all"), (False, "v=spf1 mx a ip4:192.0.2.1 -all")):
        [plan] = decided("", Limits(complete=complete), beyond=dns).zones
        [claim] = [claim for claim in plan.claims if (claim.name, claim.type) == ("", "TXT")]
        assert claim.value == spf


@pytest.mark.parametrize(
    ("text", "raw", "plain"),
    [
        ("a; b", '"a; b"', True),
        ("a; b", "a; b", True),
        ("a; b", "", True),
        ("x" * 255, f'"{"x" * 255}"', True),
        ("x" * 256, "", False),
        ("ab", '"a" "b"', False),
        ('a"b', '"a\\"b"', False),
        ("a\\b", '"a\\\\b"', False),
        ("grün", "", False),
        ("a\tb", "", False),
    ],
)
def test_plain(text: str, raw: str, plain: bool) -> None:
    """One string of printable ASCII without quotes and backslashes."""
    assert Value(text, raw).plain is plain


SPF = Applied("v=spf1 mx a -all", "example.org", "mx a -all")
DMARC = Applied("v=DMARC1; p=none; rua=mailto:a@b.example", "example.org", "v=DMARC1; p=none; rua=mailto:a@b.example")


@pytest.mark.parametrize(
    ("owner", "text", "applied", "shown"),
    [
        (Owner.SPF, "v=spf1 mx a -all", SPF, True),
        (Owner.SPF, "v=spf1 include:x.example a mx:example.org ~all", SPF, True),
        (Owner.SPF, "v=spf1 mx -all", SPF, False),
        (Owner.SPF, "v=spf1 mx a a -all", replace(SPF, added="a a"), True),
        (Owner.SPF, "v=spf1 mx a -all", replace(SPF, value="x", added="a a"), False),
        (Owner.SPF, "v=spf1 include:x.example -all", replace(SPF, added="-all"), False),
        (Owner.SPF, "v=spf1 mx", replace(SPF, added=""), False),
        (Owner.SPF, "v=spf1 mx a mist", SPF, False),
        (Owner.DMARC, "v=DMARC1; p=reject; rua=mailto:a@b.example", DMARC, True),
        (Owner.DMARC, "v=DMARC1; p=none; rua=mailto:c@b.example", DMARC, False),
        (Owner.DMARC, "v=DMARC1; p=reject", replace(DMARC, added="v=DMARC1; p=none"), False),
        (Owner.DKIM, "v=DKIM1; p=AAAA", Applied("v=DKIM1; p=BBBB", "example.org", "v=DKIM1"), False),
    ],
)
def test_shows(owner: Owner, text: str, applied: Applied, shown: bool) -> None:
    """A text in which all stands that we meant to add is what we wrote, whatever others changed in it meanwhile."""
    assert shows(owner, text, applied) is shown


def test_what_is_gone_is_forgotten() -> None:
    """What was to be absent goes out of the ledger; so does a key's record that nobody claims, once none stands there. What else nobody
    claims (of a frozen domain, of one that exim has no more) stays in it."""
    names = {"to_go": "v=DKIM1; p=", "gone": "v=DKIM1; p=", "stands": "v=DKIM1; p=", "r1": "v=DKIM1; k=rsa; p=AAAA"}
    ledger = {(f"{name}._domainkey", "TXT", Owner.DKIM): Applied(text, "example.org") for name, text in names.items()}
    ledger[("", "TXT", Owner.SPF)] = Applied("v=spf1 -all", "example.org")
    claims = [
        Claim("to_go._domainkey", "TXT", Owner.DKIM, None, 3600, "example.org"),
        Claim("r1._domainkey", "TXT", Owner.DKIM, names["r1"], 3600, "example.org"),
    ]
    found = zone('to_go._domainkey IN TXT "v=DKIM1; p="\nstands._domainkey IN TXT "v=DKIM1; p="')
    places = [("to_go._domainkey", "TXT", Owner.DKIM), ("gone._domainkey", "TXT", Owner.DKIM)]
    assert forgotten(claims, found, ledger) == places
