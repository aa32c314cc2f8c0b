"""The daemon in a process of its own whose hook after each pass waits for the test: `began` and `go on` are files in a folder."""

from __future__ import annotations

import logging
import os
import sys
import time
from pathlib import Path

from dnssync import identity
from dnssync.cli.context import Context
from dnssync.cli.daemon import _opener
from dnssync.config import load
from dnssync.daemon import Daemon
from dnssync.notify import Notifier
from dnssync.one_pass import PassResult
from dnssync.state import State

FOLDER = "HOOKED_FOLDER"
MAIN = "from tests.daemon.hooked import main; main()"


def main() -> None:
    """The daemon on the configuration that stands after `-c`."""
    folder, config = Path(os.environ[FOLDER]), Path(sys.argv[-2])
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    def broken(result: PassResult) -> None:
        raise ZeroDivisionError("this hook is broken")

    def waits(result: PassResult) -> None:
        assert result.report is not None and result.state is not None and result.started <= result.ended
        (folder / "began").write_text(f"{len(result.report.decision.zones)} zones of {len(result.config.zones)}")
        while not (folder / "go on").exists():
            time.sleep(0.02)

    def watch(_: object) -> State:
        made = load(config)
        return State.open(made.state, host=identity.rows(made.keys), read_only=True)

    daemon = Daemon(lambda: load(config), _opener(Context()), watch, Notifier(os.environ), after=[broken, waits])
    sys.exit(daemon.run())
