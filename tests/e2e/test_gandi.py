"""The straight line at Gandi: real exim, the stand-in for the API, and a name server that serves what the stand-in holds."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnssync.demo.nameserver import NameServer
from dnssync.state import State
from tests.exim_host import EximHost
from tests.gandi import Gandi
from tests.gandi_faults import NOT_FOUND, UNAUTHORIZED
from tests.http_faults import Answer, Fault
from tests.site_under_test import DOMAIN, IP, Site, own_state

pytestmark = [pytest.mark.exim]
ROWS = [
    ("@", "MX", 3600, ["10 mx"]),
    ("@", "A", 3600, [IP]),
    ("@", "TXT", 1800, ['"v=spf1 a:mx.esferas.example ~all"', '"site-verification=abc" "def"']),
    ("mx", "A", 3600, [IP]),
    ("www", "CNAME", 3600, ["@"]),
]


class AtGandi(Site):
    """The same mail host, its zone at Gandi."""

    def __init__(self, folder: Path, exim: EximHost, gandi: Gandi, server: str) -> None:
        self.folder, self.exim, self.gandi, self.now = folder, exim, gandi, 1_795_507_200.0
        (folder / "token").write_text(gandi.token + "\n")
        text = {
            "providers": {"gandi": {"class": "gandi", "token": f"file/{folder}/token", "endpoint": gandi.endpoint}},
            "zones": {DOMAIN: {"provider": "gandi", "nameservers": [server]}},
            "exim": {"command": list(exim.command), "map": str(exim.map)},
            "addresses": [IP],
            "keys": str(exim.keys),
            "state": f"sqlite:///{folder}/state/state.db",
        }
        self.config = folder / "dnssync.yaml"
        own_state(folder)
        self.config.write_text(json.dumps(text))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[AtGandi]:
    """Everything running, exim told of dnssync's macros."""
    served = tmp_path / "served"
    served.mkdir()
    with EximHost(hostnames=(DOMAIN,)) as exim, Gandi({DOMAIN: ROWS}, served=served) as gandi:
        exim.switched()
        with NameServer({DOMAIN: served / f"{DOMAIN}.zone"}) as server:
            yield AtGandi(tmp_path, exim, gandi, server.where)


def test_the_straight_line(site: AtGandi) -> None:
    """A record of somebody else is taken over on a person's word alone, after a snapshot; the keys sign, the plan is empty, and
    nobody else's value has moved. After that a plan costs one request, and a change one more."""
    code, out = site.run("plan")
    assert code == 3 and "--adopt" in out, out
    assert {call.split()[0] for call in site.gandi.calls()} == {"GET"}
    before = site.gandi.values(DOMAIN)

    code, out = site.run("apply", "--yes", "--adopt")
    assert code == 0, out
    [snapshot] = (each for each in site.gandi.zones[DOMAIN].snapshots.values() if not each["automatic"])
    assert snapshot["name"].startswith("dnssync ")
    stands = site.gandi.values(DOMAIN)
    spf = f"v=spf1 a:mx.esferas.example mx a ip4:{IP} ~all".encode()
    assert stands["@", "SPF"] == (3600, frozenset({spf}))
    assert stands["@", "TXT"] == (1800, frozenset({spf, b"site-verification=abcdef"}))
    assert {key: value for key, value in stands.items() if key in before and key != ("@", "TXT")} == {
        key: value for key, value in before.items() if key != ("@", "TXT")
    }
    code, out = site.run("apply", "--yes", "--wait")
    assert code == 0, out
    named = [each for each in site.gandi.zones[DOMAIN].snapshots.values() if not each["automatic"]]
    assert DOMAIN in site.exim.map.read_text() and named == [snapshot]
    asked = len(site.gandi.requests)
    assert site.run("plan")[0] == 0
    assert site.gandi.calls()[asked:] == [f"GET /domains/{DOMAIN}/records"]
    site.config.write_text(
        json.dumps({**json.loads(site.config.read_text()), "defaults": {"dmarc": {"p": "quarantine"}}})
    )
    assert site.run("apply", "--yes")[0] == 0
    assert site.gandi.calls()[asked + 1 :] == [
        f"GET /domains/{DOMAIN}/records",
        f"PUT /domains/{DOMAIN}/records/_dmarc/TXT",
    ]
    assert site.gandi.gaps(DOMAIN) == {}


