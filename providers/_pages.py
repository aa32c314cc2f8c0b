"""A zone that an API shows in pages: put together, and not taken for whole where it is not."""

from __future__ import annotations

from collections.abc import Collection

from dnssync.core.model import ProviderError, RRset, absolute

MOST_PAGES = 1000


class Pages:
    """The RRsets of a zone's pages, by name (as the API spells it) and type. `doing` begins every sentence; `who` is the API."""

    def __init__(self, zone: str, doing: str, who: str) -> None:
        self.rrsets: dict[tuple[str, str], RRset] = {}
        self._zone, self._says = zone, f"{doing}: {who}"

    def add(self, rrset: RRset | None, spelled: str | None = None) -> RRset:
        """One more. Raises `ProviderError` where it is none (None), or is there already."""
        if rrset is None:
            raise ProviderError(
                f"{self._says} answered with something that is no record set. Nothing is taken from it."
            )
        key = (rrset.name if spelled is None else spelled, rrset.type)
        if key in self.rrsets:
            raise ProviderError(f"{self._says} shows {absolute(rrset.name, self._zone)} {rrset.type} on two pages; the zone changed while it "
                                "was read. A later pass reads again.", transient=True)  # fmt: skip
        self.rrsets[key] = rrset
        return rrset

    def whole(self, totals: Collection[int]) -> None:
        """Raise `ProviderError` where these are not as many as the API itself counts; no total: it does not tell."""
        complete(self._says, "record sets", totals, len(self.rrsets))

    def uncounted(self) -> ProviderError:
        """What to raise where a page does not say what the API always says of a list: then it may be one of several."""
        return ProviderError(f"{self._says} does not say how many record sets there are. Nothing is taken from it.")

    def endless(self) -> ProviderError:
        """What to raise after `MOST_PAGES`."""
        return ProviderError(f"{self._says} shows no end after {MOST_PAGES} pages. Nothing is taken from them.")


def complete(says: str, what: str, totals: Collection[int], shown: int) -> None:
    """Raise `ProviderError` where so many were shown, and the pages say another total."""
    if set(totals) - {shown}:
        counted = " then ".join(map(str, sorted(totals)))
        raise ProviderError(f"{says} counts {counted} {what} and shows {shown}; the zone changed meanwhile, or a page is missing. Nothing "
                            "is taken from it; a later pass reads again.", transient=True)  # fmt: skip
