"""What docs/checks.md says about checkdmarc is what the cases of `bench/check.py` say, and what dnssync says of them."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from tests.check.world import World

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs/checks.md").read_text().partition("## Beside checkdmarc")[2]


def load() -> ModuleType:
    """The cases."""
    spec = importlib.util.spec_from_file_location("check_cases", ROOT / "bench/check_cases.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["check_cases"] = module
    spec.loader.exec_module(module)
    return module


cases = load()


def test_every_difference_stands_in_the_documentation() -> None:
    """Each row, word by word, and no other; and the figures."""
    rows = re.findall(r"^\| (\S+\.test) \| (\w+) \| (\w+) \| (.*) \|$", DOCS, re.M)
    assert rows == [(name, known.ours, known.theirs, known.why) for name, known in cases.KNOWN.items()]
    kinds = Counter("ok" in (known.ours, known.theirs) for known in cases.KNOWN.values())
    words = " ".join(DOCS.split())
    assert f"builds {len(cases.CASES)} domains" in words
    assert f"{len(cases.CASES) - len(rows)} verdicts are the same, {len(rows)} are not" in words
    assert f"in {kinds[False]} both tell the fault" in words and f"in {kinds[True]} one of them alone" in words


def test_the_cases() -> None:
    """Each domain once, at least thirty of them, and every difference is about one of them."""
    names = [case.domain for case in cases.CASES]
    assert len(names) == len({*names}) >= 30
    assert {*cases.KNOWN} <= {*names}
    assert {case.about for case in cases.CASES} == {*cases.IDS}


def test_what_dnssync_says_of_them(tmp_path: Path) -> None:
    """The verdicts on our side of the table, at a real name server."""
    zones = {**{case.domain: case.zone for case in cases.CASES}, **cases.BESIDE}
    parked = [case.domain for case in cases.CASES if case.about == "parked"]
    domains = [case.domain for case in cases.CASES]
    with World(tmp_path, zones, domains=domains, parked=parked, foreign=[*cases.BESIDE]) as world:
        told = cases.ours(world.findings(*cases.ids()))
    assert {name: told[name][0] for name in cases.KNOWN} == {name: known.ours for name, known in cases.KNOWN.items()}


@pytest.mark.parametrize("about", ["spf", "dmarc", "mx", "mta_sts", "tls_rpt", "parked"])
def test_a_good_one_of_each(about: str) -> None:
    """Beside the faults stands a domain that has none."""
    assert any(case.about == about and case.name.endswith("-good") for case in cases.CASES)
