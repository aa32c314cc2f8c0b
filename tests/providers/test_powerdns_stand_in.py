"""The stand-in for PowerDNS' API answers what a real server does, whichever version that is: the same requests, the same zone after each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests

from tests.powerdns import PowerDns
from tests.powerdns_api import PowerDnsApi

pytestmark = pytest.mark.powerdns

ZONE = "example.org"


def part(name: str, kind: str, how: str, *values: str, off: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    """A part of a PATCH."""
    records = [{"content": value, "disabled": value in off} for value in values]
    return {"name": f"{name}{ZONE}.", "type": kind, "ttl": 300, "changetype": how, "records": records, **more}


QUESTIONS = [
    [part("a.", "TXT", "REPLACE", '"one"', '"two"', comments=[{"content": "of somebody", "account": "x", "modified_at": 1}])],
    [part("a.", "TXT", "REPLACE", '"one"', '"off"', '"two"', off=('"off"',))],
    [part("a.", "TXT", "REPLACE", '"one"', '"one"')],
    [part("a.", "TXT", "REPLACE", "bare")],
    [part("a.", "TXT", "REPLACE", '"not closed')],
    [part("a.", "TXT", "REPLACE", '"x"') | {"name": f"a.{ZONE}"}],
    [part("a\\.b.", "TXT", "REPLACE", '"x"')],
    [part("UP.", "TXT", "REPLACE", '"x"')],
    [part("*.w.", "TXT", "REPLACE", '"x"')],
    [part("a.", "CNAME", "REPLACE", "w.example.net.")],
    [part("new.", "TXT", "REPLACE", '"x"'), part("a.", "CNAME", "REPLACE", "w.example.net.")],
    [part("off.", "TXT", "REPLACE", '"off"', off=('"off"',))],
    [part("off.", "CNAME", "REPLACE", "w.example.net.")],
    [part("off.", "A", "REPLACE", "192.0.2.1")],
    [part("off.", "CNAME", "DELETE"), part("off.", "A", "REPLACE", "192.0.2.1")],
    [part("a.", "TXT", "SOMETHING", '"x"')],
    [part("a.", "TXT", "EXTEND", '"three"')],
    [part("a.", "TXT", "EXTEND", '"three"', '"four"')],
    [part("a.", "TXT", "PRUNE", '"one"')],
    [part("a.", "TXT", "PRUNE", '"not there"')],
    [part("a.", "TXT", "PRUNE", '"tw" "o"')],
    [part("b.", "TXT", "EXTEND", '"x"'), part("b.", "TXT", "PRUNE", '"x"')],
    [part("c.", "TXT", "EXTEND", '"x"'), part("a.", "TXT", "REPLACE", "bare")],
    [part("up.", "TXT", "DELETE"), part("gone.", "TXT", "DELETE")],
    [part("a.", "TXT", "REPLACE", '"off"', off=('"off"',))],
    [part("a.", "TXT", "REPLACE")],
    [part("t.", "TXT", "REPLACE", '"x"', ttl=None)],
]  # fmt: skip


def asked(base: str, key: str, method: str = "GET", body: Any = None, zone: str = ZONE) -> requests.Response:
    """A request about a zone."""
    where = f"{base}/zones/{zone}."
    return requests.request(method, where, json=body, headers={"X-API-Key": key}, timeout=10)


def shown(reply: requests.Response) -> dict[tuple[str, str], Any]:
    """A zone, but for what a server sets by itself."""
    return {
        (entry["name"], entry["type"]): (
            entry["ttl"], sorted((r["content"], r["disabled"]) for r in entry["records"]), [c["content"] for c in entry["comments"]]
        )
        for entry in reply.json()["rrsets"] if entry["type"] != "SOA"
    }  # fmt: skip


def test_it_answers_as_a_real_server_does(tmp_path: Path) -> None:
    """Statuses, the first words of a refusal, and the zone after each request."""
    rows = [("@", "NS", 3600, [f"ns1.{ZONE}."]), ("ns1", "A", 3600, ["127.0.0.1"])]
    with PowerDns(tmp_path / "pdns", {ZONE: ""}) as real:
        single = asked(real.api, real.api_key, "PATCH", {"rrsets": [part("probe.", "TXT", "EXTEND", '"x"')]}).ok
        asked(real.api, real.api_key, "PATCH", {"rrsets": [part("probe.", "TXT", "DELETE")]})
        with PowerDnsApi({ZONE: rows}, single=single, gapless=False) as ours:
            base = f"{ours.endpoint}/servers/localhost"
            for question in QUESTIONS:
                got, told = (
                    asked(*where, "PATCH", {"rrsets": question})
                    for where in ((base, ours.secret), (real.api, real.api_key))
                )
                assert got.status_code == told.status_code, (question, got.text, told.text)
                if not told.ok:
                    assert got.json()["error"][:12] == told.json()["error"][:12], question
                assert shown(asked(base, ours.secret)) == shown(asked(real.api, real.api_key)), question
            for key, zone in (("another key", ZONE), ("", "example.net")):
                got, told = (
                    asked(*where, zone=zone) for where in ((base, key or ours.secret), (real.api, key or real.api_key))
                )
                assert (got.status_code, got.text, got.headers["Content-Type"].lower()) == (
                    told.status_code, told.text, told.headers["Content-Type"].lower()
                )  # fmt: skip
