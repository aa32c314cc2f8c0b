"""`dnssync status`: the keys and what each waits for, and the last pass of each zone; from the state alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from dnssync import signing_map
from dnssync.cli import render, timeline
from dnssync.cli.context import Context, chosen, json_option
from dnssync.config import Config
from dnssync.core.ages import entered
from dnssync.core.alerts import KINDS, spelled
from dnssync.core.attention import NOTICE, needs_person
from dnssync.core.durations import DAY, moment
from dnssync.core.homes import key_zone
from dnssync.core.key_sets import replaced
from dnssync.core.model import KeyPair, Phase, zone_of
from dnssync.core.rotation import SERVING, Policy, due, phase
from dnssync.core.selectors import foreign
from dnssync.core.together import Line
from dnssync.core.together import lines as together
from dnssync.identity import rows
from dnssync.keystore import Keystore
from dnssync.state import State, ZoneRecord
from dnssync.state_rows import ProviderTry, Trouble

RECENT = 30 * DAY
STYLES = {Phase.ACTIVE: "green", Phase.READY: "cyan", Phase.REMOVED: "dim"}


@click.command(name="status")
@click.argument("domains", nargs=-1)
@json_option
@click.pass_obj
def command(context: Context, domains: tuple[str, ...]) -> int:
    """Show the keys, what each waits for, and how the last pass of each zone ended.

    Exit codes: 0 all is well, 1 something needs a person.
    """
    only = chosen(context, domains)
    state = State.open(context.config.state, host=rows(context.config.keys), read_only=True)
    lines = signing_map.read(context.config.exim.map)
    now = int(context.now())
    keystore = Keystore(context.config.keys)
    view = _View(context, now, keystore.host())
    born = sorted(state.keys(), key=lambda key: (key.domain, key.generated, key.selector))
    keys = [key for key in born if not only or _wanted(key, only, context)]
    zones = [zone for zone in context.config.zones if not only or any(zone_of(name, [zone]) for name in only)]
    records = {zone: state.zone(zone) for zone in zones}
    unusable = {
        (k.domain, k.selector): told for k in keys if view.phase(k) in SERVING and (told := keystore.problem(k))
    }
    doubts = [*_doubts(state), *_owner(context.config)]
    leaked = [key for key in keys if key.compromised is not None and view.phase(key) is Phase.ACTIVE]
    late = [k for k in keys if view.overdue(k) and k.selector not in lines.get(k.domain, ())]  # exim reads another map
    said = [row for row in state.troubles() if row.ended is None and (not row.zone or row.zone in zones)]
    tries = [row for row in state.tries() if row.zone in zones]
    troubled: list[object] = [row for row in said if needs_person(row.kind, row.reason)]
    spare = {
        (key.domain, key.selector)
        for key in replaced([k for k in keys if (k.domain, k.selector) in unusable], keys, now)
    }
    troubled += [*(set(unusable) - spare), *doubts[:1], *leaked, *late]
    troubled += [zone for zone, record in records.items() if record is not None and not _good(record)]
    if context.json:
        context.emit(
            {
                "keys": [_data(key, view, lines) for key in keys],
                "zones": records,
                "troubles": said,
                "tries": tries,
                "map": lines,
                "requests": state.requests(now),
                "clock": state.clock(),
                "notes": [*doubts, *_undisciplined(context)],
                "exit": 1 if troubled else 0,
            }
        )
        return 1 if troubled else 0
    width = render.width(context)
    standing = [key for key in keys if key.removed is None or key.removed > now - RECENT]
    render.show(context, _keys(standing, view, lines, width))
    if len(standing) < len(keys):
        context.say(
            f"{render.count(len(keys) - len(standing), 'key')} more, gone for over a month: see `dnssync history`.",
            "dim",
        )
    for at, told in unusable.items():
        context.say(
            f"{told} Another key stands by in its place." if at in spare else told, "dim" if at in spare else "red"
        )
    if not keys:
        context.say("There are no keys yet; `dnssync apply` makes them.")
    context.say()
    render.show(context, _zones(records, _Standing(said, tries, now), width, context.hinted))
    render.show(context, _said(said, width, context.hinted))
    for request in state.requests(now):
        until = f"until {moment(request.until)}" if request.until else "for good"
        what = "left to another host:" if request.kind == "stranger" else request.kind
        context.say(f"{what} {request.subject} ({until})", "cyan")
    for told in doubts:
        context.say(told, "red")
    for told in _undisciplined(context):
        context.say(told, "yellow")
    return 1 if troubled else 0


def _owner(config: Config) -> list[str]:
    """A state file that cannot be written, or is not its folder's owner's: as root everything works then, and nothing does for the service."""
    file = Path(config.state.partition(":///")[2].partition("?")[0])
    try:
        whose, folder = file.stat().st_uid, file.parent.stat().st_uid
    except OSError:
        return []
    if not config.state.startswith("sqlite"):
        return []
    if os.geteuid() in (0, whose) and not os.access(file, os.W_OK):
        return [f"The state {file} cannot be written by anybody now: its file system is read-only, or it is set immutable (lsattr). See the "
                "kernel's log; until that is mended every pass fails, and exim signs on with the keys that it has."]  # fmt: skip
    if whose == folder or folder == 0:
        return []
    return [f"The state {file} belongs to another user than its folder, so the service cannot write it. Give it back: "
            f"chown --reference={file.parent} {file}"]  # fmt: skip


@dataclass(frozen=True)
class _View:
    """Keys as the configuration has them now: its lifetimes, and whether bars are drawn."""

    context: Context
    now: int
    host: str

    @property
    def drawn(self) -> bool:
        """Bars are for people at a terminal."""
        return self.context.terminal

    def policy(self, domain: str) -> Policy:
        """The durations of a domain's keys."""
        zone = zone_of(domain, self.context.config.zones)
        return Policy(lifetime=self.context.config.zones[zone].policy.dkim.lifetime) if zone else Policy()

    def phase(self, key: KeyPair) -> Phase:
        """Where it stands now."""
        return phase(key, self.policy(key.domain), self.now)

    def since(self, key: KeyPair) -> int:
        """When it came to stand there, in seconds since 1970."""
        return entered(key, self.policy(key.domain), self.now)

    def overdue(self, key: KeyPair) -> bool:
        """Whether a key that signs should have given way for more than a day."""
        until = due(key, self.policy(key.domain))
        return self.phase(key) is Phase.ACTIVE and until is not None and until < self.now - DAY

    def next(self, key: KeyPair, lines: Mapping[str, tuple[str, ...]]) -> tuple[str, int | None]:
        """What happens to it next."""
        gone = self.phase(key) not in (Phase.ACTIVE, Phase.REMOVED)
        if gone and key.compromised is None and foreign(key.selector, self.host):
            return "made under another name of this host; its record is left to whoever may still sign with it", None
        return timeline.next_step(key, self.policy(key.domain), self.now, key.selector in lines.get(key.domain, ()))


