"""A domain's keys and its policy in zones of their own, on another name server: real exim, two real named, and mail that verifies."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dkim
import dns.name
import dns.query
import dns.tsigkeyring
import dns.update
import pytest

from dnssync import assemble, signing_map
from dnssync.core.model import Owner
from dnssync.reconcile import Line
from dnssync.state import State
from dnssync.state_rows import LedgerEntry
from tests.bind import Bind
from tests.exim_host import EximHost
from tests.site_under_test import DOMAIN, IP, ZONE, Site

pytestmark = [pytest.mark.bind, pytest.mark.exim]

KEYS, POLICY = f"_domainkey.{DOMAIN}", f"_dmarc.{DOMAIN}"
CUTS = f"_domainkey 300 IN NS ns1.{KEYS}.\n_dmarc 300 IN NS ns1.{POLICY}.\n"
THEIRS = 'theirs 300 IN TXT "v=DKIM1; p=AAAA"\n'
MESSAGE = f"From: Someone <a@{DOMAIN}>\nTo: b@dest.test\nSubject: hello\nDate: Tue, 24 Nov 2026 08:20:00 +0000\nMessage-ID: <1@{DOMAIN}>\n\nHello.\n"


class Apart(Site):
    """The mail host; `other` serves the two zones below."""

    def __init__(self, folder: Path, exim: EximHost, bind: Bind, other: Bind) -> None:
        self.other = other
        super().__init__(folder, exim, bind)

    def write(self, zone: str = "") -> None:
        """The configuration, with three zones at two providers."""
        super().write(zone)
        text = json.loads(self.config.read_text())
        text["providers"]["other"] = {**self.other.options(), "class": "rfc2136"}
        text["zones"] |= {name: {"provider": "other", "nameservers": [self.other.server]} for name in (KEYS, POLICY)}
        self.config.write_text(json.dumps(text))

    def delegate(self) -> None:
        """Somebody adds the NS records of both zones apart in the domain's own zone."""
        update = dns.update.UpdateMessage(DOMAIN, keyring=dns.tsigkeyring.from_text({Bind.key_name: Bind.secret}))
        for name in (KEYS, POLICY):
            update.add(dns.name.from_text(name), 300, "NS", f"ns1.{name}.")
        assert dns.query.tcp(update, "127.0.0.1", port=self.bind.port, timeout=5).rcode() == 0

    def edit(self, verb: str, text: str) -> None:
        """Somebody adds, or deletes, a text at the apex of the domain's own zone."""
        update = dns.update.UpdateMessage(DOMAIN, keyring=dns.tsigkeyring.from_text({Bind.key_name: Bind.secret}))
        update.add("@", 300, "TXT", f'"{text}"') if verb == "add" else update.delete("@", "TXT", f'"{text}"')
        assert dns.query.tcp(update, "127.0.0.1", port=self.bind.port, timeout=5).rcode() == 0

    def selectors(self) -> list[str]:
        """What exim's map names for the domain."""
        return [*signing_map.read(self.exim.map)[DOMAIN]]

    def signatures(self) -> list[bool]:
        """A message through exim, each of its signatures verified by what the other server says."""
        [received] = self.exim.send(MESSAGE.encode(), sender=f"a@{DOMAIN}")

        def txt(name: bytes, timeout: int = 5) -> bytes | None:
            texts = self.other.texts(name.decode().rstrip("."))
            return texts[0].encode() if texts else None

        count = received.data.count(b"DKIM-Signature:")
        return [bool(dkim.DKIM(received.data).verify(idx=index, dnsfunc=txt)) for index in range(count)]


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Apart]:
    """Everything running, exim told of dnssync's macros."""
    with (
        EximHost(hostnames=(DOMAIN,)) as exim,
        Bind(tmp_path / "bind", {DOMAIN: ZONE + CUTS}) as bind,
        Bind(tmp_path / "other", {KEYS: THEIRS, POLICY: ""}) as other,
    ):
        exim.switched()
        yield Apart(tmp_path, exim, bind, other)


