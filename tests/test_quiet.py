"""DNS first: a pass of the daemon asks a provider only for a zone in which something is to be done; on a real zone file and name server."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dnssync import identity
from dnssync.config import load
from dnssync.core.decide import Decision
from dnssync.core.durations import DAY, HOUR
from dnssync.core.model import Change, Kind, Notice, Owner, Phase, Refusal, RRset
from dnssync.core.observed import Observed
from dnssync.core.plan import Plan
from dnssync.core.rotation import BY_READING, Policy, phase
from dnssync.quiet import as_noted, deep_due, loud
from dnssync.reconcile import Look
from dnssync.resolver import Resolver
from dnssync.state import State, ZoneRecord
from dnssync.state_rows import Trouble
from tests.ripe import DOMAIN, Ripe, grown, open_folder
from tests.ripe import scene as ripe
from tests.test_cli_commands import data, told

__all__ = ["grown", "open_folder", "ripe"]


class Watched:
    """A provider whose calls are counted."""

    def __init__(self, real, calls: Counter[str]) -> None:
        self._real, self._calls = real, calls

    def __getattr__(self, name: str):
        return getattr(self._real, name)

    def read(self, zone: str) -> tuple[RRset, ...]:
        """As it does."""
        self._calls["read"] += 1
        return self._real.read(zone)

    def write(self, zone: str, changes: Sequence[Change]) -> tuple[str, ...]:
        """As it does."""
        self._calls["write"] += 1
        return self._real.write(zone, changes)


class Quiet(Ripe):
    """The scene, with passes of the daemon."""

    calls: Counter[str]

    def line(self, config, **options):
        """The parts, with a provider whose calls are counted."""
        line = super().line(config, **options)
        real = line.zones.provider
        line.zones = _With(line.zones, provider=lambda name: Watched(real(name), self.calls))
        return line

    def once(self, code: int = 0) -> Counter[str]:
        """A pass of the daemon, and what it asked of the provider."""
        self.calls.clear()
        assert self.run("run", "--once") == code, told(self)
        return Counter(self.calls)

    @property
    def zone(self) -> ZoneRecord:
        """What the state says of the zone."""
        record = self.state.zone(DOMAIN)
        assert record is not None
        return record

    @property
    def state(self) -> State:
        """The state, to look into."""
        return State.open(load(self.stage.config).state, host=identity.rows(self.stage.keys))

    def edit(self, old: str, new: str) -> None:
        """A person edits the zone."""
        text = self.stage.zone_file.read_text()
        assert len(re.findall(old, text, re.DOTALL | re.MULTILINE)) == 1, text
        self.stage.zone_file.write_text(re.sub(old, new, text, flags=re.DOTALL | re.MULTILINE))


class _With:
    """Something with other attributes."""

    def __init__(self, real, **others) -> None:
        self._real = real
        self.__dict__.update(others)

    def __getattr__(self, name: str):
        return getattr(self._real, name)


@pytest.fixture
def scene(ripe: Ripe) -> Iterator[Quiet]:
    """A domain in order: its keys sign, each has a standby, and a pass has just looked at everything."""
    made = Quiet.__new__(Quiet)
    made.__dict__.update(ripe.__dict__, calls=Counter())
    assert made.run("apply", "--yes") == 0
    made.now += 900
    yield made


def test_nothing_to_do(scene: Quiet) -> None:
    """The provider is not asked at all; the pass is noted, the reading is not."""
    read = scene.zone.last_read
    assert scene.once() == {}
    assert (scene.zone.last_pass, scene.zone.last_read) == (int(scene.now), read)
    events = scene.state.last_event()
    scene.now += 900
    assert scene.once() == {} and scene.state.last_event() == events
    assert scene.run("status") == 0


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        (r"^_dmarc[^\n]*\n", "", "p=none"),
        (r'TXT "v=spf1 [^"]*', 'TXT "v=spf1 -all', "ip4:192.0.2.25"),
        (r'SPF "v=spf1 [^"]*', 'SPF "v=spf1 -all', "ip4:192.0.2.25"),
        (r'(?<=postmaster@esferas.example"\n)\S+e-mx[^\n]*\n', "", "ed25519"),
    ],
)
def test_dns_shows_something_else(scene: Quiet, old: str, new: str, wanted: str) -> None:
    """Where the name servers show another text, or none, the provider is read, and what is ours is put right."""
    before = scene.published()
    scene.edit(old, new)
    calls = scene.once()
    assert calls["read"] >= 1 and calls["write"] == 1
    assert scene.published() == before and wanted in scene.stage.zone_file.read_text()


def test_an_imported_tag(scene: Quiet) -> None:
    """What a person changes in a record that is partly ours is taken into the ledger, and the zone is quiet again."""
    scene.edit("v=DMARC1; p=none", "v=DMARC1; p=quarantine")
    assert scene.once()["read"] >= 1
    scene.now += 900
    assert scene.once() == {} and "p=quarantine" in scene.stage.zone_file.read_text()


def test_strangers_are_seen_by_the_deep_pass(scene: Quiet) -> None:
    """What others write beside ours changes nothing in DNS that we claim, and is seen once a day."""
    host = (scene.stage.keys / "host-id").read_text().strip()
    file = scene.stage.zone_file
    file.write_text(file.read_text() + f'20260101r-{host}-zzzz._domainkey.{DOMAIN}. IN TXT "v=DKIM1; k=rsa; p=AAAA"\n')
    assert scene.once() == {}
    due = deep_due(scene.zone, DAY)
    scene.now = due - 1
    assert scene.once() == {}
    scene.now = due
    assert scene.once(3)["read"] >= 1 and "20260101r" in told(scene)


def test_the_deep_pass_is_spread() -> None:
    """Zones that were read at one moment come due between half of the time and the whole of it, evenly."""
    due = [deep_due(ZoneRecord(f"zone{number}.test", 1000, 1000, "ok", 9), DAY) - 1000 for number in range(2000)]
    assert min(due) >= DAY // 2 and max(due) <= DAY
    hours = Counter((at - DAY // 2) // HOUR for at in due)
    assert len(hours) == 12 and max(hours.values()) < 2 * 2000 / 12


def test_what_a_person_changes(scene: Quiet) -> None:
    """The configuration, and a word of a person, are seen without a reading, and what follows from them is done."""
    text = scene.stage.config.read_text()
    scene.stage.config.write_text(text.replace("zones:", "defaults: {spf: {extra: ['ip4:192.0.2.77']}}\nzones:", 1))
    assert scene.once()["write"] == 1 and "192.0.2.77" in scene.stage.zone_file.read_text()
    scene.now += 900
    assert scene.once() == {}
    assert scene.run("rotate") == 0
    scene.now += 900
    assert scene.once()["read"] >= 1, "new keys are on their way"


def test_a_rotation_goes_its_way(scene: Quiet) -> None:
    """Passes of the daemon alone take the keys through their lives, and leave the provider alone in between."""
    old, heirs = scene.of("active"), scene.of("ready")
    quiet = 0
    scene.now += 90 * DAY
    for _ in range(60):
        quiet += not scene.once()
        scene.now += 8 * HOUR
    assert scene.of("removed") == old and scene.of("active") == heirs and not {*old} & scene.pems()
    assert quiet > 20


@pytest.mark.parametrize("reason", ["dmarc_kept", "providers_differ", "rua_refused", "transport_unsigned"])
def test_what_needs_a_person_is_over_by_a_reading(scene: Quiet, reason: str) -> None:
    """A zone of which something was said that needs a person is read, so that it is told when it is over; and it is once."""
    said = Trouble(DOMAIN, "notice", reason, f"{DOMAIN}: so it is", int(scene.now), subject=DOMAIN)
    state = scene.state
    with state.transaction():
        state.save_troubles([DOMAIN], [said], int(scene.now))
    assert scene.once()["read"] == 1
    assert not [row for row in scene.state.troubles() if row.reason == reason and row.ended is None]
    scene.now += 900
    assert scene.once()["read"] == 0


def test_what_look_ups_show_to_be_over(scene: Quiet) -> None:
    """An include that is missing is looked up with every pass; its zone is read when that begins and when it is over."""
    text = scene.stage.config.read_text()
    scene.stage.config.write_text(
        text.replace("zones:", f"defaults: {{spf: {{extra: ['include:_s.{DOMAIN}']}}}}\nzones:", 1)
    )
    scene.once()
    assert scene.run("status") == 1
    for _ in range(2):
        scene.now += 900
        assert scene.once()["read"] == 0
        assert scene.run("status") == 1
    file = scene.stage.zone_file
    file.write_text(file.read_text() + f'_s.{DOMAIN}. IN TXT "v=spf1 ip4:192.0.2.9 -all"\n')
    scene.now += 900
    assert scene.once()["read"] == 1
    assert scene.run("status") == 0


def test_what_a_person_confirmed_is_read(scene: Quiet) -> None:
    """Whoever says that what the provider shows is right wants it looked at."""
    assert scene.run("confirm", "servers", DOMAIN) == 0
    scene.now += 900
    assert scene.once()["read"] >= 1


def test_a_map_that_is_gone(scene: Quiet) -> None:
    """Before exim is told again which keys to sign with, their records are looked for at the provider."""
    before = scene.stage.map.read_text()
    scene.stage.map.unlink()
    assert scene.once()["read"] >= 1 and scene.stage.map.read_text() == before


def test_another_ttl(scene: Quiet) -> None:
    """The configuration's is given to what is ours alone; a TTL that somebody else gave is left as it is, and makes nothing un-quiet."""
    state = scene.state
    state.record_applied([replace(entry, ttl=-1) for entry in state.ledger(DOMAIN) if entry.type == "TXT"])
    assert scene.once() == {}
    scene.now += 900
    text = scene.stage.config.read_text()
    scene.stage.config.write_text(text.replace("zones:", "defaults: {ttl: 300}\nzones:", 1))
    assert scene.once()["write"] == 1
    zone = scene.stage.zone_file.read_text()
    assert re.search(r' 300 (IN )?SPF "v=spf1', zone) and not re.search(r' 300 (IN )?TXT "v=', zone), zone


