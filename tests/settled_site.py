"""A host with several zones on two real name servers, and a daemon whose passes are made one by one: what each asks, and of whom.

with settled_site(folder) as site:
    site.one()          # a pass of the daemon that remembers the ones before: `PassResult`
    site.asked          # what it asked: questions to name servers, reads and writes at the provider, decisions
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dnssync import assemble, identity
from dnssync.config import load
from dnssync.core.decide import Decision
from dnssync.core.observed import Observed
from dnssync.kept import Kept
from dnssync.one_pass import PassResult, one_pass
from dnssync.reconcile import Line
from dnssync.state import State
from tests.bind import Bind, Secondary
from tests.exim_host import EximHost
from tests.site_under_test import DOMAIN, IP, Site

NAMES = ("eins.example", "zwei.example", "drei.example", "vier.example")
APART = f"_domainkey.{NAMES[0]}"
ZONE = f"""
@ 300 IN MX 10 mx
@ 300 IN A {IP}
@ 300 IN TXT "site-verification=abc" "def"
mx 300 IN A {IP}
"""


class SettledSite(Site):
    """The host; `kept` is what its daemon remembers. `size`: how many zones a pass takes at a time."""

    def __init__(self, folder: Path, exim: EximHost, bind: Bind, secondary: Secondary) -> None:
        self.secondary = secondary
        self.more: dict[str, Any] = {}
        self.kept: Kept | None = Kept()
        self.asked: Counter[str] = Counter()
        self.size = 500
        self.loaded: Any = None
        super().__init__(folder, exim, bind)

    def write(self, zone: str = "") -> None:
        """The configuration, with what is in `more` beside."""
        options = {**self.bind.options(), "class": "rfc2136"}
        of = {"provider": "bind", "nameservers": [self.bind.server, self.secondary.server]}
        text = {
            "providers": {"bind": options},
            "zones": {name: dict(of) for name in (*NAMES, APART)},
            "defaults": {"dkim": {"algorithms": ["rsa1024", "ed25519"]}},
            "exim": {"command": list(self.exim.command), "map": str(self.exim.map)},
            "addresses": [IP],
            "schedule": {"check": "never"},
            "alerts": {"mail": []},
            "keys": str(self.exim.keys),
            "state": f"sqlite:///{self.folder}/state/state.db",
            **self.more,
        }
        self.config.write_text(json.dumps(text))
        self.loaded = load(self.config)

    def line(self, config: Any, **options: Any) -> Line:
        """The parts of a pass; what it asks is counted."""
        line = assemble.line(config, **{"read_only": False, "environ": {}, "now": lambda: self.now, **options})
        line.size = self.size
        decided = line.decided

        def counted(*args: Any, **how: Any) -> tuple[Observed, Decision]:
            seen, got = decided(*args, **how)
            self.asked.update(f"decided {view.zone}" for view in seen.zones)
            return seen, got

        line.decided = counted  # type: ignore[method-assign]
        line.zones = _Counting(line.zones, self.asked)  # type: ignore[assignment]
        return line

    def one(self, later: int = 900) -> PassResult:
        """A pass of the daemon, so many seconds after the last."""
        self.now += later
        self.asked.clear()
        result = one_pass(self.loaded, self.line, now=lambda: self.now, kept=self.kept)
        assert result.error is None, result.error
        return result

    def follow(self) -> None:
        """The second server shows what the first one does."""
        for zone in self.bind.zones:
            self.secondary.follow(zone)

    def ready(self) -> None:
        """All keys sign, each has a standby, and a pass has found nothing to do."""
        code, out = self.run("apply", "--yes")
        assert code == 0, out
        self.follow()
        for _ in range(8):
            self.one(3600)
            self.follow()
        assert not self.asked["write"], self.asked

    @property
    def state(self) -> State:
        """The state, to look into."""
        return State.open(self.loaded.state, host=identity.rows(self.exim.keys), read_only=True)

    @property
    def decided(self) -> set[str]:
        """The zones that the last pass decided about."""
        return {text.removeprefix("decided ") for text in self.asked if text.startswith("decided ")}


class _Counting:
    """`Zones` whose providers are counted."""

    def __init__(self, real: Any, asked: Counter[str]) -> None:
        self.__dict__.update(_real=real, _asked=asked)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._real, name, value)

    def provider(self, name: str) -> Any:
        """One whose readings and writes are counted."""
        return _Provider(self._real.provider(name), self._asked)


class _Provider:
    def __init__(self, real: Any, asked: Counter[str]) -> None:
        self._real, self._asked = real, asked

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def read(self, zone: str) -> Any:
        """As it does."""
        self._asked["read"] += 1
        return self._real.read(zone)

    def write(self, zone: str, changes: Sequence[Any]) -> Any:
        """As it does."""
        self._asked["write"] += bool(changes)
        return self._real.write(zone, changes)


Made = Callable[..., SettledSite]


def opened(folder: Path) -> Path:
    """A folder that exim can go through."""
    for place in (folder, folder.parent, folder.parent.parent):
        place.chmod(0o755)
    return folder


@contextmanager
def settled_site(folder: Path) -> Iterator[SettledSite]:
    """Everything running, exim told of dnssync's macros; keys not made yet."""
    zones = {**dict.fromkeys(NAMES, ZONE), APART: ""}
    zones[NAMES[0]] += f"_domainkey IN NS ns1.{APART}.\nns1._domainkey IN A 127.0.0.1\n"
    with (
        EximHost(hostnames=(*NAMES, DOMAIN), hostname=f"mx.{NAMES[0]}") as exim,
        Bind(folder / "bind", zones) as bind,
        Secondary(folder / "second", bind) as secondary,
    ):
        exim.switched()
        yield SettledSite(folder, exim, bind, secondary)
