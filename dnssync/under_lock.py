"""What a pass of the daemon does with the lock held: exim is surveyed once, zones that are settled are asked of their name servers alone, and
all others go through the line batch by batch, each to its end before the next one is looked at."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

from dnssync import identity, mail_domains, signing_map
from dnssync.batches import Batch, Whole, batches, families
from dnssync.carry_out import carry_out
from dnssync.core.decide import Decision
from dnssync.core.host import Host, MailDomain
from dnssync.core.model import Owner, Phase, Step, zone_of
from dnssync.core.observed import Observed
from dnssync.core.rotation import Policy, phase
from dnssync.kept import Kept
from dnssync.lock import Held
from dnssync.new_keys import random_token
from dnssync.quiet import patient
from dnssync.reconcile import Line, Look
from dnssync.report import Report
from dnssync.settled import Marks, Settled, find, settle, whole
from dnssync.stamps import note_clock
from dnssync.zones import TooLong

BRIEF = 15.0  # seconds that a plug-in may sleep with the lock held, in the middle of a pass that writes; taking a write back needs them
LOOKS = 3  # at what there is, where others change it while this one waits
ASKED = 500  # domains that exim is asked about at a time
COMING = (Phase.GENERATED, Phase.PUBLISHED, Phase.READY)


class Survey(Protocol):
    """What `exim.survey.Survey` is, as far as a pass needs it."""

    mark: str
    hostname: str

    def names(self, candidates: Iterable[str]) -> tuple[str, ...]:
        """All names to ask about."""

    def local(self, names: Sequence[str]) -> frozenset[str]:
        """Those that exim has."""

    def host(self, names: Sequence[str], recipients: Sequence[str]) -> Host:
        """What exim says of these."""


@dataclass(frozen=True, slots=True)
class Passed:
    """What a pass came to: its report, and the zones in it that were settled."""

    report: Report | None
    settled: Mapping[str, Settled] = field(default_factory=dict)


def passed(
    line: Line,
    left: Mapping[str, int],
    looking: Callable[[], AbstractContextManager[None]],
    lock: Held,
    kept: Kept | None,
    token: Callable[[], str] = random_token,
) -> Passed:
    """The pass over all zones but those that are `left` out. `kept`: what the last pass found; None: nothing is remembered. `looking` surrounds
    the parts in which nothing is written; `token` as in `carry_out`."""
    zones = [zone for zone in line.config.zones if zone not in left]
    if left and not zones:
        return Passed(None)
    nap = line.zones.sleep
    survey = getattr(line.observe_host, "survey", None)
    with looking():
        line.progress("asking exim")
        shared = _Shared(line, zones, left, survey() if survey is not None and kept is not None else None, kept)
        marks = shared.marks()
    rest, settled = [], {}
    for group in shared.groups:
        if all(zone in marks.settled for zone in group):
            settled.update({zone: marks.settled[zone] for zone in group})
        else:
            rest.append(group)
    parts: list[Report] = []
    fresh = dict(settled)
    made = waiting = 0
    for batch in shared.batches(rest):
        look = Look(True, batch=batch, births=max(0, line.births - made), earlier=(made, waiting))
        seen, got = _looked(line, shared, look, looking, lock, nap)
        made, waiting = made + len(got.turn or ()), waiting + got.waiting
        report = carry_out(line, seen, got, token=token, clock=False)
        fresh.update(settle(seen.noted, got, marks.of, line.config.zones))
        parts.append(report)
        if len(parts) > 1:  # what came to nothing is not kept, but for a host with one batch, whose report is whole
            parts[-2:] = map(_slim, parts[-2:])
    note_clock(line, shared.clock, shared.confirmed)
    if kept is not None:
        kept.remember(fresh, line.config.zones)
    line.state.touch(settled, int(line.now()))
    return Passed(_merged(parts, line, shared), settled)


class _Shared:
    """What all batches share: which domains each zone serves, and what exim said."""

    def __init__(
        self, line: Line, zones: Sequence[str], left: Collection[str], survey: Survey | None, kept: Kept | None
    ) -> None:
        self.line, self._left, self._survey, self._kept = line, left, survey, kept
        self.requests = line.state.requests(int(line.now()))
        self.confirmed = frozenset((request.kind, request.subject) for request in self.requests)
        self.clock = line.clock(int(line.now()), ("clock", "") in self.confirmed)
        self.lines = signing_map.read(line.config.exim.map)
        self._known = line.state.mail_domains()
        self._host: Host | None = None
        if survey is None:
            self._host = line.observe_host(line.names(self.lines), mail_domains.recipients(line.config))
            self._names = tuple(mail.name for mail in self._host.domains)
            self._local = frozenset(mail.name for mail in self._host.domains if mail.local)
        else:
            self._names = survey.names(line.names(self.lines))
            self._local = survey.local(self._names)
        waiting = patient(line.state.zones(), zones, line.config.schedule, int(line.now()))
        self.whole = Whole.of(line.config, sorted(self._local), waiting)
        self.groups = families(zones, self.whole.served)

    def batches(self, groups: Sequence[Sequence[str]]) -> Iterable[Batch]:
        """Whole groups, some hundred zones at a time."""
        return batches(groups, self.whole, self._known, self.line.config.zones, self._left, self.line.size)

    def marks(self) -> Marks:
        """Which zones are settled; none where nothing is remembered, or exim tells nothing of what it rests on."""
        line, survey, kept = self.line, self._survey, self._kept
        if survey is None or kept is None:
            return Marks()
        kept.survey(survey.mark)
        now, requests, clock = int(line.now()), self.requests, self.clock
        if clock.jumped is not None or clock.restarted is not None:
            return Marks()
        frozen = frozenset(request.subject for request in requests if request.kind == "freeze")
        words = (*requests, self.whole.reports(frozen), self.whole.homeless)
        moved = identity.moved(line.config.keys, line.machine, survey.hostname)
        common = whole(line, survey.mark, words, clock.trusted, kept.config(line.config), moved)
        return find(
            line,
            self.batches(self.groups),
            kept.settled if kept.helo is not None else {},
            common,
            self.lines,
            now,
            kept.turn,
        )

    def host(self, batch: Batch) -> Host:
        """What exim says: of all domains, or, where it was asked about all in an earlier pass and is what it was then, of those of the batch in full."""
        if self._host is not None:
            return self._host
        assert self._survey is not None and self._kept is not None  # or it was asked at the beginning
        recipients, helo = mail_domains.recipients(self.line.config), self._kept.helo
        if (
            helo is None
            or any(zone_of(name, self.line.config.zones) in batch.zones for name in helo)
            or len(batch.domains) * 2 > len(self._names)
        ):
            self._host = self._asked_all(self._survey, recipients)
            self._kept.heard(self._host)
            return self._host
        known = batch.domains & {*self._names}
        host = self._survey.host(sorted(known), recipients)
        others = [MailDomain(name, local=name in self._local) for name in self._names if name not in known]
        domains = tuple(sorted((*host.domains, *others), key=lambda mail: mail.name))
        notices = tuple(dict.fromkeys((*self._kept.notices, *host.notices)))
        return replace(host, helo=helo, domains=domains, notices=notices)

    def _asked_all(self, survey: Survey, recipients: Sequence[str]) -> Host:
        """What exim says of all domains, asked about so many at a time."""
        hosts = [survey.host(self._names[at : at + ASKED], recipients) for at in range(0, len(self._names), ASKED)]
        if not hosts:
            return survey.host((), recipients)
        domains = tuple(mail for host in hosts for mail in host.domains)
        notices = tuple(dict.fromkeys(notice for host in hosts for notice in host.notices))
        return replace(hosts[-1], domains=domains, notices=notices)


def _looked(
    line: Line,
    shared: _Shared,
    of: Look,
    looking: Callable[[], AbstractContextManager[None]],
    lock: Held,
    nap: Callable[[float], None],
) -> tuple[Observed, Decision]:
    """One batch, observed and decided; anew where somebody else was at work while this one waited for a provider."""
    for look in range(1, LOOKS + 1):
        before = line.state.last_event()
        # In the last one the lock is kept: what it sees is what there is.
        line.zones.sleep = partial(_briefly, nap) if look == LOOKS else partial(_aside, lock, nap)
        with looking():
            assert of.batch is not None  # each look of a pass has one
            seen, got = line.decided(replace(of, host=shared.host(of.batch), seen={}), attended=False)
        line.zones.sleep = partial(_briefly, nap)
        if lock.lost is not None:
            raise lock.lost
        if line.state.last_event() == before:
            break  # else somebody was at work while this waited: what was seen is not what there is
    return seen, got


def _aside(lock: Held, nap: Callable[[float], None], seconds: float) -> None:
    """A provider wants a pause while nothing is written: nobody has to wait for that."""
    if seconds > 1:
        lock.aside(seconds)
    else:
        nap(seconds)


def _briefly(nap: Callable[[float], None], seconds: float) -> None:
    """The same in the middle of a pass that writes: what it rests on grows old, and others wait."""
    if seconds > BRIEF:
        raise TooLong(seconds)
    nap(seconds)


# --- the report ---------------------------------------------------------------------------------------------------


def _merged(parts: Sequence[Report], line: Line, shared: _Shared) -> Report:
    """One report of several; of what came to nothing, only what is told of the pass as a whole is kept."""
    if len(parts) == 1:
        return parts[0]
    decisions = [part.decision for part in parts]
    last = decisions[-1] if decisions else None
    decision = Decision(
        now=last.now if last else int(line.now()),
        zones=tuple(plan for got in decisions for plan in got.zones),
        failed={zone: why for got in decisions for zone, why in got.failed.items()},
        keys=(),
        steps={at: step for got in decisions for at, step in got.steps.items()},
        map_before=decisions[0].map_before if decisions else shared.lines,
        map_after=last.map_after if last else shared.lines,
        notices=tuple(
            dict.fromkeys(
                notice
                for at, got in enumerate(decisions)
                for notice in got.notices
                if notice.reason != "births" or at == len(decisions) - 1
            )
        ),
        partly={zone: why for got in decisions for zone, why in got.partly.items()},
        held=frozenset().union(*(got.held for got in decisions)),
    )
    return Report(
        decision,
        tuple(outcome for part in parts for outcome in part.outcomes),
        tuple(key for part in parts for key in part.made),
        tuple(sorted(each for part in parts for each in part.map_lines)),
        tuple(look for part in parts for look in part.looks),
        decision.notices,
    )


def _slim(report: Report) -> Report:
    got = report.decision
    plans = tuple(
        replace(
            plan,
            claims=tuple(c for c in plan.claims if c.owner is Owner.DMARC),
            found={},
            wanted=(),
            ledger={},
            added={},
        )
        for plan in got.zones
    )
    return replace(report, decision=replace(got, zones=plans, keys=(), steps=_telling(got), map_held={}))


def _telling(got: Decision) -> dict[tuple[str, str], Step]:
    """The steps of a batch that somebody may be told of: those of keys that are coming, and the next of the others."""

    def coming(step: Step) -> bool:
        return bool(step.generate) or any(phase(key, Policy(), got.now) in COMING[:2] for key in step.keys)

    told = {at: step for at, step in got.steps.items() if coming(step)}
    others = [(step.wake, at) for at, step in got.steps.items() if step.wake is not None and at not in told]
    if others:
        _, at = min(others)
        told[at] = got.steps[at]
    return told


__all__ = ["BRIEF", "LOOKS", "Passed", "passed"]
