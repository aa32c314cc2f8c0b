"""Providers made from their options: each by entry-point name or dotted path, with every mistake that is in them.

Nothing of a plug-in is imported before this is asked for, and a plug-in may be anybody's: importing and making it runs
their code, so whatever it raises becomes a mistake here, in our words where theirs could hold a secret.
"""

from __future__ import annotations

import importlib
import inspect
import time
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import entry_points
from types import NoneType
from typing import TYPE_CHECKING, Any, cast

from dnssync.core.model import Provider, ProviderError
from dnssync.errors import ConfigError

if TYPE_CHECKING:
    from dnssync.config import ProviderConfig

GROUP = "dnssync.providers"
PLAIN = {str: "text (a number or a date in quotes)", int: "a whole number", float: "a number", bool: "true or false"}


class _NotFound(Exception):
    """A class that is not there; the sentence says which are."""


Sleep = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Made:
    """A plug-in, and what makes `another` of the same options: nothing is read or resolved again for it."""

    plugin: Provider
    another: Callable[[], Provider]


def build(
    providers: Mapping[str, ProviderConfig], resolve: Callable[[str], str]
) -> tuple[dict[str, Provider], list[str]]:
    """The providers by name, and every mistake in all of them; see `makers`."""
    made, mistakes = makers(providers, resolve, lambda name: time.sleep)
    return {name: one.plugin for name, one in made.items()}, mistakes


def makers(
    providers: Mapping[str, ProviderConfig], resolve: Callable[[str], str], sleep: Callable[[str], Sleep]
) -> tuple[dict[str, Made], list[str]]:
    """The providers by name, and every mistake in all of them, each `path: sentence`. `resolve` gives the secret that an
    option names, or raises `ConfigError`; `sleep` has, by name, what those wait with that take such a thing by keyword."""
    made: dict[str, Made] = {}
    mistakes: list[str] = []
    for name, provider in providers.items():
        if not provider.class_:
            continue  # that it is missing was told where the file was read
        plugin, wrong = _made(provider, resolve, sleep(name))
        if plugin is not None:
            made[name] = plugin
        mistakes += [f"providers.{name}{mistake}" for mistake in wrong]
    return made, mistakes


def _made(provider: ProviderConfig, resolve: Callable[[str], str], sleep: Sleep) -> tuple[Made | None, list[str]]:
    """The plug-in, or what is wrong with it: each mistake begins behind the provider's own path."""
    wrong: list[str] = []
    options: dict[str, Any] = {}
    for name, value in provider.options.items():
        try:
            options[name] = resolve(value) if isinstance(value, str) else value
        except ConfigError as error:
            wrong += [f".{name}: {mistake}" for mistake in error.mistakes]
    try:
        factory = _factory(provider.class_)
    except _NotFound as error:
        return None, [f".class: {error}", *wrong]
    as_written = {name: value for name, value in options.items() if value == provider.options[name]}
    misfits = _misfits(factory, provider.options) | _mistyped(factory, as_written)
    wrong += [f".{option}: {told}" for option, told in misfits.items()]
    if wrong:
        return None, wrong
    try:
        by_keyword = inspect.signature(factory).parameters.get("sleep")
        patience = {"sleep": sleep} if by_keyword is not None and by_keyword.kind is by_keyword.KEYWORD_ONLY else {}
        another = partial(factory, provider.name, **options, **patience)
        plugin = another()
        plugin.limits  # noqa: B018 - what has none is no provider
        return Made(plugin, another), []
    except ProviderError as error:
        # A line is a mistake; what begins with an option's name is told under that option's path.
        return None, [
            f".{line}" if line.partition(": ")[0] in _known(factory) else f": {line}"
            for line in str(error).splitlines()
        ]
    except Exception as error:  # its words are not shown, since they may hold an option's secret
        return None, [f": {provider.class_} cannot be made of these options ({type(error).__name__})"]


def _factory(name: str) -> Callable[..., Provider]:
    found = entry_points(group=GROUP)
    module, _, attribute = name.rpartition(".")
    if name not in found.names and not module:
        known = ", ".join(sorted(found.names))
        raise _NotFound(f"{name!r} is none of {known}, nor a dotted path such as my_package.MyProvider")
    try:
        factory = found[name].load() if name in found.names else getattr(importlib.import_module(module), attribute)
    except Exception as error:  # importing runs anybody's code
        told = f"{name} cannot be loaded: {error or type(error).__name__}. Install its package in dnssync's environment"
        raise _NotFound(told) from error
    if not callable(factory):
        raise _NotFound(f"{name} is no class")
    if "octodns.provider.base" in {each.__module__ for each in getattr(factory, "__mro__", ())}:
        factory = importlib.import_module("dnssync_providers._octodns").adapted(factory)
    return cast(Callable[..., Provider], factory)


def _known(factory: Callable[..., Any]) -> list[str]:
    """The options of a plug-in. What it takes by keyword alone (a clock, a way to run commands) is no option: nobody can
    write it in YAML."""
    parameters = inspect.signature(factory).parameters
    return [n for n, p in parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD and n not in ("id", "self")]


def _misfits(factory: Callable[..., Any], options: Mapping[str, Any]) -> dict[str, str]:
    """Options that the plug-in does not know, and those that it needs and does not get."""
    parameters = inspect.signature(factory).parameters
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    known = _known(factory)
    wrong = {
        n: f"is no option of this provider; it has {', '.join(known) or 'none'}"
        for n in options
        if n not in known and not takes_any
    }
    for name in known:
        if parameters[name].default is inspect.Parameter.empty and name not in options:
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
