"""Hetzner Cloud's stand-in with the zone of everything."""

from __future__ import annotations

from pathlib import Path

from dnssync_providers import hetzner

from tests.hetzner_values import TYPES
from tests.providers.sites_http import AtStandIn, Rows, rows


class AtHetzner(AtStandIn):
    """The stand-in for Hetzner Cloud."""

    kind = "hetzner"
    plugin = hetzner.Provider


def at_hetzner(folder: Path, more: str) -> Rows:
    """The zone of everything as far as Hetzner has the types and the names."""
    return rows(folder, more, TYPES, without={("a\\.dot", "A")})
