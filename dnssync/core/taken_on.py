"""Keys of dnssync's that its state does not know, since it was lost: known again by exim's map, their PEM and their record."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from dnssync.core import dkim
from dnssync.core.hand_made import own_record
from dnssync.core.model import KeyPair, absolute
from dnssync.core.selectors import OWN_NAME, made_by

if TYPE_CHECKING:
    from dnssync.core.observed import ZoneView


def mapped(
    lines: Mapping[str, tuple[str, ...]],
    known: Iterable[KeyPair],
    now: int,
    private: Callable[[str, str], tuple[str, str] | None],
    record: Callable[[str, str], str],
) -> tuple[KeyPair, ...]:
    """Keys that exim's map names and we hold no row of, since the state was lost: taken on again, ACTIVE from this moment.

    `private(domain, selector)` gives (algorithm, p=) of the key's file, None where there is none that can be used;
    `record` the text that stands in DNS, "" where none is known. A key that DNS does not show is left alone: with it nobody could verify a signature.
    """
    have = {(key.domain, key.selector) for key in known}
    keys = []
    for domain, selectors in lines.items():
        for at in [(domain, selector) for selector in selectors if (domain, selector) not in have]:
            half, text = private(*at), record(*at)
            if half is not None and own_record(text, half[1]):
                key = KeyPair(*at, *half, generated=now, seen=now, published=now, activated=now)
                keys.append(_worded(key, text))
    return tuple(keys)


def overtaken(
    keys: Iterable[KeyPair],
    taken: Iterable[KeyPair],
    now: int,
    holds: Callable[[str, str], bool],
    record: Callable[[str, str], str],
) -> tuple[KeyPair, ...]:
    """The rows of a state that was restored and is older than what came after it: where keys were taken on that it did not know
    (`taken`), one of the same set whose file is gone (`holds`) and whose record stands nowhere (`record` gives "") has come to its end since; to publish it again would bring back what was ended, perhaps for a reason."""
    sets = {(key.domain, key.kind) for key in taken}

    def over(key: KeyPair) -> bool:
        at = (key.domain, key.selector)
        known = (key.domain, key.kind) in sets and key.removed is None
        return known and not holds(*at) and not record(*at)

    def ended(key: KeyPair) -> KeyPair:
        return replace(key, retired=key.retired or now, revoked=key.revoked or now, removed=now, purged=now)

    return tuple(ended(key) if over(key) else key for key in keys)


def made_here(views: Iterable[ZoneView], host: str) -> list[tuple[str, str]]:
    """(domain, selector) of every key in zones as they were read that carries this host's name."""
    found: dict[tuple[str, str], None] = {}
    for view in views:
        for shown in view.found.values():
            for name, kind in shown:
                selector, mark, domain = absolute(name, view.zone).partition("._domainkey.")
                if mark and kind == "TXT" and made_by(selector, host):
                    found[domain, selector] = None
    return list(found)


def unknown(
    views: Iterable[ZoneView],
    keys: Iterable[KeyPair],
    host: str,
    holds: Callable[[str, str], bool],
    confirmed: Collection[tuple[str, str]],
) -> dict[str, tuple[str, ...]]:
    """By zone, the names of keys in it that carry this host's name, of which neither a row nor a file (`holds(domain, selector)`) is
    here, and which no person said to be another host's ("stranger" in `confirmed`)."""
    known = {(key.domain, key.selector.lower()) for key in keys}
    found: dict[str, tuple[str, ...]] = {}
    for view in views:
        for domain, selector in made_here([view], host):
            name = f"{selector}._domainkey.{domain}"
            mine = (domain, selector) in known or holds(domain, selector)
            if not mine and ("stranger", name) not in confirmed:
                found[view.zone] = (*found.get(view.zone, ()), name)
    return found


def strays(
    named: Iterable[tuple[str, str]],
    known: Iterable[KeyPair],
    now: int,
    private: Callable[[str, str], tuple[str, str] | None],
    record: Callable[[str, str], str],
) -> tuple[KeyPair, ...]:
    """Keys of this host that stand in DNS and have their file, but no row, and that exim's map does not name: whether they signed
    lately nobody knows any more, so they count as RETIRED from this moment; a revoked one goes on from there. `named`: (domain, selector) of those in DNS."""
    have = {(key.domain, key.selector.lower()) for key in known}
    keys = []
    for at in named:
        half = private(*at) if at not in have else None
        if half is None:
            continue
        text = record(*at)
        if dkim.is_revoked(text):
            keys.append(KeyPair(*at, *half, generated=now, retired=now, revoked=now))
        elif own_record(text, half[1]):
            keys.append(_worded(KeyPair(*at, *half, generated=now, retired=now), text))
    return tuple(keys)


def _worded(key: KeyPair, text: str) -> KeyPair:
    """The key with the text that stands in DNS for it: one that was taken on before from the administrator is still his, and so is a
    text that we would not have written."""
    ours = OWN_NAME.fullmatch(key.selector) and dkim.same(text, dkim.record_for(key))
    return key if ours else replace(key, adopted=True, record=text)