@pytest.mark.parametrize(("least", "configured", "used"), [(60, 300, 300), (7200, 3600, 7200), (60, 3600, 3600)])
def test_a_smallest_ttl_that_only_a_reading_tells(scene: Quiet, least: int, configured: int, used: int) -> None:
    """It is kept, so that a pass of another process that asks nobody knows it; another TTL in the configuration is acted upon."""
    text = scene.stage.config.read_text()
    assert text.count("class: zonefile") == 1
    text = text.replace("class: zonefile", f"class: tests.learning.Provider\n    least: {least}")
    scene.stage.config.write_text(text.replace("zones:", f"defaults: {{ttl: {configured}}}\nzones:", 1))
    assert scene.run("apply", "--yes") == 0
    assert re.search(rf' {used} (IN )?SPF "v=spf1', scene.stage.zone_file.read_text())
    for _ in range(2):
        scene.now += 900
        assert scene.once() == {}
    clamped = [row for row in scene.state.troubles() if row.reason == "ttl_clamped" and row.ended is None]
    assert bool(clamped) is (used != configured) and (scene.zone.min_ttl, scene.zone.max_ttl) == (least, 2**31 - 1)
    text = scene.stage.config.read_text().replace(f"ttl: {configured}", "ttl: 14400")
    scene.stage.config.write_text(text)
    assert scene.once()["write"] == 1


