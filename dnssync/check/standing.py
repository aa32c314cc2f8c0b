"""What stands at a name as each server shows it, and how it is mended: a record is judged as some receiver sees it, never as a mixture of two
servers' answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dnssync.check.facts import Facts, Unanswered, plain, unanswered, zone_line
from dnssync.core.model import zone_of
from dnssync.core.sighting import Answer


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
    if wanted is None or not cured(wanted):
        return f"Publish: {zone_line(name, 'TXT', text)}", False
    remedy, fixable = facts.publish(name, "TXT", wanted)
    zone = zone_of(name, facts.configured)
    if not fixable and zone and _waits_for_a_person(facts, zone):
        remedy += f" (`dnssync apply --adopt {zone}` does it)"
    return remedy, fixable


def _waits_for_a_person(facts: Facts, zone: str) -> bool:
    """Whether all that keeps dnssync from changing a zone is a record that it did not write."""
    reasons = [{refusal.reason for refusal in plan.refusals} for plan in facts.plans(zone)]
    return bool(reasons) and all(found == {"takeover"} for found in reasons)
