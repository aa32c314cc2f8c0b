"""DMARC records (RFC 9989), written so that readers of RFC 7489 agree: parse, print, compare, merge, inherit.

Sections are those of the final draft of RFC 9989.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from dnssync.core.record import RecordError, tags

POLICIES = ("none", "quarantine", "reject")
POLICY_TAGS = ("p", "sp", "np")
_VERSION = re.compile(r"v[ \t]*=[ \t]*DMARC1[ \t]*(;|\Z)")
_TAG = re.compile(r"[A-Za-z][A-Za-z0-9_\-]*")


@dataclass(frozen=True, slots=True)
class Record:
    """A DMARC record: its tags without v, p first, else in order. Tag names in lower case, values as written."""

    tags: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        """`v=DMARC1; p=…; …`: readers of RFC 7489 want p second, and a `;` behind the version in any case."""
        return "v=DMARC1; " + "; ".join(f"{name}={value}" for name, value in self.tags) if self.tags else "v=DMARC1;"

    def get(self, name: str) -> str:
        """The value of a tag, "" where it is not there."""
        return next((value for tag, value in self.tags if tag == name), "")

    @property
    def policy(self) -> str:
        """What receivers do for the domain itself (§4.10.1): none where p is missing, or where p, sp or np is invalid."""
        bad = any(name in POLICY_TAGS and not _policy(value) for name, value in self.tags)
        return "none" if bad else _policy(self.get("p")) or "none"


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
        if name in found or name == "v":
            raise RecordError(offset, f"the tag {name}= stands there twice")
        found[name] = value
    return _record(found)


def _record(tags_: Mapping[str, str]) -> Record:
    return Record(tuple(sorted(tags_.items(), key=lambda tag: tag[0] != "p")))


def same(one: str, other: str) -> bool:
    """Whether two texts say the same: the same tags with the same values, in any order."""
    try:
        return dict(_canonical(parse(one))) == dict(_canonical(parse(other)))
    except RecordError:
        return one == other


def _canonical(record: Record) -> list[tuple[str, str]]:
    return [(name, _plain(name, value)) for name, value in record.tags]


def _plain(name: str, value: str) -> str:
    """A tag's value in the one spelling of all that mean the same."""
    fold = ("p", "sp", "np", "adkim", "aspf", "fo", "psd", "t")
    return value.lower() if name in fold else ",".join(part.strip() for part in value.split(","))


def _policy(value: str) -> str:
    """A policy in lower case, "" for a value that is none."""
    return value.lower() if value.lower() in POLICIES else ""


def strength(policy: str) -> int:
    """How strict a policy is: none 0, quarantine 1, reject 2; anything else counts as none."""
    return POLICIES.index(_policy(policy) or "none")


# --- merging ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Merged:
    """The merged record, and as a record's text ("" = none) those of its tags that we added or changed (to be stored)."""

    record: Record
    added: str


def merge(*, found: Record | None, applied: str, wanted: Mapping[str, str], explicit: frozenset[str]) -> Merged:
    """What should stand at the name: what we want, with what others wrote there kept.

    `applied`: the tags that earlier merges added, as `added` says them. A tag that is found is kept unless it is one of
    those or the zone's configuration names it (`explicit`). For p, sp and np the stronger of found and wanted counts
    unless named, and what the found record gives sub-domains through p or sp is no less found; a value there that is
    no policy makes receivers ignore all three (§4.10.1), so it is replaced or goes.
    """
    standing = dict(found.tags) if found is not None else {}
    ours = _ours(applied)
    mine = {tag for tag, value in standing.items() if tag in ours and _plain(tag, ours[tag]) == _plain(tag, value)}
    policies = _policies(standing, wanted, mine, explicit)
    result: dict[str, str] = {}
    for tag in dict.fromkeys((*standing, *wanted)):
        value: str | None = standing.get(tag)
        if tag in POLICY_TAGS:
            value = policies.get(tag)
        elif tag not in standing or tag in mine or (tag in explicit and tag in wanted):
            value = wanted.get(tag)
        if value is not None:
            unchanged = tag in standing and _plain(tag, value) == _plain(tag, standing[tag])
            result[tag] = standing[tag] if unchanged else value
    added = {tag: value for tag, value in result.items() if tag in mine or standing.get(tag) != value}
    return Merged(_record(result), str(_record(added)) if added else "")


def _policies(
    standing: Mapping[str, str], wanted: Mapping[str, str], mine: Collection[str], explicit: Collection[str]
) -> dict[str, str]:
    """The p, sp and np to publish; `before` is what the found record comes to at each of them, `after` ours without it."""
    result: dict[str, str] = {}
    before = after = ""
    for tag in POLICY_TAGS:
        found, want = _policy(standing.get(tag, "")), wanted.get(tag)
        before = found or before
        stronger = want is not None and strength(want) >= strength(before)
        if want is not None and (tag in explicit or stronger):
            result[tag] = want
        elif want is not None and (found or before != after):
            result[tag] = before
        elif want is None and found and (tag not in mine or strength(found) > strength(after)):
            result[tag] = found
        after = result.get(tag, after)
    return result


def without(record: Record, added: str) -> str | None:
    """The record's text with the tags taken out that earlier merges added; None where nothing of others remains.

    Where something remains, the policies stay as they are: leaving must not make a domain weaker.
    """
    ours = _ours(added)
    rest = [tag for tag in record.tags if tag[0] not in ours or _plain(tag[0], ours[tag[0]]) != _plain(*tag)]
    kept = tuple(tag for tag in record.tags if tag in rest or tag[0] in POLICY_TAGS)
    return str(Record(kept)) if rest else None


def _ours(added: str) -> dict[str, str]:
    """The tags that the ledger holds; a text that no longer parses speaks for none, so that nothing is taken away."""
    try:
        return dict(parse(added).tags) if added else {}
    except RecordError:
        return {}


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

    The organizational domain is where psd=n stands, one label below psd=y, else the shortest name with a record. Its
    record counts; where it has none, that of the public suffix above it (psd=y). None where neither has one.
    """
    walked: list[tuple[str, Record]] = []
    for name in tree_walk(domain)[1:]:
        try:
            record = parse(records[name])
        except (KeyError, RecordError):
            continue
        walked.append((name, record))
        if record.get("psd").lower() in ("y", "n"):
            break
    if not walked:
        return None
    name, record = walked[-1]
    if record.get("psd").lower() == "y":
        labels = domain.lower().rstrip(".").split(".")
        below = "_dmarc." + ".".join(labels[-(name.count(".") + 1) :])
        name, record = next((there for there in walked if there[0] == below), walked[-1])
    policy = _policy(record.get("sp")) or record.policy
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
