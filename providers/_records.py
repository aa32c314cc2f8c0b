"""What a master file says: its records with their absolute names, TTLs and values, as named would load them.

Semantics: RFC 1035 §5.1, RFC 2308 §4 ($TTL), and BIND's $GENERATE. Each record keeps its entry, which says where it
stands in the zone's own file; a record of an included or generated line has none and can be read, not edited.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.ttl
import dns.zone

from dnssync.core.model import RRset, Value

from . import _text
from ._master import Entry, Head, MasterError, Token, entries, head, printable

DEEPEST = 10  # $INCLUDE in an $INCLUDE …
# Types that named has names for and dnspython only numbers.
OTHERS = {"EID": 31, "NIMLOC": 32, "ATMA": 34, "SINK": 40, "RKEY": 57, "TALINK": 58, "UINFO": 100, "UID": 101, "GID": 102,
          "DOA": 259, "KEYDATA": 65533}  # fmt: skip
BESIDE = frozenset(
    {"KEY", "NSEC", "NXT", "RRSIG", "SIG"}
)  # what may stand beside a CNAME (RFC 2181 §10.1, RFC 4034 §3, §4)
# Types whose values dnssync reads: what cannot be read there is an error.
UNDERSTOOD = frozenset(
    map(dns.rdatatype.from_text, ["A", "AAAA", "CNAME", "DNAME", "MX", "NS", "PTR", "SOA", "SPF", "TXT"])
)


class Unreadable(Exception):
    """A file that cannot be taken for the zone: the sentence names file and line."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record. `name` is relative to the zone, `file` and `line` say where it stands; records that follow each other with
    one spelling of their owner have the same `run`."""

    name: str
    type: str
    ttl: int
    value: Value
    file: str
    line: int
    entry: Entry | None
    run: int


@dataclass
class _Reader:
    """Goes through a file and the files that it includes; what one record leaves to the next is kept here."""

    zone: dns.name.Name
    load: Callable[[str], tuple[str, str]]
    owner: dns.name.Name | None = None
    default: int | None = None
    last: int | None = None
    depth: int = 0
    run: int = 0

    def records(self, file: str, text: str, origin: dns.name.Name) -> Iterator[Record]:
        try:
            for entry in entries(text):
                try:
                    yield from self._entry(file, entry, origin)
                except (dns.exception.DNSException, ValueError, OverflowError) as error:
                    if isinstance(error, MasterError):
                        raise
                    raise MasterError(entry.line, str(error) or type(error).__name__) from None
                if entry.tokens[0].text.upper() == "$ORIGIN":
                    origin = _name(_argument(entry, 1), origin)
        except MasterError as error:
            raise Unreadable(f"{file}, line {error.line}: {error}") from None

    def _entry(self, file: str, entry: Entry, origin: dns.name.Name) -> Iterator[Record]:
        word = entry.tokens[0].text.upper()
        if entry.indented or not word.startswith("$"):
            record = self._record(file, entry, origin)
            if record is not None:
                yield record
        elif word == "$TTL":
            self.default = dns.ttl.from_text(_argument(entry, 1).text)
        elif word == "$INCLUDE":
            yield from self._include(entry, origin)
        elif word == "$GENERATE":
            yield from self._generate(file, entry, origin)
        elif word == "$ORIGIN":
            _name(_argument(entry, 1), origin)
        elif word != "$DATE":  # $DATE is in files that named dumped; it says nothing about the zone
            raise MasterError(entry.line, f"{entry.tokens[0].text} is no directive of a master file")

    def _record(self, file: str, entry: Entry, origin: dns.name.Name) -> Record | None:
        parts = head(entry)
        if parts.owner is not None:
            before, self.owner = self.owner, _name(parts.owner, origin)
            self.run += before is None or before.labels != self.owner.labels
        if self.owner is None:
            raise MasterError(entry.line, "the first record has no owner name")
        if parts.class_ is not None and parts.class_.text.upper() not in ("IN", "CLASS1"):
            raise MasterError(entry.line, f"a record of class {parts.class_.text} in a zone of class IN")
        kind, value = _value(parts, origin)
        ttl = self._ttl(parts, kind, value, entry)
        if not self.owner.is_subdomain(self.zone):
            return None  # named passes over it too, with a warning
        return Record(_relative(self.owner, self.zone), kind, ttl, value, file, entry.line, entry, self.run)

    def _ttl(self, parts: Head, kind: str, value: Value, entry: Entry) -> int:
        """Its own, else $TTL, else the one of the record before (RFC 1035), else the SOA's last field."""
        if parts.ttl is not None:
            self.last = dns.ttl.from_text(parts.ttl.text)
            return self.last
        if self.default is not None:
            return self.default
        if self.last is None and kind == "SOA":
            self.last = int(value.text.split()[-1])
        if self.last is None:
            raise MasterError(entry.line, "no TTL: put a line such as $TTL 3600 above the SOA record")
        return self.last

    def _include(self, entry: Entry, origin: dns.name.Name) -> Iterator[Record]:
        if self.depth >= DEEPEST:
            raise MasterError(entry.line, f"$INCLUDE goes deeper than {DEEPEST} files")
        inner = _name(entry.tokens[2], origin) if len(entry.tokens) > 2 else origin
        file, text = self.load(_argument(entry, 1).text.strip('"'))
        owner = self.owner
        self.depth, self.run = self.depth + 1, self.run + 1
        for record in self.records(file, text, inner):
            yield replace(record, entry=None)
        self.depth, self.run = self.depth - 1, self.run + 1
        self.owner = owner  # RFC 1035 §5.1: an include changes nothing for what follows it

    def _generate(self, file: str, entry: Entry, origin: dns.name.Name) -> Iterator[Record]:
        ttl = self.default if self.default is not None else self.last
        line = " ".join(printable(token.text) for token in entry.tokens)
        made = dns.zone.from_text(f"$TTL {ttl or 0}\n{line}\n", origin=origin, relativize=False, check_origin=False)
        self.run += 1
        for name, rdataset in made.iterate_rdatasets():
            for rdata in rdataset:
                kind = dns.rdatatype.to_text(rdataset.rdtype)
                yield Record(
                    _relative(name, self.zone), kind, rdataset.ttl, _of(rdata), file, entry.line, None, self.run
                )
        self.run += 1


