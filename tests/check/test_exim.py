"""exim's own set-up, with a real exim: each check in a world where it fires, and in the nearest where it does not."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from dnssync.check.exim_setup import Panic, SetUp, Setup
from dnssync.exim.ask import Exim
from dnssync.exim.macros import render, transport_lines
from tests.check.exim_built import ZONES, Build, Built, Pems, by_hand, ours, severities
from tests.check.world import World

pytestmark = pytest.mark.exim


def test_macros_reach_the_transport(build: Build, pems: Pems) -> None:
    """EXIM-01: an internet host without macros signs nothing; with dnssync's, or with its own, all is well."""
    none, with_ours, own = build(), build(), build()
    ours(with_ours, pems)
    by_hand(own, pems)
    [found] = none.findings("EXIM-01")
    assert str(found.severity) == "error"
    assert "example.org and example.net" in found.message and "remote_smtp" in found.message
    assert "dnssync exim --install" in found.remedy
    assert severities(with_ours.findings("EXIM-01")) == ["ok"]
    assert severities(own.findings("EXIM-01")) == ["ok"]


@pytest.mark.parametrize("configtype", ["smarthost", "satellite"])
def test_a_smarthost_is_reached_by_another_transport(build: Build, pems: Pems, configtype: str) -> None:
    """EXIM-01: Debian's remote_smtp_smarthost takes no macro; with the printed lines in it, it signs."""
    bare = build(configtype=configtype, readhost="example.org", smarthost="relay.elsewhere.test::587")
    ours(bare, pems)
    [found] = bare.findings("EXIM-01")
    assert str(found.severity) == "error"
    assert "remote_smtp_smarthost, to relay.elsewhere.test, which has no DKIM option" in found.message
    assert transport_lines() in found.remedy
    bare.host.edit("remote_smtp_smarthost", transport_lines())
    assert severities(bare.findings("EXIM-01")) == ["ok"]


def test_half_of_the_options(build: Build, pems: Pems) -> None:
    """EXIM-01: dkim_domain alone signs nothing."""
    half = build()
    by_hand(half, pems)
    head = half.host.confdir / "conf.d/main/000_localmacros"
    half.host.head(head.read_text().replace("DKIM_SELECTOR = mail\n", ""))
    [found] = half.findings("EXIM-01")
    assert str(found.severity) == "error" and "no dkim_selector" in found.message


def test_an_option_that_cannot_be_worked_out(build: Build, pems: Pems) -> None:
    """EXIM-01: what exim fails to expand signs nothing, in exim's own words."""
    broken = build()
    by_hand(broken, pems)
    head = broken.host.confdir / "conf.d/main/000_localmacros"
    broken.host.head(
        head.read_text().replace("DKIM_SELECTOR = mail", "DKIM_SELECTOR = ${lookup{x}lsearch{/nonexistent/file}}")
    )
    [found] = broken.findings("EXIM-01")
    assert str(found.severity) == "error" and "/nonexistent/file" in found.message


def use_own(built: Built, *, signing: bool = True) -> None:
    """What exim uses is a hand-written exim4.conf from now on."""
    built.host.render()
    own = built.host.confdir / "exim4.conf"
    shutil.copy(built.host.config, own)
    if not signing:
        own.write_text(
            "\n".join(line for line in own.read_text().splitlines() if not line.lstrip().startswith("dkim_"))
        )
    built.host.config = own
    built.host.render = lambda: own  # type: ignore[method-assign]  # as update-exim4.conf: it leaves that file alone


def test_a_hand_written_configuration(build: Build, pems: Pems) -> None:
    """EXIM-02: none is well, one that names the map is well; one that does not sign is an error, one with a set-up of its own a hint."""
    debian, named, unsigned, own = build(), build(), build(), build()
    for built in (debian, named):
        ours(built, pems)
    by_hand(own, pems)
    assert severities(debian.findings("EXIM-02")) == ["ok"]
    use_own(named)
    assert severities(named.findings("EXIM-02")) == ["ok"]
    use_own(unsigned, signing=False)
    [found] = unsigned.findings("EXIM-02")
    assert str(found.severity) == "error" and str(unsigned.host.config) in found.message
    assert "dnssync exim --print" in found.remedy and "mv " in found.remedy
    use_own(own)
    assert severities(own.findings("EXIM-02")) == ["info"]


