"""What DNS should hold for the mail domains of one zone: `Claims` from what exim told, the keys and the policy.

Sources: SPF RFC 7208, DKIM RFC 6376 and 8463, DMARC RFC 9989 (written so that readers of RFC 7489 agree).
What was found at a name is an input, since foreign terms and stricter policies are kept.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping

from dnssync.core import dmarc, spf, spf_merge
from dnssync.core.desire_dkim import key_claims, unsigned
from dnssync.core.desire_dmarc import first_policy, refused_address, strict_by_us
from dnssync.core.desire_gone import no_more
from dnssync.core.desire_spf import SpfWish, helo_ips, helo_names, helo_terms, own_terms, sender_ips
from dnssync.core.host import MailDomain
from dnssync.core.model import Claim, Notice, Owner, Refusal, absolute, relative, zone_of
from dnssync.core.policy import MailPolicy
from dnssync.core.wish import Desired, ReportsElsewhere, Wish


def desire(wish: Wish) -> Desired:
    """The claims of one zone; pure, and complete: what is not claimed here is none of our business."""
    draft = Draft(wish)
    for name in wish.domains:
        parked = wish.policy.parked
        mail = wish.host.domain(name) or MailDomain(name, local=False)
        draft.refusals.extend(() if parked else mail.problems)
        _spf(draft, name, mail, parked)
        unsigned(draft, name, mail)
    for name in wish.domains if wish.reporting is None else wish.reporting:
        _dmarc(draft, name, wish.host.domain(name) or MailDomain(name, local=False), wish.policy_of(name).parked)
    key_claims(draft)
    _helo(draft)
    _reports(draft)
    no_more(draft)
    _clamped(draft)
    return Desired(
        tuple(draft.claims), draft.added, draft.senders, tuple(dict.fromkeys(draft.notices)), tuple(draft.refusals)
    )


class Draft:
    """What is being gathered while the claims of one zone are drawn up."""

    def __init__(self, wish: Wish) -> None:
        self.wish = wish
        self.claims: list[Claim] = []
        self.added: dict[tuple[str, str], str] = {}
        self.senders: dict[str, tuple[str, ...]] = {}
        self.notices: list[Notice] = []
        self.refusals: list[Refusal] = []

    def claim(self, name: str, kind: str, owner: Owner, value: str | None, domain: str, because: str) -> None:
        """Add a claim at a relative name, with the TTL of the policy within what the provider can hold."""
        self.claims.append(Claim(name, kind, owner, value, self.ttl, domain, because))

    @property
    def ttl(self) -> int:
        """The TTL of the policy within what the providers of the zone take."""
        return min(max(self.wish.policy.ttl, self.wish.limits.min_ttl), self.wish.limits.max_ttl)

    def invalid(self, reason: str, name: str, what: str, error: ValueError) -> None:
        """Refuse, since what others wrote there cannot be read, let alone merged with."""
        sentence = f"the {what}, is not valid: {error}. Mend or delete it at the provider, then run dnssync again."
        self.refusals.append(Refusal(reason, f"{name}: {sentence}"))

    def name(self, full: str) -> str:
        """A name relative to this zone; the caller knows that the zone holds it."""
        name = relative(full, self.wish.zone)
        assert name is not None, full
        return name


def _clamped(draft: Draft) -> None:
    """Tell where another TTL is used than the configuration says."""
    wish, limits = draft.wish, draft.wish.limits
    if draft.ttl != wish.policy.ttl and any(claim.value is not None for claim in draft.claims):
        draft.notices.append(
            Notice("ttl_clamped", f"{wish.zone}: a TTL of {wish.policy.ttl} seconds is configured, and its provider takes {limits.min_ttl} to "
                   f"{limits.max_ttl}; {draft.ttl} is used. zones.{wish.zone}.ttl or defaults.ttl sets another one.")
        )  # fmt: skip


# --- SPF --------------------------------------------------------------------------------------------------------


def _spf(draft: Draft, domain: str, mail: MailDomain, parked: bool) -> None:
    wish = draft.wish
    if parked and domain not in wish.host.helo:
        _spf_claim(draft, domain, domain, (), "fail", True, "the domain is parked: it never sends mail")
        return
    if parked:
        # Receivers judge the greeting of every mail of this host by that record (RFC 7208 §2.3), whoever it is from.
        draft.notices.append(
            Notice("parked_greets", f"{domain}: the domain is parked, but exim greets with this name, so its SPF record goes on to "
                   "pass this host. Another name in exim's `primary_hostname` ends that.")
        )  # fmt: skip
        _helo_claim(draft, domain, True)
        return
    seen = () if ("narrow", domain) in wish.confirmed else wish.remembered.get(domain, ())
    got = own_terms(SpfWish(domain, mail, wish.policy.spf, seen, wish.dns, wish.zone))
    draft.notices.extend(got.notices)
    draft.refusals.extend(got.refusals)
    if got.refusals or mail.problems:
        return  # Nothing sure can be said about where its mail leaves from: what stands there stays.
    draft.senders[domain] = sender_ips(mail)
    policy = wish.policy.spf
    _spf_claim(draft, domain, domain, got.terms, policy.all, policy.all_explicit, got.because)


def _spf_claim(
    draft: Draft, name: str, domain: str, terms: tuple[str, ...], ending: str, explicit: bool, because: str
) -> None:
    """Merge our terms into what stands at the name and claim the result as TXT and, where it can be held, as SPF."""
    wish = draft.wish
    relative_name = draft.name(name)
    found, applied = wish.standing(relative_name, Owner.SPF)
    try:
        record = spf.parse(found[0].text) if found else None
    except ValueError as error:
        draft.invalid("spf_found_invalid", name, f'SPF record that stands there, "{found[0].text}"', error)
        return
    try:
        merged = spf_merge.merge(
            found=record,
            applied=applied.added if applied else "",
            ours=terms,
            ending=ending,
            explicit=explicit,
            domain=name,
            option=f"zones.{wish.zone}.spf.extra",
        )
    except spf_merge.MergeRefusal as refusal:
        draft.refusals.append(Refusal(refusal.reason, f"{name}: {refusal.sentence}"))
        return
    text = str(merged.record)
    draft.claim(relative_name, "TXT", Owner.SPF, text, domain, because)
    draft.added[(relative_name, "TXT")] = draft.added[(relative_name, "SPF")] = merged.added
    _type99(draft, relative_name, text, domain, because)


def _type99(draft: Draft, name: str, text: str, domain: str, because: str) -> None:
    wish = draft.wish
    if wish.policy.spf.type99 == "never":
        if (name, "SPF", Owner.SPF) in wish.ledger:
            draft.claim(name, "SPF", Owner.SPF, None, domain, "type99: never")
        return
    if wish.limits.type99:
        draft.claim(name, "SPF", Owner.SPF, text, domain, because)
    else:
        known = "SPF" not in wish.limits.types  # else the provider only did not say that it takes them
        if known and (name, "SPF", Owner.SPF) in wish.ledger and (name, "SPF") in wish.found:
            # Written when it could be held, it would go on saying what the TXT record says no more.
            draft.claim(name, "SPF", Owner.SPF, None, domain, "not all providers of the zone take type SPF")
        draft.notices.append(
            Notice(
                "type99_not_held",
                f"{wish.zone}: the provider does not take records of type SPF (99), or does not say that it does; SPF is published "
                "as TXT alone, which is what receivers read (RFC 7208 §3.1). `spf: {type99: never}` silences this.",
            )
        )


def _helo(draft: Draft) -> None:
    """The names exim greets with: receivers check them for mail with an empty sender (RFC 7208 §2.3, §2.4)."""
    wish = draft.wish
    for name in filter(wish.holds, helo_names(wish.zone, wish.host, {*wish.domains, *wish.frozen}, wish.ledger)):
        own = draft.name(name)
        labels = own.split(".") if own else []
        cut = any((".".join(labels[start:]), "NS") in wish.found for start in range(len(labels)))
        if cut or (own, "CNAME") in wish.found:
            what = (
                "lies in a zone that this one hands on to other servers"
                if cut
                else "is a CNAME, beside which no SPF record can stand"
            )
            draft.notices.append(
                Notice("helo_elsewhere", f"{name}: exim greets with this name, and it {what}; nothing is published for it here.")
            )  # fmt: skip
            continue
        _helo_claim(draft, name, False)


def _helo_claim(draft: Draft, name: str, explicit: bool) -> None:
    host = draft.wish.host
    terms = helo_terms(name, host, draft.wish.dns)
    if not terms:
        draft.notices.append(
            Notice("helo_unknown", f"{name}: exim greets with this name, but no public address of this host is known, so "
                   "no SPF record is claimed for it.")
        )  # fmt: skip
        return
    draft.senders[name] = helo_ips(host)
    _spf_claim(draft, name, name, terms, "fail", explicit, "exim greets with this name (RFC 7208 §2.3)")


# --- DMARC ------------------------------------------------------------------------------------------------------


def _dmarc(draft: Draft, domain: str, mail: MailDomain, parked: bool) -> None:
    wish = draft.wish
    name = draft.name(f"_dmarc.{domain}")
    if parked:
        wanted = dict.fromkeys(dmarc.POLICY_TAGS, "reject")
        _dmarc_claim(draft, name, domain, wanted, frozenset(wanted), "the domain is parked: it never sends mail")
        return
    policy = wish.policy_of(domain).dmarc
    wanted = {"p": policy.p}
    for tag in ("sp", "np", "adkim", "aspf"):
        if getattr(policy, tag):
            wanted[tag] = getattr(policy, tag)
    for tag, uris in (("rua", policy.rua), ("ruf", policy.ruf)):
        addresses = [uri.replace("{domain}", domain) for uri in uris]
        refused = {uri: notice for uri in addresses if (notice := refused_address(uri, mail)) is not None}
        draft.notices.extend(refused.values())
        kept = [uri for uri in addresses if uri not in refused]
        if kept:
            wanted[tag] = ",".join(kept)
    because = "the policy of the configuration"
    found, applied = wish.standing(name, Owner.DMARC)
    strict = strict_by_us(found, applied)
    unparked = strict and domain in wish.unparked
    if (not found or unparked) and "p" not in policy.explicit:
        first = first_policy(domain, policy.p, wish.dns)
        if isinstance(first, Refusal):
            draft.refusals.append(first)
            return
        wanted["p"], because = first
    elif strict and "p" not in policy.explicit and policy.p != "reject":
        draft.notices.append(
            Notice("dmarc_kept", f"{domain}: its DMARC record says p=reject. dnssync wrote that, perhaps when the domain was parked, and "
                   f"never weakens a policy by itself: for p={policy.p} set zones.{zone_of(domain, wish.configured) or wish.zone}.dmarc.p.")
        )  # fmt: skip
    _dmarc_claim(draft, name, domain, wanted, policy.explicit, because, unparked=unparked)


def _dmarc_claim(
    draft: Draft,
    name: str,
    domain: str,
    wanted: Mapping[str, str],
    explicit: frozenset[str],
    because: str,
    *,
    unparked: bool = False,
) -> None:
    """Merge our tags into what stands at the (relative) name and claim the result. `unparked`: the policies that stand
    there are ours, from the time that the domain was parked, and count for nothing."""
    found, applied = draft.wish.standing(name, Owner.DMARC)
    try:
        standing = dmarc.parse(found[0].text) if found else None
    except ValueError as error:
        full = absolute(name, draft.wish.zone)
        draft.invalid("dmarc_found_invalid", full, f'DMARC record that stands there, "{found[0].text}"', error)
        return
    if standing is not None and unparked:
        standing = dmarc.Record(tuple(tag for tag in standing.tags if tag[0] not in dmarc.POLICY_TAGS))
    merged = dmarc.merge(found=standing, applied=applied.added if applied else "", wanted=wanted, explicit=explicit)
    draft.claim(name, "TXT", Owner.DMARC, str(merged.record), domain, because)
    draft.added[(name, "TXT")] = merged.added


def reports_of(policies: Mapping[str, MailPolicy], frozen: Collection[str]) -> tuple[ReportsElsewhere, ...]:
    """The reports that leave their own domain, of all mail domains with a policy."""
    found = []
    for domain, policy in policies.items():
        silent = policy.parked or domain in frozen
        for uri in () if silent else (*policy.dmarc.rua, *policy.dmarc.ruf):
            host = uri.removeprefix("mailto:").partition("?")[0].rpartition("@")[2].lower().rstrip(".")
            if uri.startswith("mailto:") and host and "{" not in host and dmarc.needs_report_record(domain, host):
                found.append(ReportsElsewhere(domain, host, dmarc.report_name(domain, host)))
    return tuple(found)


def _reports(draft: Draft) -> None:
    """Where another domain's reports go to a host of this zone, that host has to agree (RFC 9990 §4)."""
    wish = draft.wish
    for domain, host, full in ((report.domain, report.host, report.name) for report in wish.reports):
        name = relative(full, wish.zone)
        if name is not None and wish.holds(full) and len(full) <= 253:
            draft.claim(name, "TXT", Owner.REPORT, "v=DMARC1;", domain, f"DMARC reports of {domain} go to {host}")
        elif domain in wish.domains and not any(map(dmarc.is_dmarc, wish.dns(full, "TXT") or ())):
            draft.notices.append(
                Notice("report_record", f"{domain}: its DMARC reports go to {host}, which has to agree: ask for\n"
                       f'{full}. IN TXT "v=DMARC1;"')
            )  # fmt: skip


def domains_of(zone: str, names: Iterable[str], zones: Container[str]) -> tuple[str, ...]:
    """Those of the names that this zone holds, and no deeper configured zone does; sorted, the shortest first."""
    mine = {name for name in names if zone_of(name, zones) == zone}
    return tuple(sorted(mine, key=lambda name: (name.count("."), name)))
