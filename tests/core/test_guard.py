"""Guard: each way in which a plan could cost a message or a stranger's value is refused, whoever made the plan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from dnssync.core import guard
from dnssync.core.guard import Case
from dnssync.core.model import Change, Claim, KeyPair, Kind, Owner, Phase, RRset, Value
from dnssync.core.ownership import Applied
from dnssync.core.plan import Plan, diff, overlay
from tests.zonetext import silent, told, zone

SPF = "v=spf1 ip4:192.0.2.1 -all"
KEY = KeyPair("example.org", "s1", "rsa2048", "AAAA", 1, 1, 1, 1)
DKIM = "v=DKIM1; k=rsa; p=AAAA"


def spf_claim(value: str | None = SPF) -> Claim:
    return Claim("", "TXT", Owner.SPF, value, 3600, "example.org")


def dkim_claim(value: str | None = DKIM) -> Claim:
    return Claim("s1._domainkey", "TXT", Owner.DKIM, value, 3600, "example.org")


def case(text: str, *claims: Claim, **fields: object) -> Case:
    """A case whose plan is what overlay and diff make of the zone and the claims."""
    found = zone(text)
    ledger = fields.pop("ledger", {})
    changes = fields.pop("changes", None)
    lines = fields.pop("map_lines", ())
    if changes is None:
        changes = diff(found.values(), overlay(found.values(), claims, ledger))
    plan = Plan("example.org", "bind", tuple(changes), tuple(lines))
    return Case(plan=plan, found=found, claims=claims, ledger=ledger, dns=told({}), **fields)


def reasons(got: Case) -> list[str]:
    """The words of all refusals, sorted."""
    return sorted(refusal.reason for refusal in guard.refusals(guard.judge(got)))


def test_a_sound_plan_passes() -> None:
    """An SPF record beside a stranger's value, and a first key, are let through without a word."""
    assert guard.judge(case('@ IN TXT "x=1"', spf_claim(), dkim_claim(), keys=(KEY,))) == ()


def test_change_without_claim() -> None:
    """A change to a name that nobody claims is refused."""
    stray = Change(Kind.CREATE, "www", "TXT", None, RRset("www", "TXT", 60, (Value("x", ""),)))
    assert reasons(case("", changes=[stray])) == ["unclaimed"]


def test_change_of_a_type_that_is_never_ours() -> None:
    """Even a claimed MX is refused: dnssync writes TXT and SPF alone."""
    claim = Claim("", "MX", Owner.DKIM, "10 a.", 60, "example.org")
    change = Change(Kind.CREATE, "", "MX", None, RRset("", "MX", 60, (Value("10 a.", ""),)))
    assert reasons(case("", claim, changes=[change])) == ["unclaimed"]


@pytest.mark.parametrize(
    "values",
    [
        (Value(SPF, ""),),
        (Value("x=1", '"x=1"'), Value(SPF, "")),
        (Value("y=2", '"y=2"'), Value("x=1", '"x=1"'), Value(SPF, "")),
        (Value("x=1", '"x" "=1"'), Value("y=2", '"y=2"'), Value(SPF, "")),
    ],
    ids=["both lost", "one lost", "moved", "spelled anew"],
)
def test_foreign_value_touched(values: tuple[Value, ...]) -> None:
    """A stranger's value that is lost, moved or spelled anew is refused."""
    found = zone('@ 300 IN TXT "x=1"\n@ 300 IN TXT "y=2"')[("", "TXT")]
    change = Change(Kind.UPDATE, "", "TXT", found, RRset("", "TXT", 300, values))
    got = case('@ 300 IN TXT "x=1"\n@ 300 IN TXT "y=2"', spf_claim(), changes=[change])
    assert reasons(got) == ["foreign_lost"]


def test_foreign_ttl_touched() -> None:
    """The TTL of a shared RRset is the stranger's."""
    found = zone('@ 300 IN TXT "x=1"')[("", "TXT")]
    change = Change(Kind.UPDATE, "", "TXT", found, RRset("", "TXT", 60, (*found.values, Value(SPF, ""))))
    assert reasons(case('@ 300 IN TXT "x=1"', spf_claim(), changes=[change])) == ["foreign_ttl"]


def test_plan_from_another_reading() -> None:
    """A plan that starts from something else than what was read is refused."""
    old = RRset("", "TXT", 300, (Value("older", "older"),))
    change = Change(Kind.UPDATE, "", "TXT", old, RRset("", "TXT", 300, (*old.values, Value(SPF, ""))))
    assert reasons(case('@ 300 IN TXT "newer"', spf_claim(), changes=[change])) == ["stale"]


