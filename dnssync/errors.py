"""The few exceptions that reach a person. Each says what happened, where, and what to do; none holds a secret."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path


class DnssyncError(Exception):
    """Something failed that an administrator can understand and mend; printed without a traceback, exit 1."""

    exit_code = 1


class ConfigError(DnssyncError):
    """The configuration cannot be used. `mistakes` holds every one, each beginning with its path; exit 78. `alerts`: whom it says
    to tell (`config_service.AlertConfig`), None where not even that could be read."""

    exit_code = 78

    def __init__(self, file: str, mistakes: Sequence[str], alerts: object = None) -> None:
        self.file, self.alerts = file, alerts
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(f"{file}: {mistake}" for mistake in mistakes))


class EximError(DnssyncError):
    """exim is missing, cannot be asked, or answers what we do not understand."""


class KeyFileError(DnssyncError):
    """A private key cannot be read, used or written; the sentence names its file, never its content."""


class StateError(DnssyncError):
    """The state cannot be opened, is of a newer schema, or is owned by somebody else."""


class LockedError(DnssyncError):
    """Another pass holds the lock; the sentence says who, since when, and under which process id."""


class RefusedError(DnssyncError):
    """The guard, or a person at the prompt, said no; nothing was written. Exit 3."""

    exit_code = 3


def understood(error: Exception) -> DnssyncError:
    """Any error as one with a sentence: a file that is closed, full or gone is the disk's fault, all else is dnssync's."""
    if isinstance(error, DnssyncError):
        return error
    if isinstance(error, OSError) and error.filename:
        from dnssync.files import remedy

        return DnssyncError(f"{error.filename}: {error.strerror}. {remedy(Path(str(error.filename)), error)}.")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return DnssyncError(
            f"A file could not be written: {error.strerror}. Make room where the state and the keys lie, and where temporary files do"
            f"{_temporary()}, and run dnssync again."
        )
    if isinstance(error, FileNotFoundError) and not _temporary():
        return DnssyncError(
            f"{error.strerror}: they are full, or closed to this user. Make room there, or set TMPDIR, and run dnssync again."
        )
    return DnssyncError(
        f"This is a fault of dnssync: {type(error).__name__}: {error}. Nothing half-written is left; run it again with "
        "`dnssync --debug …` and report what that shows."
    )


def _temporary() -> str:
    """Where temporary files lie, in brackets; "" where nothing can be written in any such folder."""
    from tempfile import gettempdir

    try:
        return f" ({gettempdir()})"
    except FileNotFoundError:
        return ""
