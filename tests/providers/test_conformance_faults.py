"""Every fault of the table, for every provider of ours that can have it: a clear error, nothing of others' moved, and afterwards all done."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnssync.core.model import Foreign
from tests.providers.conformance import changes, in_steps, refuses
from tests.providers.conformance_faults import FAULTS, Fault, weathers
from tests.providers.sites import KINDS, SERVERS, Servers, Site, alone, behind, fresh_after_a_failure, marked, servers
from tests.providers.strikes import CANNOT, STRIKES

TITLES = {fault.title for fault in FAULTS}
ASKED = [kind for kind in KINDS if kind != "gandi150"]  # which is gandi, and shows long texts in another way


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """The servers that the rows share: each leaves its zone as it was."""
    with servers(tmp_path_factory.mktemp("servers")) as made:
        yield made


@pytest.fixture
def site(request: pytest.FixtureRequest, running: Servers, tmp_path: Path) -> Iterator[Site]:
    """A provider with a zone of everything behind it."""
    kind = request.param
    with behind(kind, running(kind)) if kind in SERVERS else alone(kind, tmp_path) as made:
        yield made


def rows() -> Iterator[object]:
    """Each provider with each fault that it can have."""
    for parameter in marked(*ASKED):
        [kind] = parameter.values
        for fault in FAULTS:
            if fault.title in STRIKES[kind]:
                yield pytest.param(kind, fault, marks=parameter.marks, id=f"{kind}-{fault.title}")


@pytest.mark.parametrize("kind", ASKED)
def test_no_fault_is_left_out(kind: str) -> None:
    """What is not made for a provider is named, with the reason why it cannot be there."""
    assert set(STRIKES) == set(CANNOT) == set(ASKED)
    assert set(STRIKES[kind]) <= TITLES
    reasons = {title: reason for title, reason in CANNOT[kind].items() if title in TITLES}
    assert {title for title in TITLES if title not in STRIKES[kind]} == set(reasons)
    assert all(reasons.values())


@pytest.mark.parametrize(("site", "fault"), list(rows()), indirect=["site"])
def test_fault(site: Site, fault: Fault, running: Servers, caplog: pytest.LogCaptureFixture) -> None:
    """A clear error without a secret, strangers' records as they were, nothing missing in between, and all done in the end."""
    caplog.set_level(logging.DEBUG)
    if site.kind == "zonefile":
        site.watched = True
    with fresh_after_a_failure(running):
        weathers(site, fault, STRIKES[site.kind][fault.title], lambda: caplog.text)


@pytest.mark.parametrize("site", marked(*ASKED), indirect=True)
def test_what_may_lose_writes_nothing_of_others(site: Site) -> None:
    """A provider may only leave a gap where it says so, and then no record that others share is written."""
    assert in_steps(site.provider) is (site.kind == "octodns_gandi")
    if in_steps(site.provider):
        assert site.provider.limits.foreign is Foreign.NONE
        refuses(site, changes(site.provider, {"@ TXT": ["ours"], "new TXT": ["ours"]}, {}, 300))
