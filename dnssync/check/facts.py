"""What the checks judge: what a pass saw, and whatever else they ask for.

A check is a pure function of `Facts`. What it needs from outside (a DNS answer, a talk with a mail server) it names by a *wish*, a
frozen value: `facts.ask(…)`, `facts.find(…)`. A wish that nobody has looked into yet is noted and comes back as not known; the
runner has all that were noted looked into at once, and judges again. So a check may simply go on, and names more at a time: where it needs
several, it asks for all before it looks at the first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from dnssync.core.decide import Decision, ZonePlan
from dnssync.core.host import Host, MailDomain
from dnssync.core.model import KeyPair, absolute, zone_of
from dnssync.core.observed import Observed, ZoneView
from dnssync.core.policy import MailPolicy
from dnssync.core.sighting import Answer, Question

R = TypeVar("R")


class Wish(Generic[R]):
    """Something to be found out, other than a DNS answer: a frozen dataclass, `R` is what comes of it."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """What stands for an answer where a wish came to nothing; `reason` is a sentence without its final dot."""

    reason: str


class Unanswered(Exception):
    """Something that a check needs could not be found out; the runner makes an `unknown` of it. `reason`: a sentence for people."""


@dataclass(frozen=True, slots=True)
class Domain:
    """A mail domain that is looked at. `zone`: the configured zone that holds it. `mail`: what exim told of it, None where exim could
    not be asked or does not have it."""

    name: str
    zone: str
    policy: MailPolicy
    mail: MailDomain | None = None

    @property
    def parked(self) -> bool:
        """Whether it never sends."""
        return self.policy.parked


@dataclass(frozen=True, slots=True)
class ZonePass:
    """How the last complete pass of a zone went: `last_pass` in seconds since 1970, 0 = there was none; `failures` in a row."""

    last_pass: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known. `now` in seconds since 1970; `zones`: the configured zones that are looked at, `configured` all of them;
    `seen` and `decision`: what `dnssync plan` would see and do, None where `trouble` says why that could not be found out (exim, state);
    `passes` by zone, None where the state cannot be read; `interval`: seconds between two passes of the daemon; `map_path`: exim's
    signing map. `remembered`: what `mta_sts.remember` gave the last time. `have(wish)`: what came of a wish; None = not looked into yet, and noted."""

    now: int
    hostname: str
    domains: tuple[Domain, ...]
    zones: tuple[str, ...]
    configured: frozenset[str]
    have: Callable[[Any], Any]
    seen: Observed | None = None
    decision: Decision | None = None
    trouble: str = ""
    passes: Mapping[str, ZonePass] | None = field(default_factory=dict)
    interval: int = 900
    map_path: str = ""
    remembered: Mapping[str, str] = field(default_factory=dict)
    _named: Mapping[str, Domain] = field(init=False, repr=False, compare=False)
    _claimed: Mapping[tuple[str, str], str | None] = field(init=False, repr=False, compare=False)
    _changed: frozenset[tuple[str, str]] = field(init=False, repr=False, compare=False)
    _within: Mapping[str, tuple[str, ...]] = field(init=False, repr=False, compare=False)
    _views: Mapping[str, ZoneView] = field(init=False, repr=False, compare=False)
    _ours: Mapping[str, tuple[tuple[str, str], ...]] = field(init=False, repr=False, compare=False)
    _plans: Mapping[str, tuple[ZonePlan, ...]] = field(init=False, repr=False, compare=False)
    _keys: dict[str, list[KeyPair]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # ten thousand domains are asked about one by one: by name, not by a walk through all
        plans = self.decision.zones if self.decision is not None else ()
        claimed: dict[tuple[str, str], str | None] = {}
        for plan in plans:
            for claim in plan.claims:
                claimed.setdefault((absolute(claim.name, plan.plan.zone), claim.type), claim.value)
        changed = {
            (absolute(change.name, plan.plan.zone), change.type)
            for plan in plans
            if not plan.refusals
            for change in plan.plan.changes
        }
        object.__setattr__(self, "_named", {domain.name: domain for domain in reversed(self.domains)})
        object.__setattr__(self, "_claimed", claimed)
        object.__setattr__(self, "_changed", frozenset(changed))
        within: dict[str, list[str]] = {}
        for domain in self.domains:
            within.setdefault(domain.zone, []).append(domain.name)
        ours: dict[str, dict[tuple[str, str], None]] = {}
        by_zone: dict[str, list[ZonePlan]] = {}
        for plan in plans:
            by_zone.setdefault(plan.plan.zone, []).append(plan)
            some = ours.setdefault(plan.plan.zone, {})
            some.update({(absolute(c.name, plan.plan.zone), c.type): None for c in plan.claims if c.value is not None})
        object.__setattr__(self, "_within", {zone: tuple(names) for zone, names in within.items()})
        object.__setattr__(
            self, "_views", {view.zone: view for view in self.seen.zones} if self.seen is not None else {}
        )
        object.__setattr__(self, "_plans", {zone: tuple(some) for zone, some in by_zone.items()})
        object.__setattr__(self, "_ours", {zone: tuple(some) for zone, some in ours.items()})

    # --- what a pass saw --------------------------------------------------------------------------------------------

    @property
    def host(self) -> Host:
        """What exim told. Raises `Unanswered`."""
        return self.observed().host

    @property
    def keys(self) -> tuple[KeyPair, ...]:
        """The keys with their stamps as this pass leaves them. Raises `Unanswered`."""
        return self.decided().keys

    def keys_of(self, name: str) -> tuple[KeyPair, ...]:
        """Those of one domain; with ten thousand domains it is not for each of them to look at all. Raises `Unanswered`."""
        if not self._keys:
            for key in self.keys:
                self._keys.setdefault(key.domain, []).append(key)
        return tuple(self._keys.get(name, ())) if self.keys else ()

    def observed(self) -> Observed:
        """What a pass saw. Raises `Unanswered`."""
        if self.seen is None:
            raise Unanswered(self.trouble)
        return self.seen

    def decided(self) -> Decision:
        """What `apply` would do. Raises `Unanswered`."""
        if self.decision is None:
            raise Unanswered(self.trouble)
        return self.decision

    def domain(self, name: str) -> Domain:
        """The mail domain of that name; it is one of `domains`."""
        return self._named[name]

    def has(self, name: str) -> bool:
        """Whether it is one of `domains`."""
        return name in self._named

    def sends(self, name: str) -> bool:
        """Whether it is one of `domains`, and not parked."""
        return name in self._named and not self._named[name].parked

    def within(self, zone: str) -> tuple[str, ...]:
        """The mail domains that a configured zone holds."""
        return self._within.get(zone, ())

    def view(self, zone: str) -> ZoneView | None:
        """What the pass saw of a zone at its providers."""
        return self._views.get(zone)

    def wanted_in(self, zone: str) -> tuple[tuple[str, str], ...]:
        """The absolute names and types at which dnssync wants something in a zone."""
        return self._ours.get(zone, ())

    def mail(self, name: str) -> MailDomain:
        """What exim told of a mail domain. Raises `Unanswered`."""
        found = self.host.domain(name)
        if found is None:
            raise Unanswered(f"exim was not asked about {name}")
        return found

    # --- what apply would do ----------------------------------------------------------------------------------------

    def plans(self, zone: str) -> tuple[ZonePlan, ...]:
        """What `apply` would do in one zone, at each of its providers; none where that could not be found out."""
        return self._plans.get(zone, ())

    def wanted(self, name: str, kind: str) -> str | None:
        """The text that dnssync wants at an absolute name, None where it wants none there or that could not be found out."""
        return self._claimed.get((name, kind))

    def fixes(self, name: str, kind: str) -> bool:
        """Whether `dnssync apply` would change what stands at an absolute name, as things are now (its zone is not refused)."""
        return (name, kind) in self._changed

    def publish(self, name: str, kind: str, text: str) -> tuple[str, bool]:
        """The remedy "this record has to stand there", and whether `apply` does it: the text that dnssync wants where it wants one,
        else the one given."""
        fixable = self.fixes(name, kind)
        wanted = self.wanted(name, kind)
        shown = zone_line(name, kind, text if wanted is None else wanted)
        return (f"`dnssync apply` will publish it: {shown}" if fixable else f"Publish: {shown}"), fixable

    # --- what is asked for ------------------------------------------------------------------------------------------

    def ask(self, name: str, kind: str) -> Answer:
        """What every authoritative server of a configured zone, or for other names the resolver, says; `known` is False where it is not
        (or not yet) known."""
        question = Question(name.lower().rstrip("."), kind, zone_of(name.lower().rstrip("."), self.configured) or "")
        answer = self.have(question)
        if isinstance(answer, Answer):
            return answer
        return Answer(question, (), problem=answer.reason if isinstance(answer, Failed) else "not looked up")

    def texts(self, name: str, kind: str) -> tuple[str, ...]:
        """The values at a name, () where it is known that there are none. Raises `Unanswered` where that is not known."""
        answer = self.ask(name, kind)
        if not answer.known:
            raise Unanswered(unanswered(answer))
        return answer.texts

    def dns(self, name: str, kind: str) -> tuple[str, ...] | None:
        """The same for `core.spf_check`: names without final dot, None = nobody answers."""
        answer = self.ask(name, kind)
        return tuple(plain(kind, text) for text in answer.texts) if answer.known else None

    def find(self, wish: Wish[R]) -> R:
        """What came of a wish. Raises `Unanswered` where nothing did, or nobody has looked into it yet."""
        found = self.have(wish)
        if found is None:
            raise Unanswered("not looked into")
        if isinstance(found, Failed):
            raise Unanswered(found.reason)
        return found  # type: ignore[no-any-return]


def unanswered(answer: Answer) -> str:
    """Who did not say what stands at a name, and how, as a sentence without its final dot."""
    silent = [
        f"{reply.server} {reply.rcode}{f' ({reply.note})' if reply.note else ''}"
        for reply in answer.replies
        if not reply.answered
    ]
    why = answer.problem or "; ".join(silent) or "nobody was asked"
    return f"{answer.question.name} {answer.question.type} could not be looked up: {why.rstrip('.')}"


def plain(kind: str, text: str) -> str:
    """A value without the final dot of the name in it."""
    return text if kind in ("TXT", "SPF", "A", "AAAA") else text.removesuffix(".").lower()


def zone_line(name: str, kind: str, text: str) -> str:
    """A record as a master file has it; a TXT text in strings of at most 255 octets."""
    if kind not in ("TXT", "SPF"):
        return f"{name}. IN {kind} {text}"
    octets = text.encode("utf-8", "surrogateescape")
    parts = [octets[at : at + 255] for at in range(0, len(octets), 255)] or [b""]
    return f"{name}. IN {kind} " + " ".join(f'"{_quoted(part)}"' for part in parts)


def _quoted(octets: bytes) -> str:
    return "".join(f"\\{chr(o)}" if o in b'"\\' else chr(o) if 32 <= o < 127 else f"\\{o:03d}" for o in octets)


# --- subjects: over whom a check goes -----------------------------------------------------------------------------------


def host(facts: Facts) -> tuple[str, ...]:
    """This host, once."""
    return (facts.hostname,)


def every_domain(facts: Facts) -> tuple[str, ...]:
    """All mail domains, parked ones too."""
    return tuple(domain.name for domain in facts.domains)


def sending(facts: Facts) -> tuple[str, ...]:
    """The mail domains that send."""
    return tuple(domain.name for domain in facts.domains if not domain.parked)


def parked(facts: Facts) -> tuple[str, ...]:
    """The domains that never send."""
    return tuple(domain.name for domain in facts.domains if domain.parked)


def zones(facts: Facts) -> tuple[str, ...]:
    """The configured zones that are looked at."""
    return facts.zones


def addresses(facts: Facts) -> tuple[str, ...]:
    """The public addresses that mail of the domains leaves from; none where exim could not be asked."""
    if facts.seen is None:
        return ()
    mails = [facts.seen.host.domain(name) for name in sending(facts)]
    return tuple(dict.fromkeys(address.ip for mail in mails if mail is not None for address in mail.addresses))


def helos(facts: Facts) -> tuple[str, ...]:
    """The names that exim greets with; this host's name where exim could not be asked."""
    return (facts.seen.host.helo or (facts.hostname,)) if facts.seen is not None else (facts.hostname,)
