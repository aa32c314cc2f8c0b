"""From the log: what a real exim wrote, beside what is known; each finding in a world where it fires, and in the nearest where it does not."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from dnssync.check import from_log, log_table
from dnssync.check.facts import Failed
from dnssync.check.from_log import Signed
from dnssync.check.gather import Sources, fetch
from dnssync.check.gather_log import _closed, log_files
from dnssync.check.log_lines import Log, Logged, Sent
from dnssync.core.host import Address, Host, MailDomain, Signer, Transport
from dnssync.core.model import to_json
from dnssync.exim.macros import render
from tests.check.world import World
from tests.exim_host import EximHost
from tests.exim_told import told

ZONES = {"signed.test": "", "unsigned.test": "", "other.test": ""}
MESSAGE = b"From: A <a@%s>\nTo: x@dest.test\nSubject: x\n\nhi\n"


def mail(name: str, *selectors: str, problem: str = "", **changes: object) -> MailDomain:
    """A domain whose mail leaves through remote_smtp, which signs it with these selectors through the map."""
    signers = tuple(Signer(name, s, f"/k/{s}", problem=problem) for s in selectors)
    way = Transport("remote_smtp", {"dkim_domain": "x"}, True, True, 604800, signers)
    fields: dict[str, object] = {"addresses": (Address("192.0.2.1", "x"),), "transports": (way,), **changes}
    return MailDomain(name, **fields)  # type: ignore[arg-type]


def host(*mails: MailDomain) -> Host:
    """What exim told of these domains."""
    return Host("mx.signed.test", "4.98", "/exim.conf", ("mx.signed.test",), mails)


def log(*rows: Sent, **more: object) -> Logged:
    """A log that was read."""
    return Logged("2026-11-22 00:00:00", ("/log/mainlog",), rows, **more)  # type: ignore[arg-type]


def sent(domain: str, transport: str = "remote_smtp", *, own: bool = True, messages: int = 3, **more: object) -> Sent:
    """A row of the log."""
    return Sent(domain, own, transport, messages=messages, **more)  # type: ignore[arg-type]


def world(folder: Path, told: Host, *rows: Sent, zones: dict[str, str] | None = None, **more: object) -> World:
    """A world whose log has these rows."""
    return World(folder, zones or ZONES, host=told, have={Log(): log(*rows)}, **more)  # type: ignore[arg-type]


def of(found: World, check: str) -> dict[str, str]:
    """The severities of a check by subject."""
    return {finding.subject: str(finding.severity) for finding in found.findings(check)}


BOTH = host(mail("signed.test", "s1"), mail("unsigned.test"))


def test_mail_that_left_unsigned(tmp_path: Path) -> None:
    """LOG-01: what exim would not sign as things stand, beside what it would; that this is a judgement is said."""
    found = world(tmp_path, BOTH, sent("signed.test"), sent("unsigned.test"))
    assert of(found, "LOG-01") == {"signed.test": "ok", "unsigned.test": "warning"}
    [finding] = [f for f in found.findings("LOG-01") if f.subject == "unsigned.test"]
    assert "3 messages of unsigned.test left" in finding.message and "as far as can be told" in finding.message
    assert "EXIM-07" in finding.remedy


@pytest.mark.parametrize(
    ("told", "row", "severity"),
    [
        (host(mail("signed.test", "s1")), sent("signed.test", bare=1), "warning"),
        (host(mail("signed.test")), sent("signed.test", selected={"signed.test:s1": 3}), "ok"),
        (host(mail("signed.test", "s1", problem="/k/s1: no such file")), sent("signed.test"), "warning"),
        (host(mail("signed.test", "s1")), sent("signed.test", "gone_smtp"), "unknown"),
        (host(mail("signed.test", transports=(Transport("remote_smtp", {"dkim_domain": "x"}, problem="exim cannot work it out."),))), sent("signed.test"), "unknown"),
        (host(mail("signed.test")), sent("signed.test", own=False), "ok"),
        (host(mail("unsigned.test", "s1")), sent("sub.unsigned.test"), "warning"),
        (host(mail("signed.test", "s1")), sent("sub.signed.test"), "ok"),
        (host(mail("signed.test", transports=(Transport("smarthost"),))), sent("foreign.example", "smarthost"), "warning"),
    ],
    ids=["named-none", "named", "key-lost", "transport-gone", "not-told", "passed-through", "sub-of-unmapped", "sub-of-mapped", "signs-nothing"],
)  # fmt: skip
def test_how_signing_is_judged(tmp_path: Path, told: Host, row: Sent, severity: str) -> None:
    """LOG-01: the log's own word first, then what exim would do now for that domain and transport; what nobody knows is unknown."""
    found = world(tmp_path, told, row, observed={"map": {"signed.test": ("s1",)}})
    assert of(found, "LOG-01") == {row.domain: severity}


