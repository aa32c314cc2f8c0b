"""Questions on their way to many name servers at once, in one event loop: over UDP, over TCP where an answer is truncated.

Each server address has one socket for a look, with a random port, and connected: so the kernel drops what others send, and tells at
once where nobody listens. An answer is taken by its id, which nobody else can guess, and its question; a wrong one is passed over, and
the right one may still follow. A plain machine of states with callbacks: a task for each question would cost more than the question.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections import OrderedDict, deque
from collections.abc import Callable

from dnssync.core.sighting import Rcode
from dnssync.patience import SILENT, Patience
from dnssync.wire import Message, Query, Server, reason

ATTEMPTS = 2  # a datagram may get lost
TOTAL = 1000  # questions under way at a time
EACH = 128  # of them, at most, at one server: the receive buffer of one that is busy holds about 170 by default
BEGIN = 32  # with so many a server is tried first; it gets one more with each answer
SOCKETS = 256  # open at a time: a service may have 1,024 files by default
STREAMS = 32  # TCP connections at a time
BUFFER = 1 << 20  # octets of answers that wait for us, as far as the system allows
BURST = 64  # datagrams taken from one socket before the others get their turn
FULL = 0.005  # seconds until a full send buffer is tried again

Done = Callable[[bytes | Message], None]


def connected(server: Server) -> socket.socket:
    """A datagram socket that sends to a server and hears nobody else; raises `OSError`."""
    sock = socket.socket(socket.AF_INET6 if ":" in server.address else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        sock.connect((server.address, server.port))
    except OSError:
        sock.close()
        raise
    return sock


async def streamed(server: Server, query: Query) -> bytes:
    """The answer to a query over TCP (RFC 7766); raises `OSError`, `EOFError`."""
    reader, writer = await asyncio.open_connection(server.address, server.port)
    try:
        ident = secrets.token_bytes(2)
        writer.write((2 + len(query.octets)).to_bytes(2, "big") + ident + query.octets)
        while True:
            octets = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
            if octets[:2] == ident and query.answered(octets):
                return octets
    finally:
        writer.close()


class _Trip:
    """One question to one server. `began`, `since`: when it was sent first and last, in the loop's time."""

    __slots__ = ("began", "done", "ident", "query", "since", "tries")

    def __init__(self, query: Query, done: Done) -> None:
        self.query, self.done = query, done
        self.ident, self.began, self.since, self.tries = -1, 0.0, 0.0, 0


class _Lane:
    """What waits for one server and what is on its way there.

    `flying` is in the order of sending, so its first is the first to time out. `window` is how many may fly: one more with each answer
    at first, and after a loss one more with each windowful. `heard`, `halved`: when an answer came last, and a loss made it halve.
    """

    __slots__ = ("due", "flying", "halved", "heard", "queue", "refused", "server", "sock", "stuck", "window")

    def __init__(self, server: Server) -> None:
        self.server = server
        self.sock: socket.socket | None = None
        self.queue: deque[_Trip] = deque()
        self.flying: dict[int, _Trip] = {}
        self.window = float(BEGIN)
        self.heard = self.halved = -1.0
        self.refused = 0
        self.due = self.stuck = False


