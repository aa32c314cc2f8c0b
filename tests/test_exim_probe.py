"""The effective-signer probe: what a real exim would sign with now, and why it would not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dnssync.core.host import MailDomain, Transport
from dnssync.exim import signing
from dnssync.exim.macros import render
from dnssync.exim.observe import observe
from dnssync.keystore import Keystore, public_half
from tests.exim_host import EximHost

pytestmark = pytest.mark.exim

NAIVE = "${lc:${domain:$h_from:}}"  # what many guides show
LOOKED_UP = "${lookup{${lc:${domain:$h_from:}}}lsearch,ret=key{/DIR/domains}}"


def domain(host: EximHost, name: str = "example.org") -> MailDomain:
    """What is observed of one domain of the host."""
    host.render()
    told = observe(host.exim(), [], lookup=lambda name, kind: (), source_address=lambda f: None, map_path=host.map)
    found = told.domain(name)
    assert found is not None
    return found


def transport(host: EximHost, name: str = "example.org") -> Transport:
    """The one transport that the domain's mail leaves through."""
    (found,) = domain(host, name).transports
    return found


def own(host: EximHost, **dkim: str) -> None:
    """Macros of the administrator's own, DKIM_ before each name."""
    text = (host.confdir / "conf.d/main/000_localmacros").read_text()
    lines = (f"DKIM_{name.upper()} = {value.replace('/DIR', str(host.folder))}\n" for name, value in dkim.items())
    host.head(text + "".join(lines))


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A private key of each kind, as the keystore writes them."""
    root = tmp_path_factory.mktemp("keys")
    keystore = Keystore(root)
    for algorithm in ("rsa2048", "ed25519"):
        keystore.generate("example.org", algorithm, algorithm)
    return {path.stem: path.read_bytes() for path in root.rglob("*.pem")}


def test_our_macros(pems: dict[str, bytes]) -> None:
    """Each line of the map as exim reads it: two signers, their public halves, the map recognised, x= told."""
    with EximHost(hostnames=("example.org", "example.net")) as host:
        host.map.write_text("example.org: r1 : e1\n")
        paths = [str(host.key("example.org", s, pems[a])) for s, a in (("r1", "rsa2048"), ("e1", "ed25519"))]
        host.macros(render(host.map, host.keys))
        found = transport(host)
        other = transport(host, "example.net")

    assert [(signer.domain, signer.selector, signer.algorithm) for signer in found.signers] == [
        ("example.org", "r1", "rsa2048"),
        ("example.org", "e1", "ed25519"),
    ]
    assert [public_half(pems[name])[1] for name in ("rsa2048", "ed25519")] == [s.public_key for s in found.signers]
    assert paths == [signer.path for signer in found.signers]
    assert found.uses_map and found.can_sign and found.expires == 604800 and not found.problem
    assert other.signers == () and not other.problem


def test_hand_made_set_up(pems: dict[str, bytes]) -> None:
    """An administrator's own selector and key are seen as they are; without DKIM_TIMESTAMPS there is no x=."""
    with EximHost() as host:
        (host.folder / "domains").write_text("example.org: x\n")
        host.key("any", "mail", pems["rsa2048"])
        own(host, domain=LOOKED_UP, selector="mail", private_key="/DIR/keys/any/mail.pem")
        found = transport(host)
        nothing = transport(host, "mx.example.org")

    (signer,) = found.signers
    assert (
        signer.selector, signer.algorithm, signer.problem, found.expires, found.uses_map,
    ) == ("mail", "rsa2048", "", None, False)  # fmt: skip
    assert nothing.signers == ()


@pytest.mark.parametrize("private_key", ["0", "false", "${if exists{/DIR/none}{/DIR/none}{0}}"])
def test_switched_off(private_key: str) -> None:
    """A key of `0` or `false` means that exim does not sign, and that is no fault."""
    with EximHost() as host:
        own(host, domain="example.org", selector="mail", private_key=private_key)
        found = transport(host)

    assert found.signers == () and not found.problem


