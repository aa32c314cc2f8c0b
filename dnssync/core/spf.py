"""SPF records (RFC 7208): parse, print, compare. What we merge into one stands in `spf_merge`, evaluation in `spf_check`.

A term keeps the spelling it was found in; `meaning` is what two spellings have in common.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field

from dnssync.core.record import RecordError
from dnssync.core.spf_macro import check_domain, check_macros, fold

QUALIFIERS = {"pass": "+", "fail": "-", "softfail": "~", "neutral": "?"}
MECHANISMS = ("all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists")
_MECHANISM = re.compile(r"([+\-~?]?)([A-Za-z0-9]+)([:/].*)?", re.DOTALL)
_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9\-_.]*)=(.*)", re.DOTALL)
_DUAL_CIDR = re.compile(r"(?P<rest>.*?)(?:/(?P<four>[0-9]*))?(?://(?P<six>[0-9]*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Mechanism:
    """A mechanism (§5): `name` in lower case, `qualifier` one of + - ~ ?, `domain` its domain-spec ("" = none), `ip` of
    ip4 and ip6 as written, `four`/`six` the prefix lengths (None = not given), `spelled` the term as found ("" = it was
    built from its fields)."""

    name: str
    qualifier: str = "+"
    domain: str = ""
    ip: str = ""
    four: int | None = None
    six: int | None = None
    spelled: str = field(default="", compare=False)

    def meaning(self, domain: str = "") -> tuple[object, ...]:
        """What the term says, whatever its spelling; `domain` is the name the record stands at."""
        if self.ip:
            length = self.four if self.name == "ip4" else self.six
            network = ipaddress.ip_network(f"{self.ip}/{length}" if length is not None else self.ip, strict=False)
            return (self.qualifier, self.name, str(network))
        target = fold(self.domain)
        if self.name in ("a", "mx", "ptr") and target in (fold(domain), "%{d}"):
            target = ""
        four, six = (32 if self.four is None else self.four), (128 if self.six is None else self.six)
        return (self.qualifier, self.name, target, four, six)

    def __str__(self) -> str:
        """The term as it was found, else in its shortest form."""
        if self.spelled:
            return self.spelled
        argument = f":{self.ip or self.domain}" if self.ip or self.domain else ""
        four = "" if self.four is None else f"/{self.four}"
        six = "" if self.six is None else f"/{self.six}" if self.name == "ip6" else f"//{self.six}"
        return f"{self.qualifier.replace('+', '')}{self.name}{argument}{four}{six}"


@dataclass(frozen=True, slots=True)
class Modifier:
    """A modifier (§6): `name` in lower case, `value` as written."""

    name: str
    value: str
    spelled: str = field(default="", compare=False)

    def meaning(self, domain: str = "") -> tuple[object, ...]:
        """What the modifier says, whatever its spelling."""
        return ("=", self.name, fold(self.value) if self.name in ("redirect", "exp") else self.value)

    def __str__(self) -> str:
        return self.spelled or f"{self.name}={self.value}"


Term = Mechanism | Modifier


@dataclass(frozen=True, slots=True)
class Record:
    """An SPF record: its terms in order, each with its spelling. `str` writes it with one space between terms."""

    terms: tuple[Term, ...]

    def __str__(self) -> str:
        return " ".join(["v=spf1", *map(str, self.terms)])

    @property
    def mechanisms(self) -> tuple[Mechanism, ...]:
        """The mechanisms in order."""
        return tuple(term for term in self.terms if isinstance(term, Mechanism))

    def modifier(self, name: str) -> Modifier | None:
        """The modifier of that name."""
        return next((term for term in self.terms if isinstance(term, Modifier) and term.name == name), None)


def is_spf(text: str) -> bool:
    """Whether a TXT text is an SPF record at all (§4.5): `v=spf1` followed by a space or the end, in any case."""
    return text[:6].lower() == "v=spf1" and text[6:7] in ("", " ")


def is_all(term: Term) -> bool:
    """Whether the term is the mechanism `all`, with whatever qualifier (§5.1)."""
    return isinstance(term, Mechanism) and term.name == "all"


def parse(text: str) -> Record:
    """The record of a text (§4.6.1, §12); raises `RecordError` with offset and sentence."""
    if not is_spf(text):
        raise RecordError(0, "an SPF record begins with v=spf1 and a space")
    terms: list[Term] = []
    for offset, term in _terms(text[6:], 6):
        once = isinstance(term, Modifier) and term.name in ("redirect", "exp")
        if once and any(isinstance(other, Modifier) and other.name == term.name for other in terms):
            raise RecordError(offset, f"{term.name}= stands there more than once")  # §6
        terms.append(term)
    return Record(tuple(terms))


def parse_terms(text: str) -> tuple[Term, ...]:
    """The terms of a text without its version; raises `RecordError`."""
    return tuple(term for _, term in _terms(text, 0))


def _terms(text: str, offset: int) -> list[tuple[int, Term]]:
    """Each term with where it begins; terms are separated by spaces alone (§4.6.1)."""
    found = re.finditer(r"[^ ]+", text)
    return [(offset + match.start(), _term(match.group(), offset + match.start())) for match in found]


def _term(text: str, offset: int) -> Term:
    if not text.isascii() or not text.isprintable():
        raise RecordError(offset, f"{text!a} holds a character that SPF does not allow")
    modifier = _MODIFIER.fullmatch(text)
    if modifier:
        name, value, at = modifier[1].lower(), modifier[2], offset + len(modifier[1]) + 1
        if name in ("redirect", "exp"):
            check_domain(value, at)
        else:
            check_macros(value, at, letters="slodiphvcrt")
        return Modifier(name, value, text)
    match = _MECHANISM.fullmatch(text)
    if not match or match[2].lower() not in MECHANISMS:
        raise RecordError(offset, f'"{text}" is not a term of SPF')
    qualifier, name, rest, at = match[1] or "+", match[2].lower(), match[3] or "", offset + match.end(2)
    if name == "all":
        if rest:
            raise RecordError(at, "all takes no argument")
        return Mechanism("all", qualifier, spelled=text)
    if name in ("ip4", "ip6"):
        return _ip(name, qualifier, rest, text, at)
    four: int | None = None
    six: int | None = None
    if name in ("a", "mx"):
        cidr = _DUAL_CIDR.fullmatch(rest)
        assert cidr is not None  # every part of the pattern is optional
        four, six = _length(cidr["four"], 32, at), _length(cidr["six"], 128, at)
        rest = cidr["rest"]
    if rest and not rest.startswith(":"):
        raise RecordError(at, f"after {name} comes a colon, not a slash")
    domain = rest[1:]
    if rest or name in ("include", "exists"):
        check_domain(domain, at + len(rest[:1]))
    return Mechanism(name, qualifier, domain, "", four, six, text)


def _ip(name: str, qualifier: str, rest: str, text: str, at: int) -> Mechanism:
    address, slash, length = rest[1:].partition("/")
    family = ipaddress.IPv4Address if name == "ip4" else ipaddress.IPv6Address
    try:
        if not rest.startswith(":") or "%" in address:
            raise ValueError
        family(address)
    except ValueError:
        raise RecordError(at, f'"{text}" holds no IPv{name[-1]} address') from None
    prefix = _length(length if slash else None, 32 if name == "ip4" else 128, at + 1 + len(address))
    four, six = (prefix, None) if name == "ip4" else (None, prefix)
    return Mechanism(name, qualifier, "", address, four, six, text)


def _length(digits: str | None, most: int, at: int) -> int | None:
    if digits is None:
        return None
    if not re.fullmatch(r"0|[1-9][0-9]{0,2}", digits) or int(digits) > most:
        raise RecordError(at, f'the prefix length "{digits}" is no number from 0 to {most} without leading zeros')
    return int(digits)


def same(one: str, other: str, domain: str = "") -> bool:
    """Whether two texts mean the same at that domain: mechanisms in the same order, modifiers in any."""
    try:
        first, second = parse(one), parse(other)
    except RecordError:
        return one == other
    return _meaning(first, domain) == _meaning(second, domain)


def _meaning(record: Record, domain: str) -> tuple[object, ...]:
    modifiers = sorted(str(term.meaning(domain)) for term in record.terms if isinstance(term, Modifier))
    return (*(mechanism.meaning(domain) for mechanism in record.mechanisms), *modifiers)
