"""Talks with our own mail server: connect, greeting, STARTTLS, good-bye. Never MAIL, so nothing can come of it.

At most three connections to an address, each of at most `TIMEOUT` seconds: one that verifies the certificate, one that does not where
that fails, and one with TLS 1.1 at most. A public address that is on none of our interfaces may be out of reach from inside (NAT); then
loopback stands for it.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dnssync.check.gather import Sources
from dnssync.check.gather_certificate import plain, shown
from dnssync.check.talking import TLS_12, Reply, Talk, Talked

PORT = 25
TIMEOUT = 10.0  # seconds for one connection
WORKERS = 8
LINE = 4096  # octets; RFC 5321 §4.5.3.1.5 allows 512
LINES = 100  # of one reply
NAME = "check.example.com"  # RFC 2606: no claim to be anybody; localhost and their own name many refuse


class _Broken(Exception):
    """The talk came to an end; the sentence says how. `slow`: nothing came in time. `passing`: the connection was taken, and perhaps it
    is only we, or only now."""

    def __init__(self, sentence: str, *, slow: bool = False, passing: bool = False) -> None:
        super().__init__(sentence)
        self.slow, self.passing = slow, passing


@dataclass(frozen=True, slots=True)
class _Contexts:
    """What TLS is spoken with. `trusting`: who signed the certificate must be trusted here; None where this host trusts nobody. `any`: takes
    every certificate and version, so that what is weak is seen, not refused. `old`: TLS 1.1 at most; None where OpenSSL will not.
    `silent`: what came of the addresses at which nobody answered in time; a host with fifty names is not waited for fifty times."""

    trusting: ssl.SSLContext | None
    any: ssl.SSLContext
    old: ssl.SSLContext | None
    silent: dict[str, Talked] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Heard:
    """What one address showed, the certificates still as octets. `distrust` as in `Talked`; `slow`: it did not answer in time."""

    talked: Talked
    chain: tuple[bytes, ...] = ()
    distrust: str = ""
    slow: bool = False


def fetch(wishes: Sequence[Talk], sources: Sources) -> Mapping[Talk, Talked]:
    """A talk for each wish, some at a time."""
    with warnings.catch_warnings():  # for the whole process, so not in the threads
        warnings.simplefilter("ignore")
        contexts = _contexts(sources.trust)
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="talk") as pool:
            heard = list(pool.map(lambda wish: _talk(wish, sources, contexts), wishes))
        return {wish: replace(one.talked, chain=plain(one.chain)) for wish, one in zip(wishes, heard, strict=True)}


def _talk(wish: Talk, sources: Sources, contexts: _Contexts) -> _Heard:
    here = sources.here(wish.address)
    heard = _whole(wish.host, wish.address, sources, contexts)
    through = ""
    if heard.talked.trouble and not here:
        inner = "::1" if ":" in wish.address else "127.0.0.1"
        inside = _whole(wish.host, inner, sources, contexts)
        heard, through = (heard, "") if inside.talked.trouble else (inside, inner)
    return replace(heard, talked=replace(heard.talked, here=here, through=through))


def _whole(host: str, address: str, sources: Sources, contexts: _Contexts) -> _Heard:
    """One address: with verification, else without, then whether old TLS is taken."""
    if address in contexts.silent:
        return _Heard(contexts.silent[address])
    heard = _once(host, address, sources, contexts.trusting or contexts.any)
    if heard.talked.trouble and heard.slow:
        contexts.silent[address] = heard.talked
    distrust: str | None = heard.distrust
    if distrust:
        heard = _once(host, address, sources, contexts.any)
    elif contexts.trusting is None:
        distrust = None
    talked = replace(heard.talked, distrust=distrust)
    if talked.version in TLS_12:
        talked = replace(talked, old=_old(host, address, sources, contexts.old))
    elif talked.version:
        talked = replace(talked, old=True)
    return replace(heard, talked=talked)


def _once(host: str, address: str, sources: Sources, context: ssl.SSLContext) -> _Heard:
    """One connection, and why the certificate is not trusted ("" = it is, or was not looked at)."""
    talked, chain = Talked(), tuple[bytes, ...]()
    try:
        with _connection(sources, address) as talk:
            talked = _greeting(talk)
            if talked.starttls:
                reply = talk.say("STARTTLS")
                if reply.code != 220:
                    return _Heard(replace(talked, refused=f"answers {reply}"))
                try:
                    session = talk.secure(context, host)
                except ssl.SSLCertVerificationError as error:
                    return _Heard(talked, distrust=(error.verify_message or str(error)).rstrip("."))
                except OSError as error:
                    slow = isinstance(error, TimeoutError)
                    return _Heard(replace(talked, refused=f"then fails: {_reason(error)}", passing=slow))
                talked, chain = replace(talked, version=session.version() or ""), shown(session)
            talk.leave()
    except _Broken as error:
        if not talked.greeted:
            return _Heard(replace(talked, trouble=str(error), passing=error.passing), slow=error.slow)
        if talked.starttls and not chain:
            talked = replace(talked, refused=f"then fails: {error}", passing=error.slow)
    return _Heard(talked, chain)


def _greeting(talk: _Connection) -> Talked:
    banner = talk.hear()
    if banner.code != 220:
        raise _Broken(f"it greets with {banner}", passing=400 <= banner.code < 500)
    hello = talk.say(f"EHLO {NAME}")
    if hello.code != 250:
        hello = talk.say(f"HELO {NAME}")
    if hello.code != 250:
        raise _Broken(f"it answers EHLO and HELO with {hello}", passing=True)  # a name that it cannot verify, perhaps
    first, *offered = hello.text.split("\n")
    starttls = any(line.strip().upper() == "STARTTLS" for line in offered)
    return Talked(banner=_first(banner.text), greeted=_first(first), starttls=starttls)


def _first(text: str) -> str:
    return (text.split() or [""])[0].rstrip(".").lower()


def _old(host: str, address: str, sources: Sources, context: ssl.SSLContext | None) -> bool | None:
    """Whether the server goes on with TLS 1.1 or 1.0; None where this host's OpenSSL cannot say that, or nobody answers."""
    if context is None:
        return None
    try:
        with _connection(sources, address) as talk:
            if not _greeting(talk).starttls or talk.say("STARTTLS").code != 220:
                return None
            try:
                talk.secure(context, host)
            except TimeoutError:
                return None
            except ssl.SSLError as error:
                return None if re.search("NO_PROTOCOLS|NO_CIPHERS|INTERNAL_ERROR", str(error.reason)) else False
            except OSError:
                return False
            return True
    except _Broken:
        return None


