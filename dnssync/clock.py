"""The clocks of this host: how long it has been up, told by a clock that nobody sets, and whether anything keeps the other one right."""

from __future__ import annotations

import ctypes
import time
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_ERROR = 5  # TIME_ERROR of adjtimex(2): not synchronised


def uptime() -> tuple[float, str]:
    """(seconds since this boot, sleep included; the boot's id). Without /proc all boots look alike."""
    try:
        boot = BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        boot = ""
    return time.clock_gettime(time.CLOCK_BOOTTIME), boot


def disciplined() -> bool | None:
    """Whether something (NTP) keeps the wall clock right; None where the kernel does not tell."""
    buffer = ctypes.create_string_buffer(512)  # a struct timex whose `modes` is 0: it only asks
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(buffer)
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _ERROR
