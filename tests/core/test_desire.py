"""Desire: from what exim told to the records that DNS should hold, as the design says in §4."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import pytest

from dnssync.core.desire import desire, domains_of, reports_of
from dnssync.core.desire_dmarc import parked_before
from dnssync.core.host import Address, Host, MailDomain, Transport
from dnssync.core.model import KeyPair, Limits, Notice, Owner, Phase
from dnssync.core.ownership import Applied
from dnssync.core.policy import DmarcPolicy, MailPolicy, SpfPolicy
from dnssync.core.wish import Desired, Wish
from dnssync.core.zone_view import dns_of
from tests.zonetext import host, silent, told, zone

OURS = "@ IN MX 10 mx.example.org.\n@ IN A 192.0.2.1\nmx IN A 192.0.2.1\n"


def wish(text: str = OURS, *names: str, **fields: object) -> Desired:
    """What is desired for example.org and the named domains in a zone with this text."""
    found = zone(text)
    beyond = fields.pop("beyond", told({}))
    domains = names or ("example.org",)
    given: dict = {
        "zone": "example.org",
        "policy": MailPolicy(),
        "domains": domains,
        "host": host(*domains),
        "found": found,
        "keys": (),
        "ledger": {},
        "limits": Limits(),
        "dns": dns_of({"example.org": found}, beyond),
        **fields,
    }
    ledgers = [given["ledger"]]
    given["unparked"] = frozenset(name for name in domains if parked_before(name, given["zone"], ledgers))
    given["reports"] = reports_of(given.get("policies", {}), given.get("frozen", ()))
    return desire(Wish(**given))


def text(got: Desired, name: str = "", kind: str = "TXT") -> str | None:
    """The claimed text at a name, None where nothing is claimed."""
    values = [claim.value for claim in got.claims if claim.key == (name, kind)]
    assert len(values) <= 1
    return values[0] if values else None


def words(got: Desired) -> set[str]:
    """The reasons of all notices and refusals."""
    return {thing.reason for thing in (*got.notices, *got.refusals)}


class TestSpf:
    def test_the_article(self) -> None:
        """A domain with exim on 46.101.91.82 gets the record of the article, in TXT and in SPF."""
        zone_text = OURS.replace("192.0.2.1", "46.101.91.82")
        got = wish(zone_text, host=host("example.org", ip="46.101.91.82"))
        assert text(got) == text(got, kind="SPF") == "v=spf1 mx a ip4:46.101.91.82 -all"
        assert [claim.type for claim in got.claims if claim.owner is Owner.SPF] == ["TXT", "SPF"]

    def test_mx_and_a_that_do_not_match(self) -> None:
        """`mx` and `a` are left out, each with a notice, where they lead elsewhere."""
        got = wish("@ IN MX 10 mx.elsewhere.test.\n@ IN A 198.51.100.7", beyond=told({}))
        assert text(got) == "v=spf1 ip4:192.0.2.1 -all"
        assert {"spf_mx_left_out", "spf_a_left_out"} <= words(got)

    def test_silence_drops_nothing(self) -> None:
        """Where nobody answers for the mail exchanger, `mx` stays."""
        got = wish("@ IN MX 10 mx.elsewhere.test.\n@ IN A 192.0.2.1", beyond=silent)
        assert text(got) == "v=spf1 mx a ip4:192.0.2.1 -all"

    def test_foreign_terms_and_qualifier_stay(self) -> None:
        """An include that others put there, and their ~all, are kept; ours join before it."""
        got = wish(OURS + '@ IN TXT "v=spf1 include:_spf.example.net ~all"')
        assert text(got) == "v=spf1 include:_spf.example.net mx a ip4:192.0.2.1 ~all"

    def test_all_that_the_zone_names(self) -> None:
        """The qualifier changes once the zone's own configuration names one."""
        policy = MailPolicy(spf=SpfPolicy(all="fail", all_explicit=True))
        got = wish(OURS + '@ IN TXT "v=spf1 mx ~all"', policy=policy)
        assert text(got) == "v=spf1 mx a ip4:192.0.2.1 -all"

    def test_redirect_is_refused(self) -> None:
        """Nothing can be merged into a redirect."""
        got = wish(OURS + '@ IN TXT "v=spf1 redirect=_spf.example.net"')
        assert text(got) is None
        assert got.refusals

    def test_broken_record_is_refused(self) -> None:
        """Nor into a record that is not valid; the sentence shows it."""
        got = wish(OURS + '@ IN TXT "v=spf1 ip4:999.1.1.1 -all"')
        assert text(got) is None
        [refusal] = got.refusals
        assert "ip4:999.1.1.1" in refusal.sentence

    def test_several_addresses(self) -> None:
        """v4, v6 and an address that may move are all published, the last by name."""
        mail = MailDomain(
            "example.org",
            addresses=(Address("192.0.2.1", "x"), Address("2001:db8:0::5", "x"), Address("192.0.2.9", "x", host="mx.example.net")),
            accepts=frozenset({"postmaster@example.org"}),
        )  # fmt: skip
        got = wish(host=replace(host(), domains=(mail,)))
        assert text(got) == "v=spf1 mx a ip4:192.0.2.1 ip6:2001:db8::5 a:mx.example.net -all"
        assert got.senders["example.org"] == ("192.0.2.1", "2001:db8:0::5", "192.0.2.9")

    def test_widens_at_once_narrows_late(self) -> None:
        """An address seen within seven days stays, unless a person confirms that it is gone."""
        remembered = {"example.org": (Address("192.0.2.2", "earlier"),)}
        assert text(wish(remembered=remembered)) == "v=spf1 mx a ip4:192.0.2.1 ip4:192.0.2.2 -all"
        confirmed = frozenset({("narrow", "example.org")})
        assert text(wish(remembered=remembered, confirmed=confirmed)) == "v=spf1 mx a ip4:192.0.2.1 -all"

    def test_what_we_added_goes_when_it_is_not_wanted(self) -> None:
        """The address that we added earlier goes; a stranger's stays."""
        ledger = {("", "TXT", Owner.SPF): Applied("v=spf1 ip4:198.51.100.1 mx a ip4:192.0.2.7 -all", "example.org",
                                                  added="mx a ip4:192.0.2.7 -all")}  # fmt: skip
        got = wish(OURS + '@ IN TXT "v=spf1 ip4:198.51.100.1 mx a ip4:192.0.2.7 -all"', ledger=ledger)
        assert text(got) == "v=spf1 ip4:198.51.100.1 mx a ip4:192.0.2.1 -all"

    def test_known_smarthost(self) -> None:
        """A relay that is known brings its include; own addresses are not needed."""
        mail = MailDomain("example.org", smarthosts=("mail.gandi.net",), accepts=frozenset({"postmaster@example.org"}))
        got = wish(host=replace(host(), domains=(mail,)))
        assert text(got) == "v=spf1 include:_mailcust.gandi.net -all"

    def test_unknown_smarthost_asks(self) -> None:
        """An unknown relay is refused with a question, until `extra` answers it."""
        mail = MailDomain("example.org", smarthosts=("relay.test",), accepts=frozenset({"postmaster@example.org"}))
        hosts = replace(host(), domains=(mail,))
        assert "unknown_relay" in words(wish(host=hosts))
        policy = MailPolicy(spf=SpfPolicy(extra=("include:spf.relay.test",)))
        assert text(wish(host=hosts, policy=policy)) == "v=spf1 include:spf.relay.test -all"

    def test_no_address_at_all(self) -> None:
        """A domain that nothing is known of is refused, never published as one that sends nothing."""
        got = wish(host=replace(host(), domains=(MailDomain("example.org"),)))
        assert text(got) is None
        assert "no_sender" in words(got)

    def test_type99_never(self) -> None:
        """`type99: never` claims none, and takes away the one that we wrote."""
        policy = MailPolicy(spf=SpfPolicy(type99="never"))
        assert text(wish(policy=policy), kind="SPF") is None
        ledger = {("", "SPF", Owner.SPF): Applied("v=spf1 -all", "example.org")}
        [claim] = [claim for claim in wish(policy=policy, ledger=ledger).claims if claim.type == "SPF"]
        assert claim.value is None

    def test_type99_not_held(self) -> None:
        """Where the provider does not take type 99, one notice says so."""
        got = wish(limits=Limits(type99=False))
        assert text(got, kind="SPF") is None
        assert [notice.reason for notice in got.notices].count("type99_not_held") == 1

    @pytest.mark.parametrize("extra", ["ip4:192.0.2.300", "nonsense", "all", "a b c"])
    @pytest.mark.parametrize("there", ["", '@ IN TXT "v=spf1 mx -all"'])
    def test_extra_that_is_no_term(self, extra: str, there: str) -> None:
        """A term that SPF does not know is refused with the name of the option, whether a record is there or not."""
        got = wish(OURS + there, policy=MailPolicy(spf=SpfPolicy(extra=(extra,))))
        [refusal] = got.refusals
        assert refusal.reason == "spf_term_invalid"
        assert "zones.example.org.spf.extra" in refusal.sentence
        assert text(got) is None

    def test_found_record_that_is_none(self) -> None:
        """What cannot be read cannot be merged with: it is shown, and left."""
        got = wish(OURS + '@ IN TXT "v=spf1 nonsense -all"')
        [refusal] = got.refusals
        assert refusal.reason == "spf_found_invalid" and '"v=spf1 nonsense -all"' in refusal.sentence
        assert text(got) is None

    def test_redirect_that_is_wanted(self) -> None:
        """A found redirect that spf.extra names is kept, behind our terms, without an all that would end it."""
        policy = MailPolicy(spf=SpfPolicy(extra=("redirect=_spf.example.net",)))
        got = wish(OURS + '@ IN TXT "v=spf1 redirect=_spf.example.net"', policy=policy)
        assert text(got) == "v=spf1 redirect=_spf.example.net mx a ip4:192.0.2.1"

    def test_helo(self) -> None:
        """The name exim greets with gets a record of its own: `a` where it matches, else the addresses."""
        assert text(wish(host=host("example.org", hostname="mx.example.org")), "mx") == "v=spf1 a -all"
        got = wish(OURS + "other IN A 198.51.100.9", host=host("example.org", hostname="other.example.org"))
        assert text(got, "other") == "v=spf1 ip4:192.0.2.1 -all"

    def test_parked(self) -> None:
        """A parked domain never sends, and says so."""
        got = wish(policy=MailPolicy(parked=True))
        assert text(got) == "v=spf1 -all"
        assert text(got, "_dmarc") == "v=DMARC1; p=reject; sp=reject; np=reject"


