"""Files are whole or not there, whatever happens while they are written."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from dnssync.files import WriteError, group_id, make_directory, sweep, user_id, write_atomically
from tests.faults import NOBODY, called, full_disk, interrupted, unprivileged


def names(folder: Path) -> list[str]:
    """What lies in a folder, hidden files included."""
    return sorted(path.name for path in folder.iterdir())


def test_content_and_mode(tmp_path: Path) -> None:
    """The file has its content and its mode, whatever the umask, and nothing else is left in the folder."""
    before = os.umask(0o077)
    try:
        write_atomically(tmp_path / "map", b"one", mode=0o644)
        write_atomically(tmp_path / "map", b"two", mode=0o644)
    finally:
        os.umask(before)

    assert (tmp_path / "map").read_bytes() == b"two"
    assert stat.S_IMODE((tmp_path / "map").stat().st_mode) == 0o644
    assert names(tmp_path) == ["map"]


def test_a_reader_keeps_the_old_file(tmp_path: Path) -> None:
    """Who has the file open reads on in the old one: it is replaced, not changed."""
    write_atomically(tmp_path / "map", b"old", mode=0o644)
    with (tmp_path / "map").open("rb") as reader:
        write_atomically(tmp_path / "map", b"new and longer", mode=0o644)

        assert reader.read() == b"old"


@pytest.mark.parametrize(("exclusive", "moved"), [(False, "rename"), (True, "link")])
def test_synced_before_and_after(tmp_path: Path, exclusive: bool, moved: str) -> None:
    """The content is on disk before the name leads to it, and the name before anybody is told (as a power cut has it)."""
    calls = called(lambda: write_atomically(tmp_path / "map", b"new", mode=0o644, exclusive=exclusive))

    assert [name for name in calls if name in ("fsync", "rename", "link")] == ["fsync", moved, "fsync"]
    assert called(lambda: make_directory(tmp_path / "a", mode=0o750)).count("fsync") == 1


def test_exclusive_never_writes_over(tmp_path: Path) -> None:
    """A private key that is there is never replaced."""
    write_atomically(tmp_path / "key", b"first", mode=0o640, exclusive=True)
    with pytest.raises(WriteError, match="exists already, and dnssync never writes over it"):
        write_atomically(tmp_path / "key", b"second", mode=0o640, exclusive=True)

    assert (tmp_path / "key").read_bytes() == b"first"
    assert names(tmp_path) == ["key"]


@pytest.mark.parametrize("exclusive", [False, True])
def test_full_disk(tmp_path: Path, exclusive: bool) -> None:
    """A full disk is told with its remedy; the old file stands, and no part of the new one is left."""
    with full_disk(tmp_path) as fill:
        write_atomically(tmp_path / "map", b"old", mode=0o644)
        fill()
        there = names(tmp_path)
        target = tmp_path / ("key" if exclusive else "map")
        with pytest.raises(WriteError, match=r"(Make room|ulimit -f).*what stood there before is untouched") as caught:
            write_atomically(target, b"x" * 100_000, mode=0o644, exclusive=exclusive)

        assert str(target) in str(caught.value)
        assert (tmp_path / "map").read_bytes() == b"old"
        assert names(tmp_path) == there


@pytest.mark.parametrize("exclusive", [False, True])
# A file object that Ctrl-C hit while it was being made is closed by the collector, with a warning.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_ctrl_c_at_every_step(tmp_path: Path, exclusive: bool) -> None:
    """Wherever Ctrl-C falls, the file is the old one or the new one, and nothing lies beside it."""
    old = None if exclusive else b"old"
    seen = set()
    for step in range(1000):
        folder = tmp_path / str(step)
        folder.mkdir()
        path = folder / "file"
        if old is not None:
            path.write_bytes(old)
        more = interrupted(
            lambda path=path: write_atomically(path, b"new", mode=0o640, exclusive=exclusive), step, "files"
        )
        content = path.read_bytes() if path.exists() else None
        seen.add(content)

        assert content in (old, b"new"), step
        assert names(folder) == ([] if content is None else ["file"]), step
        if content == b"new":
            assert stat.S_IMODE(path.stat().st_mode) == 0o640, step
        if not more:
            break
    else:
        pytest.fail("it never ended")
    assert seen == {old, b"new"}
    assert step > 10


def test_ctrl_c_while_a_directory_is_made(tmp_path: Path) -> None:
    """A directory is there with its mode, or not at all: the next run would take a wrong mode for somebody's choice."""
    umask = os.umask(0o077)  # so that the mode is right only after the last step
    try:
        _make_with_ctrl_c(tmp_path)
    finally:
        os.umask(umask)


