"""Our providers for octodns: `class: dnssync_providers.octodns.GandiProvider` in a configuration of octodns-sync.

octodns compares what its sources want with what we read, and hands over the records that change; they are written as any
change of ours is, value by value where the provider can, against what was read when the plan was made. A value that goes on
standing goes back as it was read, strings, escapes and all. Whatever octodns did not see (a type or a text that it cannot
read, a record that a processor hid) is never written over, and no CNAME is put beside it.
"""

from __future__ import annotations

import copy
import importlib
import inspect
import re
import typing
from collections.abc import Iterable, Mapping, Sequence
from logging import getLogger
from typing import Any, ClassVar

import dns.exception
import dns.name
import dns.rdata
from octodns.provider import ProviderException
from octodns.provider.base import BaseProvider
from octodns.record import Record, Rrset
from octodns.record.txt import TxtValue

from dnssync.core.model import Change, Kind, ProviderError, RRset, TypeRefused, Value, absolute

from . import _text
from ._records import BESIDE

TYPES = frozenset({
    "A", "AAAA", "CAA", "CNAME", "DNAME", "DS", "HTTPS", "LOC", "MX", "NAPTR", "NS", "OPENPGPKEY", "PTR", "SPF", "SRV", "SSHFP",
    "SVCB", "TLSA", "TXT", "URI",
})  # fmt: skip
# Where a provider names a remedy of dnssync's, and what it is in octodns-sync's hands.
REMEDIES = (
    ("set `spf: {type99: never}` for the zone", "take the records of type SPF out of octodns' sources or, where "
     "DnssyncProcessor gives them, set `spf: {type99: never}` for the zone in dnssync's configuration"),
    ("The next `dnssync apply` runs it again, whatever else there is to do.",
     "Run it yourself: octodns-sync runs it with its next change of the zone, and not before."),
)  # fmt: skip
_CONTROL = re.compile(r"[\x00-\x1f\x7f\udc80-\udcff]")
_OWN = frozenset(inspect.signature(BaseProvider.__init__).parameters) - {"self", "id"}
Found = dict[tuple[str, str], RRset]


class _Ours(BaseProvider):  # type: ignore[misc]  # octodns has no types
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
        """The types that octodns reads and writes here: of those that the provider says it has, once it was asked."""
        listed = getattr(self._provider, "types", frozenset()) or self.types
        return self.types & listed if self._provider.limits.type99 else self.types & listed - {"SPF"}

    def populate(self, zone: Any, target: bool = False, lenient: bool = False) -> bool:
        """octodns' reading. Raises `ProviderException` where the zone cannot be read whole; none is ever made. A record that
        octodns cannot read is one, too, but for a target and where `lenient` is: then it is left out, and as it is."""
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
                where = f"{absolute(rrset.name, name)} {rrset.type}"
                why = ": ".join(filter(None, (type(error).__name__, " ".join(str(error).split()))))
                if not (target or lenient):
                    raise ProviderException(f"{where} at {self.id} cannot be read by octodns ({why}). Mend the record there, or leave it "
                                            "out by `lenient: true`.") from error  # fmt: skip
                self.log.warning("%s is left as it is: octodns cannot read it (%s)", where, why)
                continue
            zone.add_record(record, lenient=lenient)
        if target:
            self._found[zone.name] = found
        return True

    def _process_desired_zone(self, desired: Any) -> Any:
        for record in desired.records:
            held = self._within(record)
            if held is not record:
                self.supports_warn_or_except(
                    f"a TTL of {record.ttl} is not taken for {record.fqdn}", f"using {held.ttl}"
                )
                desired.add_record(held, replace=True, lenient=True)
        return super()._process_desired_zone(desired)

    def _include_change(self, change: Any) -> bool:
        """A processor's record comes after `_process_desired_zone`, and nobody wrote its TTL into a file: it is held, too."""
        if change.new is not None and (held := self._within(change.new)) is not change.new:
            self.log.warning("a TTL of %d is not taken for %s; using %d", change.new.ttl, change.record.fqdn, held.ttl)
            change.new = held
            if change.existing is not None and change.existing.changes(held, self) is None:
                return False
        return bool(super()._include_change(change))

    def _within(self, record: Any) -> Any:
        """The record, or another with a TTL that the provider takes. octodns' own copy would take quotes out of texts."""
        of = getattr(self._provider, "limits_of", None)
        limits = of(record.zone.name.removesuffix(".")) if of else self._provider.limits
        ttl = min(max(record.ttl, limits.min_ttl), limits.max_ttl)
        if ttl == record.ttl:
            return record
        held = copy.copy(record)
        held.ttl = ttl
        return held

    def _extra_changes(self, existing: Any, desired: Any, changes: Sequence[Any]) -> list[Any]:
        """There are none; what cannot be written is told with the plan already."""
        _ours(changes, self._found[desired.name], desired)
        return []

    def _apply(self, plan: Any) -> None:
        """octodns' writing, in one write of ours; what was left out of it ends no run, since other zones come after this one."""
        zone = plan.desired.name
        try:
            for told in self._provider.write(zone[:-1], _ours(plan.changes, self._found.pop(zone), plan.desired)):
                self.log.warning("%s", told)
        except TypeRefused as error:  # everything else was done
            self.log.warning("%s", _for_octodns(str(error)))
        except ProviderError as error:
            raise ProviderException(_for_octodns(str(error))) from None


