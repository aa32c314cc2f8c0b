"""How providers speak to an HTTP API: one session, patience with bounds, and errors that say what happened and what to do.

Nothing is repeated that may have been done: only methods that HTTP calls idempotent (RFC 9110 §9.2.2) are tried again, after a
lost connection, 429 and 502 to 504, and as late as `Retry-After` asks. No redirect is followed, since a secret goes to the
host it was given for and nowhere else. A request that is made again is signed again, since a signature has its time. Secrets are in no message: they travel in a header that `authorize` sets, and are taken
out of what the other side says, should it repeat them.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3

from dnssync.core.model import ProviderError

from ._secret import Secret
from ._watch import Adapter, Watch

CONNECT, READ = 10.0, 60.0  # seconds until a connection stands, and between two octets of an answer
WHOLE = 2.0  # an answer has come to its end after this many times READ, however steadily its octets drip
LARGEST = 64 * 2**20  # octets of an answer, at most
TRIES = 3  # how often more, at most
LONGEST = 120.0  # seconds that a reading waits because the other side asks for it; more is for the next pass
WRITE_LONGEST = 5.0  # the same for a write: what it rests on was read before, and grows old while it waits
BUSY = 60.0  # seconds to wait after a 429 that does not say how long: such limits count requests a minute
WORDS = 300  # characters of what the other side says, at most
LOOPBACK = ("127.0.0.1", "::1", "localhost")
AGAIN, IDEMPOTENT = frozenset({429, 502, 503, 504}), frozenset({"GET", "HEAD", "PUT", "DELETE"})


@dataclass(frozen=True)
class Reply:
    """An answer: `status`, `headers` (names in any case), and `data`, its JSON; None where there is none to be had. `doubt` says
    so where an earlier try of the same request may have been done, whatever this answer says of the last one."""

    status: int
    headers: Mapping[str, str]
    data: Any
    doubt: str = ""


class Api:
    """One API of one provider: `name` is the provider's in the configuration, `service` the vendor's for people. `counts` has the
    answers by class of status (`2xx`), those that another try followed included; `none` counts requests that got no answer."""

    def __init__(
        self,
        name: str,
        service: str,
        endpoint: str,
        authorize: Callable[[dict[str, str]], None],
        *,
        sign: Callable[[str, str, bytes], Mapping[str, str]] = lambda method, url, body: {},
        secrets: Collection[str] = (),
        explain: Callable[[Any], str] = lambda data: "",
        timeout: tuple[float, float] = (CONNECT, READ),
        sleep: Callable[[float], None] = time.sleep,
        verify: bool | str = True,
    ) -> None:
        """`authorize` puts the secret into a request's headers; `explain` takes the vendor's words out of an error's JSON. `sign` gives
        more headers for a request, from its method, its whole address and its body as they are sent; `secrets` are those that are in
        no header, and in no message either. `verify` names a file of authorities to trust in place of this host's.

        Raises `ProviderError` where the endpoint is no https address (http is for loopback alone).
        """
        self._who, self.counts = f"{service} (provider {name})", Counter[str]()
        scheme, self._host = _origin(endpoint)
        if not self._host or (scheme != "https" and not (scheme == "http" and self._host in LOOPBACK)):
            raise ProviderError("endpoint: must be an https address, so that nobody reads the secret on its way")
        if set(endpoint) & set("?#"):
            raise ProviderError("endpoint: ends with its path; what comes behind `?` or `#` does not belong to it")
        self._base, self._verify = endpoint.rstrip("/"), verify
        self._authorize, self._explain, self._timeout, self._secrets = authorize, explain, timeout, tuple(secrets)
        self._session = requests.Session()
        self._session.headers.update({"Accept": "application/json", "User-Agent": "dnssync"})
        self._session.trust_env = scheme == "https"  # what is not encrypted goes to this host, not to a proxy
        self._session.auth = Secret(
            authorize, sign
        )  # set, it also keeps a netrc file from putting another one in its place
        self._watch = Watch(timeout[1] * WHOLE)
        self._sleep = sleep
        # What one of the provider's instances was told is told to the others, where they sleep with the same thing (docs/add-a-provider.md).
        self._note: Callable[[float], None] = getattr(sleep, "note", lambda seconds: None)
        self._left: Callable[[], float] = getattr(sleep, "left", lambda: 0.0)
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, Adapter(self._watch))

    def __repr__(self) -> str:
        return f"<{self._who}>"

    def call(
        self,
        method: str,
        path: str,
        doing: str,
        *,
        body: Any = None,
        params: Mapping[str, Any] | None = None,
        expect: Collection[int] = (),
    ) -> Reply:
        """One request. Returns the reply where its status is a success, or one of `expect`; else raises `ProviderError`.

        `doing` begins every sentence: zone and what was to be done, such as `example.org: reading the zone`.
        """
        try:
            answer, content, tries = self._asked(method, path, doing, body, params)
            data, sound = _json(content)
        except _TooMuch:
            raise ProviderError(f"{doing}: {self._who} answers with more than {LARGEST // 2**20} MiB, which is no answer of such an "
                                f"API.{_maybe(method)} See that `endpoint` is right.") from None  # fmt: skip
        except _NotNow as error:
            raise ProviderError(f"{doing}: {self._who} wants no more requests for {error.seconds:.0f} seconds, which is longer than "
                                f"is waited for.{error.told}",
                                transient=True) from None  # fmt: skip
        except ValueError:  # requests reads the address of a redirect, though it does not go there
            raise ProviderError(f"{doing}: {self._who} answered with a redirect to something that is no address. See that "
                                "`endpoint` is right.") from None  # fmt: skip
        if 300 <= answer.status_code < 400:
            where = _origin(answer.headers.get("Location", ""))[1] or "another path"
            raise ProviderError(f"{doing}: {self._who} answered with a redirect to {where}, which is not followed, since the "
                                f"secret is for {self._host} alone. See that `endpoint` is right.")  # fmt: skip
        reply = Reply(answer.status_code, answer.headers, data, _doubt(method, tries))
        if answer.status_code in expect:
            return reply
        if answer.ok:
            if not sound:
                raise ProviderError(f"{doing}: {self._who} answered {answer.status_code} with something that is not JSON."
                                    f"{_maybe(method)} A later pass tries again; if it stays so, see that `endpoint` is right.",
                                    transient=True)  # fmt: skip
            return reply
        raise self.refused(reply, doing)

    def pause(self, seconds: float, doing: str) -> None:
        """Let time pass in the middle of what `doing` says. Raises `ProviderError` where there is no time for that."""
        try:
            self._sleep(seconds)
        except ProviderError as error:
            raise ProviderError(f"{doing}: {error} A later pass tries again.", transient=True) from None

    def _asked(
        self, method: str, path: str, doing: str, body: Any, params: Any
    ) -> tuple[requests.Response, bytes, Sequence[Any]]:
        """The last answer to a request, its body, and the tries before it, as urllib3 has them."""
        patience = _patience(self._sleep)
        while True:
            answer = None
            self._wait_for_others(method, patience.history)
            try:
                with self._watch, self._session.request(
                    method, self._base + path, json=body, params=params, timeout=self._timeout, allow_redirects=False, stream=True,
                    verify=self._verify,
                ) as answer:  # fmt: skip
                    more = patience.after(method, answer.raw)
                    content = b"" if more else _content(answer)
                self.counts[f"{answer.status_code // 100}xx"] += 1
                self._note(patience.wanted(answer.raw))
            except requests.RequestException as error:
                self.counts["none"] += 1
                more = patience.without(method, error) if answer is None else None
                if more is None:
                    raise self._trouble(error, doing, method, patience.history) from None
            if answer is not None and more is None:
                return answer, content, patience.history
            patience = more
            patience.sleep(None if answer is None else answer.raw)

    def _wait_for_others(self, method: str, tries: Sequence[Any]) -> None:
        """Let a pause pass that another instance was told to make. Raises `_NotNow` where it is too long."""
        while (left := self._left()) > 0:
            _wait(left, self._sleep, method, tries)

    def refused(self, reply: Reply, doing: str, hint: str = "", *, transient: bool = False) -> ProviderError:
        """What an answer that is no success means, as an error to raise. `hint` says what to do, where a provider knows better."""
        told = f": {words}" if (words := self.words(reply)) else ""
        status = reply.status
        if hint:
            pass
        elif status in (401, 403):
            hint = "See that the secret is right, has not expired, and may read and change this zone."
        elif status == 404:
            hint = "See that the zone is there and that the secret may see it."
        elif status == 429:
            hint = "Too many requests; a later pass tries again."
        elif status >= 500:
            hint = "That is a fault on their side; a later pass tries again."
        else:
            hint = "The request was refused as it is; please report it with this sentence."
        return ProviderError(f"{doing}: {self._who} answered {status}{told}.{reply.doubt} {hint}".replace("..", "."),
                             transient=transient or status == 429 or status >= 500)  # fmt: skip

    def words(self, reply: Reply) -> str:
        """What the other side says, on one line, in characters that a terminal only shows; a secret in it is not repeated."""
        told = self._explain(reply.data) if reply.data is not None else ""
        headers: dict[str, str] = {}
        self._authorize(headers)
        for value in (*headers.values(), *self._secrets):
            for secret in filter(None, (value, value.rpartition(" ")[2])):
                told = told.replace(secret, "(secret)")
        return "".join(letter if letter.isprintable() else "?" for letter in " ".join(told.split()))[:WORDS]

    def _trouble(
        self, error: requests.RequestException, doing: str, method: str, tries: Sequence[Any]
    ) -> ProviderError:
        """A request that got no whole answer. The library's own words may hold what was sent, so they are not told. `tries`: before it."""
        if self._watch.late:
            what = f"has not come to the end of its answer within {self._timeout[1] * WHOLE:g} seconds.{_maybe(method)}"
        elif isinstance(error, requests.exceptions.SSLError):
            return ProviderError(f"{doing}: {self._who} at {self._host} does not prove who it is (TLS certificate). Nothing was "
                                 "sent. See the clock and the CA certificates of this host, and `endpoint`.")  # fmt: skip
        elif isinstance(error, requests.exceptions.ConnectTimeout):
            what = f"cannot be reached at {self._host}: no connection within {self._timeout[0]:g} seconds.{_doubt(method, tries)}"
        elif isinstance(error, requests.exceptions.ReadTimeout) or isinstance(
            _reason(error), urllib3.exceptions.ReadTimeoutError
        ):
            what = f"has not answered within {self._timeout[1]:g} seconds." + _maybe(method)
        elif isinstance(error, requests.exceptions.InvalidHeader):
            return ProviderError(f"{doing}: the secret of {self._who} holds characters that no header can carry. Write it on one "
                                 "line, without blanks.")  # fmt: skip
        elif isinstance(_reason(error), urllib3.exceptions.NewConnectionError):
            what = f"cannot be reached at {self._host}.{_doubt(method, tries)} See this host's network and name resolution, and `endpoint`."
        else:
            what = "broke off its answer." + _maybe(method)
        return ProviderError(f"{doing}: {self._who} {what} A later pass tries again.", transient=True)


