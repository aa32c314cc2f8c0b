"""Look-ups in zones as they were read, or as they will be: the DNS that the pure half asks (RFC 1034 §4.3.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dnssync.core.model import RRset, relative, zone_of

Dns = Callable[[str, str], tuple[str, ...] | None]
Zone = Mapping[tuple[str, str], RRset]
MAX_CHAIN = 8


def dns_of(zones: Mapping[str, Zone], beyond: Dns, partial: frozenset[str] = frozenset()) -> Dns:
    """A function `dns(name, type)` → texts; `()` = there is none, None = nobody answered.

    Names inside one of the zones are answered from it (CNAMEs followed, wildcards applied); names outside, and names
    below a delegation, are asked of `beyond`. Of a `partial` zone only what is there is known: everything else is asked.
    """

    existing: dict[str, frozenset[str]] = {}

    def ask(name: str, kind: str, depth: int = 0) -> tuple[str, ...] | None:
        name = name.rstrip(".").lower()
        holder = zone_of(name, zones)
        if holder is None:
            return beyond(name, kind)
        zone, at = zones[holder], relative(name, holder) or ""
        if not zone or _delegated(zone, at) or (holder in partial and (at, kind) not in zone):
            return beyond(name, kind)
        if holder not in existing:
            existing[holder] = _names(zone)
        owner = _owner(existing[holder], at)
        if owner is None:
            return ()
        if (owner, kind) in zone:
            return tuple(value.text for value in zone[(owner, kind)].values)
        cname = zone.get((owner, "CNAME"))
        if cname is None or depth >= MAX_CHAIN:
            return ()
        target = cname.values[0].text.rstrip(".").lower()
        return ask(target, kind, depth + 1)

    return ask


def _delegated(zone: Zone, name: str) -> bool:
    """Whether a name lies at or below a zone cut."""
    labels = name.split(".") if name else []
    return any((".".join(labels[start:]), "NS") in zone for start in range(len(labels)))


def _owner(names: frozenset[str], name: str) -> str | None:
    """The owner name that answers: the name itself, the wildcard at its closest encloser (RFC 4592), or none."""
    if name in names:
        return name
    labels = name.split(".")
    for start in range(1, len(labels) + 1):
        encloser = ".".join(labels[start:])
        if encloser in names:
            wildcard = f"*.{encloser}" if encloser else "*"
            return wildcard if wildcard in names else None
    return None


def _names(zone: Zone) -> frozenset[str]:
    """Every name that exists in a zone, the apex and empty non-terminals included."""
    names = {""}
    for owner, _ in zone:
        labels = owner.split(".")
        names.update(".".join(labels[start:]) for start in range(len(labels)))
    return frozenset(names)
