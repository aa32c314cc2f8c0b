"""Plug-ins of octodns' as providers of ours: octodns-powerdns before a real PowerDNS, octodns-bind before a real named."""

from __future__ import annotations

import base64
import importlib
import re
import sys
import textwrap
import types
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from dnssync.config import ProviderConfig
from dnssync.core.model import Change, Foreign, Kind, ProviderError, RRset, StaleZone, Value
from dnssync.plugins import build
from tests.providers import conformance
from tests.providers.conformance import ZONE
from tests.providers.sites import Servers, Site, alone, behind, made, marked, servers


def mistakes(kind: str, options: dict[str, Any]) -> list[str]:
    """What is wrong with a provider."""
    return build({"theirs": ProviderConfig("theirs", kind, options)}, lambda text: text)[1]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """The servers that the rows share."""
    with servers(tmp_path_factory.mktemp("servers")) as made:
        yield made


@pytest.fixture(params=marked("octodns_powerdns", "octodns_bind"))
def site(request: pytest.FixtureRequest, running: Servers) -> Iterator[Site]:
    """Either of them."""
    with behind(request.param, running(request.param)) as made:
        yield made


def test_what_is_seen(site: Site) -> None:
    """Text is read whatever is in it, several strings are told from one, and other types are not looked at."""
    found = {rrset.key: rrset for rrset in site.provider.read(ZONE)}
    assert {kind for _, kind in found} <= {"TXT", "SPF", "CNAME", "NS"}
    hard = {value.text: value for value in found["hard", "TXT"].values}
    assert {'a"bc', "onetwo", "a; b"} <= set(hard) and len(hard) == 6
    assert site.kind == "octodns_powerdns" or {"q\\;r", "x\\y", "\udcff"} <= set(
        hard
    )  # master-file text is known for what it is
    assert [text for text, value in hard.items() if value.plain] == ["a; b"]
    assert not found["lengthy", "TXT"].values[0].plain and found["lengthy", "TXT"].values[0].text == "z" * 400
    assert all(value.plain for value in found["", "TXT"].values)
    assert site.provider.limits.complete is False and site.provider.limits.foreign is Foreign.PLAIN
    assert {notice.reason for notice in site.provider.limits.notices} >= {"octodns_no_swap"}


@pytest.mark.parametrize(
    ("name", "new"), [("hard", "ours"), ("new", 'o"urs'), ("new", "o\\urs"), ("new", "grün"), ("new", "k" * 300 + '"')]
)
def test_what_cannot_be_carried_is_refused(site: Site, name: str, new: str) -> None:
    """Neither a stranger's hard text is sent back, nor one of ours that would not arrive as it is."""
    before = site.everything()
    todo = conformance.changes(site.provider, {f"{name} TXT": [new]}, {}, 300)
    with pytest.raises(ProviderError, match=rf"{ZONE}: {name}\.{ZONE} TXT: .* would not come through"):
        site.provider.write(ZONE, todo)
    assert site.everything() == before


@pytest.mark.powerdns
def test_disabled_values(tmp_path: Path) -> None:
    """What the notice speaks of: a disabled value of others is published when the record is written."""
    with alone("octodns_powerdns", tmp_path) as site:
        site.pdns.patch(ZONE, "@", "TXT", 300, [('"live"', False), ('"disabled"', True)])
        assert [notice.reason for notice in site.provider.limits.notices] == ["octodns_no_swap", "octodns_disabled"]
        site.provider.write(ZONE, conformance.changes(site.provider, {"@ TXT": ["ours"]}, {}, 300))
        assert site.everything()["", "TXT"][1] == {b"\x04live", b"\x08disabled", b"\x04ours"}


@pytest.mark.powerdns
def test_deletion_of_what_moved(tmp_path: Path) -> None:
    """A whole record that is to go and went already is seen on a fresh look of a fresh instance."""
    with alone("octodns_powerdns", tmp_path) as site:
        [old] = [rrset for rrset in site.provider.read(ZONE) if rrset.key == ("lengthy", "TXT")]
        site.stranger("- lengthy TXT")
        with pytest.raises(StaleZone, match=ZONE):
            site.provider.write(ZONE, [Change(Kind.DELETE, "lengthy", "TXT", old, None)])


