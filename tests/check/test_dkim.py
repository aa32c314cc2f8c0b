"""What exim signs with, and the key records of that: a real exim, real keys, and records on a real name server."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnssync.check.dkim_keys import ed25519_fault, raw_ed25519, rsa_bits
from dnssync.check.finding import Finding
from dnssync.keystore import Keystore
from tests.check.dkim_site import Site, by_subject
from tests.exim_host import needs_exim

pytestmark = [needs_exim, pytest.mark.exim]
Found = dict[tuple[str, str], list[Finding]]

IDS = ("DKIM-01", "DKIM-02", "DKIM-03", "DKIM-04", "DKIM-05", "DKIM-07")
CASES = ("good", "nomap", "closed", "absent", "two", "broken", "other", "kind", "service", "below", "short", "tiny", "long", "sha1", "both", "alone",
         "spki", "trial", "revoked", "quoted", "escaped", "identity", "loose", "nokey", "stranger", "bare", "noted")  # fmt: skip


def spki(bits: int) -> str:
    """p= of an RSA key of so many bits, as far as its form goes."""
    number = (1 << (bits - 1) | 1).to_bytes(bits // 8 + 1)

    def element(tag: int, content: bytes) -> bytes:
        size = len(content)
        length = bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2)
        return bytes([tag]) + length + content

    key = element(0x30, element(2, number) + element(2, b"\x01\x00\x01"))
    return base64.b64encode(
        element(0x30, bytes.fromhex("300d06092a864886f70d0101010500") + element(3, b"\0" + key))
    ).decode()


def bare(p: str) -> str:
    """The same key as RSAPublicKey, without what says that it is an RSA key."""
    der = base64.b64decode(p)
    return base64.b64encode(
        der[der.index(b"\x03\x82") + 5 :] if b"\x03\x82" in der else der[der.index(b"\x03\x81") + 4 :]
    ).decode()


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Found]:
    """The findings over all cases, each a domain `CASE.test`."""
    domains = tuple(f"{case}.test" for case in CASES)
    identity = "  dkim_identity = ${if match_domain{$dkim_domain}{identity.test:loose.test}{@news.$dkim_domain}{@$dkim_domain}}"
    with Site(tmp_path_factory.mktemp("dkim"), domains, edits={"remote_smtp": identity}) as site:
        for case in CASES:
            if case not in ("nomap", "alone", "both", "spki", "stranger"):
                site.line(f"{case}.test", s1="rsa1024" if case == "short" else "rsa2048")
        site.line("both.test", s1="rsa2048", e1="ed25519")
        site.line("alone.test", e1="ed25519")
        site.line("spki.test", s1="rsa2048", e1="ed25519")
        site.line("stranger.test", s1="rsa2048", e1="ed25519")
        (site.exim_host.keys / "closed.test/s1.pem").chmod(0)
        (site.exim_host.keys / "nokey.test/s1.pem").unlink()
        good = site.text("good.test", "s1")
        site.records("absent.test", s1=[])
        site.records("two.test", s1=[site.text("two.test", "s1"), good])
        site.records("broken.test", s1="v=DKIM1; k=rsa; p=not a key!")
        site.records("other.test", s1=good)
        site.records("stranger.test", e1=site.text("both.test", "e1"))
        site.records("bare.test", s1=f"v=DKIM1; p={bare(site.text('bare.test', 's1').rpartition('p=')[2])}")
        site.records("noted.test", s1=site.text("noted.test", "s1").replace("; p=", '; n=the "new" key; p='))
        site.records("kind.test", s1=site.text("kind.test", "s1").replace("k=rsa", "k=ed25519"))
        site.records("service.test", s1=site.text("service.test", "s1").replace("; p=", "; s=tlsrpt; p="))
        site.records("tiny.test", s1=f"v=DKIM1; p={spki(512)}")
        site.records("long.test", s1=f"v=DKIM1; p={spki(8192)}")
        site.records("sha1.test", s1=site.text("sha1.test", "s1").replace("; p=", "; h=sha1; p="))
        raw = base64.b64decode(site.text("spki.test", "e1").rpartition("p=")[2])
        whole = base64.b64encode(bytes.fromhex("302a300506032b6570032100") + raw).decode()
        site.records("spki.test", e1=f"v=DKIM1; k=ed25519; p={whole}")
        site.records("trial.test", s1=site.text("trial.test", "s1").replace("; p=", "; t=y; p="))
        site.records("revoked.test", s1="v=DKIM1; p=")
        site.records("quoted.test", s1=f'"{site.text("quoted.test", "s1")}"')
        site.records("escaped.test", s1=site.text("escaped.test", "s1").replace(";", "\\;"))
        site.records("identity.test", s1=site.text("identity.test", "s1").replace("; p=", "; t=s; p="))
        site.records("below.test", s1=site.text("below.test", "s1").replace("; p=", "; t=s; p="))
        yield site.findings(*IDS)


def said(found: Found, id: str, case: str) -> list[tuple[str, str, str]]:
    """(severity, message, remedy) of one check about one case."""
    return [(str(f.severity), f.message, f.remedy) for f in found.get((id, f"{case}.test"), [])]


@pytest.mark.parametrize("id", IDS)
@pytest.mark.parametrize("case", ["good", "both", "bare", "noted"])
def test_all_is_well(found: Found, id: str, case: str) -> None:
    """A domain whose exim signs with keys that stand in DNS gets no word but ok from any of the checks."""
    assert [severity for severity, _, _ in said(found, id, case)] == ["ok"], said(found, id, case)


# (id, case, severity, words of the message, words of the remedy); the nearest world without it is good.test, or the one in brackets
TABLE = [
    ("DKIM-01", "nomap", "error", "signs nothing of nomap.test", "dnssync plan"),
    ("DKIM-01", "closed", "error", "may not read the file", "chmod 0640"),
    ("DKIM-01", "nokey", "error", "there is no such file", ""),
    ("DKIM-02", "absent", "error", "no record at s1._domainkey.absent.test", "s1._domainkey.absent.test. IN TXT"),
    ("DKIM-02", "two", "error", "2 TXT records", ""),
    ("DKIM-02", "broken", "error", "is no key record", "IN TXT"),
    ("DKIM-02", "other", "error", "holds another key", "IN TXT"),
    ("DKIM-02", "stranger", "error", "e1._domainkey.stranger.test holds another key", "k=ed25519"),  # (both)
    ("DKIM-02", "kind", "error", "says k=ed25519, but the key is rsa", "k=rsa"),
    ("DKIM-02", "service", "error", "is not for mail: s=tlsrpt", ""),
    ("DKIM-03", "absent", "warning", "_domainkey.absent.test does not exist (NXDOMAIN)", ""),
    ("DKIM-04", "tiny", "error", "has 512 bits", "dnssync rotate tiny.test"),
    ("DKIM-04", "short", "warning", "has 1024 bits", "dnssync rotate short.test"),
    ("DKIM-04", "long", "warning", "has 8192 bits", ""),
    ("DKIM-04", "sha1", "error", "says h=sha1", "h=sha1"),
    ("DKIM-04", "alone", "warning", "with Ed25519 alone", "rsa2048"),  # (both)
    ("DKIM-04", "spki", "error", "is a SubjectPublicKeyInfo", "k=ed25519"),  # (both)
    ("DKIM-05", "trial", "warning", "says t=y", "t=y"),
    ("DKIM-05", "revoked", "error", "withdrawn (empty p=)", "IN TXT"),
    ("DKIM-05", "quoted", "error", "Quotes or backslashes", "without any quotes"),
    ("DKIM-05", "escaped", "error", "Quotes or backslashes", "without any quotes"),
    ("DKIM-05", "identity", "error", "says t=s, but exim signs with an i= of news.identity.test", "t=s"),  # (loose, below)
    ("DKIM-07", "nomap", "error", "without a signature", "See DKIM-01"),
    ("DKIM-07", "closed", "error", "waits in exim's queue (dkim_strict)", "exim's user"),
    ("DKIM-07", "absent", "error", "there is no record at s1._domainkey.absent.test", "DKIM-02"),
    ("DKIM-07", "other", "error", "does not match the message", "DKIM-02"),
    ("DKIM-07", "revoked", "error", "does not verify", "DKIM-02"),
]  # fmt: skip


@pytest.mark.parametrize(("id", "case", "severity", "message", "remedy"), TABLE)
def test_what_is_wrong_is_told(found: Found, id: str, case: str, severity: str, message: str, remedy: str) -> None:
    """One record or key apart from a domain where all is well, and the check says so, as bad as it is, with its remedy."""
    hits = [one for one in said(found, id, case) if one[0] == severity and message in one[1] and remedy in one[2]]
    assert len(hits) == 1, said(found, id, case)
    assert all(len(one[1]) < 900 for one in hits)


@pytest.mark.parametrize("case", ["below", "loose"])
def test_strictness_alone_is_fine(found: Found, case: str) -> None:
    """t=s without an i= of a sub-domain is no fault, and neither is such an i= without t=s."""
    assert [severity for severity, _, _ in said(found, "DKIM-05", case)] == ["ok"]


def test_a_short_key_still_verifies(found: Found) -> None:
    """Verifiers have to take 1024 bits (RFC 8301): its messages are well, and DKIM-04 alone tells of the key."""
    assert [severity for severity, _, _ in said(found, "DKIM-07", "short")] == ["ok"]


def test_a_domain_that_signs_nothing(found: Found) -> None:
    """About keys that nobody signs with nothing is said."""
    assert not any(said(found, id, "nomap") for id in ("DKIM-02", "DKIM-03", "DKIM-04", "DKIM-05"))


def test_no_key_in_a_message(found: Found) -> None:
    """No private key gets into what is said."""
    assert not any("BEGIN" in f"{f.message}{f.remedy}" for some in found.values() for f in some)


def test_exims_own_log_line(found: Found) -> None:
    """Where a key cannot be opened, the finding has exim's words for it, with the file."""
    [(_, message, _)] = said(found, "DKIM-07", "closed")
    assert "unable to open file for reading" in message and "closed.test/s1.pem" in message and "@" not in message


