"""DMARC: for each finding a zone where it is made, and the nearest where it is not, on one name server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from dnssync.check import gather_reports, gather_suffixes
from dnssync.check.dmarc_walk import Suffix, Takes, organization
from dnssync.check.facts import Failed
from dnssync.check.finding import Finding
from dnssync.check.gather import Sources
from dnssync.core.host import MailDomain
from tests.check.cases import Case, hold, zones
from tests.check.world import World
from tests.exim_host import EximHost, needs_exim
from tests.zonetext import host

GOOD = "v=DMARC1; p=reject; rua=mailto:postmaster@{zone}"
MX = "@ MX 10 mail\nmail A 192.0.2.1\n"

SIBLING = (
    '_dmarc.sub TXT "v=DMARC1; p=reject; rua=mailto:postmaster@sub.{zone},mailto:a@other.{zone}"\n'
    "sub MX 10 mail\nother MX 10 mail\n"
)


def dmarc(text: str, more: str = "") -> str:
    """A zone with one record at _dmarc, and an MX."""
    return f'_dmarc TXT "{text}"\n{MX}{more}'


CASES = [
    # DMARC-01
    Case("DMARC-01", "one", None, dmarc(GOOD)),
    Case("DMARC-01", "none", ("error", '_dmarc.{zone}. IN TXT "v=DMARC1; p=none; rua=mailto:postmaster@{zone}"'), MX),
    Case("DMARC-01", "two", ("error", "receivers discard them all"), dmarc(GOOD, '_dmarc TXT "v=DMARC1; p=none"\n')),
    Case("DMARC-01", "apex", ("error", "where nobody looks"), f'@ TXT "{GOOD}"\n{MX}'),
    Case("DMARC-01", "apex-too", None, dmarc(GOOD, '@ TXT "v=spf1 -all"\n')),
    Case("DMARC-01", "twice-named", ("error", "stands at _dmarc.{zone}.{zone}"), f'_dmarc.{{zone}} TXT "{GOOD}"\n{MX}'),
    Case("DMARC-01", "space", ("error", '" v=DMARC1; p=none" at _dmarc.{zone} is none'), dmarc(" v=DMARC1; p=none")),
    Case("DMARC-01", "spelling", ("error", "in this spelling"), dmarc("v=dmarc1; p=none")),
    Case("DMARC-01", "wildcard", ("error", "perhaps by a wildcard"), '* TXT "v=spf1 -all"\n' + MX),
    Case("DMARC-01", "wildcard-beside", ("info", "beside the DMARC record"), dmarc(GOOD, '_dmarc TXT "v=spf1 -all"\n')),
    Case("DMARC-01", "inherited", None, dmarc(GOOD), at="sub"),
    Case("DMARC-01", "nothing-inherited", ("error", "nor from a parent"), MX, at="sub"),
    # DMARC-02
    Case("DMARC-02", "good", None, dmarc("v=DMARC1; p=reject; sp=reject; np=reject; adkim=s; aspf=R; fo=1:d; psd=n; t=n; rua=mailto:a@{zone}; ruf=mailto:a@{zone};")),
    Case("DMARC-02", "repeated", ("error", 'IN TXT "v=DMARC1; p=none; rua=mailto:postmaster@{zone}"'), dmarc("v=DMARC1; p=none; p=reject; rua=mailto:postmaster@{zone}")),
    Case("DMARC-02", "no-tag", ("error", "cannot be read"), dmarc("v=DMARC1; p=none; reject")),
    Case("DMARC-02", "policy", ("error", "as if it said p=none"), dmarc("v=DMARC1; p=rejected; rua=mailto:a@{zone}")),
    Case("DMARC-02", "policy-no-rua", ("error", "as if there was no record"), dmarc("v=DMARC1; p=rejected")),
    Case("DMARC-02", "sub-policy", ("error", "sp=all in the DMARC record"), dmarc("v=DMARC1; p=reject; sp=all; rua=mailto:a@{zone}")),
    Case("DMARC-02", "no-policy", ("warning", "has no p="), dmarc("v=DMARC1; rua=mailto:a@{zone}")),
    Case("DMARC-02", "bare", [("warning", "has no p="), ("info", "no `;` behind")], dmarc("v=DMARC1")),
    Case("DMARC-02", "second", None, dmarc("v=DMARC1; p=none; sp=none")),
    Case("DMARC-02", "not-second", ("info", "Write it as: v=DMARC1; p=none; sp=none"), dmarc("v=DMARC1; sp=none; p=none")),
    Case("DMARC-02", "pct", ("warning", "readers of RFC 7489 to 20 % of the mail"), dmarc("v=DMARC1; p=reject; pct=20")),
    Case("DMARC-02", "pct-all", ("warning", "its readers ignore it"), dmarc("v=DMARC1; p=reject; pct=100")),
    Case("DMARC-02", "pct-odd", ("warning", "no percentage"), dmarc("v=DMARC1; p=reject; pct=many")),
    Case("DMARC-02", "interval", [("warning", "ri=86400"), ("warning", "rf=afrf")], dmarc("v=DMARC1; p=reject; ri=86400; rf=afrf")),
    Case("DMARC-02", "size", ("warning", "rua=mailto:a@{zone}\""), dmarc("v=DMARC1; p=reject; rua=mailto:a@{zone}!10m")),
    Case("DMARC-02", "alignment", ("warning", "receivers take adkim=r"), dmarc("v=DMARC1; p=reject; adkim=x")),
    Case("DMARC-02", "failure", ("warning", "receivers take fo=0"), dmarc("v=DMARC1; p=reject; ruf=mailto:a@{zone}; fo=0:1")),
    Case("DMARC-02", "failure-alone", ("info", "without ruf="), dmarc("v=DMARC1; p=reject; fo=1")),
    Case("DMARC-02", "tag", ("info", "no standard knows"), dmarc("v=DMARC1; p=reject; colour=red")),
    # DMARC-03
    Case("DMARC-03", "quarantine", None, dmarc("v=DMARC1; p=quarantine; sp=quarantine; np=reject")),
    Case("DMARC-03", "none", ("warning", 'begin with quarantine. Set `dmarc: {p: quarantine}` for the zone {zone}'), dmarc("v=DMARC1; p=none")),
    Case("DMARC-03", "reject", ("info", "mailing lists"), dmarc("v=DMARC1; p=reject")),
    Case("DMARC-03", "sp", ("warning", "sp=none is weaker than p=quarantine"), dmarc("v=DMARC1; p=quarantine; sp=none")),
    Case("DMARC-03", "np", ("warning", "np=none is weaker than p=quarantine"), dmarc("v=DMARC1; p=quarantine; np=none")),
    Case("DMARC-03", "np-as-sp", ("warning", "sp=none is weaker than p=quarantine"), dmarc("v=DMARC1; p=quarantine; sp=none; np=none")),
    Case("DMARC-03", "np-below-sp", ("warning", "np=quarantine is weaker than sp=reject"), dmarc("v=DMARC1; p=quarantine; sp=reject; np=quarantine")),
    Case("DMARC-03", "test", ("warning", "one step milder"), dmarc("v=DMARC1; p=quarantine; t=y")),
    Case("DMARC-03", "sub-sp", None, dmarc("v=DMARC1; p=reject", '_dmarc.sub TXT "v=DMARC1; p=quarantine; sp=none"\n'), at="sub"),
    Case("DMARC-03", "inherits", None, dmarc("v=DMARC1; p=reject"), at="sub"),
    Case("DMARC-03", "inherits-none", ("warning", "gives it the policy none"), dmarc("v=DMARC1; p=reject; sp=none"), at="sub"),
    # DMARC-04
    Case("DMARC-04", "rua", None, dmarc(GOOD)),
    Case("DMARC-04", "no-rua", ("warning", 'rua=mailto:postmaster@{zone}"'), dmarc("v=DMARC1; p=reject")),
    Case("DMARC-04", "ruf", ("info", "parts of people's mail"), dmarc(GOOD + "; ruf=mailto:a@{zone}")),
    Case("DMARC-04", "bare", ("error", '"v=DMARC1; p=reject; rua=mailto:a@{zone}"'), dmarc("v=DMARC1; p=reject; rua=a@{zone}")),
    Case("DMARC-04", "https", ("error", "no report can be sent"), dmarc("v=DMARC1; p=reject; rua=mailto:a@{zone},https://{zone}/")),
    # DMARC-05
    Case("DMARC-05", "own", None, dmarc(GOOD)),
    Case("DMARC-05", "external", ("error", "Ask who runs other.test to publish: dmarc-05-external.test._report._dmarc.other.test. IN TXT \"v=DMARC1;\""), dmarc(GOOD + ",mailto:a@other.test")),
    Case("DMARC-05", "agrees", None, dmarc(GOOD + ",mailto:a@agrees.test")),
    Case("DMARC-05", "own-zone", ("error", "Publish: dmarc-05-own-zone.test._report._dmarc.dmarc-05-own.test. IN TXT"), dmarc(GOOD + ",mailto:postmaster@dmarc-05-own.test")),
    Case("DMARC-05", "nowhere", ("error", "neither MX nor address"), dmarc(GOOD + ",mailto:a@none.agrees.test")),
    Case("DMARC-05", "null-mx", ("error", "takes no mail (its MX is `0 .`"), dmarc(GOOD + ",mailto:a@null.agrees.test")),
    Case("DMARC-05", "no-mx", ("info", "has no MX"), dmarc(GOOD + ",mailto:a@address.agrees.test")),
    Case("DMARC-05", "lost-address", ("error", "mailto:postmaster@{zone} is configured"), dmarc("v=DMARC1; p=reject")),
    Case("DMARC-05", "refused", ("error", "exim takes no mail for it"), dmarc(GOOD + ",mailto:nobody@{zone}")),
    Case("DMARC-05", "taken", None, dmarc(GOOD + ",mailto:abuse@{zone}")),
    Case("DMARC-05", "unknown", ("unknown", "exim was not reached"), dmarc(GOOD + ",mailto:who@{zone}")),
    Case("DMARC-05", "sibling", None, dmarc(GOOD, SIBLING), at="sub"),
    Case(
        "DMARC-05",
        "stranger",
        ("error", "Publish: sub.{zone}._report._dmarc.other.{zone}. IN TXT"),
        MX + SIBLING,
        at="sub",
    ),
    # DMARC-06
    Case("DMARC-06", "same", None, dmarc(GOOD)),
    Case("DMARC-06", "none", None, MX),
    Case("DMARC-06", "sub-same", None, dmarc(GOOD), at="sub"),
    Case("DMARC-06", "sub-alone", ("info", "A DMARC record at _dmarc.{zone} makes both agree"), '_dmarc.sub TXT "v=DMARC1; p=reject"\n' + MX, at="sub"),
    Case("DMARC-06", "between", ("info", "for them it has no policy"), '_dmarc.b TXT "v=DMARC1; p=reject"\n' + MX, at="a.b"),
    Case("DMARC-06", "psd", ("info", "leaves nothing to differ over"), dmarc("v=DMARC1; p=reject; psd=y"), at="sub"),
]  # fmt: skip
IDS = tuple(f"DMARC-0{n}" for n in range(1, 7))
OTHERS = {
    "other.test": "@ MX 10 mx\nmx A 192.0.2.9\n",
    "agrees.test": '*._report._dmarc TXT "v=DMARC1"\n@ MX 10 mx\nmx A 192.0.2.9\nnull MX 0 .\naddress A 192.0.2.9\n'
    + "".join(f'*._report._dmarc.{host} TXT "v=DMARC1;"\n' for host in ("none", "null", "address")),
}
# Names directly below `test` are organizations by the list.
LIST = "// a list\nco.test\n\ntest\n*.wild.test\n!not.wild.test\n"


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Finding]]:
    """What all DMARC checks say of all cases' zones."""
    folder = tmp_path_factory.mktemp("dmarc")
    names = [case.subject for case in CASES]
    (folder / "list").write_text(LIST)
    zone = next(case.zone for case in CASES if case.label == "refused")
    have = {Takes(f"nobody@{zone}"): False, **{Takes(f"a@{case.subject}"): True for case in CASES}}
    have |= {Takes(f"abuse@{case.zone}"): True for case in CASES if case.label == "taken"}
    have |= {Takes(f"who@{case.zone}"): Failed("exim was not reached") for case in CASES if case.label == "unknown"}
    with World(folder, {**zones(CASES), **OTHERS, "test": ""}, domains=names, foreign=[*OTHERS, "test"], have=have, host=host(*names),
               sources={"suffixes": folder / "list"}) as world:  # fmt: skip
        yield world.findings(*IDS)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(case: Case, findings: list[Finding]) -> None:
    """Each zone gets the findings that it asks for, and the zone next to it, one record apart, does not."""
    hold(case, findings)


