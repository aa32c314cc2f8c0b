"""Prints the part of requirements.lock that dnssync runs with: what pyproject.toml's `dependencies` name, and what those need in
turn, by the `# via` lines of pip-compile. Should one be missed, `pip install --require-hashes` refuses the whole."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def locked(lock: str, dependencies: list[str]) -> str:
    """The blocks of a lock file that these requirements (`name>=1`) lead to."""
    blocks = {match[1]: match[0] for match in re.finditer(r"^([\w.-]+)==.*\n(?:    .*\n)*", lock, re.MULTILINE)}
    wanted = {re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", text)[0]).lower() for text in dependencies}
    while True:
        parents = "|".join(map(re.escape, sorted(wanted)))
        more = {name for name, block in blocks.items() if re.search(rf"^    #   (?:via )?(?:{parents})$|^    # via (?:{parents})$", block, re.MULTILINE)}  # fmt: skip
        if more <= wanted:
            return "".join(block for name, block in blocks.items() if name in wanted)
        wanted |= more


if __name__ == "__main__":
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    sys.stdout.write(locked((ROOT / "requirements.lock").read_text(), project["dependencies"]))
