"""What the addresses that mail leaves from are called (PTR), and whether that name leads back (RFC 8601 §3: iprev)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, ip_address

from dnssync.check.exchanges import folded, normal
from dnssync.check.facts import Facts, Unanswered, addresses, helos, unanswered, zone_line
from dnssync.check.finding import MOOT, Verdict, error, unknown, warning
from dnssync.check.judging import Check
from dnssync.check.own import own_names
from dnssync.core.model import zone_of
from dnssync.core.sighting import Answer

MAX_NAMES = 10  # no receiver looks at more (RFC 7208 §4.6.4)
_DYNAMIC = re.compile(
    r"(?:dyn|dynamic|dynip|dyn-?ip|dynamic-?ip|[avsx]?dsl|x?dsl-?pool|dhcp|dial-?up|dialin|dial-?in|dial-?pool|ppp|pppoe|pool|ippool|ip-?pool)"
    r"(?:-?[0-9][0-9a-f-]*)?"
)


def _names(facts: Facts, ip: str) -> tuple[str, ...]:
    """The names of an address, those that this host goes by first. Raises `Unanswered`."""
    found = map(folded, facts.texts(ip_address(ip).reverse_pointer, "PTR"))
    names = dict.fromkeys(name for name in found if name)  # the root, `.`, is no name of a host
    own = own_names(facts)
    return tuple(sorted(names, key=lambda name: (name not in own, name)))


def _place(answer: Answer) -> str:
    """Where the PTR record has to stand: behind the CNAME of a delegation in the manner of RFC 2317, where there is one."""
    return (answer.aliases or (answer.question.name,))[-1]


def _remedy(facts: Facts, ip: str) -> str:
    """The record, and who can make it."""
    place = _place(facts.ask(ip_address(ip).reverse_pointer, "PTR"))
    line = zone_line(place, "PTR", f"{next(iter(own_names(facts)), 'FULL-NAME')}.")
    if zone_of(place, facts.configured) is not None:
        return f"Publish: {line}"
    return f"Have it set by whoever gives you the address (the hosting or access provider; most have a form for it): {line}"


def named(facts: Facts, ip: str) -> Iterator[Verdict]:
    """PTR-01: the address has a name."""
    if not _names(facts, ip):
        yield error(
            f"{ip}, which mail leaves from, has no name in reverse DNS (no PTR record): the big receivers refuse its mail or take it for spam.",
            _remedy(facts, ip),
        )


def _confirmed(facts: Facts, ip: str) -> tuple[list[str], list[Answer]]:
    """The names of an address that lead back to it, and the questions about the others that nobody answered."""
    names = _names(facts, ip)[:MAX_NAMES]
    answers = [facts.ask(name, "A" if isinstance(ip_address(ip), IPv4Address) else "AAAA") for name in names]
    good = [
        name
        for name, answer in zip(names, answers, strict=True)
        if answer.known and normal(ip) in map(normal, answer.texts)
    ]
    return good, [answer for answer in answers if not answer.known]


def leads_back(facts: Facts, ip: str) -> Iterator[Verdict]:
    """PTR-02: one of its names has the address; receivers ask for no more."""
    names = _names(facts, ip)
    good, silent = _confirmed(facts, ip)
    if not names:
        yield MOOT
    elif not good and silent:
        raise Unanswered(unanswered(silent[0]))
    elif not good:
        kind = "A" if isinstance(ip_address(ip), IPv4Address) else "AAAA"
        whose = zone_of(names[0], facts.configured) is not None or names[0] in own_names(facts)
        lines = f"Publish: {zone_line(names[0], kind, ip)}. Or have the name changed: " if whose else ""
        change = _remedy(facts, ip)
        yield error(
            f"{ip}, which mail leaves from, is called {_listed(names)} in reverse DNS, but no such name has that address: to receivers it has no "
            "name at all, and the big ones refuse its mail.",
            f"{lines}{change[0].lower()}{change[1:]}" if whose else change,
        )


def same_name(facts: Facts, ip: str) -> Iterator[Verdict]:
    """PTR-03: the name that is confirmed is the one that this host goes by and greets with."""
    good, silent = _confirmed(facts, ip)
    if set(own_names(facts)) & set(good):
        return
    if silent:
        raise Unanswered(unanswered(silent[0]))
    if not good:
        yield MOOT
        return
    if changing(facts):
        yield unknown(
            f"Whether exim greets as {_listed(good)}, the name of {ip}, cannot be told: its greeting depends on the connection."
        )
        return
    yield warning(
        f"{ip}, which mail leaves from, is called {_listed(good)} in reverse DNS, while this host greets as {_listed(sorted(helos(facts)))}: "
        "some spam filters mind.",
        f"{_remedy(facts, ip)} Or let exim greet with that name (`helo_data`, `primary_hostname`).",
    )


def one_name(facts: Facts, ip: str) -> Iterator[Verdict]:
    """PTR-04: one name, and none that looks like an access line's."""
    names = _names(facts, ip)
    if not names:
        yield MOOT
        return
    if len(names) > 1:
        yield warning(
            f"{ip}, which mail leaves from, has {len(names)} names in reverse DNS ({_listed(names)}): receivers take any one of them.",
            f"Keep one. {_remedy(facts, ip)}",
        )
    for name in names[:MAX_NAMES]:
        why = generic(name, ip)
        if why:
            yield warning(
                f"{ip}, which mail leaves from, is called {name} in reverse DNS, which looks like the line of a private customer ({why}): many "
                "receivers refuse mail from such names.",
                _remedy(facts, ip),
            )


def changing(facts: Facts) -> bool:
    """Whether exim's greeting depends on the connection, so that not all its names are known. Where exim could not be asked, so it is."""
    return facts.seen is None or any(notice.reason == "helo_dynamic" for notice in facts.seen.host.notices)


def generic(name: str, ip: str) -> str:
    """Why a name looks as if nobody chose it for a mail host, "" where it does not: the whole address stands in it, or one of its labels
    below the domain is a word for lines that change hands. A number or two (`mx1-2`) is no sign of anything."""
    address = ip_address(ip)
    labels = name.split(".")
    if isinstance(address, IPv4Address):
        octets = list(address.packed)
        numbers = [int(n) for n in re.findall(r"[0-9]{1,9}", name)]
        runs = [numbers[at : at + 4] for at in range(len(numbers) - 3)]
        shapes = ("".join(f"{o:03d}" for o in octets), "".join(f"{o:03d}" for o in reversed(octets)))
        tokens = re.split(r"[.-]", name)
        inside = octets in runs or octets[::-1] in runs or any(shape in name for shape in shapes)
        inside = inside or any(
            token.removeprefix("ip") in (address.packed.hex(), f"0x{address.packed.hex()}") for token in tokens
        )
    else:
        nibbles = address.packed.hex()
        plain = re.sub(r"[.-]", "", name)
        inside = nibbles in plain or nibbles[::-1] in plain or str(address).replace(":", "-") in labels[0]
    if inside:
        return "the address stands in it"
    words = [label for label in labels[:-2] if _DYNAMIC.fullmatch(label)]
    return f"`{words[0]}`" if words else ""


def _listed(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


CHECKS: tuple[Check, ...] = (
    Check("PTR-01", "It has a name in reverse DNS.", addresses, named),
    Check("PTR-02", "Its name leads back to it.", addresses, leads_back),
    Check("PTR-03", "Its name is the one that this host greets with.", addresses, same_name),
    Check("PTR-04", "It has one name, and one that somebody chose.", addresses, one_name),
)