def test_tainted_path(pems: dict[str, bytes]) -> None:
    """A key file named by the message is refused by exim since 4.94: such mail leaves unsigned, and the probe says so."""
    with EximHost() as host:
        host.key("example.org", "mail", pems["rsa2048"])
        own(host, domain=NAIVE, selector="mail", private_key="/DIR/keys/$dkim_domain/mail.pem")
        (signer,) = transport(host).signers
        (received,) = host.send(b"From: a@example.org\nSubject: x\n\nText.\n", sender="a@example.org")

    assert "tainted" in signer.problem
    assert b"DKIM-Signature" not in received.data  # exim's own word on it


def test_untainted_path(pems: dict[str, bytes]) -> None:
    """The same domain with a key file that does not depend on the message is a signer without a fault."""
    with EximHost() as host:
        host.key("example.org", "mail", pems["rsa2048"])
        own(host, domain=NAIVE, selector="mail", private_key="/DIR/keys/example.org/mail.pem")
        (signer,) = transport(host).signers

    assert signer.problem == ""


def test_key_that_cannot_be_used(pems: dict[str, bytes]) -> None:
    """Missing, closed to exim, in a closed folder, no key, too short: each with its file and a reason."""
    cases = {
        "missing": ("no such file", lambda path: path.unlink()),
        "closed": ("may not read", lambda path: _close(path)),
        "folder": ("may not enter", lambda path: _close(path.parent)),
        "nokey": ("key", lambda path: path.write_bytes(b"-----BEGIN PRIVATE KEY-----\nsecretsecret\n")),
    }
    with EximHost() as host:
        host.map.write_text("example.org: " + " : ".join(cases) + "\n")
        for name, (_, spoil) in cases.items():
            spoil(host.key("example.org", name, pems["rsa2048"]))
            if name == "folder":
                moved = host.keys / "example.org"
                moved.chmod(0o755)
        host.macros(render(host.map, host.keys))
        found = transport(host)
        _close(host.keys / "example.org")
        closed = transport(host)

    problems = {signer.selector: signer.problem for signer in found.signers}
    for name in ("missing", "nokey", *(("closed",) if os.geteuid() == 0 else ())):
        assert cases[name][0] in problems[name] and f"{name}.pem" in problems[name]
    assert "secretsecret" not in repr(found)
    if os.geteuid() == 0:
        assert all("may not enter" in signer.problem for signer in closed.signers)


def _close(path: Path) -> None:
    """Open to its owner alone: to root where the tests run as root, and exim runs as somebody else."""
    path.chmod(0o700 if path.is_dir() else 0o600)


def test_modes() -> None:
    """Owner, then group, then others: the first class that fits decides, as in the kernel."""
    with EximHost() as host:
        path = host.folder / "key"
        path.write_text("x")
        info = path.stat()
        stranger = info.st_uid + 4711
        path.chmod(0o640)
        assert signing.obstacle(path, stranger, info.st_gid) == ""
        assert "may not read" in signing.obstacle(path, stranger, info.st_gid + 4711)
        path.chmod(0o604)
        assert "may not read" in signing.obstacle(path, stranger, info.st_gid)
        assert signing.obstacle(path, stranger, info.st_gid + 4711) == ""
        assert signing.obstacle(path, 0, 0) == ""


@pytest.mark.parametrize("from_file", [True, False])
def test_key_inside_the_configuration_is_never_shown(pems: dict[str, bytes], from_file: bool) -> None:
    """A PEM text in place of a path works for exim; it is in nothing that can be printed."""
    pem = pems["ed25519"].decode()
    with EximHost() as host:
        (host.folder / "pem").write_text(pem)
        own(
            host,
            domain="example.org",
            selector="mail",
            private_key="${readfile{/DIR/pem}}" if from_file else pem.strip().replace("\n", r"\n"),
        )
        found = transport(host)

    (signer,) = found.signers
    assert (signer.algorithm, signer.problem) == ("ed25519", "")
    assert pem.splitlines()[1] not in repr(found)


def test_options_that_cannot_be_worked_out() -> None:
    """A look-up that fails is a problem of the transport: nothing is known, and nothing may be retired on it."""
    with EximHost() as host:
        host.macros(render(host.map, host.keys))
        found = transport(host)

    assert found.signers == () and str(host.map) in found.problem and "dkim_domain" in found.problem
