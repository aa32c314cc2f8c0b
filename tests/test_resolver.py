"""What the resolver makes of name servers in every mood: each test asks real sockets on loopback."""

from __future__ import annotations

import socket

import pytest

from dnssync.core.sighting import Question, Rcode, Sight
from dnssync.datagrams import ATTEMPTS, BEGIN, connected
from dnssync.patience import SILENT
from dnssync.replies import ALIASES
from dnssync.resolver import Resolver
from dnssync.wire import Server
from tests.looking import ASK, KEY, NAME, ZONE, look, record, resolver, see, serving
from tests.nameserver import Fault

serve = pytest.fixture(serving)


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
    good, bad = serve({ZONE: record(KEY)}), serve({ZONE: record(KEY)}, faults={"*": fault}, late=1.5)
    which = resolver(good, bad, timeout=0.4 if rcode is Rcode.TIMEOUT else 2.0)
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
    server = serve({ZONE: f's1._domainkey CNAME there\nthere 30 CNAME end\nend 60 TXT "{KEY}"'})
    answer = look(resolver(server))
    assert see(answer) is Sight.VISIBLE
    assert answer.replies[0].note == "CNAME to there.example.org → end.example.org"
    assert answer.replies[0].ttl == 30
    assert resolver(server).texts(NAME, "CNAME", ZONE) == ("there.example.org.",)


def test_cname_to_nothing(serve):
    """A CNAME whose target does not exist is an absence, known as such."""
    assert see(look(resolver(serve({ZONE: "s1._domainkey CNAME nothing"})))) is Sight.ABSENT


def test_cname_to_another_configured_zone(serve):
    """A target in another configured zone is asked of all that zone's servers, not believed to the first."""
    stale = serve({ZONE: "s1._domainkey CNAME s1.keys.test.", "keys.test": record(KEY, "s1")})
    fresh = serve({"keys.test": record("v=DKIM1; p=", "s1")})
    system = serve({})
    which = Resolver({ZONE: [stale.where], "keys.test": [stale.where, fresh.where]}, system=[system.where])
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
    which = Resolver({ZONE: [one.where], "other.test": [one.where]}, system=[])
    answer = look(which)
    assert see(answer) is Sight.UNKNOWN
    assert f"more than {ALIASES} CNAMEs" in answer.replies[0].note
    assert see(look(resolver(serve({ZONE: "s1._domainkey CNAME b\nb CNAME s1._domainkey"})))) is Sight.UNKNOWN


def test_delegated_away(serve):
    """A part of the zone that is delegated to others is UNKNOWN, and the reply names the cut."""
    answer = look(resolver(serve({ZONE: "_domainkey NS ns.elsewhere.test."})))
    assert see(answer) is Sight.UNKNOWN
    assert answer.replies[0].note == "delegates _domainkey.example.org to other servers"


# Foreign names


def test_foreign_names(serve):
    """The system's resolver answers for foreign names: data, no data, no such name, and failure stay apart."""
    system = serve({"net.test": '@ A 192.0.2.1\nbad TXT "x"'}, faults={"bad.net.test": Fault.SERVFAIL})
    which = Resolver({}, system=[system.where])
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
    assert Resolver({}, system=[broken.where, works.where]).texts("net.test", "A") == ("192.0.2.1",)


def test_no_resolver(tmp_path):
    """Without resolv.conf, or without a server in it, a foreign name is unknown, and the reply says why."""
    missing = tmp_path / "resolv.conf"
    answer = look(Resolver({}, resolv_conf=missing), Question("net.test", "A"))
    assert not answer.known
    assert str(missing) in answer.replies[0].note
    missing.write_text("search example.org\n")
    assert Resolver({}, resolv_conf=missing).texts("net.test", "A") is None


def test_resolv_conf(tmp_path, serve):
    """The servers of resolv.conf are asked in their order, comments and options passed over."""
    conf = tmp_path / "resolv.conf"
    conf.write_text("# nameserver 192.0.2.9\nnameserver 192.0.2.1\noptions edns0\nnameserver ::1\nnameserver\n")
    fails = serve({}, faults={"*": Fault.SERVFAIL})
    asked = []

    def elsewhere(server):
        asked.append(str(server))
        return connected(Server(fails.address, fails.port))

    assert Resolver({}, resolv_conf=conf, connect=elsewhere).texts("net.test", "A") is None
    assert asked == ["192.0.2.1", "::1"]
    assert [query.recursive for query in fails.log] == [True, True]


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
    which = resolver(good, dead)
    answers = which.look(many(2000))
    assert {see(answer) for answer in answers.values()} == {Sight.UNKNOWN}
    assert {tuple(reply.rcode for reply in answer.replies) for answer in answers.values()} <= {
        (Rcode.DATA, Rcode.TIMEOUT),
        (Rcode.NXDOMAIN, Rcode.TIMEOUT),
    }
    assert len(dead.log) <= BEGIN + SILENT
    assert {query.name for query in good.log} == {question.name for question in answers}


@pytest.mark.parametrize("each", [1, 128])
def test_losses_between_answers_kill_nobody(serve, each):
    """Only time-outs in a row count: a server that answers between them is asked to the end, one by one or many at a time."""
    questions = many(2 * SILENT + 2)
    server = serve({ZONE: ""}, faults={question.name: Fault.DROP for question in questions[1::2]})
    answers = resolver(server, each=each, timeout=0.5).look(questions)
    assert all(len(server.asked(question.name)) == ATTEMPTS for question in questions[1::2])
    assert [answer.known for answer in answers.values()] == [True, False] * (SILENT + 1)


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
