"""MX-07: what a real exim says on port 25, and to strangers' mail."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from dnssync.check.facts import Failed
from dnssync.check.gather import Sources
from dnssync.check.gather_taken import fetch
from dnssync.check.gather_talk import WORKERS
from dnssync.check.talking import Reply, Taken
from dnssync.exim.ask import Exim
from tests.check.servers import Smtp, network
from tests.check.world import World
from tests.exim_host import EximHost, needs_exim
from tests.zonetext import host as told_host

ZONE = "@ MX 10 mx\nmx A 192.0.2.1\n"


def world(
    tmp_path: Path, port: int | type[OSError], exim: Exim | None = None, here: bool = True, **more: object
) -> World:
    """example.org with its MX at the port; 192.0.2.1 is on an interface where `here`."""
    routes = {("192.0.2.1", 25): port, **more.pop("routes", {})}  # type: ignore[dict-item]
    return World(tmp_path, {"example.org": ZONE}, exim=exim,
                 sources={"connect": network(routes), "here": lambda address: here}, **more)  # fmt: skip


@needs_exim
def test_debians_exim_is_well(tmp_path: Path) -> None:
    """A real exim with Debian's own configuration: reached, named rightly, no open relay, roles taken."""
    with EximHost() as mta:
        mta.render()
        with mta.listening() as port, world(tmp_path, port, mta.exim()) as w:
            [finding] = w.findings("MX-07")
            assert (finding.severity, finding.subject) == ("ok", "mx.example.org")
            assert "RCPT" not in mta.log()  # nothing was asked of it over the wire


@needs_exim
def test_an_open_relay(tmp_path: Path) -> None:
    """One word of dc_relay_nets apart: strangers' mail to strangers is taken."""
    with EximHost(relay_nets="192.0.2.0/24") as mta:
        mta.render()
        with mta.listening() as port, world(tmp_path, port, mta.exim()) as w:
            [(severity, message)] = w.said("MX-07")
            assert severity == "warning" and "open relay" in message


@needs_exim
def test_refused_roles(tmp_path: Path) -> None:
    """abuse@ has no alias: told, with what exim said; postmaster@, which has one, is not."""
    with EximHost() as mta:
        mta.edit("system_aliases", "  condition = ${if !eq{$local_part}{abuse}}")
        mta.render()
        with mta.listening() as port, world(tmp_path, port, mta.exim()) as w:
            [finding] = w.findings("MX-07")
            assert finding.severity == "warning"
            assert "abuse@example.org (550" in finding.message and "postmaster@" not in finding.message
            assert "`abuse: root`" in finding.remedy


@needs_exim
def test_another_name_in_the_banner(tmp_path: Path) -> None:
    """A banner with another name than the host's; the answer to EHLO is right and is not told."""
    with EximHost(extra="smtp_banner = mail.invalid ESMTP\n") as mta:
        mta.render()
        with mta.listening() as port, world(tmp_path, port, mta.exim()) as w:
            [(severity, message)] = w.said("MX-07")
            assert severity == "warning" and "banner" in message and "'mail.invalid', not mx.example.org" in message


def relays(w: World) -> list[tuple[str, str]]:
    """What MX-07 says, the questions to exim apart, which is not there."""
    return [(str(severity), text) for severity, text in w.said("MX-07") if "exim" not in text]


def test_nobody_listens(tmp_path: Path) -> None:
    """A refused connection to an address of our own interface is a warning; one that cannot be reached from inside is unknown."""
    with world(tmp_path / "a", ConnectionRefusedError) as w:
        [(severity, message)] = relays(w)
        assert severity == "warning" and "Nothing takes mail for mx.example.org at 192.0.2.1" in message
        [(severity, message)] = w.said("TLS-01")
        assert severity == "unknown" and message.startswith(
            "Port 25 of mx.example.org could not be reached from here (192.0.2.1: "
        )
    with world(tmp_path / "b", TimeoutError, here=False) as w:
        [(severity, message)] = relays(w)
        assert severity == "unknown" and "no answer within 10 seconds" in message


