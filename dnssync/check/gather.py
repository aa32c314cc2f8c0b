"""All I/O of the checks: what a pass sees, once, and what the checks wish for, many at a time.

A kind of wish has its module here below, with `fetch(wishes, sources)` → what came of each (`Failed` where nothing did), and perhaps `STEP`,
what a person reads meanwhile; it is imported when the first such wish comes.
"""

from __future__ import annotations

import importlib
import math
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from dnssync import clock
from dnssync.check import areas
from dnssync.check.changes import Changes, changes, standing
from dnssync.check.facts import Domain, Facts, Failed, ZonePass
from dnssync.check.finding import Finding
from dnssync.check.judging import judge
from dnssync.check.mta_sts import remember
from dnssync.config import Config
from dnssync.core.decide import Decision
from dnssync.core.desire import domains_of
from dnssync.core.model import zone_of
from dnssync.core.observed import Observed
from dnssync.core.sighting import Question
from dnssync.errors import DnssyncError, EximError, KeyFileError, StateError, understood
from dnssync.exim.ask import Exim
from dnssync.reconcile import Line
from dnssync.resolver import Resolver

# The kinds of wishes, by the name of their class, and who looks into them.
FETCHERS = {
    "Interfaces": "dnssync.check.gather_addresses",
    "Talk": "dnssync.check.gather_talk",
    "Taken": "dnssync.check.gather_taken",
    "Policy": "dnssync.check.gather_policy",
    "Delegated": "dnssync.check.gather_delegation",
    "Settled": "dnssync.check.gather_delegation",
    "Validated": "dnssync.check.gather_dnssec",
    "Chain": "dnssync.check.gather_dnssec",
    "Signed": "dnssync.check.gather_signed",
    "Setup": "dnssync.check.gather_exim",
    "Outbound": "dnssync.check.gather_outbound",
    "Discipline": "dnssync.check.gather_clock",
    "Suffix": "dnssync.check.gather_suffixes",
    "Takes": "dnssync.check.gather_reports",
    "Log": "dnssync.check.gather_log",
}

TOGETHER = frozenset({"Signed"})  # exim is started once for all of them
# At a time: where every server is silent, so many take some ten minutes, within which a supervisor wants to hear something.
QUESTIONS, WISHES = 500, 100
LATE = Failed("the check took too long, and it was not looked into")


def connect(address: str, port: int, timeout: float) -> socket.socket:
    """A TCP connection; `timeout` in seconds stays with the socket. Raises `OSError`."""
    return socket.create_connection((address, port), timeout=timeout)


def here(address: str) -> bool:
    """Whether the address is one of this host's own interfaces: only such a one can be bound."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((address, 0))
    except OSError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the answers come from, each injected: DNS, exim, the network, programs, the clock (`now` in seconds since 1970,
    `disciplined()` whether anything keeps it right, None = not known). `here(address)`: whether it is on one of this host's interfaces.
    `confdir`: Debian's exim configuration; `hosts`, `proc`: the hosts file and the kernel's tables of addresses; `trust`: `cafile`, who signs
    certificates beside the system's own."""

    config: Config
    resolver: Resolver
    exim: Exim
    connect: Callable[[str, int, float], socket.socket] = connect
    here: Callable[[str], bool] = here
    run: Callable[..., Any] = subprocess.run
    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    disciplined: Callable[[], bool | None] = clock.disciplined
    confdir: Path = Path("/etc/exim4")
    hosts: Path = Path("/etc/hosts")
    proc: Path = Path("/proc/net")
    trust: Mapping[str, Any] = field(default_factory=dict)
    suffixes: Path = Path("/usr/share/publicsuffix/public_suffix_list.dat")  # of Debian's package publicsuffix


def sources(line: Line) -> Sources:
    """Where the answers come from in the world: the parts of a pass, and this host's own exim, network and clock."""
    return Sources(line.config, line.resolver, Exim(line.config.exim.command), now=line.now)


@dataclass(frozen=True, slots=True)
class Looked:
    """A check that was made: all that was looked into, what was found, and what is to be known the next time (`Facts.remembered`).
    `unsure` as in `Judged`."""

    facts: Facts
    findings: tuple[Finding, ...]
    remembered: Mapping[str, str] = field(default_factory=dict)
    unsure: frozenset[tuple[str, str]] = frozenset()

    @property
    def whole(self) -> bool:
        """Whether exim, keys and state could be read."""
        return not self.facts.trouble

    def changes(self, before: Sequence[Finding]) -> Changes:
        """What is new, and what is over, since what stood then."""
        return changes(before, self.findings, self.unsure, self.whole)

    def standing(self, before: Sequence[Finding]) -> tuple[Finding, ...]:
        """What is to be compared with the next time."""
        return standing(before, self.findings, self.unsure, self.whole)


