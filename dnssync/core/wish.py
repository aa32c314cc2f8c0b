"""What `desire` looks at, and what it gives: one zone's mail domains with all that their records depend on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dnssync.core.host import Address, Host
from dnssync.core.model import Claim, KeyPair, Limits, Notice, Owner, Phase, Refusal, RRset, Value, zone_of
from dnssync.core.ownership import Applied, Ledger, owned
from dnssync.core.policy import MailPolicy
from dnssync.core.zone_view import Dns, Zone


@dataclass(frozen=True, slots=True)
class ReportsElsewhere:
    """DMARC reports of a domain go to a host elsewhere, which has to agree by a record under `name` (RFC 9990 §4)."""

    domain: str
    host: str
    name: str


@dataclass(frozen=True, slots=True)
class Wish:
    """Everything `desire` looks at, for one zone.

    `domains` are the zone's mail domains; `signing` those, of this zone or another, whose keys lie in it, and `reporting` those whose DMARC
    record does (None: `domains`); `keys` those whose records are ours to keep (with placeholders for those
    that are not made yet), `phases` where they stand by (domain, selector), `policies` the policy of every mail
    domain of the host, `reports` what `reports_of` gives for them (another zone's domain may need a report record in this one), `remembered` the addresses that a domain's SPF held within the last seven days,
    `confirmed` the doubts a person has settled, as (what, subject), `frozen` the names that a person froze,
    `leaving` domains none of whose keys will sign again, `host_id` this host's name in selectors; `configured` names all zones;
    `elsewhere` is what the zone's other providers show (nothing where one cannot be read), each with its ledger; `unparked` are the domains
    whose SPF, as it was written last, is that of a parked one.
    """

    zone: str
    policy: MailPolicy
    domains: tuple[str, ...]
    host: Host
    found: Mapping[tuple[str, str], RRset]
    keys: tuple[KeyPair, ...]
    ledger: Ledger
    limits: Limits
    dns: Dns
    phases: Mapping[tuple[str, str], Phase] = field(default_factory=dict)
    policies: Mapping[str, MailPolicy] = field(default_factory=dict)
    reports: tuple[ReportsElsewhere, ...] = ()
    remembered: Mapping[str, tuple[Address, ...]] = field(default_factory=dict)
    confirmed: frozenset[tuple[str, str]] = frozenset()
    frozen: frozenset[str] = frozenset()
    leaving: frozenset[str] = frozenset()
    host_id: str = ""
    signing: tuple[str, ...] | None = None
    reporting: tuple[str, ...] | None = None
    configured: frozenset[str] = frozenset()
    elsewhere: tuple[tuple[Zone, Ledger], ...] = ()
    unparked: frozenset[str] = frozenset()

    def policy_of(self, domain: str) -> MailPolicy:
        """The policy of a mail domain, which may be another zone's."""
        return self.policy if domain in self.domains else self.policies.get(domain, self.policy)

    def standing(self, name: str, owner: Owner) -> tuple[tuple[Value, ...], Applied | None]:
        """The values of an SPF or DMARC claim at a (relative) name, and what the ledger has of it. Where none stands at this provider, those of
        the first other one that has some: all are to hold the same, what others wrote in it included. Where none stands anywhere, what
        dnssync saw and wrote there last: who lost it by accident gets it back whole."""
        at = (name, "TXT", owner)
        ledgers = [(self.found, self.ledger), *self.elsewhere]
        for found, ledger in ledgers:
            if values := owned(found.get((name, "TXT")), owner):
                return values, ledger.get(at)
        applied = next((ledger[at] for _, ledger in ledgers if at in ledger), None)
        return ((Value(applied.value, ""),) if applied else ()), applied

    def holds(self, full: str) -> bool:
        """Whether a name lies in this zone, and in no configured one below it."""
        return zone_of(full, self.configured or (self.zone,)) == self.zone


@dataclass(frozen=True, slots=True)
class Desired:
    """The claims, per SPF or DMARC claim the terms or tags that are ours by addition, per domain the addresses its SPF
    must pass, and what a person should know."""

    claims: tuple[Claim, ...]
    added: Mapping[tuple[str, str], str]
    senders: Mapping[str, tuple[str, ...]]
    notices: tuple[Notice, ...]
    refusals: tuple[Refusal, ...]
