"""What an edit does to a master file, line by line, and the files that are not edited at all."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from dnssync_providers._master import raised
from dnssync_providers._records import read
from hypothesis import given, settings
from hypothesis import strategies as st

from dnssync.core.model import Change, Kind, ProviderError, RRset, StaleZone, Value
from tests.providers.desk import HEAD, ZONE, Desk

TODAY = datetime.date(2026, 11, 24)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A desk without a file yet."""
    return Desk(tmp_path)


class TestLines:
    """Only lines of the RRset change, and of those only what has to."""

    def test_new_at_the_end(self, desk: Desk) -> None:
        """A new RRset goes to the end, under its absolute name, whatever $ORIGIN holds there."""
        desk.lay("$ORIGIN sub.example.org.\na TXT x\n")
        assert desk.diff(desk.change("new", "ours")) == '+new.example.org. 300 IN TXT "ours"\n'

    def test_long_values(self, desk: Desk) -> None:
        """A key of two strings goes on two lines."""
        desk.lay("")
        assert desk.diff(desk.change("new", "a" * 255 + "b")) == (
            f'+new.example.org. 300 IN TXT ( "{"a" * 255}"\n+\t"b" )\n'
        )

    def test_octets_that_no_editor_shows(self, desk: Desk) -> None:
        """DEL and control octets of ours are written as numbers; those that stand there bare stay, and are read as they are."""
        desk.lay('a TXT "bare \x7f\x01\x0b"\n')
        octets = "".join(map(chr, [*range(32), 127]))
        numbers = "".join(f"\\{ord(octet):03d}" for octet in octets)
        assert desk.diff(desk.change("a", "bare \x7f\x01\x0b", octets)) == f'+a.example.org. 3600 IN TXT "{numbers}"\n'
        assert [value.text for value in desk.rrset("a").values] == ["bare \x7f\x01\x0b", octets]
        assert desk.rrset("a").values[0].raw == '"bare \\127\\001\\011"'

    def test_no_last_line_break(self, desk: Desk) -> None:
        """A file that ends in the middle of a line gets its line break first."""
        desk.lay('a TXT "x" ; remark')
        desk.provider().write(ZONE, [desk.change("new", "ours"), desk.change("a", "x", "y")])
        assert desk.text.endswith('a TXT "x" ; remark\na.example.org. 3600 IN TXT "y"\n\nnew.example.org. 300 IN TXT "ours"\n') or (
            desk.text.endswith('a TXT "x" ; remark\nnew.example.org. 300 IN TXT "ours"\n\na.example.org. 3600 IN TXT "y"\n'))  # fmt: skip

    def test_in_place(self, desk: Desk) -> None:
        """A value that takes another's place keeps owner, TTL, spacing and remark."""
        desk.lay('@ 1d\tIN   TXT   "v=spf1 mx -all"   ; who sends\n  TXT "a stranger\'s"\n')
        assert desk.diff(desk.change("", "a stranger's", "v=spf1 a -all")) == (
            '-@ 1d\tIN   TXT   "v=spf1 mx -all"   ; who sends\n+@ 1d\tIN   TXT   "v=spf1 a -all"   ; who sends\n'
        )

    def test_in_place_with_parentheses(self, desk: Desk) -> None:
        """Strings in parentheses are one value, remarks behind them stay."""
        desk.lay('a TXT ( "one"\n  "two" ) ; remark\nb TXT x\n')
        assert desk.diff(desk.change("a", "new")) == '-a TXT ( "one"\n-  "two" ) ; remark\n+a TXT "new" ; remark\n'

    def test_parenthesis_before_the_type(self, desk: Desk) -> None:
        """Where a parenthesis opens before the data does, the record gets a line of its own."""
        desk.lay('a ( TXT\n "one" )\n  TXT two\n')
        assert desk.diff(desk.change("a", "new", "two")) == (
            '-a ( TXT\n- "one" )\n-  TXT two\n+a.example.org.  TXT two\n+a.example.org. 3600 IN TXT "new"\n'
        )

    def test_more_values(self, desk: Desk) -> None:
        """One more value stands behind the others, and who inherits the owner there still does."""
        desk.lay("a TXT x\n  MX 10 m\nb TXT y\n")
        assert desk.diff(desk.change("a", "x", "ours")) == '+a.example.org. 3600 IN TXT "ours"\n'
        assert desk.rrset("a", "MX") is not None

    def test_out(self, desk: Desk) -> None:
        """A value that goes takes its line with it; the next record, which leaned on its owner, gets one of its own."""
        desk.lay("; above\na TXT ours\n; between\n\n\tMX 10 m\n  A 192.0.2.1\n")
        assert desk.diff(desk.change("a")) == "-a TXT ours\n-\tMX 10 m\n+a.example.org.\tMX 10 m\n"

    def test_all_out_of_a_chain(self, desk: Desk) -> None:
        """Two RRsets of one owner go in one write, and a third stays."""
        desk.lay("a TXT ours\n  SPF ours\n  TXT more\n  MX 10 m\n  A 192.0.2.1\n")
        assert desk.diff(desk.change("a"), desk.change("a", kind="SPF")) == (
            "-a TXT ours\n-  SPF ours\n-  TXT more\n-  MX 10 m\n+a.example.org.  MX 10 m\n"
        )

    def test_out_across_a_directive(self, desk: Desk) -> None:
        """The owner that is handed on is the absolute one: $ORIGIN may have changed between."""
        desk.lay("a TXT ours\n$ORIGIN sub\n  MX 10 m\n")
        desk.provider().write(ZONE, [desk.change("a")])
        assert desk.text.endswith("$ORIGIN sub\na.example.org.  MX 10 m\n")

    def test_ttl(self, desk: Desk) -> None:
        """A TTL of an RRset's own is written on each of its records."""
        desk.lay("a TXT x\n  1h IN TXT y ; remark\n  CLASS1 TXT z\n")
        assert desk.diff(desk.change("a", "x", "y", "z", ttl=60)) == (
            "-a TXT x\n-  1h IN TXT y ; remark\n-  CLASS1 TXT z\n+a 60 TXT x\n+  60 IN TXT y ; remark\n+  60 CLASS1 TXT z\n"
        )

    def test_first_of_two_ttls_goes(self, desk: Desk) -> None:
        """Records with different TTLs have one for named; when one of them goes, those that stay have it still."""
        desk.lay("a 60 TXT x\n  5 TXT y\nb TXT z\n")
        desk.provider().write(ZONE, [desk.change("a", "y")])
        assert desk.rrset("a").ttl == 60

    def test_generate_and_remarks_stay(self, desk: Desk) -> None:
        """$GENERATE, remarks, blank lines and lines of any octets stay where they are."""
        odd = "\n\n;; \udcff grün\n$GENERATE 1-3 h$ A 192.0.2.$\n   \t\ng TXT \udcfe\n"
        desk.lay(odd)
        assert desk.diff(desk.change("new", "ours")) == '+new.example.org. 300 IN TXT "ours"\n'

    def test_foreign_line_breaks(self, desk: Desk) -> None:
        """A file with CR LF keeps them and gets no other."""
        desk.lay("a TXT x\r\n", HEAD.replace("\n", "\r\n"))
        desk.provider().write(ZONE, [desk.change("new", "y" * 300), desk.change("a", "z")])
        assert desk.text.count("\n") == desk.text.count("\r\n")
        assert desk.rrset("new").values[0].text == "y" * 300

    def test_the_same_value_twice(self, desk: Desk) -> None:
        """A value that stands there twice is one; it goes with both lines."""
        desk.lay('a TXT x\nb TXT y\na TXT "x"\n')
        assert desk.diff(desk.change("a")) == '-a TXT x\n-a TXT "x"\n'


