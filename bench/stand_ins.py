"""Where `providers.py` looks at both sides at a stand-in: the case's zone, with what others noted at their records there."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from bench.places import SHOP, Notes, Place, theirs
from bench.sides import ROWS, THEIRS, ZONE
from tests.cloudflare import Cloudflare
from tests.desec import Desec
from tests.gandi import Gandi
from tests.gaps import Moment
from tests.hetzner import Hetzner
from tests.http_faults import Fault
from tests.ovh import Ovh
from tests.stand_in import StandIn, Values

WRITES = "POST|PUT|PATCH|DELETE"


class AtStandIn(Place):
    """Before a stand-in. A client waits as its maker meant it to."""

    stand_in: Any

    def make(self) -> StandIn:
        """The stand-in with the case."""
        raise NotImplementedError

    def dress(self) -> None:
        """What others note at their records."""

    def start(self, stack: contextlib.ExitStack) -> None:
        self.stand_in = stack.enter_context(self.make())
        self.dress()

    def asked(self) -> list[bool]:
        return [request.method != "GET" for request in self.stand_in.requests]

    def spoil(self, latency: float, failing: int | None = None) -> None:
        slow = Fault(latency=latency, times=10**6 if latency else 0)
        failed = Fault(WRITES, skip=failing or 0, times=int(failing is not None), answer=self.stand_in.erred())
        self.stand_in.faults = [failed, slow]

    def values(self) -> Values:
        found: Values = self.stand_in.values(ZONE)
        return found

    def moments(self) -> Sequence[Moment]:
        found: Sequence[Moment] = self.stand_in.history[ZONE]
        return found


class AtGandi(AtStandIn):
    """Gandi. It has no notes."""

    plugin = "octodns-gandi"

    def make(self) -> StandIn:
        return Gandi({ZONE: ROWS}, gapless=False)

    def ours(self) -> Any:
        from dnssync_providers.gandi import Provider

        return Provider("gandi", token=self.stand_in.token, endpoint=self.stand_in.endpoint, **self.quick())

    def theirs(self) -> Any:
        from octodns_gandi import GandiProvider

        provider = GandiProvider("gandi", self.stand_in.token)
        provider._client.endpoint = self.stand_in.endpoint
        return provider


class AtCloudflare(AtStandIn):
    """Cloudflare: comments, tags, proxied and automatic TTLs belong to single records."""

    plugin = "octodns-cloudflare"

    def make(self) -> StandIn:
        return Cloudflare({ZONE: ROWS}, gapless=False)

    def dress(self) -> None:
        fields = {THEIRS[0]: {"comment": SHOP, "tags": ("team:shop",)}, THEIRS[1]: {"ttl": 1}}
        for entry in self.stand_in.records(ZONE, "@", "TXT"):
            self.stand_in.change(ZONE, entry, **fields.get(entry.octets.decode(), {}))
        [host] = self.stand_in.records(ZONE, "host0", "A")
        self.stand_in.change(ZONE, host, ttl=1, proxied=True, comment=SHOP)

    def notes(self) -> Notes:
        found: Notes = {}
        for name, kind in {row[:2] for row in ROWS if theirs(*row[:2])}:
            for entry in self.stand_in.records(ZONE, name, kind):
                text = entry.octets.decode()
                if (name, kind) == ("@", "TXT") and text not in THEIRS:
                    continue
                noted = {"TTL": "automatic" if entry.ttl == 1 else str(entry.ttl), "comment": entry.comment,
                         "tags": " ".join(entry.tags), "proxied": "yes" if entry.proxied else ""}  # fmt: skip
                found |= {(what, f"{name} {kind} {text}"): how for what, how in noted.items() if how}
        return found

    def ours(self) -> Any:
        from dnssync_providers.cloudflare import Provider

        return Provider("cloudflare", token=self.stand_in.token, endpoint=self.stand_in.endpoint, **self.quick())

    def theirs(self) -> Any:
        from octodns_cloudflare import CloudflareProvider

        # Page rules are no DNS, and the stand-in has none.
        return CloudflareProvider(
            "cloudflare", token=self.stand_in.token, api_url=self.stand_in.endpoint, pagerules=False
        )


class AtDesec(AtStandIn):
    """deSEC. It has no notes."""

    plugin = "octodns-desec"

    def make(self) -> StandIn:
        return Desec({ZONE: ROWS}, gapless=False)

    def ours(self) -> Any:
        from dnssync_providers.desec import Provider

        return Provider("desec", token=self.stand_in.token, endpoint=self.stand_in.endpoint, **self.quick())

    def theirs(self) -> Any:
        from octodns_desec import DesecAPI, DesecProvider

        DesecAPI.API_DOMAINS_URL = f"{self.stand_in.endpoint}/domains"  # which it asks the class for, not its client
        return DesecProvider("desec", self.stand_in.token)


class Served(Ovh):
    """The stand-in for OVHcloud, looked at as the world sees it: nothing is served before a refresh."""

    def values(self, zone: str) -> Values:
        return self.served(zone)


class AtOvh(AtStandIn):
    """OVHcloud. It has no notes, but TTLs of single records, which may be the zone's."""

    plugin = "octodns-ovh"

    def make(self) -> StandIn:
        return Served({ZONE: ROWS}, gapless=False)

    def dress(self) -> None:
        [entry] = [e for e in self.stand_in.records(ZONE, "@") if e.octets == THEIRS[1].encode()]
        self.stand_in.change(ZONE, entry, ttl=0)

    def values(self) -> Values:
        """What is written, and will be served by whoever asks for the next refresh."""
        return Ovh.values(self.stand_in, ZONE)

    def notes(self) -> Notes:
        return {
            ("TTL", f"{e.key[0]} {e.key[1]} {e.octets.decode()}"): "the zone's" if e.ttl == 0 else str(e.ttl)
            for e in self.stand_in.zones[ZONE].entries.values()
            if theirs(*e.key) and (e.key != ("@", "TXT") or e.octets.decode() in THEIRS)
        }

    def ours(self) -> Any:
        from dnssync_providers.ovh import Provider

        return Provider("ovh", endpoint=self.stand_in.endpoint, **self.stand_in.keys, **self.quick())

    def theirs(self) -> Any:
        import ovh.client
        from octodns_ovh import OvhProvider

        ovh.client.ENDPOINTS["here"] = self.stand_in.endpoint  # the vendor's client takes names alone
        return OvhProvider("ovh", "here", **self.stand_in.keys)


