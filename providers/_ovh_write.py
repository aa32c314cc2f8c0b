"""OVHcloud's records written, one by one, and the zone served: what `ovh` asks for, in which order, and what it makes of the answers."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from dnssync.core.model import Change, ProviderError, Value, absolute

from . import _ovh as zones
from . import _text
from ._by_id import Record, Steps
from ._http import Reply
from ._unmoved import TRUST, stale

POLLS = (0.0, 1.0, 3.0)  # seconds before each look at whether the zone is served as it is written


class Writer:
    """Writes through a client; `now` is a clock in seconds."""

    def __init__(
        self, id: str, client: zones.Client, now: Callable[[], float], sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._id, self._client, self._now, self._sleep = id, client, now, sleep

    def acts(self, zone: str, change: Change, found: Steps, at: float) -> Iterator[Callable[[], None]]:
        """The requests of a change: first what comes, then what becomes another, and last what goes. `at`: since when that is known."""
        doing = f"{zone}: writing {absolute(change.name, zone)} {change.type}"
        for value in found.come:
            yield partial(self._come, zone, change, value, doing)
        for record, value in found.turn:
            target = self.spelled(zone, change, value, record)
            yield partial(self._turn, zone, change, record, {"target": target}, found.ttl, doing, at)
        for record in found.retime:
            yield partial(self._turn, zone, change, record, {}, found.ttl, doing, at)
        for record in found.go:
            yield partial(self._go, zone, change, record, doing, at)

    def spelled(self, zone: str, change: Change, value: Value, record: Record) -> str:
        """A text as that record takes it; raises `ProviderError` where it cannot."""
        kind, text = str(record.told["fieldType"]).upper(), value.text
        if kind not in zones.BARE:
            return _text.spelled(value)
        if not plain(text):
            raise ProviderError(f"{zone}: {absolute(change.name, zone)} TXT stands at {self._client.who} as type {kind}, which holds plain text "
                                "alone; nothing was written. Make it a record of type TXT there.")  # fmt: skip
        return text

    def _come(self, zone: str, change: Change, value: Value, doing: str) -> None:
        assert change.new is not None
        body = {
            "fieldType": change.type,
            "subDomain": change.name,
            "target": _text.spelled(value),
            "ttl": change.new.ttl,
        }
        reply = self._client.call("POST", f"{zones.path(zone)}/record", doing, body=body, expect=(400,))
        if reply.status == 400 and "_domainkey" in change.name.split(".") and plain(value.text):
            native = {**body, "fieldType": "DKIM", "target": value.text}  # what it says of a refused TXT is not known
            again = self._client.call("POST", f"{zones.path(zone)}/record", doing, body=native, expect=(400,))
            reply = again if again.status != 400 else reply
        if reply.status == 400:
            raise self._client.refused(reply, doing)
        told = zones.read(reply.data, zone)
        if told is None or (told.name, told.type, told.value.text, told.ttl) != (
            change.name,
            change.type,
            value.text,
            change.new.ttl,
        ):
            raise ProviderError(f"{doing}: {self._client.who} took the record and shows something else than was asked for. Look at it "
                                "there; the next pass reads it again.")  # fmt: skip

    def _turn(
        self, zone: str, change: Change, record: Record, fields: dict[str, Any], ttl: int | None, doing: str, at: float
    ) -> None:
        """Another value or TTL for a record; what is not named would be left to the API, so that all is sent, but the type."""
        if self._now() - at > TRUST and not self._same(zone, record, doing):
            raise stale(self._id, zone, change)
        body = {part: record.told.get(part) for part in ("subDomain", "target", "ttl")} | fields
        where = f"{zones.path(zone)}/record/{record.id}"
        reply = self._client.call("PUT", where, doing, body=body | ({"ttl": ttl} if ttl else {}), expect=(404,))
        if reply.status == 404:
            self._gone(zone, record, reply, doing)
            raise stale(self._id, zone, change)

    def _go(self, zone: str, change: Change, record: Record, doing: str, at: float) -> None:
        if self._now() - at > TRUST and not self._same(zone, record, doing, gone=True):
            raise stale(self._id, zone, change)
        reply = self._client.call("DELETE", f"{zones.path(zone)}/record/{record.id}", doing, expect=(404,))
        if reply.status == 404:
            self._gone(zone, record, reply, doing)

    def _same(self, zone: str, record: Record, doing: str, *, gone: bool = False) -> bool:
        """Whether a record is what was read; the changes before this one took their time. `gone`: or is there no more."""
        now = self._client.one(zone, record.id, doing)
        return gone if now is None else (now.name, now.value, now.ttl) == (record.name, record.value, record.ttl)

    def _gone(self, zone: str, record: Record, reply: Reply, doing: str) -> None:
        """Raise where a 404 does not mean that the record is gone."""
        if record.id in self._client.ids(zone, doing):
            raise self._client.refused(reply, doing)

    # --- what is served -----------------------------------------------------------------------------------------------

    def refresh(self, zone: str) -> None:
        """Have the zone served as it is written."""
        doing = f"{zone}: having the zone served"
        try:
            self._client.call("POST", f"{zones.path(zone)}/refresh", doing)
        except ProviderError as error:
            told = f"{error} The records are written, and are not served before that is done: a later pass asks for it again."
            raise ProviderError(told, transient=error.transient) from None

    def served(self, zone: str) -> tuple[bool | None, tuple[str, ...]]:
        """Whether the zone is served as it is written, None where that is not told; and what a person has to put right there. It is
        looked at a few times; whether name servers show a record is for others to see."""
        status, doing = {}, f"{zone}: looking whether the zone is served"
        for pause in POLLS:
            if pause:
                self._sleep(pause)
            with contextlib.suppress(ProviderError):  # it is a courtesy, and what was written is written
                status = dict(self._client.status(zone, doing))
            if status.get("isDeployed") is not False or status.get("errors"):
                break
        errors = status.get("errors")
        if status.get("isDeployed") is False and isinstance(errors, list) and errors:
            words = "".join(c if c.isprintable() else "?" for c in "; ".join(map(str, errors)))[:300]
            return False, (
                f"{self._client.who} does not serve {zone} as it is written: {words}. Put that right there.",
            )
        return status.get("isDeployed"), ()

    def finish(self, zone: str) -> tuple[str, ...]:
        """Have a zone served that a write left without its end."""
        self.refresh(zone)
        told = f"{self._client.who} was asked once more to serve {zone} as it is written: an earlier write had not come to its end"
        return self.served(zone)[1] or (told,)

    def owed(self, zone: str) -> tuple[str, ...]:
        """Have a zone served that is told not to be, though nobody here knows of a write without an end."""
        try:
            status = self._client.status(zone, f"{zone}: looking whether the zone is served")
        except ProviderError:
            return ()  # whoever has nothing to write needs no answer
        if status.get("isDeployed") is not False:
            return ()
        self.refresh(zone)
        served, told = self.served(zone)
        return (f"{self._client.who} serves {zone} as it is written, which it did not before",) if served else told


def plain(text: str) -> bool:
    """Whether a text needs no quotes: printable ASCII without `"` and `\\`."""
    return text.isascii() and text.isprintable() and not set(text) & {'"', "\\"}
