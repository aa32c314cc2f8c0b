"""The three-way merge of SPF terms: what we added last, what is found, what we need now.

In an SPF record we own terms. Terms of others are kept, in their place and spelling; ours are added before `all`; what
we added and no longer need goes. A term that somebody had there before us is never ours, even if we need it too:
when we withdraw, the record is what it was. So ownership is a multiset: for each term that we added, one goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dnssync.core.record import RecordError
from dnssync.core.spf import QUALIFIERS, Mechanism, Modifier, Record, Term, is_all, parse_terms


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
    *,
    found: Record | None,
    applied: str,
    ours: tuple[str, ...],
    ending: str,
    explicit: bool,
    domain: str = "",
    option: str = "spf.extra",
) -> Merged:
    """Merge our terms into the record that was found (None = there is none).

    `applied`: the terms that earlier merges added, as text. `ours`: the terms needed now, without `all`. `ending`:
    fail, softfail, neutral or pass; it decides the qualifier of `all` where none is found, where we added it, or
    where `explicit`. `domain`: the name the record stands at; `option`: how people call the place of terms of theirs.
    Raises `MergeRefusal` where `ours` are no such terms, or where a redirect or exp of somebody else stands in the way.
    """
    needed = _needed(ours, domain, option)
    terms = found.terms if found is not None else ()
    wanted = {term.meaning(domain) for term in needed}
    mine = _owned(terms, applied, domain)
    end = _end(terms)
    # Of ours, `all` stays only where it still ends the record, and makes room for a redirect that is wanted.
    redirect = _named(needed, "redirect")
    stays = [
        index not in mine or (index == end and redirect is None if is_all(term) else term.meaning(domain) in wanted)
        for index, term in enumerate(terms)
    ]
    kept = [term for term, stay in zip(terms, stays, strict=True) if stay]
    own = [index in mine for index, stay in enumerate(stays) if stay]
    end = _end(kept)
    _refuse_clash(kept, needed, domain, explicit, option)

    live = {term.meaning(domain) for index, term in enumerate(kept) if index < end or isinstance(term, Modifier)}
    missing = [term for term in needed if term.meaning(domain) not in live]
    mechanisms = [term for term in missing if isinstance(term, Mechanism)]
    modifiers = [term for term in missing if isinstance(term, Modifier)]
    last = Mechanism("all", QUALIFIERS[ending])
    if end < len(kept):
        if (own[end] or explicit) and kept[end].meaning() != last.meaning():
            kept[end] = last
    elif redirect is None:
        mechanisms.append(last)
    # What is added stands behind every live term of others; modifiers stand at the end (§6: they should).
    merged = (*kept[:end], *mechanisms, *kept[end:], *modifiers)
    ownership = (*own[:end], *(True for _ in mechanisms), *own[end:], *(True for _ in modifiers))
    added = [term for term, is_ours in zip(merged, ownership, strict=True) if is_ours]
    return Merged(Record(merged), _text(added))


def without(record: Record, added: str, domain: str = "") -> str | None:
    """The record's text with the terms taken out that earlier merges added; None where nothing remains."""
    mine = _owned(record.terms, added, domain)
    rest = tuple(term for index, term in enumerate(record.terms) if index not in mine)
    return str(Record(rest)) if rest else None


def _needed(ours: Iterable[str], domain: str, option: str) -> list[Term]:
    """Our terms, each meaning once; raises `MergeRefusal` for what is no term of ours to publish."""
    needed: dict[object, Term] = {}
    for text in ours:
        try:
            terms = parse_terms(text)
        except RecordError as error:
            raise MergeRefusal(
                "spf_term_invalid", f'"{text}" is no term that SPF knows: {error.sentence}. Mend {option}.'
            ) from None
        for term in terms:
            if is_all(term):
                raise MergeRefusal(
                    "spf_term_invalid",
                    f'"{text}" holds an all, which would end the record there. Take it out of {option}; the option spf.all '
                    "says how the record ends.",
                )
            needed.setdefault(term.meaning(domain), term)
    for name in ("redirect", "exp"):
        if sum(isinstance(term, Modifier) and term.name == name for term in needed.values()) > 1:
            raise MergeRefusal("spf_term_invalid", f"{name}= may stand in a record once (RFC 7208 §6). Mend {option}.")
    return list(needed.values())


def _refuse_clash(kept: Sequence[Term], needed: Sequence[Term], domain: str, explicit: bool, option: str) -> None:
    """Raise where a redirect or an exp of somebody else leaves no room for what we need."""
    ended = any(map(is_all, kept))
    ours, theirs = _named(needed, "redirect"), _named(kept, "redirect")
    agree = ours is not None and theirs is not None and ours.meaning(domain) == theirs.meaning(domain)
    if ours is not None and (ended or explicit):
        raise MergeRefusal(
            "spf_redirect",
            f"{option} holds {ours}, which counts for nothing beside "
            + ("the all that stands in its SPF record" if ended else "the all that spf.all asks for")
            + f". Use include:{ours.value} in its place.",
        )
    if theirs is not None and not ended and not agree:
        raise MergeRefusal(
            "spf_redirect",
            f"its SPF record hands everything on by {theirs}, so terms of this host cannot be added to it. Replace it there "
            f"with include:{theirs.value} and an all; or, to keep it behind this host's terms, add {theirs} to {option}.",
        )
    ours, theirs = _named(needed, "exp"), _named(kept, "exp")
    if ours is not None and theirs is not None and ours.meaning(domain) != theirs.meaning(domain):
        raise MergeRefusal(
            "spf_exp",
            f"its SPF record holds {theirs} already, and only one exp= may stand there. Take {ours} out of {option}.",
        )


def _owned(terms: Sequence[Term], added: str, domain: str) -> frozenset[int]:
    """The places of the terms that we added; one for each, though others may have written the same term.

    Ours were put in front of the `all` that ends the record, behind those of others (modifiers at the very end): there
    they are looked for first, from the back; then that `all`; then the dead ones. A text that no longer parses speaks
    for no term, so that nothing is taken away.
    """
    try:
        sought = [term.meaning(domain) for term in parse_terms(added)]
    except RecordError:
        return frozenset()
    end = _end(terms)

    def likely(index: int) -> tuple[int, int]:
        return (0 if isinstance(terms[index], Modifier) else (index >= end) + (index > end), -index)

    places: set[int] = set()
    for index in sorted(range(len(terms)), key=likely):
        meaning = terms[index].meaning(domain)
        if meaning in sought:
            sought.remove(meaning)
            places.add(index)
    return frozenset(places)


def _end(terms: Sequence[Term]) -> int:
    """The place of the first `all`, behind which no mechanism counts; where there is none, the number of terms."""
    return next((index for index, term in enumerate(terms) if is_all(term)), len(terms))


def _named(terms: Iterable[Term], name: str) -> Modifier | None:
    return next((term for term in terms if isinstance(term, Modifier) and term.name == name), None)


def _text(terms: Iterable[Term]) -> str:
    return " ".join(map(str, terms))
