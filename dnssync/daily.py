"""The daemon's own check of the whole set-up, once a day: what has changed since is told by mail and command, once."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, replace

from dnssync import checked
from dnssync.alerts import HOOK, MAIL, AlertError, Alerts
from dnssync.check import words
from dnssync.check.changes import Changes, changes
from dnssync.check.finding import ranked
from dnssync.check.gather import Looked, Sources, look, sources
from dnssync.checked import DAILY, Checked
from dnssync.config import Config
from dnssync.core.alerts import Message
from dnssync.errors import DnssyncError, understood
from dnssync.files import WriteError
from dnssync.one_pass import Stopped
from dnssync.reconcile import Line

log = logging.getLogger("dnssync")
LONGEST = 1800  # seconds for a check, since no pass goes on meanwhile; what was not looked into by then is unknown
AGAIN = 3600  # seconds until another try where a check could not be made


class Daily:
    """Looks after each pass whether a check is due, and whether something is still to be told.

    `open_line(config, read_only, progress)` assembles the parts of a pass; `alerts` sends; `sources(line)` is where a check looks; `host` gives
    this host's full name; `hinted` makes commands in a sentence such that they work as they stand; `longest`: seconds that a check may take. `now` in seconds since 1970.
    """

    def __init__(
        self,
        open_line: Callable[..., Line],
        alerts: Alerts,
        *,
        now: Callable[[], float],
        host: Callable[[], str],
        sources: Callable[[Line], Sources] = sources,
        hinted: Callable[[str], str] = lambda text: text,
        longest: float = LONGEST,
    ) -> None:
        self._open, self._alerts, self._now = open_line, alerts, now
        self._sources, self._host, self._hinted = sources, host, hinted
        self._longest = longest
        self._tried = 0.0

    def __call__(
        self, config: Config, step: Callable[[str], None], looking: Callable[[], AbstractContextManager[None]]
    ) -> None:
        """Check, if that is due, and tell what is new. `looking` surrounds the part in which nothing is written. Raises `Stopped` alone."""
        if not config.schedule.check:
            return
        try:
            kept = checked.read(config.state_directory, DAILY) or Checked()
            if self._due(config, kept):
                self._tried = self._now()
                with looking():
                    line = self._open(config, read_only=True, progress=step)
                    until = time.monotonic() + self._longest
                    looked = look(line, self._sources(line), remembered=kept.remembered, until=until)
                kept = self._kept(config, kept, looked)
            self._tell(config, kept)
        except Stopped:
            raise
        except Exception as error:
            told = error if isinstance(error, DnssyncError) else understood(error)
            log.error("the daily check could not be made, or what it found not be kept: %s", told, exc_info=log.isEnabledFor(logging.DEBUG))  # fmt: skip

    def _due(self, config: Config, kept: Checked) -> bool:
        now = self._now()
        soon = min(AGAIN, config.schedule.check)
        # A check of the future is one of a clock that was wrong.
        return not now - config.schedule.check < kept.at <= now and not now - soon < self._tried <= now

    def _kept(self, config: Config, kept: Checked, looked: Looked) -> Checked:
        """Log what has changed, and keep what stands now."""
        found = looked.changes(kept.found)
        for finding in ranked(found.begun)[: words.LISTED]:
            level = logging.WARNING if finding.severity in words.MAILED else logging.INFO
            log.log(level, "check %s %s %s: %s", finding.severity, finding.id, finding.subject, finding.message)
        for finding in found.over[: words.LISTED]:
            log.info("check well again %s %s: %s", finding.id, finding.subject, finding.message)
        more = sum(max(0, len(rows) - words.LISTED) for rows in (found.begun, found.over))
        if more:  # ten thousand domains would drown what else the log tells
            log.info("check: %d more have changed; `dnssync check` shows what it finds now", more)
        log.info("the set-up was checked: %s", words.tally(looked.findings) or "all is well")
        kept = replace(
            kept,
            at=looked.facts.now,
            found=looked.standing(kept.found),
            remembered=looked.remembered,
        )
        checked.write(config.state_directory, DAILY, kept)
        return kept

    def _tell(self, config: Config, kept: Checked) -> None:
        """Tell by each way what it has not told yet; what cannot be told is tried again after the next pass."""
        ways = [way for way in (MAIL, HOOK) if getattr(config.alerts, way)]
        told = {way: kept.told.get(way, ()) for way in ways}
        for way in ways:
            new = changes(told[way], kept.found)
            message = words.message(self._host(), new) if new else None
            try:
                if message is not None:
                    self._send(way, config, replace(message, text=self._hinted(message.text)), new)
                told[way] = kept.found
            except AlertError as error:
                log.error("%s", error)
        if told != kept.told:
            try:
                checked.write(config.state_directory, DAILY, replace(kept, told=told))
            except WriteError as error:
                log.error("what was told of the daily check could not be noted, and may be told again: %s", error)

    def _send(self, way: str, config: Config, message: Message, new: Changes) -> None:
        now = int(self._now())
        if way == MAIL:
            self._alerts.mail(config.alerts, message, (new.begun, new.over), now)
        else:
            more = {
                "begun": [],
                "over": [],
                "check": {"begun": [asdict(f) for f in new.begun], "over": [asdict(f) for f in new.over]},
            }
            self._alerts.hook(config.alerts, message, more, now)
