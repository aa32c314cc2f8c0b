"""One table of steps that every provider has to pass, and the laws that hold after each of them.

A row starts from a zone of strangers' records (`zone_of_everything`), and writes its steps one after the other. A step says
which texts of ours shall stand at which RRsets, as `{"name type": [texts]}`, `@` = apex; strangers' values there are
carried along, as a plan does it. Each row ends by taking all of ours out again, and then the zone must be what it was.
Where a provider says of itself that it cannot carry something (`Limits`), the same row shows that it refuses that whole.
"""

from __future__ import annotations

import base64
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import pytest

from dnssync.core.model import Change, Foreign, Kind, Limits, Provider, ProviderError, RRset, StaleZone, Value
from tests.gaps import Item

ZONE = "example.org"
Key = tuple[str, str]
Everything = dict[Key, tuple[int, frozenset[bytes]]]
Step = Mapping[str, Sequence[str]]


class Site(Protocol):
    """A provider with a zone behind it, and a way to that zone that does not lead through the provider."""

    provider: Provider
    secret: str  # what no message may hold, "" where there is none
    words: tuple[str, ...]  # how sentences may name the provider

    def make(self, **options: Any) -> Provider:
        """The provider anew, with other options."""

    def write(self, provider: Provider, changes: Sequence[Change]) -> None:
        """Have it write, and look at the zone after every request."""

    def gaps(self) -> Mapping[Item, float]:
        """What was missing between two of those looks though it was there before and after."""

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
        key = key_of(where)
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


def carried(limits: Limits, change: Change) -> bool:
    """Whether a provider that says this of itself can do a change."""
    if change.new is None:
        return True
    if any(len(v.text.encode("utf-8", "surrogateescape")) > limits.txt for v in change.new.values if not v.raw):
        return False
    if not re.fullmatch(limits.names, change.name):
        return False
    if limits.foreign is Foreign.ANY:
        return True
    theirs = [value for value in change.new.values if value.raw]
    ours = [value.text for value in change.new.values if not value.raw]
    pieces = [Value(text[at : at + 255], "") for text in ours for at in range(0, len(text), 255)]
    return all(piece.plain for piece in pieces) and (
        all(value.plain for value in theirs) if limits.foreign is Foreign.PLAIN else not theirs
    )


def in_steps(provider: Provider) -> bool:
    """Whether a provider says of itself that a record may be missing for a moment."""
    return "octodns_steps" in {notice.reason for notice in provider.limits.notices}


def refuses(site: Site, todo: Sequence[Change]) -> None:
    """What cannot be carried is told as that, and nothing is done, neither of it nor of anything beside it."""
    before = site.everything()
    with pytest.raises(
        ProviderError, match=rf"^{ZONE}: .*(unharmed|may lose|too long[^;]*|no such name.*); nothing was written"
    ) as caught:
        site.write(site.provider, todo)
    assert not caught.value.transient and not isinstance(caught.value, StaleZone)
    assert site.everything() == before


def doable(
    site: Site, step: Step, ours: dict[Key, list[str]], ttl: int = 300, forced: int | None = None
) -> tuple[Step, list[Change]]:
    """The part of a step that the provider can do, after it has refused the whole of it, and the changes for that part."""
    todo = changes(site.provider, step, dict(ours), ttl, forced)
    limits = site.provider.limits  # which the reading may have learned
    step = {where: texts for where, texts in step.items() if limits.type99 or not where.endswith(" SPF")}
    todo = [change for change in todo if limits.type99 or change.type != "SPF"]
    heavy = {(change.name, change.type) for change in todo if not carried(limits, change) and not _same(change)}
    if heavy:
        refuses(site, todo)
        step = {where: texts for where, texts in step.items() if key_of(where) not in heavy}
    return step, changes(site.provider, step, ours, ttl, forced)


def key_of(where: str) -> Key:
    """`@ TXT` as a key."""
    name, kind = where.split()
    return ("" if name == "@" else name, kind)


