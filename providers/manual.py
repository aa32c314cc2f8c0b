"""No provider at all: the records are printed for a person, and DNS is watched until it shows them."""

from __future__ import annotations

from collections.abc import Sequence

from dnssync.core.model import Change, Limits, ProviderError, RRset, Value, absolute

from . import _text


class Provider:
    """`type99`: whether the web form knows records of type SPF (most do not). Nothing can be read here: what stands in
    the zone is what its authoritative servers show."""

    def __init__(self, id: str, type99: bool = False) -> None:
        self.id = id
        self.limits = Limits(reads=False, by_hand=True, type99=type99)

    def read(self, zone: str) -> tuple[RRset, ...]:
        """Not possible: an error, since an empty zone would be a lie."""
        raise ProviderError(f"{zone}: {self.id} is edited by hand; what stands there is read from its name servers.")

    def write(self, zone: str, changes: Sequence[Change]) -> tuple[str, ...]:
        """Write nothing; say what to enter and what to take out, one line a record as a zone file has it."""
        lines = []
        for change in changes:
            name = absolute(change.name, zone)
            old = {value.text: value for value in change.old.values} if change.old else {}
            new = {value.text: value for value in change.new.values} if change.new else {}
            ttls = [rrset.ttl if rrset else 0 for rrset in (change.old, change.new)]
            for verb, ttl, texts in (
                ("delete", ttls[0], [text for text in old if text not in new]),
                ("add", ttls[1], [text for text in new if text not in old]),
                ("set TTL", ttls[1], [text for text in new if text in old and ttls[0] != ttls[1]]),
            ):
                lines += [f"{verb}: {name}. {ttl} IN {change.type} {_line(change.type, text)}" for text in texts]
        return tuple(lines)


def _line(kind: str, text: str) -> str:
    """The data of a record as a zone file has it: a text of more than 255 octets in several strings (RFC 1035 §3.3.14)."""
    return _text.spelled(Value(text, "")) if kind in _text.TYPES else text
