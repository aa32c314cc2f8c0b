"""The state: what is kept is kept, what is read only changes nothing, and every trouble is a sentence."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from dnssync.core.clock import Reading
from dnssync.core.host import Address
from dnssync.core.model import KeyPair, Owner
from dnssync.errors import StateError
from dnssync.state import State
from dnssync.state_rows import LedgerEntry, ProviderTry, Trouble, ZoneRecord
from tests.postgres import postgres

__all__ = ["postgres"]

KEY = KeyPair("example.org", "s1", "rsa2048", "AAAA", 1, season=5, overlap=6, adopted=True, record="p=AAAA")
ENTRY = LedgerEntry("example.org", "bind", "", "TXT", Owner.SPF, "example.org", "v=spf1 -all", 300, 7, "-all")


@pytest.fixture
def file_url(tmp_path: Path) -> str:
    """A state in a file."""
    return f"sqlite:///{tmp_path}/state.db"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, file_url: str) -> str:
    """Where the state of a test lies: a file, or a database of a real PostgreSQL."""
    return file_url if request.param == "sqlite" else request.getfixturevalue("postgres").database()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_not_for_everybody(file_url: str, tmp_path: Path, umask: int) -> None:
    """A state that is made is open to its owner and group alone, whatever the umask; one that is there keeps its mode."""
    before = os.umask(umask)
    try:
        State.open(file_url)
        file = tmp_path / "state.db"
        assert stat.S_IMODE(file.stat().st_mode) == 0o640
        file.chmod(0o600)
        State.open(file_url).add_request("freeze", "example.org", 1, None)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    finally:
        os.umask(before)


def test_everything_comes_back(url: str) -> None:
    """Keys, ledger, zones, addresses, requests and events are there after closing and opening."""
    state = State.open(url)
    state.save_keys([KEY, replace(KEY, selector="s2", activated=9)])
    state.save_keys([replace(KEY, seen=3)])
    state.record_applied([ENTRY])
    state.save_zone(ZoneRecord("example.org", 1, 2, "ok", 3))
    state.save_addresses([("example.org", Address("192.0.2.1", "kernel", host="mx"))], 100)
    state.add_request("freeze", "example.org", 1, 50)
    state.add_event(5, "create", zone="example.org", sentence="one")
    state.add_event(6, "create", zone="example.org", sentence="two", because="x")
    again = State.open(url, read_only=True)
    assert again.keys() == (replace(KEY, seen=3), replace(KEY, selector="s2", activated=9))
    assert again.ledger() == again.ledger("example.org") == (ENTRY,) and again.ledger("example.com") == ()
    assert again.zone("example.org") == ZoneRecord("example.org", 1, 2, "ok", 3) and again.zone("x.org") is None
    [address] = again.addresses()
    assert (address.ip, address.host_name, address.first_seen, address.last_seen) == ("192.0.2.1", "mx", 100, 100)
    assert [event.sentence for event in again.events()] == ["two", "one"]
    assert [event.sentence for event in again.events(1)] == ["two"]
    assert [request.subject for request in again.requests(49)] == ["example.org"] and again.requests(50) == ()


class TestWords:
    """What a person says of a key comes at any moment, without the lock."""

    def test_said_while_a_pass_is_under_way(self, url: str) -> None:
        """The stamps of a pass leave a word alone that came after the pass had read the key; the word leaves the stamps alone."""
        state, other = State.open(url), State.open(url)
        state.save_keys([KEY, replace(KEY, domain="example.com")])
        found = state.keys()
        other.mark_keys(replace(key, called=7, compromised=7) for key in found)
        state.save_stamps((key, replace(key, activated=8, overlap=9)) for key in found)
        assert state.keys() == tuple(replace(key, called=7, compromised=7, activated=8, overlap=9) for key in found)
        other.mark_keys(replace(key, recalled=10) for key in found)
        assert {(k.called, k.compromised, k.recalled, k.activated) for k in state.keys()} == {(None, None, 10, 8)}

    def test_honoured(self, url: str) -> None:
        """What a pass found and has done is taken back; the same word said anew meanwhile is another one."""
        state, other = State.open(url), State.open(url)
        state.save_keys([replace(KEY, recalled=5, called=4)])
        [found] = state.keys()
        state.save_stamps([(found, replace(found, recalled=None))])
        assert [(k.called, k.recalled) for k in state.keys()] == [(4, None)]
        other.mark_keys([replace(found, called=6)])
        state.save_stamps([(found, replace(found, recalled=None, called=None))])
        assert [(k.called, k.recalled) for k in state.keys()] == [(6, None)]

    def test_no_such_key(self, url: str) -> None:
        """A key that was forgotten meanwhile does not come back."""
        state = State.open(url)
        state.mark_keys([KEY])
        state.save_stamps([(KEY, replace(KEY, seen=5))])
        assert state.keys() == ()

    def test_heard(self, url: str) -> None:
        """How far all that is noted came from here: another's event counts as news, whatever came after it."""
        state, other = State.open(url), State.open(url)
        other.add_event(1, "freeze", sentence="before")
        first = state.last_event()
        assert state.heard(first) == first == State.open(url, read_only=True).heard(first)
        state.add_event(2, "create", sentence="mine")
        assert state.heard(first) == (mine := state.last_event()) > first
        other.add_event(3, "rotate", sentence="a word")
        state.add_event(4, "create", sentence="mine too")
        assert state.heard(first) == mine and other.heard(first) == first


