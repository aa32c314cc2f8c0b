"""From the log: which domains' mail left here in the last week, how, and whether that is as it should be.

What the log cannot tell is told as a judgement: what exim would sign such mail with now (the effective-signer probe), for a message
whose From: is the envelope sender's domain.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from dnssync.check.dkim_elsewhere import depends, elsewhere
from dnssync.check.exim_signing import some
from dnssync.check.facts import Facts, Unanswered
from dnssync.check.finding import MOOT, Verdict, error, unknown, warning
from dnssync.check.judging import Check
from dnssync.check.log_lines import NOBODY, UNTOLD, Counting, Log, Logged, Sent
from dnssync.core.host import Transport
from dnssync.core.model import zone_of
from dnssync.core.spf_check import check

# What receivers never see as the sender's address: who sends from one stands behind NAT (RFC 1918, 6598, 4193, 3927, 4291).
_INNER = tuple(
    map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8",
                               "fc00::/7", "fe80::/10", "::1/128")),
)  # fmt: skip


class Signed(StrEnum):
    """Whether mail was signed, as far as anybody can tell. `SELECTED`: the log says that exim chose to (no proof); `WOULD`: it would be now; `LOST`: it would
    be, and the key cannot be used; `NO`: it would not be; `BARE`: the log says that some was not."""

    SELECTED = "selected"
    WOULD = "would be"
    LOST = "key unusable"
    NO = "no"
    BARE = "some not"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Row:
    """One domain's mail of the last days. `transports`, `addresses`: messages by each, the latter empty where the log does not tell; `own`: how many were handed in
    here. `signed` with `why`, a sentence; `zone`: the configured zone that covers it, "" = none. `mapped`: exim's map has a line for it."""

    domain: str
    messages: int
    own: int
    transports: Mapping[str, int]
    addresses: Mapping[str, int]
    signed: Signed
    why: str
    zone: str
    mapped: bool


@dataclass(frozen=True, slots=True)
class LogReport:
    """The table, the most mail first, and what it rests on. `messages` in all; `bounces`: of them without a sender; `untold`: whose sender the log
    does not tell; `passed`: what only passed through (forwarded mail of others)."""

    since: str
    oldest: str
    newest: str
    files: tuple[str, ...]
    notes: tuple[str, ...]
    lines: int
    messages: int
    bounces: int
    untold: int
    passed: int
    rows: tuple[Row, ...] = field(default_factory=tuple)


def from_log(facts: Facts, lines: Iterable[str], *, since: str = "", verbose: bool = False) -> LogReport:
    """The report over lines of a mainlog, the oldest first; `since` as the log writes times."""
    counting = Counting(since, verbose=verbose)
    counting.read(lines)
    rows = counting.result()
    return report(facts, Logged(since, (), rows, counting.lines, counting.oldest, counting.newest, (), verbose))


def report(facts: Facts, log: Logged) -> LogReport:
    """What the log tells beside what is known."""
    rows = [row for row in (_row(facts, log, name) for name in log.domains) if row is not None]
    left = _leaving(facts, log.rows)
    bounces, untold = (sum(one.messages for one in left if one.domain == name) for name in (NOBODY, UNTOLD))
    total = sum(one.messages for one in left)
    return LogReport(
        log.since, log.oldest, log.newest, log.files, log.notes, log.lines, total, bounces, untold,
        total - sum(row.messages for row in rows) - bounces - untold,
        tuple(sorted(rows, key=lambda row: (-row.messages, row.domain))),
    )  # fmt: skip


def _leaving(facts: Facts, sent: Iterable[Sent]) -> list[Sent]:
    """What really left: not what was handed to a filter on this machine, which gives it back. A tunnel is told from one by that the routers
    know no other way out."""
    return [one for one in sent if not one.here or _tunnel(facts, one)]


def _tunnel(facts: Facts, sent: Sent) -> bool:
    mail = facts.seen.host.domain(sent.domain) if facts.seen is not None else None
    if mail is not None:
        return any(transport.name == sent.transport for transport in mail.transports)
    return _transport(facts, sent.transport) is not None


