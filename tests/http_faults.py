"""What may go wrong at a stand-in over HTTP, to be put into its `faults`: answers of other statuses, broken ones, and none at all."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

HTML = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass
class Answer:
    """A status, a body (an object is sent as JSON, a text as it is), and more headers."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False  # the JSON ends in its middle, as if that were all
    torn: bool = False  # the connection ends in the middle of the body

    def send(self, http: BaseHTTPRequestHandler) -> None:
        """Onto the wire."""
        text = self.body if isinstance(self.body, str) else "" if self.body is None else json.dumps(self.body)
        raw = text.encode()[: len(text) // 2] if self.cut else text.encode()
        kind = (
            "text/html" if text.startswith("<") else "text/plain" if isinstance(self.body, str) else "application/json"
        )
        http.send_response(self.status)
        if raw:
            http.send_header("Content-Type", f"{kind}; charset={'UTF-8' if self.status >= 400 else 'utf-8'}")
        for name, value in self.headers.items():
            http.send_header(name, value)
        http.send_header("Content-Length", str(len(raw)))
        http.end_headers()
        http.wfile.write(raw[: len(raw) // 2] if self.torn else raw)
        if self.torn:
            http.wfile.flush()
            _close(http)


@dataclass
class Fault:
    """Strikes requests of `method` whose path holds `path` (a regular expression): after `skip` of them, `times` of them.

    `answer` stands in place of the right one; `commits` lets the request be done all the same. `latency` in seconds.
    `drop`: the connection is closed without an answer. `hang`: no answer until the test ends. `stranger` is run before.
    """

    method: str = ".*"
    path: str = ""
    answer: Answer | None = None
    commits: bool = False
    latency: float = 0.0
    drop: bool = False
    hang: bool = False
    cut: bool = False
    torn: bool = False
    stranger: Callable[[], None] | None = None
    skip: int = 0
    times: int = 1
    release: threading.Event = field(default_factory=threading.Event)
    struck: int = 0

    def strikes(self, method: str, path: str) -> bool:
        """Whether this request is one of those; counts them."""
        if not re.fullmatch(self.method, method) or not re.search(self.path, path):
            return False
        self.skip -= 1
        if self.skip >= 0 or self.times <= 0:
            return False
        self.times -= 1
        self.struck += 1
        return True

    def before(self, http: BaseHTTPRequestHandler) -> bool:
        """What happens before the request is done; whether that is all."""
        if self.stranger is not None:
            self.stranger()
        time.sleep(self.latency)
        if self.hang and not self.commits:
            self.release.wait(30)
        if (self.drop or self.hang) and not self.commits:
            _close(http)
            return True
        return False

    def after(self, http: BaseHTTPRequestHandler, answer: Answer) -> bool:
        """What happens after it; whether nothing is to be sent any more."""
        if self.hang:
            self.release.wait(30)
        if self.drop or self.hang:
            _close(http)
            return True
        answer.cut, answer.torn = self.cut, self.torn
        return False


def _close(http: BaseHTTPRequestHandler) -> None:
    http.close_connection = True
    http.connection.shutdown(socket.SHUT_RDWR)
