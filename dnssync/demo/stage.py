"""The stage of the demonstration: a folder with a made-up zone, a configuration, and a copy of this machine's exim."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
from dataclasses import dataclass
from pathlib import Path

from dnssync.errors import DnssyncError
from dnssync.exim import debian, install, macros
from dnssync.exim.ask import Exim

EXIM = Path("/usr/sbin/exim4")
CONFDIR = Path("/etc/exim4")
DOMAIN = "esferas.example"
IP = "192.0.2.25"
ZONE = f"""$ORIGIN {DOMAIN}.
$TTL 3600
; A made-up zone. dnssync keeps this comment, and every line that is not its own.
@        IN SOA  ns1 hostmaster 2026112401 3600 600 604800 300
         IN NS   ns1
         IN MX   10 mx
         IN A    {IP}
         IN TXT  "site-verification=7b1f"   ; somebody needs this one
         IN CAA  0 issue "ca.example"
ns1      IN A    127.0.0.1
mx       IN A    {IP}
www      IN CNAME @
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where everything of the demonstration lies. `command` starts the copied exim, None where there is none."""

    folder: Path
    command: tuple[str, ...] | None
    told: str

    @property
    def zone_file(self) -> Path:
        """The made-up zone."""
        return self.folder / "zones" / f"{DOMAIN}.zone"

    @property
    def config(self) -> Path:
        """dnssync's configuration."""
        return self.folder / "dnssync.yaml"

    @property
    def map(self) -> Path:
        """exim's signing map."""
        return self.folder / "exim-map" / "selectors"

    @property
    def keys(self) -> Path:
        """The private keys."""
        return self.folder / "keys"

    @property
    def state(self) -> Path:
        """The folder of dnssync's state."""
        return self.folder / "state"


def build(folder: Path) -> Stage:
    """Everything but the name server; `folder` is empty and may be read by all."""
    folder.chmod(0o755)
    stage = Stage(folder, None, "")
    stage.zone_file.parent.mkdir()
    stage.zone_file.write_text(ZONE, encoding="ascii")
    stage.map.parent.mkdir()
    stage.map.write_text("", encoding="ascii")
    stage.keys.mkdir()
    # Made here, it belongs to whoever runs this: an installed dnssync would give a new one to the user `dnssync`, and become it.
    stage.state.mkdir()
    try:
        command, told = _exim(stage)
    except DnssyncError as error:
        command, told = None, f"A recorded sample of exim 4.96 is used: this machine's exim cannot be copied ({error})"
    return Stage(folder, command, told)


def write_config(stage: Stage, server: str) -> str:
    """The configuration of the demonstration, which asks the name server at `server`; returns its text."""
    command = ", ".join(stage.command or (str(EXIM),))
    text = f"""providers:
  file:
    class: zonefile
    directory: {stage.zone_file.parent}
    file_extension: .zone
zones:
  {DOMAIN}:
    provider: file
    nameservers: ["{server}"]
exim:
  command: [{command}]
  map: {stage.map}
addresses: [{IP}]   # stands in for the public address of this host
keys: {stage.keys}
state: sqlite:///{stage.state}/state.db
"""
    stage.config.write_text(text, encoding="ascii")
    return text


def _exim(stage: Stage) -> tuple[tuple[str, ...] | None, str]:
    """Copy this machine's exim configuration, give the copy the made-up domain and dnssync's macros, and render it."""
    if not EXIM.exists() or not (CONFDIR / "update-exim4.conf.conf").exists():
        return None, "There is no exim here: a recorded sample of exim 4.96 is used."
    if debian.scheme(CONFDIR) is debian.Scheme.OWN:
        return (
            None,
            f"{CONFDIR}/exim4.conf is written by hand and cannot be copied: a recorded sample of exim 4.96 is used.",
        )
    confdir, rendered = stage.folder / "exim4", stage.folder / "exim.conf"
    debian.copy(CONFDIR, confdir)
    changed = _settle(confdir)
    _head(stage, confdir)
    exim = Exim((str(EXIM),)).with_config(rendered)
    _render(stage, confdir, rendered)
    install.install(exim, macros.render(stage.map, stage.keys), map_path=stage.map, domains=(DOMAIN,), confdir=confdir)
    _render(stage, confdir, rendered)
    version, _ = exim.version()
    return exim.command, f"This machine's exim {version} is used, with a copy of its configuration{changed}."


def _render(stage: Stage, confdir: Path, out: Path) -> None:
    """Render a copy of the copy, since rendering may write to what it renders."""
    scratch = stage.folder / "rendering"
    debian.copy(confdir, scratch)
    debian.render(scratch, out)
    shutil.rmtree(scratch)


def _settle(confdir: Path) -> str:
    """Give the copy the made-up domain, and let it send by itself; says what was changed besides."""
    file = confdir / "update-exim4.conf.conf"
    settings = debian.settings(confdir)
    kind, names = settings.get("dc_eximconfig_configtype", ""), settings.get("dc_other_hostnames", "")
    lines = [line for line in file.read_text(errors="surrogateescape").splitlines()
             if not line.startswith(("dc_other_hostnames=", "dc_eximconfig_configtype="))]  # fmt: skip
    lines += [
        f"dc_other_hostnames='{';'.join(part for part in (names, DOMAIN) if part)}'",
        "dc_eximconfig_configtype='internet'",
    ]
    file.write_text("\n".join(lines) + "\n", errors="surrogateescape")
    return "" if kind == "internet" else f" (made to send by itself; here it is set to '{kind}')"


def _head(stage: Stage, confdir: Path) -> None:
    """Keep the copy's spool and logs inside the folder, and let it run as whoever runs the demonstration."""
    user = pwd.getpwnam("Debian-exim") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    for name in ("spool", "log"):
        (stage.folder / name).mkdir()
        os.chown(stage.folder / name, user.pw_uid, user.pw_gid)
    text = (
        f"SPOOLDIR = {stage.folder}/spool\nlog_file_path = {stage.folder}/log/%slog\n"
        f"MAIN_HARDCODE_PRIMARY_HOSTNAME = mx.{DOMAIN}\n"
        f"exim_user = {user.pw_name}\nexim_group = {grp.getgrgid(user.pw_gid).gr_name}\n"
    )
    if debian.scheme(confdir) is debian.Scheme.SPLIT:
        (confdir / "conf.d" / "main" / "00_demo").write_text(text)
    else:
        local = confdir / debian.UNSPLIT_FILE
        local.write_text(
            text + (local.read_text(errors="surrogateescape") if local.exists() else ""), errors="surrogateescape"
        )
