"""One pass of a host with all of dnssync but its edges: `Line` and `carry_out` with a real state and map, in the same world.

Keys are made in no time, DNS is the world's, exim is asked by looking. Every call of what stands in for the outside may be the last.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from dnssync import signing_map
from dnssync.carry_out import carry_out
from dnssync.config import Config, EximConfig, ProviderConfig, ZoneConfig
from dnssync.core.decide import Decision
from dnssync.core.guard import SIGNING
from dnssync.core.host import Address, Host
from dnssync.core.model import Change, KeyPair, Limits, Owner, ProviderError, RRset, StaleZone, Value
from dnssync.core.observed import Observed
from dnssync.core.policy import DkimPolicy, MailPolicy
from dnssync.core.rotation import Policy, phase
from dnssync.core.sighting import Answer, Question, Rcode, Reply
from dnssync.errors import DnssyncError, RefusedError
from dnssync.kept import Kept
from dnssync.new_keys import make_map, recover
from dnssync.reconcile import Line
from dnssync.report import Report
from dnssync.state import State
from tests.life import core_pass, lives
from tests.life.machine import Machine
from tests.life.world import DOMAIN, HOUR, Died, World

FAST = Path("/dev/shm")  # exim's map is synced to disk all the time
MARK = "._domainkey"
APEX = {
    ("", "SOA"): "ns.example.org. hostmaster.example.org. 1 7200 3600 1209600 3600",
    ("", "NS"): "ns.example.org.",
    ("", "MX"): "10 mx.example.org.",
}


class Books(State):
    """The state, in memory, which may be the last thing that was written, or not be written any more."""

    die: Callable[[], None] = staticmethod(lambda: None)

    def __init__(self) -> None:
        self.memory = sqlite3.connect(":memory:", isolation_level=None)
        engine = sa.create_engine("sqlite://", creator=lambda: self.memory, poolclass=StaticPool)
        sa.event.listen(engine, "begin", lambda connection: self.memory.execute("BEGIN"))
        super().__init__(engine, "localhost", "in memory")
        self._prepare(read_only=False)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """As it is, with an end before or after it."""
        outer = self._open is None
        if outer:
            self.die()
        with super().transaction():
            yield
        if outer:
            self.die()


class Dns:
    """The provider, the resolver, the keystore and the providers' list of one host: all that dnssync asks of the outside."""

    limits = Limits()

    def __init__(self, machine: Office) -> None:
        self.machine, self.world = machine, machine.world
        self.zones = self

    # --- zones and provider -----------------------------------------------------------------------------------------------

    def provider(self, name: str) -> Dns:
        return self

    def zone_limits(self, zone: str) -> Limits:
        return self.limits

    def snapshot(self, provider: str, zone: str, name: str) -> None:
        """None is kept here."""

    def read(self, zone: str) -> tuple[RRset, ...]:
        self.machine.may_die()
        if self.world.fails(0.15):
            raise ProviderError("example.org: the provider did not answer", transient=True)
        return tuple(self._found().values())

    def _found(self) -> dict[tuple[str, str], RRset]:
        others = {
            key: RRset(*key, HOUR, (Value(text, text),)) for key, text in {**APEX, **self.machine.world.others}.items()
        }
        names = {selector + MARK: text for selector, text in self.world.zone.items()}
        return {**others, **{(n, "TXT"): RRset(n, "TXT", HOUR, (Value(t, f'"{t}"'),)) for n, t in names.items()}}

    def write(self, zone: str, changes: Sequence[Change]) -> tuple[str, ...]:
        self.machine.may_die()
        if not changes:
            return ()
        fault = self.world.fails(0.1)
        if fault and self.world.chance.random() < 0.7:
            raise ProviderError("example.org: the provider is being mended", transient=True)
        found = self._found()
        if any(found.get((c.name, c.type)) != c.old for c in changes):
            raise StaleZone("example.org: somebody else was quicker")
        ours: dict[str, str | None] = {}
        for change in changes:
            text = change.new.values[0].text if change.new else None
            if MARK in change.name:
                ours[change.name.partition(MARK)[0]] = text
            elif text is None:
                del self.world.others[(change.name, change.type)]
            else:
                self.world.others[(change.name, change.type)] = text
        self.world.write(self.machine, ours)
        self.machine.may_die()
        if fault:
            raise ProviderError("example.org: the provider broke off", transient=True)
        return ()

    # --- resolver -----------------------------------------------------------------------------------------------------------

    def look(self, questions: Iterable[Question]) -> dict[Question, Answer]:
        self.machine.may_die()
        silent = self.world.fails(0.1)
        return {question: self._answer(question, silent) for question in questions}

    def _answer(self, question: Question, silent: bool) -> Answer:
        name = question.name.removesuffix(DOMAIN).removesuffix(".")
        mute = silent or self.world.fails(0.1)
        replies = []
        for number, server in enumerate(self.world.servers):
            if MARK in name:
                text = server.shown.get(name.partition(MARK)[0], (None, 0))[0]
            else:
                text = self.world.others.get((name, question.type))
            code = Rcode.TIMEOUT if mute and number == 0 else Rcode.DATA if text is not None else Rcode.NXDOMAIN
            replies.append(Reply(f"192.0.2.{number}", code, (text,) if code is Rcode.DATA and text else ()))
        return Answer(question, tuple(replies))

    def texts(self, name: str, kind: str, zone: str = "") -> tuple[str, ...] | None:
        answer = self._answer(Question(name, kind, zone), False)
        return answer.texts if answer.known else None

    def negative_ttl(self, zone: str) -> int | None:
        return self.world.negative

    # --- keystore -----------------------------------------------------------------------------------------------------------

    def host(self) -> str:
        return self.machine.host_id

    def name_host(self, name: str) -> None:
        self.machine.host_id = name

    def path(self, domain: str, selector: str) -> Path:
        return Path("/keys", domain, f"{selector}.pem")

    def any(self) -> bool:
        return bool(self.machine.disk)

    def holds(self, domain: str, selector: str) -> bool:
        return selector in self.machine.disk

    def public(self, domain: str, selector: str) -> tuple[str, str] | None:
        return self.machine.disk.get(selector)

    def adopt(self, domain: str, selector: str, source: str) -> tuple[str, str]:
        return self.machine.disk[selector]  # one of ours, which a person named to exim: it is where it was

    def half(self, domain: str, selector: str) -> tuple[str, str]:
        return self.machine.disk[selector]

    def sweep(self) -> None:
        """Nothing is half written here."""

    def generate(self, domain: str, selector: str, algorithm: str) -> tuple[str, str]:
        self.machine.may_die()
        made = self.machine.make(selector, algorithm)
        if self.world.fails(0.05):  # more often than elsewhere, since keys are made so rarely
            raise Died
        return made

    def problem(self, key: KeyPair) -> str:
        return "" if self.machine.openable(key.selector) else f"{key.selector} cannot be opened"

    def closed(self, domain: str) -> str:
        return ""

    def purge(self, key: KeyPair, disclose: Path | None = None) -> None:
        assert self.world.zone.get(key.selector) is None or key.selector in self.world.by_hand, (
            "its record stands there yet"
        )
        self.machine.may_die()
        self.machine.disk.pop(key.selector, None)
        self.machine.lost.pop(key.selector, None)
        self.machine.may_die()


