"""The one file that tells exim what to sign with: a line `example.org: selector : selector` for each domain.

exim looks a domain up in it with lsearch at every delivery. It is replaced by one rename, so that RSA and Ed25519 of all
domains switch together and nobody ever reads half a map: a line that is missing means unsigned mail, silently.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from dnssync.errors import StateError
from dnssync.files import home_owner, make_directory, there, write_atomically
from dnssync.keystore import USER

Lines = Mapping[str, tuple[str, ...]]
HEAD = "# Which DKIM keys exim signs with. Written by dnssync; it is replaced whole, do not edit it.\n"
_LABEL = r"[a-z0-9_][a-z0-9_-]*+(?<!-)"
_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]*+(?<![.-])"
_DOMAIN = re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})+")
_SELECTOR = re.compile(_NAME)
# A line as dnssync writes it: with one expression over the whole file, ten thousand of them are read in a few milliseconds.
_OURS = re.compile(rf"^(?=[^:\n]{{1,253}}:)({_LABEL}(?:\.{_LABEL})+): ({_NAME}(?: : {_NAME})*)\n", re.MULTILINE)


def read(path: Path) -> dict[str, tuple[str, ...]]:
    """The map's lines; {} only where there is no map. Raises `StateError` for one that cannot be read or understood."""
    try:
        text = path.read_text(encoding="ascii")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else f"octet {error.start + 1} is not ASCII"
        raise StateError(
            f"exim's signing map {path} cannot be read: {why}. exim would not sign from it either."
        ) from None
    ours = _as_written(text.removeprefix(HEAD))
    return ours if ours is not None else _line_by_line(path, text)


def _as_written(body: str) -> dict[str, tuple[str, ...]] | None:
    """The lines of a map that is as dnssync writes it, None where any octet of it is otherwise."""
    found = _OURS.findall(body)
    lines = {domain: tuple(rest.split(" : ")) for domain, rest in found}
    whole = sum(len(domain) + len(rest) for domain, rest in found) + len(": \n") * len(found) == len(body)
    return lines if whole and len(lines) == len(found) else None


def _line_by_line(path: Path, text: str) -> dict[str, tuple[str, ...]]:
    """The lines of any map that exim understands as we do; raises `StateError`, which names the first line that it does not."""
    lines: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        domain, colon, rest = line.partition(":")
        domain = domain.rstrip()  # an indented line would go on with the one before it, to exim
        selectors = tuple(part.strip() for part in rest.split(":"))
        if (
            not colon
            or domain in lines
            or not _DOMAIN.fullmatch(domain)
            or not all(map(_SELECTOR.fullmatch, selectors))
        ):
            raise StateError(
                f"exim's signing map {path}, line {number}, is not of the form `domain: selector : selector`, or names a domain again: {line!r}. "
                "dnssync alone writes it; put the line right, or take it out, and run dnssync again."
            )
        lines[domain] = selectors
    return lines


def text(lines: Lines) -> str:
    """The map as it stands in the file: sorted, so that the same lines give the same octets."""
    body = "".join(f"{domain}: {' : '.join(lines[domain])}\n" for domain in sorted(lines))
    if _as_written(body) != dict(lines):
        for domain, selectors in lines.items():
            if not _DOMAIN.fullmatch(domain) or not selectors or not all(map(_SELECTOR.fullmatch, selectors)):
                raise ValueError(f"not a line for exim's map: {domain!r}: {selectors!r}")
        raise ValueError("these are no lines for exim's map")
    return HEAD + body


def write(path: Path, lines: Lines, *, previous: Lines, dropped: Collection[str] = ()) -> bool:
    """Replace the map by one rename, mode 0644; False where it holds these lines already.

    Raises ValueError where a domain of `previous` would fall out that is not in `dropped`: its mail would leave
    unsigned. Raises `WriteError` where the disk refuses; exim then goes on with the old map.
    """
    lost = sorted(set(previous) - set(lines) - set(dropped))
    if lost:
        raise ValueError(f"exim's map would lose {', '.join(lost)}")
    wanted = text(lines).encode("ascii")
    if _holds(path, wanted) or (read(path) == dict(lines) and there(path, StateError)):
        return False
    make_directory(path.parent, mode=0o755)
    write_atomically(path, wanted, mode=0o644)
    return True


def _holds(path: Path, wanted: bytes) -> bool:
    """Whether a file has these octets."""
    try:
        return path.read_bytes() == wanted
    except OSError:
        return False


def create_if_missing(path: Path) -> bool:
    """An empty map where there is none: with DKIM_STRICT a missing file would hold up all mail.

    As root it is made as the service's user, whom the folder belongs to: what that user put in its place (a link to another
    folder) then leads no further than that user could go.
    """
    if there(path, StateError):
        return False
    # Root installs the macros, the service replaces the map; in a folder that is root's already, it is root's too.
    owner = path.parent.stat().st_uid if there(path.parent, StateError) else home_owner(path.parent, USER)
    strange = [part.lstat().st_uid for part in path.parents if part.is_symlink()] if os.geteuid() == 0 else []
    owner = next((uid for uid in strange if uid != 0), owner)  # whoever made a link gets no further by it than alone
    if os.path.realpath(path.parent) == str(path.parent):
        make_directory(path.parent, mode=0o755, owner=owner)
    with _as(owner):
        make_directory(path.parent, mode=0o755)
        write_atomically(path, HEAD.encode("ascii"), mode=0o644)
    return True


def take_back(path: Path) -> None:
    """Take away a map that `create_if_missing` made, unless a pass has written it meanwhile."""
    with contextlib.suppress(FileNotFoundError):
        if path.read_bytes() == HEAD.encode("ascii"):
            path.unlink()


@contextlib.contextmanager
def _as(uid: int) -> Iterator[None]:
    """Do something with another user's rights, where root may."""
    if uid in (-1, os.geteuid()):
        yield
        return
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
