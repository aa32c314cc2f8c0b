"""What is done at once: as many as there are lanes, each in its order, and what comes of it in the order in which it was asked for."""

from __future__ import annotations

import io
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from dnssync.cli.context import Context
from dnssync.core.model import ProviderError
from dnssync.lanes import INTERRUPTED, Act, Aloud, Asking, Count, Job, Lanes, Still, carried
from dnssync.one_pass import Stopped

LIMIT = 20.0  # seconds until a test is given up


class Book:
    """A state: what is noted counts once the transaction that it was noted in has ended."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.rounds: list[int] = []
        self._fresh: list[str] | None = None

    @contextmanager
    def together(self) -> Iterator[None]:
        """A transaction."""
        self._fresh = []
        try:
            yield
            self.kept += self._fresh
            self.rounds.append(len(self._fresh))
        finally:
            self._fresh = None

    def note(self, what: str) -> None:
        """Keep this, in a transaction or by itself."""
        (self.kept if self._fresh is None else self._fresh).append(what)


def writing(book: Book, name: str, act: Act) -> Asking[str]:
    """What `carry_out` does with a zone: a note, the request, another note."""
    yield None
    book.note(f"begin {name}")
    try:
        told = yield act
    except ProviderError as error:
        return str(error)
    book.note(f"end {name}")
    return f"{name} {told}"


def no_matter(text: str) -> None:
    """Progress that nobody looks at."""


def test_all_lanes_at_once() -> None:
    """Each lane waits for all others, and what each noted before it is on disk by then, in as few transactions as can be; the results are in the jobs'
    order, however they ended."""
    book, all_here = Book(), threading.Barrier(4)
    seen: dict[int, list[str]] = {}
    turns = [threading.Event() for _ in range(5)]
    turns[4].set()

    def act(number: int) -> int:
        seen[number] = [*book.kept]
        all_here.wait(LIMIT)
        assert turns[number + 1].wait(LIMIT)  # the last one comes first
        turns[number].set()
        return number

    jobs = [Job(("p", n), f"z{n}", "", partial(writing, book, f"z{n}", partial(act, n))) for n in range(4)]
    assert carried(jobs, book.together, no_matter) == ["z0 0", "z1 1", "z2 2", "z3 3"]
    assert all(seen[n] == ["begin z0", "begin z1", "begin z2", "begin z3"] for n in range(4))
    assert book.rounds[0] == 4 and sorted(book.kept[4:]) == ["end z0", "end z1", "end z2", "end z3"]


def test_one_thing_at_a_time() -> None:
    """A lane never does two things at once, and a zone is written at one provider after the other, the second one though the first fails."""
    book = Book()
    under_way: set[str] = set()

    def act(lane: str, name: str, fails: bool) -> str:
        assert not {lane, name} & under_way
        under_way.update((lane, name))
        under_way.difference_update((lane, name))
        if fails:
            raise ProviderError(f"{name} at {lane} failed")
        return f"at {lane}"

    jobs = [
        Job(
            (lane, 0), f"z{n}", "", partial(writing, book, f"z{n}", partial(act, lane, f"z{n}", lane == "p" and n == 2))
        )
        for n in range(20)
        for lane in "pq"
    ]
    got = carried(jobs, book.together, no_matter)
    wanted = [f"z{n} at {lane}" for n in range(20) for lane in "pq"]
    wanted[4] = "z2 at p failed"
    assert got == wanted
    ends = [note for note in book.kept if note.startswith("end")]
    assert sorted(ends) == sorted(["end z2", *(f"end z{n}" for n in range(20) if n != 2 for _ in "pq")])


@pytest.mark.parametrize("lanes", [1, 3])
def test_an_end_between_two_steps(lanes: int) -> None:
    """Where the pass is to end, nothing new begins; what is under way comes to its end and is noted."""
    book, told = Book(), []

    def progress(text: str) -> None:
        told.append(text)
        if len(told) > lanes:
            raise Stopped

    def begin(name: str) -> Asking[str]:
        begun.append(name)
        return (yield from writing(book, name, str))

    begun: list[str] = []
    jobs = [Job(("p", n % lanes), f"z{n}", f"writing z{n}", partial(begin, f"z{n}")) for n in range(9)]
    with pytest.raises(Stopped):
        carried(jobs, book.together, progress)
    names = [f"z{n}" for n in range(lanes)]
    assert sorted(book.kept) == sorted([f"{word} {name}" for word in ("begin", "end") for name in names])
    assert begun == [f"z{n}" for n in range(lanes + 1)]  # of the last one nothing is kept: `progress` ended it


def test_what_ends_at_one_time_is_noted_at_once() -> None:
    """What came of several jobs before anybody looked is on disk in one transaction."""
    book, go, over = Book(), threading.Event(), threading.Semaphore(0)

    def act() -> None:
        assert go.wait(LIMIT)
        over.release()

    def progress(text: str) -> None:
        if isinstance(text, Still) and not go.is_set():
            go.set()
            assert all(over.acquire(timeout=LIMIT) for _ in range(4))
            time.sleep(0.2)  # until each lane has handed over what came of it

    carried(
        [Job(("p", n), f"z{n}", "", partial(writing, book, f"z{n}", act)) for n in range(4)], book.together, progress
    )
    assert book.rounds == [4, 4]


def test_what_nobody_expects() -> None:
    """What is no provider's error ends it all, and nothing of that round is kept: the next pass finds what was begun."""
    book, all_here = Book(), threading.Barrier(2)

    def act(fails: bool) -> str:
        all_here.wait(LIMIT)
        if fails:
            raise KeyboardInterrupt
        return ""

    jobs = [Job(("p", n), f"z{n}", "", partial(writing, book, f"z{n}", partial(act, n == 1))) for n in range(2)]
    with pytest.raises(KeyboardInterrupt):
        carried(jobs, book.together, no_matter)
    assert book.kept[:2] == ["begin z0", "begin z1"] and "end z1" not in book.kept


