"""The try on a copy before macros go in: what would hold up or unsign mail is refused, and the rest is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from dnssync.errors import RefusedError
from dnssync.exim.install import install
from dnssync.exim.macros import render, transport_lines
from dnssync.keystore import Keystore
from tests.exim_host import EximHost

pytestmark = pytest.mark.exim

PLAIN = b"From: Ann <ann@example.org>\nTo: someone@dest.test\nSubject: hello\n\nText.\n"


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A private key."""
    root = tmp_path_factory.mktemp("keys")
    Keystore(root).generate("example.org", "s", "ed25519")
    return next(root.rglob("*.pem")).read_bytes()


def put(host: EximHost, sign: str = "ours") -> tuple[str, ...]:
    """Install into the host's own directory; the sentences that a person reads."""
    host.render()
    text = render(host.map, host.keys, sign=sign)
    return install(host.exim(), text, map_path=host.map, confdir=host.confdir).sentences


def own(host: EximHost, lines: str) -> None:
    """Lines of the administrator's own at the head of the configuration."""
    file = host.confdir / "conf.d/main/000_localmacros"
    host.head(file.read_text() + lines)


def test_a_map_whose_keys_exim_cannot_use(pem: bytes) -> None:
    """With DKIM_STRICT such mail would wait in the queue: refused before it does, and nothing is left behind."""
    with EximHost() as host:
        host.map.write_text("example.org: there : gone\n")
        host.key("example.org", "there", pem)
        with pytest.raises(RefusedError) as caught:
            put(host)
        assert "example.org (transport remote_smtp) would wait" in str(caught.value) and "gone.pem" in str(caught.value)
        assert not (host.confdir / "conf.d/main/zz_dnssync").exists()

        host.key("example.org", "gone", pem)
        assert "wrote the macros" in put(host)[0]


def test_what_signs_today_must_sign_then(pem: bytes) -> None:
    """A domain that is signed by hand and is not in the map is named; a map that was made for the try goes again."""
    with EximHost(hostnames=("example.org", "example.net")) as host:
        path = host.key("any", "mail", pem)
        own(host, f"DKIM_DOMAIN = example.org\nDKIM_SELECTOR = mail\nDKIM_PRIVATE_KEY = {path}\n")
        with pytest.raises(RefusedError, match=r"exim signs example.org .*, mx.example.org .* today .*dnssync apply"):
            put(host)
        assert not host.map.exists()


def test_a_signature_that_receivers_do_not_count(pem: bytes) -> None:
    """What one domain for all signs for others, unaligned, holds nothing up; who loses that signature is told."""
    with EximHost(hostname="mx.elsewhere.test", hostnames=("example.org", "example.net")) as host:
        path = host.key("example.org", "mail", pem)
        own(host, f"DKIM_DOMAIN = example.org\nDKIM_SELECTOR = mail\nDKIM_PRIVATE_KEY = {path}\n")
        host.map.write_text("example.org: mail\n")
        told = [sentence for sentence in put(host) if "alignment" in sentence]

    assert len(told) == 1 and "in the name of example.org today" in told[0]
    assert "mail of example.net (transport remote_smtp), mx.elsewhere.test (transport remote_smtp) is" in told[0]


def test_macros_of_the_administrator_give_way(pem: bytes) -> None:
    """What an earlier file defines is redefined; an identity that cannot fit every domain is taken out."""
    with EximHost() as host:
        path = host.key("any", "mail", pem)
        own(host, f"DKIM_DOMAIN = example.org\nDKIM_SELECTOR = mail\nDKIM_PRIVATE_KEY = {path}\nDKIM_STRICT = false\n")
        own(host, "DKIM_IDENTITY = @elsewhere.test\n")
        host.map.write_text("example.org: s1\nmx.example.org: s1\n")
        for domain in ("example.org", "mx.example.org"):
            host.key(domain, "s1", pem)
        put(host)
        host.render()
        block = host.exim().block("transport", "remote_smtp")
        (received,) = host.send(PLAIN, sender="ann@example.org")

    assert (block["dkim_strict"], block["dkim_identity"]) == ("true", "") and str(host.map) in block["dkim_selector"]
    assert b"s=s1" in received.data and b"i=" not in received.data.split(b"From:")[0]


def test_relay_hosts_by_name() -> None:
    """exim compares addresses alone in match_ip: a host that is listed by name is told to the administrator."""
    with EximHost(relay_nets="198.51.100.0/24 ; printer.example.org ; 2001:db8::/32") as host:
        told = put(host)
    with EximHost(relay_nets="198.51.100.0/24 ; 2001:db8::1") as host:
        fine = put(host)

    assert any("relay_from_hosts names printer.example.org:" in sentence for sentence in told)
    assert not any("relay_from_hosts" in sentence for sentence in fine)


