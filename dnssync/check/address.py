"""The addresses of this host's full name, in DNS and on the host itself, and what can be reached over IPv6."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import ip_address

from dnssync.check.exchanges import Resolved, all_hosts, folded, hosts, normal, order, resolve
from dnssync.check.facts import Facts, Unanswered, host, zone_line, zones
from dnssync.check.finding import MOOT, Verdict, error, info, unknown, warning
from dnssync.check.judging import Check
from dnssync.check.own import (
    Interfaces,
    Own,
    family,
    greets,
    is_full,
    is_public,
    kind_of,
    leaving,
    own,
    own_names,
    seen_outside,
)
from dnssync.core.model import zone_of


def full_name(facts: Facts, hostname: str) -> Iterator[Verdict]:
    """A-01: what the host's full name resolves to, in DNS and on the host itself. A name that exim greets nobody with harms less."""
    name = folded(hostname)
    facts.observed()  # without exim, the name is the system's, which exim may have for its own or not
    wrong = error if greets(facts) else warning
    if not seen_outside(facts):
        yield MOOT
        return
    if not is_full(name):
        yield wrong(
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
        yield wrong(f"{name}, this host's full name, has no address in DNS.", remedy)
    yield from _name_addresses(name, resolved, ours, remedy, wrong)
    if resolved.trouble:
        yield unknown(f"{resolved.trouble}.")
    yield from _in_hosts(facts, name)


def _name_addresses(
    name: str, resolved: Resolved, ours: Own | None, remedy: str, wrong: Callable[[str, str], Verdict]
) -> Iterator[Verdict]:
    for ip in resolved.addresses:
        if not is_public(ip):
            yield wrong(
                f"{name}, this host's full name, has the {'loopback' if ip_address(ip).is_loopback else 'private'} address {ip} in DNS, "
                "which leads nowhere on the Internet.",
                f"Remove {zone_line(name, kind_of(ip), ip)}, unless the name servers show the world something else than this host.",
            )
        elif ours is not None and ip not in ours.addresses:
            known = ", ".join(sorted(ours.addresses, key=order)) or "none is known"
            if ours.foreign(ip):
                yield wrong(
                    f"{name}, this host's full name, has the address {ip} in DNS, which is not this host's ({known}).",
                    f"{remedy}. If that address is led here by translation, name it under `addresses:` in the configuration.",
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
        yield from _own_sixes(facts)
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
            f"Where the host has an IPv6 address: {subject}. IN AAAA ADDRESS"
            if zone_of(subject, facts.configured)
            else "",
        )
    elif not names and not itself:
        yield MOOT


def _servers(facts: Facts, zone: str) -> tuple[str, ...]:
    """The names of a zone's servers; a zone apart below a name (`_domainkey`) counts like any other."""
    return tuple(sorted(map(folded, facts.texts(zone, "NS"))))


def _own_sixes(facts: Facts) -> Iterator[Verdict]:
    names = own_names(facts)
    if not names or not seen_outside(facts):
        yield MOOT
        return
    for name in names:
        facts.ask(name, "AAAA")
    ours = leaving(facts)
    published = {normal(text) for name in names for text in facts.texts(name, "AAAA")}
    lacking = [ip for ip in ours if family(ip) == 6 and ip not in published]
    for ip in lacking:
        yield warning(
            f"Mail leaves from {ip}, but {names[0]}, which exim greets with, has no AAAA record for it: a receiver that looks up the greeting "
            "finds another address than it talks to.",
            f"Publish: {zone_line(names[0], 'AAAA', ip)}",
        )
    if not lacking and not published:
        yield info(f"{names[0]} has no IPv6 address: who has only IPv6 does not reach this host.")


CHECKS: tuple[Check, ...] = (
    Check("A-01", "The host's full name has the host's public addresses.", host, full_name),
    Check("A-02", "It can be reached over IPv6.", _sixes, reachable_over_ipv6),
)
