"""The state, or the name that a provider had in it, is lost: what is dnssync's is known again by what stands there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dnssync import signing_map
from dnssync.demo import stage
from tests.e2e.test_crash import Scene, open_folder

__all__ = ["open_folder"]


def signing(folder: Path) -> Scene:
    """A scene whose two keys sign; its name server runs only inside `served`."""
    scene = Scene(folder / "scene")
    with scene.served():
        for _ in range(5):
            assert scene.run("apply", "--yes") == 0, scene.told.getvalue()
            scene.now += 5000
    return scene


def keys(scene: Scene) -> dict[str, str]:
    """Every selector that is known, and its phase."""
    scene.run("status", "--json")
    return {key["key"]["selector"]: key["phase"] for key in json.loads(scene.told.getvalue())["keys"]}


def test_keys_are_taken_on_again(open_folder: Path) -> None:
    """Without a state the keys that exim's map names go on: none is made, and from then on they are as any other."""
    scene = signing(open_folder)
    with scene.served():
        before = keys(scene)
        assert sorted(before.values()) == ["active", "active", "generated", "generated"]
        published, lines = scene.published(), signing_map.read(scene.stage.map)
        (scene.stage.state / "state.db").unlink()

        assert scene.run("plan") == 2, scene.told.getvalue()
        assert scene.run("apply", "--yes") == 0, scene.told.getvalue()
        after = keys(scene)
        # Whether a key that exim's map does not name ever signed, nobody knows any more: it may have.
        assert {name: after[name] for name in before} == {
            n: "active" if at == "active" else "retired" for n, at in before.items()
        }
        assert published.items() <= scene.published().items() and len(scene.published()) == len(after) == 6
        assert signing_map.read(scene.stage.map) == lines
        assert scene.run("history") == 0 and scene.told.getvalue().count("took on") == 4
        assert scene.run("plan") == 0

        [(_, (rsa, other))] = lines.items()
        (scene.stage.keys / stage.DOMAIN / f"{rsa}.pem").unlink()
        assert scene.run("apply", "--yes") == 0, scene.told.getvalue()
        assert signing_map.read(scene.stage.map) == {stage.DOMAIN: (other,)}


@pytest.mark.parametrize("gone", ["pem", "record"])
def test_half_a_key_is_not_taken_on(open_folder: Path, gone: str) -> None:
    """A selector whose private half is lost, or whose record is, is replaced by a new key; its other half stays untouched. A key in
    DNS that nothing is known of stops the zone until a person has looked; mail is signed with the other one meanwhile."""
    scene = signing(open_folder)
    with scene.served():
        [(_, (rsa, other))] = signing_map.read(scene.stage.map).items()
        (scene.stage.state / "state.db").unlink()
        if gone == "pem":
            (scene.stage.keys / stage.DOMAIN / f"{rsa}.pem").unlink()
        else:
            text = scene.stage.zone_file.read_text()
            scene.stage.zone_file.write_text(text.replace(f"{rsa}._domainkey", "elsewhere._domainkey"))
        if gone == "pem":
            assert scene.run("apply", "--yes") == 3 and "confirm host" in scene.told.getvalue()
            assert signing_map.read(scene.stage.map) == {stage.DOMAIN: (other,)}
            assert scene.run("confirm", "host") == 0
        assert scene.run("apply", "--yes") == 0, scene.told.getvalue()
        assert rsa not in keys(scene) and keys(scene)[other] == "active"
        assert (rsa in scene.published()) == (gone == "pem")


def test_what_was_hand_made_stays_so(open_folder: Path) -> None:
    """A record that somebody wrote in his own words is kept as it is, as when that key was first taken on."""
    scene = signing(open_folder)
    with scene.served():
        before = keys(scene)
        (scene.stage.state / "state.db").unlink()
        text = scene.stage.zone_file.read_text().replace("k=ed25519;", "k=ed25519; t=s;")
        scene.stage.zone_file.write_text(text)
        assert scene.run("apply", "--yes") == 0, scene.told.getvalue()
        active = [name for name, at in before.items() if at == "active"]
        assert [keys(scene)[name] for name in active] == ["active", "active"]
        assert [
            row for row in text.splitlines() if "SOA" not in row and row not in scene.stage.zone_file.read_text()
        ] == []
        assert scene.run("plan") == 0


def test_another_name_for_a_provider(open_folder: Path) -> None:
    """What was written under a provider's former name is still dnssync's: what is wanted no more goes, and nobody is asked."""
    scene = signing(open_folder)
    with scene.served():
        text = scene.stage.config.read_text()
        text = text.replace("    provider: file\n", "    provider: file\n    spf: {extra: ['ip4:198.51.100.7']}\n")
        scene.stage.config.write_text(text)
        assert scene.run("apply", "--yes") == 0 and "ip4:198.51.100.7" in scene.stage.zone_file.read_text()

        text = text.replace("  file:\n", "  renamed:\n").replace("    provider: file\n", "    provider: renamed\n")
        scene.stage.config.write_text(text)
        assert scene.run("plan") == 0, scene.told.getvalue()
        scene.stage.config.write_text(text.replace("    spf: {extra: ['ip4:198.51.100.7']}\n", ""))
        assert scene.run("apply", "--yes") == 0, scene.told.getvalue()
        assert "198.51.100.7" not in scene.stage.zone_file.read_text()
        assert scene.run("plan") == 0


def test_another_provider_that_never_had_it(open_folder: Path) -> None:
    """Where the new provider shows another record than what was written at the former, that one is somebody's."""
    scene = signing(open_folder)
    with scene.served():
        text = scene.stage.config.read_text()
        scene.stage.config.write_text(text.replace("  file:\n", "  other:\n").replace(": file\n", ": other\n"))
        zone = scene.stage.zone_file.read_text()
        scene.stage.zone_file.write_text(zone.replace(f"ip4:{stage.IP}", "ip4:198.51.100.7"))
        assert scene.run("plan") == 3 and "did not write" in " ".join(scene.told.getvalue().split())
