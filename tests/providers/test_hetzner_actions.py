"""Hetzner Cloud against its stand-in: actions that take their time or fail, what is refused, and that the stand-in is strict."""

from __future__ import annotations

from typing import Any

import pytest
from dnssync_providers._hetzner import explain
from dnssync_providers._hetzner_client import BUSY, WAITS
from hcloud import APIException, Client
from hcloud.actions import ActionFailedException
from hcloud.zones import ZoneRecord

from dnssync.core.model import Change, Kind, ProviderError, RRset, StaleZone, Value
from tests.hetzner import Hetzner, Switches
from tests.hetzner_records import problem
from tests.http_faults import HTML, Answer, Fault
from tests.providers.conformance import ZONE
from tests.providers.hetzner_client import ACTIONS, APEX, ROWS, ask, client, new, small, texts, todo

hetzner = pytest.fixture(small, name="hetzner")
RRSETS = f"/zones/{ZONE}/rrsets"
FRESH = rf"^{ZONE}: writing fresh\.{ZONE} TXT: .*Hetzner \(provider hetzner\) "


class TestActions:
    @pytest.mark.parametrize("looks", [0, 1, 5])
    def test_it_is_waited_for(self, hetzner: Hetzner, looks: int) -> None:
        """A write is done when its action says so, however many looks that takes; one that has ended at once is not asked for."""
        slept: list[float] = []
        hetzner.switches.looks = looks
        client(hetzner, sleep=slept.append).write(ZONE, [new("fresh", "x")])
        asked = [each for each in hetzner.requests if each.path.startswith("/zones/actions/")]
        assert len(asked) == looks and slept == list(WAITS[:looks])

    def test_one_that_does_not_end(self, hetzner: Hetzner) -> None:
        """An action that goes on for longer than is waited for is told; nobody knows then."""
        slept: list[float] = []
        hetzner.switches.looks = 10**6
        with pytest.raises(ProviderError, match=FRESH + r"has not done it within 12\.7 seconds.*not known") as caught:
            client(hetzner, sleep=slept.append).write(ZONE, [new("fresh", "x")])
        assert caught.value.transient and sum(slept) == sum(WAITS) < 15

    def test_one_that_fails(self, hetzner: Hetzner) -> None:
        """An action that ends in an error is an error, in the vendor's words, and the zone is what it was."""
        hetzner.switches.fails = "create_rrset"
        with pytest.raises(
            ProviderError, match=FRESH + r"began the change and could not end it: Action failed \(action_failed\)"
        ) as caught:
            client(hetzner).write(ZONE, [new("fresh", "x")])
        assert caught.value.transient and texts(hetzner, "fresh") == set()

    @pytest.mark.parametrize("body", [None, {}, {"action": None}, {"action": {"id": "x", "status": "success"}}])
    def test_an_answer_that_is_none(self, hetzner: Hetzner, body: Any) -> None:
        """A write that is answered with something else is not taken for done."""
        hetzner.faults = [Fault("POST", answer=Answer(201, body))]
        with pytest.raises(ProviderError, match=FRESH + "answered with something that is no action") as caught:
            client(hetzner).write(ZONE, [new("fresh", "x")])
        assert caught.value.transient

    @pytest.mark.parametrize(
        "answer", [Answer(500, None), Answer(200, {"action": {"id": 1}}), Answer(404, {}), Answer(200, HTML)]
    )
    def test_a_look_that_fails(self, hetzner: Hetzner, answer: Answer) -> None:
        """Where an action cannot be looked at any more, it is not taken for done."""
        hetzner.faults = [Fault("GET", "/actions/", answer, times=99)]
        with pytest.raises(ProviderError, match=rf"^{ZONE}: writing fresh\.{ZONE} TXT: "):
            client(hetzner).write(ZONE, [new("fresh", "x")])

    @pytest.mark.parametrize("busy", [1, 3])
    def test_another_one_is_under_way(self, hetzner: Hetzner, busy: int) -> None:
        """Where the zone is locked nothing was done, so it is asked again after a moment."""
        slept: list[float] = []
        hetzner.switches.busy, hetzner.switches.looks = busy, 0
        client(hetzner, sleep=slept.append).write(ZONE, [new("fresh", "x")])
        assert texts(hetzner, "fresh") == {"x"} and slept == list(BUSY[:busy])

    def test_a_whole_set_is_not_set_again(self, hetzner: Hetzner) -> None:
        """Where somebody else is writing, a record set that was ours whole may be so no more: it is read anew before anything is set."""
        provider = client(hetzner)
        provider.write(ZONE, [new("fresh", "x")])
        [before] = [rrset for rrset in provider.read(ZONE) if rrset.name == "fresh"]
        hetzner.switches.busy = 1
        after = RRset("fresh", "TXT", before.ttl, (Value("x y", ""),))
        with pytest.raises(ProviderError, match="takes no change just now") as caught:
            provider.write(ZONE, [Change(Kind.UPDATE, "fresh", "TXT", before, after)])
        assert caught.value.transient and texts(hetzner, "fresh") == {"x"}
        assert sum(call.endswith("/set_records") for call in hetzner.calls()) == 1

    @pytest.mark.parametrize(("status", "code"), [(423, "locked"), (409, "conflict"), (429, "rate_limit_exceeded")])
    def test_it_stays_so(self, hetzner: Hetzner, status: int, code: str) -> None:
        """Where it stays locked, it is told, as something that passes; and nothing was done."""
        hetzner.faults = [Fault("POST", answer=problem(status, code, "not now"), times=99)]
        with pytest.raises(
            ProviderError, match=FRESH + rf"takes no change just now: not now \({code}\).*Nothing was done"
        ) as caught:
            client(hetzner).write(ZONE, [new("fresh", "x")])
        assert caught.value.transient and len(hetzner.requests) == 2 + 1 + len(BUSY)

    def test_requests_per_hour(self) -> None:
        """Where the hour's requests are used up, each second gives some back, and a write waits for that."""
        clock = [0.0]
        with Hetzner({ZONE: ROWS}, Switches(an_hour=7200), now=lambda: clock[0]) as hetzner:
            provider = client(hetzner, sleep=lambda s: clock.__setitem__(0, clock[0] + s))
            made = todo(provider, APEX)
            hetzner.account.used = 7200.0
            provider.write(ZONE, made)
            assert 429 in [each.status for each in hetzner.requests]
        assert "v=spf1 mx a -all" in texts(hetzner)


