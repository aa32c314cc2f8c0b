"""The smaller commands, exit codes and --json, on a real zone file and name server; exim is the recorded sample's."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnssync.cli import COMMANDS
from dnssync.demo import stage
from tests.e2e.test_crash import Scene, open_folder

__all__ = ["open_folder"]
DOMAIN = stage.DOMAIN


@pytest.fixture
def scene(open_folder: Path) -> Iterator[Scene]:
    """A zone that is served, and nothing done to it yet."""
    made = Scene(open_folder / "scene")
    with made.served():
        yield made


def told(scene: Scene) -> str:
    """What the last command printed, white space made even."""
    return " ".join(scene.told.getvalue().split())


def data(scene: Scene, *args: str) -> dict:
    """The one JSON document of a command."""
    scene.run(*args, "--json")
    return json.loads(re.sub(r"\A[^{\[]*", "", scene.told.getvalue()))  # the scene has one stream for both


def dnssync(*args: str) -> subprocess.CompletedProcess[str]:
    """The command as a process of its own."""
    code = "import sys; from dnssync.cli import main; sys.argv[0] = 'dnssync'; main()"
    return subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True, timeout=60)


class TestUsage:
    def test_version(self) -> None:
        """--version tells the version and imports nothing heavy on the way."""
        code = (
            "import sys; from dnssync.cli import run; run(['--version']); print(*sorted(sys.modules), file=sys.stderr)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert re.fullmatch(r"dnssync \d+\.\d+\.\d+\n", done.stdout)
        heavy = {
            "rich",
            "yaml",
            "sqlalchemy",
            "dns",
            "cryptography",
            "attrs",
            "requests",
            "octodns",
            "dnssync_providers",
        }
        assert not heavy & {name.partition(".")[0] for name in done.stderr.split()}

    @pytest.mark.parametrize("command", COMMANDS)
    def test_help(self, command: str) -> None:
        """Every command has a help text, and takes --json."""
        done = dnssync(command, "--help")
        assert done.returncode == 0 and "--json" in done.stdout
        assert len(done.stdout.splitlines()) > 6

    @pytest.mark.parametrize("args", [["plam"], ["plan", "--nonsense"], ["confirm", "nonsense"], ["confirm", "clock", "x.org"],
                                      ["confirm", "gone"]])  # fmt: skip
    def test_usage_errors(self, scene: Scene, args: list[str]) -> None:
        """A command line that is wrong ends with 64 and a sentence."""
        assert scene.run(*args) == 64
        assert "Error: " in told(scene) and "Traceback" not in told(scene)

    def test_no_configuration(self) -> None:
        """A configuration that is not there ends with 78 and tells about init."""
        done = dnssync("-c", "/nonexistent.yaml", "plan")
        assert (
            done.returncode == 78
            and "`dnssync -c /nonexistent.yaml init`" in done.stderr
            and "Traceback" not in done.stderr
        )
        done = dnssync("-c", "/nonexistent.yaml", "plan", "--json")
        assert json.loads(done.stdout)["exit"] == 78

    def test_name_outside_every_zone(self, scene: Scene) -> None:
        """A name that no zone holds is asked about."""
        assert scene.run("plan", "esferas.exampel") == 1
        assert f"did you mean {DOMAIN}?" in told(scene)


class TestStatusAndHistory:
    def test_before_anything(self, scene: Scene) -> None:
        """Before the first apply there is nothing, and that is said; nothing is made by asking."""
        assert scene.run("status") == 0 and "no keys yet" in told(scene)
        assert scene.run("history") == 0 and "Nothing was changed yet" in told(scene)
        assert not list(scene.stage.state.iterdir())

    def test_the_demonstration_never_changes_its_user(self, tmp_path: Path) -> None:
        """Each folder of the demonstration is made by whoever runs it, so that root beside a user `dnssync` stays root."""
        made = stage.build(tmp_path)
        mine = [made.state, made.keys, made.map.parent, made.zone_file.parent]
        assert {folder.stat().st_uid for folder in mine} == {os.geteuid()}

    def test_the_way_of_the_keys(self, scene: Scene) -> None:
        """status tells what each key waits for, history what was done and why."""
        wanted = [
            "to be seen",
            "a second look at all name servers, from 2026-11-24",
            "ready at 2026-11-24",
            "looks whether exim signs",
            "has served at 2027",
        ]
        for want in wanted:
            assert scene.run("apply", "--yes") == 0
            assert scene.run("status") == 0
            assert want in told(scene), want
            scene.now += 5000
        assert sorted(row["phase"] for row in data(scene, "status")["keys"]) == [
            "active",
            "active",
            "generated",
            "generated",
        ]
        assert scene.run("history") == 0
        assert "made 20261124r" in told(scene) and f"exim signs {DOMAIN} with" in told(scene)
        events = data(scene, "history", "-n", "3")
        assert len(events) == 3 and events[0]["at"] >= events[2]["at"]

    def test_a_refused_zone_needs_a_person(self, scene: Scene) -> None:
        """What the last pass was refused is told by status, with exit code 1."""
        scene.stage.zone_file.write_text(stage.ZONE + f'{DOMAIN}. IN TXT "v=spf1 -all"\n')
        assert scene.run("apply", "--yes") == 3
        assert scene.run("status") == 1 and "refused" in told(scene)
        assert scene.run("apply", "--yes", "--adopt") == 0
        assert scene.run("status") == 0

    def test_a_lost_key_needs_a_person(self, scene: Scene) -> None:
        """A private key that is gone is told by status, with exit code 1, before any pass sees it."""
        assert scene.run("apply", "--yes") == 0
        assert scene.run("status") == 0
        next(scene.stage.keys.rglob("*.pem")).unlink()
        assert scene.run("status") == 1 and ".pem" in told(scene)
        assert data(scene, "status")["exit"] == 1

    def test_a_lost_standby_needs_nobody(self, scene: Scene) -> None:
        """Once another key is made in its place, neither status nor an alert wants anything of anybody, until that is lost as well."""
        assert scene.run("apply", "--yes") == 0
        lost = {key.unlink() or key.stem for key in [*scene.stage.keys.rglob("*.pem")]}
        assert scene.run("status") == 1
        assert scene.run("apply", "--yes") == 0
        assert scene.run("apply", "--yes") == 0
        reasons = {notice["reason"] for notice in data(scene, "plan")["notices"]}
        assert "standby_lost" in reasons and "key_unusable" not in reasons
        assert scene.run("status") == 0 and "Another key stands by in its place" in told(scene)
        for key in scene.stage.keys.rglob("*.pem"):
            assert key.stem not in lost
            key.unlink()
        assert scene.run("status") == 1 and "key_unusable" in {n["reason"] for n in data(scene, "plan")["notices"]}

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
    def test_a_state_that_became_roots(self, scene: Scene) -> None:
        """As root all works, and the service can write nothing any more: status tells it, with the remedy."""
        assert scene.run("apply", "--yes") == 0
        state = scene.stage.state / "state.db"
        for place in (scene.stage.state, state):
            os.chown(place, 65534, -1)
        assert scene.run("status") == 0
        os.chown(state, 0, -1)
        assert scene.run("status") == 1 and f"chown --reference={scene.stage.state} {state}" in told(scene)
        assert data(scene, "status")["exit"] == 1

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
    def test_a_state_on_a_read_only_disk(self, scene: Scene) -> None:
        """No pass can note anything, so none can say so: status sees it by itself."""
        assert scene.run("apply", "--yes") == 0
        state = scene.stage.state / "state.db"
        if subprocess.run(["mount", "--bind", state, state], capture_output=True).returncode:
            pytest.skip("nothing may be mounted here")
        try:
            subprocess.run(["mount", "-o", "remount,bind,ro", state], check=True)
            assert scene.run("status") == 1 and "cannot be written by anybody now" in told(scene)
        finally:
            subprocess.run(["umount", state], check=True)
        assert scene.run("status") == 0

    def test_a_lost_key_that_was_replaced(self, scene: Scene) -> None:
        """Once its successor signs, a lost key needs nobody any more: neither status nor a pass speaks of its file."""
        for _ in range(5):
            assert scene.run("apply", "--yes") == 0
            scene.now += 5000
        lost = next(scene.stage.keys.rglob("*.pem"))
        lost.unlink()
        assert "key_unusable" in {notice["reason"] for notice in data(scene, "plan")["notices"]}
        for _ in range(9):
            assert scene.run("apply", "--yes") == 0
            scene.now += 5000
        phases = {row["key"]["selector"]: row["phase"] for row in data(scene, "status")["keys"]}
        assert phases.pop(lost.stem) == "retired" and sorted(phases.values()) == ["active", "active", "ready", "ready"]
        assert scene.run("status") == 0 and lost.name not in told(scene)
        assert "key_unusable" not in {notice["reason"] for notice in data(scene, "plan")["notices"]}


class TestFreeze:
    def test_frozen_and_thawed(self, scene: Scene) -> None:
        """Nothing of a frozen domain is changed; thawed, or when the time is over, it is."""
        before = scene.stage.zone_file.read_text()
        assert scene.run("freeze", DOMAIN, "--until", "3d") == 0
        assert scene.run("plan") == 0 and "frozen" in told(scene)
        assert scene.run("apply", "--yes") == 0
        assert scene.stage.zone_file.read_text() == before
        scene.now += 3 * 86400 + 1
        assert scene.run("plan") == 2
        assert scene.run("freeze", DOMAIN) == 0 and scene.run("plan") == 0
        assert scene.run("freeze", "--off", DOMAIN) == 0 and scene.run("plan") == 2

    def test_frozen_keys_go_on_signing(self, scene: Scene) -> None:
        """The map of a frozen domain keeps its line."""
        for _ in range(5):
            assert scene.run("apply", "--yes") == 0
            scene.now += 5000
        line = scene.stage.map.read_text()
        assert scene.run("freeze", DOMAIN) == 0 and scene.run("apply", "--yes") == 0
        assert scene.stage.map.read_text() == line and DOMAIN in line

    @pytest.mark.parametrize("until", ["yesterday", "2020-01-01", "3x"])
    def test_a_time_that_is_none(self, scene: Scene, until: str) -> None:
        """A time that is none, or is over, is a usage error."""
        assert scene.run("freeze", DOMAIN, "--until", until) == 64


class TestRelease:
    def test_records_stay(self, scene: Scene) -> None:
        """The zone is let go with everything in it; equal records are simply known again by the next apply."""
        assert scene.run("apply", "--yes") == 0
        zone = scene.stage.zone_file.read_text()
        assert scene.run("release", DOMAIN) == 3
        assert scene.run("release", DOMAIN, "--yes") == 0 and "take it out" in told(scene)
        assert scene.stage.zone_file.read_text() == zone
        assert scene.run("plan") == 0


class TestConfirm:
    def test_noted_for_a_week(self, scene: Scene) -> None:
        """A word holds for seven days, and is told by status."""
        assert data(scene, "confirm", "narrow", DOMAIN)["until"] == int(scene.now) + 7 * 86400
        assert scene.run("status") == 0 and f"narrow {DOMAIN} (until" in told(scene)
        scene.now += 7 * 86400
        assert scene.run("status") == 0 and "narrow" not in told(scene)


class TestJson:
    def test_plan(self, scene: Scene) -> None:
        """plan's document holds every zone, its changes and the exit code."""
        got = data(scene, "plan")
        assert got["exit"] == 2 and [zone["zone"] for zone in got["zones"]] == [DOMAIN]
        assert {change["type"] for change in got["zones"][0]["changes"]} == {"TXT", "SPF"}

    def test_apply(self, scene: Scene) -> None:
        """apply's document tells what was made and what is pending; without a word it is exit code 3."""
        assert data(scene, "apply")["exit"] == 3
        got = data(scene, "apply", "--yes")
        assert got["exit"] == 0 and len(got["made"]) == 2 and len(got["pending"]) == 2
        assert all(look["sight"] == "visible" for look in got["looks"])
        assert "PRIVATE" not in json.dumps(got)


