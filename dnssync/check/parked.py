"""Domains that never send: DNS says so to everybody who asks (RFC 7208, RFC 7505, RFC 9989)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dnssync.check.dmarc_walk import sole as dmarc_sole
from dnssync.check.dmarc_walk import walked
from dnssync.check.facts import Facts, Unanswered, helos, parked, unanswered, zone_line
from dnssync.check.finding import Verdict, info, unknown, warning
from dnssync.check.judging import Check
from dnssync.check.standing import mend, need, views
from dnssync.core import dkim, dmarc
from dnssync.core.record import RecordError
from dnssync.core.spf import is_spf, same

SPF = "v=spf1 -all"
DMARC = "v=DMARC1; p=reject; sp=reject; np=reject"
REVOKED = "v=DKIM1; p="


def no_mail(facts: Facts, domain: str) -> Iterator[Verdict]:
    """PARK-01. One part that cannot be found out keeps no other from being told."""
    _look_ahead(facts, domain)
    parts: tuple[Callable[[Facts, str], Iterator[Verdict]], ...] = (_spf, _mx, _dmarc, _keys)
    for part in parts:
        try:
            yield from part(facts, domain)
        except Unanswered as trouble:
            yield unknown(f"{trouble}.")


def _look_ahead(facts: Facts, domain: str) -> None:
    """Ask for all names together."""
    for name, kind in (
        (domain, "TXT"),
        (domain, "MX"),
        (f"*._domainkey.{domain}", "TXT"),
        *((n, "TXT") for n in dmarc.tree_walk(domain)),
    ):
        facts.ask(name, kind)


def _spf(facts: Facts, domain: str) -> Iterator[Verdict]:
    if domain in helos(facts):
        return  # exim greets with it, so its record goes on to pass this host: SPF-03 and HELO-02 judge it
    answer = facts.ask(domain, "TXT")
    for view in views(answer):
        records = [text for text in view.texts if is_spf(text)]
        if len(records) != 1 or not same(records[0], SPF):
            remedy, fixable = mend(facts, domain, SPF, lambda wanted: same(wanted, SPF))
            found = "; ".join(f'"{text}"' for text in records) or "none"
            yield warning(
                f"{domain} never sends, so its SPF record should be exactly `{SPF}`; it has {found}{view.where}.",
                remedy,
                fixable=fixable,
            )
    need(answer)


def _mx(facts: Facts, domain: str) -> Iterator[Verdict]:
    found = facts.texts(domain, "MX")
    if [text.split()[-1] for text in found] != ["."]:
        mail = facts.domain(domain).mail
        takes = mail is not None and mail.local and "." not in [text.split()[-1] for text in found or (".",)]
        shown = ", ".join(text if text.endswith(" .") else text.removesuffix(".") for text in sorted(found)) or "none"
        line = zone_line(domain, "MX", "0 .")
        if takes:  # it never sends, but people may write to it: a null MX would lose their mail
            yield info(
                f"{domain} never sends, but its MX ({shown}) and exim here take mail for it.",
                f"Where nobody is to write to it, take it out of exim's local domains, and in place of its MX publish: {line}",
            )
            return
        instead = "Where nobody writes to it, in place of them publish: " if found else "Publish: "
        yield warning(
            f"{domain} never sends; a domain without mail has one MX, `0 .` (RFC 7505), and it has {shown}.",
            f"{instead}{line}",
        )


def _dmarc(facts: Facts, domain: str) -> Iterator[Verdict]:
    name = f"_dmarc.{domain}"
    answer = facts.ask(name, "TXT")
    if not answer.known:
        raise Unanswered(unanswered(answer))
    remedy, fixable = mend(facts, name, DMARC, lambda wanted: not _weak(wanted))
    texts = dmarc_sole(answer)
    several = any(sum(map(dmarc.is_dmarc, view.texts)) > 1 for view in views(answer))
    if several:
        yield warning(
            f"{domain} never sends, and {name} has several DMARC records, so receivers discard them all.",
            remedy,
            fixable=fixable,
        )
    elif not texts:
        got = dmarc.inherited(domain, walked(facts, domain))
        if got is None or got.policy != "reject":
            has = (
                f"that of {got.source.removeprefix('_dmarc.')} gives it {got.policy}"
                if got is not None
                else "it inherits none"
            )
            yield warning(
                f"{domain} never sends, and has no DMARC record that rejects what is sent in its name: {has}.",
                remedy,
                fixable=fixable,
            )
    for text in texts:
        if weak := _weak(text):
            yield warning(
                f'{domain} never sends, so its DMARC record should reject everything; {weak} in "{text}".',
                remedy,
                fixable=fixable,
            )


def _weak(text: str) -> str:
    """What in a record is less than reject, in words, "" for nothing."""
    try:
        record = dmarc.parse(text)
    except RecordError as trouble:
        return f"it cannot be read: {trouble.sentence},"
    if record.policy != "reject":
        return f"the policy is {record.policy}"
    milder = [
        f"{tag}={record.get(tag)}"
        for tag in ("sp", "np")
        if tag in dict(record.tags) and record.get(tag).lower() != "reject"
    ]
    if milder:
        return f"{' and '.join(milder)} is milder"
    return "t=y makes it milder" if record.get("t").lower() == "y" else ""


def _keys(facts: Facts, domain: str) -> Iterator[Verdict]:
    """No key verifies: neither any by a wildcard nor one of ours."""
    keys = facts.keys_of(domain) if facts.decision is not None else ()
    selectors = ["*", *dict.fromkeys(key.selector for key in keys)]
    answers = [facts.ask(f"{selector}._domainkey.{domain}", "TXT") for selector in selectors]
    for selector, answer in zip(selectors, answers, strict=True):
        for text in answer.texts:
            if dkim.is_dkim(text) and not dkim.is_revoked(text):
                name = f"{selector}._domainkey.{domain}"
                yield warning(f"{domain} never sends, and {name} has a DKIM key that goes on to verify mail in its name.",
                              f"Delete it, or publish that it is withdrawn: {zone_line(name, 'TXT', REVOKED)}")  # fmt: skip
    for answer in answers:
        need(answer)


CHECKS: tuple[Check, ...] = (Check("PARK-01", "DNS says that the domain has no mail.", parked, no_mail),)
