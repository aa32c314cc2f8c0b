"""Plan: everything foreign stays, ours is put in its place, and a plan is data."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnssync.core.model import Change, Claim, Kind, Owner, RRset, Value, to_json
from dnssync.core.ownership import Applied
from dnssync.core.plan import Intent, Plan, diff, digest, from_json, our_part, overlay
from tests.zonetext import show, zone

SPF = "v=spf1 mx a ip4:192.0.2.1 -all"


def spf_claim(value: str | None = SPF, kind: str = "TXT", ttl: int = 3600) -> Claim:
    return Claim("", kind, Owner.SPF, value, ttl, "example.org")


def dkim_claim(value: str | None = "v=DKIM1; k=rsa; p=AAAA", selector: str = "s1") -> Claim:
    return Claim(f"{selector}._domainkey", "TXT", Owner.DKIM, value, 3600, "example.org")


def planned(text: str, *claims: Claim, ledger: dict | None = None) -> str:
    found = zone(text).values()
    return show(diff(found, overlay(found, claims, ledger or {})))


class TestOverlay:
    def test_added_beside_strangers(self) -> None:
        """A new SPF record joins the apex TXT, whose other values and TTL stay."""
        assert planned('@ 300 IN TXT "google=1"\n@ 300 IN TXT "v=spf10 no"', spf_claim()).splitlines() == [
            "= example.org 300 TXT google=1",
            "= example.org 300 TXT v=spf10 no",
            f"+ example.org 300 TXT {SPF}",
        ]

    def test_replaced_in_place(self) -> None:
        """Our value is replaced where it stands; the order of the others does not change."""
        found = zone('@ 300 IN TXT "a=1"\n@ 300 IN TXT "v=spf1 -all"\n@ 300 IN TXT "z=9"')
        before = [v.text for v in found[("", "TXT")].values]
        [after] = [r for r in overlay(found.values(), [spf_claim()], {}) if r.key == ("", "TXT")]
        assert [SPF if text.startswith("v=spf1 ") else text for text in before] == [v.text for v in after.values]

    def test_same_meaning_stays_as_found(self) -> None:
        """A text that means the same is not rewritten."""
        assert planned('@ 3600 IN TXT "v=SPF1 mx a ip4:192.0.2.1/32 -all"', spf_claim()) == ""

    def test_strings_of_a_stranger_are_not_joined(self) -> None:
        """A foreign value in several strings goes back with the strings it came in."""
        found = zone('@ 300 IN TXT "one" "two"')
        [after] = [r for r in overlay(found.values(), [spf_claim()], {}) if r.key == ("", "TXT")]
        assert after.values[0] == Value("onetwo", '"one" "two"')

    def test_two_of_ours_are_left_alone(self) -> None:
        """Two SPF records are for the guard to refuse, not for the plan to choose from."""
        assert planned('@ 300 IN TXT "v=spf1 -all"\n@ 300 IN TXT "v=spf1 mx -all"', spf_claim()) == ""

    def test_new_rrset_gets_our_ttl(self) -> None:
        """Where nothing stood, the TTL is the claim's."""
        assert planned("", spf_claim(kind="SPF", ttl=600)) == f"+ example.org 600 SPF {SPF}"

    def test_ttl_of_ours_follows(self) -> None:
        """A TTL that we wrote follows the configuration; one that somebody else gave the record stays."""
        ledger = {("", "SPF", Owner.SPF): Applied(SPF, "example.org", ttl=300)}
        assert planned(f'@ 300 IN SPF "{SPF}"', spf_claim(kind="SPF"), ledger=ledger) == (
            f"= example.org 300 SPF {SPF}"
        )
        assert planned(f'@ 60 IN SPF "{SPF}"', spf_claim(kind="SPF"), ledger=ledger) == ""
        assert planned(f'@ 300 IN SPF "{SPF}"', spf_claim(kind="SPF")) == ""

    def test_withdrawn_only_if_ours(self) -> None:
        """A claim of absence takes away what the ledger knows, and nothing else."""
        text = f'@ 300 IN TXT "{SPF}"\n@ 300 IN TXT "keep"'
        ledger = {("", "TXT", Owner.SPF): Applied(SPF, "example.org")}
        assert planned(text, spf_claim(None)) == ""
        assert planned(text, spf_claim(None), ledger=ledger).splitlines() == [
            f"- example.org 300 TXT {SPF}",
            "= example.org 300 TXT keep",
        ]

    def test_revoked_record_goes_whoever_wrote_it(self) -> None:
        """The empty p= of a key that has ended is taken away, though a restored ledger says another text, or nothing."""
        text = 's1._domainkey 60 IN TXT "v=DKIM1; p="'
        older = {("s1._domainkey", "TXT", Owner.DKIM): Applied("v=DKIM1; k=rsa; p=AAAA", "example.org")}
        for ledger in ({}, older):
            assert planned(text, dkim_claim(None), ledger=ledger) == "- s1._domainkey.example.org 60 TXT v=DKIM1; p="
        assert planned('s1._domainkey 60 IN TXT "v=DKIM1; p=BBBB"', dkim_claim(None), ledger=older) == ""

    def test_selector_is_ours_whole(self) -> None:
        """At a selector every value is replaced by the one key record."""
        [change] = diff(found := zone('s1._domainkey 60 IN TXT "x"').values(), overlay(found, [dkim_claim()], {}))
        assert show([change]).splitlines() == [
            "- s1._domainkey.example.org 60 TXT x",
            "+ s1._domainkey.example.org 3600 TXT v=DKIM1; k=rsa; p=AAAA",
        ]


