"""SPF (RFC 7208): the record, and what a receiver makes of it for each address that mail leaves from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from dnssync.check.facts import Facts, every_domain, sending, zone_line
from dnssync.check.finding import MOOT, Verdict, error, info, warning
from dnssync.check.judging import Check
from dnssync.check.spf_cost import look_ups, tree
from dnssync.check.spf_evaluate import own_addresses, senders
from dnssync.check.spf_terms import syntax
from dnssync.check.spf_tree import branches, each_record, silent, sole, target
from dnssync.check.standing import View, base, configure, dns_of, mend, need, put_back, views, written
from dnssync.core import relays
from dnssync.core.record import RecordError
from dnssync.core.spf import Mechanism, Modifier, Record, Term, is_all, is_spf, parse, same

_NEAR_MISS = re.compile(r"[\W_]*(v\W{0,3}=\W{0,3}spf|spf[12]\b|spf2\.0/)", re.IGNORECASE)
TARGET = 450  # octets of a name and its texts, up to which an answer fits everywhere (RFC 7208 §3.4)
OLD_UDP = 512  # octets of an answer without EDNS
EDNS = 1232  # octets that resolvers ask for over UDP today; what is larger goes over TCP


def one_record(facts: Facts, domain: str) -> Iterator[Verdict]:
    """SPF-01."""
    answer = facts.ask(domain, "TXT")
    for view in views(answer):
        records = [text for text in view.texts if is_spf(text)]
        near = [text for text in view.texts if not is_spf(text) and _NEAR_MISS.match(text)]
        if not records:
            yield _none(facts, domain, view, near)
        elif len(records) > 1:
            remedy, fixable = mend(facts, domain, _joined(records, domain), lambda wanted: False)
            told = "; ".join(f'"{text}"' for text in records)
            yield error(f"{domain} has {len(records)} SPF records{view.where}, which is permerror to every receiver (RFC 7208 §4.5): {told}.",
                        f"One record in the place of them all. {remedy}", fixable=fixable)  # fmt: skip
        for text in near if records else ():
            yield info(
                f'"{text}" stands beside the SPF record of {domain}{view.where}, and no receiver reads it.',
                "Delete it.",
            )
    need(answer)


def _none(facts: Facts, domain: str, view: View, near: Sequence[str]) -> Verdict:
    remedy, fixable = mend(facts, domain, _first(facts, domain), is_spf)
    relay = _unknown_relay(facts, domain)
    if relay and facts.wanted(domain, "TXT") is None:
        remedy = (
            f"Ask the operator of {relay}, which its mail leaves through, for the SPF term to publish. "
            + configure(facts, domain, "spf: {extra: [TERM]}")
        )
    if not near:
        return error(f"{domain} has no SPF record{view.where}.", remedy, fixable=fixable)
    why = (
        "it is Sender ID's, which nobody reads"
        if re.match(r"\W*spf2", near[0], re.IGNORECASE)
        else "a record begins with `v=spf1` and a space"
    )
    return error(
        f'{domain} has no SPF record{view.where}: "{near[0]}" is none, for {why} (RFC 7208 §4.5).',
        remedy,
        fixable=fixable,
    )


def _unknown_relay(facts: Facts, domain: str) -> str:
    """A smarthost of which nobody here knows what SPF has to say for it, "" for none: a record without that would refuse the domain's mail."""
    mail = facts.domain(domain).mail
    relays_ = mail.smarthosts if mail is not None else ()
    return next((relay for relay in relays_ if relays.include_for(relay) is None), "")


def _first(facts: Facts, domain: str) -> str:
    """A record for a domain that has none, from what exim told."""
    mail = facts.domain(domain).mail
    terms = (
        [f"ip{6 if ':' in address.ip else 4}:{address.ip}" for address in mail.addresses] if mail is not None else []
    )
    includes = [relays.include_for(relay) for relay in mail.smarthosts] if mail is not None else []
    terms += [f"include:{name}" for name in includes if name is not None]
    return " ".join(["v=spf1", *(dict.fromkeys(terms) or ["mx"]), "-all"])


def _joined(records: Sequence[str], domain: str) -> str:
    """One record that passes what any of the records passes; the mildest ending counts. What one redirects to is included, since a redirect
    counts for nothing beside `all`."""
    terms: dict[tuple[object, ...], Term] = {}
    endings: list[Mechanism] = []
    for text in records:
        try:
            record = parse(text)
        except RecordError:
            continue
        for term in record.terms:
            if isinstance(term, Mechanism) and is_all(term):
                endings.append(term)
            elif isinstance(term, Modifier) and term.name == "redirect":
                terms.setdefault(("redirect", term.value), Mechanism("include", domain=term.value))
            elif isinstance(term, Modifier) and term.name == "exp":
                terms.setdefault(("exp",), term)
            else:
                terms.setdefault(term.meaning(domain), term)
    mildest = min(
        (term for term in endings if term.qualifier != "+"),
        key=lambda term: "?~-".index(term.qualifier),
        default="-all",
    )
    return " ".join(["v=spf1", *map(str, terms.values()), str(mildest)])


