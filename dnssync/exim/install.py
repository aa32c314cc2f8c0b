"""Putting the macros into a Debian exim configuration, and taking them out: tried on a copy first, refused in doubt.

Nothing here edits a conffile. In the split scheme the macros are a file of their own, in the unsplit one a marked block
of exim4.conf.localmacros; what else stands there is kept byte for byte.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dnssync.errors import EximError, RefusedError
from dnssync.exim import debian, macros, signing
from dnssync.exim.ask import Exim
from dnssync.exim.trial import Candidate, rendered, tried
from dnssync.files import sync_directory, write_atomically
from dnssync.keystore import public_half
from dnssync.signing_map import create_if_missing, take_back

CONFDIR = Path("/etc/exim4")
OLD = ".dnssync-old"  # a name that update-exim4.conf does not read
_BEGIN = "# >>> dnssync: written by `dnssync exim --install`, taken out by `dnssync exim --uninstall`"
_JOINED = " (the line before it had no end)"
_MADE = " (there was no such file)"
_END = "# <<< dnssync <<<"
_BLOCK = re.compile(
    rb"(?:\n(?=[^\n]*"
    + re.escape(_JOINED).encode()
    + rb"\n))?"
    + re.escape(_BEGIN).encode()
    + rb"[^\n]*\n.*?"
    + re.escape(_END).encode()
    + rb"\n",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done to `file`, and what a person should know or do next, a sentence each."""

    file: Path
    changed: bool
    sentences: tuple[str, ...]


def install(
    exim: Exim,
    text: str,
    *,
    map_path: Path,
    domains: Iterable[str] = (),
    confdir: Path = CONFDIR,
    lists: Sequence[str] = ("local_domains",),
    public_half: signing.PublicHalf = public_half,
    activate: bool = False,
    run: Callable[..., Any] = subprocess.run,
) -> Outcome:
    """Write the macros `text` (of `macros.render`) into `confdir`, once a copy of it has been rendered and tried.

    Raises `RefusedError` where a hand-written exim4.conf is in use, exim would not take the macros, they would reach no
    transport, exim could not read the map, or a domain (of `domains` and of those exim names itself) that is signed
    today would not be. The map is made, empty, where there is none. `activate` runs update-exim4.conf at the end.
    """
    if debian.scheme(confdir) is debian.Scheme.OWN:
        raise RefusedError(by_hand(confdir, text))
    file = _file(confdir)
    before = _read(file)
    _whole(file, before)
    after = _with(before, text, debian.scheme(confdir))
    made = create_if_missing(map_path)
    try:
        told = tried(exim, Candidate(confdir, file, after), map_path, domains, lists, public_half, run)
    except (EximError, RefusedError):
        if made:
            take_back(map_path)
        raise
    if before == after:
        return Outcome(file, False, (f"{file} already holds these macros.", *told, *_activated(confdir, activate, run)))
    if before is not None and not _ours(before):
        _write(file.with_name(file.name + OLD), before)
    _write(file, after)
    return Outcome(file, True, (f"wrote the macros to {file}", *told, *_activated(confdir, activate, run)))


def uninstall(
    exim: Exim,
    *,
    confdir: Path = CONFDIR,
    activate: bool = False,
    run: Callable[..., Any] = subprocess.run,
) -> Outcome:
    """Take the macros out again, after a try on a copy; what else stands in the file is as it was before."""
    if debian.scheme(confdir) is debian.Scheme.OWN:
        raise RefusedError(
            f"{confdir}/exim4.conf is written by hand, so dnssync put nothing there. Take its lines out by hand, and only then "
            "delete the map."
        )
    file = _file(confdir)
    before = _read(file)
    _whole(file, before)
    if before is None or not _ours(before):
        return Outcome(file, False, (f"{file} holds no macros of dnssync.", *_elsewhere(confdir, file)))
    rest = _BLOCK.sub(b"", before) if debian.scheme(confdir) is debian.Scheme.UNSPLIT else b""
    with tempfile.TemporaryDirectory(prefix="dnssync-") as folder:
        rendered(exim, Candidate(confdir, file, rest), Path(folder), run)
    if rest or (debian.scheme(confdir) is debian.Scheme.UNSPLIT and _MADE.encode() not in before):
        _write(file, rest)
    else:
        file.unlink()
        sync_directory(file.parent)
    return Outcome(
        file,
        True,
        (
            f"took the macros out of {file}",
            "mail leaves with what the configuration says without them: unsigned, if it says nothing.",
            *_elsewhere(confdir, file),
            *_activated(confdir, activate, run),
        ),
    )


def shown(confdir: Path, text: str) -> tuple[str, str]:
    """What `install` would write of the macros `text`, marks and all, and a sentence on where that goes and what it replaces."""
    try:
        scheme = debian.scheme(confdir)
        file = _file(confdir)
        before = None if scheme is debian.Scheme.OWN else _read(file)
    except EximError as error:
        return text, f"--install would not work here: {error}"
    if scheme is debian.Scheme.OWN:
        return (
            text,
            f"--install leaves {confdir}/exim4.conf alone, which is written by hand: put these lines at its head.",
        )
    if scheme is debian.Scheme.UNSPLIT:
        again = before is not None and _BLOCK.search(before) is not None
        how = "in place of the block that stands there" if again else "at its end"
        return (
            _block(before, text),
            f"--install writes these lines into {file}, {how}; all else in that file stays as it is.",
        )
    if before is None or _ours(before):
        return text, f"--install writes these lines to {file}" + (
            ", in place of those that stand there." if before else "."
        )
    return text, f"--install replaces all of {file} with these lines; what stands there is kept as {file.name}{OLD}."


