"""SMTP TLS reporting (RFC 8460): where senders report what went wrong with TLS."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dnssync.check import dane
from dnssync.check.facts import Facts, Failed, sending, zone_line
from dnssync.check.finding import MOOT, Verdict, info, unknown, warning
from dnssync.check.judging import Check
from dnssync.check.talking import Reply, Taken, exchanges, needed, own_mx

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@([A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*)")


def owner(domain: str) -> str:
    """Where the record stands."""
    return f"_smtp._tls.{domain}"


def records(facts: Facts, domain: str) -> tuple[str, ...]:
    """Those texts that senders take for TLSRPT records (RFC 8460 §3). Raises `Unanswered`."""
    return tuple(text for text in facts.texts(owner(domain), "TXT") if re.match(r"v=TLSRPTv1[ \t]*(;|$)", text))


def targets(text: str) -> tuple[str, ...] | None:
    """The URIs of a record, None where it is not valid."""
    fields = [field.strip(" \t") for field in text.split(";")][1:]
    if fields and not fields[-1]:
        fields.pop()
    ruas = [field[4:] for field in fields if field.startswith("rua=")]
    if len(ruas) != 1 or not all(
        re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}=[\x21-\x3a\x3c-\x7e \t]+", field) for field in fields
    ):
        return None
    uris = tuple(uri.strip(" \t") for uri in ruas[0].split(","))
    good = all(re.fullmatch(r"(mailto:[^\s!]+@[^\s!]+|https://[^\s!/]+[^\s!]*)", uri, re.IGNORECASE) for uri in uris)
    return uris if good else None


def record(facts: Facts, domain: str) -> Iterator[Verdict]:
    """TLSRPT-01: one valid record."""
    mx = facts.ask(domain, "MX")
    found = records(facts, domain)
    line = f"Publish: {zone_line(owner(domain), 'TXT', f'v=TLSRPTv1; rua=mailto:postmaster@{domain}')}"
    if len(found) > 1:
        yield warning(
            f"{len(found)} TLSRPT records stand at {owner(domain)}; senders then report nothing.", "Keep one of them."
        )
    elif found and targets(found[0]) is None:
        yield warning(f"The TLSRPT record at {owner(domain)} is not valid: {found[0][:200]!r}.", line)
    elif not found:
        stray = facts.texts(owner(domain), "TXT")
        if stray:
            yield warning(f"What stands at {owner(domain)} is no TLSRPT record: {stray[0][:80]!r}.", line)
        elif mx.known and not any(exchanges(mx.texts)):
            yield MOOT
        else:
            yield info(f"Nobody is told when TLS to the mail servers of {domain} fails.", line)


def _subjects(facts: Facts) -> tuple[str, ...]:
    return (*sending(facts), *own_mx(facts))


def addresses(facts: Facts, domain: str) -> Iterator[Verdict]:
    """TLSRPT-02: the addresses take mail; for our mail server's own name too, where DANE makes senders report there."""
    found = records(facts, domain)
    if not found and not _mail_domain(facts, domain):
        yield from _host(facts, domain)
        return
    uris = (targets(found[0]) or ()) if len(found) == 1 else ()
    mails = [_unquoted(uri[7:].partition("?")[0]) for uri in uris if uri.lower().startswith("mailto:")]
    if not uris:
        yield MOOT
    for address in mails:
        _look(facts, address)
    for address in mails:
        yield from _judged(facts, domain, address)


def _mail_domain(facts: Facts, name: str) -> bool:
    """Whether a subject is a mail domain, and not the name of our mail server alone."""
    if facts.seen is not None:
        return facts.seen.host.domain(name) is not None
    return facts.has(name)


def _unquoted(text: str) -> str:
    """Percent-encoding undone (RFC 3986 §2.1)."""
    return re.sub(r"%([0-9A-Fa-f]{2})", lambda match: chr(int(match[1], 16)), text)


def _host(facts: Facts, host: str) -> Iterator[Verdict]:
    """The mail server's own name without a record."""
    needed(facts, host)
    if not facts.texts(dane.owner(host), "TLSA"):
        yield MOOT
        return
    yield info(
        f"{host} has TLSA records, and nobody is told when they fail.",
        f"Publish: {zone_line(owner(host), 'TXT', f'v=TLSRPTv1; rua=mailto:postmaster@{host}')}",
    )


def _here(facts: Facts, name: str) -> bool:
    """Whether exim itself takes the mail of a domain."""
    mail = facts.seen.host.domain(name) if facts.seen is not None else None
    return mail is not None and mail.local


def _look(facts: Facts, address: str) -> None:
    """Ask for what is needed to judge an address."""
    match = _ADDRESS.fullmatch(address)
    name = match[1].lower() if match else ""
    if name and _here(facts, name):
        facts.have(Taken(address))
    elif name:
        for kind in ("MX", "A", "AAAA"):
            facts.ask(name, kind)


def _judged(facts: Facts, domain: str, address: str) -> Iterator[Verdict]:
    match = _ADDRESS.fullmatch(address)
    where = f"the TLSRPT record at {owner(domain)}"
    if match is None:
        yield warning(f"The address {address[:80]!r} in {where} is no mail address.", "Name one that takes mail.")
        return
    name = match[1].lower()
    if _here(facts, name):
        reply = facts.have(Taken(address))
        if isinstance(reply, Reply) and reply.code >= 500:
            yield warning(f"exim refuses mail for {address}, which {where} names ({reply}).", f"Give it an alias, or name another: `exim -bt {address}` shows how exim routes it.")  # fmt: skip
        elif isinstance(reply, Reply) and reply.code >= 400:
            yield unknown(f"Whether exim takes mail for {address} is not known: it said {reply}.")
        elif isinstance(reply, Failed):
            yield unknown(f"{reply.reason}.")
        return
    hosts = exchanges(facts.texts(name, "MX"))
    if hosts == ("",):
        yield warning(
            f"{name} takes no mail (null MX), but {where} sends reports to {address}.",
            "Name an address that takes mail.",
        )
    elif not hosts and not any(facts.texts(name, kind) for kind in ("A", "AAAA")):
        yield warning(
            f"{name} has no mail server, but {where} sends reports to {address}.", "Name an address that takes mail."
        )


CHECKS: tuple[Check, ...] = (
    Check("TLSRPT-01", "One valid TLSRPT record.", sending, record),
    Check("TLSRPT-02", "The addresses for TLS reports take mail.", _subjects, addresses),
)
