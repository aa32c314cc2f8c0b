"""`dnssync confirm`: a person's word for one doubt, as a notice named it."""

from __future__ import annotations

import click

from dnssync.cli.context import Context, chosen, json_option
from dnssync.core.durations import DAY, moment
from dnssync.core.selectors import host_id
from dnssync.errors import DnssyncError
from dnssync.new_keys import random_token
from dnssync.reconcile import Line

LASTS = 7 * DAY
MEANS = {
    "clock": "the clock of this host is right",
    "host": "this host is one of its own, and no other makes keys under its name",
    "narrow": "addresses that {subject} does not send from any more may leave its SPF record now",
    "gone": "{subject} has left exim for good: what dnssync wrote for it may leave DNS",
    "servers": "what the provider shows for the zone {subject} is right, even if it is empty",
}


@click.command(name="confirm")
@click.argument("what", type=click.Choice(list(MEANS)))
@click.argument("subject", required=False, default="")
@json_option
@click.pass_obj
def command(context: Context, what: str, subject: str) -> int:
    """Settle a doubt for seven days: `clock`, `narrow DOMAIN`, `gone DOMAIN` or `servers ZONE`, as the notice named it.

    `confirm host` gives this host another name for its keys, at once and for good: keys under the old one that it does not
    know are then another host's, and it leaves all of them in DNS.
    """
    if (what in ("clock", "host")) == bool(subject):
        raise click.UsageError(
            f"`confirm {what}` takes no name." if subject else f"`confirm {what}` needs a name after it."
        )
    if subject:
        [subject] = chosen(context, (subject,))
    if what == "servers" and subject not in context.config.zones:
        raise DnssyncError(f"{subject} is a name in a zone; `confirm servers` takes the zone, as the notice named it.")
    line = context.line(read_only=False)
    if what == "gone":
        mail = line.observe_host([subject], []).domain(subject)
        if mail is not None and mail.local:
            # Noted in advance, it would let one pass in which exim is half configured take the records of a living domain.
            raise DnssyncError(f"exim still has {subject}: it is not gone. Take it out of exim's configuration first.")
    now = int(context.now())
    if what == "host":
        return _host(context, line, now)
    sentence = MEANS[what].format(subject=subject)
    with context.lock("confirm"), line.state.transaction():
        line.state.add_request(what, subject, now, now + LASTS)
        line.state.add_event(now, "confirm", domain=subject, sentence=f"a person confirmed: {sentence}")
    if context.json:
        context.emit({"kind": what, "subject": subject, "until": now + LASTS, "exit": 0})
    context.say(f"Noted until {moment(now + LASTS)}: {sentence}. The next `dnssync plan` shows what follows from it.")
    return 0


def _host(context: Context, line: Line, now: int) -> int:
    """Another name for this host, which no key has yet."""
    with context.lock("confirm"):
        name = f"{host_id(line.observe_host([], []).hostname)}-{random_token()}"
        line.keystore.name_host(name)
        line.state.add_event(now, "confirm", sentence=f"a person confirmed: {MEANS['host']}; it is {name} now")
    if context.json:
        context.emit({"kind": "host", "subject": name, "until": None, "exit": 0})
    context.say(f"This host calls itself {name} in the names of the keys that it makes from now on.")
    return 0