def test_each_record_where_it_is_seen(apart: Apart) -> None:
    """SPF is written at one provider, keys and DMARC at the other; mail signed with them verifies, and nothing is left to do."""
    before, theirs = apart.bind.transfer(DOMAIN), apart.other.transfer(KEYS)
    code, out = apart.run("apply", "--yes", "--wait")
    assert code == 0, out
    assert apart.signatures() == [True, True]
    after = apart.bind.transfer(DOMAIN)
    assert {key for key in after if after[key] != before.get(key)} == {(f"{DOMAIN}.", "TXT"), (f"{DOMAIN}.", "SPF")}
    assert apart.other.texts(POLICY) == [f"v=DMARC1; p=none; rua=mailto:postmaster@{DOMAIN}"]
    now = apart.other.transfer(KEYS)
    assert (
        theirs.items() <= now.items() and len(now) == len(theirs) + 4
    )  # of each kind one that signs and one that stands by
    assert apart.run("plan")[0] == 0
    code, out = apart.run("status")
    assert code == 0 and out.count(" active ") == 2, out
    code, out = apart.run("status", KEYS)
    assert code == 0 and out.count(" active ") == 2, out


def test_a_rotation(apart: Apart) -> None:
    """An emergency switches and revokes in the zone of the keys; a command for the domain looks at all three."""
    assert apart.run("apply", "--yes", "--wait", DOMAIN)[0] == 0
    for _ in range(4):  # until the standby is ready
        apart.now += 3600
        assert apart.run("apply", "--yes", DOMAIN)[0] == 0
    first = apart.selectors()
    code, out = apart.run("rotate", "--emergency", "--yes", DOMAIN)
    assert code == 0, out
    assert apart.signatures() == [True, True] and not {*first} & {*apart.selectors()}
    assert [apart.other.texts(f"{name}.{KEYS}") for name in first] == [["v=DKIM1; p="]] * 2


def test_the_other_server_is_gone(apart: Apart) -> None:
    """While the zone of the keys cannot be read, SPF goes on, exim signs on with what it has, and no key is made."""
    assert apart.run("apply", "--yes", "--wait")[0] == 0
    line, files = apart.exim.map.read_text(), sorted(apart.exim.keys.rglob("*.pem"))
    apart.write('{"spf": {"extra": ["ip4:192.0.2.77"]}}')
    apart.other.stop()
    apart.now += 200 * 86400
    code, out = apart.run("apply", "--yes")
    assert code == 1 and KEYS in out and POLICY in out, out
    assert f"v=spf1 mx a ip4:{IP} ip4:192.0.2.77 -all" in apart.bind.texts(DOMAIN)
    assert apart.exim.map.read_text() == line and sorted(apart.exim.keys.rglob("*.pem")) == files
    apart.other.start()
    assert apart.run("apply", "--yes")[0] == 0 and apart.signatures() == [True, True]


def test_a_selector_that_is_a_cname(apart: Apart) -> None:
    """A CNAME in the zone of the keys is looked at and left alone; no selector of ours is put beside one."""
    update = dns.update.UpdateMessage(KEYS, keyring=dns.tsigkeyring.from_text({Bind.key_name: Bind.secret}))
    update.add("vendor", 300, "CNAME", "vendor.elsewhere.test.")
    assert dns.query.tcp(update, "127.0.0.1", port=apart.other.port, timeout=5).rcode() == 0
    assert apart.run("apply", "--yes", "--wait")[0] == 0
    assert apart.other.ask(f"vendor.{KEYS}", "CNAME") == ["vendor.elsewhere.test."] and apart.signatures() == [
        True,
        True,
    ]


def test_without_the_zone_in_the_configuration(apart: Apart) -> None:
    """Where the zone of the keys is delegated and nobody configured it, nothing is written that nobody would see, and the sentence says
    what to configure."""
    text = json.loads(apart.config.read_text())
    del text["zones"][KEYS], text["zones"][POLICY]
    apart.config.write_text(json.dumps(text))
    before = apart.bind.transfer(DOMAIN)
    code, out = apart.run("apply", "--yes")
    assert code == 3 and f"Configure {KEYS} as a zone of its own" in " ".join(out.split()), out
    assert apart.bind.transfer(DOMAIN) == before