class TestDiff:
    def test_order(self) -> None:
        """Keys first, then SPF as TXT, then as type SPF, DMARC after, deletions last."""
        dmarc = Claim("_dmarc", "TXT", Owner.DMARC, "v=DMARC1; p=none", 3600, "example.org")
        gone = {("old._domainkey", "TXT", Owner.DKIM): Applied("v=DKIM1; p=BBBB", "example.org")}
        found = zone('old._domainkey 60 IN TXT "v=DKIM1; p=BBBB"').values()
        claims = [dmarc, spf_claim(kind="SPF"), spf_claim(), dkim_claim(None, "old"), dkim_claim()]
        got = [(c.kind.value, c.name, c.type) for c in diff(found, overlay(found, claims, gone))]
        assert got == [
            ("create", "s1._domainkey", "TXT"),
            ("create", "", "TXT"),
            ("create", "", "SPF"),
            ("create", "_dmarc", "TXT"),
            ("delete", "old._domainkey", "TXT"),
        ]

    def test_nothing_to_do(self) -> None:
        """A zone that holds what is claimed gives no change."""
        found = zone(f'@ 300 IN TXT "{SPF}"').values()
        assert diff(found, overlay(found, [spf_claim()], {})) == ()


texts = st.text(st.characters(codec="latin-1", exclude_categories=("Cs", "Cc")), max_size=40)


@given(st.lists(texts, max_size=6), st.sampled_from(["TXT", "SPF"]), st.integers(0, 86400))
def test_foreign_values_survive(values: list[str], kind: str, ttl: int) -> None:
    """Whatever strangers hold at a name, all of it is there afterwards, in order and with its raw text."""
    strangers = tuple(Value(text, f"raw {n}") for n, text in enumerate(values) if not text.lower().startswith("v=spf1"))
    found = [RRset("", kind, ttl, strangers)] if strangers else []
    [after] = overlay(found, [spf_claim(kind=kind)], {})
    assert strangers == after.values[:-1]
    assert after.values[-1] == Value(SPF, "")
    assert after.ttl == (ttl if strangers else 3600)


class TestDigest:
    plan = Plan(
        "example.org",
        "bind",
        (
            Change(
                Kind.CREATE,
                "s1._domainkey",
                "TXT",
                None,
                RRset("s1._domainkey", "TXT", 60, (Value("v=DKIM1; p=AA", ""),)),
            ),
        ),
        (("example.org", ("s1",)),),
    )

    def test_json_and_back(self) -> None:
        """A plan survives JSON."""
        assert from_json(json.loads(json.dumps(to_json(self.plan)))) == self.plan

    def test_intents_and_json(self) -> None:
        """Intents and deletions survive too."""
        gone = Change(Kind.DELETE, "a", "TXT", RRset("a", "TXT", 5, (Value("t", "r"),)), None)
        plan = Plan("example.org", "bind", (gone,), (), (Intent("example.org", "rsa2048"),))
        assert from_json(to_json(plan)) == plan

    @pytest.mark.parametrize("data", [{}, {"zone": "a"}, {"zone": "a", "provider": "b", "changes": 3}])
    def test_not_a_plan(self, data: dict) -> None:
        """What is no plan raises."""
        with pytest.raises((KeyError, TypeError, ValueError)):
            from_json(data)

    def test_a_made_key_counts_as_its_placeholder(self) -> None:
        """The digest before the key exists is the digest after it was made."""
        intent = Intent("example.org", "rsa2048")
        name = f"{intent.placeholder}._domainkey"
        shown = RRset(name, "TXT", 60, (Value("v=DKIM1; k=rsa; p=<new rsa2048>", ""),))
        before = Plan("example.org", "bind", (Change(Kind.CREATE, name, "TXT", None, shown),), (), (intent,))
        after = Plan("example.org", "bind", self.plan.changes)
        assert digest([before]) == digest([after], made={"s1": intent})

    def test_another_change_has_another_digest(self) -> None:
        """Every part of a change counts: its text, its TTL, a stranger beside it, a map line."""
        [change] = self.plan.changes
        assert change.new is not None
        others = [
            Plan("example.org", "bind", self.plan.changes),
            Plan("example.org", "bind", (), self.plan.map_lines),
            Plan("example.com", "bind", self.plan.changes, self.plan.map_lines),
        ]
        for rrset in (
            RRset("s1._domainkey", "TXT", 61, change.new.values),
            RRset("s1._domainkey", "TXT", 60, (Value("v=DKIM1; p=AB", ""),)),
            RRset("s1._domainkey", "TXT", 60, (*change.new.values, Value("x", "x"))),
        ):
            changed = Change(Kind.CREATE, "s1._domainkey", "TXT", None, rrset)
            others.append(Plan("example.org", "bind", (changed,), self.plan.map_lines))
        assert len({digest([plan]) for plan in (self.plan, *others)}) == 1 + len(others)


def test_our_part_ignores_strangers() -> None:
    """A stranger's edit of his own value does not change what the plan does for us."""
    one, two = (zone(f'@ 300 IN TXT "{text}"').values() for text in ("x=1", "x=2"))
    rows = [our_part(diff(f, overlay(f, [spf_claim()], {})), [spf_claim()]) for f in (one, two, [])]
    assert rows[0] == rows[1] == rows[2]
    assert rows[0] != our_part(diff(one, overlay(one, [spf_claim("v=spf1 -all")], {})), [spf_claim("v=spf1 -all")])
