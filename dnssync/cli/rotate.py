"""`dnssync rotate`: another key takes over, because a person says so."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

import click

from dnssync import signing_map
from dnssync.carry_out import carry_out
from dnssync.cli import render
from dnssync.cli.apply import tell
from dnssync.cli.context import Context, chosen, json_option
from dnssync.core import dkim
from dnssync.core.homes import key_zone, zones_above
from dnssync.core.model import KeyPair, Phase, absolute, zone_of
from dnssync.core.rotation import COMING, PAST, Policy, phase
from dnssync.core.together import some, together
from dnssync.errors import DnssyncError, LockedError
from dnssync.new_keys import make_map, recover
from dnssync.reconcile import Line
from dnssync.report import Report

LOST = (
    "Mail under way that {names} signed will not verify any more once the record says so: that is the price, since a thief could "
    "sign with it as well."
)


@click.command(name="rotate")
@click.argument("domains", nargs=-1)
@click.option(
    "--emergency", is_flag=True, help="The key is in wrong hands: revoke it as soon as exim signs with the standby."
)
@click.option(
    "--key",
    "names",
    multiple=True,
    metavar="SELECTOR",
    help="Which key that is (--emergency); else all that signed and are valid.",
)
@click.option("--abort", is_flag=True, help="Go back to the key before, while its record still stands.")
@click.option("--yes", is_flag=True, help="Do not ask (--emergency).")
@json_option
@click.pass_obj
def command(
    context: Context, domains: tuple[str, ...], emergency: bool, names: tuple[str, ...], abort: bool, yes: bool
) -> int:
    """Let the next key of DOMAIN take over now, as if the time of the present one were over; without DOMAIN, of all domains.
    Of DNS, only the records of keys are written.

    exim signs with the standby from the next message on, and the old key's record stays until the mail that it signed has
    arrived. Where no standby is ready, the old key signs on until one is. Exit codes: 0 done, 1 failed, 3 refused.
    """
    if emergency and abort:
        raise click.UsageError("--emergency and --abort exclude each other.")
    if names and not emergency:
        raise click.UsageError("--key belongs to --emergency.")
    only = chosen(context, domains)
    line = context.line(read_only=False)
    now = int(context.now())
    every = line.state.keys()
    # A name that is a mail domain means it alone, else it is a zone with all of its domains.
    apart = {key.domain for key in every}
    keys = [k for k in every if not only or k.domain in only or _in(k, {*only} - apart)]
    marked = (
        _recalled(keys, now, signing_map.read(context.config.exim.map))
        if abort
        else _leaked(keys, every, now, names)
        if emergency
        else _called(keys, now)
    )
    if strange := set(names) - {key.selector for key in marked}:
        raise DnssyncError(
            f"There is no key {', '.join(sorted(strange))} that could sign or whose record stands. See `dnssync status`."
        )
    if not marked:
        what = "no key that signed before and still stands in DNS" if abort else "no key that exim signs with"
        raise DnssyncError(
            f"There is {what}{' for ' + ', '.join(only) if only else ''}: nothing can be changed. See `dnssync status`."
        )
    if emergency and not _agreed(context, keys, marked, yes):
        return 3
    only = tuple(dict.fromkeys((*only, *(key.domain for key in marked)))) if only else ()
    _note(line, marked, now, emergency, abort)
    with _lock(context):
        recover(line)
        make_map(line)
        reports = [_pass(context, line, only)]
        if reports[0].map_lines:  # whoever signs now is known by a second look; only then the old key is at its end
            reports.append(_pass(context, line, only))
    report = reports[-1]
    _in_the_way(context, report)
    code = 1 if any(each.failed for each in reports) else 3 if any(each.refused for each in reports) else 0
    left = _left(line, report, marked, emergency)
    code = code or (1 if left and (emergency or abort) else 0)
    if context.json:
        context.emit({"marked": marked, "map_lines": [line for each in reports for line in each.map_lines], "waiting": left,
                      "made": [key for each in reports for key in each.made], "failed": dict(report.decision.unread),
                      "outcomes": [outcome for each in reports for outcome in each.outcomes],
                      "notices": report.notices, "exit": code})  # fmt: skip
    for sentence in left:
        context.say(sentence, "red" if emergency else "yellow")
    return code


def _in(key: KeyPair, zones: Collection[str]) -> bool:
    """Whether a key is of a mail domain in one of these zones, or its record lies there."""
    return zone_of(key.domain, zones) is not None or key_zone(key, zones) is not None


@contextlib.contextmanager
def _lock(context: Context) -> Iterator[None]:
    """The lock; whoever does not get it has to know that his word is kept, and that nothing came of it yet."""
    try:
        with context.lock("rotate"):
            yield
    except LockedError as error:
        raise LockedError(
            f"What was said of the keys is noted, and the next pass honours it; until then exim signs on as before. {error}"
        ) from None


def _called(keys: Sequence[KeyPair], now: int) -> list[KeyPair]:
    """The keys that sign now, marked to be replaced."""
    return [replace(key, called=now) for key in keys if phase(key, Policy(), now) is Phase.ACTIVE]


def _leaked(keys: Sequence[KeyPair], every: Sequence[KeyPair], now: int, names: Sequence[str]) -> list[KeyPair]:
    """The keys that are in wrong hands: those named, else all that have signed and that receivers take for valid."""
    valid = {Phase.ACTIVE, Phase.RETIRED} if not names else COMING | {Phase.ACTIVE, Phase.RETIRED}
    leaked = [key for key in keys if phase(key, Policy(), now) in valid and (not names or key.selector in names)]
    halves = {key.public_key for key in leaked}  # one file of the administrator's may be the key of several domains
    leaked += [k for k in every if k.public_key in halves and k not in leaked and phase(k, Policy(), now) not in PAST]
    return [replace(key, called=now, compromised=now, recalled=None) for key in leaked]


def _recalled(keys: Sequence[KeyPair], now: int, lines: Mapping[str, tuple[str, ...]]) -> list[KeyPair]:
    """In each key set the key that signed last before the present one, marked to come back; where a rotation was called for and
    has not happened, the present one without that mark."""
    marked = []
    for domain, kind in dict.fromkeys((key.domain, key.kind) for key in keys):
        mine = [key for key in keys if (key.domain, key.kind) == (domain, kind)]
        active = [k for k in mine if phase(k, Policy(), now) is Phase.ACTIVE and k.compromised is None]
        past = [
            key
            for key in mine
            if phase(key, Policy(), now) is Phase.RETIRED and key.activated is not None and key.compromised is None
        ]
        # A rotation that was begun and that nobody saw come to its end: the present key stays, and serves anew.
        begun = [k for k in active if k.called is not None or k.selector not in lines.get(domain, (k.selector,))]
        if begun:
            marked += [replace(key, called=None, recalled=now) for key in begun]
        elif past:
            marked.append(
                replace(max(past, key=lambda key: (key.retired or 0, key.selector)), recalled=now, called=None)
            )
    return marked


def _agreed(context: Context, keys: Sequence[KeyPair], marked: Sequence[KeyPair], yes: bool) -> bool:
    """Whether a person says yes to what an emergency costs."""
    now = int(context.now())
    names = some([f"{key.selector} ({key.domain})" for key in marked])
    context.say(f"These keys are revoked as soon as exim signs with none of them: {names}.")
    context.say(LOST.format(names=names))
    signing = [key for key in marked if phase(key, Policy(), now) is Phase.ACTIVE]
    gone = {(key.domain, key.selector) for key in marked}
    bare = sorted({
        f"{key.domain} ({key.kind})" for key in signing
        if not any(k.domain == key.domain and k.kind == key.kind and phase(k, Policy(), now) is Phase.READY
                   and (k.domain, k.selector) not in gone for k in keys)
    })  # fmt: skip
    if bare:
        context.say(f"No standby is ready for {some(bare)}: the key that is known to others signs on until a new one can be seen "
                    "everywhere (an hour or more), since mail would leave unsigned otherwise.", "red")  # fmt: skip
    if yes:
        return True
    answer = context.ask("Switch and revoke now?")
    if not answer:
        told = (
            "Nothing was changed."
            if answer is False
            else "Nothing was changed: there is no terminal to ask at. Say --yes."
        )
        if context.json:
            context.emit({"error": told, "exit": 3})
        else:
            context.warn(told)
    return bool(answer)


def _note(line: Line, marked: Sequence[KeyPair], now: int, emergency: bool, abort: bool) -> None:
    """The word is kept with the keys before anything follows from it. No lock is needed, since a pass that is under way leaves
    it as it is; every later one honours it."""
    with line.state.transaction():
        line.state.mark_keys(marked)
        for key in marked:
            told = (
                ("is to stay" if key.retired is None else "is to come back")
                if abort
                else ("is in wrong hands" if emergency else "is to be replaced now")
            )
            line.state.add_event(now, "rotate", domain=key.domain, selector=key.selector,
                                 sentence=f"a person said: {key.selector} of {key.domain} {told}")  # fmt: skip


def _pass(context: Context, line: Line, only: tuple[str, ...]) -> Report:
    try:
        seen, got = line.plan(only)
        report = carry_out(line, seen, got, keys_only=True)
    except DnssyncError as error:
        raise DnssyncError(f"{error} What was said of the keys is noted, and the next pass honours it.") from None
    context.progress("")
    tell(context, report)
    return report


def _in_the_way(context: Context, report: Report) -> None:
    """What holds a zone back, and what else a person should know; what would be changed there is for `dnssync plan` to show."""
    width = render.width(context)
    for zone, problem in report.decision.unread.items():
        render.show(context, render.wrapped(f"{zone} failed: ", context.hinted(problem), "red", width))
    for refusal in dict.fromkeys(refusal for plan in report.decision.zones for refusal in plan.refusals):
        render.show(context, render.wrapped("refused: ", context.hinted(refusal.sentence), "red", width))
    for sentence in together(notice.sentence for notice in report.notices):
        render.show(context, render.wrapped("note: ", context.hinted(sentence), "cyan", width))


def _left(line: Line, report: Report, marked: Sequence[KeyPair], emergency: bool) -> list[str]:
    """What was asked for and is not done yet, a sentence each, with what is in the way."""
    told = []
    now = report.decision.now
    after = {(key.domain, key.selector): key for key in report.decision.keys}
    frozen = {request.subject for request in line.state.requests(now) if request.kind == "freeze"}
    held = {o.zone: o.provider for o in report.outcomes if o.refusals or o.error}
    held.update(dict.fromkeys(report.decision.unread, "its provider"))
    revoked = {
        (claim.domain, claim.name.partition("._domainkey")[0])
        for plan in report.decision.zones
        for claim in plan.claims
        if claim.value == dkim.REVOKED
    }
    by_hand = {outcome.zone for outcome in report.outcomes if outcome.instructions}
    for key in marked:
        at = phase(after[(key.domain, key.selector)], Policy(), now)
        because = report.decision.steps[(key.domain, key.kind)].because
        zone = key_zone(key, line.config.zones) or ""
        if key.domain in frozen:
            because = f"{key.domain} is frozen, and `dnssync freeze --off {key.domain}` ends that"
        elif zone in held:
            because = f"{zone} is held at {held[zone]}, see above"
        if key.recalled is not None and at is not Phase.ACTIVE:
            told.append(f"{key.domain}: {key.selector} does not sign again yet: {because}.")
        elif key.recalled is None and key.called is not None and at is Phase.ACTIVE:
            told.append(f"{key.domain}: {key.selector} signs on: {because}.")
        elif emergency and at is Phase.DUE and zone in by_hand:
            told.append(
                f"{key.domain}: {key.selector} is valid until its record is changed by hand, as told above. Do it now."
            )
        elif emergency and at is Phase.DUE and (zone in held or (key.domain, key.selector.lower()) not in revoked):
            if key.domain not in frozen and zone not in held:
                because = "its record is not dnssync's to change (a CNAME)"
            told.append(f"{key.domain}: {key.selector} could not be revoked, since {because}. Do it by hand, now: "
                        f'{key.selector}._domainkey.{key.domain}. TXT "v=DKIM1; p="')  # fmt: skip
        for above in zones_above(zone, line.config.zones) if emergency and at in PAST else ():
            full = dkim.record_name(key.selector, key.domain)
            if above in held and any(absolute(entry.name, above) == full for entry in line.state.ledger(above)):
                told.append(f"{key.domain}: {key.selector} could not be revoked in {above}, where its record stood before, since that is held at "
                            f'{held[above]}, see above. Do it by hand: {full}. TXT "v=DKIM1; p="')  # fmt: skip
    return told
