"""OVHcloud's DNS zones (https://eu.api.ovh.com/console/?section=%2Fdomain), API version 1.

    read    GET    …/record, …/record/{id}   the ids, and each record by a request of its own
    write   POST   …/record                  a new record
            PUT    …/record/{id}             another value for a record of ours, without its type
            DELETE …/record/{id}             a record of ours
            POST   …/refresh                 once, at the end: nothing of it is served before
            GET    …/status                  whether it is

All are below /domain/zone/{zone}; each is signed with the time, so that the clocks are compared first (GET /auth/time). The API has
neither transactions nor prerequisites: what a write starts from is looked at anew where it is older than `TRUST` seconds, and the ids once more after a new text, before it is served (`Alone`). Records of others
are neither sent nor named.

Quirks that are dealt with here: records of the types SPF, DKIM and DMARC, which the web form makes, are served as TXT, and are read and
changed in place as that; new ones are of type TXT (DNSControl/dnscontrol#2488, #339); `fieldType` may not be sent with a PUT
(DNSControl/dnscontrol#483); a text of type DKIM or DMARC may have no quotes (DNSControl/dnscontrol#1235, #1640); texts come back as they
were sent, some joined (DNSControl/dnscontrol#1003); a TTL of 0 is the zone's own, 3600; the answer to a refresh may have no body
(AnalogJ/lexicon#1758); the right to refresh is one of its own, and without it nothing is served (ovh/terraform-provider-ovh#1410); a
zone with a warning may be told not to be deployed though it is served (certbot/certbot#9836).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from dnssync.core.model import Change, Limits, ProviderError, StaleZone, Value, absolute

from . import _ovh as zones
from . import _text
from ._by_id import Reading, Record, Steps
from ._ovh_served import Served, unserved
from ._token import amiss, asked_with
from ._unmoved import TRUST, so_far, stale, writing

ENDPOINTS = {
    **{f"{brand}-{where}": f"https://{where}.api.{brand}.com/1.0" for brand in ("ovh", "kimsufi", "soyoustart") for where in ("eu", "ca")},
    "ovh-us": "https://api.us.ovhcloud.com/1.0",
}  # fmt: skip
# A zone takes a request a record, each of which waits; how many it takes at once, OVHcloud does not say.
LIMITS = Limits(types=frozenset({"TXT"}), min_ttl=60, type99=False, parallel=2)


class Provider(Served):
    """`endpoint` is one of `ENDPOINTS` or an address of the API; the other three are what OVHcloud gave out for an application and,
    with the rights GET, POST, PUT and DELETE on /domain/zone/{zone}/*, as its consumer key."""

    limits = LIMITS

    def __init__(
        self,
        id: str,
        endpoint: str = "",
        application_key: str = "",
        application_secret: str = "",
        consumer_key: str = "",
        *,
        timeout: tuple[float, float] = (10.0, 60.0),
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        options = ("application_key", "application_secret", "consumer_key")
        key, secret, consumer = given = [each.strip() for each in (application_key, application_secret, consumer_key)]
        what = "one of application_key, application_secret and consumer_key, which OVHcloud gives out together"
        wrong = [line for each in zip(options, given, strict=True) for line in amiss(*each, what, "OVHcloud")]
        if endpoint not in ENDPOINTS and "://" not in endpoint:
            wrong.append(f"endpoint: must be one of {', '.join(ENDPOINTS)}, or an https address")
            endpoint = "ovh-eu"  # of which nothing is said
        headers, sign = {"X-Ovh-Application": key, "X-Ovh-Consumer": consumer}, zones.Signature(secret, consumer, clock)
        api = asked_with(wrong, id, "OVHcloud", ENDPOINTS.get(endpoint, endpoint), headers, sign=sign, secrets=[secret],
                         explain=zones.explain, timeout=timeout, sleep=sleep)  # fmt: skip
        super().__init__(id, api, sign, now, sleep)

    def write(self, zone: str, changes: Sequence[Change]) -> tuple[str, ...]:
        """One request a record, then one that has the zone served. Raises `StaleZone` where the zone is not what was read, before
        anything is written; a later trouble says how many changes were done, and so does a zone that is written and not served
        then. Without changes, a zone that is told not to be served as it is written is served; what a write surely left undone is for
        `finish`."""
        if not changes:
            return self._owed(zone)
        known, meant = self._todo(zone, changes)
        for change, found in meant:
            for record, value in found.turn:
                self._spelled(zone, change, value, record)  # or nothing is written
        todo, done, begun = [each for each in meant if each[1].any], 0, False
        stands, stopped = dict(known.records), None
        try:
            for change, found in todo:
                for record, _ in found.turn:
                    del stands[record.id]  # what is not seen to be done is looked at
                for made in self._made(zone, change, found, known.at):
                    begun = True
                    if made is not None:
                        stands[made.id] = made
                done += 1
        except ProviderError as error:
            if not begun and (isinstance(error, StaleZone) or not error.transient):
                raise  # or it may have been done all the same
            stopped = so_far(error, done, len(todo)) if begun else error
        try:
            stopped = self._alone(zone, meant, Reading(known.at, stands), stopped)  # as long as nothing of it is served
        except ProviderError as error:
            raise unserved(error) from None
        if stopped:
            with contextlib.suppress(ProviderError):  # what stopped the write is what is told
                self._refresh(zone)
            raise stopped
        self._refresh(zone)
        self._served(zone)
        return ()

    def _made(self, zone: str, change: Change, found: Steps, at: float) -> Iterator[Record | None]:
        """The requests of a change, one at a time, and the record that stands there after each: first what comes, then what becomes another,
        and last what goes. `at`: since when that is known. What a PUT does not name would be left to the API, so that all is sent, but
        the type."""
        ttl = {"ttl": found.ttl} if found.ttl else {}
        for value in found.come:
            yield self._come(zone, change, value)
        texts = [
            (record, {"target": self._spelled(zone, change, value, record)}, value) for record, value in found.turn
        ]
        for record, text, value in [*texts, *((record, dict[str, str](), record.value) for record in found.retime)]:
            before = {part: record.told.get(part) for part in ("subDomain", "target", "ttl")}
            self._sent("PUT", zone, change, record, at, before | text | ttl)
            yield replace(record, value=value)
        for record in found.go:
            self._sent("DELETE", zone, change, record, at)
            yield None

    def _spelled(self, zone: str, change: Change, value: Value, record: Record) -> str:
        """A text as that record takes it; raises `ProviderError` where it cannot."""
        kind = str(record.told["fieldType"]).upper()
        if kind not in zones.BARE:
            return _text.spelled(value)
        if not zones.plain(value.text):
            raise ProviderError(f"{zone}: {absolute(change.name, zone)} TXT stands at {self.who} as type {kind}, which holds plain text alone; "
                                "nothing was written. Make it a record of type TXT there.")  # fmt: skip
        return value.text

    def _come(self, zone: str, change: Change, value: Value) -> Record:
        """A new record. What is said of a key that is refused as TXT is not known: it is tried as what the web form makes of one."""
        doing, ttl = writing(zone, change), change.new.ttl if change.new else 0
        body = {"fieldType": change.type, "subDomain": change.name, "target": _text.spelled(value), "ttl": ttl}
        reply = self._call("POST", zone, "/record", doing, body=body, expect=(400,))
        if reply.status == 400 and "_domainkey" in change.name.split(".") and zones.plain(value.text):
            native = {**body, "fieldType": "DKIM", "target": value.text}
            again = self._call("POST", zone, "/record", doing, body=native, expect=(400,))
            reply = again if again.status != 400 else reply
        if reply.status == 400:
            raise self._refused(reply, zone, doing)
        told, wanted = zones.read(reply.data, zone), (change.name, change.type, value.text, ttl)
        if told is None or (told.name, told.type, told.value.text, told.ttl) != wanted:
            raise self._otherwise(doing)
        return told

    def _sent(self, method: str, zone: str, change: Change, record: Record, at: float, body: Any = None) -> None:
        """A request about a record of ours, which must still be what was read, or, where it is to go, may be gone. It is looked at where
        the changes before this one took their time."""
        doing, goes = writing(zone, change), method == "DELETE"
        if self._now() - at > TRUST:
            now = self._one(zone, record.id, doing)
            if not (goes if now is None else (now.name, now.value, now.ttl) == (record.name, record.value, record.ttl)):
                raise stale(self.id, zone, change)
        reply = self._call(method, zone, f"/record/{record.id}", doing, body=body, expect=(404,))
        if reply.status == 404 and record.id in self._ids(zone, doing):  # it is not about the record
            raise self._refused(reply, zone, doing)
        if reply.status == 404 and not goes:
            raise stale(self.id, zone, change)

    def _take_out(self, zone: str, known: Reading, records: Sequence[Record], doing: str) -> None:
        """See `Alone`."""
        for record in records:
            self._call("DELETE", zone, f"/record/{record.id}", doing)
