"""kill -9 at every side effect of a whole rotation, from the first key made to its private half deleted: each time it ends right.

A pass that was killed is run again at once. Where that leaves what an undisturbed pass leaves (names of keys apart), what follows
is the same too; where it does not, the passes go on, to the end of the rotation or to where all is as it was before in another life.
"""

from __future__ import annotations

import copy
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue

import dns.zone
import pytest

from dnssync import signing_map
from dnssync.core import dkim
from dnssync.core.durations import DAY, HOUR
from dnssync.core.model import KeyPair, Phase
from dnssync.core.rotation import Policy, phase, text
from dnssync.demo import stage
from dnssync.demo.nameserver import NameServer
from dnssync.errors import KeyFileError
from dnssync.keystore import read_public
from dnssync.state import State
from tests.gandi import Gandi
from tests.killed import Done, Passes

START = 1_795_507_200
KINDS = ("rsa", "ed25519")
KEPT = ("zones", "exim-map", "keys", "state")  # the folders that are put back before each death
ROWS = [("@", "MX", 3600, ["10 mx"]), ("@", "A", 3600, [stage.IP]), ("@", "TXT", 3600, ['"site-verification=7b1f"']), ("mx", "A", 3600, [stage.IP])]  # fmt: skip
DKIM = "    dkim: {algorithms: [rsa1024, ed25519]}\n"
FILE = "  file:\n    class: zonefile\n"


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may look into, as exim has to: pytest's own are closed."""
    with tempfile.TemporaryDirectory(prefix="dnssync-killed-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


class Host:
    """A made-up host with its zone in a file, or at the stand-in for Gandi; every pass is a process of its own."""

    def __init__(self, folder: Path, at_gandi: bool) -> None:
        self.folder, self.now, self.wake = folder, START, 0
        self.stage = stage.Stage(folder, None, "")
        for path in (self.stage.zone_file.parent, self.stage.map.parent, self.stage.keys, self.stage.state):
            path.mkdir(parents=True)
        self.stage.zone_file.write_text(stage.ZONE)
        served = {"served": self.stage.zone_file.parent, "gapless": False}
        self.gandi = Gandi({stage.DOMAIN: ROWS}, **served) if at_gandi else None
        self._open = ExitStack()

    def __enter__(self) -> Host:
        self._passes = self._open.enter_context(Passes())
        server = self._open.enter_context(NameServer({stage.DOMAIN: self.stage.zone_file}))
        config = stage.write_config(self.stage, server.where).replace(
            "    provider: file\n", "    provider: file\n" + DKIM
        )
        if self.gandi is not None:
            self._open.enter_context(self.gandi)
            (self.folder / "token").write_text(self.gandi.token + "\n")
            options = f"    class: gandi\n    token: file/{self.folder}/token\n    endpoint: {self.gandi.endpoint}\n"
            config = re.sub(r"    class: zonefile\n    directory: .*\n    file_extension: .*\n", options, config)
        self.stage.config.write_text(config)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def run(self, die: int | None = None, kinds: tuple[str, ...] = ()) -> Done:
        """A pass; one that lives says when the next is to be."""
        done = self._passes.run(self.stage.config, "apply", "--yes", now=self.now, die=die, kinds=kinds)
        if done.signal is None:
            assert done.code == 0, done.told
            self.wake = max(done.wake or 0, self.now + 1)
        return done

    def later(self) -> None:
        """To the next pass; where one key of either kind signs and one stands by, until both have served their time."""
        self.now = self.now + 90 * DAY if self.steady() else self.wake

    # --- what there is ----------------------------------------------------------------------------------------------

    def keys(self) -> tuple[KeyPair, ...]:
        """The state's keys; none where a death came before there was any state."""
        return State.open(f"sqlite:///{self.stage.state}/state.db", host=platform.node(), read_only=True).keys()

    def phases(self, kind: str) -> list[Phase]:
        """Where the keys of a kind stand."""
        return sorted(phase(key, Policy(), self.now) for key in self.keys() if key.kind == kind)

    def steady(self) -> bool:
        """Whether of either kind one key signs and one stands by, and there is no other but such as are gone."""
        return all(
            [at for at in self.phases(kind) if at is not Phase.REMOVED] == [Phase.ACTIVE, Phase.READY] for kind in KINDS
        )

    def over(self) -> bool:
        """Whether a rotation of both kinds is behind us."""
        return self.steady() and all(Phase.REMOVED in self.phases(kind) for kind in KINDS)

    def published(self) -> dict[str, str]:
        """The selectors in the zone, and their texts."""
        zone = dns.zone.from_file(str(self.stage.zone_file), origin=stage.DOMAIN, check_origin=False)
        return {
            name.to_text().split(".")[0]: b"".join(rdataset[0].strings).decode()
            for name, rdataset in zone.iterate_rdatasets("TXT")
            if "_domainkey" in name.to_text()
        }

    def looks(self) -> str:
        """Everything that the next pass will see, but with the names and texts of keys by their place."""
        state = State.open(f"sqlite:///{self.stage.state}/state.db", host=platform.node(), read_only=True)
        stamps = sorted(
            self.keys(), key=lambda k: (k.kind, k.generated, str(k.removed), str(k.retired), str(k.activated))
        )
        files = sorted(path.relative_to(self.stage.keys) for path in self.stage.keys.rglob("*.pem"))
        zone = sorted(row for row in self.stage.zone_file.read_text().splitlines() if "SOA" not in row)
        told = [self.now, self.wake, stamps, files, zone, signing_map.read(self.stage.map), state.clock()]
        told += [
            sorted(map(repr, state.ledger())),
            state.unfinished(stage.DOMAIN),
            state.unfinished_keys(),
            state.requests(self.now),
        ]
        whole = "\n".join(map(repr, told))
        for number, key in enumerate(stamps):
            whole = whole.replace(key.selector, f"selector {number}").replace(key.public_key, f"key {number}")
        return "\n".join(sorted(re.sub(r'" "|\\', "", whole).splitlines()))

    # --- the way back -----------------------------------------------------------------------------------------------

    def keep(self, folder: Path) -> Before:
        """Keep everything as it is now."""
        folder.mkdir(parents=True)
        for name in KEPT:
            subprocess.run(["cp", "-a", str(self.folder / name), str(folder)], check=True)
        rows = copy.deepcopy(self.gandi.zones[stage.DOMAIN].entries) if self.gandi else {}
        return Before(folder, self.now, rows)

    def put_back(self, before: Before) -> None:
        """Make everything as it was then."""
        for name in KEPT:
            shutil.rmtree(self.folder / name)
            subprocess.run(["cp", "-a", str(before.folder / name), str(self.folder)], check=True)
        self.now = before.now
        if self.gandi is not None:
            self.gandi.zones[stage.DOMAIN].entries = copy.deepcopy(before.rows)
            self.gandi.settled()

    # --- the law ----------------------------------------------------------------------------------------------------

    def check(self, known: dict[str, str]) -> None:
        """What holds at every moment, dead or alive. `known`: the public half of every selector there ever was."""
        if self.gandi is None:
            rows = self.stage.zone_file.read_text().splitlines()
            assert all(row in rows for row in stage.ZONE.splitlines() if "SOA" not in row), "somebody else's line"
        else:
            shown = self.gandi.values(stage.DOMAIN)
            assert b"site-verification=7b1f" in shown["@", "TXT"][1] and ("@", "MX") in shown
        published, keys = self.published(), {key.selector: key for key in self.keys()}
        for selector, record in published.items():
            tags = dict(part.strip().split("=", 1) for part in record.split(";") if "=" in part)
            if tags["p"]:
                assert known.setdefault(selector, tags["p"]) == tags["p"], f"{selector} was used twice"
                assert self._public(selector) == tags["p"], f"the private half of {selector} is not there"
            else:
                assert keys[selector].retired is not None, f"{selector} was revoked too early"
        for key in keys.values():
            assert known.setdefault(key.selector, key.public_key) == key.public_key, f"{key.selector} was used twice"
            if phase(key, Policy(), self.now) in (Phase.PUBLISHED, Phase.READY, Phase.ACTIVE, Phase.RETIRED):
                wanted = text(key, phase(key, Policy(), self.now))
                assert dkim.same(published[key.selector], wanted or ""), f"the record of {key.selector} is gone"
        [line] = [signing_map.read(self.stage.map).get(stage.DOMAIN, ())] if self.stage.map.exists() else [()]
        kinds = [keys[selector].kind for selector in line]
        assert {key.kind for key in keys.values() if key.activated is not None} <= {*kinds}, "mail leaves unsigned"
        assert len({*kinds}) == len(kinds)
        for selector in line:
            key = keys[selector]
            assert key.published is not None and self.now >= key.published + key.season >= key.generated + HOUR
            assert dkim.same(published[selector], dkim.record_for(key)) and self._public(selector) == key.public_key

    def _public(self, selector: str) -> str:
        try:
            return read_public(self.stage.keys / stage.DOMAIN / f"{selector}.pem")[1]
        except KeyFileError:
            return ""

    def check_end(self, known: dict[str, str]) -> None:
        """The rotation is over, and nothing is left of what was before it."""
        self.check(known)
        keys = self.keys()
        standing = {key.selector for key in keys if key.removed is None}
        assert len(standing) == 4 and {*self.published()} == standing
        assert {path.stem for path in self.stage.keys.rglob("*.pem")} == standing
        assert all(key.purged is not None for key in keys if key.removed is not None)
        active = {key.selector for key in keys if phase(key, Policy(), self.now) is Phase.ACTIVE}
        assert {*signing_map.read(self.stage.map)[stage.DOMAIN]} == active


@dataclass(frozen=True)
class Before:
    """A host as it was before a pass: its folders, the time, the rows at Gandi; how many side effects the pass had, and how
    everything looked after it."""

    folder: Path
    now: int
    rows: dict
    effects: tuple[str, ...] = ()
    after: str = ""


def undisturbed(host: Host, folder: Path, kinds: tuple[str, ...]) -> list[Before]:
    """A whole rotation without a death, pass by pass."""
    passes: list[Before] = []
    known: dict[str, str] = {}
    while not host.over():
        before = host.keep(folder / str(len(passes)))
        done = host.run(kinds=kinds)
        host.check(known)
        passes.append(replace(before, effects=done.effects, after=host.looks()))
        host.later()
        assert len(passes) < 40, [host.phases(kind) for kind in KINDS]
    host.check_end(known)
    return passes


def die(host: Host, before: Before, number: int, kinds: tuple[str, ...], good: set[str]) -> bool:
    """Killed at one side effect of one pass; whether the run after it made it good at once. `good` holds how everything
    looked at moments from which the passes have come to the right end; what has been passed through now joins it."""
    host.put_back(before)
    known = {key.selector: key.public_key for key in host.keys()}
    assert host.run(number, kinds).signal == 9
    host.check(known)
    passed: list[str] = []
    for _ in range(60):
        host.run()
        host.check(known)
        passed.append(host.looks())
        if passed[-1] in good or host.over():
            break
        host.later()
    if passed[-1] not in good:
        host.check_end(known)
    good.update(passed)
    return len(passed) == 1


@pytest.mark.parametrize("where", ["file", "gandi"])
def test_killed_at_every_side_effect(open_folder: Path, where: str) -> None:
    """Two keys made, published, signing, replaced, retired, revoked, gone: whichever side effect is the last one of a process,
    at every moment mail is signed and verifies, and one pass more has made good what was cut short."""
    kinds = ("http",) if where == "gandi" else ()
    hosts: SimpleQueue[Host] = SimpleQueue()
    with ExitStack() as running, ThreadPoolExecutor(2) as pool:
        for number in range(2):
            hosts.put(running.enter_context(Host(open_folder / f"host{number}", where == "gandi")))

        def one(death: tuple[Before, int]) -> bool:
            host = hosts.get()
            try:
                before, number = death
                return die(host, before, number, kinds, good)
            except BaseException as error:
                error.add_note(
                    f"killed before {before.effects[number]} ({number}) of the pass at {before.now - START} s"
                )
                raise
            finally:
                hosts.put(host)

        host = hosts.get()
        passes = undisturbed(host, open_folder / "kept", kinds)
        hosts.put(host)
        deaths = [(before, number) for before in passes for number in range(len(before.effects))]
        assert len(deaths) > (40 if where == "gandi" else 120)
        good = {before.after for before in passes}
        at_once = list(pool.map(one, deaths))
    # At Gandi a pass asks for little more than it changes: few of its deaths come before something that only reads.
    assert sum(at_once) > len(at_once) * (0.65 if where == "gandi" else 0.75), "a pass more should make it good"
