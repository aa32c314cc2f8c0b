"""DKIM keys in the course of time, by their stamps and what a real name server shows of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dnssync.check.finding import Finding
from dnssync.core.dkim import record_for
from dnssync.core.host import Host, Signer
from dnssync.core.model import KeyPair
from dnssync.core.policy import DkimPolicy, MailPolicy
from dnssync.core.sighting import Sight
from tests.check.dkim_site import by_subject, txt
from tests.check.world import NOW, World
from tests.zonetext import host as told_host
from tests.zonetext import remote_smtp

DAY, HOUR = 86400, 3600
Found = dict[tuple[str, str], list[Finding]]


def key(domain: str, selector: str, **stamps: int) -> KeyPair:
    """A key of that domain, which was made 500 days ago and was seen at once, with more stamps in seconds before now."""
    past: dict[str, Any] = {name: NOW - ago for name, ago in stamps.items() if name not in ("overlap",)}
    born = NOW - 500 * DAY
    return KeyPair(domain, selector, "rsa2048", f"p{selector}aaaa", born, seen=born, published=born + 60, season=2 * HOUR,
                   overlap=stamps.get("overlap", 10 * DAY), **past)  # fmt: skip


def line(one: KeyPair, text: str | None = None, ttl: int = 3600) -> str:
    """Its record in a master file, or another text in its place."""
    return f"{one.selector}._domainkey {ttl} TXT {txt(record_for(one) if text is None else text)}\n"


REVOKED = "v=DKIM1; p="
# case → (the key, its record): phases by stamps, the record as it is, or as it should be
ACTIVE = {"activated": 10 * DAY}
CASES: dict[str, tuple[dict[str, int], str | None]] = {
    "fresh": (ACTIVE, "own"),
    "late": ({"activated": 92 * DAY}, "own"),
    "on-time": ({"activated": 90 * DAY + HOUR}, "own"),
    "called": ({"activated": 40 * DAY, "called": 3 * DAY}, "own"),
    "just-called": ({"activated": 40 * DAY, "called": HOUR}, "own"),
    "retired": ({"activated": 100 * DAY, "retired": 5 * DAY}, "own"),
    "went-early": ({"activated": 100 * DAY, "retired": 5 * DAY}, None),
    "revoked-early": ({"activated": 100 * DAY, "retired": 5 * DAY}, REVOKED),
    "stays": ({"activated": 100 * DAY, "retired": 12 * DAY}, "own"),
    "due": ({"activated": 100 * DAY, "retired": 10 * DAY + HOUR}, "own"),
    "withdrawn": ({"activated": 100 * DAY, "retired": 12 * DAY, "revoked": DAY}, REVOKED),
    "not-withdrawn": ({"activated": 100 * DAY, "retired": 12 * DAY, "revoked": DAY}, "own"),
    "lingers": ({"activated": 100 * DAY, "retired": 30 * DAY, "revoked": 9 * DAY}, REVOKED),
    "ending": ({"activated": 100 * DAY, "retired": 30 * DAY, "revoked": 7 * DAY + HOUR}, REVOKED),
    "ended": ({"activated": 100 * DAY, "retired": 30 * DAY, "revoked": 9 * DAY}, None),
    "compromised": ({"activated": 100 * DAY, "retired": 2 * DAY, "compromised": 2 * DAY}, "own"),
    "gone": ({"activated": 100 * DAY, "retired": 90 * DAY, "revoked": 80 * DAY, "removed": 70 * DAY}, "own"),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Found]:
    """DKIM-06 over all cases, each a domain `CASE.test` with one key."""
    keys = {f"{case}.test": key(f"{case}.test", "s1", **stamps) for case, (stamps, _) in CASES.items()}
    zones = {
        f"{case}.test": "" if text is None else line(keys[f"{case}.test"], None if text == "own" else text)
        for case, (_, text) in CASES.items()
    }
    with World(tmp_path_factory.mktemp("life"), {**zones, "none.test": ""}, keys=tuple(keys.values())) as world:
        yield by_subject(world.findings("DKIM-06"))


WRONG = [
    ("late", "warning", "longer than the 90 days"),
    ("called", "warning", "should have given way"),
    ("went-early", "error", "is gone or another one"),
    ("revoked-early", "error", "is gone or another one"),
    ("stays", "warning", "still publishes the key"),
    ("not-withdrawn", "warning", "still publishes the key"),
    ("lingers", "warning", "A record still stands"),
    ("compromised", "warning", "still publishes the key"),
]


@pytest.mark.parametrize(("case", "severity", "message"), WRONG)
def test_what_is_too_old_or_went_too_early(found: Found, case: str, severity: str, message: str) -> None:
    """A key that signs past its time, a record that stays past its own, and one that went before: told with the name, and a remedy."""
    [one] = found["DKIM-06", f"{case}.test"]
    assert (str(one.severity), message in one.message) == (severity, True), one
    assert "s1" in one.message and one.remedy


@pytest.mark.parametrize("case", ["fresh", "on-time", "just-called", "retired", "due", "withdrawn", "ending", "ended"])
def test_what_is_on_its_way_is_well(found: Found, case: str) -> None:
    """A day's grace, and no more, lies between these and the ones that are told."""
    assert [str(f.severity) for f in found["DKIM-06", f"{case}.test"]] == ["ok"], found["DKIM-06", f"{case}.test"]


