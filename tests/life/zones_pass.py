"""Passes of a host with several zones at two providers, several of them written at once, each of which may end at any moment.

State, keys and map are real files, in memory; lanes are real threads. What lies outside is this: zones stand in memory at two providers that
answer in any order and DNS shows them at once. A death is as `kill -9` would be: nothing is noted any more, and what was on its way to a provider arrives or not.
"""

from __future__ import annotations

import random
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from dnssync_providers import memory

from dnssync import signing_map
from dnssync.carry_out import carry_out
from dnssync.config import Config, EximConfig, ProviderConfig, ZoneConfig
from dnssync.core import dkim
from dnssync.core.durations import DAY
from dnssync.core.model import Change, KeyPair, Limits, Phase, ProviderError, RRset, StaleZone, relative
from dnssync.core.policy import DkimPolicy, MailPolicy
from dnssync.core.rotation import Policy, phase
from dnssync.core.sighting import Answer, Question, Rcode, Reply
from dnssync.keystore import Keystore
from dnssync.new_keys import make_map, recover
from dnssync.one_pass import Stopped
from dnssync.reconcile import Line
from dnssync.report import Report
from dnssync.state import LedgerEntry, State
from tests.soak_zones import START, ZONE, Exim

AT = {
    "eins.test": ("p",),
    "zwei.test": ("p",),
    "drei.test": ("p", "q"),
    "vier.test": ("q", "p"),
    "fuenf.test": ("q",),
}
LANES = {"p": 2, "q": 1}
PATIENCE = 4  # passes of which each may change something
THEIRS = '@ 3600 IN TXT "site-verification=abc"\n'
POLICY = MailPolicy(dkim=DkimPolicy(algorithms=("ed25519",)))
Place = tuple[str, str, str, str]  # provider, zone, name, type


class Died(BaseException):
    """The process ended at this moment: nobody catches that."""


class Books(State):
    """The state, which may be the last thing that was written, or not be written any more. `told`: how often several were noted together."""

    moment: Callable[[str], None] = staticmethod(lambda what: None)
    told: Counter[str]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """As it is, with an end before or after it."""
        if self._open is not None:
            with super().transaction():
                yield
            return
        self.moment("transaction")
        self.begun, self.ended = set[tuple[str, str]](), set[tuple[str, str]]()
        with super().transaction():
            yield
        self.told["begun together"] += len(self.begun) > 1
        self.told["ended together"] += len(self.ended) > 1
        self.moment("transaction")

    def begin(self, zone: str, provider: str, entries: Iterable[LedgerEntry], at: int) -> int:
        """As it is; counted."""
        with self.transaction():
            self.begun.add((zone, provider))
            return super().begin(zone, provider, entries, at)

    def settle(self, zone: str, provider: str) -> None:
        """As it is; counted."""
        with self.transaction():
            self.ended.add((zone, provider))
            super().settle(zone, provider)


class Cloud(memory.Provider):
    """A provider; what it is asked to write has to be known to the state's file by then."""

    def __init__(self, id: str, town: Town) -> None:
        super().__init__(id, {zone: ZONE + THEIRS for zone, at in AT.items() if id in at})
        self.town, self.limits = town, Limits(parallel=LANES[id])

    def lane(self, zone: str) -> int:
        """Zones take turns."""
        return list(self.zones).index(zone) % LANES[self.id]

    def read(self, zone: str) -> tuple[RRset, ...]:
        """Now and then it does not answer."""
        if self.town.fails(0.05, "read", self.id, zone):
            raise ProviderError(f"{zone}: {self.id} did not answer", transient=True)
        return super().read(zone)

    def write(self, zone: str, changes: Sequence[Change]) -> tuple[str, ...]:
        """Whatever comes of it, and however long it takes."""
        town, at = self.town, (self.id, zone)
        town.moment("write")
        fresh = {
            (*at, change.name, change.type): value.text
            for change in changes
            for value in (change.new.values if change.new else ())
            if not change.old or value not in change.old.values
        }
        if changes:
            town.told["writes"] += 1
            town.intended(zone, self.id, fresh)
        time.sleep(town.chance("nap", *at).choice((0, 0, 0.001, 0.002)))
        if town.fails(0.1, "before", *at):
            raise ProviderError(f"{zone}: {self.id} is being mended", transient=True)
        if changes and town.fails(0.1, "stale", *at):
            raise StaleZone(f"{zone}: somebody else was quicker")
        super().write(zone, changes)
        town.wrote |= set(fresh.items())
        town.moment("written")
        if changes and town.fails(0.1, "after", *at):
            raise ProviderError(f"{zone}: {self.id} broke off", transient=True)
        return ()


@dataclass(frozen=True)
class Before:
    """Everything as it was at a moment."""

    folder: Path
    now: int
    zones: dict[str, dict[str, dict[tuple[str, str], RRset]]]
    wrote: frozenset[tuple[Place, str]]


