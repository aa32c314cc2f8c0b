"""What exim's map costs a message, by the number of its lines: `python -m bench.exim_map [ROUNDS]`.

A real exim (Debian's configuration in a folder, tests/exim_host.py) delivers one message after the other to a server on loopback, signed
with an RSA and an Ed25519 key, the domain's line in the middle of the map, which is where the mean message's is, or at its end; or the message is
of a domain that the map lacks and leaves unsigned (a list's, on its way). CPU is that of all processes of a delivery. The sizes take
turns within each round, so that a machine that is busy for a while is busy for all of them. `looks`: the look-ups of one message alone, as its
transport's dkim_domain and dkim_selector make them, without the noise of a delivery.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from dnssync import signing_map
from dnssync.exim.lists import message, written
from tests.exim_host import EximHost

SIZES = (3, 100, 1_000, 10_000, 100_000)
PLACES = ("middle", "end", "none")
_LOOKS = 50


@dataclass(frozen=True, slots=True)
class Row:
    """A size of the map and a place in it: medians in milliseconds, and how much more a delivery takes than with the smallest map there."""

    lines: int
    place: str
    looks: float
    wall: float
    cpu: float
    wall_ratio: float
    cpu_ratio: float


def measure(runs: int, sizes: Sequence[int] = SIZES) -> list[Row]:
    """So many deliveries for each size and place."""
    places = [(lines, place) for lines in sizes for place in PLACES]
    walls: dict[tuple[int, str], list[float]] = {at: [] for at in places}
    cpus: dict[tuple[int, str], list[float]] = {at: [] for at in places}
    looks: dict[tuple[int, str], float] = {}
    with EximHost() as host:
        host.switched()
        pems = {"20260801a-mx-abcd": _pem("rsa"), "20260801e-mx-efgh": _pem("ed25519")}
        texts = {}
        for lines in sizes:
            domains = [f"d{number:06}.example" for number in range(lines)]
            texts[lines] = signing_map.text(dict.fromkeys(domains, tuple(pems)))
            for place in PLACES[:2]:
                for selector, pem in pems.items():
                    host.key(_at(lines, place), selector, pem)
        for _ in range(runs):
            for at in places:
                host.map.write_text(texts[at[0]])
                wall, cpu = _deliver(host, _at(*at), signatures=0 if at[1] == "none" else 2)
                walls[at].append(wall)
                cpus[at].append(cpu)
        for at in places:
            host.map.write_text(texts[at[0]])
            looks[at] = statistics.median(_look(host, *at) for _ in range(3))
    first = {place: (sizes[0], place) for place in PLACES}
    return [
        Row(
            *at,
            looks=looks[at],
            wall=statistics.median(walls[at]),
            cpu=statistics.median(cpus[at]),
            wall_ratio=statistics.median(walls[at]) / statistics.median(walls[first[at[1]]]),
            cpu_ratio=statistics.median(cpus[at]) / statistics.median(cpus[first[at[1]]]),
        )
        for at in places
    ]


def _at(lines: int, place: str) -> str:
    if place == "none":
        return "news.elsewhere.test"
    return f"d{lines // 2 if place == 'middle' else lines - 1:06}.example"


def _pem(kind: str) -> bytes:
    key = ed25519.Ed25519PrivateKey.generate() if kind == "ed25519" else rsa.generate_private_key(65537, 2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _deliver(host: EximHost, domain: str, signatures: int) -> tuple[float, float]:
    """Wall and CPU milliseconds of one message."""
    body = "some text of a message\n" * 20
    message = f"From: a@{domain}\nTo: someone@dest.test\nSubject: x\n\n{body}".encode()
    cpu, wall = _cpu(), time.perf_counter()
    received = host.send(message, sender=f"a@{domain}")
    wall, cpu = time.perf_counter() - wall, _cpu() - cpu
    if len(received) != 1 or received[0].data.count(b"DKIM-Signature:") != signatures:
        raise SystemExit(f"a message of {domain} did not arrive with {signatures} signatures:\n{host.log()}")
    return wall * 1000, cpu * 1000


def _look(host: EximHost, lines: int, place: str) -> float:
    """CPU milliseconds of a message's look-ups, by domains that stand near the place: exim holds what it found for one of them."""
    _, transports, _ = host.exim().overview()
    options = transports["remote_smtp"]
    number = min(_LOOKS, lines)
    start = (lines + number) // 2 - number if place == "middle" else lines - number
    texts = []
    parent = "news.elsewhere.test" if place == "none" else "example"
    for domain in (f"d{start + n:06}.{parent}" for n in range(number)):
        values = {**message(domain), "dkim_domain": domain}
        options_of = ("dkim_domain",) if place == "none" else ("dkim_domain", "dkim_selector")
        texts += [written(options[name], values) for name in options_of]
    return max((_expand(host, texts) - _expand(host, _unmapped(host, texts))) / number, 0.0)


def _unmapped(host: EximHost, texts: Sequence[str]) -> list[str]:
    """The same expansions over a map of one line: what they cost besides going through it."""
    small = host.folder / "one"
    small.write_text(signing_map.text({"x.example": ("s1",)}))
    return [text.replace(str(host.map), str(small)) for text in texts]


def _expand(host: EximHost, texts: Sequence[str]) -> float:
    cpu = _cpu()
    subprocess.run([*host.command, "-be"], input="\n".join(texts).encode(), stdout=subprocess.DEVNULL, check=True)
    return (_cpu() - cpu) * 1000


def _cpu() -> float:
    """Seconds of CPU of all processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown."""
    lines = [
        "| lines | place | a message's look-ups, CPU | a delivery, CPU | ratio | a delivery, wall | ratio |",
        "|---:|---|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row.lines:,} | {row.place} | {row.looks:.3f} ms | {row.cpu:.1f} ms | {row.cpu_ratio:.2f} | {row.wall:.1f} ms | {row.wall_ratio:.2f} |"
        for row in rows
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 25)))
