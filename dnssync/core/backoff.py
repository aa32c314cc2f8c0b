"""When a zone that failed is tried again, and which zones a pass of the daemon looks at: decided once, and kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from dnssync.core.durations import HOUR, share

T = TypeVar("T")
LONGEST = 6 * HOUR
JITTER = 0.25  # of a wait, at most, that is taken off: zones that failed together do not come back together


def next_try(name: str, failures: int, now: int, interval: int) -> int:
    """When what failed `failures` times in a row (a zone, or one of its providers) is tried again: after `interval` seconds, twice that,
    and so on, at most after six hours; a hash of its name and the count shortens it by up to a quarter, so that the same input gives the same time."""
    wait = min(interval * 2 ** min(max(failures - 1, 0), 32), LONGEST)
    return now + max(1, int(wait * (1 - share(f"{name} {failures}") * JITTER)))


def after_failure(name: str, failures: int, again: int | None, now: int, interval: int) -> tuple[int, int]:
    """How often it has failed in a row now, and when it is tried again. `failures`, `again`: the same as it was noted before, 0 and None where
    it did not fail. What a person asks for before that time, in vain, makes no wait longer: it counts for nothing."""
    if failures and again is not None and not due_zones((name,), {name: again}, now):
        return failures, again
    return failures + 1, next_try(name, failures + 1, now, interval)


def due_zones(zones: Iterable[T], tries: Mapping[T, int | None], now: int) -> tuple[T, ...]:
    """The zones (or the providers of zones) that a pass of the daemon asks: all but those that failed and whose time has not come. `tries`: by zone, when it
    is tried again (`next_try`), None or no entry where it did not fail. A time further off than any wait can be was noted by a
    clock that has jumped since, and counts for nothing."""
    return tuple(zone for zone in zones if not now < (tries.get(zone) or 0) <= now + LONGEST)
