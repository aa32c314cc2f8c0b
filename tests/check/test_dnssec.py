"""DNSSEC as a real resolver that validates sees it, and as the zones' own servers show it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import dns.dnssec
import dns.message
import dns.name
import dns.rdata
import pytest

from dnssync.check.dnssec import Chain, Links, Signature, Validated, Validation
from dnssync.check.dnssec_chain import Key, fits, span
from dnssync.check.facts import Failed
from dnssync.check.gather import Sources
from dnssync.check.gather_dnssec import fetch
from dnssync.config import Config
from dnssync.core.sighting import Rcode
from dnssync.datagrams import connected
from dnssync.exim.ask import Exim
from dnssync.resolver import Resolver
from dnssync.wire import Server
from tests.bind import Bind
from tests.check.certificates import Ca, serving
from tests.check.servers import Smtp, network
from tests.check.signed import Sign, Validating, signed
from tests.check.world import NOW, World
from tests.knot import Knot
from tests.nameserver import Fault, FaultyServer
from tests.zonetext import host as told_host

ZONES = {
    "good.test": ("@ MX 10 mx\nmx A 192.0.2.1\n", Sign()),
    "ended.test": ("@ MX 10 mx\nmx A 192.0.2.1\n", Sign(ends=1_790_000_000)),
    "wrong.test": ("", Sign(wrong=True)),
    "nods.test": ("", Sign(ds=False)),
    "bare.test": ("", Sign(bare=True)),
    "plain.test": (
        "@ MX 10 mx\n@ MX 20 mx.good.test.\n@ MX 30 mx.other.test.\n@ MX 40 mx.foreign.test.\nmx A 192.0.2.1\n",
        None,
    ),
    "other.test": ("mx A 192.0.2.1\n", None),
    "foreign.test": ("mx A 192.0.2.1\n", Sign(ends=1_790_000_000)),
}
FOREIGN = (".", "other.test", "foreign.test")
Worlds = tuple[World, World, Validating]


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worlds]:
    """The same zones where the resolver validates, and where it does not."""
    folder = tmp_path_factory.mktemp("signed")
    texts, anchor = signed(ZONES)
    with World(folder, texts, foreign=FOREIGN) as world:
        port = world.bind.port
        with Validating(folder / "checks", port, anchor) as checks, Validating(folder / "not", port, "") as not_:
            validating = World(folder, texts, foreign=FOREIGN, nameservers=[world.bind.server], system=[checks.server])
            plain = World(folder, texts, foreign=FOREIGN, nameservers=[world.bind.server], system=[not_.server])
            yield validating, plain, checks


def one(world: World, check: str, subject: str) -> tuple[str, str]:
    """(severity, message) of the only finding."""
    [(severity, message)] = world.said(check, subject)
    return str(severity), message


def test_a_zone_that_is_signed(worlds: Worlds) -> None:
    """All is well with it, whether or not our resolver validates."""
    for world in worlds[:2]:
        assert world.severities("DNSSEC-01", "good.test") == ["ok"]


def test_a_zone_that_is_not_signed(worlds: Worlds) -> None:
    """Worth knowing, no more."""
    for world in worlds[:2]:
        assert one(world, "DNSSEC-01", "plain.test") == ("info", "plain.test is not signed with DNSSEC.")


def test_a_zone_that_is_signed_for_nobody(worlds: Worlds) -> None:
    """Signatures without a DS in the zone above are worth knowing."""
    for world in worlds[:2]:
        severity, message = one(world, "DNSSEC-01", "nods.test")
        assert severity == "info" and "no DS" in message


def test_signatures_that_have_ended(worlds: Worlds) -> None:
    """The authoritative servers show it, where our resolver does not validate too; one that does refuses the zone."""
    validating, plain, _ = worlds
    severity, message = one(plain, "DNSSEC-01", "ended.test")
    assert severity == "error" and "ended on 2026-09-21" in message and "ended.test SOA" in message
    told = validating.said("DNSSEC-01", "ended.test")
    assert {str(severity) for severity, _ in told} == {"error"}
    assert any("Resolvers that validate refuse all answers" in message for _, message in told)


def test_a_ds_of_another_key(worlds: Worlds) -> None:
    """The DS of a former key breaks the chain."""
    severity, message = one(worlds[1], "DNSSEC-01", "wrong.test")
    assert severity == "error" and "No DNSKEY of wrong.test" in message and "fits the DS" in message


def test_a_server_that_shows_no_signatures(worlds: Worlds) -> None:
    """A DNSKEY and a DS promise them."""
    severity, message = one(worlds[1], "DNSSEC-01", "bare.test")
    assert severity == "error" and "without signatures" in message


def test_a_server_without_authority(worlds: Worlds) -> None:
    """A resolver that was named as a server of the zone shows nothing of what the zone's servers have."""
    validating, plain, checks = worlds
    named = World(plain.folder, plain.zones, foreign=FOREIGN, nameservers=[checks.server], system=plain._system)
    severity, message = one(named, "DNSSEC-01", "good.test")
    assert severity == "unknown" and "answers without authority" in message
    assert validating.severities("DNSSEC-01", "good.test") == ["ok"]


