"""Keys of dnssync's that its state does not know, since it was lost: known again by exim's map, their PEM and their record."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from dnssync.core import dkim
from dnssync.core.hand_made import own_record
from dnssync.core.model import KeyPair

OWN_NAME = re.compile(r"\d{8}[re]-.+")  # as `rotation.selector` makes them


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
                # One that was taken on before from the administrator is still his, and so is a text that we would not have written.
                ours = OWN_NAME.fullmatch(key.selector) and dkim.same(text, dkim.record_for(key))
                keys.append(key if ours else replace(key, adopted=True, record=text))
    return tuple(keys)
