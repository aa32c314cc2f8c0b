"""What DNS shows: questions in bulk, each put to every authoritative server of its zone, and every server's own reply.

A look never raises for DNS trouble; the answer says it, and no trouble is ever an absence. Names in configured zones
are asked of those zones' own servers only: a resolver that was asked too early would hold "no such name" against us
for the zone's negative TTL (RFC 2308 §5). Foreign names go to the system's resolver.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from dnssync import wire
from dnssync.core.model import relative, zone_of
from dnssync.core.sighting import ANSWERS, Answer, Question, Rcode, Reply, alias_note
from dnssync.delegation import Delegations, Servers, Told
from dnssync.wire import Message, Server

WORKERS = 32  # queries under way at a time
ATTEMPTS = 2  # a datagram may get lost
SILENT = 4  # time-outs in a row after which a server is left alone
REST = 60.0  # seconds after which, with the next look, silent servers get another chance
ALIASES = 8  # CNAMEs followed for one question


class Asker:
    """Asks one server with patience, but not a server that has been silent: it costs the look its time-outs once, not
    once a question."""

    def __init__(self, ask: Callable[..., Message], timeout: float, now: Callable[[], float]) -> None:
        self._ask, self._timeout, self._now = ask, timeout, now
        self._silent: dict[Server, int] = {}
        self._since = now()
        self._lock = threading.Lock()

    def begin(self) -> None:
        """A look begins: servers that were silent long ago get another chance."""
        if self._now() - self._since >= REST:
            self._silent, self._since = {}, self._now()

    def __call__(self, server: Server, name: str, kind: str, *, recurse: bool = False, **how: bool) -> Message:
        """The server's message, or how it failed."""
        message = Message(Rcode.TIMEOUT)
        for _ in range(ATTEMPTS):
            if self._silent.get(server, 0) >= SILENT:
                return Message(Rcode.TIMEOUT, note=f"left alone after {SILENT} time-outs in a row")
            message = self._ask(server, name, kind, recurse=recurse, timeout=self._timeout, **how)
            with self._lock:
                if message.rcode is not Rcode.TIMEOUT:
                    self._silent.pop(server, None)
                    return message
                self._silent[server] = self._silent.get(server, 0) + 1
        return message


