"""The stand-in for Gandi LiveDNS, asked as `curl` would: what it is strict about is what is known of the real API."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.gandi import Gandi
from tests.gandi_faults import ERRED
from tests.http_faults import HTML, Answer, Fault

ZONE = "example.org"
NOOP = "records/_acme-challenge.noop/TXT"
ROWS = [
    ("_dmarc", "TXT", 3600, ['"v=DMARC1; p=none"']),
    ("Mail", "A", 3600, ["192.0.2.1"]),
    ("@", "TXT", 1800, ['"v=spf1 mx -all"', '"site=1" "2"']),
    ("@", "MX", 3600, ["10 mx"]),
]


class Client:
    """Asks the stand-in for a path of the zone."""

    def __init__(self, gandi: Gandi) -> None:
        self.gandi, self.session = gandi, requests.Session()
        self.session.trust_env = False
        self.headers = {"Authorization": f"Bearer {gandi.token}"}

    def __call__(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        """`path` is below the zone, or below the API where it begins with a slash."""
        url = self.gandi.endpoint + "/livedns" + (path if path.startswith("/") else f"/domains/{ZONE}/{path}")
        options = {"headers": self.headers, "timeout": 5, "json": body} | options
        return self.session.request(method, url.rstrip("/"), allow_redirects=False, **options)


@pytest.fixture
def gandi() -> Iterator[Gandi]:
    """The stand-in with a small zone."""
    with Gandi({ZONE: ROWS}) as running:
        yield running


@pytest.fixture
def ask(gandi: Gandi) -> Client:
    """Its client."""
    return Client(gandi)


class TestWhoAsks:
    @pytest.mark.parametrize(
        ("scheme", "secret", "status"),
        [
            ("Bearer", Gandi.token, 200),
            ("Apikey", Gandi.apikey, 200),
            ("Apikey", Gandi.token, 401),
            ("Bearer", Gandi.apikey, 401),
            ("Bearer", "", 401),
            ("Bearer", Gandi.stranger, 403),
        ],
    )
    def test_scheme_and_secret(self, ask: Client, scheme: str, secret: str, status: int) -> None:
        """Each secret under its own scheme alone; a token of somebody else may not see the domain."""
        ask.headers = {"Authorization": f"{scheme} {secret}"}
        assert ask("GET", "").status_code == ask("GET", "records").status_code == status

    def test_bodies_of_refusals(self, ask: Client) -> None:
        """They are as long as those that were seen, and JSON with a charset."""
        lengths = {}
        for secret, path in ((ask.gandi.token, "/domains/not-mine.example"), ("?", ""), (ask.gandi.stranger, "")):
            ask.headers = {"Authorization": f"Bearer {secret}"}
            answer = ask("GET", path)
            lengths[answer.status_code] = len(answer.content)
            assert answer.headers["Content-Type"] == "application/json; charset=UTF-8"
        assert lengths == {404: 108, 401: 264, 403: 112}

    def test_an_expired_token(self, ask: Client) -> None:
        """What was good a moment ago is no longer."""
        ask.gandi.expired = True
        assert (ask("GET", "").status_code, ask("GET", "").json()["object"]) == (401, "HTTPUnauthorized")

    def test_sharing(self, ask: Client) -> None:
        """Without the organisation a reseller's domain does not exist, in words of its own."""
        ask.gandi.switches.sharing_required = True
        assert ask("GET", "records").json() == {
            "code": 404,
            "cause": "Unknown",
            "message": "The resource does not exist",
        }
        assert ask("GET", "/domains").json() == []
        assert ask("GET", "records", params={"sharing_id": ask.gandi.organisation}).ok

    def test_nameservers_are_public(self, ask: Client) -> None:
        """Nobody has to say who they are for those."""
        ask.headers = {}
        assert len(ask("GET", f"/nameservers/{ZONE}").json()) == 3

    def test_the_log_has_no_token(self, ask: Client) -> None:
        """Every request is kept, in order, without what it was authorized by."""
        ask("GET", "records")
        ask("POST", NOOP, {"rrset_values": ["x"]})
        assert ask.gandi.calls() == [f"GET /domains/{ZONE}/records", f"POST /domains/{ZONE}/{NOOP}"]
        assert ask.gandi.requests[1].body == {"rrset_values": ["x"]}
        assert [request.status for request in ask.gandi.requests] == [200, 201]
        assert ask.gandi.token not in repr(ask.gandi.requests)


