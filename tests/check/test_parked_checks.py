"""PARK-01: a domain that never sends, one record at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dnssync.check.finding import Finding
from dnssync.core.model import KeyPair
from tests.check.cases import Case, hold, zones
from tests.check.world import World
from tests.zonetext import host

SPF, MX, DMARC, KEYS = (
    '@ TXT "v=spf1 -all"\n',
    "@ MX 0 .\n",
    '_dmarc TXT "v=DMARC1; p=reject; sp=reject; np=reject"\n',
    '*._domainkey TXT "v=DKIM1; p="\n',
)
CASES = [
    Case("PARK-01", "whole", None, SPF + MX + DMARC + KEYS),
    Case("PARK-01", "no-wildcard", None, SPF + MX + DMARC),
    Case("PARK-01", "no-np", None, SPF + MX + '_dmarc TXT "v=DMARC1; p=reject; sp=reject"\n'),
    Case("PARK-01", "spelling", None, '@ TXT "V=spf1  -ALL"\n' + MX + DMARC),
    Case("PARK-01", "no-spf", ("warning", '{zone}. IN TXT "v=spf1 -all"'), MX + DMARC),
    Case("PARK-01", "open", ("warning", 'it has "v=spf1 mx -all"'), '@ TXT "v=spf1 mx -all"\n' + MX + DMARC),
    Case("PARK-01", "soft", ("warning", 'it has "v=spf1 ~all"'), '@ TXT "v=spf1 ~all"\n' + MX + DMARC),
    Case("PARK-01", "no-mx", ("warning", "Publish: {zone}. IN MX 0 ."), SPF + DMARC),
    Case("PARK-01", "mx", ("warning", "it has 10 mail.{zone}"), SPF + "@ MX 10 mail\n" + DMARC),
    Case("PARK-01", "mx-beside", ("warning", "it has 0 ., 10 mail.{zone}"), SPF + MX + "@ MX 10 mail\n" + DMARC),
    Case("PARK-01", "no-dmarc", ("warning", "it inherits none"), SPF + MX),
    Case("PARK-01", "policy", ("warning", "the policy is quarantine"), SPF + MX + '_dmarc TXT "v=DMARC1; p=quarantine"\n'),
    Case("PARK-01", "sp", ("warning", "sp=none is milder"), SPF + MX + '_dmarc TXT "v=DMARC1; p=reject; sp=none"\n'),
    Case("PARK-01", "np", ("warning", "np=none is milder"), SPF + MX + '_dmarc TXT "v=DMARC1; p=reject; sp=reject; np=none"\n'),
    Case("PARK-01", "test", ("warning", "t=y makes it milder"), SPF + MX + '_dmarc TXT "v=DMARC1; p=reject; sp=reject; t=y"\n'),
    Case("PARK-01", "two", ("warning", "several DMARC records"), SPF + MX + DMARC + '_dmarc TXT "v=DMARC1; p=reject"\n'),
    Case("PARK-01", "key", ("warning", "*._domainkey.{zone} has a DKIM key"), SPF + MX + DMARC + '*._domainkey TXT "v=DKIM1; p=MFww"\n'),
]  # fmt: skip


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Finding]]:
    """What is said of all cases' zones."""
    names = [case.zone for case in CASES]
    with World(tmp_path_factory.mktemp("parked"), {**zones(CASES), "test": ""}, foreign=["test"], domains=names, parked=names,
               host=host(hostname="mx.example.org")) as world:  # fmt: skip
        yield world.findings("PARK-01")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(case: Case, findings: list[Finding]) -> None:
    """Each zone gets the findings that it asks for, and the whole one does not."""
    hold(case, findings)


def test_a_sub_domain_is_covered_by_its_parent(tmp_path: Path) -> None:
    """A parked name without a record of its own has what the tree walk finds, if that rejects."""
    own = 'a TXT "v=spf1 -all"\na MX 0 .\n'
    for text, wanted in ((DMARC, ["ok"]), ('_dmarc TXT "v=DMARC1; p=reject; sp=none"\n', ["warning"])):
        with World(
            tmp_path,
            {"p.test": own + text, "test": ""},
            foreign=["test"],
            domains=["a.p.test"],
            parked=["p.test"],
            host=host(hostname="mx.example.org"),
        ) as world:
            assert [str(s) for s, _ in world.said("PARK-01")] == wanted, world.said("PARK-01")


def test_a_key_of_ours_that_still_verifies(tmp_path: Path) -> None:
    """A selector that dnssync knows is looked at; withdrawn or gone, it is well."""
    key = KeyPair(domain="p.test", selector="s1", algorithm="rsa2048", public_key="MFww", generated=1)
    for record, wanted in (
        ('s1._domainkey TXT "v=DKIM1; p=MFww"\n', ["warning"]),
        ('s1._domainkey TXT "v=DKIM1; p="\n', ["ok"]),
        ("", ["ok"]),
    ):
        with World(
            tmp_path,
            {"p.test": SPF + MX + DMARC + record},
            parked=["p.test"],
            keys=[key],
            host=host(hostname="mx.example.org"),
        ) as world:
            assert [str(s) for s, _ in world.said("PARK-01")] == wanted, world.said("PARK-01")


def test_a_parked_name_that_greets(tmp_path: Path) -> None:
    """Its SPF record goes on to pass this host, and is not found fault with here."""
    text = '@ TXT "v=spf1 a -all"\n@ A 192.0.2.1\n' + MX + DMARC
    with World(tmp_path, {"p.test": text}, parked=["p.test"], host=host(hostname="p.test")) as world:
        assert world.severities("PARK-01") == ["ok"]
        world.host = host(hostname="mx.example.org")
        assert world.severities("PARK-01") == ["warning"]


@pytest.mark.parametrize(("local", "severity"), [(True, "info"), (False, "warning")])
def test_an_mx_of_a_parked_domain(tmp_path: Path, local: bool, severity: str) -> None:
    """Where exim takes mail for it, a null MX would lose that; where exim only knows the name, the MX is one too many."""
    told = host("p.test", hostname="mx.example.org")
    told = replace(told, domains=(replace(told.domains[0], local=local),))
    with World(tmp_path, {"p.test": SPF + "@ MX 10 mx.example.org.\n" + DMARC}, parked=["p.test"], host=told) as world:
        assert world.severities("PARK-01") == [severity], world.said("PARK-01")


def test_silence_is_unknown(tmp_path: Path) -> None:
    """A server that says nothing makes no finding but unknown."""
    with World(
        tmp_path, {"p.test": SPF + MX + DMARC}, parked=["p.test"], host=host(hostname="mx.example.org")
    ) as world:
        world.bind.stop()
        assert set(world.severities("PARK-01")) == {"unknown"}


def test_apply_makes_it_parked(tmp_path: Path) -> None:
    """SPF and DMARC are what `apply` writes; the MX is for the administrator."""
    with World(
        tmp_path, {"p.test": "", "test": ""}, foreign=["test"], parked=["p.test"], host=host(hostname="mx.example.org")
    ) as world:
        fixable = {f.remedy.split("IN ")[1]: f.fixable for f in world.findings("PARK-01")}
        assert fixable == {
            'TXT "v=spf1 -all"': True,
            "MX 0 .": False,
            'TXT "v=DMARC1; p=reject; sp=reject; np=reject"': True,
        }
