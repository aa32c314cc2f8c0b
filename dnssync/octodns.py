"""dnssync's records for those who run octodns-sync: a source of records, and a processor that puts them among others'.

Both give what the last pass of `dnssync apply` found right: what it gave to a person to enter (a zone whose provider is
`manual`), else what it knows to be written. Nothing is decided here, and exim is not asked: the keys, the agreement to a
take-over and the guard's word are behind these records already. A zone that dnssync has said nothing about yet is an error,
since octodns deletes what nobody wants.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from logging import getLogger
from typing import Any

from octodns.processor.base import BaseProcessor, ProcessorException
from octodns.record import Record
from octodns.record.txt import TxtValue
from octodns.source.base import BaseSource

from dnssync.config import DEFAULT, Config, ZoneConfig, find, load
from dnssync.core import dmarc, spf, spf_merge
from dnssync.core.model import Owner, absolute
from dnssync.core.ownership import owns, same
from dnssync.errors import DnssyncError
from dnssync.identity import rows
from dnssync.state import LedgerEntry, State

Wanted = Mapping[tuple[str, str], Sequence[LedgerEntry]]


class _Asked:
    """What dnssync wants in a zone. `config`: its configuration; `provider`: which of the zone's providers, the first one
    where none is named."""

    def __init__(self, config: str, provider: str | None) -> None:
        self._file, self._provider = find(config), provider

    @functools.cached_property
    def _config(self) -> Config:
        """The same for every zone of a run, as octodns' own is: with thousands of zones, reading it for each takes minutes."""
        return load(self._file)

    def zone(self, name: str) -> tuple[ZoneConfig | None, Wanted]:
        """The zone as configured, None where dnssync has nothing to do with it, and what it wants by (name, type)."""
        try:
            config = self._config
            zone = config.zones.get(name)
            entries = () if zone is None else self._entries(config, zone)
        except DnssyncError as error:
            raise ProcessorException(f"{name}: {error}") from None
        wanted: dict[tuple[str, str], list[LedgerEntry]] = {}
        for entry in entries:
            wanted.setdefault((entry.name, entry.type), []).append(entry)
        return zone, wanted

    def _entries(self, config: Config, zone: ZoneConfig) -> Sequence[LedgerEntry]:
        provider = self._provider or zone.providers[0]
        if provider not in zone.providers:
            raise ProcessorException(
                f"{zone.name}: {provider} is none of its providers in {self._file}: {', '.join(zone.providers)}"
            )
        state = State.open(config.state, host=rows(config.keys), read_only=True)
        given = [entry for entry in state.handed_over(zone.name) if entry.provider == provider]
        if given:  # each time, all that the zone should hold is noted: the last note counts
            last = max(entry.applied_at for entry in given)
            return list({entry.place: entry for entry in given if entry.applied_at == last}.values())
        written = [entry for entry in state.ledger(zone.name) if entry.provider == provider]
        if not written:
            raise ProcessorException(f"{zone.name}: dnssync has no records for it at {provider} yet. Run `dnssync -c {self._file} apply`; or, "
                                     "where the zone is none of dnssync's any more, take it out of that file.")  # fmt: skip
        return written


class DnssyncSource(BaseSource):  # type: ignore[misc]  # octodns has no types
    """A source of octodns': SPF, DKIM and DMARC of the zones in dnssync's configuration, as they should be."""

    SUPPORTS_GEO = False
    SUPPORTS_DYNAMIC = False
    SUPPORTS = frozenset({"TXT", "SPF"})

    def __init__(self, id: str, config: str = str(DEFAULT), provider: str | None = None) -> None:
        self.log = getLogger(f"DnssyncSource[{id}]")
        super().__init__(id)
        self._asked = _Asked(config, provider)

    def populate(self, zone: Any, target: bool = False, lenient: bool = False) -> bool:
        """octodns' reading. Where another source has a record at the same place, octodns stops; the processor merges."""
        configured, wanted = self._asked.zone(zone.name[:-1])
        for (name, kind), entries in wanted.items():
            assert configured is not None
            ttl = min((entry.ttl for entry in entries if entry.ttl >= 0), default=configured.policy.ttl)
            texts = [TxtValue.normalize_raw_text(entry.value) for entry in entries]
            data = {"type": kind, "ttl": ttl, "values": texts}
            zone.add_record(Record.new(zone, name, data, source=self, lenient=lenient), lenient=lenient)
        return True


