"""An event loop for one look: questions to servers as plain values in, their messages out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from dnssync import sections, wire
from dnssync.core.sighting import Rcode
from dnssync.datagrams import Datagrams
from dnssync.wire import Message, Server

T = TypeVar("T")


class Asking:
    """The loop, as a context. Behind it no socket stays open; Ctrl-C leaves it at once.

    `datagrams` makes what carries the questions in that loop. Whatever a callback raises comes out of `run`.
    """

    def __init__(self, datagrams: Callable[[asyncio.AbstractEventLoop], Datagrams]) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(self._failed)
        self.datagrams = datagrams(self._loop)
        self._main: asyncio.Task[Any] | None = None
        self._error: BaseException | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.datagrams.close()
            left = asyncio.all_tasks(self._loop)
            for task in left:
                task.cancel()
            self._loop.run_until_complete(_ended(left))
        finally:
            self._loop.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What the coroutine returns."""
        self._main = self._loop.create_task(work)
        try:
            result: T = self._loop.run_until_complete(self._main)
            return result
        except asyncio.CancelledError:
            if self._error is not None:
                raise self._error from None
            raise

    def put(
        self,
        server: Server,
        name: str,
        kind: str,
        done: Callable[[Message], None],
        *,
        recurse: bool = False,
        same: dict[bytes, Message] | None = None,
        **how: bool,
    ) -> None:
        """Ask a server; `done` hears its message, or how it failed. `how` as in `wire.query`. `same`: what other servers said to this very question,
        by its octets; what is among them is not read again, and of an answer that gives the RRset no more is read (`wire.told`)."""
        dnssec = how.get("dnssec", False)
        query = wire.query(name, kind, recurse=recurse, **how)

        def heard(told: bytes | Message) -> None:
            done(told if isinstance(told, Message) else _read(told, name, kind, dnssec, same))

        self.datagrams.put(server, query, heard)

    def ask(
        self, server: Server, name: str, kind: str, *, recurse: bool = False, **how: bool
    ) -> asyncio.Future[Message]:
        """The same, to wait for."""
        future: asyncio.Future[Message] = self._loop.create_future()

        def done(message: Message) -> None:
            if not future.done():
                future.set_result(message)

        self.put(server, name, kind, done, recurse=recurse, same=None, **how)
        return future

    def _failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if error is None or self._main is None:
            loop.default_exception_handler(context)
            return
        self._error = self._error or error
        self._main.cancel()


def _read(octets: bytes, name: str, kind: str, dnssec: bool, same: dict[bytes, Message] | None) -> Message:
    """What an answer says, `same` as in `Asking.put`."""
    if same is None:
        return wire.heard(octets, dnssec)
    part = sections.judged_by(octets)
    message = same.get(part)
    if message is None:
        message = wire.told(octets, name, kind)
        if message.authoritative and message.rcode is Rcode.DATA and message.found(name, kind) is not None:
            same[part] = message
    return message


async def _ended(tasks: set[asyncio.Task[Any]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)  # connections close a step later
