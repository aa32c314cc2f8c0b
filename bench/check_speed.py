"""How long `dnssync check` takes for many domains whose name servers are 20 ms away.

    python bench/check_speed.py [DOMAINS …]        # 3 and 20, where none is named

A real exim that signs with keys of ours, a real BIND behind two relays that answer late, every domain applied. Prints the seconds of a check, the
questions that name servers got, and where the time went.
"""

from __future__ import annotations

import cProfile
import errno
import io
import json
import pstats
import socket
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.slow_dns import Far
from dnssync import assemble
from dnssync.check import gather
from dnssync.check.finding import counted
from dnssync.cli import run
from dnssync.cli.context import Context
from dnssync.config import load
from dnssync.resolver import Resolver
from tests.bind import Bind
from tests.exim_host import EximHost

IP = "192.0.2.25"
HOST = "mx.d0.example"


def nobody(address: str, port: int, timeout: float) -> socket.socket:
    """No other machine is there to talk to."""
    raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")


def measured(count: int, latency: float, show: bool) -> None:
    """One host with so many domains."""
    names = [f"d{n}.example" for n in range(count)]
    records = f"@ MX 10 {HOST}.\n@ A {IP}\nmx A {IP}\n"
    zones = {**dict.fromkeys(names, records), "2.0.192.in-addr.arpa": f"25 PTR {HOST}.\n", "example": "@ A 192.0.2.1\n"}
    with ExitStack() as open_:
        folder = Path(open_.enter_context(tempfile.TemporaryDirectory(prefix="dnssync-bench-")))
        folder.chmod(0o755)
        exim = open_.enter_context(EximHost(hostname=HOST, hostnames=tuple(names)))
        exim.switched()
        bind = open_.enter_context(Bind(folder / "bind", zones))
        (folder / "state").mkdir()
        config = folder / "dnssync.yaml"

        def write(servers: list[str]) -> None:
            config.write_text(json.dumps({
                "providers": {"bind": {**bind.options(), "class": "rfc2136"}},
                "zones": {name: {"provider": "bind", "nameservers": servers} for name in names},
                "defaults": {"dkim": {"algorithms": ["rsa1024", "ed25519"]}},
                "exim": {"command": list(exim.command), "map": str(exim.map)}, "addresses": [IP], "alerts": {"mail": []},
                "keys": str(exim.keys), "state": f"sqlite:///{folder}/state/state.db",
            }))  # fmt: skip

        now = 1_795_507_200.0

        def sleep(seconds: float) -> None:
            nonlocal now
            now += seconds

        write([bind.server])
        out = io.StringIO()
        context = Context(now=lambda: now, sleep=sleep, environ={}, stdin=io.StringIO(), stdout=out, stderr=out)
        assert run(["-c", str(config), "apply", "--yes", "--wait"], context) == 0, out.getvalue()
        far = open_.enter_context(Far(bind.port, latency=latency))
        write(list(far.servers))
        line = assemble.line(load(config), read_only=True, environ={}, now=lambda: now)
        line.resolver = Resolver(dict.fromkeys(names, tuple(far.servers)), system=[far.servers[0]])
        profile = cProfile.Profile()
        begun = time.monotonic()
        if show:
            profile.enable()
        looked = gather.look(line, replace(gather.sources(line), connect=nobody))
        profile.disable()
        took = time.monotonic() - begun
    found = {str(severity): number for severity, number in counted(looked.findings).items()}
    print(
        f"{count} domains, {latency * 1000:.0f} ms: {took:.2f} s, {far.asked} questions, {len(looked.findings)} findings {found}"
    )
    if show:
        pstats.Stats(profile).sort_stats("cumulative").print_stats(25)


if __name__ == "__main__":
    show = "--profile" in sys.argv
    for count in [int(text) for text in sys.argv[1:] if text.isdigit()] or [3, 20]:
        measured(count, 0.02, show)
