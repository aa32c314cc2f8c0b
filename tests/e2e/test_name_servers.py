"""A mail domain whose zone a real PowerDNS or a real Knot keeps: plan, apply, and nothing of anybody else's moved."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.exim_host import EximHost
from tests.knot import Knot
from tests.powerdns import PowerDns
from tests.site_under_test import DOMAIN, IP, ZONE, Site

pytestmark = pytest.mark.exim

OFF = {"content": '"v=spf1 -all"', "disabled": True}


class AtPowerDns(Site):
    """The host, with its zone at PowerDNS by way of its API."""

    def __init__(self, folder: Path, exim: EximHost, pdns: PowerDns) -> None:
        self.pdns = pdns
        super().__init__(folder, exim, pdns)  # type: ignore[arg-type]  # it can be asked what a named can

    def write(self, zone: str = "") -> None:
        """The configuration."""
        super().write(zone)
        text = json.loads(self.config.read_text())
        text["providers"] = {"pdns": {**self.pdns.options(), "class": "powerdns"}}
        text["zones"][DOMAIN] |= {"provider": "pdns"}
        self.config.write_text(json.dumps(text))


@pytest.fixture(
    params=[
        pytest.param("gsqlite3", marks=pytest.mark.powerdns),
        pytest.param("lmdb", marks=pytest.mark.powerdns),
        pytest.param("knot", marks=pytest.mark.knot),
    ]
)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """A host with one of the servers; at PowerDNS, an SPF record is switched off."""
    with EximHost(hostnames=(DOMAIN,)) as exim:
        exim.switched()
        if request.param == "knot":
            with Knot(tmp_path / "knot", {DOMAIN: ZONE}) as knot:
                yield Site(tmp_path, exim, knot)
        else:
            with PowerDns(tmp_path / "pdns", {DOMAIN: ZONE}, request.param) as pdns:
                apex = pdns.rrset(DOMAIN, "@", "TXT")
                pdns.replace(DOMAIN, "@", "TXT", apex["ttl"], [*apex["records"], OFF])
                yield AtPowerDns(tmp_path, exim, pdns)


def test_from_an_empty_zone(site: Site) -> None:
    """The records come, a second plan finds nothing to do, and what others put there is what it was."""
    before = site.bind.transfer(DOMAIN)
    assert site.run("plan")[0] == 2
    assert site.bind.transfer(DOMAIN) == before

    code, out = site.run("apply", "--yes")
    assert code == 0, out
    after = site.bind.transfer(DOMAIN)
    spf = f"v=spf1 mx a ip4:{IP} -all".encode()
    apex = (f"{DOMAIN}.", "TXT")
    assert after[apex] == (before[apex][0], before[apex][1] | {bytes([len(spf)]) + spf})
    assert {key: value for key, value in after.items() if key in before and key != apex} == {
        key: value for key, value in before.items() if key != apex
    }
    assert {key[1] for key in after if key[0] == f"{DOMAIN}." and key not in before} == {"SPF"}
    assert (f"_dmarc.{DOMAIN}.", "TXT") in after and sum("._domainkey." in name for name, _ in after) == 2

    code, out = site.run("plan")
    assert code == 0, out
    code, out = site.run("apply", "--yes", "--wait")
    assert code == 0, out
    if isinstance(site, AtPowerDns):
        assert [r["content"] for r in site.pdns.rrset(DOMAIN, "@", "TXT")["records"] if r["disabled"]] == [
            OFF["content"]
        ]
