"""Any octodns provider, unmodified, as one of ours: `class: octodns_powerdns.PowerDnsProvider` with octodns' own options.

A plug-in of octodns' means to own every record of a zone, remembers what it read, makes a zone that is missing, and has no
compare-and-swap. So each read and each write has an instance of its own, which sees only the types that matter here; a write
reads the zone again and stops where it moved or is not there; and only changes that are ours, looked at once more, are
handed to the plug-in. What it cannot carry unharmed is refused (`Limits.foreign`), what it does not do safely is told
(`Limits.notices`).
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import requests
from octodns.processor.base import BaseProcessor
from octodns.provider import ProviderException
from octodns.record import Record
from octodns.record.txt import TxtValue
from octodns.zone import Zone

from dnssync.core.model import Change, Foreign, Limits, Notice, ProviderError, RRset, StaleZone, Value, absolute

from . import _octodns_text, _text

T = TypeVar("T")
# Read and nothing else: of other types, what another library cannot parse would fail the whole zone.
TYPES = frozenset({"TXT", "SPF", "CNAME", "NS"})
# Plug-ins that write all changes of a zone, or at least an RRset, in one request; of others that is not known.
AT_ONCE = frozenset({"octodns_powerdns.PowerDnsBaseProvider", "octodns_bind.Rfc2136Provider"})
MIN_TTL = {"octodns_gandi.GandiProvider": 300}
SECONDS = 60  # for a request of a plug-in that sets no time-out itself
_SECRET = re.compile(r"token|secret|passw|(^|_)(api)?key$", re.IGNORECASE)


class Plugin:
    """One of ours that asks a plug-in of octodns'. `unsafe_updates`: also write RRsets that others share where the plug-in
    takes them out first and puts them in again."""

    def __init__(self, id: str, kind: type[Any], options: Mapping[str, Any], unsafe_updates: bool = False) -> None:
        self.id = id
        self._kind, self._options = kind, dict(options)
        self._path = f"{kind.__module__}.{kind.__qualname__}"
        _prepare()
        try:
            supports = frozenset(self._fresh().SUPPORTS)
        except (TypeError, ValueError, LookupError, AttributeError, ProviderException):
            raise  # options that do not fit: whoever makes the providers tells it
        except Exception:  # a network that is down makes no option wrong: reading tells it
            supports = frozenset(kind.SUPPORTS)
        known = {f"{each.__module__}.{each.__qualname__}" for each in kind.__mro__}
        at_once = bool(known & AT_ONCE)
        self.limits = Limits(
            types=supports & _text.TYPES,
            type99="SPF" in supports,
            min_ttl=max((MIN_TTL[path] for path in known & set(MIN_TTL)), default=0),
            complete=False,
            foreign=Foreign.PLAIN if at_once or unsafe_updates else Foreign.NONE,
            notices=tuple(self._notices(at_once, unsafe_updates, known)),
        )

    def __repr__(self) -> str:
        return f"octodns({self.id!r}, {self._path})"

    def _notices(self, at_once: bool, unsafe: bool, known: set[str]) -> Iterator[Notice]:
        what = f"provider {self.id} is octodns' {self._path}, which"
        yield Notice("octodns_no_swap", f"{what} cannot write under a condition: what others write to a record of dnssync's within the "
                     "moment between the last look and the write is lost.")  # fmt: skip
        if not at_once:
            shared = "are written all the same, since `unsafe_updates` says so" if unsafe else "are refused"
            yield Notice("octodns_steps", f"{what} is not known to change a record in one request: it may be missing for a moment, "
                         "and where the second step fails, until the next pass. Changes of records that hold values of others "
                         f"{shared}.")  # fmt: skip
        if "octodns_powerdns.PowerDnsBaseProvider" in known:
            yield Notice("octodns_disabled", f"{what} takes a disabled value for a live one: a value that others disabled in an RRset that "
                         "dnssync changes (the TXT of the apex, most of all) is published again. Delete such values.")  # fmt: skip

    # --- reading and writing ------------------------------------------------------------------------------------------

    def read(self, zone: str) -> tuple[RRset, ...]:
        """The RRsets of `TYPES` that the plug-in shows."""
        existing = Zone(f"{zone}.", [])
        plugin = self._ask(zone, "read", self._fresh)
        if not self._ask(zone, "read", lambda: plugin.populate(existing, target=True, lenient=True)):
            raise self._missing(zone)
        return tuple(sorted(map(_rrset, _of_types(existing)), key=lambda rrset: rrset.key))

    def write(self, zone: str, changes: Sequence[Change]) -> tuple[str, ...]:
        """All changes in one plan of octodns', made on a fresh reading; `StaleZone` where that is not what was read before."""
        changes = [change for change in changes if not _nothing(change)]
        if not changes:
            return ()
        desired = Zone(f"{zone}.", [])
        for change in changes:
            if change.new is not None:
                self._can_carry(zone, change)
                desired.add_record(_record(desired, change.new))
        plugin = self._ask(zone, "prepare to write", self._fresh)
        if getattr(plugin, "apply_disabled", False):
            raise ProviderError(
                f"{zone}: provider {self.id} has `apply_disabled: true`: octodns would write nothing. Take it out."
            )
        others = _Others("dnssync", zone, self.id, changes)
        plan = self._ask(zone, "plan for", lambda: plugin.plan(desired, processors=[others], lenient=True))
        self._looked_at(zone, plan, changes)
        self._ask(zone, "write", lambda: plugin.apply(plan))
        return ()

    def _fresh(self) -> Any:
        """An instance that remembers nothing, sees `TYPES` alone and does not wait for ever."""
        plugin = self._kind(self.id, **self._options)
        with contextlib.suppress(AttributeError):  # where it is computed, everything is parsed
            plugin.SUPPORTS = frozenset(plugin.SUPPORTS) & TYPES
        plugin.root_ns_warnings = False
        if not logging.getLogger().isEnabledFor(logging.DEBUG):
            plugin.log.setLevel(logging.CRITICAL)  # what it has to say comes in the error, or concerns others' records
        for session in _sessions(plugin):
            session.request = functools.partial(session.request, timeout=SECONDS)
        return plugin

    def _can_carry(self, zone: str, change: Change) -> None:
        """Refuse what the guard should have refused, and texts of ours that a plug-in might alter."""
        assert change.new is not None
        shared = [value for value in change.new.values if value.raw]
        where = f"{zone}: {absolute(change.name, zone)} {change.type}"
        if shared and self.limits.foreign is Foreign.NONE:
            raise ProviderError(f"{where} holds values of others, which {self._path} may lose; nothing was written. `unsafe_updates: "
                                f"true` for provider {self.id} takes that risk.")  # fmt: skip
        for value in change.new.values:
            pieces = [value.text[at : at + 255] for at in range(0, len(value.text), 255)]
            if not (value.plain if value.raw else all(Value(piece, "").plain for piece in pieces)):
                raise ProviderError(
                    f"{where}: {value.text[:60]!a} would not come through {self._path} unharmed; nothing was written."
                )

    def _looked_at(self, zone: str, plan: Any, changes: Sequence[Change]) -> None:
        """The last look at what octodns is about to do: those changes and no others, to a zone that is there."""
        if plan is not None and not plan.exists:
            raise self._missing(zone)
        wanted = {
            (c.name, c.type): c.new and (c.new.ttl, sorted(value.text for value in c.new.values)) for c in changes
        }
        planned = {}
        for change in plan.changes if plan is not None else ():
            new = change.new
            texts = new and (new.ttl, sorted(TxtValue(value).to_raw_text() for value in new.values))
            planned[change.record.name, change.record._type] = texts
        if planned != wanted:
            odd = sorted({key for key in {**planned, **wanted} if planned.get(key, ()) != wanted.get(key, ())})
            names = ", ".join(f"{absolute(name, zone)} {kind}" for name, kind in odd)
            raise ProviderError(f"{zone}: {self._path} (provider {self.id}) would do something else than dnssync planned for {names}; "
                                "nothing was written.")  # fmt: skip
        plan.meta = None

    # --- what went wrong ----------------------------------------------------------------------------------------------

    def _missing(self, zone: str) -> ProviderError:
        return ProviderError(f"{zone}: {self._path} (provider {self.id}) does not show that the zone is there. Look at its name there and "
                             "at whether the credentials may see it; no zone is ever created.")  # fmt: skip

    def _ask(self, zone: str, what: str, act: Callable[[], T]) -> T:
        try:
            return act()
        except ProviderError:
            raise
        except Exception as error:
            status = _status(error)
            passing = status in (408, 429) or status >= 500 if status else _passes(error)
            told = self._words(error)
            after = (
                " Whether anything of it was done is not known: the next pass reads the zone."
                if what == "write"
                else ""
            )
            raise ProviderError(f"{zone}: {self._path} (provider {self.id}) failed to {what} the zone with {type(error).__name__}"
                                f"{f' (HTTP {status})' if status else ''}{told}.{after}", transient=passing) from None  # fmt: skip

    def _words(self, error: Exception) -> str:
        """The plug-in's own words, unless a secret could be in them."""
        secrets = [str(value) for name, value in self._options.items() if _SECRET.search(name)]
        line = next(iter(str(error).splitlines()), "")[:200]
        hidden = not line or any(secret in str(error) for secret in secrets if secret)
        return "" if hidden else f": {line.rstrip('.')}"


