"""One writer at a time, across real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dnssync.errors import LockedError
from dnssync.lock import become_owner, hold

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
