"""`dnssync confirm`: a person's word for one doubt, as a notice named it."""

from __future__ import annotations

import click

from dnssync.cli.context import Context, chosen, json_option
from dnssync.core.rotation import DAY, moment
from dnssync.errors import DnssyncError

LASTS = 7 * DAY
MEANS = {
    "clock": "the clock of this host is right",
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
    """Settle a doubt for seven days: `clock`, `narrow DOMAIN`, `gone DOMAIN` or `servers ZONE`, as the notice named it."""
    if (what == "clock") == bool(subject):
        raise click.UsageError(
            "`confirm clock` takes no name." if subject else f"`confirm {what}` needs a name after it."
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
    sentence = MEANS[what].format(subject=subject)
    with context.lock("confirm"), line.state.transaction():
        line.state.add_request(what, subject, now, now + LASTS)
        line.state.add_event(now, "confirm", domain=subject, sentence=f"a person confirmed: {sentence}")
    if context.json:
        context.emit({"kind": what, "subject": subject, "until": now + LASTS, "exit": 0})
    context.say(f"Noted until {moment(now + LASTS)}: {sentence}. The next `dnssync plan` shows what follows from it.")
    return 0