class _NotNow(Exception):
    """The other side asks for more patience than there is; not an `OSError`, which requests would take for a lost connection. `told`
    says what of the request was done. Of a reading nobody says that nothing was: it may be a look in the middle of a write."""

    def __init__(self, seconds: float, method: str, tries: Sequence[Any]) -> None:
        super().__init__(seconds)
        doubt, writes = _doubt(method, tries), _maybe(method) != ""
        told = " Nothing was done; a" if writes and not doubt else f"{doubt} A"
        self.seconds, self.told = seconds, f"{told} later pass tries again."


class _TooMuch(Exception):
    """An answer that does not end where one should; not a `ValueError`, which a redirect may raise."""


def _content(answer: requests.Response) -> bytes:
    """The whole body. Raises `_TooMuch` where it goes beyond `LARGEST`."""
    content = bytearray()
    for piece in answer.iter_content(2**16):
        content += piece
        if len(content) > LARGEST:
            raise _TooMuch
    return bytes(content)


def _json(content: bytes) -> tuple[Any, bool]:
    """The body's JSON, and whether it was JSON or nothing at all."""
    if not content:
        return None, True
    try:
        return json.loads(content), True
    except (ValueError, RecursionError):
        return None, False


def _origin(url: str) -> tuple[str, str]:
    """Scheme and host of an address, "" where it is none."""
    try:
        parts = urlsplit(url)
        return parts.scheme, (parts.hostname or "") if parts.port != 0 else ""
    except ValueError:
        return "", ""


