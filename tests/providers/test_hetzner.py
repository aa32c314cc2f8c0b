"""Hetzner Cloud against its stand-in: what is asked for, how it is written, and what of others' stays."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from dnssync_providers.hetzner import Provider

from dnssync.core.model import Change, Kind, ProviderError, RRset, StaleZone, Value
from tests.hetzner import Hetzner, Switches
from tests.hetzner_records import problem
from tests.http_faults import Answer, Fault
from tests.providers.conformance import ZONE
from tests.providers.hetzner_client import ACTIONS, APEX, KEY, ROWS, ask, client, new, small, texts, todo

hetzner = pytest.fixture(small, name="hetzner")
RRSETS = f"/zones/{ZONE}/rrsets"


def writes(hetzner: Hetzner) -> list[tuple[str, Any]]:
    """The writes so far: path and body."""
    return [(each.path, each.body) for each in hetzner.requests if each.method != "GET"]


class TestRead:
    def test_two_requests(self, hetzner: Hetzner) -> None:
        """The zone for its TTL, and its RRsets a hundred at a time; a relative target is made absolute, `null` is the zone's TTL."""
        found = {rrset.key: rrset for rrset in client(hetzner).read(ZONE)}

        assert hetzner.calls() == [f"GET /zones/{ZONE}", f"GET {RRSETS}"]
        assert hetzner.requests[1].query == {"page": ["1"], "per_page": ["100"], "sort": ["id"]}
        assert set(found) == {("" if name == "@" else name, kind) for name, kind, _, _ in ROWS}
        assert (found["", "TXT"].ttl, found["mail", "TXT"].ttl) == (7200, 300)
        assert Value("site=12", '"site=1" "2"') in found["", "TXT"].values
        assert found["", "MX"].values == (Value("10 mx.example.org.", "10 mx"),)
        assert found["www", "CNAME"].values == (Value("example.org.", "@"),)

    @pytest.mark.parametrize(("count", "pages"), [(99, 1), (100, 1), (101, 2), (250, 3)])
    def test_pages(self, count: int, pages: int) -> None:
        """A zone of more than a page is read page by page, and no page is asked for that is not there."""
        rows = [(f"n{number}", "TXT", 3600, ['"x"']) for number in range(count)]
        with Hetzner({ZONE: rows}) as hetzner:
            assert {rrset.name for rrset in client(hetzner).read(ZONE)} == {name for name, _, _, _ in rows}
            assert len(hetzner.requests) == 1 + pages

    @pytest.mark.parametrize("more", [1, -1])
    def test_pages_that_do_not_come_to_the_total(self, more: int) -> None:
        """Where Hetzner counts others than it shows, nothing is taken from it."""
        said = rf"^{ZONE}: reading the zone: Hetzner \(provider hetzner\) counts {6 + more} record sets and shows 6"
        with (
            Hetzner({ZONE: ROWS}, Switches(total=more)) as hetzner,
            pytest.raises(ProviderError, match=said) as caught,
        ):
            client(hetzner).read(ZONE)
        assert caught.value.transient

    def test_no_total(self) -> None:
        """Where the total is told to be unknown, as the vendor's description has it, the pages are read to the one that says it is the last."""
        rows = [(f"n{number}", "TXT", 3600, ['"x"']) for number in range(150)]
        with Hetzner({ZONE: rows}, Switches(total=None)) as hetzner:
            assert len(client(hetzner).read(ZONE)) == 150

    @pytest.mark.parametrize(
        "meta",
        [
            {}, {"meta": None}, {"meta": {}}, {"meta": {"pagination": []}}, {"meta": {"pagination": {"total_entries": 1}}},
            {"meta": {"pagination": {"next_page": None}}}, {"meta": {"pagination": {"next_page": None, "total_entries": "1"}}},
            {"meta": {"pagination": {"next_page": "2", "total_entries": 1}}},
            {"meta": {"pagination": {"next_page": False, "total_entries": 1}}},
        ],
    )  # fmt: skip
    def test_an_answer_that_does_not_count(self, hetzner: Hetzner, meta: dict[str, Any]) -> None:
        """Record sets of which nothing says that they are all there are not taken for a zone, nor for what stands at a name."""
        entry = {"name": "mail", "type": "TXT", "ttl": 60, "records": [{"value": '"x"'}]}
        provider = client(hetzner)
        made = todo(provider, APEX)
        hetzner.faults = [Fault("GET", "rrsets", Answer(200, {"rrsets": [entry], **meta}), times=2)]
        hetzner.requests.clear()
        for ask_for in (lambda: provider.write(ZONE, made), lambda: provider.read(ZONE)):
            with pytest.raises(ProviderError, match=f"^{ZONE}: reading .* does not say how many record sets there are"):
                ask_for()
        assert writes(hetzner) == []

    def test_a_record_that_comes_while_pages_are_read(self) -> None:
        """What moves others to the next page is noticed."""
        rows = [(f"n{number:03}", "TXT", 3600, ['"x"']) for number in range(150)]
        with Hetzner({ZONE: rows}) as hetzner:
            hetzner.faults = [Fault("GET", "rrsets", skip=1, stranger=lambda: hetzner.add(ZONE, "a", "TXT", 60, '"x"'))]
            with pytest.raises(ProviderError, match=r"n099\.example\.org TXT on two pages") as caught:
                client(hetzner).read(ZONE)
        assert caught.value.transient

    @pytest.mark.parametrize(
        "body",
        [
            None, [], {"rrsets": None}, {"rrsets": [None]}, {"rrsets": [{"name": "x", "type": "TXT", "ttl": 60, "records": []}]},
            {"rrsets": [{"name": "x", "type": "TXT", "ttl": True, "records": [{"value": "x"}]}]},
            {"rrsets": [{"name": "x", "type": "TXT", "ttl": 60, "records": ["x"]}]},
            {"rrsets": [{"name": "x", "type": "TXT", "ttl": 60, "records": [{"value": 1}]}]},
            {"rrsets": [{"name": None, "type": "TXT", "ttl": 60, "records": [{"value": "x"}]}]},
        ],
    )  # fmt: skip
    def test_an_answer_that_is_none(self, hetzner: Hetzner, body: Any) -> None:
        """Something that is no list of record sets is not an empty zone."""
        hetzner.faults = [Fault("GET", "rrsets", Answer(200, body))]
        with pytest.raises(ProviderError, match=f"^{ZONE}: reading the zone: .*no record set"):
            client(hetzner).read(ZONE)

    def test_pages_without_end(self, hetzner: Hetzner) -> None:
        """A zone that never ends is told, not read for ever."""
        body = {"rrsets": [], "meta": {"pagination": {"next_page": 2, "total_entries": 0}}}
        hetzner.faults = [Fault("GET", "rrsets", Answer(200, body), times=10**6)]
        with pytest.raises(ProviderError, match="shows no end after 1000 pages"):
            client(hetzner).read(ZONE)

    @pytest.mark.parametrize(
        "zone", [None, {"name": "example.net", "ttl": 60}, {"name": ZONE}, {"name": ZONE, "ttl": None}]
    )
    def test_another_zone(self, hetzner: Hetzner, zone: Any) -> None:
        """Something else than the zone is not read."""
        hetzner.faults = [Fault("GET", f"zones/{ZONE}$", Answer(200, {"zone": zone}))]
        with pytest.raises(ProviderError, match="no zone of that name"):
            client(hetzner).read(ZONE)

    def test_a_secondary_zone(self, hetzner: Hetzner) -> None:
        """A zone that Hetzner copies from elsewhere is not to be changed here, and that is told."""
        provider = client(hetzner)
        made = todo(provider, {"old._domainkey TXT": []})
        hetzner.switches.mode = "secondary"
        hetzner.requests.clear()
        for ask_for in (lambda: provider.read(ZONE), lambda: provider.write(ZONE, made)):
            with pytest.raises(ProviderError, match=f"^{ZONE}: .*only copies this zone from another primary"):
                ask_for()
        assert hetzner.calls()[:2] == [f"GET /zones/{ZONE}", f"POST {RRSETS}/old._domainkey/TXT/actions/remove_records"]

    def test_a_reading_that_is_refused(self, hetzner: Hetzner) -> None:
        """A reading that Hetzner refuses is told in its words."""
        for status, code in (403, "forbidden"), (422, "invalid_input"):
            hetzner.faults = [Fault("GET", "rrsets", problem(status, code, "no"))]
            with pytest.raises(ProviderError, match=rf"^{ZONE}: reading the zone: .*answered {status}: no \({code}\)"):
                client(hetzner).read(ZONE)

    def test_limits(self, hetzner: Hetzner) -> None:
        """Hetzner has no type SPF, and takes TTLs from a minute on."""
        limits = client(hetzner).limits
        assert (limits.type99, limits.min_ttl, limits.max_ttl) == (False, 60, 2**31 - 1)
        assert (
            ask(hetzner, "POST", RRSETS, {"name": "x", "type": "SPF", "records": [{"value": '"x"'}]}).status_code == 422
        )

    def test_another_project_s_zone(self, hetzner: Hetzner) -> None:
        """A zone of another project is an error, and told as that."""
        with pytest.raises(ProviderError, match=rf"^{ZONE}: reading the zone: .*has no such zone") as caught:
            client(hetzner, token=hetzner.stranger).read(ZONE)
        assert not caught.value.transient


