"""A pass that takes its zones one by one comes to the same as one that takes them all at once; on real exim and BIND."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dnssync import signing_map
from dnssync.core.durations import DAY
from dnssync.one_pass import PassResult
from dnssync.reconcile import Line
from dnssync.standing import next_event, standing, well
from tests.settled_site import APART, NAMES, SettledSite, opened, settled_site

EVERY = {*NAMES, APART}


def wrapped(site: SettledSite, change: Callable[[Line], None]) -> Callable[[], None]:
    """Each pass from now on has parts that are changed like this; returns what takes that back."""
    plain = site.line

    def line(config: Any, **options: Any) -> Line:
        made = plain(config, **options)
        change(made)
        return made

    site.line = line  # type: ignore[method-assign]

    def back() -> None:
        site.line = plain  # type: ignore[method-assign]

    return back


# --- the same history ---------------------------------------------------------------------------------------------


class History:
    """What a host tells after each of many things that happen to it, with all that is made by chance taken out."""

    def __init__(self, site: SettledSite) -> None:
        self.site = site
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.up = 1_000_000.0

        def clocked(line: Line) -> None:
            line.uptime = lambda: (self.up, "boot")

        wrapped(site, clocked)

    def one(self, what: str, later: int = 900) -> None:
        """A pass, and what it tells."""
        self.up += later
        result = self.site.one(later)
        self.site.follow()
        self.told.append((what, self.of(result)))

    def of(self, result: PassResult) -> dict[str, Any]:
        """All that anybody hears of a pass."""
        report, state = result.report, self.site.state
        assert report is not None
        got, event = report.decision, next_event(result)
        data = {
            "well": [*well(result)],
            # When a key's time is over has to do with its name, which chance has made.
            "next": event if event is not None and event[0] < self.site.now + 30 * DAY else event is not None,
            "standing": standing(result, 0).partition("; next: ")[0],
            "settled": [*result.settled],
            "goes on": [row.place for row in result.goes_on],
            "outcomes": [(o.zone, o.error, str(o.refusals), len(o.changes)) for o in report.outcomes],
            "made": [(key.domain, key.algorithm) for key in report.made],
            "map": [(domain, len(names)) for domain, names in report.map_lines],
            # What the second server shows so soon after a write is its own affair.
            "looks": [f"{look.name} {look.type}" for look in report.looks],
            "notices": [*map(str, report.notices)],
            "zones": [(plan.plan.zone, str(plan.notices)) for plan in got.zones],
            "failed": [*got.unread.items()],
            "lines": [(d, len(s)) for d, s in signing_map.read(self.site.exim.map).items()],
            "troubles": [(*row.place, row.sentence, row.since, row.ended) for row in state.troubles()],
            "events": [f"{e.at} {e.kind} {e.zone} {e.domain} {e.sentence}" for e in state.events()],
            "records": [(z, r.result, r.last_read, r.last_pass) for z, r in state.zones().items()],
            "keys": [str(replace(k, public_key="", record="")) for k in state.living()],
            "clock": state.clock(),
        }
        plain = json.loads(self.plain(json.dumps(data, default=str)))
        return {name: sorted(told, key=repr) if isinstance(told, list) else told for name, told in plain.items()}

    def plain(self, text: str) -> str:
        """Without what is made by chance."""
        text = re.sub(r"\b(\w*\d{8}\w*-[\w-]+?)-[a-z2-7]{4}\b", r"\1", text)
        for place in (self.site.folder, self.site.exim.keys, self.site.exim.map):
            text = text.replace(str(place), "")
        return text

    def live(self) -> None:
        """Everything that happens."""
        site = self.site
        self.one("nothing may be written yet")
        code, out = site.run("apply", "--yes")
        assert code == 0, out
        site.follow()
        for number in range(12):
            self.one(f"on the way {number}", 3600)
        for number in range(3):
            self.one(f"settled {number}")
        assert {*self.told[-1][1]["settled"]} == EVERY, (site.decided, site.asked, self.told[-1])
        code, out = site.run("freeze", NAMES[3], "--until", "2027-01-01")
        assert code == 0, out
        self.one("one is frozen")
        [key, *_] = [k for k in site.state.living({NAMES[1]}) if k.activated is None]
        (site.exim.keys / NAMES[1] / f"{key.selector}.pem").unlink()
        for number in range(4):
            self.one(f"a standby is lost {number}")
        site.exim.map.unlink()
        self.one("the map is lost")
        self.one("and back")
        site.now -= 3 * DAY
        self.one("the clock goes back")
        self.one("and is steady")


@pytest.fixture(scope="module")
def histories(tmp_path_factory: pytest.TempPathFactory) -> list[History]:
    """The same happens to two hosts; one takes its zones one by one."""
    made = []
    for size in (1, 500):
        with settled_site(opened(tmp_path_factory.mktemp(f"by{size}"))) as site:
            site.size = size
            made.append(History(site))
            made[-1].live()
    return made


def test_one_by_one_is_as_all_at_once(histories: list[History]) -> None:
    """Records, keys, stamps, map, events, what is said, kept and told: the same after each pass."""
    by_one, at_once = histories
    for (what, mine), (_, theirs) in zip(by_one.told, at_once.told, strict=True):
        for name, told in theirs.items():
            assert mine[name] == told, (what, name)
