"""Mail exchangers as MX records name them (RFC 5321 §5.1), and the addresses of host names."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from dnssync.check.facts import Facts, Unanswered, sending, unanswered

LOCALHOST = ("localhost", "localhost.localdomain")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One MX record: `name` in lower case without its final dot, "" for the null MX (RFC 7505)."""

    preference: int
    name: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """The addresses of a name, in their shortest form and one order, since servers give them in any. `trouble`: why they may be not all, a sentence without its final dot, "" = they are
    all; `alias`: what it is a CNAME for, "" = it is none."""

    addresses: tuple[str, ...]
    trouble: str = ""
    alias: str = ""


def exchanges(facts: Facts, domain: str) -> tuple[Exchange, ...]:
    """The MX records of a domain, the preferred ones first, () where there are none. Raises `Unanswered`."""
    found = []
    for text in facts.texts(domain, "MX"):
        preference, _, name = text.partition(" ")
        found.append(Exchange(int(preference), folded(name)))
    return tuple(sorted(found, key=lambda exchange: (exchange.preference, exchange.name)))


def hosts(facts: Facts, domain: str) -> tuple[str, ...]:
    """The names of a domain's exchangers that a sender would look up: no null MX, no address, no localhost, none twice. Raises `Unanswered`."""
    names = (exchange.name for exchange in exchanges(facts, domain))
    return tuple(dict.fromkeys(n for n in names if n and n not in LOCALHOST and not is_address(n)))


def all_hosts(facts: Facts) -> tuple[str, ...]:
    """The exchangers of all mail domains that send, each once; those of a domain that nobody answers for are not among them."""
    names = sending(facts)
    for name in names:
        facts.ask(name, "MX")
    found: dict[str, None] = {}
    for name in names:
        try:
            found.update(dict.fromkeys(hosts(facts, name)))
        except Unanswered:
            continue
    return tuple(found)


def resolve(facts: Facts, name: str) -> Resolved:
    """What A and AAAA say of a host name."""
    answers = [facts.ask(name, kind) for kind in ("A", "AAAA")]
    found = [normal(text) for answer in answers if answer.known for text in answer.texts]
    return Resolved(
        tuple(sorted(set(found), key=order)),
        next((unanswered(answer) for answer in answers if not answer.known), ""),
        " → ".join(next((answer.aliases for answer in answers if answer.aliases), ())),
    )


def folded(name: str) -> str:
    """A host name in lower case, without its final dot."""
    return name.strip().lower().removesuffix(".")


def normal(ip: str) -> str:
    """An address in its shortest form; one of IPv4 that is written as IPv6 is one of IPv4."""
    address = ip_address(ip.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def order(ip: str) -> tuple[int, int]:
    """What addresses are sorted by: IPv4 first, each by its number."""
    address = ip_address(ip)
    return (address.version, int(address))


def is_address(name: str) -> bool:
    """Whether somebody wrote an IP address where a name belongs."""
    try:
        ip_address(name.strip("[]").lower().removeprefix("ipv6:"))
    except ValueError:
        return False
    return True
