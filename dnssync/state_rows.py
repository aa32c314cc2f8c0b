"""The rows of the state as frozen values. Times are whole seconds since 1970 (UTC)."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from dnssync.core.model import Owner
from dnssync.core.ownership import Applied


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One value of ours at one provider, as it was last written (or found to be right already)."""

    zone: str
    provider: str
    name: str
    type: str
    owner: Owner
    domain: str
    value: str
    ttl: int
    applied_at: int
    added: str = ""

    @property
    def place(self) -> tuple[str, ...]:
        """What it is the value of; there is one entry for each place."""
        return (self.zone, self.provider, self.name, self.type, self.owner)

    @classmethod
    def of(cls, row: Any) -> LedgerEntry:
        """The entry that a row of the ledger's table holds."""
        names = [field.name for field in fields(cls) if field.name != "owner"]
        return cls(**{name: getattr(row, name) for name in names}, owner=Owner(row.owner))

    @property
    def applied(self) -> Applied:
        """What the pure core needs of it."""
        return Applied(self.value, self.domain, self.added, self.ttl)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was changed: when, what, and why."""

    at: int
    kind: str
    zone: str
    domain: str
    selector: str
    sentence: str
    because: str


@dataclass(frozen=True, slots=True)
class Request:
    """A person's word: `kind` is clock, narrow, gone, servers or freeze; `until` None = for good."""

    kind: str
    subject: str
    made_at: int
    until: int | None


@dataclass(frozen=True, slots=True)
class SeenAddress:
    """An address that a domain's mail was seen to leave from."""

    domain: str
    ip: str
    host_name: str
    source: str
    first_seen: int
    last_seen: int


@dataclass(frozen=True, slots=True)
class ZoneRecord:
    """The last complete reading of a zone: when, how many RRsets, and how the pass ended."""

    zone: str
    last_read: int
    last_pass: int
    result: str
    rrsets: int
