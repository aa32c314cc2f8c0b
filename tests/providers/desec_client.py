"""What the tests of deSEC begin with: a small zone, the provider before it, and changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import requests
from dnssync_providers.desec import Provider

from dnssync.core.model import Change, Kind, RRset, Value
from tests.desec import Desec
from tests.providers.conformance import ZONE, Step, changes

KEY = "v=DKIM1; k=rsa; p=" + "A" * 392
ROWS = [
    ("@", "A", 3600, ["192.0.2.1"]),
    ("@", "NS", 3600, ["ns1.desec.io.", "ns2.desec.org."]),
    ("@", "TXT", 1800, ['"v=spf1 mx -all"', '"site=1" "2"', '"v=spf10"']),
    ("mail", "TXT", 3600, ['"theirs"']),
    ("old._domainkey", "TXT", 3600, ['"v=DKIM1; p=OLD"']),
    ("www", "CNAME", 3600, ["example.org."]),
]
# One change at the apex, two new records, one taken away: what a provider is measured by.
TODO: Step = {
    "@ TXT": ["v=spf1 mx a -all"],
    "_dmarc TXT": ["v=DMARC1; p=none"],
    "new._domainkey TXT": [KEY],
    "old._domainkey TXT": [],
}
OURS = {("", "TXT"): ["v=spf1 mx -all"], ("old._domainkey", "TXT"): ["v=DKIM1; p=OLD"]}


def small() -> Iterator[Desec]:
    """The stand-in with a small zone, and deSEC's own smallest TTL; the apex has a lower one, from before."""
    with Desec({ZONE: ROWS}, minimum_ttl=3600) as running:
        yield running


def client(desec: Desec, **options: Any) -> Provider:
    """The provider, with little patience and a clock that stands still."""
    still: dict[str, Any] = {"timeout": (5.0, 2.0), "sleep": lambda s: None, "now": lambda: 0.0}
    return Provider("desec", **{"token": desec.token, "endpoint": desec.endpoint, **still, **options})


def todo(provider: Provider, step: Step = TODO, ttl: int = 3600) -> list[Change]:
    """The changes from what is read to `step`."""
    return changes(provider, step, {key: list(texts) for key, texts in OURS.items()}, ttl)


def new(name: str, text: str, ttl: int = 3600, kind: str = "TXT") -> Change:
    """A new record."""
    return Change(Kind.CREATE, name, kind, None, RRset(name, kind, ttl, (Value(text, ""),)))


def bulk(desec: Desec, *items: Any, method: str = "PATCH", token: str = "") -> requests.Response:
    """A list of changes, past the provider."""
    headers = {"Authorization": f"Token {token or desec.token}"}
    return requests.request(
        method, f"{desec.endpoint}/domains/{ZONE}/rrsets/", json=list(items), headers=headers, timeout=5
    )
