"""The configuration: YAML in, one frozen `Config` out. Every mistake is told at once, each with its path.

Secrets stay as text (`credential/NAME`, `env/NAME`, `file/PATH`) until a provider is built; `secret` resolves them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from dnssync import config_service
from dnssync.config_check import Checker, Schedule, duration
from dnssync.config_service import AlertConfig
from dnssync.core.policy import MailPolicy
from dnssync.errors import ConfigError

DEFAULT = Path("/etc/dnssync/dnssync.yaml")
CREDENTIALS = Path("/etc/dnssync/credentials")  # root's; the service gets copies of what lies there
_SECRET = re.compile(r"token|secret|passw|(^|_)(api)?key$", re.IGNORECASE)  # the options that are not shown
_ELSEWHERE = ("credential/", "env/", "file/")
SECTIONS = (
    "providers", "zones", "defaults", "exim", "addresses", "keys", "state", "schedule", "disclose", "alerts", "metrics",
)  # fmt: skip


@attrs.frozen
class ProviderConfig:
    """A provider as configured: `class_` names the plug-in, `options` are its keyword arguments, secrets unresolved."""

    name: str
    class_: str
    options: Mapping[str, Any] = attrs.field(repr=lambda options: repr(_masked(options)))


@attrs.frozen
class ZoneConfig:
    """A zone: its providers by name, the mail domains it serves (None = those exim has in it), the servers to ask
    (() = the delegation), and the policy of its domains."""

    name: str
    providers: tuple[str, ...]
    domains: tuple[str, ...] | None
    nameservers: tuple[str, ...]
    policy: MailPolicy


@attrs.frozen
class EximConfig:
    """How exim is asked and told: the command, the signing map, the domain lists to ask about."""

    command: tuple[str, ...] = ("/usr/sbin/exim4",)
    map: Path = Path("/var/lib/dnssync/exim/selectors")
    lists: tuple[str, ...] = ("local_domains",)


@attrs.frozen
class Config:
    """The whole configuration. `addresses`: public addresses that mail leaves from, where they cannot be found; `disclose`:
    the folder that private keys are put into for all to read, once their records are gone; None: nowhere; `metrics`: the file
    that Prometheus' node_exporter reads; None: none."""

    file: Path
    providers: Mapping[str, ProviderConfig]
    zones: Mapping[str, ZoneConfig]
    exim: EximConfig = EximConfig()
    addresses: tuple[str, ...] = ()
    keys: Path = Path("/var/lib/dnssync/keys")
    state: str = attrs.field(default="sqlite:////var/lib/dnssync/state.db", repr=lambda url: repr(_no_password(url)))
    schedule: Schedule = attrs.Factory(Schedule)
    disclose: Path | None = None
    alerts: AlertConfig = attrs.Factory(AlertConfig)
    metrics: Path | None = None

    @property
    def state_directory(self) -> Path:
        """The directory of an SQLite state; of the keys where the state is elsewhere. The lock lies there."""
        path = self.state.partition(":///")[2].partition("?")[0]
        return Path(path).parent if self.state.startswith("sqlite") and path else self.keys.parent

    def without_providers(self) -> Config:
        """The same with no provider, for whoever may not read their secrets."""
        return attrs.evolve(self, providers={})


def find(option: str | None, environ: Mapping[str, str] = os.environ) -> Path:
    """Which file to read: `-c`, `DNSSYNC_CONFIG`, else /etc/dnssync/dnssync.yaml."""
    return Path(option or environ.get("DNSSYNC_CONFIG") or DEFAULT)


