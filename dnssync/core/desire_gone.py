"""What is no longer wanted: the records of domains that exim, or the configuration, has no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnssync.core import dmarc, spf, spf_merge
from dnssync.core.model import Notice, Owner, zone_of
from dnssync.core.ownership import owned

if TYPE_CHECKING:
    from dnssync.core.desire import Draft
    from dnssync.core.wish import Wish


def no_more(draft: Draft) -> None:
    """What the ledger holds for a domain that exim has no more: kept, with a notice, until a person confirms. What it holds for one that exim
    has and no zone of the configuration names is kept, too, and a person hears it: nothing of it is looked after."""
    wish = draft.wish
    claimed = {(claim.name, claim.type, claim.owner) for claim in draft.claims}
    served = {*wish.domains, *wish.host.helo}
    gone: dict[str, None] = {}
    unnamed: dict[str, None] = {}
    for (name, kind, owner), applied in wish.ledger.items():
        lives = any(applied.domain in names for names in (served, wish.policies, wish.frozen))
        if lives or (name, kind, owner) in claimed:
            continue
        mail = wish.host.domain(applied.domain)
        if mail is not None and mail.local:
            if (name, kind) in wish.found:
                unnamed[applied.domain] = None
            continue
        gone[applied.domain] = None
        if ("gone", applied.domain) in wish.confirmed and owner is not Owner.DKIM:
            _withdraw(draft, name, kind, owner, applied.domain)
    draft.notices.extend(_unnamed(wish, domain) for domain in unnamed)
    # A look-up of exim's that failed is told of itself; whether a domain is gone is not known as long as it does.
    known = all(notice.reason != "list_unusable" for notice in wish.host.notices)
    for domain in gone:
        owners = {owner for (_, _, owner), applied in wish.ledger.items() if applied.domain == domain}
        if ("gone", domain) not in wish.confirmed and (owners != {Owner.DKIM} or domain not in wish.leaving):
            told = f"{domain}: exim has it no more; its records stay. To take them out of DNS, run: dnssync confirm gone {domain}"
            draft.notices.extend([Notice("domain_gone", told)] if known else [])
        elif Owner.DKIM in owners:
            draft.notices.append(
                Notice("dkim_stays", f"{domain}: its DKIM keys stay in DNS for now, since mail that they signed may still be under way. They are "
                       "revoked and taken out by themselves; `dnssync status` says when.")
            )  # fmt: skip


def _withdraw(draft: Draft, name: str, kind: str, owner: Owner, domain: str) -> None:
    """Take back what we wrote at a name: our terms or tags, and the whole value where nothing of others remains."""
    applied = draft.wish.ledger[(name, kind, owner)]
    found = owned(draft.wish.found.get((name, kind)), owner)
    rest: str | None = None
    if owner in (Owner.SPF, Owner.DMARC) and len(found) == 1:
        try:
            if owner is Owner.SPF:
                rest = spf_merge.without(spf.parse(found[0].text), applied.added, domain)
            else:
                rest = dmarc.without(dmarc.parse(found[0].text), applied.added)
        except ValueError:
            return
    draft.claim(name, kind, owner, rest, domain, "exim has the domain no more")


def _unnamed(wish: Wish, domain: str) -> Notice:
    """What to tell of a domain with records of ours, which exim has, and the configuration leaves out."""
    zone = zone_of(domain, {*wish.configured, wish.zone})
    if zone is None:
        why = f"no configured zone holds it, while {wish.zone}, where records of it stand, is configured. Configure its own zone, too; or take "
        why += f"{wish.zone} out of the configuration and run: dnssync release {domain}"
    else:
        why = f"zones.{zone}.domains leaves it out. Name it there; or see that exim signs its mail with none of dnssync's keys, and delete its "
        why += f"records in {wish.zone} at the provider, by hand"
    return Notice(
        "domain_left_out", f"{domain}: exim has it, and what dnssync published for it is not looked after: {why}."
    )
