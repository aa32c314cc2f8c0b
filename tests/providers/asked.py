"""Changes as a plan would have them, in few words: from a reading, and what is to come in the place of what."""

from __future__ import annotations

from collections.abc import Sequence

from dnssync.core.model import Change, Kind, RRset, Value


def create(name: str, *texts: str, ttl: int = 3600, kind: str = "TXT") -> Change:
    """A new RRset of ours."""
    return Change(Kind.CREATE, name, kind, None, RRset(name, kind, ttl, tuple(Value(text, "") for text in texts)))


def turn(
    found: Sequence[RRset], name: str, out: str | None, into: str | None, *, ttl: int | None = None, kind: str = "TXT"
) -> Change:
    """One value of an RRset becomes another one, comes or goes; all others stay as they were read."""
    [old] = [rrset for rrset in found if rrset.key == (name, kind)]
    kept = tuple(value for value in old.values if value.text != out)
    new = (*kept, *(() if into is None else (Value(into, ""),)))
    return Change(Kind.UPDATE, name, kind, old, RRset(name, kind, ttl or old.ttl, new))


def delete(found: Sequence[RRset], name: str, kind: str = "TXT") -> Change:
    """An RRset goes whole."""
    [old] = [rrset for rrset in found if rrset.key == (name, kind)]
    return Change(Kind.DELETE, name, kind, old, None)