def test_no_list_of_public_suffixes(tmp_path: Path) -> None:
    """Without the list, what only a tree walk finds is told all the same, and nothing else."""
    texts = {
        "a.test": '_dmarc TXT "v=DMARC1; p=reject"\n',
        "b.test": '_dmarc TXT "v=DMARC1; p=reject"\n_dmarc.x TXT "v=DMARC1; p=none"\n',
        "c.test": '_dmarc TXT "v=DMARC1; p=reject; psd=n"\n',
    }
    with World(tmp_path, {**texts, "test": ""}, foreign=["test"], domains=["a.test", "a.x.b.test", "c.test"],
               sources={"suffixes": tmp_path / "none"}) as world:  # fmt: skip
        assert world.severities("DMARC-06", "a.test") == []
        [(severity, message)] = world.said("DMARC-06", "a.x.b.test")
        assert severity == "info" and "from x.b.test, between itself and b.test" in message
        [(severity, message)] = world.said("DMARC-06", "c.test")
        assert severity == "info" and "may take another" in message


@pytest.mark.parametrize(("name", "wanted"), [
    ("test", ""), ("a.test", "a.test"), ("b.a.test", "a.test"), ("co.test", ""), ("b.a.co.test", "a.co.test"),
    ("a.wild.test", ""), ("c.b.a.wild.test", "b.a.wild.test"), ("not.wild.test", "not.wild.test"), ("b.not.wild.test", "not.wild.test"),
    ("b.a.unlisted", "a.unlisted"), ("b.xn--bcher-kva.test", "b.xn--bcher-kva.test"),
])  # fmt: skip
def test_public_suffixes(tmp_path: Path, name: str, wanted: str) -> None:
    """The longest rule counts, an exception before it, and the last label where none does."""
    (tmp_path / "list").write_text(LIST + "bücher.test\n")
    sources = Sources(None, None, None, suffixes=tmp_path / "list")  # type: ignore[arg-type]
    assert gather_suffixes.fetch([Suffix(name)], sources) == {Suffix(name): wanted}


