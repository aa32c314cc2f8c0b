"""The keys of a pass: hand-made ones are taken on, new ones made; all of them are on disk before DNS hears of them."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import cached_property

from dnssync import identity, signing_map
from dnssync.core import selectors
from dnssync.core.decide import Decision
from dnssync.core.homes import homes_of
from dnssync.core.model import KeyPair, Limits, kind_of
from dnssync.core.observed import Observed
from dnssync.core.plan import Intent
from dnssync.core.taken_on import made_here
from dnssync.errors import KeyFileError
from dnssync.files import WriteError, sweep
from dnssync.reconcile import Line
from dnssync.report import Outcome

log = logging.getLogger("dnssync")
TRIES = 20  # of a name that another key of the pass has already
BASE32 = "abcdefghijklmnopqrstuvwxyz234567"


def random_token() -> str:
    """Four random base32 characters for a selector."""
    return "".join(secrets.choice(BASE32) for _ in range(4))


@dataclass
class Work:
    """A pass that is being carried out: what it started from, and how it went so far."""

    line: Line
    seen: Observed
    shown: Decision
    token: Callable[[], str]
    outcomes: list[Outcome] = field(default_factory=list)
    keys_only: bool = False
    broken: set[str] = field(default_factory=set)  # zones that get nothing: a key could not be taken on or made

    @property
    def now(self) -> int:
        """The moment of the pass."""
        return self.seen.now

    @cached_property
    def limits(self) -> dict[str, Limits]:
        """By zone, what its providers can hold, as all of them told it last."""
        return {view.zone: view.limits for view in self.seen.zones}


def held(decision: Decision) -> set[str]:
    """Zones that get nothing: refused at any of their providers, or unreadable."""
    return {plan.plan.zone for plan in decision.zones if plan.refusals} | set(decision.failed)


def make_keys(work: Work) -> dict[KeyPair, Intent]:
    """Take on the keys that the state does not know and make the new ones: private half and row are on disk before DNS hears of them."""
    line, state = work.line, work.line.state
    known = {(key.domain, key.selector) for key in state.living({key.domain for key in work.shown.keys})}
    for key in work.shown.keys:
        if (key.domain, key.selector) not in known:
            try:
                if key.adopted:
                    line.keystore.adopt(key.domain, key.selector, _source(work, key))
            except (KeyFileError, WriteError) as error:
                _leave(
                    work, key.domain, f"the key that exim signs {key.domain} with cannot be taken on. {error}", error
                )
                continue
            state.save_keys([key])
            state.add_event(work.now, "key_adopted", domain=key.domain, selector=key.selector,
                            sentence=f"took on {key.selector}, the key that exim signs {key.domain} with")  # fmt: skip
    made: dict[KeyPair, Intent] = {}
    used: set[str] = set()
    kept_back = held(work.shown) | work.broken
    intents = {
        intent: plan.plan.zone
        for plan in work.shown.zones
        if plan.plan.zone not in kept_back
        for intent in plan.plan.intents
    }
    for number, (intent, zone) in enumerate(intents.items(), 1):
        if zone in work.broken:
            continue
        line.progress(f"making key {number} of {len(intents)}: {intent.algorithm} for {intent.domain}")
        name = _fresh(work, intent, used)
        used.add(name)
        noted = state.intend_key(intent.domain, name, intent.algorithm, work.now)
        try:
            algorithm, public = line.keystore.generate(intent.domain, name, intent.algorithm)
        except (KeyFileError, WriteError) as error:
            where = line.keystore.root / intent.domain
            why = str(error).replace(str(where / f"{name}.pem"), str(where))  # the same sentence at each try
            _leave(work, intent.domain,
                   f"no new key can be made for {intent.domain}. Until one can, nothing is written in the zone, and exim goes on with the keys that "
                   f"it has. See that {where} is a folder in which the user dnssync may make files. {why}", error)  # fmt: skip
            if not _lies(line, intent.domain, name):
                state.finish(noted)  # nothing is left for `recover` to find
            continue
        key = KeyPair(intent.domain, name, algorithm, public, work.now)
        state.save_keys([key])
        state.finish(noted)
        state.add_event(work.now, "key_made", domain=intent.domain, selector=name,
                        sentence=f"made {name} ({algorithm}) for {intent.domain}")  # fmt: skip
        made[key] = intent
    return made


def _fresh(work: Work, intent: Intent, used: Collection[str]) -> str:
    """A selector that no other key of this pass has: among thousands that are made on one day, two domains would meet by chance, and
    what was shown and agreed to knows new keys by their names."""
    name = ""
    for _ in range(TRIES):
        name = selectors.selector(work.now, kind_of(intent.algorithm), named(work), work.token())
        if name not in used:
            break
    return name


def note_machine(line: Line, hostname: str) -> None:
    """Keep beside the keys whose they are, where that is not known yet, or not wholly; another machine is a person's to settle."""
    if line.machine is None:
        return
    kept, now = identity.read(line.config.keys), line.machine()
    if kept is None or (now and not kept.machine):
        identity.write(line.config.keys, identity.Identity(now, hostname, line.state.host))


