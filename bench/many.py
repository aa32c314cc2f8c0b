"""A mail host with many zones at Gandi, a month after its first day: two real BIND, real exim, and the stand-in for Gandi in its own process.

    with many(folder, zones=1000) as site:
        site.run("plan")                # the command as a process of its own: `Cost`
        with site.daemon() as daemon:
            daemon.one()                # a pass of a daemon that goes on: `Cost`

    python bench/many.py N [--keep FOLDER]

prints how to run things by hand, and keeps everything running until Enter or SIGTERM.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import many_zones as stock
from bench.gandi_apart import Apart
from bench.startup import compiled
from dnssync import identity, signing_map
from dnssync.keystore import Keystore
from dnssync.state import State
from tests.bind import Bind
from tests.exim_host import EximHost

ROOT = Path(__file__).parents[1]

COMMAND = Path(sys.executable).parent / "dnssync"


@dataclass
class Cost:
    """What something cost: seconds, megabytes, and requests to the provider by the status of their answers."""

    wall: float
    cpu: float
    rss: float
    requests: dict[str, int]
    writes: int = 0
    code: int = 0
    out: str = field(default="", repr=False)

    @property
    def asked(self) -> int:
        """All requests."""
        return sum(self.requests.values())


class Server(Bind):
    """named with zones that nobody may change or transfer. `like`: it serves the files of another one."""

    def __init__(self, folder: Path, zones: dict[str, str], like: Server | None = None) -> None:
        super().__init__(folder, zones, transfer="none;")
        self._files = like.folder if like is not None else folder
        self._like = like

    def zone_file(self, zone: str) -> Path:
        """See `Bind`."""
        return self._files / f"{zone}.zone"

    def __enter__(self) -> Self:
        self.folder.mkdir()
        if self._like is None:
            for zone, text in self.zones.items():
                self.zone_file(zone).write_text(text)
        self.start()
        return self

    def start(self, policy: str = "") -> None:
        """Run named until it has all zones. It is not asked whether it is there, since it answers few such questions a second."""
        argv, log = self._configured(), self.folder / "named.log"
        with log.open("wb") as file:
            self.process = subprocess.Popen(argv, stdout=file, stderr=file)
        for _ in range(3000):
            if "all zones loaded" in log.read_text():
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        self.stop()
        raise RuntimeError(f"named did not start:\n{log.read_text()[-3000:]}")

    def _block(self, zone: str) -> str:
        return f'zone "{zone}" {{ type primary; file "{self.zone_file(zone)}"; check-names ignore; }};'


class Passes:
    """A daemon that makes a pass when it is told to; see `bench/passes.py`."""

    def __init__(self, site: Many) -> None:
        self._site = site

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, str(ROOT / "bench/passes.py"), str(self._site.config)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._site.log.open("a"), text=True, env=self._site.env,
        )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()

    def one(self) -> Cost:
        """One pass."""
        assert self._process.stdin is not None and self._process.stdout is not None
        before, writes = self._site.gandi.count(), self._site.gandi.writes()
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the daemon has ended; see {self._site.log}")
        told = json.loads(line)
        if told["error"]:
            raise RuntimeError(told["error"])
        requests = dict(self._site.gandi.count() - before)
        return Cost(told["wall"], told["cpu"], told["rss"], requests, self._site.gandi.writes() - writes, told["failed"] + 2 * told["refused"])  # fmt: skip


class Many:
    """The host. `names` are its zones, `rows` what stood there at the provider in the beginning, `config` its configuration file; `log` what its processes have to say."""

    def __init__(self, folder: Path, count: int, exim: EximHost, servers: Sequence[Server], gandi: Apart) -> None:
        self.folder, self.count, self.exim, self.servers, self.gandi = folder, count, exim, servers, gandi
        self.names = stock.names(count)
        with (folder / "rows").open() as lines:
            self.rows: dict[str, list[stock.Row]] = dict(map(json.loads, lines))
        self.config, self.log = folder / "dnssync.yaml", folder / "log"
        self.env = compiled({k: v for k, v in os.environ.items() if k != "NOTIFY_SOCKET"})

    def write(self, defaults: str = "") -> None:
        """The configuration; `defaults` are lines of that section, indented by two."""
        servers = ", ".join(server.server for server in self.servers)
        lines = [
            "providers:",
            f"  gandi: {{class: gandi, token: {self.gandi.token}, endpoint: '{self.gandi.endpoint}'}}",
            *(["defaults:", defaults.rstrip("\n")] if defaults else []),
            "zones:",
        ]
        for name in self.names:
            lines += [f"  {name}:", "    provider: gandi", f"    nameservers: [{servers}]"]
        lines += [
            "exim:",
            f"  command: {json.dumps(list(self.exim.command))}",
            f"  map: {self.exim.map}",
            f"addresses: [{stock.IP}]",
            f"keys: {self.exim.keys}",
            f"state: sqlite:///{self.folder}/state/state.db",
            "schedule: {check: never}",
            "alerts: {mail: []}",
        ]
        self.config.write_text("\n".join(lines) + "\n")

    def run(self, *args: str) -> Cost:
        """The command with these arguments."""
        return self.cost([str(COMMAND), "-c", str(self.config), *args])

    def cost(self, argv: Sequence[str], env: dict[str, str] | None = None, given: Path = Path(os.devnull)) -> Cost:
        """Whatever command, as a process of its own, with those that it starts; `given` is what it reads."""
        before, writes = self.gandi.count(), self.gandi.writes()
        out = self.folder / "out"
        small = [sys.executable, "-I", "-S", str(ROOT / "bench/spent.py"), str(out), *argv]
        with given.open("rb") as source:
            done = subprocess.run(small, stdin=source, capture_output=True, env=env or self.env, check=True)
        told = json.loads(done.stdout)
        requests = dict(self.gandi.count() - before)
        return Cost(**told, requests=requests, writes=self.gandi.writes() - writes, out=out.read_text(errors="replace"))

    def daemon(self) -> Passes:
        """A daemon of its own, as a context."""
        return Passes(self)

    def daemon_passes(self, count: int) -> list[Cost]:
        """So many passes of one daemon; the first is that after its start."""
        with self.daemon() as daemon:
            return [daemon.one() for _ in range(count)]

    def keep(self) -> None:
        """Remember the state as it is."""
        shutil.rmtree(self.folder / "kept", ignore_errors=True)
        shutil.copytree(self.folder / "state", self.folder / "kept")

    def back(self) -> None:
        """State and provider as they were at `keep`, where the provider was as in the beginning."""
        for old in (self.folder / "state").iterdir():
            old.unlink()
        for kept in (self.folder / "kept").iterdir():
            shutil.copy2(kept, self.folder / "state")
        self.gandi.restore()

    def settle(self) -> None:
        """The first passes: values that stand there already are taken on; then nothing is left to be written."""
        self.write()
        first = self.run("apply", "--yes")
        if first.code or first.writes:
            raise RuntimeError(f"the first pass was to find all in order ({first.writes} writes):\n{first.out[-3000:]}")
        again = self.run("run", "--once")
        if again.code or again.writes:
            raise RuntimeError(f"something was left to do ({again.writes} writes):\n{again.out[-3000:]}")


def _stock(folder: Path, count: int, exim: EximHost) -> dict[str, str]:
    """Fill keys, map and state; the file `rows` for the stand-in. → the zones as master files."""
    made, now = stock.pairs(folder / "pairs"), int(time.time())
    store = Keystore(exim.keys)
    store.name_host(stock.HOST)
    masters, lines, every = {}, {}, []
    with (folder / "rows").open("w") as rows:
        for number, zone in enumerate(stock.names(count)):
            keys = stock.keys_of(number, zone, made, now)
            for key, pem in keys:
                exim.key(zone, key.selector, pem)
            pairs = [key for key, _ in keys]
            here = stock.rows(zone, pairs)
            rows.write(json.dumps([zone, here]) + "\n")
            masters[zone] = stock.master(zone, here)
            lines[zone] = stock.line_of(pairs)
            every += pairs
    signing_map.write(exim.map, lines, previous={})
    (folder / "state").mkdir()
    state = State.open(f"sqlite:///{folder}/state/state.db", host=identity.rows(exim.keys))
    with state.transaction():
        state.save_keys(every)
    return masters


@contextlib.contextmanager
def many(folder: Path, *, zones: int, latency: float = 0.0, a_minute: int | None = None) -> Iterator[Many]:
    """The host with so many zones, in steady state; `latency` (seconds) and `a_minute` (requests) are the provider's."""
    folder.mkdir(parents=True, exist_ok=True)
    domains = folder / "domains"
    domains.mkdir()
    domains.chmod(0o755)
    folder.chmod(0o755)
    for name in stock.names(zones):
        (domains / name).touch()
    local = f"MAIN_LOCAL_DOMAINS = @ : localhost : dsearch;{domains}"
    with EximHost(hostnames=(), hostname=f"{stock.HOST}.host.test", extra=local) as exim:
        exim.switched()
        masters = _stock(folder, zones, exim)
        with (
            Server(folder / "bind", masters) as one,
            Server(folder / "other", masters, one) as other,
            Apart(folder / "rows") as gandi,
        ):
            site = Many(folder, zones, exim, (one, other), gandi)
            site.settle()
            gandi.tell(latency=latency, a_minute=a_minute)
            yield site


