"""One question to one server: truncation, EDNS, loss, noise, and where servers are."""

from __future__ import annotations

import socket
import threading

import pytest

from dnssync.core.sighting import Question, Rcode, Sight
from dnssync.datagrams import ATTEMPTS
from dnssync.resolver import Resolver
from dnssync.wire import PAYLOAD, Server, routed, split
from tests.looking import ASK, KEY, NAME, ZONE, look, record, resolver, see, serving
from tests.nameserver import Fault

serve = pytest.fixture(serving)


def test_a_long_key_by_edns(serve):
    """The record of a 4096-bit key comes in one datagram, its strings joined without a gap."""
    text = "v=DKIM1; k=rsa; p=" + "QUJD" * 184
    server = serve({ZONE: record(text)})
    assert see(look(resolver(server)), text) is Sight.VISIBLE
    assert [query.tcp for query in server.asked(NAME)] == [False]


@pytest.mark.parametrize(
    ("text", "fault"), [("v=DKIM1; p=" + "A" * PAYLOAD, None), (KEY, Fault.TRUNCATE)], ids=["too long", "says so"]
)
def test_tcp_on_truncation(serve, text, fault):
    """A truncated answer is asked for again over TCP."""
    server = serve({ZONE: record(text)}, faults={"*": fault} if fault else None)
    assert see(look(resolver(server)), text) is Sight.VISIBLE
    assert [query.tcp for query in server.asked(NAME)] == [False, True]


def test_without_edns(serve):
    """A server that does not know EDNS is asked without it; a long key then comes over TCP."""
    text = "v=DKIM1; k=rsa; p=" + "QUJD" * 184
    server = serve({ZONE: record(text)}, faults={"*": Fault.NO_EDNS})
    assert see(look(resolver(server)), text) is Sight.VISIBLE
    assert [query.tcp for query in server.asked(NAME)] == [False, False, True]


def test_a_lost_datagram(serve):
    """A lost datagram is sent once more."""
    server = serve({ZONE: record(KEY)}, faults={"*": Fault.DROP_FIRST})
    assert see(look(resolver(server, timeout=0.5))) is Sight.VISIBLE
    assert len(server.asked(NAME)) == ATTEMPTS


def test_recursion_is_not_desired(serve):
    """No authoritative server is asked for recursion; the system's resolver is."""
    server, system = serve({ZONE: record(KEY)}), serve({"elsewhere.test": "@ A 192.0.2.1"})
    resolver(server, system=[system.where]).look([ASK, Question("elsewhere.test", "A")])
    assert [query.recursive for query in server.log] == [False]
    assert [query.recursive for query in system.log] == [True]


def noise(wanted: bytes, wire: bytes) -> list[bytes]:
    """Lies that are no response to the query: another id, another question, rubbish, the query itself."""
    lie = wire.replace(b"QUJD", b"LIES")
    return [bytes([lie[0] ^ 1]) + lie[1:], lie.replace(b"\x02s1", b"\x02s2"), lie[:20], wanted]


def test_noise_is_passed_over(serve):
    """Datagrams with another id or question, rubbish, or our own query come first: the true response counts."""
    server = serve({ZONE: record(KEY)})
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as front:
        front.bind(("127.0.0.1", 0))

        def relay():
            query, client = front.recvfrom(65535)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as back:
                back.settimeout(5)
                back.sendto(query, (server.address, server.port))
                response = back.recv(65535)
            for datagram in [*noise(query, response), response]:
                front.sendto(datagram, client)

        thread = threading.Thread(target=relay)
        thread.start()
        answer = look(Resolver({ZONE: [f"127.0.0.1:{front.getsockname()[1]}"]}, timeout=5, system=[]))
        thread.join()
    assert see(answer) is Sight.VISIBLE


def test_an_answer_that_cannot_be_read():
    """An address of three octets: the server has answered, so nothing is waited for, and what stands there is not known."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def answer():
            query, client = server.recvfrom(65535)
            question = query[12 : query.index(b"\0", 12) + 5]
            head = query[:2] + b"\x84\0\0\1\0\1\0\0\0\0"
            server.sendto(head + question + b"\xc0\x0c\0\1\0\1\0\0\0\5\0\3abc", client)

        thread = threading.Thread(target=answer)
        thread.start()
        where = Server("127.0.0.1", server.getsockname()[1])
        message = Resolver({}, system=[], timeout=30).put(where, "a.example.org", "A")
        thread.join()
    assert (
        message.rcode is Rcode.ERROR and message.note.startswith("the answer cannot be read: ") and not message.answer
    )


def test_server_spellings():
    """Servers are named as an address or a host, with a port or without, IPv6 with a port in brackets."""
    assert split("192.0.2.53", 53) == ("192.0.2.53", 53)
    assert split("127.0.0.1:5353", 53) == ("127.0.0.1", 5353)
    assert split("2001:db8::1", 53) == ("2001:db8::1", 53)
    assert split("[2001:db8::1]", 53) == ("2001:db8::1", 53)
    assert split("[2001:db8::1]:54", 53) == ("2001:db8::1", 54)
    assert split("ns1.example.net", 53) == ("ns1.example.net", 53)
    assert split("ns1.example.net:54", 53) == ("ns1.example.net", 54)
    assert [str(Server("::1")), str(Server("::1", 54)), str(Server("192.0.2.1", 54))] == [
        "::1",
        "[::1]:54",
        "192.0.2.1:54",
    ]


class Connected:
    """A socket that is connected from a given source, or cannot be."""

    def __init__(self, source: str | None) -> None:
        self.source = source

    def __call__(self, *_):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def connect(self, _):
        """Connects, unless there is no route."""
        if self.source is None:
            raise OSError(101, "Network is unreachable")

    def getsockname(self):
        """The source address that the kernel chose."""
        return (self.source, 40000)


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("10.0.0.2", "9.9.9.9", True),
        (None, "9.9.9.9", False),
        ("2a01:4f8::2", "2620:fe::fe", True),
        (None, "2620:fe::fe", False),
        ("fd00::2", "2620:fe::fe", False),
        ("fe80::2%eth0", "2620:fe::fe", False),
        ("fd00::2", "fd00::53", True),
        ("::1", "::1", True),
    ],
)
def test_routed(source, target, expected):
    """A private IPv6 source is no way to a public address, but one to a private address."""
    assert routed(target, open_socket=Connected(source)) is expected
