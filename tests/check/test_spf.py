"""SPF: for each finding a zone where it is made, and the nearest where it is not, on one name server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import spf as pyspf

from dnssync.check.finding import Finding
from dnssync.check.spf_evaluate import by_pyspf
from dnssync.core.host import Address, MailDomain
from dnssync.core.model import RRset, Value
from tests.check.cases import Case, hold, zones
from tests.check.world import World
from tests.zonetext import host

GOOD = "v=spf1 ip4:192.0.2.1 -all"
LONG = " ".join(f"ip4:198.51.100.{n}" for n in range(1, 26))
APEX = "".join(f'@ TXT "verification-{n}={"x" * 200}"\n' for n in range(6))


def spf(text: str, more: str = "") -> str:
    """A zone with one SPF record, in strings of a few terms each."""
    words = re.findall(r"[^ ]+ *|^ +", text)
    strings = ["".join(words[at : at + 4]) for at in range(0, len(words), 4)]
    return "@ TXT " + " ".join(f'"{string}"' for string in strings) + f"\n{more}"


def includes(count: int) -> str:
    """A zone whose record includes so many others."""
    names = range(count)
    terms = " ".join(f"include:i{n}.{{zone}}" for n in names)
    return spf(
        f"v=spf1 ip4:192.0.2.1 {terms} -all", "".join(f'i{n} TXT "v=spf1 ip4:198.51.100.{n} -all"\n' for n in names)
    )


def many_a(count: int) -> str:
    """A zone whose record asks so often before it passes; pyspf counts a redirect that `all` has made void, the RFC does not (§6.1)."""
    terms = " ".join(f"a:a{n}.{{zone}}" for n in range(count))
    more = "".join(f"a{n} A 198.51.100.{n}\n" for n in range(count))
    return spf(f"v=spf1 {terms} ip4:192.0.2.1 -all redirect=none.{{zone}}", more)


CASES = [
    # SPF-01
    Case("SPF-01", "one", None, spf(GOOD)),
    Case("SPF-01", "none", ("error", '{zone}. IN TXT "v=spf1 ip4:192.0.2.1 -all"'), ""),
    Case("SPF-01", "two", ("error", 'One record in the place of them all. Publish: {zone}. IN TXT "v=spf1 ip4:192.0.2.1 mx ~all"'),
         spf(GOOD, '@ TXT "v=spf1 mx ~all"\n')),
    Case(
        "SPF-01",
        "two-open",
        ("error", '{zone}. IN TXT "v=spf1 ip4:192.0.2.1 mx ~all"'),
        spf("v=spf1 ip4:192.0.2.1 ~all", '@ TXT "v=spf1 mx +all"\n'),
    ),
    Case("SPF-01", "spf10", ("error", '"v=spf10 -all" is none'), spf("v=spf10 -all")),
    Case("SPF-01", "space", ("error", '" v=spf1 -all" is none'), spf(" v=spf1 -all")),
    Case("SPF-01", "quoted", ("error", "is none"), '@ TXT "\\"v=spf1 -all\\""\n'),
    Case("SPF-01", "senderid", ("error", "Sender ID"), spf("spf2.0/pra -all")),
    Case("SPF-01", "senderid-beside", ("info", "no receiver reads it"), spf(GOOD, '@ TXT "spf2.0/pra -all"\n')),
    Case("SPF-01", "other-text", None, spf(GOOD, '@ TXT "spfoo verification"\n')),
    # SPF-02
    Case("SPF-02", "good", None, spf("v=spf1  A:mail.{zone}/24//64 ?mx exists:%{i}._s.{zone} ra=postmaster -ALL")),
    Case("SPF-02", "mechanism", ("error", 'probably "ip4:192.0.2.9" was meant'), spf("v=spf1 ipv4:192.0.2.9 -all")),
    Case("SPF-02", "two-troubles", [("error", "(at character 8)"), ("error", "(at character 17)")], spf("v=spf1 foo:192. ipv4:1 -all")),
    Case("SPF-02", "corrected", ("error", '"v=spf1 ip4:192.0.2.1 mx -all"'), spf("v=spf1 ip4:192.0.2.1 mx, -all")),
    Case("SPF-02", "glued", ("error", '"v=spf1 ip4:192.0.2.1 -all"'), spf("v=spf1 ip4:192.0.2.1-all")),
    Case("SPF-02", "glued-name", ("warning", "A space is missing"), spf("v=spf1 include:a.{zone}-all")),
    Case("SPF-02", "unglued-name", None, spf("v=spf1 include:a.{zone} -all")),
    Case("SPF-02", "equals", ("warning", 'Probably "ip4:192.0.2.7" was meant'), spf("v=spf1 ip4=192.0.2.7 -all")),
    Case("SPF-02", "modifier", ("info", "no standard knows"), spf("v=spf1 match_subdomains=yes -all")),
    Case("SPF-02", "dead", ("warning", 'Put "mx" in front of "-all"'), spf("v=spf1 ip4:192.0.2.1 -all mx")),
    Case("SPF-02", "redirect-all", ("warning", "counts for nothing"), spf("v=spf1 redirect=a.{zone} -all")),
    Case("SPF-02", "redirect", None, spf("v=spf1 redirect=a.{zone}")),
    Case("SPF-02", "redirects", ("error", "second redirect="), spf("v=spf1 redirect=a.{zone} redirect=b.{zone}")),
    Case("SPF-02", "joined", ("warning", "two records were joined"), spf("v=spf1 mx v=spf1 -all")),
    Case("SPF-02", "dash", ("error", 'probably "-all" was meant'), spf("v=spf1 mx \\226\\128\\147all")),
    # SPF-03
    Case("SPF-03", "pass", None, spf(GOOD)),
    Case("SPF-03", "fail", ("error", '{zone}. IN TXT "v=spf1 ip4:192.0.2.2 ip4:192.0.2.1 -all"'), spf("v=spf1 ip4:192.0.2.2 -all")),
    Case("SPF-03", "softfail", ("error", "gets softfail, not pass"), spf("v=spf1 ip4:192.0.2.2 ~all")),
    Case("SPF-03", "neutral", ("error", "gets neutral, not pass"), spf("v=spf1 ip4:192.0.2.2")),
    Case("SPF-03", "permerror", ("error", "gets permerror"), spf("v=spf1 include:none.{zone} -all")),
    Case("SPF-03", "include", None, spf("v=spf1 include:some.{zone} -all", f'some TXT "{GOOD}"\n')),
    Case("SPF-03", "refused-before", ("error", "{zone}. IN TXT \"v=spf1 ip4:192.0.2.1 -ip4:192.0.2.0/24 -all\""), spf("v=spf1 -ip4:192.0.2.0/24 -all")),
    Case("SPF-03", "redirected", ("error", '"v=spf1 ip4:192.0.2.1 redirect=a.{zone}"'), spf("v=spf1 redirect=a.{zone}", 'a TXT "v=spf1 -all"\n')),
    Case("SPF-03", "macro", None, spf("v=spf1 exists:%{ir}.%{h}.{zone} -all", "1.2.0.192.mx.example.org A 127.0.0.2\n")),
    Case("SPF-03", "mx", None, spf("v=spf1 mx -all", "@ MX 10 mail\nmail A 192.0.2.1\n")),
    Case("SPF-03", "mx-elsewhere", ("error", "gets fail"), spf("v=spf1 mx -all", "@ MX 10 mail\nmail A 192.0.2.2\n")),
    Case("SPF-03", "unreadable", None, spf("v=spf1 foo -all")),
    Case("SPF-03", "differ", ("unknown", "gets pass by dnssync's own evaluation and permerror by pyspf"), many_a(10)),
    Case("SPF-03", "agree", None, many_a(9)),
    # SPF-04
    Case("SPF-04", "fail", None, spf(GOOD)),
    Case("SPF-04", "softfail", None, spf("v=spf1 ip4:192.0.2.1 ~all")),
    Case("SPF-04", "all", ("error", "the whole world"), spf("v=spf1 ip4:192.0.2.1 +all")),
    Case("SPF-04", "neutral", ("warning", "Set `spf: {all: fail}` for the zone {zone}"), spf("v=spf1 ip4:192.0.2.1 ?all")),
    Case("SPF-04", "no-end", ("warning", "has no `all`"), spf("v=spf1 ip4:192.0.2.1")),
    Case("SPF-04", "redirect", None, spf("v=spf1 redirect=a.{zone}", 'a TXT "v=spf1 mx -all"\n')),
    Case("SPF-04", "redirect-open", ("error", "Let who runs a.{zone}"), spf("v=spf1 redirect=a.{zone}", 'a TXT "v=spf1 all"\n')),
    Case("SPF-04", "redirect-loop", None, spf("v=spf1 redirect={zone}")),
    Case("SPF-04", "redirect-loop-below", None, spf("v=spf1 redirect=a.{zone}", 'a TXT "v=spf1 redirect=b.{zone}"\nb TXT "v=spf1 redirect=a.{zone}"\n')),
    Case("SPF-04", "include-open", ("error", "include:a.{zone}: the record"), spf("v=spf1 include:a.{zone} -all", 'a TXT "v=spf1 all"\n')),
    Case("SPF-04", "include-closed", None, spf("v=spf1 include:a.{zone} -all", 'a TXT "v=spf1 ?all"\n')),
    Case("SPF-04", "refuse-open", None, spf("v=spf1 -include:a.{zone} ip4:192.0.2.1 -all", 'a TXT "v=spf1 all"\n')),
    # SPF-05
    Case("SPF-05", "seven", None, includes(7)),
    Case("SPF-05", "eight", ("warning", "8 DNS look-ups"), includes(8)),
    Case("SPF-05", "ten", ("warning", "10 DNS look-ups"), includes(10)),
    Case("SPF-05", "eleven", ("error", "11 DNS look-ups"), includes(11)),
    Case("SPF-05", "cheaper", ("error", "ip4:192.0.2.1 include:i0.{zone} include:i1.{zone}"),
         includes(10).replace('"v=spf1 ', '"v=spf1 a ', 1) + "@ A 192.0.2.1\n"),
    Case("SPF-05", "voids", ("error", '{zone}. IN TXT "v=spf1 ip4:192.0.2.1 -all"'), spf("v=spf1 ip4:192.0.2.1 a:x.{zone} a:y.{zone} a:z.{zone} -all")),
    Case("SPF-05", "two-voids", None, spf("v=spf1 ip4:192.0.2.1 a:x.{zone} a:y.{zone} -all")),
    Case("SPF-05", "mx-eleven", ("error", "more than 10 mail exchangers"),
         spf("v=spf1 mx -all", "".join(f"@ MX 10 m{n}\nm{n} A 192.0.2.{n}\n" for n in range(11)))),
    Case("SPF-05", "mx-ten", None, spf("v=spf1 mx -all", "".join(f"@ MX 10 m{n}\nm{n} A 192.0.2.{n}\n" for n in range(10)))),
    # SPF-06
    Case("SPF-06", "short", None, spf(GOOD)),
    Case("SPF-06", "long", ("warning", "more than the 450"), spf(f"v=spf1 {LONG} -all")),
    Case("SPF-06", "longer", ("warning", "and more than 512"), spf(f"v=spf1 {LONG} ip6:2001:db8::1 ip6:2001:db8::2 ip6:2001:db8::3 -all")),
    Case("SPF-06", "apex", ("warning", "SPF depends on TCP"), spf(GOOD) + APEX),
    Case("SPF-06", "apex-some", ("info", "of an answer without EDNS"), spf(GOOD) + "".join(APEX.splitlines(keepends=True)[:3])),
    Case("SPF-06", "apex-one", None, spf(GOOD) + APEX.splitlines(keepends=True)[0]),
    # SPF-07
    Case("SPF-07", "plain", None, spf("v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 include:a.{zone} -all", 'a TXT "v=spf1 ip4:10.0.0.0/8"\n')),
    Case("SPF-07", "ptr", ("warning", "not to be used"), spf("v=spf1 ip4:192.0.2.1 ptr -all")),
    Case("SPF-07", "loop", ("error", "include:a.{zone} → include:{zone} leads back"), spf("v=spf1 include:a.{zone} -all", 'a TXT "v=spf1 include:{zone} -all"\n')),
    Case("SPF-07", "self", ("error", 'Take "redirect={zone}" out of the record of {zone}'), spf("v=spf1 ip4:192.0.2.1 redirect={zone}")),
    Case("SPF-07", "missing", ("error", '"v=spf1 ip4:192.0.2.1 -all"'), spf("v=spf1 ip4:192.0.2.1 include:a.{zone} -all")),
    Case("SPF-07", "missing-redirect", ("error", '"v=spf1 ip4:192.0.2.1 -all"'), spf("v=spf1 ip4:192.0.2.1 redirect=a.{zone}")),
    Case("SPF-07", "missing-below", ("error", "Tell who runs b.{zone}"), spf("v=spf1 include:a.{zone} -all", 'a TXT "v=spf1 redirect=b.{zone}"\n')),
    Case("SPF-07", "several", ("error", "has 2 SPF records"), spf("v=spf1 include:a.{zone} -all", 'a TXT "v=spf1 -all"\na TXT "v=spf1 a"\n')),
    Case("SPF-07", "unreadable", ("error", "cannot be read"), spf("v=spf1 include:a.{zone} -all", 'a TXT "v=spf1 foo"\n')),
    Case("SPF-07", "dead-include", None, spf("v=spf1 ip4:192.0.2.1 -all include:a.{zone}")),
    Case("SPF-07", "twice", ("warning", "includes a.{zone} twice"), spf("v=spf1 include:a.{zone} include:A.{zone} -all", 'a TXT "v=spf1 include:b.{zone}"\nb TXT "v=spf1 mx"\n')),
    Case("SPF-07", "twice-below", ("warning", 'Take "include:a.{zone}" out of the record of {zone}'),
         spf("v=spf1 include:a.{zone} include:b.{zone} -all", 'a TXT "v=spf1 -all"\nb TXT "v=spf1 include:a.{zone} -all"\n')),
    Case("SPF-07", "alike", ("warning", "has said already"), spf("v=spf1 a a:{zone} -all", "@ A 192.0.2.1\n")),
    Case("SPF-07", "world", ("error", "passes every IPv4 address"), spf("v=spf1 ip4:0.0.0.0/0 -all")),
    Case("SPF-07", "world-6", ("error", "passes every IPv6 address"), spf("v=spf1 a//0 -all", "@ A 192.0.2.1\n")),
    Case("SPF-07", "world-below", ("error", "include:a.{zone} → ip4:0.0.0.0/0"), spf("v=spf1 include:a.{zone} -all", 'a TXT "v=spf1 ip4:0.0.0.0/0"\n')),
    Case("SPF-07", "wide", ("warning", "passes 2^16 addresses"), spf("v=spf1 ip4:192.0.0.0/16 -all")),
    Case("SPF-07", "wide-17", None, spf("v=spf1 ip4:192.0.0.0/17 -all")),
    Case("SPF-07", "wide-6", ("warning", "passes 2^97"), spf("v=spf1 ip6:2001:db8::/31 -all")),
    Case("SPF-07", "wide-refused", None, spf("v=spf1 -ip4:0.0.0.0/0 -all")),
    # SPF-08
    Case("SPF-08", "plain", None, spf(GOOD, '@ TXT "gr\\195\\188n"\n')),
    Case("SPF-08", "alias", ("warning", "is an alias of other.{zone}"), 'www CNAME other\nother TXT "v=spf1 -all"\n', at="www"),
    Case("SPF-08", "octets", ("warning", "octets that are no text"), spf(GOOD, '@ TXT "gr\\252n"\n')),
    Case("SPF-08", "spf-octets", ("warning", "octets that are no text"), spf("v=spf1 mx \\195\\188 -all")),
    # SPF-09
    Case("SPF-09", "none", None, spf(GOOD)),
    Case("SPF-09", "same", ("info", "says the same"), spf(GOOD, f'@ SPF "{GOOD}"\n')),
    Case("SPF-09", "other", ("error", "is another than the TXT record"), spf(GOOD, '@ SPF "v=spf1 mx -all"\n')),
    Case("SPF-09", "alone", ("error", '{zone}. IN TXT "v=spf1 ip4:192.0.2.1 -all"'), f'@ SPF "{GOOD}"\n'),
]  # fmt: skip
IDS = tuple(f"SPF-0{n}" for n in range(1, 10))


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Finding]]:
    """What all SPF checks say of all cases' zones."""
    names = [case.subject for case in CASES]
    with World(
        tmp_path_factory.mktemp("spf"), zones(CASES), domains=names, host=host(*names, hostname="mx.example.org")
    ) as world:
        yield world.findings(*IDS)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(case: Case, findings: list[Finding]) -> None:
    """Each zone gets the findings that it asks for, and the zone next to it, one record apart, does not."""
    hold(case, findings)


