"""OVHcloud's DNS zones (https://eu.api.ovh.com/console/?section=%2Fdomain), API version 1.

    read    GET    …/record, …/record/{id}   the ids, and each record by a request of its own
    write   POST   …/record                  a new record
            PUT    …/record/{id}             another value for a record of ours, without its type
            DELETE …/record/{id}             a record of ours
            POST   …/refresh                 once, at the end: nothing of it is served before
            GET    …/status                  whether it is

All are below /domain/zone/{zone}; each is signed with the time, so that the clocks are compared first (GET /auth/time). The API has
neither transactions nor prerequisites: what a write starts from is looked at anew where it is older than `TRUST` seconds. Records of
others are neither sent nor named.

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
from collections.abc import Callable, Sequence

from dnssync.core.model import Change, Limits, ProviderError, RRset, StaleZone

from . import _ovh as zones
from ._by_id import Steps, steps, texts_alone
from ._http import Api
from ._ovh_write import Writer
from ._takes import takes
from ._token import WORD
from ._unmoved import TRUST, ordered, so_far, unmoved

ENDPOINTS = {
    "ovh-eu": "https://eu.api.ovh.com/1.0",
    "ovh-ca": "https://ca.api.ovh.com/1.0",
    "ovh-us": "https://api.us.ovhcloud.com/1.0",
    "kimsufi-eu": "https://eu.api.kimsufi.com/1.0",
    "kimsufi-ca": "https://ca.api.kimsufi.com/1.0",
    "soyoustart-eu": "https://eu.api.soyoustart.com/1.0",
    "soyoustart-ca": "https://ca.api.soyoustart.com/1.0",
}
LIMITS = Limits(types=frozenset({"TXT"}), min_ttl=60, type99=False)


class Provider:
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
        self.id = id
        key, secret, consumer = given = [each.strip() for each in (application_key, application_secret, consumer_key)]
        wrong = []  # told together, a line each
        for option, word in zip(("application_key", "application_secret", "consumer_key"), given, strict=True):
            if not word:
                wrong.append(
                    f"{option}: is missing; OVHcloud gives out application_key, application_secret and consumer_key together"
                )
            elif not WORD.fullmatch(word):
                wrong.append(
                    f"{option}: is not one word of printable ASCII characters, so it is not what OVHcloud gave out"
                )

        def authorize(headers: dict[str, str]) -> None:
            headers.update({"X-Ovh-Application": key, "X-Ovh-Consumer": consumer})

        sign = zones.Signature(secret, consumer, clock)
        if endpoint not in ENDPOINTS and "://" not in endpoint:
            wrong.append(f"endpoint: must be one of {', '.join(ENDPOINTS)}, or an https address")
        try:
            api = Api(id, "OVHcloud", ENDPOINTS.get(endpoint, endpoint if "://" in endpoint else ENDPOINTS["ovh-eu"]), authorize,
                      sign=sign, secrets=[secret], explain=zones.explain, timeout=timeout, sleep=sleep)  # fmt: skip
        except ProviderError as error:
            wrong.append(str(error))
        if wrong:
            raise ProviderError("\n".join(wrong))
        self.requests = api.counts
        self._client = zones.Client(id, api, sign, now)
        self._writer = Writer(id, self._client, now, sleep)
        self._now = now
        self._read: dict[str, zones.Reading] = {}

    def read(self, zone: str) -> tuple[RRset, ...]:
        """Every RRset of the zone but SOA, which the API does not list."""
        self._read.pop(zone, None)
        self._read[zone] = self._client.read(zone)
        return tuple(self._read[zone].rrsets.values())

    def write(self, zone: str, changes: Sequence[Change]) -> tuple[str, ...]:
        """One request a record, then one that has the zone served. Raises `StaleZone` where the zone is not what was read, before
        anything is written; a later trouble says how many changes were done. Without changes, a zone that is told not to be served as
        it is written is served; what a write surely left undone is for `finish`."""
        texts_alone(self._client.who, zone, changes)
        takes(self._client.who, zone, changes, self.limits)
        if not changes:
            return self._writer.owed(zone)
        todo = self._todo(zone, changes)
        done, begun = 0, False
        try:
            for change, found, at in todo:
                for act in self._writer.acts(zone, change, found, at):
                    act()
                    begun = True
                done += 1
        except ProviderError as error:
            if begun or (error.transient and not isinstance(error, StaleZone)):  # or it may have been done all the same
                with contextlib.suppress(ProviderError):  # what stopped the write is what is told
                    self._writer.refresh(zone)
            if not begun:
                raise
            raise so_far(error, done, len(todo)) from None
        self._writer.refresh(zone)
        return self._writer.served(zone)[1]

    def finish(self, zone: str) -> tuple[str, ...]:
        """Have a zone served whose last write did not come to its end, whatever is told of it."""
        return self._writer.finish(zone)

    def _todo(self, zone: str, changes: Sequence[Change]) -> list[tuple[Change, Steps, float]]:
        """The changes that change something, in their order, with what each means for single records and since when that is known."""
        known = self._read.pop(zone, None)  # whatever happens now, it is not what was read any more
        if known is None or self._now() - known.at > TRUST:
            known = self._client.read(zone, known, {change.name for change in changes})
        unmoved(self.id, zone, changes, known.rrsets)
        todo = [(change, steps(change, known.records.values()), known.at) for change in ordered(changes)[1]]
        for change, found, _ in todo:
            for record, value in found.turn:
                self._writer.spelled(zone, change, value, record)  # or nothing is written
        return [each for each in todo if each[1].turn or each[1].come or each[1].go or each[1].retime]