class Datagrams:
    """The questions of one look. `timeout` in seconds for each try; a second try waits behind all others, in half the window.

    `loop` is the event loop in which everything here is called, `total` and `each` bound what is under way, at all and at one server.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        timeout: float,
        patience: Patience,
        *,
        total: int = TOTAL,
        each: int = EACH,
        sockets: int = SOCKETS,
        connect: Callable[[Server], socket.socket] = connected,
    ) -> None:
        self._loop, self._timeout, self._patience, self._connect = loop, timeout, patience, connect
        self._total, self._each, self._sockets = total, each, sockets
        self._lanes: dict[Server, _Lane] = {}
        self._open: OrderedDict[Server, _Lane] = OrderedDict()
        self._idle: dict[Server, _Lane] = {}  # with a socket and nothing to do
        self._stuck: deque[_Lane] = deque()
        self._without: deque[_Lane] = deque()  # those who wait for a socket: of thousands of servers most do
        self._flying = 0
        self._streams = asyncio.Semaphore(STREAMS)
        self._tasks: set[asyncio.Task[None]] = set()
        self._tick = min(0.1, timeout / 8)
        self._timer: asyncio.TimerHandle | None = None

    def put(self, server: Server, query: Query, done: Done) -> None:
        """Ask; `done` is called once, in the loop and not from here, with the octets of the answer or a `Message` that says how it failed.

        An answer that is truncated is asked for over TCP; a server that does not know EDNS is asked without it.
        """
        lane = self._lanes.get(server)
        if lane is None:
            lane = self._lanes[server] = _Lane(server)
            lane.window = float(min(BEGIN, self._each))
        lane.queue.append(_Trip(query, done))
        self._soon(lane)

    def close(self) -> None:
        """Close every socket; what is under way is forgotten."""
        if self._timer is not None:
            self._timer.cancel()
        for lane in [*self._open.values()]:
            self._shut(lane)
        for task in self._tasks:
            task.cancel()

    # Sending

    def _soon(self, lane: _Lane) -> None:
        """Send what may be sent, once the callbacks that are due now have said what they want to ask."""
        self._idle.pop(lane.server, None)
        if not lane.due:
            lane.due = True
            self._loop.call_soon(self._send_due, lane)

    def _send_due(self, lane: _Lane) -> None:
        lane.due = False
        self._fill(lane)
        self._unstick()

    def _fill(self, lane: _Lane) -> None:
        while lane.queue and len(lane.flying) < lane.window:
            if (over := self._patience.over(lane.server)) is not None:
                self._give_up(lane, over)
                break
            full = self._flying >= self._total
            if full or not self._socket(lane):
                if lane.queue and not lane.stuck:
                    lane.stuck = True
                    (self._stuck if full else self._without).append(lane)
                break
            if not self._send(lane, lane.queue.popleft()):
                break
        if lane.sock is not None and not lane.queue and not lane.flying:
            self._idle[lane.server] = lane

    def _send(self, lane: _Lane, trip: _Trip) -> bool:
        """False where the system takes no more for a moment."""
        assert lane.sock is not None
        ident = trip.ident  # an answer to the first try may still come after the second one
        while ident < 0 or ident in lane.flying:
            ident = secrets.randbits(16)
        try:
            lane.sock.send(ident.to_bytes(2, "big") + trip.query.octets)
        except BlockingIOError:
            lane.queue.appendleft(trip)
            lane.due = True
            self._loop.call_later(FULL, self._send_due, lane)
            return False
        except OSError as error:
            self._refused(lane, error, trip)
            return True
        trip.ident, trip.since, trip.tries = ident, self._loop.time(), trip.tries + 1
        if trip.tries == 1:
            trip.began = trip.since
        lane.flying[ident] = trip
        self._flying += 1
        if self._timer is None:
            self._timer = self._loop.call_later(self._tick, self._look_for_losses)
        return True

    def _socket(self, lane: _Lane) -> bool:
        """Whether the lane has a socket, for which another server's is closed where too many are open."""
        if lane.sock is not None:
            return True
        if len(self._open) >= self._sockets:
            if not self._idle:
                return False
            self._shut(next(iter(self._idle.values())))
        try:
            lane.sock = self._connect(lane.server)
        except OSError as error:
            self._give_up(lane, Message(Rcode.UNREACHABLE, note=reason(error)))
            return False
        self._open[lane.server] = lane
        self._loop.add_reader(lane.sock, self._readable, lane)
        return True

    def _shut(self, lane: _Lane) -> None:
        if lane.sock is not None:
            self._loop.remove_reader(lane.sock)
            lane.sock.close()
            lane.sock = None
        self._open.pop(lane.server, None)
        self._idle.pop(lane.server, None)

    # Hearing

    def _readable(self, lane: _Lane) -> None:
        sock = lane.sock
        try:
            for _ in range(BURST):
                if sock is None or sock is not lane.sock:
                    break
                self._arrived(lane, sock.recv(65535))
        except BlockingIOError:
            pass
        except OSError as error:
            self._refused(lane, error)
        self._fill(lane)
        self._unstick()

    def _arrived(self, lane: _Lane, octets: bytes) -> None:
        trip = lane.flying.get(int.from_bytes(octets[:2], "big"))
        if trip is None or not trip.query.answered(octets):
            return
        del lane.flying[trip.ident]
        self._flying -= 1
        if octets[2] & 2:
            self._spawn(lane, trip)
            return
        if trip.query.unknown_edns(octets):
            trip.query, trip.tries, trip.ident = trip.query.plain(), 0, -1
            lane.queue.appendleft(trip)
            return
        self._answered(lane)
        if lane.window < self._each:
            lane.window = min(lane.window + (1 if lane.halved < 0 else 1 / lane.window), float(self._each))
        trip.done(octets)

    def _answered(self, lane: _Lane) -> None:
        lane.heard, lane.refused = self._loop.time(), 0
        self._patience.heard(lane.server)

    def _refused(self, lane: _Lane, error: OSError, *more: _Trip) -> None:
        """The system says that nobody is there: so much for all that is on its way, and, time after time, for what waits."""
        message = Message(Rcode.UNREACHABLE, note=reason(error))
        failed = [*lane.flying.values(), *more]
        self._flying -= len(lane.flying)
        lane.flying.clear()
        lane.refused += 1
        lane.window = max(1.0, lane.window / 2)
        if lane.refused >= SILENT:
            failed += lane.queue
            lane.queue.clear()
        for trip in failed:
            trip.done(message)

    def _give_up(self, lane: _Lane, message: Message) -> None:
        waiting, lane.queue = lane.queue, deque()
        for trip in waiting:
            trip.done(message)

    def _unstick(self) -> None:
        """Those who waited for room, once each, and those who wait for a socket where there is one."""
        for _ in range(len(self._stuck)):
            if self._flying >= self._total:
                return
            lane = self._stuck.popleft()
            lane.stuck = False
            self._fill(lane)
        while self._without and self._flying < self._total and (self._idle or len(self._open) < self._sockets):
            lane = self._without.popleft()
            lane.stuck = False
            self._fill(lane)

    # Losses

    def _look_for_losses(self) -> None:
        self._timer = None
        now = self._loop.time()
        for lane in [*self._open.values()]:
            while lane.flying:
                trip = next(iter(lane.flying.values()))
                if now - trip.since < self._timeout:
                    break
                del lane.flying[trip.ident]
                self._flying -= 1
                self._lost(lane, trip, "no answer over UDP")
            self._fill(lane)
        self._unstick()
        if self._flying and self._timer is None:
            self._timer = self._loop.call_later(self._tick, self._look_for_losses)

    def _lost(self, lane: _Lane, trip: _Trip, note: str) -> None:
        """One that timed out goes again behind the others. Losses among answers say nothing of the server but that it wants fewer at a
        time; all that were sent before the window was halved are one loss."""
        if lane.heard < trip.began:
            self._patience.silent(lane.server)
        if trip.since >= lane.halved:
            lane.window, lane.halved = max(1.0, lane.window / 2), self._loop.time()
        if trip.tries >= ATTEMPTS:
            trip.done(Message(Rcode.TIMEOUT, note=note))
        else:
            lane.queue.append(trip)

    # TCP

    def _spawn(self, lane: _Lane, trip: _Trip) -> None:
        task = self._loop.create_task(self._stream(lane, trip))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _stream(self, lane: _Lane, trip: _Trip) -> None:
        """The same question over TCP (RFC 7766)."""
        try:
            async with self._streams:
                if over := self._patience.over(lane.server):  # thousands may wait here for one whose TCP is shut
                    self._loop.call_soon(trip.done, over)
                    return
                octets = await asyncio.wait_for(streamed(lane.server, trip.query), self._timeout)
        except TimeoutError:
            self._lost(lane, trip, "truncated over UDP, then no answer over TCP")
            self._soon(lane)
            return
        except (OSError, EOFError) as error:
            message = Message(Rcode.UNREACHABLE, note=f"truncated over UDP, then TCP failed: {reason(error)}")
            self._loop.call_soon(trip.done, message)  # so that what it raises reaches whoever waits
            return
        self._answered(lane)
        if trip.query.unknown_edns(octets):
            trip.query, trip.tries, trip.ident = trip.query.plain(), 0, -1
            lane.queue.appendleft(trip)
            self._soon(lane)
        else:
            self._loop.call_soon(trip.done, octets)
