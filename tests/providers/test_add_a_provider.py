"""docs/add-a-provider.md, followed word by word: its package is built and installed elsewhere, and the provider in it passes the table."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
import yaml

from dnssync.config import ProviderConfig, parse
from dnssync.core.model import Change, Provider
from dnssync.plugins import build
from tests.gaps import Item
from tests.providers import conformance
from tests.providers.conformance import STRANGERS, TABLE, ZONE, Everything, Row
from tests.providers.sites_here import TEXTS, InAFile, parted, strings, wire

PAGE = Path(__file__).parents[2] / "docs/add-a-provider.md"


def block(language: str) -> str:
    """The page's block in a language; there is one of each."""
    [text] = re.findall(rf"(?ms)^```{language}\n(.*?)^```$", PAGE.read_text())
    return str(text)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The page's two files as a package, installed into a folder of its own that this process looks into."""
    folder, target = tmp_path_factory.mktemp("dnssync-json"), tmp_path_factory.mktemp("installed")
    (folder / "pyproject.toml").write_text(block("toml"))
    (folder / "dnssync_json.py").write_text(block("python"))
    argv = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--disable-pip-version-check"]
    subprocess.run([*argv, "--target", str(target), str(folder)], check=True, timeout=300)
    sys.path.append(str(target))
    yield target
    sys.path.remove(str(target))
    sys.modules.pop("dnssync_json", None)


class InJson:
    """The page's provider with a zone of everything in its file."""

    kind, secret, words = "json", "", ("provider trial",)

    def __init__(self, folder: Path) -> None:
        self.file = folder / "zones.json"
        held = {
            f"{rrset.name or '@'} {rrset.type}": {"ttl": rrset.ttl, "texts": [v.text for v in rrset.values]}
            for rrset in InAFile(folder).provider.read(ZONE)
        }
        self.file.write_text(json.dumps({ZONE: held}))
        self.provider = self.make()

    def make(self, **options: object) -> Provider:
        """The provider as a configuration makes it, by the name of its entry point."""
        made, mistakes = build({"trial": ProviderConfig("trial", "json", {"file": str(self.file)})}, lambda text: text)
        assert mistakes == []
        return made["trial"]

    def everything(self) -> Everything:
        """What the file holds."""
        found = {}
        for key, entry in json.loads(self.file.read_text())[ZONE].items():
            name, kind = key.split(" ")
            octets = [text.encode("utf-8", "surrogateescape") for text in entry["texts"]]
            values = frozenset(strings(text) if kind in TEXTS else text for text in octets)
            if kind != "SOA":
                found["" if name == "@" else name, kind] = (entry["ttl"], values)
        return found

    def stranger(self, line: str) -> None:
        """Somebody edits the file."""
        sign, name, rest = parted(line)
        zones = json.loads(self.file.read_text())
        if sign == "-":
            del zones[ZONE][f"{name} {rest[0]}"]
        else:
            entry = zones[ZONE].setdefault(f"{name} {rest[1]}", {"ttl": int(rest[0]), "texts": []})
            entry["texts"].append(conformance.text_of(wire(rest[1], rest[2])))
        self.file.write_text(json.dumps(zones))

    def write(self, provider: Provider, changes: Sequence[Change]) -> None:
        """A write: one rename, between whose parts nobody can look."""
        provider.write(ZONE, changes)

    def gaps(self) -> Mapping[Item, float]:
        """None: every state is whole."""
        return {}


@pytest.fixture
def site(installed: Path, tmp_path: Path) -> InJson:
    """The provider before its file."""
    return InJson(tmp_path)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.title)
def test_table(site: InJson, row: Row) -> None:
    """It passes the table that every provider of dnssync's passes."""
    conformance.run(site, row)


@pytest.mark.parametrize(("stranger", "step"), STRANGERS)
def test_stale(site: InJson, stranger: list[str], step: conformance.Step) -> None:
    """An edit by somebody else between reading and write fails the write whole."""
    conformance.refuses_stale(site, stranger, step)


def test_refusals(site: InJson) -> None:
    """Nothing beside a CNAME, and no zone that is not there."""
    conformance.refuses_beside_a_cname(site)
    conformance.refuses_an_unknown_zone(site)


def test_the_pages_configuration(installed: Path) -> None:
    """The configuration on the page is one, and a mistake in it is told by its path."""
    config = parse(block("yaml"), Path("dnssync.yaml"))
    made, mistakes = build(config.providers, lambda text: text)
    assert mistakes == [] and type(made["trial"]).__module__ == "dnssync_json"
    wrong = yaml.safe_load(block("yaml"))
    wrong["providers"]["trial"]["fiel"] = wrong["providers"]["trial"].pop("file")
    _, mistakes = build(parse(yaml.safe_dump(wrong), Path("dnssync.yaml")).providers, lambda text: text)
    assert any(mistake.startswith("providers.trial.fiel: is no option") for mistake in mistakes)


def test_one_page() -> None:
    """It is a page that a person reads at once."""
    assert len(PAGE.read_text().splitlines()) < 220
