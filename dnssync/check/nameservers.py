"""The name servers of the zones: enough of them, of one mind, delegated to, and those that the provider's API writes to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dnssync.check.delegated import (
    REFUSING,
    Delegated,
    Settled,
    agreed,
    by_server,
    elsewhere,
    family,
    server_of,
    silent,
)
from dnssync.check.facts import Facts, Unanswered, unanswered, zones
from dnssync.check.finding import MOOT, Verdict, error, info, unknown, warning
from dnssync.check.judging import Check
from dnssync.check.live_zone import HOUR, live
from dnssync.core.plan import unmade
from dnssync.core.sighting import Answer, Reply

FEW = 5  # names that a message lists


def enough(facts: Facts, zone: str) -> Iterator[Verdict]:
    """NS-01: at least two servers, at two addresses."""
    answer = facts.ask(zone, "NS")
    if not any(reply.answered for reply in answer.replies):
        raise Unanswered(unanswered(answer))
    names = _hosts(answer.texts)
    for name in names:
        facts.dns(name, "A"), facts.dns(name, "AAAA")
    remedy = (
        f"Have a second server for {zone}, on another network, and its NS record in the zone and in the zone above."
    )
    if not names:
        yield MOOT
    elif len(names) == 1:
        yield warning(f"{zone} has one name server alone, {names[0]}: while it is down, no record is found.", remedy)
    else:
        held = [(facts.dns(name, "A"), facts.dns(name, "AAAA")) for name in names]
        places = {(frozenset(four or ()), frozenset(six or ())) for four, six in held}
        if all(four is not None and six is not None for four, six in held) and len(places) == 1:
            shown = ", ".join(sorted(set().union(*next(iter(places)))))
            if shown:
                yield warning(f"All name servers of {zone} ({', '.join(names)}) are one: {shown}.", remedy)


def of_one_mind(facts: Facts, zone: str) -> Iterator[Verdict]:
    """NS-02: each server answers, and has what the others have."""
    soa, ns = facts.ask(zone, "SOA"), facts.ask(zone, "NS")
    asked = [facts.ask(*at) for at in dict.fromkeys(_ours(facts, zone))]
    if soa.problem:
        raise Unanswered(unanswered(soa))
    yield from _answering(zone, soa, ns)
    for text in soa.not_asked:
        name, _, why = text.partition(" ")
        if why == "(no address)":
            yield error(
                f"The name server {name} of {zone} has no address.",
                f"Give {name} an address, or take its NS record away.",
            )
    gone = {server for server, _ in silent((soa, ns))}
    for answer in asked:
        if any(not r.answered and server_of(r) not in gone for r in answer.replies) and not elsewhere(answer):
            yield unknown(f"{unanswered(answer)}.")
    differing = [answer for answer in (ns, *asked) if not agreed(answer)]
    if differing:
        last = [facts.have(Settled(answer.question)) for answer in differing]
        still = [answer for answer in last if isinstance(answer, Answer) and not agreed(answer)]
        new = _young(facts)
        young = [answer.question.name for answer in still if answer.question.name in new]
        if young:
            yield info(
                f"{', '.join(young[:FEW])} was made within the hour and is not on all name servers of {zone} yet.",
                "Nothing: exim signs with a key once all have it.",
            )
        still = [answer for answer in still if answer.question.name not in young]
        if [answer.question for answer in still] == [ns.question]:
            told = "; ".join(f"{server} has {_shown(texts)}" for server, texts in by_server(still[0]).items())
            yield warning(
                f"The name servers of {zone} have the same records of ours, but name other servers for it: {told}. Who has heard of one set "
                "does not ask the others, even while those are down.",
                f"Let each provider of {zone} have the NS records of all, where it allows that; else have the transfers looked at.",
            )
        elif still:
            first = still[0]
            names = ", ".join(f"{a.question.name} {a.question.type}" for a in still[:FEW])
            more = f" and {len(still) - FEW} more" if len(still) > FEW else ""
            told = "; ".join(f"{server} has {_shown(texts)}" for server, texts in by_server(first).items())
            yield error(
                f"The name servers of {zone} differ on {names}{more}. {first.question.name} {first.question.type}: {told}."
                f"{_serials(soa)}",
                "Have the transfer to the one that is behind looked at; where two providers serve the zone, put the record at both.",
            )
        if any(not isinstance(answer, Answer) for answer in last):
            yield unknown(f"Whether the name servers of {zone} still differ could not be found out.")
    elif _providers(facts, zone) <= 1 and not agreed(_serial_alone(soa)):
        yield info(
            f"The name servers of {zone} have the same records of ours, but not the same serial.{_serials(soa)}",
            "Nothing, if the zone is being changed, or each of its servers counts for itself; else have the transfers looked at.",
        )


def _answering(zone: str, soa: Answer, ns: Answer) -> Iterator[Verdict]:
    """Who answers neither question. Silence is a server's fault only where something of its address family came back at all."""
    reached = {family(server_of(reply)) for reply in soa.replies if reply.answered or reply.rcode in REFUSING}
    for server, reply in silent((soa, ns)):
        how = f"{reply.rcode}{f', {reply.note}' if reply.note else ''}"
        if family(server) in reached:
            yield error(
                f"The name server {server} does not answer for {zone} ({how}): receivers that ask it find no record.",
                f"Have it serve {zone}, or take its NS record out of the zone and of the zone above. "
                f"See `dig +norecurse @{server.partition(':')[0] if family(server) == 4 else server} {zone} SOA`.",
            )
        else:
            yield unknown(f"Whether the name server {server} answers for {zone} could not be found out ({how}).")


