"""The text of a master file (RFC 1035 §5, RFC 2308 §4, BIND's $GENERATE): its entries with their places, and edits of them.

Nothing here knows what a name or a record means. An edit replaces a span of the text and leaves every other character
where it was, so that comments, order, spacing and the words of the administrator stay.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

_LEXEME = re.compile(
    r"""(?P<space>[ \t\r]+) | (?P<comment>;[^\n]*) | (?P<newline>\n) | (?P<open>\() | (?P<close>\))
    | (?P<quoted>"(?:[^"\\\n]|\\[^\n])*") | (?P<word>(?:[^ \t\r\n;()"\\]|\\[^\n])+)""",
    re.VERBOSE,
)
_TTL = re.compile(r"\d+|(?:\d+[wdhms])+", re.IGNORECASE)
_CLASS = re.compile(r"IN|CH|CHAOS|HS|HESIOD|CLASS\d+", re.IGNORECASE)
_DATED = re.compile(r"(19[89]\d|20\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])\d\d")
_SERIALS = 2**32


class MasterError(ValueError):
    """The text is no master file; `line` counts from 1."""

    def __init__(self, line: int, sentence: str) -> None:
        super().__init__(sentence)
        self.line = line


@dataclass(frozen=True, slots=True)
class Token:
    """A word as it stands, quotes and escapes included, and its span."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A directive or a record, over as many lines as its parentheses need: `start` is the start of its first line, `end`
    is behind its last line break. `indented`: it begins with a blank, so its owner is the one of the record before."""

    line: int
    start: int
    end: int
    indented: bool
    tokens: tuple[Token, ...]
    opened: tuple[int, ...]
    closed: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Head:
    """What stands before the data of a record: `owner` and `ttl` where they are written; `type` always is."""

    owner: Token | None
    ttl: Token | None
    class_: Token | None
    type: Token
    data: tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class Edit:
    """Put `text` in place of the span."""

    start: int
    end: int
    text: str


def entries(text: str) -> Iterator[Entry]:
    """Every directive and record; raises `MasterError` for a quote or a parenthesis without its other half."""
    at, line, depth = 0, 1, 0
    start, first_line, indented = 0, 1, False
    tokens: list[Token] = []
    opened: list[int] = []
    closed: list[int] = []
    while at < len(text):
        match = _LEXEME.match(text, at)
        if match is None:
            raise MasterError(line, 'a quote (") is not closed on its line, or a backslash ends it')
        kind, at = match.lastgroup, match.end()
        if kind in ("word", "quoted"):
            tokens.append(Token(match[0], match.start(), at))
        elif kind == "space":
            indented = indented or match.start() == start
        elif kind == "open":
            depth += 1
            opened.append(match.start())
        elif kind == "close":
            depth -= 1
            closed.append(match.start())
            if depth < 0:
                raise MasterError(line, "there is a ) without its (")
        elif kind == "newline":
            line += 1
            if depth:
                continue
            if tokens:
                yield Entry(first_line, start, at, indented, tuple(tokens), tuple(opened), tuple(closed))
            start, first_line, indented, tokens, opened, closed = at, line, False, [], [], []
    if depth:
        raise MasterError(first_line, "a ( is never closed")
    if tokens:
        yield Entry(first_line, start, at, indented, tuple(tokens), tuple(opened), tuple(closed))


def head(entry: Entry) -> Head:
    """Owner, TTL, class and type of a record, in either order of TTL and class; raises `MasterError` without a type."""
    rest = list(entry.tokens)
    owner = None if entry.indented else rest.pop(0)
    ttl = class_ = None
    while rest:
        if ttl is None and _TTL.fullmatch(rest[0].text):
            ttl = rest.pop(0)
        elif class_ is None and _CLASS.fullmatch(rest[0].text):
            class_ = rest.pop(0)
        else:
            return Head(owner, ttl, class_, rest[0], tuple(rest[1:]))
    raise MasterError(entry.line, "a record has no type")


def printable(text: str) -> str:
    """The same words in ASCII: every octet beyond it as `\\DDD`."""
    if text.isascii():
        return text
    octets = text.encode("utf-8", "surrogateescape")
    return "".join(chr(octet) if octet < 0x80 else f"\\{octet:03d}" for octet in octets)


def line(owner: str, ttl: int, type: str, data: str, newline: str) -> str:
    """A record of its own line or lines; `owner` is absolute, so that it means the same wherever it is put."""
    return f"{owner} {ttl} IN {type} {data}{newline}"


def with_data(entry: Entry, data: str) -> Edit | None:
    """Other data in a record, everything before and behind kept; None where a parenthesis opens before the data does."""
    parts = head(entry)
    if not parts.data or any(place < parts.type.end for place in entry.opened):
        return None
    start = min([parts.data[0].start, *entry.opened])
    end = max([parts.data[-1].end, *(place + 1 for place in entry.closed)])
    return Edit(start, end, data)


def with_ttl(entry: Entry, ttl: int) -> Edit:
    """Another TTL in a record."""
    parts = head(entry)
    if parts.ttl is not None:
        return Edit(parts.ttl.start, parts.ttl.end, str(ttl))
    place = (parts.class_ or parts.type).start
    return Edit(place, place, f"{ttl} ")


def without(all_: Sequence[Entry], gone: Mapping[Entry, str]) -> list[Edit]:
    """Take records out; `gone` says the absolute owner of each. A record behind one of them that has no owner of its own is
    given that one: otherwise it would go over to whatever record stands before."""
    edits = [Edit(entry.start, entry.end, "") for entry in gone]
    lost = ""
    for entry in all_:
        if entry.tokens[0].text.startswith("$") and not entry.indented:
            continue
        if not entry.indented:
            lost = gone.get(entry, "")
        elif lost and entry not in gone:
            edits.append(Edit(entry.start, entry.start, lost))
            lost = ""
    return edits


def edited(text: str, edits: Iterable[Edit]) -> str:
    """The text after all edits, which must not overlap; those at one place keep their order."""
    pieces, at = [], 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        if edit.start < at:
            raise ValueError("two edits overlap")
        pieces += [text[at : edit.start], edit.text]
        at = edit.end
    return "".join([*pieces, text[at:]])


def raised(serial: int, today: datetime.date) -> int:
    """A serial that every secondary takes for newer (RFC 1982). Where the old one is a date with two digits behind it
    (YYYYMMDDnn), the new one is today's, unless the old one is ahead of today already."""
    dated = int(today.strftime("%Y%m%d00"))
    if _DATED.fullmatch(str(serial)) and serial < dated:
        return dated
    # 0 is a legal serial, but some servers take it for "none".
    return (serial + 1) % _SERIALS or 1