@pytest.mark.parametrize("case", ["gone", "none"])
def test_no_key_no_word(found: Found, case: str) -> None:
    """Of a domain without keys, or with none that is not gone, nothing is said."""
    assert ("DKIM-06", f"{case}.test") not in found


def test_a_year_is_enough(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever lifetime is configured: a key of more than a year is old."""

    class Patient(World):
        def _policy(self, zone: str) -> MailPolicy:
            return replace(super()._policy(zone), dkim=DkimPolicy(lifetime=800 * DAY))

    for days, severity in ((370, "warning"), (360, "ok")):
        one = key("a.test", "s1", activated=days * DAY)
        with Patient(tmp_path_factory.mktemp("year"), {"a.test": line(one)}, keys=(one,)) as world:
            [finding] = world.findings("DKIM-06")
        assert str(finding.severity) == severity and ("year" in finding.message) is (severity == "warning")


def test_nobody_answers(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What stands of a retired key is unknown then; that an active one is old needs no look-up."""
    old, gone = key("a.test", "s1", activated=200 * DAY), key("b.test", "s1", activated=100 * DAY, retired=5 * DAY)
    with World(
        tmp_path_factory.mktemp("silent"), {"a.test": line(old), "b.test": line(gone)}, keys=(old, gone)
    ) as world:
        world.bind.stop()
        got = by_subject(world.findings("DKIM-06", "TTL-01"))
    assert [str(f.severity) for f in got["DKIM-06", "a.test"]] == ["warning"]
    assert [str(f.severity) for f in got["DKIM-06", "b.test"]] == ["unknown"]
    assert [str(f.severity) for f in got["TTL-01", "b.test"]] == ["unknown"]


@pytest.mark.parametrize(("ttl", "stamps", "severity"), [
    (7200, {"activated": 100 * DAY, "retired": 5 * DAY}, "info"),
    (3600, {"activated": 100 * DAY, "retired": 5 * DAY}, "ok"),
    (7200, {"activated": 10 * DAY}, ""),
])  # fmt: skip
def test_a_long_ttl_while_keys_change(
    tmp_path_factory: pytest.TempPathFactory, ttl: int, stamps: dict[str, int], severity: str
) -> None:
    """More than an hour is worth knowing while a key changes, and of no interest where none does."""
    one = key("a.test", "s1", **stamps)
    with World(tmp_path_factory.mktemp("ttl"), {"a.test": line(one, ttl=ttl)}, keys=(one,)) as world:
        got = world.findings("TTL-01")
    assert [str(f.severity) for f in got] == ([severity] if severity else [])
    assert severity != "info" or ("7200 seconds" in got[0].message and "ttl: 3600" in got[0].remedy)


def host_of(*selectors: str) -> Host:
    """A host that signs a.test's mail with these keys through dnssync's map."""
    plain = told_host("a.test")
    transport = replace(
        remote_smtp("a.test"),
        options={"dkim_domain": "x"},
        signers=tuple(Signer("a.test", s, f"/keys/{s}.pem", "rsa2048", f"p{s}aaaa") for s in selectors),
    )
    return replace(plain, domains=(replace(plain.domains[0], transports=(transport,)),))


@pytest.mark.parametrize(("selector", "fixable", "remedy"), [
    ("s1", True, '`dnssync apply` will publish it: s1._domainkey.a.test. IN TXT "v=DKIM1; k=rsa; p=ps1aaaa"'),
    ("x9", False, 'Publish: x9._domainkey.a.test. IN TXT "v=DKIM1; k=rsa; p=px9aaaa"'),
])  # fmt: skip
def test_apply_publishes_what_is_dnssyncs(tmp_path: Path, selector: str, fixable: bool, remedy: str) -> None:
    """A missing record of a key of dnssync's own is put right by `apply`; that of another's key is shown."""
    one = key("a.test", "s1", **ACTIVE)
    with World(tmp_path, {"a.test": ""}, keys=(one,), host=host_of(selector)) as world:
        [finding] = world.findings("DKIM-02")
    assert (str(finding.severity), finding.fixable, finding.remedy) == ("error", fixable, remedy)


def test_another_key_lies_in_the_file(tmp_path: Path) -> None:
    """Where the file of a selector holds another key than dnssync's, publishing what dnssync wants would help nobody: the file is named."""
    one = replace(key("a.test", "s1", **ACTIVE), public_key="another0")
    with World(tmp_path, {"a.test": line(one)}, keys=(one,), host=host_of("s1")) as world:
        [finding] = world.findings("DKIM-02")
    assert not finding.fixable and "/keys/s1.pem is not the key that dnssync keeps" in finding.remedy


def test_exim_still_signs_with_a_withdrawn_key(tmp_path: Path) -> None:
    """To publish the key again is no remedy where dnssync itself withdrew it: exim has to sign with another one."""
    one = key("a.test", "s1", activated=100 * DAY, retired=12 * DAY, revoked=DAY)
    with World(tmp_path, {"a.test": line(one, REVOKED)}, keys=(one,), host=host_of("s1")) as world:
        [finding] = world.findings("DKIM-05")
    assert (str(finding.severity), finding.fixable) == ("error", False)
    assert "withdrawn (empty p=)" in finding.message and "map should name another one" in finding.remedy


def test_a_line_that_the_map_will_get(tmp_path: Path) -> None:
    """A domain that exim signs nothing of, with a key that is ready: `apply` writes the line of the map."""
    ready = key("a.test", "s1")
    looks = {("a.test", "s1"): Sight.VISIBLE}
    for keys, fixable in (((ready,), True), ((), False)):
        with World(tmp_path / str(fixable), {"a.test": line(ready)}, keys=keys, sights=looks, host=host_of()) as world:
            [finding] = world.findings("DKIM-01")
        assert (str(finding.severity), finding.fixable) == ("error", fixable), finding
        assert "signs nothing of a.test" in finding.message


def test_a_domain_that_mail_of_leaves_by_no_transport(tmp_path: Path) -> None:
    """It is worth knowing, and no other check of keys has a word for it."""
    plain = host_of()
    alone = replace(plain, domains=(replace(plain.domains[0], transports=()),))
    with World(tmp_path, {"a.test": ""}, host=alone) as world:
        got = world.findings("DKIM-01", "DKIM-02", "DKIM-03", "DKIM-04", "DKIM-05", "DKIM-07")
    assert [(f.id, str(f.severity)) for f in got] == [("DKIM-01", "info")]


def test_exim_could_not_be_asked(tmp_path: Path) -> None:
    """All that rests on it is unknown, with the reason."""
    ids = ("DKIM-01", "DKIM-02", "DKIM-03", "DKIM-04", "DKIM-05", "DKIM-06", "DKIM-07", "TTL-01")
    with World(
        tmp_path, {"a.test": ""}, facts={"seen": None, "decision": None, "trouble": "exim is not here"}
    ) as world:
        got = world.findings(*ids)
    assert [(f.id, str(f.severity), f.message) for f in got] == [(id, "unknown", "exim is not here.") for id in ids]


@pytest.mark.parametrize(("changes", "severity", "remedy"), [
    ({"problem": "exim cannot work out dkim_domain of its transport x: failed to open /etc/map: Permission denied"}, "unknown", "as root"),
    ({"problem": "exim cannot work out dkim_domain of its transport x: unknown expansion operator"}, "error", "dnssync exim --install"),
    ({"signers": (Signer("a.test", "s1", "/keys/s1.pem", problem="/keys/s1.pem: dnssync cannot read this key: Permission denied"),)}, "unknown", "as root"),
    ({"signers": (Signer("a.test", "s1", "/keys/s1.pem", problem="/keys/s1.pem: exim may not read the file"),)}, "error", "chmod 0640"),
])  # fmt: skip
def test_what_is_closed_to_us_need_not_be_to_exim(
    tmp_path: Path, changes: dict[str, Any], severity: str, remedy: str
) -> None:
    """A file that dnssync may not open proves nothing; what exim cannot work out or open is an error."""
    plain = host_of()
    [mail] = plain.domains
    odd = replace(plain, domains=(replace(mail, transports=(replace(mail.transports[0], **changes),)),))
    with World(tmp_path, {"a.test": ""}, host=odd) as world:
        got = [f for f in world.findings("DKIM-01") if "signs nothing" not in f.message]
    assert [(str(f.severity), remedy in f.remedy) for f in got] == [(severity, True)]
