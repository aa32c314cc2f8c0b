"""Our own provider before a real PowerDNS, with everything in the zone that PowerDNS can hold, disabled values and comments included."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from dnssync_providers import powerdns

from dnssync.core.model import Provider
from tests.between import Between
from tests.powerdns import PowerDns
from tests.powerdns_api import PowerDnsApi
from tests.providers.conformance import ZONE, Everything
from tests.providers.sites_behind import Behind
from tests.providers.sites_here import parted, short
from tests.providers.sites_http import AtStandIn, rows
from tests.zone_of_everything import DATA, master

# Types that PowerDNS 4.7 or dnspython, which fills the zone, does not know or spells otherwise.
WITHOUT = [
    "A6",
    "AMTRELAY",
    "ATMA",
    "AVC",
    "CDS",
    "CERT",
    "DNSKEY",
    "DOA",
    "EID",
    "GPOS",
    "HIP",
    "HTTPS",
    "ISDN",
    "LOC",
    "MB",
    "MG",
    "MINFO",
    "MR",
    "NIMLOC",
    "NINFO",
    "NSAP",
    "NSAP-PTR",
    "NXT",
    "PX",
    "RKEY",
    "RT",
    "SIG",
    "SINK",
    "SVCB",
    "TA",
    "TALINK",
    "TYPE10",
    "TYPE261",
    "TYPE262",
    "WKS",
    "X25",
    "ZONEMD",
]
DISABLED = {  # what stands there and is not served
    ("t-txt", "TXT"): ['"off; \\"kept\\""'],
    ("t-spf", "SPF"): ['"v=spf1 -all" "off"'],
    ("off", "TXT"): ['"one off"', '"two off"'],
}


def everything_for_powerdns(more: str) -> str:
    """The zone of everything as far as PowerDNS has the types."""
    found = (re.match(r"\S+ (?:\d+ )?IN (\S+) ", line) for line in master(ZONE).splitlines())
    lines = zip(master(ZONE).splitlines(), found, strict=True)
    return "\n".join(line for line, kind in lines if not kind or kind[1] not in WITHOUT) + "\n" + more


class AtPowerDnsApi(AtStandIn):
    """The provider before the stand-in for a server that knows of single values."""

    kind = "powerdns_single"
    plugin = powerdns.Provider

    def options(self) -> dict[str, Any]:
        """What it is made with."""
        return {"api_key": self.secret}

    def make(self, **options: Any) -> Provider:
        """The provider anew; it needs no clock."""
        given = {"endpoint": self.stand_in.endpoint, "sleep": lambda seconds: None}
        return powerdns.Provider(self.kind, **{**self.options(), **given, **options})


def at_powerdns_api(folder: Path, more: str) -> PowerDnsApi:
    """The stand-in with the zone of everything, a value of it disabled."""
    types = set(DATA) | {"A", "NS"}
    stand_in = PowerDnsApi({ZONE: rows(folder, more, types)})
    stand_in.entry(ZONE, "t-spf", "SPF").records.append(('"off"', True))
    return stand_in


class HalfDisabled(PowerDns):
    """PowerDNS with that zone, values of it disabled, and comments where the backend has any."""

    def __init__(self, folder: Path, more: str, backend: str) -> None:
        text = everything_for_powerdns(more)
        if backend == "lmdb":  # which is filled through the API, and that knows of no such names
            text = "".join(line for line in text.splitlines(True) if not line.startswith("a\\."))
        super().__init__(folder, {ZONE: text}, backend)

    def __enter__(self) -> HalfDisabled:
        super().__enter__()
        for (name, kind), contents in DISABLED.items():
            there = self.rrset(ZONE, name, kind)
            off = [{"content": content, "disabled": True} for content in contents]
            comments = (
                {"comments": [{"content": f"of {name}", "account": "somebody"}]} if self.backend != "lmdb" else {}
            )
            self.replace(ZONE, name, kind, there["ttl"], [*there["records"], *off], **comments)
        return self


class AtPowerDns(Behind):
    """The provider."""

    kind = "powerdns"

    secret = PowerDns.api_key

    def __init__(self, pdns: PowerDns, between: Between) -> None:
        self.pdns = pdns
        super().__init__(between)

    def make(self, **options: Any) -> Provider:
        """The provider anew."""
        given = {"host": "127.0.0.1", "port": self.between.port, "api_key": self.secret}
        return powerdns.Provider("theirs", **{**given, "sleep": lambda seconds: None, **options})

    def transferred(self) -> Everything:
        """The zone by AXFR."""
        return {(short(name), kind): both for (name, kind), both in self.pdns.transfer(ZONE).items()}

    def everything(self) -> Everything:
        """The same, and what is not served: disabled values and comments, as the API shows them."""
        found = self.transferred()
        for (name, kind), rrset in self.pdns.rrsets(ZONE).items():
            off = [record["content"] for record in rrset["records"] if record["disabled"]]
            comments = [str(sorted(comment.items())) for comment in rrset["comments"]]
            for what, values in (("disabled", off), ("comment", comments)):
                if values:
                    found[short(name), f"{kind} {what}"] = (0, frozenset(value.encode() for value in values))
        return found

    def stranger(self, line: str) -> None:
        """Somebody else uses the API, as carefully as we do."""
        sign, name, rest = parted(line)
        kind = rest[0] if sign == "-" else rest[1]
        there = self.pdns.rrset(ZONE, name, kind)
        if sign == "-":
            left = [record for record in there["records"] if record["disabled"]]
            self.pdns.replace(ZONE, name, kind, there["ttl"], left)
        else:
            served = [record for record in there["records"] if not record["disabled"]]
            ttl = there["ttl"] if served else int(rest[0])
            self.pdns.replace(ZONE, name, kind, ttl, [*there["records"], {"content": rest[2], "disabled": False}])
