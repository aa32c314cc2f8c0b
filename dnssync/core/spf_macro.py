"""SPF's macros (RFC 7208 §7): the grammar of a macro-string and of a domain-spec, and their expansion."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote

from dnssync.core.record import RecordError

_PIECE = re.compile(r"%\{([A-Za-z])([0-9]*)([rR]?)([-.+,/_=]*)\}|%([%_-])|([!-$&-~]+)")
_LETTERS = "slodiphv"
_ONLY_IN_EXP = "crt"
# toplabel (§7.1): not of digits alone, and no dash at either end.
_TOP_LABEL = re.compile(r"\.(?![0-9]+\.?\Z)[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.?\Z")
MAX_NAME = 253  # characters of a domain name in text (RFC 1035 §2.3.4, §7.3)


def check_macros(text: str, offset: int = 0, *, letters: str = _LETTERS) -> bool:
    """Whether `text` ends in a macro; `RecordError` where it, found at `offset`, is no macro-string (RFC 7208 §7.1)."""
    at, macro = 0, False
    while at < len(text):
        match = _PIECE.match(text, at)
        if match is None:
            what = "this % starts no macro" if text[at] == "%" else f"{text[at]!a} is not allowed in a term"
            raise RecordError(offset + at, what)
        letter, digits = match[1], match[2]
        if letter and letter.lower() not in letters:
            known = letter.lower() in _ONLY_IN_EXP
            raise RecordError(
                offset + at, f'the macro "{match[0]}" ' + ("is only for exp= texts" if known else "is unknown")
            )
        if digits and not digits.strip("0"):
            raise RecordError(offset + at, f'the macro "{match[0]}" cannot keep 0 labels')
        at, macro = match.end(), match[6] is None
    return macro


def check_domain(text: str, offset: int = 0) -> None:
    """Raise `RecordError` where `text` is not a domain-spec: a macro-string that ends in a dot and a top label that is
    not all digits, or in a macro (RFC 7208 §7.1)."""
    if not text:
        raise RecordError(offset, "a domain name is missing here")
    if not check_macros(text, offset) and not _TOP_LABEL.search(text):
        raise RecordError(offset, f'"{text}" is not a full domain name')


def letters(text: str) -> frozenset[str]:
    """The macro letters that a valid macro-string uses, in lower case."""
    return frozenset(match[1].lower() for match in _PIECE.finditer(text) if match[1])


def fold(text: str) -> str:
    """A domain-spec in the one spelling of all that mean the same: lower case outside of macros (inside, case says
    whether to escape), without the final dot."""
    folded = re.sub(r"%\{[^}]*\}|[^%]+|%.", lambda m: m[0] if m[0].startswith("%") else m[0].lower(), text)
    return folded[:-1] if folded.endswith(".") else folded


def expand(text: str, value: Callable[[str], str]) -> str:
    """The macro-string with its macros filled in (RFC 7208 §7.3); `value(letter)` says what a lower-case letter stands
    for. Only for texts that have passed `check_macros`."""

    def piece(match: re.Match[str]) -> str:
        if match[6]:
            return match[6]
        if match[5]:
            return {"%": "%", "_": " ", "-": "%20"}[match[5]]
        parts = re.split("[" + re.escape(match[4] or ".") + "]", value(match[1].lower()))
        if match[3]:
            parts.reverse()
        digits = match[2].lstrip("0")
        if digits and len(digits) <= 3:  # more digits than any name has labels keep them all
            parts = parts[-int(digits) :]
        joined = ".".join(parts)
        return quote(joined, safe="-._~", errors="surrogateescape") if match[1].isupper() else joined

    return _PIECE.sub(piece, text)


def expand_name(text: str, value: Callable[[str], str]) -> str:
    """A domain-spec expanded to a name without final dot; labels on the left go until it fits (RFC 7208 §7.3)."""
    name = expand(text, value)
    name = name[:-1] if name.endswith(".") else name
    while len(name) > MAX_NAME and "." in name:
        name = name.partition(".")[2]
    return name
