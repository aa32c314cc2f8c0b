"""The pure middle of the straight line: advance → desire → plan → guard, for all zones of one pass.

What was observed comes in as one frozen value, what is to be done goes out as another; `reconcile` gathers the first
and carries out the second. Called twice with the same input it decides the same: `apply` relies on that when it
decides again after new keys have been made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from dnssync.core import rotation
from dnssync.core.carried import not_carried
from dnssync.core.desire import desire, signs
from dnssync.core.guard import SIGNING, Case, judge, notices, refusals
from dnssync.core.host import Address, Host, MailDomain
from dnssync.core.model import Claim, KeyPair, Limits, Notice, Refusal, RRset, Step
from dnssync.core.ownership import Agreed, Ledger
from dnssync.core.pass_notices import frozen, living, short_keys, shut, switched, unusable
from dnssync.core.plan import Intent, Plan, diff, overlay
from dnssync.core.policy import MailPolicy
from dnssync.core.sighting import Sight
from dnssync.core.wish import Wish
from dnssync.core.zone_view import Dns, Zone, dns_of

RSA_MIN_TXT = 410  # octets of text that `v=DKIM1; k=rsa; p=` and a 2048-bit key take


@dataclass(frozen=True, slots=True)
class ZoneView:
    """One configured zone as observed. `found` holds its RRsets per provider; `problem` says why it could not be read
    (then nothing about it is decided). `negative_ttl` in seconds, None = not known. `known_before`: RRsets at the last
    complete read. `domains`: the mail domains it serves. `agreed`: per provider the values, each with its place (name,
    type, owner), that were given to a person to enter: each take-over in them was agreed to."""

    zone: str
    policy: MailPolicy
    domains: tuple[str, ...]
    limits: Limits
    found: Mapping[str, Zone] = field(default_factory=dict)
    ledger: Mapping[str, Ledger] = field(default_factory=dict)
    problem: str = ""
    negative_ttl: int | None = None
    known_before: int = 0
    adopt: bool = False
    agreed: Mapping[str, frozenset[Agreed]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything one pass has seen. `sights` and `readable` speak of keys by (domain, selector); `map` is exim's
    signing map as it is; `beyond` answers for names outside the zones that were read; `closed` says, by domain,
    why exim could not open a key that were made for it."""

    now: int
    host: Host
    zones: tuple[ZoneView, ...]
    keys: tuple[KeyPair, ...]
    sights: Mapping[tuple[str, str], Sight]
    readable: frozenset[tuple[str, str]]
    map: Mapping[str, tuple[str, ...]]
    beyond: Dns
    policies: Mapping[str, MailPolicy] = field(default_factory=dict)
    remembered: Mapping[str, tuple[Address, ...]] = field(default_factory=dict)
    confirmed: frozenset[tuple[str, str]] = frozenset()
    frozen: frozenset[str] = frozenset()
    closed: Mapping[str, str] = field(default_factory=dict)
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True)
class ZonePlan:
    """One zone at one provider: the plan, what it rests on, and what the guard says of it."""

    plan: Plan
    claims: tuple[Claim, ...]
    added: Mapping[tuple[str, str], str]
    found: Zone
    wanted: tuple[RRset, ...]
    ledger: Ledger
    notices: tuple[Notice, ...]
    refusals: tuple[Refusal, ...]

    @property
    def unrecorded(self) -> tuple[Claim, ...]:
        """Claims that DNS fulfils already, but the ledger does not know yet: a stamp to write, no change."""
        return tuple(
            claim
            for claim in self.claims
            if claim.value is not None and (claim.name, claim.type, claim.owner) not in self.ledger
        )


@dataclass(frozen=True, slots=True)
class Decision:
    """What this pass does. `keys` carry their new stamps; `map_after` is the whole signing map; `failed` the zones that
    could not be read, with a sentence each; `steps` by (domain, kind)."""

    now: int
    zones: tuple[ZonePlan, ...]
    failed: Mapping[str, str]
    keys: tuple[KeyPair, ...]
    steps: Mapping[tuple[str, str], Step]
    map_before: Mapping[str, tuple[str, ...]]
    map_after: Mapping[str, tuple[str, ...]]
    notices: tuple[Notice, ...]

    @property
    def changes(self) -> bool:
        """Whether anything at all would be written for zones that are not refused."""
        return self.map_before != self.map_after or any(not z.plan.empty for z in self.zones if not z.refusals)

    @property
    def refused(self) -> bool:
        """Whether the guard said no to any zone."""
        return any(z.refusals for z in self.zones)

    @property
    def wake(self) -> int | None:
        """When the next thing can happen by itself, None where nothing is pending."""
        return min((step.wake for step in self.steps.values() if step.wake is not None), default=None)