def test_behind_nat_loopback_stands_for_it(tmp_path: Path) -> None:
    """The public address is on no interface and out of reach: loopback is asked, and what it says wrong is told."""
    with Smtp("other.example.org") as server, world(
        tmp_path, TimeoutError, here=False, routes={("127.0.0.1", 25): server.port}
    ) as w:  # fmt: skip
        said = relays(w)
        assert [severity for severity, _ in said] == ["info", "warning", "warning"]
        assert "127.0.0.1 answers in its place" in said[0][1]
        assert w.severities("TLS-01") == ["warning"]  # judged by what loopback offers


@pytest.mark.parametrize("refusal", ["banner", "EHLO"])
def test_a_server_that_turns_us_away(tmp_path: Path, refusal: str) -> None:
    """Too busy just now, or choosy about how it is greeted: others may fare otherwise, so it is not known."""
    banner = "421 too many connections" if refusal == "banner" else ""
    with Smtp("mx.example.org", banner=banner, choosy=refusal == "EHLO") as server, world(tmp_path, server.port) as w:
        [(severity, message)] = relays(w)
        assert severity == "unknown" and "Others may fare otherwise" in message
        assert w.severities("TLS-01") == ["unknown"]


@pytest.mark.parametrize("error", [TimeoutError, ConnectionRefusedError])
def test_who_does_not_answer_is_not_waited_for_again(tmp_path: Path, error: type[OSError]) -> None:
    """Thirty names of one address: one time-out, or as many as are under way at once; a refusal costs nothing."""
    names = [f"d{number}.test" for number in range(30)]
    zones = dict.fromkeys(names, "@ MX 10 mail\nmail A 192.0.2.1\n") | {"example.org": ZONE}
    tried: list[str] = []

    def connect(address: str, port: int, timeout: float) -> socket.socket:
        tried.append(address)
        raise error

    with World(tmp_path, zones, sources={"connect": connect, "here": lambda _: True}) as w:
        assert len([text for _, text in relays(w) if "Nothing takes mail" in text]) == 31
    assert len(tried) <= WORKERS if error is TimeoutError else len(tried) == 31


@pytest.mark.parametrize("banner", ["554 no service", "* OK IMAP4 ready", "220-" + "x" * 600_000])
def test_no_mail_server(tmp_path: Path, banner: str) -> None:
    """What greets otherwise than a mail server, or without end, takes no mail."""
    with Smtp("mx.example.org", banner=banner) as server, world(tmp_path, server.port) as w:
        assert [severity for severity, _ in relays(w)] == ["warning"]


def test_a_foreign_exchanger_is_not_talked_to(tmp_path: Path) -> None:
    """A backup MX of somebody else's is no subject, and nobody connects to it."""
    zones = {
        "example.org": "@ MX 10 mx\n@ MX 20 backup.example.net.\nmx A 192.0.2.1\n",
        "example.net": "backup A 192.0.2.9\n",
    }
    with Smtp("mx.example.org") as server, Smtp("backup.example.net") as other, World(
        tmp_path, zones, foreign=["example.net"],
        sources={"connect": network({("192.0.2.1", 25): server.port, ("192.0.2.9", 25): other.port}), "here": lambda _: True},
    ) as w:  # fmt: skip
        assert {f.subject for f in w.findings("MX-07", "TLS-01")} == {"mx.example.org"}
        assert server.seen and not other.seen


def test_an_exchanger_of_our_address_is_ours(tmp_path: Path) -> None:
    """Another name for this host's own address is talked to, and may be greeted by the host's full name."""
    zones = {"example.org": "@ MX 10 mail\nmail A 192.0.2.1\nmx A 192.0.2.1\n"}
    with Smtp("mx.example.org") as server, World(
        tmp_path, zones, host=told_host("example.org", hostname="mx.example.org"),
        sources={"connect": network({("192.0.2.1", 25): server.port}), "here": lambda _: True},
    ) as w:  # fmt: skip
        assert {f.subject for f in w.findings("MX-07")} == {"mail.example.org"}
        assert relays(w) == [] or all(severity == "unknown" for severity, _ in relays(w))


def test_silent_name_servers(tmp_path: Path) -> None:
    """Where nobody says who the exchanger is, nothing is known, and nothing is said to be well."""
    with world(tmp_path, ConnectionRefusedError) as w:
        w.bind.stop()
        for id in ("MX-07", "TLS-01", "TLS-02", "TLS-03", "TLS-04", "TLS-05"):
            assert w.severities(id) and set(w.severities(id)) == {"unknown"}, id