class GandiProvider(_Ours):
    """Gandi LiveDNS; options as for `class: gandi`."""

    module = "gandi"
    types = TYPES | {"ALIAS"}


class OvhProvider(_Ours):
    """OVHcloud, its TXT records alone; options as for `class: ovh`."""

    module = "ovh"
    types = frozenset({"TXT"})


class CloudflareProvider(_Ours):
    """Cloudflare, its TXT records alone; options as for `class: cloudflare`."""

    module = "cloudflare"
    types = frozenset({"TXT"})


class DesecProvider(_Ours):
    """deSEC; options as for `class: desec`."""

    module = "desec"


class HetznerProvider(_Ours):
    """Hetzner Cloud; options as for `class: hetzner`."""

    module = "hetzner"
    types = TYPES - {"DNAME", "LOC", "NAPTR", "OPENPGPKEY", "SSHFP", "SPF", "URI"}


class PowerDnsProvider(_Ours):
    """PowerDNS by its own API; options as for `class: powerdns`."""

    module = "powerdns"


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
    told = []
    for value in values:
        rdata = _rdata(kind, value.text, zone)
        told.append(value.text if rdata is None else rdata.to_text())
        # dnspython leaves usual sizes out, octodns cannot
        if kind == "LOC" and rdata is not None and told[-1].count(" ") < 11:
            sizes = (rdata.size, rdata.horizontal_precision, rdata.vertical_precision)
            told[-1] += "".join(f" {size / 100:.2f}m" for size in sizes)
    return told


def _rdata(kind: str, text: str, zone: str) -> Any:
    """A value as dnspython has it, None where it has none (ALIAS is no type of DNS)."""
    try:
        return dns.rdata.from_text("IN", kind, text, origin=dns.name.from_text(zone), relativize=False)
    except dns.exception.DNSException:
        return None


def _ours(changes: Iterable[Any], found: Found, desired: Any) -> list[Change]:
    """octodns' changes as ours. Raises `ProviderException` where one would put a CNAME beside other records, or one of those
    beside a CNAME: a server leaves that out without a word (RFC 2136 §3.4.2.2), or refuses it with half of the plan done."""
    ours = [_change(change, found, desired) for change in changes]
    after: dict[str, set[str]] = {}
    gone = {(change.name, change.type) for change in ours if change.new is None}
    for name, kind in {*found, *((change.name, change.type) for change in ours)} - gone:
        after.setdefault(name, set()).add(kind)
    for name in sorted({change.name for change in ours if change.new is not None}):
        others = sorted(after[name] - BESIDE - {"CNAME"})
        if "CNAME" in after[name] and others:
            raise ProviderException(f"{absolute(name, desired.name[:-1])} would have a CNAME and {', '.join(others)}, and nothing may stand "
                                    "beside a CNAME. What octodns does not see there (a type or text that it cannot read, a record that a "
                                    "processor hides) goes on standing: delete that at the provider first. Nothing was written.")  # fmt: skip
    return ours


def _for_octodns(sentence: str) -> str:
    for ours, theirs in REMEDIES:
        sentence = sentence.replace(ours, theirs)
    return sentence


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
    rdata = _rdata(kind, told, ".")
    text = told if rdata is None else rdata.to_text()  # as it will be read
    return Value(text, text)
