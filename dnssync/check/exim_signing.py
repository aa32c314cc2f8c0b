"""Signing as exim really does it: which transports, which keys, beside the state, the map and DNS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dnssync.check.dkim_elsewhere import DECLARE, HOW, SIGNING, depends, elsewhere, left_alone
from dnssync.check.dkim_keys import same_key
from dnssync.check.dkim_signers import openable, record_name
from dnssync.check.exim_setup import Setup
from dnssync.check.facts import Facts, Unanswered, sending, zone_line
from dnssync.check.finding import MOOT, Verdict, error, info, unknown, warning
from dnssync.core import dkim
from dnssync.core.host import Signer, Transport
from dnssync.core.model import KeyPair, Phase, zone_of
from dnssync.core.rotation import Policy, phase

SHOWN = 3  # domains that are named where many are meant
WEEK = 7 * 86400


@dataclass(frozen=True, slots=True)
class Way:
    """A transport, and the domains that are looked at whose mail leaves through it."""

    transport: Transport
    domains: tuple[str, ...]


def ways(facts: Facts) -> tuple[Way, ...]:
    """The transports that mail of the domains leaves through, by name, but for what is not meant to be signed here. Raises `Unanswered`."""
    found: dict[str, Transport] = {}
    domains: dict[str, list[str]] = {}
    told = facts.host
    for name in sending(facts):
        mail = told.domain(name)
        for transport in mail.transports if mail is not None else ():
            if not left_alone(facts, name, transport):
                found.setdefault(transport.name, transport)
                domains.setdefault(transport.name, []).append(name)
    return tuple(Way(found[name], tuple(domains[name])) for name in found)


def some(names: tuple[str, ...]) -> str:
    """Names as people say them, the first few of many."""
    if len(names) <= SHOWN:
        return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
    return f"{', '.join(names[:SHOWN])} and {len(names) - SHOWN} more"


def through(facts: Facts, name: str) -> tuple[Transport, ...]:
    """The transports of one domain. Raises `Unanswered`."""
    return facts.mail(name).transports


# --- subjects -----------------------------------------------------------------------------------------------------------


def looked_at(facts: Facts) -> tuple[str, ...]:
    """The domains that send and that exim told of; all that send where exim could not be asked."""
    return tuple(name for name in sending(facts) if facts.seen is None or facts.seen.host.domain(name) is not None)


def all_local(facts: Facts) -> tuple[str, ...]:
    """The same, and exim's domains that no configured zone holds, unless only some zones are looked at."""
    more: tuple[str, ...] = ()
    if facts.seen is not None and set(facts.zones) == facts.configured:
        more = tuple(m.name for m in facts.seen.host.domains if m.local and zone_of(m.name, facts.configured) is None)
    return (*looked_at(facts), *more)


# --- the transports -----------------------------------------------------------------------------------------------------


def reached(facts: Facts, subject: str) -> Iterator[Verdict]:
    """EXIM-01: a transport that mail leaves through, and that no signing option reaches, or that cannot work them out."""
    found = ways(facts)
    if not found:
        yield MOOT
    for way in found:
        transport, who = way.transport, some(way.domains)
        options = transport.options
        lacking = [name for name in SIGNING if not options.get(name)]
        if not transport.can_sign:
            yield _unreachable(facts, way)
        elif not options.get("dkim_domain") and not transport.uses_map:
            yield error(
                f"exim signs no mail of {who} in its transport {transport.name}: that takes the DKIM_* macros, and none is defined.",
                f"`dnssync exim --install` defines them; `dnssync exim --print` shows what it would write. {DECLARE}",
            )
        elif lacking and options.get("dkim_domain"):
            yield error(
                f"exim signs no mail of {who} in its transport {transport.name}: that has dkim_domain, but no {' and no '.join(lacking)}.",
                f"Set {' and '.join(lacking)} there; `dnssync exim --print` shows all of them.",
            )
        broken = {
            problem: name for name in reversed(way.domains) if (problem := _problem(facts, name, transport.name))
        }  # exim's words may name the domain, so that there is one for each
        for problem in list(broken)[:SHOWN]:
            if depends(transport):
                yield unknown(
                    f"{problem.rstrip('.')}. It depends on {', '.join(depends(transport))}, which only real mail has.",
                    HOW,
                )
            else:
                yield error(problem, "Mend that option; `dnssync exim --print` shows one that works.")
        if len(broken) > SHOWN:
            yield error(
                f"exim fails in the same way for {len(broken) - SHOWN} more domains (transport {transport.name})."
            )


def _problem(facts: Facts, name: str, transport: str) -> str:
    """Why exim cannot work out what a transport signs for a domain, "" where it can."""
    return next((one.problem for one in through(facts, name) if one.name == transport), "")