def test_macros_that_a_hand_written_configuration_ignores(build: Build, pems: Pems) -> None:
    """EXIM-02: dnssync's macros stand in conf.d, and exim reads a file without them."""
    built = build()
    by_hand(built, pems)
    use_own(built)
    assert severities(built.findings("EXIM-02")) == ["info"]
    built.host.macros(render(built.host.map, built.host.keys))
    [found] = built.findings("EXIM-02")
    assert str(found.severity) == "error"
    assert "are ignored" in found.message and "zz_dnssync" in found.message


def test_a_hand_written_configuration_beside_the_one_in_use(build: Build, pems: Pems) -> None:
    """EXIM-02: exim was told to use another file; what is changed in Debian's does not get there any more."""
    built = build()
    ours(built, pems)
    (built.host.confdir / "exim4.conf").write_text("")
    [found] = built.findings("EXIM-02")
    assert str(found.severity) == "error" and str(built.host.config) in found.message


@pytest.mark.parametrize(("strict", "then"), [("", "leaves unsigned"), ("DKIM_STRICT = true\n", "waits")])
def test_a_tainted_key_file(build: Build, pems: Pems, strict: str, then: str) -> None:
    """EXIM-03: dkim_domain from the header as many guides have it; through a look-up it is well."""
    naive, looked_up = build(), build()
    for built, text in ((naive, "${lc:${domain:$h_from:}}"), (looked_up, None)):
        by_hand(built, pems, more=strict)
        head = built.host.confdir / "conf.d/main/000_localmacros"
        lines = head.read_text().replace("/keys/own/mail.pem", "/keys/$dkim_domain/mail.pem").splitlines()
        built.host.head(
            "\n".join(f"DKIM_DOMAIN = {text}" if text and line.startswith("DKIM_DOMAIN") else line for line in lines)
        )
        for name in ZONES:
            built.host.key(name, "mail", pems["s1"][0])
    [found] = naive.findings("EXIM-03")
    assert str(found.severity) == "error" and then in found.message and "example.org and example.net" in found.message
    assert "${lookup{" in found.remedy
    assert severities(looked_up.findings("EXIM-03")) == ["ok"]


def _host_logs() -> list[str]:
    """The lines of this machine's own exim about configurations that are being tried; who else tests here tries others."""
    found = []
    for name in ("mainlog", "paniclog"):
        file = Path("/var/log/exim4", name)
        if os.access(file, os.R_OK):
            found += [line for line in file.read_text(errors="replace").splitlines() if f"at_all_{os.getpid()}" in line]
    return found


@pytest.mark.parametrize("split", [True, False])
def test_sources_that_exim_does_not_know_of_yet(build: Build, split: bool) -> None:
    """EXIM-04: a changed macro that was not rendered; touched only, or rendered, is well."""
    built = build(split=split)
    built.host.render()
    built.host.render = lambda: built.host.config  # type: ignore[method-assign]
    name = "conf.d/main/000_localmacros" if split else "exim4.conf.localmacros"
    source, made = built.host.confdir / name, int(built.host.config.stat().st_mtime)
    for path in (built.host.confdir, *built.host.confdir.rglob("*")):
        os.utime(path, (made - 100, made - 100))
    assert severities(built.findings("EXIM-04")) == ["ok"]
    os.utime(source, (made + 100, made + 100))
    assert severities(built.findings("EXIM-04")) == ["ok"]
    source.write_text(source.read_text() + "REMOTE_SMTP_HELO_DATA = other.example.org\n")
    os.utime(source, (made + 100, made + 100))
    [found] = built.findings("EXIM-04")
    assert str(found.severity) == "warning"
    assert str(source) in found.message and "update-exim4.conf" in found.remedy
    source.write_text(f"no_macro_at_all_{os.getpid()}\n")
    os.utime(source, (made + 100, made + 100))
    before = (built.host.log(), *_host_logs())
    [found] = built.findings("EXIM-04")
    assert str(found.severity) == "warning" and "could not be tried" in found.message
    assert (built.host.log(), *_host_logs()) == before  # exim logs such a mistake, and this one is not the host's


