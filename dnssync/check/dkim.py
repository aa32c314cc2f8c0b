"""DKIM (RFC 6376, RFC 8301, RFC 8463): what exim signs, and whether receivers can verify it.

Here: the records of the keys that exim signs with. dkim_signers.py: what the probe saw exim sign with; dkim_life.py: keys in the course of time;
dkim_signed.py: test messages; dkim_keys.py: what stands in p=.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnssync.check import dkim_life, dkim_signed, dkim_signers
from dnssync.check.dkim_keys import ed25519_fault, raw_ed25519, rsa_bits, same_key
from dnssync.check.dkim_signers import record_name, signers
from dnssync.check.facts import Facts, sending, unanswered, zone_line
from dnssync.check.finding import MOOT, Verdict, error, unknown, warning
from dnssync.check.judging import Check
from dnssync.core import dkim
from dnssync.core.host import Signer
from dnssync.core.record import RecordError
from dnssync.core.sighting import Rcode

LEAST, GOOD, MOST = (
    1024,
    2048,
    4096,
)  # bits of an RSA key: RFC 8301; more than most verifiers and a single UDP answer bear


# --- DKIM-02, -03 -------------------------------------------------------------------------------------------------------


def record(facts: Facts, name: str) -> Iterator[Verdict]:
    """DKIM-02: the record of each key that exim signs with: one, a key record, and of this key, on every server."""
    used = signers(facts, name)
    answers = {record_name(signer): facts.ask(record_name(signer), "TXT") for signer in used}
    if not used:
        yield MOOT
    for signer in used:
        answer = answers[record_name(signer)]
        said: dict[str, list[str]] = {}
        replies = [reply for reply in answer.replies if reply.answered]
        for reply in replies:
            said.setdefault(_wrong(signer, reply.texts), []).append(reply.server)
        for fault, servers in said.items():
            if fault:
                where = f" That is what {', '.join(servers)} says." if len(servers) < len(replies) else ""
                remedy, fixable = _published(facts, signer)
                yield error(
                    f"exim signs mail of {name} with {signer.selector}, and {fault}{where}", remedy, fixable=fixable
                )
        if not answer.known:
            yield unknown(f"{unanswered(answer)}.")
        elif "" in said and not signer.public_key:
            yield unknown(
                f"Whether {record_name(signer)} has the key that exim signs with is not known: the private key could not be read."
            )


def _wrong(signer: Signer, texts: tuple[str, ...]) -> str:
    """What is wrong with a selector's records, a sentence that goes on; "" where nothing is."""
    at = record_name(signer)
    if not texts:
        return f"there is no record at {at}: nobody can verify it."
    if len(texts) > 1:
        return f"{len(texts)} TXT records stand at {at}: which of them a verifier takes is chance (RFC 6376 §3.6.2.2)."
    try:
        found = dkim.parse(texts[0])
    except RecordError as fault:
        return f'the record at {at} is no key record: {fault.sentence}. It reads "{_short(texts[0])}".'
    services = {part.strip() for part in found.s.split(":")} if found.s else {"*"}
    if not services & {"*", "email"}:
        return f"the record at {at} is not for mail: s={found.s}."
    if not found.p or not signer.public_key:
        return ""  # revoked: DKIM-05
    kind = "ed25519" if signer.algorithm == "ed25519" else "rsa"
    if (found.k or "rsa") != kind:
        return f"the record at {at} says k={found.k or 'rsa'}, but the key is {kind}."
    if not same_key(found.p, signer.public_key):
        return f"the record at {at} holds another key: no signature verifies."
    return ""


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:60]}…{text[-15:]}"


def _published(facts: Facts, signer: Signer) -> tuple[str, bool]:
    """The remedy "this is the record of the key that exim signs with"."""
    name = record_name(signer)
    if not signer.public_key:
        return f"Publish the public half of {signer.path} at {name}.", False
    kind = "ed25519" if signer.algorithm == "ed25519" else "rsa"
    text = f"v=DKIM1; k={kind}; p={signer.public_key}"
    wanted = facts.wanted(name, "TXT")
    if wanted is not None and dkim.is_revoked(wanted):
        return (
            "dnssync has withdrawn this key, so exim's map should name another one: `dnssync status` says why it does not.",
            False,
        )
    if wanted is not None and not dkim.same(wanted, text):
        return (
            f"{signer.path} is not the key that dnssync keeps for {name}: put the right file back, or publish its record: {zone_line(name, 'TXT', text)}",
            False,
        )
    return facts.publish(name, "TXT", text)


def denied(facts: Facts, name: str) -> Iterator[Verdict]:
    """DKIM-03: _domainkey is there for those who look whether a domain signs at all (NOERROR, RFC 8020)."""
    if not any(
        signer.domain == name for signer in signers(facts, name)
    ):  # a parent's keys are looked at where the parent is
        yield MOOT
        return
    answer = facts.ask(f"_domainkey.{name}", "TXT")
    servers = [reply.server for reply in answer.replies if reply.rcode is Rcode.NXDOMAIN]
    if servers:
        yield warning(
            f"{', '.join(servers)} says that _domainkey.{name} does not exist (NXDOMAIN): some receivers and checkers take that for "
            "a domain without DKIM, and may not ask for the selectors below it (RFC 8020).",
            f"Where no selector stands below it, `dnssync apply` publishes them. Where one does, the DNS provider is at fault; until it is "
            f"mended, any record there helps: {zone_line(f'_domainkey.{name}', 'TXT', 'DKIM keys stand below this name')}",
        )  # fmt: skip
    if not answer.known:
        yield unknown(f"{unanswered(answer)}.")


# --- DKIM-04, -05 -------------------------------------------------------------------------------------------------------


