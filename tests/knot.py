"""A real knotd on loopback in a folder of the test: `with Knot(folder, {"example.org": text}) as knot: …`"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path

from tests.bind import SECRET, Bind
from tests.installed import program

KNOTD = "/usr/sbin/knotd"


class Knot(Bind):
    """knotd with zones that a TSIG key may transfer and update, as `Bind` has them.

    `readers` are more keys that may transfer; `partly` may transfer, and update one name only, `owner`.
    """

    def __init__(
        self, folder: Path, zones: Mapping[str, str], *, readers: tuple[str, ...] = (), partly: tuple[str, str] = ("", ""),
        secret: str = SECRET, actions: str = "update, transfer", extra: str = "",
    ) -> None:  # fmt: skip
        super().__init__(folder, zones, secret=secret)
        self._readers, (self._partly, self._owner) = readers, partly
        self._actions, self._settings = actions, extra

    def __enter__(self) -> Knot:
        self.databases.mkdir(parents=True, exist_ok=True)  # without that folder, every update ends in SERVFAIL
        super().__enter__()
        return self

    def start(self, policy: str = "") -> None:
        """Run it, and wait until each zone is loaded or is known not to load: until then an update finds nothing there."""
        super().start(policy)
        for _ in range(400):
            log = (self.folder / "named.log").read_text()
            if all(
                re.search(rf"\[{re.escape(zone)}\.\] (loaded|zone event 'load' failed)", log) for zone in self.zones
            ):
                return
            time.sleep(0.025)
        raise RuntimeError("knotd does not come to an end with its zones:\n" + log)

    @property
    def databases(self) -> Path:
        """Where its journal lies."""
        return self.folder / "db"

    def _configured(self) -> list[str]:
        """Write the configuration; how the server is started with it."""
        keys = [self.key_name, *self._readers, *filter(None, [self._partly])]
        rules = {"all": f"key: {self.key_name}\n    action: [{self._actions}]"} if self._actions else {}
        if self._readers:
            rules["readers"] = f"key: [{', '.join(self._readers)}]\n    action: [transfer]"
        if self._partly:
            rules["partly_read"] = f"key: {self._partly}\n    action: [transfer]"
            rules["partly"] = (
                f"key: {self._partly}\n    action: [update]\n    update-owner: name\n    update-owner-match: equal\n"
                f"    update-owner-name: [{self._owner}]"
            )
        conf = self.folder / "knot.conf"
        conf.write_text(
            f"server:\n    rundir: {self.folder}\n    listen: 127.0.0.1@{self.port}\n"
            "    udp-workers: 1\n    tcp-workers: 1\n    background-workers: 1\n"
            "log:\n  - target: stderr\n    any: info\n"
            f"database:\n    storage: {self.databases}\n    journal-db-max-size: 16M\n    kasp-db-max-size: 8M\n    timer-db-max-size: 8M\n"
            "key:\n" + "".join(f"  - id: {key}\n    algorithm: hmac-sha256\n    secret: {self.secret}\n" for key in keys)
            + ("acl:\n" if rules else "") + "".join(f"  - id: {name}\n    {rule}\n" for name, rule in rules.items())
            + f"template:\n  - id: default\n    storage: {self.folder}\n    semantic-checks: off\n    acl: [{', '.join(rules)}]\n{self._settings}"
            "zone:\n" + "".join(f"  - domain: {zone}\n    file: {self.zone_file(zone).name}\n" for zone in self.zones)
        )  # fmt: skip
        return [*program(KNOTD), "-c", str(conf)]
