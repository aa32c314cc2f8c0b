"""Which SPF terms this host needs for a domain: from where its mail leaves to `mx a ip4:192.0.2.1` (RFC 7208 §5)."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from dataclasses import dataclass

from dnssync.core import relays
from dnssync.core.host import Address, Host, MailDomain
from dnssync.core.model import Notice, Owner, Refusal, relative
from dnssync.core.ownership import Ledger
from dnssync.core.policy import SpfPolicy
from dnssync.core.zone_view import Dns


@dataclass(frozen=True, slots=True)
class SpfWish:
    """What the terms of one domain depend on; `remembered` are addresses it had within the last seven days."""

    domain: str
    mail: MailDomain
    policy: SpfPolicy
    remembered: tuple[Address, ...]
    dns: Dns
    zone: str


@dataclass(frozen=True, slots=True)
class Terms:
    """Our terms in order, as SPF text each, why they are as they are, and what to tell."""

    terms: tuple[str, ...]
    because: str
    notices: tuple[Notice, ...] = ()
    refusals: tuple[Refusal, ...] = ()


def own_terms(wish: SpfWish) -> Terms:
    """The terms that pass this host's mail for the domain.

    The set of addresses widens at once and narrows late: what was seen lately stays. A look-up that nobody answers
    never drops a term.
    """
    mail, domain = wish.mail, wish.domain
    notices: list[Notice] = []
    refusals: list[Refusal] = []
    addresses = tuple(dict.fromkeys((*mail.addresses, *wish.remembered)))
    terms: list[str] = []
    for mechanism in wish.policy.mechanisms:
        if mechanism == "addresses":
            terms.extend(_address_terms(addresses))
        elif _matches(mechanism, domain, addresses, wish.dns):
            terms.append(mechanism)
        elif addresses:
            notices.append(
                Notice(f"spf_{mechanism}_left_out", f"{domain}: `{mechanism}` is left out of its SPF record: "
                       + _why_not(mechanism, domain, addresses, wish.dns))
            )  # fmt: skip
    for relay in mail.smarthosts:
        include = relays.include_for(relay)
        if include is not None:
            terms.append(f"include:{include}")
        elif not any(term.startswith(("include:", "ip4:", "ip6:", "a:", "exists:")) for term in wish.policy.extra):
            refusals.append(
                Refusal("unknown_relay", f"{domain}: its mail leaves through the smarthost {relay}, and what SPF has to say for "
                        f"it is not known. Ask its operator which term to publish and set it for zone {wish.zone}: "
                        "spf: {extra: ['include:…']}")
            )  # fmt: skip
    terms.extend(wish.policy.extra)
    if not terms and not refusals:
        refusals.append(
            Refusal("no_sender", f"{domain}: exim has this domain, but no address is known that its mail leaves from. Set "
                    "`addresses:`, or `parked: true` if it never sends mail.")
        )  # fmt: skip
    sources = dict.fromkeys(f"{address.ip} ({address.source})" for address in mail.addresses)
    because = "mail leaves from " + ", ".join([*sources, *(f"smarthost {relay}" for relay in mail.smarthosts)])
    return Terms(tuple(dict.fromkeys(terms)), because, tuple(notices), tuple(refusals))


def sender_ips(mail: MailDomain) -> tuple[str, ...]:
    """The addresses that the domain's SPF record has to pass."""
    return tuple(dict.fromkeys(address.ip for address in mail.addresses))


def helo_names(zone: str, host: Host, others: Collection[str], ledger: Ledger) -> tuple[str, ...]:
    """The names of this zone whose SPF record is there for exim's greeting alone, and for nobody's mail.

    Not so, beside `others`: a mail domain that exim has and the zone's `domains` leave out, and one that the ledger holds
    more than an SPF record for. Its record passes that domain's mail, and the terms of a greeting would narrow it.
    """
    spared = {applied.domain for (_, _, owner), applied in ledger.items() if owner is not Owner.SPF} | set(others)
    return tuple(
        name
        for name in host.helo
        if "." in name and relative(name, zone) is not None and name not in spared
        if (mail := host.domain(name)) is None or not mail.local
    )


def helo_ips(host: Host) -> tuple[str, ...]:
    """The addresses that a greeting's SPF record has to pass: all that mail leaves this host from."""
    return tuple(dict.fromkeys(address.ip for domain in host.domains for address in domain.addresses))


def helo_terms(name: str, host: Host, dns: Dns) -> tuple[str, ...]:
    """The terms for a name that exim greets with: `a` where its A/AAAA are exactly where mail leaves from."""
    addresses = tuple(dict.fromkeys(address for domain in host.domains for address in domain.addresses))
    published = _addresses(name, dns)
    if published is None or (addresses and all(_norm(address.ip) in published for address in addresses)):
        return ("a",)
    return tuple(_address_terms(addresses))


def _address_terms(addresses: tuple[Address, ...]) -> list[str]:
    terms = []
    for address in addresses:
        kind = "ip6" if ":" in address.ip else "ip4"
        terms.append(f"a:{address.host}" if address.host else f"{kind}:{_norm(address.ip)}")
    return list(dict.fromkeys(terms))


def _norm(ip: str) -> str:
    return str(ipaddress.ip_address(ip))


def _addresses(name: str, dns: Dns) -> frozenset[str] | None:
    """Every A and AAAA of a name; None where nobody answers."""
    both = [dns(name, "A"), dns(name, "AAAA")]
    texts = [text for answer in both if answer is not None for text in answer]
    if not texts and None in both:
        return None
    return frozenset(_norm(text) for text in texts)


def _matches(mechanism: str, domain: str, addresses: tuple[Address, ...], dns: Dns) -> bool:
    """Whether `mx` or `a` would match an address of this host. Unknown counts as yes: silence drops no term."""
    ours = {_norm(address.ip) for address in addresses}
    if mechanism == "a":
        found = _addresses(domain, dns)
        return found is None or bool(found & ours)
    exchanges = dns(domain, "MX")
    if exchanges is None:
        return True
    for exchange in exchanges:
        found = _addresses(exchange.split()[-1].rstrip(".").lower(), dns)
        if found is None or found & ours:
            return bool(ours)
    return False


def _why_not(mechanism: str, domain: str, addresses: tuple[Address, ...], dns: Dns) -> str:
    ours = ", ".join(address.ip for address in addresses)
    if mechanism == "a":
        found = ", ".join(sorted(_addresses(domain, dns) or ())) or "no address"
        return f"the name has {found}, mail leaves from {ours}."
    exchanges = ", ".join(text.split()[-1] for text in dns(domain, "MX") or ()) or "no MX record"
    return f"its mail exchangers ({exchanges}) do not have an address that mail leaves from ({ours})."
