"""A pass in which nothing has changed: our daemon beside octodns-sync, on the same zones at the same stand-in for Gandi.

    python bench/no_change.py [--zones 100,1000,10000] [--runs 5] [--paced]

50 ms before each answer. The runs take turns. Once without a limit of requests, once with Gandi's of 1,000 a minute; each run of octodns begins with the
minute's whole allowance. octodns-gandi ends with an error at the first answer 429: where it does, `--paced` measures it once more with waiting
added by us.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.figures import ratio, shown, spread
from bench.many import Cost, Many, many
from bench.peers import Octodns

LATENCY, LIMIT, WORKERS = 0.05, 1000, 20
Row = dict[str, object]
MINUTE = "requests a minute"  # the head of a column


def measure(runs: int, zones: Sequence[int] = (100, 1000, 10000), paced: bool = True) -> list[Row]:
    """The table: for each number of zones, without and with the limit."""
    rows: list[Row] = []
    for count in zones:
        with tempfile.TemporaryDirectory(prefix="dnssync-bench-") as folder, many(Path(folder), zones=count) as site:
            octodns = Octodns(site, WORKERS)
            for limit in (None, LIMIT):
                rows += _compared(site, octodns, runs, limit, paced)
    return [_grown(row, rows) for row in rows]


def _compared(site: Many, octodns: Octodns, runs: int, limit: int | None, paced: bool) -> list[Row]:
    ours: list[Cost] = []
    theirs: list[Cost] = []
    with site.daemon() as daemon:
        site.gandi.tell(latency=LATENCY, a_minute=limit)
        first = daemon.one()
        for number in range(runs):
            ours.append(daemon.one())
            if number == 0 or not theirs[-1].code:  # what ends with an error is not worth a second run
                site.gandi.tell(latency=LATENCY, a_minute=limit)
                theirs.append(octodns.unchanged())
    rows = [_row(site, limit, "dnssync, first pass after its start", [first]), _row(site, limit, "dnssync", ours)]
    rows.append(_row(site, limit, "octodns-sync", theirs, ours))
    if theirs[-1].code and paced:
        site.gandi.tell(latency=LATENCY, a_minute=limit)
        rows.append(_row(site, limit, "octodns-sync, waiting added by us", [octodns.unchanged(patient=True)], ours))
    return rows


def _grown(row: Row, rows: list[Row]) -> Row:
    """The row with how many times as long it took as the same with the next fewer zones."""
    same = [
        r
        for r in rows
        if (r[""], r[MINUTE]) == (row[""], row[MINUTE]) and int(str(r["zones"])) < int(str(row["zones"]))
    ]
    walls = [str(each["wall s"]).split()[0] for each in (row, *same[-1:])]
    known = len(walls) == 2 and "fails" not in walls
    return {**row, "wall, by that of fewer zones": f"{float(walls[0]) / float(walls[1]):.1f}" if known else ""}


def _row(site: Many, limit: int | None, who: str, costs: list[Cost], ours: list[Cost] | None = None) -> Row:
    """One side's line; a run that ended with an error says after how many seconds."""
    failed = costs[-1].code != 0
    told = "fails after " if failed else ""
    return {
        "zones": site.count,
        MINUTE: limit or "any",
        "": who,
        "runs": len(costs),
        "wall s": told + spread([cost.wall for cost in costs]),
        "CPU s": spread([cost.cpu for cost in costs]),
        "peak MB": spread([cost.rss for cost in costs], ".0f"),
        "requests": spread([cost.asked for cost in costs], ".0f"),
        "wall, theirs / ours": ratio([c.wall for c in costs], [c.wall for c in ours]) if ours and not failed else "",
    }


def main() -> None:
    """Print the table."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--zones", default="100,1000,10000", help="how many, with commas")
    words.add_argument("--runs", type=int, default=5)
    words.add_argument("--paced", action="store_true", help="ten minutes more at ten thousand zones")
    given = words.parse_args()
    print(shown(measure(given.runs, [int(word) for word in given.zones.split(",")], given.paced)))


if __name__ == "__main__":
    main()
