"""`dnssync plan` of one zone in a new process, beside `octodns-sync` of one zone, at the same stand-in for Gandi.

    python bench/cold_plan.py [--runs 9] [--imports]

Both find nothing to change. Ours asks exim and the name servers too, which octodns does not know of. The runs take turns, without latency and with 50 ms
before each answer of the provider. `--imports` tells the ten dearest imports on the way to `plan`, by `startup.py`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import startup
from bench.figures import ratio, shown, spread
from bench.many import Cost, many
from bench.peers import Octodns

LATENCIES = (0.0, 0.05)
Row = dict[str, object]


def measure(runs: int) -> list[Row]:
    """The table: for each latency, a bare Python, ours and theirs."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="dnssync-bench-") as folder, many(Path(folder), zones=1) as site:
        octodns = Octodns(site)
        for latency in LATENCIES:
            site.gandi.tell(latency=latency, a_minute=None)
            costs: dict[str, list[Cost]] = {"python -c pass": [], "dnssync plan": [], "octodns-sync": []}
            for number in range(runs + 1):
                made = (
                    site.cost([sys.executable, "-c", "pass"]),
                    site.run("plan"),
                    octodns.unchanged(),
                )
                if number:  # the first fills the caches of the disk
                    for each, cost in zip(costs.values(), made, strict=True):
                        each.append(cost)
            if any(cost.code for each in costs.values() for cost in each):
                raise RuntimeError("one of them failed")
            for who, each in costs.items():
                rows.append(_row(latency, who, each, costs["dnssync plan"] if who == "octodns-sync" else None))
    return rows


def imports(most: int = 10) -> list[Row]:
    """The dearest imports on the way to `plan`, milliseconds of their own."""
    return [{"module": name, "ms": f"{own / 1000:.1f}"} for own, name in startup.imports(startup.PLAN)[:most]]


def _row(latency: float, who: str, costs: list[Cost], ours: list[Cost] | None) -> Row:
    return {
        "latency ms": round(latency * 1000),
        "": who,
        "runs": len(costs),
        "wall s": spread([cost.wall for cost in costs]),
        "CPU s": spread([cost.cpu for cost in costs]),
        "peak MB": spread([cost.rss for cost in costs], ".0f"),
        "requests": spread([cost.asked for cost in costs], ".0f"),
        "wall, ours / theirs": ratio([cost.wall for cost in ours], [cost.wall for cost in costs]) if ours else "",
    }


def main() -> None:
    """Print the tables."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--runs", type=int, default=9)
    words.add_argument("--imports", action="store_true", help="the imports, instead")
    given = words.parse_args()
    print(shown(imports() if given.imports else measure(given.runs)))


if __name__ == "__main__":
    main()
