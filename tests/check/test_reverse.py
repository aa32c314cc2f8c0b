"""Reverse DNS and the greeting, with reverse zones on a real name server."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dnssync.check.finding import Finding
from dnssync.check.reverse import generic
from dnssync.core.host import Host
from dnssync.core.model import Notice, Refusal
from tests.check.test_addresses import sends_from
from tests.check.world import World

SIX = "2001:db8::1"
ORG = f"""@ MX 10 mx
mx A 192.0.2.1
mx A 192.0.2.11
mx AAAA {SIX}
mx TXT "v=spf1 a ip4:192.0.2.2 -all"
two A 192.0.2.2
stray A 192.0.2.99
rfc2317 A 198.51.100.5
dyn-7.access A 192.0.2.7
many A 192.0.2.8
bare A 192.0.2.1
fails A 192.0.2.1
fails TXT "v=spf1 ip4:192.0.2.77 -all"
broken A 192.0.2.1
broken TXT "v=spf1 ip4:nonsense -all"
mute A 192.0.2.1
mute TXT "v=spf1 include:spf.unserved.test -all"
"""
FOUR = """1 PTR mx.example.org.
11 PTR MX.example.org.
2 PTR two.example.org.
3 PTR stray.example.org.
4 PTR mx.unserved.test.
6 PTR gone.example.org.
7 PTR dyn-7.access.example.org.
8 PTR many.example.org.
8 PTR mx.example.org.
9 PTR mx.unserved.test.
9 PTR stray.example.org.
"""
REVERSE = {
    "2.0.192.in-addr.arpa": FOUR,
    "100.51.198.in-addr.arpa": "5 CNAME 5.0-31\n6 CNAME 6.0-31\n5.0-31 PTR rfc2317.example.org.\n",
    "8.b.d.0.1.0.0.2.ip6.arpa": "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0 PTR mx.example.org.\n",
}
ISP = {"isp.test": "host A 192.0.2.3\n"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory):
    """A host's zone and the reverse ones."""
    zones = {"example.org": ORG, **REVERSE, **ISP}
    with World(tmp_path_factory.mktemp("ptr"), zones, foreign=list(ISP)) as running:
        yield running


def told(world: World, id: str, host: Host, subject: str) -> list[Finding]:
    """What a check says of one subject on this host."""
    world.host = host
    return [finding for finding in world.findings(id) if finding.subject == subject]


PTR = [
    ("PTR-01", "192.0.2.1", "ok", ""),
    ("PTR-01", SIX, "ok", ""),
    ("PTR-01", "2001:db8::2", "error", "2001:db8::2, which mail leaves from, has no name"),
    ("PTR-01", "192.0.2.5", "error", "no PTR record"),
    ("PTR-01", "198.51.100.5", "ok", ""),
    ("PTR-01", "198.51.100.6", "error", "no PTR record"),
    ("PTR-01", "203.0.113.1", "unknown", "could not be looked up"),
    ("PTR-02", "192.0.2.1", "ok", ""),
    ("PTR-02", SIX, "ok", ""),
    ("PTR-02", "192.0.2.3", "error", "called stray.example.org in reverse DNS, but no such name has that address"),
    ("PTR-02", "192.0.2.6", "error", "gone.example.org"),
    ("PTR-02", "192.0.2.4", "unknown", "mx.unserved.test A could not be looked up"),
    ("PTR-02", "192.0.2.9", "unknown", "mx.unserved.test A could not be looked up"),
    ("PTR-02", "192.0.2.8", "ok", ""),
    ("PTR-02", "192.0.2.5", None, ""),
    ("PTR-02", "198.51.100.5", "ok", ""),
    ("PTR-03", "192.0.2.1", "ok", ""),
    ("PTR-03", "192.0.2.11", "ok", ""),
    ("PTR-03", "192.0.2.2", "warning", "called two.example.org in reverse DNS, while this host greets as mx.example.org"),
    ("PTR-03", "192.0.2.3", None, ""),
    ("PTR-03", "192.0.2.4", "unknown", "could not be looked up"),
    ("PTR-04", "192.0.2.1", "ok", ""),
    ("PTR-04", "192.0.2.5", None, ""),
    ("PTR-04", "192.0.2.8", "warning", "has 2 names in reverse DNS (mx.example.org, many.example.org)"),
    ("PTR-04", "192.0.2.7", "warning", "dyn-7.access.example.org in reverse DNS, which looks like the line of a private customer (`dyn-7`)"),
]  # fmt: skip


@pytest.mark.parametrize(("id", "ip", "severity", "words"), PTR)
def test_reverse(world: World, id: str, ip: str, severity: str | None, words: str) -> None:
    """Each address beside one whose name is as it should be; None: nothing at all is said."""
    got = told(world, id, sends_from(ip), ip)
    if severity is None:
        assert not got
        return
    [finding] = got
    assert str(finding.severity) == severity and words in finding.message


