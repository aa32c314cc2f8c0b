"""exim's own set-up, with a real exim: each check in a world where it fires, and in the nearest where it does not."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dnssync.check.exim_setup import Panic, SetUp, Setup
from dnssync.check.finding import Finding
from dnssync.core import dkim
from dnssync.core.model import KeyPair
from dnssync.exim.ask import Exim
from dnssync.exim.macros import render, transport_lines
from dnssync.keystore import Keystore
from tests.check.world import NOW, World
from tests.exim_host import EximHost
from tests.exim_told import told

pytestmark = pytest.mark.exim

ZONES = ("example.org", "example.net")
OWN = """\
DKIM_DOMAIN = ${lookup{${lc:${domain:$rh_from:}}}lsearch,ret=key{/DIR/own}}
DKIM_SELECTOR = mail
DKIM_PRIVATE_KEY = /DIR/keys/own/mail.pem
"""


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bytes, KeyPair]]:
    """Two RSA keys, as the keystore writes them: the private half and the public one."""
    root = tmp_path_factory.mktemp("keys")
    store = Keystore(root)
    made = {}
    for name in ("s1", "s2"):
        algorithm, public = store.generate("example.org", name, "rsa2048")
        pair = KeyPair("example.org", name, algorithm, public, NOW - 9 * 86400)
        made[name] = ((root / "example.org" / f"{name}.pem").read_bytes(), pair)
    return made


Pems = dict[str, tuple[bytes, KeyPair]]


class Built:
    """A host with its world: `host` is the real exim, `findings` the checks over what is observed of it."""

    def __init__(self, folder: Path, host: EximHost, **world: object) -> None:
        self.folder, self.host, self.world = folder, host, dict(world)

    def findings(self, *ids: str, zones: dict[str, str] | None = None, **more: object) -> list[Finding]:
        """The findings over what exim tells now; without DNS, unless zones are given (the name server runs then)."""
        texts = zones or dict.fromkeys(ZONES, "mx A 192.0.2.1\n")
        host = told(self.host, *texts, map_path=self.host.map)
        facts = {"map_path": str(self.host.map), **more.pop("facts", {})}  # type: ignore[dict-item]
        world = World(
            self.folder, texts, host=host, exim=self.host.exim(), sources={"confdir": self.host.confdir}, facts=facts,
            **{**self.world, **more},
        )  # fmt: skip
        if zones is None:
            return world.findings(*ids)
        with world:
            return world.findings(*ids)


def severities(found: list[Finding]) -> list[str]:
    """The severities alone, as text."""
    return [str(finding.severity) for finding in found]


Build = Callable[..., Built]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    """Hosts to look at, put away at the end."""
    with contextlib.ExitStack() as hosts:

        def make(**options: object) -> Built:
            return Built(tmp_path, hosts.enter_context(EximHost(hostnames=ZONES, **options)))  # type: ignore[arg-type]

        yield make


def ours(built: Built, pems: Pems, *, install: bool = True, **macros: object) -> None:
    """dnssync's macros, a map line and a key for example.org; example.net has a line of the same key."""
    if install:
        built.host.macros(render(built.host.map, built.host.keys, **macros))  # type: ignore[arg-type]
    built.host.map.write_text("example.org: s1\nexample.net: s1\n")
    for name in ZONES:
        built.host.key(name, "s1", pems["s1"][0])
    built.world["observed"] = {"map": {"example.org": ("s1",), "example.net": ("s1",)}}


def by_hand(built: Built, pems: Pems, *, more: str = "") -> None:
    """An administrator's own selector and key for both domains."""
    host = built.host
    (host.folder / "own").write_text("example.org: x\nexample.net: x\n")
    host.key("own", "mail", pems["s1"][0])
    text = (host.confdir / "conf.d/main/000_localmacros").read_text()
    host.head(text + (OWN + more).replace("/DIR", str(host.folder)))


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
    source.write_text("this is no macro at all\n")
    os.utime(source, (made + 100, made + 100))
    [found] = built.findings("EXIM-04")
    assert str(found.severity) == "warning" and "could not be tried" in found.message


def test_a_configuration_without_sources(build: Build, pems: Pems) -> None:
    """EXIM-04 does not arise where exim reads a file that nobody renders."""
    built = build()
    use_own(built)
    assert built.findings("EXIM-04") == []


def key(pair: KeyPair, domain: str = "example.org", **stamps: int | None) -> KeyPair:
    """A key of the state: active, unless told otherwise."""
    times = {
        "generated": NOW - 9 * 86400,
        "seen": NOW - 9 * 86400,
        "published": NOW - 8 * 86400,
        "activated": NOW - 86400,
        "season": 3900,
    }
    return replace(pair, domain=domain, **{**times, **stamps})


