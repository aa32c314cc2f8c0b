"""The measure of what was missing in between, and the stand-in for Gandi that fails a test by it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.gandi import Gandi
from tests.gaps import By, Moment, gaps, items
from tests.test_gandi_stand_in import NOOP, ROWS, ZONE, Client

APEX = {("@", "TXT"), ("@", "TXT", b"site=12")}
BACK = {"rrset_values": ['"site=1" "2"', "newer"]}


def moments(*told: str) -> list[Moment]:
    """A second each: `c a b` is what the client made of the zone, `s …` somebody else; a letter is the value of an RRset of its
    name, an upper-case one another value there."""
    by = {"c": By.CLIENT, "s": By.SOMEBODY, "-": By.SETTLED}
    made = []
    for at, (who, *values) in enumerate(text.split() for text in told):
        zone: dict[tuple[str, str], list[bytes]] = {}
        for value in values:
            zone.setdefault((value.lower(), "TXT"), []).append(value.encode())
        made.append(Moment(float(at), items(zone), by[who]))
    return made


@pytest.mark.parametrize(
    ("told", "missing"),
    [
        (("s a", "c", "c a"), {("a", "TXT"): 1.0, ("a", "TXT", b"a"): 1.0}),
        (("s a", "c", "c b", "c a b"), {("a", "TXT"): 2.0, ("a", "TXT", b"a"): 2.0}),
        (("s a", "c", "c a", "c", "c a"), {("a", "TXT"): 2.0, ("a", "TXT", b"a"): 2.0}),
        (("s a", "c", "c A"), {("a", "TXT"): 1.0}),
        (("s a A", "c A", "c a A"), {("a", "TXT", b"a"): 1.0}),
        (("s", "c a", "c", "c a"), {("a", "TXT"): 1.0, ("a", "TXT", b"a"): 1.0}),
        (("s a", "c A", "c a A"), {("a", "TXT", b"a"): 1.0}),
        (("s a", "c", "s A", "c a A"), {("a", "TXT", b"a"): 2.0}),
        (("s a", "c A", "c a"), {("a", "TXT", b"a"): 1.0}),
        (("s a", "c A"), {}),
        (("s a", "c"), {}),
        (("s", "c a"), {}),
        (("s a", "s", "c a"), {}),
        (("s a", "c", "s a"), {}),
        (("s a", "c", "s a", "s", "c a"), {}),
        (("s a", "c", "-", "c a"), {}),
    ],
)
def test_measure(told: tuple[str, ...], missing: dict[object, float]) -> None:
    """An RRset and a value each for itself; only what the client took away and brought back is missing."""
    assert gaps(moments(*told)) == missing


def deleted_and_posted(ask: Client) -> None:
    """What octodns-gandi does."""
    assert ask("DELETE", "records/@/TXT").ok
    assert ask("POST", "records/@/TXT", BACK).ok


def all_at_the_name(ask: Client) -> None:
    """A record set is left out of a PUT on its name and put in again."""
    both = [{"rrset_type": "MX", "rrset_values": ["10 mx"]}, {"rrset_type": "TXT", **BACK}]
    assert ask("PUT", "records/@", {"items": both[:1]}).ok and ask("PUT", "records/@", {"items": both}).ok


@pytest.mark.parametrize("act", [deleted_and_posted, all_at_the_name])
def test_a_gap_ends_the_test(act: Callable[[Client], None]) -> None:
    """Nobody has to ask for it; the record set and its neighbours are named."""
    with (
        pytest.raises(AssertionError, match=rf"missing in between: .*{ZONE}.*'@', 'TXT'.*site=12"),
        Gandi({ZONE: ROWS}) as gandi,
    ):
        act(Client(gandi))
        assert set(gandi.gaps(ZONE)) == APEX and all(0 < seconds < 60 for seconds in gandi.gaps(ZONE).values())


def test_only_where_it_is_meant() -> None:
    """A test that is about gaps says so; another error of a test is not covered by them."""
    with Gandi({ZONE: ROWS}, gapless=False) as gandi:
        deleted_and_posted(Client(gandi))
    assert set(gandi.gaps(ZONE)) == APEX
    with pytest.raises(KeyError), Gandi({ZONE: ROWS}) as gandi:
        deleted_and_posted(Client(gandi))
        raise KeyError


def test_no_gap() -> None:
    """What is replaced or patched, only deleted, or deleted and made again by somebody else or for another reason."""
    with Gandi({ZONE: ROWS}) as gandi:
        ask = Client(gandi)
        assert ask("PUT", "records/@/TXT", {"rrset_values": ['"site=1" "2"', "new"]}).ok
        assert ask("PATCH", "records/@/TXT", {"add_rrset_values": ["a"], "remove_rrset_values": ['"new"']}).ok
        assert ask("DELETE", "records/_dmarc/TXT").ok
        gandi.put(ZONE, "@", "TXT", 300, [])
        assert ask("POST", "records/@/TXT", BACK).ok
        assert ask("POST", NOOP, BACK).ok and ask("DELETE", NOOP).ok
        gandi.settled()
        assert ask("POST", NOOP, BACK).ok
