"""One table of steps that every provider has to pass, and the laws that hold after each of them.

A row starts from a zone of strangers' records (`zone_of_everything`), and writes its steps one after the other. A step says
which texts of ours shall stand at which RRsets, as `{"name type": [texts]}`, `@` = apex; strangers' values there are
carried along, as a plan does it. Each row ends by taking all of ours out again, and then the zone must be what it was.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import pytest

from dnssync.core.model import Change, Kind, Provider, ProviderError, RRset, StaleZone, Value

ZONE = "example.org"
Key = tuple[str, str]
Everything = dict[Key, tuple[int, frozenset[bytes]]]
Step = Mapping[str, Sequence[str]]


class Site(Protocol):
    """A provider with a zone behind it, and a way to that zone that does not lead through the provider."""

    provider: Provider

    def everything(self) -> Everything:
        """The zone but for its SOA, read without the provider: name and type → TTL, values as octets; TXT and SPF as wire."""

    def stranger(self, line: str) -> None:
        """Somebody else adds a record (`+ name ttl type data`) or takes an RRset away (`- name type`)."""


@dataclass
class Row:
    """`ttl` is for RRsets of ours alone; `ttls` asks for other ones, step by step, at shared RRsets too."""

    title: str
    steps: Sequence[Step]
    ttl: int = 300
    ttls: Mapping[int, int] = field(default_factory=dict)


def _key(bits: int) -> str:
    octets = random.Random(bits).randbytes(bits // 8 + 38)
    return "v=DKIM1; k=rsa; p=" + base64.b64encode(octets).decode()


TABLE = (
    Row("create, leave, change, delete", [{"new TXT": ["one"]}, {"new TXT": ["one"]}, {"new TXT": ["two"]}, {"new TXT": []}]),
    Row("keys of 1024, 2048 and 4096 bits", [{"s._domainkey TXT": [_key(bits)]} for bits in (1024, 2048, 4096)]),
    Row("one key after the other, then a revoked one",
        [{"a._domainkey TXT": [_key(2048)]}, {"a._domainkey TXT": [_key(2049)]}, {"a._domainkey TXT": ["v=DKIM1; p="]}]),
    Row("semicolons, quotes, backslashes",
        [{"hard TXT": ['a; b "c" d\\e\\;f\\"']}, {"hard TXT": ['"', "\\", ";", '" "', '\\" \\"', "\\065", "(x)", "$ORIGIN"]}]),
    Row("blanks and nothing", [{"hard TXT": [" x ", "x", " ", "two  blanks", "tab\there"]}, {"hard TXT": [""]}]),
    Row("octets beyond ASCII", [{"hard TXT": ["grün 🙂", "\udcff\udc80", "\x00\x01\x7f\r\n"]}]),
    Row("control octets and DEL alone, every octet in a row",
        [{"hard TXT": [*map(chr, [*range(33), 127])]}, {"hard TXT": [bytes(range(256)).decode("utf-8", "surrogateescape")]}]),
    Row("lengths around a string's end", [{"long TXT": ["x" * length for length in (254, 255, 256, 510, 511)]}]),
    Row("4 kB of text", [{"long TXT": ["".join(f"{number:08x}" for number in range(512))]}]),
    Row("an escape that falls on a string's end", [{"long TXT": ["x" * 254 + '"' + "y" * 254 + "\\" + "z" * 254 + "ü"]}]),
    Row("our value among strangers' at the apex: in, changed, out",
        [{"@ TXT": ["v=spf1 mx -all"]}, {"@ TXT": ["v=spf1 mx a ip4:192.0.2.1 -all"]}, {"@ TXT": []}]),
    Row("our value in an RRset with everything hard in it", [{"t-txt TXT": ["ours"]}, {"t-txt TXT": ["ours; changed"]}]),
    Row("type SPF, alone and among strangers'",
        [{"new SPF": ["v=spf1 -all"], "t-spf SPF": ["v=spf1 mx -all"]}, {"new SPF": ["v=spf1 a -all"], "t-spf SPF": []}]),
    Row("another TTL for an RRset of ours", [{"new TXT": ["one"]}, {"new TXT": ["one"]}], ttls={1: 7200}),
    Row("another TTL for a shared RRset, and back", [{"@ TXT": ["one"]}, {"@ TXT": ["one"]}, {"@ TXT": ["two"]}], ttls={1: 900, 2: 300}),
    Row("everything of a domain at once, changed at once",
        [{"@ TXT": ["v=spf1 mx -all"], "@ SPF": ["v=spf1 mx -all"], "_dmarc TXT": ["v=DMARC1; p=none"], "a._domainkey TXT": ["k1"]},
         {"@ TXT": ["v=spf1 a -all"], "@ SPF": ["v=spf1 a -all"], "_dmarc TXT": ["v=DMARC1; p=reject"], "a._domainkey TXT": [],
          "b._domainkey TXT": ["k2"]}]),
    Row("a wildcard, and a name that a stranger's wildcard would answer for", [{"*.w TXT": ["wild"], "x.deep TXT": ["not wild"]}]),
    Row("a name that a stranger wrote in capitals", [{"mixed.case TXT": ["ours"]}]),
    Row("names with escapes", [{"a\\.dot TXT": ["ours"], "b\\.c._domainkey TXT": ["ours too"]}]),
    Row("several values come and go", [{"new TXT": ["a", "b", "c"]}, {"new TXT": ["b", "d"]}, {"new TXT": ["e"]}]),
)  # fmt: skip


def changes(
    provider: Provider, step: Step, ours: dict[Key, list[str]], ttl: int, forced: int | None = None
) -> list[Change]:
    """What makes the step true, from what the provider shows now; `ours` remembers which values are not strangers'."""
    found = {rrset.key: rrset for rrset in provider.read(ZONE)}
    todo = []
    for where, texts in step.items():
        name, kind = where.split()
        key = ("" if name == "@" else name, kind)
        old = found.get(key)
        foreign = [value for value in old.values if value.text not in ours.get(key, [])] if old else []
        values = (*foreign, *(Value(text, "") for text in texts))
        new = RRset(*key, forced or (old.ttl if foreign and old else ttl), values) if values else None
        ours[key] = list(texts)
        if (old is None) and new is None:
            continue
        todo.append(Change(Kind.CREATE if old is None else Kind.DELETE if new is None else Kind.UPDATE, *key, old, new))
    return todo


