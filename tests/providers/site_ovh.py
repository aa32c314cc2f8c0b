"""OVHcloud's stand-in with a zone of everything in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dnssync_providers import ovh

from tests.ovh import Ovh
from tests.ovh_records import OWN, TYPES
from tests.providers.conformance import ZONE, Everything
from tests.providers.sites_here import TEXTS, strings
from tests.providers.sites_http import AtStandIn, rows


class AtOvh(AtStandIn):
    """The stand-in for OVHcloud. What stands in a zone is what it serves; what its requests leave missing is looked for in what is
    written, too."""

    kind = "ovh"
    plugin = ovh.Provider

    def options(self) -> dict[str, Any]:
        """See `AtStandIn`."""
        return dict(self.stand_in.keys)

    def everything(self) -> Everything:
        """What is served."""
        return {
            ("" if name == "@" else name, kind): (ttl, frozenset(strings(v) if kind in TEXTS else v for v in values))
            for (name, kind), (ttl, values) in self.stand_in.served(ZONE).items()
        }


@contextmanager
def at_ovh(folder: Path, more: str) -> Iterator[AtOvh]:
    """A site of its own; a name is kept in the case in which it was written."""
    with Ovh({ZONE: rows(folder, more, TYPES - {*OWN}, spelled=True)}) as running:
        yield AtOvh(running)
