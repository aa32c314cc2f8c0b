"""Passes of a running daemon, one for each line of standard input; what each cost, as a JSON object a line.

    python bench/passes.py CONFIGURATION

The daemon is made as `dnssync run` makes it, with its own code for a pass and whatever it keeps from one to the next; only the
scheduler is left out, so that whoever measures says when. `cpu` and `wall` in seconds, exim's included; `rss` is the most that this process
ever held, in megabytes.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from dnssync.cli.context import Context
from dnssync.cli.daemon import made
from dnssync.daemon import Daemon


def spent() -> float:
    """Seconds of CPU so far, of this process and of those it started."""
    every = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(used.ru_utime + used.ru_stime for used in every)


def peak() -> float:
    """The most that this process held so far, in megabytes; what `getrusage` tells may be its parent's."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def started(path: str) -> Daemon:
    """The daemon, as `dnssync run` makes it."""
    context = Context(config_option=path, environ={k: v for k, v in os.environ.items() if k != "NOTIFY_SOCKET"})
    daemon = made(context)
    daemon.config = daemon._load()
    return daemon


def main() -> None:
    """Pass by pass."""
    daemon = started(sys.argv[1])
    for _ in sys.stdin:
        began, cpu = time.perf_counter(), spent()
        result = daemon._attempt()
        told = {
            "wall": time.perf_counter() - began,
            "cpu": spent() - cpu,
            "rss": peak(),
            "error": str(result.error or ""),
            "failed": result.failed,
            "refused": result.refused,
        }
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
