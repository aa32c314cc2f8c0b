"""The addresses that this host's interfaces have, and what /etc/hosts calls them: as Linux tells, without a program."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from ipaddress import IPv6Address, ip_address
from pathlib import Path

from dnssync.check.gather import Sources
from dnssync.check.own import Attached, Interfaces

_LEAF = re.compile(r"\|-- ([0-9.]+)\s*\n((?:\s+/\d+ .*\n?)*)")


def fetch(wishes: Sequence[Interfaces], sources: Sources) -> Mapping[Interfaces, Attached]:
    """The same for each wish. Raises `OSError` where the kernel's tables cannot be read; a host without IPv6 has no table of it."""
    four = sources.proc / "fib_trie"
    six = sources.proc / "if_inet6"
    addresses = (*fours(four.read_text()), *(sixes(six.read_text()) if six.exists() else ()))
    return dict.fromkeys(wishes, Attached(tuple(dict.fromkeys(addresses)), named(sources.hosts)))


def fours(trie: str) -> tuple[str, ...]:
    """The local IPv4 addresses in /proc/net/fib_trie: leaves with a route of type LOCAL to themselves alone."""
    return tuple(dict.fromkeys(ip for ip, routes in _LEAF.findall(trie) if "/32 host LOCAL" in routes))


def sixes(table: str) -> tuple[str, ...]:
    """The IPv6 addresses in /proc/net/if_inet6."""
    return tuple(str(IPv6Address(int(line.split()[0], 16))) for line in table.splitlines() if line.strip())


def named(file: Path) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The lines of a hosts file (hosts(5)); none where there is no such file, and without what is no line of it."""
    try:
        lines = file.read_text(errors="replace").splitlines()
    except OSError:
        return ()
    found = []
    for line in lines:
        ip, *names = line.partition("#")[0].split() or [""]
        try:
            found.append((str(ip_address(ip.partition("%")[0])), tuple(names)))
        except ValueError:
            continue
    return tuple(found)
