"""A domain that was parked and sends again: what parking forced is taken back, what somebody else wanted stays."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dnssync.core.decide import decide
from dnssync.core.model import Owner
from dnssync.core.ownership import Applied, Ledger
from dnssync.core.policy import DmarcPolicy, MailPolicy
from tests.core.test_decide import seen
from tests.core.test_desire import OURS, text, wish, words
from tests.zonetext import host

REJECT = "v=DMARC1; p=reject; sp=reject; np=reject"
OPEN = "v=DMARC1; p=none; rua=mailto:postmaster@example.org"


def ledger(spf: str = "v=spf1 -all", dmarc: str = REJECT) -> Ledger:
    """What the ledger holds of example.org, all of it ours."""
    return {
        ("", "TXT", Owner.SPF): Applied(spf, "example.org", spf.removeprefix("v=spf1 ")),
        ("_dmarc", "TXT", Owner.DMARC): Applied(dmarc, "example.org", dmarc),
    }


def there(dmarc: str = REJECT, spf: str = "v=spf1 -all") -> str:
    """The zone with these two records."""
    return OURS + f'@ IN TXT "{spf}"\n_dmarc IN TXT "{dmarc}"'


def test_parking_and_back() -> None:
    """What a parked domain's claims and ledger are is what unparking goes back from, to the policy of the configuration."""
    parked = wish(policy=MailPolicy(parked=True))
    assert (text(parked), text(parked, "_dmarc")) == ("v=spf1 -all", REJECT)
    held = ledger(dmarc=parked.added[("_dmarc", "TXT")])
    got = wish(there(), ledger=held)
    assert text(got, "_dmarc") == got.added[("_dmarc", "TXT")] == OPEN
    assert text(got) == "v=spf1 mx a ip4:192.0.2.1 -all" and "dmarc_kept" not in words(got)


def test_tags_of_others_stay() -> None:
    """Tags that others have in the record stay through both."""
    got = wish(there(REJECT + "; fo=1; rua=mailto:x@example.net"), ledger=ledger())
    assert text(got, "_dmarc") == "v=DMARC1; p=none; fo=1; rua=mailto:x@example.net"


def test_never_weaker_than_the_parent() -> None:
    """Nor does a sub-domain get weaker than what it has from its parent, as with a first record."""
    held: Ledger = {(f"{name}.mail".removeprefix("."), kind, owner): applied
                    for (name, kind, owner), applied in ledger().items()}  # fmt: skip
    text_ = OURS + f'mail IN TXT "v=spf1 -all"\n_dmarc.mail IN TXT "{REJECT}"\n_dmarc IN TXT "v=DMARC1; p=quarantine"'
    got = wish(text_, "mail.example.org", ledger=held)
    assert (text(got, "_dmarc.mail") or "").startswith("v=DMARC1; p=quarantine")
    assert "sp=" not in (text(got, "_dmarc.mail") or "")


def test_the_configuration_names_one() -> None:
    """A policy that the zone names is the one it goes back to; a strict one that it never left stays."""
    policy = MailPolicy(dmarc=DmarcPolicy(p="quarantine", explicit=frozenset({"p"})))
    assert (text(wish(there(), ledger=ledger(), policy=policy), "_dmarc") or "").startswith(
        "v=DMARC1; p=quarantine; rua"
    )
    policy = MailPolicy(dmarc=DmarcPolicy(p="reject"))
    got = wish(there(), ledger=ledger("v=spf1 mx -all"), policy=policy)
    assert (text(got, "_dmarc") or "").startswith("v=DMARC1; p=reject") and "dmarc_kept" not in words(got)


@pytest.mark.parametrize("spf", ["v=spf1 mx -all", "v=spf1 a -all", "nonsense"])
def test_not_known_to_be_parking(spf: str) -> None:
    """Where the ledger does not show that the domain was parked, the policy that we wrote stays, and a notice says so."""
    got = wish(there(spf="v=spf1 mx -all"), ledger=ledger(spf))
    assert (text(got, "_dmarc") or "").startswith("v=DMARC1; p=reject; ")
    [notice] = [notice for notice in got.notices if notice.reason == "dmarc_kept"]
    assert "zones.example.org.dmarc.p" in notice.sentence
    policy = MailPolicy(dmarc=DmarcPolicy(explicit=frozenset({"p"})))
    got = wish(there(spf="v=spf1 mx -all"), ledger=ledger(spf), policy=policy)
    assert "dmarc_kept" not in words(got)


@pytest.mark.parametrize(
    ("standing", "ours", "want"),
    [
        ("v=DMARC1; p=reject; sp=reject; np=reject", "v=DMARC1; sp=reject; np=reject", "v=DMARC1; p=reject; rua"),
        ("v=DMARC1; p=quarantine; sp=reject; np=reject", REJECT, "v=DMARC1; p=quarantine"),
        ("v=DMARC1; p=reject; sp=reject", "v=DMARC1; p=reject; sp=reject", "v=DMARC1; p=reject"),
        (REJECT, "", REJECT),
    ],
    ids=["p was another's", "p was changed since", "np never ours", "none is ours"],
)
def test_policies_of_others_stay(standing: str, ours: str, want: str) -> None:
    """A policy that others wrote, before or since, is never weakened, parked domain or not; nor is a notice of use."""
    got = wish(there(standing), ledger=ledger(dmarc=ours))
    assert (text(got, "_dmarc") or "").startswith(want) and "dmarc_kept" not in words(got)


@pytest.mark.parametrize(("parked", "domains", "told"), [
    (True, ("example.org",), True), (True, ("example.org", "sub.example.org"), False), (False, ("example.org",), False)
])  # fmt: skip
def test_a_living_domain_in_a_parked_zone(parked: bool, domains: tuple[str, ...], told: bool) -> None:
    """That its mail would be rejected is said, unless the configuration names it as parked too."""
    view = replace(seen().zones[0], policy=MailPolicy(parked=parked), domains=domains)
    got = decide(seen(host=host("example.org", "sub.example.org", "example.com"), zones=(view,)))
    notices = [notice.sentence for notice in got.notices if notice.reason == "parked_living"]
    assert bool(notices) is told and all("sub.example.org" in sentence for sentence in notices)
