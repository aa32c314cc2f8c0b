"""Wildcards beside and below the names of mail records."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.check.world import World

CASES = {
    "none": ("_dmarc TXT \"v=DMARC1; p=none\"\n", []),
    "text": ("_dmarc TXT \"v=DMARC1; p=none\"\n* TXT hello\n", ["has the TXT record \"hello\""]),
    "dmarc": ("* TXT hello\n", ["_dmarc.dmarc.test has no record of its own"]),
    "policy": ("* TXT \"v=DMARC1; p=none\"\n", ["has the TXT record"]),
    "junk": ("_dmarc TXT other\n* TXT hello\n", ["has the TXT record"]),
    "deny": ("_dmarc TXT \"v=DMARC1; p=none\"\n* TXT \"v=spf1 -all\"\n", []),
    "denied": ("* TXT \"v=spf1 -all\"\n", ["_dmarc.denied.test has no record of its own"]),
    "key": ("_dmarc TXT \"v=DMARC1; p=none\"\n*._domainkey TXT \"v=DKIM1; p=AAAA\"\n", ["Every selector of key.test"]),
    "revoked": ("_dmarc TXT \"v=DMARC1; p=none\"\n*._domainkey TXT \"v=DKIM1; p=\"\n", []),
    "selector": ("_dmarc TXT \"v=DMARC1; p=none\"\ns1._domainkey TXT \"v=DKIM1; p=AAAA\"\n", []),
    "both": ("_dmarc TXT \"v=DMARC1; p=none\"\n* TXT hello\n*._domainkey TXT key\n", ["Every selector of both.test", "has the TXT record"]),
    "mx": ("_dmarc TXT \"v=DMARC1; p=none\"\n* MX 10 mx\n", ["has the MX \"10 mx.mx.test.\""]),
    "null": ("_dmarc TXT \"v=DMARC1; p=none\"\n* MX 0 .\n", []),
    "alias": ("_dmarc TXT \"v=DMARC1; p=none\"\n@ MX 10 mx\n@ TXT \"v=spf1 mx -all\"\n* CNAME alias.test.\n", ["and each DKIM selector"]),
    "handed": ("_dmarc NS ns.other.test.\n_domainkey NS ns.other.test.\n", []),
    "handedmx": ("_dmarc NS ns.other.test.\n_domainkey NS ns.other.test.\n* MX 10 mx\n", ["has the MX \"10 mx.handedmx.test.\""]),
    "web": ("_dmarc TXT \"v=DMARC1; p=none\"\n* A 192.0.2.1\n", []),
}  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A zone for each case."""
    with World(tmp_path_factory.mktemp("wild"), {f"{name}.test": text for name, (text, _) in CASES.items()}) as world:
        yield world


@pytest.mark.parametrize("name", CASES)
def test_wildcards(world: World, name: str) -> None:
    """A wildcard that answers for a key or a policy is told once each; one that only says no is meant."""
    told = [(str(severity), message) for severity, message in world.said("WILD-01", f"{name}.test")]
    wanted = CASES[name][1]
    assert [severity for severity, _ in told] == (["warning"] * len(wanted) or ["ok"])
    assert all(text in message for text, (_, message) in zip(wanted, told, strict=False) if wanted), told


def test_the_remedy_names_the_record(world: World) -> None:
    """The line to take away is the one that stands there, a CNAME too."""
    remedies = {f.subject: f.remedy for f in world.findings("WILD-01")}
    assert remedies["alias.test"].endswith("*.alias.test. IN CNAME alias.test.")
    assert remedies["mx.test"].endswith("*.mx.test. IN MX 10 mx.mx.test.")


def test_silence(tmp_path: Path) -> None:
    """Nobody answers: nothing is known."""
    with World(tmp_path, {"example.org": ""}) as silent:
        silent.bind.stop()
        assert silent.severities("WILD-01") == ["unknown"]
