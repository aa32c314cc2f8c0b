"""Years in the life of a key set, simulated: everything around it fails, and no rule of rotation is ever broken.

The world has its own truth (what each name server serves and since when, what exim signs with); the rules are judged
by that truth, not by the stamps that rotation wrote.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from dnssync.core.durations import HOUR, MARGIN
from dnssync.core.model import KeyPair, Phase, Step
from dnssync.core.rotation import COMING, Observation, Policy, advance, claimed_keys, phase
from dnssync.core.sighting import Sight

START = 1_795_000_000
DAY = 86400
POLICY = Policy(lifetime=20 * DAY)
SERVERS = 3
NEVER = -1


@dataclass
class World:
    """A zone at its provider, its name servers, exim and its map, a disk, a clock that may go back, and luck."""

    chance: random.Random
    season: int
    luck: float = 0.0  # 0 = nothing fails
    time: int = START  # true time
    behind: int = 0  # how far this host's clock is behind it
    keys: tuple[KeyPair, ...] = ()  # as saved
    zone: set[str] = field(default_factory=set)
    servers: list[dict[str, int]] = field(default_factory=lambda: [{} for _ in range(SERVERS)])
    map: str = ""
    pem: set[str] = field(default_factory=set)
    switched: bool = True  # exim reads our map
    by_hand: str = ""  # the selector exim signs with where it does not
    last_signed: dict[str, int] = field(default_factory=dict)
    made: int = 0

    @property
    def now(self) -> int:
        """What the clock says."""
        return self.time - self.behind

    def fails(self, rate: float) -> bool:
        """Whether this goes wrong today."""
        return self.chance.random() < rate * self.luck

    def signer(self) -> str:
        """The selector that mail leaves with now, "" = unsigned; exim signs with no file that it cannot open."""
        name = self.map if self.switched else self.by_hand
        return name if name in self.pem else ""

    def since(self, selector: str) -> int:
        """Since when all name servers have been serving a record without a gap, `NEVER` where one does not."""
        times = [server.get(selector, NEVER) for server in self.servers]
        return NEVER if NEVER in times else max(times)

    def sync(self) -> None:
        """Name servers follow the zone, each in its own time."""
        for server in self.servers:
            if self.fails(0.4):
                continue
            for selector in self.zone - set(server):
                server[selector] = self.time
            for selector in set(server) - self.zone:
                del server[selector]

    def sight(self, selector: str) -> Sight:
        """What a look shows; the provider's own reading belongs to it."""
        if selector not in self.zone:
            return Sight.ABSENT
        if self.fails(0.3):
            return Sight.UNKNOWN
        shown = [selector in server for server in self.servers]
        return Sight.VISIBLE if all(shown) else Sight.PARTIAL if any(shown) else Sight.ABSENT

    def observe(self) -> Observation:
        """Everything that one pass looks at."""
        signer = self.signer()
        return Observation(
            sights={key.selector: self.sight(key.selector) for key in self.keys},
            signing=None if self.fails(0.2) else frozenset({signer} if signer else ()),
            readable=frozenset(self.pem),
            season=self.season,
            overlap=6 * DAY,
        )

    def new_key(self, algorithm: str) -> KeyPair:
        """A key as the keystore makes it: private half and row on disk before DNS hears of it."""
        self.made += 1
        self.pem.add(f"s{self.made}")
        key = KeyPair("example.org", f"s{self.made}", algorithm, "AAAA", self.now)
        self.keys = (*self.keys, key)
        return key

    def run(self) -> Step:
        """One pass: observe, advance, then keys, DNS, stamps and map; each may fail or be the last thing done."""
        seen, before, now = self.observe(), self.keys, self.now
        step = advance(before, POLICY, now, seen, algorithm="rsa2048")
        judge(self, before, seen, step)
        for algorithm in step.generate:
            self.new_key(algorithm)
        if not self.fails(0.3):
            self.zone |= {key.selector for key in claimed_keys(self.keys, POLICY, now)}
        if self.fails(0.1):
            return step  # died before anything was saved
        made = self.keys[len(before) :]
        self.keys = (*step.keys, *made)
        if step.sign and not self.fails(0.3):
            if self.map != step.sign[0]:
                switch(self, step.sign[0])
            self.map = step.sign[0]
        return step

    def trouble(self) -> None:
        """What people and machines do between two passes."""
        if self.zone and self.fails(0.03):
            self.zone.discard(self.chance.choice(sorted(self.zone)))
        if self.keys and self.fails(0.01):
            self.pem.discard(self.chance.choice(self.keys).selector)
        elif self.chance.random() < 0.03:
            self.pem = {key.selector for key in self.keys}  # a person brings the files back
        if self.fails(0.02):
            self.behind += self.chance.choice((1, 90, HOUR, DAY))
        if not self.switched and self.chance.random() < 0.02:
            self.switched = True
        active = [key for key in self.keys if phase(key, POLICY, self.now) is Phase.ACTIVE]
        coming = [key for key in self.keys if key.activated is None]
        if active and not coming and self.chance.random() < 0.05:
            self.new_key("rsa2048")  # a standby

    def live(self, passes: int) -> None:
        """So many passes, each at the moment that the one before asked for, or earlier."""
        for _ in range(passes):
            signer = self.signer()
            step = self.run()
            wake = step.wake if step.wake is not None else self.now + DAY
            longest = min(wake - self.now, DAY)
            self.time += self.chance.randint(1, longest) if self.chance.random() < 0.3 else longest
            if signer == self.signer() and signer:
                self.last_signed[signer] = self.time
            self.sync()
            self.trouble()


