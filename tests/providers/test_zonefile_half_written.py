"""A zone file is whole, old or new, whatever falls into its write: a full disk, missing rights, Ctrl-C at any step."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from dnssync.core.model import ProviderError
from tests.faults import called, full_disk, interrupted, unprivileged
from tests.providers.desk import ZONE, Desk


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may look into, and that this user alone may write in: pytest's own are closed."""
    with tempfile.TemporaryDirectory(prefix="dnssync-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
        Path(folder).chmod(0o755)


def names(desk: Desk) -> list[str]:
    """What lies in the folder."""
    return sorted(path.name for path in desk.file.parent.iterdir())


def test_full_disk(tmp_path: Path) -> None:
    """Where there is no room the old file stands as it was, nothing lies beside it, and the sentence says why."""
    desk = Desk(tmp_path)
    with full_disk(tmp_path) as fill:
        desk.lay("a TXT x\n" * 200)
        change = desk.change("new", "ours" * 300)
        before = desk.text
        fill()
        there = names(desk)
        with pytest.raises(
            ProviderError, match=rf"{ZONE}: .*db\.{ZONE} could not be written: .*the disk must have room"
        ):
            desk.provider().write(ZONE, [change])

        assert desk.text == before
        assert names(desk) == there


def test_folder_that_may_not_be_written(open_folder: Path) -> None:
    """Who may read the file and not write beside it is told which folder it is about."""
    desk = Desk(open_folder)
    desk.lay("a TXT x\n")
    before = desk.text
    open_folder.chmod(0o555)
    with unprivileged():
        change = desk.change("new", "ours")
        with pytest.raises(ProviderError, match=f"Permission denied.*write in {open_folder}"):
            desk.provider().write(ZONE, [change])

    assert desk.text == before
    assert names(desk) == [desk.file.name]


def test_file_that_may_not_be_read(open_folder: Path) -> None:
    """A file that is closed to us is an error of its own, not an empty zone."""
    desk = Desk(open_folder)
    desk.lay("a TXT x\n")
    desk.file.chmod(0)
    with (
        unprivileged(),
        pytest.raises(ProviderError, match=r"cannot be read: Permission denied.*dnssync's user may read it"),
    ):
        desk.provider().read(ZONE)


# Between the opening of a file and the block that closes it, Ctrl-C leaves the closing to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c(tmp_path: Path) -> None:
    """Wherever Ctrl-C falls, the file is the old one or the new one, with its mode, and the next write goes through."""
    seen = set()
    for step in range(2000):
        desk = Desk(tmp_path / str(step))
        desk.file.parent.mkdir()
        desk.lay("a TXT x\n")
        desk.file.chmod(0o640)
        change, before = desk.change("new", "ours"), desk.text
        more = interrupted(
            lambda desk=desk, change=change: desk.provider().write(ZONE, [change]), step, "providers/_zone_file"
        )
        old = desk.text == before
        seen.add(old)
        assert old or desk.text.endswith('a TXT x\nnew.example.org. 300 IN TXT "ours"\n')
        assert stat.S_IMODE(desk.file.stat().st_mode) == 0o640
        assert names(desk) == [desk.file.name]
        desk.provider().write(ZONE, [desk.change("new", "ours", "again")])
        assert [value.text for value in desk.rrset("new").values] == ["ours", "again"]
        if not more:
            break
    else:
        pytest.fail("it never ended")

    assert step > 50
    assert seen == {True, False}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_before_the_reload(tmp_path: Path) -> None:
    """Wherever Ctrl-C falls, the next pass tells the server of the new file, and the one after it has nothing left to do."""
    told_late = 0
    for step in range(2000):
        desk = Desk(tmp_path / str(step))
        desk.file.parent.mkdir()
        desk.lay("a TXT x\n")
        change, loaded = desk.change("new", "ours"), []

        def load(argv: object, desk: Desk = desk, loaded: list[str] = loaded, **_: object) -> CompletedProcess[str]:
            loaded.append(desk.text)
            return CompletedProcess("rndc", 0, "", "")

        one = desk.provider(reload=["rndc"], run=load)
        more = interrupted(
            lambda one=one, change=change: one.write(ZONE, [change]),
            step,
            "providers/_zone_file",
            "providers/zonefile",
        )
        told_late += bool("ours" in desk.text and not loaded)
        one.write(ZONE, ())
        assert "ours" not in desk.text or desk.text in loaded
        assert one.write(ZONE, ()) == ()
        assert names(desk) == [desk.file.name]
        if not more:
            break
    else:
        pytest.fail("it never ended")

    assert told_late > 3


def test_on_the_disk_before_it_is_seen(tmp_path: Path) -> None:
    """The new file is synced before the rename, and the folder after it: a power cut leaves one of the two whole."""
    desk = Desk(tmp_path)
    desk.lay("a TXT x\n")
    change = desk.change("new", "ours")

    calls = called(lambda: desk.provider().write(ZONE, [change]))

    order = [call for call in calls if call in ("fchmod", "fsync", "rename")]
    assert order == ["fchmod", "fsync", "rename", "fsync"]
    assert os.access(desk.file, os.R_OK)
