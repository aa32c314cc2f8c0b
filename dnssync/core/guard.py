"""The last word before anything is written: pure checks over one zone's plan, in reading order.

Each check is a generator of `Refusal`s and `Notice`s. One refusal and the zone gets nothing, a snapshot neither;
other zones go on. Nothing here knows how the plan came to be: whatever `desire` or `overlay` got wrong must be
stopped here again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from dnssync.core import dkim, dmarc, spf, spf_check
from dnssync.core.guard_selectors import beside_a_key, selector_ours, short
from dnssync.core.model import Change, Claim, KeyPair, Kind, Notice, Owner, Phase, Refusal, RRset, absolute
from dnssync.core.ownership import Agreed, Ledger, claim_key, foreign, owned, taken_over
from dnssync.core.plan import Plan

Finding = Refusal | Notice
MAX_LOOKUPS = 10  # RFC 7208 §4.6.4
MAX_VOIDS = 2
SIGNING = frozenset({Phase.READY, Phase.ACTIVE, Phase.RETIRED})


@dataclass(frozen=True, slots=True)
class Case:
    """All that the checks look at, for one zone at one provider.

    `found`: the zone as read. `phases`: of every key of the zone's domains, by (domain, selector). `map_before` and
    `map_after`: the whole signing map. `senders`: per domain the addresses that its SPF must pass. `dns` answers as
    the zone will be after the plan. `known_before`: how many RRsets the last complete read held (0 = never read). `adopt`:
    a person lets every text of others be taken over; `agreed`: these values only may take their place.
    """

    plan: Plan
    found: Mapping[tuple[str, str], RRset]
    claims: tuple[Claim, ...]
    ledger: Ledger
    keys: tuple[KeyPair, ...] = ()
    phases: Mapping[tuple[str, str], Phase] = field(default_factory=dict)
    map_before: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    map_after: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dropped: frozenset[str] = frozenset()
    senders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dns: Callable[[str, str], tuple[str, ...] | None] = lambda name, kind: None
    adopt: bool = False
    agreed: frozenset[Agreed] = frozenset()
    known_before: int = 0
    _claimed: Mapping[tuple[str, str], Claim] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # by name, not by a walk through all: a zone may hold ten thousand domains; of several at one name the first counts
        object.__setattr__(self, "_claimed", {claim.key: claim for claim in reversed(self.claims)})

    def claim_at(self, change: Change) -> Claim | None:
        """The claim behind a change, None where nothing of ours stands there."""
        return self._claimed.get((change.name, change.type))

    def full(self, name: str) -> str:
        """A name of this zone as people write it."""
        return absolute(name, self.plan.zone)


def judge(case: Case) -> tuple[Finding, ...]:
    """Every refusal and notice that the plan earns; no refusal among them = it may be written."""
    return tuple(finding for check in CHECKS for finding in check(case))


def _unclaimed(case: Case) -> Iterator[Finding]:
    """A change where we claim nothing, or to a type that is never ours."""
    for change in case.plan.changes:
        if case.claim_at(change) is None or change.type not in ("TXT", "SPF"):
            yield Refusal(
                "unclaimed",
                f"{case.full(change.name)} {change.type}: the plan would {change.kind} it, but nothing there is "
                "dnssync's. This is a fault of dnssync: please report it; nothing was changed.",
            )


def _foreign_kept(case: Case) -> Iterator[Finding]:
    """A value of somebody else that would vanish, change or move."""
    for change in case.plan.changes:
        claim = case.claim_at(change)
        if claim is None:
            continue
        where = f"{case.full(change.name)} {change.type}"
        if change.old != case.found.get((change.name, change.type)):
            yield Refusal("stale", f"{where}: the plan does not start from what was read. Run it again.")
        if claim.owner is Owner.DKIM:
            yield from selector_ours(case, change, claim, where)
        elif foreign(change.old, claim.owner) != foreign(change.new, claim.owner):
            yield Refusal(
                "foreign_lost",
                f"{where}: a value that is not dnssync's would be lost or altered. This is a fault of dnssync: "
                "please report it; nothing was changed.",
            )
        elif change.old and change.new and foreign(change.new, claim.owner) and change.old.ttl != change.new.ttl:
            yield Refusal("foreign_ttl", f"{where}: the TTL of values that are not dnssync's would change.")


def _signing_keys_stay(case: Case) -> Iterator[Finding]:
    """The record of a key that signs, may sign at once or signed lately must stay; so must its place in the map."""
    selectors = {
        (key.domain, key.selector) for key in case.keys if case.phases.get((key.domain, key.selector)) in SIGNING
    }
    for change in case.plan.changes:
        claim = case.claim_at(change)
        if claim is None or claim.owner is not Owner.DKIM:
            continue
        selector = change.name.partition("._domainkey")[0]
        lost = change.new is None or any(dkim.is_revoked(value.text) for value in change.new.values)
        named = (*case.map_before.get(claim.domain, ()), *case.map_after.get(claim.domain, ()))
        if lost and ((claim.domain, selector) in selectors or selector in map(str.lower, named)):
            yield Refusal(
                "signing_key_lost",
                f"{case.full(change.name)}: mail of {claim.domain} is signed with this key, or was until lately; its "
                "record has to stay in DNS. This is a fault of dnssync: please report it; nothing was changed.",
            )
    for domain, before in case.map_before.items():
        after = case.map_after.get(domain, ())
        if not after and before and domain not in case.dropped:
            yield Refusal(
                "map_line_lost",
                f"{domain}: exim's signing map holds a line for it and would hold none: its mail would leave unsigned.",
            )


def _map_lines_published(case: Case) -> Iterator[Finding]:
    """A selector that exim is to sign with must be one whose record has been seen everywhere and is seasoned."""
    for domain, selectors in case.plan.map_lines:
        before = case.map_before.get(domain, ())
        for selector in selectors:
            phase = case.phases.get((domain, selector))
            if phase not in SIGNING and selector not in before:
                yield Refusal(
                    "map_before_dns",
                    f"{domain}: exim would sign with selector {selector}, whose record "
                    f"{'is unknown to dnssync' if phase is None else f'is only {phase}'}; receivers could not verify it.",
                )


def _one_record(case: Case) -> Iterator[Finding]:
    """Two SPF (RFC 7208 §4.5) or two DMARC records (RFC 9989) at one name are as bad as none."""
    for claim in case.claims:
        values = owned(case.found.get(claim.key), claim.owner)
        if claim.owner is Owner.DKIM:
            yield from beside_a_key(case, claim, values)
        elif len(values) > 1:
            texts = " and ".join(f'"{short(value.text)}"' for value in values)
            label = "DMARC" if claim.owner is not Owner.SPF else "SPF"
            yield Refusal(
                "two_records",
                f"{case.full(claim.name)} {claim.type}: {len(values)} {label} records stand there ({texts}); receivers "
                f"take that for an error and use neither. Delete all but one at {case.plan.provider}, then run again.",
            )


def _takeover(case: Case) -> Iterator[Finding]:
    """The first time, a text that somebody else wrote is changed only on a person's word."""
    for claim, value in taken_over(case.claims, case.found, case.ledger):
        if not case.adopt and (*claim_key(claim), claim.value) not in case.agreed:
            yield Refusal(
                "takeover",
                f'{case.full(claim.name)} {claim.type} holds "{value.text}", which dnssync did not write; it would '
                f'become "{claim.value}". Look at both, then run: dnssync apply --adopt {case.plan.zone}',
            )