class Resolver:
    """Looks names up.

    `nameservers` has every configured zone and the servers that its configuration names (`192.0.2.53`,
    `127.0.0.1:5353`, `[2001:db8::1]:53`, host names); a zone with none has its delegation looked up. `port` is where
    servers listen if nothing else is said, `timeout` the seconds for each of at most two tries, `system` the resolvers
    in the same spelling as `nameservers` (None: those of `resolv_conf`, as they stand at each look).
    """

    def __init__(
        self,
        nameservers: Mapping[str, Sequence[str]] | None = None,
        *,
        port: int = 53,
        timeout: float = 3.0,
        system: Sequence[str] | None = None,
        resolv_conf: Path = Path("/etc/resolv.conf"),
        workers: int = WORKERS,
        ask: Callable[..., Message] = wire.ask,
        routed: Callable[[str], bool] = wire.routed,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._zones = dict(nameservers or {})
        self._workers = workers
        self._system = None if system is None else [Server(*wire.split(text, 53)) for text in system]
        self._resolv_conf = resolv_conf
        self._ask = Asker(ask, timeout, now)
        self._delegations = Delegations(self._zones, self._ask, self._resolve, port=port, routed=routed, now=now)

    def look(self, questions: Iterable[Question]) -> dict[Question, Answer]:
        """Every question's answer: one query for each of its servers' addresses, all questions at once.

        Texts of TXT and SPF records are joined and decoded as in `Value.text`, every other type is in presentation
        form with absolute names ("10 mx.example.org."). A CNAME at the name is followed, unless the question is for
        the CNAME itself, and told in `Reply.note` ("CNAME to …").
        """
        self._ask.begin()
        pool = ThreadPoolExecutor(self._workers, thread_name_prefix="dns")
        try:
            return self._look(pool, list(questions), ALIASES)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # waits for nobody after Ctrl-C

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
        return self._delegations.told(zone)

    def servers(self, zone: str) -> Servers:
        """The authoritative servers of a configured zone."""
        return self._delegations.servers(zone)

    def system(self) -> tuple[Server, ...]:
        """The system's resolvers."""
        return tuple(self._resolvers())

    def put(self, server: Server, name: str, kind: str, *, recurse: bool = False, **how: bool) -> Message:
        """One question to one server, with the patience that a look has; `how` as in `wire.ask`."""
        return self._ask(server, name, kind, recurse=recurse, **how)

    def _look(self, pool: ThreadPoolExecutor, questions: Sequence[Question], aliases: int) -> dict[Question, Answer]:
        for question in questions:
            if question.zone:
                self._zones.setdefault(question.zone, ())  # configured, so no resolver hears of its names
        answers = {}
        held: dict[Question, str] = {}
        for question in questions:
            wrong = wire.wrong(question.name, question.type)
            if wrong:
                answers[question] = Answer(question, (), problem=wrong)
            else:
                held[question] = question.zone or zone_of(question.name, self._zones) or ""
        # Zones above come first, since those below may be found through them.
        zones = sorted({zone for zone in held.values() if zone}, key=lambda zone: (zone.count("."), zone))
        servers = dict(zip(zones, pool.map(self._delegations.servers, zones), strict=True))

        jobs = [(q, server) for q, zone in held.items() for server in (servers[zone].asked if zone else (None,))]
        messages = pool.map(lambda job: self._put(*job), jobs)
        replies: dict[Question, list[tuple[Reply, str]]] = {question: [] for question in held}
        for (question, server), message in zip(jobs, messages, strict=True):
            replies[question].append(_judge(str(server or "resolver"), held[question], question, message))

        targets = {(t, q.type): Question(t, q.type) for q, all_ in replies.items() for _, t in all_ if t}
        further = self._look(pool, list(targets.values()), aliases - 1) if targets and aliases else {}
        for question, all_ in replies.items():
            ends = [further.get(targets[(target, question.type)]) if target else None for _, target in all_]
            joined = [r for (reply, target), end in zip(all_, ends, strict=True) for r in _follow(reply, target, end)]
            answers[question] = _answer(question, servers.get(held[question], Servers()), joined, ends)
        return answers

    def _put(self, question: Question, server: Server | None) -> Message:
        return (
            self._ask(server, question.name, question.type) if server else self._resolve(question.name, question.type)
        )

    def _resolve(self, name: str, kind: str) -> Message:
        """What the system's resolver says: the first of them that answers."""
        message = Message(Rcode.ERROR, note=f"no resolver is named in {self._resolv_conf}")
        for server in self._resolvers():
            message = self._ask(server, name, kind, recurse=True)
            if message.rcode in ANSWERS:
                break
        return message

    def _resolvers(self) -> list[Server]:
        if self._system is not None:
            return self._system
        try:
            lines = self._resolv_conf.read_text(errors="replace").splitlines()
        except OSError:
            return []
        return [Server(words[1]) for words in map(str.split, lines) if len(words) > 1 and words[0] == "nameserver"]


def _judge(server: str, zone: str, question: Question, message: Message) -> tuple[Reply, str]:
    """One server's message as a reply, and the name still to be looked up where it ends at a CNAME ("" = none)."""
    if message.rcode not in ANSWERS:
        return Reply(server, message.rcode, note=message.note), ""
    if zone and not message.authoritative:
        cut = next((records.name for records in message.authority if records.type == "NS"), "")
        deeper = cut != zone and relative(cut, zone) is not None
        return Reply(server, Rcode.LAME, note=f"delegates {cut} to other servers" if deeper else "no authority"), ""
    name, passed, ttls = question.name, list[str](), list[int]()
    found = message.found(name, question.type)
    while found is None and len(passed) < ALIASES and (alias := message.found(name, "CNAME")):
        name = alias.texts[0].lower().removesuffix(".")
        passed.append(name)
        ttls.append(alias.ttl)
        if zone and relative(name, zone) is None:
            break  # what this server holds of another zone need not be what that zone's own servers say
        found = message.found(name, question.type)
    note = alias_note(passed)
    if found is not None:
        return Reply(server, Rcode.DATA, found.texts, min([*ttls, found.ttl]), message.negative_ttl, note), ""
    rcode = Rcode.NXDOMAIN if message.rcode is Rcode.NXDOMAIN else Rcode.NODATA
    ended = not zone or (
        relative(name, zone) is not None and (rcode is Rcode.NXDOMAIN or message.negative_ttl is not None)
    )
    reply = Reply(server, rcode, (), None, message.negative_ttl, note)
    return reply, "" if ended or not passed else name


def _follow(reply: Reply, target: str, end: Answer | None) -> list[Reply]:
    """The reply itself, or, behind a CNAME, what each server of the target says about it."""
    if not target:
        return [reply]
    if end is None or not end.replies:
        why = end.problem if end else f"more than {ALIASES} CNAMEs in a row"
        return [replace(reply, rcode=Rcode.ERROR, note=f"{reply.note}: {why}")]
    return [
        replace(told, server=f"{reply.server} → {told.server}", note=f"{reply.note}{told.note and '; '}{told.note}")
        for told in end.replies
    ]


def _answer(question: Question, servers: Servers, replies: Sequence[Reply], ends: Iterable[Answer | None]) -> Answer:
    unknown = [Reply(name, Rcode.ERROR, note=trouble) for name, trouble in servers.unknown]
    beyond = [text for end in ends if end for text in end.not_asked]
    return Answer(
        question,
        (*dict.fromkeys(replies), *unknown),
        tuple(dict.fromkeys([*servers.not_asked, *beyond])),
        servers.problem,
    )
