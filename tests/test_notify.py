"""What a supervisor hears, and what is said where there is none."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnssync.notify import Notifier


@pytest.fixture(params=["in the file system", "abstract"])
def heard(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """A supervisor's socket, and how the environment names it."""
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.setblocking(False)
        listening.bind("\0" + name if request.param == "abstract" else name)
        yield "@" + name if request.param == "abstract" else name, listening


def test_fields_in_one_message(heard: tuple[str, socket.socket]) -> None:
    """Each message is one datagram with a line for each field; a value with line breaks in it makes no other fields."""
    where, listening = heard
    Notifier({"NOTIFY_SOCKET": where}).tell(READY=1, STATUS="all\nis well\nWATCHDOG=trigger")
    assert listening.recv(1000) == b"READY=1\nSTATUS=all is well WATCHDOG=trigger"


def test_the_watchdog_is_fed_where_one_is_set(heard: tuple[str, socket.socket]) -> None:
    """Without a watchdog, or with one for another process, nothing is said."""
    where, listening = heard
    told = {"NOTIFY_SOCKET": where, "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "17"}
    for environ, pid in (({"NOTIFY_SOCKET": where}, 17), (told, 18), ({**told, "WATCHDOG_USEC": "soon"}, 17)):
        notifier = Notifier(environ, pid)
        notifier.alive()
        assert notifier.patience == 0
        with pytest.raises(BlockingIOError):
            listening.recv(1000)
    notifier = Notifier(told, 17)
    notifier.alive()
    assert notifier.patience == 3 and listening.recv(1000) == b"WATCHDOG=1"


def test_nobody_listens(tmp_path: Path) -> None:
    """No supervisor, one that is gone, or one that does not read what it is told stops nothing."""
    Notifier({}).tell(READY=1)
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).tell(READY=1)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(str(tmp_path / "deaf"))
        for _ in range(5000):
            Notifier({"NOTIFY_SOCKET": str(tmp_path / "deaf")}).tell(STATUS="x" * 100)
