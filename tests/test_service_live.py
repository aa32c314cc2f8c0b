"""What `make install-service` asks of this machine, in a folder: systemd's tools and dnssync itself note how they were called."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess
from types import SimpleNamespace

import pytest

from dnssync.exim import install, macros
from tests.installing import make, python_stand_in

TOOLS = ("systemctl", "systemd-sysusers", "systemd-tmpfiles")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[SimpleNamespace]:
    """A folder that is installed into as if it were /, on which systemd runs; `calls()` gives and forgets what was called there."""
    dest, log = tmp_path / "dest", tmp_path / "calls"
    (dest / "run/systemd/system").mkdir(parents=True)
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in TOOLS:  # a line a call, and whether the program was there at that moment
        tool = tools / name
        tool.write_text(
            f'#!/bin/sh\n[ -e {dest}/opt/dnssync/bin/dnssync ] && at=there || at=gone\necho "{name} $* ($at)" >>{log}\n'
        )
        tool.chmod(0o755)
    package = tmp_path / "python/dnssync"  # in place of dnssync, which pip's stand-in does not install
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "cli.py").write_text(
        f"import sys\ndef main():\n    open({str(log)!r}, 'a').write(' '.join(['dnssync', *sys.argv[1:]]) + '\\n')\n"
    )
    environ = {
        "LIVE": "yes",
        "PATH": f"{tools}:{os.environ['PATH']}",
        "PYTHON": str(python_stand_in(tmp_path)),
        "PYTHONPATH": str(package.parent),
        "PIP_ASKED": str(tmp_path / "asked"),
    }

    def calls() -> list[str]:
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return lines

    def run(target: str, *arguments: str) -> CompletedProcess[str]:
        return make(target, dest, *arguments, **environ)

    yield SimpleNamespace(dest=dest, run=run, calls=calls)


def test_an_install_makes_user_and_folders_and_restarts_what_runs(host: SimpleNamespace) -> None:
    """First the user, then the folders that belong to it, then the configuration that is its group's; what runs is what is installed."""
    done = host.run("install-service", "PROVIDER=rfc2136")

    assert done.returncode == 0, done.stderr
    config = host.dest / "etc/dnssync/dnssync.yaml"
    assert host.calls() == [
        "systemd-sysusers dnssync.conf (there)",
        "systemd-tmpfiles --create dnssync.conf (there)",
        f"dnssync -c {config} init --provider rfc2136",
        "systemctl daemon-reload (there)",
        "systemctl try-restart dnssync.service (there)",
    ]


def test_an_install_writes_no_configuration_unasked_or_over_one(host: SimpleNamespace) -> None:
    """`init` runs where a provider was named and no configuration stands there, and not else."""
    host.run("install-service")
    assert not [call for call in host.calls() if call.startswith("dnssync ")]
    (host.dest / "etc/dnssync/dnssync.yaml").write_text("mine\n")
    again = host.run("install-service", "PROVIDER=gandi")

    assert again.returncode == 0 and not [call for call in host.calls() if call.startswith("dnssync ")]


def test_where_systemd_does_not_run_it_is_not_asked(host: SimpleNamespace) -> None:
    """In a container without systemd the user and the folders are made, and no service is spoken of."""
    (host.dest / "run/systemd/system").rmdir()
    assert host.run("install-service").returncode == 0
    assert [call.split()[0] for call in host.calls()] == ["systemd-sysusers", "systemd-tmpfiles"]
    assert host.run("uninstall-service").returncode == 0
    assert host.calls() == []


def test_an_uninstall_stops_the_service_before_its_files_go(host: SimpleNamespace) -> None:
    """A running service is stopped and taken out of the boot while its program is there; systemd forgets the unit after."""
    host.run("install-service")
    host.calls()
    done = host.run("uninstall-service")

    assert done.returncode == 0, done.stderr
    assert host.calls() == ["systemctl disable --now dnssync.service (there)", "systemctl daemon-reload (gone)"]
    assert "/etc/systemd/system/dnssync.service.d" in done.stdout and "macros" not in done.stdout


@pytest.mark.parametrize("name", ["conf.d/main/zz_dnssync", "exim4.conf.localmacros", "exim4.conf"])
def test_an_uninstall_waits_for_the_macros_to_go(host: SimpleNamespace, name: str) -> None:
    """Where exim still signs by the macros, the only command that takes them out stays, until somebody says that they are to stay."""
    text = macros.render(Path("/var/lib/dnssync/exim/selectors"), Path("/var/lib/dnssync/keys"))
    file = host.dest / "etc/exim4" / name
    file.parent.mkdir(parents=True)
    split = str(name.startswith("conf.d")).lower()
    (host.dest / "etc/exim4/update-exim4.conf.conf").write_text(f"dc_use_split_config='{split}'\n")
    file.write_text("# mine\n" * (split == "false") + install.shown(host.dest / "etc/exim4", text)[0])
    host.run("install-service")
    host.calls()

    stopped = host.run("uninstall-service")
    assert "Error 1" in stopped.stderr and "dnssync exim --uninstall" in stopped.stderr
    assert f"  /etc/exim4/{name}\n" in stopped.stderr and "MACROS=keep" in stopped.stderr
    assert host.calls() == [] and (host.dest / "opt/dnssync/bin/dnssync").exists()

    done = host.run("uninstall-service", "MACROS=keep")
    assert done.returncode == 0 and f"  /etc/exim4/{name}\n" in done.stdout and "update-exim4.conf" in done.stdout
    assert not (host.dest / "opt/dnssync").exists() and file.exists()
    assert host.run("uninstall-service").returncode == 0, "there is no command left to lose"
