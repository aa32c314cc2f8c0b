"""One writer at a time, across real processes."""

from __future__ import annotations

import grp
import json
import os
import pwd
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from dnssync import lock
from dnssync.errors import LockedError, StateError
from dnssync.lock import become_owner, hold, loaded

HOLDER = """
import sys, pathlib
from dnssync.lock import hold
with hold(pathlib.Path(sys.argv[1]), who="dnssync apply", now=lambda: 1795507200):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def holder(tmp_path: Path):
    """Another process that holds the lock until its input ends."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path / "lock")], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)  # fmt: skip
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        pipe.close()


def test_the_loser_says_who(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    """Who waits in vain is told who holds it, under which process id and since when; it waited as long as it was told."""
    waited: list[float] = []
    with pytest.raises(LockedError) as caught, hold(tmp_path / "lock", who="me", wait=3, sleep=waited.append):
        pass
    assert "dnssync apply" in str(caught.value) and str(holder.pid) in str(caught.value)
    assert "2026-11-24 08:00 UTC" in str(caught.value)
    assert sum(waited) == pytest.approx(3)


def test_waits_for_the_other(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    """Once the other lets go, the lock is had."""

    def let_go(seconds: float) -> None:
        assert holder.stdin is not None
        holder.stdin.close()
        holder.wait()

    with hold(tmp_path / "lock", who="me", wait=3, sleep=let_go):
        pass


def test_aside(tmp_path: Path) -> None:
    """Who sleeps lets others have it meanwhile, and has it again afterwards; one that is not given back is lost, and stays the other's."""
    path, others = tmp_path / "lock", []

    def meanwhile(seconds: float) -> None:
        with hold(path, who="another", wait=0):
            others.append(seconds)

    with hold(path, who="me", sleep=meanwhile) as mine:
        mine.aside(7)
        assert others == [7] and mine.lost is None and json.loads(path.read_text())["who"] == "me"
        with pytest.raises(LockedError), hold(path, who="another", wait=0):
            pass
    with ExitStack() as open_:
        slept: list[float] = []

        def keeps_it(seconds: float) -> None:
            slept.append(seconds)
            if len(slept) == 1:
                open_.enter_context(hold(path, who="another", wait=0))

        with hold(path, who="me", sleep=keeps_it) as mine:
            mine.aside(7)
            assert "`another`" in str(mine.lost) and sum(slept) == pytest.approx(7 + lock.WAIT)
        assert json.loads(path.read_text())["who"] == "another"


def test_a_dead_holder_locks_nobody_out(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    """The kernel takes the lock back from a process that is killed."""
    holder.kill()
    holder.wait()
    with hold(tmp_path / "lock", who="me", wait=0):
        pass


def test_let_go_after_an_error(tmp_path: Path) -> None:
    """An error inside lets go too."""
    with pytest.raises(ZeroDivisionError), hold(tmp_path / "lock", who="me"):
        1 / 0  # noqa: B018
    with hold(tmp_path / "lock", who="me", wait=0):
        pass


def test_nothing_to_become(tmp_path: Path) -> None:
    """Whoever owns the directory already, stays who they are."""
    user = os.geteuid()
    assert become_owner(tmp_path) == "" and become_owner(tmp_path / "none") == ""
    assert os.geteuid() == user


def became(directory: Path, code: Iterable[Path]) -> tuple[str, int, list[int]]:
    """What a process of root's with a group too many says, its user and its groups, after it became the owner."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups([0, 4])
        try:
            told = become_owner(directory, code=lambda: code)
        except StateError as error:
            told = str(error)
        os.write(writing, json.dumps([told, os.getuid(), os.geteuid(), os.getgid(), os.getgroups()]).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told, uid, euid, gid, groups = json.load(pipe)
    os.waitpid(child, 0)
    assert (uid, gid) == (euid, pwd.getpwuid(uid).pw_gid)
    return told, uid, groups


@pytest.fixture
def home() -> Iterator[Path]:
    """A state's directory that is nobody's, below folders that everybody may enter."""
    with tempfile.TemporaryDirectory(prefix="dnssync-lock-") as folder:
        Path(folder).chmod(0o755)
        state = Path(folder, "state")
        state.mkdir()
        if os.geteuid() == 0:
            os.chown(state, pwd.getpwnam("nobody").pw_uid, -1)
        yield state


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_becomes_the_owner(home: Path) -> None:
    """Root becomes the owner with that user's groups and exim's, which keys are given to, and none of root's."""
    nobody = pwd.getpwnam("nobody")

    told, uid, groups = became(home, [])

    assert (told, uid) == ("nobody", nobody.pw_uid)
    assert sorted(groups) == sorted({nobody.pw_gid, grp.getgrnam("Debian-exim").gr_gid})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
@pytest.mark.parametrize(
    ("closed", "mode", "remedy"),
    [("lib", 0o700, "o+x"), ("lib/dnssync", 0o711, "o+rx"), ("lib/dnssync/lock.py", 0o640, "o+r"), ("", 0, "")],
)
def test_a_program_that_the_owner_cannot_read(home: Path, closed: str, mode: int, remedy: str) -> None:
    """An installation closed to the owner is told at once, with what is closed and the remedy, not as a missing module."""
    file = home.parent / "lib" / "dnssync" / "lock.py"
    file.parent.mkdir(parents=True, mode=0o755)
    file.touch(mode=0o644)
    if closed:
        (home.parent / closed).chmod(mode)

    told, _, _ = became(home, [file])

    if closed:
        assert "goes on as the user nobody" in told and told.endswith(f"chmod {remedy} {home.parent / closed}")
    else:
        assert told == "nobody"


def test_what_the_program_is_loaded_from() -> None:
    """Its own modules, its libraries' and Python's are among the files that its user must be able to read."""
    files = loaded()

    assert {Path(module.__file__ or "") for module in (pytest, json, lock)} <= files


def test_two_that_are_aside(tmp_path: Path) -> None:
    """Two threads give it away at once: each sleeps for its own time alone, and once both are back, the lock is."""
    path, ends = tmp_path / "lock", {5.0: threading.Event(), 60.0: threading.Event()}
    asleep: queue.SimpleQueue[float] = queue.SimpleQueue()

    def sleep(seconds: float) -> None:
        asleep.put(seconds)
        assert ends[seconds].wait(20)

    with hold(path, who="me", sleep=sleep) as held:
        threads = {seconds: threading.Thread(target=held.aside, args=(seconds,)) for seconds in ends}
        for thread in threads.values():
            thread.start()
        assert {asleep.get(timeout=20), asleep.get(timeout=20)} == {*ends}
        ends[5.0].set()
        threads[5.0].join(20)  # whatever the other one waits for
        assert not threads[5.0].is_alive() and threads[60.0].is_alive()
        with hold(path, who="another", wait=0):
            pass
        ends[60.0].set()
        threads[60.0].join(20)
        assert held.lost is None
        with pytest.raises(LockedError), hold(path, who="another", wait=0):
            pass


def test_aside_at_the_end(tmp_path: Path) -> None:
    """A thread that is aside when the lock is let go for good takes nothing back: neither the lock nor a file that has its number now."""
    path, end, asleep = tmp_path / "lock", threading.Event(), threading.Event()

    def sleep(seconds: float) -> None:
        asleep.set()
        assert end.wait(20)

    with hold(path, who="me", sleep=sleep) as held:
        thread = threading.Thread(target=held.aside, args=(5.0,))
        thread.start()
        assert asleep.wait(20)
    other = tmp_path / "other"
    other.write_text("something else")
    with other.open("r+"), hold(path, who="another", wait=0):
        end.set()
        thread.join(20)
        assert not thread.is_alive() and held.lost is None and other.read_text() == "something else"
