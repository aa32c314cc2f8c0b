"""DMARC-05: whether reports arrive: the other domain agrees, its mail has somewhere to go, and exim takes what is for us."""

from __future__ import annotations

from collections.abc import Iterator

from dnssync.check.dmarc_values import mail_of, uris
from dnssync.check.dmarc_walk import Takes, organization, walked
from dnssync.check.facts import Facts, Unanswered, zone_line
from dnssync.check.finding import Verdict, error, info, unknown
from dnssync.check.own import own_names
from dnssync.check.standing import mend, written
from dnssync.core import dmarc
from dnssync.core.record import RecordError

AGREES = "v=DMARC1;"


def delivered(facts: Facts, domain: str, text: str, record: dmarc.Record) -> Iterator[Verdict]:
    """DMARC-05."""
    found = [
        (tag, uri, mail)
        for tag in ("rua", "ruf")
        for uri in uris(record.get(tag))
        if (mail := mail_of(uri)) is not None
    ]
    hosts = tuple(dict.fromkeys(mail.rpartition("@")[2] for _, _, mail in found))
    for host in hosts:  # all at once, before the first is looked at
        facts.ask(dmarc.report_name(domain, host), "TXT")
        facts.ask(host, "MX")
    yield from _configured(facts, domain, record)
    for host in hosts:
        for judged in (_agreed(facts, domain, host), _reachable(facts, domain, host)):
            yield from _or_unknown(judged)
    for mail in dict.fromkeys(mail for _, _, mail in found):
        yield from _or_unknown(_taken(facts, domain, mail))


def _or_unknown(verdicts: Iterator[Verdict]) -> Iterator[Verdict]:
    """One thing that cannot be found out keeps no other from being told."""
    try:
        yield from verdicts
    except Unanswered as trouble:
        yield unknown(f"{trouble}.")


def _configured(facts: Facts, domain: str, record: dmarc.Record) -> Iterator[Verdict]:
    """An address that dnssync wants in the record, and that receivers do not see there."""
    wanted = written(
        facts, f"_dmarc.{domain}"
    )  # behind a CNAME it is another's record, and SYNC-01 tells that nothing is written there
    try:
        want = dmarc.parse(wanted) if wanted is not None else dmarc.Record()
    except RecordError:
        return
    for tag in ("rua", "ruf"):
        seen = {uri.lower() for uri in uris(record.get(tag))}
        missing = [uri for uri in uris(want.get(tag)) if uri.lower() not in seen]
        if missing:
            remedy, fixable = mend(facts, f"_dmarc.{domain}", str(want), lambda text: True)
            yield error(
                f"{', '.join(missing)} is configured for reports about {domain}, and not in {tag}= of its record.",
                remedy,
                fixable=fixable,
            )


def _agreed(facts: Facts, domain: str, host: str) -> Iterator[Verdict]:
    """The consent of a host of another organization (RFC 9990 §4)."""
    if not dmarc.needs_report_record(domain, host):
        return
    name = dmarc.report_name(domain, host)
    if len(name) > 253:
        yield error(f"Reports about {domain} go to {host}, and the name of the record by which that agrees is too long for DNS: none are sent.",
                    "Take an address whose domain is shorter.")  # fmt: skip
        return
    texts = facts.texts(name, "TXT")
    if any(map(dmarc.is_dmarc, texts)):
        return
    if organization(domain, walked(facts, domain)) == organization(host, walked(facts, host)):
        return
    found = f'; what stands there is "{texts[0]}"' if texts else ""
    whose = any(host == zone or host.endswith("." + zone) for zone in facts.configured)
    remedy, fixable = mend(facts, name, AGREES, dmarc.is_dmarc)
    yield error(
        f"Reports about {domain} go to {host}, which does not agree: there is no DMARC record at {name}, so no receiver sends them{found}.",
        remedy if whose else f"Ask who runs {host} to publish: {zone_line(name, 'TXT', AGREES)}",
        fixable=fixable,
    )


def _reachable(facts: Facts, domain: str, host: str) -> Iterator[Verdict]:
    """Where mail for the address goes."""
    exchanges = facts.texts(host, "MX")
    if any(text.split()[-1] == "." for text in exchanges):
        yield error(
            f"Reports about {domain} go to {host}, which takes no mail (its MX is `0 .`, RFC 7505).",
            "Name an address that takes mail.",
        )
    if exchanges:
        return
    for kind in ("A", "AAAA"):
        facts.ask(host, kind)
    if facts.texts(host, "A") or facts.texts(host, "AAAA"):
        if host in own_names(facts):
            return  # this host's own name needs no MX (MX-03)
        yield info(f"Reports about {domain} go to {host}, which has no MX; senders then use its address.")
    else:
        yield error(
            f"Reports about {domain} go to {host}, which has neither MX nor address: they are lost.",
            "Name an address that takes mail.",
        )


def _taken(facts: Facts, domain: str, mail: str) -> Iterator[Verdict]:
    """An address of this very host."""
    if facts.seen is None:
        return
    home = facts.seen.host.domain(mail.rpartition("@")[2])
    if home is None or not home.local or mail.lower() in home.accepts or mail in home.accepts:
        return
    if not facts.find(Takes(mail)):
        yield error(f"Reports about {domain} go to {mail}, and exim takes no mail for it: they come back.",
                    f"Create the mailbox or the alias (`exim4 -bv {mail}` then says so), or name another address in `dmarc: {{rua: …}}`.")  # fmt: skip
