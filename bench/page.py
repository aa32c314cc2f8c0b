"""The tables of docs/performance.md, measured and written in their places; the text around them stays.

    python bench/page.py [PART …]        # all of them, or some: decisions, cold_plan, imports, lookups, exim_map, one_change, no_change

`BENCH_RUNS` (5) and `BENCH_ZONES` (100,1000,10000; one_change takes 1000 of them at most, decisions as many as the most) make it shorter. A table stands between
`<!-- NAME -->` and `<!-- /NAME -->`. Each is written as soon as it is measured.
"""

from __future__ import annotations

import dataclasses
import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.figures import rendered

ROOT = Path(__file__).parents[1]

PAGE = ROOT / "docs/performance.md"
PACKAGES = ("octodns", "octodns-gandi", "dns-lexicon", "aiodns", "dnspython", "cryptography", "SQLAlchemy")


def runs() -> int:
    """How many runs each median is of."""
    return int(os.environ.get("BENCH_RUNS", "5"))


def zones() -> list[int]:
    """How many zones there are, from the fewest on."""
    return sorted(int(word) for word in os.environ.get("BENCH_ZONES", "100,1000,10000").split(","))


def machine() -> str:
    """This machine, and the versions of everything that is measured."""
    cpu = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    load = " ".join(Path("/proc/loadavg").read_text().split()[:3])
    rows = {
        "CPU": f"{cpu[1] if cpu else platform.machine()}, {os.cpu_count()} cores; load {load} when this was written",
        "memory": f"{int(memory[1]) / 2**20:.0f} GB" if memory else "?",
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "BIND": _told(["/usr/sbin/named", "-v"], r"BIND (\S+)"),
        "exim": _told(["/usr/sbin/exim4", "-bV"], r"version (\S+)"),
        "dnsperf": _told(["dnsperf", "-h"], r"[Vv]ersion (\S+)"),
        **{name: _version(name) for name in PACKAGES},
    }
    return rendered([{"": name, "version": told} for name, told in rows.items()])


def _told(argv: list[str], pattern: str) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    except FileNotFoundError:
        return "not installed"
    found = re.search(pattern, done.stdout + done.stderr)
    return found[1] if found else "?"


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _decisions() -> str:
    from bench.decisions import measure

    return rendered(measure(runs(), zones()[-1]))


def _cold_plan() -> str:
    from bench.cold_plan import measure

    return rendered(measure(runs()))


def _imports() -> str:
    from bench.cold_plan import imports

    return rendered(imports())


def _lookups() -> str:
    from bench.lookups import measure, table

    rows, where = measure(runs())
    return f"{table(rows)}\n\n{where}\n"


def _exim_map() -> str:
    from bench.exim_map import measure

    return rendered([_cells(row) for row in measure(runs())])


def _one_change() -> str:
    from bench.one_change import measure

    return rendered(measure(runs(), min(1000, zones()[-1])))


def _no_change() -> str:
    from bench.no_change import measure

    return rendered(measure(runs(), zones()))


PARTS: Mapping[str, Callable[[], str]] = {  # the long ones last
    "imports": _imports,
    "cold_plan": _cold_plan,
    "decisions": _decisions,
    "lookups": _lookups,
    "exim_map": _exim_map,
    "one_change": _one_change,
    "no_change": _no_change,
}


def _cells(row: Any) -> dict[str, object]:
    """A row that is a dataclass, as cells."""
    return {name: f"{told:.2f}" if isinstance(told, float) else told for name, told in dataclasses.asdict(row).items()}


def put(page: str, name: str, table: str) -> str:
    """The page with a table in its place; raises ValueError where the page has none for it."""
    place = re.compile(rf"(<!-- {re.escape(name)} -->\n).*?(<!-- /{re.escape(name)} -->)", re.DOTALL)
    if len(place.findall(page)) != 1:
        raise ValueError(f"the page has no place for {name}, or more than one")
    return place.sub(lambda found: f"{found[1]}\n{table}\n{found[2]}", page)


def main() -> None:
    """Measure and write, table by table."""
    names = sys.argv[1:] or list(PARTS)
    for name in names:
        print(f"{name} …", flush=True)
        table = PARTS[name]()
        print(table, flush=True)
        page = put(PAGE.read_text(), "machine", machine())
        PAGE.write_text(put(page, name, table))


if __name__ == "__main__":
    main()
