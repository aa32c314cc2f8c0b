"""How the plug-ins of one provider wait: a pause that one of them was told to make holds for all of them, and for nobody else's."""

from __future__ import annotations

import threading
from collections.abc import Callable


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
