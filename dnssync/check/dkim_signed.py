"""Test messages that exim signed, judged: signed at all, verified with what DNS shows, aligned with From:."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dnssync.check.dkim_elsewhere import HOW, depends, left_alone
from dnssync.check.dkim_messages import Made, Shape, Signature, Signed, SignedMail, aligned, author, fault, signatures
from dnssync.check.facts import Facts, Unanswered, unanswered
from dnssync.check.finding import MOOT, Severity, Verdict, error, info
from dnssync.core import dmarc
from dnssync.core.record import RecordError

SOME = frozenset({Shape.BELOW, Shape.LIST, Shape.BOUNCE})  # what not every domain sends
NAMES = {
    Shape.PLAIN: "a plain message",
    Shape.ENCODED: "one whose From: has an encoded name that decodes to a comma",
    Shape.BELOW: "one from a sub-domain",
    Shape.LIST: "a post through a mailing list",
    Shape.BOUNCE: "a bounce",
}
REMEDIES = {
    Shape.ENCODED: "Ask the raw header in dkim_domain, `${domain:$rh_from:}`, not `$h_from:`, which is decoded first.",
    Shape.BELOW: "Look the parents of the From: domain up too in dkim_domain.",
    Shape.LIST: "Take the domain of From: in dkim_domain, not that of the envelope sender.",
    Shape.BOUNCE: "Take the domain of From: in dkim_domain: a bounce has no envelope sender.",
}
OURS = "`dnssync exim --print` shows a dkim_domain that does all of this."
_ABOUT_SIGNING = re.compile(r"\bdkim|unable to open file|private key", re.IGNORECASE)
_SHUT = re.compile(r"permission denied|unable to open file", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Fault:
    """What is wrong with a message. `severity`: None = an error where everybody sends such messages, else a warning. `remedy`: "" = that
    of its shapes."""

    message: str
    severity: Severity | None = None
    remedy: str = ""


def messages(facts: Facts, name: str) -> Iterator[Verdict]:
    """DKIM-07: each test message leaves signed, each signature verifies, and one of them is aligned with From:."""
    made = _made(facts, name)
    if made is None:
        yield MOOT
        return
    for one in made.messages:
        for signature in signatures(one.data or b""):
            facts.ask(signature.record, "TXT")
    found: dict[_Fault, list[Made]] = {}
    unseen = _unseen(facts, name, made)
    for one in made.messages:
        try:
            for wrong in _one(facts, name, one, made, unseen):
                found.setdefault(wrong, []).append(one)
        except Unanswered as trouble:
            found.setdefault(_Fault(f"{trouble}.", Severity.UNKNOWN), []).append(one)
    for wrong, some in found.items():
        whole = wrong.severity is not None or any(one.shape is Shape.PLAIN for one in some)
        for part in (
            (some,) if whole else ([m for m in some if m.shape not in SOME], [m for m in some if m.shape in SOME])
        ):
            if part:
                yield _told(wrong, part)
    for text in made.left_out:
        yield info(
            f"{text} may change the message too; test messages are made without it, so what it does to a signature is not known."
        )
    first = next((domain.name for domain in facts.domains if not domain.parked), "")
    if made.plain_only and name == first:
        yield info(f"There are many domains: for each of them a plain message was made, but none of these: {_list(set(Shape) - {Shape.PLAIN})}.",
                   "`dnssync check DOMAIN` makes all of them for a domain.")  # fmt: skip


def _made(facts: Facts, name: str) -> SignedMail | None:
    """The messages through the transports that have something to sign with: of others, DKIM-01 says all there is to say."""
    transports = tuple(
        transport.name
        for transport in facts.mail(name).transports
        if transport.options.get("dkim_domain") and not left_alone(facts, name, transport)
    )
    return facts.find(Signed(name, transports)) if transports else None


def _unseen(facts: Facts, name: str, made: SignedMail) -> dict[str, str]:
    """By transport that signs no test message at all: what of real mail it may wait for, as a sentence."""
    signing = {one.transport for one in made.messages if signatures(one.data or b"")}
    return {
        transport.name: f"What it signs depends on {', '.join(names)}, which only real mail has."
        for transport in facts.mail(name).transports
        if transport.name not in signing and (names := depends(transport))
    }


def _one(facts: Facts, name: str, one: Made, made: SignedMail, unseen: Mapping[str, str]) -> Iterator[_Fault]:
    """What is wrong with one message."""
    if one.data is None:
        yield _not_sent(one, made)
        return
    found = signatures(one.data)
    if not found:
        why = next((line for line in one.log if _ABOUT_SIGNING.search(line)), "")
        if why and _SHUT.search(why) and not made.own_user:
            yield _Fault(f'it leaves unsigned where exim runs as this user: "{why}".', Severity.UNKNOWN, _AS_ROOT)
        elif one.transport in unseen and not why:
            yield _Fault(f"it leaves without a signature. {unseen[one.transport]}", Severity.UNKNOWN, HOW)
        else:
            first = _MAP if not why and _unmapped(facts, name, one.transport) else ""
            yield _Fault("it leaves without a signature." + (f' exim logs: "{why}".' if why else ""), remedy=first)
        return
    for signature in found:
        yield from _verified(facts, one.data, signature)
    yield from _aligned(facts, name, author(one.data), found)


_MAP = "See DKIM-01: these are signed once the domain has its line in the map that exim signs by."


def _unmapped(facts: Facts, name: str, transport: str) -> bool:
    """Whether the transport signs by dnssync's map, and the domain has no line there."""
    return any(t.uses_map and not t.signers for t in facts.mail(name).transports if t.name == transport)


