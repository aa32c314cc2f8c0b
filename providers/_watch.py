"""A limit for the whole of an answer: what sockets know of is the time between two octets, and octets may drip for ever."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any

from requests.adapters import HTTPAdapter


class Watch(threading.local):
    """Ends an answer that takes too long: what sockets know of is the time between two octets. A context for one request."""

    def __init__(self, seconds: float) -> None:
        self.late = False
        self._seconds = seconds
        self._timer: threading.Timer | None = None

    def __enter__(self) -> None:
        self.late = False

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def over(self, connection: Any) -> None:
        """From now on the time counts for what comes over this connection."""
        self.__exit__()
        self.late = False
        mine = vars(self)  # the timer's own thread has another dict of its own

        def end() -> None:
            mine["late"] = True
            with contextlib.suppress(OSError, TypeError):  # closed meanwhile
                # Past TLS, whose own shutdown would let what still comes be read undeciphered.
                socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)

        self._timer = threading.Timer(self._seconds, end)
        self._timer.daemon = True
        self._timer.start()


class Adapter(HTTPAdapter):
    """Connections that are watched."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        super().__init__(max_retries=0)

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
        """The pool of connections for a request."""
        return self._watched(super().get_connection_with_tls_context(*args, **options))

    def get_connection(self, *args: Any, **options: Any) -> Any:
        """The same for requests before 2.32."""
        return self._watched(super().get_connection(*args, **options))

    def _watched(self, pool: Any) -> Any:
        if not hasattr(pool.ConnectionCls, "watch"):
            watch = self._watch

            class Watched(pool.ConnectionCls):  # type: ignore[misc]  # a class known only when it runs
                def getresponse(self, *args: Any, **options: Any) -> Any:
                    watch.over(self)
                    return super().getresponse(*args, **options)

            Watched.watch = watch
            pool.ConnectionCls = Watched
        return pool
