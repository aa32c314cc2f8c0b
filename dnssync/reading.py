"""Zones read at their providers, many at once: each provider as many at a time as it declares (`Limits.parallel`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from dnssync.by_dns import Reading
from dnssync.config import ZoneConfig
from dnssync.core.model import Provider, ProviderError
from dnssync.lanes import FEW, Count, Lane, Lanes, Still

if TYPE_CHECKING:
    from dnssync.reconcile import Line

Fetched = dict[tuple[str, str], Reading | ProviderError]


def lane_of(provider: Provider, name: str, zone: str) -> Lane:
    """Where a zone waits for its turn: a provider that does not tell has one lane."""
    of = getattr(provider, "lane", None)
    return name, of(zone) if of is not None else 0


def read_all(line: Line, zones: Iterable[ZoneConfig]) -> Fetched:
    """By zone and provider, what the provider shows, or why it cannot be read, however long others take. What cannot be read at a provider
    (`manual`) and what rests after a failure is left out.

    What `Line.progress` raises ends it, and waits for no provider: what is under way is left to itself.
    """
    wanted: list[tuple[str, str]] = []
    for zone in zones:
        there = [name for name in zone.providers if (zone.name, name) not in line.resting]
        wanted += [(zone.name, name) for name in there if line.zones.provider(name).limits.reads]
    left: dict[str, int] = {}
    for zone_name, _ in wanted:
        left[zone_name] = left.get(zone_name, 0) + 1
    done, whole, found = 0, len(left), Fetched()
    with Lanes() as lanes:
        for zone_name, name in wanted:
            provider = line.zones.provider(name)
            lanes.put(lane_of(provider, name, zone_name), (zone_name, name), partial(read, provider, zone_name))
        if wanted:
            line.progress(_told(left, 0, whole))
        while lanes.under_way:
            ended = lanes.take()
            for one in ended:
                if one.error is not None and not isinstance(one.error, ProviderError):
                    raise one.error
                found[one.key] = one.result if one.error is None else one.error
                left[one.key[0]] -= 1
                done += not left[one.key[0]]
            line.progress(_told(left, done, whole) if ended else Still())
    return {at: found[at] for at in wanted}


def _told(left: Mapping[str, int], done: int, whole: int) -> str:
    if whole > FEW:
        return Count("reading", done, whole)
    return f"reading {', '.join(zone for zone, count in left.items() if count)}" if done < whole else Still()


def read(provider: Provider, zone: str) -> Reading:
    """A zone as its provider shows it; raises `ProviderError`."""
    return Reading((), {rrset.key: rrset for rrset in provider.read(zone)})