def test_where_the_record_has_to_stand(world: World) -> None:
    """At the reverse name, or behind its CNAME, where the provider delegated single addresses (RFC 2317)."""
    [plain] = told(world, "PTR-01", sends_from("192.0.2.5"), "192.0.2.5")
    assert plain.remedy.endswith(": 5.2.0.192.in-addr.arpa. IN PTR mx.example.org.")
    [behind] = told(world, "PTR-01", sends_from("198.51.100.6"), "198.51.100.6")
    assert behind.remedy.endswith(": 6.0-31.100.51.198.in-addr.arpa. IN PTR mx.example.org.")
    [back] = told(world, "PTR-02", sends_from("192.0.2.3"), "192.0.2.3")
    assert back.remedy.startswith("Publish: stray.example.org. IN A 192.0.2.3. Or")


def test_another_greeting_is_another_name(world: World) -> None:
    """A name that exim greets with is as good as the host's; where greetings depend on the connection, nobody can say."""
    host = sends_from("192.0.2.2")
    assert told(world, "PTR-03", replace(host, helo=("two.example.org",)), "192.0.2.2")[0].severity == "ok"
    moving = replace(host, notices=(Notice("helo_dynamic", "depends on $sending_ip_address"),))
    assert told(world, "PTR-03", moving, "192.0.2.2")[0].severity == "unknown"


@pytest.mark.parametrize(
    ("name", "ip", "is_generic"),
    [
        ("mx1-2.example.org", "192.0.2.1", False),
        ("mail.example.org", "192.0.2.1", False),
        ("host-1.example.org", "192.0.2.1", False),
        ("s192-2.example.org", "192.0.2.1", False),
        ("mx192.0.2.example.org", "192.0.2.1", False),
        ("host-192-0-2-1.isp.example", "192.0.2.1", True),
        ("192.0.2.1.isp.example", "192.0.2.1", True),
        ("static.1.2.0.192.clients.isp.example", "192.0.2.1", True),
        ("c-1-2-0-192.isp.example", "192.0.2.1", True),
        ("p192000002001.isp.example", "192.0.2.1", True),
        ("c0000201.isp.example", "192.0.2.1", True),
        ("host-192-0-2-11.isp.example", "192.0.2.1", False),
        ("mx1.2.3.4.example.org", "1.2.3.4", True),
        ("host.dyn.isp.example", "192.0.2.1", True),
        ("pool-17.isp.example", "192.0.2.1", True),
        ("adsl-4.isp.example", "192.0.2.1", True),
        ("dialup.isp.example", "192.0.2.1", True),
        ("mx.dsl.example", "192.0.2.1", False),
        ("mail.pool.example", "192.0.2.1", False),
        ("dynamo.mail.example.org", "192.0.2.1", False),
        ("whirlpool.mail.example.org", "192.0.2.1", False),
        ("pool-party.mail.example.org", "192.0.2.1", False),
        ("mx.example.org", SIX, False),
        ("2001-db8--1.isp.example", SIX, True),
        ("20010db8000000000000000000000001.isp.example", SIX, True),
        ("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.isp.example", SIX, True),
    ],
)
def test_names_that_nobody_chose(name: str, ip: str, is_generic: bool) -> None:
    """The whole address in the name, or a word for lines that change hands as a label below the domain; a number or two is neither."""
    assert bool(generic(name, ip)) is is_generic


HELO = [
    ("mx.example.org", ("192.0.2.1",), "ok", ""),
    ("mx.example.org", ("192.0.2.1", SIX), "ok", ""),
    ("two.example.org", ("192.0.2.2", SIX), "ok", ""),
    ("none.example.org", ("192.0.2.1",), "error", "none.example.org, which has no address in DNS"),
    ("stray.example.org", ("192.0.2.1",), "error", "the address 192.0.2.99, but mail leaves from 192.0.2.1"),
    ("mx.example.org", ("192.0.2.1", "192.0.2.2"), "warning", "also where mail leaves from 192.0.2.2"),
    ("mx.unserved.test", ("192.0.2.1",), "unknown", "could not be looked up"),
    ("mx.example.org", (), None, ""),
]


@pytest.mark.parametrize(("helo", "sends", "severity", "words"), HELO)
def test_the_greeting_leads_to_the_sender(world: World, helo: str, sends, severity: str | None, words: str) -> None:
    """It has an address that mail leaves from; where all mail leaves through smarthosts, nobody asks."""
    got = told(world, "HELO-01", sends_from(*sends, helo=(helo,)), helo)
    if severity is None:
        assert not got
        return
    [finding] = got
    assert str(finding.severity) == severity and words in finding.message


