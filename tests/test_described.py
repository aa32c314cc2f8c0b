"""The stand-ins are held to what the vendors describe, and the table of PowerDNS' description to what a real server answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests

from tests.cloudflare import Cloudflare
from tests.described import Described, cloudflare, hetzner, ovh, powerdns
from tests.hetzner import Hetzner
from tests.http_faults import Answer, Fault
from tests.powerdns import PowerDns
from tests.powerdns_api import PowerDnsApi
from tests.providers.test_powerdns_stand_in import QUESTIONS, ZONE, asked, part
from tests.stand_in import StandIn

ROWS = [("@", "TXT", 300, ['"x"']), ("mail", "MX", 300, ["10 mx.example.net."])]


def pdns(server: PowerDnsApi, method: str = "GET", body: Any = None) -> requests.Response:
    """A request about the zone."""
    return asked(f"{server.endpoint}/servers/localhost", server.secret, method, body)


def records(server: Cloudflare) -> requests.Response:
    """The zone's records."""
    where = f"{server.endpoint}/zones/{server.zones[ZONE].id}/dns_records"
    return requests.get(where, headers={"Authorization": f"Bearer {server.token}"}, timeout=10)


def broken(server: StandIn, **fields: Any) -> None:
    """From now on, what the server answers has other fields, in each record and around them; `...`: that one not at all."""
    right = server.reply

    def reply(request: Any) -> Answer:
        answer = right(request)
        for thing in (answer.body, *answer.body.get("result", ()), *answer.body.get("rrsets", ())):
            for name, value in fields.items():
                if name not in thing:
                    continue
                if value is ...:
                    del thing[name]
                else:
                    thing[name] = value
        return answer

    server.reply = reply  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("fields", "told"),
    [({"ttl": "300"}, r"\$\.rrsets\[0\]\.ttl: '300' is not of type 'integer'"), ({"kind": "Secondary"}, r"\$\.kind: "),
     ({"records": None}, r"\$\.rrsets\[0\]\.records"), ({"name": ...}, r"'name' is a required property"), ({"rrsets": ...}, "'rrsets'")],
)  # fmt: skip
def test_an_answer_of_powerdns_stand_in_that_is_not_as_described(fields: dict[str, Any], told: str) -> None:
    """A field of another type, or one that is missing, fails the test that the stand-in is used in, and says which field it is."""
    with (
        pytest.raises(AssertionError, match=rf"^not as PowerDNS/pdns, docs/.* describes it: .*{told}"),
        PowerDnsApi({ZONE: ROWS}) as server,
    ):
        broken(server, **fields)
        pdns(server)


@pytest.mark.parametrize(
    ("fields", "told"),
    [({"ttl": 29}, r"\$\.result\[0\]\.ttl"), ({"content": 5}, r"\.content: 5 is not of type 'string'"), ({"type": "TEXT"}, r"\.type"),
     ({"id": ...}, "'id' is a required"), ({"created_on": "today"}, "created_on"), ({"success": False}, r"\$\.success"),
     ({"errors": None}, r"\$\.errors"), ({"priority": "10"}, "priority")],
)  # fmt: skip
def test_an_answer_of_cloudflares_stand_in_that_is_not_as_described(fields: dict[str, Any], told: str) -> None:
    """A field of another type, a value that is none of those allowed, or one that is missing, fails the test."""
    with (
        pytest.raises(AssertionError, match=rf"^not as cloudflare/api-schemas, .* describes it: .*{told}"),
        Cloudflare({ZONE: ROWS}) as server,
    ):
        broken(server, **fields)
        records(server)


@pytest.mark.parametrize(
    ("fields", "told"),
    [({"ttl": 59}, r"\$\.rrsets\[0\]\.ttl: 59 is not valid"), ({"type": "SPF"}, r"\.type: 'SPF' is not one of"), ({"zone": "42"}, r"\.zone"),
     ({"protection": ...}, "'protection' is a required"), ({"records": ["x"]}, r"records\[0\]"), ({"meta": {}}, "'pagination' is a required")],
)  # fmt: skip
def test_an_answer_of_hetzners_stand_in_that_is_not_as_described(fields: dict[str, Any], told: str) -> None:
    """So it is with Hetzner's."""
    with (
        pytest.raises(AssertionError, match=rf"^not as docs\.hetzner\.cloud/.* describes it: .*{told}"),
        Hetzner({ZONE: ROWS}) as server,
    ):
        broken(server, **fields)
        where = f"{server.endpoint}/zones/{ZONE}/rrsets"
        requests.get(where, headers={"Authorization": f"Bearer {server.token}"}, timeout=10)


def test_hetzner_takes_50_records_in_one_action() -> None:
    """As many as are described, and no more."""
    with Hetzner({ZONE: ROWS}) as server:
        where = f"{server.endpoint}/zones/{ZONE}/rrsets/@/TXT/actions/set_records"
        for count, status in ((50, 201), (51, 422)):
            body = {"records": [{"value": f'"{number}"'} for number in range(count)]}
            reply = requests.post(where, json=body, headers={"Authorization": f"Bearer {server.token}"}, timeout=10)
            assert reply.status_code == status


