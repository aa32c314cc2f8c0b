"""What stands at a name as each server shows it, and how it is mended: a record is judged as some receiver sees it, never as a mixture of two
servers' answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from dnssync.check.facts import Facts, Unanswered, plain, unanswered, zone_line
from dnssync.check.finding import MOOT, Verdict
from dnssync.core.model import zone_of
from dnssync.core.record import RecordError
from dnssync.core.sighting import Answer
from dnssync.core.spf import Record, parse, parse_terms

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class View:
    """What some of the servers show alike: `texts` sorted, `servers` who they are. `alone`: all that answered show the same."""

    texts: tuple[str, ...]
    servers: tuple[str, ...]
    alone: bool = True

    @property
    def where(self) -> str:
        """Who shows it, as the end of a clause; "" where all do."""
        return "" if self.alone else f" (so {', '.join(self.servers)})"


def views(answer: Answer) -> tuple[View, ...]:
    """What there is to be seen, each once, in order of first sight; nothing where nobody answered."""
    found: dict[tuple[str, ...], list[str]] = {}
    for reply in answer.replies:
        if reply.answered:
            found.setdefault(tuple(sorted(reply.texts)), []).append(reply.server)
    return tuple(View(texts, tuple(servers), len(found) == 1) for texts, servers in found.items())


def need(answer: Answer) -> None:
    """Raise `Unanswered` where not every server answered: what was not seen may be worse than what was."""
    if not answer.known:
        raise Unanswered(unanswered(answer))


def dns_of(facts: Facts) -> Callable[[str, str], tuple[str, ...] | None]:
    """DNS for `core.spf_check`, as one receiver sees it: where servers differ, what the first of them says."""

    def dns(name: str, kind: str) -> tuple[str, ...] | None:
        answer = facts.ask(name, kind)
        if not answer.known:
            return None
        return tuple(plain(kind, text) for text in views(answer)[0].texts)

    return dns


def mend(facts: Facts, name: str, text: str, cured: Callable[[str], bool]) -> tuple[str, bool]:
    """The remedy "this record has to stand there", and whether `apply` does it: the text that dnssync wants, where that cures what was
    found, else the one given."""
    wanted = facts.wanted(name, "TXT")
    if alias := alias_of(facts.ask(name, "TXT")):
        return (
            f"{name} is a CNAME for {alias}: change the record there, or delete the CNAME and publish: {zone_line(name, 'TXT', text)}",
            False,
        )
    if wanted is None or not cured(wanted):
        return f"Publish: {zone_line(name, 'TXT', text)}", False
    remedy, fixable = facts.publish(name, "TXT", wanted)
    zone = zone_of(name, facts.configured)
    if not fixable and zone and _waits_for_a_person(facts, zone):
        remedy += f" (`dnssync apply --adopt {zone}` does it)"
    return remedy, fixable


def alias_of(answer: Answer) -> str:
    """The name that has what an answer shows, where a CNAME leads there; "" without. Beside a CNAME, dnssync writes nothing."""
    return (answer.aliases or ("",))[-1]


def written(facts: Facts, name: str) -> str | None:
    """The text that dnssync wants at a name and can write there."""
    return None if alias_of(facts.ask(name, "TXT")) else facts.wanted(name, "TXT")


def configure(facts: Facts, domain: str, option: str) -> str:
    """The remedy "the configuration has to say so", for a record that dnssync writes: by hand it would stand against what is configured."""
    zone = facts.domain(domain).zone
    waits = _waits_for_a_person(facts, zone)
    command = f"dnssync apply --adopt {zone}" if waits else "dnssync apply"
    return f"Set `{option}` for the zone {zone} in the configuration, then `{command}`."


def base(facts: Facts, domain: str, record: Record) -> Record:
    """The SPF record to mend: the one that dnssync wants, which passes this host, else the one that was found."""
    wanted = facts.wanted(domain, "TXT")
    try:
        return parse(wanted) if wanted is not None else record
    except RecordError:
        return record


def put_back(facts: Facts, domain: str, words: Iterable[str]) -> str:
    """What to change in the configuration, so that `apply` does not put back SPF terms that a remedy takes out, as a sentence with a space before
    it; "" where it would not."""
    policy, wanted = facts.domain(domain).policy.spf, written(facts, domain)
    gone = {meaning for word in words for meaning in _meanings(word, domain)}
    here = _meanings(wanted.partition(" ")[2], domain) if wanted is not None else set()
    extra = [term for term in policy.extra if _meanings(term, domain) & gone & here]
    own = [name for name in policy.mechanisms if _meanings(name, domain) & gone & here]
    told = [f"take {', '.join(extra)} out of `spf: {{extra: …}}`"] if extra else []
    if own:
        rest = ", ".join(name for name in policy.mechanisms if name not in own)
        told.append(f"set `spf: {{mechanisms: [{rest}]}}`")
    if not told:
        return ""
    return f" In the configuration, {' and '.join(told)} for the zone {facts.domain(domain).zone}: else `dnssync apply` puts it back."


def _meanings(text: str, domain: str) -> set[tuple[object, ...]]:
    try:
        return {term.meaning(domain) for term in parse_terms(text)}
    except RecordError:
        return set()


def _waits_for_a_person(facts: Facts, zone: str) -> bool:
    """Whether all that keeps dnssync from changing a zone is a record that it did not write."""
    reasons = [{refusal.reason for refusal in plan.refusals} for plan in facts.plans(zone)]
    return bool(reasons) and all(found == {"takeover"} for found in reasons)


# --- checks of one valid record -----------------------------------------------------------------------------------------


def alone(answer: Answer, is_ours: Callable[[str], bool]) -> tuple[str, ...]:
    """The records of a kind at a name, each once: of each view that has exactly one (several are none)."""
    found = [[text for text in view.texts if is_ours(text)] for view in views(answer)]
    return tuple(dict.fromkeys(texts[0] for texts in found if len(texts) == 1))


def of_each(
    judge: Callable[[Facts, str, str, R], Iterator[Verdict]],
    at: Callable[[str], str],
    is_ours: Callable[[str], bool],
    read: Callable[[str], R],
) -> Callable[[Facts, str], Iterator[Verdict]]:
    """A check of one record as a check of a domain: `judge(facts, domain, text, record)` of each valid record at the name `at(domain)` that some
    server shows. Where there is none, or none that can be read, the question does not arise: the checks of that say so."""

    def check(facts: Facts, domain: str) -> Iterator[Verdict]:
        answer = facts.ask(at(domain), "TXT")
        arises = False
        for text in alone(answer, is_ours):
            try:
                record = read(text)
            except RecordError:
                continue
            arises = True
            yield from judge(facts, domain, text, record)
        need(answer)
        if not arises:
            yield MOOT

    return check
