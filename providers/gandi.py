"""Gandi LiveDNS (https://api.gandi.net/docs/livedns/), API version 5.

    read    GET    …/records?page&per_page         every page, counted against Total-Count
    write   POST   …/records/{name}/{type}         a new RRset; 409 where somebody was faster
            PATCH  …/records/{name}/{type}         single values of an RRset that others may share: theirs are not even sent
            PUT    …/records/{name}/{type}         an RRset that is ours whole
            DELETE …/records/{name}/{type}         the same

What a write rests on is looked at anew where it is older than `TRUST` seconds, since the API has no prerequisites. Quirks that
are dealt with here: a name is written in the case in which it was read (another case is answered with 500), the TTL is always
sent (left out of a PUT, it becomes 10800), text is always sent quoted, an answer may come unquoted and cut anywhere, and a
404 that does not speak of a record means that the zone is not there or that the token may not see it.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from dnssync.core.model import Change, Limits, ProviderError, RRset, StaleZone, TypeRefused, absolute

from . import _livedns as livedns
from . import _text
from ._http import Api, Reply

ENDPOINT = "https://api.gandi.net/v5"
PAGE = 500  # the API's own default; more is answered with less
MOST_PAGES = 1000
TRUST = 5.0  # seconds for which what was read is taken for what stands there
SNAPSHOTS = 3  # of ours, kept per zone
LIMITS = Limits(min_ttl=300, max_ttl=2592000, txt=8000)  # a value has 16384 characters at most, and `\DDD` takes four
OURS = re.compile(r"dnssync [0-9a-f]{12}")  # a snapshot of ours: named after a plan
NO_ANSWER = frozenset(range(400, 500)) - {401, 408, 429}  # to a question of which Gandi may know nothing
_SECRET = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True)
class _Reading:
    """A zone as it was read: when, each RRset, and its name as Gandi spells it ("" where two spellings stand side by side)."""

    at: float
    rrsets: dict[tuple[str, str], RRset]
    spelled: dict[tuple[str, str], str]
    pages: int

    def spelling(self, name: str, kind: str) -> str:
        """A name as Gandi writes it, for this type or else whichever it has there."""
        known = (spelled for (other, _), spelled in self.spelled.items() if other == name and spelled)
        return self.spelled.get((name, kind)) or next(known, name or "@")


class Provider:
    """`token` is a personal access token with the right "manage domain name technical configurations"; `apikey` the deprecated
    key. `sharing_id` names the organisation, for a reseller's domains. `endpoint` is another address of the API."""

    def __init__(
        self,
        id: str,
        token: str = "",
        apikey: str = "",
        sharing_id: str = "",
        endpoint: str = ENDPOINT,
        *,
        timeout: tuple[float, float] = (10.0, 60.0),
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.id = id
        self.limits = LIMITS
        secret, option = (token or apikey).strip(), "token" if token else "apikey"
        wrong = []  # told together, a line each
        if not token and not apikey:
            wrong.append(
                "token: is missing; it is a personal access token that may manage the zone's technical configuration"
            )
        elif token and apikey:
            wrong.append("apikey: cannot be given together with token; leave out the one that is not meant")
        elif not _SECRET.fullmatch(secret):
            wrong.append(f"{option}: is not one word of printable ASCII characters, so it is not what Gandi gave out")
        scheme = "Bearer" if token else "Apikey"

        def authorize(headers: dict[str, str]) -> None:
            headers["Authorization"] = f"{scheme} {secret}"

        base = endpoint.rstrip("/") + "/livedns"
        try:
            self._api = Api(id, "Gandi", base, authorize, explain=livedns.explain, timeout=timeout, sleep=sleep)
        except ProviderError as error:
            wrong.append(str(error))
        if wrong:
            raise ProviderError("\n".join(wrong))
        self._params = {"sharing_id": sharing_id} if sharing_id else {}
        self._now = now
        self._types_known = False
        self._read: dict[str, _Reading] = {}

    # --- reading ----------------------------------------------------------------------------------------------------

    def read(self, zone: str) -> tuple[RRset, ...]:
        """Every RRset of the zone but SOA, DNSKEY and the default NS, which the API does not list."""
        self._ask_types(zone)
        return tuple(self._all(zone).rrsets.values())

    def _ask_types(self, zone: str) -> None:
        """Whether records of type SPF are taken today; asked once. A question that Gandi does not answer (any more) means no."""
        if not self._types_known:
            doing = f"{zone}: asking which types there are"
            reply = self._api.call("GET", "/dns/rrtypes", doing, params=self._params, expect=NO_ANSWER)
            types = reply.data if isinstance(reply.data, list) else []
            self.limits = replace(self.limits, type99="SPF" in types)
            self._types_known = True

    def _all(self, zone: str) -> _Reading:
        """The whole zone. Raises `ProviderError` where the pages do not come to what the API itself counts."""
        doing = f"{zone}: reading the zone"
        who = f"Gandi (provider {self.id})"
        found: dict[tuple[str, str], RRset] = {}  # by the name in its case
        totals: set[int] = set()
        for page in range(1, MOST_PAGES + 1):
            params = {"page": page, "per_page": PAGE}
            reply = self._call("GET", f"{livedns.domain(zone)}/records", doing, params=params)
            if not isinstance(reply.data, list):
                raise ProviderError(
                    f"{doing}: {who} answered with something that is no list of records. Nothing is taken from it."
                )
            for entry in reply.data:
                rrset = self._rrset(entry, zone, doing)
                spelled = (entry["rrset_name"], rrset.type)
                if spelled in found:
                    raise ProviderError(f"{doing}: {who} shows {' '.join(spelled)} on two pages; the zone changed while it was read. "
                                        "The next pass reads again.", transient=True)  # fmt: skip
                found[spelled] = rrset
            count = reply.headers.get("Total-Count", "")
            totals |= {int(count)} if count.isascii() and count.isdecimal() else set()
            if not reply.data or (totals and len(found) >= max(totals) and len(reply.data) < PAGE):
                break
        else:
            raise ProviderError(f"{doing}: {who} shows no end after {MOST_PAGES} pages. Nothing is taken from them.")
        if totals and totals != {len(found)}:
            counted = " then ".join(map(str, sorted(totals)))
            raise ProviderError(f"{doing}: {who} counts {counted} record sets and shows {len(found)}; the zone changed meanwhile, or a "
                                "page is missing. Nothing is taken from it; the next pass reads again.", transient=True)  # fmt: skip
        reading = self._collected(found, page)
        self._read[zone] = reading
        return reading

    def _collected(self, found: Mapping[tuple[str, str], RRset], pages: int) -> _Reading:
        rrsets: dict[tuple[str, str], RRset] = {}
        spelled: dict[tuple[str, str], str] = {}
        for (name, _), rrset in found.items():
            before = rrsets.get(rrset.key)
            if before is not None:  # names that differ in case alone are one name to DNS
                rrset, name = replace(before, values=(*before.values, *rrset.values)), ""
            spelled[rrset.key] = name
            if rrset.values:
                rrsets[rrset.key] = rrset
        return _Reading(self._now(), rrsets, spelled, pages)

    def _rrset(self, entry: Any, zone: str, doing: str) -> RRset:
        """One RRset of an answer, if it is one."""
        if isinstance(entry, dict):
            values, ttl = entry.get("rrset_values"), entry.get("rrset_ttl")
            named = isinstance(entry.get("rrset_name"), str) and isinstance(entry.get("rrset_type"), str)
            if named and type(ttl) is int and isinstance(values, list) and all(isinstance(v, str) for v in values):
                return livedns.rrset(entry, zone)
        raise ProviderError(f"{doing}: Gandi (provider {self.id}) answered with something that is no record set. Nothing is taken "
                            "from it.")  # fmt: skip

    # --- writing ----------------------------------------------------------------------------------------------------

    def write(self, zone: str, changes: Sequence[Change]) -> tuple[str, ...]:
        """One request a change, type SPF last. Raises `StaleZone` where the zone is not what was read, before
        anything is written; a later trouble says how many changes were done."""
        if not changes:
            return ()
        known = self._unmoved(zone, changes)
        self._read.pop(zone, None)  # whatever happens now, it is not what was read any more
        # Where somebody else may write too comes first, since nothing is done yet if it has to be planned anew.
        order = sorted(changes, key=lambda change: (change.type == "SPF", change.old is None, change.new is None))
        for number, change in enumerate(order):
            try:
                self._change(zone, change, known)
            except ProviderError as error:
                if number == 0 or isinstance(error, TypeRefused):
                    raise
                told = (
                    f"{error} Before that, {number} of {len(order)} changes were done; the next pass sees to the rest."
                )
                raise ProviderError(told, transient=error.transient) from None
        return ()

    def _unmoved(self, zone: str, changes: Sequence[Change]) -> _Reading:
        """The zone as it stands, if that is what the changes start from; else `StaleZone`. Refuses to write beside a CNAME."""
        known = self._read.get(zone)
        old = [change for change in changes if change.old is not None]
        if known is None or (self._now() - known.at > TRUST and known.pages <= len(old)):
            known = self._all(zone)
        elif self._now() - known.at > TRUST:
            now = {(c.name, c.type): self._one(zone, c, known) for c in old}
            known = replace(known, rrsets={k: r for k, r in {**known.rrsets, **now}.items() if r is not None})
        for change in changes:
            key, where = (change.name, change.type), absolute(change.name, zone)
            if change.old is None and (change.name, "CNAME") in known.rrsets:
                raise ProviderError(f"{zone}: {where} is a CNAME at {self.id}, and nothing may stand beside one.")
            if not livedns.alike(known.rrsets.get(key), change.old):
                raise self._stale(zone, change)
            if not known.spelled.get(key, "x"):
                raise ProviderError(f"{zone}: {where} {change.type} stands twice at {self.id}, in different case; delete one of the "
                                    "two there, so that it is known which one is meant.")  # fmt: skip
        return known

    def _change(self, zone: str, change: Change, known: _Reading) -> None:
        path = livedns.path(zone, known.spelling(change.name, change.type), change.type)
        doing = f"{zone}: writing {absolute(change.name, zone)} {change.type}"
        # An underscore name is a selector, _dmarc or a report name; anything may be told to the world under any other.
        shared = not any(label.startswith("_") for label in change.name.split("."))
        if change.new is None:
            if shared and not livedns.alike(self._one(zone, change, known), change.old):
                raise self._stale(zone, change)
            self._call("DELETE", path, doing, expect=(404,))
        elif change.old is None and (change.name, change.type) not in known.spelled:
            reply = self._call("POST", path, doing, body=livedns.body(change.new), expect=(400, 409))
            if reply.status == 409:
                raise self._stale(zone, change)
            self._taken(change, reply, doing)
        elif change.old is None or shared or any(value.raw for value in change.new.values):
            self._patch(zone, change, known, path, doing)
        else:
            reply = self._call("PUT", path, doing, body=livedns.body(change.new), expect=(400,))
            self._taken(change, reply, doing)

    def _taken(self, change: Change, reply: Reply, doing: str) -> None:
        """Raise what a 400 means: for type SPF, which receivers do not read, that it is not taken; else an error."""
        if reply.status != 400:
            return
        if change.type != "SPF":
            raise self._api.refused(reply, doing)
        self.limits = replace(self.limits, type99=False)  # it knows better now than what Gandi lists
        words = self._api.words(reply)
        raise TypeRefused(f"{doing}: Gandi (provider {self.id}) refused the record{f' ({words})' if words else ''}. All else is written, "
                          "and receivers read the TXT record (RFC 7208 §3.1). If it stays so, set `spf: {type99: never}` for the "
                          "zone.")  # fmt: skip

    def _patch(self, zone: str, change: Change, known: _Reading, path: str, doing: str) -> None:
        """Take out and put in single values; the answer shows what stands there then."""
        assert change.new is not None
        before, after = ({v.text: v for v in rrset.values} if rrset else {} for rrset in (change.old, change.new))
        add = [_text.spelled(value) for text, value in after.items() if text not in before]
        remove = [value.raw for text, value in before.items() if text not in after]
        body = {"add_rrset_values": add, "remove_rrset_values": remove, "rrset_ttl": change.new.ttl}
        reply = self._call("PATCH", path, doing, body={k: v for k, v in body.items() if v != []}, expect=(400, 404))
        if reply.status == 404:
            raise self._stale(zone, change)
        if reply.status == 400:  # a value to be taken out that somebody else took out, or a text that is not taken
            if not livedns.alike(self._one(zone, change, known), change.old):
                raise self._stale(zone, change)
            self._taken(change, reply, doing)
        answer = self._rrset(reply.data, zone, doing)
        shown = {value.text for value in answer.values}
        strange = shown - set(before) - set(after)
        new = set(after) - set(before)
        if {livedns.version(text) for text in strange} & {livedns.version(text) for text in new}:
            # Somebody put a record of the same kind there in this very moment. Two would be an error to those who read them:
            # ours goes, theirs stays, and the plan is made anew.
            self._call("PATCH", path, doing, body={"remove_rrset_values": add, "rrset_ttl": answer.ttl}, expect=(404,))
            raise self._stale(zone, change)
        if shown - strange != set(after) or answer.ttl != change.new.ttl:
            raise ProviderError(f"{doing}: Gandi (provider {self.id}) took the change and shows something else than was asked for. "
                                "Look at the record there; the next pass reads it again.")  # fmt: skip

    def snapshot(self, zone: str, name: str) -> None:
        """Keep a copy of the zone at Gandi under this name, and delete the oldest of ours (`dnssync …`) beyond `SNAPSHOTS`."""
        path = f"{livedns.domain(zone)}/snapshots"
        doing = f"{zone}: keeping a snapshot of the zone before records of others are taken over"
        reply = self._call("GET", path, doing, params={"per_page": PAGE, "automatic": "false"})
        shown = [each for each in reply.data if isinstance(each, dict)] if isinstance(reply.data, list) else []
        ours = [s for s in shown if s.get("automatic") is not True and OURS.fullmatch(str(s.get("name", "")))]
        if any(each["name"] == name for each in ours):
            return  # the same plan, tried again
        self._call("POST", path, doing, body={"name": name})
        old = sorted(ours, key=lambda each: str(each.get("created_at", "")))
        with contextlib.suppress(ProviderError):  # one too many does no harm
            for each in old[: max(0, len(old) + 1 - SNAPSHOTS)]:
                self._call("DELETE", f"{path}/{quote(str(each.get('id', '')), safe='')}", doing)

    # --- the API ----------------------------------------------------------------------------------------------------

    def _call(
        self, method: str, path: str, doing: str, *, params: Any = None, body: Any = None, expect: Sequence[int] = ()
    ) -> Reply:
        """A request about a zone. A 404 that speaks of no record means the zone: it is not there, or not for this token."""
        params = {**self._params, **(params or {})}
        reply = self._api.call(method, path, doing, params=params, body=body, expect=(*expect, 404))
        if reply.status != 404 or (livedns.missing(reply) and 404 in expect):
            return reply
        raise self._api.refused(reply, doing) if livedns.missing(reply) else self._no_zone(reply, doing)

    def _one(self, zone: str, change: Change, known: _Reading) -> RRset | None:
        """The RRset of a change as it stands now, None where there is none."""
        doing = f"{zone}: reading {absolute(change.name, zone)} {change.type}"
        path = livedns.path(zone, known.spelling(change.name, change.type), change.type)
        reply = self._call("GET", path, doing, expect=(404,))
        found = None if reply.status == 404 else replace(self._rrset(reply.data, zone, doing), name=change.name)
        return found if found and found.values else None

    def _stale(self, zone: str, change: Change) -> StaleZone:
        return StaleZone(
            f"{zone}: {absolute(change.name, zone)} {change.type} at {self.id} is not what was read any more."
        )

    def _no_zone(self, reply: Reply, doing: str) -> ProviderError:
        words = self._api.words(reply)
        told = f" ({words})" if words else ""
        hint = "" if self._params else " A reseller's domain needs `sharing_id`."
        return ProviderError(f"{doing}: Gandi (provider {self.id}) has no such zone, or the token may not see it{told}. See that the "
                             f"domain uses LiveDNS, and which domains the token is for.{hint} No zone is ever created.")  # fmt: skip
