"""Providers by name: what a wrong configuration or a faulty plug-in says."""

from __future__ import annotations

import re
import sys
import textwrap
import types
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import ClassVar

import pytest

from dnssync.config import parse
from dnssync.core.model import Limits, ProviderError, RRset, Value
from dnssync.errors import ConfigError
from dnssync.zones import Zones

HERE = Path("site.yaml")
REGISTERED = [point.name for point in entry_points(group="dnssync.providers")]
APEX = RRset("", "TXT", 300, (Value("x", '"x"'),))


def reference(text: str) -> str:
    """A secret, without the file that would hold it."""
    return "c2VjcmV0" if text.startswith(("credential/", "file/")) else text


class Plain:
    """A plug-in of somebody's: its options are `token`, `retries` and `wait`."""

    limits = Limits(types=frozenset({"TXT"}), min_ttl=300, max_ttl=86400, txt=2000, type99=False)

    def __init__(self, id: str, token: str, retries: int = 3, wait: float | None = None, *, now: object = None) -> None:
        self.id, self.options = id, (token, retries, wait)

    def read(self, zone: str) -> tuple[RRset, ...]:
        return (APEX,)

    def write(self, zone: str, changes: object) -> tuple[str, ...]:
        return ("done",)


class Apart(Plain):
    """One that takes other TTLs in each zone."""

    def limits_of(self, zone: str) -> Limits:
        return replace(self.limits, min_ttl=len(zone))


class Ending(Plain):
    """It has a last step of its own."""

    def finish(self, zone: str) -> tuple[str, ...]:
        return ("ended",)


class Faulty(Plain):
    """It raises whatever it likes, gives an RRset twice, or gives none at all."""

    def read(self, zone: str) -> tuple[RRset, ...]:
        if zone == "nothing.test":
            return None  # type: ignore[return-value]
        if zone == "twice.test":
            return (APEX, APEX)
        if zone == "known.test":
            raise ProviderError(f"{zone}: out of order", transient=True)
        raise KeyError("records")

    def write(self, zone: str, changes: object) -> tuple[str, ...]:
        raise RuntimeError(f"401 with token {self.options[0]}")


class NotMade(Plain):
    """It cannot even be made."""

    def __init__(self, id: str, token: str) -> None:
        raise LookupError(token)


@pytest.fixture(autouse=True)
def plugins() -> Iterator[None]:
    """The plug-ins as a package of somebody's."""
    module = types.ModuleType("somebodys")
    vars(module).update(
        Plain=Plain, Apart=Apart, Ending=Ending, Several=Several, Faulty=Faulty, NotMade=NotMade, number=3
    )
    sys.modules["somebodys"] = module
    yield
    del sys.modules["somebodys"]


def zones(*providers: str, zone: str = "example.org") -> Zones:
    """A zone at providers p1, p2, … of these lines."""
    lines = ", ".join(f"p{number}: {{class: {line}}}" for number, line in enumerate(providers, 1))
    names = ", ".join(f"p{number}" for number in range(1, len(providers) + 1))
    return Zones(parse(f"providers: {{{lines}}}\nzones: {{{zone}: {{provider: [{names}]}}}}\n", HERE))


def mistakes(*providers: str) -> list[str]:
    """What is wrong with them."""
    with pytest.raises(ConfigError) as caught:
        zones(*providers)
    return list(caught.value.mistakes)


def test_by_entry_point_and_by_dotted_path() -> None:
    """Ours by their short names, anybody's by a dotted path, each with its options."""
    both = zones("memory", "somebodys.Plain, token: abc, wait: 3")

    assert both.provider("p1").limits == Limits()
    assert both.provider("p2").read("example.org") == (APEX,)
    assert both.provider("p2").write("example.org", []) == ("done",)


def test_a_write_that_did_not_end() -> None:
    """It is ended by what the plug-in has for that, else by a write without changes; what it raises is told like all else."""
    assert zones("somebodys.Plain, token: abc").provider("p1").finish("example.org") == ("done",)
    assert zones("somebodys.Ending, token: abc").provider("p1").finish("example.org") == ("ended",)
    with pytest.raises(ProviderError, match=r"^example\.org: provider p1 failed to write the zone with RuntimeError"):
        zones("somebodys.Faulty, token: abc").provider("p1").finish("example.org")


