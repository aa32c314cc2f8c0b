"""What exim says to recipients, as if to a host that it does not know: `-bh`, without network and without delivery."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from dnssync.check.facts import Failed
from dnssync.check.gather import Sources
from dnssync.check.talking import Reply, Taken

STRANGER = "192.0.2.77"  # RFC 5737: nobody's
NAME = "stranger.example.com"  # RFC 2606
MANY = 50  # recipients of one message; RFC 5321 §4.5.3.1.8 has servers take 100
FEW = 8  # messages of one session: more RSETs are more than exim's default of 10 nonmail commands

PLAIN = re.compile(r"[\x21-\x3b\x3d\x3f-\x7e]{1,320}")  # what ends no command, and no path in it


def fetch(wishes: Sequence[Taken], sources: Sources) -> Mapping[Taken, Reply | Failed]:
    """exim's reply to each recipient, from the null sender. One refused beside others is asked about again alone."""
    found: dict[Taken, Reply | Failed] = {
        wish: Failed(f"{wish.recipient!r} is no mail address") for wish in wishes if not PLAIN.fullmatch(wish.recipient)
    }
    wishes = [wish for wish in wishes if wish not in found]
    for at in range(0, len(wishes), MANY):
        found.update(_session(sources, [list(wishes[at : at + MANY])]))
    again = [wish for wish in wishes if not _good(found[wish])] if len(wishes) > 1 else []
    for at in range(0, len(again), FEW):
        found.update(_session(sources, [[wish] for wish in again[at : at + FEW]]))
    return found


def _good(reply: Reply | Failed) -> bool:
    return isinstance(reply, Reply) and reply.code < 400


def _session(sources: Sources, messages: Sequence[Sequence[Taken]]) -> dict[Taken, Reply | Failed]:
    commands = [f"EHLO {NAME}"]
    for number, wishes in enumerate(messages):
        commands += ["RSET"] * bool(number) + ["MAIL FROM:<>"] + [f"RCPT TO:<{wish.recipient}>" for wish in wishes]
    replies = [Reply(code, text) for code, text in sources.exim.session(STRANGER, commands)]
    said = dict(zip(range(len(commands) + 1), replies, strict=False))
    found: dict[Taken, Reply | Failed] = {}
    at = 2  # behind the greeting and EHLO's reply
    for number, wishes in enumerate(messages):
        at += bool(number)
        before = [said.get(place) for place in (0, 1, at)]
        closed = [reply for reply in before if reply is None or reply.code >= 400]
        for place, wish in enumerate(wishes, at + 1):
            reply = said.get(place)
            if reply is not None and not closed:
                found[wish] = reply
                continue
            why = next((str(said) for said in closed if said), "nothing")
            found[wish] = Failed(
                f"`exim -bh {STRANGER}` was to say whether it takes {wish.recipient}, and said {why} before that"
            )
        at += 1 + len(wishes)
    return found
