"""What stand-ins have in common whose API knows single records, each by its id; and how a text in quotes is taken apart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tests.gaps import By
from tests.stand_in import Key, StandIn, Values

_STRING = re.compile(r'"((?:[^"\\]|\\[0-9]{3}|\\[^0-9])*)"')
_ESCAPE = re.compile(r"\\([0-9]{3}|[^0-9])")


class ById(StandIn):
    """Each of the zones has `entries`, its records by id; a record says with `octets` what is served of it. `means` has the TTLs that
    stand for others."""

    means: Mapping[int, int] = {}

    def keep(self, zone: str, name: str, kind: str, ttl: int, value: str) -> None:
        """One more record, of a value in zone-file form."""
        raise NotImplementedError

    def place(self, zone: str, entry: Any) -> Key:
        """Where a record is served."""
        raise NotImplementedError

    def edited(self, zone: str) -> None:
        """Called where somebody else has edited a zone."""
        self.note(By.SOMEBODY)

    def change(self, zone: str, entry: Any, **fields: Any) -> None:
        """Somebody else changes a record by another way, such as the web form."""
        with self.lock:
            self.zones[zone].entries[entry.id] = replace(entry, **fields)
            self.edited(zone)

    def add(self, zone: str, name: str, kind: str, ttl: int, value: str) -> None:
        """See `StandIn`."""
        with self.lock:
            ttl, _ = self.values(zone).get((name, kind), (ttl, frozenset()))
            self.keep(zone, name, kind, ttl, value)
            self.edited(zone)

    def drop(self, zone: str, name: str, kind: str) -> None:
        """See `StandIn`."""
        with self.lock:
            held = self.zones[zone].entries
            for id in [id for id, entry in held.items() if self.place(zone, entry) == (name.lower(), kind)]:
                del held[id]
            self.edited(zone)

    def values(self, zone: str) -> Values:
        """The zone as it is kept; where TTLs differ at one RRset, the longest."""
        return self.counted(zone, self.zones[zone].entries if zone in self.zones else {})

    def counted(self, zone: str, entries: Mapping[Any, Any]) -> Values:
        """What these records of a zone come to."""
        found: Values = {}
        with self.lock:
            for entry in entries.values():
                ttl, values = found.get(self.place(zone, entry), (0, frozenset()))
                found[self.place(zone, entry)] = (
                    max(ttl, self.means.get(entry.ttl, entry.ttl)),
                    values | {entry.octets},
                )
        return found


def quoted(text: str) -> list[bytes] | None:
    """The strings of a text in quotes, with at most a blank between them; None where it is not that, or not ASCII."""
    found, at = [], 0
    while at < len(text):
        match = _STRING.match(text, at)
        if match is None or not text.isascii():
            return None
        found.append(_ESCAPE.sub(lambda m: chr(int(m[1])) if m[1].isdigit() else m[1], match[1]).encode("latin-1"))
        at = match.end() + text.startswith(" ", match.end())
    return found
