"""What the resolver makes of name servers in every mood: each test asks real sockets on loopback."""

from __future__ import annotations

import socket
import threading

import pytest

from dnssync.core.sighting import Answer, Question, Rcode, Sight, sight
from dnssync.resolver import ALIASES, ATTEMPTS, SILENT, WORKERS, Resolver
from dnssync.wire import PAYLOAD, Message, Server, routed, split
from tests.nameserver import Fault, FaultyServer

ZONE = "example.org"
NAME = f"s1._domainkey.{ZONE}"
KEY = "v=DKIM1; p=QUJD"
ASK = Question(NAME, "TXT", ZONE)


def record(text: str, owner: str = "s1._domainkey") -> str:
    """A TXT record as a line of a master file, in strings of at most 255 octets."""
    return f"{owner} TXT " + " ".join(f'"{text[i : i + 255]}"' for i in range(0, len(text), 255))


@pytest.fixture
def serve(tmp_path):
    """Starts servers that end with the test: `serve({zone: text}, **options)`."""
    running = []

    def start(zones, **options):
        running.append(FaultyServer(tmp_path, zones, **options).__enter__())
        return running[-1]

    yield start
    for server in running:
        server.__exit__()


def resolver(*servers, zone=ZONE, **options):
    """A resolver that asks these servers for the zone, and nobody for anything else."""
    options = {"timeout": 0.3, "system": [], **options}
    return Resolver({zone: [server.where for server in servers]}, **options)


def see(answer: Answer, wanted: str = KEY) -> Sight:
    """The sight of the wanted text, where any TXT at the name counts as ours."""
    return sight(answer, wanted, lambda text: True, str.__eq__)


def look(which: Resolver, question: Question = ASK) -> Answer:
    """The answer to one question."""
    return which.look([question])[question]


# Five sights


def test_visible_on_v4_and_v6(serve):
    """A text that a server shows on its v4 and its v6 address is VISIBLE, and both were asked."""
    four, six = serve({ZONE: record(KEY)}), serve({ZONE: record(KEY)}, address="::1")
    answer = look(resolver(four, six))
    assert see(answer) is Sight.VISIBLE
    assert {reply.server for reply in answer.replies} == {four.where, six.where}
    assert len(four.asked(NAME)) == len(six.asked(NAME)) == 1


def test_absent(serve):
    """NXDOMAIN and NODATA everywhere are ABSENT, each with the negative TTL of the SOA."""
    one, two = serve({ZONE: ""}), serve({ZONE: "x.s1._domainkey A 192.0.2.1"})
    answer = look(resolver(one, two))
    assert see(answer) is Sight.ABSENT
    assert {reply.rcode for reply in answer.replies} == {Rcode.NXDOMAIN, Rcode.NODATA}
    assert {reply.negative_ttl for reply in answer.replies} == {300}


def test_other_by_wildcard(serve):
    """A wildcard TXT that answers for every selector is OTHER: the text counts, not that there is one."""
    assert see(look(resolver(serve({ZONE: '* TXT "v=spf1 -all"'})))) is Sight.OTHER


def test_partial(serve):
    """The text on one server and another text on the second is PARTIAL."""
    assert see(look(resolver(serve({ZONE: record(KEY)}), serve({ZONE: record("v=DKIM1; p=")})))) is Sight.PARTIAL


@pytest.mark.parametrize(
    ("fault", "rcode"),
    [
        (Fault.DROP, Rcode.TIMEOUT),
        (Fault.LATE, Rcode.TIMEOUT),
        (Fault.SERVFAIL, Rcode.SERVFAIL),
        (Fault.REFUSED, Rcode.REFUSED),
        (Fault.NOTAUTH, Rcode.ERROR),
        (Fault.LAME, Rcode.LAME),
        (Fault.TRUNCATE_NO_TCP, Rcode.UNREACHABLE),
    ],
)
def test_no_answer_is_unknown(serve, fault, rcode):
    """One server that gives no real answer makes the sight UNKNOWN, whatever the other one shows."""
    good, bad = serve({ZONE: record(KEY)}), serve({ZONE: record(KEY)}, faults={"*": fault}, late=0.5)
    which = resolver(good, bad)
    answer = look(which)
    assert see(answer) is Sight.UNKNOWN
    assert [reply.rcode for reply in answer.replies] == [Rcode.DATA, rcode]
    assert which.texts(NAME, "TXT", ZONE) is None


