"""Signing as exim really does it, beside state, map and DNS: each check where it fires, and in the nearest world where it does not."""

from __future__ import annotations

import base64
import os
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from dnssync.core import dkim
from dnssync.core.model import KeyPair
from tests.check.exim_built import ZONES, Build, Pems, by_hand, ours, severities
from tests.check.world import NOW, World
from tests.exim_told import told

pytestmark = pytest.mark.exim


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


def test_a_key_written_down_in_another_way(build: Build, pems: Pems) -> None:
    """EXIM-06: p= as the bare RSAPublicKey (RFC 8017), which verifiers take, is the same key."""
    built = build()
    ours(built, pems)
    private = serialization.load_pem_private_key(pems["s1"][0], None)
    bare = private.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    text = f"v=DKIM1; p={base64.b64encode(bare).decode()}"
    zones = records(pems["s1"][1], net=f"s1._domainkey TXT {quoted(text)}\n")
    assert severities(built.findings("EXIM-06", zones=zones)) == ["ok", "ok"]


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
    assert "backup" in found.remedy and "chmod" not in found.remedy


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
