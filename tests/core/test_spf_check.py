"""SPF evaluation: every case of the public RFC 7208 suite, and what a record costs in the worst case."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from dnssync.core import spf, spf_check
from tests.zonetext import silent, told

SUITE = list(yaml.safe_load_all((Path(__file__).parent / "data" / "rfc7208-tests.yml").read_text("utf-8")))
CASES = {name: (scenario, case) for scenario in SUITE for name, case in scenario["tests"].items()}


def dns_of_suite(zonedata: dict) -> Callable[[str, str], tuple[str, ...] | None]:
    """The DNS of one scenario: SPF entries count as TXT where a name has none, TIMEOUT is silence, CNAMEs are followed."""
    zone: dict[str, list] = {name.lower(): entries for name, entries in zonedata.items()}

    def ask(name: str, kind: str, depth: int = 0) -> tuple[str, ...] | None:
        entries = zone.get(name.lower(), [])
        pairs = [pair for entry in entries if entry != "TIMEOUT" for pair in entry.items()]
        has_txt = any(key == "TXT" for key, _ in pairs)
        wanted = "SPF" if kind == "TXT" and not has_txt else kind
        found = [text(kind, value) for key, value in pairs if key == wanted and value != "NONE"]
        if found:
            return tuple(found)
        if "TIMEOUT" in entries:
            return None
        cname = next((value for key, value in pairs if key == "CNAME"), None)
        return () if cname is None or depth > 8 else ask(cname, kind, depth + 1)

    return ask


def text(kind: str, value: object) -> str:
    """An entry of the suite as our DNS gives it."""
    if kind == "MX":
        return f"{value[0]} {value[1]}"  # type: ignore[index]
    return "".join(value) if isinstance(value, list) else str(value)


@pytest.mark.parametrize("name", CASES)
def test_suite(name: str) -> None:
    """Each of the suite's cases has one of the results that it allows (texts of exp= are not evaluated)."""
    scenario, case = CASES[name]
    sender, helo = case.get("mailfrom") or "", case["helo"]
    got = spf_check.check(
        None, ip=case["host"], domain=(sender or helo).rpartition("@")[2], sender=sender, helo=helo,
        dns=dns_of_suite(scenario["zonedata"]),
    )  # fmt: skip
    wanted = case["result"]
    assert got.result in (wanted if isinstance(wanted, list) else [wanted])


def test_suite_is_whole() -> None:
    """All 203 cases are there, under names of their own."""
    assert sum(len(scenario["tests"]) for scenario in SUITE) == len(CASES) == 203
