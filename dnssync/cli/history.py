"""`dnssync history`: what was changed, when, and why."""

from __future__ import annotations

import click

from dnssync import identity
from dnssync.cli import render
from dnssync.cli.context import Context, chosen, json_option, spelled
from dnssync.core.durations import moment
from dnssync.core.model import relative
from dnssync.state import Event, State


@click.command(name="history")
@click.argument("domains", nargs=-1)
@click.option(
    "-n", "--number", type=click.IntRange(1), default=50, show_default=True, help="How many entries, the newest."
)
@json_option
@click.pass_obj
def command(context: Context, domains: tuple[str, ...], number: int) -> int:
    """Show what was changed, when, and why: everywhere, or for the DOMAINS and zones named. The newest comes last."""
    only = spelled(domains)
    state = State.open(context.config.state, host=identity.rows(context.config.keys), read_only=True)
    events = [event for event in state.events() if not only or _about(event, only)][:number]
    if not events:
        chosen(context, domains)  # a zone that was released has a history still; a name that never was one is a mistake
    if context.json:
        context.emit(events)
        return 0
    rows = [(moment(event.at), event.domain or event.zone, event.sentence, event.because) for event in reversed(events)]
    render.show(context, render.table(("when", "where", "what", "because"), rows))
    if not rows:
        context.say("Nothing was changed yet.")
    return 0


def _about(event: Event, names: tuple[str, ...]) -> bool:
    return any(relative(where, name) is not None for name in names for where in (event.zone, event.domain) if where)