class TestRecorded:
    """What real answers were seen to be."""

    def test_domain(self, ask: Client) -> None:
        """Five keys."""
        assert sorted(ask("GET", "").json()) == [
            "automatic_snapshots", "domain_href", "domain_keys_href", "domain_records_href", "fqdn"
        ]  # fmt: skip

    def test_life_of_a_record(self, ask: Client) -> None:
        """Missing, made, made again, changed, deleted; a bare text comes back in quotes, a TTL left out becomes 10800."""
        missing = ask("GET", NOOP)
        assert (missing.status_code, missing.json()["object"]) == (404, "dns-record")
        assert "_acme-challenge.noop/TXT" in missing.json()["message"]

        made = ask("POST", NOOP, {"rrset_values": ["challengetoken"], "rrset_ttl": 3600})
        assert (made.status_code, made.json()) == (201, {"message": "DNS Record Created"})
        assert made.headers["Content-Type"] == "application/json; charset=utf-8"
        assert made.headers["Location"].endswith(f"/domains/{ZONE}/{NOOP}")
        shown = ask("GET", NOOP).json()
        assert (shown["rrset_ttl"], shown["rrset_values"]) == (3600, ['"challengetoken"'])
        assert sorted(shown) == ["rrset_href", "rrset_name", "rrset_ttl", "rrset_type", "rrset_values"]

        assert ask("POST", NOOP, {"rrset_values": ["challengetoken"], "rrset_ttl": 3600}).status_code == 200
        refused = ask("POST", NOOP, {"rrset_values": ["another"], "rrset_ttl": 3600})
        assert (refused.status_code, refused.json()["message"]) == (409, "This record already exists")

        assert ask("PUT", NOOP, {"rrset_values": ["b", "a"], "rrset_ttl": 3600}).status_code == 201
        assert ask("GET", NOOP).json()["rrset_values"] == ['"b"', '"a"']
        assert ask("PUT", NOOP, {"rrset_values": ["c"]}).status_code == 201
        assert ask("GET", NOOP).json()["rrset_ttl"] == 10800

        gone = ask("DELETE", NOOP)
        assert (gone.status_code, gone.content, "Content-Type" in gone.headers) == (204, b"", False)
        assert ask("GET", NOOP).status_code == 404

    def test_the_path_rules(self, ask: Client) -> None:
        """A name and a type in the body are passed over where the path has them."""
        body = {"rrset_type": "MX", "rrset_name": "updated.test", "rrset_values": ["x"], "rrset_ttl": 300}
        assert ask("PUT", "records/orig.test/TXT", body).headers["Location"].endswith("/records/orig.test/TXT")
        assert ("updated.test", "MX") not in ask.gandi.values(ZONE) and ("orig.test", "TXT") in ask.gandi.values(ZONE)

    def test_targets_stay_as_they_were_given(self, ask: Client) -> None:
        """Without a final dot they are relative, and nobody adds one."""
        ask("POST", "records/docs/CNAME", {"rrset_values": ["docs.example.com"], "rrset_ttl": 3600})
        assert ask("GET", "records/docs/CNAME").json()["rrset_values"] == ["docs.example.com"]

    def test_order_of_a_list(self, ask: Client) -> None:
        """The apex, letters in any case, then underscores; neither SOA nor the default NS."""
        ask.gandi.put(ZONE, "alpha", "A", 300, ["192.0.2.1"])
        names = [row["rrset_name"] for row in ask("GET", "records").json()]
        assert names == ["@", "@", "alpha", "Mail", "_dmarc"]
        assert ask("GET", "records/_dmarc").json()[0]["rrset_type"] == "TXT"

    def test_as_a_zone_file(self, ask: Client) -> None:
        """That has an SOA."""
        text = ask("GET", "records", headers={**ask.headers, "Accept": "text/plain"}).text
        assert " IN SOA " in text and '_dmarc 3600 IN TXT "v=DMARC1; p=none"' in text

    def test_the_apex_has_two_spellings(self, ask: Client) -> None:
        """`@` and `%40` are one; its address says `%40`."""
        assert ask("GET", "records/@/TXT").json() == ask("GET", "records/%40/TXT").json()
        assert "/records/%40/TXT" in ask("GET", "records/@/TXT").json()["rrset_href"]


