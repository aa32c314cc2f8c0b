"""Look-ups a second on one core: ours beside aiodns (c-ares, in C) and dnsperf (in C, and made for nothing else).

    python bench/lookups.py [RUNS] [NAMES] [--profile]        # 5 runs, 10,000 names

One BIND, pinned to another core where the machine has one, serves a DKIM record of a 2048-bit key at each name; all sides ask it for the same names,
over UDP with EDNS, 128 at a time at most, in turn within each run, and all of them on the same core. Ours: `cold` reads and judges every answer, as the first pass
does; `unchanged` is every later pass, where answers are the same octets; `look` gives whole answers, as for what is pending. Prints medians
by the clock on the wall, and by the CPU time of whoever asks, which counts where other work shares the cores. Needs the extra `bench`, and dnsperf from the distribution; a side that is not there is left out, and the table says so.
"""

from __future__ import annotations

import asyncio
import cProfile
import os
import pstats
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from dnssync.core.sighting import Answer, Question
from dnssync.datagrams import EACH
from dnssync.resolver import Resolver
from dnssync.unlike import Expected
from tests.bind import Bind
from tests.looking import record

ZONE = "example.org"
KEY = "v=DKIM1; k=rsa; p=" + "QUJD" * 98
AIM = 10_000


@dataclass(frozen=True, slots=True)
class Row:
    """One side: look-ups a second, and a second of its CPU time, the medians of the runs; 0 where it is not there, and `why`."""

    side: str
    wall: float
    cpu: float
    why: str = ""


def names(count: int) -> list[str]:
    """So many selectors' names."""
    return [f"s{i}._domainkey.{ZONE}" for i in range(count)]


def good(answer: Answer) -> bool:
    """Whether it is the key's record."""
    return answer.texts == (KEY,)


def unlike(resolver: Resolver, asked: list[str]) -> None:
    """Ours, as for quiet zones."""

    def stream() -> Iterator[Expected]:
        for name in asked:
            yield Expected(Question(name, "TXT", ZONE), b"key", good)

    assert not list(resolver.unlike(stream(), 0)), "an answer was missed"


def look(resolver: Resolver, asked: list[str]) -> None:
    """Ours, as for zones where something is pending."""
    answers = resolver.look([Question(name, "TXT", ZONE) for name in asked])
    assert all(map(good, answers.values())), "an answer was missed"


def by_aiodns(port: int, asked: list[str]) -> None:
    """aiodns, as many at a time as ours."""
    import aiodns

    async def work() -> None:
        resolver = aiodns.DNSResolver(nameservers=["127.0.0.1"], udp_port=port, tcp_port=port, timeout=3.0, tries=2)
        left = iter(asked)

        async def worker() -> None:
            for name in left:
                result = await resolver.query_dns(name, "TXT")
                assert b"".join(bytes(record.data.data) for record in result.answer).startswith(b"v=DKIM1"), name

        await asyncio.gather(*(worker() for _ in range(EACH)))
        await resolver.close()

    asyncio.run(work())


def by_dnsperf(port: int, path: Path) -> None:
    """dnsperf, as many at a time as ours."""
    argv = [
        "dnsperf",
        "-s",
        "127.0.0.1",
        "-p",
        str(port),
        "-d",
        str(path),
        "-n",
        "1",
        "-q",
        str(EACH),
        "-e",
        "-T",
        "1",
        "-c",
        "1",
    ]
    told = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    assert re.search(r"Queries lost:\s+0 ", told), told


