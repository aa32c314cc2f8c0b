"""The provider that prints: what a person reads, and that it claims to know nothing."""

from __future__ import annotations

import pytest
from dnssync_providers.manual import Provider

from dnssync.core.model import Change, Kind, ProviderError, RRset, Value

FOREIGN = Value("site-verification=abc", '"site-verification=abc"')


def rrset(name: str, kind: str, ttl: int, *values: Value) -> RRset:
    """An RRset."""
    return RRset(name, kind, ttl, values)


def test_what_to_enter_and_to_delete() -> None:
    """Only our values are told, each as a line of a zone file, no string longer than 255 octets; strangers' values are not."""
    spf, new = Value("v=spf1 mx -all", '"v=spf1 mx -all"'), Value("v=spf1 mx a -all", "")
    key = "v=DKIM1; p=" + "A" * 400
    changes = [
        Change(Kind.UPDATE, "", "TXT", rrset("", "TXT", 300, FOREIGN, spf), rrset("", "TXT", 300, FOREIGN, new)),
        Change(Kind.CREATE, "s1._domainkey", "TXT", None, rrset("s1._domainkey", "TXT", 3600, Value(key, ""))),
        Change(Kind.DELETE, "", "SPF", rrset("", "SPF", 300, spf), None),
    ]

    assert Provider("form").write("example.org", changes) == (
        'delete: example.org. 300 IN TXT "v=spf1 mx -all"',
        'add: example.org. 300 IN TXT "v=spf1 mx a -all"',
        f'add: s1._domainkey.example.org. 3600 IN TXT "{key[:255]}" "{key[255:]}"',
        'delete: example.org. 300 IN SPF "v=spf1 mx -all"',
    )


def test_another_ttl() -> None:
    """A TTL alone is a change of every value of the RRset."""
    old, new = rrset("_dmarc", "TXT", 300, FOREIGN), rrset("_dmarc", "TXT", 900, FOREIGN)

    lines = Provider("form").write("example.org", [Change(Kind.UPDATE, "_dmarc", "TXT", old, new)])

    assert lines == ('set TTL: _dmarc.example.org. 900 IN TXT "site-verification=abc"',)


def test_hard_text() -> None:
    """Quotes, backslashes and octets are escaped as in a zone file."""
    change = Change(Kind.CREATE, "a", "TXT", None, rrset("a", "TXT", 60, Value('say "ü\\"', "")))

    assert Provider("form").write("example.org", [change]) == (r'add: a.example.org. 60 IN TXT "say \"\195\188\\\""',)


def test_reading_is_an_error() -> None:
    """Nothing can be read there, and nothing is not an empty zone."""
    with pytest.raises(ProviderError, match=r"example\.org: form is edited by hand"):
        Provider("form").read("example.org")


@pytest.mark.parametrize("type99", [False, True])
def test_limits(type99: bool) -> None:
    """It says that it cannot be read, and knows type SPF only where the configuration says so."""
    limits = Provider("form", type99=type99).limits

    assert not limits.reads
    assert limits.type99 is type99