def test_keys_that_move_into_a_zone_of_their_own(apart: Apart) -> None:
    """Keys that stood in the domain's zone are published in the new one by the next apply; exim signs on with them all the time, and what
    stands in the old place is left there while it is valid."""
    whole = json.loads(apart.config.read_text())
    alone = {**whole, "zones": {DOMAIN: whole["zones"][DOMAIN]}}
    apart.bind.stop()
    for journal in apart.bind.folder.glob("*.jnl"):
        journal.unlink()
    text = apart.bind.zone_file(DOMAIN).read_text()
    apart.bind.zone_file(DOMAIN).write_text(text.replace(CUTS, ""))
    apart.bind.start()
    apart.config.write_text(json.dumps(alone))
    assert apart.run("apply", "--yes", "--wait")[0] == 0
    line, old = apart.selectors(), apart.bind.selectors(DOMAIN)
    apart.config.write_text(json.dumps(whole))
    # As long as nobody delegates it, nothing is written there, and no new key is made that nobody would see.
    before = apart.other.transfer(KEYS)
    code, out = apart.run("apply", "--yes")
    assert code == 3 and f"{KEYS}: the name servers of {DOMAIN} do not hand it on" in " ".join(out.split()), out
    assert apart.other.transfer(KEYS) == before and apart.selectors() == line
    apart.delegate()
    code, out = apart.run("apply", "--yes")
    assert code == 0 and apart.selectors() == line, out
    assert all(apart.other.texts(f"{name}.{KEYS}") == [old[name]] for name in line)
    for _ in range(4):
        apart.now += 3600
        assert apart.run("apply", "--yes")[0] == 0
        assert apart.signatures() == [True, True] and apart.selectors() == line
    assert apart.run("plan")[0] == 0 and apart.bind.selectors(DOMAIN) == old
    # One in wrong hands is revoked in both places, or it would come to life again with the former one.
    apart.edit("add", "v=spf1 -all")  # of two, the guard touches none
    code, out = apart.run("rotate", "--emergency", "--yes", DOMAIN)
    assert code != 0 and not {*line} & {*apart.selectors()}, out
    assert " ".join(out.split()).count(f"could not be revoked in {DOMAIN}") == 2, out
    for _ in range(12):  # long enough for them to be taken out of their own zone
        apart.now += 86400
        assert apart.run("apply", "--yes")[0] == 3 and apart.bind.selectors(DOMAIN) == old
    assert not any(apart.other.texts(f"{name}.{KEYS}") for name in line)
    apart.edit("delete", "v=spf1 -all")
    assert apart.run("apply", "--yes")[0] == 0
    assert {apart.bind.selectors(DOMAIN)[name] for name in line} == {"v=DKIM1; p="} and apart.signatures() == [
        True,
        True,
    ]


def test_let_go_with_its_zones(apart: Apart) -> None:
    """A domain whose zone is taken out of the configuration alone is told as it is; `release` forgets its records in zones of their own, too."""
    assert apart.run("apply", "--yes", "--wait")[0] == 0
    whole = json.loads(apart.config.read_text())
    del whole["zones"][DOMAIN]
    apart.config.write_text(json.dumps(whole))
    code, out = apart.run("plan")
    assert "domain_gone" not in out and "no configured zone holds it" in " ".join(out.split()), out
    before = apart.other.transfer(KEYS)
    state = State.open(f"sqlite:///{apart.folder}/state/state.db", host=platform.node())
    report = LedgerEntry(
        "host.example", "other", f"{DOMAIN}._report._dmarc", "TXT", Owner.REPORT, DOMAIN, "v=DMARC1;", 300, 1
    )
    state.begin("host.example", "other", [report], 1)  # a write of another zone, which died
    code, out = apart.run("release", DOMAIN, "--yes")
    assert code == 0 and "7 records" in out and state.interrupted("host.example", "other"), out
    code, out = apart.run("plan")
    assert (
        code == 0
        and "left_out" not in out
        and "looked after" not in " ".join(out.split())
        and apart.other.transfer(KEYS) == before
    ), out


