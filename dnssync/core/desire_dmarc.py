"""What a domain's DMARC record depends on beyond its own name: its parents, and whether exim takes the reports."""

from __future__ import annotations

from collections.abc import Iterable

from dnssync.core import dmarc, spf
from dnssync.core.host import MailDomain
from dnssync.core.model import Notice, Owner, Refusal, Value, relative
from dnssync.core.ownership import Applied, Ledger
from dnssync.core.zone_view import Dns


def first_policy(domain: str, policy: str, dns: Dns) -> tuple[str, str] | Refusal:
    """The p= of a domain's first record, and why: `policy`, or a stricter one that the domain has today from a parent
    (RFC 9989's tree walk). Refused where a parent's record cannot be known: beginning weaker would open the domain."""
    records: dict[str, str] = {}
    for name in dmarc.tree_walk(domain)[1:]:
        texts = dns(name, "TXT")
        if texts is None:
            return Refusal(
                "dmarc_parent_unknown",
                f"{domain}: it has no DMARC record yet, and nobody answers for {name}, whose policy it may have today; a "
                "first record could weaken that. Run dnssync again when DNS answers, or set dmarc.p for this zone.",
            )
        texts = tuple(text for text in texts if dmarc.is_dmarc(text))
        if len(texts) == 1:
            records[name] = texts[0]
    got = dmarc.inherited(domain, records)
    if got is None or dmarc.strength(got.policy) <= dmarc.strength(policy):
        return policy, "the policy of the configuration"
    return got.policy, f"{got.source} gives the domain p={got.policy} today, and a policy is never weakened"


def strict_by_us(found: tuple[Value, ...], applied: Applied | None) -> bool:
    """Whether p, sp and np stand there as reject and the ledger says that all three are ours, as parking writes them."""
    try:
        ours = dmarc.parse(applied.added) if applied is not None else dmarc.Record()
        return len(found) == 1 and all(
            record.get(tag).lower() == "reject"
            for record in (ours, dmarc.parse(found[0].text))
            for tag in dmarc.POLICY_TAGS
        )
    except ValueError:
        return False


def parked_before(domain: str, zone: str, ledgers: Iterable[Ledger]) -> bool:
    """Whether the SPF record that we wrote last for a domain, in its own zone, lets nobody send, as that of a parked domain and no other."""

    def nobody(applied: Applied | None) -> bool:
        try:
            return applied is not None and all(map(spf.is_all, spf.parse(applied.value).terms))
        except ValueError:
            return False

    return any(nobody(ledger.get((relative(domain, zone) or "", "TXT", Owner.SPF))) for ledger in ledgers)


def refused_address(uri: str, mail: MailDomain) -> Notice | None:
    """A report address at this very domain is published only if exim takes mail for it; others, and those of a domain that is received
    elsewhere (a satellite's), are taken as told."""
    address = uri.removeprefix("mailto:").partition("?")[0]
    if (
        not mail.local
        or not uri.startswith("mailto:")
        or address.rpartition("@")[2].lower() != mail.name
        or address in mail.accepts
    ):
        return None
    return Notice(
        "rua_refused",
        f"{mail.name}: exim does not take mail for {address}, so DMARC reports are not asked for. Create the mailbox or "
        "alias, or set dmarc.rua.",
    )
