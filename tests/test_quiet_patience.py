"""How many zones are read in a pass for being due, and which: a provider's rate limit never sees a burst, and no zone waits for ever."""

from __future__ import annotations

from dnssync.config_check import Schedule
from dnssync.core.durations import DAY
from dnssync.quiet import SOME, deep_due, patient
from dnssync.state import ZoneRecord

NOW = 1_800_000_000
RHYTHM = Schedule(interval=900, deep=DAY)


def records(count: int, last_read: int, result: str = "ok", word: str = "zone") -> dict[str, ZoneRecord]:
    """Zones that were read last at a moment."""
    names = [f"{word}{number}.example" for number in range(count)]
    return {name: ZoneRecord(name, last_read=last_read, last_pass=NOW, result=result, rrsets=1) for name in names}


def test_ten_thousand_that_are_due_at_once() -> None:
    """Twice as many as fall due in a pass are read, those first that have been due for longest; all of them within a quarter of a day."""
    zones = records(10_000, NOW - 2 * DAY)
    waiting = patient(zones, zones, RHYTHM, NOW)
    read = {*zones} - waiting
    assert len(read) == 417  # 2 * 10,000 * 900 s / 12 h
    assert max(deep_due(zones[z], DAY) for z in read) <= min(deep_due(zones[z], DAY) for z in waiting)
    assert patient(records(SOME, 0), records(SOME, 0), RHYTHM, NOW) == frozenset()
    assert len(patient(records(SOME + 5, 0), records(SOME + 5, 0), RHYTHM, NOW)) == 5


def test_what_is_read_anyway_takes_no_ones_turn() -> None:
    """Zones that are refused, or failed, are read in each pass, and never come to be read well: others are read all the same."""
    good = records(100, NOW - 2 * DAY)
    bad = records(900, NOW - 30 * DAY, "refused: something", "bad")
    zones = {**good, **bad}
    assert len({*good} - patient(zones, zones, RHYTHM, NOW)) == 42


def test_a_clock_that_went_back() -> None:
    """Zones that were read in the future are due, but not all of them at once; and none waits that was never read, or is not due."""
    zones = records(1000, NOW + 30 * DAY)
    assert len(patient(zones, zones, RHYTHM, NOW)) == 1000 - 42
    assert patient({}, zones, RHYTHM, NOW) == frozenset()
    fresh = records(1000, NOW - 60)
    assert patient(fresh, fresh, RHYTHM, NOW) == frozenset()
    assert patient(zones, zones, Schedule(interval=DAY, deep=900), NOW) == frozenset()