def _ours(facts: Facts, name: str) -> bool:
    """Whether a name is one of exim's own domains, or of a configured zone's."""
    mail = facts.seen.host.domain(name) if facts.seen is not None else None
    return (mail is not None and mail.local) or zone_of(name, facts.configured) is not None


def _row(facts: Facts, log: Logged, name: str) -> Row | None:
    """The row of a domain; None where nothing of it left, or it only passed through and the domain is not ours."""
    sent = _leaving(facts, log.of(name))
    if not sent or not (_ours(facts, name) or any(one.own for one in sent)):
        return None
    signed, why = _signed(facts, name, sent)
    return Row(
        domain=name,
        messages=sum(one.messages for one in sent),
        own=sum(one.messages for one in sent if one.own),
        transports=_sum((one.transport, one.messages) for one in sent),
        addresses=_sum(pair for one in sent for pair in one.addresses.items()),
        signed=signed,
        why=why,
        zone=zone_of(name, facts.configured) or "",
        mapped=facts.seen is not None and name in facts.seen.map,
    )


def _sum(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, number in pairs:
        found[name] = found.get(name, 0) + number
    return found


# --- signed or not ------------------------------------------------------------------------------------------------------


def _signed(facts: Facts, name: str, sent: Sequence[Sent]) -> tuple[Signed, str]:
    """The worst of a domain's ways out, and why."""
    order = (Signed.BARE, Signed.NO, Signed.LOST, Signed.UNKNOWN, Signed.WOULD, Signed.SELECTED)
    return min((_way(facts, name, one) for one in sent), key=lambda pair: order.index(pair[0]))


def _way(facts: Facts, name: str, sent: Sent) -> tuple[Signed, str]:
    if sent.bare:
        return (
            Signed.BARE,
            f"{sent.bare} of {sent.messages} went through {sent.transport} and the log names no signature (DKIM=)",
        )
    if sent.selected:
        return (
            Signed.SELECTED,
            f"the log says that exim chose {some(tuple(sent.selected))}, which is no proof that it signed",
        )
    if facts.seen is None:
        return Signed.UNKNOWN, f"exim could not be asked: {facts.trouble}"
    mail = facts.seen.host.domain(name)
    if mail is not None:
        by_name = {transport.name: transport for transport in mail.transports}
        if sent.transport in by_name:
            return _probed(by_name[sent.transport], name)
    found = _transport(facts, sent.transport)
    if found is None:
        return Signed.UNKNOWN, f"{sent.transport} is no transport that mail leaves through as exim is configured now"
    if not found.can_sign or (not found.options.get("dkim_domain") and not found.uses_map):
        return Signed.NO, f"{found.name} signs nothing"
    if not found.uses_map:
        return Signed.UNKNOWN, f"exim was not asked what {found.name} signs for it"
    held = zone_of(name, facts.seen.map)
    if held is None:
        return Signed.NO, "it is not in exim's map"
    return Signed.WOULD, f"as things stand, with the keys of {held}"


def _probed(transport: Transport, name: str) -> tuple[Signed, str]:
    if transport.problem:
        return Signed.UNKNOWN, transport.problem
    if not transport.signers and (names := depends(transport)):
        return Signed.UNKNOWN, f"what {transport.name} signs depends on {', '.join(names)}, which the log does not have"
    if not transport.signers:
        return Signed.NO, f"{transport.name} signs nothing for it as things stand"
    lost = [signer for signer in transport.signers if signer.problem]
    if lost:
        return Signed.LOST, lost[0].problem
    names = tuple(dict.fromkeys(signer.selector for signer in transport.signers))
    return Signed.WOULD, f"as things stand, with {some(names)}"


def _transport(facts: Facts, name: str) -> Transport | None:
    told = facts.seen.host.domains if facts.seen is not None else ()
    return next((transport for mail in told for transport in mail.transports if transport.name == name), None)


# --- checks -------------------------------------------------------------------------------------------------------------


def senders(facts: Facts) -> tuple[str, ...]:
    """The domains of the log; this host where there are none, or the log cannot be read."""
    try:
        log = facts.find(Log())
    except Unanswered:
        return (facts.hostname,)
    return tuple(row.domain for row in report(facts, log).rows) or (facts.hostname,)


def _rowed(facts: Facts, name: str) -> Row | None:
    """The row of a domain. Raises `Unanswered` where the log cannot be read."""
    return _row(facts, facts.find(Log()), name)


def unsigned(facts: Facts, name: str) -> Iterator[Verdict]:
    """LOG-01: mail that was handed in here left without a signature."""
    row = _rowed(facts, name)
    if row is None or not row.own:
        return
    left = f"{row.own} message{'s' * (row.own != 1)} of {name} left in the last days"
    if row.signed is Signed.BARE:
        yield warning(
            f"{left}; {row.why}.",
            "Was another From: used than the envelope sender? EXIM-01, EXIM-06 and EXIM-07 tell what keeps exim from signing.",
        )
    elif row.signed is Signed.NO and elsewhere(facts, name):
        return  # not this host is meant to sign it
    elif row.signed in (Signed.NO, Signed.LOST):
        yield warning(
            f"{left}, unsigned as far as can be told: {row.why}.".replace("..", "."),
            "See EXIM-01, EXIM-06 and EXIM-07 for what keeps exim from signing it."
            if row.zone
            else "Add its zone to dnssync's configuration, or let it be sent from a domain that is looked after.",
        )
    elif row.signed is Signed.UNKNOWN:
        yield unknown(f"{left}; whether it was signed is not known: {row.why}.".replace("..", "."))


def uncovered(facts: Facts, name: str) -> Iterator[Verdict]:
    """LOG-02: mail was handed in here from a domain that dnssync does not look after."""
    row = _rowed(facts, name)
    if row is not None and row.own and not row.zone:
        yield warning(
            f"{row.own} message{'s' * (row.own != 1)} from {name} left here in the last days, and no configured zone covers it.",
            f"Add the zone that holds {name}, with its provider, to dnssync's configuration; or see who sends from it: `exigrep '@{name}' /var/log/exim4/mainlog`.",
        )


def unauthorised(facts: Facts, name: str) -> Iterator[Verdict]:
    """LOG-03: an address that mail really left from, and that SPF of its sender does not pass."""
    row = _rowed(facts, name)
    if row is None or not row.zone:
        yield MOOT
        return
    mail = facts.seen.host.domain(name) if facts.seen is not None else None
    if mail is not None and mail.smarthosts and not mail.addresses:
        yield MOOT  # receivers see the relay's address, not this host's
        return
    outer = [address for address in row.addresses if not _inner(address)]
    if not outer:
        yield MOOT  # the log does not tell, or NAT stands between
        return
    helo = next(iter(facts.seen.host.helo), facts.hostname) if facts.seen is not None else facts.hostname
    for address in outer:
        got = check(None, ip=address, domain=name, sender=f"postmaster@{name}", helo=helo, dns=facts.dns)
        many = row.addresses[address]
        said = f"{many} message{'s' * (many != 1)} from {name} left from {address}"
        if got.unknown or got.result == "temperror":
            yield unknown(f"{said}; whether SPF passes that address could not be looked up: {some(got.unknown)}.")
        elif got.result != "pass" and mail is not None and mail.smarthosts:
            yield unknown(
                f"{said}, to which SPF of {name} says {got.result}; receivers see another address where {some(mail.smarthosts)} took it."
            )
        elif got.result != "pass":
            yield error(
                f"{said}, and SPF of {name} says {got.result} to that address.",
                f"Add ip{ipaddress.ip_address(address).version}:{address} to the SPF record of {name} (`addresses:` or `spf: extra:` in dnssync's configuration), or bind exim to another address (REMOTE_SMTP_INTERFACE).",
            )


def _inner(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return True
    return any(address in network for network in _INNER if network.version == address.version)


CHECKS: tuple[Check, ...] = (
    Check("LOG-01", "Nothing in the log left unsigned, as far as can be told.", senders, unsigned, asked=True),
    Check("LOG-02", "A configured zone covers it.", senders, uncovered, asked=True),
    Check("LOG-03", "SPF passes each address that the log names.", senders, unauthorised, asked=True),
)
