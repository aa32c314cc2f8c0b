"""DMARC records (RFC 9989), written so that readers of RFC 7489 agree: parse, print, compare, merge, inherit.

Sections are those of the final draft of RFC 9989.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from dnssync.core.record import RecordError, tags

POLICIES = ("none", "quarantine", "reject")
_VERSION = re.compile(r"v[ \t]*=[ \t]*DMARC1[ \t]*(;|$)")
_TAG = re.compile(r"[A-Za-z][A-Za-z0-9_\-]*")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[^,\s]+")


@dataclass(frozen=True, slots=True)
class Record:
    """A DMARC record: its tags in order, without v. Tag names in lower case, values as written."""

    tags: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        """`v=DMARC1; p=…; …`: readers of RFC 7489 want p second."""
        ordered = sorted(self.tags, key=lambda tag: tag[0] != "p")
        return "; ".join(["v=DMARC1", *(f"{name}={value}" for name, value in ordered)])

    def get(self, name: str) -> str:
        """The value of a tag, "" where it is not there."""
        return next((value for tag, value in self.tags if tag == name), "")

    @property
    def policy(self) -> str:
        """What receivers do for the domain itself (§4.7, §4.10.1): a missing or unknown p counts as none."""
        value = self.get("p").lower()
        return value if value in POLICIES else "none"

    @property
    def usable(self) -> bool:
        """Whether receivers apply the record at all (§4.10.1): bad policies are forgiven only where rua has a valid URI."""
        bad = [self.get(tag) for tag in ("p", "sp", "np") if self.get(tag) and self.get(tag).lower() not in POLICIES]
        return bool(
            (self.get("p") and not bad) or any(_URI.fullmatch(uri.strip()) for uri in self.get("rua").split(","))
        )


def is_dmarc(text: str) -> bool:
    """Whether a TXT text is a DMARC record at all (§4.8): `v=DMARC1`, exactly in this case, then `;` or the end."""
    return bool(_VERSION.match(text))


def parse(text: str) -> Record:
    """The record of a text (§4.8); raises `RecordError`. Unknown tags and the removed pct, rf, ri are kept."""
    if not is_dmarc(text):
        raise RecordError(0, "a DMARC record begins with v=DMARC1;")
    found: dict[str, str] = {}
    for offset, name, value in tags(text)[1:]:
        name = name.lower()
        if not _TAG.fullmatch(name):
            raise RecordError(offset, f'"{name}" is not a tag name')
        if name in found:
            raise RecordError(offset, f"the tag {name}= stands there twice")
        if not value.isprintable():
            raise RecordError(offset, f"the value of {name}= holds a character that is not allowed")
        found[name] = value
    return Record(tuple(found.items()))


def same(one: str, other: str) -> bool:
    """Whether two texts say the same: the same tags with the same values, in any order."""
    try:
        return dict(_canonical(parse(one))) == dict(_canonical(parse(other)))
    except RecordError:
        return one == other


def _canonical(record: Record) -> list[tuple[str, str]]:
    fold = ("p", "sp", "np", "adkim", "aspf", "fo", "psd", "t")
    return [(n, v.lower() if n in fold else re.sub(r"\s*,\s*", ",", v)) for n, v in record.tags]


def strength(policy: str) -> int:
    """How strict a policy is: none 0, quarantine 1, reject 2; anything else counts as none."""
    return POLICIES.index(policy.lower()) if policy.lower() in POLICIES else 0


def merge(*, found: Record | None, applied: str, wanted: Mapping[str, str], explicit: frozenset[str]) -> Record:
    """What should stand at the name: what we want, with what others wrote there kept.

    A tag that is found is kept unless it is one that we wrote (it equals what `applied`, the text we wrote last, holds)
    or the zone's configuration names it (`explicit`). p, sp and np are never made weaker than found unless named.
    Tags that only others know are kept.
    """
    if found is None:
        return Record(tuple(wanted.items()))
    try:
        ours = dict(parse(applied).tags) if applied else {}
    except RecordError:
        ours = {}
    standing = dict(found.tags)
    result: dict[str, str] = {}
    for name, value in standing.items():
        mine = ours.get(name) == value
        if name in explicit and name in wanted:
            result[name] = wanted[name]
        elif not mine or (name in ("p", "sp", "np") and strength(wanted.get(name, "none")) < strength(value)):
            result[name] = value
        elif name in wanted:
            result[name] = wanted[name]
    for name, value in wanted.items():
        # A weaker sp or np beside a found p would open the sub-domains that p covers today.
        weaker = name in ("sp", "np") and name not in explicit and strength(value) < strength(standing.get("p", "none"))
        if name not in standing and not weaker:
            result[name] = value
    return Record(tuple(result.items()))


# --- inheritance (§4.10) ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Inherited:
    """The policy that a domain without a record has from a parent, and the name whose record says so."""

    policy: str
    source: str


def tree_walk(domain: str) -> tuple[str, ...]:
    """The names to ask for a domain's record, at most eight, the domain's own first (§4.10): `_dmarc.<d>`, …"""
    labels = domain.lower().rstrip(".").split(".")
    names = [labels]
    rest = labels[-7:] if len(labels) >= 8 else labels[1:]
    while rest:
        names.append(rest)
        rest = rest[1:]
    return tuple("_dmarc." + ".".join(name) for name in names)


def inherited(domain: str, records: Mapping[str, str]) -> Inherited | None:
    """The policy of a domain that has no record of its own; `records` holds the texts found by the tree walk.

    The organizational domain is where psd=n stands, one below psd=y, else the shortest name with a record.
    """
    found: list[tuple[str, Record]] = []
    for name in tree_walk(domain)[1:]:
        try:
            record = parse(records[name]) if name in records else None
        except RecordError:
            record = None
        if record is None:
            continue
        psd = record.get("psd").lower()
        if psd == "y" and found:
            break
        found.append((name, record))
        if psd in ("y", "n"):
            break
    if not found:
        return None
    name, record = found[-1]
    policy = record.get("sp").lower() if record.get("sp").lower() in POLICIES else record.policy
    if record.get("t").lower() == "y":
        policy = POLICIES[max(strength(policy) - 1, 0)]
    return Inherited(policy, name)


def report_name(domain: str, host: str) -> str:
    """Where a host agrees to take another domain's reports (RFC 9990 §4)."""
    return f"{domain}._report._dmarc.{host}"


def needs_report_record(domain: str, host: str) -> bool:
    """Whether a report address at `host` needs its consent. Only a host inside the domain, or above it, surely does not.

    The organizational domains decide (RFC 9990 §4); a record too many does no harm, one too few loses reports.
    """
    one, other = domain.lower().rstrip("."), host.lower().rstrip(".")
    return not (one == other or one.endswith("." + other) or other.endswith("." + one))
