"""A check that is told to end, as monitoring does after a time-out: what it began is taken away."""

from __future__ import annotations

import subprocess
import sys

import pytest

INNER = """
import os, signal, sys, time
from dnssync.cli import check
with check._ended():
    try:
        os.kill(os.getpid(), int(sys.argv[1]))
        time.sleep(60)
    finally:
        sys.stdout.write("taken away")
"""
AFTER = """
import signal
from dnssync.cli import check
signal.signal(signal.SIGHUP, signal.SIG_IGN)
with check._ended():
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
"""


@pytest.mark.parametrize("number", [15, 1], ids=["SIGTERM", "SIGHUP"])
def test_a_signal_ends_it_in_order(number: int) -> None:
    """SIGTERM and SIGHUP unwind the check, so that folders and processes of test messages go; the exit code tells the signal."""
    done = subprocess.run([sys.executable, "-c", INNER, str(number)], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == ("taken away", 128 + number), done.stderr


def test_afterwards_signals_do_what_they_did() -> None:
    """Signals that somebody has ignored (nohup) stay so, and afterwards all is as before."""
    subprocess.run([sys.executable, "-c", AFTER], check=True, timeout=60)
