"""The door to exim: batches, odd answers, and an exim that cannot be asked."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from dnssync.errors import EximError
from dnssync.exim.ask import Exim, Expansion
from dnssync.exim.lists import message, split, unknown, variables, written
from tests.exim_host import EXIM, EximHost


@pytest.fixture(scope="module")
def host() -> Iterator[EximHost]:
    """One rendered host for questions that change nothing."""
    with EximHost() as host:
        host.render()
        yield host


@pytest.mark.exim
class TestExpand:
    """Many strings in one process, each with its own answer."""

    def test_odd_texts(self, host: EximHost) -> None:
        """Empty, several lines, what looks like a macro or a command of exim's, a backslash at the end, a fault."""
        expected = {
            "": Expansion(""),
            "Out.Example.ORG": Expansion("Out.Example.ORG"),
            "X = y": Expansion("X = y"),
            "set,t X = y": Expansion("set,t X = y"),
            "a\\nb\\n\\nc": Expansion("a\nb\n\nc"),
            "a\nb": Expansion("a\nb"),
            "> dnssync-mark-1": Expansion("> dnssync-mark-1"),
            "  spaces  ": Expansion("spaces"),
            "${if eq{a}{b}{y}fail}": Expansion(error='"if" failed and "fail" requested'),
            "${if eq{a}{a}{last}}": Expansion("last"),
        }

        assert expected == host.exim().expand(expected)

    def test_a_fault_shifts_nothing(self, host: EximHost) -> None:
        """exim's own complaint belongs to the string it is about, and the next one is answered."""
        told = host.exim().expand(["${nonsense", "end\\", "fine"])

        assert told["${nonsense"].error and told["fine"].text == "fine"

    @pytest.mark.parametrize("size", [999, 1000, 1001, 5000, 16000])
    def test_long(self, host: EximHost, size: int) -> None:
        """exim reads lines of 4 kB; longer strings come through whole, spaces at every seam included."""
        text = "${if eq{a}{a}{" + ("x y " * size)[:size].strip() + "}}"

        assert Expansion(("x y " * size)[:size].strip()) == host.exim().expand([text])[text]

    def test_too_long(self, host: EximHost) -> None:
        """What does not fit into exim's buffer is an error, not a text that was cut."""
        text = "${if eq{a}{a}{" + "y" * 60000 + "}}"

        told = host.exim().expand([text, "fine"])

        assert told[text].error and told["fine"].text == "fine"

    def test_ten_thousand(self, host: EximHost) -> None:
        """Ten thousand questions take one process."""
        started: list[int] = []

        def run(*args: Any, **options: Any) -> subprocess.CompletedProcess[str]:
            started.append(1)
            return subprocess.run(*args, **options)

        told = host.exim(run).expand(f"${{uc:d{number}}}" for number in range(10000))

        assert started == [1] and {f"D{number}" for number in range(10000)} == {one.text for one in told.values()}

    @pytest.mark.parametrize(
        ("text", "true"),
        [("yes", True), ("1", True), ("n", True), ("0", False), ("no", False), ("", False), ("False", False)],
    )
    def test_truth(self, text: str, true: bool) -> None:
        """What exim holds for false: nothing, 0, no and false."""
        assert true == Expansion(text).true


@pytest.mark.exim
class TestTrouble:
    """An exim that cannot be asked says so in one sentence, with what to do."""

    def test_missing(self) -> None:
        """No exim on this machine."""
        with pytest.raises(EximError, match=r"/nonexistent/exim4 does not exist.*exim: command:"):
            Exim(["/nonexistent/exim4"]).version()

    def test_not_to_be_started(self, tmp_path: Any) -> None:
        """A file that may not be executed."""
        (tmp_path / "exim4").write_text("")
        with pytest.raises(EximError, match="permission denied"):
            Exim([str(tmp_path / "exim4")]).version()

    def test_something_else(self) -> None:
        """A program that is no exim."""
        with pytest.raises(EximError, match="is it exim"):
            Exim(["/bin/echo"]).version()

    def test_broken_configuration(self, tmp_path: Any) -> None:
        """exim's own words about a broken file, and how to try again."""
        (tmp_path / "exim.conf").write_text("nonsense = 1\n")
        with pytest.raises(EximError) as caught:
            Exim([EXIM, "-C", str(tmp_path / "exim.conf")]).version()

        assert 'main option "nonsense" unknown' in str(caught.value) and "-bV" in str(caught.value)
        assert "\n" not in str(caught.value) and "LOG:" not in str(caught.value)

    def test_no_permission(self) -> None:
        """exim refuses an option to a user outside its group."""

        def run(argv: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
            return subprocess.CompletedProcess(argv, 1, "", "exim: permission denied\n")

        with pytest.raises(EximError, match="group Debian-exim"):
            Exim([EXIM], run=run).config()
        assert Exim([EXIM], run=run).macro("X") is None

    def test_no_answer(self) -> None:
        """A look-up of exim's that hangs does not hang us."""

        def run(argv: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
            raise subprocess.TimeoutExpired(argv, options["timeout"])

        with pytest.raises(EximError, match="did not answer `-bP config` within 120 seconds"):
            Exim([EXIM], run=run).config()

    def test_half_an_answer(self) -> None:
        """exim died in the middle: what is missing is not taken for empty."""

        def run(argv: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
            return subprocess.CompletedProcess(argv, 0, "> =a\n> =dnssync-mark-0\n> ", "")

        with pytest.raises(EximError, match="of 2 expansions"):
            Exim([EXIM], run=run).expand(["a", "b"])


@pytest.mark.exim
def test_options(host: EximHost) -> None:
    """Booleans, values, unset ones, and values of several lines."""
    exim = host.exim()
    router = exim.block("router", "userforward")

    assert router["driver"] == "redirect" and router["expn"] == "no" and router["senders"] == ""
    assert router["syntax_errors_text"].count("\\n") > 5
    assert exim.options("disable_ipv6", "primary_hostname") == {
        "disable_ipv6": "no",
        "primary_hostname": "mx.example.org",
    }
    assert exim.macro("MAIN_HARDCODE_PRIMARY_HOSTNAME") == "mx.example.org" and exim.macro("NO_SUCH_MACRO") is None


class TestLists:
    """exim's list syntax and the variables of a message."""

    @pytest.mark.parametrize(
        ("text", "items"),
        [
            ("a : b:c", ("a", "b", "c")),
            ("<; 2001:db8::1 ; 192.0.2.1", ("2001:db8::1", "192.0.2.1")),
            ("2001::db8::::1 : x", ("2001:db8::1", "x")),
            ("<; a;;b ; c", ("a;b", "c")),
            (" : ", ()),
            ("", ()),
        ],
    )
    def test_split(self, text: str, items: tuple[str, ...]) -> None:
        """The separator is a colon or what follows `<`; doubled, it stands for itself."""
        assert items == split(text)

    def test_variables(self) -> None:
        """Every spelling of a header and a variable; what is escaped or never changes is left out."""
        text = r"$h_from: ${rheader_From:} $sender_address_domain ${return_path} \$host $primary_hostname $1 $h_x-list:"

        assert {"from", "sender_address_domain", "return_path", "h_x-list:"} == variables(text)
        assert unknown(text, tuple(message("x"))) == ("h_x-list:",)

    def test_written(self) -> None:
        """A variable's value takes its place, whatever its spelling; names that only begin like it stay."""
        text = "${lc:${domain:$rh_from:}} $sender_address ${sender_address_domain} $sender_address_data"

        assert written(text, message("d.test", "p")) == "${lc:${domain:p@d.test}} p@d.test d.test $sender_address_data"
