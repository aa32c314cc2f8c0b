"""The addresses of the host's full name, in DNS, on its interfaces and in /etc/hosts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from dnssync.check.gather_addresses import fours, named, sixes
from dnssync.check.own import Attached, Interfaces, is_public
from dnssync.core.host import Address, Host
from tests.check.world import World
from tests.zonetext import host as told_host

ORG = "@ MX 10 mx.example.org.\n"
IPV4, IPV6 = "192.0.2.1", "2001:db8::1"
LOOPBACK = ("127.0.0.1", "::1", "fe80::1")


def sends_from(*ips: str, hostname: str = "mx.example.org", domain: str = "example.org", **more: object) -> Host:
    """A host that sends the mail of a domain from these addresses."""
    told = told_host(domain, hostname=hostname, **more)
    leaving = tuple(Address(ip, "as told") for ip in ips)
    return replace(told, domains=tuple(replace(mail, addresses=leaving) for mail in told.domains))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory):
    """Names of every kind for the host to have."""
    text = (
        f"{ORG}mx A {IPV4}\nmx AAAA {IPV6}\nfour A {IPV4}\nother A 192.0.2.9\nboth A {IPV4}\nboth A 192.0.2.9\nsix AAAA {IPV6}\n"
        "loop A 127.0.0.1\ninner A 192.168.1.5\nlocal AAAA fd00::5\nns1 AAAA ::1\n@ NS four\n"
    )
    with World(
        tmp_path_factory.mktemp("a"), {"example.org": text, "four.test": "@ MX 10 four.example.org.\n"}
    ) as running:
        yield running


def said(
    world: World, id: str, told: Host, attached: Sequence[str], *lines: tuple[str, tuple[str, ...]]
) -> list[tuple[str, str]]:
    """What a check says of this host, with these addresses on its interfaces and these lines in /etc/hosts."""
    world.host = told
    world._have = {Interfaces(): Attached((*LOOPBACK, *attached), lines)}
    return [(str(severity), message) for severity, message in world.said(id, told.hostname)]


A01 = [
    ("mx.example.org", (IPV4, IPV6), (IPV4, IPV6), "ok", ""),
    ("MX.example.org", (IPV4, IPV6), (IPV4, IPV6), "ok", ""),
    ("mx.example.org", (IPV4,), (IPV4,), "error", f"the address {IPV6} in DNS, which is not this host's ({IPV4})"),
    ("four.example.org", (IPV4,), (IPV4,), "ok", ""),
    ("none.example.org", (IPV4,), (IPV4,), "error", "has no address in DNS"),
    ("other.example.org", (IPV4,), (IPV4,), "error", "192.0.2.9 in DNS, which is not this host's"),
    ("other.example.org", (IPV4,), (IPV4, "192.0.2.9"), "ok", ""),
    ("both.example.org", (IPV4,), (IPV4,), "error", "192.0.2.9 in DNS, which is not this host's"),
    ("loop.example.org", (IPV4,), (IPV4,), "error", "the loopback address 127.0.0.1 in DNS"),
    ("inner.example.org", (IPV4,), (IPV4,), "error", "the private address 192.168.1.5 in DNS"),
    ("local.example.org", (IPV4,), (IPV4,), "error", "the private address fd00::5 in DNS"),
    ("mailhost", (IPV4,), (IPV4,), "error", "no full name"),
    # behind NAT: nothing on an interface says which address is this host's
    ("four.example.org", (), ("10.0.0.2",), "ok", ""),
    ("four.example.org", (IPV4,), ("10.0.0.2",), "ok", ""),
    ("other.example.org", (IPV4,), ("10.0.0.2",), "unknown", "cannot be told"),
    # only one family behind NAT
    ("mx.example.org", (IPV4, IPV6), ("10.0.0.2", IPV6), "ok", ""),
    ("mx.example.org", (IPV4,), (IPV4, "fd00::2"), "ok", ""),
    ("mx.unserved.test", (IPV4,), (IPV4,), "unknown", "could not be looked up"),
]  # fmt: skip


@pytest.mark.parametrize(("hostname", "sends", "attached", "severity", "words"), A01)
def test_the_full_name_has_the_hosts_addresses(
    world: World, hostname: str, sends, attached, severity: str, words: str
) -> None:
    """Every address in DNS is one of this host's public ones; one that nobody can place is unknown."""
    [(got, message)] = said(world, "A-01", sends_from(*sends, hostname=hostname), attached)
    assert got == severity and words in message


