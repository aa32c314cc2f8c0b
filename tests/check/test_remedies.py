"""Remedies where dnssync writes the record: they name the configuration, and no record that `apply` would undo or that costs mail."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dnssync.check.finding import Finding
from dnssync.core.host import Host, MailDomain
from dnssync.core.policy import DmarcPolicy, MailPolicy, SpfPolicy
from tests.check.world import World
from tests.zonetext import host

HOST = "mx.a.test"


def spf(**options: object) -> MailPolicy:
    """A policy with these options of `spf:`."""
    return MailPolicy(spf=replace(SpfPolicy(), **options))  # type: ignore[arg-type]


def dmarc(*explicit: str, **options: object) -> MailPolicy:
    """A policy with these options of `dmarc:`, which the zone itself names."""
    return MailPolicy(dmarc=replace(DmarcPolicy(), explicit=frozenset({*options, *explicit}), **options))  # type: ignore[arg-type]


def only(found: list[Finding], id: str, subject: str, severity: str) -> Finding:
    """The one finding of that check and severity about a subject."""
    [one] = [f for f in found if (f.id, f.subject, str(f.severity)) == (id, subject, severity)]
    return one


def test_a_policy_of_none_is_changed_in_the_configuration(tmp_path: Path) -> None:
    """By hand, p=quarantine would stand against `p: none` of the zone, and the next pass would take it back. What the remedy says is enough."""
    zones = {"a.test": '_dmarc TXT "v=DMARC1; p=none"\n', "test": ""}
    with World(tmp_path, zones, foreign=["test"], policies={"a.test": dmarc(p="none")}) as world:
        found = only(world.findings("DMARC-03"), "DMARC-03", "a.test", "warning")
        assert (
            "Set `dmarc: {p: quarantine}` for the zone a.test in the configuration" in found.remedy
            and not found.fixable
        )
    with World(tmp_path, zones, foreign=["test"], policies={"a.test": dmarc(p="quarantine")}) as world:
        wanted = world.facts().wanted("_dmarc.a.test", "TXT") or ""
        assert wanted.startswith("v=DMARC1; p=quarantine")


def test_an_inherited_policy_of_none(tmp_path: Path) -> None:
    """A sub-domain that dnssync gives a record to gets its policy from the configuration, too."""
    with World(tmp_path, {"a.test": '_dmarc TXT "v=DMARC1; p=none"\n', "test": ""}, foreign=["test"], domains=["sub.a.test"]) as world:  # fmt: skip
        found = only(world.findings("DMARC-03"), "DMARC-03", "sub.a.test", "warning")
        assert "Set `dmarc: {p: quarantine}` for the zone a.test" in found.remedy


def test_a_weak_sub_policy_of_the_configuration(tmp_path: Path) -> None:
    """sp= from the configuration is set there; one of somebody else's is taken out of the record."""
    zones = {
        name: f'_dmarc TXT "v=DMARC1; p=reject; sp=none; rua=mailto:postmaster@{name}"\n'
        for name in ("a.test", "b.test")
    }
    policies = {"a.test": dmarc(p="reject", sp="none"), "b.test": dmarc(p="reject")}
    with World(tmp_path, {**zones, "test": ""}, foreign=["test"], policies=policies) as world:
        found = world.findings("DMARC-03")
        assert "`dmarc: {sp: reject}` for the zone a.test" in only(found, "DMARC-03", "a.test", "warning").remedy
        assert only(found, "DMARC-03", "b.test", "warning").remedy.startswith("Publish: _dmarc.b.test. IN TXT")


def test_the_hosts_own_name_is_not_told_of_twice(tmp_path: Path) -> None:
    """Its open policy is its domain's, told there; where the domain's is strict, or is nobody's here, it is told of itself."""
    for above, told, wanted in (("none", True, []), ("quarantine", True, ["warning"]), ("none", False, ["warning"])):
        zones = {"a.test": f'_dmarc TXT "v=DMARC1; p={above}"\n_dmarc.mx TXT "v=DMARC1; p=none"\n', "test": ""}
        domains = [*(["a.test"] if told else []), HOST]
        with World(tmp_path, zones, foreign=["test"], domains=domains, host=host(*domains, hostname=HOST)) as world:
            said = [f for f in world.findings("DMARC-03") if f.subject == HOST and f.severity != "ok"]
            assert [str(f.severity) for f in said] == wanted, (above, told)


