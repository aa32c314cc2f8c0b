"""Whether exim takes mail for the addresses that reports go to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dnssync.check.dmarc_walk import Takes
from dnssync.check.facts import Failed
from dnssync.check.gather import Sources


def fetch(wishes: Sequence[Takes], sources: Sources) -> Mapping[Takes, Any]:
    """All in one question to exim. An address comes out of DNS: what is no plain address is not put to exim."""
    plain = [
        wish for wish in wishes if wish.address.isascii() and wish.address.isprintable() and " " not in wish.address
    ]
    told = sources.exim.verdicts(wish.address for wish in plain)
    odd = Failed("exim was not asked about an address that holds other characters than ASCII's printable ones")
    return {wish: _told(wish.address, told.get(wish.address)) if wish in plain else odd for wish in wishes}


def _told(address: str, taken: bool | None) -> bool | Failed:
    return (
        Failed(f"exim cannot say now whether it takes mail for {address} (`exim4 -bv {address}`)")
        if taken is None
        else taken
    )