class Zones:
    """`zones.Zones` with the one provider."""

    def __init__(self, dns: Dns) -> None:
        self._dns = dns
        self.provider, self.snapshot, self.limits = dns.provider, dns.snapshot, dns.zone_limits


class Office(Machine):
    """A host whose books are a real state and a real map."""

    def __init__(self, world: World, name: str, policy: Policy, folder: Path) -> None:
        super().__init__(world, name, policy)
        self.host_id = ""
        self.folder = folder / name
        self.folder.mkdir()
        policy_of = MailPolicy(
            dkim=DkimPolicy(lifetime=policy.lifetime), adopt=True
        )  # the second host finds the first one's SPF
        self.config = Config(
            file=Path("dnssync.yaml"),
            providers={"p": ProviderConfig("p", "memory", {})},
            zones={DOMAIN: ZoneConfig(DOMAIN, ("p",), (DOMAIN,), (), policy_of)},
            exim=EximConfig(map=self.folder / "map"),
            keys=self.folder,
            state="sqlite://",
        )
        self.state = Books()
        self.kept: bytes | None = None
        self.remembered: Kept | None = None  # by a daemon
        self.read = True  # whether the last pass read the zone at its provider; DNS first, what is gone there may not be noticed yet

    def rows(self) -> tuple[KeyPair, ...]:
        return self.state.keys()

    def save(self, keys: Iterable[KeyPair]) -> None:
        self.state.save_keys(keys)

    def keep(self) -> None:
        self.kept = self.state.memory.serialize()
        self.backup = (self.rows(), None, self.jumps, self.boots, self.world.time)

    def restore(self) -> None:
        if self.kept is None:
            self.state = Books()
        else:
            self.state.memory.deserialize(self.kept)
        self.clock = self.state.clock()

    def settle_revoked(self, told: str) -> None:
        """A person does what the refusal says: a key in wrong hands is said to be so, what was a mistake is deleted."""
        for key in self.rows():
            if key.selector in told and key.selector in self.world.compromised:
                self.save([replace(key, called=self.now, compromised=self.now)])
            elif key.selector in told:
                self.world.edit(key.selector, None)

    def may_die(self) -> None:
        if self.world.fails(0.003):
            raise Died

    def host(self) -> Host:
        told = super().host()
        [mail] = told.domains
        address = Address(f"198.51.100.{self.name[-1]}", "its only one")
        return Host(
            told.hostname,
            told.version,
            told.config_file,
            told.helo,
            (
                type(mail)(
                    mail.name,
                    addresses=(address,),
                    transports=mail.transports,
                    accepts=frozenset({f"postmaster@{DOMAIN}"}),
                ),
            ),
        )