def load(path: Path) -> Config:
    """Read a configuration; raises `ConfigError` with every mistake that is in it. Secrets are looked for as in `parse`."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            str(path), ["there is no such file. `dnssync init` writes a first one; -c names another."]
        ) from None
    except IsADirectoryError:
        raise ConfigError(str(path), ["is a directory; name the file in it."]) from None
    except OSError as error:
        raise ConfigError(
            str(path), [f"cannot be read: {error.strerror}. Run dnssync as root, or open the file to its user."]
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(str(path), [f"is not UTF-8 text: octet {error.start + 1} cannot be read as such."]) from None
    return parse(text, path)


def parse(text: str, path: Path, *, resolve: Callable[[str], str] | None = None) -> Config:
    """The configuration that a YAML text holds; `path` is for messages. Raises `ConfigError` with every mistake.

    Providers are made when a pass begins (`zones`), since importing them takes time and their secrets may be root's. Only
    where something else is wrong are they looked at here too (`resolve` gives the secrets, else `secret`), so that nobody
    mends a file twice.
    """
    check = Checker()
    data = _yaml(text, path, check)
    if data is not None and not isinstance(data, dict):
        raise ConfigError(str(path), [*check.mistakes, "must be a mapping (`key: value` lines)"])
    top = check.mapping("", data, SECTIONS)
    providers = {name: _provider(check, name, value) for name, value in check.section(top, "providers").items()}
    at = len(check.mistakes)
    defaults = check.policy("defaults", top.get("defaults"), MailPolicy(), zone=False)
    zones = {}
    for name, value in check.section(top, "zones").items():
        zone = _zone(check, str(name), value, defaults, providers)
        if zone is not None:
            if zone.name in zones:
                check.mistake(f"zones.{name}", "is the same zone as another entry")
            zones[zone.name] = zone
    for name in ("providers", "zones"):
        if top.get(name) in (None, {}):
            check.mistake(name, "is missing; at least one is needed")
    exim = _exim(check, top.get("exim"))
    addresses = tuple(
        check.public_address(f"addresses[{n}]", a) for n, a in enumerate(check.items("addresses", top.get("addresses")))
    )
    keys = check.path("keys", top.get("keys", "/var/lib/dnssync/keys"))
    disclose = check.path("disclose", top["disclose"]) if top.get("disclose") else None
    state = check.text("state", top.get("state", "sqlite:////var/lib/dnssync/state.db"))
    if ":" not in state:
        check.mistake("state", f"{state!r} is no database URL; for SQLite write sqlite:////var/lib/dnssync/state.db")
    schedule = check.schedule(top.get("schedule"))
    alerts = config_service.alerts(check, top.get("alerts"))
    metrics = config_service.metrics(check, top.get("metrics"))
    if check.mistakes:
        from dnssync.plugins import build

        check.mistakes[at:at] = build(providers, resolve or secret)[1]
        raise ConfigError(str(path), check.mistakes, alerts)
    return Config(path, providers, zones, exim, addresses, keys, state, schedule, disclose, alerts, metrics)


def _yaml(text: str, path: Path, check: Checker) -> Any:
    """The data of a YAML text. A key that stands twice, or cannot be one, is noted and left out; what is no YAML raises."""
    import yaml

    class Loader(yaml.SafeLoader):
        """The safe loader, to which a key that stands twice is a mistake and a date is text."""

    def mapping(loader: Loader, node: yaml.MappingNode) -> dict[Any, Any]:
        kept: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = loader.construct_object(key_node, deep=True)
            if isinstance(key, (str, int)) and key not in kept:
                kept[key] = (key_node, value_node)
                continue
            wrong = "stands there twice" if isinstance(key, (str, int)) else "cannot be a key"
            mark = key_node.start_mark
            check.mistake("", f"line {mark.line + 1}, column {mark.column + 1}: {key!r} {wrong}")
        node.value = list(kept.values())
        return loader.construct_mapping(node, deep=True)

    Loader.add_constructor("tag:yaml.org,2002:map", mapping)
    Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: str(node.value))
    try:
        return yaml.load(text, Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ConfigError(str(path), [f"{place}{error.problem or 'is not YAML'}"]) from None
    except yaml.YAMLError as error:
        raise ConfigError(str(path), [f"is not YAML: {error}"]) from None


def _provider(check: Checker, name: str, value: Any) -> ProviderConfig:
    at = f"providers.{name}"
    options = dict(check.mapping(at, value, None))
    class_ = options.pop("class", None)
    if not isinstance(class_, str) or not class_:
        check.mistake(f"{at}.class", "is missing; it names the plug-in, such as rfc2136 or zonefile")
        class_ = ""
    return ProviderConfig(str(name), class_, options)


def _zone(
    check: Checker, name: str, value: Any, defaults: MailPolicy, providers: Mapping[str, ProviderConfig]
) -> ZoneConfig | None:
    at = f"zones.{name}"
    own = ("provider", "domains", "nameservers")
    data = check.mapping(at, value, (*own, "ttl", "spf", "dkim", "dmarc", "adopt", "parked"))
    zone = check.domain(at, name)
    chosen = data.get("provider")
    names = tuple(str(item) for item in (chosen if isinstance(chosen, list) else [chosen]) if item is not None)
    if not names:
        check.mistake(f"{at}.provider", "is missing; it names one of `providers`, or a list of them")
    for provider in names:
        if provider not in providers:
            check.mistake(
                f"{at}.provider", f"{provider!r} is not one of `providers`" + check.meant(provider, providers)
            )
    domains: tuple[str, ...] | None = None
    if data.get("domains") is not None:
        given = check.items(f"{at}.domains", data["domains"])
        domains = tuple(d for n, item in enumerate(given) if (d := check.domain(f"{at}.domains[{n}]", item)))
        for domain in domains:
            if zone and domain != zone and not domain.endswith("." + zone):
                check.mistake(f"{at}.domains", f"{domain} does not lie in the zone {zone}")
    servers = check.items(f"{at}.nameservers", data.get("nameservers"))
    nameservers = tuple(check.server(f"{at}.nameservers[{n}]", item) for n, item in enumerate(servers))
    policy = check.policy(at, {k: v for k, v in data.items() if k not in own}, defaults, zone=True)
    return ZoneConfig(zone, names, domains, nameservers, policy) if zone else None


def _exim(check: Checker, value: Any) -> EximConfig:
    data = check.mapping("exim", value, ("command", "map", "lists"))
    default = EximConfig()
    command = data.get("command", list(default.command))
    parts = [command] if isinstance(command, str) else check.items("exim.command", command)
    words = tuple(check.text(f"exim.command[{n}]", part) for n, part in enumerate(parts))
    if not words or not words[0].startswith("/"):
        check.mistake("exim.command", "must begin with the absolute path of exim, such as [/usr/sbin/exim4]")
    lists = check.items("exim.lists", data.get("lists", list(default.lists)))
    return EximConfig(words, check.path("exim.map", data.get("map", str(default.map))), tuple(map(str, lists)))


def secret(text: str, environ: Mapping[str, str] = os.environ, folder: Path = CREDENTIALS) -> str:
    """The secret that an option names: `credential/NAME`, `env/NAME`, `file/PATH`; any other text is itself.

    A credential lies where systemd put it for this process (`LoadCredential=`), under its name or, from a folder of them,
    with `dnssync_` before it and `_` between folders; else, for whoever may read that, in the folder that systemd takes it from. Raises `ConfigError`
    that names the source, never the secret.
    """
    kind, slash, name = text.partition("/")
    if not slash or kind not in ("env", "file", "credential"):
        return text
    if kind == "env":
        if name not in environ:
            raise ConfigError("secret", [f"env/{name}: the environment has no variable {name}"])
        return environ[name]
    path, hint = Path(name), ""
    if kind == "credential":
        given = environ.get("CREDENTIALS_DIRECTORY")
        path = Path(given, name) if given else folder / name
        hint = (
            f". Put it into {folder / name}, as a plain file and no link, and restart the service if that is to use it"
            if given
            else ""
        )
        if given and not os.path.exists(path):  # noqa: PTH110 - which is False, not an error, where the folder is closed
            path = Path(given, f"dnssync_{name.replace('/', '_')}")
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not text"
        raise ConfigError("secret", [f"{text}: {path} cannot be read: {reason}{hint}"]) from None


def _masked(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _shown(name, value) for name, value in options.items()}


def _shown(name: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return _masked(value)
    elsewhere = isinstance(value, str) and value.startswith(_ELSEWHERE)
    return "…" if _SECRET.search(str(name)) and not elsewhere else value


def _no_password(url: str) -> str:
    return re.sub(r"(://[^:/@]*):.*@", r"\1:…@", url)


__all__ = ["Config", "EximConfig", "ProviderConfig", "ZoneConfig", "duration", "find", "load", "parse", "secret"]
