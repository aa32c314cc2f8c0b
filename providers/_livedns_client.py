"""Gandi LiveDNS asked: every request of the provider, and what its answers mean for a zone."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from dnssync.core.model import Change, ProviderError, RRset, absolute

from . import _livedns as livedns
from ._by_value import put
from ._http import Api, Reply
from ._pages import MOST_PAGES, Pages

PAGE = 500  # the API's own default; more is answered with less
NO_ANSWER = frozenset(range(400, 500)) - {401, 408, 429}  # to a question of which Gandi may know nothing


class Client:
    """The API for one token: `params` go with every request, `now` is a clock in seconds."""

    def __init__(self, id: str, api: Api, params: Mapping[str, str], now: Callable[[], float] = time.monotonic) -> None:
        self.who = f"Gandi (provider {id})"
        self._api, self._params, self._now = api, dict(params), now
        self.words, self.refused = api.words, api.refused

    def types(self, zone: str) -> frozenset[str]:
        """The types of records that are taken today; none where Gandi does not answer that question (any more)."""
        doing = f"{zone}: asking which types there are"
        reply = self._api.call("GET", "/dns/rrtypes", doing, params=self._params, expect=NO_ANSWER)
        return frozenset(map(str, reply.data)) if isinstance(reply.data, list) else frozenset()

    def all(self, zone: str) -> livedns.Reading:
        """The whole zone. Raises `ProviderError` where the pages do not come to what the API itself counts."""
        doing = f"{zone}: reading the zone"
        at = self._now()
        pages = Pages(zone, doing, self.who)  # names in their case
        totals: set[int] = set()
        for page in range(1, MOST_PAGES + 1):
            params = {"page": page, "per_page": PAGE}
            reply = self.call("GET", f"{livedns.domain(zone)}/records", doing, params=params)
            for entry in self._list(reply, doing):
                pages.add(livedns.told(entry, zone), entry.get("rrset_name") if isinstance(entry, dict) else None)
            count = reply.headers.get("Total-Count", "")
            totals |= {int(count[:9])} if count.isascii() and count.isdecimal() else set()  # a lie may be of any length
            if not reply.data or (totals and len(pages.rrsets) >= max(totals) and len(reply.data) < PAGE):
                break
        else:
            raise pages.endless()
        pages.whole(totals)
        return livedns.collected(at, pages.rrsets, page)

    def one(self, zone: str, change: Change, known: livedns.Reading) -> RRset | None:
        """The RRset of a change as it stands now, None where there is none."""
        doing = f"{zone}: reading {absolute(change.name, zone)} {change.type}"
        path = livedns.path(zone, known.spelling(change.name, change.type), change.type)
        reply = self.call("GET", path, doing, expect=(404,))
        found = None if reply.status == 404 else replace(self._rrset(reply.data, zone, doing), name=change.name)
        return found if found and found.values else None

    def named(self, zone: str, name: str, known: livedns.Reading) -> livedns.Reading:
        """A reading with everything at one name as it stands now; how old the rest is, `at` goes on telling."""
        doing = f"{zone}: reading {absolute(name, zone)}"
        spellings = {spelled for (other, _), spelled in known.spelled.items() if other == name} or {name or "@"}
        found: dict[tuple[str, str], RRset] = {}
        for spelled in sorted(spellings):
            if not spelled:
                return self.all(zone)  # it stands in two spellings
            path = f"{livedns.domain(zone)}/records/{quote(spelled, safe='@*')}"
            reply = self._api.call("GET", path, doing, params=self._params, expect=(404,))
            if reply.status == 404 and not livedns.missing(reply):
                return self.all(zone)  # whether the name is meant or the zone is seen there
            for entry in self._list(reply, doing) if reply.status != 404 else ():
                rrset = self._rrset(entry, zone, doing)
                if rrset.name != name:
                    raise ProviderError(
                        f"{doing}: {self.who} answered with the records of another name. Nothing is taken from it."
                    )
                found[entry["rrset_name"], rrset.type] = rrset
        now = livedns.collected(known.at, found, known.pages)
        rrsets, names = put(known.rrsets, name, now.rrsets), put(known.spelled, name, now.spelled)
        return replace(known, rrsets=rrsets, spelled=names)

    def _list(self, reply: Reply, doing: str) -> list[Any]:
        """The list of an answer; raises where it is none."""
        if isinstance(reply.data, list):
            return reply.data
        raise ProviderError(
            f"{doing}: {self.who} answered with something that is no list of records. Nothing is taken from it."
        )

    def _rrset(self, entry: Any, zone: str, doing: str) -> RRset:
        """One RRset of an answer; raises where it is none."""
        rrset = livedns.told(entry, zone)
        if rrset is None:
            raise ProviderError(f"{doing}: {self.who} answered with something that is no record set. Nothing is taken "
                                "from it.")  # fmt: skip
        return rrset

    def call(
        self, method: str, path: str, doing: str, *, params: Any = None, body: Any = None, expect: Sequence[int] = ()
    ) -> Reply:
        """A request about a zone. A 404 that speaks of no record means the zone: it is not there, or not for this token."""
        params = {**self._params, **(params or {})}
        reply = self._api.call(method, path, doing, params=params, body=body, expect=(*expect, 404))
        if reply.status != 404 or (livedns.missing(reply) and 404 in expect):
            return reply
        raise self._api.refused(reply, doing) if livedns.missing(reply) else self._no_zone(reply, doing)

    def _no_zone(self, reply: Reply, doing: str) -> ProviderError:
        words = self._api.words(reply)
        told = f" ({words})" if words else ""
        hint = "" if self._params else " A reseller's domain needs `sharing_id`."
        return ProviderError(f"{doing}: {self.who} has no such zone, or the token may not see it{told}. See that the "
                             f"domain uses LiveDNS, and which domains the token is for.{hint} No zone is ever created.")  # fmt: skip
