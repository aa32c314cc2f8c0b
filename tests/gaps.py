"""What was missing of a zone in between, though it was there before and after: the one measure of every test and of the bench."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import NamedTuple

Item = tuple[str, str] | tuple[str, str, bytes]  # an RRset by name and type, or one value of it
Items = frozenset[Item]


class By(Enum):
    """Who brought a moment about."""

    CLIENT = "the client that is looked at"
    SOMEBODY = "somebody else, or the beginning"
    SETTLED = "nobody: from here on another intent may bring back what an earlier one took away"


class Moment(NamedTuple):
    """What stood in a zone from `at` (seconds, on whatever clock) until the next moment."""

    at: float
    items: Items
    by: By


def items(zone: Mapping[tuple[str, str], Iterable[bytes]]) -> Items:
    """The RRsets and the values of a zone that is given as (name, type) → values."""
    return frozenset([*zone, *((*key, value) for key, values in zone.items() for value in values)])


def gaps(moments: Sequence[Moment]) -> dict[Item, float]:
    """What the client took away and brought back again, each with the seconds for which it was missing.

    An RRset that goes on with other values is none, a value that only goes, or only comes, is none; and what somebody else takes
    away or brings back is nothing of the client's.
    """
    gone: dict[Item, float] = {}
    missing: dict[Item, float] = {}
    for before, after in itertools.pairwise(moments):
        if after.by is By.SETTLED:
            gone.clear()
        for item in after.items - before.items:
            since = gone.pop(item, None)
            if since is not None and after.by is By.CLIENT:
                missing[item] = missing.get(item, 0.0) + after.at - since
        if after.by is By.CLIENT:
            gone |= dict.fromkeys(before.items - after.items, after.at)
    return missing
