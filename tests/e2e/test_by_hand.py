"""A zone that only a person can edit, in a web form: what has to be entered is told until DNS shows it, and then the keys go
their way. Real exim, real BIND; the person is a dynamic update of the lines that dnssync printed."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Iterator
from pathlib import Path

import dns.query
import dns.rdata
import dns.tsig
import dns.tsigkeyring
import dns.update
import pytest

from dnssync.core.model import Owner
from dnssync.state import State
from tests.bind import SECRET, Bind
from tests.exim_host import EximHost
from tests.site_under_test import DOMAIN, IP, ZONE, Site

pytestmark = [pytest.mark.bind, pytest.mark.exim]

OTHERS = f'{ZONE}@ 300 IN TXT "v=spf1 mx -all"\n_dmarc 300 IN TXT "v=DMARC1; p=reject"\n'
SPF = f"v=spf1 mx a ip4:{IP} -all"


class ByHand(Site):
    """The same host, and a zone whose provider is a web form."""

    def write(self, zone: str = "") -> None:
        """The configuration, with a provider that writes nothing."""
        super().write(zone)
        text = json.loads(self.config.read_text())
        text["providers"] = {"bind": {"class": "manual", "type99": True}}
        self.config.write_text(json.dumps(text))

    def lines(self, *args: str) -> list[str]:
        """What a command says that a person has to do."""
        code, out = self.run(*args)
        assert code in (0, 2), out
        return re.findall(r"(?m)^ *by hand: (.*)$", out)


def enter(bind: Bind, lines: list[str]) -> None:
    """What the person does: each line as it was printed, into the zone."""
    update = dns.update.UpdateMessage(
        DOMAIN, keyring=dns.tsigkeyring.from_text({bind.key_name: SECRET}), keyalgorithm=dns.tsig.HMAC_SHA256
    )
    for line in lines:
        verb, name, ttl, kind, text = re.fullmatch(r"(\w+): (\S+) (\d+) IN (\S+) (.+)", line).groups()  # type: ignore[union-attr]  # None fails the test
        rdata = dns.rdata.from_text("IN", kind, text)
        update.delete(name, rdata) if verb == "delete" else update.add(name, int(ttl), rdata)
    assert dns.query.tcp(update, "127.0.0.1", port=bind.port, timeout=5).rcode() == 0


@pytest.fixture
def site(tmp_path: Path) -> Iterator[ByHand]:
    """Everything running; the zone holds an SPF and a DMARC record of somebody's."""
    with EximHost(hostnames=(DOMAIN,)) as exim, Bind(tmp_path / "bind", {DOMAIN: OTHERS}) as bind:
        exim.switched()
        yield ByHand(tmp_path, exim, bind)


def test_from_the_first_plan_to_keys_that_sign(site: ByHand) -> None:
    """plan → apply --adopt → plan tells all in full, however often → a person enters it → plan 0 → the keys sign."""
    code, out = site.run("plan")
    assert code == 3 and "by hand" not in out, out

    given = site.lines("apply", "--yes", "--adopt")
    assert f'add: {DOMAIN}. 300 IN TXT "{SPF}"' in given and f'delete: {DOMAIN}. 300 IN TXT "v=spf1 mx -all"' in given
    assert len([line for line in given if "_domainkey" in line and "p=" in line]) == 2

    for _ in range(2):
        code, out = site.run("plan")
        assert code == 2 and "REFUSED" not in out, out
        assert site.lines("plan") == given
        site.now += 100
        assert site.lines("apply", "--yes") == given
    [zone] = json.loads(site.run("plan", "--json")[1])["zones"]
    assert zone["by_hand"] == given and not zone["refusals"]
    [outcome] = json.loads(site.run("apply", "--yes", "--json")[1])["outcomes"]
    assert outcome["instructions"] == given
    history = site.run("history")[1]
    assert history.count("told a person what to change at bind") == 1

    code, out = site.run("status")
    told = " ".join(out.split())
    assert code == 1 and f"by hand: {DOMAIN}: 20261124" in told, out
    assert f", _dmarc.{DOMAIN} TXT is to be changed by hand at bind; " in told and ") [bind]" in told, out
    record = json.loads(site.run("status", "--json")[1])["zones"][DOMAIN]
    assert record["last_read"] == record["last_pass"] == int(site.now) and record["rrsets"] > 3

    rest = [line for line in given if "_domainkey" in line]
    enter(site.bind, [line for line in given if line not in rest])
    assert site.lines("plan") == rest
    enter(site.bind, rest)
    code, out = site.run("plan")
    assert code == 0 and "by hand" not in out, out

    code, out = site.run("apply", "--yes", "--wait")
    assert code == 0, out
    more = [line for line in site.lines("plan") if "_domainkey" in line]  # the keys that shall stand by
    assert len(more) == 2 and not {*more} & {*given}
    enter(site.bind, more)
    assert site.run("apply", "--yes")[0] == 0
    code, out = site.run("status")
    assert code == 0 and out.count(" active ") == 2, out
    assert site.run("plan")[0] == 0
    [received] = site.exim.send(f"From: a@{DOMAIN}\nSubject: x\n\nText.\n".encode(), sender=f"a@{DOMAIN}")
    assert received.data.count(b"DKIM-Signature:") == 2