def _maybe(method: str) -> str:
    return "" if method in ("GET", "HEAD") else " Whether the change was made is not known."


def _doubt(method: str, tries: Sequence[Any]) -> str:
    """`_maybe`, where one of these tries (as urllib3 has them) may have got through: it ended with another status than 429, or was lost."""
    unsent = urllib3.exceptions.NewConnectionError
    return _maybe(method) if any(e.status != 429 and not isinstance(e.error, unsent) for e in tries) else ""


def _reason(error: requests.RequestException) -> object:
    """What lies behind an error: the last of the tries, where there were several."""
    cause = error.args[0] if error.args else None
    return getattr(cause, "reason", cause)


def _wait(seconds: float, sleep: Callable[[float], None], method: str, tries: Sequence[Any]) -> None:
    """Wait before a request because the other side asks for it. Raises `_NotNow` where this is no time for so long a pause; `tries`: those
    of the same request that may have been done."""
    if seconds > (LONGEST if method in ("GET", "HEAD") else WRITE_LONGEST):
        raise _NotNow(seconds, method, tries)
    try:
        sleep(seconds)
    except ProviderError:
        raise _NotNow(seconds, method, tries) from None


def _patience(sleep: Callable[[float], None]) -> Any:
    """When and how late a request is made again. The library decides, and is not let to make it: it would send the old signature."""

    class Patience(urllib3.Retry):
        def after(self, method: str, response: Any) -> Patience | None:
            """What there is after an answer, None where that is the last one."""
            if not self.is_retry(method, response.status, "Retry-After" in response.headers):
                return None
            return self._less(method, response=response)

        def without(self, method: str, error: requests.RequestException) -> Patience | None:
            """What there is after a try that got no answer, None where no other one may be made."""
            reason = _reason(error)
            return self._less(method, error=reason if isinstance(reason, Exception) else error)

        def _less(self, method: str, **why: Any) -> Patience | None:
            try:
                return self.increment(method, "", **why)
            except urllib3.exceptions.HTTPError:
                return None

        def parse_retry_after(self, retry_after: str) -> float:
            try:
                return super().parse_retry_after(retry_after)
            except (urllib3.exceptions.InvalidHeader, ValueError):
                return 0.0  # neither seconds nor a date: our own pauses then

        def wanted(self, response: Any) -> float:
            """For how many seconds the other side wants no requests."""
            asked = float(self.get_retry_after(response) or 0.0) if response.status in AGAIN else 0.0
            return asked or (BUSY if response.status == 429 else 0.0)

        def sleep_for_retry(self, response: Any) -> bool:
            if wanted := self.wanted(response):
                _wait(wanted, sleep, self.history[-1].method or "", self.history[:-1])
            return wanted > 0

        def _sleep_backoff(self) -> None:
            pause = self.get_backoff_time()
            if pause > 0:
                sleep(pause)

    return Patience(
        total=TRIES, connect=TRIES, read=TRIES, status=TRIES, other=0, redirect=0, allowed_methods=IDEMPOTENT,
        status_forcelist=AGAIN, backoff_factor=0.5, raise_on_status=False, respect_retry_after_header=True,
    )  # fmt: skip