def run(site: Site, row: Row) -> None:
    """The row's steps; after each the laws are looked at both through the provider and past it."""
    before = site.everything()
    ours: dict[Key, list[str]] = {}
    last = {where: [] for step in row.steps for where in step}
    for number, whole in enumerate([*row.steps, last]):
        step, todo = doable(site, whole, ours, row.ttl, row.ttls.get(number))
        site.write(site.provider, todo)
        after = site.everything()
        shown = {rrset.key: rrset for rrset in site.provider.read(ZONE)}
        assert len(shown) == len(site.provider.read(ZONE))
        for change in todo:
            key = (change.name, change.type)
            if _same(change) and not carried(site.provider.limits, change):
                assert after.get(key) == before.get(key)
                continue
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
        assert left(site, step, ours, row.ttl, row.ttls.get(number)) == []
    assert site.everything() == before
    assert in_steps(site.provider) or site.gaps() == {}


def runs_aground(site: Site, row: Row) -> None:
    """A row that a plug-in's own side does not take, which nobody can know before: that is told, strangers' records are the same
    octets, and ours can be taken out again."""
    before = site.everything()
    with pytest.raises(ProviderError, match=f"^{ZONE}: .* (the next|a later) pass reads the zone"):
        run(site, row)
    keys = {key_of(where): where for step in row.steps for where in step}
    now = site.everything()
    assert {k: v for k, v in now.items() if k not in keys} == {k: v for k, v in before.items() if k not in keys}
    ours = {key_of(where): [text for step in row.steps for text in step.get(where, ())] for where in keys.values()}
    site.write(site.provider, changes(site.provider, dict.fromkeys(keys.values(), ()), ours, row.ttl))
    assert site.everything() == before


def left(site: Site, step: Step, ours: dict[Key, list[str]], ttl: int = 300, forced: int | None = None) -> list[Change]:
    """What is still to be done for a step; a plan after it must be empty."""
    return [change for change in changes(site.provider, step, dict(ours), ttl, forced) if not _same(change)]


def _same(change: Change) -> bool:
    """Whether a change would change nothing: the plan after a step must be empty."""
    if change.old is None or change.new is None:
        return change.old is change.new
    return change.old.ttl == change.new.ttl and sorted(v.text for v in change.old.values) == sorted(
        v.text for v in change.new.values
    )


def refuses_stale(site: Site, stranger: Sequence[str], whole: Step) -> None:
    """What a stranger does between our read and our write fails the whole write, and nothing of it is done."""
    step, todo = doable(site, whole, {}, 300)
    theirs = {key_of(" ".join(line.split()[1 : 4 : 2 if line[0] == "+" else 1])) for line in stranger}
    if not theirs & set(map(key_of, step)):
        return  # refused before, or of a type that is never asked for there
    for line in stranger:
        site.stranger(line)
    moved = site.everything()
    with pytest.raises(StaleZone, match=ZONE) as caught:
        site.write(site.provider, todo)
    assert site.everything() == moved
    assert caught.value.transient
    step, todo = doable(site, step, {}, 300)
    site.write(site.provider, todo)
    assert (site.everything() != moved) is bool(step)
    assert in_steps(site.provider) or site.gaps() == {}


STRANGERS = (
    (['+ @ 300 TXT "a stranger\'s"'], {"@ TXT": ["ours"]}),
    (['+ new 300 TXT "first"'], {"new TXT": ["ours"]}),
    (["- t-txt TXT"], {"t-txt TXT": ["ours"]}),
    (["- t-spf SPF", '+ t-spf 699 SPF "another one"'], {"t-spf SPF": ["ours"]}),
    (['+ @ 300 TXT "a stranger\'s"'], {"before TXT": ["ours"], "@ TXT": ["ours"], "later TXT": ["ours"]}),
)


def refuses_another_ttl(site: Site) -> None:
    """Where somebody gave a record of ours another TTL, and nothing else, it is not written over."""
    ours: dict[Key, list[str]] = {}
    site.write(site.provider, changes(site.provider, {"ours TXT": ["one"]}, ours, 300))
    todo = changes(site.provider, {"ours TXT": ["two"]}, ours, 300)
    site.stranger("- ours TXT")
    site.stranger('+ ours 900 TXT "one"')
    moved = site.everything()
    with pytest.raises(StaleZone, match=ZONE):
        site.write(site.provider, todo)
    assert site.everything() == moved and moved["ours", "TXT"][0] == 900


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
