"""MTA-STS (RFC 8461): the record, the policy at its HTTPS address, and whether both fit the MX records."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from dnssync.check.facts import Facts, Unanswered, Wish, addresses, sending, zone_line
from dnssync.check.finding import MOOT, Verdict, info, unknown, warning
from dnssync.check.judging import Check
from dnssync.check.talking import exchanges

MODES = ("enforce", "testing", "none")
DAY = 86400
LONGEST = 31557600  # seconds, RFC 8461 §3.2
_ID = re.compile(r"[A-Za-z0-9]{1,32}")


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of fetching a policy: `text`, or `trouble` (a sentence without its final dot). `type`: the media type. `ip`: where the
    trouble was, `here`: whether that is on one of this host's interfaces."""

    text: str = ""
    trouble: str = ""
    type: str = "text/plain"
    ip: str = ""
    here: bool = True


@dataclass(frozen=True, slots=True)
class Policy(Wish[Fetched]):
    """The policy of a domain, from https://mta-sts.DOMAIN/.well-known/mta-sts.txt."""

    domain: str


@dataclass(frozen=True, slots=True)
class Terms:
    """A policy as read. `max_age` in seconds, None where it is missing or no number; `faults`: what RFC 8461 §3.2 does not allow."""

    mode: str
    mx: tuple[str, ...]
    max_age: int | None
    faults: tuple[str, ...]


def parsed(text: str) -> Terms:
    """A policy from its text (RFC 8461 §3.2): `key: value` lines; of a key other than mx the first counts."""
    fields: dict[str, str] = {}
    mx: list[str] = []
    faults: list[str] = []
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        key, value = key.strip(), value.strip()
        if not colon and line.strip():
            faults.append(f"the line {line.strip()[:60]!r} is no `key: value`")
        elif key == "mx":
            mx.append(value.lower().rstrip("."))
        elif colon:
            fields.setdefault(key, value)
    if fields.get("version") != "STSv1":
        faults.append("it has no `version: STSv1`")
    mode = fields.get("mode", "")
    if mode not in MODES:
        faults.append(f"its mode is {mode!r}" if mode else "it has no mode")
    age = fields.get("max_age", "")
    max_age = int(age) if re.fullmatch(r"[0-9]{1,10}", age) else None
    if max_age is None or max_age > LONGEST:
        faults.append(f"its max_age {age!r} is no number of seconds up to {LONGEST}" if age else "it has no max_age")
    if not mx and mode != "none":
        faults.append("it names no mx")
    wrong = [name for name in mx if not re.fullmatch(r"(\*\.)?([a-z0-9_]([a-z0-9_-]*[a-z0-9])?\.)+[a-z0-9-]+", name)]
    faults += [f"`mx: {name[:60]}` is no host name" for name in wrong]
    return Terms(mode, tuple(dict.fromkeys(mx)), max_age, tuple(faults))


def covers(pattern: str, host: str) -> bool:
    """Whether an mx of a policy covers a host (RFC 8461 §4.1): `*.` stands for one label."""
    return pattern == host or (pattern.startswith("*.") and host.partition(".")[2] == pattern[2:])


# --- the record ---------------------------------------------------------------------------------------------------------


def owner(domain: str) -> str:
    """Where the record stands."""
    return f"_mta-sts.{domain}"


def records(facts: Facts, domain: str) -> tuple[str, ...]:
    """Those texts that senders take for MTA-STS records (RFC 8461 §3.1). Raises `Unanswered`."""
    return tuple(text for text in facts.texts(owner(domain), "TXT") if re.match(r"v=STSv1[ \t]*(;|$)", text))


def id_of(text: str) -> str | None:
    """The id of a record, None where the record is not valid."""
    fields = [field.strip(" \t") for field in text.split(";")]
    if fields and not fields[-1]:
        fields.pop()
    pairs = [
        re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,31})=([\x21-\x3a\x3c\x3e-\x7e]+)", field) for field in fields[1:]
    ]
    ids = [match[2] for match in pairs if match and match[1] == "id"]
    return ids[0] if all(pairs) and len(ids) == 1 and _ID.fullmatch(ids[0]) else None


