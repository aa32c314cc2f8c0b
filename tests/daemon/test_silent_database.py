"""A PostgreSQL that takes connections and answers nothing: a socket that only listens, which is what a client sees of one that is stopped."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest
from psycopg.conninfo import make_conninfo

from dnssync.errors import StateError
from dnssync.state import State
from dnssync.state_engine import LIMITS
from tests.daemon.gandi_site import GandiSite, unapplied
from tests.daemon_process import DaemonProcess

__all__ = ["unapplied"]


@pytest.fixture
def silent() -> Iterator[str]:
    """Its URL."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"postgresql+psycopg://dnssync@127.0.0.1:{server.getsockname()[1]}/dnssync"


def test_opening_fails_in_time(silent: str) -> None:
    """After ten seconds there is a sentence that names the state; a limit in the URL is the one that counts."""
    for query, least, most in (("", 8, 20), ("?connect_timeout=2", 1, 6)):
        began = time.monotonic()
        with pytest.raises(StateError, match=r"^The state postgresql\+psycopg://dnssync@127.* cannot be used: "):
            State.open(silent + query, read_only=True)
        assert least < time.monotonic() - began < most


def test_limits_are_libpqs() -> None:
    """What bounds a line that is dead is spelled as libpq knows it, which says so where it does not."""
    told = make_conninfo("", **LIMITS)
    assert all(f"{name}={value}" in told for name, value in LIMITS.items())
    assert {"connect_timeout", "tcp_user_timeout", "keepalives_idle"} <= {*LIMITS}


@pytest.mark.exim
def test_the_daemon_goes_on(unapplied: GandiSite, silent: str) -> None:
    """It is ready, says what it waits for, and ends when it is told to."""
    unapplied.configure(state=silent)
    with DaemonProcess(unapplied.config) as daemon:
        daemon.wait("READY=1")
        daemon.logged("the daemon begins all the same")
        assert "The state postgresql" in daemon.status("the last pass failed: ")
        assert daemon.end() == 0
