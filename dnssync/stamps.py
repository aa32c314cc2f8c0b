"""What a pass notes once DNS holds what it should: the keys' stamps, the ends of private halves, and one rename of exim's map."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import replace

from dnssync import signing_map
from dnssync.core.clock import Verdict, newer
from dnssync.core.decide import Decision
from dnssync.core.homes import homes_of
from dnssync.core.key_sets import left
from dnssync.core.rotation import Policy, rebased
from dnssync.core.selectors import foreign
from dnssync.errors import KeyFileError
from dnssync.files import WriteError
from dnssync.new_keys import Work
from dnssync.reconcile import Line
from dnssync.state_looks import SOME

log = logging.getLogger("dnssync")


def stamp(work: Work, decision: Decision, *, clock: bool = True) -> None:
    """The keys' new stamps, each of something that was seen, and the addresses that mail leaves from. `clock`: with them, how the clocks were:
    a jump that was noted without them, or they without it, would be found again, and taken for one of keys that have heard of it."""
    state = work.line.state
    before = {(key.domain, key.selector): key for key in state.living({key.domain for key in decision.keys})}
    changed = [key for key in decision.keys if before.get((key.domain, key.selector)) not in (key, None)]
    found = {(key.domain, key.selector): key for key in work.seen.keys}
    with state.transaction():
        state.save_stamps((found.get((key.domain, key.selector), key), key) for key in changed)
        for key in changed:
            old = before[(key.domain, key.selector)]
            step = decision.steps[(key.domain, key.kind)]
            for stamp in ("seen", "published", "activated", "retired", "revoked", "removed"):
                if getattr(old, stamp) != getattr(key, stamp):
                    word = stamp if getattr(key, stamp) is not None else f"no longer {stamp}"
                    state.add_event(work.now, word, domain=key.domain, selector=key.selector,
                                    sentence=f"{key.selector} {word}", because=step.because)  # fmt: skip
        here = {domain for view in work.seen.zones for domain in view.domains}
        addresses = [(m.name, address) for m in work.seen.host.domains if m.name in here for address in m.addresses]
        state.save_addresses(addresses, work.now)
        if clock:
            note_clock(work.line, work.seen.clock, work.seen.confirmed)


def hear_of_clock(line: Line, clock: Verdict, now: int) -> Verdict:
    """Where it jumped, or the host was started anew, all keys hear of it before any of them is looked at, in one transaction with the reading:
    if half of them had, and the next pass found the jump again, a wait would seem over that began anew. What there is to say of the clock after that."""
    state = line.state
    before = clock.jumped if clock.jumped is not None else clock.restarted
    if before is None:
        return clock
    domains = sorted(state.mail_domains())
    with state.transaction():
        for start in range(0, len(domains), SOME):
            line.progress("")
            keys = state.living(domains[start : start + SOME])
            fresh = rebased(keys, Policy(), before, now, restarted=clock.jumped is None)
            state.save_stamps(pair for pair in zip(keys, fresh, strict=True) if pair[0] != pair[1])
        state.save_clock(clock.kept)
    return replace(clock, jumped=None, restarted=None)


def note_clock(line: Line, clock: Verdict, confirmed: Collection[tuple[str, str]]) -> None:
    """Keep how the clocks were, where all keys have heard of that."""
    if newer(line.state.clock(), clock.kept):
        line.state.save_clock(clock.kept)
    if clock.trusted and ("clock", "") in confirmed:
        line.state.drop_request("clock", "")  # a person's word counts for the jump that it was about


def purge(work: Work, decision: Decision) -> None:
    """The private halves of keys whose records are gone: deleted, or disclosed first. What cannot be deleted is tried again."""
    state = work.line.state
    for key in decision.keys if work.seen.clock.trusted and not work.seen.moved else ():
        if key.removed is None or key.purged is not None or foreign(key.selector, work.seen.host_id):
            continue
        if key.selector in (*work.seen.map.get(key.domain, ()), *decision.map_after.get(key.domain, ())):
            continue  # exim may open it at any moment
        # One private half may be that of several domains, as an administrator made it: what signs for one of them is no secret to give.
        shared = state.shared(key)
        disclose = None if shared else work.line.config.disclose
        try:
            deleted = work.line.keystore.purge(key, disclose)
        except (KeyFileError, WriteError) as error:
            log.warning("domain=%s selector=%s %s", key.domain, key.selector, error)
            continue
        with state.transaction():
            state.save_stamps([(key, replace(key, purged=work.now))])
            told = "left where it was" if not deleted else "disclosed and deleted" if disclose else "deleted"
            state.add_event(work.now, "purged", domain=key.domain, selector=key.selector,
                            sentence=f"{told} the private half of {key.selector}",
                            because="its record is gone from all name servers")  # fmt: skip


def switch(work: Work, decision: Decision, failed: set[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """One rename of exim's map for all domains; zones that failed keep their lines."""
    kept = homes_of(work.seen).stopped(failed)
    lines = {d: s for d, s in decision.map_after.items() if d not in kept}
    lines.update({d: s for d, s in decision.map_held.items() if d in kept})
    dropped = left(work.seen)
    if not lines and not decision.map_before and any(key.activated is not None for key in decision.keys):
        return ()  # it is lost, and nothing is known that could sign: with an empty one mail would leave unsigned
    if signing_map.write(work.line.config.exim.map, lines, previous=decision.map_before, dropped=dropped):
        for domain in sorted(dropped & set(decision.map_before)):
            work.line.state.add_event(work.now, "map", domain=domain, sentence=f"exim signs {domain} no more",
                                      because="a person confirmed that exim has it no more")  # fmt: skip
        for domain, selectors in sorted(lines.items()):
            if decision.map_before.get(domain) != selectors:
                work.line.state.add_event(work.now, "map", domain=domain,
                                          sentence=f"exim signs {domain} with {' and '.join(selectors)}",
                                          because="the records stand on all name servers and the season is over")  # fmt: skip
    return tuple(sorted((d, s) for d, s in lines.items() if decision.map_before.get(d) != s))