class TestPages:
    def test_five_hundred(self, ask: Client) -> None:
        """Who does not ask for more pages does not get the rest, and sees it by the count alone."""
        for number in range(600):
            ask.gandi.put(ZONE, f"h{number}", "A", 300, ["192.0.2.1"])
        first = ask("GET", "records")
        assert (len(first.json()), first.headers["Total-Count"]) == (500, "604")
        assert 'rel="next"' in first.headers["Link"] and first.headers["ETag"].startswith('W/"')
        assert len(ask("GET", "records", params={"page": 2}).json()) == 104
        assert ask("GET", "records", params={"page": 3}).json() == []
        every = [ask("GET", "records", params={"page": page, "per_page": 100}).json() for page in range(1, 8)]
        assert len({(row["rrset_name"], row["rrset_type"]) for page in every for row in page}) == 604
        assert ask("GET", "records", params={"page": 0}).status_code == 400

    @pytest.mark.parametrize(("total", "told"), [(0, "4"), (7, "11"), (None, None)])
    def test_a_count_that_lies(self, ask: Client, total: int | None, told: str | None) -> None:
        """Too many, or none at all."""
        ask.gandi.switches.total = total
        answer = ask("GET", "records")
        assert answer.headers.get("Total-Count") == told and "Link" not in answer.headers


class TestRefused:
    @pytest.mark.parametrize(
        ("path", "body"),
        [
            (NOOP, {"rrset_values": ["x"], "rrset_ttl": 299}),
            (NOOP, {"rrset_values": ["x"], "rrset_ttl": 2592001}),
            (NOOP, {"rrset_values": ["x"], "rrset_ttl": "300"}),
            (NOOP, {"rrset_values": []}),
            (NOOP, {"rrset_values": "x"}),
            (NOOP, {"rrset_values": ["ü"]}),
            (NOOP, {"rrset_values": ["a\tb"]}),
            (NOOP, {"rrset_values": ["x" * 16385]}),
            (NOOP, {"rrset_values": ['"' + "x" * 256 + '"']}),
            (NOOP, {"rrset_values": ['"open']}),
            ("records/a/A", {"rrset_values": ["192.0.2.300"]}),
            ("records/a/AAAA", {"rrset_values": ["192.0.2.1"]}),
            ("records/a/NSEC", {"rrset_values": ["x"]}),
            ("records/Mail/CNAME", {"rrset_values": ["x"]}),
        ],
    )
    def test_as_invalid(self, ask: Client, path: str, body: object) -> None:
        """What cannot be: status 400 in the shape that has no message and no code, and nothing is kept."""
        before = ask.gandi.values(ZONE)
        for method in ("POST", "PUT"):
            answer = ask(method, path, body)
            assert answer.status_code == 400 and set(answer.json()) == {"status", "errors"}
            assert answer.json()["errors"][0]["description"]
        assert ask.gandi.values(ZONE) == before

    def test_beside_a_cname(self, ask: Client) -> None:
        """Nothing stands beside one."""
        ask.gandi.put(ZONE, "www", "CNAME", 300, ["@"])
        assert ask("POST", "records/www/TXT", {"rrset_values": ["x"]}).status_code == 400

    def test_no_content_type(self, ask: Client) -> None:
        """A body has to say what it is, and to be it."""
        assert ask("POST", NOOP, data='{"rrset_values":["x"]}').status_code == 400
        kind = {**ask.headers, "Content-Type": "application/json"}
        assert ask("POST", NOOP, data='{"rrset_val', headers=kind).status_code == 400
        assert ask("POST", NOOP, data='{"rrset_values":["x"]}', headers=kind).status_code == 201

    def test_absolute_names(self, ask: Client) -> None:
        """A final dot makes a name absolute, and then it has to end in the zone; this 400 has a message."""
        answer = ask("POST", "records/_x./TXT", {"rrset_values": ["x"]})
        assert (answer.status_code, answer.json()["message"]) == (
            400,
            f"Absolute rrset_name must end with {ZONE}. (_x.)",
        )
        assert ask("POST", f"records/_x.{ZONE}./TXT", {"rrset_values": ["x"]}).status_code == 201
        assert ("_x", "TXT") in ask.gandi.values(ZONE)

    def test_a_name_in_another_case(self, ask: Client) -> None:
        """It is found in its own case alone, and to write it in another is a fault of theirs."""
        assert ask("GET", "records/mail/A").status_code == 404
        assert ask("PUT", "records/mail/A", {"rrset_values": ["192.0.2.2"]}).status_code == 500
        assert ask("PUT", "records/Mail/A", {"rrset_values": ["192.0.2.2"]}).status_code == 201

    @pytest.mark.parametrize("listed", [True, False])
    @pytest.mark.parametrize("taken", [True, False])
    def test_type_spf(self, ask: Client, listed: bool, taken: bool) -> None:
        """Listed and taken are two things."""
        ask.gandi.switches.spf_listed, ask.gandi.switches.spf_taken = listed, taken
        assert ("SPF" in ask("GET", "/dns/rrtypes").json()) is listed
        answer = ask("POST", "records/@/SPF", {"rrset_values": ["v=spf1 -all"]})
        assert answer.status_code == (201 if taken else 400)


