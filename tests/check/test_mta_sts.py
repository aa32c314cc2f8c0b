"""STS-01 … STS-06: policies fetched from real HTTPS servers with a CA of their own, each case a domain of one world."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dnssync.check.areas import every
from dnssync.check.facts import Failed
from dnssync.check.gather_policy import _get
from dnssync.check.judging import judge
from dnssync.check.mta_sts import Fetched, Policy, covers, id_of, parsed, remember
from tests.check.certificates import Ca, serving
from tests.check.servers import Https, network, reply
from tests.check.world import World

RECORD = '_mta-sts TXT "v=STSv1; id=20261101;"\n'
ZONES = {
    "none": "", "nullmx": "@ MX 0 .\n",
    "two": RECORD + '_mta-sts TXT "v=STSv1; id=2;"\n',
    "badid": '_mta-sts TXT "v=STSv1; id=2026-11;"\n',
    "noid": '_mta-sts TXT "v=STSv1;"\n',
    "stray": '_mta-sts TXT "v=spf1 -all"\n',
    "beside": RECORD + '_mta-sts TXT "verification=1"\n',
}  # fmt: skip
POLICIES = (
    "nomail",
    "nomx",
    "good",
    "testing",
    "off",
    "short",
    "day",
    "foreign",
    "idle",
    "wild",
    "absent",
    "crlf",
    "silent",
)
TEXTS = {
    "testing": "version: STSv1\nmode: testing\nmx: mx.testing.test\nmax_age: 604800\n",
    "nomx": "version: STSv1\nmode: enforce\nmx: nomx.test\nmax_age: 604800\n",
    "off": "version: STSv1\nmode: none\nmax_age: 60\n",
    "short": "version: STSv1\nmode: enforce\nmx: mx.short.test\nmax_age: 86399\n",
    "day": "version: STSv1\nmode: enforce\nmx: mx.day.test\nmax_age: 86400\n",
    "foreign": "version: STSv1\nmode: enforce\nmx: mx.elsewhere.test\nmax_age: 604800\n",
    "idle": "version: STSv1\nmode: enforce\nmx: mx.idle.test\nmx: *.backup.test\nmax_age: 604800\n",
    "wild": "version: STSv1\nmode: enforce\nmx: *.wild.test\nmax_age: 604800\n",
    "crlf": "version: STSv1\r\nmode: enforce\r\nmx: MX.crlf.test\r\nmax_age: 604800\r\n",
}


def policy(name: str) -> str:
    return TEXTS.get(name, f"version: STSv1\nmode: enforce\nmx: mx.{name}.test\nmax_age: 604800\n")


ANSWERS = {
    "wrongcert": None, "expired": None, "untrusted": None,
    "redirect": reply("", "301 Moved", "Location: https://elsewhere.test/\r\n"),
    "missing": reply("no", "404 Not Found"),
    "html": reply(policy("html"), head="Content-Type: text/html\r\n"),
    "large": reply(policy("large") + "# \n" * 30_000),
    "noise": reply("<html>\nmode: strict\nmax_age: soon\nmx: not a host\n"),
    "garbled": b"garbage\r\n\r\n",
}  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Every case a zone; those with a policy have an address of their own, where a server of their own answers."""
    folder = tmp_path_factory.mktemp("sts")
    ca, other = Ca(folder / "ca"), Ca(folder / "other", "Somebody else's Root")
    names = [*ZONES, *ANSWERS, *POLICIES]
    zones, routes = {}, {}
    with contextlib.ExitStack() as stack:
        for at, name in enumerate(names, 1):
            mx = {"nullmx": "", "nomail": "@ MX 0 .\n", "nomx": "@ A 192.0.2.200\n"}.get(
                name, "@ MX 10 mx\nmx A 192.0.2.200\n"
            )
            zones[f"{name}.test"] = mx + ZONES.get(name, RECORD)
            if name not in ZONES and name not in ("absent", "silent"):
                zones[f"{name}.test"] += f"mta-sts A 192.0.2.{at}\n"
                host = f"mta-sts.{name}.test"
                files = {
                    "wrongcert": lambda host=host: ca.issue("www." + host),
                    "expired": lambda host=host: ca.issue(host, days=(-9, -1)),
                    "untrusted": lambda host=host: other.issue(host),
                }.get(name, lambda host=host: ca.issue(host))()
                server = Https(serving(files), ANSWERS.get(name) or reply(policy(name)))
                routes["192.0.2." + str(at), 443] = stack.enter_context(server).port
        zones["silent.test"] += "mta-sts A 192.0.2.199\n"
        routes["192.0.2.199", 443] = TimeoutError
        yield stack.enter_context(World(
            folder, zones, sources={"connect": network(routes), "trust": {"cafile": ca.cafile}},
            facts={"now": int(time.time())},
        ))  # fmt: skip


