"""Small real servers on loopback: SMTP with STARTTLS for what exim cannot be made to do wrong, and HTTPS; and a network that leads to them."""

from __future__ import annotations

import socket
import socketserver
import ssl
import threading
from collections.abc import Mapping
from typing import Any


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""


class Serving:
    """A server on a free port of loopback; `talk(stream socket)` is what it does with each connection. `seen`: lines it was told."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                self.request.settimeout(20)
                outer.talk(self.request)

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Any:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def talk(self, sock: socket.socket) -> None:
        """One connection."""
        raise AssertionError


class Smtp(Serving):
    """SMTP; `context` = None offers no STARTTLS, `deaf` offers it and then says no; `choosy` likes nobody's greeting."""

    def __init__(
        self,
        name: str,
        context: ssl.SSLContext | None = None,
        *,
        deaf: bool = False,
        banner: str = "",
        choosy: bool = False,
    ) -> None:
        super().__init__()
        self.name, self.context, self.deaf, self.banner = name, context, deaf, banner or f"220 {name} ESMTP"
        self.choosy = choosy

    def talk(self, sock: socket.socket) -> None:
        """Greeting to QUIT."""
        stream = sock.makefile("rwb")

        def say(text: str) -> None:
            stream.write(text.encode() + b"\r\n")
            stream.flush()

        say(self.banner)
        while line := stream.readline():
            verb = line.split()[0].upper().decode()
            self.seen.append(verb)
            if verb in ("EHLO", "HELO") and self.choosy:
                say("550 no such host")
            elif verb == "EHLO":
                say(
                    f"250-{self.name} hello\r\n250-SIZE 1000\r\n"
                    + ("250-STARTTLS\r\n" if self.context or self.deaf else "")
                    + "250 HELP"
                )
            elif verb == "STARTTLS" and self.deaf:
                say("454 TLS currently unavailable")
            elif verb == "STARTTLS" and self.context:
                say("220 go ahead")
                sock = self.context.wrap_socket(sock, server_side=True)
                stream = sock.makefile("rwb")
            else:
                say("221 bye" if verb == "QUIT" else "250 ok")
                if verb == "QUIT":
                    break
        sock.close()


class Https(Serving):
    """HTTPS that answers every request with `answer`, head and all."""

    def __init__(self, context: ssl.SSLContext, answer: bytes) -> None:
        super().__init__()
        self.context, self.answer = context, answer

    def talk(self, sock: socket.socket) -> None:
        """One request."""
        with self.context.wrap_socket(sock, server_side=True) as session:
            head = b""
            while b"\r\n\r\n" not in head:
                more = session.recv(4096)
                if not more:
                    return
                head += more
            self.seen.append(head.decode())
            session.sendall(self.answer)


def reply(text: str, status: str = "200 OK", head: str = "Content-Type: text/plain\r\n") -> bytes:
    """An HTTP answer."""
    return f"HTTP/1.1 {status}\r\n{head}Content-Length: {len(text)}\r\nConnection: close\r\n\r\n{text}".encode()


def network(routes: Mapping[tuple[str, int], int | type[OSError]]) -> Any:
    """`Sources.connect` where address and port lead to a port of loopback, or to an error; whatever else is refused."""

    def connect(address: str, port: int, timeout: float) -> socket.socket:
        to = routes.get((address, port), ConnectionRefusedError)
        if isinstance(to, int):
            return socket.create_connection(("127.0.0.1", to), timeout=timeout)
        raise to("as the test has it")

    return connect