def _spf_works(case: Case) -> Iterator[Finding]:
    """The SPF record that we leave behind parses, stays within the limits and passes our own addresses."""
    for claim in case.claims:
        if claim.owner is not Owner.SPF or claim.value is None or claim.type != "TXT":
            continue
        name = case.full(claim.name)
        try:
            record = spf.parse(claim.value)
        except ValueError as error:
            yield Refusal("spf_syntax", f'{name}: the SPF record "{claim.value}" is not valid: {error}')
            continue
        worst = spf_check.worst(record, name, case.dns)
        if worst.lookups > MAX_LOOKUPS:
            yield Refusal(
                "spf_lookups",
                f"{name}: its SPF record needs {worst.lookups} DNS look-ups, receivers stop at {MAX_LOOKUPS} and treat it "
                f'as an error: "{claim.value}". Remove an include: that is no longer needed, or an mx or a.',
            )
        elif worst.voids > MAX_VOIDS:
            yield Refusal(
                "spf_voids",
                f"{name}: {worst.voids} names in its SPF record do not exist, receivers take more than {MAX_VOIDS} for an "
                f'error: "{claim.value}". Remove the terms that point nowhere.',
            )
        if worst.unknown:
            yield Notice(
                "spf_unknown",
                f"{name}: nobody answered for {', '.join(sorted(worst.unknown))}, named in its SPF record; it is counted as "
                "a look-up, its own look-ups are not.",
            )
        if worst.broken:
            yield Notice(
                "spf_include_missing",
                f"{name}: its SPF record hands on to {', '.join(sorted(worst.broken))}, where there is not exactly one valid SPF "
                "record: receivers that come to it take the whole for an error (RFC 7208 §5.2). Mend or remove that term.",
            )
        yield from _spf_passes(case, claim, name, record)


