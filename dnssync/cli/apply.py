"""`dnssync apply`: show, ask, write, and tell what DNS shows then and what is still to come."""

from __future__ import annotations

import json
from pathlib import Path

import click

from dnssync.carry_out import carry_out
from dnssync.cli import plan as planned
from dnssync.cli import render
from dnssync.cli.context import Context, chosen, json_option
from dnssync.cli.plan import plan_digest
from dnssync.core.decide import Decision
from dnssync.core.durations import moment
from dnssync.core.model import KeyPair, Phase, zone_of
from dnssync.core.plan import digest, from_json, unmade
from dnssync.core.rotation import Policy, phase
from dnssync.core.sighting import Sight
from dnssync.errors import DnssyncError, RefusedError
from dnssync.new_keys import held, make_map, recover
from dnssync.reconcile import Line
from dnssync.report import Report, by_hand, waiting

RETRY, PATIENCE = 60, 600  # seconds: between tries of --wait after a failure, and beyond the moment all keys could sign
Told = dict[tuple[str, str], set[str]]  # what a person was told, by (zone, provider): instructions, refusals' words
Row = tuple[KeyPair, Phase, int | None, str]


@click.command(name="apply")
@click.argument("domains", nargs=-1)
@click.option(
    "--plan", "file", metavar="FILE", help="Apply the plan of `plan --out FILE`, or nothing if the world has moved."
)
@click.option("--adopt", is_flag=True, help="Take over SPF and DMARC records that others wrote (both texts are shown).")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--wait", is_flag=True, help="Stay until the keys sign.")
@json_option
@click.pass_obj
def command(context: Context, domains: tuple[str, ...], file: str | None, adopt: bool, yes: bool, wait: bool) -> int:
    """Show what would change, ask, and put DNS right, for all zones or for those of the DOMAINS named.

    Exit codes: 0 done, 3 refused (by the guard, or nobody said yes), 1 failed.
    """
    only = chosen(context, domains)
    agreed = None
    if file is not None:
        agreed, only, adopt = _reviewed(context, file, only, adopt)
    if agreed is None and not yes:
        agreed = _asked(context, only, adopt)
        if agreed is None:
            return 3
    line = context.line(read_only=False)
    with context.lock("apply"):
        report = _pass(context, line, only, adopt, agreed)
    if wait and not report.failed:
        report = _wait(context, line, only, report)
    if context.json:
        context.emit(as_data(report))
    return 1 if report.failed else 3 if report.refused else 0


