"""Look-ups of one pass that are made once: outside the zones that were read, so that deciding again decides the same; and of what name servers show."""

from __future__ import annotations

from collections.abc import Container, Iterable

from dnssync.core.model import zone_of
from dnssync.core.sighting import Answer, Question
from dnssync.resolver import Resolver


class Once:
    """Look-ups of one look of a pass, all servers asked: what was asked already is not asked again."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._known: dict[Question, Answer] = {}

    def look(self, questions: Iterable[Question]) -> dict[Question, Answer]:
        """As `Resolver.look`."""
        asked = list(questions)
        if missing := [question for question in asked if question not in self._known]:
            self._known.update(self._resolver.look(missing))
        return {question: self._known[question] for question in asked}


class Beyond:
    """Answers for names; `ahead` has those that will surely be asked for looked up all at once, since a decision asks for one after the other."""

    def __init__(self, resolver: Resolver, configured: Container[str]) -> None:
        self._once, self._configured = Once(resolver), configured

    def __call__(self, name: str, kind: str) -> tuple[str, ...] | None:
        """The values of a type at a name; () where it is known that there are none, None where that is not known."""
        question = self._question(name, kind)
        answer = self._once.look([question])[question]
        return answer.texts if answer.known else None

    def ahead(self, domains: Iterable[str]) -> None:
        """What the SPF records of these domains are decided from: where mail for them comes in, and the addresses of that."""
        every = [name.lower() for name in domains]
        self._once.look(self._question(name, kind) for name in every for kind in ("MX", "A", "AAAA"))
        hosts = {text.rpartition(" ")[2].lower().removesuffix(".") for name in every for text in self(name, "MX") or ()}
        self._once.look(self._question(host, kind) for host in sorted(hosts - {""}) for kind in ("A", "AAAA"))

    def _question(self, name: str, kind: str) -> Question:
        return Question(name, kind, zone_of(name, self._configured) or "")
