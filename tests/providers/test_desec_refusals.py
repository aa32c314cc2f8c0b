"""deSEC against its stand-in: what it refuses, when it wants to be left alone, and that the stand-in is as strict as it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import requests
from dnssync_providers._desec import explain

from dnssync.core.model import ProviderError, StaleZone, TypeRefused
from tests.desec import Desec, Switches
from tests.http_faults import Answer, Fault
from tests.providers.conformance import ZONE
from tests.providers.desec_client import ROWS, bulk, client, new, small, todo

desec = pytest.fixture(small, name="desec")


class TestRefusals:
    def test_the_record_is_named(self, desec: Desec) -> None:
        """The sentence names the record that the error is about, in deSEC's words, and nothing was done."""
        before = desec.values(ZONE)
        with pytest.raises(
            ProviderError, match=rf"^{ZONE}: writing bad\.{ZONE} TXT: deSEC.*ttl: Ensure .* 3600\. Nothing was written"
        ) as caught:
            client(desec).write(ZONE, [new("fine", "x"), new("bad", "x", ttl=60)])
        assert not caught.value.transient and desec.values(ZONE) == before

    def test_several_records(self, desec: Desec) -> None:
        """Of several, the first one is named and the others are counted."""
        with pytest.raises(ProviderError, match=rf"writing one\.{ZONE} TXT: .*1 more were refused with it"):
            client(desec).write(ZONE, [new("one", "x", ttl=60), new("fine", "x"), new("two", "x", ttl=99999)])

    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            (["Record content invalid."], "Record content invalid"),
            ({"detail": "Something."}, "Something"),
            ({"non_field_errors": ["No."]}, "No"),
            ([{}, {}, {"ttl": ["x"]}], "ttl: x"),
            (None, "answered 400"),
        ],
    )
    def test_errors_of_another_shape(self, desec: Desec, answer: Any, said: str) -> None:
        """An error that is not about an item of the list is told in deSEC's words."""
        desec.faults = [Fault("PATCH", answer=Answer(400, answer))]
        with pytest.raises(
            ProviderError, match=rf"^{ZONE}: writing 2 changes: deSEC \(provider desec\) answered 400.*"
        ) as caught:
            client(desec).write(ZONE, [new("a", "x"), new("b", "x")])
        assert said in str(caught.value)

    def test_somebody_is_faster_than_the_request(self, desec: Desec) -> None:
        """Where a refusal has to do with what somebody did between the look and the request, the zone has moved: it is planned anew."""
        provider = client(desec)
        made = todo(provider, {"fresh TXT": ["x"]})
        theirs = lambda: desec.add(ZONE, "fresh", "CNAME", 3600, "x.example.net.")  # noqa: E731
        more = lambda: desec.add(ZONE, "fresh2", "TXT", 3600, '"theirs"')  # noqa: E731
        desec.faults = [Fault("PATCH", stranger=lambda: (theirs(), more()))]  # type: ignore[func-returns-value]
        with pytest.raises(StaleZone, match=rf"fresh2\.{ZONE} TXT at desec is not what was read"):
            provider.write(ZONE, [new("fresh2", "x"), *made])
        assert desec.values(ZONE)["fresh2", "TXT"][1] == {b"theirs"}

    def test_the_refusal_s_words_where_the_zone_cannot_be_read(self, desec: Desec) -> None:
        """Where the look after a refusal fails, the refusal is told all the same."""
        desec.faults = [Fault("GET", skip=1, answer=Answer(500, None), times=9)]
        with pytest.raises(ProviderError, match="ttl: Ensure"):
            client(desec).write(ZONE, [new("bad", "x", ttl=60)])

    def test_type_spf(self, desec: Desec) -> None:
        """Where type SPF is all that is refused, everything else is written, after another look, and it is remembered."""
        desec.switches.spf_taken = False
        provider = client(desec)
        made = [*todo(provider), new("", "v=spf1 mx a -all", kind="SPF")]
        desec.requests.clear()
        with pytest.raises(TypeRefused, match=rf"^{ZONE}: writing {ZONE} SPF: .*All else is written"):
            provider.write(ZONE, made)
        assert ("_dmarc", "TXT") in desec.values(ZONE) and ("@", "SPF") not in desec.values(ZONE)
        assert [each.method for each in desec.requests] == ["GET", "PATCH", "GET", "PATCH"]
        assert provider.limits.type99 is False

    def test_a_stranger_while_type_spf_is_refused(self, desec: Desec) -> None:
        """What somebody adds after the refusal is not overwritten by the second request."""
        desec.switches.spf_taken = False
        provider = client(desec)
        made = [*todo(provider), new("", "v=spf1 mx a -all", kind="SPF")]
        theirs = lambda: desec.add(ZONE, "@", "TXT", 3600, '"verify=9"')  # noqa: E731
        desec.faults = [Fault("GET", skip=1, stranger=theirs)]
        with pytest.raises(StaleZone):
            provider.write(ZONE, made)
        assert b"verify=9" in desec.values(ZONE)["@", "TXT"][1]

    def test_type_spf_alone(self, desec: Desec) -> None:
        """Where nothing else is to be written, nothing else is asked."""
        desec.switches.spf_taken = False
        with pytest.raises(TypeRefused):
            client(desec).write(ZONE, [new("", "v=spf1 -all", kind="SPF")])
        assert [each.method for each in desec.requests] == ["GET", "PATCH"]

    def test_type_spf_and_something_else(self, desec: Desec) -> None:
        """Where more than type SPF is refused, that is the error, and nothing is written."""
        desec.switches.spf_taken = False
        with pytest.raises(ProviderError, match=f"writing {ZONE} SPF: .*1 more were refused") as caught:
            client(desec).write(ZONE, [new("", "v=spf1 -all", kind="SPF"), new("bad", "x", ttl=60)])
        assert not isinstance(caught.value, TypeRefused)
        desec.requests.clear()
        with pytest.raises(ProviderError, match="1 more were refused"):
            client(desec).write(ZONE, [new("", "v=spf1 -all", kind="SPF"), new("bad", "x", kind="FOO")])
        assert [each.method for each in desec.requests].count("PATCH") == 1
        desec.switches.spf_taken = True
        with pytest.raises(ProviderError, match=f"writing {ZONE} SPF: .*ttl: ") as caught:
            client(desec).write(ZONE, [new("", "v=spf1 -all", ttl=60, kind="SPF")])
        assert not isinstance(caught.value, TypeRefused)

    @pytest.mark.parametrize(
        ("spoil", "said"),
        [
            (lambda shown: [], "something else than was asked for"),
            (lambda shown: None, "something else than was asked for"),
            (lambda shown: {"a": 1}, "something else than was asked for"),
            (lambda shown: [{**each, "records": ['"v=spf1 mx -all"']} for each in shown], "something else than was asked for"),
            (lambda shown: [{**each, "records": [*each["records"], '"more"']} for each in shown], "something else than was asked for"),
            (lambda shown: [{**each, "ttl": 7200} for each in shown], "a TTL of 7200 instead of 3600"),
        ],
    )  # fmt: skip
    def test_shows_something_else(self, desec: Desec, spoil: Callable[[Any], Any], said: str) -> None:
        """An answer that shows something else than was asked for is no success."""
        shown = [{"subname": "fresh", "type": "TXT", "ttl": 3600, "records": ['"x"']}]
        desec.faults = [Fault("PATCH", answer=Answer(200, spoil(shown)), commits=True)]
        with pytest.raises(ProviderError, match=rf"^{ZONE}: writing fresh\.{ZONE} TXT: .*shows {said}"):
            client(desec).write(ZONE, [new("fresh", "x")])

    def test_shows_what_was_taken_away(self, desec: Desec) -> None:
        """A record that is still shown was not taken away."""
        provider = client(desec)
        made = todo(provider, {"old._domainkey TXT": []})
        still = [{"subname": "old._domainkey", "type": "TXT", "ttl": 3600, "records": ['"v=DKIM1; p=OLD"']}]
        desec.faults = [Fault("PATCH", answer=Answer(200, still))]
        with pytest.raises(ProviderError, match=rf"old\._domainkey\.{ZONE} TXT: .*something else"):
            provider.write(ZONE, made)

    def test_no_secret(self, desec: Desec) -> None:
        """The token is in no sentence, not even where deSEC repeats it."""
        desec.faults = [Fault("PATCH", answer=Answer(400, [{"ttl": [f"{desec.token} is bad"]}]))]
        with pytest.raises(ProviderError, match=r"ttl: \(secret\) is bad") as caught:
            client(desec).write(ZONE, [new("a", "x")])
        assert desec.token not in str(caught.value) + repr(client(desec)) + repr(vars(client(desec)))