_AS_ROOT = "Run `dnssync check` as root: exim then opens its keys as its own user."


def _not_sent(one: Made, made: SignedMail) -> _Fault:
    why = [line for line in one.log if _ABOUT_SIGNING.search(line)]
    said = "; ".join(f'"{line}"' for line in (why or one.log)[:2])
    if one.waits and why and (made.own_user or not any(_SHUT.search(line) for line in why)):
        return _Fault(f"it cannot be signed, and waits in exim's queue (dkim_strict). exim logs: {said}.", Severity.ERROR,
                      "Let exim's user read the key: owner and group of the file and of the folders above it; see DKIM-01.")  # fmt: skip
    if one.waits:
        return _Fault(f"it could not be sent to the server of this check. exim logs: {said or 'nothing'}.", Severity.UNKNOWN,
                      "" if made.own_user else _AS_ROOT)  # fmt: skip
    return _Fault(f"exim did not take it. It logs: {said or 'nothing'}.", Severity.UNKNOWN)


def _verified(facts: Facts, data: bytes, signature: Signature) -> Iterator[_Fault]:
    """Whether each server's record verifies the signature."""
    answer = facts.ask(signature.record, "TXT")
    said: dict[str, list[str]] = {}
    replies = [reply for reply in answer.replies if reply.answered]
    for reply in replies:
        said.setdefault(_refused(data, signature, reply.texts), []).append(reply.server)
    for why, servers in said.items():
        if why:
            where = f" (so {', '.join(servers)})" if len(servers) < len(replies) else ""
            yield _Fault(
                f"the signature d={signature.domain} s={signature.selector} does not verify: {why}{where}.",
                Severity.ERROR,
                f"See DKIM-02 for the record at {signature.record}.",
            )
    if not answer.known:
        yield _Fault(f"{unanswered(answer)}.", Severity.UNKNOWN)


def _refused(data: bytes, signature: Signature, texts: Sequence[str]) -> str:
    """Why a verifier that is given these records refuses the signature, "" where it does not. Raises `Unanswered`."""
    if not texts:
        return f"there is no record at {signature.record}"
    return next((why for text in texts if (why := fault(data, signature, text))), "")


def _aligned(facts: Facts, name: str, of: str, found: Sequence[Signature]) -> Iterator[_Fault]:
    """Whether a signature is of the From: domain: exactly, or relaxed, where DMARC's adkim= lets it."""
    domains = {signature.domain for signature in found}
    if of in domains:
        return
    related = sorted(domain for domain in domains if aligned(domain, of, facts.configured))
    listed = ", ".join(sorted(domains))
    if not related:
        yield _Fault(f"no signature is aligned with From: {of} (signed by {listed}), so DMARC takes it for unsigned.")
        return
    strict = _strict(facts, name)
    if strict:
        yield _Fault(f"it is signed by {listed}, From: is {of}, and {strict} wants both to be the same (adkim=s): DMARC takes it for unsigned.",
                     None, f"Take adkim=s out of {strict}, or sign with d={of}.")  # fmt: skip
    elif of == name:
        yield _Fault(
            f"it is signed by {listed} and not by {of} itself: aligned, as long as DMARC is relaxed (adkim=r).",
            Severity.INFO,
            " ",
        )


def _strict(facts: Facts, name: str) -> str:
    """The name of the record whose adkim= is s, "" where alignment is relaxed. Raises `Unanswered`."""
    names = [at for at in dmarc.tree_walk(name) if at.count(".") > 1]  # what a top-level domain says is not about us
    for at in names:
        facts.ask(at, "TXT")
    for at in names:
        for text in facts.texts(at, "TXT"):
            if dmarc.is_dmarc(text):
                try:
                    return at if dmarc.parse(text).get("adkim").lower() == "s" else ""
                except RecordError:
                    return ""
    return ""


def _told(wrong: _Fault, made: Sequence[Made]) -> Verdict:
    """What is said of many messages alike, once."""
    shapes = {one.shape for one in made}
    where = ", ".join(dict.fromkeys(one.transport for one in made))
    severity = wrong.severity or (Severity.WARNING if shapes <= SOME else Severity.ERROR)
    said = _list(shapes)
    remedy = wrong.remedy.strip()
    if not wrong.remedy:
        ways = [
            REMEDIES[shape] for shape in Shape if shape in shapes and shape in REMEDIES and Shape.PLAIN not in shapes
        ]
        remedy = " ".join([*ways, OURS]) if wrong.severity is None else ""
    return Verdict(severity, f"{said[:1].upper()}{said[1:]} through {where}: {wrong.message}", remedy)


def _list(shapes: Iterable[Shape]) -> str:
    names = [NAMES[shape] for shape in Shape if shape in set(shapes)]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def other_identity(facts: Facts, name: str, at: str) -> Iterator[Verdict]:
    """DKIM-05: a record with t=s, and a signature whose i= lies below its d= (RFC 6376 §3.6.1). Raises `Unanswered`."""
    made = _made(facts, name)
    found = [signature for one in (made.messages if made else ()) for signature in signatures(one.data or b"")]
    below = next((s.identity for s in found if s.record == at and s.identity != s.domain), "")
    if below:
        yield error(f"{at} says t=s, but exim signs with an i= of {below}, below d=: no verifier may accept that.",
                    "Take t=s out of the record, or dkim_identity out of exim's transport.")  # fmt: skip