def _reviewed(context: Context, file: str, only: tuple[str, ...], adopt: bool) -> tuple[str, tuple[str, ...], bool]:
    """The digest of a plan that was written to a file, the names that it was asked for, and whether it takes over."""
    try:
        data = json.loads(Path(file).read_text(encoding="utf-8"))
        agreed = digest([from_json(plan) for plan in data["plans"]])
        names, taken = tuple(str(name) for name in data["only"]), data["adopt"] is True
    except OSError as error:
        raise DnssyncError(f"{file} cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError):
        raise DnssyncError(f"{file} is no plan; `dnssync plan --out {file}` writes one.") from None
    if only and {*only} != {*names}:
        raise click.UsageError(
            f"{file} is a plan for {' '.join(names) or 'all zones'}; leave out the names beside --plan."
        )
    if adopt and not taken:
        raise click.UsageError(
            f"{file} was written without --adopt, and takes nothing over; leave --adopt out, or plan anew."
        )
    return agreed, chosen(context, names), taken


def _asked(context: Context, only: tuple[str, ...], adopt: bool) -> str | None:
    """Show what would be done and ask for it, before any lock is held; the digest that was agreed to, None = no."""
    line = context.line(read_only=True)
    _, got = line.plan(only, adopt=adopt)
    context.progress("")
    if not context.json:
        _show(context, got)
    if not got.changes:
        return plan_digest(got)
    answer = context.ask("Write this?")
    if answer is None:
        why = "with --json nobody is asked" if context.json else "there is no terminal to ask at"
        told = f"Nothing was written: {why}. Say --yes, or apply a reviewed plan with --plan FILE."
        if context.json:
            context.emit({**planned.as_data(got, by_hand(line, got)), "error": told, "exit": 3})
        else:
            context.warn(told)
        return None
    if not answer:
        context.warn("Nothing was written.")
        return None
    return plan_digest(got)


def _pass(context: Context, line: Line, only: tuple[str, ...], adopt: bool, agreed: str | None) -> Report:
    """One pass under the lock."""
    recover(line)
    make_map(line)
    seen, got = line.plan(only, adopt=adopt)
    context.progress("")
    if agreed is None and not context.json:
        _show(context, got)
    if agreed is not None and agreed != plan_digest(got):
        if not context.json:
            _show(context, got)
        raise RefusedError("This is not the plan that was agreed to: the zone, exim or the keys have changed since. Nothing was "
                           "written; look at the plan above, and apply again.")  # fmt: skip
    report = carry_out(line, seen, got)
    context.progress("")
    tell(context, report)
    return report


def _wait(context: Context, line: Line, only: tuple[str, ...], report: Report) -> Report:
    """Passes until the keys of all zones that are not refused sign; what another pass would change in DNS is for a person
    to see first. A pass that fails is tried again for as long as the keys would have taken."""
    told: Told = {}
    trouble, fatal, end = "", None, 0
    while rows := _awaited(line, report):
        now = int(context.now())
        if not trouble:
            _note(told, report)
            if all(phase is Phase.READY for _, phase, _, _ in rows) and not _named(report, rows):
                context.say("The keys are ready; what is missing stands in the notes above.")
                break
            end = _end(rows, now)
            wake = min((wake for _, _, wake, _ in rows if wake is not None), default=now + RETRY)
            context.say(f"Waiting until {moment(wake)}.")
        elif now >= end:
            if fatal is not None:
                raise fatal
            context.say("It went on failing; the waiting ends here.", "red")
            break
        else:
            wake = now + RETRY
        context.sleep(max(1.0, wake - context.now()))
        before, trouble, fatal = trouble, "", None
        try:
            with context.lock("apply"):
                seen, got = line.plan(only)
                if _moved(line, told, got):
                    _show(context, got)
                    raise RefusedError(
                        "DNS is not as it was written; the waiting ends here. Look at the plan above, and apply again."
                    )
                report = carry_out(line, seen, got)
        except RefusedError:
            raise
        except DnssyncError as error:
            trouble, fatal = str(error), error
        else:
            trouble = "\n".join([*report.decision.unread.values(), *(o.error for o in report.outcomes if o.error)])
        context.progress("")
        if not trouble:
            tell(context, report)
        elif trouble != before:
            for failure in trouble.split("\n"):
                context.say(f"failed: {failure}", "red")
            context.say(f"It is tried again every minute, until {moment(end)} at the latest.")
    return report


def _awaited(line: Line, report: Report) -> list[Row]:
    """The keys that can come to sign now: those of the zones that were looked at and not refused; a standby stands by."""
    zones = {plan.plan.zone for plan in report.decision.zones} | set(report.decision.failed)
    zones -= {outcome.zone for outcome in report.outcomes if outcome.refusals}
    steps, now = report.decision.steps, report.decision.now

    def signed(key: KeyPair) -> bool:
        return any(phase(k, Policy(), now) is Phase.ACTIVE for k in steps[(key.domain, key.kind)].keys)

    rows = [row for row in waiting(report.decision) if not signed(row[0])]
    return [row for row in rows if zone_of(row[0].domain, line.config.zones) in zones]


def _end(rows: list[Row], now: int) -> int:
    """When the last of the keys would sign if every pass went well, and a little more, in seconds since 1970."""
    ready = [(key.published or max(now, (key.seen or now) + Policy().gap)) + key.season for key, *_ in rows]
    return max(now, *ready) + PATIENCE


def _note(told: Told, report: Report) -> None:
    """Remember what a pass told of each zone."""
    for outcome in report.outcomes:
        words = {refusal.reason for refusal in outcome.refusals}
        told[(outcome.zone, outcome.provider)] = {*outcome.instructions, *words}


def _moved(line: Line, told: Told, got: Decision) -> bool:
    """Whether another pass would do more than a person was told: what is not entered yet is no more, and neither is a zone
    that is still refused for what it was refused for."""
    hand, refused = by_hand(line, got), held(got)
    for plan in got.zones:
        at = (plan.plan.zone, plan.plan.provider)
        known = told.get(at, set())
        if plan.plan.zone in refused:
            moved = not known >= {refusal.reason for refusal in plan.refusals}
        else:
            # A standby is no surprise.
            rest = [change for change in plan.plan.changes if not unmade(change.name)]
            moved = bool(rest) and (at not in hand or not known >= {*hand[at]})
        if moved:
            return True
    return False


def _named(report: Report, rows: list[tuple[KeyPair, Phase, int | None, str]]) -> bool:
    """Whether exim reads the map that names the ready keys, so that the next pass can see it sign."""
    return not any(notice.reason == "exim_not_switched" for notice in report.decision.notices) and any(
        key.selector in report.decision.map_after.get(key.domain, ()) for key, *_ in rows
    )


def _show(context: Context, got: Decision) -> None:
    render.show(context, render.decision(got, render.width(context), hinted=context.hinted))


def tell(context: Context, report: Report) -> None:
    """What was done, what the authoritative servers show, and what is pending until when."""
    if context.json:
        return
    context.say()
    late = {
        plan.plan.zone for plan in report.decision.zones if not plan.refusals
    }  # refused only when it came to writing
    for outcome in report.outcomes:
        if outcome.instructions:
            context.say(
                f"{outcome.zone} at {outcome.provider}: {render.count(len(outcome.changes), 'record set')} to be changed by hand",
                "yellow",
            )
        elif outcome.changes:
            context.say(
                f"{outcome.zone} at {outcome.provider}: {render.count(len(outcome.changes), 'record set')} written",
                "green",
            )
        render.show(context, render.by_hand(outcome.instructions))
        for sentence in outcome.made_good:
            context.say(f"{outcome.zone} at {outcome.provider}: {sentence}", "green")
        if outcome.left_out:
            context.say(f"left out: {outcome.left_out}", "yellow")
        if outcome.error:
            context.say(f"failed: {outcome.error}", "red")
        for refusal in outcome.refusals if outcome.zone in late else ():
            context.say(f"refused: {refusal.sentence}", "red")
    for key in report.made:
        context.say(f"made {key.selector} ({key.algorithm}) for {key.domain}", "green")
    for domain, selectors in report.map_lines:
        context.say(f"exim's map: {domain}: {' : '.join(selectors)}", "green")
    visible = sum(look.sight is Sight.VISIBLE for look in report.looks)
    if report.looks:
        context.say(f"The authoritative servers show {visible} of {len(report.looks)} records as wanted.")
    for look in report.looks:
        if look.sight is not Sight.VISIBLE:
            detail = f" ({look.detail})" if look.detail else ""
            context.say(f"  {look.sight.value}: {look.name} {look.type}{detail}", "yellow")
    rows = waiting(report.decision)
    if rows:
        context.say("Pending:")
        cells = [(k.domain, k.selector, p.value, moment(w) if w else "–") for k, p, w, _ in rows]
        lines = render.table(("domain", "key", "phase", "next look"), cells)
        reasons = dict.fromkeys((phase.value, _reason(key, phase, why)) for key, phase, _, why in rows)
        for phase, why in reasons:
            lines += render.wrapped(f"{phase}: ", why, "", render.width(context) - 2)
        render.show(context, [("  " + text, style) for text, style in lines])


def _reason(key: KeyPair, phase: Phase, because: str) -> str:
    """Why a key waits, without its name and its phase, so that many keys can share the sentence under the phase."""
    told = because.replace(key.selector, "it").removeprefix("it ").removeprefix(f"is {phase.value}")
    return told.lstrip(":, ")


def as_data(report: Report) -> dict[str, object]:
    """The report for machines."""
    pending = [
        {"key": key, "phase": phase, "wake": wake, "because": why} for key, phase, wake, why in waiting(report.decision)
    ]
    return {
        "outcomes": report.outcomes,
        "failed": dict(report.decision.unread),
        "made": report.made,
        "map_lines": report.map_lines,
        "looks": report.looks,
        "pending": pending,
        "notices": report.notices,
        "exit": 1 if report.failed else 3 if report.refused else 0,
    }
