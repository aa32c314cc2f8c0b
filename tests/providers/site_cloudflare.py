"""Cloudflare's stand-in with a zone of everything in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dnssync_providers import cloudflare

from tests.cloudflare import Cloudflare
from tests.cloudflare_records import TYPES
from tests.providers.conformance import ZONE
from tests.providers.sites_http import AtStandIn, rows


class AtCloudflare(AtStandIn):
    """The stand-in for Cloudflare. Types that it does not know are not there."""

    kind = "cloudflare"
    plugin = cloudflare.Provider


@contextmanager
def at_cloudflare(folder: Path, more: str) -> Iterator[AtCloudflare]:
    """A site of its own; names are kept in lower case."""
    with Cloudflare({ZONE: rows(folder, more, TYPES)}) as running:
        yield AtCloudflare(running)