class TestSelector:
    def test_stranger_at_a_selector(self) -> None:
        """A key that is not ours is not replaced."""
        assert reasons(case('s1._domainkey IN TXT "v=DKIM1; p=ZZZZ"', dkim_claim(), keys=(KEY,))) == ["selector_taken"]

    def test_hand_made_key_that_differs(self) -> None:
        """Where DNS holds another key than the one exim signs with, that is said: receivers refuse the mail today."""
        key = replace(KEY, adopted=True)
        got = case('s1._domainkey IN TXT "v=DKIM1; p=ZZZZ"', dkim_claim(), keys=(key,))
        assert reasons(got) == ["adopted_key_differs"]

    def test_revoked_by_somebody_else(self) -> None:
        """A key that DNS says is revoked is not brought back unasked, unless it was dnssync that wrote so."""
        for written, want in ((DKIM, ["revoked_by_others"]), ("v=DKIM1; p=", [])):
            ledger = {("s1._domainkey", "TXT", Owner.DKIM): Applied(written, "example.org")}
            assert reasons(case('s1._domainkey IN TXT "v=DKIM1; p="', dkim_claim(), keys=(KEY,), ledger=ledger)) == want

    @pytest.mark.parametrize("text", ["v=DKIM1; p=AAAA", "p=AAAA; k=rsa"])
    def test_our_own_key_in_another_spelling(self, text: str) -> None:
        """Our key under other tags is ours to put right."""
        ledger = {("s1._domainkey", "TXT", Owner.DKIM): Applied(DKIM, "example.org")}
        assert reasons(case(f's1._domainkey IN TXT "{text}"', dkim_claim(), keys=(KEY,), ledger=ledger)) == []

    @pytest.mark.parametrize("phase", [Phase.READY, Phase.ACTIVE, Phase.RETIRED])
    @pytest.mark.parametrize("value", [None, "v=DKIM1; p="])
    def test_signing_key_stays(self, phase: Phase, value: str | None) -> None:
        """The record of a key that signs, may sign at once or signed lately can't be deleted or revoked."""
        ledger = {("s1._domainkey", "TXT", Owner.DKIM): Applied(DKIM, "example.org")}
        got = case(f's1._domainkey IN TXT "{DKIM}"', dkim_claim(value), ledger=ledger, keys=(KEY,),
                   phases={("example.org", "s1"): phase})  # fmt: skip
        assert reasons(got) == ["signing_key_lost"]

    def test_a_key_that_is_due_may_go(self) -> None:
        """Once its overlap is over, a key's record may be deleted."""
        ledger = {("s1._domainkey", "TXT", Owner.DKIM): Applied(DKIM, "example.org")}
        got = case(f's1._domainkey IN TXT "{DKIM}"', dkim_claim(None), ledger=ledger, keys=(KEY,),
                   phases={("example.org", "s1"): Phase.DUE})  # fmt: skip
        assert reasons(got) == []

    def test_unexplained_delete(self) -> None:
        """What the ledger does not know is not deleted, even by a plan that tries."""
        found = zone(f's1._domainkey IN TXT "{DKIM}"')[("s1._domainkey", "TXT")]
        change = Change(Kind.DELETE, "s1._domainkey", "TXT", found, None)
        got = case(f's1._domainkey IN TXT "{DKIM}"', dkim_claim(None), changes=[change], keys=(KEY,),
                   phases={("example.org", "s1"): Phase.DUE})  # fmt: skip
        assert reasons(got) == ["delete_unexplained"]

    def test_empty_record_of_a_key_that_ended_may_go(self) -> None:
        """An empty p= at a selector of ours goes, though a restored ledger knows nothing of it."""
        got = case('s1._domainkey IN TXT "v=DKIM1; p="', dkim_claim(None), keys=(KEY,),
                   phases={("example.org", "s1"): Phase.ENDED})  # fmt: skip
        assert [change.kind for change in got.plan.changes] == [Kind.DELETE] and reasons(got) == []


class TestMap:
    @pytest.mark.parametrize("phase", [None, Phase.GENERATED, Phase.PUBLISHED, Phase.DUE, Phase.REVOKED, Phase.REMOVED])
    def test_line_before_its_record(self, phase: Phase | None) -> None:
        """exim is not told to sign with a key that receivers may not see."""
        phases = {} if phase is None else {("example.org", "s1"): phase}
        got = case("", phases=phases, map_lines=[("example.org", ("s1",))], map_after={"example.org": ("s1",)})
        assert reasons(got) == ["map_before_dns"]

    @pytest.mark.parametrize("phase", [Phase.READY, Phase.ACTIVE, Phase.RETIRED])
    def test_line_of_a_seasoned_key(self, phase: Phase) -> None:
        """A key whose record is out long enough may sign."""
        got = case("", phases={("example.org", "s1"): phase}, map_lines=[("example.org", ("s1",))],
                   map_after={"example.org": ("s1",)})  # fmt: skip
        assert reasons(got) == []

    def test_lost_line(self) -> None:
        """A domain does not fall out of the map: its mail would leave unsigned."""
        assert reasons(case("", map_before={"example.org": ("s1",)}, map_after={})) == ["map_line_lost"]

    def test_dropped_line(self) -> None:
        """It does where a person said so."""
        got = case("", map_before={"example.org": ("s1",)}, dropped=frozenset({"example.org"}))
        assert reasons(got) == []


