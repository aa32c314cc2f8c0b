"""The last step of the straight line: what was decided is written, in an order that no crash can turn against the mail.

    intent on disk → private key → key's row → DNS → ledger → stamps → one rename of exim's map

Each step is idempotent and each stamp follows its effect: the next pass heals whatever dies in between."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from dnssync.by_dns import Reading
from dnssync.core.backoff import after_failure
from dnssync.core.decide import Decision, ZonePlan, decide
from dnssync.core.homes import homes_of
from dnssync.core.model import (
    Change,
    Claim,
    KeyPair,
    Owner,
    ProviderError,
    Refusal,
    RRset,
    StaleZone,
    TypeRefused,
    absolute,
)
from dnssync.core.observed import Observed, ZoneView
from dnssync.core.ownership import foreign, forgotten, taken_over
from dnssync.core.plan import Intent, digest, our_part, unmade
from dnssync.core.together import some
from dnssync.core.zone_view import Zone
from dnssync.errors import RefusedError
from dnssync.lanes import Asking, Job, carried
from dnssync.new_keys import Work, held, make_keys, note_machine, random_token
from dnssync.reading import lane_of, read
from dnssync.reconcile import Line, again
from dnssync.report import Outcome, Report, keep_said, look_again, named
from dnssync.stamps import purge, stamp, switch
from dnssync.state import LedgerEntry, ZoneRecord
from dnssync.state_rows import ProviderTry
from dnssync.views import by_servers

log = logging.getLogger("dnssync")
TRIES = 3  # how often a zone is read anew when somebody else writes to it between our read and our write


def carry_out(
    line: Line,
    seen: Observed,
    shown: Decision,
    *,
    token: Callable[[], str] = random_token,
    keys_only: bool = False,
    part: bool = False,
) -> Report:
    """Write what was decided and shown; the caller holds the lock. `keys_only`: of DNS only the records of keys, since a person was asked about
    nothing else. `part`: a batch of a pass, which notes neither the clocks nor what is said of the host. A zone that fails stops no other.

    Raises `RefusedError` where deciding again, with the new keys in hand, gives more than their names.
    """
    seen = replace(seen, turn=shown.turn)  # deciding again hands what is left of the births to nobody else
    work = Work(line, seen, shown, token, keys_only=keys_only)
    before = line.state.zones([view.zone for view in seen.zones])
    if not seen.moved:
        note_machine(line, seen.host.hostname)
    made = make_keys(work)
    final = decide(again(seen, tuple(made))) if made else shown
    _unmoved(shown, final, made, work.broken)
    work.outcomes += _written(work, final, tuple(made))
    failed = {outcome.zone for outcome in work.outcomes if outcome.error or outcome.refusals} | set(final.unread)
    line.progress("noting what was seen")
    stamp(work, final, clock=not part)
    _results(work, final, before)
    purge(work, final)
    line.progress("writing exim's map")
    lines = switch(work, final, failed)
    line.progress("asking the authoritative servers once more")
    looks = look_again(line, [plan for plan in final.zones if plan.plan.zone not in failed | seen.noted])
    report = Report(final, tuple(work.outcomes), tuple(made), lines, looks, final.notices)
    line.state.touch(seen.noted, work.now)
    keep_said(line, {view.zone for view in seen.zones}, seen.noted, report, part=part)
    return report


def _unmoved(shown: Decision, final: Decision, made: dict[KeyPair, Intent], broken: set[str]) -> None:
    kept_back = held(shown) | broken
    wanted = {intent for plan in shown.zones if plan.plan.zone not in kept_back for intent in plan.plan.intents}
    names = {key.selector: intent for key, intent in made.items() if intent in wanted}
    before = digest([plan.plan for plan in shown.zones if plan.plan.zone not in kept_back])
    after = digest(
        [replace(p.plan, intents=()) if made else p.plan for p in final.zones if p.plan.zone not in kept_back],
        made=names,
    )
    left_over = any(
        unmade(change.name) for plan in final.zones for change in plan.plan.changes if plan.plan.zone not in kept_back
    )
    if before != after or left_over or held(final) - kept_back:
        raise RefusedError(
            "deciding again with the new keys gave another plan than the one that was shown; nothing was written. Look at "
            "`dnssync plan` and apply again."
        )


# --- DNS --------------------------------------------------------------------------------------------------------


def _written(work: Work, decision: Decision, made: Sequence[KeyPair]) -> list[Outcome]:
    """Every zone at every provider, in the plan's order; at once where that waits for providers, a zone at one after the other."""
    line, out, left_out = work.line, held(decision), work.broken | work.seen.noted
    jobs = []
    for plan in decision.zones:
        zone, name = plan.plan.zone, plan.plan.provider
        if zone not in left_out:
            text = f"writing {zone} at {name}" if plan.plan.changes and zone not in out else ""
            lane = lane_of(line.zones.provider(name), name, zone)
            jobs.append(Job(lane, zone, text, partial(_write, work, plan, decision, made, zone in out)))
    return carried(jobs, line.state.transaction, line.progress)


