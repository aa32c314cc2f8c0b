"""deSEC (https://desec.readthedocs.io; its source is github.com/desec-io/desec-stack), API version 1.

    read    GET   /domains/{zone}/          the smallest TTL that the domain takes
            GET   /domains/{zone}/rrsets/   every RRset; where they are more than a page, how many there are, and then the pages
    look    GET   …/rrsets/?subname={name}  the RRsets at a name, where that is less than the zone
    write   PATCH /domains/{zone}/rrsets/   all changes in one request, which deSEC does whole or not at all

An RRset is written whole, so strangers' values in it go back as they were read, and the API has no prerequisites. So what others may
write to is looked at directly before each write, however young the reading is, and the whole zone where that is older than `TRUST`
seconds. A TTL goes with what is new and with what is ours whole; strangers' TTLs are not sent and stay (docs/dns/rrsets.rst, "Field requirements"), and where somebody took their record set away
meanwhile, none is made without one. Quirks that are dealt with here: names hold letters, digits, `-` and `_` alone
(models/records.py); answers are canonical, with texts cut at 255 octets; the errors of a list are a list, in the order of what was
sent. Pages go by the time at which record sets were made, so that one that is made again while they are read may be on none of
them: the count tells that (pagination.py). A zone of no more than a page comes without a count; it is taken for whole where it shows
the NS record set that each domain is made with (models/domains.py), and that every zone has at its apex (RFC 1034 §4.2.1).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf
from typing import Any

from dnssync.core.model import Change, Limits, ProviderError, RRset, absolute

from . import _desec as desec
from ._by_value import put
from ._http import WRITE_LONGEST, Reply
from ._pages import MOST_PAGES, Pages
from ._takes import PLAIN_NAMES, takes
from ._token import by_token
from ._unmoved import TRUST, Found, unmoved

ENDPOINT = "https://desec.io/api/v1"
# 3600 is what deSEC begins with; each domain tells its own. A record set has 64000 characters at most as JSON, of which an octet that
# is escaped takes five.
# It takes 50 readings a minute from a user, and 10 a second: one after the other is as fast as it gets.
LIMITS = Limits(min_ttl=3600, max_ttl=86400, txt=12000, names=PLAIN_NAMES, parallel=1)

NEVER: tuple[float, Found] = (-inf, {})


class Provider:
    """`token` is a token that may write the domain's RRsets. `endpoint` is another address of the API."""

    def __init__(
        self,
        id: str,
        token: str = "",
        endpoint: str = ENDPOINT,
        *,
        timeout: tuple[float, float] = (10.0, 60.0),
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        what = "a token of the account that has the domain"
        self._api = by_token(id, "deSEC", endpoint, "Token", token, what, desec.explain, timeout, sleep)
        self.id, self.limits, self.requests = id, LIMITS, self._api.counts
        self._who, self._endpoint = f"deSEC (provider {id})", endpoint.rstrip("/")
        self._now = now
        self._read: dict[str, tuple[float, Found]] = {}
        # by zone: the smallest TTL, and how many requests it takes to read it whole
        self._least, self._asks = dict[str, int](), dict[str, int]()

    def limits_of(self, zone: str) -> Limits:
        """The limits, with the smallest TTL that the domain told when it was read last."""
        return replace(self.limits, min_ttl=self._least.get(zone, LIMITS.min_ttl))

    # --- reading ----------------------------------------------------------------------------------------------------

    def read(self, zone: str) -> tuple[RRset, ...]:
        """Every RRset of the zone but SOA and what belongs to DNSSEC, which the API does not list."""
        at = self._now()
        # Where a token may see RRsets and not the domain, what deSEC begins with has to do.
        reply = self._call("GET", zone, "reading the zone", "", expect=(403,))
        least = reply.data.get("minimum_ttl") if isinstance(reply.data, dict) else None
        self._least[zone] = least if type(least) is int else LIMITS.min_ttl
        found = self._all(zone)
        self._read[zone] = (at, found)
        return tuple(found.values())

    def _all(self, zone: str) -> Found:
        """The whole zone. Raises `ProviderError` where the pages do not come to what deSEC itself counts, or it counts nothing and shows
        no NS record set at the apex."""
        doing = "reading the zone"
        reply, counted = self._call("GET", zone, doing, expect=(400,)), None
        if reply.status == 400:  # it is more than a page, and the refusal to show it whole says how many there are
            counted = re.search(r"\((\d{1,9}) total\)", desec.explain(reply.data))
            reply = self._call("GET", zone, doing, params={"cursor": ""})
        pages = Pages(zone, f"{zone}: {doing}", self._who)
        for number in range(MOST_PAGES):
            self._asks[zone] = number + (2 if counted else 1)
            desec.onto(pages, reply)
            cursor = desec.following(reply, self._endpoint + desec.path(zone))
            if cursor is None:
                break
            if not cursor:
                raise self._error(zone, doing, "says that the zone goes on at another address, which is not followed, since the "
                                  "secret is for this one alone. See that `endpoint` is right")  # fmt: skip
            reply = self._call("GET", zone, doing, params={"cursor": cursor})
        else:
            raise pages.endless()
        pages.whole({int(counted[1])} if counted else ())
        if counted is None and ("", "NS") not in pages.rrsets:
            raise self._error(zone, doing, "shows no NS record set at the apex, which every zone has (RFC 1034 §4.2.1). Nothing is taken from "
                              "it; where somebody deleted that record set, make it anew at deSEC")  # fmt: skip
        return pages.rrsets

    # --- writing ----------------------------------------------------------------------------------------------------

    def write(self, zone: str, changes: Sequence[Change]) -> tuple[str, ...]:
        """All changes by one request. Raises `StaleZone` where the zone is not what was read, and then nothing is written."""
        if not changes:
            return ()
        takes(self._who, zone, changes, self.limits)
        self._look(zone, changes, self._read.pop(zone, NEVER))
        reply, left_out = self._patch(zone, changes), list[Change]()
        refused = desec.by_item(reply, changes) if reply.status == 400 else []
        if refused and all(change.type == "SPF" and set(error) == {"type"} for change, error in refused):
            # Nothing was done, and all of it can be done without what receivers do not read.
            self.limits = replace(self.limits, type99=False)
            left_out = [change for change in changes if change.type == "SPF"]
            changes = [change for change in changes if change.type != "SPF"]
            reply = self._patch(zone, changes, look=True) if changes else Reply(200, {}, [])
        if reply.status == 400:
            raise self._refused(zone, changes, reply)
        self._as_asked(zone, changes, reply)
        if left_out:
            raise desec.left_out(self._who, zone, left_out[0])
        return ()

    def _look(self, zone: str, changes: Sequence[Change], reading: tuple[float, Found] = NEVER) -> None:
        """See `unmoved`. What was read is looked at again where that is long ago, or others may have written meanwhile."""
        (at, found), names = reading, sorted({change.name for change in changes if desec.shared(change)})
        if self._now() - at > TRUST or len(names) >= self._asks.get(zone, 1):
            found, names = self._all(zone), []
        for name in names:
            doing = f"looking at {absolute(name, zone)}"
            pages = Pages(zone, f"{zone}: {doing}", self._who)
            desec.onto(pages, self._call("GET", zone, doing, params={"subname": name}))
            found = put(found, name, pages.rrsets)
        unmoved(self.id, zone, changes, found)

    def _patch(self, zone: str, changes: Sequence[Change], look: bool = False) -> Reply:
        """The one request, after a `look`. Where it comes too soon, nothing was done, and it is made once more if that is soon."""
        doing, body = f"writing {len(changes)} changes", [desec.item(change) for change in changes]
        for again in (True, False):
            if look:
                self._look(zone, changes)
            reply = self._call("PATCH", zone, doing, body=body, expect=(400, 429))
            seconds = desec.wait(reply)
            if reply.status != 429 or not again or not 0 < seconds <= WRITE_LONGEST:
                break
            self._api.pause(seconds, f"{zone}: {doing}")
            look = True
        if reply.status == 429:
            raise self._error(zone, doing, desec.too_soon(seconds), transient=True)
        return reply

    def _refused(self, zone: str, changes: Sequence[Change], reply: Reply) -> ProviderError:
        """What a 400 means, where the zone still is what it was; raises `StaleZone` where it is not."""
        try:
            now = self._all(zone)
        except ProviderError:
            pass  # then the refusal's own words have to do
        else:
            unmoved(self.id, zone, changes, now)
        errors = desec.by_item(reply, changes)
        if not errors:
            return self._api.refused(reply, f"{zone}: writing {len(changes)} changes")
        change, error = errors[0]
        more = f" {len(errors) - 1} more were refused with it." if len(errors) > 1 else ""
        words = self._api.words(replace(reply, data=error))
        doing = f"writing {absolute(change.name, zone)} {change.type}"
        return self._error(zone, doing, f"refused the record: {words}.{more} Nothing was written")

    def _as_asked(self, zone: str, changes: Sequence[Change], reply: Reply) -> None:
        """Raise where the answer, which shows what stands there now, shows something else than was asked for."""
        for change, told in desec.otherwise(reply, changes):
            doing = f"writing {absolute(change.name, zone)} {change.type}"
            raise self._error(
                zone, doing, f"took the changes and shows {told}. Look at the record there; a later pass reads it again"
            )

    # --- asking -----------------------------------------------------------------------------------------------------

    def _call(
        self, method: str, zone: str, doing: str, of: str = "rrsets/", *, expect: Sequence[int] = (), **sent: Any
    ) -> Reply:
        """A request about a zone's RRsets, or something else `of` it; a 404 means that the account has no such domain."""
        reply = self._api.call(method, desec.path(zone, of), f"{zone}: {doing}", expect=(*expect, 404), **sent)
        if reply.status == 404:
            raise self._error(zone, doing, "has no such domain, or it is another account's than the token's. See which domains the account "
                              "has. No zone is ever created")  # fmt: skip
        return reply

    def _error(self, zone: str, doing: str, what: str, *, transient: bool = False) -> ProviderError:
        return ProviderError(f"{zone}: {doing}: {self._who} {what}.", transient=transient)
