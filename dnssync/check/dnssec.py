"""Whether answers about a name are protected by DNSSEC (RFC 4033 to 4035), and whether receivers that validate can use them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dnssync.check.dnssec_chain import Key, fits, moment
from dnssync.check.facts import Facts, Unanswered, Wish, host, zones
from dnssync.check.finding import MOOT, Verdict, error, info, unknown
from dnssync.check.judging import Check
from dnssync.core.model import zone_of

# A resolver with a copy of the root of its own need not say of the root that it validated it.
ANCHORED = (("", "SOA"), ("org", "SOA"))


@dataclass(frozen=True, slots=True)
class Validation:
    """What the system's resolver makes of an answer. `secure`: it says that it validated it (AD); `bogus`: it refuses what it gives out
    when asked not to check (CD). Neither: not signed, or the resolver does not validate. `note`: why it is bogus, as the resolver tells."""

    secure: bool
    bogus: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class Validated(Wish[Validation]):
    """Does the system's resolver validate what stands at an absolute name? That there is nothing can be validated too."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Signature:
    """An RRSIG as `server` shows it: over which RRset, and from when to when, in seconds since 1970."""

    server: str
    name: str
    type: str
    begins: int
    ends: int


@dataclass(frozen=True, slots=True)
class Links:
    """How a zone is signed. `keys`: DNSKEY texts by server, of those that answered; `ds`: the DS texts of the zone above; `signatures` over
    the zone's own records; `bare`: the servers that answer without any, though asked for them. `silent`: who did not answer, and how."""

    keys: tuple[tuple[str, tuple[str, ...]], ...]
    ds: tuple[str, ...] | None
    signatures: tuple[Signature, ...] = ()
    bare: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    problem: str = ""  # why the DS are not known (`ds` is None)
    named: bool = False  # the configuration names the servers: others may see other ones

    @property
    def inside(self) -> bool:
        """Whether a named server shows no key where the zone above has a DS: a hidden primary, whose zone is signed on its way out, or
        the inner side of a split zone. Nothing follows for what others see."""
        return self.named and bool(self.keys and self.ds) and not any(texts for _, texts in self.keys)


@dataclass(frozen=True, slots=True)
class Chain(Wish[Links]):
    """How is a configured zone signed, as its own servers and the zone above show it?"""

    zone: str


def zone_signed(facts: Facts, zone: str) -> Iterator[Verdict]:
    """DNSSEC-01: signed, and the chain of trust holds."""
    links: Links | None
    told: Validation | None
    links, problem = _come(facts, Chain(zone))
    told, trouble = _come(facts, Validated(zone, "SOA"))
    if told is not None and told.bogus:
        yield error(
            f"Resolvers that validate refuse all answers about {zone}: its DNSSEC is broken{_because(told.note)}.",
            f"See `delv {zone} SOA`. Have the zone signed anew, or take its DS away at the registrar until it is.",
        )
    if links is None:
        if told is None or not told.secure:
            yield unknown(f"{problem or trouble}.")
        return
    if links.inside:
        if told is None or not (told.secure or told.bogus):
            yield unknown(
                f"The zone above {zone} has a DS for it, and the servers that `nameservers` names have no DNSKEY. Whether the zone is signed "
                "where others see it could not be found out.",
                f"From a host with a resolver that validates: `delv {zone} SOA`.",
            )
        return
    faults = list(_broken(facts, zone, links))
    yield from faults
    if faults or (told is not None and told.secure):
        return
    keys = any(texts for _, texts in links.keys)
    if not keys and links.silent and not links.keys:
        yield unknown(f"Whether {zone} is signed could not be found out: {'; '.join(links.silent)}.")
    elif not keys and not links.ds:
        yield info(
            f"{zone} is not signed with DNSSEC.",
            "Have the DNS provider sign it, and give the DS that it shows to the registrar.",
        )
    elif links.ds is None:
        yield unknown(f"Whether the zone above {zone} has a DS for it could not be found out: {links.problem}.")
    elif not links.ds:
        yield info(
            f"{zone} is signed, but the zone above it has no DS for it: nobody can validate the signatures.",
            "Give the registrar the DS that the DNS provider shows.",
        )


def _broken(facts: Facts, zone: str, links: Links) -> Iterator[Verdict]:
    """What a resolver that validates sees as bogus, whether or not ours does; without a DS nobody looks."""
    if not links.ds:
        return
    again = "or take the DS away at the registrar until it is"
    for server, texts in links.keys:
        keys = [Key.parse(text) for text in texts]
        if not texts:
            yield error(
                f"The zone above {zone} has a DS for it, but {server} has no DNSKEY: resolvers that validate refuse its answers.",
                f"Have {zone} signed, {again}.",
            )
        elif not any(fits(ds, key, zone) for ds in links.ds for key in keys if key is not None):
            yield error(
                f"No DNSKEY of {zone} at {server} fits the DS of the zone above it ({'; '.join(links.ds)}): resolvers that validate "
                "refuse its answers.",
                "Give the registrar the DS that the DNS provider shows now, and take the former away.",
            )
    for server in links.bare:
        if any(name == server and texts for name, texts in links.keys):
            yield error(
                f"{server} answers for {zone} without signatures, though it has a DNSKEY and the zone above has a DS.",
                f"Have {zone} signed anew, {again}.",
            )
    spans: dict[tuple[str, str, str], list[Signature]] = {}
    for one in links.signatures:
        spans.setdefault((one.server, one.name, one.type), []).append(one)
    ended: dict[tuple[str, str], list[Signature]] = {}
    for several in spans.values():
        if not any(one.begins <= facts.now <= one.ends for one in several):
            last = max(several, key=lambda one: one.ends)
            ended.setdefault((last.server, "ended" if last.ends < facts.now else "begin"), []).append(last)
    for (server, how), some in ended.items():
        when = moment(max(one.ends for one in some) if how == "ended" else min(one.begins for one in some))
        what = ", ".join(dict.fromkeys(f"{one.name} {one.type}" for one in some))
        yield error(
            f"The signatures of {server} over {what} {'ended on' if how == 'ended' else 'begin only on'} {when}: resolvers that validate "
            "refuse these answers.",
            f"Have {zone} signed anew, and its signer and the transfer to {server} looked at.",
        )


