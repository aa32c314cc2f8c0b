"""From what was found and what is claimed to a list of changes: `overlay`, then `diff`.

Everything foreign is copied into what is wanted before anything is compared, so that no rule is needed about
what must not be deleted. A plan is data: it prints, goes to JSON and back, and has a digest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dnssync.core import dkim
from dnssync.core.model import Change, Claim, Kind, Owner, RRset, Value, to_json
from dnssync.core.ownership import Ledger, claim_key, foreign, owned, same


@dataclass(frozen=True, slots=True)
class Intent:
    """A key to make: it gets its selector and its bytes only when the plan is applied."""

    domain: str
    algorithm: str

    @property
    def placeholder(self) -> str:
        """How a plan prints what does not exist yet."""
        return f"<new {self.algorithm}>"


def unmade(name: str) -> bool:
    """Whether this is the owner name of a key that is still to be made, as a placeholder has it."""
    return name.startswith("<new ")


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything one pass would do to one zone at one provider. `map_lines` are the (domain, selectors) lines of
    exim's signing map that this zone's domains get, `intents` the keys to make first."""

    zone: str
    provider: str
    changes: tuple[Change, ...] = ()
    map_lines: tuple[tuple[str, tuple[str, ...]], ...] = ()
    intents: tuple[Intent, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether DNS would stay as it is and no key be made (map lines are compared by whoever knows the map)."""
        return not self.changes and not self.intents


def overlay(found: Iterable[RRset], claims: Iterable[Claim], ledger: Ledger) -> tuple[RRset, ...]:
    """The zone as it should be: everything found, with our values put in their place.

    A value that means what is claimed stays as it was found, octet for octet. A name with several values of ours
    (two `v=spf1`) is left alone: the guard refuses it with a sentence. A claim without a value takes away only what
    the ledger says we wrote, and an empty p= at a selector of ours: with a restored ledger it may be unknown that we did.
    """
    wanted = {rrset.key: rrset for rrset in found}
    for claim in claims:
        before = wanted.get(claim.key)
        values, ours_whole = _values(before, claim, ledger)
        if not values:
            wanted.pop(claim.key, None)
            continue
        ttl = claim.ttl if before is None or ours_whole else before.ttl
        wanted[claim.key] = RRset(claim.name, claim.type, ttl, values)
    return tuple(wanted.values())


def _values(before: RRset | None, claim: Claim, ledger: Ledger) -> tuple[tuple[Value, ...], bool]:
    """The values of the claim's RRset afterwards, and whether all of them are ours (then its TTL is ours too)."""
    ours, others = owned(before, claim.owner), foreign(before, claim.owner)
    present = before.values if before is not None else ()
    if claim.value is None:
        applied = ledger.get(claim_key(claim))
        gone = [
            value
            for value in ours
            if (applied is not None and same(claim.owner, value.text, applied.value, claim.domain))
            or (claim.owner is Owner.DKIM and dkim.is_revoked(value.text))
        ]
        # An RRset that loses a value of ours keeps its TTL: what remains is somebody else's.
        return tuple(value for value in present if value not in gone), False
    if len(ours) > 1:
        return present, False
    fresh = Value(claim.value, "")
    if not ours:
        return (*present, fresh), not others
    if same(claim.owner, ours[0].text, claim.value, claim.domain):
        applied = ledger.get(claim_key(claim))
        ttl_is_ours = before is not None and applied is not None and applied.ttl == before.ttl
        return present, not others and ttl_is_ours
    return tuple(fresh if value is ours[0] else value for value in present), not others


def diff(found: Iterable[RRset], wanted: Iterable[RRset]) -> tuple[Change, ...]:
    """The changes that lead from one to the other, in a safe order.

    Keys come before the policies that rely on them, a DMARC record comes last, TXT before type SPF, and what goes
    goes after what comes (a provider that cannot do all in one request does them in this order).
    """
    old, new = {rrset.key: rrset for rrset in found}, {rrset.key: rrset for rrset in wanted}
    changes = []
    for key in {**old, **new}:
        before, after = old.get(key), new.get(key)
        if before is not None and after is not None:
            if before.values != after.values or before.ttl != after.ttl:
                changes.append(Change(Kind.UPDATE, *key, before, after))
        elif after is not None:
            changes.append(Change(Kind.CREATE, *key, None, after))
        else:
            changes.append(Change(Kind.DELETE, *key, before, None))
    return tuple(sorted(changes, key=_order))


def _order(change: Change) -> tuple[bool, int, bool, str]:
    labels = change.name.split(".")
    rank = 0 if "_domainkey" in labels else 2 if "_dmarc" in labels else 1
    return (change.kind is Kind.DELETE, rank, change.type != "TXT", change.name)


def digest(plans: Sequence[Plan], *, made: Mapping[str, Intent] | None = None) -> str:
    """A SHA-256 over what the plans do, 64 hexadecimal digits.

    It covers the RRsets that are touched, the map lines and the intents. `made` maps the selectors of keys made
    since the plan was shown to the intents they fulfil; their names and bytes count as the placeholders that were
    shown, so that a plan before and after key generation has one digest.
    """
    data: list[object] = []
    for plan in plans:
        under = "" if plan.zone.startswith("_domainkey.") else "._domainkey"
        names = {f"{selector}{under}": intent for selector, intent in (made or {}).items()}
        data.append([plan.zone, plan.provider, sorted(json.dumps(to_json(_masked(c, names))) for c in plan.changes)])
        data.append([[domain, list(selectors)] for domain, selectors in sorted(plan.map_lines)])
    fulfilled = list((made or {}).values())
    intents = sorted(f"{i.domain} {i.algorithm}" for i in {*fulfilled, *(i for plan in plans for i in plan.intents)})
    data.append(intents)
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def _masked(change: Change, names: Mapping[str, Intent]) -> Change:
    for label, intent in names.items():
        if change.name == label or change.name.startswith(label + "."):
            under = "._domainkey" if label.endswith("._domainkey") else ""
            name = f"{intent.placeholder}{under}" + change.name[len(label) :]
            new = change.new and replace(change.new, name=name, values=(Value(intent.placeholder, ""),))
            return replace(change, name=name, new=new)
    if unmade(change.name) and change.new is not None:
        shown = change.name.partition("._domainkey")[0]
        return replace(change, new=replace(change.new, values=(Value(shown, ""),)))
    return change


def our_part(changes: Iterable[Change], claims: Iterable[Claim]) -> tuple[tuple[str, ...], ...]:
    """What changes do to values of ours alone, as sorted rows of text.

    Two plans with the same rows do the same for us, whatever a stranger did to his own values meanwhile.
    """
    owners = {claim.key: claim.owner for claim in claims}
    rows = []
    for change in changes:
        owner = owners.get((change.name, change.type), Owner.DKIM)
        old = ",".join(value.text for value in owned(change.old, owner))
        new = ",".join(value.text for value in owned(change.new, owner))
        rows.append((change.kind if owner is Owner.DKIM else "", change.name, change.type, old, new))
    return tuple(sorted(rows))


def from_json(data: Mapping[str, Any]) -> Plan:
    """A plan from what `to_json` made of it; raises KeyError, TypeError or ValueError for anything else."""

    def rrset(thing: Mapping[str, Any] | None) -> RRset | None:
        if thing is None:
            return None
        values = tuple(Value(str(value["text"]), str(value["raw"])) for value in thing["values"])
        return RRset(str(thing["name"]), str(thing["type"]), int(thing["ttl"]), values)

    return Plan(
        zone=str(data["zone"]),
        provider=str(data["provider"]),
        changes=tuple(
            Change(Kind(c["kind"]), str(c["name"]), str(c["type"]), rrset(c["old"]), rrset(c["new"]))
            for c in data["changes"]
        ),
        map_lines=tuple((str(domain), tuple(map(str, selectors))) for domain, selectors in data["map_lines"]),
        intents=tuple(Intent(str(i["domain"]), str(i["algorithm"])) for i in data["intents"]),
    )