def test_every_finding_has_a_subject_of_the_world(findings: list[Finding]) -> None:
    """No finding is made up for somebody else, and no sentence ends without its dot."""
    assert {f.subject for f in findings} <= {case.subject for case in CASES} | {"mx.example.org"}
    assert not [f.message for f in findings if f.message and not f.message.endswith(".")]


def test_apply_that_cures_is_offered(tmp_path: Path) -> None:
    """Where dnssync's own record cures what was found, `apply` is the remedy, with `--adopt` where a record of others waits for a person;
    where its own record would not cure it, it is not."""
    zones_ = {
        "a.test": '@ TXT "v=spf1 ip4:192.0.2.7 ~all"\n',
        "b.test": '@ TXT "v=spf1 ip4:192.0.2.1 ?all"\n',
        "c.test": "",
    }
    with World(tmp_path, zones_) as world:
        found = {(f.id, f.subject): f for f in world.findings("SPF-01", "SPF-03", "SPF-04")}
        assert found["SPF-01", "c.test"].fixable and found["SPF-01", "c.test"].remedy.startswith(
            "`dnssync apply` will publish it: c.test."
        )
        waits = found["SPF-03", "a.test"]
        assert not waits.fixable and waits.remedy.endswith(
            'ip4:192.0.2.1 ~all" (`dnssync apply --adopt a.test` does it)'
        )
        assert found["SPF-04", "b.test"].remedy.startswith("Set `spf: {all: fail}` for the zone b.test")


