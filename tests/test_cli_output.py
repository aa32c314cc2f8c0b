"""What people see: records that can be copied from any terminal, lines that fit it, and output that cannot be written."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnssync.cli import run
from dnssync.cli.context import Context
from dnssync.demo import stage
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
    context = Context(now=lambda: scene.now, environ={"COLUMNS": "80"}, stdin=io.StringIO(), stdout=screen, stderr=io.StringIO(),
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

    def test_before_the_first(self, scene: Scene) -> None:
        """A zone that was never looked at says what to do."""
        assert shown(scene, "status")[-2:] == [f"{DOMAIN}  last pass never", "    `dnssync apply` makes the first one"]
