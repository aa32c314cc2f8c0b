"""What passes say, kept by the state: since when it is so, and when it was over."""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa

from dnssync.state import State
from dnssync.state_rows import Trouble, ZoneRecord
from tests.test_state import file_url, postgres, url

__all__ = ["file_url", "postgres", "url"]


class TestTroubles:
    def said(self, reason: str, sentence: str = "", zone: str = "example.org", at: int = 10) -> Trouble:
        """Something that a pass says."""
        return Trouble(zone, "refused", reason, sentence or reason, at)

    def test_since(self, url: str) -> None:
        """What goes on keeps its beginning, and its sentence is the last one; two of one word are kept side by side."""
        state = State.open(url)
        state.save_troubles(["example.org"], [self.said("cname"), self.said("cname", "another")], 10)
        state.save_troubles(["example.org"], [self.said("cname", "a third", at=20)], 20)
        assert state.troubles() == (self.said("cname", "a third", at=10),)
        state.save_troubles(
            ["example.org"], [self.said("cname", "a third", at=30), self.said("cname", "a fourth", at=30)], 30
        )
        assert state.troubles()[0].sentences == ("a third", "a fourth") and state.troubles()[0].since == 10

    def test_over(self, url: str) -> None:
        """What is said no more is forgotten, once whoever was told of it can be told that it is over; zones that were not looked at stay."""
        state = State.open(url)
        rows = [self.said("a"), self.said("b"), self.said("c", zone="example.net"), self.said("d", zone="")]
        state.save_troubles(["example.org", "example.net", ""], rows, 10)
        state.told([replace(rows[0], told="hook mail")])
        state.save_troubles(["example.org"], [], 20)
        assert [(row.reason, row.told, row.ended) for row in state.troubles()] == [
            ("d", "", None),
            ("c", "", None),
            ("a", "hook mail", 20),
            ("b", "", 20),
        ]
        state.save_troubles(["example.org"], [], 3619)
        assert [(row.reason, row.ended) for row in state.troubles()][2:] == [("a", 20), ("b", 20)], "it was over before"
        state.save_troubles(["example.org"], [], 3620)
        assert [row.reason for row in state.troubles()] == ["d", "c", "a"], "nobody was told of b"
        state.save_troubles(["example.org"], [self.said("a", at=4000)], 4000)
        assert [(r.since, r.told, r.ended) for r in state.troubles() if r.reason == "a"] == [(10, "hook mail", None)], (
            "it is back"
        )
        state.told([replace(self.said("a"), told="mail", since=99)])
        assert (state.troubles()[-1].told, state.troubles()[-1].since) == ("mail", 10)
        state.told([replace(self.said("never"), told="mail")])
        assert len(state.troubles()) == 3, "what is forgotten does not come back"
        state.forget_troubles(row for row in state.troubles() if row.zone)
        assert [row.reason for row in state.troubles()] == ["d"]

    def test_it_comes_and_goes(self, url: str) -> None:
        """What is over for minutes goes on; what comes again after hours is another thing."""
        state = State.open(url)
        for moment in range(0, 36_000, 3600):
            state.save_troubles(["example.org"], [self.said("a", at=moment)], moment)
            state.save_troubles(["example.org"], [], moment + 3000)
        assert [(row.since, row.ended) for row in state.troubles()] == [(0, 35_400)]
        state.save_troubles(["example.org"], [self.said("a", at=40_000)], 40_000)
        assert [(row.since, row.ended) for row in state.troubles()] == [(40_000, None)]

    def test_a_zone_that_fails_now_here_now_there(self, url: str) -> None:
        """That it fails has one beginning, and is told once, wherever it does; another zone's failure, or a refusal, is not of it."""
        state = State.open(url)
        other = Trouble("example.net", "failed", "unread", "x", 5)

        def fails(reason: str, at: int) -> Trouble:
            return Trouble("example.org", "failed", reason, reason, at)

        state.save_troubles(["example.org", "example.net"], [fails("unread", 10), other], 10)
        state.told([replace(fails("unread", 10), told="mail")])
        state.save_troubles(["example.org"], [fails("unwritten", 30_000), self.said("cname", at=30_000)], 30_000)
        assert [(row.zone, row.reason, row.since, row.told, row.ended) for row in state.troubles()] == [
            ("example.net", "unread", 5, "", None),
            ("example.org", "unwritten", 10, "mail", None),
            ("example.org", "cname", 30_000, "", None),
        ]

    def test_a_clock_that_was_ahead(self, url: str) -> None:
        """What began, or ended, at a moment that is still to come did so now."""
        state = State.open(url)
        state.save_troubles(["example.org"], [self.said("a", at=10**9), self.said("b", at=10**9)], 10**9)
        state.save_troubles(["example.org"], [self.said("a", at=10**9)], 10**9)
        state.save_troubles(["example.org"], [self.said("a", at=100)], 100)
        assert [(row.since, row.ended) for row in state.troubles()] == [(100, None), (10**9, 100)]

    def test_octets_that_are_no_text(self, url: str) -> None:
        """What a record holds that is no character is spelled out: it must not keep a pass from being noted."""
        state = State.open(url)
        odd = 'one.example: holds "p=\udcffbad\0"'
        state.save_troubles(["example.org"], [self.said("a", odd)], 10)
        state.save_zone(ZoneRecord("example.org", 1, 2, odd, 3))
        state.add_event(1, "confirm", sentence=odd, because=odd)
        told = 'one.example: holds "p=\\udcffbad\\x00"'
        assert state.troubles()[0].sentence == told and state.zones()["example.org"].result == told
        assert (state.events()[0].sentence, state.events()[0].because) == (told, told)
        state.save_troubles(["example.org"], [self.said("a", odd)], 20)
        assert state.troubles()[0].since == 10

    def test_each_name_for_itself(self, url: str) -> None:
        """Two things of one word that are about two names begin and end apart."""
        state = State.open(url)
        one, two = (
            replace(self.said("key_unusable", zone="", at=10), subject=name) for name in ("a.example", "b.example")
        )
        state.save_troubles([""], [one], 10)
        state.told([replace(one, told="mail")])
        state.save_troubles([""], [one, replace(two, since=20)], 20)
        assert [(row.subject, row.since, row.told) for row in state.troubles()] == [
            ("a.example", 10, "mail"),
            ("b.example", 20, ""),
        ]
        state.save_troubles([""], [replace(two, since=30)], 30)
        assert [(row.subject, row.ended) for row in state.troubles()] == [("a.example", 30), ("b.example", None)]

    def test_a_thousand_names(self, url: str) -> None:
        """Where nothing has changed of what is said of them, a pass reads the table and writes nothing; one that ends is one row."""
        state, asked = State.open(url), list[str]()
        rows = [replace(self.said("no_zone", zone=""), subject=f"d{n}.example") for n in range(1000)]
        state.save_troubles([""], rows, 10)
        state.told([replace(row, told="mail") for row in rows])

        def noted(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            if not statement.upper().startswith("BEGIN"):
                asked.append(statement.split()[0].upper())

        sa.event.listen(sa.Engine, "before_cursor_execute", noted)
        try:
            state.save_troubles([""], rows, 20)
            assert asked == ["SELECT"]
            state.save_troubles([""], rows[1:], 30)
            assert asked == ["SELECT", "SELECT", "UPDATE"]
        finally:
            sa.event.remove(sa.Engine, "before_cursor_execute", noted)
        assert [row.subject for row in state.troubles() if row.ended] == ["d0.example"]
