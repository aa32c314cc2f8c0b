"""What people see: records that can be copied from any terminal, lines that fit it, and output that cannot be written."""

from __future__ import annotations

import io
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnssync import identity
from dnssync.cli import run, streams
from dnssync.cli.context import Context
from dnssync.config import load
from dnssync.core.durations import moment
from dnssync.demo import stage
from dnssync.state import State
from tests.e2e.test_crash import Scene, open_folder

__all__ = ["open_folder"]
DOMAIN = stage.DOMAIN


class Screen(io.StringIO):
    """A terminal of 80 columns."""

    def isatty(self) -> bool:
        """It is one."""
        return True

    @property
    def lines(self) -> list[str]:
        """What stands on it, without colours."""
        return re.sub(r"\x1b\[[0-9;]*m", "", self.getvalue()).splitlines()


@pytest.fixture
def scene(open_folder: Path) -> Iterator[Scene]:
    """A zone that is served, and nothing done to it yet."""
    made = Scene(open_folder / "scene")
    with made.served():
        yield made


def shown(scene: Scene, *args: str) -> list[str]:
    """The lines of a command on a terminal of 80 columns."""
    screen = Screen()
    context = Context(now=lambda: scene.now, environ={"COLUMNS": "80"}, stdin=io.StringIO(), stdout=screen, stderr=io.StringIO(), disciplined=lambda: None,
                      make_line=scene.line)  # fmt: skip
    run(["-c", str(scene.stage.config), *args], context)
    return screen.lines


def manual(scene: Scene) -> None:
    """The zone is edited by hand from now on."""
    text = scene.stage.config.read_text()
    scene.stage.config.write_text(re.sub(r"class: zonefile\n.*\n.*\n", "class: manual\n", text))


class TestRecords:
    def test_by_hand(self, scene: Scene) -> None:
        """A key's line is never broken by dnssync: copied from a narrow terminal it is still one line, its base64 whole."""
        manual(scene)
        for command in (("apply", "--yes"), ("plan",)):
            lines = [line for line in shown(scene, *command) if "by hand: add:" in line and "k=rsa" in line]
            assert len(lines) == 1
            assert re.search(r'IN TXT "v=DKIM1; k=rsa; p=MII[A-Za-z0-9+/]{200,}" "[A-Za-z0-9+/]+=*"$', lines[0])

    def test_in_a_diff(self, scene: Scene) -> None:
        """A stranger's long record in a diff stays one line, too."""
        long = "site-verification=" + "word " * 30
        scene.stage.zone_file.write_text(stage.ZONE + f'{DOMAIN}. IN TXT "{long}"\n')
        assert f'      = "{long}"   not ours, left alone' in shown(scene, "plan")


