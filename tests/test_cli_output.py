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
