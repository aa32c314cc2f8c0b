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

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from dnssync.core.model import Change, Limits, ProviderError, RRset, StaleZone, Value, absolute

from . import _text
from ._http import Api, Reply

ENDPOINT = "https://api.gandi.net/v5"
PAGE = 500  # the API's own default; more is answered with less
MOST_PAGES = 1000
TRUST = 5.0  # seconds for which what was read is taken for what stands there
SNAPSHOTS = 3  # of ours, kept per zone
LIMITS = Limits(min_ttl=300, max_ttl=2592000, txt=8000)  # a value has 16384 characters at most, and `\DDD` takes four
TARGETS = frozenset({"ALIAS", "CNAME", "DNAME", "MX", "NS", "PTR", "SRV"})  # whose last word is a name
_SECRET = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True)
class _Reading:
    """A zone as it was read: when, each RRset, and its name as Gandi spells it ("" where two spellings stand side by side)."""

    at: float
    rrsets: dict[tuple[str, str], RRset]
    spelled: dict[tuple[str, str], str]
    pages: int

    def spelling(self, name: str) -> str:
        """A name as Gandi writes it, whichever type it has there."""
        return next((spelled for (known, _), spelled in self.spelled.items() if known == name and spelled), name or "@")


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
        secret = (token or apikey).strip()
        if bool(token) == bool(apikey):
            raise ProviderError(f"{id}: give it `token`, or `apikey` where the account still has one, and not both.")
        if not _SECRET.fullmatch(secret):
            raise ProviderError(f"{id}: the {'token' if token else 'apikey'} is not one word of printable characters.")
        scheme = "Bearer" if token else "Apikey"

        def authorize(headers: dict[str, str]) -> None:
            headers["Authorization"] = f"{scheme} {secret}"

        self._api = Api(
            id, "Gandi", endpoint.rstrip("/") + "/livedns", authorize, explain=explain, timeout=timeout, sleep=sleep
        )
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
        """Whether records of type SPF are taken today; asked once. What is no answer to that question means no."""
        if not self._types_known:
            reply = self._call("GET", "/dns/rrtypes", f"{zone}: asking which types there are", expect=(404,))
            types = reply.data if isinstance(reply.data, list) else []
            self.limits = replace(self.limits, type99="SPF" in types)
            self._types_known = True

    def _all(self, zone: str) -> _Reading:
        """The whole zone. Raises `ProviderError` where the pages do not come to what the API itself counts."""
        doing = f"{zone}: reading the zone"
        found: list[dict[str, Any]] = []
        totals: set[int] = set()
        pages = 0
        while pages < MOST_PAGES:
            pages += 1
            params = {"page": pages, "per_page": PAGE}
            reply = self._call("GET", f"{_zone(zone)}/records", doing, params=params, expect=(404,))
            if reply.status == 404:
                raise self._no_zone(reply, doing)
            if not isinstance(reply.data, list):
                raise ProviderError(f"{doing}: Gandi (provider {self.id}) answered with something that is no list of records. "
                                    "Nothing is taken from it.")  # fmt: skip
            found += [self._entry(entry, doing) for entry in reply.data]
            count = reply.headers.get("Total-Count", "")
            totals |= {int(count)} if count.isascii() and count.isdecimal() else set()
            if not reply.data or (totals and len(found) >= max(totals) and len(reply.data) < PAGE):
                break
        if totals and totals != {len(found)}:
            counted = " then ".join(map(str, sorted(totals)))
            raise ProviderError(f"{doing}: Gandi (provider {self.id}) counts {counted} record sets and shows {len(found)}; the zone "
                                "changed meanwhile, or a page is missing. Nothing is taken from it; the next pass reads again.",
                                transient=True)  # fmt: skip
        reading = self._collected(zone, found, pages, doing)
        self._read[zone] = reading
        return reading

    def _collected(self, zone: str, found: Sequence[dict[str, Any]], pages: int, doing: str) -> _Reading:
        rrsets: dict[tuple[str, str], RRset] = {}
        spelled: dict[tuple[str, str], str] = {}
        for entry in found:
            rrset, name = _rrset(entry, zone), entry["rrset_name"]
            before = rrsets.get(rrset.key)
            if before is not None and spelled[rrset.key] == name:
                raise ProviderError(f"{doing}: Gandi (provider {self.id}) shows {name} {rrset.type} on two pages; the zone changed "
                                    "while it was read. The next pass reads again.", transient=True)  # fmt: skip
            if before is not None:  # names that differ in case alone are one name to DNS
                rrset, name = replace(before, values=(*before.values, *rrset.values)), ""
            rrsets[rrset.key], spelled[rrset.key] = rrset, name
        return _Reading(self._now(), rrsets, spelled, pages)

    def _entry(self, entry: Any, doing: str) -> dict[str, Any]:
        """One RRset of an answer, if it is one."""
        if isinstance(entry, dict):
            values, ttl = entry.get("rrset_values"), entry.get("rrset_ttl")
            named = isinstance(entry.get("rrset_name"), str) and isinstance(entry.get("rrset_type"), str)
            if named and type(ttl) is int and isinstance(values, list) and all(isinstance(v, str) for v in values):
                return entry
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
                told = str(error)
                if change.type == "SPF" and not error.transient:
                    told += " Where Gandi takes no records of type SPF, set `spf: {type99: never}` for the zone."
                elif number == 0:
                    raise
                if number:
                    told += f" Before that, {number} of {len(order)} changes were done; the next pass sees to the rest."
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
            if not _alike(known.rrsets.get(key), change.old):
                raise self._stale(zone, change)
            if not known.spelled.get(key, "x"):
                raise ProviderError(f"{zone}: {where} {change.type} stands twice at {self.id}, in different case; delete one of the "
                                    "two there, so that it is known which one is meant.")  # fmt: skip
        return known

    def _change(self, zone: str, change: Change, known: _Reading) -> None:
        path = _path(zone, known.spelling(change.name), change.type)
        doing = f"{zone}: writing {absolute(change.name, zone)} {change.type}"
        # An underscore name is a selector, _dmarc or a report name; anything may be told to the world under any other.
        shared = not any(label.startswith("_") for label in change.name.split("."))
        if change.old is None and change.new is not None:
            if self._call("POST", path, doing, body=_body(change.new), expect=(409,)).status == 409:
                raise self._stale(zone, change)
        elif change.new is None:
            if shared and not _alike(self._one(zone, change, known), change.old):
                raise self._stale(zone, change)
            reply = self._call("DELETE", path, doing, expect=(404,))
            if reply.status == 404 and not _missing(reply):
                raise self._no_zone(reply, doing)
        elif shared or any(value.raw for value in change.new.values):
            self._patch(zone, change, known, path, doing)
        else:
            self._call("PUT", path, doing, body=_body(change.new))

    def _patch(self, zone: str, change: Change, known: _Reading, path: str, doing: str) -> None:
        """Take out and put in single values; the answer shows what stands there then."""
        assert change.old is not None and change.new is not None
        before, after = ({v.text: v for v in rrset.values} for rrset in (change.old, change.new))
        add = [_text.spelled(value) for text, value in after.items() if text not in before]
        remove = [value.raw for text, value in before.items() if text not in after]
        body = {"add_rrset_values": add, "remove_rrset_values": remove, "rrset_ttl": change.new.ttl}
        reply = self._call("PATCH", path, doing, body={k: v for k, v in body.items() if v != []}, expect=(400, 404))
        if reply.status == 404:
            raise self._stale(zone, change) if _missing(reply) else self._no_zone(reply, doing)
        if reply.status == 400:  # a value to be taken out that somebody else took out, or a text that is not taken
            moved = not _alike(self._one(zone, change, known), change.old)
            raise self._stale(zone, change) if moved else self._api.refused(reply, doing)
        shown = {v.text for v in _rrset(self._entry(reply.data, doing), zone).values}
        strange = shown - set(before) - set(after)
        new = set(after) - set(before)
        if {_version(text) for text in strange} & {_version(text) for text in new}:
            # Somebody put a record of the same kind there in this very moment. Two would be an error to those who read them:
            # ours goes, theirs stays, and the plan is made anew.
            self._call(
                "PATCH", path, doing, body={"remove_rrset_values": add, "rrset_ttl": change.old.ttl}, expect=(404,)
            )
            raise self._stale(zone, change)
        if shown - strange != set(after):
            raise ProviderError(f"{doing}: Gandi (provider {self.id}) took the change and shows something else than was asked for. "
                                "Look at the record there; the next pass reads it again.")  # fmt: skip

    def snapshot(self, zone: str, name: str) -> None:
        """Keep a copy of the zone at Gandi under this name, and delete the oldest of ours (`dnssync …`) beyond `SNAPSHOTS`."""
        path = f"{_zone(zone)}/snapshots"
        doing = f"{zone}: keeping a snapshot of the zone before records of others are taken over"
        reply = self._call("GET", path, doing, params={"per_page": PAGE, "automatic": "false"})
        ours = [s for s in reply.data or [] if isinstance(s, dict) and str(s.get("name", "")).startswith("dnssync ")]
        if any(s["name"] == name for s in ours):
            return  # the same plan, tried again
        self._call("POST", path, doing, body={"name": name})
        old = sorted((s for s in ours if s.get("automatic") is not True), key=lambda s: str(s.get("created_at", "")))
        for each in old[: max(0, len(old) + 1 - SNAPSHOTS)]:
            self._call("DELETE", f"{path}/{quote(str(each.get('id', '')), safe='')}", doing, expect=(404,))

    # --- the API ----------------------------------------------------------------------------------------------------

    def _call(self, method: str, path: str, doing: str, *, params: Any = None, **options: Any) -> Reply:
        return self._api.call(method, path, doing, params={**self._params, **(params or {})}, **options)

    def _one(self, zone: str, change: Change, known: _Reading) -> RRset | None:
        """The RRset of a change as it stands now, None where there is none."""
        doing = f"{zone}: reading {absolute(change.name, zone)} {change.type}"
        reply = self._call("GET", _path(zone, known.spelling(change.name), change.type), doing, expect=(404,))
        if reply.status == 404 and not _missing(reply):
            raise self._no_zone(reply, doing)
        return None if reply.status == 404 else replace(_rrset(self._entry(reply.data, doing), zone), name=change.name)

    def _stale(self, zone: str, change: Change) -> StaleZone:
        return StaleZone(
            f"{zone}: {absolute(change.name, zone)} {change.type} at {self.id} is not what was read any more."
        )

    def _no_zone(self, reply: Reply, doing: str) -> ProviderError:
        hint = "" if self._params else " A reseller's domain needs `sharing_id`."
        return ProviderError(f"{doing}: Gandi (provider {self.id}) has no such zone, or the token may not see it{_told(reply.data)}. "
                             f"See that the domain uses LiveDNS, and which domains the token is for.{hint} No zone is ever created.")  # fmt: skip


