"""How the plug-ins of one provider wait: a pause that one of them was told to make holds for all of them, and for nobody else's; and how long they
wait in vain, since the zones of others come after theirs."""

from __future__ import annotations

import threading
from collections.abc import Callable

LONG = 180.0  # seconds: about what one request takes that is put off again and again, or hangs
MANY = 5  # zones in a row


class Pauses:
    """What the plug-ins of a provider sleep with. Whoever is asked for a pause by the other side says so (`note`) before it sleeps or gives
    up; `left` is how long such a pause has still to go, for whoever is about to ask for something.

    `sleep` and `now` are in seconds; time has to pass by `now` while `sleep` lasts. What `sleep` raises comes through.
    """

    def __init__(self, sleep: Callable[[float], None], now: Callable[[], float]) -> None:
        self._sleep, self._now = sleep, now
        self._until = 0.0
        self._gate = threading.Lock()

    def __call__(self, seconds: float) -> None:
        """Wait."""
        self._sleep(seconds)

    def note(self, seconds: float) -> None:
        """The other side wants no requests for so long."""
        with self._gate:
            self._until = max(self._until, self._now() + seconds)

    def left(self) -> float:
        """Seconds until the other side may be asked again; 0.0: now."""
        with self._gate:
            return max(0.0, self._until - self._now())


class Vain:
    """When a provider is asked no more: `MANY` zones in a row that it put off, or did not answer for, over at least `LONG` seconds, from when it was
    asked for the first of them until it put off the last. An answer about any zone, be it a refusal, begins the count anew, also for what was asked before
    it; a provider that fails for a few zones of many goes on. Time in which nobody asks it says nothing of it. Several threads use it; `now` is in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._zones: set[str] = set()
        self._since: float | None = None
        self._lasted = 0.0
        self._answered: float | None = None
        self._gate = threading.Lock()

    def seconds(self) -> float:
        """How long it has been asked in vain, where that is enough; else 0.0."""
        with self._gate:
            return self._lasted if self._lasted >= LONG and len(self._zones) >= MANY else 0.0

    def put_off(self, zone: str, asked: float) -> None:
        """A zone that it was asked for at that moment came to nothing, and may come to something later."""
        with self._gate:
            begun = asked if self._answered is None else max(asked, self._answered)
            self._zones.add(zone)
            self._since = begun if self._since is None else min(self._since, begun)
            self._lasted = self._now() - self._since

    def answered(self) -> None:
        """It answered."""
        with self._gate:
            self._zones.clear()
            self._since, self._lasted, self._answered = None, 0.0, self._now()