class TestExchange:
    """A record of ours that gets a successor of its kind, among strangers' values: one request, and what becomes of it."""

    def write(self, hetzner: Hetzner, *faults: Fault) -> str:
        """The apex's change with faults; the sentence that it ended with."""
        provider = client(hetzner)
        made = todo(provider, APEX)
        hetzner.requests.clear()
        hetzner.faults = list(faults)
        with pytest.raises(ProviderError) as caught:
            provider.write(ZONE, made)
        hetzner.faults = []
        assert not isinstance(caught.value, StaleZone) and str(caught.value).startswith(f"{ZONE}: ")
        return str(caught.value)

    def test_as_they_stand_now(self, hetzner: Hetzner) -> None:
        """Strangers' values are sent octet for octet as the look directly before shows them: cut anew, with another comment, and twice."""
        provider = client(hetzner)
        hetzner.put(ZONE, "@", "TXT", None, ['"site=1" "2"', '"v=spf1 mx -all"', '"same"', '"sa" "me"'])
        made = todo(provider, APEX)
        hetzner.put(ZONE, "@", "TXT", None, ['"site=" "12"', '"v=spf1 mx -all"', '"same"', '"sa" "me"'])
        hetzner.zones[ZONE].entries["@", "TXT"].records['"site=" "12"'] = "for the search engine"
        provider.write(ZONE, made)
        assert hetzner.zones[ZONE].entries["@", "TXT"].records == {
            '"site=" "12"': "for the search engine", '"same"': None, '"sa" "me"': None, '"v=spf1 mx a -all"': None
        }  # fmt: skip

    def test_the_look_is_directly_before(self, hetzner: Hetzner) -> None:
        """However young the reading is, and whatever is written before, nothing is asked between the look at the name and the request."""
        provider = client(hetzner)
        made = todo(provider, {**APEX, "old._domainkey TXT": ["v=DKIM1; p="]})
        hetzner.requests.clear()
        provider.write(ZONE, made)
        calls = [(each.path.rpartition("/")[2], each.query.get("name")) for each in hetzner.requests]
        assert [calls[n - 1] for n, (path, _) in enumerate(calls) if path == "set_records"] == [
            ("rrsets", ["@"]), ("rrsets", ["old._domainkey"])
        ]  # fmt: skip

    def test_a_stranger_before_the_look(self, hetzner: Hetzner) -> None:
        """A value that came after the reading and before the look is not written over: the zone is planned anew."""
        provider = client(hetzner)
        made = todo(provider, APEX)
        hetzner.add(ZONE, "@", "TXT", 0, '"theirs"')
        with pytest.raises(StaleZone):
            provider.write(ZONE, made)
        assert texts(hetzner) == {"v=spf1 mx -all", "site=12", "v=spf10", "theirs"}

    def test_the_price(self, hetzner: Hetzner) -> None:
        """What a stranger writes between the look and the request is undone, as docs/providers.md says."""
        provider = client(hetzner)
        made = todo(provider, APEX)
        hetzner.faults = [Fault("POST", "set_records", stranger=lambda: hetzner.add(ZONE, "@", "TXT", 0, '"theirs"'))]
        provider.write(ZONE, made)
        assert texts(hetzner) == {"v=spf1 mx a -all", "site=12", "v=spf10"}

    def test_the_new_one_is_refused(self, hetzner: Hetzner) -> None:
        """A new value that Hetzner does not take leaves the old one there, with its comment."""
        hetzner.zones[ZONE].entries["@", "TXT"].records['"v=spf1 mx -all"'] = "mine"
        told = self.write(hetzner, Fault("POST", "set_records", problem(422, "invalid_input", "no")))
        assert "no (invalid_input)" in told and texts(hetzner) == {"v=spf1 mx -all", "site=12", "v=spf10"}
        assert hetzner.zones[ZONE].entries["@", "TXT"].records['"v=spf1 mx -all"'] == "mine"

    @pytest.mark.parametrize("fault", [{"drop": True}, {"answer": problem(500, "server_error", "x")}, {"hang": True}])
    def test_it_does_not_come(self, hetzner: Hetzner, fault: Any) -> None:
        """Where the request fails, it is not made again, the old one stands, and a later pass has it to merge with."""
        lost = Fault("POST", "set_records", times=99, **fault)
        self.write(hetzner, lost)
        lost.release.set()
        assert lost.struck == 1 and texts(hetzner) == {"v=spf1 mx -all", "site=12", "v=spf10"}
        provider = client(hetzner)
        provider.write(ZONE, todo(provider, APEX))
        assert texts(hetzner) == {"v=spf1 mx a -all", "site=12", "v=spf10"}

    def test_an_answer_is_lost(self, hetzner: Hetzner) -> None:
        """Where the answer is lost and the change is seen to be done, the write goes on."""
        provider = client(hetzner)
        made = todo(provider)
        hetzner.faults = [Fault("POST", "set_records", drop=True, commits=True)]
        provider.write(ZONE, made)
        assert texts(hetzner) == {"v=spf1 mx a -all", "site=12", "v=spf10"} and texts(hetzner, "_dmarc")

    def test_it_is_not_known(self, hetzner: Hetzner) -> None:
        """Where it cannot be looked at after a lost answer, the loss is what is told, and nothing more is written."""
        lost = Fault("POST", "set_records", drop=True, commits=True)
        told = self.write(hetzner, lost, Fault("GET", "rrsets", problem(500, "server_error", "x"), skip=1, times=99))
        assert "Whether the change was made is not known" in told and lost.struck == 1

    def test_somebody_else_s_doing(self, hetzner: Hetzner) -> None:
        """After a lost request, a name without either record is not one where it was done."""
        write = lambda: hetzner.put(ZONE, "@", "TXT", None, ['"v=spf10"'])  # noqa: E731
        told = self.write(hetzner, Fault("POST", "set_records", drop=True, stranger=write))
        assert "broke off its answer" in told

    def test_the_old_one_is_gone_already(self, hetzner: Hetzner) -> None:
        """An old value that somebody took out in this moment: the zone has moved, and nothing was done."""
        provider = client(hetzner)
        made = todo(provider, APEX)
        hetzner.put(ZONE, "@", "TXT", None, ['"site=1" "2"', '"v=spf10"'])
        with pytest.raises(StaleZone):
            provider.write(ZONE, made)
        assert texts(hetzner) == {"site=12", "v=spf10"}

    def test_all_is_gone_already(self, hetzner: Hetzner) -> None:
        """A record set that is gone when the request comes is not made anew: the zone has moved."""
        provider = client(hetzner)
        made = todo(provider, APEX)
        hetzner.faults = [Fault("POST", "set_records", stranger=lambda: hetzner.drop(ZONE, "@", "TXT"))]
        with pytest.raises(StaleZone):
            provider.write(ZONE, made)
        assert texts(hetzner) == set()

    def test_a_stranger_s_is_missing(self, hetzner: Hetzner) -> None:
        """A stranger's value that was sent and does not stand there in the end is named."""
        stands = ['"v=spf1 mx a -all"', '"v=spf10"']
        gone = Fault("GET", "/actions/", stranger=lambda: hetzner.put(ZONE, "@", "TXT", None, stands))
        assert "does not show a value of others any more that stood there before: 'site=12'" in self.write(
            hetzner, gone
        )