def test_a_policy_that_lists_suffer_from(tmp_path: Path) -> None:
    """Told of a domain with mailboxes, also where it is this host's name; not of the host's own name below one that is told of."""
    text = '_dmarc TXT "v=DMARC1; p=reject"\n_dmarc.mx TXT "v=DMARC1; p=reject"\n'
    for name, wanted in ((HOST, ["info", "ok"]), ("a.test", ["info", "info"])):
        with World(
            tmp_path,
            {"a.test": text, "test": ""},
            foreign=["test"],
            domains=["a.test", HOST],
            host=host("a.test", HOST, hostname=name),
        ) as world:
            assert world.severities("DMARC-03") == wanted


def test_other_sub_domains_are_told_of(tmp_path: Path) -> None:
    """Another mail domain below has a policy of its own, whatever stands above it."""
    zones = {"a.test": '_dmarc TXT "v=DMARC1; p=none"\n_dmarc.b TXT "v=DMARC1; p=none"\n', "test": ""}
    with World(tmp_path, zones, foreign=["test"], domains=["a.test", "b.a.test"]) as world:
        assert world.severities("DMARC-03") == ["warning", "warning"]


def test_the_hosts_own_name_needs_no_mx_for_reports(tmp_path: Path) -> None:
    """Mail for it comes by its address; of another name without MX that is told."""
    zones = {
        "a.test": f'mx A 192.0.2.1\n_dmarc.mx TXT "v=DMARC1; p=reject; rua=mailto:postmaster@{HOST}"\n',
        "test": "",
    }
    for name, wanted in ((HOST, ["ok"]), ("mx2.a.test", ["info"])):
        with World(tmp_path, zones, foreign=["test"], domains=[HOST], host=host(HOST, hostname=name)) as world:
            assert world.severities("DMARC-05") == wanted


def test_reports_that_the_configuration_does_not_ask_for(tmp_path: Path) -> None:
    """Without rua in the configuration it is set there; where exim refuses postmaster@, no report address that bounces is published."""
    zones = dict.fromkeys(("a.test", "b.test"), '_dmarc TXT "v=DMARC1; p=reject"\n')
    told = host("a.test", "b.test")
    told = replace(
        told, domains=tuple(replace(m, accepts=m.accepts if m.name == "a.test" else frozenset()) for m in told.domains)
    )
    with World(
        tmp_path, {**zones, "test": ""}, foreign=["test"], host=told, policies={"a.test": dmarc(rua=())}
    ) as world:
        found = world.findings("DMARC-04")
        assert only(found, "DMARC-04", "a.test", "warning").remedy.startswith(
            "Set `dmarc: {rua: ['mailto:postmaster@{domain}']}` for the zone a.test"
        )
        refused = only(found, "DMARC-04", "b.test", "warning").remedy
        assert (
            refused.startswith("exim takes no mail for postmaster@b.test: create that mailbox")
            and "IN TXT" not in refused
        )


def test_what_is_kept_of_an_unreadable_dmarc_record(tmp_path: Path) -> None:
    """The record to publish is one: values that are none stay out of it."""
    text = '_dmarc TXT "v=DMARC1; p=; sp=all; rua=a@a.test,mailto:b@a.test; rua=x"\n'
    with World(tmp_path, {"a.test": text, "test": ""}, foreign=["test"]) as world:
        found = only(world.findings("DMARC-02"), "DMARC-02", "a.test", "error")
        assert found.remedy == 'Publish: _dmarc.a.test. IN TXT "v=DMARC1; p=none; rua=mailto:b@a.test"'


def test_terms_of_the_configuration_go_there(tmp_path: Path) -> None:
    """An include that nothing stands at any more: dnssync would put it back, so the remedy names `spf: {extra: …}`; not where others wrote it."""
    zones = dict.fromkeys(
        ("a.test", "b.test"), '@ MX 10 mx\nmx A 192.0.2.1\n@ TXT "v=spf1 ip4:192.0.2.1 mx include:dead.test -all"\n'
    )
    with World(
        tmp_path, {**zones, "test": ""}, foreign=["test"], policies={"a.test": spf(extra=("include:dead.test",))}
    ) as world:
        found = world.findings("SPF-07")
        ours = only(found, "SPF-07", "a.test", "error").remedy
        assert (
            'IN TXT "v=spf1 ip4:192.0.2.1 mx -all". In the configuration, take include:dead.test out of `spf: {extra: …}` for the zone a.test'
            in ours
        )
        assert only(found, "SPF-07", "b.test", "error").remedy.endswith('IN TXT "v=spf1 ip4:192.0.2.1 mx -all"')


