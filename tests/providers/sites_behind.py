"""Providers before real servers, with something between the two."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from typing import Any

import dns.exception

from dnssync.core.model import Change, Provider
from tests.between import Between
from tests.gaps import By, Item, Moment, gaps, items
from tests.providers.conformance import ZONE, Everything

# Named points inside the message for their names (RFC 3597 §4), dnspython does not follow.
POINTING = ("MB", "MG", "MR", "MINFO")


class Behind:
    """A real server with something between it and the provider."""

    secret = ""

    def __init__(self, between: Between) -> None:
        self.between = between
        between.seen = lambda: self._note(By.CLIENT)
        self.words: tuple[str, ...] = (f"127.0.0.1 port {between.port}", "provider theirs", "at theirs")
        self.moments: list[Moment] = []
        self.provider = self.make()

    def make(self, **options: Any) -> Provider:
        """The provider anew."""
        raise NotImplementedError

    def everything(self) -> Everything:
        """The zone, past the provider."""
        raise NotImplementedError

    def transferred(self) -> Everything:
        """The same by AXFR alone."""
        return self.everything()

    def write(self, provider: Provider, changes: Sequence[Change]) -> None:
        """A write; what the zone holds is noted after each of its requests."""
        with contextlib.suppress(dns.exception.DNSException):  # a zone that a fault took away
            self._note(By.SOMEBODY)
        provider.write(ZONE, changes)

    def _note(self, by: By) -> None:
        zone = {key: values for key, (_, values) in self.transferred().items() if key[1] not in POINTING}
        self.moments.append(Moment(time.monotonic(), items(zone), by))

    def gaps(self) -> dict[Item, float]:
        """What requests took away and brought back."""
        return gaps(self.moments)
