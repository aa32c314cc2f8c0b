"""The three-way merge of SPF terms: what we added last, what is found, what we need now.

In an SPF record we own terms. Terms of others are kept, in their place and spelling; ours are added before `all`; what
we added and no longer need goes. A term that somebody had there before us is never ours, even if we need it too:
when we withdraw, the record is what it was.
"""

from __future__ import annotations

from dataclasses import dataclass

from dnssync.core.record import RecordError
from dnssync.core.spf import QUALIFIERS, Mechanism, Record, Term, parse_terms


class MergeRefusal(Exception):
    """Nothing can be merged into what was found; `reason` for machines, `sentence` with the remedy for people."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Merged:
    """The merged record, and as text those of its terms that are ours by addition (to be stored as `applied`)."""

    record: Record
    added: str


def merge(
    *, found: Record | None, applied: str, ours: tuple[str, ...], ending: str, explicit: bool, domain: str = ""
) -> Merged:
    """Merge our terms into the record that was found (None = there is none).

    `applied`: the terms that earlier merges added, as text. `ours`: the terms needed now. `ending`: fail, softfail,
    neutral or pass; it decides the qualifier of `all` where none is found, where we added it, or where `explicit`.
    Raises `MergeRefusal` where a redirect stands in place of `all`, `RecordError` where `ours` are no terms.
    """
    needed = parse_terms(" ".join(ours))
    last = Mechanism("all", QUALIFIERS[ending], spelled=f"{QUALIFIERS[ending].replace('+', '')}all")
    if found is None:
        terms = (*needed, last)
        return Merged(Record(terms), _text(terms))
    ended = any(_is_all(term) for term in found.terms)
    redirect = found.modifier("redirect")
    if redirect is not None and not ended:
        raise MergeRefusal(
            "spf_redirect",
            f"its SPF record hands everything on by redirect={redirect.value}, so terms of this host cannot be added to it. "
            f"Replace the redirect with include:{redirect.value} and an all of its own, or list this host over there.",
        )
    added_before = {term.meaning(domain) for term in _applied(applied)}
    wanted = {term.meaning(domain) for term in needed}
    kept = [t for t in found.terms if _is_all(t) or t.meaning(domain) in wanted or t.meaning(domain) not in added_before]
    at = next((i for i, term in enumerate(kept) if _is_all(term)), len(kept))
    live = {term.meaning(domain) for term in kept[:at]}
    missing = [term for term in needed if term.meaning(domain) not in live]
    if ended:
        mine = kept[at].meaning(domain) in added_before
        if mine or explicit:
            kept[at] = last if kept[at].meaning(domain) != last.meaning(domain) else kept[at]
    else:
        at = next((i for i, term in enumerate(kept) if not isinstance(term, Mechanism)), len(kept))
        kept.insert(at, last)
        mine = True
    result = (*kept[:at], *missing, *kept[at:])
    own = added_before | {term.meaning(domain) for term in missing}
    added = [t for t in result if not _is_all(t) and t.meaning(domain) in wanted and t.meaning(domain) in own]
    return Merged(Record(result), _text([*added, *([kept[at]] if mine else [])]))


def without(record: Record, added: str, domain: str = "") -> str | None:
    """The record's text with the terms taken out that earlier merges added; None where nothing remains."""
    gone = {term.meaning(domain) for term in _applied(added)}
    rest = tuple(term for term in record.terms if term.meaning(domain) not in gone)
    return str(Record(rest)) if rest else None


def _applied(text: str) -> tuple[Term, ...]:
    """What the ledger holds; a text that no longer parses speaks for no term, so that nothing is taken away."""
    try:
        return parse_terms(text)
    except RecordError:
        return ()


def _is_all(term: Term) -> bool:
    return isinstance(term, Mechanism) and term.name == "all"


def _text(terms: list[Term] | tuple[Term, ...]) -> str:
    return " ".join(map(str, terms))
