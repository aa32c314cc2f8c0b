"""Keys, map, state and lock when the disk is full, the user may not, two come at once, or Ctrl-C falls in between."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dnssync import signing_map
from dnssync.core.model import KeyPair
from dnssync.errors import KeyFileError, LockedError, StateError
from dnssync.files import WriteError
from dnssync.keystore import Keystore, read_public
from dnssync.lock import become_owner, hold
from dnssync.state import State
from tests.faults import full_disk, interrupted, unprivileged

OLD, NEW = {"example.org": ("r1", "e1")}, {"example.org": ("r2", "e2")}
KEY = KeyPair("example.org", "s1", "ed25519", "AAAA", 1)
ROOM = r"Make room|ulimit -f"


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may look into: pytest's own are closed."""
    with tempfile.TemporaryDirectory(prefix="dnssync-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
        Path(folder).chmod(0o755)


def files(folder: Path) -> list[str]:
    """Every file below a folder, hidden ones included."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def each_step(
    act: Callable[[Path], object], folder: Path, *modules: str, before: Callable[[Path], object] = lambda place: None
) -> Iterator[Path]:
    """A folder after Ctrl-C at each step of an act in it, the last one after an act that nothing disturbed."""
    for step in range(2000):
        place = folder / str(step)
        place.mkdir()
        before(place)
        more = interrupted(lambda place=place: act(place), step, *modules)
        yield place
        if not more:
            assert step > 10
            return
    pytest.fail("it never ended")


# --- keys -------------------------------------------------------------------------------------------------------------


def test_key_on_a_full_disk(tmp_path: Path) -> None:
    """A key that cannot be kept is not told to anyone, and no part of it lies about."""
    with full_disk(tmp_path) as fill:
        store = Keystore(tmp_path / "keys")
        store.generate("example.org", "s1", "ed25519")
        fill()
        there = files(tmp_path)
        with pytest.raises(WriteError, match=ROOM):
            store.generate("example.org", "s2", "ed25519")
        assert files(tmp_path) == there


# Between the opening of a file and the block that closes it, Ctrl-C leaves the closing to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_key_and_ctrl_c(tmp_path: Path) -> None:
    """Wherever Ctrl-C falls, a key's file is whole and closed to strangers, or not there."""
    seen = set()
    for place in each_step(
        lambda p: Keystore(p).generate("example.org", "s1", "ed25519"), tmp_path, "files", "keystore"
    ):
        found = files(place)
        seen.add(bool(found))
        assert found in ([], ["s1.pem"])
        if found:
            path = place / "example.org" / "s1.pem"
            assert read_public(path)[0] == "ed25519"
            assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert seen == {False, True}


def test_key_that_may_not_be_read(tmp_path: Path) -> None:
    """A key that this user may not read is told as that, not as one that is not there."""
    store = Keystore(tmp_path / "keys")
    told = store.generate("example.org", "s1", "ed25519")
    (tmp_path / "keys").chmod(0o700)
    store.path("example.org", "s1").chmod(0)
    with unprivileged():
        with pytest.raises(KeyFileError, match=r"s1\.pem cannot be read: Permission denied\. Run dnssync as root"):
            read_public(store.path("example.org", "s1"))
        assert "cannot be read: Permission denied" in store.problem(KeyPair("example.org", "s1", *told, 1))


def test_two_make_the_same_key(tmp_path: Path) -> None:
    """Of two processes that make the same key at once, one wins, and its key is the one on disk."""
    code = (
        "import sys, pathlib; from dnssync.keystore import Keystore; from dnssync.errors import DnssyncError\n"
        "store = Keystore(pathlib.Path(sys.argv[1])); print('ready', flush=True); sys.stdin.readline()\n"
        "try: print(store.generate('example.org', 's1', 'ed25519')[1])\n"
        "except DnssyncError as error: print('lost:', error)\n"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]  # fmt: skip
    for process in both:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in both:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    told = sorted(process.communicate()[0].strip() for process in both)

    [lost] = [line for line in told if line.startswith("lost:")]
    [won] = [line for line in told if not line.startswith("lost:")]
    assert "exists already" in lost
    assert read_public(tmp_path / "example.org" / "s1.pem") == ("ed25519", won)


# --- the map ----------------------------------------------------------------------------------------------------------


def test_map_on_a_full_disk(tmp_path: Path) -> None:
    """exim goes on with the old map, to its last octet, where the new one does not fit."""
    with full_disk(tmp_path) as fill:
        path = tmp_path / "selectors"
        signing_map.write(path, OLD, previous={})
        fill()
        many = {**NEW, **{f"d{n}.example": (f"selector-{n}",) for n in range(9000)}}
        with pytest.raises(WriteError, match=ROOM):
            signing_map.write(path, many, previous=OLD)
        assert signing_map.read(path) == OLD
        assert [name for name in files(tmp_path) if name.startswith(".")] == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_map_and_ctrl_c(tmp_path: Path) -> None:
    """Wherever Ctrl-C falls, the map is the old one or the new one: never half, never gone."""

    def before(place: Path) -> None:
        signing_map.write(place / "selectors", OLD, previous={})

    def act(place: Path) -> None:
        signing_map.write(place / "selectors", NEW, previous=OLD)

    seen = []
    for place in each_step(act, tmp_path, "files", "signing_map", before=before):
        lines = signing_map.read(place / "selectors")
        assert lines in (OLD, NEW)
        assert files(place) == ["selectors"]
        seen.append(lines == NEW)
    assert seen == sorted(seen) and set(seen) == {False, True}


# --- the state --------------------------------------------------------------------------------------------------------


def url(folder: Path) -> str:
    """The state in a folder."""
    return f"sqlite:///{folder}/state.db"


def test_state_on_a_full_disk(tmp_path: Path) -> None:
    """A transaction that does not fit is not there at all, and what was kept before is."""
    with full_disk(tmp_path) as fill:
        state = State.open(url(tmp_path))
        state.save_keys([KEY])
        fill()
        with pytest.raises(StateError, match=r"Make room|ulimit -f") as caught, state.transaction():
            state.add_event(1, "x", sentence="small")
            state.add_event(1, "x", sentence="y" * 200_000)
        assert str(tmp_path / "state.db") in str(caught.value)
        assert (state.keys(), state.events()) == ((KEY,), ())


def test_new_state_on_a_full_disk(tmp_path: Path) -> None:
    """A state that cannot be made is told with the remedy."""
    with full_disk(tmp_path) as fill:
        fill()
        with pytest.raises(StateError, match=r"Make room|ulimit -f"):
            State.open(url(tmp_path))


# Where Ctrl-C falls between a connection's making and its owner's, Python closes it, and since 3.13 says so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_state_and_ctrl_c(tmp_path: Path) -> None:
    """Wherever Ctrl-C falls in a transaction, all of it is there or nothing, and what was there before still is."""

    def before(place: Path) -> None:
        State.open(url(place)).save_keys([KEY])

    def act(place: Path) -> None:
        state = State.open(url(place))
        with state.transaction():
            state.add_event(1, "x", sentence="one")
            state.drop_applied("example.org", "p", [])
            state.add_event(2, "x", sentence="two")

    seen = set()
    for place in each_step(act, tmp_path, "state", "state_engine", before=before):
        again = State.open(url(place), read_only=True)
        seen.add(len(again.events()))
        assert again.keys() == (KEY,)
    assert seen == {0, 2}


def test_state_of_a_dead_writer(tmp_path: Path) -> None:
    """What a process had written when it was killed in mid-commit is undone, for `plan` too."""
    State.open(url(tmp_path)).save_keys([KEY])
    code = (
        "import os, sqlite3, sys\n"
        "database = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "database.execute('PRAGMA cache_size=1')\n"
        "database.execute('BEGIN IMMEDIATE')\n"
        "database.execute('DELETE FROM keys')\n"
        "for n in range(500):\n"
        "    database.execute(\"INSERT INTO meta VALUES (?, ?)\", (f'n{n}', 'x' * 500))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "state.db")])
    assert (tmp_path / "state.db-journal").stat().st_size > 0

    assert State.open(url(tmp_path), read_only=True).keys() == (KEY,)
    assert State.open(url(tmp_path)).keys() == (KEY,)


def test_two_make_the_state(tmp_path: Path) -> None:
    """Two processes that open a new state at once both get it, and neither's rows are lost."""
    code = (
        "import sys; from dnssync.state import State\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "State.open(sys.argv[1]).add_event(1, 'x', sentence='mine')\n"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", code, url(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]  # fmt: skip
    for process in both:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in both:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in both:
        process.communicate()

    assert [process.returncode for process in both] == [0, 0, 0]
    assert len(State.open(url(tmp_path)).events()) == 3


def test_a_transaction_locks_from_its_beginning(tmp_path: Path) -> None:
    """What a transaction reads is still so when it writes: no other writer comes in between."""
    state = State.open(url(tmp_path))
    other = sqlite3.connect(tmp_path / "state.db", timeout=0, isolation_level=None)
    with state.transaction(), pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    other.execute("BEGIN IMMEDIATE")
    other.close()


def test_state_that_may_not_be_written(open_folder: Path) -> None:
    """A state that this user may only read is told as that when it is written, and can be read."""
    State.open(url(open_folder)).save_keys([KEY])
    (open_folder / "state.db").chmod(0o444)
    open_folder.chmod(0o555)
    with unprivileged():
        assert State.open(url(open_folder), read_only=True).keys() == (KEY,)
        with pytest.raises(
            StateError, match=r"state\.db: it cannot be written: .* Run dnssync as root or as its owner"
        ):
            State.open(url(open_folder)).add_event(1, "x", sentence="y")


@pytest.mark.parametrize("read_only", [False, True])
def test_state_that_may_not_be_looked_for(tmp_path: Path, read_only: bool) -> None:
    """A state behind a closed directory is not an empty one: `plan` would show what is not so."""
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o700)
    State.open(url(folder)).save_keys([KEY])
    folder.chmod(0)
    with unprivileged(), pytest.raises(StateError, match=r"state\.db.* cannot be (read|opened)"):
        State.open(url(folder), read_only=read_only)


def test_state_that_is_damaged(tmp_path: Path) -> None:
    """A database with a hole in it is told as damaged, with what to do."""
    state = State.open(url(tmp_path))
    for n in range(50):
        state.add_event(n, "x", sentence="y" * 2000)
    content = bytearray((tmp_path / "state.db").read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    (tmp_path / "state.db").write_bytes(content)

    with pytest.raises(StateError, match=r"Move it away and run dnssync again"):
        State.open(url(tmp_path)).events()


def test_state_without_its_schema(tmp_path: Path) -> None:
    """A database that does not say which schema it has is not taken for an old one."""
    State.open(url(tmp_path))
    for statement in ("UPDATE meta SET value = 'x'", "DELETE FROM meta"):
        database = sqlite3.connect(tmp_path / "state.db")
        with database:
            database.execute(statement)
        database.close()
        with pytest.raises(StateError, match=r"it is damaged\. Move it away"):
            State.open(url(tmp_path))


def test_state_in_an_odd_place(tmp_path: Path) -> None:
    """A path may hold what means something in a URI; no other file comes into being."""
    folder = tmp_path / "a b#c"
    folder.mkdir()
    State.open(url(folder)).save_keys([KEY])

    assert State.open(url(folder), read_only=True).keys() == (KEY,)
    assert files(tmp_path) == ["state.db"]


# --- the lock ---------------------------------------------------------------------------------------------------------


def test_lock_on_a_full_disk(tmp_path: Path) -> None:
    """The lock holds though nobody can be told who holds it."""
    with full_disk(tmp_path) as fill:
        path = tmp_path / "lock"
        path.touch()
        fill()
        with (
            hold(path, who="apply"),
            pytest.raises(LockedError, match="it has not said which"),
            hold(path, who="x", wait=0),
        ):
            pass


def test_lock_that_cannot_be_made(tmp_path: Path) -> None:
    """A directory that is missing, or that this user may not write in, is told with its remedy."""
    with (
        pytest.raises(
            StateError, match=r"lock cannot be opened: No such file or directory.*none does not exist; create it"
        ),
        hold(tmp_path / "none" / "lock", who="apply"),
    ):
        pass
    tmp_path.chmod(0o500)
    with (
        unprivileged(),
        pytest.raises(StateError, match=r"lock cannot be opened: Permission denied\. Run dnssync as root"),
        hold(tmp_path / "lock", who="apply"),
    ):
        pass


def test_owner_that_does_not_exist(tmp_path: Path) -> None:
    """A state directory of a user whom this machine does not know is told; anybody but root stays who they are."""
    if os.geteuid() == 0:
        os.chown(tmp_path, 54321, -1)
        with pytest.raises(StateError, match="belongs to user id 54321, which this machine does not know"):
            become_owner(tmp_path)
        assert os.geteuid() == 0
    with unprivileged():
        assert become_owner(tmp_path) == ""