def published(facts: Facts, domain: str) -> bool:
    """Whether a domain has a valid record, as far as is known."""
    answer = facts.ask(owner(domain), "TXT")
    found = [text for text in answer.texts if text.startswith("v=STSv1")] if answer.known else []
    return len(found) == 1 and id_of(found[0]) is not None


def record(facts: Facts, domain: str) -> Iterator[Verdict]:
    """STS-01: one record with a valid id."""
    mx = facts.ask(domain, "MX")
    found = records(facts, domain)
    fresh = f"{facts.now}"
    line = f"Publish: {zone_line(owner(domain), 'TXT', f'v=STSv1; id={fresh};')}"
    if len(found) > 1:
        yield warning(
            f"{len(found)} MTA-STS records stand at {owner(domain)}; senders then take it that there is none.",
            "Keep one of them.",
        )
    elif found and id_of(found[0]) is None:
        yield warning(f"The MTA-STS record at {owner(domain)} is not valid: {found[0]!r}.", line)
    elif not found:
        stray = facts.texts(owner(domain), "TXT")
        hosts = [host for host in exchanges(mx.texts) if host] if mx.known else []
        if stray:
            yield warning(f"What stands at {owner(domain)} is no MTA-STS record: {stray[0][:80]!r}.", line)
        elif hosts:
            policy = ["version: STSv1", "mode: testing", *(f"mx: {host}" for host in hosts), "max_age: 604800"]
            yield info(
                f"{domain} has no MTA-STS: senders cannot insist on TLS to its mail servers.",
                "\n".join([f"Serve these lines at {_where(domain)}:", *policy, f"Then {line[0].lower()}{line[1:]}"]),
            )
        else:
            facts.texts(domain, "MX")  # who takes the mail has to be known
            yield MOOT


# --- the policy ---------------------------------------------------------------------------------------------------------


def _where(domain: str) -> str:
    return f"https://mta-sts.{domain}/.well-known/mta-sts.txt"


def _terms(facts: Facts, domain: str) -> Terms | None:
    """The policy, None where none is published or none can be had (STS-01, STS-02 say so)."""
    if not records(facts, domain):
        return None
    fetched = facts.find(Policy(domain))
    return None if fetched.trouble else parsed(fetched.text)


def fetched(facts: Facts, domain: str) -> Iterator[Verdict]:
    """STS-02: the policy can be had, and read."""
    if not records(facts, domain):
        yield MOOT
        return
    came = facts.find(Policy(domain))
    if came.trouble and not came.here and came.ip in addresses(facts):
        yield unknown(
            f"Whether {_where(domain)} can be had is not known: {came.trouble}; {came.ip} is ours, but on no interface (NAT).",
            f"From another network: `curl {_where(domain)}`.",
        )
        return
    if came.trouble:
        yield warning(
            f"The MTA-STS policy at {_where(domain)} cannot be had: {came.trouble}.",
            f"Serve it there with a certificate for mta-sts.{domain}, without a redirect. Or take {owner(domain)} away.",
        )
        return
    if came.type != "text/plain":
        yield warning(f"{_where(domain)} is served as {came.type or 'no type at all'}; senders want text/plain.",
                      "Set the media type text/plain for that file.")  # fmt: skip
    faults = parsed(came.text).faults
    if faults:
        yield warning(
            f"The MTA-STS policy at {_where(domain)} is not valid: {'; '.join(faults[:4])}.",
            "See RFC 8461 §3.2 for its form.",
        )


def mode(facts: Facts, domain: str) -> Iterator[Verdict]:
    """STS-03: a policy that protects."""
    terms = _terms(facts, domain)
    if terms is None or terms.mode not in MODES:
        yield MOOT
    elif terms.mode != "enforce":
        meaning = "senders only report" if terms.mode == "testing" else "senders ignore it"
        yield warning(
            f"The MTA-STS policy of {domain} has mode {terms.mode}: {meaning}.",
            f"Once the TLS reports show no failure, write `mode: enforce` and then change the id: {zone_line(owner(domain), 'TXT', f'v=STSv1; id={facts.now};')}",
        )


