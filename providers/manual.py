"""No provider at all: the records are printed for a person, and DNS is watched until it shows them."""

from __future__ import annotations

from collections.abc import Sequence

from dnssync.core.model import Change, Limits, ProviderError, RRset, absolute

from . import _text


class Provider:
    """`type99`: whether the web form knows records of type SPF (most do not). Nothing can be read here: what stands in
    the zone is what its authoritative servers show."""

    def __init__(self, id: str, type99: bool = False) -> None:
        self.id = id
        self.limits = Limits(reads=False, type99=type99)

    def read(self, zone: str) -> tuple[RRset, ...]:
        """Not possible: an error, since an empty zone would be a lie."""
        raise ProviderError(f"{zone}: {self.id} is edited by hand; what stands there is read from its name servers.")

    def write(self, zone: str, changes: Sequence[Change]) -> tuple[str, ...]:
        """Write nothing; say what to enter and what to take out, one line a record, in zone-file form."""
        lines = []
        for change in changes:
            old = change.old.values if change.old else ()
            new = change.new.values if change.new else ()
            name = absolute(change.name, zone)
            for verb, rrset, values in (
                ("delete", change.old, [value for value in old if value not in new]),
                ("add", change.new, [value for value in new if value not in old]),
            ):
                for value in values:
                    ttl = rrset.ttl if rrset else 0
                    lines.append(f"{verb}: {name}. {ttl} IN {change.type} {_line(change.type, value.text)}")
        return tuple(lines)


def _line(kind: str, text: str) -> str:
    return _text.quoted([text.encode("utf-8", "surrogateescape")]) if kind in _text.TYPES else text
