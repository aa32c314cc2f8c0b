"""What stands between a provider and its real server and spoils what goes through it: `with Between(port, HTTP) as between: …`

Requests are told apart by their protocol, so that readings pass while writes are struck. Every write that the server answered is
told to `seen` before the answer goes on: that is where a zone can be looked at between two requests. `before` is run before a write
goes on to the server: that is where somebody else can be faster.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum


class Spoil(Enum):
    """What becomes of a request and of its answer."""

    REFUSED = "nobody takes the connection"
    LOST = "the connection ends, and the request never arrives"
    LOST_AFTER = "the request arrives, and the connection ends before the answer"
    CUT = "half of the answer's first octets come, or a write's first eight, and then the connection ends"
    SILENT = "the request never arrives, and no answer comes"
    SILENT_AFTER = "the request arrives, and no answer comes"


@dataclass(frozen=True)
class Protocol:
    """How requests are read (b"" at the end of a connection), and which of them write."""

    request: Callable[[socket.socket], bytes]
    writes: Callable[[bytes], bool]


def exactly(connection: socket.socket, count: int) -> bytes:
    """So many octets, or fewer where the connection ends."""
    octets = b""
    while len(octets) < count and (more := connection.recv(count - len(octets))):
        octets += more
    return octets


def _message(connection: socket.socket) -> bytes:
    """A DNS message and its length before it (RFC 1035 §4.2.2)."""
    length = exactly(connection, 2)
    return length + exactly(connection, int.from_bytes(length, "big")) if len(length) == 2 else b""


def _http(connection: socket.socket) -> bytes:
    """A request with head and body, made the last one of its connection."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        octet = connection.recv(1)
        if not octet:
            return b""
        head += octet
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    body = exactly(connection, int(length[1]) if length else 0)
    return re.sub(rb"(?i)\r\nconnection:[^\r]*", b"", head[:-2]) + b"Connection: close\r\n\r\n" + body


DNS = Protocol(_message, lambda octets: octets[4] >> 3 & 15 == 5)  # the opcode of UPDATE (RFC 2136 §2.2)
HTTP = Protocol(_http, lambda octets: not octets.startswith((b"GET ", b"HEAD ")))


def nothing() -> None:
    """What nobody does."""


class Between:
    """Listens on `port` of 127.0.0.1 for the server behind it. Nothing is spoiled but within `spoiling`."""

    def __init__(self, server: int, protocol: Protocol, seen: Callable[[], None] = nothing) -> None:
        self._server, self.protocol, self.seen, self.before = server, protocol, seen, nothing
        self._spoil: Spoil | bytes | int | None = None
        self._writes = False
        self._open: set[socket.socket] = set()
        self._release = threading.Event()
        self.struck = 0
        self.requests: list[bytes] = []  # as they came in

    def __enter__(self) -> Between:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._thread = self._accepting()
        return self

    def __exit__(self, *_: object) -> None:
        self._release.set()
        self._stop()

    def _accepting(self) -> threading.Thread:
        thread = threading.Thread(target=self._accept, args=(self._listening,), daemon=True)
        thread.start()
        return thread

    def _stop(self) -> None:
        for each in (self._listening, *list(self._open)):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(10)

    @contextlib.contextmanager
    def spoiling(self, spoil: Spoil | bytes | int, writes: bool) -> Iterator[None]:
        """Within, this becomes of every reading, or of every write alone. Octets are an answer in place of the server's; a number
        is the port of another server that is asked instead."""
        self.struck = 0
        if spoil is Spoil.REFUSED:
            self._stop()
            try:
                yield
            finally:
                self._listening = socket.create_server(("127.0.0.1", self.port))
                self._thread = self._accepting()
            return
        self._release.clear()
        self._spoil, self._writes = spoil, writes
        try:
            yield
        finally:
            self._spoil = None
            self._release.set()
            assert self.struck, "nothing was asked that could be spoiled"

    def _accept(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listening.accept()
                self._open.add(client)
                threading.Thread(target=self._connection, args=(client,), daemon=True).start()

    def _connection(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            while request := self.protocol.request(client):
                writes = self.protocol.writes(request)
                self.requests.append(request)
                spoil = self._spoil if self._spoil is not None and writes is self._writes else None
                self.struck += spoil is not None
                if spoil is Spoil.SILENT:
                    self._release.wait(30)
                if spoil in (Spoil.LOST, Spoil.SILENT):
                    break
                if isinstance(spoil, bytes):
                    client.sendall(spoil)
                    break
                if writes:
                    self.before()
                port = spoil if isinstance(spoil, int) else self._server
                with socket.create_connection(("127.0.0.1", port), 30) as server:
                    server.sendall(request)
                    if not self._answer(client, server, spoil, writes):
                        break
        self._open.discard(client)

    def _answer(self, client: socket.socket, server: socket.socket, spoil: object, writes: bool) -> bool:
        """Hand an answer on, in as many pieces as it comes in; whether the connection goes on. It does not: one request each."""
        octets = server.recv(65536)
        if writes:
            self.seen()
        if spoil is Spoil.SILENT_AFTER:
            self._release.wait(30)
        if spoil in (Spoil.LOST_AFTER, Spoil.SILENT_AFTER):
            return False
        if spoil is Spoil.CUT:
            client.sendall(octets[: 8 if writes else len(octets) // 2])
            return False
        closing = threading.Thread(target=self._until_closed, args=(client, server), daemon=True)
        closing.start()
        while octets:
            client.sendall(octets)
            octets = server.recv(65536)
        return False

    def _until_closed(self, client: socket.socket, server: socket.socket) -> None:
        """Once the client has all it wants, the server need not wait for another request."""
        with contextlib.suppress(OSError):
            while client.recv(65536):
                pass  # nobody sends a second request before the first is answered
            server.shutdown(socket.SHUT_RDWR)
