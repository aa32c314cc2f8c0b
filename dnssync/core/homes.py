"""Which configured zone holds which records of a mail domain: `_domainkey.example.org` and `_dmarc.example.org` may be zones of their
own, at another provider than example.org. The longest name that is configured counts (RFC 1034 §4.2.1: a zone cut)."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dnssync.core.model import KeyPair, zone_of

if TYPE_CHECKING:
    from dnssync.core.observed import Observed, ZoneView

KEYS, DMARC = "_domainkey", "_dmarc"  # the label under which a domain's keys lie, and that of its policy


def home(domain: str, label: str, zones: Container[str]) -> str | None:
    """The zone that holds a domain's keys (`KEYS`) or its DMARC record (`DMARC`); None where none does."""
    return zone_of(f"{label}.{domain}".lower(), zones)


def zones_of(domain: str, zones: Container[str]) -> frozenset[str]:
    """Every zone that holds records of a domain: its own, that of its keys and that of its DMARC record."""
    homes = (zone_of(domain, zones), *(home(domain, label, zones) for label in (KEYS, DMARC)))
    return frozenset(zone for zone in homes if zone is not None)


def key_zone(key: KeyPair, zones: Container[str]) -> str | None:
    """The zone that holds the record of a key; None where none does."""
    return zone_of(f"{key.selector}.{KEYS}.{key.domain}".lower(), zones)


def zones_above(zone: str, zones: Container[str]) -> Iterator[str]:
    """The configured zones above one: each may hold what was written before that one was configured."""
    above = zone_of(zone.partition(".")[2], zones)
    while above is not None:
        yield above
        above = zone_of(above.partition(".")[2], zones)


def guests(served: Mapping[str, Iterable[str]], zones: Container[str]) -> dict[str, tuple[str, ...]]:
    """By zone, the mail domains that another zone serves and some of whose records it holds. `served`: by zone, its mail domains."""
    found: dict[str, list[str]] = {}
    for zone, domains in served.items():
        for domain in domains:
            for at in {home(domain, label, zones) for label in (KEYS, DMARC)} - {zone, None}:
                found.setdefault(at or "", []).append(domain)
    return {zone: tuple(domains) for zone, domains in found.items()}


@dataclass(frozen=True, slots=True)
class Homes:
    """Where the records of the mail domains of one pass lie. `keys` and `dmarc`: by zone, the domains whose keys, and whose DMARC
    record, it holds; `views`: by domain, the view of its own zone; `keyed`: by domain, that view with the limits, the reading and the
    negative TTL of the zone that holds its keys, and with that one's problem."""

    keys: Mapping[str, tuple[str, ...]]
    dmarc: Mapping[str, tuple[str, ...]]
    views: Mapping[str, ZoneView]
    keyed: Mapping[str, ZoneView]

    def holding(self, zone: str) -> frozenset[str]:
        """The domains for whose signatures a zone matters: those that it serves, and those whose keys it holds."""
        served = (domain for domain, view in self.views.items() if view.zone == zone)
        return frozenset((*served, *self.keys.get(zone, ())))

    def stopped(self, held: Collection[str]) -> frozenset[str]:
        """The domains whose line in exim's map is left as it is, where these zones get nothing."""
        return frozenset(
            d for d, view in self.views.items() if {view.zone, self.keyed[d].zone} & {*held} or self.keyed[d].problem
        )


def homes_of(seen: Observed) -> Homes:
    """Where the records of all mail domains of the zones that were looked at lie."""
    names = seen.configured or {view.zone for view in seen.zones}
    zones = {view.zone: view for view in seen.zones}
    views = {domain: view for view in seen.zones for domain in view.domains}
    keys: dict[str, list[str]] = {}
    policies: dict[str, list[str]] = {}
    keyed = {}
    for domain, view in views.items():
        at = home(domain, KEYS, names) or view.zone
        keys.setdefault(at, []).append(domain)
        policies.setdefault(home(domain, DMARC, names) or view.zone, []).append(domain)
        keyed[domain] = view if at == view.zone else _keyed(view, at, zones.get(at))
    return Homes(_tuples(keys), _tuples(policies), views, keyed)


def _keyed(view: ZoneView, zone: str, there: ZoneView | None) -> ZoneView:
    """The view of a domain's own zone, as far as its keys are concerned that lie in another one."""
    if there is None:
        problem = view.problem or f"{zone}: was not looked at in this pass"
        return replace(view, zone=zone, problem=problem, found={}, ledger={}, negative_ttl=None)
    return replace(
        view,
        zone=zone,
        limits=there.limits,
        found=there.found,
        ledger=there.ledger,
        negative_ttl=there.negative_ttl,
        problem=view.problem or there.problem,
    )


def _tuples(lists: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {zone: tuple(domains) for zone, domains in lists.items()}