class TestDmarc:
    def test_first(self) -> None:
        """The first record watches only, and reports to the postmaster that exim knows."""
        assert text(wish(), "_dmarc") == "v=DMARC1; p=none; rua=mailto:postmaster@example.org"

    def test_rua_that_exim_does_not_take(self) -> None:
        """A report address that would bounce is left out, with a notice."""
        mail = replace(host("example.org").domains[0], accepts=frozenset())
        got = wish(host=replace(host(), domains=(mail,)))
        assert text(got, "_dmarc") == "v=DMARC1; p=none"
        assert "rua_refused" in words(got)

    def test_found_policy_is_kept(self) -> None:
        """A stricter policy and tags of others are imported."""
        got = wish(OURS + '_dmarc IN TXT "v=DMARC1; p=reject; adkim=s; x-note=hi"')
        record = text(got, "_dmarc") or ""
        assert record.startswith("v=DMARC1; p=reject; ")
        assert "adkim=s" in record and "x-note=hi" in record

    def test_weaker_only_where_the_zone_says_so(self) -> None:
        """p=none replaces p=reject only where the zone itself asks for it."""
        policy = MailPolicy(dmarc=DmarcPolicy(explicit=frozenset({"p"})))
        got = wish(OURS + '_dmarc IN TXT "v=DMARC1; p=reject"', policy=policy)
        assert (text(got, "_dmarc") or "").startswith("v=DMARC1; p=none")

    @pytest.mark.parametrize(
        ("parent", "want"),
        [
            ("v=DMARC1; p=reject", "reject"),
            ("v=DMARC1; p=reject; sp=quarantine", "quarantine"),
            ("v=DMARC1; p=none", "none"),
        ],
    )
    def test_inherited_policy_is_not_weakened(self, parent: str, want: str) -> None:
        """A first record for a sub-domain begins with the policy it has from its parent today."""
        got = wish(OURS + f'_dmarc IN TXT "{parent}"', "mail.example.org")
        assert (text(got, "_dmarc.mail") or "").startswith(f"v=DMARC1; p={want}")

    def test_unknown_parent_is_refused(self) -> None:
        """Where the parent's policy cannot be known, no first record is made."""
        got = wish(OURS, "mail.example.org", dns=silent)
        assert text(got, "_dmarc.mail") is None
        assert "dmarc_parent_unknown" in words(got)

    @pytest.mark.parametrize("local", [True, False])
    def test_reports_of_a_domain_that_is_received_elsewhere(self, local: bool) -> None:
        """An address that exim does not take is left out where exim has the domain; of any other domain exim cannot say."""
        mails = host("example.org")
        mails = replace(mails, domains=(replace(mails.domains[0], local=local, accepts=frozenset()),))
        got = wish(host=mails)
        assert ("rua=" in (text(got, "_dmarc") or "")) is not local
        assert ("rua_refused" in words(got)) is local

    def test_external_reports(self) -> None:
        """Reports to another domain need its consent: claimed where we hold the zone, else told."""
        policy = MailPolicy(dmarc=DmarcPolicy(rua=("mailto:dmarc@reports.test",)))
        got = wish(policy=policy, policies={"example.org": policy})
        assert "report_record" in words(got)
        policy = MailPolicy(dmarc=DmarcPolicy(rua=("mailto:dmarc@example.org",)))
        got = wish(policies={"example.com": policy})
        assert text(got, "example.com._report._dmarc") == "v=DMARC1;"


