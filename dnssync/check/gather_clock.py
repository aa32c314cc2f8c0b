"""Whether anything keeps this host's clock right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dnssync.check.facts import Failed
from dnssync.check.gather import Sources
from dnssync.check.upkeep import Discipline


def fetch(wishes: Sequence[Discipline], sources: Sources) -> Mapping[Discipline, bool | Failed]:
    """What the kernel says of it."""
    said = sources.disciplined()
    return dict.fromkeys(
        wishes,
        Failed("the kernel does not tell whether anything keeps this host's clock right") if said is None else said,
    )
