"""Speaking HTTP to an API: patience, whom the secret goes to, and what is told; against a server that does what the test says."""

from __future__ import annotations

import contextlib
import gzip
import logging
import re
import ssl
import subprocess
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from dnssync_providers._http import Api

from dnssync.core.model import ProviderError

SECRET = "s3cret-token-of-somebody"
Planned = tuple[int, dict[str, str], bytes]


class Server:
    """Answers the planned answers one after the other, then 200 with an empty object; keeps what it was asked."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.planned: list[Planned] = []
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.drips = ""
        self.ended = Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None:
                """Nothing on standard error."""

            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                server.asked.append((self.command, self.path, dict(self.headers)))
                status, headers, body = server.planned.pop(0) if server.planned else (200, {}, b"{}")
                if not status:  # the connection is lost, after whatever was done
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                if server.drips == "headers":
                    self.flush_headers()
                    server.drip(self.wfile)
                self.end_headers()
                if server.drips == "body":
                    server.drip(self.wfile)
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        if context is not None:
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.thread = Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02})

    def drip(self, wire: Any) -> None:
        """An octet now and then, until nobody listens or the test ends."""
        with contextlib.suppress(OSError):
            while not self.ended.wait(0.05):
                wire.write(b"x")
                wire.flush()

    def __enter__(self) -> Server:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()

    @property
    def where(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.http.server_address[1]}"


@pytest.fixture
def server() -> Iterator[Server]:
    """A server without encryption."""
    with Server() as running:
        yield running


def api(server: Server, waited: list[float] | None = None, scheme: str = "http", read: float = 2.0) -> Api:
    """An API that is spoken to there; time passes in `waited` alone."""

    def authorize(headers: dict[str, str]) -> None:
        headers["Authorization"] = f"Bearer {SECRET}"

    pauses = waited if waited is not None else []
    return Api("one", "Vendor", f"{scheme}://{server.where}/v1/", authorize, explain=lambda data: str(data.get("why", "")),
               timeout=(2.0, read), sleep=pauses.append)  # fmt: skip


def tls(folder: Path) -> ssl.SSLContext:
    """A certificate for the loopback address, in `crt` there, that signs itself."""
    run: Any = subprocess.run
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key", "-out", folder / "crt"],
        check=True, capture_output=True)  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "crt", folder / "key")
    return context


def failed(one: Api, method: str = "GET") -> ProviderError:
    """The error of a request that cannot succeed; the secret is nowhere in it."""
    with pytest.raises(ProviderError, match=r"^zone: doing: Vendor .provider one. ") as caught:
        one.call(method, "/x", "zone: doing")
    told = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(one) + repr(vars(caught.value))
    assert SECRET not in told
    return caught.value


def test_what_is_sent(server: Server) -> None:
    """The path behind the endpoint's own, JSON, and the secret in its header."""
    assert api(server).call("PUT", "/x", "doing", body={"a": 1}, params={"p": "q r"}).data == {}
    method, path, headers = server.asked[0]
    assert (method, path) == ("PUT", "/v1/x?p=q+r")
    assert headers["Authorization"] == f"Bearer {SECRET}" and headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("method", "planned", "counts"),
    [
        ("GET", [(200, {}, b"{}")], {"2xx": 1}),
        ("GET", [(503, {}, b""), (429, {"Retry-After": "1"}, b""), (200, {}, b"{}")], {"5xx": 1, "4xx": 1, "2xx": 1}),
        ("GET", [(0, {}, b""), (404, {}, b"")], {"none": 1, "4xx": 1}),
        ("GET", [(0, {}, b""), (503, {}, b""), (0, {}, b""), (0, {}, b"")], {"none": 3, "5xx": 1}),
        ("PUT", [(503, {"Retry-After": "9999"}, b"")], {"5xx": 1}),
        ("PATCH", [(0, {}, b"")], {"none": 1}),
        ("GET", [(302, {"Location": "/"}, b"")], {"3xx": 1}),
    ],
)
def test_answers_are_counted(server: Server, method: str, planned: list[Planned], counts: dict[str, int]) -> None:
    """By class of status, tries that were followed by another one included, and those that got none."""
    server.planned, one = planned, api(server)
    with contextlib.suppress(ProviderError):
        one.call(method, "/x", "zone: doing")
    assert dict(one.counts) == counts


