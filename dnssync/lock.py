"""One writer at a time: a lock that lasts one pass, and becoming the user whom the state belongs to."""

from __future__ import annotations

import contextlib
import fcntl
import grp
import json
import os
import pwd
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from dnssync.core.durations import moment
from dnssync.errors import LockedError, StateError
from dnssync.files import remedy

WAIT = 60.0


@contextlib.contextmanager
def hold(
    path: Path,
    *,
    who: str,
    wait: float = WAIT,
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Held]:
    """Hold the lock file for the duration of a block; waits up to `wait` seconds for whoever holds it.

    Raises `LockedError`, naming the holder, its process id and since when. The kernel drops the lock of a process that
    dies, so that a crash locks nobody out.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise StateError(f"The lock {path} cannot be opened: {error.strerror}. {remedy(path, error)}.") from None
    held = Held(handle, who, now, sleep)
    try:
        held.take(wait)
        yield held
        if held.lost is None:
            os.ftruncate(handle, 0)
    finally:
        held.end()


class Held:
    """A lock that is held. `lost`: why it is not any more, after a time `aside`. Several threads may be aside at once."""

    def __init__(
        self, handle: int, who: str, now: Callable[[], float], sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._handle, self._who, self._now, self._sleep = handle, who, now, sleep
        self.lost: LockedError | None = None
        self._aside, self._over = 0, False
        self._gate = threading.Lock()

    def take(self, wait: float) -> None:
        """Wait up to so many seconds for it; see `hold`."""
        waited = 0.0
        while True:
            try:
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if waited >= wait or self._over:
                    raise LockedError(f"Another dnssync is at work: {_holder(self._handle)} Wait for it to end, or stop it if it "
                                      "hangs, and run this again.") from None  # fmt: skip
                self._sleep(min(0.5, wait - waited) or 0.01)
                waited += 0.5
        with contextlib.suppress(OSError):  # who holds it is for people; on a full disk the lock holds all the same
            os.ftruncate(self._handle, 0)
            told = {"who": self._who, "pid": os.getpid(), "since": int(self._now())}
            os.pwrite(self._handle, json.dumps(told).encode(), 0)

    def aside(self, seconds: float) -> None:
        """Sleep, and let others have it meanwhile. What one knew before may have changed; `lost` tells whether another holds on to it.

        Where several are aside, each sleeps for as long as it is to, and the last one takes the lock back: nothing is written until all
        have come back, and what those before it look at meanwhile is looked at anew if somebody changed it.
        """
        with self._gate:
            self._aside += 1
            if self._aside == 1 and not self._over:
                fcntl.flock(self._handle, fcntl.LOCK_UN)
        try:
            self._sleep(seconds)
        finally:
            with self._gate:
                self._aside -= 1
                if self._aside == 0 and self.lost is None and not self._over:
                    try:
                        self.take(WAIT)
                    except LockedError as error:
                        self.lost = error

    def end(self) -> None:
        """Let it go for good; a thread that is still aside has nothing to come back to."""
        self._over = True  # also for one that waits with the gate shut
        with self._gate:
            os.close(self._handle)


def _holder(handle: int) -> str:
    try:
        told = json.loads(os.pread(handle, 4096, 0))
        return f"`{told['who']}`, process {int(told['pid'])}, since {moment(int(told['since']))}."
    except (ValueError, KeyError, TypeError):
        return "it has not said which."


def loaded() -> set[Path]:
    """The files that this program's modules were loaded from: its Python's, its libraries' and its own."""
    names = (getattr(module, "__dict__", {}).get("__file__") for module in tuple(sys.modules.values()))
    return {Path(name) for name in names if name}


def become_owner(directory: Path, *, code: Callable[[], Iterable[Path]] = loaded) -> str:
    """As root, become the user who owns the state's directory, so that no file of root's stands in a daemon's way.

    Keeps the group Debian-exim where there is one, since keys are given to it. Returns the user's name, "" where
    nothing was to be done. Not reversible: read what only root may read (secrets) first.

    Raises `StateError` where that user may not read `code`, the program's files: much of it is loaded only when it is
    needed (a database's dialect, a record type), which no list made here could foresee.
    """
    if os.geteuid() != 0 or not directory.is_dir():
        return ""
    uid = directory.stat().st_uid
    if uid == 0:
        return ""
    try:
        user = pwd.getpwuid(uid)
    except KeyError:
        raise StateError(f"{directory} belongs to user id {uid}, which this machine does not know. Give it to an existing "
                         f"user (chown) and run dnssync again.") from None  # fmt: skip
    groups = {user.pw_gid, *os.getgrouplist(user.pw_name, user.pw_gid)}
    with contextlib.suppress(KeyError):
        groups.add(grp.getgrnam("Debian-exim").gr_gid)
    os.setgroups(sorted(groups))
    os.setgid(user.pw_gid)
    os.setuid(uid)
    closed, how = next(filter(None, map(_closed, sorted(code()))), ("", ""))
    if closed:
        raise StateError(
            f"As root, dnssync goes on as the user {user.pw_name}, whom {directory} belongs to, and that user may not read "
            f"{closed}, from which dnssync or its Python is loaded. Install both where everybody may read them (the README's "
            f"/opt/dnssync, with the system's python3), or let everybody in: chmod {how} {closed}"
        )
    return user.pw_name


def _closed(file: Path) -> tuple[Path, str] | None:
    """What on the way to a file of the program is closed to this process, and the mode that would open it."""
    for folder in reversed(file.parents):
        if not os.access(folder, os.X_OK):
            return folder, "o+x"
    if not os.access(file.parent, os.R_OK):  # its modules are found by listing it
        return file.parent, "o+rx"
    return None if os.access(file, os.R_OK) else (file, "o+r")
