"""What is asked of our own mail server, as a stranger would: the wishes `Talk` and `Taken`, what comes of them, and whom to talk to."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from dnssync.check.facts import Facts, Unanswered, Wish, addresses, every_domain, helos, unanswered
from dnssync.check.finding import Verdict

TLS_12 = ("TLSv1.2", "TLSv1.3")  # as OpenSSL names them; what is older is given up by RFC 8996
MOST = 50  # names of this host that are talked to: a server with a name for each customer need not be asked ten thousand times


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate as data. `names`: the DNS names of subjectAltName, lower case, or the subject's CN where it has none; times in
    seconds since 1970; `key`: `RSA`, `EC`, `Ed25519` …, `bits` of it; `hash` of the signature, "" where it has none of its own;
    `der` is the whole, `spki` its SubjectPublicKeyInfo."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: int
    not_after: int
    self_signed: bool
    key: str
    bits: int
    hash: str
    der: bytes
    spki: bytes

    def holds(self, host: str) -> bool:
        """Whether it is made out to the host (RFC 9525 §6.3: a wildcard is the whole of the first label)."""
        above = host.partition(".")[2]
        return host in self.names or (bool(above) and f"*.{above}" in self.names)

    def matches(self, selector: int, matching: int, data: str) -> bool:
        """Whether the association data of a TLSA record (hexadecimal) is of this certificate (RFC 6698 §2.1)."""
        part = self.der if selector == 0 else self.spki
        return association(part, matching) == data.lower()


def association(octets: bytes, matching: int) -> str:
    """The association data of a TLSA record for these octets, hexadecimal; `matching` 0 = all of it, 1 = SHA-256, 2 = SHA-512."""
    if matching == 0:
        return octets.hex()
    return (hashlib.sha256 if matching == 1 else hashlib.sha512)(octets).hexdigest()


@dataclass(frozen=True, slots=True)
class Talked:
    """What a talk with a mail server showed. `trouble`: why there was none, "" = there was one. `passing`: somebody is there, who was slow, said "later" or
    did not like how we greeted, so that others may fare otherwise. `here`: the address is one of this
    host's interfaces. `through`: the address that was reached in its place, behind NAT. `banner` and `greeted`: the names that it greets with.
    `starttls`: offered; `refused`: how it then failed (`passing`: it was slow). `version` as OpenSSL names it. `old`: whether it takes TLS 1.0 or 1.1, None = not known.
    `chain`: the certificates, the server's own first, each issued by the next. `distrust`: why the system does not trust them, "" = it does,
    None = not known."""

    trouble: str = ""
    passing: bool = False
    here: bool = True
    through: str = ""
    banner: str = ""
    greeted: str = ""
    starttls: bool = False
    refused: str = ""
    version: str = ""
    old: bool | None = None
    chain: tuple[Certificate, ...] = ()
    distrust: str | None = None


@dataclass(frozen=True, slots=True)
class Talk(Wish[Talked]):
    """A talk with the mail server `host` at `address`, port 25: greeting and STARTTLS, no mail."""

    host: str
    address: str


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's reply: its code and the text behind it."""

    code: int
    text: str = ""

    def __str__(self) -> str:
        return f"{self.code} {self.text}".strip()


@dataclass(frozen=True, slots=True)
class Taken(Wish[Reply]):
    """What exim would say to mail for `recipient` from a host that it does not know."""

    recipient: str


# --- whom to talk to ----------------------------------------------------------------------------------------------------


def exchanges(texts: Iterable[str]) -> tuple[str, ...]:
    """The targets of MX records, lower case, without final dot; "" is the null MX (RFC 7505)."""
    return tuple(dict.fromkeys(text.split()[-1].rstrip(".").lower() for text in texts if text.strip()))


def found(facts: Facts, host: str) -> tuple[str, ...]:
    """The addresses of a host that are known; those that are not are left out."""
    answers = [facts.ask(host, kind) for kind in ("A", "AAAA")]
    return tuple(dict.fromkeys(text for answer in answers if answer.known for text in answer.texts))


