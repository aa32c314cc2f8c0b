"""A world to check: zones on a real name server, what exim is taken to have told, and the findings over it.

    with World(tmp_path, {"example.org": "@ MX 10 mx.example.org.\nmx A 192.0.2.1\n"}) as world:
        world.findings("MX-01")      # → the findings of that check, over all of its subjects

Zones are served by BIND, the reverse ones too (`2.0.192.in-addr.arpa`), and also to what asks the system's resolver: nothing leaves loopback. `host`
is a `core.host.Host` (tests/zonetext.host), `have` answers wishes that need no name server; `sources` may carry a real exim.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dnssync.check.areas import every
from dnssync.check.facts import Domain, Facts, ZonePass
from dnssync.check.finding import Finding, Severity
from dnssync.check.gather import Sources, fetch
from dnssync.check.judging import judge
from dnssync.config import Config, ProviderConfig, ZoneConfig
from dnssync.core.decide import decide
from dnssync.core.host import Host
from dnssync.core.model import KeyPair, Limits, RRset, zone_of
from dnssync.core.observed import Observed, ZoneView
from dnssync.core.ownership import Ledger
from dnssync.core.policy import MailPolicy
from dnssync.core.sighting import Sight
from dnssync.exim.ask import Exim
from dnssync.resolver import Resolver
from tests.bind import HEAD, Bind
from tests.zonetext import host as told_host
from tests.zonetext import zone as parsed

NOW = 1_795_000_000


class World:
    """See the module. `domains`: the mail domains (default: each zone that is no reverse one and no `foreign` one); `parked`: those of them
    that never send; `foreign`: zones that dnssync does not look after; `keys`, `sights` as a pass sees them; `nameservers`: other servers for all
    configured zones than the one that is started (`None` starts none), `()` = those of the delegation, on `port`; `shown`: zones as their provider shows them where that is not
    what is served; `ledger`: what was written there; `system`: another resolver of the system than the server itself;
    `policies`: what is configured for a zone, where that is not the default."""

    def __init__(
        self,
        folder: Path,
        zones: Mapping[str, str],
        *,
        host: Host | None = None,
        domains: Sequence[str] | None = None,
        parked: Sequence[str] = (),
        foreign: Sequence[str] = (),
        keys: Sequence[KeyPair] = (),
        sights: Mapping[tuple[str, str], Sight] | None = None,
        have: Mapping[Any, Any] | None = None,
        sources: Mapping[str, Any] | None = None,
        exim: Exim | None = None,
        passes: Mapping[str, ZonePass] | None = None,
        observed: Mapping[str, Any] | None = None,
        facts: Mapping[str, Any] | None = None,
        extra: str = "",
        nameservers: Sequence[str] | None = None,
        shown: Mapping[str, str] | None = None,
        system: Sequence[str] | None = None,
        port: int = 53,
        ledger: Mapping[str, Ledger] | None = None,
        policies: Mapping[str, MailPolicy] | None = None,
    ) -> None:
        self.folder, self.zones = folder, dict(zones)
        self.configured = [z for z in zones if not z.endswith(".arpa") and z not in foreign]
        self._policies = dict(policies or {})
        self.parked, self.keys, self.sights = parked, tuple(keys), dict(sights or {})
        self.domains = tuple(self.configured if domains is None else domains)
        self.host = host or told_host(*self.domains, hostname="mx.example.org")
        self._have, self._more, self._exim = dict(have or {}), dict(sources or {}), exim
        self._passes, self._observed, self._facts = passes or {}, dict(observed or {}), dict(facts or {})
        self._named, self._shown, self._system, self.port, self._ledger = (
            nameservers,
            dict(shown or {}),
            system,
            port,
            dict(ledger or {}),
        )
        self.bind = Bind(folder / "bind", self.zones, extra=extra)

    def __enter__(self) -> World:
        self.bind.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.bind.__exit__()

    @property
    def servers(self) -> tuple[str, ...]:
        """The name servers of the configured zones."""
        return (self.bind.server,) if self._named is None else tuple(self._named)

    def resolver(self) -> Resolver:
        """One that knows no server but those of this world."""
        system = self._system or [self.bind.server]
        return Resolver(dict.fromkeys(self.configured, self.servers), system=system, timeout=2, port=self.port)

    def config(self) -> Config:
        """A configuration with these zones at a provider that nobody asks."""
        zones = {z: ZoneConfig(z, ("none",), None, self.servers, self._policy(z)) for z in self.configured}
        return Config(
            self.folder / "dnssync.yaml",
            {"none": ProviderConfig("none", "memory", {})},
            zones,
            keys=self.folder / "keys",
        )

    def _policy(self, zone: str) -> MailPolicy:
        return self._policies.get(zone, MailPolicy(parked=zone in self.parked))

    def facts(self) -> Facts:
        """What a pass would see and decide, the provider's reading taken from the zones' text."""
        views = tuple(
            ZoneView(zone, self._policy(zone), tuple(d for d in self.domains if zone_of(d, self.configured) == zone), Limits(),
                     found={"none": self._read(zone)}, ledger={"none": self._ledger.get(zone, {})}, negative_ttl=300, known_before=0)
            for zone in self.configured
        )  # fmt: skip
        seen = Observed(
            now=NOW, host=self.host, zones=views, keys=self.keys, sights=self.sights,
            readable=frozenset((k.domain, k.selector) for k in self.keys), map={}, beyond=lambda name, kind: (),
            policies={d: self._policy(zone_of(d, self.configured) or "") for d in self.domains},
            configured=frozenset(self.configured), host_id="mx1",
        )  # fmt: skip
        seen = replace(seen, **self._observed)
        domains = tuple(
            Domain(name, zone_of(name, self.configured) or "", self._policy(zone_of(name, self.configured) or ""), self.host.domain(name))
            for name in self.domains
        )  # fmt: skip
        fields: dict[str, Any] = {
            "now": NOW, "hostname": self.host.hostname, "domains": domains, "zones": tuple(self.configured),
            "configured": frozenset(self.configured), "have": lambda wish: None, "seen": seen, "decision": decide(seen),
            "passes": self._passes, **self._facts,
        }  # fmt: skip
        return Facts(**fields)

    def _read(self, zone: str) -> dict[tuple[str, str], RRset]:
        text = self._shown.get(zone, self.zones[zone])
        return parsed(text, zone, "" if re.search(r"\bSOA\s", text) else HEAD.format(zone=zone))

    def findings(self, *ids: str) -> list[Finding]:
        """The findings of these checks, well ones too."""
        wanted = [check for check in every() if check.id in ids]
        assert {check.id for check in wanted} == set(ids), "no such check"
        sources = Sources(self.config(), self.resolver(), self._exim or Exim(("/nonexistent/exim",)), **self._more)

        def look(wishes: Sequence[Any]) -> dict[Any, Any]:
            known = {wish: self._have[wish] for wish in wishes if wish in self._have}
            return {**known, **fetch(sources, [wish for wish in wishes if wish not in known])}

        return list(judge(self.facts(), wanted, look).findings)

    def said(self, id: str, subject: str | None = None) -> list[tuple[Severity, str]]:
        """(severity, message) of one check, of one subject where it is named."""
        return [(f.severity, f.message) for f in self.findings(id) if subject in (None, f.subject)]

    def severities(self, id: str, subject: str | None = None) -> list[str]:
        """The severities alone, as text."""
        return [str(severity) for severity, _ in self.said(id, subject)]
