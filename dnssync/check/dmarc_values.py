"""DMARC-02 to DMARC-04: what the tags of a record say, and where readers of RFC 7489 read something else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from dnssync.check.dmarc_walk import organization, own, sole, walked
from dnssync.check.facts import Facts
from dnssync.check.finding import MOOT, Verdict, error, info, warning
from dnssync.check.own import own_names
from dnssync.check.standing import configure, mend, need, written
from dnssync.core import dmarc
from dnssync.core.dmarc import POLICIES, POLICY_TAGS, strength
from dnssync.core.record import WHITE, RecordError

KNOWN = ("p", "sp", "np", "adkim", "aspf", "fo", "psd", "t", "rua", "ruf")
REMOVED = ("pct", "rf", "ri")  # of RFC 7489
_VALUES = {"adkim": ("r", "s"), "aspf": ("r", "s"), "psd": ("y", "n", "u"), "t": ("y", "n")}
_DEFAULTS = {"adkim": "r", "aspf": "r", "psd": "u", "t": "n"}
_WHEN = "When reports of a month show no mail of your own that fails, begin with quarantine."
_SIZE = re.compile(r"![0-9]+[kmgt]?\Z", re.IGNORECASE)


def uris(value: str) -> tuple[str, ...]:
    """The URIs of a rua or ruf, without white space; a size limit of RFC 7489 stays at its end."""
    return tuple(uri for part in value.split(",") if (uri := part.strip(WHITE)))


def mail_of(uri: str) -> str | None:
    """The address of a report URI, in lower case behind its @, None where it is none that mail can go to."""
    match = re.fullmatch(r"mailto:([!-?A-~]+)@([A-Za-z0-9_.-]+)", _SIZE.sub("", uri).partition("?")[0], re.IGNORECASE)
    host = match[2].lower().rstrip(".") if match else ""
    fits = "." in host and len(host) <= 253 and all(0 < len(label) < 64 for label in host.split("."))
    return f"{match[1]}@{host}" if match and fits else None


def values(facts: Facts, domain: str) -> Iterator[Verdict]:
    """DMARC-02."""
    name = f"_dmarc.{domain}"
    answer = facts.ask(name, "TXT")
    texts = sole(answer)
    for text in texts:
        try:
            record = dmarc.parse(text)
        except RecordError as trouble:
            remedy, fixable = mend(facts, name, _readable(text), _valid)
            yield error(f'The DMARC record of {domain} cannot be read, so receivers act as if there was none: {trouble.sentence} (at character '
                        f'{trouble.offset + 1} of "{text}").', remedy, fixable=fixable)  # fmt: skip
            continue
        yield from _policies(facts, domain, record)
        yield from _others(facts, domain, record)
        yield from _order(text, record)
    need(answer)
    if not texts:
        yield MOOT


def _valid(text: str) -> bool:
    try:
        return all(dict(dmarc.parse(text).tags).get(tag, "none").lower() in POLICIES for tag in POLICY_TAGS)
    except RecordError:
        return False


def _lacks(tag: str) -> Callable[[str], bool]:
    """Whether a record can be read and does not have a tag."""

    def lacks(text: str) -> bool:
        try:
            return tag not in dict(dmarc.parse(text).tags)
        except RecordError:
            return False

    return lacks


def _readable(text: str) -> str:
    """What of a record can be read, each tag once."""
    found: dict[str, str] = {}
    for part in text.split(";")[1:]:
        name, equals, value = (piece.strip(WHITE) for piece in part.partition("="))
        name, value = name.lower(), re.sub(r"[^\x20-\x7e]", "", value)
        if equals and re.fullmatch(r"[a-z][a-z0-9_\-]*", name) and name != "v":
            found.setdefault(name, value)
    for tag in POLICY_TAGS:
        if found.get(tag, "none").lower() not in POLICIES:
            found.pop(tag)
    for tag in ("rua", "ruf"):
        kept = ",".join(uri for uri in uris(found.pop(tag, "")) if mail_of(uri) is not None)
        found |= {tag: kept} if kept else {}
    found.setdefault("p", "none")
    return str(dmarc.Record(tuple(sorted(found.items(), key=lambda tag: tag[0] != "p"))))


def changed(record: dmarc.Record, **tags: str | None) -> str:
    """The record with other values for some tags; None takes a tag out."""
    known = {**dict(record.tags), **tags}
    kept = [(tag, value) for tag, value in known.items() if value is not None]
    return str(dmarc.Record(tuple(sorted(kept, key=lambda tag: tag[0] != "p"))))


def _policies(facts: Facts, domain: str, record: dmarc.Record) -> Iterator[Verdict]:
    """p, sp and np: one that is none makes receivers ignore all three (RFC 9989 §4.10.1)."""
    reported = bool([uri for uri in uris(record.get("rua")) if mail_of(uri)])
    then = "as if it said p=none" if reported else "as if there was no record, since it has no valid rua= either"
    bad = [tag for tag in POLICY_TAGS if tag in dict(record.tags) and record.get(tag).lower() not in POLICIES]
    for tag in bad:
        remedy, fixable = mend(facts, f"_dmarc.{domain}", _cleaned(record), _valid)
        yield error(
            f"{tag}={record.get(tag)} in the DMARC record of {domain} is no policy: receivers act {then}.",
            remedy,
            fixable=fixable,
        )
    if "p" not in dict(record.tags):
        remedy, fixable = mend(
            facts,
            f"_dmarc.{domain}",
            _cleaned(record),
            lambda wanted: _valid(wanted) and not _lacks("p")(wanted),
        )
        yield warning(
            f"The DMARC record of {domain} has no p=. RFC 9989 takes that for p=none; readers of RFC 7489, {then}.",
            remedy,
            fixable=fixable,
        )


def _others(facts: Facts, domain: str, record: dmarc.Record) -> Iterator[Verdict]:
    """All other tags."""
    for tag, value in record.tags:
        better = f"_dmarc.{domain}", _cleaned(record), _lacks(tag)
        if tag in REMOVED:
            remedy, fixable = mend(facts, *better)
            yield warning(_removed(tag, value), remedy, fixable=fixable)
        elif tag in _VALUES and value.lower() not in _VALUES[tag]:
            remedy, fixable = mend(facts, *better)
            yield warning(f"{tag}={value} is neither of {', '.join(_VALUES[tag])}: receivers take {tag}={_DEFAULTS[tag]}, or, if they read RFC 7489 "
                          "strictly, none of the record.", remedy, fixable=fixable)  # fmt: skip
        elif tag == "fo" and not _failure_options(value):
            remedy, fixable = mend(facts, *better)
            yield warning(
                f"fo={value} is not a list of 0, 1, d and s with each once: receivers take fo=0.",
                remedy,
                fixable=fixable,
            )
        elif tag == "fo" and not record.get("ruf"):
            yield info(f"fo={value} counts for nothing without ruf=.")
        elif tag not in KNOWN:
            yield info(f"{tag}={value} is a tag that no standard knows; receivers ignore it.")
    for tag in ("rua", "ruf"):
        for uri in uris(record.get(tag)):
            if _SIZE.search(uri):
                remedy, fixable = mend(facts, f"_dmarc.{domain}", _cleaned(record), lambda wanted: "!" not in wanted)
                yield warning(f"{tag}={uri} has a size limit, which RFC 9989 no longer knows: some receivers take it for part of the address.",
                              remedy, fixable=fixable)  # fmt: skip


def _cleaned(record: dmarc.Record) -> str:
    """The record without anything that DMARC-02 minds: of several faults, each has the same remedy, and none brings another back."""
    known = dict(record.tags)
    tags: dict[str, str | None] = {tag: None for tag in known if tag in REMOVED}
    tags |= {tag: None for tag, good in _VALUES.items() if known.get(tag, good[0]).lower() not in good}
    tags |= {tag: None for tag in ("sp", "np") if known.get(tag, "none").lower() not in POLICIES}
    tags |= {} if known.get("p", "").lower() in POLICIES else {"p": "none"}
    tags |= {} if _failure_options(known.get("fo", "0")) else {"fo": None}
    for tag in ("rua", "ruf"):
        tags |= {tag: ",".join(_SIZE.sub("", uri) for uri in uris(known[tag]))} if tag in known else {}
    return changed(record, **tags)


def _removed(tag: str, value: str) -> str:
    if tag != "pct" or value == "100":
        return f"{tag}={value}: RFC 9989 has removed the tag, and its readers ignore it."
    share = (
        f"to {value} % of the mail"
        if value.isdigit() and int(value) <= 100
        else "or not at all, since that is no percentage"
    )
    return f"pct={value}: RFC 9989 has removed the tag. Its readers apply the policy to all mail, readers of RFC 7489 {share}."


def _failure_options(value: str) -> bool:
    found = [part.strip(WHITE).lower() for part in value.split(":")]
    return set(found) <= {"0", "1", "d", "s"} and len(set(found)) == len(found) and not {"0", "1"} <= set(found)


def _order(text: str, record: dmarc.Record) -> Iterator[Verdict]:
    """What only readers of RFC 7489 mind."""
    names = [part.partition("=")[0].strip(WHITE).lower() for part in text.split(";")[1:] if part.strip(WHITE)]
    if names and "p" in names and names[0] != "p":
        yield info(
            f"p= is not the second tag ({names[0]}= is): readers of RFC 7489 may take the record for none.",
            f"Write it as: {record}",
        )
    elif not names and ";" not in text:
        yield info(
            "The record has no `;` behind v=DMARC1, which some readers of RFC 7489 want.", f"Write it as: {record}"
        )


# --- the policy ---------------------------------------------------------------------------------------------------------


def policy(facts: Facts, domain: str) -> Iterator[Verdict]:
    """DMARC-03: the policy that receivers act by, the domain's own or an inherited one."""
    name = f"_dmarc.{domain}"
    answer = facts.ask(name, "TXT")
    need(answer)
    texts = sole(answer)
    if not texts:
        yield from _inherited(facts, domain)
        return
    for text in texts:
        try:
            record = dmarc.parse(text)
        except RecordError:
            yield MOOT
            continue
        yield from _own(facts, domain, name, record)


