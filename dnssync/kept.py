"""What a daemon keeps in its memory from one pass to the next. Losing it costs one pass in which everything is looked at, and no more."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from dnssync.config import Config
from dnssync.core.host import Host
from dnssync.core.model import Notice
from dnssync.reconcile import Line
from dnssync.resolver import Resolver
from dnssync.settled import Settled


@dataclass
class Kept:
    """`settled`: by zone, what the last decision rested on that left it in peace ("": the domains that no zone holds); `turn`: the number of the pass; `exim`: the
    mark of the survey that `helo` (the names that exim greets with) and `notices` (what it had to say) are of; `asked`: when it was asked about all
    domains, in seconds since 1970."""

    settled: dict[str, Settled] = field(default_factory=dict)
    turn: int = 0
    exim: str = ""
    helo: tuple[str, ...] | None = None
    notices: tuple[Notice, ...] = ()
    asked: int = 0
    _config: Config | None = None
    _digest: bytes = b""
    _resolver: Resolver | None = None

    def begin(self, line: Line) -> None:
        """A pass begins: one that looks up as the last one did goes on with what that knows of name servers."""
        if self._resolver is not None and self._resolver.like(line.resolver):
            line.resolver = self._resolver
        self._resolver = line.resolver
        self.turn += 1

    def config(self, config: Config) -> bytes:
        """The mark of a configuration; it is read again only where it is another one."""
        if self._config is not config:
            self._config = config
            self._digest = hashlib.blake2b(repr(config).encode("utf-8", "surrogateescape"), digest_size=16).digest()
        return self._digest

    def survey(self, mark: str) -> None:
        """exim was surveyed: of another exim, nothing is known yet."""
        if mark != self.exim:
            self.exim, self.helo, self.notices = mark, None, ()

    def heard(self, host: Host, now: int) -> None:
        """exim was asked about all domains."""
        self.helo, self.notices, self.asked = host.helo, host.notices, now

    def remember(self, fresh: Mapping[str, Settled], zones: Mapping[str, object]) -> None:
        """These zones are settled as of this pass, and no other of those that are configured."""
        self.settled = {zone: fresh[zone] for zone in ("", *zones) if zone in fresh}