class TestRefusals:
    def test_the_record_is_named(self, hetzner: Hetzner) -> None:
        """A record that is refused is named, in the vendor's words, with how many changes were done before it."""
        with pytest.raises(
            ProviderError,
            match=rf"writing bad\.{ZONE} TXT: .*\(invalid_input\), ttl: must be between.*Before that, 1 of 2",
        ) as caught:
            client(hetzner).write(ZONE, [new("a", "x"), new("bad", "x", ttl=30)])
        assert not caught.value.transient and texts(hetzner, "a") == {"x"}

    @pytest.mark.parametrize(
        ("values", "ttl"),
        [(['"y"'], 3600), ([], 3600), (['"x"'], 60)],
    )
    def test_shows_something_else(self, hetzner: Hetzner, values: list[str], ttl: int) -> None:
        """What stands there in the end has to be what was asked for."""
        hetzner.gapless = False
        hetzner.faults = [Fault("GET", "/actions/", stranger=lambda: hetzner.put(ZONE, "fresh", "TXT", ttl, values))]
        with pytest.raises(ProviderError, match=FRESH + "took the change and shows something else"):
            client(hetzner).write(ZONE, [new("fresh", "x")])

    def test_shows_what_was_taken_out(self, hetzner: Hetzner) -> None:
        """A value that is there again in the end was not taken out."""
        provider = client(hetzner)
        made = todo(provider, {"old._domainkey TXT": []})
        hetzner.faults = [
            Fault(
                "GET",
                "/actions/",
                stranger=lambda: hetzner.add(ZONE, "old._domainkey", "TXT", 3600, '"v=DKIM1; p=OLD"'),
            )
        ]
        with pytest.raises(ProviderError, match="took the change and shows something else"):
            provider.write(ZONE, made)

    def test_a_stranger_took_out_theirs(self, hetzner: Hetzner) -> None:
        """A stranger's value that is gone in the end, and that was not sent, they took out: that is no error."""
        provider = client(hetzner)
        made = todo(provider, {"@ TXT": ["something else"]})
        gone = ['"something else"', '"v=spf10"']
        hetzner.faults = [Fault("GET", "/actions/", skip=1, stranger=lambda: hetzner.put(ZONE, "@", "TXT", None, gone))]
        provider.write(ZONE, made)
        assert texts(hetzner) == {"something else", "v=spf10"}

    def test_an_answer_about_another_name(self, hetzner: Hetzner) -> None:
        """A look at one name that shows another is no answer."""
        rows = [(f"n{number}", "TXT", 3600, ['"x"']) for number in range(150)]
        entry = {"name": "other", "type": "TXT", "ttl": 60, "records": [{"value": '"x"'}]}
        meta = {"meta": {"pagination": {"next_page": None, "total_entries": 1}}}
        with Hetzner({ZONE: rows}) as large:
            times = [0.0]
            provider = client(large, now=lambda: times[0])
            provider.read(ZONE)
            times[0] = 6.0
            large.faults = [Fault("GET", "rrsets", Answer(200, {"rrsets": [entry], **meta}))]
            with pytest.raises(ProviderError, match="records of another name"):
                provider.write(ZONE, [new("fresh", "x")])

    def test_a_refusal_that_nobody_expects(self, hetzner: Hetzner) -> None:
        """An action that is refused in another way than is known has not been done."""
        provider = client(hetzner)
        made = todo(provider, {"old._domainkey TXT": []})
        hetzner.faults = [Fault("POST", answer=problem(409, "uniqueness_error", "no"))]
        with pytest.raises(ProviderError, match=r"answered 409: no \(uniqueness_error\)"):
            provider.write(ZONE, made)

    def test_a_value_that_may_not_go(self, hetzner: Hetzner) -> None:
        """A value that Hetzner refuses to take out, after the one before it came, is told in the vendor's words: nobody else moved anything."""
        provider = client(hetzner)
        made = todo(provider, {"@ TXT": ["something else"]})
        hetzner.faults = [Fault("POST", "remove_records", problem(422, "invalid_input", "not that one"))]
        with pytest.raises(ProviderError, match=r"answered 422: not that one") as caught:
            provider.write(ZONE, made)
        assert not isinstance(caught.value, StaleZone) and {"v=spf1 mx -all", "something else"} <= texts(hetzner)

    def test_no_secret(self, hetzner: Hetzner) -> None:
        """The token is in no sentence, not even where Hetzner repeats it."""
        hetzner.faults = [Fault("POST", answer=problem(422, "invalid_input", f"{hetzner.token} is bad"))]
        with pytest.raises(ProviderError, match=r"\(secret\) is bad") as caught:
            client(hetzner).write(ZONE, [new("a", "x")])
        assert hetzner.token not in str(caught.value) + repr(client(hetzner)) + repr(vars(client(hetzner)))

    def test_a_refused_value_of_a_set(self, hetzner: Hetzner) -> None:
        """A value that is not taken is told in the vendor's words, where the record set still is what it was."""
        hetzner.put(ZONE, "k", "TXT", 3600, ['"a"'])
        provider = client(hetzner)
        provider.read(ZONE)
        hetzner.faults = [
            Fault("POST", "set_records", problem(422, "invalid_input", "a TXT string exceeds 255 characters"))
        ]
        old = RRset("k", "TXT", 3600, (Value("a", '"a"'),))
        change = Change(Kind.UPDATE, "k", "TXT", old, RRset("k", "TXT", 3600, (Value("a b", ""),)))
        with pytest.raises(ProviderError, match=rf"writing k\.{ZONE} TXT: .*exceeds 255") as caught:
            provider.write(ZONE, [change])
        assert not isinstance(caught.value, StaleZone) and texts(hetzner, "k") == {"a"}