def _inherited(facts: Facts, domain: str) -> Iterator[Verdict]:
    got = dmarc.inherited(domain, walked(facts, domain))
    if got is None:
        yield MOOT
    elif got.policy == "none":
        where = got.source.removeprefix("_dmarc.")
        remedy = f"Give {domain} a record of its own, or let that of {where} say sp=quarantine or sp=reject."
        if written(facts, f"_dmarc.{domain}") is not None:
            remedy = _first_quarantine(facts, domain)
        yield warning(
            f"{domain} has no DMARC record of its own, and that of {where} gives it the policy none: forged mail is delivered.",
            remedy,
        )


def _first_quarantine(facts: Facts, domain: str) -> str:
    return f"{_WHEN} {configure(facts, domain, 'dmarc: {p: quarantine}')}"


def _above(facts: Facts, domain: str) -> list[str]:
    """The mail domains above this host's own name, which then is one for its own mail alone; none above other names."""
    labels = domain.split(".") if domain in own_names(facts) else []
    return [name for at in range(1, len(labels)) if facts.sends(name := ".".join(labels[at:]))]


def _told_above(facts: Facts, domain: str) -> bool:
    """Whether a mail domain above this host's own name has the same open policy: that is told there, and mended in one place."""
    return any([_policy(text) for text in own(facts, name)] == ["none"] for name in _above(facts, domain))