def test_a_zone_in_a_master_file_text() -> None:
    """A trial zone in memory, written in the configuration."""
    text = 'memory, zones: {example.org: "@ 300 IN SOA ns. me. 1 2 3 4 5\\n@ 300 IN TXT x"}'

    found = {rrset.key: rrset for rrset in zones(text).provider("p1").read("example.org")}

    assert set(found) == {("", "SOA"), ("", "TXT")}
    assert found["", "TXT"] == APEX


def test_the_examples_in_the_documentation() -> None:
    """Each block of docs/providers.md is a configuration that can be built."""
    page = (Path(__file__).parents[1] / "docs/providers.md").read_text()
    blocks = re.findall(r"(?m)^    providers:\n(?:(?:     .*)?\n)+", page)
    for block in blocks:
        text = textwrap.dedent(block)
        name = text.split()[1].rstrip(":")
        made = Zones(parse(f"{text}zones: {{example.org: {{provider: {name}}}}}\n", HERE), resolve=reference)
        assert {"TXT"} <= made.provider(name).limits.types <= {"TXT", "SPF"}
    assert len(blocks) == len(REGISTERED)


def test_zones_at_once() -> None:
    """How many zones of each provider go at once stands in docs/providers.md as the plug-in declares it."""
    page = (Path(__file__).parents[1] / "docs/providers.md").read_text()
    table = page.partition("| zones at once |\n")[2].partition("\n\n")[0].splitlines()[1:]
    rows = {row.split("|")[1].strip(): int(row.split("|")[-2]) for row in table}
    blocks = re.findall(r"(?m)^    providers:\n(?:(?:     .*)?\n)+", page)
    for block in blocks:
        text = textwrap.dedent(block)
        name = text.split()[1].rstrip(":")
        config = parse(f"{text}zones: {{example.org: {{provider: {name}}}}}\n", HERE)
        assert rows[config.providers[name].class_] == Zones(config, resolve=reference).provider(name).limits.parallel
    assert {*rows} == {*REGISTERED}


class Several(Plain):
    """One that is made three times at most, and knows which zones it was asked for."""

    limits = replace(Plain.limits, parallel=3)
    made: ClassVar[list[Several]] = []

    def __init__(self, id: str, token: str) -> None:
        super().__init__(id, token)
        if len(self.made) == 2 and token == "short":
            raise OSError("no more")
        self.zones: list[str] = []
        self.requests = Counter({"2xx": 1})
        self.made.append(self)

    def limits_of(self, zone: str) -> Limits:
        return replace(self.limits, min_ttl=len(self.zones))

    def read(self, zone: str) -> tuple[RRset, ...]:
        self.zones.append(zone)
        return (APEX,)


def test_instances() -> None:
    """As many as declared, each made when its first zone comes, of secrets that were resolved once; a zone stays with its own, which alone
    knows what it learned of it."""
    asked: list[str] = []
    Several.made.clear()

    def resolve(text: str) -> str:
        asked.append(text)
        return text

    text = "providers: {p1: {class: somebodys.Several, token: abc}}\nzones: {example.org: {provider: p1}}\n"
    made = Zones(parse(text, HERE), resolve=resolve)
    at = made.provider("p1")
    assert at.read("example.org") == (APEX,) and len(Several.made) == 1
    for name in ("b", "c", "d", "b", "example.org", "d"):
        at.read(name)
    assert [one.zones for one in Several.made] == [["example.org", "d", "example.org", "d"], ["b", "b"], ["c"]]
    assert asked == ["abc"] and [one.options for one in Several.made] == [("abc", 3, None)] * 3
    assert made.limits("example.org").min_ttl == 4 and made.requests() == {"p1": {"2xx": 3}}


def test_one_that_cannot_be_made_again() -> None:
    """It fails the zones that it was to be asked for, and no other."""
    Several.made.clear()
    at = zones("somebodys.Several, token: short").provider("p1")
    assert at.read("a") == at.read("b") == (APEX,)
    with pytest.raises(ProviderError, match=r"^c: provider p1 failed to read the zone with OSError"):
        at.read("c")
    assert at.read("d") == (APEX,) and at.limits.txt == at.limits_of("c").txt  # type: ignore[attr-defined]


