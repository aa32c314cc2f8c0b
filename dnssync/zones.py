"""Providers from the configuration: found by entry-point name or dotted path, built once a pass, asked through one door.

A plug-in may be anybody's. What it raises that is no `ProviderError` becomes one here, so that a fault in one plug-in
fails its zones with a sentence and nothing else.
"""

from __future__ import annotations

import importlib
import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import entry_points
from types import NoneType
from typing import Any, TypeVar, cast

from dnssync.config import Config, ProviderConfig, secret
from dnssync.core.model import Change, Limits, Provider, ProviderError, RRset
from dnssync.errors import ConfigError

T = TypeVar("T")
GROUP = "dnssync.providers"
PLAIN = {str: "text (a number or a date in quotes)", int: "a whole number", float: "a number", bool: "true or false"}


class _Guarded:
    """A plug-in whose every error is a `ProviderError` with zone and provider in it."""

    def __init__(self, name: str, plugin: Provider) -> None:
        self._name = name
        self._plugin = plugin
        self.limits = plugin.limits

    def read(self, zone: str) -> tuple[RRset, ...]:
        """See `core.model.Provider`."""
        return self._told(zone, "read", lambda: _checked(self._plugin.read(zone)))

    def write(self, zone: str, changes: Sequence[Change]) -> tuple[str, ...]:
        """See `core.model.Provider`."""
        return self._told(zone, "write", lambda: tuple(self._plugin.write(zone, changes)))

    def _told(self, zone: str, what: str, act: Callable[[], T]) -> T:
        try:
            return act()
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
    """The providers of a configuration. Secrets are resolved when this is made, so that root can read them first."""

    def __init__(self, config: Config, *, resolve: Callable[[str], str] = secret) -> None:
        self._config = config
        self._plugins = {name: _build(provider, config, resolve) for name, provider in config.providers.items()}

    def provider(self, name: str) -> Provider:
        """The provider of that name."""
        return self._plugins[name]

    def limits(self, zone: str) -> Limits:
        """What all providers of a zone can hold together: a claim exists only if each of them can hold it."""
        every = [self._plugins[name].limits for name in self._config.zones[zone].providers]
        return Limits(
            types=frozenset.intersection(*(limits.types for limits in every)),
            min_ttl=max(limits.min_ttl for limits in every),
            max_ttl=min(limits.max_ttl for limits in every),
            txt=min(limits.txt for limits in every),
            type99=all(limits.type99 and "SPF" in limits.types for limits in every),
            reads=all(limits.reads for limits in every),
        )


def _build(provider: ProviderConfig, config: Config, resolve: Callable[[str], str]) -> Provider:
    at = f"providers.{provider.name}"
    factory = _factory(provider.class_, f"{at}.class", str(config.file))
    options = {}
    for name, value in provider.options.items():
        try:
            options[name] = resolve(value) if isinstance(value, str) else value
        except ConfigError as error:
            raise ConfigError(str(config.file), [f"{at}.{name}: {mistake}" for mistake in error.mistakes]) from None
    as_written = {name: value for name, value in options.items() if value == provider.options[name]}
    wrong = _misfits(factory, options) | _mistyped(factory, as_written)
    if wrong:
        raise ConfigError(str(config.file), [f"{at}.{option}: {told}" for option, told in wrong.items()])
    try:
        return cast(Provider, _Guarded(provider.name, factory(provider.name, **options)))
    except ProviderError as error:
        raise ConfigError(str(config.file), [f"{at}: {error}"]) from None
    except Exception as error:  # anybody's plug-in; its words are not shown, since they may hold an option's secret
        raise ConfigError(
            str(config.file), [f"{at}: {provider.class_} cannot be made of these options ({type(error).__name__})"]
        ) from error


def _factory(name: str, at: str, file: str) -> Callable[..., Provider]:
    found = entry_points(group=GROUP)
    module, _, attribute = name.rpartition(".")
    if name not in found.names and not module:
        known = ", ".join(sorted(found.names))
        raise ConfigError(file, [f"{at}: {name!r} is none of {known}, nor a dotted path such as my_package.MyProvider"])
    try:
        factory = found[name].load() if name in found.names else getattr(importlib.import_module(module), attribute)
    except Exception as error:  # importing runs anybody's code
        raise ConfigError(
            file,
            [
                f"{at}: {name} cannot be loaded: {error or type(error).__name__}. Install its package in dnssync's environment"
            ],
        ) from error
    if not callable(factory):
        raise ConfigError(file, [f"{at}: {name} is no class"])
    return cast(Callable[..., Provider], factory)


def _misfits(factory: Callable[..., Any], options: Mapping[str, Any]) -> dict[str, str]:
    """Options that the plug-in does not know, and those that it needs and does not get. What it takes by keyword alone (a
    clock, a way to run commands) is no option: nobody can write it in YAML."""
    parameters = inspect.signature(factory).parameters
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    known = [n for n, p in parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD and n not in ("id", "self")]
    wrong = {
        n: f"is no option of this provider; it has {', '.join(known) or 'none'}"
        for n in options
        if n not in known and not takes_any
    }
    for name, parameter in parameters.items():
        needed = parameter.default is parameter.empty and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        if needed and name != "id" and name not in options:
            wrong[name] = "is missing"
    return wrong


def _mistyped(factory: Callable[..., Any], options: Mapping[str, Any]) -> dict[str, str]:
    """Options whose value is not of the plain type that the plug-in declares. A token of digits alone is a number in YAML,
    and `port: true` is 1 in Python; what was read from elsewhere (`env/NAME`) is text, left to the plug-in."""
    try:
        hints = typing.get_type_hints(factory.__init__ if inspect.isclass(factory) else factory)
    except Exception:  # a plug-in's annotations may name what only a type checker knows
        return {}
    wrong = {}
    for name, value in options.items():
        hint = hints.get(name, Any)
        taken = set(typing.get_args(hint) or [hint])
        fits = type(value) in taken or (type(value) is int and float in taken)
        if taken <= {*PLAIN, NoneType} and not fits:
            wrong[name] = "must be " + " or ".join(PLAIN[each] for each in PLAIN if each in taken)
    return wrong