class Town:
    """The host and its providers. `fate`: at which of a pass's moments it dies (None: at none); `luck`: 0 = nothing fails."""

    def __init__(self, folder: Path, seed: int = 0) -> None:
        folder.chmod(0o755)
        self.folder, self.seed, self.now, self.luck = folder / "host", seed, START, 0.0
        self.folder.mkdir()
        self.clouds = {name: Cloud(name, self) for name in LANES}
        self.zones, self.sleep = self, time.sleep
        self.config = Config(
            file=Path("dnssync.yaml"),
            providers={name: ProviderConfig(name, "memory", {}) for name in LANES},
            zones={zone: ZoneConfig(zone, at, (zone,), (), POLICY) for zone, at in AT.items()},
            exim=EximConfig(map=self.folder / "exim" / "map"),
            keys=self.folder / "keys",
            state=f"sqlite:///{self.folder}/state.db",
        )
        self.told: Counter[str] = Counter()
        self.wrote: set[tuple[Place, str]] = set()
        self.fate: int | None = None
        self.moments, self.dead, self.passes = 0, False, 0
        self.wake: int | None = None
        self._one, self._calls = threading.Lock(), Counter[tuple[object, ...]]()

    # --- chance and death -------------------------------------------------------------------------------------------

    def chance(self, *what: object) -> random.Random:
        """The same for the same pass and call, in whatever order threads come."""
        with self._one:
            self._calls[(self.passes, *what)] += 1
            return random.Random(repr((self.seed, self.passes, what, self._calls[(self.passes, *what)])))

    def fails(self, rate: float, *what: object) -> bool:
        """Whether this goes wrong now."""
        return self.luck > 0 and self.chance(*what).random() < rate * self.luck

    def moment(self, what: str) -> None:
        """The process may end here; and once it has, nothing is begun any more."""
        with self._one:
            self.dead = self.dead or self.moments == self.fate
            self.moments += 1
            if self.dead:
                raise Died(what)

    # --- what a line asks of the outside ----------------------------------------------------------------------------

    def provider(self, name: str) -> Cloud:
        """See `zones.Zones`."""
        return self.clouds[name]

    def limits(self, zone: str) -> Limits:
        """See `zones.Zones`."""
        return Limits()

    def snapshot(self, provider: str, zone: str, name: str) -> None:
        """None is kept here."""

    def look(self, questions: Iterable[Question]) -> dict[Question, Answer]:
        """The name servers: one of each provider that holds the zone, which shows what it holds."""
        return {question: self._answer(question) for question in questions}

    def _answer(self, question: Question) -> Answer:
        replies = [] if question.zone else [Reply("elsewhere", Rcode.NXDOMAIN)]
        for name in AT.get(question.zone, ()):
            found = (
                self.clouds[name]
                .zones[question.zone]
                .get((relative(question.name, question.zone) or "", question.type))
            )
            texts = tuple(value.text for value in found.values) if found else ()
            replies.append(Reply(name, Rcode.DATA if texts else Rcode.NXDOMAIN, texts, found.ttl if found else None))
        return Answer(question, tuple(replies))

    def texts(self, name: str, kind: str, zone: str = "") -> tuple[str, ...] | None:
        """See `resolver.Resolver.texts`."""
        return self._answer(Question(name, kind, zone)).texts

    def negative_ttl(self, zone: str) -> int | None:
        """That of the zones' SOA."""
        return 300

    def token(self) -> str:
        """Four characters that no selector had yet."""
        self.told["tokens"] += 1
        return f"{self.told['tokens']:04d}".translate(str.maketrans("0189", "abcd"))

    # --- passes -----------------------------------------------------------------------------------------------------

    def _heard(self, text: str) -> None:
        """Now and then somebody ends the daemon."""
        if self.fails(0.01, "heard"):
            raise Stopped

    def state(self) -> State:
        """What stands in the state's file, as another process finds it."""
        return State.open(self.config.state, read_only=True)

    def one(self, fate: int | None = None) -> Report | None:
        """A pass; None where it died."""
        self.moments, self.dead, self.fate = 0, False, None
        self.passes += 1
        books = Books.open(self.config.state)
        keystore = Keystore(self.config.keys, group="nobody's")
        exim = Exim(tuple(AT), self.config.exim.map, keystore)
        line = Line(self.config, books, keystore, self, self, exim.host, lambda: self.now, self._heard)  # type: ignore[arg-type]
        books.told, books.moment, self.fate = self.told, self.moment, fate  # type: ignore[method-assign, assignment]
        try:
            recover(line)
            make_map(line)
            seen, got = line.plan()
            assert not got.refused, [plan.refusals for plan in got.zones]
            report = carry_out(line, seen, got, token=self.token)
        except (Died, Stopped) as end:
            self.told[type(end).__name__] += 1
            return None
        finally:
            books.moment = lambda what: None  # type: ignore[method-assign]
        self.wake = got.wake
        return report

    def keep(self, folder: Path) -> Before:
        """Keep everything as it is now."""
        shutil.copytree(self.folder, folder)
        zones = {name: {zone: {**found} for zone, found in cloud.zones.items()} for name, cloud in self.clouds.items()}
        return Before(folder, self.now, zones, frozenset(self.wrote))

    def put_back(self, before: Before) -> None:
        """Make everything as it was then."""
        shutil.rmtree(self.folder)
        shutil.copytree(before.folder, self.folder)
        self.now, self.wrote = before.now, set(before.wrote)
        for name, cloud in self.clouds.items():
            cloud.zones = {zone: {**found} for zone, found in before.zones[name].items()}

    def rotate(self) -> None:
        """A person says that all keys that sign are to be replaced: they come to their ends together."""
        state = State.open(self.config.state)
        state.mark_keys(
            replace(key, called=self.now) for key in state.keys() if phase(key, Policy(), self.now) is Phase.ACTIVE
        )

    # --- the rules --------------------------------------------------------------------------------------------------

    def intended(self, zone: str, provider: str, fresh: dict[Place, str]) -> None:
        """A write arrives. Rule: it stands in the state's file that it was meant."""
        state = self.state()
        assert state.interrupted(zone, provider), f"{zone} at {provider} is written without an intent"
        noted = {((e.provider, e.zone, e.name, e.type), e.value) for e in state.unfinished(zone)}
        assert set(fresh.items()) <= noted, f"{set(fresh.items()) - noted} is written and was never meant"

    def standing(self) -> set[tuple[Place, str]]:
        """Of what was ever written, what stands there now."""
        return {
            ((name, zone, rrset.name, rrset.type), value.text)
            for name, cloud in self.clouds.items()
            for zone, found in cloud.zones.items()
            for rrset in found.values()
            for value in rrset.values
        } & self.wrote

    def check(self) -> None:
        """What holds at every moment, dead or alive."""
        state, standing = self.state(), self.standing()
        ledger = {((e.provider, e.zone, e.name, e.type), e.value) for e in state.ledger()}
        meant = {((e.provider, e.zone, e.name, e.type), e.value) for e in state.unfinished(None)}
        assert standing <= ledger | meant, f"nobody knows of {standing - ledger - meant}"
        for zone, at in AT.items():
            for name in at:
                here = [{one for one in every if one[0][:2] == (name, zone)} for every in (ledger, standing)]
                assert state.interrupted(zone, name) or here[0] == here[1], f"an intent was lost: {here[0] ^ here[1]}"
                assert any("site-verification=abc" in v.text for v in self.clouds[name].zones[zone][("", "TXT")].values)
        keys = {(key.domain, key.selector): key for key in state.keys()}
        known = {*keys, *((domain, selector) for _, domain, selector, _ in state.unfinished_keys())}
        files = {(path.parent.name, path.stem) for path in self.config.keys.rglob("*.pem")}
        assert files <= known, f"nobody knows of the private halves of {files - known}"
        self._signed(keys, files)

    def _signed(self, keys: dict[tuple[str, str], KeyPair], files: set[tuple[str, str]]) -> None:
        """Every domain that was signed for is, with keys that stand at each of its providers and can be opened."""
        lines = signing_map.read(self.config.exim.map) if self.config.exim.map.exists() else {}
        for domain in {domain for (domain, _), key in keys.items() if key.activated is not None}:
            assert lines.get(domain), f"mail of {domain} leaves unsigned"
        for domain, line in lines.items():
            for selector in line:
                assert (domain, selector) in files, f"{selector} cannot be opened"
                place = (f"{selector}._domainkey", "TXT")
                for name in AT[domain]:
                    found = self.clouds[name].zones[domain].get(place)
                    record = dkim.record_for(keys[(domain, selector)])
                    assert found and found.values[0].text == record, f"{selector} signs, and is not at {name}"

    def healed(self) -> tuple[object, ...]:
        """A pass without any failure puts all right; after those that follow from it (a key that is seen to sign gets a standby) nothing is to
        be done. What there is then, but for names of keys."""
        luck, self.luck = self.luck, 0.0
        for _ in range(PATIENCE):
            report = self.one()
            assert report is not None and not report.failed and not report.refused
            self.check()
            state = self.state()
            assert not state.unfinished(None) and not state.unfinished_keys()
            assert not any(state.interrupted(zone, name) for zone, at in AT.items() for name in at)
            wrote = [outcome.changes for outcome in report.outcomes if outcome.changes]
            if not (wrote or report.made or report.map_lines):
                break
        else:
            raise AssertionError(f"written once more: {wrote}")
        self.luck = luck
        phases = sorted((key.domain, phase(key, Policy(), self.now)) for key in state.keys())
        lines = sorted((domain, len(line)) for domain, line in signing_map.read(self.config.exim.map).items())
        return phases, lines, len(self.standing())


def life(folder: Path, seed: int, passes: int = 42) -> Counter[str]:
    """Passes that fail, and end, in whatever way, and what they told of; between them calm ones, in which all is put right."""
    town, chance = Town(folder, seed), random.Random(seed)
    for number in range(passes):
        calm = number % 6 == 5
        town.luck = 0.0 if calm else 1.0
        town.one(None if calm or chance.random() < 0.5 else chance.randrange(60))
        town.check()
        if calm:
            town.healed()
        if chance.random() < 0.1:
            town.rotate()
        soon = max(town.wake - town.now if town.wake is not None else DAY, 1)
        town.now += chance.choice((1, 60, soon, soon, min(2 * soon, soon + DAY)))
    town.healed()
    return town.told
