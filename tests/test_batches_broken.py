"""What goes wrong in the middle of a pass that takes its zones one by one costs no signature and ends nothing; on real exim and BIND."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import dns.query
import dns.tsig
import dns.tsigkeyring
import dns.update
import pytest

from dnssync import identity, signing_map
from dnssync.core.durations import DAY, HOUR
from dnssync.core.host import Host
from dnssync.core.model import KeyPair, Notice, Phase
from dnssync.core.rotation import Policy, phase
from dnssync.errors import EximError
from dnssync.kept import Kept
from dnssync.keystore import Keystore
from dnssync.one_pass import Stopped
from dnssync.reconcile import Line
from dnssync.state import State
from tests.settled_site import APART, NAMES, SettledSite, opened, settled_site
from tests.site_under_test import DOMAIN
from tests.test_batches import wrapped
from tests.test_settled import EVERY, calm


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SettledSite]:
    """All keys sign; zones are taken one by one, that of the greeting last."""
    with settled_site(opened(tmp_path_factory.mktemp("broken"))) as made:
        made.size = 1
        of = json.loads(made.config.read_text())["zones"]
        made.more = {"zones": {name: of[name] for name in (*NAMES[1:], NAMES[0], APART)}}
        made.write()
        made.ready()
        yield made


@pytest.fixture
def site(ready: SettledSite) -> SettledSite:
    """The same, with all zones settled in the last pass but this."""
    return calm(ready)


def writable(site: SettledSite) -> State:
    """The state, to change it by hand."""
    return State.open(site.loaded.state, host=identity.rows(site.exim.keys))


def touched(site: SettledSite, domain: str) -> None:
    """Something of the domain is not as it was."""
    [key, *_] = [key for key in site.state.living({domain}) if key.retired is None]
    path = site.exim.keys / domain / f"{key.selector}.pem"
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 10**9))


def test_a_map_that_was_lost_comes_back_whole(site: SettledSite) -> None:
    """At no moment of the pass is there a map without the lines of some domain: its mail would leave unsigned, and without a map it waits."""
    before = signing_map.read(site.exim.map)
    assert {*before} >= {*NAMES}
    site.exim.map.unlink()
    seen = []
    back = wrapped(
        site, lambda line: setattr(line, "progress", lambda text: seen.append(signing_map.read(site.exim.map)))
    )
    try:
        site.one()
    finally:
        back()
    assert signing_map.read(site.exim.map) == before
    assert all(lines in ({}, before) for lines in seen) and {} in seen


def test_a_domain_that_no_zone_holds(site: SettledSite) -> None:
    """When its key is lost while all zones are settled, the next pass tells, and no later batch ends what the first one said; nor is it taken on again."""
    state, store = writable(site), Keystore(site.exim.keys)
    algorithm, public = store.generate(DOMAIN, "alone", "ed25519")
    born = int(site.now) - DAY
    state.save_keys([KeyPair(DOMAIN, "alone", algorithm, public, born, seen=born, published=born, activated=born)])
    try:
        calm(site)
        assert set(site.one().settled) == EVERY
        store.path(DOMAIN, "alone").rename(site.folder / "alone.pem")
        for _ in range(2):
            site.one()
            [told] = [row for row in site.state.troubles() if row.subject == DOMAIN and row.reason == "key_unusable"]
            assert told.ended is None
            touched(site, NAMES[1])
            touched(site, NAMES[2])
    finally:
        state.forget_keys([DOMAIN])


class Told:
    """A survey of exim that has more to say: `more`, by domain, and once a pass, as that of exim."""

    def __init__(self, real: Any, more: dict[str, Notice]) -> None:
        self._real, self._more, self._said = real, more, set[str]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def host(self, names: Sequence[str], recipients: Sequence[str]) -> Host:
        """As it does."""
        from dataclasses import replace

        host = self._real.host(names, recipients)
        told = [self._more[name] for name in names if name in self._more and name not in self._said]
        self._said.update(names)
        return replace(host, notices=(*host.notices, *told))


def test_what_exim_said_of_a_domain(site: SettledSite) -> None:
    """It goes on in whatever batch it was told, also where all domains are asked about later in the same pass; and is over once it is not so."""
    general = "It has something to say of no domain."
    more = {NAMES[1]: Notice("list_unusable", general), NAMES[3]: Notice("list_unusable", f"{NAMES[3]}: told by exim.")}

    class Asked:
        def __init__(self, real: Any) -> None:
            self._real = real

        def survey(self) -> Told:
            return Told(self._real.survey(), more)

    def asking(line: Line) -> None:
        line.observe_host = Asked(line.observe_host)  # type: ignore[assignment]

    def said() -> set[str]:
        return {
            row.subject or row.sentence
            for row in site.state.troubles()
            if row.reason == "list_unusable" and row.ended is None
        }

    back = wrapped(site, asking)
    try:
        site.kept = Kept()
        site.one()
        assert said() == {general, NAMES[3]}
        site.one()
        for domains in ((NAMES[1], NAMES[2]), (NAMES[1], NAMES[0]), (NAMES[2],)):
            for domain in domains:
                touched(site, domain)
            site.one()
            assert {*domains} <= site.decided and said() == {general, NAMES[3]}
        del more[NAMES[3]]
        touched(site, NAMES[3])
        touched(site, NAMES[2])
        site.one()
        assert said() == {general}
    finally:
        back()


def test_another_greeting(site: SettledSite) -> None:
    """A name that exim greets with since another domain came is known of by settled zones in the next pass but one at the latest."""
    from dataclasses import replace

    greeting = ["mx." + NAMES[0]]

    class Greets:
        def __init__(self, real: Any) -> None:
            self._real = real

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

        def survey(self) -> Any:
            return Greets(self._real.survey())

        def host(self, names: Sequence[str], recipients: Sequence[str]) -> Host:
            return replace(self._real.host(names, recipients), helo=tuple(greeting))

    back = wrapped(site, lambda line: setattr(line, "observe_host", Greets(line.observe_host)))
    try:
        assert set(site.one().settled) == EVERY
        greeting.append("out." + NAMES[3])
        touched(site, NAMES[1])
        site.one()
        site.one()
        assert NAMES[3] in site.decided
        assert site.asked["read"] == 1  # that zone: its first record is for a person to look at
    finally:
        back()


def test_a_pass_that_dies_between_batches_after_the_clock_went_back(site: SettledSite) -> None:
    """No key counts as ready whose wait began anew, though half of them had heard of the jump when the pass died."""
    up, deaths = 1_000_000.0, [99]

    def clocked(line: Line) -> None:
        line.uptime = lambda: (up, "boot")

        def dying(text: str) -> None:
            deaths[0] -= text == "asking exim"
            if deaths[0] == 0:
                raise Stopped

        line.progress = dying

    back = wrapped(site, clocked)
    try:
        site.one()
        state, born = writable(site), int(site.now)
        waiting = [
            KeyPair(zone, "wait", "ed25519", "x", born, seen=born, published=born, season=HOUR) for zone in NAMES
        ]
        state.save_keys(waiting)
        up += 600
        site.now -= 30 * DAY - 600
        site.bind.stop()  # so that nothing is known of their records
        site.secondary.stop()
        for deaths[0] in (4, 99):
            with contextlib.suppress(Stopped):
                site.one(60)
            up += 60
            found = [key for key in site.state.living() if key.selector == "wait"]
            assert len(found) == len(NAMES)
            assert {phase(key, Policy(), int(site.now)) for key in found} <= {Phase.PUBLISHED, Phase.GENERATED}
    finally:
        back()
        site.bind.start()
        site.secondary.start()


@pytest.mark.parametrize("as_json", [False, True])
def test_what_was_done_before_an_error_is_told(site: SettledSite, as_json: bool) -> None:
    """Where `run --once` comes to its end in the middle of its batches, what the ones before wrote is told beside the error, in text and as one document."""
    more, decided = site.more, [0]

    def failing(line: Line) -> None:
        plain = line.decided

        def third(*args: Any, **how: Any) -> Any:
            decided[0] += 1
            if decided[0] == 3:
                raise EximError("exim is gone.")
            return plain(*args, **how)

        line.decided = third  # type: ignore[method-assign]

    site.more = {
        **more,
        "defaults": {"dkim": {"algorithms": ["rsa1024", "ed25519"]}, "spf": {"extra": ["ip4:192.0.2.7"]}},
    }
    site.write()
    back = wrapped(site, failing)
    try:
        code, out = site.run("run", "--once", *["--json"] * as_json, "-q", make_line=site.line)
    finally:
        back()
        site.more = more
        site.write()
        site.one()
        site.follow()
    done = [*site.loaded.zones][:2]
    assert code == 1 and decided == [3]
    if as_json:
        data = json.loads(out[out.index("{") :])
        assert data["error"] == "exim is gone." and data["exit"] == 1 and data["mistakes"] == []
        assert [outcome["zone"] for outcome in data["outcomes"] if outcome["changes"]] == done
    else:
        told = " ".join(out.split())
        assert [zone for zone in site.loaded.zones if f"{zone} at bind: 2 record sets written" in told] == done, out
        assert "tells what else was done." in told and told.endswith("dnssync: exim is gone.")


def _two_records(site: SettledSite, zone: str) -> None:
    """Somebody adds a second SPF record, so that the zone is refused."""
    ring = dns.tsigkeyring.from_text({site.bind.key_name: site.bind.secret})
    update = dns.update.Update(zone, keyring=ring, keyalgorithm=dns.tsig.HMAC_SHA256)
    update.add(f"{zone}.", 300, "TXT", '"v=spf1 include:other.example -all"')
    assert dns.query.tcp(update, "127.0.0.1", port=site.bind.port, timeout=5).rcode() == 0


def test_whose_turn_it_is(tmp_path: Path) -> None:
    """Domains without a key come first, in whatever batch; and keys that are never made, since their zone is refused, take no other ones' turn."""
    with settled_site(opened(tmp_path)) as site:
        site.size = 1
        code, out = site.run("apply", NAMES[0], "--yes")
        assert code == 0, out
        site.one()
        order = [text for text in site.asked if text.startswith("decided")]
        assert {*order[-2:]} == {f"decided {NAMES[0]}", f"decided {APART}"} and len(order) == len(EVERY)
        code, out = site.run("apply", "--yes")
        assert code == 0, out
        for zone in NAMES[1:3]:
            _two_records(site, zone)
        site.follow()
        back = wrapped(site, lambda line: setattr(line, "births", 2))
        made: set[str] = set()
        for _ in range(12):
            result = site.one(3600)
            site.follow()
            assert result.report is not None and len(result.report.made) <= 2
            made |= {key.domain for key in result.report.made}
        back()
        assert NAMES[3] in made and not made & {*NAMES[1:3]}