def _write(work: Work, plan: ZonePlan, decision: Decision, made: Sequence[KeyPair], held_back: bool) -> Asking[Outcome]:
    """One zone at one provider; read and decided anew where somebody else was writing at the same time."""
    zone, provider = plan.plan.zone, plan.plan.provider
    if held_back:
        return Outcome(zone, provider, refusals=plan.refusals)
    for attempt in range(TRIES):
        if work.keys_only:
            plan = _part(plan, lambda claim: claim.owner is Owner.DKIM)
        if not plan.plan.changes:
            return (yield from _made_good(work, plan, decision))
        if braked := _braked(work, zone, provider):
            return Outcome(zone, provider, refusals=(braked,))
        yield None
        intent = work.line.state.begin(zone, provider, _entries(work, plan), work.now)
        try:
            if any(taken_over(plan.claims, plan.found, plan.ledger)):
                name = f"dnssync {digest([plan.plan])[:12]}"
                yield partial(work.line.zones.snapshot, provider, zone, name)
            instructions = yield partial(work.line.zones.provider(provider).write, zone, plan.plan.changes)
        except StaleZone as error:
            log.info("zone=%s provider=%s changed meanwhile, reading again: %s", zone, provider, error)
            if attempt == TRIES - 1:
                return Outcome(zone, provider, error=f"{error} It changed {TRIES} times in a row; try again later.")
            try:
                fresh = yield from _decided_again(work, plan, made)
            except ProviderError as trouble:
                return Outcome(zone, provider, error=str(trouble))
            if fresh.refusals or our_part(fresh.plan.changes, fresh.claims) != our_part(plan.plan.changes, plan.claims):
                moved = Refusal(
                    "moved",
                    f"{zone}: somebody changed a record of dnssync's at {provider} between our read and our write; what "
                    "would be written now is not what was shown. Look at `dnssync plan` again.",
                )
                return Outcome(zone, provider, refusals=fresh.refusals or (moved,))
            plan = fresh
        except TypeRefused as error:
            # What receivers read is the TXT record (RFC 7208 §3.1), and that is written: no reason to fail the zone.
            log.warning("zone=%s provider=%s %s", zone, provider, error)
            plan = _part(plan, lambda claim: claim.type != "SPF")
            _record(work, plan, decision, plan.plan.changes)
            work.line.state.finish(intent)
            return Outcome(zone, provider, plan.plan.changes, left_out=str(error))
        except ProviderError as error:
            log.error("zone=%s provider=%s %s", zone, provider, error)
            return Outcome(zone, provider, error=str(error))
        else:
            if instructions:
                # A person has to act: what was meant stays noted, and counts once DNS shows it.
                _hand_over(work, plan, intent)
                return Outcome(zone, provider, plan.plan.changes, instructions)
            _record(work, plan, decision, plan.plan.changes)
            work.line.state.finish(intent)
            return Outcome(zone, provider, plan.plan.changes, instructions)
    raise AssertionError("the loop above returns")


def _braked(work: Work, zone: str, provider: str) -> Refusal | None:
    """A person's brake works at once: what was frozen since the pass looked is not written any more."""
    words = {request.subject for request in work.line.state.requests(int(work.line.now())) if request.kind == "freeze"}
    if not (said := words - work.seen.frozen):
        return None  # as nearly always, for each of thousands of zones
    homes = homes_of(work.seen)
    fresh = sorted(said & {*homes.holding(zone), *homes.dmarc.get(zone, ())})
    if not fresh:
        return None
    told = f"{zone}: {some(fresh)} was frozen while this pass was under way, and nothing of the zone was written at {provider} after that. "
    return Refusal("frozen_meanwhile", told + "The next pass leaves out what is frozen, and goes on with the rest.")