def test_the_remedy_names_the_records(world: World) -> None:
    """The addresses that are known to be this host's, a record each."""
    world.host, world._have = sends_from(IPV4, hostname="none.example.org"), {Interfaces(): Attached((IPV4, IPV6))}
    [finding] = world.findings("A-01")
    assert finding.remedy == f"Publish: none.example.org. IN A {IPV4}; none.example.org. IN AAAA {IPV6}"


@pytest.mark.parametrize(
    ("lines", "severity"),
    [
        ([("127.0.1.1", ("mx.example.org", "mx"))], "warning"),
        ([("127.0.1.1", ("MX.example.org.",))], "warning"),
        ([("127.0.1.1", ("mx",))], "ok"),
        ([("127.0.1.1", ("mx.example.org",)), (IPV4, ("mx.example.org",))], "ok"),
        ([(IPV4, ("mx.example.org", "mx"))], "ok"),
    ],
)
def test_the_full_name_in_the_hosts_file(world: World, lines, severity: str) -> None:
    """A loopback address is told where it is the only one that the file has for the name."""
    [(got, message)] = said(world, "A-01", sends_from(IPV4, IPV6), (IPV4, IPV6), *lines)
    assert got == severity and ("/etc/hosts" in message) is (severity == "warning")


def test_a_name_that_nobody_hears(world: World) -> None:
    """A satellite's name need not be in DNS; a host that greets with another name is only warned about its own."""
    satellite = sends_from(hostname="sat.inner.test")
    mail = replace(satellite.domains[0], local=False, smarthosts=("relay.test",))
    for id in ("A-01", "A-02"):
        assert said(world, id, replace(satellite, domains=(mail,)), ("10.0.0.2",)) == []
    own = sends_from(hostname="example.org")  # a domain of its own name alone is no mail for others
    assert said(world, "A-01", replace(own, domains=(replace(mail, local=True),)), ("10.0.0.2",)) == []
    taking = replace(satellite, domains=(replace(mail, local=True),))
    assert (
        said(world, "A-01", taking, ("10.0.0.2",))[0][0] == "unknown"
    )  # it takes mail, so its name counts: nobody answers for inner.test
    for greeting, severity in (("four.example.org", "warning"), ("none.example.org", "error")):
        [(got, _)] = said(world, "A-01", sends_from(IPV4, hostname="none.example.org", helo=(greeting,)), (IPV4,))
        assert got == severity


def test_addresses_over_ipv6(world: World) -> None:
    """An AAAA for each IPv6 address that mail leaves from; a host without IPv6 is told of, no more."""
    assert said(world, "A-02", sends_from(IPV4, IPV6), (IPV4, IPV6)) == [("ok", "It can be reached over IPv6.")]
    [(severity, message)] = said(world, "A-02", sends_from(IPV4, "2001:db8::2"), (IPV4,))
    assert severity == "warning" and "2001:db8::2" in message
    [(severity, message)] = said(world, "A-02", sends_from(IPV4, IPV6, hostname="four.example.org"), (IPV4, IPV6))
    assert severity == "warning" and "no AAAA record for it" in message
    [(severity, _)] = said(world, "A-02", sends_from(IPV4, hostname="four.example.org"), (IPV4,))
    assert severity == "info"


def test_others_over_ipv6(world: World) -> None:
    """Name servers of which one has IPv6 are enough, exchangers need it each; whoever has none is told of."""
    world.host, world._have = sends_from(IPV4, IPV6), {Interfaces(): Attached((IPV4, IPV6))}
    got = {f.subject: (str(f.severity), f.message) for f in world.findings("A-02")}
    assert got["example.org"][0] == "ok"
    assert got["four.test"][0] == "info" and "ns1.four.test" in got["four.test"][1]
    assert got["four.example.org"][0] == "info" and "a mail exchanger, has no AAAA" in got["four.example.org"][1]
    assert set(got) == {"mx.example.org", "example.org", "four.test", "four.example.org"}


