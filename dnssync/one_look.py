"""One look: many questions, each to all servers of its zone, in one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from dnssync import wire
from dnssync.asking import Asking
from dnssync.core.model import zone_of
from dnssync.core.sighting import ANSWERS, Answer, Question, Rcode, Reply
from dnssync.delegation import Delegations
from dnssync.known import Servers
from dnssync.replies import answer, follow, judge
from dnssync.wire import Message, Server

_NOT_YET = (Reply("", Rcode.ERROR), "")


class Look:
    """One look, in its event loop. `zones` are the configured ones, and grow by those that questions name."""

    def __init__(
        self,
        asking: Asking,
        zones: dict[str, Sequence[str]],
        delegations: Callable[..., Delegations],
        system: Sequence[Server],
        resolv_conf: str,
    ) -> None:
        self.asking, self._zones, self._system, self._resolv_conf = asking, zones, system, resolv_conf
        self.delegations = delegations(ask=asking.ask, resolve=self.resolve)

    async def answers(self, questions: Sequence[Question], aliases: int) -> dict[Question, Answer]:
        """As `Resolver.look`; `aliases` more CNAMEs are followed."""
        self.configured(questions)
        answers = {}
        held: dict[Question, str] = {}
        for question in questions:
            wrong = wire.wrong(question.name, question.type)
            if wrong:
                answers[question] = Answer(question, (), problem=wrong)
            else:
                held[question] = self.zone(question)
        # Zones above come first, since those below may be found through them.
        zones = sorted({zone for zone in held.values() if zone}, key=lambda zone: (zone.count("."), zone))
        servers = {zone: known for zone in zones if (known := self.delegations.known(zone)) is not None}
        new = [zone for zone in zones if zone not in servers]
        servers.update(zip(new, await asyncio.gather(*map(self.delegations.find, new)), strict=True))

        replies = await self._replies(held, servers)
        targets = {(t, q.type): Question(t, q.type) for q, all_ in replies.items() for _, t in all_ if t}
        further = await self.answers(list(targets.values()), aliases - 1) if targets and aliases else {}
        for question, all_ in replies.items():
            ends = [further.get(targets[(target, question.type)]) if target else None for _, target in all_]
            joined = [r for (reply, target), end in zip(all_, ends, strict=True) for r in follow(reply, target, end)]
            answers[question] = answer(question, servers.get(held[question], Servers()), joined, ends)
        return answers

    def configured(self, questions: Iterable[Question]) -> None:
        """Zones that questions name are configured, so no resolver hears of their names."""
        for question in questions:
            if question.zone:
                self._zones.setdefault(question.zone, ())

    def zone(self, question: Question) -> str:
        """The configured zone that holds the question's name, "" for a foreign name."""
        return question.zone or zone_of(question.name, self._zones) or ""

    async def resolve(self, name: str, kind: str) -> Message:
        """What the system's resolver says: the first of them that answers."""
        message = Message(Rcode.ERROR, note=f"no resolver is named in {self._resolv_conf}")
        for server in self._system:
            message = await self.asking.ask(server, name, kind, recurse=True)
            if message.rcode in ANSWERS:
                break
        return message

    async def _replies(
        self, held: Mapping[Question, str], servers: Mapping[str, Servers]
    ) -> dict[Question, list[tuple[Reply, str]]]:
        """What each server says to each question, in the order of the servers, judged as it comes in."""
        replies: dict[Question, list[tuple[Reply, str]]] = {}
        foreign = []
        left = 1  # ours, until all are asked
        all_there = asyncio.get_running_loop().create_future()

        def done(said: list[tuple[Reply, str]], at: int, server: Server, question: Question, message: Message) -> None:
            nonlocal left
            said[at] = judge(str(server), held[question], question, message)
            left -= 1
            if not left:
                all_there.set_result(None)

        for question, zone in held.items():
            if not zone:
                foreign.append(question)
                replies[question] = []
                continue
            asked = servers[zone].asked
            said = replies[question] = [_NOT_YET] * len(asked)
            left += len(asked)
            same: dict[bytes, Message] = {}
            for at, server in enumerate(asked):
                hears = partial(done, said, at, server, question)
                self.asking.put(server, question.name, question.type, hears, same=same)
        told = await asyncio.gather(*(self.resolve(question.name, question.type) for question in foreign))
        for question, message in zip(foreign, told, strict=True):
            replies[question].append(judge("resolver", "", question, message))
        left -= 1
        if left:
            await all_there
        return replies