class TestBounds:
    @pytest.mark.parametrize("where", ["headers", "body"])
    @pytest.mark.parametrize("scheme", ["http", "https"])
    @pytest.mark.parametrize("method", ["GET", "PATCH"])
    def test_an_answer_that_drips(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, scheme: str, method: str
    ) -> None:
        """An answer that always goes on and never ends is given up, which the time between two octets does not see."""
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "crt"))
        with Server(tls(tmp_path) if scheme == "https" else None) as server:
            server.drips, server.planned = where, [(200, {"Content-Length": "1000000"}, b"")] * 9
            one = api(server, scheme=scheme, read=0.25)
            error = failed(one, method)
            assert "has not come to the end of its answer within 0.5 seconds" in str(error) and error.transient
            assert ("Whether the change was made is not known" in str(error)) is (method == "PATCH")
            server.drips, server.planned = "", []
            assert one.call("GET", "/x", "doing").data == {}

    @pytest.mark.parametrize("packed", [False, True])
    def test_an_answer_without_end(self, server: Server, packed: bool) -> None:
        """More than any API of such a kind says is not kept, neither as it comes nor when it is unpacked."""
        body = b" " * (2**26 + 1)
        server.planned = [
            (200, {"Content-Encoding": "gzip"} if packed else {}, gzip.compress(body) if packed else body)
        ]
        error = failed(api(server))
        assert "more than 64 MiB" in str(error) and not error.transient
        assert api(server).call("GET", "/x", "doing").data == {}


class TestPatience:
    @pytest.mark.parametrize("status", [429, 503])
    @pytest.mark.parametrize(
        ("method", "asked", "waits"),
        [
            ("GET", "1", True), ("GET", "120", True), ("GET", "121", False), ("PUT", "5", True), ("DELETE", "5", True),
            ("PUT", "6", False), ("DELETE", "120", False), ("POST", "1", False), ("PATCH", "1", False),
        ],
    )  # fmt: skip
    def test_as_long_as_is_asked_for(self, server: Server, status: int, method: str, asked: str, waits: bool) -> None:
        """A reading waits up to two minutes; a write only seconds, since what it rests on grows old; what may be done but once
        is never sent again."""
        server.planned = [(status, {"Retry-After": asked}, b"")]
        waited: list[float] = []
        if waits:
            api(server, waited).call(method, "/x", "doing")
            assert waited == [float(asked)] and len(server.asked) == 2
        else:
            assert failed(api(server, waited), method).transient
            assert waited == [] and len(server.asked) == 1

    def test_too_many_requests_without_a_word_how_long(self, server: Server) -> None:
        """Such limits count minutes: a reading waits for one, a write does not."""
        server.planned = [(429, {}, b"")]
        waited: list[float] = []
        api(server, waited).call("GET", "/x", "doing")
        assert waited == [60.0]
        server.planned = [(429, {}, b"")]
        assert failed(api(server, waited), "PUT").transient and waited == [60.0]

    @pytest.mark.parametrize(
        "then", [(429, {"Retry-After": "3600"}), (401, {}), (400, {}), (429, {"Retry-After": "1"})]
    )
    @pytest.mark.parametrize("first", [502, 503, 504, 429, 0])
    @pytest.mark.parametrize("method", ["PUT", "DELETE", "GET"])
    def test_a_try_before_the_last(
        self, server: Server, method: str, first: int, then: tuple[int, dict[str, str]]
    ) -> None:
        """Of a write whose first try was lost (0) or failed at a front end, nobody says that nothing was done, whatever is answered to
        the second one; of one that was turned away with 429, it is not said that it may have been; and of a reading, neither."""
        server.planned = [(first, {"Retry-After": "1"}, b""), *[(*then, b"{}")] * 9]
        told = str(failed(api(server), method))
        assert ("Whether the change was made is not known" in told) is (first != 429 and method != "GET")
        assert ("Nothing was done" in told) is (
            then[1].get("Retry-After") == "3600" and first == 429 and method != "GET"
        )

    @pytest.mark.parametrize("method", ["PUT", "GET"])
    def test_a_server_that_goes_after_the_first_try(self, method: str) -> None:
        """That it cannot be reached any more says nothing of the try before."""
        with Server() as server:
            server.planned = [(502, {"Retry-After": "1"}, b"<html>")]
            one = Api("one", "Vendor", f"http://{server.where}/v1", lambda headers: headers.update(Authorization=SECRET),
                      timeout=(2.0, 2.0), sleep=lambda seconds: server.http.server_close())  # fmt: skip
            told = str(failed(one, method))
        assert "cannot be reached at 127.0.0.1." in told
        assert ("Whether the change was made is not known" in told) is (method == "PUT")

    @pytest.mark.parametrize("asked", ["soon", "-1", "", "9" * 5000, "Tue, 99 Nov 2026"])
    def test_nonsense(self, server: Server, asked: str) -> None:
        """What is no time to wait leads to an error or to our own pauses, never to a traceback or to a long wait."""
        server.planned = [(503, {"Retry-After": asked}, b"")] * 4
        waited: list[float] = []
        assert failed(api(server, waited)).transient and sum(waited) < 10

    @pytest.mark.parametrize("status", [502, 503, 504])
    @pytest.mark.parametrize(("method", "times"), [("GET", 4), ("PUT", 4), ("DELETE", 4), ("POST", 1), ("PATCH", 1)])
    def test_how_often(self, server: Server, status: int, method: str, times: int) -> None:
        """Three times more, where a method may be repeated at all."""
        server.planned = [(status, {}, b"<html>")] * 9
        assert failed(api(server), method).transient and len(server.asked) == times

    @pytest.mark.parametrize(
        "planned", [(500, {}, b"{}"), (429, {"Retry-After": "3600"}, b""), (200, {}, b"no JSON"), (0, {}, b"")]
    )
    def test_what_passes_by_itself(self, server: Server, planned: Planned) -> None:
        """No sentence promises that the next pass asks again: a zone that failed may be left alone by many of them."""
        server.planned = [planned] * 9
        assert re.search(r"\b[Aa] later pass tries again", str(failed(api(server), "GET")))

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 422, 500, 501])
    def test_what_does_not_pass(self, server: Server, status: int) -> None:
        """An answer that would be the same again is not asked for again."""
        server.planned = [(status, {}, b"{}")] * 9
        assert failed(api(server)).transient is (status >= 500) and len(server.asked) == 1


