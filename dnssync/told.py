"""What the daemon's log says of passes: what is new since the last one, and what is over, a line each; what goes on, every few hours."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from logging import ERROR, WARNING

from dnssync.core.attention import NOTICE
from dnssync.logs import AGAIN
from dnssync.one_pass import PassResult
from dnssync.standing import Place, news

log = logging.getLogger("dnssync")
ALWAYS = {"always": True}  # a line that is news whatever was told before


class Told:
    """What was said of the last pass, and when each thing was told."""

    def __init__(self) -> None:
        self._said: Mapping[Place, str] = {}
        self._at: Mapping[Place, int] = {}

    def log(self, result: PassResult, failures: int) -> None:
        """Log a pass; `failures`: how many before it, in a row, came to nothing."""
        if result.error is not None:
            log.error("%s", result.error)
            return
        if failures:
            log.info("passes work again")
        now = result.ended
        told = news(result, self._said, {place for place, at in self._at.items() if not 0 <= now - at < AGAIN})
        for line in told.begun:
            level = WARNING if line.kind == NOTICE else ERROR
            log.log(level, "%s%s=%s %s", _of(line.zone), line.kind, line.reason, line.sentence, extra=ALWAYS)
        for zone, kind, reason, names in told.over:
            log.info("%s%s=%s is over%s", _of(zone), kind, reason, f" for {names}" * bool(names))
        self._said = told.said
        self._at = {place: now if place in told.places else self._at.get(place, now) for place in told.said}


def _of(zone: str) -> str:
    return f"zone={zone} " if zone else ""