@pytest.mark.parametrize(("fault", "words"), [
    (Fault(answer=Answer(401, UNAUTHORIZED), times=99), "has not expired"),
    (Fault(path="records", answer=Answer(404, NOT_FOUND), times=99), "or the token may not see it"),
])  # fmt: skip
def test_trouble_is_told(site: AtGandi, fault: Fault, words: str) -> None:
    """A token that is over, or that does not see the zone: the zone fails with what to do, and no token is shown anywhere."""
    site.gandi.faults = [fault]
    code, out = site.run("plan")
    assert code == 1 and words in " ".join(out.split()) and site.gandi.token not in out, out
    code, out = site.run("apply", "--yes", "--adopt", "--json")
    assert code == 1 and words in out and site.gandi.token not in out, out
    assert all(request.method == "GET" for request in site.gandi.requests)


def test_a_token_that_ends_in_the_middle(site: AtGandi) -> None:
    """What was done is told, nothing of anybody else's is lost, and with a new token the rest is done."""
    site.gandi.faults = [Fault("POST|PATCH|PUT|DELETE", skip=2, times=99, answer=Answer(401, UNAUTHORIZED))]
    code, out = site.run("apply", "--yes", "--adopt")
    assert code == 1 and "changes were done" in " ".join(out.split()), out
    assert site.exim.map.read_text().strip() == ""
    site.gandi.faults = []
    code, out = site.run("apply", "--yes", "--adopt", "--wait")
    assert code == 0, out
    assert site.run("plan")[0] == 0 and site.gandi.gaps(DOMAIN) == {}


def test_somebody_edits_meanwhile(site: AtGandi) -> None:
    """A value that somebody else adds while the plan is looked at is there afterwards, and ours too."""
    theirs = ['"v=spf1 a:mx.esferas.example ~all"', '"site-verification=abc" "def"', '"another=1"']
    site.gandi.faults = [Fault("POST", "snapshots", stranger=lambda: site.gandi.put(DOMAIN, "@", "TXT", 1800, theirs))]
    code, out = site.run("apply", "--yes", "--adopt")
    assert code == 0, out
    values = site.gandi.values(DOMAIN)["@", "TXT"][1]
    assert b"another=1" in values and b"site-verification=abcdef" in values
    assert len([value for value in values if value.startswith(b"v=spf1 ")]) == 1


def test_type_spf_refused(site: AtGandi) -> None:
    """What Gandi lists and then refuses does not fail the zone: all else is written, is ours, and exim signs; it is told, each time."""
    site.gandi.switches.spf_taken = False
    code, out = site.run("apply", "--yes", "--adopt")
    words = " ".join(out.split())
    assert code == 0 and "left out: " in words and "`spf: {type99: never}`" in words, out
    state = State.open(f"sqlite:///{site.folder}/state/state.db", host=platform.node(), read_only=True)
    assert {entry.type for entry in state.ledger(DOMAIN)} == {"TXT"}, "what was not written is not ours"
    code, out = site.run("apply", "--yes", "--wait")
    assert code == 0 and DOMAIN in site.exim.map.read_text(), out
    code, out = site.run("plan", "--json")
    changes = [change for zone in json.loads(out)["zones"] for change in zone["changes"]]
    assert code == 2 and {change["type"] for change in changes} == {"SPF"}, out
    assert "failed" not in site.run("status")[1]
    config = json.loads(site.config.read_text())
    config["zones"][DOMAIN]["spf"] = {"type99": "never"}
    site.config.write_text(json.dumps(config))
    assert site.run("plan")[0] == 0


def test_type_spf_not_listed(site: AtGandi) -> None:
    """Where Gandi says that it has no such type, none is sent; a notice tells, and the plan is empty then."""
    site.gandi.switches.spf_listed = False
    code, out = site.run("apply", "--yes", "--adopt")
    assert code == 0 and "does not take records of type SPF" in " ".join(out.split()), out
    assert not any("/SPF" in call for call in site.gandi.calls())
    assert site.run("plan")[0] == 0
