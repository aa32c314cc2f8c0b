"""The DKIM half of `desire`: what the record of each key says, from the moment the key exists until it is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnssync.core import dkim, rotation
from dnssync.core.hand_made import kept_elsewhere
from dnssync.core.host import MailDomain
from dnssync.core.model import KeyPair, Notice, Owner, Phase
from dnssync.core.ownership import Ledger, owned, same
from dnssync.core.selectors import foreign
from dnssync.core.zone_view import Zone

if TYPE_CHECKING:
    from dnssync.core.desire import Draft

BECAUSE = {
    Phase.GENERATED: "a key that exim will sign with",
    Phase.PUBLISHED: "a key that exim will sign with",
    Phase.READY: "a key that exim will sign with",
    Phase.ACTIVE: "exim signs with it",
    Phase.RETIRED: "mail that it signed may still be under way",
    Phase.DUE: "no mail that it signed is under way any more",
    Phase.REVOKED: "a key that is no longer valid",
    Phase.ENDED: "a key that was revoked long enough",
}


def key_claims(draft: Draft) -> None:
    """The claims of all keys: those of the mail domains whose keys lie in the zone, but for parked ones, and whatever has come to its
    end."""
    wish = draft.wish
    signing = wish.domains if wish.signing is None else wish.signing
    living = {domain for domain in signing if not wish.policy_of(domain).parked}
    for key in wish.keys:
        at = wish.phases.get((key.domain, key.selector), Phase.GENERATED)
        if key.domain in living or at in rotation.PAST:
            _key_claim(draft, key, at)


def unsigned(draft: Draft, domain: str, mail: MailDomain) -> None:
    """What a person should know of the transports that a domain's mail leaves through."""
    deaf = [transport.name for transport in mail.transports if not transport.can_sign]
    if deaf and not draft.wish.policy.parked:
        draft.notices.append(
            Notice("transport_unsigned", f"{domain}: mail that leaves through exim's transport {', '.join(deaf)} is not signed: "
                   "the transport has no DKIM options. `dnssync exim --print` shows the lines to add to it.")
        )  # fmt: skip


def _key_claim(draft: Draft, key: KeyPair, at: Phase) -> None:
    """What a key's record says, or that it goes."""
    wish = draft.wish
    full = dkim.record_name(key.selector, key.domain)
    name = draft.name(full)
    if not wish.holds(full) and not left_here(key, name, wish.ledger, wish.found):
        return  # it lies in a zone below; here, only what is left from before that one was configured goes with it
    if at in rotation.PAST and (name, "CNAME") in wish.found:
        if kept_elsewhere(key, name, wish):
            draft.notices.append(
                Notice("key_elsewhere", f"{key.selector}._domainkey.{key.domain}: nothing is signed with this key any more, and its record is kept "
                       "behind a CNAME that dnssync does not touch. Take the CNAME out, unless another host signs with it.")
            )  # fmt: skip
        return
    if kept_elsewhere(key, name, wish):
        return
    if key.compromised is None and foreign(key.selector, wish.host_id):
        return  # this host once had another name, or is a copy: another host may sign with it, and its record is that one's to keep
    text = rotation.text(key, at)
    stands = owned(wish.found.get((name, "TXT")), Owner.DKIM)
    if text is None and any(same(Owner.DKIM, value.text, dkim.record_for(key)) for value in stands):
        text = dkim.REVOKED  # somebody put it back after its end: revoked as before, it can go
    if text is None and (name, "TXT", Owner.DKIM) not in wish.ledger and (name, "TXT") not in wish.found:
        return
    if text is not None and len(text) > wish.limits.txt and not any(same(Owner.DKIM, v.text, text) for v in stands):
        draft.notices.append(
            Notice("key_not_held", f"{full}: a provider of {wish.zone} holds no TXT text longer than {wish.limits.txt} octets, and the record of this key has "
                   f"{len(text)}; it is not published there. A shorter key takes over as soon as one can be seen everywhere; until then, receivers "
                   "that ask that provider's servers cannot verify what this one signs.")
        )  # fmt: skip
        return
    draft.claim(name, "TXT", Owner.DKIM, text, key.domain, BECAUSE[at])


def left_here(key: KeyPair, name: str, ledger: Ledger, found: Zone) -> bool:
    """Whether a zone above that of a key still shows, at a (relative) name, what dnssync published for it there: by the ledger, or by the key."""
    stands = owned(found.get((name, "TXT")), Owner.DKIM)
    ours = any(same(Owner.DKIM, value.text, dkim.record_for(key)) for value in stands)
    return bool(stands) and (ours or (name, "TXT", Owner.DKIM) in ledger)


def signs(mail: MailDomain) -> bool:
    """Whether keys make sense for the domain: some transport that its mail leaves through signs, or can."""
    return any(transport.can_sign for transport in mail.transports)