def test_a_domain_that_no_zone_covers(tmp_path: Path) -> None:
    """LOG-02: handed in here, and not looked after; what others sent and what only passed through is not told."""
    found = world(tmp_path, BOTH, sent("a.signed.test"), sent("foreign.example"), sent("passing.example", own=False))
    assert of(found, "LOG-02") == {"a.signed.test": "ok", "foreign.example": "warning"}


def test_an_address_that_spf_does_not_pass(tmp_path: Path) -> None:
    """LOG-03: the address in the record, one that is not, one behind NAT, none, and a relay's."""
    spf = dict.fromkeys(
        ("in.test", "out.test", "nat.test", "bare.test", "relayed.test", "none.test"),
        '@ TXT "v=spf1 ip4:192.0.2.1 -all"\n',
    )
    spf["none.test"] = ""
    ours = host(
        *(mail(name, "s1") for name in spf if name != "relayed.test"),
        mail("relayed.test", "s1", addresses=(), smarthosts=("relay.example",)),
        mail("both.test", "s1", smarthosts=("relay.example",)),
    )
    spf["both.test"] = spf["out.test"]
    rows = [
        sent("in.test", addresses={"192.0.2.1": 3}),
        sent("out.test", addresses={"192.0.2.1": 2, "192.0.2.9": 1}),
        sent("nat.test", addresses={"10.0.0.9": 3, "fd00::1": 1}),
        sent("bare.test"),
        sent("relayed.test", addresses={"192.0.2.9": 3}),
        sent("none.test", addresses={"192.0.2.1": 3}),
        sent("both.test", addresses={"192.0.2.1": 3, "192.0.2.9": 1}),
        sent("foreign.example", addresses={"192.0.2.9": 3}),
    ]
    with world(tmp_path, ours, *rows, zones=spf) as found:
        assert of(found, "LOG-03") == {
            "in.test": "ok", "out.test": "error", "none.test": "error", "both.test": "unknown",
        }  # fmt: skip
        [finding] = [f for f in found.findings("LOG-03") if f.subject == "out.test"]
        assert "1 message from out.test left from 192.0.2.9, and SPF of out.test says fail" in finding.message
        assert "ip4:192.0.2.9" in finding.remedy
        found.bind.stop()
        assert of(found, "LOG-03") == dict.fromkeys(("in.test", "out.test", "none.test", "both.test"), "unknown")


def test_a_log_that_tells_nothing(tmp_path: Path) -> None:
    """No mail in a week is no finding; a log that cannot be read is unknown, in all three."""
    empty = world(tmp_path, BOTH)
    assert [of(empty, f"LOG-0{n}") for n in (1, 2, 3)] == [{"mx.signed.test": "ok"}, {"mx.signed.test": "ok"}, {}]
    closed = World(tmp_path, ZONES, host=BOTH, have={Log(): Failed("/log/mainlog may not be read")})
    for n in (1, 2, 3):
        [(severity, message)] = closed.said(f"LOG-0{n}")
        assert (str(severity), message) == ("unknown", "/log/mainlog may not be read.")


def test_a_filter_is_no_way_out(tmp_path: Path) -> None:
    """What goes to a filter on this machine left by no means; a tunnel that the routers know as the only way did."""
    filtered = world(tmp_path, BOTH, sent("signed.test"), sent("signed.test", "filter", here=True))
    [row] = from_log.report(filtered.facts(), log(sent("signed.test"), sent("signed.test", "filter", here=True))).rows
    assert (row.messages, dict(row.transports), row.signed) == (3, {"remote_smtp": 3}, Signed.WOULD)
    [row] = from_log.report(filtered.facts(), log(sent("signed.test", here=True))).rows
    assert row.messages == 3


def test_the_table(tmp_path: Path) -> None:
    """A line a domain, the most mail first; what stands beside it is counted, and all of it can be JSON."""
    rows = [
        sent("signed.test", addresses={"192.0.2.1": 2}, messages=2), sent("unsigned.test", messages=9), sent("x\x1b[2J.example"),
        sent("passing.example", own=False, messages=4), sent("", messages=1), sent("?", messages=5),
    ]  # fmt: skip
    facts = world(tmp_path, BOTH).facts()
    told = from_log.report(
        facts,
        log(
            *rows,
            oldest="2026-11-22 01:00:00",
            newest="2026-11-29 01:00:00",
            notes=("/log/mainlog.2.gz cannot be read.",),
        ),
    )
    lines = log_table.lines(told)
    assert lines[0].startswith("24 messages left this host from 2026-11-22 01:00:00 to 2026-11-29 01:00:00")
    assert [line.split()[:2] for line in lines[1:5]] == [
        ["domain", "messages"],
        ["unsigned.test", "9"],
        ["x?[2J.example", "3"],
        ["signed.test", "2"],
    ]
    assert (
        "192.0.2.1" in lines[4]
        and "would be: as things stand, with s1" in lines[4]
        and lines[4].endswith("signed.test")
    )
    assert [line.split()[0] for line in lines[5:]] == ["4", "1", "5", "/log/mainlog.2.gz"]
    bare = log_table.lines(from_log.report(facts, log(sent("signed.test"))))
    assert "log_selector = +incoming_interface" in bare[-1] and not any("log_selector" in line for line in lines)
    again = json.loads(json.dumps(to_json(told)))
    assert again["rows"][0]["domain"] == "unsigned.test" and again["rows"][0]["signed"] == "no" and again["passed"] == 4