def look(
    line: Line,
    sources: Sources,
    only: Sequence[str] = (),
    asked: frozenset[str] = frozenset(),
    remembered: Mapping[str, str] | None = None,
    closed: str = "",
    until: float = math.inf,
) -> Looked:
    """Make all checks, or those over the named zones and domains; `asked`: ids of those that are made only where a person asks for them;
    `remembered`: as the last one gave it; `closed` as in `base`; `until` as in `fetch`.

    `line.progress` is told of each step, and what it raises ends the check there. Raises `DnssyncError` for a name that is neither.
    """
    facts = base(line, only, closed, remembered or {})

    def fetched(wishes: Sequence[Any]) -> Mapping[Any, Any]:
        return fetch(sources, wishes, line.progress, until)

    def progress(done: int, every: int) -> None:
        line.progress(f"checked {done} of {every}")

    left_out = {(check.id, "") for check in areas.every() if check.asked and check.id not in asked}
    judged = judge(facts, areas.checks(asked), fetched, progress)
    return Looked(
        judged.facts, judged.findings, {**facts.remembered, **remember(judged.facts)}, judged.unsure | left_out
    )


def base(
    line: Line, only: Sequence[str] = (), closed: str = "", remembered: Mapping[str, str] = MappingProxyType({})
) -> Facts:
    """What a pass sees and would do; where exim, the keys or the state cannot be read, the rest of the checks go on without (`Facts.trouble`).

    `only` names zones or domains, () = all; `closed`: why neither the providers nor the state are open to this user ("" = they are). Raises `DnssyncError` for a name that is neither.
    """
    seen: Observed | None = None
    got: Decision | None = None
    trouble = closed
    passes: Mapping[str, ZonePass] | None = None
    try:
        if not closed:
            passes = {zone: ZonePass(record.last_pass, record.failures) for zone, record in line.state.zones().items()}
            seen, got = line.plan(only, dns_first=True)
    except (EximError, StateError, KeyFileError) as error:
        trouble = str(error)
    config = line.config
    hostname = seen.host.hostname if seen is not None else socket.getfqdn()
    zones = tuple(view.zone for view in seen.zones) if seen is not None else _zones(config, only)
    return Facts(
        now=int(line.now()),
        hostname=hostname,
        domains=_domains(config, seen, zones, only),
        zones=zones,
        configured=frozenset(config.zones),
        have=lambda wish: None,
        seen=seen,
        decision=got,
        trouble=trouble.rstrip("."),
        passes=passes,
        interval=config.schedule.interval,
        map_path=str(config.exim.map),
        remembered=remembered,
    )


def _zones(config: Config, only: Sequence[str]) -> tuple[str, ...]:
    return tuple(zone for zone in config.zones if not only or any(zone_of(name, config.zones) == zone for name in only))


def _domains(config: Config, seen: Observed | None, zones: Sequence[str], only: Sequence[str]) -> tuple[Domain, ...]:
    """The mail domains of the zones; without exim, those that the configuration names, else the zones themselves."""
    found = []
    named = {view.zone: view.domains for view in seen.zones} if seen is not None else {}
    for zone in zones:
        told = config.zones[zone].domains
        names = named.get(zone) if seen is not None else domains_of(zone, told or (zone,), config.zones)
        for name in names or ():
            if not only or name in only or zone in only:
                mail = seen.host.domain(name) if seen is not None else None
                found.append(Domain(name, zone, config.zones[zone].policy, mail))
    return tuple(found)


def fetch(
    sources: Sources,
    wishes: Sequence[Any],
    progress: Callable[[str], None] = lambda text: None,
    until: float = math.inf,
) -> Mapping[Any, Any]:
    """What came of each wish; one kind that goes wrong takes no other with it. What `progress` raises comes through.

    Some are looked into at a time, so that each step is told soon; what is left `until` then (`time.monotonic`) is not looked into.
    """
    found: dict[Any, Any] = {}
    questions = [wish for wish in wishes if isinstance(wish, Question)]
    for some in _batches(questions, QUESTIONS, until):
        progress(f"asking DNS {len(questions)} questions")
        found.update(sources.resolver.look(some))
    kinds: dict[str, list[Any]] = {}
    for wish in wishes:
        if not isinstance(wish, Question):
            kinds.setdefault(type(wish).__name__, []).append(wish)
    for kind, all_ in kinds.items():
        module = importlib.import_module(FETCHERS[kind])
        for some in _batches(all_, len(all_) if kind in TOGETHER else WISHES, until):
            progress(getattr(module, "STEP", "looking"))
            try:
                found.update(module.fetch(some, sources))
            except Exception as error:
                reason = str(error if isinstance(error, DnssyncError) else understood(error)).rstrip(".")
                found.update({wish: Failed(reason) for wish in some if wish not in found})
    if time.monotonic() >= until:
        found.update({wish: LATE for wish in wishes if wish not in found})
    return found


def _batches(wishes: Sequence[Any], size: int, until: float) -> Iterator[Sequence[Any]]:
    for at in range(0, len(wishes), size):
        if time.monotonic() >= until:
            return
        yield wishes[at : at + size]
