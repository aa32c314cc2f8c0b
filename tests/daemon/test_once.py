"""Single passes of the daemon, with the clock of the test: two days without a provider, `run --once`, secrets that only root may read."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from dnssync_providers.gandi import Provider as GandiProvider

from dnssync import signing_map
from dnssync.cli.context import Context
from dnssync.cli.daemon import _opener
from dnssync.config import load
from dnssync.core.backoff import LONGEST
from dnssync.core.durations import DAY, HOUR
from dnssync.core.model import Change
from dnssync.errors import LockedError
from dnssync.lock import hold
from dnssync.one_pass import PASS, PassResult, one_pass
from tests.daemon.gandi_site import EXTRA, ONE, TWO, GandiSite, site, unapplied
from tests.gandi_faults import ERRED
from tests.http_faults import Answer, Fault

pytestmark = [pytest.mark.exim]
__all__ = ["site", "unapplied"]


def down(zone: str) -> Fault:
    """The provider fails for a zone, until it is taken out."""
    return Fault(path=f"^/domains/{zone}/", answer=Answer(500, ERRED), times=10**6)


def passed(site: GandiSite, **more: Any) -> PassResult:
    """One pass as the daemon makes it, at the moment of the test; `more`: as `one_pass` takes it."""
    opened = _opener(Context(now=lambda: site.now))

    def line(config: object) -> object:
        return opened(config, read_only=False, progress=lambda text: None)

    return one_pass(load(site.config), line, now=lambda: site.now, **more)  # type: ignore[arg-type]


class Sleepy(GandiProvider):
    """Its API is asked for patience before each write."""

    pause = 100.0

    def write(self, zone: str, changes: Sequence[Change]) -> tuple[str, ...]:
        """Once the pause is over."""
        self._sleep(self.pause)
        return super().write(zone, changes)


def test_a_pause_in_the_middle_of_writing(site: GandiSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock is held there, and a long pause is not waited for: the zones are tried again later, with nothing written. A short one is."""
    options = json.loads(site.config.read_text())["providers"]["gandi"]
    site.configure(extra=(EXTRA,), providers={"gandi": {**options, "class": "tests.daemon.test_once.Sleepy"}})
    before = {zone: site.gandi.values(zone) for zone in (ONE, TWO)}
    result = passed(site)
    assert result.report is not None and len([o for o in result.report.outcomes if o.error]) == 2
    for outcome in result.report.outcomes:
        assert f"{outcome.zone}: provider gandi wants no more requests for 100 seconds" in outcome.error
    assert {zone: site.gandi.values(zone) for zone in (ONE, TWO)} == before
    monkeypatch.setattr(Sleepy, "pause", 0.01)
    site.now += HOUR
    assert not passed(site).failed and all(any(EXTRA in text for text in site.spf(zone)) for zone in (ONE, TWO))


def test_a_word_does_not_wait_for_a_back_off(site: GandiSite) -> None:
    """A zone that failed is looked at by the next pass once somebody said something of it; one time, and then it waits again."""
    site.gandi.faults, site.patience = [down(ONE), down(TWO)], 0
    site.configure(extra=(EXTRA,))
    passed(site)
    site.now += 60
    assert {*passed(site).left_out} == {ONE, TWO}
    with hold(site.folder / "state" / "lock", who="dnssync somebody"):
        code, out = site.run("rotate", "--emergency", "--yes", ONE)
    assert code == 1 and "the next pass honours it" in " ".join(out.split()), out
    site.now += 1
    assert {*passed(site).left_out} == {TWO}
    site.now += 60
    assert {*passed(site).left_out} == {ONE, TWO}
    site.gandi.faults = []
    assert site.run("freeze", TWO)[0] == 0
    site.now += 1
    assert {*passed(site).left_out} == {ONE}


@pytest.mark.parametrize(
    ("words", "left"),
    [
        (["freeze", "--off", ONE], {TWO}),
        (["rotate", "--abort", ONE], {TWO}),
        (["confirm", "servers", ONE], {TWO}),
        (["confirm", "narrow", ONE], {TWO}),
        (["confirm", "clock"], set()),
        (["release", "--yes", ONE], {TWO}),
    ],
    ids=" ".join,
)
def test_what_is_taken_back_is_a_word_too(site: GandiSite, words: list[str], left: set[str]) -> None:
    """What ends something leaves nothing that stands, and yet the next pass looks at once; at all zones where the word is of the host."""
    site.apply()
    assert site.run("freeze", ONE)[0] == 0 and site.run("rotate", ONE)[0] in (0, 1)
    site.now += 60
    site.gandi.faults, site.patience = [down(ONE), down(TWO)], 0
    passed(site)
    site.now += 60
    assert {*passed(site).left_out} == {ONE, TWO}
    code, out = site.run(*words)
    assert code in (0, 1), out
    site.now += 1
    assert {*passed(site).left_out} == left


