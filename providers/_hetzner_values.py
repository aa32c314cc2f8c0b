"""Values of one RRset at Hetzner: in, out, and one after the other."""

from __future__ import annotations

from collections.abc import Sequence

from dnssync.core.model import Change, ProviderError, StaleZone, Value, absolute

from . import _hetzner as hetzner
from ._hetzner_client import Client
from ._unmoved import alike, stale


class Values:
    """What is done with an RRset's values, value by value or all of them."""

    def __init__(self, id: str, client: Client) -> None:
        self._id, self._client = id, client

    def act(self, zone: str, change: Change, what: str, values: Sequence[Value], known: hetzner.Reading) -> None:
        """One action with values of an RRset."""
        key, doing = (change.name, change.type), hetzner.doing(zone, change)
        kept = known.comments.get(key, {}) if what != "remove_records" else {}
        body = {"records": hetzner.records(values, kept)}
        reply = self._client.act(zone, doing, hetzner.action(zone, key, what), body, expect=(404, 422))
        if reply.status not in (404, 422):
            return
        now = known if what == "add_records" else self._client.named(zone, change.name, known)
        if not alike(now.rrsets.get(key), change.old):
            raise stale(self._id, zone, change)  # a value that somebody else took out
        raise self._client.refused(reply, f"{zone}: {doing}")

    def succeed(
        self, zone: str, change: Change, gone: Sequence[Value], come: Sequence[Value], known: hetzner.Reading
    ) -> None:
        """The old values out and the new ones in, one directly after the other; see hetzner.py. An error at the end, if any, is
        that of an answer that was lost: all is done."""
        lost = self._tried(zone, change, "remove_records", gone, known)
        try:
            lost = self._tried(zone, change, "add_records", come, known) or lost
        except ProviderError as error:
            # What may still come must not find the old one back: then it is tried once more, and else that is put back.
            try:
                self._tried(zone, change, "add_records", come if error.transient else gone, known)
            except ProviderError:
                where = f"{absolute(change.name, zone)} {change.type}"
                told = f"What stood there before is out, and {where} lacks it until the next pass writes it."
                raise ProviderError(f"{error} {told}", transient=error.transient) from None
            if not error.transient:
                raise ProviderError(f"{error} What stood there before is back.") from None
        if lost:
            raise lost

    def _tried(
        self, zone: str, change: Change, what: str, values: Sequence[Value], known: hetzner.Reading
    ) -> ProviderError | None:
        """Do it, and give the error where it was done all the same. Raises where it was not done."""
        try:
            self.act(zone, change, what, values, known)
        except StaleZone:
            raise
        except ProviderError as error:
            wanted, adds = {value.text for value in values}, what == "add_records"
            try:
                now = self._client.named(zone, change.name, known).rrsets.get((change.name, change.type))
            except ProviderError:
                if adds:
                    return error  # two would be worse than none
                raise error from None
            shown = {value.text for value in now.values} if now else set()
            if wanted - shown if adds else wanted & shown:
                raise
            return error
        return None