def pinned(bind: Bind) -> str:
    """Put the server on one core and everything else on another; what came of that, in words."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        return "one core for both sides and the server"
    assert bind.process is not None
    for task in Path(f"/proc/{bind.process.pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {cores[1]})
    os.sched_setaffinity(0, {cores[0]})
    return "one core for whoever asks, another one for BIND"


def rate(work: Callable[[], None], count: int) -> tuple[float, float]:
    """Look-ups a second by the clock on the wall, and by CPU time, that of a process which it starts included."""
    start, begin = time.perf_counter(), _cpu()
    work()
    return count / (time.perf_counter() - start), count / (_cpu() - begin)


def _cpu() -> float:
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def measure(runs: int = 5, count: int = AIM, profile: bool = False) -> tuple[list[Row], str]:
    """A row for each side, and on which cores."""
    asked = names(count)
    missing = {}
    if find_spec("aiodns") is None:
        missing["aiodns"] = "aiodns is not installed: pip install -e '.[bench]'"
    if shutil.which("dnsperf") is None:
        missing["dnsperf"] = "dnsperf is not installed: apt-get install dnsperf"
    rates: dict[str, list[tuple[float, float]]] = {
        side: [] for side in ("cold", "unchanged", "look", "aiodns", "dnsperf")
    }
    before = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory(prefix="dnssync-bench-") as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "names"
        path.write_text("".join(f"{name} TXT\n" for name in asked))
        text = "".join(record(KEY, name.removesuffix(f".{ZONE}")) + "\n" for name in asked)
        with Bind(Path(folder) / "bind", {ZONE: text}) as bind:
            where = pinned(bind)
            try:
                for _ in range(runs):
                    resolver = Resolver({ZONE: [bind.server]}, system=[])
                    rates["cold"].append(rate(partial(unlike, resolver, asked), count))
                    rates["unchanged"].append(rate(partial(unlike, resolver, asked), count))
                    rates["look"].append(rate(partial(look, resolver, asked), count))
                    if "aiodns" not in missing:
                        rates["aiodns"].append(rate(partial(by_aiodns, bind.port, asked), count))
                    if "dnsperf" not in missing:
                        rates["dnsperf"].append(rate(partial(by_dnsperf, bind.port, path), count))
                if profile:
                    for words, work in [("cold", look), ("unchanged", unlike)]:
                        profiled = cProfile.Profile()
                        profiled.runcall(work, resolver, asked)
                        print(f"{words}, the functions that took the most time themselves:")
                        pstats.Stats(profiled).sort_stats("tottime").print_stats(15)
            finally:
                os.sched_setaffinity(0, before)
    medians = {
        side: [statistics.median(one) for one in zip(*some, strict=True)] for side, some in rates.items() if some
    }
    return [Row(side, *medians.get(side, (0.0, 0.0)), missing.get(side, "")) for side in rates], where


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table, with ratios to the peers: by the clock, and by CPU time."""
    by_side = {row.side: row for row in rows}
    peers = [by_side["aiodns"], by_side["dnsperf"]]
    lines = [
        "| side | look-ups a second | a second of CPU | of aiodns: clock, CPU | of dnsperf: clock, CPU |",
        "|---|---:|---:|---:|---:|",
    ]
    for row in rows:
        if row.why:
            lines.append(f"| {row.side} | {row.why} | – | – | – |")
            continue
        ratios = ["–" if p.why else f"{row.wall / p.wall:.2f}, {row.cpu / p.cpu:.2f}" for p in peers]
        lines.append(f"| {row.side} | {row.wall:,.0f} | {row.cpu:,.0f} | {' | '.join(ratios)} |")
    return "\n".join(lines)


def main() -> None:
    """Print the report."""
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    runs, count = [*numbers, *(5, AIM)[len(numbers) :]]
    rows, where = measure(runs, count, "--profile" in sys.argv)
    print(f"{count:,} names, {runs} runs, medians, Python {sys.version.split()[0]}; {where}\n")
    print(table(rows))
    unchanged = next(row for row in rows if row.side == "unchanged")
    met = "met" if unchanged.wall >= AIM else "missed"
    print(
        f"\nunchanged: {unchanged.wall:,.0f} a second, the aim is {AIM:,}: {met}; load of this machine {os.getloadavg()[0]:.1f}"
    )


if __name__ == "__main__":
    main()
