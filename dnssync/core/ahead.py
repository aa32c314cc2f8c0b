"""The next thing that happens by itself: when, and what, in words that a person understands."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from dnssync.core.model import Phase, Step, zone_of
from dnssync.core.rotation import Policy, phase

CHANGES = {
    (Phase.PUBLISHED, Phase.READY): "a new key for {} is ready",
    (Phase.RETIRED, Phase.DUE): "an old key of {} is revoked",
    (Phase.REVOKED, Phase.ENDED): "a revoked key of {} leaves DNS",
}


def ahead(
    steps: Mapping[tuple[str, str], Step], zones: Collection[str], configured: Collection[str], now: int
) -> tuple[int, str] | None:
    """When, in seconds since 1970, a key of these zones is to be looked at next, and what it is about; None where nothing is
    pending. `steps` by (domain, kind); `configured` names all zones."""
    found = [
        (step.wake, domain, step)
        for (domain, _), step in steps.items()
        if step.wake is not None and zone_of(domain, configured) in zones
    ]
    if not found:
        return None
    wake, domain, step = min(found, key=lambda row: row[:2])
    return wake, _what(step, wake, now).format(domain)


def _what(step: Step, wake: int, now: int) -> str:
    for key in step.keys:
        change = (phase(key, Policy(), now), phase(key, Policy(), wake))
        if change in CHANGES:
            return CHANGES[change]
    phases = {phase(key, Policy(), now) for key in step.keys}
    if step.generate or Phase.GENERATED in phases:
        return "DNS is asked for the new key of {}"
    if Phase.ACTIVE in phases and wake > now + Policy().retry:
        return "another key of {} takes over"
    if Phase.READY in phases:
        return "exim is asked whether it signs {} with the new key"
    return "the keys of {} are looked at"
