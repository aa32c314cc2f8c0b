"""The rows of the state as frozen values. Times are whole seconds since 1970 (UTC)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from operator import itemgetter
from typing import Any, TypeVar

from dnssync.core.attention import SETTLED
from dnssync.core.model import Owner
from dnssync.core.ownership import Applied

T = TypeVar("T")
BETWEEN = "\n\n"  # sentences that are kept as one text; a record that a sentence shows stands on a line of its own


def storable(value: Any) -> Any:
    """A text that every database takes: what a record holds that is no character, or NUL, is spelled out. Anything else as it is."""
    if not isinstance(value, str) or (value.isascii() and "\0" not in value):
        return value
    return value.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode("utf-8")


def made_of(kind: type[T]) -> Callable[[Any], T]:
    """What makes a frozen value of a row whose columns have the names of its fields; one that an older schema lacks has its default."""
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]  # every row is a dataclass
    columns: list[str] = []
    values: Callable[[Any], tuple[Any, ...]] = tuple

    def make(row: Any) -> T:
        nonlocal values
        if not columns:  # the first of many, all of one form
            columns.extend(name for name in row._fields if name in names)
            values = itemgetter(*map(row._fields.index, columns))
        return kind(**dict(zip(columns, values(row), strict=True)))

    return make


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One value of ours at one provider, as it was last written (or found to be right already)."""

    zone: str
    provider: str
    name: str
    type: str
    owner: Owner
    domain: str
    value: str
    ttl: int
    applied_at: int
    added: str = ""

    @property
    def place(self) -> tuple[str, ...]:
        """What it is the value of; there is one entry for each place."""
        return (self.zone, self.provider, self.name, self.type, self.owner)

    @classmethod
    def of(cls, row: Any) -> LedgerEntry:
        """The entry that a row of the ledger's table holds."""
        told = row._mapping
        return cls(**{name: told[name] for name in cls.__slots__ if name != "owner"}, owner=Owner(row.owner))

    @property
    def applied(self) -> Applied:
        """What the pure core needs of it."""
        return Applied(self.value, self.domain, self.added, self.ttl)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was changed: when, what, and why."""

    at: int
    kind: str
    zone: str
    domain: str
    selector: str
    sentence: str
    because: str


@dataclass(frozen=True, slots=True)
class Request:
    """A person's word: `kind` is clock, narrow, gone, servers, freeze or stranger; `until` None = for good."""

    kind: str
    subject: str
    made_at: int
    until: int | None


@dataclass(frozen=True, slots=True)
class SeenAddress:
    """An address that a domain's mail was seen to leave from."""

    domain: str
    ip: str
    host_name: str
    source: str
    first_seen: int
    last_seen: int


@dataclass(frozen=True, slots=True)
class ZoneRecord:
    """The last complete reading of a zone: when, how many RRsets, and how the pass ended. `failures`: how many passes in a row
    ended badly; `next_try`: before that moment the daemon leaves the zone out. `min_ttl`, `max_ttl`: what its providers took then, together;
    None: that was not noted."""

    zone: str
    last_read: int
    last_pass: int
    result: str
    rrsets: int
    failures: int = 0
    next_try: int | None = None
    min_ttl: int | None = None
    max_ttl: int | None = None


@dataclass(frozen=True, slots=True)
class ProviderTry:
    """One of several providers of a zone that failed while another one did not: how often in a row, the moment before which the daemon
    does not ask it again, and what was told of it."""

    zone: str
    provider: str
    failures: int
    next_try: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """What the last pass had to say of a zone, "" for the host as a whole. `kind` is failed, refused, by_hand or notice, `reason` the
    stable word of it, `subject` the name that it is about ("" = no single one), `sentence` what people are told (`sentences` where there are several). `since`: the first pass of those
    in a row that said so; `told`: the ways by which an alert went out, words; `ended`: when it was over, kept until an alert has told that too."""

    zone: str
    kind: str
    reason: str
    sentence: str
    since: int
    told: str = ""
    ended: int | None = None
    subject: str = ""

    @property
    def place(self) -> tuple[str, str, str, str]:
        """What tells it from others."""
        return (self.zone, self.kind, self.reason, self.subject)

    @property
    def ways(self) -> frozenset[str]:
        """The ways by which an alert went out."""
        return frozenset(self.told.split())

    def told_by(self, ways: Iterable[str]) -> Trouble:
        """The same, told by these ways and no other."""
        return replace(self, told=" ".join(sorted(ways)))

    def past(self, now: int) -> bool:
        """Whether it has been over for so long that what comes under the same word is another thing, and nobody has to be told."""
        return self.ended is not None and not self.told and now - self.ended >= SETTLED

    @property
    def sentences(self) -> tuple[str, ...]:
        """Each thing that is said of the zone under this word."""
        return tuple(self.sentence.split(BETWEEN))


def by_place(said: Iterable[Trouble]) -> dict[tuple[str, str, str, str], Trouble]:
    """What is said, by place; of several things that are said at one place, one trouble with a sentence each."""
    found: dict[tuple[str, str, str, str], Trouble] = {}
    for trouble in said:
        held = found.get(trouble.place)
        if held is None:
            found[trouble.place] = trouble
        elif trouble.sentence not in held.sentences:
            found[trouble.place] = replace(held, sentence=BETWEEN.join((*held.sentences, trouble.sentence)))
    return found
