"""Those who run octodns-sync already: dnssync decides, octodns writes. Real exim, real BIND, the real octodns-sync as a process."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dns.query
import dns.tsigkeyring
import dns.update
import pytest
from octodns.zone import Zone

from dnssync.core.model import Owner
from dnssync.octodns import DnssyncSource
from dnssync.state import LedgerEntry, State
from tests.bind import Bind
from tests.exim_host import EximHost
from tests.octodns_sync import Octodns
from tests.powerdns import PowerDns
from tests.site_under_test import DOMAIN, IP, ZONE, Site

SPF = f"v=spf1 include:_spf.example.net mx a ip4:{IP} -all"
# What the administrator's own files say. The apex TXT is theirs and dnssync's, the DMARC record too.
RECORDS: dict[str, Any] = {
    "": [
        {"type": "MX", "value": {"preference": 10, "exchange": f"mx.{DOMAIN}."}},
        {"type": "A", "value": IP},
        {"type": "TXT", "ttl": 600, "values": ["site-verification=abc", "v=spf1 include:_spf.example.net -all"]},
    ],
    "mx": {"type": "A", "value": IP},
    "ns1": {"type": "A", "value": "127.0.0.1"},
    "_dmarc": {"type": "TXT", "value": "v=DMARC1\\; p=reject"},
}


class ForOctodns(Site):
    """The same host; its zone is written by octodns alone, and dnssync's provider is a web form that nobody uses."""

    def write(self, zone: str = "") -> None:
        """The configuration, with a provider that writes nothing, and octodns' own beside it."""
        super().write(zone)
        text = json.loads(self.config.read_text())
        text["providers"] = {"bind": {"class": "manual", "type99": True}}
        self.config.write_text(json.dumps(text))
        self.octodns = Octodns(self.folder / "octodns", {})
        self.octodns.config = {
            "providers": {"files": self.octodns.yaml,
                          "target": {"class": "dnssync_providers.octodns.Rfc2136Provider", **self.bind.options()}},
            "processors": {"dnssync": {"class": "dnssync.octodns.DnssyncProcessor", "config": str(self.config)}},
            "zones": {f"{DOMAIN}.": {"sources": ["files"], "targets": ["target"], "processors": ["dnssync"]}},
        }  # fmt: skip
        self.octodns.records(DOMAIN, RECORDS)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[ForOctodns]:
    """Everything running; the zone holds what the administrator's files say."""
    zone = (
        ZONE.replace('@ 300 IN TXT "v=spf10 is not SPF"\n', "")
        + '@ 300 IN TXT "v=spf1 include:_spf.example.net -all"\n'
    )
    with (
        EximHost(hostnames=(DOMAIN,)) as exim,
        Bind(tmp_path / "bind", {DOMAIN: zone, "example.net": '_spf IN TXT "v=spf1 ip4:192.0.2.9 -all"'}) as bind,
    ):
        exim.switched()
        made = ForOctodns(tmp_path, exim, bind)
        text = json.loads(made.config.read_text())
        text["zones"]["example.net"] = {"provider": "bind", "nameservers": [bind.server], "domains": []}
        made.config.write_text(json.dumps(text))
        yield made


@pytest.mark.bind
@pytest.mark.exim
def test_octodns_writes_what_dnssync_decides(site: ForOctodns) -> None:
    """An error before dnssync has spoken → apply --adopt → octodns-sync → the keys sign → nothing is left to either."""
    code, out = site.octodns.run("octodns-sync", "--doit", "--force")
    assert code == 1 and f"{DOMAIN}: dnssync has no records for it at bind yet" in out

    assert site.run("apply", "--yes", "--adopt", DOMAIN)[0] == 0
    site.octodns.sync("--doit", "--force")
    assert sorted(site.bind.texts(DOMAIN)) == sorted(["site-verification=abc", SPF])
    [dmarc] = site.bind.texts(f"_dmarc.{DOMAIN}")
    assert dmarc.startswith("v=DMARC1; p=reject; rua=mailto:postmaster@")
    assert site.bind.texts(DOMAIN, "SPF") == [SPF]
    assert site.octodns.quiet()

    code, out = site.run("plan", DOMAIN)
    assert code == 0, out
    code, out = site.run("apply", "--yes", "--wait", DOMAIN)
    assert code == 0, out
    [received] = site.exim.send(f"From: a@{DOMAIN}\nSubject: x\n\nText.\n".encode(), sender=f"a@{DOMAIN}")
    assert received.data.count(b"DKIM-Signature:") == 2
    site.octodns.sync("--doit", "--force")  # the keys that stand by now
    assert site.octodns.quiet()

    # The administrator's files go on as before: a new include and a stricter policy arrive, and dnssync agrees.
    changed = json.loads(json.dumps(RECORDS).replace("include:_spf.example.net", "ip4:192.0.2.9").replace("abc", "def"))
    site.octodns.records(DOMAIN, changed)
    site.octodns.sync("--doit", "--force")
    spf = SPF.replace("include:_spf.example.net", "ip4:192.0.2.9")
    assert sorted(site.bind.texts(DOMAIN)) == sorted(["site-verification=def", spf])
    code, out = site.run("apply", "--yes", DOMAIN)
    assert code == 0, out
    site.octodns.sync("--doit", "--force")
    assert site.bind.texts(DOMAIN, "SPF") == [spf]
    assert site.run("plan", DOMAIN)[0] == 0 and site.octodns.quiet()