# --- plug-ins that do what they should not --------------------------------------------------------------------------


class Odd:
    """Makes plug-ins of octodns' kind whose ways are a test's."""

    def __init__(self) -> None:
        from octodns.provider.base import BaseProvider
        from octodns.record import Record

        self.made = self.applied = 0
        self.exists: bool | None = True
        self.extra: list[Any] = []
        self.alter: Callable[[Any], object] = bool
        self.error: Exception | None = None
        self.at_birth: Exception | None = None
        self.meta: dict[str, str] | None = None
        self.applied_meta: object = None
        odd = self

        class OddProvider(BaseProvider):  # type: ignore[misc]
            SUPPORTS = frozenset({"TXT", "SSHFP", "CNAME"})
            SUPPORTS_GEO = SUPPORTS_DYNAMIC = False
            SUPPORTS_ROOT_NS = True

            def __init__(self, id: str, token: str, retries: int = 3, *args: Any, **kwargs: Any) -> None:
                import logging

                self.log = logging.getLogger(id)
                odd.made += 1
                if odd.at_birth:
                    raise odd.at_birth
                self.token = token
                super().__init__(id, *args, **kwargs)

            def populate(self, zone: Any, target: bool = False, lenient: bool = False) -> bool | None:
                self.log.warning("about a record of others")
                if odd.error:
                    raise odd.error
                if "SSHFP" in self.SUPPORTS:
                    raise ValueError("not enough values to unpack")
                for name in ("a", "b"):
                    data = {"type": "TXT", "ttl": 300, "values": ["x", "y"]}
                    zone.add_record(Record.new(zone, name, data, lenient=lenient), lenient=lenient)
                return odd.exists

            def _include_change(self, change: Any) -> bool:
                odd.alter(change.new)
                return True

            def _extra_changes(self, existing: Any, desired: Any, changes: Any) -> list[Any]:
                return odd.extra

            def _plan_meta(self, existing: Any, desired: Any, changes: Any) -> dict[str, str] | None:
                return odd.meta

            def _apply(self, plan: Any) -> None:
                odd.applied += 1
                odd.applied_meta = plan.meta

        OddProvider.__module__, OddProvider.__qualname__ = "octodns_odd", "OddProvider"
        self.kind = OddProvider


@pytest.fixture
def odd() -> Iterator[Odd]:
    """The plug-in as a package of somebody's."""
    made = Odd()
    module = types.ModuleType("octodns_odd")
    vars(module).update(OddProvider=made.kind)
    sys.modules["octodns_odd"] = module
    yield made
    del sys.modules["octodns_odd"]


ODD = "octodns_odd.OddProvider"
NEW = Change(Kind.CREATE, "new", "TXT", None, RRset("new", "TXT", 300, (Value("ours", ""),)))


def test_the_examples_in_the_documentation() -> None:
    """Each block of docs/octodns.md, and config/octodns.yaml, names classes that are there and options that they take."""
    root = Path(__file__).parents[2]
    secret = base64.b64encode(b"secret").decode()
    blocks = re.findall(r"(?m)^    (?:providers|processors):\n(?:     .*\n)+", (root / "docs/octodns.md").read_text())
    made_of = [yaml.safe_load(textwrap.dedent(block)) for block in blocks]
    assert len(made_of) == 4
    for section in (*made_of, yaml.safe_load((root / "config/octodns.yaml").read_text())):
        for name, options in {**section.get("providers", {}), **section.get("processors", {})}.items():
            options = {
                key: secret if str(value).startswith(("env/", "file/")) else value for key, value in options.items()
            }
            kind = options.pop("class")
            if kind.startswith("octodns_") or "." not in kind:
                assert mistakes(kind, options) == []
            else:
                module, _, attribute = kind.rpartition(".")
                assert getattr(importlib.import_module(module), attribute)(name, **options)


