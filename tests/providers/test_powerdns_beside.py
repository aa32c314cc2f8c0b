"""PowerDNS where somebody else writes in the very moment of a write by value: never two records of a kind, and never none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dnssync_providers.powerdns import Provider

from dnssync.core.model import ProviderError, StaleZone
from dnssync.zones import TooLong
from tests.between import HTTP, Between, nothing
from tests.gaps import By
from tests.http_faults import Answer, Fault
from tests.powerdns import PowerDns
from tests.powerdns_api import PowerDnsApi
from tests.providers.test_powerdns import ZONE, change, client, pdns, refused, rrset, sent

__all__ = ["pdns"]

EDITED = '"v=spf1 mx include:theirs.example.net -all"'


class TestBetweenLookAndWrite:
    """What somebody else does between our look and our write, where the server knows of single values."""

    def writing(
        self, pdns: PowerDnsApi, act: Callable[[], None], error: type[ProviderError] | None, *more: Fault
    ) -> str:
        """A write of one SPF record in place of another, before whose PATCH somebody does something; what it says."""
        provider = client(pdns)
        todo = change(provider, rrset("", "v=spf1 mx a -all", ttl=1800), gone="v=spf1 mx -all")
        pdns.requests.clear()
        pdns.faults = [Fault("PATCH", stranger=act), *more]
        if error is None:
            provider.write(ZONE, [todo])
            return ""
        with pytest.raises(error, match=rf"^{ZONE}: ") as caught:
            provider.write(ZONE, [todo])
        return str(caught.value)

    def spf(self, pdns: PowerDnsApi) -> list[str]:
        """The SPF records that stand at the apex."""
        return [content for content, _ in pdns.entry(ZONE, "@", "TXT").records if content.startswith('"v=spf1')]

    def edit(self, pdns: PowerDnsApi, *records: str) -> Callable[[], None]:
        """Somebody writes these in place of the first value."""
        entry = pdns.entry(ZONE, "@", "TXT")

        def act() -> None:
            entry.records[:1] = [(record, False) for record in records]
            pdns.note(By.SOMEBODY)

        return act

    def test_ours_was_edited(self, pdns: PowerDnsApi) -> None:
        """PRUNE does not find it then, so that two SPF records stand there: ours goes, theirs stays, and the zone is planned anew."""
        self.writing(pdns, self.edit(pdns, EDITED), StaleZone)
        assert self.spf(pdns) == [EDITED]
        assert [each.method for each in pdns.requests] == ["GET", "PATCH", "GET", "PATCH", "GET"]
        assert sent(pdns) == [("PRUNE", " TXT", 1800, ['"v=spf1 mx a -all"'], [])]
        assert pdns.values(ZONE)["@", "TXT"][1] >= {b"site=12"}

    def test_a_first_one(self, pdns: PowerDnsApi) -> None:
        """Where there was none, somebody else's first record and ours are two as well."""
        provider = client(pdns)
        todo = change(provider, rrset("", "v=spf1 -all", kind="SPF"))
        pdns.faults = [Fault("PATCH", stranger=lambda: pdns.add(ZONE, "@", "SPF", 300, '"v=spf1 mx -all"'))]
        with pytest.raises(StaleZone, match=f"{ZONE} SPF at theirs"):
            provider.write(ZONE, [todo])
        assert pdns.values(ZONE)["@", "SPF"] == (300, frozenset({b"v=spf1 mx -all"}))

    def test_the_old_one_spelled_otherwise(self, pdns: PowerDnsApi) -> None:
        """PRUNE does not find it either; the old one stays, as one alone."""
        self.writing(pdns, self.edit(pdns, '"v=spf1 " "mx -all"'), StaleZone)
        assert self.spf(pdns) == ['"v=spf1 " "mx -all"']

    def test_something_else_beside_it(self, pdns: PowerDnsApi) -> None:
        """What is of another kind stands beside ours in peace."""
        self.writing(pdns, lambda: pdns.add(ZONE, "@", "TXT", 1800, '"theirs"'), None)
        assert self.spf(pdns) == ['"v=spf1 mx a -all"']
        assert pdns.values(ZONE)["@", "TXT"][1] >= {b"theirs", b"site=12"}

    def test_theirs_is_gone_again(self, pdns: PowerDnsApi) -> None:
        """Ours stays where theirs went while it was being taken back: there is never none."""
        away = Fault("PATCH", answer=Answer(500, {"error": "x"}), stranger=lambda: pdns.entry(ZONE, "@", "TXT").records.remove((EDITED, False)))  # fmt: skip
        self.writing(pdns, self.edit(pdns, EDITED), StaleZone, away)
        assert self.spf(pdns) == ['"v=spf1 mx a -all"']

    def test_it_cannot_be_taken_back(self, pdns: PowerDnsApi) -> None:
        """Then a person is asked to look at once, with the name, the reason and the error; it is tried for as long as that helps."""
        failing = Fault("PATCH", answer=Answer(500, {"error": "locked"}), times=9)
        told = self.writing(pdns, self.edit(pdns, EDITED), ProviderError, failing)
        assert f"taking back what was added to {ZONE} TXT: another record of the same kind (v=spf1)" in told
        assert f"Look at {ZONE} TXT at PowerDNS (provider theirs) now: of two, receivers take neither" in told
        assert "answered 500: locked" in told and failing.struck == 5

    def test_it_is_taken_back_late(self, pdns: PowerDnsApi) -> None:
        """An error of the server's does not end it."""
        slept: list[float] = []
        failing = Fault("PATCH", answer=Answer(500, {"error": "locked"}), times=2)
        provider = client(pdns, sleep=slept.append)
        todo = change(provider, rrset("", "v=spf1 mx a -all", ttl=1800), gone="v=spf1 mx -all")
        pdns.faults = [Fault("PATCH", stranger=self.edit(pdns, EDITED)), failing]
        with pytest.raises(StaleZone):
            provider.write(ZONE, [todo])
        assert self.spf(pdns) == [EDITED] and slept == [1.0, 5.0]

    @pytest.mark.parametrize("new", [["v=spf1 mx a -all"], []])
    def test_it_shows_something_else(self, pdns: PowerDnsApi, new: list[str]) -> None:
        """What was to come is not there, or what was to go still is: that is no success."""
        provider = client(pdns)
        todo = change(provider, rrset("", *new, ttl=1800), gone="" if new else "v=spf1 mx -all")
        pdns.faults = [Fault("PATCH", answer=Answer(204))]
        told = refused(provider, todo)
        assert f"writing {ZONE} TXT: PowerDNS (provider theirs) took the change and shows something else" in told

    @pytest.mark.parametrize("theirs", [True, False])
    @pytest.mark.parametrize("times", [1, 4])
    def test_a_look_fails(self, pdns: PowerDnsApi, times: int, theirs: bool) -> None:
        """Then another one is made, as long as that helps: ours goes where it may not stay, and what stands alone stays."""
        failing: dict[str, Any] = {"method": "GET", "answer": Answer(500, {"error": "x"}), "skip": 1, "times": times}
        self.writing(
            pdns, self.edit(pdns, EDITED) if theirs else lambda: None, StaleZone if theirs else None, Fault(**failing)
        )
        assert self.spf(pdns) == [EDITED if theirs else '"v=spf1 mx a -all"']

    def test_no_look_succeeds(self, pdns: PowerDnsApi) -> None:
        """What is written is not told as success where it was not seen: a person is asked to look, at the place that is named."""
        failing = Fault("GET", answer=Answer(500, {"error": "x"}), skip=1, times=99)
        told = self.writing(pdns, lambda: None, ProviderError, failing)
        assert told.startswith(f"{ZONE}: looking at what was written to {ZONE} TXT: what stands there is not known")
        assert f"Look at {ZONE} TXT at PowerDNS (provider theirs) now" in told and "answered 500: x" in told
        assert failing.struck == 5

    def test_looks_that_take_their_time(self, pdns: PowerDnsApi) -> None:
        """Where the server hangs, a person is asked to look after two minutes: other zones wait for this one."""
        clock = [0.0]
        late = lambda: clock.__setitem__(0, clock[0] + 70.0)  # noqa: E731
        failing = Fault("GET", answer=Answer(500, {"error": "x"}), skip=1, times=9, stranger=late)
        provider = client(pdns, now=lambda: clock[0])
        todo = change(provider, rrset("", "v=spf1 mx a -all", ttl=1800), gone="v=spf1 mx -all")
        pdns.faults = [failing]
        with pytest.raises(ProviderError, match=f"Look at {ZONE} TXT at PowerDNS"):
            provider.write(ZONE, [todo])
        assert failing.struck == 2

    @pytest.mark.parametrize("commits", [True, False])
    def test_the_answer_is_lost(self, pdns: PowerDnsApi, commits: bool) -> None:
        """The change may be done all the same, beside what somebody wrote in that moment: ours goes where it is seen to be there."""
        lost = Fault("PATCH", drop=True, commits=commits, stranger=self.edit(pdns, EDITED))
        provider = client(pdns)
        todo = change(provider, rrset("", "v=spf1 mx a -all", ttl=1800), gone="v=spf1 mx -all")
        pdns.faults = [lost]
        with pytest.raises(
            ProviderError, match="broke off its answer" if not commits else "not what was read any more"
        ):
            provider.write(ZONE, [todo])
        assert self.spf(pdns) == [EDITED]

    def test_the_answer_is_lost_and_no_look_succeeds(self, pdns: PowerDnsApi) -> None:
        """Then the loss is what is told, after one look."""
        failing = Fault("GET", answer=Answer(500, {"error": "x"}), skip=1, times=99)
        provider = client(pdns)
        todo = change(provider, rrset("", "v=spf1 mx a -all", ttl=1800), gone="v=spf1 mx -all")
        pdns.faults = [Fault("PATCH", drop=True), failing]
        with pytest.raises(ProviderError, match=r"broke off its answer\. Whether the change was made is not known"):
            provider.write(ZONE, [todo])
        assert failing.struck == 1

    @pytest.mark.parametrize("times", [2, 99])
    def test_no_time_for_a_pause(self, pdns: PowerDnsApi, times: int) -> None:
        """In a pass that has no time for so long a pause as is asked for, ours is taken back as soon as it can be seen; where it cannot,
        a person is asked to look at once, and told why."""

        def sleep(seconds: float) -> None:
            if seconds > 15:
                raise TooLong(seconds)

        provider = client(pdns, sleep=sleep)
        todo = change(provider, rrset("", "v=spf1 mx a -all", ttl=1800), gone="v=spf1 mx -all")
        busy = Fault("GET", answer=Answer(503, {"error": "busy"}, {"Retry-After": "30"}), skip=1, times=times)
        pdns.faults = [Fault("PATCH", stranger=self.edit(pdns, EDITED)), busy]
        with pytest.raises(ProviderError, match=rf"^{ZONE}: ") as caught:
            provider.write(ZONE, [todo])
        told = str(caught.value)
        if times == 2:
            assert isinstance(caught.value, StaleZone) and self.spf(pdns) == [EDITED]
        else:
            assert f"Look at {ZONE} TXT at PowerDNS (provider theirs) now" in told and caught.value.transient
            assert "more requests for 30 seconds, which is longer than is waited for" in told
            assert "Nothing was done" not in told
            pdns.faults = []

    @pytest.mark.parametrize("gone", [True, False])
    def test_a_stranger_s_is_missing(self, pdns: PowerDnsApi, gone: bool) -> None:
        """A value that somebody switched off in that moment goes with our write, since the server drops it: it is named."""
        entry = pdns.entry(ZONE, "@", "TXT")
        [at] = [n for n, (content, _) in enumerate(entry.records) if content == '"site=1" "2"']

        def off() -> None:
            entry.records[at : at + 1] = [] if gone else [('"site=1" "2"', True)]
            pdns.note(By.SOMEBODY)

        told = self.writing(pdns, off, ProviderError)
        assert "does not show a value of others any more that stood there before: 'site=12'" in told
        assert self.spf(pdns) == ['"v=spf1 mx a -all"']

    def test_a_stranger_s_is_off(self, pdns: PowerDnsApi) -> None:
        """A value that somebody switched off after our write stands there as they left it."""

        def off() -> None:
            entry = pdns.entry(ZONE, "@", "TXT")
            entry.records[:] = [(content, content == '"site=1" "2"') for content, _ in entry.records]
            pdns.note(By.SOMEBODY)

        self.writing(pdns, lambda: None, None, Fault("GET", skip=1, stranger=off))
        assert ('"site=1" "2"', True) in pdns.entry(ZONE, "@", "TXT").records

    def test_what_is_written_whole_is_not_looked_at(self, pdns: PowerDnsApi) -> None:
        """REPLACE leaves nothing beside ours."""
        provider = client(pdns)
        provider.write(ZONE, [change(provider, rrset("_dmarc", "x"))])
        assert [each.method for each in pdns.requests] == ["GET", "GET", "PATCH"]


