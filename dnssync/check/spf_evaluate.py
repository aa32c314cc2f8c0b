"""SPF-03: what receivers make of mail from each address that exim sends from, by two evaluators that know nothing of each other.

pyspf judges over the facts alone: its look-ups are a method of the query, which ours overrides, so no global of it is touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import spf as pyspf

from dnssync.check.facts import Facts, Unanswered, helos, sending, zone_line
from dnssync.check.finding import MOOT, Verdict, error, unknown
from dnssync.check.spf_tree import branches, nobody, sole
from dnssync.check.standing import dns_of, mend, need
from dnssync.core import relays, spf_check, spf_merge
from dnssync.core.host import MailDomain
from dnssync.core.record import RecordError
from dnssync.core.spf import Record, parse
from dnssync.core.spf_check import Dns, Evaluation

MAX_NAME = 253
FAILING = ("fail", "softfail", "neutral")
_WHY = {
    "fail": "no term passes it before the end of",
    "softfail": "no term passes it before the ~ of",
    "neutral": "no term passes it in",
}


class Query(pyspf.query):  # type: ignore[misc]
    """pyspf's evaluation of one message, its DNS asked through `dns`; `unanswered` are the names that nobody answered for."""

    def __init__(self, ip: str, sender: str, helo: str, ask: Dns) -> None:
        super().__init__(i=ip, s=sender, h=helo)
        self.ask, self.unanswered = ask, list[str]()

    def dns(self, name: Any, qtype: str, cnames: Any = None, ignore_void: bool = False) -> list[Any]:
        """The values of a name in pyspf's own form; aliases are followed by who is asked. Raises pyspf's own errors."""
        name = str(name).removesuffix(".").lower()
        if len(name) > MAX_NAME or not all(0 < len(label) < 64 for label in name.split(".")):
            return []
        texts = self.ask(name, qtype)
        if texts is None:
            self.unanswered.append(name)
            raise pyspf.TempError(f"nobody answers for {name} {qtype}")
        if not texts and not ignore_void:
            self.void_lookups += 1
            if self.void_lookups > pyspf.MAX_VOID_LOOKUPS:
                raise pyspf.PermError(f"more than {pyspf.MAX_VOID_LOOKUPS} look-ups came back empty")
        return [_value(qtype, text) for text in texts]


def _value(kind: str, text: str) -> Any:
    if kind in ("TXT", "SPF"):
        return [text.encode("utf-8", "surrogateescape")]
    if kind == "MX":
        preference, _, exchange = text.partition(" ")
        return (int(preference), exchange.rstrip("."))
    return text


@dataclass(frozen=True, slots=True)
class Opinion:
    """What pyspf says of a message: `result`, "" where pyspf itself went wrong; its `words`; the names that nobody answered for."""

    result: str
    words: str
    unknown: tuple[str, ...]


def by_pyspf(text: str | None, *, ip: str, sender: str, helo: str, dns: Dns) -> Opinion:
    """pyspf's opinion of a message; `text`: the record of the sender's domain, None = it asks DNS for it."""
    query = Query(ip, sender, helo, dns)
    try:
        result, _, words = query.check(spf=text)
    except Exception as trouble:  # a fault of the library's is no finding about the record
        result, words = "", f"{type(trouble).__name__}: {trouble}"
    words = str(words).removeprefix("SPF Permanent Error: ").removeprefix("SPF Temporary Error: ")
    return Opinion(str(result), words, tuple(dict.fromkeys(query.unanswered)))


@dataclass(frozen=True, slots=True)
class Case:
    """A message to judge: who is held to have sent it (`domain`, in MAIL FROM or, `greeting`, in HELO), and the record that stands there."""

    domain: str
    text: str
    record: Record
    ip: str
    helo: str
    greeting: bool = False

    @property
    def sender(self) -> str:
        """The address of MAIL FROM, "" for a bounce."""
        return "" if self.greeting else f"postmaster@{self.domain}"

    @property
    def mail(self) -> str:
        """The message for people."""
        if self.greeting:
            return f"Mail without a sender that greets as {self.domain} from {self.ip}"
        return f"Mail from {self.domain} that leaves from {self.ip}"


def both(case: Case, dns: Dns) -> tuple[Evaluation, Opinion]:
    """Our own evaluation, and pyspf's."""
    return _ours(case, case.record, dns), by_pyspf(case.text, ip=case.ip, sender=case.sender, helo=case.helo, dns=dns)


def _ours(case: Case, record: Record, dns: Dns) -> Evaluation:
    return spf_check.check(record, ip=case.ip, domain=case.domain, sender=case.sender, helo=case.helo, dns=dns)


def own_addresses(facts: Facts, name: str) -> Iterator[Verdict]:
    """SPF-03: MAIL FROM a mail domain, and the greeting of a mail without a sender."""
    host, sends = facts.host, facts.sends(name)
    answer = facts.ask(name, "TXT")
    dns = dns_of(facts)
    arises = False
    for text in sole(answer):
        record = _read(text)
        if record is None:
            continue
        branches(dns, name, record)  # all that the evaluations will ask for, a depth at a time
        if sends and (mail := host.domain(name)) is not None:
            arises = True
            ips = tuple(dict.fromkeys(address.ip for address in mail.addresses))
            yield from _judged(facts, [Case(name, text, record, ip, helo) for ip in ips for helo in helos(facts)], dns)
            for relay in mail.smarthosts:
                yield from _relayed(name, text, record, relay, dns, helos(facts)[0])
            if not mail.addresses and not mail.smarthosts:
                yield _nowhere(mail)
        if name in host.helo and (ips := _all_addresses(facts)):
            arises = True
            yield from _judged(facts, [Case(name, text, record, ip, name, greeting=True) for ip in ips], dns)
    need(answer)
    if sends and host.domain(name) is None:
        raise Unanswered(f"exim was not asked about {name}")
    if not arises:
        yield MOOT


