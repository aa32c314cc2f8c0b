"""The log of the daemon: one line an event, with its priority or its time, quiet where nothing happens, without a secret."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from dnssync_providers.gandi import Provider

from dnssync import logs
from dnssync.core.model import ProviderError
from tests.gandi import Gandi
from tests.http_faults import Answer, Fault

log = logging.getLogger("dnssync")
AT = 1_700_000_000.0  # 2023-11-14T22:13:20Z


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """The logging of this process is what it was."""
    root = logging.getLogger()
    handlers, levels = root.handlers[:], (root.level, log.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    log.setLevel(levels[1])


def record(message: str, *args: object, level: int = logging.ERROR, at: float = AT, name: str = "dnssync") -> None:
    """Something that is logged at a given time."""
    made = logging.getLogger(name).makeRecord(name, level, "", 0, message, args, None)
    made.created = at
    if logging.getLogger(name).isEnabledFor(level):
        logging.getLogger(name).handle(made)


def told(*events: tuple[object, ...], **options: bool) -> list[str]:
    """The lines of these events: level, message and its arguments."""
    stream = io.StringIO()
    logs.begin(stream=stream, environ={}, **options)
    for level, message, *args in events:
        record(str(message), *args, level=int(str(level)))
    return stream.getvalue().splitlines()


def test_a_line_has_its_time_and_level() -> None:
    """Elsewhere than in the journal: UTC, to the second, as RFC 3339 writes it."""
    assert told((logging.INFO, "zone=%s name=%s create because=%s", "a.example", "x", "it is new")) == [
        "2023-11-14T22:13:20Z info zone=a.example name=x create because=it is new"
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a.yaml: keys: one\na.yaml: zones: two\n", "a.yaml: keys: one | a.yaml: zones: two"),
        ("enter this:\n\n    x. 60 IN TXT \"v\"\n", 'enter this: | x. 60 IN TXT "v"'),
        ("\x1b[2J\x07red\x9b", "\\x1b[2J\\x07red\\x9b"),
        ("a\x00b\u2028c\rd", "a\\x00b | c | d"),
    ],
)  # fmt: skip
def test_an_event_is_one_line(text: str, line: str) -> None:
    """Whatever its sentence holds; what a terminal would obey is spelled out, so that nobody forges a line."""
    [got] = told((logging.ERROR, "%s", text))
    assert got == f"2023-11-14T22:13:20Z error {line}"
    [again] = told((logging.ERROR, "%s", text), as_json=True)
    assert json.loads(again)["message"] == line


def test_json_has_the_fields_of_the_message() -> None:
    """What stands at the edges of a message as `name=value` is a field of the object; in between stands the message."""
    lines = told(
        (logging.INFO, "zone=%s name=%s type=TXT create because=%s", "a.example", "x.a.example", "zone=b has none"),
        (logging.ERROR, "zone= failed=pass exim is gone: see x=y"),
        (logging.WARNING, "nothing=here but text"),
        (logging.INFO, "because=of nothing"),
        as_json=True,
    )
    base = {"time": "2023-11-14T22:13:20Z"}
    assert [json.loads(line) for line in lines] == [
        base | {"level": "info", "zone": "a.example", "name": "x.a.example", "type": "TXT", "message": "create",
                "because": "zone=b has none"},
        base | {"level": "error", "zone": "", "failed": "pass", "message": "exim is gone: see x=y"},
        base | {"level": "warning", "nothing": "here", "message": "but text"},
        base | {"level": "info", "message": "", "because": "of nothing"},
    ]  # fmt: skip


def test_how_much_is_told() -> None:
    """Steps only where they were asked for, changes unless only trouble was; others' libraries when they warn."""
    events = [(level, logging.getLevelName(level)) for level in (logging.DEBUG, logging.INFO, logging.WARNING)]

    assert [line.split()[-1] for line in told(*events)] == ["INFO", "WARNING"]
    assert [line.split()[-1] for line in told(*events, verbose=True)] == ["DEBUG", "INFO", "WARNING"]
    assert [line.split()[-1] for line in told(*events, quiet=True)] == ["WARNING"]
    stream = io.StringIO()
    logs.begin(stream=stream, environ={})
    for name in ("urllib3.connectionpool", "apscheduler.scheduler", "octodns"):
        record("info of %s", name, level=logging.INFO, name=name)
        record("warning of %s", name, level=logging.WARNING, name=name)
    assert [line.partition(" warning ")[2] for line in stream.getvalue().splitlines()] == [
        "warning of apscheduler.scheduler", "warning of octodns",
    ]  # fmt: skip


