"""DMARC records: text, the merge with what others wrote, and the policy that a domain has from its parents."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnssync.core import dmarc
from dnssync.core.record import RecordError
from tests.core.strategies import DMARC_RECORDS, POLICIES

PUT = st.fixed_dictionaries(
    {"p": POLICIES},
    optional={"sp": POLICIES, "np": POLICIES, "adkim": st.sampled_from(["r", "s"]), "rua": st.just("mailto:d@x.test")},
)
NAMED = st.frozensets(st.sampled_from(["p", "sp", "np", "adkim", "rua"]), max_size=3)


def put(
    found: str | dmarc.Record | None, wanted: dict[str, str], added: str = "", explicit: frozenset[str] = frozenset()
) -> dmarc.Merged:
    """A merge, of texts."""
    record = dmarc.parse(found) if isinstance(found, str) else found
    return dmarc.merge(found=record, applied=added, wanted=wanted, explicit=explicit)


def comes_to(record: dmarc.Record) -> tuple[int, int, int]:
    """How strict a record is with the domain, its sub-domains and those that do not exist."""
    p = record.get("p") or "none"
    sp = record.get("sp") or p
    return dmarc.strength(p), dmarc.strength(sp), dmarc.strength(record.get("np") or sp)


@given(DMARC_RECORDS)
def test_round_trip(record: dmarc.Record) -> None:
    """What is printed reads back as the same record; a second reading has p second."""
    read = dmarc.parse(str(record))
    assert dict(read.tags) == dict(record.tags)
    assert dmarc.parse(str(read)) == read
    assert str(read).startswith("v=DMARC1; p=" if record.get("p") else "v=DMARC1;")


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("v=DMARC1; p=none", True),
        ("v=DMARC1", True),
        ("v\t= DMARC1 ; nonsense", True),
        ("v=DMARC1;p=none", True),
        ("v=DMARC1 p=none", False),
        ("v=dmarc1; p=none", False),
        ("v=DMARC10; p=none", False),
        ("v=DMARC1\n", False),
        (" v=DMARC1; p=none", False),
        ("=DMARC1; p=none", False),
        ("p=none; v=DMARC1", False),
        ("", False),
    ],
)
def test_is_dmarc(text: str, want: bool) -> None:
    """The version comes first, in this case exactly, and then a `;` or the end (§4.8)."""
    assert dmarc.is_dmarc(text) is want


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("v=DMARC1;p=none;", "v=DMARC1; p=none"),
        ("v = DMARC1 ;\tP = reject\t; unknown = a value ; ", "v=DMARC1; p=reject; unknown=a value"),
        ("v=DMARC1; rua=mailto:a@x.test!10m; p=Quarantine; pct=20; ri=1; rf=afrf",
         "v=DMARC1; p=Quarantine; rua=mailto:a@x.test!10m; pct=20; ri=1; rf=afrf"),
        ("v=DMARC1", "v=DMARC1;"),
    ],
)  # fmt: skip
def test_parse(text: str, want: str) -> None:
    """White space is dropped, p comes second, tags that are unknown or were removed stay."""
    assert str(dmarc.parse(text)) == want


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("p=none", 0),
        ("v=DMARC1; p", 10),
        ("v=DMARC1; p=none; P=reject", 18),
        ("v=DMARC1; v=DMARC1; p=none", 10),
        ("v=DMARC1;; p=none", 9),
        ("v=DMARC1; p=none; n\u00e4me=x", 19),
        ("v=DMARC1; p=none; x=\u00e4", 20),
        ("v=DMARC1; p=none; 1=x", 18),
        ("v=DMARC1; p=none; x=\x07", 20),
    ],
)
def test_invalid(text: str, offset: int) -> None:
    """What the grammar does not allow is refused, with its place."""
    with pytest.raises(RecordError) as caught:
        dmarc.parse(text)
    assert caught.value.offset == offset


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("p=reject", "reject"),
        ("p=Quarantine", "quarantine"),
        ("rua=mailto:a@x.test", "none"),
        ("p=foo; rua=mailto:a@x.test", "none"),
        ("p=reject; sp=foo; rua=mailto:a@x.test", "none"),
        ("p=reject; np=", "none"),
    ],
)
def test_effective_policy(text: str, want: str) -> None:
    """A missing p, or a value of p, sp or np that is no policy, counts as none (§4.10.1)."""
    assert dmarc.parse("v=DMARC1; " + text).policy == want


def test_same() -> None:
    """Order of tags, white space, the case of known words and spaces in lists of URIs make no difference."""
    one = "v=DMARC1; p=reject; rua=mailto:a@x.test,mailto:b@x.test"
    assert dmarc.same(one, "v=DMARC1;rua=mailto:a@x.test , mailto:b@x.test;p=REJECT;")
    assert not dmarc.same(one, one + "; x=1")
    assert not dmarc.same(one, one.replace("a@", "A@"))
    assert dmarc.same("v=DMARC1; p", "v=DMARC1; p") and not dmarc.same("v=DMARC1; p", "v=DMARC1; P")


class TestMerge:
    @given(DMARC_RECORDS, PUT, NAMED)
    def test_idempotent(self, found: dmarc.Record, wanted: dict[str, str], explicit: frozenset[str]) -> None:
        """A second merge changes nothing, and knows the same tags for ours."""
        once = put(found, wanted, explicit=explicit)
        twice = put(str(once.record), wanted, once.added, explicit)
        assert twice == once

    @given(DMARC_RECORDS, PUT, NAMED)
    def test_policies_need_no_ledger(
        self, found: dmarc.Record, wanted: dict[str, str], explicit: frozenset[str]
    ) -> None:
        """With its ledger lost a second merge still comes to the same record."""
        once = put(found, wanted, explicit=explicit)
        assert put(str(once.record), wanted, "", explicit).record == once.record

    @given(DMARC_RECORDS, st.lists(PUT, min_size=1, max_size=3))
    def test_never_weaker(self, found: dmarc.Record, wishes: list[dict[str, str]]) -> None:
        """However our wishes change, nothing that a record did for domain and sub-domains is weakened unasked."""
        record, added, before = found, "", comes_to(found)
        for wanted in wishes:
            merged = put(record, wanted, added)
            record, added = dmarc.parse(str(merged.record)), merged.added
            assert all(now >= then for now, then in zip(comes_to(record), before, strict=True))
            before = comes_to(record)

    @given(DMARC_RECORDS, st.lists(PUT, min_size=1, max_size=3))
    def test_tags_of_others_stay(self, found: dmarc.Record, wishes: list[dict[str, str]]) -> None:
        """However often we run, every tag that we did not need to strengthen stays as it was found."""
        record, added = found, ""
        for wanted in wishes:
            merged = put(record, wanted, added)
            record, added = dmarc.parse(str(merged.record)), merged.added
        policies = dmarc.POLICY_TAGS
        assert {t: v for t, v in found.tags if t not in policies}.items() <= dict(record.tags).items()
        rest = dmarc.without(record, added)
        left = dict(dmarc.parse(rest).tags) if rest else {}
        assert {t: v for t, v in left.items() if t not in policies} == {
            t: v for t, v in found.tags if t not in policies
        }

    @given(PUT)
    def test_alone(self, wanted: dict[str, str]) -> None:
        """Where nothing was found everything is ours, and leaving leaves nothing."""
        merged = put(None, wanted)
        assert dict(merged.record.tags) == wanted
        assert dmarc.without(merged.record, merged.added) is None

    @pytest.mark.parametrize(
        ("found", "wanted", "want"),
        [
            ("p=none", {"p": "reject"}, "p=reject"),
            ("p=reject", {"p": "none"}, "p=reject"),
            ("p=Reject; x=1", {"p": "quarantine"}, "p=Reject; x=1"),
            ("rua=mailto:a@x.test", {"p": "none"}, "p=none; rua=mailto:a@x.test"),
            ("p=reject", {"p": "none", "sp": "none"}, "p=reject"),
            ("p=quarantine", {"p": "reject", "sp": "none"}, "p=reject; sp=quarantine"),
            ("p=reject; sp=none", {"p": "none", "sp": "quarantine"}, "p=reject; sp=quarantine"),
            ("p=reject; sp=none", {"p": "none", "np": "none"}, "p=reject; sp=none; np=none"),
            ("p=none; sp=reject", {"p": "none"}, "p=none; sp=reject"),
        ],
    )
    def test_policies(self, found: str, wanted: dict[str, str], want: str) -> None:
        """The stronger of found and wanted counts; sub-domains keep what p or sp gave them."""
        assert str(put("v=DMARC1; " + found, wanted).record) == "v=DMARC1; " + want

    @pytest.mark.parametrize("tag", ["p", "sp", "np"])
    def test_named(self, tag: str) -> None:
        """A policy that the zone itself names is published, weaker or not."""
        record = put(
            "v=DMARC1; p=reject; sp=reject; np=reject", dict.fromkeys(("p", "sp", "np"), "none"), "", frozenset({tag})
        ).record
        assert [name for name, value in record.tags if value == "none"] == [tag]

    def test_named_tag_of_others(self) -> None:
        """Any other tag that the zone itself names is changed, though others wrote it; unnamed it stays."""
        wanted = {"p": "none", "adkim": "s"}
        assert put("v=DMARC1; p=none; adkim=r", wanted).record.get("adkim") == "r"
        named = put("v=DMARC1; p=none; adkim=r", wanted, "", frozenset({"adkim"}))
        assert (named.record.get("adkim"), named.added) == ("s", "v=DMARC1; adkim=s")

    @pytest.mark.parametrize(
        ("found", "want"),
        [
            ("p=foo; rua=mailto:a@x.test", "p=none; rua=mailto:a@x.test"),
            ("p=reject; sp=foo; adkim=s", "p=reject; adkim=s"),
            ("p=reject; np=", "p=reject"),
        ],
    )
    def test_found_value_that_is_no_policy(self, found: str, want: str) -> None:
        """It made receivers ignore the whole record (§4.10.1): it is replaced, or goes."""
        merged = put("v=DMARC1; " + found, {"p": "none"})
        assert str(merged.record) == "v=DMARC1; " + want

    def test_ours_goes_when_it_is_not_wanted(self) -> None:
        """A tag that we added goes with the wish for it, and follows it while it lasts."""
        merged = put("v=DMARC1; p=none; x=1", {"p": "none", "rua": "mailto:a@x.test"})
        assert merged.added == "v=DMARC1; rua=mailto:a@x.test"
        later = put(merged.record, {"p": "none", "rua": "mailto:b@x.test"}, merged.added)
        assert later.record.get("rua") == "mailto:b@x.test"
        assert str(put(later.record, {"p": "none"}, later.added).record) == "v=DMARC1; p=none; x=1"

    def test_changed_by_others(self) -> None:
        """A tag of ours that somebody has changed is his."""
        merged = put(
            "v=DMARC1; p=none; rua=mailto:his@x.test",
            {"p": "none", "rua": "mailto:a@x.test"},
            "v=DMARC1; rua=mailto:a@x.test",
        )
        assert (merged.record.get("rua"), merged.added) == ("mailto:his@x.test", "")

    def test_unreadable_ledger(self) -> None:
        """A ledger that no longer parses takes nothing away."""
        assert str(put("v=DMARC1; p=none; x=1", {"p": "none"}, "nonsense").record) == "v=DMARC1; p=none; x=1"

    def test_leaving_keeps_policies(self) -> None:
        """Beside tags of others the policies stay when we leave."""
        assert dmarc.without(dmarc.parse("v=DMARC1; p=reject; x=1"), "v=DMARC1; p=reject") == "v=DMARC1; p=reject; x=1"


class TestTreeWalk:
    def test_short(self) -> None:
        """The name itself, then each parent up to the top."""
        assert dmarc.tree_walk("A.mail.example.org.") == (
            "_dmarc.a.mail.example.org", "_dmarc.mail.example.org", "_dmarc.example.org", "_dmarc.org",
        )  # fmt: skip

    @pytest.mark.parametrize("labels", [7, 8, 9, 20])
    def test_long(self, labels: int) -> None:
        """From eight labels on it goes on with seven: eight questions at most."""
        names = dmarc.tree_walk(".".join(["x"] * (labels - 1)) + ".org")
        assert len(names) == min(labels, 8)
        assert names[1].count(".") == min(labels - 1, 7)

    @pytest.mark.parametrize(
        ("records", "want"),
        [
            ({}, None),
            ({"example.org": "p=reject"}, ("reject", "example.org")),
            ({"example.org": "p=reject; sp=quarantine"}, ("quarantine", "example.org")),
            ({"example.org": "p=reject; sp=Quarantine; t=y"}, ("none", "example.org")),
            ({"example.org": "p=none; t=y"}, ("none", "example.org")),
            ({"example.org": "p=foo; rua=mailto:a@x.test"}, ("none", "example.org")),
            ({"b.example.org": "p=reject", "example.org": "p=none"}, ("none", "example.org")),
            ({"b.example.org": "p=reject; psd=n", "example.org": "p=none"}, ("reject", "b.example.org")),
            ({"b.example.org": "p=none", "example.org": "p=reject; psd=N", "org": "p=none"}, ("reject", "example.org")),
            ({"example.org": "p=none", "org": "p=reject; psd=y"}, ("none", "example.org")),
            ({"org": "p=none; sp=reject; psd=Y"}, ("reject", "org")),
            ({"b.example.org": "p=none", "org": "p=reject; psd=y"}, ("reject", "org")),
            ({"b.example.org": "p=none", "example.org": "p=reject; psd=y"}, ("none", "b.example.org")),
            ({"example.org": "p=reject; psd=y", "org": "p=none"}, ("reject", "example.org")),
            ({"example.org": "p=reject; p=reject", "org": "p=quarantine"}, ("quarantine", "org")),
        ],
    )
    def test_inherited(self, records: dict[str, str], want: tuple[str, str] | None) -> None:
        """What a.b.example.org has from above: its organizational domain's sp or p, else the public suffix's."""
        got = dmarc.inherited(
            "a.b.example.org", {f"_dmarc.{name}": f"v=DMARC1; {text}" for name, text in records.items()}
        )
        assert (got and (got.policy, got.source.removeprefix("_dmarc."))) == want

    def test_just_below_a_public_suffix(self) -> None:
        """A domain without a record right below psd=y is its own organizational domain: the suffix's policy applies."""
        got = dmarc.inherited("example.org", {"_dmarc.org": "v=DMARC1; p=none; sp=reject; psd=y"})
        assert got == dmarc.Inherited("reject", "_dmarc.org")


class TestReports:
    def test_name(self) -> None:
        """The name at which a host agrees."""
        assert dmarc.report_name("example.org", "reports.test") == "example.org._report._dmarc.reports.test"

    @pytest.mark.parametrize(
        ("host", "want"),
        [
            ("example.org", False),
            ("Mail.Example.ORG.", False),
            ("org", False),
            ("reports.test", True),
            ("anexample.org", True),
        ],
    )
    def test_needed(self, host: str, want: bool) -> None:
        """Only a host inside the domain, or above it, needs to agree to nothing."""
        assert dmarc.needs_report_record("example.org", host) is want
        assert dmarc.needs_report_record(host, "example.org") is want
