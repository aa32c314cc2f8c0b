"""Every provider passes the one table: in memory, a zone file, dynamic update of a real named and a real knotd, a real PowerDNS, the
stand-ins of those with an API, and the plug-ins of octodns' before PowerDNS, named and a stand-in. What `manual` cannot be asked is in
tests/e2e/test_by_hand.py."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.providers import conformance
from tests.providers.conformance import STRANGERS, TABLE, ZONE, Row, Site
from tests.providers.sites import KINDS, SERVERS, Servers, alone, behind, fresh_after_a_failure, marked, servers

# What the server behind a plug-in refuses, and the plug-in does not know.
AGROUND = {
    ("octodns_gandi", "blanks and nothing"),  # no text without a character, and the plug-in sends none of the quotes
    ("octodns_gandi", "a name that a stranger wrote in capitals"),  # the plug-in writes it in lower case
    ("octodns_powerdns", "names with escapes"),
    ("powerdns", "names with escapes"),  # they are refused by the server, and the provider tells why
    ("powerdns_lmdb", "names with escapes"),
    ("powerdns_single", "names with escapes"),
}


def test_nobody_is_left_out() -> None:
    """Each provider that is registered is in the table, but for the one behind which a person sits."""
    assert {point.name for point in entry_points(group="dnssync.providers")} - set(KINDS) == {"manual"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """The servers that the rows share."""
    with servers(tmp_path_factory.mktemp("servers")) as made:
        yield made


@pytest.fixture(params=marked(*KINDS))
def site(request: pytest.FixtureRequest, running: Servers, tmp_path: Path) -> Iterator[Site]:
    """A provider with a zone of everything behind it, for rows that leave it as it was."""
    kind = request.param
    with behind(kind, running(kind)) if kind in SERVERS else alone(kind, tmp_path) as made:
        yield made


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.title)
def test_table(site: Site, row: Row, running: Servers) -> None:
    """After each step a read shows what was wanted, strangers' records are the same octets, and nothing is left to do."""
    aground = (site.kind, row.title) in AGROUND
    with fresh_after_a_failure(running):
        (conformance.runs_aground if aground else conformance.run)(site, row)


@pytest.mark.parametrize(("stranger", "step"), STRANGERS)
@pytest.mark.parametrize("kind", marked(*KINDS))
def test_stale(kind: str, tmp_path: Path, stranger: list[str], step: conformance.Step) -> None:
    """An edit by somebody else between our read and our write fails the write whole."""
    with alone(kind, tmp_path) as fresh:
        conformance.refuses_stale(fresh, stranger, step)


# To an update no prerequisite can say a TTL (RFC 2136 §2.4).
@pytest.mark.parametrize("kind", marked(*(kind for kind in KINDS if kind not in ("rfc2136", "knot", "octodns_bind"))))
def test_another_ttl(kind: str, tmp_path: Path) -> None:
    """An edit of a TTL alone is an edit, too."""
    with alone(kind, tmp_path) as fresh:
        conformance.refuses_another_ttl(fresh)


# ovh asks for each record by itself, and a reading is repeated many times here: a large zone is read in test_ovh.
@pytest.mark.parametrize("kind", marked(*(kind for kind in KINDS if kind not in ("gandi150", "ovh"))))
def test_two_thousand_records(kind: str, tmp_path: Path) -> None:
    """A large zone is read whole and changed as a small one is."""
    hosts = "".join(f"big{number}.{ZONE}. 3600 IN A 192.0.2.1\n" for number in range(1000))
    texts = "".join(f'bigt{number}.{ZONE}. 3600 IN TXT "{number}" "x"\n' for number in range(1000))
    with alone(kind, tmp_path, hosts + texts) as site:
        seen = sum(rrset.name.startswith("big") for rrset in site.provider.read(ZONE))
        assert seen == (2000 if site.provider.limits.complete else 1000)
        conformance.run(site, next(row for row in TABLE if row.title.startswith("everything of a domain")))


def test_cname(site: Site) -> None:
    """Nothing is put beside a CNAME."""
    conformance.refuses_beside_a_cname(site)


def test_unknown_zone(site: Site) -> None:
    """A zone that is not there is an error, never an empty one."""
    conformance.refuses_an_unknown_zone(site)


def test_nothing_to_do(site: Site) -> None:
    """An empty list of changes writes nothing."""
    before = site.everything()
    assert site.provider.write(ZONE, []) == ()
    assert site.everything() == before