def test_what_goes_on_is_told_every_six_hours() -> None:
    """The same error at every pass of a day is five lines, and a change is told as often as it happens."""
    stream = io.StringIO()
    logs.begin(stream=stream, environ={})
    for quarter in range(96 + 1):
        at = AT + quarter * 900
        record("zone=%s the provider does not answer", "a.example", at=at)
        record("zone=%s written", "b.example", level=logging.INFO, at=at)
    lines = stream.getvalue().splitlines()

    assert [line[:20] for line in lines if "a.example" in line] == [
        "2023-11-14T22:13:20Z", "2023-11-15T04:13:20Z", "2023-11-15T10:13:20Z", "2023-11-15T16:13:20Z", "2023-11-15T22:13:20Z",
    ]  # fmt: skip
    assert len([line for line in lines if "b.example" in line]) == 97


def test_another_error_is_told_at_once() -> None:
    """What differs is another event, whoever said what before; a clock that goes back silences nothing, and verbose tells all."""
    stream = io.StringIO()
    logs.begin(stream=stream, environ={})
    record("one")
    record("two")
    record("one", level=logging.WARNING)
    record("one", at=AT - 10)
    assert len(stream.getvalue().splitlines()) == 4
    assert len(told((logging.ERROR, "one"), (logging.ERROR, "one"), verbose=True)) == 2


def test_what_is_told_always_and_what_seldom() -> None:
    """The answer to what a person did is told each time; what goes on is told once in a while, though it is no warning."""
    repeats = logs.Repeats()

    def passes(level: int, **extra: bool) -> list[bool]:
        return [
            repeats.filter(log.makeRecord("dnssync", level, "", 0, "said", (), None, extra=extra)) for _ in range(3)
        ]

    assert passes(logging.ERROR) == [True, False, False] and passes(logging.ERROR, always=True) == [True] * 3
    assert passes(logging.INFO) == [True] * 3 and passes(logging.INFO, seldom=True) == [True, False, False]


def test_memory_of_what_was_told_has_an_end() -> None:
    """A thousand zones with a sentence each that is always another do not fill the memory of a year."""
    repeats = logs.Repeats()
    for number in range(logs.KEPT + 10):
        assert repeats.filter(log.makeRecord("dnssync", logging.ERROR, "", 0, f"error {number}", (), None))
    assert len(repeats._told) == logs.KEPT


def test_what_goes_on_is_remembered_longest() -> None:
    """What was told again lately is not forgotten for what was told once, long ago: it stays rare."""
    repeats = logs.Repeats()

    def told(text: str, at: float) -> bool:
        made = log.makeRecord("dnssync", logging.ERROR, "", 0, text, (), None)
        made.created = at
        return repeats.filter(made)

    assert told("goes on", AT)
    assert all(told(f"error {number}", AT) for number in range(logs.KEPT - 1))
    again = AT + logs.AGAIN
    assert told("goes on", again) and told("a new one", again)
    assert not told("goes on", again + 900) and not told("a new one", again + 900)
    assert told("error 0", again - 1)  # which was forgotten in their place, hours before it would be told again


