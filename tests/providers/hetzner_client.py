"""What the tests of Hetzner Cloud begin with: a small zone, the provider before it, and changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import requests
from dnssync_providers.hetzner import Provider

from dnssync.core.model import Change, Kind, RRset, Value
from tests.hetzner import Hetzner
from tests.providers.conformance import ZONE, Step, changes

KEY = "v=DKIM1; k=rsa; p=" + "A" * 392
ROWS: list[tuple[str, str, int | None, list[str]]] = [
    ("@", "SOA", None, ["hydrogen.ns.hetzner.com. dns.hetzner.com. 1 86400 10800 3600000 3600"]),
    ("@", "MX", 3600, ["10 mx"]),
    ("@", "TXT", None, ['"v=spf1 mx -all"', '"site=1" "2"', '"v=spf10"']),
    ("mail", "TXT", 300, ['"theirs"']),
    ("old._domainkey", "TXT", 3600, ['"v=DKIM1; p=OLD"']),
    ("www", "CNAME", 3600, ["@"]),
]
# One change at the apex, two new records, one taken away: what a provider is measured by.
TODO: Step = {
    "@ TXT": ["v=spf1 mx a -all"],
    "_dmarc TXT": ["v=DMARC1; p=none"],
    "new._domainkey TXT": [KEY],
    "old._domainkey TXT": [],
}
APEX: Step = {"@ TXT": ["v=spf1 mx a -all"]}
OURS = {("", "TXT"): ["v=spf1 mx -all"], ("old._domainkey", "TXT"): ["v=DKIM1; p=OLD"]}
ACTIONS = f"/zones/{ZONE}/rrsets/@/TXT/actions"


def small() -> Iterator[Hetzner]:
    """The stand-in with a small zone, whose own TTL is 7200."""
    with Hetzner({ZONE: ROWS}) as running:
        running.zones[ZONE].ttl = 7200
        yield running


def client(hetzner: Hetzner, **options: Any) -> Provider:
    """The provider, with little patience and a clock that stands still."""
    still: dict[str, Any] = {"timeout": (5.0, 2.0), "sleep": lambda s: None, "now": lambda: 0.0}
    return Provider("hetzner", **{"token": hetzner.token, "endpoint": hetzner.endpoint, **still, **options})


def todo(provider: Provider, step: Step = TODO, ttl: int = 3600) -> list[Change]:
    """The changes from what is read to `step`."""
    return changes(provider, step, {key: list(texts) for key, texts in OURS.items()}, ttl)


def new(name: str, text: str, ttl: int = 3600, kind: str = "TXT") -> Change:
    """A new record."""
    return Change(Kind.CREATE, name, kind, None, RRset(name, kind, ttl, (Value(text, ""),)))


def texts(hetzner: Hetzner, name: str = "@") -> set[str]:
    """The texts at a name."""
    return {value.decode() for value in hetzner.values(ZONE).get((name, "TXT"), (0, frozenset()))[1]}


def ask(hetzner: Hetzner, method: str, path: str, body: Any = None, token: str = "") -> requests.Response:
    """A request past the provider."""
    headers = {"Authorization": f"Bearer {token or hetzner.token}"}
    return requests.request(method, hetzner.endpoint + path, json=body, headers=headers, timeout=5)
