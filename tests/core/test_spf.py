"""SPF records as text: what is one, what its grammar allows, which spellings mean the same."""

from __future__ import annotations

import pytest
from hypothesis import given

from dnssync.core import spf
from dnssync.core.record import RecordError
from tests.core.strategies import SPF_RECORDS


@given(SPF_RECORDS)
def test_round_trip(record: spf.Record) -> None:
    """What is printed reads back as the same record, whether its terms were found or built."""
    read = spf.parse(str(record))
    assert read == record
    assert str(read) == str(record)


@given(SPF_RECORDS)
def test_meaning_outlives_spelling(record: spf.Record) -> None:
    """A record means the same as itself with another case outside of macros and more spaces."""
    text = str(record)
    assert spf.same(text, "V=SPF1" + text[6:].replace(" ", "   ") + " ", "example.org")


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("v=spf1", True),
        ("V=SPF1 -all", True),
        ("v=spf1 ", True),
        ("v=spf1 nonsense:", True),
        ("v=spf10", False),
        (" v=spf1 -all", False),
        ("v=spf1\t-all", False),
        ("v=spf1-all", False),
        ("spf2.0/pra -all", False),
        ("", False),
    ],
)
def test_is_spf(text: str, want: bool) -> None:
    """`v=spf1` in any case and then a space or the end, whatever follows (§4.5)."""
    assert spf.is_spf(text) is want


def test_spelling_stays() -> None:
    """Every term is written back as it was found, with one space between."""
    text = "v=spf1 +MX  Include:_SPF.x.Test ip6:2001:DB8:0::1/64 eXp=Why.%{d} x-1=%{c} -ALL"
    assert str(spf.parse(text)) == text.replace("  ", " ")


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("spf1 -all", 0),
        ("v=spf1 foo -all", 7),
        ("v=spf1 a -al", 9),
        ("v=spf1 all:x.test", 10),
        ("v=spf1 include", 14),
        ("v=spf1 include:", 15),
        ("v=spf1 include:org", 15),
        ("v=spf1 include:example.123", 15),
        ("v=spf1 include:example.-x", 15),
        ("v=spf1 include/24:x.test", 14),
        ("v=spf1 exists:%{z}.x.test", 14),
        ("v=spf1 exists:x.%{d0}", 16),
        ("v=spf1 exists:x.%{c}", 16),
        ("v=spf1 exists:x%.test", 15),
        ("v=spf1 exists:%%%_%(d).test", 18),
        ("v=spf1 exists:x.test%%-", 14),
        ("v=spf1 a/33", 8),
        ("v=spf1 a/024", 8),
        ("v=spf1 a/", 8),
        ("v=spf1 a//129", 8),
        ("v=spf1 ptr/24", 10),
        ("v=spf1 ip4:192.0.2.300", 10),
        ("v=spf1 ip4:192.0.2.1/33", 20),
        ("v=spf1 ip4:192.0.2.1/" + "9" * 5000, 20),
        ("v=spf1 ip4:192.0.2", 10),
        ("v=spf1 ip4", 10),
        ("v=spf1 ip6:192.0.2.1", 10),
        ("v=spf1 ip6:fe80::1%eth0", 10),
        ("v=spf1 redirect=", 16),
        ("v=spf1 redirect=a.test redirect=b.test", 23),
        ("v=spf1 exp=a.test -all EXP=a.test", 23),
        ("v=spf1 x=%{q}", 9),
        ("v=spf1 a\u00e4.test", 7),
        ("v=spf1 x=\u00e4", 7),
        ("v=spf1 a\tmx", 7),
    ],
)
def test_invalid(text: str, offset: int) -> None:
    """What the grammar does not allow is refused, with the place and a sentence."""
    with pytest.raises(RecordError) as caught:
        spf.parse(text)
    assert caught.value.offset == offset
    assert caught.value.sentence in str(caught.value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ip4:192.0.2.1", "ip4:192.0.2.1/32"),
        ("ip4:192.0.2.0/24", "IP4:192.0.2.77/24"),
        ("ip6:2001:db8::1", "ip6:2001:0DB8:0:0:0:0:0:1/128"),
        ("a", "+a"),
        ("a", "a:Example.Org"),
        ("mx", "mx:example.org./32//128"),
        ("a", "a:%{d}"),
        ("include:_spf.Example.NET", "include:_SPF.example.net."),
        ("exists:%{i}.A.test", "exists:%{i}.a.test"),
        ("-all exp=Why.test", "exp=why.test -all"),
    ],
)
def test_same(one: str, other: str) -> None:
    """Spellings that mean the same to a receiver are equal."""
    assert spf.same(f"v=spf1 {one}", f"v=spf1 {other}", "example.org")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ip4:192.0.2.1", "ip4:192.0.2.2"),
        ("ip4:192.0.2.0/24", "ip4:192.0.2.0/25"),
        ("a", "?a"),
        ("a mx", "mx a"),
        ("a", "a:other.test"),
        ("a/24", "a//24"),
        ("exists:%{s}.x.test", "exists:%{S}.x.test"),
        ("x=A", "x=a"),
        ("a", "a a"),
        ("-all", "-all x=1"),
    ],
)
def test_not_same(one: str, other: str) -> None:
    """What may differ in effect is different; inside a macro the case says whether to escape (§7.3)."""
    assert not spf.same(f"v=spf1 {one}", f"v=spf1 {other}", "example.org")


def test_same_without_a_name() -> None:
    """Where the name is not told, `a` is not taken for `a:example.org`."""
    assert not spf.same("v=spf1 a", "v=spf1 a:example.org")


def test_same_of_what_is_none() -> None:
    """Texts that do not parse are compared as they are."""
    assert spf.same("v=spf1 foo", "v=spf1 foo") and not spf.same("v=spf1 foo", "v=spf1 FOO")
