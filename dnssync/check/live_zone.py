"""Whether the zone behind a provider's API is the one that receivers see: an account may hold one of that name that nobody is sent to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dnssync.check.facts import Facts, Unanswered, unanswered
from dnssync.check.finding import MOOT, Verdict, error, warning
from dnssync.core.model import Owner, absolute
from dnssync.core.ownership import Ledger, owned, same, shows
from dnssync.core.zone_view import Zone

FEW = 5  # records of ours that are looked for on the servers
HOUR = 3600  # seconds; no provider takes longer to bring a change to its servers


@dataclass(frozen=True, slots=True)
class _Ours:
    """A record that dnssync wrote and the provider shows; `name` absolute."""

    name: str
    type: str
    owner: Owner
    text: str
    domain: str


def live(facts: Facts, zone: str) -> Iterator[Verdict]:
    """NS-04: what is written at the provider is what receivers see."""
    seen = facts.observed()
    view = facts.view(zone)
    if view is None or zone in seen.noted or not view.limits.reads:
        yield MOOT  # what is taken for the zone is our own book, or what its servers show
        return
    if view.problem:
        raise Unanswered(f"what stands in {zone} at its provider could not be read: {view.problem.rstrip('.')}")
    servers, soa = facts.ask(zone, "NS"), facts.ask(zone, "SOA")
    ours = {provider: _written(found, view.ledger.get(provider, {}), zone) for provider, found in view.found.items()}
    for some in ours.values():
        for one in some:
            facts.ask(one.name, one.type)
    if not any(reply.answered for reply in servers.replies):
        raise Unanswered(unanswered(servers))
    here = {_plain(text) for text in servers.texts}
    for provider, found in view.found.items():
        there = {_plain(text) for text in _apex(found, "NS")}
        mine = {_plain(text.split()[0]) for text in _apex(found, "SOA") if text.strip()}
        theirs = {_plain(text.split()[0]) for text in soa.texts if text.strip()}
        remedy = (
            f"Let {zone} name the provider whose servers are delegated ({', '.join(sorted(here)) or 'none is known'}) in the "
            f"configuration, or have the registrar name the servers of {provider}."
        )
        head = f"The zone {zone} at {provider} is not the one that receivers see: "
        alone = len(view.found) + len(view.unread) == 1  # of two providers each has a SOA of its own
        if there and here and not there & here:
            yield error(
                f"{head}it has the servers {', '.join(sorted(there))}, theirs has {', '.join(sorted(here))}.", remedy
            )
        elif not there and alone and mine and theirs and not mine & theirs:
            yield error(f"{head}its SOA names {', '.join(sorted(mine))}, theirs {', '.join(sorted(theirs))}.", remedy)
        else:
            yield from _nowhere(facts, zone, provider, ours[provider], remedy)


def _nowhere(facts: Facts, zone: str, provider: str, ours: list[_Ours], remedy: str) -> Iterator[Verdict]:
    """All that we wrote is shown by the API, and by no server; what is new may still be under way."""
    for one in ours:
        answer = facts.ask(one.name, one.type)
        if not answer.known or any(same(one.owner, text, one.text, one.domain) for text in answer.texts):
            return
    if not ours:
        return
    names = ", ".join(f"{one.name} {one.type}" for one in ours)
    message = f"What dnssync wrote at {provider} is on no server of {zone}: {names}."
    old = {
        f"{key.selector}._domainkey.{key.domain}" for key in facts.observed().keys if facts.now - key.generated > HOUR
    }
    if any(one.name in old for one in ours):
        yield error(message, remedy)
    else:
        yield warning(message, f"Wait, if it was written within the hour. Else: {remedy}")


def _written(found: Zone, ledger: Ledger, zone: str) -> list[_Ours]:
    """Some records of ours that the provider shows; keys first, whose age is known."""
    ours = [
        _Ours(absolute(name, zone), kind, owner, value.text, applied.domain)
        for (name, kind, owner), applied in ledger.items()
        for value in owned(found.get((name, kind)), owner)
        if shows(owner, value.text, applied)
    ]
    return sorted(ours, key=lambda one: one.owner is not Owner.DKIM)[:FEW]


def _apex(found: Zone, kind: str) -> tuple[str, ...]:
    rrset = found.get(("", kind))
    return tuple(value.text for value in rrset.values) if rrset is not None else ()


def _plain(name: str) -> str:
    return name.lower().removesuffix(".")
