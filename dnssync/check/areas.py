"""All checks, area by area, in the order in which they are told."""

from __future__ import annotations

from dnssync.check import (
    address,
    blocklist,
    dane,
    dkim,
    dmarc,
    dnssec,
    exim,
    from_log,
    helo,
    mta_sts,
    mx,
    nameservers,
    parked,
    reverse,
    spf,
    talked,
    tls,
    tls_rpt,
    upkeep,
    wildcard,
)
from dnssync.check.judging import Check

AREAS = (mx, talked, address, reverse, helo, spf, dkim, dmarc, mta_sts, tls_rpt, tls, dane, dnssec, nameservers, wildcard, parked, exim, upkeep, from_log, blocklist)  # fmt: skip


def checks(asked: frozenset[str] = frozenset()) -> tuple[Check, ...]:
    """The checks to run: all but those that are run only where a person asks for them, of these the ids in `asked`."""
    return tuple(check for area in AREAS for check in area.CHECKS if not check.asked or check.id in asked)


def every() -> tuple[Check, ...]:
    """All that there are."""
    return tuple(check for area in AREAS for check in area.CHECKS)
