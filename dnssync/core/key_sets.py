"""The key sets of all domains, each moved on by `rotation.advance`, and what exim's map says after that."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from dnssync.core import dkim, durations, rotation
from dnssync.core.desire_dkim import signs
from dnssync.core.guard import SIGNING
from dnssync.core.homes import homes_of
from dnssync.core.host import MailDomain
from dnssync.core.model import KeyPair, Phase, Step, kind_of
from dnssync.core.plan import Intent
from dnssync.core.selectors import foreign
from dnssync.core.sighting import Sight

if TYPE_CHECKING:
    from dnssync.core.observed import Observed, ZoneView

# Octets of text that `v=DKIM1; k=rsa; p=` and a key of so many bits take (RFC 5280 §4.1.2.7: its SubjectPublicKeyInfo, in base64).
RSA_TEXTS = {1024: 234, 2048: 410, 3072: 582, 4096: 754}
KINDS = ("rsa", "ed25519")
Steps = Mapping[tuple[str, str], Step]


def algorithms(view: ZoneView) -> tuple[str, ...]:
    """The key sets of a zone's domains: those of the policy, RSA no longer than the providers can hold."""
    return _all_held(view.policy.dkim.algorithms, view.limits.txt)


@lru_cache(maxsize=1000)  # ten thousand zones have few policies
def _all_held(names: tuple[str, ...], longest: int) -> tuple[str, ...]:
    return tuple(_held(name, longest) for name in names)


def _held(algorithm: str, longest: int) -> str:
    """An algorithm, RSA as long as its record may be; 1024 bits at least (RFC 8301 §3.2)."""
    if kind_of(algorithm) != "rsa":
        return algorithm
    wanted = int(algorithm.removeprefix("rsa"))
    fitting = (bits for bits, octets in RSA_TEXTS.items() if bits <= wanted and octets <= longest)
    return f"rsa{max(fitting, default=1024)}"


def replaced(lost: Collection[KeyPair], keys: Iterable[KeyPair], now: int) -> frozenset[KeyPair]:
    """Of the keys that cannot be used, those that were only to stand by, and in whose place another one comes: they go by themselves."""
    coming = {key for key in keys if rotation.phase(key, rotation.Policy(), now) in rotation.COMING}
    sound = {(key.domain, key.kind) for key in coming if key not in lost}
    return frozenset(key for key in lost if key in coming and (key.domain, key.kind) in sound)


def policy_of(view: ZoneView | None) -> rotation.Policy:
    """The durations of a zone's keys."""
    return rotation.Policy(lifetime=view.policy.dkim.lifetime) if view else rotation.Policy()


def steps_of(seen: Observed, patient: Collection[tuple[str, str]] | None = None) -> dict[tuple[str, str], Step]:
    """The step of every key set, by (domain, kind). `patient`: of these alone, as it is while they wait for a new key."""
    views = homes_of(seen).keyed
    zones = {view.zone: view for view in views.values()}  # each looked through once, however many domains it holds
    seasons = {zone: durations.season(view.negative_ttl, _wild(view)) for zone, view in zones.items()}
    sets: dict[tuple[str, str], list[KeyPair]] = {}
    for key in seen.keys:
        sets.setdefault((key.domain, key.kind), []).append(key)
    readable: dict[str, set[str]] = {}
    for name, selector in seen.readable:
        readable.setdefault(name, set()).add(selector)
    steps = {}
    names = {*views, *(name for name, _ in sets)} if patient is None else {name for name, _ in patient}
    for name in sorted(names):
        view = views.get(name)
        season = seasons[view.zone] if view else durations.season(None, None)
        domain = _domain(seen, name, view, frozenset(readable.get(name, ())), season)
        for kind in KINDS:
            if patient is not None and (name, kind) not in patient:
                continue
            step = _advance(seen, domain, kind, sets.get((name, kind), []), patient is not None)
            if step is not None:
                steps[(name, kind)] = step
    return steps


@dataclass(frozen=True, slots=True)
class _Domain:
    """What is the same for the key sets of a domain. `view`: the zone that holds its keys. `season`, `overlap`: seconds, and why."""

    name: str
    view: ZoneView | None
    mail: MailDomain
    policy: rotation.Policy
    signing: frozenset[str] | None
    named: frozenset[str]
    readable: frozenset[str]
    season: tuple[int, str]
    overlap: tuple[int, str]


