"""What providers by single records look at after a write: whether a record of the same kind as a new one came there in that moment.

Of two texts `v=spf1`, or two `v=dmarc1`, at a name receivers take neither (RFC 7208 §4.5, RFC 7489 §6.6.3), and an API that knows no
prerequisites lets both come. Then ours goes again by its id, theirs stays, so that there is one at any time, and all is planned anew.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence

from dnssync.core.model import Change, ProviderError, absolute

from ._by_id import ById, Reading, Record, Steps
from ._http import Api
from ._text import version
from ._unmoved import UNDO, so_far, stale

Meant = Sequence[tuple[Change, Steps]]


def kinds(change: Change, found: Steps) -> dict[str, str]:
    """The texts that a change brings, of those that say what they are (`v=spf1 …`), and what that is. Keys are left out: nobody
    else writes at a selector of ours."""
    if "_domainkey" in change.name.split("."):
        return {}
    come = (*found.come, *(value for _, value in found.turn))
    return {value.text: version(value.text) for value in come if version(value.text).startswith("v=")}


def crowded(change: Change, found: Steps, records: Iterable[Record]) -> list[Record]:
    """The records that a change brought beside which one of the same kind stands that was neither read nor asked for."""
    ours, here = kinds(change, found), [r for r in records if (r.name, r.type) == (change.name, change.type)]
    known = {value.text for side in (change.old, change.new) if side for value in side.values}
    strange = {version(record.value.text) for record in here if record.value.text not in known}
    return [record for record in here if ours.get(record.value.text) in strange]


class Alone(ById):
    """A provider that looks at it. `sleep` lets seconds pass."""

    def __init__(
        self, id: str, service: str, api: Api, now: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        super().__init__(id, service, api, now)
        self._sleep = sleep

    @abstractmethod
    def _take_out(self, zone: str, known: Reading, records: Sequence[Record], doing: str) -> None:
        """Take out records of ours, by their ids; whether they are out, or were already, is looked at afterwards."""

    def _alone(
        self, zone: str, meant: Meant, known: Reading, stopped: ProviderError | None = None
    ) -> ProviderError | None:
        """See that what was written stands alone of its kind. Returns what is to be raised then: `stopped`, which ended the write if
        anything did, or where a record was taken out again `StaleZone`, if that was the one change; None where all is well. Raises
        `ProviderError` where that cannot be seen, or a record that must not stay may still be there. `known` is how the zone was before."""
        if not any(kinds(*each) for each in meant):
            return stopped
        try:
            taken = self._taken_out(zone, meant, known)
        except ProviderError as error:
            if stopped is None:
                raise
            raise ProviderError(f"{stopped} {error}", transient=True) from None
        if stopped is not None or taken is None:
            return stopped
        moved, many = stale(self.id, zone, taken), sum(found.any for _, found in meant)
        return moved if many == 1 else so_far(moved, many - 1, many)

    def _taken_out(self, zone: str, meant: Meant, known: Reading) -> Change | None:
        """The change of which a record had to go again, and is out; None where none had to."""
        first, told = None, ""
        for number, pause in enumerate(UNDO, 1):
            if pause:
                self._sleep(pause)
            try:
                now = self._look(zone, known)
                ours = [
                    (change, record)
                    for change, found in meant
                    for record in crowded(change, found, now.records.values())
                ]
                if not ours:
                    return first[0] if first else None
                first = first or ours[0]
                if number < len(UNDO):  # the last time it is only looked
                    self._take_out(zone, now, [record for _, record in ours], f"{zone}: taking back what was added")
            except ProviderError as error:
                if first is None:
                    told = f"{error} What was to be written before that may be; whether somebody wrote a record of the same kind beside it in that moment is not known."
                    raise ProviderError(told, transient=error.transient) from None
                told = f" {error}"
        assert first is not None
        where = f"{absolute(first[0].name, zone)} {first[0].type}"
        raise ProviderError(f"{zone}: taking back what was added to {where}: another record of the same kind ({version(first[1].value.text)}), written in "
                            f"the same moment, stands there, and whether the new one is out again is not known. Look at {where} at {self.who} now: "
                            f"of two, receivers take neither, so delete one.{told}", transient=True)  # fmt: skip
