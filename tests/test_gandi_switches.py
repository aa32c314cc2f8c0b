"""What is not known of Gandi is a switch of the stand-in: each way is what it says, and our provider comes to rest with either."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from dnssync_providers.gandi import Provider

from dnssync.core.model import ProviderError
from tests.gandi import Gandi, Switches
from tests.providers import conformance
from tests.providers.sites import AtGandi, at_gandi
from tests.test_gandi_stand_in import NOOP, ROWS, ZONE, Client, ask, gandi

__all__ = ["ask", "gandi"]
OTHERWISE: dict[str, tuple[Any, ...]] = {
    "delete_missing": (204,),
    "patch_strict": (False,),
    "patch_creates": (True,),
    "patch_empties": (True,),
    "patch_shows": (False,),
    "patch_again": (False,),
    "patch_ttl": (False,),
    "empty": (True,),
    "automatic": (False,),
    "cname_alone": (False,),
    "typed": (False,),
    "quoted": (False,),
    "cut": (150, 7),
    "spf_listed": (False,),
    "total": (None,),
    "a_minute": (3,),
    "retry_after": ("date", ""),
}
# Ways that no client comes to rest with: what is told then is in the tests of the provider.
TOLD = {"spf_taken", "sharing_required", "patch_removes"}
STEPS = [
    row
    for row in conformance.TABLE
    if "strangers' at the apex" in row.title or "at once" in row.title or "hard in it" in row.title
]


def test_every_switch_is_turned() -> None:
    """None is forgotten here."""
    assert {field.name for field in dataclasses.fields(Switches)} == set(OTHERWISE) | TOLD


@pytest.mark.parametrize(("switch", "way"), [(name, way) for name, ways in OTHERWISE.items() for way in ways])
@pytest.mark.parametrize("row", STEPS, ids=lambda row: row.title)
def test_ours_with_either_way(switch: str, way: object, row: conformance.Row, tmp_path: Path) -> None:
    """The rows in which values of others stand beside ours, and every kind of request is made."""
    if switch == "quoted" and "hard" in row.title:
        row = conformance.Row("plain texts", [{"new TXT": ["a"], "@ TXT": ["b"]}, {"new TXT": ["c"], "@ TXT": ["d"]}])
    time = [0.0]

    def sleep(seconds: float) -> None:
        time[0] += seconds

    switches = Switches(**{"a_minute": 3 if switch == "retry_after" else None, switch: way})  # type: ignore[arg-type]
    with Gandi({ZONE: at_gandi(tmp_path, "")}, switches, now=lambda: time[0]) as running:
        site = AtGandi(running)
        if switches.a_minute is None:
            conformance.run(site, row)
            return
        site.provider = site.make(sleep=sleep)
        before = site.everything()
        assert len(site.provider.read(ZONE)) == len(before) and site.provider.read(ZONE)
        if way != "date":  # of a time that only the stand-in lives in
            for _ in range(2):
                site.provider.read(ZONE)
            assert time[0] >= 50 and 429 in {request.status for request in running.requests}


def test_hard_texts_without_quotes(tmp_path: Path) -> None:
    """What others' texts mean cannot always be told then; they stay what they are, since they are never sent."""
    with Gandi({ZONE: at_gandi(tmp_path, "")}, Switches(quoted=False)) as running:
        site, key, ours = AtGandi(running), ("t-txt", "TXT"), {}
        before = site.everything()
        for texts in (["ours"], ["ours; changed"], []):
            site.provider.write(ZONE, conformance.changes(site.provider, {"t-txt TXT": texts}, ours, 300))
            after = site.everything()
            assert before[key][1] <= after[key][1] and len(after[key][1] - before[key][1]) == len(texts)
        assert after == before