# --- a real exim ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exim() -> Iterator[EximHost]:
    """An internet host that has sent a message for each of two domains, one of which its map holds, and a bounce; it tells its address."""
    selector = "MAIN_LOG_SELECTOR = +smtp_protocol_error +incoming_interface +outgoing_port\n"
    with EximHost(hostnames=("signed.test", "unsigned.test"), hostname="mx.signed.test", extra=selector) as made:
        made.macros(render(made.map, made.keys, strict=False))
        made.map.write_text("signed.test: s1\n")
        made.render()
        for domain in ("signed.test", "unsigned.test", "foreign.example"):
            made.send(MESSAGE % domain.encode(), sender=f"a@{domain}", to=("x@dest.test", "y@dest.test"))
        made.send(MESSAGE % b"foreign.test", sender="a@passing.example", options=("-oMa", "203.0.113.5"))
        made.send(MESSAGE % b"signed.test", sender="")
        yield made


def read(exim: EximHost, **more: object) -> Logged | object:
    """What the wish for this exim's log comes to."""
    config = World(exim.folder, {"signed.test": ""}).config()
    sources = Sources(config, World(exim.folder, {}).resolver(), exim.exim(), **more)  # type: ignore[arg-type]
    return fetch(sources, [Log()])[Log()]


@pytest.mark.exim
def test_the_log_of_a_real_exim(exim: EximHost) -> None:
    """4.96's own lines: who sent what, from where, what passed through, and what has no sender."""
    found = read(exim)
    assert isinstance(found, Logged), found
    rows = {row.domain: row for row in found.rows}
    assert rows.keys() == {"signed.test", "unsigned.test", "foreign.example", "passing.example", ""}
    assert rows["signed.test"] == Sent("signed.test", True, "remote_smtp", True, 1, 2, {"127.0.0.1": 1})
    assert not rows["passing.example"].own
    assert not found.notes and found.files == (str(exim.folder / "log/mainlog"),) and found.oldest and not found.verbose


@pytest.mark.exim
def test_a_real_log_from_end_to_end(exim: EximHost, tmp_path: Path) -> None:
    """`--from-log`: the log of a real exim, judged by its own probe: the domain that the map lacks left unsigned, the foreign one is covered by no zone."""
    names = ("signed.test", "unsigned.test")
    seen = told(exim, *names, map_path=exim.map)
    found = World(
        tmp_path,
        dict.fromkeys(names, ""),
        host=seen,
        exim=exim.exim(),
        observed={"map": {"signed.test": ("s1",)}},
        sources={"now": time.time},
    )
    assert of(found, "LOG-02") == {"signed.test": "ok", "unsigned.test": "ok", "foreign.example": "warning"}
    # of signed.test the key is missing, so that it left unsigned as well
    assert of(found, "LOG-01") == {"signed.test": "warning", "unsigned.test": "warning", "foreign.example": "warning"}
    report = from_log.from_log(found.facts(), exim.log().splitlines(keepends=True))
    assert {row.domain: row.signed for row in report.rows} == {
        "signed.test": Signed.LOST, "unsigned.test": Signed.NO, "foreign.example": Signed.NO,
    }  # fmt: skip
    assert (report.messages, report.bounces, report.passed) == (5, 1, 1)


# --- files ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[EximHost]:
    """An exim that has written no log yet."""
    with EximHost(hostnames=("signed.test",), hostname="mx.signed.test") as made:
        made.render()
        yield made


def written(days_ago: float, domain: str) -> bytes:
    """The lines of one message, so many days ago, in local time."""
    at = datetime.fromtimestamp(time.time() - days_ago * 86400).strftime("%Y-%m-%d %H:%M:%S")
    name = f"1xXkkQ-{domain.partition('.')[0]:0<6}-1i"
    return f"{at} {name} <= a@{domain} U=root P=local S=9\n{at} {name} => x@b.test R=r T=remote_smtp H=mx.b.test [198.51.100.9]\n{at} {name} Completed\n".encode()