@pytest.mark.parametrize(
    ("method", "path", "status", "answer", "told"),
    [("GET", "record/5", 200, {"id": 5, "zone": "x", "fieldType": "TXT", "target": "y", "ttl": 0}, ""),
     ("GET", "record/5", 200, {"id": 5, "zone": "x", "fieldType": "TXT", "target": "y", "ttl": "0"}, "$.ttl: '0' is not valid"),
     ("GET", "record/5", 200, {"id": 5, "zone": "x", "fieldType": "SOA", "target": "y"}, "$.fieldType: 'SOA' is not one of"),
     ("GET", "record", 200, ["5"], "$[0]: '5' is not of type 'integer'"), ("GET", "status", 200, {"errors": []}, "'isDeployed' is a required"),
     ("POST", "refresh", 200, None, ""), ("POST", "refresh", 200, True, "200 has a body"),
     ("PUT", "record/5", 200, None, "the request, $: Additional properties")],
)  # fmt: skip
def test_ovhs_table(method: str, path: str, status: int, answer: Any, told: str) -> None:
    """So it is with OVHcloud's, whose "void" is null, and whose records never change their type."""
    body = {"fieldType": "TXT"} if method == "PUT" else None
    found = ovh.DESCRIBED.amiss(method, f"/domain/zone/x/{path}", body, status, answer)
    assert [told in each for each in found] == ([True] if told else []), found


@pytest.mark.parametrize(
    ("item", "taken"),
    [(part("a.", "TXT", "REPLACE", '"x"'), True), (part("a.", "TXT", "REPLACE", '"x"', colour="blue"), False),
     (part("a.", "TXT", "DELETE", '"x"'), False), (part("a.", "TXT", "DELETE"), True)],
)  # fmt: skip
def test_a_request_that_is_not_as_described(item: dict[str, Any], taken: bool) -> None:
    """A request that the stand-in took is held to the description; one that it refused is not."""
    server = PowerDnsApi({ZONE: ROWS})
    try:
        with server:
            assert pdns(server, "PATCH", {"rrsets": [item]}).status_code == 204
            assert pdns(server, "PATCH", {"rrsets": [item | {"changetype": "X", "colour": "blue"}]}).status_code == 422
    except AssertionError as error:
        assert not taken and "PATCH /servers/localhost/zones/example.org.: the request, $.rrsets[0]" in str(error)
    else:
        assert taken
    assert len(server.amiss) == (not taken)


def test_an_answer_that_a_test_puts_in_its_place() -> None:
    """What is broken on purpose is not judged, and the right answer behind it is."""
    with PowerDnsApi({ZONE: ROWS}) as server:
        server.faults = [Fault(answer=Answer(200, {"kind": 5}))]
        assert pdns(server).json() == {"kind": 5}
    assert server.amiss == []


def test_what_is_not_described() -> None:
    """Another path that is done, another status, a text, and a body where there is none, are each told; another path that is refused is not."""
    for method, path, status, answer, told in (
        ("GET", "/servers", 200, [], "GET /servers is done, and not described"),
        ("GET", "/servers", 404, "Not Found", ""),
        ("GET", "/servers/x/zones/y", 302, None, "a 302 is not described"),
        ("GET", "/servers/x/zones/y", 404, "Not found", "404 with the text 'Not found'"),
        ("GET", "/servers/x/zones/y", 404, "Not Found", ""),
        ("GET", "/servers/x/zones/y", 500, {"error": "x"}, ""),
        ("GET", "/servers/x/zones/y", 500, {"error": 5}, "$.error: 5 is not of type 'string'"),
        ("PATCH", "/servers/x/zones/y", 204, {}, "204 has a body, and none is described"),
    ):
        found = powerdns.DESCRIBED.amiss(method, path, {"rrsets": []}, status, answer)
        assert [told in each for each in found] == ([True] if told else []), (found, told)


@pytest.mark.parametrize(
    "described", [each.DESCRIBED for each in (powerdns, cloudflare, hetzner, ovh)], ids=lambda each: each.source[:10]
)
def test_tables_are_schemas(described: Described) -> None:
    """Every schema of a table is one by JSON Schema's own rules, so that no word of it is passed over."""
    from jsonschema import Draft202012Validator

    for operation in described.operations:
        for schema in (operation.body, *operation.answers.values()):
            Draft202012Validator.check_schema(schema or {})


@pytest.mark.powerdns
def test_a_real_powerdns_judges_the_table(tmp_path: Path) -> None:
    """What a real server answers, a zone, a write, a refusal of each kind, is as the table has it, and so is what it takes."""
    with PowerDns(tmp_path / "pdns", {ZONE: ""}) as real:
        seen = set()
        for question in [None, *QUESTIONS]:
            for key, zone in ((real.api_key, ZONE), ("another", ZONE), (real.api_key, "example.net")):
                for method in ("GET", "PATCH"):
                    body = {"rrsets": question} if question and method == "PATCH" else None
                    reply = asked(real.api, key, method, body, zone)
                    as_json = reply.headers.get("Content-Type", "").startswith("application/json")
                    answer = reply.json() if as_json else reply.text or None
                    path = f"/servers/localhost/zones/{zone}."
                    assert powerdns.DESCRIBED.amiss(method, path, body, reply.status_code, answer) == [], question
                    seen.add((method, reply.status_code))
        assert {("GET", 200), ("PATCH", 204), ("PATCH", 422), ("GET", 401), ("GET", 404)} <= seen