class TestTakeover:
    def test_first_time(self) -> None:
        """The first time, another text is shown beside ours and refused."""
        [refusal] = guard.refusals(
            guard.judge(case('@ IN TXT "v=spf1 mx -all"', spf_claim("v=spf1 mx ip4:192.0.2.1 -all")))
        )
        assert refusal.reason == "takeover"
        assert '"v=spf1 mx -all"' in refusal.sentence
        assert '"v=spf1 mx ip4:192.0.2.1 -all"' in refusal.sentence
        assert "apply --adopt example.org" in refusal.sentence

    @pytest.mark.parametrize(
        "fields", [{"adopt": True}, {"ledger": {("", "TXT", Owner.SPF): Applied("x", "example.org")}}]
    )
    def test_with_a_word_or_later(self, fields: dict) -> None:
        """With --adopt, or once the ledger knows the record, it goes through."""
        assert reasons(case('@ IN TXT "v=spf1 mx -all"', spf_claim(), **fields)) == []

    @pytest.mark.parametrize(
        ("agreed", "refused"),
        [
            (("", "TXT", Owner.SPF, SPF), []),
            (("", "TXT", Owner.SPF, "v=spf1 mx -all"), ["takeover"]),
            (("www", "TXT", Owner.SPF, SPF), ["takeover"]),
        ],
        ids=["this value", "another value", "elsewhere"],
    )
    def test_agreed_to_earlier(self, agreed: tuple[str, str, Owner, str], refused: list[str]) -> None:
        """A value that a person was given to enter is agreed to; another one at that place, or that one elsewhere, is not."""
        assert reasons(case('@ IN TXT "v=spf1 mx -all"', spf_claim(), agreed=frozenset({agreed}))) == refused

    def test_same_meaning_is_no_takeover(self) -> None:
        """A record that already says what we want is simply ours from now on."""
        assert reasons(case('@ IN TXT "v=spf1 ip4:192.0.2.1/32 -all"', spf_claim())) == []


class TestRecords:
    def test_two_spf(self) -> None:
        """Two SPF records are shown and refused."""
        assert reasons(case('@ IN TXT "v=spf1 -all"\n@ IN TXT "v=spf1 mx -all"', spf_claim())) == ["takeover"] * 2 + [
            "two_records"
        ]

    def test_two_dmarc(self) -> None:
        """So are two DMARC records."""
        claim = Claim("_dmarc", "TXT", Owner.DMARC, "v=DMARC1; p=none", 60, "example.org")
        got = case('_dmarc IN TXT "v=DMARC1; p=none"\n_dmarc IN TXT "v=DMARC1;p=reject"', claim, adopt=True)
        assert reasons(got) == ["two_records"]

    @pytest.mark.parametrize("value", ["v=spf1 ip4:192.0.2.300 -all", "v=spf1 foo:bar -all"])
    def test_spf_syntax(self, value: str) -> None:
        """An SPF record that does not parse is not published."""
        assert reasons(case("", spf_claim(value))) == ["spf_syntax"]

    def test_dmarc_syntax(self) -> None:
        """Nor is such a DMARC record."""
        claim = Claim("_dmarc", "TXT", Owner.DMARC, "v=DMARC1; p", 60, "example.org")
        assert reasons(case("", claim)) == ["dmarc_syntax"]

    def test_spf_lookups(self) -> None:
        """Ten look-ups pass, eleven are refused."""
        terms = [f"exists:e{n}.test" for n in range(11)]
        dns = told({(f"e{n}.test", "A"): ("127.0.0.2",) for n in range(11)})
        for count, want in ((10, []), (11, ["spf_lookups"])):
            got = replace(case("", spf_claim(f"v=spf1 {' '.join(terms[:count])} -all")), dns=dns)
            assert reasons(got) == want

    def test_spf_voids(self) -> None:
        """Two names that do not exist pass, three are refused."""
        for count, want in ((2, []), (3, ["spf_voids"])):
            terms = " ".join(f"a:no{n}.test" for n in range(count))
            assert reasons(case("", spf_claim(f"v=spf1 {terms} -all"))) == want

    def test_spf_silence(self) -> None:
        """A look-up that nobody answers is a notice, not a void one and no refusal."""
        got = replace(case("", spf_claim("v=spf1 a:a.test a:b.test a:c.test -all")), dns=silent)
        assert reasons(got) == []
        assert [notice.reason for notice in guard.notices(guard.judge(got))] == ["spf_unknown"]

    def test_spf_include_missing(self) -> None:
        """A target of include or redirect that has no record is told; it is for its owner to mend."""
        got = case("", spf_claim("v=spf1 ip4:192.0.2.1 include:gone.test -all"))
        assert reasons(got) == []
        [notice] = guard.notices(guard.judge(got))
        assert notice.reason == "spf_include_missing"
        assert "gone.test" in notice.sentence

    def test_spf_not_passing(self) -> None:
        """A record that would fail our own mail is refused, with the address and the result."""
        got = case(
            "", spf_claim("v=spf1 -ip4:192.0.2.0/24 ip4:192.0.2.1 -all"), senders={"example.org": ("192.0.2.1",)}
        )
        [refusal] = guard.refusals(guard.judge(got))
        assert refusal.reason == "spf_not_passing"
        assert "192.0.2.1" in refusal.sentence and '"fail"' in refusal.sentence

    def test_spf_undecided(self) -> None:
        """Where DNS is silent the question stays open, with a notice."""
        got = replace(case("", spf_claim("v=spf1 a:a.test -all"), senders={"example.org": ("192.0.2.1",)}), dns=silent)
        assert reasons(got) == []
        assert "spf_undecided" in [notice.reason for notice in guard.notices(guard.judge(got))]


