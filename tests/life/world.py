"""A world that keys live in, with a truth of its own: the true time, a zone at its provider, name servers that lag, who signs.

The rules are judged here, by what receivers saw and when, never by the stamps that rotation wrote.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dnssync.core import dkim, durations
from dnssync.core.sighting import Sight

if TYPE_CHECKING:
    from tests.life.machine import Machine

DOMAIN = "example.org"
START = 1_795_000_000
HOUR, DAY, YEAR = 3600, 86400, 365 * 86400
NEVER = -1
# What the clock guard lets pass as drift between two passes (a minute, and 0.2 % of the time) is what the margins are for.
SEASON_SLOP, OVERLAP_SLOP = 5 * 60, 2 * HOUR


class Died(Exception):
    """The process ended at this moment."""


@dataclass
class Server:
    """A name server: what it shows and since when, by selector; and when it will have followed the zone."""

    shown: dict[str, tuple[str, int]] = field(default_factory=dict)
    version: int = 0
    follows: int = NEVER
    deaf: frozenset[str] = frozenset()  # kinds (`r`, `e`) that never get here


@dataclass
class World:
    """Everything outside the hosts. `luck`: 0 = nothing fails, 1 = much does. Records are known by their selector."""

    chance: random.Random
    luck: float = 0.0
    negative: int = HOUR
    expires: int | None = None
    time: int = START
    zone: dict[str, str] = field(default_factory=dict)
    version: int = 0
    servers: tuple[Server, ...] = field(default_factory=lambda: (Server(), Server(), Server()))
    others: dict[tuple[str, str], str] = field(default_factory=dict)  # what stands in it beside keys
    machines: list[Machine] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)  # every selector that was ever made, and its record
    owner: dict[str, Machine] = field(default_factory=dict)
    last_signed: dict[str, int] = field(default_factory=dict)
    compromised: set[str] = field(default_factory=set)
    put_back: set[str] = field(default_factory=set)  # withdrawn, and then put back by a person
    stood: set[tuple[str, str]] = field(
        default_factory=set
    )  # (selector, text) of every record that ever was in the zone
    by_hand: set[str] = field(default_factory=set)  # selectors whose record, or line in the map, a person changed
    told: Counter[str] = field(default_factory=Counter)

    @property
    def season(self) -> int:
        """For how long a record must have stood before anybody signs with its key."""
        return durations.season(self.negative, None)[0]

    @property
    def overlap(self) -> int:
        """For how long it must stand after the last signature."""
        return durations.overlap(self.expires, 4 * DAY, HOUR)[0]

    def fails(self, rate: float) -> bool:
        """Whether this goes wrong now."""
        return self.luck > 0 and self.chance.random() < rate * self.luck

    # --- the zone ---------------------------------------------------------------------------------------------------

    def born(self, machine: Machine, selector: str, record: str) -> None:
        """A key was made: under a name that no key ever had."""
        assert selector not in self.keys, f"{selector} was used twice"
        self.keys[selector], self.owner[selector] = record, machine

    def write(self, machine: Machine, wanted: Mapping[str, str | None]) -> None:
        """A host's write arrives at the provider. Rule: nobody is denied a key that signed within its overlap, and no host
        touches another's."""
        for selector, text in wanted.items():
            had = self.zone.get(selector)
            if had == text:
                continue
            assert self.owner[selector] is machine, f"{machine.name} changed {selector} of {self.owner[selector].name}"
            signed = self.last_signed.get(selector)
            excused = selector in self.compromised | self.put_back
            self.put_back.discard(selector)
            if had == self.keys[selector] and signed is not None and not excused:
                gone = self.time - signed
                assert gone >= self.overlap - OVERLAP_SLOP, (
                    f"{selector} was withdrawn {gone / DAY:.2f} d after it signed"
                )
            self._set(selector, text)

    def edit(self, selector: str, text: str | None) -> None:
        """A person changes a record at the provider."""
        self.by_hand.add(selector)
        if text == self.keys[selector]:
            self.put_back.add(selector)
        self._set(selector, text)

    def _set(self, selector: str, text: str | None) -> None:
        if text is None:
            self.zone.pop(selector, None)
        else:
            self.zone[selector] = text
            self.stood.add((selector, text))
        self.version += 1
        for server in self.servers:
            if server.follows == NEVER:
                server.follows = self.time + self._lag()

    def _lag(self) -> int:
        if self.fails(0.3):
            return self.chance.choice((HOUR, HOUR, 6 * HOUR, 2 * DAY))
        return self.chance.randint(0, 50)

    def sight(self, selector: str, wanted: str, read: bool, ended: bool, silent: bool) -> Sight:
        """What a look at the name servers and the provider's own reading (where there is one) show of a key's record."""
        look = Sight.UNKNOWN if silent or self.fails(0.15) else self._answers(selector, wanted)
        there = self.zone.get(selector)
        if not read:
            return look
        if ended:
            return Sight.OTHER if there is not None else look
        return look if there == wanted else Sight.ABSENT if there is None else Sight.OTHER

    def _answers(self, selector: str, wanted: str) -> Sight:
        shown = [server.shown.get(selector, (None, 0))[0] for server in self.servers]
        votes = {Sight.ABSENT if text is None else Sight.VISIBLE if text == wanted else Sight.OTHER for text in shown}
        return votes.pop() if len(votes) == 1 else Sight.PARTIAL if Sight.VISIBLE in votes else Sight.OTHER

    def since(self, selector: str) -> int:
        """Since when every name server has been showing the key's record without a gap, `NEVER` where one does not."""
        shown = [server.shown.get(selector, ("", NEVER)) for server in self.servers]
        return NEVER if any(text != self.keys[selector] for text, _ in shown) else max(at for _, at in shown)

    # --- time -------------------------------------------------------------------------------------------------------

    def go_on(self, seconds: int) -> None:
        """Time passes: exim signs all the while, and name servers follow the zone."""
        until = self.time + seconds
        for machine in self.machines:
            for selector in machine.signers():
                if selector in self.keys:
                    self.last_signed[selector] = until
        for server in self.servers:
            if NEVER < server.follows <= until:
                self._follow(server)
        self.time = until

    def _follow(self, server: Server) -> None:
        for selector in [name for name in server.shown if name not in self.zone]:
            del server.shown[selector]
        for selector, text in self.zone.items():
            had = server.shown.get(selector)
            if (had is None or had[0] != text) and selector[8] not in server.deaf:
                server.shown[selector] = (text, max(server.follows, self.time))
        server.follows = NEVER

    # --- who signs ----------------------------------------------------------------------------------------------------

    def starts(self, selector: str) -> None:
        """Rule: no key begins to sign before all servers have shown it for its season. One that has signed is known."""
        if selector in self.last_signed or selector not in self.keys:
            return
        since = self.since(selector)
        assert since != NEVER, f"{selector} signs and is not on all name servers"
        stood = self.time - since
        assert stood >= self.season - SEASON_SLOP, f"{selector} signs after {stood} s of {self.season}"
        self.told[f"first signature of {selector[8]} by {self.owner[selector].name}"] += 1


REVOKED = dkim.REVOKED
