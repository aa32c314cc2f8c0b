"""What providers share whose API knows an RRset's values one by one, and a zone by its names: Gandi LiveDNS, Hetzner Cloud,
PowerDNS.

What a change means for single values, what is to be seen of it afterwards, how ours is taken back where it may not stay, and a
reading in which some names are looked at again. Nothing here asks anybody anything by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from dnssync.core.model import Change, ProviderError, RRset, Value, absolute

from ._text import version
from ._unmoved import UNDO, stale

ENOUGH = 120.0  # seconds after which no more looks are begun

T = TypeVar("T")
R = TypeVar("R", bound=Any)


def apart(change: Change) -> tuple[list[Value], list[Value]]:
    """The values that go, and those that come, none twice; what only is spelled otherwise does neither."""
    before, after = (each.values if each else () for each in (change.old, change.new))
    stay = {value.text for value in before} & {value.text for value in after}
    gone, come = (dict.fromkeys(value for value in values if value.text not in stay) for values in (before, after))
    return [*gone], [*come]


def succeeds(change: Change) -> bool:
    """Whether a value comes in place of one of its kind."""
    gone, come = ({version(value.text) for value in values} for values in apart(change))
    return bool(gone & come)


def texts(values: Sequence[Value] | RRset | None) -> set[str]:
    """The texts of values, or of an RRset if there is one."""
    return {value.text for value in (values.values if isinstance(values, RRset) else values or ())}


def amiss(change: Change, now: RRset | None) -> bool:
    """Whether a value that was to come is not there, or one that was to go still is. A stranger's that is missing, they took out."""
    gone, come = map(texts, apart(change))
    return bool(come - texts(now) or gone & texts(now))


def crowding(change: Change, now: RRset | None) -> list[Value]:
    """Of the values that a change added, as they were read, those beside which a record of the same kind (`v=spf1`) stands that was
    not to be there."""
    new, others = texts(apart(change)[1]), {version(text) for text in texts(now) - texts(change.new)}
    return [value for value in now.values if value.text in new and version(value.text) in others] if now else []


def alone(
    id: str,
    who: str,
    zone: str,
    changes: Sequence[Change],
    now: Callable[[], float],
    sleep: Callable[[float], None],
    look: Callable[[], R],
    take_out: Callable[[R, Sequence[tuple[Change, Value]]], None],
    *,
    failed: ProviderError | None = None,
) -> R:
    """What stands there after a write, by `look` (with `rrsets`), where no new record has another one of its kind beside it.

    Where one has, which somebody wrote in that moment, ours goes again by `take_out`, theirs stays, and `StaleZone` has the plan made
    anew: of two, receivers take neither. Raises `ProviderError` where that cannot be seen to be done, or nothing be seen at all. A write
    that `failed` may be done all the same: where one look fails, too, that error is raised, and else it is the caller's.
    """
    taken, told, pauses, begun = None, "", [*UNDO], now()
    while pauses and now() - begun <= ENOUGH:  # one that hangs may not keep all other zones waiting
        try:
            if pause := pauses.pop(0):
                sleep(pause)
            found = look()
            crowded = [
                (change, v)
                for change in changes
                for v in crowding(change, found.rrsets.get((change.name, change.type)))
            ]
            if not crowded:
                break
            if taken is None:  # from now on, it is seen whether it helped
                taken, pauses = crowded[0], [*UNDO[1:]]
            take_out(found, crowded)
        except ProviderError as error:
            if failed and taken is None:
                raise failed from None
            told = f" {error}"
    else:
        raise look_now(zone, who, changes, taken, told)
    if taken is not None:
        raise stale(id, zone, taken[0])
    return found


def look_now(
    zone: str, who: str, changes: Sequence[Change], taken: tuple[Change, Value] | None, told: str
) -> ProviderError:
    """What to raise where a person has to look at once: two records of a kind may stand there, the one that is to be `taken` out, and another."""
    where = [f"{absolute(change.name, zone)} {change.type}" for change in ([taken[0]] if taken else changes)]
    if taken is None:
        more = f" and {len(where) - 1} record sets more" if where[1:] else ""
        return ProviderError(f"{zone}: looking at what was written to {where[0]}{more}: what stands there is not known, nor whether somebody wrote "
                             f"another record of the same kind in the same moment. Look at {', '.join(where)} at {who} now: of two, receivers "
                             f"take neither, so delete one.{told}", transient=True)  # fmt: skip
    return ProviderError(f"{zone}: taking back what was added to {where[0]}: another record of the same kind ({version(taken[1].text)}) stands "
                         "there, from before or written in the same moment, and whether the new one is out again is not known. Look at "
                         f"{where[0]} at {who} now: of two, receivers take neither, so delete one.{told}", transient=True)  # fmt: skip


def lost(change: Change, now: RRset | None) -> set[str]:
    """The values of others that a change left as they were, and that are not there any more."""
    return (texts(change.old) & texts(change.new)) - texts(now)


def missing(doing: str, who: str, gone: set[str]) -> ProviderError:
    """What to raise where values are `lost`."""
    return ProviderError(f"{doing}: {who} took the change and does not show a value of others any more that stood there before: "
                         f"{min(gone)[:60]!a}. If nobody took it out in this moment, put it in again.")  # fmt: skip


def something_else(doing: str, who: str) -> ProviderError:
    """What to raise where `amiss`; `doing` begins the sentence, `who` is the API."""
    return ProviderError(f"{doing}: {who} took the change and shows something else than was asked for. Look at the record there; a "
                         "later pass reads it again.")  # fmt: skip


def put(known: Mapping[tuple[str, str], T], name: str, now: Mapping[tuple[str, str], T]) -> dict[tuple[str, str], T]:
    """What is known of a zone by name and type, with `now` in place of all at one name."""
    return {key: each for key, each in known.items() if key[0] != name} | {**now}


def again(
    changes: Sequence[Change],
    known: R | None,
    now: Callable[[], float],
    whole: Callable[[], R],
    named: Callable[[str, R], R],
) -> R:
    """A reading (with `at` and `pages`) with the names of the changes as they stand now, or the whole zone where that is less."""
    at, names = now(), sorted({change.name for change in changes})
    if known is None or known.pages <= len(names):
        return whole()
    for name in names:
        known = named(name, known)
    return replace(known, at=at)