def test_an_instance_for_each_look(odd: Odd) -> None:
    """What a plug-in remembers is gone with it; records of other types are not even parsed."""
    provider = made(ODD, {"token": "t"})
    for _ in range(2):
        assert [rrset.key for rrset in provider.read(ZONE)] == [("a", "TXT"), ("b", "TXT")]
    provider.write(ZONE, [NEW])
    assert odd.made == 4 and odd.applied == 1


@pytest.mark.parametrize("exists", [False, None])
def test_a_zone_that_is_not_there(odd: Odd, exists: bool | None) -> None:
    """Where a plug-in does not say that the zone is there, nothing is read and nothing written."""
    odd.exists = exists
    provider = made(ODD, {"token": "t"})
    for act in (lambda: provider.read(ZONE), lambda: provider.write(ZONE, [NEW])):
        with pytest.raises(
            ProviderError, match=f"{ZONE}: .*does not show that the zone is there.*no zone is ever created"
        ):
            act()
    assert odd.applied == 0


def test_no_change_but_ours(odd: Odd) -> None:
    """A plug-in that would do more than was planned, in a zone of any size, does nothing."""
    from octodns.record import Delete, Record
    from octodns.zone import Zone

    zone = Zone(f"{ZONE}.", [])
    odd.extra = [Delete(Record.new(zone, "b", {"type": "TXT", "ttl": 300, "value": "x"}))]
    with pytest.raises(ProviderError, match=rf"would do something else than dnssync planned for b\.{ZONE} TXT"):
        made(ODD, {"token": "t"}).write(ZONE, [NEW])
    assert odd.applied == 0


@pytest.mark.parametrize(
    "alter",
    [
        lambda new: vars(new).update(ttl=60),
        lambda new: new.values.append("more"),
        lambda new: new.values.pop(),
        lambda new: vars(new).update(values=["OURS"]),
    ],
    ids=["another TTL", "a value more", "no value", "another value"],
)
def test_no_values_but_ours(odd: Odd, alter: Callable[[Any], object]) -> None:
    """A plug-in that would give a record another TTL or other values than was planned does nothing."""
    odd.alter = alter
    with pytest.raises(ProviderError, match=rf"would do something else than dnssync planned for new\.{ZONE} TXT"):
        made(ODD, {"token": "t"}).write(ZONE, [NEW])
    assert odd.applied == 0


def test_updates_in_two_steps(odd: Odd) -> None:
    """A plug-in of which nothing is known writes no RRset that others share, unless an option says so; both are told."""
    provider, brave = made(ODD, {"token": "t"}), made(ODD, {"token": "t", "unsafe_updates": True})
    shared = conformance.changes(provider, {"a TXT": ["ours"]}, {}, 300)
    with pytest.raises(ProviderError, match=r"holds values of others.*`unsafe_updates: true`"):
        provider.write(ZONE, shared)
    assert odd.applied == 0
    brave.write(ZONE, shared)
    assert odd.applied == 1
    assert (provider.limits.foreign, brave.limits.foreign) == (Foreign.NONE, Foreign.PLAIN)
    [told], [bravely] = (
        [n.sentence for n in p.limits.notices if n.reason == "octodns_steps"] for p in (provider, brave)
    )
    assert told.endswith("are refused.") and bravely.endswith("since `unsafe_updates` says so.")


def test_nothing_but_records(odd: Odd, caplog: pytest.LogCaptureFixture) -> None:
    """What a plug-in would change beside the records of a zone is left alone, and what it says of others' is not told."""
    provider = made(ODD, {"token": "t"})
    assert provider.limits.types == {"TXT"} and provider.limits.type99 is False
    odd.meta = {"plan": "business"}
    provider.write(ZONE, [NEW])
    assert odd.applied == 1 and odd.applied_meta is None
    assert "record of others" not in caplog.text and "root NS" not in caplog.text


