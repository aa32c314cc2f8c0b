"""Gandi both ways: our provider in octodns-sync's hands, and octodns-gandi as a provider of ours; the stand-in behind each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dnssync.core.model import Foreign, Provider, ProviderError
from tests.gandi import Gandi
from tests.gandi_faults import ERRED
from tests.gandi_records import Zone
from tests.http_faults import Answer, Fault
from tests.octodns_sync import Octodns
from tests.providers import conformance
from tests.providers.conformance import ZONE
from tests.providers.sites import made
from tests.providers.test_octodns_ours import dumped, octodns_at

ROWS = [
    ("@", "TXT", 10800, ['"site-verification=abc"', '"v=spf1 mx -all"']),
    ("@", "MX", 10800, ["10 mail", "20 mail.elsewhere.test."]),
    ("@", "ALIAS", 10800, ["www"]),
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


@pytest.fixture
def target(gandi: Gandi, tmp_path: Path) -> Octodns:
    """octodns-sync with our provider, its files holding what stands there."""
    gandi.put(ZONE, "both", "A", 300, ["192.0.2.4"])
    gandi.put(ZONE, "both", "RP", 300, ["a b"])
    octodns = octodns_at(tmp_path / "octodns", {"class": "dnssync_providers.octodns.GandiProvider", "token": gandi.token,
                                                "endpoint": gandi.endpoint})  # fmt: skip
    octodns.records(ZONE, dumped(octodns))
    gandi.requests.clear()
    return octodns


def changed(octodns: Octodns, **records: Any) -> None:
    """Other records at these names in octodns' files."""
    file = octodns.folder / "zones" / f"{ZONE}.yaml"
    octodns.records(ZONE, {**yaml.safe_load(file.read_text()), **records})


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
    assert alias["value"] == f"www.{ZONE}." and records["www"]["value"] == f"mail.{ZONE}."
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


def test_types_that_gandi_has_not(gandi: Gandi, target: Octodns) -> None:
    """What the API does not list is told with the plan, and is no 400 in the midst of the writing; where it lists nothing, type SPF is out alone."""
    uri = {"type": "URI", "ttl": 300, "value": {"priority": 1, "weight": 1, "target": "https://a.test"}}
    changed(target, new=uri)
    code, out = target.run("octodns-sync")
    assert code == 1 and f"URI records not supported for new.{ZONE}" in out
    gandi.faults.append(Fault("GET", "/dns/rrtypes", Answer(404, {"object": "HTTPNotFound"}), times=2))
    assert "Create <UriRecord URI" in target.sync()
    changed(target, new={"type": "SPF", "value": "v=spf1 -all"})
    code, out = target.run("octodns-sync")
    assert code == 1 and f"SPF records not supported for new.{ZONE}" in out


ALIAS = {"type": "CNAME", "ttl": 300, "value": "www.elsewhere.test."}
ADDRESS = {"type": "A", "ttl": 300, "value": "192.0.2.3"}


def written(gandi: Gandi) -> list[str]:
    """The requests that changed something, without what they have in common."""
    done = [request for request in gandi.requests if request.method != "GET" and request.status < 300]
    return [f"{each.method} {each.path.removeprefix(f'/domains/{ZONE}/records/')}" for each in done]


def test_a_cname_where_others_stand(gandi: Gandi, target: Octodns) -> None:
    """A record that octodns knows nothing of stands beside the one that goes: nothing is written, in a dry run told too."""
    before = gandi.values(ZONE)
    changed(target, both=ALIAS)
    for args in ((), ("--doit", "--force")):
        code, out = target.run("octodns-sync", *args)
        assert code == 1 and f"both.{ZONE} would have a CNAME and RP, and nothing may stand beside a CNAME" in out
    assert gandi.values(ZONE) == before and written(gandi) == []


def test_cnames_come_and_go(gandi: Gandi, target: Octodns) -> None:
    """Each name that changes between a CNAME and others is seen to by itself, before everything else."""
    changed(target, www=ADDRESS, mail=ALIAS, alone={"type": "TXT", "ttl": 600, "value": "new"}, a=ADDRESS)
    target.sync("--doit", "--force")
    assert written(gandi) == [
        "DELETE mail/A",
        "POST mail/CNAME",
        "DELETE www/CNAME",
        "POST www/A",
        "PATCH alone/TXT",
        "POST a/A",
    ]
    assert target.quiet()