class _Others(BaseProcessor):  # type: ignore[misc]  # octodns has no types
    """Looks whether the zone is what was read, and puts everything that is not ours into what is desired."""

    def __init__(self, id: str, zone: str, provider: str, changes: Sequence[Change]) -> None:
        super().__init__(id)
        self._zone, self._provider = zone, provider
        self._changes = {(change.name, change.type): change for change in changes}

    def process_source_and_target_zones(self, desired: Any, existing: Any, target: Any, lenient: bool = False) -> Any:
        """octodns' hook: its last word before it compares."""
        found = {(record.name, record._type): record for record in existing.records}
        for key, change in self._changes.items():
            now = _rrset(found[key]) if key in found else None
            where = absolute(change.name, self._zone)
            if change.old is None and (change.name, "CNAME") in found:
                raise ProviderError(f"{self._zone}: {where} is a CNAME at {self._provider}, and nothing may stand beside one; nothing was "
                                    "written.")  # fmt: skip
            if not _alike(now, change.old):
                raise StaleZone(f"{self._zone}: {where} {change.type} at {self._provider} is not what was read any more; nothing was "
                                "written.")  # fmt: skip
        for key, record in found.items():
            if key not in self._changes:
                desired.add_record(record, replace=True, lenient=True)
        return desired, existing