def test_every_address_and_both_families(tmp_path: Path) -> None:
    """Each address that exim sends from is judged, and one remedy passes them all."""
    mails = [MailDomain(name, addresses=(Address("192.0.2.1", "x"), Address("192.0.2.2", "x"), Address("2001:db8::1", "x")))
             for name in ("a.test", "b.test")]  # fmt: skip
    with World(tmp_path, {"a.test": f'@ TXT "{GOOD}"\n', "b.test": '@ TXT "v=spf1 ip4:192.0.2.0/30 ip6:2001:db8::/64 -all"\n'},
               host=host(hostname="mx.example.org", domains=tuple(mails)), sights={}, observed={}) as world:  # fmt: skip
        said = [f for f in world.findings("SPF-03") if f.severity == "error"]
        assert sorted(f.message.split(" gets")[0] for f in said) == [
            "Mail from a.test that leaves from 192.0.2.2", "Mail from a.test that leaves from 2001:db8::1"]  # fmt: skip
        assert len({f.remedy for f in said}) == 1


def test_the_greeting_of_mail_without_sender(tmp_path: Path) -> None:
    """A greeting whose record refuses this host loses bounces; one without a record is another check's matter."""
    text = "mx A 192.0.2.1\n"
    for end, wanted in (
        ('mx TXT "v=spf1 -all"\n', ["error"]),
        ('mx TXT "v=spf1 a -all"\n', ["ok"]),
        ('mx TXT "v=spf1 ~all"\n', ["ok"]),
        ("", []),
    ):
        with World(tmp_path, {"a.test": text + end}, domains=[], host=host("a.test", hostname="mx.a.test")) as world:
            assert world.severities("SPF-03", "mx.a.test") == wanted


