"""`status` beside the alerts: what stands in the way of a zone is told whole, in the same words, and once."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from dnssync import identity
from dnssync.cli import run
from dnssync.cli.context import Context
from dnssync.core.durations import moment
from dnssync.state import State, ZoneRecord
from dnssync.state_rows import ProviderTry, Trouble
from tests.alerted import CNAME, HOUR, NOW, Host

TWICE = Trouble("one.example", "refused", "two_records", "one.example TXT: 2 SPF records stand there. Delete one.", NOW, subject="one.example")  # fmt: skip
POLICY = Trouble("one.example", "refused", "two_records", "_dmarc.one.example TXT: 2 DMARC records stand there. Delete one.", NOW, subject="_dmarc.one.example")  # fmt: skip
DOWN = Trouble("one.example", "failed", "unread", "reading the zone: it is down.", NOW + HOUR)
CLOCK = Trouble("", "notice", "clock", "Jumped.", NOW)
PASS = Trouble("", "failed", "pass", "exim cannot be asked.", NOW)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host whose passes the test makes up, with its configuration in a file."""
    made = Host(tmp_path)
    text = {
        "providers": {"p": {"class": "manual"}},
        "zones": {name: {"provider": "p"} for name in made.config.zones},
        "state": made.config.state,
        "keys": str(tmp_path / "keys"),
        "exim": {"map": str(tmp_path / "selectors")},
    }
    (tmp_path / "site.yaml").write_text(json.dumps(text))
    made.state = State.open(made.config.state, host=identity.rows(tmp_path / "keys"))
    return made


def status(host: Host) -> tuple[int, str]:
    """The exit code, and what is shown, as one line."""
    out = io.StringIO()
    context = Context(now=lambda: host.now, environ={}, stdin=io.StringIO(), stdout=out, stderr=out)
    code = run(["-c", str(host.folder / "site.yaml"), "status"], context)
    return code, " ".join(out.getvalue().split()).replace(f"-c {host.folder}/site.yaml ", "")


def test_all_that_an_alert_tells(host: Host) -> None:
    """Two refusals of a zone under one word, another under its own, the host's trouble and its notice: each with since when and its word."""
    host.state.save_zone(ZoneRecord("one.example", NOW, NOW, f"refused: {TWICE.sentence}", 3))
    said = (CNAME, TWICE, POLICY, CLOCK, PASS)
    host.say(*said)
    host.say(*said, hours=7)
    [(_, _, mail)] = host.post.mails
    paragraphs = mail.get_content().split("\n\n")[1:-1]
    assert len(paragraphs) == 5 and all(" (since 2026-11-24 00:00 UTC) [" in text for text in paragraphs)
    code, shown = status(host)
    assert code == 1 and all(shown.count(text) == 1 for text in paragraphs), shown
    assert all(shown.count(row.sentence) == 1 for row in said)


def test_what_stands_while_the_provider_fails(host: Host) -> None:
    """The failure first, and the refusals that nobody could look at; how the pass ended is not told a second time."""
    host.say(TWICE, POLICY)
    host.say(DOWN, TWICE, POLICY, hours=1)
    host.state.save_zone(ZoneRecord("one.example", NOW, host.now, f"failed: {DOWN.sentence}", 3, 1, host.now + HOUR))
    code, shown = status(host)
    assert code == 1 and shown.count(DOWN.sentence) == 1
    at = [shown.index(text) for text in (
        "failed: one.example: reading the zone: it is down. (since 2026-11-24 01:00 UTC) [unread]",
        f"refused: {POLICY.sentence} (since 2026-11-24 00:00 UTC) [two_records]",
        f"refused: {TWICE.sentence} (since 2026-11-24 00:00 UTC) [two_records]",
        f"It is tried again from {moment(host.now + HOUR)} on; `dnssync apply one.example` does not wait",
    )]  # fmt: skip
    assert at == sorted(at), shown


def test_when_a_provider_is_tried_again(host: Host) -> None:
    """One of several is named with its time; what is due says nothing."""
    for zone in ("one.example", "two.example"):
        host.state.save_zone(ZoneRecord(zone, NOW, NOW, "failed: it is down", 3))
    host.state.save_tries(["one.example"], [ProviderTry("one.example", "second", 1, NOW + HOUR, "down")])
    host.state.save_tries(["two.example"], [ProviderTry("two.example", "second", 1, NOW, "down")])
    shown = status(host)[1]
    assert f"second is tried again from {moment(NOW + HOUR)} on; `dnssync apply one.example` does not wait" in shown
    assert shown.count("tried again") == 1


def test_a_state_that_knows_the_result_alone(host: Host) -> None:
    """Where no trouble is kept, how the last pass ended is told as it was noted."""
    host.state.save_zone(ZoneRecord("one.example", NOW, NOW, f"refused: {CNAME.sentence}", 3))
    code, shown = status(host)
    assert code == 1 and shown.count(f"refused: {CNAME.sentence}") == 1