def test_no_relay_list() -> None:
    """Without the list that the macros ask, mail from other hosts would wait for ever: refused; `all` does not need it."""
    with EximHost() as host:
        file = host.confdir / "conf.d/main/01_exim4-config_listmacrosdefs"
        file.write_text(file.read_text().replace("hostlist relay_from_hosts", "hostlist other_hosts"))
        acl = host.confdir / "conf.d/acl/30_exim4-config_check_rcpt"
        acl.write_text(acl.read_text().replace("+relay_from_hosts", "+other_hosts"))
        with pytest.raises(RefusedError, match="relay_from_hosts"):
            put(host)
        assert "wrote the macros" in put(host, sign="all")[0]


def test_transports_that_take_no_macros() -> None:
    """A configuration whose transports name no DKIM_* macro: refused, with the lines to add."""
    with EximHost() as host:
        for file in (host.confdir / "conf.d/transport").glob("30_*smtp*"):
            lines = [line for line in file.read_text().splitlines() if "DKIM_" not in line or line.startswith(".")]
            file.write_text("\n".join(lines) + "\n")
        with pytest.raises(RefusedError, match=r"(?s)reach no smtp transport.*dkim_domain = DKIM_DOMAIN"):
            put(host)


def test_a_configuration_that_exim_does_not_take() -> None:
    """exim's own words, and nothing written."""
    with EximHost() as host:
        host.render()
        (host.confdir / "conf.d/main/50_broken").write_text("nonsense = 1\n")
        with pytest.raises(RefusedError, match='main option "nonsense" unknown'):
            install(host.exim(), render(host.map, host.keys), map_path=host.map, confdir=host.confdir)
        assert not (host.confdir / "conf.d/main/zz_dnssync").exists()


def test_a_map_that_exim_cannot_read(pem: bytes) -> None:
    """A map in a folder that is closed to exim would leave all mail unsigned, or waiting."""
    with EximHost() as host:
        closed = host.folder / "closed"
        closed.mkdir(mode=0o700)
        host.render()
        text = render(closed / "selectors", host.keys)
        if host.uid == closed.stat().st_uid:
            closed.chmod(0o600)
            with pytest.raises(Exception, match="closed"):
                install(host.exim(), text, map_path=closed / "selectors", confdir=host.confdir)
            closed.chmod(0o700)
        else:
            with pytest.raises(RefusedError, match=r"may not enter the folder .*closed"):
                install(host.exim(), text, map_path=closed / "selectors", confdir=host.confdir)
        assert not (closed / "selectors").exists()


@pytest.mark.parametrize("strict", [True, False])
def test_strict(pem: bytes, strict: bool) -> None:
    """A message whose key has gone waits and is signed once the key is back (strict), or leaves unsigned at once."""
    with EximHost() as host:
        host.map.write_text("example.org: s1\n")
        host.macros(render(host.map, host.keys, strict=strict))
        host.render()
        at_once = host.send(PLAIN, sender="ann@example.org")
        host.key("example.org", "s1", pem)
        later = host.retry()

    assert [len(at_once), len(later)] == [0, 1] if strict else [len(at_once), len(later)] == [1, 0]
    assert (b"DKIM-Signature" in (*at_once, *later)[0].data) is strict


def test_the_key_of_the_moment_of_sending(pem: bytes) -> None:
    """What waits in the queue is signed with the selector that the map names when it leaves, without a reload."""
    with EximHost() as host:
        host.map.write_text("example.org: old\n")
        host.macros(render(host.map, host.keys))
        host.render()
        assert host.send(PLAIN, sender="ann@example.org") == ()
        host.map.write_text("example.org: new\n")
        host.key("example.org", "new", pem)
        (received,) = host.retry()

    assert b"s=new" in received.data


@pytest.mark.parametrize("split", [True, False])
def test_satellite_with_both_names_in_the_map(pem: bytes, split: bool) -> None:
    """Where the transport rewrites From:, the visible domain signs, also if the map holds the hidden name."""
    with EximHost(
        configtype="satellite", hostname="host.inside.test", hostnames=("host.inside.test",), readhost="example.org",
        hide=True, split=split,
    ) as host:  # fmt: skip
        host.map.write_text("host.inside.test: s1\nexample.org: s1\n")
        for domain in ("host.inside.test", "example.org"):
            host.key(domain, "s1", pem)
        file = host.confdir / ("conf.d/main/zz_dnssync" if split else "exim4.conf.localmacros")
        before = file.read_text() if file.exists() else ""
        file.write_text(before + render(host.map, host.keys))
        host.edit("remote_smtp_smarthost", transport_lines())
        host.render()
        (received,) = host.send(b"From: a@host.inside.test\nSubject: x\n\nText.\n", sender="a@host.inside.test")

    assert b"From: a@example.org" in received.data and b"d=example.org" in received.data


@pytest.mark.parametrize(
    "path", ["relative/map", "/with space/map", "/with$dollar/map", "/with}brace/map", "/with:colon"]
)
def test_paths_that_exim_would_misread(path: str) -> None:
    """A path goes into exim's configuration as text, so it may hold plain characters alone."""
    with pytest.raises(ValueError, match="plain characters"):
        render(Path(path), Path("/keys"))
