"""A zone file and a zone in memory with everything in them, and a way to each that does not lead through its provider."""

from __future__ import annotations

import functools
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dns.rdata
from dnssync_providers import memory, zonefile

from dnssync.core.model import Change, Provider, RRset, Value
from tests.faults import called
from tests.gaps import By, Item, Items, Moment, gaps, items
from tests.providers import conformance
from tests.providers.conformance import ZONE, Everything
from tests.zone_of_everything import master

TEXTS = ("TXT", "SPF")
TOUCHING = {
    "replace",
    "rename",
    "link",
    "unlink",
    "remove",
    "write",
    "fsync",
    "close",
    "truncate",
    "ftruncate",
}  # of os and of files


def wire(kind: str, text: str) -> bytes:
    """The wire form of a TXT or SPF value in zone-file form, by dnspython; the words of anything else."""
    return (dns.rdata.from_text("IN", kind, text).to_wire() or b"") if kind in TEXTS else text.encode()


def strings(octets: bytes) -> bytes:
    """A text as it goes over the wire, cut at 255 octets."""
    pieces = [octets[at : at + 255] for at in range(0, len(octets), 255)] or [b""]
    return b"".join(bytes([len(piece)]) + piece for piece in pieces)


def short(name: str) -> str:
    """An absolute name as a name relative to the zone."""
    return name.lower().removesuffix(".").removesuffix(ZONE).removesuffix(".")


def parted(line: str) -> tuple[str, str, list[str]]:
    """The sign, the name and the rest of a stranger's line."""
    sign, name, *rest = line.split(maxsplit=4 if line[0] == "+" else 2)
    return sign, name, rest


class InAFile:
    """A zone file; past the provider it is read by named-compilezone."""

    kind = "zonefile"

    def __init__(self, folder: Path, more: str = "") -> None:
        self.file = folder / f"{ZONE}.zone"
        self.file.write_text(master(ZONE) + more)
        self.words = (str(self.file),)
        self.secret = ""
        self.moments: list[Moment] = []
        self.watched = False  # which takes its time
        self.provider = self.make()

    def make(self, **options: Any) -> Provider:
        """The provider anew."""
        return zonefile.Provider("file", directory=str(self.file.parent), file_extension=".zone", **options)

    def everything(self) -> Everything:
        """The zone as named would load it."""
        return compiled(self.file.read_bytes())

    def stranger(self, line: str) -> None:
        """Somebody edits the file."""
        sign, name, rest = parted(line)
        text = self.file.read_text()
        if sign == "-":
            name, kind = (name if name != "@" else ZONE), rest[0]
            owner = rf"{re.escape(name)}(\.{re.escape(ZONE)}\.)?"
            text = "".join(e for e in text.splitlines(True) if not re.match(rf"{owner}\s+\d+ IN {kind} ", e))
        else:
            text += f"{name}\t{rest[0]} IN {rest[1]} {rest[2]}\n"
        self.file.write_text(text)

    def write(self, provider: Provider, changes: Sequence[Change]) -> None:
        """A write; where it is watched, what the file held before each call of the system and after the last is noted."""
        if not self.watched:
            provider.write(ZONE, changes)
            return
        held = [self._held()]

        def look(name: str) -> None:
            if name in TOUCHING and (now := self._held()) != held[-1]:
                held.append(now)

        try:
            called(lambda: provider.write(ZONE, changes), look)
        finally:
            for number, text in enumerate([*held, self._held()]):
                by = By.CLIENT if number else By.SOMEBODY
                self.moments.append(Moment(float(len(self.moments)), self._items(text), by))

    def _held(self) -> bytes:
        try:
            return self.file.read_bytes()
        except OSError:
            return b""

    def _items(self, text: bytes) -> Items:
        try:
            return items({key: values for key, (_, values) in compiled(text).items()})
        except subprocess.CalledProcessError:
            return frozenset()

    def gaps(self) -> dict[Item, float]:
        """What a write took away and brought back."""
        return gaps(self.moments)


@functools.lru_cache(maxsize=32)
def compiled(text: bytes) -> Everything:
    """A zone file as named-compilezone reads it."""
    argv = ["named-compilezone", "-q", "-k", "ignore", "-i", "none", "-s", "full", "-o", "-", ZONE, "/dev/stdin"]
    done = subprocess.run(argv, input=text, capture_output=True, check=True)
    found: dict[tuple[str, str], tuple[int, set[bytes]]] = {}
    for line in done.stdout.decode().splitlines():
        name, ttl, kind, data = re.fullmatch(r"(\S+)\s+(\d+)\s+IN\s+(\S+)\s*(.*)", line).groups()  # type: ignore[union-attr]
        if kind != "SOA":
            found.setdefault((short(name), kind), (int(ttl), set()))[1].add(wire(kind, data))
    return {key: (ttl, frozenset(values)) for key, (ttl, values) in found.items()}


class InMemory:
    """The provider that keeps nothing; what it starts from is what the zone file's reader shows."""

    kind = "memory"

    words, secret = ("memory",), ""

    def __init__(self, folder: Path, more: str = "") -> None:
        rrsets = InAFile(folder, more).provider.read(ZONE)
        self.provider = memory.Provider("memory", {ZONE: rrsets})

    def make(self, **options: Any) -> Provider:
        """Itself: another one would not hold what this one does."""
        return self.provider

    def everything(self) -> Everything:
        """What the provider holds."""
        return {
            key: (rrset.ttl, frozenset(wire(key[1], value.raw) for value in rrset.values))
            for key, rrset in self.provider.zones[ZONE].items() if key != ("", "SOA")
        }  # fmt: skip

    def stranger(self, line: str) -> None:
        """Somebody else holds the same dictionary."""
        sign, name, rest = parted(line)
        name = "" if name == "@" else name
        if sign == "-":
            del self.provider.zones[ZONE][name, rest[0]]
            return
        old = self.provider.zones[ZONE].get((name, rest[1]), RRset(name, rest[1], int(rest[0]), ()))
        value = Value(conformance.text_of(wire(rest[1], rest[2])), rest[2])
        self.provider.zones[ZONE][name, rest[1]] = RRset(name, rest[1], old.ttl, (*old.values, value))

    def write(self, provider: Provider, changes: Sequence[Change]) -> None:
        """A write: one assignment, between whose parts nobody can look."""
        provider.write(ZONE, changes)

    def gaps(self) -> dict[Item, float]:
        """None: every state is whole."""
        return {}