class TestInit:
    def test_never_replaces(self, scene: Scene) -> None:
        """A configuration that is there stays, with exit code 3."""
        before = scene.stage.config.read_text()
        assert scene.run("init") == 3 and "stays as it is" in told(scene)
        assert scene.stage.config.read_text() == before

    @pytest.mark.exim
    @pytest.mark.parametrize("provider", ["rfc2136", "zonefile", "manual"])
    def test_what_is_written_can_be_read(self, tmp_path: Path, provider: str) -> None:
        """The first configuration of each kind is one that `load` takes."""
        from dnssync.config import load

        file = tmp_path / "new" / "dnssync.yaml"
        done = dnssync("-c", str(file), "init", "--provider", provider)
        assert done.returncode == 0, done.stderr
        assert next(iter(load(file).providers.values())).class_ == provider


@pytest.mark.exim
def test_demo() -> None:
    """`dnssync demo`, on this machine's exim, comes out as it should."""
    done = dnssync("demo")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert "Everything came out as it should." in done.stdout and "clock that dnssync is given was moved" in done.stdout


def test_demo_without_exim() -> None:
    """On a machine without exim the recorded sample does."""
    code = (
        "import sys, pathlib; from dnssync.demo import stage; stage.EXIM = pathlib.Path('/nonexistent');"
        "from dnssync.cli import run; sys.exit(run(['demo', '--json']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    got = json.loads(done.stdout)
    assert done.returncode == 0 and "recorded sample" in got["exim"]
    assert [(step["command"], step["exit"]) for step in got["steps"]] == [
        ("plan", 2), ("apply --yes", 0), ("apply --yes --wait", 0), ("status", 0), ("plan", 0),
    ]  # fmt: skip
    assert {algorithm for _, _, algorithm in got["signers"]} == {"rsa2048", "ed25519"}


class TestManual:
    def test_a_person_enters_the_records(self, scene: Scene) -> None:
        """Without an API the lines are told; nothing counts as written until DNS shows it, then all goes on by itself."""
        file = f"class: zonefile\n    directory: {scene.stage.zone_file.parent}\n    file_extension: .zone"
        config = scene.stage.config.read_text()
        assert file in config
        scene.stage.config.write_text(config.replace(file, "class: manual"))
        assert scene.run("plan") == 2
        assert f'"v=spf1 mx a ip4:{stage.IP} -all"' in told(scene) and '"site-verification=7b1f" not ours' in told(
            scene
        )
        early = re.findall(r"by hand: (.*)", scene.told.getvalue())
        assert len(early) == 2 and "<new " not in "".join(early)  # a key has no text before it is made
        assert scene.run("apply", "--yes") == 0
        lines = re.findall(r"by hand: add: (.*)", scene.told.getvalue())
        assert len(lines) == 4 and "by hand" in told(scene)
        assert scene.run("plan") == 2 and scene.stage.zone_file.read_text() == stage.ZONE
        assert scene.run("apply", "--yes") == 0
        assert re.findall(r"by hand: add: (.*)", scene.told.getvalue()) == lines
        scene.stage.zone_file.write_text(stage.ZONE + "".join(f"{line}\n" for line in lines))
        for _ in range(5):
            assert scene.run("plan") in (0, 2)
            assert scene.run("apply", "--yes") == 0
            scene.now += 5000
        more = re.findall(r"by hand: add: (.*)", scene.told.getvalue())  # two keys that shall stand by
        assert len(more) == 2 and not {*more} & {*lines}
        scene.stage.zone_file.write_text(stage.ZONE + "".join(f"{line}\n" for line in [*lines, *more]))
        assert scene.run("apply", "--yes") == 0
        assert scene.run("plan") == 0, told(scene)
        assert scene.run("status") == 0 and told(scene).count(" active ") == 2
