"""TLS-01 … TLS-05: a real exim where it can be made to do it, else small real servers, one for each fault; all in one world."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnssync.check.finding import Finding
from dnssync.core.host import Host
from tests.check.certificates import Ca, serving
from tests.check.servers import Smtp, network
from tests.check.world import World
from tests.exim_host import EximHost, needs_exim
from tests.zonetext import host as told_host

CASES = ("good", "plain", "deaf", "broken", "old", "both", "expired", "soon", "early", "named", "wild", "own", "untrusted", "bare", "sha1", "short", "strict", "fit", "brief")  # fmt: skip


def mx(case: str) -> str:
    return f"mx.{case}.test"


def server(ca: Ca, other: Ca, case: str) -> Smtp:
    """The server of a case."""
    name = mx(case)
    certificates = {
        "expired": lambda: ca.issue(name, days=(-90, -1)),
        "soon": lambda: ca.issue(name, days=(-80, 5)),
        "brief": lambda: ca.issue(name, days=(-2, 4)),
        "early": lambda: ca.issue(name, days=(1, 90)),
        "named": lambda: ca.issue("other.test"),
        "strict": lambda: ca.issue("other.test"),
        "wild": lambda: ca.issue(f"*.{case}.test"),
        "own": lambda: ca.issue(name, self_signed=True),
        "untrusted": lambda: other.issue(name),
        "bare": lambda: other.issue(name, chain=False),
        "sha1": lambda: ca.old_fashioned(name),
        "short": lambda: ca.issue(name, bits=1024),
        "fit": lambda: ca.issue(name, bits=2048),
    }
    versions = {"old": ("TLSv1", "TLSv1_1"), "both": ("TLSv1", "TLSv1_3")}
    lowest, highest = versions.get(case, ("TLSv1_2", "TLSv1_3"))
    if case in ("plain", "deaf"):
        return Smtp(name, deaf=case == "deaf")
    context = serving(certificates.get(case, lambda: ca.issue(name))(), lowest=lowest, highest=highest)
    if case == "broken":
        context.set_ciphers("aNULL:@SECLEVEL=0")  # nothing that a client would take
        context.maximum_version = context.minimum_version
    return Smtp(name, context)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Each case is a domain with an exchanger of its own, all of them names of this host."""
    folder = tmp_path_factory.mktemp("tls")
    ca, other = Ca(folder / "ca"), Ca(folder / "other", "Somebody else's Root")
    zones = {f"{case}.test": f"@ MX 10 mx\nmx A 192.0.2.{at}\n" for at, case in enumerate(CASES, 1)}
    zones["good.test"] += '@ CAA 0 issue "letsencrypt.org"\n'
    zones["wild.test"] += '@ CAA 0 issue ";"\n'
    zones["own.test"] += '@ CAA 0 issue ";"\nmx CAA 0 issue "ca.example; account=1"\n'
    zones["named.test"] += '@ CAA 0 iodef "mailto:a@named.test"\n'
    zones["strict.test"] += '_mta-sts TXT "v=STSv1; id=1;"\n'
    zones["test"] = ""
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(server(ca, other, case)) for case in CASES]
        routes = {(f"192.0.2.{at}", 25): one.port for at, one in enumerate(servers, 1)}
        yield stack.enter_context(World(
            folder, zones, host=told(), foreign=["test"], facts={"now": int(time.time())},
            sources={"connect": network(routes), "here": lambda _: True, "trust": {"cafile": ca.cafile}},
        ))  # fmt: skip


def told() -> Host:
    return told_host(
        *(f"{case}.test" for case in CASES), hostname="mx.good.test", helo=tuple(map(mx, CASES)), ip="198.51.100.9"
    )