@pytest.mark.parametrize(("domain", "found", "wanted"), [
    ("a.b.test", {}, "a.b.test"),
    ("a.b.test", {"a.b.test": "p=none"}, "a.b.test"),
    ("a.b.test", {"a.b.test": "p=none", "b.test": "p=none"}, "b.test"),
    ("a.b.test", {"a.b.test": "psd=n"}, "a.b.test"),
    ("a.b.test", {"b.test": "psd=y"}, "a.b.test"),
    ("x.a.b.test", {"x.a.b.test": "p=none", "b.test": "psd=y"}, "a.b.test"),
    ("b.test", {"b.test": "psd=y"}, "b.test"),
])  # fmt: skip
def test_organizational_domain(domain: str, found: dict[str, str], wanted: str) -> None:
    """As the tree walk has it: psd=n, one label below psd=y, else the shortest name with a record."""
    assert organization(domain, {f"_dmarc.{name}": f"v=DMARC1; {text}" for name, text in found.items()}) == wanted


def test_the_walk_ends_where_psd_says(tmp_path: Path) -> None:
    """What stands above a record with psd=n counts no more."""
    text = '_dmarc TXT "v=DMARC1; p=none"\n_dmarc.b TXT "v=DMARC1; p=reject; psd=n"\n'
    with World(
        tmp_path,
        {"a.test": text, "test": ""},
        foreign=["test"],
        domains=["c.b.a.test"],
        sources={"suffixes": tmp_path / "no"},
    ) as world:
        [(severity, message)] = world.said("DMARC-06")
        assert severity == "info" and "The organizational domain of c.b.a.test is b.a.test" in message


