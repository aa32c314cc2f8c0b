"""The stand-in for Cloudflare: as strict as the real API is known to be, and understood by Cloudflare's own client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from cloudflare.types.dns.record_response import TXTRecord

import cloudflare as theirs
from tests.cloudflare import Cloudflare

ZONE = "example.org"
ROWS = [("@", "A", 1, ["192.0.2.1"]), ("@", "TXT", 300, ['"one"', "two"]), ("www", "CNAME", 300, ["example.org."])]
GOOD = {"name": f"new.{ZONE}", "type": "TXT", "content": '"x"', "ttl": 60}


@pytest.fixture
def stand_in() -> Iterator[Cloudflare]:
    """The server with a small zone."""
    with Cloudflare({ZONE: ROWS}, gapless=False) as running:
        yield running


def ask(stand_in: Cloudflare, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    """A request about the zone's records, and its answer."""
    where = f"{stand_in.endpoint}/zones/{stand_in.zones[ZONE].id}/dns_records{path}"
    sent = {
        "Authorization": f"Bearer {stand_in.token}",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    answer = requests.request(method, where, json=body, headers=sent, timeout=5)
    return answer.status_code, answer.json()


def codes(answer: Any) -> list[int]:
    """The codes of an error, with those behind it."""
    found = []
    for error in answer["errors"]:
        found += [error["code"], *(behind["code"] for behind in error.get("error_chain", ()))]
    return found


REFUSED = {
    "type SPF": ({"type": "SPF"}, [1004, 9004]),
    "no type": ({"type": "X"}, [1004, 9004]),
    "a TTL too short": ({"ttl": 59}, [1004, 9021]),
    "a TTL too long": ({"ttl": 86401}, [1004, 9021]),
    "a TTL in words": ({"ttl": "300"}, [1004, 9021]),
    "a name elsewhere": ({"name": "example.net"}, [1004, 9000]),
    "a relative name": ({"name": "new"}, [1004, 9000]),
    "a final dot": ({"name": f"new.{ZONE}."}, [1004, 9000]),
    "nothing": ({"content": ""}, [1004, 9101]),
    "half a quote": ({"content": '"x'}, [1004, 9207]),
    "a quote inside": ({"content": '"x"y"'}, [1004, 9207]),
    "octets in quotes": ({"content": '"ü"'}, [1004, 9207]),
    "a long string": ({"content": f'"{"x" * 256}"'}, [1004, 9207]),
    "a long text": ({"content": " ".join([f'"{"x" * 255}"'] * 16 + ['"x"'])}, [1004, 9207]),
    "a long bare text": ({"content": "x" * 4081}, [1004, 9207]),
    "an id": ({"id": "x"}, [1004, 9000]),
    "an unknown field": ({"created_on": "now"}, [1004, 9000]),
    "no address": ({"type": "A", "content": "x"}, [1004, 9005]),
    "an identical record": ({"name": ZONE, "content": '"one"'}, [81058]),
    "beside a CNAME": ({"name": f"www.{ZONE}"}, [81054]),
    "a CNAME beside others": ({"name": ZONE, "type": "CNAME", "content": "example.net"}, [81053]),
}


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_what_is_refused(stand_in: Cloudflare, case: str) -> None:
    """A record is refused by itself and within a batch, of which then nothing is done."""
    fields, expected = REFUSED[case]
    before = stand_in.values(ZONE)
    bad = {**GOOD, **fields}
    for path, body in (("", bad), ("/batch", {"posts": [GOOD, bad]})):
        status, answer = ask(stand_in, "POST", path, body)
        assert status == 400 and codes(answer) == expected and answer["success"] is False and answer["result"] is None
    assert stand_in.values(ZONE) == before
    assert ask(stand_in, "POST", "", GOOD)[0] == 200


def test_a_batch(stand_in: Cloudflare) -> None:
    """Deletes come first and posts last, so that a record may take another's place; a patch leaves what it does not name."""
    [one, two] = stand_in.records(ZONE, "@", "TXT")
    stand_in.change(ZONE, two, comment="kept", tags=("a:b",), ttl=1)
    again = {"name": ZONE, "type": "TXT", "content": '"one"', "ttl": 300}
    body = {"posts": [again], "patches": [{"id": two.id, "content": '"three"'}], "deletes": [{"id": one.id}]}
    status, answer = ask(stand_in, "POST", "/batch", body)
    assert status == 200 and [len(answer["result"][part]) for part in ("deletes", "patches", "puts", "posts")] == [
        1,
        1,
        0,
        1,
    ]
    assert (
        answer["result"]["patches"][0] | {"comment": "kept", "tags": ["a:b"], "ttl": 1}
        == answer["result"]["patches"][0]
    )
    for wrong in ({}, {"posts": []}, {"deletes": [{"id": one.id}]}, {"others": [again]}, {"patches": [{"content": '"x"'}]},
                  {"patches": [{"id": two.id, "type": "A"}]}, {"puts": [{"id": two.id, "ttl": 60}]}, {"posts": [{"name": ZONE}]}, []):  # fmt: skip
        assert ask(stand_in, "POST", "/batch", wrong)[0] == 400
    stand_in.batch = 1
    assert ask(stand_in, "POST", "/batch", {"posts": [GOOD, {**GOOD, "content": '"y"'}]})[0] == 400
    assert ask(stand_in, "DELETE", "/0123")[0] == 404


def test_all_content_at_one_name(stand_in: Cloudflare) -> None:
    """8192 characters at a name and type, with quotes and blanks."""
    long = " ".join(f'"{"x" * 255}"' for _ in range(15))
    for number, status in enumerate([200, 200, 400]):
        assert ask(stand_in, "POST", "", {**GOOD, "content": f'{long} "{number}"'})[0] == status


def test_who_is_let_in(stand_in: Cloudflare) -> None:
    """A token, or an address with the global key; everything else is told by its code."""
    for headers, status, code in (
        ({"Authorization": ""}, 400, 9106),
        ({"Authorization": "Bearer x"}, 400, 6003),
        ({"Authorization": "Bearer 0123456789abcdef"}, 403, 9109),
        ({"Authorization": f"Bearer {stand_in.stranger}"}, 404, 7003),
        ({"Authorization": "", "X_Auth_Email": stand_in.email, "X_Auth_Key": "x"}, 403, 9103),
    ):
        got, answer = ask(stand_in, "GET", "", **headers)
        assert got == status and codes(answer)[0] == code
    assert ask(stand_in, "GET", "", Authorization="", X_Auth_Email=stand_in.email, X_Auth_Key=stand_in.key)[0] == 200


def test_their_own_client(stand_in: Cloudflare) -> None:
    """Cloudflare's client finds the zone, reads all pages as typed records, and writes a batch, a record, another content."""
    stand_in.most = 2
    with theirs.Cloudflare(
        api_token=stand_in.token,
        base_url=stand_in.endpoint,
        timeout=10,
        max_retries=2,
        _strict_response_validation=True,
    ) as client:
        [zone] = client.zones.list(name=ZONE)
        assert zone.name == ZONE and zone.account.id == "a" * 32
        records = list(client.dns.records.list(zone_id=zone.id))
        assert sorted((record.type, record.content) for record in records) == [
            ("A", "192.0.2.1"), ("CNAME", "example.org"), ("TXT", '"one"'), ("TXT", "two"),
        ]  # fmt: skip
        [text] = [record for record in records if record.content == "two"]
        assert isinstance(text, TXTRecord) and text.ttl == 300 and text.comment is None and text.tags == []
        done = client.dns.records.batch(zone_id=zone.id, patches=[{"id": text.id, "content": '"2"'}], posts=[GOOD])  # type: ignore[list-item]
        assert done.patches and done.posts and isinstance(done.posts[0], TXTRecord) and done.posts[0].ttl == 60
        new = done.posts[0].id
        assert client.dns.records.edit(new, zone_id=zone.id, **{**GOOD, "content": '"y"'}).content == '"y"'
        assert client.dns.records.update(new, zone_id=zone.id, **{**GOOD, "ttl": 1}).ttl == 1
        assert client.dns.records.get(new, zone_id=zone.id).content == '"x"'
        assert client.dns.records.create(zone_id=zone.id, **{**GOOD, "content": '"z"'}).id != new
        assert client.dns.records.delete(new, zone_id=zone.id).id == new
        with pytest.raises(theirs.BadRequestError, match="81058"):
            client.dns.records.create(zone_id=zone.id, **{**GOOD, "content": '"z"'})
    assert stand_in.values(ZONE)["new", "TXT"] == (60, frozenset({b"z"}))
