"""What the parsers of SPF, DKIM and DMARC records have in common."""

from __future__ import annotations

import re

WHITE = " \t\r\n"
_STRANGE = re.compile(r"[^\t\r\n\x20-\x7e]")


class RecordError(ValueError):
    """A text is not a record of its kind: `offset` (in characters) of what is wrong, and one sentence that says it."""

    def __init__(self, offset: int, sentence: str) -> None:
        self.offset = offset
        self.sentence = sentence
        super().__init__(f"{sentence} (at character {offset + 1})")


def tags(text: str) -> list[tuple[int, str, str]]:
    """Split a tag list (RFC 6376 §3.2; DMARC's is alike) into (offset, tag, value); white space around both is dropped.

    Raises `RecordError` for a character outside of ASCII's printable ones, a part without `=` or without a tag name. An
    empty last part (a final `;`) is allowed.
    """
    strange = _STRANGE.search(text)
    if strange:
        raise RecordError(strange.start(), f"{strange.group()!a} is not allowed in it")
    found = []
    offset = 0
    parts = text.split(";")
    for index, part in enumerate(parts):
        if part.strip(WHITE) or index < len(parts) - 1:
            at = offset + len(part) - len(part.lstrip(WHITE))
            name, equals, value = part.partition("=")
            if not equals or not name.strip(WHITE):
                raise RecordError(at, f'"{part.strip(WHITE)}" is not of the form tag=value')
            found.append((at, name.strip(WHITE), value.strip(WHITE)))
        offset += len(part) + 1
    return found