def _ours(facts: Facts, zone: str) -> Iterator[tuple[str, str]]:
    """The names that mail needs: those of its domains, and the records that dnssync wants in the zone."""
    for name in facts.within(zone):
        yield from ((name, "MX"), (name, "TXT"), (f"_dmarc.{name}", "TXT"))
    # a key that is still to be made has no name yet
    yield from ((name, kind) for name, kind in facts.wanted_in(zone) if not unmade(name))


def _young(facts: Facts) -> frozenset[str]:
    """The names of keys so new that they may still be under way to some servers."""
    keys = facts.seen.keys if facts.seen is not None else ()
    return frozenset(f"{k.selector}._domainkey.{k.domain}" for k in keys if facts.now - k.generated <= HOUR)


def _providers(facts: Facts, zone: str) -> int:
    """At how many providers the zone is; each counts its own serial."""
    view = facts.view(zone)
    return len(view.found) + len(view.unread) if view is not None else 0


def _serial_alone(soa: Answer) -> Answer:
    """The same answer with the serials in place of the records."""
    replies = tuple(
        Reply(r.server, r.rcode, tuple(text.split()[2] for text in r.texts if len(text.split()) > 2))
        for r in soa.replies
    )
    return Answer(soa.question, replies)


def _serials(soa: Answer) -> str:
    told = by_server(_serial_alone(soa))
    return f" Serials: {', '.join(f'{server} {_shown(texts)}' for server, texts in told.items())}." if told else ""


def _shown(texts: tuple[str, ...]) -> str:
    return ", ".join(text if len(text) <= 60 else text[:57] + "…" for text in texts) or "nothing"


def delegation(facts: Facts, zone: str) -> Iterator[Verdict]:
    """NS-03: the zone above sends receivers to the servers that the zone itself names."""
    own_answer = facts.ask(zone, "NS")
    told = facts.find(Delegated(zone))
    if told.named:
        yield MOOT
        return
    if told.alone:
        yield error(
            f"The zone above {zone} has no delegation for it: receivers see nothing that is written in it.",
            f"Register {zone}, or add its NS records in the zone above; or name its servers under `nameservers` where only your "
            "network knows it.",
        )
        return
    facts.ask(zone, "SOA")
    addresses = {name: (facts.dns(name, "A"), facts.dns(name, "AAAA")) for name, _ in told.glue}
    if not own_answer.known and not own_answer.texts:
        raise Unanswered(unanswered(own_answer))
    above, own = set(told.names), set(_hosts(own_answer.texts))
    lame = any(reply.rcode in REFUSING for _, reply in silent((own_answer, facts.ask(zone, "SOA"))))
    only_above, only_own = sorted(above - own), sorted(own - above)
    if not own:
        yield error(f"The servers that the zone above {zone} names ({', '.join(sorted(above))}) have no such zone.",
                    f"Have them serve {zone}, or have the registrar name those that do.")  # fmt: skip
    elif only_above or only_own:
        message = f"The zone above {zone} names other servers than the zone itself: "
        message += "; ".join(
            f"{', '.join(names)} {where}"
            for names, where in ((only_above, "only there"), (only_own, "only in the zone"))
            if names
        )
        say = error if lame or not above & own else warning
        yield say(
            f"{message}.",
            f"Let both name the same: {', '.join(sorted(own))} at the registrar, or the zone's NS records changed.",
        )
    for name, glue in told.glue:
        held = addresses[name]
        stale = [address for address in glue if address not in {*(held[0] or ()), *(held[1] or ())}]
        if stale and all(one is not None for one in held) and any(held):
            yield warning(
                f"The zone above {zone} gives {name} the address {', '.join(stale)}, which the zone itself does not have.",
                f"Have the registrar put the host's addresses right: {', '.join((*(held[0] or ()), *(held[1] or ())))}.",
            )


def _hosts(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(text.lower().removesuffix(".") for text in texts))


CHECKS: tuple[Check, ...] = (
    Check("NS-01", "The zone has more than one name server.", zones, enough),
    Check("NS-02", "All name servers answer, and have the same.", zones, of_one_mind),
    Check("NS-03", "The zone above names the servers that the zone names.", zones, delegation),
    Check("NS-04", "What is written at the provider is what receivers see.", zones, live),
)
