"""What the administrator wants for a mail domain: the `defaults:` of the configuration with a zone's overrides laid over.

Frozen values without behaviour. `explicit` flags say that the zone itself (not `defaults:`) named the option:
a found policy or qualifier gives way only to such a word (design §4).
"""

from __future__ import annotations

from dataclasses import dataclass, field

DAY = 86400
HOUR = 3600


@dataclass(frozen=True, slots=True)
class SpfPolicy:
    """`mechanisms`: which of `mx`, `a`, `addresses` are published, in that order; `extra`: terms to add, as SPF text;
    `all`: fail, softfail, neutral or pass; `type99`: auto or never."""

    mechanisms: tuple[str, ...] = ("mx", "a", "addresses")
    extra: tuple[str, ...] = ()
    all: str = "fail"
    type99: str = "auto"
    all_explicit: bool = False


@dataclass(frozen=True, slots=True)
class DkimPolicy:
    """`algorithms`: one key set each (rsa1024 … rsa4096, ed25519); `lifetime` in seconds from activation."""

    algorithms: tuple[str, ...] = ("rsa2048", "ed25519")
    lifetime: int = 90 * DAY


@dataclass(frozen=True, slots=True)
class DmarcPolicy:
    """`p`, `sp`, `np`: none, quarantine, reject or "" (not published); `rua`, `ruf`: URIs, `{domain}` filled in."""

    p: str = "none"
    sp: str = ""
    np: str = ""
    rua: tuple[str, ...] = ("mailto:postmaster@{domain}",)
    ruf: tuple[str, ...] = ()
    adkim: str = ""
    aspf: str = ""
    explicit: frozenset[str] = frozenset()  # the tags that the zone itself named


@dataclass(frozen=True, slots=True)
class MailPolicy:
    """Everything that configuration says about the mail domains of one zone. `ttl` in seconds."""

    ttl: int = HOUR
    spf: SpfPolicy = field(default_factory=SpfPolicy)
    dkim: DkimPolicy = field(default_factory=DkimPolicy)
    dmarc: DmarcPolicy = field(default_factory=DmarcPolicy)
    adopt: bool = False
    parked: bool = False