class AtHetzner(AtStandIn):
    """Hetzner Cloud: comments belong to values, labels and a TTL that is the zone's to RRsets."""

    plugin = "octodns-hetzner"

    def make(self) -> StandIn:
        return Hetzner({ZONE: ROWS}, gapless=False)

    def dress(self) -> None:
        entries = self.stand_in.zones[ZONE].entries
        entries["@", "TXT"].records[f'"{THEIRS[0]}"'] = SHOP
        entries["@", "TXT"].labels["team"] = "shop"
        entries["host0", "A"].ttl, entries["host0", "A"].labels["team"] = None, "shop"

    def notes(self) -> Notes:
        found: Notes = {}
        for (name, kind), entry in self.stand_in.zones[ZONE].entries.items():
            if not theirs(name, kind):
                continue
            where = f"{name} {kind}"
            found["TTL", where] = "the zone's" if entry.ttl is None else str(entry.ttl)
            found |= {("label", f"{where} {label}"): value for label, value in entry.labels.items()}
            found |= {("comment", f"{where} {value}"): comment for value, comment in entry.records.items() if comment}
        return found

    def ours(self) -> Any:
        from dnssync_providers.hetzner import Provider

        return Provider("hetzner", token=self.stand_in.token, endpoint=self.stand_in.endpoint, **self.quick())

    def theirs(self) -> Any:
        import hcloud
        from octodns_hetzner import HetznerProvider

        provider = HetznerProvider("hetzner", self.stand_in.token, backend="hcloud")
        client = hcloud.Client(token=self.stand_in.token, api_endpoint=self.stand_in.endpoint)
        provider._client._hcloud, provider._client._zones = client, client.zones
        return provider
