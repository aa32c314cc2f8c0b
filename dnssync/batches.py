"""A pass takes its zones some hundred at a time: ten thousand are never held at once, and what one batch decides needs none of the others.

Zones that share a domain's records (`core.homes`), and zones below one another, stay together.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from dnssync import mail_domains
from dnssync.config import Config
from dnssync.core.desire import reports_of
from dnssync.core.homes import guests, zones_above, zones_of
from dnssync.core.model import Notice
from dnssync.core.policy import MailPolicy
from dnssync.core.wish import ReportsElsewhere
from dnssync.mail_domains import Served

SIZE = 100  # zones: read ten at a time, they are read and decided about within the time for which a provider's reading is trusted by its writes


@dataclass(frozen=True, slots=True)
class Whole:
    """What all batches of a pass share. `served`: by zone, the mail domains of every configured zone; `strangers`: by zone, domains of others some of whose
    records it holds; `policies`: by mail domain, that of its zone; `homeless`: what is told of names that no zone holds; `patient`: zones that are due to be
    read and wait (`quiet`)."""

    served: Served
    strangers: Served
    policies: Mapping[str, MailPolicy]
    homeless: tuple[Notice, ...] = ()
    patient: frozenset[str] = frozenset()
    _reports: dict[frozenset[str], tuple[ReportsElsewhere, ...]] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, config: Config, local: Collection[str], patient: frozenset[str] = frozenset()) -> Whole:
        """What follows from the names that exim has."""
        served = mail_domains.served(config, local)
        policies = {domain: config.zones[zone].policy for zone in served for domain in served[zone]}
        homeless = tuple(mail_domains.homeless(config, local))
        return cls(served, guests(served, config.zones), policies, homeless, patient)

    def reports(self, frozen: frozenset[str]) -> tuple[ReportsElsewhere, ...]:
        """The DMARC reports that leave their domains, where these are frozen: looked for once."""
        if frozen not in self._reports:
            self._reports[frozen] = reports_of(self.policies, frozen)
        return self._reports[frozen]


@dataclass(frozen=True, slots=True)
class Batch:
    """Some zones of a pass. `domains`: those whose keys, and whose senders' addresses, belong to them."""

    zones: tuple[str, ...]
    domains: frozenset[str]
    whole: Whole


def away(known: Iterable[str], configured: Container[str], left: Collection[str]) -> frozenset[str]:
    """The domains that no configured zone holds any more, and those of zones that are `left` out of the pass."""
    out = frozenset(left)
    return frozenset(domain for domain in known if zones_of(domain, configured) <= out)


def families(zones: Sequence[str], served: Served) -> list[tuple[str, ...]]:
    """The zones in groups that are decided about together, in the order of their first members."""
    known = frozenset(zones)
    strangers = guests(served, known)
    first = {zone: zone for zone in zones}

    def top(zone: str) -> str:
        while first[zone] != zone:
            first[zone] = zone = first[first[zone]]
        return zone

    for zone in zones:
        related = set(zones_above(zone, known))
        related |= {
            at for domain in (*served.get(zone, ()), *strangers.get(zone, ())) for at in zones_of(domain, known)
        }
        for other in related - {zone}:
            first[top(other)] = top(zone)
    groups: dict[str, list[str]] = {}
    for zone in zones:
        groups.setdefault(top(zone), []).append(zone)
    return [tuple(group) for group in groups.values()]


def batches(
    groups: Iterable[Sequence[str]],
    whole: Whole,
    known: Iterable[str],
    configured: Container[str],
    beside: Collection[str] = (),
    size: int = SIZE,
) -> Iterator[Batch]:
    """Whole groups, about `size` zones at a time. `known`: all domains that have keys or records; those that no zone of the pass holds (`away`) go `beside` the
    first batch: exim signs for them, and a key file of theirs that is lost costs their signatures as any other."""
    of: dict[str, list[str]] = {}
    for domain in known:
        for zone in zones_of(domain, configured):
            of.setdefault(zone, []).append(domain)
    beside = [*beside]
    held: list[str] = []

    def batch() -> Batch:
        domains = {d for zone in held for by in (whole.served, whole.strangers, of) for d in by.get(zone, ())}
        made = Batch(tuple(held), frozenset({*domains, *beside}), whole)
        held.clear()
        beside.clear()
        return made

    for group in groups:
        if held and len(held) + len(group) > size:
            yield batch()
        held.extend(group)
    if held:
        yield batch()