def test_addresses_are_stamped_now_and_then(url: str) -> None:
    """A sighting soon after the last is not written; a later one moves the stamp and keeps the first."""
    state = State.open(url)
    for at in (100, 200, 100 + 3600):
        state.save_addresses([("example.org", Address("192.0.2.1", "kernel"))], at)
    [row] = state.addresses()
    assert (row.first_seen, row.last_seen) == (100, 3700)


def test_intents(url: str) -> None:
    """What was begun is known until it is finished or settled."""
    state = State.open(url)
    one = state.begin("example.org", "bind", [ENTRY], 1)
    assert state.unfinished("example.org") == (ENTRY,)
    state.finish(one)
    assert state.unfinished("example.org") == ()
    state.begin("example.org", "bind", [ENTRY], 1)
    state.begin("example.org", "other", [replace(ENTRY, provider="other")], 1)
    state.settle("example.org", "bind")
    assert [entry.provider for entry in state.unfinished("example.org")] == ["other"]
    key = state.intend_key("example.org", "s9", "ed25519", 4)
    assert state.unfinished_keys() == ((key, "example.org", "s9", 4),)
    assert state.interrupted("example.org", "other") and not state.interrupted("example.org", "bind")


def test_a_write_that_only_takes_away(url: str) -> None:
    """It is known to be unfinished, and can be settled, though nothing of it will stand in the zone."""
    state = State.open(url)
    state.begin("example.org", "bind", [], 1)
    assert state.interrupted("example.org", "bind") and state.unfinished("example.org") == ()
    state.settle("example.org", "bind")
    assert not state.interrupted("example.org", "bind")


def test_meant_again(url: str) -> None:
    """A write that goes on failing leaves one note, the newest; another one, or at another provider, has its own."""
    state = State.open(url)
    other = replace(ENTRY, value="v=spf1 mx ~all")
    for at in (1, 2, 3):
        last = state.begin("example.org", "bind", [replace(ENTRY, applied_at=at)], at)
    assert state.unfinished("example.org") == (replace(ENTRY, applied_at=3),)
    state.begin("example.org", "bind", [other], 4)
    state.begin("example.org", "second", [replace(ENTRY, provider="second")], 4)
    state.begin("example.com", "bind", [ENTRY], 4)
    assert len(state.unfinished("example.org")) == 3
    state.finish(last)
    assert [entry.value for entry in state.unfinished("example.org")] == [other.value, ENTRY.value]


def test_handed_over(url: str) -> None:
    """What a person was given to enter is noted once, until it is settled or its zone is forgotten; a write is no such word."""
    state = State.open(url)
    other = replace(ENTRY, type="SPF")
    state.begin("example.org", "bind", [ENTRY], 1)
    assert state.handed_over("example.org") == ()
    first = state.begin("example.org", "form", [replace(ENTRY, provider="form"), other], 2)
    assert state.hand_over(first, "example.org", "form")
    again = state.begin("example.org", "form", [other, replace(ENTRY, provider="form", applied_at=99)], 3)
    assert not state.hand_over(again, "example.org", "form")
    assert state.handed_over("example.org") == (other, replace(ENTRY, provider="form", applied_at=99))
    assert len(state.unfinished("example.org")) == 3
    for at, value in (
        (4, "v=spf1 mx -all"),
        (5, ENTRY.value),
    ):  # something else, and the first again: the last word counts
        number = state.begin("example.org", "form", [other, replace(ENTRY, provider="form", value=value)], at)
        assert state.hand_over(number, "example.org", "form") is (at == 4)
    assert [entry.value for entry in state.handed_over("example.org")][-1] == ENTRY.value
    state.forget("example.org")
    assert state.unfinished("example.org") == state.handed_over("example.org") == ()