def ending(facts: Facts, domain: str, text: str, record: Record) -> Iterator[Verdict]:
    """SPF-04: how the record ends, also where a redirect leads, and what an include lets through."""
    dns = dns_of(facts)
    below = branches(dns, domain, record)
    last, where, seen = record, domain, {domain}
    while (redirect := last.modifier("redirect")) is not None and not any(map(is_all, last.terms)):
        name = target(redirect, where, domain)
        after = next((branch for branch in below if branch.target == name), None)
        if name is None or after is None or after.record is None or name in seen:
            silent([name] if name is not None and after is not None and after.texts is None else [])
            return  # where it ends is the message's own matter, or SPF-07's
        last, where = after.record, name
        seen.add(name)
    final = next((term for term in last.mechanisms if is_all(term)), None)
    kept = (str(term) for term in base(facts, domain, record).terms if not is_all(term))
    better = " ".join(["v=spf1", *kept, "-all"])
    wanted = written(facts, domain)
    of = f"The SPF record of {where}" + (f", to which that of {domain} redirects," if where != domain else "")
    if final is not None and final.qualifier in "-~":
        remedy, fixable = "", False
    elif where == domain and wanted is not None and not _strict(wanted):
        remedy, fixable = configure(facts, domain, "spf: {all: fail}"), False
    elif where == domain:
        remedy, fixable = mend(facts, domain, better, _strict)
    else:
        remedy, fixable = f"Let who runs {where} end it with -all or ~all.", False
    if final is None:
        yield warning(
            f"{of} has no `all` at its end, so mail from anywhere else is neutral, as if there was no record.",
            remedy,
            fixable=fixable,
        )
    elif final.qualifier == "+":
        yield error(f'{of} ends with "{final}": the whole world may send as {domain}.', remedy, fixable=fixable)
    elif final.qualifier == "?":
        yield warning(
            f'{of} ends with "{final}", so mail from anywhere else is neutral, as if there was no record.',
            remedy,
            fixable=fixable,
        )
    for branch in below:
        every = (
            branch.record is not None
            and not branch.path[-1].startswith(("-", "~", "?"))
            and "redirect" not in branch.path[-1]
        )
        first = (
            next((term for term in branch.record.mechanisms if is_all(term)), None) if every and branch.record else None
        )
        if first is not None and first.qualifier == "+":
            yield error(f'{branch.way}: the record of {branch.target} has "{first}", so the whole world may send as {domain}.',
                        f'Take "{branch.path[0]}" out of the record of {domain}.{put_back(facts, domain, branch.path[:1])}')  # fmt: skip
    silent(branch.target for branch in below if branch.texts is None)


def _strict(text: str) -> bool:
    try:
        return any(
            is_all(term) and isinstance(term, Mechanism) and term.qualifier in "-~" for term in parse(text).terms
        )
    except RecordError:
        return False


