"""What a person agreed to: a plan in a file is enough to apply it, and with `--json` nobody is asked. exim is the recorded
sample's."""

from __future__ import annotations

import contextlib
import io
import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dnssync.cli import run
from dnssync.cli.context import Context
from dnssync.core.model import ProviderError
from dnssync.demo import stage
from tests.e2e.test_crash import Scene, open_folder
from tests.test_cli_wait import DOMAIN, OTHER, Pair
from tests.test_cli_words import Terminal

__all__ = ["open_folder"]


@pytest.fixture
def pair(open_folder: Path) -> Iterator[Pair]:
    """Two zones that are served, and nothing done to them yet."""
    made = Pair(open_folder / "pair")
    with made.served():
        yield made


def document(scene: Scene, *args: str) -> dict[str, object]:
    """What a command with --json tells at a terminal: one document, and nothing on standard error."""
    out, err = io.StringIO(), Terminal()
    context = Context(
        now=lambda: scene.now, environ={}, stdin=Terminal("y\n"), stdout=out, stderr=err, make_line=scene.line
    )
    code = run(["-c", str(scene.stage.config), *args, "--json"], context)
    told: dict[str, object] = json.loads(out.getvalue())
    assert err.getvalue() == "" and told["exit"] == code
    return told


class TestPlanFile:
    def test_of_one_zone(self, pair: Pair) -> None:
        """The zone that the plan was asked for is in the file, and the other one gets nothing."""
        file = str(pair.stage.folder / "one.json")
        assert pair.run("plan", "--out", file, OTHER) == 2
        before = pair.stage.zone_file.read_text()

        assert pair.run("apply", "--plan", file) == 0, pair.told.getvalue()
        assert pair.stage.zone_file.read_text() == before and "v=spf1" in pair.other.read_text()

    def test_that_takes_over(self, pair: Pair) -> None:
        """What was planned with --adopt is taken over without another word."""
        pair.other.write_text(pair.other.read_text() + f'{OTHER}. IN TXT "v=spf1 -all"\n')
        file = str(pair.stage.folder / "adopt.json")
        assert pair.run("plan", "--out", file) == 3
        assert pair.run("apply", "--adopt", "--plan", file) == 64
        assert pair.run("plan", "--adopt", "--out", file) == 2

        assert pair.run("apply", "--plan", file) == 0, pair.told.getvalue()
        assert f"ip4:{stage.IP}" in pair.other.read_text()

    def test_beside_other_names(self, pair: Pair) -> None:
        """Names that are not the file's are a mistake; the same ones are none."""
        file = str(pair.stage.folder / "one.json")
        assert pair.run("plan", "--out", file, OTHER) == 2
        assert pair.run("apply", "--plan", file, DOMAIN) == 64
        assert f"is a plan for {OTHER}; leave out the names beside --plan." in " ".join(pair.told.getvalue().split())
        assert pair.run("apply", "--plan", file, OTHER) == 0

    @pytest.mark.parametrize("content", ["{}", "[]", "x", '{"plans": [], "only": 1, "adopt": false}', '{"plans": []}'])
    def test_that_is_none(self, pair: Pair, content: str) -> None:
        """Another file is told as that."""
        file = pair.stage.folder / "none.json"
        file.write_text(content)
        assert pair.run("apply", "--plan", str(file)) == 1
        assert "is no plan; `dnssync" in pair.told.getvalue()


class TestJson:
    def test_apply_never_asks(self, pair: Pair) -> None:
        """At a terminal, too, nobody is asked about a plan that is not shown: refused, and --yes is named."""
        before = pair.stage.zone_file.read_text()
        told = document(pair, "apply")
        assert told["exit"] == 3 and "Say --yes" in str(told["error"]) and told["plans"]
        assert pair.stage.zone_file.read_text() == before
        assert document(pair, "apply", "--yes")["exit"] == 0

    def test_release(self, pair: Pair) -> None:
        """Without --yes that is refused, in a document."""
        told = document(pair, "release", DOMAIN)
        assert told["exit"] == 3 and "Say --yes" in str(told["error"])
        assert document(pair, "release", DOMAIN, "--yes") == {"zone": DOMAIN, "forgotten": 0, "exit": 0}

    @pytest.mark.parametrize(
        "args",
        [
            ("plan", "--nonsense"),
            ("plam",),
            ("confirm", "clock", "x.example"),
            ("plan", ""),
            ("freeze", DOMAIN, "--until", "x"),
        ],
    )
    def test_usage(self, pair: Pair, args: tuple[str, ...]) -> None:
        """A command line that is wrong is told in a document, wherever --json stands."""
        told = document(pair, *args)
        assert told["exit"] == 64 and told["error"] and told["mistakes"] == []

    @pytest.mark.parametrize("args", [("confirm", "clock"), ("freeze", DOMAIN), ("freeze", "--off", DOMAIN), ("exim", "--print"),
                                      ("init", "--print")])  # fmt: skip
    def test_exit(self, pair: Pair, args: tuple[str, ...]) -> None:
        """Every document has the exit code."""
        assert document(pair, *args)["exit"] == 0


def test_words_of_keys_that_are_ready(pair: Pair) -> None:
    """The phase is not told twice."""
    _, out = pair.wait()
    assert "  ready: exim's map names it, and the next pass looks" in out and "5 record sets written" in out
    assert re.search(r"ready: is ready", out) is None


class Unwritable:
    """Zones whose providers read as they do and write nothing."""

    def __init__(self, real: Any) -> None:
        self.limits, self._real = real.limits, real

    def provider(self, name: str) -> Any:
        """One of them."""
        real = self._real.provider(name)

        def write(zone: str, changes: object) -> tuple[str, ...]:
            raise ProviderError(f"{zone}: {name} takes nothing today.")

        return SimpleNamespace(limits=real.limits, read=real.read, write=write)


def test_writes_that_go_on_failing(pair: Pair) -> None:
    """However often the same write fails, one note of it stays in the state; once it succeeds, none."""

    def unwritable(config: Any, **options: Any) -> Any:
        line = pair.line(config, **options)
        line.zones = Unwritable(line.zones)
        return line

    def notes() -> int:
        with contextlib.closing(sqlite3.connect(pair.stage.state / "state.db")) as connection:
            return int(connection.execute("SELECT count(*) FROM intents").fetchone()[0])

    for _ in range(3):
        out = io.StringIO()
        context = Context(now=lambda: pair.now, environ={}, stdin=out, stdout=out, stderr=out, make_line=unwritable)
        assert run(["-c", str(pair.stage.config), "apply", "--yes", OTHER], context) == 1
        assert "takes nothing today" in out.getvalue()
        pair.now += 100
    assert notes() == 1
    assert pair.run("apply", "--yes", OTHER) == 0
    assert notes() == 0
