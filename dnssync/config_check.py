"""The checks behind the configuration: each takes a path and a value, notes what is wrong, and goes on.

No check raises: a mistake is noted under its path and a harmless value returned, so that one run tells them all.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import attrs

from dnssync.core import spf
from dnssync.core.model import kind_of
from dnssync.core.policy import DkimPolicy, DmarcPolicy, MailPolicy, SpfPolicy
from dnssync.core.record import RecordError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_URI = re.compile(r"(mailto:[^\s,;!@]+@[^\s,;!@]+|https?://[^\s,;!]+)")
ALGORITHMS = ("rsa1024", "rsa2048", "rsa3072", "rsa4096", "ed25519")
POLICIES = ("none", "quarantine", "reject")


NEVER = "never"


@attrs.frozen
class Schedule:
    """The daemon's rhythm, in seconds: how often DNS is asked, how often a provider is read though all is quiet, how often the whole
    set-up is checked (0 = never)."""

    interval: int = 900
    deep: int = 86400
    check: int = 86400


def duration(text: Any) -> int | None:
    """Seconds of `90d`, `15m`, `24h`, `30s`, `2w`; None where it is no duration."""
    match = re.fullmatch(r"(\d+)\s*([smhdw])", str(text))
    return int(match[1]) * _UNITS[match[2]] if match else None


def likeness(word: str) -> float:
    """How like a known word must be to be meant, 0 to 1. Names of one zone are alike without being meant for each other."""
    return 0.85 if "." in word else 0.75


class Checker:
    """Gathers mistakes; each is `path: sentence`."""

    def __init__(self) -> None:
        self.mistakes: list[str] = []

    def mistake(self, path: str, sentence: str) -> None:
        """Note a mistake under its path."""
        self.mistakes.append(f"{path}: {sentence}" if path else sentence)

    @staticmethod
    def meant(word: str, known: Iterable[str]) -> str:
        """A question after a word that was probably mistyped."""
        close = difflib.get_close_matches(str(word), [str(name) for name in known], 1, likeness(str(word)))
        return f"; did you mean {close[0]}?" if close else ""

    def mapping(self, path: str, value: Any, known: tuple[str, ...] | None) -> Mapping[str, Any]:
        """A mapping with these keys alone (None = any)."""
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.mistake(path, "must be a mapping (`key: value` lines)")
            return {}
        for key in value if known is not None else ():
            if key not in (known or ()):
                self.mistake(f"{path}.{key}" if path else str(key), "is not an option" + self.meant(key, known or ()))
        return {str(key): item for key, item in value.items() if known is None or key in known}

    def section(self, top: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        """A top-level section whose keys are names."""
        return self.mapping(name, top.get(name), None)

    def items(self, path: str, value: Any) -> list[Any]:
        """A list."""
        if value is None:
            return []
        if not isinstance(value, list):
            self.mistake(path, "must be a list ([a, b])")
            return []
        return value

    def text(self, path: str, value: Any) -> str:
        """A text that is not empty."""
        if not isinstance(value, str) or not value:
            self.mistake(path, f"must be a text, not {value!r}")
            return ""
        return value

    def one_of(self, path: str, value: Any, known: tuple[str, ...], default: str) -> str:
        """One of a few words."""
        if value not in known:
            self.mistake(path, f"{value!r} is not one of {', '.join(known)}" + self.meant(str(value), known))
            return default
        return str(value)

    def flag(self, path: str, value: Any) -> bool:
        """true or false."""
        if not isinstance(value, bool):
            self.mistake(path, f"must be true or false, not {value!r}")
            return False
        return value

    def seconds(self, path: str, value: Any, default: int) -> int:
        """A duration such as 90d."""
        got = duration(value)
        if not got:
            self.mistake(path, f"{value!r} is no duration; write 90d, 24h, 15m or 30s")
            return default
        return got

    def path(self, path: str, value: Any) -> Path:
        """An absolute path."""
        if not isinstance(value, str) or not value.startswith("/"):
            self.mistake(path, f"must be an absolute path, not {value!r}")
            return Path("/nonexistent")
        return Path(value)

    def domain(self, path: str, value: Any) -> str:
        """A domain name of two labels or more, in lower case, IDNs as A-labels, without the final dot; "" if it is none."""
        name = str(value).strip().rstrip(".").lower()
        if not name.isascii():
            try:
                import idna

                name = idna.encode(name, uts46=True).decode("ascii")
            except UnicodeError:
                name = ""
        labels = name.split(".")
        if len(labels) < 2 or len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
            self.mistake(path, f"{str(value)!r} is not a domain name of two labels or more")
            return ""
        return name

    def public_address(self, path: str, value: Any) -> str:
        """An address that receivers can see mail come from."""
        try:
            ip = ipaddress.ip_address(str(value))
        except ValueError:
            self.mistake(path, f"{value!r} is no IP address")
            return ""
        ip = getattr(ip, "ipv4_mapped", None) or ip
        shared = ipaddress.ip_network("100.64.0.0/10")
        local = ip.is_loopback or ip.is_link_local or ip.is_unspecified or ip.is_multicast
        inside = any(ip in ipaddress.ip_network(n) for n in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
                     if ipaddress.ip_network(n).version == ip.version)  # fmt: skip
        if local or inside or (ip.version == 4 and ip in shared):
            self.mistake(
                path, f"{ip} is a private address: receivers never see it. Name the public one that mail leaves from"
            )
        return str(ip)

    def server(self, path: str, value: Any) -> str:
        """A name server: address or name, perhaps with a port (`127.0.0.1:5353`, `[::1]:53`)."""
        text = str(value).strip()
        match = re.fullmatch(
            r"\[([0-9A-Fa-f:.]+)\](?::(\d+))?|([0-9A-Fa-f]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)|([^:\s\[\]]+)(?::(\d+))?",
            text,
        )
        port = (match[2] or match[5]) if match else None
        literal = (match[1] or match[3] or match[4]) if match else ""
        if not match or (port is not None and not 0 < int(port) < 65536) or not _plausible(literal):
            self.mistake(
                path, f"{text!r} is no name server; write 192.0.2.53, 127.0.0.1:5353, [2001:db8::1]:53 or a name"
            )
        return text

    def schedule(self, value: Any) -> Schedule:
        """The daemon's rhythm."""
        data = dict(self.mapping("schedule", value, ("interval", "deep", "check")))
        default = Schedule()
        never = str(data.get("check")).lower() == NEVER
        if never:
            data.pop("check")
        told = {name: self.seconds(f"schedule.{name}", data.get(name, f"{getattr(default, name)}s"), getattr(default, name))
                for name in ("interval", "deep", "check")}  # fmt: skip
        return Schedule(**{**told, **({"check": 0} if never else {})})

    # --- what is published --------------------------------------------------------------------------------------------

    def policy(self, path: str, value: Any, base: MailPolicy, *, zone: bool) -> MailPolicy:
        """A policy laid over another; what a zone names itself is marked as explicit."""
        data = self.mapping(path, value, ("ttl", "spf", "dkim", "dmarc", "adopt", "parked") if not zone else None)
        ttl = data.get("ttl", base.ttl)
        if isinstance(ttl, bool) or not isinstance(ttl, int) or not 60 <= ttl <= 604800:
            self.mistake(f"{path}.ttl", f"must be a number of seconds from 60 to 604800, not {ttl!r}")
            ttl = base.ttl
        return MailPolicy(
            ttl=ttl,
            spf=self._spf(f"{path}.spf", data.get("spf"), base.spf, zone),
            dkim=self._dkim(f"{path}.dkim", data.get("dkim"), base.dkim),
            dmarc=self._dmarc(f"{path}.dmarc", data.get("dmarc"), base.dmarc, zone),
            adopt=self.flag(f"{path}.adopt", data.get("adopt", base.adopt)),
            parked=self.flag(f"{path}.parked", data.get("parked", base.parked)),
        )

    def _spf(self, path: str, value: Any, base: SpfPolicy, zone: bool) -> SpfPolicy:
        data = self.mapping(path, value, ("mechanisms", "extra", "all", "type99"))
        got = base
        if "mechanisms" in data:
            names = self.items(f"{path}.mechanisms", data["mechanisms"])
            got = replace(got, mechanisms=tuple(self.one_of(f"{path}.mechanisms[{n}]", name, ("mx", "a", "addresses"), "a")
                                                for n, name in enumerate(names)))  # fmt: skip
        if "extra" in data:
            extra = tuple(map(str, self.items(f"{path}.extra", data["extra"])))
            for number, term in enumerate(extra):
                try:
                    if len(spf.parse_terms(term)) != 1 or " " in term or term.lstrip("+-~?").lower() == "all":
                        self.mistake(f"{path}.extra[{number}]", f"{term!r} must be one SPF term, and not `all`")
                except RecordError as error:
                    self.mistake(f"{path}.extra[{number}]", f"{error}; write a term such as include:spf.example.net")
            got = replace(got, extra=extra)
        if "all" in data:
            ending = self.one_of(f"{path}.all", data["all"], ("fail", "softfail", "neutral", "pass"), "fail")
            got = replace(got, all=ending, all_explicit=zone)
        if "type99" in data:
            got = replace(got, type99=self.one_of(f"{path}.type99", data["type99"], ("auto", "never"), "auto"))
        return got

    def _dkim(self, path: str, value: Any, base: DkimPolicy) -> DkimPolicy:
        data = self.mapping(path, value, ("algorithms", "lifetime"))
        got = base
        if "algorithms" in data:
            names = tuple(self.one_of(f"{path}.algorithms[{n}]", name, ALGORITHMS, "rsa2048")
                          for n, name in enumerate(self.items(f"{path}.algorithms", data["algorithms"])))  # fmt: skip
            kinds = list(map(kind_of, names))
            if len(set(kinds)) != len(kinds):
                self.mistake(f"{path}.algorithms", "names two algorithms of one kind; one RSA and one Ed25519 at most")
            if names and "rsa" not in kinds:
                self.mistake(f"{path}.algorithms", "needs an RSA key: many receivers do not verify Ed25519 (RFC 8463)")
            got = replace(got, algorithms=names)
        if "lifetime" in data:
            got = replace(got, lifetime=self.seconds(f"{path}.lifetime", data["lifetime"], base.lifetime))
        return got

    def _dmarc(self, path: str, value: Any, base: DmarcPolicy, zone: bool) -> DmarcPolicy:
        data = self.mapping(path, value, ("p", "sp", "np", "rua", "ruf", "adkim", "aspf"))
        words: dict[str, str] = {}
        for tag, known in (
            ("p", POLICIES),
            ("sp", POLICIES),
            ("np", POLICIES),
            ("adkim", ("r", "s")),
            ("aspf", ("r", "s")),
        ):
            if tag in data:
                words[tag] = self.one_of(f"{path}.{tag}", data[tag], known, known[0])
        uris: dict[str, tuple[str, ...]] = {}
        for tag in ("rua", "ruf"):
            if tag in data:
                uris[tag] = tuple(map(str, self.items(f"{path}.{tag}", data[tag])))
                for number, uri in enumerate(uris[tag]):
                    if not _URI.fullmatch(uri):
                        self.mistake(
                            f"{path}.{tag}[{number}]",
                            f"{uri!r} is no report address; write mailto:postmaster@{{domain}}",
                        )
        changes: dict[str, Any] = {**words, **uris}
        got = replace(base, **changes)
        return replace(got, explicit=base.explicit | frozenset(data)) if zone else got


def _plausible(host: str) -> bool:
    """False for what looks like an address and is none."""
    if ":" in host or re.fullmatch(r"[0-9.]+", host):
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return False
    return True
