"""The table of docs/providers.md, measured: what each provider does for one change at the apex, two new record sets and one that goes.

    python -m tests.providers.table          # writes it into docs/providers.md; `make table` does that

What can be seen is looked at: requests are counted, and whether a write speaks of others' values is read off the wire. Whether all
changes are done at once, the table of faults proves (tests/providers/conformance_faults.py).
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import dns.message
import dns.tsigkeyring
import dns.update

from tests.between import DNS
from tests.bind import Bind
from tests.providers.conformance import Key, Step, changes
from tests.providers.conformance_faults import WHOLE
from tests.providers.sites import KINDS, SERVERS, Site, alone
from tests.providers.sites_behind import Behind
from tests.providers.sites_http import AtStandIn

PAGE = Path(__file__).parents[2] / "docs/providers.md"
BEGIN, END = "<!-- measured: make table -->\n", "<!-- end of what is measured -->\n"
HEAD = (
    "| provider | how | all changes at once | type SPF (99) | single values | requests of a plan, of an apply | proven against |\n"
    "|---|---|---|---|---|---|---|\n"
)
# How each provider speaks with the other side, and the kinds of the tables that are this provider, with what stands behind each.
HOW: dict[str, tuple[str, dict[str, str]]] = {
    "gandi": ("HTTPS, a request a record set", {"gandi": "a stand-in"}),
    "ovh": ("HTTPS, a request a record", {"ovh": "a stand-in"}),
    "cloudflare": ("HTTPS, a batch of records", {"cloudflare": "a stand-in"}),
    "desec": ("HTTPS, one list of record sets", {"desec": "a stand-in"}),
    "hetzner": ("HTTPS, actions on record sets", {"hetzner": "a stand-in"}),
    "powerdns": (
        "HTTP API, one PATCH",
        {
            "powerdns": "PowerDNS on SQLite",
            "powerdns_lmdb": "PowerDNS on LMDB",
            "powerdns_single": "a stand-in with EXTEND and PRUNE",
        },
    ),
    "rfc2136": ("dynamic update, zone transfer", {"rfc2136": "named", "knot": "Knot"}),
    "zonefile": ("a master file, one rename", {"zonefile": "named-compilezone"}),
    "memory": ("this process", {"memory": "a dictionary"}),
}
BY_HAND = "| manual | a person, a web form | no | if `type99: true` | – | 0, 0 | a person, told what to enter (tests/e2e/test_by_hand.py) |\n"
BEFORE: Step = {"@ TXT": ["v=spf1 mx -all"], "old._domainkey TXT": ["v=DKIM1; p=AAAA"]}
AFTER: Step = {
    "@ TXT": ["v=spf1 mx a -all"], "new._domainkey TXT": ["v=DKIM1; p=BBBB"], "_dmarc TXT": ["v=DMARC1; p=none"],
    "old._domainkey TXT": [],
}  # fmt: skip
THEIRS = "site-verification"  # in a value of somebody else's, beside ours at the apex


def measured(site: Site) -> tuple[str, str, str]:
    """Of a provider before a zone of everything: whether it takes type SPF ("yes", "no"); whether a write speaks of single values ("yes", "no", "–" where
    nothing goes over a wire); and how many requests a plan and an apply took."""
    site.provider = still(site)
    ours: dict[Key, list[str]] = {}
    site.write(site.provider, changes(site.provider, BEFORE, ours, 3600))
    start = len(wire(site))
    site.provider = still(site)
    todo = changes(site.provider, AFTER, ours, 3600)
    read = len(wire(site))
    type99 = "yes" if site.provider.limits.type99 and "SPF" in site.provider.limits.types else "no"
    site.write(site.provider, todo)
    written = wire(site)[read:]
    if not isinstance(site, (AtStandIn, Behind)):
        return type99, "–", "–"
    return type99, "no" if any(THEIRS in text for text in written) else "yes", f"{read - start}, {len(written)}"


def still(site: Site) -> Any:
    """The provider anew, with a clock that stands still where it has one: nothing grows old between plan and apply."""
    try:
        return site.make(now=lambda: 0.0)
    except TypeError:
        return site.make()


def wire(site: Site) -> list[str]:
    """What was sent so far, a text a request; of an update, the part that says what is to change."""
    if isinstance(site, AtStandIn):
        return [f"{each.method} {each.path} {each.raw.decode()}" for each in site.stand_in.requests]
    if not isinstance(site, Behind):
        return []
    spoken = _update if site.between.protocol is DNS else bytes.decode
    return [spoken(each) for each in site.between.requests]


def _update(request: bytes) -> str:
    """A DNS message over TCP."""
    keys = dns.tsigkeyring.from_text({Bind.key_name: Bind.secret})
    message = dns.message.from_wire(request[2:], keyring=keys, multi=True)
    return " ".join(rrset.to_text() for rrset in getattr(message, "update", ()))


def rows() -> Iterator[str]:
    """The table's rows; a provider that stands behind several servers must come to the same with each."""
    for name, (how, kinds) in HOW.items():
        found = {}
        for kind, what in kinds.items():
            with tempfile.TemporaryDirectory() as folder, alone(kind, Path(folder)) as site:
                found[what] = measured(site)
        type99, single, requests = (_joined({what: row[at] for what, row in found.items()}) for at in range(3))
        whole = "yes" if {*kinds} <= WHOLE else "no"
        proven = ", ".join(f"{'real ' if kind in SERVERS else ''}{what}" for kind, what in kinds.items())
        yield f"| {name} | {how} | {whole} | {type99} | {single} | {requests} | {proven} |\n"
    yield BY_HAND


def _joined(said: dict[str, str]) -> str:
    """What was seen, once where it was the same with every server, else with each."""
    seen: dict[str, list[str]] = {}
    for what, one in said.items():
        seen.setdefault(one, []).append(what)
    return one if len(seen) == 1 else "; ".join(f"{one} ({', '.join(whats)})" for one, whats in seen.items())


def table() -> str:
    """The table as it stands in the page."""
    assert {point.name for point in entry_points(group="dnssync.providers")} == {*HOW, "manual"}
    assert all(kind in KINDS for _, kinds in HOW.values() for kind in kinds)
    return HEAD + "".join(rows())


def told() -> str:
    """The table that the page has."""
    return re.findall(f"(?s){re.escape(BEGIN)}(.*?){re.escape(END)}", PAGE.read_text())[0]


if __name__ == "__main__":
    text = PAGE.read_text()
    PAGE.write_text(text.replace(BEGIN + told() + END, BEGIN + table() + END))
