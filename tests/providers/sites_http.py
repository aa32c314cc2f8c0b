"""Providers before stand-ins over HTTP; past the provider, a stand-in's memory is looked at."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from dnssync.core.model import Change, Provider
from tests.gaps import Item
from tests.providers.conformance import ZONE, Everything
from tests.providers.sites_here import TEXTS, InAFile, parted, strings
from tests.stand_in import StandIn

CAPITALS = {"mixed.case": "Mixed.CASE"}  # where names are kept as they were spelled; a reading does not show it
Rows = list[tuple[str, str, int, list[str]]]  # name ("@" = apex), type, TTL, values in zone-file form


def rows(
    folder: Path, more: str, types: Collection[str], *, spelled: bool = False, without: Collection[tuple[str, str]] = ()
) -> Rows:
    """The zone of everything as far as an API has the types, with neither SOA nor the NS at the apex. `without`: RRsets (name, type)
    that such a zone cannot hold; `spelled`: names are kept in the case in which they were written."""
    return [
        ((CAPITALS.get(rrset.name, rrset.name) if spelled else rrset.name) or "@", rrset.type, rrset.ttl, [v.raw for v in rrset.values])
        for rrset in InAFile(folder, more).provider.read(ZONE)
        if rrset.type in types and rrset.key not in {("", "SOA"), ("", "NS"), *without}
    ]  # fmt: skip


class AtStandIn:
    """A provider before a stand-in. So much time passes between a reading and a write that the provider looks again."""

    kind = ""  # in the tables
    plugin: Any = None  # the provider's class

    def __init__(self, stand_in: StandIn) -> None:
        self.stand_in, self.time, self.secret = stand_in, 0.0, stand_in.secret
        self.words: tuple[str, ...] = (f"provider {self.kind}", f"at {self.kind}")
        self.provider = self.make()

    def options(self) -> dict[str, Any]:
        """What the provider is made with, the endpoint and the clock aside."""
        return {"token": self.secret}

    def make(self, **options: Any) -> Provider:
        """The provider anew."""
        given = {"endpoint": self.stand_in.endpoint, "now": self.now, "sleep": lambda seconds: None}
        made: Provider = self.plugin(self.kind, **{**self.options(), **given, **options})
        return made

    def now(self) -> float:
        """A clock that has moved on whenever it is looked at."""
        self.time += 60
        return self.time

    def everything(self) -> Everything:
        """What the stand-in holds."""
        return {
            ("" if name == "@" else name, kind): (ttl, frozenset(strings(v) if kind in TEXTS else v for v in values))
            for (name, kind), (ttl, values) in self.stand_in.values(ZONE).items() if values
        }  # fmt: skip

    def stranger(self, line: str) -> None:
        """Somebody uses the web form."""
        sign, name, rest = parted(line)
        if sign == "-":
            self.stand_in.drop(ZONE, name, rest[0])
        else:
            self.stand_in.add(ZONE, name, rest[1], int(rest[0]), rest[2])

    def write(self, provider: Provider, changes: Sequence[Change]) -> None:
        """A write; the stand-in itself looks after each request."""
        provider.write(ZONE, changes)

    def gaps(self) -> dict[Item, float]:
        """What requests took away and brought back."""
        return self.stand_in.gaps(ZONE)