class TestDkim:
    key = KeyPair("example.org", "s1", "rsa2048", "AAAA", 1)

    def test_record(self) -> None:
        """Every published key is claimed under its selector."""
        got = wish(keys=(self.key, KeyPair("other.example.org", "s2", "rsa2048", "BBBB", 1)))
        assert text(got, "s1._domainkey") == "v=DKIM1; k=rsa; p=AAAA"
        assert len([claim for claim in got.claims if claim.owner is Owner.DKIM]) == 1

    @pytest.mark.parametrize(
        ("stands", "says"),
        [("v=DKIM1; k=rsa; p=AAAA", "v=DKIM1; p="), ("v=DKIM1; p=", None), ("v=DKIM1; k=rsa; p=BBBB", None)],
    )
    def test_put_back_after_its_end(self, stands: str, says: str | None) -> None:
        """The text of a key that was revoked, and that somebody put back since, is revoked again, so that it can go; the empty p= of a
        revoked one goes, and of another text no more is claimed than that it is not ours."""
        got = wish(
            f'{OURS}s1._domainkey 300 IN TXT "{stands}"\n',
            keys=(self.key,),
            phases={("example.org", "s1"): Phase.ENDED},
        )
        assert text(got, "s1._domainkey") == says

    def test_adopted_text_stays(self) -> None:
        """The text of a hand-made key stays as it was found."""
        key = replace(self.key, adopted=True, record="k=rsa; t=s; p=AAAA")
        assert text(wish(keys=(key,)), "s1._domainkey") == "k=rsa; t=s; p=AAAA"

    def test_the_end_behind_a_cname(self) -> None:
        """A hand-made key's record that somebody keeps behind a CNAME is neither revoked nor taken out, and no TXT is put there."""
        key = replace(self.key, adopted=True, record="k=rsa; p=AAAA")
        for texts, noted in ((("k=rsa; p=AAAA",), True), (None, True), ((), False)):
            got = wish(
                keys=(key,), phases={("example.org", "s1"): Phase.DUE}, found=zone("s1._domainkey IN CNAME elsewhere.test."),
                dns=lambda name, kind, texts=texts: texts if "_domainkey" in name else (),
            )  # fmt: skip
            assert not [claim for claim in got.claims if claim.owner is Owner.DKIM]
            assert ("key_elsewhere" in words(got)) is noted

    def test_transport_that_cannot_sign(self) -> None:
        """Mail through a transport without DKIM options is told about."""
        mail = MailDomain(
            "example.org", addresses=(Address("192.0.2.1", "x"),), transports=(Transport("remote_smtp_smarthost"),)
        )
        assert "transport_unsigned" in words(wish(host=replace(host(), domains=(mail,))))