def named(work: Work) -> str:
    """This host's name in selectors, chosen and kept before the first key has it: another host that already has the first label of
    this one's name, as DNS shows, keeps it."""
    store = work.line.keystore
    if name := store.host():
        return name
    name = selectors.host_id(work.seen.host.hostname)
    known = {(key.domain, key.selector.lower()) for key in work.seen.keys}
    if any(at not in known for at in made_here(work.seen.zones, name)):
        name = f"{name}-{work.token()}"
    store.name_host(name)
    return name


def _lies(line: Line, domain: str, selector: str) -> bool:
    """Whether the file of a key that could not be made is there all the same (what failed came after it)."""
    try:
        return line.keystore.holds(domain, selector)
    except KeyFileError:
        return False  # something else lies where its folder should be


def _leave(work: Work, domain: str, what: str, trouble: KeyFileError | WriteError) -> None:
    """Leave the zones of a domain alone in this pass: what stands in DNS and in exim's map stays. `what` is told of them. Where the disk is
    full, that is no single domain's trouble, and raised."""
    if isinstance(trouble, WriteError) and trouble.full:
        raise trouble
    homes = homes_of(work.seen)
    for plan in work.shown.zones:
        if domain in homes.holding(plan.plan.zone):
            work.broken.add(plan.plan.zone)
            told = f"{plan.plan.zone}: {what}"
            log.error("zone=%s provider=%s %s", plan.plan.zone, plan.plan.provider, told)
            work.outcomes.append(Outcome(plan.plan.zone, plan.plan.provider, error=told))


def make_map(line: Line) -> None:
    """Where the macros name a map that is not there, all mail waits. Before the first key an empty one is right; later a
    missing one is for the pass to write, since with an empty one mail would leave unsigned."""
    if not line.keystore.any() and not any(key.activated for key in line.state.keys()):
        signing_map.create_if_missing(line.config.exim.map)


def recover(line: Line) -> None:
    """Finish what a pass that died was at: a key whose file was made, but whose row was not yet kept, is kept now.

    One whose file cannot be read stays open: nothing in DNS or in exim's map speaks of it yet."""
    line.keystore.sweep()
    sweep(line.config.exim.map.parent, line.config.exim.map.name)
    for noted, domain, name, at in line.state.unfinished_keys():
        try:
            if line.keystore.holds(domain, name) and not any(
                (k.domain, k.selector) == (domain, name) for k in line.state.keys()
            ):
                algorithm, public = line.keystore.half(domain, name)
                line.state.save_keys([KeyPair(domain, name, algorithm, public, at)])
        except KeyFileError as error:
            log.warning("domain=%s selector=%s a key that was being made when dnssync died: %s", domain, name, error)
            continue
        line.state.finish(noted)


def _source(work: Work, key: KeyPair) -> str:
    """Where the administrator keeps the private half of a hand-made key; with dnssync, where it was taken on before."""
    mail = work.seen.host.domain(key.domain)
    signers = [signer for transport in (mail.transports if mail else ()) for signer in transport.signers]
    paths = [signer.path for signer in signers if signer.selector == key.selector and not signer.problem]
    return paths[0] if paths else str(work.line.keystore.path(key.domain, key.selector))
