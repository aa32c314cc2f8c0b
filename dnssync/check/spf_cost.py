"""What a record of SPF costs, and where it leads: SPF-05 (look-ups), SPF-07 (includes, loops, prefixes that pass half the world)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from dnssync.check.facts import Facts
from dnssync.check.finding import Verdict, error, warning
from dnssync.check.spf_tree import branches, live, silent, target
from dnssync.check.standing import base, dns_of, mend, put_back
from dnssync.core import spf_check
from dnssync.core.record import RecordError
from dnssync.core.spf import Mechanism, Modifier, Record, Term, is_all, parse, parse_terms
from dnssync.core.spf_check import ENOUGH, MAX_HOSTS, MAX_LOOKUPS, MAX_VOIDS, Dns
from dnssync.core.spf_macro import letters

NEAR = 8  # look-ups from which the next include of somebody else's may be one too many
WIDE = {4: 16, 6: 31}  # prefix lengths up to which an own term passes whole providers


def look_ups(facts: Facts, domain: str, text: str, record: Record) -> Iterator[Verdict]:
    """SPF-05."""
    dns = dns_of(facts)
    below = branches(dns, domain, record)
    cost = spf_check.worst(record, domain, dns)
    shares = "; ".join(f"{term} {each}" for term, each in _shares(record, domain, dns) if each)
    looped = " It leads back to itself, see SPF-07." if any(branch.loop for branch in below) else ""
    if cost.lookups > MAX_LOOKUPS or cost.lookups >= NEAR:
        past = cost.lookups > MAX_LOOKUPS
        many = f"more than {ENOUGH}" if cost.lookups >= ENOUGH else str(cost.lookups)
        better, count = _cheaper(base(facts, domain, record), domain, dns)
        goal = MAX_LOOKUPS if past else NEAR - 1
        remedy, fixable = (
            "Take out the includes of senders that are no longer used, and write `ip4:`/`ip6:` where addresses are fixed.",
            False,
        )
        includes = [str(term) for term in record.terms if term.name == "include"]
        back = " Those of `spf: {extra: …}` go in the configuration." if put_back(facts, domain, includes) else ""
        if count <= goal:
            remedy, fixable = mend(facts, domain, str(better), lambda wanted: _lookups(wanted, domain, dns) <= goal)
            gone = [str(term) for term in record.terms if term not in better.terms]
            remedy += f" ({count} look-ups)" if str(better) in remedy else ""
            back = "" if fixable else f".{put_back(facts, domain, gone)}".rstrip(".")
        remedy += back
        said = f"The SPF record of {domain} takes {many} DNS look-ups ({shares})"
        if past:
            yield error(
                f"{said}; past {MAX_LOOKUPS} receivers give up with permerror (RFC 7208 §4.6.4).{looped}",
                remedy,
                fixable=fixable,
            )
        else:
            yield warning(
                f"{said} of at most {MAX_LOOKUPS}: an include that grows can make it permerror.",
                remedy,
                fixable=fixable,
            )
    if cost.voids > MAX_VOIDS:
        named = ", ".join(_void_terms(record, domain, dns)) or "terms of included records"
        yield error(
            f"{cost.voids} look-ups of the SPF record of {domain} come back empty ({named}); past {MAX_VOIDS} receivers give up with permerror "
            "(RFC 7208 §4.6.4).",
            _without_voids(facts, domain, record, dns),
        )
    for term in live(record):
        name = target(term, domain, domain) if term.name == "mx" else None
        if name and len(dns(name, "MX") or ()) > MAX_HOSTS:
            yield error(f'"{term}" names more than {MAX_HOSTS} mail exchangers: permerror (RFC 7208 §4.6.4).',
                        f"Write the addresses that send as `ip4:` and `ip6:` in its place.{put_back(facts, domain, [str(term)])}")  # fmt: skip
    silent(cost.unknown)


def _shares(record: Record, domain: str, dns: Dns) -> list[tuple[str, int]]:
    """What each term costs by itself."""
    return [(str(term), spf_check.worst(Record((term,)), domain, dns).lookups) for term in live(record)]


def _lookups(text: str, domain: str, dns: Dns) -> int:
    try:
        return spf_check.worst(parse(text), domain, dns).lookups
    except RecordError:
        return ENOUGH


def _void_terms(record: Record, domain: str, dns: Dns) -> list[str]:
    return [str(term) for term in live(record) if spf_check.worst(Record((term,)), domain, dns).voids]


def _without_voids(facts: Facts, domain: str, record: Record, dns: Dns) -> str:
    """What to do about names that nothing stands at: the record without the terms that ask for them, where that is enough."""
    words = "Give the names an address, or take the terms out that name nothing any more."
    dead = _void_terms(record, domain, dns)
    rest = Record(tuple(term for term in record.terms if str(term) not in dead))
    if not dead or spf_check.worst(rest, domain, dns).voids > MAX_VOIDS:
        return words
    remedy, fixable = mend(facts, domain, str(rest), lambda wanted: not set(dead) & set(wanted.split()))
    return f"{words} {remedy}" + ("" if fixable else f".{put_back(facts, domain, dead)}".rstrip("."))


def _cheaper(record: Record, domain: str, dns: Dns) -> tuple[Record, int]:
    """The record without what it says twice, and with the addresses of `a` and `mx` in their place, as long as it is still too dear."""
    terms = list(dict.fromkeys(record.terms))
    for term in [t for t in live(record) if t.name in ("a", "mx") and not letters(_spec(t))]:
        if spf_check.worst(Record(tuple(terms)), domain, dns).lookups < NEAR:
            break
        found = _addresses(term, domain, dns)
        if term in terms and 0 < len(found) <= 4:
            at = terms.index(term)
            terms[at : at + 1] = found
    best = Record(tuple(dict.fromkeys(terms)))
    return best, spf_check.worst(best, domain, dns).lookups


def _addresses(term: Term, domain: str, dns: Dns) -> list[Term]:
    """The addresses that an `a` or `mx` stands for as terms; none where it has prefix lengths, or somebody does not answer."""
    name = target(term, domain, domain)
    if name is None or not isinstance(term, Mechanism) or (term.four, term.six) != (None, None):
        return []
    hosts = [name] if term.name == "a" else [text.split()[-1] for text in dns(name, "MX") or ()]
    answers = [(kind, dns(host, kind)) for host in hosts if host for kind in ("A", "AAAA")]
    if any(texts is None for _, texts in answers):
        return []
    return [
        Mechanism("ip4" if kind == "A" else "ip6", term.qualifier, ip=text)
        for kind, texts in answers
        for text in texts or ()
    ]


def _spec(term: Term) -> str:
    return term.domain if isinstance(term, Mechanism) else term.value


# --- where it leads -----------------------------------------------------------------------------------------------------


def tree(facts: Facts, domain: str, text: str, record: Record) -> Iterator[Verdict]:
    """SPF-07."""
    dns = dns_of(facts)
    below = branches(dns, domain, record)
    unknown = [branch.target for branch in below if branch.texts is None]
    for branch in below:
        if branch.loop:
            yield error(f"{branch.way} leads back to {branch.target}: receivers go round until they give up with permerror.",
                        f'Take "{branch.path[-1]}" out of the record of {([domain, *branch.above])[-1]}.{put_back(facts, domain, branch.path if len(branch.path) == 1 else ())}')  # fmt: skip
        elif branch.problem:
            yield error(f"{branch.way}: {branch.target} {branch.problem}, so receivers end with permerror (RFC 7208 §5.2, §6.1).",
                        _broken(facts, domain, record, branch.path, branch.target))  # fmt: skip
    yield from _twice(facts, domain, [(branch.path, branch.target) for branch in below])
    yield from _alike(domain, record)
    for term in live(record):
        if term.name == "ptr":
            yield warning(f'"{term}" is not to be used (RFC 7208 §5.5): it is slow, and some receivers skip it.',
                          f"Publish addresses in its place, and take \"{term}\" out.{put_back(facts, domain, [str(term)])}")  # fmt: skip
        for verdict in _wide(str(term), term, own=True):
            yield replace(verdict, remedy=verdict.remedy + put_back(facts, domain, [str(term)]))
    for branch in below:
        for term in live(branch.record) if branch.record is not None else ():
            yield from _wide(f"{branch.way} → {term}", term, own=False)
    silent(unknown)


def _broken(facts: Facts, domain: str, record: Record, path: tuple[str, ...], name: str) -> str:
    if len(path) > 1:
        return f'Tell who runs {name}, or take "{path[0]}" out of the record of {domain}.{put_back(facts, domain, path[:1])}'
    kept = tuple(term for term in base(facts, domain, record).terms if str(term) != path[0])
    if all(isinstance(term, Modifier) or is_all(term) for term in kept) and not Record(kept).modifier("redirect"):
        kept = (*_own_terms(facts, domain), *kept)  # else the record would refuse this host's mail
    rest = Record(kept)
    if not any(map(is_all, rest.terms)) and rest.modifier("redirect") is None:
        rest = Record((*rest.terms, Mechanism("all", "-")))
    remedy, fixable = mend(facts, domain, str(rest), lambda wanted: path[0] not in wanted.split())
    return f"If nothing sends for {domain} by it any more: {remedy}" + (
        "" if fixable else f".{put_back(facts, domain, path)}".rstrip(".")
    )


def _own_terms(facts: Facts, domain: str) -> tuple[Term, ...]:
    """The addresses that mail of a domain leaves from, as terms."""
    mail = facts.domain(domain).mail
    ips = dict.fromkeys(address.ip for address in mail.addresses) if mail is not None else ()
    return parse_terms(" ".join(f"ip{6 if ':' in ip else 4}:{ip}" for ip in ips))


def _twice(facts: Facts, domain: str, found: list[tuple[tuple[str, ...], str]]) -> Iterator[Verdict]:
    """Targets that are reached by two ways: each costs its look-ups twice."""
    first: dict[str, tuple[str, ...]] = {}
    again: set[tuple[str, ...]] = set()  # below one of these, everything is there twice, and not told again
    for path, name in found:
        if any(path[:length] in again for length in range(1, len(path))):
            continue
        if name in first:
            again.add(path)
            spare = (
                first[name][0] if len(first[name]) == 1 else path[0]
            )  # the direct way, where another leads there too
            yield warning(f"The SPF record of {domain} includes {name} twice, which costs its look-ups twice: {' → '.join(first[name])}, and "
                          f"{' → '.join(path)}.", f'Take "{spare}" out of the record of {domain}.{put_back(facts, domain, [spare])}')  # fmt: skip
        first.setdefault(name, path)


def _alike(domain: str, record: Record) -> Iterator[Verdict]:
    """Terms that mean the same; includes apart, which `_twice` tells."""
    seen: dict[tuple[object, ...], Term] = {}
    for term in live(record):
        if term.name in ("include", "redirect") or isinstance(term, Modifier):
            continue
        meaning = term.meaning(domain)
        if meaning in seen:
            yield warning(f'"{term}" says what "{seen[meaning]}" has said already.', f'Take "{term}" out.')
        seen.setdefault(meaning, term)


def _wide(shown: str, term: Term, *, own: bool) -> Iterator[Verdict]:
    """A pass for more of the Internet than anybody owns."""
    if not isinstance(term, Mechanism) or term.qualifier != "+" or term.name not in ("ip4", "ip6", "a", "mx"):
        return
    for family, length in ((4, term.four), (6, term.six)):
        if length == 0:
            yield error(f'"{shown}" passes every IPv{family} address there is: anybody may send as this domain.',
                        "Name the addresses that really send.")  # fmt: skip
        elif own and length is not None and length <= WIDE[family]:
            bits = (32 if family == 4 else 128) - length
            yield warning(
                f'"{shown}" passes 2^{bits} addresses, more than one sender has.',
                "Name the addresses that really send.",
            )
