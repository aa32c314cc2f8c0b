"""Hetzner Cloud's DNS asked: every request of the provider, and what its answers mean for a zone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from dnssync.core.model import ProviderError, absolute

from . import _hetzner as hetzner
from ._http import Api, Reply
from ._pages import MOST_PAGES, Pages

PAGE = 100  # the most that is given
WAITS = (0.2, 0.5, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0)  # seconds before each look at an action that is under way
BUSY = (0.5, 1.0, 2.0)  # seconds before each new try where nothing was done, and soon may be
BUSY_CODES = frozenset({"conflict", "locked", "rate_limit_exceeded"})


class Client:
    """The API for one token; `now` is a clock in seconds, and `sleep` lets time pass."""

    def __init__(self, id: str, api: Api, now: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self.who = f"Hetzner (provider {id})"
        self._api, self._now, self._sleep = api, now, sleep
        self.refused, self.words = api.refused, api.words

    # --- looking ----------------------------------------------------------------------------------------------------

    def zone(self, zone: str) -> int:
        """The TTL of RRsets that have none of their own. Raises `ProviderError` where the zone is not to be changed here."""
        doing = "reading the zone"
        reply = self._call("GET", hetzner.domain(zone), zone, doing)
        told = reply.data.get("zone") if isinstance(reply.data, dict) else None
        if not isinstance(told, dict) or told.get("name") != zone or type(told.get("ttl")) is not int:
            raise self.error(
                zone, doing, "answered with something that is no zone of that name. Nothing is taken from it"
            )
        if told.get("mode") == "secondary":
            raise self.error(zone, doing, "only copies this zone from another primary. Let dnssync write to that one")
        ttl: int = told["ttl"]
        return ttl

    def all(self, zone: str, ttl: int) -> hetzner.Reading:
        """The whole zone. Raises `ProviderError` where the pages do not come to what the API itself counts."""
        return self._look(zone, ttl, {}, "reading the zone")

    def named(self, zone: str, name: str, known: hetzner.Reading) -> hetzner.Reading:
        """A reading with everything at one name as it stands now; how old the rest is, `at` goes on telling."""
        doing = f"reading {absolute(name, zone)}"
        now = self._look(zone, known.ttl, {"name": hetzner.spelled(name)}, doing)
        if any(other != name for other, _ in now.rrsets):
            raise self.error(zone, doing, "answered with the records of another name. Nothing is taken from it")
        rest = {key: rrset for key, rrset in known.rrsets.items() if key[0] != name}
        shut = {key for key in known.protected if key[0] != name}
        return replace(
            known,
            rrsets=rest | now.rrsets,
            protected=now.protected | shut,
            comments=known.comments | now.comments,
        )

    def _look(self, zone: str, ttl: int, params: dict[str, Any], doing: str) -> hetzner.Reading:
        at, totals, pages = self._now(), set[int](), Pages(zone, f"{zone}: {doing}", self.who)
        shut, comments = set[hetzner.Key](), dict[hetzner.Key, dict[str, str]]()
        for number in range(1, MOST_PAGES + 1):
            params = {**params, "page": number, "per_page": PAGE, "sort": "id"}
            reply = self._call("GET", hetzner.rrsets(zone), zone, doing, params=params)
            entries = reply.data.get("rrsets") if isinstance(reply.data, dict) else None
            for entry in entries if isinstance(entries, list) else [None]:
                rrset = pages.add(hetzner.told(entry, zone, ttl))
                comments[rrset.key] = hetzner.comments(entry)
                shut |= {rrset.key} if hetzner.protected(entry) else set()
            told = hetzner.total(reply)
            if told is None:
                raise pages.uncounted()
            totals |= {told[0]} if told[0] is not None else set()
            if told[1] is None:
                break
        else:
            raise pages.endless()
        pages.whole(totals)
        return hetzner.Reading(at, pages.rrsets, frozenset(shut), comments, ttl, number)

    # --- acting -----------------------------------------------------------------------------------------------------

    def act(self, zone: str, doing: str, path: str, body: Any, expect: Sequence[int] = ()) -> Reply:
        """A request that begins an action, which is waited for. Returns its answer; one of `expect` has begun none. Where others write, a
        request that sets a whole record set is not made again: what they wrote would go with it."""
        for wait in (None,) if path.endswith("/set_records") else (*BUSY, None):
            reply = self._call("POST", path, zone, doing, body=body, expect=(*expect, 409, 423, 429))
            if hetzner.code(reply) not in BUSY_CODES:
                break
            if wait is None:
                raise self.error(zone, doing, f"takes no change just now: {self.words(reply)}. Nothing was done; the next pass tries "
                                 "again", transient=True)  # fmt: skip
            self._sleep(wait)
        if reply.status >= 400:
            if reply.status in expect:
                return reply
            raise self.refused(reply, f"{zone}: {doing}")
        self._finished(zone, doing, reply)
        return reply

    def _finished(self, zone: str, doing: str, begun: Reply) -> None:
        """Wait until an action has come to its end; raises where that is none, or not a good one."""
        reply = begun
        for wait in (*WAITS, None):
            action = reply.data.get("action") if isinstance(reply.data, dict) else None
            if not isinstance(action, dict) or type(action.get("id")) is not int:
                raise self.error(zone, doing, "answered with something that is no action. Whether the change was made is not known; the "
                                 "next pass reads the zone", transient=True)  # fmt: skip
            if action.get("status") == "success":
                return
            if action.get("status") == "error":
                told = self.words(replace(reply, data=action))
                raise self.error(zone, doing, f"began the change and could not end it: {told}. The next pass reads the zone and tries again",
                                 transient=True)  # fmt: skip
            if wait is None:
                break
            self._sleep(wait)
            reply = self._call("GET", f"/zones/actions/{action['id']}", zone, f"{doing}: asking whether it is done")
        raise self.error(zone, doing, f"has not done it within {sum(WAITS):g} seconds. Whether the change was made is not known; the next pass "
                         "reads the zone", transient=True)  # fmt: skip

    # --- asking -----------------------------------------------------------------------------------------------------

    def _call(self, method: str, path: str, zone: str, doing: str, *, expect: Sequence[int] = (), **sent: Any) -> Reply:
        """A request about a zone. A 404 that is not expected means that the project has no such zone."""
        reply = self._api.call(method, path, f"{zone}: {doing}", expect=(*expect, 403, 404, 422), **sent)
        if hetzner.code(reply) == "incorrect_zone_mode":
            raise self.error(zone, doing, "only copies this zone from another primary. Let dnssync write to that one")
        if hetzner.code(reply) == "protected":
            raise self.error(zone, doing, "says that this is protected from changes. Take the protection away in the Console, or leave "
                             "that record out")  # fmt: skip
        if reply.status == 404 and 404 not in expect:
            raise self.error(zone, doing, "has no such zone, or it is in another project than the token. Move the zone from the old DNS Console, "
                             "or make a token in the project that has it. No zone is ever created")  # fmt: skip
        if reply.status in (403, 422) and reply.status not in expect:
            raise self.refused(reply, f"{zone}: {doing}")
        return reply

    def error(self, zone: str, doing: str, what: str, *, transient: bool = False) -> ProviderError:
        """A sentence about what Hetzner said or did."""
        return ProviderError(f"{zone}: {doing}: {self.who} {what}.", transient=transient)
