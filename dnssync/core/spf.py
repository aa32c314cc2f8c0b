"""SPF records (RFC 7208): parse, print, compare. What we merge into one stands in `spf_merge`, evaluation in `spf_check`.

A term keeps the spelling it was found in; `meaning` is what two spellings have in common.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from dnssync.core.record import RecordError

QUALIFIERS = {"pass": "+", "fail": "-", "softfail": "~", "neutral": "?"}
MECHANISMS = ("all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists")
_MECHANISM = re.compile(r"([+\-~?]?)(all|include|a|mx|ptr|ip4|ip6|exists)(?=[:/]|$)(.*)", re.IGNORECASE | re.DOTALL)
_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9\-_.]*)=(.*)", re.DOTALL)
_MACRO = r"%(?:\{[slodiphcrtvSLODIPHCRTV][0-9]*[rR]?[.\-+,/_=]*\}|%|_|-)"
_MACRO_STRING = re.compile(rf"(?:{_MACRO}|[\x21-\x24\x26-\x7e])*")
_DOMAIN_END = re.compile(rf"(?:.*\.(?!\d+\.?$)[A-Za-z0-9](?:[A-Za-z0-9\-]*[A-Za-z0-9])?\.?|(?:.*){_MACRO})", re.DOTALL)
_DUAL_CIDR = re.compile(r"(?P<rest>.*?)(?:/(?P<four>\d*))?(?://(?P<six>\d*))?", re.DOTALL)
_ONLY_EXP = re.compile(r"%\{[crtCRT]")  # these macros exist in explanations alone (§7.2)
_ZERO = re.compile(r"%\{[a-zA-Z]0+[rR]?[^0-9]")


@dataclass(frozen=True, slots=True)
class Mechanism:
    """A mechanism (§5): `name` in lower case, `qualifier` one of + - ~ ?, `domain` its domain-spec ("" = none), `ip` of
    ip4 and ip6 as written, `four`/`six` the prefix lengths (None = not given), `spelled` the term as found."""

    name: str
    qualifier: str = "+"
    domain: str = ""
    ip: str = ""
    four: int | None = None
    six: int | None = None
    spelled: str = ""

    def meaning(self, domain: str = "") -> tuple[object, ...]:
        """What the term says, whatever its spelling; `domain` is the name the record stands at."""
        if self.ip:
            length = self.four if self.name == "ip4" else self.six
            network = ipaddress.ip_network(f"{self.ip}/{length}" if length is not None else self.ip, strict=False)
            return (self.qualifier, self.name, str(network))
        target = self.domain.lower().rstrip(".")
        if self.name in ("a", "mx", "ptr") and target == domain.lower().rstrip("."):
            target = ""
        four, six = (32 if self.four is None else self.four), (128 if self.six is None else self.six)
        return (self.qualifier, self.name, target, four, six)

    def __str__(self) -> str:
        return self.spelled


@dataclass(frozen=True, slots=True)
class Modifier:
    """A modifier (§6): `name` in lower case, `value` as written."""

    name: str
    value: str
    spelled: str = ""

    def meaning(self, domain: str = "") -> tuple[object, ...]:
        """What the modifier says, whatever its spelling."""
        return ("=", self.name, self.value.lower().rstrip(".") if self.name in ("redirect", "exp") else self.value)

    def __str__(self) -> str:
        return self.spelled


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


def parse(text: str) -> Record:
    """The record of a text (§4.6.1, §12); raises `RecordError` with offset and sentence."""
    if not is_spf(text):
        raise RecordError(0, "an SPF record begins with v=spf1 and a space")
    terms = parse_terms(text[6:], 6)
    for name in ("redirect", "exp"):
        if sum(isinstance(term, Modifier) and term.name == name for term in terms) > 1:
            raise RecordError(text.lower().rfind(name + "="), f"{name}= stands there more than once")
    return Record(terms)


def parse_terms(text: str, offset: int = 0) -> tuple[Term, ...]:
    """The terms of a text without its version; raises `RecordError`."""
    return tuple(_term(match.group(), offset + match.start()) for match in re.finditer(r"[^ ]+", text))


def _term(text: str, offset: int) -> Term:
    if not text.isascii() or not text.isprintable():
        raise RecordError(offset, f"{text!a} holds a character that SPF does not allow")
    modifier = _MODIFIER.fullmatch(text)
    if modifier:
        name, value = modifier[1].lower(), modifier[2]
        if not _MACRO_STRING.fullmatch(value):
            raise RecordError(offset, f'"{text}" holds a macro that is not valid')
        if name in ("redirect", "exp"):
            _domain_spec(value, text, offset)
        return Modifier(name, value, text)
    match = _MECHANISM.fullmatch(text)
    if not match:
        raise RecordError(offset, f'"{text}" is not a mechanism of SPF')
    qualifier, name, rest = match[1] or "+", match[2].lower(), match[3]
    if name == "all":
        if rest:
            raise RecordError(offset, f'"{text}": all takes no argument')
        return Mechanism("all", qualifier, spelled=text)
    if name in ("ip4", "ip6"):
        return _ip(name, qualifier, rest, text, offset)
    four: int | None = None
    six: int | None = None
    if name in ("a", "mx"):
        cidr = _DUAL_CIDR.fullmatch(rest)
        assert cidr is not None  # every part of the pattern is optional
        four, six = _length(cidr["four"], 32, text, offset), _length(cidr["six"], 128, text, offset)
        rest = cidr["rest"]
    if rest and not rest.startswith(":"):
        raise RecordError(offset, f'"{text}": {name} takes no prefix length')
    domain = rest[1:]
    if rest or name in ("include", "exists"):
        _domain_spec(domain, text, offset)
    return Mechanism(name, qualifier, domain, "", four, six, text)


def _ip(name: str, qualifier: str, rest: str, text: str, offset: int) -> Mechanism:
    address, slash, length = rest[1:].partition("/")
    family = ipaddress.IPv4Address if name == "ip4" else ipaddress.IPv6Address
    try:
        if not rest.startswith(":") or "%" in address:
            raise ValueError
        family(address)
    except ValueError:
        raise RecordError(offset, f'"{text}" holds no IPv{name[-1]} address') from None
    prefix = _length(length if slash else None, 32 if name == "ip4" else 128, text, offset)
    four, six = (prefix, None) if name == "ip4" else (None, prefix)
    return Mechanism(name, qualifier, "", address, four, six, text)


def _length(digits: str | None, most: int, text: str, offset: int) -> int | None:
    if digits is None:
        return None
    if not digits.isdigit() or (digits != "0" and digits.startswith("0")) or int(digits) > most:
        raise RecordError(offset, f'"{text}": the prefix length is a number from 0 to {most} without leading zeros')
    return int(digits)


def _domain_spec(domain: str, text: str, offset: int) -> None:
    """§7.1: a macro-string that ends in a label with a letter, or in a macro."""
    if not _MACRO_STRING.fullmatch(domain) or not _DOMAIN_END.fullmatch(domain):
        raise RecordError(offset, f'"{text}" holds no domain name that SPF allows')
    if _ZERO.search(domain) or (_ONLY_EXP.search(domain)):
        raise RecordError(offset, f'"{text}" holds a macro that is not valid here')


def same(one: str, other: str, domain: str = "") -> bool:
    """Whether two texts mean the same at that domain: terms in the same order, modifiers in any."""
    try:
        first, second = parse(one), parse(other)
    except RecordError:
        return one == other
    return _meaning(first, domain) == _meaning(second, domain)


def _meaning(record: Record, domain: str) -> tuple[object, ...]:
    modifiers = sorted(str(term.meaning(domain)) for term in record.terms if isinstance(term, Modifier))
    return (*(mechanism.meaning(domain) for mechanism in record.mechanisms), *modifiers)