def own_names(facts: Facts) -> tuple[str, ...]:
    """The names that this host goes by."""
    return tuple(dict.fromkeys(name.lower().rstrip(".") for name in (facts.hostname, *helos(facts))))


def ours(facts: Facts, hosts: Sequence[str]) -> tuple[str, ...]:
    """Those of the hosts that are this one: of one of its names, or of an address of its."""
    names = own_names(facts)
    mine = {*addresses(facts), *(ip for answers in [found(facts, name) for name in names] for ip in answers)}
    where = {host: found(facts, host) for host in hosts if host}
    return tuple(host for host in where if host in names or mine & set(where[host]))


def all_own(facts: Facts) -> tuple[str, ...]:
    """Those of the domains' mail exchangers that are this host, of its own name first, then those that most domains use; its own name too
    where some domain's could not be looked up."""
    answers = [facts.ask(name, "MX") for name in every_domain(facts)]
    targets = Counter(host for answer in answers if answer.known for host in exchanges(answer.texts))
    if any(not answer.known for answer in answers):
        targets[facts.hostname.lower()] += 1
    names = own_names(facts)
    return tuple(sorted(ours(facts, list(targets)), key=lambda host: (host not in names, -targets[host])))


def own_mx(facts: Facts) -> tuple[str, ...]:
    """The first `MOST` of `all_own`: those that are talked to."""
    return all_own(facts)[:MOST]


def needed(facts: Facts, host: str) -> None:
    """Raise `Unanswered` where a host is looked at only because some domain's MX could not be looked up: perhaps nobody sends mail to it."""
    if host != facts.hostname.lower():
        return
    answers = [facts.ask(name, "MX") for name in every_domain(facts)]
    silent = [answer for answer in answers if not answer.known]
    if silent and not any(answer.known and host in exchanges(answer.texts) for answer in answers):
        raise Unanswered(f"Whether {host} is a mail exchanger is not known: {unanswered(silent[0])}")


def of_mx(judge: Callable[[Facts, str], Iterator[Verdict]]) -> Callable[[Facts, str], Iterator[Verdict]]:
    """A check of a host as one of a mail exchanger (`needed`)."""

    def check(facts: Facts, host: str) -> Iterator[Verdict]:
        needed(facts, host)
        yield from judge(facts, host)

    return check


def users(facts: Facts, host: str) -> tuple[str, ...]:
    """The domains whose mail this host is to receive, as far as their MX are known."""
    answers = [(name, facts.ask(name, "MX")) for name in every_domain(facts)]
    return tuple(name for name, answer in answers if answer.known and host in exchanges(answer.texts))


def talks(facts: Facts, host: str) -> tuple[tuple[str, Talked], ...]:
    """A talk at each address of the host. Raises `Unanswered` where its addresses are not known or a talk could not even be tried."""
    answers = [facts.ask(host, kind) for kind in ("A", "AAAA")]
    ips = found(facts, host)
    for ip in ips:
        facts.have(Talk(host, ip))
    if not ips and not all(answer.known for answer in answers):
        facts.texts(host, "A")
        facts.texts(host, "AAAA")
    return tuple((ip, facts.find(Talk(host, ip))) for ip in ips)


def reached(facts: Facts, host: str) -> tuple[tuple[str, Talked], ...]:
    """The talks that took place. Raises `Unanswered` where none did."""
    all_ = talks(facts, host)
    good = tuple((ip, talked) for ip, talked in all_ if not talked.trouble)
    if not good:
        why = "; ".join(f"{ip}: {talked.trouble}" for ip, talked in all_) or "it has no address"
        raise Unanswered(f"Port 25 of {host} could not be reached from here ({why})")
    return good


def secured(facts: Facts, host: str) -> tuple[tuple[str, Talked], ...]:
    """The talks that came to a TLS session. Raises `Unanswered` where none did; `TLS-01` says why."""
    good = tuple((ip, talked) for ip, talked in reached(facts, host) if talked.chain)
    if not good:
        raise Unanswered(f"{host} showed no certificate, see TLS-01")
    return good