def _records(facts: Facts, name: str) -> Iterator[tuple[Signer, str, str]]:
    """(signer, name, text) of each record of the keys that exim signs with, as far as they are known."""
    used = signers(facts, name)
    answers = [(signer, record_name(signer), facts.ask(record_name(signer), "TXT")) for signer in used]
    for signer, at, answer in answers:
        for text in answer.texts:
            yield signer, at, text


def _not_seen(facts: Facts, name: str) -> Iterator[Verdict]:
    """Which of the records could not be looked up."""
    for signer in signers(facts, name):
        answer = facts.ask(record_name(signer), "TXT")
        if not answer.known:
            yield unknown(f"{unanswered(answer)}.")


def strength(facts: Facts, name: str) -> Iterator[Verdict]:
    """DKIM-04: receivers accept the keys: long enough, of a kind and in a form that they know."""
    if not signers(facts, name):
        yield MOOT
    for _, at, text in _records(facts, name):
        try:
            found = dkim.parse(text)
        except RecordError:
            continue  # DKIM-02
        if found.h and "sha256" not in {part.strip() for part in found.h.split(":")}:
            yield error(f"{at} says h={found.h}: exim signs with sha256, which no verifier may accept then (RFC 8301).",
                        f"Take h={found.h} out of the record.")  # fmt: skip
        if not found.p:
            continue  # DKIM-05
        if (found.k or "rsa") == "rsa":
            yield from _length(facts, name, at, rsa_bits(found.p))
        elif found.k == "ed25519" and (fault := ed25519_fault(found.p)):
            text = f"v=DKIM1; k=ed25519; p={raw_ed25519(found.p)}"
            remedy, fixable = facts.publish(at, "TXT", text)
            yield error(f"p= at {at} is {fault}.", remedy, fixable=fixable)
    for transport in facts.mail(name).transports:
        if transport.signers and all(signer.algorithm == "ed25519" for signer in transport.signers):
            yield warning(
                f"Mail of {name} is signed on transport {transport.name} with Ed25519 alone, which many receivers do not know (RFC 8463): "
                "to them it is unsigned.",
                "Add an RSA key: `dkim: {algorithms: [rsa2048, ed25519]}` in dnssync's configuration.",
            )  # fmt: skip
    yield from _not_seen(facts, name)


def _length(facts: Facts, name: str, at: str, bits: int | None) -> Iterator[Verdict]:
    ours = any(transport.uses_map for transport in facts.mail(name).transports)
    take_over = f"{'' if ours else '`dnssync exim --install` and '}`dnssync rotate {name}`"
    anew = f"Make a new key of 2048 bits: `dkim: {{algorithms: [rsa2048, ed25519]}}` in dnssync's configuration, then {take_over}."
    if bits is None:
        yield error(f"p= at {at} holds no RSA public key, so nothing can be verified with it.", anew)
    elif bits < LEAST:
        yield error(f"The RSA key at {at} has {bits} bits: no verifier may accept fewer than {LEAST} (RFC 8301).", anew)
    elif bits < GOOD:
        yield warning(f"The RSA key at {at} has {bits} bits; signers should use {GOOD} (RFC 8301).", anew)
    elif bits > MOST:
        yield warning(f"The RSA key at {at} has {bits} bits: verifiers need not take more than {MOST} (RFC 8301), and its record is too long "
                      "for one UDP answer.", anew)  # fmt: skip


def flags(facts: Facts, name: str) -> Iterator[Verdict]:
    """DKIM-05: what a record says beside the key: a test, no sub-domains, withdrawn; and quotes that a provider put into it."""
    if not signers(facts, name):
        yield MOOT
    for signer, at, text in _records(facts, name):
        try:
            found = dkim.parse(text)
        except RecordError:  # DKIM-02 says so; a note (n=) may have quotes in it, and then it is read all the same
            if '"' in text or "\\" in text:
                remedy, fixable = _published(facts, signer)
                yield error(
                    f'Quotes or backslashes stand inside the value at {at}: "{_short(text)}". The provider took the quotes of the zone file '
                    "for a part of it.",
                    f"Enter the text without any quotes. {remedy}",
                    fixable=fixable,
                )
            continue
        marks = {part.strip() for part in found.t.split(":")}
        if not found.p:
            remedy, fixable = _published(facts, signer)
            yield error(f"exim signs with {signer.selector}, whose record at {at} says that the key is withdrawn (empty p=): no signature verifies.",
                        remedy, fixable=fixable)  # fmt: skip
        if "y" in marks:
            yield warning(f"{at} says t=y: the domain only tries DKIM out, and receivers treat its mail as if it were unsigned (RFC 6376 §3.6.1).",
                          "Take t=y out of the record.")  # fmt: skip
        if "s" in marks:
            yield from dkim_signed.other_identity(facts, name, at)
    yield from _not_seen(facts, name)


CHECKS: tuple[Check, ...] = (
    Check("DKIM-01", "exim signs, with keys that it can open.", sending, dkim_signers.unsigned),
    Check("DKIM-02", "Each key that exim signs with has its record.", sending, record),
    Check("DKIM-03", "_domainkey exists.", sending, denied),
    Check("DKIM-04", "The keys are of a kind and a length that receivers take.", sending, strength),
    Check("DKIM-05", "The key records say nothing that weakens them.", sending, flags),
    Check("DKIM-06", "No key is too old, and old ones leave in time.", sending, dkim_life.ages),
    Check("DKIM-07", "Test messages of exim's are signed, verify, and are aligned.", sending, dkim_signed.messages),
    Check("TTL-01", "Key records live for an hour at most while keys change.", sending, dkim_life.ttl),
)