class TestGone:
    ledger: ClassVar = {
        ("old", "TXT", Owner.SPF): Applied(
            "v=spf1 ip4:192.0.2.1 include:x.test -all", "old.example.org", "ip4:192.0.2.1 -all"
        ),
        ("_dmarc.old", "TXT", Owner.DMARC): Applied("v=DMARC1; p=none", "old.example.org", "v=DMARC1; p=none"),
    }
    text = OURS + 'old IN TXT "v=spf1 include:x.test ip4:192.0.2.1 -all"\n_dmarc.old IN TXT "v=DMARC1; p=none"'

    def test_kept_with_a_notice(self) -> None:
        """A domain that exim has no more keeps its records until a person confirms."""
        got = wish(self.text, ledger=self.ledger)
        assert "domain_gone" in words(got)
        assert not [claim for claim in got.claims if "old" in claim.name]

    def test_not_known_to_be_gone(self) -> None:
        """Where exim could not use one of its lists, nobody knows whether it has the domain."""
        unusable = Notice("list_unusable", "exim cannot use its domain list local_domains: no such file")
        assert "domain_gone" not in words(
            wish(self.text, ledger=self.ledger, host=replace(host(), notices=(unusable,)))
        )

    def test_withdrawn_once_confirmed(self) -> None:
        """Then our terms go, a stranger's include stays, and the DMARC record goes whole."""
        got = wish(self.text, ledger=self.ledger, confirmed=frozenset({("gone", "old.example.org")}))
        claims = {claim.name: claim.value for claim in got.claims if "old" in claim.name}
        assert claims["_dmarc.old"] is None
        assert "ip4" not in (claims["old"] or "") and "include:x.test" in (claims["old"] or "")