@pytest.mark.parametrize("known", [True, False])
def test_perhaps_no_exchanger(tmp_path: Path, known: bool) -> None:
    """A host that no MX names takes no mail and is not looked at; where one domain's MX could not be looked up, it is unknown, and no fault."""
    zones = {"example.org": "@ MX 10 mx.relay.test.\nmx A 192.0.2.1\n", "relay.test": "mx A 198.51.100.9\n"}
    domains = ("example.org",) if known else ("example.org", "lost.test")  # BIND refuses what is none of its zones
    host = told_host(*domains, hostname="mx.example.org")
    sources = {"connect": network({("192.0.2.1", 25): ConnectionRefusedError}), "here": lambda _: True}
    with World(tmp_path, zones, domains=domains, foreign=("relay.test",), host=host, sources=sources) as w:
        for id in ("MX-07", "TLS-01", "TLS-05", "DANE-01"):
            assert set(w.severities(id)) == (set() if known else {"unknown"}), (id, w.said(id))


@needs_exim
def test_a_recipient_is_no_command(tmp_path: Path) -> None:
    """What would end the command or its path is not given to exim; the others beside it are asked about."""
    wishes = [Taken("postmaster@example.org"), Taken("a@b>\r\nRCPT TO:<postmaster@example.org"), Taken("é@example.org")]
    with EximHost() as mta:
        mta.render()
        with world(tmp_path, ConnectionRefusedError, mta.exim()) as w:
            found = fetch(wishes, Sources(w.config(), w.resolver(), mta.exim()))
    assert [type(found[wish]) for wish in wishes] == [Reply, Failed, Failed]


def test_many_names_of_one_host(tmp_path: Path) -> None:
    """A name for each customer: fifty are talked to, the host's own first, and the rest is told."""
    names = [f"d{number}.test" for number in range(60)]
    zones = dict.fromkeys(names, "@ MX 10 mail\nmail A 192.0.2.1\n") | {"example.org": ZONE}
    with Smtp("mx.example.org") as server, World(
        tmp_path, zones, sources={"connect": network({("192.0.2.1", 25): server.port}), "here": lambda _: True}
    ) as w:  # fmt: skip
        subjects = [f.subject for f in w.findings("TLS-01")]
        assert len(subjects) == 50 and subjects[0] == "mx.example.org"
        assert [text for _, text in relays(w) if "11 more names" in text]


def test_a_server_that_lets_wait(tmp_path: Path) -> None:
    """A connection that is taken, and a greeting that does not come in time: somebody is there, so it is not known."""

    class Waiting(socket.socket):
        def recv(self, *_: object) -> bytes:
            raise TimeoutError

    with socket.create_server(("127.0.0.1", 0)) as server:

        def connect(address: str, port: int, timeout: float) -> socket.socket:
            sock = Waiting()
            sock.connect(server.getsockname())
            return sock

        with World(tmp_path, {"example.org": ZONE}, sources={"connect": connect, "here": lambda _: True}) as w:
            [(severity, message)] = relays(w)
            assert severity == "unknown" and "no answer within" in message


def test_starttls_that_lets_wait(tmp_path: Path) -> None:
    """It is offered, and the answer does not come in time: whether it works is not known."""

    class Waiting(socket.socket):
        told = b""

        def sendall(self, data: bytes, *flags: int) -> None:  # type: ignore[override]
            self.told = data
            super().sendall(data, *flags)

        def recv(self, *how: int) -> bytes:
            if self.told.startswith(b"STARTTLS"):
                raise TimeoutError
            return super().recv(*how)

    with Smtp("mx.example.org", deaf=True) as server:

        def connect(address: str, port: int, timeout: float) -> socket.socket:
            sock = Waiting()
            sock.connect(("127.0.0.1", server.port))
            return sock

        with World(tmp_path, {"example.org": ZONE}, sources={"connect": connect, "here": lambda _: True}) as w:
            [(severity, message)] = w.said("TLS-01")
            assert (
                str(severity) == "unknown" and "it is offered, and then fails: no answer within 10 seconds" in message
            )
