"""Whether this host's clock can be trusted: the wall clock beside one that only counts, between two passes.

All waiting is measured by the wall clock. A jump of it would make seasons and overlaps seem over, so that after one nothing ends
and every wait begins anew, until both clocks have agreed for a whole season or a person says that all is well.
"""

from __future__ import annotations

from dataclasses import dataclass

from dnssync.core.durations import DAY, HOUR, MARGIN, MINUTE, duration, moment
from dnssync.core.model import Notice

SLACK = MINUTE  # by which the two may differ in any case
SLEW = 0.002  # and of the time between the passes: a clock that is being corrected is moved by up to 0.0005 (adjtime)
AWAY = DAY  # a host that was off for longer may have come back with another date; an overlap has a day of margin


@dataclass(frozen=True, slots=True)
class Reading:
    """Both clocks at one moment, in seconds: `wall` since 1970, `boot` since this boot (CLOCK_BOOTTIME: it counts sleep too),
    `boot_id` tells boots apart. `doubted`: the wall time of the last jump that is not settled yet."""

    wall: int
    boot: float
    boot_id: str
    doubted: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows: the reading to keep, whether the clock is `trusted`, and `jumped`: from which wall time, None where it did
    not jump since the last pass. `restarted`: the same for a restart over which more time went by than a season can spare, if
    what the clock says is true."""

    kept: Reading
    trusted: bool = True
    jumped: int | None = None
    restarted: int | None = None
    notices: tuple[Notice, ...] = ()


SURE = Verdict(Reading(0, 0.0, ""))  # where nobody looks


def judge(last: Reading | None, now: Reading, season: int, confirmed: bool = False) -> Verdict:
    """The clock at this pass, beside the last one. `season` in seconds; `confirmed`: a person said that it is right."""
    if last is None:
        return Verdict(now)
    gone = now.wall - last.wall
    if now.boot_id == last.boot_id:
        passed = now.boot - last.boot
        off = gone - passed
        jumped = abs(off) > SLACK + SLEW * max(passed, 0)
        what = f"jumped {'forward' if off > 0 else 'back'} by {_about(int(abs(off)))}"
    else:  # started anew in between: how long it was off, nobody knows
        jumped = gone < -SLACK or gone > AWAY
        what = (
            f"went back by {_about(-gone)} over a restart"
            if gone < 0
            else f"came back from a restart {_about(gone)} later"
        )
    doubted = last.doubted
    if jumped:
        doubted = now.wall
    elif doubted is not None and (confirmed or now.wall - doubted >= season):
        doubted = None
    kept = Reading(now.wall, now.boot, now.boot_id, doubted)
    restarted = last.wall if not jumped and now.boot_id != last.boot_id and gone - now.boot > MARGIN else None
    if doubted is None:
        return Verdict(kept, restarted=restarted)
    told = f"this host's clock {what}" if jumped else f"this host's clock jumped at {moment(doubted)}"
    sentence = (
        f"{told}. Until {moment(doubted + season)} no key is retired, revoked or deleted, and what was waiting waits anew; mail is signed "
        "as before. If the clock is right now: dnssync confirm clock"
    )
    return Verdict(kept, False, last.wall if jumped else None, restarted, (Notice("clock", sentence),))


def newer(last: Reading | None, now: Reading) -> bool:
    """Whether a reading is worth keeping in the place of the last: not every pass needs to write."""
    if last is None or (last.boot_id, last.doubted) != (now.boot_id, now.doubted):
        return True
    return not 0 <= now.wall - last.wall < HOUR


def _about(seconds: int) -> str:
    return duration(seconds - seconds % (DAY if seconds >= 2 * DAY else MINUTE) if seconds >= MINUTE else seconds)
