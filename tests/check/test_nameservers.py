"""Name servers: enough, of one mind, delegated to, and those that the provider writes to."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dns.query
import dns.tsigkeyring
import dns.update
import pytest

from dnssync.check.facts import Unanswered
from dnssync.check.nameservers import of_one_mind
from dnssync.core.model import KeyPair, Owner
from dnssync.core.ownership import Applied
from dnssync.core.sighting import Answer, Question, Rcode, Reply
from tests.bind import Bind, Secondary
from tests.check.views import Views
from tests.check.world import NOW, World

SOA = "$TTL 300\n@ SOA ns1 hostmaster {serial} 3600 600 604800 300\n"
TWO = SOA.format(serial=1) + "@ NS ns1\n@ NS ns2\nns1 A 127.0.0.4\nns2 A 127.0.0.5\n"
APART = SOA.format(serial=1) + "@ NS nsa\n@ NS nsb\nnsa A 127.0.0.4\nnsb A 127.0.0.5\n"
SOLE = SOA.format(serial=1) + "@ NS ns{}\nns1 A 127.0.0.4\nns2 A 127.0.0.5\n"
YOUNG = 's1._domainkey TXT "v=DKIM1; p=AAAA"\n'
# What is at the first server, and at the second, of each zone below parent.test; and the delegation.
AGREE = {
    "good": (TWO, TWO),
    "serial": (TWO, TWO.replace("hostmaster 1", "hostmaster 2")),
    "differ": (TWO + '@ TXT "v=spf1 -all"\n', TWO + '@ TXT "v=spf1 mx -all"\n'),
    "lacking": (TWO + "@ MX 10 mx\n", TWO.replace("hostmaster 1", "hostmaster 2")),
    "elsewhere": (TWO + 'other TXT "1"\n', TWO + 'other TXT "2"\n'),
    "half": (TWO, None),
    "alone": (TWO, TWO),
    "more": (TWO, TWO),
    "apart": (APART, APART),
    "glue": (TWO, TWO),
    "single": (SOA.format(serial=1) + "@ NS ns1\nns1 A 127.0.0.4\n", None),
    "double": (SOA.format(serial=1) + "@ NS ns1\n@ NS ns2\nns1 A 127.0.0.4\nns2 A 127.0.0.4\n", None),
    "nobody": (SOA.format(serial=1) + "@ NS ns1\n@ NS ns2.none.test.\nns1 A 127.0.0.4\n", None),
    "lamed": (SOA.format(serial=1) + "@ NS ns1\nns1 A 127.0.0.4\n", None),
    "alias": (TWO + "_dmarc CNAME other.elsewhere.parent.test.\n", TWO + "_dmarc CNAME other.elsewhere.parent.test.\n"),
    "missing": (None, None),
    "young": (TWO + YOUNG, TWO),
    "own": (SOLE.format(1), SOLE.format(2)),
    "owndiffer": (SOLE.format(1), SOLE.format(2) + "@ MX 10 mx\n"),
    "handed": (TWO + "_dmarc NS ns.none.test.\n_domainkey NS ns.none.test.\n",) * 2,
    "halfhanded": (TWO + "_dmarc NS ns.none.test.\n", TWO),
}  # fmt: skip
GLUE = "{0} NS ns1.{0}\n{0} NS ns2.{0}\nns1.{0} A 127.0.0.4\nns2.{0} A 127.0.0.5\n"
ONE = "{0} NS ns1.{0}\nns1.{0} A 127.0.0.4\n"
DELEGATED = {
    "alone": "", "more": ONE, "apart": ONE, "single": ONE, "double": GLUE.replace(".5", ".4"), "nobody": ONE,
    "glue": GLUE + "ns2.{0} A 127.0.0.7\n",
}  # fmt: skip


def zone(name: str) -> str:
    """The zone of a case."""
    return f"{name}.parent.test"


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Views]:
    """The system's resolver, the zone above, and two servers; a third has no zones."""
    parent = "@ NS ns\nns A 127.0.0.3\n" + "".join(DELEGATED.get(name, GLUE).format(name) for name in AGREE)
    system = {
        "parent.test": SOA.format(serial=1) + "@ NS ns\nns A 127.0.0.3\n",
        "none.test": "",
        "dead.test": SOA.format(serial=1) + "@ NS ns\nns A 127.0.0.9\n",
    }
    held: dict[str, dict[str, str]] = {"127.0.0.1": system, "127.0.0.3": {"parent.test": SOA.format(serial=1) + parent}}
    for at, address in enumerate(("127.0.0.4", "127.0.0.5")):
        held[address] = {zone(name): texts[at] for name, texts in AGREE.items() if texts[at] is not None}
    held["127.0.0.7"] = {zone("glue"): TWO}
    with Views(tmp_path_factory.mktemp("views"), held) as views:
        yield views


