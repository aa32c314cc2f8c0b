"""The case of `providers.py`, and how each side plans and applies it: a provider of dnssync's, and octodns' plug-in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from octodns.record import Record
from octodns.zone import Zone

from dnssync.core.model import Change, Kind, RRset, Value

ZONE = "example.org"
OLD, NEW, GONE = "v=spf1 mx -all", "v=spf1 mx a -all", "old._domainkey"
NEWS = {"_dmarc": "v=DMARC1; p=none", "new._domainkey": "v=DKIM1; k=rsa; p=" + "A" * 392}
THEIRS = ("site-verification=1", "another=2")  # beside ours at the apex
ROWS: list[tuple[str, str, int, list[str]]] = [
    ("@", "A", 3600, ["192.0.2.1"]),
    ("@", "MX", 3600, ["10 mx.example.org."]),
    ("@", "TXT", 3600, [f'"{OLD}"', *(f'"{text}"' for text in THEIRS)]),
    (GONE, "TXT", 3600, ['"v=DKIM1; k=rsa; p=' + "B" * 64 + '"']),
    *((f"host{number}", "A", 3600, ["192.0.2.9"]) for number in range(16)),
]
WANTED = {("@", text.encode()) for text in (NEW, *THEIRS)} | {(name, text.encode()) for name, text in NEWS.items()}

Side = tuple[Callable[[], Any], Callable[[Any], object]]  # how to plan, and how to apply the plan


class Clients(Protocol):
    """Where both sides get their clients from."""

    def ours(self) -> Any:
        """dnssync's provider."""

    def theirs(self) -> Any:
        """octodns' plug-in."""


def ours(place: Clients) -> Side:
    """dnssync: single values."""
    provider = place.ours()

    def plan() -> list[Change]:
        found = {rrset.key: rrset for rrset in provider.read(ZONE)}
        apex, old = found["", "TXT"], found[GONE, "TXT"]
        after = tuple(Value(NEW, "") if value.text == OLD else value for value in apex.values)
        return [
            Change(Kind.UPDATE, "", "TXT", apex, RRset("", "TXT", apex.ttl, after)),
            *(Change(Kind.CREATE, name, "TXT", None, RRset(name, "TXT", 3600, (Value(text, ""),)))
              for name, text in NEWS.items()),
            Change(Kind.DELETE, old.name, "TXT", old, None),
        ]  # fmt: skip

    return plan, lambda changes: provider.write(ZONE, changes)


def theirs(place: Clients) -> Side:
    """octodns: the zone as another client of the same plug-in dumped it before, but for the changes."""
    desired = Zone(f"{ZONE}.", [])
    place.theirs().populate(desired, lenient=True)
    for record in list(desired.records):
        if (record.name, record._type) in (("", "TXT"), (GONE, "TXT")):
            desired.remove_record(record)
            if not record.name:  # with whatever the plug-in noted there, and whatever it took for values
                values = [_escaped(NEW) if value == _escaped(OLD) else value for value in record.values]
                _add(desired, "", {**record.data, "value": None, "values": values})
    for name, text in NEWS.items():
        _add(desired, name, {"ttl": 3600, "values": [_escaped(text)]})
    provider = place.theirs()

    def plan() -> Any:
        found = provider.plan(desired)
        if found is None or len(found.changes) != len(NEWS) + 2:
            raise ValueError(f"plans {found.changes if found else 'nothing'}")
        return found

    return plan, provider.apply


def _add(zone: Zone, name: str, data: dict[str, Any]) -> None:
    data = {key: value for key, value in data.items() if value is not None}
    zone.add_record(Record.new(zone, name, {**data, "type": "TXT"}, lenient=True))


def _escaped(text: str) -> str:
    """A text as octodns' configurations have it."""
    return text.replace(";", "\\;")
