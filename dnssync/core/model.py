"""The words that the parts of dnssync speak with each other: frozen values, no behaviour but their own.

Names are relative to their zone and in lower case, `""` is the apex (RFC 9499). Times are whole seconds
since 1970 (UTC), durations are whole seconds. Nothing here does I/O.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol


class ProviderError(Exception):
    """A provider could not do what it was asked; the sentence says zone, provider, what happened, what to do.

    `transient` is true where the same request may succeed later unchanged (a time-out, SERVFAIL, HTTP 429 or
    5xx). No message ever holds a secret.
    """

    def __init__(self, sentence: str, *, transient: bool = False) -> None:
        super().__init__(sentence)
        self.transient = transient


class StaleZone(ProviderError):
    """The zone changed between our read and our write, and nothing of the write was done: read and plan again."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, transient=True)


class TypeRefused(ProviderError):
    """The provider takes no record of type SPF (99), though it could have been thought to; everything else of the write was done."""


@dataclass(frozen=True, slots=True)
class Value:
    """One value of an RRset.

    `text` is what is compared: for TXT and SPF all strings joined and unescaped (UTF-8, other octets as
    surrogate escapes), for every other type the presentation form. `raw` is the provider's own spelling, kept
    for writing a foreign value back exactly as it was read.
    """

    text: str
    raw: str

    @property
    def plain(self) -> bool:
        """Whether every way of writing a text down means this value: one string of printable ASCII without `"` and `\\`."""
        simple = self.text.isascii() and self.text.isprintable() and not set(self.text) & {'"', "\\"}
        return simple and len(self.text) <= 255 and self.raw in ("", self.text, f'"{self.text}"')


@dataclass(frozen=True, slots=True)
class RRset:
    """All values of one type at one owner name (RFC 9499). `ttl` in seconds."""

    name: str
    type: str
    ttl: int
    values: tuple[Value, ...]

    @property
    def key(self) -> tuple[str, str]:
        """What identifies the RRset inside its zone."""
        return (self.name, self.type)


class Owner(StrEnum):
    """Which values at a name are ours; see `desire.owns`."""

    SPF = "spf"  # the one value of the RRset that is an SPF record
    DMARC = "dmarc"  # the one value that is a DMARC record
    REPORT = "report"  # the one value at NAME._report._dmarc that is a DMARC record (RFC 9990)
    DKIM = "dkim"  # the whole RRset of a selector


@dataclass(frozen=True, slots=True)
class Claim:
    """What one value of ours should be: `value` is its text, None = it must be absent.

    `domain` is the mail domain for whose sake it exists, `because` one sentence for the person who asks why.
    """

    name: str
    type: str
    owner: Owner
    value: str | None
    ttl: int
    domain: str
    because: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """The RRset that holds it."""
        return (self.name, self.type)


class Phase(StrEnum):
    """Where a key stands in its life (RFC 7583's words); computed by `rotation.phase`, never stored."""

    GENERATED = "generated"
    PUBLISHED = "published"
    READY = "ready"
    ACTIVE = "active"
    RETIRED = "retired"
    DUE = "due"
    REVOKED = "revoked"
    ENDED = "ended"
    REMOVED = "removed"


def kind_of(algorithm: str) -> str:
    """The k= of an algorithm: `rsa` for each length, `ed25519` (RFC 8463)."""
    return "ed25519" if algorithm == "ed25519" else "rsa"


@dataclass(frozen=True, slots=True)
class KeyPair:
    """The public half of a DKIM key and the stamps of its life; each stamp is written after its effect was seen.

    `algorithm` is `rsa1024`, `rsa2048`, `rsa3072`, `rsa4096` or `ed25519`; `public_key` the base64 text of p=
    (RFC 6376 §3.6.1: SPKI DER for RSA; RFC 8463 §4: the raw 32 octets for Ed25519). `season` and `overlap`, in
    seconds, are stored with the key and only grow. `adopted` marks a key that the administrator made, `record`
    is then its text in DNS as it was found ("" = none was there). `called`, `compromised` and `recalled` are a person's
    words: let another key take its place, now or at any price, and let it sign again. `purged`: its private half is gone.
    """

    domain: str
    selector: str
    algorithm: str
    public_key: str
    generated: int
    seen: int | None = None
    published: int | None = None
    activated: int | None = None
    retired: int | None = None
    revoked: int | None = None
    removed: int | None = None
    season: int = 0
    overlap: int = 0
    adopted: bool = False
    record: str = ""
    called: int | None = None
    compromised: int | None = None
    recalled: int | None = None
    purged: int | None = None
    season_because: str = ""
    overlap_because: str = ""

    @property
    def kind(self) -> str:
        """The k= of its record: `rsa` or `ed25519`. Keys of one domain and kind form one key set."""
        return kind_of(self.algorithm)


