"""What a Debian package would install besides the code."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

from dnssync import __version__
from dnssync.config import Config
from dnssync.keystore import GROUP, USER

ROOT = Path(__file__).parents[1]


def test_user_and_folders() -> None:
    """sysusers and tmpfiles name the user, the group and the folders that the code uses by default."""
    users = (ROOT / "systemd/dnssync.sysusers").read_text()
    assert re.search(rf"^u {USER} ", users, re.MULTILINE) and re.search(rf"^m {USER} {GROUP}$", users, re.MULTILINE)
    rows = [
        line.split()
        for line in (ROOT / "systemd/dnssync.tmpfiles").read_text().splitlines()
        if not line.startswith("#")
    ]
    modes = {path: (mode, user, group) for _, path, mode, user, group in rows}
    default = Config(Path("/x"), {}, {})
    assert modes[str(default.keys)] == ("0750", USER, GROUP)
    assert modes[str(default.exim.map.parent)] == ("0755", USER, GROUP)
    assert str(default.state_directory) in modes
    # exim's processes are in the group, the probe may run as anybody: each must get through to the map.
    assert int(modes[str(default.exim.map.parent.parent)][0], 8) & 0o001


def test_version_stands_in_two_places_alike() -> None:
    """The version of the package is the one that --version tells; every provider is an entry point."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == __version__
    assert {"memory", "manual", "rfc2136", "zonefile"} <= set(entry_points(group="dnssync.providers").names)
    bounds = [text for text in project["dependencies"] if not re.search(r">=\d", text)]
    assert bounds == []