def text_of(wire: bytes) -> str:
    """The joined strings of a TXT or SPF value."""
    joined, at = b"", 0
    while at < len(wire):
        joined += wire[at + 1 : at + 1 + wire[at]]
        at += 1 + wire[at]
    return joined.decode("utf-8", "surrogateescape")


def run(site: Site, row: Row) -> None:
    """The row's steps; after each the laws are looked at both through the provider and past it."""
    before = site.everything()
    ours: dict[Key, list[str]] = {}
    last = {where: [] for step in row.steps for where in step}
    for number, step in enumerate([*row.steps, last]):
        todo = changes(site.provider, step, ours, row.ttl, row.ttls.get(number))
        assert site.provider.write(ZONE, todo) == ()
        after = site.everything()
        shown = {rrset.key: rrset for rrset in site.provider.read(ZONE)}
        assert len(shown) == len(site.provider.read(ZONE))
        for change in todo:
            key = (change.name, change.type)
            wanted = sorted(value.text for value in change.new.values) if change.new else []
            ttl = change.new.ttl if change.new else None
            assert sorted(value.text for value in shown[key].values) == wanted if wanted else key not in shown
            assert (shown[key].ttl if key in shown else None) == ttl
            assert sorted(map(text_of, after.get(key, (0, frozenset()))[1])) == wanted
            assert (after[key][0] if key in after else None) == ttl
            assert before.get(key, (0, frozenset()))[1] <= after.get(key, (0, frozenset()))[1]
        touched = set(ours)
        assert {k: v for k, v in after.items() if k not in touched} == {
            k: v for k, v in before.items() if k not in touched
        }
        assert [
            c for c in changes(site.provider, step, dict(ours), row.ttl, row.ttls.get(number)) if not _same(c)
        ] == []
    assert site.everything() == before


def _same(change: Change) -> bool:
    """Whether a change would change nothing: the plan after a step must be empty."""
    if change.old is None or change.new is None:
        return change.old is change.new
    return change.old.ttl == change.new.ttl and sorted(v.text for v in change.old.values) == sorted(
        v.text for v in change.new.values
    )


def refuses_stale(site: Site, stranger: Sequence[str], step: Step) -> None:
    """What a stranger does between our read and our write fails the whole write, and nothing of it is done."""
    todo = changes(site.provider, step, {}, 300)
    for line in stranger:
        site.stranger(line)
    moved = site.everything()
    with pytest.raises(StaleZone, match=ZONE) as caught:
        site.provider.write(ZONE, todo)
    assert site.everything() == moved
    assert caught.value.transient
    todo = changes(site.provider, step, {}, 300)
    site.provider.write(ZONE, todo)
    assert site.everything() != moved


STRANGERS = (
    (['+ @ 300 TXT "a stranger\'s"'], {"@ TXT": ["ours"]}),
    (['+ new 300 TXT "first"'], {"new TXT": ["ours"]}),
    (["- t-txt TXT"], {"t-txt TXT": ["ours"]}),
    (["- t-spf SPF", '+ t-spf 699 SPF "another one"'], {"t-spf SPF": ["ours"]}),
    (['+ @ 300 TXT "a stranger\'s"'], {"before TXT": ["ours"], "@ TXT": ["ours"], "later TXT": ["ours"]}),
)


def refuses_beside_a_cname(site: Site) -> None:
    """No record is put beside a CNAME, and the CNAME is named: what was read is still so, and would be read again."""
    before = site.everything()
    todo = changes(site.provider, {"new TXT": ["ours"], "t-cname TXT": ["ours"], "zz TXT": ["ours"]}, {}, 300)
    with pytest.raises(ProviderError, match=rf"^{ZONE}.*: t-cname\S* is a CNAME") as caught:
        site.provider.write(ZONE, todo)
    assert not isinstance(caught.value, StaleZone) and not caught.value.transient
    assert site.everything() == before


def refuses_an_unknown_zone(site: Site) -> None:
    """A zone that is not there is an error for a read and for a write: never empty, never made."""
    for ask in (
        lambda: site.provider.read("unknown.test"),
        lambda: site.provider.write(
            "unknown.test", [Change(Kind.CREATE, "", "TXT", None, RRset("", "TXT", 300, (Value("x", ""),)))]
        ),
    ):
        with pytest.raises(ProviderError, match=r"unknown\.test"):
            ask()
