"""Zones read and written at once at stand-ins over real HTTP: how many, what a pause holds back, and what one failure costs."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dnssync.by_dns import Reading
from dnssync.cli.context import Context
from dnssync.config import Config, parse
from dnssync.core.model import Change, Kind, ProviderError, RRset, Value
from dnssync.lanes import Count, Still
from dnssync.one_pass import Stopped
from dnssync.pauses import Vain
from dnssync.reading import read_all
from dnssync.under_lock import _briefly
from dnssync.zones import Zones
from tests.gandi import Gandi
from tests.gandi_faults import ERRED, NOT_FOUND
from tests.http_faults import Answer, Fault

LIMIT = 20.0  # seconds until a test is given up
ROWS = [("@", "SPF", 3600, ['"v=spf1 -all"'])]  # which tells that the type is taken, without a question
MANY = 10  # requests that Gandi's plug-in has under way at once


@dataclass
class Site:
    """Zones at accounts of their own: `a0.test` … at the first, `b0.test` … at the second."""

    gandis: dict[str, Gandi]
    config: Config

    def line(self, zones: Zones, progress: Callable[[str], None] = lambda text: None) -> Any:
        """What of a pass's line is asked when zones are read."""
        return SimpleNamespace(zones=zones, resting={}, progress=progress)

    def read(self, zones: Zones, progress: Callable[[str], None] = lambda text: None) -> dict[tuple[str, str], Any]:
        """All zones."""
        return read_all(self.line(zones, progress), self.config.zones.values())


@pytest.fixture
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """As many zones at each account as the parameter says."""
    counts: dict[str, int] = request.param
    with ExitStack() as stack:
        gandis = {
            name: stack.enter_context(Gandi({f"{name}{n}.test": ROWS for n in range(count)}))
            for name, count in counts.items()
        }
        text = {
            "providers": {
                name: {"class": "gandi", "token": one.token, "endpoint": one.endpoint} for name, one in gandis.items()
            },
            "zones": {f"{name}{n}.test": {"provider": name} for name, count in counts.items() for n in range(count)},
        }
        yield Site(gandis, parse(json.dumps(text), Path("site.yaml")))


@dataclass
class Clock:
    """A time that passes while somebody sleeps, and a sleep that lasts until it is let go."""

    time: float = 1000.0
    asleep: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)
    naps: list[float] = field(default_factory=list)

    def now(self) -> float:
        """Seconds."""
        return self.time

    def sleep(self, seconds: float) -> None:
        """Until the test says so."""
        until = self.time + seconds
        self.naps.append(seconds)
        self.asleep.set()
        assert self.go.wait(LIMIT)
        self.time = max(self.time, until)


class Crowd:
    """How many requests are under way at once; each goes on when as many have come as are wanted."""

    def __init__(self, wanted: int) -> None:
        self.most = self._here = 0
        self._lock, self._barrier = threading.Lock(), threading.Barrier(wanted)

    def wait(self) -> None:
        """Come, and go with the others."""
        with self._lock:
            self._here += 1
            self.most = max(self.most, self._here)
        self._barrier.wait(LIMIT)
        with self._lock:
            self._here -= 1


def literal(text: str) -> str:
    """A secret that is written out."""
    return text


@pytest.mark.parametrize("site", [{"a": 4 * MANY}], indirect=True)
def test_as_many_as_declared(site: Site) -> None:
    """So many requests are under way at once as the plug-in declares, never more, each zone is asked for once, and every answer is counted."""
    crowd, [gandi] = Crowd(MANY), site.gandis.values()
    gandi.faults = [Fault("GET", "records", stranger=crowd.wait, times=4 * MANY)]
    zones = Zones(site.config)
    found = site.read(zones)
    assert crowd.most == MANY
    assert [*found] == [(f"a{n}.test", "a") for n in range(4 * MANY)]
    assert all(isinstance(one, Reading) and ("", "SPF") in one.found for one in found.values())
    assert sorted(gandi.calls()) == sorted(f"GET /domains/a{n}.test/records" for n in range(4 * MANY))
    assert zones.requests() == {"a": {"2xx": 4 * MANY}}


