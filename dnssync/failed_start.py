"""That the service does not start, kept in its own folder until it does and those who were told of it know: there is no state then."""

from __future__ import annotations

import logging
from pathlib import Path

from dnssync.core.attention import FAILED
from dnssync.files import WriteError, write_atomically
from dnssync.state_rows import Trouble

log = logging.getLogger("dnssync")
FILE = "failed-start"  # three parts, a line each: since when (seconds since 1970), the ways by which that was told, and why


def noted(folder: Path | None) -> Trouble | None:
    """The start that failed; None where none did, or where everybody knows that it is over."""
    if folder is None:
        return None
    try:
        since, ways, sentence = (folder / FILE).read_text(encoding="utf-8").split("\n", 2)
        return Trouble("", FAILED, "start", sentence.strip(), int(since), ways) if ways else None
    except (OSError, ValueError):
        return None


def note(folder: Path | None, row: Trouble) -> None:
    """Keep it as long as somebody was told of it; what cannot be kept is told to the log."""
    if folder is None:
        return
    try:
        if row.told:
            write_atomically(folder / FILE, f"{row.since}\n{row.told}\n{row.sentence}\n".encode(), mode=0o640)
        else:
            (folder / FILE).unlink(missing_ok=True)
    except (WriteError, OSError) as error:
        log.error("that a start failed could not be noted: %s", error)
