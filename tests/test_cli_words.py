"""A person's words: what `freeze`, `confirm`, `release` and `history` take, refuse, and leave as it was."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnssync.cli import run
from dnssync.cli.context import Context, spelled
from tests.e2e.test_crash import Scene, open_folder
from tests.test_cli_commands import DOMAIN, data, told

__all__ = ["open_folder"]


@pytest.fixture
def scene(open_folder: Path) -> Iterator[Scene]:
    """A zone that is served, and what dnssync wrote in it."""
    made = Scene(open_folder / "scene")
    with made.served():
        assert made.run("apply", "--yes") == 0
        yield made


class Terminal(io.StringIO):
    """A person's keyboard."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def answered(scene: Scene, answer: str, *args: str) -> tuple[int, str]:
    """A command whose question is answered so."""
    out = io.StringIO()
    context = Context(
        now=lambda: scene.now, environ={}, stdin=Terminal(answer), stdout=out, stderr=out, make_line=scene.line
    )
    return run(["-c", str(scene.stage.config), *args], context), out.getvalue()


def events(scene: Scene) -> list[str]:
    """Everything in the history."""
    return [event["sentence"] for event in data(scene, "history", "-n", "1000")]  # type: ignore[index]


def take_out(scene: Scene) -> None:
    """The zone leaves the configuration; another one is there."""
    text = scene.stage.config.read_text()
    scene.stage.config.write_text(text.replace(f"  {DOMAIN}:", "  elsewhere.example:"))


class TestFreeze:
    def test_thawing_what_is_not_frozen(self, scene: Scene) -> None:
        """Nothing happened, so the history has nothing of it."""
        before = events(scene)

        assert scene.run("freeze", "--off", DOMAIN) == 0
        assert f"{DOMAIN} was not frozen." in told(scene)
        assert events(scene) == before

    def test_history_tells_both(self, scene: Scene) -> None:
        """Freezing and thawing are in the history, with the date."""
        assert scene.run("freeze", DOMAIN, "--until", "2026-12-31") == 0
        assert scene.run("freeze", DOMAIN, "--off") == 0

        assert events(scene)[:2] == [
            f"{DOMAIN} thawed by a person", f"{DOMAIN} frozen until 2026-12-31 00:00 UTC by a person",
        ]  # fmt: skip

    @pytest.mark.parametrize("until", ["0d", "99999999999w", "0001-01-01", "2026-13-01", "", "-3d"])
    def test_a_time_that_cannot_be(self, scene: Scene, until: str) -> None:
        """A time that is over, or that no calendar has, is a usage error and freezes nothing."""
        before = events(scene)

        assert scene.run("freeze", DOMAIN, "--until", until) == 64
        assert events(scene) == before

    def test_off_and_until(self, scene: Scene) -> None:
        """The two exclude each other."""
        assert scene.run("freeze", DOMAIN, "--until", "3d", "--off") == 64

    def test_a_mistyped_domain(self, scene: Scene) -> None:
        """A name that no zone holds freezes nothing; an administrator would trust in it."""
        assert scene.run("freeze", "esferas.exampel") == 1
        assert f"did you mean {DOMAIN}?" in told(scene)

    def test_no_mail_domain(self, scene: Scene) -> None:
        """A name in the zone that exim has not cannot be frozen; thawing it tells that nothing was."""
        before = events(scene)

        assert scene.run("freeze", f"www.{DOMAIN}") == 1
        assert f"www.{DOMAIN}: exim has no such domain; its zone is {DOMAIN}." in told(scene)
        assert scene.run("freeze", "--off", f"www.{DOMAIN}") == 0 and "was not frozen" in told(scene)
        assert events(scene) == before

    def test_a_domain_that_has_nothing_yet(self, open_folder: Path) -> None:
        """exim is asked about a domain that dnssync never wrote for."""
        scene = Scene(open_folder / "scene")
        with scene.served():
            assert scene.run("freeze", DOMAIN) == 0
            assert "alone" not in told(scene)

    def test_one_of_several(self, scene: Scene) -> None:
        """Freezing the domain that is named as the zone tells which others go on."""
        text = scene.stage.config.read_text()
        scene.stage.config.write_text(
            text.replace(f"  {DOMAIN}:", f"  {DOMAIN}:\n    domains: [{DOMAIN}, mail.{DOMAIN}]")
        )

        assert scene.run("freeze", DOMAIN) == 0
        assert f"It is this domain alone: others of the zone {DOMAIN} go on (mail.{DOMAIN})." in told(scene)

    def test_a_zone_that_is_no_domain(self, open_folder: Path) -> None:
        """Where the zone itself has no mail, its domains are named."""
        scene = Scene(open_folder / "scene")
        with scene.served():
            text = scene.stage.config.read_text()
            scene.stage.config.write_text(text.replace(f"  {DOMAIN}:", f"  {DOMAIN}:\n    domains: [mail.{DOMAIN}]"))
            assert scene.run("freeze", DOMAIN) == 1
            assert f"is a zone and no mail domain: freeze those in it, one by one (mail.{DOMAIN})." in told(scene)
            assert scene.run("freeze", f"www.{DOMAIN}") == 1 and "does not name it; its zone is" in told(scene)


