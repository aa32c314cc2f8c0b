"""Keys that nobody waits for come over several passes of the daemon; mail is signed all the while."""

from __future__ import annotations

from typing import Any

import pytest

from dnssync.cli.context import Context
from dnssync.cli.daemon import _opener
from dnssync.config import load
from dnssync.core.model import KeyPair
from dnssync.one_pass import PassResult, one_pass
from dnssync.reconcile import Line
from tests.daemon.gandi_site import ONE, TWO, GandiSite, unapplied

pytestmark = [pytest.mark.exim]
__all__ = ["unapplied"]


def passed(site: GandiSite, births: int) -> PassResult:
    """One pass as the daemon makes it, a quarter of an hour after the last one, with so many births."""

    def line(config: Any) -> Line:
        opened = _opener(Context(now=lambda: site.now))(config, read_only=False, progress=lambda text: None)
        opened.births = births
        return opened

    site.now += 900
    result = one_pass(load(site.config), line, now=lambda: site.now)
    assert not result.failed and not result.refused, result.error
    site.gandi.settled()
    return result


def standbys(site: GandiSite) -> list[KeyPair]:
    """The keys that have not signed yet."""
    return [key for key in site.state.living() if key.activated is None]


def signed(site: GandiSite) -> bool:
    """Whether mail of both domains leaves with two signatures of its own."""
    for domain in (ONE, TWO):
        [received] = site.exim.send(f"From: a@{domain}\nTo: b@dest.test\n\nHello.\n".encode(), sender=f"a@{domain}")
        if received.data.count(b"DKIM-Signature:") != 2 or received.data.count(f"d={domain};".encode()) != 2:
            return False
    return True


@pytest.fixture
def site(unapplied: GandiSite) -> GandiSite:
    """Both zones applied by a person, and passes of the daemon that give birth to none until the first keys sign."""
    code, out = unapplied.run("apply", "--yes")
    assert code == 0, out
    unapplied.gandi.settled()
    passes = 0
    while standbys(unapplied):
        passed(unapplied, 0)
        passes += 1
        assert passes < 12, unapplied.run("status")[1]
    return unapplied


def test_standbys_come_one_by_one(site: GandiSite) -> None:
    """Four are wanted and a pass makes one: four passes bring them, none twice, and each stands in DNS; `status` tells how many wait."""
    assert passed(site, 0).report is not None and standbys(site) == [] and signed(site)
    for number in range(1, 5):
        report = passed(site, 1).report
        assert report is not None and len(report.made) == 1
        assert len(standbys(site)) == number and signed(site)
        told = " ".join(site.run("status")[1].split())
        words = "1 new key waits for its turn" if number == 3 else f"{4 - number} new keys wait for their turn"
        assert (words in told) == (number < 4), told
    report = passed(site, 1).report
    assert report is not None and report.made == () and signed(site)
    assert len({(key.domain, key.kind) for key in standbys(site)}) == 4
    for key in standbys(site):
        assert (f"{key.selector}._domainkey", "TXT") in site.gandi.values(key.domain)


def test_a_lost_key_waits_for_no_turn(site: GandiSite) -> None:
    """What replaces a key whose file is lost is made by the next pass, where no other key is."""
    old = next(key for key in site.state.living() if key.domain == ONE and key.kind == "rsa")
    (site.exim.keys / ONE / f"{old.selector}.pem").unlink()
    report = passed(site, 0).report
    assert report is not None and [(key.domain, key.kind) for key in report.made] == [(ONE, "rsa")]
    assert {key.domain for key in standbys(site)} == {ONE}
