"""Where `providers.py` looks at both sides: the case's zone at a stand-in or a real server of each provider, with what others noted there."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.sides import GONE, ROWS, ZONE
from tests.between import DNS, HTTP, Between, Protocol
from tests.bind import Bind
from tests.bind import strings as wire_strings
from tests.gaps import By, Moment, items
from tests.powerdns import PowerDns
from tests.stand_in import Values

Notes = dict[tuple[str, str], str]  # (what, of which record) → how it is; of records of others alone
SHOP = "asked for by the shop"


class Place:
    """A zone of a provider's with the case in it, as a context; each client is a new one."""

    plugin = ""  # octodns' package
    at = "a stand-in"
    hurried = False  # whether ours makes no pauses

    def quick(self) -> dict[str, Any]:
        """The option of ours for that."""
        return {"sleep": lambda seconds: None} if self.hurried else {}

    def __enter__(self) -> Self:
        self._open = contextlib.ExitStack()
        with contextlib.ExitStack() as opening:
            self.start(opening)
            self._open = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def start(self, stack: contextlib.ExitStack) -> None:
        """Start the server with the case."""
        raise NotImplementedError

    def ours(self) -> Any:
        """A new provider of dnssync's."""
        raise NotImplementedError

    def theirs(self) -> Any:
        """A new one of octodns'."""
        raise NotImplementedError

    def asked(self) -> list[bool]:
        """The requests so far, whether each may write."""
        raise NotImplementedError

    def spoil(self, latency: float, failing: int | None = None) -> None:
        """From now on every request takes longer by so many seconds, and one write, counted from 0, is an error and not done."""
        raise NotImplementedError

    def values(self) -> Values:
        """What stands there; a text is its joined octets."""
        raise NotImplementedError

    def watch(self) -> None:
        """Look after each write from now on, which may take its time; a stand-in always does."""

    def moments(self) -> Sequence[Moment]:
        """What was served, from request to request."""
        raise NotImplementedError

    def more(self) -> Notes:
        """What others noted at their records, TTLs of RRsets aside."""
        return {}

    def notes(self) -> Notes:
        """All of that."""
        ttls = {
            ("TTL", f"{name} {kind}"): str(ttl)
            for (name, kind), (ttl, _) in self.values().items()
            if theirs(name, kind)
        }
        return ttls | self.more()


def theirs(name: str, kind: str) -> bool:
    """Whether an RRset was there before and is somebody else's, in part at least."""
    return (name, kind) in {row[:2] for row in ROWS} and name != GONE


class AtServer(Place):
    """Before a real server, with something between that counts, delays and, after each write, looks."""

    protocol: Protocol
    failure = b""  # an answer instead of the server's; none: the connection ends, and the write never arrives

    def start(self, stack: contextlib.ExitStack) -> None:
        self._requests: list[bool] = []
        self._moments: list[Moment] = []
        self.spoil(0.0)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "server"
        port = self.serve(stack, folder)
        counted = Protocol(self._request, self.protocol.writes)
        self.between = stack.enter_context(Between(port, counted))

    def serve(self, stack: contextlib.ExitStack, folder: Path) -> int:
        """Start the server; its port."""
        raise NotImplementedError

    def watch(self) -> None:
        self._look(By.SOMEBODY)
        self.between.seen = lambda: self._look(By.CLIENT)

    def _look(self, by: By) -> None:
        now = items({key: values for key, (_, values) in self.values().items()})
        self._moments.append(Moment(time.monotonic(), now, by))

    def _request(self, connection: Any) -> bytes:
        octets = self.protocol.request(connection)
        if not octets:
            return octets
        writes = self.protocol.writes(octets)
        struck = writes and sum(self._requests) - self._before == self._failing
        self._requests.append(writes)
        time.sleep(self._latency)
        if struck:
            connection.sendall(self.failure)
            return b""
        return octets

    def spoil(self, latency: float, failing: int | None = None) -> None:
        self._latency, self._failing, self._before = latency, failing, sum(self._requests)

    def asked(self) -> list[bool]:
        return list(self._requests)

    def moments(self) -> Sequence[Moment]:
        return self._moments


class AtPowerDns(AtServer):
    """PowerDNS: comments belong to RRsets, and single values are disabled."""

    plugin, at = "octodns-powerdns", "a real pdns_server"
    protocol = HTTP
    failure = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

    def serve(self, stack: contextlib.ExitStack, folder: Path) -> int:
        self.pdns = stack.enter_context(PowerDns(folder, {ZONE: master()}))
        for name, kind, off in (("@", "TXT", '"paused=1"'), ("host0", "A", "192.0.2.10")):
            there = self.pdns.rrset(ZONE, name, kind)
            comments = [{"content": SHOP, "account": "shop"}]
            records = [*there["records"], {"content": off, "disabled": True}]
            self.pdns.replace(ZONE, name, kind, there["ttl"], records, comments=comments)
        return self.pdns.api_port

    def values(self) -> Values:
        return served(self.pdns.transfer(ZONE))

    def more(self) -> Notes:
        found: Notes = {}
        for (name, kind), rrset in self.pdns.rrsets(ZONE).items():
            short = name.removesuffix(f"{ZONE}.").removesuffix(".") or "@"
            off = {("disabled", f"{short} {kind} {r['content']}"): "yes" for r in rrset["records"] if r["disabled"]}
            found |= off | {("comment", f"{short} {kind}"): each["content"] for each in rrset["comments"]}
        return found

    def ours(self) -> Any:
        from dnssync_providers.powerdns import Provider

        return Provider("powerdns", host="127.0.0.1", port=self.between.port, api_key=PowerDns.api_key, **self.quick())

    def theirs(self) -> Any:
        from octodns_powerdns import PowerDnsProvider

        return PowerDnsProvider("powerdns", "127.0.0.1", PowerDns.api_key, port=self.between.port)


class AtNamed(AtServer):
    """named. DNS has no notes."""

    plugin, at = "octodns-bind", "a real named"
    protocol = DNS

    def serve(self, stack: contextlib.ExitStack, folder: Path) -> int:
        self.bind = stack.enter_context(Bind(folder, {ZONE: master()}))
        return self.bind.port

    def values(self) -> Values:
        return served(self.bind.transfer(ZONE))

    def ours(self) -> Any:
        from dnssync_providers.rfc2136 import Provider

        return Provider("rfc2136", **{**self.bind.options(), "port": self.between.port})

    def theirs(self) -> Any:
        from octodns_bind import Rfc2136Provider

        return Rfc2136Provider("rfc2136", **{**self.bind.options(), "port": self.between.port})


def master() -> str:
    """The case as a master file."""
    return "".join(f"{name} {ttl} IN {kind} {value}\n" for name, kind, ttl, values in ROWS for value in values)


def served(zone: Any) -> Values:
    """A transfer as a stand-in shows what it holds."""
    return {
        (name.removesuffix(f"{ZONE}.").removesuffix(".") or "@", kind): (
            ttl, frozenset(b"".join(wire_strings(value)) if kind == "TXT" else value for value in values))
        for (name, kind), (ttl, values) in zone.items()
    }  # fmt: skip
