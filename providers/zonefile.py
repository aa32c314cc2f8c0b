"""A master file that a name server on this host loads: BIND, NSD, Knot and others.

Only the lines of the RRsets that change are edited; comments, order and spelling of everything else stay as they are.
The serial is raised, the result is read again and compared before it takes the place of the old file, in one rename. A
mark beside the file says until the server was told that it has to be.
"""

from __future__ import annotations

import contextlib
import datetime
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from dnssync.core.model import Change, Limits, ProviderError, RRset, StaleZone, absolute

from ._records import BESIDE, Record, Unreadable, read, rrsets
from ._zone_file import ZoneFile, owed, same

RELOAD_SECONDS = 60


class Provider:
    """`directory` and `file_extension` as in octodns' plug-in (`/etc/bind/zones` and `.zone`: example.org.zone), or `file`
    with `{zone}` in it (`/etc/bind/db.{zone}`). `directory` is also where relative $INCLUDE files are sought, as named's own
    `directory` is. `reload`: the command, as a list, that makes the server load the file; `{zone}` and `{file}` are filled in.
    """

    limits = Limits()

    def __init__(
        self,
        id: str,
        directory: str | None = None,
        file_extension: str = ".",
        file: str | None = None,
        reload: Sequence[str] | None = None,
        *,
        run: Callable[..., subprocess.CompletedProcess[str]] = subprocess.run,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.id = id
        wrong = []  # told together, a line each
        if directory is None and file is None:
            wrong.append("directory: is missing; it says where the zone files are, or `file:` does, with {zone} in it")
        if reload is not None and (
            isinstance(reload, str) or not reload or not all(isinstance(word, str) for word in reload)
        ):
            wrong.append("reload: must be a list of words, such as [rndc, reload, '{zone}']; no shell reads it")
        if wrong:
            raise ProviderError("\n".join(wrong))
        self._file = file if file is not None else f"{directory}/{{zone}}{file_extension}"
        self._directory = Path(directory) if directory is not None else None
        self._reload = tuple(reload or ())
        self._run, self._now = run, now

    def read(self, zone: str) -> tuple[RRset, ...]:
        """Every RRset of the file and of what it includes."""
        return tuple(sorted(rrsets(self._load(zone).records).values(), key=lambda rrset: rrset.key))

    def write(self, zone: str, changes: Sequence[Change]) -> tuple[str, ...]:
        """All changes in one rename of the file, or none of them; without changes, the reload that an earlier write owes."""
        if not changes:
            return self._reload_owed(zone)
        zone_file = self._load(zone)
        found = rrsets(zone_file.records)
        for change in changes:
            if not same(found.get((change.name, change.type)), change.old):
                raise StaleZone(f"{zone}: {absolute(change.name, zone)} {change.type} in {zone_file.path} was changed "
                                "between our read and our write; nothing was written.")  # fmt: skip
        _no_company(zone, zone_file.path, found, changes)
        text, serial = zone_file.changed(changes, datetime.datetime.fromtimestamp(self._now(), datetime.UTC).date())
        zone_file.verify(self._records(zone, zone_file.path, text), changes, serial)
        zone_file.replace(text, reload=bool(self._reload))
        if self._reload:
            self._load_into_server(zone, zone_file.path, serial)
        return ()

    def _reload_owed(self, zone: str) -> tuple[str, ...]:
        """Run the reload that failed, or that a crash came before; the file has been as wanted since."""
        if not self._reload or not owed(self._path(zone)).exists():
            return ()
        zone_file = self._load(zone)
        self._load_into_server(zone, zone_file.path, zone_file.serial)
        return (
            f"the name server was told to load serial {zone_file.serial} of {zone_file.path}, which it was not before",
        )

    # --- the file -----------------------------------------------------------------------------------------------------

    def _path(self, zone: str) -> Path:
        return Path(self._file.replace("{zone}", zone)).resolve()  # a symbolic link stays one: its target is replaced

    def _load(self, zone: str) -> ZoneFile:
        path = self._path(zone)
        try:
            state = path.stat()
            text = path.read_bytes().decode("utf-8", "surrogateescape")
        except OSError as error:
            raise ProviderError(f"{zone}: the zone file {path} of provider {self.id} cannot be read: {error.strerror}. Look at "
                                "`directory:` or `file:`, and at whether dnssync's user may read it.") from None  # fmt: skip
        found = ZoneFile(zone, path, text, state, self._records(zone, path, text))
        if ("", "SOA") not in rrsets(found.records):
            raise ProviderError(
                f"{zone}: {path} has no SOA record for {zone}, so it is not the whole zone. Is it the right file?"
            )
        found.no_journal_ahead()
        return found

    def _records(self, zone: str, path: Path, text: str) -> tuple[Record, ...]:
        base = self._directory if self._directory is not None else path.parent

        def load(name: str) -> tuple[str, str]:
            try:
                return str(base / name), (base / name).read_bytes().decode("utf-8", "surrogateescape")
            except OSError as error:
                raise ValueError(f"$INCLUDE {name}: {base / name} cannot be read ({error.strerror}); named's `directory` "
                                 "belongs in `directory:`") from None  # fmt: skip

        try:
            return read(zone, str(path), text, load)
        except Unreadable as error:
            raise ProviderError(f"{zone}: {error}. Nothing is taken from a file that is not understood whole; "
                                f"see what `named-checkzone {zone} {path}` says.") from None  # fmt: skip

    def _load_into_server(self, zone: str, path: Path, serial: int) -> None:
        argv = [word.replace("{zone}", zone).replace("{file}", str(path)) for word in self._reload]
        try:
            done = self._run(
                argv, capture_output=True, text=True, errors="replace", timeout=RELOAD_SECONDS, check=False
            )
            trouble = (
                "" if done.returncode == 0 else f"exit {done.returncode}: {_last_line(done.stderr or done.stdout)}"
            )
        except subprocess.TimeoutExpired:
            trouble = f"no end after {RELOAD_SECONDS} seconds"
        except OSError as error:
            trouble = f"it cannot be run ({error.strerror})"
        if trouble:
            raise ProviderError(f"{zone}: {path} is written (serial {serial}), but the name server was not told: "
                                f"`{' '.join(argv)}` failed, {trouble}. The next `dnssync apply` runs it again, whatever else there is "
                                "to do.")  # fmt: skip
        with contextlib.suppress(OSError):  # a reload too many does no harm
            owed(path).unlink()


def _no_company(zone: str, path: Path, found: Mapping[tuple[str, str], RRset], changes: Sequence[Change]) -> None:
    """Raise `ProviderError` where a CNAME would stand beside other records: a server would not load the file."""
    after = set(found) - {(change.name, change.type) for change in changes if change.new is None}
    kinds: dict[str, set[str]] = {}
    for name, kind in after:
        kinds.setdefault(name, set()).update({kind} - BESIDE)
    for change in changes:
        standing = kinds.get(change.name, set()) if change.old is None else set()
        if "CNAME" in standing:
            raise ProviderError(f"{zone}: {absolute(change.name, zone)} is a CNAME in {path}, and no other record may stand beside "
                                "one; nothing was written.")  # fmt: skip
        if change.type == "CNAME" and standing:
            raise ProviderError(f"{zone}: {absolute(change.name, zone)} has {', '.join(sorted(standing))} in {path}, and no CNAME may "
                                "stand beside that; nothing was written.")  # fmt: skip


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it said nothing")