def _spf_passes(case: Case, claim: Claim, name: str, record: spf.Record) -> Iterator[Finding]:
    for ip in case.senders.get(name, ()):
        got = spf_check.check(record, ip=ip, domain=name, sender=f"postmaster@{name}", helo=name, dns=case.dns)
        if got.result == "pass":
            continue
        if got.unknown or got.result == "temperror":
            yield Notice(
                "spf_undecided", f"{name}: whether its SPF record passes {ip} cannot be known now: DNS is silent."
            )
        else:
            yield Refusal(
                "spf_not_passing",
                f'{name}: mail leaves this host from {ip}, and its SPF record would answer "{got.result}": '
                f'"{claim.value}". {_why(got.result)}',
            )


def _why(result: str) -> str:
    if result == "permerror":
        return "That is an error to receivers: mend or remove the term that leads nowhere, or needs too many look-ups."
    return "Look for a term before ours that matches first, such as -ip4 or -all."


def _dmarc_works(case: Case) -> Iterator[Finding]:
    """The DMARC record that we leave behind parses."""
    for claim in case.claims:
        if claim.owner is Owner.SPF or claim.owner is Owner.DKIM or claim.value is None:
            continue
        try:
            dmarc.parse(claim.value)
        except ValueError as error:
            yield Refusal(
                "dmarc_syntax", f'{case.full(claim.name)}: the DMARC record "{claim.value}" is not valid: {error}'
            )


def _aliases(case: Case) -> Iterator[Finding]:
    """A CNAME or a delegation in the way: what we write there would be refused, or never be seen."""
    for claim in case.claims:
        revokes = claim.owner is Owner.DKIM and claim.key in case.found and dkim.is_revoked(claim.value or "")
        if claim.value is None or revokes:  # what must not come to life should the other servers be gone
            continue
        cname = case.found.get((claim.name, "CNAME"))
        if cname is not None and claim.type == "TXT":
            yield Refusal(
                "cname",
                f"{case.full(claim.name)} is a CNAME to {cname.values[0].text}: a {claim.type} record cannot stand beside "
                f"it. Delete the CNAME at {case.plan.provider} if dnssync is to keep this name, else leave its domain out "
                f"with zones.{case.plan.zone}.domains.",
            )
        labels = claim.name.split(".") if claim.name else []
        for start in range(len(labels)):
            above = ".".join(labels[start:])
            if (above, "NS") in case.found or (start and (above, "DNAME") in case.found):
                yield Refusal(
                    "delegated",
                    f"{case.full(claim.name)} lies below {case.full(above)}, which this zone hands on to other servers; what "
                    f"is written here is never seen. Configure {case.full(above)} as a zone of its own.",
                )


def _suddenly_empty(case: Case) -> Iterator[Finding]:
    """A zone that held records at the last reading and holds none now was not read: an error is no empty answer."""
    if not case.found and case.known_before:
        yield Refusal(
            "zone_empty",
            f"{case.plan.zone}: {case.plan.provider} shows no record at all, last time it held {case.known_before} RRsets. "
            "Look at the zone there; if it is really empty, run: dnssync confirm servers " + case.plan.zone,
        )


def _deletes_explained(case: Case) -> Iterator[Finding]:
    """Each RRset that goes must be one that the ledger says we wrote, or the empty p= of a key of ours: a ledger that was restored may
    not know of that, and nobody loses anything by it."""
    for change in case.plan.changes:
        claim = case.claim_at(change)
        empty = change.old is not None and all(dkim.is_revoked(value.text) for value in change.old.values)
        known = claim is None or claim_key(claim) in case.ledger or (claim.owner is Owner.DKIM and empty)
        if change.kind is Kind.DELETE and not known:
            yield Refusal(
                "delete_unexplained",
                f"{case.full(change.name)} {change.type} would be deleted, but dnssync has no note of having written it.",
            )


CHECKS: tuple[Callable[[Case], Iterator[Finding]], ...] = (
    _unclaimed,
    _foreign_kept,
    _signing_keys_stay,
    _map_lines_published,
    _one_record,
    _takeover,
    _spf_works,
    _dmarc_works,
    _aliases,
    _suddenly_empty,
    _deletes_explained,
)


def refusals(findings: tuple[Finding, ...]) -> tuple[Refusal, ...]:
    """Only what stops the zone."""
    return tuple(finding for finding in findings if isinstance(finding, Refusal))


def notices(findings: tuple[Finding, ...]) -> tuple[Notice, ...]:
    """Only what a person should know."""
    return tuple(finding for finding in findings if isinstance(finding, Notice))