class ByPlugin(Site):
    """The same host, its zone written by octodns-bind as dnssync's provider."""

    def write(self, zone: str = "") -> None:
        """The configuration, with octodns' class by its dotted path."""
        super().write(zone)
        text = json.loads(self.config.read_text())
        text["providers"]["bind"]["class"] = "octodns_bind.Rfc2136Provider"
        self.config.write_text(json.dumps(text))


@pytest.mark.bind
@pytest.mark.exim
def test_a_plugin_of_octodns_as_provider(tmp_path: Path) -> None:
    """plan tells what the plug-in cannot do and refuses what it might alter; with plain texts at the apex, the keys sign."""
    with EximHost(hostnames=(DOMAIN,)) as exim, Bind(tmp_path / "bind", {DOMAIN: ZONE}) as bind:
        exim.switched()
        site = ByPlugin(tmp_path, exim, bind)
        before = bind.transfer(DOMAIN)
        code, out = site.run("plan", "--json")
        [zone] = json.loads(out)["zones"]
        assert code == 3 and [refusal["reason"] for refusal in zone["refusals"]] == ["foreign_not_plain"], out
        assert [notice["reason"] for notice in zone["notices"]] == ["octodns_no_swap"]
        assert site.run("apply", "--yes")[0] == 3 and bind.transfer(DOMAIN) == before

        update = dns.update.UpdateMessage(DOMAIN, keyring=dns.tsigkeyring.from_text({bind.key_name: bind.secret}))
        update.delete("@", "TXT", '"site-verification=abc" "def"')
        assert dns.query.tcp(update, "127.0.0.1", port=bind.port, timeout=5).rcode() == 0
        code, out = site.run("apply", "--yes", "--wait")
        assert code == 0 and "octodns_bind.Rfc2136Provider" in out, out
        assert sorted(bind.texts(DOMAIN)) == ["v=spf1 mx a ip4:46.101.91.82 -all", "v=spf10 is not SPF"]
        assert bind.texts(DOMAIN, "SPF") == [f"v=spf1 mx a ip4:{IP} -all"]
        [received] = exim.send(f"From: a@{DOMAIN}\nSubject: x\n\nText.\n".encode(), sender=f"a@{DOMAIN}")
        assert received.data.count(b"DKIM-Signature:") == 2
        assert site.run("plan")[0] == 0
        after = bind.transfer(DOMAIN)
        assert all(after[key] == value for key, value in before.items() if key[1] not in ("TXT", "SPF"))


# --- the merging alone, with a state that is written here -----------------------------------------------------------


class Told:
    """dnssync's state as a pass left it, and octodns before a real PowerDNS."""

    def __init__(self, folder: Path, pdns: PowerDns) -> None:
        self.pdns = pdns
        self.config = folder / "dnssync.yaml"
        text = {"providers": {"form": {"class": "manual"}}, "zones": {DOMAIN: {"provider": "form"}},
                "state": f"sqlite:///{folder}/state.db", "keys": str(folder / "keys")}  # fmt: skip
        self.config.write_text(json.dumps(text))
        self.state = State.open(text["state"], host=platform.node())  # type: ignore[arg-type]
        self.octodns = Octodns(folder / "octodns", {})
        self.octodns.config = {
            "providers": {"files": self.octodns.yaml,
                          "told": {"class": "dnssync.octodns.DnssyncSource", "config": str(self.config)},
                          "target": {"class": "octodns_powerdns.PowerDnsProvider", **pdns.options()}},
            "processors": {"dnssync": {"class": "dnssync.octodns.DnssyncProcessor", "config": str(self.config)}},
        }  # fmt: skip
        self.records({})

    def entry(
        self, name: str, owner: Owner, value: str, *, added: str = "", ttl: int = 300, kind: str = "TXT"
    ) -> LedgerEntry:
        """A value that dnssync wrote or gave to somebody."""
        return LedgerEntry(DOMAIN, "form", name, kind, owner, DOMAIN, value, ttl, 7, added)

    def records(self, records: dict[str, Any]) -> None:
        """The administrator's files, with the MX and NS records that are always there."""
        apex = [{"type": "NS", "ttl": 3600, "value": f"ns1.{DOMAIN}."}, *records.get("", [])]
        self.octodns.records(DOMAIN, {"ns1": {"type": "A", "ttl": 3600, "value": "127.0.0.1"}, **records, "": apex})

    def sync(self, *, source: bool = False) -> None:
        """octodns-sync with the source, or with the processor."""
        more = {"sources": ["files", "told"]} if source else {"sources": ["files"], "processors": ["dnssync"]}
        self.octodns.config["zones"] = {f"{DOMAIN}.": {"targets": ["target"], **more}}

    def texts(self, name: str = "") -> list[str]:
        """What PowerDNS serves."""
        found = self.pdns.transfer(DOMAIN).get((f"{name}.{DOMAIN}.".removeprefix("."), "TXT"), (0, frozenset()))[1]
        return sorted(wire[1:].decode() for wire in found)


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    """A zone with a stranger's text at its apex."""
    with PowerDns(tmp_path / "pdns", {DOMAIN: '@ 900 IN TXT "a stranger\'s"\n@ 900 IN TXT "v=spf1 -all"\n'}) as pdns:
        yield Told(tmp_path, pdns)


