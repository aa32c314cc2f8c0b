"""The daemon: passes at an interval and whenever something is due, one at a time, until a signal ends it.

One worker thread does everything: an interval job (the rhythm of the configuration), a dated job (the earliest moment at which a key
can go on, or at which what failed is tried again), and a small one every few seconds that shows the supervisor that the
worker is free, and looks whether somebody left a word in the state. While a pass is stuck, that one cannot run: a
provider that hangs starves the watchdog. The main thread only takes signals and watches the clock.

A word of a person (`rotate`, `confirm`, `freeze`, `release`, and any `apply` that changed something) is an event in the state; the
newest event's number is one cheap question to the database, needs nothing of the commands, and cannot be lost by a crash between
the word and a message about it. No provider and no name server is asked for it. The lock is held for a pass and never
between two.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from logging import ERROR
from types import FrameType
from typing import Any

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from dnssync.config import Config
from dnssync.errors import ConfigError, DnssyncError, LockedError, understood
from dnssync.kept import Kept
from dnssync.lock import hold
from dnssync.not_taken import NotTaken
from dnssync.notify import Notifier
from dnssync.one_pass import After, PassResult, Stopped, one_pass, shut_out, tell, tries
from dnssync.reconcile import Line
from dnssync.standing import next_event, standing
from dnssync.state import State
from dnssync.told import ALWAYS, Told

log = logging.getLogger("dnssync")
WATCH = 5.0  # seconds between two looks for a word in the state, and at the clock
SOONEST = 10  # seconds after a pass before which no other is due by itself
AGAIN = 5  # seconds until another try where another process holds the lock
FIRST = 60  # seconds until another try after a pass that failed as a whole; doubled each time, at most the interval
OFF = 5.0  # seconds by which the wall clock may move beside the other between two looks
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Daemon:
    """See the module.

    `load()` reads the configuration; `open_line(config, read_only, progress)` assembles the parts of a pass over it; `watch(config)`
    opens the state for reading. `now` in seconds since 1970, `monotonic` on a clock that nobody sets. `leave(code)` ends the
    process at once. Each of `after` is called with the `PassResult` of every pass, then `beside(config, step, looking)`, as `daily.Daily` is.
    """

    def __init__(
        self,
        load: Callable[[], Config],
        open_line: Callable[..., Line],
        watch: Callable[[Config], State],
        notifier: Notifier,
        *,
        after: list[After],
        beside: Callable[..., None] = lambda config, step, looking: None,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        leave: Callable[[int], None] | None = None,
    ) -> None:
        self._load, self._open, self._watch, self._notifier = load, open_line, watch, notifier
        self._after, self._beside, self._now, self._monotonic = after, beside, now, monotonic
        self._leave = leave or _leave
        self._signals: queue.SimpleQueue[int] = queue.SimpleQueue()  # the one queue that a signal handler may put into
        self._stop = threading.Event()
        self._gate = threading.Lock()
        self._busy = threading.Lock()  # held by the job that is running
        self._looking = False  # nothing is being written; changed with the gate held
        self._asked = True  # a pass is wanted whatever the last one was
        self._at_once = True  # the next pass waits for no back-off: a person was here, and may have mended what failed
        self._ended, self._heard = 0.0, monotonic()  # a pass; a pass, or that none could be
        self._failures = 0  # passes in a row that failed as a whole
        self._state: State | None = None  # for reading only
        self._mark: int | None = None
        self._told, self._not_taken, self._kept = Told(), NotTaken(), Kept()
        self._status = "the first pass is under way"
        self._offset = now() - monotonic()
        self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone=UTC,
        )
        logging.getLogger("apscheduler").setLevel(ERROR)  # a job that waits for the worker is no news

    def run(self) -> int:
        """Go on until SIGTERM (0) or SIGINT (130). Raises `ConfigError` for a configuration that cannot be used; what else is in the way
        of a first pass (a state that cannot be opened) may be over in a minute, and is told like that of any other."""
        with self._handlers():
            self.config = self._load()
            try:
                self._open(self.config, read_only=False, progress=self._step)  # as root: becomes the state's owner
                with hold(self.config.state_directory / "lock", who="dnssync run", wait=0):
                    pass
            except LockedError:
                pass
            except ConfigError:
                raise
            except DnssyncError as error:
                log.error("the daemon begins all the same, and tries again: %s", error)
            count = len(self.config.zones)
            log.info("the daemon begins with %s: %d zone%s; its first pass looks at each, whatever it waits for",
                     self.config.file, count, "s" * (count != 1))  # fmt: skip
            self._tell(READY=1)
            self._scheduler.add_job(
                self._pass, "interval", id="interval", next_run_time=self._at(0), seconds=self._interval
            )
            self._scheduler.add_job(
                self._tick, "interval", id="tick", seconds=self._patience, next_run_time=self._at(0)
            )
            self._scheduler.start()
            return self._serve()

    # --- the main thread ----------------------------------------------------------------------------------------------

    def _serve(self) -> int:
        while True:
            try:
                came = self._signals.get(timeout=WATCH)
            except queue.Empty:
                self._look_at_clock()
                continue
            if came == signal.SIGHUP:
                self._reload()
            else:
                return self._end(came)

    def _end(self, came: int) -> int:
        """Let the step at hand come to its end, and no other begin. Where nothing is being written, there is nothing to wait for."""
        code = 0 if came == signal.SIGTERM else 130
        log.info("%s: the daemon ends after the step at hand", signal.Signals(came).name)
        self._stop.set()
        self._notifier.tell(STOPPING=1, STATUS="ending after the step at hand")
        with self._gate:
            if self._looking:
                self._leave(code)
        with self._busy:  # the scheduler's own waiting holds the locks that a job needs to plan the next one
            pass
        self._scheduler.shutdown(wait=True)
        return code

    def _reload(self) -> None:
        """Read the configuration again; one with a mistake is told of, and the one before it stays in force."""
        self._notifier.tell(RELOADING=1, MONOTONIC_USEC=time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)
        try:
            config = self._load()
            self._open(config, read_only=True, progress=lambda text: None)
        except Exception as error:
            told = understood(error)
            log.error("the configuration was read again and is not taken; the one before it stays in force. %s",
                      told, extra=ALWAYS)  # fmt: skip
            self._not_taken.refuse(self.config.file, told)
            self._now_then()  # that pass notes it
        else:
            log.info(
                "the configuration %s was read again; the pass that follows looks at every zone, whatever it waits for",
                config.file,
            )
            self._at_once = True
            self.config = config
            self._not_taken.take()
            self._scheduler.reschedule_job("interval", trigger="interval", seconds=self._interval)
            self._now_then()
        self._tell(READY=1)

    def _look_at_clock(self) -> None:
        """After a jump of the wall clock all that was planned by it is planned anew: a job that lies a year ahead would never come."""
        offset = self._now() - self._monotonic()
        jumped, self._offset = abs(offset - self._offset) > OFF, offset
        if jumped:
            log.warning("this host's clock has jumped; what was planned is planned anew")
            self._scheduler.reschedule_job("interval", trigger="interval", seconds=self._interval)
            self._scheduler.reschedule_job("tick", trigger="interval", seconds=self._patience)
            self._now_then()

    # --- the worker ---------------------------------------------------------------------------------------------------

    def _pass(self) -> None:
        """One pass, and when the next one is."""
        with self._busy:
            self._pass_now()

    def _pass_now(self) -> None:
        just_now = self._monotonic() - self._ended < SOONEST / 2  # the other job came while the last pass was under way
        if self._stop.is_set() or (just_now and not self._asked):
            return
        self._asked = False
        try:
            self._plan(self._attempt())
            self._beside(self.config, self._step, self._only_looking)
        except Stopped:
            log.info("a pass ended between two steps; the next run goes on from there")
        except LockedError as error:
            log.info("%s The daemon tries again every %d s.", error, AGAIN, extra={"seldom": True})
            self._dated(AGAIN)
            self._shut_out(error)
        except Exception as error:  # whatever it is, the daemon goes on
            log.error("%s", understood(error), exc_info=log.isEnabledFor(logging.DEBUG))
            self._dated(FIRST)
        finally:
            if self._asked:  # meanwhile; what was planned then may have been planned over
                self._dated(0)

    def _attempt(self) -> PassResult:
        def line(config: Config) -> Line:
            return self._open(config, read_only=False, progress=self._step)

        at_once, self._at_once, done = self._at_once, False, False
        try:
            result = one_pass(
                self.config, line, now=self._now, at_once=at_once, looking=self._only_looking, kept=self._kept
            )
            done = result.error is None
        finally:
            self._at_once = self._at_once or (at_once and not done)
        self._ended = self._heard = self._monotonic()
        self._mark = result.mark
        self._state = self._watch(result.config) if result.state is not None else None
        self._told.log(result, self._failures)
        self._failures = self._failures + 1 if result.error is not None else 0
        self._say(result)
        return result

    def _shut_out(self, error: LockedError) -> None:
        """Who waits for the lock for longer than the rhythm is, once in it, has a pass that came to nothing."""
        if self._monotonic() - self._heard < self._interval:
            return
        self._heard = self._monotonic()
        result = shut_out(self.config, error, int(self._now()))
        self._told.log(result, self._failures)
        self._failures, self._status = self._failures + 1, standing(result, int(self._now()) + AGAIN)
        self._tell()
        self._say(result)

    def _say(self, result: PassResult) -> None:
        self._not_taken.note(result.state, result.ended)
        tell(self._after, result, self._notifier.alive)

    def _plan(self, result: PassResult) -> None:
        """The dated job: at the earliest moment at which something is due, where that lies before the next interval or not."""
        now = int(self._now())
        moments = [event[0]] if (event := next_event(result)) else []
        if result.error is not None:
            moments = [now + min(FIRST * 2 ** min(self._failures - 1, 16), self._interval)]
        # What failed at a provider is no reason for more passes than the rhythm has; where that is slow, for one in a while.
        moments += [max(at, now + min(self._interval, FIRST * 15)) for at in tries(result).values()]
        soonest = max(min(moments), now + SOONEST) if moments else None
        if soonest is not None:
            self._dated(soonest - now)
        self._status = standing(result, min(now + self._interval, soonest or sys.maxsize))
        self._tell()

    def _tick(self) -> None:
        """The worker is free; look whether somebody left a word in the state."""
        with self._busy:
            self._tick_now()

    def _tick_now(self) -> None:
        if self._stop.is_set():
            return
        self._notifier.alive()
        if self._state is None or self._mark is None:
            return
        with contextlib.suppress(DnssyncError):  # the next pass tells what is wrong with the state
            if self._state.last_event() != self._mark:
                log.info("somebody changed something or left a word; a pass follows")
                self._mark = None
                self._now_then()

    def _step(self, text: str) -> None:
        """A step of a pass begins: the watchdog is fed by nothing else while a pass is under way."""
        if self._stop.is_set():
            raise Stopped
        if text:
            self._notifier.alive()

    @contextlib.contextmanager
    def _only_looking(self) -> Iterator[None]:
        """While this lasts the process may end at any moment."""
        self._set_looking(True)
        try:
            yield
        finally:
            self._set_looking(False)

    def _set_looking(self, value: bool) -> None:
        with self._gate:
            self._looking = value
        if self._stop.is_set():
            raise Stopped

    # --- time ---------------------------------------------------------------------------------------------------------

    @property
    def _interval(self) -> int:
        return self.config.schedule.interval

    @property
    def _patience(self) -> float:
        """Seconds between two ticks: often enough for the supervisor."""
        return min(WATCH, self._notifier.patience / 4 or WATCH)

    def _at(self, seconds: float) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=seconds)

    def _dated(self, seconds: float) -> None:
        # Two of them, since one may be planned by the other; the worker takes one at a time.
        at, add = self._at(seconds), self._scheduler.add_job
        add(self._pass, "date", id="dated", run_date=at, replace_existing=True, max_instances=2)

    def _now_then(self) -> None:
        """A pass as soon as the worker is free."""
        self._asked = True
        self._dated(0)

    def _tell(self, **fields: Any) -> None:
        self._notifier.tell(**fields, STATUS=self._not_taken.status + self._status)

    @contextlib.contextmanager
    def _handlers(self) -> Iterator[None]:
        """Signals go into the queue while this lasts."""

        def put(number: int, frame: FrameType | None) -> None:
            self._signals.put(number)

        before = {number: signal.signal(number, put) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _leave(code: int) -> None:
    """End at once: a thread that waits for an answer would be waited for else."""
    logging.shutdown()
    os._exit(code)
