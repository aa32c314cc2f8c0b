"""Numbers for Prometheus, in a file that node_exporter's textfile collector reads: written by rename after every pass.

Nothing is counted by domain or zone, since a host may have ten thousand: which one it is, `dnssync status` tells. Moments are seconds since
1970, for `time() - x` in a rule. What counts up (`…_total`) begins anew when the daemon does, rotations aside.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dnssync import __version__, checked
from dnssync.check.changes import BAD
from dnssync.check.finding import Severity
from dnssync.config import Config
from dnssync.core.ages import AGES, age, entered, overdue
from dnssync.core.attention import NOTICE, REFUSED, needs_person
from dnssync.core.model import KeyPair, Phase, zone_of
from dnssync.core.rotation import Policy, phase
from dnssync.errors import StateError
from dnssync.files import WriteError, write_atomically
from dnssync.one_pass import PassResult
from dnssync.standing import next_event
from dnssync.state import State

log = logging.getLogger("dnssync")
MODE = 0o644
RESULTS = ("ok", "failed", "refused", "waiting", "never")  # how the last pass of a zone may have ended
GOOD = "dnssync_last_good_pass_timestamp_seconds"


class Metrics(Collector):
    """Listens to passes; `write` is `files.write_atomically`."""

    def __init__(self, write: Callable[..., None] = write_atomically) -> None:
        self._write = write
        self._passes: Counter[str] = Counter()
        self._requests: Counter[tuple[str, str]] = Counter()
        self._good: float | None = None
        self._result: PassResult | None = None

    def after(self, result: PassResult) -> None:
        """Count the pass, and write the file where the configuration names one. A file that cannot be written is told and no more."""
        self._passes[_ended(result)] += 1
        for provider, counts in result.requests.items():
            self._requests.update({(provider, kind): count for kind, count in counts.items()})
        if result.error is None:
            self._good = result.ended
        path = result.config.metrics
        if path is None:
            return
        if self._good is None:
            self._good = _before(path)
        self._result = result
        registry = CollectorRegistry()
        registry.register(self)
        try:
            self._write(path, generate_latest(registry), mode=MODE)
        except (WriteError, StateError) as error:
            log.error("the metrics are not written: %s", error)

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that a registry does not collect before there is anything."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The numbers of the last pass, and those since the daemon began."""
        result = self._result
        assert result is not None  # `after` alone collects
        yield _one("dnssync_info", "1, with the version of dnssync", ("version", __version__))
        yield _gauge("dnssync_last_pass_timestamp_seconds", "When the last pass ended", result.ended)
        if self._good is not None:
            yield _gauge(GOOD, "When the last pass ended that came to its end; single zones may have failed in it", self._good)  # fmt: skip
        yield _gauge("dnssync_pass_duration_seconds", "How long the last pass took", result.ended - result.started)
        yield _counter("dnssync_passes", "Passes since the daemon began, by how they ended", "result",
                       {word: self._passes[word] for word in ("ok", "refused", "failed", "error")})  # fmt: skip
        requests = CounterMetricFamily("dnssync_api_requests", "Answers of the APIs of providers since the daemon began, by class of "
                                       "HTTP status; none: no answer came", labels=["provider", "class"])  # fmt: skip
        for (provider, kind), count in sorted(self._requests.items()):
            requests.add_metric([provider, kind], count)
        yield requests
        event = next_event(result)
        if event is not None:
            yield _gauge("dnssync_next_action_timestamp_seconds", "When a key goes on by itself next", event[0])
        if result.state is not None:
            yield from _kept(result.config, result.state, result.ended)
        yield from _checked(result.config)


def _checked(config: Config) -> Iterator[Metric]:
    """What the last daily check found; nothing where there was none."""
    kept = checked.read(config.state_directory, checked.DAILY)
    if kept is not None and config.schedule.check:
        yield _gauge("dnssync_check_timestamp_seconds", "When the set-up was checked last", kept.at)
        of = Counter(finding.severity for finding in kept.found)
        yield _gauges("dnssync_check_findings", "What the last check of the set-up found, by severity", "severity",
                      {severity.value: of[severity] for severity in Severity if severity in BAD})  # fmt: skip


