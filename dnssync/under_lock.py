"""What a pass of the daemon does with the lock held: exim is surveyed once, zones that are settled are asked of their name servers alone, and
all others go through the line batch by batch, each to its end before the next one is looked at."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Protocol

from dnssync import identity, mail_domains, signing_map
from dnssync.batches import Batch, Whole, away, batches, families
from dnssync.carry_out import carry_out
from dnssync.core.attention import about
from dnssync.core.clock import Verdict
from dnssync.core.decide import Decision
from dnssync.core.host import Host, MailDomain
from dnssync.core.model import Notice, zone_of
from dnssync.core.observed import Observed
from dnssync.kept import Kept
from dnssync.lock import Held
from dnssync.merged import merged, nothing, slim
from dnssync.new_keys import random_token
from dnssync.quiet import patient
from dnssync.reconcile import Line, Look
from dnssync.report import Report, keep_said
from dnssync.settled import AGAIN, Known, Marks, Settled, find, settle, settle_beside, whole
from dnssync.stamps import hear_of_clock, note_clock
from dnssync.zones import TooLong

BRIEF = 15.0  # seconds that a plug-in may sleep with the lock held, in the middle of a pass that writes; taking a write back needs them
ASKED = 500  # domains that exim is asked about at a time
LOOKS = 3  # at what there is, where others change it while this one waits


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
    parts: list[Report] | None = None,
) -> Passed:
    """The pass over all zones but those that are `left` out. `kept`: what the last pass found; None: nothing is remembered. `looking` surrounds
    the parts in which nothing is written; `token` as in `carry_out`; `parts` gets the report of each batch that came to its end (`merged`)."""
    parts = [] if parts is None else parts
    zones = [zone for zone in line.config.zones if zone not in left]
    if left and not zones:
        return Passed(None)
    nap = line.zones.sleep
    survey = getattr(line.observe_host, "survey", None)
    with looking():
        line.progress("asking exim")
        shared = _Shared(line, zones, left, survey() if survey is not None and kept is not None else None, kept)
        marks = shared.marks()
    calm = {group for group in shared.groups if all(zone in marks.settled for zone in group)}
    rest = [group for group in shared.groups if group not in calm]
    if not rest and shared.beside and "" not in marks.settled:
        rest = shared.groups[:1]  # the domains that no zone holds go beside some batch
        calm -= {*rest}
    served = shared.whole.served
    shared.asking = frozenset(domain for group in rest for zone in group for domain in served[zone])
    settled = {zone: marks.settled[zone] for group in shared.groups if group in calm for zone in group}
    fresh = dict(settled)
    if "" in marks.settled:
        fresh[""] = marks.settled[""]
    looked: set[str] = set()
    noted: set[str] = set()
    made = waiting = 0
    for number, batch in enumerate(shared.batches(rest)):
        look = Look(True, batch=batch, births=line.births - made, earlier=(made, waiting))
        seen, got = _looked(line, shared, look, looking, lock, nap)
        made, waiting = made + got.born, waiting + got.waiting
        report = carry_out(line, seen, got, token=token, part=True)
        fresh.update(settle(seen.noted, got, marks.of, line.config.zones))
        if number == 0:
            fresh.update(settle_beside(shared.beside, got, marks.of))
        if number == 1:
            parts[0] = slim(parts[0], line.config.zones, standbys=kept is None)
        parts.append(slim(report, line.config.zones, standbys=kept is None) if number else report)
        looked.update(batch.zones)
        noted.update(seen.noted)
    whole_pass = merged(parts, shared.lines) if parts else nothing(int(line.now()), shared.lines)
    if parts:
        keep_said(line, looked, noted, whole_pass)
    note_clock(line, shared.clock, shared.confirmed)
    if kept is not None:
        kept.remember({} if shared.other_greeting else fresh, line.config.zones)
    line.state.touch(settled, int(line.now()))
    return Passed(whole_pass, settled)


class _Shared:
    """What all batches share: which domains each zone serves, and what exim said."""

    def __init__(
        self, line: Line, zones: Sequence[str], left: Collection[str], survey: Survey | None, kept: Kept | None
    ) -> None:
        self.line, self._survey, self._kept = line, survey, kept
        now = int(line.now())
        self.requests = line.state.requests(now)
        self.confirmed = frozenset((request.kind, request.subject) for request in self.requests)
        clock = line.clock(now, ("clock", "") in self.confirmed)
        self.anew = clock.jumped is not None or clock.restarted is not None
        self.clock = hear_of_clock(line, clock, now)
        self.lines = signing_map.read(line.config.exim.map)
        # A map that was lost comes back whole: with half of it mail of the others would leave unsigned, and without one it waits.
        lost = not self.lines and any(key.activated is not None for key in line.state.living())
        self._size = len(line.config.zones) if lost else line.size
        self._known = line.state.mail_domains()
        candidates = mail_domains.asked(line.config, {*self.lines, *self._known})
        self._recipients = mail_domains.recipients(line.config)
        self.beside = away(self._known, line.config.zones, left)
        self.other_greeting = False
        self.asking: frozenset[str] = frozenset()  # the domains that some batch of the pass asks exim about
        self._said: dict[Notice, None] = {}
        self._host: Host | None = None
        if survey is None:
            self._host = line.observe_host(candidates, self._recipients)
            self._names = tuple(mail.name for mail in self._host.domains)
            self._local = frozenset(mail.name for mail in self._host.domains if mail.local)
        else:
            self._names = survey.names(candidates)
            self._local = survey.local(self._names)
        waiting = patient(line.state.zones(), zones, line.config.schedule, now)
        self.whole = Whole.of(line.config, sorted(self._local), waiting)
        self.groups = families(zones, self.whole.served)
        keyed = line.state.keyed()
        # Of keys that wait for their turn, those of domains without any come first, in whatever batch they are.
        self.groups.sort(key=lambda group: all(keyed >= {*self.whole.served[zone]} for zone in group))

    def batches(self, groups: Sequence[Sequence[str]]) -> Iterable[Batch]:
        """Whole groups, some hundred zones at a time."""
        return batches(groups, self.whole, self._known, self.line.config.zones, self.beside, self._size)

    def marks(self) -> Marks:
        """Which zones are settled; none where nothing is remembered, or exim tells nothing of what it rests on."""
        line, survey, kept = self.line, self._survey, self._kept
        if survey is None or kept is None:
            return Marks()
        kept.survey(survey.mark)
        if kept.helo is None:
            self._all()  # nothing is settled, and the marks rest on the greetings
        now, requests = int(line.now()), self.requests
        if self.anew:
            return Marks()
        frozen = frozenset(request.subject for request in requests if request.kind == "freeze")
        words = (*requests, self.whole.reports(frozen), self.whole.homeless)
        moved = identity.moved(line.config.keys, line.machine, survey.hostname)
        common = whole(line, survey.mark, words, self.clock.trusted, kept.config(line.config), moved)
        known = Known(
            kept.settled if kept.helo is not None else {},
            common,
            self.lines,
            self._local,
            kept.helo or (),
            self.confirmed,
        )
        return find(line, self.batches(self.groups), known, self.beside, now, kept.turn)

    def host(self, batch: Batch) -> Host:
        """What exim says: of all domains, or, where it was asked about all in an earlier pass and is what it was then, of those of the batch in full."""
        if self._host is not None:
            return self._host
        assert self._survey is not None and self._kept is not None  # or it was asked at the beginning
        kept, now = self._kept, int(self.line.now())
        if (
            kept.helo is not None
            and 0 <= now - kept.asked < AGAIN
            and not any(zone_of(name, self.line.config.zones) in batch.zones for name in kept.helo)
            and len(batch.domains) * 2 <= len(self._names)
        ):
            known = batch.domains & {*self._names}
            host = self._survey.host(sorted(known), self._recipients)
            self._said.update(dict.fromkeys(host.notices))
            if host.helo == kept.helo:
                # What it said of others goes on; of those of this pass it says what there is.
                anew = self.asking | known
                before = [notice for notice in kept.notices if about(notice.sentence) not in anew]
                kept.notices = tuple(dict.fromkeys((*before, *self._said)))
                told = {mail.name: mail for mail in host.domains}
                return replace(
                    host,
                    domains=tuple(told.get(name) or self._others[name] for name in self._names),
                    notices=kept.notices,
                )
            self.other_greeting = True  # which settled zones rest on
        return self._all()

    def _all(self) -> Host:
        """exim is asked about all domains in full."""
        assert self._survey is not None and self._kept is not None  # or it was asked at the beginning
        kept, host = self._kept, self._asked_all(self._survey)  # says only what it has not said in this pass
        self._host = replace(host, notices=tuple(dict.fromkeys((*self._said, *host.notices))))
        self.other_greeting = self.other_greeting or kept.helo not in (None, host.helo)
        kept.heard(self._host, int(self.line.now()))
        return self._host

    @cached_property
    def _others(self) -> dict[str, MailDomain]:
        """The domains as they are told of where they were not asked about in full."""
        return {name: MailDomain(name, local=name in self._local) for name in self._names}

    def hear(self) -> Verdict:
        """The clock, as all keys have heard of it: it may jump in the middle of a pass."""
        now = int(self.line.now())
        clock = self.line.clock(now, ("clock", "") in self.confirmed)
        if clock.jumped is not None:
            self.clock = hear_of_clock(self.line, clock, now)
        return self.clock

    def _asked_all(self, survey: Survey) -> Host:
        """What exim says of all domains, asked about so many at a time."""
        starts = range(0, len(self._names), ASKED) or (0,)
        hosts = [survey.host(self._names[at : at + ASKED], self._recipients) for at in starts]
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
            here = replace(of, host=shared.host(of.batch), seen={}, clock=shared.hear())
            seen, got = line.decided(here, attended=False)
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
