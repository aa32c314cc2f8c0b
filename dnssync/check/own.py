"""Which names and public addresses are this host's.

Its addresses: those that its mail leaves from, and the public ones of its interfaces. A host behind NAT has no public one on an interface;
there, what DNS says of its names is taken at its word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, ip_address, ip_network

from dnssync.check.exchanges import folded, is_address, normal, order, resolve
from dnssync.check.facts import Facts, Unanswered, Wish, helos
from dnssync.core.host import Host

_INNER = tuple(
    ip_network(net)
    for net in ("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16",
                "224.0.0.0/3", "::/127", "fc00::/7", "fe80::/9", "ff00::/8")
)  # fmt: skip


# Names that DNS has for nobody, or not for the world: RFC 6761, 6762, 8375, ICANN's `internal`, and what Debian and routers make up.
_INNER_NAME = re.compile(r"\.(localdomain|localhost|local|invalid|internal|home\.arpa|home|lan|intranet|corp)\Z")


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
    `trouble`: why what DNS says of its names, which counts there, is not known, "" = it is or does not count."""

    addresses: frozenset[str]
    natted: frozenset[int]
    trouble: str = ""

    def foreign(self, ip: str) -> bool:
        """Whether an address is known not to be this host's."""
        return ip not in self.addresses and family(ip) not in self.natted


def is_public(ip: str) -> bool:
    """Whether the Internet may see such an address. Documentation addresses count as public, as they do for `addresses`: who has one is
    somebody's test bed."""
    address = ip_address(ip)
    return not any(address in net for net in _INNER if net.version == address.version)


def own(facts: Facts) -> Own:
    """Which public addresses this host has. Raises `Unanswered` where neither exim nor an interface told one."""
    found = [resolve(facts, name) for name in own_names(facts)]
    trouble = next((resolved.trouble for resolved in found if resolved.trouble), "")
    told = _leaving(_ByIdentity(facts.seen.host)) if facts.seen is not None else frozenset()
    try:
        attached = frozenset(map(normal, facts.find(Interfaces()).addresses))
    except Unanswered:
        if not told:
            raise
        return Own(told, frozenset({4, 6}), trouble)
    known = told | {ip for ip in attached if is_public(ip)}
    nowhere = not any(is_public(ip) for ip in attached)
    natted = frozenset(f for f in (4, 6) if _hidden(attached, f) or nowhere)
    named = {ip for resolved in found for ip in resolved.addresses if is_public(ip) and family(ip) in natted}
    return Own(
        frozenset(known | {ip for ip in named if not any(family(k) == family(ip) for k in known)}),
        natted,
        trouble if natted else "",
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


def _hidden(attached: frozenset[str], of: int) -> bool:
    """Whether the interfaces have inner addresses alone in a family, and not only loopback and link-local ones, which lead nowhere."""
    usable = [
        ip
        for ip in attached
        if family(ip) == of and not ip_address(ip).is_loopback and not ip_address(ip).is_link_local
    ]
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


def family(ip: str) -> int:
    """4 or 6."""
    return 4 if isinstance(ip_address(ip), IPv4Address) else 6


def kind_of(ip: str) -> str:
    """The type of the record that holds such an address."""
    return "A" if family(ip) == 4 else "AAAA"


# --- its names ----------------------------------------------------------------------------------------------------------


def own_names(facts: Facts) -> tuple[str, ...]:
    """The names that the world knows this host by, folded: its full name and its greetings; the one that records should have first: the full
    name where exim greets with it. What is no full name (`is_full`) is not among them."""
    full, greetings = folded(facts.hostname), sorted(map(folded, helos(facts)))
    found = (full, *greetings) if full in greetings or not greetings else (*greetings, full)
    return tuple(dict.fromkeys(filter(is_full, found)))


def is_full(name: str) -> bool:
    """Whether it is a name that the world can look up: with a dot, no address in brackets, and below no name that is kept for inner use."""
    return "." in name and not is_address(name) and not _INNER_NAME.search(name)


def greets(facts: Facts) -> bool:
    """Whether exim greets with the full name; it is taken to where that is not known."""
    return folded(facts.hostname) in map(folded, helos(facts)) or not (facts.seen and facts.seen.host.helo)


def seen_outside(facts: Facts) -> bool:
    """Whether anybody outside meets this host: mail leaves it directly, or it takes the mail of another domain than its own name. A satellite
    is met by its smarthost alone. Where that is not known, it is taken for seen."""
    try:
        if leaving(facts):
            return True
    except Unanswered:
        return True
    names = own_names(facts)
    mails = [domain.mail for domain in facts.domains if domain.name not in names]
    return any(mail is not None and mail.local for mail in mails)
