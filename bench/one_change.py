"""One change in each of many zones: dnssync beside octodns-sync with octodns-gandi and lexicon, at the same stand-in for Gandi.

    python bench/one_change.py [--zones 1000] [--runs 5]

The change is another p= in every DMARC record: one line of our configuration, a file of records a zone for octodns, an update a zone through lexicon's
own provider. 50 ms before each answer, no limit, ten requests at once for octodns and lexicon; ours has as many as it takes by itself. The runs take
turns, each from the same state. After each request the stand-in notes what stands there: `missing` is the longest time for which an RRset or a value was
gone that was there before and after. `left` counts zones that do not hold what they should in the end, `TTL` those in which the record's TTL is another.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.figures import ratio, shown, spread
from bench.many import Cost, Many, many
from bench.many_zones import quoted
from bench.peers import Octodns, lexicon

LATENCY, WORKERS = 0.05, 10
DEFAULTS = "  dmarc: {p: quarantine}"
Row = dict[str, object]


@dataclass
class Run:
    """What one run cost, and what it left."""

    cost: Cost
    missing: float
    left: int
    ttl: int


def wanted(zone: str) -> str:
    """The record that is to stand there."""
    return f"v=DMARC1; p=quarantine; rua=mailto:postmaster@{zone}"


def measure(runs: int, zones: int = 1000) -> list[Row]:
    """The table: a row a side."""
    with tempfile.TemporaryDirectory(prefix="dnssync-bench-") as folder, many(Path(folder), zones=zones) as site:
        site.gandi.tell(latency=LATENCY, a_minute=None)
        octodns = Octodns(site, WORKERS)
        for name in site.names:
            old = [row for row in site.rows[name] if row[0] != "_dmarc"]
            octodns.records(name, [*old, ("_dmarc", "TXT", 3600, [quoted(wanted(name))])])
        site.write(DEFAULTS)
        site.keep()
        sides: dict[str, Callable[[], Cost]] = {
            "dnssync run --once": lambda: site.run("run", "--once"),
            "octodns-sync --doit": lambda: octodns.sync("--doit", "--force"),
            "lexicon, in a pool": lambda: lexicon(site, WORKERS, "_dmarc", "TXT", [wanted(n) for n in site.names]),
        }
        told: dict[str, list[Run]] = {side: [] for side in sides}
        for _ in range(runs):
            for side, act in sides.items():
                told[side].append(_once(site, act))
    ours = next(iter(told.values()))
    return [_row(zones, side, each, ours) for side, each in told.items()]


def _once(site: Many, act: Callable[[], Cost]) -> Run:
    site.gandi.gaps()  # what was before is forgotten
    cost = act()
    if cost.code:
        raise RuntimeError(f"it ended with {cost.code}:\n{cost.out[-3000:]}")
    missing = max((gap for _, _, gap in site.gandi.gaps()), default=0.0)
    left = ttl = 0
    for zone, stands in site.gandi.holds("_dmarc", "TXT").items():
        left += stands[1:] != [quoted(wanted(zone))]
        ttl += stands[0] != 3600
    site.back()
    return Run(cost, missing, left, ttl)


def _row(zones: int, side: str, runs: list[Run], ours: list[Run]) -> Row:
    costs = [run.cost for run in runs]
    return {
        "": side,
        "runs": len(runs),
        "wall s": spread([cost.wall for cost in costs]),
        "CPU s": spread([cost.cpu for cost in costs]),
        "peak MB": spread([cost.rss for cost in costs], ".0f"),
        "requests a zone": spread([cost.asked / zones for cost in costs]),
        "of them writes": spread([cost.writes / zones for cost in costs]),
        "missing s": spread([run.missing for run in runs], ".3f"),
        "left": max(run.left for run in runs),
        "TTL": max(run.ttl for run in runs),
        "wall, theirs / ours": ratio([c.wall for c in costs], [run.cost.wall for run in ours])
        if runs is not ours
        else "",
    }


def main() -> None:
    """Print the table."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--zones", type=int, default=1000)
    words.add_argument("--runs", type=int, default=5)
    given = words.parse_args()
    print(shown(measure(given.runs, given.zones)))


if __name__ == "__main__":
    main()
