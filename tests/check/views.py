"""Several name servers on loopback, a real knotd on each address, all on one port (named takes no address that no interface has).

with Views(folder, {"127.0.0.1": {"parent.test": "…"}, "127.0.0.4": {"child.parent.test": "…"}}) as views: …
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from tests.bind import free_port
from tests.knot import Knot


class _One(Knot):
    """knotd on another address of loopback."""

    def __init__(self, folder: Path, address: str, port: int, zones: Mapping[str, str]) -> None:
        super().__init__(folder, zones)
        self.address, self.port = address, port

    def _configured(self) -> list[str]:
        argv = super()._configured()
        conf = self.folder / "knot.conf"
        conf.write_text(conf.read_text().replace("listen: 127.0.0.1@", f"listen: {self.address}@"))
        return argv


class Views:
    """See the module. `at(address)` is `address:port`. Who has no zone of a name refuses to answer about it."""

    def __init__(self, folder: Path, zones: Mapping[str, Mapping[str, str]]) -> None:
        self.folder, self.zones, self.port = folder, zones, free_port()
        self._stack = ExitStack()

    def at(self, address: str) -> str:
        """Where a server listens, as `nameservers:` takes it."""
        return f"{address}:{self.port}"

    def __enter__(self) -> Views:
        for address in sorted(self.zones):  # 127.0.0.1 first: it is there that the others see that the server runs
            self._stack.enter_context(_One(self.folder / address, address, self.port, self.zones[address]))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
