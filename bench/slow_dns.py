"""Name servers that are far away: what comes to a port of loopback is handed on to a server near by, and the answer is late."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

from tests.bind import free_port


class Far:
    """`count` relays to the name server at 127.0.0.1:`port`, each answer `latency` seconds late, over UDP and TCP; `asked` counts what came."""

    def __init__(self, port: int, count: int = 2, latency: float = 0.02) -> None:
        self._port, self._latency = port, latency
        self.ports = [free_port() for _ in range(count)]
        self.asked = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Far:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    @property
    def servers(self) -> Sequence[str]:
        """As `nameservers:` takes them."""
        return [f"127.0.0.1:{port}" for port in self.ports]

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        far = self

        class Relay(asyncio.DatagramProtocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                self.transport = transport

            def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
                far.asked += 1
                far._loop.create_task(self._ask(data, addr))

            async def _ask(self, data: bytes, addr: tuple[str, int]) -> None:
                await asyncio.sleep(far._latency)
                answer = far._loop.create_future()
                server, _ = await far._loop.create_datagram_endpoint(
                    lambda: Answer(answer), remote_addr=("127.0.0.1", far._port)
                )
                server.sendto(data)
                try:
                    self.transport.sendto(await asyncio.wait_for(answer, 5), addr)  # type: ignore[attr-defined]
                finally:
                    server.close()

        class Answer(asyncio.DatagramProtocol):
            def __init__(self, came: asyncio.Future[bytes]) -> None:
                self.came = came

            def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
                if not self.came.done():
                    self.came.set_result(data)

        async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            far.asked += 1
            await asyncio.sleep(far._latency)
            there, back = await asyncio.open_connection("127.0.0.1", far._port)
            size = await reader.readexactly(2)
            back.write(size + await reader.readexactly(int.from_bytes(size, "big")))
            size = await there.readexactly(2)
            writer.write(size + await there.readexactly(int.from_bytes(size, "big")))
            await writer.drain()
            writer.close()
            back.close()

        async def begin() -> None:
            for port in far.ports:
                await far._loop.create_datagram_endpoint(Relay, local_addr=("127.0.0.1", port))
                await asyncio.start_server(stream, "127.0.0.1", port)

        self._loop.run_until_complete(begin())
        self._ready.set()
        self._loop.run_forever()