@pytest.mark.parametrize(("path", "done"), [("mail/A", 0), ("mail/CNAME", 1), ("www/A", 3), ("alone", 4), ("a/A", 5)])
def test_how_many_were_done(gandi: Gandi, target: Octodns, path: str, done: int) -> None:
    """Where a write fails, what was done before is counted over the whole plan, and the next run does the rest."""
    changed(target, www=ADDRESS, mail=ALIAS, alone={"type": "TXT", "ttl": 600, "value": "new"}, a=ADDRESS)
    gandi.faults.append(Fault("DELETE|POST|PATCH", f"records/{path}", Answer(500, ERRED)))
    code, out = target.run("octodns-sync", "--doit", "--force")
    assert code == 1 and len(written(gandi)) == done
    assert re.findall(r"(\d+) of (\d+) changes were done", out) == ([(str(done), "6")] if done else [])
    target.sync("--doit", "--force")
    assert target.quiet()


def test_a_stranger_between_two_writes(gandi: Gandi, target: Octodns) -> None:
    """That nothing was written is not said where something was."""
    changed(target, www=ADDRESS, alone={"type": "TXT", "ttl": 600, "value": "new"})
    gandi.faults.append(Fault("POST", "www/A", stranger=lambda: gandi.put(ZONE, "alone", "TXT", 600, ['"theirs"'])))
    code, out = target.run("octodns-sync", "--doit", "--force")
    assert (
        code == 1
        and f"alone.{ZONE} TXT at ours is not what was read any more. Before that, 2 of 3 changes were done" in out
    )
    assert gandi.values(ZONE)["alone", "TXT"] == (600, frozenset({b"theirs"}))


def test_a_refused_type_spf(gandi: Gandi, tmp_path: Path) -> None:
    """Listed and refused all the same, at a name that a CNAME leaves: everything else is written, in the zones that come after, too;
    a warning says what was left out, and both remedies."""
    gandi.switches.spf_taken, gandi.switches.cname_alone = False, True
    gandi.zones["zz.test"], gandi.history["zz.test"] = Zone(), []
    target = {"class": "dnssync_providers.octodns.GandiProvider", "token": gandi.token, "endpoint": gandi.endpoint}
    octodns = octodns_at(tmp_path / "octodns", target)
    octodns.config["zones"]["zz.test."] = octodns.config["zones"][f"{ZONE}."]
    octodns.records(ZONE, dumped(octodns))
    spf = {"type": "SPF", "ttl": 300, "value": "v=spf1 -all"}
    changed(octodns, www=[ADDRESS, spf], a=[ADDRESS, spf])
    octodns.records("zz.test", {"a": ADDRESS})
    [told] = [line for line in octodns.sync("--doit", "--force").splitlines() if "refused the record" in line]
    assert f"writing www.{ZONE} SPF and of 1 names more" in told and "WARNING" in told
    assert (
        "take the records of type SPF out of octodns' sources or, where DnssyncProcessor gives them, set `spf: {type99: never}`"
        in told
    )
    after = gandi.values(ZONE)
    assert {("www", "A"), ("a", "A")} <= set(after) and ("www", "CNAME") not in after
    assert ("a", "A") in gandi.values("zz.test")


def test_a_look_that_fails_costs_no_record(gandi: Gandi, target: Octodns) -> None:
    """Between what goes for a CNAME and the CNAME nothing is read: an API that stops answering questions there changes nothing."""
    changed(target, mail=ALIAS)
    gandi.faults.append(AfterADelete("GET", "not yet", answer=Answer(500, ERRED), times=9))
    target.sync("--doit", "--force")
    assert written(gandi) == ["DELETE mail/A", "POST mail/CNAME"]
    calls = gandi.calls()
    assert (
        calls[calls.index(f"DELETE /domains/{ZONE}/records/mail/A") + 1] == f"POST /domains/{ZONE}/records/mail/CNAME"
    )


class AfterADelete(Fault):
    """Strikes from the first DELETE on."""

    def strikes(self, method: str, path: str) -> bool:
        """Whether this request is one of those."""
        self.path = "" if method == "DELETE" else self.path
        return self.path == "" and super().strikes(method, path)


# --- octodns-gandi as one of ours -----------------------------------------------------------------------------------


def theirs(gandi: Gandi, **options: Any) -> Provider:
    """The plug-in, as a configuration names it."""
    return made("tests.providers.sites.Here", {"token": gandi.token, "endpoint": gandi.endpoint, **options})


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
