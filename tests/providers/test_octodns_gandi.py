"""Gandi both ways: our provider in octodns-sync's hands, and octodns-gandi as a provider of ours; the stand-in behind each."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from octodns_gandi import GandiProvider

from dnssync.core.model import Foreign, Provider, ProviderError
from tests.gandi import Gandi
from tests.gandi_faults import ERRED, Answer, Fault
from tests.providers import conformance
from tests.providers.conformance import ZONE
from tests.providers.test_octodns import made
from tests.providers.test_octodns_ours import dumped, octodns_at

ROWS = [
    ("@", "TXT", 10800, ['"site-verification=abc"', '"v=spf1 mx -all"']),
    ("@", "MX", 10800, ["10 mail", "20 mail.elsewhere.test."]),
    ("@", "ALIAS", 10800, ["www.elsewhere.test."]),
    ("mail", "A", 300, ["192.0.2.1"]),
    ("www", "CNAME", 300, ["mail"]),
    ("hard", "TXT", 600, ['"a; \\"b\\" c\\\\d"', '"gr\\195\\188n \\255"', f'"{"z" * 255}" "{"z" * 45}"', '"mine"']),
    ("alone", "TXT", 600, ['"old"']),
]


@pytest.fixture
def gandi() -> Iterator[Gandi]:
    """The stand-in, with a zone of strangers' records."""
    with Gandi({ZONE: ROWS}) as running:
        yield running


# --- ours in octodns' hands -----------------------------------------------------------------------------------------


def test_ours_by_octodns_sync(gandi: Gandi, tmp_path: Path) -> None:
    """Dumped, nothing is left to do; then values come and go, and others in the same records are missing at no moment."""
    target = {"class": "dnssync_providers.octodns.GandiProvider", "token": gandi.token, "endpoint": gandi.endpoint}
    octodns = octodns_at(tmp_path / "octodns", target)
    before = gandi.values(ZONE)
    records: dict[str, Any] = dumped(octodns)
    octodns.records(ZONE, records)
    assert octodns.quiet() and gandi.values(ZONE) == before

    records["hard"]["values"] = [*(text for text in records["hard"]["values"] if text != "mine"), "ours"]
    records["mail"]["value"] = "192.0.2.2"
    [alias], [mx] = ([r for r in records[""] if r["type"] == kind] for kind in ("ALIAS", "MX"))
    assert alias["value"] == "www.elsewhere.test." and records["www"]["value"] == f"mail.{ZONE}."
    mx["values"][1]["preference"] = 30
    records["new"] = [
        {"type": "TXT", "ttl": 300, "value": "v=DKIM1\\; p=" + "k" * 300},
        {"type": "SPF", "ttl": 300, "value": "v=spf1 -all"},
    ]
    records["www"] = {"type": "A", "ttl": 300, "value": "192.0.2.3"}
    del records["alone"]
    octodns.records(ZONE, records)
    octodns.sync("--doit", "--force")
    after = gandi.values(ZONE)
    assert {key for key in {**before, **after} if before.get(key) != after.get(key)} == {
        ("hard", "TXT"), ("mail", "A"), ("new", "TXT"), ("new", "SPF"), ("www", "A"), ("www", "CNAME"), ("alone", "TXT"), ("@", "MX")}  # fmt: skip
    assert after["@", "MX"][1] == {b"10 mail", b"30 mail.elsewhere.test."}
    assert before["hard", "TXT"][1] ^ after["hard", "TXT"][1] == {b"mine", b"ours"}
    assert gandi.gaps(ZONE) == {}
    assert octodns.quiet()


def test_ours_and_a_zone_that_is_not_there(gandi: Gandi, tmp_path: Path) -> None:
    """octodns-sync ends with the sentence; no zone is made."""
    target = {"class": "dnssync_providers.octodns.GandiProvider", "token": gandi.token, "endpoint": gandi.endpoint}
    octodns = octodns_at(tmp_path / "octodns", target)
    octodns.config["zones"] = {"unknown.test.": {"sources": ["files"], "targets": ["ours"]}}
    octodns.records("unknown.test", {"a": {"type": "A", "value": "192.0.2.1"}})
    code, out = octodns.run("octodns-sync", "--doit")
    assert code == 1 and "unknown.test: reading the zone: Gandi (provider ours) has no such zone" in out
    assert not [call for call in gandi.calls() if not call.startswith("GET")] and gandi.token not in out


def test_no_type_spf(gandi: Gandi, tmp_path: Path) -> None:
    """Where the API takes no type SPF, octodns is told that there is none."""
    gandi.switches.spf_listed = gandi.switches.spf_taken = False
    target = {"class": "dnssync_providers.octodns.GandiProvider", "token": gandi.token, "endpoint": gandi.endpoint}
    octodns = octodns_at(tmp_path / "octodns", target)
    octodns.records(ZONE, {"new": {"type": "SPF", "value": "v=spf1 -all"}})
    code, out = octodns.run("octodns-sync")
    assert code == 1 and f"SPF records not supported for new.{ZONE}" in out


# --- octodns-gandi as one of ours -----------------------------------------------------------------------------------


