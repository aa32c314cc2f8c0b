"""What status says of a key: what happens next, when and why, and its bar."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from dnssync.cli.timeline import bars, next_step, spans
from dnssync.core.durations import DAY
from dnssync.core.model import KeyPair, Phase
from dnssync.core.rotation import Policy, due, phase

NOW = 1_795_507_200  # 2026-11-24 08:00 UTC
POLICY = Policy()
KEY = KeyPair(
    "example.org",
    "s1",
    "rsa2048",
    "AAAA",
    NOW,
    season=4200,
    overlap=8 * DAY,
    season_because="an hour",
    overlap_because="x=",
)
SEEN = replace(KEY, seen=NOW)
PUBLISHED = replace(SEEN, published=NOW + 60)
ACTIVE = replace(PUBLISHED, activated=NOW + DAY)
RETIRED = replace(ACTIVE, retired=NOW + 80 * DAY)
REVOKED = replace(RETIRED, revoked=NOW + 88 * DAY)
REMOVED = replace(REVOKED, removed=NOW + 96 * DAY)


@pytest.mark.parametrize(
    ("key", "now", "words", "at"),
    [
        (KEY, NOW, "to be seen on all name servers", None),
        (SEEN, NOW, "a second look", NOW + 60),
        (PUBLISHED, NOW + 60, "ready at 2026-11-24 09:11 UTC (an hour)", NOW + 4260),
        (PUBLISHED, NOW + 9000, "stands by", None),
        (ACTIVE, NOW + 2 * DAY, "signs; has served at", due(ACTIVE, POLICY)),
        (replace(ACTIVE, called=NOW + DAY), NOW + 2 * DAY, "to be replaced, as a person said", None),
        (replace(ACTIVE, compromised=NOW + DAY), NOW + 2 * DAY, "in wrong hands since 2026-11-25", None),
        (ACTIVE, NOW + 100 * DAY, "has served since", None),
        (RETIRED, NOW + 81 * DAY, "its record stays until 2027-02-20 08:00 UTC (x=)", NOW + 88 * DAY),
        (replace(RETIRED, recalled=NOW), NOW + 81 * DAY, "a person called it back", None),
        (RETIRED, NOW + 88 * DAY, "to be revoked", None),
        (REVOKED, NOW + 89 * DAY, "its record goes at 2027-02-27 08:00 UTC, 7 d after", NOW + 95 * DAY),
        (REVOKED, NOW + 96 * DAY, "is to be gone", None),
        (REMOVED, NOW + 97 * DAY, "private half is to be deleted", None),
        (replace(REMOVED, purged=NOW), NOW + 97 * DAY, "private half was deleted at 2026-11-24", None),
        (replace(REMOVED, purged=NOW, adopted=True), NOW + 97 * DAY, "the administrator's own file of it stays", None),
    ],
)
def test_next(key: KeyPair, now: int, words: str, at: int | None) -> None:
    """Each phase has its sentence, with the time where the clock alone decides, and the reason that is kept with the key."""
    sentence, when = next_step(key, POLICY, now, named=key.retired is None and key.activated is not None)
    assert words in sentence and when == at


def test_exim_does_not_read_the_map() -> None:
    """A key that is over and not named any more, and signs all the same, says what to do."""
    assert "dnssync exim --install" in next_step(ACTIVE, POLICY, NOW + 100 * DAY, named=False)[0]


def test_a_ready_key_that_is_named() -> None:
    """Once exim's map names it, only exim has to be looked at."""
    assert "exim's map names it" in next_step(PUBLISHED, POLICY, NOW + 9000, named=True)[0]


@pytest.mark.parametrize("key", [KEY, SEEN, PUBLISHED, ACTIVE, RETIRED, REVOKED, REMOVED])
@pytest.mark.parametrize("days", [0, 1, 3, 81, 89, 97, 500])
def test_spans(key: KeyPair, days: int) -> None:
    """They follow each other without a gap, and the one that holds the moment is the phase of that moment."""
    now = NOW + days * DAY
    rows = spans(key, POLICY, now)
    assert all(begin < until for begin, until, _ in rows)
    assert all(one[1] == two[0] for one, two in itertools.pairwise(rows))
    stamps = [key.generated, key.published, key.activated, key.retired, key.revoked, key.removed]
    past = {Phase.DUE, Phase.REVOKED, Phase.ENDED}
    for begin, until, name in rows:
        if begin <= now < until and now >= max(at for at in stamps if at):
            real = phase(key, POLICY, now)
            assert name is real or {name, real} <= past or (name is Phase.RETIRED and real is Phase.ACTIVE)


def test_bars() -> None:
    """All keys of a domain over one time, as wide as there is room, the moment marked in each; nothing where there is none."""
    heir = replace(KEY, selector="s2", generated=NOW + 70 * DAY, seen=NOW + 70 * DAY, published=NOW + 70 * DAY)
    rows = bars([RETIRED, heir], POLICY, NOW + 81 * DAY, 60)
    assert len(rows) == 2 and max(map(len, rows)) <= 60
    assert {row.index("│") for row in rows} == {rows[0].index("│")}
    assert rows[0].index("█") < rows[0].index("▓") and rows[0].rstrip().endswith("-")
    assert rows[1].lstrip()[0] in "·░▒" and rows[1].index("▒") > rows[0].index("█")
    assert bars([RETIRED], POLICY, NOW, 10) == [] and bars([], POLICY, NOW, 60) == []
