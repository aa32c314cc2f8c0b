"""The three-way merge of SPF: what others wrote stays as it was, ours comes and goes, and nothing drifts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnssync.core import spf
from dnssync.core.spf_merge import Merged, MergeRefusal, merge, without

NAME = "example.org"
POOL = [
    "mx", "MX", "?mx", "a", "a:Example.org", "ip4:192.0.2.1", "ip4:192.0.2.1/32", "ip6:2001:db8::1", "include:x.test",
    "include:X.test", "exists:%{s}.x.test", "exists:%{S}.x.test", "x-y=1",
]  # fmt: skip
FOUND = st.builds(
    lambda terms, exp: "v=spf1 " + " ".join([*terms[:1], *exp, *terms[1:]]),
    st.lists(st.sampled_from([*POOL, "-all", "~all", "all"]), min_size=1, max_size=7),
    st.sampled_from([[], ["exp=why.test"]]),
).map(spf.parse)
OURS = st.lists(st.sampled_from(POOL), max_size=5).map(tuple)
ENDINGS = st.sampled_from(["fail", "softfail", "neutral", "pass"])


def put(
    found: spf.Record | str | None,
    ours: str | tuple[str, ...],
    applied: str = "",
    ending: str = "fail",
    explicit: bool = False,
) -> Merged:
    """A merge at example.org, of texts."""
    record = spf.parse(found) if isinstance(found, str) else found
    terms = tuple(ours.split()) if isinstance(ours, str) else ours
    return merge(found=record, applied=applied, ours=terms, ending=ending, explicit=explicit, domain=NAME)


def live(record: spf.Record) -> list[object]:
    """The meanings of the terms that count: mechanisms before the first `all`, and modifiers."""
    meanings: list[object] = [term.meaning(NAME) for term in record.terms if isinstance(term, spf.Modifier)]
    for mechanism in record.mechanisms:
        if mechanism.name == "all":
            break
        meanings.append(mechanism.meaning(NAME))
    return meanings


class TestLaws:
    @given(FOUND, OURS, ENDINGS, st.booleans())
    def test_everything_needed_counts(
        self, found: spf.Record, ours: tuple[str, ...], ending: str, explicit: bool
    ) -> None:
        """The result is a valid record that ends, and every term of ours stands where it counts."""
        record = spf.parse(str(put(found, ours, ending=ending, explicit=explicit).record))
        assert set(live(record)) >= {term.meaning(NAME) for term in spf.parse_terms(" ".join(ours))}
        assert any(map(spf.is_all, record.terms))

    @given(FOUND, OURS, ENDINGS, st.booleans())
    def test_idempotent(self, found: spf.Record, ours: tuple[str, ...], ending: str, explicit: bool) -> None:
        """A second merge changes nothing, with its ledger or after that was lost."""
        once = put(found, ours, ending=ending, explicit=explicit)
        twice = put(spf.parse(str(once.record)), ours, once.added, ending, explicit)
        assert (str(twice.record), twice.added) == (str(once.record), once.added)
        lost = put(once.record, ours, "", ending, explicit)
        assert (str(lost.record), lost.added) == (str(once.record), "")

    @given(FOUND, st.lists(OURS, min_size=1, max_size=4), ENDINGS)
    def test_leaving_restores(self, found: spf.Record, wishes: list[tuple[str, ...]], ending: str) -> None:
        """However our wishes change over time, taking our terms out leaves what was found, letter by letter."""
        record, added = found, ""
        for ours in wishes:
            merged = put(record, ours, added, ending)
            record, added = spf.parse(str(merged.record)), merged.added
        assert without(record, added, NAME) == str(found)

    @given(FOUND, OURS, st.sampled_from(POOL), ENDINGS)
    def test_what_others_add_later_stays(
        self, found: spf.Record, ours: tuple[str, ...], term: str, ending: str
    ) -> None:
        """A term that somebody adds in front while we are there is still there when we have left."""
        merged = put(found, ours, ending=ending)
        record = spf.Record((*spf.parse_terms(term), *merged.record.terms))
        assert without(record, merged.added, NAME) == str(spf.Record((*spf.parse_terms(term), *found.terms)))

    @given(OURS, ENDINGS)
    def test_alone(self, ours: tuple[str, ...], ending: str) -> None:
        """Where nothing was found everything is ours, each meaning once, and leaving leaves nothing."""
        merged = put(None, ours, ending=ending)
        assert len(set(live(merged.record))) == len(live(merged.record))
        assert without(merged.record, merged.added, NAME) is None


class TestAll:
    def test_the_first_record(self) -> None:
        """Three terms and nothing found give the record everybody knows."""
        merged = put(None, "mx a ip4:46.101.91.82")
        assert str(merged.record) == "v=spf1 mx a ip4:46.101.91.82 -all"
        assert merged.added == "mx a ip4:46.101.91.82 -all"

    @pytest.mark.parametrize(("ending", "want"), [("fail", "-"), ("softfail", "~"), ("neutral", "?"), ("pass", "")])
    def test_ending(self, ending: str, want: str) -> None:
        """Each ending has its qualifier."""
        assert str(put(None, "mx", ending=ending).record) == f"v=spf1 mx {want}all"

    def test_found_qualifier_stays(self) -> None:
        """A stranger's ~all stays unless the zone's configuration names one; then it is changed, but not ours."""
        assert str(put("v=spf1 mx ~all", "mx").record) == "v=spf1 mx ~all"
        merged = put("v=spf1 mx ~all", "mx", explicit=True)
        assert (str(merged.record), merged.added) == ("v=spf1 mx -all", "")

    def test_our_qualifier_follows_the_configuration(self) -> None:
        """An all that we added is changed with the default."""
        merged = put("v=spf1 mx -all", "mx", "mx -all", "softfail")
        assert (str(merged.record), merged.added) == ("v=spf1 mx ~all", "mx ~all")

    def test_a_new_all_stands_at_the_end(self) -> None:
        """It kills no mechanism that stands behind a modifier."""
        assert str(put("v=spf1 exp=why.example.org mx", "a").record) == "v=spf1 exp=why.example.org mx a -all"

    def test_our_all_behind_another(self) -> None:
        """Where somebody ends the record before our all, ours is dead and goes."""
        assert str(put("v=spf1 mx ~all -all", "mx", "mx -all").record) == "v=spf1 mx ~all"


class TestOwnership:
    def test_ours_goes_when_it_is_not_needed(self) -> None:
        """A term that we added goes, its like that was there before stays."""
        merged = put("v=spf1 include:x.test ip4:192.0.2.1 -all", "mx", "ip4:192.0.2.1")
        assert str(merged.record) == "v=spf1 include:x.test mx -all"

    def test_theirs_is_never_ours(self) -> None:
        """A term that was there before us and that we need too is not ours, and stays when we leave."""
        merged = put("v=spf1 +mx -all", "mx a")
        assert (str(merged.record), merged.added) == ("v=spf1 +mx a -all", "a")
        assert without(merged.record, merged.added, NAME) == "v=spf1 +mx -all"

    def test_dead_term_of_a_stranger(self) -> None:
        """A stranger's mx behind all is dead: ours is added before it, and of the two ours goes."""
        merged = put("v=spf1 -all mx", "mx")
        assert str(merged.record) == "v=spf1 mx -all mx"
        assert without(merged.record, merged.added, NAME) == "v=spf1 -all mx"

    def test_one_for_each(self) -> None:
        """Where somebody wrote the same term beside ours, one of the two goes."""
        assert without(spf.parse("v=spf1 mx mx -all"), "mx", NAME) == "v=spf1 mx -all"

    def test_modifier_beside_its_like(self) -> None:
        """Of two equal modifiers the last is ours, since ours are added at the end."""
        merged = put("v=spf1 mx", "x=1")
        assert str(merged.record) == "v=spf1 mx -all x=1"
        assert without(spf.parse("v=spf1 x=1 mx -all x=1"), merged.added, NAME) == "v=spf1 x=1 mx"

    def test_unreadable_ledger(self) -> None:
        """A ledger that no longer parses takes nothing away."""
        assert without(spf.parse("v=spf1 mx -all"), "mx nonsense", NAME) == "v=spf1 mx -all"

    def test_duplicates_in_ours(self) -> None:
        """Terms of ours that mean the same are published once, as first spelled."""
        assert str(put(None, "a ip4:192.0.2.1 a:example.org ip4:192.0.2.1/32").record) == "v=spf1 a ip4:192.0.2.1 -all"