class TestConfirm:
    @pytest.mark.parametrize("what", ["narrow", "gone", "servers"])
    def test_a_mistyped_subject(self, scene: Scene, what: str) -> None:
        """A word about a name that no zone holds is not noted: it would settle nothing."""
        before = events(scene)

        assert scene.run("confirm", what, "esferas.exampel") == 1
        assert f"did you mean {DOMAIN}?" in told(scene)
        assert events(scene) == before

    def test_servers_takes_a_zone(self, scene: Scene) -> None:
        """A domain within a zone is not the zone."""
        assert scene.run("confirm", "servers", f"mail.{DOMAIN}") == 1
        assert "takes the zone" in told(scene)
        assert scene.run("confirm", "servers", DOMAIN.upper() + ".") == 0
        assert (
            events(scene)[0]
            == f"a person confirmed: what the provider shows for the zone {DOMAIN} is right, even if it is empty"
        )

    def test_clock(self, scene: Scene) -> None:
        """The clock has no name."""
        assert scene.run("confirm", "gone", DOMAIN) == 1 and "exim still has" in told(scene)
        assert scene.run("confirm", "clock") == 0
        assert events(scene)[0] == "a person confirmed: the clock of this host is right"


class TestRelease:
    @pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("yes\n", 0), ("n\n", 3), ("\n", 3), ("", 130)])
    def test_asks(self, scene: Scene, answer: str, code: int) -> None:
        """Only a clear yes lets go; an end of input is Ctrl-D, not a yes."""
        got, out = answered(scene, answer, "release", DOMAIN)

        assert got == code, out
        assert "Its records stay. [y/N]" in out
        assert (f"{DOMAIN} was let go by a person" in events(scene)) == (code == 0)

    def test_a_zone_that_left_the_configuration(self, scene: Scene) -> None:
        """The usual order: first out of the configuration, then released; its history is still told, its records stand."""
        zone = scene.stage.zone_file.read_text()
        take_out(scene)

        assert scene.run("release", DOMAIN, "--yes") == 0
        assert f"{DOMAIN}: 5 records are nobody's but yours now." in told(scene)
        assert scene.stage.zone_file.read_text() == zone
        assert len(list(scene.stage.keys.rglob("*.pem"))) == 2
        assert scene.run("status") == 0 and "no keys yet" in told(scene)
        assert scene.run("history", DOMAIN) == 0
        assert "was let go by a person" in told(scene)

    def test_unknown_before_it_asks(self, scene: Scene) -> None:
        """A name that nobody knows is told as that; nobody is asked about it, and nothing far-fetched is offered."""
        got, out = answered(scene, "y\n", "release", "nope")

        assert got == 1 and "[y/N]" not in out
        assert out == "dnssync: dnssync wrote nothing in a zone nope.\n"

    def test_a_mistyped_zone(self, scene: Scene) -> None:
        """A name that dnssync never wrote in is a mistake, not a success."""
        take_out(scene)
        before = events(scene)

        assert scene.run("release", "esferas.exampel", "--yes") == 1
        assert f"wrote nothing in a zone esferas.exampel; did you mean {DOMAIN}?" in told(scene)
        assert events(scene) == before


class TestHistory:
    def test_for_one_domain(self, scene: Scene) -> None:
        """A zone's name stands for all that lies in it; a name beside it has nothing of that."""
        everything = events(scene)
        assert len(data(scene, "history", DOMAIN)) == len(everything)
        assert scene.run("history", f"other.{DOMAIN}") == 0
        assert "Nothing was changed yet." in told(scene)

    def test_a_name_that_never_was(self, scene: Scene) -> None:
        """A mistyped name is told as that: an empty history would be a false comfort."""
        assert scene.run("history", "esferas.exampel") == 1
        assert f"did you mean {DOMAIN}?" in told(scene)

    def test_the_newest_comes_last(self, scene: Scene) -> None:
        """People read downwards to the newest, as in a log; --json has it first."""
        scene.now += 100
        assert scene.run("confirm", "clock") == 0
        newest = data(scene, "history", "-n", "1")
        assert scene.run("history") == 0
        lines = [line for line in scene.told.getvalue().splitlines() if line.strip()]

        assert "clock" in newest[0]["sentence"]  # type: ignore[index]
        assert "clock" in lines[-1]


