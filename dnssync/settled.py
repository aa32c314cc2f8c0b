"""Zones that are settled: the last decision about them was that nothing is to be done, and all that it was made from is as it was then.

A daemon remembers, for each zone that it left in peace, a digest of everything that the decision rested on: what exim told, the configuration,
the words of persons, the zone's rows in the state, its keys' files, its lines in exim's map. While that is the same, deciding again would
decide the same, so that the name servers alone are asked, one address of each zone, in rotation. What differs, and what nobody knows of, goes through the
line like any other zone; and so does each settled one every few hours, since not everything leaves a mark: a look-up that exim makes elsewhere, a record of
somebody else's that an SPF record includes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from dnssync import __version__
from dnssync.batches import Batch
from dnssync.core.ahead import ahead
from dnssync.core.decide import Decision
from dnssync.core.durations import HOUR, spread
from dnssync.core.homes import zones_of
from dnssync.core.model import KeyPair, Owner, Step, absolute, zone_of
from dnssync.core.sighting import Question
from dnssync.noted import Noted
from dnssync.quiet import calm, stands
from dnssync.state_rows import LedgerEntry
from dnssync.unlike import Expected

if TYPE_CHECKING:
    from dnssync.reconcile import Line

AGAIN = 6 * HOUR  # after which a zone is decided about anew, whatever did not change; half of it at the soonest


@dataclass(frozen=True, slots=True)
class Settled:
    """What is remembered of a zone: the `mark` of what was decided from, until when time alone changes nothing (seconds since 1970), what happens
    next by itself (`core.ahead`), and how many mail domains it has."""

    mark: bytes
    until: int
    event: tuple[int, str] | None = None
    domains: int = 0


@dataclass(frozen=True, slots=True)
class Known:
    """What the marks of a pass rest on beside the state and the key files. `settled`: what was remembered; `common`: the mark of `whole`; `lines`: of exim's
    map; `local`: the names that exim has; `helo`: those that it greets with; `confirmed`: what persons said, by kind and subject."""

    settled: Mapping[str, Settled]
    common: bytes
    lines: Mapping[str, tuple[str, ...]]
    local: frozenset[str]
    helo: tuple[str, ...]
    confirmed: frozenset[tuple[str, str]]


@dataclass
class Marks:
    """The marks of one pass, by zone, taken before anything was decided; `settled`: the zones that are, and that DNS shows as they should be."""

    of: dict[str, bytes] = field(default_factory=dict)
    settled: dict[str, Settled] = field(default_factory=dict)


def whole(line: Line, exim: str, words: Iterable[object], trusted: bool, config: bytes, moved: str) -> bytes:
    """The mark of what is the same for all zones. `exim`: that of `Survey`; `words`: what persons said that holds now; `config`: that of the configuration."""
    told = (__version__, exim, sorted(map(repr, words)), trusted, moved, line.keystore.host())
    return hashlib.blake2b(repr(told).encode("utf-8", "surrogateescape") + config, digest_size=16).digest()


def find(line: Line, batches: Iterable[Batch], known: Known, beside: frozenset[str], now: int, turn: int) -> Marks:
    """The marks of the zones that may be taken for what the ledger says of them, and which of them are settled. `beside`: the domains that no zone holds, whose
    place is ""; `turn`: the number of the pass, by which the server addresses take turns."""
    marks = Marks()
    keys = line.state.living(beside) if beside else ()
    _mark(marks, known, "", (_domains(line, known, beside), _files(line, keys)), now)
    differing = {question.zone for question in line.resolver.unlike(_asked(line, batches, known, now, marks), turn)}
    for zone in differing:
        marks.settled.pop(zone, None)
    return marks


def _asked(line: Line, batches: Iterable[Batch], known: Known, now: int, marks: Marks) -> Iterator[Expected]:
    """Fills the marks, batch by batch, and gives what the name servers have to show of zones whose mark is the remembered one."""
    inside: dict[str | None, list[str]] = {}
    for name in sorted(known.local):
        inside.setdefault(zone_of(name, line.config.zones), []).append(name)
    greeting = {zone_of(name, line.config.zones) for name in known.helo}
    # The record of a greeting passes all that leaves this host, whosever it is.
    every = (sorted(known.local), line.state.outbound()) if greeting - {None} else ()
    for batch in batches:
        line.progress("")
        kept = Noted.of(line.state, batch.zones)
        configured = [line.config.zones[zone] for zone in batch.zones]
        quiet = calm(line, configured, now, known.confirmed, kept, batch.whole.patient, decided=False)
        keys: dict[str, list[KeyPair]] = {}
        for key in line.state.living(batch.domains):
            for zone in zones_of(key.domain, line.config.zones):
                keys.setdefault(zone, []).append(key)
        seen: dict[str, list[object]] = {}
        for row in line.state.addresses(batch.domains):
            for zone in zones_of(row.domain, line.config.zones):
                seen.setdefault(zone, []).append((row.domain, row.ip, row.source, row.host_name, row.first_seen))
        for zone in quiet:
            entries = kept.ledger[zone]
            domains = {*batch.whole.served[zone], *batch.whole.strangers.get(zone, ()), *(e.domain for e in entries)}
            told = (
                kept.records[zone].last_read,
                kept.records[zone].rrsets,
                kept.records[zone].min_ttl,
                kept.records[zone].max_ttl,
                _domains(line, known, domains),
                sorted(map(_row, entries)),
                sorted(map(repr, seen.get(zone, ()))),
                _files(line, keys.get(zone, ())),
                inside.get(zone),
                every if zone in greeting else (),
            )
            if _mark(marks, known, zone, told, now):
                yield from map(_expected, entries)


def _mark(marks: Marks, known: Known, zone: str, told: tuple[object, ...], now: int) -> bool:
    """Note the mark of a zone, and whether it is settled."""
    octets = repr(told).encode("utf-8", "surrogateescape")
    marks.of[zone] = hashlib.blake2b(octets, digest_size=16, key=known.common).digest()
    before = known.settled.get(zone)
    if before is None or before.mark != marks.of[zone] or now >= before.until:
        return False
    marks.settled[zone] = before
    return True


def _domains(line: Line, known: Known, domains: Iterable[str]) -> list[object]:
    """Of each domain: its line in exim's map, whether exim has it, and how the folder of its keys looks."""
    return [(name, known.lines.get(name), name in known.local, line.keystore.mark(name)) for name in sorted(domains)]


