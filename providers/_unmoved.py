"""What is looked at before a write where the other side has no prerequisites: whether the zone still is what the changes start from.

All of this is about a zone as it was read just now, as a mapping from (name, type) to RRset; nothing here asks anybody anything.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from dnssync.core.model import Change, ProviderError, RRset, StaleZone, absolute

from ._records import BESIDE

TRUST = 5.0  # seconds for which what was read is taken for what stands there
UNDO = (0.0, 0.0, 1.0, 5.0, 15.0)  # seconds before each look after a write, at whether what must not stay is out again

Found = Mapping[tuple[str, str], RRset]


def alike(now: RRset | None, before: RRset | None) -> bool:
    """Whether an RRset is what it was: the same values in any order, however they are cut or quoted, and the same TTL."""
    if now is None or before is None:
        return now is before
    return now.ttl == before.ttl and sorted(v.text for v in now.values) == sorted(v.text for v in before.values)


def unmoved(id: str, zone: str, changes: Sequence[Change], found: Found) -> None:
    """Raise `StaleZone` where a change starts from something else than stands there, and `ProviderError` where a CNAME would
    have others beside it, whichever of them is new."""
    for change in changes:
        where = absolute(change.name, zone)
        if change.old is None and change.type not in BESIDE | {"CNAME"} and beside(change, changes, found, "CNAME"):
            raise ProviderError(f"{zone}: {where} is a CNAME at {id}, and nothing may stand beside one.")
        if not alike(found.get((change.name, change.type)), change.old):
            raise stale(id, zone, change)
        if change.old is None and change.type == "CNAME" and (others := beside(change, changes, found)):
            raise ProviderError(f"{zone}: {where} has {others} at {id}, and nothing may stand beside a CNAME.")


def beside(change: Change, changes: Sequence[Change], found: Collection[tuple[str, str]], kind: str = "") -> str:
    """The types that will stand beside a new record, of those that may not: only `kind`, or every one but CNAME."""
    gone = {(each.name, each.type) for each in changes if each.new is None}
    here = {other for name, other in {*found} - gone if name == change.name} - BESIDE
    return ", ".join(sorted(here & {kind} if kind else here - {"CNAME"}))


def writing(zone: str, change: Change) -> str:
    """What begins every sentence about a change."""
    return f"{zone}: writing {absolute(change.name, zone)} {change.type}"


def stale(id: str, zone: str, change: Change) -> StaleZone:
    """What to raise where an RRset is another one than was read."""
    return StaleZone(f"{zone}: {absolute(change.name, zone)} {change.type} at {id} is not what was read any more.")


def so_far(error: ProviderError, done: int, of: int) -> ProviderError:
    """The error that stopped a write in its middle, with how far it had come."""
    told = f"{error} Before that, {done} of {of} changes were done; a later pass sees to the rest."
    return ProviderError(told, transient=error.transient)


def ordered(changes: Sequence[Change]) -> tuple[set[str], list[Change]]:
    """The names where a CNAME takes others' place or makes room for them; and the changes as they are written one by one: each of
    those names by itself, first what goes and then what comes. Then, since nothing is done yet if it has to be planned anew, what
    somebody else may write to, too; type SPF, which may be refused, last of all that comes."""
    turning = {c.name for c in changes if c.type == "CNAME"} & {c.name for c in changes if c.type != "CNAME"}

    def place(change: Change) -> tuple[bool, str, bool, bool, bool, bool]:
        here = change.name in turning
        comes = here and change.new is not None
        return (
            not here,
            change.name if here else "",
            comes,
            change.type == "SPF",
            change.old is None,
            change.new is None,
        )

    return turning, sorted(changes, key=place)