def _data(key: KeyPair, view: _View, lines: Mapping[str, tuple[str, ...]]) -> dict[str, object]:
    """A key for machines."""
    told, at = view.next(key, lines)
    spans = timeline.spans(key, view.policy(key.domain), view.now)
    life = [{"from": begin, "until": until, "phase": phase} for begin, until, phase in spans]
    return {"key": key, "phase": view.phase(key), "next": told, "at": at, "life": life}


def _doubts(state: State) -> list[str]:
    """What the last pass doubts of the clock."""
    kept = state.clock()
    if kept is None or kept.doubted is None:
        return []
    return [f"This host's clock jumped at {moment(kept.doubted)}: no key is retired, revoked or deleted until it has been steady for a "
            "while. If it is right now: dnssync confirm clock"]  # fmt: skip


def _undisciplined(context: Context) -> list[str]:
    """A clock that nothing keeps right: no fault, but waits are measured by it."""
    if context.disciplined() is not False:
        return []
    return ["Nothing keeps this host's clock right (NTP). On a virtual machine that may be its host's business; where it is not, install "
            "systemd-timesyncd or chrony."]  # fmt: skip


def _wanted(key: KeyPair, only: tuple[str, ...], context: Context) -> bool:
    """Whether a key's domain is named, or the zone of that, or the zone that holds its record."""
    zones = context.config.zones
    return key.domain in only or zone_of(key.domain, zones) in only or key_zone(key, zones) in only


