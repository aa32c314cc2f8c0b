"""Zones that are settled: a daemon asks their name servers, one address each in rotation, and decides about nothing; on real exim and BIND."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import dns.query
import dns.tsig
import dns.tsigkeyring
import dns.update
import pytest

from dnssync.core.durations import DAY
from dnssync.core.model import Owner, Phase
from dnssync.core.rotation import Policy, phase
from dnssync.kept import Kept
from dnssync.settled import AGAIN, Settled
from dnssync.standing import next_event, standing, well
from tests.settled_site import APART, NAMES, SettledSite, opened, settled_site

EVERY = {*NAMES, APART}
STEADY = {"schedule": {"check": "never", "deep": "30d"}}  # so that no reading falls due where none is expected


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SettledSite]:
    """All keys sign; a pass has looked at everything."""
    with settled_site(opened(tmp_path_factory.mktemp("settled"))) as made:
        made.more = STEADY
        made.write()
        made.ready()
        yield made


@pytest.fixture
def site(ready: SettledSite) -> SettledSite:
    """The same, with all zones settled in the last pass but this."""
    return calm(ready)


def calm(site: SettledSite) -> SettledSite:
    """What is under way comes to its end, and a daemon that has just begun finds all zones settled in its second pass."""
    for _ in range(10):
        site.kept = Kept()
        site.one(1800)
        if set(site.one().settled) == EVERY:
            return site
        site.follow()
    raise AssertionError(f"{site.decided} does not settle: {site.asked}, {site.state.troubles()}")


def test_what_is_not_settled_any_more_is_forgotten() -> None:
    """Of a pass that settled other zones than the last, or none, nothing older is remembered."""
    kept, zone = Kept(), Settled(b"mark", 1)
    kept.remember({"a.test": zone, "b.test": zone, "gone.test": zone}, {"a.test": 1, "b.test": 2})
    assert set(kept.settled) == {"a.test", "b.test"}
    kept.remember({"b.test": zone}, {"a.test": 1, "b.test": 2})
    assert set(kept.settled) == {"b.test"}
    kept.remember({}, {"a.test": 1, "b.test": 2})
    assert not kept.settled


def test_nothing_is_decided(site: SettledSite) -> None:
    """A pass asks neither the provider nor exim about single domains, decides nothing, and tells the same as one that does."""
    before = site.state.zones()
    result = site.one()
    assert set(result.settled) == EVERY and site.asked == {}
    assert {record.last_pass for record in site.state.zones().values()} == {int(site.now)}
    assert {z: r.last_read for z, r in site.state.zones().items()} == {z: r.last_read for z, r in before.items()}
    site.kept, kept = None, site.kept
    try:
        whole = site.one(1)
    finally:
        site.kept = kept
    assert site.decided == EVERY and well(whole) == well(result) == EVERY
    assert next_event(whole) == next_event(result) is not None
    assert standing(whole, 0) == standing(result, 0)


def test_servers_that_are_silent(site: SettledSite) -> None:
    """Nothing else is shown by a server that does not answer; the next one is asked."""
    site.secondary.stop()
    try:
        assert all(set(site.one().settled) == EVERY for _ in range(2))
        site.bind.stop()
        assert all(set(site.one().settled) == EVERY for _ in range(2))
    finally:
        site.bind.start()
        site.secondary.start()


def test_each_server_has_its_turn(site: SettledSite) -> None:
    """What one of two servers shows otherwise is noticed when it is that one's turn; that zone alone goes through the line, and is put right."""
    zone = NAMES[2]
    ours = next(e for e in site.state.ledger(zone) if e.owner is Owner.DKIM)
    name = f"{ours.name}.{zone}"
    _delete(site, zone, name)
    decided = []
    for _ in range(2):
        site.one()
        assert site.decided <= {zone}
        decided.append(zone in site.decided)
    assert any(decided) and site.bind.texts(name) == [ours.value]
    site.follow()


def test_the_next_server_with_the_next_pass(site: SettledSite) -> None:
    """Whether the first pass or the second notices what the primary alone shows depends on whose turn it is."""
    zone, noticed = NAMES[3], []
    ours = next(e for e in site.state.ledger(zone) if e.owner is Owner.DKIM)
    for more in range(2):
        calm(site)
        for _ in range(more):
            site.one()
        _delete(site, zone, f"{ours.name}.{zone}")
        noticed.append(next(number for number in range(2) if zone not in site.one().settled))
        site.one()
        site.follow()
    assert sorted(noticed) == [0, 1]


def _delete(site: SettledSite, zone: str, name: str) -> None:
    """Somebody takes a record away at the primary alone."""
    ring = dns.tsigkeyring.from_text({site.bind.key_name: site.bind.secret})
    update = dns.update.Update(zone, keyring=ring, keyalgorithm=dns.tsig.HMAC_SHA256)
    update.delete(f"{name}.", "TXT")
    assert dns.query.tcp(update, "127.0.0.1", port=site.bind.port, timeout=5).rcode() == 0


def _unsettled(site: SettledSite) -> set[str]:
    """The zones that the next pass decides about."""
    return EVERY - set(site.one().settled)


def test_what_was_decided_from_has_changed(site: SettledSite) -> None:
    """A key's file, its folder: the zone, with those that share its domains, is decided about, and has settled with that."""
    zone, family = NAMES[1], NAMES[0]
    [key, *_] = [key for key in site.state.living({zone}) if key.retired is None]
    os.utime(site.exim.keys / zone / f"{key.selector}.pem", (1, 1))
    assert _unsettled(site) == {zone}
    (site.exim.keys / zone).chmod(0o751)
    assert _unsettled(site) == {zone}
    assert _unsettled(site) == set()
    [key, *_] = [key for key in site.state.living({family}) if key.retired is None]
    os.utime(site.exim.keys / family / f"{key.selector}.pem", (1, 1))
    assert _unsettled(site) == {family, APART}
    assert _unsettled(site) == set()


