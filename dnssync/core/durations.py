"""How long a key waits before it signs and after it has signed, each with its reason; and times as people say them."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from functools import lru_cache

MINUTE, HOUR, DAY = 60, 3600, 86400
MARGIN = 10 * MINUTE
FOREIGN_QUEUES = 5 * DAY  # RFC 5321 §4.5.4.1: give-up time is at least 4–5 days


@lru_cache(maxsize=1000)  # ten thousand domains have few of them
def season(negative_ttl: int | None, previous_ttl: int | None) -> tuple[int, str]:
    """How long a new record must have stood before exim may sign with it, in seconds, and why.

    Resolvers may hold the answer "there is none" for the zone's negative TTL (RFC 2308 §5; more than a day is more than
    any of them keeps), or what stood there before for its TTL.
    """
    rows = [
        (HOUR, "an hour at least"),
        (min(negative_ttl or 0, DAY), "the zone's negative TTL"),
        (previous_ttl or 0, "the TTL of what stood there"),
    ]
    longest, source = max(rows, key=lambda row: row[0])
    return longest + MARGIN, f"{duration(longest)} ({source}) and {duration(MARGIN)} of margin"


@lru_cache(maxsize=1000)
def overlap(expires: int | None, retry_cutoff: int, ttl: int) -> tuple[int, str]:
    """How long a retired key's record stays, in seconds, and why: every message it signed must have arrived."""
    rows = [
        (FOREIGN_QUEUES, "the queues of other servers"),
        (expires or 0, "the x= of its signatures"),
        (retry_cutoff, "exim's longest retry"),
        (ttl, "the record's TTL"),
    ]
    longest, source = max(rows, key=lambda row: row[0])
    return longest + DAY, f"{duration(longest)} ({source}) and {duration(DAY)} of margin"


def share(name: str) -> float:
    """A number from 0 up to 1 by a hash of the name, the same each time: what ten thousand do alike, they do not do at the same moment."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") / 2**32


def spread(name: str, longest: int) -> int:
    """Between half of so many seconds and all of them, by a hash of the name."""
    return int(longest * (1 + share(name)) / 2)


def moment(seconds: int) -> str:
    """A time for people: `2026-11-24 08:20 UTC`."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat(" ", "minutes") + " UTC"


def duration(seconds: int) -> str:
    """A duration for people, in its largest even unit: `90 d`, `36 h`, `10 min`, `45 s`."""
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s" if seconds < HOUR else f"{round(seconds / HOUR, 1):g} h"