def test_a_failure_forgets_no_bounds(scene: Quiet) -> None:
    """What the last complete reading told of TTLs outlives a pass that could not read."""
    before = scene.zone
    scene.stage.zone_file.rename(scene.stage.zone_file.with_suffix(".away"))
    assert scene.run("apply", "--yes") == 1
    assert scene.zone.result.startswith("failed") and scene.zone.max_ttl == before.max_ttl == 2**31 - 1


def test_one_that_cannot_be_read_keeps_its_bounds(scene: Quiet) -> None:
    """What a provider tells of TTLs only when it is read counts on while it cannot be: nothing is written elsewhere because of that."""
    file, text = scene.stage.zone_file, scene.stage.config.read_text()
    other = file.parent / "other"
    other.mkdir()
    (other / file.name).write_text(file.read_text())
    second = (
        f"  other: {{class: tests.learning.Provider, least: 60, directory: {other}, file_extension: .zone}}\nzones:"
    )
    text = text.replace("zones:", f"{second}", 1).replace("provider: file\n", "provider: [file, other]\n")
    scene.stage.config.write_text(text.replace("zones:", "defaults: {ttl: 300}\nzones:", 1))
    assert scene.run("apply", "--yes", "--adopt") == 0
    before = file.read_text()
    assert re.search(r' 300 (IN )?SPF "v=spf1', before) and scene.zone.min_ttl == 60
    (other / file.name).rename(other / "away")
    assert scene.run("apply", "--yes") == 1
    assert file.read_text() == before and scene.zone.min_ttl == 60 and "ttl_clamped" not in scene.told.getvalue()


