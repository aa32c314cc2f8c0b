"""What our own mail server says on port 25, and to strangers' mail (RFC 5321 §2.3.5, §4.5.1; RFC 2142 §5)."""

from __future__ import annotations

from collections.abc import Iterator

from dnssync.check.facts import Facts, Failed
from dnssync.check.finding import Verdict, info, unknown, warning
from dnssync.check.judging import Check
from dnssync.check.talking import MOST, Reply, Taken, all_own, needed, own_mx, own_names, talks, users

ELSEWHERE = "someone@example.com"  # RFC 2606: nobody's, and no domain of ours
ROLES = ("postmaster", "abuse")
SHOWN = 5  # addresses named in one message


def talked(facts: Facts, host: str) -> Iterator[Verdict]:
    """MX-07: a stranger's view of port 25."""
    recipients = [f"{role}@{name}" for name in _here(facts, host) for role in ROLES]
    for recipient in (ELSEWHERE, *recipients):
        facts.have(Taken(recipient))  # asked for before anything is looked at
    if host in own_names(facts) and (left := all_own(facts)[MOST:]):
        yield unknown(
            f"{len(left)} more names of this host stand in MX records and are not talked to, such as {left[0]}."
        )
    yield from _relay(facts)
    yield from _roles(facts, recipients)
    needed(facts, host)
    for ip, talk in talks(facts, host):
        if talk.trouble and talk.passing:
            yield unknown(
                f"Port 25 of {host} takes the connection at {ip}, but not this talk: {talk.trouble}. Others may fare otherwise: delays, "
                "limits and ACLs go by who connects.",
                f"From another network: `nc -v {ip} 25`.",
            )
        elif talk.trouble and talk.here:
            yield warning(
                f"Nothing takes mail for {host} at {ip}, port 25: {talk.trouble}.",
                "Have exim listen there: see `exim -bP local_interfaces daemon_smtp_ports`, and `dc_local_interfaces` in "
                "/etc/exim4/update-exim4.conf.conf; a packet filter may close the port.",
            )
        elif talk.trouble or talk.through:
            # Behind NAT it never will be seen from inside; where the server itself answers, that is no reason to be called for each day.
            tell = unknown if talk.trouble else info
            why = talk.trouble or f"{talk.through} answers in its place"
            yield tell(
                f"Whether port 25 of {host} is open at {ip} cannot be seen from here, where that address is on no interface: {why}.",
                f"From another network: `nc -v {ip} 25`.",
            )
        if not talk.trouble:
            yield from _names(facts, host, ip, talk.banner, talk.greeted)


def _here(facts: Facts, host: str) -> tuple[str, ...]:
    """The domains that use this exchanger and that exim has."""
    if facts.seen is None:
        return ()
    mails = [(name, facts.seen.host.domain(name)) for name in users(facts, host)]
    return tuple(name for name, mail in mails if mail is not None and mail.local)


def _names(facts: Facts, host: str, ip: str, banner: str, greeted: str) -> Iterator[Verdict]:
    known = {host, *own_names(facts)}
    for what, name in (("banner", banner), ("answer to EHLO", greeted)):
        if name not in known or "." not in name:
            full = facts.hostname if "." in facts.hostname else host
            yield warning(
                f"The {what} at {ip}, port 25, names {name or 'nobody'!r}, not {full}.",
                f"Set `primary_hostname = {full}` in exim (Debian: MAIN_HARDCODE_PRIMARY_HOSTNAME), and leave `smtp_banner` to begin with "
                "`$smtp_active_hostname`.",
            )


def _relay(facts: Facts) -> Iterator[Verdict]:
    reply = facts.have(Taken(ELSEWHERE))
    if isinstance(reply, Failed):
        yield unknown(f"Whether exim relays for strangers is not known: {reply.reason}.")
    elif isinstance(reply, Reply) and reply.code < 400:
        yield warning(
            f"exim is an open relay: it takes mail for {ELSEWHERE}, no domain of this host, from an address that it does not know.",
            "`exim -bh 192.0.2.77` shows which statement of the ACL accepts it; look at `exim -bP +relay_from_hosts +relay_to_domains` "
            "(Debian: dc_relay_nets, dc_relay_domains).",
        )
    elif isinstance(reply, Reply) and (reply.code < 500 or "nrout" in reply.text):
        yield unknown(f"Whether exim relays for strangers is not known: to mail for {ELSEWHERE} it said {reply}.")


def _roles(facts: Facts, recipients: list[str]) -> Iterator[Verdict]:
    replies = [(recipient, facts.have(Taken(recipient))) for recipient in recipients]
    refused = [(to, reply) for to, reply in replies if isinstance(reply, Reply) and reply.code >= 500]
    if refused:
        shown = ", ".join(f"{to} ({reply})" for to, reply in refused[:SHOWN])
        more = f" and {len(refused) - SHOWN} more" if len(refused) > SHOWN else ""
        yield warning(
            f"exim refuses mail for {shown}{more}.",
            "Give each an alias, for the domains in /etc/aliases: `"
            + "; ".join(dict.fromkeys(f"{to.partition('@')[0]}: root" for to, _ in refused))
            + "`, and see `exim -bt "
            + refused[0][0]
            + "`.",
        )
    silent = [reply for _, reply in replies if isinstance(reply, Failed)]
    later = [(to, reply) for to, reply in replies if isinstance(reply, Reply) and 400 <= reply.code < 500]
    if silent:
        yield unknown(f"{silent[0].reason}.")
    if later:
        yield unknown(f"Whether exim takes mail for {later[0][0]} is not known: it said {later[0][1]}.")


CHECKS: tuple[Check, ...] = (
    Check(
        "MX-07",
        "Port 25 answers with the host's full name, relays nothing, and takes postmaster@ and abuse@.",
        own_mx,
        talked,
    ),
)
