"""Everything that exim told, as one `Host`: its mail domains, where their mail leaves from, and what signs it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from dnssync.core.host import Host
from dnssync.exim import outbound, signing
from dnssync.exim.ask import Exim
from dnssync.exim.survey import Survey
from dnssync.keystore import public_half


def observe(
    exim: Exim,
    candidates: Iterable[str],
    *,
    lookup: outbound.Lookup,
    lists: Sequence[str] = ("local_domains",),
    addresses: Sequence[str] = (),
    map_path: Path | None = None,
    recipients: Sequence[str] = (),
    public_half: signing.PublicHalf = public_half,
    source_address: Callable[[int], str | None] = outbound.source_address,
    passing_addresses: Callable[[], frozenset[str]] = outbound.passing_addresses,
) -> Host:
    """Ask exim about this host, all of its domains at once. Raises `EximError` where exim cannot be asked or its configuration is broken.

    `candidates`: names that may be mail domains, besides those that exim can name itself; each becomes a `MailDomain`,
    `local` where exim has it. `lists`: exim's domain lists of its own domains. `lookup(name, type)`: what the
    authoritative servers say, () = nothing there, None = nobody answers. `recipients`: addresses that exim is asked
    whether it takes them, `{domain}` stands for each local domain.
    """
    survey = Survey(
        exim,
        lookup=lookup,
        lists=lists,
        addresses=addresses,
        map_path=map_path,
        public_half=public_half,
        source_address=source_address,
        passing_addresses=passing_addresses,
    )
    return survey.host(survey.names(candidates), recipients)
