"""What third parties say and let through; asked only where a person wants it: each question tells them about this host.

A block list in DNS is asked by an A record (RFC 5782): none = not listed, 127.0.0.x = listed, and why. A list that refuses to answer, and a
resolver that makes answers up, must not pass for either: so the entries that every list has for tests are asked for, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from dnssync.check.exchanges import folded
from dnssync.check.facts import Facts, Unanswered, Wish, addresses, every_domain, host, unanswered
from dnssync.check.finding import Verdict, error, info, unknown, warning
from dnssync.check.judging import Check
from dnssync.check.own import leaving

ZEN, DBL = "zen.spamhaus.org", "dbl.spamhaus.org"
TESTS = {
    ZEN: ("2.0.0.127",),
    DBL: ("test", "dbltest.com"),
}  # entries that are there so that people can try (RFC 5782 §5)
REFUSED = {
    "127.255.255.252": "the name of the list is misspelt",
    "127.255.255.254": "the question came through a public or shared resolver",
    "127.255.255.255": "there were too many questions",
    "127.0.1.255": "an address was asked for in a list of domains",
}
LISTS: Mapping[str, str] = {
    "127.0.0.2": "SBL (sources of spam)",
    "127.0.0.3": "CSS (sources of spam, found by machine)",
    **dict.fromkeys(("127.0.0.4", "127.0.0.5", "127.0.0.6", "127.0.0.7"), "XBL (hosts that were broken into)"),
    "127.0.0.9": "DROP (networks of criminals)",
    "127.0.0.10": "PBL (addresses that its provider says should send no mail)",
    "127.0.0.11": "PBL (addresses that should send no mail)",
    "127.0.1.2": "DBL (spam)",
    "127.0.1.4": "DBL (phishing)",
    "127.0.1.5": "DBL (malware)",
    "127.0.1.6": "DBL (control of botnets)",
    "127.0.1.102": "DBL (abused: spam)",
    "127.0.1.103": "DBL (abused redirector)",
    "127.0.1.104": "DBL (abused: phishing)",
    "127.0.1.105": "DBL (abused: malware)",
    "127.0.1.106": "DBL (abused: control of botnets)",
}
OWN_RESOLVER = "Ask through a resolver of your own (unbound or BIND on this host, in /etc/resolv.conf) instead of a public or shared one."
KNOWN = ("gmail.com", "outlook.com", "yahoo.com")  # their exchangers take connections from anywhere


@dataclass(frozen=True, slots=True)
class Called:
    """What came of a connection to port 25: the `greeting` (its first line), or why there was none (`failure`, without its final dot)."""

    greeting: str = ""
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Outbound(Wish[Called]):
    """A connection to port 25 of an address: its greeting is read, then QUIT is said, and no mail sent."""

    address: str


def _subjects(facts: Facts) -> tuple[str, ...]:
    return (*addresses(facts), *every_domain(facts))


def _reversed(ip: str) -> str:
    """The labels by which an address is asked for in a list (RFC 5782 §2.1, §2.4)."""
    return ip_address(ip).reverse_pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")


def listed(facts: Facts, subject: str) -> Iterator[Verdict]:
    """BL-01: Spamhaus lists the address or the domain."""
    try:
        labels, zone = _reversed(subject), ZEN
    except ValueError:
        labels, zone = subject, DBL
    answers = [facts.ask(f"{label}.{zone}", "A") for label in (labels, *TESTS[zone])]
    codes = sorted(facts.texts(f"{labels}.{zone}", "A"))
    refused = [REFUSED[code] for code in codes if code in REFUSED]
    strange = [code for code in codes if not code.startswith("127.") and code not in REFUSED]
    lists = list(
        dict.fromkeys(
            LISTS.get(code, f"{zone} ({code})")
            for code in codes
            if code.startswith(("127.0.",)) and code not in REFUSED
        )
    )
    if lists:
        yield warning(
            f"{subject} is listed by Spamhaus: {', '.join(lists)}. Many receivers refuse its mail.",
            f"See why, and ask to be taken off once the cause is mended: https://check.spamhaus.org/results/?query={subject}",
        )
    elif refused:
        yield unknown(f"Spamhaus did not answer whether {subject} is listed: {refused[0]} ({codes[0]}).", OWN_RESOLVER)
    elif codes:
        yield unknown(
            f"Whether {subject} is listed cannot be told: the answer was {(strange or codes)[0]}, which no block list gives. The resolver makes answers "
            "up.",
            OWN_RESOLVER,
        )
    elif not any(code.startswith("127.0.") and code not in REFUSED for answer in answers[1:] for code in answer.texts):
        silent = [answer for answer in answers[1:] if not answer.known]
        if silent:
            raise Unanswered(unanswered(silent[0]))
        code = next((code for answer in answers[1:] for code in answer.texts if code in REFUSED), "")
        yield unknown(
            f"Whether {subject} is listed cannot be told: {zone} does not even have the entry for tests"
            + (f" ({REFUSED[code]}, {code})." if code else ": the resolver keeps its answers back."),
            OWN_RESOLVER,
        )


def blocked(facts: Facts, hostname: str) -> Iterator[Verdict]:
    """PORT-01: connections to port 25 lead out."""
    kinds = {"A": "IPv4"}
    try:
        ours: tuple[str, ...] | None = leaving(facts)
    except Unanswered:
        ours = None
    if ours and any(":" in ip for ip in ours):
        kinds = {"A": "IPv4", "AAAA": "IPv6"} if any(":" not in ip for ip in ours) else {"AAAA": "IPv6"}
    found = _exchanges_of_others(facts, tuple(kinds))
    for ips in found.values():
        for ip in ips:
            facts.have(Outbound(ip))
    if not any(found.values()):
        yield unknown(
            f"Whether port 25 is open outward cannot be told: no mail exchanger of {', '.join(KNOWN)} could be looked up."
        )
        return
    lacking = [kinds[kind] for kind, ips in found.items() if not ips]
    if lacking:
        yield unknown(
            f"Whether port 25 is open outward over {lacking[0]} cannot be told: no mail exchanger of {', '.join(KNOWN)} has such an address that "
            "could be looked up."
        )
    shut = {}
    for kind, ips in found.items():
        calls = {ip: facts.find(Outbound(ip)) for ip in ips}
        if calls and not any(called.greeting for called in calls.values()):
            shut[kinds[kind]] = "; ".join(f"{ip}: {called.failure}" for ip, called in calls.items())
    for family, tried in shut.items():
        message = f"No connection to port 25 leads out over {family} ({tried})."
        remedy = "Ask the hosting provider to open port 25 outward, look for a firewall on this host, or send through a smarthost."
        if ours == ():
            yield info(f"{message} That is well, since no mail leaves from here but through a smarthost.")
        elif len(shut) == len([kind for kind in found if found[kind]]):
            yield error(f"{message} Mail stays in exim's queue.", remedy)
        else:
            yield warning(f"{message} Each mail to a host that has {family} waits for that first.", remedy)


def _exchanges_of_others(facts: Facts, kinds: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Per type an address of the preferred exchanger of each well-known domain, where it could be looked up."""
    answers = [facts.ask(domain, "MX") for domain in KNOWN]
    names = []
    for answer in answers:
        best = sorted((int(text.split()[0]), folded(text.split()[1])) for text in answer.texts if answer.known)
        names += [name for _, name in best[:1] if name]
    told = {kind: [facts.ask(name, kind) for name in names] for kind in kinds}
    return {
        kind: tuple(dict.fromkeys(min(answer.texts) for answer in some if answer.known and answer.texts))
        for kind, some in told.items()
    }


CHECKS: tuple[Check, ...] = (
    Check("BL-01", "Spamhaus does not list it.", _subjects, listed, asked=True),
    Check("PORT-01", "Connections to port 25 lead out.", host, blocked, asked=True),
)
