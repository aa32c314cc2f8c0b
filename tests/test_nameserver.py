"""The demo's name server, with a real named as its measure, and the resolver before both."""

from __future__ import annotations

import socket

import dns.flags
import dns.message
import dns.opcode
import dns.query
import dns.rcode
import pytest

from dnssync.core.sighting import Question, Rcode
from dnssync.demo.nameserver import NameServer
from dnssync.resolver import Resolver
from tests.bind import Bind
from tests.looking import serving
from tests.nameserver import HEAD, NS, FaultyServer

ZONE = "example.org"
serve = pytest.fixture(serving)
LONG = " ".join(f'"{letter * 250}"' for letter in "abcdefgh")
TEXT = rf"""{HEAD}{NS}ns1 A 192.0.2.53
@ TXT "v=spf1 mx -all"
@ TYPE99 \# 12 0b763d73706631202d616c6c
@ MX 10 mx
mx A 192.0.2.1
mx AAAA 2001:db8::1
a.deep TXT "below empty non-terminals"
*.wild TXT "for any"
there.wild A 192.0.2.2
alias CNAME alias2
alias2 CNAME mx
away CNAME mx.example.net.
*.star CNAME mx
dangling CNAME nothing
long TXT {LONG}
sub NS ns.sub
sub NS ns.example.net.
ns.sub A 192.0.2.3
odd TYPE65280 \# 3 010203
"""
QUESTIONS = [
    (ZONE, "TXT"),
    (ZONE, "SPF"),
    (ZONE, "MX"),
    (ZONE, "NS"),
    (ZONE, "SOA"),
    (ZONE, "A"),
    ("EXAMPLE.org", "TXT"),
    ("mx.example.org", "AAAA"),
    ("mx.example.org", "TXT"),
    ("no.example.org", "TXT"),
    ("deep.example.org", "TXT"),
    ("a.deep.example.org", "TXT"),
    ("b.deep.example.org", "TXT"),
    ("any.wild.example.org", "TXT"),
    ("more.any.wild.example.org", "TXT"),
    ("any.wild.example.org", "A"),
    ("there.wild.example.org", "TXT"),
    ("below.there.wild.example.org", "TXT"),
    ("wild.example.org", "TXT"),
    ("*.wild.example.org", "TXT"),
    ("alias.example.org", "A"),
    ("alias.example.org", "TXT"),
    ("alias.example.org", "CNAME"),
    ("away.example.org", "A"),
    ("x.star.example.org", "A"),
    ("dangling.example.org", "A"),
    ("long.example.org", "TXT"),
    ("sub.example.org", "A"),
    ("sub.example.org", "NS"),
    ("x.y.sub.example.org", "TXT"),
    ("odd.example.org", "TYPE65280"),
    ("example.net", "A"),
]


@pytest.fixture(scope="module")
def bind(tmp_path_factory):
    """A real named that serves TEXT; its port."""
    with Bind(tmp_path_factory.mktemp("named"), {ZONE: TEXT}) as running:
        yield running.port


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The demo's server with the same zone."""
    path = tmp_path_factory.mktemp("demo") / "zone"
    path.write_text(TEXT)
    with NameServer({ZONE: path}) as server:
        yield server


def told(port: int, name: str, kind: str, *, edns: bool, tcp: bool = False) -> list[str]:
    """What a server says that matters: flags, rcode, and as sorted lines the answer, or where there is none the rest."""
    query = dns.message.make_query(name, kind, use_edns=0 if edns else False, payload=1232)
    query.flags &= ~dns.flags.RD
    ask = dns.query.tcp if tcp else dns.query.udp
    response = ask(query, "127.0.0.1", port=port, timeout=5)
    flags = [dns.flags.to_text(response.flags & (dns.flags.AA | dns.flags.TC)), dns.rcode.to_text(response.rcode())]
    if response.flags & dns.flags.TC:
        return flags
    rrsets = response.answer or [*response.authority, *response.additional]
    lines = (line for rrset in rrsets for line in rrset.to_text().split("\n"))
    return [*flags, *sorted(line.lower() for line in lines)]


