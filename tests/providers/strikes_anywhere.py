"""Faults that any provider can have, and how one is made."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from dnssync.core.model import Provider
from tests.providers.conformance_faults import Strike
from tests.providers.sites import Site

SOON = 0.5  # seconds after which a provider that is kept waiting gives up; longer where a whole reading is within them


def strike(made: Callable[..., Iterator[Provider]]) -> Callable[..., Strike]:
    """A way to make a fault, and then with which options."""

    def given(*args: Any, **options: Any) -> Strike:
        return lambda site: contextlib.contextmanager(made)(site, *args, **options)

    return given


# --- somebody else, wherever --------------------------------------------------------------------------------------------


@strike
def taken_away(site: Site) -> Iterator[Provider]:
    """A stranger takes a record of ours away between reading and write."""
    site.stranger("- _dmarc TXT")
    yield site.provider


@strike
def written_beside(site: Site) -> Iterator[Provider]:
    """A stranger writes a record of another name meanwhile, and it is there afterwards."""
    site.stranger('+ stranger 300 TXT "meanwhile"')
    yield site.provider
    assert ("stranger", "TXT") in site.everything()
    site.stranger("- stranger TXT")


EVERYWHERE = {
    "writing: somebody took away a record of ours": taken_away(),
    "writing: somebody wrote another record": written_beside(),
}