def test_wait_for_a_person(site: ByHand) -> None:
    """--wait waits for the person too, however slow."""
    real = site._sleep
    nights: list[float] = []

    def sleep(seconds: float) -> None:
        nights.append(seconds)
        real(seconds)
        if len(nights) == 3:
            enter(site.bind, site.lines("plan"))

    site._sleep = sleep  # type: ignore[method-assign]  # the person types meanwhile
    code, out = site.run("apply", "--yes", "--adopt", "--wait")
    assert code == 0 and len(nights) > 4, out
    assert site.run("status")[1].count(" active ") == 2


def test_agreed_to_one_text_only(site: ByHand) -> None:
    """What was agreed to is the text that was shown: where somebody changes the record meanwhile, another word is needed."""
    site.lines("apply", "--yes", "--adopt")
    enter(site.bind, [f'delete: {DOMAIN}. 300 IN TXT "v=spf1 mx -all"',
                      f'add: {DOMAIN}. 300 IN TXT "v=spf1 mx ip4:192.0.2.7 -all"'])  # fmt: skip

    code, out = site.run("plan")
    assert code == 3 and "v=spf1 mx ip4:192.0.2.7 a" in " ".join(out.split()), out
    assert site.run("apply", "--yes", "--adopt")[0] == 0
    assert site.run("plan")[0] == 2


def test_let_go_of_while_it_waits(site: ByHand) -> None:
    """`release` forgets the word that was given, too."""
    site.lines("apply", "--yes", "--adopt")
    assert site.run("release", DOMAIN, "--yes")[0] == 0
    assert site.run("plan")[0] == 3

    site.lines("apply", "--yes", "--adopt")
    whole = site.config.read_text()
    site.config.write_text(whole.replace(f'"{DOMAIN}": {{"provider"', '"elsewhere.example": {"provider"'))
    assert site.run("release", DOMAIN, "--yes")[0] == 0
    site.config.write_text(whole)
    assert site.run("plan")[0] == 3


def test_entered_in_other_words(site: ByHand) -> None:
    """What a form or a person spells in another way is what was given, and the terms in it that are dnssync's stay that."""
    given = site.lines("apply", "--yes", "--adopt")
    enter(site.bind, [line.replace(f"ip4:{IP}", f"ip4:{IP}/32") for line in given])
    assert site.run("plan")[0] == 0
    assert site.run("apply", "--yes")[0] == 0
    state = State.open(f"sqlite:///{site.folder}/state/state.db", host=platform.node(), read_only=True)
    [entry] = [entry for entry in state.ledger(DOMAIN) if entry.owner is Owner.SPF and entry.type == "TXT"]
    assert f"ip4:{IP}" in entry.added and "mx" not in entry.added.split()