@pytest.mark.parametrize("fault", [Fault.LAME, Fault.SERVFAIL, Fault.REFUSED])
def test_absence_needs_an_answer(serve, fault):
    """A name that is missing at a server without authority, or that refuses, is UNKNOWN and not ABSENT."""
    assert see(look(resolver(serve({ZONE: ""}, faults={"*": fault})))) is Sight.UNKNOWN


def test_nobody_listens():
    """An address where nobody listens is UNREACHABLE at once."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    answer = look(Resolver({ZONE: [f"127.0.0.1:{port}"]}, timeout=30, system=[]))
    assert [reply.rcode for reply in answer.replies] == [Rcode.UNREACHABLE]


# The wire


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
    assert see(look(resolver(server))) is Sight.VISIBLE
    assert len(server.asked(NAME)) == ATTEMPTS


def test_recursion_is_not_desired(serve):
    """No authoritative server is asked for recursion; the system's resolver is."""
    server, system = serve({ZONE: record(KEY)}), serve({"elsewhere.test": "@ A 192.0.2.1"})
    resolver(server, system=[system.where]).look([ASK, Question("elsewhere.test", "A")])
    assert [query.recursive for query in server.log] == [False]
    assert [query.recursive for query in system.log] == [True]


def noise(wanted: bytes, wire: bytes) -> list[bytes]:
    """Datagrams that are no response to the query: another id, another question, rubbish, the query itself."""
    other = wire.replace(b"\x02s1", b"\x02s2")
    return [bytes([wire[0] ^ 1]) + wire[1:], other, wire[:20], wanted]


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


# Names, texts, types


def test_texts_of_every_kind(serve):
    """Octets of TXT and SPF survive exactly; other types are in presentation form with absolute names."""
    text = r"""@ TXT "v=spf1 " "-all" "\"q\" \\ ; " "\195\164\255"
@ SPF "v=spf1 -all"
@ MX 10 mx
@ AAAA 2001:db8:0::1
@ TYPE65280 \# 2 0102"""
    which = resolver(serve({ZONE: text}))
    assert which.texts(ZONE, "TXT", ZONE) == ('v=spf1 -all"q" \\ ; ä\udcff',)
    assert which.texts(ZONE, "SPF", ZONE) == ("v=spf1 -all",)
    assert which.texts(ZONE, "MX", ZONE) == ("10 mx.example.org.",)
    assert which.texts(ZONE, "AAAA", ZONE) == ("2001:db8::1",)
    assert which.texts(ZONE, "TYPE65280", ZONE) == (r"\# 2 0102",)
    assert which.texts(ZONE, "A", ZONE) == ()
    assert which.texts(f"no.{ZONE}", "A", ZONE) == ()


@pytest.mark.parametrize(("name", "kind"), [("a..b", "TXT"), ("x" * 64 + ".test", "TXT"), (ZONE, "NOTYPE")])
def test_no_question_at_all(serve, name, kind):
    """What cannot be asked is a problem in the answer, not an exception, and other questions go on."""
    wrong = Question(name, kind, ZONE)
    answers = resolver(serve({ZONE: record(KEY)})).look([wrong, ASK])
    assert name in answers[wrong].problem
    assert not answers[wrong].known
    assert see(answers[ASK]) is Sight.VISIBLE


def test_negative_ttl(serve):
    """The negative TTL is the longest of min(SOA.minimum, SOA's TTL), and None where no server tells."""
    one, two = serve({ZONE: ""}), serve({ZONE: ""})
    path = two.zones[0].path
    path.write_text(path.read_text().replace("7200 IN SOA", "200 IN SOA"))
    assert resolver(one, two).negative_ttl(ZONE) == 300
    assert resolver(two).negative_ttl(ZONE) == 200
    assert resolver(serve({ZONE: ""}, faults={"*": Fault.SERVFAIL})).negative_ttl(ZONE) is None


# CNAME


def test_cname_inside_the_zone(serve):
    """A CNAME at the selector is followed, and the reply says so."""
    server = serve({ZONE: f's1._domainkey CNAME there\nthere CNAME end\nend 60 TXT "{KEY}"'})
    answer = look(resolver(server))
    assert see(answer) is Sight.VISIBLE
    assert answer.replies[0].note == "CNAME to there.example.org → end.example.org"
    assert answer.replies[0].ttl == 60
    assert resolver(server).texts(NAME, "CNAME", ZONE) == ("there.example.org.",)