class TestSerial:
    """Every write raises it, so that secondaries fetch the zone."""

    @pytest.mark.parametrize(
        ("serial", "after"),
        [
            (7, 8),
            (2026112300, 2026112400),
            (2026112400, 2026112401),
            (2026112499, 2026112500),
            (2026120100, 2026120101),
            (2026133200, 2026133201),
            (1795521600, 1795521601),
            (2**32 - 1, 1),
            (0, 1),
        ],
    )
    def test_raised(self, serial: int, after: int) -> None:
        """Dates become today's, unless they are ahead; all else counts on; the new one is newer (RFC 1982 §3.2)."""
        assert raised(serial, TODAY) == after
        assert 0 < (after - serial) % 2**32 < 2**31

    @given(st.integers(0, 2**32 - 1), st.dates(datetime.date(2020, 1, 1), datetime.date(2099, 12, 31)))
    def test_always_newer(self, serial: int, today: datetime.date) -> None:
        """Whatever the serial and the day, a secondary takes the next one for newer."""
        assert 0 < (raised(serial, today) - serial) % 2**32 < 2**31

    def test_remark_stays(self, desk: Desk) -> None:
        """The serial alone changes in its line."""
        desk.lay("")
        desk.provider().write(ZONE, [desk.change("new", "ours")])
        assert desk.text.startswith(HEAD.replace("\t\t7  ", "\t\t8  "))