@pytest.fixture(scope="module")
def said(world: World) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """(id, case) → what was said."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for finding in world.findings("TLS-01", "TLS-02", "TLS-03", "TLS-04", "TLS-05"):
        case = finding.subject.split(".")[1]
        found.setdefault((finding.id, case), []).append((str(finding.severity), finding.message))
    return found


@pytest.mark.parametrize(
    ("id", "case", "severity", "words"),
    [
        ("TLS-01", "good", "ok", ""),
        ("TLS-01", "plain", "warning", "does not offer STARTTLS at 192.0.2.2"),
        ("TLS-01", "deaf", "warning", "but answers 454"),
        ("TLS-01", "broken", "warning", "but then fails: the TLS handshake failed"),
        ("TLS-02", "good", "ok", ""),
        ("TLS-02", "old", "warning", "is TLSv1.1"),
        ("TLS-02", "both", "warning", "takes TLS 1.0 or 1.1"),
        ("TLS-02", "plain", "unknown", "showed no certificate, see TLS-01"),
        ("TLS-03", "good", "ok", ""),
        ("TLS-03", "expired", "warning", "expired on"),
        ("TLS-03", "soon", "warning", "has not been renewed"),
        ("TLS-03", "brief", "ok", ""),  # it lives for six days
        ("TLS-03", "early", "warning", "not valid before"),
        ("TLS-03", "named", "info", "made out to other.test, not to mx.named.test"),
        ("TLS-03", "strict", "warning", "strict.test has MTA-STS"),
        ("TLS-03", "wild", "ok", ""),
        ("TLS-03", "own", "info", "signed by itself alone"),
        ("TLS-03", "untrusted", "info", "is not trusted: self"),
        ("TLS-03", "bare", "info", "is not trusted: unable to get local issuer certificate"),
        ("TLS-04", "good", "ok", ""),
        ("TLS-04", "sha1", "warning", "signed with SHA1"),
        ("TLS-04", "short", "warning", "weak key: RSA, 1024 bits"),
        ("TLS-04", "fit", "ok", ""),
        ("TLS-05", "good", "ok", ""),
        ("TLS-05", "plain", "warning", "No CAA record says who may issue certificates for mx.plain.test"),
        ("TLS-05", "wild", "warning", "The CAA records at wild.test let no CA issue"),
        ("TLS-05", "own", "ok", ""),
        ("TLS-05", "named", "warning", "The CAA records at named.test name no CA"),
    ],
)  # fmt: skip
def test_each_fault(said, id: str, case: str, severity: str, words: str) -> None:
    """Each fault is told as bad as it is, once; what is next to it and right is well."""
    [(found, message)] = said[id, case]
    assert found == severity, message
    assert words in message


def test_where_to_publish(world: World) -> None:
    """The remedy names the zone's apex, where one record serves all names below."""
    finding = next(f for f in world.findings("TLS-05") if f.subject == mx("plain"))
    assert 'plain.test. IN CAA 0 issue "letsencrypt.org"' in finding.remedy


@needs_exim
def test_a_real_exim_with_a_certificate(tmp_path: Path) -> None:
    """exim as Debian ships it, with a certificate of a trusted CA, passes all but for old TLS, which GnuTLS takes: the advice stops that."""
    ca = Ca(tmp_path / "ca")
    files = ca.issue("mx.example.org")

    def judged(extra: str) -> dict[str, Finding]:
        with EximHost(extra=extra) as mta:
            for file, name in zip(files, ("exim.crt", "exim.key"), strict=True):
                (mta.confdir / name).write_bytes(file.read_bytes())
            mta.render()
            with mta.listening() as port, World(
                tmp_path / "w", {"example.org": "@ MX 10 mx\nmx A 192.0.2.1\n"}, facts={"now": int(time.time())},
                sources={"connect": network({("192.0.2.1", 25): port}), "here": lambda _: True, "trust": {"cafile": ca.cafile}},
            ) as w:  # fmt: skip
                return {f.id: f for f in w.findings("TLS-01", "TLS-02", "TLS-03", "TLS-04")}

    shown = "MAIN_TLS_ENABLE = yes\nMAIN_TLS_CERTIFICATE = CONFDIR/exim.crt\nMAIN_TLS_PRIVATEKEY = CONFDIR/exim.key\n"
    found = judged(shown)
    assert {id: str(f.severity) for id, f in found.items()} == {
        "TLS-01": "ok",
        "TLS-02": "warning",
        "TLS-03": "ok",
        "TLS-04": "ok",
    }
    advice = found["TLS-02"].remedy.split("`")[1]
    assert judged(shown + advice + "\n")["TLS-02"].severity == "ok"
    assert judged("")["TLS-03"].severity == "info"  # the one that exim makes for itself
    assert judged("tls_advertise_hosts =\n")["TLS-01"].severity == "warning"


def test_nobody_is_trusted_here(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any CA on this host, who signed is not known, and no fault of the server's."""
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent")
    monkeypatch.setenv("SSL_CERT_DIR", "/nonexistent")
    world._more["trust"], before = {}, world._more["trust"]
    try:
        [finding] = [f for f in world.findings("TLS-03") if f.subject == mx("good")]
    finally:
        world._more["trust"] = before
    assert finding.severity == "unknown" and "trusts no CA" in finding.message
