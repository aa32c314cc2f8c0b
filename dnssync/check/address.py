"""The addresses of this host's full name, and those that its mail leaves from.

Which addresses are this host's: those that its mail leaves from, and the public ones of its interfaces. A host behind NAT has no public one on
an interface; there, what DNS says of its full name is taken at its word.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, ip_address, ip_network

from dnssync.check.exchanges import Resolved, all_hosts, folded, hosts, normal, order, resolve
from dnssync.check.facts import Facts, Unanswered, Wish, host, zone_line, zones
from dnssync.check.finding import MOOT, Verdict, error, info, unknown, warning
from dnssync.check.judging import Check
from dnssync.core.host import Host

_INNER = tuple(
    ip_network(net)
    for net in ("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16",
                "224.0.0.0/3", "::/127", "fc00::/7", "fe80::/9", "ff00::/8")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Attached:
    """`addresses`: all that this host's interfaces have. `named`: the lines of /etc/hosts, an address and its names each."""

    addresses: tuple[str, ...]
    named: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Interfaces(Wish[Attached]):
    """What addresses this host has, and what it calls them itself."""


@dataclass(frozen=True, slots=True)
class Own:
    """The public addresses of this host. `natted`: the address families (4, 6) in which it may have others, which no interface shows;
    `trouble`: why what DNS says of the full name, which counts there, is not known, "" = it is or does not count."""

    addresses: frozenset[str]
    natted: frozenset[int]
    trouble: str = ""

    def foreign(self, ip: str) -> bool:
        """Whether an address is known not to be this host's."""
        return ip not in self.addresses and _family(ip) not in self.natted


def is_public(ip: str) -> bool:
    """Whether the Internet may see such an address. Documentation addresses count as public, as they do for `addresses`: who has one is
    somebody's test bed."""
    address = ip_address(ip)
    return not any(address in net for net in _INNER if net.version == address.version)


def own(facts: Facts) -> Own:
    """Which public addresses this host has. Raises `Unanswered` where neither exim nor an interface told one."""
    resolved = resolve(facts, facts.hostname)
    told = _leaving(_ByIdentity(facts.seen.host)) if facts.seen is not None else frozenset()
    try:
        attached = frozenset(map(normal, facts.find(Interfaces()).addresses))
    except Unanswered:
        if not told:
            raise
        return Own(told, frozenset({4, 6}), resolved.trouble)
    known = told | {ip for ip in attached if is_public(ip)}
    nowhere = not any(is_public(ip) for ip in attached)
    natted = frozenset(f for f in (4, 6) if _hidden(attached, f) or nowhere)
    named = {ip for ip in resolved.addresses if is_public(ip) and _family(ip) in natted}
    return Own(
        frozenset(known | {ip for ip in named if not any(_family(k) == _family(ip) for k in known)}),
        natted,
        resolved.trouble if natted else "",
    )


def leaving(facts: Facts) -> tuple[str, ...]:
    """The public addresses that any mail leaves this host from, sorted; () where all of it leaves through smarthosts. Raises `Unanswered`
    where that is not known."""
    found = _leaving(_ByIdentity(facts.host))
    if not found:
        for mail in facts.host.domains:
            for problem in mail.problems:
                raise Unanswered(problem.sentence.rstrip("."))
    return tuple(sorted(found, key=order))


def _hidden(attached: frozenset[str], family: int) -> bool:
    """Whether the interfaces have inner addresses alone in a family, and not only loopback and link-local ones, which lead nowhere."""
    of = [ip for ip in attached if _family(ip) == family]
    usable = [ip for ip in of if not ip_address(ip).is_loopback and not ip_address(ip).is_link_local]
    return bool(usable) and not any(is_public(ip) for ip in usable)


class _ByIdentity:
    """A host that is the same as itself alone, so that nobody hashes ten thousand domains to look something up for one."""

    __slots__ = ("host",)

    def __init__(self, host: Host) -> None:
        self.host = host

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByIdentity) and self.host is other.host

    def __hash__(self) -> int:
        return id(self.host)


@lru_cache(maxsize=2)
def _leaving(held: _ByIdentity) -> frozenset[str]:
    return frozenset(normal(ip) for ip in {address.ip for mail in held.host.domains for address in mail.addresses})


def _family(ip: str) -> int:
    return 4 if isinstance(ip_address(ip), IPv4Address) else 6


def kind_of(ip: str) -> str:
    """The type of the record that holds such an address."""
    return "A" if _family(ip) == 4 else "AAAA"


# --- the checks ---------------------------------------------------------------------------------------------------------


