"""A zone of the stand-in for Gandi, and the endpoints under /domains/{fqdn}/records."""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.gandi_faults import DNS_RECORD, invalid
from tests.gandi_values import TYPES, canonical, shown
from tests.http_faults import Answer

if TYPE_CHECKING:
    from tests.stand_in import Request

Key = tuple[str, str]
CREATED = {"message": "DNS Record Created"}
_LINE = re.compile(r"(\S+)\s+(\d+)\s+IN\s+(\S+)\s+(.+)", re.IGNORECASE)


@dataclass
class Switches:
    """What is not known of the real API, both ways, and what it may be set to."""

    spf_listed: bool = True
    spf_taken: bool = True
    delete_missing: int = 404  # or 204
    patch_strict: bool = True  # removing a value that is not there: 400, or nothing
    patch_creates: bool = False  # PATCH on a missing RRset: 404, or it makes one
    patch_empties: bool = False  # PATCH that takes the last value out: 400, or the RRset is gone
    patch_removes: str = (
        "always"  # what PATCH takes out: all it is told, that where it adds nothing ("alone"), "never" any
    )
    patch_shows: bool = True  # PATCH is answered with the RRset, or with a message
    patch_again: bool = True  # adding a value that is there: nothing, or 400
    patch_ttl: bool = True  # PATCH without a TTL keeps it, or sets 10800
    empty: bool = False  # a record set without values: 400, or it is kept so
    automatic: bool = True  # a list of snapshots is of those that are asked for, or of all of them
    cname_alone: bool = True  # another type beside a CNAME: 400, or it is taken
    typed: bool = True  # a body without content type: 400, or it is taken for JSON
    quoted: bool = True  # texts are answered quoted
    cut: int = 255  # where long texts are cut in answers
    sharing_required: bool = False
    total: int | None = 0  # added to Total-Count; None: the header is missing
    a_minute: int | None = None  # requests that are taken within a minute; None: any number
    retry_after: str = "seconds"  # how an answer of status 429 says when to come back: or "date", or not at all: ""


@dataclass
class Entry:
    """One RRset as it is kept: the name in its case, and values as `gandi_values.canonical` has them."""

    name: str
    type: str
    ttl: int
    values: list[bytes]


@dataclass
class Zone:
    """A domain and its snapshots."""

    entries: dict[Key, Entry] = field(default_factory=dict)
    snapshots: dict[str, dict[str, Any]] = field(default_factory=dict)
    made: int = 0
    automatic_snapshots: bool = True


def answered(zone: str, entry: Entry, switches: Switches) -> dict[str, Any]:
    """An RRset as the API answers it."""
    href = f"https://api.gandi.net/v5/livedns/domains/{zone}/records/{entry.name.replace('@', '%40')}/{entry.type}"
    return {
        "rrset_type": entry.type,
        "rrset_ttl": entry.ttl,
        "rrset_name": entry.name,
        "rrset_href": href,
        "rrset_values": [shown(entry.type, value, switches.cut, switches.quoted) for value in entry.values],
    }


def as_text(rows: list[dict[str, Any]]) -> str:
    """RRsets as a zone file, which has an SOA."""
    lines = ["@ 10800 IN SOA ns1.gandi.net. hostmaster.gandi.net. 1 10800 3600 604800 10800"]
    lines += [
        f"{row['rrset_name']} {row['rrset_ttl']} IN {row['rrset_type']} {value}"
        for row in rows
        for value in row["rrset_values"]
    ]
    return "\n".join(lines) + "\n"


