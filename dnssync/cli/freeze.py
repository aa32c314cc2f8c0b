"""`dnssync freeze`: let a domain's records be as they are."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from dnssync.cli.context import Context, chosen, json_option
from dnssync.config_check import duration
from dnssync.core.durations import moment
from dnssync.core.model import zone_of
from dnssync.errors import DnssyncError
from dnssync.mail_domains import no_domain
from dnssync.reconcile import Line


@click.command(name="freeze")
@click.argument("domain")
@click.option("--until", metavar="WHEN", help="A date (2026-12-31) or a duration (3d); without it, until --off.")
@click.option("--off", is_flag=True, help="End it.")
@json_option
@click.pass_obj
def command(context: Context, domain: str, until: str | None, off: bool) -> int:
    """Change nothing in DNS for DOMAIN, until a date or until `--off`. exim goes on signing with the keys that are published."""
    [name] = chosen(context, (domain,))
    zone = zone_of(name, context.config.zones) or name
    now = int(context.now())
    end = _end(until, now)
    if off and until:
        raise click.UsageError("--off and --until exclude each other.")
    line = context.line(read_only=False)
    others = [] if off else _others(context, line, zone, name)
    with line.state.transaction():  # without the lock of a pass: the brake works while a provider hangs
        there = False
        if off:
            there = line.state.drop_request("freeze", name)
        else:
            line.state.add_request("freeze", name, now, end)
        told = "thawed" if off else f"frozen {'until ' + moment(end) if end else 'until it is thawed'}"
        if there or not off:
            line.state.add_event(now, "freeze", domain=name, sentence=f"{name} {told} by a person")
    if context.json:
        context.emit({"domain": name, "frozen": not off, "until": end, "exit": 0})
    if off and not there:
        context.say(f"{name} was not frozen.")
    else:
        context.say(f"{name} is {told}." + ("" if off else f" `dnssync freeze --off {name}` ends that."))
    if others:
        context.say(f"It is this domain alone: others of the zone {zone} go on ({', '.join(others)}).")
    return 0


def _others(context: Context, line: Line, zone: str, name: str) -> list[str]:
    """The zone's other mail domains. Raises `DnssyncError` for a name that is none; exim is asked where nothing else tells."""
    known = {*(context.config.zones[zone].domains or ()), *(key.domain for key in line.state.keys())}
    known |= {entry.domain for entry in line.state.ledger()}
    if name not in known:
        known.update(domain for domains in line.served().values() for domain in domains)
    mine = sorted(domain for domain in known if zone_of(domain, context.config.zones) == zone)
    if name in mine:
        return [domain for domain in mine if domain != name]
    if name == zone and mine:
        raise DnssyncError(f"{name} is a zone and no mail domain: freeze those in it, one by one ({', '.join(mine)}).")
    raise no_domain(context.config, name)


def _end(until: str | None, now: int) -> int | None:
    """When it ends, in seconds since 1970."""
    if until is None:
        return None
    seconds = duration(until)
    try:
        day = datetime.fromtimestamp(now + seconds, UTC) if seconds is not None else datetime.fromisoformat(until)
    except (ValueError, OverflowError, OSError):
        raise click.UsageError(f"--until {until}: write a date such as 2026-12-31, or a duration such as 3d.") from None
    end = int((day if day.tzinfo else day.replace(tzinfo=UTC)).timestamp())
    if end <= now:
        raise click.UsageError(f"--until {until} does not lie in the future.")
    return end
