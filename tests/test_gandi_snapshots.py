"""The stand-in for Gandi: copies of a zone, made by hand and by themselves, and a zone that is put as text."""

from __future__ import annotations

import pytest

from tests.gandi import Gandi
from tests.test_gandi_stand_in import NOOP, ROWS, ZONE, Client, ask, gandi

__all__ = ["ask", "gandi"]
PLAIN = {"Accept": "text/plain"}


def named(client: Client, **query: object) -> list[str]:
    """The names of the snapshots that a list shows."""
    return [each["name"] for each in client("GET", "snapshots", params=query).json()]


def test_by_hand(ask: Client) -> None:
    """Named, listed without their records, read with them as JSON and as text, renamed, deleted; nothing restores one."""
    made = ask("POST", "snapshots", {"name": "mine"})
    number = made.json()["id"]
    assert made.status_code == 201 and ask("POST", "snapshots", {}).status_code == 201
    [first, second] = ask("GET", "snapshots").json()
    assert (
        first["name"] == "mine"
        and second["name"]
        and sorted(first) == ["automatic", "created_at", "href", "id", "name"]
    )
    assert ask("DELETE", "records").ok
    assert len(ask("GET", f"snapshots/{number}").json()["zone_data"]) == len(ROWS)
    text = ask("GET", f"snapshots/{number}", headers={**ask.headers, **PLAIN}).text
    assert " IN SOA " in text and '_dmarc 3600 IN TXT "v=DMARC1; p=none"' in text
    assert ask("PATCH", f"snapshots/{number}", {"name": "yours"}).ok and "yours" in named(ask)
    assert ask("PATCH", f"snapshots/{number}", {"name": ""}).status_code == 400
    assert ask("POST", "snapshots", {"name": 5}).status_code == 400
    assert ask("DELETE", f"snapshots/{number}").status_code == 204
    assert ask("GET", f"snapshots/{number}").status_code == ask("POST", "snapshots/x").status_code == 404
    assert ask("PUT", "snapshots", {}).status_code == 405 and ask.gandi.values(ZONE) == {}


def test_by_themselves(ask: Client) -> None:
    """Every write that is done makes one, a refused one and a reading make none; it can be switched off."""
    assert ask("GET", "").json()["automatic_snapshots"] is True
    assert ask("POST", NOOP, {"rrset_values": ["x"]}).ok and ask("PATCH", NOOP, {"add_rrset_values": ["y"]}).ok
    assert ask("DELETE", NOOP).ok and ask("GET", "records").ok and not ask("POST", NOOP, {"rrset_values": []}).ok
    assert [each["automatic"] for each in ask("GET", "snapshots").json()] == [True, True, True]
    assert ask("PATCH", "", {"automatic_snapshots": False}).ok
    assert ask("GET", "").json()["automatic_snapshots"] is False
    assert ask("PATCH", "", {"automatic_snapshots": "no"}).status_code == 400
    ask.gandi.settled()
    assert ask("POST", NOOP, {"rrset_values": ["x"]}).ok and len(named(ask)) == 3


def test_list(ask: Client) -> None:
    """By who made them, by age either way, by pages."""
    assert (
        ask("POST", "snapshots", {"name": "a"}).ok
        and ask("DELETE", "records/@/MX").ok
        and ask("POST", "snapshots", {"name": "b"}).ok
    )
    assert named(ask, automatic="false") == ["a", "b"] and len(named(ask, automatic="true")) == 1
    assert named(ask, automatic="false", sort_by="-date_created") == ["b", "a"]
    assert named(ask, per_page=2)[0] == "a" and named(ask, per_page=2, page=2) == ["b"] and named(ask, page=9) == []
    ask.gandi.switches.automatic = False
    assert len(named(ask, automatic="false")) == len(named(ask, automatic="true")) == 3
    for wrong in ({"automatic": "perhaps"}, {"sort_by": "name"}, {"page": 0}):
        assert ask("GET", "snapshots", params=wrong).status_code == 400


def test_a_zone_as_text(ask: Client) -> None:
    """What the zone was answered as can be put again, and is the zone then; what is not named is gone, as with JSON."""
    before = ask.gandi.values(ZONE)
    text = ask("GET", "records", headers={**ask.headers, **PLAIN}).text
    kind = {**ask.headers, "Content-Type": "text/plain"}
    ask.gandi.put(ZONE, "more", "A", 300, ["192.0.2.9"])
    assert ask("PUT", "records", data="; a remark\n\n" + text, headers=kind).status_code == 201
    assert ask.gandi.values(ZONE) == before
    for wrong in ("a TXT x\n", "a 300 IN A 192.0.2.300\n", "a 300 IN NSEC x\n"):
        answer = ask("PUT", "records", data=text + wrong, headers=kind)
        assert answer.status_code == 400 and set(answer.json()) == {"status", "errors"}
    assert ask.gandi.values(ZONE) == before
    assert ask("PUT", NOOP, data=text, headers=kind).status_code == 400, "a record set is no zone"


@pytest.mark.parametrize("body", [{}, {"items": "x"}, {"items": ["x"]}])
def test_a_zone_that_is_none(ask: Client, gandi: Gandi, body: object) -> None:
    """What has no list of record sets empties nothing."""
    before = gandi.values(ZONE)
    for path in ("records", "records/@"):
        assert ask("PUT", path, body).status_code == 400
    assert gandi.values(ZONE) == before