@pytest.fixture(scope="module")
def said(world: World) -> dict[tuple[str, str], list[tuple[str, str, str]]]:
    """(id, case) → what was said."""
    found: dict[tuple[str, str], list[tuple[str, str, str]]] = {}
    for f in world.findings("STS-01", "STS-02", "STS-03", "STS-04", "STS-05", "STS-06"):
        found.setdefault((f.id, f.subject.split(".")[0]), []).append((str(f.severity), f.message, f.remedy))
    return found


@pytest.mark.parametrize(
    ("id", "case", "severity", "words"),
    [
        ("STS-01", "good", "ok", ""),
        ("STS-01", "beside", "ok", ""),
        ("STS-01", "none", "info", "has no MTA-STS"),
        ("STS-01", "nullmx", "", ""),
        ("STS-01", "two", "warning", "2 MTA-STS records stand at _mta-sts.two.test"),
        ("STS-01", "badid", "warning", "is not valid: 'v=STSv1; id=2026-11;'"),
        ("STS-01", "noid", "warning", "is not valid"),
        ("STS-01", "stray", "warning", "is no MTA-STS record: 'v=spf1 -all'"),
        ("STS-02", "none", "", ""),
        ("STS-02", "good", "ok", ""),
        ("STS-02", "crlf", "ok", ""),
        ("STS-02", "wrongcert", "warning", "its certificate is not valid (Hostname mismatch"),
        ("STS-02", "expired", "warning", "its certificate is not valid (certificate has expired)"),
        ("STS-02", "untrusted", "warning", "its certificate is not valid"),
        ("STS-02", "redirect", "warning", "HTTP status 301, a redirect to https://elsewhere.test/"),
        ("STS-02", "missing", "warning", "HTTP status 404"),
        ("STS-02", "html", "warning", "is served as text/html"),
        ("STS-02", "large", "warning", "longer than 64 kB"),
        ("STS-02", "noise", "warning", "it has no `version: STSv1`; its mode is 'strict'"),
        ("STS-02", "garbled", "warning", "broke off"),
        ("STS-02", "absent", "warning", "mta-sts.absent.test has no address"),
        ("STS-02", "silent", "unknown", "could not be fetched from here"),
        ("STS-03", "good", "ok", ""),
        ("STS-03", "testing", "warning", "has mode testing"),
        ("STS-03", "off", "warning", "has mode none"),
        ("STS-03", "noise", "", ""),
        ("STS-03", "none", "", ""),
        ("STS-03", "silent", "unknown", ""),
        ("STS-04", "day", "ok", ""),
        ("STS-04", "short", "warning", "after 86399 seconds"),
        ("STS-04", "off", "", ""),
        ("STS-05", "good", "ok", ""),
        ("STS-05", "wild", "ok", ""),
        ("STS-05", "crlf", "ok", ""),
        ("STS-05", "foreign", "warning", "does not name its MX mx.foreign.test: senders do not deliver to it"),
        ("STS-05", "idle", "warning", "names *.backup.test, which is no MX of it"),
        ("STS-05", "off", "", ""),
        ("STS-05", "nomail", "", ""),
        ("STS-05", "nomx", "ok", ""),
        ("STS-06", "good", "", ""),
    ],
)  # fmt: skip
def test_each_fault(said, id: str, case: str, severity: str, words: str) -> None:
    """Each fault is told as bad as it is; what is next to it and right is well; where there is nothing to ask, nothing is said."""
    found = said.get((id, case), [])
    assert bool(found) == bool(severity), found
    assert all(one[0] == severity for one in found)
    assert not found or words in found[0][1]


def test_the_remedy_is_record_and_policy(said) -> None:
    """Where nothing is there, both are given, with the MX as they are; the policy as lines to be copied."""
    remedy = said["STS-01", "none"][0][2]
    first, *policy, last = remedy.split("\n")
    assert first == "Serve these lines at https://mta-sts.none.test/.well-known/mta-sts.txt:"
    terms = parsed("\n".join(policy))
    assert (terms.mode, terms.mx, terms.max_age, terms.faults) == ("testing", ("mx.none.test",), 604800, ())
    assert last.startswith('Then publish: _mta-sts.none.test. IN TXT "v=STSv1; id=')


@pytest.mark.parametrize(
    ("text", "id"),
    [
        ("v=STSv1; id=20160831085700Z;", "20160831085700Z"), ("v=STSv1;id=1", "1"), ("v=STSv1 ; id=1 ; ext=a ;", "1"),
        ("v=STSv1; id=1; id=2", None), ("v=STSv1; id=", None), ("v=STSv1; id=" + "1" * 33, None), ("v=STSv1; id=1; !", None),
        ("v=STSv1; id=1;;", None), ("v=STSv1", None),
    ],
)  # fmt: skip
def test_ids(text: str, id: str | None) -> None:
    """RFC 8461 §3.1: letters and digits, 32 at most, once."""
    assert id_of(text) == id