@pytest.mark.parametrize("site", [{"a": MANY + 2, "b": MANY + 2}], indirect=True)
def test_a_pause_holds_its_provider_alone(site: Site) -> None:
    """While one provider wants no requests, none of its instances makes any, and the other provider's zones are read to the end."""
    clock, slow, quick = Clock(), site.gandis["a"], site.gandis["b"]

    all_here = threading.Barrier(MANY)

    def noted() -> None:
        all_here.wait(LIMIT)
        assert clock.asleep.wait(LIMIT)  # answered once the pause is known

    slow.faults = [
        Fault("GET", "a0.test", Answer(429, ERRED, {"Retry-After": "30"}), stranger=partial(all_here.wait, LIMIT)),
        Fault("GET", "records", stranger=noted, times=MANY - 1),
    ]

    done: list[int] = []

    def progress(text: str) -> None:
        if isinstance(text, Count):
            done.append(text.done)
        # All of the quick one's, and those of the slow one's that were asked for before it was known.
        if done[-1:] == [2 * MANY + 1] and len(clock.naps) == 2 and not clock.go.is_set():
            assert len(quick.requests) == MANY + 2 and len(slow.requests) == MANY
            clock.go.set()

    found = site.read(Zones(site.config, sleep=clock.sleep, now=clock.now), progress)
    assert all(isinstance(one, Reading) for one in found.values()) and len(found) == 2 * MANY + 4
    assert clock.naps == [30.0, 30.0] and len(slow.requests) == MANY + 3


@pytest.mark.parametrize("site", [{"a": 2 * MANY}], indirect=True)
def test_one_that_fails_alone(site: Site) -> None:
    """A zone that cannot be read says so; all others are read, and are told in the configuration's order, whichever came last."""
    [gandi], last = site.gandis.values(), threading.Event()
    gandi.faults = [
        Fault("GET", "a3.test", Answer(404, NOT_FOUND)),
        Fault("GET", "a0.test", stranger=lambda: last.wait(LIMIT) and None),
    ]
    told: list[str] = []

    def progress(text: str) -> None:
        told.append(text)
        if isinstance(text, Count) and text.done >= MANY:
            last.set()

    found = site.read(Zones(site.config), progress)
    assert [*found] == [(f"a{n}.test", "a") for n in range(2 * MANY)]
    failed = {zone for (zone, _), one in found.items() if isinstance(one, ProviderError)}
    assert failed == {"a3.test"} and "has no such zone" in str(found["a3.test", "a"])
    counts = [text.done for text in told if isinstance(text, Count)]
    assert counts == sorted(set(counts)) and counts[0] == 0 and counts[-1] == 2 * MANY


@pytest.mark.parametrize("site", [{"a": 3}], indirect=True)
def test_an_end_waits_for_nobody(site: Site) -> None:
    """Where the pass is to end while a provider hangs, it ends; that nothing happens is told as no sign of life."""
    [gandi], told = site.gandis.values(), []
    gandi.faults = [Fault("GET", "records", hang=True, times=3)]

    def progress(text: str) -> None:
        told.append(text)
        if len(told) == 2:
            raise Stopped

    with pytest.raises(Stopped):
        site.read(Zones(site.config), progress)
    assert told == ["reading a0.test, a1.test, a2.test", ""] and isinstance(told[1], Still)
    assert not any(fault.release.is_set() for fault in gandi.faults)


@pytest.mark.parametrize("site", [{"a": 2, "b": 1}], indirect=True)
def test_a_pause_that_is_too_long(site: Site) -> None:
    """In a pass that writes, a pause that there is no time for fails the zone that was told, and those that would be asked for meanwhile
    without a request; another provider's is written."""
    slow, clock = site.gandis["a"], Clock()
    zones = Zones(site.config, sleep=partial(_briefly, clock.sleep), now=clock.now)
    change = Change(Kind.CREATE, "_dmarc", "TXT", None, RRset("_dmarc", "TXT", 3600, (Value("v=DMARC1; p=none", ""),)))
    site.read(zones)
    slow.faults = [Fault("POST", "a0.test", Answer(429, ERRED, {"Retry-After": "30"}))]
    with pytest.raises(ProviderError, match=r"^a0\.test: .*answered 429"):
        zones.provider("a").write("a0.test", [change])
    asked = len(slow.requests)
    with pytest.raises(
        ProviderError, match=r"^a1\.test: .*wants no more requests for 30 seconds.*Nothing was done"
    ) as caught:
        zones.provider("a").write("a1.test", [change])
    assert caught.value.transient and len(slow.requests) == asked
    assert zones.provider("b").write("b0.test", [change]) == () and clock.naps == []
    clock.time += 31
    assert zones.provider("a").write("a1.test", [change]) == ()


