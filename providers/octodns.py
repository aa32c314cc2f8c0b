"""Our providers for octodns: `class: dnssync_providers.octodns.GandiProvider` in a configuration of octodns-sync.

octodns compares what its sources want with what we read, and hands over the records that change; they are written as any
change of ours is, value by value where the provider can, against what was read when the plan was made. A value that goes on
standing goes back as it was read, strings, escapes and all. Whatever octodns did not see (a type or a text that it cannot
read, a record that a processor hid) is never written over.
"""

from __future__ import annotations

import importlib
import inspect
import re
import typing
from collections.abc import Iterable, Mapping
from logging import getLogger
from typing import Any, ClassVar

import dns.exception
import dns.name
import dns.rdata
from octodns.provider import ProviderException
from octodns.provider.base import BaseProvider
from octodns.record import Record, Rrset
from octodns.record.txt import TxtValue

from dnssync.core.model import Change, Kind, ProviderError, RRset, Value, absolute

from . import _text

TYPES = frozenset({
    "A", "AAAA", "CAA", "CNAME", "DNAME", "DS", "HTTPS", "LOC", "MX", "NAPTR", "NS", "OPENPGPKEY", "PTR", "SPF", "SRV", "SSHFP",
    "SVCB", "TLSA", "TXT", "URI",
})  # fmt: skip
_CONTROL = re.compile(r"[\x00-\x1f\x7f\udc80-\udcff]")
_OWN = frozenset(inspect.signature(BaseProvider.__init__).parameters) - {"self", "id"}
Found = dict[tuple[str, str], RRset]


class _Ours(BaseProvider):  # type: ignore[misc]
    """One of our providers behind octodns' contract; its options are those of our provider and of octodns' base class."""

    SUPPORTS_GEO = False
    SUPPORTS_DYNAMIC = False
    SUPPORTS_ROOT_NS = True
    SUPPORTS_MULTIVALUE_PTR = True
    module: ClassVar[str]
    types: ClassVar[frozenset[str]] = TYPES

    def __init__(self, id: str, **options: Any) -> None:
        self.log = getLogger(f"{type(self).__name__}[{id}]")
        theirs = {name: value for name, value in options.items() if name in _OWN}
        ours = {name: value for name, value in options.items() if name not in _OWN}
        provider = importlib.import_module(f".{self.module}", __package__).Provider
        _as_text(id, provider, ours)
        try:
            self._provider = provider(id, **ours)
        except ProviderError as error:
            raise ProviderException(f"provider {id}: {error}") from None
        self._found: dict[str, Found] = {}
        super().__init__(id, **theirs)

    @property
    def SUPPORTS(self) -> frozenset[str]:
        """The types that octodns reads and writes here; type SPF only where the provider takes it."""
        return self.types if self._provider.limits.type99 else self.types - {"SPF"}

    def populate(self, zone: Any, target: bool = False, lenient: bool = False) -> bool:
        """octodns' reading. Raises where the zone cannot be read whole; none is ever made."""
        name = zone.name[:-1]
        try:
            found = {rrset.key: rrset for rrset in self._provider.read(name)}
        except ProviderError as error:
            raise ProviderException(str(error)) from None
        for rrset in found.values():
            if rrset.type not in self.SUPPORTS:
                continue
            try:
                record = _record(zone, rrset, self, lenient)
                repr(record)  # what octodns cannot print ends its plan later
            except Exception as error:
                if not target:
                    raise
                self.log.warning(
                    "%s %s is left as it is: octodns cannot read it (%s)", absolute(rrset.name, name), rrset.type, error
                )
                continue
            zone.add_record(record, lenient=lenient)
        if target:
            self._found[zone.name] = found
        return True

    def _process_desired_zone(self, desired: Any) -> Any:
        limits = self._provider.limits
        for record in desired.records:
            ttl = min(max(record.ttl, limits.min_ttl), limits.max_ttl)
            if ttl != record.ttl:
                self.supports_warn_or_except(f"a TTL of {record.ttl} is not taken for {record.fqdn}", f"using {ttl}")
                record = record.copy()
                record.ttl = ttl
                desired.add_record(record, replace=True)
        return super()._process_desired_zone(desired)

    def _apply(self, plan: Any) -> None:
        """octodns' writing: one write of ours; two where a CNAME makes room for other records, or takes their place."""
        zone = plan.desired.name
        found = self._found.pop(zone)
        changes = [_change(change, found, plan.desired) for change in plan.changes]
        turning = {c.name for c in changes if c.type == "CNAME"} & {c.name for c in changes if c.type != "CNAME"}
        first = [c for c in changes if c.kind is Kind.DELETE and c.name in turning]
        try:
            for part in (first, [change for change in changes if change not in first]):
                for told in self._provider.write(zone[:-1], part) if part else ():
                    self.log.warning("%s", told)
        except ProviderError as error:
            raise ProviderException(str(error)) from None


