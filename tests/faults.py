"""Faults on demand: a disk that is full, a user who may nothing, Ctrl-C at any step."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

NOBODY = 65534


@contextlib.contextmanager
def full_disk(folder: Path) -> Iterator[Callable[[], None]]:
    """A folder on a file system of its own, and a call after which it is full.

    Where nothing may be mounted, the call forbids this process to write to any file instead (RLIMIT_FSIZE).
    """
    mounted = (
        os.geteuid() == 0
        and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=128k", "none", str(folder)], capture_output=True
        ).returncode
        == 0
    )
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill() -> None:
        if not mounted:
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
            return
        with contextlib.suppress(OSError), (folder / "filler").open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 1024)

    try:
        yield fill
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)


@contextlib.contextmanager
def unprivileged() -> Iterator[None]:
    """Inside, this process has no rights of root's."""
    if os.geteuid() != 0:
        yield
        return
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def interrupted(act: Callable[[], Any], step: int, *modules: str) -> bool:
    """Do it with Ctrl-C at the given step within those modules of dnssync (`files`, or `providers/zonefile`); False where it
    has fewer steps.

    A step is a call that the module makes or the end of one, and the same within what it calls.
    """
    files = tuple(f"{module}.py" if "/" in module else f"/dnssync/{module}.py" for module in modules)
    left, fell = step, False

    def count(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal left, fell
        if any(f.f_code.co_filename.endswith(files) for f in (frame, frame.f_back) if f is not None):
            if left == 0:
                fell = True
                raise KeyboardInterrupt
            left -= 1

    sys.setprofile(count)
    try:
        act()
    except KeyboardInterrupt:
        pass  # in a generator that is being closed Python swallows it, and the act goes on to its end
    finally:
        sys.setprofile(None)
    return fell


def called(act: Callable[[], Any], at: Callable[[str], None] = lambda name: None) -> list[str]:
    """The names of the built-in functions, system calls among them, that an act calls, in order; `at` happens before each."""
    names: list[str] = []

    def note(frame: FrameType, event: str, argument: Any) -> None:
        if event == "c_call":
            names.append(argument.__name__)
            at(argument.__name__)

    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(None)
    return names
