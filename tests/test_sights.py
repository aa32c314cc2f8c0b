"""How a key's record looks, from several servers and at several providers: the worst of them counts, in whatever order they come."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from dnssync.core import dkim
from dnssync.core.model import KeyPair, Limits, Owner, RRset, Value
from dnssync.core.observed import ZoneView
from dnssync.core.ownership import Applied
from dnssync.core.policy import MailPolicy
from dnssync.core.sighting import Answer, Rcode, Reply, Sight
from dnssync.sights import sights

KEY = KeyPair("example.org", "s1", "rsa2048", "AAAA", 1, seen=2, published=3, activated=4)
NAME = "s1._domainkey"
TEXT = dkim.record_for(KEY)
OLD = "v=DKIM1; p="
NOW = 100


class Dns:
    """What every name server answers: a text, None = there is none, "" = it does not answer."""

    def __init__(self, text: str | None) -> None:
        self.text = text

    def look(self, questions):
        """See `Resolver.look`; the SOA is always there."""
        return {question: Answer(question, (self._reply(question.type),)) for question in questions}

    def _reply(self, kind: str) -> Reply:
        if kind == "SOA":
            return Reply("192.0.2.1", Rcode.DATA, ("ns.",))
        if self.text == "":
            return Reply("192.0.2.1", Rcode.TIMEOUT)
        return Reply("192.0.2.1", Rcode.DATA, (self.text,)) if self.text else Reply("192.0.2.1", Rcode.NXDOMAIN)


def look(key: KeyPair, dns: str | None, *providers: str | None) -> Sight:
    """How the key looks where the name servers show that, and the providers each hold that."""
    found = {
        f"p{number}": {} if text is None else {(NAME, "TXT"): RRset(NAME, "TXT", 60, (Value(text, text),))}
        for number, text in enumerate(providers)
    }
    view = ZoneView("example.org", MailPolicy(), ("example.org",), Limits(), found)
    plugins = SimpleNamespace(provider=lambda name: SimpleNamespace(limits=Limits()))
    got, _ = sights([key], [view], NOW, Dns(dns), plugins, ["example.org"])
    return got[("example.org", "s1")]


@pytest.mark.parametrize(
    ("dns", "providers", "want"),
    [
        (TEXT, (TEXT,), Sight.VISIBLE),
        (TEXT, (TEXT, TEXT), Sight.VISIBLE),
        (TEXT, (None,), Sight.ABSENT),  # it will go, whatever a server still serves
        ("", (None,), Sight.ABSENT),
        ("", (TEXT,), Sight.UNKNOWN),
        (TEXT, (OLD,), Sight.OTHER),
        (TEXT, (None, TEXT), Sight.PARTIAL),
        (TEXT, (TEXT, None), Sight.PARTIAL),
        (TEXT, (TEXT, OLD), Sight.PARTIAL),
        (TEXT, (None, OLD), Sight.OTHER),
        (None, (None, None), Sight.ABSENT),
        (None, (TEXT, TEXT), Sight.ABSENT),  # not loaded yet
        (TEXT, (), Sight.VISIBLE),
    ],
)
def test_one_that_signs(dns: str | None, providers: tuple[str | None, ...], want: Sight) -> None:
    """It is visible where every server shows it and every provider holds it, and absent where none holds it."""
    assert look(KEY, dns, *providers) is want


@pytest.mark.parametrize(
    ("dns", "providers", "want"),
    [
        (None, (None,), Sight.ABSENT),
        (None, (OLD, None), Sight.OTHER),
        (None, (None, OLD), Sight.OTHER),
        (OLD, (None, None), Sight.OTHER),
        ("v=DKIM1; p=BBBB", (None,), Sight.ABSENT),  # a wildcard's answer
        ("", (None,), Sight.UNKNOWN),
    ],
)
def test_one_that_has_ended(dns: str | None, providers: tuple[str | None, ...], want: Sight) -> None:
    """It is gone once no provider holds anything there and no server shows what stood there last."""
    ended = replace(KEY, retired=5, revoked=6, overlap=1)
    assert look(replace(ended, revoked=NOW - 8 * 86400), dns, *providers) is want


def above(ledger: bool, stands: str | None, **fields: object) -> Sight:
    """How a key looks that has ended, and whose own zone shows it no more, where the zone above has and shows that."""
    at, full = ("s1._domainkey", "TXT", Owner.DKIM), ("s1._domainkey", "TXT")
    found = {"p": {full: RRset(*full, 60, (Value(stands, stands),))} if stands else {}}
    known = {"p": {at: Applied(TEXT, "example.org")} if ledger else {}}
    views = [
        ZoneView("_domainkey.example.org", MailPolicy(), (), Limits(), {"q": {}}),
        replace(ZoneView("example.org", MailPolicy(), ("example.org",), Limits(), found, known), **fields),  # type: ignore[arg-type]
    ]
    plugins = SimpleNamespace(provider=lambda name: SimpleNamespace(limits=Limits()))
    ended = replace(KEY, retired=5, overlap=1, revoked=10)
    names = ["example.org", "_domainkey.example.org"]
    got, _ = sights([ended], views, 10 + 365 * 86400, Dns(None), plugins, names)
    return got[("example.org", "s1")]


def test_what_stood_in_the_zone_above_before() -> None:
    """A key is gone once the zone that held it before shows it no more, either; what cannot be read there is not known."""
    assert above(True, None) is Sight.ABSENT and above(False, "v=DKIM1; p=BBBB") is Sight.ABSENT
    assert above(True, OLD) is Sight.PARTIAL and above(False, TEXT) is Sight.PARTIAL
    assert above(False, None, problem="it is gone") is Sight.UNKNOWN
    assert above(False, None, unread={"p": "it is gone"}) is Sight.UNKNOWN


def test_a_zone_that_nobody_delegates() -> None:
    """What only its own servers show, no receiver can see: it does not count as seen."""
    found = {"p": {(NAME, "TXT"): RRset(NAME, "TXT", 60, (Value(TEXT, TEXT),))}}
    view = ZoneView("example.org", MailPolicy(), ("example.org",), Limits(), found)
    plugins = SimpleNamespace(provider=lambda name: SimpleNamespace(limits=Limits()))
    new = replace(KEY, seen=None, published=None, activated=None)
    for parent, want in (("", Sight.VISIBLE), ("org", Sight.UNKNOWN)):
        got, _ = sights([new], [replace(view, undelegated=parent)], NOW, Dns(TEXT), plugins, ["example.org"])
        assert got[("example.org", "s1")] is want
