"""SPF's macros (RFC 7208 §7): the grammar of a macro-string and of a domain-spec, and their expansion."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote

from dnssync.core.record import RecordError

_PIECE = re.compile(r"%\{([A-Za-z])([0-9]*)([rR]?)([-.+,/_=]*)\}|%([%_-])|([!-$&-~]+)")
_LETTERS = "slodiphv"
_ONLY_IN_EXP = "crt"
# toplabel (§7.1): no label of digits alone, and no dash at either end.
_DOMAIN_END = re.compile(r"\.(?:[A-Za-z0-9]*[A-Za-z][A-Za-z0-9]*|[A-Za-z0-9]+-[A-Za-z0-9-]*[A-Za-z0-9])\.?\Z")
_EXPAND_END = re.compile(r"(?:%\{[^}]*\}|%[%_-])\Z")


def check_macros(text: str, offset: int = 0, *, letters: str = _LETTERS) -> None:
    """Raise `RecordError` where `text`, found at `offset`, is not a macro-string (RFC 7208 §7.1)."""
    at = 0
    while at < len(text):
        match = _PIECE.match(text, at)
        if match is None:
            what = "This `%` starts no macro" if text[at] == "%" else "This character is not allowed in a term"
            raise RecordError(offset + at, what)
        letter, digits = match[1], match[2]
        if letter and letter.lower() not in letters:
            known = letter.lower() in _ONLY_IN_EXP
            raise RecordError(
                offset + at, f"The macro letter `{letter}` is " + ("only for exp= texts" if known else "unknown")
            )
        if digits and not digits.strip("0"):
            raise RecordError(offset + at, "A macro cannot keep 0 labels")
        at = match.end()


def check_domain(text: str, offset: int = 0) -> None:
    """Raise `RecordError` where `text` is not a domain-spec: a macro-string that ends in a dot and a top label that is
    not all digits, or in a macro (RFC 7208 §7.1)."""
    if not text:
        raise RecordError(offset, "A domain name is missing here")
    check_macros(text, offset)
    if not _DOMAIN_END.search(text) and not _EXPAND_END.search(text):
        raise RecordError(offset, f"`{text}` is not a full domain name")


def fold(text: str) -> str:
    """A domain-spec in the one spelling of all that mean the same: lower case outside of macros (inside, case says
    whether to escape), without the final dot."""
    folded = re.sub(r"%\{[^}]*\}|[^%]+|%.", lambda m: m[0] if m[0].startswith("%") else m[0].lower(), text)
    return folded[:-1] if folded.endswith(".") and folded != "." else folded


def expand(text: str, value: Callable[[str], str]) -> str:
    """The macro-string with its macros filled in (RFC 7208 §7.3); `value(letter)` says what a lower-case letter stands
    for. Letters of unknown meaning never come here: the text has passed `check_macros`."""

    def piece(match: re.Match[str]) -> str:
        if match[6]:
            return match[6]
        if match[5]:
            return {"%": "%", "_": " ", "-": "%20"}[match[5]]
        parts = re.split("[" + re.escape(match[4] or ".") + "]", value(match[1].lower()))
        if match[3]:
            parts.reverse()
        if match[2]:
            parts = parts[-int(match[2]) :]
        joined = ".".join(parts)
        return quote(joined, safe="-._~") if match[1].isupper() else joined

    return _PIECE.sub(piece, text)