class TestTooMany:
    """A limit of requests within a minute; the answer says when to come back, in one of two ways or not at all."""

    @pytest.fixture
    def clock(self) -> list[float]:
        """The stand-in's time."""
        return [1_795_507_200.0]

    @pytest.fixture
    def limited(self, clock: list[float]) -> Iterator[Gandi]:
        """Three requests a minute."""
        with Gandi({ZONE: ROWS}, Switches(a_minute=3), now=lambda: clock[0]) as running:
            yield running

    @pytest.mark.parametrize("how", ["seconds", "date", ""])
    def test_answer(self, limited: Gandi, clock: list[float], how: str) -> None:
        """The fourth is refused and does nothing; a minute after the first one there is room for one more."""
        limited.switches.retry_after = how
        client = Client(limited)
        for _ in range(3):
            assert client("GET", "records").ok
            clock[0] += 10
        before = limited.values(ZONE)
        late = client("DELETE", "records/_dmarc/TXT")
        assert (late.status_code, late.json()["code"]) == (429, 429) and limited.values(ZONE) == before
        told = late.headers.get("Retry-After", "")
        assert (
            told == "30" if how == "seconds" else told == "" or parsedate_to_datetime(told).timestamp() == clock[0] + 31
        )
        assert bool(told) is bool(how)
        clock[0] += 30.5
        assert client("DELETE", "records/_dmarc/TXT").ok and client("GET", "records").status_code == 429

    def test_strangers_count_too(self, limited: Gandi) -> None:
        """The limit is that of an address: who one is does not matter."""
        client = Client(limited)
        client.headers = {}
        for _ in range(3):
            assert client("GET", "records").status_code == 401
        assert client("GET", "records").status_code == 429

    def test_ours_waits_for_a_reading_and_not_for_a_write(self, limited: Gandi, clock: list[float]) -> None:
        """A reading waits as long as it is asked to; a write that would have to leaves it to the next pass."""

        def sleep(seconds: float) -> None:
            clock[0] += seconds

        provider = Provider("gandi", token=limited.token, endpoint=limited.endpoint, sleep=sleep, now=lambda: clock[0])
        began = clock[0]
        for _ in range(3):
            provider.read(ZONE)
        assert 60 <= clock[0] - began < 180
        step = {"new TXT": ["ours"], "newer TXT": ["ours"], "newest TXT": ["ours"]}
        todo = conformance.changes(provider, step, {}, 300)
        with pytest.raises(ProviderError, match=r"wants no more requests for|Too many requests") as caught:
            provider.write(ZONE, todo)
        assert caught.value.transient
        clock[0] += 61
        for _ in step:
            left = [change for change in conformance.changes(provider, step, {}, 300) if change.old is None]
            clock[0] += 61
            if left:
                provider.write(ZONE, left[:1])
        assert {name for name, _ in limited.values(ZONE)} >= {"new", "newer", "newest"}


class TestBothWays:
    """Each switch is what it says."""

    def test_values(self, ask: Client) -> None:
        """A record set without values."""
        assert ask("PUT", NOOP, {"rrset_values": []}).status_code == 400
        ask.gandi.switches.empty = True
        assert ask("PUT", NOOP, {"rrset_values": []}).status_code == 201
        assert ask("GET", NOOP).json()["rrset_values"] == []

    def test_cname(self, ask: Client) -> None:
        """Another type beside a CNAME."""
        assert ask("POST", "records/Mail/CNAME", {"rrset_values": ["x"]}).status_code == 400
        ask.gandi.switches.cname_alone = False
        assert ask("POST", "records/Mail/CNAME", {"rrset_values": ["x"]}).status_code == 201

    def test_content_type(self, ask: Client) -> None:
        """A body without one; another one than JSON is never taken."""
        ask.gandi.switches.typed = False
        assert ask("POST", NOOP, data='{"rrset_values":["x"]}').status_code == 201
        xml = {**ask.headers, "Content-Type": "text/xml"}
        assert ask("PUT", NOOP, data='{"rrset_values":["x"]}', headers=xml).status_code == 400

    def test_patch_again(self, ask: Client) -> None:
        """A value that is there already."""
        body = {"add_rrset_values": ['"site=12"']}
        before = ask.gandi.values(ZONE)
        assert ask("PATCH", "records/@/TXT", body).status_code == 200 and ask.gandi.values(ZONE) == before
        ask.gandi.switches.patch_again = False
        assert ask("PATCH", "records/@/TXT", body).status_code == 400 and ask.gandi.values(ZONE) == before

    def test_patch_without_a_ttl(self, ask: Client) -> None:
        """The TTL that stands there, or the one that is left out elsewhere."""
        assert ask("PATCH", "records/@/TXT", {"add_rrset_values": ["a"]}).json()["rrset_ttl"] == 1800
        ask.gandi.switches.patch_ttl = False
        assert ask("PATCH", "records/@/TXT", {"add_rrset_values": ["b"]}).json()["rrset_ttl"] == 10800

    @pytest.mark.parametrize(
        "wrong", [['"open'], ['"a"b"'], ['"a"  "b"'], ["tab\t"], [""], [5], "x", {}, ["x" * 16385]]
    )
    @pytest.mark.parametrize("which", ["add_rrset_values", "remove_rrset_values"])
    def test_patch_of_what_is_no_value(self, ask: Client, which: str, wrong: object) -> None:
        """Status 400 in the shape of a validation, whichever way the switches are, and nothing is done of it."""
        before = ask.gandi.values(ZONE)
        ask.gandi.switches.patch_strict = False
        answer = ask("PATCH", "records/@/TXT", {"add_rrset_values": ["right"], which: wrong})
        assert answer.status_code == 400 and set(answer.json()) == {"status", "errors"}
        assert ask.gandi.values(ZONE) == before