def test_ledger_forgets(url: str) -> None:
    """One value, or a whole zone, is forgotten; others stay."""
    state = State.open(url)
    other = replace(ENTRY, type="SPF")
    state.record_applied([ENTRY, other, replace(ENTRY, zone="example.com")])
    state.drop_applied("example.org", "bind", [("", "TXT", Owner.SPF)])
    assert state.ledger("example.org") == (other,)
    assert state.forget("example.org") == 1
    assert [entry.zone for entry in state.ledger()] == ["example.com"]


def test_transaction(url: str) -> None:
    """Everything inside is kept together or not at all."""
    state = State.open(url)
    with pytest.raises(KeyboardInterrupt), state.transaction():
        state.save_keys([KEY])
        state.add_event(1, "x", sentence="y")
        raise KeyboardInterrupt
    assert state.keys() == () and state.events() == ()


def test_hosts_are_apart(url: str) -> None:
    """Two hosts in one database see their own rows alone."""
    State.open(url, host="a").save_keys([KEY])
    assert State.open(url, host="b").keys() == ()
    State.open(url, host="b").save_keys([replace(KEY, public_key="BBBB")])
    assert State.open(url, host="a").keys() == (KEY,)


class TestReadOnly:
    def test_makes_nothing(self, tmp_path: Path, file_url: str) -> None:
        """A state that does not exist reads as empty, and still does not exist."""
        state = State.open(file_url, read_only=True)
        assert state.keys() == () and state.ledger() == () and state.events(3) == () and state.zone("x.org") is None
        assert list(tmp_path.iterdir()) == []
        with pytest.raises(StateError, match="reading only"):
            state.save_keys([KEY])

    def test_a_database_without_tables(self, url: str) -> None:
        """A state that nobody made yet reads as empty, and reading makes no table."""
        for _ in range(2):
            state = State.open(url, read_only=True)
            assert state.keys() == () and state.zone("x.org") is None

    def test_refuses_to_write(self, url: str) -> None:
        """A write into a state that is open for reading is refused, and changes nothing."""
        State.open(url).save_keys([KEY])
        with pytest.raises(StateError):
            State.open(url, read_only=True).save_keys([replace(KEY, selector="x")])
        assert State.open(url).keys() == (KEY,)

    def test_changes_nothing(self, tmp_path: Path, file_url: str) -> None:
        """A write into a state that is open for reading is refused, octet for octet."""
        State.open(file_url).save_keys([KEY])
        before = (tmp_path / "state.db").read_bytes()
        with pytest.raises(StateError):
            State.open(file_url, read_only=True).save_keys([replace(KEY, selector="x")])
        assert (tmp_path / "state.db").read_bytes() == before


class TestTrouble:
    def test_newer_schema(self, url: str) -> None:
        """A state of a newer dnssync is not touched."""
        State.open(url)
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        with engine.begin() as database:
            database.execute(sa.text("update meta set value = '99' where name = 'schema'"))
        with pytest.raises(StateError, match="newer dnssync"):
            State.open(url)

    def test_made_by_two_at_once(self, url: str) -> None:
        """Two processes that find no tables: both go on, and the tables are made once."""
        code = "import sys; from dnssync.state import State; State.open(sys.argv[1], host=sys.argv[2])"
        both = [
            subprocess.Popen([sys.executable, "-c", code, url, f"host{n}"], stderr=subprocess.PIPE) for n in range(4)
        ]
        assert [(each.communicate()[1], each.returncode) for each in both] == [(b"", 0)] * 4

    def test_not_a_database(self, tmp_path: Path, file_url: str) -> None:
        """Something else under that name is told, with what to do."""
        (tmp_path / "state.db").write_text("this is no database at all, and long enough to be looked at as one")
        with pytest.raises(StateError, match="not a database, or damaged"):
            State.open(file_url)

    def test_no_directory(self, tmp_path: Path) -> None:
        """A directory that is missing is told."""
        with pytest.raises(StateError, match="cannot be opened"):
            State.open(f"sqlite:///{tmp_path}/none/state.db")

    @pytest.mark.parametrize("bad", ["nonsense", "foo://x/y", "sqlite://", "sqlite:///relative.db"])
    def test_url(self, bad: str) -> None:
        """A URL that cannot work is told without a traceback, and makes no file."""
        with pytest.raises(StateError, match="state:"):
            State.open(bad)
        assert not Path("relative.db").exists() and not Path("sqlite:").exists()

    def test_password_is_not_told(self) -> None:
        """A database that cannot be reached is told without its password."""
        with pytest.raises(StateError) as caught:
            State.open("postgresql+psycopg://dnssync:geheim@127.0.0.1:1/x")
        assert "geheim" not in str(caught.value)