class TestModifiers:
    def test_redirect_of_a_stranger(self) -> None:
        """Terms are not added to a record that hands everything on; the sentence says both ways out."""
        with pytest.raises(MergeRefusal) as caught:
            put("v=spf1 redirect=_spf.x.test", "mx")
        assert caught.value.reason == "spf_redirect"
        assert "include:_spf.x.test" in caught.value.sentence and "spf.extra" in caught.value.sentence

    def test_redirect_beside_all(self) -> None:
        """A redirect beside all counts for nothing (§6.1) and is kept."""
        assert str(put("v=spf1 a redirect=x.test -all", "mx").record) == "v=spf1 a redirect=x.test mx -all"

    def test_redirect_of_ours(self) -> None:
        """A redirect that is wanted takes the place of all, and gives it back when it goes."""
        merged = put(None, "mx redirect=_spf.x.test")
        assert str(merged.record) == "v=spf1 mx redirect=_spf.x.test"
        assert str(put(merged.record, "mx", merged.added).record) == "v=spf1 mx -all"
        back = put("v=spf1 mx -all", "mx redirect=_spf.x.test", "mx -all")
        assert str(back.record) == "v=spf1 mx redirect=_spf.x.test"

    def test_redirect_that_agrees(self) -> None:
        """A found redirect that is ours too stays theirs, and our terms go before the end."""
        merged = put("v=spf1 redirect=_spf.X.test", "mx redirect=_spf.x.test")
        assert without(merged.record, merged.added, NAME) == "v=spf1 redirect=_spf.X.test"
        assert set(live(merged.record)) == set(live(spf.parse("v=spf1 mx redirect=_spf.x.test")))
        assert not any(map(spf.is_all, merged.record.terms))

    @pytest.mark.parametrize(
        ("found", "explicit"), [("v=spf1 a -all", False), ("v=spf1 redirect=y.test", False), (None, True)]
    )
    def test_redirect_of_ours_in_vain(self, found: str | None, explicit: bool) -> None:
        """A redirect of ours beside a stranger's all or redirect, or beside spf.all, is refused."""
        with pytest.raises(MergeRefusal) as caught:
            put(found, "mx redirect=x.test", explicit=explicit)
        assert caught.value.reason == "spf_redirect"

    def test_two_exp(self) -> None:
        """A second exp= would spoil the record (§6); an equal one is no second."""
        with pytest.raises(MergeRefusal) as caught:
            put("v=spf1 exp=a.test -all", "exp=b.test")
        assert caught.value.reason == "spf_exp"
        assert str(put("v=spf1 exp=a.test -all", "exp=A.test").record) == "v=spf1 exp=a.test -all"

    def test_modifiers_stand_at_the_end(self) -> None:
        """A modifier of ours is added behind all; it is ours to take away."""
        merged = put("v=spf1 a -all", "exp=why.test")
        assert (str(merged.record), merged.added) == ("v=spf1 a -all exp=why.test", "exp=why.test")
        assert str(put(merged.record, "", merged.added).record) == "v=spf1 a -all"


@pytest.mark.parametrize(
    "term",
    [
        "nonsense",
        "ip4:192.0.2.300",
        "all",
        "include:x.test -all",
        "redirect=a.test redirect=b.test",
        "exp=a.test exp=b.test",
    ],
)
def test_ours_invalid(term: str) -> None:
    """What is no term to publish is refused with the name of the option, not with a traceback."""
    with pytest.raises(MergeRefusal) as caught:
        merge(found=None, applied="", ours=(term,), ending="fail", explicit=False, option="zones.example.org.spf.extra")
    assert caught.value.reason == "spf_term_invalid"
    assert "zones.example.org.spf.extra" in caught.value.sentence