def world(views: Views, *names: str, **more: object) -> World:
    """A world of these cases, whose servers are those of the delegation unless `nameservers` says others."""
    zones = {zone(name): AGREE[name][0] or TWO for name in names}
    options = {
        "nameservers": (), "system": [views.at("127.0.0.1")], "port": views.port, "sources": {"sleep": lambda seconds: None},
        **more,
    }  # fmt: skip
    return World(views.folder, zones, **options)  # type: ignore[arg-type]


def one(world: World, check: str, name: str) -> tuple[str, str]:
    """(severity, message) of the only finding about a case."""
    [(severity, message)] = world.said(check, zone(name))
    return str(severity), message


def test_enough(views: Views) -> None:
    """Two servers at two addresses; one, or two names of one, are a single one."""
    cases = world(views, "good", "single", "double")
    assert one(cases, "NS-01", "good")[0] == "ok"
    assert one(cases, "NS-01", "single") == (
        "warning",
        "single.parent.test has one name server alone, ns1.single.parent.test: while it is down, no record is found.",
    )
    severity, message = one(cases, "NS-01", "double")
    assert severity == "warning" and "are one: 127.0.0.4" in message


def test_of_one_mind(views: Views) -> None:
    """What our mail needs is the same on all; other names, and a serial that is ahead, are no error."""
    cases = world(views, "good", "serial", "differ", "lacking", "elsewhere")
    assert one(cases, "NS-02", "good")[0] == "ok"
    assert one(cases, "NS-02", "elsewhere")[0] == "ok"
    behind = world(views, "alias", "elsewhere")
    assert one(behind, "NS-02", "alias")[0] == "ok"  # both lead to the same name, whatever is there
    severity, message = one(cases, "NS-02", "serial")
    assert severity == "info" and f"{views.at('127.0.0.4')} 1, {views.at('127.0.0.5')} 2" in message
    severity, message = one(cases, "NS-02", "differ")
    assert severity == "error" and "differ.parent.test TXT" in message and "v=spf1 mx -all" in message
    severity, message = one(cases, "NS-02", "lacking")
    assert severity == "error" and "has nothing" in message and "Serials:" in message


def test_each_provider_names_its_own_servers(views: Views) -> None:
    """While both have the same records no mail suffers: a warning; with another difference beside it, an error."""
    cases = world(views, "own", "owndiffer")
    severity, message = one(cases, "NS-02", "own")
    assert severity == "warning" and f"{views.at('127.0.0.5')} has ns2.own.parent.test." in message
    severity, message = one(cases, "NS-02", "owndiffer")
    assert severity == "error" and "owndiffer.parent.test MX" in message


def test_a_key_that_is_under_way(views: Views) -> None:
    """A new key is not on all servers at once, and nobody signs with it before; one that still lacks after an hour is a difference."""
    for age, said in ((60, "info"), (4000, "error")):
        key = KeyPair(zone("young"), "s1", "rsa2048", "AAAA", NOW - age)
        severity, message = one(world(views, "young", keys=[key]), "NS-02", "young")
        assert severity == said and "s1._domainkey.young.parent.test" in message


def test_names_that_are_handed_on(views: Views) -> None:
    """`_dmarc` and `_domainkey` as zones of others: what stands there is not this zone's; where one server alone hands them on, it is told."""
    cases = world(views, "handed", "halfhanded")
    assert one(cases, "NS-02", "handed")[0] == "ok"
    assert one(cases, "WILD-01", "handed")[0] == "ok"
    severity, message = one(cases, "NS-02", "halfhanded")
    assert severity == "unknown" and "delegates _dmarc.halfhanded.parent.test" in message


def test_a_key_without_a_name_is_not_asked_for(views: Views) -> None:
    """What `apply` would make has no selector yet."""
    cases = world(views, "good")
    assert any(name.startswith("<new ") for name, _ in cases.facts().wanted_in(zone("good")))
    asked: list[str] = []

    def have(wish: object) -> None:
        asked.append(getattr(wish, "name", ""))

    facts = replace(cases.facts(), have=have)
    with contextlib.suppress(Unanswered):
        list(of_one_mind(facts, zone("good")))
    assert asked and not any("<" in name for name in asked)


