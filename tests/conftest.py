"""Which tests can run here: those that need exim or BIND are named when they are left out, and never left out in CI."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.installed import there

# A busy machine is slow, not wrong: no test fails for the time it took.
settings.register_profile("dnssync", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("dnssync")

NEEDS = {
    "exim": ("a real exim4", lambda: Path("/usr/sbin/exim4").exists() and Path("/usr/sbin/update-exim4.conf").exists()),
    "postgres": ("a real PostgreSQL", lambda: any(Path("/usr/lib/postgresql").glob("*/bin/initdb"))),
    "powerdns": (
        "a real PowerDNS with SQLite and LMDB",
        lambda: all(
            map(there, ["/usr/sbin/pdns_server", *(f"/usr/lib/*/pdns/lib{b}backend.so" for b in ("gsqlite3", "lmdb"))])
        ),
    ),
    "systemd": ("systemd-analyze", lambda: shutil.which("systemd-analyze") is not None),
    "bind": ("a real named", lambda: there("/usr/sbin/named")),
    "knot": ("a real knotd", lambda: there("/usr/sbin/knotd")),
}
left_out: dict[str, list[str]] = {}


def nothing_may_be_left_out() -> bool:
    """Whether a test that cannot run here is a failure."""
    return os.environ.get("DNSSYNC_TESTS") == "all" or bool(os.environ.get("CI"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take out what this machine cannot run, or stop where nothing may be left out (`DNSSYNC_TESTS=all`, or CI)."""
    missing = {name for name, (_, there) in NEEDS.items() if not there()}
    if not missing:
        return
    keep, drop = [], []
    for item in items:
        lacking = [name for name in sorted(missing) if item.get_closest_marker(name)]
        for name in lacking:
            left_out.setdefault(name, []).append(item.nodeid)
        (drop if lacking else keep).append(item)
    if drop and nothing_may_be_left_out():
        raise pytest.UsageError(
            f"{len(drop)} tests would be left out for want of {', '.join(NEEDS[n][0] for n in left_out)}"
        )
    items[:] = keep
    config.hook.pytest_deselected(items=drop)


@pytest.fixture(autouse=True)
def _the_same_user() -> Iterator[None]:
    """A test that runs a command inside this process as root must not become the user whom some state belongs to."""
    before = os.geteuid()
    yield
    if os.geteuid() != before:
        pytest.exit("a test turned this process into another user; nothing after it could be trusted", 97)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where nothing may be left out, a skip (for want of root, say) is a failure of the run."""
    skipped = session.config.pluginmanager.get_plugin("terminalreporter").stats.get("skipped", [])
    if skipped and nothing_may_be_left_out():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter) -> None:
    """Say plainly what was left out."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped and nothing_may_be_left_out():
        terminalreporter.write_line(f"FAILED: {len(skipped)} tests were skipped, and here none may be left out")
    for name, nodes in left_out.items():
        files = sorted({node.partition("::")[0] for node in nodes})
        terminalreporter.write_line(f"LEFT OUT for want of {NEEDS[name][0]}: {len(nodes)} tests in {', '.join(files)}")
