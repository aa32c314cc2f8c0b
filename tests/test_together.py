"""Ten thousand domains of which one thing is said: kept each for itself, told to people in one line, wherever they are told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dnssync import identity
from dnssync.cli import render
from dnssync.config import load
from dnssync.core.decide import Decision, decide
from dnssync.core.host import Signer, Transport
from dnssync.core.model import Notice
from dnssync.core.pass_notices import shut, switched
from dnssync.core.together import lines, together
from dnssync.one_pass import PassResult
from dnssync.report import Report, said
from dnssync.standing import news, standing
from dnssync.state import State
from dnssync.state_rows import Trouble
from dnssync.told import Told
from tests.alerted import Host
from tests.core.test_decide import seen
from tests.ripe import Ripe, grown, open_folder
from tests.ripe import scene as ripe
from tests.test_cli_commands import told
from tests.zonetext import host, remote_smtp

__all__ = ["grown", "open_folder", "ripe"]
NAMES = tuple(f"d{number:05}.example" for number in range(10_000))
SHORT = "d00000.example, d00001.example, d00002.example and 9997 more: "
BROKEN = Transport("remote_smtp", takes_macros=True, signers=(Signer("", "s1", "/k.pem", problem="/k.pem is not there."),))  # fmt: skip


def decided(names: tuple[str, ...]) -> Decision:
    """A pass on a host that signs the mail of all these with a key that is not there."""
    every = host(*names)
    return decide(seen(host=replace(every, domains=tuple(replace(d, transports=(BROKEN,)) for d in every.domains)), zones=()))  # fmt: skip


def passed(folder: Path, names: tuple[str, ...], left_out: dict[str, int] | None = None) -> PassResult:
    """That pass, carried out."""
    got = decided(names)
    report = Report(got, (), (), (), (), got.notices)
    return PassResult(Host(folder).config, None, got.now, got.now, report, left_out=left_out or {})


def test_what_is_said_alike() -> None:
    """Sentences that begin with a name and go on alike are one; others stay as they are, in their order."""
    assert together(["a.example: x.", "Jumped.", "b.example: x.", "b.example: y a.example.", "a.example: x."]) == [
        "a.example, b.example: x.",
        "Jumped.",
        "b.example: y a.example.",
    ]


def test_of_one_zone_and_word() -> None:
    """What is said of two zones, or under two words, stays apart; a line says when the first began and the last was over."""
    row = Trouble("", "notice", "clock", "a.example: x", 10, 11, 40, "a.example")
    other = replace(row, sentence="b.example: x", subject="b.example", since=20, ended=50)
    [line] = lines([row, other])
    assert (line.sentence, line.since, line.at_once, line.ended) == ("a.example, b.example: x", 10, False, 50)
    [line] = lines([row, replace(other, since=10, ended=None)])
    assert line.at_once and line.ended is None
    assert len(lines([row, replace(other, zone="b.example")])) == len(lines([row, replace(other, reason="x")])) == 2
    assert [(line.about, line.sentence) for line in lines([replace(row, sentence="x of a.example")])] == [
        ("", "x of a.example")
    ]
    assert [line.sentence for line in lines([replace(row, sentence="a.example: x\n\na.example: y"), other])] == [
        "a.example, b.example: x",
        "a.example: y",
    ]


def test_each_is_kept_and_one_is_shown() -> None:
    """A notice a domain for the state and for machines, and one for whoever reads `plan`."""
    got = decided(NAMES)
    assert [notice.reason for notice in got.notices] == ["signing_key_unusable"] * len(NAMES)
    rows = said(Report(got, (), (), (), (), got.notices))
    assert [(row.zone, row.subject) for row in rows] == [("", name) for name in NAMES]
    shown = [line for line, _ in render.decision(got, width=1000)]
    assert [line for line in shown if ".example" in line] == [
        f"note: {SHORT}exim is told to sign with selector s1, and cannot: /k.pem is not there. Such mail leaves unsigned, or waits where "
        "DKIM_STRICT is set."
    ]


def test_other_words_of_many() -> None:
    """exim that does not read the map, and folders that are closed to it, are said of each domain, and shown as one."""
    names = ("a.example", "b.example")
    every = host(*names)
    deaf = tuple(replace(d, transports=(remote_smtp(d.name, uses_map=False),)) for d in every.domains)
    looked = seen(host=replace(every, domains=deaf), closed=dict.fromkeys(names, "/keys is closed."))
    for notices in (switched(looked, dict.fromkeys(names, ("s1",))), shut(looked)):
        assert [n.sentence.partition(": ")[0] for n in notices] == [*names]
        [sentence] = together(n.sentence for n in notices)
        assert sentence.startswith("a.example, b.example: ")


def test_the_log_and_the_supervisor(tmp_path: Path) -> None:
    """One line when they begin, one for what is new in the next pass, one for what is over; and one notice in the status line."""
    result = passed(tmp_path, NAMES)
    first = news(result, {})
    assert [line.sentence[: len(SHORT)] for line in first.begun] == [SHORT] and not first.over
    assert "; 1 notice for a person; " in standing(result, 0)
    same = news(result, first.said)
    assert same.begun == same.over == ()
    more = news(passed(tmp_path, (*NAMES[5:], "another.example")), first.said)
    assert [line.about for line in more.begun] == ["another.example"]
    what = ("", "notice", "signing_key_unusable")
    assert more.over == ((*what, "d00000.example, d00001.example, d00002.example and 2 more"),)
    assert news(passed(tmp_path, ()), more.said).over[0][:3] == what


def test_what_goes_on_is_logged_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Every six hours while somebody looks at it, and after a look that comes later at once; a clock that was set back silences nothing."""
    log, first = Told(), passed(tmp_path, NAMES)
    unseen = passed(tmp_path, (), {"one.example": 0})

    def lines_at(hours: float, result: PassResult = first) -> int:
        caplog.clear()
        log.log(replace(result, ended=first.ended + int(hours * 3600)), 0)
        return len([r for r in caplog.records if r.getMessage().startswith("notice=signing_key_unusable " + SHORT)])

    assert [lines_at(hours) for hours in (0, 1, 5.9, 6, 7, 11.9, 12)] == [1, 0, 0, 1, 0, 0, 1]
    assert [lines_at(hours, unseen) for hours in (13, 19)] == [0, 0] and [lines_at(hours) for hours in (20, 21)] == [
        1,
        0,
    ]
    assert [lines_at(hours) for hours in (-50, -49)] == [1, 0]


def test_status(ripe: Ripe) -> None:
    """One note in `status`, with since when the first of them is so."""
    state = State.open(load(ripe.stage.config).state, host=identity.rows(ripe.stage.keys))
    rows = [Trouble("", "notice", "no_zone", f"{n}: known to exim.", 0, subject=n) for n in NAMES]
    state.save_troubles((), [replace(rows[0], since=86400), *rows[1:]], 0)
    ripe.run("status")
    assert f"note: {SHORT}known to exim. (the first since 1970-01-01 00:00 UTC)" in told(ripe)
    assert told(ripe).count("known to exim") == 1


def test_a_word_with_two_sentences(tmp_path: Path) -> None:
    """Two keys of one domain that cannot be used: both are told."""
    result = passed(tmp_path, ("a.example",))
    assert result.report is not None
    two = (*result.report.notices, Notice("signing_key_unusable", "a.example: another."))
    told = news(replace(result, report=replace(result.report, notices=two)), {})
    assert ["/k.pem" in line.sentence or line.sentence for line in told.begun] == [True, "a.example: another."]