def age(facts: Facts, domain: str) -> Iterator[Verdict]:
    """STS-04: senders remember the policy for at least a day."""
    terms = _terms(facts, domain)
    if terms is None or terms.max_age is None or terms.mode == "none":
        yield MOOT
    elif terms.max_age < DAY:
        yield warning(
            f"The MTA-STS policy of {domain} may be forgotten after {terms.max_age} seconds; an attacker need only wait.",
            f"Write `max_age: 604800` (a week) or more, and then change the id: {zone_line(owner(domain), 'TXT', f'v=STSv1; id={facts.now};')}",
        )


def servers(facts: Facts, domain: str) -> Iterator[Verdict]:
    """STS-05: policy and MX records name the same servers."""
    terms = _terms(facts, domain)
    targets = exchanges(facts.texts(domain, "MX"))
    hosts = [host for host in targets if host] or ([] if targets else [domain])  # RFC 5321 §5.1: without MX, itself
    if not hosts or terms is None or terms.mode not in ("enforce", "testing") or not terms.mx:
        yield MOOT
        return
    bare = [host for host in hosts if not any(covers(pattern, host) for pattern in terms.mx)]
    idle = [pattern for pattern in terms.mx if not any(covers(pattern, host) for host in hosts)]
    if bare:
        told = (
            "senders do not deliver to it"
            if terms.mode == "enforce"
            else "with mode enforce, senders would not deliver to it"
        )
        yield warning(
            f"The MTA-STS policy of {domain} does not name its MX {', '.join(bare[:5])}: {told}.",
            "Add " + ", ".join(f"`mx: {host}`" for host in bare[:5]) + f" to {_where(domain)}, and then change the id.",
        )
    if idle:
        yield warning(
            f"The MTA-STS policy of {domain} names {', '.join(idle[:5])}, which is no MX of it.",
            "Take "
            + ", ".join(f"`mx: {name}`" for name in idle[:5])
            + f" out of {_where(domain)}, and then change the id.",
        )


# --- the id -------------------------------------------------------------------------------------------------------------


def _now(facts: Facts, domain: str) -> tuple[str, str] | None:
    """The id and the digest of the policy as they are now."""
    found = records(facts, domain)
    id_ = id_of(found[0]) if len(found) == 1 else None
    if id_ is None:
        return None
    came = facts.find(Policy(domain))
    return (
        None if came.trouble else (id_, hashlib.sha256(came.text.encode("utf-8", "surrogateescape")).hexdigest()[:32])
    )


def changed(facts: Facts, domain: str) -> Iterator[Verdict]:
    """STS-06: a policy that changed has a new id, else senders keep the old one."""
    now, before = _now(facts, domain), facts.remembered.get(domain, "").split()
    if now is None or len(before) != 2:
        yield MOOT
    elif before[0] == now[0] and before[1] != now[1]:
        yield warning(
            f"The MTA-STS policy of {domain} has changed, but its id is still {now[0]}: senders keep the old policy.",
            f"Publish: {zone_line(owner(domain), 'TXT', f'v=STSv1; id={facts.now};')}",
        )


def remember(facts: Facts) -> dict[str, str]:
    """What `Facts.remembered` is to hold the next time: for each domain `id digest`, of the policy for which the id was made. A domain
    whose policy is not known now keeps what it had."""
    kept = {}
    for domain in sending(facts):
        before = facts.remembered.get(domain, "")
        try:
            now = _now(facts, domain)
        except Unanswered:
            now = None
        if now is not None and before.split()[:1] != [now[0]]:
            before = " ".join(now)
        if before:
            kept[domain] = before
    return kept


CHECKS: tuple[Check, ...] = (
    Check("STS-01", "One valid MTA-STS record.", sending, record),
    Check("STS-02", "The MTA-STS policy can be fetched.", sending, fetched),
    Check("STS-03", "The MTA-STS policy is enforced.", sending, mode),
    Check("STS-04", "The MTA-STS policy is remembered for long enough.", sending, age),
    Check("STS-05", "The MTA-STS policy names the MX, and no others.", sending, servers),
    Check("STS-06", "The id of MTA-STS changes with the policy.", sending, changed),
)
