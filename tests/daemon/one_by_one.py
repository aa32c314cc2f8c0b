"""Gandi's plug-in with one zone at a time, for a test that has to know which one comes next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from dnssync_providers import gandi


class Provider(gandi.Provider):
    """As it is, with one request under way at once."""

    def __init__(self, id: str, token: str, endpoint: str, *, sleep: Callable[[float], None]) -> None:
        super().__init__(id, token, endpoint=endpoint, sleep=sleep)
        self.limits = replace(self.limits, parallel=1)
