"""The metrics: a file that Prometheus' own parser reads, whole at every moment, right after a real pass and small on a large host."""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import attrs
import pytest
from prometheus_client.parser import text_string_to_metric_families

from dnssync import __version__, checked
from dnssync.check.finding import Finding, Severity
from dnssync.config import Config, parse
from dnssync.config_check import Schedule
from dnssync.core.decide import Decision
from dnssync.core.model import KeyPair, Phase, Refusal
from dnssync.errors import DnssyncError
from dnssync.files import write_atomically
from dnssync.metrics import Metrics
from dnssync.one_pass import PassResult
from dnssync.report import Outcome, Report
from dnssync.state import State
from dnssync.state_rows import Trouble, ZoneRecord
from tests.site_under_test import DOMAIN, Site, site

__all__ = ["site"]

ROOT = Path(__file__).parents[1]
NOW, DAY = 1_795_507_200, 86400
Labels = tuple[tuple[str, str], ...]


def read(path: Path) -> dict[tuple[str, Labels], float]:
    """Every sample of a file, by name and labels."""
    families = text_string_to_metric_families(path.read_text())
    samples = [sample for family in families for sample in family.samples]
    found = {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in samples}
    assert len(found) == len(samples), "a sample stands there twice"
    return found


def at(found: dict[tuple[str, Labels], float], name: str, **labels: str) -> float | None:
    """One sample; None where it is not there."""
    return found.get((f"dnssync_{name}", tuple(sorted(labels.items()))))


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Three zones, and a file for the numbers."""
    zones = "".join(f"  {name}.example: {{provider: p}}\n" for name in ("one", "two", "three"))
    text = f"providers: {{p: {{class: manual}}}}\nzones:\n{zones}metrics: {tmp_path}/dnssync.prom\nstate: sqlite:///{tmp_path}/state.db\n"
    return parse(text, tmp_path / "site.yaml")


def signing(domain: str, algorithm: str = "rsa2048", days: int = 10) -> KeyPair:
    """A key that signs since so many days."""
    since = NOW - days * DAY
    return KeyPair(domain, f"s{days}", algorithm, "AAAA", since, since, since, since)


@pytest.fixture
def result(config: Config) -> Iterator[PassResult]:
    """A pass of forty seconds that came to its end; the state behind it holds something of everything."""
    state = State.open(config.state)
    keys = [signing("one.example"), signing("two.example", days=30), signing("two.example", "ed25519", 5)]
    gone = [
        replace(signing("one.example", days=n), selector=f"g{n}", retired=NOW - DAY, overlap=7 * DAY)
        for n in (100, 200)
    ]
    state.save_keys([*keys, *gone, replace(signing("one.example"), selector="new", activated=None, published=None)])
    state.save_zone(ZoneRecord("one.example", NOW, NOW, "ok", 3))
    state.save_zone(ZoneRecord("two.example", NOW, NOW, "refused: two.example: a CNAME stands there", 3))
    state.save_zone(ZoneRecord("left.example", NOW, NOW, "ok", 3))  # is configured no more
    state.save_troubles(
        ["two.example", ""],
        [Trouble("two.example", "refused", "cname", "x", NOW - DAY), Trouble("", "notice", "clock", "x", NOW - 60),
         Trouble("one.example", "notice", "rsa1024", "x", NOW - 9 * DAY)],
        NOW,
    )  # fmt: skip
    over = Trouble("two.example", "refused", "spf_syntax", "x", NOW - DAY)
    state.save_troubles((), [over], NOW)
    state.told([replace(over, told="mail")])
    state.over(over.place, NOW)  # which an alert has still to tell
    yield PassResult(config, state, NOW - 40, NOW)


def test_what_is_told(result: PassResult, config: Config) -> None:
    """Keys by phase and algorithm, zones by result, what is refused and said, when it was, how long it took."""
    Metrics().after(result)
    assert config.metrics is not None
    found = read(config.metrics)

    assert at(found, "info", version=__version__) == 1
    assert at(found, "keys", phase="active", algorithm="rsa2048") == 2
    assert at(found, "keys", phase="active", algorithm="ed25519") == 1
    assert at(found, "keys", phase="retired", algorithm="rsa2048") == 2
    assert at(found, "keys", phase="published", algorithm="rsa2048") == 0
    assert sum(value for (name, _), value in found.items() if name == "dnssync_keys") == 6
    assert at(found, "rotations_total", algorithm="rsa2048") == 2
    assert at(found, "rotations_total", algorithm="ed25519") == 0
    moments = {phase: at(found, "oldest_key_timestamp_seconds", phase=phase) for phase in Phase}
    assert moments == dict.fromkeys(Phase) | {
        Phase.ACTIVE: NOW - 30 * DAY, Phase.RETIRED: NOW - DAY, Phase.GENERATED: NOW - 10 * DAY,
    }  # fmt: skip
    zones = {word: at(found, "zones", result=word) for word in ("ok", "failed", "refused", "waiting", "never")}
    assert zones == {"ok": 1, "failed": 0, "refused": 1, "waiting": 0, "never": 1}
    assert at(found, "refusals", reason="spf_syntax") is None
    assert at(found, "refusals", reason="cname") == 1 and at(found, "notices", reason="rsa1024") == 1
    assert at(found, "needs_person") == 2 and at(found, "needs_person_since_timestamp_seconds") == NOW - DAY
    assert at(found, "last_pass_timestamp_seconds") == at(found, "last_good_pass_timestamp_seconds") == NOW
    assert at(found, "pass_duration_seconds") == 40


def test_how_old_keys_are(result: PassResult, config: Config) -> None:
    """Of each phase the oldest, but of the last; of those that sign how much of their time is over, and since when a rotation is late.
    What the configuration says of a zone counts, and a key whose zone it does not name is never late."""
    state, path = result.state, config.metrics
    assert state is not None and path is not None
    Metrics().after(result)
    assert [at(read(path), "active_keys", age=age) for age in ("first_half", "second_half", "over")] == [3, 0, 0]
    assert at(read(path), "overdue_key_since_timestamp_seconds") is None

    late = replace(signing("sub.three.example"), called=NOW - 3 * DAY)
    later = replace(signing("one.example", "ed25519", 9), called=NOW - 2 * DAY)
    gone = [signing("elsewhere.test", days=500), replace(signing("elsewhere.test", days=800), removed=NOW - 700 * DAY)]
    waiting = [
        replace(signing("two.example", days=n), activated=None, published=NOW - n * DAY, season=3600) for n in (3, 4)
    ]
    state.save_keys([late, later, *gone, *waiting, signing("one.example", "rsa4096", 60)])
    Metrics().after(result)
    found = read(path)
    assert [at(found, "active_keys", age=age) for age in ("first_half", "second_half", "over")] == [3, 1, 3]
    assert at(found, "overdue_key_since_timestamp_seconds") == NOW - 3 * DAY
    assert at(found, "oldest_key_timestamp_seconds", phase="ready") == NOW - 4 * DAY + 3600
    assert at(found, "oldest_key_timestamp_seconds", phase="removed") is None
    assert at(found, "oldest_key_timestamp_seconds", phase="active") == NOW - 500 * DAY

    text = f"providers: {{p: {{class: manual}}}}\nzones: {{two.example: {{provider: p, dkim: {{lifetime: 20d}}}}}}\nmetrics: {path}\n"
    Metrics().after(replace(result, config=parse(text, config.file)))
    [found_late] = [
        value for (name, _), value in read(path).items() if name == "dnssync_overdue_key_since_timestamp_seconds"
    ]
    assert NOW - 14 * DAY <= found_late <= NOW - 10 * DAY  # of thirty days, twenty less up to a fifth were its time


def test_a_pass_that_came_to_nothing(result: PassResult, config: Config) -> None:
    """The last good one keeps its moment, also over a restart and without a state; what counts up goes on."""
    metrics, path = Metrics(), config.metrics
    assert path is not None
    metrics.after(result)
    bad = replace(result, ended=NOW + 900, started=NOW + 900, error=DnssyncError("exim is gone"), state=None)
    metrics.after(bad)
    for seen in (read(path), (Metrics().after(bad), read(path))[1]):
        assert at(seen, "last_good_pass_timestamp_seconds") == NOW
        assert at(seen, "last_pass_timestamp_seconds") == NOW + 900
        assert at(seen, "zones", result="ok") is None  # not known now, which is not nought
    metrics.after(bad)
    assert at(read(path), "passes_total", result="error") == 2 and at(read(path), "passes_total", result="ok") == 1


def test_a_pass_in_which_a_zone_failed(result: PassResult, config: Config) -> None:
    """It came to its end all the same, and counts as a good one: what needs a person has a number of its own."""
    metrics, path = Metrics(), config.metrics
    assert path is not None and result.state is not None
    decision = Decision(NOW, (), {"one.example": "one.example: no answer."}, (), {}, {}, {}, ())
    held = Outcome("two.example", "p", refusals=(Refusal("cname", "two.example: a CNAME stands there."),))
    passes: list[tuple[int, str, dict[str, Any]]] = [
        (NOW + 900, "failed", {"left_out": {"one.example": NOW + 9000}}),
        (NOW + 1800, "failed", {"report": Report(decision, (), (), ())}),
        (NOW + 2700, "refused", {"report": Report(replace(decision, failed={}), (held,), (), ())}),
    ]
    for ended, word, more in passes:
        metrics.after(replace(result, started=ended - 1, ended=ended, **more))
        found = read(path)
        assert at(found, "last_good_pass_timestamp_seconds") == at(found, "last_pass_timestamp_seconds") == ended
        assert at(found, "passes_total", result=word) and not at(found, "passes_total", result="ok")
    assert at(read(path), "passes_total", result="failed") == 2


def test_a_state_that_cannot_be_read(result: PassResult, config: Config, caplog: pytest.LogCaptureFixture) -> None:
    """It is told and no more: the file stays as it was, whose moment of the last good pass grows old."""
    metrics, path = Metrics(), config.metrics
    assert path is not None and result.state is not None
    metrics.after(result)
    before = path.read_text()
    (path.parent / "state.db").write_bytes(b"damaged" * 1000)
    with caplog.at_level(logging.ERROR, "dnssync"):
        metrics.after(replace(result, ended=NOW + 900))
    assert [r.levelname for r in caplog.records] == ["ERROR"] and "the metrics are not written: " in caplog.text
    assert "state.db" in caplog.text and path.read_text() == before


def test_what_the_apis_were_asked(result: PassResult, config: Config) -> None:
    """By provider and class of status, added up over passes."""
    metrics, path = Metrics(), config.metrics
    assert path is not None
    metrics.after(replace(result, requests={"gandi": {"2xx": 3, "4xx": 1}}))
    metrics.after(replace(result, requests={"gandi": {"2xx": 2}, "other": {"none": 1}}))

    found = {k: v for k, v in read(path).items() if k[0] == "dnssync_api_requests_total"}
    assert {tuple(value for _, value in labels): count for (_, labels), count in found.items()} == {
        ("2xx", "gandi"): 5, ("4xx", "gandi"): 1, ("none", "other"): 1,
    }  # fmt: skip


def test_what_the_daily_check_found(result: PassResult, config: Config) -> None:
    """By severity, none too; nothing before the first check, nor where there is to be none."""
    Metrics().after(result)
    assert config.metrics is not None
    assert at(read(config.metrics), "check_timestamp_seconds") is None
    found = [Finding("X-1", severity, "a", "b") for severity in (Severity.ERROR, Severity.INFO, Severity.INFO)]
    checked.write(config.state_directory, checked.DAILY, checked.Checked(NOW - 60, tuple(found)))
    Metrics().after(result)
    told = read(config.metrics)
    assert at(told, "check_timestamp_seconds") == NOW - 60
    assert {s: at(told, "check_findings", severity=s) for s in ("error", "warning", "info")} == {
        "error": 1,
        "warning": 0,
        "info": 2,
    }
    Metrics().after(replace(result, config=attrs.evolve(config, schedule=Schedule(check=0))))
    assert at(read(config.metrics), "check_timestamp_seconds") is None


def test_it_stays_small(result: PassResult, config: Config) -> None:
    """Ten thousand domains add no line: nothing is counted by name."""
    path = config.metrics
    assert path is not None and result.state is not None
    Metrics().after(result)
    before = path.read_text().count("\n")
    result.state.save_keys(signing(f"d{n}.example") for n in range(1000))
    Metrics().after(result)

    assert path.read_text().count("\n") == before < 100
    assert at(read(path), "keys", phase="active", algorithm="rsa2048") == 1002
    assert not re.search(r"\w+\.example", path.read_text())


def test_it_is_whole_at_every_moment_and_open_to_all(result: PassResult, config: Config) -> None:
    """It comes by a rename, and node_exporter, which is another user, may read it."""
    modes = []

    def write(path: Path, data: bytes, *, mode: int) -> None:
        modes.append(mode)
        assert data.endswith(b"\n")
        write_atomically(path, data, mode=mode)

    Metrics(write=write).after(result)
    assert modes == [0o644] and config.metrics is not None and config.metrics.stat().st_mode & 0o777 == 0o644


def test_nowhere_unless_asked(result: PassResult, config: Config, tmp_path: Path) -> None:
    """Without the option no file is written."""
    Metrics().after(replace(result, config=parse("providers: {p: {class: manual}}\nzones: {a.example: {provider: p}}\n", config.file)))  # fmt: skip
    assert not list(tmp_path.glob("*.prom"))


def test_a_file_that_cannot_be_written_stops_nothing(
    result: PassResult, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told, with its name and a remedy."""
    text = (
        f"providers: {{p: {{class: manual}}}}\nzones: {{a.example: {{provider: p}}}}\nmetrics: {tmp_path}/none/x.prom\n"
    )
    with caplog.at_level(logging.ERROR, "dnssync"):
        Metrics().after(replace(result, config=parse(text, tmp_path / "s.yaml")))
    assert "the metrics are not written" in caplog.text and "none/x.prom" in caplog.text and "create it" in caplog.text