def decide(seen: Observed) -> Decision:
    """One pass, decided. Refused and failed zones keep their lines in exim's map, frozen domains what still signs of theirs."""
    steps: dict[tuple[str, str], Step] = {}
    stepped: dict[tuple[str, str], KeyPair] = {(key.domain, key.selector): key for key in seen.keys}
    intents: dict[str, tuple[Intent, ...]] = {}
    views = {domain: view for view in seen.zones for domain in view.domains}
    for domain in sorted({*views, *(key.domain for key in seen.keys)}):
        for kind in ("rsa", "ed25519"):
            step = _advance(seen, views.get(domain), domain, kind)
            if step is None:
                continue
            steps[(domain, kind)] = step
            stepped.update({(key.domain, key.selector): key for key in step.keys})
            intents[domain] = (*intents.get(domain, ()), *(Intent(domain, algorithm) for algorithm in step.generate))
    keys = tuple(stepped.values())
    lines = {
        domain: _fallen_back(seen, domain, steps) if domain in seen.frozen else _line(seen, domain, steps)
        for domain in {domain for domain, _ in steps}
    }
    plans = [plan for view in seen.zones if not view.problem for plan in _zone(seen, view, keys, intents, lines)]
    held = {p.plan.zone for p in plans if p.refusals} | {view.zone for view in seen.zones if view.problem}
    after = dict(seen.map)
    for domain, selectors in lines.items():
        view = views.get(domain)
        if selectors and not (view is not None and view.zone in held):
            after[domain] = selectors
    return Decision(
        now=seen.now,
        zones=tuple(plans),
        failed={view.zone: view.problem for view in seen.zones if view.problem},
        keys=keys,
        steps=steps,
        map_before=dict(seen.map),
        map_after=after,
        notices=(*seen.notices, *unusable(seen), *switched(seen, lines), *frozen(seen), *shut(seen), *living(seen)),
    )


def _line(seen: Observed, domain: str, steps: Mapping[tuple[str, str], Step]) -> tuple[str, ...]:
    """The domain's line in exim's map: what its key sets say. A set that says nothing, since DNS was silent, keeps the
    selector that stands there, as long as that key is seasoned and can be used."""
    line: list[str] = []
    for kind in ("rsa", "ed25519"):
        step = steps.get((domain, kind))
        if step is None:
            continue
        kept = [
            key.selector
            for key in step.keys
            if key.selector in seen.map.get(domain, ())
            and (domain, key.selector) in seen.readable
            and rotation.phase(key, rotation.Policy(), seen.now) in SIGNING
        ]
        line.extend(step.sign or kept)
    return tuple(line)


def _fallen_back(seen: Observed, domain: str, steps: Mapping[tuple[str, str], Step]) -> tuple[str, ...]:
    """A frozen domain's line: what stands there, but for a key that exim can no longer sign with. In its place comes the
    one that its set falls back to, if receivers can verify that today; nothing else is begun."""
    line: list[str] = []
    for selector in seen.map.get(domain, ()):
        mine = [step for (name, _), step in steps.items() if name == domain]
        step = next((step for step in mine if any(key.selector == selector for key in step.keys)), None)
        if step is None or (domain, selector) in seen.readable:
            line.append(selector)
        else:  # whatever a step signs with is readable and seasoned; an active key may have lost its record
            line.extend(name for name in step.sign if seen.sights.get((domain, name)) is Sight.VISIBLE)
    return tuple(dict.fromkeys(line))


# --- keys -------------------------------------------------------------------------------------------------------


def algorithms(view: ZoneView) -> tuple[str, ...]:
    """The key sets of a zone's domains: those of the policy, RSA no longer than the provider can hold."""
    return tuple(
        "rsa1024" if name.startswith("rsa") and view.limits.txt < RSA_MIN_TXT else name
        for name in view.policy.dkim.algorithms
    )