def read(zone: str, file: str, text: str, load: Callable[[str], tuple[str, str]]) -> tuple[Record, ...]:
    """Every record in the order of the file; `load` gives path and text of an included one. Raises `Unreadable`."""
    origin = dns.name.from_text(zone)
    return tuple(_Reader(origin, load).records(file, text, origin))


def rrsets(records: tuple[Record, ...]) -> Mapping[tuple[str, str], RRset]:
    """The RRsets of records, by name and type. Where the TTLs of one RRset differ, named takes the first one of a run of
    records, and the last such run's."""
    found: dict[tuple[str, str], tuple[Record, dict[str, Value]]] = {}
    for record in records:
        key = (record.name, record.type)
        ruling, values = found.get(key, (record, {}))
        values.setdefault(record.value.raw, record.value)
        found[key] = (record if record.run != ruling.run else ruling, values)
    return {key: RRset(*key, ruling.ttl, tuple(values.values())) for key, (ruling, values) in found.items()}


def _argument(entry: Entry, at: int) -> Token:
    if len(entry.tokens) <= at:
        raise MasterError(entry.line, f"{entry.tokens[0].text} needs a value")
    return entry.tokens[at]


def _name(token: Token, origin: dns.name.Name) -> dns.name.Name:
    return origin if token.text == "@" else dns.name.from_text(printable(token.text), origin)


def _relative(name: dns.name.Name, zone: dns.name.Name) -> str:
    short = name.relativize(zone)
    return "" if short == dns.name.empty else short.to_text().lower()


def _value(parts: Head, origin: dns.name.Name) -> tuple[str, Value]:
    """Type and value. Where dnspython does not know a type's own form, or is stricter than named with it, the value is its
    words as they stand: it is a stranger's, and all we ever do with it is see that it stays."""
    text = _words(parts.data)
    mnemonic = parts.type.text.upper()
    if mnemonic in OTHERS:
        return f"TYPE{OTHERS[mnemonic]}", Value(text, text)
    try:
        rdtype = dns.rdatatype.from_text(mnemonic)
    except (dns.rdatatype.UnknownRdatatype, ValueError):
        raise ValueError(f"{parts.type.text} is no type of record") from None
    try:
        rdata = dns.rdata.from_text(dns.rdataclass.IN, rdtype, text, origin, False)
    except dns.exception.DNSException:
        if rdtype in UNDERSTOOD:
            raise
        return dns.rdatatype.to_text(rdtype), Value(text, text)
    return dns.rdatatype.to_text(rdtype), _of(rdata)


def _words(tokens: Sequence[Token]) -> str:
    """The words of a record's data, parentheses and comments left out; `key="value"` (RFC 9460) is one word."""
    text = ""
    for before, token in zip((None, *tokens), tokens, strict=False):
        joined = before is None or (before.end == token.start and before.text.endswith("="))
        text += ("" if joined else " ") + printable(token.text)
    return text


def _of(rdata: dns.rdata.Rdata) -> Value:
    if rdata.rdtype in (dns.rdatatype.TXT, dns.rdatatype.SPF):
        return _text.value(getattr(rdata, "strings"))  # noqa: B009 - both types have it, their base has not
    text = rdata.to_text()
    return Value(text, text)