def test_only_another_ttl(odd: Odd) -> None:
    """A change of the TTL alone is one; a TTL that moved since the reading is a zone that moved."""
    provider = made(ODD, {"token": "t"})
    [old, _] = provider.read(ZONE)
    ours = replace(old, values=tuple(replace(value, raw="") for value in old.values), ttl=600)
    provider.write(ZONE, [Change(Kind.UPDATE, "a", "TXT", old, ours)])
    assert odd.applied == 1
    with pytest.raises(StaleZone, match=rf"a\.{ZONE} TXT at theirs is not what was read"):
        provider.write(ZONE, [Change(Kind.UPDATE, "a", "TXT", replace(old, ttl=301), ours)])
    provider.write(ZONE, [Change(Kind.UPDATE, "a", "TXT", old, old)])
    assert odd.applied == 1


def test_a_plugin_that_cannot_be_made(odd: Odd) -> None:
    """Options that do not fit are told with the configuration; a network that is down is no mistake in it."""
    odd.at_birth = ValueError("retries")
    assert mistakes(ODD, {"token": "t"}) == [f"providers.theirs: {ODD} cannot be made of these options (ValueError)"]
    odd.at_birth = ConnectionError("no route")
    provider = made(ODD, {"token": "s3cret"})
    assert provider.limits.types == {"TXT"}
    with pytest.raises(ProviderError, match="failed to read the zone with ConnectionError: no route") as caught:
        provider.read(ZONE)
    assert caught.value.transient


def test_apply_disabled(odd: Odd) -> None:
    """An octodns provider that is told to write nothing is no success."""
    with pytest.raises(ProviderError, match="apply_disabled"):
        made(ODD, {"token": "t", "apply_disabled": True}).write(ZONE, [NEW])


def test_options(odd: Odd) -> None:
    """Options are those of the class and its bases; what is none is told, and a token of digits alone stays text."""
    assert mistakes(ODD, {"tokne": "t"}) == [
        "providers.theirs.tokne: is no option of this provider; it has token, retries, apply_disabled, update_pcent_threshold, "
        "delete_pcent_threshold, strict_supports, root_ns_warnings, unsafe_updates",
        "providers.theirs.token: is missing",
    ]
    assert mistakes(ODD, {"token": 123}) == ["providers.theirs.token: must be text (a number or a date in quotes)"]
    assert mistakes(ODD, {"token": "t", "unsafe_updates": "yes"}) == [
        "providers.theirs.unsafe_updates: must be true or false"
    ]
    assert mistakes(ODD, {"token": "0123"}) == []


def test_its_words(odd: Odd) -> None:
    """What a plug-in says is told with zone and provider, but for a secret; what may pass is known."""
    import requests

    provider = made(ODD, {"token": "s3cret"})
    odd.error = RuntimeError("bad token s3cret")
    with pytest.raises(
        ProviderError, match=rf"{ZONE}: octodns_odd.OddProvider \(provider theirs\) failed to read .* RuntimeError\."
    ) as caught:
        provider.read(ZONE)
    assert "s3cret" not in str(caught.value) and not caught.value.transient
    answer = requests.Response()
    for status, passes in {408: True, 429: True, 500: True, 401: False, 404: False, 422: False}.items():
        answer.status_code = status
        odd.error = requests.HTTPError("no", response=answer)
        with pytest.raises(ProviderError, match=rf"HTTPError \(HTTP {status}\): no") as caught:
            provider.read(ZONE)
        assert caught.value.transient is passes
    answer.status_code = 503
    odd.error = requests.HTTPError("busy", response=answer)
    with pytest.raises(ProviderError, match=r"HTTPError \(HTTP 503\): busy") as caught:
        provider.read(ZONE)
    assert caught.value.transient
    wrapped = RuntimeError("x" * 5000)
    wrapped.__cause__ = odd.error
    odd.error = wrapped
    with pytest.raises(ProviderError, match=r"RuntimeError \(HTTP 503\): xxx") as caught:
        provider.read(ZONE)
    assert caught.value.transient and len(str(caught.value)) < 500
    odd.error = requests.ConnectionError("refused")
    with pytest.raises(ProviderError) as caught:
        provider.read(ZONE)
    assert caught.value.transient
