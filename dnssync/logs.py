"""What the daemon tells on standard error: a line an event, and nothing where nothing happens.

The journal gets each line with its priority (`<3>` before an error, sd-daemon(3)) and gives it a time of its own; elsewhere a line
begins with the time in UTC (RFC 3339) and the level. `zone=… selector=… because=…` at the edges of a message become fields of the
one JSON object a line that `--log-json` asks for. What goes on and on is told again after `AGAIN` seconds, not at every pass.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import IO

AGAIN = 6 * 3600  # seconds until the same warning or error is told again
KEPT = 10_000  # different warnings that are remembered for that
PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
_FIELDS = re.compile(r"(?:(?!because=)[a-z_]+=\S* )*")
_BECAUSE = re.compile(r" because=(.*)$")
# What a terminal would obey and the journal hide; texts from DNS and providers are somebody else's.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}


def begin(
    *,
    as_json: bool = False,
    verbose: bool = False,
    quiet: bool = False,
    environ: Mapping[str, str] = os.environ,
    stream: IO[str] | None = None,
) -> bool:
    """From now on, what is logged goes to the stream (standard error). `verbose`: every step, and whatever goes on each time;
    `quiet`: warnings and errors alone. True where a machine reads it: the journal, or as JSON."""
    stream = stream or sys.stderr
    journal = reaches_journal(stream, environ)
    handler = _Handler(stream)
    handler.setFormatter(_Json(journal) if as_json else _Text(journal))
    if not verbose:
        handler.addFilter(Repeats())
    root, own = logging.getLogger(), logging.getLogger("dnssync")
    for old in [h for h in root.handlers if isinstance(h, _Handler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    own.setLevel(logging.DEBUG if verbose else logging.WARNING if quiet else logging.INFO)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # of its tries the provider tells what came of them
    return journal or as_json


def reaches_journal(stream: IO[str], environ: Mapping[str, str]) -> bool:
    """Whether the stream is the one that systemd connected to the journal (`JOURNAL_STREAM`, systemd.exec(5))."""
    try:
        there = os.fstat(stream.fileno())
    except (OSError, ValueError, AttributeError):
        return False
    return environ.get("JOURNAL_STREAM") == f"{there.st_dev}:{there.st_ino}"


def line(text: str) -> str:
    """A text on one line, without a character that a terminal obeys."""
    return " | ".join(filter(None, (" ".join(part.split()) for part in text.splitlines()))).translate(_CONTROLS)


class Repeats(logging.Filter):
    """Lets a warning or an error through that is the answer to what a person did (`always`), or that was not told in the last `AGAIN` seconds, by the time of the records."""

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[tuple[int, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is told."""
        news = record.levelno < logging.WARNING and not getattr(record, "seldom", False)
        if news or getattr(record, "always", False):
            return True
        said = (record.levelno, record.getMessage())
        before = self._told.get(said)
        if before is not None and 0 <= record.created - before < AGAIN:
            return False
        self._told.pop(said, None)  # the oldest are forgotten first
        self._told[said] = record.created
        while len(self._told) > KEPT:
            del self._told[next(iter(self._told))]
        return True


class _Handler(logging.StreamHandler[IO[str]]):
    """A stream that is full or closed is no reason to end."""

    def handleError(self, record: logging.LogRecord) -> None:
        pass


class _Text(logging.Formatter):
    def __init__(self, journal: bool) -> None:
        super().__init__()
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        """The line; with its priority for the journal, else with time and level."""
        text = line(self._message(record))
        if self._journal:
            return f"<{_priority(record)}>{text}"
        return f"{_time(record)} {record.levelname.lower()} {text}"

    def _message(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


class _Json(_Text):
    def format(self, record: logging.LogRecord) -> str:
        """An object: time, level, the fields at the edges of the message, and the message between them."""
        text = line(self._message(record))
        edge = _FIELDS.match(text)
        fields = dict(pair.split("=", 1) for pair in edge[0].split()) if edge else {}
        text = text[edge.end() :] if edge else text
        because = _BECAUSE.search(f" {text}")
        if because:
            fields["because"], text = because[1], f" {text}"[: because.start()].strip()
        told = {"time": _time(record), "level": record.levelname.lower(), **fields, "message": text}
        return (f"<{_priority(record)}>" if self._journal else "") + json.dumps(told)


def _priority(record: logging.LogRecord) -> int:
    """That of syslog(3)."""
    return PRIORITIES.get(record.levelno, 6)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