class Moody(FaultyServer):
    """Answers with these in turn."""

    def __init__(self, folder: Path, *rcodes: Rcode) -> None:
        super().__init__(folder, {"example.org": ""})
        self.turn = iter(rcodes)

    def respond(self, query: dns.message.Message, tcp: bool) -> dns.message.Message | None:
        """The next one."""
        mood = next(self.turn)
        self.faults = {} if mood is Rcode.DATA else {"*": Fault(mood)}
        return super().respond(query, tcp)


def asked(folder: Path, *rcodes: Rcode) -> Validation | Failed:
    """What a resolver that answers with these in turn is taken to say."""
    with Moody(folder, *rcodes) as server:
        where = Server(server.address, server.port)
        which = Resolver(system=["192.0.2.53"], connect=lambda _: connected(where))
        wish = Validated("example.org", "SOA")
        sources = Sources(Config(Path("x"), {}, {}), which, Exim(("/nonexistent/exim",)))
        return fetch([wish], sources)[wish]


def test_a_resolver_that_fails_for_a_moment(tmp_path: Path) -> None:
    """Only what is refused twice, and given out unchecked in between, is refused for its signatures."""
    assert asked(tmp_path, Rcode.SERVFAIL, Rcode.DATA, Rcode.SERVFAIL) == Validation(secure=False, bogus=True)
    assert asked(tmp_path, Rcode.SERVFAIL, Rcode.DATA, Rcode.DATA) == Validation(secure=False, bogus=False)
    for failed in (
        asked(tmp_path, Rcode.SERVFAIL, Rcode.SERVFAIL),
        asked(tmp_path, Rcode.REFUSED),
        asked(tmp_path, Rcode.SERVFAIL, Rcode.DATA, Rcode.REFUSED),
    ):
        assert isinstance(failed, Failed) and failed.reason.startswith(
            "example.org SOA could not be looked up: 192.0.2.53 says"
        )


def test_a_mail_exchange(worlds: Worlds) -> None:
    """In a signed zone all is well, in another it is worth knowing, and in one that is broken no mail arrives."""
    validating = worlds[0]
    assert one(validating, "DNSSEC-02", "mx.good.test")[0] == "ok"
    assert one(validating, "DNSSEC-02", "mx.plain.test")[0] == "info"
    assert one(validating, "DNSSEC-02", "mx.other.test")[0] == "info"
    assert one(validating, "DNSSEC-02", "mx.foreign.test")[0] == "error"


def test_a_mail_exchange_without_a_validating_resolver(worlds: Worlds) -> None:
    """Of our own zones their servers tell; of others nothing is known, which DNSSEC-03 says once."""
    plain = worlds[1]
    assert one(plain, "DNSSEC-02", "mx.good.test")[0] == "ok"
    assert one(plain, "DNSSEC-02", "mx.plain.test")[0] == "info"
    assert plain.said("DNSSEC-02", "mx.other.test") == []
    have = {
        Validated("mx.good.test", "A"): Validation(False, False), Chain("good.test"): Failed("x"),
        Validated("", "SOA"): Failed("x"), Validated("org", "SOA"): Failed("x"),
    }  # fmt: skip
    lost = World(plain.folder, plain.zones, foreign=FOREIGN, nameservers=plain.servers, have=have)
    severity, message = one(lost, "DNSSEC-02", "mx.good.test")
    assert severity == "unknown" and "does not validate" in message


