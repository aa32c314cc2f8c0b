"""A zone file on a desk: what an administrator wrote, and what became of it line by line."""

from __future__ import annotations

import datetime
import difflib
from pathlib import Path

from dnssync_providers.zonefile import Provider

from dnssync.core.model import Change, Kind, RRset, Value

ZONE = "example.org"
NOW = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC).timestamp()
HEAD = """; the zone of example.org
$TTL 1h
@\tIN SOA ns1 hostmaster (
\t\t7        ; serial
\t\t3600 600 604800 300 )
\tIN NS  ns1
ns1\tA 192.0.2.53
"""


class Desk:
    """A zone file and the provider that edits it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "db.example.org"

    def lay(self, text: str, head: str = HEAD) -> None:
        """The file as the administrator left it."""
        self.file.write_bytes((head + text).encode("utf-8", "surrogateescape"))

    @property
    def text(self) -> str:
        """What the file holds."""
        return self.file.read_bytes().decode("utf-8", "surrogateescape")

    def provider(self, **options: object) -> Provider:
        """The provider, with a clock that stands."""
        return Provider("file", **{"file": str(self.file.parent / "db.{zone}"), "now": lambda: NOW, **options})

    def rrset(self, name: str, kind: str = "TXT") -> RRset | None:
        """What a read shows there."""
        return {rrset.key: rrset for rrset in self.provider().read(ZONE)}.get((name, kind))

    def change(self, name: str, *texts: str, ttl: int | None = None, kind: str = "TXT") -> Change:
        """These texts as the whole RRset; one that stands there already is kept as it was read."""
        old = self.rrset(name, kind)
        there = {value.text: value for value in old.values} if old else {}
        values = tuple(there.get(text, Value(text, "")) for text in texts)
        new = RRset(name, kind, ttl or (old.ttl if old else 300), values) if texts else None
        return Change(Kind.CREATE if old is None else Kind.UPDATE if new else Kind.DELETE, name, kind, old, new)

    def diff(self, *changes: Change) -> str:
        """Write, and say which lines of the file went (-) and came (+); the line of the serial left out."""
        before = self.text
        self.provider().write(ZONE, changes)
        parts = [text.splitlines(keepends=True) for text in (before, self.text)]
        lines = list(difflib.unified_diff(*parts, n=0))[2:]
        return "".join(line for line in lines if line[0] != "@" and "; serial" not in line)
