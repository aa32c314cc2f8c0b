"""Standard output and error as they are in the world: of an old encoding, full, closed, or a pipe that nobody reads any more."""

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

PLAIN = {"−": "-", "–": "-", "…": "...", "→": "->", "·": "*", "“": '"', "”": '"'}

# What a terminal obeys rather than shows: a text from DNS is somebody else's.
CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


def shown(text: str) -> str:
    """A text as it may go to a terminal: control characters spelled out."""
    return text.translate(CONTROLS)


class OutputLostError(OSError):
    """What was to be told could not be written."""


class Output(io.TextIOWrapper):
    """A stream whose errors can be told from those of files, a broken pipe aside."""

    def write(self, text: str) -> int:
        """As a text stream's."""
        with _known():
            return super().write(text)

    def flush(self) -> None:
        """As a text stream's."""
        with _known():
            super().flush()


@contextmanager
def _known() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputLostError(error.errno, error.strerror) from None


def prepare() -> None:
    """Make the streams of this process take any text: what their encoding lacks is spelled with what it has."""
    codecs.register_error("dnssync", _spelled)
    nowhere = Path(os.devnull)
    sys.stdin = sys.stdin or nowhere.open()
    for name in ("stdout", "stderr"):
        old = getattr(sys, name) or nowhere.open("w")
        setattr(sys, name, Output(old.detach(), old.encoding, "dnssync", line_buffering=old.line_buffering))


def _spelled(error: UnicodeError) -> tuple[str, int]:
    """What stands in place of characters that cannot be written; an octet that is no text looks as in a zone file."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    told = ""
    for letter in error.object[error.start : error.end]:
        octet = ord(letter) - 0xDC00
        told += PLAIN.get(letter) or (
            f"\\{octet:03d}" if 0x80 <= octet <= 0xFF else letter.encode("ascii", "backslashreplace").decode()
        )
    return told, error.end


def give_up(stream: IO[str]) -> None:
    """Send what a stream still holds nowhere, so that nothing complains of it once more when the process ends."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        stream.flush()
