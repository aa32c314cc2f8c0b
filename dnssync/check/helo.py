"""The names that exim greets with (RFC 5321 §4.1.1.1), as a receiver looks them up."""

from __future__ import annotations

from collections.abc import Iterator

from dnssync.check.exchanges import folded, resolve
from dnssync.check.facts import Facts, Unanswered, helos
from dnssync.check.finding import MOOT, Verdict, error, unknown, warning
from dnssync.check.judging import Check
from dnssync.check.own import leaving
from dnssync.check.reverse import changing
from dnssync.core.spf_check import check


def _several(facts: Facts) -> bool:
    """Whether different connections may have different greetings, so that a name need not go with every address."""
    return changing(facts) or len(helos(facts)) > 1


def _unheard(facts: Facts) -> bool:
    """Whether no mail leaves but through smarthosts, which know this host otherwise. Where that is not known, it is heard."""
    try:
        return not leaving(facts)
    except Unanswered:
        return False


def _known(facts: Facts) -> tuple[str, ...]:
    """The addresses that mail leaves from, as far as they are known."""
    try:
        return leaving(facts)
    except Unanswered:
        return ()


def resolves(facts: Facts, helo: str) -> Iterator[Verdict]:
    """HELO-01: the greeting is a full name, and has the address that mail comes from."""
    name = folded(helo)
    if _unheard(facts):
        yield MOOT
        return
    if facts.seen is None:
        raise Unanswered(facts.trouble)  # what is known of the name is what the system says
    if "." not in name or (facts.seen is not None and not facts.seen.host.helo):
        yield error(
            f"exim does not greet with a full name (this host calls itself {helo}): many receivers refuse such a greeting.",
            "Set `primary_hostname` (and `helo_data`, where a transport has one) to a name that DNS has an address for.",
        )
        return
    resolved = resolve(facts, name)
    perhaps = facts.seen is not None and changing(facts) and name == folded(facts.hostname)
    if not resolved.addresses and not resolved.trouble:
        remedy = _records(name, _known(facts))
        if perhaps:
            yield unknown(
                f"exim's greeting depends on the connection. Where it is {name}, it has no address in DNS.", remedy
            )
        else:
            yield error(
                f"exim greets as {name}, which has no address in DNS: many receivers refuse such a greeting.", remedy
            )
        return
    ours = leaving(facts)
    missing = [ip for ip in ours if ip not in resolved.addresses]
    if not missing:
        return
    elif resolved.trouble:
        raise Unanswered(resolved.trouble)
    elif len(missing) == len(ours) and perhaps:
        yield unknown(
            f"exim's greeting depends on the connection. Where it is {name}, it has the address {', '.join(resolved.addresses)}, but mail "
            f"leaves from {', '.join(ours)}.",
            _records(name, missing),
        )
    elif len(missing) == len(ours):
        yield error(
            f"exim greets as {name}, which has the address {', '.join(resolved.addresses)}, but mail leaves from {', '.join(ours)}.",
            _records(name, missing),
        )
    elif not _several(facts):
        four = [ip for ip in missing if ":" not in ip]
        if four:  # an IPv6 address without AAAA: A-02
            yield warning(
                f"exim greets as {name} also where mail leaves from {', '.join(four)}, which that name does not have.",
                _records(name, four),
            )


def _records(name: str, ips: tuple[str, ...] | list[str]) -> str:
    lines = [f"{name}. IN {'AAAA' if ':' in ip else 'A'} {ip}" for ip in ips]
    return (
        f"Publish: {'; '.join(lines)}" if lines else f"Publish the address that mail leaves from: {name}. IN A ADDRESS"
    )


def passes(facts: Facts, helo: str) -> Iterator[Verdict]:
    """HELO-02: SPF passes for the greeting, which is what bounces are judged by (RFC 7208 §2.4)."""
    name = folded(helo)
    ours = leaving(facts)
    if "." not in name or not ours:
        yield MOOT
        return
    results = {ip: check(None, ip=ip, domain=name, sender="", helo=name, dns=facts.dns) for ip in ours}
    bad = {ip: found for ip, found in results.items() if found.result != "pass"}
    if not bad or (len(bad) < len(ours) and _several(facts)):
        return
    silent = sorted({asked for found in bad.values() if found.result == "temperror" for asked in found.unknown})
    wrong = {ip: found.result for ip, found in bad.items() if found.result != "temperror"}
    terms = " ".join(f"ip{6 if ':' in ip else 4}:{ip}" for ip in ours)
    published = set(resolve(facts, name).addresses)
    remedy, fixable = facts.publish(name, "TXT", "v=spf1 a -all" if set(ours) <= published else f"v=spf1 {terms} -all")
    if set(wrong.values()) == {"none"}:
        yield warning(f"{name}, which exim greets with, has no SPF record: bounces, which have no other sender, pass no SPF.", remedy, fixable=fixable)  # fmt: skip
    elif wrong:
        told = "; ".join(f"{result} for {ip}" for ip, result in wrong.items())
        yield warning(
            f"The SPF record of {name}, which exim greets with, does not pass all mail of this host: {told}.",
            remedy if fixable or "permerror" in wrong.values() else f"Add to that record, before its `all`: {terms}",
            fixable=fixable,
        )
    if silent:
        yield unknown(f"SPF at {name} could not be evaluated to its end: nobody answers for {', '.join(silent)}.")


CHECKS: tuple[Check, ...] = (
    Check("HELO-01", "It is a full name that has the addresses mail leaves from.", helos, resolves),
    Check("HELO-02", "Its SPF record passes this host.", helos, passes),
)