class TestStatus:
    def test_on_80_columns(self, scene: Scene) -> None:
        """Keys stand in columns under their domain, what each waits for under it; nothing is wider than the terminal."""
        assert scene.run("apply", "--yes") == 0
        scene.now += 100
        lines = shown(scene, "status")
        assert max(map(len, lines)) <= 80
        assert lines[0] == DOMAIN
        one, two = lines[1], lines[3]
        assert re.fullmatch(r"  20261124e\S+  ed25519  generated  since 2026-11-24 08:00 UTC", one), lines
        assert re.fullmatch(r"  20261124r\S+  rsa2048  generated  since 2026-11-24 08:00 UTC", two), lines
        assert lines[2] == lines[4] and lines[2].startswith("    to be seen on all name servers")
        assert lines[5:] == ["", f"{DOMAIN}  last pass 2026-11-24 08:00 UTC  ok"]

    def test_since_when(self, scene: Scene) -> None:
        """A phase that comes by the clock alone is told with the moment at which it came, not with that of the pass before."""
        for _ in range(3):
            assert scene.run("apply", "--yes") == 0
            scene.now += 100
        keys = State.open(load(scene.stage.config).state, host=identity.rows(scene.stage.keys), read_only=True).keys()
        [season] = {key.season for key in keys}
        published = int(scene.now) - 100
        assert {key.published for key in keys} == {published}
        for pause, phase, since in ((-1, "published", published), (0, "ready", published + season)):
            scene.now = published + season + pause
            told = [line for line in shown(scene, "status") if "since 2026" in line]
            assert len(told) == 2 and all(line.endswith(f"{phase}  since {moment(since)}") for line in told), told

    def test_a_long_result(self, scene: Scene) -> None:
        """Why a zone was refused stands under it, broken at words; elsewhere than on a terminal it is the same text, plain."""
        scene.stage.zone_file.write_text(stage.ZONE + f'{DOMAIN}. IN TXT "v=spf1 -all"\n')
        assert scene.run("apply", "--yes") == 3
        lines = shown(scene, "status")
        assert max(map(len, lines)) <= 80
        at = lines.index(f"{DOMAIN}  last pass 2026-11-24 08:00 UTC")
        assert len(lines) > at + 3 and all(line.startswith("    ") for line in lines[at + 1 :])
        assert scene.run("status") == 1
        assert scene.told.getvalue().split() == " ".join(lines).split() and "\x1b" not in scene.told.getvalue()

    def test_last_pass(self, scene: Scene) -> None:
        """The time is that of the last pass, also of one that found nothing to do."""
        for _ in range(2):
            assert scene.run("apply", "--yes") == 0
            scene.now += 3600
        assert f"{DOMAIN}  last pass 2026-11-24 09:00 UTC  ok" in shown(scene, "status")

    def test_notices_stay(self, scene: Scene) -> None:
        """What the last pass noticed is told until a pass sees that it is over, with the time since when; what needs a person is exit code 1."""
        before = scene.stage.config.read_text()
        scene.stage.config.write_text(
            before.replace("zones:", f"defaults: {{spf: {{extra: ['include:_spf.{DOMAIN}']}}}}\nzones:", 1)
        )
        for _ in range(2):
            assert scene.run("apply", "--yes") == 0
            scene.now += 3600
        told = " ".join(shown(scene, "status"))
        assert (
            told.count("note: ") == 1
            and f"_spf.{DOMAIN}" in told
            and "(since 2026-11-24 08:00 UTC)" in re.sub(" +", " ", told)
        )
        assert scene.run("status") == 1
        scene.stage.config.write_text(before)
        assert scene.run("apply", "--yes") == 0
        assert "note: " not in " ".join(shown(scene, "status")) and scene.run("status") == 0

    def test_before_the_first(self, scene: Scene) -> None:
        """A zone that was never looked at says what to do."""
        told = " ".join(" ".join(shown(scene, "status")).split())
        assert told.endswith(f"{DOMAIN} last pass never `dnssync -c {scene.stage.config} apply` makes the first one")


