"""Gandi LiveDNS (https://api.gandi.net/docs/livedns/), API version 5.

    read    GET    …/records?page&per_page         every page, counted against Total-Count
    write   POST   …/records/{name}/{type}         a new RRset; 409 where somebody was faster
            PATCH  …/records/{name}/{type}         single values of an RRset that others may share: theirs are not even sent
            PUT    …/records/{name}/{type}         an RRset that is ours whole
            DELETE …/records/{name}/{type}         the same

What a write rests on is looked at anew where it is older than `TRUST` seconds, since the API has no prerequisites. Where a CNAME
takes others' place at a name, or makes room for them, what goes and what comes are requests one directly after the other: whatever
might be asked in between could fail, and the name would stay without either. Quirks that are dealt with here: a name is written in the case in which it was read (another case is answered with 500), the TTL is always
sent (left out of a PUT, it becomes 10800), text is always sent quoted, an answer may come unquoted and cut anywhere, and a
404 that does not speak of a record means that the zone is not there or that the token may not see it.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from urllib.parse import quote

from dnssync.core.model import Change, Limits, ProviderError, RRset, StaleZone, TypeRefused, Value, absolute

from . import _livedns as livedns
from . import _text
from ._by_value import again, alone, amiss, apart, crowding, something_else, texts
from ._http import Api, Reply
from ._livedns_client import PAGE, Client
from ._token import WORD
from ._unmoved import TRUST, alike, beside, ordered, so_far, stale, unmoved, writing

ENDPOINT = "https://api.gandi.net/v5"
SNAPSHOTS = 3  # of ours, kept per zone
# A value has 16384 characters at most, and `\DDD` takes four. It takes 1,000 requests a minute from an address, in whatever bursts.
LIMITS = Limits(min_ttl=300, max_ttl=2592000, txt=8000, parallel=10)
OURS = re.compile(r"dnssync [0-9a-f]{12}")  # a snapshot of ours: named after a plan


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
        elif not WORD.fullmatch(secret):
            wrong.append(f"{option}: is not one word of printable ASCII characters, so it is not what Gandi gave out")
        scheme = "Bearer" if token else "Apikey"

        def authorize(headers: dict[str, str]) -> None:
            headers["Authorization"] = f"{scheme} {secret}"

        base = endpoint.rstrip("/") + "/livedns"
        try:
            api = Api(id, "Gandi", base, authorize, explain=livedns.explain, timeout=timeout, sleep=sleep)
        except ProviderError as error:
            wrong.append(str(error))
        if wrong:
            raise ProviderError("\n".join(wrong))
        self.requests = api.counts
        self._client = Client(id, api, {"sharing_id": sharing_id} if sharing_id else {}, now)
        self._now = now
        self._sleep = sleep
        self._asked_at = ""  # the last zone that was read
        self._types: frozenset[str] | None = None  # None: not asked yet
        self._read: dict[str, livedns.Reading] = {}

    # --- reading ----------------------------------------------------------------------------------------------------

    def read(self, zone: str) -> tuple[RRset, ...]:
        """Every RRset of the zone but SOA, DNSKEY and the default NS, which the API does not list."""
        known = self._read[zone] = self._client.all(zone)
        self._asked_at = zone
        if self._types is None and not any(kind == "SPF" for _, kind in known.rrsets):
            self._ask()  # where one stands, that type is taken, and a request saved
        return tuple(known.rrsets.values())

    @property
    def types(self) -> frozenset[str]:
        """The types that Gandi takes; none before the first reading, or where it does not tell."""
        if self._types is None and self._asked_at:
            with contextlib.suppress(ProviderError):
                self._ask()
        return self._types or frozenset()

    def _ask(self) -> None:
        self._types = self._client.types(self._asked_at)
        self.limits = replace(self.limits, type99="SPF" in self._types)

    # --- writing ----------------------------------------------------------------------------------------------------

    def write(self, zone: str, changes: Sequence[Change]) -> tuple[str, ...]:
        """One request a change: first the names where a CNAME comes or goes, each by itself, and type SPF last. Raises
        `StaleZone` where the zone is not what was read, before anything is written; a later trouble says how many changes were
        done."""
        if not changes:
            return ()
        known = self._unmoved(zone, changes)
        self._read.pop(zone, None)  # whatever happens now, it is not what was read any more
        turning, order = ordered(changes)
        done, refused, begun = 0, [], set[str]()
        for change in order:
            try:
                if change.name in turning - begun and self._now() - known.at > TRUST:  # those before it took their time
                    known = self._client.named(zone, change.name, known)
                    self._same(zone, [each for each in order if each.name == change.name], known)
                begun.add(change.name)
                if change.name in turning and change.new is None:
                    self._client.call("DELETE", *self._of(zone, change, known), expect=(404,))
                else:
                    self._change(zone, change, known)
            except TypeRefused as error:
                refused.append((change, error))
                continue
            except ProviderError as error:
                if not done:
                    raise
                raise so_far(error, done, len(order)) from None
            done += 1
        if refused:
            raise self._left_out(zone, refused)
        return ()

    def _unmoved(self, zone: str, changes: Sequence[Change]) -> livedns.Reading:
        """The zone as it stands, if that is what the changes start from."""
        known = self._read.get(zone)
        if known is None or self._now() - known.at > TRUST:
            whole, named = partial(self._client.all, zone), partial(self._client.named, zone)
            known = again(changes, known, self._now, whole, named)
        self._same(zone, changes, known)
        return known

    def _same(self, zone: str, changes: Sequence[Change], known: livedns.Reading) -> None:
        """See `unmoved`; and raise `ProviderError` where an RRset stands in two spellings."""
        unmoved(self.id, zone, changes, known.rrsets)
        for change in changes:
            if not known.spelled.get((change.name, change.type), "x"):
                where = absolute(change.name, zone)
                raise ProviderError(f"{zone}: {where} {change.type} stands twice at {self.id}, in different case; delete one of the "
                                    "two there, so that it is known which one is meant.")  # fmt: skip

    def _of(self, zone: str, change: Change, known: livedns.Reading) -> tuple[str, str]:
        """The path of a change's RRset, and how every sentence about it begins."""
        path = livedns.path(zone, known.spelling(change.name, change.type), change.type)
        return path, writing(zone, change)

    def _change(self, zone: str, change: Change, known: livedns.Reading) -> None:
        path, doing = self._of(zone, change, known)
        # An underscore name is a selector, _dmarc or a report name; anything may be told to the world under any other.
        shared = not any(label.startswith("_") for label in change.name.split("."))
        if change.new is not None and change.old is None and (change.name, change.type) not in known.spelled:
            reply = self._client.call("POST", path, doing, body=livedns.body(change.new), expect=(400, 409))
            if reply.status == 409:
                raise stale(self.id, zone, change)
            if reply.status == 400 and change.type != "SPF":
                self._beside(zone, change, known, doing)
            self._taken(change, reply, doing)
        elif change.new is None and shared:
            self._take_out(zone, change, known, path, doing)
        elif change.new is None or not (change.old is None or shared or any(value.raw for value in change.new.values)):
            if self._now() - known.at > TRUST and not alike(self._client.one(zone, change, known), change.old):
                raise stale(self.id, zone, change)  # the changes before this one took their time
            if change.new is None:
                self._client.call("DELETE", path, doing, expect=(404,))
            else:
                reply = self._client.call("PUT", path, doing, body=livedns.body(change.new), expect=(400,))
                self._taken(change, reply, doing)
        else:
            self._patch(zone, change, known, path, doing)

    def _taken(self, change: Change, reply: Reply, doing: str) -> None:
        """Raise what a 400 means: for type SPF, which receivers do not read, that it is not taken; else an error."""
        if reply.status != 400:
            return
        if change.type != "SPF":
            raise self._client.refused(reply, doing)
        self._types = self._types or frozenset()
        self.limits = replace(self.limits, type99=False)  # it knows better now than what Gandi lists
        raise TypeRefused(self._client.words(reply))

    def _beside(self, zone: str, change: Change, known: livedns.Reading, doing: str) -> None:
        """After a refusal: raise what it means where somebody else's record stands at the name that may not stand beside ours."""
        try:
            now = self._client.named(zone, change.name, known)
        except ProviderError:
            return  # then the refusal's own words have to do
        if others := beside(change, (), now.rrsets, "" if change.type == "CNAME" else "CNAME"):
            raise ProviderError(f"{doing}: {self._client.who} refused it, since somebody made {others} there meanwhile, and nothing may stand "
                                "beside a CNAME. The next pass reads it again.")  # fmt: skip

    def _left_out(self, zone: str, refused: Sequence[tuple[Change, TypeRefused]]) -> TypeRefused:
        """What is told of the records of type SPF that were not taken, where all else is written."""
        names = [absolute(change.name, zone) for change, _ in refused]
        many = f" and of {len(names) - 1} names more" if len(names) > 1 else ""
        words = next((f" ({error})" for _, error in refused if str(error)), "")
        return TypeRefused(f"{zone}: writing {names[0]} SPF{many}: {self._client.who} refused the record{words}. All else is "
                           "written, and receivers read the TXT record (RFC 7208 §3.1). If it stays so, set `spf: {type99: never}` for "
                           "the zone.")  # fmt: skip

    def _take_out(self, zone: str, change: Change, known: livedns.Reading, path: str, doing: str) -> None:
        """Ours away from where others may write at any moment: value by value, and whole only where Gandi leaves no other way."""
        assert change.old is not None
        body = {"remove_rrset_values": [value.raw for value in change.old.values], "rrset_ttl": change.old.ttl}
        reply = self._client.call("PATCH", path, doing, body=body, expect=(400, 404))
        if reply.status == 404:
            return
        now = self._client.one(zone, change, known)
        if reply.status == 400:  # it may be that no record set is left without a value
            if not alike(now, change.old):
                raise stale(self.id, zone, change)
            self._client.call("DELETE", path, doing, expect=(404,))
        elif texts(now) & texts(change.old):
            raise something_else(doing, self._client.who)

    def _patch(self, zone: str, change: Change, known: livedns.Reading, path: str, doing: str) -> None:
        """Take out and put in single values; the answer shows what stands there then."""
        assert change.new is not None
        gone, come = apart(change)
        add, remove = [_text.spelled(value) for value in come], [value.raw for value in gone]
        body = {"add_rrset_values": add, "remove_rrset_values": remove, "rrset_ttl": change.new.ttl}
        reply = self._client.call(
            "PATCH", path, doing, body={k: v for k, v in body.items() if v != []}, expect=(400, 404)
        )
        if reply.status == 404:
            raise stale(self.id, zone, change)
        if reply.status == 400:  # a value to be taken out that somebody else took out, or a text that is not taken
            if not alike(self._client.one(zone, change, known), change.old):
                raise stale(self.id, zone, change)
            self._taken(change, reply, doing)
        answer = livedns.told(reply.data, zone) or self._client.one(zone, change, known)
        if crowding(change, answer):
            with contextlib.suppress(StaleZone):
                self._alone(zone, change, known, path)
            if not texts(gone) & texts(
                answer
            ):  # somebody put it there in this very moment, and not the old one stands there still
                raise stale(self.id, zone, change)
        if not answer or amiss(change, answer) or answer.ttl != change.new.ttl:
            raise something_else(doing, self._client.who)

    def _alone(self, zone: str, change: Change, known: livedns.Reading, path: str) -> None:
        """See `alone`."""
        doing = f"{zone}: taking back what was added to {absolute(change.name, zone)} {change.type}"

        def look() -> livedns.Reading:
            now = self._client.one(zone, change, known)
            return replace(known, rrsets={(change.name, change.type): now} if now else {})

        def take_out(found: livedns.Reading, crowded: Sequence[tuple[Change, Value]]) -> None:
            ttl = found.rrsets[change.name, change.type].ttl
            body = {"remove_rrset_values": [value.raw for _, value in crowded], "rrset_ttl": ttl}
            self._client.call("PATCH", path, doing, body=body, expect=(400, 404))

        alone(self.id, self._client.who, zone, [change], self._now, self._sleep, look, take_out)

    def snapshot(self, zone: str, name: str) -> None:
        """Keep a copy of the zone at Gandi under this name, and delete the oldest of ours (`dnssync …`) beyond `SNAPSHOTS`."""
        path = f"{livedns.domain(zone)}/snapshots"
        doing = f"{zone}: keeping a snapshot of the zone before records of others are taken over"
        reply = self._client.call("GET", path, doing, params={"per_page": PAGE, "automatic": "false"})
        shown = [each for each in reply.data if isinstance(each, dict)] if isinstance(reply.data, list) else []
        ours = [s for s in shown if s.get("automatic") is not True and OURS.fullmatch(str(s.get("name", "")))]
        if any(each["name"] == name for each in ours):
            return  # the same plan, tried again
        self._client.call("POST", path, doing, body={"name": name})
        old = sorted(ours, key=lambda each: str(each.get("created_at", "")))
        with contextlib.suppress(ProviderError):  # one too many does no harm
            for each in old[: max(0, len(old) + 1 - SNAPSHOTS)]:
                self._client.call("DELETE", f"{path}/{quote(str(each.get('id', '')), safe='')}", doing)
