"""A folder of keys that cannot be written is one domain's trouble: its zone waits with what it has, everything else goes on."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dnssync import signing_map
from dnssync.core.durations import DAY, HOUR
from tests.daemon.gandi_site import ONE, TWO, GandiSite, site, unapplied
from tests.daemon.test_once import passed

pytestmark = [pytest.mark.exim]
__all__ = ["site", "unapplied"]
WORDS = f"{ONE}: no new key can be made for {ONE}."


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nobody writes in a folder that is there; what lies in it can be read."""
    if os.geteuid() != 0:
        folder.chmod(0o550)
        yield
        folder.chmod(0o750)
        return
    if subprocess.run(["mount", "--bind", str(folder), str(folder)], capture_output=True).returncode:
        pytest.skip("nothing may be mounted here, and root may write in every folder")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def put(folder: Path, what: str) -> None:
    """Let something else lie where a folder should be."""
    folder.parent.mkdir(exist_ok=True)
    if what == "file":
        folder.write_text("not a folder\n")
    else:
        folder.symlink_to(folder.with_suffix(".nowhere"))


@pytest.mark.parametrize("what", ["file", "dangling"])
def test_apply(unapplied: GandiSite, what: str) -> None:
    """With something else where its folder should be, a domain gets no key and its zone nothing, and that is told; the other zone gets all.
    Nothing of the try is left behind, and once the folder can be made, the next `apply` does the rest."""
    site, folder = unapplied, unapplied.exim.keys / ONE
    put(folder, what)
    before = site.gandi.values(ONE)
    for _ in range(2):
        code, out = site.run("apply", "--yes")
        flat = " ".join(out.split())
        assert code == 1 and f"failed: {WORDS}" in flat and "take that away" in flat, out
        assert site.gandi.values(ONE) == before and ("_dmarc", "TXT") in site.gandi.values(TWO)
        assert {key.domain for key in site.state.keys()} == {TWO} and site.state.unfinished_keys() == ()
        site.now += 60
    folder.unlink()
    site.apply()
    assert ("_dmarc", "TXT") in site.gandi.values(ONE) and {*signing_map.read(site.exim.map)} == {ONE, TWO}


@pytest.mark.parametrize("what", ["file", "dangling"])
def test_the_daemon(site: GandiSite, what: str) -> None:
    """Where the folder with a domain's keys is gone and something else lies in its place, the pass comes to its end: exim's map keeps the
    domain's line, the other zone is put right, and with the folder back so is this one. The sentence stays the same."""
    folder = site.exim.keys / ONE
    lines = signing_map.read(site.exim.map)
    folder.rename(folder.with_suffix(".away"))
    put(folder, what)
    told = set()
    for _ in range(2):
        site.gandi.put(TWO, "_dmarc", "TXT", 3600, [])
        site.now += 7 * HOUR
        result = passed(site)
        assert result.error is None and result.report is not None and not result.report.refused
        told |= {(outcome.zone, outcome.error) for outcome in result.report.outcomes if outcome.error}
        assert ("_dmarc", "TXT") in site.gandi.values(TWO) and signing_map.read(site.exim.map) == lines
        assert site.state.unfinished_keys() == ()
    [(zone, sentence)] = told
    assert zone == ONE and sentence.startswith(WORDS) and str(folder) in sentence
    assert [row.zone for row in site.state.troubles() if row.kind == "failed"] == [ONE]
    folder.unlink()
    folder.with_suffix(".away").rename(folder)
    site.now += 7 * HOUR
    assert not passed(site).failed and signing_map.read(site.exim.map) == lines


def test_keys_go_on_while_no_new_one_can_be_made(site: GandiSite) -> None:
    """With a folder that can only be read, exim signs on with the keys in it, and what is seen of them is noted; the pass stops for nobody
    else. With the folder open again, the next standby is made."""
    assert site.run("rotate", ONE)[0] == 0

    def mine() -> dict[str, tuple[int | None, int | None]]:
        return {key.selector: (key.activated, key.retired) for key in site.state.keys() if key.domain == ONE}

    with read_only(site.exim.keys / ONE):
        for wait in (600, HOUR, HOUR):  # the standby takes over
            site.now += wait
            assert not passed(site).failed
        lines = signing_map.read(site.exim.map)
        known, sentences = mine(), set()
        for _ in range(2):
            site.gandi.put(TWO, "_dmarc", "TXT", 3600, [])
            site.now += DAY
            result = passed(site)
            assert result.error is None and result.report is not None
            assert [(o.zone, o.error[: len(WORDS)]) for o in result.report.outcomes if o.error] == [(ONE, WORDS)]
            assert ("_dmarc", "TXT") in site.gandi.values(TWO) and signing_map.read(site.exim.map) == lines
            sentences |= {outcome.error for outcome in result.report.outcomes if outcome.error}
        assert len(sentences) == 1, "news each time, though it is the same"
        assert {*mine()} == {*known} and len(lines[ONE]) == 2
        assert all(mine()[name][0] is not None and known[name][0] is None for name in lines[ONE])
        assert all(mine()[name][1] is not None for name in known if name not in lines[ONE])
        told = " ".join(site.run("status")[1].split())
        assert WORDS in told
    site.now += DAY
    assert not passed(site).failed and len(mine()) == len(known) + 2