@pytest.mark.powerdns
def test_source(told: Told) -> None:
    """The records as they are, beside the files'; a place that both have is octodns' to refuse."""
    key = told.entry("s._domainkey", Owner.DKIM, "v=DKIM1; k=ed25519; p=AAAA")
    told.state.record_applied([told.entry("", Owner.SPF, "v=spf1 mx -all", ttl=-1), key])
    told.sync(source=True)
    told.octodns.sync("--doit")
    assert told.texts() == ["v=spf1 mx -all"] and told.texts("s._domainkey") == ["v=DKIM1; k=ed25519; p=AAAA"]
    assert told.octodns.quiet()
    told.records({"": [{"type": "TXT", "value": "mine"}]})
    code, out = told.octodns.run("octodns-sync")
    assert code == 1 and "Duplicate record" in out


@pytest.mark.powerdns
def test_where_the_files_say_nothing(told: Told) -> None:
    """Ours goes beside what others put there at the target, with their TTL; a selector's record is made."""
    told.state.record_applied(
        [
            told.entry("", Owner.SPF, "v=spf1 mx -all", added="mx"),
            told.entry("s._domainkey", Owner.DKIM, "v=DKIM1; p=AAAA"),
        ]
    )
    told.sync()
    told.octodns.sync("--doit")
    assert told.texts() == ["a stranger's", "v=spf1 mx -all"]
    assert told.pdns.transfer(DOMAIN)[f"{DOMAIN}.", "TXT"][0] == 900
    assert told.texts("s._domainkey") == ["v=DKIM1; p=AAAA"] and told.octodns.quiet()


@pytest.mark.powerdns
def test_where_the_files_say_something(told: Told) -> None:
    """The files' values stay, and what dnssync added goes among them; what was given last goes before what is written."""
    told.state.record_applied([told.entry("", Owner.SPF, "v=spf1 mx -all", added="mx")])
    given = [told.entry("", Owner.SPF, "v=spf1 mx a -all", added="mx a"),
             told.entry("_dmarc", Owner.DMARC, "v=DMARC1; p=none; rua=mailto:p@x.example", added="v=DMARC1; p=none; rua=mailto:p@x.example")]  # fmt: skip
    told.state.hand_over(told.state.begin(DOMAIN, "form", given, 7), DOMAIN, "form")
    told.records({"": [{"type": "TXT", "ttl": 444, "values": ["mine", "v=spf1 ip4:192.0.2.1 ~all"]}],
                  "_dmarc": {"type": "TXT", "value": "v=DMARC1\\; p=quarantine"}})  # fmt: skip
    told.sync()
    told.octodns.sync("--doit")
    assert told.texts() == ["mine", "v=spf1 ip4:192.0.2.1 mx a ~all"]
    assert told.texts("_dmarc") == ["v=DMARC1; p=quarantine; rua=mailto:p@x.example"]
    assert told.pdns.transfer(DOMAIN)[f"{DOMAIN}.", "TXT"][0] == 444 and told.octodns.quiet()


@pytest.mark.powerdns
def test_one_configuration_in_a_run(told: Told) -> None:
    """It is read once for all zones, as octodns' own is: with thousands of them that is what takes long."""
    told.state.record_applied([told.entry("", Owner.SPF, "v=spf1 mx -all")])
    source, zones = (
        DnssyncSource("told", config=str(told.config)),
        [Zone(f"{name}.", []) for name in (DOMAIN, "x.test", DOMAIN)],
    )
    for zone in zones:
        source.populate(zone)
        told.config.write_text("zones: [")
    assert [len(zone.records) for zone in zones] == [1, 0, 1]