def _unreachable(facts: Facts, way: Way) -> Verdict:
    """A transport without any DKIM option, as Debian's remote_smtp_smarthost is."""
    name, mail = way.transport.name, facts.mail(way.domains[0])
    relays = f", to {some(mail.smarthosts)}" if mail.smarthosts else ""
    message = (
        f"Mail of {some(way.domains)} leaves through exim's transport {name}{relays}, which has no DKIM option, and no macro reaches it: this host "
        f"does not sign it{', though the relay may' if relays else ''}."
    )
    try:
        lines = facts.find(Setup()).lines
    except Unanswered:
        lines = ""
    shown = f":\n{lines}" if lines else " the lines that `dnssync exim --print` prints for a transport."
    return error(message, f"{DECLARE} Else add to the transport {name}, after its `driver` line{shown}")


def tainted(facts: Facts, subject: str) -> Iterator[Verdict]:
    """EXIM-03: the way to the key file is made of what the message says."""
    hit: dict[str, list[str]] = {}
    options: dict[str, Transport] = {}
    for name in looked_at(facts):
        for transport in through(facts, name):
            if transport.tainted:
                hit.setdefault(transport.name, []).append(name)
                options[transport.name] = transport
    for where, domains in hit.items():
        strict = options[where].options.get("dkim_strict", "").lower() in ("true", "yes", "1")
        yield error(
            f"exim refuses the key file of {some(tuple(domains))} in its transport {where}, since its name is made of what the message says (\"tainted\", "
            f"exim 4.94 and later): mail {'waits' if strict else 'leaves unsigned'}. dkim_domain is {options[where].options.get('dkim_domain', '')}",
            "dkim_domain has to go through a look-up, such as ${lookup{${lc:${domain:$rh_from:}}}lsearch,ret=key{FILE}}; `dnssync exim --install` "
            "sets one that does.",
        )  # fmt: skip


def strict(facts: Facts, subject: str) -> Iterator[Verdict]:
    """EXIM-10: mail whose key cannot be used leaves unsigned."""
    signing = [way for way in ways(facts) if way.transport.options.get("dkim_domain")]
    if not signing:
        yield MOOT
        return
    said = facts.find(Setup()).strict
    for way in signing:
        if not said.get(way.transport.name, False):
            ours = way.transport.uses_map
            yield warning(
                f"dkim_strict is off in exim's transport {way.transport.name}: mail of {some(way.domains)} leaves unsigned when its key is missing or cannot be read.",
                "`dnssync exim --install --strict` sets it." if ours else f"Set dkim_strict = true there{_macro(way, 'DKIM_STRICT = true')}.",
            )  # fmt: skip


def _macro(way: Way, line: str) -> str:
    return f" (Debian: the macro {line})" if way.transport.takes_macros else ""


def expiring(facts: Facts, subject: str) -> Iterator[Verdict]:
    """EXIM-11: signatures without x=, so that an old key is needed for as long as any queue may hold its mail."""
    signing = [way for way in ways(facts) if way.transport.options.get("dkim_domain")]
    if not signing:
        yield MOOT
    for way in signing:
        if way.transport.expires is None:
            ours = way.transport.uses_map
            yield info(
                f"Signatures of exim's transport {way.transport.name} do not expire (no x=), so that a retired key of {some(way.domains)} stays published for longer than it need be.",
                f"`dnssync exim --install --timestamps {WEEK}` sets that." if ours
                else f"Set dkim_timestamps = {WEEK} there{_macro(way, f'DKIM_TIMESTAMPS = {WEEK}')}.",
            )  # fmt: skip


# --- the keys -----------------------------------------------------------------------------------------------------------


def active(facts: Facts, name: str) -> tuple[KeyPair, ...]:
    """The keys that sign a domain's mail, as the state has it."""
    return tuple(key for key in facts.keys_of(name) if phase(key, Policy(), facts.now) is Phase.ACTIVE)


def signers(transport: Transport, name: str) -> tuple[Signer, ...]:
    """The signatures with d= this very domain."""
    return tuple(signer for signer in transport.signers if signer.domain == name)


def switched(facts: Facts, name: str) -> Iterator[Verdict]:
    """EXIM-05: exim would sign with other keys than the map names, or than the state has active."""
    line = facts.observed().map.get(name, ())
    state = frozenset(key.selector for key in active(facts, name))
    asked = False
    for transport in through(facts, name):
        using = frozenset(signer.selector for signer in signers(transport, name))
        if not using and not (transport.uses_map and line):
            continue  # it signs nothing there: EXIM-01 and EXIM-07 say why
        asked = True
        would = f"with {_listed(using)}" if using else "with nothing"
        told = f"exim would sign mail of {name} {would} (transport {transport.name})"
        if transport.uses_map and using != frozenset(line):
            yield error(
                f"{told}, while its map {facts.map_path} names {_listed(frozenset(line))}.",
                f"Does exim read that file? As exim's user: `cat {facts.map_path}`; and see `dnssync exim --print` beside the transport's options.",
            )
        elif state and not state <= using:
            yield error(
                f"{told}, while dnssync's state has {_listed(state)} active.",
                "`dnssync status` shows each key's phase. Nothing is retired until exim signs with its successor; after a restored backup run `dnssync apply`."
                if transport.uses_map
                else "`dnssync exim --install` lets exim read dnssync's map.",
            )
        elif line and not transport.uses_map and not frozenset(line) <= using:
            yield info(
                f"{told}, by a set-up of its own; dnssync's map names {_listed(frozenset(line))}, which exim does not read.",
                "`dnssync exim --install` makes exim read it; the old key's record stays until its mail has arrived.",
            )
    if not asked:
        yield MOOT


