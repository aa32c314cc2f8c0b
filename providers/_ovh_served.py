"""Whether OVHcloud serves a zone as it is written: it is asked to, and told of where it does not.

Words that are returned mean that something was put right. A zone that is not served is an error, so that the write that it was about
stays open, and a later pass asks again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from dnssync.core.model import ProviderError

from ._ovh import Zones

POLLS = (0.0, 1.0, 3.0, 5.0, 6.0)  # seconds before each look at whether the zone is served as it is written
WARNED = 3  # of those looks, for a zone with a warning, which may never be told to be deployed (certbot/certbot#9836)
WORDS = 300  # characters of what OVHcloud finds wrong, at most


def unserved(error: ProviderError) -> ProviderError:
    """An error that kept what is written from being served."""
    told = f"{error} The records are written, and are not served before that is done: a later pass asks for it again."
    return ProviderError(told, transient=error.transient)


class Served(Zones):
    """The zones of one consumer key, read, and served."""

    def finish(self, zone: str) -> tuple[str, ...]:
        """Have a zone served whose last write did not come to its end, whatever is told of it. Raises `ProviderError` where it is not
        served then, either."""
        before = self._status(zone).get("isDeployed") is True
        self._refresh(zone)
        self._served(zone, before)
        return (
            f"{self.who} was asked once more to serve {zone} as it is written: an earlier write had not come to its end",
        )

    def _owed(self, zone: str) -> tuple[str, ...]:
        """Have a zone served that is told not to be, though nobody here knows of a write without an end."""
        if self._status(zone).get("isDeployed") is not False:
            return ()
        self._refresh(zone)
        if not self._served(zone):
            return ()
        return (f"{self.who} serves {zone} as it is written, which it did not before",)

    def _refresh(self, zone: str) -> None:
        """Have the zone served as it is written."""
        try:
            self._call("POST", zone, "/refresh", f"{zone}: having the zone served")
        except ProviderError as error:
            raise unserved(error) from None

    def _status(self, zone: str) -> Mapping[str, Any]:
        """What is told of the zone as it is served, `isDeployed`, `errors` and `warnings`. An error is nothing told."""
        with contextlib.suppress(ProviderError):
            told = self._call("GET", zone, "/status", f"{zone}: looking whether the zone is served").data
            return told if isinstance(told, dict) else {}
        return {}

    def _served(self, zone: str, before: bool = False) -> bool:
        """Whether it is told, within some seconds after a refresh, that the zone is served as it is written. Raises `ProviderError` where it
        is told that it is not: with what a person has to put right there, or, where nothing is found wrong, since it takes its time.
        The latter is no error where it was served as it is written `before` the refresh: then there was nothing to be done. Whether name
        servers show a record is for others to see."""
        status: Mapping[str, Any] = {}
        for number, pause in enumerate(POLLS, 1):
            if pause:
                self._sleep(pause)
            status = self._status(zone) or status  # what could not be asked this once does not outweigh what was told
            if status.get("isDeployed") is not False or status.get("errors"):
                break
            if status.get("warnings") and number >= WARNED:
                return False
        if status.get("isDeployed") is not False:
            return status.get("isDeployed") is True
        doing = f"{zone}: having the zone served: {self.who}"
        if errors := status.get("errors"):
            listed = "; ".join(map(str, errors if isinstance(errors, list) else [errors]))[:WORDS]
            words = "".join(letter if letter.isprintable() else "?" for letter in listed).rstrip(".")
            raise ProviderError(f"{doing} does not serve it as it is written: {words}. The records are written, and are not served before that is put "
                                "right: do that there. A later pass asks for it again.")  # fmt: skip
        if before:
            return False
        raise ProviderError(f"{doing} took the request, and {sum(POLLS):.0f} seconds later still says that it does not serve the zone as it is "
                            "written. The records are written; a later pass asks for it again.", transient=True)  # fmt: skip
