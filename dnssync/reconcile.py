"""The straight line: observe → advance → desire → plan → guard → apply. The only module that joins both halves.

`Line.observe` gathers everything into one frozen `Observed`, `core.decide` turns it into a `Decision`, and
`carry_out` writes that. `plan` is the same line with the last step left out.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from dnssync import by_dns, identity, signing_map
from dnssync.by_dns import Reading
from dnssync.config import Config, ZoneConfig
from dnssync.core.clock import Reading as ClockReading
from dnssync.core.clock import Verdict, judge
from dnssync.core.decide import Decision, Observed, ZoneView, decide
from dnssync.core.desire import domains_of
from dnssync.core.durations import HOUR, MARGIN
from dnssync.core.hand_made import adopted
from dnssync.core.host import Address, Host
from dnssync.core.model import KeyPair, Notice, Provider, ProviderError, absolute, relative, zone_of
from dnssync.core.ownership import Agreed, Ledger, owned, shows
from dnssync.core.pass_notices import silent, some
from dnssync.core.rotation import PAST, SERVING, Policy, phase, rebased
from dnssync.core.taken_on import made_here, mapped, strays, unknown
from dnssync.core.zone_view import Zone
from dnssync.errors import DnssyncError
from dnssync.keystore import Keystore
from dnssync.resolver import Resolver
from dnssync.sights import sights
from dnssync.state import LedgerEntry, State
from dnssync.zones import Zones

log = logging.getLogger("dnssync")
REMEMBER = 7 * 86400  # an address that was seen within these seconds stays in the SPF record


@dataclass
class Line:
    """The parts of one pass.

    `observe_host(names, recipients)` asks exim about candidate domains and report addresses; `now` gives seconds
    since 1970, `uptime()` what `clock.uptime` does (None: `now` is all there is), `machine()` what `identity.machine` does (None: nobody
    looks whose keys they are); `progress(text)` is told of each step before it begins, and what it raises ends the pass there, where
    nothing is half done.
    """

    config: Config
    state: State
    keystore: Keystore
    resolver: Resolver
    zones: Zones
    observe_host: Callable[[Sequence[str], Sequence[str]], Host]
    now: Callable[[], float] = time.time
    progress: Callable[[str], None] = field(default=lambda text: None)
    uptime: Callable[[], tuple[float, str]] | None = None
    machine: Callable[[], str] | None = None

    def observe(self, only: Sequence[str] = (), *, adopt: bool = False, attended: bool = True) -> Observed:
        """Look at everything once: exim, the keys, the zones at their providers, the authoritative servers.

        `only` names zones or domains; other zones are left out; `attended`: a person looks on. Raises `EximError` where exim cannot be asked, and
        `DnssyncError` where `only` names what is neither; a zone that cannot be read says so in `ZoneView.problem` and
        stops no other.
        """
        now = int(self.now())
        requests = self.state.requests(now)
        confirmed = frozenset((request.kind, request.subject) for request in requests)
        keys, current = self.state.keys(), signing_map.read(self.config.exim.map)
        clock = self._clock(now, keys, ("clock", "") in confirmed)
        host_id = self.keystore.host()
        if clock.jumped is not None:
            keys = rebased(keys, Policy(), clock.jumped, now)
        elif clock.restarted is not None:
            keys = rebased(keys, Policy(), clock.restarted, now, restarted=True)
        self.progress("asking exim")
        host = self._host(keys, current)
        served = self._served(host)
        chosen = _chosen(self.config, served, only)
        views, readings = [], {}
        for zone in chosen:
            view, readings[zone.name] = self._view(zone, served[zone.name], adopt, confirmed)
            views.append(view)
        unread = set(self.config.zones) - {view.zone for view in views if not view.problem}

        def standing(domain: str, selector: str) -> str:
            return self._standing(domain, selector, views)

        hand_made = tuple(
            key
            for key in adopted(host, keys, now, standing)
            if zone_of(key.domain, self.config.zones) not in unread  # its record must be seen when it is taken on
        )
        ours = {domain: current.get(domain, ()) for view in views if not view.problem for domain in view.domains}
        keys = (*keys, *mapped(ours, (*keys, *hand_made), now, self.keystore.public, standing))
        keys = (
            *keys,
            *strays(made_here(views, host_id), (*keys, *hand_made), now, self.keystore.public, standing),
        )
        problems = {
            (key.domain, key.selector): self.keystore.problem(key)
            for key in keys
            if phase(key, Policy(), now) not in PAST
        }
        serving = {(key.domain, key.selector) for key in keys if phase(key, Policy(), now) in SERVING}
        keys = (*keys, *hand_made)
        self.progress("asking the authoritative servers")
        looks, unanswered = sights(keys, views, now, self.resolver, self.zones, self.config.zones)
        seen = Observed(
            now=now,
            host=host,
            zones=tuple(views),
            keys=keys,
            sights=looks,
            readable=frozenset((k.domain, k.selector) for k in keys if not problems.get((k.domain, k.selector))),
            map=current,
            beyond=cache(self._beyond),  # one answer a pass, so that deciding again decides the same
            policies={domain: self.config.zones[zone].policy for zone in served for domain in served[zone]},
            remembered=self._remembered(now),
            confirmed=confirmed,
            closed=self._closed(views),
            configured=frozenset(self.config.zones),
            clock=clock,
            host_id=host_id,
            unknown=unknown(views, keys, host_id, self.keystore.holds, confirmed),
            moved=identity.moved(self.config.keys, self.machine, host.hostname),
            frozen=frozenset(request.subject for request in requests if request.kind == "freeze"),
            attended=attended,
            notices=(
                *host.notices,
                *self._homeless(host),
                *silent(unanswered),
                *(
                    Notice("key_unusable", f"{at[0]}: {told}")
                    for at, told in problems.items()
                    if told and at in serving
                ),
            ),
        )
        return self._furthest_behind(seen, readings)

    def plan(
        self, only: Sequence[str] = (), *, adopt: bool = False, attended: bool = True
    ) -> tuple[Observed, Decision]:
        """Observe and decide; changes nothing anywhere."""
        seen = self.observe(only, adopt=adopt, attended=attended)
        return seen, decide(seen)

    def _clock(self, now: int, keys: Sequence[KeyPair], confirmed: bool) -> Verdict:
        """Whether the clock can be trusted, beside that of the last pass."""
        boot, boot_id = self.uptime() if self.uptime is not None else (float(now), "")
        season = max((key.season for key in keys), default=0)
        return judge(self.state.clock(), ClockReading(now, boot, boot_id), max(season, HOUR + MARGIN), confirmed)

    # --- exim -------------------------------------------------------------------------------------------------------

    def _host(self, keys: Sequence[KeyPair], current: Mapping[str, tuple[str, ...]]) -> Host:
        """Ask exim about every name that may be a mail domain, and about the addresses that would get reports."""
        names = {*self.config.zones, *current, *(key.domain for key in keys)}
        names.update(domain for zone in self.config.zones.values() for domain in zone.domains or ())
        names.update(entry.domain for entry in self.state.ledger())
        recipients = [
            uri.removeprefix("mailto:").partition("?")[0]
            for zone in self.config.zones.values()
            for uri in (*zone.policy.dmarc.rua, *zone.policy.dmarc.ruf)
            if uri.startswith("mailto:")
        ]
        return self.observe_host(sorted(names), sorted(set(recipients)))

    def served(self) -> dict[str, tuple[str, ...]]:
        """The mail domains of each configured zone. Asks exim; raises `EximError`."""
        return self._served(self._host(self.state.keys(), signing_map.read(self.config.exim.map)))

    def _served(self, host: Host) -> dict[str, tuple[str, ...]]:
        """The mail domains of each configured zone: those named for it, else those that exim has in it."""
        local = [mail.name for mail in host.domains if mail.local]
        served = {}
        for zone in self.config.zones.values():
            named = zone.domains if zone.domains is not None else local
            if zone.policy.parked and zone.domains is None:
                named = (zone.name,)
            served[zone.name] = domains_of(zone.name, named, self.config.zones)
        return served

    def _closed(self, views: Sequence[ZoneView]) -> dict[str, str]:
        """The domains whose new keys exim could not open, and why."""
        told = {
            domain: self.keystore.closed(domain) for view in views if not view.policy.parked for domain in view.domains
        }
        return {domain: why for domain, why in told.items() if why}

    def _homeless(self, host: Host) -> list[Notice]:
        """Names that exim has and no configured zone holds: nothing can be done for them, and somebody should know."""
        homeless = [m.name for m in host.domains if m.local and zone_of(m.name, self.config.zones) is None]
        if not homeless:
            return []
        told = f"exim has {some(homeless, 5)}, but no zone in {self.config.file} holds {'them' if len(homeless) > 1 else 'it'}; add the zone, "
        return [Notice("no_zone", told + "with its provider, if dnssync is to publish for it.")]

    def _remembered(self, now: int) -> dict[str, tuple[Address, ...]]:
        recent: dict[str, list[Address]] = {}
        for row in self.state.addresses():
            if row.last_seen >= now - REMEMBER:
                recent.setdefault(row.domain, []).append(Address(row.ip, row.source, row.host_name))
        return {domain: tuple(addresses) for domain, addresses in recent.items()}

    # --- zones ------------------------------------------------------------------------------------------------------

    def _view(
        self, zone: ZoneConfig, domains: tuple[str, ...], adopt: bool, confirmed: frozenset[tuple[str, str]]
    ) -> tuple[ZoneView, dict[str, tuple[Reading, ...]]]:
        """One zone as its providers show it, or why that cannot be known; and all the readings of each provider."""
        entries = self.state.ledger(zone.name)
        record = self.state.zone(zone.name)
        readings: dict[str, tuple[Reading, ...]] = {}
        problem = ""
        for name in zone.providers:
            self.progress(f"reading {zone.name} at {name}")
            try:
                readings[name] = self._readings(zone.name, self.zones.provider(name), domains)
            except ProviderError as error:
                problem = str(error)
        trusted = ("servers", zone.name) in confirmed
        view = ZoneView(
            zone=zone.name,
            policy=zone.policy,
            domains=domains,
            limits=self.zones.limits(zone.name),
            problem=problem,
            negative_ttl=None if problem else self.resolver.negative_ttl(zone.name),
            known_before=0 if trusted or record is None else record.rrsets,
            adopt=adopt or (zone.policy.adopt and not entries),
            agreed={name: self._agreed(zone.name, name) for name in zone.providers},
        )
        for name, several in readings.items():
            view = self._showing(view, name, several[0].found)
        return view, readings

    def _showing(self, view: ZoneView, provider: str, found: Zone) -> ZoneView:
        """The zone, with this shown at a provider of it."""
        ledger = self._ledger(view.zone, provider, found, self.state.ledger(view.zone))
        return replace(view, found={**view.found, provider: found}, ledger={**view.ledger, provider: ledger})

    def _furthest_behind(self, seen: Observed, readings: Mapping[str, Mapping[str, tuple[Reading, ...]]]) -> Observed:
        """The same; where the servers of a zone that is read from them differ, as those show it where most is left to be done."""
        for number, view in enumerate(seen.zones):
            for provider, several in readings[view.zone].items():
                if view.problem or len(several) == 1:
                    continue
                alone = [replace(seen, zones=(self._showing(view, provider, one.found),)) for one in several]
                plans = [plan for one in alone for plan in decide(one).zones if plan.plan.provider == provider]
                found, told = by_dns.behind(several, plans)
                view = self._showing(view, provider, found)
                zones = (*seen.zones[:number], view, *seen.zones[number + 1 :])
                seen = replace(seen, zones=zones, notices=(*seen.notices, *told))
        return seen

    def _agreed(self, zone: str, provider: str) -> frozenset[Agreed]:
        """The values that were given to a person to enter there: whoever ran `apply` has seen what they replace."""
        handed = self.state.handed_over(zone)
        return frozenset((e.name, e.type, e.owner, e.value) for e in handed if e.provider == provider)

    def _ledger(self, zone: str, provider: str, found: Zone, entries: Sequence[LedgerEntry]) -> Ledger:
        """What we wrote there: the ledger, and what a pass that died meant to write where the zone shows it. A provider that
        has another name now, or took a zone over with its records, has no entries of its own: there, those of providers
        that the zone has no more count, where it shows their values."""
        held = {(entry.name, entry.type, entry.owner): entry.applied for entry in entries if entry.provider == provider}

        def stands(entry: LedgerEntry) -> bool:
            values = owned(found.get((entry.name, entry.type)), entry.owner)
            return any(shows(entry.owner, value.text, entry.applied) for value in values)

        former = [entry for entry in entries if entry.provider not in self.config.zones[zone].providers]
        inherited = [] if held else sorted(former, key=lambda entry: entry.applied_at)
        unfinished = [entry for entry in self.state.unfinished(zone) if entry.provider == provider]
        for entry in filter(stands, (*inherited, *unfinished)):
            held[(entry.name, entry.type, entry.owner)] = entry.applied
        return held

    def read(self, zone: str, provider: Provider, domains: Sequence[str]) -> Zone:
        """Every RRset of a zone, by (name, type); as one of its name servers shows it where the provider cannot be read."""
        return self._readings(zone, provider, domains)[0].found

    def _readings(self, zone: str, provider: Provider, domains: Sequence[str]) -> tuple[Reading, ...]:
        """What the provider tells; where it cannot be read (`manual`), what the authoritative servers show at the names that
        can matter, and more than one where they differ."""
        if provider.limits.reads:
            return (Reading((), {rrset.key: rrset for rrset in provider.read(zone)}),)
        of = [(key.domain, key.selector) for key in self.state.keys()]
        of += [(domain, name) for domain, names in signing_map.read(self.config.exim.map).items() for name in names]
        selectors = [f"{selector}._domainkey.{domain}".lower() for domain, selector in of if domain in domains]
        # What we wrote matters wherever it stands: what is not looked at would be taken for gone, and be forgotten.
        noted = [absolute(e.name, zone) for e in (*self.state.ledger(zone), *self.state.handed_over(zone))]
        names = [zone, *domains, *(f"_dmarc.{domain}" for domain in domains), *selectors, *noted]
        return by_dns.read(self.resolver, zone, names)

    # --- DNS --------------------------------------------------------------------------------------------------------

    def _standing(self, domain: str, selector: str, views: Sequence[ZoneView]) -> str:
        """The text that stands in DNS for a hand-made key, "" where there is none or nobody knows."""
        full = f"{selector}._domainkey.{domain}".lower()
        for view in views:
            name = relative(full, view.zone)
            if name is None or view.zone != zone_of(full, self.config.zones):
                continue
            for found in view.found.values():
                if (name, "TXT") in found:
                    return found[(name, "TXT")].values[0].text
                if (name, "CNAME") in found:
                    return next(iter(self._beyond(full, "TXT") or ()), "")
        return ""

    def _beyond(self, name: str, kind: str) -> tuple[str, ...] | None:
        """A look-up outside the zones that were read."""
        return self.resolver.texts(name, kind, zone_of(name, self.config.zones) or "")


def _chosen(config: Config, served: Mapping[str, tuple[str, ...]], only: Sequence[str]) -> list[ZoneConfig]:
    """The zones that are named, or whose domains are; all where nothing is. Raises `DnssyncError` for another name."""
    for name in only:
        if name not in served and not any(name in domains for domains in served.values()):
            raise no_domain(config, name)
    return [z for z in config.zones.values() if not only or z.name in only or any(d in only for d in served[z.name])]


def no_domain(config: Config, name: str) -> DnssyncError:
    """What to tell of a name in a configured zone that is none of its mail domains."""
    zone = zone_of(name, config.zones) or ""
    named = zone in config.zones and config.zones[zone].domains is not None
    why = f"zones.{zone}.domains in {config.file} does not name it" if named else "exim has no such domain"
    return DnssyncError(f"{name}: {why}; its zone is {zone}.")


def again(seen: Observed, made: Sequence[KeyPair]) -> Observed:
    """What was observed, with the keys that were made since: for deciding once more before anything is written."""
    readable = seen.readable | {(key.domain, key.selector) for key in made}
    return replace(seen, keys=(*seen.keys, *made), readable=readable)