NAMES = st.sampled_from(["@", "a", "b", "A", "a.example.org."])
TEXTS = st.sampled_from(["x", '"y y"', '( "z"\n   z )', "v=spf1\\ -all", '"z;" ; remark'])
RECORDS = st.one_of(
    st.tuples(st.one_of(NAMES, st.sampled_from(["", " "])), st.sampled_from(["", "60 ", "IN 60 ", "IN "]), TEXTS).map(
        lambda r: f"{r[0] or ' '} {r[1]}TXT {r[2]}\n"
    ),
    st.tuples(st.one_of(NAMES, st.just(" ")), st.just("5 ")).map(lambda r: f"{r[0]} {r[1]}MX 10 m\n"),
    st.sampled_from(
        ["; remark\n", "\n", "$TTL 2h\n", "$ORIGIN sub\n", "$ORIGIN example.org.\n", "$GENERATE 1-2 g$ A 192.0.2.$\n"]
    ),
)
WANTED = st.dictionaries(
    st.sampled_from(["", "a", "b", "sub", "a.sub", "new"]),
    st.lists(st.sampled_from(["x", "y y", "ours", "n" * 300]), unique=True),
)


class TestAnyFile:
    """Laws that hold for whatever file an administrator may have written."""

    @settings(max_examples=150, deadline=None)
    @given(st.lists(RECORDS, max_size=12).map("".join), WANTED)
    def test_wanted_and_nothing_else(
        self, tmp_path_factory: pytest.TempPathFactory, laid: str, wanted: dict[str, list[str]]
    ) -> None:
        """After a write the wanted RRsets are there, all others are as before, and lines that are not theirs stay in order.

        Only a file with several TTLs in one RRset may be refused, and then it is as it was."""
        desk = Desk(tmp_path_factory.mktemp("any"))
        desk.lay(laid)
        before = {rrset.key: rrset for rrset in desk.provider().read(ZONE)}
        changes = [c for c in (desk.change(name, *texts) for name, texts in wanted.items()) if c.old or c.new]
        kept = [line for line in desk.text.splitlines() if "TXT" not in line and "z" not in line and "MX" not in line]
        try:
            desk.provider().write(ZONE, changes)
        except ProviderError as error:
            ttls: dict[tuple[str, str], set[int]] = {}
            for record in read(ZONE, "", text := desk.text, lambda name: (name, "")):
                ttls.setdefault((record.name, record.type), set()).add(record.ttl)
            assert "one TTL in an RRset" in str(error)
            assert max(map(len, ttls.values())) > 1
            assert text == HEAD + laid
            return
        after = {rrset.key: rrset for rrset in desk.provider().read(ZONE)}
        for change in changes:
            found = after.pop((change.name, change.type), None)
            before.pop((change.name, change.type), None)
            assert (
                sorted(v.text for v in found.values) == sorted(wanted[change.name])
                if found
                else not wanted[change.name]
            )
        del before["", "SOA"], after["", "SOA"]
        assert after == before
        lines = iter([*desk.text.splitlines(), *["\t\t7        ; serial"] * bool(not changes)])
        assert all(line in lines for line in kept if "; serial" not in line)