def put(path: Path, content: bytes, days_ago: float) -> None:
    """A file that was last written so many days ago."""
    path.write_bytes(content)
    then = time.time() - days_ago * 86400
    os.utime(path, (then, then))


@pytest.mark.exim
def test_rotated_and_compressed_files(fresh: EximHost) -> None:
    """The last week of them, by file time and by line; what is no mainlog is left alone, what is broken is told and takes no other with it."""
    logs = fresh.folder / "log"
    put(logs / "mainlog", written(0.1, "day0.test"), 0.1)
    put(logs / "mainlog.1", written(1, "day1.test"), 1)
    put(logs / "mainlog.2.gz", gzip.compress(written(2, "day2.test")), 2)
    put(logs / "mainlog.3.xz", lzma.compress(written(3, "day3.test")), 3)
    put(logs / "mainlog-20261124.bz2", bz2.compress(written(4, "day4.test")), 4)
    put(logs / "mainlog.6.gz", gzip.compress(written(8, "day8.test") + written(6, "day6.test")), 6)
    put(logs / "mainlog.9.gz", gzip.compress(written(9, "day9.test")), 9)
    put(logs / "rejectlog", written(1, "reject.test"), 1)
    put(logs / "mainlog.1.old", written(1, "old.test"), 1)
    found = read(fresh)
    assert isinstance(found, Logged), found
    assert {row.domain for row in found.rows} == {f"day{n}.test" for n in (0, 1, 2, 3, 4, 6)}
    assert not found.notes and len(found.files) == 6 and found.files[-1].endswith("mainlog")
    put(logs / "mainlog.5.gz", gzip.compress(written(5, "day5.test"))[:-12], 5)
    put(logs / "mainlog.7.zst", b"x", 5.5)
    found = read(fresh)
    assert isinstance(found, Logged) and len(found.notes) == 2
    assert {"mainlog.5.gz", "mainlog.7.zst"} == {note.split()[0].rpartition("/")[2] for note in found.notes}
    assert {row.domain for row in found.rows} >= {"day0.test", "day6.test"}


@pytest.mark.exim
@pytest.mark.parametrize(
    ("path", "files"),
    [
        ("$D/log/%s-%D.log", ("main-20261128.log", "main-20261129.log.gz")),
        ("$D/log/%slog.%M", ("mainlog.202611",)),
        (": $D/log/ex_%s : syslog", ("ex_main", "ex_main.1")),
    ],
)
def test_where_exim_says_that_it_logs(fresh: EximHost, path: str, files: tuple[str, ...]) -> None:
    """Dated names by day and by month, and a list with syslog in it."""
    config = fresh.config.read_text().replace(
        f"log_file_path = {fresh.folder}/log/%slog",
        f"log_file_path = {path.replace('$D', str(fresh.folder)).removeprefix(': ')}",
    )
    fresh.config.write_text(config)
    for number, name in enumerate(files):
        content = written(1, f"day{number}.test")
        put(fresh.folder / "log" / name, gzip.compress(content) if name.endswith(".gz") else content, 1)
    found = read(fresh)
    assert isinstance(found, Logged), found
    assert [Path(file).name for file in found.files] == list(files)


@pytest.mark.exim
def test_syslog_alone_and_no_log(fresh: EximHost) -> None:
    """Where nothing can be read, that is said, and what would help."""
    text = fresh.config.read_text()
    missing = read(fresh)
    fresh.config.write_text(text.replace(f"log_file_path = {fresh.folder}/log/%slog", "log_file_path = syslog"))
    syslog = read(fresh)
    assert "there is no log" in str(missing) and str(fresh.folder / "log/mainlog") in str(missing)
    assert "syslog alone" in str(syslog) and "log_file_path = :syslog" in str(syslog)


def test_a_log_that_is_closed(tmp_path: Path) -> None:
    """Whose group it takes, for a file and for its folder; asked as a user who is nobody here, where the test may become one."""
    file = tmp_path / "mainlog"
    file.write_text("")
    file.chmod(0o640)
    assert f"{file} may not be read by this user (group {file.group()}, mode 0640" in _closed(
        file, PermissionError(13, "Permission denied")
    )
    assert "adduser dnssync" in _closed(file, PermissionError(13, "Permission denied"))


def test_which_files_hold_the_last_days(tmp_path: Path) -> None:
    """By their own time, the oldest first; one that is just being compressed stands there twice and counts once."""
    for name, age in (("mainlog", 0), ("mainlog.1", 1), ("mainlog.1.gz", 1), ("mainlog.2.gz", 2), ("mainlog.10.gz", 9)):
        put(tmp_path / name, b"", age)
    found = log_files(f"{tmp_path}/%slog", time.time() - 7 * 86400)
    assert [path.name for path in found] == ["mainlog.2.gz", "mainlog.1", "mainlog"]