@pytest.mark.bind
@pytest.mark.parametrize("edns", [True, False])
@pytest.mark.parametrize(("name", "kind"), QUESTIONS)
def test_it_answers_as_named_does(bind, demo, name, kind, edns):
    """Flags, code and records of every answer are those that BIND gives for the same master file."""
    assert told(demo.port, name, kind, edns=edns) == told(bind, name, kind, edns=edns)


@pytest.mark.bind
def test_it_answers_over_tcp_as_named_does(bind, demo):
    """What was truncated over UDP is whole over TCP."""
    whole = told(demo.port, "long.example.org", "TXT", edns=True, tcp=True)
    assert whole == told(bind, "long.example.org", "TXT", edns=True, tcp=True)
    assert len(whole) == 3
    assert told(demo.port, "long.example.org", "TXT", edns=True)[0] == "AA TC"


@pytest.mark.bind
def test_the_resolver_before_named(bind, demo):
    """The resolver reads the same from named and from the demo's server, and sees no difference between them."""
    which = Resolver({ZONE: [f"127.0.0.1:{bind}", demo.where]}, system=[])
    questions = [Question(name.lower(), kind, ZONE) for name, kind in QUESTIONS[:-1] if "away" not in name]
    answers = which.look(questions)
    for answer in answers.values():
        first, second = answer.replies
        assert (first.rcode, set(first.texts), first.ttl, first.negative_ttl, first.note) == (
            second.rcode,
            set(second.texts),
            second.ttl,
            second.negative_ttl,
            second.note,
        )
    assert {reply.rcode for answer in answers.values() for reply in answer.replies} == {
        Rcode.DATA,
        Rcode.NODATA,
        Rcode.NXDOMAIN,
        Rcode.LAME,
    }
    assert which.texts("long.example.org", "TXT", ZONE) == ("".join(letter * 250 for letter in "abcdefgh"),)
    assert which.texts(ZONE, "SPF", ZONE) == ("v=spf1 -all",)
    assert which.negative_ttl(ZONE) == 300


def test_a_changed_file_is_read_again(serve):
    """A file that changes is served as it is now; a broken one leaves the last good zone in place."""
    server: FaultyServer = serve({ZONE: '@ TXT "one"'})
    which = Resolver({ZONE: [server.where]}, system=[])
    assert which.texts(ZONE, "TXT", ZONE) == ("one",)
    server.write(ZONE, '@ TXT "two"')
    assert which.texts(ZONE, "TXT", ZONE) == ("two",)
    server.write(ZONE, "@ TXT (")
    assert which.texts(ZONE, "TXT", ZONE) == ("two",)


def test_a_file_that_never_was(tmp_path):
    """Without a file to read, the server says SERVFAIL."""
    with NameServer({ZONE: tmp_path / "missing"}) as server:
        answer = Resolver({ZONE: [server.where]}, system=[]).look([Question(ZONE, "TXT", ZONE)])
    assert [reply.rcode for one in answer.values() for reply in one.replies] == [Rcode.SERVFAIL]


def test_what_it_does_not_do(demo):
    """Transfers and updates are refused, and so is any other class; noise gets no answer and does no harm."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"\0" * 5, ("127.0.0.1", demo.port))
    chaos = dns.message.make_query("version.bind", "TXT", "CH")
    update = dns.message.make_query(ZONE, "SOA")
    update.set_opcode(dns.opcode.UPDATE)
    transfer = dns.message.make_query(ZONE, "AXFR")
    codes = [
        dns.rcode.to_text(dns.query.tcp(query, "127.0.0.1", port=demo.port, timeout=5).rcode())
        for query in (chaos, update, transfer)
    ]
    assert codes == ["REFUSED", "NOTIMP", "REFUSED"]


def test_loopback_only():
    """No address but loopback is ever listened on."""
    with pytest.raises(ValueError, match="loopback"):
        NameServer({}, address="0.0.0.0")


def test_the_port_is_free_again():
    """After its end, the port can be taken at once, over UDP and TCP."""
    with NameServer({}) as server:
        port = server.port
    with NameServer({}, port=port) as again:
        assert again.port == port
        with pytest.raises(OSError), NameServer({}, port=port):
            pass