def test_the_resolver(worlds: Worlds) -> None:
    """One that validates, and one that does not."""
    validating, plain, _ = worlds
    assert validating.severities("DNSSEC-03") == ["ok"]
    severity, message = one(plain, "DNSSEC-03", "mx.example.org")
    assert severity == "info" and "does not validate" in message


def test_everybody_is_silent(tmp_path: Path) -> None:
    """Then nothing is known: neither good nor bad."""
    with World(tmp_path, {"example.org": "@ MX 10 mx\nmx A 192.0.2.1\n"}) as world:
        assert world.severities("DNSSEC-01") == ["info"]
        world.bind.stop()
        assert world.severities("DNSSEC-01") == ["unknown"]
        assert world.severities("DNSSEC-03") == ["unknown"]
        assert world.severities("DNSSEC-02") == []


KEY = "257 3 8 AwEAAag="
BROKEN = Signature("ns", "example.org", "SOA", NOW - 100, NOW - 1)
LASTS = Signature("ns", "example.org", "SOA", NOW - 100, NOW + 1)
LATER = Signature("ns", "example.org", "SOA", NOW + 1, NOW + 100)
DS = f"{Key.parse(KEY).tag} 8 9 00"  # a digest of the future


@pytest.mark.parametrize(
    ("links", "said"),
    [
        (Links((("ns", (KEY,)),), (DS,), (BROKEN,)), ["error"]),
        (Links((("ns", (KEY,)),), (DS,), (LASTS,)), ["ok"]),
        (Links((("ns", (KEY,)),), (DS,), (LATER,)), ["error"]),
        (Links((("ns", (KEY,)),), (DS,), (BROKEN, LASTS)), ["ok"]),
        (Links((("ns", (KEY,)),), (), (BROKEN,)), ["info"]),
        (Links((("ns", (KEY,)),), (DS,), (LASTS,), bare=("ns",)), ["error"]),
        (Links((("ns", ()),), (DS,)), ["error"]),
        (Links((("ns", ()),), ()), ["info"]),
        (Links((("ns", ("nonsense",)),), (DS,), (LASTS,)), ["error"]),
        (Links((("ns", (KEY,)),), None, (BROKEN,), problem="nobody answers"), ["unknown"]),
        (Links((), (), silent=("ns says timeout",)), ["unknown"]),
        (Links((("ns", (KEY,)),), (DS,), (LASTS,), silent=("nt says timeout",)), ["ok"]),
    ],
)  # fmt: skip
def test_what_the_servers_show(tmp_path: Path, links: Links, said: list[str]) -> None:
    """Each fault of the chain is one where a DS stands above, and none where it does not."""
    have = {Chain("example.org"): links, Validated("example.org", "SOA"): Validation(False, False)}
    assert World(tmp_path, {"example.org": ""}, have=have).severities("DNSSEC-01") == said


@pytest.mark.parametrize(
    ("told", "said"), [((True, False), ["ok"]), ((False, False), ["unknown"]), ((False, True), ["error"])]
)
def test_a_hidden_primary(tmp_path: Path, told: tuple[bool, bool], said: list[str]) -> None:
    """Named servers without a key, and a DS above: the zone may be signed on its way out. What others see, a resolver that validates tells."""
    links = Links((("ns", ()),), (DS,), named=True)
    have = {
        Chain("example.org"): links, Validated("example.org", "SOA"): Validation(*told), Validated("mx.example.org", "A"): Validation(*told),
        Validated("_25._tcp.mx.example.org", "TLSA"): Validation(*told), Validated("", "SOA"): Validation(told[0], False),
    }  # fmt: skip
    zone = f"@ MX 10 mx\nmx A 192.0.2.1\n_25._tcp.mx TLSA 3 1 1 {'00' * 32}\n"
    with World(tmp_path, {"example.org": zone}, have=have) as world:
        assert world.severities("DNSSEC-01") == said
        assert set(world.severities("DNSSEC-02")) == ({"ok", "error"} & {*said})
        assert set(world.severities("DANE-02")) == {"warning" if said == ["error"] else said[0]}


