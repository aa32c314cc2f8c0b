"""How the state's SQLite file is opened, and what a database's complaints mean for a person."""

from __future__ import annotations

import contextlib
import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnssync.errors import StateError
from dnssync.files import there

if TYPE_CHECKING:
    import sqlite3

    import sqlalchemy as sa

MODE = 0o640  # of a state file that is made
ANSWER = 10  # seconds that a database server has to answer who connects
DEAD = 30  # seconds after which a line on which nothing comes back is given up
# libpq's own, by the names of its parameters: where the server's machine is gone, a statement would wait for minutes, or for ever.
LIMITS = {
    "connect_timeout": ANSWER,
    "tcp_user_timeout": DEAD * 1000,
    "keepalives_idle": DEAD // 3,
    "keepalives_interval": DEAD // 6,
    "keepalives_count": 4,
}
MAKING = 0x646E7373796E63  # the advisory lock of those who make tables: "dnssync" as octets


def engine_for(url: str, read_only: bool) -> tuple[sa.Engine | None, str]:
    """The engine of a URL, and how to name the state to people; None where there is nothing yet to read from.

    Raises `StateError` for a URL that cannot work; a password in it is not told.
    """
    import sqlalchemy as sa

    try:
        parsed = sa.make_url(url)
        where = parsed.database or ""
        if parsed.get_backend_name() != "sqlite":
            return _server(parsed, read_only), parsed.render_as_string(hide_password=True)
        if not where.startswith("/"):
            raise StateError("state: SQLite needs an absolute path: sqlite:////var/lib/dnssync/state.db")
        return (None if read_only and not there(Path(where), StateError) else sqlite(where, read_only)), where
    except (sa.exc.ArgumentError, ImportError) as error:
        raise StateError(f"state: there is no database driver for that URL here ({type(error).__name__}). For SQLite write "
                         "sqlite:////var/lib/dnssync/state.db; for PostgreSQL install psycopg.") from None  # fmt: skip


def _server(url: sa.URL, read_only: bool) -> sa.Engine:
    """A database server; `read_only` is a matter of its transactions, so that a mistake of ours cannot write either."""
    import sqlalchemy as sa

    options = {"postgresql_readonly": True} if read_only and url.get_backend_name() == "postgresql" else {}
    libpq = url.get_backend_name() == "postgresql" and url.get_driver_name() in ("psycopg", "psycopg2")
    limits = {name: value for name, value in LIMITS.items() if name not in url.query} if libpq else {}
    # Between two passes of a daemon the server may have been started anew: a dead connection is noticed and replaced.
    return sa.create_engine(url, execution_options=options, connect_args=limits, pool_pre_ping=True, pool_size=1)


def alone(connection: sa.Connection) -> None:
    """Let nobody else make or migrate tables until this transaction ends; SQLite's own lock does so anyway."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MAKING})")


@functools.cache
def rows_query(table: sa.Table, there: frozenset[str] | None, equal: tuple[str, ...], order: Any) -> sa.Select[Any]:
    """A host's rows; parameters are the host, and a value for each column of `equal`. `there`: the columns that an older schema has."""
    import sqlalchemy as sa

    same = [table.c[name] == sa.bindparam(name) for name in ("host", *equal)]
    return sa.select(*(c for c in table.c if there is None or c.name in there)).where(*same).order_by(order)


@functools.cache
def overwriting(table: sa.Table) -> sa.Update:
    """The update of one row, known by its primary key (parameters `same_…`), with the columns that are given."""
    import sqlalchemy as sa

    return table.update().where(*(column == sa.bindparam(f"same_{column.name}") for column in table.primary_key))


def _make(file: Path) -> None:
    """An empty file where there is none, not for everybody's eyes; SQLite's own files take their modes from it."""
    with contextlib.suppress(OSError):  # there already, or SQLite says what is wrong
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
        os.fchmod(handle, MODE)
        os.close(handle)


def sqlite(path: str, read_only: bool) -> sa.Engine:
    """An SQLite file that survives a crash at any moment; `read_only` never makes or changes it."""
    import sqlite3

    import sqlalchemy as sa
    from sqlalchemy.pool import NullPool

    def connect() -> sqlite3.Connection:
        file = Path(path).resolve()
        # A writer that died in mid-commit leaves a journal, and only a connection that may write can undo what it did.
        undo = read_only and there(Path(f"{file}-journal"), StateError)
        mode = "rw" if undo else "ro" if read_only else "rwc"
        if not read_only:
            _make(file)
        connection = sqlite3.connect(f"{file.as_uri()}?mode={mode}", uri=True, timeout=30, isolation_level=None)
        try:
            if read_only:
                connection.execute("PRAGMA query_only=ON")
            else:
                # A crash at any moment leaves the state of before or after, never something between.
                connection.execute("PRAGMA journal_mode=DELETE")
                connection.execute("PRAGMA synchronous=FULL")
        except BaseException:
            connection.close()
            raise
        return connection

    engine = sa.create_engine("sqlite://", creator=connect, poolclass=NullPool)

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        # The driver's own transactions begin at the first write, too late for two processes that make the tables at once.
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def sentence(where: str, error: str) -> str:
    """A database's own words as a sentence for a person: what is wrong with which state, and what to do."""
    remedies = (
        ("full", "the disk is full. Make room and run dnssync again; what was kept before is untouched"),
        ("readonly", "it cannot be written: its file or file system is read-only for this user. Run dnssync as root or as its owner; "
                     "where the file is root's by mistake: chown --reference={folder} {where}"),
        ("read-only", "it cannot be written: its file or file system is read-only for this user. Run dnssync as root or as its owner"),
        ("unable to open", "it cannot be opened. See that its directory exists and belongs to the user that runs dnssync"),
        ("not a database", "it is not a database, or damaged. Move it away and run dnssync again: keys and equal records are "
                           "taken on again, everything else waits for --adopt"),
        ("malformed", "it is damaged. Move it away and run dnssync again: keys and equal records are taken on again, "
                      "everything else waits for --adopt"),
        ("disk i/o error", "the disk refuses to read or write it. See the kernel's log, and the limit on file sizes (ulimit -f)"),
        ("locked", "another process holds it. Wait for that to end and run dnssync again"),
    )  # fmt: skip
    for word, told in remedies:
        if word in error.lower():
            return f"The state {where}: {told.format(where=where, folder=Path(where).parent)}."
    return f"The state {where} cannot be used: {' '.join(error.split()).rstrip('.?')}."