class TestRefused:
    """Files that are not edited, and are then as they were."""

    def refused(self, desk: Desk, change: Change, word: str, **options: object) -> str:
        """The sentence of a write that fails; the file stays."""
        before = desk.text
        with pytest.raises(ProviderError, match=word) as caught:
            desk.provider(**options).write(ZONE, [change])
        assert desk.text == before
        assert [path.name for path in desk.file.parent.iterdir() if path.name.startswith(".db")] == []
        assert str(caught.value).startswith(f"{ZONE}: ")
        return str(caught.value)

    def test_included(self, desk: Desk) -> None:
        """A record that an included file holds is named with that file and its line."""
        (desk.file.parent / "inner").write_text("; remark\na TXT theirs\n")
        desk.lay("$INCLUDE inner\n")
        assert "inner, line 2" in self.refused(desk, desk.change("a", "ours"), "INCLUDE")

    def test_beside_an_included_one(self, desk: Desk) -> None:
        """A value beside one that is included can be added and taken out: the included one stays where it is."""
        (desk.file.parent / "inner").write_text("a 300 TXT theirs\n")
        desk.lay("$INCLUDE inner\n")
        assert desk.diff(desk.change("a", "theirs", "ours")) == '+a.example.org. 300 IN TXT "ours"\n'
        assert desk.diff(desk.change("a", "theirs")) == '-a.example.org. 300 IN TXT "ours"\n'

    def test_generated(self, desk: Desk) -> None:
        """A record that $GENERATE makes."""
        desk.lay("$GENERATE 1-2 a$ TXT theirs\n")
        self.refused(desk, desk.change("a1", "ours"), "GENERATE")

    def test_ttl_that_leans_on_ours(self, desk: Desk) -> None:
        """Without $TTL a record takes the TTL of the one before: ours cannot go without a change of another."""
        desk.lay("a 60 TXT ours\nb TXT theirs\n", HEAD.replace("$TTL 1h\n", "").replace("@\tIN", "@ 1h\tIN"))
        assert "$TTL" in self.refused(desk, desk.change("a"), r"b\.example\.org TXT")

    @pytest.mark.parametrize(
        "soa", ["$INCLUDE inner\n", "@ 1h IN SOA \\# 20 00 00 00000001 00000001 00000001 00000001 00000001 0000\n"]
    )
    def test_serial_out_of_reach(self, desk: Desk, soa: str) -> None:
        """An SOA record that is included, or written in octets, cannot be raised."""
        (desk.file.parent / "inner").write_text("@ 1h IN SOA ns1 hostmaster 1 1 1 1 1\n")
        desk.lay(soa.replace("0000\n", "\n") + "@ 1h NS ns1\n", "")
        self.refused(desk, Change(Kind.CREATE, "a", "TXT", None, RRset("a", "TXT", 300, (Value("x", ""),))), "serial")

    def test_another_ttl_since(self, desk: Desk) -> None:
        """A TTL that somebody changed between our read and our write is a change like any other."""
        desk.lay("a 60 TXT x\n")
        change = desk.change("a", "x", "ours")
        desk.lay("a 61 TXT x\n")
        with pytest.raises(StaleZone):
            desk.provider().write(ZONE, [change])
        assert desk.text == HEAD + "a 61 TXT x\n"

    def test_edited_while_it_is_written(self, desk: Desk) -> None:
        """An editor that saves the file in the middle of our write wins: nothing of ours is written over it."""
        desk.lay("a TXT x\n")
        change = desk.change("new", "ours")

        def clock() -> float:
            desk.lay("a TXT saved\n")
            return 0.0

        with pytest.raises(StaleZone, match=r"db\.example\.org was changed"):
            desk.provider(now=clock).write(ZONE, [change])
        assert desk.text == HEAD + "a TXT saved\n"
        assert [path.name for path in desk.file.parent.iterdir()] == ["db.example.org"]
