"""A name server that says what a test makes it say, datagram by datagram, over real sockets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

import dns.flags
import dns.message
import dns.rrset

from dnssync.wire import Server

PAUSE = 0.05  # seconds without a query after which what has come is one batch


def truth(query: bytes, text: str = "true") -> bytes:
    """An authoritative answer: one TXT record."""
    asked = dns.message.from_wire(query)
    response = dns.message.make_response(asked)
    response.flags |= dns.flags.AA
    response.answer.append(dns.rrset.from_text(asked.question[0].name, 300, "IN", "TXT", f'"{text}"'))
    return response.to_wire()


class Talker:
    """Answers each batch of queries, those that come without a pause between them, with the datagrams that `says` gives for it, in
    their order; a batch of one at a time where `pause` is 0. `aside` is another port of the same address, for those who lie from there.
    """

    def __init__(self, says: Callable[[Self, list[bytes]], Iterable[tuple[int, bytes]]], pause: float = PAUSE) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.bind(("127.0.0.1", 0))
        self.aside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.aside.bind(("127.0.0.1", 0))
        self._says, self._pause = says, pause
        self.batches: list[list[bytes]] = []
        self.clients: list[tuple[str, int]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    @property
    def server(self) -> Server:
        """Where it listens."""
        return Server("127.0.0.1", self.socket.getsockname()[1])

    @property
    def where(self) -> str:
        """The same as `nameservers` takes it."""
        return str(self.server)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self.socket.close()
        self.aside.close()

    def _serve(self) -> None:
        while not self._over.is_set():
            batch: list[bytes] = []
            clients: list[tuple[str, int]] = []
            self.socket.settimeout(PAUSE)
            try:
                while True:
                    query, client = self.socket.recvfrom(65535)
                    batch.append(query)
                    clients.append(client)
                    if not self._pause:
                        break
                    self.socket.settimeout(self._pause)
            except TimeoutError:
                pass
            if batch:
                self.batches.append(batch)
                self.clients += clients
                for at, datagram in self._says(self, batch):
                    self.socket.sendto(datagram, clients[at])


def honest(talker: Talker, batch: list[bytes]) -> Iterable[tuple[int, bytes]]:
    """The truth for each query."""
    return [(at, truth(query)) for at, query in enumerate(batch)]
