"""What a change costs at each provider, dnssync beside octodns' own plug-in: the same server or stand-in, the same run, the same changes.

    python bench/providers.py [RUNS] [PROVIDER …]

The changes: one value at the apex, where two others are somebody else's, two new record sets, one taken away. Prints requests, wall
time with and without 50 ms of latency (medians of runs in turns, the first not counted), for how long a record set or a value that is
there before and after was missing, for how long there was no SPF record or more than one, which notes of others (comments, disabled values, TTLs …) are not what they were, and what is gone
when one write is answered with an error, each write in its turn. A client that refuses the case, or leaves something else than it was
asked for, is told with its own words.
"""

from __future__ import annotations

import itertools
import logging
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.places import AtNamed, AtPowerDns, Notes, Place
from bench.sides import OLD, THEIRS, WANTED, Side, ours, theirs
from bench.stand_ins import AtCloudflare, AtDesec, AtGandi, AtHetzner, AtOvh
from tests.gaps import Moment, gaps

PLACES: dict[str, type[Place]] = {
    "gandi": AtGandi,
    "ovh": AtOvh,
    "cloudflare": AtCloudflare,
    "desec": AtDesec,
    "hetzner": AtHetzner,
    "powerdns": AtPowerDns,
    "rfc2136": AtNamed,
}
LATENCIES = (0.0, 0.05)
Make = Callable[[Place], Side]


@dataclass
class Run:
    """One plan and one apply at a fresh zone."""

    plan: int
    apply: int
    writes: int
    seconds: float
    missing: float  # a record set
    absent: float  # a value
    unclear: float  # there was no SPF record, or more than one
    notes: dict[tuple[str, str], tuple[str, str]]  # those that are others now
    lost: int  # values of others at the apex
    bare: bool  # neither SPF record stands there
    wrong: list[str]


@dataclass
class Told:
    """What one side did at a provider, run by run."""

    runs: dict[float, list[Run]] = field(default_factory=dict)
    watched: Run | None = None
    failed: list[Run] = field(default_factory=list)
    refused: str = ""


def once(
    kind: type[Place], make: Make, latency: float = 0.0, failing: int | None = None, *, watch: bool = False
) -> Run:
    """One run. With `failing`, that write is an error, and whatever is raised then is as good as any other end."""
    with kind() as place:
        place.hurried = failing is not None
        before = place.notes()
        plan, apply = make(place)
        if watch:
            place.watch()
        start = len(place.asked())
        place.spoil(latency)
        began = time.perf_counter()
        todo = plan()
        planned = len(place.asked())
        place.spoil(latency, failing)
        try:
            apply(todo)
        except Exception:
            if failing is None:
                raise
        seconds = time.perf_counter() - began
        asked, values, moments = place.asked(), place.values(), place.moments()
        missing = gaps(moments)
        stands = {(name, text) for (name, kind), (_, texts) in values.items() if kind == "TXT" for text in texts}
        apex = {text.decode("utf-8", "replace") for name, text in stands if name == "@"}
        return Run(
            plan=planned - start,
            apply=len(asked) - planned,
            writes=sum(asked[start:]),
            seconds=seconds,
            missing=max([0.0, *(gap for item, gap in missing.items() if len(item) == 2)]),
            absent=max([0.0, *(gap for item, gap in missing.items() if len(item) == 3)]),
            unclear=unclear(moments),
            notes=changed(before, place.notes()),
            lost=len(set(THEIRS) - apex),
            bare=not any(text.startswith(OLD[:6]) for text in apex),
            wrong=sorted([f"{n} TXT {v!r} is missing" for n, v in WANTED - stands] + [f"{n} TXT {v!r} stands there" for n, v in stands - WANTED]),
        )  # fmt: skip


def unclear(moments: Sequence[Moment]) -> float:
    """Seconds in which receivers found no SPF record at the apex, or several, which is an error to them (RFC 7208 §4.5)."""
    return sum(
        after.at - before.at
        for before, after in itertools.pairwise(moments)
        if sum(len(item) == 3 and item[:2] == ("@", "TXT") and item[2].startswith(b"v=spf1") for item in before.items) != 1
    )  # fmt: skip


def changed(before: Notes, after: Notes) -> dict[tuple[str, str], tuple[str, str]]:
    """The notes that are not what they were."""
    return {key: (before.get(key, "none"), after.get(key, "none")) for key in sorted({*before, *after}) if before.get(key) != after.get(key)}  # fmt: skip


def measured(kind: type[Place], runs: int) -> dict[str, Told]:
    """Both sides at a provider, in turns, so that a busy moment hits both."""
    sides: Mapping[str, Make] = {"dnssync": ours, kind.plugin: theirs}
    told = {name: Told() for name in sides}
    for _ in range(runs + 1):
        for name, make in sides.items():
            if told[name].refused:
                continue
            try:
                for latency in LATENCIES:
                    told[name].runs.setdefault(latency, []).append(once(kind, make, latency))
            except Exception as error:
                told[name].refused = f"{type(error).__name__}: {' '.join(str(error).split())}"
    for name, make in sides.items():
        if not told[name].refused:
            told[name].watched = once(kind, make, LATENCIES[-1], watch=True)
            told[name].failed = [once(kind, make, failing=n) for n in range(told[name].runs[0.0][0].writes)]
    return told


