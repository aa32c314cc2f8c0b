"""`dnssync demo`: plan, apply, seen by DNS, keys sign, second plan empty; on this machine alone."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from dnssync.cli.context import Context, json_option
from dnssync.core.durations import duration
from dnssync.core.sighting import Question
from dnssync.demo import sample, stage
from dnssync.demo.nameserver import NameServer
from dnssync.errors import DnssyncError
from dnssync.identity import rows
from dnssync.reconcile import Line
from dnssync.resolver import Resolver
from dnssync.state import State


@click.command(name="demo")
@click.option("--keep", is_flag=True, help="Leave the folder behind, to look around in it.")
@json_option
@click.pass_obj
def command(context: Context, keep: bool) -> int:
    """Run the whole line on this machine alone: a made-up zone, a name server on loopback, a copy of this machine's exim (or a
    recorded sample). Nothing outside a temporary folder is changed.

    Exit codes: 0 everything came out as it should, 1 something did not.
    """
    folder = Path(tempfile.mkdtemp(prefix="dnssync-demo-"))
    try:
        story = _Story(context, stage.build(folder))
        return story.tell()
    finally:
        if keep:
            context.say(f"Everything is left in {folder}.")
        else:
            import shutil

            shutil.rmtree(folder, ignore_errors=True)


class _Story:
    """The commands of the demonstration, one after the other, with a clock that can be moved."""

    def __init__(self, context: Context, scene: stage.Stage) -> None:
        self._outer = context
        self._scene = scene
        self._moved = 0.0
        self._facts: dict[str, Any] = {"exim": scene.told, "steps": []}

    def tell(self) -> int:
        """Every step; 0 only if each came out as it should."""
        say, scene = self._outer.say, self._scene
        with NameServer({stage.DOMAIN: scene.zone_file}) as server:
            config = stage.write_config(scene, server.where)
            say(scene.told, "bold")
            say(f"{stage.IP} stands in for its public address. Everything happens in {scene.folder}.")
            self._head(f"The zone {stage.DOMAIN} as somebody wrote it, served by a name server on {server.where}")
            say(stage.ZONE.rstrip(), whole=True)
            self._head("dnssync's configuration")
            say(config.rstrip(), whole=True)
            before = scene.zone_file.read_text()
            self._run(2, "plan")
            self._run(0, "apply", "--yes")
            self._head("What the name server shows now")
            self._look(server.where)
            self._head(
                "A new key waits until no resolver can still believe that it does not exist. Here the clock is moved instead."
            )
            self._run(0, "apply", "--yes", "--wait")
            self._outer.say(
                f"(The clock that dnssync is given was moved by {duration(int(self._moved) // 60 * 60)}.)", "yellow"
            )
            self._run(0, "status")
            self._signing()
            self._run(0, "plan")
            self._kept(before)
        if self._outer.json:
            self._outer.emit({**self._facts, "exit": 0})
        say()
        say("Everything came out as it should.", "bold green")
        return 0

    def _head(self, text: str) -> None:
        self._outer.say()
        self._outer.say(text, "bold")

    def _run(self, wanted: int, *args: str) -> None:
        from dnssync.cli import run

        self._outer.say()
        self._outer.say("$ dnssync " + " ".join(args), "bold cyan")
        inner = Context(
            now=lambda: self._outer.now() + self._moved,
            sleep=self._move,
            environ=self._outer.environ,
            stdin=self._outer.stdin,
            stdout=self._outer.stderr if self._outer.json else self._outer.stdout,
            stderr=self._outer.stderr,
            make_line=self._line,
        )
        code = run(["-c", str(self._scene.config), *args], inner)
        self._facts["steps"].append({"command": " ".join(args), "exit": code})
        if code != wanted:
            raise DnssyncError(f"`dnssync {' '.join(args)}` ended with exit code {code}, not {wanted}: see above.")

    def _move(self, seconds: float) -> None:
        self._moved += seconds

    def _line(self, config: Any, **options: Any) -> Line:
        from dnssync import assemble

        line = assemble.line(config, **options)
        if self._scene.command is None:

            def observe(names: Sequence[str], recipients: Sequence[str]) -> Any:
                return sample.observe(
                    stage.DOMAIN, f"mx.{stage.DOMAIN}", stage.IP, config.exim.map, line.keystore, recipients
                )

            line.observe_host = observe
        return line

    def _look(self, server: str) -> None:
        """Every record of ours, asked of the name server."""
        state = State.open(f"sqlite:///{self._scene.state}/state.db", host=rows(self._scene.keys), read_only=True)
        entries = state.ledger(stage.DOMAIN)
        questions = [
            Question(f"{e.name}.{stage.DOMAIN}" if e.name else stage.DOMAIN, e.type, stage.DOMAIN) for e in entries
        ]
        seen = []
        for question, answer in Resolver({stage.DOMAIN: [server]}).look(questions).items():
            for text in answer.texts:
                self._outer.say(f'{question.name}. IN {question.type} "{text}"', whole=True)
                seen.append([question.name, question.type, text])
        self._facts["records"] = seen
        missing = [entry for entry in entries if not any(entry.value == text for _, _, text in seen)]
        if missing or not entries:
            raise DnssyncError(
                f"The name server does not show {', '.join(entry.name or '@' for entry in missing) or 'anything'}."
            )

    def _signing(self) -> None:
        """What exim itself says that it would sign with."""
        from dnssync import assemble
        from dnssync import config as configuration

        line = self._line(configuration.load(self._scene.config), read_only=True, environ=self._outer.environ)
        del assemble
        mail = line.observe_host([stage.DOMAIN], []).domain(stage.DOMAIN)
        signers = [signer for transport in (mail.transports if mail else ()) for signer in transport.signers]
        who = "exim" if self._scene.command else "The recorded sample"
        self._head(f"{who}, asked what it would sign mail of {stage.DOMAIN} with now")
        for signer in signers:
            self._outer.say(
                f"d={signer.domain} s={signer.selector} ({signer.algorithm})"
                + (f": {signer.problem}" if signer.problem else "")
            )
        self._facts["signers"] = [[signer.domain, signer.selector, signer.algorithm] for signer in signers]
        if {signer.algorithm for signer in signers if not signer.problem} != {"rsa2048", "ed25519"}:
            raise DnssyncError("That is not one RSA and one Ed25519 key.")

    def _kept(self, before: str) -> None:
        """Every line that somebody wrote still stands in the zone file; only the serial has moved."""
        after = self._scene.zone_file.read_text()
        self._head("The zone file now; every line that somebody wrote is still there, only the serial has moved")
        self._outer.say(after.rstrip(), whole=True)
        lost = [line for line in before.splitlines() if "SOA" not in line and line not in after.splitlines()]
        if lost:
            raise DnssyncError("The zone file has lost lines that are not dnssync's: " + " / ".join(lost))
