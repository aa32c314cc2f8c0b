"""One pass of a host as its daemon makes it, with all that it remembers of the passes before: what is settled is not decided about anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from types import SimpleNamespace
from typing import cast

from dnssync.core.decide import Decision
from dnssync.core.host import Host
from dnssync.core.observed import Observed
from dnssync.core.sighting import Answer, Question
from dnssync.kept import Kept
from dnssync.lock import Held
from dnssync.reconcile import Line
from dnssync.report import Report
from dnssync.under_lock import passed
from dnssync.unlike import Expected
from tests.life import whole_pass
from tests.life.machine import Machine
from tests.life.whole_pass import Office
from tests.life.world import DOMAIN


class Told:
    """exim, as a survey of it tells: `mark` names what its words rest on beside our map and our keys."""

    def __init__(self, machine: Office, host: Host) -> None:
        self._host = host
        self.hostname, self.mark = host.hostname, repr((machine.override, host.helo))

    def survey(self) -> Told:
        """Once a pass."""
        return self

    def names(self, candidates: Iterable[str]) -> tuple[str, ...]:
        """Its one domain."""
        return tuple(mail.name for mail in self._host.domains)

    def local(self, names: Sequence[str]) -> frozenset[str]:
        """Its one domain."""
        return frozenset(mail.name for mail in self._host.domains if mail.local)

    def host(self, names: Sequence[str], recipients: Sequence[str]) -> Host:
        """What exim says."""
        return self._host

    __call__ = host


class Asked(whole_pass.Dns):
    """The outside, where settled zones are asked at one name server, and key files are looked at without being opened."""

    def like(self, other: object) -> bool:
        """Each pass has one of its own."""
        return False

    def unlike(self, expected: Iterable[Expected], turn: int) -> Iterator[Question]:
        """The questions whose answer at one server, or the next that answers, is not good."""
        for one in expected:
            replies = self._answer(one.question, False).replies
            at = turn % len(replies)
            told = next((reply for reply in (*replies[at:], *replies[:at]) if reply.answered), None)
            if told is not None and not one.good(Answer(one.question, (told,))):
                yield one.question

    def mark(self, domain: str, selector: str | None = None) -> tuple[bool, ...]:
        """Whether a key is there, and exim can open it."""
        return (selector in self.machine.disk, self.machine.openable(selector)) if selector is not None else ()


def decided(
    line: Line, machine: Office, look: Callable[[Observed, Decision], None]
) -> tuple[Report | None, int | None]:
    """A pass of the daemon; when the next is asked for, in seconds from now."""
    made: list[Decision] = []
    machine.read = False
    plain = line.decided

    def watched(*args: object, **how: object) -> tuple[Observed, Decision]:
        seen, got = plain(*args, **how)  # type: ignore[arg-type]
        look(seen, got)
        made.append(got)
        machine.read = not seen.noted
        return seen, got

    line.decided = watched  # type: ignore[method-assign]
    line.resolver = line.keystore = Asked(machine)  # type: ignore[assignment]
    line.observe_host = Told(machine, machine.host())
    line.zones.sleep = lambda seconds: None
    if machine.remembered is None:
        machine.remembered = Kept()
    machine.remembered.begin(line)
    done = passed(line, {}, nullcontext, cast(Held, SimpleNamespace(lost=None)), machine.remembered, machine.token)
    machine.world.told["settled passes"] += bool(done.settled)
    wakes = [got.wake for got in made[-1:] if got.wake is not None]
    wakes += [zone.event[0] for zone in done.settled.values() if zone.event is not None]
    return done.report, min(wakes) - machine.now if wakes else None


def run(machine: Machine) -> int | None:
    """One pass, as the daemon makes it; where it said no, a person looks and makes one by hand."""
    assert isinstance(machine, Office)
    last = machine.state.zone(DOMAIN)
    refused = last is None or last.result.startswith("refused")
    return whole_pass.run(machine, whole_pass.by_hand if refused else decided)


life = partial(whole_pass.life, run=run)