@dataclass(frozen=True, slots=True)
class Notice:
    """What a person should know; `reason` is a stable word for machines, `sentence` is for people."""

    reason: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the guard said no, and what to do about it."""

    reason: str
    sentence: str


class Kind(StrEnum):
    """What a change does to its RRset."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Change:
    """One RRset before (`old`, as it was read) and after (`new`), foreign values included in both, each with the raw
    text it was read with. Values of ours have `raw == ""`: the provider spells them."""

    kind: Kind
    name: str
    type: str
    old: RRset | None
    new: RRset | None


class Foreign(StrEnum):
    """Which values of others a provider carries through unharmed when it writes the RRset that they stand in."""

    NONE = "none"
    PLAIN = "plain"  # those of which `Value.plain` is true
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a provider can hold. TTLs in seconds; `txt` is the longest joined TXT text, in octets. `notices`: what a person
    should know of every plan for it."""

    types: frozenset[str] = frozenset({"TXT", "SPF"})
    min_ttl: int = 0
    max_ttl: int = 2**31 - 1
    txt: int = 65000
    type99: bool = True
    reads: bool = True  # False: nothing can be read there, the authoritative servers are asked instead (manual)
    by_hand: bool = False  # True: `write` writes nothing and only tells what a person has to do; `plan` asks it too
    complete: bool = True  # False: `read` shows some types only; for others the authoritative servers are asked
    foreign: Foreign = Foreign.ANY
    names: str = (
        ".*"  # a regular expression for the names (relative, in lower case) that it can hold; others `write` refuses
    )
    notices: tuple[Notice, ...] = ()
    parallel: int = (
        1  # zones that may be read or written at once, each by an instance of its own with a thread of its own
    )


class Provider(Protocol):
    """The contract of a provider plug-in; `zone` is the zone's name in lower case without the final dot."""

    @property
    def limits(self) -> Limits:
        """What the provider can hold; looked at after `read`, which may learn it. Where that is not the same for all zones, a method
        `limits_of(zone)` has it."""

    def read(self, zone: str) -> tuple[RRset, ...]:
        """Every RRset of the zone, complete, or raise `ProviderError`: an error is never an empty zone."""

    def write(self, zone: str, changes: Sequence[Change]) -> tuple[str, ...]:
        """Do the changes; raise `StaleZone` where the world moved, `TypeRefused` where all was done but the records of type SPF,
        `ProviderError` where it can't be done.

        Returns sentences for a person who has to act (only `manual` has any). Without changes, nothing is changed in
        the zone; what an earlier write left undone (a reload that failed) is done, and the sentences say so.
        """


@dataclass(frozen=True, slots=True)
class Step:
    """What `advance` decided for one key set: the keys with their new stamps, the algorithms of keys to make, the
    selectors exim shall sign with, when to look again (None = nothing pending), and one sentence why."""

    keys: tuple[KeyPair, ...]
    generate: tuple[str, ...]
    sign: tuple[str, ...]
    wake: int | None
    because: str


def absolute(name: str, zone: str) -> str:
    """The absolute name, without the final dot, of a name relative to its zone."""
    return f"{name}.{zone}" if name else zone


def relative(name: str, zone: str) -> str | None:
    """A name relative to its zone, None where the zone does not hold it."""
    if name == zone:
        return ""
    return name[: -len(zone) - 1] if name.endswith("." + zone) else None


def zone_of(name: str, zones: Container[str]) -> str | None:
    """The longest configured zone that holds the name, None where none does; as many questions as the name has labels."""
    dot = "."
    while dot and name not in zones:
        _, dot, name = name.partition(".")
    return name if dot else None


def to_json(thing: Any) -> Any:
    """Frozen values as plain JSON data: dataclasses as objects, tuples as lists, sets sorted."""
    if hasattr(thing, "__dataclass_fields__"):
        return {name: to_json(getattr(thing, name)) for name in thing.__dataclass_fields__}
    if isinstance(thing, Mapping):
        return {str(key): to_json(value) for key, value in thing.items()}
    if isinstance(thing, (set, frozenset)):
        return sorted(to_json(item) for item in thing)
    if isinstance(thing, (list, tuple)):
        return [to_json(item) for item in thing]
    return thing