def _files(line: Line, keys: Iterable[KeyPair]) -> list[object]:
    """Each key as the state has it, and how its file looks."""
    return [(key, line.keystore.mark(key.domain, key.selector)) for key in sorted(keys, key=_name)]


def _row(entry: LedgerEntry) -> tuple[object, ...]:
    return (*entry.place, entry.domain, entry.value, entry.ttl, entry.added)


def _name(key: KeyPair) -> tuple[str, str]:
    return key.domain, key.selector


def _expected(entry: LedgerEntry) -> Expected:
    """What has to stand in DNS for an entry of the ledger."""
    question = Question(absolute(entry.name, entry.zone), entry.type, entry.zone)
    mark = f"{entry.owner} {entry.domain} {entry.value}".encode("utf-8", "surrogateescape")
    return Expected(question, mark, partial(stands, entry.owner, entry.applied))


def settle(
    zones: Iterable[str], got: Decision, marks: Mapping[str, bytes], configured: Mapping[str, object]
) -> dict[str, Settled]:
    """What to remember of zones of which a pass decided that nothing is to be done. `marks` as before the pass."""
    here = {zone for zone in zones if zone in marks}
    steps: dict[str, dict[tuple[str, str], Step]] = {}
    domains: dict[str, set[str]] = {}
    for (domain, kind), step in got.steps.items():
        for zone in zones_of(domain, configured) & here:
            steps.setdefault(zone, {})[domain, kind] = step
        domains.setdefault(zone_of(domain, configured) or "", set()).add(domain)
    for plan in got.zones:
        for domain in {claim.domain for claim in plan.claims if claim.owner is Owner.DMARC}:
            domains.setdefault(zone_of(domain, configured) or "", set()).add(domain)
    found = {}
    for zone in here:
        mine = steps.get(zone, {})
        event = ahead(mine, configured, configured, got.now)
        until = got.now + spread(zone, AGAIN)
        found[zone] = Settled(marks[zone], min(until, event[0]) if event else until, event, len(domains.get(zone, ())))
    return found


def settle_beside(domains: frozenset[str], got: Decision, marks: Mapping[str, bytes]) -> dict[str, Settled]:
    """The same of the domains that no zone holds, as the batch decided beside which they went: until their keys may move on."""
    if "" not in marks:
        return {}
    wakes = [step.wake for (domain, _), step in got.steps.items() if domain in domains and step.wake is not None]
    return {"": Settled(marks[""], min([got.now + spread("", AGAIN), *wakes]))}
