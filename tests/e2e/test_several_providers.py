"""One zone at two providers, a real named and a real PowerDNS: both get the same, and neither stops the other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnssync import signing_map
from dnssync.core.durations import HOUR
from dnssync.one_pass import one_pass
from dnssync.state import State
from tests.bind import Bind
from tests.exim_host import EximHost
from tests.powerdns import PowerDns
from tests.site_under_test import DOMAIN, IP, ZONE, Site

pytestmark = [pytest.mark.bind, pytest.mark.exim, pytest.mark.powerdns]
THEIRS = "v=spf1 ip4:198.51.100.9 ~all"
FIRST, WIDER = f"v=spf1 mx a ip4:{IP} -all", f"v=spf1 mx a ip4:{IP} ip4:192.0.2.77 -all"


class Both(Site):
    """The mail host; its zone is at `bind` and at `pdns`."""

    def __init__(self, folder: Path, exim: EximHost, bind: Bind, pdns: PowerDns) -> None:
        self.pdns = pdns
        super().__init__(folder, exim, bind)

    def write(self, zone: str = "") -> None:
        """The configuration, with both providers for the zone, and both servers."""
        super().write(zone)
        text = json.loads(self.config.read_text())
        text["providers"]["pdns"] = {"class": "powerdns", **self.pdns.options()}
        text["zones"][DOMAIN] |= {
            "provider": ["bind", "pdns"],
            "nameservers": [self.bind.server, f"127.0.0.1:{self.pdns.port}"],
        }
        self.config.write_text(json.dumps(text))

    def ours(self, server: Bind | PowerDns) -> dict[tuple[str, str], frozenset[bytes]]:
        """What dnssync keeps, by name and type, as a server transfers it."""
        return {
            (name, kind): values
            for (name, kind), (_, values) in server.transfer(DOMAIN).items()
            if kind in ("TXT", "SPF") and (name == f"{DOMAIN}." or "_domainkey" in name or name == f"_dmarc.{DOMAIN}.")
        }

    def state(self) -> State:
        """The state, to look at."""
        import platform

        return State.open(f"sqlite:///{self.folder}/state/state.db", host=platform.node(), read_only=True)

    def by_itself(self) -> None:
        """A pass of the daemon."""
        from dnssync import assemble
        from dnssync.config import load

        def line(config):  # type: ignore[no-untyped-def]  # as one_pass makes it
            return assemble.line(config, read_only=False, environ={}, now=lambda: self.now)

        one_pass(load(self.config), line, now=lambda: self.now)


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    """Everything running, exim told of dnssync's macros."""
    with (
        EximHost(hostnames=(DOMAIN,)) as exim,
        Bind(tmp_path / "bind", {DOMAIN: ZONE}) as bind,
        PowerDns(tmp_path / "pdns", {DOMAIN: ZONE}) as pdns,
    ):
        exim.switched()
        yield Both(tmp_path, exim, bind, pdns)


def test_both_get_the_same(both: Both) -> None:
    """The same records stand at both, keys sign once both show them, and the next plan is empty."""
    code, out = both.run("apply", "--yes", "--wait")
    assert code == 0, out
    assert both.ours(both.bind) == both.ours(both.pdns) and len(both.ours(both.bind)) == 7
    assert both.run("plan")[0] == 0


def test_what_others_wrote_reaches_both(both: Both) -> None:
    """Terms of others that stand at one provider come to the other one with the record; where somebody then edits one of them, it is told."""

    def edited(old: str, new: str) -> None:
        """What somebody does at the second provider; no old text: one more value."""
        kept = [
            (r["content"], r["disabled"])
            for r in both.pdns.rrset(DOMAIN, "@", "TXT")["records"]
            if r["content"] != f'"{old}"'
        ]
        both.pdns.patch(DOMAIN, "@", "TXT", 300, [*kept, (f'"{new}"', False)])

    edited("", THEIRS)
    code, out = both.run("apply", "--yes", "--adopt")
    assert code == 0, out
    assert both.ours(both.bind) == both.ours(both.pdns) and both.run("plan")[0] == 0
    [text] = [text for text in both.bind.texts(DOMAIN) if text.startswith("v=spf1 ")]
    assert "ip4:198.51.100.9" in text and text.endswith(" ~all") and f"ip4:{IP}" in text
    other = text.replace("198.51.100.9", "198.51.100.10")
    edited(text, other)
    both.now += 86400  # the deep pass is due
    both.by_itself()
    records = {record["content"] for record in both.pdns.rrset(DOMAIN, "@", "TXT")["records"]}
    assert text in both.bind.texts(DOMAIN) and f'"{other}"' in records
    code, out = both.run("status")
    assert code == 1 and "providers_differ" in out and "198.51.100.10" in out, out


