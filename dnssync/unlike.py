"""Whether names of quiet zones are still as expected: a stream of ten thousands, one server each, and what is unchanged is not read again.

Names that were in order answer as they did the last time. So it is enough to keep a short digest of what each answer was found good by (`sections.judged_by`), and
to look whether this one has it, too; dnspython parses what is new. The digest is keyed by a secret of this process: nobody can make an answer
that passes for another.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import threading
import zlib
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from types import TracebackType

from dnssync import sections, wire
from dnssync.core.sighting import Answer, Question, Reply
from dnssync.known import Servers
from dnssync.one_look import Look
from dnssync.replies import ALIASES, follow, judge
from dnssync.wire import Message, Query, Server

AHEAD = 2000  # expectations read from the stream and not yet done with: twice what may be under way
OCTETS = 8  # of a digest: what is guessed wrong is not told, so nobody has more than a few tries


@dataclass(frozen=True, slots=True)
class Expected:
    """What should be found: `good` says whether an answer of one server is. `mark` are octets that name what `good` compares with: where
    they are equal, equal answers are judged alike."""

    question: Question
    mark: bytes
    good: Callable[[Answer], bool]


class Verified:
    """Digests of answers that were found good; what the last two calls did not use is forgotten. As a context, one call."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._used: dict[int, int] = {}  # digest → the call that used it last
        self._call = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()
        self._call += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            for old in [digest for digest, used in self._used.items() if used < self._call - 1]:
                del self._used[old]
        finally:
            self._lock.release()

    def digest(self, expected: Expected, octets: bytes) -> int:
        """Of what is expected and of what an answer is judged by, octet for octet."""
        asked = expected.question
        head = f"{asked.name}\0{asked.type}\0{asked.zone}\0{len(expected.mark)}\0".encode("utf-8", "surrogateescape")
        state = hashlib.blake2b(head, key=self._key, digest_size=OCTETS)
        state.update(expected.mark)
        state.update(sections.judged_by(octets))
        return int.from_bytes(state.digest(), "big")

    def __contains__(self, digest: int) -> bool:
        """Whether an answer with it was good; it counts as used."""
        if digest not in self._used:
            return False
        self._used[digest] = self._call
        return True

    def add(self, digest: int) -> None:
        """Note that an answer with it is good."""
        self._used[digest] = self._call

    def __len__(self) -> int:
        return len(self._used)


class Unlike:
    """One call, in the event loop of its look. `turn` moves on which server of a zone is asked."""

    def __init__(self, look: Look, verified: Verified, turn: int) -> None:
        self._look, self._verified, self._turn = look, verified, turn
        self._found: dict[Question, None] = {}
        self._open = 0
        self._room: asyncio.Future[None] | None = None
        self._waiting: dict[str, list[_Asked]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def found(self, expected: Iterable[Expected]) -> list[Question]:
        """The questions whose answer is another."""
        with self._verified:
            for one in expected:
                self._begin(one)
                await self._until(AHEAD)
            await self._until(1)
        return list(self._found)

    async def _until(self, bound: int) -> None:
        """Wait until fewer than so many are open."""
        while self._open >= bound:
            self._room = asyncio.get_running_loop().create_future()
            await self._room

    def _begin(self, expected: Expected) -> None:
        question = expected.question
        self._look.configured((question,))
        zone = self._look.zone(question)
        try:
            query = wire.query(question.name, question.type)
        except wire.NO_QUESTION:
            return
        if not zone:
            return
        self._open += 1
        asked = _Asked(self, expected, zone, query)
        servers = self._look.delegations.known(zone)
        if servers is not None:
            self._ask(asked, servers)
        elif zone in self._waiting:
            self._waiting[zone].append(asked)
        else:
            self._waiting[zone] = [asked]
            self._spawn(self._search(zone))

    async def _search(self, zone: str) -> None:
        servers = await self._look.delegations.find(zone)
        for asked in self._waiting.pop(zone):
            self._ask(asked, servers)

    def _ask(self, asked: _Asked, servers: Servers) -> None:
        asked.servers = servers.asked
        if servers.asked:
            asked.at = (zlib.crc32(asked.zone.encode("utf-8", "surrogateescape")) + self._turn) % len(servers.asked)
        self.next(asked)

    def next(self, asked: _Asked) -> None:
        """Ask the next server of the zone; where none is left it is not known how the name is."""
        if asked.tried >= len(asked.servers):
            self._done()
            return
        server = asked.servers[(asked.at + asked.tried) % len(asked.servers)]
        asked.tried += 1
        self._look.asking.datagrams.put(server, asked.query, asked.told)

    def told(self, asked: _Asked, told: bytes | Message) -> None:
        """A server's answer, or how it failed."""
        if isinstance(told, Message):
            self.next(asked)
            return
        digest = self._verified.digest(asked.expected, told)
        if digest in self._verified:
            self._done()
            return
        question = asked.expected.question
        reply, target = judge(str(asked.server), asked.zone, question, wire.told(told, question.name, question.type))
        if not reply.answered:
            self.next(asked)
        elif target:
            self._spawn(self._behind(asked, reply, target))
        elif self._good(asked, reply):
            self._verified.add(digest)

    async def _behind(self, asked: _Asked, reply: Reply, target: str) -> None:
        """What a CNAME leads to. That may change while the CNAME does not, so nothing of it is remembered."""
        question = Question(target, asked.expected.question.type)
        ends = await self._look.answers([question], ALIASES - 1)
        replies = follow(reply, target, ends[question])
        if all(one.answered for one in replies):
            self._good(asked, *replies)
        else:
            self.next(asked)

    def _good(self, asked: _Asked, *replies: Reply) -> bool:
        good = asked.expected.good(Answer(asked.expected.question, replies))
        if not good:
            self._found[asked.expected.question] = None
        self._done()
        return good

    def _done(self) -> None:
        self._open -= 1
        if self._room is not None and not self._room.done() and (not self._open or self._open < AHEAD * 3 // 4):
            self._room.set_result(None)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.result()  # what it raised goes to whoever waits


class _Asked:
    """An expectation on its way: `at` is the server to begin with, `tried` how many were asked."""

    __slots__ = ("at", "expected", "query", "servers", "tried", "unlike", "zone")

    def __init__(self, unlike: Unlike, expected: Expected, zone: str, query: Query) -> None:
        self.unlike, self.expected, self.zone, self.query = unlike, expected, zone, query
        self.servers: tuple[Server, ...] = ()
        self.at = self.tried = 0

    @property
    def server(self) -> Server:
        """The one that was asked last."""
        return self.servers[(self.at + self.tried - 1) % len(self.servers)]

    def told(self, told: bytes | Message) -> None:
        """Hand on what came."""
        self.unlike.told(self, told)
