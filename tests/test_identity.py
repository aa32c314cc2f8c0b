"""Whose keys lie here: a copy of a host stops before it ends what the other one signs with, and a person says which of the two it is."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dnssync import identity, signing_map
from dnssync.core import selectors
from dnssync.core.durations import DAY
from dnssync.errors import KeyFileError
from dnssync.identity import Identity
from dnssync.state import State
from tests.postgres import Postgres, postgres
from tests.ripe import DOMAIN, REVOKED, Ripe, grown, open_folder, scene
from tests.test_cli_commands import data, told

__all__ = ["grown", "open_folder", "postgres", "scene"]


def refused(scene: Ripe) -> set[str]:
    """The words of the plan's refusals."""
    return {refusal["reason"] for zone in data(scene, "plan")["zones"] for refusal in zone["refusals"]}


class TestMachine:
    @pytest.mark.parametrize("text", ["", "uninitialized\n", None])
    def test_unknown(self, tmp_path: Path, text: str | None) -> None:
        """A machine without an id is not known, and not a different one."""
        if text is not None:
            (tmp_path / "machine-id").write_text(text)
        assert identity.machine(tmp_path / "machine-id") == ""
        assert not Identity("a", "mx", "r").differs("", "mx") and not Identity("", "", "r").differs("a", "mx")

    def test_hashed(self, tmp_path: Path) -> None:
        """The id itself is not told to anybody; two machines differ."""
        (tmp_path / "machine-id").write_text("0123456789abcdef0123456789abcdef\n")
        one = identity.machine(tmp_path / "machine-id")
        (tmp_path / "machine-id").write_text("0123456789abcdef0123456789abcdee\n")
        two = identity.machine(tmp_path / "machine-id")
        assert len(one) == len(two) == 32 and one != two and "01234567" not in one

    @pytest.mark.parametrize("text", ["", "{}", "[]", '{"machine": "a", "host": "b"}', "\udcff"])
    def test_damaged(self, tmp_path: Path, text: str) -> None:
        """A file that cannot be understood is an error, and not a machine without one."""
        (tmp_path / "machine").write_text(text, errors="surrogateescape")
        with pytest.raises(KeyFileError, match="machine"):
            identity.read(tmp_path)


class TestCopy:
    @pytest.fixture(params=["another machine", "another name"])
    def copy(self, request: pytest.FixtureRequest, scene: Ripe) -> Ripe:
        """A host that was copied, and has a machine-id or a name of its own."""
        if request.param == "another machine":
            scene.machine = lambda: "another machine"
        else:
            scene.hostname = "mx9.elsewhere.example"
        return scene

    def test_stops(self, copy: Ripe) -> None:
        """Whatever is due, nothing changes in DNS, in exim's map and among the keys; status tells both ways out."""
        assert copy.run("rotate") == 3
        before, signing, pems = copy.published(), copy.signing(), copy.pems()
        for _ in range(5):
            copy.now += 40 * DAY
            assert copy.run("apply", "--yes") == 3
        assert refused(copy) == {"other_machine"}
        assert (copy.published(), copy.signing(), copy.pems()) == (before, signing, pems)
        assert copy.run("status") == 1 and "confirm host" in told(copy) and "confirm machine" in told(copy)

    def test_nothing_is_purged(self, scene: Ripe) -> None:
        """A key whose record went away while a copy was made keeps its private half there."""
        old = scene.of("active")
        scene.run("rotate")
        for pause in (9 * DAY, 120, 8 * DAY):
            scene.now += pause
            scene.passes(1, 0)
        scene.machine = lambda: "another machine"
        scene.now += 120
        assert scene.run("apply", "--yes") == 3 and {*old} <= scene.pems()
        scene.machine = lambda: "one machine"
        scene.passes(2, 120)
        assert not {*old} & scene.pems()

    def test_taken_over(self, copy: Ripe) -> None:
        """The only one there is goes on where the other one was, and is known from then on."""
        heirs = copy.of("ready")
        copy.now += 90 * DAY
        assert copy.run("confirm", "machine") == 0
        copy.passes(2, 120)
        assert copy.signing() == heirs and copy.run("status") == 0
        copy.machine, copy.hostname = (lambda: "one machine"), "mx.elsewhere.example"
        assert copy.run("apply", "--yes") == 3, "the former one is the stranger now"

    def test_of_its_own(self, copy: Ripe) -> None:
        """One that goes on beside the other has another name for its keys, and leaves those of the other for good."""
        old = {*copy.signing(), *copy.of("ready")}
        assert copy.run("confirm", "host") == 0
        for _ in range(12):
            copy.now += 15 * DAY
            copy.passes(2, 5000)
        assert not old & {*copy.signing()} and old <= {*copy.published()} and old <= copy.pems()
        assert REVOKED not in {copy.published()[name] for name in old}

    def test_the_one_that_was_copied(self, scene: Ripe) -> None:
        """Keys that a copy made under the same name stop the original; a person's word leaves them to the copy, for good, and only them."""
        host = (scene.stage.keys / "host-id").read_text().strip()
        strange, other = (selectors.selector(int(scene.now), "rsa", host, token) for token in ("zzzz", "yyyy"))
        file = scene.stage.zone_file
        file.write_text(file.read_text() + f'{strange}._domainkey.{DOMAIN}. IN TXT "v=DKIM1; k=rsa; p=AAAA"\n')
        assert refused(scene) == {"unknown_keys"} and f"confirm unknown {DOMAIN}" in json.dumps(data(scene, "plan"))
        assert scene.run("confirm", "unknown", DOMAIN) == 0 and strange in told(scene)
        assert scene.run("status") == 0 and f"left to another host: {strange}" in told(scene)
        scene.now += 90 * DAY
        for pause in (120, 9 * DAY, 120, 8 * DAY, 120, 120):
            scene.passes(1, pause)
        assert scene.of("removed") and scene.published()[strange] == "v=DKIM1; k=rsa; p=AAAA"
        assert scene.run("confirm", "unknown", DOMAIN) == 1 and "holds no key" in told(scene)
        file.write_text(file.read_text() + f'{other}._domainkey.{DOMAIN}. IN TXT "v=DKIM1; k=rsa; p=AAAA"\n')
        assert refused(scene) == {"unknown_keys"}