def test_a_server_that_does_not_serve(views: Views) -> None:
    """One of the delegation that has no such zone, one where nobody listens, and one without an address."""
    severity, message = one(world(views, "half"), "NS-02", "half")
    assert severity == "error" and f"{views.at('127.0.0.5')} does not answer for half.parent.test (refused)" in message
    dead = world(views, "good", nameservers=[views.at("127.0.0.4"), views.at("127.0.0.9")])
    severity, message = one(dead, "NS-02", "good")
    assert severity == "error" and f"{views.at('127.0.0.9')} does not answer" in message
    severity, message = one(world(views, "nobody"), "NS-02", "nobody")
    assert severity == "error" and "ns2.none.test" in message and "no address" in message


def test_nobody_answers(views: Views) -> None:
    """Then nothing is known of the zone."""
    silent = world(views, "good", nameservers=[views.at("127.0.0.9")])
    for check in ("NS-01", "NS-02", "NS-04", "WILD-01"):
        assert one(silent, check, "good")[0] == "unknown"
    lost = world(views, "good", system=[views.at("127.0.0.9")])
    assert one(lost, "NS-03", "good")[0] == "unknown"
    options = {"nameservers": (), "system": [views.at("127.0.0.1")], "port": views.port}
    above = World(views.folder, {"x.dead.test": TWO}, **options)  # type: ignore[arg-type]
    [(severity, message)] = above.said("NS-03")
    assert str(severity) == "unknown" and "a server of the zone above it, says unreachable" in message


def test_a_datagram_that_was_lost(tmp_path: Path) -> None:
    """Who answers one of the questions is there; who answers none is told."""
    lost = Answer(
        Question("example.org", "NS", "example.org"),
        (Reply("192.0.2.53", Rcode.TIMEOUT), Reply("192.0.2.54", Rcode.DATA, ("ns1.example.org.",))),
    )
    with World(tmp_path, {"example.org": ""}, have={lost.question: lost}) as world:
        told = [(str(severity), message) for severity, message in world.said("NS-02")]
        assert [severity for severity, _ in told] == ["error"] and "192.0.2.53" in told[0][1]
        answered = Reply("192.0.2.53", Rcode.DATA, ("ns1 hostmaster 1 1 1 1 1",))
        soa = Answer(Question("example.org", "SOA", "example.org"), (answered, replace(answered, server="192.0.2.54")))
        world._have[soa.question] = soa
        assert world.severities("NS-02") == ["ok"]


def test_a_path_that_does_not_work_is_no_fault_of_the_server(views: Views) -> None:
    """An IPv6 server that is not reached, while none of IPv6 is, may well answer others."""
    half = world(views, "good", nameservers=[views.at("127.0.0.4"), f"[::1]:{views.port}"])
    severity, message = one(half, "NS-02", "good")
    assert severity == "unknown" and "[::1]" in message