def test_what_lies_deeper_goes_by_its_root(tmp_path: Path) -> None:
    """A broken record below an include of the configuration: that include is named. A loop is cut where it closes, in the other record."""
    zones = {"a.test": '@ TXT "v=spf1 ip4:192.0.2.1 include:b.test -all"\n', "test": ""}
    for below, wanted in (("include:dead.test", True), ("include:a.test", False)):
        other = {"b.test": f'@ TXT "v=spf1 {below} -all"\n'}
        policies = {"a.test": spf(extra=("include:b.test",))}
        with World(tmp_path, {**zones, **other}, foreign=["b.test", "test"], policies=policies) as world:
            found = only(world.findings("SPF-07"), "SPF-07", "a.test", "error")
            assert ("take include:b.test out of `spf: {extra: …}`" in found.remedy) is wanted, found


def test_an_open_include_of_the_configuration(tmp_path: Path) -> None:
    """One that passes the world goes where it comes from, at every depth."""
    zones = {
        "a.test": '@ TXT "v=spf1 ip4:192.0.2.1 include:b.test -all"\n',
        "b.test": '@ TXT "v=spf1 include:c.b.test -all"\nc TXT "v=spf1 +all"\n',
    }
    for policy, wanted in ((spf(extra=("include:b.test",)), True), (MailPolicy(), False)):
        with World(tmp_path, {**zones, "test": ""}, foreign=["b.test", "test"], policies={"a.test": policy}) as world:
            found = only(world.findings("SPF-04"), "SPF-04", "a.test", "error")
            assert ("take include:b.test out of `spf: {extra: …}` for the zone a.test" in found.remedy) is wanted, found


def test_mechanisms_of_the_configuration_go_there(tmp_path: Path) -> None:
    """A record that is cheaper without `mx`, which dnssync publishes by itself."""
    many = " ".join(f"a:h{n}.a.test" for n in range(10))
    zone = f'@ MX 10 h0\n@ TXT "v=spf1 mx ip4:192.0.2.1 {many} -all"\n' + "".join(
        f"h{n} A 192.0.2.1\n" for n in range(10)
    )
    for policy, wanted in ((MailPolicy(), True), (spf(mechanisms=("addresses",)), False)):
        with World(tmp_path, {"a.test": zone, "test": ""}, foreign=["test"], policies={"a.test": policy}) as world:
            found = only(world.findings("SPF-05"), "SPF-05", "a.test", "error")
            assert ("set `spf: {mechanisms: [a, addresses]}` for the zone a.test" in found.remedy) is wanted, (
                found.remedy
            )
            assert found.remedy.startswith('Publish: a.test. IN TXT "v=spf1 ip4:192.0.2.1')


def test_a_record_without_its_broken_include_passes_this_host(tmp_path: Path) -> None:
    """`v=spf1 -all` in the place of a lone include that is broken would refuse all mail of the domain, with and without a plan."""
    zones = {"a.test": '@ MX 10 mx\nmx A 192.0.2.1\n@ TXT "v=spf1 include:dead.test -all"\n', "test": ""}
    for more, wanted in (
        ({}, "mx ip4:192.0.2.1"),
        ({"decision": None, "trouble": "the state is gone"}, "ip4:192.0.2.1"),
    ):
        with World(tmp_path, zones, foreign=["test"], facts=more) as world:
            found = only(world.findings("SPF-07"), "SPF-07", "a.test", "error")
            assert f'IN TXT "v=spf1 {wanted} -all"' in found.remedy, found.remedy


def test_several_records_become_one_that_counts(tmp_path: Path) -> None:
    """Redirects of both are included: beside `all` they count for nothing, and two of them are permerror."""
    text = '@ TXT "v=spf1 ip4:192.0.2.1 redirect=x.test"\n@ TXT "v=spf1 redirect=y.test"\n'
    with World(tmp_path, {"a.test": text, "test": ""}, foreign=["test"]) as world:
        found = only(world.findings("SPF-01"), "SPF-01", "a.test", "error")
        assert 'IN TXT "v=spf1 ip4:192.0.2.1 include:x.test include:y.test -all"' in found.remedy


