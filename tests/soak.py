"""Many more lives of keys than CI tries, hour by hour: `make soak`, or `tests/soak.py [LIVES [MINUTES]]`.

It stops by itself: after so many lives, or once so many minutes are over. 0 where every rule held in each of them.
"""

from __future__ import annotations

import itertools
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.life import lives

LIVES, MINUTES = 2000, 6 * 60
FIRST = 1_000_000  # other seeds than CI's


def tried(seed: int) -> str:
    """One life: "" where every rule held, else which did not."""
    try:
        lives.life(seed, hourly=True)
    except AssertionError as error:
        return str(error)
    return ""


def main(words: Sequence[str]) -> int:
    """Try the lives on every core, and tell what broke."""
    count, minutes = (*map(int, words), *(LIVES, MINUTES)[len(words) :])
    until = time.monotonic() + minutes * 60
    broken = done = 0
    with ProcessPoolExecutor() as pool:
        seeds: Iterator[int] = iter(range(FIRST, FIRST + count))
        running = {pool.submit(tried, seed) for seed in itertools.islice(seeds, os.cpu_count() or 1)}
        while running:
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                done += 1
                if told := future.result():
                    broken += 1
                    print(told, flush=True)
                if time.monotonic() < until:
                    running |= {pool.submit(tried, seed) for seed in itertools.islice(seeds, 1)}
    print(f"{done} lives of three years, {broken} of them broke a rule")
    return 1 if broken or not done else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