class Clock:
    """Time that passes when somebody sleeps."""

    def __init__(self) -> None:
        self.at, self.slept = 1000.0, list[float]()

    def now(self) -> float:
        """The time."""
        return self.at

    def sleep(self, seconds: float) -> None:
        """So long."""
        self.slept.append(seconds)
        self.at += seconds


class TestLimits:
    def throttled(self, clock: Clock) -> Desec:
        """The stand-in with deSEC's limits."""
        return Desec({ZONE: ROWS}, Switches(limited=True), minimum_ttl=3600, now=clock.now)

    def writes(self, desec: Desec, clock: Clock, count: int, apart: float) -> None:
        """Somebody else's writes in the same domain."""
        for number in range(count):
            item = {"subname": f"w{number}", "type": "TXT", "ttl": 3600, "records": ['"x"']}
            assert bulk(desec, item).status_code == 200
            clock.at += apart

    def test_a_short_wait(self) -> None:
        """A third write within a second waits for its turn, looks again, and is done."""
        clock = Clock()
        with self.throttled(clock) as desec:
            provider = client(desec, now=clock.now, sleep=clock.sleep)
            made = todo(provider)
            self.writes(desec, clock, 2, 0.0)
            desec.requests.clear()
            provider.write(ZONE, made)
            assert [(each.method, each.status) for each in desec.requests] == [
                ("GET", 200),
                ("PATCH", 429),
                ("GET", 200),
                ("PATCH", 200),
            ]
        assert clock.slept == [1]

    def test_somebody_was_faster_while_it_waited(self) -> None:
        """What is waited for may move meanwhile, and then nothing is written."""
        clock = Clock()
        with self.throttled(clock) as desec:
            provider = client(
                desec, now=clock.now, sleep=lambda s: (clock.sleep(s), desec.drop(ZONE, "old._domainkey", "TXT"))
            )
            made = todo(provider)
            self.writes(desec, clock, 2, 0.0)
            with pytest.raises(StaleZone):
                provider.write(ZONE, made)
            assert ("_dmarc", "TXT") not in desec.values(ZONE)

    @pytest.mark.parametrize(("count", "apart", "seconds"), [(15, 1.0, 45), (100, 5.0, 3100), (300, 40.0, 74400)])
    def test_a_long_wait(self, count: int, apart: float, seconds: int) -> None:
        """Where the turn comes later than a write waits, the sentence says when, nothing is done, and nobody sleeps."""
        clock = Clock()
        with self.throttled(clock) as desec:
            provider = client(desec, now=clock.now, sleep=clock.sleep)
            self.writes(desec, clock, count, apart)
            made = todo(provider)
            before = desec.values(ZONE)
            said = rf"^{ZONE}: writing 4 changes: deSEC \(provider desec\) takes no more changes of this zone for {seconds} seconds"
            with pytest.raises(ProviderError, match=said) as caught:
                provider.write(ZONE, made)
            assert desec.values(ZONE) == before
        assert caught.value.transient and clock.slept == [] and "Nothing was done" in str(caught.value)

    def test_again_too_soon(self) -> None:
        """It is tried once more, not for ever; where no time is told, not even once."""
        slept: list[float] = []
        with Desec({ZONE: ROWS}) as desec:
            for headers, tries in ({"Retry-After": "1"}, 2), ({}, 1), ({"Retry-After": "soon"}, 1):
                desec.requests.clear()
                desec.faults = [Fault("PATCH", answer=Answer(429, {"detail": "x"}, headers), times=9)]
                with pytest.raises(ProviderError, match=r"takes no more changes of this zone for (1 seconds|a while)"):
                    client(desec, sleep=slept.append).write(ZONE, [new("a", "x")])
                assert len(slept) == tries - 1
                slept.clear()
                assert [each.method for each in desec.requests].count("PATCH") == tries

    def test_a_reading_waits(self) -> None:
        """Ten readings a second and fifty a minute: the next one waits as long as deSEC says."""
        clock = Clock()
        with self.throttled(clock) as desec:
            provider = client(desec, sleep=clock.sleep)
            for _ in range(6):
                provider.read(ZONE)
            assert clock.slept == [1]
            for _ in range(20):
                provider.read(ZONE)
        assert max(clock.slept) > 50 and provider.requests["4xx"] == len(clock.slept)