def _own(facts: Facts, domain: str, name: str, record: dmarc.Record) -> Iterator[Verdict]:
    if record.policy == "none" and not _told_above(facts, domain):
        wanted = written(facts, name)
        if wanted is not None and _policy(wanted) == "none":
            remedy, fixable = _first_quarantine(facts, domain), False
        else:
            remedy, fixable = mend(
                facts, name, changed(record, p="quarantine"), lambda wanted: strength(_policy(wanted)) > 0
            )
            remedy = f"{_WHEN} {remedy}"
        yield warning(
            f"The DMARC policy of {domain} is none: reports are sent, forged mail is delivered.",
            remedy,
            fixable=fixable,
        )
    above, at = record.policy, "p"
    below = [tag for tag in ("sp", "np") if record.get(tag)]
    if below and organization(domain, walked(facts, domain)) != domain:
        below = []  # they count at the organizational domain alone
    for tag in below:
        value = record.get(tag).lower()
        if value in POLICIES and strength(value) < strength(above):
            remedy, fixable = mend(facts, name, changed(record, **{tag: None}), _lacks(tag))
            if written(facts, name) is not None and not fixable and getattr(facts.domain(domain).policy.dmarc, tag):
                remedy = configure(facts, domain, f"dmarc: {{{tag}: {above}}}")
            who = "sub-domains" if tag == "sp" else "sub-domains that do not exist"
            yield warning(
                f"{tag}={value} is weaker than {at}={above}: whoever forges mail takes one of the {who} of {domain}.",
                remedy,
                fixable=fixable,
            )
        if value in POLICIES:
            above, at = value, tag
    if record.get("t").lower() == "y" and max(strength(record.get(tag)) for tag in POLICY_TAGS) > 0:
        remedy, fixable = mend(facts, name, changed(record, t=None), _lacks("t"))
        yield warning(f"t=y in the DMARC record of {domain}: receivers act one step milder than it says, readers of RFC 7489 do not know the tag and act "
                      "in full.", remedy, fixable=fixable)  # fmt: skip
    mail = facts.domain(domain).mail
    if record.policy == "reject" and mail is not None and mail.local and not _above(facts, domain):
        yield info(f"{domain} has mailboxes and the policy reject: where its users write to mailing lists that change messages, other members lose "
                   "their mail (RFC 9989 §7.4).")  # fmt: skip


def _policy(text: str) -> str:
    try:
        return dmarc.parse(text).policy
    except RecordError:
        return "none"