def test_one_fails(both: Both) -> None:
    """The other one gets its records all the same; the command names who failed and ends with 1; later the first one gets them too."""
    assert both.run("apply", "--yes", "--wait")[0] == 0
    line = both.exim.map.read_text()
    both.write('{"spf": {"extra": ["ip4:192.0.2.77"]}}')
    options = both.pdns.options()
    text = both.config.read_text()
    both.config.write_text(text.replace(str(options["api_key"]), "a wrong key"))
    code, out = both.run("plan")
    assert code == 1 and WIDER in out and "pdns" in out, out
    code, out = both.run("apply", "--yes")
    assert code == 1 and "pdns" in out, out
    assert WIDER in both.bind.texts(DOMAIN) and both.exim.map.read_text() == line
    code, out = both.run("status")
    assert code == 1 and "pdns" in out, out
    both.config.write_text(text)
    assert both.run("apply", "--yes")[0] == 0 and both.ours(both.bind) == both.ours(both.pdns)
    assert both.state().tries() == ()


def test_a_key_counts_where_all_have_it(both: Both) -> None:
    """A key that stands at one provider only is not taken for published, however long it stands there and whatever DNS is asked."""
    text = json.loads(both.config.read_text())
    text["zones"][DOMAIN]["nameservers"] = [both.bind.server]  # as if the other's servers were not asked
    good = json.dumps(text)
    text["providers"]["pdns"]["api_key"] = "a wrong key"
    both.config.write_text(json.dumps(text))
    assert both.run("apply", "--yes")[0] == 1
    for _ in range(4):
        both.now += 2 * HOUR
        assert both.run("apply", "--yes")[0] == 1
    keys = both.state().keys()
    assert keys and not any(key.seen or key.published for key in keys) and both.exim.map.read_text() == ""
    both.config.write_text(good)
    assert both.run("apply", "--yes", "--wait")[0] == 0
    assert sum(key.published is not None for key in both.state().keys()) >= 2 and both.exim.map.read_text()


def test_an_emergency_while_one_fails(both: Both) -> None:
    """The standby takes over at once, since every name server shows it; what cannot be revoked at the one that fails is told."""
    assert both.run("apply", "--yes", "--wait")[0] == 0
    for _ in range(4):  # until the standby is ready
        both.now += HOUR
        assert both.run("apply", "--yes")[0] == 0
    first = signing_map.read(both.exim.map)[DOMAIN]
    text = both.config.read_text()
    both.config.write_text(text.replace(str(both.pdns.options()["api_key"]), "a wrong key"))
    code, out = both.run("rotate", "--emergency", "--yes")
    assert code == 1 and "pdns" in out, out
    second = signing_map.read(both.exim.map)[DOMAIN]
    assert len(second) == 2 and not {*first} & {*second}
    assert both.bind.texts(f"{first[0]}._domainkey.{DOMAIN}") == ["v=DKIM1; p="]
    both.config.write_text(text)
    assert both.run("apply", "--yes")[0] == 0 and both.ours(both.bind) == both.ours(both.pdns)


def test_the_daemon_rests_one_and_not_the_other(both: Both) -> None:
    """Who failed is asked ever more rarely, and the other one at every pass; what is said of it goes on meanwhile."""
    assert both.run("apply", "--yes", "--wait")[0] == 0
    text = both.config.read_text()
    both.config.write_text(text.replace(str(both.pdns.options()["api_key"]), "a wrong key"))
    both.now += 86400  # the deep pass is due
    both.by_itself()
    [first] = both.state().tries()
    assert (first.provider, first.failures) == ("pdns", 1) and first.next_try > both.now
    record = both.state().zone(DOMAIN)
    assert record is not None and record.next_try is None and record.result.startswith("failed: ")
    both.write('{"spf": {"extra": ["ip4:192.0.2.77"]}}')  # with the right key again, which nobody knows yet
    both.by_itself()
    assert WIDER in both.bind.texts(DOMAIN) and both.state().tries() == (first,)
    assert not any(b"192.0.2.77" in value for values in both.ours(both.pdns).values() for value in values)
    assert any(row.kind == "failed" and row.sentence == first.sentence for row in both.state().troubles())
    both.config.write_text(both.config.read_text().replace(str(both.pdns.options()["api_key"]), "a wrong key"))
    both.now = first.next_try
    both.by_itself()
    [second] = both.state().tries()
    assert second.failures == 2 and second.next_try - both.now > 15 * 60
    both.write('{"spf": {"extra": ["ip4:192.0.2.77"]}}')
    assert both.run("freeze", DOMAIN)[0] == 0 and both.run("freeze", "--off", DOMAIN)[0] == 0  # a person's word
    both.now += 1
    both.by_itself()
    assert both.state().tries() == () and both.ours(both.bind) == both.ours(both.pdns)


def test_both_fail(both: Both) -> None:
    """Then the zone as a whole is left out for a while, as one with a single provider is."""
    assert both.run("apply", "--yes", "--wait")[0] == 0
    both.config.write_text(both.config.read_text().replace(str(both.pdns.options()["api_key"]), "a wrong key"))
    both.bind.stop()
    both.now += 86400
    both.by_itself()
    record = both.state().zone(DOMAIN)
    assert record is not None and record.next_try is not None and record.failures == 1 and both.state().tries() == ()
    assert "pdns" in record.result and "bind" in record.result
