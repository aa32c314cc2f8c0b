"""From a configuration to the parts of one pass, with the real exim, resolver, providers and state behind them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from dnssync import clock, identity
from dnssync.config import Config, secret
from dnssync.core.host import Host
from dnssync.core.model import zone_of
from dnssync.exim.ask import Exim
from dnssync.exim.survey import Survey
from dnssync.files import group_id, home_owner, make_directory
from dnssync.keystore import GROUP, USER, Keystore
from dnssync.lock import become_owner
from dnssync.reconcile import Line
from dnssync.resolver import Resolver
from dnssync.state import State
from dnssync.zones import Zones


def line(
    config: Config,
    *,
    read_only: bool,
    environ: Mapping[str, str],
    now: Callable[[], float] = time.time,
    progress: Callable[[str], None] = lambda text: None,
    resolve: Callable[[str], str] | None = None,
    closed: bool = False,
) -> Line:
    """The parts of one pass. Secrets are read first; then, for a pass that writes, root becomes the state's owner.

    `resolve` gives the secret that an option names (None: `config.secret`). `closed`: without providers and state, for a user
    who may read neither; nothing can be planned with it. Raises `ConfigError` for a provider that cannot be built, `StateError` for a state that cannot be opened.
    """
    zones = Zones(
        config.without_providers() if closed else config, resolve=resolve or (lambda text: secret(text, environ))
    )
    if not read_only:
        # exim has to get through to the map that lies below; nobody needs to list what is there
        for folder, mode in ((config.state_directory, 0o751), (config.keys, 0o750)):
            make_directory(folder, mode=mode, owner=home_owner(folder, USER), group=group_id(GROUP))
        become_owner(config.state_directory)
    state = (
        State(None, "", config.state)
        if closed
        else State.open(config.state, host=identity.rows(config.keys), read_only=read_only)
    )
    resolver = Resolver({zone.name: zone.nameservers for zone in config.zones.values()})
    # Where the time is given by the caller, there is no second clock to hold it against.
    second = clock.uptime if now is time.time else None
    made = Line(config, state, Keystore(config.keys), resolver, zones, _nobody, now, progress, second, identity.machine)
    made.observe_host = Asked(made)
    return made


def _nobody(names: Sequence[str], recipients: Sequence[str]) -> Host:
    raise AssertionError("replaced at once")


class Asked:
    """The real exim, as a line asks it: about names at once, or by a survey and then batch by batch."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def survey(self) -> Survey:
        """What exim tells once a pass."""
        config, resolver = self._line.config, self._line.resolver

        def lookup(name: str, kind: str) -> tuple[str, ...] | None:
            return resolver.texts(name, kind, zone_of(name, config.zones) or "")

        return Survey(
            Exim(config.exim.command),
            lookup=lookup,
            lists=config.exim.lists,
            addresses=config.addresses,
            map_path=config.exim.map,
        )

    def __call__(self, names: Sequence[str], recipients: Sequence[str]) -> Host:
        """See `Line.observe_host`."""
        survey = self.survey()
        return survey.host(survey.names(names), recipients)
