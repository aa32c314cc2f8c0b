"""Small breakages of the code that decides and writes, each of which some test must catch: `make mutants`, or `tests/mutants.py WORD`.

Each breakage is made in a temporary copy of the tree, never in place. It is caught where the named tests fail; it
survives where they pass, and then a test is missing. A row whose old text does not stand in its file exactly once, or
that keeps the tests from being collected, is a fault of the table, `mutant_table.py`.
"""

from __future__ import annotations

import os
import queue
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.mutant_table import TABLE  # noqa: E402

WORKERS = 2
LONGEST = 180  # seconds; a breakage that makes the tests run for ever was noticed too
COPIED = ("dnssync", "providers", "tests", "config", "docs", "README.md", "pyproject.toml")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One breakage, and the tests that must notice it."""

    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.file}: {_short(self.old)}  ->  {_short(self.new) or '(nothing)'}"


def mutants() -> list[Mutant]:
    """The table, a row each."""
    return [Mutant(f, old, new, tuple(tests.split())) for (f, tests), rows in TABLE.items() for old, new in rows]


def copy_tree(to: Path) -> Path:
    """A copy of what the tests need; nothing compiled, so that no test runs yesterday's code."""
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, to / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif (ROOT / name).exists():
            shutil.copy2(ROOT / name, to / name)
    (to / "dnssync_providers").symlink_to("providers")  # the name that they are installed under
    return to


def run_tests(tree: Path, tests: Sequence[str]) -> tuple[int, str]:
    """pytest's exit code (-1 = it did not come to an end) and output, with the code of that tree."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(tree)}
    try:
        done = subprocess.run(command, cwd=tree, env=env, capture_output=True, text=True, timeout=LONGEST)
    except subprocess.TimeoutExpired:
        return -1, f"the tests did not end within {LONGEST} s"
    return done.returncode, done.stdout + done.stderr


def judge(mutant: Mutant, tree: Path) -> str:
    """`caught`, `survived`, or a sentence that says why the row is at fault."""
    path = tree / mutant.file
    before = path.read_text()
    if before.count(mutant.old) != 1:
        return f"the old text stands there {before.count(mutant.old)} times"
    path.write_text(before.replace(mutant.old, mutant.new))
    try:
        code, output = run_tests(tree, mutant.tests)
    finally:
        path.write_text(before)
    if code in (1, -1):
        return "caught"
    return "survived" if code == 0 else f"pytest ended with {code}: {output.strip().splitlines()[-1]}"


def main(words: Sequence[str]) -> int:
    """Judge the breakages whose file or text holds one of the words (none = all); 0 where every one is caught."""
    chosen = [mutant for mutant in mutants() if not words or any(word in str(mutant) for word in words)]
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        trees: queue.SimpleQueue[Path] = queue.SimpleQueue()
        for number in range(WORKERS):
            trees.put(copy_tree(Path(folder, str(number))))

        def whole(tests: tuple[str, ...]) -> tuple[int, str]:
            tree = trees.get()
            try:
                return run_tests(tree, tests)
            finally:
                trees.put(tree)

        def broken(mutant: Mutant) -> str:
            tree = trees.get()
            try:
                return judge(mutant, tree)
            finally:
                trees.put(tree)

        with ThreadPoolExecutor(WORKERS) as pool:
            suites = list(dict.fromkeys(mutant.tests for mutant in chosen))
            for tests, (code, output) in zip(suites, pool.map(whole, suites), strict=True):
                if code != 0:
                    print(output, f"\n{' '.join(tests)}: fails with nothing broken; mend that first")
                    return 1
            verdicts = []
            for mutant, verdict in zip(chosen, pool.map(broken, chosen), strict=True):
                verdicts.append(verdict)
                print(f"{verdict:9} {mutant}", flush=True)
    caught = verdicts.count("caught")
    print(f"{caught} of {len(chosen)} breakages caught in {time.monotonic() - started:.0f} s")
    return 0 if chosen and caught == len(chosen) else 1


def _short(text: str) -> str:
    return " ".join(text.split())[:90]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