def test_a_configuration_without_sources(build: Build, pems: Pems) -> None:
    """EXIM-04 does not arise where exim reads a file that nobody renders."""
    built = build()
    use_own(built)
    assert built.findings("EXIM-04") == []
    other = build()
    text = other.host.render().read_text()
    other.host.render = lambda: other.host.config  # type: ignore[method-assign]
    assert severities(other.findings("EXIM-04")) == ["ok"] and "generated dynamically" in text
    other.host.config.write_text(text.replace("generated dynamically", "written"))
    assert other.findings("EXIM-04") == []


def test_the_panic_log(build: Build) -> None:
    """EXIM-08: what exim panics about; what it writes where somebody used -C is nothing, and no password is shown."""
    built = build()
    file = built.host.folder / "log/paniclog"
    assert severities(built.findings("EXIM-08")) == ["ok"]
    harmless = "2026-11-29 10:00:00 exim user lost privilege for using -C option\n"
    file.write_text(harmless)
    assert severities(built.findings("EXIM-08")) == ["ok"]
    file.write_text(
        harmless
        + '2026-11-29 10:00:01 lookup failed: user=exim password="very secret" pass=hidden ldap://me:geheim@h/\n'
        + harmless
    )
    [found] = built.findings("EXIM-08")
    assert str(found.severity) == "warning" and "has one line" in found.message and "lookup failed" in found.message
    assert not any(word in found.message for word in ("very", "hidden", "geheim"))
    assert str(file) in found.remedy


def test_a_panic_log_that_may_not_be_read(build: Build, tmp_path: Path) -> None:
    """EXIM-08 is unknown then, and says whose group it takes."""
    world = World(
        tmp_path,
        {"example.org": ""},
        have={Setup(): SetUp("/x", panic=Panic("/log/paniclog", problem="/log/paniclog: Permission denied"))},
    )
    [(severity, message)] = world.said("EXIM-08")
    assert str(severity) == "unknown" and "Permission denied" in message


@pytest.mark.parametrize("split", [True, False])
def test_spf_of_incoming_mail(build: Build, split: bool) -> None:
    """EXIM-09: Debian verifies none unless CHECK_RCPT_SPF is set; where nobody else can send here, it does not arise."""
    built = build(split=split)
    assert built.findings("EXIM-09") == []
    conf = built.host.confdir / "update-exim4.conf.conf"
    conf.write_text(
        conf.read_text().replace("dc_local_interfaces='127.0.0.1'", "dc_local_interfaces='127.0.0.1 ; 192.0.2.1'")
    )
    [found] = built.findings("EXIM-09")
    assert str(found.severity) == "warning" and "CHECK_RCPT_SPF" in found.remedy
    name = "conf.d/main/000_localmacros" if split else "exim4.conf.localmacros"
    built.host.head((built.host.confdir / name).read_text() + "CHECK_RCPT_SPF = true\n")
    [found] = built.findings("EXIM-09")
    if "SPF" in built.host.exim().built():
        assert str(found.severity) == "ok"
    else:  # the light daemon
        assert str(found.severity) == "warning" and "has no effect" in found.message


def test_an_exim_without_spf(build: Build, tmp_path: Path) -> None:
    """EXIM-09: the light daemon ignores CHECK_RCPT_SPF; a spam filter may verify SPF instead."""

    def said(setup: SetUp) -> tuple[str, str, str]:
        [one] = World(tmp_path, {"example.org": ""}, have={Setup(): setup}).findings("EXIM-09")
        return str(one.severity), one.message, one.remedy

    light = SetUp("/x", spf_built_in=False, verifies_spf=False, spf_wanted=True)
    severity, message, remedy = said(light)
    assert severity == "warning" and "has no effect" in message and remedy == "apt install exim4-daemon-heavy"
    severity, message, remedy = said(replace(light, spf_wanted=None))
    assert severity == "warning" and "no effect" not in message and "CHECK_RCPT_SPF" in remedy
    assert said(replace(light, scans=True))[0] == "info"
    assert said(replace(light, verifies_spf=True))[0] == "ok"


def test_without_exim_nothing_is_known(tmp_path: Path) -> None:
    """Where exim cannot be asked, each check of it is unknown, with the reason."""
    facts = {"seen": None, "decision": None, "trouble": "exim is not here"}
    world = World(tmp_path, {"example.org": ""}, facts=facts, exim=Exim(("/nonexistent/exim",)))
    for number in range(1, 12):
        said = world.said(f"EXIM-{number:02}")
        assert [str(severity) for severity, _ in said] == ["unknown"], said
        assert "exim is not here" in said[0][1]
