"""exim's own list syntax, and a message's variables written into an expansion as text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

_SPELLINGS = {
    "from": r"(?:r|b|l)?h(?:eader)?_from:",  # $rh_from:, $h_from:, $header_from: and their braces
    "sender_address_domain": "sender_address_domain",
    "sender_address_local_part": "sender_address_local_part",
    "sender_address": "sender_address",
    "return_path": "return_path",
    "dkim_domain": "dkim_domain",
    "dkim_selector": "dkim_selector",
    "sending_ip_address": "sending_ip_address",
}
_HEADER = r"(?:r|b|l)?h(?:eader)?_[A-Za-z0-9_-]+:"
_VARIABLE = re.compile(rf"(?<!\\)\$(?:\{{({_HEADER}|[a-z_][a-z0-9_]*)\}}|({_HEADER}|[a-z_][a-z0-9_]*))", re.IGNORECASE)
# what does not change from message to message, and so is the same in `-be` as in a delivery
_STEADY = frozenset(
    {
        "primary_hostname",
        "smtp_active_hostname",
        "qualify_domain",
        "qualify_recipient",
        "spool_directory",
        "value",
        "item",
    }
)


def split(text: str) -> tuple[str, ...]:
    """The items of an exim list: separated by `:`, or by the character after a leading `<`; a doubled one stands for
    itself (exim specification, "Format of lists"). Empty items are left out."""
    text = text.strip()
    separator = ":"
    if len(text) > 1 and text[0] == "<" and not text[1].isalnum() and not text[1].isspace():
        separator, text = text[1], text[2:]
    doubled = separator * 2
    items = re.split(re.escape(separator), text.replace(doubled, "\0"))
    return tuple(item.strip() for item in (piece.replace("\0", separator) for piece in items) if item.strip())


def _name(match: re.Match[str]) -> str:
    written = (match[1] or match[2]).lower()
    return next((name for name, spelling in _SPELLINGS.items() if re.fullmatch(spelling, written)), written)


@lru_cache(maxsize=1024)
def variables(text: str) -> frozenset[str]:
    """The variables of a message that an expansion reads; those that never change are left out."""
    found = {_name(match) for match in _VARIABLE.finditer(text)}
    return frozenset(name for name in found if name not in _STEADY and not name.isdigit())


def written(text: str, values: Mapping[str, str]) -> str:
    """The expansion with variables replaced by their values as text, so that many messages fit into one exim process.

    The values are host names and addresses of our own making: nothing in them means anything to exim.
    """
    first, *rest = _pieces(text)
    if not rest:
        return text
    return first[0] + "".join([values.get(name, spelled) + after for after, name, spelled in rest])


@lru_cache(maxsize=1024)  # a handful of texts, each filled in for every domain
def _pieces(text: str) -> tuple[tuple[str, str, str], ...]:
    """The text cut at its variables: each piece with the name of the variable before it, and as it is spelled there."""
    pieces, at, name, spelled = [], 0, "", ""
    for match in _VARIABLE.finditer(text):
        pieces.append((text[at : match.start()], name, spelled))
        at, name, spelled = match.end(), _name(match), match[0]
    return (*pieces, (text[at:], name, spelled))


def message(domain: str, local_part: str = "postmaster") -> dict[str, str]:
    """The variables of a message that `local_part` at `domain` writes and sends."""
    address = f"{local_part}@{domain}"
    return {
        "from": address,
        "return_path": address,
        "sender_address": address,
        "sender_address_domain": domain,
        "sender_address_local_part": local_part,
    }


def unknown(text: str, known: Sequence[str]) -> tuple[str, ...]:
    """The variables that an expansion reads and that are not among the known ones, sorted."""
    return tuple(sorted(variables(text) - set(known)))
