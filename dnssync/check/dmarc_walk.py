"""Which DMARC record counts for a domain: the tree walk (RFC 9989 §4.10), and the organizational domain that comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dnssync.check.facts import Facts, Unanswered, Wish, unanswered
from dnssync.check.finding import Verdict
from dnssync.check.standing import alone, of_each
from dnssync.core import dmarc
from dnssync.core.record import RecordError
from dnssync.core.sighting import Answer


@dataclass(frozen=True, slots=True)
class Suffix(Wish[str]):
    """The organizational domain of a name by the public suffix list, as readers of RFC 7489 know it; "" where the name is a public suffix."""

    name: str


@dataclass(frozen=True, slots=True)
class Takes(Wish[bool]):
    """Whether exim takes mail for an address."""

    address: str


def sole(answer: Answer) -> tuple[str, ...]:
    """The DMARC records at a name, each once: of each view that has exactly one."""
    return alone(answer, dmarc.is_dmarc)


def own(facts: Facts, domain: str) -> tuple[str, ...]:
    """The records at the domain's own name."""
    return sole(facts.ask(f"_dmarc.{domain}", "TXT"))


def each_own(
    judge: Callable[[Facts, str, str, dmarc.Record], Iterator[Verdict]],
) -> Callable[[Facts, str], Iterator[Verdict]]:
    """A check of one valid record as a check of a domain (`standing.of_each`), at its own name; where there is none, DMARC-01 and DMARC-02 say so."""
    return of_each(judge, lambda domain: f"_dmarc.{domain}", dmarc.is_dmarc, dmarc.parse)


def walked(facts: Facts, domain: str) -> dict[str, str]:
    """The records that the tree walk finds, by the names it asks; the domain's own first. Raises `Unanswered` where one of them is not known."""
    names = dmarc.tree_walk(domain)
    answers = [facts.ask(name, "TXT") for name in names]
    found: dict[str, str] = {}
    for name, answer in zip(names, answers, strict=True):
        if not answer.known:
            raise Unanswered(unanswered(answer))
        texts = sole(answer)
        try:
            psd = dmarc.parse(texts[0]).get("psd").lower() if texts else ""
        except RecordError:
            continue
        if texts:
            found[name] = texts[0]
            if psd in ("y", "n"):
                break  # it ends the walk
    return found


def organization(domain: str, found: dict[str, str]) -> str:
    """The organizational domain: where psd=n stands, one label below psd=y, else the shortest name with a record, else the domain itself."""
    names = list(found)
    if not names:
        return domain
    last = names[-1].removeprefix("_dmarc.")
    if dmarc.parse(found[names[-1]]).get("psd").lower() == "y":
        labels = domain.split(".")
        return ".".join(labels[-(last.count(".") + 2) :])
    return last
