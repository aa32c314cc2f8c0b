"""The unit, the user, the folders, and what `make install-service` puts where; all of it in a folder of the test's own."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
from collections.abc import Iterator
from importlib.metadata import requires
from pathlib import Path
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement

from dnssync.config import CREDENTIALS, DEFAULT, Config
from dnssync.errors import ConfigError
from dnssync.keystore import GROUP, USER
from systemd.locked import locked
from tests.installing import make, python_stand_in

ROOT = Path(__file__).parents[1]
UNIT = ROOT / "systemd/dnssync.service"
EXPOSURE = 1.5  # of 10, as `systemd-analyze security` counts


def settings(name: str) -> list[str]:
    """The values of a setting of the unit, in their order."""
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """An install into a folder, done twice; `run(target)` runs another, `asked` is what pip was asked the first time."""
    folder = tmp_path_factory.mktemp("install")
    dest, log = folder / "dest & a|blank", folder / "asked"

    def run(target: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return make(target, dest, PYTHON=str(python), PIP_ASKED=str(log), **environ)

    python = python_stand_in(folder)
    first = run("install-service")
    assert first.returncode == 0, first.stderr
    asked = [json.loads(line) for line in log.read_text().splitlines()]
    yield SimpleNamespace(dest=dest, run=run, asked=asked, said=first.stdout)


def tree(folder: Path) -> dict[str, tuple[str, bytes | str]]:
    """Everything below a folder: mode, and content or target."""
    found = {}
    for path in sorted(folder.rglob("*")):
        mode = stat.filemode(path.lstat().st_mode)
        content = str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else ""
        if "__pycache__" not in path.parts:
            found[str(path.relative_to(folder))] = (mode, content)
    return found


def test_every_path_of_the_unit_is_there(installed: SimpleNamespace) -> None:
    """What the unit starts, loads and refers to is what the install puts there, or the system's own."""
    paths = {match.rstrip(".,") for match in re.findall(r"^\w+=.*?(/\S+)", UNIT.read_text(), re.MULTILINE)}
    paths -= {value for name in ("ReadWritePaths",) for value in settings(name)}
    assert {"/opt/dnssync/bin/dnssync", str(CREDENTIALS)} <= paths

    assert sorted(p for p in paths if not (installed.dest / p.lstrip("/")).exists() and not Path(p).exists()) == []
    assert os.access(installed.dest / "opt/dnssync/bin/dnssync", os.X_OK)


def test_what_is_installed_runs_where_it_will_lie(installed: SimpleNamespace) -> None:
    """No script and no setting of the environment names the folder that a package was built in, or from."""
    named = [
        str(path) for path in (installed.dest / "opt/dnssync").rglob("*")
        if path.is_file() and not path.is_symlink() and str(installed.dest).encode() in path.read_bytes()
    ]  # fmt: skip
    assert named == [] == list(installed.dest.rglob("direct_url.json"))
    assert (installed.dest / "opt/dnssync/bin/dnssync").read_text().startswith("#!/opt/dnssync/bin/python\n")
    assert (installed.dest / "usr/local/bin/dnssync").readlink() == Path("/opt/dnssync/bin/dnssync")


def test_whatever_root_s_umask_the_service_can_read_it(installed: SimpleNamespace) -> None:
    """Root often works with 077; only the folder of secrets is closed."""
    closed = [name for name, (mode, _) in tree(installed.dest).items() if mode[7] != "r" and not mode.startswith("l")]

    assert closed == ["etc/dnssync/credentials"]
    assert {entry["umask"] for entry in installed.asked} == {"0o22"}


def test_exact_versions_are_installed(installed: SimpleNamespace) -> None:
    """pip is given the locked versions with their hashes, then this very tree and nothing that it would bring along."""
    needs, own = installed.asked

    assert "--require-hashes" in needs["arguments"] and own["arguments"][-3:] == ["--no-deps", "--force-reinstall", "."]
    pins = re.findall(r"^(\S+)==\S+ \\\n    --hash=sha256:\w{64}", needs["requirements"], re.MULTILINE)
    assert len(pins) == needs["requirements"].count("==") > 20


