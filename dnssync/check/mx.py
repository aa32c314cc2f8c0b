"""MX records (RFC 5321 §5.1, RFC 7505): where mail for a domain is to be sent.

What is about a mail exchanger (it is an alias, it has no address) is said once, of that host, however many domains name it. A domain that
exim does not take mail for may have its exchangers anywhere; only what breaks mail to it, bounces too, is told then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dnssync.check.exchanges import LOCALHOST, Exchange, all_hosts, exchanges, folded, hosts, is_address, resolve
from dnssync.check.facts import Facts, Unanswered, sending, zone_line
from dnssync.check.finding import MOOT, Verdict, error, info, unknown, warning
from dnssync.check.judging import Check
from dnssync.check.own import Own, is_public, kind_of, own, own_names


def _received(facts: Facts, domain: str) -> bool:
    """Whether exim here takes the domain's mail. Raises `Unanswered`."""
    return facts.mail(domain).local


def _is_host(facts: Facts, domain: str) -> bool:
    """Whether it is this host's own name, which needs no MX: mail for it comes here by its address (RFC 5321 §5.1)."""
    return domain in own_names(facts)


def _should_be(facts: Facts, domain: str) -> str:
    """The MX record to publish: this host where exim takes the domain's mail; else it would be refused here."""
    mail = facts.seen.host.domain(domain) if facts.seen is not None else None
    if mail is not None and not mail.local:
        return (
            f"Publish the MX that takes mail for {domain}: exim here does not, so it cannot be this host. Where the domain never sends, set "
            "`parked: true`."
        )
    names = own_names(facts)
    if not names:
        return "Give this host a full name (A-01), and name that as the domain's MX."
    return f"Publish: {zone_line(domain, 'MX', f'10 {names[0]}.')}"


def target(facts: Facts, domain: str) -> Iterator[Verdict]:
    """MX-01: senders find the way to this host, by its full name."""
    found = exchanges(facts, domain)
    if not found:
        yield from _no_way(facts, domain)
        return
    if not _received(facts, domain) or any(not exchange.name for exchange in found):
        yield MOOT
        return
    names = hosts(facts, domain)
    first = [exchange.name for exchange in found if exchange.preference == found[0].preference]
    if set(own_names(facts)) & set(first):
        return
    for name in names:
        resolve(facts, name)
    ours = own(facts)
    yield from _elsewhere(facts, domain, found, [name for name in names if _here(facts, name, ours)], first, ours)


def _here(facts: Facts, name: str, ours: Own) -> bool:
    """Whether an exchanger is this host, by its name or by one of its addresses."""
    return name in own_names(facts) or bool(ours.addresses & set(resolve(facts, name).addresses))


def _elsewhere(
    facts: Facts, domain: str, found: Sequence[Exchange], here: Sequence[str], first: Sequence[str], ours: Own
) -> Iterator[Verdict]:
    listed = ", ".join(f"{exchange.preference} {exchange.name}" for exchange in found)
    name = next(iter(own_names(facts)), facts.hostname)
    remedy = _should_be(facts, domain)
    if not here and _is_host(facts, domain):
        yield info(
            f"Mail for {domain}, this host's own name, goes to {listed}; what is written to it on this host stays here."
        )
    elif not here:
        troubles = [resolve(facts, host).trouble for host in hosts(facts, domain)]
        trouble = next(filter(None, [ours.trouble, *troubles]), "")
        if trouble:
            yield unknown(f"Whether an MX of {domain} ({listed}) is this host cannot be told: {trouble}.")
            return
        yield error(
            f"No MX of {domain} is this host, {name}: mail for it goes to {listed}, while exim here takes the domain for its own.",
            f"{remedy.removesuffix('.')}. Where another host takes the mail and hands it on to this one, leave it; where the domain's mail belongs elsewhere, "
            "take the domain out of exim's local domains.",
        )
    elif not set(here) & set(first):
        yield info(  # as it should be on the second of two hosts that share their mail
            f"The preferred MX of {domain} is another host: senders try {', '.join(first)} before {', '.join(here)}, which is this one, while "
            "exim here takes the domain for its own.",
            "Give this host the lowest number, unless the other hands the mail on to it.",
        )
    elif own_names(facts):
        yield warning(
            f"The MX of {domain} is {', '.join(n for n in first if n in here)}, which has this host's address, but is not its full name {name}, "
            "which it greets with.",
            remedy,
        )


