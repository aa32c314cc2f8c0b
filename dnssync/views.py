"""Each zone of a pass as its providers show it, with what dnssync wrote there; or, where none can be read, as its name servers do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dnssync import by_dns, signing_map
from dnssync.by_dns import Reading
from dnssync.config import ZoneConfig
from dnssync.core import dkim
from dnssync.core.decide import decide
from dnssync.core.model import ProviderError, absolute, zone_of
from dnssync.core.observed import Observed, ZoneView
from dnssync.core.ownership import Agreed, Ledger, owned, shows
from dnssync.core.zone_view import Zone
from dnssync.noted import Noted
from dnssync.quiet import as_noted, as_read
from dnssync.reading import Fetched
from dnssync.state import LedgerEntry

if TYPE_CHECKING:
    from dnssync.reconcile import Line


Viewed = tuple[ZoneView, dict[str, tuple[Reading, ...]]]


def viewed(
    line: Line,
    zone: ZoneConfig,
    domains: tuple[str, ...],
    strangers: tuple[str, ...],
    adopt: bool,
    confirmed: frozenset[tuple[str, str]],
    kept: Noted,
    *,
    noted: bool = False,
    fetched: Fetched,
) -> Viewed:
    """One zone as its providers show it, or why that cannot be known; and all the readings of each provider. `strangers`: domains of other
    zones some of whose records it holds. `noted`: as the ledger has it, and no provider is asked. `fetched`: what was read already."""
    entries, record = kept.ledger.get(zone.name, ()), kept.records.get(zone.name)
    readings: dict[str, tuple[Reading, ...]] = {}
    unread: dict[str, str] = {}
    for name in () if noted else zone.providers:
        if failed := line.resting.get((zone.name, name)):
            unread[name] = failed
            continue
        try:
            readings[name] = _fetched(line, zone.name, name, (*domains, *strangers), fetched)
        except ProviderError as error:
            unread[name] = str(error)
    problem = "" if readings else " ".join(unread.values())
    trusted = ("servers", zone.name) in confirmed
    view = ZoneView(
        zone=zone.name,
        policy=zone.policy,
        domains=domains,
        limits=as_read(line.zones.limits(zone.name), record) if unread else line.zones.limits(zone.name),
        ledger={name: {(e.name, e.type, e.owner): e.applied for e in entries if e.provider == name} for name in unread},
        problem=problem,
        unread=unread,
        negative_ttl=None if problem or noted else line.resolver.negative_ttl(zone.name),
        known_before=0 if trusted or noted or record is None else record.rrsets,
        adopt=adopt or (zone.policy.adopt and not entries),
        agreed={name: _agreed(kept, zone.name, name) for name in zone.providers},
    )
    for name, several in readings.items():
        view = showing(line, view, name, several[0].found, kept)
    return as_noted(view, entries, record) if noted else view, readings


def showing(line: Line, view: ZoneView, provider: str, found: Zone, kept: Noted) -> ZoneView:
    """The zone, with this shown at a provider of it."""
    ledger = _ledger(line, view.zone, provider, found, kept)
    return replace(view, found={**view.found, provider: found}, ledger={**view.ledger, provider: ledger})


def furthest_behind(
    line: Line, seen: Observed, readings: Mapping[str, Mapping[str, tuple[Reading, ...]]], kept: Noted
) -> Observed:
    """The same; where the servers of a zone that is read from them differ, as those show it where most is left to be done."""
    for number, view in enumerate(seen.zones):
        for provider, several in readings[view.zone].items():
            if view.problem or len(several) == 1:
                continue
            alone = [replace(seen, zones=(showing(line, view, provider, one.found, kept),)) for one in several]
            plans = [plan for one in alone for plan in decide(one).zones if plan.plan.provider == provider]
            found, told = by_dns.behind(several, plans)
            view = showing(line, view, provider, found, kept)
            zones = (*seen.zones[:number], view, *seen.zones[number + 1 :])
            seen = replace(seen, zones=zones, notices=(*seen.notices, *told))
    return seen


def _agreed(kept: Noted, zone: str, provider: str) -> frozenset[Agreed]:
    """The values that were given to a person to enter there: whoever ran `apply` has seen what they replace."""
    handed = kept.handed.get(zone, ())
    return frozenset((e.name, e.type, e.owner, e.value) for e in handed if e.provider == provider)


def _ledger(line: Line, zone: str, provider: str, found: Zone, kept: Noted) -> Ledger:
    """What we wrote there: the ledger, and what a pass that died meant to write where the zone shows it. A provider that
    has another name now, or took a zone over with its records, has no entries of its own: there, those of providers
    that the zone has no more count, where it shows their values."""
    entries = kept.ledger.get(zone, ())
    held = {(entry.name, entry.type, entry.owner): entry.applied for entry in entries if entry.provider == provider}

    def stands(entry: LedgerEntry) -> bool:
        values = owned(found.get((entry.name, entry.type)), entry.owner)
        return any(shows(entry.owner, value.text, entry.applied) for value in values)

    former = [entry for entry in entries if entry.provider not in line.config.zones[zone].providers]
    inherited = [] if held else sorted(former, key=lambda entry: entry.applied_at)
    unfinished = [entry for entry in kept.unfinished.get(zone, ()) if entry.provider == provider]
    for entry in filter(stands, (*inherited, *unfinished)):
        held[(entry.name, entry.type, entry.owner)] = entry.applied
    return held


def _fetched(line: Line, zone: str, provider: str, domains: Sequence[str], fetched: Fetched) -> tuple[Reading, ...]:
    """What the provider told, or what its name servers do where it cannot be read."""
    found = fetched.get((zone, provider))
    if isinstance(found, ProviderError):
        raise found
    if found is not None:
        return (found,)
    line.progress(f"reading {zone} at {provider}")
    return by_servers(line, zone, domains)


def by_servers(line: Line, zone: str, domains: Sequence[str]) -> tuple[Reading, ...]:
    """A zone that cannot be read at its provider (`manual`): what the authoritative servers show at the names that can matter, and more
    than one reading where they differ. Raises `ProviderError` where they do not tell."""
    of = [(key.domain, key.selector) for key in line.state.living({*domains})]
    of += [(domain, name) for domain, names in signing_map.read(line.config.exim.map).items() for name in names]
    selectors = [dkim.record_name(selector, domain) for domain, selector in of if domain in domains]
    # What we wrote matters wherever it stands: what is not looked at would be taken for gone, and be forgotten.
    noted = [absolute(e.name, zone) for e in (*line.state.ledger(zone), *line.state.handed_over(zone))]
    names = [zone, *domains, *(f"_dmarc.{domain}" for domain in domains), *selectors, *noted]
    here = [name for name in names if zone_of(name, line.config.zones) == zone]
    return by_dns.read(line.resolver, zone, here)