def explain(data: Any) -> str:
    """The vendor's words in an error's JSON, in each of its shapes; no longer than a line or two."""
    if not isinstance(data, dict):
        return ""
    errors = data.get("errors")
    told = [str(e.get("description", "")) for e in errors if isinstance(e, dict)] if isinstance(errors, list) else []
    words = [str(data.get("message") or ""), *told]
    return "; ".join(dict.fromkeys(word.strip().rstrip(".") for word in words if word.strip()))[:300]


def _version(text: str) -> str:
    """What says which kind of record a text is: `v=spf1`, `v=dmarc1`, …"""
    return re.split(r"[\s;]", text.strip(), maxsplit=1)[0].lower()


def _told(data: Any) -> str:
    return f" ({explain(data)})" if explain(data) else ""


def _missing(reply: Reply) -> bool:
    """Whether a 404 speaks of a record that is not there, rather than of the zone."""
    return isinstance(reply.data, dict) and reply.data.get("object") == "dns-record"


def _zone(zone: str) -> str:
    return f"/domains/{quote(zone, safe='')}"


def _path(zone: str, name: str, kind: str) -> str:
    return f"{_zone(zone)}/records/{quote(name, safe='@*')}/{kind}"


def _body(rrset: RRset) -> dict[str, Any]:
    return {"rrset_values": [_text.spelled(value) for value in rrset.values], "rrset_ttl": rrset.ttl}


