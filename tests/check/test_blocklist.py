"""Block lists, served as zones of others, and connections to port 25 of servers on loopback."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from dnssync.check.areas import checks
from dnssync.check.blocklist import Called, Outbound
from dnssync.check.gather import Sources
from dnssync.check.gather_outbound import fetch
from dnssync.core.host import Host
from dnssync.exim.ask import Exim
from tests.bind import free_port
from tests.check.test_addresses import sends_from
from tests.check.world import World

SIX = "2001:db8::1"
ZEN = """2.0.0.127 A 127.0.0.2
3.2.0.192 A 127.0.0.2
3.2.0.192 A 127.0.0.4
4.2.0.192 A 127.0.0.10
5.2.0.192 A 127.255.255.254
6.2.0.192 A 127.255.255.252
7.2.0.192 A 127.255.255.255
8.2.0.192 A 203.0.113.80
9.2.0.192 A 127.0.0.200
2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2 A 127.0.0.3
"""
DBL = "test A 127.0.1.2\nspam.test A 127.0.1.2\nodd.test A 127.0.1.255\n"
ZONES = {"good.test": "", "spam.test": "", "odd.test": "", "zen.spamhaus.org": ZEN, "dbl.spamhaus.org": DBL}
LISTS = [zone for zone in ZONES if "spamhaus" in zone]
IPS = ("192.0.2.1", *(f"192.0.2.{n}" for n in range(3, 10)), SIX, "2001:db8::2")


def sender(*ips: str) -> Host:
    """A host that sends the mail of good.test from these addresses."""
    return sends_from(*ips, domain="good.test")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str]]:
    """What BL-01 says, by subject."""
    with World(tmp_path_factory.mktemp("bl"), ZONES, foreign=LISTS, host=sender(*IPS)) as world:
        return {f.subject: (str(f.severity), f.message) for f in world.findings("BL-01")}


@pytest.mark.parametrize(
    ("subject", "severity", "words"),
    [
        ("192.0.2.1", "ok", ""),
        ("192.0.2.3", "warning", "SBL (sources of spam), XBL"),
        ("192.0.2.4", "warning", "PBL (addresses that its provider"),
        ("192.0.2.5", "unknown", "public or shared resolver (127.255.255.254)"),
        ("192.0.2.6", "unknown", "misspelt"),
        ("192.0.2.7", "unknown", "too many questions"),
        ("192.0.2.8", "unknown", "the answer was 203.0.113.80"),
        ("192.0.2.9", "warning", "zen.spamhaus.org (127.0.0.200)"),
        (SIX, "ok", ""),
        ("2001:db8::2", "warning", "CSS"),
        ("good.test", "ok", ""),
        ("spam.test", "warning", "spam.test is listed by Spamhaus: DBL (spam)"),
        ("odd.test", "unknown", "an address was asked for"),
    ],
)
def test_listed_or_refused(found, subject: str, severity: str, words: str) -> None:
    """127.0.0.x is an entry, 127.255.255.x a refusal, anything else made up; no answer is no entry."""
    assert found[subject][0] == severity and words in found[subject][1]


@pytest.mark.parametrize(
    ("entry", "severity", "words"),
    [
        ("2.0.0.127 A 127.0.0.2\n", "ok", ""),
        ("", "unknown", "does not even have the entry for tests: the resolver keeps its answers back"),
        ("2.0.0.127 A 127.255.255.254\n", "unknown", "entry for tests (the question came through a public"),
    ],
)
def test_a_list_that_does_not_work(tmp_path: Path, entry: str, severity: str, words: str) -> None:
    """No entry counts for nothing where even the one for tests is not there."""
    with World(
        tmp_path, {"good.test": "", "zen.spamhaus.org": entry}, foreign=["zen.spamhaus.org"], host=sender("192.0.2.1")
    ) as world:
        [(got, message)] = world.said("BL-01", "192.0.2.1")
        assert str(got) == severity and words in message
        assert world.severities("BL-01", "good.test") == ["unknown"]  # the other list is not served at all


def test_asked_only_where_somebody_wants_it() -> None:
    """Neither is run by itself, since it tells others about this host."""
    assert not {"BL-01", "PORT-01"} & {check.id for check in checks()}
    assert {"BL-01"} == {"BL-01", "PORT-01"} & {check.id for check in checks(frozenset({"BL-01"}))}


# --- port 25 --------------------------------------------------------------------------------------------------------------


class Greeter:
    """A server on loopback that says one thing to each connection, and keeps what it is told."""

    def __init__(self, greeting: bytes | None) -> None:
        self.greeting, self.told = greeting, b""
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            with peer:
                if self.greeting is not None:
                    for part in (self.greeting[:2], self.greeting[2:]):
                        peer.sendall(part)
                    while part := peer.recv(100):
                        self.told += part

    def close(self) -> None:
        """End it; a second time is well, too."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(5)