def test_a_hidden_primary_is_seen(worlds: Worlds, tmp_path: Path) -> None:
    """A server that the configuration names, with the zone as it is before it is signed; the DS stands above."""
    with Bind(tmp_path / "hidden", {"good.test": "@ MX 10 mx\nmx A 192.0.2.1\n"}) as hidden:
        for world, said in zip(worlds[:2], ("ok", "unknown"), strict=True):
            named = World(tmp_path, {"good.test": ""}, nameservers=[hidden.server], system=world._system)
            assert one(named, "DNSSEC-01", "good.test")[0] == said


def test_another_signer(tmp_path: Path) -> None:
    """What a real Knot signs is read as it means it: its key, and a DS made of that by dnspython, belong together."""
    with Knot(tmp_path / "knot", {"example.org": "@ MX 10 mx\n"}, extra="    dnssec-signing: on\n") as knot:
        world = World(tmp_path, {"example.org": ""}, nameservers=[knot.server], system=[knot.server])
        [(severity, message)] = world.said("DNSSEC-01")
        assert str(severity) == "info" and "signed, but the zone above it has no DS" in message
        sources = Sources(world.config(), world.resolver(), Exim(("/nonexistent/exim",)))
        links = fetch([Chain("example.org")], sources)[Chain("example.org")]
    [(_, texts)] = links.keys
    for text in texts:
        rdata = dns.rdata.from_text("IN", "DNSKEY", text)
        ds = dns.dnssec.make_ds(dns.name.from_text("example.org"), rdata, "SHA256").to_text()
        assert [other for other in texts if fits(ds, Key.parse(other), "example.org")] == [text]
    assert {"SOA", "DNSKEY", "MX"} <= {one.type for one in links.signatures}
    assert all(one.begins < time.time() < one.ends for one in links.signatures)


def test_what_the_resolver_validated_is_enough(tmp_path: Path) -> None:
    """Then it does not matter that the DS could not be looked at."""
    links = Links((("ns", (KEY,)),), None, (LASTS,), problem="nobody answers")
    for secure, said in ((True, ["ok"]), (False, ["unknown"])):
        have = {Chain("example.org"): links, Validated("example.org", "SOA"): Validation(secure, False)}
        assert World(tmp_path, {"example.org": ""}, have=have).severities("DNSSEC-01") == said


def test_ds_and_key() -> None:
    """The example of RFC 4034 §5.4, by its tag and digest, and what is none."""
    text = (
        "256 3 5 AQOeiiR0GOMYkDshWoSKz9XzfwJr1AYtsmx3TGkJaNXVbfi/2pHm822aJ5iI9BMzNXxeYCmZDRD99WYwYqUSdjMmmAphXdvx"
        "egXd/M5+X7OrzKBaMbCVdFLUUh6DhweJBjEVv5f2wwjM9XzcnOf+EPbtG9DMBmADjFDc2w/rljwvFw=="
    )
    key = Key.parse(text)
    assert key is not None and key.tag == 60485
    ds = "60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118"
    assert fits(ds, key, "dskey.example.com")
    assert not fits(ds, key, "other.example.com")
    assert not fits(ds.replace("60485", "60486"), key, "dskey.example.com")
    assert not fits(ds.replace(" 5 ", " 8 "), key, "dskey.example.com")
    assert Key.parse("257 3") is None and Key.parse("x 3 5 AQ==") is None and Key.parse("99999999 3 5 AQ==") is None
    assert span("SOA 13 1 3600 20260101000000 20250101000000 1 a. x") == ("SOA", 1735689600, 1767225600)
    assert span("SOA 13 1 3600 tomorrow today 1 a. x") is None