class TestStandIn:
    FINE: dict[str, Any] = {"subname": "x", "type": "TXT", "ttl": 3600, "records": ['"x"']}  # noqa: RUF012

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"ttl": 3599}, "ttl"), ({"ttl": 86401}, "ttl"), ({"ttl": "x"}, "ttl"), ({"records": ["x"]}, "non_field_errors"),
            ({"records": ['"x" y']}, "non_field_errors"), ({"records": ['"x']}, "non_field_errors"), ({"records": "x"}, "records"),
            ({"records": [1]}, "records"), ({"records": ['"\0"']}, "records"), ({"records": ['"x"', '"x"']}, "non_field_errors"),
            ({"records": ['"' + "x" * 66000 + '"']}, "non_field_errors"), ({"type": "FOO"}, "type"), ({"type": "SOA"}, "type"),
            ({"type": "TYPE99"}, "type"), ({"type": "MX", "records": ["10 mail"]}, "non_field_errors"),
            ({"type": "A", "records": ["1.2.3"]}, "non_field_errors"), ({"subname": "@"}, "subname"), ({"subname": "X"}, "subname"),
            ({"subname": "www"}, "non_field_errors"), ({"type": "CNAME", "subname": "mail", "records": ["a.test."]}, "non_field_errors"),
            ({"type": "CNAME", "records": ["a.test.", "b.test."]}, "non_field_errors"), ({"subname": 1}, "subname"),
        ],
    )  # fmt: skip
    def test_refuses(self, desec: Desec, change: dict[str, Any], field: str) -> None:
        """One item that is not right refuses all of them, with an error at its place."""
        before = desec.values(ZONE)
        answer = bulk(desec, {**self.FINE, "subname": "fine"}, {**self.FINE, **change})
        assert answer.status_code == 400 and answer.json()[0] == {} and list(answer.json()[1]) == [field]
        assert desec.values(ZONE) == before

    @pytest.mark.parametrize("missing", ["subname", "type", "ttl", "records"])
    def test_what_must_be_there(self, desec: Desec, missing: str) -> None:
        """Each part of a new RRset has to be sent; a known one keeps what is not sent."""
        part = {key: value for key, value in self.FINE.items() if key != missing}
        answer = bulk(desec, part)
        assert answer.status_code == 400 and answer.json() == [{missing: ["This field is required."]}]
        if missing in ("ttl", "records"):
            assert bulk(desec, self.FINE).status_code == 200
            [shown] = bulk(desec, part).json()
            assert (shown["ttl"], shown["records"]) == (3600, ['"x"'])
            assert bulk(desec, part, method="PUT").status_code == 400

    def test_twice_in_one_list(self, desec: Desec) -> None:
        """One RRset stands once in a list."""
        assert bulk(desec, self.FINE, self.FINE).status_code == 400

    def test_post_makes_only_new_ones(self, desec: Desec) -> None:
        """POST takes no RRset that is there."""
        assert bulk(desec, self.FINE, method="POST").status_code == 201
        assert bulk(desec, self.FINE, method="POST").status_code == 400

    def test_canonical(self, desec: Desec) -> None:
        """A text is cut at 255 octets and escaped in one way, an address is written in one way; nothing is joined."""
        [shown] = bulk(desec, {**self.FINE, "records": ['"' + "x" * 256 + '" "y"', '"\\120 \\; ü"']}).json()
        assert shown["records"] == ['"' + "x" * 255 + '" "x" "y"', '"x ; \\195\\188"']
        [shown] = bulk(desec, {**self.FINE, "type": "AAAA", "records": ["2001:DB8:0::1"]}).json()
        assert shown["records"] == ["2001:db8::1"] and shown["name"] == f"x.{ZONE}."

    def test_a_page_and_no_more(self) -> None:
        """More than a page is not shown without a cursor; the answer says how many there are."""
        with Desec({ZONE: ROWS}, Switches(page=5)) as desec:
            headers = {"Authorization": f"Token {desec.token}"}
            answer = requests.get(f"{desec.endpoint}/domains/{ZONE}/rrsets/", headers=headers, timeout=5)
        assert answer.status_code == 400 and "(6 total)" in answer.json()["detail"]
        assert answer.links["first"]["url"].endswith("?cursor=")

    def test_whom_it_answers(self, desec: Desec) -> None:
        """Without the right secret, or for another account's domain, there is nothing."""
        assert bulk(desec, self.FINE, token="wrong").status_code == 401
        assert bulk(desec, self.FINE, token=desec.stranger).status_code == 404
        assert requests.get(f"{desec.endpoint}/domains/{ZONE}/rrsets/", timeout=5).status_code == 401
        assert ("x", "TXT") not in desec.values(ZONE)

    def test_a_body_that_is_none(self, desec: Desec) -> None:
        """A body has to be JSON and say so, and a list."""
        where, headers = f"{desec.endpoint}/domains/{ZONE}/rrsets/", {"Authorization": f"Token {desec.token}"}
        assert requests.patch(where, data="[]", headers=headers, timeout=5).status_code == 415
        json = {**headers, "Content-Type": "application/json"}
        assert requests.patch(where, data="[", headers=json, timeout=5).status_code == 400
        assert requests.patch(where, json=self.FINE, headers=headers, timeout=5).status_code == 400
        assert time.time() > desec.requests[0].at  # the log has them


def test_words() -> None:
    """Each shape of an error is told once, with the field that it is about."""
    assert explain({"detail": "A."}) == "A"
    assert explain([{}, {"ttl": ["B.", "B."], "non_field_errors": ["C"]}, "D"]) == "ttl: B; C; D"
    assert explain({"records": [{"content": ["E"]}]}) == "content: E"
    assert explain(None) == explain([]) == explain(7) == ""
