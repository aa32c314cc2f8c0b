"""A pass takes its zones some hundred at a time: ten thousand are never held at once, and what one batch decides needs none of the others.

Zones that share a domain's records (`core.homes`), and zones below one another, stay together.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dnssync.core.homes import guests, zones_above, zones_of
from dnssync.mail_domains import Served

SIZE = 500  # zones: with their keys and records about 20 MB


@dataclass(frozen=True, slots=True)
class Batch:
    """Some zones of a pass. `domains`: those whose keys, and whose senders' addresses, belong to them; `served`: by zone, the mail domains of every
    configured zone; `strangers`: by zone, domains of others some of whose records it holds; `patient`: zones that are due to be read and wait (`quiet`)."""

    zones: tuple[str, ...]
    domains: frozenset[str]
    served: Served
    strangers: Served
    patient: frozenset[str] = frozenset()


def families(zones: Sequence[str], served: Served) -> list[tuple[str, ...]]:
    """The zones in groups that are decided about together, in the order of their first members."""
    strangers = guests(served, frozenset(zones))
    known = frozenset(zones)
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
    served: Served,
    known: Iterable[str],
    configured: Mapping[str, object],
    left: Collection[str] = (),
    patient: frozenset[str] = frozenset(),
    size: int = SIZE,
) -> Iterator[Batch]:
    """Whole groups, about `size` zones at a time. `known`: all domains that have keys or records; those that no configured zone holds any more, and those
    of zones that are `left` out of the pass, go with the first batch, so that their keys hear of what happens to the clock."""
    strangers = guests(served, configured)
    of: dict[str, list[str]] = {}
    homeless, away = [], frozenset(left)
    for domain in known:
        homes = zones_of(domain, configured)
        for zone in homes:
            of.setdefault(zone, []).append(domain)
        if homes <= away:
            homeless.append(domain)
    held: list[str] = []

    def batch() -> Batch:
        domains = {
            domain
            for zone in held
            for names in (served.get(zone, ()), strangers.get(zone, ()), of.get(zone, ()))
            for domain in names
        }
        made = Batch(tuple(held), frozenset({*domains, *homeless}), served, strangers, patient)
        held.clear()
        homeless.clear()
        return made

    for group in groups:
        if held and len(held) + len(group) > size:
            yield batch()
        held.extend(group)
    if held:
        yield batch()