@pytest.mark.powerdns
@pytest.mark.parametrize("backend", ["gsqlite3", "lmdb"])
def test_a_real_server(tmp_path: Path, backend: str) -> None:
    """There is one SPF record afterwards: where the server knows of single values that of whoever edited it, and it is planned anew."""
    text = 'txt TXT x\n@ 1800 TXT "v=spf1 mx -all"\n@ 1800 TXT "site=1" "2"\n'
    with PowerDns(tmp_path / "pdns", {ZONE: text}, backend) as pdns, Between(pdns.api_port, HTTP) as between:
        probe = {"name": f"txt.{ZONE}.", "type": "TXT", "ttl": 300, "changetype": "EXTEND"}
        probe["records"] = [{"content": '"y"', "disabled": False}]
        single = pdns.tried("PATCH", f"/zones/{ZONE}.", {"rrsets": [probe]}).ok
        provider = Provider("theirs", host="127.0.0.1", port=between.port, api_key=pdns.api_key)
        todo = change(provider, rrset("", "v=spf1 mx a -all", ttl=1800), gone="v=spf1 mx -all")

        def edit() -> None:
            if between.before is not nothing:
                between.before = nothing  # once
                pdns.patch(ZONE, "@", "TXT", 1800, [('"site=1" "2"', False), (EDITED, False)])

        if single:
            between.before = edit
            with pytest.raises(StaleZone, match=f"^{ZONE}: {ZONE} TXT at theirs"):
                provider.write(ZONE, [todo])
        else:
            provider.write(ZONE, [todo])
        spf = EDITED if single else '"v=spf1 mx a -all"'
        assert sorted(r["content"].replace('" "', "") for r in pdns.rrset(ZONE, "@", "TXT")["records"]) == [
            '"site=12"',
            spf,
        ]
        if single:
            todo = change(provider, rrset("", "v=spf1 mx a -all", ttl=1800), gone=EDITED.strip('"'))
            provider.write(ZONE, [todo])
            assert '"v=spf1 mx a -all"' in [r["content"] for r in pdns.rrset(ZONE, "@", "TXT")["records"]]