def _part(plan: ZonePlan, keep: Callable[[Claim], bool]) -> ZonePlan:
    """The plan with these claims alone, and the changes that they ask for."""
    claims = tuple(filter(keep, plan.claims))
    places = {claim.key for claim in claims}
    changes = tuple(change for change in plan.plan.changes if (change.name, change.type) in places)
    return replace(plan, plan=replace(plan.plan, changes=changes), claims=claims)


def _made_good(work: Work, plan: ZonePlan, decision: Decision) -> Asking[Outcome]:
    """A zone that holds what it should; its provider may have something left to do all the same (a reload that failed)."""
    state, zone, provider = work.line.state, plan.plan.zone, plan.plan.provider
    at = work.line.zones.provider(provider)
    try:
        # That a write was begun and did not end is surely known here alone; what the other side says of it may be wrong.
        finish = getattr(at, "finish", None) if state.interrupted(zone, provider) else None
        told = yield partial(finish, zone) if finish else partial(at.write, zone, ())
    except ProviderError as error:
        log.error("zone=%s provider=%s %s", zone, provider, error)
        return Outcome(zone, provider, error=str(error))
    _record(work, plan, decision, ())
    for sentence in told:
        state.add_event(work.now, "made_good", zone=zone, sentence=sentence)
        log.info("zone=%s provider=%s %s", zone, provider, sentence)
    return Outcome(zone, provider, made_good=told)


def _hand_over(work: Work, plan: ZonePlan, intent: int) -> None:
    """What was meant is with a person now; the history tells it once."""
    state, zone, provider = work.line.state, plan.plan.zone, plan.plan.provider
    with state.transaction():
        if state.hand_over(intent, zone, provider):
            names = named(zone, plan.plan.changes)
            state.add_event(work.now, "by_hand", zone=zone, sentence=f"told a person what to change at {provider}: {names}",
                            because=f"{provider} is edited by hand")  # fmt: skip


def _decided_again(work: Work, plan: ZonePlan, made: Sequence[KeyPair]) -> Asking[ZonePlan]:
    """The zone's plan from a fresh reading; everything else as it was observed."""
    zone, provider = plan.plan.zone, plan.plan.provider
    views = []
    for view in work.seen.zones:
        if view.zone == zone:
            found = yield from _read_again(work, view, provider)
            view = replace(view, found={**view.found, provider: found})
        views.append(view)
    decision = decide(again(replace(work.seen, zones=tuple(views)), made))
    return next(p for p in decision.zones if p.plan.zone == zone and p.plan.provider == provider)


def _read_again(work: Work, view: ZoneView, provider: str) -> Asking[Zone]:
    at = work.line.zones.provider(provider)
    if at.limits.reads:
        reading: Reading = yield partial(read, at, view.zone)
        return reading.found
    homes = homes_of(work.seen)
    names = (*view.domains, *homes.keys.get(view.zone, ()), *homes.dmarc.get(view.zone, ()))
    return by_servers(work.line, view.zone, names)[0].found


def _entries(work: Work, plan: ZonePlan) -> list[LedgerEntry]:
    """What the ledger will say of the zone's claims once they are written."""
    wanted = {rrset.key: rrset for rrset in plan.wanted}
    return [
        LedgerEntry(
            zone=plan.plan.zone,
            provider=plan.plan.provider,
            name=claim.name,
            type=claim.type,
            owner=claim.owner,
            domain=claim.domain,
            value=claim.value,
            ttl=_ttl(plan, claim, wanted),
            applied_at=work.now,
            added=plan.added.get(claim.key, ""),
        )
        for claim in plan.claims
        if claim.value is not None
    ]


def _ttl(plan: ZonePlan, claim: Claim, wanted: Mapping[tuple[str, str], RRset]) -> int:
    """The TTL that we gave the claim's RRset, −1 where somebody else did, or has values in it: then it is not ours to change."""
    if foreign(wanted.get(claim.key), claim.owner):
        return -1
    written = next((c.new.ttl for c in plan.plan.changes if (c.name, c.type) == claim.key and c.new), None)
    applied = plan.ledger.get((claim.name, claim.type, claim.owner))
    return written if written is not None else applied.ttl if applied is not None else -1


