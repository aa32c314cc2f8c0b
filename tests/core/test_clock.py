"""The clock guard: the wall clock beside one that only counts, between two passes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dnssync.core.clock import AWAY, SLACK, Reading, judge
from dnssync.core.durations import DAY, HOUR
from dnssync.core.model import KeyPair, Phase
from dnssync.core.rotation import Policy, phase, rebased

WALL = 1_795_000_000
LAST = Reading(WALL, 5000.0, "boot a")
SEASON = 4200


def later(seconds: int, off: int = 0, boot: str = "boot a") -> Reading:
    """Both clocks after so many seconds, the wall clock off by so much more; of another boot, up since a minute."""
    return Reading(WALL + seconds + off, LAST.boot + seconds if boot == LAST.boot_id else 60.0, boot)


def test_first_pass() -> None:
    """Where there is nothing to compare with, the clock is believed."""
    got = judge(None, later(0), SEASON)
    assert got.trusted and got.jumped is None and got.kept == later(0) and not got.notices


@pytest.mark.parametrize(
    ("seconds", "off", "jumped"),
    [
        (900, 0, False),
        (900, SLACK, False),
        (900, -SLACK, False),
        (900, SLACK + 3, True),
        (900, -SLACK - 3, True),
        (900, DAY, True),
        (900, -DAY, True),
        (30 * DAY, 3600, False),  # drift of a clock that nothing disciplines
        (30 * DAY, -3600, False),
        (30 * DAY, 6 * HOUR, True),
    ],
)
def test_within_one_boot(seconds: int, off: int, jumped: bool) -> None:
    """A minute, and what a bad crystal drifts, is no jump; anything more is, in both directions."""
    got = judge(LAST, later(seconds, off), SEASON)
    assert (got.jumped == WALL if jumped else got.jumped is None) and got.trusted is not jumped
    assert got.kept.doubted == (WALL + seconds + off if jumped else None)


@pytest.mark.parametrize(
    ("seconds", "jumped"),
    [(60, False), (-SLACK, False), (-SLACK - 1, True), (-400 * DAY, True), (AWAY, False), (AWAY + 1, True)],
)
def test_over_a_restart(seconds: int, jumped: bool) -> None:
    """How long a host was off nobody knows: back is a jump, and so is more than a day forward."""
    got = judge(LAST, later(seconds, boot="boot b"), SEASON)
    assert (got.jumped is not None) is jumped and got.trusted is not jumped


@pytest.mark.parametrize(
    ("gone", "up", "restarted"), [(700, 60, True), (600, 60, False), (DAY, DAY - 600, False), (DAY, 60, True)]
)
def test_what_a_restart_may_hide(gone: int, up: int, restarted: bool) -> None:
    """Time that no clock counted, and that the wall clock says went by, is no part of a season; of an overlap it may be."""
    got = judge(LAST, Reading(WALL + gone, float(up), "boot b"), SEASON)
    assert got.trusted and got.jumped is None and got.restarted == (WALL if restarted else None)
    waiting = (
        replace(KEY, published=BEFORE),
        replace(KEY, activated=BEFORE, retired=BEFORE),
        replace(KEY, retired=BEFORE, revoked=BEFORE),
    )
    now = WALL + gone
    fresh = rebased(waiting, Policy(), WALL, now, restarted=True)
    assert [key.published for key in fresh[:1]] == [now] and fresh[1:] == waiting[1:]


def test_boots_are_told_apart() -> None:
    """The clock that counts begins anew with each boot: between two of them it says nothing about a jump."""
    rebooted = Reading(WALL + 900, 20.0, "boot b")
    assert judge(LAST, rebooted, SEASON).trusted
    assert not judge(LAST, replace(rebooted, boot_id="boot a"), SEASON).trusted


def test_trust_comes_back_after_a_season() -> None:
    """Once both clocks have agreed for a whole season the clock is trusted again, and not a second before."""
    jumped = judge(LAST, later(900, DAY), SEASON).kept
    for seconds, trusted in ((60, False), (SEASON - 1, False), (SEASON, True), (10 * SEASON, True)):
        got = judge(jumped, Reading(jumped.wall + seconds, jumped.boot + seconds, "boot a"), SEASON)
        assert got.trusted is trusted and got.jumped is None
        assert got.kept.doubted == (None if trusted else jumped.wall)


def test_a_second_jump_begins_anew() -> None:
    """A clock that goes on jumping is not trusted in between."""
    jumped = judge(LAST, later(900, DAY), SEASON).kept
    again = judge(jumped, Reading(jumped.wall + SEASON + DAY, jumped.boot + SEASON, "boot a"), SEASON)
    assert not again.trusted and again.jumped == jumped.wall and again.kept.doubted == jumped.wall + SEASON + DAY


def test_a_persons_word() -> None:
    """A person who says that the clock is right is believed, but not for a jump that is only just being seen."""
    assert not judge(LAST, later(900, DAY), SEASON, confirmed=True).trusted
    jumped = judge(LAST, later(900, DAY), SEASON).kept
    got = judge(jumped, Reading(jumped.wall + 60, jumped.boot + 60, "boot a"), SEASON, confirmed=True)
    assert got.trusted and got.kept.doubted is None and not got.notices


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (later(900, 2 * HOUR), "clock jumped forward by 2 h"),
        (later(900, -3 * DAY), "clock jumped back by 3 d"),
        (later(-2 * DAY, boot="boot b"), "went back by 2 d over a restart"),
        (later(400 * DAY, boot="boot b"), "came back from a restart 400 d later"),
    ],
)
def test_says_what_happened(now: Reading, told: str) -> None:
    """The notice says what the clock did, until when nothing ends, and what to do."""
    [notice] = judge(LAST, now, SEASON).notices
    assert notice.reason == "clock" and told in notice.sentence and "dnssync confirm clock" in notice.sentence


KEY = KeyPair("example.org", "s1", "rsa2048", "AAAA", WALL - 50 * DAY, season=SEASON, overlap=6 * DAY)
BEFORE = WALL - 1000


@pytest.mark.parametrize("now", [WALL, WALL - 400 * DAY, WALL + 400 * DAY])
@pytest.mark.parametrize(
    ("stamps", "begun"),
    [
        ({"seen": BEFORE, "published": BEFORE}, "published"),
        ({"activated": WALL - 40 * DAY, "retired": WALL - DAY}, "retired"),
        ({"activated": WALL - 40 * DAY, "retired": WALL - 9 * DAY, "revoked": WALL - DAY}, "revoked"),
    ],
)
def test_waits_begin_anew(stamps: dict[str, int], begun: str, now: int) -> None:
    """After a jump a wait that was running runs from now on, whichever way the clock went."""
    [key] = rebased((replace(KEY, **stamps),), Policy(), WALL, now)
    assert getattr(key, begun) == now
    assert all(at is None or at <= now for at in (key.seen, key.published, key.activated, key.retired, key.revoked))


@pytest.mark.parametrize("now", [WALL - 400 * DAY, WALL + 400 * DAY])
def test_what_is_over_stays_over(now: int) -> None:
    """A season that was over before the jump need not be waited for again; no stamp lies in the future."""
    ready = replace(KEY, seen=WALL - 40 * DAY, published=WALL - 40 * DAY)
    [key] = rebased((ready,), Policy(), WALL, now)
    assert key.published == (ready.published if now > WALL else now - SEASON) and (key.seen or 0) <= now
    assert phase(key, Policy(), now) is Phase.READY
    active = replace(ready, activated=WALL - 9 * DAY)
    [key] = rebased((active,), Policy(), WALL, now)
    assert key.activated == (active.activated if now > WALL else now) and key.retired is None


@pytest.mark.parametrize("restarted", [True, False])
def test_the_first_look_does_not_count_over_a_jump(restarted: bool) -> None:
    """The second look has to come a minute after the first, and how long ago that was is not known."""
    [key] = rebased((replace(KEY, seen=WALL - 5, published=None),), Policy(), WALL, WALL + DAY, restarted=restarted)
    assert key.seen is None and key.published is None


@pytest.mark.parametrize("retired", [None, WALL - DAY])
def test_a_key_that_signs_is_no_newer_after_a_jump_back(retired: int | None) -> None:
    """Its record stood for its season, and goes on having done so; one whose record is back since a moment ago is not made older."""
    season = 4200
    signs = replace(
        KEY,
        seen=WALL - 2 * DAY,
        published=WALL - 2 * DAY,
        activated=WALL - DAY,
        retired=retired,
        season=season,
        overlap=9 * DAY,
    )
    now = WALL - 10 * DAY
    [key] = rebased((signs,), Policy(), WALL, now)
    assert (key.published or 0) + season <= now and (key.activated or 0) <= now
    [fresh] = rebased((replace(signs, published=WALL - 60),), Policy(), WALL, now)
    assert (fresh.published or 0) + season > now