def test_a_first_record_behind_an_unknown_relay(tmp_path: Path) -> None:
    """Nobody here knows what the relay sends from: a record made up would refuse the domain's mail. Where it is configured, `apply` does it."""
    told = Host(hostname=HOST, version="4.98", config_file="/exim.conf", helo=(HOST,), domains=(MailDomain("a.test", smarthosts=("relay.r.test",)),))  # fmt: skip
    for policy, wanted in (
        (MailPolicy(), "Ask the operator of relay.r.test"),
        (spf(extra=("include:r.test",)), "`dnssync apply` will publish it"),
    ):
        with World(
            tmp_path, {"a.test": "", "test": ""}, foreign=["test"], host=told, policies={"a.test": policy}
        ) as world:
            found = only(world.findings("SPF-01"), "SPF-01", "a.test", "error")
            assert found.remedy.startswith(wanted), found.remedy


def test_an_ending_of_the_configuration(tmp_path: Path) -> None:
    """`all: neutral` of the zone would take a -all back that somebody published by hand."""
    with World(tmp_path, {"a.test": '@ TXT "v=spf1 ip4:192.0.2.1 ?all"\n', "test": ""}, foreign=["test"],
               policies={"a.test": spf(all="neutral", all_explicit=True)}) as world:  # fmt: skip
        found = only(world.findings("SPF-04"), "SPF-04", "a.test", "warning")
        assert found.remedy == "Set `spf: {all: fail}` for the zone a.test in the configuration, then `dnssync apply`."


# --- MX, reverse DNS, the greeting, parked domains ------------------------------------------------------------------------


def test_the_mx_of_a_domain_that_is_received_elsewhere(tmp_path: Path) -> None:
    """exim would refuse its mail, so this host is never the MX to publish; it is where exim takes the domain."""
    zones = {"none.test": "", "implicit.test": "@ A 192.0.2.9\n", "literal.test": "@ MX 10 192.0.2.9.\n"}
    ids = {"none.test": "MX-01", "implicit.test": "MX-03", "literal.test": "MX-04"}
    for local, wanted in ((False, "exim here does not, so it cannot be this host"), (True, "IN MX 10 mx.example.org.")):
        told = host(*zones, hostname="mx.example.org")
        told = replace(told, domains=tuple(replace(mail, local=local) for mail in told.domains))
        with World(tmp_path, zones, host=told) as world:
            found = [f for f in world.findings("MX-01", "MX-03", "MX-04") if ids.get(f.subject) == f.id]
            assert len(found) == 3 and all(wanted in f.remedy for f in found), found


def test_the_hosts_own_name_without_address(tmp_path: Path) -> None:
    """An MX that names the name itself would lead nowhere either."""
    with World(tmp_path, {"a.test": ""}, domains=["a.test", HOST], host=host("a.test", HOST, hostname=HOST)) as world:
        found = world.findings("MX-01")
        assert only(found, "MX-01", HOST, "error").remedy.startswith("Publish its address (A-01)")
        assert f"IN MX 10 {HOST}." in only(found, "MX-01", "a.test", "error").remedy


def test_the_root_is_no_name_of_an_address(tmp_path: Path) -> None:
    """`PTR .` is how some providers write that there is no name."""
    for text, wanted in (("1 PTR .\n", ["error"]), (f"1 PTR {HOST}.\n", ["ok"])):
        zones = {"a.test": "mx A 192.0.2.1\n", "2.0.192.in-addr.arpa": text}
        with World(tmp_path, zones, host=host("a.test", hostname=HOST)) as world:
            assert world.severities("PTR-01") == wanted


def test_a_name_of_somebody_elses_is_not_ours_to_give_an_address(tmp_path: Path) -> None:
    """The address of a provider's name is the provider's to publish; a name in a configured zone is ours."""
    for name, wanted in (
        ("server1.isp.test", "Have it set by"),
        ("old.a.test", "Publish: old.a.test. IN A 192.0.2.1. Or have the name changed: have"),
    ):
        zones = {"a.test": "mx A 192.0.2.1\n", "isp.test": "", "2.0.192.in-addr.arpa": f"1 PTR {name}.\n"}
        with World(tmp_path, zones, foreign=["isp.test"], host=host("a.test", hostname=HOST)) as world:
            assert only(world.findings("PTR-02"), "PTR-02", "192.0.2.1", "error").remedy.startswith(wanted)


