"""Cloudflare (https://developers.cloudflare.com/api/resources/dns/subresources/records/), API version 4.

    read    GET  /zones?name                     the zone's id; an empty answer means that it is not there, or not for this token
            GET  /zones/{id}/dns_records         every page, counted against total_count
    write   POST /zones/{id}/dns_records/batch   all changes, by the ids of our records: deletes, patches, posts

A batch is one transaction of its database (the edge, which serves, follows record by record), and runs deletes, patches, puts and
posts in that order. A record of ours that changes keeps its id by a patch, which leaves alone whatever it does not name: comment,
tags, an automatic TTL. Records of others are not even named. The API has no prerequisites: what a write starts from is looked at
anew where it is older than `TRUST` seconds.

Quirks that are dealt with here: text is kept as it was sent, quoted or bare (go-acme/lego#2521), and is always sent quoted; a TTL of 1
is "automatic" and means 300; TTLs belong to records, not to RRsets; records of type SPF may still stand there and can be deleted,
never written (octodns/octodns-cloudflare#28); a record has 4096 octets at most, which leaves 4080 for a text in strings of 255, and
what stands at one name and type 8192 characters (cloudflare/cloudflare-docs#29286, #30039); a secret that is not taken may be
answered with 400.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from dnssync.core.model import Change, Limits, ProviderError, RRset, StaleZone, absolute

from . import _cloudflare as dns_records
from . import _text
from ._by_id import Steps, steps, texts_alone
from ._http import Api
from ._takes import takes
from ._token import WORD
from ._unmoved import TRUST, ordered, so_far, unmoved

ENDPOINT = "https://api.cloudflare.com/client/v4"
LIMITS = Limits(types=frozenset({"TXT"}), min_ttl=60, max_ttl=86400, txt=4080, type99=False)
CONTENT = 8192  # characters of content at one name and type
BATCH = 200  # records of one batch in a free zone; a paid one takes 3500
MOVED = frozenset({81044, 81057, 81058})  # the record is not there any more, or is there already
BESIDE = frozenset({81053, 81054})  # a CNAME would stand beside others

Step = tuple[int, str, dict[str, Any]]  # of which change, in which list of a batch, and what


class Provider:
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
        self.id = id
        secret, wrong = token.strip(), []  # told together, a line each
        if not token:
            wrong.append(
                "token: is missing; it is an API token that may edit the zone's DNS, or with `email` the global API key"
            )
        elif not WORD.fullmatch(secret):
            wrong.append("token: is not one word of printable ASCII characters, so it is not what Cloudflare gave out")
        if email and not WORD.fullmatch(email):
            wrong.append("email: is no address; leave it out where `token` is an API token, and not the global API key")

        def authorize(headers: dict[str, str]) -> None:
            headers.update(
                {"X-Auth-Email": email, "X-Auth-Key": secret} if email else {"Authorization": f"Bearer {secret}"}
            )

        try:
            api = Api(id, "Cloudflare", endpoint, authorize, explain=dns_records.explain, timeout=timeout, sleep=sleep)
        except ProviderError as error:
            wrong.append(str(error))
        if wrong:
            raise ProviderError("\n".join(wrong))
        self.requests = api.counts
        self._client = dns_records.Client(id, api, account_id, now)
        self._now = now
        self._read: dict[str, dns_records.Reading] = {}

    def read(self, zone: str) -> tuple[RRset, ...]:
        """Every RRset of the zone but SOA and the NS at its apex, which the API does not list."""
        self._read.pop(zone, None)
        self._read[zone] = self._client.all(zone, self._client.zone(zone))
        return tuple(self._read[zone].rrsets.values())

    def write(self, zone: str, changes: Sequence[Change]) -> tuple[str, ...]:
        """All changes or none, up to `BATCH` records; more are written in several batches, each whole or not at all. Raises `StaleZone`
        where the zone is not what was read, before anything is written."""
        if not changes:
            return ()
        texts_alone(self._client.who, zone, changes)
        takes(self._client.who, zone, changes, self.limits)
        known = self._unmoved(zone, changes)
        self._read.pop(zone, None)  # whatever happens now, it is not what was read any more
        order = ordered(changes)[1]
        todo = [step for number, change in enumerate(order) for step in self._steps(zone, number, change, known)]
        for start in range(0, len(todo), BATCH):
            part = todo[start : start + BATCH]
            try:
                self._batch(zone, known.zone, part, order)
            except ProviderError as error:
                if not start:
                    raise
                raise so_far(error, part[0][0], len(order)) from None
        return ()

    def _unmoved(self, zone: str, changes: Sequence[Change]) -> dns_records.Reading:
        """The zone as it stands, if that is what the changes start from."""
        known = self._read.get(zone)
        if known is None or self._now() - known.at > TRUST:
            known = self._client.all(zone, known.zone if known else self._client.zone(zone))
        unmoved(self.id, zone, changes, known.rrsets)
        return known

    def _steps(self, zone: str, number: int, change: Change, known: dns_records.Reading) -> Iterable[Step]:
        """A change as it is asked for: first what comes, then what becomes another, and last what goes, wherever a batch may end."""
        found = steps(change, known.records)
        self._fits(zone, change, found)
        name, ttl = absolute(change.name, zone), {"ttl": found.ttl} if found.ttl else {}
        for value in found.come:
            post = {
                "name": name,
                "type": change.type,
                "content": _text.spelled(value),
                "ttl": change.new.ttl if change.new else 0,
            }
            yield number, "posts", post
        for record, value in found.turn:
            yield number, "patches", {"id": record.id, "content": _text.spelled(value), **ttl}
        for record in found.retime:
            yield number, "patches", {"id": record.id, **ttl}
        for record in found.go:
            yield number, "deletes", {"id": record.id}

    def _fits(self, zone: str, change: Change, found: Steps) -> None:
        """Raise `ProviderError` where more would stand at a name than Cloudflare holds there."""
        content = sum(len(_text.spelled(value)) for value in change.new.values) if change.new else 0
        if content > CONTENT and (found.come or found.turn):
            raise ProviderError(f"{zone}: {absolute(change.name, zone)} {change.type}: with ours, {content} characters of text would stand "
                                f"there, and {self._client.who} holds {CONTENT} at one name; nothing was written. Take a text out there "
                                "that nobody needs any more.")  # fmt: skip

    def _batch(self, zone: str, id: str, part: Sequence[Step], order: Sequence[Change]) -> None:
        """One transaction; what it answers must be what was asked for."""
        touched = [order[number] for number in dict.fromkeys(number for number, _, _ in part)]
        more = f" and {len(touched) - 1} more" if touched[1:] else ""
        doing = f"{zone}: writing {absolute(touched[0].name, zone)} {touched[0].type}{more}"
        body = {kind: [each for _, other, each in part if other == kind] for kind in ("deletes", "patches", "posts")}
        path = f"/zones/{id}/dns_records/batch"
        answer = self._client.call("POST", path, doing, body={k: v for k, v in body.items() if v}, told=MOVED | BESIDE)
        if (refused := dns_records.codes(answer.data)) & MOVED:
            raise StaleZone(f"{doing}: {self._client.who} has other records there than were read a moment ago "
                            f"({self._client.words(answer)}); nothing of it was done.")  # fmt: skip
        if refused & BESIDE:
            raise ProviderError(f"{doing}: {self._client.who} refused it, since somebody made another record there meanwhile, and nothing "
                                f"may stand beside a CNAME ({self._client.words(answer)}); nothing of it was done. The next pass "
                                "reads it again.")  # fmt: skip
        if not dns_records.shows(answer.data.get("result"), body):
            raise ProviderError(f"{doing}: {self._client.who} took the change and shows something else than was asked for. Look at "
                                "the records there; the next pass reads them again.")  # fmt: skip
