"""Cloudflare's DNS asked: every request of the provider, what its records say, and what its errors mean for a zone."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from dnssync.core.model import ProviderError, RRset, Value, relative

from . import _text
from ._by_id import Record, rrsets
from ._http import Api, Reply

PAGE = 1000  # records; 100 is what it answers unasked, and 5000000 what it takes (its OpenAPI description)
AUTOMATIC = 300  # seconds: what a TTL of 1 means
TARGETS = frozenset({"CNAME", "DNAME", "NS", "PTR"})  # a name alone, told without the final dot
RANKED = {"MX": ".", "SRV": ".", "URI": ""}  # the priority stands apart; what is told without the final dot
REFUSALS = (400, 401, 403, 404, 409)
SECRET = frozenset({6003, 6111, 9103, 9106, 9109, 10000})  # some of them come with status 400
GONE = frozenset({1001, 7000, 7003})  # a zone's id that leads nowhere


@dataclass(frozen=True)
class Reading:
    """A zone as it was read: since when that is known, its id, its records and what they come to."""

    at: float
    zone: str
    records: tuple[Record, ...]
    rrsets: Mapping[tuple[str, str], RRset]


class Client:
    """The API for one token; `account` narrows the search for a zone, `now` is a clock in seconds."""

    def __init__(self, id: str, api: Api, account: str, now: Callable[[], float]) -> None:
        self.who = f"Cloudflare (provider {id})"
        self._api, self._account, self._now = api, account, now
        self.words = api.words

    def zone(self, zone: str) -> str:
        """The id of a zone. Raises `ProviderError` where there is none, or more than one."""
        doing = f"{zone}: looking for the zone"
        params = {"name": zone} | ({"account.id": self._account} if self._account else {})
        found = self._list(self.call("GET", "/zones", doing, params=params), doing)
        ids = [
            str(each["id"])
            for each in found
            if isinstance(each, dict) and isinstance(each.get("id"), str) and each["id"]
        ]
        if not ids:
            raise self._no_zone(doing)
        if len(ids) > 1:
            raise ProviderError(f"{doing}: {self.who} has it {len(ids)} times, in several accounts. Say by `account_id` which one is "
                                "meant.")  # fmt: skip
        return ids[0]

    def all(self, zone: str, id: str) -> Reading:
        """Every record of a zone. Raises `ProviderError` where the pages do not come to what the API itself counts."""
        doing = f"{zone}: reading the zone"
        at, found, totals, page = self._now(), dict[str, Record](), set[int](), 0
        while True:
            page += 1
            answer = self.call(
                "GET", f"/zones/{id}/dns_records", doing, params={"page": page, "per_page": PAGE, "order": "name"}
            )
            info = answer.data.get("result_info")
            total = info.get("total_count") if isinstance(info, dict) else None
            if type(total) is not int:
                raise ProviderError(
                    f"{doing}: {self.who} does not say how many records there are. Nothing is taken from it."
                )
            totals.add(total)
            entries = self._list(answer, doing)
            for entry in entries:
                record = read(entry, zone)
                if record is None:
                    raise ProviderError(f"{doing}: {self.who} answered with something that is no record of the zone. Nothing is "
                                        "taken from it.")  # fmt: skip
                found[record.id] = record
            if not entries or len(found) >= max(totals):
                break
        if totals != {len(found)}:
            counted = " then ".join(map(str, sorted(totals)))
            raise ProviderError(f"{doing}: {self.who} counts {counted} records and shows {len(found)}; the zone changed meanwhile, or "
                                "a page is missing. Nothing is taken from it; the next pass reads again.", transient=True)  # fmt: skip
        return Reading(at, id, tuple(found.values()), rrsets(found.values()))

    def call(
        self, method: str, path: str, doing: str, *, params: Any = None, body: Any = None, told: Collection[int] = ()
    ) -> Reply:
        """A request's answer, an envelope, where it was done or where it was refused with one of the codes `told`; else raises what
        the refusal means."""
        reply = self._api.call(method, path, doing, params=params, body=body, expect=REFUSALS)
        known = codes(reply.data)
        if known & set(told) or (
            reply.status < 300 and isinstance(reply.data, dict) and reply.data.get("success") is True
        ):
            return reply
        if reply.status == 404 or known & GONE:
            raise self._no_zone(doing, self.words(reply))
        if reply.status in (401, 403) or known & SECRET:
            raise self._secret(reply, doing)
        if reply.status < 300:
            raise ProviderError(f"{doing}: {self.who} answered with something that is no answer of that API; the next pass reads the zone "
                                "and tries again.", transient=True)  # fmt: skip
        raise self._api.refused(reply, doing)

    def _list(self, reply: Reply, doing: str) -> list[Any]:
        """The list in an envelope; raises where it is none."""
        result = reply.data.get("result")
        if isinstance(result, list):
            return result
        raise ProviderError(f"{doing}: {self.who} answered with something that is no list. Nothing is taken from it.")

    def _no_zone(self, doing: str, words: str = "") -> ProviderError:
        told = f" ({words})" if words else ""
        return ProviderError(f"{doing}: {self.who} has no such zone, or the token may not see it{told}. See that the zone is there, and "
                             "that the token's zone resources include it. No zone is ever created.")  # fmt: skip

    def _secret(self, reply: Reply, doing: str) -> ProviderError:
        told = f": {words}" if (words := self.words(reply)) else ""
        return ProviderError(f"{doing}: {self.who} answered {reply.status}{told}. See that the token is right and has not expired, and "
                             "that it has the permission Zone, DNS, Edit for this zone; with `email`, that `token` is the global API "
                             "key.".replace("..", "."))  # fmt: skip


def codes(data: Any) -> frozenset[int]:
    """Every code of an error, those behind it included."""
    return frozenset(code for code, _ in _errors(data))


def explain(data: Any) -> str:
    """The vendor's words in an error's JSON, each with its code."""
    return "; ".join(f"{words} (code {code})" for code, words in _errors(data) if words)


def _errors(data: Any, within: str = "errors") -> list[tuple[int, str]]:
    """The codes and the words of an error, and of those in its chain."""
    errors = data.get(within) if isinstance(data, dict) else None
    found = []
    for error in errors if isinstance(errors, list) else ():
        if isinstance(error, dict) and type(error.get("code")) is int:
            found.append((error["code"], str(error.get("message") or "").strip().rstrip(".")))
            found += _errors(error, "error_chain")
    return found


def read(entry: Any, zone: str) -> Record | None:
    """A record of an answer; None where it is none."""
    if not isinstance(entry, dict):
        return None
    id, name, kind, ttl, content = (entry.get(part) for part in ("id", "name", "type", "ttl", "content"))
    if content is None and isinstance(entry.get("data"), dict):
        content = json.dumps(entry["data"], sort_keys=True)
    if not (
        isinstance(id, str) and id and isinstance(name, str) and isinstance(kind, str) and isinstance(content, str)
    ):
        return None
    short = relative(name.lower().removesuffix("."), zone)
    if short is None or type(ttl) is not int:
        return None
    return Record(id, short, kind.upper(), AUTOMATIC if ttl == 1 else ttl, _value(kind.upper(), content, entry))


def shows(result: Any, body: Mapping[str, list[dict[str, Any]]]) -> bool:
    """Whether a batch's answer has everything that was asked for, a text in whatever spelling, and nothing else."""
    for part, wanted in body.items():
        told = result.get(part) or [] if isinstance(result, dict) else []
        asked = [_said(each) for each in told] if isinstance(told, list) else []
        if len(asked) != len(wanted) or not all(any(_is(one, said) for said in asked) for one in wanted):
            return False
    return True


def _said(entry: Any) -> dict[str, Any]:
    """What an answer says of a record, its text as octets."""
    said = entry if isinstance(entry, dict) else {}
    return {**said, "content": _text.told(str(said.get("content", ""))).text}


def _is(wanted: Mapping[str, Any], said: Mapping[str, Any]) -> bool:
    plain = {**wanted, "content": _text.told(wanted["content"]).text} if "content" in wanted else wanted
    return all(said.get(part) == value for part, value in plain.items())


def _value(kind: str, content: str, entry: Mapping[str, Any]) -> Value:
    """A value as it was told: a text's strings joined, a target absolute, a priority before what it belongs to."""
    if kind in _text.TYPES:
        return _text.told(content or '""')
    text = " ".join(content.split()) if kind in RANKED else content
    if kind in TARGETS or RANKED.get(kind):
        text = text.removesuffix(".") + "."
    if kind in RANKED:
        data = entry.get("data")
        priority = entry.get("priority", data.get("priority") if isinstance(data, dict) else None)
        text = f"{priority} {text}"
    return Value(text, content or text)
