"""MX records against a real name server: each case a zone, beside the nearest that is well."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dnssync.check.address import Attached, Interfaces
from dnssync.check.finding import Finding
from tests.check.world import World
from tests.zonetext import host as told_host

MX = "@ MX 10 mx.example.org.\n"
ZONES = {
    "example.org": f"{MX}mx A 192.0.2.1\nmx AAAA 2001:db8::1\nbackup A 198.51.100.7\nalias CNAME mx\nalias2 A 192.0.2.1\n"
    "cluster A 192.0.2.1\ncluster A 192.0.2.9\ninner A 10.1.2.3\nlists CNAME mx\n",
    "upper.test": "@ MX 10 MX.Example.ORG.\n",
    "two.test": "@ MX 10 mx.example.org.\n@ MX 20 backup.example.org.\n",
    "even.test": "@ MX 10 backup.example.org.\n@ MX 10 mx.example.org.\n",
    "second.test": "@ MX 20 mx.example.org.\n@ MX 10 backup.example.org.\n",
    "vanity.test": "@ MX 10 alias2.example.org.\n",
    "away.test": "@ MX 10 backup.example.org.\n",
    "silent.test": "@ MX 10 mx.unserved.test.\n",
    "elsewhere.test": "@ MX 10 backup.example.org.\n",
    "nothing.test": "",
    "implicit.test": "@ A 192.0.2.1\n",
    "null.test": "@ MX 0 .\n",
    "nullten.test": "@ MX 10 .\n",
    "nullsend.test": "@ MX 0 .\n",
    "both.test": "@ MX 0 .\n@ MX 10 mx.example.org.\n",
    "cname.test": "@ MX 10 alias.example.org.\n",
    "cname2.test": "@ MX 10 alias.example.org.\n",
    "literal.test": "@ MX 10 192.0.2.1.\n",
    "local.test": "@ MX 10 mx.example.org.\n@ MX 20 localhost.\n",
    "twice.test": "@ MX 10 mx.example.org.\n@ MX 20 mx.example.org.\n",
    "own.test": "@ MX 10 mail.own.test.\nmail CNAME mx.example.org.\n",
    "bare.test": "@ MX 10 gone.bare.test.\n",
    "doubled.test": "@ MX 10 mx.doubled.test.doubled.test.\n",
    "cluster.test": "@ MX 10 cluster.example.org.\n",
    "inner.test": "@ MX 10 inner.example.org.\n",
    "xn--bcher-kva.test": MX,
}
NO_MAIL = {"elsewhere.test", "nullsend.test"}  # exim does not take mail for these, it only sends theirs


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """All the zones on one BIND, and a host that has 192.0.2.1 and 2001:db8::1."""
    domains = [*ZONES, "mail.own.test", "mx.example.org"]
    told = told_host(*domains, hostname="mx.example.org")
    told = replace(told, domains=tuple(replace(mail, local=mail.name not in NO_MAIL) for mail in told.domains))
    have = {Interfaces(): Attached(("127.0.0.1", "192.0.2.1", "2001:db8::1"))}
    with World(tmp_path_factory.mktemp("mx"), ZONES, domains=domains, host=told, have=have) as running:
        yield running


@pytest.fixture(scope="module")
def found(world: World) -> dict[tuple[str, str], list[Finding]]:
    """All findings, by check and subject."""
    by: dict[tuple[str, str], list[Finding]] = {}
    for finding in world.findings(*(f"MX-0{n}" for n in range(1, 7))):
        by.setdefault((finding.id, finding.subject), []).append(finding)
    return by


CASES = [
    # one of the preferred ones is the full name, whatever its case, and whatever stands beside it
    ("MX-01", "example.org", "ok", ""),
    ("MX-01", "upper.test", "ok", ""),
    ("MX-01", "xn--bcher-kva.test", "ok", ""),
    ("MX-01", "two.test", "ok", ""),
    ("MX-01", "even.test", "ok", ""),
    ("MX-01", "second.test", "info", "senders try backup.example.org before mx.example.org"),
    ("MX-01", "vanity.test", "warning", "alias2.example.org, which has this host's address, but not its full name mx.example.org"),
    ("MX-01", "away.test", "error", "No MX of away.test is this host, mx.example.org: mail for it goes to 10 backup.example.org"),
    ("MX-01", "silent.test", "unknown", "mx.unserved.test A could not be looked up"),
    ("MX-01", "elsewhere.test", None, ""),
    ("MX-01", "nothing.test", "error", "nothing.test has no MX record and no address"),
    ("MX-01", "implicit.test", None, ""),
    ("MX-01", "null.test", None, ""),
    ("MX-01", "literal.test", "error", "10 192.0.2.1"),
    # null MX
    ("MX-02", "example.org", "ok", ""),
    ("MX-02", "nothing.test", None, ""),
    ("MX-02", "null.test", "error", "takes no mail, but exim here takes mail for it"),
    ("MX-02", "nullten.test", "error", "takes no mail"),
    ("MX-02", "nullsend.test", "error", "takes no mail, but mail is sent from it"),
    ("MX-02", "both.test", "error", "null MX beside other MX records (mx.example.org)"),
    # implicit
    ("MX-03", "example.org", "ok", ""),
    ("MX-03", "implicit.test", "warning", "its own address (192.0.2.1)"),
    ("MX-03", "nothing.test", None, ""),
    ("MX-03", "mx.example.org", None, ""),
    # targets
    ("MX-04", "example.org", "ok", ""),
    ("MX-04", "mx.example.org", "ok", ""),
    ("MX-04", "cname.test", "ok", ""),
    ("MX-04", "alias.example.org", "error", "is a CNAME (for mx.example.org)"),
    ("MX-04", "alias2.example.org", "ok", ""),
    ("MX-04", "mail.own.test", None, ""),
    ("MX-04", "own.test", "error", "mail.own.test, the target of an MX, is a CNAME"),
    ("MX-04", "literal.test", "error", "the IP address 192.0.2.1"),
    ("MX-04", "local.test", "warning", "An MX of local.test is localhost"),
    ("MX-04", "twice.test", "warning", "2 times (preferences 10, 20)"),
    ("MX-04", "two.test", "ok", ""),
    ("MX-04", "mx.unserved.test", "unknown", "could not be looked up"),
    # their addresses
    ("MX-05", "mx.example.org", "ok", ""),
    ("MX-05", "backup.example.org", None, ""),
    ("MX-05", "alias2.example.org", "ok", ""),
    ("MX-05", "gone.bare.test", "error", "gone.bare.test, a mail exchanger, has no address (neither A nor AAAA)."),
    ("MX-05", "mx.doubled.test.doubled.test", "error", "Is the final dot missing"),
    ("MX-05", "cluster.example.org", "info", "this host's address and others: 192.0.2.9"),
    ("MX-05", "inner.example.org", "error", "10.1.2.3, which nobody on the Internet reaches"),
    ("MX-05", "mx.unserved.test", "unknown", "could not be looked up"),
    # how many
    ("MX-06", "example.org", "info", "one mail exchanger, mx.example.org"),
    ("MX-06", "two.test", "ok", ""),
    ("MX-06", "elsewhere.test", None, ""),
    ("MX-06", "twice.test", "info", "one mail exchanger"),
]  # fmt: skip


@pytest.mark.parametrize(("id", "subject", "severity", "words"), CASES, ids=lambda value: str(value)[:30])
def test_a_domain(found, id: str, subject: str, severity: str | None, words: str) -> None:
    """Each zone gets its own verdict, and its neighbour, one record apart, another; None: nothing at all is said."""
    got = found.get((id, subject), [])
    if severity is None:
        assert not got
        return
    [finding] = got
    assert str(finding.severity) == severity and words in finding.message


def test_an_exchanger_is_looked_at_once(found) -> None:
    """However many domains share it: what is wrong with it is said of it, and not of them."""
    wrong = [
        subject for (id, subject), some in found.items() if id == "MX-04" for f in some if "alias.example" in f.message
    ]
    assert wrong == ["alias.example.org"]
    assert ("MX-05", "cname.test") not in found


def test_the_remedy_is_the_record(found) -> None:
    """What has to stand there is shown as a zone has it, and nothing is promised that `apply` does not do."""
    [finding] = found[("MX-01", "away.test")]
    assert finding.remedy.startswith("Publish: away.test. IN MX 10 mx.example.org.")
    [null] = found[("MX-02", "both.test")]
    assert null.remedy == "Remove: both.test. IN MX 0 ."
    assert not any(f.fixable for some in found.values() for f in some)


ORG = "mx A 192.0.2.1\nbackup A 198.51.100.7\n"


def small(tmp_path: Path, text: str, *attached: str, **more) -> World:
    """One zone, and a host with these addresses."""
    return World(tmp_path, {"example.org": text}, have={Interfaces(): Attached(attached or ("192.0.2.1",))}, **more)


def test_behind_nat_the_name_counts(tmp_path: Path) -> None:
    """A host with inner addresses alone, whose mail leaves through a smarthost, is where its full name says; not so with a public address."""
    told = told_host("example.org", hostname="mx.example.org")
    told = replace(told, domains=(replace(told.domains[0], addresses=(), smarthosts=("relay.test",)),))
    with small(tmp_path, f"@ MX 10 alias2\nalias2 A 192.0.2.1\n{ORG}", "10.0.0.2", host=told) as world:
        assert world.severities("MX-01") == ["warning"]
        world._have[Interfaces()] = Attached(("203.0.113.5",))
        assert world.severities("MX-01") == ["error"]


def test_the_full_name_with_an_address_of_another(tmp_path: Path) -> None:
    """Mail to the stray address does not come here; with the address on an interface it does."""
    with small(tmp_path, f"{MX}{ORG}mx A 192.0.2.9\n") as world:
        [(severity, message)] = world.said("MX-05")
        assert str(severity) == "error" and "not this host's: 192.0.2.9" in message
        world._have[Interfaces()] = Attached(("192.0.2.1", "192.0.2.9"))
        assert world.severities("MX-05") == ["ok"]
        world._have[Interfaces()] = Attached(("192.168.0.2",))
        assert world.severities("MX-05") == ["ok"]


def test_without_exim(tmp_path: Path) -> None:
    """Whether exim takes the domain is not known then, and what stands in DNS is judged all the same."""
    with small(tmp_path, "@ MX 10 backup\n@ MX 20 .\nbackup A 198.51.100.7\n") as world:
        world._facts = {"seen": None, "decision": None, "trouble": "exim cannot be asked"}
        assert world.said("MX-01") == [("unknown", "exim cannot be asked.")]
        assert world.severities("MX-02") == ["error"]
        assert world.severities("MX-04") == ["ok", "ok"]


def test_a_host_without_a_full_name(tmp_path: Path) -> None:
    """Its MX is known by the address, and no record with a name of one label is proposed."""
    told = told_host("example.org", hostname="mailhost")
    with small(tmp_path, f"@ MX 10 mx\n{ORG}", host=told) as world:
        assert world.severities("MX-01") == ["ok"]
        world._have[Interfaces()] = Attached(("203.0.113.5",))
        world.host = replace(told, domains=(replace(told.domains[0], addresses=()),))
        [finding] = world.findings("MX-01")
        assert finding.severity == "error" and "IN MX" not in finding.remedy


def test_silence(tmp_path: Path) -> None:
    """Where nobody answers, nothing is known of the domain, and its exchangers are not known either."""
    with small(tmp_path, f"{MX}{ORG}") as world:
        world.bind.stop()
        for id in ("MX-01", "MX-02", "MX-03", "MX-04", "MX-06"):
            assert world.severities(id) == ["unknown"]
        assert world.severities("MX-05") == []
