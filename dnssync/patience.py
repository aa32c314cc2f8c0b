"""Which name servers are silent, and how long that is believed."""

from __future__ import annotations

import time
from collections.abc import Callable

from dnssync.core.sighting import Rcode
from dnssync.wire import Message, Server

SILENT = 4  # time-outs in a row after which a server is left alone
REST = 60.0  # seconds after which, with the next look, silent servers get another chance


class Patience:
    """With servers that are silent: such a one costs its time-outs once, and not once a question."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now, self._since = now, now()
        self._silent: dict[Server, int] = {}

    def begin(self) -> None:
        """A look begins: servers that were silent long ago get another chance."""
        if self._now() - self._since >= REST:
            self._silent, self._since = {}, self._now()

    def silent(self, server: Server) -> None:
        """A question timed out, and nothing at all came from the server while it waited."""
        self._silent[server] = self._silent.get(server, 0) + 1

    def heard(self, server: Server) -> None:
        """The server answered."""
        self._silent.pop(server, None)

    def over(self, server: Server) -> Message | None:
        """What is said of a server that is left alone, None where it is asked."""
        if self._silent.get(server, 0) < SILENT:
            return None
        return Message(Rcode.TIMEOUT, note=f"left alone after {SILENT} time-outs in a row")