def exchanges(facts: Facts) -> tuple[str, ...]:
    """The hosts that take the domains' mail, each once."""
    answers = [facts.dns(domain.name, "MX") for domain in facts.domains]
    found = [text.split()[-1] for texts in answers for text in texts or () if len(text.split()) == 2]
    return tuple(dict.fromkeys(name.removesuffix(".") for name in found if name.strip(".")))


def exchange_signed(facts: Facts, name: str) -> Iterator[Verdict]:
    """DNSSEC-02: the zone of a mail exchange is signed, without which nobody looks at its TLSA records."""
    zone = zone_of(name, facts.configured)
    told: Validation | None
    told, trouble = _come(facts, Validated(name, "A"))
    anchored = [_come(facts, Validated(*at))[0] for at in ANCHORED]
    links: Links | None = _come(facts, Chain(zone))[0] if zone is not None else None
    if told is not None and told.bogus:
        yield error(
            f"Resolvers that validate find no address of {name}: its DNSSEC is broken{_because(told.note)}.",
            f"See `delv {name} A`; whoever runs that zone has to have it signed anew.",
        )
    elif told is not None and told.secure:
        return
    elif zone is not None and links is not None and links.ds is not None and not links.inside:
        if not links.ds or not any(texts for _, texts in links.keys):
            yield info(
                f"The zone {zone} of the mail exchange {name} is not signed with DNSSEC, so TLSA records for it count for nothing.",
                "Have the DNS provider sign it, and give the DS that it shows to the registrar.",
            )
    elif told is None:
        yield unknown(f"{trouble}.")
    elif any(one is not None and one.secure for one in anchored):
        yield info(
            f"The zone of the mail exchange {name} is not signed with DNSSEC, so TLSA records for it count for nothing.",
            "Whoever runs that zone can have it signed.",
        )
    elif all(one is None for one in anchored):
        yield unknown(f"{_undecided(name)}.")
    else:
        yield MOOT  # DNSSEC-03 tells that this host's resolver does not validate, once and not for each exchange


def protection(facts: Facts, name: str, kind: str) -> Validation:
    """What a resolver that validates makes of an answer. Ours tells it; where ours does not validate, the zone's own servers and its DS
    do, if the zone is a configured one. Raises `Unanswered` where neither can."""
    zone = zone_of(name, facts.configured)
    facts.have(Validated(name, kind))
    anchored = [_come(facts, Validated(*at))[0] for at in ANCHORED]
    links: Links | None = _come(facts, Chain(zone))[0] if zone is not None else None
    told = facts.find(Validated(name, kind))
    if told.secure or told.bogus or any(one is not None and one.secure for one in anchored):
        return told
    if zone is None or links is None or links.ds is None or links.inside:
        raise Unanswered(_undecided(name))
    whole = bool(links.ds) and any(texts for _, texts in links.keys) and not any(_broken(facts, zone, links))
    return Validation(secure=whole, bogus=bool(links.ds) and not whole)


def _undecided(name: str) -> str:
    return f"Whether the zone of {name} is signed could not be found out: this host's resolver does not validate"


def resolver_validates(facts: Facts, hostname: str) -> Iterator[Verdict]:
    """DNSSEC-03: without a resolver that validates, exim sends without DANE."""
    came = [_come(facts, Validated(*at)) for at in ANCHORED]
    if any(told is not None and told.secure for told, _ in came):
        return
    if all(told is None for told, _ in came):
        yield unknown(f"Whether this host's resolver validates could not be found out: {came[0][1]}.")
        return
    yield info(
        "This host's resolver does not validate DNSSEC, so exim cannot use DANE for the mail that it sends.",
        "Run one here (`apt install unbound`), and let `/etc/resolv.conf` name it: `nameserver 127.0.0.1`.",
    )


def _come(facts: Facts, wish: Wish[Any]) -> tuple[Any, str]:
    """What came of a wish and "", or None and why."""
    try:
        return facts.find(wish), ""
    except Unanswered as trouble:
        return None, str(trouble)


def _because(note: str) -> str:
    return f" ({note})" if note else ""


CHECKS: tuple[Check, ...] = (
    Check("DNSSEC-01", "The zone is signed, and its chain of trust holds.", zones, zone_signed),
    Check("DNSSEC-02", "The mail exchange lies in a signed zone.", exchanges, exchange_signed),
    Check("DNSSEC-03", "This host's resolver validates DNSSEC.", host, resolver_validates),
)