def _contexts(trust: Mapping[str, Any]) -> _Contexts:
    try:
        old = _any()
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    except (ValueError, ssl.SSLError):
        return _Contexts(_trusting(trust), _any(), None)
    return _Contexts(_trusting(trust), _any(), old)


def _any() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    return context


def _trusting(trust: Mapping[str, Any]) -> ssl.SSLContext | None:
    paths = ssl.get_default_verify_paths()
    stored = bool(paths.cafile) or bool(paths.capath and any(Path(paths.capath).iterdir()))
    if not stored and not trust.get("cafile"):
        return None
    context = _any()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_default_certs()
    if trust.get("cafile"):
        context.load_verify_locations(str(trust["cafile"]))
    return context


@contextlib.contextmanager
def _connection(sources: Sources, address: str) -> Iterator[_Connection]:
    try:
        sock = sources.connect(address, PORT, TIMEOUT)
    except OSError as error:
        raise _Broken(_reason(error), slow=isinstance(error, TimeoutError)) from None
    talk = _Connection(sock)
    try:
        yield talk
    finally:
        talk.close()


class _Connection:
    """A connection of at most `TIMEOUT` seconds."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock, self._end, self._buffer = sock, time.monotonic() + TIMEOUT, b""

    def close(self) -> None:
        self._sock.close()

    def _in_time(self) -> None:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)

    def _line(self) -> str:
        while b"\n" not in self._buffer:
            self._in_time()
            more = self._sock.recv(LINE)
            if not more:
                raise _Broken("it closed the connection")
            self._buffer += more
            if len(self._buffer) > LINE * LINES:
                raise _Broken("it talks without end")
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode("ascii", "replace").rstrip("\r")

    def hear(self) -> Reply:
        """One reply, its lines joined by line breaks. Raises `_Broken`."""
        texts = []
        try:
            for _ in range(LINES):
                line = self._line()
                match = re.match(r"(\d{3})([ -]|$)(.*)", line)
                if not match:
                    raise _Broken(f"it does not speak SMTP: {line[:80]!r}")
                texts.append(match[3])
                if match[2] != "-":
                    return Reply(int(match[1]), "\n".join(texts))
        except OSError as error:
            slow = isinstance(error, TimeoutError)
            raise _Broken(_reason(error), slow=slow, passing=slow) from None
        raise _Broken("it talks without end")

    def say(self, command: str) -> Reply:
        """A command, and the reply to it. Raises `_Broken`."""
        try:
            self._in_time()
            self._sock.sendall(command.encode("ascii") + b"\r\n")
        except OSError as error:
            slow = isinstance(error, TimeoutError)
            raise _Broken(_reason(error), slow=slow, passing=slow) from None
        return self.hear()

    def secure(self, context: ssl.SSLContext, host: str) -> ssl.SSLSocket:
        """The TLS handshake. Raises `OSError`, `ssl.SSLError`."""
        self._buffer = b""  # what came before the handshake is nobody's word
        self._in_time()
        session = context.wrap_socket(self._sock, server_hostname=host)
        self._sock = session
        return session

    def leave(self) -> None:
        """Say good-bye; how it is taken does not matter."""
        with contextlib.suppress(_Broken):
            self.say("QUIT")


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {TIMEOUT:g} seconds"
    if isinstance(error, ssl.SSLEOFError):
        return "it closed the connection in the TLS handshake"
    if isinstance(error, ssl.SSLError) and error.reason:
        return f"the TLS handshake failed: {error.reason.lower().replace('_', ' ')}"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
