"""A zone file as a provider that tells the smallest TTL of a zone when that is read, as deSEC does: for each zone another one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dnssync_providers import zonefile

from dnssync.core.model import Limits, RRset


class Provider(zonefile.Provider):
    """`least` is what it tells; before a reading it is 3600 seconds."""

    def __init__(self, id: str, least: int = 60, **options: Any) -> None:
        super().__init__(id, **options)
        self.limits = replace(self.limits, min_ttl=3600)
        self._least, self._read = least, set[str]()

    def read(self, zone: str) -> tuple[RRset, ...]:
        """As a zone file is."""
        rrsets = super().read(zone)
        self._read.add(zone)
        return rrsets

    def limits_of(self, zone: str) -> Limits:
        """See `core.model.Provider.limits`."""
        return replace(self.limits, min_ttl=self._least if zone in self._read else 3600)
