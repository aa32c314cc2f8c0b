"""What starting up costs: `dnssync --version` as a whole process, and the imports on the way to `plan`.

    python bench/startup.py [RUNS]

Prints medians, and ratios against a bare Python of the same interpreter: the ratios are what to compare between
machines, seconds only say something about this one.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

RUNS = 15
BIN = Path(sys.executable).parent / "dnssync"
PLAN = "import dnssync.cli.plan, dnssync.assemble, dnssync.state_schema, dnssync_providers.gandi, rich.console"


def compiled(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment in which Python keeps its bytecode, as every installation has it; without, a start compiles all modules of a checkout."""
    return {name: value for name, value in environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def median(runs: int, *argv: str) -> float:
    """The median wall time of a command, in seconds, after one run that is not counted."""
    times = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, env=compiled(os.environ))
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def imports(code: str) -> list[tuple[int, str]]:
    """(own microseconds, module) of everything that a piece of code imports, the slowest first."""
    argv = [sys.executable, "-X", "importtime", "-c", code]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, env=compiled(os.environ))
    rows = re.findall(r"import time:\s+(\d+) \|\s+\d+ \|\s*(\S+)", done.stderr)
    return sorted(((int(own), name) for own, name in rows), reverse=True)


def main() -> None:
    """Print the report."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    bare = median(runs, sys.executable, "-c", "pass")
    version = median(runs, str(BIN), "--version")
    plan = median(runs, sys.executable, "-c", PLAN)
    print(f"{runs} runs each, medians, Python {sys.version.split()[0]}")
    print(f"  bare python          {bare:6.3f} s   1.0")
    print(f"  dnssync --version    {version:6.3f} s   {version / bare:.1f}")
    print(f"  imports up to plan   {plan:6.3f} s   {plan / bare:.1f}")
    rows = imports(PLAN)
    by_library: dict[str, int] = {}
    for own, name in rows:
        library = name.partition(".")[0]
        by_library[library] = by_library.get(library, 0) + own
    total = sum(by_library.values())
    print("imports up to plan, by library, share of all:")
    for library, own in sorted(by_library.items(), key=lambda item: -item[1])[:12]:
        print(f"  {library:20} {own / 1000:7.1f} ms  {own / total:5.1%}")


if __name__ == "__main__":
    main()