class Here(GandiProvider):  # type: ignore[misc]
    """octodns-gandi, sent to the stand-in: it has no option for that."""

    def __init__(self, id: str, endpoint: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(id, *args, **kwargs)
        self._client.endpoint = endpoint


@pytest.fixture(autouse=True)
def here() -> Iterator[None]:
    """A package that has it."""
    module = types.ModuleType("octodns_here")
    vars(module).update(Here=Here)
    sys.modules["octodns_here"] = module
    yield
    del sys.modules["octodns_here"]


def theirs(gandi: Gandi, **options: Any) -> Provider:
    """The plug-in, as a configuration names it."""
    return made("octodns_here.Here", {"token": gandi.token, "endpoint": gandi.endpoint, **options})


def step(provider: Provider, name: str, *texts: str, ours: list[str] | None = None) -> None:
    """Write these texts of ours at a name."""
    todo = conformance.changes(
        provider, {f"{name} TXT": texts}, {("" if name == "@" else name, "TXT"): ours or []}, 300
    )
    provider.write(ZONE, todo)


def test_what_it_sees_and_says(gandi: Gandi) -> None:
    """Its limits and its notices; texts are read as the API has them, in whatever strings."""
    provider = theirs(gandi)
    assert provider.limits.min_ttl == 300 and not provider.limits.type99 and provider.limits.foreign is Foreign.NONE
    assert [notice.reason for notice in provider.limits.notices] == ["octodns_no_swap", "octodns_steps"]
    found = {rrset.key: rrset for rrset in provider.read(ZONE)}
    assert set(found) == {("", "TXT"), ("www", "CNAME"), ("hard", "TXT"), ("alone", "TXT")}
    assert {'a; "b" c\\d', "mine", "z" * 300} <= {value.text for value in found["hard", "TXT"].values}
    assert [value.text for value in found["hard", "TXT"].values if value.plain] == ["mine"]


def test_records_of_ours(gandi: Gandi) -> None:
    """What is ours alone is made, changed and taken out, long keys too; strangers' records are the same octets."""
    provider, before = theirs(gandi), gandi.values(ZONE)
    gandi.gapless = False  # in two steps: what the notice speaks of
    key = "v=DKIM1; k=rsa; p=" + "k" * 392
    step(provider, "s._domainkey", key)
    assert gandi.values(ZONE)["s._domainkey", "TXT"] == (300, frozenset({key.encode()}))
    assert {r.key: r for r in provider.read(ZONE)}["s._domainkey", "TXT"].values[0].text == key
    step(provider, "s._domainkey", "v=DKIM1; p=", ours=[key])
    assert gandi.values(ZONE)["s._domainkey", "TXT"] == (300, frozenset({b"v=DKIM1; p="}))
    step(provider, "s._domainkey", ours=["v=DKIM1; p="])
    assert gandi.values(ZONE) == before
    assert not [call for call in gandi.calls() if call.endswith("/livedns/domains")]


def test_shared_records(gandi: Gandi) -> None:
    """Deleting and posting would lose strangers' values where the second step fails: refused, but for `unsafe_updates`."""
    before = gandi.values(ZONE)
    with pytest.raises(ProviderError, match=rf"{ZONE} TXT holds values of others"):
        step(theirs(gandi), "@", "v=spf1 mx a -all", ours=["v=spf1 mx -all"])
    assert gandi.values(ZONE) == before and not [call for call in gandi.calls() if not call.startswith("GET")]

    gandi.gapless = False  # what the notice speaks of
    brave = theirs(gandi, unsafe_updates=True)
    step(brave, "@", "v=spf1 mx a -all", ours=["v=spf1 mx -all"])
    assert gandi.values(ZONE)["@", "TXT"] == (10800, frozenset({b"site-verification=abc", b"v=spf1 mx a -all"}))
    assert set(gandi.gaps(ZONE)) == {("@", "TXT"), ("@", "TXT", b"site-verification=abc")}
    with pytest.raises(ProviderError, match="would not come through"):
        step(brave, "hard", "ours", ours=["mine"])


def test_the_second_step_fails(gandi: Gandi) -> None:
    """The error says that what was done is not known; the next pass, on a fresh instance, makes it good."""
    provider = theirs(gandi)
    gandi.gapless = False
    gandi.faults.append(Fault("POST", "records", Answer(500, ERRED)))
    with pytest.raises(
        ProviderError, match=r"failed to write the zone with HTTPError \(HTTP 500\).* the next pass reads"
    ) as caught:
        step(provider, "alone", "new", ours=["old"])
    assert caught.value.transient and gandi.token not in str(caught.value)
    assert ("alone", "TXT") not in gandi.values(ZONE)
    step(provider, "alone", "new")
    assert gandi.values(ZONE)["alone", "TXT"] == (300, frozenset({b"new"}))


def test_no_zone_is_made(gandi: Gandi) -> None:
    """octodns-gandi makes a zone that it does not find; here it gets no chance to."""
    conformance.refuses_an_unknown_zone(type("Site", (), {"provider": theirs(gandi)})())  # type: ignore[arg-type]
    assert not [call for call in gandi.calls() if not call.startswith("GET")]


def test_no_request_waits_for_ever(gandi: Gandi) -> None:
    """The plug-in sets no time-out; its session gets one, however deep it lies."""
    plugin = theirs(gandi)._fresh()  # type: ignore[attr-defined]
    assert plugin._client._session.request.keywords == {"timeout": 60}