def test_the_last_look_keeps_the_lock(site: GandiSite) -> None:
    """Where others change something in every pause that a provider asks for, the last look is made without one, and holds."""
    looks: list[Fault] = []

    def look() -> None:
        if not looks or looks[-1].struck:
            number = len(looks)
            wait = Answer(429, ERRED, headers={"Retry-After": "2" if number < 2 else "100"})
            say = partial(site.run, "freeze", *["--off"] * (number % 2), ONE)
            looks.append(Fault("GET", f"^/domains/{TWO}/", wait, times=1, stranger=say))
            site.gandi.faults.append(looks[-1])

    site.configure(extra=(EXTRA,), one_by_one=True)  # the second zone is read after the first
    site.gandi.faults = [Fault("GET", f"^/domains/{ONE}/", stranger=look, times=10**6)]
    result = passed(site)
    assert len(looks) == 3 and result.report is not None
    assert "wants no more requests for 100 seconds" in result.report.decision.failed[TWO]


def test_a_lock_that_another_one_keeps(site: GandiSite) -> None:
    """Who takes the lock in a pause that a provider asks for, and does not give it back, ends the pass: it writes nothing without the lock."""
    site.configure(extra=(EXTRA,))
    site.gandi.faults = [Fault("GET", f"^/domains/{ONE}/", Answer(429, ERRED, headers={"Retry-After": "8"}), times=1)]
    with ExitStack() as other:
        pauses: list[float] = []

        def sleep(seconds: float) -> None:
            if not pauses:
                other.enter_context(hold(site.folder / "state" / "lock", who="dnssync somebody", wait=0))
            pauses.append(seconds)

        with pytest.raises(LockedError, match="`dnssync somebody`"):
            passed(site, sleep=sleep)
        assert pauses[0] > 1 and sum(pauses[1:]) >= 60
    assert not any(EXTRA in text for zone in (ONE, TWO) for text in site.spf(zone))
    assert not passed(site).failed and all(any(EXTRA in text for text in site.spf(zone)) for zone in (ONE, TWO))


def test_a_map_before_the_first_key(unapplied: GandiSite) -> None:
    """Where the macros name a map that is not there all mail waits: a pass begins with an empty one, and needs not come to anything."""
    unapplied.exim.map.unlink()
    unapplied.exim.config.rename(unapplied.exim.config.with_suffix(".away"))
    assert passed(unapplied).error is not None
    assert unapplied.exim.map.exists() and signing_map.read(unapplied.exim.map) == {}


def test_a_provider_that_is_down_for_two_days(site: GandiSite) -> None:
    """It is asked for ever more rarely, at least every six hours; the other zone is kept right meanwhile, exim signs on for both, and once
    the provider is back the next try makes all good."""
    site.configure(interval="1h", extra=(EXTRA,))
    lines = site.exim.map.read_text()
    fault = down(ONE)
    site.gandi.faults = [fault]
    start, tried, left = site.now, list[float](), 0
    while site.now < start + 2 * DAY:
        before, record = fault.struck, site.state.zones()[ONE]
        result = passed(site)
        assert result.error is None
        if fault.struck > before:
            assert record.next_try is None or record.next_try <= site.now
            tried.append(site.now)
        else:
            assert result.left_out == {ONE: record.next_try} and result.failed
            left += 1
        assert site.exim.map.read_text() == lines
        site.now += HOUR
    assert any(EXTRA in text for text in site.spf(TWO)) and not any(EXTRA in text for text in site.spf(ONE))
    gaps = [after - before for before, after in pairwise(tried)]
    assert gaps[0] <= HOUR and max(gaps) <= LONGEST + HOUR and gaps[-1] > 3 * HOUR
    assert 8 <= len(tried) <= 14 and left > 30
    assert site.state.zones()[ONE].failures == len(tried)
    site.gandi.faults = []
    site.now = float(site.state.zones()[ONE].next_try or 0)
    result = passed(site)
    assert not result.failed and site.state.zones()[ONE].failures == 0 and site.state.zones()[ONE].next_try is None
    assert any(EXTRA in text for text in site.spf(ONE))


