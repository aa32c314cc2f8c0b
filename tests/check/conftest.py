"""Keys and exims for the tests of exim's checks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnssync.core.model import KeyPair
from dnssync.keystore import Keystore
from tests.check.exim_built import ZONES, Build, Built
from tests.check.world import NOW
from tests.exim_host import EximHost


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bytes, KeyPair]]:
    """Two RSA keys, as the keystore writes them: the private half and the public one."""
    root = tmp_path_factory.mktemp("keys")
    store = Keystore(root)
    made = {}
    for name in ("s1", "s2"):
        algorithm, public = store.generate("example.org", name, "rsa2048")
        pair = KeyPair("example.org", name, algorithm, public, NOW - 9 * 86400)
        made[name] = ((root / "example.org" / f"{name}.pem").read_bytes(), pair)
    return made


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    """Hosts to look at, put away at the end."""
    with contextlib.ExitStack() as hosts:

        def make(**options: object) -> Built:
            return Built(tmp_path, hosts.enter_context(EximHost(hostnames=ZONES, **options)))  # type: ignore[arg-type]

        yield make