def _nowhere(mail: MailDomain) -> Verdict:
    why = " ".join(problem.sentence for problem in mail.problems)
    return unknown(
        f"No address is known that mail of {mail.name} leaves from{': ' + why if why else '.'}",
        "Set `addresses:` in the configuration, or `parked: true` where the domain never sends.",
    )


def _judged(facts: Facts, cases: Sequence[Case], dns: Dns) -> Iterator[Verdict]:
    """What comes of each message; the remedy passes them all."""
    opinions = [(case, *both(case, dns)) for case in cases]
    failing = [case for case, ours, theirs in opinions if ours.result == theirs.result in FAILING]
    for case, ours, theirs in opinions:
        names = tuple(dict.fromkeys((*ours.unknown, *theirs.unknown)))
        if ours.result == theirs.result == "pass":
            continue
        if names:
            yield unknown(f"{case.mail}: {nobody(names)}.")
        elif not theirs.result:
            yield unknown(
                f"{case.mail} gets {ours.result} by dnssync's own evaluation; pyspf could not judge it ({theirs.words})."
            )
        elif ours.result != theirs.result:
            yield unknown(f"{case.mail} gets {ours.result} by dnssync's own evaluation and {theirs.result} by pyspf ({theirs.words}); receivers "
                          "may differ too.", f"Simplify the record until both agree: {zone_line(case.domain, 'TXT', case.text)}")  # fmt: skip
        elif ours.result == "permerror":
            yield error(f"{case.mail} gets permerror, which is as good as no SPF: {theirs.words}.",
                        f"SPF-05 and SPF-07 of {case.domain} say which term is at fault.")  # fmt: skip
        elif not case.greeting or ours.result == "fail":  # a greeting that nobody vouches for is HELO-02's matter
            remedy, fixable = mend(
                facts, case.domain, _with(case, failing, dns), lambda wanted: _passes(failing, wanted, dns)
            )
            yield error(
                f'{case.mail} gets {ours.result}, not pass: {_WHY.get(ours.result, "so")} "{case.text}".',
                remedy,
                fixable=fixable,
            )


def _relayed(name: str, text: str, record: Record, relay: str, dns: Dns, helo: str) -> Iterator[Verdict]:
    """Behind a smarthost: its own addresses are the best that can be known of where it sends from."""
    include = relays.include_for(relay)
    if include is not None and include in {branch.target for branch in branches(dns, name, record)}:
        return
    answers = [dns(relay, kind) for kind in ("A", "AAAA")]
    ips = [ip for texts in answers for ip in texts or ()]
    results = {ip: both(Case(name, text, record, ip, helo), dns)[0] for ip in ips}
    told = ", ".join(f"{ip} gets {ours.result}" for ip, ours in results.items() if ours.result != "pass")
    if ips and not told and None not in answers:
        return
    seen = (
        f"of its own addresses, {told}"
        if told
        else "its own addresses pass"
        if ips
        else "no address of it could be found"
    )
    yield unknown(
        f"Mail of {name} leaves through {relay}, and where that sends from cannot be seen from here; {seen}.",
        f"Ask the operator of {relay} which SPF term to publish, and add it to the record of {name}."
        if include is None
        else f"Publish: {zone_line(name, 'TXT', _added(record, name, (f'include:{include}',)))}",
    )


def _with(case: Case, cases: Sequence[Case], dns: Dns) -> str:
    """The record with what the messages need added: before its end, or, where an earlier term refuses them, in front of all."""
    terms = tuple(dict.fromkeys(f"ip{6 if ':' in one.ip else 4}:{one.ip}" for one in cases))
    text = _added(case.record, case.domain, terms)
    return text if _passes(cases, text, dns) else _in_front(case.record, terms)


def _added(record: Record, domain: str, terms: tuple[str, ...]) -> str:
    try:
        return str(
            spf_merge.merge(found=record, applied="", ours=terms, ending="fail", explicit=False, domain=domain).record
        )
    except spf_merge.MergeRefusal:  # a redirect takes no terms beside it but in front
        return _in_front(record, terms)


def _in_front(record: Record, terms: tuple[str, ...]) -> str:
    return " ".join(["v=spf1", *terms, *map(str, record.terms)])


def _passes(cases: Sequence[Case], text: str, dns: Dns) -> bool:
    record = _read(text)
    return record is not None and all(_ours(case, record, dns).result == "pass" for case in cases)


def _read(text: str) -> Record | None:
    try:
        return parse(text)
    except RecordError:
        return None


def _all_addresses(facts: Facts) -> tuple[str, ...]:
    return tuple(dict.fromkeys(address.ip for mail in facts.host.domains for address in mail.addresses))


def senders(facts: Facts) -> tuple[str, ...]:
    """Whom SPF-03 goes over: the mail domains that send, and the names that exim greets with."""
    return tuple(dict.fromkeys((*sending(facts), *(name for name in helos(facts) if "." in name))))
