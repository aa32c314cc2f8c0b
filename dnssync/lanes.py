"""What waits for others, done at once: in lanes, each one thing at a time and in order, whatever the other lanes wait for.

A lane is an instance of a plug-in (`zones`). Its thread asks the provider and does nothing else: the state, the resolver and
`Line.progress` belong to the thread that made the lanes, which takes what came to its end.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Hashable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

R = TypeVar("R")
Lane = tuple[str, int]  # a provider, and the number of an instance of it
Act = Callable[[], Any]
# Yields what is to be done in a lane, and is sent what came of it, or raised; None where it is about to write, which is told first.
Asking = Generator[Act | None, Any, R]
LOOK = 1.0  # seconds at most between two looks at whether the pass is to end
FEW = 10  # zones that are told by name
INTERRUPTED = (
    "Interrupted; the writes that are under way come to their end first. Ctrl-C once more does not wait for them."
)


class Still(str):
    """What `Line.progress` is told while nothing new happens: that may end the pass, and is no sign of life."""

    __slots__ = ()


class Aloud(str):
    """What `Line.progress` is told for a person to read who waits, be it on a terminal or not."""

    __slots__ = ()


class Count(str):
    """A step that is one of many, for `Line.progress`: `done` of `whole` zones are behind it."""

    done: int
    whole: int

    def __new__(cls, doing: str, done: int, whole: int) -> Self:
        """Such as `reading 37 of 1,000 zones`."""
        made = super().__new__(cls, f"{doing} {done:,} of {whole:,} zones")
        made.done, made.whole = done, whole
        return made


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of an act: its result, or what it raised."""

    key: Any
    result: Any
    error: BaseException | None


class Lanes:
    """Threads, one a lane, as a context. What is under way when it ends is waited for where it `finishes`, else left to itself; what
    has not begun never begins. `waits` is called before somebody who pressed Ctrl-C is made to wait for that."""

    def __init__(self, *, finishes: bool = False, waits: Callable[[], None] = lambda: None) -> None:
        self.under_way = 0  # acts that were put in and not taken yet
        self._finishes, self._waits = finishes, waits
        self._closed = threading.Event()
        self._threads: list[threading.Thread] = []
        self._lanes: dict[Lane, queue.SimpleQueue[tuple[Any, Act] | None]] = {}
        self._ended: queue.SimpleQueue[Ended] = queue.SimpleQueue()

    def put(self, lane: Lane, key: Hashable, act: Act) -> None:
        """Have this done in that lane, after what was put there before."""
        self.under_way += 1
        if lane not in self._lanes:
            waiting = self._lanes[lane] = queue.SimpleQueue()
            # Nobody waits for it when the process ends: a request may hang for minutes.
            thread = threading.Thread(target=self._work, args=(waiting,), name=f"{lane[0]} {lane[1]}", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._lanes[lane].put((key, act))

    def take(self, seconds: float = LOOK) -> list[Ended]:
        """What came to its end, waiting for the first of it so long at most."""
        ended: list[Ended] = []
        try:
            ended.append(self._ended.get(timeout=seconds))
            while True:
                ended.append(self._ended.get_nowait())
        except queue.Empty:
            self.under_way -= len(ended)
            return ended

    def _work(self, waiting: queue.SimpleQueue[tuple[Any, Act] | None]) -> None:
        while (next_one := waiting.get()) is not None:
            key, act = next_one
            if self._closed.is_set():
                self._ended.put(Ended(key, None, None))
                continue
            try:
                ended = Ended(key, act(), None)
            except BaseException as error:
                ended = Ended(key, None, error)
            self._ended.put(ended)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        for waiting in self._lanes.values():
            waiting.put(None)
        if self._finishes and self.under_way and isinstance(error, KeyboardInterrupt):
            # Whoever would have been told may be gone by the same Ctrl-C, as the other end of a pipe is.
            with suppress(Exception):
                self._waits()
        for thread in self._threads if self._finishes else ():
            thread.join()


@dataclass(frozen=True, slots=True)
class Job:
    """Something of which parts are done in a lane, and all else between them. Those of one `group` come one after the other; `text` is
    told before it begins, "" for what need not be told."""

    lane: Lane
    group: str
    text: str
    begin: Callable[[], Asking[Any]]


def carried(
    jobs: Sequence[Job], together: Callable[[], AbstractContextManager[None]], progress: Callable[[str], None]
) -> list[Any]:
    """What came of each job, in their order. All that is noted at one time between the lanes' work is noted in one `together`, if it is
    more than one job's, which has ended before a lane goes on: what a job notes first is on disk then. `progress` is told outside.

    What `progress` raises lets no other job begin; those under way come to their end, and are noted, before it is raised.
    """
    results: list[Any] = [None] * len(jobs)
    groups: dict[str, deque[int]] = {}
    ready: dict[Lane, deque[int]] = {}
    for number, job in enumerate(jobs):
        groups.setdefault(job.group, deque()).append(number)
        if len(groups[job.group]) == 1:
            ready.setdefault(job.lane, deque()).append(number)
    running: dict[int, Asking[Any]] = {}
    busy: set[Lane] = set()
    told, whole = 0, sum(1 for job in jobs if job.text)
    stop: BaseException | None = None

    def free() -> list[int]:
        """The jobs that may begin now, with their lanes free and nothing of their groups before them."""
        return [waiting[0] for lane, waiting in ready.items() if waiting and lane not in busy]

    def step(number: int, on: Callable[[], Act | None]) -> list[tuple[int, Act | None]]:
        """What a job wants to be done next, if it has not come to its end."""
        job = jobs[number]
        try:
            act = on()
        except StopIteration as end:
            results[number] = end.value
            running.pop(number)
            busy.discard(job.lane)
            groups[job.group].popleft()
            for following in list(groups[job.group])[:1]:
                ready.setdefault(jobs[following].lane, deque()).append(following)
            return []
        busy.add(job.lane)
        return [(number, act)]

    def heard(text: str) -> BaseException | None:
        try:
            progress(text)
        except BaseException as error:
            return error
        return None

    with Lanes(finishes=True, waits=lambda: progress(Aloud(INTERRUPTED))) as lanes:
        ended: list[Ended] = []
        while ended or lanes.under_way or free():
            wants: list[tuple[int, Act | None]] = []
            with together() if len(ended) > 1 else nullcontext():
                for one in ended:
                    under_way = running[one.key]
                    going = partial(under_way.send, one.result)
                    on = going if one.error is None else partial(under_way.throw, one.error)
                    wants += step(one.key, on)
            while stop is None and (able := free()):
                job = jobs[able[0]]
                ready[job.lane].popleft()
                running[able[0]] = job.begin()
                fresh = step(able[0], partial(next, running[able[0]]))
                if job.text and (able[0], None) in fresh:
                    told += 1
                    stop = heard(Count("writing", told, whole) if whole > FEW else job.text)
                wants += fresh
            acts = [(number, act) for number, act in wants if act is not None]
            about = [number for number, act in wants if act is None and stop is None]
            with together() if len(about) > 1 else nullcontext():
                for number in about:
                    acts += [(n, act) for n, act in step(number, partial(next, running[number])) if act is not None]
            for number, act in acts:
                lanes.put(jobs[number].lane, number, act)
            if stop is not None and not lanes.under_way:
                raise stop
            ended = lanes.take() if lanes.under_way else []
            while lanes.under_way and not ended:
                stop = stop or heard(Still())
                ended = lanes.take()
    return results
