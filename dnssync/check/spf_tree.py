"""A record of SPF with all that it includes: where each branch leads, and what it makes of a message."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from dnssync.check.facts import Facts, Unanswered
from dnssync.check.finding import Verdict
from dnssync.check.standing import alone, of_each
from dnssync.core.record import RecordError
from dnssync.core.sighting import Answer
from dnssync.core.spf import Mechanism, Record, Term, is_all, is_spf, parse
from dnssync.core.spf_check import Dns
from dnssync.core.spf_macro import expand_name, letters

MOST = 100  # branches; a tree that is larger is past every limit long before
Judge = Callable[[Facts, str, str, Record], Iterator[Verdict]]


def sole(answer: Answer) -> tuple[str, ...]:
    """The SPF records at a name, each once: of each view that has exactly one."""
    return alone(answer, is_spf)


def each_record(judge: Judge) -> Callable[[Facts, str], Iterator[Verdict]]:
    """A check of one valid SPF record as a check of a domain (`standing.of_each`); where there is none, SPF-01 and SPF-02 say so."""
    return of_each(judge, lambda domain: domain, is_spf, parse)


@dataclass(frozen=True, slots=True)
class Branch:
    """An include or a redirect. `path`: the terms that lead there from the top, itself last; `target` the name, `above` the names on the way
    there. `texts`: the SPF records at the target, None where nobody answers. `record`: the one that is there, if it is one and can be read;
    `problem` says in words why not, "" where it can, or is not known."""

    path: tuple[str, ...]
    target: str
    above: tuple[str, ...]
    texts: tuple[str, ...] | None
    record: Record | None = None
    problem: str = ""

    @property
    def loop(self) -> bool:
        """Whether it leads back to where the evaluation came from."""
        return self.target in self.above

    @property
    def way(self) -> str:
        """The path for people."""
        return " → ".join(self.path)


def live(record: Record) -> tuple[Term, ...]:
    """The terms that count: mechanisms before `all`, and a redirect where there is no `all` (RFC 7208 §5.1, §6.1)."""
    found: list[Term] = []
    for mechanism in record.mechanisms:
        if is_all(mechanism):
            return tuple(found)
        found.append(mechanism)
    redirect = record.modifier("redirect")
    return (*found, redirect) if redirect is not None else tuple(found)


def target(term: Term, domain: str, top: str) -> str | None:
    """The name that a term asks for, None where a macro leaves that to the message; `top`: the domain of the root."""
    spec = term.domain if isinstance(term, Mechanism) else term.value
    if not letters(spec) <= {"d", "o"}:
        return None
    return (expand_name(spec, {"d": domain, "o": top}.__getitem__) if spec else domain).rstrip(".").lower()


def branches(dns: Dns, domain: str, record: Record) -> tuple[Branch, ...]:
    """Every include and redirect below a record, nearest first; a loop is not followed. All names of one depth are asked for together."""
    found: list[Branch] = []
    level: list[tuple[tuple[str, ...], str, tuple[str, ...], Record]] = [((), domain, (domain,), record)]
    while level and len(found) < MOST:
        wanted = [
            ((*path, str(term)), name, above)
            for path, at, above, one in level
            for term in _leading(one)
            if (name := target(term, at, domain)) is not None
        ][:MOST]
        for _, at, _, one in level:
            _look_ahead(dns, one, at, domain)
        answers = [dns(name, "TXT") if name not in above else () for _, name, above in wanted]
        level = []
        for (path, name, above), texts in zip(wanted, answers, strict=True):
            branch = _branch(path, name, above, texts)
            found.append(branch)
            if branch.record is not None and not branch.loop:
                level.append((path, name, (*above, name), branch.record))
    return tuple(found[:MOST])


def _leading(record: Record) -> Iterable[Term]:
    return (term for term in live(record) if term.name in ("include", "redirect"))


def _look_ahead(dns: Dns, record: Record, domain: str, top: str) -> None:
    """Ask for what the other terms will ask for, so that all of one depth goes out together."""
    for term in live(record):
        name = target(term, domain, top) if term.name in ("a", "mx", "exists") else None
        if name and name.isascii() and len(name) <= 253:
            for kind in {"a": ("A", "AAAA"), "mx": ("MX",), "exists": ("A",)}[term.name]:
                dns(name, kind)


def _branch(path: tuple[str, ...], name: str, above: tuple[str, ...], texts: tuple[str, ...] | None) -> Branch:
    if texts is None or name in above:
        return Branch(path, name, above, texts)
    records = tuple(text for text in texts if is_spf(text))
    if len(records) != 1:
        problem = "has no SPF record" if not records else f"has {len(records)} SPF records"
        return Branch(path, name, above, records, problem=problem)
    try:
        return Branch(path, name, above, records, parse(records[0]))
    except RecordError as error:
        return Branch(path, name, above, records, problem=f"has an SPF record that cannot be read: {error}")


def silent(names: Iterable[str]) -> None:
    """Raise `Unanswered` where there are names that nobody answered for."""
    told = tuple(dict.fromkeys(names))
    if told:
        raise Unanswered(nobody(told))


def nobody(names: Sequence[str]) -> str:
    """Who did not answer, as a sentence without its final dot."""
    return f"Nobody answers for {', '.join(names[:5])}{' and others' if len(names) > 5 else ''}, which the SPF record asks for"
