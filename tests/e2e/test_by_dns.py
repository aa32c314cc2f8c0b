"""A zone that is read from its name servers, two of which differ: nothing counts as entered before each of them shows it.

The parts are real (two name servers, SQLite, PEM files, map, zone file) but for exim, whose answers are the recorded sample's.
"""

from __future__ import annotations

import json
import platform
import re
from pathlib import Path

from dnssync.demo import stage
from dnssync.demo.nameserver import NameServer
from dnssync.state import State
from tests.e2e.test_crash import Scene, open_folder
from tests.nameserver import FaultyServer

__all__ = ["open_folder"]

BASE = ("@ 300 IN MX 10 mx", f"@ 300 IN A {stage.IP}", f"mx 300 IN A {stage.IP}")


class Zone:
    """What one name server shows, edited by a person line by line."""

    def __init__(self, server: FaultyServer) -> None:
        self.server, self.lines = server, list(BASE)
        self.enter()

    def enter(self, *told: str) -> None:
        """What `dnssync` told to add and to delete, done."""
        for line in told:
            verb, record = line.split(": ", 1)
            if verb == "add":
                self.lines.append(record)
            else:
                assert verb == "delete"
                gone = re.sub(r" \d+ IN ", " ", record)
                self.lines = [line for line in self.lines if re.sub(r" \d+ IN ", " ", line) != gone]
        self.server.write(stage.DOMAIN, "\n".join(self.lines))


def configure(scene: Scene, providers: str, servers: list[str], extra: str = "") -> None:
    """The configuration, with a form that a person edits, these providers for the zone, and these name servers."""
    text = stage.write_config(scene.stage, "")
    text = text.replace("zones:\n", "  form: {class: manual, type99: true}\nzones:\n", 1)
    text = text.replace("    provider: file\n", f"    provider: [{providers}]\n{extra}")
    scene.stage.config.write_text(text.replace('nameservers: [""]', f"nameservers: {json.dumps(servers)}"))


def lines(scene: Scene, command: str, *more: str) -> tuple[int, list[str]]:
    """A command's exit code, and what it says that a person has to do."""
    code = scene.run(command, *more)
    return code, re.findall(r"(?m)^ *by hand: (.*)$", scene.told.getvalue())


def test_what_another_provider_shows_is_not_entered(open_folder: Path) -> None:
    """[file, form]: what dnssync wrote to the file is shown by that server, and still has to be entered into the form."""
    scene = Scene(open_folder / "scene")
    with (
        NameServer({stage.DOMAIN: scene.stage.zone_file}) as first,
        FaultyServer(open_folder, {stage.DOMAIN: ""}) as second,
    ):
        theirs = Zone(second)
        for servers in ([first.where, second.where], [second.where, first.where]):
            configure(scene, "file, form", servers)
            code, given = lines(scene, "apply", "--yes")
            assert code == 0 and len(given) == 5, scene.told.getvalue()
            assert lines(scene, "plan") == (2, given)
            assert f"is not shown by {second.where} yet" in " ".join(scene.told.getvalue().split())
        theirs.enter(*given[1:])
        assert lines(scene, "plan") == (2, given[:1])
        theirs.enter(given[0])
        assert lines(scene, "plan") == (0, []), scene.told.getvalue()


def test_a_slow_secondary(open_folder: Path) -> None:
    """A changed SPF record that only one server shows is no second record: its lines stay until both servers show it."""
    scene = Scene(open_folder / "scene")
    new = "    spf: {extra: ['ip4:198.51.100.7']}\n"
    with (
        FaultyServer(open_folder, {stage.DOMAIN: ""}) as first,
        FaultyServer(open_folder, {stage.DOMAIN: ""}, address="127.0.0.2") as second,
    ):
        one, two = Zone(first), Zone(second)
        servers = [first.where, second.where]
        configure(scene, "form", servers)
        code, given = lines(scene, "apply", "--yes")
        assert code == 0 and len(given) == 5, scene.told.getvalue()
        one.enter(*given)
        assert lines(scene, "plan") == (2, given)
        two.enter(*given)
        assert lines(scene, "plan") == (0, [])
        assert lines(scene, "apply", "--yes") == (0, [])

        configure(scene, "form", servers, new)
        code, given = lines(scene, "apply", "--yes")
        assert code == 0 and len(given) == 4, scene.told.getvalue()
        assert {line.split(":")[0] for line in given} == {"add", "delete"}
        one.enter(*given)
        for order in (servers, servers[::-1]):
            configure(scene, "form", order, new)
            assert lines(scene, "plan") == (2, given), scene.told.getvalue()
        assert "two" not in scene.told.getvalue() and "REFUSED" not in scene.told.getvalue()

        added = [line for line in given if line.startswith("add")]
        two.enter(*added)  # and the old one is forgotten
        for order in (servers, servers[::-1]):
            configure(scene, "form", order, new)
            assert scene.run("plan") == 3 and "2 SPF records stand there" in " ".join(scene.told.getvalue().split())
        two.enter(*[line for line in given if line not in added])
        assert lines(scene, "plan") == (0, []), scene.told.getvalue()


def test_a_domain_that_is_gone(open_folder: Path) -> None:
    """What was entered for a domain that nobody serves any more is to be deleted by hand, and not forgotten before it is."""
    scene = Scene(open_folder / "scene")
    with FaultyServer(open_folder, {stage.DOMAIN: ""}) as server:
        theirs = Zone(server)
        configure(scene, "form", [server.where])
        theirs.enter(*lines(scene, "apply", "--yes")[1])
        assert lines(scene, "apply", "--yes") == (0, [])
        scene.gone = True
        state = State.open(f"sqlite:///{scene.stage.state}/state.db", host=platform.node())
        state.add_request("gone", stage.DOMAIN, int(scene.now), None)
        code, given = lines(scene, "plan")
        assert code == 2 and any(f"delete: _dmarc.{stage.DOMAIN}. " in line for line in given), scene.told.getvalue()
        assert lines(scene, "apply", "--yes")[1] == given == lines(scene, "plan")[1]
        theirs.enter(*given)
        assert lines(scene, "plan") == (0, []), scene.told.getvalue()
