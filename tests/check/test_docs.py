"""docs/checks.md explains every check that there is, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from dnssync.check.areas import every

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs/checks.md").read_text()
HEADS = re.compile(r"^### ([A-Z0-9]+-\d\d) — .+ \((error|warning|info)\b([^)]*)\)$", re.MULTILINE)
# How many checks each area has; a number that is missing is a check that got lost.
NUMBERS = {
    "MX": 7, "A": 2, "PTR": 4, "HELO": 2, "SPF": 9, "DKIM": 7, "TTL": 1, "DMARC": 6, "STS": 6, "TLSRPT": 2, "TLS": 5, "DANE": 5, "DNSSEC": 3,
    "NS": 4, "WILD": 1, "PARK": 1, "EXIM": 11, "CLOCK": 1, "STATE": 1, "SYNC": 2, "BL": 1, "PORT": 1, "LOG": 3,
}  # fmt: skip


def test_every_check_is_there_once() -> None:
    """Each id stands for one check, and none is missing."""
    ids = [check.id for check in every()]
    assert sorted(ids) == sorted({f"{area}-{n:02}" for area, most in NUMBERS.items() for n in range(1, most + 1)})


def test_each_is_explained() -> None:
    """Every id has its section, with the severities it can have, what it means and what to do; none is explained that is not there."""
    sections = [match[1] for match in HEADS.finditer(DOCS)]
    assert sorted(sections) == sorted(check.id for check in every())
    for id in sections:
        text = DOCS[DOCS.index(f"### {id} — ") :].split("\n", 1)[1].split("\n#", 1)[0]
        assert len(text.split()) >= 20, id


def test_only_third_parties_are_left_out_unless_asked_for() -> None:
    """A plain `check` asks nobody who is not needed for mail."""
    assert {check.id for check in every() if check.asked} == {"BL-01", "PORT-01", "LOG-01", "LOG-02", "LOG-03"}


def test_what_is_well_is_a_sentence() -> None:
    """Each check says what it means that all is well."""
    for check in every():
        assert re.fullmatch(r"(exim|[A-Z0-9`_]).*\.", check.well), check.id
