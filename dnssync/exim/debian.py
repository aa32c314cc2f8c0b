"""Debian's way to configure exim: one directory, rendered by update-exim4.conf into the file that exim reads."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any

from dnssync.errors import EximError

RENDER = "/usr/sbin/update-exim4.conf"
# update-exim4.conf reads files of these names alone ([A-Za-z0-9_-]+); ours sorts behind every numbered one, so that
# it may redefine what they define
SPLIT_FILE = "conf.d/main/zz_dnssync"
UNSPLIT_FILE = "exim4.conf.localmacros"


class Scheme(StrEnum):
    """How a configuration directory is put together."""

    SPLIT = "split"  # conf.d/, a file a topic
    UNSPLIT = "unsplit"  # exim4.conf.template, with exim4.conf.localmacros before it
    OWN = "own"  # exim4.conf by the administrator's own hand: update-exim4.conf leaves it alone


def settings(confdir: Path) -> dict[str, str]:
    """The `dc_*` lines of update-exim4.conf.conf, quotes taken off. Raises `EximError` where it cannot be read."""
    file = confdir / "update-exim4.conf.conf"
    try:
        text = file.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise EximError(
            f"{file}: {error.strerror}. Without it this is no Debian exim configuration; add the lines that "
            "`dnssync exim --print` prints to your own configuration by hand."
        ) from None
    lines = (line.partition("=") for line in text.splitlines() if "=" in line and not line.lstrip().startswith("#"))
    return {name.strip(): value.strip().strip("'\"") for name, _, value in lines}


def scheme(confdir: Path) -> Scheme:
    """Which of the three schemes the directory follows."""
    if (confdir / "exim4.conf").exists():
        return Scheme.OWN
    return Scheme.SPLIT if settings(confdir).get("dc_use_split_config", "").lower() == "true" else Scheme.UNSPLIT


def copy(confdir: Path, to: Path) -> Path:
    """A private copy of the directory, to try a change on; files that only exim may read are left out."""

    def unreadable(folder: str, names: list[str]) -> list[str]:
        return [name for name in names if not _readable(Path(folder, name))]

    shutil.copytree(confdir, to, ignore=unreadable)
    return to


def _readable(path: Path) -> bool:
    if path.is_dir():
        return True
    try:
        path.open("rb").close()
    except OSError:
        return False
    return True


def render(copied: Path, out: Path, *, run: Callable[..., Any] = subprocess.run) -> None:
    """Render a copied directory to a file of its own; the live configuration is not touched.

    update-exim4.conf reads the local macros of the unsplit scheme in a directory it is given only where /etc/exim4 has such
    a file too; so the copy's are moved to the head of its template, which is where it would put them.
    """
    if scheme(copied) is Scheme.UNSPLIT:
        local, template = copied / UNSPLIT_FILE, copied / "exim4.conf.template"
        if local.exists():
            template.write_bytes(local.read_bytes() + template.read_bytes())
        local.write_bytes(b"")
    argv = [RENDER, "-d", str(copied), "-o", str(out)]
    try:
        done = run(argv, capture_output=True, encoding="utf-8", errors="replace", timeout=60)
    except FileNotFoundError:
        raise EximError(
            f"{RENDER} is not here: this is no Debian exim4 (package exim4-config). Add the lines that "
            "`dnssync exim --print` prints to your exim configuration by hand."
        ) from None
    except subprocess.TimeoutExpired:
        raise EximError(f"{RENDER} did not end within 60 seconds; run `{' '.join(argv)}` by hand.") from None
    if done.returncode != 0:
        raise EximError(f"{RENDER} refuses the configuration in {copied}: {(done.stderr or done.stdout).strip()}")