def test_the_locked_part_is_whole_and_no_more(installed: SimpleNamespace) -> None:
    """What runs brings all that it needs in turn, and nothing of what tests and tools need."""
    pins = set(re.findall(r"^(\S+)==", installed.asked[0]["requirements"], re.MULTILINE))
    for name in pins:
        wanted = [Requirement(text) for text in requires(name) or ()]
        live = {
            re.sub(r"[-_.]+", "-", r.name).lower()
            for r in wanted
            if r.marker is None or r.marker.evaluate({"extra": ""})
        }
        assert live <= pins, name
    assert not pins & {"pytest", "mypy", "ruff", "hypothesis", "jsonschema", "octodns-gandi", "psycopg"}


def test_a_name_is_found_however_it_is_written() -> None:
    """`A_b` in pyproject.toml is `a-b` in the lock file; what only another package needs stays out."""
    lock = (
        "a-b==1 \\\n    --hash=sha256:x\n    # via dnssync (pyproject.toml)\n"
        "c==1 \\\n    --hash=sha256:x\n    # via\n    #   a-b\n    #   z\n"
        "d==1 \\\n    --hash=sha256:x\n    # via c\n"
        "e==1 \\\n    --hash=sha256:x\n    # via z\n"
        "z==1 \\\n    --hash=sha256:x\n    # via dnssync (pyproject.toml)\n"
    )
    assert re.findall(r"^(\S+)==", locked(lock, ["A_b>=1"]), re.MULTILINE) == ["a-b", "c", "d"]


def test_installing_again_changes_nothing_of_the_administrator_s(installed: SimpleNamespace) -> None:
    """A second install leaves configuration and secrets as they are, and everything else as the first one made it."""
    etc = installed.dest / "etc/dnssync"
    (etc / "dnssync.yaml").write_text("mine\n")
    (etc / "credentials/token").write_text("s3cret\n")
    (etc / "credentials").chmod(0o750)
    before = tree(installed.dest)
    again = installed.run("install-service")

    assert again.returncode == 0, again.stderr
    assert tree(installed.dest) == before
    assert "There is no /etc/dnssync/dnssync.yaml" in installed.said and "There is no" not in again.stdout


def test_uninstalling_leaves_what_it_was_told_and_made(installed: SimpleNamespace) -> None:
    """Configuration, secrets, keys and state stay, with a sentence that says where; the rest goes, and once more is fine."""
    etc, var = installed.dest / "etc/dnssync", installed.dest / "var/lib/dnssync"
    (etc / "dnssync.yaml").write_text("mine\n")
    (etc / "credentials/token").write_text("s3cret\n")
    var.mkdir(parents=True)
    (var / "state.db").write_text("state")
    kept = {name: what for name, what in tree(installed.dest).items() if name.startswith(("etc/", "var/"))}
    gone = installed.run("uninstall-service")

    assert gone.returncode == 0, gone.stderr
    left = {
        n: what
        for n, what in tree(installed.dest).items()
        if n.startswith(("etc/", "var/")) or not what[0].startswith("d")
    }
    assert left == kept
    assert "/etc/dnssync" in gone.stdout and "/var/lib/dnssync" in gone.stdout
    assert installed.run("uninstall-service").returncode == 0
    assert installed.run("install-service").returncode == 0


def test_nothing_is_installed_beside_the_folder(installed: SimpleNamespace) -> None:
    """A folder that is no absolute path is refused, before anything is done."""
    refused = subprocess.run([ROOT / "systemd/install", "install"], env={**os.environ, "DESTDIR": "dest"}, capture_output=True, text=True)  # fmt: skip

    assert refused.returncode == 64 and "absolute path" in refused.stderr
    assert not (ROOT / "dest").exists() and not (ROOT / "systemd/dest").exists()


