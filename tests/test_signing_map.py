"""exim's map: one rename, no line lost, read as exim reads it."""

from __future__ import annotations

import os
import pwd
import stat
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnssync import signing_map
from dnssync.errors import StateError
from dnssync.files import WriteError

LINES = {"example.org": ("r1", "e1"), "example.com": ("old.sel",)}


def test_written_and_read(tmp_path: Path) -> None:
    """What is written is what is read, for everybody to read, sorted."""
    path = tmp_path / "exim" / "selectors"
    assert signing_map.write(path, LINES, previous={})
    assert signing_map.read(path) == LINES
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    rows = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    assert rows == ["example.com: old.sel", "example.org: r1 : e1"]


def test_replaced_by_rename(tmp_path: Path) -> None:
    """Who reads the old map reads on in it: the file is another one."""
    path = tmp_path / "selectors"
    signing_map.write(path, LINES, previous={})
    with path.open() as reader:
        signing_map.write(path, {**LINES, "example.org": ("r2",)}, previous=LINES)
        assert "r1 : e1" in reader.read()
    assert signing_map.read(path)["example.org"] == ("r2",)


def test_nothing_to_write(tmp_path: Path) -> None:
    """The same lines again are no write."""
    path = tmp_path / "selectors"
    signing_map.write(path, LINES, previous={})
    inode = path.stat().st_ino
    assert not signing_map.write(path, LINES, previous=LINES)
    assert path.stat().st_ino == inode
    # a map that is not there holds up all mail: it is written, even without a line
    assert signing_map.write(tmp_path / "none", {}, previous={}) and signing_map.read(tmp_path / "none") == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes the map for another user")
def test_root_follows_no_link_of_the_services(tmp_path: Path) -> None:
    """What the service's user put in place of the map's folder leads root no further than that user could go."""
    nobody = pwd.getpwnam("nobody").pw_uid
    for folder in (tmp_path, *list(tmp_path.parents)[:2]):
        folder.chmod(0o755)
    home, etc = tmp_path / "home", tmp_path / "etc"
    for folder in (home, etc):
        folder.mkdir(mode=0o755)
    os.chown(home, nobody, -1)
    (home / "exim").symlink_to(etc)
    os.chown(home / "exim", nobody, -1, follow_symlinks=False)
    with pytest.raises(WriteError):
        signing_map.create_if_missing(home / "exim" / "selectors")
    assert list(etc.iterdir()) == [] and os.geteuid() == 0
    assert signing_map.create_if_missing(home / "other" / "selectors")
    assert (home / "other" / "selectors").stat().st_uid == (home / "other").stat().st_uid == nobody


def test_no_line_is_lost(tmp_path: Path) -> None:
    """A domain falls out only where that is said."""
    path = tmp_path / "selectors"
    signing_map.write(path, LINES, previous={})
    fewer = {"example.org": ("r1",)}
    with pytest.raises(ValueError, match=r"example\.com"):
        signing_map.write(path, fewer, previous=LINES)
    assert signing_map.read(path) == LINES
    assert signing_map.write(path, fewer, previous=LINES, dropped={"example.com"})


@pytest.mark.parametrize(
    "lines",
    [{"a b.org": ("s",)}, {"example.org": ()}, {"example.org": ("s : t",)}, {"Example.org": ("s",)}, {"x.org\ny.org": ("s",)},
     {'"x.org': ("s",)}, {"x.org": ("",)}],
)  # fmt: skip
def test_names_that_would_break_it(tmp_path: Path, lines: dict) -> None:
    """A name that exim would read as something else is never written."""
    with pytest.raises(ValueError, match="not a line"):
        signing_map.write(tmp_path / "selectors", lines, previous={})
    assert not (tmp_path / "selectors").exists()


@pytest.mark.parametrize(
    "text",
    [
        "example.org\n",
        "example.org:\n",
        "example.org: a : : b\n",
        "example.org: a\nexample.org: b\n",
        "a.org: x\n  b.org: y\n",
        "\xe9.org: a\n",
    ],
)
def test_not_understood(tmp_path: Path, text: str) -> None:
    """A map that somebody edited into nonsense, or that exim reads otherwise, is told with its line; it is not empty."""
    path = tmp_path / "selectors"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(StateError, match=r"selectors"):
        signing_map.read(path)


def test_missing_is_empty_unreadable_is_not(tmp_path: Path) -> None:
    """Only a file that does not exist reads as no lines."""
    assert signing_map.read(tmp_path / "selectors") == {}
    (tmp_path / "selectors").mkdir()
    with pytest.raises(StateError):
        signing_map.read(tmp_path / "selectors")


def test_create_if_missing(tmp_path: Path) -> None:
    """An empty map where there is none; one that is there is left alone."""
    for folder in (tmp_path, *list(tmp_path.parents)[:2]):  # the service's user, where there is one, has to get there
        folder.chmod(0o755)
    path = tmp_path / "deep" / "selectors"
    assert signing_map.create_if_missing(path) and signing_map.read(path) == {}
    signing_map.write(path, LINES, previous={})
    assert not signing_map.create_if_missing(path) and signing_map.read(path) == LINES


def test_why_it_cannot_be_read(tmp_path: Path) -> None:
    """The reason is told in words, without what only a programmer reads."""
    with pytest.raises(StateError, match=r"cannot be read: Is a directory\. exim would not"):
        signing_map.read(tmp_path)
    (tmp_path / "map").write_bytes(b"example.org: s\xff\n")
    with pytest.raises(StateError, match=r"cannot be read: octet 15 is not ASCII\. exim would not"):
        signing_map.read(tmp_path / "map")


@given(st.text(alphabet="ab.-_: \n#A\t\x0b", max_size=60))
def test_both_ways_to_read_it_agree(text: str) -> None:
    """A map as dnssync writes it is read at one go, any other line by line: both understand the same, and refuse the same."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "selectors")

        def told(text: str) -> object:
            path.write_text(text)
            try:
                return signing_map.read(path)
            except StateError:
                return None

        assert told(text) == told("# so that it is not as we write it\n" + text)
        written = "".join(f"{line}\n" for line in text.replace("\x0b", "").split("\n") if ": " in line)
        assert told(signing_map.HEAD + written) == told("# not as we write it\n" + written)
