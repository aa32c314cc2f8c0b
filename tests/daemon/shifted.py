"""dnssync in a process whose wall clock is off by as many seconds as a file says, and jumps when the file changes.

Debian's faketime breaks `time.sleep` of today's Python where it leaves the clock alone that nobody sets, and that one is the point.
"""

from __future__ import annotations

import datetime
import os
import time
from pathlib import Path

FILE = "SHIFTED_CLOCK"
MAIN = "from tests.daemon.shifted import main; main()"


def shift(file: Path, seconds: float) -> None:
    """Let the clock be off by so much from now on."""
    new = file.with_suffix(".new")
    new.write_text(str(seconds))
    new.rename(file)


def main() -> None:
    """The command line, once all that asks for the time is answered by the shifted clock."""
    real = time.time
    file = Path(os.environ[FILE])

    def shifted() -> float:
        return real() + float(file.read_text())

    class Shifted(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:
            return cls.fromtimestamp(shifted(), tz)

    time.time = shifted
    datetime.datetime = Shifted  # type: ignore[misc]
    from dnssync.cli import main as command

    command()