class TestZone:
    def test_cname(self) -> None:
        """A CNAME where our record should stand is refused, not replaced."""
        claim = Claim("_dmarc", "TXT", Owner.DMARC, "v=DMARC1; p=none", 60, "example.org")
        assert reasons(case("_dmarc IN CNAME x.vendor.test.", claim)) == ["cname"]

    @pytest.mark.parametrize("cut", ["sub IN NS ns.elsewhere.test.", "sub IN DNAME other.test."])
    def test_below_a_cut(self, cut: str) -> None:
        """What lies below a delegation or a DNAME would never be seen."""
        claim = Claim("_dmarc.sub", "TXT", Owner.DMARC, "v=DMARC1; p=none", 60, "sub.example.org")
        assert reasons(case(cut, claim)) == ["delegated"]

    def test_apex_ns_is_no_cut(self) -> None:
        """The zone's own NS records delegate nothing."""
        assert reasons(case("", spf_claim())) == []

    def test_suddenly_empty(self) -> None:
        """A zone that shows nothing at all, where there was something, was not read."""
        got = replace(case("", spf_claim()), found={}, known_before=3)
        assert "zone_empty" in reasons(got)
        assert "zone_empty" not in reasons(replace(got, known_before=0))


@pytest.mark.parametrize(("zone_text", "wanted"), [
    (f's1._domainkey IN TXT "{DKIM}"\ns1._domainkey IN TXT "v=DKIM1; p=QUJD"', ["selector_taken"]),
    (f's1._domainkey IN TXT "{DKIM}"\ns1._domainkey IN TXT "x=1"', ["selector_taken"]),
    ('s1._domainkey IN TXT "v=DKIM1;k=rsa;p=AAAA"', []),
])  # fmt: skip
def test_a_second_record_at_a_selector(zone_text: str, wanted: list[str]) -> None:
    """Beside our key anything else makes signatures fail by chance, though no change of ours touches it."""
    assert reasons(case(zone_text, dkim_claim(), keys=(KEY,))) == wanted


def test_claims_are_not_walked_through_for_each_change() -> None:
    """A zone may hold ten thousand domains: as many walks through its claims with two hundred of them as with one."""

    class Counted(tuple[Claim, ...]):
        walks = 0

        def __iter__(self) -> Iterator[Claim]:
            type(self).walks += 1
            return super().__iter__()

        def __reversed__(self) -> Iterator[Claim]:
            type(self).walks += 1
            return iter(tuple(self)[::-1])

    walks = []
    for count in (1, 200):
        claims = [Claim(f"d{n}", "TXT", Owner.SPF, SPF, 3600, f"d{n}.example.org") for n in range(count)]
        got, Counted.walks = case("", *claims), 0
        assert guard.judge(replace(got, claims=Counted(claims))) == ()
        walks.append(Counted.walks)
    assert walks[0] == walks[1]