def test_the_journal_gets_priorities(tmp_path: Path) -> None:
    """Where standard error is what systemd connected to the journal, and only there: a priority before the line, and no time."""
    code = (
        "import logging, os, sys; from dnssync import logs\n"
        "there = os.fstat(2); kind = sys.argv[1]\n"
        "logs.begin(environ={'JOURNAL_STREAM': f'{there.st_dev}:{there.st_ino + (kind == \"other\")}'}, "
        "as_json=kind == 'json', verbose=True)\n"
        "log = logging.getLogger('dnssync')\n"
        "for level in (10, 20, 30, 40, 50): log.log(level, 'zone=a.example two\\nlines')\n"
    )

    def run(kind: str) -> list[str]:
        done = subprocess.run([sys.executable, "-c", code, kind], stderr=subprocess.PIPE, text=True, check=True)
        return done.stderr.splitlines()

    assert run("journal") == [f"<{n}>zone=a.example two | lines" for n in (7, 6, 4, 3, 2)]
    assert [line[:3] for line in run("json")] == ["<7>", "<6>", "<4>", "<3>", "<2>"]
    assert json.loads(run("json")[0][3:])["zone"] == "a.example"
    assert all(line.startswith("20") and "Z " in line for line in run("other"))


def test_a_log_that_is_full_ends_nothing() -> None:
    """Neither an error nor a traceback comes of it."""
    code = (
        "import logging; from dnssync import logs\n"
        "logs.begin(environ={}, stream=open('/dev/full', 'w')); logging.getLogger('dnssync').error('x'); print('on')\n"
        "import os; os._exit(0)"
    )
    done = subprocess.run([sys.executable, "-u", "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("on\n", "")
    closed = io.StringIO()
    logs.begin(stream=closed, environ={})
    closed.close()
    record("two")


def test_beginning_again_doubles_nothing() -> None:
    """One handler, whoever begins twice."""
    stream = io.StringIO()
    for _ in range(2):
        logs.begin(stream=stream, environ={})
    record("one")
    assert len(stream.getvalue().splitlines()) == 1


def test_no_secret_is_in_it() -> None:
    """A provider that fails in every way it can, at the most talkative: its token is nowhere."""
    stream = io.StringIO()
    logs.begin(stream=stream, environ={}, verbose=True)
    logging.getLogger().setLevel(logging.DEBUG)
    with Gandi({"example.org": []}) as gandi:
        gandi.faults += [Fault(answer=Answer(status, {"message": f"no {gandi.token}"})) for status in (401, 500, 403)]
        for _ in range(4):
            provider = Provider("gandi", token=gandi.token, endpoint=gandi.endpoint, sleep=lambda seconds: None)
            try:
                provider.read("example.org")
            except ProviderError as error:
                log.error("zone=example.org %s", error, exc_info=True)
        log.debug("%r", provider)
    text = stream.getvalue()
    assert "example.org" in text and "(secret)" in text and gandi.token not in text


@pytest.mark.parametrize(("options", "line"), [((), "critical "), (("--log-json",), '"level": "critical"')])
def test_a_daemon_that_cannot_begin_tells_the_log(tmp_path: Path, options: tuple[str, ...], line: str) -> None:
    """What the journal shows of it has a priority, and the exit code is that of the mistake; a terminal gets a line a mistake."""
    config = tmp_path / "site.yaml"
    config.write_text("keys: keys\n")
    log_file = tmp_path / "log"
    with log_file.open("w") as stderr:
        there = os.fstat(stderr.fileno())
        environ = {**os.environ, "JOURNAL_STREAM": f"{there.st_dev}:{there.st_ino}" if not options else ""}
        command = [sys.executable, "-c", "from dnssync.cli import main; main()", "-c", config, "run", *options]
        assert subprocess.run(command, stderr=stderr, env=environ).returncode == 78
    [got] = log_file.read_text().splitlines()
    assert (
        (line in got or got.startswith("<2>"))
        and "keys: must be an absolute path" in got
        and "zones: is missing" in got
    )