def _domain(
    seen: Observed, name: str, view: ZoneView | None, readable: frozenset[str], season: tuple[int, str]
) -> _Domain:
    mail = seen.host.domain(name) or MailDomain(name, local=False)
    expires = max((t.expires for t in mail.transports if t.expires is not None), default=None)
    overlap = durations.overlap(expires, mail.retry_cutoff, view.policy.ttl if view else 3600)
    named = frozenset(seen.map.get(name, ()))
    return _Domain(name, view, mail, policy_of(view), signing(mail), named, readable, season, overlap)


def _advance(seen: Observed, domain: _Domain, kind: str, keys: Sequence[KeyPair], patient: bool) -> Step | None:
    """The step of one key set; None where the domain has no keys of that kind and needs none."""
    name, view, policy = domain.name, domain.view, domain.policy

    def others(key: KeyPair) -> bool:  # made under another name of this host, which may be another host's now
        return key.compromised is None and foreign(key.selector, seen.host_id)

    def signing_on(key: KeyPair) -> KeyPair:
        """It gives way to one of this host's own, whose record all providers can hold, as soon as one is ready."""
        return replace(key, called=seen.now) if (others(key) or _too_long(key, view)) and key.called is None else key

    active = {key.selector for key in keys if rotation.phase(key, policy, seen.now) is Phase.ACTIVE}
    away = {key.selector for key in keys if key.selector not in active and others(key)}
    mine = tuple(signing_on(key) if key.selector in active else key for key in keys if key.selector not in away)
    wanted = () if view is None or view.policy.parked or name in seen.frozen or view.problem else algorithms(view)
    algorithm = next((each for each in wanted if kind_of(each) == kind), "")
    if not mine and not (algorithm and signs(domain.mail)):
        return None
    # As long as nobody tells for how long resolvers hold that a record is not there, none counts as seen.
    blind = view is not None and view.negative_ttl is None
    looked = [
        k
        for k in keys
        if (name, k.selector) in seen.sights and not (blind and rotation.phase(k, policy, seen.now) is Phase.GENERATED)
    ]
    observation = rotation.Observation(
        sights={k.selector: seen.sights[(name, k.selector)] for k in looked},
        signing=domain.signing,
        readable=domain.readable,
        season=domain.season[0],
        overlap=domain.overlap[0],
        season_because=domain.season[1],
        overlap_because=domain.overlap[1],
        trusted=seen.clock.trusted,
        left=_ended(seen, view, name, kind) and domain.named.isdisjoint(key.selector for key in mine),
        named=domain.named,
    )
    makes = algorithm and signs(domain.mail) and name not in seen.closed and name not in seen.frozen
    making = algorithm if makes else ""
    step = rotation.advance(mine, policy, seen.now, observation, algorithm=making, patient=patient)
    rest = tuple(k for k in keys if k.selector in away and rotation.phase(k, policy, seen.now) in SIGNING)
    if rest and all(rotation.denied(observation.sights.get(each)) for each in step.sign):
        # Nothing that receivers could verify: better with a key that another host may end. Of this look, no more is taken.
        resort = rotation.advance((*mine, *map(signing_on, rest)), policy, seen.now, observation, algorithm="")
        theirs = tuple(key for key in resort.keys if key.selector in {k.selector for k in rest})
        step = replace(step, keys=(*step.keys, *theirs), sign=resort.sign or step.sign)
    return step


def _too_long(key: KeyPair, view: ZoneView | None) -> bool:
    """Whether a provider of the zone, one that joined it since perhaps, cannot hold the record of a key that we made."""
    return view is not None and not key.adopted and len(dkim.record_for(key)) > view.limits.txt


def _ended(seen: Observed, view: ZoneView | None, domain: str, kind: str) -> bool:
    """Whether no key of that kind is wanted for the domain any more: it has left exim for good, or the policy leaves the kind out."""
    if view is None or view.policy.parked or view.problem:
        return domain in left(seen)
    return domain not in seen.frozen and kind not in set(map(kind_of, algorithms(view)))


def _wild(view: ZoneView) -> int | None:
    """The longest TTL of a zone's wildcards: what resolvers may hold of a new selector, and not the answer that there is none."""
    shown = (rrset for found in view.found.values() for rrset in found.values())
    return max((r.ttl for r in shown if r.name.startswith("*") and r.type in ("TXT", "CNAME")), default=None)


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


def left(seen: Observed) -> frozenset[str]:
    """The domains that have left exim for good: exim has them no more, and a person confirmed it."""
    gone = {subject for what, subject in seen.confirmed if what == "gone"}
    return frozenset(name for name in gone if not (mail := seen.host.domain(name)) or not mail.local)


