"""The benches are whole: each can be imported, stands on the page that is made of them, and its table can be written there. Nothing is timed."""

from __future__ import annotations

import importlib
import json
import re
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
import requests

from bench import figures, no_change, page
from bench.gandi_apart import Apart
from bench.many_zones import keys_of, line_of, master, names, pairs, rows
from dnssync.core.model import Phase
from dnssync.core.rotation import Policy, due, phase

ROOT = Path(__file__).parents[1]
EXTRAS = {"lexicon", "checkdmarc"}  # of the extra `bench`; what needs one is a program, and tells by itself
MODULES = sorted(path.stem for path in (ROOT / "bench").glob("*.py"))
PROGRAMS = {"pool_of_lexicon", "spent"}  # that do their work where they are started


def test_each_bench_can_be_imported() -> None:
    """A bench that nobody ran for months must not have lost what it stands on."""
    before = sys.path.copy()
    for name in MODULES:
        if name in PROGRAMS:
            compile((ROOT / f"bench/{name}.py").read_text(), name, "exec")
            continue
        try:
            importlib.import_module(f"bench.{name}")
        except ModuleNotFoundError as error:
            assert error.name in EXTRAS and find_spec(error.name) is None, name
    sys.path[:] = before


def test_the_page_names_each_bench_that_makes_a_table() -> None:
    """Whoever adds a bench with `measure` has to give it a place, and a place has a bench."""
    text = page.PAGE.read_text()
    measured = {name for name in MODULES if re.search(r"^def measure\(", (ROOT / f"bench/{name}.py").read_text(), re.M)}
    assert measured <= set(page.PARTS)
    for name in (*page.PARTS, "machine"):
        assert page.put(text, name, "the table")
    assert set(re.findall(r"<!-- (\w+) -->", text)) == {*page.PARTS, "machine"}
    assert {f"bench/{name}.py" for name in measured} <= set(re.findall(r"`(bench/\w+\.py)`", text))


def test_a_table_takes_the_place_of_the_one_before() -> None:
    """What stands around it stays, and so do its markers, so that it can be written again."""
    before = "a\n<!-- x -->\nold | table\n<!-- /x -->\nb\n<!-- y -->\n<!-- /y -->\n"
    after = page.put(before, "x", "| \\1 |")
    assert after == "a\n<!-- x -->\n\n| \\1 |\n<!-- /x -->\nb\n<!-- y -->\n<!-- /y -->\n"
    assert page.put(after, "x", "| \\1 |") == after
    with pytest.raises(ValueError, match="no place for z"):
        page.put(before, "z", "")


def test_rows_become_a_table() -> None:
    """Heads, cells, one line a row; for a page and for a terminal."""
    rows = [{"": "ours", "wall s": figures.spread([1.0, 3.0, 2.0])}, {"": "theirs", "wall s": figures.spread([4.0])}]
    assert figures.rendered(rows) == "|  | wall s |\n| --- | --- |\n| ours | 2.00 (1.00–3.00) |\n| theirs | 4.00 |\n"
    assert figures.shown(rows) == "        wall s\nours    2.00 (1.00–3.00)\ntheirs  4.00\n"
    assert figures.rendered([]) == figures.shown([]) == "(nothing was measured)\n"


def test_a_ratio_is_that_of_runs_that_were_made_in_turns() -> None:
    """The median of the ratios, not the ratio of the medians: a busy moment meets both sides of one turn."""
    assert figures.ratio([2.0, 20.0, 3.0], [1.0, 10.0, 1.0]) == "2.0 (2.0–3.0)"
    assert figures.spread([]) == "–"


def test_a_dataclass_is_a_row_too() -> None:
    """Some benches have rows of their own kind."""

    @dataclass
    class Row:
        lines: int
        wall: float

    assert page._cells(Row(3, 1.234)) == {"lines": 3, "wall": "1.23"}


def test_the_machine_is_told() -> None:
    """Figures without the machine and the versions say nothing."""
    told = page.machine()
    for word in (
        "CPU",
        "memory",
        "kernel",
        "Python",
        "BIND",
        "exim",
        "octodns-gandi",
        "dns-lexicon",
        "aiodns",
        "dnsperf",
    ):
        assert f"| {word} | " in told, word


def test_growth_is_told_beside_the_next_fewer_zones() -> None:
    """Of the same side under the same limit; a run that failed tells nothing."""
    made = [{"zones": zones, no_change.MINUTE: limit, "": who, "wall s": wall} for zones, limit, who, wall in [
        (10, "any", "a", "2.00 (1.00–3.00)"), (10, "any", "b", "1.00"), (100, "any", "a", "22.00"), (100, 5, "a", "fails after 3.00")]]  # fmt: skip
    told = [no_change._grown(row, made)["wall, by that of fewer zones"] for row in made]
    assert told == ["", "", "11.0", ""]


def test_what_was_missing_in_between_is_told(tmp_path: Path) -> None:
    """The stand-in with many zones looks at the one that is written to, counts by status, and goes back to the beginning."""
    here = [("@", "A", 300, ["192.0.2.1"]), ("_dmarc", "TXT", 300, ['"v=DMARC1; p=none"'])]
    (tmp_path / "rows").write_text("".join(json.dumps([zone, here]) + "\n" for zone in ("a.test", "b.test")))
    with Apart(tmp_path / "rows") as gandi, requests.Session() as http:
        http.headers["Authorization"] = f"Bearer {gandi.token}"
        where = f"{gandi.endpoint}/livedns/domains/b.test/records/_dmarc/TXT"
        body = {"rrset_ttl": 300, "rrset_values": ['"v=DMARC1; p=reject"']}
        assert http.put(where, json=body).status_code == 201
        assert gandi.gaps() == []
        assert http.delete(where).status_code == 204
        assert http.get(where).status_code == 404
        assert http.post(where, json=body).status_code == 201
        assert {(zone, *item[:2]) for zone, item, seconds in gandi.gaps() if seconds > 0} == {
            ("b.test", "_dmarc", "TXT")
        }
        assert (gandi.count(), gandi.writes()) == ({"201": 2, "204": 1, "404": 1}, 3)
        assert gandi.holds("_dmarc", "TXT")["b.test"] == [300, '"v=DMARC1; p=reject"']
        gandi.restore()
        assert gandi.holds("_dmarc", "TXT")["b.test"] == gandi.holds("_dmarc", "TXT")["a.test"]
        gandi.tell(latency=0.0, a_minute=1)
        assert [http.get(where).status_code for _ in range(2)] == [200, 429]


def test_many_zones_are_in_steady_state(tmp_path: Path) -> None:
    """Of each kind one key signs and one stands by, no name comes twice, and nothing falls due for weeks."""
    now = 1_795_507_200
    made, policy = pairs(tmp_path), Policy()
    for number, zone in enumerate(names(40)):
        keys = [key for key, _ in keys_of(number, zone, made, now)]
        assert sorted(phase(key, policy, now) for key in keys) == [Phase.ACTIVE, Phase.ACTIVE, Phase.READY, Phase.READY]
        assert len({key.selector for key in keys}) == len({key.public_key for key in keys}) == 4
        assert [key.kind for key in keys if key.selector in line_of(keys)] == ["rsa", "ed25519"]
        assert min(at for key in keys if (at := due(key, policy)) is not None) > now + 14 * 86400
        text = master(zone, rows(zone, keys))
        assert all(key.public_key.replace("+", "")[:40] in text.replace("+", "") for key in keys)
