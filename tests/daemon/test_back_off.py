"""What ends a back-off: a person's word, whichever zone it is about, and nothing that only looks like a failure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dnssync import identity
from dnssync.core.durations import moment
from dnssync.state import State
from tests.daemon.gandi_site import EXTRA, ONE, ROWS, TWO, GandiSite, site, unapplied
from tests.daemon.test_once import down, passed
from tests.daemon.test_rhythm import planning
from tests.gandi import Gandi

pytestmark = [pytest.mark.exim]
__all__ = ["site", "unapplied"]
KEYS, POLICY = f"_domainkey.{ONE}", f"_dmarc.{ONE}"


def more_zones(site: GandiSite, *names: str) -> None:
    """Zones that are configured like the first one; Gandi does not have them, so that they fail."""
    text = json.loads(site.config.read_text())
    text["zones"].update(dict.fromkeys(names, text["zones"][ONE]))
    site.config.write_text(json.dumps(text))


@pytest.fixture
def second(site: GandiSite, tmp_path: Path) -> Iterator[Gandi]:
    """Another provider of the first zone, which a pass has just found to be down."""
    text = json.loads(site.config.read_text())
    (tmp_path / "second").mkdir()
    with Gandi({ONE: ROWS}, served=tmp_path / "second", gapless=False) as other:
        other.faults = [down(ONE)]
        (tmp_path / "second-token").write_text(other.token + "\n")
        options = {"class": "gandi", "token": f"file/{tmp_path}/second-token", "endpoint": other.endpoint}
        text["providers"]["second"] = options
        text["zones"][ONE]["provider"] = ["gandi", "second"]
        site.config.write_text(json.dumps(text))
        site.patience, site.now = 0, site.now + 60
        passed(site)
        assert [(row.provider, row.failures) for row in site.state.tries()] == [("second", 1)]
        yield other


class TestWords:
    def test_about_a_domain_that_had_a_zone_of_its_own(self, site: GandiSite) -> None:
        """That the state still has a row of that zone, which is configured no more, takes no word from the zone that holds the domain now."""
        state = State.open(f"sqlite:///{site.folder}/state/state.db", host=identity.rows(site.exim.keys))
        state.save_zone(replace(site.state.zones()[ONE], zone=f"news.{ONE}"))
        site.gandi.faults, site.patience = [down(ONE), down(TWO)], 0
        site.configure(extra=(EXTRA,))
        passed(site)
        site.now += 60
        assert {*passed(site).left_out} == {ONE, TWO}
        assert site.run("confirm", "gone", f"news.{ONE}")[0] == 0
        site.now += 1
        assert {*passed(site).left_out} == {TWO}

    def test_about_a_domain_with_zones_for_keys_and_policy(self, site: GandiSite) -> None:
        """All zones that hold something of the domain are looked at, and none that does not."""
        more_zones(site, KEYS, POLICY, f"_dmarc.{TWO}")
        passed(site)
        site.now += 60
        assert {*passed(site).left_out} == {KEYS, POLICY, f"_dmarc.{TWO}"}
        assert site.run("freeze", ONE)[0] == 0
        site.now += 1
        assert {*passed(site).left_out} == {f"_dmarc.{TWO}"}

    def test_between_two_failures(self, site: GandiSite) -> None:
        """Of zones that failed at different times, one waits no longer for a word that was said before the other one failed."""
        site.configure(extra=(EXTRA,))
        site.gandi.faults, site.patience = [down(ONE)], 0
        passed(site)
        site.now += 60
        assert site.run("freeze", ONE)[0] == 0
        site.now += 60
        site.gandi.faults = [down(ONE), down(TWO)]
        assert site.run("apply", "--yes", TWO)[0] == 1
        first, second = (site.state.zones()[zone].last_pass for zone in (ONE, TWO))
        assert second - first == 120
        site.now += 60
        assert {*passed(site).left_out} == {TWO}

    def test_about_a_zone_with_a_provider_at_rest(self, site: GandiSite, second: Gandi) -> None:
        """A provider that rests while another one of the zone goes on is asked again, too; without a word it is not."""
        asked = len(second.requests)
        site.now += 60
        passed(site)
        assert len(second.requests) == asked
        assert site.run("freeze", TWO)[0] == 0
        site.now += 1
        passed(site)
        assert len(second.requests) == asked
        assert site.run("freeze", ONE)[0] == 0
        site.now += 1
        passed(site)
        assert len(second.requests) > asked


class TestInVain:
    def test_what_a_person_asks_for_makes_no_wait_longer(self, site: GandiSite) -> None:
        """While the provider is down, commands, of which some make two passes, and words leave a zone's next try as it was; only what
        fails at its time counts."""
        site.configure(extra=(EXTRA,))
        site.gandi.faults, site.patience = [down(ONE), down(TWO)], 0
        passed(site)
        before = site.state.zones()[ONE]
        assert before.failures == 1 and before.next_try is not None
        for words in (["rotate", ONE], ["rotate", "--abort", ONE], ["apply", "--yes", ONE]):
            site.now += 10
            assert site.run(*words)[0] == 1
            assert (site.state.zones()[ONE].failures, site.state.zones()[ONE].next_try) == (1, before.next_try)
        site.now += 10
        assert site.run("confirm", "narrow", ONE)[0] == 0
        site.now += 1
        assert {*passed(site).left_out} == {TWO}
        record = site.state.zones()[ONE]
        assert (record.failures, record.next_try, record.last_pass) == (1, before.next_try, int(site.now))
        site.now = float(before.next_try)
        passed(site)
        assert site.state.zones()[ONE].failures == 2

    def test_a_provider_at_rest(self, site: GandiSite, second: Gandi) -> None:
        """The same holds for one of a zone's providers."""
        before, asked = site.state.tries(), len(second.requests)
        site.now += 10
        assert site.run("apply", "--yes", ONE)[0] == 1 and len(second.requests) > asked
        assert site.state.tries() == before