@pytest.fixture(scope="module")
def dane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, World]]:
    """Exchangers that show a certificate which no TLSA record names; the resolver validates, and does not."""
    folder = tmp_path_factory.mktemp("dane")
    astray = f"@ MX 10 mx\nmx A 192.0.2.1\n_25._tcp.mx TLSA 3 1 1 {'00' * 32}\n_25._tcp.mx TLSA 3 1 1 {'11' * 32}\n"
    zones = {
        "astray.test": (astray, Sign()),
        "open.test": (astray, None),
        "late.test": (astray, Sign(ends=1_790_000_000)),
        "none.test": ("@ MX 10 mx\nmx A 192.0.2.1\n", Sign()),
        "away.test": ("@ MX 10 mx.foreign.test.\n@ MX 20 mx.empty.test.\n", None),
        "foreign.test": (astray, Sign()),
        "empty.test": ("mx A 192.0.2.1\n", Sign()),
    }
    texts, anchor = signed(zones)
    foreign = (".", "foreign.test", "empty.test")
    files = Ca(folder / "ca").issue("mx.astray.test")
    with World(folder, texts, foreign=foreign) as world, Smtp("mx", serving(files)) as smtp:
        port = world.bind.port
        options = {
            "host": told_host(*world.domains, hostname="mx.astray.test", ip="192.0.2.1"), "nameservers": [world.bind.server],
            "foreign": foreign, "sources": {"connect": network({("192.0.2.1", 25): smtp.port}), "here": lambda _: True},
        }  # fmt: skip
        with Validating(folder / "checks", port, anchor) as checks, Validating(folder / "not", port, "") as not_:
            yield (
                World(folder, texts, system=[checks.server], **options),  # type: ignore[arg-type]
                World(folder, texts, system=[not_.server], **options),  # type: ignore[arg-type]
            )


def test_dane_does_not_hang_on_the_resolver(dane: tuple[World, World]) -> None:
    """A resolver that does not validate makes signed records no unsigned ones: the zones' own servers and their DS tell."""
    for world in dane:
        assert one(world, "DANE-02", "mx.astray.test")[0] == "ok"
        severity, message = one(world, "DANE-03", "mx.astray.test")
        assert severity == "error" and "do not deliver" in message and "Not yet" not in message
        assert set(world.severities("DANE-02", "mx.open.test")) == {"warning"}
        assert one(world, "DANE-03", "mx.open.test")[0] == "warning"
        assert one(world, "DANE-01", "mx.none.test")[0] == "info"
    assert any("bogus" in message for _, message in dane[1].said("DANE-02", "mx.late.test"))


def test_dane_in_a_zone_of_others(dane: tuple[World, World]) -> None:
    """There only a resolver that validates can tell; without one it is unknown whether the records count, and no more is made of it."""
    validating, plain = dane
    assert one(validating, "DANE-02", "mx.foreign.test")[0] == "ok"
    assert one(plain, "DANE-02", "mx.foreign.test")[0] == "unknown"
    assert one(validating, "DANE-01", "mx.empty.test")[0] == "info"
    assert plain.said("DANE-01", "mx.empty.test") == []


def test_a_ds_that_nobody_told(tmp_path: Path) -> None:
    """Where the resolver does not validate and the zone above is silent, it is not known whether TLSA records count."""
    none = Validation(False, False)
    have = {
        Chain("example.org"): Links((("ns", (KEY,)),), None, (LASTS,), problem="nobody answers"),
        Validated("mx.example.org", "A"): none, Validated("_25._tcp.mx.example.org", "TLSA"): none, Validated("", "SOA"): none,
        Validated("org", "SOA"): none,
    }  # fmt: skip
    zone = f"@ MX 10 mx\nmx A 192.0.2.1\n_25._tcp.mx TLSA 3 1 1 {'00' * 32}\n"
    with World(tmp_path, {"example.org": zone}, have=have) as world:
        severity, message = one(world, "DANE-02", "mx.example.org")
        assert severity == "unknown" and "does not validate" in message
