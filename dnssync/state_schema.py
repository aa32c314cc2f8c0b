"""The tables of the state, and how an older state becomes one of today. Every row carries the host from day one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

META = sa.MetaData()
VERSION = 5  # of the schema; a newer one than this is refused
WORDS = ("called", "compromised", "recalled", "purged")  # of version 2, as are the reasons and the clocks
REASONS = ("season_because", "overlap_because")
BOUNDS = ("min_ttl", "max_ttl")  # of version 5


def _host() -> sa.Column[Any]:
    return sa.Column("host", sa.String(255), primary_key=True)


meta = sa.Table(
    "meta",
    META,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
keys = sa.Table(
    "keys",
    META,
    _host(),
    sa.Column("domain", sa.String(255), primary_key=True),
    sa.Column("selector", sa.String(255), primary_key=True),
    sa.Column("algorithm", sa.String(16), nullable=False),
    sa.Column("public_key", sa.Text, nullable=False),
    *(sa.Column(name, sa.BigInteger, nullable=name != "generated") for name in
      ("generated", "seen", "published", "activated", "retired", "revoked", "removed")),
    sa.Column("season", sa.BigInteger, nullable=False),
    sa.Column("overlap", sa.BigInteger, nullable=False),
    sa.Column("adopted", sa.Boolean, nullable=False),
    sa.Column("record", sa.Text, nullable=False),
    *(sa.Column(name, sa.BigInteger) for name in WORDS),
    *(sa.Column(name, sa.Text, nullable=False, server_default="") for name in REASONS),
)  # fmt: skip
ledger = sa.Table(
    "ledger",
    META,
    _host(),
    sa.Column("zone", sa.String(255), primary_key=True),
    sa.Column("provider", sa.String(255), primary_key=True),
    sa.Column("name", sa.String(255), primary_key=True),
    sa.Column("type", sa.String(16), primary_key=True),
    sa.Column("owner", sa.String(16), primary_key=True),
    sa.Column("domain", sa.String(255), nullable=False),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("ttl", sa.BigInteger, nullable=False),
    sa.Column("applied_at", sa.BigInteger, nullable=False),
    sa.Column("added", sa.Text, nullable=False),
)
events = sa.Table(
    "events",
    META,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("host", sa.String(255), nullable=False, index=True),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.String(64), nullable=False),
    sa.Column("zone", sa.String(255), nullable=False),
    sa.Column("domain", sa.String(255), nullable=False),
    sa.Column("selector", sa.String(255), nullable=False),
    sa.Column("sentence", sa.Text, nullable=False),
    sa.Column("because", sa.Text, nullable=False),
)
requests = sa.Table(
    "requests",
    META,
    _host(),
    sa.Column("kind", sa.String(32), primary_key=True),
    sa.Column("subject", sa.String(255), primary_key=True),
    sa.Column("made_at", sa.BigInteger, nullable=False),
    sa.Column("until", sa.BigInteger),
)
addresses = sa.Table(
    "addresses",
    META,
    _host(),
    sa.Column("domain", sa.String(255), primary_key=True),
    sa.Column("ip", sa.String(64), primary_key=True),
    sa.Column("host_name", sa.String(255), nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("first_seen", sa.BigInteger, nullable=False),
    sa.Column("last_seen", sa.BigInteger, nullable=False),
)
zones = sa.Table(
    "zones",
    META,
    _host(),
    sa.Column("zone", sa.String(255), primary_key=True),
    sa.Column("last_read", sa.BigInteger, nullable=False),
    sa.Column("last_pass", sa.BigInteger, nullable=False),
    sa.Column("result", sa.Text, nullable=False),
    sa.Column("rrsets", sa.Integer, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
    sa.Column("next_try", sa.BigInteger),
    *(sa.Column(name, sa.BigInteger) for name in BOUNDS),
)
intents = sa.Table(
    "intents",
    META,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("host", sa.String(255), nullable=False, index=True),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("zone", sa.String(255), nullable=False),
    sa.Column("provider", sa.String(255), nullable=False),
    sa.Column("data", sa.Text, nullable=False),
    sa.Column("done", sa.Boolean, nullable=False),
)
clocks = sa.Table(
    "clocks",
    META,
    _host(),
    sa.Column("wall", sa.BigInteger, nullable=False),
    sa.Column("boot", sa.Float, nullable=False),
    sa.Column("boot_id", sa.String(64), nullable=False),
    sa.Column("doubted", sa.BigInteger),
)
troubles = sa.Table(
    "troubles",
    META,
    _host(),
    sa.Column("zone", sa.String(255), primary_key=True),
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("reason", sa.String(64), primary_key=True),
    sa.Column("subject", sa.String(255), primary_key=True),
    sa.Column("sentence", sa.Text, nullable=False),
    sa.Column("since", sa.BigInteger, nullable=False),
    sa.Column("told", sa.String(64), nullable=False),
    sa.Column("ended", sa.BigInteger),
)


tries = sa.Table(
    "tries",
    META,
    _host(),
    sa.Column("zone", sa.String(255), primary_key=True),
    sa.Column("provider", sa.String(255), primary_key=True),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("next_try", sa.BigInteger, nullable=False),
    sa.Column("sentence", sa.Text, nullable=False),
)


def _to_2(connection: sa.Connection) -> None:
    """The life of a key to its end: what persons said of keys, why they wait, and the clocks of the last pass."""
    for name in WORDS:
        connection.execute(sa.text(f"ALTER TABLE keys ADD COLUMN {name} BIGINT"))
    for name in REASONS:
        connection.execute(sa.text(f"ALTER TABLE keys ADD COLUMN {name} TEXT NOT NULL DEFAULT ''"))
    clocks.create(connection)


def _to_3(connection: sa.Connection) -> None:
    """What the last pass had to say, and since when it goes on; how often a zone failed, and when it is tried again."""
    connection.execute(sa.text("ALTER TABLE zones ADD COLUMN failures INTEGER NOT NULL DEFAULT 0"))
    connection.execute(sa.text("ALTER TABLE zones ADD COLUMN next_try BIGINT"))
    troubles.create(connection)


def _to_4(connection: sa.Connection) -> None:
    """How often one of several providers of a zone failed, and when that one is asked again."""
    tries.create(connection)


def _to_5(connection: sa.Connection) -> None:
    """Which TTLs the providers of a zone took when it was read last."""
    for name in BOUNDS:
        connection.execute(sa.text(f"ALTER TABLE zones ADD COLUMN {name} BIGINT"))


# From version N to N + 1; each takes a connection and leaves the tables of the next version. Forward only.
MIGRATIONS: dict[int, Callable[[sa.Connection], None]] = {1: _to_2, 2: _to_3, 3: _to_4, 4: _to_5}
