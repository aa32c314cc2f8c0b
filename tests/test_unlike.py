"""Quiet zones: one server each, in rotation, and an answer that was good before is not read again."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import pytest

from dnssync.core.sighting import Answer, Question
from dnssync.resolver import Resolver
from dnssync.unlike import AHEAD, Expected, Verified
from tests.bind import Bind
from tests.looking import KEY, ZONE, record, resolver, serving
from tests.nameserver import Fault
from tests.talker import Talker, truth

serve = pytest.fixture(serving)


class Wanted:
    """Expects a text at names, and counts how often an answer was judged."""

    def __init__(self, text: str = KEY) -> None:
        self.text = text
        self.judged: list[Answer] = []

    def good(self, answer: Answer) -> bool:
        """Whether the answer has the text."""
        self.judged.append(answer)
        return answer.texts == (self.text,)

    def expect(self, *names: str, zone: str = ZONE) -> list[Expected]:
        """As `unlike` takes it."""
        return [Expected(Question(name, "TXT", zone), self.text.encode(), self.good) for name in names]

    def unlike(self, which: Resolver, *names: str, turn: int = 0, zone: str = ZONE) -> list[str]:
        """The names that are not as expected."""
        return [question.name for question in which.unlike(self.expect(*names, zone=zone), turn)]


def names(count: int) -> list[str]:
    """So many names in the zone."""
    return [f"s{i}.{ZONE}" for i in range(count)]


def test_what_is_unchanged_is_not_read_again(tmp_path):
    """At a real server: what was good and is the same octets is judged once; what differs is told each time, and once it is good, no more."""
    keys = "".join(record(KEY, f"s{i}") + "\n" for i in range(50))
    wanted = Wanted()
    with Bind(tmp_path / "bind", {ZONE: keys + record("other", "s50")}) as bind:
        which = Resolver({ZONE: [bind.server]}, system=[])
        assert wanted.unlike(which, *names(52)) == [f"s50.{ZONE}", f"s51.{ZONE}"]
        assert len(wanted.judged) == 52
        assert wanted.unlike(which, *names(52)) == [f"s50.{ZONE}", f"s51.{ZONE}"]
        assert len(wanted.judged) == 54
        bind.stop()
        bind.zone_file(ZONE).write_text(bind.zone_file(ZONE).read_text().replace("other", KEY))
        bind.start()
        assert wanted.unlike(which, *names(51)) == []
        assert len(wanted.judged) == 55
        assert wanted.unlike(which, *names(51)) == []
        assert len(wanted.judged) == 55


def test_another_text_wanted(serve):
    """The same answer is judged anew where something else is expected."""
    which = resolver(serve({ZONE: record(KEY, "s0")}))
    assert Wanted().unlike(which, *names(1)) == []
    other = Wanted(f"{KEY[:-1]}E")
    assert other.unlike(which, *names(1)) == names(1)
    assert other.judged


def test_each_question_has_its_own_memory():
    """Octets that were good for one question say nothing of another."""
    verified, (one, two) = Verified(), Wanted().expect("a", "b")
    assert verified.digest(one, b"12answer") == verified.digest(one, b"34answer")
    assert (
        len({verified.digest(one, b"12answer"), verified.digest(two, b"12answer"), verified.digest(one, b"12other")})
        == 3
    )
    assert Verified().digest(one, b"12answer") != verified.digest(one, b"12answer")


def test_servers_take_turns(serve):
    """With each turn the next server of a zone is asked, by itself and for all questions, and zones do not begin with the same."""
    servers = [serve(dict.fromkeys(("a.test", "b.test", "c.test"), "* TXT x")) for _ in range(3)]
    which = Resolver({zone: [s.where for s in servers] for zone in ("a.test", "b.test", "c.test")}, system=[])
    wanted = Wanted("x")
    for turn in range(4):
        for zone in ("a.test", "b.test", "c.test"):
            for server in servers:
                server.log.clear()
            assert wanted.unlike(which, *(f"s{i}.{zone}" for i in range(5)), turn=turn, zone=zone) == []
            asked = (zlib.crc32(zone.encode()) + turn) % 3
            assert [len(server.log) for server in servers] == [5 * (i == asked) for i in range(3)]


@pytest.mark.parametrize(
    "fault", [Fault.DROP, Fault.SERVFAIL, Fault.REFUSED, Fault.NOTAUTH, Fault.LAME, Fault.TRUNCATE_NO_TCP]
)
@pytest.mark.parametrize("turn", [0, 1])
def test_a_server_that_fails_is_followed_by_the_next(serve, fault, turn):
    """Whoever is asked first, the one that answers is heard; where none does, nothing is told."""
    good, bad = serve({ZONE: record("other", "s0")}), serve({ZONE: record(KEY, "s0")}, faults={"*": fault})
    which = resolver(good, bad, timeout=1.0)
    assert Wanted().unlike(which, *names(1), turn=turn) == names(1)
    good.faults["*"] = fault
    assert Wanted().unlike(resolver(good, bad, timeout=1.0), *names(1), turn=turn) == []


def test_servers_that_cannot_be_found(serve):
    """Where the servers of a zone cannot be found, or what is asked is no name, nothing is told, and others go on."""
    wanted, which = Wanted(), resolver(serve({ZONE: ""}))
    asked = [
        *wanted.expect("s0.lost.test", "s1.lost.test", zone="lost.test"), *wanted.expect("a..b", *names(1)),
        *wanted.expect("foreign.test", zone=""),
    ]  # fmt: skip
    assert [question.name for question in which.unlike(iter(asked), 0)] == names(1)


def test_behind_a_cname(serve):
    """What lies behind a CNAME to elsewhere is looked up each time, and where that fails, it is not known."""
    there = serve({"keys.test": record(KEY, "s0")})
    here = serve({ZONE: "s0 CNAME s0.keys.test."})
    which = Resolver({ZONE: [here.where], "keys.test": [there.where]}, system=[])
    wanted = Wanted()
    assert wanted.unlike(which, *names(1)) == wanted.unlike(which, *names(1)) == []
    assert len(wanted.judged) == 2
    assert wanted.judged[0].aliases == ("s0.keys.test",)
    there.write("keys.test", record("other", "s0"))
    assert wanted.unlike(which, *names(1)) == names(1)
    there.faults["*"] = Fault.SERVFAIL
    assert wanted.unlike(which, *names(1)) == []


def test_what_was_not_used_twice_is_forgotten(serve):
    """An answer that two calls did not see is read anew, one that one call did not see is not."""
    which = resolver(serve({ZONE: "* TXT x"}))
    wanted = Wanted("x")
    for asked, judged in [((0, 1), 2), ((0,), 2), ((0, 1), 2), ((0,), 2), ((0,), 2), ((0, 1), 3)]:
        wanted.unlike(which, *(names(2)[i] for i in asked))
        assert len(wanted.judged) == judged


def test_several_answers_are_remembered():
    """A server that gives the same in several orders in turn is read once for each."""

    def says(talker, batch):
        return [(at, truth(query, "ab"[len(talker.batches) % 2])) for at, query in enumerate(batch)]

    judged = []

    def good(answer: Answer) -> bool:
        judged.append(answer.texts)
        return True

    with Talker(says, 0) as talker:
        which = Resolver({ZONE: [talker.where]}, system=[])
        for _ in range(6):
            assert list(which.unlike([Expected(Question(names(1)[0], "TXT", ZONE), b"", good)], 0)) == []
    assert judged == [("b",), ("a",)]


def test_a_stream(tmp_path):
    """Many are read as they are asked: never more than a bounded number ahead of the answers."""
    wanted = Wanted("x")
    ahead = 0

    def stream() -> Iterator[Expected]:
        nonlocal ahead
        for i in range(2 * AHEAD):
            ahead = max(ahead, i - len(wanted.judged))
            yield from wanted.expect(f"s{i}.{ZONE}")

    with Bind(tmp_path / "bind", {ZONE: "* TXT x"}) as bind:
        assert list(Resolver({ZONE: [bind.server]}, system=[]).unlike(stream(), 0)) == []
    assert len(wanted.judged) == 2 * AHEAD
    assert ahead <= AHEAD


def test_what_goes_wrong_in_the_middle_comes_out(serve):
    """An exception of whoever judges, and one of the stream, reach the caller, and the next call is as if nothing had been."""
    which = resolver(serve({ZONE: "* TXT x\nc CNAME x.lost.test."}), system=[])

    def fail(answer: Answer) -> bool:
        raise LookupError("judge")

    def broken() -> Iterator[Expected]:
        yield from Wanted().expect(*names(3))
        raise LookupError("stream")

    with pytest.raises(LookupError, match="judge"):
        list(which.unlike([Expected(Question(names(1)[0], "TXT", ZONE), b"", fail)], 0))
    with pytest.raises(LookupError, match="stream"):
        list(which.unlike(broken(), 0))
    assert Wanted("x").unlike(which, *names(3)) == []