@needs_exim
def test_exim_says_whether_it_takes_reports(tmp_path: Path) -> None:
    """exim itself is asked, about addresses that nobody has configured too: one it takes, one it refuses, one it cannot judge now."""
    with EximHost(hostnames=("a.test",)) as exim:
        aliases = exim.folder / "aliases"
        aliases.write_text("dmarc: :blackhole:\nlater: :defer: not now\n")
        for file in exim.confdir.glob("conf.d/router/*system_aliases"):
            file.write_text(file.read_text().replace("/etc/aliases", str(aliases)))
        exim.render()
        text = "mailto:dmarc@a.test,mailto:nobody-here@a.test,mailto:later@a.test"
        zone = f'_dmarc TXT "v=DMARC1; p=reject; rua=mailto:postmaster@a.test,{text}"\n{MX}'
        with World(tmp_path / "w", {"a.test": zone}, exim=exim.exim()) as world:
            said = world.said("DMARC-05")
            assert sorted(str(severity) for severity, _ in said) == ["error", "unknown"]
            [refused] = [message for severity, message in said if severity == "error"]
            assert "nobody-here@a.test" in refused


def test_an_odd_address_is_not_put_to_exim() -> None:
    """What comes out of DNS is never a line of its own in exim's input."""
    odd = Takes("a\nb@a.test")
    asked: list[str] = []
    sources = Sources(None, None, SimpleNamespace(verdicts=lambda names: asked.extend(names) or {}))  # type: ignore[arg-type,func-returns-value]
    assert isinstance(gather_reports.fetch([odd], sources)[odd], Failed)
    assert asked == []


