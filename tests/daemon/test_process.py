"""The daemon as a real process, with real exim and real BIND, under a supervisor."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.daemon_process import DaemonProcess
from tests.site_under_test import Site, site

__all__ = ["site"]

pytestmark = [pytest.mark.bind, pytest.mark.exim]


@pytest.fixture
def applied(site: Site) -> Iterator[Site]:
    """A host whose zone a person has applied three hours ago; its keys sign."""
    site.now = time.time() - 3 * 3600
    code, out = site.run("apply", "--yes", "--wait")
    assert code == 0, out
    yield site


def test_it_tells_its_supervisor(applied: Site) -> None:
    """READY once a first pass can begin, a status that a person understands after it, STOPPING at the end, exit code 0."""
    with DaemonProcess(applied.config) as daemon:
        assert "STATUS" in daemon.wait("READY=1")
        status = daemon.status("1 domain in order")
        assert "next: " in status and " UTC, " in status, status
        assert ": 1 zone; " in daemon.log()
        assert daemon.end() == 0
        assert daemon.messages[-1]["STOPPING"] == "1"