def test_what_nobody_answers_is_unknown(tmp_path: Path) -> None:
    """With a silent name server there is no finding but unknown, and what exim alone says is still told."""
    with Site(tmp_path, ("a.test", "b.test")) as site:
        site.line("a.test", s1="rsa2048")
        site.switch()
        with site.world() as world:
            world.bind.stop()
            got = by_subject(world.findings(*IDS))
    for id in IDS[1:]:
        assert {str(f.severity) for f in got[id, "a.test"]} == {"unknown"}, got[id, "a.test"]
    assert [str(f.severity) for f in got["DKIM-01", "a.test"]] == ["ok"]
    assert [str(f.severity) for f in got["DKIM-07", "b.test"]] == ["error"]


def test_one_of_two_servers_lags(tmp_path: Path) -> None:
    """What one server shows wrong is an error though the other one is right, and it is named."""
    with Site(tmp_path / "one", ("a.test",)) as site:
        site.line("a.test", s1="rsa2048")
        site.switch()
        with site.world() as world:
            from tests.check.world import World

            with World(tmp_path / "two", {"a.test": ""}) as old:
                world._named = (world.bind.server, old.bind.server)
                got = by_subject(world.findings("DKIM-02", "DKIM-03"))
                [one] = got["DKIM-02", "a.test"]
                assert str(one.severity) == "error" and f"That is what {old.bind.server} says" in one.message
                [two] = got["DKIM-03", "a.test"]
                assert str(two.severity) == "warning" and two.message.startswith(f"{old.bind.server} says")
                old.bind.stop()
                got = by_subject(world.findings("DKIM-02"))
                assert [str(f.severity) for f in got["DKIM-02", "a.test"]] == ["unknown"]