def test_a_server_that_lags(tmp_path: Path) -> None:
    """What a secondary has some seconds later is no difference; what it never has is one."""
    with Bind(tmp_path / "one", {"example.org": ""}) as first, Secondary(tmp_path / "two", first) as second:
        update = dns.update.UpdateMessage("example.org", keyring=dns.tsigkeyring.from_text({first.key_name: first.secret}),
                                          keyalgorithm="hmac-sha256")  # fmt: skip
        update.add("@", 300, "TXT", '"v=spf1 -all"')
        dns.query.tcp(update, "127.0.0.1", port=first.port, timeout=5)
        servers = [first.server, second.server]
        options = {"nameservers": servers, "system": [first.server]}
        never = World(tmp_path / "never", {"example.org": ""}, sources={"sleep": lambda s: None}, **options)
        [(severity, message)] = never.said("NS-02")
        assert severity == "error" and "example.org TXT" in message
        pauses: list[float] = []

        def sleep(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 2:
                second.follow("example.org")

        soon = World(tmp_path / "soon", {"example.org": ""}, sources={"sleep": sleep}, **options)
        assert soon.severities("NS-02") in (["ok"], ["info"])  # the serials were asked for before
        assert soon.severities("NS-02") == ["ok"]
        assert len(pauses) == 2  # nothing was left to wait for


def test_the_delegation(views: Views) -> None:
    """The same names above and in the zone are well; others hurt one day, or now, where nobody is left in both."""
    cases = world(views, "good", "more", "apart", "alone", "half", "glue")
    assert one(cases, "NS-03", "good")[0] == "ok"
    severity, message = one(cases, "NS-03", "more")
    assert severity == "warning" and "ns2.more.parent.test only in the zone" in message
    assert one(cases, "NS-03", "apart")[0] == "error"
    assert (
        one(cases, "NS-03", "half")[0] == "ok"
    )  # the names are the same; that one of them does not serve it is NS-02's
    severity, message = one(cases, "NS-03", "alone")
    assert severity == "error" and "has no delegation" in message
    severity, message = one(cases, "NS-03", "glue")
    assert severity == "warning" and "127.0.0.7" in message and "127.0.0.5" not in message


def test_a_server_of_the_delegation_alone_that_has_no_such_zone(views: Views) -> None:
    """The zone above names one that the zone does not, and it refuses: whoever asks it finds nothing."""
    assert one(world(views, "lamed"), "NS-03", "lamed")[0] == "error"


def test_two_providers_count_serials_of_their_own(views: Views) -> None:
    """Where a zone is at two, the serials say nothing."""
    alone = world(views, "serial")
    assert one(alone, "NS-02", "serial")[0] == "info"
    seen = alone.facts().seen
    assert seen is not None
    view = replace(seen.zones[0], found={"one": {}, "two": {}})
    assert one(world(views, "serial", facts={"seen": replace(seen, zones=(view,))}), "NS-02", "serial")[0] == "ok"


def test_a_delegation_to_servers_without_the_zone(views: Views) -> None:
    """Nobody there has it: what is wrong is told, and no more than that."""
    cases = world(views, "missing")
    assert one(cases, "NS-03", "missing")[0] in ("error", "unknown")
    assert {str(severity) for severity, _ in cases.said("NS-02", zone("missing"))} == {"error"}


def test_named_servers_are_respected(views: Views) -> None:
    """Where the configuration names servers, the zone above has nothing to say."""
    named = world(views, "alone", "more", nameservers=[views.at("127.0.0.4")])
    assert named.said("NS-03") == []


# --- the zone behind the API --------------------------------------------------------------------------------------------

TEXT = 's1._domainkey TXT "v=DKIM1; p=AAAA"\n'
LEDGER = {("s1._domainkey", "TXT", Owner.DKIM): Applied("v=DKIM1; p=AAAA", "example.org")}
NS = "@ 300 SOA {0} hostmaster 1 3600 600 604800 300\n@ 300 NS {0}\n"


def shown(tmp_path: Path, served: str, api: str, **more: object) -> World:
    """A zone, and what the provider's API shows of it."""
    return World(
        tmp_path, {"example.org": NS.format("ns1") + "ns1 A 127.0.0.1\n" + served}, shown={"example.org": api}, **more
    )  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("api", "said"),
    [
        (NS.format("ns1"), ["ok"]),
        (NS.format("NS1.Example.Org."), ["ok"]),
        (NS.format("ns1") + "@ 300 NS ns.old.test.\n", ["ok"]),
        (NS.format("ns.old.test."), ["error"]),
        ("@ 300 SOA ns1 other 9 3600 600 604800 300\n", ["ok"]),
        ("@ 300 SOA ns.old.test. other 9 3600 600 604800 300\n", ["error"]),
        ("@ 300 SOA ns.old.test. other 9 3600 600 604800 300\n@ 300 NS ns1\n", ["ok"]),
        ("; SOA and NS are not shown\nwww 300 A 192.0.2.1\n", ["ok"]),
    ],
)  # fmt: skip
def test_the_zone_behind_the_api(tmp_path: Path, api: str, said: list[str]) -> None:
    """Other servers there than those of the zone that is served: nobody sees what is written; one in common is enough."""
    with shown(tmp_path, "", api) as world:
        assert world.severities("NS-04") == said


@pytest.mark.parametrize(
    ("served", "api", "age", "said"),
    [
        (TEXT, TEXT, 90_000, ["ok"]),
        ("", TEXT, 90_000, ["error"]),
        ("", TEXT, 60, ["warning"]),
        ("", "", 90_000, ["ok"]),
        ("", TEXT.replace("AAAA", "BBBB"), 90_000, ["ok"]),
        ('s1._domainkey TXT "v=DKIM1; p=BBBB"\n', TEXT, 90_000, ["error"]),
    ],
)  # fmt: skip
def test_records_of_ours_that_no_server_has(tmp_path: Path, served: str, api: str, age: int, said: list[str]) -> None:
    """What the API shows and no server does, though it was written long ago, is in a zone that nobody is sent to."""
    key = KeyPair("example.org", "s1", "rsa2048", "AAAA", NOW - age)
    with shown(tmp_path, served, NS.format("ns1") + api, keys=[key], ledger={"example.org": LEDGER}) as world:
        assert world.severities("NS-04") == said


def test_a_zone_that_was_not_read(tmp_path: Path) -> None:
    """Of a quiet zone we have our own book alone: the question does not arise."""
    with shown(tmp_path, "", NS.format("ns.old.test."), observed={"noted": frozenset({"example.org"})}) as world:
        assert world.severities("NS-04") == []