def test_a_reverse_name_that_leads_into_a_zone_of_ours(tmp_path: Path) -> None:
    """Delegated by a CNAME (RFC 2317) into a configured zone, the record is nobody else's to set."""
    for target, wanted in (
        ("1.rev.a.test", "Publish: 1.rev.a.test. IN PTR mx.a.test."),
        ("1.rev.isp.test", "Have it set by"),
    ):
        zones = {"a.test": "mx A 192.0.2.1\n", "isp.test": "", "2.0.192.in-addr.arpa": f"1 CNAME {target}.\n"}
        with World(tmp_path, zones, foreign=["isp.test"], host=host("a.test", hostname=HOST)) as world:
            assert only(world.findings("PTR-01"), "PTR-01", "192.0.2.1", "error").remedy.startswith(wanted)


def test_a_greeting_whose_record_others_need(tmp_path: Path) -> None:
    """A record that cannot be evaluated may pass others' mail: it is mended, not replaced. What `apply` adds has to cure what was found."""
    zone = 'mx A 192.0.2.1\nmx TXT "{}"\n'
    for text, wanted in (
        ("v=spf1 include:dead.test -all", "Receivers cannot evaluate that record: mend it first"),
        ("v=spf1 -ip4:192.0.2.1 -all", "Add to that record"),
    ):
        zones = {"a.test": zone.format(text), "test": ""}
        policies = {"a.test": MailPolicy(adopt=True)}
        with World(tmp_path, zones, foreign=["test"], host=host("a.test", hostname=HOST), policies=policies) as world:
            found = only(world.findings("HELO-02"), "HELO-02", HOST, "warning")
            assert found.remedy.startswith(wanted) and not found.fixable, found


def test_a_parked_domain_that_people_write_to(tmp_path: Path) -> None:
    """It never sends, but exim takes mail for it: a null MX would lose that, so it is not asked for outright. Not so where exim does not."""
    zone = '@ TXT "v=spf1 -all"\n@ MX 10 mx.a.test.\n_dmarc TXT "v=DMARC1; p=reject"\n'
    for local, severity in ((True, "info"), (False, "warning")):
        told = host("p.test", hostname=HOST)
        told = replace(told, domains=tuple(replace(mail, local=local) for mail in told.domains))
        with World(tmp_path, {"p.test": zone, "test": ""}, foreign=["test"], parked=["p.test"], host=told) as world:
            found = only(world.findings("PARK-01"), "PARK-01", "p.test", severity)
            assert found.remedy.startswith("Where nob") and found.remedy.endswith("p.test. IN MX 0 ."), found


def test_a_record_behind_a_cname(tmp_path: Path) -> None:
    """A DMARC service holds the record: beside the CNAME dnssync writes nothing, so neither option nor record is the remedy, and its own report
    address is not missed there."""
    service = '@ MX 10 mx\nmx A 192.0.2.3\nd TXT "v=DMARC1; p=none; rua=mailto:x@service.test"\n*._report._dmarc TXT "v=DMARC1"\n'
    zones = {"a.test": "_dmarc CNAME d.service.test.\n", "service.test": service, "test": ""}
    with World(tmp_path, zones, foreign=["service.test", "test"]) as world:
        found = only(world.findings("DMARC-03"), "DMARC-03", "a.test", "warning")
        assert "_dmarc.a.test is a CNAME for d.service.test: change the record there" in found.remedy, found
        assert world.severities("DMARC-05", "a.test") == ["ok"]
    zones["a.test"] = '_dmarc TXT "v=DMARC1; p=none; rua=mailto:x@service.test"\n'
    with World(tmp_path, zones, foreign=["service.test", "test"]) as world:
        assert (
            "Set `dmarc: {p: quarantine}`" in only(world.findings("DMARC-03"), "DMARC-03", "a.test", "warning").remedy
        )


