"""The stand-in for OVHcloud: as strict as the real API is known to be, and understood by OVHcloud's own client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from ovh.client import ENDPOINTS

import ovh as theirs
from tests.ovh import Ovh

ZONE = "example.org"
ROWS = [("@", "A", 0, ["192.0.2.1"]), ("@", "TXT", 300, ['"one"', "two"]), ("www", "CNAME", 300, ["example.org."])]
GOOD = {"fieldType": "TXT", "subDomain": "new", "target": '"x"', "ttl": 60}


@pytest.fixture
def stand_in() -> Iterator[Ovh]:
    """The server with a small zone."""
    with Ovh({ZONE: ROWS}, gapless=False) as running:
        yield running


@pytest.fixture
def client(stand_in: Ovh, monkeypatch: pytest.MonkeyPatch) -> theirs.Client:
    """Their client, whose table of endpoints knows the stand-in, too."""
    monkeypatch.setitem(ENDPOINTS, "stand-in", stand_in.endpoint)
    return theirs.Client(endpoint="stand-in", timeout=5, **stand_in.keys)


REFUSED: dict[str, dict[str, Any]] = {
    "type 99 by number": {"fieldType": "TYPE99"},
    "no type": {"fieldType": None},
    "a TTL too short": {"ttl": 59},
    "a TTL in words": {"ttl": "300"},
    "a final dot": {"subDomain": "new."},
    "an apex in writing": {"subDomain": "@"},
    "nothing": {"target": ""},
    "half a quote": {"target": '"x'},
    "octets in quotes": {"target": '"ü"'},
    "quotes in type DKIM": {"fieldType": "DKIM", "target": '"v=DKIM1; p=x"'},
    "quotes in type DMARC": {"fieldType": "DMARC", "target": '"v=DMARC1; p=none"', "subDomain": "_dmarc"},
    "type DMARC elsewhere": {"fieldType": "DMARC", "target": "v=DMARC1; p=none"},
    "an unknown field": {"comment": "x"},
    "beside a CNAME": {"subDomain": "www"},
    "a CNAME beside others": {"subDomain": "", "fieldType": "CNAME", "target": "x."},
    "an identical record": {"subDomain": "", "target": '"one"'},
}


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_what_is_refused(stand_in: Ovh, client: theirs.Client, case: str) -> None:
    """A record that is not right is refused, and nothing of it stands there."""
    before = stand_in.values(ZONE)
    with pytest.raises((theirs.BadParametersError, theirs.ResourceConflictError)):
        client.post(f"/domain/zone/{ZONE}/record", **{**GOOD, **REFUSED[case]})
    assert stand_in.values(ZONE) == before


def test_a_record_and_what_is_served(stand_in: Ovh, client: theirs.Client) -> None:
    """Their client lists, reads, makes, changes and takes away; all is served after a refresh alone, and the type cannot be changed."""
    record = f"/domain/zone/{ZONE}/record"
    assert client.get("/domain/zone") == [ZONE]
    [cname] = client.get(record, fieldType="CNAME", subDomain="www")
    assert client.get(f"{record}/{cname}") == {
        "id": cname, "zone": ZONE, "fieldType": "CNAME", "subDomain": "www", "ttl": 300, "target": "example.org.",
    }  # fmt: skip
    made = client.post(record, **GOOD)
    assert made == {**GOOD, "id": made["id"], "zone": ZONE} and len(client.get(record)) == 5
    assert ("new", "TXT") not in stand_in.served(ZONE) and client.get(f"/domain/zone/{ZONE}/status")[
        "isDeployed"
    ] is False
    assert client.post(f"/domain/zone/{ZONE}/refresh") is None
    assert stand_in.served(ZONE)["new", "TXT"] == (60, frozenset({b"x"}))
    assert client.get(f"/domain/zone/{ZONE}/status") == {"isDeployed": True, "errors": None, "warnings": None}
    with pytest.raises(theirs.BadParametersError, match="read-only properties: fieldType"):
        client.put(f"{record}/{made['id']}", **GOOD)
    assert client.put(f"{record}/{made['id']}", subDomain="new", target="bare", ttl=0) is None
    assert client.get(f"{record}/{made['id']}") == {**made, "target": "bare", "ttl": 0}
    assert client.delete(f"{record}/{made['id']}") is None
    with pytest.raises(theirs.ResourceNotFoundError, match="does not exist"):
        client.get(f"{record}/{made['id']}")
    with pytest.raises(theirs.ResourceNotFoundError, match="This service does not exist"):
        client.get("/domain/zone/example.net/record")


def test_types_of_its_own(stand_in: Ovh, client: theirs.Client) -> None:
    """SPF, DKIM and DMARC are served as TXT, and are listed by their own names."""
    for kind, name, target in (
        ("SPF", "", '"v=spf1 -all"'),
        ("DKIM", "s._domainkey", "v=DKIM1;p=x"),
        ("DMARC", "_dmarc", "v=DMARC1;p=none"),
    ):
        client.post(f"/domain/zone/{ZONE}/record", fieldType=kind, subDomain=name, target=target)
        assert len(client.get(f"/domain/zone/{ZONE}/record", fieldType=kind)) == 1
    assert b"v=spf1 -all" in stand_in.values(ZONE)["@", "TXT"][1] and ("s._domainkey", "TXT") in stand_in.values(ZONE)


def test_who_is_let_in(stand_in: Ovh, client: theirs.Client) -> None:
    """A request that is not signed, or not by these keys, or long ago, is refused, each with its code."""
    assert requests.get(f"{stand_in.endpoint}/domain/zone", timeout=5).json()["errorCode"] == "NOT_CREDENTIAL"
    for option, error in (
        ("application_key", theirs.InvalidKey),
        ("application_secret", theirs.BadParametersError),
        ("consumer_key", theirs.InvalidCredential),
    ):
        with pytest.raises(error):
            theirs.Client(endpoint="stand-in", **{**stand_in.keys, option: "x" * 20}).get("/domain/zone")
    stand_in.denied = {"GET record"}
    with pytest.raises(theirs.NotGrantedCall):
        client.get(f"/domain/zone/{ZONE}/record")
    stand_in.ahead += 100
    with pytest.raises(theirs.APIError, match="out of time"):
        client.get("/domain/zone")
