"""octodns' own commands as processes, on a configuration of the test."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Octodns:
    """`sync("--doit")` runs octodns-sync. `config` is its configuration; records of zone files go below `folder`/zones."""

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        self.folder, self.config = folder, dict(config)
        (folder / "zones").mkdir(parents=True, exist_ok=True)

    @property
    def yaml(self) -> dict[str, Any]:
        """The options of octodns' own source of records, for `config`."""
        return {"class": "octodns.provider.yaml.YamlProvider", "directory": str(self.folder / "zones"), "enforce_order": False,
                "default_ttl": 3600}  # fmt: skip

    def records(self, zone: str, records: Mapping[str, Any]) -> None:
        """What the source of records holds for a zone: JSON is YAML."""
        (self.folder / "zones" / f"{zone}.yaml").write_text(json.dumps(records))

    def run(self, command: str, *args: str) -> tuple[int, str]:
        """A command of octodns' by name: its exit code, and all that it said."""
        file = self.folder / "octodns.yaml"
        file.write_text(json.dumps(self.config))
        argv = [Path(sys.executable).parent / command, "--config-file", file, *args]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
        return done.returncode, done.stdout + done.stderr

    def sync(self, *args: str) -> str:
        """octodns-sync, which has to succeed; what it said."""
        code, out = self.run("octodns-sync", *args)
        assert code == 0, out
        return out

    def quiet(self) -> bool:
        """Whether there is nothing left to change."""
        return "No changes were planned" in self.sync()
