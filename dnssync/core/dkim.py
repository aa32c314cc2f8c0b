"""DKIM key records (RFC 6376 §3.6.1, RFC 8301, RFC 8463): parse, print, compare."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dnssync.core.model import KeyPair
from dnssync.core.record import WHITE, RecordError, tags

REVOKED = "v=DKIM1; p="  # an empty p= says that the key is withdrawn (§3.6.1)
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]+={0,2})?")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_WORD = r"[A-Za-z](?:[A-Za-z0-9-]*[A-Za-z0-9])?"  # hyphenated-word (§2.10)
_WORDS = rf"{_WORD}(?:[ \t\r\n]*:[ \t\r\n]*{_WORD})*"
_GRAMMAR = {
    "k": re.compile(_WORD),
    "h": re.compile(_WORDS),
    "t": re.compile(_WORDS),
    "s": re.compile(rf"(?:\*|{_WORD})(?:[ \t\r\n]*:[ \t\r\n]*(?:\*|{_WORD}))*"),
}
_VERSION = re.compile(r"[ \t\r\n]*v[ \t\r\n]*=[ \t\r\n]*(DKIM1[ \t\r\n]*(?:;|\Z))?")
_HAS_KEY = re.compile(r"(?:\A|;)[ \t\r\n]*p[ \t\r\n]*=")


@dataclass(frozen=True, slots=True)
class Record:
    """A key record. `p`: base64 without white space, "" = revoked. `k`, `h`, `s`, `t`, `n`: as written, "" = the tag is
    not there. `v` is "DKIM1" or "". `other`: tags unknown to us (the historic g too), kept in order."""

    p: str
    v: str = "DKIM1"
    k: str = ""
    h: str = ""
    s: str = ""
    t: str = ""
    n: str = ""
    other: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        """`v=DKIM1; k=rsa; p=…`, other tags between them, no final `;` (some readers reject what stands behind it)."""
        known = (("v", self.v), ("k", self.k), ("h", self.h), ("s", self.s), ("t", self.t), ("n", self.n))
        shown = [*((name, value) for name, value in known if value), *self.other, ("p", self.p)]
        return "; ".join(f"{name}={value}" for name, value in shown)

    @property
    def meaning(self) -> tuple[object, ...]:
        """What a verifier takes from it: defaults filled in, lists as sets; notes do not count."""
        lists = (frozenset(_list(self.h)), frozenset(_list(self.s) or ["*"]), frozenset(_list(self.t)))
        return (self.k or "rsa", self.p, *lists, frozenset(self.other))


def is_dkim(text: str) -> bool:
    """Whether a TXT text is a key record at all: v=DKIM1 in front, or no v= there and a p= tag somewhere."""
    version = _VERSION.match(text)
    return version[1] is not None if version else _HAS_KEY.search(text) is not None


def parse(text: str) -> Record:
    """The record of a text; raises `RecordError`. Syntax only: whether p= is a key is the keystore's business."""
    found: dict[str, str] = {}
    for index, (offset, name, value) in enumerate(tags(text)):
        if not _NAME.fullmatch(name):
            raise RecordError(offset, f'"{name}" is not a tag name')
        if name in found:
            raise RecordError(offset, f"the tag {name}= stands there twice")  # §3.2
        if name == "v" and (index or value != "DKIM1"):
            raise RecordError(offset, "v= must come first and be DKIM1")
        if name in _GRAMMAR and not _GRAMMAR[name].fullmatch(value):
            raise RecordError(offset, f'"{value}" is not allowed as the value of {name}=')
        if name == "p":
            value = re.sub(r"[ \t\r\n]+", "", value)
            if not _BASE64.fullmatch(value):
                raise RecordError(offset, "p= is not base64")
        found[name] = value
    if "p" not in found:
        raise RecordError(len(text), "a key record needs a p= tag")
    known = {name: found.pop(name) for name in ("v", "k", "h", "s", "t", "n") if name in found}
    p = found.pop("p")
    return Record(p, v=known.pop("v", ""), other=tuple(found.items()), **known)


def same(one: str, other: str) -> bool:
    """Whether two texts give a verifier the same key under the same conditions."""
    try:
        return one == other or parse(one).meaning == parse(other).meaning
    except RecordError:
        return False


def is_revoked(text: str) -> bool:
    """Whether a record says that its key is withdrawn (an empty p=, §3.6.1)."""
    try:
        return not parse(text).p
    except RecordError:
        return False


def record_name(selector: str, domain: str) -> str:
    """Where the record of a key stands (RFC 6376 §3.6.2.1): absolute, lower case, without the final dot."""
    return f"{selector}._domainkey.{domain}".lower()


def record_for(key: KeyPair) -> str:
    """The text to publish for a key; that of an adopted key stays as it was found."""
    if key.adopted and key.record:
        return key.record
    return f"v=DKIM1; k={key.kind}; p={key.public_key}"


def _list(text: str) -> list[str]:
    return [item for item in (part.strip(WHITE) for part in text.split(":")) if item]
