"""Providers from the configuration: built once a pass (`plugins`), asked through one door.

A plug-in may be anybody's. What it raises that is no `ProviderError` becomes one here, so that a fault in one plug-in
fails its zones with a sentence and nothing else.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from dnssync.config import Config, secret
from dnssync.core.model import Change, Foreign, Limits, Provider, ProviderError, RRset, StaleZone
from dnssync.errors import ConfigError
from dnssync.pauses import Pauses, Vain
from dnssync.plugins import makers

T = TypeVar("T")
MOST = 32  # instances of a plug-in, whatever it declares


class TooLong(ProviderError):
    """A plug-in is to wait for longer than there is time now; raised by what it sleeps with. It is an error of the provider, so that
    whatever a plug-in does about one in the middle of a write, it does about this one, too."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"A pause of {seconds:.0f} seconds is longer than a pass that writes waits.", transient=True)
        self.seconds = seconds


class _Guarded:
    """A plug-in whose every error is a `ProviderError` with zone and provider in it.

    Where it declares that several requests may be under way at once, and `another` makes one more of it, there are as many instances,
    each made when its first zone comes. A zone stays with its own, which knows what it read of it; one thread at a time asks an instance (`lane`).
    One that has been asked in vain for long is asked no more (`pauses.Vain`); `now` is the clock for that.
    """

    def __init__(
        self,
        name: str,
        plugin: Provider,
        another: Callable[[], Provider] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name, self._now, self._vain = name, now, Vain(now)
        self._plugin = plugin
        self._another = another
        self._instances: dict[int, Provider] = {0: plugin}
        self._most = max(1, min(getattr(plugin.limits, "parallel", 1), MOST)) if another is not None else 1
        self._lanes: dict[str, int] = {}
        self._making = threading.Lock()

    def lane(self, zone: str) -> int:
        """The number of the instance that a zone is asked for at. They take turns in the order in which zones come, so that neighbours in
        the configuration are asked for at once."""
        return self._lanes.setdefault(zone, len(self._lanes) % self._most)

    def _at(self, zone: str) -> Provider:
        lane = self.lane(zone)
        if lane not in self._instances:
            with self._making:
                if lane not in self._instances and self._another is not None:
                    self._instances[lane] = self._another()
        return self._instances[lane]

    @property
    def limits(self) -> Limits:
        """See `core.model.Provider`; some learn from a reading what they can hold."""
        return self._plugin.limits

    def limits_of(self, zone: str) -> Limits:
        """The same for one zone, where the plug-in tells it of each."""
        try:
            plugin = self._at(zone)
        except Exception:  # a plug-in may be anybody's; the reading tells what is wrong
            plugin = self._plugin
        of = getattr(plugin, "limits_of", None)
        return plugin.limits if of is None else of(zone)

    def snapshot(self, zone: str, name: str) -> None:
        """Let the plug-in keep a copy of the zone under this name, if it can."""
        if hasattr(self._plugin, "snapshot"):
            self._asked(zone, "keep a copy of", lambda: self._at(zone).snapshot(zone, name))  # type: ignore[attr-defined]

    def read(self, zone: str) -> tuple[RRset, ...]:
        """See `core.model.Provider`."""
        return self._asked(zone, "read", lambda: _checked(self._at(zone).read(zone)))

    def write(self, zone: str, changes: Sequence[Change]) -> tuple[str, ...]:
        """See `core.model.Provider`."""
        asked = self._asked if changes else self._told  # without any, most have nothing to ask for
        return asked(zone, "write", lambda: tuple(self._at(zone).write(zone, changes)))

    def finish(self, zone: str) -> tuple[str, ...]:
        """What a write that did not come to its end left undone, for sure where the plug-in can, else as far as it knows of it itself."""
        if not hasattr(self._plugin, "finish"):
            return self.write(zone, ())
        return self._asked(zone, "write", lambda: tuple(self._at(zone).finish(zone)))  # type: ignore[attr-defined]

    @property
    def requests(self) -> Mapping[str, int]:
        """How many answers there were of each class of status (`2xx`, …; `none`), where the plug-in counts them."""
        every: Counter[str] = Counter()
        for plugin in [*self._instances.values()]:
            every.update(dict(getattr(plugin, "requests", None) or {}))  # its own thread may be counting
        return dict(every)

    def _asked(self, zone: str, what: str, act: Callable[[], T]) -> T:
        """`_told`, unless the provider was asked in vain for too long in this pass."""
        if seconds := self._vain.seconds():
            raise ProviderError(
                f"{zone}: provider {self._name} has put off every request for {seconds / 60:.0f} minutes, or not answered, and is asked no more in this "
                f"pass, so that others need not wait.{' Nothing was written;' if what == 'write' else ''} {'a' if what == 'write' else 'A'} later pass tries "
                "again.",
                transient=True,
            )
        asked = self._now()
        try:
            told = self._told(zone, what, act)
        except ProviderError as error:
            if error.transient and not isinstance(error, StaleZone):
                self._vain.put_off(zone, asked)
            else:
                self._vain.answered()
            raise
        self._vain.answered()
        return told

    def _told(self, zone: str, what: str, act: Callable[[], T]) -> T:
        try:
            return act()
        except TooLong as error:
            raise ProviderError(
                f"{zone}: provider {self._name} wants no more requests for {error.seconds:.0f} seconds, which is longer than a pass "
                f"that writes waits.{' What of the write is done is not known;' if what == 'write' else ''} "
                f"{'a' if what == 'write' else 'A'} later pass {'reads the zone' if what == 'write' else 'tries again'}.",
                transient=True,
            ) from None
        except ProviderError:
            raise
        except Exception as error:
            raise ProviderError(
                f"{zone}: provider {self._name} failed to {what} the zone with {type(error).__name__}; that is a fault of the "
                "plug-in or of what the provider answered. Nothing is taken from it; --debug shows where it happened."
            ) from error


def _checked(rrsets: Sequence[RRset]) -> tuple[RRset, ...]:
    """What a plug-in read: RRsets, each name and type once. Anything else would be taken for a zone that changed."""
    every = tuple(rrsets)
    if len({rrset.key for rrset in every}) != len(every):
        raise ValueError("read() gave an RRset twice")
    return every


class Zones:
    """The providers of a configuration. Secrets are resolved when this is made, so that root can read them first.

    `sleep` (seconds) is what plug-ins wait with that are asked for patience, several at once, each in a thread; it may be another one
    later. `now` is the clock that goes on meanwhile. Raises `ConfigError` with every mistake in all of them.
    """

    def __init__(
        self,
        config: Config,
        *,
        resolve: Callable[[str], str] = secret,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config, self.sleep = config, sleep
        made, mistakes = makers(
            config.providers, resolve, lambda name: Pauses(lambda seconds: self.sleep(seconds), now)
        )
        if mistakes:
            raise ConfigError(str(config.file), mistakes)
        self._plugins = {name: _Guarded(name, one.plugin, one.another, now) for name, one in made.items()}

    def provider(self, name: str) -> Provider:
        """The provider of that name."""
        return self._plugins[name]

    def snapshot(self, provider: str, zone: str, name: str) -> None:
        """Keep a copy of the zone, named after the plan, where the provider can: before records of others are taken over."""
        self._plugins[provider].snapshot(zone, name)

    def requests(self) -> dict[str, Mapping[str, int]]:
        """By provider, what it was asked since this was made, as `_Guarded.requests`; those that do not count are left out."""
        return {name: counts for name, plugin in self._plugins.items() if (counts := plugin.requests)}

    def limits(self, zone: str) -> Limits:
        """What all providers of a zone can hold together: a claim exists only if each of them can hold it."""
        every = [self._plugins[name].limits_of(zone) for name in self._config.zones[zone].providers]
        return Limits(
            types=frozenset.intersection(*(limits.types for limits in every)),
            min_ttl=max(limits.min_ttl for limits in every),
            max_ttl=min(limits.max_ttl for limits in every),
            txt=min(limits.txt for limits in every),
            type99=all(limits.type99 and "SPF" in limits.types for limits in every),
            reads=all(limits.reads for limits in every),
            complete=all(limits.complete for limits in every),
            foreign=min((limits.foreign for limits in every), key=list(Foreign).index),
            notices=tuple(dict.fromkeys(notice for limits in every for notice in limits.notices)),
        )
