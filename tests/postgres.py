"""A real PostgreSQL on a socket of the test's own: no port, no password, nothing that outlives the session."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

NEWEST = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), default=None)


class Postgres:
    """The server; `database()` gives the URL of an empty database."""

    def __init__(self, folder: Path) -> None:
        assert NEWEST is not None
        self._folder, self._made = folder, 0
        # It refuses to run as root; Debian's package has a user for it.
        self._as: dict[str, Any] = (
            {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        )
        if self._as:
            shutil.chown(folder, "postgres", "postgres")
        self._call(
            "initdb", "--no-sync", "-A", "trust", "-U", "dnssync", "-E", "UTF8", "--locale=C", "-D", folder / "data"
        )
        self._call("pg_ctl", "-w", "-s", "-D", folder / "data", "-l", folder / "log",
                   "-o", f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off", "start")  # fmt: skip

    def _call(self, name: str, *args: object) -> None:
        command = [NEWEST / name, *args]  # type: ignore[operator]
        done = subprocess.run(command, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True, **self._as)  # fmt: skip
        assert done.returncode == 0, done.stderr

    def database(self) -> str:
        """An empty database's URL."""
        self._made += 1
        with psycopg.connect(host=str(self._folder), user="dnssync", dbname="postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE test{self._made}")  # type: ignore[arg-type]
        return f"postgresql+psycopg://dnssync@/test{self._made}?host={self._folder}"

    def close(self) -> None:
        """Stop it, at once."""
        self._call("pg_ctl", "-w", "-s", "-D", self._folder / "data", "-m", "immediate", "stop")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for the session, in a folder whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="dnssync-pg-") as folder:
        server = Postgres(Path(folder))
        yield server
        server.close()
