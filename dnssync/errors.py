"""The few exceptions that reach a person. Each says what happened, where, and what to do; none holds a secret."""

from __future__ import annotations

from collections.abc import Sequence


class DnssyncError(Exception):
    """Something failed that an administrator can understand and mend; printed without a traceback, exit 1."""

    exit_code = 1


class ConfigError(DnssyncError):
    """The configuration cannot be used. `mistakes` holds every one, each beginning with its path; exit 78."""

    exit_code = 78

    def __init__(self, file: str, mistakes: Sequence[str]) -> None:
        self.file = file
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
