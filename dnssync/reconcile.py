"""The straight line: observe → advance → desire → plan → guard → apply. The only module that joins both halves.

`Line.observe` gathers everything into one frozen `Observed`, `core.decide` turns it into a `Decision`, and
`carry_out` writes that. `plan` is the same line with the last step left out.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dnssync import identity, mail_domains, signing_map
from dnssync.batches import SIZE, Batch, Whole
from dnssync.beyond import Beyond, Once
from dnssync.config import Config
from dnssync.core import dkim
from dnssync.core.births import BIRTHS
from dnssync.core.clock import Reading as ClockReading
from dnssync.core.clock import Verdict, judge
from dnssync.core.decide import Decision, decide
from dnssync.core.durations import HOUR, MARGIN
from dnssync.core.hand_made import adopted
from dnssync.core.homes import KEYS, home, key_zone, zones_above
from dnssync.core.host import Address, Host
from dnssync.core.key_sets import replaced
from dnssync.core.model import KeyPair, Notice, relative, zone_of
from dnssync.core.observed import Observed, ZoneView
from dnssync.core.pass_notices import silent
from dnssync.core.rotation import PAST, SERVING, Policy, phase, rebased
from dnssync.core.sighting import Question
from dnssync.core.taken_on import made_here, mapped, overtaken, strays, unknown
from dnssync.keystore import Keystore
from dnssync.noted import Noted
from dnssync.quiet import calm, loud, unread
from dnssync.reading import read_all
from dnssync.resolver import Resolver
from dnssync.sights import sights
from dnssync.state import State
from dnssync.views import Viewed, furthest_behind, viewed
from dnssync.zones import Zones

log = logging.getLogger("dnssync")
REMEMBER = 7 * 86400  # an address that was seen within these seconds stays in the SPF record


@dataclass
class Look:
    """One of the looks of a pass. `dns_first`: zones that are calm are taken as noted, but for those that are `loud`; `host` and `seen` are what
    the look before found out already. `batch`: which zones these are, where a pass takes some at a time. `births`: how many new keys it may make that
    nobody waits for, where no person looks on (None: as `Line.births` says); `earlier` as in `Observed`; `clock`: what is known
    of it, and all keys have heard of (None: nobody looked yet); `once`: what was looked up in it already."""

    dns_first: bool = False
    loud: frozenset[str] = frozenset()
    host: Host | None = None
    seen: dict[str, Viewed] = field(default_factory=dict)
    batch: Batch | None = None
    births: int | None = None
    earlier: tuple[int, int] = (0, 0)
    clock: Verdict | None = None
    once: Once | None = None


@dataclass
class Line:
    """The parts of one pass.

    `observe_host(names, recipients)` asks exim about candidate domains and report addresses; `now` gives seconds
    since 1970, `uptime()` what `clock.uptime` does (None: `now` is all there is), `machine()` what `identity.machine` does (None: nobody
    looks whose keys they are); `resting`: providers of a zone, as (zone, provider), that are not asked yet since they failed, and how; `progress(text)` is told of each step before it begins, and what it raises ends the pass there, where
    nothing is half done; `births`: how many keys a pass at which nobody looks on makes of those that nobody waits for;
    `size`: about how many zones such a pass takes at a time.
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
    resting: Mapping[tuple[str, str], str] = field(default_factory=dict)
    births: int = BIRTHS
    size: int = SIZE

    def observe(
        self, only: Sequence[str] = (), *, adopt: bool = False, attended: bool = True, look: Look | None = None
    ) -> Observed:
        """Look at everything once: exim, the keys, the zones at their providers, the authoritative servers.

        `only` names zones or domains; other zones are left out; `attended`: a person looks on. Raises `EximError` where exim cannot be asked, and
        `DnssyncError` where `only` names what is neither; a zone that cannot be read says so in `ZoneView.problem` and
        stops no other. `look`: zones that no provider is asked for, and what another look in this pass has seen already.
        """
        look = look or Look()
        now = int(self.now())
        requests = self.state.requests(now)
        confirmed = frozenset((request.kind, request.subject) for request in requests)
        batch = look.batch
        keys = self.state.living(batch.domains if batch else None)
        current = signing_map.read(self.config.exim.map)
        clock = look.clock or self.clock(now, ("clock", "") in confirmed)
        host_id = self.keystore.host()
        if clock.jumped is not None:
            keys = rebased(keys, Policy(), clock.jumped, now)
        elif clock.restarted is not None:
            keys = rebased(keys, Policy(), clock.restarted, now, restarted=True)
        self.progress("asking exim")
        host = look.host or self._host(current)
        whole = batch.whole if batch else Whole.of(self.config, [mail.name for mail in host.domains if mail.local])
        served, strangers = whole.served, whole.strangers
        chosen = (
            [self.config.zones[zone] for zone in batch.zones]
            if batch
            else mail_domains.chosen(self.config, served, only, strangers if attended else {})
        )
        kept = Noted.of(self.state, [zone.name for zone in chosen])
        noted = calm(self, chosen, now, confirmed, kept, whole.patient) - look.loud if look.dns_first else frozenset()
        fresh = [zone for zone in chosen if zone.name not in look.seen]
        fetched = read_all(self, [zone for zone in fresh if zone.name not in noted])
        for zone in fresh:
            names = (served[zone.name], strangers.get(zone.name, ()))
            as_noted = zone.name in noted
            look.seen[zone.name] = viewed(self, zone, *names, adopt, confirmed, kept, noted=as_noted, fetched=fetched)
        views = self._cuts([look.seen[zone.name][0] for zone in chosen])
        readings = {zone.name: look.seen[zone.name][1] for zone in chosen}
        unread = set(self.config.zones) - {view.zone for view in views if not view.problem}

        def standing(domain: str, selector: str) -> str:
            return self._standing(domain, selector, views)

        hand_made = tuple(
            key
            for key in adopted(host, keys, now, standing)
            if (at := key_zone(key, self.config.zones)) not in unread  # its record must be seen when it is taken on
            if at is not None or not self.state.knew(key.domain, key.selector)  # those of another batch
        )
        ours = {
            domain: current.get(domain, ())
            for view in views
            if not view.problem
            for domain in view.domains
            if home(domain, KEYS, self.config.zones) not in unread
        }
        public = self.keystore.public
        taken = mapped(ours, (*keys, *hand_made), now, public, standing)
        taken += strays(made_here(views, host_id), (*keys, *hand_made, *taken), now, public, standing)
        keys = (*overtaken(keys, taken, now, self.keystore.holds, standing), *taken)
        problems = {
            (key.domain, key.selector): self.keystore.problem(key)
            for key in keys
            if phase(key, Policy(), now) not in PAST
        }
        keys = (*keys, *hand_made)
        self.progress("asking the authoritative servers")
        look.once = Once(self.resolver)
        looks, unanswered = sights(keys, views, now, look.once, self.zones, self.config.zones)
        stopped = frozenset(request.subject for request in requests if request.kind == "freeze")
        beyond = Beyond(self.resolver, self.config.zones)
        # What a reading of the zone would show, too.
        beyond.ahead(domain for view in views if view.zone in noted for domain in view.domains)
        seen = Observed(
            now=now,
            host=host,
            zones=tuple(views),
            keys=keys,
            sights=looks,
            readable=frozenset((k.domain, k.selector) for k in keys if not problems.get((k.domain, k.selector))),
            map=current,
            beyond=beyond,
            policies=whole.policies,
            remembered=self._remembered(now, batch.domains if batch else None),
            confirmed=confirmed,
            closed=self._closed(views),
            configured=frozenset(self.config.zones),
            clock=clock,
            host_id=host_id,
            unknown=unknown(views, keys, host_id, self._known, confirmed),
            moved=identity.moved(self.config.keys, self.machine, host.hostname),
            frozen=stopped,
            reports=whole.reports(stopped),
            attended=attended,
            noted=noted,
            births=None if attended else self.births if look.births is None else look.births,
            earlier=look.earlier,
            notices=(
                *host.notices,
                *whole.homeless,
                *silent(unanswered),
                *_unusable(
                    {
                        key: told
                        for key in keys
                        if (told := problems.get((key.domain, key.selector))) and phase(key, Policy(), now) in SERVING
                    },
                    keys,
                    now,
                ),
            ),
        )
        return furthest_behind(self, seen, readings, kept)

    def plan(
        self, only: Sequence[str] = (), *, adopt: bool = False, attended: bool = True, dns_first: bool = False
    ) -> tuple[Observed, Decision]:
        """Observe and decide; changes nothing anywhere. `dns_first`: providers are asked only for zones that are not quiet."""
        return self.decided(Look(dns_first), only, adopt=adopt, attended=attended)

    def decided(
        self, look: Look, only: Sequence[str] = (), *, adopt: bool = False, attended: bool = True
    ) -> tuple[Observed, Decision]:
        """The same for the zones of a look's batch, or with an exim that was asked already."""
        seen = self.observe(only, adopt=adopt, attended=attended, look=look)
        got = decide(seen)
        goes_on = unread(self.state, seen.noted)
        if waking := loud(seen, got, look.once or self.resolver, goes_on) if seen.noted else frozenset():
            kept = {zone: view for zone, view in look.seen.items() if zone not in waking}
            again = replace(look, loud=waking, host=seen.host, seen=kept)
            seen = self.observe(only, adopt=adopt, attended=attended, look=again)
            got = decide(seen)
        return seen, got

    def _known(self, domain: str, selector: str) -> bool:
        """Whether a key of this name is, or was, one of this host's."""
        return self.keystore.holds(domain, selector) or self.state.knew(domain, selector)

    def clock(self, now: int, confirmed: bool) -> Verdict:
        """Whether the clock can be trusted, beside that of the last pass."""
        boot, boot_id = self.uptime() if self.uptime is not None else (float(now), "")
        season = self.state.longest_season()
        return judge(self.state.clock(), ClockReading(now, boot, boot_id), max(season, HOUR + MARGIN), confirmed)

    # --- exim -------------------------------------------------------------------------------------------------------

    def _host(self, current: Mapping[str, tuple[str, ...]]) -> Host:
        """Ask exim about every name that may be a mail domain, and about the addresses that would get reports."""
        return self.observe_host(self.names(current), mail_domains.recipients(self.config))

    def names(self, current: Mapping[str, tuple[str, ...]]) -> list[str]:
        """The names that may be mail domains, beside those that exim knows itself. `current`: the lines of its map."""
        return mail_domains.asked(self.config, {*current, *self.state.mail_domains()})

    def served(self) -> dict[str, tuple[str, ...]]:
        """The mail domains of each configured zone. Asks exim; raises `EximError`."""
        host = self._host(signing_map.read(self.config.exim.map))
        return mail_domains.served(self.config, [mail.name for mail in host.domains if mail.local])

    def _closed(self, views: Sequence[ZoneView]) -> dict[str, str]:
        """The domains whose new keys exim could not open, and why."""
        told = {
            domain: self.keystore.closed(domain) for view in views if not view.policy.parked for domain in view.domains
        }
        return {domain: why for domain, why in told.items() if why}

    def _remembered(self, now: int, domains: Collection[str] | None) -> dict[str, tuple[Address, ...]]:
        recent: dict[str, list[Address]] = {}
        for row in self.state.addresses(domains):
            if row.last_seen >= now - REMEMBER:
                recent.setdefault(row.domain, []).append(Address(row.ip, row.source, row.host_name))
        return {domain: tuple(addresses) for domain, addresses in recent.items()}

    # --- DNS --------------------------------------------------------------------------------------------------------

    def _cuts(self, views: Sequence[ZoneView]) -> list[ZoneView]:
        """The views, with which of them the zone above does not hand on (RFC 1034 §4.2.1), as that one's name servers say."""
        above = {view.zone: next(zones_above(view.zone, self.config.zones), "") for view in views}
        cuts = {Question(zone, "NS", parent): zone for zone, parent in above.items() if parent}
        answers = self.resolver.look(cuts) if cuts else {}
        bare = {cuts[question] for question, answer in answers.items() if answer.known and not answer.texts}
        return [replace(view, undelegated=above[view.zone]) if view.zone in bare else view for view in views]

    def _standing(self, domain: str, selector: str, views: Sequence[ZoneView]) -> str:
        """The text that stands in DNS for a hand-made key, "" where there is none or nobody knows."""
        full = dkim.record_name(selector, domain)
        for view in views:
            name = relative(full, view.zone)
            if name is None or view.zone != zone_of(full, self.config.zones):
                continue
            for found in view.found.values():
                if (name, "TXT") in found:
                    return found[(name, "TXT")].values[0].text
                if (name, "CNAME") in found:
                    return next(iter(self.resolver.texts(full, "TXT", view.zone) or ()), "")
        return ""


def _unusable(lost: Mapping[KeyPair, str], keys: Sequence[KeyPair], now: int) -> list[Notice]:
    """What to tell of keys that exim could not sign with."""
    spare = replaced(lost, keys, now)
    return [
        Notice("standby_lost", f"{key.domain}: {told} It was to stand by, and another key does now; nothing is to be done, this one goes by itself.")
        if key in spare
        else Notice("key_unusable", f"{key.domain}: {told} Mend that, or bring it back from a backup; else another key takes over once one is ready.")
        for key, told in lost.items()
    ]  # fmt: skip


def again(seen: Observed, made: Sequence[KeyPair]) -> Observed:
    """What was observed, with the keys that were made since: for deciding once more before anything is written."""
    readable = seen.readable | {(key.domain, key.selector) for key in made}
    return replace(seen, keys=(*seen.keys, *made), readable=readable)