def test_cname_to_nothing(serve):
    """A CNAME whose target does not exist is an absence, known as such."""
    assert see(look(resolver(serve({ZONE: "s1._domainkey CNAME nothing"})))) is Sight.ABSENT


def test_cname_to_another_configured_zone(serve):
    """A target in another configured zone is asked of all that zone's servers, not believed to the first."""
    stale = serve({ZONE: "s1._domainkey CNAME s1.keys.test.", "keys.test": record(KEY, "s1")})
    fresh = serve({"keys.test": record("v=DKIM1; p=", "s1")})
    system = serve({})
    which = Resolver({ZONE: [stale.where], "keys.test": [stale.where, fresh.where]}, system=[system.where], timeout=0.3)
    answer = look(which)
    assert see(answer) is Sight.PARTIAL
    assert [reply.server for reply in answer.replies] == [f"{stale.where} → {s.where}" for s in (stale, fresh)]
    assert answer.replies[0].note == "CNAME to s1.keys.test"
    assert system.log == []


def test_cname_to_a_foreign_name(serve):
    """A foreign target is asked of the system's resolver; where that fails, the sight is UNKNOWN."""
    server = serve({ZONE: "s1._domainkey CNAME s1.esp.test."})
    system = serve({"esp.test": record(KEY, "s1")})
    assert see(look(resolver(server, system=[system.where]))) is Sight.VISIBLE
    system.faults["*"] = Fault.SERVFAIL
    assert see(look(resolver(server, system=[system.where]))) is Sight.UNKNOWN
    assert see(look(resolver(server, system=[]))) is Sight.UNKNOWN


def test_cname_circle(serve):
    """A circle of CNAMEs ends, and is UNKNOWN."""
    one = serve({ZONE: "s1._domainkey CNAME a.other.test.", "other.test": f"a CNAME {NAME}."})
    which = Resolver({ZONE: [one.where], "other.test": [one.where]}, system=[], timeout=0.3)
    answer = look(which)
    assert see(answer) is Sight.UNKNOWN
    assert f"more than {ALIASES} CNAMEs" in answer.replies[0].note
    assert see(look(resolver(serve({ZONE: "s1._domainkey CNAME b\nb CNAME s1._domainkey"})))) is Sight.UNKNOWN


def test_delegated_away(serve):
    """A part of the zone that is delegated to others is UNKNOWN, and the reply names the cut."""
    answer = look(resolver(serve({ZONE: "_domainkey NS ns.elsewhere.test."})))
    assert see(answer) is Sight.UNKNOWN
    assert answer.replies[0].note == "delegates _domainkey.example.org to other servers"


# Which servers


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


def test_a_host_name_stands_for_all_its_addresses(serve):
    """A host name among the servers is asked at every address that it has."""
    server = serve({ZONE: record(KEY)})
    which = Resolver({ZONE: [f"localhost:{server.port}"]}, timeout=0.3, system=[])
    addresses = {info[4][0] for info in socket.getaddrinfo("localhost", server.port, type=socket.SOCK_DGRAM)}
    assert {split(reply.server, 0)[0] for reply in look(which).replies} == addresses


def test_one_server_without_address(serve):
    """A configured server whose name has no address makes the sight UNKNOWN and is named; alone, it is a problem."""
    server = serve({ZONE: record(KEY)})
    answer = look(Resolver({ZONE: [server.where, "no such host:53"]}, timeout=0.3, system=[]))
    assert see(answer) is Sight.UNKNOWN
    assert [(reply.server, reply.rcode) for reply in answer.replies if not reply.answered] == [
        ("no such host:53", Rcode.ERROR)
    ]
    assert look(Resolver({ZONE: ["127.0.0.1:x"]}, system=[])).problem.startswith(
        f"{ZONE}: none of its servers can be asked"
    )


def test_no_route_is_told_and_not_asked(serve):
    """Addresses that this host has no route to are not asked and named, so that the others can be enough."""
    server = serve({ZONE: record(KEY)})
    asked = {ZONE: [server.where, "2001:db8::53"]}
    which = Resolver(asked, timeout=0.3, system=[], routed=lambda address: ":" not in address)
    answer = look(which)
    assert see(answer) is Sight.VISIBLE
    assert answer.not_asked == ("2001:db8::53",)
    nowhere = look(Resolver(asked, system=[], routed=lambda address: False))
    assert not nowhere.known
    assert "no route" in nowhere.problem


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


