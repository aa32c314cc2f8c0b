"""One term of an SPF record (RFC 7208 §12): its grammar, its spelling and its meaning.

A term keeps the spelling it was found in and `str` writes that back, while `==` looks at the meaning alone:
`ip4:192.0.2.1/32` equals `ip4:192.0.2.1`, `+MX` equals `mx`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network, IPv6Network

from dnssync.core.record import RecordError
from dnssync.core.spf_macro import check_domain, check_macros, fold

_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9._-]*)=(.*)", re.DOTALL)
_DIRECTIVE = re.compile(r"([-+~?]?)([A-Za-z0-9]+)(.*)", re.DOTALL)
_LENGTH = "(?:0|[1-9][0-9]{0,2})"
_DUAL = re.compile(rf"(.*?)(?:/({_LENGTH}))?(?://({_LENGTH}))?", re.DOTALL)
_SINGLE = re.compile(rf"(.*?)(?:/({_LENGTH}))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Mechanism:
    """A directive: a qualifier and a mechanism (RFC 7208 §4.6.1, §5).

    `name` in lower case. `domain`: the domain-spec, folded, "" = none. `network`: of ip4 and ip6, as `192.0.2.0/24`.
    `v4` and `v6`: prefix lengths of `a` and `mx`. `spelling` is the text as found, and no part of the meaning.
    """

    name: str
    domain: str = ""
    network: str = ""
    v4: int = 32
    v6: int = 128
    qualifier: str = "+"
    spelling: str = field(default="", compare=False)

    def __str__(self) -> str:
        if self.spelling:
            return self.spelling
        text = ("" if self.qualifier == "+" else self.qualifier) + self.name
        if self.network:
            whole = "/32" if self.name == "ip4" else "/128"
            return f"{text}:{self.network.removesuffix(whole)}"
        if self.domain:
            text += ":" + self.domain
        return text + (f"/{self.v4}" if self.v4 != 32 else "") + (f"//{self.v6}" if self.v6 != 128 else "")


@dataclass(frozen=True, slots=True)
class Modifier:
    """`name=value` (RFC 7208 §6): `redirect`, `exp`, or an unknown one, which is kept and means nothing to SPF."""

    name: str
    value: str
    spelling: str = field(default="", compare=False)

    def __str__(self) -> str:
        return self.spelling or f"{self.name}={self.value}"


Term = Mechanism | Modifier


def term(text: str, offset: int = 0) -> Term:
    """One term, such as `ip4:192.0.2.1` or `exp=why.example.org`; raises `RecordError`, which counts from `offset`."""
    modifier = _MODIFIER.fullmatch(text)
    if modifier is not None:
        return _modifier(modifier[1].lower(), modifier[2], text, offset)
    match = _DIRECTIVE.fullmatch(text)
    if match is None:
        raise RecordError(offset, "A term starts with a letter, or with `+`, `-`, `~` or `?` and a letter")
    name, rest = match[2].lower(), match[3]
    if name not in _READERS:
        raise RecordError(offset + match.start(2), f"`{match[2]}` is not a mechanism of SPF")
    read = _READERS[name](name, rest, offset + match.start(3))
    return replace(read, qualifier=match[1] or "+", spelling=text)


def at_home(each: Term, domain: str) -> Term:
    """The term with `:domain` left out where that is the record's own domain anyway (RFC 7208 §5.3, §5.4, §5.5)."""
    if domain and isinstance(each, Mechanism) and each.name in ("a", "mx", "ptr") and each.domain:
        own = (fold(domain), "%{d}", "%{D}")
        return replace(each, domain="") if each.domain in own else each
    return each


def _modifier(name: str, value: str, text: str, offset: int) -> Modifier:
    start = offset + len(name) + 1
    if name in ("redirect", "exp"):
        check_domain(value, start)
        return Modifier(name, fold(value), text)
    check_macros(value, start, letters="slodiphvcrt")
    return Modifier(name, value, text)


def _bare(name: str, rest: str, offset: int) -> Mechanism:
    if rest:
        raise RecordError(offset, f"`{name}` takes no argument")
    return Mechanism(name)


def _target(name: str, rest: str, offset: int) -> Mechanism:
    if not rest.startswith(":"):
        raise RecordError(offset, f"`{name}` needs a colon and a domain name")
    check_domain(rest[1:], offset + 1)
    return Mechanism(name, fold(rest[1:]))


def _ptr(name: str, rest: str, offset: int) -> Mechanism:
    return _target(name, rest, offset) if rest else Mechanism(name)


def _host(name: str, rest: str, offset: int) -> Mechanism:
    match = _DUAL.fullmatch(rest)
    assert match is not None  # every part may be empty
    domain = match[1]
    if domain:
        if not domain.startswith(":"):
            raise RecordError(offset, f"After `{name}` comes `:`, `/` or the next term")
        check_domain(domain[1:], offset + 1)
    v4, v6 = int(match[2] or 32), int(match[3] or 128)
    if v4 > 32 or v6 > 128:
        raise RecordError(offset + len(domain), "A prefix length is at most 32 for IPv4, 128 for IPv6")
    return Mechanism(name, fold(domain[1:]), v4=v4, v6=v6)


def _address(name: str, rest: str, offset: int) -> Mechanism:
    if not rest.startswith(":"):
        raise RecordError(offset, f"`{name}` needs a colon and an address")
    match = _SINGLE.fullmatch(rest[1:])
    assert match is not None
    family, longest = (IPv4Network, 32) if name == "ip4" else (IPv6Network, 128)
    length = int(match[2] or longest)
    if length > longest:
        raise RecordError(offset + 1 + len(match[1]), f"A prefix length of `{name}` is at most {longest}")
    try:
        if "/" in match[1] or "%" in match[1]:
            raise ValueError
        # The bits behind the prefix do not count (§5.6), so they are no part of the meaning.
        return Mechanism(name, network=str(family(f"{match[1]}/{length}", strict=False)))
    except ValueError:
        version = "IPv4" if name == "ip4" else "IPv6"
        raise RecordError(
            offset + 1, f"`{rest[1:]}` is not an {version} address with or without prefix length"
        ) from None


_READERS = {
    "all": _bare,
    "include": _target,
    "exists": _target,
    "ptr": _ptr,
    "a": _host,
    "mx": _host,
    "ip4": _address,
    "ip6": _address,
}