def full_name(facts: Facts, hostname: str) -> Iterator[Verdict]:
    """A-01: what the host's full name resolves to, in DNS and on the host itself."""
    name = folded(hostname)
    if "." not in name:
        yield error(
            f"This host calls itself {hostname}, which is no full name: nobody can look it up.",
            "Set `primary_hostname` in exim's configuration, or the host's name, to one that DNS has.",
        )
        return
    resolved = resolve(facts, name)
    try:
        ours = own(facts)
    except Unanswered as why:
        ours = None
        yield unknown(f"Whether {name} has this host's addresses cannot be told: {why}.")
    records = [zone_line(name, kind_of(ip), ip) for ip in sorted(ours.addresses, key=order)] if ours else []
    remedy = f"Publish: {'; '.join(records)}" if records else f"Publish the host's public address: {name}. IN A ADDRESS"
    if not resolved.addresses and not resolved.trouble:
        yield error(f"{name}, this host's full name, has no address in DNS.", remedy)
    yield from _name_addresses(name, resolved, ours, remedy)
    if resolved.trouble:
        yield unknown(f"{resolved.trouble}.")
    yield from _in_hosts(facts, name)


def _name_addresses(name: str, resolved: Resolved, ours: Own | None, remedy: str) -> Iterator[Verdict]:
    for ip in resolved.addresses:
        if not is_public(ip):
            yield error(
                f"{name}, this host's full name, has the {'loopback' if ip_address(ip).is_loopback else 'private'} address {ip} in DNS, "
                "which leads nowhere on the Internet.",
                f"Remove {zone_line(name, kind_of(ip), ip)}, unless the name servers show the world something else than this host.",
            )
        elif ours is not None and ip not in ours.addresses:
            known = ", ".join(sorted(ours.addresses, key=order)) or "none is known"
            if ours.foreign(ip):
                yield error(
                    f"{name}, this host's full name, has the address {ip} in DNS, which is not this host's ({known}).",
                    remedy,
                )
            else:
                yield unknown(
                    f"{name} has the address {ip} in DNS. Whether it is this host's cannot be told: its public addresses stand on no interface, "
                    f"and mail leaves from others ({known}).",
                    f"If it is not, {remedy[0].lower()}{remedy[1:]}",
                )


def _in_hosts(facts: Facts, name: str) -> Iterator[Verdict]:
    """What /etc/hosts makes of the full name; where it could not be read, nothing is said of it."""
    try:
        named = facts.find(Interfaces()).named
    except Unanswered:
        return
    inner = [ip for ip, names in named if name in map(folded, names) and ip_address(ip).is_loopback]
    right = [ip for ip, names in named if name in map(folded, names) and not ip_address(ip).is_loopback]
    if inner and not right:
        yield warning(
            f"/etc/hosts gives {name}, this host's full name, the loopback address {inner[0]}: programs here that look it up do not find "
            "what the world finds.",
            f"In /etc/hosts, put {name} on a line with the host's own address, or leave the line out where DNS answers.",
        )


def _sixes(facts: Facts) -> tuple[str, ...]:
    """Whom A-02 is about: this host, the zones, and the exchangers."""
    return (*host(facts), *zones(facts), *all_hosts(facts))


def reachable_over_ipv6(facts: Facts, subject: str) -> Iterator[Verdict]:
    """A-02: an AAAA for each IPv6 address that mail leaves from; name servers and exchangers that have one."""
    if subject == facts.hostname:
        yield from _own_sixes(facts, folded(subject))
        return
    apex = subject in facts.configured
    names = _servers(facts, subject) if apex else ()
    itself = not apex or subject in hosts(facts, subject)
    for name in (*names, subject):
        facts.ask(name, "AAAA")
    if names and not any(facts.ask(name, "AAAA").texts for name in names):
        for name in names:
            facts.texts(name, "AAAA")
        yield info(
            f"No name server of {subject} has an IPv6 address ({', '.join(names)}): who has only IPv6 cannot look it up.",
            "Ask the DNS provider for name servers with IPv6.",
        )
    if itself and not facts.texts(subject, "AAAA"):
        yield info(
            f"{subject}, a mail exchanger, has no AAAA record: senders that have only IPv6 do not reach it.",
            f"Where the host has an IPv6 address: {subject}. IN AAAA ADDRESS",
        )
    elif not names and not itself:
        yield MOOT


def _servers(facts: Facts, zone: str) -> tuple[str, ...]:
    """The names of a zone's servers; a zone apart below a name (`_domainkey`) counts like any other."""
    return tuple(sorted(map(folded, facts.texts(zone, "NS"))))


def _own_sixes(facts: Facts, name: str) -> Iterator[Verdict]:
    facts.ask(name, "AAAA")
    ours = leaving(facts)
    published = {normal(text) for text in facts.texts(name, "AAAA")} if "." in name else set()
    lacking = [ip for ip in ours if _family(ip) == 6 and ip not in published]
    for ip in lacking:
        yield warning(
            f"Mail leaves from {ip}, but {name}, this host's full name, has no AAAA record for it: a receiver that looks up the greeting "
            "finds another address than it talks to.",
            f"Publish: {zone_line(name, 'AAAA', ip)}",
        )
    if not lacking and not published:
        yield info(f"{name} has no IPv6 address: who has only IPv6 does not reach this host.")


CHECKS: tuple[Check, ...] = (
    Check("A-01", "The host's full name has the host's public addresses.", host, full_name),
    Check("A-02", "It can be reached over IPv6.", _sixes, reachable_over_ipv6),
)