def test_silence(tmp_path: Path) -> None:
    """Where no server answers, nothing is known; what the hosts file says is told all the same."""
    lines = (("127.0.1.1", ("mx.example.org",)),)
    with World(tmp_path, {"example.org": ORG}, have={Interfaces(): Attached((IPV4,), lines)}) as world:
        world.bind.stop()
        assert sorted(world.severities("A-01")) == ["unknown", "warning"]
        assert world.severities("A-02") == ["unknown", "unknown"]


def test_interfaces_that_cannot_be_read(tmp_path: Path) -> None:
    """The addresses that mail leaves from still count; another one is then not known to be foreign."""
    with World(
        tmp_path, {"example.org": f"{ORG}mx A {IPV4}\nother A 192.0.2.9\n"}, sources={"proc": tmp_path / "none"}
    ) as world:
        assert world.severities("A-01") == ["ok"]
        world.host = sends_from(IPV4, hostname="other.example.org")
        assert world.severities("A-01") == ["unknown"]
        world._facts = {"seen": None, "decision": None, "trouble": "exim cannot be asked", "hostname": "mx.example.org"}
        assert world.severities("A-01") == ["unknown"]


TRIE = """Local:
  +-- 0.0.0.0/0 3 0 5
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.0
           /8 host LOCAL
        |-- 127.0.0.1
           /32 host LOCAL
     +-- 192.0.2.0/24 2 0 2
        |-- 192.0.2.0
           /24 link UNICAST
        |-- 192.0.2.2
           /32 host LOCAL
           /32 link UNICAST
        |-- 192.0.2.255
           /32 link BROADCAST
"""


def test_the_kernels_tables(tmp_path: Path) -> None:
    """Local addresses alone, no network, no broadcast; IPv6 in its shortest form; and this machine's own tables can be read."""
    assert fours(TRIE) == ("127.0.0.1", "192.0.2.2")
    table = (
        "20010db8000000000000000000000001 04 40 00 80     eth0\n00000000000000000000000000000001 01 80 10 80       lo\n"
    )
    assert sixes(table) == ("2001:db8::1", "::1")
    with World(tmp_path, {"example.org": f"{ORG}mx A {IPV4}\n"}, sources={"hosts": tmp_path / "hosts"}) as world:
        (tmp_path / "hosts").write_text("127.0.1.1 mx.example.org mx # cloud\n")
        assert ("warning", "/etc/hosts") in {(str(s), m.split()[0]) for s, m in world.said("A-01")}


def test_the_hosts_file(tmp_path: Path) -> None:
    """Comments and what is no line of it are passed over; a file that is not there has no lines."""
    file = tmp_path / "hosts"
    assert named(file) == ()
    file.write_bytes(b"# x\n127.0.0.1\tlocalhost  # me\n\nfe80::1%lo0 localhost\nnonsense mx\n::1 ip6 \xff\n")
    assert named(file) == (("127.0.0.1", ("localhost",)), ("fe80::1", ("localhost",)), ("::1", ("ip6", "\ufffd")))


@pytest.mark.parametrize(
    ("ip", "public"),
    [("192.0.2.1", True), ("2001:db8::1", True), ("127.0.1.1", False), ("10.0.0.1", False), ("100.64.0.1", False), ("100.128.0.1", True),
     ("172.31.0.1", False), ("172.32.0.1", True), ("169.254.1.1", False), ("224.0.0.1", False), ("0.0.0.0", False), ("::1", False),
     ("fe80::1", False), ("fd00::1", False), ("2a00::1", True)],
)  # fmt: skip
def test_what_the_internet_sees(ip: str, public: bool) -> None:
    """Inner, loopback and link-local addresses are not public."""
    assert is_public(ip) is public