def test_joint_limits() -> None:
    """A claim exists only where all providers of the zone can hold it."""
    assert zones("memory", "manual").limits("example.org").reads is False
    assert zones("memory").limits("example.org") == Limits()
    assert zones("memory", "somebodys.Plain, token: abc").limits("example.org") == Limits(
        types=frozenset({"TXT"}), min_ttl=300, max_ttl=86400, txt=2000, type99=False
    )
    assert zones("memory", "somebodys.Apart, token: abc").limits("example.org").min_ttl == len("example.org")


@pytest.mark.parametrize(
    ("provider", "told"),
    [
        ("gandy", f"p1.class: 'gandy' is none of {', '.join(sorted(REGISTERED))}, nor a dotted path"),
        ("nobodys.Provider", "p1.class: nobodys.Provider cannot be loaded: No module named 'nobodys'"),
        ("somebodys.Other", "p1.class: somebodys.Other cannot be loaded: module 'somebodys' has no attribute 'Other'"),
        ("somebodys.number", "p1.class: somebodys.number is no class"),
        ("somebodys.NotMade, token: abc", "p1: somebodys.NotMade cannot be made of these options (LookupError)"),
        ("somebodys.Plain", "p1.token: is missing"),
        ("somebodys.Plain, token: abc, tokne: x", "p1.tokne: is no option of this provider; it has token, retries, wait"),
        ("somebodys.Plain, token: abc, now: 3", "p1.now: is no option of this provider"),
        ("somebodys.Plain, token: 12345", "p1.token: must be text (a number or a date in quotes)"),
        ("somebodys.Plain, token: abc, retries: true", "p1.retries: must be a whole number"),
        ("somebodys.Plain, token: abc, wait: soon", "p1.wait: must be a number"),
        ("memory, zones: {example.org: oops}", "p1: the text of example.org, line 1: a record has no type."),
    ],
)  # fmt: skip
def test_what_does_not_fit(provider: str, told: str) -> None:
    """The mistake stands with its path, says what exists, and shows no secret."""
    (mistake,) = mistakes(provider)

    assert mistake.startswith(f"providers.{told}")
    assert "abc" not in mistake
    assert "12345" not in mistake


def test_several_mistakes_at_once() -> None:
    """All options of a provider are told in one go."""
    assert len(mistakes("somebodys.Plain, retries: x, more: 1")) == 3


def test_a_secret_from_elsewhere_is_text() -> None:
    """What an environment variable says is given as it is, digits too: nothing is made of it."""
    config = parse(
        "providers: {p1: {class: somebodys.Plain, token: env/T, retries: env/R}}\nzones: {example.org: {provider: p1}}\n",
        HERE,
    )
    made = Zones(config, resolve={"env/T": "0123", "env/R": "5"}.__getitem__)

    assert made.provider("p1")._plugin.options == ("0123", "5", None)  # type: ignore[attr-defined]


class TestFaultyPlugin:
    """What a plug-in raises fails its zone with a sentence, and nothing is taken from it."""

    @pytest.mark.parametrize(
        ("zone", "word"), [("example.org", "KeyError"), ("nothing.test", "TypeError"), ("twice.test", "ValueError")]
    )
    def test_read(self, zone: str, word: str) -> None:
        """Its own exceptions, no answer, and an answer that says one thing twice."""
        with pytest.raises(ProviderError, match=f"{zone}: provider p1 failed to read the zone with {word}"):
            zones("somebodys.Faulty, token: abc").provider("p1").read(zone)

    def test_write(self) -> None:
        """Its words are not shown: they may hold its token."""
        with pytest.raises(ProviderError, match="failed to write the zone with RuntimeError") as caught:
            zones("somebodys.Faulty, token: s3cret").provider("p1").write("example.org", [])
        assert "s3cret" not in str(caught.value)

    def test_a_provider_error_stays(self) -> None:
        """What it says in our words goes through, whether it passes too."""
        with pytest.raises(ProviderError, match="out of order") as caught:
            zones("somebodys.Faulty, token: abc").provider("p1").read("known.test")
        assert caught.value.transient