@pytest.mark.parametrize(("record", "relay", "wanted", "words"), [
    ("v=spf1 a:relay.r.test -all", "relay.r.test", "ok", ""),
    ("v=spf1 ip4:192.0.2.9 -all", "relay.r.test", "unknown", "192.0.2.50 gets fail"),
    ("v=spf1 include:_mailcust.gandi.net -all", "mail.gandi.net", "ok", ""),
    ("v=spf1 ip4:192.0.2.9 -all", "mail.gandi.net", "unknown", "include:_mailcust.gandi.net -all"),
])  # fmt: skip
def test_behind_a_smarthost(tmp_path: Path, record: str, relay: str, wanted: str, words: str) -> None:
    """Its addresses pass, or the include that is known for it is there; else it is unknown, with words."""
    mail = MailDomain("a.test", smarthosts=(relay,))
    zones_ = {"a.test": f'@ TXT "{record}"\n', "r.test": "relay A 192.0.2.50\n",
              "gandi.net": '_mailcust TXT "v=spf1 ip4:198.51.100.0/24 -all"\n'}  # fmt: skip
    with World(
        tmp_path, zones_, foreign=["r.test", "gandi.net"], host=host(hostname="mx.example.org", domains=(mail,))
    ) as world:
        [found] = [f for f in world.findings("SPF-03") if f.subject == "a.test"]
        assert found.severity == wanted and words in found.message + found.remedy