def test_a_star_is_one_label() -> None:
    """RFC 8461 §4.1: `*.example.org` covers neither example.org nor two labels below it."""
    assert covers("*.example.org", "mx.example.org") and covers("mx.example.org", "mx.example.org")
    assert not covers("*.example.org", "example.org") and not covers("*.example.org", "a.mx.example.org")


def test_the_longest_age() -> None:
    """One second more than RFC 8461 §3.2 allows is a fault."""
    text = "version: STSv1\nmode: enforce\nmx: mx.example.org\nmax_age: {}\n"
    assert not parsed(text.format(31557600)).faults and parsed(text.format(31557601)).faults


def test_the_id_changes_with_the_policy(tmp_path: Path) -> None:
    """Another policy under the same id is told, run after run, until the id changes; a new id with the same policy is well."""
    zone = '@ MX 10 mx\nmx A 192.0.2.1\n_mta-sts TXT "v=STSv1; id={};"\n'

    def run(folder: str, id: int, text: str, before: dict[str, str]) -> tuple[list[str], dict[str, str]]:
        have = {Policy("example.org"): Fetched(text)}
        with World(tmp_path / folder, {"example.org": zone.format(id)}, have=have, facts={"remembered": before}) as w:
            kept: dict[str, str] = {}

            def keep(facts, subject):
                kept.clear()
                kept.update(remember(facts))
                return []

            checks = [check for check in every() if check.id == "STS-06"]
            judge(
                w.facts(),
                [replace(checks[0], judge=keep)],
                lambda wishes: {**w.resolver().look([x for x in wishes if x not in have]), **have},
            )
            return w.severities("STS-06"), kept

    said, kept = run("a", 1, "one", {})
    assert said == [] and kept["example.org"].startswith("1 ")
    assert run("b", 1, "one", kept) == (["ok"], kept)
    assert run("c", 1, "two", kept) == (["warning"], kept)
    said, after = run("d", 2, "two", kept)
    assert said == ["ok"] and after["example.org"].startswith("2 ")
    assert run("e", 3, "two", after)[0] == ["ok"]


def test_silent_name_servers(tmp_path: Path) -> None:
    """No answer is not "no MTA-STS"; what was remembered is kept."""
    with World(tmp_path, {"example.org": "@ MX 10 mx\n"}, facts={"remembered": {"example.org": "1 ab"}}) as w:
        w.bind.stop()
        for id in ("STS-01", "STS-02", "STS-03", "STS-04", "STS-05", "STS-06"):
            assert w.severities(id) == ["unknown"], id
        assert remember(w.facts()) == {"example.org": "1 ab"}


def test_our_own_address_behind_nat(tmp_path: Path) -> None:
    """What answers at our own public address from inside may be the router: only from there, or on an interface, it is a fault."""
    zone = "@ MX 10 mx\nmx A 192.0.2.1\nmta-sts A {}\n" + RECORD
    for ip, here, severity in (
        ("192.0.2.1", False, "unknown"),
        ("192.0.2.1", True, "warning"),
        ("192.0.2.9", False, "warning"),
    ):
        with World(
            tmp_path / f"{ip}{here}", {"example.org": zone.format(ip)}, sources={"connect": network({}), "here": lambda _, here=here: here}
        ) as w:  # fmt: skip
            assert w.severities("STS-02") == [severity]


def test_no_way_to_the_address(tmp_path: Path) -> None:
    """A network that this host cannot reach says nothing about the policy."""
    zone = "@ MX 10 mx\nmta-sts A 192.0.2.9\n" + RECORD
    with World(tmp_path, {"example.org": zone}, sources={"connect": network({("192.0.2.9", 443): OSError})}) as w:
        assert w.severities("STS-02") == ["unknown"]


def test_a_second_address(tmp_path: Path) -> None:
    """One address that refuses is no fault while another has the policy, as senders see it; where the other is out of reach, it is one."""
    ca = Ca(tmp_path / "ca")
    zone = "@ MX 10 mx\nmx A 192.0.2.1\nmta-sts A 192.0.2.8\nmta-sts A 192.0.2.9\n" + RECORD
    text = "version: STSv1\nmode: enforce\nmx: mx.example.org\nmax_age: 604800\n"
    with Https(serving(ca.issue("mta-sts.example.org")), reply(text)) as server:
        for at in (8, 9):
            for other, severity in ((server.port, "ok"), (TimeoutError, "warning")):
                with World(
                    tmp_path / f"{at}{severity}", {"example.org": zone},
                    sources={"connect": network({(f"192.0.2.{at}", 443): other}), "trust": {"cafile": ca.cafile}},
                ) as w:  # fmt: skip
                    assert w.severities("STS-02") == [severity]


def test_a_policy_that_lets_wait() -> None:
    """Senders wait for longer than this host does: what does not come in time is not known."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sock = socket.create_connection(silent.getsockname())
        came = _get("example.org", "192.0.2.8", sock, ssl.create_default_context(), 0.2)
    assert isinstance(came, Failed) and "192.0.2.8 did not answer within 10 seconds" in came.reason
