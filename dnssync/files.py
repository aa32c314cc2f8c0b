"""Writing a file so that nobody ever sees half of it, and so that it is there after a power cut."""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import re
import secrets
import stat
from pathlib import Path

from dnssync.errors import DnssyncError

_TEMPORARY = re.compile(r"\.(.+)\.[0-9a-f]{8}")  # as `write_atomically` names them


class WriteError(DnssyncError):
    """A file could not be written; the old one, if there was one, is untouched. `full`: for want of room, which no other file has either."""

    full = False


def write_atomically(
    path: Path, data: bytes, *, mode: int, owner: int = -1, group: int = -1, exclusive: bool = False
) -> None:
    """Write a file by temp file, fsync, rename and fsync of the directory; mode and owner are right before it appears.

    `owner` and `group` are ids, -1 = as they come. `exclusive`: an existing file is an error, it is never replaced.
    Raises `WriteError` (disk full, read-only, no permission); then the old file stands as it was.
    """
    # The name is chosen before the file exists, so that whatever ends the call, even Ctrl-C, it can be taken away.
    temp = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}")
    try:
        handle = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            if owner != -1 or group != -1:
                os.fchown(handle, owner, group)
            os.fchmod(handle, mode)
            os.fsync(handle)
        if exclusive:
            os.link(temp, path)  # rename(2) would replace what is there, link(2) refuses
            temp.unlink()
        else:
            temp.rename(path)
        sync_directory(path.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temp.unlink()
        if isinstance(error, FileExistsError):
            raise WriteError(f"{path} exists already, and dnssync never writes over it.") from None
        if isinstance(error, OSError):
            raise _unwritten(path, error) from None
        raise


def sweep(folder: Path, name: str = "") -> None:
    """Take away what `write_atomically` left in a folder when it was killed: of the file of that name, or of every one. For whoever
    holds the lock, so that nobody is writing there now."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            told = _TEMPORARY.fullmatch(path.name)
            if told and name[:200] in ("", told[1]) and stat.S_ISREG(path.lstat().st_mode):
                path.unlink()


def make_directory(path: Path, *, mode: int, owner: int = -1, group: int = -1) -> None:
    """Make a directory and the missing ones above it, each with that mode and owner; existing ones stay as they are."""
    with contextlib.suppress(OSError):
        if path.is_dir():
            return
    temp = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}")
    try:
        make_directory(path.parent, mode=mode, owner=owner, group=group)
        # It appears with the right mode and owner: a wrong one would be taken for somebody's choice by the next run.
        temp.mkdir(mode=0o700)
        if owner != -1 or group != -1:
            os.chown(temp, owner, group)
        temp.chmod(mode)
        temp.rename(path)
        sync_directory(path.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temp.rmdir()
        if isinstance(error, OSError) and error.errno in (errno.EEXIST, errno.ENOTEMPTY) and path.is_dir():
            return  # somebody else made it just now
        if isinstance(error, OSError):
            raise _unwritten(path, error) from None
        raise


def sync_directory(path: Path) -> None:
    """Make a rename in a directory last."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def home_owner(path: Path, user: str) -> int:
    """Who a new folder of the service belongs to: the owner of the nearest one above it that is there, and where that is
    root, the service's user. −1 where this process is not root (then it is its own)."""
    if os.geteuid() != 0:
        return -1
    there = path
    while not there.exists():
        there = there.parent
    owner = there.stat().st_uid
    return owner if owner != 0 else user_id(user)


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


def there(path: Path, error: type[DnssyncError]) -> bool:
    """Whether something is there; what may not be looked for is not missing, and an `error` instead."""
    try:
        path.stat()
    except FileNotFoundError:
        return False
    except OSError as trouble:
        raise error(f"{path} cannot be read: {trouble.strerror}. Run dnssync as root or as its owner.") from None
    return True


def remedy(path: Path, error: OSError) -> str:
    """What a person can do about an error at a path that was to be written, as a sentence without its final dot."""
    remedies = {
        "ENOSPC": "Make room on that file system and run dnssync again",
        "EDQUOT": "Its user is over quota; make room and run dnssync again",
        "EROFS": "The file system is read-only; mount it for writing",
        "EACCES": f"Run dnssync as root or as the owner of {path.parent}",
        "EPERM": f"Run dnssync as root or as the owner of {path.parent}",
        "ENOENT": f"The directory {path.parent} does not exist; create it",
        "ENOTDIR": "Something on the way to it is not a directory; take that away",
        "EFBIG": "A limit on file sizes holds for this process (ulimit -f); raise it",
    }
    return remedies.get(errno.errorcode.get(error.errno or 0, ""), "Mend that and run dnssync again")


def _unwritten(path: Path, error: OSError) -> WriteError:
    reason = error.strerror or str(error)
    told = WriteError(
        f"{path} could not be written: {reason}. {remedy(path, error)}; what stood there before is untouched."
    )
    told.full = error.errno in (errno.ENOSPC, errno.EFBIG)
    return told