class TestTexts:
    @pytest.mark.parametrize("cut", [255, 150, 7])
    def test_long_ones_are_cut(self, ask: Client, cut: int) -> None:
        """Somewhere; escapes stay whole."""
        ask.gandi.switches.cut = cut
        text = 'a\\"\\\\\\009' * 60
        given = " ".join(f'"{text[at : at + 180]}"' for at in range(0, len(text), 180))
        assert ask("PUT", NOOP, {"rrset_values": [given]}).status_code == 201
        [shown] = ask("GET", NOOP).json()["rrset_values"]
        strings = shown[1:-1].split('" "')
        assert len(strings) == -(-240 // cut) and "".join(strings) == text

    def test_answers_without_quotes(self, ask: Client) -> None:
        """The other way in which texts may come."""
        ask.gandi.switches.quoted = False
        assert ask("GET", "records/@/TXT").json()["rrset_values"] == ["v=spf1 mx -all", "site=12"]


class TestPatch:
    def test_values(self, ask: Client) -> None:
        """Single values in and out; the answer is the record set that stands there then."""
        body = {"add_rrset_values": ['"new"'], "remove_rrset_values": ['"v=spf1 mx -all"'], "rrset_ttl": 900}
        answer = ask("PATCH", "records/@/TXT", body)
        assert answer.status_code == 200 and answer.json() == ask("GET", "records/@/TXT").json()
        assert ask.gandi.values(ZONE)["@", "TXT"] == (900, frozenset({b"new", b"site=12"}))

    @pytest.mark.parametrize(("strict", "status"), [(True, 400), (False, 200)])
    def test_a_value_that_is_not_there(self, ask: Client, strict: bool, status: int) -> None:
        """To take it out is an error, or nothing."""
        ask.gandi.switches.patch_strict = strict
        before = ask.gandi.values(ZONE)
        assert ask("PATCH", "records/@/TXT", {"remove_rrset_values": ['"?"']}).status_code == status
        assert ask.gandi.values(ZONE) == before

    @pytest.mark.parametrize(("creates", "status"), [(True, 200), (False, 404)])
    def test_no_such_record_set(self, ask: Client, creates: bool, status: int) -> None:
        """It is made, or missed."""
        ask.gandi.switches.patch_creates = creates
        assert ask("PATCH", NOOP, {"add_rrset_values": ['"x"'], "rrset_ttl": 300}).status_code == status
        assert (("_acme-challenge.noop", "TXT") in ask.gandi.values(ZONE)) is creates


class TestWholesale:
    """The requests that a client of others' zones must not make: they are here so that one that does is seen."""

    def test_put_on_a_name(self, ask: Client) -> None:
        """Every other type there is gone."""
        ask("PUT", "records/@", {"items": [{"rrset_type": "TXT", "rrset_values": ["x"], "rrset_ttl": 300}]})
        assert {key for key in ask.gandi.values(ZONE) if key[0] == "@"} == {("@", "TXT")}

    def test_put_and_delete_on_the_zone(self, ask: Client) -> None:
        """Everything else, or all, is gone."""
        ask("PUT", "records", {"items": [{"rrset_name": "a", "rrset_type": "A", "rrset_values": ["192.0.2.1"]}]})
        assert ask.gandi.values(ZONE) == {("a", "A"): (10800, frozenset({b"192.0.2.1"}))}
        assert (ask("DELETE", "records").status_code, ask.gandi.values(ZONE)) == (204, {})

    @pytest.mark.parametrize("status", [404, 204])
    def test_delete_of_nothing(self, ask: Client, status: int) -> None:
        """Either answer."""
        ask.gandi.switches.delete_missing = status
        assert ask("DELETE", NOOP).status_code == status
        assert ask("DELETE", "records/_dmarc").status_code == 204


def test_served(tmp_path: Path) -> None:
    """Each zone is a master file, after every change."""
    with Gandi({ZONE: ROWS}, served=tmp_path) as gandi:
        Client(gandi)("PUT", NOOP, {"rrset_values": ["x"], "rrset_ttl": 300})
        assert '_acme-challenge.noop 300 IN TXT "x"\n' in (tmp_path / f"{ZONE}.zone").read_text()


class TestFaults:
    """Each strikes the requests that it names, and no others; afterwards everything is as it should be."""

    BODY = {"rrset_values": ["x"], "rrset_ttl": 300}  # noqa: RUF012

    @pytest.mark.parametrize("commits", [False, True])
    @pytest.mark.parametrize(
        "answer", [Answer(500, ERRED), Answer(502, HTML), Answer(429, headers={"Retry-After": "9"})]
    )
    def test_other_answers(self, ask: Client, answer: Answer, commits: bool) -> None:
        """With or without the request being done."""
        ask.gandi.faults = [Fault("POST", "noop", answer=answer, commits=commits, skip=1)]
        assert ask("POST", "records/other/TXT", self.BODY).status_code == 201
        assert ask("POST", "records/a.noop/TXT", self.BODY).status_code == 201
        struck = ask("POST", NOOP, self.BODY)
        assert struck.status_code == answer.status and struck.headers.get("Retry-After") == answer.headers.get(
            "Retry-After"
        )
        assert ("html" in struck.headers.get("Content-Type", "")) == (answer.body == HTML)
        assert (("_acme-challenge.noop", "TXT") in ask.gandi.values(ZONE)) is commits
        assert ask("POST", NOOP, self.BODY).status_code == (200 if commits else 201)

    @pytest.mark.parametrize("commits", [False, True])
    @pytest.mark.parametrize(
        "fault", [Fault("POST", drop=True), Fault("POST", hang=True), Fault("POST", torn=True, commits=True)]
    )
    def test_no_whole_answer(self, ask: Client, fault: Fault, commits: bool) -> None:
        """The connection ends before or after the request is done, or in the middle of the answer, or nothing comes."""
        fault = dataclasses.replace(fault, commits=commits or fault.torn, release=type(fault.release)())
        ask.gandi.faults = [fault]
        with pytest.raises((requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)):
            ask("POST", NOOP, self.BODY, timeout=0.3)
        assert (("_acme-challenge.noop", "TXT") in ask.gandi.values(ZONE)) is fault.commits
        fault.release.set()
        assert ask("GET", "records").status_code == 200

    def test_cut_short(self, ask: Client) -> None:
        """Half a JSON, as if it were all."""
        ask.gandi.faults = [Fault(cut=True)]
        answer = ask("GET", "records")
        assert answer.status_code == 200
        with pytest.raises(json.JSONDecodeError):
            json.loads(answer.text)

    def test_a_stranger(self, ask: Client) -> None:
        """Somebody writes just before the request is done."""
        ask.gandi.faults = [
            Fault("POST", stranger=lambda: ask.gandi.put(ZONE, "_acme-challenge.noop", "TXT", 300, ['"y"']))
        ]
        assert ask("POST", NOOP, self.BODY).status_code == 409
