"""The names of keys: made once, told apart by host, never used twice (RFC 6376 §3.1)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache

OWN_NAME = re.compile(r"\d{8}[re]-.+")  # as `selector` makes them


def host_id(hostname: str) -> str:
    """The part of a selector that tells hosts apart: the first label of the host's name, LDH, at most 20 octets."""
    label = re.sub(r"[^a-z0-9]+", "-", hostname.lower().partition(".")[0]).strip("-")[:20].strip("-")
    return label or "host"


def selector(now: int, kind: str, host: str, token: str) -> str:
    """A name that is never used twice: `20261124r-mx1-7f3a`. `host` as `host_id` gives it, `token` a few random LDH
    characters; together at most 63 octets (RFC 1035 §2.3.4)."""
    day = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d")
    return f"{day}{'e' if kind == 'ed25519' else 'r'}-{host}-{token}"


def foreign(name: str, host: str) -> bool:
    """Whether a selector was made by dnssync on another host, as far as its name tells: then its record is that host's business. A host
    that has no name yet (`host` "") knows of none."""
    return bool(host) and OWN_NAME.fullmatch(name.lower()) is not None and not made_by(name, host)


def made_by(name: str, host: str) -> bool:
    """Whether a selector is one that `selector` makes on a host of this id."""
    return bool(host) and _made_on(host).fullmatch(name.lower()) is not None


@lru_cache(maxsize=16)  # asked of each key, and a host has one name, or two for a while
def _made_on(host: str) -> re.Pattern[str]:
    return re.compile(rf"\d{{8}}[re]-{re.escape(host)}-[a-z2-7]{{4}}")