class TestStandIn:
    FINE: dict[str, Any] = {"name": "x", "type": "TXT", "ttl": 3600, "records": [{"value": '"x"'}]}  # noqa: RUF012

    @pytest.mark.parametrize(
        "change",
        [
            {"ttl": 59}, {"ttl": 2**31}, {"ttl": "60"}, {"records": []}, {"records": [{"value": "x"}]}, {"records": ["x"]},
            {"records": [{"value": '"x"'}, {"value": '"x"'}]}, {"records": [{"value": '"' + "x" * 256 + '"'}]}, {"type": "SPF"},
            {"records": [{"value": '"x"', "ttl": 60}]}, {"name": "X"}, {"name": "x."}, {"name": "x.example.org"}, {"name": "www"},
            {"name": "mail", "type": "CNAME", "records": [{"value": "a.test."}]}, {"more": 1}, {"type": "A", "records": [{"value": "x"}]},
            {"records": [{"value": '"ü"'}]}, {"records": [{"value": ""}]},
        ],
    )  # fmt: skip
    def test_refuses(self, hetzner: Hetzner, change: dict[str, Any]) -> None:
        """What is not right is refused, with the vendor's word, and nothing is done."""
        before = hetzner.values(ZONE)
        answer = ask(hetzner, "POST", RRSETS, {**self.FINE, **change})
        assert answer.status_code == 422 and answer.json()["error"]["code"] == "invalid_input"
        assert hetzner.values(ZONE) == before

    def test_what_is_there_is_not_made(self, hetzner: Hetzner) -> None:
        """A second one of a name and type is refused with 409."""
        assert ask(hetzner, "POST", RRSETS, self.FINE).status_code == 201
        answer = ask(hetzner, "POST", RRSETS, self.FINE)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "uniqueness_error")

    def test_values_of_another_ttl(self, hetzner: Hetzner) -> None:
        """Values that come with another TTL than the record set has are refused."""
        body = {"records": [{"value": '"x"'}], "ttl": 60}
        assert "differing record TTLs" in ask(hetzner, "POST", f"{ACTIONS}/add_records", body).text
        assert ask(hetzner, "POST", f"{RRSETS}/x/TXT/actions/add_records", body).status_code == 201  # which makes it

    @pytest.mark.parametrize(
        ("path", "body", "status"),
        [
            (f"{ACTIONS}/remove_records", {"records": [{"value": '"y"'}]}, 422),
            (f"{ACTIONS}/add_records", {"records": [{"value": '"v=spf10"'}]}, 422),
            (f"{ACTIONS}/add_records", {}, 422),
            (f"{ACTIONS}/change_ttl", {"ttl": 30}, 422),
            (f"{ACTIONS}/boil", {}, 405),
            (f"{RRSETS}/y/TXT/actions/set_records", {"records": [{"value": '"y"'}]}, 404),
            (f"{RRSETS}/y/TXT/actions/remove_records", {"records": [{"value": '"y"'}]}, 404),
        ],
    )
    def test_what_cannot_be_done(self, hetzner: Hetzner, path: str, body: Any, status: int) -> None:
        """Values that are there, or not there, and what there is not."""
        assert ask(hetzner, "POST", path, body).status_code == status

    def test_whom_it_answers(self, hetzner: Hetzner) -> None:
        """Without the right secret, or for another project, there is nothing; a page has a hundred entries at most."""
        assert ask(hetzner, "GET", RRSETS, token="wrong").status_code == 401
        assert ask(hetzner, "GET", RRSETS, token=hetzner.stranger).status_code == 404
        assert ask(hetzner, "GET", f"{RRSETS}?per_page=101").status_code == 422
        assert ask(hetzner, "GET", f"{RRSETS}?pages=1").status_code == 422
        assert ask(hetzner, "GET", "/zones/actions/7").status_code == 404
        assert ask(hetzner, "GET", RRSETS).headers["RateLimit-Limit"] == "3600"

    def test_the_vendor_s_own_client(self, hetzner: Hetzner) -> None:
        """What others wrote for the real API understands the stand-in: typed answers, actions, errors."""
        cloud = Client(hetzner.token, api_endpoint=hetzner.endpoint, poll_interval=0.01)
        zone = cloud.zones.get(ZONE)
        assert (zone.id, zone.name, zone.ttl, zone.mode) == (42, ZONE, 7200, "primary")
        assert [each.name for each in cloud.zones.get_all(name=ZONE)] == [ZONE]
        rrsets = {(rrset.name, rrset.type): rrset for rrset in zone.get_rrset_all()}
        assert set(rrsets) == {(name, kind) for name, kind, _, _ in ROWS}
        apex = rrsets["@", "TXT"]
        assert apex.ttl is None and apex.protection == {"change": False} and apex.zone.id == 42
        assert [record.value for record in apex.records] == ['"v=spf1 mx -all"', '"site=1" "2"', '"v=spf10"']

        made = zone.create_rrset(name="x", type="TXT", ttl=600, records=[ZoneRecord('"x"', comment="c")])
        assert (made.action.command, made.action.status, made.rrset.ttl) == ("create_rrset", "running", 600)
        made.action.wait_until_finished()
        made.rrset.add_rrset_records([ZoneRecord('"y"')]).wait_until_finished()
        made.rrset.remove_rrset_records([ZoneRecord('"x"')]).wait_until_finished()
        made.rrset.change_rrset_ttl(900).wait_until_finished()
        [shown] = zone.get_rrset_all(name="x")
        assert (shown.ttl, [record.value for record in shown.records]) == (900, ['"y"'])
        made.rrset.set_rrset_records([ZoneRecord('"z"')]).wait_until_finished()
        made.rrset.delete_rrset().action.wait_until_finished()
        with pytest.raises(APIException) as caught:
            zone.get_rrset("x", "TXT")
        assert caught.value.code == "not_found"
        hetzner.switches.fails = "create_rrset"
        with pytest.raises(ActionFailedException, match="Action failed"):
            zone.create_rrset(name="x", type="TXT", records=[ZoneRecord('"x"')]).action.wait_until_finished()


def test_words() -> None:
    """The vendor's words: message, code, and what is said of each field."""
    fields = {"fields": [{"name": "ttl", "messages": ["a", "b"]}]}
    assert explain({"error": {"code": "c", "message": "M", "details": fields}}) == "M (c), ttl: a; b"
    assert explain({"error": {"code": "c", "message": "M", "details": None}}) == "M (c)"
    assert explain(None) == explain([]) == explain({"error": None}) == ""