def switch(world: World, selector: str) -> None:
    """Rule 1, by the world's own truth: exim is switched to nothing that receivers may fail to find."""
    assert selector in world.pem
    if selector in world.last_signed or selector.startswith("hand"):
        return  # it has signed before: the way back to a key that receivers know
    since = world.since(selector)
    assert since != NEVER, f"{selector} is not on all name servers"
    assert world.time - since >= world.season, f"{selector} stands for {world.time - since} s only"


def judge(world: World, before: tuple[KeyPair, ...], seen: Observation, step: Step) -> None:
    """The rules that every single step must keep."""
    now = world.now
    assert step == advance(before, POLICY, now, seen, algorithm="rsa2048"), "not pure"
    assert step.keys == advance(step.keys, POLICY, now, seen, algorithm="").keys, "the same look moved a key twice"
    assert step.wake is None or step.wake > now
    assert step.because and "None" not in step.because
    assert len(step.sign) <= 1 and set(step.sign) <= seen.readable
    assert [key.selector for key in step.keys] == [key.selector for key in before], "a key was lost"
    phases = [phase(key, POLICY, now) for key in step.keys]
    coming = [k.selector in seen.readable for k, at in zip(step.keys, phases, strict=True) if at in COMING]
    if step.generate:
        assert coming in ([], [False]), "a second successor, or ever more keys"
    for old, new in zip(before, step.keys, strict=True):
        assert new.season >= old.season and new.overlap >= old.overlap
        look = seen.sights[old.selector]
        if look is Sight.UNKNOWN and new.activated == old.activated:
            assert (new.seen, new.published) == (old.seen, old.published), "silence moved a stamp"
        if new.published is not None and old.published is None:
            assert look is Sight.VISIBLE and old.seen is not None and now - old.seen >= POLICY.gap
        if old.activated is None and new.activated is not None:
            assert seen.signing is not None and old.selector in seen.signing, "activated without proof"
        if old.activated is not None:
            assert new.activated == old.activated, "a stamp of the past was changed"
        if old.retired is None and new.retired is not None:
            assert seen.signing and old.selector not in seen.signing, "retired while it may sign"
            heirs = [k for k in step.keys if k.selector in seen.signing and (k.activated or 0) > (old.activated or 0)]
            assert heirs, "retired without a successor that signs"
    ready = {k.selector for k, at in zip(step.keys, phases, strict=True) if at is Phase.READY}
    for selector in ready & set(step.sign):
        assert seen.sights[selector] is Sight.VISIBLE, "switched without a fresh sighting"


def test_first_key_without_trouble() -> None:
    """Each pass at the moment that the one before asked for: five passes from nothing to a key that signs."""
    world = World(random.Random(0), season=HOUR + MARGIN)
    asked = []
    for _ in range(5):
        asked.append(world.time - START)
        step = world.run()
        assert step.wake is not None
        world.time = step.wake
        world.sync()
    season = HOUR + MARGIN
    assert asked == [0, 60, 120, 120 + season, 180 + season]
    assert world.signer() == "s1" and phase(world.keys[0], POLICY, world.now) is Phase.ACTIVE