def _listed(selectors: frozenset[str]) -> str:
    return ", ".join(sorted(selectors)) or "nothing"


def readable(facts: Facts, name: str) -> Iterator[Verdict]:
    """EXIM-06: the key files that exim would open, beside DNS; and the active keys of the state."""
    ways_out = through(facts, name)
    found = tuple(dict.fromkeys(s for transport in ways_out if not transport.tainted for s in transport.signers))
    keys = active(facts, name)
    if not found and not keys:
        yield MOOT
        return
    for signer in found:  # all are asked for before one is looked at
        facts.ask(record_name(signer), "TXT")
    for signer in found:
        yield from _one(facts, signer)
    told = {(signer.domain, signer.selector) for signer in found if signer.problem}
    for key in keys:
        at = (key.domain, key.selector)
        if at not in facts.observed().readable and at not in told:
            yield error(
                f"The private half of {key.selector}, which signs mail of {name}, is missing, cannot be read, or is another key than the published one.",
                "Bring it back from a backup; else another key takes over once one is ready. `dnssync status` shows it.",
            )


def _one(facts: Facts, signer: Signer) -> Iterator[Verdict]:
    if signer.problem.partition(": ")[2].startswith("dnssync cannot"):
        yield unknown(
            f"{signer.problem}.".replace("..", "."), "Run this as root, or give this user the group Debian-exim."
        )
        return
    if signer.problem:
        yield error(
            f"exim signs with {signer.selector} and cannot: {signer.problem}".rstrip(".") + ".",
            openable(signer),
        )
        return
    where = record_name(signer)
    kind = "ed25519" if signer.algorithm == "ed25519" else "rsa"
    right = f"v=DKIM1; k={kind}; p={signer.public_key}"
    try:
        texts = facts.texts(where, "TXT")
    except Unanswered as trouble:
        yield unknown(f"{trouble}.")
        return
    values = [value for value in map(_value, texts) if value is not None]
    if any(same_key(value, signer.public_key) for value in values):
        return
    remedy, fixable = facts.publish(where, "TXT", right)
    if facts.wanted(where, "TXT") not in (None, right) and not fixable:
        remedy = f"Publish: {zone_line(where, 'TXT', right)}"
    if not texts:
        yield error(
            f"exim signs with {signer.path}, and {where} has no record: nobody can verify that mail.",
            remedy,
            fixable=fixable,
        )
    elif "" in values:
        yield error(f"exim signs with {signer.path}, and {where} says that this key is revoked (an empty p=).",
                    "Another key has to sign: `dnssync rotate` makes one. Never publish a revoked key again.")  # fmt: skip
    else:
        yield error(f"exim signs with {signer.path}, and {where} holds another key or none: receivers refuse the signature.", remedy, fixable=fixable)  # fmt: skip


def _value(text: str) -> str | None:
    """The p= of a key record, None where it is none."""
    try:
        return dkim.parse(text).p
    except ValueError:
        return None


def mapped(facts: Facts, name: str) -> Iterator[Verdict]:
    """EXIM-07: a domain of exim's that the map does not hold: its mail leaves unsigned, and nothing complains."""
    mail = facts.mail(name)
    by_map = [transport for transport in mail.transports if transport.uses_map and not transport.problem]
    if not mail.local or not by_map or elsewhere(facts, name):
        yield MOOT
        return
    if name in facts.observed().map or all(transport.signers for transport in by_map):
        return  # by its own line, or by that of a parent (d= is aligned with it)
    said = f"{name} is one of exim's own domains and is not in {facts.map_path or 'its signing map'}: its mail leaves unsigned."
    if zone_of(name, facts.configured) is None:
        yield warning(said, "No configured zone holds it. Add its zone, with its provider, to dnssync's configuration; or take the name out of exim's lists.")  # fmt: skip
    elif facts.decision is not None and name in facts.decision.map_after:
        yield warning(said, "`dnssync apply` adds it.", fixable=True)
    else:
        yield warning(said, "It gets its line once a key is seen on all name servers: `dnssync status` shows what it waits for, `dnssync apply` goes on.")  # fmt: skip
