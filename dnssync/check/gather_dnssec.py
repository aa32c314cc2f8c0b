"""Looks into what DNSSEC makes of names: what the system's resolver validates, and how zones are signed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from dnssync.check.dnssec import Chain, Links, Signature, Validated, Validation
from dnssync.check.dnssec_chain import span
from dnssync.check.facts import Failed
from dnssync.check.gather import Sources
from dnssync.core.sighting import ANSWERS, Rcode
from dnssync.resolver import Resolver
from dnssync.wire import Message

WORKERS = 32  # questions under way at a time
KINDS = ("SOA", "DNSKEY", "MX", "TXT")  # of a zone's apex: what is looked at for signatures


def fetch(wishes: Sequence[Any], sources: Sources) -> Mapping[Any, Any]:
    """What came of each wish."""
    pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="dnssec")
    try:
        return dict(zip(wishes, pool.map(lambda wish: _one(wish, sources), wishes), strict=True))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # waits for nobody after Ctrl-C


def _one(wish: Validated | Chain, sources: Sources) -> Validation | Links | Failed:
    if isinstance(wish, Validated):
        return _validated(wish, sources.resolver)
    links = _chain(wish.zone, sources.resolver)
    zone = sources.config.zones.get(wish.zone)
    return replace(links, named=True) if isinstance(links, Links) and zone is not None and zone.nameservers else links


def _validated(wish: Validated, resolver: Resolver) -> Validation | Failed:
    """What the first resolver that answers, or answers when asked not to check, makes of it."""
    why = "no resolver is named in /etc/resolv.conf"
    for server in resolver.system():
        message = resolver.put(server, wish.name, wish.type, recurse=True, dnssec=True)
        if message.rcode in ANSWERS:
            return Validation(message.authentic, bogus=False)
        why = _why(str(server), message)
        if message.rcode is not Rcode.SERVFAIL:
            continue
        unchecked = resolver.put(server, wish.name, wish.type, recurse=True, dnssec=True, checked=False)
        if unchecked.rcode not in ANSWERS:
            continue
        # The name's servers may have failed for a moment: only what is refused again is refused for its signatures.
        again = resolver.put(server, wish.name, wish.type, recurse=True, dnssec=True)
        if again.rcode in ANSWERS:
            return Validation(again.authentic, bogus=False)
        if again.rcode is Rcode.SERVFAIL:
            return Validation(secure=False, bogus=True, note=again.note)
    return Failed(f"{wish.name or 'the root'} {wish.type} could not be looked up: {why}")


def _chain(zone: str, resolver: Resolver) -> Links | Failed:
    """What every server of the zone shows of its keys and signatures, and the zone above of its DS."""
    servers = resolver.servers(zone)
    if servers.problem:
        return Failed(servers.problem.rstrip("."))
    keys: list[tuple[str, tuple[str, ...]]] = []
    signatures: list[Signature] = []
    bare, silent = [], []
    for server in servers.asked:
        told = {kind: resolver.put(server, zone, kind, dnssec=True) for kind in KINDS}
        good = {kind: m for kind, m in told.items() if m.rcode in ANSWERS and m.authoritative}
        if "DNSKEY" not in good:
            silent.append(_why(str(server), told["DNSKEY"]))
            continue
        records = good["DNSKEY"].found(zone, "DNSKEY")
        keys.append((str(server), records.texts if records is not None else ()))
        shown = [_signatures(str(server), zone, message) for message in good.values()]
        signatures += [one for some in shown for one in some]
        if "SOA" in good and not any(one.type == "SOA" for some in shown for one in some):
            bare.append(str(server))
    ds, problem = _ds(zone, resolver)
    return Links(tuple(keys), ds, tuple(dict.fromkeys(signatures)), tuple(bare), tuple(silent), problem)


def _signatures(server: str, zone: str, message: Message) -> list[Signature]:
    """Those over the apex's own records in the answer section."""
    spans = [span(text) for r in message.answer if (r.name, r.type) == (zone, "RRSIG") for text in r.texts]
    return [Signature(server, zone, *found) for found in spans if found is not None]


def _ds(zone: str, resolver: Resolver) -> tuple[tuple[str, ...] | None, str]:
    """The DS of the zone above, through the system's resolver, checked or not; None and why where that is not known."""
    why = "no resolver is named in /etc/resolv.conf"
    for server in resolver.system():
        message = resolver.put(server, zone, "DS", recurse=True, dnssec=True, checked=False)
        if message.rcode in ANSWERS:
            records = message.found(zone, "DS")
            return (records.texts if records is not None else ()), ""
        why = _why(str(server), message)
    return None, why


def _why(server: str, message: Message) -> str:
    if message.rcode in ANSWERS:
        return f"{server} answers without authority"
    return f"{server} says {message.rcode}{f' ({message.note})' if message.note else ''}"