def test_greetings_that_differ(world: World) -> None:
    """With a name for each address, a name need not have all of them."""
    host = sends_from("192.0.2.1", "192.0.2.2", helo=("mx.example.org", "two.example.org"))
    assert [str(f.severity) for name in host.helo for f in told(world, "HELO-01", host, name)] == ["ok", "ok"]


def test_a_greeting_that_depends_on_the_connection(world: World) -> None:
    """The host's own name stands in for it, and may never be said: what is wrong with it is no fault that is known."""
    for name in ("none.example.org", "stray.example.org"):
        host = sends_from("192.0.2.1", hostname=name)
        moving = replace(host, notices=(Notice("helo_dynamic", "depends on $sending_ip_address"),))
        assert [str(told(world, "HELO-01", one, name)[0].severity) for one in (host, moving)] == ["error", "unknown"]


def test_what_is_wrong_wherever_mail_leaves(world: World) -> None:
    """A greeting without address is a fault, also where it is not known where mail leaves from."""
    host = sends_from(hostname="none.example.org")
    problem = Refusal("dynamic_interface", "example.org: the address depends on $domain.")
    host = replace(host, domains=tuple(replace(mail, problems=(problem,)) for mail in host.domains))
    assert told(world, "HELO-01", host, "none.example.org")[0].severity == "error"


def test_no_full_name_to_greet_with(world: World) -> None:
    """A name of one label, or no name that could be worked out."""
    for host in (sends_from("192.0.2.1", hostname="mailhost", helo=()), sends_from("192.0.2.1", helo=())):
        [finding] = told(world, "HELO-01", host, host.hostname)
        assert finding.severity == "error" and "does not greet with a full name" in finding.message
    assert [str(f.severity) for f in told(world, "HELO-01", sends_from("192.0.2.1"), "mx.example.org")] == ["ok"]


def test_why_it_is_not_known_where_mail_leaves(world: World) -> None:
    """What exim's transports hide is told as the reason, and nothing is judged by it."""
    host = sends_from(helo=("mx.example.org",))
    problem = Refusal("dynamic_interface", "example.org: the address depends on $domain.")
    host = replace(host, domains=tuple(replace(mail, problems=(problem,)) for mail in host.domains))
    [finding] = told(world, "HELO-01", host, "mx.example.org")
    assert (str(finding.severity), finding.message) == ("unknown", "example.org: the address depends on $domain.")
    assert told(world, "HELO-01", replace(host, hostname="mailhost", helo=()), "mailhost")[0].severity == "error"


SPF = [
    ("mx.example.org", ("192.0.2.1", "192.0.2.2", SIX), "ok", ""),
    ("mx.example.org", ("192.0.2.1", "192.0.2.3"), "warning", "does not pass all mail of this host: fail for 192.0.2.3"),
    ("bare.example.org", ("192.0.2.1",), "warning", "bare.example.org, which exim greets with, has no SPF record"),
    ("fails.example.org", ("192.0.2.1",), "warning", "fail for 192.0.2.1"),
    ("broken.example.org", ("192.0.2.1",), "warning", "permerror for 192.0.2.1"),
    ("mute.example.org", ("192.0.2.1",), "unknown", "nobody answers for spf.unserved.test"),
    ("mailhost", ("192.0.2.1",), None, ""),
    ("bare.example.org", (), None, ""),
]  # fmt: skip


@pytest.mark.parametrize(("helo", "sends", "severity", "words"), SPF)
def test_spf_at_the_greeting(world: World, helo: str, sends, severity: str | None, words: str) -> None:
    """It passes every address that mail leaves from, evaluated as a receiver does for a bounce."""
    got = told(world, "HELO-02", sends_from(*sends, helo=(helo,)), helo)
    if severity is None:
        assert not got
        return
    [finding] = got
    assert str(finding.severity) == severity and words in finding.message


def test_who_mends_the_greetings_record(world: World) -> None:
    """`apply` makes the record that is missing in a configured zone; a term is added to one that somebody has written."""
    [missing] = told(world, "HELO-02", sends_from("192.0.2.1", helo=("bare.example.org",)), "bare.example.org")
    assert (
        missing.fixable
        and missing.remedy == '`dnssync apply` will publish it: bare.example.org. IN TXT "v=spf1 a -all"'
    )
    [outside] = told(world, "HELO-02", sends_from("192.0.2.1", helo=("host.isp.test",)), "host.isp.test")
    assert not outside.fixable and outside.remedy == 'Publish: host.isp.test. IN TXT "v=spf1 ip4:192.0.2.1 -all"'


def test_silence(tmp_path: Path) -> None:
    """Where nobody answers, neither names nor greetings are known."""
    with World(tmp_path, {"example.org": ORG, **REVERSE}, host=sends_from("192.0.2.1")) as world:
        world.bind.stop()
        for id in ("PTR-01", "PTR-02", "PTR-03", "PTR-04", "HELO-01", "HELO-02"):
            assert world.severities(id) == ["unknown"]