def _no_way(facts: Facts, domain: str) -> Iterator[Verdict]:
    """Without MX, mail goes to the address of the name itself; where it has none, nowhere."""
    resolved = resolve(facts, domain)
    if resolved.trouble and not resolved.addresses:
        raise Unanswered(resolved.trouble)
    if resolved.addresses or _quiet(facts, domain):
        yield MOOT  # MX-03 tells of it
        return
    yield error(
        f"{domain} has no MX record and no address: mail for it, bounces too, cannot be delivered, and many receivers refuse mail from it.",
        f"Publish its address (A-01): mail for {domain} then comes by that."
        if _is_host(facts, domain)
        else _should_be(facts, domain),
    )


def _quiet(facts: Facts, domain: str) -> bool:
    """Whether it is the name of a host that sends through smarthosts alone, and which nobody outside sees."""
    mail = facts.seen.host.domain(domain) if facts.seen is not None else None
    return _is_host(facts, domain) and mail is not None and bool(mail.smarthosts) and not mail.addresses


def null(facts: Facts, domain: str) -> Iterator[Verdict]:
    """MX-02: a null MX says that there is no mail here (RFC 7505)."""
    found = exchanges(facts, domain)
    others = [exchange for exchange in found if exchange.name]
    if len(others) == len(found):
        if not found:
            yield MOOT
        return
    if not others and _quiet(facts, domain):
        yield MOOT
        return
    line = zone_line(domain, "MX", f"{next(e.preference for e in found if not e.name)} .")
    if others:
        yield error(
            f"{domain} has a null MX beside other MX records ({', '.join(e.name for e in others)}): a domain takes mail or it does not, and "
            "senders are free to give up.",
            f"Remove: {line}",
        )
        return
    mail = facts.seen.host.domain(domain) if facts.seen is not None else None
    takes = "exim here takes mail for it" if mail is not None and mail.local else "mail is sent from it"
    yield error(
        f"{domain} has a null MX, which says that it takes no mail, but {takes}. Nobody can write or answer to it, and receivers may refuse "
        "what is sent from it.",
        f"{_should_be(facts, domain)}, in place of {line}, or set `parked: true` for a domain that never sends."
        if mail is None or mail.local
        else f"Publish an MX that takes its bounces, in place of {line}, or set `parked: true` for a domain that never sends.",
    )


def implicit(facts: Facts, domain: str) -> Iterator[Verdict]:
    """MX-03: no MX, so that its own address stands in for one (RFC 5321 §5.1)."""
    if exchanges(facts, domain):
        return
    resolved = resolve(facts, domain)
    if resolved.trouble and not resolved.addresses:
        raise Unanswered(resolved.trouble)
    if not resolved.addresses or _is_host(facts, domain):
        yield MOOT  # none at all: MX-01; the host's own name needs none
        return
    yield warning(
        f"{domain} has no MX record: mail for it goes to its own address ({', '.join(resolved.addresses)}), and some senders and spam filters "
        "mind.",
        _should_be(facts, domain),
    )


# --- what is wrong with an exchanger --------------------------------------------------------------------------------------


def _a_domain(facts: Facts, name: str) -> bool:
    """Whether it is a mail domain, too."""
    if facts.seen is not None and facts.seen.host.domain(name) is not None:
        return True
    return facts.seen is None and facts.has(name)


def _apart(facts: Facts, name: str) -> bool:
    """Whether an exchanger is a subject of its own: all but those that are mail domains, which are judged at the domains that name them.
    This host is always one."""
    return name == folded(facts.hostname) or not _a_domain(facts, name)


def _both(facts: Facts) -> tuple[str, ...]:
    """The mail domains that send, and the exchangers that are none of them."""
    return (*sending(facts), *(name for name in all_hosts(facts) if _apart(facts, name)))


