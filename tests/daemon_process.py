"""`dnssync run` as a process of its own, under a supervisor: the socket that it notifies is the test's.

with DaemonProcess(config) as daemon:
    daemon.wait("READY=1")                  # until a message has that line; later ones only with `after`
    daemon.wait(lambda m: "2 domains" in m.get("STATUS", ""))
    daemon.send(signal.SIGTERM)
    assert daemon.end() == 0
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIMIT = 120.0  # seconds; generous, since a busy machine is slow and not wrong
Message = dict[str, str]


def until(true: Callable[[], object], what: Callable[[], str] = lambda: "", limit: float = LIMIT) -> None:
    """Wait until something is true; `what` tells more where it never is. A `limit` is given where later it would be true anyhow."""
    end = time.monotonic() + limit
    while not true():
        assert time.monotonic() < end, f"it never came: {true}\n{what()}"
        time.sleep(0.05)


class DaemonProcess:
    """The daemon on a configuration, as a context. `environ` adds to its environment, `watchdog` in seconds sets one; `abstract`
    gives it a socket without a place in the file system; `main` is what its Python runs, `start` what starts
    that Python."""

    def __init__(
        self,
        config: Path,
        *,
        environ: Mapping[str, str] | None = None,
        watchdog: float = 0.0,
        abstract: bool = False,
        main: str = "from dnssync.cli import main; main()",
        start: Sequence[str] = (sys.executable,),
    ) -> None:
        self.config, self._main, self._start = config, main, start
        self.messages: list[Message] = []
        self._folder = tempfile.TemporaryDirectory(prefix="dnssync-notify-")
        name = f"{self._folder.name}/notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + name if abstract else name)
        self._environ = {
            **{k: v for k, v in os.environ.items() if k not in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")},
            "NOTIFY_SOCKET": "@" + name if abstract else name,
            **({"WATCHDOG_USEC": str(int(watchdog * 1_000_000))} if watchdog else {}),
            **(environ or {}),
        }
        self._log = Path(self._folder.name) / "stderr"

    def __enter__(self) -> DaemonProcess:
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        self.start()
        return self

    def start(self) -> None:
        """Start it, once more where it has ended."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self._start, "-c", self._main, "-c", str(self.config), "run"],
                cwd=ROOT, env=self._environ, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            )  # fmt: skip

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(timeout=LIMIT)
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(LIMIT)
        self._socket.close()
        self._folder.cleanup()

    def _listen(self) -> None:
        while data := self._socket.recv(65536):
            lines = data.decode().splitlines()
            self.messages.append(dict(line.partition("=")[::2] for line in lines))

    def log(self) -> str:
        """What it wrote to standard output and error so far."""
        return self._log.read_text()

    def wait(self, wanted: str | Callable[[Message], object], after: int = 0) -> Message:
        """The first message after so many that has this line, or for which this is true."""
        if isinstance(wanted, str):
            name, _, value = wanted.partition("=")

            def true(message: Message) -> object:
                return message.get(name) == value
        else:
            true = wanted
        at = after
        end = time.monotonic() + LIMIT
        while True:
            if at < len(self.messages):
                if true(self.messages[at]):
                    return self.messages[at]
                at += 1
                continue
            ended = self.process.poll()
            assert ended is None, f"it ended with {ended}, and had not said {wanted}:\n{self.log()}"
            assert time.monotonic() < end, f"it never said {wanted}: {self.messages[after:]}\n{self.log()}"
            time.sleep(0.02)

    def status(self, words: str, after: int = 0) -> str:
        """The first status after so many messages that has these words in it."""
        return self.wait(lambda message: words in message.get("STATUS", ""), after)["STATUS"]

    def logged(self, words: str, times: int = 1) -> None:
        """Wait until it has logged these words so often."""
        end = time.monotonic() + LIMIT
        while self.log().count(words) < times:
            assert self.process.poll() is None and time.monotonic() < end, f"not logged: {words}\n{self.log()}"
            time.sleep(0.02)

    def send(self, number: signal.Signals) -> int:
        """Send it a signal; the number of messages so far."""
        so_far = len(self.messages)
        self.process.send_signal(number)
        return so_far

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send it a signal and wait for its end; the exit code."""
        self.send(number)
        return self.process.wait(timeout=LIMIT)
