"""One zone's master file between a read and its rename: which lines a change edits, and the proof that it edits no more."""

from __future__ import annotations

import contextlib
import datetime
import errno
import os
import secrets
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

from dnssync.core.model import Change, ProviderError, RRset, StaleZone, Value, absolute

from . import _text
from ._master import Edit, Entry, edited, entries, head, line, raised, with_data, with_ttl, without
from ._records import Record, rrsets

_JOURNAL = struct.Struct(">16s4I")  # named's journal: magic, first serial, its offset, last serial, its offset
_MAGIC = b";BIND LOG V9"


def same(one: RRset | None, other: RRset | None) -> bool:
    """Whether two RRsets have the same values, in any order, and the same TTL."""
    if one is None or other is None:
        return one is other
    return one.ttl == other.ttl and {_octets(one.type, value) for value in one.values} == {
        _octets(other.type, value) for value in other.values
    }


class ZoneFile:
    """A zone's file as it was read: its text, its records, and the state that says whether it is still the same."""

    def __init__(self, zone: str, path: Path, text: str, state: os.stat_result, records: tuple[Record, ...]) -> None:
        self.zone, self.path, self.text, self.records = zone, path, text, records
        self._state = state
        self._newline = "\r\n" if "\r\n" in text else "\n"

    @property
    def _soa(self) -> Record:
        return next(record for record in self.records if (record.name, record.type) == ("", "SOA"))

    @property
    def serial(self) -> int:
        """The serial of the SOA record."""
        return int(self._soa.value.text.split()[2])

    def no_journal_ahead(self) -> None:
        """A zone that named updates dynamically is not what its file says until its journal is written back. (With inline
        signing the journal belongs to named's own copy, and the file is the administrator's: RFC 2136 has no part in it.)"""
        journal, signed = (self.path.with_name(self.path.name + end) for end in (".jnl", ".signed"))
        try:
            with journal.open("rb") as file:
                magic, _, _, last, _ = _JOURNAL.unpack(file.read(_JOURNAL.size))
        except FileNotFoundError:
            return
        except (OSError, struct.error) as error:
            raise ProviderError(f"{self.zone}: {journal} cannot be read ({error}), so nobody knows whether named serves what "
                                f"{self.path} says. Let dnssync's user read it.") from None  # fmt: skip
        if magic.startswith(_MAGIC) and last != self.serial and not signed.exists():
            raise ProviderError(
                f"{self.zone}: named has updated this zone dynamically (serial {last} in {journal}, {self.serial} in {self.path}), "
                f"so the file is not what it serves. Use a provider of class rfc2136, or `rndc sync -clean {self.zone}` and take "
                "update-policy out of named's zone."
            )

    # --- the edits ----------------------------------------------------------------------------------------------------

    def changed(self, changes: Sequence[Change], today: datetime.date) -> tuple[str, int]:
        """The text after the changes, and its serial."""
        soa = self._soa
        data = head(soa.entry).data if soa.entry is not None else ()
        if len(data) < 3 or not data[2].text.isdecimal():
            raise ProviderError(f"{self.zone}: the serial in {soa.file}, line {soa.line}, cannot be raised there. Write the SOA "
                                "record in the zone's own file, with its serial as a number.")  # fmt: skip
        serial = raised(int(data[2].text), today)
        edits = [Edit(data[2].start, data[2].end, str(serial))]
        gone: dict[Entry, str] = {}
        for change in changes:
            edits += self._edits(change, gone)
        return edited(self.text, edits + without(list(entries(self.text)), gone)), serial

    def _edits(self, change: Change, gone: dict[Entry, str]) -> Iterator[Edit]:
        """New values go in the place of old ones, what is left over behind the RRset's last line, a new RRset at the end of
        the file. What goes without a successor is added to `gone`, with its owner."""
        owner = absolute(change.name, self.zone) + "."
        here = [record for record in self.records if (record.name, record.type) == (change.name, change.type)]
        wanted = {_octets(change.type, value): value for value in change.new.values} if change.new else {}
        ttl = change.new.ttl if change.new else 0
        there = {_octets(record.type, record.value) for record in here}
        missing = [value for octets, value in wanted.items() if octets not in there]
        place = len(self.text)
        staying: list[tuple[Record, Edit | None]] = []
        for record in here:
            stays = _octets(record.type, record.value) in wanted
            swap = None
            if record.entry is not None:
                place = record.entry.end
                swap = with_data(record.entry, self._data(change.type, missing[0])) if missing and not stays else None
                if swap is not None:
                    missing.pop(0)
                elif not stays:
                    gone[record.entry] = owner
                    continue
            elif not stays:
                raise self._beyond(record)
            staying.append((record, swap))
        # One TTL rules an RRset, even where its lines say others: those are left alone while the one in force stays.
        uneven = len({record.ttl for record in here}) > 1 and len(staying) < len(here)
        retimed = uneven or (change.old is not None and change.old.ttl != ttl)
        for record, swap in staying:
            if swap is not None:
                yield swap
            if retimed and record.ttl != ttl:
                if record.entry is None:
                    raise self._beyond(record)
                yield with_ttl(record.entry, ttl)
        lines = "".join(
            line(owner, ttl, change.type, self._data(change.type, value), self._newline) for value in missing
        )
        if lines:
            unfinished = place > 0 and not self.text[:place].endswith("\n")
            yield Edit(place, place, (self._newline if unfinished else "") + lines)

    def _beyond(self, record: Record) -> ProviderError:
        return ProviderError(
            f"{self.zone}: {absolute(record.name, self.zone)} {record.type} comes from {record.file}, line {record.line}, by "
            f"$INCLUDE or $GENERATE, and dnssync edits only {self.path} itself. Move that record there; nothing was written."
        )

    def _data(self, kind: str, value: Value) -> str:
        """The data as it is written; several strings go on lines of their own, so that a key can be read in an editor."""
        if kind not in _text.TYPES:
            return value.raw or value.text
        strings = [_text.quoted([string]) for string in _text.strings(value)]
        if len(strings) == 1:
            return strings[0]
        return "( " + f"{self._newline}\t".join(strings) + " )"

    # --- the proof, and the rename ------------------------------------------------------------------------------------

    def verify(self, records: tuple[Record, ...], changes: Sequence[Change], serial: int) -> None:
        """Raise `ProviderError` unless the edited file says what was wanted and, for all else, what it said before."""
        before, after = rrsets(self.records), rrsets(records)
        wanted = {(change.name, change.type): change.new for change in changes}
        for key in sorted(before.keys() | after.keys() | wanted.keys()):
            if key in wanted:
                well = same(after.get(key), wanted[key])
            elif key == ("", "SOA"):
                fields = [rrset.values[0].text.split() for rrset in (before[key], after[key])]
                well = fields[1][2] == str(serial) and [f[:2] + f[3:] for f in fields[:1]] == [
                    f[:2] + f[3:] for f in fields[1:]
                ]
            else:
                well = after.get(key) == before.get(key)
            if not well:
                raise ProviderError(
                    f"{self.zone}: {self.path} cannot be edited without a change of {absolute(key[0], self.zone)} {key[1]} that nobody "
                    "wants, so nothing was written. A $TTL line above the SOA record, an owner name on every record, "
                    "and one TTL in an RRset make a file that can be edited line by line."
                )

    def replace(self, text: str, *, reload: bool) -> None:
        """Put the text in the place of the file, whole or not at all; mode, group and, where we may, owner stay. Where a
        reload is to follow, the mark that it is owed is on the disk before the new text is."""
        mark = owed(self.path)
        fresh = reload and not mark.exists()
        # The name is chosen before the file exists, so that whatever ends the call, even Ctrl-C, it can be taken away.
        temp = self.path.with_name(f".{self.path.name[:200]}.{secrets.token_hex(4)}")
        try:
            if fresh:
                mark.touch(0o600)
                self._sync_directory()
            handle = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(text.encode("utf-8", "surrogateescape"))
                file.flush()
                _give(handle, self._state)
                os.fsync(handle)
            if _identity(self.path.stat()) != _identity(self._state):
                raise StaleZone(f"{self.zone}: {self.path} was changed while it was edited; nothing was written.")
            temp.rename(self.path)
        except BaseException as error:
            with contextlib.suppress(OSError):
                temp.unlink()
            if fresh and isinstance(error, OSError | StaleZone):  # Ctrl-C may have come behind the rename
                with contextlib.suppress(OSError):
                    mark.unlink()
            if isinstance(error, OSError):
                why = (
                    "the service cannot see the file's group. Let it: `systemctl edit dnssync`, with `PrivateUsers=no` below `[Service]`"
                    if error.errno == errno.EINVAL
                    else f"{error.strerror}. dnssync's user must be able to write in {self.path.parent}, with the file's group, and the disk "
                    "must have room"
                )
                told = f"{self.zone}: {self.path} could not be written: {why}; what stood there is untouched."
                raise ProviderError(told) from None
            raise
        self._sync_directory()

    def _sync_directory(self) -> None:
        directory = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def owed(path: Path) -> Path:
    """The mark beside a zone file that says: the name server was not told of it yet."""
    return path.with_name(f".{path.name[:200]}.reload-owed")


def _octets(kind: str, value: Value) -> str:
    """What tells values of one RRset apart: the strings of a text, the words of anything else."""
    return _text.quoted(_text.strings(value)) if kind in _text.TYPES else value.raw or value.text


def _identity(state: os.stat_result) -> tuple[int, ...]:
    return (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)


def _give(handle: int, state: os.stat_result) -> None:
    """Owner, group and mode of the file before. A file that its server could not read any more is an error; another owner
    is none, since whoever may write in the directory may replace its files."""
    try:
        os.fchown(handle, state.st_uid, state.st_gid)
    except PermissionError:
        os.fchown(handle, -1, state.st_gid)
    os.fchmod(handle, state.st_mode & 0o7777)