class GandiProvider(_Ours):
    """Gandi LiveDNS; options as for `class: gandi`."""

    module = "gandi"
    types = TYPES | {"ALIAS"}


class Rfc2136Provider(_Ours):
    """Dynamic update and zone transfer; options as for `class: rfc2136`."""

    module = "rfc2136"


class ZoneFileProvider(_Ours):
    """A master file, edited in place; options as for `class: zonefile`."""

    module = "zonefile"


def _as_text(id: str, provider: type[Any], options: Mapping[str, Any]) -> None:
    """octodns makes numbers of secrets that are digits alone (`env/TOKEN`): then what was meant is not known any more."""
    hints = typing.get_type_hints(provider.__init__)
    for name, value in options.items():
        taken = {hints.get(name), *typing.get_args(hints.get(name))}
        if str in taken and not taken & {int, float} and type(value) in (int, float, bool):
            raise ProviderException(f"provider {id}: {name} must be text, and octodns made a number of it. Write it in quotes, or, where it "
                                    "comes from the environment, begin the variable with something that is no digit.")  # fmt: skip


def _record(zone: Any, rrset: RRset, source: Any, lenient: bool) -> Any:
    """An RRset as octodns has it; raises whatever octodns raises for what it cannot read."""
    fqdn = f"{rrset.name}.{zone.name}" if rrset.name else zone.name
    if rrset.type not in _text.TYPES:
        rdatas = _canonical(rrset.type, rrset.values, zone.name)
        return Record.from_rrset(zone, Rrset(fqdn, rrset.type, rrset.ttl, rdatas), lenient=lenient, source=source)
    texts = [_told(value) for value in rrset.values]
    data = {"type": rrset.type, "ttl": rrset.ttl, "values": texts}
    record = Record.new(zone, rrset.name, data, source=source, lenient=lenient)
    record.values = sorted(map(type(record)._value_type, texts))  # octodns took quotes away that belong to the text
    return record


def _told(value: Value) -> str:
    """A text for octodns, `;` escaped as it wants it; octets that are no text as `\\DDD`, so that they can be printed."""
    shown = _CONTROL.sub(lambda match: f"\\{ord(match[0]) & 0xFF:03d}", value.text)
    return str(TxtValue.normalize_raw_text(shown))


def _canonical(kind: str, values: Iterable[Value], zone: str) -> list[str]:
    """Values other than text with absolute names, as octodns wants them."""
    origin, told = dns.name.from_text(zone), []
    kind = "CNAME" if kind == "ALIAS" else kind  # no type of DNS; at Gandi its target may be relative, too
    for value in values:
        try:
            rdata = dns.rdata.from_text("IN", kind, value.raw or value.text, origin=origin, relativize=False)
            told.append(rdata.to_text())
        except dns.exception.DNSException:
            told.append(value.raw or value.text)
    return told


def _change(change: Any, found: Found, desired: Any) -> Change:
    """A change of octodns' as one of ours, its standing values as they were read."""
    name, kind, new = change.record.name, change.record._type, change.new
    old = found.get((name, kind))
    if (old is None) is not (change.existing is None):
        raise ProviderException(f"{change.record.fqdn} {kind} stands there, and octodns' plan does not know it: a processor hides it, or octodns "
                                "cannot read it. Nothing was written.")  # fmt: skip
    if new is None:
        return Change(Kind.DELETE, name, kind, old, None)
    standing: dict[str, Value] = {}
    for value in old.values if old is not None else ():
        [told] = _values(_record(desired, RRset(name, kind, new.ttl, (value,)), None, True))
        if standing.setdefault(told, value) is not value:
            raise ProviderException(
                f"{change.record.fqdn} {kind} holds two values that octodns cannot tell apart. Nothing was written."
            )
    values = tuple(standing.get(told) or _fresh(kind, told) for told in _values(new))
    return Change(Kind.UPDATE if old else Kind.CREATE, name, kind, old, RRset(name, kind, new.ttl, values))


def _values(record: Any) -> list[str]:
    """The values of a record as texts that are equal where the values are."""
    if record._type in _text.TYPES:
        return [str(value) for value in record.values]
    return list(record.to_rrset().rdatas)


def _fresh(kind: str, told: str) -> Value:
    if kind in _text.TYPES:
        return Value(TxtValue(told).to_raw_text(), "")
    return Value(told, told)