def test_exit_codes_of_run_once(unapplied: GandiSite) -> None:
    """3 where a zone is refused, 0 where all is well, 1 where a zone fails, and as long as it waits for its next try."""
    site = unapplied
    code, out = site.run("run", "--once")
    assert code == 3 and f"dnssync -c {site.config} apply {ONE}" in " ".join(out.split()), out
    site.apply()
    assert site.run("run", "--once")[0] == 0
    site.gandi.put(ONE, "_dmarc", "TXT", 3600, [])
    site.gandi.faults = [down(ONE)]
    code, out = site.run("run", "--once", "--json", "-q")
    data = json.loads(out[out.index("{") :])
    assert code == data["exit"] == 1 and ONE in data["failed"], out
    asked = len(site.gandi.requests)
    code, out = site.run("run", "--once")
    assert code == 1 and "is left alone until" in " ".join(out.split()), out
    assert not [r for r in site.gandi.requests[asked:] if ONE in r.path]
    site.gandi.faults = []
    site.now += HOUR
    assert site.run("run", "--once")[0] == 0
    assert ("_dmarc", "TXT") in site.gandi.values(ONE)


def test_a_pass_that_comes_to_nothing(site: GandiSite) -> None:
    """Without exim nothing is asked of anybody: exit 1, and `status` tells of it until a pass works."""
    away = site.exim.config.with_suffix(".away")
    site.exim.config.rename(away)
    asked = len(site.gandi.requests)
    code, out = site.run("run", "--once")
    assert code == 1 and "exim cannot use its configuration" in " ".join(out.split()), out
    assert len(site.gandi.requests) == asked
    assert site.run("status")[0] == 1
    away.rename(site.exim.config)
    assert site.run("run", "--once")[0] == 0 and site.run("status")[0] == 0


def test_a_pass_that_works_ends_that_trouble_though_a_zone_is_left_out(site: GandiSite) -> None:
    """That exim could not be asked is over with the next pass that can, whether or not it looks at every zone."""
    site.configure(extra=(EXTRA,))
    site.gandi.faults = [down(ONE)]
    assert passed(site).error is None
    away = site.exim.config.with_suffix(".away")
    site.exim.config.rename(away)
    assert passed(site).error is not None and PASS in {trouble.place[:3] for trouble in site.state.troubles()}
    away.rename(site.exim.config)
    result = passed(site)
    assert {*result.left_out} == {ONE} and PASS not in {
        trouble.place[:3] for trouble in site.state.troubles() if trouble.ended is None
    }


def test_both_zones_wait(site: GandiSite) -> None:
    """Where every zone failed and none is due, a pass asks nobody, and does not take that for all zones."""
    site.configure(extra=(EXTRA,))
    site.gandi.faults = [down(ONE), down(TWO)]
    assert passed(site).report is not None
    asked = len(site.gandi.requests)
    result = passed(site)
    assert result.report is None and result.error is None and {*result.left_out} == {ONE, TWO} and result.failed
    assert len(site.gandi.requests) == asked


def test_a_secret_is_kept_and_read_anew(site: GandiSite) -> None:
    """One that this process may not read any more is known from before; one that was replaced is used as it is now."""
    opened = _opener(Context(now=lambda: site.now))
    token = site.folder / "token"

    def read() -> object:
        line = opened(load(site.config), read_only=True, progress=lambda text: None)
        return line.zones.provider("gandi").read(ONE)

    good = token.read_text()
    assert read()
    token.unlink()
    assert read()
    token.write_text("another\n")
    with pytest.raises(Exception, match="token"):
        read()
    token.write_text(good)
    assert read()


def test_a_clock_that_was_wrong_leaves_no_zone_out_for_long(site: GandiSite) -> None:
    """The time of a next try that only a wrong clock can have noted counts for nothing."""
    site.gandi.faults = [down(ONE)]
    site.configure(extra=(EXTRA,))
    now, site.now = site.now, time.time() + 365 * DAY
    assert passed(site).failed
    site.gandi.faults, site.now = [], now
    assert not passed(site).left_out and any(EXTRA in text for text in site.spf(ONE))
