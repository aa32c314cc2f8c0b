"""`make install-service` and `make uninstall-service` below a folder, with stand-ins for what is not tried there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def python_stand_in(folder: Path) -> Path:
    """A python3 in `folder` that makes real virtual environments, with a stand-in for pip: which archives an index gives is not tried."""
    python = folder / "python3"
    python.write_text(
        f'#!/bin/sh\n[ "$2" = venv ] || exec {sys.executable} "$@"\n{sys.executable} -m venv --without-pip "$3"\n'
        f'for d in "$3"/lib/python3*/site-packages; do cp {ROOT}/tests/pip_stand_in.py "$d/pip.py"; done\n'
    )
    python.chmod(0o755)
    return python


def make(target: str, dest: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a target of the Makefile with DESTDIR=`dest`, other `arguments` and what is set beside the environment."""
    return subprocess.run(
        ["make", "-s", target, f"DESTDIR={dest}", *arguments],
        cwd=ROOT,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        umask=0o077,
    )
