"""Desire beside others: what they wrote outlives our runs and our leaving."""

from __future__ import annotations

from dnssync.core.model import Owner
from dnssync.core.ownership import Applied
from dnssync.core.policy import MailPolicy
from tests.core.test_desire import OURS, text, wish
from tests.zonetext import told


class TestDmarc:
    def test_tags_of_others_outlive_the_second_run(self) -> None:
        """What we imported is not ours: with the ledger of the first run nothing of it goes."""
        text_ = OURS + '_dmarc IN TXT "v=DMARC1; p=none; sp=reject; adkim=s; x-note=hi"'
        first = wish(text_)
        added = first.added[("_dmarc", "TXT")]
        assert added == "v=DMARC1; rua=mailto:postmaster@example.org"
        value = text(first, "_dmarc") or ""
        ledger = {("_dmarc", "TXT", Owner.DMARC): Applied(value, "example.org", added)}
        second = wish(OURS + f'_dmarc IN TXT "{value}"', ledger=ledger)
        assert (
            text(second, "_dmarc")
            == value
            == "v=DMARC1; p=none; sp=reject; adkim=s; x-note=hi; rua=mailto:postmaster@example.org"
        )
        assert second.added[("_dmarc", "TXT")] == added

    def test_value_that_is_no_policy(self) -> None:
        """A found sp= that makes receivers ignore the record is not kept."""
        got = wish(OURS + '_dmarc IN TXT "v=DMARC1; p=reject; sp=strict; rua=mailto:postmaster@example.org"')
        assert text(got, "_dmarc") == "v=DMARC1; p=reject; rua=mailto:postmaster@example.org"

    def test_public_suffix(self) -> None:
        """A domain right below a public suffix begins with the policy that the suffix gives it (psd=y)."""
        beyond = told({("_dmarc.org", "TXT"): ("v=DMARC1; p=none; sp=quarantine; psd=y",)})
        assert (text(wish(beyond=beyond), "_dmarc") or "").startswith("v=DMARC1; p=quarantine; ")

    def test_parked_keeps_what_others_wrote(self) -> None:
        """A parked domain rejects, and where its reports go stays."""
        got = wish(OURS + '_dmarc IN TXT "v=DMARC1; p=none; rua=mailto:his@x.test"', policy=MailPolicy(parked=True))
        assert text(got, "_dmarc") == "v=DMARC1; p=reject; rua=mailto:his@x.test; sp=reject; np=reject"


class TestLeaving:
    def test_withdrawn_from_both_types(self) -> None:
        """From a record that others share our terms go alone, from TXT and from type SPF alike; so do our tags."""
        records = OURS + "".join(
            f'old IN {kind} "v=spf1 include:x.test ip4:192.0.2.1 -all"\n' for kind in ("TXT", "SPF")
        )
        records += '_dmarc.old IN TXT "v=DMARC1; p=reject; x=1; rua=mailto:a@x.test"'
        spf_of = Applied("v=spf1 include:x.test ip4:192.0.2.1 -all", "old.example.org", "ip4:192.0.2.1")
        ledger = {
            ("old", "TXT", Owner.SPF): spf_of,
            ("old", "SPF", Owner.SPF): spf_of,
            ("_dmarc.old", "TXT", Owner.DMARC): Applied("x", "old.example.org", "v=DMARC1; rua=mailto:a@x.test"),
        }
        got = wish(records, ledger=ledger, confirmed=frozenset({("gone", "old.example.org")}))
        assert text(got, "old") == text(got, "old", "SPF") == "v=spf1 include:x.test -all"
        assert text(got, "_dmarc.old") == "v=DMARC1; p=reject; x=1"

    def test_type_spf_is_ours_like_txt(self) -> None:
        """The ledger gets our terms for both types, so that both can be taken back."""
        got = wish()
        assert got.added[("", "SPF")] == got.added[("", "TXT")] == "mx a ip4:192.0.2.1 -all"