class TestTold:
    def test_a_secret_that_is_repeated(self, server: Server, caplog: pytest.LogCaptureFixture) -> None:
        """Should the other side repeat it, we do not, whole or in part; nor is it in any log."""
        caplog.set_level(logging.DEBUG)
        body = f'{{"why": "{"x" * 280} token {SECRET} of Bearer {SECRET}"}}'.encode()
        server.planned = [(401, {}, body.replace(b"x" * 280, b"your")), (401, {}, body)]
        assert "your token (secret) of (secret)" in str(failed(api(server)))
        assert SECRET[:6] not in str(failed(api(server))) + caplog.text

    def test_words_that_are_more_than_words(self, server: Server) -> None:
        """What would move a terminal's cursor or colour it is shown as a question mark, on one line of bounded length."""
        server.planned = [(400, {}, b'{"why": "a\\u001b[31mred\\r\\nline\\u202e ' + b"z" * 5000 + b'"}')]
        told = str(failed(api(server)))
        assert "a?[31mred line? zzz" in told and told.isprintable() and len(told) < 500

    @pytest.mark.parametrize("body", [b"<html>", b'{"a": ', b"[" * 100_000, b"\xff\xfe", b"nul"])
    def test_no_json(self, server: Server, body: bytes) -> None:
        """A success that cannot be read is none."""
        server.planned = [(200, {}, body)]
        error = failed(api(server))
        assert "not JSON" in str(error) and error.transient
        server.planned = [(201, {}, body)]
        assert "Whether the change was made is not known" in str(failed(api(server), "POST"))

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    @pytest.mark.parametrize(
        ("location", "told"),
        [
            ("https://evil.example/x", "evil.example"), ("/elsewhere", "another path"), ("", "another path"),
            ("http://[x", "no address"), ("//evil.example", "evil.example"), ("https:///", "another path|no address"),
        ],
    )  # fmt: skip
    def test_redirects(self, server: Server, status: int, location: str, told: str) -> None:
        """None is followed, wherever it leads."""
        server.planned = [(status, {"Location": location}, b"")]
        error = failed(api(server), "POST")
        assert "redirect" in str(error) and any(word in str(error) for word in told.split("|"))
        assert not error.transient and len(server.asked) == 1