@pytest.mark.parametrize(
    ("args", "ending"),
    [
        (("plan", "esferas.exampel"), f"lies in no configured zone; did you mean {DOMAIN}?"),
        (("plan", "mail.example"), f"lies in no configured zone; configured are {DOMAIN}."),
        (("plan", f"www.{DOMAIN}"), f"www.{DOMAIN}: exim has no such domain; its zone is {DOMAIN}."),
        (("apply", "--yes", f"_dmarc.{DOMAIN}"), f": exim has no such domain; its zone is {DOMAIN}."),
        (("plan", ""), "Error: an empty name names nothing: leave it out, or give a domain or a zone."),
        (("release", "esferas.exampel"), f"in a zone esferas.exampel; did you mean {DOMAIN}?"),
        (("plam",), "there is no command 'plam'; did you mean plan?"),
        (("resolve",), "there is no command 'resolve'; see dnssync --help"),
    ],
)
def test_how_a_guess_ends(scene: Scene, args: tuple[str, ...], ending: str) -> None:
    """A question ends with its mark alone, and only what is likely to be meant is offered."""
    scene.run(*args)
    assert scene.told.getvalue().rstrip().endswith(ending)


class TestWait:
    def test_somebody_changes_the_zone(self, scene: Scene) -> None:
        """A change that would have to be written anew is for a person to see first: the waiting ends, refused."""
        out = io.StringIO()

        def sleep(seconds: float) -> None:
            scene.now += seconds
            zone = scene.stage.zone_file
            zone.write_text(re.sub(r"(?m)^_dmarc.*\n", "", zone.read_text()))

        context = Context(now=lambda: scene.now, sleep=sleep, environ={}, stdin=io.StringIO(), stdout=out, stderr=out,
                          make_line=scene.line)  # fmt: skip
        assert run(["-c", str(scene.stage.config), "apply", "--yes", "--wait"], context) == 3
        assert "the waiting ends here" in out.getvalue() and "_dmarc" not in scene.stage.zone_file.read_text()


class TestHints:
    def test_with_the_file_that_was_given(self, scene: Scene) -> None:
        """A command that is named works as it stands, also where the sentence is broken."""
        scene.stage.zone_file.write_text(scene.stage.zone_file.read_text().replace("v=spf1 mx a ", "v=spf1 mx "))
        assert scene.run("release", DOMAIN, "--yes") == 0
        file = scene.stage.config
        assert scene.run("plan") == 3
        assert f"run: dnssync -c {file} apply --adopt {DOMAIN}" in told(scene)
        assert scene.run("apply", "--yes") == 3
        assert scene.run("status") == 1
        assert f"run: dnssync -c {file} apply --adopt {DOMAIN}" in told(scene)
        assert scene.run("freeze", DOMAIN) == 0
        assert f"`dnssync -c {file} freeze --off {DOMAIN}`" in told(scene)

    @pytest.mark.parametrize(
        ("given", "shown"),
        [(None, "dnssync plan"), ("a b.yaml", "dnssync -c 'a b.yaml' plan"), (r"\1", r"dnssync -c '\1' plan")],
    )
    def test_only_where_one_was_given(self, given: str | None, shown: str) -> None:
        """Without -c the command is as short as it can be; a file's name is quoted for the shell."""
        assert Context(config_option=given).hinted("dnssync is told: dnssync plan") == f"dnssync is told: {shown}"


def test_names_as_people_write_them() -> None:
    """Capitals, a final dot and letters beyond ASCII are the same name; what is no name is left for the message."""
    assert spelled(("Example.ORG.", "bücher.example", "no name")) == ("example.org", "xn--bcher-kva.example", "no name")


def test_idn_on_the_command_line(scene: Scene) -> None:
    """A domain that is written in letters beyond ASCII is the one that is configured as A-labels."""
    text = scene.stage.config.read_text()
    entry = "  xn--bcher-kva.example:\n    domains: [bücher.example]"
    scene.stage.config.write_text(text.replace(f"  {DOMAIN}:", entry))

    assert scene.run("freeze", "Bücher.example") == 0
    assert "xn--bcher-kva.example is frozen" in told(scene)
