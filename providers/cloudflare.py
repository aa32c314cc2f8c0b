"""Cloudflare (https://developers.cloudflare.com/api/resources/dns/subresources/records/), API version 4.

    read    GET  /zones?name                     the zone's id; an empty answer means that it is not there, or not for this token
            GET  /zones/{id}/dns_records         every page, counted against total_count
    write   POST /zones/{id}/dns_records/batch   all changes, by the ids of our records: deletes, patches, posts

A batch is one transaction of its database (the edge, which serves, follows record by record), and runs deletes, patches, puts and
posts in that order. A record of ours that changes keeps its id by a patch, which leaves alone whatever it does not name: comment,
tags, an automatic TTL. Records of others are not even named. The API has no prerequisites: what a write starts from is looked at
anew where it is older than `TRUST` seconds, and the zone once more after a new text (`Alone`).

Quirks that are dealt with here: text is kept as it was sent, quoted or bare (go-acme/lego#2521), and is always sent quoted; a TTL of 1
is "automatic" and means 300; TTLs belong to records, not to RRsets; records of type SPF may still stand there and can be deleted,
never written (octodns/octodns-cloudflare#28); a record has 4096 octets at most, which leaves 4080 for a text in strings of 255, and
what stands at one name and type 8192 characters (cloudflare/cloudflare-docs#29286, #30039); a secret that is not taken may be
answered with 400.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

from dnssync.core.model import Change, Limits, ProviderError, StaleZone

from . import _cloudflare as told
from ._alone import Alone
from ._by_id import Reading, Record
from ._http import Reply
from ._pages import complete
from ._token import WORD, amiss, asked_with
from ._unmoved import so_far, writing

ENDPOINT = "https://api.cloudflare.com/client/v4"
# It takes 1,200 requests in five minutes from a user, his other programs' included: few at once, so that those get their share.
LIMITS = Limits(types=frozenset({"TXT"}), min_ttl=60, max_ttl=86400, txt=4080, type99=False, parallel=4)
BATCH = 200  # records of one batch in a free zone; a paid one takes 3500
PAGE = 1000  # records; 100 is what it answers unasked, and 5000000 what it takes (its OpenAPI description)
REFUSALS = (400, 401, 403, 404, 409)
MOVED = frozenset({81044, 81057, 81058})  # the record is not there any more, or is there already
BESIDE = frozenset({81053, 81054})  # a CNAME would stand beside others
SECRET = frozenset({6003, 6111, 9103, 9106, 9109, 10000})  # some of them come with status 400
GONE = frozenset({1001, 7000, 7003})  # a zone's id that leads nowhere


class Provider(Alone):
    """`token` is an API token with the permission Zone, DNS, Edit for the zones; with `email`, it is the global API key of that user.
    `account_id` says which zone is meant where several accounts have one of that name. `endpoint` is another address of the
    API."""

    limits = LIMITS

    def __init__(
        self,
        id: str,
        email: str = "",
        token: str = "",
        account_id: str = "",
        endpoint: str = ENDPOINT,
        *,
        timeout: tuple[float, float] = (10.0, 60.0),
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        secret = token.strip()
        what = "an API token that may edit the zone's DNS, or with `email` the global API key"
        wrong = amiss("token", secret, what, "Cloudflare")
        if email and not WORD.fullmatch(email):
            wrong.append("email: is no address; leave it out where `token` is an API token, and not the global API key")
        headers = {"X-Auth-Email": email, "X-Auth-Key": secret} if email else {"Authorization": f"Bearer {secret}"}
        api = asked_with(wrong, id, "Cloudflare", endpoint, headers, explain=told.explain, timeout=timeout, sleep=sleep)
        super().__init__(id, "Cloudflare", api, now, sleep)
        self._account = {"account.id": account_id} if account_id else {}

    # --- looking ----------------------------------------------------------------------------------------------------

    def _look(self, zone: str, known: Reading | None = None, names: Collection[str] = ()) -> Reading:
        """Every record of a zone. Raises `ProviderError` where the pages do not come to what the API itself counts."""
        id, doing = known.id if known else self._zone(zone), f"{zone}: reading the zone"
        at, found, totals, page = self._now(), dict[str, Record](), set[int](), 0
        while True:
            page += 1
            params = {"page": page, "per_page": PAGE, "order": "name"}
            data = self._call("GET", f"/zones/{id}/dns_records", doing, params=params).data
            info = data.get("result_info")
            total = info.get("total_count") if isinstance(info, dict) else None
            if type(total) is not int:
                raise ProviderError(f"{doing}: {self.who} does not say how many records there are. Nothing is taken "
                                    "from it.")  # fmt: skip
            totals.add(total)
            for entry in (entries := self._list(data, doing)):
                if (record := told.read(entry, zone)) is None:
                    raise self._nonsense(doing, "record of the zone")
                found[record.id] = record
            if not entries or len(found) >= max(totals):
                break
        complete(f"{doing}: {self.who}", "records", totals, len(found))
        return Reading(at, found, id)

    def _zone(self, zone: str) -> str:
        """The id of a zone. Raises `ProviderError` where there is none, or more than one."""
        doing = f"{zone}: looking for the zone"
        found = self._list(self._call("GET", "/zones", doing, params={"name": zone, **self._account}).data, doing)
        ids = [
            each["id"] for each in found if isinstance(each, dict) and isinstance(each.get("id"), str) and each["id"]
        ]
        if not ids:
            raise self._no_zone(doing)
        if len(ids) > 1:
            raise ProviderError(f"{doing}: {self.who} has it {len(ids)} times, in several accounts. Say by `account_id` which one is "
                                "meant.")  # fmt: skip
        return str(ids[0])

    def _call(self, method: str, path: str, doing: str, *, expect: Collection[int] = (), **sent: Any) -> Reply:
        """A request's answer, an envelope, where it was done or where it was refused with one of the codes in `expect`; else raises what
        the refusal means."""
        reply = self._api.call(method, path, doing, expect=REFUSALS, **sent)
        known, done = told.codes(reply.data), reply.status < 300
        if known & {*expect} or (done and isinstance(reply.data, dict) and reply.data.get("success") is True):
            return reply
        if reply.status == 404 or known & GONE:
            raise self._no_zone(doing, self._api.words(reply))
        if reply.status in (401, 403) or known & SECRET:
            raise self._api.refused(reply, doing, "See that the token is right and has not expired, and that it has the permission Zone, DNS, "
                                    "Edit for this zone; with `email`, that `token` is the global API key.")  # fmt: skip
        if done:
            raise ProviderError(f"{doing}: {self.who} answered with something that is no answer of that API; a later pass reads the zone "
                                "and tries again.", transient=True)  # fmt: skip
        raise self._api.refused(reply, doing)

    def _list(self, data: Any, doing: str) -> list[Any]:
        """The list in an envelope; raises where it is none."""
        if not isinstance(data.get("result"), list):
            raise self._nonsense(doing, "list")
        found: list[Any] = data["result"]
        return found

    def _no_zone(self, doing: str, words: str = "") -> ProviderError:
        more = f" ({words})" if words else ""
        return ProviderError(f"{doing}: {self.who} has no such zone, or the token may not see it{more}. See that the zone is there, and "
                             "that the token's zone resources include it. No zone is ever created.")  # fmt: skip

    # --- writing ----------------------------------------------------------------------------------------------------

    def write(self, zone: str, changes: Sequence[Change]) -> tuple[str, ...]:
        """All changes or none, up to `BATCH` records; more are written in several batches, each whole or not at all. Raises `StaleZone`
        where the zone is not what was read, before anything is written."""
        if not changes:
            return ()
        known, meant = self._todo(zone, changes)
        todo = [step for number, each in enumerate(meant) for step in told.asked(self.who, zone, number, *each)]
        stopped = None
        for start in range(0, len(todo), BATCH):
            part = todo[start : start + BATCH]
            try:
                self._batch(zone, known.id, part, [change for change, _ in meant])
            except ProviderError as error:
                if not start and (isinstance(error, StaleZone) or not error.transient):
                    raise  # or it may have been done all the same
                stopped = so_far(error, part[0][0], len(meant)) if start else error
                break
        if stopped := self._alone(zone, meant, known, stopped):
            raise stopped
        return ()

    def _batch(self, zone: str, id: str, part: Sequence[told.Step], order: Sequence[Change]) -> None:
        """One transaction; what it answers must be what was asked for."""
        touched = [order[number] for number in dict.fromkeys(number for number, _, _ in part)]
        more = f" and {len(touched) - 1} more" if touched[1:] else ""
        doing = writing(zone, touched[0]) + more
        body = {kind: [each for _, other, each in part if other == kind] for kind in ("deletes", "patches", "posts")}
        sent = {kind: each for kind, each in body.items() if each}
        answer = self._call("POST", f"/zones/{id}/dns_records/batch", doing, body=sent, expect=MOVED | BESIDE)
        refused, words = told.codes(answer.data), self._api.words(answer)
        if refused & MOVED:
            raise StaleZone(
                f"{doing}: {self.who} has other records there than were read a moment ago ({words}); nothing of it was done."
            )
        if refused & BESIDE:
            raise ProviderError(f"{doing}: {self.who} refused it, since somebody made another record there meanwhile, and nothing may stand beside "
                                f"a CNAME ({words}); nothing of it was done. A later pass reads it again.")  # fmt: skip
        if not told.shows(answer.data.get("result"), body):
            raise self._otherwise(doing)

    def _take_out(self, zone: str, known: Reading, records: Sequence[Record], doing: str) -> None:
        """See `Alone`."""
        body = {"deletes": [{"id": record.id} for record in records[:BATCH]]}
        self._call("POST", f"/zones/{known.id}/dns_records/batch", doing, body=body)
