"""A zone of the stand-in for Hetzner Cloud, and what may be done with its RRsets."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from tests.hetzner_values import TYPES, check, octets
from tests.http_faults import Answer

Key = tuple[str, str]
FIELDS = {
    "create": {"name", "type", "ttl", "records", "labels"},
    "set_records": {"records"},
    "add_records": {"records", "ttl"},
    "remove_records": {"records"},
    "change_ttl": {"ttl"},
}
MOST = 50  # records in one action (docs.hetzner.cloud/cloud.spec.json)
_NAME = re.compile(r"@|\*|(\*\.)?([a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}")


@dataclass
class Entry:
    """One RRset as it is kept: its values, each with its comment; `ttl` None is the zone's."""

    ttl: int | None
    records: dict[str, str | None] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    protected: bool = False

    def copy(self) -> Entry:
        """Another one that is the same."""
        return Entry(self.ttl, dict(self.records), dict(self.labels), self.protected)


@dataclass
class Zone:
    """A zone."""

    number: int
    name: str
    ttl: int = 3600
    entries: dict[Key, Entry] = field(default_factory=dict)


def problem(status: int, code: str, message: str, details: Any = None) -> Answer:
    """An error."""
    return Answer(status, {"error": {"code": code, "message": message, "details": details}})


def invalid(message: str, name: str = "") -> Answer:
    """An error in what was sent; `name` is the field."""
    fields = {"fields": [{"name": name, "messages": [message]}]} if name else None
    return problem(422, "invalid_input", message if not name else f"invalid input in field '{name}'", fields)


