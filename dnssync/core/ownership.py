"""Which values at a name are ours, and when two texts mean the same: the one place that knows.

We own values, not RRsets: at an apex TXT the SPF record is ours and every other value is a stranger's.
A selector's RRset is the exception; its name was made by us and is ours whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from dnssync.core import dkim, dmarc, spf
from dnssync.core.model import Claim, Owner, RRset, Value
from dnssync.core.record import RecordError
from dnssync.core.sighting import Answer, Sight, sight

Ownership = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Applied:
    """What the ledger holds of a claim: the text that was written last, the mail domain it was written for and
    `added`: of SPF those terms that were not there before us, of DMARC those tags, as the text of such terms or tags. `ttl`: the one that we gave
    the RRset, −1 where somebody else did."""

    value: str
    domain: str
    added: str = ""
    ttl: int = -1


Ledger = Mapping[tuple[str, str, Owner], Applied]
Agreed = tuple[str, str, Owner, str]  # name, type, owner and text of a value that a person agreed to


def owns(owner: Owner, text: str) -> bool:
    """Whether a value with this text belongs to a claim of this owner. It need not be valid to be ours."""
    if owner is Owner.SPF:
        return spf.is_spf(text)
    if owner is Owner.DKIM:
        return True
    return dmarc.is_dmarc(text)


def same(owner: Owner, one: str, other: str, domain: str = "") -> bool:
    """Whether two texts mean the same to a receiver (`ip4:192.0.2.1/32`, another order of tags, white space)."""
    if one == other:
        return True
    if owner is Owner.SPF:
        return spf.same(one, other, domain)
    if owner is Owner.DKIM:
        return dkim.same(one, other)
    return dmarc.same(one, other)


def shows(owner: Owner, text: str, applied: Applied) -> bool:
    """Whether a text shows what was meant to be written: the same, or all the terms or tags that we add, beside what others
    changed there meanwhile."""
    if same(owner, text, applied.value, applied.domain):
        return True
    try:
        if not applied.added or owner is Owner.DKIM:
            return False
        if owner is Owner.SPF:
            there = [term.meaning(applied.domain) for term in spf.parse(text).terms]
            ours = [term.meaning(applied.domain) for term in spf.parse_terms(applied.added) if not spf.is_all(term)]
            return bool(ours) and all(there.count(each) >= ours.count(each) for each in ours)
        tags = {tag for tag in dmarc.parse(applied.added).tags if tag[0] not in dmarc.POLICY_TAGS}
        return bool(tags) and tags <= set(dmarc.parse(text).tags)
    except RecordError:
        return False


def sight_of(owner: Owner, answer: Answer, value: str, domain: str = "") -> Sight:
    """How a value of ours looks in what name servers answered."""
    return sight(answer, value, partial(owns, owner), partial(same, owner, domain=domain))


def owned(rrset: RRset | None, owner: Owner) -> tuple[Value, ...]:
    """The values of an RRset that a claim of this owner speaks about."""
    return () if rrset is None else tuple(value for value in rrset.values if owns(owner, value.text))


def foreign(rrset: RRset | None, owner: Owner) -> tuple[Value, ...]:
    """The values of an RRset that are nobody's business of ours."""
    return () if rrset is None else tuple(value for value in rrset.values if not owns(owner, value.text))


def claim_key(claim: Claim) -> tuple[str, str, Owner]:
    """Where the ledger keeps a claim."""
    return (claim.name, claim.type, claim.owner)


def forgotten(
    claims: Iterable[Claim], found: Mapping[tuple[str, str], RRset], ledger: Ledger
) -> list[tuple[str, str, Owner]]:
    """The places in the ledger that nothing of ours stands at any more: what is to be absent, once that is so; and where a key's record is
    gone that nobody claims: a pass took it away and died before it noted that, and the next one finds the key removed."""
    claimed = {claim_key(claim): claim.value for claim in claims}
    return [
        (name, kind, owner)
        for name, kind, owner in ledger
        if claimed.get((name, kind, owner), "") is None
        or (owner is Owner.DKIM and (name, kind, owner) not in claimed and not owned(found.get((name, kind)), owner))
    ]


def taken_over(
    claims: Iterable[Claim], found: Mapping[tuple[str, str], RRset], ledger: Ledger
) -> Iterator[tuple[Claim, Value]]:
    """The claims that would change a text which somebody else wrote, each with that text; a selector's is never one."""
    for claim in claims:
        if claim.owner is Owner.DKIM or claim.value is None or claim_key(claim) in ledger:
            continue
        for value in owned(found.get(claim.key), claim.owner):
            if not same(claim.owner, value.text, claim.value, claim.domain):
                yield claim, value
