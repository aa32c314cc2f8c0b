"""What the authoritative servers said, and how one claim looks from there: five sights, never two.

A failed look-up is never an absence: `UNKNOWN` stands beside `ABSENT` (RFC 9499's negative answers are answers, a
time-out, SERVFAIL, REFUSED or an answer without authority is none).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum


class Sight(StrEnum):
    """What all authoritative servers together say about one claim."""

    VISIBLE = "visible"  # everywhere, exactly
    PARTIAL = "partial"  # on some servers only
    OTHER = "other"  # everywhere something, nowhere ours
    ABSENT = "absent"  # nowhere
    UNKNOWN = "unknown"  # not all servers answered


@dataclass(frozen=True, slots=True)
class Question:
    """A name to look up: `name` absolute, lower case, without the final dot; `zone` the configured zone that holds
    it (its authoritative servers are asked), `""` for a foreign name (the system's resolver is asked)."""

    name: str
    type: str
    zone: str = ""


class Rcode(StrEnum):
    """How one server answered. Only the first three are answers; the others say nothing about the name."""

    DATA = "data"
    NODATA = "nodata"
    NXDOMAIN = "nxdomain"
    TIMEOUT = "timeout"
    SERVFAIL = "servfail"
    REFUSED = "refused"
    LAME = "lame"  # answered, but without authority (AA=0)
    UNREACHABLE = "unreachable"  # no route to the address family, or nobody listens
    ERROR = "error"


ALIAS = "CNAME to "
ANSWERS = frozenset({Rcode.DATA, Rcode.NODATA, Rcode.NXDOMAIN})


@dataclass(frozen=True, slots=True)
class Reply:
    """One server's word: `texts` as `Value.text`, `ttl` of the RRset, `negative_ttl` = min(SOA.minimum, SOA's TTL)
    (RFC 2308 §5) where a SOA was in the answer. `server` is `address` or `address:port`, for people."""

    server: str
    rcode: Rcode
    texts: tuple[str, ...] = ()
    ttl: int | None = None
    negative_ttl: int | None = None
    note: str = ""

    @property
    def answered(self) -> bool:
        """Whether it says anything about the name at all."""
        return self.rcode in ANSWERS

    @property
    def aliases(self) -> tuple[str, ...]:
        """The names that CNAMEs led through, the last of which has the answer; () where the name has it itself."""
        return _aliases(self.note)


@dataclass(frozen=True, slots=True)
class Answer:
    """Every asked server's reply to one question; `not_asked` are addresses this host has no route to."""

    question: Question
    replies: tuple[Reply, ...]
    not_asked: tuple[str, ...] = ()
    problem: str = ""  # set where not even the servers could be found

    @property
    def known(self) -> bool:
        """Whether at least one server was asked and every asked one answered."""
        return bool(self.replies) and all(reply.answered for reply in self.replies)

    @property
    def aliases(self) -> tuple[str, ...]:
        """As in `Reply`, by the first server that tells of any."""
        return next((reply.aliases for reply in self.replies if reply.aliases), ())

    @property
    def texts(self) -> tuple[str, ...]:
        """The union of the values, in order of first sight; meaningful only where `known`."""
        return tuple(dict.fromkeys(text for reply in self.replies for text in reply.texts))


def alias_note(names: Iterable[str]) -> str:
    """What a reply's note says of the CNAMEs that were followed, "" where there was none."""
    told = " → ".join(names)
    return told and f"{ALIAS}{told}"


def _aliases(note: str) -> tuple[str, ...]:
    told = note.partition(";")[0].partition(":")[0]
    return tuple(told.removeprefix(ALIAS).split(" → ")) if told.startswith(ALIAS) else ()


def sight(answer: Answer, wanted: str, owns: Callable[[str], bool], same: Callable[[str, str], bool]) -> Sight:
    """Judge one answer against the text that should be there.

    `owns` says which values at the name are ours, `same` whether two texts mean the same. Several owned values on a
    server count as another text: two `v=spf1` are as bad as a wrong one.
    """
    if not answer.known:
        return Sight.UNKNOWN
    votes = set()
    for reply in answer.replies:
        owned = [text for text in reply.texts if owns(text)]
        if not owned:
            votes.add(Sight.ABSENT)
        else:
            votes.add(Sight.VISIBLE if len(owned) == 1 and same(owned[0], wanted) else Sight.OTHER)
    if len(votes) == 1:
        return votes.pop()
    return Sight.PARTIAL if Sight.VISIBLE in votes else Sight.OTHER
