"""PowerDNS Authoritative Server (https://doc.powerdns.com/authoritative/http-api/), its own HTTP API, version 1.

    read    GET   /servers/{server_id}/zones/{zone}     the zone whole
    write   PATCH /servers/{server_id}/zones/{zone}     all changes in one request, which is done whole or not at all

The API has no prerequisites: each write begins with a look at the zone. From 4.9.12 and 5.0.2 on it knows single values (changetypes
EXTEND and PRUNE); older servers refuse the whole request with 422 "Changetype not understood", and then it is made once more with
REPLACE, with others' values as they were read. PRUNE says nothing where the value is not there any more, and EXTEND puts ours beside
whatever stands there, so that a write by value ends with another look.

Quirks, each seen at 4.7.3 and 4.9.18 with the backends gsqlite3 and lmdb: a reading of one record set (`rrset_name`) leaves out disabled
values, so the zone is always read whole; EXTEND and PRUNE drop the disabled values of their record set, EXTEND does not look for a CNAME,
and PRUNE of a value that is spelled otherwise does nothing and says nothing; REPLACE without `comments` leaves comments alone; a
secondary zone can be written to; 401 and 404 are plain text; names are letters, digits and `-_*/.` alone.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from dnssync.core.model import Change, Limits, ProviderError, RRset, Value, absolute

from ._by_value import alone, amiss, lost, missing, something_else, texts
from ._http import LOOPBACK, Reply
from ._powerdns import Reading, by_value, explain, parts, prune, reading
from ._token import asked_with
from ._unmoved import ordered, unmoved, writing

SECONDARY = {"slave", "secondary", "consumer"}  # kinds of zones whose records come from another server
SERVER_ID = re.compile(r"[A-Za-z0-9._-]+")
_HOST = re.compile(r"[A-Za-z0-9._:-]+")
_SECRET = re.compile(r"[\x20-\x7e]+")


class Provider:
    """`host`, `port` and `scheme` (https, or http on this host) say where the API is, or `endpoint` does, up to `/api/v1`; `api_key` is the one
    of pdns.conf, `server_id` is `localhost` but behind a proxy of PowerDNS', `ssl_verify` a file of the certificate authorities to trust."""

    def __init__(
        self,
        id: str,
        host: str = "",
        api_key: str = "",
        port: int = 8081,
        scheme: str = "",
        ssl_verify: bool | str = True,
        server_id: str = "localhost",
        endpoint: str = "",
        *,
        timeout: tuple[float, float] = (10.0, 60.0),
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        # It has three threads for its API unless told otherwise (distributor-threads), and the API shares the database with its answers.
        self.id, self.limits = id, Limits(parallel=2)
        self.who = f"PowerDNS (provider {id})"
        key = api_key.strip()
        scheme = scheme or ("http" if host in LOOPBACK else "https")
        wrong = []  # told together, a line each
        if not key:
            wrong.append("api_key: is missing; it is the `api-key` of the server's pdns.conf")
        elif not _SECRET.fullmatch(key):
            wrong.append("api_key: holds characters that no header can carry")
        if not host and not endpoint:
            wrong.append("host: is missing; it is where the API listens (`webserver-address` in pdns.conf)")
        elif host and endpoint:
            wrong.append("endpoint: cannot be given together with host; leave out the one that is not meant")
        elif host and not _HOST.fullmatch(host):
            wrong.append("host: is neither a name nor an address")
        elif not endpoint and (scheme not in ("http", "https") or (scheme == "http" and host not in LOOPBACK)):
            wrong.append("scheme: must be https, so that nobody reads the key on its way; http is for 127.0.0.1, ::1 and localhost. Put a "
                         "web server with TLS before the API, or a tunnel to it on this host")  # fmt: skip
        if not str(port).isdecimal() or not 0 < int(port) < 65536:
            wrong.append(f"port: must be 1 to 65535, not {port}")
        if ssl_verify is False:
            wrong.append("ssl_verify: cannot be false, the key would go to whoever answers; name the file of the authority that signed "
                         "the certificate")  # fmt: skip
        elif isinstance(ssl_verify, str) and not os.access(ssl_verify, os.R_OK):
            wrong.append(f"ssl_verify: {ssl_verify} cannot be read")
        if not SERVER_ID.fullmatch(server_id):
            wrong.append("server_id: is no name of a server; it is `localhost` where pdns_server itself answers")

        if wrong:
            raise ProviderError("\n".join(wrong))
        base = endpoint.rstrip("/") or f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/api/v1"
        self._api = asked_with([], id, "PowerDNS", f"{base}/servers/{server_id}", {"X-API-Key": key}, explain=explain, timeout=timeout,
                               sleep=sleep, verify=ssl_verify)  # fmt: skip
        self._now, self._sleep = now, sleep
        self.requests = self._api.counts
        self._single = True  # whether the server may know of single values

    def read(self, zone: str) -> tuple[RRset, ...]:
        """Every RRset that is served; one whose values are all disabled is none."""
        return tuple(self._zone(zone).rrsets.values())

    def write(self, zone: str, changes: Sequence[Change]) -> tuple[str, ...]:
        """All changes in one request, or none of them. Raises `StaleZone` where the zone is not what was read."""
        if not changes:
            return ()
        known = self._zone(zone)  # REPLACE and DELETE take no account of what came since a reading, however young it is
        unmoved(self.id, zone, changes, known.rrsets)
        self._enabled(zone, changes, known)
        more = f" and {len(changes) - 1} record sets more" if changes[1:] else ""
        doing = writing(zone, changes[0]) + more
        written = self._written(changes, known)
        try:
            reply = self._patch(zone, changes, known, doing)
        except ProviderError as error:
            if error.transient and written:  # it may be done all the same
                self._alone(zone, written, failed=error)
            raise
        if reply.status == 422 and self._single and "changetype" in self._api.words(reply).lower():
            self._single = False  # it knows of record sets alone, and has done nothing yet
            reply = self._patch(zone, changes, known, doing)
        if reply.status == 422:
            raise ProviderError(f"{doing}: {self.who} refused it: {self._api.words(reply).rstrip('.')}. Nothing was written; a later pass "
                                "reads the zone again.")  # fmt: skip
        if written := self._written(changes, known):
            self._seen(zone, self._alone(zone, written), written)
        return ()

    def _written(self, changes: Sequence[Change], known: Reading) -> list[Change]:
        return [change for change in changes if by_value(change, known, self._single)]

    def _alone(self, zone: str, changes: Sequence[Change], *, failed: ProviderError | None = None) -> Reading:
        """See `alone`, of what is written by value."""

        def take_out(found: Reading, crowded: Sequence[tuple[Change, Value]]) -> None:
            body = {"rrsets": [prune(zone, found.rrsets[change.name, change.type], value) for change, value in crowded]}
            self._call("PATCH", zone, f"{zone}: taking back what was added", body=body)

        look = partial(self._zone, zone, "looking at what was written")
        return alone(self.id, self.who, zone, changes, self._now, self._sleep, look, take_out, failed=failed)

    def _seen(self, zone: str, found: Reading, changes: Sequence[Change]) -> None:
        """Raise where something else stands there than was asked for, or what others switched off in that moment went with it."""
        for change in changes:
            key, doing = (change.name, change.type), writing(zone, change)
            if amiss(change, found.rrsets.get(key)):
                raise something_else(doing, self.who)
            if gone := lost(change, found.rrsets.get(key)) - texts(found.disabled.get(key)):
                raise missing(doing, self.who, gone)

    # --- one zone ---------------------------------------------------------------------------------------------------

    def _zone(self, zone: str, what: str = "reading the zone") -> Reading:
        """The zone as it stands now. Raises `ProviderError` where it is not there, is a secondary, or is not understood whole."""
        doing = f"{zone}: {what}"
        data = self._call("GET", zone, doing).data
        try:
            kind, known = reading(data, zone)
        except (AttributeError, KeyError, TypeError, ValueError):
            raise ProviderError(f"{doing}: {self.who} answered with something that is not that zone. Nothing is taken from it; see that "
                                "the address is the API's.") from None  # fmt: skip
        if kind.lower() in SECONDARY:
            raise ProviderError(f"{doing}: it is a secondary ({kind}) at {self.who}, which takes its records from another server and would lose "
                                "ours. Give the zone the provider of its primary.")  # fmt: skip
        return known

    def _enabled(self, zone: str, changes: Sequence[Change], known: Reading) -> None:
        """Raise `ProviderError` where a value that is to come stands there disabled: that was somebody's wish."""
        for change in changes:
            if texts(known.disabled.get((change.name, change.type))) & texts(change.new):
                raise ProviderError(f"{zone}: {absolute(change.name, zone)} {change.type} at {self.id} has the value that is to be written, but "
                                    "disabled. Nothing was written; enable it there, or delete it there.")  # fmt: skip

    def _patch(self, zone: str, changes: Sequence[Change], known: Reading, doing: str) -> Reply:
        body = [part for change in ordered(changes)[1] for part in parts(zone, change, known, self._single)]
        return self._call("PATCH", zone, doing, body={"rrsets": body}, expect=(422,))

    def _call(self, method: str, zone: str, doing: str, *, body: Any = None, expect: Sequence[int] = ()) -> Reply:
        """A request about a zone, whose name the server spells with `=XX` in a path, in place of `%XX`."""
        name = re.sub(r"[^A-Za-z0-9.-]", lambda found: f"={ord(found[0]):02X}", zone)
        reply = self._api.call(method, f"/zones/{name}.", doing, body=body, expect=(*expect, 401, 404))
        if reply.status == 401:
            raise ProviderError(f"{doing}: {self.who} does not accept the key. Compare `api_key` with the `api-key` of its pdns.conf.")  # fmt: skip
        if reply.status == 404:
            raise ProviderError(f"{doing}: {self.who} has no such zone, or `server_id` is another one, or its API is off (`api=yes` in pdns.conf). "
                                "No zone is ever created.")  # fmt: skip
        return reply
