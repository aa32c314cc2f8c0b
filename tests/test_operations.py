"""docs/operations.md knows every notice and refusal, and no other."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
MAKERS = ("Notice", "Refusal", "MergeRefusal", "Problem")


def words() -> set[str]:
    """The reasons that the code gives, as they stand in it."""
    found = set()
    for path in (*(ROOT / "dnssync").rglob("*.py"), *(ROOT / "providers").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in MAKERS and node.args:
                first = node.args[0]
                if isinstance(first, ast.Constant):
                    found.add(str(first.value))
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "invalid" and node.args:
                first = node.args[0]
                if isinstance(first, ast.Constant):
                    found.add(str(first.value))
    return found | {"spf_mx_left_out", "spf_a_left_out"}


def test_every_word_is_explained() -> None:
    """What the code says is in the table."""
    told = set(re.findall(r"`([a-z0-9_]+)`", (ROOT / "docs/operations.md").read_text()))
    assert words() - told == set()


def test_no_word_is_made_up() -> None:
    """What stands in the first column of the tables is said by the code."""
    rows = re.findall(
        r"^\| (`[a-z0-9_]+`(?:, `[a-z0-9_]+`)*) \|", (ROOT / "docs/operations.md").read_text(), re.MULTILINE
    )
    told = {word for row in rows for word in re.findall(r"`([a-z0-9_]+)`", row) if not word.startswith("dnssync_")}
    assert len(told) > 40
    assert told - words() == set()