def test_a_smarthosts_transport(tmp_path: Path) -> None:
    """Debian's smarthost transport has no DKIM options: told, with what to add; with them, all is well."""
    from dnssync.exim.macros import transport_lines

    for edits, wanted in (({}, "error"), ({"remote_smtp_smarthost": transport_lines()}, "ok")):
        with Site(tmp_path / wanted, ("a.test",), configtype="smarthost", edits=edits) as site:
            site.line("a.test", s1="rsa2048")
            got = site.findings("DKIM-01", "DKIM-07")
            assert {str(f.severity) for f in got["DKIM-01", "a.test"]} == {wanted}
            # without options there is nothing to try, and it is said once
            assert [str(f.severity) for f in got.get(("DKIM-07", "a.test"), [])] == (["ok"] if wanted == "ok" else [])
            if wanted == "error":
                assert "remote_smtp_smarthost, which has no DKIM options" in got["DKIM-01", "a.test"][0].message


@pytest.mark.parametrize("algorithm", ["rsa1024", "rsa2048", "rsa3072"])
def test_the_length_of_real_keys(tmp_path: Path, algorithm: str) -> None:
    """The length read from p= is that of the key, as SubjectPublicKeyInfo and as the bare RSAPublicKey."""
    _, p = Keystore(tmp_path).generate("a.test", "s", algorithm)
    assert rsa_bits(p) == int(algorithm.removeprefix("rsa"))
    assert rsa_bits(bare(p)) == rsa_bits(p)


@pytest.mark.parametrize("cut", [*range(0, 60, 7), 200, 293])
def test_a_cut_key_has_no_length(cut: int) -> None:
    """Half a key, an empty one and one of other octets are none, and nothing breaks."""
    whole = base64.b64decode(spki(2048))
    assert len(whole) == 294 and rsa_bits(base64.b64encode(whole[:cut]).decode()) is None
    assert rsa_bits(base64.b64encode(b"\x30" + whole[cut + 2 :]).decode()) is None
    assert ed25519_fault(base64.b64encode(whole[:cut]).decode()) and raw_ed25519("x") == "x"
