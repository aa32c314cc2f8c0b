"""What a pass has seen, as one frozen value: what `decide` decides from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dnssync.core.clock import SURE, Verdict
from dnssync.core.host import Address, Host
from dnssync.core.model import KeyPair, Limits, Notice
from dnssync.core.ownership import Agreed, Ledger
from dnssync.core.policy import MailPolicy
from dnssync.core.sighting import Sight
from dnssync.core.wish import ReportsElsewhere
from dnssync.core.zone_view import Dns, Zone


@dataclass(frozen=True, slots=True)
class ZoneView:
    """One configured zone as observed. `found` holds its RRsets per provider; `problem` says why it could not be read
    (then nothing about it is decided), `unread` which of its providers could not, and why (by the others, it goes on). `negative_ttl` in seconds, None = not known. `known_before`: RRsets at the last
    complete read. `domains`: the mail domains it serves. `agreed`: per provider the values, each with its place (name,
    type, owner), that were given to a person to enter: each take-over in them was agreed to. `undelegated`: the configured zone above it whose
    name servers hand it on to nobody, so that no resolver finds the way to it; "" = none, or not known."""

    zone: str
    policy: MailPolicy
    domains: tuple[str, ...]
    limits: Limits
    found: Mapping[str, Zone] = field(default_factory=dict)
    ledger: Mapping[str, Ledger] = field(default_factory=dict)
    problem: str = ""
    unread: Mapping[str, str] = field(default_factory=dict)
    negative_ttl: int | None = None
    known_before: int = 0
    adopt: bool = False
    agreed: Mapping[str, frozenset[Agreed]] = field(default_factory=dict)
    undelegated: str = ""


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything one pass has seen. `sights` and `readable` speak of keys by (domain, selector); `map` is exim's
    signing map as it is; `beyond` answers for names outside the zones that were read; `closed` says, by domain,
    why exim could not open a key that were made for it; `configured` names all zones, looked at or not; `host_id`
    is this host's name in selectors, "" = none yet; `unknown` are by zone names in it that carry it and are no keys that we know;
    `moved` is the name of the host that the keys belong to where that is, or was, another machine;
    `reports`: the DMARC reports that leave their domains by these policies, where that was found out before; `noted` are the zones that were not
    read, and taken for what the ledger says of them; `attended` says whether a person looks on: without one nothing is taken over, and no domain gets its first SPF or DMARC;
    `births`: how many new keys may be made that nobody waits for, None = as many as are wanted; `turn`: of those the key sets (domain, kind) that get
    theirs, once that is decided (`Decision.turn`), so that deciding again gives none to another; `earlier`: how many new keys that
    nobody waits for were made, and how many wait, in earlier batches of the same pass."""

    now: int
    host: Host
    zones: tuple[ZoneView, ...]
    keys: tuple[KeyPair, ...]
    sights: Mapping[tuple[str, str], Sight]
    readable: frozenset[tuple[str, str]]
    map: Mapping[str, tuple[str, ...]]
    beyond: Dns
    policies: Mapping[str, MailPolicy] = field(default_factory=dict)
    reports: tuple[ReportsElsewhere, ...] | None = None
    remembered: Mapping[str, tuple[Address, ...]] = field(default_factory=dict)
    confirmed: frozenset[tuple[str, str]] = frozenset()
    frozen: frozenset[str] = frozenset()
    closed: Mapping[str, str] = field(default_factory=dict)
    configured: frozenset[str] = frozenset()
    clock: Verdict = SURE
    host_id: str = ""
    unknown: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    moved: str = ""
    notices: tuple[Notice, ...] = ()
    attended: bool = True
    noted: frozenset[str] = frozenset()
    births: int | None = None
    turn: frozenset[tuple[str, str]] | None = None
    earlier: tuple[int, int] = (0, 0)
