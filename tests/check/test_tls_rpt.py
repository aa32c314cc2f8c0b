"""TLSRPT-01 and TLSRPT-02: each case a domain of one world; a real exim says which of its own addresses it takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dnssync.check.facts import Failed
from dnssync.check.talking import Reply, Taken
from dnssync.check.tls_rpt import targets
from tests.check.world import World
from tests.exim_host import EximHost, needs_exim
from tests.zonetext import host as told_host

RECORDS = {
    "none": "", "nullmx": "@ MX 0 .\n",
    "good": "v=TLSRPTv1; rua=mailto:postmaster@good.test",
    "refused": "v=TLSRPTv1; rua=mailto:nobody@refused.test,mailto:postmaster@refused.test",
    "later": "v=TLSRPTv1; rua=mailto:later@later.test",
    "unasked": "v=TLSRPTv1; rua=mailto:unasked@unasked.test",
    "https": "v=TLSRPTv1;rua=https://reports.elsewhere.test/v1",
    "outside": "v=TLSRPTv1; rua=mailto:a%2Bb@takes.elsewhere.test",
    "aonly": "v=TLSRPTv1; rua=mailto:a@host.elsewhere.test",
    "gone": "v=TLSRPTv1; rua=mailto:a@gone.elsewhere.test",
    "shut": "v=TLSRPTv1; rua=mailto:a@shut.elsewhere.test",
    "odd": "v=TLSRPTv1; rua=mailto:a%0d%0ab@odd.test",
    "norua": "v=TLSRPTv1;", "noscheme": "v=TLSRPTv1; rua=postmaster@noscheme.test",
    "stray": "v=TLSRPTv2; rua=mailto:postmaster@stray.test",
}  # fmt: skip
ELSEWHERE = "takes MX 5 host\nhost A 192.0.2.9\nshut MX 0 .\n"


def zone(case: str, text: str) -> str:
    mx = "" if "MX" in text else "@ MX 10 mx\nmx A 192.0.2.200\n"
    return mx + (text if "MX" in text else f'_smtp._tls TXT "{text}"\n' if text else "")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The domains, one with two records, and the host's own name with and without TLSA."""
    zones = {f"{case}.test": zone(case, text) for case, text in RECORDS.items()}
    zones["two.test"] = zone("two", RECORDS["good"]) + f'_smtp._tls TXT "{RECORDS["https"]}"\n'
    zones["dane.test"] = "@ MX 10 mx\nmx A 192.0.2.201\n_25._tcp.mx TLSA 3 1 1 " + "00" * 32 + "\n"
    zones["danetold.test"] = zones["dane.test"] + '_smtp._tls.mx TXT "v=TLSRPTv1; rua=mailto:a@gone.elsewhere.test"\n'
    have = {
        Taken("postmaster@good.test"): Reply(250), Taken("postmaster@refused.test"): Reply(250),
        Taken("nobody@refused.test"): Reply(550, "Unrouteable address"), Taken("later@later.test"): Reply(451, "later"),
        Taken("unasked@unasked.test"): Failed("exim said nothing"),
    }  # fmt: skip
    names = ("mx.good.test", "mx.dane.test", "mx.danetold.test")
    with World(
        tmp_path_factory.mktemp("rpt"), {**zones, "elsewhere.test": ELSEWHERE}, foreign=["elsewhere.test"], have=have,
        host=told_host(*zones, hostname=names[0], helo=names, ip="198.51.100.9"),
    ) as w:  # fmt: skip
        yield w


