"""`dnssync status`: the keys and what each waits for, and the last pass of each zone; from the state alone."""

from __future__ import annotations

import platform

import click

from dnssync import signing_map
from dnssync.cli import render
from dnssync.cli.context import Context, chosen, json_option
from dnssync.core.model import KeyPair, Phase, zone_of
from dnssync.core.rotation import Policy, due, moment, phase
from dnssync.keystore import Keystore
from dnssync.state import State, ZoneRecord


@click.command(name="status")
@click.argument("domains", nargs=-1)
@json_option
@click.pass_obj
def command(context: Context, domains: tuple[str, ...]) -> int:
    """Show the keys, what each waits for, and how the last pass of each zone ended.

    Exit codes: 0 all is well, 1 something needs a person.
    """
    only = chosen(context, domains)
    state = State.open(context.config.state, host=platform.node(), read_only=True)
    lines = signing_map.read(context.config.exim.map)
    now = int(context.now())
    keys = [key for key in state.keys() if not only or _wanted(key.domain, only, context)]
    zones = [zone for zone in context.config.zones if not only or any(zone_of(name, [zone]) for name in only)]
    records = {zone: state.zone(zone) for zone in zones}
    unusable = {
        (k.domain, k.selector): told
        for k in keys
        if k.removed is None and (told := Keystore(context.config.keys).problem(k))
    }
    troubled: list[object] = [*unusable]
    troubled += [zone for zone, record in records.items() if record is not None and record.result != "ok"]
    if context.json:
        context.emit(
            {
                "keys": [
                    {"key": key, "phase": phase(key, Policy(), now), "next": _next(key, now, lines)} for key in keys
                ],
                "zones": records,
                "map": lines,
                "requests": state.requests(now),
                "exit": 1 if troubled else 0,
            }
        )
        return 1 if troubled else 0
    rows = [
        (k.domain, k.selector, k.algorithm, phase(k, Policy(), now).value, _since(k), _next(k, now, lines))
        for k in keys
    ]
    render.show(context, render.table(("domain", "key", "algorithm", "phase", "since", "next"), rows))
    for told in unusable.values():
        context.say(told, "red")
    if not rows:
        context.say("There are no keys yet; `dnssync apply` makes them.")
    context.say()
    render.show(context, render.table(("zone", "last pass", "result"), [_zone(*item) for item in records.items()]))
    for request in state.requests(now):
        until = f"until {moment(request.until)}" if request.until else "for good"
        context.say(f"{request.kind} {request.subject} ({until})", "cyan")
    return 1 if troubled else 0


def _wanted(domain: str, only: tuple[str, ...], context: Context) -> bool:
    return domain in only or zone_of(domain, context.config.zones) in only


def _zone(name: str, record: ZoneRecord | None) -> tuple[str, str, str]:
    if record is None:
        return (name, "never", "`dnssync apply` makes the first one")
    return (name, moment(record.last_pass), record.result)


def _since(key: KeyPair) -> str:
    return moment(key.activated or key.published or key.seen or key.generated)


def _next(key: KeyPair, now: int, lines: dict[str, tuple[str, ...]]) -> str:
    """What happens next, from the stamps alone."""
    at = phase(key, Policy(), now)
    named = key.selector in lines.get(key.domain, ())
    if at is Phase.GENERATED and key.seen is None:
        return "to be seen on all name servers"
    if at is Phase.GENERATED:
        return f"a second look, from {moment((key.seen or 0) + Policy().gap)}"
    if at is Phase.PUBLISHED:
        return f"ready at {moment((key.published or 0) + key.season)}"
    if at is Phase.READY:
        return (
            "exim's map names it; the next pass looks whether exim signs with it"
            if named
            else "the next pass names it to exim"
        )
    if at is Phase.ACTIVE:
        served = due(key, Policy())
        return f"has served at {moment(served)}" if served and not key.adopted else "signs"
    return "–"