def sizes(facts: Facts, domain: str) -> Iterator[Verdict]:
    """SPF-06: what fits an answer. How a text is cut into strings cannot be seen: who looks it up gets it joined."""
    answer = facts.ask(domain, "TXT")
    records = sole(answer)
    for text in records:
        octets = len(domain) + len(_octets(text))
        if octets > TARGET:
            past = f", and more than {OLD_UDP}, which no answer without EDNS holds" if octets > OLD_UDP else ""
            yield warning(f"The name and the SPF record of {domain} are {octets} octets, more than the {TARGET} that surely fit one answer{past} "
                          "(RFC 7208 §3.4).", "Move part of its terms into a record of their own, and include that.")  # fmt: skip
    for view in views(answer) if records else ():
        size = _answer_size(domain, view.texts)
        others = len(view.texts) - 1
        told = f"All {len(view.texts)} TXT records of {domain} together make an answer of {size} octets{view.where}"
        if others and size > EDNS:
            yield warning(f"{told}: more than the {EDNS} that resolvers take over UDP, so SPF depends on TCP.",
                          "Delete verification texts that have done their work.")  # fmt: skip
        elif others and size > OLD_UDP:
            yield info(
                f"{told}: more than the {OLD_UDP} of an answer without EDNS.",
                "Delete verification texts that have done their work.",
            )
    need(answer)
    if not records:
        yield MOOT


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _answer_size(name: str, texts: Sequence[str]) -> int:
    """Octets of the answer to a TXT query with EDNS: header, question, a record each, OPT."""
    lengths = [len(_octets(text)) for text in texts]
    return 12 + len(name) + 2 + 4 + sum(12 + length + max(1, -(-length // 255)) for length in lengths) + 11


def beside(facts: Facts, domain: str) -> Iterator[Verdict]:
    """SPF-08: an alias where the record should stand, and octets that are no text."""
    alias, answer = facts.ask(domain, "CNAME"), facts.ask(domain, "TXT")
    held = facts.view(facts.domain(domain).zone)
    own = domain.removesuffix(facts.domain(domain).zone).rstrip(".")
    for provider, zone in held.found.items() if held is not None else ():
        if (own, "CNAME") in zone and (own, "TXT") in zone:
            yield warning(f"At {provider}, {domain} has a CNAME and TXT records: beside a CNAME nothing else may stand (RFC 1034 §3.6.2), and what "
                          "servers make of it differs.", "Publish A and AAAA in the place of the CNAME.")  # fmt: skip
    for text in alias.texts:
        yield warning(f"{domain} is an alias of {text.rstrip('.')}: its SPF record is that of the other name, and none of its own can stand beside the "
                      "CNAME (RFC 1034 §3.6.2).", "Publish A and AAAA in the place of the CNAME.")  # fmt: skip
    for text in answer.texts:
        if not (text.isascii() if _NEAR_MISS.match(text) else _decodable(text)):
            yield warning(f"A TXT record of {domain} holds octets that are no text: {ascii(text)[:80]}. Some receivers then read none of them.",
                          "Write it anew with the characters of ASCII.")  # fmt: skip
    need(alias)
    need(answer)


def _decodable(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)


def type_99(facts: Facts, domain: str) -> Iterator[Verdict]:
    """SPF-09: the obsolete type beside TXT."""
    old, new = facts.ask(domain, "SPF"), facts.ask(domain, "TXT")
    texts = sole(new)
    arises = False
    for view in views(old):
        for text in view.texts:
            arises = True
            if texts and any(same(text, other, domain) for other in texts):
                yield info(f"{domain} has its SPF record as type SPF (99) too{view.where}, and it says the same. The type is obsolete (RFC 7208 §3.1).",
                           "Nothing has to be done; `spf: {type99: never}` in the configuration ends it.")  # fmt: skip
            elif texts:
                wanted, fixable = facts.wanted(domain, "TXT"), facts.fixes(domain, "SPF")
                remedy = f"Delete it, or let it say the same: {zone_line(domain, 'SPF', texts[0])}"
                if fixable:
                    remedy = f"`dnssync apply` puts it right. {remedy}"
                elif wanted is not None and same(text, wanted, domain):  # it is the TXT record that somebody changed
                    remedy, fixable = mend(facts, domain, wanted, is_spf)
                yield error(f'The record of type SPF (99) of {domain} is another than the TXT record{view.where}, and a few old receivers read it '
                            f'first: "{text}".', remedy, fixable=fixable)  # fmt: skip
            elif new.known and not any(map(is_spf, new.texts)):
                remedy, fixable = mend(facts, domain, text, is_spf)
                yield error(
                    f"{domain} has an SPF record as type SPF (99) alone{view.where}: receivers read TXT (RFC 7208 §3.1).",
                    remedy,
                    fixable=fixable,
                )
    need(old)
    need(new)
    if not arises:
        yield MOOT


CHECKS: tuple[Check, ...] = (
    Check("SPF-01", "There is exactly one SPF record.", sending, one_record),
    Check("SPF-02", "All terms of the SPF record can be read, and count.", sending, syntax),
    Check("SPF-03", "SPF passes every address that mail leaves from.", senders, own_addresses),
    Check("SPF-04", "The SPF record ends with -all or ~all.", sending, each_record(ending)),
    Check("SPF-05", "The SPF record keeps to the limits on DNS look-ups.", sending, each_record(look_ups)),
    Check("SPF-06", "The SPF record fits an answer.", sending, sizes),
    Check(
        "SPF-07",
        "What the SPF record includes is there, once, and passes no more than it should.",
        sending,
        each_record(tree),
    ),
    Check("SPF-08", "Nothing beside the SPF record gets in its way.", sending, beside),
    Check("SPF-09", "There is no record of the obsolete type SPF.", every_domain, type_99),
)