Decided = Callable[[Line, Office, Callable[[Observed, Decision], None]], tuple[Report | None, int | None]]


def by_hand(line: Line, machine: Office, look: Callable[[Observed, Decision], None]) -> tuple[Report, int | None]:
    """The zone is read; `look` is shown what was decided before anything is written."""
    machine.read = True
    seen, got = line.plan()
    look(seen, got)
    wake = got.wake - machine.now if got.wake is not None else None
    return carry_out(line, seen, got, token=machine.token), wake


def run(machine: Machine, decided: Decided = by_hand) -> int | None:
    """One pass, as `apply` makes it, or as `decided` does. When the next is asked for, in seconds from now; None where nothing is pending."""
    assert isinstance(machine, Office)
    world, now, state = machine.world, machine.now, machine.state
    file = machine.config.exim.map
    lines: Mapping[str, tuple[str, ...]] = {DOMAIN: machine.map} if machine.map else {}
    if signing_map.read(file) != lines:
        file.write_text(signing_map.text(lines), encoding="ascii")
    dns = Dns(machine)
    host = machine.host()
    line = Line(
        machine.config, state, dns, dns, Zones(dns), lambda names, recipients: host, lambda: now, uptime=machine.uptime
    )  # type: ignore[arg-type]
    if machine.confirmed:
        state.add_request("clock", "", now, None)
    signed: set[str] = set()
    report: Report | None = None
    wake: int | None = 900
    state.die = machine.may_die
    try:
        recover(line)
        make_map(line)

        def look(seen: Observed, got: Decision) -> None:
            nonlocal wake
            fine = {k.selector for k in seen.keys if phase(k, machine.policy, now) in SIGNING and k.compromised is None}
            # One that a person took from the zone before it was seen to sign is none that anybody could verify.
            fine -= {k.selector for k in seen.keys if k.activated is None and k.selector not in world.zone}
            signed.update(name[8] for name in machine.signers() if name in fine)
            for step in got.steps.values():
                core_pass.judged(machine, seen, step)
            wake = got.wake - now if got.wake is not None else None

        report, wake = decided(line, machine, look)
    except Died:
        world.told["died"] += 1
    except RefusedError:
        world.told["refused: another plan"] += 1  # a look-up beyond the zone answered once, and not the second time
    except DnssyncError as error:
        world.told[str(error)] += 1
    finally:
        state.die = lambda: None
    machine.map = signing_map.read(file).get(DOMAIN, ())
    if machine.map and machine.map not in machine.maps[-1:]:
        machine.maps.append(machine.map)
    machine.clock = state.clock()
    if machine.clock is not None and machine.clock.wall == now:
        machine.unsettled = False
        machine.noticed = machine.noticed or not host.domains[0].transports[0].problem
    for outcome in report.outcomes if report else ():
        for refusal in outcome.refusals:
            world.told[f"refused: {refusal.reason}"] += 1
            if refusal.reason == "revoked_by_others" and world.chance.random() < 0.3:
                machine.settle_revoked(refusal.sentence)
    for entry in state.ledger(DOMAIN):
        if entry.owner is Owner.DKIM:
            assert (entry.name.partition(MARK)[0], entry.value) in world.stood, f"{entry} never stood there"
    whole = machine.read and report is not None and not report.failed and not report.refused
    core_pass.after_pass(machine, signed, whole)
    return wake


def life(
    seed: int, *, hourly: bool = False, years: float = 3, run: Callable[[Machine], int | None] = run
) -> Counter[str]:
    """A whole life of some years, and what it told of; raises AssertionError, with the seed, where a rule is broken. `run`: one pass."""
    with tempfile.TemporaryDirectory(prefix="dnssync-life-", dir=FAST if FAST.is_dir() else None) as folder:

        def made(world: World, name: str, policy: Policy) -> Office:
            return Office(world, name, policy, Path(folder))

        world = lives.life(seed, years=years, hourly=hourly, sparing=not hourly, run=run, made=made)
    told = world.told
    for machine in world.machines if not told["state restored"] else ():
        forgotten = set(machine.disk) - {key.selector for key in machine.rows()}
        assert not forgotten, f"seed {seed}: nobody knows of the private halves of {forgotten}"
    assert years < 1 or (told["first signature of r by mx1"] and told["first signature of e by mx1"]), (
        f"seed {seed}: nothing signed"
    )
    return told