def _record(work: Work, plan: ZonePlan, decision: Decision, changes: Iterable[Change]) -> None:
    """The stamps of a write that happened: ledger, events, and when the zone was last read and written."""
    state, zone = work.line.state, plan.plan.zone
    because = {claim.key: claim.because for claim in plan.claims}
    with state.transaction():
        state.record_applied(_entries(work, plan))
        state.drop_applied(zone, plan.plan.provider, forgotten(plan.claims, plan.found, plan.ledger))
        if not work.keys_only:
            state.settle(zone, plan.plan.provider)
        for change in changes:
            name, what = absolute(change.name, zone), change.kind.value
            why = because.get((change.name, change.type), "")
            state.add_event(work.now, what, zone=zone, sentence=f"{what} {name} {change.type}", because=why)
            log.info("zone=%s name=%s type=%s %s because=%s", zone, name, change.type, what, why)
        ttls = work.limits[zone]
        state.save_zone(ZoneRecord(zone, last_read=work.now, last_pass=work.now, result="ok", rrsets=len(plan.found),
                                   min_ttl=ttls.min_ttl, max_ttl=ttls.max_ttl))  # fmt: skip


def _results(work: Work, decision: Decision, before: Mapping[str, ZoneRecord]) -> None:
    """How the pass ended for zones that got nothing, or wait for a person, for `status`; and when the daemon tries one again that
    failed. `before`: the zones' records as this pass found them, since what went well at one provider may have been noted."""
    rrsets = {plan.plan.zone: len(plan.found) for plan in decision.zones}
    partly = _apart(work)
    told = {zone: f"failed: {problem}" for zone, problem in decision.unread.items()}
    for outcome in work.outcomes:
        if outcome.error:
            told[outcome.zone] = f"failed: {outcome.error}"
        elif outcome.refusals and outcome.zone not in told:
            told[outcome.zone] = f"refused: {outcome.refusals[0].sentence}"
        elif outcome.instructions and outcome.zone not in told:
            names = named(outcome.zone, outcome.changes)
            told[outcome.zone] = (
                f"waiting for a person to change {names} at {outcome.provider}; `dnssync plan` tells what is still to be done"
            )
    for zone, result in told.items():
        last = work.line.state.zone(zone)
        read, count, *ttls = (last.last_read, last.rrsets, last.min_ttl, last.max_ttl) if last else (0, 0)
        if result.startswith("waiting"):
            read, count = work.now, rrsets[zone]  # it was read, whatever is still to be done
        failures, again_at = 0, None
        if result.startswith("failed") and zone not in partly:
            noted = (before[zone].failures, before[zone].next_try) if zone in before else (0, None)
            failures, again_at = after_failure(zone, *noted, work.now, work.line.config.schedule.interval)
        work.line.state.save_zone(ZoneRecord(zone, read, work.now, result, count, failures, again_at, *ttls))


def _apart(work: Work) -> frozenset[str]:
    """Note which providers failed where another one of the same zone did not: those alone are left out for a while. The zones of which that
    is so."""
    failed: dict[str, dict[str, str]] = {}
    for view in work.seen.zones:
        errors = {o.provider: o.error for o in work.outcomes if o.zone == view.zone and o.error}
        failed[view.zone] = {**view.unread, **errors}
    before = {(row.zone, row.provider): row for row in work.line.state.tries()}
    rows = []
    for zone, sentences in failed.items():
        if len(sentences) == len(work.line.config.zones[zone].providers):
            continue
        for provider, sentence in sentences.items():
            row = before.get((zone, provider))
            if row is None or (zone, provider) not in work.line.resting:
                noted: tuple[int, int | None] = (row.failures, row.next_try) if row else (0, None)
                again = after_failure(f"{zone} {provider}", *noted, work.now, work.line.config.schedule.interval)
                row = ProviderTry(zone, provider, *again, sentence)
            rows.append(row)
    work.line.state.save_tries({*failed} - work.seen.noted, rows)
    return frozenset(row.zone for row in rows)