@pytest.fixture(scope="module")
def said(world: World) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """(id, subject) → what was said."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for f in world.findings("TLSRPT-01", "TLSRPT-02"):
        found.setdefault((f.id, f.subject.removesuffix(".test")), []).append((str(f.severity), f.message))
    return found


@pytest.mark.parametrize(
    ("id", "case", "severity", "words"),
    [
        ("TLSRPT-01", "good", "ok", ""),
        ("TLSRPT-01", "https", "ok", ""),
        ("TLSRPT-01", "none", "info", "Nobody is told when TLS to the mail servers of none.test fails"),
        ("TLSRPT-01", "nullmx", "", ""),
        ("TLSRPT-01", "two", "warning", "2 TLSRPT records stand at _smtp._tls.two.test"),
        ("TLSRPT-01", "norua", "warning", "is not valid: 'v=TLSRPTv1;'"),
        ("TLSRPT-01", "noscheme", "warning", "is not valid"),
        ("TLSRPT-01", "stray", "warning", "is no TLSRPT record"),
        ("TLSRPT-02", "none", "", ""),
        ("TLSRPT-02", "two", "", ""),
        ("TLSRPT-02", "good", "ok", ""),
        ("TLSRPT-02", "https", "ok", ""),
        ("TLSRPT-02", "refused", "warning", "exim refuses mail for nobody@refused.test"),
        ("TLSRPT-02", "later", "unknown", "451 later"),
        ("TLSRPT-02", "unasked", "unknown", "exim said nothing"),
        ("TLSRPT-02", "outside", "ok", ""),
        ("TLSRPT-02", "aonly", "ok", ""),
        ("TLSRPT-02", "gone", "warning", "gone.elsewhere.test has no mail server"),
        ("TLSRPT-02", "shut", "warning", "takes no mail (null MX)"),
        ("TLSRPT-02", "odd", "warning", "is no mail address"),
        ("TLSRPT-02", "mx.good", "", ""),
        ("TLSRPT-02", "mx.dane", "info", "has TLSA records, and nobody is told"),
        ("TLSRPT-02", "mx.danetold", "warning", "gone.elsewhere.test has no mail server"),
    ],
)  # fmt: skip
def test_each_fault(said, id: str, case: str, severity: str, words: str) -> None:
    """Each fault is told once, as bad as it is; what is next to it and right is well; where there is nothing to ask, nothing is said."""
    found = said.get((id, case), [])
    assert len(found) == bool(severity), found
    assert all(one[0] == severity and words in one[1] for one in found), found


@pytest.mark.parametrize(
    ("text", "uris"),
    [
        ("v=TLSRPTv1; rua=mailto:a@b.c", ("mailto:a@b.c",)),
        ("v=TLSRPTv1;rua=mailto:a@b.c , https://b.c/x;", ("mailto:a@b.c", "https://b.c/x")),
        ("v=TLSRPTv1; ext=1; rua=MAILTO:a@b.c", ("MAILTO:a@b.c",)),
        ("v=TLSRPTv1; rua=mailto:a@b.c; rua=mailto:a@b.c", None),
        ("v=TLSRPTv1; rua=mailto:a@b.c!10m", None), ("v=TLSRPTv1; rua=http://b.c/", None), ("v=TLSRPTv1; rua=", None),
        ("v=TLSRPTv1; rua=mailto:a@b.c,", None), ("v=TLSRPTv1; rua=mailto:a@b.c; what", None),
    ],
)  # fmt: skip
def test_records(text: str, uris: tuple[str, ...] | None) -> None:
    """RFC 8460 §3: rua once, mailto and https."""
    assert targets(text) == uris


@needs_exim
def test_a_real_exim_says_whom_it_takes(tmp_path: Path) -> None:
    """One local part apart: exim's own reply decides, also beside a hundred others and for those refused."""
    text = '@ MX 10 mx\nmx A 192.0.2.1\n_smtp._tls TXT "v=TLSRPTv1; rua=mailto:{}@{}"\n'
    names = [f"d{number}.test" for number in range(60)]
    zones = {name: text.format("nobody-here" if at % 4 == 1 else "postmaster", name) for at, name in enumerate(names)}
    with EximHost(hostnames=tuple(names)) as mta:
        mta.render()
        with World(tmp_path, zones, exim=mta.exim()) as w:
            found = {f.subject: str(f.severity) for f in w.findings("TLSRPT-02")}
    assert found == {name: "warning" if at % 4 == 1 else "ok" for at, name in enumerate(names)}


@needs_exim
@pytest.mark.parametrize("refusal", ["host_reject_connection = 192.0.2.0/24\n", "MAIN_ACL_CHECK_MAIL = deny\n"])
def test_an_exim_that_hears_no_stranger(tmp_path: Path, refusal: str) -> None:
    """Where exim lets strangers not even greet, or not name a sender, nothing is known of recipients."""
    zone_ = '@ MX 10 mx\nmx A 192.0.2.1\n_smtp._tls TXT "v=TLSRPTv1; rua=mailto:postmaster@example.org"\n'
    with EximHost(extra=refusal) as mta:
        mta.render()
        with World(tmp_path, {"example.org": zone_}, exim=mta.exim()) as w:
            [(severity, message)] = w.said("TLSRPT-02")
            assert severity == "unknown" and "`exim -bh 192.0.2.77` was to say" in message


def test_silent_name_servers(tmp_path: Path) -> None:
    """No answer is not "no record"."""
    with World(tmp_path, {"example.org": "@ MX 10 mx\n"}) as w:
        w.bind.stop()
        for id in ("TLSRPT-01", "TLSRPT-02"):
            assert set(w.severities(id)) == {"unknown"}, id
