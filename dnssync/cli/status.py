"""`dnssync status`: the keys and what each waits for, and the last pass of each zone; from the state alone."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence

import click

from dnssync import signing_map
from dnssync.cli import render
from dnssync.cli.context import Context, chosen, json_option
from dnssync.core.model import KeyPair, Phase, zone_of
from dnssync.core.rotation import SERVING, Policy, due, moment, phase
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
    born = sorted(state.keys(), key=lambda key: (key.domain, key.generated, key.selector))
    keys = [key for key in born if not only or _wanted(key.domain, only, context)]
    zones = [zone for zone in context.config.zones if not only or any(zone_of(name, [zone]) for name in only)]
    records = {zone: state.zone(zone) for zone in zones}
    unusable = {
        (k.domain, k.selector): told
        for k in keys
        if phase(k, Policy(), now) in SERVING and (told := Keystore(context.config.keys).problem(k))
    }
    troubled: list[object] = [*unusable]
    troubled += [zone for zone, record in records.items() if record is not None and not _good(record)]
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
    width = render.width(context)
    render.show(context, _keys(keys, now, lines, width))
    for told in unusable.values():
        context.say(told, "red")
    if not keys:
        context.say("There are no keys yet; `dnssync apply` makes them.")
    context.say()
    render.show(context, _zones(records, width, context.hinted))
    for request in state.requests(now):
        until = f"until {moment(request.until)}" if request.until else "for good"
        context.say(f"{request.kind} {request.subject} ({until})", "cyan")
    return 1 if troubled else 0


def _wanted(domain: str, only: tuple[str, ...], context: Context) -> bool:
    return domain in only or zone_of(domain, context.config.zones) in only


def _keys(keys: Sequence[KeyPair], now: int, lines: dict[str, tuple[str, ...]], width: int) -> list[render.Line]:
    """A block for each domain, its keys in columns, and under each key what it waits for."""
    rows = [(k.selector, k.algorithm, phase(k, Policy(), now).value, f"since {_since(k)}") for k in keys]
    told: list[render.Line] = []
    domain = None
    for key, (line, style) in zip(keys, render.columns(rows), strict=True):
        if key.domain != domain:
            domain = key.domain
            told.append((domain, "bold"))
        told.append(("  " + line, style))
        told += render.wrapped("    ", _next(key, now, lines), "", width)
    return told


def _zones(records: dict[str, ZoneRecord | None], width: int, hinted: Callable[[str], str]) -> list[render.Line]:
    """A line for each zone with its last pass; how that ended stands under it, where it is more than a word."""
    rows = [
        (name, f"last pass {moment(record.last_pass)}" if record else "last pass never", "ok" if _good(record) else "")
        for name, record in records.items()
    ]
    told: list[render.Line] = []
    for record, line in zip(records.values(), render.columns(rows), strict=True):
        told.append(line)
        if record is None:
            told += render.wrapped("    ", hinted("`dnssync apply` makes the first one"), "", width)
        elif not _good(record):
            told += render.wrapped("    ", hinted(record.result), "red", width)
    return told


def _good(record: ZoneRecord | None) -> bool:
    return record is not None and record.result == "ok"


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
