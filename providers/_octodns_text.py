"""TXT and SPF values as octodns' plug-ins hand them over, and what can be known of their octets.

octodns joins the strings of a text, escapes `;`, and takes quotes away; what else is escaped, and how, is each plug-in's own
affair. So what a plug-in handed over is remembered beside what octodns made of it, and what could mean two things is never
written back.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from octodns.record import Record
from octodns.record.spf import SpfRecord
from octodns.record.txt import TxtRecord, TxtValue

from dnssync.core.model import Value

from . import _text


class Seen(TxtValue):  # type: ignore[misc]  # octodns has no types
    """A text as octodns has it. `found` is what the plug-in handed over; `exact` says that it was master-file text."""

    found: str
    exact: bool

    @classmethod
    def _made(cls, text: str, found: str, exact: bool) -> Seen:
        value = cls(text)
        value.found, value.exact = found, exact
        return value

    @classmethod
    def process(cls, values: Iterable[Any]) -> list[Seen]:
        """What octodns makes of the values of a record."""
        made = []
        for value in values:
            if not isinstance(value, cls):
                [text] = super().process([value])
                value = cls._made(text, value, False)
            made.append(value)
        return made

    @classmethod
    def from_rdata_text(cls, rdata: str) -> Seen:
        """A value in master-file form; octets that are no UTF-8 stay, and fail nobody's whole zone."""
        try:
            text = b"".join(_text.unquoted(rdata)).decode("utf-8", "surrogateescape")
        except ValueError:
            return cls._made(super().from_rdata_text(rdata), rdata, False)
        return cls._made(cls.normalize_raw_text(text), rdata, True)

    def value(self) -> Value:
        """The same as a value of ours; one whose octets are not known for certain is none that is `plain`."""
        strings = self._strings()
        return Value(self.to_raw_text(), self.found) if strings is None else _text.value(strings)

    def _strings(self) -> tuple[bytes, ...] | None:
        if self.exact:
            return _text.unquoted(self.found)
        told = self.found.replace("\\;", ";")
        if not set(told) & {'"', "\\"}:
            return _text.strings(Value(told, ""))
        # With its quotes (Gandi), or without the first and the last of them (PowerDNS); else a quote may mean anything.
        if told.startswith('"') or '" "' in told:
            try:
                return _text.unquoted(told if told.startswith('"') else f'"{told}"')
            except ValueError:
                return None
        return None


class _Txt(TxtRecord):  # type: ignore[misc]  # octodns has no types
    _value_type = Seen


class _Spf(SpfRecord):  # type: ignore[misc]  # octodns has no types
    _value_type = Seen


def remember() -> None:
    """From now on, records that octodns makes in this process remember what they were made of."""
    Record.registered_types().update(TXT=_Txt, SPF=_Spf)
