"""DMARC (RFC 9989; RFC 9990 for reports; where readers of RFC 7489 differ, that is told)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dnssync.check.dmarc_addresses import addresses
from dnssync.check.dmarc_reports import delivered
from dnssync.check.dmarc_values import policy, values
from dnssync.check.dmarc_walk import Suffix, each_own, organization, walked
from dnssync.check.facts import Facts, Unanswered, sending
from dnssync.check.finding import MOOT, Verdict, error, info
from dnssync.check.judging import Check
from dnssync.check.standing import View, mend, need, views
from dnssync.core import dmarc

_NEAR_MISS = re.compile(r"[\W_]*(v\W{0,3}=\W{0,3})?dmarc", re.IGNORECASE)


def one_record(facts: Facts, domain: str) -> Iterator[Verdict]:
    """DMARC-01: one record at the domain's own name, or else one that it inherits."""
    name = f"_dmarc.{domain}"
    answer = facts.ask(name, "TXT")
    for view in views(answer):
        records = [text for text in view.texts if dmarc.is_dmarc(text)]
        near = [text for text in view.texts if not dmarc.is_dmarc(text) and _NEAR_MISS.match(text)]
        others = [text for text in view.texts if text not in records and text not in near]
        if len(records) > 1:
            told = "; ".join(f'"{text}"' for text in records)
            yield error(f"{name} has {len(records)} DMARC records{view.where}, so receivers discard them all: {told}.",
                        f"Keep one of them. {mend(facts, name, _strictest(records), lambda wanted: False)[0]}")  # fmt: skip
        elif records:
            for text in near + others:
                yield info(f'"{text}" stands at {name} beside the DMARC record{view.where}, perhaps by a wildcard; receivers pass over it.',
                           "Delete it." if text in near else "")  # fmt: skip
        else:
            yield from _none(facts, domain, view, near, others)
    need(answer)


def _none(facts: Facts, domain: str, view: View, near: list[str], others: list[str]) -> Iterator[Verdict]:
    """No record at the name itself."""
    name = f"_dmarc.{domain}"
    misplaced = [
        (at, text) for at in (domain, f"{name}.{domain}") for text in facts.ask(at, "TXT").texts if dmarc.is_dmarc(text)
    ]
    remedy, fixable = mend(facts, name, f"v=DMARC1; p=none; rua=mailto:postmaster@{domain}", dmarc.is_dmarc)
    if near:
        yield error(f'{domain} has no DMARC record: "{near[0]}" at {name} is none{view.where}, for one begins with `v=DMARC1;`, in this spelling.',
                    remedy, fixable=fixable)  # fmt: skip
    for at, text in misplaced:
        yield error(f'The DMARC record of {domain} stands at {at}, where nobody looks for it; it belongs at {name}: "{text}".',
                    _moved(facts, name, text))  # fmt: skip
    if near or misplaced:
        return
    if walked(facts, domain):
        return  # it inherits one
    found = f'; "{others[0]}" stands there, perhaps by a wildcard' if others else ""
    yield error(
        f"{domain} has no DMARC record, neither of its own at {name} nor from a parent{view.where}{found}.",
        remedy,
        fixable=fixable,
    )


def _moved(facts: Facts, name: str, text: str) -> str:
    return f"{mend(facts, name, text, lambda wanted: False)[0]}; then delete it where it is."


def _strictest(records: list[str]) -> str:
    def strict(text: str) -> int:
        try:
            return dmarc.strength(dmarc.parse(text).policy)
        except ValueError:
            return -1

    return max(records, key=strict)


def organizational(facts: Facts, domain: str) -> Iterator[Verdict]:
    """DMARC-06: what readers of RFC 7489, who use the public suffix list, take for the organizational domain."""
    found = walked(facts, domain)
    if not found:
        yield MOOT  # DMARC-01's matter
        return
    ours = organization(domain, found)
    try:
        theirs = facts.find(Suffix(domain))
    except Unanswered:  # no list on this machine: what can be seen without one
        yield from _without_list(domain, ours, found)
        return
    if theirs and theirs != ours:
        own = f"_dmarc.{domain}" in found
        rest = "" if own else f" They look for its record at _dmarc.{theirs} alone, " + (
            "where one is." if f"_dmarc.{theirs}" in found else "where none is: for them it has no policy.")  # fmt: skip
        yield info(f"By the tree walk of RFC 9989 the organizational domain of {domain} is {ours}; by the public suffix list, which readers of RFC 7489 "
                   f"use, it is {theirs}: they differ over what is aligned.{rest}", _explicit(domain, theirs, found))  # fmt: skip


def _explicit(domain: str, theirs: str, found: dict[str, str]) -> str:
    if f"_dmarc.{theirs}" not in found:
        return f"A DMARC record at _dmarc.{theirs} makes both agree."
    return f"A record of its own at _dmarc.{domain} with adkim=s and aspf=s leaves nothing to differ over."


def _without_list(domain: str, ours: str, found: dict[str, str]) -> Iterator[Verdict]:
    """What only a tree walk finds: an end that psd= sets, a top-level domain, a record at a name between."""
    between = [name for name in list(found)[:-1] if name != f"_dmarc.{domain}"]
    psd = any(dmarc.parse(text).get("psd").lower() in ("y", "n") for text in found.values())
    if f"_dmarc.{domain}" not in found and between:
        yield info(f"{domain} has its DMARC record from {between[0].removeprefix('_dmarc.')}, between itself and {ours}: readers of RFC 7489 do not look "
                   "there.", f"Give {domain} a record of its own.")  # fmt: skip
    elif psd or "." not in ours:
        yield info(f"The organizational domain of {domain} is {ours} by the tree walk of RFC 9989; readers of RFC 7489 go by the public suffix list, and "
                   "may take another.", "`apt install publicsuffix` lets this check compare the two.")  # fmt: skip
    else:
        yield MOOT


CHECKS: tuple[Check, ...] = (
    Check("DMARC-01", "There is one DMARC record, its own or a parent's.", sending, one_record),
    Check("DMARC-02", "All tags of the DMARC record mean the same to all readers.", sending, values),
    Check("DMARC-03", "The DMARC policy protects the domain.", sending, policy),
    Check("DMARC-04", "DMARC reports are asked for.", sending, each_own(addresses)),
    Check("DMARC-05", "DMARC reports have somewhere to go.", sending, each_own(delivered)),
    Check("DMARC-06", "All readers take the same name for the organizational domain.", sending, organizational),
)
