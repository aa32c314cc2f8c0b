"""dnssync's own work: the clock, the state, and what is still to be done."""

from __future__ import annotations

from collections.abc import Iterator

from dnssync.check.facts import Facts, zones
from dnssync.check.finding import Verdict, unknown, warning
from dnssync.check.judging import Check
from dnssync.core.model import absolute

OVERDUE = 2  # intervals, and then an hour: a pass may wait for a lock, and a provider for its turn


def not_in_sync(facts: Facts, zone: str) -> Iterator[Verdict]:
    """SYNC-01: what `apply` would do."""
    got = facts.decided()
    if zone in got.unread:
        yield unknown(f"What stands in the zone could not be read: {got.unread[zone]}")
    for plan in got.zones:
        if plan.plan.zone != zone:
            continue
        names = [f"{absolute(change.name, zone)} {change.type}" for change in plan.plan.changes]
        for refusal in plan.refusals:
            yield warning(f"dnssync changes nothing at {plan.plan.provider}: {refusal.sentence}", "See `dnssync plan`.")
        if names and not plan.refusals:
            shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
            yield warning(f"DNS at {plan.plan.provider} is not what it should be: {shown}.", "`dnssync apply` puts it right.",
                          fixable=True)  # fmt: skip


def overdue(facts: Facts, zone: str) -> Iterator[Verdict]:
    """SYNC-02: the last pass is longer ago than the daemon's rhythm allows."""
    facts.decided()
    last = facts.passes.get(zone)
    late = facts.now - last.last_pass if last is not None and last.last_pass else None
    remedy = "Is the daemon running? `systemctl status dnssync`; `dnssync status` shows what the last pass said."
    if late is None:
        yield warning(
            "No pass has looked at this zone yet.",
            "Run `dnssync apply`, and let the daemon run: `systemctl enable --now dnssync`.",
        )
    elif late > OVERDUE * facts.interval + 3600:
        yield warning(f"The last pass that looked at this zone was {late // 3600} hours ago.", remedy)


CHECKS: tuple[Check, ...] = (
    Check("SYNC-01", "DNS holds what dnssync wants there.", zones, not_in_sync),
    Check("SYNC-02", "The last pass is recent.", zones, overdue),
)
