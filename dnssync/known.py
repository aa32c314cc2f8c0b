"""What looks found out about where zones' servers listen, for those that come after them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from dnssync.wire import Message, Server

REMEMBER = 1800.0  # seconds; shorter than any season, so that no key becomes READY by servers of a former delegation
REMEMBER_FAILURE = 60.0  # seconds

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Servers:
    """The servers of a zone.

    `asked` can be asked. `not_asked` are addresses without a route from here and servers without an address, as text.
    `unknown` are servers whose addresses nobody told, with the reason. `problem` says why there are none at all."""

    asked: tuple[Server, ...] = ()
    not_asked: tuple[str, ...] = ()
    unknown: tuple[tuple[str, str], ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """What the zone above says of a zone's servers: their `names` in lower case without the final dot, and `glue`, addresses by name.

    `named`: the configuration names the servers, so the zone above was not asked. `alone`: it was, and has no delegation.
    `problem`: why it could not be found out, as a sentence."""

    names: tuple[str, ...] = ()
    glue: tuple[tuple[str, tuple[str, ...]], ...] = ()
    named: bool = False
    alone: bool = False
    problem: str = ""


class Remembered(Generic[T]):
    """Values by name for a while: good ones longer than failures."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._until: dict[str, tuple[float, T]] = {}

    def get(self, name: str) -> T | None:
        """The value, None where there is none or its time is over."""
        until, value = self._until.get(name, (0.0, None))
        return value if self._now() < until else None

    def put(self, name: str, value: T, good: bool) -> T:
        """Remember the value and hand it back."""
        self._until[name] = (self._now() + (REMEMBER if good else REMEMBER_FAILURE), value)
        return value


@dataclass(frozen=True, slots=True)
class Addresses:
    """Addresses of one server name; `trouble` = why there may be more that nobody told."""

    found: tuple[str, ...] = ()
    trouble: str = ""


class Known:
    """What looks found out about servers, for those that come after them."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.servers: Remembered[Servers] = Remembered(now)
        self.parents: Remembered[Servers] = Remembered(now)
        self.above: Remembered[Message] = Remembered(now)
        self.addresses: Remembered[Addresses] = Remembered(now)
