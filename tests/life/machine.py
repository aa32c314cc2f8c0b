"""A mail server in the world: its disk, its clocks, exim with its map, its state, and what people do to all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from dnssync.core import dkim, selectors
from dnssync.core.clock import Reading
from dnssync.core.host import Host, MailDomain, Signer, Transport
from dnssync.core.model import KeyPair, Phase
from dnssync.core.rotation import Policy, phase
from tests.life.world import DAY, DOMAIN, HOUR, REVOKED, Died, World

BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
THEIRS = "handmade"  # the beginning of the name of a key that is none of ours


@dataclass
class Machine:
    """A host. `skew`: by how much its clock is ahead of the true time; `override`: what exim signs with where it does not
    read our map; `disk`: the private halves by selector; `closed`: those that exim may not open."""

    world: World
    name: str
    policy: Policy
    keys: tuple[KeyPair, ...] = ()  # the state's rows, while it is the pure core that is tried
    clock: Reading | None = None
    intents: list[KeyPair] = field(default_factory=list)
    backup: tuple[tuple[KeyPair, ...], Reading | None, int, int, int] | None = None
    disk: dict[str, tuple[str, str]] = field(default_factory=dict)
    lost: dict[str, tuple[str, str]] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    map: tuple[str, ...] = ()
    maps: list[tuple[str, ...]] = field(default_factory=list)
    override: tuple[str, ...] | None = None
    noticed: bool = True  # a pass has kept what it saw of that
    skew: int = 0
    booted: int = 0
    boots: int = 0
    unsettled: bool = False  # the clock jumped, and no pass has noted it yet
    jumps: int = 0
    confirmed: bool = False

    def __post_init__(self) -> None:
        self.booted = self.world.time - DAY

    # --- clocks -------------------------------------------------------------------------------------------------------

    @property
    def now(self) -> int:
        """What the wall clock says."""
        return self.world.time + self.skew

    def uptime(self) -> tuple[float, str]:
        """What the clock says that nobody sets, and this boot's id."""
        return float(self.world.time - self.booted), f"boot {self.boots}"

    # --- exim ---------------------------------------------------------------------------------------------------------

    def openable(self, selector: str) -> bool:
        """Whether exim can open a key's file."""
        return selector.startswith(THEIRS) or (selector in self.disk and selector not in self.closed)

    def line(self) -> tuple[str, ...]:
        """The selectors that exim is told, by our map or otherwise."""
        return self.map if self.override is None else self.override

    def signers(self) -> tuple[str, ...]:
        """What mail is signed with now: one file that cannot be opened costs all signatures."""
        line = self.line()
        return line if all(map(self.openable, line)) else ()

    def kinds(self) -> set[str]:
        """The kinds of signature that mail leaves with."""
        return {name[8] for name in self.signers() if not name.startswith(THEIRS)}

    def host(self) -> Host:
        """What exim tells of itself; now and then the probe can't tell what it signs with."""
        problem = "it did not say" if self.world.fails(0.15) else ""
        signers = tuple(
            Signer(
                DOMAIN,
                name,
                "" if name.startswith(THEIRS) else f"/keys/{name}.pem",
                *self.disk.get(name, ("", "")),
                problem="" if self.openable(name) else "it cannot be opened",
            )
            for name in ((), self.line())[not problem]
        )
        transport = Transport("remote_smtp", takes_macros=True, uses_map=self.override is None, signers=signers,
                              expires=self.world.expires, problem=problem)  # fmt: skip
        return Host(self.name, "4.96", "/etc/exim4", (self.name,), (MailDomain(DOMAIN, transports=(transport,)),))

    # --- the disk -----------------------------------------------------------------------------------------------------

    def token(self) -> str:
        """Four characters that no selector had yet."""
        number, token = len(self.world.keys), ""
        for _ in range(4):
            number, digit = divmod(number, 32)
            token += BASE32[digit]
        return token

    def make(self, selector: str, algorithm: str) -> tuple[str, str]:
        """A private half, made and synced."""
        public = f"{self.name}{selector[-4:]}".encode().hex().upper()
        key = KeyPair(DOMAIN, selector, algorithm, public, self.now)
        self.world.born(self, selector, dkim.record_for(key))
        self.disk[selector] = (algorithm, public)
        return algorithm, public

    def new_key(self, algorithm: str) -> KeyPair:
        """A key as `make_keys` makes it: the intent, the file, the row."""
        kind = "ed25519" if algorithm == "ed25519" else "rsa"
        name = selectors.selector(self.now, kind, self.name, self.token())
        self.may_die()
        key = KeyPair(DOMAIN, name, *self.make(name, algorithm), generated=self.now)
        self.intents.append(key)
        self.may_die()
        self.keys = (*self.keys, key)
        self.intents.clear()
        self.may_die()
        return key

    def may_die(self) -> None:
        """The process may end at any moment."""
        if self.world.fails(0.02):
            raise Died

    def rows(self) -> tuple[KeyPair, ...]:
        """What the state holds of keys."""
        return self.keys

    def save(self, keys: Iterable[KeyPair]) -> None:
        """Overwrite rows of the state."""
        fresh = {key.selector: key for key in keys}
        self.keys = tuple(fresh.get(key.selector, key) for key in self.keys)

    def keep(self) -> None:
        """Somebody makes a backup of the state."""
        self.backup = (self.keys, self.clock, self.jumps, self.boots, self.world.time)

    def restore(self) -> None:
        """Somebody brings the backup back, or there is none and the state is lost."""
        self.keys, self.clock, *_ = self.backup or ((), None)
        self.intents.clear()

    # --- what people and machines do ------------------------------------------------------------------------------------

    def trouble(self) -> None:
        """What may happen between two passes."""
        world = self.world
        self.confirmed = False
        if not world.luck:
            return
        mine = [name for name in world.zone if world.owner.get(name) is self]
        if mine and world.fails(0.02):
            world.edit(world.chance.choice(mine), None)
        mine = [name for name in mine if name in world.zone]
        if mine and world.fails(0.005):
            name = world.chance.choice(mine)
            world.edit(name, REVOKED if world.zone[name] != REVOKED else world.keys[name])
        self._files()
        self._exim()
        self._clocks()
        if world.fails(0.015):
            self.word()
        if world.fails(0.03):
            self.keep()
        if world.fails(0.002) and not self.unsettled and self.backup_serves():
            self.restore()
            world.told["state restored"] += 1

    def backup_serves(self) -> bool:
        """Whether nothing happened since the backup that nobody can tell from it: the clock jumped, or a key that had retired signed
        again."""
        if self.backup is None:
            return True
        keys, _, jumps, boots, at = self.backup
        back = any(key.retired and self.world.last_signed.get(key.selector, 0) > at for key in keys)
        return (jumps, boots) == (self.jumps, self.boots) and not back

    def _files(self) -> None:
        world = self.world
        if self.disk and world.fails(0.004):
            name = world.chance.choice(list(self.disk))
            self.lost[name] = self.disk.pop(name)
        if self.disk and world.fails(0.004):
            self.closed.add(world.chance.choice(list(self.disk)))
        if (self.lost or self.closed) and world.fails(0.1):
            self.bring_back()

    def bring_back(self) -> None:
        """A person brings back what was lost from the disk, and opens to exim what was closed."""
        self.disk.update(self.lost)
        self.lost.clear()
        self.closed.clear()

    def _exim(self) -> None:
        world = self.world
        back = {key.selector for key in self.rows() if key.retired is not None} & set(self.map)
        if self.maps and not back and world.fails(0.005):  # nobody does while a key that had retired is on its way back
            self.map = world.chance.choice(self.maps)  # an older one, from a backup
            world.by_hand.update(self.map)
        if self.override is None and world.fails(0.004):
            choices = [(), (f"{THEIRS}r",), *self.maps[-3:]]
            self.override = world.chance.choice(choices)
            self.noticed = False
            world.by_hand.update(self.override)
        elif self.override is not None and self.noticed and world.fails(0.08):
            self.read_map()

    def read_map(self) -> None:
        """Exim reads our map again."""
        self.override = None
        for name in self.signers():
            if name not in self.world.by_hand:
                self.world.starts(name)

    def _clocks(self) -> None:
        world = self.world
        if world.fails(0.008):
            self.skew += world.chance.choice((1, -1)) * world.chance.choice((2, 90, HOUR, DAY, 40 * DAY, 400 * DAY))
            self.unsettled = True
            self.jumps += 1
        elif not self.unsettled and world.fails(0.01):
            self.boots, self.booted = self.boots + 1, world.time
            if world.chance.random() < 0.3:
                self.skew += world.chance.choice((HOUR, -HOUR, -40 * DAY, 20 * DAY))
                self.unsettled = True
                self.jumps += 1
        self.confirmed = self.clock is not None and self.clock.doubted is not None and world.fails(0.05)

    def word(self) -> None:
        """A person says that keys are to be replaced, that they are in wrong hands, or that the last ones are to come back."""
        now, what = self.now, self.world.chance.choice(("rotate", "rotate", "abort", "abort", "emergency"))
        rows = self.rows()
        phases = {key.selector: phase(key, self.policy, now) for key in rows}
        active = [key for key in rows if phases[key.selector] is Phase.ACTIVE]
        if what == "rotate":
            self.save(replace(key, called=now) for key in active)
        elif what == "emergency":
            self.save(replace(key, called=now, compromised=now) for key in active)
            self.world.compromised.update(key.selector for key in active)
        else:
            for kind in ("rsa", "ed25519"):
                past = [
                    k for k in rows
                    if k.kind == kind and phases[k.selector] is Phase.RETIRED and k.activated and k.compromised is None
                ]  # fmt: skip
                if past:
                    self.save([replace(max(past, key=lambda k: (k.retired or 0, k.selector)), recalled=now)])
        self.world.told[what] += bool(active)

    # --- what must be so ------------------------------------------------------------------------------------------------

    def settled(self) -> None:
        """Long after the last failure: one key of each kind signs, one stands by, the rest is on its way out, DNS says just that."""
        world, now = self.world, self.now
        rows = [key for key in self.rows() if phase(key, self.policy, now) is not Phase.REMOVED]
        for kind in ("rsa", "ed25519"):
            phases = {key.selector: phase(key, self.policy, now) for key in rows if key.kind == kind}
            active = [name for name, at in phases.items() if at is Phase.ACTIVE]
            assert [name for name in self.signers() if name[8] == kind[0]] == active, (kind, self.signers(), phases)
            assert len(active) == 1 and not set(active) & world.compromised
            ready = [name for name, at in phases.items() if at is Phase.READY]
            assert len(ready) == 1 and not {Phase.GENERATED, Phase.PUBLISHED} & set(phases.values()), phases
            assert world.since(active[0]) >= 0 and world.since(ready[0]) >= 0
        for key in rows:
            at = phase(key, self.policy, now)
            if key.retired is not None:
                over = (key.revoked + self.policy.revoke) if key.revoked is not None else key.retired + key.overlap
                assert now <= over + HOUR, f"{key.selector} is {at} and stays so"