def test_without_exim_it_is_unknown(tmp_path: Path) -> None:
    """Nobody knows where mail leaves from then; the record itself is judged all the same."""
    with World(
        tmp_path, {"a.test": f'@ TXT "{GOOD}"\n'}, facts={"seen": None, "decision": None, "trouble": "exim is not here"}
    ) as world:
        assert world.severities("SPF-03", "a.test") == ["unknown"]
        assert world.severities("SPF-01") == ["ok"]


def test_silence_is_unknown(tmp_path: Path) -> None:
    """A server that says nothing makes no SPF finding but unknown."""
    with World(tmp_path, {"a.test": f'@ TXT "{GOOD}"\n'}) as world:
        world.bind.stop()
        assert {(f.id, str(f.severity)) for f in world.findings(*IDS) if f.subject == "a.test"} == {
            (id, "unknown") for id in IDS
        }


def test_an_include_that_nobody_answers_for(tmp_path: Path) -> None:
    """What is proven is told, what hangs on the silent name is unknown, and never an error."""
    record = '@ TXT "v=spf1 ip4:192.0.2.1 include:x.silent.test ?all"\n'
    first = '@ TXT "v=spf1 include:x.silent.test ip4:192.0.2.1 -all"\n'
    with World(
        tmp_path, {"a.test": record, "b.test": first}
    ) as world:  # no server here has silent.test: REFUSED, which is no answer
        said = {
            f.id: [str(g.severity) for g in world.findings(f.id) if g.subject == "a.test"] for f in world.findings(*IDS)
        }
        assert said["SPF-03"] == ["ok"]  # it matches before the include is looked at
        assert said["SPF-04"] == ["warning", "unknown"]
        assert world.severities("SPF-03", "b.test") == ["unknown"]
        assert said["SPF-05"] == said["SPF-07"] == ["unknown"]


