"""Hetzner Cloud's DNS asked: every request of the provider, and what its answers mean for a zone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from dnssync.core.model import Change, ProviderError, StaleZone, absolute

from . import _hetzner as hetzner
from ._by_value import apart, put, succeeds
from ._http import Api, Reply
from ._pages import MOST_PAGES, Pages
from ._unmoved import writing

PAGE = 100  # the most that is given
WAITS = (0.2, 0.5, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0)  # seconds before each look at an action that is under way
BUSY = (0.5, 1.0, 2.0)  # seconds before each new try where nothing was done, and soon may be
BUSY_CODES = frozenset({"conflict", "locked", "rate_limit_exceeded"})
UNKNOWN = "Whether the change was made is not known; a later pass reads the zone"
SECONDARY = "only copies this zone from another primary. Let dnssync write to that one"
PROTECTED = (
    "says that this is protected from changes. Take the protection away in the Console, or leave that record out"
)
NO_ZONE = (
    "has no such zone, or it is in another project than the token. Move the zone from the old DNS Console, or make a token in the project "
    "that has it. No zone is ever created"
)
WORDS = {"incorrect_zone_mode": SECONDARY, "protected": PROTECTED}  # what the vendor's codes mean


class NotTaken(ProviderError):
    """A change that was turned away for now: nothing of it was done."""


def may_be_done(change: Change, error: ProviderError) -> bool:
    """Whether something of a change may be done that ended with an error: the request itself, or an action before it."""
    gone, come = apart(change)
    several = (gone and come and not succeeds(change)) or (
        change.old and change.new and change.new.ttl != change.old.ttl
    )
    return bool(several) or (error.transient and not isinstance(error, StaleZone | NotTaken))


class Client:
    """The API for one token; `now` is a clock in seconds."""

    def __init__(self, id: str, api: Api, now: Callable[[], float]) -> None:
        self.who = f"Hetzner (provider {id})"
        self._api, self._now, self._pause = api, now, api.pause
        self.refused, self.words = api.refused, api.words

    # --- looking ----------------------------------------------------------------------------------------------------

    def all(self, zone: str, known: hetzner.Reading | None = None) -> hetzner.Reading:
        """The whole zone; its own TTL as it is `known`. Raises `ProviderError` where the pages do not come to what the API itself counts."""
        return self._look(zone, known.ttl if known else self._ttl(zone), {}, f"{zone}: reading the zone")

    def named(self, zone: str, name: str, known: hetzner.Reading) -> hetzner.Reading:
        """A reading with everything at one name as it stands now; how old the rest is, `at` goes on telling."""
        doing = f"{zone}: reading {absolute(name, zone)}"
        now = self._look(zone, known.ttl, {"name": hetzner.spelled(name)}, doing)
        if any(other != name for other, _ in now.rrsets):
            raise self.error(doing, "answered with the records of another name. Nothing is taken from it")
        shut = {key for key in known.protected if key[0] != name}
        rrsets, comments = put(known.rrsets, name, now.rrsets), put(known.comments, name, now.comments)
        return replace(known, rrsets=rrsets, protected=now.protected | shut, comments=comments)

    def _ttl(self, zone: str) -> int:
        """The TTL of RRsets that have none of their own. Raises `ProviderError` where the zone is not to be changed here."""
        doing = f"{zone}: reading the zone"
        reply = self._call("GET", hetzner.path(zone), doing)
        told = reply.data.get("zone") if isinstance(reply.data, dict) else None
        if not isinstance(told, dict) or told.get("name") != zone or type(told.get("ttl")) is not int:
            raise self.error(doing, "answered with something that is no zone of that name. Nothing is taken from it")
        if told.get("mode") == "secondary":
            raise self.error(doing, SECONDARY)
        ttl: int = told["ttl"]
        return ttl

    def _look(self, zone: str, ttl: int, params: dict[str, Any], doing: str) -> hetzner.Reading:
        at, totals, pages = self._now(), set[int](), Pages(zone, doing, self.who)
        shut, comments = set[hetzner.Key](), dict[hetzner.Key, dict[str, str]]()
        for number in range(1, MOST_PAGES + 1):
            params = {**params, "page": number, "per_page": PAGE, "sort": "id"}
            reply = self._call("GET", hetzner.path(zone, "rrsets"), doing, params=params)
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

    def act(self, zone: str, change: Change, what: str, body: Any, expect: Sequence[int] = ()) -> Reply:
        """Begin an action with a change's RRset, "" to make it, and wait for its end. Returns its answer; one of `expect` has begun none.
        Where others write, a request that sets a whole RRset is not made again: what they wrote would go with it."""
        doing, name = writing(zone, change), hetzner.spelled(change.name)
        path = hetzner.path(zone, "rrsets", *((name, change.type, "actions", what) if what else ()))
        for wait in (None,) if what == "set_records" else (*BUSY, None):
            reply = self._call("POST", path, doing, body=body, expect=(*expect, 409, 423, 429))
            if hetzner.code(reply) not in BUSY_CODES:
                break
            if wait is None:
                raise NotTaken(f"{doing}: {self.who} takes no change just now: {self.words(reply)}. Nothing was done; a later pass tries "
                               "again.", transient=True)  # fmt: skip
            self._pause(wait, doing)
        if reply.status in expect:
            return reply
        if reply.status >= 400:
            raise self.refused(reply, doing)
        self._finished(doing, reply)
        return reply

    def _finished(self, doing: str, reply: Reply) -> None:
        """Wait until an action has come to its end; raises where that is none, or not a good one."""
        for wait in (*WAITS, None):
            action = reply.data.get("action") if isinstance(reply.data, dict) else None
            if not isinstance(action, dict) or type(action.get("id")) is not int:
                raise self.error(doing, f"answered with something that is no action. {UNKNOWN}", transient=True)
            if action.get("status") == "success":
                return
            if action.get("status") == "error":
                told = self.words(replace(reply, data=action))
                raise self.error(doing, f"began the change and could not end it: {told}. A later pass reads the zone and tries again",
                                 transient=True)  # fmt: skip
            if wait is not None:
                self._pause(wait, f"{doing}: asking whether it is done")
                reply = self._call("GET", f"/zones/actions/{action['id']}", f"{doing}: asking whether it is done")
        raise self.error(doing, f"has not done it within {sum(WAITS):g} seconds. {UNKNOWN}", transient=True)

    # --- asking -----------------------------------------------------------------------------------------------------

    def _call(self, method: str, path: str, doing: str, *, expect: Sequence[int] = (), **sent: Any) -> Reply:
        """A request about a zone. A 404 that is not expected means that the project has no such zone."""
        reply = self._api.call(method, path, doing, expect=(*expect, 403, 404, 422), **sent)
        if (what := WORDS.get(hetzner.code(reply))) or (reply.status == 404 and 404 not in expect):
            raise self.error(doing, what or NO_ZONE)
        if reply.status in (403, 422) and reply.status not in expect:
            raise self.refused(reply, doing)
        return reply

    def error(self, doing: str, what: str, *, transient: bool = False) -> ProviderError:
        """A sentence about what Hetzner said or did; `doing` begins it."""
        return ProviderError(f"{doing}: {self.who} {what}.", transient=transient)
