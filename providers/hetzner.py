"""DNS of Hetzner Cloud (https://docs.hetzner.cloud/reference/cloud#zones), API version 1.

    read    GET  /zones/{zone}                              the TTL of record sets that have none of their own
            GET  /zones/{zone}/rrsets?page&per_page&sort    every page, counted against `total_entries`
    write   POST /zones/{zone}/rrsets                       a new RRset; 409 where somebody was faster
            POST …/rrsets/{name}/{type}/actions/…
                 remove_records, add_records                single values: strangers' are not even sent
                 set_records                                where a value of ours gets a successor of its kind
                 change_ttl                                 alone: `add_records` with another TTL is refused, "has differing record
                                                            TTLs" (stalwartlabs/dns-update#76)

Every write begins an action, which is asked for until it has ended, at /zones/actions/{id} (qdm12/ddns-updater#1177). There are no
prerequisites, so the zone is looked at again where the reading is older than `TRUST` seconds. An RRset without values is gone by itself.

A record that gets a successor of its kind (`v=spf1`) is exchanged by one request, which sends all values of its RRset, strangers' as they
were read a moment before, with their comments. By two requests there would be two such records for a while, of which receivers take
neither (RFC 7208 §4.5), or none, and none for long where the second one fails: the next pass would find nothing to merge with. The
price is that `set_records` puts back what it was told, whoever wrote meanwhile (dns-lexicon/dns-lexicon#73): what a stranger writes to that
RRset between the look and the request, one request's time, is undone. So it is looked at directly before, however young the reading is.

Quirks: `ttl: null` is the zone's own, and stays null where it is not changed; texts are quoted, with strings of 255 octets at most (422
"a TXT string exceeds 255 characters", hetznercloud/terraform-provider-hcloud#1220); comments stay with their values, labels with
their RRsets; there is no type SPF.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from dnssync.core.model import Change, Limits, ProviderError, RRset, Value

from . import _hetzner as hetzner
from ._by_value import again, alone, amiss, apart, lost, missing, something_else, succeeds, texts
from ._hetzner_client import Client, may_be_done
from ._takes import PLAIN_NAMES, takes
from ._token import by_token
from ._unmoved import TRUST, alike, ordered, so_far, stale, unmoved, writing

ENDPOINT = "https://api.hetzner.cloud/v1"
# How long a text may be, Hetzner does not say; this is room for every key.
# It takes 3,600 requests an hour for a project; each change is an action that is waited for, and those of one zone go one by one.
LIMITS = Limits(
    types=frozenset({"TXT"}), min_ttl=60, max_ttl=2147483647, txt=4000, type99=False, names=PLAIN_NAMES, parallel=4
)


class Provider:
    """`token` is an API token of the project that has the zone, with the right to read and write. `endpoint` is another address of
    the API."""

    limits = LIMITS

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
        what = "an API token, for reading and writing, of the project that has the zone"
        api = by_token(id, "Hetzner", endpoint, "Bearer", token, what, hetzner.explain, timeout, sleep)
        self.id, self.requests, self._now, self._sleep = id, api.counts, now, sleep
        self._client = Client(id, api, now)
        self._read: dict[str, hetzner.Reading] = {}

    def read(self, zone: str) -> tuple[RRset, ...]:
        """Every RRset of the zone."""
        self._read[zone] = self._client.all(zone)
        return tuple(self._read[zone].rrsets.values())

    # --- writing ----------------------------------------------------------------------------------------------------

    def write(self, zone: str, changes: Sequence[Change]) -> tuple[str, ...]:
        """An action a change, two where values both come and go, and one look at the end. Raises `StaleZone`
        where the zone is not what was read, before anything is written; a later trouble says how many changes were done."""
        if not changes:
            return ()
        takes(self._client.who, zone, changes, self.limits)
        known = self._read.pop(zone, None)
        if known is None or self._now() - known.at > TRUST:
            known = self._again(zone, changes, known)
        self._same(zone, changes, known)
        turning, order = ordered(changes)
        begun, tried = set[str](), 0
        for done, change in enumerate(order):
            try:
                # Those before it took their time; but where a name has lost its CNAME, what comes comes at once.
                late = done and change.name not in begun & turning and self._now() - known.at > TRUST
                if late or succeeds(change):
                    known = self._client.named(zone, change.name, known)
                    self._same(zone, [each for each in order[done:] if each.name == change.name], known)
                begun.add(change.name)
                tried = done + 1
                self._change(zone, change, known)
            except ProviderError as error:
                told = so_far(error, done, len(order)) if done else error
                if done or (tried and may_be_done(change, error)):
                    self._alone(zone, order[:tried], known, failed=told)
                raise told from None
        self._as_asked(zone, changes, self._alone(zone, changes, known))
        return ()

    def _alone(
        self, zone: str, changes: Sequence[Change], known: hetzner.Reading, *, failed: ProviderError | None = None
    ) -> hetzner.Reading:
        """See `alone`."""

        def take_out(found: hetzner.Reading, crowded: Sequence[tuple[Change, Value]]) -> None:
            for change, value in crowded:  # where it is gone already, the next look tells
                self._client.act(
                    zone, change, "remove_records", {"records": hetzner.records([value])}, expect=(404, 422)
                )

        look = partial(self._again, zone, changes, known)
        return alone(self.id, self._client.who, zone, changes, self._now, self._sleep, look, take_out, failed=failed)

    def _again(self, zone: str, changes: Sequence[Change], known: hetzner.Reading | None) -> hetzner.Reading:
        whole, named = partial(self._client.all, zone, known), partial(self._client.named, zone)
        return again(changes, known, self._now, whole, named)

    def _same(self, zone: str, changes: Sequence[Change], known: hetzner.Reading) -> None:
        """See `unmoved`; and raise `ProviderError` where an RRset is protected."""
        unmoved(self.id, zone, changes, known.rrsets)
        for change in changes:
            if (change.name, change.type) in known.protected:
                raise self._client.error(writing(zone, change), "has this record set protected from changes; nothing of it was done. Take "
                                         "the protection away in the Console, or leave that record out")  # fmt: skip

    def _change(self, zone: str, change: Change, known: hetzner.Reading) -> None:
        if change.old is None and change.new is not None:
            body = {"name": hetzner.spelled(change.name), "type": change.type, "ttl": change.new.ttl}
            body["records"] = hetzner.records(change.new.values)
            if self._client.act(zone, change, "", body, expect=(409,)).status == 409:
                raise stale(self.id, zone, change)
            return
        gone, come = apart(change)
        if succeeds(change):
            self._exchange(zone, change, known)
        else:  # nothing is missing meanwhile
            self._act(zone, change, known, "add_records", hetzner.records(come))
            self._act(zone, change, known, "remove_records", hetzner.records(gone), come)
        if change.old and change.new and change.new.ttl != change.old.ttl:
            self._client.act(zone, change, "change_ttl", {"ttl": change.new.ttl})

    def _exchange(self, zone: str, change: Change, known: hetzner.Reading) -> None:
        """A record and its successor by one request, with all that stands beside them as it was looked at just now."""
        key, (gone, come) = (change.name, change.type), apart(change)
        stay = [value for value in known.rrsets[key].values if value.text not in texts(gone)]
        try:
            self._act(zone, change, known, "set_records", hetzner.records([*stay, *come], known.comments[key]))
        except ProviderError:  # it may be done all the same
            with contextlib.suppress(ProviderError):
                known = self._client.named(zone, change.name, known)
            if amiss(change, known.rrsets.get(key)):
                raise

    def _act(
        self,
        zone: str,
        change: Change,
        known: hetzner.Reading,
        what: str,
        records: Sequence[Any],
        came: Sequence[Value] = (),
    ) -> None:
        """One action with values of an RRset, to which `came` came already. Raises `StaleZone` where it is refused and something else
        stands there: a value that is to go may be gone."""
        if not records or change.old is None:
            return
        key = (change.name, change.type)
        reply = self._client.act(zone, change, what, {"records": records}, expect=(404, 422))
        if reply.status in (404, 422):
            now = self._client.named(zone, change.name, known).rrsets.get(key)
            if not alike(now, replace(change.old, values=(*change.old.values, *came))):
                raise stale(self.id, zone, change)
            raise self._client.refused(reply, writing(zone, change))

    def _as_asked(self, zone: str, changes: Sequence[Change], now: hetzner.Reading) -> None:
        """Raise where something else stands there than was asked for."""
        for change in changes:
            rrset, doing = now.rrsets.get((change.name, change.type)), writing(zone, change)
            ttl = change.new.ttl if change.new and not (change.old and change.old.ttl == change.new.ttl) else None
            if amiss(change, rrset) or (rrset and ttl not in (None, rrset.ttl)):
                raise something_else(doing, self._client.who)
            if succeeds(change) and (gone := lost(change, rrset)):  # it was sent with ours
                raise missing(doing, self._client.who, gone)
