"""Look-ups in a zone as read: the rules of RFC 1034 §4.3.2 that mail records meet."""

from __future__ import annotations

import pytest

from dnssync.core.model import zone_of
from dnssync.core.zone_view import dns_of
from tests.zonetext import silent, told, zone

TEXT = """
@ IN MX 10 mx
mx IN A 192.0.2.1
alias IN CNAME mx
out IN CNAME mx.elsewhere.test.
*.wild IN TXT "any"
deep.er.ent IN A 192.0.2.2
sub IN NS ns.sub
loop IN CNAME loop
"""


def ask(name: str, kind: str) -> tuple[str, ...] | None:
    beyond = told({("mx.elsewhere.test", "A"): ("192.0.2.9",), ("a.sub.example.org", "A"): ("192.0.2.7",)})
    return dns_of({"example.org": zone(TEXT)}, beyond)(name, kind)


def test_data() -> None:
    """Names are found in any case and with a final dot."""
    assert ask("MX.example.org.", "A") == ("192.0.2.1",)
    assert ask("example.org", "MX") == ("10 mx.example.org.",)


def test_absent() -> None:
    """Another type, an empty non-terminal and a missing name are known to be absent."""
    assert ask("mx.example.org", "AAAA") == ask("er.ent.example.org", "A") == ask("no.example.org", "A") == ()


def test_cname() -> None:
    """A CNAME is followed, also out of the zone; a loop ends."""
    assert ask("alias.example.org", "A") == ("192.0.2.1",)
    assert ask("out.example.org", "A") == ("192.0.2.9",)
    assert ask("loop.example.org", "A") == ()
    assert ask("out.example.org", "CNAME") == ("mx.elsewhere.test.",)


def test_wildcard() -> None:
    """A wildcard answers for what does not exist below it, at its closest encloser only."""
    assert ask("x.wild.example.org", "TXT") == ("any",)
    assert ask("x.ent.example.org", "TXT") == ()


def test_delegated_and_beyond() -> None:
    """Below a zone cut, outside and in a zone that was not read, somebody else is asked."""
    assert ask("a.sub.example.org", "A") == ("192.0.2.7",)
    assert dns_of({"example.org": {}}, silent)("example.org", "A") is None
    assert dns_of({}, silent)("example.com", "A") is None


def test_partial() -> None:
    """Of a zone of which only some names are known, what is there is taken and the rest is asked."""
    beyond = told({("else.example.org", "A"): ("192.0.2.8",)})
    ask = dns_of({"example.org": zone(TEXT)}, beyond, frozenset({"example.org"}))
    assert ask("mx.example.org", "A") == ("192.0.2.1",)
    assert ask("else.example.org", "A") == ("192.0.2.8",)


@pytest.mark.parametrize(
    ("name", "holder"),
    [
        ("example.org", "example.org"),
        ("a.b.example.org", "example.org"),
        ("x.sub.example.org", "sub.example.org"),
        ("notexample.org", None),
        ("org", None),
        ("", None),
    ],
)
def test_which_zone_holds_a_name(name: str, holder: str | None) -> None:
    """The longest, by whole labels; the same however the zones are given."""
    zones = ["example.org", "sub.example.org", "b.example.net"]
    assert zone_of(name, zones) == zone_of(name, set(zones)) == zone_of(name, dict.fromkeys(zones)) == holder