def _keys(keys: Sequence[KeyPair], view: _View, lines: Mapping[str, tuple[str, ...]], width: int) -> list[render.Line]:
    """A block for each domain, its keys in columns, under each key what it waits for, and on a terminal its life as a bar."""
    told: list[render.Line] = []
    rows = [(k.selector, k.algorithm, view.phase(k).value, f"since {moment(view.since(k))}") for k in keys]
    laid = dict(zip(keys, (line for line, _ in render.columns(rows)), strict=True)) if rows else {}
    for domain in dict.fromkeys(key.domain for key in keys):
        told.append((domain, "bold"))
        mine = [key for key in keys if key.domain == domain]
        lived = view.drawn and any(key.activated for key in mine)  # before that, the words say it all
        drawn = timeline.bars(mine, view.policy(domain), view.now, width - 4) if lived else []
        for number, key in enumerate(mine):
            told.append(("  " + laid[key], STYLES.get(view.phase(key), "")))
            told += render.wrapped("    ", view.context.hinted(view.next(key, lines)[0]), "", width)
            if drawn:
                told.append(("    " + drawn[number], "dim"))
    if view.drawn and any(key.activated for key in keys):
        told += render.wrapped("", timeline.LEGEND, "dim", width)
    return told


class _Standing:
    """What stands in the way of each zone, and when what failed is tried again by itself."""

    def __init__(self, said: Sequence[Trouble], tries: Sequence[ProviderTry], now: int) -> None:
        self._now = now
        self._lines: dict[str, list[Line]] = {}
        for line in sorted(
            together(row for row in said if row.kind != NOTICE), key=lambda line: [*KINDS].index(line.kind)
        ):
            self._lines.setdefault(line.zone, []).append(line)
        self._tries: dict[str, list[tuple[str, int]]] = {}
        for row in tries:
            self._tries.setdefault(row.zone, []).append((f"{row.provider} is", row.next_try))

    def lines(self, zone: str) -> list[str]:
        """Each thing that is said of it, word for word as an alert tells it."""
        return [spelled(line) for line in self._lines.get(zone, ())]

    def waits(self, zone: str, record: ZoneRecord | None) -> list[str]:
        """A sentence where the zone, or one of its providers, is left alone for a while."""
        every = self._tries.get(zone, []) + ([("It is", record.next_try)] if record and record.next_try else [])
        return [
            f"{who} tried again from {moment(at)} on; `dnssync apply {zone}` does not wait."
            for who, at in every
            if at > self._now
        ]


def _zones(
    records: dict[str, ZoneRecord | None], standing: _Standing, width: int, hinted: Callable[[str], str]
) -> list[render.Line]:
    """A line for each zone with its last pass; under it how that ended, where it is more than a word, and all that still stands there."""
    rows = [
        (name, f"last pass {moment(record.last_pass)}" if record else "last pass never", "ok" if _good(record) else "")
        for name, record in records.items()
    ]
    told: list[render.Line] = []
    for (name, record), line in zip(records.items(), render.columns(rows), strict=True):
        told.append(line)
        if record is None:
            told += render.wrapped("    ", hinted("`dnssync apply` makes the first one"), "", width)
        stands = standing.lines(name) or ([] if record is None or _good(record) else [record.result])
        for sentence in stands:
            told += render.wrapped("    ", hinted(sentence), "red", width)
        for sentence in standing.waits(name, record):
            told += render.wrapped("    ", hinted(sentence), "", width)
    return told


def _said(said: Sequence[Trouble], width: int, hinted: Callable[[str], str]) -> list[render.Line]:
    """That the last pass came to nothing, and its notices, those first that need a person; what stands in the way of a zone stands with that."""
    told: list[render.Line] = []
    for line in together(row for row in said if not row.zone and row.kind != NOTICE):
        told += render.wrapped("", hinted(spelled(line)), "red", width)
    notices = together(row for row in said if row.kind == NOTICE)
    for line in sorted(notices, key=lambda line: not needs_person(line.kind, line.reason)):
        style = "yellow" if needs_person(line.kind, line.reason) else "dim"
        head = KINDS[NOTICE]
        told += render.wrapped(head, hinted(spelled(line)).removeprefix(head), style, width)
    return told


def _good(record: ZoneRecord | None) -> bool:
    return record is not None and record.result == "ok"
