"""What exim told about this host: where its mail leaves from, and what signs it. Filled by `dnssync.exim`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dnssync.core.model import Notice, Refusal

TAINTED = (
    "tainted"  # stands in the problem of a signer whose key file exim refuses for the way it is named (4.94 and later)
)


@dataclass(frozen=True, slots=True)
class Address:
    """A public address that mail leaves from. `source` says how it is known, for people. `host` is set where the
    address may move and is published by name (`a:<host>`); `temporary` marks a privacy address (RFC 8981)."""

    ip: str
    source: str
    host: str = ""
    temporary: bool = False


@dataclass(frozen=True, slots=True)
class Signer:
    """One signature that exim would make now, as the probe saw it. `public_key` as in `KeyPair`; `problem` is a
    sentence where the key cannot be used (then `algorithm` and `public_key` may be empty)."""

    domain: str
    selector: str
    path: str
    algorithm: str = ""
    public_key: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Transport:
    """An smtp transport that mail of a domain can leave through, and what it signs with.

    `options` are the dkim_* options as written, unexpanded. `takes_macros`: the DKIM_* macros would reach it.
    `uses_map`: its options read our signing map. `expires`: dkim_timestamps in seconds (x= − t=), None = no x=.
    `signers` is empty where it signs nothing for this domain; `problem` says why that could not be found out.
    """

    name: str
    options: Mapping[str, str] = field(default_factory=dict)
    takes_macros: bool = False
    uses_map: bool = False
    expires: int | None = None
    signers: tuple[Signer, ...] = ()
    problem: str = ""

    @property
    def tainted(self) -> bool:
        """Whether exim refuses its key files since their names come from the message."""
        return any(f"({TAINTED})" in signer.problem for signer in self.signers)

    @property
    def can_sign(self) -> bool:
        """Whether dnssync's map reaches it, or it has a set-up of its own."""
        return self.takes_macros or self.uses_map or bool(self.options.get("dkim_domain"))


@dataclass(frozen=True, slots=True)
class MailDomain:
    """One mail domain as exim sees it. `local`: exim has it; False = only the configuration names it.

    `addresses` are this host's own outbound ones, empty where the mail leaves only through `smarthosts` (host names).
    `retry_cutoff` in seconds. `accepts`: those of the asked recipients that exim takes. `problems` are refusals that
    hold for this domain alone (an address that cannot be found, a temporary one, an unknown relay …).
    """

    name: str
    local: bool = True
    addresses: tuple[Address, ...] = ()
    smarthosts: tuple[str, ...] = ()
    transports: tuple[Transport, ...] = ()
    retry_cutoff: int = 4 * 86400
    accepts: frozenset[str] = frozenset()
    problems: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True)
class Host:
    """What exim told, once a pass. `helo` are the names it greets with, `version` like `4.96`."""

    hostname: str
    version: str
    config_file: str
    helo: tuple[str, ...]
    domains: tuple[MailDomain, ...]
    notices: tuple[Notice, ...] = ()
    _named: Mapping[str, MailDomain] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_named", {mail.name: mail for mail in reversed(self.domains)})

    def domain(self, name: str) -> MailDomain | None:
        """The mail domain of that name, None where exim does not have it."""
        return self._named.get(name)
