"""A host on which not even a temporary file can be written: what is said of it is the disk's fault, and not dnssync's."""

from __future__ import annotations

import errno
import resource
import tempfile

import pytest

from dnssync.errors import understood


def test_where_no_temporary_file_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence names the folders and the remedy; neither telling it, nor telling of another full disk, needs such a file."""
    monkeypatch.setattr(tempfile, "tempdir", None)  # as in a process that has not looked for one yet
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(FileNotFoundError) as caught:
            tempfile.gettempdir()
        told = str(understood(caught.value))
        full = str(understood(OSError(errno.ENOSPC, "No space left on device")))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert told.startswith("No usable temporary directory found in ['/") and "Make room there, or set TMPDIR" in told
    assert (
        full.startswith("A file could not be written: No space left on device. Make room where")
        and "fault" not in told + full
    )
    assert "(/" in str(understood(OSError(errno.ENOSPC, "No space left on device")))
    assert str(understood(FileNotFoundError(errno.ENOENT, "gone"))).startswith("This is a fault of dnssync")