class TestAPersonWasThere:
    def test_when_the_daemon_starts(self, site: GandiSite, tmp_path: Path) -> None:
        """Its first pass that comes to anything asks a zone whatever back-off stands; later ones wait for its time, and say which that is."""
        site.configure(extra=(EXTRA,))
        site.gandi.faults, site.patience = [down(ONE)], 0
        passed(site)
        site.gandi.faults = []
        site.now += 60
        assert {*passed(site).left_out} == {ONE}, "what is no start of the daemon waits"
        away = site.exim.config.with_suffix(".away")
        with planning(site, tmp_path) as planned:
            planned.now = site.now + 60
            site.exim.config.rename(away)
            assert "the last pass failed" in planned.run()
            away.rename(site.exim.config)
            planned.now += 60
            assert "2 domains in order" in planned.run() and any(EXTRA in text for text in site.spf(ONE))
        site.configure()
        site.gandi.faults = [down(ONE)]
        with planning(site, site.folder / "state") as planned:
            planned.now = site.now + 240
            told = planned.run()
            until = moment(site.state.zones()[ONE].next_try or 0)
            assert f"failed: {ONE}; tried again from {until} on, by dnssync apply {ONE} at once; " in told
            asked, planned.now = site.gandi.faults[0].struck, planned.now + 60
            assert (
                f"left alone after a failure: {ONE}; tried again from {until} on, by dnssync apply {ONE} at once; "
                in planned.run()
            )
            assert site.gandi.faults[0].struck == asked

    def test_when_the_configuration_is_read_again(self, site: GandiSite, second: Gandi, tmp_path: Path) -> None:
        """The pass after a good SIGHUP asks every zone and every provider that rests; one after a configuration that is not taken does not."""
        good = site.config.read_text()
        site.gandi.faults = [down(TWO)]
        more = json.loads(good)
        more["zones"][TWO]["spf"] = {"extra": [EXTRA]}
        site.config.write_text(json.dumps(more))
        with planning(site, tmp_path) as planned:
            planned.daemon._scheduler.add_job(planned.daemon._pass, "interval", id="interval", seconds=900)
            planned.now = site.now + 60
            planned.run()
            for text, asked in (("zones: [", False), (json.dumps(more), True)):
                site.config.write_text(text)
                before = (site.gandi.faults[0].struck, len(second.requests))
                planned.now += 10
                planned.daemon._reload()
                planned.run(after=2)
                assert (site.gandi.faults[0].struck > before[0], len(second.requests) > before[1]) == (asked, asked)