class TestLoud:
    """What makes a zone un-quiet though nothing is to be written there, each alone: a real plan, with one thing that is otherwise."""

    @pytest.fixture
    def plan(self, scene: Quiet) -> tuple[Observed, Decision, Resolver]:
        """Of a pass of the daemon that found the zone quiet."""
        line = scene.line(load(scene.stage.config), read_only=True, environ={}, now=lambda: scene.now)
        seen, got = line.plan(attended=False, dns_first=True)
        assert seen.noted == {DOMAIN} and loud(seen, got, line.resolver) == frozenset()
        return seen, got, line.resolver

    @pytest.mark.parametrize(
        "change",
        [
            {"refusals": (Refusal("cname", "a CNAME stands there"),)},
            {"ledger": {}},  # as a claim that is fulfilled, and not noted
            {"plan": Plan(DOMAIN, "file", (), ((DOMAIN, ("s1",)),))},
            {"plan": Plan(DOMAIN, "file", (Change(Kind.DELETE, "x", "TXT", RRset("x", "TXT", 60, ()), None),))},
            {"notices": (Notice("domain_gone", f"{DOMAIN}: exim has it no more"),)},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_of_the_plan(self, plan: tuple[Observed, Decision, Resolver], change: dict[str, Any]) -> None:
        """A refusal, a claim that is not in the ledger, a line of the map, a change, something that needs a person; not what only describes."""
        seen, got, resolver = plan
        [ours] = got.zones
        assert loud(seen, replace(got, zones=(replace(ours, **change),)), resolver) == {DOMAIN}
        for notice in (Notice(reason, f"{DOMAIN}: so it is") for reason in ("rua_refused", "spf_include_missing")):
            got_told = replace(got, zones=(replace(ours, notices=(*ours.notices, notice)),))
            known = frozenset({(DOMAIN, notice.reason, DOMAIN)})
            assert loud(seen, got_told, resolver, known) == frozenset()  # it was told, and goes on
            assert loud(seen, got, resolver, known) == loud(seen, got_told, resolver) == {DOMAIN}
        described = replace(ours, notices=(*ours.notices, Notice("type99_not_held", f"{DOMAIN}: no such type")))
        assert loud(seen, replace(got, zones=(described,)), resolver) == frozenset()

    def test_of_a_key(self, plan: tuple[Observed, Decision, Resolver]) -> None:
        """One that got a stamp: what follows from it is decided on the provider's own reading. One of no zone here disturbs none."""
        seen, got, resolver = plan
        key = next(key for key in got.keys if phase(key, Policy(), seen.now) is Phase.ACTIVE)
        others = tuple(each for each in got.keys if each is not key)
        retired = replace(key, retired=seen.now)
        assert phase(retired, Policy(), seen.now) not in BY_READING
        assert loud(seen, replace(got, keys=(*others, retired)), resolver) == {DOMAIN}
        elsewhere = replace(key, domain="elsewhere.test")
        assert loud(seen, replace(got, keys=(*got.keys, elsewhere)), resolver) == frozenset()

    def test_what_the_ledger_has(self, plan: tuple[Observed, Decision, Resolver], scene: Quiet) -> None:
        """Values at one name are one RRset, with the TTL that we gave it, else the configuration's; each provider has its own."""
        [view] = plan[0].zones
        [one] = [each for each in scene.state.ledger(DOMAIN) if each.name.startswith("_dmarc")]
        one = replace(one, ttl=77)
        two = replace(one, owner=Owner.REPORT, value="v=DMARC1")
        found = as_noted(view, [one, two, replace(one, provider="other", ttl=-1)]).found
        rrset = found["file"][one.name, "TXT"]
        assert ([value.text for value in rrset.values], rrset.ttl) == ([one.value, two.value], 77)
        assert found["other"][one.name, "TXT"].ttl == view.policy.ttl != 77

    def test_a_provider_that_cannot_be_read(self, scene: Quiet) -> None:
        """Where nothing can be read at a provider, the name servers are asked for all of the zone each time."""
        line = scene.line(load(scene.stage.config), read_only=True, environ={}, now=lambda: scene.now)
        assert line.observe(attended=False, look=Look(dns_first=True)).noted == {DOMAIN}
        limits = line.zones.limits
        line.zones = _With(line.zones, limits=lambda zone: replace(limits(zone), reads=False))
        assert line.observe(attended=False, look=Look(dns_first=True)).noted == frozenset()


def test_an_unfinished_write(scene: Quiet) -> None:
    """What an interrupted pass meant to write is looked for at the provider."""
    entry = scene.state.ledger(DOMAIN)[0]
    scene.state.begin(DOMAIN, entry.provider, [entry], int(scene.now))
    assert scene.once()["read"] >= 1
    scene.now += 900
    assert scene.once() == {}


def test_by_hand_everything_is_read(scene: Quiet) -> None:
    """`plan` and `apply` always read the provider."""
    scene.calls.clear()
    assert scene.run("plan") == 0 and scene.calls["read"] == 1
    assert scene.run("apply", "--yes") == 0 and scene.calls["read"] == 2
    assert data(scene, "status")["zones"][DOMAIN]["last_read"] == int(scene.now)


def test_one_server_that_never_answers(scene: Quiet) -> None:
    """It hides nothing of what the others show, and costs no request where they show what is wanted."""
    config = scene.stage.config
    config.write_text(
        re.sub(r'nameservers: \["(127.0.0.1:\d+)"\]', r'nameservers: ["\1", "127.0.0.1:9"]', config.read_text())
    )
    assert scene.once() == {}
    file = scene.stage.zone_file
    file.write_text(file.read_text() + f'{DOMAIN}. IN TXT "v=spf1 ip4:192.0.2.9 -all"\n')
    scene.now += 900
    assert scene.once(3)["read"] >= 1 and "two_records" in {row.reason for row in scene.state.troubles()}


def test_a_record_that_holds_no_text(scene: Quiet) -> None:
    """An octet that is no character in a stranger's record is that zone's trouble, and noted as such."""
    scene.edit(r'TXT "v=DMARC1; p=none', r'TXT "v=DMARC1; p=\\255none')
    assert scene.once(3)["read"] >= 1
    assert "dmarc_found_invalid" in {row.reason for row in scene.state.troubles()}, scene.state.troubles()


def test_the_same_text_behind_a_cname(scene: Quiet) -> None:
    """It is not where it was written, and nothing could be changed there."""
    text = next(line for line in scene.stage.zone_file.read_text().splitlines() if line.startswith("_dmarc"))
    scene.edit(
        r"^_dmarc[^\n]*\n",
        text.replace("_dmarc.", "elsewhere.", 1) + f"\n_dmarc.{DOMAIN}. 3600 IN CNAME elsewhere.{DOMAIN}.\n",
    )
    assert scene.once(3)["read"] >= 1 and "cname" in {row.reason for row in scene.state.troubles()}


def test_a_reading_from_the_future(scene: Quiet) -> None:
    """A clock that was put back makes no reading last for years."""
    scene.state.save_zone(replace(scene.zone, last_read=int(scene.now) + 400 * DAY))
    assert scene.once()["read"] >= 1 and scene.zone.last_read == int(scene.now)


def test_another_provider(scene: Quiet) -> None:
    """A zone that has a provider more is read at both, whatever the name servers show."""
    text = scene.stage.config.read_text()
    other = scene.stage.folder / "other"
    other.mkdir()
    (other / scene.stage.zone_file.name).write_text(scene.stage.zone_file.read_text())
    text = re.sub(
        r"(  file:\n    class: zonefile\n    directory: )(\S+)(\n    file_extension: .zone\n)",
        rf"\1\2\3  other:\n    class: zonefile\n    directory: {other}\3",
        text,
    )
    scene.stage.config.write_text(text.replace("provider: file", "provider: [file, other]"))
    assert scene.once()["read"] >= 2


def test_silence(scene: Quiet, open_folder: Path) -> None:
    """Name servers that do not answer make no zone less quiet: the provider is not asked in their place."""
    config = scene.stage.config
    before = config.read_text()
    config.write_text(re.sub(r'nameservers: \["127.0.0.1:\d+"\]', 'nameservers: ["127.0.0.1:9"]', before))
    assert config.read_text() != before
    assert scene.once() == {}


def test_what_was_noticed_stays_noticed(scene: Quiet) -> None:
    """What only a reading can tell is not over because nobody read."""
    row = Trouble(DOMAIN, "notice", "key_elsewhere", "behind a CNAME", int(scene.now))
    scene.state.save_troubles((), [row], int(scene.now))
    assert scene.once() == {} and row in scene.state.troubles()
    assert scene.run("apply", "--yes") == 0 and row not in scene.state.troubles()
