"""The mail domains of a host, and which configured zone serves which: what exim is asked about, and what follows from its answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from dnssync.config import Config, ZoneConfig
from dnssync.core.desire import domains_of
from dnssync.core.model import Notice, zone_of
from dnssync.errors import DnssyncError

Served = Mapping[str, tuple[str, ...]]  # by zone, its mail domains


def asked(config: Config, known: Iterable[str]) -> list[str]:
    """The names that exim is asked about, sorted: zones, domains named for them, and those that are `known` already (from keys, from
    exim's map, from what was written)."""
    named = (domain for zone in config.zones.values() for domain in zone.domains or ())
    return sorted({*config.zones, *named, *known})


def recipients(config: Config) -> list[str]:
    """The addresses that would get reports of any zone, sorted; `{domain}` stands in them for the domain."""
    return sorted({
        uri.removeprefix("mailto:").partition("?")[0]
        for zone in config.zones.values()
        for uri in (*zone.policy.dmarc.rua, *zone.policy.dmarc.ruf)
        if uri.startswith("mailto:")
    })  # fmt: skip


def served(config: Config, local: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The mail domains of each configured zone: those named for it, else those that exim has in it (`local`)."""
    held: dict[str | None, list[str]] = {}
    for name in local:
        held.setdefault(zone_of(name, config.zones), []).append(name)
    found = {}
    for zone in config.zones.values():
        named: Sequence[str] = zone.domains if zone.domains is not None else held.get(zone.name, ())
        if zone.policy.parked and zone.domains is None:
            named = (zone.name,)
        found[zone.name] = domains_of(zone.name, named, config.zones)
    return found


def homeless(config: Config, local: Iterable[str]) -> list[Notice]:
    """Names that exim has and no configured zone holds: nothing can be done for them, and somebody should know."""
    return [
        Notice("no_zone", f"{name}: known to exim, but no zone in {config.file} holds such a name; add the zone, with its provider, if dnssync "
               "is to publish there.")
        for name in local
        if zone_of(name, config.zones) is None
    ]  # fmt: skip


def chosen(config: Config, served: Served, only: Sequence[str], strangers: Served) -> list[ZoneConfig]:
    """The zones that are named, or whose domains are; all where nothing is. `strangers`: by zone, domains of other zones some of whose
    records it holds; a domain's zones are chosen together. Raises `DnssyncError` for another name."""
    for name in only:
        if name not in served and not any(name in domains for domains in served.values()):
            raise no_domain(config, name)
    named = {zone for zone, domains in served.items() if zone in only or any(domain in only for domain in domains)}
    apart = {domain for zone in named for domain in (*served[zone], *strangers.get(zone, ()))}
    named |= {zone for zone, domains in strangers.items() if apart & {*domains}}
    named |= {
        zone for zone, domains in served.items() if any(apart & {*strangers.get(one, ())} & {*domains} for one in named)
    }
    return [zone for zone in config.zones.values() if not only or zone.name in named]


def no_domain(config: Config, name: str) -> DnssyncError:
    """What to tell of a name in a configured zone that is none of its mail domains."""
    zone = zone_of(name, config.zones) or ""
    named = zone in config.zones and config.zones[zone].domains is not None
    why = f"zones.{zone}.domains in {config.file} does not name it" if named else "exim has no such domain"
    return DnssyncError(f"{name}: {why}; its zone is {zone}.")
