"""The stand-in for Gandi with many zones, in a process of its own, so that what it costs is not counted as a client's.

    with Apart(rows_file) as gandi:          # a file of JSON lines: [zone, rows]
        gandi.tell(latency=0.05, a_minute=1000)
        gandi.count()                        # answers so far, by their status: {"200": 12, "429": 3}

It is asked over its standard input and output, a JSON object a line. Each answer is `latency` seconds late. What was missing
in a zone is noted for zones that are written to, and told by `gaps`.
"""

from __future__ import annotations

import json
import socketserver
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, Self

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests import gaps
from tests.gandi import Gandi
from tests.gandi_records import Switches
from tests.gaps import By, Moment
from tests.http_faults import Answer
from tests.stand_in import Request

ROOT = Path(__file__).parents[1]


class Many(Gandi):
    """`tests.gandi.Gandi` that looks after a request at the zone that it was about, and not at all of them."""

    latency = 0.0

    def note(self, by: By) -> None:
        """Nothing: `reply` notes what is written."""

    def reply(self, request: Request) -> Answer:
        """See `StandIn`."""
        zone = request.path.split("/")[2] if request.path.startswith("/domains/") else ""
        writes = request.method != "GET" and zone in self.history
        if writes and not self.history[zone]:
            self._look(zone)
        answer = super().reply(request)
        if writes:
            self._look(zone)
        return answer

    def _look(self, zone: str) -> None:
        now = gaps.items({key: values for key, (_, values) in self.values(zone).items()})
        self.history[zone].append(Moment(time.monotonic(), now, By.CLIENT))

    def _serve(self, http: Any) -> None:
        time.sleep(self.latency)
        super()._serve(http)


class Apart:
    """The process, as a context. `rows` names the file that holds the zones."""

    def __init__(self, rows: Path) -> None:
        self._rows = rows

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [sys.executable, __file__, str(self._rows)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.endpoint, self.token = self._answer()
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the stand-in for Gandi has ended")
        return json.loads(line)

    def ask(self, word: str, **fields: Any) -> Any:
        """One question to it, and its answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"word": word, **fields}) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def tell(self, *, latency: float, a_minute: int | None) -> None:
        """Seconds before each answer, and how many requests a minute are taken, from now on."""
        self.ask("tell", latency=latency, a_minute=a_minute)

    def count(self) -> Counter[str]:
        """How many requests were answered so far, by status."""
        return Counter(self.ask("count"))

    def writes(self) -> int:
        """How many requests so far were no GET and were taken."""
        return int(self.ask("writes"))

    def gaps(self) -> list[tuple[str, list[str], float]]:
        """What was missing in between, since this was asked last: zone, what, for how many seconds."""
        return [(zone, item, seconds) for zone, item, seconds in self.ask("gaps")]

    def holds(self, name: str, kind: str) -> dict[str, list[Any]]:
        """What stands at a name in each zone: its TTL, and the values as the API shows them; [] where there is no such RRset."""
        return dict(self.ask("holds", name=name, kind=kind))

    def restore(self) -> None:
        """All zones as they were at the beginning."""
        self.ask("restore")


def _act(gandi: Many, rows: Path, word: str, told: dict[str, Any]) -> Any:
    if word == "tell":
        gandi.latency, gandi._limiter = told["latency"], None
        gandi.switches.a_minute = told["a_minute"]
        return True
    if word == "count":
        return Counter(str(request.status) for request in gandi.requests)
    if word == "writes":
        return sum(request.method != "GET" and request.status < 300 for request in gandi.requests)
    if word == "gaps":
        found = [(zone, list(map(str, item)), gap) for zone in gandi.history for item, gap in gandi.gaps(zone).items()]
        for past in gandi.history.values():
            past.clear()
        return found
    if word == "holds":
        key = (told["name"], told["kind"])
        held = {zone: kept.entries.get(key) for zone, kept in gandi.zones.items()}
        return {zone: [e.ttl, *gandi.shown(zone, e)["rrset_values"]] if e else [] for zone, e in held.items()}
    if word == "restore":
        with gandi.lock:
            for zone, kept in _zones(rows).items():
                gandi.zones[zone].entries.clear()
                for row in kept:
                    gandi.put(zone, *row)
        return True
    raise ValueError(word)


def _zones(rows: Path) -> dict[str, Any]:
    with rows.open() as lines:
        return dict(map(json.loads, lines))


def main() -> None:
    """Serve until standard input ends."""
    socketserver.TCPServer.request_queue_size = 128
    rows = Path(sys.argv[1])
    with Many(_zones(rows), Switches(), gapless=False) as gandi:
        print(json.dumps([gandi.endpoint, gandi.token]), flush=True)
        for line in sys.stdin:
            told = json.loads(line)
            print(json.dumps(_act(gandi, rows, told["word"], told)), flush=True)


if __name__ == "__main__":
    main()
