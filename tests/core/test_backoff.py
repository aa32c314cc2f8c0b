"""When a zone that failed is tried again."""

from __future__ import annotations

from dnssync.core.backoff import LONGEST, after_failure, due_zones, next_try

NOW = 1_795_507_200


def waits(zone: str, interval: int = 900) -> list[int]:
    """Seconds until the next try, after one failure, two, and so on."""
    return [next_try(zone, failures, NOW, interval) - NOW for failures in range(1, 13)]


def test_it_doubles_up_to_six_hours() -> None:
    """Each wait lies between three quarters of its length and all of it; the length doubles from the interval to six hours."""
    for zone in ("a.example", "b.example", "c.example"):
        for number, wait in enumerate(waits(zone)):
            whole = min(900 * 2**number, LONGEST)
            assert 0.75 * whole <= wait <= whole
    assert max(waits("a.example")) > 0.75 * LONGEST


def test_zones_that_failed_together_come_back_apart() -> None:
    """The same zone gets the same time each time it is asked for, other zones get others."""
    assert waits("a.example") == waits("a.example")
    assert len({next_try(f"z{number}.example", 6, NOW, 900) for number in range(200)}) > 150


def test_numbers_that_nobody_expects() -> None:
    """A count that grew for years, an interval of a week and one of no second: always later than now, never later than six hours."""
    for failures, interval in ((10**9, 900), (1, 7 * 86400), (1, 0), (0, 900)):
        assert NOW < next_try("a.example", failures, NOW, interval) <= NOW + LONGEST


def test_zones_that_are_due() -> None:
    """A zone is left out until its time, and not for a time that only a clock which has jumped since can have noted."""
    zones = ("a", "b", "c", "d")
    tries = {"a": NOW + 1, "b": NOW, "c": None, "d": NOW + 30 * 86400}
    assert due_zones(zones, tries, NOW) == ("b", "c", "d")
    assert due_zones(zones, tries, NOW + 1) == zones


def test_what_fails_before_its_time() -> None:
    """It keeps its count and its time, up to the very second; from then on, and after one that only a wrong clock can have noted, it counts."""
    first = after_failure("a.example", 0, None, NOW, 900)
    assert first == (1, next_try("a.example", 1, NOW, 900))
    for now in (NOW, first[1] - 1):
        assert after_failure("a.example", *first, now, 900) == first
    assert after_failure("a.example", *first, first[1], 900) == (2, next_try("a.example", 2, first[1], 900))
    wrong = NOW + 30 * 86400
    assert after_failure("a.example", 3, wrong, NOW, 900) == (4, next_try("a.example", 4, NOW, 900))