def test_exim_signs_with_what_the_state_says(build: Build, pems: Pems) -> None:
    """EXIM-05: map, state and exim agree; the state has another key active; exim reads another map than dnssync writes."""
    built = build()
    ours(built, pems)
    s1, s2 = key(pems["s1"][1]), key(pems["s2"][1])
    agreed, other = built.findings("EXIM-05", keys=[s1]), built.findings("EXIM-05", keys=[s1, s2])
    assert severities(agreed) == ["ok", "ok"]
    assert severities(other) == ["error", "ok"]
    assert "dnssync's state has s1, s2 active" in other[0].message
    built.world["observed"] = {"map": {"example.org": ("s2",), "example.net": ("s1",)}}
    [found, well] = built.findings("EXIM-05")
    assert (str(found.severity), str(well.severity)) == ("error", "ok")
    assert "exim would sign mail of example.org with s1" in found.message and "names s2" in found.message


def test_a_set_up_of_its_own_beside_the_map(build: Build, pems: Pems) -> None:
    """EXIM-05: before `--install` exim signs by itself, and dnssync's map waits: a hint; with no signature at all the question does not arise."""
    own, none = build(), build()
    by_hand(own, pems)
    assert severities(own.findings("EXIM-05", observed={"map": {"example.org": ("s1",)}})) == ["info", "ok"]
    adopted = key(replace(pems["s1"][1], selector="mail", adopted=True))
    assert severities(own.findings("EXIM-05", keys=[adopted])) == ["ok", "ok"]
    assert severities(own.findings("EXIM-05", keys=[key(pems["s1"][1])])) == ["error", "ok"]
    assert none.findings("EXIM-05", observed={"map": {"example.org": ("s1",)}}) == []


def records(pair: KeyPair, **changed: str) -> dict[str, str]:
    """Both zones with the record of s1, or with another text in one of them."""
    texts = {
        name: changed.get(name.partition(".")[2], f"s1._domainkey TXT {quoted(dkim.record_for(pair))}\n")
        for name in ZONES
    }
    return {name: f"mx A 192.0.2.1\n{text}" for name, text in texts.items()}


def quoted(text: str) -> str:
    """A TXT text in strings of at most 255 octets."""
    return " ".join(f'"{text[at : at + 255]}"' for at in range(0, len(text), 255))


def test_a_key_beside_dns(build: Build, pems: Pems) -> None:
    """EXIM-06: the published key is the one in exim's file; no record, another key, a revoked one are errors of that domain alone."""
    built = build()
    ours(built, pems)
    right, s2 = pems["s1"][1], dkim.record_for(pems["s2"][1])
    assert severities(built.findings("EXIM-06", zones=records(right))) == ["ok", "ok"]
    for text, word in (
        ("", "has no record"),
        (f"s1._domainkey TXT {quoted(s2)}\n", "another key"),
        ('s1._domainkey TXT "v=DKIM1; p="\n', "revoked"),
    ):
        [well, found] = built.findings("EXIM-06", zones=records(right, net=text))
        assert (str(well.severity), str(found.severity), found.subject) == ("ok", "error", "example.net")
        assert word in found.message and "s1._domainkey.example.net" in found.message
        assert ("v=DKIM1" in found.remedy) is (word != "revoked")


def test_a_key_that_exim_cannot_read(build: Build, pems: Pems) -> None:
    """EXIM-06: a mode that keeps exim's user out, and a file that is gone."""
    built = build()
    ours(built, pems)
    zones = records(pems["s1"][1])
    path = built.host.keys / "example.org" / "s1.pem"
    path.chmod(0o600)
    os.chown(path, 0 if os.geteuid() == 0 else -1, -1)
    if os.geteuid() != 0:
        path.chmod(0o000)
    [found, well] = built.findings("EXIM-06", zones=zones)
    assert (str(found.severity), str(well.severity)) == ("error", "ok")
    assert "may not read the file" in found.message and f"chmod 0640 {path}" in found.remedy
    path.unlink()
    [found, _] = built.findings("EXIM-06", zones=zones)
    assert str(found.severity) == "error" and "no such file" in found.message


def test_an_active_key_whose_private_half_is_lost(build: Build, pems: Pems) -> None:
    """EXIM-06: the state has it active, and the keystore cannot read it."""
    built = build()
    pair = key(pems["s1"][1])
    [well] = built.findings("EXIM-06", keys=[pair])
    [found] = built.findings("EXIM-06", keys=[pair], observed={"readable": frozenset()})
    assert (str(well.severity), str(found.severity)) == ("ok", "error")


