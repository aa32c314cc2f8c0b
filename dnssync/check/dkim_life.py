"""DKIM keys in the course of time: those that sign for too long, stay for too long, or went too early."""

from __future__ import annotations

from collections.abc import Iterator

from dnssync.check.facts import Facts, unanswered
from dnssync.check.finding import MOOT, Verdict, error, info, unknown, warning
from dnssync.core import dkim
from dnssync.core.durations import DAY, HOUR, moment
from dnssync.core.model import KeyPair, Phase
from dnssync.core.rotation import Policy, due, phase
from dnssync.core.sighting import Answer

GRACE = DAY  # a pass may wait for a lock, a provider or its turn, and what is due then is not late
YEAR = 365 * DAY
CHANGING = frozenset({Phase.GENERATED, Phase.PUBLISHED, Phase.RETIRED, Phase.DUE, Phase.REVOKED})
LEAVING = frozenset({Phase.RETIRED, Phase.DUE, Phase.REVOKED, Phase.ENDED})


def _keys(facts: Facts, name: str) -> tuple[tuple[KeyPair, Phase], ...]:
    """The keys of a domain that are not gone, each with where it stands. Raises `Unanswered`."""
    steps, policy = facts.decided().steps, _policy(facts, name)
    found = [key for kind in ("rsa", "ed25519") if (step := steps.get((name, kind))) for key in step.keys]
    return tuple((key, at) for key in found if (at := phase(key, policy, facts.now)) is not Phase.REMOVED)


def _policy(facts: Facts, name: str) -> Policy:
    mail = facts.observed().policies.get(name)
    return Policy(lifetime=mail.dkim.lifetime) if mail is not None else Policy()


def _name(key: KeyPair) -> str:
    return dkim.record_name(key.selector, key.domain)


def ages(facts: Facts, name: str) -> Iterator[Verdict]:
    """DKIM-06: an active key whose time is over, a retired one that stays, or that went while its signatures were under way."""
    keys, policy = _keys(facts, name), _policy(facts, name)
    answers = {key.selector: facts.ask(_name(key), "TXT") for key, at in keys if at in LEAVING}
    if not keys:
        yield MOOT
    for key, at in keys:
        if at is Phase.ACTIVE:
            yield from _old(facts, key, policy)
        elif at in LEAVING:
            answer = answers[key.selector]
            yield from _leaving(facts, key, at, policy, answer)
            if not answer.known:
                yield unknown(f"{unanswered(answer)}.")


def _old(facts: Facts, key: KeyPair, policy: Policy) -> Iterator[Verdict]:
    since = max(key.activated or 0, key.recalled or 0)
    age = facts.now - since
    ends = due(key, policy) or facts.now
    word = (key.called is not None or key.compromised is not None) and facts.now > ends + GRACE
    step = facts.decided().steps.get((key.domain, key.kind))
    why = f" {step.because[:1].upper()}{step.because[1:]}." if step is not None and step.because else ""
    if word:
        yield warning(f"{key.selector} should have given way to another key at {moment(ends)}, and still signs.{why}",
                      "`dnssync status` shows what it waits for.")  # fmt: skip
    elif age > policy.lifetime + GRACE:
        yield warning(f"{key.selector} signs since {moment(since)}, longer than the {policy.lifetime // DAY} days that a key should.{why}",
                      f"`dnssync status` shows what it waits for; `dnssync rotate {key.domain}` changes it now.")  # fmt: skip
    elif age > YEAR:
        yield warning(f"{key.selector} signs since {moment(since)}: a key should not sign for longer than a year.",
                      f"`dnssync rotate {key.domain}` changes it; a shorter `dkim: lifetime:` keeps it so.")  # fmt: skip


def _leaving(facts: Facts, key: KeyPair, at: Phase, policy: Policy, answer: Answer) -> Iterator[Verdict]:
    """A key that signs no more: its record has to stand until `retired` + overlap, then an empty p= for a while, then nothing."""
    texts = [reply.texts for reply in answer.replies if reply.answered]
    shown = {text for some in texts for text in some}
    over = key.compromised if key.compromised is not None else (key.retired or 0) + key.overlap
    end = (key.revoked or 0) + policy.revoke
    fixable = facts.fixes(_name(key), "TXT")
    apply = "`dnssync apply` puts it right." if fixable else "`dnssync plan` says why it does not go on."
    if at is Phase.RETIRED:
        wanted = dkim.record_for(key)
        if any(not any(dkim.same(text, wanted) for text in some) for some in texts):
            remedy, fixable = facts.publish(_name(key), "TXT", wanted)
            yield error(f"The record at {_name(key)} is gone or another one, but mail that {key.selector} signed is under way until {moment(over)}: "
                        "it cannot be verified.", remedy, fixable=fixable)  # fmt: skip
    elif at is Phase.ENDED and facts.now > end + GRACE and shown:
        yield warning(
            f"A record still stands at {_name(key)}, whose time was over at {moment(end)}.", apply, fixable=fixable
        )
    elif facts.now > over + GRACE and any(not dkim.is_revoked(text) for text in shown):
        yield warning(f"{_name(key)} still publishes the key of {key.selector}, which signs no more; it should have been withdrawn at {moment(over)}.",
                      apply, fixable=fixable)  # fmt: skip


def ttl(facts: Facts, name: str) -> Iterator[Verdict]:
    """TTL-01: while keys change, what receivers remember of their records holds everybody up."""
    keys = _keys(facts, name)
    if not any(at in CHANGING for _, at in keys):
        yield MOOT
        return
    answers = [facts.ask(_name(key), "TXT") for key, _ in keys]
    for answer in answers:
        longest = max((reply.ttl or 0 for reply in answer.replies), default=0)
        if longest > HOUR:
            yield info(f"{answer.question.name} has a TTL of {longest} seconds while the keys of {name} change: receivers remember the record for "
                       "that long, and each step waits for it.", "`ttl: 3600` in dnssync's configuration, for the zone or for all.")  # fmt: skip
    for answer in answers:
        if not answer.known:
            yield unknown(f"{unanswered(answer)}.")