def median(told: Told, latency: float) -> float:
    """Seconds, without the first run."""
    return statistics.median(run.seconds for run in told.runs[latency][1:])


FIGURES: dict[str, Callable[[Told], str]] = {
    "requests to plan": lambda told: str(told.runs[0.0][-1].plan),
    "requests to apply": lambda told: str(told.runs[0.0][-1].apply),
    "of them writes": lambda told: str(told.runs[0.0][-1].writes),
    "seconds, no latency": lambda told: f"{median(told, 0.0):.3f}",
    "seconds, 50 ms latency": lambda told: f"{median(told, 0.05):.3f}",
    "seconds a record set was missing": lambda told: f"{told.watched.missing:.3f}" if told.watched else "",
    "seconds a value was": lambda told: f"{told.watched.absent:.3f}" if told.watched else "",
    "seconds without one SPF record": lambda told: f"{told.watched.unclear:.3f}" if told.watched else "",
    "notes of others changed": lambda told: str(len(told.runs[0.0][-1].notes)),
    "one write fails: others' values lost": lambda told: str(max(run.lost for run in told.failed)),
    "one write fails: no SPF stands there": lambda told: (
        f"{sum(run.bare for run in told.failed)} of {len(told.failed)}"
    ),
}


def table(name: str, kind: type[Place], told: Mapping[str, Told], release: str) -> None:
    """What is told of one provider."""
    print(f"\n{name}, at {kind.at}, {kind.plugin} {release}")
    print(f"{'':38}" + "".join(f"{side:>20}" for side in told))
    for title, figure in FIGURES.items():
        cells = [figure(each) if not each.refused else "-" for each in told.values()]
        print(f"{title:38}" + "".join(f"{cell:>20}" for cell in cells) + (f"{ratio(told, title):>10}"))
    for side, each in told.items():
        if each.refused:
            print(f"  {side} refuses: {each.refused}")
            continue
        last = each.runs[0.0][-1]
        for (what, where), (old, new) in last.notes.items():
            print(f"  {side}: {what} of {where}: {old} → {new}")
        for each_wrong in last.wrong:
            print(f"  {side}: {each_wrong}")


def ratio(told: Mapping[str, Told], title: str) -> str:
    """Theirs by ours, of times."""
    latency = {"seconds, no latency": 0.0, "seconds, 50 ms latency": 0.05}.get(title)
    mine, other = told.values()
    return (
        ""
        if latency is None or mine.refused or other.refused
        else f"{median(other, latency) / median(mine, latency):.2f} x"
    )


def summary(all_told: Mapping[str, Mapping[str, Told]]) -> None:
    """A line a provider: dnssync / the plug-in."""
    heads = {
        "requests": "{plan}+{apply}",
        "writes": "{writes}",
        "missing s": "{missing:.3f}",
        "not one SPF s": "{unclear:.3f}",
        "notes": "{notes}",
        "lost": "{lost}",
    }
    print(f"\n{'dnssync / plug-in':12}" + "".join(f"{head:>16}" for head in heads) + f"{'time, 0 ms':>14}{'50 ms':>10}")
    for name, told in all_told.items():
        cells = []
        for form in heads.values():
            cells.append(
                " / ".join("refused" if each.refused else form.format(**figures(each)) for each in told.values())
            )
        print(f"{name:17}" + "".join(f"{cell:>16}" for cell in cells) + f"{ratio(told, 'seconds, no latency'):>14}{ratio(told, 'seconds, 50 ms latency'):>10}")  # fmt: skip


def figures(told: Told) -> dict[str, float]:
    """The figures of a summary."""
    last, watched = told.runs[0.0][-1], told.watched
    missing = max(watched.missing, watched.absent) if watched else 0.0
    return {"plan": last.plan, "apply": last.apply, "writes": last.writes, "missing": missing, "unclear": watched.unclear if watched else 0.0, "notes": len(last.notes),
            "lost": max(run.lost for run in told.failed)}  # fmt: skip


def main() -> None:
    """The tables."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    words = sys.argv[1:]
    runs = int(words.pop(0)) if words and words[0].isdecimal() else 5
    names = words or list(PLACES)
    print(f"{runs} runs, medians; octodns {version('octodns')}, Python {sys.version.split()[0]}")
    all_told = {}
    for name in names:
        kind = PLACES[name]
        try:
            release = version(kind.plugin)
        except PackageNotFoundError:
            print(f"\n{name}: {kind.plugin} is not installed; `make bench` installs it")
            continue
        all_told[name] = measured(kind, runs)
        table(name, kind, all_told[name], release)
    summary(all_told)


if __name__ == "__main__":
    main()
