"""`dnssync plan`: the straight line with the last step left out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from dnssync.cli import render
from dnssync.cli.context import Context, chosen, json_option
from dnssync.core.decide import Decision
from dnssync.core.model import to_json
from dnssync.core.plan import digest
from dnssync.errors import DnssyncError
from dnssync.report import by_hand

CHANGES, REFUSED, FAILED = 2, 3, 1


@click.command(name="plan")
@click.argument("domains", nargs=-1)
@click.option("--out", metavar="FILE", help="Write the plan to a file, for `apply --plan FILE`.")
@click.option("--adopt", is_flag=True, help="Show what taking over records that others wrote would do.")
@json_option
@click.pass_obj
def command(context: Context, domains: tuple[str, ...], out: str | None, adopt: bool) -> int:
    """Show what would change in DNS, for all zones or for those of the DOMAINS named; change nothing.

    Exit codes: 0 nothing to do, 2 changes, 3 refused, 1 failed.
    """
    line = context.line(read_only=True)
    only = chosen(context, domains)
    _, got = line.plan(only, adopt=adopt)
    hand = by_hand(line, got)
    data = {**as_data(got, hand), "only": only, "adopt": adopt}
    context.progress("")
    if out is not None:
        try:
            Path(out).write_text(json.dumps(to_json(data), indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise DnssyncError(f"{out} could not be written: {error.strerror}.") from None
    if context.json:
        context.emit(data)
    else:
        render.show(context, render.decision(got, render.width(context), hand=hand, hinted=context.hinted))
    return exit_code(got)


def exit_code(got: Decision) -> int:
    """1 before 3 before 2."""
    return FAILED if got.unread else REFUSED if got.refused else CHANGES if got.changes else 0


def as_data(got: Decision, hand: Mapping[tuple[str, str], tuple[str, ...]]) -> dict[str, Any]:
    """A decision for machines; `plans` go back into `core.plan.from_json`, `by_hand` is for a person."""
    return {
        "digest": plan_digest(got),
        "plans": [plan.plan for plan in got.zones if not plan.refusals],
        "zones": [
            {
                "zone": plan.plan.zone,
                "provider": plan.plan.provider,
                "changes": plan.plan.changes,
                "map_lines": plan.plan.map_lines,
                "intents": plan.plan.intents,
                "by_hand": hand.get((plan.plan.zone, plan.plan.provider), ()),
                "claims": plan.claims,
                "notices": plan.notices,
                "refusals": plan.refusals,
            }
            for plan in got.zones
        ],
        "failed": dict(got.unread),
        "notices": got.notices,
        "map": {"before": dict(got.map_before), "after": dict(got.map_after)},
        "wake": got.wake,
        "exit": exit_code(got),
    }


def plan_digest(got: Decision) -> str:
    """The digest of what would be written."""
    return digest([plan.plan for plan in got.zones if not plan.refusals])
