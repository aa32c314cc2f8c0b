"""What `desire` looks at, and what it gives: one zone's mail domains with all that their records depend on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dnssync.core.host import Address, Host
from dnssync.core.model import Claim, KeyPair, Limits, Notice, Refusal, RRset
from dnssync.core.ownership import Ledger
from dnssync.core.policy import MailPolicy
from dnssync.core.zone_view import Dns


@dataclass(frozen=True, slots=True)
class Wish:
    """Everything `desire` looks at, for one zone.

    `domains` are the zone's mail domains, `published` the keys whose records must stand (with placeholders for those
    that are not made yet), `policies` the policy of every mail domain of the host (another zone's domain may need a
    report record in this one), `remembered` the addresses that a domain's SPF held within the last seven days,
    `confirmed` the doubts a person has settled, as (what, subject), `frozen` the names that a person froze.
    """

    zone: str
    policy: MailPolicy
    domains: tuple[str, ...]
    host: Host
    found: Mapping[tuple[str, str], RRset]
    published: tuple[KeyPair, ...]
    ledger: Ledger
    limits: Limits
    dns: Dns
    policies: Mapping[str, MailPolicy] = field(default_factory=dict)
    remembered: Mapping[str, tuple[Address, ...]] = field(default_factory=dict)
    confirmed: frozenset[tuple[str, str]] = frozenset()
    frozen: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Desired:
    """The claims, per SPF or DMARC claim the terms or tags that are ours by addition, per domain the addresses its SPF
    must pass, and what a person should know."""

    claims: tuple[Claim, ...]
    added: Mapping[tuple[str, str], str]
    senders: Mapping[str, tuple[str, ...]]
    notices: tuple[Notice, ...]
    refusals: tuple[Refusal, ...]