def main() -> None:
    """Build it, measure once, and keep it."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("zones", type=int)
    words.add_argument("--keep", type=Path, metavar="FOLDER", help="where it is built; it stays until Enter or SIGTERM")
    words.add_argument("--latency", type=float, default=0.05, help="seconds before each answer of the provider")
    words.add_argument("--limit", type=int, default=None, help="requests a minute that the provider takes")
    words.add_argument("--passes", type=int, default=3, help="of a daemon, measured at the beginning")
    given = words.parse_args()
    folder = given.keep or Path(tempfile.mkdtemp(prefix="dnssync-many-"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    began = time.perf_counter()
    try:
        with many(folder, zones=given.zones, latency=given.latency, a_minute=given.limit) as site:
            print(f"{given.zones} zones in {time.perf_counter() - began:.0f} s")
            for number, cost in enumerate(site.daemon_passes(given.passes), 1):
                print(f"pass {number} of a daemon: {cost}")
            command = shlex.join([str(COMMAND), "-c", str(site.config)])
            print(
                f"{command} run --once\n{command} plan\n{sys.executable} bench/passes.py {site.config}   # a pass a line"
            )
            if given.keep:
                print("Enter or SIGTERM ends it.", flush=True)
                if not sys.stdin.readline():
                    signal.pause()
    finally:
        if not given.keep:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
