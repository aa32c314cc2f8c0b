"""Many more lives of keys than CI tries, with a pass every hour at least: `make soak`, or `tests/soak.py [LIVES [MINUTES]]`.

Each seed is lived twice, on the pure core (some seconds) and with all of dnssync but its edges (some minutes), a core each at a time;
two thousand of both take days. It stops by itself: after so many seeds, or once so many minutes are over, when what has begun is
lived to its end. 0 where every rule held in each life; what broke is told with its seed, as it happens.
"""

from __future__ import annotations

import itertools
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.life import lives, whole_pass

LIVES, MINUTES = 2000, 7 * 24 * 60
FIRST = 1_000_000  # other seeds than CI's
KINDS: dict[str, Callable[[int], object]] = {
    "on the core": lambda seed: lives.life(seed, hourly=True),
    "whole": lambda seed: whole_pass.life(seed, hourly=True),
}


def tried(seed: int, kind: str) -> tuple[str, str]:
    """One life: its kind, and "" where every rule held, else which did not."""
    logging.disable()  # thousands of lines about failures that are meant
    try:
        KINDS[kind](seed)
    except AssertionError as error:
        return kind, f"{kind}, {error}"
    return kind, ""


def main(words: Sequence[str]) -> int:
    """Try the lives on every core, and tell what broke."""
    count, minutes = (*map(int, words), *(LIVES, MINUTES)[len(words) :])
    until = time.monotonic() + minutes * 60
    broken, done = 0, Counter[str]()
    with ProcessPoolExecutor() as pool:
        each: Iterator[tuple[int, str]] = itertools.product(range(FIRST, FIRST + count), KINDS)
        running = {pool.submit(tried, *life) for life in itertools.islice(each, os.cpu_count() or 1)}
        while running:
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                kind, told = future.result()
                done[kind] += 1
                if told:
                    broken += 1
                    print(told, flush=True)
                if time.monotonic() < until:
                    running |= {pool.submit(tried, *life) for life in itertools.islice(each, 1)}
    lived = ", ".join(f"{number} {kind}" for kind, number in done.items())
    print(f"lives of three years: {lived or 'none'}; {broken} of them broke a rule")
    return 1 if broken or not done else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
