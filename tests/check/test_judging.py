"""How checks are run: what they ask for comes in bulk, and what nobody knows is neither good nor bad."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dnssync.check.facts import Facts, host, zone_line
from dnssync.check.finding import MOOT, Severity, Verdict, warning
from dnssync.check.gather import LATE, Sources, fetch
from dnssync.check.judging import Check, judge
from dnssync.core.sighting import Question
from dnssync.exim.ask import Exim
from tests.check.world import World


def judged(world: World, *checks: Check) -> tuple[list[tuple[str, str]], list[int]]:
    """(severity, message) of the checks over this world's facts, and how many wishes each round had."""
    rounds: list[int] = []

    def fetch(wishes: Sequence[Any]) -> dict[Any, Any]:
        rounds.append(len(wishes))
        return dict(world.resolver().look(wishes))

    return [(str(f.severity), f.message) for f in judge(world.facts(), checks, fetch).findings], rounds


def chain(facts: Facts, subject: str) -> Iterator[Verdict]:
    """Each exchange of two domains has an address."""
    both = [facts.ask(name, "MX") for name in ("example.org", "a.example.org")]
    for answer in both:
        for text in answer.texts:
            for kind in ("A", "AAAA"):
                facts.ask(text.split()[1], kind)
    if not any(facts.texts("mx.example.org", kind) for kind in ("A", "AAAA")):
        yield warning("none")


def test_what_is_asked_for_comes_in_bulk(tmp_path: Path) -> None:
    """Two rounds for two steps, however many names each has; what is well says so."""
    with World(
        tmp_path, {"example.org": "@ MX 10 mx.example.org.\na MX 10 my.example.org.\nmx A 192.0.2.1\nmy A 192.0.2.2\n"}
    ) as world:
        said, rounds = judged(world, Check("X-1", "all well", host, chain))
        assert said == [("ok", "all well")]
        assert len(rounds) == 2 and rounds[0] >= 2 and rounds[1] >= 2


def test_a_silent_server_is_no_finding(tmp_path: Path) -> None:
    """What could not be looked up is unknown, and who was silent is told."""
    with World(tmp_path, {"example.org": "mx A 192.0.2.1\n"}) as world:
        world.bind.stop()
        [(severity, message)], _ = judged(world, Check("X-1", "all well", host, chain))
        assert severity == "unknown"
        assert world.bind.server in message and "mx.example.org A could not be looked up" in message


def test_what_is_not_sure(tmp_path: Path) -> None:
    """It is noted of which subjects, and of whose subjects, a look-up failed; of others it is not."""
    with World(tmp_path, {"example.org": "@ A 192.0.2.1\n"}) as world:
        asks = Check("X-1", "", host, lambda facts, _: [MOOT] * len(facts.ask("example.org", "A").texts))
        over = Check("X-2", "", lambda facts: facts.ask("example.org", "A").texts, lambda facts, _: [])
        other = Check("X-3", "", host, lambda facts, _: [])
        checks = [asks, over, other]
        assert judge(world.facts(), checks, world.resolver().look).unsure == frozenset()
        world.bind.stop()
        found = judge(world.facts(), checks, world.resolver().look)
        assert found.unsure == {("X-1", "mx.example.org"), ("X-2", "")}


def test_a_check_that_falls_over_takes_no_other_with_it(tmp_path: Path) -> None:
    """Its question is unknown, and says whose fault that is."""
    broken = Check("X-1", "", host, lambda facts, subject: [warning(str(1 // 0))])
    well = Check("X-2", "well", host, lambda facts, subject: [])
    said, _ = judged(World(tmp_path, {"example.org": ""}), broken, well)
    assert (
        said[0][0] == "unknown" and "a fault of dnssync (ZeroDivisionError)" in said[0][1] and said[1] == ("ok", "well")
    )


def test_a_check_has_its_time(tmp_path: Path) -> None:
    """Steps are told again and again while much is looked into, and what is left when the time is over is unknown."""
    world = World(tmp_path, {"example.org": ""})
    sources = Sources(world.config(), world.resolver(), Exim(("/nonexistent/exim",)))
    questions = [
        Question(f"{'x' * 70}{n}.example.org", "A", "example.org") for n in range(1200)
    ]  # no name can be so long
    steps: list[str] = []
    assert set(fetch(sources, questions, steps.append)) == set(questions) and len(steps) == 3
    late = fetch(sources, questions, steps.append, until=0.0)
    assert set(late.values()) == {LATE} and len(steps) == 3


def test_a_question_that_does_not_arise(tmp_path: Path) -> None:
    """Nothing at all is said of it."""
    with World(tmp_path, {"example.org": ""}) as world:
        said, _ = judged(world, Check("X-1", "all well", host, lambda facts, subject: [MOOT]))
        assert said == []


def test_a_check_that_never_has_enough_ends(tmp_path: Path) -> None:
    """The rounds are bounded, and what is still lacking then is unknown."""
    asked: list[str] = []

    def endless(facts: Facts, subject: str) -> Iterator[Verdict]:
        name = "a.example.org"
        while facts.ask(name, "A").known and len(name) < 250:
            name = "a." + name
        asked.append(name)
        facts.texts(name, "A")
        yield MOOT

    with World(tmp_path, {"example.org": ""}) as world:
        [(severity, _)], rounds = judged(world, Check("X-1", "", host, endless))
        assert severity == Severity.UNKNOWN
        assert len(rounds) <= 40


def test_a_record_is_shown_as_a_zone_file_has_it() -> None:
    """Long texts in strings of at most 255 octets; what would break the line is escaped."""
    assert zone_line("a.example.org", "MX", "10 mx.example.org.") == "a.example.org. IN MX 10 mx.example.org."
    assert zone_line("a.example.org", "TXT", 'x"\\é') == 'a.example.org. IN TXT "x\\"\\\\\\195\\169"'
    assert zone_line("a.example.org", "TXT", "k" * 300) == f'a.example.org. IN TXT "{"k" * 255}" "{"k" * 45}"'


def test_what_dns_holds_moves_no_cursor(tmp_path: Path) -> None:
    """A message that quotes a record can be written anywhere, whatever octets the record has."""
    with World(tmp_path, {"example.org": '@ TXT "\\027[2J\\010\\252"\n'}) as world:
        said, _ = judged(
            world, Check("X-1", "", host, lambda facts, _: [warning(t) for t in facts.texts("example.org", "TXT")])
        )
        assert said == [("warning", "\\x1b[2J\\n\\udcfc")]
