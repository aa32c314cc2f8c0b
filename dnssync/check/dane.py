"""DANE for SMTP (RFC 7672): the TLSA records of our own mail server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dnssync.check.dnssec import Validated, Validation, protection
from dnssync.check.facts import Facts, Unanswered, zone_line
from dnssync.check.finding import MOOT, Verdict, error, info, unknown, warning
from dnssync.check.judging import Check
from dnssync.check.talking import Certificate, Talked, association, of_mx, own_mx, secured

DIGITS = {1: 64, 2: 128}  # hexadecimal digits of SHA-256 and SHA-512


@dataclass(frozen=True, slots=True)
class Tlsa:
    """A TLSA record: usage, selector, matching type, association data in hexadecimal (RFC 6698 §2.1)."""

    usage: int
    selector: int
    matching: int
    data: str

    def __str__(self) -> str:
        shown = self.data if len(self.data) <= 128 else self.data[:16] + "…"
        return f"{self.usage} {self.selector} {self.matching} {shown}"

    @property
    def damaged(self) -> bool:
        """Whether it can match nothing: an unknown field, or data that is no digest of its kind."""
        whole = DIGITS.get(self.matching, len(self.data)) == len(self.data) and bool(self.data)
        return self.selector not in (0, 1) or self.matching not in (0, 1, 2) or not whole

    @property
    def usable(self) -> bool:
        """Whether SMTP takes it (RFC 7672 §3.1): DANE-TA(2) or DANE-EE(3), and not damaged."""
        return self.usage in (2, 3) and not self.damaged


def owner(host: str) -> str:
    """Where the TLSA records of a mail server stand."""
    return f"_25._tcp.{host}"


def parsed(text: str) -> Tlsa:
    """A record from its presentation form, or the generic one (RFC 3597 §5); a field that is no number becomes −1."""
    fields = text.split()
    if fields[:1] == ["\\#"]:
        octets = "".join(fields[2:])
        fields = [*(str(int(octets[at : at + 2], 16)) for at in range(0, min(len(octets), 6), 2)), octets[6:]]
    numbers = [int(part) if re.fullmatch(r"\d{1,3}", part) else -1 for part in fields[:3]]
    usage, selector, matching = (*numbers, -1, -1, -1)[:3]
    return Tlsa(usage, selector, matching, "".join(fields[3:]).lower())


def records(facts: Facts, host: str) -> tuple[Tlsa, ...]:
    """The TLSA records of a mail server. Raises `Unanswered`."""
    return tuple(map(parsed, facts.texts(owner(host), "TLSA")))


def _proof(facts: Facts, name: str, kind: str) -> Validation | None:
    """Whether an answer can be proven to senders; None where this host cannot tell."""
    try:
        return protection(facts, name, kind)
    except Unanswered:
        return None


def there(facts: Facts, host: str) -> Iterator[Verdict]:
    """DANE-01: TLSA records, where the zone is signed. Without DNSSEC the question does not arise."""
    found = facts.ask(owner(host), "TLSA")
    if found.known and not found.texts:
        facts.find(Validated(host, "A"))
        proof = _proof(facts, host, "A")
        if proof is None or not proof.secure:
            yield MOOT  # not signed, or DNSSEC-03 tells that nobody here can know
            return
        yield info(
            f"{host} has no TLSA record, though its zone is signed: senders cannot insist on its certificate.",
            _advice(facts, host),
        )
    records(facts, host)


def _advice(facts: Facts, host: str) -> str:
    """The record to publish."""
    try:
        own = secured(facts, host)[0][1].chain[0]
    except Unanswered:
        return f"Publish a TLSA record `3 1 1 <SHA-256 of the public key>` at {owner(host)}, once the host shows a certificate."
    return f"Publish: {_line(host, own)}"


def _line(host: str, own: Certificate) -> str:
    return zone_line(owner(host), "TLSA", f"3 1 1 {association(own.spki, 1)}")


def signed(facts: Facts, host: str) -> Iterator[Verdict]:
    """DANE-02: what senders use, they must be able to prove: the addresses and the TLSA records (RFC 7672 §2.2)."""
    if not records(facts, host):
        yield MOOT
        return
    wanted = [(owner(host), "TLSA"), *((host, kind) for kind in ("A", "AAAA") if facts.ask(host, kind).texts)]
    for at in wanted:
        _proof(facts, *at)
    for name, kind in wanted:
        found = protection(facts, name, kind)
        if not found.secure:
            state = "does not validate (bogus)" if found.bogus else "is not signed"
            yield warning(
                f"{name} {kind} {state}, so the TLSA records of {host} say nothing to senders.",
                "Sign the zone and have the DS record published at the registry, or take the TLSA records away.",
            )


def shown(facts: Facts, host: str) -> Iterator[Verdict]:
    """DANE-03: at least one usable record matches what is shown at each address (RFC 7672 §3.1)."""
    usable = [record for record in records(facts, host) if record.usable]
    if not usable:
        yield MOOT
        return
    proof = _proof(facts, owner(host), "TLSA")
    for ip, talk in secured(facts, host):
        for said in _match(facts, host, ip, talk, usable):
            # Unsigned records bind nobody yet (DANE-02 tells of them): nothing is lost until the zone is signed.
            unbound = proof is not None and not proof.secure and not proof.bogus
            yield warning(f"{said.message} (Not yet: the records are not signed.)", said.remedy) if unbound else said


def _match(facts: Facts, host: str, ip: str, talk: Talked, usable: list[Tlsa]) -> Iterator[Verdict]:
    own = talk.chain[0]
    if any(one.usage == 3 and own.matches(one.selector, one.matching, one.data) for one in usable):
        return
    anchored = [
        one
        for one in usable
        if one.usage == 2 and any(c.matches(one.selector, one.matching, one.data) for c in talk.chain)
    ]
    remedy = f"Publish: {_line(host, own)}"
    if not anchored and any(one.usage == 2 and one.matching == 0 for one in usable):
        # Whole, it may be an anchor that the server need not send (RFC 7671 §5.2.2).
        yield unknown(
            f"Whether the CA that stands in whole at {owner(host)} issued what {host} shows at {ip} is not looked at.",
            remedy,
        )
    elif not anchored:
        told = "; ".join(map(str, usable[:4]))
        if any(one.usage == 2 for one in usable):
            remedy = f"Have exim send the CA's certificate, too (`tls_certificate` with the whole chain), if it is that CA's. Else: {remedy}"
        yield error(
            f"No TLSA record at {owner(host)} ({told}) matches the certificate that {host} shows at {ip}: senders that follow DANE do not "
            "deliver.",
            remedy,
        )
    elif not own.holds(host):
        yield error(
            f"The TLSA record {anchored[0]} names a CA, but the certificate at {ip} is made out to {', '.join(own.names[:5]) or 'nobody'}, not "
            f"to {host}: senders that follow DANE do not deliver.",
            f"Get a certificate for {host}, or name its key. {remedy}",
        )
    elif not own.not_before <= facts.now < own.not_after:
        yield error(
            f"The TLSA record {anchored[0]} names a CA, but the certificate at {ip} is outside its time: senders that follow DANE do not deliver.",
            f"Renew the certificate, or name its key. {remedy}",
        )


def usages(facts: Facts, host: str) -> Iterator[Verdict]:
    """DANE-04: usage 2 or 3 (RFC 7672 §3.1.3), and nothing that can never match."""
    found = records(facts, host)
    if not found:
        yield MOOT
    instead = "" if any(record.usable for record in found) else f" {_advice(facts, host)}"
    for record in found:
        if record.usage in (0, 1):
            yield warning(
                f"The TLSA record {record} at {owner(host)} has usage {record.usage}, which SMTP does not use; most senders ignore it.",
                f"Take it away.{instead}",
            )
        elif not record.usable:
            yield warning(
                f"The TLSA record {record} at {owner(host)} can match no certificate.",
                f"Take it away.{instead}",
            )


def roll_over(facts: Facts, host: str) -> Iterator[Verdict]:
    """DANE-05: a second record, so that a new key does not have to wait for DNS."""
    usable = {record for record in records(facts, host) if record.usable}
    if not usable:
        yield MOOT
    elif len(usable) == 1 and all(record.usage == 2 for record in usable):
        yield from _one_of_several(facts, host, next(iter(usable)))
    elif len(usable) == 1:
        yield warning(
            f"Only one TLSA record stands for {host}. It is enough as long as the key stays; with a new key, mail waits until DNS has followed.",
            "Let renewals keep the key (certbot: `reuse_key = True`), or publish the record of the next key beside it, a TTL before it is used.",
        )


def _one_of_several(facts: Facts, host: str, record: Tlsa) -> Iterator[Verdict]:
    """A lone record of a CA that another CA has certified: public ones have several of these, and issue from any."""
    try:
        chains = [talk.chain for _, talk in secured(facts, host)]
    except Unanswered:
        return  # DANE-03 tells it
    for ca in dict.fromkeys(ca for chain in chains for ca in chain[1:]):
        if not ca.self_signed and ca.matches(record.selector, record.matching, record.data):
            yield info(
                f"The only TLSA record of {host} names the intermediate CA {ca.subject!r}: Let's Encrypt, like others, issues from several, and "
                "with a certificate from another, senders that follow DANE do not deliver.",
                f"If that CA is not yours, keep the key when renewing (certbot: `reuse_key = True`), and publish beside it: {_line(host, chains[0][0])}",
            )


CHECKS: tuple[Check, ...] = (
    Check("DANE-01", "TLSA records are there.", own_mx, of_mx(there)),
    Check("DANE-02", "The TLSA records are signed.", own_mx, of_mx(signed)),
    Check("DANE-03", "The TLSA records match the certificate.", own_mx, of_mx(shown)),
    Check("DANE-04", "The TLSA records are of use to mail.", own_mx, of_mx(usages)),
    Check("DANE-05", "The TLSA records are ready for the next key.", own_mx, of_mx(roll_over)),
)
