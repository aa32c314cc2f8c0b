"""How long an emergency takes: real exim, two real name servers, one domain, mail one message after another.

    python bench/rotation.py [RUNS]

Prints, for `dnssync rotate --emergency --yes`, the medians of the seconds from its start to the first message that a standby signed,
to the old record's empty p= at the primary, and to its end. The interpreter runs already: add what `startup.py` tells.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from dnssync.core.model import Phase
from tests.two_servers import DOMAIN, LETTER, TwoServers, two_servers


def once(site: TwoServers) -> tuple[float, float, float]:
    """Seconds to the first message under a new key, to the revocation, to the end of the command."""
    site.live(site.steady)
    old = {selector for kind in ("rsa", "ed25519") for selector in site.at(Phase.ACTIVE, kind)}
    seen: dict[str, float] = {}

    def look() -> None:
        while len(seen) < 2:
            [received] = site.exim.send(LETTER.format(0, 0).encode(), sender=f"a@{DOMAIN}")
            if not any(f"s={selector};".encode() in received.data for selector in old):
                seen.setdefault("signed", time.perf_counter())
            if all(site.bind.texts(f"{selector}._domainkey.{DOMAIN}") == ["v=DKIM1; p="] for selector in old):
                seen.setdefault("revoked", time.perf_counter())

    looking = threading.Thread(target=look)
    begun = time.perf_counter()
    looking.start()
    code, out = site.run("rotate", "--emergency", "--yes")
    ended = time.perf_counter()
    assert code == 0, out
    looking.join()
    return seen["signed"] - begun, seen["revoked"] - begun, ended - begun


def main() -> None:
    """Print the table."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with two_servers(Path(folder)) as site:
            told = [once(site) for _ in range(runs)]
    names = ("first message under the standby", "the old record is revoked", "end of the command")
    for name, figures in zip(names, zip(*told, strict=True), strict=True):
        print(f"{name:34}{statistics.median(figures):8.2f} s   ({min(figures):.2f} to {max(figures):.2f})")


if __name__ == "__main__":
    main()