def _make_with_ctrl_c(folder: Path) -> None:
    for step in range(1000):
        path = folder / str(step) / "keys"
        more = interrupted(lambda path=path: make_directory(path, mode=0o750), step, "files")
        for made in (path, path.parent):
            assert not made.exists() or stat.S_IMODE(made.stat().st_mode) == 0o750, step
        assert list(folder.rglob(".*")) == [], step
        if not more:
            assert path.is_dir()
            break
    else:
        pytest.fail("it never ended")
    assert step > 10


def test_no_permission(tmp_path: Path) -> None:
    """Who may not write is told as whom to try."""
    tmp_path.chmod(0o500)
    with unprivileged():
        with pytest.raises(WriteError, match=r"Permission denied\. Run dnssync as root or as the owner of"):
            write_atomically(tmp_path / "map", b"new", mode=0o644)
        with pytest.raises(WriteError, match=r"Permission denied\. Run dnssync as root or as the owner of"):
            make_directory(tmp_path / "keys" / "deep", mode=0o750)
    assert names(tmp_path) == []


def test_no_directory(tmp_path: Path) -> None:
    """A directory that is missing, or is something else, is told."""
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match=r"The directory .*gone does not exist; create it"):
        write_atomically(tmp_path / "gone" / "map", b"new", mode=0o644)
    with pytest.raises(WriteError, match="is not a directory; take that away"):
        write_atomically(tmp_path / "file" / "map", b"new", mode=0o644)
    with pytest.raises(WriteError, match="file could not be written: Not a directory"):
        make_directory(tmp_path / "file", mode=0o750)


def test_directories_that_exist_stay_as_they_are(tmp_path: Path) -> None:
    """Missing directories get the mode, those that were there keep theirs."""
    tmp_path.chmod(0o711)
    make_directory(tmp_path / "a" / "b", mode=0o750)
    make_directory(tmp_path / "a" / "b", mode=0o700)

    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path, tmp_path / "a", tmp_path / "a" / "b")]
    assert modes == [0o711, 0o750, 0o750]


def test_right_below_the_root() -> None:
    """The root directory is there, and has no name to make another one beside it; what cannot be made below it is a sentence."""
    make_directory(Path("/"), mode=0o750)
    with pytest.raises(WriteError, match="/proc/nothing"):
        make_directory(Path("/proc/nothing/here"), mode=0o750)


def test_two_make_one_directory(tmp_path: Path) -> None:
    """Whoever comes second finds the directory made, with what is in it already."""
    path = tmp_path / "keys"

    def somebody_else(name: str) -> None:
        if name == "chmod" and not path.exists():
            path.mkdir(mode=0o700)
            (path / "there").touch()

    called(lambda: make_directory(path, mode=0o750), at=somebody_else)

    assert names(tmp_path) == ["keys"] and names(path) == ["there"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_owners() -> None:
    """Only root gives files to others; a name that does not exist here means: as they come."""
    assert user_id("no-such-user") == group_id("no-such-group") == -1
    with unprivileged():
        assert user_id("root") == -1
        assert group_id("root") == -1 or os.getegid() != NOBODY


def test_what_a_killed_process_left(tmp_path: Path) -> None:
    """Half-written files of a process that was killed are taken away, of one name or of all; whatever else is hidden there stays."""
    left = [".selectors.0123abcd", ".20261124r-mx-abcd.pem.89abcdef"]
    for name in (*left, ".selectors.swp", ".gitkeep", "selectors.0123abcd", ".selectors.0123abcg"):
        (tmp_path / name).touch()
    (tmp_path / ".folder.0123abcd").mkdir()
    sweep(tmp_path, "selectors")
    assert not (tmp_path / left[0]).exists() and (tmp_path / left[1]).exists()
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".folder.0123abcd", ".gitkeep", ".selectors.0123abcg", ".selectors.swp", "selectors.0123abcd",
    ]  # fmt: skip
    sweep(tmp_path / "not there")
