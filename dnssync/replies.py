"""What a server's message says to a question: a reply, or a name where the look goes on, behind a CNAME."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from dnssync.core.model import relative
from dnssync.core.sighting import ANSWERS, Answer, Question, Rcode, Reply, alias_note
from dnssync.known import Servers
from dnssync.wire import Message

ALIASES = 8  # CNAMEs followed for one question


def judge(server: str, zone: str, question: Question, message: Message) -> tuple[Reply, str]:
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


def follow(reply: Reply, target: str, end: Answer | None) -> list[Reply]:
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


def answer(question: Question, servers: Servers, replies: Sequence[Reply], ends: Iterable[Answer | None]) -> Answer:
    """All replies to a question as one answer, with the servers that could not be asked."""
    unknown = [Reply(name, Rcode.ERROR, note=trouble) for name, trouble in servers.unknown]
    beyond = [text for end in ends if end for text in end.not_asked]
    return Answer(
        question,
        (*dict.fromkeys(replies), *unknown),
        tuple(dict.fromkeys([*servers.not_asked, *beyond])),
        servers.problem,
    )