def test_nobody_answers_for_the_key(build: Build, tmp_path: Path, pems: Pems) -> None:
    """EXIM-06 is unknown while the name server is silent."""
    built = build()
    ours(built, pems)
    host = told(built.host, *ZONES, map_path=built.host.map)
    with World(tmp_path, records(pems["s1"][1]), host=host) as world:
        world.bind.stop()
        assert world.severities("EXIM-06") == ["unknown", "unknown"]


def test_a_domain_that_the_map_lacks(build: Build, pems: Pems) -> None:
    """EXIM-07: a line is missing; with it, or with that of a parent, all is well; where nothing reads the map it does not arise."""
    built, none = build(), build()
    ours(built, pems)
    found = {f.subject: f for f in built.findings("EXIM-07")}
    assert str(found["example.org"].severity) == str(found["example.net"].severity) == "ok"
    built.host.map.write_text("example.org: s1\n")
    found = {f.subject: f for f in built.findings("EXIM-07", observed={"map": {"example.org": ("s1",)}})}
    assert (str(found["example.org"].severity), str(found["example.net"].severity)) == ("ok", "warning")
    assert str(built.host.map) in found["example.net"].message
    assert none.findings("EXIM-07") == []


def test_a_domain_in_no_configured_zone(build: Build, pems: Pems) -> None:
    """EXIM-07: exim has it, and dnssync looks after no zone that holds it; not told where only some zones are looked at."""
    built = build()
    ours(built, pems)
    (built.host.map).write_text("example.org: s1\n")
    seen = {"map": {"example.org": ("s1",)}}
    one = {"example.org": "mx A 192.0.2.1\n"}
    found = {f.subject: f for f in built.findings("EXIM-07", zones=one, observed=seen)}
    assert str(found["example.org"].severity) == "ok" and str(found["example.net"].severity) == "warning"
    assert "No configured zone holds it" in found["example.net"].remedy
    some = built.findings(
        "EXIM-07", zones=one, observed=seen, facts={"configured": frozenset({"example.org", "other.test"})}
    )
    assert [f.subject for f in some] == ["example.org"]


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


def test_a_missing_key_sends_unsigned(build: Build, pems: Pems) -> None:
    """EXIM-10: dkim_strict off, by our macros or by hand; on it is well, unsigned hosts have nothing to lose."""
    loose, tight, own, none = build(), build(), build(), build()
    ours(loose, pems, strict=False)
    ours(tight, pems)
    by_hand(own, pems)
    [found] = loose.findings("EXIM-10")
    assert str(found.severity) == "warning" and found.remedy == "`dnssync exim --install --strict` sets it."
    assert severities(tight.findings("EXIM-10")) == ["ok"]
    [found] = own.findings("EXIM-10")
    assert str(found.severity) == "warning" and "the macro DKIM_STRICT = true" in found.remedy
    assert none.findings("EXIM-10") == []


@pytest.mark.parametrize(
    ("text", "severity"), [("${if eq{a}{a}{true}{false}}", "ok"), ("${if eq{a}{b}{true}{false}}", "warning")]
)
def test_strict_is_worked_out(build: Build, pems: Pems, text: str, severity: str) -> None:
    """EXIM-10: an expansion is expanded by exim."""
    built = build()
    by_hand(built, pems, more=f"DKIM_STRICT = {text}\n")
    assert severities(built.findings("EXIM-10")) == [severity]


def test_signatures_without_an_end(build: Build, pems: Pems) -> None:
    """EXIM-11: no x=, by our macros or by hand; with it, or without any signature, nothing."""
    endless, ending, own, none = build(), build(), build(), build()
    ours(endless, pems, timestamps=None)
    ours(ending, pems)
    by_hand(own, pems)
    [found] = endless.findings("EXIM-11")
    assert str(found.severity) == "info" and "--timestamps 604800" in found.remedy
    assert severities(ending.findings("EXIM-11")) == ["ok"]
    assert "DKIM_TIMESTAMPS = 604800" in own.findings("EXIM-11")[0].remedy
    assert none.findings("EXIM-11") == []


def test_without_exim_nothing_is_known(tmp_path: Path) -> None:
    """Where exim cannot be asked, each check of it is unknown, with the reason."""
    facts = {"seen": None, "decision": None, "trouble": "exim is not here"}
    world = World(tmp_path, {"example.org": ""}, facts=facts, exim=Exim(("/nonexistent/exim",)))
    for number in range(1, 12):
        said = world.said(f"EXIM-{number:02}")
        assert [str(severity) for severity, _ in said] == ["unknown"], said
        assert "exim is not here" in said[0][1]
