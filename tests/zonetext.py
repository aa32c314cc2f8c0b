"""Zone-file text in, plan text out: the form in which the tests of the pure core speak."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import dns.rdatatype
import dns.zone

from dnssync.core.host import Address, Host, MailDomain, Signer, Transport
from dnssync.core.model import Change, RRset, Value, absolute

ORIGIN = "example.org"
HEAD = "@ 3600 IN SOA ns1 hostmaster 1 3600 600 604800 300\n@ 3600 IN NS ns1.elsewhere.test.\n"


def zone(text: str, origin: str = ORIGIN, head: str = HEAD) -> dict[tuple[str, str], RRset]:
    """The RRsets of a master file (SOA and NS are added), by (name, type)."""
    parsed = dns.zone.from_text(head + text, origin=origin + ".", relativize=False, check_origin=False)
    rrsets = {}
    for name, rdataset in parsed.iterate_rdatasets():
        relative = name.relativize(parsed.origin).to_text().lower().removesuffix("@")
        kind = dns.rdatatype.to_text(rdataset.rdtype)
        values = []
        for rdata in rdataset:
            raw = rdata.to_text()
            strings = getattr(rdata, "strings", None)
            text_ = b"".join(strings).decode("utf-8", "surrogateescape") if strings is not None else raw
            values.append(Value(text_, raw))
        rrsets[(relative, kind)] = RRset(relative, kind, rdataset.ttl, tuple(values))
    return rrsets


def show(changes: Iterable[Change], origin: str = ORIGIN) -> str:
    """Changes as lines: `+ name ttl type text`, `- …`, `= …` for a value that stays in a touched RRset."""
    lines = []
    for change in changes:
        old = change.old.values if change.old else ()
        new = change.new.values if change.new else ()
        name = absolute(change.name, origin)
        for value in old:
            sign = "=" if value in new else "-"
            lines.append(f"{sign} {name} {change.old.ttl if change.old else 0} {change.type} {value.text}")
        for value in new:
            if value not in old:
                lines.append(f"+ {name} {change.new.ttl if change.new else 0} {change.type} {value.text}")
    return "\n".join(lines)


def remote_smtp(domain: str, *selectors: str, uses_map: bool = True) -> Transport:
    """Debian's remote_smtp as the probe would see it, signing with the selectors through our map."""
    signers = tuple(
        Signer(domain, selector, f"/keys/{selector}.pem", "rsa2048", f"p{selector}") for selector in selectors
    )
    return Transport("remote_smtp", takes_macros=True, uses_map=uses_map, expires=604800, signers=signers)


def host(*names: str, ip: str = "192.0.2.1", hostname: str = "mx.example.net", **changes: object) -> Host:
    """A host that sends the mail of the named domains from one address and signs through our macros."""
    domains = tuple(
        MailDomain(
            name,
            addresses=(Address(ip, "interface of remote_smtp"),),
            transports=(remote_smtp(name),),
            accepts=frozenset({f"postmaster@{name}"}),
        )
        for name in names
    )
    fields: dict[str, object] = {
        "hostname": hostname,
        "version": "4.98",
        "config_file": "/exim.conf",
        "helo": (hostname,),
        "domains": domains,
        **changes,
    }
    return Host(**fields)  # type: ignore[arg-type]


def silent(name: str, kind: str) -> tuple[str, ...] | None:
    """A DNS that answers nothing."""
    return None


def told(answers: Mapping[tuple[str, str], tuple[str, ...]]):
    """A DNS that knows these answers, and that nothing else exists."""
    return lambda name, kind: answers.get((name, kind), ())
