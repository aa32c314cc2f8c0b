"""deSEC's stand-in with the zone of everything, and what may befall its provider there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dnssync_providers import desec

from dnssync.core.model import Provider
from tests.desec_values import TYPES
from tests.providers.sites_http import AtStandIn, Rows, rows


class AtDesec(AtStandIn):
    """The stand-in for deSEC, with a domain whose smallest TTL is 60."""

    kind = "desec"
    plugin = desec.Provider


def at_desec(folder: Path, more: str) -> Rows:
    """The zone of everything as far as deSEC has the types and the names."""
    return rows(folder, more, TYPES, without={("a\\.dot", "A")})


def one_refused(site: Any) -> Iterator[Provider]:
    """One record of a list is not taken."""
    site.stand_in.switches.untaken = "b._domainkey"
    yield site.provider
    site.stand_in.switches.untaken = ""
