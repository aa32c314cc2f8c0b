"""A year of the daemon over a thousand zones: `make soak`, or `tests/soak_zones.py [ZONES [DAYS [HOURS]]]`, a pass every so many hours.

Everything is the daemon's own (passes, state, keys on disk, exim's map, log, metrics) but for what lies outside: the zones stand in
memory and DNS shows them at once, exim is asked by looking, and time is what the passes make of it. Tells how memory, open files
and the log grow; ends with 1 where one of them does so for good, or where at the end a domain is not in order.
"""

from __future__ import annotations

import gc
import io
import resource
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dnssync import clock, logs
from dnssync.cli import run
from dnssync.cli.context import Context
from dnssync.config import load
from dnssync.core.durations import DAY, HOUR
from dnssync.core.host import Address, Host, MailDomain, Signer, Transport
from dnssync.core.model import Phase
from dnssync.core.rotation import Policy, phase
from dnssync.core.sighting import Answer, Question, Rcode, Reply
from dnssync.keystore import Keystore, read_public
from dnssync.metrics import Metrics
from dnssync.one_pass import one_pass
from dnssync.reconcile import Line
from dnssync.signing_map import read as read_map
from dnssync.state import State
from dnssync.zones import Zones

START = 1_795_507_200
ZONE = "@ 3600 IN SOA ns hostmaster 1 3600 600 604800 300\n@ 3600 IN NS ns\n@ 3600 IN MX 10 mx\n@ 3600 IN A 192.0.2.25\nmx 3600 IN A 192.0.2.25\n"
GROWTH = 20.0  # KiB a simulated day, after the first quarter: what the interpreter itself may still add
DESCRIPTORS = Path("/proc/self/fd")


class Dns:
    """The name servers: they show at once what the provider holds."""

    def __init__(self, provider: object) -> None:
        self._zones = provider.zones  # type: ignore[attr-defined]  # the memory provider's

    def look(self, questions: Iterable[Question]) -> dict[Question, Answer]:
        """See `resolver.Resolver.look`."""
        return {question: self._answer(question) for question in questions}

    def _answer(self, question: Question) -> Answer:
        name = question.name.removesuffix(question.zone).removesuffix(".")
        found = self._zones.get(question.zone, {}).get((name, question.type))  # outside our zones there is nothing
        texts = tuple(value.text for value in found.values) if found else ()
        code = Rcode.DATA if texts else Rcode.NXDOMAIN
        return Answer(question, (Reply("192.0.2.53", code, texts, found.ttl if found else None),))

    def texts(self, name: str, kind: str, zone: str = "") -> tuple[str, ...] | None:
        """See `resolver.Resolver.texts`."""
        return self._answer(Question(name, kind, zone)).texts if zone in self._zones else ()

    def negative_ttl(self, zone: str) -> int | None:
        """That of the zones' SOA."""
        return 300


class Exim:
    """What exim would say: all zones are mail domains, signed as the map says; a key's file is read once."""

    def __init__(self, names: Sequence[str], map_path: Path, keys: Keystore) -> None:
        self._names, self._map, self._keys = names, map_path, keys
        self._known: dict[Path, tuple[str, str]] = {}

    def host(self, names: Sequence[str], recipients: Sequence[str]) -> Host:
        """See `exim.observe.observe`."""
        lines = read_map(self._map)
        mails = []
        for name in self._names:
            signers = tuple(
                Signer(name, s, str(self._keys.path(name, s)), *self._public(name, s)) for s in lines.get(name, ())
            )
            transport = Transport("remote_smtp", takes_macros=True, uses_map=True, expires=7 * DAY, signers=signers)
            mails.append(
                MailDomain(
                    name,
                    addresses=(Address("192.0.2.25", "here"),),
                    transports=(transport,),
                    accepts=frozenset({f"postmaster@{name}"}),
                )
            )
        return Host("mx.soak.test", "4.96", "exim4.conf", (), tuple(mails))

    def _public(self, domain: str, selector: str) -> tuple[str, str]:
        path = self._keys.path(domain, selector)
        if path not in self._known:
            self._known[path] = read_public(path)
        return self._known[path]