V1_KEYS = (
    "create table keys (host varchar(255) not null, domain varchar(255) not null, selector varchar(255) not null, algorithm varchar(16) not null, "
    "public_key text not null, generated bigint not null, seen bigint, published bigint, activated bigint, retired bigint, revoked bigint, "
    "removed bigint, season bigint not null, overlap bigint not null, adopted boolean not null, record text not null, "
    "primary key (host, domain, selector))"
)


V2_ZONES = (
    "create table zones (host varchar(255) not null, zone varchar(255) not null, last_read bigint not null, last_pass bigint not null, "
    "result text not null, rrsets integer not null, primary key (host, zone))"
)
TO_4 = ("alter table zones drop column min_ttl", "alter table zones drop column max_ttl")
TO_3 = ("drop table tries", "update zones set failures = 0, next_try = null")
TO_2 = (
    "drop table troubles",
    "drop table zones",
    V2_ZONES,
    "insert into zones values ('localhost', 'example.org', 1, 2, 'ok', 3)",
)
TO_1 = (
    "drop table clocks", "drop table keys", V1_KEYS,
    "insert into keys values ('localhost', 'example.org', 's1', 'rsa2048', 'AAAA', 1, 2, 3, 4, null, null, null, 5, 6, false, '')",
)  # fmt: skip


class TestOlderSchema:
    @pytest.fixture(params=["1", "2", "3", "4"])
    def version(self, request: pytest.FixtureRequest) -> str:
        """Each version that a state may have."""
        return str(request.param)

    @pytest.fixture
    def old(self, url: str, version: str) -> str:
        """A state as that version left it, with one key and one zone in it."""
        state = State.open(url)
        state.save_keys([replace(KEY, seen=2, published=3, activated=4, adopted=False, record="")])
        state.save_zone(ZoneRecord("example.org", 1, 2, "ok", 3))
        with sa.create_engine(url, poolclass=sa.NullPool).begin() as database:
            told = f"update meta set value = '{version}' where name = 'schema'"
            for statement in (
                *TO_4,
                *(TO_3 if version < "4" else ()),
                *(TO_2 if version < "3" else ()),
                *(TO_1 if version == "1" else ()),
                told,
            ):
                database.execute(sa.text(statement))
        return url

    def test_read_as_it_is(self, old: str, version: str) -> None:
        """Who only reads changes nothing, and what that version did not know reads as nothing."""
        state = State.open(old, read_only=True)
        want = KeyPair("example.org", "s1", "rsa2048", "AAAA", 1, 2, 3, 4, season=5, overlap=6)
        assert state.keys() == (want,) and state.clock() is None and state.troubles() == ()
        assert state.zone("example.org") == ZoneRecord("example.org", 1, 2, "ok", 3) and state.tries() == ()
        with sa.create_engine(old, poolclass=sa.NullPool).connect() as database:
            assert database.execute(sa.text("select value from meta where name = 'schema'")).scalar() == version

    def test_carried_over(self, old: str) -> None:
        """The first who writes brings it up to date; nothing is lost, and everything new can be kept."""
        state = State.open(old)
        [key] = state.keys()
        assert key == KeyPair("example.org", "s1", "rsa2048", "AAAA", 1, 2, 3, 4, season=5, overlap=6)
        full = replace(key, called=7, compromised=8, recalled=9, purged=10, season_because="a", overlap_because="b")
        state.save_keys([full])
        reading = Reading(1, 2.5, "boot", 3)
        state.save_clock(replace(reading, doubted=None))
        state.save_clock(reading)
        state.save_zone(ZoneRecord("example.org", 1, 2, "failed", 3, 4, 5, 60, 86400))
        trouble = Trouble("example.org", "refused", "cname", "it stands there", 6)
        state.save_troubles(["example.org"], [trouble], 6)
        state.save_tries(["example.org"], [ProviderTry("example.org", "theirs", 2, 9, "it is gone")])
        again = State.open(old, read_only=True)
        assert again.keys() == (full,) and again.clock() == reading and again.troubles() == (trouble,)
        assert again.tries() == (ProviderTry("example.org", "theirs", 2, 9, "it is gone"),)
        assert again.zone("example.org") == ZoneRecord("example.org", 1, 2, "failed", 3, 4, 5, 60, 86400)
