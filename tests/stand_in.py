"""What every stand-in for an API over real HTTP has: a server on loopback, a log of requests, faults, a limiter, and a watch on gaps.

A class made of it says how a request is answered (`reply`) and what its zones hold (`values`). Every request is logged, and after
each one it is noted which RRsets and values stand in each zone. What a client took away and brought back again was missing in
between: the context ends with an AssertionError for it, unless `gapless` is False, and `gaps` tells it. So it does for an answer that
is not as the vendor describes it (tests/described), or a request that was taken and is not. Faults are in tests/http_faults.py.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tests import gaps
from tests.described import Described
from tests.gaps import By, Item, Moment
from tests.http_faults import Answer, Fault

Key = tuple[str, str]  # a name, "@" for the apex, in lower case, and a type
Values = dict[Key, tuple[int, frozenset[bytes]]]  # what stands there: TTL, and values; a text is its joined octets


@dataclass
class Request:
    """A request as it came in, `url` as it was asked for; of its headers, `headers` keeps those that carry no secret of ours in the log."""

    method: str
    path: str
    body: Any
    at: float
    status: int = 0
    raw: bytes = b""
    query: dict[str, list[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    url: str = ""


class StandIn:
    """The server, as a context. `zones`, by name, are kept in whatever shape by whoever makes a class of it; one that a test takes out is
    not there any more. `expired`: the secret is not taken any more.

    `base` is the path before all others of the API; `secret` what the client is given, `about_zones` a regular expression for the
    paths of requests that are about a zone's records; `described` is the vendor's description, where there is one; `unauthorized`, `no_zone` and `erred` make the vendor's answers for a secret
    that is not taken (told with these words), a zone that is not there and an error of its own.
    """

    zones: dict[str, Any]
    base = ""
    secret = ""
    about_zones = ""
    described: Described | None = None

    def __init__(self, zones: Collection[str], *, gapless: bool = True, now: Callable[[], float] = time.time) -> None:
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.amiss: list[str] = []  # what was not as it is described
        self.expired = False
        self.lock = threading.RLock()
        self.gapless, self.now = gapless, now
        self.history: dict[str, list[Moment]] = {zone: [] for zone in zones}

    # --- what a class made of it says ---------------------------------------------------------------------------------

    def reply(self, request: Request) -> Answer:
        """The right answer to a request, which is done by it. Called with the lock held."""
        raise NotImplementedError

    def values(self, zone: str) -> Values:
        """What stands in a zone."""
        raise NotImplementedError

    def add(self, zone: str, name: str, kind: str, ttl: int, value: str) -> None:
        """Somebody else adds a value in zone-file form by another way, such as the web form. An RRset that is there keeps its TTL."""
        raise NotImplementedError

    def drop(self, zone: str, name: str, kind: str) -> None:
        """Somebody else takes an RRset away."""
        raise NotImplementedError

    def before(self, request: Request) -> Answer | None:
        """An answer that comes before all others, such as a limiter's. Called with the lock held."""
        return None

    def noted(self, zone: str) -> None:
        """Called where something else stands in a zone than before."""

    def unauthorized(self, words: str) -> Answer:
        """The answer where the secret is not taken."""
        raise NotImplementedError

    def no_zone(self) -> Answer:
        """The answer where there is no such zone."""
        raise NotImplementedError

    def erred(self) -> Answer:
        """The answer where the other side has an error of its own."""
        raise NotImplementedError

    # --- what tests look at -------------------------------------------------------------------------------------------

    @property
    def endpoint(self) -> str:
        """What to give to a client."""
        return f"http://127.0.0.1:{self._server.server_address[1]}{self.base}"

    def gaps(self, zone: str) -> dict[Item, float]:
        """The RRsets and values that the client took away and brought back: seconds."""
        return gaps.gaps(self.history[zone])

    def settled(self) -> None:
        """Say that all is done that was to be done: what a later request brings back is another intent, and no gap."""
        self.note(By.SETTLED)

    def calls(self) -> list[str]:
        """The requests so far, as `METHOD path`."""
        return [f"{each.method} {each.path}" for each in self.requests]

    def note(self, by: By) -> None:
        """What stands in each zone now is noted, and who brought it about."""
        with self.lock:
            for zone, past in self.history.items():
                if zone not in self.zones:
                    continue
                now = gaps.items({key: values for key, (_, values) in self.values(zone).items()})
                if not past or past[-1].items != now:
                    self.noted(zone)
                past.append(Moment(time.monotonic(), now, by))

    # --- HTTP ---------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self.note(By.SOMEBODY)
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *args: object) -> None:
                """Nothing on standard error."""

            def handle_one(self) -> None:
                stand_in._serve(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_one

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        # A client that is gone again before it was taken would else keep the server waiting for the next one, and its end with it.
        self._server.socket.settimeout(0.5)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for fault in self.faults:
            fault.release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        if error is None:
            assert self.amiss == [], f"not as {self.described and self.described.source} describes it: {self.amiss}"
        if self.gapless and error is None:
            missing = {zone: found for zone in self.history if (found := self.gaps(zone))}
            assert missing == {}, f"there before and after, and missing in between: {missing}"

    def _serve(self, http: BaseHTTPRequestHandler) -> None:
        url = urlsplit(http.path)
        raw = http.rfile.read(int(http.headers.get("Content-Length") or 0))
        path = url.path.removeprefix(self.base)
        query = parse_qs(url.query, keep_blank_values=True)
        with self.lock:
            request = Request(
                http.command,
                path,
                _json(raw),
                time.monotonic(),
                raw=raw,
                query=query,
                headers=http.headers,
                url=http.path,
            )
            self.requests.append(request)
            fault = next((f for f in self.faults if f.strikes(request.method, path)), None)
            first = self.before(request)
        if first is not None:
            self._judge(request, first)
            request.status = first.status
            first.send(http)
            return
        if fault and fault.before(http):
            return
        answer = fault.answer if fault else None
        if answer is None or (fault and fault.commits):
            with self.lock:
                done = self.reply(request) if url.path.startswith(self.base) else Answer(404, "Not Found")
                self.note(By.CLIENT)
            self._judge(request, done)
            answer = answer or done
        request.status = answer.status
        if fault and fault.after(http, answer):
            return
        answer.send(http)

    def _judge(self, request: Request, answer: Answer) -> None:
        """Hold an answer of this server's own, and a request that was taken, to the description."""
        if self.described is not None:
            told = None if answer.body == "null" else json.loads(json.dumps(answer.body))
            self.amiss += self.described.amiss(request.method, request.path, request.body, answer.status, told)


class Limiter:
    """So many requests within so many seconds, each limit for itself; `late` says for how long the next one has to wait."""

    def __init__(self, limits: Iterable[tuple[int, float]], now: Callable[[], float]) -> None:
        self._limits, self._now = tuple(limits), now
        self._taken: list[float] = []

    def late(self) -> float:
        """Seconds until a request is taken; 0.0: it is, and counts."""
        now = self._now()
        self._taken = [at for at in self._taken if at > now - max((span for _, span in self._limits), default=0.0)]
        waits = [0.0]
        for most, span in self._limits:
            within = [at for at in self._taken if at > now - span]
            if len(within) >= most:
                waits.append(within[-most] + span - now)
        if max(waits) <= 0:
            self._taken.append(now)
        return max(waits)


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return None
