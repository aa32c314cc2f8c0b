"""Whole rotations with real exim and two real name servers, the second behind the first, while mail leaves all the time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dnssync.core.durations import DAY, HOUR
from dnssync.core.model import Phase
from tests.two_servers import DOMAIN, TwoServers, two_servers

pytestmark = [pytest.mark.bind, pytest.mark.exim]
KINDS = ("rsa", "ed25519")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoServers]:
    """One host for all of them: each begins with a key of either kind that signs and one that stands by."""
    with two_servers(tmp_path_factory.mktemp("site")) as site:
        yield site


def signers(site: TwoServers) -> tuple[str, ...]:
    """The selectors that sign, RSA first."""
    return tuple(selector for kind in KINDS for selector in site.at(Phase.ACTIVE, kind))


def standbys(site: TwoServers) -> tuple[str, ...]:
    """The selectors that stand by, RSA first."""
    return tuple(selector for kind in KINDS for selector in site.at(Phase.READY, kind))


def gone(site: TwoServers, selectors: tuple[str, ...]) -> bool:
    """Whether nothing of these keys is left: not on any server, not on disk, not in exim's map."""
    text = site.exim.map.read_text()
    return not any(
        selector in text
        or (site.exim.keys / DOMAIN / f"{selector}.pem").exists()
        or any(selector in server.selectors(DOMAIN) for server in site.servers)
        for selector in selectors
    )


def test_two_rotations_in_a_row(site: TwoServers) -> None:
    """A thousand messages over two rotations of both kinds: each signed twice, each verified on arrival and once more in
    the last second of the promise; of the old keys nothing is left."""
    site.batches = 2
    site.live(site.steady)
    first, second = signers(site), standbys(site)
    site.live(lambda: gone(site, first) and site.steady())  # each kind on its own day
    assert signers(site) == second
    third = standbys(site)
    site.go(site.now + 90 * DAY)  # nobody looks until both are over their time
    site.live(lambda: gone(site, second) and site.steady())
    assert signers(site) == third and len({*first, *second, *third, *standbys(site)}) == 8
    assert {*site.passes} == {0}
    site.batches = 1
    site.post(max(0, 1000 - len(site.letters)) // 10 + 1)
    site.keep_all_promises()
    assert len(site.letters) >= 1000


def test_the_provider_is_down_in_the_middle(site: TwoServers) -> None:
    """The primary is away when both keys have served their time, and takes no update once their successors sign: first the old
    keys sign on, then the new ones, for as long as it takes; no message is lost, and afterwards all is as it should be."""
    site.live(site.steady)
    old, new = signers(site), standbys(site)
    site.go(site.now + 90 * DAY)
    site.bind.stop()
    for hours in (0, 1, 12, 72):
        site.go(site.now + hours * HOUR)
        assert "failed" in site.act("apply", "--yes", codes=(1,))
        assert signers(site) == old and standbys(site) == new
    site.bind.start()
    site.live(lambda: {*new} <= {*site.exim.map.read_text().split()})
    assert signers(site) == old  # nobody has looked yet whether exim follows

    site.bind.stop()
    site.bind.start(policy="grant dnssync name nothing.invalid. A;")  # it can be read, and refuses every update
    before = site.bind.selectors(DOMAIN)
    for days in (0, 1, 12):
        site.go(site.now + days * DAY)
        assert "failed" in site.act("apply", "--yes", codes=(1,))
        assert signers(site) == new and not standbys(site) and site.bind.selectors(DOMAIN) == before
    assert {*old} <= site.kept_promise and {*old} <= {*before}
    site.bind.stop()
    site.bind.start(policy="grant dnssync zonesub ANY;")
    site.live(lambda: gone(site, old) and site.steady())
    assert signers(site) == new
    site.keep_all_promises()


def test_a_person_changes_his_mind(site: TwoServers) -> None:
    """`rotate` and then `rotate --abort`: the old keys sign again, as their records have never gone, and nothing is lost."""
    site.live(site.steady)
    old, new = signers(site), standbys(site)
    site.act("rotate")
    site.live(lambda: signers(site) == new)
    assert {*site.post()[0].selectors} == {*new}
    site.go(site.now + 3 * DAY)
    site.act("rotate", "--abort")
    site.live(lambda: signers(site) == old)
    assert {*site.post()[0].selectors} == {*old}
    site.live(lambda: gone(site, new) and site.steady())
    assert signers(site) == old
    site.keep_all_promises()


def test_emergency(site: TwoServers) -> None:
    """One command: the standbys sign, the records of the keys in wrong hands say so, and no message leaves unsigned."""
    site.live(site.steady)
    old, new = signers(site), standbys(site)
    records = site.bind.selectors(DOMAIN)
    site.act("rotate", "--emergency", "--yes", doomed={selector: records[selector] for selector in old})
    shown = site.bind.selectors(DOMAIN)
    assert {shown[selector].replace(" ", "") for selector in old} == {"v=DKIM1;p="}
    assert {*site.post()[0].selectors} == {*new} == {*signers(site)}
    site.live(lambda: gone(site, old) and site.steady())
    assert signers(site) == new
    site.keep_all_promises()