class TestWrite:
    def test_a_request_a_change(self, hetzner: Hetzner) -> None:
        """A record at the apex gets its successor by one request; what is new is made, what goes is taken out; and it is looked at once
        in the end."""
        provider = client(hetzner)
        made = todo(provider)
        hetzner.requests.clear()
        provider.write(ZONE, made)

        stay = [{"value": '"site=1" "2"'}, {"value": '"v=spf10"'}]
        assert writes(hetzner) == [
            (f"{ACTIONS}/set_records", {"records": [*stay, {"value": '"v=spf1 mx a -all"'}]}),
            (f"{RRSETS}/old._domainkey/TXT/actions/remove_records", {"records": [{"value": '"v=DKIM1; p=OLD"'}]}),
            (RRSETS, {"name": "_dmarc", "type": "TXT", "ttl": 3600, "records": [{"value": '"v=DMARC1; p=none"'}]}),
            (RRSETS, {"name": "new._domainkey", "type": "TXT", "ttl": 3600, "records": [{"value": f'"{KEY[:255]}" "{KEY[255:]}"'}]}),
        ]  # fmt: skip
        looks = [each.path for each in hetzner.requests if each.method == "GET"]
        assert looks == [RRSETS, *(f"/zones/actions/{number}" for number in range(1000, 1004)), RRSETS]
        assert texts(hetzner) == {"v=spf1 mx a -all", "site=12", "v=spf10"}
        assert hetzner.zones[ZONE].entries["@", "TXT"].ttl is None

    def test_what_others_said_of_it_stays(self, hetzner: Hetzner) -> None:
        """Comments, labels and how a value is spelled are what they were."""
        apex = hetzner.zones[ZONE].entries["@", "TXT"]
        apex.records['"site=1" "2"'], apex.labels = "for the search engine", {"team": "web"}
        apex.records['"v=spf1 mx -all"'] = "ours"
        provider = client(hetzner)
        provider.write(ZONE, todo(provider))
        now = hetzner.zones[ZONE].entries["@", "TXT"]
        assert now.labels == {"team": "web"}
        assert now.records == {'"site=1" "2"': "for the search engine", '"v=spf10"': None, '"v=spf1 mx a -all"': None}

    def test_values_in_and_out(self, hetzner: Hetzner) -> None:
        """Where no value gets a successor of its kind, what comes and what goes is all that is sent, first what comes."""
        provider = client(hetzner)
        old = RRset("k", "TXT", 3600, (Value("a", '"a"'), Value("b", '"b"')))
        hetzner.put(ZONE, "k", "TXT", 3600, ['"a"', '"b"'])
        provider.read(ZONE)
        provider.write(
            ZONE,
            [Change(Kind.UPDATE, "k", "TXT", old, RRset("k", "TXT", 3600, (Value("a", ""), Value("c", ""))))],
        )
        assert writes(hetzner) == [
            (f"{RRSETS}/k/TXT/actions/{what}", {"records": [{"value": value}]})
            for what, value in (("add_records", '"c"'), ("remove_records", '"b"'))
        ]

    def test_the_ttl_is_an_action_of_its_own(self, hetzner: Hetzner) -> None:
        """A TTL is changed only where another one is asked for; `null` becomes that number, and else stays."""
        provider = client(hetzner)
        [old] = [rrset for rrset in provider.read(ZONE) if rrset.key == ("", "TXT")]
        provider.write(ZONE, [Change(Kind.UPDATE, "", "TXT", old, RRset("", "TXT", 7200, old.values))])
        assert writes(hetzner) == []
        provider.read(ZONE)
        provider.write(ZONE, [Change(Kind.UPDATE, "", "TXT", old, RRset("", "TXT", 600, old.values))])
        assert writes(hetzner) == [(f"{ACTIONS}/change_ttl", {"ttl": 600})]
        assert hetzner.zones[ZONE].entries["@", "TXT"].ttl == 600

    def test_a_stranger_at_an_apex_of_ours_alone(self, hetzner: Hetzner) -> None:
        """What a stranger adds to an RRset that was ours whole, in the moment after it was read, stays there."""
        for step in APEX, {"@ TXT": ["something else"]}, {"@ TXT": []}:
            hetzner.put(ZONE, "@", "TXT", None, ['"v=spf1 mx -all"'])
            provider = client(hetzner)
            made = todo(provider, step)
            hetzner.add(ZONE, "@", "TXT", 60, '"verify=1"')
            with contextlib.suppress(StaleZone):
                provider.write(ZONE, made)
            assert "verify=1" in texts(hetzner)

    def test_never_two_of_one_kind(self, hetzner: Hetzner) -> None:
        """At no moment do two SPF records stand at the apex."""
        provider = client(hetzner)
        provider.write(ZONE, todo(provider))
        for moment in hetzner.history[ZONE]:
            spf = [item for item in moment.items if len(item) == 3 and item[2].startswith(b"v=spf1 ")]
            assert len(spf) <= 1

    def test_a_value_that_came_beside_what_goes(self, hetzner: Hetzner) -> None:
        """A record of ours goes by its value: what somebody added in this moment stays."""
        provider = client(hetzner)
        made = todo(provider, {"old._domainkey TXT": []})
        hetzner.add(ZONE, "old._domainkey", "TXT", 3600, '"theirs"')
        provider.write(ZONE, made)
        assert texts(hetzner, "old._domainkey") == {"theirs"}

    @pytest.mark.parametrize(("later", "looks"), [(5.0, 0), (5.1, 1)])
    def test_looks_again(self, hetzner: Hetzner, later: float, looks: int) -> None:
        """What was read more than five seconds ago is looked at again before it is written; what is fresh is not."""
        times = [0.0]
        provider = client(hetzner, now=lambda: times[0])
        made = todo(provider, {"old._domainkey TXT": []})
        hetzner.requests.clear()
        times[0] = later
        provider.write(ZONE, made)
        first = next(number for number, each in enumerate(hetzner.requests) if each.method == "POST")
        assert first == looks and hetzner.calls()[:looks] == [f"GET {RRSETS}"] * looks

    def test_looks_at_a_name_alone(self) -> None:
        """In a large zone, only the names that are written are looked at again; a CNAME that came there is seen."""
        rows = [*ROWS, *((f"n{number}", "TXT", 3600, ['"x"']) for number in range(300))]
        with Hetzner({ZONE: rows}) as hetzner:
            times = [0.0]
            provider = client(hetzner, now=lambda: times[0])
            made = todo(provider, {"@ TXT": ["v=spf1 mx a -all"], "_dmarc TXT": ["v=DMARC1; p=none"]})
            hetzner.requests.clear()
            hetzner.add(ZONE, "_dmarc", "CNAME", 3600, "dmarc.elsewhere.test.")
            times[0] = 6.0
            with pytest.raises(ProviderError, match=rf"_dmarc\.{ZONE} is a CNAME at hetzner"):
                provider.write(ZONE, made)
            assert [each.query["name"] for each in hetzner.requests] == [["@"], ["_dmarc"]]

    def test_what_takes_its_time(self, hetzner: Hetzner) -> None:
        """Where the changes before it took long, the next one looks at its name first; what moved there is told with how far it came."""
        clock = [0.0]
        provider = client(hetzner, now=lambda: clock[0], sleep=lambda s: clock.__setitem__(0, clock[0] + 6))
        made = todo(provider)
        hetzner.faults = [Fault("POST", "set_records", stranger=lambda: hetzner.drop(ZONE, "old._domainkey", "TXT"))]
        with pytest.raises(
            ProviderError, match=r"old\._domainkey.*is not what was read.*Before that, 1 of 4"
        ) as caught:
            provider.write(ZONE, made)
        assert not isinstance(caught.value, StaleZone) and caught.value.transient
        assert "v=spf1 mx a -all" in texts(hetzner)

    def test_what_somebody_added_meanwhile(self, hetzner: Hetzner) -> None:
        """A value that came to a record set of ours while the changes before it took long is not set over."""
        clock = [0.0]
        provider = client(hetzner, now=lambda: clock[0], sleep=lambda s: clock.__setitem__(0, clock[0] + 6))
        made = todo(provider, {**APEX, "old._domainkey TXT": ["v=DKIM1; p="]})
        came = Fault(
            "POST", "set_records", stranger=lambda: hetzner.add(ZONE, "old._domainkey", "TXT", 3600, '"theirs"')
        )
        hetzner.faults = [came]
        with pytest.raises(ProviderError, match=r"old\._domainkey.*is not what was read.*Before that, 1 of 2"):
            provider.write(ZONE, made)
        assert "theirs" in texts(hetzner, "old._domainkey")

    def test_a_ttl_of_somebody_else_s(self, hetzner: Hetzner) -> None:
        """Where the changes before it took long, a TTL is not changed under a value that somebody added meanwhile."""
        clock = [0.0]
        provider = client(hetzner, now=lambda: clock[0], sleep=lambda s: clock.__setitem__(0, clock[0] + 6))
        made = todo(provider, APEX)
        [old] = [rrset for rrset in provider.read(ZONE) if rrset.name == "old._domainkey"]
        made.append(Change(Kind.UPDATE, old.name, "TXT", old, RRset(old.name, "TXT", 600, old.values)))
        came = lambda: hetzner.add(ZONE, "old._domainkey", "TXT", 3600, '"theirs"')  # noqa: E731
        hetzner.faults = [Fault("POST", "set_records", stranger=came)]
        with pytest.raises(ProviderError, match=r"old\._domainkey.*is not what was read.*Before that, 1 of 2"):
            provider.write(ZONE, made)
        assert hetzner.values(ZONE)["old._domainkey", "TXT"][0] == 3600

    def test_a_cname_gives_way(self, hetzner: Hetzner) -> None:
        """A CNAME goes, and what comes at its name comes directly afterwards, however long that took."""
        clock = [0.0]
        provider = client(hetzner, now=lambda: clock[0], sleep=lambda s: clock.__setitem__(0, clock[0] + 6))
        [old] = [rrset for rrset in provider.read(ZONE) if rrset.type == "CNAME"]
        hetzner.requests.clear()
        provider.write(ZONE, [new("www", "x"), Change(Kind.DELETE, "www", "CNAME", old, None)])
        assert [each.method for each in hetzner.requests][:3] == ["POST", "GET", "POST"]
        assert ("www", "TXT") in hetzner.values(ZONE) and ("www", "CNAME") not in hetzner.values(ZONE)

    def test_somebody_was_faster(self, hetzner: Hetzner) -> None:
        """A record set that somebody made in this moment is not written over: 409 means that the zone has moved."""
        provider = client(hetzner)
        made = todo(provider, {"_dmarc TXT": ["v=DMARC1; p=none"]})
        hetzner.add(ZONE, "_dmarc", "TXT", 60, '"theirs"')
        with pytest.raises(StaleZone, match=f"^{ZONE}: _dmarc"):
            provider.write(ZONE, made)
        assert texts(hetzner, "_dmarc") == {"theirs"}

    @pytest.mark.parametrize("step", [APEX, {"old._domainkey TXT": []}, {"old._domainkey TXT": ["v=DKIM1; p="]}])
    def test_somebody_took_it_away(self, hetzner: Hetzner, step: Any) -> None:
        """What somebody took out in this moment is no error of ours: the zone has moved, and nothing was done."""
        provider = client(hetzner)
        made = todo(provider, step)
        [(name, kind)] = [(change.name or "@", change.type) for change in made]
        hetzner.drop(ZONE, name, kind)
        before = hetzner.values(ZONE)
        with pytest.raises(StaleZone):
            provider.write(ZONE, made)
        assert hetzner.values(ZONE) == before

    def test_never_read(self, hetzner: Hetzner) -> None:
        """What was not read is read before it is written, and what was read serves for one write."""
        provider = client(hetzner)
        provider.write(ZONE, [new("fresh", "x")])
        assert hetzner.calls()[:2] == [f"GET /zones/{ZONE}", f"GET {RRSETS}"]
        with pytest.raises(StaleZone, match=rf"^{ZONE}: mail\.{ZONE} TXT at hetzner"):
            provider.write(ZONE, [new("mail", "x")])
        provider.read(ZONE)
        provider.write(ZONE, [new("another", "x")])
        hetzner.requests.clear()
        provider.write(ZONE, [new("one-more", "x")])
        assert hetzner.requests[0].method == "GET"

    @pytest.mark.parametrize("name", ["a\\.b", "x y", "ü", "a.*.b", "x" * 64])
    def test_a_name_that_is_not_taken(self, hetzner: Hetzner, name: str) -> None:
        """A name with other characters is refused before anything is asked."""
        with pytest.raises(ProviderError, match=r"takes no such name.*nothing was written"):
            client(hetzner).write(ZONE, [new("fine", "x"), new(name, "x")])
        assert hetzner.requests == []

    def test_protected(self, hetzner: Hetzner) -> None:
        """A record set that is protected from changes is refused before anything is done; other ones go on."""
        hetzner.zones[ZONE].entries["@", "TXT"].protected = True
        provider = client(hetzner)
        with pytest.raises(
            ProviderError, match=rf"^{ZONE}: writing {ZONE} TXT: .*protected.*nothing of it was done"
        ) as caught:
            provider.write(ZONE, todo(provider))
        assert writes(hetzner) == [] and not caught.value.transient
        provider.write(ZONE, todo(provider, {"_dmarc TXT": ["v=DMARC1; p=none"]}))

    def test_protected_in_this_moment(self, hetzner: Hetzner) -> None:
        """Where the protection comes after the look, Hetzner refuses, and that is told."""
        provider = client(hetzner)
        made = todo(provider, {"@ TXT": []})
        hetzner.zones[ZONE].entries["@", "TXT"].protected = True
        with pytest.raises(ProviderError, match=f"^{ZONE}: writing {ZONE} TXT: .*protected from changes"):
            provider.write(ZONE, made)
        assert "v=spf1 mx -all" in texts(hetzner)


class TestOptions:
    def test_mistakes(self) -> None:
        """Each mistake is a line of its own, that begins with the option."""
        with pytest.raises(ProviderError) as caught:
            Provider("hetzner", token="two words", endpoint="http://api.hetzner.example")
        assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == ["token", "endpoint"]
        with pytest.raises(ProviderError, match=r"^token: is missing; it is an API token"):
            Provider("hetzner")

    def test_a_token_that_may_only_read(self, hetzner: Hetzner) -> None:
        """A token without the right to write fails with the vendor's words, and the secret is not told."""
        provider = client(hetzner, token=hetzner.reader)
        with pytest.raises(ProviderError, match=r"answered 403: .*\(token_readonly\)") as caught:
            provider.write(ZONE, todo(provider))
        assert not caught.value.transient and hetzner.reader not in str(caught.value)
        assert ask(hetzner, "GET", f"/zones/{ZONE}", token=hetzner.reader).status_code == 200
