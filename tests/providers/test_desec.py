"""deSEC against its stand-in: what is asked for and how it is written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from dnssync_providers.desec import LIMITS, Provider

from dnssync.core.model import Change, Kind, ProviderError, RRset, StaleZone, Value
from tests.desec import MAXIMUM_TTL, Desec, Switches
from tests.http_faults import Answer, Fault
from tests.providers.conformance import ZONE, Step, changes
from tests.providers.desec_client import KEY, ROWS, bulk, client, new, small, todo

APEX = ['"site=1" "2"', '"v=spf10"', '"v=spf1 mx a -all"']

desec = pytest.fixture(small, name="desec")


class TestRead:
    def test_two_requests(self, desec: Desec) -> None:
        """The domain for its smallest TTL, and the zone in one piece; names are relative, values as they were told."""
        provider = client(desec)
        found = {rrset.key: rrset for rrset in provider.read(ZONE)}

        assert desec.calls() == [f"GET /domains/{ZONE}/", f"GET /domains/{ZONE}/rrsets/"]
        assert desec.requests[1].query == {}
        assert set(found) == {("" if name == "@" else name, kind) for name, kind, _, _ in ROWS}
        assert found["", "TXT"].ttl == 1800
        assert Value("site=12", '"site=1" "2"') in found["", "TXT"].values
        assert found["www", "CNAME"].values == (Value("example.org.", "example.org."),)

    def test_limits_are_the_domain_s(self, desec: Desec) -> None:
        """The smallest TTL is what each domain says; until then it is deSEC's default."""
        provider = client(desec)
        limits = provider.limits_of(ZONE)
        assert limits == provider.limits and (limits.min_ttl, limits.max_ttl, limits.type99) == (
            3600,
            MAXIMUM_TTL,
            True,
        )
        desec.zones[ZONE].minimum_ttl = 60
        provider.read(ZONE)
        assert provider.limits_of(ZONE) == replace(limits, min_ttl=60)

    def test_two_domains(self) -> None:
        """Each domain of an account has its own smallest TTL, whichever was read last."""
        with Desec({ZONE: ROWS, "example.net": ROWS}) as desec:
            desec.zones["example.net"].minimum_ttl = 7200
            provider = client(desec)
            for zone in (ZONE, "example.net"):
                provider.read(zone)
            assert [provider.limits_of(zone).min_ttl for zone in (ZONE, "example.net", "unread.test")] == [
                60,
                7200,
                3600,
            ]

    def test_a_token_that_may_not_see_the_domain(self, desec: Desec) -> None:
        """The records are read all the same, with deSEC's default for the smallest TTL."""
        provider = client(desec)
        desec.zones[ZONE].minimum_ttl = 60
        provider.read(ZONE)
        desec.switches.sees_domain = False
        assert len(provider.read(ZONE)) == len(ROWS)
        assert provider.limits_of(ZONE).min_ttl == LIMITS.min_ttl == 3600

    @pytest.mark.parametrize("more", [0, 1, 2, 3])
    def test_pages(self, more: int) -> None:
        """A zone of more than a page is read page by page, and no page is asked for that is not there."""
        rows = [
            ("", "NS", 3600, ["ns1.desec.io."]),
            *((f"n{number}", "TXT", 3600, ['"x"']) for number in range(3 + more)),
        ]
        with Desec({ZONE: rows}, Switches(page=2)) as desec:
            found = client(desec).read(ZONE)
            cursors = [each.query.get("cursor") for each in desec.requests[1:]]

        assert {rrset.name for rrset in found} == {name for name, _, _, _ in rows} and len(found) == len(rows)
        assert cursors[:2] == [None, [""]] and len(cursors) == 1 + -(-len(rows) // 2)

    @pytest.mark.parametrize("counts", [1, -1])
    def test_pages_that_do_not_come_to_the_total(self, counts: int) -> None:
        """Where deSEC counts others than it shows, nothing is taken from it."""
        with (
            Desec({ZONE: ROWS}, Switches(page=2, counts=counts)) as desec,
            pytest.raises(
                ProviderError, match=rf"^{ZONE}: reading.*counts {6 + counts} record sets and shows 6"
            ) as caught,
        ):
            client(desec).read(ZONE)
        assert caught.value.transient

    def test_what_is_made_again_while_pages_are_read(self) -> None:
        """Pages go by the time of making: what is taken out and made again in between is on none, and that is noticed."""
        with Desec({ZONE: ROWS}, Switches(page=2)) as desec:

            def again() -> None:
                desec.drop(ZONE, "@", "A")
                desec.add(ZONE, "@", "A", 3600, "192.0.2.1")

            desec.faults = [Fault("GET", "rrsets/", skip=2, stranger=again)]
            with pytest.raises(ProviderError, match="counts 6 record sets and shows 5"):
                client(desec).read(ZONE)

    @pytest.mark.parametrize(
        "where",
        [
            "http://127.0.0.1:1/api/v1/domains/example.org/rrsets/?cursor=c1%3D",
            "https://elsewhere.test/api/v1/domains/example.org/rrsets/?cursor=c1%3D",
            "{0}/domains/example.net/rrsets/?cursor=c1%3D",
            "{0}/domains/example.org/rrsets/",
            "/api/v1/domains/example.org/rrsets/?cursor=c1%3D",
            "http://[/",
        ],
    )
    def test_pages_elsewhere(self, desec: Desec, where: str) -> None:
        """A next page at another host, port or path is not asked for."""
        link = {"Link": f'<{where.format(desec.endpoint)}>; rel="next"'}
        desec.faults = [Fault("GET", "rrsets/", Answer(200, [], link), times=9)]
        with pytest.raises(ProviderError, match=rf"^{ZONE}: reading.*another address, which is not followed"):
            client(desec).read(ZONE)
        assert len(desec.requests) == 2

    @pytest.mark.parametrize(
        ("entry", "said"),
        [
            ({}, "no record set"),
            ("x", "no record set"),
            ({"subname": "", "type": "TXT", "ttl": True, "records": ["x"]}, "no record set"),
            ({"subname": "", "type": "TXT", "ttl": 60, "records": []}, "no record set"),
            ({"subname": "", "type": "TXT", "ttl": 60, "records": [1]}, "no record set"),
            ({"subname": None, "type": "TXT", "ttl": 60, "records": ["x"]}, "no record set"),
        ],
    )
    def test_an_answer_that_is_none(self, desec: Desec, entry: Any, said: str) -> None:
        """Something that is no record set is no answer."""
        desec.faults = [Fault("GET", "rrsets/", Answer(200, [entry]))]
        with pytest.raises(ProviderError, match=f"^{ZONE}: reading the zone: .*{said}"):
            client(desec).read(ZONE)

    @pytest.mark.parametrize("answer", [{}, {"detail": "x"}, "null", None, 7])
    def test_an_answer_that_is_no_list(self, desec: Desec, answer: Any) -> None:
        """Something that is no list of record sets is not an empty zone."""
        desec.faults = [Fault("GET", "rrsets/", Answer(200, answer))]
        with pytest.raises(ProviderError, match=f"^{ZONE}: reading the zone: .*no record set"):
            client(desec).read(ZONE)

    @pytest.mark.parametrize(
        "shown", [[], [{"subname": "www", "type": "NS", "ttl": 3600, "records": ["ns1.example.net."]}]]
    )
    def test_less_than_any_zone_has(self, desec: Desec, shown: list[Any]) -> None:
        """Nothing at all, or a list without NS at the apex, is no whole zone where deSEC does not count it; nor is it before a write."""
        provider = client(desec)
        made = todo(provider)
        desec.faults = [Fault("GET", "rrsets/", Answer(200, shown), times=2)]
        for ask in (lambda: provider.read(ZONE), lambda: client(desec).write(ZONE, made)):
            with pytest.raises(
                ProviderError, match=rf"^{ZONE}: reading the zone: deSEC \(provider desec\) shows no NS record set"
            ):
                ask()
        assert not [each for each in desec.requests if each.method != "GET"]
        provider.write(ZONE, made)

    def test_an_apex_whose_name_servers_are_deleted(self) -> None:
        """A zone that deSEC counts is whole without them, too; one that it does not count waits for a person."""
        with Desec({ZONE: ROWS}, Switches(page=2)) as desec:
            desec.drop(ZONE, "@", "NS")
            assert len(client(desec).read(ZONE)) == len(ROWS) - 1
            desec.switches.page = 500
            with pytest.raises(
                ProviderError, match="Nothing is taken from it; where somebody deleted that record set, make it anew"
            ):
                client(desec).read(ZONE)

    def test_one_record_set_twice(self, desec: Desec) -> None:
        """What is shown on two pages is no complete reading."""
        entry = {"subname": "x", "type": "TXT", "ttl": 60, "records": ['"x"']}
        desec.faults = [Fault("GET", "rrsets/", Answer(200, [entry, {**entry, "subname": "X"}]))]
        with pytest.raises(ProviderError, match=rf"x\.{ZONE} TXT on two pages") as caught:
            client(desec).read(ZONE)
        assert caught.value.transient

    def test_pages_without_end(self, desec: Desec) -> None:
        """A zone that never ends is told, not read for ever."""
        link = {"Link": f'<{desec.endpoint}/domains/{ZONE}/rrsets/?cursor=c1%3D>; rel="next"'}
        desec.faults = [Fault("GET", "rrsets/", Answer(200, [], link), times=10**6)]
        with pytest.raises(ProviderError, match="shows no end after 1000 pages"):
            client(desec).read(ZONE)

    def test_another_account_s_domain(self, desec: Desec) -> None:
        """A domain that the token's account does not have is an error, and told as that."""
        with pytest.raises(
            ProviderError, match=rf"^{ZONE}: reading the zone: deSEC \(provider desec\) has no such domain"
        ) as caught:
            client(desec, token=desec.stranger).read(ZONE)
        assert not caught.value.transient


class TestWrite:
    def test_one_request(self, desec: Desec) -> None:
        """A change at the apex, two new records and one taken away are one request, with strangers' values as they were read."""
        provider = client(desec)
        provider.write(ZONE, todo(provider))

        [patch] = [each for each in desec.requests if each.method != "GET"]
        assert (patch.method, patch.path, patch.status) == ("PATCH", f"/domains/{ZONE}/rrsets/", 200)
        items = {(item["subname"], item["type"]): item for item in patch.body}
        assert items == {
            ("", "TXT"): {"subname": "", "type": "TXT", "records": APEX},
            ("_dmarc", "TXT"): {"subname": "_dmarc", "type": "TXT", "records": ['"v=DMARC1; p=none"'], "ttl": 3600},
            ("new._domainkey", "TXT"): {
                "subname": "new._domainkey",
                "type": "TXT",
                "records": [f'"{KEY[:255]}" "{KEY[255:]}"'],
                "ttl": 3600,
            },
            ("old._domainkey", "TXT"): {"subname": "old._domainkey", "type": "TXT", "records": []},
        }
        assert [each.method for each in desec.requests] == ["GET", "GET", "GET", "PATCH"]
        assert desec.zones[ZONE].entries["", "TXT"].ttl == 1800  # below the smallest TTL of today, and a stranger's

    def test_strangers_values_keep_their_strings(self, desec: Desec) -> None:
        """How others cut and escaped their texts is the same octets afterwards."""
        theirs = ['"a" "b" ""', r'"\"x\\;\200"', '"' + "y" * 255 + '" "z"']
        desec.put(ZONE, "@", "TXT", 3600, ['"v=spf1 mx -all"', *theirs])
        provider = client(desec)
        provider.write(ZONE, todo(provider))
        assert desec.zones[ZONE].entries["", "TXT"].records == [*theirs, '"v=spf1 mx a -all"']

    def test_a_stranger_s_ttl_of_this_moment_stays(self, desec: Desec) -> None:
        """A TTL that somebody else gave the shared record set between the look and the request is not put back."""
        provider = client(desec)
        step = todo(provider, {"@ TXT": ["v=spf1 mx a -all"]})
        desec.faults = [Fault("PATCH", stranger=lambda: setattr(desec.zones[ZONE].entries["", "TXT"], "ttl", 7200))]
        provider.write(ZONE, step)
        assert desec.zones[ZONE].entries["", "TXT"].ttl == 7200

    def test_a_ttl_of_ours(self, desec: Desec) -> None:
        """The TTL of a record set that is ours whole goes with it, changed or not; that of a shared one only where it changes."""
        provider = client(desec)
        provider.write(ZONE, todo(provider, {"old._domainkey TXT": ["v=DKIM1; p="]}, ttl=7200))
        assert desec.requests[-1].body[0]["ttl"] == 7200
        provider.write(ZONE, [new("kept", "x")])
        provider.write(ZONE, changes(provider, {"kept TXT": ["y"]}, {("kept", "TXT"): ["x"]}, 3600))
        assert desec.requests[-1].body == [{"subname": "kept", "type": "TXT", "records": ['"y"'], "ttl": 3600}]
        [old] = [rrset for rrset in provider.read(ZONE) if rrset.key == ("", "TXT")]
        provider.write(ZONE, [Change(Kind.UPDATE, "", "TXT", old, RRset("", "TXT", 3600, old.values))])
        assert desec.zones[ZONE].entries["", "TXT"].ttl == 3600

    @pytest.mark.parametrize(("later", "looks"), [(5.0, 0), (5.1, 1)])
    def test_looks_again(self, desec: Desec, later: float, looks: int) -> None:
        """What was read more than five seconds ago is looked at again before it is written; a fresh key's name, which is ours, is not."""
        times = [0.0]
        provider = client(desec, now=lambda: times[0])
        made = todo(provider, {"old._domainkey TXT": ["v=DKIM1; p="], "new._domainkey TXT": [KEY]})
        desec.requests.clear()
        times[0] = later
        provider.write(ZONE, made)
        assert [each.method for each in desec.requests] == ["GET"] * looks + ["PATCH"]

    @pytest.mark.parametrize("page", [500, 4])
    @pytest.mark.parametrize("what", [{"@ TXT": ["v=spf1 mx a -all"]}, {"_dmarc TXT": ["v=DMARC1; p=none"]},
                                      {"old._domainkey TXT": ["v=DKIM1; p="]}, {"mail TXT": ["x"]}])  # fmt: skip
    @pytest.mark.parametrize("later", [0.0, 4.9])
    def test_what_others_write_to_is_looked_at_however_young_the_reading(
        self, page: int, what: Step, later: float
    ) -> None:
        """A value that a stranger adds after the reading is not overwritten, whether it is the first one of theirs there or not."""
        rows = [*ROWS, ("old._domainkey", "TXT", 3600, ['"v=DKIM1; p=OLD"', '"theirs"'])]
        with Desec({ZONE: rows}, Switches(page=page)) as desec:
            times = [0.0]
            provider = client(desec, now=lambda: times[0])
            made = todo(provider, what)
            times[0] = later
            [name] = [each.name or "@" for each in made]
            desec.add(ZONE, name, "TXT", 3600, '"verify=9"')
            before = desec.values(ZONE)
            with pytest.raises(StaleZone, match=f"^{ZONE}: .* TXT at desec is not what was read any more"):
                provider.write(ZONE, made)
            assert desec.values(ZONE) == before and b"verify=9" in before[name, "TXT"][1]

    def test_a_look_at_a_zone_of_many_pages(self) -> None:
        """Where the zone is more than a page, only the names that others may write to are looked at; many of them, with the whole zone."""
        with Desec({ZONE: ROWS}, Switches(page=4)) as desec:
            provider = client(desec)
            made = todo(provider)
            asked = len(desec.requests)
            provider.write(ZONE, made)
            assert [each.query for each in desec.requests[asked:]] == [{"subname": [""]}, {"subname": ["_dmarc"]}, {}]
            assert desec.requests[-1].method == "PATCH"
            assert desec.values(ZONE)["@", "TXT"][1] == {b"site=12", b"v=spf10", b"v=spf1 mx a -all"}
            provider.read(ZONE)
            asked = len(desec.requests)
            provider.write(ZONE, [new(f"n{number}", "x") for number in range(5)])
            assert [each.query for each in desec.requests[asked:-1]][:2] == [{}, {"cursor": [""]}]
            assert all("subname" not in each.query for each in desec.requests[asked:])

    def test_a_look_that_is_no_list(self) -> None:
        """Something else than record sets is no look, and nothing is written."""
        with Desec({ZONE: ROWS}, Switches(page=4)) as desec:
            provider = client(desec)
            made = todo(provider, {"@ TXT": ["v=spf1 mx a -all"]})
            desec.faults = [Fault("GET", "rrsets/", Answer(200, {"detail": "x"}))]
            with pytest.raises(ProviderError, match=rf"^{ZONE}: looking at {ZONE}: .*no record set"):
                provider.write(ZONE, made)
            assert not [each for each in desec.requests if each.method != "GET"]

    def test_never_read(self, desec: Desec) -> None:
        """What was not read is read before it is written."""
        client(desec).write(ZONE, [new("fresh", "x")])
        assert [each.method for each in desec.requests] == ["GET", "PATCH"]
        with pytest.raises(StaleZone, match=rf"^{ZONE}: mail\.{ZONE} TXT at desec"):
            client(desec).write(ZONE, [new("mail", "x")])

    def test_what_was_read_serves_once(self, desec: Desec) -> None:
        """After a write the zone is another one: the next write looks again."""
        provider = client(desec)
        provider.write(ZONE, todo(provider))
        desec.requests.clear()
        provider.write(ZONE, [new("fresh._domainkey", "x")])
        assert [each.method for each in desec.requests] == ["GET", "PATCH"]

    def test_a_shared_record_set_that_went_in_this_moment(self, desec: Desec) -> None:
        """A record set that somebody took away within the five seconds is not made again without its TTL: the zone has moved."""
        provider = client(desec)
        made = todo(provider)
        desec.drop(ZONE, "@", "TXT")
        with pytest.raises(StaleZone, match=f"^{ZONE}: {ZONE} TXT"):
            provider.write(ZONE, made)
        assert ("_dmarc", "TXT") not in desec.values(ZONE)

    def test_a_cname_that_came_in_this_moment(self, desec: Desec) -> None:
        """A CNAME that somebody made within the five seconds is named."""
        provider = client(desec)
        made = todo(provider)
        desec.add(ZONE, "_dmarc", "CNAME", 3600, "dmarc.elsewhere.test.")
        with pytest.raises(ProviderError, match=rf"_dmarc\.{ZONE} is a CNAME at desec"):
            provider.write(ZONE, made)
        assert ("new._domainkey", "TXT") not in desec.values(ZONE)

    def test_a_cname_gives_way(self, desec: Desec) -> None:
        """A CNAME that goes and a record that comes at its name are one request, with nothing in between."""
        provider = client(desec)
        [old] = [rrset for rrset in provider.read(ZONE) if rrset.type == "CNAME"]
        provider.write(ZONE, [Change(Kind.DELETE, "www", "CNAME", old, None), new("www", "x")])
        assert ("www", "TXT") in desec.values(ZONE) and ("www", "CNAME") not in desec.values(ZONE)

    @pytest.mark.parametrize("name", ["a\\.b", "x y", "ü", "a.*.b", "x" * 64, "@"])
    def test_a_name_that_is_not_taken(self, desec: Desec, name: str) -> None:
        """A name with other characters is refused before anything is asked, and the API would refuse it, too."""
        with pytest.raises(ProviderError, match=r"takes no such name.*nothing was written"):
            client(desec).write(ZONE, [new("fine", "x"), new(name, "x")])
        assert desec.requests == []
        assert bulk(desec, {"subname": name, "type": "TXT", "ttl": 3600, "records": ['"x"']}).status_code == 400

    @pytest.mark.parametrize("name", ["", "*", "*.a", "a-b._c.d"])
    def test_a_name_that_is_taken(self, desec: Desec, name: str) -> None:
        """Wildcards, hyphens and underscores are names like others."""
        client(desec).write(ZONE, [new(name, "x", kind="SPF")])
        assert (name or "@", "SPF") in desec.values(ZONE)

    def test_a_ttl_in_quotes(self, desec: Desec) -> None:
        """The stand-in takes digits in quotes for a TTL, as the API does (octodns-desec sends them), and refuses others."""
        item = {"subname": "x", "type": "TXT", "records": ['"x"']}
        assert bulk(desec, {**item, "ttl": "7200"}).status_code == 200
        assert desec.values(ZONE)["x", "TXT"][0] == 7200
        assert bulk(desec, {**item, "ttl": "an hour"}).status_code == 400


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "told"),
        [
            ({}, ["token: is missing"]),
            ({"token": " "}, ["token: is missing"]),
            ({"token": "two words"}, ["token: is not one word"]),
            ({"token": "x\ny", "endpoint": "http://desec.example"}, ["token: is not one word", "endpoint: must be an https"]),
        ],
    )  # fmt: skip
    def test_mistakes(self, options: dict[str, Any], told: list[str]) -> None:
        """Each mistake is a line of its own, that begins with the option."""
        with pytest.raises(ProviderError) as caught:
            Provider("desec", **options)
        lines = str(caught.value).splitlines()
        assert len(lines) == len(told) and all(line.startswith(start) for line, start in zip(lines, told, strict=True))

    def test_a_token_with_a_line_break_behind_it(self, desec: Desec) -> None:
        """A file ends with a line break, which is none of the token."""
        assert client(desec, token=f"{desec.token}\n", endpoint=desec.endpoint + "/").read(ZONE)
        assert desec.requests[0].headers["Authorization"] == f"Token {desec.token}"
