"""The endpoints of the stand-in for Gandi under /domains/{fqdn}/snapshots: copies of a zone, which nothing restores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.gandi_faults import NOT_FOUND, invalid
from tests.gandi_records import Switches, Zone, answered, as_text, not_allowed
from tests.http_faults import Answer

if TYPE_CHECKING:
    from tests.stand_in import Request

WORDS = {"true": True, "false": False}


class Snapshots:
    """Those of one zone."""

    def __init__(self, switches: Switches, name: str, zone: Zone) -> None:
        self._switches, self._name, self._zone = switches, name, zone

    def keep(self, name: str, automatic: bool) -> str:
        """Keep a copy of the zone as it stands; its number."""
        self._zone.made += 1
        made = self._zone.made
        at = f"2026-11-24T{made // 3600 % 24:02d}:{made // 60 % 60:02d}:{made % 60:02d}Z"
        number = f"{made:08d}-snap"
        self._zone.snapshots[number] = {"id": number, "name": name or f"{at[:10]} #{made}", "created_at": at, "automatic": automatic,
                                        "zone_data": list(self._zone.entries.values())}  # fmt: skip
        return number

    def answer(self, request: Request, rest: list[str], query: dict[str, list[str]], accept: str) -> Answer:
        """One request; `rest` is a snapshot's number, or nothing."""
        body = request.body if request.body is not None else {}
        name = body.get("name", "") if isinstance(body, dict) else None
        if not isinstance(name, str):
            return invalid("name: must be text")
        if not rest:
            if request.method == "GET":
                return self._list(query)
            if request.method == "POST":
                return Answer(201, {"id": self.keep(name, automatic=False), "message": "Snapshot Created"})
            return not_allowed()
        kept = self._zone.snapshots.get(rest[0])
        if kept is None:
            return Answer(404, NOT_FOUND)
        if request.method == "GET":
            rows = kept.get("zone_data", [])
            shown = [answered(self._name, row, self._switches) for row in rows]
            return (
                Answer(200, as_text(shown))
                if accept.startswith("text/plain")
                else Answer(200, self._told(kept) | {"zone_data": shown})
            )
        if request.method == "PATCH":
            if not name:
                return invalid("name: must be text")
            kept["name"] = name
            return Answer(200, {"message": "Snapshot Updated"})
        if request.method == "DELETE":
            del self._zone.snapshots[rest[0]]
            return Answer(204)
        return not_allowed()

    def _list(self, query: dict[str, list[str]]) -> Answer:
        wanted = query.get("automatic", [""])[0]
        order = query.get("sort_by", ["date_created"])[0]
        if (wanted and wanted not in WORDS) or order.removeprefix("-") != "date_created":
            return invalid("automatic: must be true or false; sort_by: must be date_created or -date_created")
        page, size = int(query.get("page", ["1"])[0]), int(query.get("per_page", ["500"])[0])
        if page < 1 or size < 1:
            return invalid("page and per_page begin with 1")
        rows = sorted(
            self._zone.snapshots.values(), key=lambda each: str(each["created_at"]), reverse=order.startswith("-")
        )
        rows = [
            each for each in rows if not wanted or not self._switches.automatic or each["automatic"] is WORDS[wanted]
        ]
        part = [self._told(each) for each in rows[(page - 1) * size : page * size]]
        return Answer(200, part, {"Total-Count": str(len(rows))})

    def _told(self, kept: dict[str, Any]) -> dict[str, Any]:
        href = f"https://api.gandi.net/v5/livedns/domains/{self._name}/snapshots/{kept['id']}"
        return {key: value for key, value in kept.items() if key != "zone_data"} | {"href": href}