def _advance(seen: Observed, view: ZoneView | None, domain: str, kind: str) -> Step | None:
    """The step of one key set; None where the domain has no keys of that kind and needs none."""
    mine = tuple(key for key in seen.keys if key.domain == domain and key.kind == kind)
    mail = seen.host.domain(domain) or MailDomain(domain, local=False)
    wanted = () if view is None or view.policy.parked or domain in seen.frozen or view.problem else algorithms(view)
    algorithm = next((name for name in wanted if ("ed25519" if name == "ed25519" else "rsa") == kind), "")
    if not mine and not (algorithm and signs(mail)):
        return None
    season, _ = rotation.season(view.negative_ttl if view else None, None)
    expires = max((t.expires for t in mail.transports if t.expires is not None), default=None)
    overlap, _ = rotation.overlap(expires, mail.retry_cutoff, view.policy.ttl if view else 3600)
    observation = rotation.Observation(
        sights={k.selector: seen.sights[(domain, k.selector)] for k in mine if (domain, k.selector) in seen.sights},
        signing=signing(mail),
        readable=frozenset(selector for name, selector in seen.readable if name == domain),
        season=season,
        overlap=overlap,
    )
    policy = rotation.Policy(lifetime=view.policy.dkim.lifetime) if view else rotation.Policy()
    kind_made = algorithm or (mine[0].algorithm if mine else "")
    step = rotation.advance(
        mine, policy, seen.now, observation, algorithm="" if domain in {*seen.closed, *seen.frozen} else kind_made
    )
    return step if algorithm and signs(mail) else replace(step, generate=())


def signing(mail: MailDomain) -> frozenset[str] | None:
    """The selectors that exim signs the domain's mail with now; None where the probe could not tell."""
    if any(transport.problem for transport in mail.transports):
        return None
    return frozenset(
        signer.selector
        for transport in mail.transports
        for signer in transport.signers
        if signer.domain == mail.name and not signer.problem
    )


def placeholder(intent: Intent, now: int) -> KeyPair:
    """The key of an intent, as a plan prints it before it exists."""
    return KeyPair(intent.domain, intent.placeholder, intent.algorithm, intent.placeholder, now)


# --- zones ------------------------------------------------------------------------------------------------------


def _zone(
    seen: Observed,
    view: ZoneView,
    keys: tuple[KeyPair, ...],
    intents: Mapping[str, tuple[Intent, ...]],
    lines: Mapping[str, tuple[str, ...]],
) -> list[ZonePlan]:
    """The plan of one zone at each of its providers."""
    domains = tuple(domain for domain in view.domains if domain not in seen.frozen)
    mine = tuple(key for key in keys if key.domain in domains)
    policy = rotation.Policy(lifetime=view.policy.dkim.lifetime)
    new = tuple(intent for domain in domains for intent in intents.get(domain, ()))
    published = (*rotation.published_keys(mine, policy, seen.now), *(placeholder(intent, seen.now) for intent in new))
    held = (key for key in keys if key.domain in view.domains)
    phases = {(key.domain, key.selector): rotation.phase(key, policy, seen.now) for key in held}
    others = {other.zone: found for other in seen.zones for found in list(other.found.values())[:1]}
    partial = frozenset(other.zone for other in seen.zones if not (other.limits.reads and other.limits.complete))
    plans = []
    for provider, found in view.found.items():
        ledger = view.ledger.get(provider, {})
        wanted_now = desire(
            Wish(
                zone=view.zone,
                policy=view.policy,
                domains=domains,
                host=seen.host,
                found=found,
                published=published,
                ledger=ledger,
                limits=view.limits,
                dns=dns_of({**others, view.zone: found}, seen.beyond, partial),
                policies=seen.policies,
                remembered=seen.remembered,
                confirmed=seen.confirmed,
                frozen=seen.frozen,
            )
        )
        wanted = overlay(found.values(), wanted_now.claims, ledger)
        changes = diff(found.values(), wanted)
        map_lines = tuple(sorted((d, lines[d]) for d in view.domains if lines.get(d) and seen.map.get(d) != lines[d]))
        plan = Plan(view.zone, provider, changes, map_lines, new)
        unsafe = not_carried(view.limits, plan, wanted_now.claims)
        after = {rrset.key: rrset for rrset in wanted}
        findings = judge(
            Case(
                plan=plan,
                found=found,
                claims=wanted_now.claims,
                ledger=ledger,
                keys=mine,
                phases=phases,
                map_before={domain: seen.map[domain] for domain in view.domains if domain in seen.map},
                map_after={domain: lines.get(domain) or seen.map.get(domain, ()) for domain in view.domains},
                senders=wanted_now.senders,
                dns=dns_of({**others, view.zone: after}, seen.beyond, partial),
                adopt=view.adopt,
                agreed=view.agreed.get(provider, frozenset()),
                known_before=view.known_before,
            )
        )
        plans.append(
            ZonePlan(
                plan=plan,
                claims=wanted_now.claims,
                added=wanted_now.added,
                found=found,
                wanted=wanted,
                ledger=ledger,
                notices=tuple(
                    dict.fromkeys(
                        (*view.limits.notices, *wanted_now.notices, *short_keys(view, new), *notices(findings))
                    )
                ),
                refusals=tuple(dict.fromkeys((*wanted_now.refusals, *unsafe, *refusals(findings)))),
            )
        )
    return plans
