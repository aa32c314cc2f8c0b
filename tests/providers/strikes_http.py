"""Faults of what answers over HTTP: of a stand-in whose every answer is ours to make."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from dnssync.core.model import Provider
from tests.bind import free_port
from tests.http_faults import HTML, Answer
from tests.http_faults import Fault as AtStandIn
from tests.providers.conformance import ZONE
from tests.providers.conformance_faults import Strike
from tests.providers.sites import Site
from tests.providers.strikes_anywhere import EVERYWHERE, SOON, strike
from tests.stand_in import StandIn

WRITES, READS = "POST|PUT|PATCH|DELETE", "GET"


@strike
def at_stand_in(
    site: Site,
    method: str,
    answer: Callable[[StandIn], Answer] | None = None,
    *,
    skip: int = 0,
    patience: float = 0.0,
    **fault: Any,
) -> Iterator[Provider]:
    """The stand-in goes wrong at every request of a method that is about the zone's records."""
    given = answer(site.stand_in) if answer else None
    struck = AtStandIn(method, site.stand_in.about_zones, given, skip=skip, times=10**6, **fault)
    provider = site.make(timeout=(patience, patience)) if patience else site.provider
    site.stand_in.faults = [struck]
    yield provider
    struck.release.set()
    site.stand_in.faults = []
    assert struck.struck


@strike
def nobody_there(site: Site) -> Iterator[Provider]:
    """Nobody takes the connection."""
    yield site.make(endpoint=f"http://127.0.0.1:{free_port()}{urlsplit(site.stand_in.endpoint).path}")


@strike
def expired(site: Site) -> Iterator[Provider]:
    """The secret has expired."""
    site.stand_in.expired = True
    yield site.provider
    site.stand_in.expired = False


@strike
def domain_gone(site: Site) -> Iterator[Provider]:
    """The zone has left the provider."""
    zone = site.stand_in.zones.pop(ZONE)
    yield site.provider
    site.stand_in.zones[ZONE] = zone


@strike
def no_type_spf(site: Site) -> Iterator[Provider]:
    """What is listed is not taken."""
    site.stand_in.switches.spf_taken = False
    yield site.provider
    site.stand_in.switches.spf_taken = True


def told(stand_in: StandIn) -> Answer:
    """The secret in the other side's words, which nobody else is to be told."""
    return stand_in.unauthorized(f"{stand_in.secret} has expired")


def nonsense(stand_in: StandIn) -> Answer:
    """A page for people, as if that were an answer."""
    return Answer(200, HTML)


def erred(stand_in: StandIn) -> Answer:
    """An error of the other side's own."""
    return stand_in.erred()


def no_zone(stand_in: StandIn) -> Answer:
    """A zone that is not there."""
    return stand_in.no_zone()


BY_STAND_IN: dict[str, Strike] = {
    **EVERYWHERE,
    "reading: the server is gone": nobody_there(),
    "reading: the connection is lost": at_stand_in(READS, drop=True),
    "reading: the answer is cut short": at_stand_in(READS, torn=True, commits=True),
    "reading: the answer is nonsense": at_stand_in(READS, nonsense),
    "reading: the credentials are refused": expired(),
    "reading: the server has an error of its own": at_stand_in(READS, erred),
    "reading: the zone is not there": domain_gone(),
    "writing: the server is gone": nobody_there(),
    "writing: the connection is lost before": at_stand_in(WRITES, drop=True),
    "writing: the connection is lost afterwards": at_stand_in(WRITES, drop=True, commits=True),
    "writing: the answer is cut short": at_stand_in(WRITES, torn=True, commits=True),
    "writing: the credentials are refused": at_stand_in(WRITES, told),
    "writing: the server has an error of its own": at_stand_in(WRITES, erred),
    "writing: the zone is not there any more": at_stand_in(WRITES, no_zone),
    "writing: one of several changes is refused": at_stand_in(WRITES, erred, skip=1),
}
# The same before a provider of ours, which says how long it waits and looks at what it is told.
BY_HTTP: dict[str, Strike] = {
    **BY_STAND_IN,
    "reading: no answer comes": at_stand_in(READS, hang=True, patience=0.1),
    "writing: no answer comes, and nothing is done": at_stand_in(WRITES, hang=True, patience=SOON),
    "writing: no answer comes, and all is done": at_stand_in(WRITES, hang=True, commits=True, patience=SOON),
    "writing: the answer is nonsense": at_stand_in(WRITES, nonsense),
}
BY_GANDI: dict[str, Strike] = {**BY_HTTP, "writing: type SPF is refused": no_type_spf()}
# One request does all or nothing.
BY_CLOUDFLARE = {k: v for k, v in BY_HTTP.items() if k != "writing: one of several changes is refused"}