@pytest.mark.parametrize("site", [{"a": 3 * MANY, "b": 2}], indirect=True)
def test_one_that_puts_everything_off(site: Site) -> None:
    """A provider that says 429 to all, for ever, and not how long it lasts, is given up after some minutes, and told so for each zone; others go on."""
    slow, clock = site.gandis["a"], Clock()
    clock.go.set()
    slow.faults = [Fault(answer=Answer(429, ERRED), times=10**6)]
    zones = Zones(site.config, sleep=clock.sleep, now=clock.now)
    found = site.read(zones)
    given_up = [str(one) for one in found.values() if "is asked no more in this pass" in str(one)]
    assert len(given_up) >= MANY and all(
        re.match(r"a\d+\.test: provider a has put off every request for", text) for text in given_up
    )
    assert len(slow.requests) <= 4 * 2 * MANY and sum(isinstance(one, Reading) for one in found.values()) == 2
    asked = len(slow.requests)
    change = Change(Kind.CREATE, "_dmarc", "TXT", None, RRset("_dmarc", "TXT", 3600, (Value("v=DMARC1; p=none", ""),)))
    with pytest.raises(ProviderError, match=r"asked no more in this pass.*Nothing was written; a later pass") as caught:
        zones.provider("a").write("a0.test", [change])
    with pytest.raises(ProviderError, match=r"asked no more in this pass, so that others need not wait. A later pass"):
        zones.snapshot("a", "a0.test", "dnssync 1")
    assert caught.value.transient and len(slow.requests) == asked
    assert zones.provider("a").write("a0.test", []) == ()


def test_what_is_in_vain() -> None:
    """Some zones in a row, for some minutes, in which it was asked; any answer begins the count anew."""
    clock = Clock()
    vain = Vain(clock.now)
    for number in range(MANY):
        vain.put_off(f"a{number}.test", clock.time)
    clock.time += 100
    vain.put_off("a0.test", clock.time)
    assert vain.seconds() == 0.0
    clock.time += 500
    assert vain.seconds() == 0.0  # nobody asked it meanwhile: its pause may be over
    vain.put_off("a1.test", clock.time)
    clock.time += 50
    assert vain.seconds() == 600
    vain.answered()
    for _ in range(MANY):
        clock.time += 600
        vain.put_off("a0.test", clock.time)  # one zone, again and again, is its own trouble
    assert vain.seconds() == 0.0


def test_what_hangs_beside_what_is_answered() -> None:
    """Requests that were under way when another one was answered tell only of the time after that."""
    clock = Clock()
    vain, begun = Vain(clock.now), clock.time
    clock.time += 599
    vain.answered()
    clock.time += 1
    for number in range(MANY):
        vain.put_off(f"a{number}.test", begun)
    assert vain.seconds() == 0.0
    clock.time += 199
    vain.put_off("a0.test", begun)
    assert vain.seconds() == 200


@pytest.mark.parametrize("site", [{"a": 2 * MANY}], indirect=True)
def test_zones_that_are_put_off_beside_others(site: Site) -> None:
    """As long as it answers for some zones, be it with a refusal, a provider is asked for all."""
    [gandi], clock = site.gandis.values(), Clock()
    clock.go.set()
    gandi.faults = [
        Fault(path=rf"/a{number}\.test", answer=Answer(404, NOT_FOUND) if number % 2 else Answer(429, ERRED), times=99)
        for number in range(2 * MANY)
    ]
    zones = Zones(site.config, sleep=clock.sleep, now=clock.now)
    told = []
    for number in range(2 * MANY):
        with pytest.raises(ProviderError) as caught:
            zones.provider("a").read(f"a{number}.test")
        told.append(str(caught.value))
    assert clock.time > 1000 + 30 * 60 and not any("no more" in text for text in told)


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def test_no_line_of_progress_is_longer_than_the_terminal_is_wide() -> None:
    """Ten names, or a count with its bar, do not run into a second line, which the next one would not replace."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 60))
    with os.fdopen(theirs, "w", encoding="utf-8") as screen:
        context = Context(stderr=screen, environ={"NO_COLOR": "1"})
        context.progress("reading " + ", ".join(f"a-long-name-{i}.example.org" for i in range(10)))
        context.progress(Count("reading", 5000, 10000))
        context.progress("writing example.org at home")
        shown = b""
        while not shown.endswith("home…".encode()):
            shown += os.read(ours, 65536)
    os.close(ours)
    lines = shown.decode().split("\r\x1b[K")[1:]
    assert [len(line) for line in lines] == [
        59,
        len("reading 5,000 of 10,000 zones…"),
        len("writing example.org at home…"),
    ]
    assert lines[0].endswith("…") and lines[2] == "writing example.org at home…"


def test_a_bar_on_a_terminal() -> None:
    """A count of zones has a bar, which stays while nothing happens; a pipe gets nothing."""
    screen, pipe = Screen(), io.StringIO()
    for stream in (screen, pipe):
        context = Context(stderr=stream, environ={"NO_COLOR": "1"})
        context.progress(Count("reading", 500, 1000))
        context.progress(Still())
    shown = screen.getvalue()
    assert "reading 500 of 1,000 zones " in shown and "━" * 5 in shown
    assert shown.count("\r") == 1 and "…" not in shown
    assert pipe.getvalue() == ""
