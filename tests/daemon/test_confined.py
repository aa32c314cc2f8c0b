"""The daemon as the service runs it: another user, without a capability and without a way to new privileges, its secret from systemd's folder."""

from __future__ import annotations

import grp
import os
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnssync.core.model import Phase
from dnssync.core.rotation import Policy, phase
from tests.daemon.gandi_site import ONE, GandiSite, site, unapplied
from tests.daemon_process import DaemonProcess, until

__all__ = ["site", "unapplied"]

ROOT = os.geteuid() == 0
NOBODY = 65534 if ROOT else os.geteuid()
OTHER = (f"--reuid={NOBODY}", "--regid=Debian-exim", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all")
CONFINED = ("setpriv", "--no-new-privs", *(OTHER if ROOT else ()))
# The packages are those of this Python, also where another one of the same version has to start them.
MAIN = f"import site, sys; sys.path.insert(0, {sysconfig.get_path('purelib')!r}); site.addsitedir(sys.path[0]); from dnssync.cli import main; main()"


def python() -> str:
    """A Python that another user may start: this one, or the system's of the same version."""
    real = Path(sys.executable).resolve()
    closed = [place for place in (real, *real.parents) if not place.stat().st_mode & 0o001]
    return "/usr/bin/python3" if closed else sys.executable


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder that another user can get to, whatever other test runs do to theirs."""
    with tempfile.TemporaryDirectory(prefix="dnssync-confined-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def given(site: GandiSite, tmp_path: Path) -> Iterator[Path]:
    """The folder of credentials; all that is the daemon's belongs to the user that it is to be."""
    group = grp.getgrnam("Debian-exim").gr_gid if ROOT else -1
    folder = tmp_path / "credentials"
    folder.mkdir(mode=0o500)
    (folder / "gandi-token").write_text(site.gandi.token + "\n")
    for place in (
        *site.folder.rglob("*"),
        *site.exim.keys.rglob("*"),
        site.exim.keys,
        site.exim.map,
        site.exim.map.parent,
        *folder.iterdir(),
        folder,
    ):
        os.chown(place, NOBODY, group)
    (site.folder / "token").unlink()
    yield folder


def test_confined(site: GandiSite, given: Path) -> None:
    """It reads, asks exim, writes DNS and makes keys for exim to read, with no right that the service does not have."""
    provider = {"class": "gandi", "token": "credential/gandi-token", "endpoint": site.gandi.endpoint}
    lost = next(
        key
        for key in site.state.keys()
        if key.domain == ONE
        and phase(key, Policy(), int(time.time())) in (Phase.READY, Phase.PUBLISHED, Phase.GENERATED)
    )
    (site.exim.keys / ONE / f"{lost.selector}.pem").unlink()
    site.configure(extra=("ip4:192.0.2.77",), providers={"gandi": provider})
    environ = {"CREDENTIALS_DIRECTORY": str(given)}
    with DaemonProcess(site.config, environ=environ, abstract=True, main=MAIN, start=(*CONFINED, python())) as daemon:
        daemon.wait("READY=1")
        daemon.status("2 domains in order")
        until(lambda: any("192.0.2.77" in text for text in site.spf(ONE)))
        told = dict(
            line.split(":", 1)
            for line in Path(f"/proc/{daemon.process.pid}/status").read_text().splitlines()
            if ":" in line
        )
        assert told["Uid"].split() == [str(NOBODY)] * 4 and told["NoNewPrivs"].strip() == "1"
        assert not ROOT or (int(told["CapEff"], 16) == int(told["CapBnd"], 16) == 0 and not told["Groups"].split())
        assert daemon.end() == 0
        log = daemon.log()
    assert site.gandi.token not in log
    made = [
        key
        for key in site.state.keys()
        if key.domain == ONE and key.kind == lost.kind and key.generated > lost.generated
    ]
    [path] = [site.exim.keys / ONE / f"{key.selector}.pem" for key in made]
    assert (path.stat().st_uid, path.stat().st_gid, path.stat().st_mode & 0o777) == (
        NOBODY,
        grp.getgrnam("Debian-exim").gr_gid,
        0o640,
    )