class Answered:
    """What is answered about the RRsets of a zone."""

    def __init__(self, zone: Zone) -> None:
        self._zone = zone

    def lacks(self) -> Answer:
        """There is no such RRset."""
        return problem(404, "not_found", "Zone RRSet not found")

    def shown(self, key: Key) -> dict[str, Any]:
        """An RRset."""
        entry = self._zone.entries[key]
        records = [{"value": value, "comment": comment or ""} for value, comment in entry.records.items()]
        return {"id": f"{key[0]}/{key[1]}", "name": key[0], "type": key[1], "ttl": entry.ttl, "labels": dict(entry.labels),
                "protection": {"change": entry.protected}, "records": records, "zone": self._zone.number}  # fmt: skip

    def list(self, query: dict[str, list[str]], more: int | None) -> Answer:
        """A page of them."""
        if unknown := set(query) - {"name", "type", "label_selector", "sort", "page", "per_page"}:
            return invalid("unknown parameter", min(unknown))
        if set(query.get("sort", [])) - {"id", "id:asc", "name", "name:asc", "created", "created:asc"}:
            return invalid("unknown order", "sort")
        page, size = int(query.get("page", ["1"])[0]), int(query.get("per_page", ["25"])[0])
        if page < 1 or not 1 <= size <= 100:
            return invalid("must be between 1 and 100", "per_page")
        keys = sorted(self._zone.entries, key="/".join)
        keys = [key for key in keys if key[0] in query.get("name", [key[0]]) and key[1] in query.get("type", [key[1]])]
        last = max(1, -(-len(keys) // size))
        told = None if more is None else len(keys) + more
        pages = {"page": page, "per_page": size, "previous_page": page - 1 or None, "next_page": page + 1 if page < last else None,
                 "last_page": None if told is None else last, "total_entries": told}  # fmt: skip
        part = [self.shown(key) for key in keys[(page - 1) * size : page * size]]
        return Answer(200, {"rrsets": part, "meta": {"pagination": pages}})

    def create(self, body: dict[str, Any]) -> Answer:
        """A new one; its body is the RRset."""
        if wrong := _fields("create", body, {"name", "type", "records"}):
            return wrong
        key = (body["name"], body["type"])
        if key in self._zone.entries:
            return problem(409, "uniqueness_error", "RRSet already exists")
        fresh = Entry(body.get("ttl"), labels=body.get("labels") or {})
        if wrong := self._wrong(key, fresh, body["records"]):
            return wrong
        fresh.records = {each["value"]: each.get("comment") for each in body["records"]}
        self._zone.entries[key] = fresh
        return Answer(201, self.shown(key))

    def delete(self, key: Key) -> Answer:
        """One goes."""
        if key not in self._zone.entries:
            return self.lacks()
        if self._zone.entries[key].protected:
            return _protected()
        del self._zone.entries[key]
        return Answer(201)

    def act(self, key: Key, what: str, body: dict[str, Any]) -> Answer:
        """Values come, go, or are other ones; or the TTL is another one."""
        if wrong := _fields(what, body, {"ttl"} if what == "change_ttl" else {"records"}):
            return wrong
        before = self._zone.entries.get(key)
        if before is None and what != "add_records":
            return self.lacks()
        if before is not None and before.protected:
            return _protected()
        if what == "change_ttl" and before is not None:
            return self._wrong(key, Entry(body["ttl"]), None) or self._keep(before, ttl=body["ttl"])
        entry = before.copy() if before is not None else Entry(body.get("ttl"))
        if what == "add_records" and "ttl" in body and body["ttl"] != entry.ttl:
            return invalid(f"RRSet {key[0]}/{key[1]} has differing record TTLs")
        if wrong := self._wrong(key, entry, body["records"]):
            return wrong
        if len(body["records"]) > MOST:
            return invalid(f"must have at most {MOST} items", "records")
        sent = {each["value"]: each.get("comment") for each in body["records"]}
        same = {octets(key[1], value) for value in sent} & {octets(key[1], value) for value in entry.records}
        if what == "set_records":
            entry.records = sent
        elif what == "add_records":
            if same:
                return invalid("record already exists", "records")
            entry.records |= sent
        else:
            if set(sent) - set(entry.records):
                return invalid("record does not exist", "records")
            entry.records = {value: comment for value, comment in entry.records.items() if value not in sent}
        if entry.records:
            self._zone.entries[key] = entry
        else:
            del self._zone.entries[key]
        return Answer(201)

    def _keep(self, entry: Entry, ttl: int | None) -> Answer:
        entry.ttl = ttl
        return Answer(201)

    def _wrong(self, key: Key, entry: Entry, records: Any) -> Answer | None:
        """What is not taken of it."""
        name, kind = key
        if kind not in TYPES:
            return invalid("unknown type", "type")
        if not isinstance(name, str) or not _NAME.fullmatch(name) or f".{name}".endswith(f".{self._zone.name}"):
            return invalid("must be in lower case, without the zone's name or a final dot", "name")
        if entry.ttl is not None and (type(entry.ttl) is not int or not 60 <= entry.ttl <= 2147483647):
            return invalid("must be between 60 and 2147483647", "ttl")
        if records is None:
            return None
        if not isinstance(records, list) or not records or not all(isinstance(each, dict) for each in records):
            return invalid("must be a list of records that is not empty", "records")
        values = [each.get("value") for each in records]
        if any(set(each) - {"value", "comment"} or not isinstance(each.get("value"), str) for each in records):
            return invalid("must have a value, and may have a comment", "records")
        try:
            for value in values:
                check(kind, value)
        except ValueError as error:
            return invalid(str(error))
        if len(set(values)) != len(values):
            return invalid("must only contain distinct record values", "records")
        others = {other for owner, other in self._zone.entries if owner == name and other != kind}
        if others and (kind == "CNAME" or "CNAME" in others):
            return invalid("a CNAME stands alone", "name")
        return None


def _fields(what: str, body: dict[str, Any], required: set[str]) -> Answer | None:
    if unknown := set(body) - FIELDS[what]:
        return invalid("unknown field", min(unknown))
    if missing := required - set(body):
        return invalid("is required", min(missing))
    return None


def _protected() -> Answer:
    return problem(403, "protected", "RRSet is protected against changes")