def by_hand(confdir: Path, text: str) -> str:
    """What an administrator with a hand-written exim4.conf has to add, as a message."""
    return (
        f"{confdir}/exim4.conf is written by hand and Debian's rendering leaves it alone, so nothing was installed. "
        "First run `dnssync apply`: it makes the map that they name, without which all outgoing mail would wait. "
        "Then add this at its head (it needs a host list named relay_from_hosts, or `--sign all`):\n\n"
        f"{text}\nand this to each smtp transport that mail leaves through, after its `driver` line:\n\n"
        f"{macros.transport_lines()}\n"
    )


# --- files ------------------------------------------------------------------------------------------------------------


def _file(confdir: Path) -> Path:
    return confdir / (debian.SPLIT_FILE if debian.scheme(confdir) is debian.Scheme.SPLIT else debian.UNSPLIT_FILE)


def _read(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise EximError(f"{file}: {error.strerror}. Run this as root.") from None


def _whole(file: Path, content: bytes | None) -> None:
    """Raise `RefusedError` where a mark of our block stands there without the other: what lies between is not known then."""
    opened = 0
    for number, line in enumerate((content or b"").decode("utf-8", "replace").splitlines(), 1):
        begins, ends = line.startswith(_BEGIN), line == _END
        if (begins and opened) or (ends and not opened):
            opened = opened or number
            break
        opened = number if begins else 0 if ends else opened
    if opened:
        raise RefusedError(
            f"{file}, line {opened}: a mark of dnssync's block stands there without the other one, so that it cannot be told which lines "
            f"are dnssync's; nothing was changed. Take the block out by hand (it begins with `# >>> dnssync` and ends with `{_END}`)."
        )


def _elsewhere(confdir: Path, file: Path) -> tuple[str, ...]:
    """What of dnssync's, or kept by it, lies beside the file that was looked at."""
    told = []
    for other in (confdir / debian.SPLIT_FILE, confdir / debian.UNSPLIT_FILE):
        if other != file and _ours(_read(other) or b""):
            told.append(
                f"{other} holds macros of dnssync too, from the time of the other scheme (dc_use_split_config); take them out there."
            )
    if _read(kept := file.with_name(file.name + OLD)) is not None:
        told.append(f"what stood in {file.name} before the first install is kept in {kept}.")
    return tuple(told)


def _ours(content: bytes) -> bool:
    return content.startswith(macros.FIRST_LINE.encode()) or _BLOCK.search(content) is not None


def _with(before: bytes | None, text: str, scheme: debian.Scheme) -> bytes:
    """The file with the macros in it: alone in the split scheme, else as a block at the end, or where it was."""
    if scheme is debian.Scheme.SPLIT:
        return text.encode()
    rest = _BLOCK.sub(b"", before or b"")
    return rest + (b"\n" if _joined(rest) else b"") + _block(before, text).encode()


def _block(before: bytes | None, text: str) -> str:
    """The macros between their marks; the first tells `uninstall` whether a line's end was added before it, or the whole file."""
    rest = _BLOCK.sub(b"", before or b"")
    made = not rest and (before is None or _MADE.encode() in before)
    return f"{_BEGIN}{_MADE if made else _JOINED if _joined(rest) else ''}\n{text}{_END}\n"


def _joined(rest: bytes) -> bool:
    return bool(rest) and not rest.endswith(b"\n")


def _write(file: Path, content: bytes) -> None:
    """Replace a file at once, in its own owner and mode; a new one is for everybody to read, as exim4-config's are."""
    file = Path(os.path.realpath(file))  # a link stays one, and what it leads to is changed
    info = file.stat() if file.exists() else None
    if info is None:
        write_atomically(file, content, mode=0o644)
    else:
        ours = os.geteuid() != 0
        owner, group = (-1, -1) if ours else (info.st_uid, info.st_gid)
        write_atomically(file, content, mode=info.st_mode & 0o7777, owner=owner, group=group)


def _activated(confdir: Path, activate: bool, run: Callable[..., Any]) -> tuple[str, ...]:
    """Render the live configuration, or say how. Deliveries read it anew each time: no reload is needed to sign."""
    unsplit = debian.scheme(confdir) is debian.Scheme.UNSPLIT
    if confdir != CONFDIR and unsplit and not (CONFDIR / debian.UNSPLIT_FILE).exists():
        return (
            f"nothing was rendered: {debian.RENDER} reads {debian.UNSPLIT_FILE} of a directory given with -d only where {CONFDIR} "
            f"has such a file too, and it has none. exim sees the change once {confdir / debian.UNSPLIT_FILE} stands there and "
            f"{debian.RENDER} has run.",
        )
    if confdir != CONFDIR:
        return (
            f"nothing was rendered: exim sees the change after {debian.RENDER} -d {confdir} -o FILE, where FILE is the "
            "configuration that it reads. It needs no reload for this.",
        )
    if not activate:
        return (f"exim sees the change after {debian.RENDER}; it needs no reload for this.",)
    done = run([debian.RENDER], capture_output=True, encoding="utf-8", errors="replace", timeout=60)
    if done.returncode != 0:
        raise EximError(f"{debian.RENDER} failed, exim goes on as before: {(done.stderr or done.stdout).strip()}")
    return (f"ran {debian.RENDER}: it holds from the next delivery on, and exim needs no reload for this.",)