def odd(facts: Facts, subject: str) -> Iterator[Verdict]:
    """MX-04: targets that are no host name, or an alias; a target that is named twice."""
    own_name = folded(facts.hostname)
    if not _a_domain(facts, subject) or subject == own_name:
        yield from _alias(facts, subject)
    if not _a_domain(facts, subject):
        return
    found = exchanges(facts, subject)
    if not found and subject != own_name:
        yield MOOT
    for name in dict.fromkeys(exchange.name for exchange in found):
        numbers = [str(exchange.preference) for exchange in found if exchange.name == name]
        if is_address(name):
            yield error(
                f"The MX of {subject} is the IP address {name}: an MX names a host, and senders look this up as a name and find nothing.",
                _should_be(facts, subject),
            )
        elif name in LOCALHOST:
            yield warning(
                f"An MX of {subject} is {name}: whoever sends there talks to himself.",
                f"Remove: {zone_line(subject, 'MX', f'{numbers[0]} {name}.')}",
            )
        elif name and len(numbers) > 1:
            yield warning(
                f"{subject} names {name} as its MX {len(numbers)} times (preferences {', '.join(numbers)}): senders try one host twice.",
                f"Keep one: {zone_line(subject, 'MX', f'{numbers[0]} {name}.')}",
            )
        if name and not _apart(facts, name):
            yield from _alias(facts, name)


def _alias(facts: Facts, name: str) -> Iterator[Verdict]:
    resolved = resolve(facts, name)
    if resolved.alias:
        yield error(
            f"{name}, the target of an MX, is a CNAME (for {resolved.alias}): an MX names a host by the name that has its addresses "
            "(RFC 2181 §10.3), and some senders give up here.",
            f"Give {name} addresses of its own (A, AAAA) in place of the CNAME, or let the MX name {resolved.alias.rpartition(' ')[2]}.",
        )
    elif resolved.trouble:
        yield unknown(f"{resolved.trouble}.")


def addressed(facts: Facts, name: str) -> Iterator[Verdict]:
    """MX-05: an exchanger has addresses, and if it is this host, no others than this host's."""
    resolved = resolve(facts, name)
    if not resolved.addresses and not resolved.trouble:
        labels = name.split(".")
        doubled = any(labels[-n:] == labels[-2 * n : -n] for n in range(2, len(labels) // 2 + 1))
        yield error(
            f"{name}, a mail exchanger, has no address (neither A nor AAAA)."
            + (" Is the final dot missing behind its name in the zone?" if doubled else ""),
            "Publish an A record for it, or take it out of the MX records.",
        )
        return
    for ip in resolved.addresses:
        if not is_public(ip):
            yield error(
                f"{name}, a mail exchanger, has the address {ip}, which nobody on the Internet reaches.",
                f"Remove {zone_line(name, kind_of(ip), ip)}, unless the name servers show the world something else than this host.",
            )
    ours = own(facts)
    public = [ip for ip in resolved.addresses if is_public(ip)]
    strange = [ip for ip in public if ours.foreign(ip)]
    if name not in own_names(facts) and not ours.addresses & set(public):
        if not resolved.trouble:
            yield MOOT  # another host
            return
    elif strange and name in own_names(facts):
        yield error(
            f"{name}, a mail exchanger and a name of this host, has addresses that are not this host's: {', '.join(strange)}. Mail that goes "
            "there does not come here.",
            "Remove: " + "; ".join(zone_line(name, kind_of(ip), ip) for ip in strange),
        )
    elif strange:
        yield info(
            f"{name}, a mail exchanger, has this host's address and others: {', '.join(strange)}. That is well if hosts of yours take mail there."
        )
    if resolved.trouble:
        yield unknown(f"{resolved.trouble}.")


def alone(facts: Facts, domain: str) -> Iterator[Verdict]:
    """MX-06: what happens to the domain's mail while its one exchanger is down."""
    names = hosts(facts, domain)
    if not names or not _received(facts, domain):
        yield MOOT
    elif len(names) == 1:
        yield info(
            f"{domain} has one mail exchanger, {names[0]}: while that is down, mail waits at its senders, most often for some days."
        )


CHECKS: tuple[Check, ...] = (
    Check("MX-01", "Its MX is this host, by its full name.", sending, target),
    Check("MX-02", "No null MX.", sending, null),
    Check("MX-03", "It has an MX record.", sending, implicit),
    Check("MX-04", "Its MX records name hosts, each once and by no alias.", _both, odd),
    Check("MX-05", "It has addresses, and those of this host alone if it is this host.", all_hosts, addressed),
    Check("MX-06", "It has more than one mail exchanger.", sending, alone),
)