def test_silence_is_unknown(tmp_path: Path) -> None:
    """A server that says nothing makes no DMARC finding but unknown."""
    with World(tmp_path, {"a.test": '_dmarc TXT "v=DMARC1; p=reject"\n'}) as world:
        world.bind.stop()
        assert {(f.id, str(f.severity)) for f in world.findings(*IDS)} == {(id, "unknown") for id in IDS}


def test_consent_that_nobody_answers_for(tmp_path: Path) -> None:
    """The host of a report address whose servers are silent: unknown, and what is proven beside it is told."""
    text = '_dmarc TXT "v=DMARC1; p=reject; rua=mailto:a@silent.other,mailto:b@null.a.test"\nnull MX 0 .\n'
    with World(tmp_path, {"a.test": text}, have={Takes("b@null.a.test"): True}) as world:
        said = world.said("DMARC-05")
        assert {str(severity) for severity, _ in said} == {"error", "unknown"}
        assert any("its MX is `0 .`" in message for _, message in said)


def test_two_servers_that_differ(tmp_path: Path) -> None:
    """Each server's record is judged by itself: two versions of one are not two records, and who has none is named."""
    with World(tmp_path / "one", {"a.test": '_dmarc TXT "v=DMARC1; p=reject"\n', "test": ""}, foreign=["test"]) as one, World(
        tmp_path / "two", {"a.test": '_dmarc TXT "v=DMARC1; p=none"\n'}
    ) as two, World(tmp_path / "three", {"a.test": ""}) as three:  # fmt: skip
        one._named = [one.bind.server, two.bind.server]
        assert one.severities("DMARC-01") == ["ok"]
        assert one.severities("DMARC-03") == ["info", "warning"]
        one._named = [three.bind.server]
        [(severity, message)] = one.said("DMARC-01")
        assert severity == "error" and "nor from a parent" in message


def test_apply_that_cures_is_offered(tmp_path: Path) -> None:
    """A first record is what `apply` writes; a policy of others is never made stricter by it."""
    with World(
        tmp_path, {"a.test": "", "b.test": '_dmarc TXT "v=DMARC1; p=none"\n', "test": ""}, foreign=["test"]
    ) as world:
        found = {(f.id, f.subject): f for f in world.findings("DMARC-01", "DMARC-03")}
        assert found["DMARC-01", "a.test"].fixable
        assert not found["DMARC-03", "b.test"].fixable


def test_adopt_is_offered_only_where_nothing_else_is_in_the_way(tmp_path: Path) -> None:
    """A zone that dnssync leaves alone for an unknown relay is not mended by taking its records over."""
    mail = MailDomain("a.test", smarthosts=("relay.r.test",))
    zones_ = {"a.test": "", "test": ""}
    with World(tmp_path, zones_, foreign=["test"], host=host(hostname="mx.example.org", domains=(mail,))) as world:
        [found] = world.findings("DMARC-01")
        assert found.severity == "error" and not found.fixable and "adopt" not in found.remedy
