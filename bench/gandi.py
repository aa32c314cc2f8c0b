"""What a change costs at Gandi, ours beside octoDNS' own plug-in: the same stand-in, the same run, the same four changes.

    python bench/gandi.py [RUNS]

The changes: one value at the apex, where two others are somebody else's, two new record sets, one taken away. Prints requests,
wall time with and without 50 ms of latency (medians), how long a record set that is there before and after was missing, and how many of
somebody else's values are gone when one of the writes is answered with 500, each write in its turn.
"""

from __future__ import annotations

import logging
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from dnssync_providers.gandi import Provider
from octodns.record import Record
from octodns.zone import Zone
from octodns_gandi import GandiProvider

from dnssync.core.model import Change, Kind, RRset, Value
from tests.gandi import Gandi
from tests.gandi_faults import ERRED
from tests.http_faults import Answer, Fault

ZONE = "example.org"
OLD, NEW, KEY = "v=spf1 mx -all", "v=spf1 mx a -all", "v=DKIM1; k=rsa; p=" + "A" * 392
ROWS = [
    ("@", "A", 3600, ["192.0.2.1"]),
    ("@", "MX", 3600, ["10 mx.example.org."]),
    ("@", "TXT", 3600, [f'"{OLD}"', '"site-verification=1"', '"another=2"']),
    ("old._domainkey", "TXT", 3600, ['"v=DKIM1"']),
    *((f"host{number}", "A", 3600, ["192.0.2.9"]) for number in range(16)),
]
THEIRS = {("@", "TXT", b"site-verification=1"), ("@", "TXT", b"another=2")}
NEWS = {"_dmarc": "v=DMARC1", "new._domainkey": KEY.replace(";", "")}  # no `;`: the plug-in would send its own escapes


def ours(gandi: Gandi) -> tuple[Callable[[], object], Callable[[object], object]]:
    """How dnssync plans and applies the changes."""
    provider = Provider("gandi", token=gandi.token, endpoint=gandi.endpoint, sleep=lambda seconds: None)

    def plan() -> list[Change]:
        found = {rrset.key: rrset for rrset in provider.read(ZONE)}
        apex, old = found["", "TXT"], found["old._domainkey", "TXT"]
        after = tuple(Value(NEW, "") if value.text == OLD else value for value in apex.values)
        made = [
            Change(Kind.CREATE, name, "TXT", None, RRset(name, "TXT", 3600, (Value(text, ""),)))
            for name, text in NEWS.items()
        ]
        return [
            Change(Kind.UPDATE, "", "TXT", apex, RRset("", "TXT", 3600, after)),
            *made,
            Change(Kind.DELETE, old.name, "TXT", old, None),
        ]

    return plan, lambda changes: provider.write(ZONE, changes)  # type: ignore[arg-type]  # the plan above


def theirs(gandi: Gandi) -> tuple[Callable[[], object], Callable[[object], object]]:
    """How octoDNS does, with everything in the zone desired as it is but for the changes."""
    provider = GandiProvider("gandi", gandi.token)
    provider._client.endpoint = gandi.endpoint

    def plan() -> object:
        desired = Zone(f"{ZONE}.", [])
        provider.populate(desired)
        for record in list(desired.records):
            if (record.name, record._type) in (("", "TXT"), ("old._domainkey", "TXT")):
                desired.remove_record(record)
        values = [NEW, "site-verification=1", "another=2"]
        desired.add_record(Record.new(desired, "", {"type": "TXT", "ttl": 3600, "values": values}))
        for name, text in NEWS.items():
            desired.add_record(Record.new(desired, name, {"type": "TXT", "ttl": 3600, "value": text}))
        return provider.plan(desired)

    return plan, provider.apply


def once(make: Callable, latency: float = 0.0, failing: int | None = None) -> dict[str, float]:
    """One plan and one apply against a fresh zone."""
    with Gandi({ZONE: ROWS}, gapless=False) as gandi:
        if latency:
            gandi.faults = [Fault(latency=latency, times=10**6)]
        plan, apply = make(gandi)
        start = time.perf_counter()
        todo = plan()
        reads = len(gandi.requests)
        if failing is not None:
            gandi.faults = [Fault("POST|PUT|PATCH|DELETE", skip=failing, answer=Answer(500, ERRED))]
        try:
            apply(todo)
        except Exception:
            assert failing is not None
        seconds = time.perf_counter() - start
        stands = gandi.history[ZONE][-1].items
        return {
            "plan": reads,
            "apply": len(gandi.requests) - reads,
            "writes": sum(request.method != "GET" for request in gandi.requests),
            "seconds": seconds,
            "missing": max([0.0, *gandi.gaps(ZONE).values()]),
            "lost": len(THEIRS - stands),
        }


def main() -> None:
    """The table."""
    logging.disable(logging.CRITICAL)
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    sides = {"dnssync": ours, "octodns-gandi": theirs}
    told: dict[tuple[str, float], list[dict[str, float]]] = {}
    for _ in range(runs + 1):  # in turns, so that a busy moment hits both; the first is not counted
        for name, make in sides.items():
            for latency in (0.0, 0.05):
                told.setdefault((name, latency), []).append(once(make, latency))

    def row(title: str, *figures: float, form: str = ".0f", ratio: bool = False) -> None:
        print(f"{title:34}" + "".join(f"{figure:16{form}}" for figure in figures)
              + (f"{figures[1] / figures[0]:10.1f} x" if ratio else ""))  # fmt: skip

    print(f"{f'{runs} runs, medians':34}" + "".join(f"{name:>16}" for name in sides))
    for title, key in (("requests to plan", "plan"), ("requests to apply", "apply"), ("of them writes", "writes")):
        row(title, *(told[name, 0.0][0][key] for name in sides))
    for latency in (0.0, 0.05):
        medians = [statistics.median(run["seconds"] for run in told[name, latency][1:]) for name in sides]
        row(f"seconds, {latency * 1000:.0f} ms latency", *medians, form=".3f", ratio=True)
    row(
        "seconds missing, 50 ms latency",
        *(max(run["missing"] for run in told[name, 0.05]) for name in sides),
        form=".3f",
    )
    failing = [
        [once(make, failing=n)["lost"] for n in range(int(told[name, 0.0][0]["writes"]))]
        for name, make in sides.items()
    ]
    row("values of others lost, one 500", *map(max, failing))


if __name__ == "__main__":
    main()