@pytest.mark.powerdns
def test_each_provider_has_its_own(told: Told) -> None:
    """Where a zone has several, the one that is named counts, else the first, in what was given and in what is written."""
    text = json.loads(told.config.read_text())
    text["providers"]["second"], text["zones"][DOMAIN]["provider"] = {"class": "manual"}, ["form", "second"]
    told.config.write_text(json.dumps(text))

    def found(provider: str | None) -> list[str]:
        zone = Zone(f"{DOMAIN}.", [])
        DnssyncSource("told", config=str(told.config), provider=provider).populate(zone)
        return [value for record in zone.records for value in record.values]

    written = [
        replace(told.entry("", Owner.SPF, f"v=spf1 ip4:192.0.2.{n} -all"), provider=p)
        for n, p in ((1, "form"), (2, "second"))
    ]
    told.state.record_applied(written)
    assert (found(None), found("second")) == (["v=spf1 ip4:192.0.2.1 -all"], ["v=spf1 ip4:192.0.2.2 -all"])
    given = replace(told.entry("", Owner.SPF, "v=spf1 ip4:192.0.2.3 -all"), provider="second")
    told.state.hand_over(told.state.begin(DOMAIN, "second", [given], 7), DOMAIN, "second")
    assert (found("form"), found("second")) == (["v=spf1 ip4:192.0.2.1 -all"], ["v=spf1 ip4:192.0.2.3 -all"])


@pytest.mark.powerdns
def test_the_last_note_counts(told: Told) -> None:
    """A selector that was given once and is not any more goes, though DNS never showed that note."""
    for when, selectors in ((7, ("old", "new")), (8, ("new",))):
        given = [
            replace(told.entry(f"{each}._domainkey", Owner.DKIM, f"v=DKIM1; p={each}"), applied_at=when)
            for each in selectors
        ]
        told.state.hand_over(told.state.begin(DOMAIN, "form", given, when), DOMAIN, "form")
        told.sync()
        told.octodns.sync("--doit", "--force")
        shown = {each for each in ("old", "new") if told.texts(f"{each}._domainkey")}
        assert shown == set(selectors)
    assert told.octodns.quiet()


@pytest.mark.powerdns
@pytest.mark.parametrize(
    ("records", "said"),
    [
        ({"s._domainkey": {"type": "TXT", "value": "v=DKIM1\\; p=BBBB"}}, f"s._domainkey.{DOMAIN} TXT: a source has another key"),
        ({"s._domainkey": {"type": "CNAME", "value": "elsewhere.test."}}, f"s._domainkey.{DOMAIN} TXT: a source has a CNAME there"),
        ({"": [{"type": "TXT", "values": ["v=spf1 mx -all", "v=spf1 a -all"]}]}, f"{DOMAIN} TXT: the sources have 2 values there"),
        ({"": [{"type": "TXT", "value": "v=spf1 redirect=x.example"}]}, f"{DOMAIN} TXT: dnssync's part cannot be merged"),
    ],
)  # fmt: skip
def test_what_does_not_go_together(told: Told, records: dict[str, Any], said: str) -> None:
    """A conflict stops octodns-sync, with its place, before anything is written."""
    told.state.record_applied(
        [
            told.entry("", Owner.SPF, "v=spf1 mx -all", added="mx"),
            told.entry("s._domainkey", Owner.DKIM, "v=DKIM1; p=AAAA"),
        ]
    )
    before = told.pdns.transfer(DOMAIN)
    told.records(records)
    told.sync()
    code, out = told.octodns.run("octodns-sync", "--doit")
    assert code == 1 and said in out, out
    assert told.pdns.transfer(DOMAIN) == before


@pytest.mark.powerdns
@pytest.mark.parametrize("source", [True, False])
def test_unknown_is_not_nothing(told: Told, source: bool) -> None:
    """A zone that dnssync has not spoken about is an error; one that it does not have is none of its business."""
    told.sync(source=source)
    code, out = told.octodns.run("octodns-sync")
    assert (
        code == 1
        and f"{DOMAIN}: dnssync has no records for it at form yet. Run `dnssync -c {told.config} apply`" in out
    )
    told.config.write_text(told.config.read_text().replace(f'"zones": {{"{DOMAIN}"', '"zones": {"elsewhere.example"'))
    told.octodns.sync()
    told.octodns.config["providers"]["told"]["provider"] = told.octodns.config["processors"]["dnssync"]["provider"] = (
        "x"
    )
    told.config.write_text(told.config.read_text().replace("elsewhere.example", DOMAIN))
    code, out = told.octodns.run("octodns-sync")
    assert code == 1 and f"{DOMAIN}: x is none of its providers" in out
