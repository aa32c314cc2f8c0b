"""`dnssync release`: let go of a zone; its records stay, the ledger forgets them."""

from __future__ import annotations

import click

from dnssync.cli.context import Context, json_option, spelled
from dnssync.config_check import Checker
from dnssync.core.model import zone_of
from dnssync.errors import DnssyncError
from dnssync.identity import rows
from dnssync.state import State


@click.command(name="release")
@click.argument("zone")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def command(context: Context, zone: str, yes: bool) -> int:
    """Let go of ZONE: its records stay in DNS and its keys where they are, so that exim signs on, and dnssync
    forgets what it wrote and, once the zone is configured no more, the keys, and what it wrote for the zone's domains in
    zones of their own, such as _domainkey.ZONE.

    Take the zone out of the configuration first, or the next `apply` begins with it anew.
    Exit codes: 0 done, 3 nobody said yes.
    """
    [name] = spelled((zone,))
    _known(context, name)
    if not yes:
        answer = context.ask(f"Forget what dnssync wrote in {name}? Its records stay.")
        if not answer and context.json:
            context.emit(
                {"zone": name, "error": "Nothing was changed: with --json nobody is asked. Say --yes.", "exit": 3}
            )
        elif not answer:
            context.warn(
                "Nothing was changed." + (" There is no terminal to ask at: say --yes." if answer is None else "")
            )
        if not answer:
            return 3
    line = context.line(read_only=False)
    with context.lock("release"), line.state.transaction():
        count = line.state.forget(name)
        # Where it is configured still, its keys, and its records in zones below, are known again by the next apply.
        if name not in context.config.zones:
            for entry in line.state.ledger():
                if _holds(context, name, entry.domain):
                    line.state.drop_applied(entry.zone, entry.provider, [(entry.name, entry.type, entry.owner)])
                    count += 1
            for entry in line.state.unfinished(None):
                # Another zone may hold a report record of the domain: what was begun there is that zone's, and stays known.
                if _holds(context, name, entry.domain) and zone_of(entry.zone, (name,)):
                    line.state.drop_intents(entry.zone, entry.provider)
            line.state.forget_keys({key.domain for key in line.state.keys() if _holds(context, name, key.domain)})
        line.state.add_event(int(context.now()), "release", zone=name, sentence=f"{name} was let go by a person")
    if context.json:
        context.emit({"zone": name, "forgotten": count, "exit": 0})
    still = f" It is still configured in {context.config.file}: take it out." if name in context.config.zones else ""
    context.say(f"{name}: {count} records are nobody's but yours now.{still}")
    return 0


def _known(context: Context, name: str) -> None:
    """Raise an error for a zone that is neither configured nor in the ledger; before anything is asked."""
    state = State.open(context.config.state, host=rows(context.config.keys), read_only=True)
    known = {*context.config.zones, *(entry.zone for entry in state.ledger())}
    domains = {
        *(key.domain for key in state.keys()),
        *(entry.domain for entry in (*state.ledger(), *state.unfinished(None))),
    }
    if name not in known and not any(_holds(context, name, domain) for domain in domains):
        raise DnssyncError(f"dnssync wrote nothing in a zone {name}{Checker.meant(name, known) or '.'}")


def _holds(context: Context, zone: str, domain: str) -> bool:
    """Whether a domain lies in the zone, and in no configured one below it."""
    return zone_of(domain, {*context.config.zones, zone}) == zone