@pytest.fixture
def greeter() -> Iterator[Greeter]:
    """One that greets as a mail server does."""
    server = Greeter(b"220 mx.others.test ESMTP\r\n")
    yield server
    server.close()


def leading(ports: Mapping[str, int]):
    """A way out that leads to loopback, to a port nobody listens at where the address is not named."""

    def connect(address: str, port: int, timeout: float) -> socket.socket:
        assert port == 25
        return socket.create_connection(("127.0.0.1", ports.get(address, 0) or free_port()), timeout)

    return connect


OTHERS = {
    "gmail.com": "@ MX 20 none\n@ MX 5 mx\nmx A 203.0.113.1\nmx AAAA 2001:db8:1::1\nnone A 203.0.113.66\n",
    "outlook.com": "@ MX 10 mx\nmx A 203.0.113.2\n",
    "yahoo.com": "@ MX 0 .\n",
}


def outward(tmp_path: Path, ports: Mapping[str, int], host: Host) -> World:
    """A world with the exchangers of others."""
    zones = {"good.test": "", **OTHERS}
    return World(tmp_path, zones, foreign=list(OTHERS), host=host, sources={"connect": leading(ports)})


def test_the_port_is_open(tmp_path: Path, greeter: Greeter) -> None:
    """One greeting is enough, and nothing is said there but QUIT; with none it is an error."""
    with outward(tmp_path, {"203.0.113.2": greeter.port}, sender("192.0.2.1")) as world:
        assert world.severities("PORT-01") == ["ok"]
        greeter.close()
        assert greeter.told == b"QUIT\r\n"
        [finding] = world.findings("PORT-01")
        assert finding.severity == "error"
        assert "over IPv4 (203.0.113.1: connection refused; 203.0.113.2: connection refused)" in finding.message


def test_one_family_is_shut(tmp_path: Path, greeter: Greeter) -> None:
    """Where mail leaves over both and one leads nowhere, it is slow; a family that mail does not leave over is not tried."""
    with outward(tmp_path, {"203.0.113.1": greeter.port}, sender("192.0.2.1", SIX)) as world:
        [(severity, message)] = world.said("PORT-01")
        assert str(severity) == "warning" and "over IPv6 (2001:db8:1::1: connection refused)" in message
        world.host = sender("192.0.2.1")
        assert world.severities("PORT-01") == ["ok"]
        world.host = sender(SIX)
        assert world.severities("PORT-01") == ["error"]


def test_a_family_that_nothing_is_known_of(tmp_path: Path, greeter: Greeter) -> None:
    """Where no exchanger has an IPv6 address, IPv4 being open says nothing of IPv6."""
    four = {**OTHERS, "gmail.com": "@ MX 5 mx\nmx A 203.0.113.1\n"}
    for zones, wanted in ((OTHERS, ["ok"]), (four, ["unknown"])):
        ways = leading({"203.0.113.1": greeter.port, "2001:db8:1::1": greeter.port})
        with World(
            tmp_path,
            {"good.test": "", **zones},
            foreign=list(zones),
            host=sender("192.0.2.1", "2001:db8::1"),
            sources={"connect": ways},
        ) as world:
            assert world.severities("PORT-01") == wanted


def test_a_host_that_needs_no_way_out(tmp_path: Path) -> None:
    """All mail leaves through smarthosts: nothing is lost."""
    with outward(tmp_path, {}, sender()) as world:
        assert world.severities("PORT-01") == ["info"]


def test_nobody_to_try_with(tmp_path: Path) -> None:
    """Without DNS nothing is known of the port."""
    with outward(tmp_path, {}, sender("192.0.2.1")) as world:
        world.bind.stop()
        [(severity, message)] = world.said("PORT-01")
        assert str(severity) == "unknown" and "gmail.com" in message


def called(tmp_path: Path, greeting: bytes | None) -> Called:
    """What comes of one connection to a server that says this."""
    server = Greeter(greeting)
    world = World(tmp_path, {}, sources={})
    sources = Sources(
        world.config(), world.resolver(), Exim(("/nonexistent",)), connect=leading({"203.0.113.1": server.port})
    )
    try:
        return fetch([Outbound("203.0.113.1")], sources, patience=0.5)[Outbound("203.0.113.1")]
    finally:
        server.close()


@pytest.mark.parametrize(
    ("greeting", "came"),
    [
        (b"220 mx ESMTP\r\n", Called("220 mx ESMTP")),
        (b"554 go away\r\n", Called("554 go away")),
        (b"HTTP/1.1 400\r\n", Called(failure="what answered is no mail server: 'HTTP/1.1 400'")),
        (b"220 no end of line", Called(failure="no answer within 0.5 seconds")),
        (None, Called(failure="the connection was closed without a greeting")),
    ],
)
def test_what_comes_of_a_connection(tmp_path: Path, greeting: bytes | None, came: Called) -> None:
    """A greeting, a refusal too, shows that the way is open; silence, a closed door and another protocol do not."""
    assert called(tmp_path, greeting) == came