def _rrset(entry: dict[str, Any], zone: str) -> RRset:
    """An RRset of an answer, its name relative and in lower case."""
    kind, name = entry["rrset_type"].upper(), entry["rrset_name"].lower()
    values = tuple(_value(kind, raw, zone) for raw in entry["rrset_values"])
    return RRset("" if name == "@" else name, kind, entry["rrset_ttl"], values)


def _value(kind: str, raw: str, zone: str) -> Value:
    """A value as it was told; a text's strings joined, wherever it was cut, and a relative target made absolute."""
    if kind in TARGETS and raw and not raw.endswith("."):
        before, _, target = raw.rpartition(" ")
        return Value(f"{before} {'' if target == '@' else target + '.'}{zone}.".strip(), raw)
    if kind not in _text.TYPES or not raw.startswith('"'):
        return Value(raw, raw)
    try:
        return Value(b"".join(_text.unquoted(raw)).decode("utf-8", "surrogateescape"), raw)
    except ValueError:
        return Value(raw, raw)


def _alike(now: RRset | None, before: RRset | None) -> bool:
    """Whether an RRset is what it was: the same values in any order, the same TTL."""
    if now is None or before is None:
        return now is before
    return now.ttl == before.ttl and sorted(v.raw for v in now.values) == sorted(v.raw for v in before.values)