def test_a_key_that_is_lost(site: SettledSite) -> None:
    """One that stood by is told of and given up as in any pass, and another one comes."""
    zone = NAMES[1]
    [key, *_] = [key for key in site.state.living({zone}) if phase(key, Policy(), int(site.now)) is Phase.READY]
    (site.exim.keys / zone / f"{key.selector}.pem").rename(site.folder / "lost.pem")
    result = site.one()
    assert site.decided == {zone} and result.report is not None
    assert [made.domain for made in result.report.made] == [zone]
    (site.folder / "lost.pem").rename(site.exim.keys / zone / f"{key.selector}.pem")


def test_words_configuration_and_exim(site: SettledSite) -> None:
    """What a person says, another configuration, another set-up of exim: everything is decided about anew, once."""
    code, out = site.run("freeze", NAMES[3], "--until", "2027-01-01")
    assert code == 0, out
    assert _unsettled(site) == EVERY
    assert _unsettled(site) == set()
    code, out = site.run("freeze", NAMES[3], "--off")
    assert code == 0, out
    assert _unsettled(site) == EVERY
    site.more = {"schedule": {"check": "never", "deep": "29d"}}
    site.write()
    assert _unsettled(site) == EVERY
    assert _unsettled(site) == set()
    text = site.exim.config.read_text()
    site.exim.config.write_text(text.replace("begin retry", "begin retry\nold.example * F,3d,1h", 1))
    assert _unsettled(site) == EVERY
    assert _unsettled(site) == set()
    site.exim.config.write_text(text)
    assert _unsettled(site) == EVERY
    site.more = STEADY
    site.write()


def test_a_domain_that_exim_lost(site: SettledSite) -> None:
    """It is told in the pass that finds it, though nothing else is to be done in the zone; and is over once exim has it again."""
    text = site.exim.config.read_text()
    site.exim.config.write_text(text.replace(f"{NAMES[3]}", "elsewhere.example"))
    try:
        for reads in (1, 0, 0):
            site.one()
            told = [row for row in site.state.troubles() if row.reason == "domain_gone" and row.ended is None]
            assert [row.subject for row in told] == [NAMES[3]] and not site.asked["write"]
            assert site.asked["read"] == reads  # it is the same whatever stands there
        assert NAMES[3] not in site.decided
    finally:
        site.exim.config.write_text(text)
    site.one()
    assert site.asked["read"] == 1
    assert not [row for row in site.state.troubles() if row.reason == "domain_gone" and row.ended is None]


def test_an_include_that_is_missing(site: SettledSite) -> None:
    """Where look-ups may show at any time that something is over, the zones are decided about with every pass; nothing is read for it."""
    spf = {"extra": [f"include:_s.{NAMES[0]}"]}
    site.more = {**STEADY, "defaults": {"dkim": {"algorithms": ["rsa1024", "ed25519"]}, "spf": spf}}
    site.write()
    try:
        site.one()
        site.follow()
        for _ in range(3):
            site.one()
        told = {row.zone for row in site.state.troubles() if row.reason == "spf_include_missing" and row.ended is None}
        assert told == {*NAMES} and site.decided >= told and not site.asked["read"]
    finally:
        site.more = STEADY
        site.write()
        site.follow()


def test_time_alone(site: SettledSite) -> None:
    """However quiet, a zone is decided about anew within hours, each at its own time; and read once in `deep`."""
    site.more = {}
    site.write()
    calm(site)
    begun, decided = site.now, dict.fromkeys(EVERY, 0.0)
    while not all(decided.values()):
        assert site.now - begun < AGAIN
        for zone in _unsettled(site):
            decided[zone] = decided[zone] or site.now
        assert not site.asked["write"]
    assert len(set(decided.values())) > 1
    read = {zone: record.last_read for zone, record in site.state.zones().items()}
    while site.now - begun < DAY:
        site.one(3600)
    assert all(record.last_read > read[zone] for zone, record in site.state.zones().items())
    site.more = STEADY
    site.write()


def test_a_clock_that_jumps(site: SettledSite) -> None:
    """Nothing is settled after it: every key hears of it."""
    line = site.line

    def jumped(config, **options):
        made = line(config, **options)
        made.uptime = lambda: (site.up, "boot")
        return made

    site.up = 1_000_000.0
    site.line = jumped
    try:
        site.one()
        for _ in range(2):
            site.up += 900
            site.one()
        site.up += 900
        assert _unsettled(site) == set()
        site.up += 900
        assert EVERY - set(site.one(900 + 2 * DAY).settled) == EVERY
        assert not site.one(1).report.failed
    finally:
        site.line = line


def test_a_list_that_exim_cannot_use(site: SettledSite) -> None:
    """Whether exim has a domain is not known for as long as a look-up of its fails: that is told, no zone is read for it, and nothing is said to be gone."""
    text = site.exim.config.read_text()
    broken = re.sub(r"(?m)^domainlist local_domains = .*$", "domainlist local_domains = ${acl{nowhere}}", text)
    assert broken != text
    site.exim.config.write_text(broken)
    try:
        for _ in range(2):
            site.one()
            told = {row.reason for row in site.state.troubles() if row.ended is None}
            assert "list_unusable" in told and "domain_gone" not in told
            assert not site.asked["read"] and not site.asked["write"]
    finally:
        site.exim.config.write_text(text)
    site.one()
    assert not site.asked["read"] and not [
        row for row in site.state.troubles() if row.reason == "list_unusable" and row.ended is None
    ]
