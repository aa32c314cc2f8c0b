"""DMARC-04: whether reports are asked for, and at addresses that they can be sent to."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dnssync.check.dmarc_values import changed, mail_of, uris
from dnssync.check.facts import Facts
from dnssync.check.finding import Verdict, error, info, warning
from dnssync.check.standing import configure, mend, written
from dnssync.core import dmarc
from dnssync.core.record import RecordError


def addresses(facts: Facts, domain: str, text: str, record: dmarc.Record) -> Iterator[Verdict]:
    """DMARC-04."""
    name = f"_dmarc.{domain}"
    if not uris(record.get("rua")):
        remedy, fixable = mend(
            facts, name, changed(record, rua=f"mailto:postmaster@{domain}"), lambda wanted: "rua=mailto:" in wanted
        )
        wanted, mail = written(facts, name), facts.domain(domain).mail
        if (
            mail is not None
            and mail.local
            and f"postmaster@{domain}" not in mail.accepts
            and wanted is not None
            and not fixable
        ):
            remedy = (
                f"exim takes no mail for postmaster@{domain}: create that mailbox or alias, then `dnssync apply`. Or name another address: "
                f"{configure(facts, domain, 'dmarc: {rua: [mailto:ADDRESS]}')}"
            )
        elif wanted is not None and "rua=mailto:" not in wanted:
            remedy = configure(facts, domain, "dmarc: {rua: ['mailto:postmaster@{domain}']}")
        yield warning(
            f"The DMARC record of {domain} names no address for reports (rua=): who sends as {domain} stays unseen.",
            remedy,
            fixable=fixable,
        )
    for tag in ("rua", "ruf"):
        for uri in uris(record.get(tag)):
            if mail_of(uri) is None:
                yield from _no_address(facts, domain, record, tag, uri)
    if uris(record.get("ruf")):
        yield info(
            f"The DMARC record of {domain} asks for failure reports (ruf=): they hold parts of people's mail, and few receivers send them."
        )


def _no_address(facts: Facts, domain: str, record: dmarc.Record, tag: str, uri: str) -> Iterator[Verdict]:
    bare = re.fullmatch(r"([^:@/\s]+)@([A-Za-z0-9_.-]+)", uri)
    rest = [
        f"mailto:{other}" if other == uri and bare else other for other in uris(record.get(tag)) if other != uri or bare
    ]
    remedy, fixable = mend(
        facts,
        f"_dmarc.{domain}",
        changed(record, **{tag: ",".join(rest) or None}),
        lambda wanted: uri not in _listed(wanted, tag),
    )
    why = "`mailto:` is missing" if bare else "reports go only to mailto: and one address at a full name"
    yield error(f'{tag}= of {domain} has "{uri}", to which no report can be sent: {why}.', remedy, fixable=fixable)


def _listed(text: str, tag: str) -> tuple[str, ...]:
    try:
        return uris(dmarc.parse(text).get(tag))
    except RecordError:
        return ()
