"""Whether anything keeps this host's clock right."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence

from dnssync.check.facts import Failed
from dnssync.check.gather import Sources
from dnssync.check.upkeep import Discipline

TIMEOUT = 10.0  # seconds


def fetch(wishes: Sequence[Discipline], sources: Sources) -> Mapping[Discipline, bool | Failed]:
    """What the kernel says of it; where it may not be asked (ProtectClock= of the daemon's unit), what systemd says that it says."""
    said = sources.disciplined()
    if said is None:
        said = _timedated(sources)
    return dict.fromkeys(
        wishes,
        Failed("the kernel does not tell whether anything keeps this host's clock right") if said is None else said,
    )


def _timedated(sources: Sources) -> bool | None:
    argv = ["timedatectl", "show", "--property=NTPSynchronized", "--value"]
    try:
        done = sources.run(argv, capture_output=True, encoding="utf-8", errors="replace", timeout=TIMEOUT)
    except (OSError, subprocess.SubprocessError):
        return None
    return {"yes": True, "no": False}.get(done.stdout.strip()) if done.returncode == 0 else None