def test_keys_outlive_their_domain() -> None:
    """DKIM records of a domain that is gone are never claimed away; a notice says that they stay."""
    ledger = {("s1._domainkey.old", "TXT", Owner.DKIM): Applied("v=DKIM1; p=AAAA", "old.example.org")}
    got = wish(OURS, ledger=ledger, confirmed=frozenset({("gone", "old.example.org")}))
    assert "dkim_stays" in words(got) and not [claim for claim in got.claims if claim.owner is Owner.DKIM]


def test_problems_of_a_domain_refuse() -> None:
    """What exim's part could not find out is passed on, and no SPF is claimed."""
    from dnssync.core.model import Refusal

    mail = replace(host("example.org").domains[0], problems=(Refusal("temporary_address", "sentence"),))
    got = wish(host=Host("mx.example.net", "4.98", "/c", (), (mail,)))
    assert "temporary_address" in words(got)
    assert text(got) is None


def test_domains_of() -> None:
    """A zone serves the names it holds, except those that a deeper configured zone holds."""
    names = ["b.example.org", "example.org", "x.sub.example.org", "example.com"]
    assert domains_of("example.org", names, ["example.org", "sub.example.org"]) == ("example.org", "b.example.org")


def test_ttl_within_the_limits() -> None:
    """The TTL of a claim is one that the provider takes."""
    got = wish(policy=MailPolicy(ttl=60), limits=Limits(min_ttl=300))
    assert {claim.ttl for claim in got.claims} == {300}
