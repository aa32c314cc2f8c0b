"""What stands in each of N zones after a month: records of others, ours beside them, and the keys that they belong to.

Ten thousand domains would need forty thousand keys; the pairs are a few, and each domain has them under selectors of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dnssync.core.dkim import record_for
from dnssync.core.durations import DAY, HOUR
from dnssync.core.model import KeyPair
from dnssync.core.selectors import selector
from dnssync.keystore import Keystore

IP = "46.101.91.82"
HOST = "mx"  # this host's name in selectors
PAIRS = 4  # of each kind
SPF = f"v=spf1 mx a ip4:{IP} -all"
OVERLAP = 8 * DAY  # the x= of the signatures and a day
SEASON = HOUR + 600
Row = tuple[str, str, int, list[str]]  # name, type, TTL, values in zone-file form


@dataclass(frozen=True)
class Pair:
    """A key pair: the algorithm, p=, and the private half as PEM."""

    algorithm: str
    public: str
    pem: bytes


def names(count: int) -> list[str]:
    """The zones, which are mail domains too."""
    return [f"z{number:05}.test" for number in range(1, count + 1)]


def pairs(folder: Path) -> list[Pair]:
    """`PAIRS` of RSA and as many of Ed25519, in turns; made in that folder, or found there."""
    store, made = Keystore(folder, group="", user=""), []
    for number in range(PAIRS):
        for algorithm in ("rsa2048", "ed25519"):
            name = f"{algorithm}-{number}"
            if not store.holds("pair", name):
                store.generate("pair", name, algorithm)
            kind, public = store.half("pair", name)
            made.append(Pair(kind, public, store.path("pair", name).read_bytes()))
    return made


def keys_of(number: int, zone: str, made: Sequence[Pair], now: int) -> list[tuple[KeyPair, bytes]]:
    """The keys of the zone of that number, each with its private half: of each kind one that signs and one that stands by.

    Born over three weeks, so that they do not fall due together, and all of them long before anything falls due.
    """
    born = now - 40 * DAY + number * 7919 % (20 * DAY)
    found = []
    for at, age in (("active", born), ("standby", born + 3 * DAY)):
        for kind in (0, 1):
            pair = made[(2 * number + (2 if at == "standby" else 0)) % (2 * PAIRS) + kind]
            token = "".join("abcdefghijklmnopqrstuvwxyz234567"[(number >> shift) % 32] for shift in (15, 10, 5, 0))
            key = KeyPair(
                zone,
                selector(age, "ed25519" if kind else "rsa", HOST, token),
                pair.algorithm,
                pair.public,
                generated=age,
                seen=age + 60,
                published=age + 180,
                activated=age + 2 * HOUR if at == "active" else None,
                season=SEASON,
                overlap=OVERLAP,
                season_because="1 h (an hour at least) and 10 min of margin",
                overlap_because="7 d (the x= of its signatures) and 1 d of margin",
            )
            found.append((key, pair.pem))
    return found


def line_of(keys: Sequence[KeyPair]) -> tuple[str, ...]:
    """The domain's line in exim's map."""
    return tuple(key.selector for key in keys if key.activated is not None)


def quoted(text: str) -> str:
    """A text of printable ASCII in zone-file form."""
    return " ".join(f'"{text[at : at + 255]}"' for at in range(0, len(text), 255))


def rows(zone: str, keys: Sequence[KeyPair]) -> list[Row]:
    """What stands at the provider. SOA and the zone's own NS are not among what the API lists."""
    return [
        ("@", "A", 3600, [IP]),
        ("@", "MX", 3600, ["10 mx"]),
        ("@", "TXT", 3600, ['"site-verification=0123456789abcdef"', '"another-service=yes; for=all"', quoted(SPF)]),
        ("@", "SPF", 3600, [quoted(SPF)]),
        ("_dmarc", "TXT", 3600, [quoted(f"v=DMARC1; p=none; rua=mailto:postmaster@{zone}")]),
        ("mx", "A", 3600, [IP]),
        ("www", "CNAME", 3600, ["mx"]),
        *((f"{key.selector}._domainkey", "TXT", 3600, [quoted(record_for(key))]) for key in keys),
    ]


def master(zone: str, rows: Sequence[Row], serial: int = 1) -> str:
    """The zone as a master file, with what the API does not list."""
    lines = [
        f"$ORIGIN {zone}.",
        "$TTL 3600",
        f"@ IN SOA ns1.dns.example. hostmaster.dns.example. {serial} 10800 3600 604800 300",
        "@ IN NS ns1.dns.example.",
        "@ IN NS ns2.dns.example.",
    ]
    lines += [f"{name} {ttl} IN {kind} {value}" for name, kind, ttl, values in rows for value in values]
    return "\n".join(lines) + "\n"
