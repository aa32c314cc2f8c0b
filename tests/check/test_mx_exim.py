"""MX, reverse DNS and the greeting as a real exim has them: Debian's set-ups, with what they say asked of the binary itself."""

from __future__ import annotations

import pytest

from dnssync.check.address import Attached, Interfaces
from dnssync.core.host import Host
from dnssync.exim.observe import observe
from tests.check.world import World
from tests.exim_host import EximHost, needs_exim

pytestmark = needs_exim

ZONES = {
    "example.org": "@ MX 10 mx\nmx A 192.0.2.1\ntwo A 192.0.2.2\nother A 198.51.100.7\n",
    "relayed.test": "@ MX 10 other.example.org.\n",
    "away.test": "@ MX 10 other.example.org.\n",
    "2.0.192.in-addr.arpa": "1 PTR mx.example.org.\n2 PTR two.example.org.\n",
}
IDS = ("MX-01", "MX-06", "A-01", "PTR-01", "PTR-03", "HELO-01")


def told(exim: EximHost, world: World, source: str) -> Host:
    """What this exim tells, where the kernel would send from that address."""
    exim.render()
    return observe(
        exim.exim(),
        ("example.org", "relayed.test", "away.test"),
        lookup=lambda name, kind: world.resolver().texts(name, kind),
        source_address=lambda family: source if family == 4 else None,
        passing_addresses=frozenset,
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory):
    """The zones; exim's own name is not one of the domains."""
    with World(tmp_path_factory.mktemp("e"), ZONES) as running:
        yield running


def found(world: World, host: Host, *attached: str) -> dict[tuple[str, str], str]:
    """The severity of each finding, by id and subject."""
    world.host = host
    world._have = {Interfaces(): Attached(attached)}
    return {(f.id, f.subject): str(f.severity) for f in world.findings(*IDS)}


def test_an_internet_host(world: World) -> None:
    """A local domain has its MX here, one that exim only relays for need not; each other thing is well."""
    with EximHost(hostnames=("example.org", "away.test"), relay_domains="relayed.test") as exim:
        got = found(world, told(exim, world, "192.0.2.1"), "192.0.2.1")
    assert got[("MX-01", "example.org")] == "ok" and got[("MX-01", "away.test")] == "error"
    assert not {("MX-01", "relayed.test"), ("MX-06", "relayed.test")} & set(got)
    assert got[("PTR-01", "192.0.2.1")] == got[("PTR-03", "192.0.2.1")] == "ok"
    assert got[("HELO-01", "mx.example.org")] == got[("A-01", "mx.example.org")] == "ok"


def test_behind_nat(world: World) -> None:
    """The public address is what the full name has, and no interface need show it."""
    with EximHost(hostnames=("example.org", "away.test")) as exim:
        got = found(world, told(exim, world, "10.0.0.2"), "127.0.0.1", "10.0.0.2")
    assert got[("MX-01", "example.org")] == got[("A-01", "mx.example.org")] == got[("PTR-01", "192.0.2.1")] == "ok"
    assert got[("MX-01", "away.test")] == "error"


def test_a_satellite(world: World) -> None:
    """It is nobody's MX, no receiver sees its address, and nobody outside hears its greeting."""
    with EximHost(configtype="satellite", hostnames=("mx.example.org",), readhost="example.org") as exim:
        got = found(world, told(exim, world, "10.0.0.2"), "127.0.0.1", "10.0.0.2")
    assert not [key for key in got if key[0] in ("MX-01", "PTR-01", "HELO-01")]


@pytest.mark.parametrize(
    ("greeting", "severity"), [("mx.example.org", "ok"), ("two.example.org", "error"), ("mailhost", "error")]
)
def test_a_greeting_of_its_own(world: World, greeting: str, severity: str) -> None:
    """What the transport says in EHLO counts, and not what the host is called."""
    with EximHost(extra=f"REMOTE_SMTP_HELO_DATA = {greeting}") as exim:
        got = found(world, told(exim, world, "192.0.2.1"), "192.0.2.1")
    assert [severity] == [s for (id, _), s in got.items() if id == "HELO-01"]
