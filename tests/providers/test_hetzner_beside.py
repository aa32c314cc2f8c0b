"""Hetzner Cloud where somebody else writes in the very moment of a write: never two records of a kind, and never none."""

from __future__ import annotations

from typing import Any

import pytest
from dnssync_providers._hetzner_client import WAITS

from dnssync.core.model import ProviderError, StaleZone
from dnssync.zones import TooLong
from tests.hetzner import Hetzner
from tests.hetzner_records import problem
from tests.http_faults import Answer, Fault
from tests.providers.conformance import ZONE, Step, changes
from tests.providers.hetzner_client import APEX, TODO, client, new, small, texts, todo

hetzner = pytest.fixture(small, name="hetzner")


class TestBeside:
    """A record that somebody else wrote beside a new one of ours, and what becomes of the two."""

    def theirs(self, hetzner: Hetzner, method: str = "GET", path: str = "/actions/", **more: Any) -> Fault:
        """Somebody writes an SPF record, too, before such a request."""
        return Fault(method, path, stranger=lambda: hetzner.add(ZONE, "@", "TXT", 0, '"v=spf1 a -all"'), **more)

    def wrong(self, hetzner: Hetzner, *faults: Fault, step: Step = APEX, **options: Any) -> ProviderError:
        """The error of a write with faults."""
        provider = client(hetzner, **options)
        made = todo(provider, step)
        hetzner.requests.clear()
        hetzner.faults = list(faults)
        with pytest.raises(ProviderError, match=rf"^{ZONE}: ") as caught:
            provider.write(ZONE, made)
        hetzner.faults = []
        return caught.value

    def stale(self, hetzner: Hetzner, *faults: Fault, step: Step = APEX, **options: Any) -> None:
        """A write with faults, after which the zone is planned anew."""
        error = self.wrong(hetzner, *faults, step=step, **options)
        assert isinstance(error, StaleZone) and f"{ZONE} TXT at hetzner" in str(error)

    def test_somebody_wrote_one_of_the_same_kind(self, hetzner: Hetzner) -> None:
        """Of two, receivers take neither: ours goes by itself, theirs stays, and the zone is planned anew."""
        hetzner.zones[ZONE].entries["@", "TXT"].records['"v=spf10"'] = "theirs"
        self.stale(hetzner, self.theirs(hetzner))
        assert texts(hetzner) == {"v=spf1 a -all", "site=12", "v=spf10"}
        assert hetzner.zones[ZONE].entries["@", "TXT"].records['"v=spf10"'] == "theirs"
        assert [call.rpartition("/")[2] for call in hetzner.calls() if "/@/TXT/" in call][-1] == "remove_records"

    @pytest.mark.parametrize("others", [True, False])
    def test_a_first_one(self, hetzner: Hetzner, others: bool) -> None:
        """Where there was none, somebody else's first record and ours are two as well, with values beside them or without."""
        hetzner.gapless = False
        hetzner.put(ZONE, "@", "TXT", None, ['"site=1" "2"']) if others else hetzner.drop(ZONE, "@", "TXT")
        self.stale(hetzner, self.theirs(hetzner, *(("POST", "add_records") if others else ())))
        assert texts(hetzner) == {"v=spf1 a -all"} | ({"site=12"} if others else set())

    def test_an_answer_is_lost_and_theirs_comes(self, hetzner: Hetzner) -> None:
        """A first record whose answer was lost may stand beside theirs all the same."""
        hetzner.gapless = False
        hetzner.put(ZONE, "@", "TXT", None, ['"site=1" "2"'])
        self.stale(hetzner, self.theirs(hetzner, "POST", "add_records", drop=True, commits=True))
        assert texts(hetzner) == {"v=spf1 a -all", "site=12"}

    def test_a_later_change_fails(self, hetzner: Hetzner) -> None:
        """What was done before it does not stay beside theirs either."""
        refused = Fault("POST", f"{ZONE}/rrsets$", problem(422, "invalid_input", "no"))
        self.stale(hetzner, self.theirs(hetzner), refused, step=TODO)
        assert texts(hetzner) == {"v=spf1 a -all", "site=12", "v=spf10"}

    def test_the_second_action_of_a_change_fails(self, hetzner: Hetzner) -> None:
        """What the first one added does not stay beside theirs, whatever the second one said."""
        hetzner.gapless = False
        hetzner.put(ZONE, "@", "TXT", None, ['"site=1" "2"', '"ours"'])
        provider = client(hetzner)
        made = changes(provider, APEX, {("", "TXT"): ["ours"]}, 3600)
        hetzner.faults = [self.theirs(hetzner, "POST", "remove_records", answer=problem(422, "invalid_input", "no"))]
        with pytest.raises(StaleZone):
            provider.write(ZONE, made)
        assert texts(hetzner) == {"v=spf1 a -all", "site=12", "ours"}

    @pytest.mark.parametrize("times", [1, 4])
    def test_the_last_look_fails(self, hetzner: Hetzner, times: int) -> None:
        """Then another one is made, as long as that helps."""
        slept: list[float] = []
        failing = Fault("GET", "rrsets", problem(500, "server_error", "x"), skip=1, times=times)
        self.stale(hetzner, self.theirs(hetzner), failing, sleep=slept.append)
        assert texts(hetzner) == {"v=spf1 a -all", "site=12", "v=spf10"} and failing.struck == times
        assert sum(slept) - WAITS[0] * 2 == (0.0 if times == 1 else 21.0)

    def test_theirs_is_gone_again(self, hetzner: Hetzner) -> None:
        """Ours stays where theirs went while it was being taken back: there is never none."""
        away = Fault("POST", "remove_records", problem(500, "server_error", "x"), stranger=lambda: hetzner.put(ZONE, "@", "TXT", None, ['"v=spf1 mx a -all"']))  # fmt: skip
        self.stale(hetzner, self.theirs(hetzner), away)
        assert texts(hetzner) == {"v=spf1 mx a -all"}

    def test_it_cannot_be_taken_back(self, hetzner: Hetzner) -> None:
        """Then a person is asked to look at once, with the name, the reason and the error."""
        failing = Fault("POST", "remove_records", problem(422, "invalid_input", "not that one"), times=99)
        told = str(self.wrong(hetzner, self.theirs(hetzner), failing))
        assert f"taking back what was added to {ZONE} TXT: another record of the same kind (v=spf1)" in told
        assert f"Look at {ZONE} TXT at Hetzner (provider hetzner) now: of two, receivers take neither" in told

    def test_no_time_for_a_pause(self, hetzner: Hetzner) -> None:
        """Where Hetzner asks for a longer pause than there is time for, in a pass that writes, while a change is done: it is looked
        at, and what is seen to be done is done."""

        def sleep(seconds: float) -> None:
            if seconds > 15:
                raise TooLong(seconds)

        slow = Answer(429, problem(429, "rate_limit_exceeded", "slow").body, {"Retry-After": "30"})
        provider = client(hetzner, sleep=sleep)
        made = todo(provider, APEX)
        hetzner.faults = [Fault("GET", "/actions/", slow, times=99)]
        provider.write(ZONE, made)
        assert texts(hetzner) == {"v=spf1 mx a -all", "site=12", "v=spf10"}
        with pytest.raises(
            ProviderError, match=r"asking whether it is done: .* more requests for 30 seconds"
        ) as caught:
            provider.write(ZONE, [new("fresh", "x")])
        assert "Nothing was done" not in str(caught.value) and caught.value.transient

    def test_both_of_them(self, hetzner: Hetzner) -> None:
        """After a lost request, a name with both records is not left with two: the new one goes, and the zone is planned anew."""
        both = lambda: hetzner.put(ZONE, "@", "TXT", None, ['"v=spf1 mx -all"', '"v=spf1 mx a -all"'])  # noqa: E731
        self.stale(hetzner, Fault("POST", "set_records", drop=True, stranger=both))
        assert texts(hetzner) == {"v=spf1 mx -all"}

    def test_nothing_was_done(self, hetzner: Hetzner) -> None:
        """Where the one request was turned away, what stands there is looked at once, and no more."""
        away = Fault("POST", "set_records", problem(409, "conflict", "x"))
        assert "takes no change just now" in str(self.wrong(hetzner, away))
        assert [call.rpartition("/")[2] for call in hetzner.calls()] == ["rrsets", "set_records", "rrsets"]

    def test_protected_meanwhile(self, hetzner: Hetzner) -> None:
        """A record set that was protected after the reading is seen to be, at the look directly before."""
        provider = client(hetzner)
        made = todo(provider, APEX)
        hetzner.zones[ZONE].entries["@", "TXT"].protected = True
        hetzner.requests.clear()
        with pytest.raises(ProviderError, match=f"^{ZONE}: writing {ZONE} TXT: .*nothing of it was done"):
            provider.write(ZONE, made)
        assert [each.method for each in hetzner.requests] == ["GET"]