def _kept(config: Config, state: State, now: int) -> Iterator[Metric]:
    """What the state knows: keys, zones, and what is said of them."""
    yield from _keys(config, state.keys(), now)
    records = state.zones()
    ended = Counter(_word(records[zone].result) if zone in records else "never" for zone in config.zones)
    yield _gauges("dnssync_zones", "Configured zones by how their last pass ended", "result", {w: ended[w] for w in RESULTS})  # fmt: skip
    rows = [row for row in state.troubles() if row.ended is None]
    for name, kind, told in (
        ("dnssync_refusals", REFUSED, "Zones that get nothing"),
        ("dnssync_notices", NOTICE, "Notices"),
    ):
        of = Counter(row.reason for row in rows if row.kind == kind)
        yield _gauges(name, f"{told} now, by the reason word of docs/operations.md", "reason", of)
    waits = [row.since for row in rows if needs_person(row.kind, row.reason)]
    yield _gauge("dnssync_needs_person", "Things that need a person now", len(waits))
    if waits:
        yield _gauge("dnssync_needs_person_since_timestamp_seconds", "Since when the oldest of them does", min(waits))


def _keys(config: Config, keys: Sequence[KeyPair], now: int) -> Iterator[Metric]:
    """How many there are in each phase, and how old they are."""
    rows = [(key, _policy(config, key)) for key in keys]
    counts = Counter((phase(key, policy, now).value, key.algorithm) for key, policy in rows)
    family = GaugeMetricFamily("dnssync_keys", "Keys by phase and algorithm; those of all time", labels=["phase", "algorithm"])  # fmt: skip
    for algorithm in sorted({key.algorithm for key in keys}):
        for each in Phase:
            family.add_metric([each.value, algorithm], counts[each.value, algorithm])
    yield family
    oldest: dict[str, float] = {}
    for key, policy in rows:
        at, since = phase(key, policy, now), entered(key, policy, now)
        if at is not Phase.REMOVED:
            oldest[at.value] = min(since, oldest.get(at.value, since))
    told = "When that key came into its phase which has been in it for longest; a phase without a key is not there"
    yield _gauges("dnssync_oldest_key_timestamp_seconds", told, "phase", oldest)
    ages = Counter(age(key, policy, now) for key, policy in rows)
    told = "Keys that sign, by how much of their time is over: up to half, more, or all of it (another one is to take its place)"
    yield _gauges("dnssync_active_keys", told, "age", {word: ages[word] for word in AGES})
    configured = [key for key in keys if zone_of(key.domain, config.zones)]  # in others no rotation is to come
    late = overdue(configured, partial(_policy, config), now)
    if late is not None:
        told = "In configured zones: when that key's time was over which signs on though its time has been over for longest"
        yield _gauge("dnssync_overdue_key_since_timestamp_seconds", told, late)
    gone = Counter(key.algorithm for key in keys if key.retired is not None)
    every = {key.algorithm: gone[key.algorithm] for key in keys}
    yield _counter("dnssync_rotations", "Keys that gave way to another one, of all time", "algorithm", every)


def _ended(result: PassResult) -> str:
    if result.error is not None:
        return "error"
    return "failed" if result.failed else "refused" if result.refused else "ok"


def _word(result: str) -> str:
    """The first word of how a zone's pass ended, as one of `RESULTS`."""
    return result.partition(":")[0].partition(" ")[0]


def _policy(config: Config, key: KeyPair) -> Policy:
    zone = zone_of(key.domain, config.zones)
    return Policy(lifetime=config.zones[zone].policy.dkim.lifetime) if zone else Policy()


def _before(path: Path) -> float | None:
    """The last good pass that an earlier daemon wrote there."""
    try:
        found = re.search(rf"^{GOOD} (\S+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        return float(found[1]) if found else None
    except (OSError, ValueError):
        return None


def _gauge(name: str, told: str, value: float) -> Metric:
    return GaugeMetricFamily(name, told, value=value)


def _one(name: str, told: str, label: tuple[str, str]) -> Metric:
    return _gauges(name, told, label[0], {label[1]: 1})


def _gauges(name: str, told: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, told, labels=[label])
    for word, value in sorted(values.items()):
        family.add_metric([word], value)
    return family


def _counter(name: str, told: str, label: str, values: Mapping[str, float]) -> Metric:
    family = CounterMetricFamily(name, told, labels=[label])
    for word, value in sorted(values.items()):
        family.add_metric([word], value)
    return family