def test_two_servers_that_differ(tmp_path: Path) -> None:
    """Each server's record is judged by itself: two versions of one record are not two records."""
    with World(tmp_path / "one", {"a.test": f'@ TXT "{GOOD}"\n'}) as one, World(
        tmp_path / "two", {"a.test": '@ TXT "v=spf1 ip4:192.0.2.7 -all"\n'}
    ) as two, World(tmp_path / "three", {"a.test": ""}) as three:  # fmt: skip
        one._named = [one.bind.server, two.bind.server]
        assert one.severities("SPF-01") == ["ok"]
        [(severity, message)] = one.said("SPF-03", "a.test")
        assert severity == "error" and "192.0.2.7" in message
        one._named = [one.bind.server, three.bind.server]
        [(severity, message)] = one.said("SPF-01")
        assert severity == "error" and three.bind.server in message and one.bind.server not in message
        two.bind.stop()
        one._named = [two.bind.server, three.bind.server]
        assert one.severities("SPF-01") == ["error", "unknown"]


def test_cname_and_txt_at_the_provider(tmp_path: Path) -> None:
    """What no server would load, a provider's reading may still show."""
    with World(tmp_path, {"a.test": '@ TXT "v=spf1 -all"\nwww TXT "v=spf1 -all"\n'}, domains=["www.a.test"]) as world:
        assert world.severities("SPF-08") == ["ok"]
        seen = world.facts().observed()
        found = {
            **seen.zones[0].found["none"],
            ("www", "CNAME"): RRset("www", "CNAME", 300, (Value("a.test.", "a.test."),)),
        }
        world._facts["seen"] = replace(seen, zones=(replace(seen.zones[0], found={"none": found}),))
        [(severity, message)] = world.said("SPF-08")
        assert severity == "warning" and "At none, www.a.test has a CNAME" in message


def test_a_fault_of_the_library() -> None:
    """Where pyspf itself goes wrong, there is no result of it, and no crash."""

    def dns(name: str, kind: str) -> tuple[str, ...]:
        return ("not a preference",)

    opinion = by_pyspf("v=spf1 mx -all", ip="192.0.2.1", sender="a@a.test", helo="a.test", dns=dns)
    assert opinion.result == "" and opinion.words.startswith("ValueError: ")


def test_evaluations_do_not_meet() -> None:
    """Two evaluations have nothing in common, and pyspf's own door to DNS is not touched."""
    before = (pyspf.DNSLookup, pyspf.query.dns)
    for passed, wanted in (("192.0.2.1", "pass"), ("192.0.2.7", "fail")):
        answers = {("a.test", "A"): (passed,)}
        told = by_pyspf(
            "v=spf1 a -all",
            ip="192.0.2.1",
            sender="x@a.test",
            helo="a.test",
            dns=lambda n, k, a=answers: a.get((n, k), ()),
        )
        assert told.result == wanted
    assert (pyspf.DNSLookup, pyspf.query.dns) == before
