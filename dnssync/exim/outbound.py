"""The public addresses that a host's mail leaves from, each with the way it is known.

In this order: what the configuration of dnssync says; exim's `interface`; the address that the kernel would use. Where
that one is private, the host stands behind NAT, and the public one is what the authoritative servers say of its name.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dnssync.core.host import Address
from dnssync.core.model import Notice, Refusal
from dnssync.exim.lists import split

Lookup = Callable[[str, str], tuple[str, ...] | None]
_FAR_AWAY = {4: "198.51.100.1", 6: "2001:db8::1"}  # RFC 5737, RFC 3849: nobody is there, and no packet is sent
_TEMPORARY, _DEPRECATED = 0x01, 0x20  # IFA_F_TEMPORARY, IFA_F_DEPRECATED of linux/if_addr.h
_SHARED = ipaddress.ip_network("100.64.0.0/10")  # RFC 6598


@dataclass(frozen=True, slots=True)
class Sources:
    """Where addresses are learned from: the kernel's choice for a family (4 or 6), None without a route; which IPv6
    addresses of this host are temporary; and DNS, None where nobody answers."""

    hostname: str
    source_address: Callable[[int], str | None]
    passing: frozenset[str]
    lookup: Lookup
    ipv6: bool = True


@dataclass(frozen=True, slots=True)
class Outbound:
    """The addresses, and what is wrong with them."""

    addresses: tuple[Address, ...] = ()
    problems: tuple[Refusal, ...] = ()
    notices: tuple[Notice, ...] = ()


def source_address(family: int) -> str | None:
    """The address that the kernel would send from to the world; no packet leaves. None where it has no route."""
    kind = socket.AF_INET6 if family == 6 else socket.AF_INET
    try:
        with socket.socket(kind, socket.SOCK_DGRAM) as sock:
            sock.connect((_FAR_AWAY[family], 25))
            return str(sock.getsockname()[0]).partition("%")[0]
    except OSError:
        return None


def passing_addresses(read: Callable[[], str] = Path("/proc/net/if_inet6").read_text) -> frozenset[str]:
    """This host's IPv6 addresses that will not stay: temporary (RFC 8981) or deprecated ones. Empty off Linux."""
    try:
        lines = read().splitlines()
    except OSError:
        return frozenset()
    found = set()
    for line in lines:
        fields = line.split()
        if len(fields) >= 6 and int(fields[4], 16) & (_TEMPORARY | _DEPRECATED):
            found.add(str(ipaddress.IPv6Address(int(fields[0], 16))))
    return frozenset(found)


def explicit(addresses: Iterable[str]) -> Outbound:
    """The addresses that dnssync's own configuration names: they are taken at their word."""
    told = (str(ipaddress.ip_address(text)) for text in addresses)
    return Outbound(tuple(Address(ip, "`addresses:` in the configuration") for ip in told))


def outbound(interfaces: Sequence[str], sources: Sources) -> Outbound:
    """The addresses of mail whose transports bind to `interfaces` (exim lists, expanded; "" = none is set).

    exim binds to the first address of the list in the destination's family, and where there is none the kernel
    chooses (exim specification, smtp transport, `interface`).
    """
    found: dict[str, Address] = {}
    problems: list[Refusal] = []
    notices: list[Notice] = []
    for family in (4, 6) if sources.ipv6 else (4,):
        for text in dict.fromkeys(interfaces):
            bound = [item for item in split(text) if _family(item) == family]
            ip = bound[0] if bound else sources.source_address(family)
            how = "exim's `interface`" if bound else "the kernel's source address"
            if ip is None or _version_of(ip).is_loopback or _version_of(ip).is_link_local:
                continue
            if _private(ip):
                _behind_nat(ip, family, sources, found, problems, notices)
            else:
                found.setdefault(ip, Address(ip, how, temporary=ip in sources.passing))
    problems.extend(_temporary(address) for address in found.values() if address.temporary)
    if not found and not problems:
        problems.append(
            Refusal(
                "no_address",
                "no public address is known that mail leaves from: exim binds to none and the kernel has no route to "
                "the Internet. Set `addresses:` in the configuration, or REMOTE_SMTP_INTERFACE in exim's.",
            )
        )
    return Outbound(tuple(found.values()), tuple(problems), tuple(notices))


def _behind_nat(
    ip: str,
    family: int,
    sources: Sources,
    found: dict[str, Address],
    problems: list[Refusal],
    notices: list[Notice],
) -> None:
    """A private source: the public one is what DNS says of this host's name, published by that name."""
    kind = "AAAA" if family == 6 else "A"
    told = sources.lookup(sources.hostname, kind)
    public = [text for text in told or () if not _private(text) and not _version_of(text).is_loopback]
    for text in public:
        address = str(ipaddress.ip_address(text))
        how = f"{kind} of {sources.hostname}, as the host stands behind NAT ({ip})"
        found.setdefault(address, Address(address, how, host=sources.hostname))
    if public:
        return
    why = "nobody answers for it" if told is None else f"DNS has no public {kind} for it"
    if family == 6:  # a unique local address is no way to the world: mail leaves over IPv4 alone
        notices.append(
            Notice(
                "ipv6_private",
                f"the IPv6 source address of this host is private ({ip}), and {sources.hostname} has no public one "
                f"({why}); mail is taken to leave over IPv4 alone.",
            )
        )
        return
    problems.append(
        Refusal(
            "nat_address_unknown",
            f"this host sends from the private address {ip}, so it stands behind NAT, and its public address is not "
            f"known: {sources.hostname} was looked up and {why}. Publish {kind} for it, or set `addresses:` in the "
            "configuration.",
        )
    )


def _temporary(address: Address) -> Refusal:
    return Refusal(
        "temporary_ipv6",
        f"mail leaves from the temporary IPv6 address {address.ip}, which will be another one tomorrow (RFC 8981), so "
        "no SPF record can name it. Bind exim to a lasting address (REMOTE_SMTP_INTERFACE), or switch temporary "
        "addresses off (net.ipv6.conf.all.use_tempaddr=0), or publish the whole network with "
        "`spf: {extra: ['ip6:PREFIX/64']}` and name the lasting addresses under `addresses:`.",
    )


def _version_of(ip: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(ip.partition("%")[0])


def _family(text: str) -> int:
    try:
        return ipaddress.ip_address(text).version
    except ValueError:
        return 0


def _private(ip: str) -> bool:
    """Addresses that the Internet never sees: RFC 1918, RFC 6598, unique local ones (RFC 4193).

    Reserved documentation addresses are not counted: a host that has one is somebody's test bed, and is taken as it is.
    """
    address = _version_of(ip)
    if isinstance(address, ipaddress.IPv4Address):
        nets = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
        return address in _SHARED or any(address in ipaddress.ip_network(net) for net in nets)
    return address in ipaddress.ip_network("fc00::/7")
