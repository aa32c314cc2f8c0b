"""Hosts that a test cannot see sign: those whose mail somebody else signs, and those that sign only what real mail has something for."""

from __future__ import annotations

from pathlib import Path

import pytest

from dnssync.check.dkim_elsewhere import depends
from dnssync.check.facts import Domain
from dnssync.core.host import Transport
from dnssync.core.policy import DkimPolicy, MailPolicy
from tests.check.dkim_site import Site, by_subject
from tests.exim_host import needs_exim

IDS = ("DKIM-01", "DKIM-07", "EXIM-01", "EXIM-07")
KEY = "DKIM_SELECTOR = s1\nDKIM_PRIVATE_KEY = {keys}/a.test/s1.pem\n"


def severities(site: Site, algorithms: tuple[str, ...] = ("rsa2048",)) -> dict[str, set[str]]:
    """By id what was found, where the configuration wants these keys."""
    site.switch()
    policy = MailPolicy(dkim=DkimPolicy(algorithms))
    mail = site.observed().domain("a.test")
    with site.world(facts={"domains": (Domain("a.test", "a.test", policy, mail),)}) as world:
        found = by_subject(world.findings(*IDS))
    return {id: {str(f.severity) for f in some} for (id, _), some in found.items()}


@needs_exim
@pytest.mark.exim
@pytest.mark.parametrize("configtype", ["smarthost", "internet"])
def test_somebody_else_signs(tmp_path: Path, configtype: str) -> None:
    """A relay or a filter that signs in exim's place: an error, until the configuration says that no keys are wanted here."""
    with Site(tmp_path, ("a.test",), macros="# none\n", configtype=configtype) as site:
        assert severities(site) == {"DKIM-01": {"error"}, "EXIM-01": {"error"}}
        site._folder = tmp_path / "declared"
        assert severities(site, ()) == {"DKIM-01": {"info"}}


@needs_exim
@pytest.mark.exim
def test_no_keys_are_wanted_and_exim_signs(tmp_path: Path) -> None:
    """Who signs with a set-up of his own is looked at, whatever dnssync is told about keys."""
    with Site(tmp_path, ("a.test",), macros="DKIM_DOMAIN = a.test\n" + KEY) as site:
        site.line("a.test", s1="rsa2048")
        assert severities(site, ()) == {"DKIM-01": {"ok"}, "DKIM-07": {"ok"}, "EXIM-01": {"ok"}}


@needs_exim
@pytest.mark.exim
def test_a_short_key_of_somebodys_own(tmp_path: Path) -> None:
    """Where exim does not read dnssync's map, a new key of dnssync's does nothing before `exim --install`, and the remedy says so."""
    with Site(tmp_path, ("a.test",), macros="DKIM_DOMAIN = a.test\n" + KEY) as site:
        site.line("a.test", s1="rsa1024")
        [found] = site.findings("DKIM-04")["DKIM-04", "a.test"]
    assert str(found.severity) == "warning" and "`dnssync exim --install` and `dnssync rotate a.test`" in found.remedy


@needs_exim
@pytest.mark.exim
@pytest.mark.parametrize(
    ("domain", "wanted"),
    [("$acl_m_signed", "unknown"), ("${if def:sender_helo_name{}{$r_x}}", "unknown"), ("${if def:h_from:{}}", "error")],
)
def test_what_only_real_mail_has(tmp_path: Path, domain: str, wanted: str) -> None:
    """What an ACL or a login decides is not known of a test message; what From: decides is."""
    with Site(tmp_path, ("a.test",), macros=f"DKIM_DOMAIN = {domain}\n" + KEY) as site:
        site.line("a.test", s1="rsa2048")
        assert severities(site) == {"DKIM-01": {wanted}, "DKIM-07": {wanted}, "EXIM-01": {"ok"}}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("${lc:${domain:$rh_from:}}", ()),
        ("${lookup{$sender_address_domain}lsearch{/x}}", ()),
        ("${if def:h_from:{$primary_hostname}}", ()),
        ("${extract{dkim}{$address_data}}$r_way${acl_c0}", ("$acl_c0", "$address_data", "$r_way")),
        ("${if match_ip{$sender_host_address}{+x}{${domain:$h_from:}}}", ("$sender_host_address",)),
        ("${if def:h_List-Id:{}{$domain}}", ("$domain", "$h_List-Id:")),
        ("${domain}", ("$domain",)),
    ],
)
def test_variables_that_only_real_mail_has(text: str, names: tuple[str, ...]) -> None:
    """The operator `${domain:…}` and From: are known of a test message; what routers, ACLs and connections leave is not."""
    assert depends(Transport("x", {"dkim_domain": text})) == names
    assert depends(Transport("x", {"dkim_domain": text}, uses_map=True)) == ()
