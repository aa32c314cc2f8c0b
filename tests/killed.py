"""Passes in processes of their own, each of which can be killed at any of its side effects: `kill -9`, nothing is cleaned up.

    with Passes() as passes:
        done = passes.run(config, now=…)                 # → code, output, how many side effects there were, when to look again
        passes.run(config, now=…, die=7).signal          # → 9: it died just before its eighth

A side effect is a commit of SQLite (what a transaction did before that is nothing yet), a file opened for writing, renamed,
linked or deleted, a folder made, and a request over HTTP. The process is forked from one that has everything imported; exim's answers are the recorded sample's.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FILES = {"os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir"}


@dataclass(frozen=True)
class Done:
    """How a process ended: its exit code or the signal that killed it, what it printed, its side effects, and when the next pass
    is to be."""

    code: int | None
    signal: int | None
    told: str = ""
    effects: tuple[str, ...] = ()
    wake: int | None = None


class Passes:
    """The process that the others are forked from, as a context."""

    def __enter__(self) -> Passes:
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from tests.killed import serve; serve()"], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=60)

    def run(self, config: Path, *args: str, now: float, die: int | None = None, kinds: Sequence[str] = ()) -> Done:
        """One command, killed just before that side effect; of `kinds` (file, sql, http) only, where any are given."""
        assert self._process.stdin is not None and self._process.stdout is not None
        order = {"config": str(config), "args": args, "now": now, "die": die, "kinds": kinds}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return Done(**{**answer, "effects": tuple(answer.get("effects", ()))})


def serve() -> None:
    """Fork a process for each order on standard input, and tell on standard output how it ended."""
    _warm_up()
    for line in sys.stdin:
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            code = 99
            try:
                os.close(reading)
                code = _live(json.loads(line), writing)
            finally:
                os._exit(code)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            told = pipe.read()
        _, status = os.waitpid(pid, 0)
        dead = os.WIFSIGNALED(status)
        ended = (
            {"code": None, "signal": os.WTERMSIG(status)} if dead else {"code": os.WEXITSTATUS(status), "signal": None}
        )
        print(json.dumps({**(json.loads(told) if told else {}), **ended}), flush=True)


def _warm_up() -> None:
    """Import, by using it once, what every pass uses; otherwise each process would do so again."""
    import dns.zone
    import octodns
    import sqlalchemy as sa
    import yaml
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from dnssync_providers import gandi, zonefile
    from rich.console import Console

    from dnssync import assemble, config, keystore, state_schema
    from dnssync.cli import apply
    from dnssync.demo import sample, stage

    assert all((octodns, yaml, gandi, zonefile, assemble, config, state_schema, apply, sample))
    for key in (ed25519.Ed25519PrivateKey.generate(), rsa.generate_private_key(65537, 1024)):
        keystore.public_half(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    dns.zone.from_text(stage.ZONE + 'x IN SPF "v=spf1"\n', origin=stage.DOMAIN)
    Console(file=io.StringIO()).print("x", style="red")
    with sa.create_engine("sqlite://").connect() as connection:
        connection.execute(sa.select(1))


def _live(order: dict[str, Any], writing: int) -> int:
    """One command, as the command line runs it, with the order's clock; its exit code."""
    from dnssync import assemble
    from dnssync.cli import run
    from dnssync.cli.context import Context
    from dnssync.demo import sample, stage

    effects: list[str] = []
    _strike(order, effects)
    out, wakes = io.StringIO(), list[int]()

    def line(config: Any, **options: Any) -> Any:
        made = assemble.line(config, **options)
        keys, plan = made.keystore, made.plan

        def observe(names: Sequence[str], recipients: Sequence[str]) -> Any:
            return sample.observe(stage.DOMAIN, "mx.elsewhere.example", stage.IP, config.exim.map, keys, recipients)

        def planned(*args: Any, **named: Any) -> Any:
            seen, got = plan(*args, **named)
            wakes[:] = [step.wake for step in got.steps.values() if step.wake is not None]
            return seen, got

        made.observe_host, made.plan = observe, planned
        return made

    context = Context(now=lambda: order["now"], environ={}, stdin=io.StringIO(), stdout=out, stderr=out, make_line=line,
                      disciplined=lambda: None)  # fmt: skip
    code = run(["-c", order["config"], *order["args"]], context)
    told = json.dumps({"told": out.getvalue(), "effects": effects, "wake": min(wakes, default=None)})
    with os.fdopen(writing, "w") as pipe:
        pipe.write(told)
    return code


def _strike(order: dict[str, Any], effects: list[str]) -> None:
    """Count the side effects of this process from now on, and kill it before the one that was ordered."""
    import sqlalchemy as sa

    folder = str(Path(order["config"]).parent)

    def effect(kind: str, what: str) -> None:
        if order["kinds"] and kind not in order["kinds"]:
            return
        if len(effects) == order["die"]:
            os.kill(os.getpid(), signal.SIGKILL)
        effects.append(f"{kind} {what}")

    def heard(event: str, args: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(args[2], int) and args[2] & os.O_ACCMODE != os.O_RDONLY:
            if str(args[0]).startswith(folder) and not str(args[0]).endswith(("/state.db", "/lock")):
                effect("file", f"open {Path(str(args[0])).name}")
        elif event in FILES:
            effect("file", f"{event} {Path(str(args[0])).name}")
        elif event == "http.client.send":
            effect("http", bytes(args[1][:40]).decode(errors="replace"))

    def committed(_conn: Any) -> None:
        effect("sql", "commit")

    sa.event.listen(sa.Engine, "commit", committed)
    sys.addaudithook(heard)