def placeholder(intent: Intent, now: int) -> KeyPair:
    """The key of an intent, as a plan prints it before it exists."""
    return KeyPair(intent.domain, intent.placeholder, intent.algorithm, intent.placeholder, now)


# --- exim's map ---------------------------------------------------------------------------------------------------


def lines_of(seen: Observed, steps: Steps) -> dict[str, tuple[str, ...]]:
    """Each domain's line in exim's map, as its key sets want it; () where they want none."""
    views = homes_of(seen).keyed
    return {
        domain: fallen_back(seen, domain, steps)
        if domain in seen.frozen
        else _line(seen, domain, steps, views.get(domain))
        for domain in {domain for domain, _ in steps}
    }


def _line(seen: Observed, domain: str, steps: Steps, view: ZoneView | None) -> tuple[str, ...]:
    """The domain's line in exim's map: what its key sets say. A set that says nothing, since DNS was silent, keeps the
    selector that stands there, as long as that key is seasoned and can be used. One that is not wanted any more goes once exim
    was seen to sign with a key of another."""
    line: list[str] = []
    for kind in KINDS:
        step = steps.get((domain, kind))
        if step is None:
            continue
        others = [other for other in _sets(domain, steps) if other is not step]
        if _ended(seen, view, domain, kind) and any(map(_signs, others)):
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


def _sets(domain: str, steps: Steps) -> list[Step]:
    """The steps of a domain's key sets."""
    return [steps[(domain, kind)] for kind in KINDS if (domain, kind) in steps]


def _signs(step: Step) -> bool:
    """Whether exim was seen to sign with a key of the set, and goes on."""
    return any(k.activated is not None and k.retired is None and k.selector in step.sign for k in step.keys)


def fallen_back(seen: Observed, domain: str, steps: Steps) -> tuple[str, ...]:
    """The line of a domain for which nothing is begun, since it is frozen or its zone is held: what stands there, but for a key
    that exim can no longer sign with, or must not. In its place comes the one that its set goes on with, if receivers can
    verify that today."""
    line: list[str] = []
    mine = _sets(domain, steps)
    if domain not in seen.map:  # lost, or never written: where something signed, what its set goes on with does
        signed = [step for step in mine if any(key.activated is not None for key in step.keys)]
        known = {
            key.selector for step in signed for key in step.keys if key.activated is not None and key.retired is None
        }
        return tuple(
            name
            for step in signed
            for name in step.sign
            if name in known or seen.sights.get((domain, name)) is Sight.VISIBLE
        )
    mail = seen.host.domain(domain)
    broken = {s.selector for transport in (mail.transports if mail else ()) for s in transport.signers if s.problem}
    for selector in seen.map[domain]:
        step = next((step for step in mine if any(key.selector == selector for key in step.keys)), None)
        if step is None:
            if selector not in broken:  # one file that is missing costs the signatures of all
                line.append(selector)
        elif not _replaced(seen, domain, selector, step):
            line.append(selector)
        else:  # whatever a step signs with is readable and seasoned; an active key may have lost its record
            line.extend(name for name in step.sign if _stands(seen, domain, name, step))
    return tuple(dict.fromkeys(line))


def _stands(seen: Observed, domain: str, name: str, step: Step) -> bool:
    """Whether receivers find a key's record everywhere, as this look shows or, where nobody answered it, as those before it did."""
    look = seen.sights.get((domain, name), Sight.UNKNOWN)
    before = any(key.selector == name and key.published is not None for key in step.keys)
    return look is Sight.VISIBLE or (look is Sight.UNKNOWN and before)


def _replaced(seen: Observed, domain: str, selector: str, step: Step) -> bool:
    """Whether a selector has to give way even so: its file is lost, its record is not what DNS shows and that of another one is, or a
    person said that somebody else has it, or that another one shall come back."""
    key = next(key for key in step.keys if key.selector == selector)
    back = any(other.recalled is not None and other.selector in step.sign for other in step.keys)
    word = (key.compromised is not None and step.sign and selector not in step.sign) or back
    past = rotation.phase(key, rotation.Policy(), seen.now) in rotation.PAST and bool(step.sign)
    # Without one in its place, nothing is won: the mail would leave with one kind of signature less, whatever resolvers still hold.
    better = selector not in step.sign and any(_stands(seen, domain, name, step) for name in step.sign)
    denied = rotation.denied(seen.sights.get((domain, selector))) and better
    return bool(word) or past or denied or (domain, selector) not in seen.readable
