"""What providers share whose API knows an RRset's values one by one, and a zone by its names: Gandi LiveDNS, Hetzner Cloud,
PowerDNS.

What a change means for single values, what is to be seen of it afterwards, and a reading in which some names are looked at again.
Nothing here asks anybody anything by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from dnssync.core.model import Change, ProviderError, RRset, Value

from ._text import version

T = TypeVar("T")
R = TypeVar("R", bound=Any)


def apart(change: Change) -> tuple[list[Value], list[Value]]:
    """The values that go, and those that come, none twice; what only is spelled otherwise does neither."""
    before, after = (each.values if each else () for each in (change.old, change.new))
    stay = {value.text for value in before} & {value.text for value in after}
    gone, come = (dict.fromkeys(value for value in values if value.text not in stay) for values in (before, after))
    return [*gone], [*come]


def texts(values: Sequence[Value] | RRset | None) -> set[str]:
    """The texts of values, or of an RRset if there is one."""
    return {value.text for value in (values.values if isinstance(values, RRset) else values or ())}


def amiss(change: Change, now: RRset | None) -> bool:
    """Whether a value that was to come is not there, or one that was to go still is. A stranger's that is missing, they took out."""
    gone, come = map(texts, apart(change))
    return bool(come - texts(now) or gone & texts(now))


def twins(change: Change, now: RRset | None) -> set[str]:
    """The kinds (`v=spf1`) of which a record of somebody else's came there beside a new one: of two, receivers take neither."""
    strange = texts(now) - texts(change.old) - texts(change.new)
    return set(map(version, strange)) & {version(value.text) for value in apart(change)[1]}


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