def test_unit_and_code_speak_of_the_same() -> None:
    """User, group, folder of the state and of the secrets, and the codes that no restart would help."""
    default = Config(Path("/x"), {}, {})

    assert (settings("User"), settings("Group")) == ([USER], [GROUP])
    assert settings("StateDirectory") == [str(default.state_directory.relative_to("/var/lib"))]
    assert settings("LoadCredential") == [f"dnssync:{CREDENTIALS}"]
    assert settings("RestartPreventExitStatus") == [f"64 {ConfigError.exit_code} CREDENTIALS"]
    assert DEFAULT.parent == CREDENTIALS.parent
    tmpfiles = (ROOT / "systemd/dnssync.tmpfiles").read_text()
    [mode] = re.findall(rf"^d {default.state_directory} +(\d+) ", tmpfiles, re.MULTILINE)
    assert settings("StateDirectoryMode") == [mode]
    assert re.search(rf"^d {CREDENTIALS} 0700 root root$", tmpfiles, re.MULTILINE)


@pytest.mark.systemd
def test_systemd_understands_the_unit(installed: SimpleNamespace, tmp_path: Path) -> None:
    """`systemd-analyze verify` has nothing to say of it."""
    unit, dest = tmp_path / "dnssync.service", tmp_path / "dest"
    dest.symlink_to(installed.dest)
    unit.write_text(UNIT.read_text().replace("/opt/dnssync", f"{dest}/opt/dnssync"))
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.systemd
def test_the_unit_is_as_closed_as_it_can_be() -> None:
    """`systemd-analyze security` counts no more than was agreed, and what stays open has its reason in the unit."""
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--no-pager", UNIT], capture_output=True, text=True, check=True
    )
    [exposure] = re.findall(r"Overall exposure level for dnssync\.service: ([\d.]+)", done.stdout)
    assert float(exposure) <= EXPOSURE, done.stdout
    comments = "\n".join(line for line in UNIT.read_text().splitlines() if line.startswith("#"))
    for name in (
        "PrivateNetwork=",
        "IPAddressDeny=",
        "AF_UNIX",
        "AF_NETLINK",
        "ProcSubset=",
        "RootDirectory=",
        "fchown",
    ):
        assert name in comments, name


@pytest.mark.systemd
def test_user_and_folders_as_systemd_makes_them(installed: SimpleNamespace, tmp_path: Path) -> None:
    """systemd's own tools read both files, and would make the user of the service a member of exim's group."""
    files = [installed.dest / f"usr/local/lib/{kind}.d/dnssync.conf" for kind in ("sysusers", "tmpfiles")]
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (tmp_path / "etc/group").write_text(f"root:x:0:\n{GROUP}:x:105:\n")
    users = subprocess.run(["systemd-sysusers", f"--root={tmp_path}", "--dry-run", files[0]], capture_output=True, text=True)  # fmt: skip
    assert users.returncode == 0 and users.stderr.count(USER) >= 2, users.stderr
    if os.geteuid() == 0:
        subprocess.run(["systemd-sysusers", f"--root={tmp_path}", files[0]], check=True, capture_output=True)
        made = subprocess.run(["systemd-tmpfiles", f"--root={tmp_path}", "--create", files[1]], capture_output=True, text=True)  # fmt: skip
        assert made.returncode == 0, made.stderr
        assert f"{GROUP}:x:105:{USER}" in (tmp_path / "etc/group").read_text()
        keys, folder = (tmp_path / "var/lib/dnssync" / name for name in ("keys", "exim"))
        assert keys.stat().st_gid == 105
        # exim reads the keys by its group, and nobody else does; the map is looked up by processes of any user.
        assert stat.filemode(keys.stat().st_mode)[4:] == "r-x---"
        assert stat.filemode(folder.stat().st_mode)[7:] == "r-x"