def process(command: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    """A shell's command line in which `dnssync` is this one."""
    code = "import sys; from dnssync.cli import main; sys.argv[0] = 'dnssync'; main()"
    start = f'dnssync() {{ "{sys.executable}" -c "{code}" "$@"; }}\nset -o pipefail\n'
    return subprocess.run(
        ["bash", "-c", start + command], capture_output=True, timeout=120, env={**os.environ, **environ}
    )


@pytest.fixture
def written(scene: Scene) -> Scene:
    """A zone in which dnssync has written."""
    assert scene.run("apply", "--yes") == 0
    return scene


class TestStreams:
    def test_ascii(self, written: Scene) -> None:
        """In an old encoding signs are spelled with what it has, and octets that are no text as in a zone file."""
        environ = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
        state = State.open(f"sqlite:///{written.stage.state}/state.db", host=platform.node())
        state.add_event(int(written.now), "confirm", sentence="− one … two → ü")
        done = process(f"dnssync -c {written.stage.config} history -n 1", **environ)
        assert done.returncode == 0 and done.stderr == b"", done.stderr
        assert done.stdout.splitlines()[1].split() == b"2026-11-24 08:00 UTC - one ... two -> \\xfc".split()

    def test_octets_that_are_no_text(self) -> None:
        """Not even UTF-8 has octets that are none."""
        code = "from dnssync.cli import streams; streams.prepare(); print('ü\\udcff')"
        environ = {**os.environ, "PYTHONIOENCODING": "utf-8"}
        spelled = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environ)
        assert spelled.stdout == "ü\\255\n".encode(), spelled.stderr

    @pytest.mark.parametrize("args", ["history", "history --json", "--help", "exim --help", "plan nowhere.test --json"])
    def test_full(self, written: Scene, args: str) -> None:
        """Where no room is left for the output, that is one sentence and exit code 1."""
        done = process(f"dnssync -c {written.stage.config} {args} > /dev/full")
        told = done.stderr.decode().splitlines()
        assert done.returncode == 1
        assert len(told) == 1 and "standard output: No space left on device." in told[0], told

    @pytest.mark.parametrize("args", ["history -n 9999", "history -n 9999 --json", "--help"])
    def test_a_reader_that_goes(self, written: Scene, args: str) -> None:
        """`dnssync history | head -1` says nothing on standard error, however much there was to tell."""
        state = State.open(f"sqlite:///{written.stage.state}/state.db", host=platform.node())
        with state.transaction():
            for number in range(3000):
                state.add_event(number, "confirm", sentence="a person confirmed something")
        done = process(f"dnssync -c {written.stage.config} {args} | (exec 0<&-; true)")
        assert done.returncode in (0, 1) and done.stderr == b""
        head = process(f"dnssync -c {written.stage.config} history -n 9999 | head -1")
        assert head.returncode == 1 and head.stdout.startswith(b"when") and head.stderr == b""

    def test_what_a_stream_still_holds(self) -> None:
        """What a broken stream was given before is dropped, so that it can be closed in peace."""
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "w") as stream:
            stream.write("x")
            streams.give_up(stream)
            assert os.fstat(writer).st_rdev == Path(os.devnull).stat().st_rdev

    def test_closed(self, written: Scene) -> None:
        """Without any standard stream there is nothing to say, and no error."""
        assert process(f"dnssync -c {written.stage.config} history <&- >&-").returncode == 0


class TestSilentServers:
    def test_no_server_answers(self, open_folder: Path) -> None:
        """plan and apply say which servers do not answer, and what to do; before there are keys, and after."""
        scene = Scene(open_folder / "scene")
        with scene.served():
            pass
        assert scene.run("plan") == 2
        [server] = re.findall(r'nameservers: \["(.*)"\]', scene.stage.config.read_text())
        note = f"note: {DOMAIN}: its name servers do not all answer ({server}: "
        assert note in scene.told.getvalue()

        scene = Scene(open_folder / "again")
        with scene.served():
            assert scene.run("apply", "--yes") == 0
            assert "do not all answer" not in scene.told.getvalue()
        for command, code in ((("plan",), 0), (("apply", "--yes"), 0)):
            assert scene.run(*command) == code
            told = " ".join(scene.told.getvalue().split())
            assert (
                told.count("its name servers do not all answer (127.0.0.1:") == 1 and told.count("by UDP and TCP") == 1
            )
            assert f"zones.{DOMAIN}.nameservers" in told
            assert "Nothing to do now" in told and "DNS holds what it should" not in told
        scene.run("plan", "--json")
        assert '"reason": "servers_silent"' in scene.told.getvalue()


def test_what_a_terminal_would_obey() -> None:
    """A text from DNS that holds control characters is shown, not obeyed: neither on standard output nor on standard error."""
    out, err = io.StringIO(), io.StringIO()
    context = Context(stdout=out, stderr=err)
    context.say("a\x1b]0;title\x07b\x9bc\x7f\n\td")
    context.say("e\x1b[2Jf", whole=True)
    context.warn("g\rh")
    assert out.getvalue() == "a\\x1b]0;title\\x07b\\x9bc\\x7f\n        d\ne\\x1b[2Jf\n"
    assert err.getvalue() == "g\\x0dh\n"
