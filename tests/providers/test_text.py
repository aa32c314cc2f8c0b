"""TXT and SPF values: octets, their quoted form, and what dnspython makes of it."""

from __future__ import annotations

import dns.rdata
import pytest
from dnssync_providers import _text
from hypothesis import given
from hypothesis import strategies as st

from dnssync.core.model import Value

STRINGS = st.lists(st.binary(max_size=255), min_size=1, max_size=5)


@given(STRINGS)
def test_quoted_and_back(strings: list[bytes]) -> None:
    """What is quoted is unquoted to the same strings, by us and by dnspython; boundaries are kept."""
    raw = _text.quoted(strings)

    assert raw.isascii()
    assert _text.unquoted(raw) == tuple(strings)
    assert dns.rdata.from_text("IN", "TXT", raw).strings == tuple(strings)


@given(STRINGS)
def test_a_value_that_was_read_goes_back_as_it_was(strings: list[bytes]) -> None:
    """The text of a value says the octets, its raw form the strings."""
    value = _text.value(strings)

    assert value.text.encode("utf-8", "surrogateescape") == b"".join(strings)
    assert _text.strings(value) == tuple(strings)
    assert _text.spelled(value) == value.raw


@given(st.binary(max_size=1200))
def test_a_value_of_ours_is_cut_at_255_octets(octets: bytes) -> None:
    """Ours has no raw form: its octets are cut into full strings and a rest, and none of them is lost."""
    strings = _text.strings(Value(octets.decode("utf-8", "surrogateescape"), ""))

    assert b"".join(strings) == octets
    assert [len(string) for string in strings[:-1]] == [255] * (len(strings) - 1)
    assert 0 < len(strings[-1]) <= 255 or octets == b""


@pytest.mark.parametrize(
    ("raw", "strings"),
    [
        ("bare words", (b"bare", b"words")),
        ('"a"bare"b"', (b"a", b"bare", b"b")),
        (r'"a\"b\\c\;d\065"', (b'a"b\\c;dA',)),
        ('""', (b"",)),
        ("\tv=spf1\\ -all ", (b"v=spf1 -all",)),
        ('"grün"', ("grün".encode(),)),
    ],
)
def test_spellings(raw: str, strings: tuple[bytes, ...]) -> None:
    """Words without quotes, quotes side by side, every escape, and text beyond ASCII as providers give it."""
    assert _text.unquoted(raw) == strings


@pytest.mark.parametrize("raw", ["", " ", '"open', 'a"', '"a" "', "end\\", '"\\"'])
def test_what_is_no_list_of_strings(raw: str) -> None:
    """Half a quote or half an escape is an error, never half a value."""
    with pytest.raises(ValueError, match="not a list of character-strings"):
        _text.unquoted(raw)


@pytest.mark.parametrize("raw", [r'"\256"', r'"\999"'])
def test_what_is_no_octet(raw: str) -> None:
    """A number above 255 is no octet."""
    with pytest.raises(ValueError):
        _text.unquoted(raw)
