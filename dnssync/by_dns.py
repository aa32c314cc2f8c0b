"""A zone that nobody but its name servers can tell (`manual`): read server by server, since one may be behind the others.

A record that a person has to enter counts as entered once every server shows it: a slow secondary, or the servers of
another provider of the same zone, may be the ones that do not. So the reading that a plan starts from is, name by name, that
of a server where something is still to be done.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dnssync.core.decide import ZonePlan
from dnssync.core.model import Notice, Owner, ProviderError, RRset, Value, absolute, relative
from dnssync.core.ownership import owned
from dnssync.core.sighting import Question
from dnssync.core.zone_view import Zone
from dnssync.resolver import Resolver

OURS = ("TXT", "SPF")  # the types that we write: of others, what some server shows is enough
KINDS = (*OURS, "CNAME", "MX", "A", "AAAA", "NS")


@dataclass(frozen=True, slots=True)
class Reading:
    """A zone as these name servers show it, each the same; `servers` is empty for a provider's own reading."""

    servers: tuple[str, ...]
    found: Zone


def read(resolver: Resolver, zone: str, names: Iterable[str]) -> tuple[Reading, ...]:
    """What the authoritative servers show at absolute names of the zone, one reading for all that show the same; complete
    for those names. Raises `ProviderError` where not every server answers every question."""
    held = [name for name in dict.fromkeys(names) if relative(name, zone) is not None]
    common: dict[tuple[str, str], RRset] = {}
    shown: dict[str, dict[tuple[str, str], RRset]] = {}
    for question, answer in resolver.look([Question(name, kind, zone) for name in held for kind in KINDS]).items():
        if not answer.known:
            trouble = answer.problem or "; ".join(f"{r.server}: {r.rcode}" for r in answer.replies if not r.answered)
            raise ProviderError(
                f"{zone}: its name servers do not all answer for {question.name} {question.type} ({trouble}), and what "
                "stands there cannot be read in any other way. Nothing is changed; try again later.",
                transient=True,
            )
        if question.type != "CNAME" and any(reply.note.startswith("CNAME") for reply in answer.replies):
            continue
        key = (relative(question.name, zone) or "", question.type)
        if question.type not in OURS:
            if answer.texts:
                ttl = next((reply.ttl for reply in answer.replies if reply.ttl is not None), 0)
                common[key] = _rrset(key, ttl, answer.texts)
            continue
        same: dict[tuple[int, frozenset[str]], RRset] = {}  # in whatever order a server tells them
        for reply in answer.replies:
            there = shown.setdefault(reply.server, {})
            if reply.texts:
                mark = (reply.ttl or 0, frozenset(reply.texts))
                there[key] = same.setdefault(mark, _rrset(key, reply.ttl or 0, reply.texts))
    readings: list[Reading] = []
    for server, found in shown.items():
        alike = next((number for number, one in enumerate(readings) if one.found == found), None)
        if alike is None:
            readings.append(Reading((server,), found))
        else:
            readings[alike] = Reading((*readings[alike].servers, server), found)
    return tuple(Reading(one.servers, {**common, **one.found}) for one in readings) or (Reading((), common),)


def behind(readings: Sequence[Reading], plans: Sequence[ZonePlan]) -> tuple[Zone, tuple[Notice, ...]]:
    """One reading out of several, by name and type that of a server where most is left to be done, and what a person should
    know. `plans` has, for each reading, what would be planned if all servers showed that."""
    first, mixed = readings[0].found, dict(readings[0].found)
    late: dict[str, set[str]] = {}
    for key in dict.fromkeys(key for reading in readings for key in reading.found):
        if all(reading.found.get(key) == first.get(key) for reading in readings):
            continue
        owners = {claim.owner for plan in plans for claim in plan.claims if claim.key == key}
        left = [_left(key, owners, plan) for plan in plans]
        chosen = readings[left.index(max(left))].found.get(key)
        mixed.pop(key, None)
        if chosen is not None:
            mixed[key] = chosen
        for reading, much in zip(readings, left, strict=True):
            if much:
                late.setdefault(f"{absolute(key[0], plans[0].plan.zone)} {key[1]}", set()).update(reading.servers)
    if not late:
        return mixed, ()
    zone, servers = plans[0].plan.zone, sorted(set().union(*late.values()))
    told = (
        f"{zone}: its name servers do not all show the same. What is wanted at {', '.join(late)} is not shown by "
        f"{', '.join(servers)} yet. What was entered already may be on its way there: wait, and run it again; if it stays, "
        "enter it where those servers take the zone from."
    )
    return mixed, (Notice("servers_differ", told),)


def _left(key: tuple[str, str], owners: set[Owner], plan: ZonePlan) -> int:
    """How much a plan leaves to be done at a name: 0 nothing, 1 nobody can say what, 2 a change, 3 two records where one may be."""
    if any(owner is not Owner.DKIM and len(owned(plan.found.get(key), owner)) > 1 for owner in owners):
        return 3
    if any((change.name, change.type) == key for change in plan.plan.changes):
        return 2
    return 1 if owners and not any(claim.key == key for claim in plan.claims) else 0


def _rrset(key: tuple[str, str], ttl: int, texts: Sequence[str]) -> RRset:
    return RRset(*key, ttl, tuple(Value(text, _spelled(key[1], text)) for text in texts))


def _spelled(kind: str, text: str) -> str:
    """A text that a name server told, as a zone file has it; what strings it came in is not known."""
    if kind not in OURS:
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