def of_text(text: str) -> list[dict[str, Any]]:
    """The RRsets of a zone file that has every field in every line; its SOA is nobody's. Raises ValueError, in words."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith(";"):
            continue
        match = _LINE.fullmatch(line.rstrip())
        if match is None:
            raise ValueError(f"line {number}: is no record with name, TTL, class, type and value")
        name, ttl, kind, value = match.groups()
        if kind.upper() != "SOA":
            made = {"rrset_name": name, "rrset_type": kind.upper(), "rrset_ttl": int(ttl), "rrset_values": []}
            found.setdefault((name, kind.upper()), made)["rrset_values"].append(value)
    return list(found.values())


class Records:
    """The endpoints under /domains/{fqdn}/records."""

    def __init__(self, switches: Switches, name: str, zone: Zone) -> None:
        self._zone, self._entries, self._switches = name, zone.entries, switches

    def _shown(self, entry: Entry) -> dict[str, Any]:
        return answered(self._zone, entry, self._switches)

    def answer(self, request: Request, rest: list[str], query: dict[str, list[str]], accept: str) -> Answer:
        """One request; `rest` is the name and the type, as far as they are there."""
        body = request.body if request.body is not None else {}
        if not isinstance(body, dict):
            return invalid("the body is no object")
        method = request.method
        name = (rest[0] if rest else body.get("rrset_name", "")) if method != "PUT" or rest else ""
        if name.endswith("."):
            if not name.lower().endswith(f".{self._zone}."):
                return invalid(f"Absolute rrset_name must end with {self._zone}. ({name})", message=True)
            name = name[: -len(self._zone) - 2]
        if not rest:
            return {"GET": lambda: self._list(query, accept), "POST": lambda: self._post(name, body.get("rrset_type"), body),
                    "PUT": lambda: self._whole(None, body), "DELETE": lambda: self._clear(None)}.get(method, not_allowed)()  # fmt: skip
        if len(rest) == 1:
            return {"GET": lambda: self._named(name), "POST": lambda: self._post(name, body.get("rrset_type"), body),
                    "PUT": lambda: self._whole(name, body), "DELETE": lambda: self._clear(name)}.get(method, not_allowed)()  # fmt: skip
        kind = rest[1].upper()
        return {"GET": lambda: self._one(name, kind), "POST": lambda: self._post(name, kind, body), "PUT": lambda: self._put(name, kind, body),
                "PATCH": lambda: self._patch(name, kind, body), "DELETE": lambda: self._delete(name, kind)}.get(method, not_allowed)()  # fmt: skip

    def _list(self, query: dict[str, list[str]], accept: str) -> Answer:
        rows = sorted(self._entries.values(), key=lambda entry: (entry.name.upper(), entry.type))
        rows = [row for row in rows if row.type in query.get("rrset_type", [row.type])]
        if accept.startswith("text/plain"):
            return Answer(200, as_text([self._shown(row) for row in rows]))
        page, size = int(query.get("page", ["1"])[0]), int(query.get("per_page", ["500"])[0])
        if page < 1 or size < 1:
            return invalid("page and per_page begin with 1")
        part = [self._shown(row) for row in rows[(page - 1) * size : page * size]]
        text = json.dumps(part)
        headers = {
            "ETag": f'W/"{len(text):x}-{zlib.crc32(text.encode()):x}"',
            "Cache-Control": "max-age=0, must-revalidate, no-cache, no-store",
        }
        if self._switches.total is not None:
            headers |= {"Total-Count": str(len(rows) + self._switches.total), "Filtered-Count": str(len(rows))}
        if len(rows) > size:
            last = -(-len(rows) // size)
            headers["Link"] = (
                f'<?page={min(page + 1, last)}&per_page={size}>; rel="next", <?page={last}&per_page={size}>; rel="last"'
            )
        return Answer(200, part, headers)

    def _named(self, name: str) -> Answer:
        rows = [self._shown(entry) for entry in self._entries.values() if entry.name == name]
        return Answer(200, rows) if rows else self._lacks(name, "")

    def _one(self, name: str, kind: str) -> Answer:
        entry = self._entries.get((name.lower(), kind))
        if entry is None or entry.name != name:
            return self._lacks(name, kind)
        return Answer(200, self._shown(entry))

    def _lacks(self, name: str, kind: str) -> Answer:
        return Answer(404, {**DNS_RECORD, "message": f"Can't find the DNS record {name}/{kind} in the zone"})

    def _checked(self, name: str, kind: Any, body: dict[str, Any], values: Any) -> Entry | Answer:
        """What is to stand there, if the API takes it."""
        if kind not in TYPES or (kind == "SPF" and not self._switches.spf_taken):
            return invalid(f"'{kind}': unknown record type")
        empty = values == [] and self._switches.empty
        if not _texts(values) or not (values or empty):
            return invalid("rrset_values: must be a list of one value or more")
        ttl = body.get("rrset_ttl", 10800)
        if type(ttl) is not int or not 300 <= ttl <= 2592000:
            return invalid(f"rrset_ttl: {ttl!r} is not between 300 and 2592000")
        try:
            kept = [canonical(kind, value) for value in values]
        except ValueError as error:
            return invalid(str(error))
        beside = {
            entry.type for (other, _), entry in self._entries.items() if other == name.lower() and entry.type != kind
        }
        if self._switches.cname_alone and ((kind == "CNAME" and beside) or "CNAME" in beside):
            return invalid(f"{name}: a CNAME stands alone")
        if any(entry.name != name for entry in self._entries.values() if entry.name.lower() == name.lower()):
            message = "The server has either erred or is incapable of performing the requested operation."
            return Answer(
                500,
                {
                    "code": 500,
                    "message": message,
                    "object": "HTTPInternalServerError",
                    "cause": "Internal Server Error",
                },
            )
        return Entry(name, kind, ttl, kept)

    def _post(self, name: str, kind: Any, body: dict[str, Any]) -> Answer:
        entry = self._checked(name, kind, body, body.get("rrset_values"))
        if isinstance(entry, Answer):
            return entry
        before = self._entries.get((name.lower(), kind))
        if before is not None:
            if sorted(before.values) == sorted(entry.values) and before.ttl == entry.ttl:
                return Answer(200, {"message": "A DNS Record already exists with same value"})
            return Answer(
                409,
                {
                    "code": 409,
                    "message": "This record already exists",
                    "object": "HTTPConflict",
                    "cause": "Duplicate Entry",
                },
            )
        return self._keep(entry)

    def _put(self, name: str, kind: str, body: dict[str, Any]) -> Answer:
        entry = self._checked(name, kind, body, body.get("rrset_values"))
        return entry if isinstance(entry, Answer) else self._keep(entry)

    def _keep(self, entry: Entry) -> Answer:
        self._entries[(entry.name.lower(), entry.type)] = entry
        return Answer(
            201,
            CREATED,
            {"Location": f"https://api.gandi.net/v5/livedns/domains/{self._zone}/records/{entry.name}/{entry.type}"},
        )

    def _patch(self, name: str, kind: str, body: dict[str, Any]) -> Answer:
        before = self._entries.get((name.lower(), kind))
        if (before is None or before.name != name) and not self._switches.patch_creates:
            return self._lacks(name, kind)
        add, remove = body.get("add_rrset_values", []), body.get("remove_rrset_values", [])
        if not _texts(add) or not _texts(remove):
            return invalid("add_rrset_values, remove_rrset_values: must be lists of values")
        try:
            add, remove = [canonical(kind, value) for value in add], [canonical(kind, value) for value in remove]
        except ValueError as error:
            return invalid(str(error))
        have = list(before.values) if before else []
        removes = self._switches.patch_removes
        for value in remove if removes == "always" or (removes == "alone" and not add) else ():
            if value in have:
                have.remove(value)
            elif self._switches.patch_strict:
                return invalid(f"{value!r}: is not in the record")
        if not self._switches.patch_again and set(add) & set(have):
            return invalid("add_rrset_values: is in the record already")
        have += [value for value in dict.fromkeys(add) if value not in have]
        if before and not have and self._switches.patch_empties:
            del self._entries[(name.lower(), kind)]
            return Answer(200, CREATED)
        texts = [shown(kind, value, 255, True) for value in have]
        ttl = {"rrset_ttl": before.ttl} if before and self._switches.patch_ttl else {}
        entry = self._checked(name, kind, {**ttl, **body}, texts)
        if isinstance(entry, Answer):
            return entry
        self._keep(entry)
        return Answer(200, self._shown(entry) if self._switches.patch_shows else CREATED)

    def _delete(self, name: str, kind: str) -> Answer:
        entry = self._entries.get((name.lower(), kind))
        if entry is None or entry.name != name:
            return self._lacks(name, kind) if self._switches.delete_missing == 404 else Answer(204)
        del self._entries[(name.lower(), kind)]
        return Answer(204)

    def _whole(self, name: str | None, body: dict[str, Any]) -> Answer:
        """PUT on a name or on the zone: whatever is not named is gone."""
        new, items = [], body.get("items")
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            return invalid("items: must be a list of record sets")
        for item in items:
            entry = self._checked(
                name if name is not None else item.get("rrset_name", ""),
                item.get("rrset_type"),
                item,
                item.get("rrset_values"),
            )
            if isinstance(entry, Answer):
                return entry
            new.append(entry)
        self._clear(name)
        for entry in new:
            self._keep(entry)
        return Answer(201, CREATED)

    def _clear(self, name: str | None) -> Answer:
        for key in [key for key, entry in self._entries.items() if name is None or entry.name == name]:
            del self._entries[key]
        return Answer(204)


def _texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def not_allowed() -> Answer:
    """There is no such method here."""
    return Answer(
        405,
        {
            "code": 405,
            "message": "The method is not allowed for this resource.",
            "object": "HTTPMethodNotAllowed",
            "cause": "Method Not Allowed",
        },
    )