class Year:
    """The daemon's passes over one configuration."""

    def __init__(self, folder: Path, zones: int) -> None:
        self.now = float(START)
        names = [f"zone{number}.test" for number in range(zones)]
        given = "".join(f"  {name}: {{provider: m}}\n" for name in names)
        held = "".join(
            f"      {name}: |\n" + "".join(f"        {line}\n" for line in ZONE.splitlines()) for name in names
        )
        file = folder / "dnssync.yaml"
        file.write_text(
            f"providers:\n  m:\n    class: memory\n    zones:\n{held}zones:\n{given}"
            f"addresses: [192.0.2.25]\nexim: {{map: {folder}/exim/selectors}}\nkeys: {folder}/keys\n"
            f"state: sqlite:///{folder}/state.db\nmetrics: {folder}/dnssync.prom\n"
        )
        self.config = load(file)
        self.zones = Zones(self.config)
        self.dns = Dns(self.zones.provider("m")._plugin)  # type: ignore[attr-defined]  # behind its door
        self.keystore = Keystore(self.config.keys)
        self.exim = Exim(names, self.config.exim.map, self.keystore)
        self.metrics = Metrics()
        self.up = clock.uptime()[0]

    def line(self, config: object, **options: object) -> Line:
        """The parts of one pass."""
        state = State.open(self.config.state, host="soak")
        return Line(
            self.config, state, self.keystore, self.dns, self.zones, self.exim.host, lambda: self.now,  # type: ignore[arg-type]
            uptime=lambda: (self.up + self.now - START, "one boot"), machine=lambda: "one machine",
        )  # fmt: skip

    def apply(self) -> None:
        """What a person does first."""
        context = Context(
            now=lambda: self.now, environ={}, stdout=io.StringIO(), stderr=io.StringIO(), make_line=self.line
        )  # type: ignore[arg-type]
        code = run(["-c", str(self.config.file), "apply", "--yes"], context)
        assert code == 0, (context.stdout.getvalue() + context.stderr.getvalue())[-1000:]  # type: ignore[attr-defined]

    def once(self, pause: float) -> None:
        """A pass, and so many seconds until the next: keys wait for it, where the daemon would come when they can go on."""
        result = one_pass(self.config, self.line, now=lambda: self.now)
        if result.error is not None:
            raise result.error
        self.metrics.after(result)
        self.now += pause


def memory() -> int:
    """Resident memory now, in KiB."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() // 1024


def slope(points: Sequence[tuple[float, float]]) -> float:
    """How much the second grows with the first, by least squares."""
    count = len(points)
    x, y = (sum(values) / count for values in zip(*points, strict=True))
    spread = sum((at - x) ** 2 for at, _ in points)
    return sum((at - x) * (value - y) for at, value in points) / spread if spread else 0.0


def main(words: Sequence[str]) -> int:
    """The year, told in one table."""
    zones, days, hours = (*map(int, words), *(1000, 365, 12)[len(words) :])
    began = time.monotonic()
    stream = SimpleNamespace(
        size=0,
        write=lambda text: setattr(stream, "size", stream.size + len(text)),
        flush=lambda: None,
        isatty=lambda: False,
    )
    logs.begin(environ={}, stream=stream)  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory(prefix="dnssync-soak-") as folder:
        Path(folder).chmod(0o755)
        year = Year(Path(folder), zones)
        year.apply()
        points, passes, told = [], 0, stream.size
        print(
            f"{zones} zones, {days} days, a pass every {hours} h; the keys were made in {time.monotonic() - began:.0f} s",
            flush=True,
        )
        while year.now < START + days * DAY:
            begun = time.monotonic()
            year.once(hours * HOUR)
            passes += 1
            points.append(((year.now - START) / DAY, memory(), len([*DESCRIPTORS.iterdir()])))
            if passes % 50 == 1:
                print(
                    f"day {points[-1][0]:5.1f}: {points[-1][1] / 1024:.0f} MiB, {points[-1][2]} open files, pass in {time.monotonic() - begun:.2f} s",
                    flush=True,
                )
        settled = [point for point in points if point[0] >= days / 4]
        growth, files = (
            slope([(day, kib) for day, kib, _ in settled]),
            slope([(day, count) for day, _, count in settled]),
        )
        keys = State.open(year.config.state, host="soak", read_only=True).keys()
        active = {(key.domain, key.kind) for key in keys if phase(key, Policy(), int(year.now)) is Phase.ACTIVE}
        print(
            f"{passes} passes in {time.monotonic() - began:.0f} s; {len(keys)} keys made, {len(active)} of {2 * zones} sign"
        )
        print(f"memory: {growth:+.1f} KiB a day after day {days // 4}; open files: {files:+.4f} a day")
        print(f"log: {(stream.size - told) / days / 1024:.1f} KiB a day")
        flat = growth <= GROWTH and files <= 0.01
        return 0 if flat and len(active) == 2 * zones else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