@pytest.mark.parametrize(
    ("name", "severity"),
    [("localhost.localdomain", "error"), ("mx.office.lan", "error"), ("[192.0.2.1]", "error"), (HOST, "ok")],
)
def test_a_name_that_the_world_cannot_have(tmp_path: Path, name: str, severity: str) -> None:
    """A record for it would help nobody: exim needs another name, and no MX nor PTR record is to name this one."""
    zones = {"a.test": "@ MX 10 mx\nmx A 192.0.2.1\n", "2.0.192.in-addr.arpa": ""}
    with World(tmp_path, zones, host=host("a.test", hostname=name)) as world:
        found = world.findings("HELO-01", "A-01", "MX-01", "PTR-01")
        greeting = only(found, "HELO-01", name, severity)
        assert not greeting.remedy or greeting.remedy.startswith("Set `primary_hostname`")
        assert only(found, "A-01", name, severity).severity == severity
        if severity == "error":
            assert not [f for f in found if name in f.remedy]


def test_a_report_address_that_no_name_can_have(tmp_path: Path) -> None:
    """It is known to be none, not unknown for a look-up that cannot be made."""
    long = "b" * 64
    for at, wanted in (
        ("x..y", ["error"]),
        (".x.test", ["error"]),
        (f"{long}.test", ["error"]),
        ("localhost", ["error"]),
        (f"{long[1:]}.test", []),
    ):
        text = f'_dmarc TXT "v=DMARC1; p=reject; rua=mailto:postmaster@a.test,mailto:b@{at}"\n'
        with World(tmp_path, {"a.test": text, "test": ""}, foreign=["test"]) as world:
            found = [f for f in world.findings("DMARC-04", "DMARC-05") if f.id == "DMARC-04" and f.severity != "ok"]
            assert [str(f.severity) for f in found] == wanted, (at, found)
            assert not found or found[0].remedy.endswith('rua=mailto:postmaster@a.test"')


def test_without_exim_its_names_are_unknown(tmp_path: Path) -> None:
    """The system's own name may be short, or in no DNS: whether exim greets with it, nobody knows then."""
    for name in ("web1", "web1.a.test"):
        facts = {"seen": None, "decision": None, "trouble": "exim cannot use its configuration", "hostname": name}
        with World(tmp_path, {"a.test": ""}, facts=facts) as world:
            assert world.said("A-01") == world.said("HELO-01") == [("unknown", "exim cannot use its configuration.")]


def test_all_faults_of_a_dmarc_record_have_one_remedy(tmp_path: Path) -> None:
    """Of several faults each names the same record, which has none of them: whoever publishes one after the other ends well."""
    text = "v=DMARC1; p=reject; pct=20; ri=86400; adkim=x; fo=0:1; ruf=mailto:b@a.test; rua=mailto:a@a.test!10m,mailto:c@a.test"
    cured = "v=DMARC1; p=reject; ruf=mailto:b@a.test; rua=mailto:a@a.test,mailto:c@a.test"
    with World(tmp_path, {"a.test": f'_dmarc TXT "{text}"\n', "b.test": f'_dmarc TXT "{cured}"\n', "test": ""}, foreign=["test"]) as world:  # fmt: skip
        found = [f for f in world.findings("DMARC-02") if f.severity != "ok"]
        assert {f.subject for f in found} == {"a.test"} and len(found) == 5
        assert {f.remedy.partition(" IN TXT ")[2].partition(" (")[0] for f in found} == {f'"{cured}"'}


def test_a_changed_txt_beside_type_spf(tmp_path: Path) -> None:
    """Where type SPF still says what dnssync wants, the TXT record is the wrong one: nobody is told to let both refuse this host's mail."""
    told, wanted = host("a.test", hostname=HOST), "v=spf1 mx ip4:192.0.2.1 -all"
    for old, right in ((wanted, True), ("v=spf1 mx -all", False)):
        zones = {"a.test": f'@ MX 10 mx\nmx A 192.0.2.1\n@ TXT "v=spf1 -all"\n@ SPF "{old}"\n', "test": ""}
        with World(tmp_path, zones, foreign=["test"], host=told) as world:
            assert world.facts().wanted("a.test", "TXT") == wanted
            remedy = only(world.findings("SPF-09"), "SPF-09", "a.test", "error").remedy
            assert (f'a.test. IN TXT "{wanted}"' in remedy) is right and ("Delete it" in remedy) is not right, remedy
