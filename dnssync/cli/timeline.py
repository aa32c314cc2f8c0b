"""The life of a key as people see it: what happens to it next and why, and a bar over time."""

from __future__ import annotations

from collections.abc import Sequence

from dnssync.core.durations import DAY, duration, moment
from dnssync.core.model import KeyPair, Phase
from dnssync.core.rotation import Policy, due, phase

LETTERS = {
    Phase.GENERATED: "·", Phase.PUBLISHED: "░", Phase.READY: "▒", Phase.ACTIVE: "█", Phase.RETIRED: "▓",
    Phase.DUE: "-", Phase.REVOKED: "-", Phase.ENDED: "-",
}  # fmt: skip
LEGEND = "· made  ░ published  ▒ ready  █ signs  ▓ retired, its record stays  - revoked  │ now"
NARROW = 20  # columns under which a bar tells nothing


def next_step(key: KeyPair, policy: Policy, now: int, named: bool) -> tuple[str, int | None]:
    """What happens to a key next, with the reason, and when (None: not by the clock). `named`: exim's map names it."""
    at = phase(key, policy, now)
    if at is Phase.GENERATED and key.seen is None:
        return "to be seen on all name servers", None
    if at is Phase.GENERATED:
        second = (key.seen or 0) + policy.gap
        return f"a second look at all name servers, from {moment(second)}", second
    if at is Phase.PUBLISHED:
        ready = (key.published or 0) + key.season
        return f"ready at {moment(ready)}{_because(key.season, key.season_because)}", ready
    if at is Phase.READY:
        return ("exim's map names it; the next pass looks whether exim signs with it" if named else "stands by"), None
    if at is Phase.ACTIVE:
        return _active(key, policy, now, named)
    if at is Phase.RETIRED:
        if key.recalled is not None:
            return "a person called it back; it signs as soon as all name servers show it", None
        over = (key.retired or 0) + key.overlap
        return (
            f"its record stays until {moment(over)}{_because(key.overlap, key.overlap_because)}; then it is revoked",
            over,
        )
    if at is Phase.DUE:
        return "to be revoked: an empty p= on all name servers", None
    if at is Phase.REVOKED:
        gone = (key.revoked or 0) + policy.revoke
        return f"its record goes at {moment(gone)}, {duration(policy.revoke)} after it was revoked", gone
    if at is Phase.ENDED:
        return "its record is to be gone from all name servers", None
    if key.purged is None:
        return "its private half is to be deleted", None
    if key.adopted:
        return "gone; the administrator's own file of it stays", None
    return f"gone; its private half was deleted at {moment(key.purged)}", None


def _active(key: KeyPair, policy: Policy, now: int, named: bool) -> tuple[str, int | None]:
    """What a key that signs waits for."""
    if key.compromised is not None:
        return f"in wrong hands since {moment(key.compromised)}: revoked as soon as exim signs with another key", None
    until = due(key, policy)
    if until is not None and until <= now and not named:
        told = f"has served since {moment(until)}; exim's map names another key, and exim was not seen to use it"
        return f"{told}. If that stays so: dnssync exim --install", None
    if key.called is not None and until is not None and until <= now:
        return f"to be replaced, as a person said at {moment(key.called)}; signs until another key is ready", None
    if until is not None and until <= now:
        return f"has served since {moment(until)}; signs until another key is ready", None
    return f"signs; has served at {moment(until or now)}, when its successor takes over", until


def _because(seconds: int, reason: str) -> str:
    return f" ({reason})" if reason else f" ({duration(seconds)})" if seconds else ""


def bars(keys: Sequence[KeyPair], policy: Policy, now: int, width: int) -> list[str]:
    """A bar for each key, all over the same time: from the first of their births to the last of their ends that is known, at most
    half a year back. [] where there is no room."""
    if width < NARROW or not keys:
        return []
    ends = [span[-1][1] for key in keys if (span := spans(key, policy, now))]
    start, end = max(min(key.generated for key in keys), now - 180 * DAY), max(*ends, now + DAY)
    scale = (end - start) / width
    drawn = []
    for key in keys:
        row = [" "] * width
        for begin, until, at in spans(key, policy, now):
            if until <= start:
                continue
            first, last = int((max(begin, start) - start) / scale), int((until - start) / scale)
            row[first : max(last, first + 1)] = LETTERS[at] * (max(last, first + 1) - first)
        row = row[:width]
        row[min(int((now - start) / scale), width - 1)] = "│"
        drawn.append("".join(row).rstrip())
    return drawn


def spans(key: KeyPair, policy: Policy, now: int) -> list[tuple[int, int, Phase]]:
    """The phases of a key's life as (from, until, phase), those to come as far as the clock alone decides them."""
    retired = key.retired if key.retired is not None else (due(key, policy) if key.activated is not None else None)
    if retired is not None and key.retired is None:
        retired = max(retired, now)
    ready = key.published + key.season if key.published is not None else None
    over = retired + (0 if key.compromised else key.overlap) if retired is not None else None
    revoked = key.revoked if key.revoked is not None else over
    gone = key.removed if key.removed is not None else (revoked + policy.revoke if revoked is not None else None)
    marks = [(key.generated, Phase.GENERATED), (key.published, Phase.PUBLISHED), (ready, Phase.READY), (key.activated, Phase.ACTIVE),
             (retired, Phase.RETIRED), (over, Phase.DUE), (gone, None)]  # fmt: skip
    known: list[tuple[int, Phase | None]] = [(at, name) for at, name in marks if at is not None]
    if known[-1][1] is not None:
        known.append((max(now, known[-1][0]), None))
    rows = []
    for number, (begin, name) in enumerate(known[:-1]):
        until = min(at for at, _ in known[number + 1 :])
        if name is not None and until > begin:
            rows.append((begin, until, name))
    return rows
