"""What is asked about a zone's servers: what the zone above says, and what they show once a change has had its seconds to arrive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dnssync.check.facts import Wish
from dnssync.core.sighting import Answer, Question, Rcode, Reply


@dataclass(frozen=True, slots=True)
class Delegation:
    """What the zone above says of a zone's servers: their `names`, absolute, in lower case, and `glue`, addresses by name. `named`: the
    configuration names the servers, so nobody asked; `alone`: the zone above has no delegation for it."""

    names: tuple[str, ...] = ()
    glue: tuple[tuple[str, tuple[str, ...]], ...] = ()
    named: bool = False
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Delegated(Wish[Delegation]):
    """What does the zone above say of a configured zone?"""

    zone: str


@dataclass(frozen=True, slots=True)
class Settled(Wish[Answer]):
    """The answer to a question on which the servers of its zone did not agree, asked again some seconds later."""

    question: Question


def by_server(answer: Answer) -> dict[str, tuple[str, ...]]:
    """What each server that answered has there, sorted; behind a CNAME, what all of the target's servers together have."""
    found: dict[str, set[str]] = {}
    for reply in answer.replies:
        if reply.answered:
            found.setdefault(server_of(reply), set()).update(reply.texts)
    return {server: tuple(sorted(texts)) for server, texts in found.items()}


def server_of(reply: Reply) -> str:
    """The zone's own server that a reply came from, or through."""
    return reply.server.partition(" → ")[0]


def elsewhere(answer: Answer) -> bool:
    """Whether the zone's servers hand the name on to others, so that nothing in the zone has a say there."""
    handed = [reply.rcode is Rcode.LAME and reply.note.startswith("delegates ") for reply in answer.replies]
    return bool(handed) and all(handed)


def agreed(answer: Answer) -> bool:
    """Whether all that answered have the same there."""
    return len(set(by_server(answer).values())) <= 1


def silent(answers: Iterable[Answer]) -> Iterator[tuple[str, Reply]]:
    """The servers that answered none of the questions, each with one of its replies."""
    failed: dict[str, Reply] = {}
    answered: set[str] = set()
    for answer in answers:
        for reply in answer.replies:
            if reply.answered:
                answered.add(server_of(reply))
            else:
                failed.setdefault(server_of(reply), reply)
    yield from ((server, reply) for server, reply in failed.items() if server not in answered)


def family(server: str) -> int:
    """4 or 6: the IP version of a server as people are told of it; 0 for one whose address is not known."""
    bare = server.removeprefix("[").partition("]")[0]
    if bare.count(":") > 1:
        return 6
    return 4 if bare.partition(":")[0].replace(".", "").isdigit() else 0


REFUSING = frozenset(
    {Rcode.LAME, Rcode.REFUSED, Rcode.SERVFAIL}
)  # what a server itself said; silence may be the path's fault
