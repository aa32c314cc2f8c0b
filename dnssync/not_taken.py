"""A configuration that was read again and not taken: on the status line at once, and in the state, for `status` and alerts, until a good
one is read."""

from __future__ import annotations

import contextlib
from pathlib import Path

from dnssync.core.attention import FAILED
from dnssync.errors import DnssyncError, StateError
from dnssync.state import State
from dnssync.state_rows import Trouble

CONFIGURATION = ("", FAILED, "configuration")  # the place of that trouble: the host's own


class NotTaken:
    """What was wrong with the last configuration that was read; nothing at first, since whoever begins has a good one."""

    def __init__(self) -> None:
        self.status = ""  # the beginning of the status line
        self._sentence = ""
        self._noted: str | None = None  # None = the state may still hold what was wrong before this process began

    def refuse(self, file: Path, why: DnssyncError) -> None:
        """It has a mistake, and the one before it stays in force."""
        lines = [line.strip() for line in str(why).splitlines() if line.strip()]
        self.status = f"the new configuration is not taken: {lines[0]}; "
        self._sentence = (
            f"The configuration {file} was read again and is not taken; the daemon goes on with the one before it, and would not start "
            f"with this one. {'; '.join(lines).rstrip('.')}. Mend it and `systemctl reload dnssync`."
        )

    def take(self) -> None:
        """It is good."""
        self.status = self._sentence = ""

    def note(self, state: State | None, now: int) -> None:
        """Keep it, or that it is over, in the state; what could not be kept is kept after the next pass."""
        sentence = self._sentence  # the other thread may read another configuration meanwhile
        if state is None or sentence == self._noted:
            return
        with contextlib.suppress(StateError):
            if sentence:
                state.save_troubles((), [Trouble(*CONFIGURATION, sentence, now)], now)
            else:
                state.over(CONFIGURATION, now)
            self._noted = sentence