class DnssyncProcessor(BaseProcessor):  # type: ignore[misc]  # octodns has no types
    """A processor of octodns': dnssync's values among those of the sources.

    Where the sources have the RRset, their values stay, and ours are merged in: terms into an SPF record, tags into a DMARC
    record. Where they do not, the values of others that the target holds stay.
    """

    def __init__(self, id: str, config: str = str(DEFAULT), provider: str | None = None) -> None:
        super().__init__(id)
        self.log = getLogger(f"DnssyncProcessor[{id}]")
        self._asked = _Asked(config, provider)

    def process_source_and_target_zones(self, desired: Any, existing: Any, target: Any, lenient: bool = False) -> Any:
        """octodns' hook: the last word before it compares."""
        configured, wanted = self._asked.zone(desired.name[:-1])
        for (name, kind), entries in wanted.items():
            assert configured is not None
            where = f"{absolute(name, configured.name)} {kind}"
            if kind not in target.SUPPORTS:
                self.log.warning("%s is left out: %s has no records of that type", where, target.id)
                continue
            if desired.get_type(name, "CNAME") is not None:
                raise ProcessorException(f"{where}: a source has a CNAME there, and nothing may stand beside one. Take it out, or leave the "
                                         "domain out of dnssync's configuration.")  # fmt: skip
            theirs, found = desired.get_type(name, kind), existing.get_type(name, kind)
            values = list(theirs.values if theirs is not None else _others(found, entries))
            kept = bool(values)
            for entry in entries:
                values = _with(values, entry, configured, where)
            given = [entry.ttl for entry in entries if entry.ttl >= 0]
            standing = [record.ttl for record in (theirs, found) if record is not None]
            ttl = (standing if kept else [*given, *standing, configured.policy.ttl])[0]
            record = Record.new(
                desired, name, {"type": kind, "ttl": ttl, "values": list(map(str, values))}, lenient=True
            )
            record.values = sorted(values)  # as they stand: octodns would take quotes away again
            desired.add_record(record, replace=True, lenient=True)
        return desired, existing


def _others(record: Any, entries: Iterable[LedgerEntry]) -> list[Any]:
    """The values of a record that are none of ours."""
    owners = [entry.owner for entry in entries]
    return [
        value
        for value in (record.values if record is not None else ())
        if not any(owns(owner, _text(value)) for owner in owners)
    ]


def _with(values: list[Any], entry: LedgerEntry, zone: ZoneConfig, where: str) -> list[Any]:
    """The values of an RRset with ours among them."""
    ours = [value for value in values if owns(entry.owner, _text(value))]
    if not ours:
        return [*values, TxtValue(TxtValue.normalize_raw_text(entry.value))]
    if len(ours) > 1:
        raise ProcessorException(
            f"{where}: the sources have {len(ours)} values there of which there may be one; receivers would use none."
        )
    text = _text(ours[0])
    if entry.owner is Owner.DKIM:
        if not same(entry.owner, text, entry.value, entry.domain):
            raise ProcessorException(
                f"{where}: a source has another key at a selector of dnssync's. Take it out there."
            )
        return values
    try:
        merged = _merged(text, entry, zone)
    except (ValueError, spf_merge.MergeRefusal) as error:
        raise ProcessorException(
            f"{where}: dnssync's part cannot be merged into the sources' \"{text}\": {error}"
        ) from None
    fresh = TxtValue(TxtValue.normalize_raw_text(merged))
    return [fresh if value is ours[0] and merged != text else value for value in values]


def _merged(text: str, entry: LedgerEntry, zone: ZoneConfig) -> str:
    """A source's SPF or DMARC record with what dnssync added to the one in DNS."""
    if entry.owner is Owner.SPF:
        terms = tuple(str(term) for term in spf.parse_terms(entry.added) if not spf.is_all(term))
        name = absolute(entry.name, zone.name)
        policy = zone.policy.spf
        merged = spf_merge.merge(
            found=spf.parse(text), applied="", ours=terms, ending=policy.all, explicit=False, domain=name
        )
        return text if spf.same(text, str(merged.record), name) else str(merged.record)
    tags = dict(dmarc.parse(entry.added).tags) if entry.added else {}
    record = str(dmarc.merge(found=dmarc.parse(text), applied="", wanted=tags, explicit=frozenset()).record)
    return text if dmarc.same(text, record) else record


def _text(value: Any) -> str:
    return str(TxtValue(value).to_raw_text())
