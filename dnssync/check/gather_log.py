"""Reading exim's mainlog of the last days, rotated and compressed files too, line by line."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import re
import zlib
import zoneinfo
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import IO, Any

from dnssync.check.facts import Failed
from dnssync.check.gather import Sources
from dnssync.check.gather_exim import log_paths
from dnssync.check.log_lines import Counting, Log, Logged
from dnssync.errors import EximError
from dnssync.exim.ask import Exim
from dnssync.exim.lists import split
from dnssync.exim.routing import smtp_transports

LONGEST = 65536  # octets of a line; exim writes none so long, but a file may be something else
_OPENED: Mapping[str, Any] = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}
_BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError)


def fetch(wishes: Sequence[Log], sources: Sources) -> Mapping[Log, Logged | Failed]:
    """What the log tells, for each number of days."""
    return {wish: look(wish.days, sources) for wish in wishes}


def look(days: int, sources: Sources) -> Logged | Failed:
    """What the log of the last days tells. Raises `EximError` where exim cannot be asked."""
    exim = sources.exim
    patterns = log_paths(exim)
    if not patterns:
        return Failed(
            "exim logs to syslog alone (log_file_path = syslog), where dnssync does not look; with `log_file_path = :syslog` it writes a file as well"
        )
    begin = sources.now() - days * 86400
    options = exim.options("timezone", "log_selector")
    since = datetime.fromtimestamp(begin, _timezone(options["timezone"])).strftime("%Y-%m-%d %H:%M:%S")
    try:
        files = log_files(patterns[0], begin)
    except FileNotFoundError:
        files = ()
    except OSError as error:
        return Failed(_closed(Path(error.filename or patterns[0]), error))
    _, transports, _ = exim.overview()
    counting = Counting(
        since,
        relays=_relays(exim),
        inner=transports.keys() - smtp_transports(transports).keys(),
        verbose=_verbose(options["log_selector"]),
    )
    notes, read = [], []
    for path in files:
        try:
            counting.read(lines(path))
            read.append(str(path))
        except _BROKEN as error:
            notes.append(f"{_closed(path, error)}.")
    if notes and not read:
        return Failed(notes[0].rstrip("."))
    if not read:
        return Failed(f"there is no log of exim's at {patterns[0].replace('%s', 'main')}")
    return Logged(
        since, tuple(read), counting.result(), counting.lines, counting.oldest, counting.newest, tuple(notes), _verbose(options["log_selector"])
    )  # fmt: skip


def log_files(pattern: str, begin: float) -> tuple[Path, ...]:
    """The files of a `log_file_path` that hold lines since `begin` (seconds since 1970), the oldest first: the one that is written to, `.1`,
    `.2.gz`, `-20261129.gz`, and each that `%D` and `%M` stand for. Raises `OSError` where the folder may not be listed."""
    name = Path(pattern.replace("%s", "main"))
    dated = re.escape(name.name).replace("%D", r"\d{8}").replace("%M", r"\d{6}")
    wanted = re.compile(rf"{dated}(?:[.-]\d+)?(?:\.(?:gz|xz|bz2|zst|lz4|Z))?")
    found: dict[Path, float] = {}
    for path in name.parent.iterdir():
        if wanted.fullmatch(path.name):
            with contextlib.suppress(FileNotFoundError):  # it was rotated away this moment
                written = path.stat().st_mtime  # when its last line was: what compresses a log keeps that
                if written >= begin and path.is_file():
                    found[path] = written
    twins = {
        path for path in found if path.suffix in _OPENED and path.with_suffix("") in found
    }  # just being compressed
    return tuple(sorted(found.keys() - twins, key=lambda path: (found[path], path)))


def lines(path: Path) -> Iterator[str]:
    """The lines of a log, decompressed as they are read. Raises `OSError` and what the compressions raise."""
    opener = _OPENED.get(path.suffix)
    if opener is None and path.suffix in (".zst", ".lz4", ".Z"):
        raise OSError(None, f"dnssync cannot decompress {path.suffix}")
    opened: IO[bytes]
    with opener(path, "rb") if opener is not None else path.open("rb") as opened:
        while line := opened.readline(LONGEST):
            yield line.decode("utf-8", "surrogateescape")


def _closed(path: Path, error: BaseException) -> str:
    """Why a file cannot be read, and what would help."""
    if not isinstance(error, PermissionError):
        why = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
        return f"{path} cannot be read to its end: {why}"
    at = path if _visible(path) else path.parent
    try:
        info, group = at.stat(), at.group()
    except (OSError, KeyError):
        return f"{path} may not be read by this user; run this as root"
    return f"{path} may not be read by this user (group {group}, mode {info.st_mode & 0o7777:04o} of {at}): run this as root, or give the user that group (adduser dnssync {group})"


def _visible(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _timezone(name: str) -> tzinfo | None:
    """exim's `timezone`; None = this system's."""
    if name.upper() in ("UTC", "GMT"):
        return UTC
    try:
        return zoneinfo.ZoneInfo(name) if name else None
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _verbose(selector: str) -> bool:
    """Whether `log_selector` has what exim signs with: the last word on it counts."""
    said = re.findall(r"([+-])\s*(dkim_verbose|all)\b", selector)
    return bool(said) and said[-1][0] == "+"


def _relays(exim: Exim) -> tuple[str, ...]:
    """The networks of relay_from_hosts that are named as such; () where exim has no such list."""
    text = "${listnamed_h:relay_from_hosts}"
    try:
        said = exim.expand([text])[text]
    except EximError:
        return ()
    return () if said.error else tuple(item for item in split(said.text) if not item.startswith("!"))
