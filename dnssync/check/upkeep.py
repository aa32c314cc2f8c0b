"""dnssync's own work: the clock, the state, and what is still to be done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dnssync.check.facts import Facts, Unanswered, Wish, host, zones
from dnssync.check.finding import Verdict, error, unknown, warning
from dnssync.check.judging import Check
from dnssync.core.model import absolute

NTP = "Let something keep it right: `apt install systemd-timesyncd && timedatectl set-ntp true` (or chrony)."
OVERDUE = 2  # intervals, and then an hour: a pass may wait for a lock, and a provider for its turn


@dataclass(frozen=True, slots=True)
class Discipline(Wish[bool]):
    """The wish to know whether anything keeps this host's clock right."""


def clock(facts: Facts, subject: str) -> Iterator[Verdict]:
    """CLOCK-01: all waiting is measured by this clock, and so are t= and x= of each signature."""
    seen = facts.seen.clock if facts.seen is not None else None
    if seen is not None and not seen.trusted:
        told = " ".join(notice.sentence for notice in seen.notices) or "this host's clock jumped"
        yield error(
            f"{told[0].upper()}{told[1:]}".rstrip(".") + ".", "If the clock is right now: `dnssync confirm clock`."
        )
    if not facts.find(Discipline()):
        yield warning("Nothing keeps this host's clock right (the kernel says: not synchronised).", NTP)


def strangers(facts: Facts, zone: str) -> Iterator[Verdict]:
    """STATE-01: keys in DNS that carry this host's name, and that nothing here knows of."""
    seen = facts.observed()
    names = seen.unknown.get(zone, ())
    if names:
        shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        yield error(
            f"{zone} holds {shown}: keys made by a dnssync that calls itself {seen.host_id}, as this one does, and here nothing is known of them.",
            "If this host was restored from a backup older than they are, bring back a newer one of dnssync's state and keys. If it is a copy of another host, "
            f"run on the copy: `dnssync confirm host`. If it was copied, and the copy made them before that: `dnssync confirm unknown {zone}`.",
        )


def not_in_sync(facts: Facts, zone: str) -> Iterator[Verdict]:
    """SYNC-01: what `apply` would do."""
    got = facts.decided()
    if zone in got.unread:
        yield unknown(f"What stands in the zone could not be read: {got.unread[zone]}")
    for plan in facts.plans(zone):
        names = [f"{absolute(change.name, zone)} {change.type}" for change in plan.plan.changes]
        for refusal in plan.refusals:
            yield warning(f"dnssync changes nothing at {plan.plan.provider}: {refusal.sentence}", "See `dnssync plan`.")
        if names and not plan.refusals:
            shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
            yield warning(f"DNS at {plan.plan.provider} is not what it should be: {shown}.", "`dnssync apply` puts it right.",
                          fixable=True)  # fmt: skip


def overdue(facts: Facts, zone: str) -> Iterator[Verdict]:
    """SYNC-02: the last pass is longer ago than the daemon's rhythm allows."""
    if facts.passes is None:
        raise Unanswered(facts.trouble)
    last = facts.passes.get(zone)
    late = facts.now - last.last_pass if last is not None and last.last_pass else None
    remedy = "Is the daemon running? `systemctl status dnssync`; `dnssync status` shows what the last pass said."
    if late is None:
        yield warning(
            "No pass has looked at this zone yet.",
            "Run `dnssync apply`, and let the daemon run: `systemctl enable --now dnssync`.",
        )
    elif late > OVERDUE * facts.interval + 3600:
        ago = f"{late // 86400} days" if late >= 2 * 86400 else "1 hour" if late < 7200 else f"{late // 3600} hours"
        failed = f", and {last.failures} have failed since" if last is not None and last.failures else ""
        yield warning(f"The last pass that looked at this zone whole was {ago} ago{failed}.", remedy)


CHECKS: tuple[Check, ...] = (
    Check("CLOCK-01", "Something keeps this host's clock right.", host, clock),
    Check("STATE-01", "No key in DNS carries this host's name and is unknown here.", zones, strangers),
    Check("SYNC-01", "DNS holds what dnssync wants there.", zones, not_in_sync),
    Check("SYNC-02", "The last pass is recent.", zones, overdue),
)