def test_first_noted(scene: Ripe) -> None:
    """A host from before machines were noted notes its own at its next pass; one without an id does once it has one."""
    (scene.stage.keys / "machine").unlink()
    scene.machine = lambda: ""
    scene.passes(1, 60)
    noted = identity.read(scene.stage.keys)
    assert noted == Identity("", scene.hostname, platform.node())
    scene.machine, scene.hostname = (lambda: "two"), "mx9.elsewhere.example"
    assert scene.run("apply", "--yes") == scene.run("apply", "--yes") == 3, (
        "it has another name, and that is not settled by looking"
    )
    assert identity.read(scene.stage.keys) == noted
    scene.hostname = noted.host
    scene.passes(1, 60)
    assert identity.read(scene.stage.keys) == Identity("two", scene.hostname, platform.node())


def test_rows_keep_their_name(scene: Ripe) -> None:
    """A host that is called otherwise now finds its rows in the state: keys, history, what is to be released."""
    keys = scene.phases()
    noted = identity.read(scene.stage.keys)
    assert noted is not None
    identity.write(scene.stage.keys, replace(noted, rows="as it was called before"))
    assert scene.phases() == {}
    state = State.open(f"sqlite:///{scene.stage.state}/state.db", host=platform.node())
    with state.transaction():
        from dnssync import state_schema as schema

        for table in (schema.keys, schema.ledger, schema.events, schema.zones):
            state._execute(table.update().values(host="as it was called before"))
    assert scene.phases() == keys
    assert scene.run("history") == 0 and "exim signs" in told(scene)
    assert scene.run("apply", "--yes") == 0 and scene.phases() == keys
    assert scene.run("release", "--yes", DOMAIN) == 0


@pytest.mark.postgres
class TestSharedState:
    @pytest.fixture
    def shared(self, open_folder: Path, postgres: Postgres) -> Iterator[Ripe]:
        """A host whose state lies in a database, and whose keys sign."""
        made = Ripe(open_folder / "scene")
        with made.served():
            text, url = made.stage.config.read_text(), postgres.database()
            made.stage.config.write_text(text.replace(f"sqlite:///{made.stage.state}/state.db", f"'{url}'"))
            made.passes(8, 5000)
            yield made

    def test_a_whole_life(self, shared: Ripe) -> None:
        """A rotation to its end is the same there: the standby signs, the old key is revoked, removed and deleted."""
        old, heirs = shared.of("active"), shared.of("ready")
        assert len(old) == len(heirs) == 2 and not list(shared.stage.state.glob("*.db"))
        assert shared.run("rotate") == 0 and shared.signing() == heirs
        for pause in (9 * DAY, 120, 8 * DAY, 120, 120):
            shared.now += pause
            shared.passes(1, 120)
        assert shared.of("removed") == old and not {*old} & shared.pems() and shared.run("plan") == 0

    def test_a_copy_leaves_the_rows(self, shared: Ripe) -> None:
        """A copy that gets a name of its own has rows of its own, too; what exim's map names there signs on."""
        rows, signing = shared.keys(), shared.signing()
        shared.machine = lambda: "another machine"
        assert shared.run("confirm", "host") == 0
        noted = identity.read(shared.stage.keys)
        assert noted is not None and noted.rows != platform.node() and shared.keys() == {}
        assert shared.run("apply", "--yes", "--adopt") == 0
        assert {*signing} <= {*signing_map.read(shared.stage.map)[DOMAIN]} and {*shared.of("active")} == {*signing}
        identity.write(shared.stage.keys, replace(noted, rows=platform.node()))
        assert shared.keys() == rows
