"""`dnssync confirm`: a person's word for one doubt, as a notice named it."""

from __future__ import annotations

import platform

import click

from dnssync import identity
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
    "machine": "this machine is the one that the keys here belong to, and there is no other",
    "narrow": "addresses that {subject} does not send from any more may leave its SPF record now",
    "gone": "{subject} has left exim for good: what dnssync wrote for it may leave DNS",
    "servers": "what the provider shows for the zone {subject} is right, even if it is empty",
    "unknown": "the keys in {subject} that carry this host's name and are not known here belong to another host",
}


@click.command(name="confirm")
@click.argument("what", type=click.Choice(list(MEANS)))
@click.argument("subject", required=False, default="")
@json_option
@click.pass_obj
def command(context: Context, what: str, subject: str) -> int:
    """Settle a doubt for seven days: `clock`, `narrow DOMAIN`, `gone DOMAIN` or `servers ZONE`, as the notice named it.

    At once and for good: `confirm host`, on a copy of a host that goes on, gives this one another name for its keys; those under the old
    one are then the other host's, and are left in DNS. `confirm machine`: there is only this host, it was moved or renamed.
    `confirm unknown ZONE`: keys there that carry this host's name, and that it does not know, are another host's.
    """
    if (what in ("clock", "host", "machine")) == bool(subject):
        raise click.UsageError(
            f"`confirm {what}` takes no name." if subject else f"`confirm {what}` needs a name after it."
        )
    if subject:
        [subject] = chosen(context, (subject,))
    if what in ("servers", "unknown") and subject not in context.config.zones:
        raise DnssyncError(f"{subject} is a name in a zone; `confirm {what}` takes the zone, as the notice named it.")
    line = context.line(read_only=False)
    if what == "gone":
        mail = line.observe_host([subject], []).domain(subject)
        if mail is not None and mail.local:
            # Noted in advance, it would let one pass in which exim is half configured take the records of a living domain.
            raise DnssyncError(f"exim still has {subject}: it is not gone. Take it out of exim's configuration first.")
    now = int(context.now())
    if what in ("host", "machine"):
        return _whose(context, line, now, what)
    if what == "unknown":
        return _strangers(context, line, now, subject)
    sentence = MEANS[what].format(subject=subject)
    with line.state.transaction():  # a word of its own, which no pass that is under way needs to wait for
        line.state.add_request(what, subject, now, now + LASTS)
        line.state.add_event(now, "confirm", domain=subject, sentence=f"a person confirmed: {sentence}")
    if context.json:
        context.emit({"kind": what, "subject": subject, "until": now + LASTS, "exit": 0})
    context.say(f"Noted until {moment(now + LASTS)}: {sentence}. The next `dnssync plan` shows what follows from it.")
    return 0


def _whose(context: Context, line: Line, now: int, what: str) -> int:
    """Whose the keys here are from now on: this machine's; as `host`, under a name that no key has yet."""
    with context.lock("confirm"):
        hostname = line.observe_host([], []).hostname
        name, rows = "", line.state.host
        if what == "host":
            name = f"{host_id(hostname)}-{random_token()}"
            if not context.config.state.startswith("sqlite"):
                # In a database that both use, the rows so far are the other one's.
                rows = platform.node() if rows != platform.node() else name
            line.keystore.name_host(name)
        identity.write(context.config.keys, identity.Identity(line.machine() if line.machine else "", hostname, rows))
        line.state.add_event(
            now, "confirm", sentence=f"a person confirmed: {MEANS[what]}" + (f"; it is {name} now" * (what == "host"))
        )
    if context.json:
        context.emit({"kind": what, "subject": name, "until": None, "exit": 0})
    if what == "host":
        context.say(f"This host calls itself {name} in the names of the keys that it makes from now on. It signs with the ones it has until its "
                    "own can be seen everywhere, an hour or more after the next pass; until then, no `rotate --emergency` on the other host.")  # fmt: skip
    else:
        context.say(f"Noted for good: {MEANS[what]}.")
    return 0


def _strangers(context: Context, line: Line, now: int, zone: str) -> int:
    """Keys under this host's name that another one made, before it had a name of its own."""
    with context.lock("confirm"), line.state.transaction():
        names = line.observe([zone]).unknown.get(zone, ())
        if not names:
            raise DnssyncError(f"{zone} holds no key that carries this host's name and is not known here.")
        for name in names:
            line.state.add_request("stranger", name, now, None)
        line.state.add_event(now, "confirm", domain=zone, sentence=f"a person confirmed: {MEANS['unknown'].format(subject=zone)}: {', '.join(names)}")  # fmt: skip
    if context.json:
        context.emit({"kind": "unknown", "subject": zone, "names": names, "until": None, "exit": 0})
    context.say(
        f"Noted for good: {', '.join(names)} {'belongs' if len(names) == 1 else 'belong'} to another host, and dnssync leaves that alone here."
    )
    return 0