def test_the_state_is_lost(apart: Apart) -> None:
    """Keys in a zone of their own are known again by exim's map, their files and their records there."""
    assert apart.run("apply", "--yes", "--wait")[0] == 0
    line = apart.selectors()
    (apart.folder / "state" / "state.db").unlink()
    code, out = apart.run("apply", "--yes", "--adopt")
    assert code == 0 and apart.selectors() == line, out
    assert apart.signatures() == [True, True]
    out = apart.run("status")[1]
    assert all(name in out for name in line)


def test_frozen(apart: Apart) -> None:
    """A frozen domain gets nothing in any of its zones."""
    assert apart.run("freeze", DOMAIN)[0] == 0
    before = apart.other.transfer(KEYS), apart.other.transfer(POLICY), apart.bind.transfer(DOMAIN)
    assert apart.run("apply", "--yes")[0] in (0, 1)
    assert (apart.other.transfer(KEYS), apart.other.transfer(POLICY), apart.bind.transfer(DOMAIN)) == before
    assert not list(apart.exim.keys.rglob("*.pem"))


def test_frozen_while_a_pass_is_under_way(apart: Apart) -> None:
    """A brake that is pulled once the domain's zone is written keeps what its zones apart would get."""
    said: list[str] = []

    def line(*args: Any, **kwargs: Any) -> Line:
        made = assemble.line(*args, **{**kwargs, "now": lambda: apart.now})

        def progress(step: str) -> None:
            if step == f"writing {DOMAIN} at bind":
                said.append(apart.run("freeze", DOMAIN)[1])

        return replace(made, progress=progress)

    code, out = apart.run("apply", "--yes", make_line=line)
    assert len(said) == 1 and code == 3 and out.count("frozen while this pass was under way") >= 2, out
    assert any(text.startswith("v=spf1") for text in apart.bind.texts(DOMAIN))
    assert apart.other.texts(POLICY) == [] and not apart.other.selectors(KEYS).keys() - {"theirs"}


def test_keys_in_a_zone_that_a_person_edits(apart: Apart) -> None:
    """Where the zone of the keys is edited by hand, its records are told, and once somebody entered them they are seen and sign."""
    text = json.loads(apart.config.read_text())
    text["providers"]["form"] = {"class": "manual"}
    text["zones"][KEYS]["provider"] = "form"
    apart.config.write_text(json.dumps(text))

    def entered(*options: str) -> None:
        """What an `apply` asks a person for, two records each time, is entered."""
        code, out = apart.run("apply", "--yes", "--json", *options)
        told = [line for each in json.loads(out)["outcomes"] if each["zone"] == KEYS for line in each["instructions"]]
        assert code == 0 and len(told) == 2, out
        update = dns.update.UpdateMessage(KEYS, keyring=dns.tsigkeyring.from_text({Bind.key_name: Bind.secret}))
        for line in told:
            _, name, ttl, _, kind, data = line.split(maxsplit=5)
            update.add(dns.name.from_text(name), int(ttl), kind, data)
        assert dns.query.tcp(update, "127.0.0.1", port=apart.other.port, timeout=5).rcode() == 0

    entered()
    for _ in range(8):
        apart.now += 1800
        code, out = apart.run("apply", "--yes")
        assert code == 0, out
    assert apart.signatures() == [True, True]
    # With the state lost, what stands there is looked for by the names in exim's map, and known again; with the domain let go, all of it is.
    line = apart.selectors()
    (apart.folder / "state" / "state.db").unlink()
    entered("--adopt")
    out = apart.run("status")[1]
    assert all(name in out for name in line) and apart.selectors() == line, out
    del text["zones"][DOMAIN]
    apart.config.write_text(json.dumps(text))
    assert apart.run("release", DOMAIN, "--yes")[0] == 0
    code, out = apart.run("plan")
    assert code == 0 and "looked after" not in " ".join(out.split()), out