@pytest.mark.bind
@pytest.mark.exim
def test_after_a_real_pass(site: Site) -> None:
    """Real exim, real BIND, `run --once`: keys that were made, the zone in order, and the moment of the next step."""
    site.config.write_text(json.dumps(json.loads(site.config.read_text()) | {"metrics": f"{site.folder}/x.prom"}))
    assert site.run("apply", "--yes")[0] == 0
    site.now += 900
    code, out = site.run("run", "--once")
    assert code == 0, out
    found = read(site.folder / "x.prom")

    made = sum(at(found, "keys", phase="generated", algorithm=name) or 0 for name in ("rsa2048", "ed25519"))
    assert made == 2 and at(found, "zones", result="ok") == 1, found
    due = at(found, "next_action_timestamp_seconds")
    assert due is not None and site.now < due < site.now + DAY and math.isfinite(due)
    assert DOMAIN not in (site.folder / "x.prom").read_text()


def test_the_page_knows_every_number(result: PassResult, config: Config) -> None:
    """docs/operations.md has a row for each of them, and for no other."""
    Metrics().after(replace(result, requests={"p": {"2xx": 1}}))
    assert config.metrics is not None
    names = set(re.findall(r"^# TYPE (\w+)", config.metrics.read_text(), re.MULTILINE)) | {
        "dnssync_next_action_timestamp_seconds", "dnssync_overdue_key_since_timestamp_seconds", "dnssync_check_timestamp_seconds",
        "dnssync_check_findings",
    }  # fmt: skip
    rows = set(re.findall(r"^\| `(dnssync_\w+)", (ROOT / "docs/operations.md").read_text(), re.MULTILINE))

    assert rows == names
    assert {phase.value for phase in Phase} == {dict(labels)["phase"] for (name, labels) in read(config.metrics) if name == "dnssync_keys"}  # fmt: skip


@pytest.mark.parametrize(
    "ending", [lambda r: replace(r, error=DnssyncError("x")), lambda r: replace(r, left_out={"a": 1}), lambda r: r]
)
def test_how_a_pass_ended(result: PassResult, config: Config, ending: Callable[[PassResult], PassResult]) -> None:
    """As a whole, in one of its zones, or well."""
    Metrics().after(ending(result))
    assert config.metrics is not None
    found = read(config.metrics)
    ended = {word for word in ("ok", "refused", "failed", "error") if at(found, "passes_total", result=word)}
    changed = ending(result)
    assert ended == {"error" if changed.error else "failed" if changed.left_out else "ok"}
