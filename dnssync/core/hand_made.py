"""Keys that the administrator made before dnssync came: taken on as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from dnssync.core import dkim
from dnssync.core.host import Host
from dnssync.core.model import KeyPair, absolute
from dnssync.core.wish import Wish


def adopted(host: Host, known: Iterable[KeyPair], now: int, record: Callable[[str, str], str]) -> tuple[KeyPair, ...]:
    """Hand-made keys that exim signs with today and that we do not hold yet: taken on, ACTIVE from this moment.

    `record(domain, selector)` gives the text that stands in DNS for it, "" where none is known.
    """
    have = {(key.domain, key.selector) for key in known}
    keys: dict[tuple[str, str], KeyPair] = {}
    for mail in host.domains:
        for transport in mail.transports:
            for signer in transport.signers if not transport.uses_map else ():
                at = (signer.domain, signer.selector)
                if signer.problem or at in have or signer.domain != mail.name or not signer.path.startswith("/"):
                    continue
                keys[at] = KeyPair(
                    domain=signer.domain,
                    selector=signer.selector,
                    algorithm=signer.algorithm,
                    public_key=signer.public_key,
                    generated=now,
                    seen=now,
                    published=now,
                    activated=now,
                    adopted=True,
                    record=own_record(record(*at), signer.public_key),
                )
    return tuple(keys.values())


def own_record(text: str, public_key: str) -> str:
    """The text that was found at a hand-made key's selector, if it holds that key: only then is it the key's record."""
    try:
        return text if dkim.parse(text).p == public_key else ""
    except ValueError:
        return ""


def kept_elsewhere(key: KeyPair, name: str, wish: Wish) -> bool:
    """Whether a hand-made key's record is kept by somebody else, behind a CNAME at its (relative) name: then that is left
    alone. Where nobody answers for what stands there, it is not taken for lost."""
    if not key.adopted or (name, "CNAME") not in wish.found:
        return False
    there = wish.dns(absolute(name, wish.zone), "TXT")
    return there is None or any(own_record(text, key.public_key) for text in there)
