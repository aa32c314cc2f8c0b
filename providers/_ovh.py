"""OVHcloud's DNS zones asked: every request is signed; what its records and errors say."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any
from urllib.parse import quote

from dnssync.core.model import ProviderError

from . import _text
from ._alone import Alone
from ._by_id import Reading, Record
from ._http import Api, Reply

DEFAULT_TTL = 3600  # seconds: what a TTL of 0 means
FOLDED = {"SPF": "TXT", "DKIM": "TXT", "DMARC": "TXT"}  # types of its own, made by its web form and served as TXT
BARE = frozenset({"DKIM", "DMARC"})  # of those, whose text may have no quotes
RIGHTS = "The consumer key may not do that: make one with GET, POST, PUT and DELETE on /domain/zone/{zone}/*."
HINTS = {  # by code, or by status
    "NOT_GRANTED_CALL": RIGHTS,
    "FORBIDDEN": RIGHTS,
    "NOT_CREDENTIAL": "See that `consumer_key` is right; it is asked for once, with the rights that it shall have.",
    "INVALID_CREDENTIAL": "The consumer key was never validated, was taken back, or has expired: make another one.",
    "INVALID_KEY": "See that `application_key` is right, and that `endpoint` is where it was made.",
    "INVALID_SIGNATURE": "See that `application_secret` belongs to `application_key`, and that this host's clock runs evenly.",
    "QUERY_TIME_OUT": "The request was on its way for too long, or this host's clock jumped; a later pass tries again.",
    404: "It has no such zone, or the consumer key may not see it. No zone is ever created.",
    460: "The service has expired there, and nothing can be changed before it is renewed.",
}


class Signature:
    """Signs requests: `$1$` and the SHA-1 of secret, consumer key, method, address, body and time, joined by `+`. `clock` is the time of
    day in seconds; `ahead` how far the other side's is ahead of it, None while that is not known, and then nothing is signed."""

    def __init__(self, secret: str, consumer: str, clock: Callable[[], float] = time.time) -> None:
        self._secret, self._consumer, self._clock = secret, consumer, clock
        self.ahead: float | None = None

    def __call__(self, method: str, url: str, body: bytes) -> Mapping[str, str]:
        """The headers for a request as it is sent."""
        if self.ahead is None:
            return {}
        stamp = str(int(self._clock() + self.ahead))
        parts = (self._secret, self._consumer, method.upper(), url, body, stamp)
        whole = b"+".join(part if isinstance(part, bytes) else part.encode() for part in parts)
        sha1 = hashlib.sha1(whole, usedforsecurity=False).hexdigest()  # what the API takes
        return {"X-Ovh-Timestamp": stamp, "X-Ovh-Signature": f"$1${sha1}"}

    def told(self, now: int) -> None:
        """The other side's clock shows this."""
        self.ahead = now - self._clock()


class Zones(Alone):
    """The zones of one consumer key, read. `sleep` lets seconds pass."""

    def __init__(
        self, id: str, api: Api, sign: Signature, now: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        super().__init__(id, "OVHcloud", api, now, sleep)
        self._sign = sign

    def _look(self, zone: str, known: Reading | None = None, names: Collection[str] = ()) -> Reading:
        """Every record of a zone, each by a request of its own; or, after a reading, those at some names and whatever is new."""
        doing = f"{zone}: reading the zone"
        at, before, found = self._now(), known.records if known else {}, dict[str, Record]()
        for id in self._ids(zone, doing):
            record = before.get(id)
            if record is None or record.name in names:
                record = self._one(zone, id, doing)
            if record is None:
                raise ProviderError(f"{doing}: a record went while {self.who} showed them one by one. Nothing is taken from half a zone; a later "
                                    "pass reads again.", transient=True)  # fmt: skip
            found[id] = record
        return Reading(at, found)

    def _ids(self, zone: str, doing: str) -> list[str]:
        """The ids of all records there."""
        told = self._call("GET", zone, "/record", doing).data
        if not isinstance(told, list) or not all(type(id) is int for id in told) or len(set(told)) != len(told):
            raise self._nonsense(doing, "list of records")
        return [str(id) for id in told]

    def _one(self, zone: str, id: str, doing: str) -> Record | None:
        """A record as it stands now, None where it is gone."""
        reply = self._call("GET", zone, f"/record/{id}", doing, expect=(404,))
        record = None if reply.status == 404 else read(reply.data, zone)
        if reply.status != 404 and (record is None or record.id != id):
            raise self._nonsense(doing, "record of the zone")
        return record

    def _call(
        self, method: str, zone: str, path: str, doing: str, *, body: Any = None, expect: Collection[int] = ()
    ) -> Reply:
        """A signed request about a zone; how far the clocks differ is asked before the first one."""
        if self._sign.ahead is None:
            now = self._api.call("GET", "/auth/time", doing, expect=(404,)).data
            if type(now) is not int:
                raise ProviderError(f"{doing}: {self.who} does not tell its time, without which no request can be signed. See that `endpoint` is "
                                    "right.")  # fmt: skip
            self._sign.told(now)
        path = f"/domain/zone/{quote(zone, safe='')}{path}"
        reply = self._api.call(method, path, doing, body=body, expect=(400, 401, 403, 404, 460))
        if reply.status < 300 or reply.status in expect:
            return reply
        raise self._refused(reply, zone, doing)

    def _refused(self, reply: Reply, zone: str, doing: str) -> ProviderError:
        """What a refusal means."""
        code = str(reply.data.get("errorCode") or "") if isinstance(reply.data, dict) else ""
        if not code and "signature" in self._api.words(reply).lower():
            code = "INVALID_SIGNATURE"
        hint = HINTS.get(code) or HINTS.get(reply.status) or ""
        return self._api.refused(reply, doing, hint.replace("{zone}", zone), transient=code == "QUERY_TIME_OUT")


def explain(data: Any) -> str:
    """The vendor's words in an error's JSON, with its code where it has one."""
    if not isinstance(data, dict):
        return ""
    message, code = str(data.get("message") or "").strip().rstrip("."), data.get("errorCode")
    return f"{message} ({code})" if code else message


def read(entry: Any, zone: str) -> Record | None:
    """A record of an answer, types of OVHcloud's own as what they are served as; None where it is none."""
    if not isinstance(entry, dict):
        return None
    id, name, kind, ttl, target = (entry.get(part) for part in ("id", "subDomain", "fieldType", "ttl", "target"))
    name = "" if name is None else name
    if type(id) is not int or type(ttl) is not int or not all(isinstance(text, str) for text in (name, kind, target)):
        return None
    kind, name = str(kind).upper(), str(name).lower()
    served = FOLDED.get(kind, kind)
    value = _text.in_zone(served, str(target) or '""', zone)
    return Record(str(id), "" if name == "@" else name, served, ttl or DEFAULT_TTL, value, entry)


def plain(text: str) -> bool:
    """Whether a text needs no quotes: printable ASCII without `"` and `\\`."""
    return text.isascii() and text.isprintable() and not set(text) & {'"', "\\"}
