"""A mail server on a free loopback port that keeps what it is given: where test messages end."""

from __future__ import annotations

import asyncio
import socket
import threading
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Received:
    """One message as the sink got it: the envelope and the raw octets, dot-stuffing undone, CRLF line ends."""

    sender: str
    recipients: tuple[str, ...]
    data: bytes


class Sink:
    """An SMTP server (RFC 5321) on 127.0.0.1 that keeps every message which ends with its lone dot. `port` is free and bound from the
    beginning; it answers inside the `with`."""

    def __init__(self) -> None:
        self.messages: list[Received] = []
        self._loop = asyncio.new_event_loop()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._socket.getsockname()[1]
        self._ready = threading.Event()
        self._talks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._serve, daemon=True, name="smtp-sink")

    def __enter__(self) -> Sink:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._accept, sock=self._socket, limit=1 << 24))
        self._loop.call_soon(self._ready.set)
        self._loop.run_forever()
        server.close()
        for talk in self._talks:
            talk.cancel()
        self._loop.run_until_complete(asyncio.gather(*self._talks, return_exceptions=True))
        self._loop.run_until_complete(server.wait_closed())

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        try:
            await self._talk(reader, writer)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, asyncio.CancelledError):
            pass  # whoever sent it hung up before the lone dot, or the sink closes: what came so far does not count
        finally:
            self._talks.discard(task)
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sender, recipients = "", list[str]()
        writer.write(b"220 sink.dest.test ESMTP\r\n")
        while True:
            line = await reader.readuntil(b"\r\n")
            verb = line[:4].upper()
            if verb == b"EHLO":
                writer.write(b"250-sink.dest.test\r\n250-8BITMIME\r\n250 SIZE 20000000\r\n")
            elif verb == b"MAIL":
                sender, recipients = _path(line), []
                writer.write(b"250 ok\r\n")
            elif verb == b"RCPT":
                recipients.append(_path(line))
                writer.write(b"250 ok\r\n")
            elif verb == b"DATA":
                writer.write(b"354 go on\r\n")
                body = []
                while (text := await reader.readuntil(b"\r\n")) != b".\r\n":
                    body.append(text.removeprefix(b".") if text.startswith(b".") else text)
                self.messages.append(Received(sender, tuple(recipients), b"".join(body)))
                writer.write(b"250 kept\r\n")
            elif verb == b"QUIT":
                writer.write(b"221 bye\r\n")
                await writer.drain()
                return
            else:
                writer.write(b"250 ok\r\n")
            await writer.drain()


def _path(line: bytes) -> str:
    return line.partition(b"<")[2].partition(b">")[0].decode("utf-8", "replace")