def test_many_are_counted() -> None:
    """Many zones are told by number, few by name, and those of which nothing is written not at all."""
    told: list[str] = []
    jobs = [
        Job(("p", 0), f"z{n}", f"writing z{n}" if n % 2 else "", partial(writing, Book(), "", str)) for n in range(24)
    ]
    carried(jobs, Book().together, told.append)
    assert [text for text in told if not isinstance(text, Still)] == [f"writing {n} of 12 zones" for n in range(1, 13)]
    told.clear()
    carried(jobs[:4], Book().together, told.append)
    assert [text for text in told if not isinstance(text, Still)] == ["writing z1", "writing z3"]
    assert (Count("reading", 37, 1000), Count("reading", 37, 1000).whole) == ("reading 37 of 1,000 zones", 1000)


def test_what_has_not_begun_never_does() -> None:
    """Where lanes are left, nobody waits for what hangs in them, and what comes after it in its lane is not done."""
    hangs, done = threading.Event(), []
    with Lanes() as lanes:
        lanes.put(("p", 0), 1, lambda: (hangs.wait(LIMIT), done.append(1)))
        lanes.put(("p", 0), 2, lambda: done.append(2))
        assert lanes.take(0.01) == [] and lanes.under_way == 2
    assert done == []
    hangs.set()
    while lanes.under_way:
        lanes.take(LIMIT)
    assert done == [1]


def test_what_is_under_way_is_waited_for() -> None:
    """Where a write goes on while the pass fails, the pass ends after it: nobody finds the lock free while something is being written."""
    book, begun, failed, done = Book(), threading.Event(), threading.Event(), []

    def act(number: int) -> None:
        if number:
            assert begun.wait(LIMIT)
            raise OSError("no more room")
        begun.set()
        assert failed.wait(LIMIT)
        time.sleep(0.1)  # what takes its time
        done.append(number)

    def begin(number: int) -> Asking[None]:
        try:
            yield partial(act, number)
        finally:
            failed.set()

    with pytest.raises(OSError, match="no more room"):
        carried([Job(("p", n), f"z{n}", "", partial(begin, n)) for n in range(2)], book.together, no_matter)
    assert done == [0]


def test_ctrl_c_while_something_is_under_way() -> None:
    """Who presses it is told what is waited for, on whatever standard error is, and then it is; where nothing is under way, nothing is said."""
    told, done, pressed = io.StringIO(), [], threading.Event()
    context = Context(stderr=told)

    def act() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        assert pressed.wait(LIMIT)
        done.append(told.getvalue())

    def progress(text: str) -> None:
        context.progress(text)
        if isinstance(text, Aloud):
            pressed.set()

    def begin() -> Asking[None]:
        yield act

    def before() -> Asking[None]:
        raise KeyboardInterrupt
        yield

    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        for job in (begin, before):
            with pytest.raises(KeyboardInterrupt):
                carried([Job(("p", 0), "z", "writing z", job)], Book().together, progress)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert done == [told.getvalue()] == [f"{INTERRUPTED}\n"]


def test_ctrl_c_with_nobody_left_to_tell() -> None:
    """It goes to all of a pipeline: where the other end of standard error is gone by then, what is under way is waited for all the same."""
    done, pressed = [], threading.Event()
    reading, writing_end = os.pipe()
    os.close(reading)

    def act() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        assert pressed.wait(LIMIT)
        time.sleep(0.2)  # what would not be waited for is not done yet
        done.append(True)

    def begin() -> Asking[None]:
        yield act

    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with os.fdopen(writing_end, "w", buffering=1) as broken:
            context = Context(stderr=broken)

            def progress(text: str) -> None:
                if isinstance(text, Aloud):
                    pressed.set()
                context.progress(text)

            with pytest.raises(KeyboardInterrupt):
                carried([Job(("p", 0), "z", "", begin)], Book().together, progress)
            assert done == [True]
            with Path(os.devnull).open("w") as nowhere:
                os.dup2(nowhere.fileno(), writing_end)  # so that it can be closed
    finally:
        signal.signal(signal.SIGINT, handler)
