"""One table of what may go wrong for every provider, and the laws that hold then; how each fault is made is in strikes.py.

Each row begins with records of ours in the zone. Then one step is read and written: a value among strangers' at the apex changes, a
record of ours changes, one goes, one comes. The fault strikes its reading or its write, for as long as it lasts; then it is over, and
another pass does what is left.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from dnssync.core.model import Change, Provider, ProviderError, StaleZone, TypeRefused
from tests.providers.conformance import (
    ZONE,
    Everything,
    Key,
    Site,
    Step,
    changes,
    doable,
    in_steps,
    key_of,
    left,
    text_of,
)

Strike = Callable[[Site], AbstractContextManager[Provider]]  # within it, that provider is struck
BEFORE: Step = {
    "@ TXT": ["v=spf1 mx -all"],
    "_dmarc TXT": ["v=DMARC1; p=none"],
    "a._domainkey TXT": ["v=DKIM1; p=AAAA"],
}
AFTER: Step = {
    "@ TXT": ["v=spf1 a -all"],
    "new SPF": ["v=spf1 a -all"],
    "_dmarc TXT": ["v=DMARC1; p=reject"],
    "a._domainkey TXT": [],
    "b._domainkey TXT": ["v=DKIM1; p=BBBB"],
}
# Where all changes are done by one request, or one rename, there is nothing between all and none.
WHOLE = {
    "memory",
    "zonefile",
    "rfc2136",
    "knot",
    "powerdns",
    "powerdns_lmdb",
    "octodns_bind",
    "octodns_powerdns",
    "cloudflare",
    "desec",
    "powerdns_single",
}  # fmt: skip

# What a plug-in makes of a SERVFAIL does not tell that it may pass; a full disk waits for a person.
VAGUE = {
    ("octodns_bind", "reading: the server has an error of its own"),
    ("octodns_bind", "writing: the server has an error of its own"),
    ("zonefile", "writing: the server has an error of its own"),
}

# The plug-in shows an empty zone then, which is another one than was read; the next reading tells that there is none.
SEEN_AS_MOVED = {("octodns_powerdns", "writing: the zone is not there any more")}

# To an update, Knot 3.4 answers for a zone that it could not load as if that were empty; Knot 3.2 says SERVFAIL.
MAY_SEEM_MOVED = {("knot", "writing: the server has an error of its own")}


@dataclass(frozen=True)
class Fault:
    """What is struck: the write, or else the reading before it. `done`: whether the step is done then; None: that cannot be
    known, all or part of it. `ends`: what it ends with; None: nothing, the fault is none for us. `passing`: what the error says
    of another try; None: either."""

    title: str
    writes: bool = True
    done: bool | None = False
    ends: type[ProviderError] | None = ProviderError
    passing: bool | None = None


FAULTS = (
    Fault("reading: the server is gone", writes=False),
    Fault("reading: the connection is lost", writes=False, passing=True),
    Fault("reading: the answer is cut short", writes=False),
    Fault("reading: no answer comes", writes=False, passing=True),
    Fault("reading: the answer is nonsense", writes=False),
    Fault("reading: the credentials are refused", writes=False, passing=False),
    Fault("reading: the server has an error of its own", writes=False, passing=True),
    Fault("reading: the zone is not there", writes=False, passing=False),
    Fault("writing: the server is gone"),
    Fault("writing: the connection is lost before", passing=True),
    Fault("writing: the connection is lost afterwards", done=None),
    Fault("writing: the answer is cut short", done=None),
    Fault("writing: no answer comes, and nothing is done", passing=True),
    Fault("writing: no answer comes, and all is done", done=None),
    Fault("writing: the answer is nonsense"),
    Fault("writing: the credentials are refused", passing=False),
    Fault("writing: the server has an error of its own", passing=True),
    Fault("writing: the zone is not there any more", passing=False),
    Fault("writing: one of several changes is refused", done=None),
    Fault("writing: type SPF is refused", done=True, ends=TypeRefused),
    Fault("writing: somebody took away a record of ours", ends=StaleZone, passing=True),
    Fault("writing: somebody wrote another record", done=True, ends=None),
)


def weathers(site: Site, fault: Fault, strike: Strike, log: Callable[[], str]) -> None:
    """The row of one fault, and its laws; `log` gives what was logged meanwhile."""
    untouched = site.everything()
    ours: dict[Key, list[str]] = {}
    site.write(site.provider, doable(site, BEFORE, ours)[1])
    before = site.everything()
    step, todo = doable(site, AFTER, ours)
    assert len({change.kind for change in todo}) == 3
    with strike(site) as struck:
        error = caught(lambda: site.write(struck, todo) if fault.writes else struck.read(ZONE))
    after = site.everything()
    if fault.ends is None:
        assert error is None
    else:
        wanted_error = StaleZone if (site.kind, fault.title) in SEEN_AS_MOVED else fault.ends
        may_be = {wanted_error, StaleZone} if (site.kind, fault.title) in MAY_SEEM_MOVED else {wanted_error}
        assert type(error) in may_be, error
        told(site, fault, error, repr(struck) + log())
    wanted = {(change.name, change.type): change for change in todo}
    done = {key for key, change in wanted.items() if holds(after, key, change)}
    undone = {key for key in wanted if after.get(key) == before.get(key)}
    astray = set(wanted) - done - undone
    assert {k: v for k, v in after.items() if k not in wanted} == {k: v for k, v in before.items() if k not in wanted}
    for key in wanted:
        theirs = untouched.get(key, (0, frozenset()))
        assert theirs[1] <= after.get(key, (0, frozenset()))[1], f"{key}: values of others are gone"
    if fault.ends is StaleZone:
        astray -= {("_dmarc", "TXT")}
    if in_steps(site.provider) and fault.done is None:
        astray -= {key for key in astray if key not in after}  # taken out, and not put in again: its notice says so
    assert not astray
    if fault.done is False:
        assert undone >= set(wanted) - {("_dmarc", "TXT")} and (not done or fault.ends is StaleZone)
    elif fault.done or site.kind in WHOLE:
        assert set(wanted) - {key for key in wanted if fault.ends is TypeRefused and key[1] == "SPF"} <= done or (
            fault.done is None and undone == set(wanted)
        )
    comes_to_rest(site, step, untouched)


def caught(act: Callable[[], object]) -> ProviderError | None:
    """What it ended with; anything but an error of a provider ends the test."""
    try:
        act()
    except ProviderError as error:
        return error
    return None


def told(site: Site, fault: Fault, error: ProviderError, more: str) -> None:
    """The sentence names zone and provider, and no secret is anywhere."""
    sentence = str(error)
    assert sentence.startswith(ZONE) and sentence.isprintable() and len(sentence) < 900, sentence
    assert any(word in sentence for word in site.words), sentence
    # Behind an error of a plug-in stands its own, in its own words; nobody prints that.
    chain = "" if site.kind.startswith("octodns_") else "".join(traceback.format_exception(error))
    for text in (str(error), repr(error), more, chain):
        assert not site.secret or site.secret not in text, text.replace(site.secret, "(secret)")
    vague = (site.kind, fault.title) in VAGUE | SEEN_AS_MOVED
    assert vague or fault.passing is None or error.transient is fault.passing, sentence


def holds(zone: Everything, key: Key, change: Change) -> bool:
    """Whether a change is done."""
    if change.new is None:
        return key not in zone
    ttl, values = zone.get(key, (-1, frozenset()))
    return ttl == change.new.ttl and sorted(map(text_of, values)) == sorted(value.text for value in change.new.values)


def comes_to_rest(site: Site, step: Step, untouched: Everything) -> None:
    """Another pass with a provider of its own does the rest, and the one after it finds nothing to do; nothing was missing in
    between; and once ours is taken out again, the zone is what it was."""
    site.provider = site.make()
    site.provider.read(ZONE)
    both = {key_of(where): [*BEFORE.get(where, ()), *texts] for where, texts in step.items()}
    site.write(site.provider, changes(site.provider, step, dict(both), 300))
    assert left(site, step, dict(both)) == []
    for where, texts in step.items():
        stands = set(map(text_of, site.everything().get(key_of(where), (0, frozenset()))[1]))
        assert set(texts) <= stands and not stands & (set(BEFORE.get(where, ())) - set(texts))
    assert in_steps(site.provider) or site.gaps() == {}
    site.write(site.provider, changes(site.provider, dict.fromkeys(step, ()), both, 300))
    assert site.everything() == untouched
