"""DANE-01 … DANE-05 against a real server with a certificate of its own CA; what validation came to is told."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dnssync.check.dane import parsed
from dnssync.check.dnssec import Validated, Validation
from dnssync.check.facts import Failed
from dnssync.core.sighting import Question, Rcode
from tests.check.certificates import Ca, serving
from tests.check.servers import Smtp, network
from tests.check.world import World
from tests.zonetext import host as told_host

SECURE, INSECURE, BOGUS = Validation(True, False), Validation(False, False), Validation(False, True)
OTHER = "00" * 32


class Shown:
    """A certificate for mx.CASE.test and what TLSA records say of it and of its CA."""

    def __init__(self, ca: Ca, files: tuple[Path, Path]) -> None:
        own, root = x509.load_pem_x509_certificates(files[0].read_bytes())
        assert root == ca.certificate
        self.der, self.root = own.public_bytes(Encoding.DER), root.public_bytes(Encoding.DER)
        self.spki = own.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def records(self) -> dict[str, str]:
        """Each case's zone text at its exchanger."""
        key, whole, root = (hashlib.sha256(one).hexdigest() for one in (self.spki, self.der, self.root))
        tlsa = {
            "none": [], "unsigned": [], "unasked": [],
            "good": [f"3 1 1 {key}", f"3 1 1 {OTHER}"],
            "alone": [f"3 1 1 {key}"],
            "astray": [f"3 1 1 {OTHER}", f"2 0 1 {OTHER}"],
            "insecure": [f"3 1 1 {OTHER}", f"2 0 1 {OTHER}"],
            "bogus": [f"3 1 1 {key}", f"3 1 1 {OTHER}"],
            "whole": [f"3 0 1 {whole}", f"3 0 2 {hashlib.sha512(self.der).hexdigest()}"],
            "sha512": [f"3 1 2 {hashlib.sha512(self.spki).hexdigest()}"],
            "full": [f"3 0 0 {self.der.hex()}", f"3 1 0 {self.spki.hex()}"],
            "ca": [f"2 0 1 {root}"],
            "misnamed": [f"2 0 1 {root}"],
            "misnamedleaf": [f"2 1 1 {key}"],
            "eeca": [f"3 0 1 {root}"],
            "late": [f"2 0 1 {root}"],
            "latekey": [f"3 1 1 {key}", f"3 1 1 {OTHER}"],
            "pkix": [f"1 1 1 {key}", f"3 1 1 {key}", f"3 1 1 {OTHER}"],
            "onlypkix": [f"0 0 1 {root}"],
            "cut": [f"3 2 1 {key}", f"3 1 1 {key}", f"3 1 1 {OTHER}"],
        }  # fmt: skip
        return {case: "".join(f"_25._tcp.mx TLSA {text}\n" for text in texts) for case, texts in tlsa.items()}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A domain and exchanger for each case; one server shows the same certificate for all, two show another."""
    folder = tmp_path_factory.mktemp("dane")
    ca = Ca(folder / "ca")
    key = ca.issue("*.none.test")
    cases = Shown(ca, key).records()
    names = [f"mx.{case}.test" for case in cases]
    files = ca.issue(*(name for name in names if "misnamed" not in name), key=key[1])
    late = ca.issue(*names, days=(-9, -1), key=key[1])
    cases = Shown(ca, files).records()
    zones = {
        f"{case}.test": f"@ MX 10 mx\nmx A 192.0.2.{1 + case.startswith('late')}\n{text}"
        for case, text in cases.items()
    }
    have = {
        Validated(name, kind): BOGUS if "bogus" in case and "_" in name else SECURE if case not in ("unsigned", "insecure") else INSECURE
        for case in cases if case != "unasked"
        for name, kind in ((f"mx.{case}.test", "A"), (f"_25._tcp.mx.{case}.test", "TLSA"))
    }  # fmt: skip
    have[Validated("mx.unasked.test", "A")] = Failed("the resolver does not validate")  # type: ignore[assignment]
    with Smtp("mx", serving(files)) as one, Smtp("mx", serving(late)) as two, World(
        folder, zones, have=have, facts={"now": int(time.time())},
        host=told_host(*zones, hostname=names[0], helo=tuple(names), ip="198.51.100.9"),
        sources={"connect": network({("192.0.2.1", 25): one.port, ("192.0.2.2", 25): two.port}), "here": lambda _: True},
    ) as w:  # fmt: skip
        w.shown = hashlib.sha256(Shown(ca, files).spki).hexdigest()  # type: ignore[attr-defined]
        yield w


@pytest.fixture(scope="module")
def said(world: World) -> Mapping[tuple[str, str], list[tuple[str, str, str]]]:
    """(id, case) → what was said."""
    found: dict[tuple[str, str], list[tuple[str, str, str]]] = {}
    for f in world.findings("DANE-01", "DANE-02", "DANE-03", "DANE-04", "DANE-05"):
        found.setdefault((f.id, f.subject.split(".")[1]), []).append((str(f.severity), f.message, f.remedy))
    return found


@pytest.mark.parametrize(
    ("id", "case", "severity", "words"),
    [
        ("DANE-01", "good", "ok", ""),
        ("DANE-01", "none", "info", "has no TLSA record, though its zone is signed"),
        ("DANE-01", "unsigned", "", ""),
        ("DANE-01", "unasked", "unknown", "does not validate"),
        ("DANE-02", "none", "", ""),
        ("DANE-02", "good", "ok", ""),
        ("DANE-02", "insecure", "warning", "is not signed"),
        ("DANE-02", "bogus", "warning", "_25._tcp.mx.bogus.test TLSA does not validate (bogus)"),
        ("DANE-03", "none", "", ""),
        ("DANE-03", "good", "ok", ""),
        ("DANE-03", "whole", "ok", ""),
        ("DANE-03", "full", "ok", ""),
        ("DANE-03", "sha512", "ok", ""),
        ("DANE-03", "ca", "ok", ""),
        ("DANE-03", "astray", "error", "matches the certificate that mx.astray.test shows at 192.0.2.1"),
        ("DANE-03", "insecure", "warning", "(Not yet: the records are not signed.)"),
        ("DANE-03", "misnamed", "error", "not to mx.misnamed.test"),
        ("DANE-03", "misnamedleaf", "error", "not to mx.misnamedleaf.test"),
        ("DANE-03", "eeca", "error", "matches the certificate"),
        ("DANE-03", "late", "error", "outside its time"),
        ("DANE-03", "latekey", "ok", ""),
        ("DANE-03", "onlypkix", "", ""),
        ("DANE-04", "none", "", ""),
        ("DANE-04", "good", "ok", ""),
        ("DANE-04", "pkix", "warning", "has usage 1, which SMTP does not use"),
        ("DANE-04", "onlypkix", "warning", "has usage 0"),
        ("DANE-04", "cut", "warning", "can match no certificate"),
        ("DANE-05", "none", "", ""),
        ("DANE-05", "alone", "warning", "Only one TLSA record"),
        ("DANE-05", "good", "ok", ""),
        ("DANE-05", "ca", "ok", ""),
    ],
)  # fmt: skip
def test_each_fault(said, id: str, case: str, severity: str, words: str) -> None:
    """Each fault is told as bad as it is; what is next to it and right is well; where there is nothing to ask, nothing is said."""
    found = said.get((id, case), [])
    if "insecure" not in case or id != "DANE-02":
        assert len(found) == bool(severity), found
    assert all(one[0] == severity for one in found)
    assert not found or words in found[0][1]


def test_the_remedy_is_the_record(world: World, said) -> None:
    """What to publish is the whole line, for the key that is shown."""
    line = f"mx.none.test. IN TLSA 3 1 1 {world.shown}"  # type: ignore[attr-defined]
    assert said["DANE-01", "none"][0][2] == f"Publish: _25._tcp.{line}"
    assert said["DANE-03", "astray"][0][2].endswith(f"Else: Publish: _25._tcp.{line.replace('none', 'astray')}")


@pytest.mark.parametrize(
    ("text", "usable"),
    [
        (f"3 1 1 {'ab' * 32}", True), (f"2 0 2 {'AB' * 28} {'ab' * 36}", True), ("3 0 0 30 82", True), (f"3 1 2 {'ab' * 32}", False),
        (f"3 1 1 {'ab' * 31}", False), ("3 1 0", False), (f"3 1 3 {'ab' * 32}", False), (f"4 1 1 {'ab' * 32}", False), ("3", False),
        ("", False), ("x y z ab", False),
    ],
)  # fmt: skip
def test_what_can_match(text: str, usable: bool) -> None:
    """Only known fields, and data as long as its kind says."""
    assert parsed(text).usable is usable


def test_a_silent_server(tmp_path: Path) -> None:
    """No answer about TLSA is not "no TLSA"."""
    with World(tmp_path, {"example.org": "@ MX 10 mx\nmx A 192.0.2.1\n"}) as w:
        w.bind.stop()
        for id in ("DANE-01", "DANE-02", "DANE-03", "DANE-04", "DANE-05"):
            assert set(w.severities(id)) == {"unknown"}, id


def spki(certificate: x509.Certificate) -> str:
    """The digest of its key, as TLSA has it."""
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(key).hexdigest()


@pytest.fixture(scope="module")
def between(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[tuple[str, str], list[tuple[str, str]]]]:
    """(id, case) → what is said of chains with an intermediate CA, and of TLSA records that name a CA."""
    folder = tmp_path_factory.mktemp("between")
    root = Ca(folder / "root")
    under, stray = root.below("R12"), Ca(folder / "stray", "Nobody's")
    r12, top = f"2 1 1 {spki(under.certificate)}", f"2 1 1 {spki(root.certificate)}"
    whole = root.certificate.public_bytes(Encoding.DER).hex()
    # What is sent behind the host's own certificate, and the records.
    cases = {
        "lone": ([under], [r12]),
        "two": ([under], [r12, f"2 1 1 {OTHER}"]),
        "rooted": ([under, root], [top]),
        "disorder": ([stray, root, under], [top]),
        "short": ([], [r12]),
        "beside": ([under, stray], [f"2 1 1 {spki(stray.certificate)}"]),
        "notsent": ([under], [top]),
        "whole": ([under], [f"2 0 0 {whole}"]),
        "wholesent": ([under, root], [f"2 0 0 {whole}"]),
    }  # fmt: skip
    zones, routes = {}, {}
    with contextlib.ExitStack() as stack:
        for at, (case, (sent, records)) in enumerate(cases.items(), 1):
            own, key = under.issue(f"mx.{case}.test", chain=False)
            own.write_bytes(own.read_bytes() + b"".join(Ca.pem(ca.certificate) for ca in sent))
            routes[f"192.0.2.{at}", 25] = stack.enter_context(Smtp("mx", serving((own, key)))).port
            told = "".join(f"_25._tcp.mx TLSA {text}\n" for text in records)
            zones[f"{case}.test"] = f"@ MX 10 mx\nmx A 192.0.2.{at}\n{told}"
        have = {
            Validated(name, kind): SECURE
            for case in cases for name, kind in ((f"mx.{case}.test", "A"), (f"_25._tcp.mx.{case}.test", "TLSA"))
        }  # fmt: skip
        names = tuple(f"mx.{case}.test" for case in cases)
        world = stack.enter_context(World(
            folder / "zones", zones, have=have, facts={"now": int(time.time())},
            host=told_host(*zones, hostname=names[0], helo=names, ip="198.51.100.9"),
            sources={"connect": network(routes), "here": lambda _: True},
        ))  # fmt: skip
        found: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for f in world.findings("DANE-03", "DANE-05"):
            found.setdefault((f.id, f.subject.split(".")[1]), []).append((str(f.severity), f"{f.message} {f.remedy}"))
        yield found


@pytest.mark.parametrize(
    ("id", "case", "severity", "words"),
    [
        ("DANE-03", "lone", "ok", ""),
        ("DANE-03", "rooted", "ok", ""),
        ("DANE-03", "disorder", "ok", ""),
        ("DANE-03", "short", "error", "Have exim send the CA's certificate, too"),
        ("DANE-03", "beside", "error", "matches the certificate"),
        ("DANE-03", "notsent", "error", "Have exim send the CA's certificate, too"),
        ("DANE-03", "whole", "unknown", "is not looked at"),
        ("DANE-03", "wholesent", "ok", ""),
        ("DANE-05", "lone", "info", "names the intermediate CA 'R12'"),
        ("DANE-05", "two", "ok", ""),
        ("DANE-05", "rooted", "ok", ""),
        ("DANE-05", "short", "ok", ""),
    ],
)  # fmt: skip
def test_records_of_a_ca(between, id: str, case: str, severity: str, words: str) -> None:
    """A CA has to be sent along, in any order; a lone intermediate one of a public CA is no promise for the next certificate."""
    [(said, text)] = between[id, case]
    assert said == severity and words in text


def test_nothing_is_published_twice(said) -> None:
    """Where a record does its work, only the useless one beside it is to go."""
    assert [remedy for _, _, remedy in said["DANE-04", "pkix"]] == ["Take it away."]
    assert "IN TLSA 3 1 1 " in said["DANE-04", "onlypkix"][0][2]


@pytest.mark.parametrize(
    ("octets", "severity"), [("030101" + "ab" * 32, "ok"), ("030101" + "ab" * 31, "warning"), ("03010100", "warning")]
)
def test_data_of_the_wrong_length(tmp_path: Path, octets: str, severity: str) -> None:
    """A digest that lost an octet on its way into the zone is told as a record that matches nothing, and holds up no other look-up."""
    tlsa = f"_25._tcp.mx TYPE52 \\# {len(octets) // 2} {octets}\n"
    zones = {"example.org": "@ MX 10 mx.host.test.\n", "host.test": "mx A 192.0.2.1\n" + tlsa}
    host = told_host("example.org", hostname="mx.host.test")
    with World(tmp_path, zones, foreign=["host.test"], host=host) as w:
        [finding] = w.findings("DANE-04")
        told = "The TLSA record 3 1 1 ab" in finding.message or "The TLSA record 3 1 1 00" in finding.message
        assert (str(finding.severity), told) == (severity, severity != "ok"), finding.message
        answer = w.resolver().look([Question("_25._tcp.mx.host.test", "TLSA")])
        assert all(reply.rcode is Rcode.DATA for one in answer.values() for reply in one.replies)