def adapted(kind: type[Any]) -> Callable[..., Plugin]:
    """What makes a plug-in of octodns' one of ours; its signature shows every option that the class and its bases take."""

    def make(id: str, *, unsafe_updates: bool = False, **options: Any) -> Plugin:
        return Plugin(id, kind, options, unsafe_updates)

    found = {"id": inspect.Parameter("id", inspect.Parameter.POSITIONAL_OR_KEYWORD)}
    for each in kind.__mro__:
        if "__init__" not in vars(each):
            continue
        parameters = list(inspect.signature(vars(each)["__init__"]).parameters.values())[1:]
        for parameter in parameters:
            if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                found.setdefault(parameter.name, parameter.replace(kind=parameter.POSITIONAL_OR_KEYWORD))
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            break
    found["unsafe_updates"] = inspect.Parameter(
        "unsafe_updates", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=False
    )
    ordered = sorted(found.values(), key=lambda parameter: parameter.default is not inspect.Parameter.empty)
    make.__signature__ = inspect.Signature(ordered)  # type: ignore[attr-defined]  # functions take one
    # A token of digits alone is a number in YAML, and octodns would take it for one.
    make.__annotations__ = {name: str | None for name in found if _SECRET.search(name)} | {"unsafe_updates": bool}
    return make


@functools.cache
def _prepare() -> None:
    """Once in a process: the rules of octodns' own default, and no lines about records that are none of ours."""
    Record.enable_validators(["legacy"])
    Zone.enable_zone_validators(["legacy"])
    _octodns_text.remember()
    logging.getLogger("Record").setLevel(logging.ERROR)


def _of_types(zone: Any) -> Iterator[Any]:
    return (record for record in zone.records if record._type in TYPES)


def _rrset(record: Any) -> RRset:
    if record._type in _text.TYPES:
        values = tuple(value.value() for value in record.values)
    else:
        values = tuple(Value(rdata, rdata) for rdata in record.to_rrset().rdatas)
    return RRset(record.name, record._type, record.ttl, values)


def _record(zone: Any, rrset: RRset) -> Any:
    texts = [TxtValue.normalize_raw_text(value.text) for value in rrset.values]
    return Record.new(zone, rrset.name, {"type": rrset.type, "ttl": rrset.ttl, "values": texts})


def _alike(now: RRset | None, before: RRset | None) -> bool:
    if now is None or before is None:
        return now is before
    return now.ttl == before.ttl and sorted(v.raw for v in now.values) == sorted(v.raw for v in before.values)


def _nothing(change: Change) -> bool:
    """Whether a change changes nothing: octodns would leave it out of its plan."""
    if change.old is None or change.new is None:
        return False
    texts = [sorted(value.text for value in rrset.values) for rrset in (change.old, change.new)]
    return change.old.ttl == change.new.ttl and texts[0] == texts[1]


def _sessions(thing: Any, depth: int = 2) -> Iterator[Any]:
    """The sessions of requests in a plug-in and in what it holds."""
    for each in vars(thing).values() if hasattr(thing, "__dict__") else ():
        if isinstance(each, requests.Session):
            yield each
        elif depth > 1:
            yield from _sessions(each, depth - 1)


def _passes(error: BaseException | None) -> bool:
    """Whether an error without an HTTP status is one of the network, or has one behind it; dnspython's time-out is no `OSError`."""
    while error is not None:
        if isinstance(error, (OSError, EOFError)) or any(each.__name__ == "Timeout" for each in type(error).__mro__):
            return True
        error = error.__cause__ or error.__context__
    return False


def _status(error: BaseException | None) -> int:
    """The status of the HTTP answer behind an error, 0 where there is none."""
    while error is not None:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if isinstance(status, int):
            return status
        error = error.__cause__ or error.__context__
    return 0
