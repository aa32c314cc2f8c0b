"""Writing a file so that nobody ever sees half of it, and so that it is there after a power cut."""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import tempfile
from pathlib import Path

from dnssync.errors import DnssyncError


class WriteError(DnssyncError):
    """A file could not be written; the old one, if there was one, is untouched."""


def write_atomically(
    path: Path, data: bytes, *, mode: int, owner: int = -1, group: int = -1, exclusive: bool = False
) -> None:
    """Write a file by temp file, fsync, rename and fsync of the directory; mode and owner are right before it appears.

    `owner` and `group` are ids, -1 = as they come. `exclusive`: an existing file is an error, it is never replaced.
    Raises `WriteError` (disk full, read-only, no permission); then the old file stands as it was.
    """
    temp = ""
    try:
        handle, temp = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            if owner != -1 or group != -1:
                os.fchown(file.fileno(), owner, group)
            os.fsync(file.fileno())
        if exclusive:
            os.link(temp, path)
        else:
            Path(temp).rename(path)
            temp = ""
        sync_directory(path.parent)
    except FileExistsError:
        raise WriteError(f"{path} exists already, and dnssync never writes over it.") from None
    except OSError as error:
        raise WriteError(_sentence(path, error)) from None
    finally:
        if temp:
            with contextlib.suppress(OSError):
                Path(temp).unlink()


def make_directory(path: Path, *, mode: int, owner: int = -1, group: int = -1) -> None:
    """Make a directory and the missing ones above it, each with that mode and owner; existing ones stay as they are."""
    if path.is_dir():
        return
    make_directory(path.parent, mode=mode, owner=owner, group=group)
    try:
        path.mkdir(mode=mode)
        path.chmod(mode)
        if owner != -1 or group != -1:
            os.chown(path, owner, group)
        sync_directory(path.parent)
    except FileExistsError:
        return
    except OSError as error:
        raise WriteError(_sentence(path, error)) from None


def sync_directory(path: Path) -> None:
    """Make a rename in a directory last."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def group_id(name: str) -> int:
    """The id of a group, -1 where it does not exist here or this process may not give files to it."""
    try:
        wanted = grp.getgrnam(name).gr_gid
    except KeyError:
        return -1
    return wanted if os.geteuid() == 0 or wanted in (*os.getgroups(), os.getegid()) else -1


def user_id(name: str) -> int:
    """The id of a user, -1 where it does not exist here or this process is not root (then files are its own)."""
    try:
        wanted = pwd.getpwnam(name).pw_uid
    except KeyError:
        return -1
    return wanted if os.geteuid() == 0 else -1


def _sentence(path: Path, error: OSError) -> str:
    reason = error.strerror or str(error)
    remedy = {
        "ENOSPC": "Make room on that file system and run dnssync again",
        "EDQUOT": "Its user is over quota; make room and run dnssync again",
        "EROFS": "The file system is read-only; mount it for writing",
        "EACCES": f"Run dnssync as root or as the owner of {path.parent}",
        "EPERM": f"Run dnssync as root or as the owner of {path.parent}",
        "ENOENT": f"The directory {path.parent} does not exist; create it",
        "EFBIG": "A limit on file sizes holds for this process (ulimit -f); raise it",
    }
    told = remedy.get(errno.errorcode.get(error.errno or 0, ""), "Mend that and run dnssync again")
    return f"{path} could not be written: {reason}. {told}; what stood there before is untouched."