class TestWhomTheSecretGoesTo:
    @pytest.mark.parametrize(
        "endpoint",
        [
            "http://api.example/v1",
            "ftp://127.0.0.1/",
            "https://",
            "https://[x",
            "",
            "127.0.0.1",
            "http://127.0.0.1.evil.example",
            "https://api.example:99999/v1",
            "https://api.example:x/v1",
            "https://api.example:0/v1",
            "https://api.example/v1?a=b",
            "https://api.example/v1#top",
        ],
    )
    def test_endpoints(self, endpoint: str) -> None:
        """What is not encrypted, but on this host, and what is no address is refused by the option's name."""
        with pytest.raises(ProviderError, match=r"^endpoint: (must be an https address|ends with its path)"):
            Api("one", "Vendor", endpoint, lambda headers: None)

    def test_no_proxy_without_encryption(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        """A proxy of the environment would read what is not encrypted."""
        with Server() as proxy:
            for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
                monkeypatch.setenv(name, f"http://{proxy.where}")
            api(server).call("GET", "/x", "doing")
            assert len(server.asked) == 1 and proxy.asked == []

    def test_a_certificate_of_nobody(self, tmp_path: Path) -> None:
        """A server that does not prove who it is gets nothing; it is not asked again either."""
        with Server(tls(tmp_path)) as server:
            error = failed(api(server, scheme="https"))
            assert "TLS certificate" in str(error) and not error.transient and server.asked == []

    def test_a_netrc_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where proxies of the environment are used, a netrc file with a login for that host is not."""
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        with Server(tls(tmp_path)) as server:
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "crt"))
            api(server, scheme="https").call("GET", "/x", "doing")
            assert server.asked[0][2]["Authorization"] == f"Bearer {SECRET}"


def test_a_signature(server: Server) -> None:
    """It is made of each request as it goes out, and what it is made with is in no message."""
    signed: list[tuple[str, str, bytes]] = []

    def sign(method: str, url: str, body: bytes) -> dict[str, str]:
        signed.append((method, url, body))
        return {"X-Signed": str(len(signed))}

    one = Api("one", "Vendor", f"http://{server.where}/v1", lambda headers: headers.update({"X-Key": "public"}), sign=sign,
              secrets=[SECRET], explain=lambda data: str(data.get("why", "")), timeout=(2.0, 2.0))  # fmt: skip
    server.planned = [(200, {}, b"{}"), (400, {}, b'{"why": "public and %s"}' % SECRET.encode())]
    one.call("PUT", "/x y", "zone: doing", body={"a": "ü"}, params={"p": "q"})
    assert signed == [("PUT", f"http://{server.where}/v1/x%20y?p=q", b'{"a": "\\u00fc"}')]
    assert server.asked[0][2]["X-Signed"] == "1" and server.asked[0][2]["X-Key"] == "public"
    assert "(secret) and (secret)" in str(failed(one)) and signed[1][2] == b""


@pytest.mark.parametrize("first", [429, 503, 0])
def test_a_try_that_is_repeated_is_signed_anew(server: Server, first: int) -> None:
    """What a signature is made of includes the time, and time has passed."""
    now = [0.0]
    one = Api("one", "Vendor", f"http://{server.where}/v1", lambda headers: None, timeout=(2.0, 2.0),
              sign=lambda method, url, body: {"X-Signed": f"{now[0]:g}"}, sleep=lambda seconds: now.insert(0, now[0] + seconds))  # fmt: skip
    server.planned = [(first, {"Retry-After": "5"}, b"{}"), (first, {"Retry-After": "5"}, b"{}")]
    one.call("PUT", "/x", "zone: doing", body={})
    assert [headers["X-Signed"] for _, _, headers in server.asked] == (["0", "5", "10"] if first else ["0", "0", "1"])
