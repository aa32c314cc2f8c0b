"""Telling a supervisor how it goes: systemd's notification protocol (sd_notify(3)), datagrams to the socket in NOTIFY_SOCKET."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping


class Notifier:
    """Speaks to the supervisor that the environment names; to nobody where it names none, and a supervisor that does not listen
    stops nothing."""

    def __init__(self, environ: Mapping[str, str], pid: int | None = None) -> None:
        where = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + where[1:] if where.startswith("@") else where  # an abstract name
        mine = environ.get("WATCHDOG_PID", "") in ("", str(os.getpid() if pid is None else pid))
        wanted = environ.get("WATCHDOG_USEC", "")
        self.patience = int(wanted) / 1_000_000 if self._address and mine and wanted.isdecimal() else 0.0

    def tell(self, **fields: object) -> None:
        """Send fields (`READY=1`, `STATUS="…"`) in one message; a value is one line."""
        if not self._address:
            return
        lines = (f"{name}={' '.join(str(value).split())}" for name, value in fields.items())
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender,
        ):
            sender.setblocking(False)
            sender.sendto("\n".join(lines).encode(errors="replace"), self._address)

    def alive(self) -> None:
        """Something moved: where a watchdog is set (`patience` seconds), it begins to wait anew."""
        if self.patience:
            self.tell(WATCHDOG=1)