# Foreign names


def test_foreign_names(serve):
    """The system's resolver answers for foreign names: data, no data, no such name, and failure stay apart."""
    system = serve({"net.test": '@ A 192.0.2.1\nbad TXT "x"'}, faults={"bad.net.test": Fault.SERVFAIL})
    which = Resolver({}, system=[system.where], timeout=0.3)
    kinds = {
        (name, kind): look(which, Question(name, kind)).replies[0].rcode
        for name, kind in [("net.test", "A"), ("net.test", "MX"), ("no.net.test", "A"), ("bad.net.test", "TXT")]
    }
    assert list(kinds.values()) == [Rcode.DATA, Rcode.NODATA, Rcode.NXDOMAIN, Rcode.SERVFAIL]
    assert look(which, Question("net.test", "A")).replies[0].server == "resolver"
    assert which.texts("no.net.test", "A") == ()
    assert which.texts("bad.net.test", "TXT") is None


def test_the_second_resolver(serve):
    """Where the first resolver fails, the next one is asked."""
    broken = serve({}, faults={"*": Fault.SERVFAIL})
    works = serve({"net.test": "@ A 192.0.2.1"})
    assert Resolver({}, system=[broken.where, works.where], timeout=0.3).texts("net.test", "A") == ("192.0.2.1",)


def test_no_resolver(tmp_path):
    """Without resolv.conf, or without a server in it, a foreign name is unknown, and the reply says why."""
    missing = tmp_path / "resolv.conf"
    answer = look(Resolver({}, resolv_conf=missing), Question("net.test", "A"))
    assert not answer.known
    assert str(missing) in answer.replies[0].note
    missing.write_text("search example.org\n")
    assert Resolver({}, resolv_conf=missing).texts("net.test", "A") is None


def test_resolv_conf(tmp_path):
    """The servers of resolv.conf are asked in their order, comments and options passed over."""
    conf = tmp_path / "resolv.conf"
    conf.write_text("# nameserver 192.0.2.9\nnameserver 192.0.2.1\noptions edns0\nnameserver ::1\nnameserver\n")
    asked = []

    def ask(server, name, kind, *, recurse, timeout):
        asked.append((str(server), recurse))
        return Message(Rcode.SERVFAIL)

    assert Resolver({}, resolv_conf=conf, ask=ask).texts("net.test", "A") is None
    assert asked == [("192.0.2.1", True), ("::1", True)]


# In bulk


def many(count: int) -> list[Question]:
    """Questions for as many selectors."""
    return [Question(f"s{i}._domainkey.{ZONE}", "TXT", ZONE) for i in range(count)]


def test_one_query_for_each_server_and_question(serve):
    """In bulk, each server is asked each question once, doubles not at all."""
    servers = serve({ZONE: record(KEY)}), serve({ZONE: record(KEY)})
    answers = resolver(*servers, timeout=5).look(many(300) * 2)
    assert len(answers) == 300
    assert all(answer.known for answer in answers.values())
    assert [len(server.log) for server in servers] == [300, 300]


def test_a_dead_server_costs_its_time_outs_once(serve):
    """2,000 questions to a dead server cost it a bounded number of queries, and its word is missing in every answer."""
    good, dead = serve({ZONE: record(KEY)}), serve({ZONE: ""}, faults={"*": Fault.DROP})
    which = resolver(good, dead, timeout=1.0)
    answers = which.look(many(2000))
    assert {see(answer) for answer in answers.values()} == {Sight.UNKNOWN}
    assert {tuple(reply.rcode for reply in answer.replies) for answer in answers.values()} <= {
        (Rcode.DATA, Rcode.TIMEOUT),
        (Rcode.NXDOMAIN, Rcode.TIMEOUT),
    }
    assert len(dead.log) <= WORKERS + SILENT
    assert {query.name for query in good.log} == {question.name for question in answers}


def test_a_server_that_comes_back(serve):
    """A silent server gets another chance in a look a minute later, and none before."""
    server = serve({ZONE: record(KEY)}, faults={"*": Fault.DROP})
    clock = [0.0]
    which = resolver(server, now=lambda: clock[0], timeout=0.1)
    which.look(many(10))
    server.faults.clear()
    assert see(look(which)) is Sight.UNKNOWN
    clock[0] = 60.0
    which_now = look(which)
    assert see(which_now) is Sight.VISIBLE
