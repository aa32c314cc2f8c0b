"""What DNS shows: questions in bulk, each put to every authoritative server of its zone, and every server's own reply.

A look never raises for DNS trouble; the answer says it, and no trouble is ever an absence. Names in configured zones
are asked of those zones' own servers only: a resolver that was asked too early would hold "no such name" against us
for the zone's negative TTL (RFC 2308 §5). Foreign names go to the system's resolver.

Each look has an event loop of its own (`asking`, `datagrams`); what is remembered between looks is where servers are, which of them
are silent, and which answers were verified (`unlike`).
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from dnssync import wire
from dnssync.asking import Asking
from dnssync.core.sighting import Answer, Question
from dnssync.datagrams import EACH, TOTAL, Datagrams, connected
from dnssync.delegation import Delegations
from dnssync.known import Known, Servers, Told
from dnssync.one_look import Look
from dnssync.patience import Patience
from dnssync.replies import ALIASES
from dnssync.unlike import Expected, Unlike, Verified
from dnssync.wire import Message, Server

T = TypeVar("T")


class Resolver:
    """Looks names up.

    `nameservers` has every configured zone and the servers that its configuration names (`192.0.2.53`,
    `127.0.0.1:5353`, `[2001:db8::1]:53`, host names); a zone with none has its delegation looked up. `port` is where
    servers listen if nothing else is said, `timeout` the seconds for each of at most two tries, `system` the resolvers
    in the same spelling as `nameservers` (None: those of `resolv_conf`, as they stand at each look). `total` and `each` bound the
    questions under way, at all and at one server. `connect` makes a datagram socket to a server. It may be kept, and be used by
    several threads: between looks no socket is open, and where servers are is looked up anew after a while.
    """

    def __init__(
        self,
        nameservers: Mapping[str, Sequence[str]] | None = None,
        *,
        port: int = 53,
        timeout: float = 3.0,
        system: Sequence[str] | None = None,
        resolv_conf: Path = Path("/etc/resolv.conf"),
        total: int = TOTAL,
        each: int = EACH,
        routed: Callable[[str], bool] = wire.routed,
        connect: Callable[[Server], socket.socket] = connected,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._zones = dict(nameservers or {})
        self._made = (dict(self._zones), port, timeout, system, resolv_conf, total, each, routed, connect, now)
        self._system = None if system is None else [Server(*wire.split(text, 53)) for text in system]
        self._resolv_conf = resolv_conf
        self._patience, self._known, self._verified = Patience(now), Known(now), Verified()
        self._datagrams = partial(
            Datagrams, timeout=timeout, patience=self._patience, total=total, each=each, connect=connect
        )
        self._delegations = partial(Delegations, self._zones, known=self._known, port=port, routed=routed)

    def like(self, other: Resolver) -> bool:
        """Whether another one was made to look up in the same way, so that what this one knows is worth as much to it."""
        return self._made == other._made

    def look(self, questions: Iterable[Question]) -> dict[Question, Answer]:
        """Every question's answer: one query for each of its servers' addresses, all questions at once.

        Texts of TXT and SPF records are joined and decoded as in `Value.text`, every other type is in presentation
        form with absolute names ("10 mx.example.org."). A CNAME at the name is followed, unless the question is for
        the CNAME itself, and told in `Reply.note` ("CNAME to …").
        """
        asked = list(questions)
        if not asked:
            return {}
        self._patience.begin()
        return self._within(lambda one: one.answers(asked, ALIASES))

    def unlike(self, expected: Iterable[Expected], turn: int) -> Iterator[Question]:
        """The questions whose answer is not as expected, as one of the zone's servers tells it: the same one for all questions of a zone,
        the next one with the next `turn`. One that fails to answer is followed by the next; a question that none answers is not among them.

        `expected` is read as a stream. An answer that was found good before, byte for byte, is not read again.
        """
        self._patience.begin()
        yield from self._within(lambda one: Unlike(one, self._verified, turn).found(expected))

    def texts(self, name: str, kind: str, zone: str = "") -> tuple[str, ...] | None:
        """The values at a name: () where it is known that there are none, None where that is not known."""
        question = Question(name, kind, zone)
        answer = self.look([question])[question]
        return answer.texts if answer.known else None

    def negative_ttl(self, zone: str) -> int | None:
        """How long resolvers may remember that a name of the zone does not exist, in seconds: min(SOA.minimum, SOA's
        TTL) (RFC 2308 §5), the longest that one of its servers tells; None where none does."""
        question = Question(zone, "SOA", zone)
        replies = self.look([question])[question].replies
        return max((reply.negative_ttl for reply in replies if reply.negative_ttl is not None), default=None)

    def delegation(self, zone: str) -> Told:
        """What the zone above says of a zone's servers."""
        return self._within(lambda one: one.delegations.told(zone))

    def servers(self, zone: str) -> Servers:
        """The authoritative servers of a configured zone."""
        known = self._known.servers.get(zone)
        return self._within(lambda one: one.delegations.find(zone)) if known is None else known

    def system(self) -> tuple[Server, ...]:
        """The system's resolvers."""
        if self._system is not None:
            return tuple(self._system)
        try:
            lines = self._resolv_conf.read_text(errors="replace").splitlines()
        except OSError:
            return ()
        told = [words[1] for words in map(str.split, lines) if len(words) > 1 and words[0] == "nameserver"]
        return tuple(map(Server, told))

    def put(self, server: Server, name: str, kind: str, *, recurse: bool = False, **how: bool) -> Message:
        """One question to one server, with the patience that a look has; `how` as in `wire.query`."""

        async def asked(one: Look) -> Message:
            return await one.asking.ask(server, name, kind, recurse=recurse, **how)

        return self._within(asked)

    def _within(self, work: Callable[[Look], Coroutine[Any, Any, T]]) -> T:
        """Do something in an event loop of its own."""
        with Asking(self._datagrams) as asking:
            return asking.run(work(Look(asking, self._zones, self._delegations, self.system(), str(self._resolv_conf))))
